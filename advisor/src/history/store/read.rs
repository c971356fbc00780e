//! What is known.

use headroom_forecast::series::Series;
use redb::{ReadTransaction, ReadableDatabase, ReadableTable, ReadableTableMetadata};

use super::tables::{LATEST, SERIES, decode, rows};
use super::write::raise;
use super::{History, HistoryError};
use crate::history::SeriesKey;
use crate::history::latest::Latest;
use crate::history::tier::{MAX_SECS, Tier};

impl History {
    /// Every series, in the order of its key in the file. Those of kinds that only a later version knows are left out.
    ///
    /// # Errors
    /// When the disk cannot be read.
    pub fn keys(&self) -> Result<Vec<SeriesKey>, HistoryError> {
        let mut keys = Vec::new();
        for series in self.db.begin_read()?.open_table(SERIES)?.iter()? {
            keys.extend(SeriesKey::decode(series?.0.value()));
        }
        Ok(keys)
    }

    /// How many series there are.
    ///
    /// # Errors
    /// When the disk cannot be read.
    pub fn series_count(&self) -> Result<u64, HistoryError> {
        Ok(self.db.begin_read()?.open_table(SERIES)?.len()?)
    }

    /// The steps of a series from that of `from_secs` to that of the last second before `to_secs`, with `None` where nothing is
    /// known, or where there is no such series. The last step may not have ended: end at a whole step to leave it out.
    ///
    /// At most as many steps as the tier keeps, [`Tier::span_secs`]: the last ones.
    ///
    /// # Errors
    /// When the disk cannot be read.
    pub fn series(&self, key: &SeriesKey, tier: Tier, from_secs: u64, to_secs: u64) -> Result<Series, HistoryError> {
        let step_secs = u64::from(tier.step_secs());
        let end = to_secs.min(MAX_SECS).next_multiple_of(step_secs);
        let start = tier.step_of(from_secs).max(end.saturating_sub(tier.span_secs())).min(end);
        let count = usize::try_from((end - start) / step_secs).expect("a tier's steps fit in memory");
        let mut values = vec![None; count];
        self.visit(key, tier, start..end, |at, value| {
            let index = usize::try_from((at - start) / step_secs).expect("it is in the range");
            raise(&mut values[index], value);
        })?;
        Ok(Series { start_secs: start, step_secs: tier.step_secs(), values })
    }

    /// The step that was recorded last, by the order in which rounds came, with its largest value: when it began, and the value.
    /// `None` for a series that is unknown or was only back-filled.
    ///
    /// # Errors
    /// When the disk cannot be read.
    pub fn last(&self, key: &SeriesKey) -> Result<Option<(u64, f64)>, HistoryError> {
        let read = self.db.begin_read()?;
        let Some(start) = find(&read, key)?.and_then(|(_, latest)| latest.step).map(|(start, _)| start) else {
            return Ok(None);
        };
        // Its row may have a larger one, from before the clock was set back.
        let step = self.series(key, Tier::FiveMinutes, start, start + 1)?;
        Ok(step.values.first().copied().flatten().map(|value| (start, value)))
    }

    /// Every value in whole steps of `range`, some twice: the latest step may be in its row too.
    fn visit(
        &self,
        key: &SeriesKey,
        tier: Tier,
        range: std::ops::Range<u64>,
        mut visit: impl FnMut(u64, f64),
    ) -> Result<(), HistoryError> {
        let read = self.db.begin_read()?;
        let Some((id, latest)) = find(&read, key)?.filter(|_| !range.is_empty()) else { return Ok(()) };
        let (first, last) = (tier.place(range.start).row, tier.place(range.end - 1).row);
        for stored in read.open_table(rows(tier))?.range((id, first)..=(id, last))? {
            let (place, bytes) = stored?;
            let starts = (tier.row_start(place.value().1)..).step_by(tier.step_secs() as usize);
            for (at, step) in starts.zip(decode(tier, bytes.value())) {
                if let Some(value) = step.filter(|_| range.contains(&at)) {
                    visit(at, value);
                }
            }
        }
        if let Some((at, value)) = latest.step.map(|(at, value)| (tier.step_of(at), value))
            && range.contains(&at)
        {
            visit(at, value);
        }
        Ok(())
    }
}

fn find(read: &ReadTransaction, key: &SeriesKey) -> Result<Option<(u32, Latest)>, HistoryError> {
    let Some(id) = read.open_table(SERIES)?.get(key.encode().as_slice())?.map(|id| id.value()) else {
        return Ok(None);
    };
    let latest = read.open_table(LATEST)?.get(id)?.map(|latest| Latest::from_stored(latest.value()));
    Ok(latest.map(|latest| (id, latest)))
}
