//! Cluster Autoscaler's requests to an advisor that runs, over TLS, in the forms of its versions.

#![allow(clippy::unwrap_used, reason = "a test stops at the first surprise")]

mod answers;
mod client;
mod rig;
