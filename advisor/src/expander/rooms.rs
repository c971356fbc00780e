//! What each Auto Scaling group could still take, as of the latest books.

use std::collections::BTreeMap;
use std::sync::Arc;

use headroom_capacity::ids::SubnetId;
use headroom_capacity::instance::InstanceLimits;
use headroom_capacity::settings::CniSettings;
use headroom_capacity::time::Time;

use crate::in_flight::{self, Daemons, Units};
use crate::inventory::Group;
use crate::ledger::{Known, Ledger};
use crate::outlook::Outlook;

/// Groups and subnets as an answer needs them.
#[derive(Clone, Debug, Default, PartialEq)]
pub struct Rooms {
    /// When AWS was read for them, the part that was read longest ago.
    pub read_at: Time,
    /// aws-node's settings.
    pub settings: Arc<CniSettings>,
    /// By ID.
    pub subnets: BTreeMap<SubnetId, SubnetRoom>,
    /// Auto Scaling groups by name.
    pub groups: BTreeMap<Arc<str>, GroupRoom>,
    /// ENIConfig name -> subnet.
    pub eni_configs: BTreeMap<Arc<str>, Option<SubnetId>>,
    /// Limits of instance types that the built-in table does not know.
    pub types: BTreeMap<Arc<str>, InstanceLimits>,
}

/// A subnet.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct SubnetRoom {
    /// Free addresses that EC2 may choose, those that are in flight taken off.
    pub free: Units,
    /// When it is expected to run out, with a probability of 10 % sooner; `None` where that is not expected, or nothing is.
    pub exhausted_in_secs: Option<u64>,
}

/// An Auto Scaling group.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct GroupRoom {
    /// Its subnets.
    pub landings: Vec<Landing>,
    /// Instances by availability zone; a zone without one need not be here.
    pub per_az: BTreeMap<Arc<str>, u32>,
    /// Instances that it has or wants, whichever is more.
    pub wanted: u32,
    /// Nodes that have registered.
    pub nodes: u32,
    /// Pods with an address that DaemonSets put on each node.
    pub daemons: u32,
}

/// A subnet that instances of a group may start in.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Landing {
    /// Its ID.
    pub subnet: SubnetId,
    /// Its availability zone.
    pub az: Arc<str>,
    /// Subnet discovery is on and the subnet gives no addresses to pods.
    pub excluded: bool,
    /// Subnets in which ipamd may make further ENIs then; custom networking has its own.
    pub new_eni: Vec<SubnetId>,
    /// What the books count as in flight for an instance that the group wants here and EC2 does not show yet.
    pub in_books: Vec<(SubnetId, Units)>,
}

/// From what the books were made of.
#[must_use]
pub(crate) fn rooms(known: &Known<'_>, ledger: &Ledger, outlook: Option<&Outlook>, read_at: Time) -> Rooms {
    let inventory = known.inventory();
    let subnets = ledger.subnets.iter().map(|(id, account)| {
        let outlook = outlook.and_then(|outlook| outlook.subnets.get(id));
        let room = SubnetRoom {
            free: Units::left(account),
            exhausted_in_secs: outlook.and_then(|outlook| outlook.exhaustion.p10_secs),
        };
        (id.clone(), room)
    });
    let daemons = Daemons::of(known);
    let groups = inventory.groups.values().map(|group| {
        let nodes = ledger.nodes.values().filter(|node| node.group.as_ref() == Some(&group.name)).count();
        let active: Vec<_> = group.members.iter().filter(|member| in_flight::counts(&member.lifecycle)).collect();
        let mut per_az = BTreeMap::new();
        for member in &active {
            let subnet = inventory.instances.get(&member.instance).and_then(|instance| instance.subnet.as_ref());
            if let Some(subnet) = subnet.and_then(|id| inventory.subnets.get(id)) {
                *per_az.entry(Arc::clone(&subnet.az)).or_default() += 1;
            }
        }
        let room = GroupRoom {
            landings: group.subnets.iter().filter_map(|id| landing(known, group, id)).collect(),
            per_az,
            wanted: group.desired.max(u32::try_from(active.len()).unwrap_or(u32::MAX)),
            nodes: u32::try_from(nodes).unwrap_or(u32::MAX),
            daemons: daemons.on_each(group).with_ip,
        };
        (Arc::clone(&group.name), room)
    });
    Rooms {
        read_at,
        settings: Arc::clone(&known.cluster().settings),
        subnets: subnets.collect(),
        groups: groups.collect(),
        eni_configs: known.cluster().eni_configs.clone(),
        types: inventory.types.clone(),
    }
}

/// `None` for a subnet that EC2 does not show.
fn landing(known: &Known<'_>, group: &Group, id: &SubnetId) -> Option<Landing> {
    let subnet = known.inventory().subnets.get(id)?;
    let in_books = in_flight::footprint(known, group, id);
    Some(Landing {
        subnet: id.clone(),
        az: Arc::clone(&subnet.az),
        excluded: known.settings().subnet_discovery && known.is_excluded(id),
        new_eni: known.new_eni_subnets(Some(id), None),
        in_books: in_books.iter().map(|one| (one.subnet.clone(), Units::from(one))).collect(),
    })
}
