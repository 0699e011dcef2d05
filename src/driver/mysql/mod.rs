//! MySQL and MariaDB through their client protocol, as texts.
//!
//! What is queued goes out in one packet as several statements, of which the server leaves out those after one that
//! fails.

mod connect;
mod fault;
mod hello;
mod lock;
mod params;
mod scratch;
mod talk;
mod wire;

use std::io;
use std::sync::Arc;
use std::sync::atomic::{AtomicU8, AtomicU32, Ordering};

use crate::dialect::mysql::{self as sql, Mysql as Sql};
use crate::dialect::{Dialect, Rows};
use crate::driver::{Driver, DriverError, Opening};
use crate::error::Error;
use crate::sql::token;

pub use connect::connect;
pub(super) use connect::whole;

use connect::Opener;
use talk::Queue;
use wire::Wire;

/// [`connect`], for a list of drivers.
pub(super) fn open(url: &str, opening: Opening<'_>) -> Result<Box<dyn Driver>, Error> {
    connect(url, &sql::MYSQL, opening).map(|session| Box::new(session) as Box<dyn Driver>)
}

/// Likewise for a URL that says `mariadb`.
pub(super) fn open_mariadb(url: &str, opening: Opening<'_>) -> Result<Box<dyn Driver>, Error> {
    connect(url, &sql::MARIADB, opening).map(|session| Box::new(session) as Box<dyn Driver>)
}

/// The most bytes of statements that wait to be sent together.
const QUEUED: usize = 64 << 10;

/// Somebody wants the running statement to stop.
const ASKED: u8 = 1;
/// The server was told. A statement may go on to its end nevertheless; none comes after it.
const TOLD: u8 = 2;

const COM_QUIT: u8 = 1;
const COM_QUERY: u8 = 3;

/// There is no such table.
const NO_TABLE: u16 = 1146;

/// A connection to a MySQL or MariaDB server.
pub struct Mysql {
    wire: Wire,
    dialect: &'static Sql,
    /// The server's number for this connection.
    id: Arc<AtomicU32>,
    /// Whether a transaction is open, once what is queued has run.
    open: bool,
    /// Whether the server takes several statements in one packet at the moment.
    several: bool,
    /// The longest packet that the server takes.
    longest: usize,
    /// Whether data definition is done as a whole or not at all: in MySQL from 8.0 on.
    atomic: bool,
    /// Whether the server is MariaDB, whatever the URL says.
    mariadb: bool,
    queue: Queue,
    /// How far an interruption came: [`ASKED`], [`TOLD`], or 0 where there is none.
    interrupted: Arc<AtomicU8>,
    lock: lock::Lock,
    /// How the session was opened, to open it again.
    opener: Arc<Opener>,
    /// The connection was lost, and not opened again yet.
    lost: bool,
    /// What the last ROLLBACK could not undo.
    kept: Option<String>,
    /// The project's database, where this is a session on another server.
    stands_for: Option<String>,
    /// The database that goes when this connection does.
    throw_away: Option<Box<scratch::ThrowAway>>,
}

impl std::fmt::Debug for Mysql {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("Mysql")
            .field("open", &self.open)
            .finish_non_exhaustive()
    }
}

impl Mysql {
    fn new(wire: Wire, id: u32, dialect: &'static Sql, opener: Arc<Opener>) -> Self {
        Self {
            wire,
            dialect,
            id: Arc::new(AtomicU32::new(id)),
            open: false,
            several: true,
            longest: usize::MAX,
            atomic: false,
            mariadb: false,
            queue: Queue::default(),
            interrupted: Arc::default(),
            lock: lock::Lock::default(),
            opener,
            lost: false,
            kept: None,
            stands_for: None,
            throw_away: None,
        }
    }

    /// Makes the session read texts as the splitter does, and as a script of ours does in a client.
    fn ready(&mut self) -> Result<(), DriverError> {
        for sql in sql::READ_SO {
            self.put(sql, None);
        }
        // MariaDB does not read what stands behind such a number, and alone what stands behind an M.
        self.put("SELECT @@max_allowed_packet, /*!80000 1 + */ 0, /*M! 1 + */ 0", None);
        let (mut longest, mut atomic, mut mariadb) = (None, false, false);
        self.send_queue(&mut |row| {
            longest = row.first().copied().flatten().and_then(|size| size.parse().ok());
            atomic = row.get(1) == Some(&Some("1"));
            mariadb = row.get(2) == Some(&Some("1"));
        })?;
        self.longest = longest.unwrap_or(1 << 20);
        self.atomic = atomic;
        self.mariadb = mariadb;
        Ok(())
    }

    /// Follows the statements that begin and end transactions while they are queued.
    fn follow(&mut self, sql: &str) {
        if self.queue.parts.is_empty() {
            self.queue.was_open = self.open;
        }
        self.open = sql::ends_or_begins(sql).unwrap_or(self.open);
    }
}

impl Driver for Mysql {
    fn dialect(&self) -> &'static dyn Dialect {
        self.dialect
    }

    fn execute(&mut self, sql: &str) -> Result<(), DriverError> {
        self.flush()?;
        match self.own_words(sql)? {
            Some(sql) => self.run(&sql),
            None => Ok(()),
        }
    }

    fn scratch(&self) -> Result<Box<dyn Driver>, DriverError> {
        self.make_scratch().map(|scratch| Box::new(scratch) as Box<dyn Driver>)
    }

    fn stand_for(&mut self, database: &str) {
        self.stands_for = Some(database.to_owned());
    }

    fn query(&mut self, sql: &str) -> Result<Rows, DriverError> {
        self.flush()?;
        self.rows(sql)
    }

    fn in_transaction(&self) -> Option<bool> {
        Some(self.open)
    }

    fn queue(&mut self, sql: &str, ticket: Option<u64>) -> Result<(), DriverError> {
        let Some(sql) = self.own_words(sql)? else {
            return Ok(());
        };
        let sql = &*sql;
        if !sql::can_follow(sql) || may_wait(sql) || sql.len() >= self.longest.min(QUEUED) {
            self.flush()?;
            return self.run(sql).map_err(|error| DriverError { ticket, ..error });
        }
        if self.queue.sql.len() + sql.len() >= self.longest.min(QUEUED) {
            self.flush()?;
        }
        self.follow(sql);
        self.put(sql, ticket);
        Ok(())
    }

    fn flush(&mut self) -> Result<(), DriverError> {
        self.send_queue(&mut |_| ())
    }

    fn forget(&mut self) {
        let queue = std::mem::take(&mut self.queue);
        if !queue.parts.is_empty() {
            self.open = queue.was_open;
        }
    }

    fn each_row_if_there(
        &mut self,
        _exists: &str,
        query: &str,
        each: &mut dyn FnMut(&[Option<&str>]) -> bool,
    ) -> Result<bool, DriverError> {
        self.flush()?;
        let mut goes_on = true;
        // A script that runs may have limited what queries return.
        let query = format!("{query} LIMIT {}", u64::MAX);
        let sent = self.send(&query, &mut |row| goes_on = goes_on && each(row));
        match sent {
            Ok(_) => Ok(true),
            Err(error) if error.code.as_deref() == Some(&NO_TABLE.to_string()) => Ok(false),
            Err(error) => Err(error),
        }
    }

    fn is_atomic(&self) -> bool {
        self.atomic
    }

    fn left_by_rollback(&mut self) -> Option<String> {
        self.kept.take()
    }

    fn reconnect(&mut self) -> Result<(), DriverError> {
        if !self.lost {
            return Ok(());
        }
        match self.opener.open() {
            Ok((wire, id)) => {
                self.wire = wire;
                self.id.store(id, Ordering::Relaxed);
                (self.open, self.several, self.lost) = (false, true, false);
                (self.queue, self.lock) = (Queue::default(), lock::Lock::default());
                self.ready()
            }
            Err(trouble) => Err(connect::not_back(trouble, &mut self.lock)),
        }
    }

    fn hold(&mut self, table: &str) -> Result<bool, DriverError> {
        self.flush()?;
        self.take_lock(table).map(|()| true)
    }

    fn release(&mut self) {
        self.give_lock_back();
    }

    fn taken_for(&self) -> Option<&'static dyn Dialect> {
        let other = if self.mariadb { &sql::MARIADB } else { &sql::MYSQL };
        (self.dialect.name() != other.name()).then_some(other)
    }

    fn lock_holder(&self) -> Option<String> {
        self.lock.holder.clone()
    }

    fn interrupter(&self) -> Option<Box<dyn Fn() + Send + Sync>> {
        let (opener, interrupted, id) = (self.opener.clone(), self.interrupted.clone(), self.id.clone());
        Some(Box::new(move || {
            interrupted.store(ASKED, Ordering::Relaxed);
            // Where the server cannot be reached any more, there is nothing to stop.
            let _ = opener.kill(id.load(Ordering::Relaxed));
            // Not where the statement has failed by it: what follows puts things in order.
            let _ = interrupted.compare_exchange(ASKED, TOLD, Ordering::Relaxed, Ordering::Relaxed);
        }))
    }
}

/// Whether a statement may wait in a function that ends without an error when it is stopped: what follows it in the same
/// packet would run.
fn may_wait(sql: &str) -> bool {
    const LONG: usize = 4096;
    let says = |letters: &[u8]| token::holds(sql, letters);
    sql.len() < LONG && (says(b"sleep") || says(b"get_lock") || says(b"wait"))
}

impl Drop for Mysql {
    /// Says goodbye to the server.
    fn drop(&mut self) {
        if !self.lost {
            self.wire.command(COM_QUIT, &[]);
            let _: io::Result<()> = self.wire.send();
        }
    }
}
