//! Own observations.

use super::tables::Tables;
use super::{History, HistoryError};
use crate::history::tier::{MAX_SECS, Tier};
use crate::history::{SeriesKey, row};

/// What became of a round.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Recorded {
    /// Values that are in the file now.
    pub written: u64,
    /// Values that were refused: negative, not finite, beyond 2^53.
    pub invalid: u64,
    /// Values of new series that were refused because there are [`max_series`](crate::history::Limits::max_series).
    pub over_limit: u64,
    /// Series that were forgotten: they had no value for [`idle_days`](crate::history::Limits::idle_days).
    pub forgotten: u64,
}

impl History {
    /// Takes a round: values at the Unix time `at_secs`. Of several in a step the largest counts. The clock may go back or jump:
    /// what is there stays.
    ///
    /// # Errors
    /// When the disk does not do it; nothing has changed then.
    pub fn record(&self, at_secs: u64, values: &[(SeriesKey, f64)]) -> Result<Recorded, HistoryError> {
        let mut recorded = Recorded::default();
        if at_secs >= MAX_SECS {
            return Ok(Recorded { invalid: values.len() as u64, ..recorded });
        }
        let write = self.db.begin_write()?;
        {
            let mut tables = Tables::open(&write)?;
            let before = tables.days()?;
            let days = before.round(at_secs);
            for (key, value) in values {
                let Some(value) = row::kept(*value) else {
                    recorded.invalid += 1;
                    continue;
                };
                let Some((id, latest)) = tables.find_or_add(key, days.count, self.limits.max_series)? else {
                    recorded.over_limit += 1;
                    continue;
                };
                let (latest, ended) = latest.observe(days.count, at_secs, value);
                if let Some(ended) = ended {
                    tables.merge(id, ended)?;
                }
                tables.set_latest(id, latest)?;
                recorded.written += 1;
            }
            if days != before {
                recorded.forgotten = tables.forget_idle(days, self.limits.idle_days)?;
                tables.set_days(days)?;
            }
        }
        write.commit()?;
        Ok(recorded)
    }
}

impl Tables<'_> {
    /// A step that ended, into the rows of every tier. What it displaces is told by its own time, which was the present when it was
    /// recorded: the clock may have jumped since.
    pub(super) fn merge(&mut self, id: u32, (start, value): (u64, f64)) -> Result<(), HistoryError> {
        for tier in Tier::ALL.iter().copied() {
            let place = tier.place(start);
            self.change(tier, (id, place.row), start, |steps| raise(&mut steps[place.slot], value))?;
        }
        Ok(())
    }
}

/// The larger of what is there and `value`.
pub(super) fn raise(step: &mut Option<f64>, value: f64) {
    *step = Some(step.map_or(value, |there| there.max(value)));
}
