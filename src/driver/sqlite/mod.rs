//! SQLite through `rusqlite`.

mod copy;
mod exclusive;
mod holder;
mod reading;
#[cfg(feature = "batch")]
mod resolve;
#[cfg(feature = "cli")]
mod row;
pub(crate) mod space;

pub use copy::open as open_copy;

use std::path::{Path, PathBuf};
use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering};
use std::time::Duration;

use rusqlite::config::DbConfig;
use rusqlite::fallible_iterator::FallibleIterator;
use rusqlite::ffi::ErrorCode;
use rusqlite::functions::FunctionFlags;
use rusqlite::types::{Null, ValueRef};
use rusqlite::{Batch, Connection, OpenFlags};

#[cfg(feature = "batch")]
use crate::dialect::ColumnRead;
use crate::dialect::sqlite::Sqlite;
use crate::dialect::{Dialect, Rows, Setting};
use crate::driver::{Driver, DriverError, Failure};

/// How long SQLite itself waits for a lock before the caller hears of it; the caller tries again as long as it likes.
const WAIT: Duration = Duration::from_millis(100);

/// The most columns that a query asked row by row may have.
const COLUMNS: usize = 4;
/// After how many instructions of its virtual machine SQLite counts on.
const STEPS: i32 = 10_000;

/// What may be done with a database file.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
#[non_exhaustive]
pub enum Access {
    /// Read it; a file that is not there is an error.
    Read,
    /// Read and write it; a file that is not there is an error.
    Write,
    /// Read and write it, and create the file when it is not there.
    Create,
}

/// Opens a database file with foreign keys enforced.
pub fn open(path: &Path, access: Access) -> Result<Connection, DriverError> {
    let flags = match access {
        Access::Read => OpenFlags::SQLITE_OPEN_READ_ONLY,
        Access::Write => OpenFlags::SQLITE_OPEN_READ_WRITE,
        Access::Create => OpenFlags::SQLITE_OPEN_READ_WRITE | OpenFlags::SQLITE_OPEN_CREATE,
    };
    reading::is_file(path)?;
    let connection = Connection::open_with_flags(path, flags | OpenFlags::SQLITE_OPEN_NO_MUTEX);
    let connection = prepare(connection.map_err(|error| failed(&error, ""))?)?;
    if access == Access::Read {
        reading::recover(&connection, path)?;
    }
    Ok(connection)
}

/// Opens an empty database in memory with foreign keys enforced.
pub fn memory() -> Result<Connection, DriverError> {
    prepare(Connection::open_in_memory().map_err(|error| failed(&error, ""))?)
}

fn prepare(connection: Connection) -> Result<Connection, DriverError> {
    let ready = || {
        connection.busy_timeout(WAIT)?;
        connection.set_db_config(DbConfig::SQLITE_DBCONFIG_ENABLE_FKEY, true)
    };
    ready().map_err(|error| failed(&error, ""))?;
    Ok(connection)
}

impl Driver for Connection {
    fn dialect(&self) -> &'static dyn Dialect {
        &Sqlite
    }

    fn execute(&mut self, sql: &str) -> Result<(), DriverError> {
        run(self, sql, |_| Ok(())).map_err(|error| explained(self, failed(&error, sql)))
    }

    // An application's scripts are short, and its program is to be small.
    #[cfg(feature = "cli")]
    fn queue(&mut self, sql: &str, ticket: Option<u64>) -> Result<(), DriverError> {
        let ran = match row::run(self, sql) {
            Some(ran) => ran.map_err(|error| explained(self, failed(&error, sql))),
            None => self.execute(sql),
        };
        ran.map_err(|error| DriverError { ticket, ..error })
    }

    fn query(&mut self, sql: &str) -> Result<Rows, DriverError> {
        let mut rows = Rows::new();
        let keep = |row: &rusqlite::Row<'_>| {
            let columns = row.as_ref().column_count();
            let values = (0..columns).map(|i| Ok(text(row.get_ref(i)?)));
            rows.push(values.collect::<rusqlite::Result<_>>()?);
            Ok(())
        };
        run(self, sql, keep).map_err(|error| explained(self, failed(&error, sql)))?;
        Ok(rows)
    }

    fn each_row(&mut self, sql: &str, each: &mut dyn FnMut(&[Option<&str>]) -> bool) -> Result<(), DriverError> {
        let mut look = || -> rusqlite::Result<()> {
            let mut statement = self.prepare(sql)?;
            let columns = statement.column_count();
            let mut rows = statement.raw_query();
            while let Some(row) = rows.next()? {
                let mut row_of = [None; COLUMNS];
                for (at, value) in row_of.iter_mut().enumerate().take(columns.min(COLUMNS)) {
                    *value = row.get_ref(at)?.as_str_or_null()?;
                }
                if !each(&row_of[..columns.min(COLUMNS)]) {
                    break;
                }
            }
            Ok(())
        };
        look().map_err(|error| failed(&error, sql))
    }

    fn connection(&mut self) -> Option<&mut dyn std::any::Any> {
        Some(self)
    }

    fn file(&self) -> Option<PathBuf> {
        self.path().filter(|path| !path.is_empty()).map(PathBuf::from)
    }

    fn is_in_memory(&self) -> bool {
        // None is a name that is not UTF-8.
        self.path() == Some("")
    }

    fn size(&mut self) -> Option<u64> {
        copy::size(self)
    }

    fn copy_to(&mut self, file: &Path, each: &mut dyn FnMut(u64, u64) -> bool) -> Result<Box<dyn Driver>, DriverError> {
        Ok(Box::new(copy::to(self, file, each)?))
    }

    fn copies_while_locked(&mut self) -> bool {
        copy::while_locked(self)
    }

    fn copy_from(&mut self, file: &Path, each: &mut dyn FnMut(u64, u64) -> bool) -> Result<(), DriverError> {
        copy::from(self, file, each)
    }

    fn copy_from_after(
        &mut self,
        file: &Path,
        before: &mut dyn FnMut(&mut dyn Driver) -> bool,
        each: &mut dyn FnMut(u64, u64) -> bool,
    ) -> Result<bool, DriverError> {
        copy::from_after(self, file, before, each)
    }

    fn keep_locked(&mut self, on: bool) -> Result<bool, DriverError> {
        copy::keep(self, on)
    }

    fn open_copy(&self, file: &Path) -> Result<Box<dyn Driver>, DriverError> {
        Ok(Box::new(copy::open(file)?))
    }

    fn check(&mut self) -> Result<Vec<String>, DriverError> {
        copy::check(self)
    }

    fn wait(&mut self, wait: Option<Duration>) -> Result<Option<Duration>, DriverError> {
        if let Some(wait) = wait {
            self.busy_timeout(wait).map_err(|error| failed(&error, ""))?;
        }
        // 0 as well where the application answers for itself, with a busy handler that could not be put back.
        let rows = Driver::query(self, "PRAGMA busy_timeout")?;
        let value = rows.first().and_then(|row| row.first()?.as_ref()?.parse().ok());
        Ok(value
            .filter(|milliseconds| *milliseconds > 0)
            .map(Duration::from_millis))
    }

    #[cfg(feature = "batch")]
    fn reads(&mut self, sql: &str, quoted_texts: bool) -> Result<Option<Vec<ColumnRead>>, DriverError> {
        let reads = resolve::reads(self, sql, quoted_texts);
        reads.map(Some).map_err(|error| failed(&error, sql))
    }

    fn setting(&mut self, setting: Setting, on: Option<bool>) -> Result<bool, DriverError> {
        let config = match setting {
            Setting::ForeignKeys => DbConfig::SQLITE_DBCONFIG_ENABLE_FKEY,
            Setting::LegacyAlterTable => DbConfig::SQLITE_DBCONFIG_LEGACY_ALTER_TABLE,
            Setting::Triggers => DbConfig::SQLITE_DBCONFIG_ENABLE_TRIGGER,
            Setting::WritableSchema => DbConfig::SQLITE_DBCONFIG_WRITABLE_SCHEMA,
            Setting::QuotedTexts => DbConfig::SQLITE_DBCONFIG_DQS_DML,
            Setting::Defensive => DbConfig::SQLITE_DBCONFIG_DEFENSIVE,
            Setting::IgnoreCheckConstraints => return pragma(self, "ignore_check_constraints", on),
        };
        if let Some(on) = on {
            self.set_db_config(config, on).map_err(|error| failed(&error, ""))?;
        }
        self.db_config(config).map_err(|error| failed(&error, ""))
    }

    fn in_transaction(&self) -> Option<bool> {
        Some(!self.is_autocommit())
    }

    fn scratch(&self) -> Result<Box<dyn Driver>, DriverError> {
        Ok(Box::new(memory()?))
    }

    fn stand_in(&mut self, missing: &str) -> bool {
        let named = |words| missing.rsplit_once(words).map(|(_, name)| name);
        let made = if let Some(function) = named("no such function: ") {
            // The last one marks it as ours (`session::LENT`).
            let flags =
                FunctionFlags::SQLITE_UTF8 | FunctionFlags::SQLITE_DETERMINISTIC | FunctionFlags::SQLITE_SUBTYPE;
            self.create_scalar_function(function, -1, flags, |_| Ok(Null))
        } else if let Some(collation) = named("no such collation sequence: ") {
            self.create_collation(collation, str::cmp)
        } else {
            return false;
        };
        made.is_ok()
    }

    fn lock_holder(&self) -> Option<String> {
        self.path().filter(|path| !path.is_empty()).and_then(holder::of)
    }

    fn exclusive(&self) -> Result<Box<dyn std::any::Any + Send>, DriverError> {
        // A database in memory, or one that is thrown away, is nobody else's.
        match self.path().filter(|path| !path.is_empty()) {
            Some(path) => Ok(Box::new(exclusive::take(path)?)),
            None => Ok(Box::new(())),
        }
    }

    fn free_space(&self) -> Option<u64> {
        space::free(self.path().filter(|path| !path.is_empty())?.as_ref())
    }

    fn work_done(&mut self) -> Option<Arc<AtomicU64>> {
        let done = Arc::new(AtomicU64::new(0));
        let counter = Arc::clone(&done);
        let count = move || {
            counter.fetch_add(u64::from(STEPS.unsigned_abs()), Ordering::Relaxed);
            false
        };
        self.progress_handler(STEPS, Some(count)).ok()?;
        Some(done)
    }

    fn interrupter(&self) -> Option<Box<dyn Fn() + Send + Sync>> {
        let handle = self.get_interrupt_handle();
        Some(Box::new(move || handle.interrupt()))
    }
}

/// Runs one statement, giving each row to `keep`. A text that holds a second statement is refused before the first
/// one runs: SQLite would leave the second one out without a word.
fn run(
    connection: &Connection,
    sql: &str,
    mut keep: impl FnMut(&rusqlite::Row<'_>) -> rusqlite::Result<()>,
) -> rusqlite::Result<()> {
    let mut batch = Batch::new(connection, sql);
    let Some(mut statement) = batch.next()? else {
        return Ok(());
    };
    if batch.next()?.is_some() {
        return Err(rusqlite::Error::MultipleStatement);
    }
    let mut rows = statement.raw_query();
    while let Some(row) = rows.next()? {
        keep(row)?;
    }
    Ok(())
}

fn pragma(connection: &mut Connection, name: &str, on: Option<bool>) -> Result<bool, DriverError> {
    if let Some(on) = on {
        Driver::execute(connection, &format!("PRAGMA {name} = {}", u8::from(on)))?;
    }
    let rows = Driver::query(connection, &format!("PRAGMA {name}"))?;
    Ok(rows.first().and_then(|row| row.first()) == Some(&Some("1".to_owned())))
}

/// A value as text: numbers as SQLite prints them, blobs in hexadecimal digits, bytes that are not UTF-8 replaced.
fn text(value: ValueRef<'_>) -> Option<String> {
    match value {
        ValueRef::Null => None,
        ValueRef::Integer(number) => Some(number.to_string()),
        ValueRef::Real(number) => Some(format!("{number:?}")),
        // Nearly all texts are UTF-8, and the look at that alone takes a third of the time.
        ValueRef::Text(bytes) => Some(match str::from_utf8(bytes) {
            Ok(text) => text.to_owned(),
            Err(_) => String::from_utf8_lossy(bytes).into_owned(),
        }),
        ValueRef::Blob(bytes) => Some(bytes.iter().map(|byte| format!("{byte:02x}")).collect()),
    }
}

/// The error in the words of SQLite. An error in the text of a statement ends in " in STATEMENT at offset N": the
/// offset is taken out, and the statement with it, since the label shows it.
fn failed(error: &rusqlite::Error, sql: &str) -> DriverError {
    let text = error.to_string();
    let mut message = text.as_str();
    let mut offset = None;
    if let Some((front, number)) = text.rsplit_once(" at offset ")
        && let Some(words) = front.strip_suffix(sql).and_then(|front| front.strip_suffix(" in "))
    {
        offset = number.parse().ok();
        message = words;
    }
    let failure = error
        .sqlite_error()
        .map_or(Failure::Statement, |error| kind(error.code, error.extended_code));
    // An ALTER that is interrupted while it reads the schema anew says so in words alone.
    let stopped =
        failure == Failure::Statement && message.starts_with("error in ") && message.ends_with(": interrupted");
    DriverError {
        failure: if stopped { Failure::Interrupted } else { failure },
        code: error.sqlite_error().map(|error| error.extended_code.to_string()),
        offset,
        ..DriverError::new(message)
    }
}

/// The error with what the connection itself was told that could be the reason.
fn explained(connection: &Connection, mut error: DriverError) -> DriverError {
    let asked = |sql: &str| connection.query_row(sql, [], |row| row.get::<_, i64>(0)).ok();
    let told = match error.failure {
        Failure::ReadOnly => asked("PRAGMA query_only").filter(|on| *on != 0).map(|_| {
            "the connection was told to write nothing: PRAGMA query_only = OFF before this lets it".to_owned()
        }),
        Failure::DiskFull => asked("PRAGMA max_page_count")
            .filter(|most| *most < MOST_PAGES)
            .map(|most| {
                format!(
                    "the connection was told to take no more than {most} pages: PRAGMA max_page_count = {MOST_PAGES} lets it"
                )
            }),
        _ => None,
    };
    error.remarks.hint = told.or(error.remarks.hint);
    error
}

/// What SQLite lets a database have, unless it is told another number (limits.html, section 13).
const MOST_PAGES: i64 = 1_073_741_823;

fn kind(code: ErrorCode, extended: i32) -> Failure {
    match code {
        // A virtual table's own trouble: the file is sound.
        ErrorCode::DatabaseCorrupt if extended == rusqlite::ffi::SQLITE_CORRUPT_VTAB => Failure::Statement,
        // The index of a write-ahead log is memory in a file, for which there is no room.
        ErrorCode::SystemIoFailure if extended == rusqlite::ffi::SQLITE_IOERR_SHMSIZE => Failure::DiskFull,
        // So is a quota, or a limit on the size of files.
        ErrorCode::SystemIoFailure if extended == rusqlite::ffi::SQLITE_IOERR_WRITE => Failure::DiskFull,
        ErrorCode::DatabaseBusy | ErrorCode::DatabaseLocked => Failure::Busy,
        ErrorCode::OperationInterrupted => Failure::Interrupted,
        ErrorCode::ReadOnly | ErrorCode::PermissionDenied => Failure::ReadOnly,
        ErrorCode::DiskFull => Failure::DiskFull,
        ErrorCode::NotADatabase | ErrorCode::DatabaseCorrupt => Failure::NotADatabase,
        ErrorCode::CannotOpen | ErrorCode::SystemIoFailure => Failure::Disconnected,
        _ => Failure::Statement,
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn values_come_as_text() {
        let db: &mut dyn Driver = &mut memory().unwrap();
        let rows = db
            .query("SELECT 1, 2.5, 'é', x'0aff', NULL, 1e300, 2.0, CAST(x'61ff' AS TEXT)")
            .unwrap();
        let row: Vec<&str> = rows[0].iter().map(|v| v.as_deref().unwrap_or("NULL")).collect();
        assert_eq!(row, ["1", "2.5", "é", "0aff", "NULL", "1e300", "2.0", "a\u{fffd}"]);
    }

    #[test]
    fn an_error_carries_the_place_and_not_the_statement() {
        let db: &mut dyn Driver = &mut memory().unwrap();
        let error = db.execute("SELECT nope FROM sqlite_schema").unwrap_err();
        assert_eq!(
            (error.message.as_str(), error.offset),
            ("no such column: nope", Some(7))
        );
        db.execute("CREATE TABLE t (a UNIQUE)").unwrap();
        db.execute("INSERT INTO t VALUES (1)").unwrap();
        let error = db.execute("INSERT INTO t VALUES (1)").unwrap_err();
        assert_eq!(error.message, "UNIQUE constraint failed: t.a");
    }

    #[test]
    fn a_second_statement_is_refused_before_the_first_runs() {
        let db: &mut dyn Driver = &mut memory().unwrap();
        db.execute("CREATE TABLE t (a); SELECT 1").unwrap_err();
        assert!(db.query("SELECT * FROM sqlite_schema").unwrap().is_empty());
        db.execute("CREATE TABLE t (a); -- and no more").unwrap();
    }

    #[test]
    fn settings_change_inside_a_transaction() {
        let db: &mut dyn Driver = &mut memory().unwrap();
        db.execute("BEGIN").unwrap();
        assert!(db.setting(Setting::ForeignKeys, None).unwrap());
        assert!(!db.setting(Setting::ForeignKeys, Some(false)).unwrap());
        assert!(db.setting(Setting::IgnoreCheckConstraints, Some(true)).unwrap());
        assert!(!db.setting(Setting::IgnoreCheckConstraints, Some(false)).unwrap());
        assert_eq!(db.in_transaction(), Some(true));
    }
}
