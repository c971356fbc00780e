//! Files that are not as they should be.

use redb::{Database, ReadableDatabase, TableDefinition};

use super::*;

fn open(file: &Path) -> Result<History, HistoryError> {
    History::open(Some(file), Limits::default())
}

/// Two days of three series.
fn filled(file: &Path) {
    let history = open(file).unwrap();
    for step in 0..576 {
        let round = ["a", "b", "c"].map(|id| (used(id), 100.0 + (step % 7) as f64));
        history.record(START + step * 300, &round).unwrap();
    }
}

fn with_meta(file: &Path, format: u64) {
    let db = Database::create(file).unwrap();
    let write = db.begin_write().unwrap();
    write.open_table(TableDefinition::<&str, u64>::new("meta")).unwrap().insert("format", format).unwrap();
    write.commit().unwrap();
}

#[test]
fn it_has_one_user_and_is_there_after_the_process() {
    let dir = tempfile::tempdir().unwrap();
    let file = dir.path().join("history.redb");
    let history = open(&file).unwrap();
    record(&history, START, 1.0);
    record(&history, START + 300, 2.0);
    let error = open(&file).unwrap_err();
    assert!(matches!(error, HistoryError::Open { .. }) && error.to_string().contains("history.redb"), "{error}");
    drop(history);
    let history = open(&file).unwrap();
    assert_eq!(minutes(&history, START, START + 600), [(0, 1.0), (300, 2.0)]);
    assert_eq!(history.last(&used("a")).unwrap(), Some((START + 300, 2.0)));
}

#[test]
fn after_a_kill_every_round_that_was_recorded_is_there() {
    let dir = tempfile::tempdir().unwrap();
    let (file, copy) = (dir.path().join("history.redb"), dir.path().join("copy.redb"));
    let history = open(&file).unwrap();
    for step in 0..20 {
        record(&history, START + step * 150, step as f64);
        // What a process that is killed now leaves behind.
        std::fs::copy(&file, &copy).unwrap();
        let after = open(&copy).unwrap();
        assert_eq!(minutes(&after, START, START + 7200), minutes(&history, START, START + 7200));
        assert_eq!(after.last(&used("a")).unwrap().map(|last| last.1), Some(step as f64));
    }
}

#[test]
fn another_version_is_refused_by_name_and_left_alone() {
    let dir = tempfile::tempdir().unwrap();
    let file = dir.path().join("history.redb");
    filled(&file);
    for found in [FORMAT + 1, 0] {
        with_meta(&file, found);
        let error = open(&file).unwrap_err().to_string();
        for part in
            ["history.redb", &format!("format {found}"), &format!("reads format {FORMAT}"), "move the file away"]
        {
            assert!(error.contains(part), "{error}");
        }
    }
    with_meta(&file, FORMAT);
    assert_eq!(minutes(&open(&file).unwrap(), START, START + 300), [(0, 100.0)]);
}

#[test]
fn somebody_elses_tables_are_left_alone() {
    let dir = tempfile::tempdir().unwrap();
    let file = dir.path().join("spool.redb");
    let batches: TableDefinition<'_, u64, u64> = TableDefinition::new("batches");
    let db = Database::create(&file).unwrap();
    let write = db.begin_write().unwrap();
    write.open_table(batches).unwrap().insert(1, 2).unwrap();
    write.commit().unwrap();
    drop(db);
    assert!(matches!(open(&file), Err(HistoryError::Foreign { .. })));
    let db = Database::open(&file).unwrap();
    assert_eq!(db.begin_read().unwrap().list_tables().unwrap().count(), 1);
}

#[test]
fn a_kind_of_a_later_version_is_passed_over() {
    let dir = tempfile::tempdir().unwrap();
    let file = dir.path().join("history.redb");
    filled(&file);
    let db = Database::create(&file).unwrap();
    let write = db.begin_write().unwrap();
    write.open_table(TableDefinition::<&[u8], u32>::new("series")).unwrap().insert(&b"\xc8id"[..], 99).unwrap();
    write.commit().unwrap();
    drop(db);
    let history = open(&file).unwrap();
    assert_eq!(history.keys().unwrap(), ["a", "b", "c"].map(used));
    record(&history, START + 576 * 300, 1.0);
}

#[test]
fn a_file_that_is_cut_short_or_changed_is_set_aside() {
    let dir = tempfile::tempdir().unwrap();
    let (file, good) = (dir.path().join("history.redb"), dir.path().join("good.redb"));
    filled(&good);
    let whole = std::fs::read(&good).unwrap();
    let aside = dir.path().join("history.redb.damaged");
    for length in [1, 100, 4096, 5000, whole.len() / 2, whole.len() - 4096, whole.len() - 1] {
        std::fs::write(&file, &whole[..length]).unwrap();
        let history = open(&file).unwrap_or_else(|error| panic!("{length}: {error:?}"));
        assert_eq!(history.keys().unwrap(), [], "{length}");
        assert_eq!(std::fs::metadata(&aside).unwrap().len(), length as u64, "as it was");
        record(&history, START, 1.0);
    }
    std::fs::write(&file, "not a history, but somebody's notes").unwrap();
    open(&file).unwrap();
    assert_eq!(std::fs::read_to_string(&aside).unwrap(), "not a history, but somebody's notes");
}

#[test]
fn whatever_bytes_are_changed_nothing_panics() {
    let dir = tempfile::tempdir().unwrap();
    let (file, good) = (dir.path().join("history.redb"), dir.path().join("good.redb"));
    filled(&good);
    let whole = std::fs::read(&good).unwrap();
    // One in each page, and each of the header's.
    let places = (0..320).chain((320..whole.len()).step_by(4096 + 7));
    for place in places {
        let mut bytes = whole.clone();
        bytes[place] ^= 0x5a;
        std::fs::write(&file, &bytes).unwrap();
        let history = open(&file).unwrap_or_else(|error| panic!("{place}: {error:?}"));
        history.record(START + 600 * 300, &[(used("a"), 1.0)]).unwrap();
        history.series(&used("b"), Tier::Hour, START, START + 3 * 86_400).unwrap();
    }
}

#[test]
fn a_file_that_cannot_be_made_is_said() {
    let dir = tempfile::tempdir().unwrap();
    let error = open(&dir.path().join("nowhere/history.redb")).unwrap_err();
    assert!(matches!(error, HistoryError::Open { .. }), "{error:?}");
}
