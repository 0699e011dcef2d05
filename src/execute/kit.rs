//! What a run takes along for scripts that are not plain.
//!
//! A plain script is a run of statements that are sent as they are: nothing of it is rewritten, nothing has to be looked at
//! before or after it. A build script finds out which ones are (`plain.rs`). Everything else is asked of the kit, and a run
//! without one refuses what it would be needed for. So a program whose revisions are all plain never names it, and the linker
//! leaves it out.

use std::borrow::Cow;
use std::fmt::Debug;
use std::panic::RefUnwindSafe;
use std::sync::Arc;

use crate::code::Code;
use crate::dialect::Dialect;
use crate::driver::{Driver, DriverError};
use crate::error::{Error, Result};
use crate::execute::bookkeeping;
use crate::execute::scripts::Prepared;
use crate::execute::shown::Shown;
use crate::execute::step::Ready;
use crate::execute::{Executor, Ran, beyond, fault, orphans, seen};
use crate::revision::checksum::{self, Checksum};
use crate::revision::{Direction, Header, Revision, Script};
use crate::version::{self, Row, Unfinished, VersionTable};

/// What is done for scripts that are not plain.
pub(crate) trait Kit: Debug + Sync + RefUnwindSafe {
    /// Reads a script to its end, and refuses what this program cannot run.
    fn prepare(
        &self,
        script: &Script,
        header: &Header,
        direction: Direction,
        dialect: &'static dyn Dialect,
    ) -> Result<Prepared>;

    /// Refuses what reaches beyond a copy to rehearse on.
    fn refuse_beyond(&self, script: &Script, dialect: &'static dyn Dialect) -> Result<()>;

    /// Whether the script does more than create tables, indexes, views and triggers.
    fn changes(&self, script: &Script, dialect: &'static dyn Dialect) -> Result<bool>;

    /// Runs the script of a step in the transaction that is open.
    fn script(&self, executor: &mut Executor<'_>, ready: &Ready<'_>, shown: &mut Vec<Shown>) -> Result<()>;

    /// Runs a step that no transaction holds. None where others have done it.
    fn alone<'a>(&self, executor: &mut Executor<'a>, ready: &Ready<'a>, row: Option<&Row>) -> Result<Option<Ran>>;

    /// Says why a step that was rolled back is not tried again on the same connection.
    fn once_only<'a>(&self, executor: &mut Executor<'a>, ready: &Ready<'a>) -> Result<Option<String>>;

    /// The rows that point at rows which do not exist, when that is why a commit failed.
    fn behind(&self, driver: &mut dyn Driver, error: &Error) -> Option<Error>;

    /// The checksum of a script as it is now; with the header, that of an upgrade.
    fn checksum(&self, script: &Script, header: Option<&Header>, dialect: &'static dyn Dialect) -> Result<Checksum>;

    /// Whether the stored checksum is of this very text.
    fn is_of_text(&self, script: &Script, stored: &str) -> bool;

    /// The error for an upgrade that was changed, with the changed lines.
    fn edited(
        &self,
        error: Error,
        script: &Script,
        driver: &mut dyn Driver,
        table: &VersionTable,
        row: &Row,
    ) -> Result<Error>;

    /// An upgrade as the row of the version table keeps it.
    fn kept<'a>(&self, revision: &'a Revision) -> Option<Cow<'a, str>>;

    /// The form in which a text is kept there.
    fn packed<'t>(&self, text: &'t str) -> Cow<'t, str>;

    /// The text of a file that need not be in memory, unless it has more than `most` bytes.
    fn whole(&self, script: &Script, most: usize) -> Result<Option<Arc<str>>>;

    /// The error for what was queued behind the statements of a script.
    fn queued(&self, error: &DriverError, script: &Script, dialect: &'static dyn Dialect) -> Error;

    /// What became of a step that no transaction holds when the connection was lost there; `kept` says what became of
    /// those before.
    fn lost_alone<'a>(
        &self,
        executor: &mut Executor<'a>,
        error: Error,
        ready: &Ready<'a>,
        at: Unfinished,
        kept: &str,
    ) -> Error;

    /// Whether the next run goes on after the first statements.
    fn goes_on<'a>(&self, executor: &mut Executor<'a>, ready: &Ready<'a>, statements: u64) -> String;
}

/// All of it.
#[derive(Debug)]
pub(crate) struct Whole;

impl Kit for Whole {
    fn prepare(
        &self,
        script: &Script,
        header: &Header,
        direction: Direction,
        dialect: &'static dyn Dialect,
    ) -> Result<Prepared> {
        let prepared = script.prepare(header, direction == Direction::Upgrade, dialect)?;
        script.refuse_left_out(&prepared, dialect)?;
        Ok(prepared)
    }

    fn refuse_beyond(&self, script: &Script, dialect: &'static dyn Dialect) -> Result<()> {
        beyond::refuse(script, dialect)
    }

    fn changes(&self, script: &Script, dialect: &'static dyn Dialect) -> Result<bool> {
        script.changes(dialect)
    }

    fn script(&self, executor: &mut Executor<'_>, ready: &Ready<'_>, shown: &mut Vec<Shown>) -> Result<()> {
        executor.script(ready, 0, None, shown)
    }

    fn alone<'a>(&self, executor: &mut Executor<'a>, ready: &Ready<'a>, row: Option<&Row>) -> Result<Option<Ran>> {
        if executor.driver.dialect().ddl_commits() {
            executor.run_piecemeal(ready, row)
        } else {
            executor.run_alone(ready)
        }
    }

    fn once_only<'a>(&self, executor: &mut Executor<'a>, ready: &Ready<'a>) -> Result<Option<String>> {
        executor.once_only(ready, 0..u64::MAX)
    }

    fn behind(&self, driver: &mut dyn Driver, error: &Error) -> Option<Error> {
        orphans::behind(driver, error)
    }

    fn checksum(&self, script: &Script, header: Option<&Header>, dialect: &'static dyn Dialect) -> Result<Checksum> {
        script.checksum(header, dialect.rules())
    }

    fn is_of_text(&self, script: &Script, stored: &str) -> bool {
        checksum::is_of_text(stored, &script.file.text)
    }

    fn kept<'a>(&self, revision: &'a Revision) -> Option<Cow<'a, str>> {
        let script = revision.upgrade.as_ref();
        script.map(|script| bookkeeping::kept(script, &revision.header))
    }

    fn edited(
        &self,
        error: Error,
        script: &Script,
        driver: &mut dyn Driver,
        table: &VersionTable,
        row: &Row,
    ) -> Result<Error> {
        seen::edited(error, script, driver, table, row)
    }

    fn packed<'t>(&self, text: &'t str) -> Cow<'t, str> {
        version::packed(text)
    }

    fn whole(&self, script: &Script, most: usize) -> Result<Option<Arc<str>>> {
        script.whole(most)
    }

    fn queued(&self, error: &DriverError, script: &Script, dialect: &'static dyn Dialect) -> Error {
        fault::queued(error, script, dialect.rules())
    }

    fn lost_alone<'a>(
        &self,
        executor: &mut Executor<'a>,
        error: Error,
        ready: &Ready<'a>,
        at: Unfinished,
        kept: &str,
    ) -> Error {
        executor.lost_alone(error, ready, at, kept)
    }

    fn goes_on<'a>(&self, executor: &mut Executor<'a>, ready: &Ready<'a>, statements: u64) -> String {
        executor.goes_on(ready, statements)
    }
}

/// The kit of a run, or an error where there is none: for what only it can do.
pub(crate) fn needed(kit: Option<&'static dyn Kit>) -> Result<&'static dyn Kit> {
    kit.ok_or_else(missing)
}

/// The checksum of a script: what a build script wrote down, or what the kit finds.
pub(crate) fn checksum(
    kit: Option<&'static dyn Kit>,
    script: &Script,
    header: Option<&Header>,
    dialect: &'static dyn Dialect,
) -> Result<Checksum> {
    match &script.known {
        Some(known) => Ok(known.checksum),
        None => needed(kit)?.checksum(script, header, dialect),
    }
}

/// The error for a commit that failed: the rows that point at nothing, where they are why.
pub(crate) fn uncommitted(kit: Option<&'static dyn Kit>, driver: &mut dyn Driver, error: Error) -> Error {
    let behind = match kit {
        Some(kit) => kit.behind(driver, &error),
        None => fault::unnamed_rows(&error),
    };
    behind.unwrap_or(error)
}

/// The error for what was queued behind the statements of a script: for one of these where it has a ticket.
pub(crate) fn queued(
    kit: Option<&'static dyn Kit>,
    error: &DriverError,
    script: &Script,
    dialect: &'static dyn Dialect,
) -> Error {
    if script.plain().is_some() {
        let span = error.ticket.and_then(|index| script.plain_place(index));
        return match span {
            Some(span) => fault::sent(error, &script.file, &span),
            None => fault::database(error),
        };
    }
    match kit {
        Some(kit) => kit.queued(error, script, dialect),
        None => fault::database(error),
    }
}

#[cold]
pub(super) fn missing() -> Error {
    let message = "the embedded revisions hold a script that is not as the build script found it";
    Error::new(Code::FileIo, message)
        .state("nothing was run")
        .help("build the program anew")
}
