//! AWS, Kubernetes and the nodes on one clock.

mod report;

pub use report::{NodeReport, Report, SubnetReport, Totals, WaitingPod};
