//! What is done before the first step, such as a copy: while the database is locked, so that it is of the right moment.

use std::path::PathBuf;
use std::time::Instant;

use crate::code::Code;
use crate::error::{Error, Result};
use crate::execute::Executor;
use crate::execute::lent::First;
use crate::execute::run::{Found, MakePlan, Progress};
use crate::execute::seen::Seen;
use crate::revision::Transaction;

/// What was made, and by whom.
pub(super) type Made<'a> = Option<(&'a dyn First, PathBuf)>;

impl<'a> Executor<'a> {
    /// Locks the database for writing, plans once more when others have written before, and does what is to be done
    /// first. A driver that cannot do that while the database is locked does it before, and then nobody may write in
    /// between.
    pub(super) fn begin_planned(&mut self, found: &mut Found<'a>, make: MakePlan<'_, 'a>) -> Result<Made<'a>> {
        let began = Instant::now();
        loop {
            let wanted = self.is_wanted(found)?;
            if wanted && self.only.is_none() {
                // Nobody else changes anything, with a copy of a state in between, until the last step is done.
                let only = self.only_one().map_err(|error| error.state("nothing was run"))?;
                self.only = Some(only);
            }
            let early = wanted && !self.driver.copies_while_locked();
            let made = if early { self.first()? } else { None };
            if let Err(error) = self.begin() {
                // Nothing is open, or what is not ours: not every driver can tell before.
                for_nothing(made);
                self.driver.forget();
                return Err(error.state("nothing was run"));
            }
            match self.when_begun(found, make, early) {
                Ok(Begun::With(late)) => return Ok(made.or(late)),
                Ok(Begun::NotNeeded) => {
                    for_nothing(made);
                    self.only = None;
                    return Ok(None);
                }
                Ok(Begun::Again) if began.elapsed() < self.patience.timeout => {
                    for_nothing(made);
                    self.rollback();
                }
                Ok(Begun::Again) => {
                    for_nothing(made);
                    self.rollback();
                    return Err(never_still());
                }
                Err(error) => {
                    for_nothing(made);
                    self.rollback();
                    return Err(error.state("nothing was run"));
                }
            }
        }
    }

    fn when_begun(&mut self, found: &mut Found<'a>, make: MakePlan<'_, 'a>, early: bool) -> Result<Begun<'a>> {
        let stale = self.again_if_stale(found, make)?;
        if found.plan.is_empty() {
            return Ok(Begun::NotNeeded);
        }
        if early && !stale {
            return Ok(Begun::With(None));
        }
        if !self.is_wanted(found)? {
            return Ok(if early { Begun::NotNeeded } else { Begun::With(None) });
        }
        if early || self.only.is_none() || !self.driver.copies_while_locked() {
            return Ok(Begun::Again);
        }
        Ok(Begun::With(self.first()?))
    }

    fn is_wanted(&mut self, found: &Found<'a>) -> Result<bool> {
        let Some(first) = self.lent.first else {
            return Ok(false);
        };
        let dialect = self.driver.dialect();
        let kit = self.lent.kit;
        let changes = || {
            let mut ready = found.ready.iter();
            ready.try_fold(false, |any, ready| Ok(any || ready.changes(dialect, kit)?))
        };
        first.is_wanted(self.driver, &changes)
    }

    fn first(&mut self) -> Result<Made<'a>> {
        let Some(first) = self.lent.first else {
            return Ok(None);
        };
        let made = first.before(self.driver, self.patience, self.events)?;
        Ok(made.map(|file| (first, file)))
    }

    /// Whether a run that failed left the database as it found it, as far as can be known.
    pub(super) fn is_as_it_was(&mut self, found: &Found<'a>, progress: &Progress) -> bool {
        let step = found.ready.get(progress.at);
        let alone = step.is_some_and(|ready| ready.transaction() == Transaction::None);
        if progress.kept > 0 || progress.begun && alone {
            return false;
        }
        let now = Seen::read(self.driver, &self.table);
        now.is_ok_and(|now| now.rows == found.seen.rows && now.table == found.seen.table)
    }
}

/// What became of the beginning.
enum Begun<'a> {
    /// The steps may run.
    With(Made<'a>),
    /// There is nothing to be done first any more.
    NotNeeded,
    /// What was done first was done to another state of the database.
    Again,
}

fn for_nothing(made: Made<'_>) {
    if let Some((first, file)) = made {
        first.was_for_nothing(&file);
    }
}

fn never_still() -> Error {
    Error::new(
        Code::LockTimeout,
        "others wrote to the database each time that it was copied",
    )
    .state("nothing was run")
    .help("run the same command again when nobody writes; --lock-timeout SECONDS tries for longer")
}
