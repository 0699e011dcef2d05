//! The only door to a database: a connection that runs statements and answers queries.
//!
//! A driver knows nothing of revisions. To write one for a connection of your own, implement [`Driver`]: run one
//! statement at a time, give every value as text, and keep the connection's settings between calls. Three methods are
//! asked for; the others have answers that suit a connection which cannot do better.

#[cfg(feature = "mysql")]
pub mod mysql;
#[cfg(feature = "postgres")]
pub mod postgres;
#[cfg(feature = "sqlite")]
pub mod sqlite;
#[cfg(any(feature = "postgres", feature = "mysql"))]
mod tls;

use std::collections::BTreeMap;
use std::path::Path;
use std::sync::atomic::{AtomicBool, AtomicU64};
use std::sync::{Arc, Mutex};
use std::time::Duration;

use crate::dialect::{ColumnRead, Dialect, Rows, Setting};
use crate::error::Result as Outcome;

/// What a session on a server is opened with, beside the URL.
#[derive(Debug, Clone, Copy)]
#[non_exhaustive]
pub struct Opening<'a> {
    /// The environment, from which a URL is completed.
    pub variables: &'a BTreeMap<String, String>,
    /// The user of this process, for a URL that names none.
    pub user: &'a str,
    /// Where files that are named without a folder are looked for: the working directory, then the project's folder.
    pub folders: [&'a Path; 2],
    /// How long to wait for a server that is starting; zero tries once.
    pub wait: Duration,
    /// Set when the wait is to end.
    pub cancelled: &'a AtomicBool,
}

impl<'a> Opening<'a> {
    /// With this environment, user and folders, for one try.
    pub fn new(
        variables: &'a BTreeMap<String, String>,
        user: &'a str,
        folders: [&'a Path; 2],
        cancelled: &'a AtomicBool,
    ) -> Self {
        Self {
            variables,
            user,
            folders,
            wait: Duration::ZERO,
            cancelled,
        }
    }
}

type Open = fn(&str, Opening<'_>) -> Outcome<Box<dyn Driver>>;

/// The servers that this build can speak to, by their dialects.
static SERVERS: &[(&str, Open)] = &[
    #[cfg(feature = "postgres")]
    ("postgresql", postgres::open),
    #[cfg(feature = "mysql")]
    ("mysql", mysql::open),
    #[cfg(feature = "mysql")]
    ("mariadb", mysql::open_mariadb),
];

/// Opens a session on the server of a URL; none when this build has no driver for its dialect.
///
/// # Errors
/// The `connect::…` codes, in words that show no password; `config::url` for parameters that are wrong.
pub fn server(dialect: &str, url: &str, opening: Opening<'_>) -> Option<Outcome<Box<dyn Driver>>> {
    let (_, open) = SERVERS.iter().find(|(name, _)| *name == dialect)?;
    Some(open(url, opening))
}

/// What is done with a database as a whole.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
#[non_exhaustive]
pub enum Whole {
    /// Nothing: whether it is there is the answer.
    IsThere,
    /// It is created, unless it is there.
    Create,
    /// It is dropped, where it is there.
    Drop {
        /// The sessions of others are ended.
        force: bool,
    },
}

type OnWhole = fn(&str, Opening<'_>, Whole) -> Outcome<(String, bool)>;

/// Those of the servers whose databases can be created and dropped.
static WHOLE: &[(&str, OnWhole)] = &[
    #[cfg(feature = "postgres")]
    ("postgresql", postgres::whole),
    #[cfg(feature = "mysql")]
    ("mysql", mysql::whole),
    #[cfg(feature = "mysql")]
    ("mariadb", mysql::whole),
];

/// Creates or drops the database that a URL leads to; none when this build cannot for its dialect. Returns its name, and
/// whether anything was done, or whether it is there.
///
/// # Errors
/// The `connect::…` codes, and `database::failed` with the server's words.
pub fn whole_database(dialect: &str, url: &str, opening: Opening<'_>, what: Whole) -> Option<Outcome<(String, bool)>> {
    let (_, on_whole) = WHOLE.iter().find(|(name, _)| *name == dialect)?;
    Some(on_whole(url, opening, what))
}

/// The dialects of the servers that this build can speak to.
pub fn servers() -> impl Iterator<Item = &'static str> {
    SERVERS.iter().map(|(name, _)| *name)
}

/// A connection to a database. It may go from thread to thread, as connections do in pools and async applications.
pub trait Driver: Send {
    /// The SQL that this database speaks.
    fn dialect(&self) -> &'static dyn Dialect;

    /// The schema of the database that the session works in, where it was opened for one: the version table stands in it.
    fn schema(&self) -> Option<&str> {
        None
    }

    /// Runs one statement to its end; rows that it returns are stepped over.
    fn execute(&mut self, sql: &str) -> Result<(), DriverError>;

    /// Runs one query and returns its rows, every value as text.
    fn query(&mut self, sql: &str) -> Result<Rows, DriverError>;

    /// Runs one query and hands each row to `each`, which may end it by returning `false`. It is for what is asked at
    /// every start of an application: a driver that need not keep the rows saves their allocations.
    fn each_row(&mut self, sql: &str, each: &mut dyn FnMut(&[Option<&str>]) -> bool) -> Result<(), DriverError> {
        for row in self.query(sql)? {
            let row: Vec<Option<&str>> = row.iter().map(Option::as_deref).collect();
            if !each(&row) {
                break;
            }
        }
        Ok(())
    }

    /// The connection itself, for an application's own code in a revision, which asks for its type.
    fn connection(&mut self) -> Option<&mut dyn std::any::Any> {
        None
    }

    /// The file of the database, where it is one.
    fn file(&self) -> Option<std::path::PathBuf> {
        None
    }

    /// Whether the database is in memory, or thrown away with the connection: no copy of it is missed.
    fn is_in_memory(&self) -> bool {
        false
    }

    /// How many bytes a copy of the database takes.
    fn size(&mut self) -> Option<u64> {
        None
    }

    /// Copies the database as it is at one moment into a file, by the database's own means, and opens the copy. The file
    /// is there, empty, and has the rights that the copy is to have. `each` hears how many pages are copied of how many,
    /// and ends it by returning `false`. [`Failure::Busy`] when somebody else has the database, and may leave it.
    fn copy_to(
        &mut self,
        file: &std::path::Path,
        each: &mut dyn FnMut(u64, u64) -> bool,
    ) -> Result<Box<dyn Driver>, DriverError> {
        let _ = (file, each);
        Err(DriverError::new("this driver makes no copies"))
    }

    /// Whether [`Driver::copy_to`] works while this connection has locked the database for writing and has written
    /// nothing. Nobody else can write then; otherwise a copy is made before the lock, and again when others wrote
    /// meanwhile.
    fn copies_while_locked(&mut self) -> bool {
        false
    }

    /// Puts such a copy in the place of the database, in one transaction, when it is sound. `each` as in
    /// [`Driver::copy_to`].
    fn copy_from(&mut self, file: &std::path::Path, each: &mut dyn FnMut(u64, u64) -> bool) -> Result<(), DriverError> {
        let _ = (file, each);
        Err(DriverError::new("this driver makes no copies"))
    }

    /// [`Driver::copy_from`] with a look at the database before: `before` gets another connection to it, at a moment after
    /// which nobody else writes until the copy has taken its place, and ends it by returning `false`. Nothing is changed
    /// yet then. `false` where this is no way for this connection, before anything was done: see [`Driver::keep_locked`].
    fn copy_from_after(
        &mut self,
        file: &std::path::Path,
        before: &mut dyn FnMut(&mut dyn Driver) -> bool,
        each: &mut dyn FnMut(u64, u64) -> bool,
    ) -> Result<bool, DriverError> {
        let _ = (file, before, each);
        Ok(false)
    }

    /// Keeps others from writing between the transactions of this connection, until it is called with `false`; tells
    /// whether it does. [`Failure::Busy`] when somebody else has the database.
    fn keep_locked(&mut self, on: bool) -> Result<bool, DriverError> {
        let _ = on;
        Ok(false)
    }

    /// Opens a copy to look at it, so that nothing is written beside it.
    fn open_copy(&self, file: &std::path::Path) -> Result<Box<dyn Driver>, DriverError> {
        let _ = file;
        Err(DriverError::new("this driver makes no copies"))
    }

    /// What the database says is wrong with its own structures; nothing when they are sound.
    fn check(&mut self) -> Result<Vec<String>, DriverError> {
        Ok(Vec::new())
    }

    /// How long a statement waits for a lock before it fails with [`Failure::Busy`]; sets it first when `wait` is given.
    /// `None` where the connection cannot tell, and then it is not asked to change it.
    fn wait(&mut self, wait: Option<std::time::Duration>) -> Result<Option<std::time::Duration>, DriverError> {
        let _ = wait;
        Ok(None)
    }

    /// What a statement reads, as the database resolves its names, without running it; see [`Scratch::reads`].
    ///
    /// [`Scratch::reads`]: crate::dialect::Scratch::reads
    fn reads(&mut self, sql: &str, quoted_texts: bool) -> Result<Option<Vec<ColumnRead>>, DriverError> {
        let _ = (sql, quoted_texts);
        Ok(None)
    }

    /// In a scratch database: puts something in the place of what these words say is `missing` and applications register,
    /// such as a function, so that statements compile; `false` where it is something else.
    fn stand_in(&mut self, missing: &str) -> bool {
        let _ = missing;
        false
    }

    /// Reads a switch of the connection, throwing it first when `on` is given.
    fn setting(&mut self, setting: Setting, on: Option<bool>) -> Result<bool, DriverError> {
        let _ = on;
        Err(DriverError::new(format!("this driver has no switch for {setting:?}")))
    }

    /// Whether a transaction is open; `None` where the connection cannot tell.
    fn in_transaction(&self) -> Option<bool> {
        None
    }

    /// An empty database of the same kind, in memory or otherwise thrown away when it is dropped.
    fn scratch(&self) -> Result<Box<dyn Driver>, DriverError> {
        Err(DriverError::new("this driver has no scratch databases"))
    }

    /// Says in which schemas the sessions with its scratch databases work.
    fn scratch_in(&mut self, schemas: &[String]) {
        let _ = schemas;
    }

    /// Says which database its scratch databases stand for, where that one is on another server.
    fn stand_for(&mut self, database: &str) {
        let _ = database;
    }

    /// The dialect that the server speaks, where its URL says another one.
    fn taken_for(&self) -> Option<&'static dyn Dialect> {
        None
    }

    /// Who holds the lock that a statement waited for in vain, in words for people, such as `process 4711 (sqlite3)`.
    fn lock_holder(&self) -> Option<String> {
        None
    }

    /// Makes this process the only one that holds the thing which is returned, until it is dropped or the process ends;
    /// [`Failure::Busy`] when another one holds it. It stands beside the database's own locks, which a revision without
    /// a transaction cannot hold.
    fn exclusive(&self) -> Result<Box<dyn std::any::Any + Send>, DriverError> {
        Ok(Box::new(()))
    }

    /// The bytes that are free where the database lies, where that can be known.
    fn free_space(&self) -> Option<u64> {
        None
    }

    /// A number that grows with the work of the statement which runs, until the next call; see
    /// [`Dialect::work`] for what it grows to. `None` where the connection cannot tell.
    fn work_done(&mut self) -> Option<Arc<AtomicU64>> {
        None
    }

    /// Asks this again and again on another connection while statements run, until another call: the phase of what runs,
    /// how much of it is done, and of how much, with `{process}` for this session. `None` where that cannot be done.
    fn follow(&mut self, query: Option<&'static str>) -> Option<Arc<Phase>> {
        let _ = query;
        None
    }

    /// Opens the connection again after it was lost, with nothing of the old session; does nothing while it is there.
    /// [`Failure::Busy`] when the server may be back in a moment.
    fn reconnect(&mut self) -> Result<(), DriverError> {
        Err(DriverError::new("this driver does not connect again"))
    }

    /// Takes the lock that keeps other runs on the table of this name away until [`Driver::release`], and tells that it
    /// did; `false` where the transaction of a step locks the database itself. [`Failure::Busy`] when another run has it.
    fn hold(&mut self, table: &str) -> Result<bool, DriverError> {
        let _ = table;
        Ok(false)
    }

    /// Gives up the lock of [`Driver::hold`]; the end of the connection does so as well.
    fn release(&mut self) {}

    /// Sends a statement of a transaction whose result matters only later: an error may come with any later call, at the
    /// latest with [`Driver::flush`], and then carries the ticket. After an error nothing that was queued has run.
    fn queue(&mut self, sql: &str, ticket: Option<u64>) -> Result<(), DriverError> {
        self.execute(sql).map_err(|error| DriverError { ticket, ..error })
    }

    /// Waits for everything that was queued.
    fn flush(&mut self) -> Result<(), DriverError> {
        Ok(())
    }

    /// Takes back what was queued and not sent yet.
    fn forget(&mut self) {}

    /// Whether the server does data definition as a whole or not at all, where it commits by itself.
    fn is_atomic(&self) -> bool {
        false
    }

    /// What the last ROLLBACK could not undo, in the database's words: tables that know no transactions.
    fn left_by_rollback(&mut self) -> Option<String> {
        None
    }

    /// [`Driver::each_row`] of a query on a table that may not be there: `false` when `exists` returns no row.
    fn each_row_if_there(
        &mut self,
        exists: &str,
        query: &str,
        each: &mut dyn FnMut(&[Option<&str>]) -> bool,
    ) -> Result<bool, DriverError> {
        if self.query(exists)?.is_empty() {
            return Ok(false);
        }
        self.each_row(query, each).map(|()| true)
    }

    /// Begins a statement that takes lines of data: `COPY … FROM stdin`.
    fn copy_in(&mut self, sql: &str) -> Result<(), DriverError> {
        let _ = sql;
        Err(DriverError::new("this driver sends no data for COPY"))
    }

    /// Sends lines of data.
    fn copy_data(&mut self, lines: &str) -> Result<(), DriverError> {
        let _ = lines;
        Ok(())
    }

    /// Ends the data.
    fn copy_end(&mut self) -> Result<(), DriverError> {
        Ok(())
    }

    /// What the database had to say beside results since this was asked last.
    fn notices(&mut self) -> Vec<String> {
        Vec::new()
    }

    /// Something that, called from another thread, makes the statement which runs now fail with
    /// [`Failure::Interrupted`].
    fn interrupter(&self) -> Option<Box<dyn Fn() + Send + Sync>> {
        None
    }
}

/// How far a statement has come, as [`Driver::follow`] hears it.
#[derive(Debug, Default)]
#[non_exhaustive]
pub struct Phase {
    /// What is done at the moment, in the database's words; empty before anything is known.
    pub name: Mutex<String>,
    /// How much of that is done.
    pub done: AtomicU64,
    /// Of how much; 0 where that is not known.
    pub total: AtomicU64,
}

/// What kind of failure the database reported, as far as the program must tell them apart.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
#[non_exhaustive]
pub enum Failure {
    /// The statement is wrong, or what it asks for.
    #[default]
    Statement,
    /// Somebody else holds a lock; trying again may succeed.
    Busy,
    /// Somebody else held a lock for too long, and the transaction is lost; doing all of it again may succeed.
    Contended,
    /// The run was interrupted.
    Interrupted,
    /// The database cannot be written to.
    ReadOnly,
    /// There is no space left.
    DiskFull,
    /// The file is not a database.
    NotADatabase,
    /// There is no connection.
    Disconnected,
    /// The connection was lost on the way: what was sent last may have been done or not.
    Lost,
}

/// A failure that the database reported, in its own words.
#[derive(Debug, Clone)]
#[non_exhaustive]
pub struct DriverError {
    /// The database's words; never with a password in them.
    pub message: String,
    /// The database's own code, such as `SQLITE_CONSTRAINT` or `42P01`.
    pub code: Option<String>,
    /// The byte offset in the statement that the database points at.
    pub offset: Option<usize>,
    /// What kind it is.
    pub failure: Failure,
    /// What else is known of it.
    pub remarks: Box<Remarks>,
    /// The ticket of the queued statement that failed; none where it is the statement that was sent last.
    pub ticket: Option<u64>,
}

/// What else a database says of a failure.
#[derive(Debug, Clone, Default)]
#[non_exhaustive]
pub struct Remarks {
    /// Details, a line each.
    pub details: Vec<String>,
    /// What it advises.
    pub hint: Option<String>,
    /// The line of the data of a COPY that was wrong, from 1.
    pub data_line: Option<usize>,
}

impl DriverError {
    /// The words for somebody who may make no databases to try things on.
    #[cfg(any(feature = "mysql", feature = "postgres"))]
    pub(crate) fn no_scratch(self, hint: &str) -> Self {
        Self {
            remarks: Box::new(Remarks {
                hint: Some(hint.to_owned()),
                ..Remarks::default()
            }),
            message: format!("a database to try things on cannot be made: {}", self.message),
            ..self
        }
    }

    /// An error of this kind.
    pub fn of(failure: Failure, message: impl Into<String>) -> Self {
        Self {
            failure,
            ..Self::new(message)
        }
    }

    /// An error with nothing but words.
    pub fn new(message: impl Into<String>) -> Self {
        Self {
            message: message.into(),
            code: None,
            offset: None,
            failure: Failure::default(),
            remarks: Box::default(),
            ticket: None,
        }
    }
}

impl std::fmt::Display for DriverError {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.write_str(&self.message)
    }
}

impl std::error::Error for DriverError {}
