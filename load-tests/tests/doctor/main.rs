//! `headroom-advisor doctor` on the lab: pods are made to hang, and it must say why.

// Futures of tests hold those of the whole collection.
#![recursion_limit = "512"]
#![allow(clippy::unwrap_used, reason = "a test stops at the first surprise")]

mod causes;
mod program;
mod rig;
