//! Messages to changes: in order, without a gap, and nothing of a whole state before all of it is there.

use std::mem;
use std::sync::Arc;

use headroom_capacity::allot::Free;
use headroom_capacity::ids::SubnetId;
use headroom_capacity::instance::{Hypervisor, InstanceLimits, LimitSource};
use headroom_capacity::time::Time;
use headroom_capacity::units::{Enis, Ips, Prefixes};
use headroom_proto::v1::{CapacityUpdate, InstanceType, NodeCapacity, SubnetCapacity, WatchRequest};
use prost_types::Timestamp;
use thiserror::Error;

use super::{Change, Shown};

/// A message that does not follow from those before.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Error)]
#[error("the update does not build on what was received before")]
pub struct Gap;

/// What of the feed was received so far.
#[derive(Clone, Debug, Default, PartialEq)]
pub struct Assembler {
    epoch: String,
    /// 0: nothing.
    generation: u64,
    whole: Option<Partial>,
}

/// A whole state of which parts are missing.
#[derive(Clone, Debug, PartialEq)]
struct Partial {
    epoch: String,
    generation: u64,
    next_part: u32,
    change: Change,
}

impl Assembler {
    /// What to ask for. A whole state that was cut off begins anew.
    #[must_use]
    pub fn request(&mut self, client: &str) -> WatchRequest {
        self.whole = None;
        WatchRequest { client: client.to_owned(), epoch: self.epoch.clone(), generation: self.generation }
    }

    /// Takes the next message; `None` while a whole state is not complete.
    ///
    /// # Errors
    /// When something is missing in between. Everything has to come anew then.
    pub fn take(&mut self, update: CapacityUpdate) -> Result<Option<Change>, Gap> {
        let taken = if update.base_generation == 0 { self.part(update) } else { self.step(update).map(Some) };
        if taken.is_err() {
            *self = Assembler::default();
        }
        taken
    }

    fn step(&mut self, update: CapacityUpdate) -> Result<Change, Gap> {
        let follows = update.epoch == self.epoch && update.base_generation == self.generation;
        if !follows || !update.complete || self.whole.is_some() || update.generation < update.base_generation {
            return Err(Gap);
        }
        self.generation = update.generation;
        Ok(change(update))
    }

    fn part(&mut self, mut update: CapacityUpdate) -> Result<Option<Change>, Gap> {
        let (epoch, generation, part) = (mem::take(&mut update.epoch), update.generation, update.part);
        let complete = update.complete;
        let next = change(update);
        let mut partial = match self.whole.take() {
            None if part == 0 => Partial { epoch, generation, next_part: 1, change: Change { whole: true, ..next } },
            Some(mut partial)
                if (&partial.epoch, partial.generation, partial.next_part) == (&epoch, generation, part) =>
            {
                partial.change.nodes.extend(next.nodes);
                partial.change.subnets.extend(next.subnets);
                partial.change.types.extend(next.types);
                partial.next_part += 1;
                partial
            }
            _ => return Err(Gap),
        };
        if !complete {
            self.whole = Some(partial);
            return Ok(None);
        }
        (self.epoch, self.generation) = (mem::take(&mut partial.epoch), generation);
        Ok(Some(partial.change))
    }
}

fn change(update: CapacityUpdate) -> Change {
    Change {
        whole: false,
        observed_at: time(update.observed_at.unwrap_or_default()),
        nodes: update.nodes.into_iter().map(node).collect(),
        gone_nodes: update.gone_nodes.into_iter().map(Arc::from).collect(),
        subnets: update.subnets.into_iter().map(subnet).collect(),
        gone_subnets: update.gone_subnets.into_iter().map(SubnetId::from).collect(),
        types: update.instance_types.into_iter().filter_map(instance_type).collect(),
    }
}

fn node(node: NodeCapacity) -> (Arc<str>, Shown) {
    let shown = Shown {
        pod_enis: Enis(node.pod_enis),
        unmanaged: Enis(node.unmanaged_enis),
        excluded: Enis(node.excluded_enis),
        trunk: node.trunk_attached,
        attached: Ips(node.attached_ips),
        free_slots: node.free_slots.into_iter().map(|free| (SubnetId::from(free.subnet), free.slots)).collect(),
        new_eni_subnets: node.new_eni_subnets.into_iter().map(SubnetId::from).collect(),
    };
    (node.name.into(), shown)
}

fn subnet(subnet: SubnetCapacity) -> (SubnetId, Free) {
    (SubnetId::from(subnet.id), Free { ips: Ips(subnet.free_ips), prefixes: Prefixes(subnet.free_prefixes) })
}

/// `None` for limits that no type has.
fn instance_type(described: InstanceType) -> Option<(Arc<str>, InstanceLimits)> {
    let limits = InstanceLimits {
        enis: Enis(described.enis),
        ipv4_per_eni: described.ipv4_per_eni,
        hypervisor: match described.hypervisor.as_str() {
            "nitro" => Hypervisor::Nitro,
            "xen" => Hypervisor::Xen,
            _ => Hypervisor::Unknown,
        },
        bare_metal: described.bare_metal,
        network_cards: described.network_cards,
        branch: None,
        source: LimitSource::DescribeInstanceTypes,
    };
    (!limits.enis.is_zero() && limits.ipv4_per_eni > 0).then(|| (described.name.into(), limits))
}

/// Unix time, as the running extender has it.
fn time(at: Timestamp) -> Time {
    let millis = u64::try_from(at.nanos / 1_000_000).unwrap_or(0);
    Time::from_millis(u64::try_from(at.seconds).unwrap_or(0).saturating_mul(1000).saturating_add(millis))
}
