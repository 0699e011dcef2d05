//! How far a revision without a transaction has come, written down after each of its statements.

use std::cell::Cell;
use std::sync::atomic::AtomicBool;

use crate::code::Code;
use crate::dialect::Dialect;
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
    /// The number of the session's transaction before a statement that may commit by itself, which the row says has begun.
    begun: Cell<Option<u64>>,
    /// Whether that statement may be tried again as it is where the database refused it.
    again: Cell<bool>,
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
            begun: Cell::new(None),
            again: Cell::new(false),
        }
    }

    /// How many statements are done and recorded.
    pub(crate) fn done(&self) -> u64 {
        self.kept.get()
    }

    fn tell(&self, driver: &mut dyn Driver, sql: &str) -> Result<()> {
        tell(driver, sql, self.patience)
    }

    /// Commits; rows that point at nothing, which only this finds, are named.
    fn commit(&self, driver: &mut dyn Driver) -> Result<()> {
        let committed = self.tell(driver, "COMMIT");
        committed.map_err(|error| orphans::behind(driver, &error).unwrap_or(error))
    }

    /// Writes the count, and sees that nobody else has written another one since.
    fn count(&self, driver: &mut dyn Driver, done: u64) -> Result<()> {
        self.write(driver, done, false, self.patience)?;
        self.written.set(done);
        Ok(())
    }

    fn write(&self, driver: &mut dyn Driver, done: u64, begun: bool, patience: Patience<'_>) -> Result<()> {
        let at = |statements, begun| Unfinished {
            direction: self.direction,
            statements,
            begun,
        };
        let mut from = vec![at(self.kept.get(), self.begun.get().is_some())];
        if self.written.get() != self.kept.get() {
            from.push(at(self.written.get(), false));
        }
        let sql = self.table.progress_from(&self.id, &from, Some(at(done, begun)));
        changed(driver, patience, &sql, &self.id)
    }

    /// Writes in a transaction of its own whether the next statement has begun.
    fn note(&self, driver: &mut dyn Driver, begun: bool, patience: Patience<'_>) -> Result<()> {
        let dialect = driver.dialect();
        let first = [dialect.begin()].into_iter().chain(dialect.own_role().iter().copied());
        first.into_iter().try_for_each(|sql| tell(driver, sql, patience))?;
        self.write(driver, self.kept.get(), begun, patience)?;
        tell(driver, "COMMIT", patience)
    }

    /// Notes that a statement begins which may commit by itself and fail later, or which the server brings to its end when
    /// the client is gone.
    fn announce(&self, driver: &mut dyn Driver, statement: Option<&str>) -> Result<()> {
        let dialect = driver.dialect();
        let (Some(sql), Some(query)) = (statement, dialect.transaction_number()) else {
            return Ok(());
        };
        if driver.in_transaction() == Some(true) {
            return Ok(());
        }
        let look = dialect.look_at(sql);
        if look.is_none() && !dialect.may_stop_half_way(sql) {
            return Ok(());
        }
        self.again.set(look.is_some_and(|look| look.again));
        self.note(driver, true, self.patience)?;
        // Last of all, so that the next transaction is the statement's.
        self.begun.set(Some(number(driver, query)?));
        Ok(())
    }

    /// The statement that an earlier run noted has not run: takes its note back.
    pub(crate) fn takes_note_back(&self, driver: &mut dyn Driver) -> Result<()> {
        self.begun.set(Some(u64::MAX));
        self.note(driver, false, self.patience)?;
        self.begun.set(None);
        Ok(())
    }

    /// After a failure: whether the statement that was noted has ended a transaction of its own, so that nobody can tell
    /// what of it is done. Where it has not, nothing is, and the note is taken back.
    pub(crate) fn in_doubt(&self, driver: &mut dyn Driver) -> bool {
        let (Some(before), Some(query)) = (self.begun.get(), driver.dialect().transaction_number()) else {
            return false;
        };
        // An interrupted run says what it did nevertheless.
        let patience = Patience {
            timeout: self.patience.timeout,
            cancelled: &AtomicBool::new(false),
        };
        // Between the two there is the statement's own; one that takes several and is refused may leave what is looked for
        // before the next try. Where the note stays, the row says that nobody knows.
        let refused = self.again.get() && before != u64::MAX;
        let one = refused || number(driver, query).is_ok_and(|now| now.checked_sub(2) == Some(before));
        if !one || self.note(driver, false, patience).is_err() {
            return true;
        }
        self.begun.set(None);
        false
    }
}

fn tell(driver: &mut dyn Driver, sql: &str, patience: Patience<'_>) -> Result<()> {
    lock::retry(driver, patience, &mut |_| {}, |driver| driver.execute(sql))
}

/// The number of the transaction that the query itself stands in.
fn number(driver: &mut dyn Driver, query: &str) -> Result<u64> {
    let rows = driver.query(query).map_err(|error| fault::database(&error))?;
    let value = rows.first().and_then(|row| row.first()?.as_deref()?.parse().ok());
    Ok(value.unwrap_or_default())
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

/// Whether a statement may commit the author's transaction.
pub(crate) fn commits(sql: &str, dialect: &dyn Dialect) -> bool {
    let words = token::keywords(sql, dialect.rules(), 2);
    match words.first().map(String::as_str) {
        Some("COMMIT" | "END") => words.get(1).is_none_or(|word| word != "PREPARED"),
        // Of the savepoint that SQLite's transaction began with.
        Some("RELEASE") => dialect.role_again().is_empty(),
        _ => false,
    }
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
        self.announce(driver, statement)?;
        // The author's own transaction is counted with what ends it, so that no kill comes between. Where a script may have
        // taken another role, that is the only time, and with the role given back: deferred triggers run as the author means.
        let again = dialect.role_again();
        if !statement.is_some_and(|sql| commits(sql, dialect)) || driver.in_transaction() != Some(true) {
            return Ok(());
        }
        for sql in dialect.own_role() {
            self.tell(driver, sql)?;
        }
        self.count(driver, done)?;
        again.iter().try_for_each(|sql| self.tell(driver, sql))
    }

    fn after(&self, driver: &mut dyn Driver, done: u64) -> Result<()> {
        // It has run, whatever becomes of its count.
        self.begun.set(self.begun.get().map(|_| u64::MAX));
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
            return if opened { self.commit(driver) } else { Ok(()) };
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
            self.commit(driver)?;
        }
        if !inside {
            self.kept.set(done);
            self.begun.set(None);
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
            if self.in_doubt(driver) {
                return Ok(false);
            }
            // An index that is half built is in the way of the next try.
            let Some(leftovers) = dialect.leftovers(statement) else {
                return Ok(true);
            };
            let rows = driver
                .query(&leftovers.query)
                .map_err(|error| fault::database(&error))?;
            return Ok(leftovers.goes_again || rows.is_empty());
        }
        driver.execute("ROLLBACK").map_err(|error| fault::database(&error))?;
        self.written.set(self.kept.get());
        Ok(true)
    }
}
