//! Whether an AWS endpoint can be reached, stage by stage, and what to change where it cannot.
//!
//! ```text
//! resolv.conf ── each nameserver, UDP and TCP ──┐                                    signed read ── endpoint policy
//!             ── system resolver ───────────────┴─ class ── TCP ── TLS ── HTTP ── clock
//! ```
//! [`climb`] runs the stages of one endpoint, each within its own deadline, and goes on with whatever was found, so that a [`Ladder`] tells
//! all there is to tell. [`diagnose`] is a pure function of it: the first cause that explains a failure, and what to do. [`Passes`] remembers
//! full passes for whoever must be sure of an endpoint before acting.
//!
//! A client of AWS that only says `dial tcp: i/o timeout` leaves open whether a name, a route, a certificate or a key is at fault. Every
//! stage here is a place where one of them shows.
#![cfg_attr(not(test), deny(missing_docs))]

mod address;
mod cause;
mod climb;
mod deadlines;
mod diagnose;
mod dns;
mod endpoint;
mod http;
mod ladder;
mod network;
mod passes;
mod remedy;
mod report;
mod resolv;
mod signed;
mod stage;
mod system;
mod tcp;
mod tls;

pub use address::AddressClass;
pub use cause::Cause;
pub use climb::{Means, climb};
pub use deadlines::Deadlines;
pub use diagnose::{Diagnosis, diagnose};
pub use endpoint::{Endpoint, EndpointError, Scheme, Service};
pub use ladder::{Ladder, Outcome, Skip, Step, Target, Transport, Verdict};
pub use network::{Kind, Nameserver, Network};
pub use passes::{NotOpen, Passes};
pub use report::Report;
pub use resolv::ResolvConf;
pub use signed::{DeniedBy, Signed, SignedRead};
pub use stage::Stage;
pub use system::{Lookup, SystemLookup};
pub use tls::Roots;
