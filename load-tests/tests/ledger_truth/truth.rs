//! Who really holds each address, from inside the lab: the VPC's own allocation and each ipamd's data store.

use std::collections::{BTreeMap, BTreeSet};
use std::net::Ipv4Addr;

use headroom_advisor::ledger::{Owner, Policy};
use headroom_capacity::budget::Mode;
use headroom_capacity::datastore::{Address, Block};
use headroom_capacity::ids::{EniId, PodUid, SubnetId};
use headroom_capacity::ipamd::Ipamd;
use headroom_capacity::subnet::Cidr;
use headroom_capacity::time::Time;
use headroom_lab::aws::{Eni, InstanceState, Vpc};
use headroom_lab::kube::object;
use headroom_lab::node::agent::Agent;

use super::drive::{Drive, NO_MANAGE};

/// What the APIs show of an address.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub(crate) enum Seen {
    /// Everything.
    All,
    /// Its pod has it, and kubelet has not written it yet.
    NotWritten,
    /// It cools, and its pod never showed it.
    NeverShown,
    /// Its cool-down was forgotten with its block.
    Forgotten,
}

/// The truth as far as it can be known, and why it is not the whole truth.
#[derive(Debug)]
pub(crate) struct Truth {
    pub(crate) owners: BTreeMap<(SubnetId, Ipv4Addr), (Owner, Seen)>,
    /// Addresses of each ENI that leaked.
    pub(crate) leaks: BTreeMap<EniId, u32>,
}

struct Of<'a> {
    drive: &'a Drive,
    vpc: &'a Vpc,
    agents: BTreeMap<&'a str, &'a Agent>,
    branches: BTreeSet<&'a EniId>,
    policy: &'a Policy,
    now: Time,
}

impl Truth {
    pub(crate) fn of(drive: &Drive, policy: &Policy) -> Truth {
        let vpc = drive.vpc();
        let agents: BTreeMap<_, _> = drive.world.agents().map(|(id, agent)| (id.as_str(), agent)).collect();
        let branches = agents.values().flat_map(|agent| agent.branch.enis()).collect();
        let of = Of { drive, vpc: &vpc, agents, branches, policy, now: drive.world.now() };
        let mut truth = Truth { owners: BTreeMap::new(), leaks: BTreeMap::new() };
        for subnet in vpc.subnets(of.now) {
            for (ip, eni) in vpc.addresses(&subnet.id) {
                let eni = vpc.eni(eni).expect("who holds an address is there");
                let (owner, why) = of.owner(eni, ip);
                truth.owners.insert((subnet.id.clone(), ip), (owner, why));
                if owner == Owner::Leaked {
                    *truth.leaks.entry(eni.id.clone()).or_default() += 1;
                }
            }
        }
        truth
    }
}

impl Of<'_> {
    fn owner(&self, eni: &Eni, ip: Ipv4Addr) -> (Owner, Seen) {
        if self.branches.contains(&eni.id) {
            return (Owner::Branch, Seen::All);
        }
        let Some(attachment) = &eni.attachment else { return self.unattached(eni, ip) };
        if !self.drive.is_of_cluster(self.vpc, &attachment.instance) {
            return (Owner::Foreign, Seen::All);
        }
        if ip == eni.primary_ip {
            let primary = attachment.device_index == 0;
            return (if primary { Owner::NodePrimary } else { Owner::EniPrimary }, Seen::All);
        }
        match self.agents.get(attachment.instance.as_str()).and_then(|agent| agent.ipamd()) {
            _ if eni.tags.contains_key(NO_MANAGE) => (Owner::Foreign, Seen::All),
            Some(ipamd) => self.in_pool(ipamd, eni, ip),
            None => panic!("{} has an address beside its primary one before ipamd runs", eni.id),
        }
    }

    fn in_pool(&self, ipamd: &Ipamd, eni: &Eni, ip: Ipv4Addr) -> (Owner, Seen) {
        let store = ipamd.store();
        let excluded =
            ipamd.config().settings.subnet_discovery && ipamd.config().excluded_subnets.contains(&eni.subnet);
        let in_prefix = eni.prefixes.iter().any(|prefix| prefix.contains(ip));
        let idle = match in_prefix == (store.mode() == Mode::Prefix) && !excluded {
            true => Owner::Warm,
            false => Owner::EniPrimary,
        };
        let cidr = if in_prefix { Cidr::prefix_of(ip) } else { Cidr::single(ip) };
        let record = store.eni(&eni.id).and_then(|eni| eni.block(cidr)).and_then(|block| record(block, ip));
        match record {
            Some(Address::Held(pod)) if self.shows(pod, ip) => (Owner::Pod, Seen::All),
            Some(Address::Held(_)) => (self.last_known(ip, idle), Seen::NotWritten),
            Some(Address::Released(at)) if self.now.since(*at) > store.cooldown() => (idle, Seen::All),
            Some(Address::Released(at)) if self.drive.watch.released.get(&ip) == Some(at) => {
                (Owner::Cooling, Seen::All)
            }
            Some(Address::Released(_)) => (self.last_known(ip, idle), Seen::NeverShown),
            None => {
                let known = self.last_known(ip, idle);
                (known, if known == idle { Seen::All } else { Seen::Forgotten })
            }
        }
    }

    /// What the books can know of an address whose latest use no API shows: it cools after the last use that was shown.
    fn last_known(&self, ip: Ipv4Addr, idle: Owner) -> Owner {
        let cooldown = self.drive.watch.state().settings.ip_cooldown;
        let cools = self.drive.watch.released.get(&ip).is_some_and(|at| self.now.since(*at) <= cooldown);
        if cools { Owner::Cooling } else { idle }
    }

    fn shows(&self, uid: &PodUid, ip: Ipv4Addr) -> bool {
        let shown = self.drive.pods().find(|pod| object::uid(pod) == uid.as_str());
        shown.is_some_and(|pod| object::text(&pod, "/status/podIP") == ip.to_string())
    }

    /// ipamd's, on its way or left behind, or another's.
    fn unattached(&self, eni: &Eni, ip: Ipv4Addr) -> (Owner, Seen) {
        let Some(instance) = eni.description.strip_prefix("aws-K8S-") else { return (Owner::Foreign, Seen::All) };
        let made_at = eni.tags.get("node.k8s.amazonaws.com/createdAt").and_then(|text| object::parse_timestamp(text));
        if self.now.since(made_at.expect("the lab's ipamd tags it")) > self.policy.leak_min_age {
            return (Owner::Leaked, Seen::All);
        }
        let state = self.vpc.instance(&instance.into()).map(|instance| instance.state);
        match (state, self.agents.get(instance).and_then(|agent| agent.ipamd())) {
            (Ok(InstanceState::Pending | InstanceState::Running), Some(ipamd)) if ip != eni.primary_ip => {
                self.in_pool(ipamd, eni, ip)
            }
            (Ok(InstanceState::Pending | InstanceState::Running), _) => (Owner::EniPrimary, Seen::All),
            _ => (Owner::Foreign, Seen::All),
        }
    }
}

fn record(block: &Block, ip: Ipv4Addr) -> Option<&Address> {
    block.records().find(|(known, _)| *known == ip).map(|(_, address)| address)
}
