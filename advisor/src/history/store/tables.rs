//! The tables, in a transaction that writes.

use redb::{ReadableTable, ReadableTableMetadata, Table, TableDefinition, WriteTransaction};

use super::HistoryError;
use crate::history::latest::{Days, Latest};
use crate::history::tier::{Tier, surplus};
use crate::history::{SeriesKey, row};

/// `format`, `next_id`, and the days with rounds.
pub(super) const META: TableDefinition<'_, &str, u64> = TableDefinition::new("meta");
/// The number of each series, by the bytes of its key: rows then have keys of 8 bytes.
pub(super) const SERIES: TableDefinition<'_, &[u8], u32> = TableDefinition::new("series");
/// [`Latest`] of each, by its number.
pub(super) const LATEST: TableDefinition<'_, u32, (u32, u64, f64)> = TableDefinition::new("latest");

/// Packed steps by series and row.
pub(super) type Rows<'a> = TableDefinition<'a, (u32, u32), &'static [u8]>;

pub(super) const fn rows(tier: Tier) -> Rows<'static> {
    match tier {
        Tier::FiveMinutes => Rows::new("rows_5m"),
        Tier::Hour => Rows::new("rows_1h"),
    }
}

/// All of them, empty.
pub(super) fn create(write: &WriteTransaction) -> Result<(), HistoryError> {
    Tables::open(write).map(drop)
}

/// Every table but `META`'s format.
pub(super) struct Tables<'t> {
    meta: Table<'t, &'static str, u64>,
    series: Table<'t, &'static [u8], u32>,
    latest: Table<'t, u32, (u32, u64, f64)>,
    minutes: Table<'t, (u32, u32), &'static [u8]>,
    hours: Table<'t, (u32, u32), &'static [u8]>,
}

impl<'t> Tables<'t> {
    pub(super) fn open(write: &'t WriteTransaction) -> Result<Tables<'t>, HistoryError> {
        Ok(Tables {
            meta: write.open_table(META)?,
            series: write.open_table(SERIES)?,
            latest: write.open_table(LATEST)?,
            minutes: write.open_table(rows(Tier::FiveMinutes))?,
            hours: write.open_table(rows(Tier::Hour))?,
        })
    }

    pub(super) fn days(&self) -> Result<Days, HistoryError> {
        let number = |name| Ok::<_, HistoryError>(self.meta.get(name)?.map_or(0, |number| number.value()));
        Ok(Days { today: number("today")?, count: u32::try_from(number("days")?).unwrap_or(u32::MAX) })
    }

    pub(super) fn set_days(&mut self, days: Days) -> Result<(), HistoryError> {
        self.meta.insert("today", days.today)?;
        self.meta.insert("days", u64::from(days.count))?;
        Ok(())
    }

    /// The number of a series and its end; `None` where it is new and there are `max_series`.
    pub(super) fn find_or_add(
        &mut self,
        key: &SeriesKey,
        day: u32,
        max_series: u64,
    ) -> Result<Option<(u32, Latest)>, HistoryError> {
        let bytes = key.encode();
        let new = Latest { day, step: None };
        if let Some(id) = self.series.get(bytes.as_slice())? {
            let latest = self.latest.get(id.value())?;
            return Ok(Some((id.value(), latest.map_or(new, |latest| Latest::from_stored(latest.value())))));
        }
        if self.series.len()? >= max_series {
            return Ok(None);
        }
        let next = self.meta.get("next_id")?.map_or(0, |id| id.value());
        // Never reached: 10,000 new series a day would take 1,000 years.
        let Ok(id) = u32::try_from(next) else { return Ok(None) };
        self.meta.insert("next_id", next + 1)?;
        self.series.insert(bytes.as_slice(), id)?;
        self.set_latest(id, new)?;
        Ok(Some((id, new)))
    }

    pub(super) fn set_latest(&mut self, id: u32, latest: Latest) -> Result<(), HistoryError> {
        self.latest.insert(id, latest.stored())?;
        Ok(())
    }

    /// Forgets every series that has been idle for more than `idle_days`; how many.
    pub(super) fn forget_idle(&mut self, days: Days, idle_days: u32) -> Result<u64, HistoryError> {
        let mut idle = Vec::new();
        for series in self.series.iter()? {
            let (key, id) = series?;
            let latest = self.latest.get(id.value())?;
            if latest.is_none_or(|latest| days.is_idle(latest.value().0, idle_days)) {
                idle.push((key.value().to_owned(), id.value()));
            }
        }
        for (key, id) in &idle {
            self.series.remove(key.as_slice())?;
            self.latest.remove(id)?;
            for tier in Tier::ALL {
                self.rows_of(*tier).retain_in((*id, 0)..=(*id, u32::MAX), |_, _| false)?;
            }
        }
        Ok(idle.len() as u64)
    }

    fn rows_of(&mut self, tier: Tier) -> &mut Table<'t, (u32, u32), &'static [u8]> {
        match tier {
            Tier::FiveMinutes => &mut self.minutes,
            Tier::Hour => &mut self.hours,
        }
    }

    /// Changes a row of a series, and begins it where there is none; `false` where it is too old to be kept. `now_secs` tells
    /// which are.
    pub(super) fn change(
        &mut self,
        tier: Tier,
        (id, row): (u32, u32),
        now_secs: u64,
        change: impl FnOnce(&mut [Option<f64>]),
    ) -> Result<bool, HistoryError> {
        let table = self.rows_of(tier);
        let stored = table.get((id, row))?.map(|bytes| decode(tier, bytes.value()));
        if stored.is_none() && !make_room(table, tier, (id, row), now_secs)? {
            return Ok(false);
        }
        let mut steps = stored.unwrap_or_else(|| vec![None; tier.steps_per_row()]);
        change(&mut steps);
        table.insert((id, row), row::encode(&steps).as_slice())?;
        Ok(true)
    }
}

/// The steps of a row. One that is no row, though its page's checksum is right, is as if it were not there: the rest of the
/// history is worth more.
pub(super) fn decode(tier: Tier, bytes: &[u8]) -> Vec<Option<f64>> {
    row::decode(bytes, tier.steps_per_row()).unwrap_or_else(|error| {
        tracing::warn!(%error, tier = tier.label(), "a part of the history is left out");
        vec![None; tier.steps_per_row()]
    })
}

/// Takes out the rows that a new one displaces; `false` where that would be the new one itself.
fn make_room(
    table: &mut Table<'_, (u32, u32), &'static [u8]>,
    tier: Tier,
    (id, new): (u32, u32),
    now_secs: u64,
) -> Result<bool, HistoryError> {
    let mut rows = vec![new];
    for row in table.range((id, 0)..=(id, u32::MAX))? {
        rows.push(row?.0.value().1);
    }
    let goes = surplus(&rows, tier.place(now_secs).row, tier.max_rows());
    if goes.contains(&new) {
        return Ok(false);
    }
    for row in goes {
        table.remove((id, row))?;
    }
    Ok(true)
}
