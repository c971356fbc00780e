//! Nodes: kubelet and ipamd.

pub mod shape;
