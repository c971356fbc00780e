//! The advisor changes the size of a node group, against the lab's AWS and Kubernetes.

#![allow(clippy::unwrap_used, reason = "a test stops at the first surprise")]

mod faults;
mod growth;
mod killed;
mod rig;
