use std::fmt;

use super::{Reason, Verdict};
use crate::units::Ips;

/// One subtraction, kept with its names so that what is decided is what is explained.
#[derive(Clone, Copy, Debug)]
pub(super) struct Account<const N: usize> {
    pub(super) have: (u32, &'static str),
    pub(super) less: [(u32, &'static str); N],
}

impl<const N: usize> Account<N> {
    /// What is left; below zero where more is promised than there is.
    pub(super) fn left(&self) -> i64 {
        i64::from(self.have.0) - self.less.iter().map(|(count, _)| i64::from(*count)).sum::<i64>()
    }

    /// `Now` while something is left.
    pub(super) fn verdict(&self, otherwise: Reason) -> Verdict {
        match ips(self.left()) {
            Ips::ZERO => Verdict::Never(otherwise),
            left => Verdict::Now(left),
        }
    }
}

impl<const N: usize> fmt::Display for Account<N> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{} {}", self.have.0, self.have.1)?;
        for (count, name) in self.less {
            write!(f, " − {count} {name}")?;
        }
        write!(f, " = {}", self.left())
    }
}

/// A count that may have come out negative.
pub(super) fn ips(count: i64) -> Ips {
    Ips(u32::try_from(count.max(0)).unwrap_or(u32::MAX))
}
