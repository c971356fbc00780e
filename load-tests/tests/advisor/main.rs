//! Advisors that run, end to end: on the lab's AWS and Kubernetes, on its clock.

#![allow(clippy::unwrap_used, reason = "a test stops at the first surprise")]

mod books;
mod faults;
mod leaders;
mod leaks;
mod process;
mod rig;
mod told;
