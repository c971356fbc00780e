//! Headroom in a whole: the extender beside a scheduler on the lab, for the demo, for end-to-end tests, and beside the real kube-scheduler for measurements.

pub mod advisor;
pub mod authority;
pub mod backtest;
pub mod bench;
pub mod burst;
pub mod cluster;
pub mod control_plane;
pub mod demo;
pub mod eventually;
pub mod kubelets;
pub mod pods;
pub mod replicas;
pub mod scaling;
pub mod scheduler;
pub mod schedules;
pub mod seen;

pub use headroom_shell::page;
