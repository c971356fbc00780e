//! The advisor's AWS side against the lab's EC2 and Auto Scaling.
#![expect(clippy::unwrap_used, reason = "a test that cannot go on fails")]

mod faults;
mod inventory;
mod setup;
