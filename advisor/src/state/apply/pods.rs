//! Pods: who holds an address, who waits for one, what cools down.

use std::net::IpAddr;
use std::sync::Arc;
use std::time::Duration;

use headroom_capacity::ids::PodUid;
use headroom_capacity::settings::ControllerSettings;
use headroom_capacity::time::Time;
use headroom_capacity::verdict::Demand;
use headroom_cluster::{Pod, SandboxFailure};

use super::State;
use crate::state::{ClusterState, PodInfo, Scheduling};

/// How long a pod may be seen after its refusal. At the start a list of pods may take longer than that of events; kubelet soon
/// repeats what is lost with it.
const EARLY: Duration = Duration::from_secs(60);
/// Most refusals that are kept for pods to come.
const MOST_EARLY: usize = 65_536;

/// A refusal of a pod that is not known yet.
#[derive(Clone, Copy, Debug)]
pub(super) struct Early {
    refused_at: Time,
    seen_at: Time,
}

impl Early {
    pub(super) fn is_over(self, now: Time) -> bool {
        now.since(self.seen_at) >= EARLY
    }
}

impl State {
    pub(super) fn pod_applied(&mut self, pod: Pod, now: Time) {
        let scheduling = Scheduling {
            placement: self.placements.get(pod.placement),
            ties: self.ties.get(pod.ties),
            labels: self.labels.get(pod.labels),
            leaving: pod.deleting,
        };
        let early = self.early.remove(&pod.uid).filter(|_| pod.demand == Demand::PodIp);
        let cluster = self.cluster();
        let before = cluster.pods.remove(&pod.uid);
        // Names of nodes are long, and each is on many pods.
        let node = pod.node.map(|name| cluster.nodes.get_key_value(&name).map_or(name, |(known, _)| Arc::clone(known)));
        let bound = node.is_some() && !pod.terminal && pod.demand != Demand::None;
        let ip = match pod.ip {
            Some(IpAddr::V4(ip)) if bound => Some(ip),
            _ => None,
        };
        let waited = before.as_ref().and_then(|before| before.waiting_since);
        if let Some(before) = &before
            && before.ip != ip
        {
            cluster.release(&pod.uid, before, now);
        }
        if let Some(ip) = ip {
            cluster.holders.insert(ip, pod.uid.clone());
            cluster.cooling.remove(&ip);
        }
        let since = before.as_ref().and_then(|before| before.shortage).map_or(now, |(_, since)| since);
        let shortage = pod.shortage.map(|reason| (reason, since));
        let info = PodInfo {
            demand: pod.demand,
            requests: pod.requests,
            scheduling,
            ip,
            over: pod.terminal,
            shortage,
            refused_at: before.as_ref().and_then(|before| before.refused_at).max(early.map(|early| early.refused_at)),
            waiting_since: (bound && pod.ip.is_none()).then(|| waited.unwrap_or(now)),
            name: before.map_or_else(|| format!("{}/{}", pod.namespace, pod.name).into(), |before| before.name),
            node,
        };
        cluster.pods.insert(pod.uid, info);
    }

    pub(super) fn pod_gone(&mut self, uid: &PodUid, now: Time) {
        self.early.remove(uid);
        let cluster = self.cluster();
        if let Some(before) = cluster.pods.remove(uid) {
            cluster.release(uid, &before, now);
        }
    }

    /// Repetitions come in any order: a list has the old ones too.
    pub(super) fn sandbox_failed(&mut self, failure: SandboxFailure, now: Time) {
        if !failure.ip_cause {
            return;
        }
        let at = failure.at.min(now);
        if self.cluster.pods.contains_key(&failure.pod) {
            if let Some(info) = self.cluster().pods.get_mut(&failure.pod).filter(|info| info.demand == Demand::PodIp) {
                info.refused_at = info.refused_at.max(Some(at));
            }
        } else if self.early.len() < MOST_EARLY {
            let early = self.early.entry(failure.pod).or_insert(Early { refused_at: at, seen_at: now });
            *early = Early { refused_at: early.refused_at.max(at), seen_at: now };
        }
    }
}

impl ClusterState {
    /// A pod has given up the address that it had. From now on it cools down, unless another pod has been seen with it.
    fn release(&mut self, uid: &PodUid, before: &PodInfo, now: Time) {
        let Some(ip) = before.ip.filter(|ip| self.holders.get(ip) == Some(uid)) else { return };
        self.holders.remove(&ip);
        if let Some(period) = self.cooldown(before.demand) {
            self.cooling.insert(ip, now + period);
        }
    }

    /// How long an address stays unusable; `None` where it goes away with its ENI.
    fn cooldown(&self, demand: Demand) -> Option<Duration> {
        match demand {
            Demand::PodIp => Some(self.settings.ip_cooldown),
            Demand::WindowsIp => Some(ControllerSettings::WINDOWS_COOLDOWN),
            Demand::None | Demand::BranchEni => None,
        }
    }
}
