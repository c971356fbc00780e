//! The part of the Kubernetes API that Headroom uses: an object store with watches, and the apiserver's HTTP on top of it.
//!
//! ```text
//! resource (what is served) ─┐
//! error, selector, patch ────┼─> store (objects, revisions, log) ──> server (HTTP: objects, watches, discovery)
//! object (fields of a Value) ┘
//! ```
//! The store knows no clock and no socket: every write takes `now`. Kubelets and the lab's controllers use it in process,
//! clients through [`server::router`].

pub mod error;
mod kubeconfig;
pub mod object;
pub mod patch;
pub mod resource;
pub mod selector;
pub mod server;
pub mod store;

pub use error::ApiError;
pub use kubeconfig::kubeconfig;
pub use patch::Patch;
pub use resource::Resource;
pub use server::router;
pub use store::{Change, DeleteOptions, Object, Part, Store};
