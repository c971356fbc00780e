//! Warnings as a pager would have them, and how well they warned of what came.

use std::ops::Range;
use std::time::{Duration, Instant};

use serde::Serialize;

use super::competitors::Rule;
use super::competitors::past::Past;
use super::roll::warm_up;
use super::trace::Trace;

const HOUR: u64 = 3600;
const DAY: u64 = 24 * HOUR;
/// A rule must warn for so long before someone is called: rollouts and jobs come and go within it.
pub const RAISE_AFTER_SECS: u64 = 2 * HOUR;
/// An alert is taken back when its rule was silent for so long: a day has every hour in it, and an alert that goes each night
/// and comes back each morning helps nobody.
pub const CLEAR_AFTER_SECS: u64 = DAY;
/// An alert is right when the subnet runs out within so long. One that stays is told again as often, and must be right again.
pub const RIGHT_WITHIN_SECS: u64 = 7 * DAY;
/// What the warning is to leave.
pub const EARLY_SECS: u64 = DAY;
/// A subnet has recovered when it was not full for so long.
const RECOVERED_AFTER_SECS: u64 = DAY;

/// How one rule did on one trace.
#[derive(Clone, Debug, Serialize)]
pub struct Judged {
    /// Which.
    pub rule: Rule,
    /// Hours from the first right alert until the subnet was full, for each time that it was; `None` where nobody was called.
    pub leads_hours: Vec<Option<f64>>,
    /// Times that somebody was called.
    pub calls: u32,
    /// Calls after which nothing happened.
    pub false_calls: u32,
    /// Alerts that came back within a day after they had been taken back.
    pub flaps: u32,
    /// Days in which a call could be wrong: those in which the subnet was not full, and after which there is enough of the trace
    /// to tell.
    pub days: f64,
    /// Time that the rule took.
    #[serde(skip)]
    pub took: Duration,
    /// Times that it was asked.
    pub asked: u32,
}

impl Judged {
    /// Times that the subnet was full no sooner than [`EARLY_SECS`] after a right alert.
    #[must_use]
    #[expect(clippy::cast_precision_loss, reason = "hours of a day")]
    pub fn early(&self) -> usize {
        let least = (EARLY_SECS / HOUR) as f64;
        self.leads_hours.iter().flatten().filter(|&&lead| lead >= least).count()
    }

    /// Times that the subnet was full without a warning.
    #[must_use]
    pub fn missed(&self) -> usize {
        self.leads_hours.iter().filter(|lead| lead.is_none()).count()
    }
}

/// Evaluates every rule every `every_secs` after the warm-up.
#[must_use]
pub fn judge(trace: &Trace, every_secs: u64) -> Vec<Judged> {
    let every = trace.steps(every_secs).max(1);
    let asked: Vec<usize> = (warm_up(trace)..trace.len()).step_by(every).collect();
    let mut warned = Rule::ALL.map(|_| Vec::with_capacity(asked.len()));
    let mut took = [Duration::ZERO; Rule::ALL.len()];
    for &at in &asked {
        let series = trace.past(at);
        let past = Past::new(&series, trace.capacity);
        for ((rule, warned), took) in Rule::ALL.into_iter().zip(&mut warned).zip(&mut took) {
            let begun = Instant::now();
            warned.push(rule.warns(&past));
            *took += begun.elapsed();
        }
    }
    let times = |secs: u64| trace.steps(secs).div_ceil(every);
    let full = full(trace);
    let all = Rule::ALL.into_iter().zip(&warned).zip(took);
    let judged = all.map(|((rule, warned), took)| {
        let alerts = alerts(warned, times(RAISE_AFTER_SECS) + 1, times(CLEAR_AFTER_SECS).max(1));
        let step = |at: usize| asked.get(at).copied().unwrap_or(trace.len());
        let alerts: Vec<Range<usize>> = alerts.into_iter().map(|alert| step(alert.start)..step(alert.end)).collect();
        Judged { took, asked: u32::try_from(asked.len()).unwrap_or(u32::MAX), ..compare(trace, rule, &alerts, &full) }
    });
    judged.collect()
}

/// From when to when an alert stands: raised by the last of `raise` warnings in a row, taken back by the last of `clear`
/// silences in a row. Places in `warned`; one that still stands ends with it.
fn alerts(warned: &[bool], raise: usize, clear: usize) -> Vec<Range<usize>> {
    let mut alerts: Vec<Range<usize>> = Vec::new();
    let (mut stands, mut against) = (false, 0);
    for (at, &warns) in warned.iter().enumerate() {
        against = if warns == stands { 0 } else { against + 1 };
        if against == if stands { clear } else { raise } {
            (stands, against) = (!stands, 0);
            match alerts.last_mut().filter(|_| !stands) {
                Some(alert) => alert.end = at,
                None => alerts.push(at..warned.len()),
            }
        }
    }
    alerts
}

/// When the subnet was full: steps from its first full one until it had recovered.
fn full(trace: &Trace) -> Vec<Range<usize>> {
    let recovered = trace.steps(RECOVERED_AFTER_SECS);
    let mut all: Vec<Range<usize>> = Vec::new();
    for (at, used) in trace.truth.iter().enumerate() {
        if used.is_some_and(|used| used >= trace.capacity) {
            match all.last_mut().filter(|last| at < last.end) {
                Some(last) => last.end = at + 1 + recovered,
                None => all.push(at..at + 1 + recovered),
            }
        }
    }
    all
}

fn compare(trace: &Trace, rule: Rule, alerts: &[Range<usize>], full: &[Range<usize>]) -> Judged {
    let (begin, window) = (warm_up(trace), trace.steps(RIGHT_WITHIN_SECS));
    // What follows a full subnet closely is no news. What comes within a day of the first question could not be told a day ahead.
    let first = begin + trace.steps(EARLY_SECS);
    let news = full.iter().enumerate().filter(|&(n, time)| {
        let since = n.checked_sub(1).map(|before| full[before].end);
        time.start >= first && since.is_none_or(|end| time.start >= end + window)
    });
    let lead = |time: &Range<usize>| {
        let from = time.start.saturating_sub(window);
        let alert = alerts.iter().find(|alert| alert.start < time.start && alert.end > from)?;
        Some(trace.days(time.start - alert.start.max(from)) * 24.0)
    };
    let leads_hours = news.map(|(_, time)| lead(time)).collect();

    let is_full = |step: usize| full.iter().any(|time| time.contains(&step));
    let soon_full = |step: usize| full.iter().any(|time| time.start > step && time.start <= step + window);
    // Who is called at the end of a trace may be right.
    let known = trace.len().saturating_sub(window);
    let calls = alerts.iter().flat_map(|alert| alert.clone().step_by(window.max(1)));
    let (mut told, mut false_calls) = (0, 0);
    for step in calls.filter(|&step| !is_full(step)) {
        told += 1;
        false_calls += u32::from(step < known && !soon_full(step));
    }
    let again = |pair: &[Range<usize>]| pair[1].start - pair[0].end <= trace.steps(DAY);
    Judged {
        rule,
        leads_hours,
        calls: told,
        false_calls,
        flaps: u32::try_from(alerts.windows(2).filter(|pair| again(pair)).count()).unwrap_or(u32::MAX),
        days: trace.days((begin..known).filter(|&step| !is_full(step)).count()),
        took: Duration::ZERO,
        asked: 0,
    }
}

#[cfg(test)]
mod tests {
    use super::super::trace::tests::trace;
    use super::*;

    const DAY_STEPS: usize = 288;

    #[test]
    fn alerts_wait_and_last() {
        let warned: Vec<bool> = "..!.!!.!...!!!".chars().map(|c| c == '!').collect();
        assert_eq!(alerts(&warned, 2, 3), [5..10, 12..14]);
        assert_eq!(alerts(&warned, 1, 1), [2..3, 4..6, 7..8, 11..14]);
        assert_eq!(alerts(&warned, 4, 1), Vec::<Range<usize>>::new());
    }

    /// 40 days at 50 of 100 that are full on these.
    fn filled(full: impl IntoIterator<Item = usize>) -> Trace {
        let mut values = vec![50.0; 40 * DAY_STEPS];
        for day in full {
            values[days(day..day + 1)].fill(100.0);
        }
        trace(&values, 100.0)
    }

    fn days(days: Range<usize>) -> Range<usize> {
        days.start * DAY_STEPS..days.end * DAY_STEPS
    }

    #[test]
    fn a_full_subnet_recovers_after_a_day() {
        let trace = filled([20, 21, 30]);
        let ends: Vec<_> = full(&trace).iter().map(|time| (time.start / DAY_STEPS, time.end / DAY_STEPS)).collect();
        assert_eq!(ends, [(20, 23), (30, 32)]);
    }

    #[test]
    fn lead_misses_false_calls_and_flaps() {
        let trace = filled(25..27);
        let judged = |alerts: &[Range<usize>]| compare(&trace, Rule::Threshold, alerts, &full(&trace));
        // Alerts in days, lead in hours, calls, false calls, flaps.
        let rows = [
            (vec![], None, 0, 0, 0),
            (vec![days(23..28)], Some(48.0), 1, 0, 0),
            // Too early: told again at 21 and then right, so that the lead is the most that counts.
            (vec![days(14..28)], Some(168.0), 2, 1, 0),
            (vec![days(15..16), days(24..25)], Some(24.0), 2, 1, 0),
            (vec![days(20..21), days(22..23)], Some(120.0), 2, 0, 1),
            // Only once it was full.
            (vec![days(25..28)], None, 0, 0, 0),
        ];
        for (alerts, lead, calls, false_calls, flaps) in rows {
            let Judged { leads_hours, calls: told, false_calls: wrong, flaps: flapped, days, .. } = judged(&alerts);
            assert_eq!(
                (&leads_hours[..], told, wrong, flapped),
                (&[lead][..], calls, false_calls, flaps),
                "{alerts:?}"
            );
            // From day 14 to 33 without the three that it was full or recovering.
            assert!((days - 16.0).abs() < 0.01, "{days}");
        }
    }

    #[test]
    fn rules_are_asked_after_the_warm_up_and_waited_for() {
        let mut trace = filled(25..40);
        trace.truth[24 * DAY_STEPS..25 * DAY_STEPS].fill(Some(95.0));
        trace.observed.values.clone_from(&trace.truth);
        let judged = judge(&trace, 2 * HOUR);
        let threshold = judged.iter().find(|judged| judged.rule == Rule::Threshold).unwrap();
        assert_eq!(threshold.asked, 26 * 12);
        // Asked at midnight, before the first step at 95; it warns two hours later, and two more later somebody is called.
        assert_eq!(threshold.leads_hours, [Some(20.0)]);
        assert_eq!((threshold.early(), threshold.missed(), threshold.false_calls), (0, 0, 0));
    }
}
