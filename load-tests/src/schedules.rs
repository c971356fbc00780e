//! Random faults at random times, advisors as processes that are killed at others, and what must hold all the same.
//!
//! A schedule is drawn from a seed. What the processes make of it depends on the machine too: a schedule that failed is tried again with
//! its seed, and may pass.

mod draw;
mod process;
mod run;
mod seen;

pub use draw::{Form, Kill, Schedule, Spell, When, draw};
pub use process::{Program, advise};
pub use run::{Outcome, run};
