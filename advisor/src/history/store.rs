//! The file.
//!
//! A round is one transaction, on the disk when `record` returns (redb's `Durability::Immediate`, an fsync a round): a SIGKILL or
//! a power cut loses the round that was being written and no other, and the file is as it was before that one. Nothing is kept in
//! the process: a transaction that fails has changed nothing.

mod fill;
mod open;
mod read;
mod tables;
mod write;

use std::path::PathBuf;

use redb::Database;
use thiserror::Error;

use super::Limits;
use crate::storage::storage_errors;
pub use fill::Backfilled;
pub use open::FORMAT;
pub use write::Recorded;

/// Why the history does not work.
#[derive(Debug, Error)]
pub enum HistoryError {
    /// The file cannot be used.
    #[error("failed to open history.path {}: is another advisor using it, is its directory there, may it be written?", .path.display())]
    Open {
        /// The file.
        path: PathBuf,
        /// The cause.
        source: Box<redb::Error>,
    },
    /// A good file, and something else's.
    #[error("history.path {} is no history: it has other tables; set history.path to a file of its own", .path.display())]
    Foreign {
        /// The file.
        path: PathBuf,
    },
    /// A file of another version.
    #[error(
        "history.path {} has format {found}, and this version reads format {FORMAT}: run the version that wrote it, or move the \
         file away to begin a new one",
        .path.display()
    )]
    Format {
        /// The file.
        path: PathBuf,
        /// What it has.
        found: u64,
    },
    /// A damaged file is in the way.
    #[error("failed to move the damaged history.path {} out of the way; move it yourself", .path.display())]
    SetAside {
        /// The file.
        path: PathBuf,
        /// The cause.
        source: std::io::Error,
    },
    /// It could not be read or written.
    #[error("failed to read or write the history")]
    Storage(#[from] Box<redb::Error>),
}

storage_errors!(HistoryError);

/// The history. Everything here may wait for the disk; one call writes at a time.
#[derive(Debug)]
pub struct History {
    db: Database,
    limits: Limits,
}

#[cfg(test)]
impl History {
    /// Rows of all series, and their bytes.
    pub(super) fn stored_rows(&self, tier: super::Tier) -> (usize, usize) {
        use redb::{ReadableDatabase, ReadableTable};
        let read = self.db.begin_read().unwrap();
        let table = read.open_table(tables::rows(tier)).unwrap();
        let sizes = table.iter().unwrap().map(|row| row.unwrap().1.value().len());
        sizes.fold((0, 0), |(rows, bytes), len| (rows + 1, bytes + len))
    }
}
