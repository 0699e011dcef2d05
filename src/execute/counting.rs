//! How far a revision without a transaction has come, written down after each of its statements.

use std::cell::Cell;

use crate::code::Code;
use crate::driver::Driver;
use crate::error::{Error, Result};
use crate::execute::fault;
use crate::execute::lock::{self, Patience};
use crate::execute::online::Unit;
use crate::execute::orphans;
use crate::revision::Direction;
use crate::sql::token;
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
    /// What the row says, and what it will say once the author's transaction is committed.
    kept: Cell<u64>,
    written: Cell<u64>,
}

impl<'a> Counting<'a> {
    /// So many statements are done; none of the other pieces has begun.
    pub(crate) fn new(
        table: VersionTable,
        id: String,
        direction: Direction,
        patience: Patience<'a>,
        done: u64,
    ) -> Self {
        Self {
            table,
            id,
            direction,
            patience,
            opened: Cell::new(false),
            kept: Cell::new(done),
            written: Cell::new(done),
        }
    }

    /// How many statements are done and recorded.
    pub(crate) fn done(&self) -> u64 {
        self.kept.get()
    }

    fn tell(&self, driver: &mut dyn Driver, sql: &str) -> Result<()> {
        lock::retry(driver, self.patience, &mut |_| {}, |driver| driver.execute(sql))
    }

    /// Writes the count, and sees that nobody else has written another one since.
    fn count(&self, driver: &mut dyn Driver, done: u64) -> Result<()> {
        let at = |statements| Unfinished {
            direction: self.direction,
            statements,
            begun: false,
        };
        let mut from = vec![at(self.kept.get())];
        if self.written.get() != self.kept.get() {
            from.push(at(self.written.get()));
        }
        let sql = self.table.progress_from(&self.id, &from, Some(at(done)));
        changed(driver, self.patience, &sql, &self.id)?;
        self.written.set(done);
        Ok(())
    }
}

/// Runs a statement that changes the row of a revision, and refuses to go on when it was not as this run knows it.
pub(crate) fn changed(driver: &mut dyn Driver, patience: Patience<'_>, sql: &str, id: &str) -> Result<()> {
    let returning = driver.dialect().version_sql().returning;
    let rows = lock::retry(driver, patience, &mut |_| {}, |driver| {
        if returning.is_empty() {
            driver.execute(sql).map(|()| 1)
        } else {
            driver.query(sql).map(|rows| rows.len())
        }
    })?;
    if rows == 1 {
        return Ok(());
    }
    let message = format!("another process went on with revision `{id}` while this one ran");
    Err(Error::new(Code::Database, message).help("see where the database is: sqlrev check; then run it again"))
}

/// Whether a statement commits the author's transaction.
fn commits(sql: &str, driver: &dyn Driver) -> bool {
    let words = token::keywords(sql, driver.dialect().rules(), 2);
    matches!(words.first().map(String::as_str), Some("COMMIT" | "END"))
        && words.get(1).is_none_or(|word| word != "PREPARED")
}

impl Unit for Counting<'_> {
    fn before(&self, driver: &mut dyn Driver, statement: Option<&str>, done: u64) -> Result<()> {
        let dialect = driver.dialect();
        let alone = statement.is_some_and(|sql| dialect.stands_alone(sql));
        let opens = !alone && driver.in_transaction() != Some(true);
        self.opened.set(opens);
        if opens {
            return self.tell(driver, dialect.begin());
        }
        // Where a script may have taken another role, the author's own transaction is counted once, just before it ends,
        // and with the role given back: deferred triggers run as the author means.
        let again = dialect.role_again();
        if again.is_empty()
            || !statement.is_some_and(|sql| commits(sql, driver))
            || driver.in_transaction() != Some(true)
        {
            return Ok(());
        }
        for sql in dialect.own_role() {
            self.tell(driver, sql)?;
        }
        self.count(driver, done)?;
        again.iter().try_for_each(|sql| self.tell(driver, sql))
    }

    fn after(&self, driver: &mut dyn Driver, done: u64) -> Result<()> {
        let dialect = driver.dialect();
        let own_role = dialect.own_role();
        let opened = self.opened.take();
        let inside = !opened && driver.in_transaction() == Some(true);
        if inside && !own_role.is_empty() {
            return Ok(());
        }
        if !inside && self.written.get() == done {
            self.kept.set(done);
            // A directive counts as no statement; one that is read again finds the table as it has made it.
            return if opened { self.tell(driver, "COMMIT") } else { Ok(()) };
        }
        let begin = !opened && !own_role.is_empty();
        if begin {
            self.tell(driver, dialect.begin())?;
        }
        for sql in own_role {
            self.tell(driver, sql)?;
        }
        self.count(driver, done)?;
        if opened || begin {
            let committed = self.tell(driver, "COMMIT");
            committed.map_err(|error| orphans::behind(driver, &error).unwrap_or(error))?;
        }
        if !inside {
            self.kept.set(done);
        }
        Ok(())
    }

    fn open(&self, driver: &mut dyn Driver) -> Result<()> {
        let opens = driver.in_transaction() != Some(true);
        if opens {
            let begin = driver.dialect().begin();
            self.tell(driver, begin)?;
        }
        self.opened.set(opens);
        Ok(())
    }

    fn takes_back(&self, driver: &mut dyn Driver, statement: &str) -> Result<bool> {
        if !self.opened.take() {
            let dialect = driver.dialect();
            if driver.in_transaction() != Some(false) || dialect.not_in_transaction(statement).is_none() {
                return Ok(false);
            }
            // An index that is half built is in the way of the next try.
            let Some(leftovers) = dialect.leftovers(statement) else {
                return Ok(true);
            };
            let rows = driver
                .query(&leftovers.query)
                .map_err(|error| fault::database(&error))?;
            return Ok(rows.is_empty());
        }
        driver.execute("ROLLBACK").map_err(|error| fault::database(&error))?;
        self.written.set(self.kept.get());
        Ok(true)
    }
}
