//! Limits of types that no table knows.

use crate::instance::{Hypervisor, InstanceLimits, LimitSource};
use crate::units::Enis;

/// The fields of one EC2 DescribeInstanceTypes entry that bear on pod IPs.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct DescribedType<'a> {
    /// `NetworkInfo.DefaultNetworkCardIndex`, 0 where it is left out.
    pub default_card: u32,
    /// `NetworkInfo.NetworkCards`: `NetworkCardIndex` and `MaximumNetworkInterfaces` of each.
    pub cards: &'a [(u32, u32)],
    /// `NetworkInfo.Ipv4AddressesPerInterface`.
    pub ipv4_per_eni: u32,
    /// `Hypervisor`, empty for bare metal.
    pub hypervisor: &'a str,
    /// `BareMetal`.
    pub bare_metal: bool,
}

impl InstanceLimits {
    /// Limits as EC2 describes them; `None` where the default card is not listed or a limit is zero.
    ///
    /// `NetworkInfo.MaximumNetworkInterfaces` is deliberately not asked for: it counts every network card, and pod ENIs go to
    /// the default card. ipamd does take it for a type that is not in its table (CNI `FetchInstanceTypeLimits`), and then
    /// asks EC2 for ENIs that it cannot get. Branch ENIs are in no EC2 API.
    #[must_use]
    pub fn described(described: &DescribedType<'_>) -> Option<InstanceLimits> {
        let (_, enis) = described.cards.iter().find(|(index, _)| *index == described.default_card)?;
        if *enis == 0 || described.ipv4_per_eni == 0 {
            return None;
        }
        Some(InstanceLimits {
            enis: Enis(*enis),
            ipv4_per_eni: described.ipv4_per_eni,
            hypervisor: match described.hypervisor {
                "nitro" => Hypervisor::Nitro,
                "xen" => Hypervisor::Xen,
                _ => Hypervisor::Unknown,
            },
            bare_metal: described.bare_metal,
            network_cards: u32::try_from(described.cards.len()).unwrap_or(u32::MAX),
            branch: None,
            source: LimitSource::DescribeInstanceTypes,
        })
    }

    /// What was seen on a running node, a lower bound: `enis` attached to its default card, `slots` taken on the fullest of
    /// them (secondary addresses and prefixes), and whether one was a prefix, which only nitro and bare metal can have.
    /// `None` where no ENI was seen.
    #[must_use]
    pub fn observed(enis: Enis, slots: u32, prefixes: bool) -> Option<InstanceLimits> {
        (!enis.is_zero()).then_some(InstanceLimits {
            enis,
            ipv4_per_eni: slots.saturating_add(1),
            hypervisor: if prefixes { Hypervisor::Nitro } else { Hypervisor::Unknown },
            bare_metal: false,
            network_cards: 1,
            branch: None,
            source: LimitSource::Observed,
        })
    }
}
