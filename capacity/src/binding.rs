//! Which resource of a node runs out first, and which instance types suit the pods that run.
//!
//! ```text
//! Budget, Allocatable ──> Shape ─┐
//! pods of the node ─────> Used ──┼─> room ──> binds
//! pods of its group ────> Mix ───┘
//! an instance type, Mix ────────────> fit
//! ```

mod fit;
mod mix;
mod offer;
mod resource;
mod room;
#[cfg(test)]
mod tests;

pub use fit::{Fit, Setup, fit};
pub use mix::{Mix, Requests, Used, need};
pub use offer::{Allocatable, Architecture, EbsLimit, TypeShape, max_pods};
pub use resource::{Limit, PerResource, Resource};
pub use room::{Shape, binds, room, shape, utilisation};
