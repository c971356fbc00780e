//! What others observed, where nothing is known.

use std::collections::BTreeMap;

use super::tables::Tables;
use super::write::raise;
use super::{History, HistoryError};
use crate::history::tier::{MAX_SECS, Tier};
use crate::history::{Points, row};

/// What became of points from elsewhere.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Backfilled {
    /// Steps of five minutes that have a value now and had none.
    pub filled: u64,
    /// Points that were refused: negative, not finite, beyond 2^53, or later than now.
    pub invalid: u64,
    /// Series that were refused because there are [`max_series`](crate::history::Limits::max_series).
    pub over_limit: u64,
}

/// A value of an hour, and whether it belongs to steps of five minutes that were filled.
#[derive(Clone, Copy, Debug)]
struct Hour {
    value: f64,
    filled: bool,
}

impl History {
    /// Takes what was observed elsewhere; of several points in a step the largest counts, so all of a step's belong in one call.
    ///
    /// A step that has a value keeps it. An hour is the largest of its steps of five minutes; where these are too old to be kept,
    /// an hour that has a value keeps it. The same again changes nothing.
    ///
    /// # Errors
    /// When the disk does not do it; nothing has changed then.
    pub fn backfill(&self, now_secs: u64, series: &[Points]) -> Result<Backfilled, HistoryError> {
        let mut told = Backfilled::default();
        let now_secs = now_secs.min(MAX_SECS - 1);
        let write = self.db.begin_write()?;
        {
            let mut tables = Tables::open(&write)?;
            let days = tables.days()?;
            for (key, points) in series {
                let (steps, invalid) = steps(points, now_secs);
                told.invalid += invalid;
                if steps.is_empty() {
                    continue;
                }
                let Some((id, latest)) = tables.find_or_add(key, days.count, self.limits.max_series)? else {
                    told.over_limit += 1;
                    continue;
                };
                if let Some(step) = latest.step {
                    // Then the rows have all that is known. It is merged once more when it ends, with what came by then.
                    tables.merge(id, step)?;
                }
                told.filled += tables.fill(id, &steps, now_secs)?;
            }
        }
        write.commit()?;
        Ok(told)
    }
}

/// The largest value of each step, and how many points are none.
fn steps(points: &[(u64, f64)], now_secs: u64) -> (BTreeMap<u64, f64>, u64) {
    let mut steps = BTreeMap::new();
    let mut invalid = 0;
    for (at_secs, value) in points {
        match row::kept(*value).filter(|_| *at_secs <= now_secs) {
            Some(value) => {
                let largest = steps.entry(Tier::FiveMinutes.step_of(*at_secs)).or_insert(value);
                *largest = value.max(*largest);
            }
            None => invalid += 1,
        }
    }
    (steps, invalid)
}

impl Tables<'_> {
    /// How many steps were filled.
    fn fill(&mut self, id: u32, steps: &BTreeMap<u64, f64>, now_secs: u64) -> Result<u64, HistoryError> {
        let steps: Vec<(u64, f64)> = steps.iter().map(|(start, value)| (*start, *value)).collect();
        let row_of = |(start, _): &(u64, f64)| Tier::FiveMinutes.place(*start).row;
        let mut hours: BTreeMap<u64, Hour> = BTreeMap::new();
        let mut count = 0;
        // The newest first: rows that are too old then do not push each other out.
        for day in steps.chunk_by(|one, other| row_of(one) == row_of(other)).rev() {
            let mut filled = Vec::new();
            let fits = self.change(Tier::FiveMinutes, (id, row_of(&day[0])), now_secs, |row| {
                for (start, value) in day {
                    let step = &mut row[Tier::FiveMinutes.place(*start).slot];
                    if step.is_none() {
                        *step = Some(*value);
                        filled.push((*start, *value));
                    }
                }
            })?;
            count += filled.len() as u64;
            for (start, value) in if fits { &filled } else { day } {
                let hour = hours.entry(Tier::Hour.step_of(*start)).or_insert(Hour { value: *value, filled: fits });
                hour.value = hour.value.max(*value);
            }
        }
        self.fill_hours(id, &hours, now_secs)?;
        Ok(count)
    }

    fn fill_hours(&mut self, id: u32, hours: &BTreeMap<u64, Hour>, now_secs: u64) -> Result<(), HistoryError> {
        let hours: Vec<(u64, Hour)> = hours.iter().map(|(start, hour)| (*start, *hour)).collect();
        let row_of = |(start, _): &(u64, Hour)| Tier::Hour.place(*start).row;
        for part in hours.chunk_by(|one, other| row_of(one) == row_of(other)).rev() {
            self.change(Tier::Hour, (id, row_of(&part[0])), now_secs, |row| {
                for (start, hour) in part {
                    let step = &mut row[Tier::Hour.place(*start).slot];
                    if hour.filled || step.is_none() {
                        raise(step, hour.value);
                    }
                }
            })?;
        }
        Ok(())
    }
}
