//! Headroom in a whole: the extender beside a scheduler on the lab, for the demo and for end-to-end tests.

pub mod bench;
pub mod burst;
pub mod cluster;
pub mod control_plane;
pub mod demo;
pub mod kubelets;
pub mod scheduler;
