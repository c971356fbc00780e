//! Nodes: kubelet and ipamd.
