//! The network between a client and AWS, and what goes wrong with it: a nameserver, a place where connections go astray, and TLS.
//!
//! ```text
//! client ──Stub──> DnsServer
//!        ──TCP───> Gate ──> TlsFront ──> the lab's AWS
//! ```
//! Everything is on loopback and can be made to misbehave while it runs. What is dropped stops.

mod authority;
mod dns;
mod front;
mod gate;
mod held;
mod stub;

pub use authority::{Authority, Identity};
pub use dns::{DnsFault, DnsServer};
pub use front::TlsFront;
pub use gate::{Gate, Mode};
pub use stub::Stub;
