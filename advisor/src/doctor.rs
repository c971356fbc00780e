//! Collects what the doctor's rules work on.

pub mod join;
