//! A copy put back in the place of the database.

use std::path::{Path, PathBuf};

use crate::code::Code;
use crate::error::{Error, Result};
use crate::execute::lent::First as _;
use crate::execute::{Executor, lock};
use crate::migrator::backup::{Backup, is_empty, not_copied, patiently};

/// Puts a copy back in the place of the database that the run has, in one transaction: everybody sees the one or the
/// other. What was there before is kept as a copy of its own, which is returned.
pub(crate) fn restore(run: &mut Executor<'_>, from: &Path, backup: &Backup) -> Result<Option<PathBuf>> {
    super::borrowed::no_transaction(run.driver)?;
    is_a_copy(run, from, backup)?;
    // A revision without a transaction must not go on in another database than it began in.
    let _alone = lock::retry(run.driver, run.patience, run.events, |driver| driver.exclusive())?;
    match is_empty(run.driver) {
        Ok(empty) => locked(run, from, backup, empty),
        Err(error) => Err(damaged(run, error)),
    }
}

/// Makes the copy of what is there and puts the other one in its place. Nobody writes in between, where that can be.
fn locked(run: &mut Executor<'_>, from: &Path, backup: &Backup, is_empty: bool) -> Result<Option<PathBuf>> {
    let message = "the database could not be locked";
    let kept = patiently(run.driver, run.patience, run.events, message, |driver, _| {
        driver.keep_locked(true)
    })
    .map_err(|error| error.state("the database is as it was"))?;
    let replaced = replace(run, from, backup, is_empty);
    if kept {
        // Where this fails the lock goes with the connection.
        let _ = run.driver.keep_locked(false);
    }
    replaced
}

fn replace(run: &mut Executor<'_>, from: &Path, backup: &Backup, is_empty: bool) -> Result<Option<PathBuf>> {
    // Nothing is deleted: the newest copy must not push out the one that is put back.
    let before = if is_empty {
        None
    } else {
        backup.copy(run.driver, run.patience, run.events)?
    };
    let message = format!("`{}` could not be put back", from.display());
    let restored = patiently(run.driver, run.patience, run.events, &message, |driver, each| {
        driver.copy_from(from, each)
    });
    if let Err(error) = restored {
        // Nothing was changed, so the copy of it is of no use.
        if let Some(made) = before.filter(|made| made.is_new) {
            backup.was_for_nothing(&made.place);
        }
        return Err(error.state("the database is as it was"));
    }
    Ok(before.map(|made| made.place))
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
            .state("the database is as it was")
            .help(OTHERS))
    };
    if std::fs::metadata(from).is_ok_and(|file| file.len() == 0) {
        return refused("is an empty file");
    }
    let message = format!("`{}` could not be put back", from.display());
    let unread = |error| not_copied(&error, &message).state("the database is as it was");
    let mut copy = run.driver.open_copy(from).map_err(unread)?;
    if is_empty(&mut *copy).map_err(|_| ()).is_ok_and(|is_empty| is_empty) {
        return refused("is a database without a table");
    }
    let file = run.driver.file();
    let listed = file.and_then(|file| backup.list(&file).ok()).unwrap_or_default();
    let whole = |path: &Path| path.canonicalize().ok();
    if listed.iter().any(|copy| whole(copy) == whole(from)) {
        // A copy from before the first revision has no version table.
        return Ok(());
    }
    let (table, live) = (&run.table, &mut *run.driver);
    if matches!(table.read(live), Ok(Some(_))) && matches!(table.read(&mut *copy), Ok(None)) {
        return refused(&format!(
            "has no table `{}`, and is no copy of this database",
            table.name()
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
    Error::new(Code::NotADatabase, "the database itself is damaged, and nothing can be copied into it")
        .cause(error.causes().join("; "))
        .state("the database is as it was")
        .help(format!(
            "set it aside when no program has it open, with its -wal and -journal, and then put the copy back: mv {file} {file}.damaged"
        ))
}
