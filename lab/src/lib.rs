//! A VPC in a process: EC2, Auto Scaling, STS, CloudWatch and the part of the Kubernetes API that Headroom uses, on loopback, and a network before
//! it that can go wrong.

pub mod aws;
pub mod clock;
mod handle;
pub mod kube;
pub mod net;
pub mod node;
pub mod scenario;
pub mod world;

pub use handle::{Lab, Options, stop_signal};
