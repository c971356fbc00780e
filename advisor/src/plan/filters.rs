//! kube-scheduler's filters that go by the pods which are there, for the pods of a node that is to go: `InterPodAffinity`,
//! `PodTopologySpread`, `NodePorts`, and of `NodeResourcesFit` what devices give (k/k `pkg/scheduler/framework/plugins`).
//!
//! The node itself stays a domain of a spread, an empty one, as it does until it has ended: its pods must find a place before.

use std::collections::{BTreeMap, BTreeSet, HashMap};
use std::sync::Arc;

use headroom_cluster::{HostPort, Labels, Node, Placement, PodTerm, Spread, Ties};

use crate::state::{ClusterState, PodInfo};

/// A pod as the filters see it.
#[derive(Clone, Copy, Debug)]
pub(super) struct Subject<'a> {
    pub(super) namespace: &'a str,
    pub(super) labels: &'a Labels,
    pub(super) placement: &'a Placement,
    pub(super) ties: &'a Ties,
}

impl<'a> Subject<'a> {
    fn of(pod: &'a PodInfo) -> Subject<'a> {
        let namespace = pod.name.split_once('/').map_or("", |(namespace, _)| namespace);
        let scheduling = &pod.scheduling;
        Subject { namespace, labels: &scheduling.labels, placement: &scheduling.placement, ties: &scheduling.ties }
    }

    fn is_of(self, term: &PodTerm) -> bool {
        term.matches(self.namespace, self.labels)
    }
}

/// A pod on a node.
#[derive(Clone, Copy, Debug)]
struct Standing<'a> {
    pod: Subject<'a>,
    node: &'a Node,
    /// It is being deleted: a spread does not count it any more.
    leaving: bool,
}

/// What the pods of a node hold of it.
#[derive(Debug, Default)]
struct Held<'a> {
    ports: Vec<&'a HostPort>,
    extended: BTreeMap<&'a str, u64>,
}

/// The pods that stand on nodes, and those that were placed.
#[derive(Debug)]
pub(super) struct Stands<'a> {
    cluster: &'a ClusterState,
    pods: Vec<Standing<'a>>,
    /// Of these, those that keep others away.
    repelling: Vec<Standing<'a>>,
    held: HashMap<&'a str, Held<'a>>,
}

impl<'a> Stands<'a> {
    /// All but those on `without`.
    pub(super) fn new(cluster: &'a ClusterState, without: &str) -> Stands<'a> {
        let mut stands = Stands { cluster, pods: Vec::new(), repelling: Vec::new(), held: HashMap::new() };
        for pod in cluster.pods.values().filter(|pod| !pod.over && pod.node.as_deref() != Some(without)) {
            let Some(info) = pod.node.as_ref().and_then(|node| cluster.nodes.get(node)) else { continue };
            stands.add(Standing { pod: Subject::of(pod), node: &info.node, leaving: pod.scheduling.leaving });
        }
        stands
    }

    fn add(&mut self, one: Standing<'a>) {
        let ties = one.pod.ties;
        if !ties.anti_affinity.is_empty() {
            self.repelling.push(one);
        }
        if !(ties.ports.is_empty() && ties.extended.is_empty()) {
            let held = self.held.entry(&one.node.name).or_default();
            held.ports.extend(&ties.ports);
            for (resource, amount) in &ties.extended {
                *held.extended.entry(resource).or_default() += amount;
            }
        }
        self.pods.push(one);
    }

    /// Puts a pod on a node.
    pub(super) fn place(&mut self, pod: Subject<'a>, node: &Arc<str>) {
        if let Some(info) = self.cluster.nodes.get(node) {
            self.add(Standing { pod, node: &info.node, leaving: false });
        }
    }

    /// What the filters go by for `pod`, as the others stand now.
    pub(super) fn filter(&self, pod: Subject<'a>) -> Filter<'_, 'a> {
        let ties = pod.ties;
        let mut away = BTreeSet::new();
        for one in &self.repelling {
            away.extend(
                one.pod
                    .ties
                    .anti_affinity
                    .iter()
                    .filter(|term| pod.is_of(term))
                    .filter_map(|term| domain(term, one.node)),
            );
        }
        let mut near = BTreeSet::new();
        if !(ties.affinity.is_empty() && ties.anti_affinity.is_empty()) {
            for one in &self.pods {
                let others = ties.anti_affinity.iter().filter(|term| one.pod.is_of(term));
                away.extend(others.filter_map(|term| domain(term, one.node)));
                if ties.affinity.iter().all(|term| one.pod.is_of(term)) {
                    near.extend(ties.affinity.iter().filter_map(|term| domain(term, one.node)));
                }
            }
        }
        Filter { stands: self, pod, away, near, spread: self.spread(pod) }
    }

    fn spread(&self, pod: Subject<'a>) -> Vec<Domains<'a>> {
        let all = &pod.ties.spread;
        let nodes = || self.cluster.nodes.values().map(|info| &info.node);
        let counts_at = |node: &Node| all.iter().all(|one| node.labels.contains_key(&one.topology_key));
        let domains = all.iter().map(|spread| {
            let mut counts: BTreeMap<&str, u32> = BTreeMap::new();
            let counted = |node: &Node| counts_at(node) && spread.includes(pod.placement, node);
            for node in nodes().filter(|node| counted(node)) {
                counts.entry(&node.labels[&spread.topology_key]).or_default();
            }
            let of_it = self.pods.iter().filter(|one| {
                !one.leaving && one.pod.namespace == pod.namespace && spread.counts(one.pod.labels) && counted(one.node)
            });
            for one in of_it {
                *counts.entry(&one.node.labels[&spread.topology_key]).or_default() += 1;
            }
            let few = u32::try_from(counts.len()).unwrap_or(u32::MAX) < spread.min_domains;
            let least = if few { 0 } else { counts.values().copied().min().unwrap_or(0) };
            Domains { spread, counts, least }
        });
        domains.collect()
    }
}

/// A label of nodes and its value: all nodes with it are one domain.
type Domain<'a> = (&'a str, &'a str);

fn domain<'a>(term: &'a PodTerm, node: &'a Node) -> Option<Domain<'a>> {
    Some((term.topology_key.as_str(), node.labels.get(&term.topology_key)?.as_str()))
}

/// A spread's domains, with how many pods it counts in each.
#[derive(Debug)]
struct Domains<'a> {
    spread: &'a Spread,
    counts: BTreeMap<&'a str, u32>,
    least: u32,
}

/// One pod's.
#[derive(Debug)]
pub(super) struct Filter<'s, 'a> {
    stands: &'s Stands<'a>,
    pod: Subject<'a>,
    /// Domains that anti-affinity keeps it from, its own or another's.
    away: BTreeSet<Domain<'a>>,
    /// Domains with a pod that all terms of its affinity are about.
    near: BTreeSet<Domain<'a>>,
    spread: Vec<Domains<'a>>,
}

impl Filter<'_, '_> {
    /// Whether they let it on the node.
    pub(super) fn lets_on(&self, node: &Node) -> bool {
        self.apart(node) && self.together(node) && self.evenly(node) && self.holds(node)
    }

    fn apart(&self, node: &Node) -> bool {
        // A handful; labels of a node are more.
        !self.away.iter().any(|(key, value)| node.labels.get(*key).is_some_and(|has| has == value))
    }

    fn together(&self, node: &Node) -> bool {
        let terms = &self.pod.ties.affinity;
        let here: Option<Vec<Domain<'_>>> = terms.iter().map(|term| domain(term, node)).collect();
        // The first of pods that want to be together may be anywhere.
        let first = || self.near.is_empty() && terms.iter().all(|term| self.pod.is_of(term));
        here.is_some_and(|here| here.iter().all(|domain| self.near.contains(domain)) || first())
    }

    fn evenly(&self, node: &Node) -> bool {
        self.spread.iter().all(|Domains { spread, counts, least }| {
            let Some(value) = node.labels.get(&spread.topology_key) else { return false };
            let there = counts.get(value.as_str()).copied().unwrap_or(0);
            (there + u32::from(spread.selects(self.pod.labels))).saturating_sub(*least) <= spread.max_skew
        })
    }

    fn holds(&self, node: &Node) -> bool {
        let Ties { ports, extended, .. } = self.pod.ties;
        let held = self.stands.held.get(&*node.name);
        let used = |resource: &str| held.and_then(|held| held.extended.get(resource)).copied().unwrap_or(0);
        let fits = |(resource, amount): (&String, &u64)| {
            let has = node.extended.get(resource).copied().unwrap_or(0);
            *amount <= has.saturating_sub(used(resource))
        };
        let in_use = |port: &HostPort| held.is_some_and(|held| held.ports.iter().any(|other| port.conflicts(other)));
        !ports.iter().any(in_use) && extended.iter().all(fits)
    }
}
