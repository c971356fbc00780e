//! What Headroom costs and changes beside the real kube-scheduler: pods/s, placement, and what happens when most nodes are full.

pub mod binds;
pub mod hollow;
pub mod peer;
pub mod placement;
pub mod report;
pub mod sampling;
pub mod throughput;
pub mod write;

/// Pods and nodes of one cluster are far below 2^52.
#[allow(clippy::cast_precision_loss, reason = "counts of pods and nodes")]
fn float(count: usize) -> f64 {
    count as f64
}
