//! PostgreSQL through `tokio-postgres`: the simple query protocol, everything as text.

mod connect;
mod copy;
mod fault;
mod files;
mod link;
mod lock;
mod params;
mod refuse;
mod schema;
mod scratch;
mod tls;
mod unopened;
mod watch;
mod whole;

use std::sync::atomic::{AtomicBool, Ordering};
use std::sync::{Arc, Mutex, PoisonError};

use futures_util::TryStreamExt;
use tokio_postgres::{SimpleQueryMessage, SimpleQueryRow};

use crate::dialect::postgres::Postgres as Sql;
use crate::dialect::{Dialect, Rows};
use crate::driver::{Driver, DriverError, Failure, Opening, Phase};
use crate::error::Error;
use crate::sql::split;
use crate::sql::token;

pub use connect::connect;
pub(super) use whole::whole;

use link::Link;
use refuse::{ends, has_failed, no_text, other_encoding, refuse_copy_out, rolls_back};

/// [`connect`], for a list of drivers.
pub(super) fn open(url: &str, opening: Opening<'_>) -> Result<Box<dyn Driver>, Error> {
    connect(url, opening).map(|session| Box::new(session) as Box<dyn Driver>)
}

/// The most bytes of statements that wait to be sent together.
const QUEUED: usize = 64 << 10;

/// A connection to a PostgreSQL server.
pub struct Postgres {
    link: Link,
    /// Whether a transaction is open, once what is queued has run.
    open: bool,
    /// Whether a statement of that transaction has failed, so that the server would turn a COMMIT into a ROLLBACK and
    /// say nothing.
    failed: bool,
    queue: Queue,
    copy: Option<copy::Copying>,
    /// Set when the running statement was told to stop.
    interrupted: Arc<AtomicBool>,
    /// What stops it.
    cancel: Arc<Mutex<tls::Canceller>>,
    /// One was told to stop and did. The server gives its process that signal twice (`signal_child` in `postmaster.c`),
    /// and the second one may stop the next statement as well.
    stopped: bool,
    lock: lock::Lock,
    /// How the session was opened, to open it again.
    opener: connect::Opener,
    /// The connection was lost, and not opened again yet.
    lost: bool,
    /// What drops the database when the connection is closed, where it is one to throw away.
    throw_away: Option<scratch::ThrowAway>,
}

/// Statements that wait to be sent in one message.
#[derive(Default)]
struct Queue {
    /// The message.
    sql: String,
    parts: Vec<Part>,
    /// Whether a transaction was open before it.
    was_open: bool,
}

/// A statement in a message.
struct Part {
    start: usize,
    end: usize,
    ticket: Option<u64>,
}

impl std::fmt::Debug for Postgres {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("Postgres")
            .field("open", &self.open)
            .finish_non_exhaustive()
    }
}

impl Postgres {
    fn new(link: Link, opener: connect::Opener) -> Self {
        let cancel = Arc::new(Mutex::new(opener.canceller(&link)));
        Self {
            link,
            open: false,
            failed: false,
            queue: Queue::default(),
            copy: None,
            interrupted: Arc::default(),
            cancel,
            stopped: false,
            lock: lock::Lock::default(),
            opener,
            lost: false,
            throw_away: None,
        }
    }

    /// Sends one statement and waits for its rows.
    fn send(&mut self, sql: &str) -> Result<Rows, DriverError> {
        let sent = self.link.run(|client| async move {
            let mut rows = Some(Rows::new());
            let mut messages = Box::pin(client.simple_query_raw(sql).await?);
            while let Some(message) = messages.try_next().await? {
                if let (SimpleQueryMessage::Row(row), Some(known)) = (message, &mut rows) {
                    match values(&row) {
                        Some(values) => known.push(values.into_iter().map(|value| value.map(str::to_owned)).collect()),
                        None => rows = None,
                    }
                }
            }
            Ok(rows)
        });
        match sent {
            Ok(rows) => rows.ok_or_else(no_text),
            Err(error) => Err(fault::failed(
                &error,
                sql,
                self.interrupted.swap(false, Ordering::Relaxed),
            )),
        }
    }

    /// Sends one statement, and looks at no row.
    fn send_blindly(&mut self, sql: &str) -> Result<(), DriverError> {
        let sent = self.link.run(|client| async move {
            let mut messages = Box::pin(client.simple_query_raw(sql).await?);
            while messages.try_next().await?.is_some() {}
            Ok(())
        });
        sent.map_err(|error| fault::failed(&error, sql, self.interrupted.swap(false, Ordering::Relaxed)))
    }

    /// Runs a statement in whatever way, and follows what it does to transactions.
    fn one<T>(
        &mut self,
        sql: &str,
        send: impl Fn(&mut Self, &str) -> Result<T, DriverError>,
    ) -> Result<T, DriverError> {
        // One that nobody ended, since its run was stopped, would hold back whatever comes.
        self.copy = None;
        self.flush()?;
        if self.throw_away.is_some() && self.interrupted.swap(false, Ordering::Relaxed) {
            // Between two statements there was none to stop.
            return Err(DriverError {
                failure: Failure::Interrupted,
                ..DriverError::new("interrupted")
            });
        }
        if self.failed && ends(sql) {
            return Err(has_failed());
        }
        refuse_copy_out(sql)?;
        if self.link.garbles(sql) {
            self.failed = self.open;
            return Err(other_encoding());
        }
        let stopped = std::mem::take(&mut self.stopped);
        let again = stopped && (!self.open || rolls_back(sql));
        let sent = match send(self, sql) {
            // One that is told to stop by now is told so once more, and stops.
            Err(error)
                if again && error.failure != Failure::Interrupted && error.code.as_deref() == Some(fault::CANCELED) =>
            {
                send(self, sql)
            }
            sent => {
                self.stopped = stopped;
                sent
            }
        };
        match sent {
            Ok(sent) => {
                self.follow(sql);
                Ok(sent)
            }
            Err(error) => Err(self.ends_in_error(sql, error)),
        }
    }

    /// Sends everything that is queued in one message, and waits for all of it. After an error the server leaves out the
    /// rest of the message.
    fn send_queue(&mut self) -> Result<(), DriverError> {
        self.copy = None;
        let Queue { sql, parts, was_open } = std::mem::take(&mut self.queue);
        if parts.is_empty() {
            return Ok(());
        }
        if self.link.garbles(&sql) {
            (self.open, self.failed) = (was_open, was_open);
            let part = parts.iter().find(|part| !sql[part.start..part.end].is_ascii());
            let ticket = part.and_then(|part| part.ticket);
            return Err(DriverError {
                ticket,
                ..other_encoding()
            });
        }
        let mut done = 0;
        let sent = self.link.run(|client| {
            let (sql, done) = (&sql, &mut done);
            async move {
                let mut messages = Box::pin(client.simple_query_raw(sql).await?);
                while let Some(message) = messages.try_next().await? {
                    *done += usize::from(matches!(message, SimpleQueryMessage::CommandComplete(_)));
                }
                Ok(())
            }
        });
        let Err(error) = sent else { return Ok(()) };
        let interrupted = self.interrupted.swap(false, Ordering::Relaxed);
        let mut error = fault::failed(&error, &sql, interrupted);
        // Where it points says more than how far it came: a text that cannot be read stops all of them before the first.
        let at = match error.offset {
            Some(offset) => parts.partition_point(|part| part.start <= offset).saturating_sub(1),
            None => done.min(parts.len() - 1),
        };
        let part = &parts[at];
        error.offset = error.offset.map(|offset| offset.min(part.end) - part.start);
        error.ticket = part.ticket;
        self.open = was_open;
        for part in &parts[..done.min(parts.len())] {
            self.follow(&sql[part.start..part.end]);
        }
        Err(self.ends_in_error(&sql[part.start..part.end], error))
    }

    /// Follows the statements that begin and end transactions: the protocol's own answer is not handed on.
    fn follow(&mut self, sql: &str) {
        if !sql
            .as_bytes()
            .first()
            .is_some_and(|first| b"bBsScCeErRaApP".contains(first))
        {
            return;
        }
        let words = token::keywords(sql, &split::POSTGRESQL, 4);
        let words: Vec<&str> = words.iter().map(String::as_str).collect();
        let chains = || words.ends_with(&["AND", "CHAIN"]) || words.windows(2).any(|pair| pair == ["AND", "CHAIN"]);
        match words.as_slice() {
            ["BEGIN", ..] | ["START", "TRANSACTION", ..] => (self.open, self.failed) = (true, false),
            ["ROLLBACK", rest @ ..] if rest.contains(&"TO") => self.failed = false,
            ["COMMIT" | "ROLLBACK", "PREPARED", ..] => {}
            ["COMMIT" | "END" | "ROLLBACK" | "ABORT", ..] => (self.open, self.failed) = (chains(), false),
            ["PREPARE", "TRANSACTION", ..] => (self.open, self.failed) = (false, false),
            _ => {}
        }
    }

    /// Another session in the place of the one before.
    fn goes_on_with(&mut self, link: Link) {
        *self.cancel.lock().unwrap_or_else(PoisonError::into_inner) = self.opener.canceller(&link);
        self.link = link;
        (self.open, self.failed, self.lost) = (false, false, false);
        (self.queue, self.copy, self.lock) = (Queue::default(), None, lock::Lock::default());
    }

    /// What has to be known after an error: a statement that ends a transaction has ended it also when it failed.
    fn ends_in_error(&mut self, sql: &str, error: DriverError) -> DriverError {
        self.failed = self.open;
        if ends(sql) {
            self.follow(sql);
        }
        let mut error = error;
        self.stopped |= error.failure == Failure::Interrupted;
        if self.link.is_closed() || error.failure == Failure::Lost {
            self.open = false;
            self.lost = true;
            self.queue = Queue::default();
            error.failure = Failure::Lost;
        }
        if error.failure == Failure::Contended {
            error.remarks.details.extend(self.link.blockers());
        }
        error
    }
}

/// The values of a row, where they are texts: in another encoding than UTF-8 they may not be.
fn values(row: &SimpleQueryRow) -> Option<Vec<Option<&str>>> {
    (0..row.len()).map(|at| row.try_get(at).ok()).collect()
}

impl Driver for Postgres {
    fn dialect(&self) -> &'static dyn Dialect {
        &Sql
    }

    fn schema(&self) -> Option<&str> {
        self.opener.schemas.first().map(String::as_str)
    }

    fn execute(&mut self, sql: &str) -> Result<(), DriverError> {
        self.one(sql, Self::send_blindly)
    }

    fn query(&mut self, sql: &str) -> Result<Rows, DriverError> {
        self.one(sql, Self::send)
    }

    fn in_transaction(&self) -> Option<bool> {
        Some(self.open)
    }

    fn scratch(&self) -> Result<Box<dyn Driver>, DriverError> {
        let scratch = self.opener.scratch()?;
        Ok(Box::new(scratch))
    }

    fn scratch_in(&mut self, schemas: &[String]) {
        self.opener.works_in(schemas);
    }

    fn queue(&mut self, sql: &str, ticket: Option<u64>) -> Result<(), DriverError> {
        if rolls_back(sql) || self.queue.sql.len() >= QUEUED {
            self.flush()?;
        }
        if self.failed && ends(sql) {
            return Err(has_failed());
        }
        refuse_copy_out(sql).map_err(|error| DriverError { ticket, ..error })?;
        if self.queue.parts.is_empty() {
            self.queue.was_open = self.open;
        }
        self.follow(sql);
        let start = self.queue.sql.len();
        self.queue.sql.push_str(sql);
        let end = self.queue.sql.len();
        self.queue.parts.push(Part { start, end, ticket });
        // A statement may end in a line comment.
        self.queue.sql.push_str("\n;\n");
        Ok(())
    }

    fn flush(&mut self) -> Result<(), DriverError> {
        self.send_queue()
    }

    fn forget(&mut self) {
        let queue = std::mem::take(&mut self.queue);
        if !queue.parts.is_empty() {
            self.open = queue.was_open;
        }
    }

    fn each_row_if_there(
        &mut self,
        exists: &str,
        query: &str,
        each: &mut dyn FnMut(&[Option<&str>]) -> bool,
    ) -> Result<bool, DriverError> {
        self.flush()?;
        if self.open {
            // An error would end the transaction.
            return if self.query(exists)?.is_empty() {
                Ok(false)
            } else {
                self.each_row(query, each).map(|()| true)
            };
        }
        // Both at once. Where the table is not there, the second one fails, and nobody minds.
        let sent = self.link.run(|client| async move {
            let there = client.simple_query_raw(exists).await?;
            let rows = client.simple_query_raw(query).await?;
            let there: Vec<SimpleQueryMessage> = there.try_collect().await?;
            let rows: Result<Vec<SimpleQueryMessage>, _> = rows.try_collect().await;
            Ok((there, rows))
        });
        let interrupted = self.interrupted.swap(false, Ordering::Relaxed);
        let (there, rows) = match sent {
            Ok(answers) => answers,
            Err(error) => return Err(self.ends_in_error("", fault::failed(&error, exists, interrupted))),
        };
        if !there
            .iter()
            .any(|message| matches!(message, SimpleQueryMessage::Row(_)))
        {
            return Ok(false);
        }
        for message in rows.map_err(|error| fault::failed(&error, query, interrupted))? {
            if let SimpleQueryMessage::Row(row) = message
                && !each(&values(&row).ok_or_else(no_text)?)
            {
                break;
            }
        }
        Ok(true)
    }

    fn copy_in(&mut self, sql: &str) -> Result<(), DriverError> {
        self.begin_copy(sql)
    }

    fn copy_data(&mut self, lines: &str) -> Result<(), DriverError> {
        self.go_on_copying(lines)
    }

    fn copy_end(&mut self) -> Result<(), DriverError> {
        self.end_copy()
    }

    fn notices(&mut self) -> Vec<String> {
        self.link.notices()
    }

    fn follow(&mut self, query: Option<&'static str>) -> Option<Arc<Phase>> {
        self.link.follow(query)
    }

    fn reconnect(&mut self) -> Result<(), DriverError> {
        // Whoever asks may have heard of it in another way: the server itself says whether the session is there.
        if !self.lost && !self.link.is_closed() && self.send_blindly("").is_ok() {
            return Ok(());
        }
        match self.opener.open() {
            Ok(link) => {
                self.goes_on_with(link);
                self.is_in_its_schema()
            }
            Err(error) => Err(connect::not_back(&error, &mut self.lock)),
        }
    }

    fn hold(&mut self, table: &str) -> Result<bool, DriverError> {
        self.flush()?;
        self.take_lock(table).map(|()| true)
    }

    fn release(&mut self) {
        self.give_lock_back();
    }

    fn lock_holder(&self) -> Option<String> {
        self.lock.holder.clone()
    }

    fn interrupter(&self) -> Option<Box<dyn Fn() + Send + Sync>> {
        let (cancel, interrupted) = (self.cancel.clone(), self.interrupted.clone());
        Some(Box::new(move || {
            interrupted.store(true, Ordering::Relaxed);
            cancel.lock().unwrap_or_else(PoisonError::into_inner).cancel();
        }))
    }
}
