//! How far a revision without a transaction has come, written down after each of its statements.

use std::cell::Cell;

use crate::driver::Driver;
use crate::error::Result;
use crate::execute::lock::{self, Patience};
use crate::execute::online::Unit;
use crate::revision::Direction;
use crate::version::{Unfinished, VersionTable};

/// Counts the statements of a revision without a transaction. A statement that can stand in a transaction is counted
/// in the same one, so that the count is never wrong; for the others the count follows.
pub(crate) struct Counting<'a> {
    table: VersionTable,
    id: String,
    direction: Direction,
    patience: Patience<'a>,
    /// Whether the transaction that is open was opened for this piece, not by the author's own BEGIN.
    opened: Cell<bool>,
}

impl<'a> Counting<'a> {
    /// None of its pieces has begun.
    pub(crate) fn new(table: VersionTable, id: String, direction: Direction, patience: Patience<'a>) -> Self {
        Self {
            table,
            id,
            direction,
            patience,
            opened: Cell::new(false),
        }
    }

    fn tell(&self, driver: &mut dyn Driver, sql: &str) -> Result<()> {
        lock::retry(driver, self.patience, &mut |_| {}, |driver| driver.execute(sql))
    }
}

impl Unit for Counting<'_> {
    fn before(&self, driver: &mut dyn Driver, statement: Option<&str>) -> Result<()> {
        let dialect = driver.dialect();
        let alone = statement.is_some_and(|sql| dialect.stands_alone(sql));
        let opens = !alone && driver.in_transaction() != Some(true);
        self.opened.set(opens);
        if opens {
            self.tell(driver, dialect.begin())
        } else {
            Ok(())
        }
    }

    fn after(&self, driver: &mut dyn Driver, done: u64) -> Result<()> {
        let unfinished = Some(Unfinished {
            direction: self.direction,
            statements: done,
        });
        let dialect = driver.dialect();
        let own_role = dialect.own_role();
        let opened = self.opened.take();
        let begin = !opened && !own_role.is_empty() && driver.in_transaction() == Some(false);
        if begin {
            self.tell(driver, dialect.begin())?;
        }
        for sql in own_role {
            self.tell(driver, sql)?;
        }
        self.tell(driver, &self.table.progress(&self.id, unfinished))?;
        if opened || begin {
            self.tell(driver, "COMMIT")
        } else {
            Ok(())
        }
    }
}
