//! What one node to come takes, out of which subnet.

use std::collections::BTreeMap;

use headroom_capacity::budget::{Budget, NodeFacts, budget};
use headroom_capacity::ids::SubnetId;
use headroom_capacity::instance;
use headroom_capacity::units::{Enis, IPS_PER_PREFIX};

use super::decide::Reason;
use super::read::Template;
use super::rooms::{Landing, Rooms};
use crate::in_flight::{NewNode, ZONE_LABEL, of_new_node};
use crate::ledger::InFlight;

/// Addresses of one subnet.
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

    /// The difference, each part 0 where `other` has more of it. Addresses that others take lie outside of free blocks for as long as
    /// there are such: EC2 does not say where it takes them.
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
    pub(super) fn share(self, of: u32, all: u32) -> Units {
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

/// What a node takes.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) struct Need {
    /// By subnet.
    pub(super) takes: BTreeMap<SubnetId, Units>,
    /// What is not known; this is the least that it takes then.
    pub(super) unknown: Option<Reason>,
}

impl Need {
    fn add(mut self, subnet: &SubnetId, units: Units) -> Need {
        let sum = self.takes.entry(subnet.clone()).or_default();
        *sum = sum.plus(units);
        self
    }
}

/// A node like `template` whose primary ENI is in the landing's subnet, when it has started and given `pods` pods an address: its own
/// address, and what ipamd attaches by its rules. Of a node whose limits are not known the least, an address for each.
pub(super) fn of_node(rooms: &Rooms, landing: &Landing, template: Option<&Template>, pods: u32) -> Need {
    let settings = &*rooms.settings;
    let own = Need { takes: BTreeMap::new(), unknown: None }.add(&landing.subnet, Units::ips(1));
    let new_eni = new_eni(rooms, landing, template);
    let at_least = |unknown| {
        let subnet = new_eni.filter(|_| settings.custom_networking).unwrap_or(&landing.subnet);
        Need { unknown: Some(unknown), ..own.clone().add(subnet, Units::ips(pods)) }
    };
    let Some(template) = template else { return at_least(Reason::UnknownNode) };
    let limits = template.instance_type().and_then(|name| instance::lookup(name).or_else(|| rooms.types.get(name)));
    let facts = NodeFacts {
        kind: template.kind(),
        limits,
        settings,
        max_pods: template.max_pods.or(limits.map(|limits| limits.default_max_pods())).unwrap_or_default(),
        unmanaged: Enis::ZERO,
        excluded: Enis(u32::from(landing.excluded)),
        trunk_attached: false,
        windows_prefix_delegation: false,
    };
    match budget(&facts) {
        // ipamd will make no ENI, and pods will get nothing.
        Budget::Ipv4(_) if settings.custom_networking && new_eni.is_none() => at_least(Reason::UnknownSubnet),
        Budget::Ipv4(budget) => {
            let node = NewNode { subnet: &landing.subnet, excluded: landing.excluded, new_eni };
            let coming = of_new_node(settings, &budget, &node, pods.min(budget.ceiling.get()));
            coming.iter().fold(own, |need, one| need.add(&one.subnet, Units::from(one)))
        }
        Budget::Windows { ceiling } => own.add(&landing.subnet, Units::ips(pods.min(ceiling.get()))),
        Budget::Ipv6 { .. } | Budget::NotManaged(_) => own,
        Budget::Unknown(_) => at_least(Reason::UnknownNode),
    }
}

/// The subnet in which such a node makes its further ENIs: under custom networking the one that its labels and annotations name, else
/// of those that ipamd may choose from the one with most room, as it does.
fn new_eni<'a>(rooms: &'a Rooms, landing: &'a Landing, template: Option<&Template>) -> Option<&'a SubnetId> {
    if rooms.settings.custom_networking {
        let label = |key: &str| match template {
            // A template has one zone, a group may have several.
            _ if key == ZONE_LABEL => Some(&*landing.az),
            Some(template) => template.labels.get(key).map(String::as_str),
            None => None,
        };
        let annotation = |key: &str| template?.annotations.get(key).map(String::as_str);
        return rooms.eni_configs.get(rooms.settings.eni_config(label, annotation)?)?.as_ref();
    }
    landing.new_eni.iter().max_by_key(|id| rooms.subnets.get(*id).map(|subnet| subnet.free.ips))
}
