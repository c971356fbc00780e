//! Branch ENIs of one node, a budget beside ipamd's pool (VPC resource controller, `pkg/provider/branch/trunk`).

use std::collections::BTreeMap;
use std::net::Ipv4Addr;
use std::time::Duration;

use headroom_capacity::ids::{EniId, PodUid};
use headroom_capacity::time::Time;

/// A branch ENI is deleted that long after its pod (`branch-eni-cooldown`, default), and counts until then.
pub const COOLDOWN: Duration = Duration::from_secs(60);

/// The branch ENIs of one node.
#[derive(Clone, Debug, Default)]
pub struct BranchPool {
    max: usize,
    held: BTreeMap<PodUid, (EniId, Ipv4Addr)>,
    cooling: Vec<(Time, EniId)>,
}

impl BranchPool {
    /// Room for `max`.
    #[must_use]
    pub fn new(max: u32) -> BranchPool {
        BranchPool { max: max as usize, ..BranchPool::default() }
    }

    /// Whether one more can be made (`canCreateMore`: those that cool count).
    #[must_use]
    pub fn has_room(&self) -> bool {
        self.held.len() + self.cooling.len() < self.max
    }

    /// Gives the pod its ENI.
    pub fn hold(&mut self, pod: PodUid, eni: EniId, ip: Ipv4Addr) {
        self.held.insert(pod, (eni, ip));
    }

    /// The pod has ended: its ENI cools down.
    pub fn release(&mut self, pod: &PodUid, now: Time) {
        if let Some((eni, _)) = self.held.remove(pod) {
            self.cooling.push((now + COOLDOWN, eni));
        }
    }

    /// ENIs whose cool-down is over; they are forgotten here and are to be deleted.
    pub fn cooled(&mut self, now: Time) -> Vec<EniId> {
        let (over, cooling) = std::mem::take(&mut self.cooling).into_iter().partition(|(until, _)| *until <= now);
        self.cooling = cooling;
        let over: Vec<(Time, EniId)> = over;
        over.into_iter().map(|(_, eni)| eni).collect()
    }

    /// Every ENI, those that cool down too.
    pub fn enis(&self) -> impl Iterator<Item = &EniId> {
        self.held.values().map(|(eni, _)| eni).chain(self.cooling.iter().map(|(_, eni)| eni))
    }

    /// Every ENI, when the node is gone.
    pub fn take_all(&mut self) -> Vec<EniId> {
        let held = std::mem::take(&mut self.held).into_values().map(|(eni, _)| eni);
        held.chain(std::mem::take(&mut self.cooling).into_iter().map(|(_, eni)| eni)).collect()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_released_branch_eni_counts_until_it_has_cooled() {
        let mut pool = BranchPool::new(1);
        pool.hold("a".into(), "eni-1".into(), Ipv4Addr::LOCALHOST);
        pool.release(&"a".into(), Time::from_secs(10));
        assert!(!pool.has_room());
        assert_eq!(pool.cooled(Time::from_secs(69)), []);
        assert_eq!(pool.cooled(Time::from_secs(70)), ["eni-1".into()]);
        assert!(pool.has_room());
    }
}
