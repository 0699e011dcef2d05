//! Copies through SQLite's backup API: a moment of the database, whoever writes to it, and not the bytes of its file.

use std::path::Path;
use std::time::{Duration, Instant};

use rusqlite::Connection;
use rusqlite::backup::{Backup, StepResult};

use super::{Access, failed, open};
use crate::driver::{Driver, DriverError, Failure};

/// How many pages are copied between two questions whether to go on.
const PAGES: i32 = 4096;
/// How long to wait for whoever writes.
const PATIENCE: Duration = Duration::from_secs(30);

/// The bytes that the pages take.
pub(super) fn size(connection: &mut Connection) -> Option<u64> {
    let mut number = |pragma: &str| {
        let rows = Driver::query(connection, pragma).ok()?;
        rows.first()?.first()?.as_ref()?.parse::<u64>().ok()
    };
    Some(number("PRAGMA page_count")? * number("PRAGMA page_size")?)
}

/// Copies the database into a new file and opens it.
pub(super) fn to(
    connection: &mut Connection,
    file: &Path,
    each: &mut dyn FnMut(u64, u64) -> bool,
) -> Result<Connection, DriverError> {
    let mut copy = open(file, Access::Create)?;
    run(connection, &mut copy, each)?;
    Ok(copy)
}

/// Puts a copy in the place of the database, when it is sound.
pub(super) fn from(connection: &mut Connection, file: &Path) -> Result<(), DriverError> {
    let mut copy = open(file, Access::Read)?;
    let rows = Driver::query(&mut copy, "PRAGMA integrity_check(1)")?;
    let word = rows.into_iter().flatten().next().flatten().unwrap_or_default();
    if word != "ok" {
        return Err(DriverError {
            failure: Failure::NotADatabase,
            ..DriverError::new(format!("the copy is damaged: {word}"))
        });
    }
    run(&copy, connection, &mut |_, _| true)
}

fn run(from: &Connection, to: &mut Connection, each: &mut dyn FnMut(u64, u64) -> bool) -> Result<(), DriverError> {
    let began = Instant::now();
    let backup = Backup::new(from, to).map_err(|error| failed(&error, ""))?;
    loop {
        match backup.step(PAGES).map_err(|error| failed(&error, ""))? {
            StepResult::Done => return Ok(()),
            StepResult::Busy | StepResult::Locked if began.elapsed() > PATIENCE => {
                return Err(DriverError {
                    failure: Failure::Busy,
                    ..DriverError::new("database is locked")
                });
            }
            StepResult::Busy | StepResult::Locked => std::thread::sleep(Duration::from_millis(20)),
            _ => {}
        }
        let progress = backup.progress();
        let pages = |count: i32| u64::try_from(count).unwrap_or(0);
        if !each(
            pages(progress.pagecount - progress.remaining),
            pages(progress.pagecount),
        ) {
            return Err(DriverError {
                failure: Failure::Interrupted,
                ..DriverError::new("interrupted")
            });
        }
    }
}
