//! A copy put back in the place of the database.

use std::cell::RefCell;
use std::path::{Path, PathBuf};

use crate::code::Code;
use crate::driver::Driver;
use crate::error::{Error, Result};
use crate::execute::lent::First as _;
use crate::execute::{Executor, lock};
use crate::migrator::backup::{Backup, Made, is_empty, not_copied, patiently};
use crate::shell;
use crate::version::Row;

/// Puts a copy back in the place of the database that the run has, in one transaction: everybody sees the one or the
/// other. What was there before is kept as a copy of its own, which is returned.
pub(crate) fn restore(run: &mut Executor<'_>, from: &Path, backup: &Backup) -> Result<Option<PathBuf>> {
    super::borrowed::no_transaction(run.driver)?;
    is_a_copy(run, from, backup)?;
    // A revision without a transaction must not go on in another database than it began in.
    let _alone = lock::retry(run.driver, run.patience, run.events, |driver| driver.exclusive())?;
    match is_empty(run.driver) {
        Ok(_) => locked(run, from, backup),
        Err(error) => Err(damaged(run, error)),
    }
}

/// Makes the copy of what is there and puts the other one in its place. Nobody writes in between, where that can be: with a
/// rollback journal the connection keeps its lock, beside a write-ahead log the copy is made within the transaction that
/// replaces the database.
fn locked(run: &mut Executor<'_>, from: &Path, backup: &Backup) -> Result<Option<PathBuf>> {
    let message = "the database could not be locked";
    let kept = patiently(run.driver, run.patience, run.events, message, |driver, _| {
        driver.keep_locked(true)
    })
    .map_err(|error| error.state(AS_IT_WAS))?;
    if !kept && let Some(before) = within(run, from, backup)? {
        return Ok(before.map(|made| made.place));
    }
    let replaced = replace(run, from, backup);
    if kept {
        // Where this fails the lock goes with the connection.
        let _ = run.driver.keep_locked(false);
    }
    replaced
}

const AS_IT_WAS: &str = "the database is as it was";

/// The copy of what was there, and the other one is in its place; none where the driver does not do both in one.
#[expect(clippy::option_option, reason = "an empty database is not copied")]
fn within(run: &mut Executor<'_>, from: &Path, backup: &Backup) -> Result<Option<Option<Made>>> {
    let patience = run.patience;
    let before = RefCell::new(Ok(None));
    let restored = patiently(run.driver, patience, run.events, &not_put_back(from), |driver, each| {
        let mut keep = |other: &mut dyn Driver| {
            let made = match is_empty(other) {
                Ok(false) => backup.copy(other, patience, &mut |_| {}),
                other => other.map(|_| None),
            };
            let goes_on = made.is_ok();
            *before.borrow_mut() = made;
            goes_on
        };
        driver.copy_from_after(from, &mut keep, each)
    });
    let before = before.into_inner();
    match (restored, before) {
        (Ok(true), before) => before.map(Some),
        (Ok(false), _) => Ok(None),
        (Err(_), Err(error)) => Err(error.state(AS_IT_WAS)),
        (Err(error), Ok(made)) => Err(undone(error, made, backup)),
    }
}

/// Nothing was changed, so the copy of it is of no use.
fn undone(error: Error, before: Option<Made>, backup: &Backup) -> Error {
    if let Some(made) = before.filter(|made| made.is_new) {
        backup.was_for_nothing(&made.place);
    }
    error.state(AS_IT_WAS)
}

fn not_put_back(from: &Path) -> String {
    format!("`{}` could not be put back", from.display())
}

fn replace(run: &mut Executor<'_>, from: &Path, backup: &Backup) -> Result<Option<PathBuf>> {
    // Nothing is deleted: the newest copy must not push out the one that is put back.
    let before = if is_empty(run.driver)? {
        None
    } else {
        backup.copy(run.driver, run.patience, run.events)?
    };
    let restored = patiently(
        run.driver,
        run.patience,
        run.events,
        &not_put_back(from),
        |driver, each| driver.copy_from(from, each),
    );
    match restored {
        Ok(()) => Ok(before.map(|made| made.place)),
        Err(error) => Err(undone(error, before, backup)),
    }
}

/// Refuses what would empty the database, or make another one of it.
fn is_a_copy(run: &mut Executor<'_>, from: &Path, backup: &Backup) -> Result<()> {
    const OTHERS: &str = "sqlrev restore lists the copies that there are";
    if !from.is_file() {
        let message = format!("there is no file `{}`", from.display());
        return Err(Error::new(Code::FileIo, message).help(OTHERS));
    }
    let refused = |what: &str| {
        Err(Error::new(Code::NotADatabase, format!("`{}` {what}", from.display()))
            .state(AS_IT_WAS)
            .help(OTHERS))
    };
    if std::fs::metadata(from).is_ok_and(|file| file.len() == 0) {
        return refused("is an empty file");
    }
    let whole = |path: &Path| path.canonicalize().ok();
    let file = run.driver.file();
    if file
        .as_deref()
        .and_then(whole)
        .is_some_and(|file| Some(file) == whole(from))
    {
        return refused("is the database itself");
    }
    let message = not_put_back(from);
    let unread = |error| not_copied(&error, &message).state(AS_IT_WAS);
    let mut copy = run.driver.open_copy(from).map_err(unread)?;
    if is_empty(&mut *copy).map_err(|_| ()).is_ok_and(|is_empty| is_empty) {
        return refused("is a database without a table");
    }
    let listed = file.and_then(|file| backup.list(&file).ok()).unwrap_or_default();
    if listed.iter().any(|copy| whole(copy) == whole(from)) {
        // A copy from before the first revision has no version table.
        return Ok(());
    }
    let table = &run.table;
    let (Ok(Some(rows)), Ok(copied)) = (table.read(run.driver), table.read(&mut *copy)) else {
        return Ok(());
    };
    let Some(copied) = copied else {
        return refused(&format!(
            "has no table `{}`, and is no copy of this database",
            table.name()
        ));
    };
    let graph = run.graph;
    let known = |row: &Row| graph.node(row.id.as_str()).is_some() || rows.iter().any(|live| live.id == row.id);
    if !copied.is_empty() && !copied.iter().any(known) {
        return refused(&format!(
            "is of another database: nothing is known here of revision `{}`, which it has",
            copied[0].id
        ));
    }
    Ok(())
}

/// Says that it is the database that is damaged, and not the copy.
fn damaged(run: &Executor<'_>, error: Error) -> Error {
    let file = run.driver.file().map(|file| file.display().to_string());
    let (Some(file), Code::NotADatabase) = (file, error.code()) else {
        return error;
    };
    let (file, aside) = (shell::word(&file), shell::word(format!("{file}.damaged")));
    Error::new(Code::NotADatabase, "the database itself is damaged, and nothing can be copied into it")
        .cause(error.causes().join("; "))
        .state(AS_IT_WAS)
        .help(format!(
            "set it aside when no program has it open, with its -wal and -journal, and then put the copy back: mv {file} {aside}"
        ))
}
