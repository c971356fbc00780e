//! How kubelet's recorder turns a stream of like events on one pod into few writes (client-go `tools/record/events_cache.go`).

use std::collections::BTreeSet;
use std::time::Duration;

use headroom_capacity::time::Time;

/// Distinct messages of one kind after which they are combined into one event (`defaultAggregateMaxEvents`).
const MAX_DISTINCT: usize = 10;
/// Writes at once, and the time for one more (`defaultSpamBurst`, `defaultSpamQPS`).
const BURST: f64 = 25.0;
const REFILL: Duration = Duration::from_secs(300);

/// One event object as it should be written.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Record {
    /// Which of the pod's event objects, from 0: the same number means the same object.
    pub series: usize,
    /// Message.
    pub message: String,
    /// How often so far.
    pub count: u32,
    /// First time.
    pub first: Time,
    /// Last time.
    pub last: Time,
}

/// Events of one reason on one pod. Repeats of a message raise its count; from the tenth distinct message on they share one
/// event marked as combined. Writes beyond a burst are dropped, and counted by the next one that is not.
#[derive(Clone, Debug)]
pub struct Correlator {
    records: Vec<Record>,
    distinct: BTreeSet<String>,
    tokens: f64,
    refilled: Time,
}

impl Correlator {
    /// Nothing seen yet.
    #[must_use]
    pub fn new(now: Time) -> Correlator {
        Correlator { records: Vec::new(), distinct: BTreeSet::new(), tokens: BURST, refilled: now }
    }

    /// Takes note of `message`; what to write, if anything.
    pub fn observe(&mut self, message: String, now: Time) -> Option<Record> {
        let combined = self.distinct.len() >= MAX_DISTINCT - 1 && !self.distinct.contains(&message);
        let text = if combined { format!("(combined from similar events): {message}") } else { message.clone() };
        if !combined {
            self.distinct.insert(message);
        }
        let same = |record: &Record| record.message == text || (combined && record.series == MAX_DISTINCT - 1);
        let at = self.records.iter().position(same).unwrap_or(self.records.len());
        match self.records.get_mut(at) {
            Some(record) => {
                record.count += 1;
                record.last = now;
                record.message = text;
            }
            None => self.records.push(Record { series: at, message: text, count: 1, first: now, last: now }),
        }
        self.spend(now).then(|| self.records[at].clone())
    }

    fn spend(&mut self, now: Time) -> bool {
        let earned = now.since(self.refilled).div_duration_f64(REFILL);
        self.tokens = (self.tokens + earned).min(BURST);
        self.refilled = now;
        let affordable = self.tokens >= 1.0;
        if affordable {
            self.tokens -= 1.0;
        }
        affordable
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn run(messages: impl Iterator<Item = String>, every: Duration) -> Vec<Option<Record>> {
        let mut correlator = Correlator::new(Time::ZERO);
        let mut now = Time::ZERO;
        messages
            .map(|message| {
                now = now + every;
                correlator.observe(message, now)
            })
            .collect()
    }

    #[test]
    fn repeats_raise_the_count() {
        let written = run((0..3).map(|_| "same".to_owned()), Duration::from_secs(1));
        assert_eq!(written[2].as_ref().map(|record| (record.series, record.count)), Some((0, 3)));
    }

    #[test]
    fn the_tenth_distinct_message_starts_a_combined_event() {
        let written = run((0..12).map(|i| format!("sandbox {i}")), Duration::from_secs(12));
        let nth = |i: usize| written[i].clone().unwrap();
        assert_eq!((nth(8).series, nth(8).count), (8, 1));
        assert_eq!((nth(9).series, nth(9).count), (9, 1));
        assert_eq!((nth(11).series, nth(11).count), (9, 3));
        assert_eq!(nth(11).message, "(combined from similar events): sandbox 11");
    }

    #[test]
    fn a_burst_is_cut_and_nothing_is_lost_from_the_count() {
        let mut correlator = Correlator::new(Time::ZERO);
        let mut observe = |i: u32, at| correlator.observe(format!("sandbox {i}"), at);
        let written = (0..60).filter_map(|i| observe(i, Time::ZERO)).count();
        assert_eq!(written, 25);
        assert_eq!(observe(60, Time::from_secs(299)), None);
        let next = observe(61, Time::from_secs(301)).unwrap();
        assert_eq!(next.count, 62 - 9, "nine alone, all others combined");
    }
}
