//! What is put back is of one moment, and so is what was there before.

use std::path::Path;
use std::time::Duration;

use rusqlite::Connection;
use sqlrev::Event;
use sqlrev::migrator::Backup;

use crate::library::{line, migrator, number, revision};

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

/// Beside a write-ahead log too: every row that another program commits is in a copy of what was there, or in what came
/// after it.
#[test]
fn what_another_program_commits_meanwhile_is_in_one_of_both() {
    const ROWS: usize = 30_000;
    let folder = tempfile::tempdir().unwrap();
    let path = folder.path().join("own.db");
    let mut db = Connection::open(&path).unwrap();
    let all = migrator(line(2)).backup(Backup::always());
    all.upgrade(&mut db).unwrap();
    db.execute_batch("PRAGMA journal_mode = WAL; CREATE TABLE seen (x); CREATE TABLE large (x);")
        .unwrap();
    db.execute_batch("INSERT INTO large VALUES (zeroblob(3000000))")
        .unwrap();
    let from = Backup::always().make(&mut db).unwrap().unwrap();
    let script: String = (0..ROWS)
        .map(|row| format!("INSERT INTO seen VALUES ({row});\n"))
        .collect();
    let file = folder.path().join("script.sql");
    std::fs::write(&file, format!(".bail on\n.timeout 100000\n{script}")).unwrap();
    let mut writer = std::process::Command::new("sqlite3")
        .arg(&path)
        .stdin(std::fs::File::open(&file).unwrap())
        .stdout(std::process::Stdio::null())
        .spawn()
        .unwrap();
    while number(&db, "SELECT count(*) FROM seen") == 0 && writer.try_wait().unwrap().is_none() {}
    let mut kept = Vec::new();
    while kept.len() < 10 && writer.try_wait().unwrap().is_none() {
        kept.extend(all.restore(&mut db, &from).unwrap());
    }
    assert!(writer.wait().unwrap().success());
    assert!(!kept.is_empty());
    let rows = |path: &Path| -> Vec<i64> {
        let db = Connection::open(path).unwrap();
        let mut statement = db.prepare("SELECT x FROM seen").unwrap();
        let rows = statement.query_map([], |row| row.get(0)).unwrap();
        rows.collect::<Result<_, _>>().unwrap()
    };
    let mut seen: Vec<i64> = kept.iter().flat_map(|copy| rows(copy)).chain(rows(&path)).collect();
    seen.sort_unstable();
    seen.dedup();
    assert_eq!(seen.len(), ROWS, "{} copies", kept.len());
}

/// A copy that cannot be made leaves the database as it was, and unlocked.
#[test]
fn nothing_is_put_back_beside_a_log_where_no_copy_can_be_made() {
    let folder = tempfile::tempdir().unwrap();
    let path = folder.path().join("own.db");
    let mut db = Connection::open(&path).unwrap();
    migrator(line(2)).upgrade(&mut db).unwrap();
    db.execute_batch("PRAGMA journal_mode = WAL; CREATE TABLE later (x)")
        .unwrap();
    let from = folder.path().join("from.db");
    db.execute("VACUUM INTO ?", [from.to_str().unwrap()]).unwrap();
    db.execute_batch("INSERT INTO later VALUES (1)").unwrap();
    let nowhere = migrator(line(2)).backup(Backup::always().folder(folder.path().join("own.db")));
    let error = nowhere.restore(&mut db, &from).unwrap_err();
    assert_eq!(error.code(), sqlrev::Code::FileIo, "{error}");
    let writer = impatient(&path);
    writer.execute_batch("INSERT INTO later VALUES (2)").unwrap();
    assert_eq!(number(&db, "SELECT count(*) FROM later"), 2);
    // With copies that can be made, it is put back, and the mode of the journal stays.
    migrator(line(2)).restore(&mut db, &from).unwrap().unwrap();
    assert_eq!(number(&writer, "SELECT count(*) FROM later"), 0);
    let mode: String = writer.query_row("PRAGMA journal_mode", [], |row| row.get(0)).unwrap();
    assert_eq!(mode, "wal");
}

/// The newest copy is the one that was made last, whatever the clock says.
#[test]
fn a_clock_that_goes_back_makes_no_copy_an_old_one() {
    let folder = tempfile::tempdir().unwrap();
    let path = folder.path().join("own.db");
    let mut db = Connection::open(&path).unwrap();
    migrator(line(2)).upgrade(&mut db).unwrap();
    let mut made = Vec::new();
    for at in [
        "2030-01-02T03:04:05Z",
        "2026-01-02T03:04:05Z",
        "2026-01-02T03:04:06Z",
        "2031-01-02T03:04:05Z",
    ] {
        db.execute("INSERT INTO a VALUES (2, 'two')", []).unwrap();
        let backup = Backup::always().keep(9).at(at.to_owned());
        made.insert(0, backup.make(&mut db).unwrap().unwrap());
    }
    assert_eq!(Backup::always().list(&path).unwrap(), made);
    let name = made[1].file_name().unwrap().to_str().unwrap();
    assert_eq!(name, "own.db.backup-20300102T030405Z-3");
}

/// Neither the database itself nor one of another application is put in its place, and nobody waits for that.
#[test]
fn the_database_itself_and_that_of_another_application_are_no_copies() {
    let folder = tempfile::tempdir().unwrap();
    let path = folder.path().join("own.db");
    let mut db = Connection::open(&path).unwrap();
    let all = migrator(line(2));
    all.upgrade(&mut db).unwrap();
    let refused = |db: &mut Connection, from: &Path, why: &str| {
        let error = all.restore(db, from).unwrap_err();
        assert_eq!(error.code(), sqlrev::Code::NotADatabase);
        assert!(error.message().contains(why), "{error}");
        assert!(all.is_up_to_date(db).unwrap());
    };
    refused(&mut db, &path, "is the database itself");
    let other = folder.path().join("other.db");
    let theirs = revision("zzzz", "", "", "CREATE TABLE z (x);", "");
    migrator(theirs.to_vec())
        .upgrade(&mut Connection::open(&other).unwrap())
        .unwrap();
    refused(
        &mut db,
        &other,
        "is of another database: nothing is known here of revision `zzzz`",
    );
    // An earlier state of it is, wherever it comes from.
    let earlier = folder.path().join("earlier.db");
    migrator(line(1))
        .upgrade(&mut Connection::open(&earlier).unwrap())
        .unwrap();
    all.restore(&mut db, &earlier).unwrap();
    assert!(!all.is_up_to_date(&mut db).unwrap());
}
