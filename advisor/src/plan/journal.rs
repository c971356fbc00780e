//! What was done lately: cool-downs and budgets go by it, whoever leads.

use std::time::Duration;

use headroom_capacity::time::Time;
use serde::{Deserialize, Serialize};

/// How long evictions are remembered, and everything else: the longest cool-down that the configuration may ask for.
const KEPT: (Duration, Duration) = (Duration::from_secs(60), Duration::from_secs(86_400));
/// Most entries; the oldest go first.
const MOST: usize = 2000;
/// First and longest pause after a failed launch; it doubles with each (Cluster Autoscaler `utils/backoff`, `--initial-node-group-backoff-duration`,
/// `--max-node-group-backoff-duration`), and how long failures count (`--node-group-backoff-reset-timeout`).
const BACK_OFF: (Duration, Duration) = (Duration::from_secs(300), Duration::from_secs(1800));
const FAILURES_COUNT: Duration = Duration::from_secs(3 * 3600);

/// Something that was done or tried.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Entry {
    /// When, milliseconds since the epoch.
    pub at_ms: u64,
    /// What.
    pub deed: Deed,
    /// The group.
    pub group: String,
    /// Nodes added or removed, pods evicted.
    pub count: u32,
}

/// What kind of thing.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Deed {
    /// Nodes were asked for.
    ScaleOut,
    /// The nodes that were asked for did not come.
    LaunchFailed,
    /// The removal of a node was begun.
    ScaleIn,
    /// A removal ended, whether with the node gone or given back.
    ScaleInOver,
    /// A stuck pod was evicted.
    Evict,
}

/// Nodes that were asked for, or are about to be, of which nobody has said yet whether they came.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Launch {
    /// When, milliseconds since the epoch.
    pub at_ms: u64,
    /// The group.
    pub group: String,
    /// Its desired capacity before.
    pub from: u32,
    /// Its desired capacity with them.
    pub to: u32,
}

impl Launch {
    /// When they were asked for.
    #[must_use]
    pub const fn at(&self) -> Time {
        Time::from_millis(self.at_ms)
    }

    /// The first `nodes` of them.
    #[must_use]
    pub fn cut(&self, nodes: u32) -> Launch {
        Launch { to: self.from.saturating_add(nodes).min(self.to), ..self.clone() }
    }
}

/// Entries, oldest first, and the launches that are followed: whoever leads next goes on with them.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct Journal {
    entries: Vec<Entry>,
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    launches: Vec<Launch>,
}

impl Journal {
    /// Adds one and forgets what is too old.
    pub fn add(&mut self, deed: Deed, group: &str, count: u32, now: Time) {
        self.entries.retain(|entry| {
            let kept = if entry.deed == Deed::Evict { KEPT.0 } else { KEPT.1 };
            now.since(entry.at()) < kept
        });
        let over = (self.entries.len() + 1).saturating_sub(MOST);
        self.entries.drain(..over);
        self.entries.push(Entry { at_ms: now.as_millis(), deed, group: group.to_owned(), count });
    }

    /// Adds nodes that are about to be asked for, for the budget and as a launch to follow.
    pub fn launch(&mut self, launch: Launch) {
        let (nodes, now) = (launch.to.saturating_sub(launch.from), launch.at());
        self.add(Deed::ScaleOut, &launch.group, nodes, now);
        self.launches.retain(|one| now.since(one.at()) < KEPT.1);
        self.launches.push(launch);
    }

    /// What became of the launch is known, or it was none.
    pub fn settle(&mut self, launch: &Launch) {
        self.launches.retain(|one| one != launch);
    }

    /// The launch has failed, but for so many of its nodes, which are followed on.
    pub fn came_short(&mut self, launch: &Launch, nodes: u32, now: Time) {
        let rest = launch.cut(nodes);
        self.add(Deed::LaunchFailed, &launch.group, launch.to.saturating_sub(rest.to), now);
        for one in self.launches.iter_mut().filter(|one| *one == launch) {
            *one = rest.clone();
        }
        self.launches.retain(|one| *one != rest || rest.to > rest.from);
    }

    /// Launches of which nobody has said what became of them.
    #[must_use]
    pub fn launches(&self) -> &[Launch] {
        &self.launches
    }

    /// Nodes or pods within the last `span`.
    #[must_use]
    pub fn count(&self, deed: Deed, span: Duration, now: Time) -> u32 {
        let recent = self.of(deed).filter(|entry| now.since(entry.at()) < span);
        recent.fold(0, |sum, entry| sum.saturating_add(entry.count))
    }

    /// When it was done last, to one group or to any.
    #[must_use]
    pub fn last(&self, deed: Deed, group: Option<&str>) -> Option<Time> {
        self.of(deed).rev().find(|entry| group.is_none_or(|group| entry.group == group)).map(Entry::at)
    }

    /// Until when a group is left alone after failed launches. A launch that succeeded in between does not count: AWS launches some
    /// instances of a full subnet's group in another.
    #[must_use]
    pub fn back_off_until(&self, group: &str, now: Time) -> Option<Time> {
        let failures =
            self.of(Deed::LaunchFailed).filter(|entry| entry.group == group && now.since(entry.at()) < FAILURES_COUNT);
        let mut until = None;
        for (nth, entry) in (0_u32..).zip(failures) {
            let pause = BACK_OFF.0.saturating_mul(2_u32.saturating_pow(nth)).min(BACK_OFF.1);
            until = Some(entry.at() + pause);
        }
        until.filter(|until| *until > now)
    }

    /// Whether nodes that were asked for last are still waited for: not once a launch has failed, or so much time has passed.
    #[must_use]
    pub fn awaits_nodes(&self, group: &str, deadline: Duration, now: Time) -> bool {
        match (self.last(Deed::ScaleOut, Some(group)), self.last(Deed::LaunchFailed, Some(group))) {
            (Some(asked), failed) => failed.is_none_or(|failed| failed < asked) && now.since(asked) < deadline,
            (None, failed) => failed.is_none(),
        }
    }

    fn of(&self, deed: Deed) -> impl DoubleEndedIterator<Item = &Entry> {
        self.entries.iter().filter(move |entry| entry.deed == deed)
    }
}

impl Entry {
    fn at(&self) -> Time {
        Time::from_millis(self.at_ms)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn at(secs: u64) -> Time {
        Time::from_secs(1_000_000 + secs)
    }

    #[test]
    fn it_counts_what_is_recent_and_forgets_what_is_old() {
        let (mut journal, a, b) = (Journal::default(), "a", "b");
        journal.add(Deed::ScaleOut, a, 3, at(0));
        journal.add(Deed::ScaleOut, b, 2, at(1800));
        let hour = Duration::from_secs(3600);
        assert_eq!(journal.count(Deed::ScaleOut, hour, at(3000)), 5);
        assert_eq!(journal.count(Deed::ScaleOut, hour, at(3600)), 2);
        assert_eq!(
            (journal.last(Deed::ScaleOut, None), journal.last(Deed::ScaleOut, Some("a"))),
            (Some(at(1800)), Some(at(0)))
        );
        journal.add(Deed::ScaleIn, a, 1, at(86_400));
        assert_eq!(journal.last(Deed::ScaleOut, Some("a")), None);
        for second in 0..1000 {
            journal.add(Deed::Evict, a, 1, at(86_400 + second));
        }
        assert_eq!(journal.count(Deed::Evict, hour, at(87_400)), 60, "no longer than a minute");
        assert_eq!(journal.last(Deed::ScaleIn, None), Some(at(86_400)), "whatever else there was");
    }

    #[test]
    fn a_launch_is_there_until_somebody_says_what_became_of_it() {
        let old = r#"{"entries":[{"at_ms":1,"deed":"scale_out","group":"a","count":2}]}"#;
        let mut journal: Journal = serde_json::from_str(old).unwrap();
        assert_eq!(journal.launches(), [], "an earlier version wrote none");
        let launch = |group: &str, to| Launch { at_ms: at(0).as_millis(), group: group.to_owned(), from: 2, to };
        journal.launch(launch("a", 4));
        journal.launch(launch("b", 3));
        assert_eq!(journal.count(Deed::ScaleOut, Duration::from_secs(3600), at(1)), 3);
        let mut journal: Journal = serde_json::from_str(&serde_json::to_string(&journal).unwrap()).unwrap();
        journal.settle(&launch("a", 4));
        assert_eq!(journal.launches(), [launch("b", 3)]);
        journal.launch(Launch { at_ms: at(86_400).as_millis(), ..launch("c", 3) });
        assert_eq!(journal.launches().len(), 1, "not for ever");
    }

    #[test]
    fn the_nodes_of_a_failed_launch_that_come_are_followed_on() {
        for (nodes, followed) in [(0, None), (1, Some(3)), (9, Some(5))] {
            let launch = Launch { at_ms: at(0).as_millis(), group: "a".to_owned(), from: 2, to: 5 };
            let mut journal = Journal::default();
            journal.launch(launch.clone());
            journal.came_short(&launch, nodes, at(1));
            let left: Vec<u32> = journal.launches().iter().map(|one| one.to).collect();
            assert_eq!(left, Vec::from_iter(followed), "{nodes} came");
            assert_eq!(journal.back_off_until("a", at(2)), Some(at(1) + BACK_OFF.0), "and it failed once");
        }
    }

    #[test]
    fn a_group_that_fails_is_left_alone_for_longer_each_time() {
        let mut journal = Journal::default();
        let mut pauses = Vec::new();
        let mut now = at(0);
        for _ in 0..5 {
            assert_eq!(journal.back_off_until("g", now), None);
            journal.add(Deed::LaunchFailed, "g", 1, now);
            let until = journal.back_off_until("g", now).unwrap();
            pauses.push(until.since(now).as_secs());
            now = until;
        }
        assert_eq!(pauses, [300, 600, 1200, 1800, 1800]);
        assert_eq!(journal.back_off_until("other", now), None);
    }
}
