//! `headroom-advisor doctor` on the lab: pods are made to hang, and it must say why.

#![allow(clippy::unwrap_used, reason = "a test stops at the first surprise")]

mod causes;
mod program;
mod rig;
