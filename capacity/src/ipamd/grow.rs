//! The pool is low: one step to raise it.

use std::collections::VecDeque;

use super::turn::{Cx, Step};
use super::{Call, Ec2Error, Ipamd, Reply, discovery};
use crate::budget::Mode;
use crate::datastore::Eni;
use crate::ids::{EniId, SubnetId};
use crate::units::{Ips, Prefixes};

const NO_ROOM_IN_SUBNET: &str = "Unable to attach IPs/Prefixes for the ENI, subnet doesn't seem to have enough IPs/Prefixes. \
     Consider using new subnet or carve a reserved range using create-subnet-cidr-reservation";

/// Addresses are asked for on `eni`.
#[derive(Clone, Debug)]
pub(super) struct Asking {
    eni: EniId,
    /// Slots that the pool is short of.
    want: u32,
    /// Whether this is the second attempt, with one slot only.
    retried: bool,
    /// ENIs to try if `eni` has no room in its subnet.
    rest: VecDeque<EniId>,
}

/// Subnets are asked for, for a new ENI with `slots` slots filled.
#[derive(Clone, Copy, Debug)]
pub(super) struct Describing {
    slots: u32,
    purpose: Purpose,
}

/// Why ipamd looks at the subnets.
#[derive(Clone, Copy, Debug)]
enum Purpose {
    /// To find the ones to try.
    Discover,
    /// Discovery failed: whether the primary subnet may be used, or else nothing.
    Fallback,
    /// Discovery is off: whether the primary subnet may be used, which it may if EC2 does not say.
    CheckPrimary,
}

/// An ENI is asked for in `subnet`.
#[derive(Clone, Debug)]
pub(super) struct Creating {
    slots: u32,
    subnet: SubnetId,
    /// Subnets to try if there is no room in this one.
    rest: VecDeque<SubnetId>,
}

impl Ipamd {
    /// CNI `increaseDatastorePool`.
    pub(super) fn increase(&mut self, cx: &mut Cx<'_>) -> Option<Step> {
        cx.log("Starting to increase pool size for network card 0");
        if self.is_frozen() {
            cx.log("AWS CNI is on a non schedulable node, will not try to attach any new IPs or ENIs right now");
            return None;
        }
        if self.back_off_until(cx.now).is_some() {
            cx.log("Recently we had InsufficientCidr error hence will wait for 2m0s before retrying");
            return None;
        }
        let want = self.rules.request(&self.pool(cx.now));
        let skip_primary = self.config.settings.custom_networking;
        let enis = self.store.allocatable_enis(self.rules.slots_per_eni, skip_primary);
        let enis: Vec<EniId> = enis.map(|eni| eni.spec().id.clone()).collect();
        let order = cx.shuffle(enis).into();
        self.ask(want, order, cx)
    }

    /// CNI `tryAssignIPs`, `tryAssignPrefixes`: the next ENI with a free slot, or a new ENI.
    fn ask(&mut self, want: u32, mut order: VecDeque<EniId>, cx: &mut Cx<'_>) -> Option<Step> {
        while let Some(eni) = order.pop_front() {
            let used = self.store.eni(&eni).map_or(u32::MAX, Eni::slots_used);
            let count = self.rules.slots_per_eni.saturating_sub(used).min(want);
            if count > 0 {
                self.call_assign(&eni, count, cx);
                return Some(Step::Ask(Asking { eni, want, retried: false, rest: order }));
            }
        }
        self.allocate_eni(cx)
    }

    fn call_assign(&self, eni: &EniId, count: u32, cx: &mut Cx<'_>) {
        cx.log(format!("Trying to allocate {count} IP addresses on ENI {eni}"));
        let eni = eni.clone();
        cx.call(match self.rules.mode {
            Mode::SecondaryIp => Call::AssignIps { eni, count: Ips(count) },
            Mode::Prefix => Call::AssignPrefixes { eni, count: Prefixes(count) },
        });
    }

    pub(super) fn asked(&mut self, asking: Asking, reply: Reply, cx: &mut Cx<'_>) -> Option<Step> {
        let Asking { eni, want, retried, rest } = asking;
        match reply {
            Reply::Assigned(blocks) => {
                self.add_blocks(&eni, blocks);
                self.acted_at = Some(cx.now);
                None
            }
            // ipamd then reads from EC2 what the ENI really has.
            Reply::Failed(error) if error.is_eni_full() => {
                self.restore_blocks(&eni);
                self.acted_at = Some(cx.now);
                None
            }
            Reply::Failed(error) if !retried => {
                let what = match self.rules.mode {
                    Mode::SecondaryIp => "IP addresses",
                    Mode::Prefix => "IPv4 Prefixes",
                };
                cx.log(format!("Failed to allocate a private IP/Prefix addresses on ENI {eni}: {error}"));
                cx.log(format!("failed to allocate all available {what} on ENI {eni}, err: {error}"));
                self.call_assign(&eni, 1, cx);
                Some(Step::Ask(Asking { eni, want, retried: true, rest }))
            }
            Reply::Failed(error) => {
                cx.log(format!("Failed to allocate a private IP/Prefix addresses on ENI {eni}: {error}"));
                if self.config.settings.subnet_discovery && error.is_insufficient() {
                    return self.ask(want, rest, cx);
                }
                self.note_refusal(&error, cx);
                None
            }
            _ => None,
        }
    }

    /// CNI `hasRoomForEni`, then `tryAllocateENI` up to the choice of subnet (`createENI`).
    fn allocate_eni(&mut self, cx: &mut Cx<'_>) -> Option<Step> {
        if self.pod_enis() >= self.config.budget.pod_enis {
            cx.log("Skipping ENI allocation as the max ENI limit is already reached");
            return None;
        }
        let settings = &self.config.settings;
        if settings.custom_networking && self.config.eni_config_subnet.is_none() {
            cx.log("Failed to get pod ENI config");
            return None;
        }
        let slots = self.rules.request(&self.pool(cx.now)).min(self.rules.slots_per_eni);
        if slots == 0 {
            cx.log("Did not allocate ENI since IPs/Prefixes needed were not greater than 0. IPs/Prefixes needed: 0");
            self.acted_at = Some(cx.now);
            return None;
        }
        cx.log(format!("Trying to allocate {slots} IP addresses on new ENI"));
        if let Some(subnet) = self.config.eni_config_subnet.clone().filter(|_| settings.custom_networking) {
            return self.create(slots, VecDeque::from([subnet]), cx);
        }
        let purpose = if settings.subnet_discovery { Purpose::Discover } else { Purpose::CheckPrimary };
        cx.call(Call::DescribeSubnets);
        Some(Step::Describe(Describing { slots, purpose }))
    }

    pub(super) fn described(&mut self, describing: Describing, reply: Reply, cx: &mut Cx<'_>) -> Option<Step> {
        let Describing { slots, purpose } = describing;
        let primary = &self.config.primary_subnet;
        let cluster = self.config.settings.cluster_name.as_deref();
        let order: Vec<SubnetId> = match (purpose, reply) {
            (Purpose::Discover, Reply::Subnets(subnets)) => discovery::candidates(&subnets, primary, cluster),
            (Purpose::Discover, Reply::Failed(error)) => {
                cx.log(format!("Failed to call ec2:DescribeSubnets: {error}"));
                cx.log("Defaulting to same subnet as the primary interface for the new ENI");
                cx.call(Call::DescribeSubnets);
                return Some(Step::Describe(Describing { slots, purpose: Purpose::Fallback }));
            }
            (Purpose::Fallback | Purpose::CheckPrimary, Reply::Subnets(subnets)) => {
                let found = subnets.iter().find(|subnet| subnet.id == *primary);
                let excluded = found.is_some_and(|subnet| discovery::is_excluded(subnet, cluster));
                if excluded { Vec::new() } else { vec![primary.clone()] }
            }
            (Purpose::CheckPrimary, Reply::Failed(_)) => vec![primary.clone()],
            _ => Vec::new(),
        };
        if order.is_empty() {
            cx.log("Error trying to allocate ENI: no valid subnets available for ENI creation");
        }
        self.create(slots, order.into(), cx)
    }

    /// CNI `tryCreateNetworkInterface` in the next subnet; the number of addresses is the same in each.
    fn create(&mut self, slots: u32, mut order: VecDeque<SubnetId>, cx: &mut Cx<'_>) -> Option<Step> {
        let subnet = order.pop_front()?;
        let (ips, prefixes) = match self.rules.mode {
            Mode::SecondaryIp => (Ips(slots), Prefixes::ZERO),
            Mode::Prefix => (Ips::ZERO, Prefixes(slots)),
        };
        cx.call(Call::CreateEni { subnet: subnet.clone(), ips, prefixes });
        Some(Step::Create(Creating { slots, subnet, rest: order }))
    }

    pub(super) fn created(&mut self, creating: Creating, reply: Reply, cx: &mut Cx<'_>) -> Option<Step> {
        match reply {
            Reply::Created(eni) => {
                cx.log(format!("Successfully created and attached a new ENI {} to instance on network card 0", eni.id));
                self.add_eni(eni, false, cx.now);
                self.acted_at = Some(cx.now);
                None
            }
            Reply::Failed(error) => {
                cx.log(format!("Failed to CreateNetworkInterface {error} for subnet {}", creating.subnet));
                if !creating.rest.is_empty() {
                    return self.create(creating.slots, creating.rest, cx);
                }
                cx.log(format!("Failed to increase pool size due to not able to allocate ENI {error}"));
                self.note_refusal(&error, cx);
                None
            }
            _ => None,
        }
    }

    /// Only the last refusal of a step counts, and only for want of addresses.
    fn note_refusal(&mut self, error: &Ec2Error, cx: &mut Cx<'_>) {
        if error.is_insufficient() {
            cx.log(NO_ROOM_IN_SUBNET);
            self.refused_at = Some(cx.now);
        }
    }
}
