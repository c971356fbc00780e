//! Batches on their way to CloudWatch, in a file that survives the process, or in memory.
//!
//! A round is written in one transaction, so that a crash leaves all of it or nothing; a batch is taken out in another one when
//! CloudWatch has it.

mod record;
#[cfg(test)]
mod tests;

use std::path::{Path, PathBuf};

use headroom_capacity::time::Time;
use redb::backends::InMemoryBackend;
use redb::{Builder, Database, ReadableDatabase, ReadableTable, TableDefinition};
use thiserror::Error;

use super::batch::Batch;
use crate::storage::storage_errors;

/// Batches by the order in which they came: time in milliseconds, points, and the batch itself.
const BATCHES: TableDefinition<'_, u64, (u64, u64, &[u8])> = TableDefinition::new("batches");
/// redb would take up to a gigabyte.
const CACHE_BYTES: usize = 4 << 20;

/// Why the spool does not work.
#[derive(Debug, Error)]
pub enum SpoolError {
    /// The file cannot be used.
    #[error("failed to open cloudwatch.spool_file {}: is another advisor using it? If it is damaged, move it away", .path.display())]
    Open {
        /// The file.
        path: PathBuf,
        /// The cause.
        source: Box<redb::Error>,
    },
    /// It could not be read or written.
    #[error("failed to read or write the CloudWatch spool")]
    Storage(#[from] Box<redb::Error>),
    /// Something else wrote into it.
    #[error("the CloudWatch spool has an entry that is no batch; move cloudwatch.spool_file away")]
    Record(#[from] prost::DecodeError),
}

storage_errors!(SpoolError);

/// A batch that waits.
#[derive(Clone, Debug, PartialEq)]
pub struct Entry {
    /// Its place in the spool.
    pub key: u64,
    /// The batch.
    pub batch: Batch,
}

/// The spool. Everything here may wait for the disk.
#[derive(Debug)]
pub struct Spool {
    db: Database,
    max_points: u64,
    points: u64,
    next_key: u64,
    /// The first batch of the round that came last.
    latest: u64,
    /// The entry that is being sent: it is not thrown away to make room.
    sending: Option<u64>,
}

impl Spool {
    /// The spool in `file`, which is made where there is none, or in memory.
    ///
    /// # Errors
    /// When the file cannot be opened, another process has it open, or it is something else.
    pub fn open(file: Option<&Path>, max_points: u64) -> Result<Spool, SpoolError> {
        let Some(path) = file else { return Spool::in_memory(max_points) };
        let mut builder = Builder::new();
        let db = builder.set_cache_size(CACHE_BYTES).create(path);
        let opened = db.map_err(SpoolError::from).and_then(|db| Spool::over(db, max_points));
        opened.map_err(|error| match error {
            SpoolError::Storage(source) => SpoolError::Open { path: path.to_owned(), source },
            other => other,
        })
    }

    /// A spool that is gone with the process.
    ///
    /// # Errors
    /// None that memory would give.
    pub fn in_memory(max_points: u64) -> Result<Spool, SpoolError> {
        let mut builder = Builder::new();
        Spool::over(builder.set_cache_size(CACHE_BYTES).create_with_backend(InMemoryBackend::new())?, max_points)
    }

    fn over(db: Database, max_points: u64) -> Result<Spool, SpoolError> {
        let write = db.begin_write()?;
        let (mut points, mut next_key) = (0, 0);
        for row in write.open_table(BATCHES)?.iter()? {
            let (key, value) = row?;
            points += value.value().1;
            next_key = key.value() + 1;
        }
        write.commit()?;
        Ok(Spool { db, max_points, points, next_key, latest: u64::MAX, sending: None })
    }

    /// Points that wait.
    #[must_use]
    pub const fn points(&self) -> u64 {
        self.points
    }

    /// Appends a round. Where it does not fit, the oldest batches go; how many points were in them.
    ///
    /// # Errors
    /// When the disk does not do it; nothing has changed then.
    pub fn push(&mut self, round: &[Batch]) -> Result<u64, SpoolError> {
        let write = self.db.begin_write()?;
        let (mut points, mut next_key, mut evicted) = (self.points, self.next_key, 0);
        {
            let mut table = write.open_table(BATCHES)?;
            for batch in round {
                let count = batch.data.len() as u64;
                table.insert(next_key, (batch.at.as_millis(), count, record::encode(batch).as_slice()))?;
                points += count;
                next_key += 1;
            }
            let mut surplus = points.saturating_sub(self.max_points);
            let goes = |key, (_, count, _): (u64, u64, &[u8])| {
                let goes = surplus > 0 && Some(key) != self.sending;
                surplus = surplus.saturating_sub(if goes { count } else { 0 });
                goes
            };
            for row in table.extract_if(goes)? {
                evicted += row?.1.value().1;
            }
        }
        write.commit()?;
        (self.latest, self.next_key, self.points) = (self.next_key, next_key, points - evicted);
        Ok(evicted)
    }

    /// The batch to send next: of the round that came last, as long as there is one of it, then the oldest. After an outage the
    /// alarms so have today's figures at once, while the backlog follows.
    ///
    /// # Errors
    /// When the disk cannot be read.
    pub fn first(&mut self) -> Result<Option<Entry>, SpoolError> {
        let table = self.db.begin_read()?.open_table(BATCHES)?;
        let first = match table.range(self.latest..)?.next() {
            Some(row) => Some(row?),
            None => table.first()?,
        };
        let Some((key, value)) = first else { return Ok(None) };
        let (at, _, bytes) = value.value();
        let entry = Entry { key: key.value(), batch: record::decode(Time::from_millis(at), bytes)? };
        self.sending = Some(entry.key);
        Ok(Some(entry))
    }

    /// Takes an entry out: it was acknowledged, or is given up.
    ///
    /// # Errors
    /// When the disk does not do it; the entry is still there then.
    pub fn remove(&mut self, key: u64) -> Result<(), SpoolError> {
        self.replace(key, &[])
    }

    /// Puts two halves in place of an entry of several data, so that what is acknowledged of one is not sent again with the
    /// other. They are next.
    ///
    /// # Errors
    /// When the disk does not do it; the entry is still there then.
    pub fn halve(&mut self, entry: Entry) -> Result<(), SpoolError> {
        let Entry { key, mut batch } = entry;
        let second = batch.data.split_off(batch.data.len() / 2);
        let halves = [Batch { data: second, ..batch.clone() }, batch];
        self.replace(key, &halves)
    }

    fn replace(&mut self, key: u64, by: &[Batch]) -> Result<(), SpoolError> {
        let write = self.db.begin_write()?;
        let (mut points, mut next_key) = (self.points, self.next_key);
        {
            let mut table = write.open_table(BATCHES)?;
            if let Some(removed) = table.remove(key)? {
                points -= removed.value().1;
            }
            for batch in by {
                let count = batch.data.len() as u64;
                table.insert(next_key, (batch.at.as_millis(), count, record::encode(batch).as_slice()))?;
                points += count;
                next_key += 1;
            }
        }
        write.commit()?;
        if !by.is_empty() {
            self.latest = self.latest.min(self.next_key);
        }
        (self.points, self.next_key, self.sending) = (points, next_key, None);
        Ok(())
    }
}
