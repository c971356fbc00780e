//! Addresses of a subnet, counted singly and in whole /28s.

use headroom_capacity::units::IPS_PER_PREFIX;

use crate::ledger::{InFlight, SubnetAccount};

/// Addresses of one subnet: free ones, or those that somebody takes.
///
/// The one rule for what is left in a subnet, whoever asks: single addresses that are taken lie outside of free /28s for as long as there
/// are such, and break one when there are none. EC2 does not say where it takes them, so that this is the least that they break. What
/// is broken needs no count of its own: where all the addresses are there and the whole blocks are, so are those that break.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Units {
    /// All of them, 16 for each prefix.
    pub ips: u32,
    /// The /28 blocks among them.
    pub prefixes: u32,
}

impl Units {
    /// Single addresses.
    #[must_use]
    pub const fn ips(ips: u32) -> Units {
        Units { ips, prefixes: 0 }
    }

    /// The sum, saturating.
    #[must_use]
    pub const fn plus(self, other: Units) -> Units {
        Units { ips: self.ips.saturating_add(other.ips), prefixes: self.prefixes.saturating_add(other.prefixes) }
    }

    /// Free addresses of a subnet that EC2 may choose, less what is on its way to nodes.
    #[must_use]
    pub(crate) fn left(subnet: &SubnetAccount) -> Units {
        Units::free(subnet).less(Units::in_flight(subnet))
    }

    pub(crate) const fn free(subnet: &SubnetAccount) -> Units {
        Units { ips: subnet.free_ips.get(), prefixes: subnet.free_prefixes.get() }
    }

    pub(crate) const fn in_flight(subnet: &SubnetAccount) -> Units {
        Units { ips: subnet.in_flight_ips.get(), prefixes: subnet.in_flight_prefixes.get() }
    }

    /// The part of what is taken that `other` is not, each 0 where `other` has more of it.
    #[must_use]
    pub const fn beyond(self, other: Units) -> Units {
        Units { ips: self.ips.saturating_sub(other.ips), prefixes: self.prefixes.saturating_sub(other.prefixes) }
    }

    /// What is left when `other` is taken, each part 0 where that is more.
    #[must_use]
    pub fn less(self, other: Units) -> Units {
        let ips = self.ips.saturating_sub(other.ips);
        let prefixes = self.prefixes.saturating_sub(other.prefixes).min(ips / IPS_PER_PREFIX);
        Units { ips, prefixes }
    }

    /// So many times as much, saturating.
    #[must_use]
    pub const fn times(self, times: u32) -> Units {
        Units { ips: self.ips.saturating_mul(times), prefixes: self.prefixes.saturating_mul(times) }
    }

    /// The part `of` in `all`, rounded up.
    #[must_use]
    pub(crate) fn share(self, of: u32, all: u32) -> Units {
        let part = |whole: u32| {
            let exact = (u64::from(whole) * u64::from(of)).div_ceil(u64::from(all.max(1)));
            u32::try_from(exact).unwrap_or(u32::MAX)
        };
        Units { ips: part(self.ips), prefixes: part(self.prefixes) }
    }

    /// How many times `each` is in it; `u32::MAX` where that is nothing.
    #[must_use]
    pub fn feeds(self, each: Units) -> u32 {
        let of = |all: u32, each: u32| all.checked_div(each).unwrap_or(u32::MAX);
        of(self.ips, each.ips).min(of(self.prefixes, each.prefixes))
    }
}

impl From<&InFlight> for Units {
    fn from(coming: &InFlight) -> Units {
        Units { ips: (coming.ips + coming.prefixes.ips()).get(), prefixes: coming.prefixes.get() }
    }
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    /// A subnet's free blocks and the free addresses beside them, of which a taker takes singles one by one.
    fn takes(free: (u32, u32), singles: u32, blocks: u32) -> Option<(u32, u32)> {
        let (mut whole, mut beside) = free;
        for _ in 0..blocks {
            whole = whole.checked_sub(1)?;
        }
        for _ in 0..singles {
            if beside == 0 {
                (whole, beside) = (whole.checked_sub(1)?, IPS_PER_PREFIX);
            }
            beside -= 1;
        }
        Some((whole, beside))
    }

    proptest! {
        /// Counting both parts alone says the same as taking address by address.
        #[test]
        fn what_is_left_is_what_taking_one_by_one_leaves(
            (whole, beside) in (0_u32..6, 0_u32..40),
            (singles, blocks) in (0_u32..40, 0_u32..4),
        ) {
            let units = |whole: u32, beside: u32| Units { ips: whole * IPS_PER_PREFIX + beside, prefixes: whole };
            let (mut left, each) = (units(whole, beside), Units { ips: singles + blocks * IPS_PER_PREFIX, prefixes: blocks });
            prop_assume!(each.ips > 0);
            let (mut one_by_one, mut fed) = ((whole, beside), 0);
            while let Some(next) = takes(one_by_one, singles, blocks) {
                left = left.less(each);
                one_by_one = next;
                fed += 1;
                prop_assert_eq!(left, units(next.0, next.1));
            }
            prop_assert_eq!(units(whole, beside).feeds(each), fed);
        }
    }
}
