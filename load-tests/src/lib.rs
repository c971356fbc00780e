//! Headroom in a whole: the extender beside a scheduler on the lab, for the demo and for end-to-end tests.

pub mod bench;
pub mod control_plane;
pub mod demo;
pub mod scheduler;
