//! Instance types for a group.

use std::cmp::Ordering;
use std::collections::{BTreeMap, BTreeSet};
use std::sync::Arc;

use headroom_capacity::binding::{Allocatable, Fit, Mix, Setup, Used, fit, max_pods};
use headroom_capacity::budget::{Budget, NodeKind};
use headroom_capacity::instance::{self, InstanceLimits};
use headroom_capacity::settings::CniSettings;

use super::node::Member;
use super::{Suggestion, Types};

/// Types whose limits are known, and what is known of their nodes.
#[derive(Debug)]
pub(super) struct Candidates<'a> {
    settings: &'a CniSettings,
    types: BTreeMap<&'a Arc<str>, Candidate<'a>>,
}

#[derive(Clone, Copy, Debug)]
struct Candidate<'a> {
    limits: &'a InstanceLimits,
    max_pods: u32,
    allocatable: Allocatable,
    architecture: Option<&'a str>,
    estimated: bool,
}

impl<'a> Candidates<'a> {
    /// Of the nodes of one type the least counts: they differ by their images' reservations.
    pub(super) fn of(members: &[Member<'a>], types: &Types<'a>, settings: &'a CniSettings) -> Candidates<'a> {
        let limits = |name: &str| instance::lookup(name).or_else(|| types.limits.get(name));
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
                allocatable: node.allocatable,
                architecture: member.architecture(),
                estimated: false,
            };
            all.entry(name).and_modify(|known| known.lower(&seen)).or_insert(seen);
        }
        for (name, shape) in types.shapes {
            let Some(limits) = limits(name) else { continue };
            let most =
                all.get(name).map_or_else(|| max_pods(limits, settings, Some(shape.vcpus)), |seen| seen.max_pods);
            let allocatable = shape.allocatable(most, limits.enis.get());
            let described = Candidate {
                limits,
                max_pods: most,
                allocatable,
                architecture: Some(shape.architecture.label()),
                estimated: true,
            };
            let volumes = |seen: &mut Candidate<'_>| {
                seen.allocatable.volumes = seen.allocatable.volumes.or(allocatable.volumes);
            };
            all.entry(name).and_modify(volumes).or_insert(described);
        }
        Candidates { settings, types: all }
    }

    /// How each type would suit a group of these members, the best first.
    pub(super) fn suggest(&self, members: &[&Member<'_>], mix: &Mix, base: &Used) -> Vec<Suggestion> {
        let runs: BTreeSet<&Arc<str>> = members.iter().filter_map(|member| member.instance_type()).collect();
        // A group has one operating system, as it has one image.
        let windows = members.iter().any(|member| matches!(member.account.budget, Budget::Windows { .. }));
        let setup = Setup {
            kind: if windows { NodeKind::Windows } else { NodeKind::Linux },
            settings: self.settings,
            windows_prefix_delegation: windows && members.iter().any(|member| member.account.prefixes.get() > 0),
            base,
        };
        let speaks: Option<BTreeSet<&str>> = members.iter().map(|member| member.architecture()).collect();
        let suits = |candidate: &Candidate<'_>| match (&speaks, candidate.architecture) {
            (Some(group), Some(one)) => group.contains(one),
            _ => true,
        };
        let fits = self.types.iter().filter(|(_, candidate)| mix.pods() > 0 && suits(candidate));
        let mut all: Vec<Suggestion> = fits
            .map(|(name, candidate)| Suggestion {
                instance_type: Arc::clone(name),
                current: runs.contains(name),
                estimated: candidate.estimated,
                max_pods: candidate.max_pods,
                fit: fit(&setup, candidate.limits, candidate.max_pods, &candidate.allocatable, mix),
            })
            .collect();
        all.sort_by(|a, b| better(&a.fit, &b.fit).then_with(|| a.instance_type.cmp(&b.instance_type)));
        all
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

/// First what takes every pod of the mix at all; then what ends by what is paid for rather than by the VPC; then what leaves
/// least CPU and memory over, to the percent; then what takes fewest addresses for each pod.
fn better(a: &Fit, b: &Fit) -> Ordering {
    let takes_all = |fit: &Fit| fit.holds_largest && fit.pods.is_some_and(|pods| pods > 0);
    let percent = |fit: &Fit| fit.stranded().map_or(f64::INFINITY, |share| (share * 100.0).round());
    let addresses = |fit: &Fit| fit.ips_per_pod().unwrap_or(f64::INFINITY);
    (takes_all(b).cmp(&takes_all(a)))
        .then_with(|| a.is_ip_bound().cmp(&b.is_ip_bound()))
        .then_with(|| percent(a).total_cmp(&percent(b)))
        .then_with(|| addresses(a).total_cmp(&addresses(b)))
}
