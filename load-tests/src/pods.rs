//! What Headroom costs and changes beside the real kube-scheduler: pods/s, placement, and what happens when most nodes are full.

pub mod binds;
pub mod floor;
pub mod hollow;
pub mod peer;
pub mod placement;
pub mod report;
pub mod sampling;
pub mod throughput;
pub mod write;
