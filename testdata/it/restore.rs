//! What is put back is of one moment, and so is what was there before.

use std::path::Path;
use std::time::Duration;

use rusqlite::Connection;
use sqlrev::Event;
use sqlrev::migrator::Backup;

use crate::library::{line, migrator, number};

/// Another program, which hears at once that it may not write.
fn impatient(path: &Path) -> Connection {
    let writer = Connection::open(path).expect("a database");
    writer.busy_timeout(Duration::ZERO).expect("a setting");
    writer
}

/// A file that another program writes to is put back as it is at one moment, and nothing stays beside it.
#[test]
fn a_file_in_use_is_put_back_whole() {
    for journal in ["DELETE", "WAL"] {
        let folder = tempfile::tempdir().unwrap();
        let path = folder.path().join("own.db");
        let mut db = Connection::open(&path).unwrap();
        let all = migrator(line(2)).backup(Backup::always());
        all.upgrade(&mut db).unwrap();
        let other = folder.path().join("other.db");
        db.execute("VACUUM INTO ?", [other.to_str().unwrap()]).unwrap();
        let writer = Connection::open(&other).unwrap();
        writer.pragma_update(None, "journal_mode", journal).unwrap();
        writer
            .execute_batch(
                "CREATE TABLE pair (x, y); INSERT INTO pair VALUES (0, 0); BEGIN IMMEDIATE; UPDATE pair SET x = 1",
            )
            .unwrap();
        // Half of a change is in the file or in its log, and is not taken.
        all.restore(&mut db, &other).unwrap();
        assert_eq!(number(&db, "SELECT x FROM pair"), 0, "{journal}");
        writer.execute_batch("COMMIT").unwrap();
        drop(writer);
        all.restore(&mut db, &other).unwrap();
        assert_eq!(number(&db, "SELECT x FROM pair"), 1, "{journal}");
        let entries = std::fs::read_dir(folder.path()).unwrap();
        let left: Vec<String> = entries
            .map(|entry| entry.unwrap().file_name().to_string_lossy().into_owned())
            .collect();
        assert!(!left.iter().any(|name| name.starts_with("other.db-")), "{left:?}");
    }
}

/// Nobody writes between the copy of what is there and its replacement.
#[test]
fn nothing_is_written_between_a_copy_and_its_replacement() {
    let folder = tempfile::tempdir().unwrap();
    let path = folder.path().join("own.db");
    let mut db = Connection::open(&path).unwrap();
    let all = migrator(line(2)).backup(Backup::always());
    db.execute_batch("PRAGMA page_size = 512").unwrap();
    migrator(line(1)).upgrade(&mut db).unwrap();
    // More than is copied in one go.
    db.execute_batch("CREATE TABLE large (x); INSERT INTO large VALUES (zeroblob(3000000))")
        .unwrap();
    all.upgrade(&mut db).unwrap();
    let from = Backup::always().list(&path).unwrap().remove(0);
    let writer = impatient(&path);
    let mut heard = 0;
    let mut hear = |event: Event<'_>| {
        if let Event::Copying { .. } = event {
            heard += 1;
            writer.execute_batch("CREATE TABLE meanwhile (x)").unwrap_err();
        }
    };
    all.run(&mut db).events(&mut hear).restore(&from).unwrap();
    assert!(heard >= 2, "{heard}");
    writer.execute_batch("CREATE TABLE afterwards (x)").unwrap();
    assert_eq!(
        number(&db, "SELECT count(*) FROM sqlite_schema WHERE name = 'afterwards'"),
        1
    );
}

/// While a file is put back it is locked for reading, so that no half of a change is taken.
#[test]
fn a_file_is_not_changed_while_it_is_put_back() {
    let folder = tempfile::tempdir().unwrap();
    let mut db = Connection::open(folder.path().join("own.db")).unwrap();
    let all = migrator(line(2));
    all.upgrade(&mut db).unwrap();
    let other = folder.path().join("other.db");
    db.execute("VACUUM INTO ?", [other.to_str().unwrap()]).unwrap();
    let writer = impatient(&other);
    writer
        .execute_batch("CREATE TABLE large (x); INSERT INTO large VALUES (zeroblob(40000000))")
        .unwrap();
    let mut heard = 0;
    let mut hear = |event: Event<'_>| {
        if let Event::Copying { .. } = event {
            heard += 1;
            writer.execute_batch("UPDATE large SET x = 'half'").unwrap_err();
        }
    };
    all.run(&mut db).events(&mut hear).restore(&other).unwrap();
    assert!(heard >= 1, "{heard}");
    assert_eq!(number(&db, "SELECT length(x) FROM large"), 40_000_000);
    // One that is just being written has to come to its end first.
    writer
        .execute_batch("PRAGMA cache_size = 1; BEGIN; UPDATE large SET x = zeroblob(1000000)")
        .unwrap();
    let soon = migrator(line(2)).lock_timeout(Duration::from_millis(50));
    let error = soon.restore(&mut db, &other).unwrap_err();
    assert_eq!(error.code(), sqlrev::Code::LockTimeout, "{error}");
    assert_eq!(number(&db, "SELECT length(x) FROM large"), 40_000_000);
}
