//! What one node to come takes, out of which subnet.

use std::collections::BTreeMap;

use headroom_capacity::budget::{Budget, NodeFacts, budget};
use headroom_capacity::ids::SubnetId;
use headroom_capacity::instance;
use headroom_capacity::units::Enis;

use super::decide::Reason;
use super::read::Template;
use super::rooms::{Landing, Rooms};
use crate::in_flight::{NewNode, Units, eni_config_to_come, of_new_node};

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
        // A template has one zone, a group may have several.
        let label = |key: &str| template?.labels.get(key).map(String::as_str);
        let annotation = |key: &str| template?.annotations.get(key).map(String::as_str);
        return eni_config_to_come(&rooms.settings, &rooms.eni_configs, Some(&landing.az), label, annotation);
    }
    landing.new_eni.iter().max_by_key(|id| rooms.subnets.get(*id).map(|subnet| subnet.free.ips))
}
