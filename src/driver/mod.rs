//! The only door to a database: a connection that runs statements and answers queries.
//!
//! A driver knows nothing of revisions. To write one for a connection of your own, implement [`Driver`]: run one
//! statement at a time, give every value as text, and keep the connection's settings between calls. Three methods are
//! asked for; the others have answers that suit a connection which cannot do better.

#[cfg(feature = "sqlite")]
pub mod sqlite;

use std::sync::Arc;
use std::sync::atomic::AtomicU64;

use crate::dialect::{Dialect, Rows, Setting};

/// A connection to a database.
pub trait Driver {
    /// The SQL that this database speaks.
    fn dialect(&self) -> &'static dyn Dialect;

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

    /// How long a statement waits for a lock before it fails with [`Failure::Busy`]; sets it first when `wait` is given.
    /// `None` where the connection cannot tell, and then it is not asked to change it.
    fn wait(&mut self, wait: Option<std::time::Duration>) -> Result<Option<std::time::Duration>, DriverError> {
        let _ = wait;
        Ok(None)
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

    /// Who holds the lock that a statement waited for in vain, in words for people, such as `process 4711 (sqlite3)`.
    fn lock_holder(&self) -> Option<String> {
        None
    }

    /// Makes this process the only one that holds the thing which is returned, until it is dropped or the process ends;
    /// [`Failure::Busy`] when another one holds it. It stands beside the database's own locks, which a revision without
    /// a transaction cannot hold.
    fn exclusive(&self) -> Result<Box<dyn std::any::Any>, DriverError> {
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

    /// Something that, called from another thread, makes the statement which runs now fail with
    /// [`Failure::Interrupted`].
    fn interrupter(&self) -> Option<Box<dyn Fn() + Send + Sync>> {
        None
    }
}

/// What kind of failure the database reported, as far as the program must tell them apart.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub enum Failure {
    /// The statement is wrong, or what it asks for.
    #[default]
    Statement,
    /// Somebody else holds a lock; trying again may succeed.
    Busy,
    /// The run was interrupted.
    Interrupted,
    /// The database cannot be written to.
    ReadOnly,
    /// There is no space left.
    DiskFull,
    /// The file is not a database.
    NotADatabase,
    /// The connection is gone.
    Disconnected,
}

/// A failure that the database reported, in its own words.
#[derive(Debug, Clone)]
pub struct DriverError {
    /// The database's words; never with a password in them.
    pub message: String,
    /// The database's own code, such as `SQLITE_CONSTRAINT` or `42P01`.
    pub code: Option<String>,
    /// The byte offset in the statement that the database points at.
    pub offset: Option<usize>,
    /// What kind it is.
    pub failure: Failure,
}

impl DriverError {
    /// An error with nothing but words.
    pub fn new(message: impl Into<String>) -> Self {
        Self {
            message: message.into(),
            code: None,
            offset: None,
            failure: Failure::default(),
        }
    }
}

impl std::fmt::Display for DriverError {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.write_str(&self.message)
    }
}

impl std::error::Error for DriverError {}
