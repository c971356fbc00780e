//! From the bind to the address, pod by pod.

use std::collections::HashMap;
use std::time::{Duration, Instant};

/// A pod that is bound and needs an address of its node's pool.
#[derive(Clone, Debug)]
pub struct Placement {
    /// Its node.
    pub node: String,
    /// When the bind was seen.
    pub bound_at: Instant,
    /// How long after that its address was seen; `None` while it has none.
    pub ip_after: Option<Duration>,
}

/// All of them that exist, by UID, and what was seen of those that do not any more.
#[derive(Debug, Default)]
pub struct Placements {
    pods: HashMap<String, Placement>,
    per_node: HashMap<String, u32>,
    most_per_node: HashMap<String, u32>,
    longest: Duration,
}

impl Placements {
    /// Takes note of a pod as a watch shows it.
    pub(super) fn see(&mut self, uid: &str, node: &str, has_ip: bool, now: Instant) {
        if !self.pods.contains_key(uid) {
            let pods = self.per_node.entry(node.to_owned()).or_default();
            *pods += 1;
            let most = self.most_per_node.entry(node.to_owned()).or_default();
            *most = (*most).max(*pods);
            self.pods.insert(uid.to_owned(), Placement { node: node.to_owned(), bound_at: now, ip_after: None });
        }
        if let Some(pod) = self.pods.get_mut(uid).filter(|pod| has_ip && pod.ip_after.is_none()) {
            let after = now.duration_since(pod.bound_at);
            pod.ip_after = Some(after);
            self.longest = self.longest.max(after);
        }
    }

    /// It is gone, or has ended and holds no address any more.
    pub(super) fn gone(&mut self, uid: &str) {
        if let Some(pod) = self.pods.remove(uid)
            && let Some(pods) = self.per_node.get_mut(&pod.node)
        {
            *pods = pods.saturating_sub(1);
        }
    }

    /// The pods that are bound now.
    pub fn pods(&self) -> impl ExactSizeIterator<Item = &Placement> {
        self.pods.values()
    }

    /// Bound pods that have had no address for longer than `limit`.
    #[must_use]
    pub fn hanging(&self, limit: Duration) -> usize {
        self.pods.values().filter(|pod| pod.ip_after.is_none() && pod.bound_at.elapsed() > limit).count()
    }

    /// The longest time from a bind to the address; a pod that still waits counts with the time so far.
    #[must_use]
    pub fn longest_wait(&self) -> Duration {
        let waiting = self.pods.values().filter(|pod| pod.ip_after.is_none()).map(|pod| pod.bound_at.elapsed());
        waiting.chain([self.longest]).max().unwrap_or_default()
    }

    /// The most pods that each node has had at one time.
    pub fn most_per_node(&self) -> impl Iterator<Item = (&str, u32)> {
        self.most_per_node.iter().map(|(node, most)| (node.as_str(), *most))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn counts_the_most_and_the_longest_of_pods_that_are_gone_too() {
        let mut placements = Placements::default();
        let start = Instant::now();
        let at = |secs| start + Duration::from_secs(secs);
        placements.see("a", "n1", false, at(0));
        placements.see("b", "n1", true, at(0));
        placements.see("a", "n1", true, at(7));
        placements.see("a", "n1", true, at(9));
        placements.gone("a");
        placements.gone("b");
        placements.see("c", "n1", true, at(9));
        assert_eq!(placements.most_per_node().collect::<Vec<_>>(), [("n1", 2)]);
        assert_eq!(placements.longest_wait(), Duration::from_secs(7));
        assert_eq!((placements.pods().len(), placements.hanging(Duration::ZERO)), (1, 0));
    }
}
