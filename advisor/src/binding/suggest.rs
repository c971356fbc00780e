//! Instance types for a group.

use std::collections::{BTreeMap, BTreeSet};
use std::sync::Arc;

use headroom_capacity::binding::{Allocatable, Mix, Setup, Used, fit, max_pods};
use headroom_capacity::budget::{Budget, NodeKind};
use headroom_capacity::instance::{self, InstanceLimits};
use headroom_capacity::settings::CniSettings;

use super::choice::Choice;
use super::node::Member;
use super::{Suggestion, Types, rank};
use crate::inventory::Offer;
use crate::state::ClusterState;

/// Types whose limits are known, and what is known of their nodes.
#[derive(Debug)]
pub(super) struct Candidates<'a> {
    settings: &'a CniSettings,
    offers: &'a BTreeMap<Arc<str>, Offer>,
    types: BTreeMap<&'a Arc<str>, Candidate<'a>>,
}

#[derive(Clone, Copy, Debug)]
struct Candidate<'a> {
    limits: &'a InstanceLimits,
    max_pods: u32,
    allocatable: Allocatable,
    architecture: Option<&'a str>,
    /// A node of the cluster is of this type.
    seen: bool,
}

impl<'a> Candidates<'a> {
    /// Of the nodes of one type the least counts: they differ by their images' reservations.
    pub(super) fn of(members: &[Member<'a>], types: &Types<'a>, state: &'a ClusterState) -> Candidates<'a> {
        let settings = &*state.settings;
        let limits = |name: &str| {
            let described = || types.limits.get(name).or_else(|| types.offers.get(name).map(|offer| &offer.limits));
            instance::lookup(name).or_else(described)
        };
        let mut all: BTreeMap<&Arc<str>, Candidate<'a>> = BTreeMap::new();
        for member in members {
            let node = &member.info.node;
            let Some((name, limits)) = member.instance_type().and_then(|name| Some((name, limits(name)?))) else {
                continue;
            };
            if node.max_pods == 0 || node.allocatable.cpu_millis.is_none() || node.allocatable.memory_bytes.is_none() {
                continue;
            }
            let seen = Candidate {
                limits,
                max_pods: node.max_pods,
                allocatable: Allocatable { volumes: member.volumes(state), ..node.allocatable },
                architecture: member.architecture(types),
                seen: true,
            };
            all.entry(name).and_modify(|known| known.lower(&seen)).or_insert(seen);
        }
        for (name, shape) in types.offers.iter().filter_map(|(name, offer)| Some((name, offer.shape?))) {
            let Some(limits) = limits(name) else { continue };
            let most =
                all.get(name).map_or_else(|| max_pods(limits, settings, Some(shape.vcpus)), |seen| seen.max_pods);
            let allocatable = shape.allocatable(most, limits.enis.get());
            let described = Candidate {
                limits,
                max_pods: most,
                allocatable,
                architecture: Some(shape.architecture.label()),
                seen: false,
            };
            let volumes = |seen: &mut Candidate<'_>| {
                seen.allocatable.volumes = seen.allocatable.volumes.or(allocatable.volumes);
            };
            all.entry(name).and_modify(volumes).or_insert(described);
        }
        Candidates { settings, offers: types.offers, types: all }
    }

    /// How each type would suit a group of these members: the best first, and `most` at most beside those that it runs.
    pub(super) fn suggest(
        &self,
        members: &[&Member<'_>],
        types: &Types<'_>,
        mix: &Mix,
        base: &Used,
        most: usize,
    ) -> Vec<Suggestion> {
        if mix.pods() == 0 {
            return Vec::new();
        }
        // A group has one operating system, as it has one image.
        let windows = members.iter().any(|member| matches!(member.account.budget, Budget::Windows { .. }));
        let setup = Setup {
            kind: if windows { NodeKind::Windows } else { NodeKind::Linux },
            settings: self.settings,
            windows_prefix_delegation: windows && members.iter().any(|member| member.account.prefixes.get() > 0),
            base,
        };
        let runs: BTreeSet<&str> =
            members.iter().filter_map(|member| member.instance_type()).map(|name| &**name).collect();
        let choice = Choice::new(&runs, members.iter().map(|member| member.architecture(types)), self.offers);
        let suits = |(name, candidate): &(&&Arc<str>, &Candidate<'_>)| {
            let (name, offer): (&str, _) = (name, self.offers.get(**name));
            runs.contains(name) || choice.allows(name, offer, candidate.architecture, candidate.seen)
        };
        let fits = self.types.iter().filter(suits).map(|(name, candidate)| {
            let shape = self.offers.get(*name).and_then(|offer| offer.shape);
            Suggestion {
                instance_type: Arc::clone(name),
                current: runs.contains(&***name),
                estimated: !candidate.seen,
                vcpus: shape.map(|shape| shape.vcpus),
                memory_mib: shape.map(|shape| shape.memory_mib),
                max_pods: candidate.max_pods,
                fit: fit(&setup, candidate.limits, candidate.max_pods, &candidate.allocatable, mix),
                alike: Vec::new(),
            }
        });
        rank::rank(fits.collect(), &choice, most)
    }
}

impl Candidate<'_> {
    fn lower(&mut self, other: &Self) {
        let (own, others) = (&mut self.allocatable, &other.allocatable);
        own.cpu_millis = least(own.cpu_millis, others.cpu_millis);
        own.memory_bytes = least(own.memory_bytes, others.memory_bytes);
        own.volumes = least(own.volumes, others.volumes);
        self.max_pods = self.max_pods.min(other.max_pods);
        self.architecture = self.architecture.or(other.architecture);
    }
}

fn least<T: Ord>(a: Option<T>, b: Option<T>) -> Option<T> {
    a.into_iter().chain(b).min()
}
