//! Twelve faults between an advisor and AWS, each of which must be named for what it is.
#![expect(clippy::unwrap_used, reason = "a test that cannot go on fails")]

mod faults;
mod program;
mod rig;
mod running;
