//! The manifests in `deploy/rendered`, held against the code and tried on the real control plane. Needs the binaries of
//! `load-tests/control-plane/build.sh`.
//!
//! ```text
//! kubectl apply ──> kube-apiserver <── kube-scheduler, extender and advisor: shipped arguments, shipped configuration,
//!                    │ audit log       token of the shipped ServiceAccount
//!                    └──> calls made == calls granted
//! ```

#![allow(clippy::unwrap_used, reason = "a test stops at the first surprise")]

mod acting;
mod applied;
mod audit;
mod install;
mod manifests;
mod pods;
mod scheduling;
mod shape;
