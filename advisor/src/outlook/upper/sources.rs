//! Workloads, and where their pods are.

use std::collections::HashMap;

use headroom_cluster::Kind;

use super::ground::{Ground, Placed};
use super::origin::{Naming, origins, stem};
use crate::state::Declarations;

/// A workload.
#[derive(Debug)]
pub(super) struct Source<'a> {
    pub(super) kind: &'a str,
    /// `namespace/name`.
    pub(super) name: &'a str,
    /// Its pods that have a node.
    pub(super) placed: Placed,
    /// Its pods, bound or not.
    pub(super) pods: u32,
    /// Those that wait for a node.
    pub(super) pending: u32,
}

/// All of them, those of pods that nobody declares included.
#[derive(Debug, Default)]
pub(super) struct Sources<'a> {
    all: Vec<Source<'a>>,
    by_name: HashMap<(Naming, &'a str), usize>,
    /// By the stem of their pods' names.
    others: HashMap<&'a str, usize>,
}

impl<'a> Sources<'a> {
    pub(super) fn of(declared: &'a Declarations) -> Sources<'a> {
        let mut sources = Sources::default();
        for (kind, name) in declared.workloads.keys() {
            sources.declare(kind_name(*kind), name, &[naming(*kind)]);
        }
        for name in declared.cron_jobs.keys() {
            sources.declare(kind_name(Kind::CronJob), name, &[Naming::Run]);
        }
        for autoscaler in declared.autoscalers.values().filter(|of| is_foreign(&of.target_kind)) {
            // Rollouts have ReplicaSets, others name their pods themselves.
            let (kind, name) = (&*autoscaler.target_kind, &*autoscaler.target);
            sources.declare(kind, name, &[Naming::Hashed, Naming::Random, Naming::Ordinal]);
        }
        sources
    }

    fn declare(&mut self, kind: &'a str, name: &'a str, namings: &[Naming]) {
        let at = self.add(kind, name);
        for naming in namings {
            self.by_name.entry((*naming, name)).or_insert(at);
        }
    }

    fn add(&mut self, kind: &'a str, name: &'a str) -> usize {
        self.all.push(Source { kind, name, placed: Placed::default(), pods: 0, pending: 0 });
        self.all.len() - 1
    }

    /// Counts a pod, `namespace/name`, that has or needs an address.
    pub(super) fn see(&mut self, pod: &'a str, node: Option<&str>, ground: &Ground<'_>) {
        let declared = origins(pod).find_map(|origin| self.by_name.get(&origin).copied());
        let at = match (declared, node) {
            (Some(at), _) => at,
            // Nothing more is expected of whom nobody declares.
            (None, Some(_)) => return,
            (None, None) => match self.others.get(stem(pod)) {
                Some(at) => *at,
                None => {
                    let at = self.add("Pod", stem(pod));
                    self.others.insert(stem(pod), at);
                    at
                }
            },
        };
        let source = &mut self.all[at];
        source.pods += 1;
        match node {
            Some(node) => ground.place(&mut source.placed, node),
            None => source.pending += 1,
        }
    }

    /// The workload of this kind and name.
    pub(super) fn get(&self, kind: &str, name: &str) -> Option<&Source<'a>> {
        let namings = [Naming::Hashed, Naming::Ordinal, Naming::Random, Naming::Run];
        let found = namings.into_iter().filter_map(|naming| self.by_name.get(&(naming, name)));
        found.map(|at| &self.all[*at]).find(|source| source.kind == kind)
    }

    pub(super) fn iter(&self) -> impl Iterator<Item = &Source<'a>> {
        self.all.iter()
    }
}

/// Whether what an autoscaler scales is watched by nobody: a kind of its own.
pub(super) fn is_foreign(target_kind: &str) -> bool {
    ![Kind::Deployment, Kind::StatefulSet].iter().any(|kind| kind_name(*kind) == target_kind)
}

/// As manifests write it.
pub(super) const fn kind_name(kind: Kind) -> &'static str {
    match kind {
        Kind::Deployment => "Deployment",
        Kind::StatefulSet => "StatefulSet",
        Kind::DaemonSet => "DaemonSet",
        Kind::CronJob => "CronJob",
        _ => kind.label(),
    }
}

const fn naming(kind: Kind) -> Naming {
    match kind {
        Kind::Deployment => Naming::Hashed,
        Kind::StatefulSet => Naming::Ordinal,
        _ => Naming::Random,
    }
}
