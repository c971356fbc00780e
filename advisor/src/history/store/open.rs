//! Opening: a new file, ours, one of another version, somebody else's, or a damaged one.

use std::ffi::OsString;
use std::io::ErrorKind;
use std::path::{Path, PathBuf};

use redb::backends::InMemoryBackend;
use redb::{Builder, Database, ReadableTable, TableHandle};

use super::tables::{META, create};
use super::{History, HistoryError};
use crate::history::Limits;

/// The format of the file that this version writes. It goes up when an earlier version would misread what a later one writes.
pub const FORMAT: u64 = 1;

/// redb would take up to a gigabyte. The rows of both tiers that a step's end changes are below 1 KB a series.
const CACHE_BYTES: usize = 16 << 20;
/// What is added to a damaged file's name.
const ASIDE: &str = ".damaged";

impl History {
    /// The history in `path`, which is made where there is none, or in memory: that one is gone with the process.
    ///
    /// The whole file is read and checked. A damaged one is renamed to `<path>.damaged`, in place of an earlier one of that name,
    /// and a new one is begun.
    ///
    /// # Errors
    /// When another process has it open, it cannot be read or written, it is of another version or somebody else's. It is as it
    /// was then.
    pub fn open(path: Option<&Path>, limits: Limits) -> Result<History, HistoryError> {
        let Some(path) = path else {
            let db = builder().create_with_backend(InMemoryBackend::new())?;
            return begin(&db).map(|_| History { db, limits });
        };
        let refused = match open_file(path) {
            Ok(db) => return Ok(History { db, limits }),
            Err(error) => error,
        };
        let damage = match refused {
            HistoryError::Storage(error) if is_damage(&error) => error,
            HistoryError::Storage(source) => return Err(HistoryError::Open { path: path.to_owned(), source }),
            other => return Err(other),
        };
        let aside = set_aside(path)?;
        tracing::warn!(
            file = %path.display(),
            set_aside = %aside.display(),
            error = %damage,
            "the history file was damaged; a new one is begun"
        );
        Ok(History { db: open_file(path)?, limits })
    }
}

fn builder() -> Builder {
    let mut builder = Builder::new();
    // A plain open trusts the file, and may panic later on one that something else has changed.
    builder.set_cache_size(CACHE_BYTES).set_check_integrity_on_open(true);
    builder
}

fn open_file(path: &Path) -> Result<Database, HistoryError> {
    let db = builder().create(path)?;
    match begin(&db)? {
        Content::Ours => Ok(db),
        Content::Format(found) => Err(HistoryError::Format { path: path.to_owned(), found }),
        Content::Foreign => Err(HistoryError::Foreign { path: path.to_owned() }),
    }
}

enum Content {
    Ours,
    Format(u64),
    Foreign,
}

/// Makes the tables where there are none. An older format would be brought up to date here, in the same transaction; the first has
/// none before it.
fn begin(db: &Database) -> Result<Content, HistoryError> {
    let write = db.begin_write()?;
    let names: Vec<String> = write.list_tables()?.map(|table| table.name().to_owned()).collect();
    if names.is_empty() {
        create(&write)?;
        write.open_table(META)?.insert("format", FORMAT)?;
    } else if !names.iter().any(|name| name == META.name()) {
        return Ok(Content::Foreign);
    }
    let found = write.open_table(META)?.get("format")?.map(|format| format.value());
    match found {
        Some(FORMAT) => {
            write.commit()?;
            Ok(Content::Ours)
        }
        Some(other) => Ok(Content::Format(other)),
        None => Ok(Content::Foreign),
    }
}

/// The bytes are at fault, and not the disk, another process or a right.
fn is_damage(error: &redb::Error) -> bool {
    match error {
        redb::Error::Corrupted(_) => true,
        redb::Error::Io(error) => matches!(error.kind(), ErrorKind::InvalidData | ErrorKind::UnexpectedEof),
        _ => false,
    }
}

/// Only one is kept, so that a disk that damages every file does not fill up.
fn set_aside(path: &Path) -> Result<PathBuf, HistoryError> {
    let mut name = OsString::from(path);
    name.push(ASIDE);
    let aside = PathBuf::from(name);
    std::fs::rename(path, &aside).map_err(|source| HistoryError::SetAside { path: path.to_owned(), source })?;
    Ok(aside)
}
