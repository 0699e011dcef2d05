//! Copies through SQLite's backup API: a moment of the database, whoever writes to it, and not the bytes of its file.

use std::fmt::Write as _;
use std::path::Path;
use std::time::Duration;

use rusqlite::backup::{Backup, StepResult};
use rusqlite::{Connection, OpenFlags};

use super::{Access, failed, prepare};
use crate::driver::{Driver, DriverError, Failure};

/// How many pages are copied between two questions whether to go on.
const PAGES: i32 = 4096;
/// The pause before a step is tried again that others held up.
const PAUSE: Duration = Duration::from_millis(20);

/// The bytes that the pages take.
pub(super) fn size(connection: &mut Connection) -> Option<u64> {
    let mut number = |pragma: &str| word(connection, pragma)?.parse::<u64>().ok();
    Some(number("PRAGMA page_count")? * number("PRAGMA page_size")?)
}

/// Whether a second connection can read what this one has locked for writing.
pub(super) fn while_locked(connection: &mut Connection) -> bool {
    word(connection, "PRAGMA locking_mode").as_deref() == Some("normal")
}

/// Copies the database into a file that is there and opens it. Where this connection has the database locked for
/// writing, another one reads what was there before; otherwise a transaction holds one moment, so that nobody who
/// writes meanwhile makes the copy begin anew.
pub(super) fn to(
    connection: &mut Connection,
    file: &Path,
    each: &mut dyn FnMut(u64, u64) -> bool,
) -> Result<Connection, DriverError> {
    let mut copy = super::open(file, Access::Create)?;
    if connection.is_autocommit() {
        Driver::execute(connection, "BEGIN")?;
        let copied = see(connection).and_then(|seen| {
            run(connection, &mut copy, &mut || true, each)?;
            is_whole(&mut copy, file, &seen)
        });
        let ended = Driver::execute(connection, "COMMIT");
        copied.and(ended)?;
        return Ok(copy);
    }
    let path = connection.path().unwrap_or_default().to_owned();
    let mut other = super::open(path.as_ref(), Access::Read)?;
    Driver::execute(&mut other, "BEGIN")?;
    let seen = see(&mut other)?;
    if seen != see(connection)? {
        return Err(DriverError::new("a second connection does not see the same database"));
    }
    run(&other, &mut copy, &mut || true, each)?;
    is_whole(&mut copy, file, &seen)?;
    Ok(copy)
}

/// Refuses a copy that is not as long as the database, or whose schema cannot be read. To read every page would take as
/// long as to copy it; that is done when the copy is put back.
fn is_whole(copy: &mut Connection, file: &Path, seen: &[Option<String>; 2]) -> Result<(), DriverError> {
    let [_, pages] = see(copy)?;
    let written = std::fs::metadata(file).map(|file| file.len()).ok();
    Driver::query(copy, "SELECT count(*) FROM sqlite_schema")?;
    let is_long_enough = written.zip(size(copy)).is_none_or(|(written, size)| written >= size);
    if pages == seen[1] && is_long_enough {
        return Ok(());
    }
    Err(DriverError::new(
        "the copy that was written is not as long as the database",
    ))
}

/// Keeps others from writing between the transactions of this connection, or lets them. `false` beside a write-ahead log,
/// which can keep nobody out while others have it open.
pub(super) fn keep(connection: &mut Connection, on: bool) -> Result<bool, DriverError> {
    if word(connection, "PRAGMA journal_mode").as_deref() == Some("wal") {
        return Ok(false);
    }
    if on {
        Driver::query(connection, "PRAGMA locking_mode = EXCLUSIVE")?;
        let locked =
            Driver::execute(connection, "BEGIN EXCLUSIVE").and_then(|()| Driver::execute(connection, "COMMIT"));
        if let Err(error) = locked {
            keep(connection, false)?;
            return Err(error);
        }
        return Ok(true);
    }
    Driver::query(connection, "PRAGMA locking_mode = NORMAL")?;
    // The lock goes with the next look at the file.
    Driver::query(connection, "PRAGMA schema_version")?;
    Ok(true)
}

/// Takes the lock for reading, and tells which database that is.
fn see(connection: &mut Connection) -> Result<[Option<String>; 2], DriverError> {
    let mut asked = |pragma: &str| {
        let rows = Driver::query(connection, pragma)?;
        Ok(rows.into_iter().flatten().next().flatten())
    };
    Ok([asked("PRAGMA schema_version")?, asked("PRAGMA page_count")?])
}

/// Puts a copy in the place of the database, when it is sound.
pub(super) fn from(
    connection: &mut Connection,
    file: &Path,
    each: &mut dyn FnMut(u64, u64) -> bool,
) -> Result<(), DriverError> {
    let copy = sound(connection, file)?;
    run(&copy, connection, &mut || true, each)
}

/// Likewise beside a write-ahead log, where others can read while this connection has the lock for writing.
pub(super) fn from_after(
    connection: &mut Connection,
    file: &Path,
    before: &mut dyn FnMut(&mut dyn Driver) -> bool,
    each: &mut dyn FnMut(u64, u64) -> bool,
) -> Result<bool, DriverError> {
    let path = match connection.path() {
        Some(path) if !path.is_empty() => path.to_owned(),
        _ => return Ok(false),
    };
    if word(connection, "PRAGMA journal_mode").as_deref() != Some("wal") {
        return Ok(false);
    }
    // What this connection was given, a key say, the other one may lack.
    let other = super::open(path.as_ref(), Access::Read).and_then(|mut other| see(&mut other).map(|_| other));
    let Ok(mut other) = other else {
        return Ok(false);
    };
    let copy = sound(connection, file)?;
    run(&copy, connection, &mut || before(&mut other), each).map(|()| true)
}

/// Opens a copy that is sound and fits.
fn sound(connection: &mut Connection, file: &Path) -> Result<Connection, DriverError> {
    let mut copy = shared(file)?;
    // One moment of the file, also where another program has it: it is locked for reading until it is put back.
    Driver::execute(&mut copy, "BEGIN")?;
    see(&mut copy)?;
    if let Some(word) = check(&mut copy)?.into_iter().next() {
        return Err(DriverError {
            failure: Failure::NotADatabase,
            ..DriverError::new(format!("the copy is damaged: {word}"))
        });
    }
    let sizes = [&mut copy, &mut *connection].map(|db| word(db, "PRAGMA page_size").unwrap_or_default());
    if sizes[0] != sizes[1] && word(connection, "PRAGMA journal_mode").as_deref() == Some("wal") {
        let message = format!(
            "its pages have {} bytes and those of the database {}, which cannot be changed beside a write-ahead log",
            sizes[0], sizes[1]
        );
        let mut error = DriverError::new(message);
        error.remarks.hint =
            Some("PRAGMA journal_mode = DELETE; put the copy back, then PRAGMA journal_mode = WAL".to_owned());
        return Err(error);
    }
    Ok(copy)
}

/// Opens a file that others may have open, with SQLite's locks. It is opened for writing, though nothing is written, so
/// that what stands beside one with a write-ahead log goes with the connection; where that cannot be, it is looked at as
/// a copy is.
fn shared(file: &Path) -> Result<Connection, DriverError> {
    let opened = super::open(file, Access::Write).and_then(|mut db| see(&mut db).map(|_| db));
    match opened {
        Err(error) if error.failure != Failure::Busy => open(file),
        opened => opened,
    }
}

/// Opens a copy to look at it. Nobody else writes to it, so no files for locks and logs are made beside it, unless it
/// has a log of its own.
pub fn open(file: &Path) -> Result<Connection, DriverError> {
    let has = |suffix: &str| {
        let mut beside = file.as_os_str().to_owned();
        beside.push(suffix);
        std::fs::metadata(beside).is_ok_and(|file| file.len() > 0)
    };
    if !cfg!(unix) || has("-wal") || has("-journal") {
        return super::open(file, Access::Read);
    }
    let mut uri = String::from(if file.is_absolute() { "file://" } else { "file:" });
    for byte in file.as_os_str().as_encoded_bytes() {
        match byte {
            b'a'..=b'z' | b'A'..=b'Z' | b'0'..=b'9' | b'/' | b'-' | b'_' | b'.' => uri.push(char::from(*byte)),
            other => {
                let _ = write!(uri, "%{other:02X}");
            }
        }
    }
    uri.push_str("?immutable=1");
    let flags = OpenFlags::SQLITE_OPEN_READ_ONLY | OpenFlags::SQLITE_OPEN_URI | OpenFlags::SQLITE_OPEN_NO_MUTEX;
    prepare(Connection::open_with_flags(uri, flags).map_err(|error| failed(&error, ""))?)
}

/// What is wrong with the database. A table whose indexes need a collation or a function that this connection does not
/// have is read page by page, without them.
pub(super) fn check(connection: &mut Connection) -> Result<Vec<String>, DriverError> {
    match findings(connection, "PRAGMA integrity_check") {
        Err(error) if error.failure == Failure::Statement => {}
        checked => return checked,
    }
    let tables = Driver::query(
        connection,
        "SELECT name FROM sqlite_schema WHERE type = 'table' AND rootpage > 0",
    )?;
    let mut wrong = Vec::new();
    for table in tables.into_iter().flatten().flatten() {
        let literal = table.replace('\'', "''");
        match findings(connection, &format!("PRAGMA integrity_check('{literal}')")) {
            Err(error) if error.failure == Failure::Statement => {
                let name = table.replace('"', "\"\"");
                Driver::query(connection, &format!("SELECT count(*) FROM \"{name}\" NOT INDEXED"))?;
            }
            checked => wrong.extend(checked?),
        }
    }
    Ok(wrong)
}

fn findings(connection: &mut Connection, pragma: &str) -> Result<Vec<String>, DriverError> {
    let words = Driver::query(connection, pragma)?.into_iter().flatten().flatten();
    Ok(words.filter(|word| word != "ok").collect())
}

fn word(connection: &mut Connection, pragma: &str) -> Option<String> {
    Driver::query(connection, pragma)
        .ok()?
        .into_iter()
        .next()?
        .into_iter()
        .next()?
}

/// Copies page by page; `before` is called when both are locked and no page is copied.
fn run(
    from: &Connection,
    to: &mut Connection,
    before: &mut dyn FnMut() -> bool,
    each: &mut dyn FnMut(u64, u64) -> bool,
) -> Result<(), DriverError> {
    let stopped = || DriverError {
        failure: Failure::Interrupted,
        ..DriverError::new("interrupted")
    };
    let backup = Backup::new(from, to).map_err(|error| failed(&error, ""))?;
    let mut begun = false;
    loop {
        // A step of no page takes the locks and copies nothing (backup.html).
        let pages = if begun { PAGES } else { 0 };
        match backup.step(pages).map_err(|error| failed(&error, ""))? {
            StepResult::Done => return Ok(()),
            // Nothing is locked yet, so the caller may try again.
            StepResult::Busy | StepResult::Locked if !begun => {
                return Err(DriverError {
                    failure: Failure::Busy,
                    ..DriverError::new("database is locked")
                });
            }
            StepResult::Busy | StepResult::Locked => std::thread::sleep(PAUSE),
            _ if !begun => {
                begun = true;
                if !before() {
                    return Err(stopped());
                }
                continue;
            }
            _ => {}
        }
        let progress = backup.progress();
        let pages = |count: i32| u64::try_from(count).unwrap_or(0);
        if !each(
            pages(progress.pagecount - progress.remaining),
            pages(progress.pagecount),
        ) {
            return Err(stopped());
        }
    }
}

#[cfg(test)]
mod tests {
    use rusqlite::functions::FunctionFlags;

    use super::*;

    fn with_own_function(file: &Path) {
        let db = Connection::open(file).unwrap();
        let flags = FunctionFlags::SQLITE_DETERMINISTIC | FunctionFlags::SQLITE_UTF8;
        db.create_scalar_function("mine", 1, flags, |context| context.get::<String>(0))
            .unwrap();
        db.execute_batch(
            "PRAGMA page_size = 1024;
             CREATE TABLE plain (x);
             CREATE TABLE own (x TEXT);
             CREATE INDEX own_x ON own (mine(x));
             WITH RECURSIVE n (i) AS (SELECT 1 UNION ALL SELECT i + 1 FROM n WHERE i < 2000)
             INSERT INTO own SELECT 'number ' || i FROM n;
             DROP INDEX own_x;
             INSERT INTO own SELECT x FROM own;
             CREATE INDEX own_x ON own (mine(x));
             INSERT INTO plain SELECT x FROM own;",
        )
        .unwrap();
    }

    #[test]
    #[expect(clippy::disallowed_methods, reason = "the test damages a file")]
    fn a_copy_with_functions_of_its_application_is_checked() {
        let folder = tempfile::tempdir().unwrap();
        let file = folder.path().join("own ?%#.db");
        with_own_function(&file);
        let sound = check(&mut open(&file).unwrap());
        assert_eq!(sound.unwrap(), Vec::<String>::new());
        let mut bytes = std::fs::read(&file).unwrap();
        // Every other page beyond the schema.
        bytes
            .chunks_mut(1024)
            .skip(1)
            .step_by(2)
            .for_each(|page| page.fill(0xff));
        std::fs::write(&file, &bytes).unwrap();
        let wrong = check(&mut open(&file).unwrap());
        assert!(!matches!(&wrong, Ok(found) if found.is_empty()), "{wrong:?}");
    }

    #[test]
    fn looking_at_a_copy_leaves_nothing_beside_it() {
        let folder = tempfile::tempdir().unwrap();
        let file = folder.path().join("log.db");
        let mut db = Connection::open(&file).unwrap();
        db.execute_batch("PRAGMA journal_mode = WAL; CREATE TABLE t (x)")
            .unwrap();
        let copy = folder.path().join("copy.db");
        to(&mut db, &copy, &mut |_, _| true).unwrap();
        drop(db);
        let mut seen = open(&copy).unwrap();
        assert_eq!(word(&mut seen, "SELECT count(*) FROM t").as_deref(), Some("0"));
        drop(seen);
        let mut names: Vec<_> = folder
            .path()
            .read_dir()
            .unwrap()
            .map(|entry| entry.unwrap().file_name())
            .collect();
        names.sort();
        assert_eq!(names, ["copy.db", "log.db"]);
    }

    #[test]
    fn a_copy_ends_while_another_connection_writes_and_is_of_one_moment() {
        let folder = tempfile::tempdir().unwrap();
        let file = folder.path().join("busy.db");
        let mut db = Connection::open(&file).unwrap();
        db.execute_batch(
            "PRAGMA journal_mode = WAL; PRAGMA synchronous = OFF; CREATE TABLE t (x); CREATE TABLE n (x);
             INSERT INTO t VALUES (zeroblob(40000000)); INSERT INTO n VALUES (0)",
        )
        .unwrap();
        let writer = Connection::open(&file).unwrap();
        // Each step of the copy finds that somebody has written.
        let (mut steps, mut begun) = (0, false);
        let copied = to(&mut db, &folder.path().join("copy.db"), &mut |_, _| {
            writer.execute_batch("UPDATE n SET x = x + 1").unwrap();
            begun = true;
            steps += 1;
            steps < 100
        });
        let mut copy = copied.unwrap();
        assert!(begun);
        assert_eq!(word(&mut copy, "SELECT x FROM n").as_deref(), Some("0"));
        // It is of the moment before a transaction that has the database.
        db.execute_batch("BEGIN IMMEDIATE").unwrap();
        let mut copy = to(&mut db, &folder.path().join("other.db"), &mut |_, _| true).unwrap();
        assert_eq!(word(&mut copy, "SELECT x FROM n"), Some(steps.to_string()));
    }
}
