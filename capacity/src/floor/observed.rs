//! What EC2 showed of a pool, taken into its lower bound.

use std::time::Duration;

use super::{Floor, Growth, Rising, Seen};
use crate::time::Time;
use crate::units::Ips;

/// So many times of a small pool are kept apart; of more the older ones are taken together.
const MAX_LOWS: usize = 8;

/// A pool as EC2 showed it.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Observed {
    /// When EC2 was asked.
    pub at: Time,
    /// Addresses attached for pods, whether held or not.
    pub attached: Ips,
}

/// How small ipamd may have made a pool, by time: what it keeps for the fewest pods, oldest and smallest first. A time stands
/// for all before it for which no entry says otherwise.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub(super) struct Lows {
    past: Vec<(Time, Ips)>,
    /// What is kept now; `None` before the first look.
    kept: Option<Ips>,
}

impl Lows {
    /// Until `now`, the pool may have been as small as `kept`, and as what was kept before.
    pub(super) fn note(&mut self, kept: Ips, now: Time) {
        let low = self.kept.map_or(kept, |before| before.min(kept));
        while self.past.last().is_some_and(|(_, last)| *last >= low) {
            self.past.pop();
        }
        self.past.push((now, low));
        if self.past.len() > MAX_LOWS {
            let (_, smallest) = self.past.remove(0);
            self.past[0].1 = smallest;
        }
    }

    /// What is kept from now on.
    pub(super) fn keep(&mut self, kept: Ips) {
        self.kept = Some(kept);
    }

    /// The smallest since `from`; `None` if nothing was seen since.
    fn since(&self, from: Time) -> Option<Ips> {
        self.past.iter().find(|(at, _)| *at >= from).map(|(_, low)| *low).or(self.kept)
    }
}

impl Floor {
    /// [`Floor::advance`], with a pool that EC2 showed: it takes the place of the bound as of `shown.at`. More than was thought
    /// raises it, less lowers it; what ipamd may have given back since is off, and what it has had the time to attach since is in. It
    /// may have been giving back when EC2 was asked, for as long as one `step` before. What pods hold is attached whatever EC2 showed.
    ///
    /// Nothing but time changes where `shown` is not later than what was taken in before. What happened between `shown.at` and the
    /// first look at the pods is not known, and taken for nothing.
    #[must_use]
    pub fn observed(self, shown: &Observed, seen: &Seen, growth: &Growth, now: Time, step: Duration) -> Floor {
        let mut next = self.advance(seen, growth, now, step);
        if next.shown.is_some_and(|before| before.at >= shown.at) {
            return next;
        }
        next.shown = Some(*shown);
        let low = next.lows.since(shown.at - step).unwrap_or(Ips::ZERO);
        let base = shown.attached.min(growth.ceiling);
        next.held = base.min(low);
        // Steps from pools that were larger, or older, than what was there.
        next.rising.retain(|rising| rising.since >= shown.at && rising.base <= base);
        if let Some(since) = next.grows_since.filter(|_| low > base) {
            // It grew without a break since then, and each step that is left is from after it.
            next.rising.insert(0, Rising { since: since.max(shown.at), base, kept: low });
        }
        if seen.grows {
            next.rise(growth, now, step);
        }
        next.settle(seen, growth, now);
        next
    }

    /// From now on growth stops at `most` attached addresses, `None` for where the instance type stops: what the subnets hold for
    /// this node. What is thought to have grown beyond is taken back.
    pub fn limit(&mut self, most: Option<Ips>) {
        self.most = most;
        if most.is_none() {
            self.shown = None;
        }
    }

    /// Whether taking in that EC2 showed so many again would change nothing but the time.
    #[must_use]
    pub fn agrees(&self, attached: Ips) -> bool {
        self.rising.is_empty() && self.shown.is_some_and(|shown| shown.attached == attached) && self.held <= attached
    }
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;
    use crate::budget::Mode;
    use crate::floor::STEP;
    use crate::ipamd::targets::PoolRules;

    /// m5.large, 9 addresses an ENI, with a warm ENI or by addresses.
    fn m5_large(warm_ips: u32) -> Growth {
        let rules = PoolRules {
            mode: Mode::SecondaryIp,
            warm_ips,
            minimum_ips: 0,
            warm_enis: 1,
            warm_prefixes: 0,
            slots_per_eni: 9,
            max_pods: 29,
        };
        Growth { rules, ceiling: Ips(27), provisioned: true }
    }

    fn pods(assigned: u32) -> Seen {
        Seen { assigned: Ips(assigned), fewest: Ips(assigned), released: false, grows: true }
    }

    fn shown(at: u64, attached: u32) -> Observed {
        Observed { at: Time::from_secs(at), attached: Ips(attached) }
    }

    /// One pod since 100 s, at `secs` with a pool that was shown as of `at`.
    fn told(at: u64, attached: u32, secs: u64) -> Floor {
        let (growth, time) = (m5_large(0), Time::from_secs);
        let floor = Floor::default().advance(&pods(1), &growth, time(100), STEP);
        floor.observed(&shown(at, attached), &pods(1), &growth, time(secs), STEP)
    }

    #[test]
    fn what_ec2_shows_is_the_bound_as_of_then() {
        assert_eq!(told(101, 18, 102).held(), Ips(18), "a second ENI is there earlier than was certain");
        assert_eq!(told(101, 9, 119).held(), Ips(9));
        assert_eq!(told(101, 9, 121).held(), Ips(18), "one step since");
        let growth = m5_large(0);
        let late = told(101, 18, 200).observed(&shown(190, 9), &pods(1), &growth, Time::from_secs(200), STEP);
        assert_eq!(late.held(), Ips(9), "EC2 refused the second ENI");
        assert_eq!(late.due(STEP), Some(Time::from_secs(210)));
        let again = late.clone().observed(&shown(190, 27), &pods(1), &growth, Time::from_secs(200), STEP);
        assert_eq!(again, late, "not later than what is known");
    }

    #[test]
    fn more_than_ipamd_keeps_is_within_reach_and_not_relied_on() {
        let floor = told(101, 27, 102);
        assert_eq!((floor.held(), floor.reach(&m5_large(0), STEP, true)), (Ips(18), Ips(27)));
    }

    #[test]
    fn growth_stops_where_the_subnets_do() {
        let growth = m5_large(0);
        let at = Time::from_secs;
        let mut floor = told(101, 9, 102);
        floor.limit(Some(Ips(11)));
        let floor = floor.advance(&pods(1), &growth, at(300), STEP);
        assert_eq!((floor.held(), floor.due(STEP), floor.reach(&growth, STEP, true)), (Ips(11), None, Ips(11)));
        let floor = floor.advance(&pods(13), &growth, at(301), STEP);
        assert_eq!(floor.held(), Ips(13), "pods prove more");
    }

    #[derive(Clone, Copy, Debug)]
    enum Step {
        Pods(u32),
        Wait(u64),
        Shown { ago: u64, attached: u32 },
        Limit(Option<u32>),
    }

    fn any_step() -> impl Strategy<Value = Step> {
        prop_oneof![
            (0..30u32).prop_map(Step::Pods),
            (1..40u64).prop_map(Step::Wait),
            (0..90u64, 0..40u32).prop_map(|(ago, attached)| Step::Shown { ago, attached }),
            prop::option::of(0..40u32).prop_map(Step::Limit),
        ]
    }

    /// A node that is told of in this order; `more` is added to the last pool that EC2 shows.
    fn after(steps: &[Step], growth: &Growth, more: u32, mut each: impl FnMut(&Floor, Ips)) -> Floor {
        let (mut floor, mut now, mut assigned) = (Floor::default(), Time::from_secs(1000), 0);
        let last = steps.iter().rposition(|step| matches!(step, Step::Shown { .. }));
        for (at, step) in steps.iter().enumerate() {
            let (mut next, mut fewest) = (assigned, assigned);
            let mut told = None;
            match *step {
                Step::Pods(count) => (next, fewest) = (count, assigned.min(count)),
                Step::Wait(secs) => now = now + Duration::from_secs(secs),
                Step::Shown { ago, attached } => {
                    let attached = Ips(attached + if last == Some(at) { more } else { 0 });
                    told = Some(Observed { at: now - Duration::from_secs(ago), attached });
                }
                Step::Limit(most) => floor.limit(most.map(Ips)),
            }
            let seen = Seen { fewest: Ips(fewest), released: next < assigned, ..pods(next) };
            assigned = next;
            floor = match told {
                Some(told) => floor.observed(&told, &seen, growth, now, STEP),
                None => floor.advance(&seen, growth, now, STEP),
            };
            each(&floor, Ips(assigned));
        }
        floor
    }

    proptest! {
        #[test]
        fn never_below_what_pods_prove_and_never_above_the_limits(
            steps in prop::collection::vec(any_step(), 1..40), warm_ips in 0..6u32,
        ) {
            let growth = m5_large(warm_ips);
            after(&steps, &growth, 0, |floor, assigned| {
                let proven = assigned.min(growth.ceiling);
                assert!(floor.held() >= proven);
                assert!(floor.held() <= growth.kept(assigned).min(floor.most.unwrap_or(growth.ceiling)).max(proven));
            });
        }

        /// Whatever came before: a larger pool shown never makes the bound or its reach smaller, then or one step later.
        #[test]
        fn more_shown_is_never_less(
            steps in prop::collection::vec(any_step(), 0..30), warm_ips in 0..6u32, ago in 0..90u64,
            attached in 0..40u32, more in 1..20u32, later in 0..60u64,
        ) {
            let growth = m5_large(warm_ips);
            let steps: Vec<Step> = steps.into_iter().chain([Step::Shown { ago, attached }, Step::Wait(later)]).collect();
            let less = after(&steps, &growth, 0, |_, _| {});
            let more = after(&steps, &growth, more, |_, _| {});
            prop_assert!(less.held() <= more.held(), "{less:?} {more:?}");
            prop_assert!(less.reach(&growth, STEP, true) <= more.reach(&growth, STEP, true), "{less:?} {more:?}");
        }
    }
}
