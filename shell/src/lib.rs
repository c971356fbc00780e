//! What both binaries are started, configured, served and supervised with. Knows nothing of nodes, pods or AWS.
//!
//! ```text
//! file ──config──> values     log, process ──> a process that is told what to do and says what it does
//! sockets ──listen, tls──> axum's routers (admin, grpc)     tasks ──supervise──> none ends unseen
//! ```

pub mod admin;
pub mod backoff;
pub mod config;
pub mod grpc;
pub mod listen;
pub mod log;
pub mod metrics;
pub mod page;
pub mod process;
pub mod supervise;
pub mod tls;
