//! The world on a clock that is moved by hand: nodes fill up, hang and recover as on EKS.
#![allow(clippy::unwrap_used, reason = "a test may panic")]

#[path = "world/bench.rs"]
mod bench;
#[path = "world/fill.rs"]
mod fill;
#[path = "world/invariants.rs"]
mod invariants;
#[path = "world/life.rs"]
mod life;
#[path = "world/shipped.rs"]
mod shipped;
