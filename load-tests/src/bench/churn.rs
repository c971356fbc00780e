//! What a busy cluster tells its watchers beside the calls: pods that come, run and go, and nodes that report.

use std::time::Duration;

use tokio::time::{Instant, MissedTickBehavior, interval_at};

use super::apiserver::{ApiServer, Kind};
use super::fixture::{self, Stage};

/// One event of the stream.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Event {
    /// A new pod of this number reaches a stage.
    Pod(u32, Stage),
    /// It is deleted.
    PodGone(u32),
    /// A pod of the fixture reports a status that changes nothing that matters.
    PodStatus(u32),
    /// A node's heartbeat.
    NodeStatus(u32),
}

/// Event number `k` of the stream for a cluster of this size. Of ten events four are a pod's way from creation to deletion, so
/// that pods come and go at a tenth of the rate; four are status updates of running pods and two of nodes.
#[must_use]
pub fn event(k: u64, size: fixture::Size) -> Event {
    let (turn, step) = (k / 10, k % 10);
    // Spread over the cluster: a stride without a common factor with its size.
    let pick = |of: u32, n: u64| u32::try_from(n.wrapping_mul(7919) % u64::from(of.max(1))).unwrap_or(0);
    let new = size.pods.saturating_add(pick(size.nodes, turn));
    match step {
        0 => Event::Pod(new, Stage::Pending),
        2 => Event::Pod(new, Stage::Bound),
        5 => Event::Pod(new, Stage::Running),
        8 => Event::PodGone(new),
        4 | 9 => Event::NodeStatus(pick(size.nodes, turn * 2 + step / 9)),
        _ => Event::PodStatus(pick(size.pods, turn * 4 + step)),
    }
}

/// Sends an event.
pub fn send(server: &ApiServer, event: Event) {
    let fixture = server.fixture();
    match event {
        Event::Pod(n, stage) => {
            let event_type = if stage == Stage::Pending { "ADDED" } else { "MODIFIED" };
            server.send(Kind::Pod, event_type, |version| fixture.pod_at(n, version, stage));
        }
        Event::PodGone(n) => server.send(Kind::Pod, "DELETED", |version| fixture.pod(n, version)),
        Event::PodStatus(n) => server.send(Kind::Pod, "MODIFIED", |version| fixture.pod(n, version)),
        Event::NodeStatus(n) => server.send(Kind::Node, "MODIFIED", |version| fixture.node(n, version)),
    }
}

/// The pods of calls `from..to` are gone, which ends their claims.
pub fn calls_over(server: &ApiServer, calls: std::ops::Range<u64>) {
    for n in calls {
        let uid = fixture::call_uid(n);
        server.send(Kind::Pod, "DELETED", |version| {
            format!(
                r#"{{"kind":"Pod","apiVersion":"v1","metadata":{{"name":"called-{n}","namespace":"shop","uid":"{uid}","resourceVersion":"{version}"}},"spec":{{"containers":[]}}}}"#
            )
        });
    }
}

/// A stream of events at a steady rate that can be paused.
#[derive(Debug)]
pub struct Churn {
    server: ApiServer,
    gap: Duration,
    next: u64,
}

impl Churn {
    /// Of `per_sec` events a second, at least 1.
    #[must_use]
    pub fn new(server: ApiServer, per_sec: u32) -> Churn {
        Churn { server, gap: Duration::from_secs(1) / per_sec.max(1), next: 0 }
    }

    /// Sends until `done` resolves; returns its value and how many events were sent.
    pub async fn beside<T>(&mut self, done: impl Future<Output = T>) -> (T, u64) {
        let before = self.next;
        let mut due = interval_at(Instant::now() + self.gap, self.gap);
        // Not a burst after a pause of the machine: the rate is what it is about.
        due.set_missed_tick_behavior(MissedTickBehavior::Delay);
        let mut done = std::pin::pin!(done);
        loop {
            tokio::select! {
                value = &mut done => return (value, self.next - before),
                _ = due.tick() => {
                    send(&self.server, event(self.next, self.server.fixture().size()));
                    self.next += 1;
                }
            }
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use std::collections::HashMap;

    const SIZE: fixture::Size = fixture::Size { nodes: 5000, pods: 100_000 };

    #[test]
    fn every_new_pod_goes_its_way_to_the_end_before_its_number_comes_again() {
        let mut on_their_way = HashMap::new();
        for k in 0..100_000 {
            match event(k, SIZE) {
                Event::Pod(n, Stage::Pending) => assert_eq!(on_their_way.insert(n, Stage::Pending), None),
                Event::Pod(n, stage) => assert!(on_their_way.insert(n, stage).is_some(), "{n} was not created"),
                Event::PodGone(n) => assert_eq!(on_their_way.remove(&n), Some(Stage::Running)),
                Event::PodStatus(n) => assert!(n < SIZE.pods),
                Event::NodeStatus(n) => assert!(n < SIZE.nodes),
            }
        }
        assert_eq!(on_their_way, HashMap::new());
    }

    #[test]
    fn reports_come_from_the_whole_cluster() {
        let nodes: std::collections::HashSet<u32> = (0..25_000)
            .filter_map(|k| if let Event::NodeStatus(n) = event(k, SIZE) { Some(n) } else { None })
            .collect();
        assert!(nodes.len() > 4000, "{}", nodes.len());
    }
}
