//! Counts that carry their unit, so that IPs, ENIs and prefixes cannot be mixed up.

use std::fmt;
use std::iter::Sum;
use std::ops::{Add, AddAssign, Sub};

/// Addresses in one /28 prefix, the unit in which EC2 delegates prefixes to an ENI.
pub const IPS_PER_PREFIX: u32 = 16;

macro_rules! count {
    ($(#[$doc:meta])* $name:ident) => {
        $(#[$doc])*
        #[derive(Clone, Copy, Debug, Default, PartialEq, Eq, PartialOrd, Ord, Hash)]
        pub struct $name(pub u32);

        impl $name {
            /// None of them.
            pub const ZERO: $name = $name(0);

            /// The bare number.
            #[must_use]
            pub const fn get(self) -> u32 {
                self.0
            }

            /// The difference, zero where `rhs` is larger.
            #[must_use]
            pub const fn saturating_sub(self, rhs: $name) -> $name {
                $name(self.0.saturating_sub(rhs.0))
            }

            /// Whether there is none.
            #[must_use]
            pub const fn is_zero(self) -> bool {
                self.0 == 0
            }
        }

        impl Add for $name {
            type Output = $name;

            /// Saturates: a count that is too large to be true stays too large.
            fn add(self, rhs: $name) -> $name {
                $name(self.0.saturating_add(rhs.0))
            }
        }

        impl AddAssign for $name {
            fn add_assign(&mut self, rhs: $name) {
                *self = *self + rhs;
            }
        }

        impl Sub for $name {
            type Output = $name;
            fn sub(self, rhs: $name) -> $name {
                $name(self.0 - rhs.0)
            }
        }

        impl Sum for $name {
            fn sum<I: Iterator<Item = $name>>(iter: I) -> $name {
                iter.fold($name::ZERO, Add::add)
            }
        }

        impl fmt::Display for $name {
            fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
                self.0.fmt(f)
            }
        }
    };
}

count!(
    /// A number of IPv4 addresses.
    Ips
);
count!(
    /// A number of elastic network interfaces.
    Enis
);
count!(
    /// A number of /28 prefixes.
    Prefixes
);

impl Prefixes {
    /// The addresses in these prefixes, saturating.
    #[must_use]
    pub const fn ips(self) -> Ips {
        Ips(self.0.saturating_mul(IPS_PER_PREFIX))
    }
}

impl Ips {
    /// The prefixes needed to hold this many addresses, rounded up.
    #[must_use]
    pub const fn prefixes_ceil(self) -> Prefixes {
        Prefixes(self.0.div_ceil(IPS_PER_PREFIX))
    }
}
