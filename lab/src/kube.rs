//! The Kubernetes side.
