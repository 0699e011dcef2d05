//! A driver over the application's own rusqlite. The first three methods are what every driver needs; `setting`,
//! `in_transaction` and `scratch` are for the ALTERs that SQLite lacks, `file` and `copy_to` for copies, `connection` for
//! code in revisions.

use std::any::Any;
use std::path::{Path, PathBuf};

use rusqlite::backup::{Backup, StepResult};
use rusqlite::config::DbConfig;
use rusqlite::types::ValueRef;
use rusqlite::{Connection, ErrorCode};
use sqlrev::dialect::sqlite::Sqlite;
use sqlrev::dialect::{Dialect, Rows, Setting};
use sqlrev::driver::{Driver, DriverError, Failure};

/// The application's connection.
pub struct Own(pub Connection);

impl Driver for Own {
    fn dialect(&self) -> &'static dyn Dialect {
        &Sqlite
    }

    fn execute(&mut self, sql: &str) -> Result<(), DriverError> {
        self.query(sql).map(drop)
    }

    fn query(&mut self, sql: &str) -> Result<Rows, DriverError> {
        let run = || {
            let mut statement = self.0.prepare(sql)?;
            let columns = statement.column_count();
            let mut rows = statement.raw_query();
            let mut all = Rows::new();
            while let Some(row) = rows.next()? {
                let values = (0..columns).map(|at| Ok(text(row.get_ref(at)?)));
                all.push(values.collect::<rusqlite::Result<_>>()?);
            }
            Ok(all)
        };
        run().map_err(|error| failed(&error))
    }

    fn setting(&mut self, setting: Setting, on: Option<bool>) -> Result<bool, DriverError> {
        let config = match setting {
            Setting::ForeignKeys => DbConfig::SQLITE_DBCONFIG_ENABLE_FKEY,
            Setting::LegacyAlterTable => DbConfig::SQLITE_DBCONFIG_LEGACY_ALTER_TABLE,
            Setting::Triggers => DbConfig::SQLITE_DBCONFIG_ENABLE_TRIGGER,
            Setting::WritableSchema => DbConfig::SQLITE_DBCONFIG_WRITABLE_SCHEMA,
            Setting::Defensive => DbConfig::SQLITE_DBCONFIG_DEFENSIVE,
            Setting::IgnoreCheckConstraints => {
                if let Some(on) = on {
                    self.execute(&format!("PRAGMA ignore_check_constraints = {on}"))?;
                }
                let rows = self.query("PRAGMA ignore_check_constraints")?;
                return Ok(rows[0][0].as_deref() == Some("1"));
            }
            other => return Err(DriverError::new(format!("there is no switch for {other:?}"))),
        };
        let db = &self.0;
        let set = on.map_or(Ok(false), |on| db.set_db_config(config, on));
        set.and_then(|_| db.db_config(config)).map_err(|error| failed(&error))
    }

    fn in_transaction(&self) -> Option<bool> {
        Some(!self.0.is_autocommit())
    }

    fn scratch(&self) -> Result<Box<dyn Driver>, DriverError> {
        let memory = Connection::open_in_memory().map_err(|error| failed(&error))?;
        Ok(Box::new(Own(memory)))
    }

    fn file(&self) -> Option<PathBuf> {
        self.0.path().filter(|path| !path.is_empty()).map(PathBuf::from)
    }

    fn is_in_memory(&self) -> bool {
        self.0.path() == Some("")
    }

    fn copy_to(&mut self, file: &Path, each: &mut dyn FnMut(u64, u64) -> bool) -> Result<Box<dyn Driver>, DriverError> {
        let mut copy = Connection::open(file).map_err(|error| failed(&error))?;
        let backup = Backup::new(&self.0, &mut copy).map_err(|error| failed(&error))?;
        loop {
            match backup.step(1000).map_err(|error| failed(&error))? {
                StepResult::Done => break,
                StepResult::More => {}
                // The run tries again, for as long as it is patient.
                _ => return Err(DriverError::of(Failure::Busy, "database is locked")),
            }
            let progress = backup.progress();
            let pages = |count: i32| u64::try_from(count).unwrap_or(0);
            if !each(pages(progress.pagecount - progress.remaining), pages(progress.pagecount)) {
                return Err(DriverError::of(Failure::Interrupted, "interrupted"));
            }
        }
        drop(backup);
        Ok(Box::new(Own(copy)))
    }

    fn connection(&mut self) -> Option<&mut dyn Any> {
        Some(&mut self.0)
    }
}

fn text(value: ValueRef<'_>) -> Option<String> {
    match value {
        ValueRef::Null => None,
        ValueRef::Integer(number) => Some(number.to_string()),
        ValueRef::Real(number) => Some(format!("{number:?}")),
        ValueRef::Text(bytes) => Some(String::from_utf8_lossy(bytes).into_owned()),
        ValueRef::Blob(bytes) => Some(bytes.iter().map(|byte| format!("{byte:02x}")).collect()),
    }
}

fn failed(error: &rusqlite::Error) -> DriverError {
    let failure = match error.sqlite_error_code() {
        Some(ErrorCode::DatabaseBusy | ErrorCode::DatabaseLocked) => Failure::Busy,
        Some(ErrorCode::OperationInterrupted) => Failure::Interrupted,
        Some(ErrorCode::ReadOnly) => Failure::ReadOnly,
        Some(ErrorCode::DiskFull) => Failure::DiskFull,
        Some(ErrorCode::NotADatabase) => Failure::NotADatabase,
        _ => Failure::Statement,
    };
    DriverError::of(failure, error.to_string())
}
