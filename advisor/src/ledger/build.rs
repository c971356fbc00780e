//! From what AWS and Kubernetes say to the books.

use std::collections::BTreeMap;
use std::net::Ipv4Addr;
use std::sync::Arc;
use std::time::Duration;

use headroom_capacity::ids::SubnetId;
use headroom_capacity::time::Time;
use headroom_capacity::units::Ips;

use super::known::Known;
use super::occupancy::Occupancy;
use super::tally::Tally;
use super::whose::{Role, Whose};
use super::{Leak, Ledger, Owner, node};
use crate::config::Config;
use crate::in_flight;
use crate::inventory::{Eni, Inventory};
use crate::state::ClusterState;

/// What of the configuration decides in the books.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Policy {
    /// The cluster's name.
    pub cluster: Arc<str>,
    /// How old an unattached ENI of the CNI is when it counts as leaked.
    pub leak_min_age: Duration,
    /// How long after its launch an instance's pool is expected to grow.
    pub in_flight_deadline: Duration,
}

impl From<&Config> for Policy {
    fn from(config: &Config) -> Policy {
        Policy {
            cluster: config.cluster_name.as_str().into(),
            leak_min_age: Duration::from_secs(config.leaks.min_age_secs),
            in_flight_deadline: Duration::from_secs(config.in_flight.deadline_secs),
        }
    }
}

/// The books at `now`. The same arguments give the same books, but for the order of equally large leaks.
///
/// Each held address goes to one owner, ENI by ENI:
///
/// | ENI | primary address | others |
/// |---|---|---|
/// | attached to one of the cluster's instances, device 0 | [`Owner::NodePrimary`] | as below |
/// | attached to one otherwise, or on its way there | [`Owner::EniPrimary`] | [`Owner::Pod`] if a pod of that node has it, [`Owner::Cooling`], [`Owner::Warm`]; [`Owner::EniPrimary`] where no pod can get it; [`Owner::Foreign`] if ipamd leaves the ENI alone |
/// | branch | [`Owner::Branch`] | [`Owner::Branch`] |
/// | leaked ([`crate::leaks::reason`]) | [`Owner::Leaked`] | [`Owner::Leaked`] |
/// | any other | [`Owner::Foreign`], [`Owner::Pod`] if a Fargate pod has it | [`Owner::Foreign`] |
///
/// An unattached ENI of the CNI that is younger than [`Policy::leak_min_age`] counts as its instance's while that runs: ipamd
/// attaches it within seconds of making it, so that it will be attached for most of the time until AWS is read again. In the
/// rare other case, that ipamd is just giving it back, the node shows an ENI too much until then.
#[must_use]
pub fn build(inventory: &Inventory, cluster: &ClusterState, policy: &Policy, now: Time) -> Ledger {
    Books::open(inventory, cluster, policy, now).close()
}

/// Every held address with its owner, by subnet and address.
#[must_use]
pub fn owners(
    inventory: &Inventory,
    cluster: &ClusterState,
    policy: &Policy,
    now: Time,
) -> Vec<(SubnetId, Ipv4Addr, Owner)> {
    let books = Books::open(inventory, cluster, policy, now);
    let subnets = books.subnets.iter();
    subnets.flat_map(|subnet| subnet.owners().map(|(ip, owner)| (subnet.id().clone(), ip, owner))).collect()
}

struct Books<'a> {
    known: Known<'a>,
    subnets: Vec<Occupancy<'a>>,
    /// One for each of [`Known::members`].
    tallies: Vec<Tally>,
    leaks: Vec<Leak>,
}

impl<'a> Books<'a> {
    fn open(inventory: &'a Inventory, cluster: &'a ClusterState, policy: &'a Policy, now: Time) -> Books<'a> {
        let known = Known::new(inventory, cluster, policy, now);
        let reservations = |id: &SubnetId| inventory.reservations.get(id).map_or(&[][..], Vec::as_slice);
        let subnets = inventory.subnets.values().map(|subnet| Occupancy::new(subnet, reservations(&subnet.id)));
        let tallies = vec![Tally::default(); known.members().len()];
        let mut books = Books { subnets: subnets.collect(), tallies, leaks: Vec::new(), known };
        inventory.enis.iter().for_each(|eni| books.enter(eni));
        books
    }

    fn enter(&mut self, eni: &'a Eni) {
        match self.known.whose(eni) {
            Whose::Member { place, role } => self.enter_member(eni, place, role),
            Whose::Branch { place } => {
                let held = self.enter_all(eni, Owner::Branch);
                if let Some(place) = place.filter(|_| !held.is_zero()) {
                    self.tallies[place].branch += 1;
                }
            }
            Whose::Leaked { reason, of_cluster } => {
                let ips = self.enter_all(eni, Owner::Leaked);
                let tags = &eni.tags;
                let (instance, created_at) = (tags.instance.clone(), tags.created_at);
                let (eni, subnet) = (eni.id.clone(), eni.subnet.clone());
                self.leaks.push(Leak { eni, subnet, instance, reason, of_cluster, created_at, ips });
            }
            Whose::Fargate { place } => {
                let held = self.enter_all(eni, Owner::Pod);
                self.tallies[place].count(Owner::Pod, held.get());
            }
            Whose::Foreign => {
                self.enter_all(eni, Owner::Foreign);
            }
        }
    }

    /// All addresses of an ENI for one owner; those that were free until now.
    fn enter_all(&mut self, eni: &Eni, owner: Owner) -> Ips {
        let Some(at) = self.known.subnet(&eni.subnet) else { return Ips::ZERO };
        let singles = eni.primary_ip.iter().chain(&eni.secondary_ips).copied();
        let addresses = singles.chain(eni.prefixes.iter().flat_map(|block| block.addresses()));
        let held = addresses.filter(|ip| self.subnets[at].hold(*ip, owner));
        Ips(held.map(|_| 1).sum())
    }

    fn enter_member(&mut self, eni: &Eni, place: usize, role: Role) {
        let subnet = self.known.subnet(&eni.subnet);
        let gives = self.known.members()[place].gives;
        self.tallies[place].add_eni(eni, role, gives, subnet);
        let Some(at) = subnet else { return };
        if let Some(ip) = eni.primary_ip {
            self.subnets[at].hold(ip, if role.primary { Owner::NodePrimary } else { Owner::EniPrimary });
        }
        let singles = eni.secondary_ips.iter().map(|ip| (*ip, role.assigns(gives, false)));
        let assigns_prefixes = role.assigns(gives, true);
        let in_prefixes = eni.prefixes.iter().flat_map(|block| block.addresses());
        for (ip, assignable) in singles.chain(in_prefixes.map(|ip| (ip, assigns_prefixes))) {
            let owner = match () {
                () if self.known.has_pod(place, ip) => Owner::Pod,
                () if !role.managed => Owner::Foreign,
                () if self.known.cools(ip) => Owner::Cooling,
                () if assignable => Owner::Warm,
                () => Owner::EniPrimary,
            };
            if self.subnets[at].hold(ip, owner) {
                self.tallies[place].count(owner, 1);
            }
        }
    }

    fn close(self) -> Ledger {
        let Books { known, subnets, tallies, mut leaks } = self;
        let mut coming = in_flight::of_groups(&known);
        let mut nodes = BTreeMap::new();
        for (member, tally) in known.members().iter().zip(&tallies) {
            let account = node::account(&known, member, tally);
            coming.extend(account.in_flight.iter().cloned());
            if let Some(node) = member.node {
                nodes.insert(node.node.name.clone(), account);
            }
        }
        let mut accounts: Vec<_> = subnets.iter().map(Occupancy::account).collect();
        for one in &coming {
            if let Some(at) = known.subnet(&one.subnet) {
                accounts[at].in_flight_ips += one.ips + one.prefixes.ips();
                accounts[at].in_flight_prefixes += one.prefixes;
            }
        }
        leaks.sort_by(|a, b| b.ips.cmp(&a.ips).then_with(|| a.eni.cmp(&b.eni)));
        let counts = known.pod_counts();
        Ledger {
            at: known.now(),
            subnets: subnets.iter().map(|subnet| subnet.id().clone()).zip(accounts).collect(),
            nodes,
            leaks,
            pods_without_ip: counts.without_ip,
            pods_refused: counts.refused,
        }
    }
}
