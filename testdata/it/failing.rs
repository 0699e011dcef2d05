//! Connections that fail at a given call, and connections that are watched.

use std::any::Any;
use std::path::{Path, PathBuf};

use rusqlite::Connection;
use sqlrev::dialect::{Dialect, Rows, Setting};
use sqlrev::driver::{Driver, DriverError, Failure};

use crate::picture::Picture;

/// What becomes of the call.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum How {
    /// It is refused, and the connection goes on.
    Refused,
    /// It finds the database locked, once.
    Busy,
    /// It is done and nobody hears of it, and no other one arrives. For the database the next one failed as well.
    Unheard,
}

/// A connection whose `at`th call of `execute` or `query` fails.
pub(crate) struct FailAt {
    pub db: Connection,
    pub at: usize,
    pub how: How,
    pub calls: usize,
}

impl FailAt {
    fn call<T>(&mut self, action: impl FnOnce(&mut dyn Driver) -> Result<T, DriverError>) -> Result<T, DriverError> {
        self.calls += 1;
        let dead = self.how == How::Unheard && self.calls > self.at;
        if self.calls != self.at && !dead {
            return action(&mut self.db);
        }
        if self.how == How::Unheard && !dead {
            let _ = action(&mut self.db);
        }
        let failure = match self.how {
            How::Refused => Failure::DiskFull,
            How::Busy => Failure::Busy,
            How::Unheard => Failure::Disconnected,
        };
        Err(DriverError::of(failure, "this call was to fail"))
    }
}

impl Driver for FailAt {
    fn dialect(&self) -> &'static dyn Dialect {
        self.db.dialect()
    }

    fn execute(&mut self, sql: &str) -> Result<(), DriverError> {
        self.call(|db| db.execute(sql))
    }

    fn query(&mut self, sql: &str) -> Result<Rows, DriverError> {
        self.call(|db| db.query(sql))
    }

    fn setting(&mut self, setting: Setting, on: Option<bool>) -> Result<bool, DriverError> {
        self.db.setting(setting, on)
    }

    fn in_transaction(&self) -> Option<bool> {
        self.db.in_transaction()
    }

    fn scratch(&self) -> Result<Box<dyn Driver>, DriverError> {
        self.db.scratch()
    }

    fn exclusive(&self) -> Result<Box<dyn Any + Send>, DriverError> {
        self.db.exclusive()
    }
}

/// A connection that keeps a picture of every state that it commits.
pub(crate) struct Watched {
    pub db: Connection,
    pub calls: usize,
    pub states: Vec<Picture>,
}

impl Watched {
    pub(crate) fn new(db: Connection) -> Self {
        let states = vec![Picture::of(&db)];
        Self { db, calls: 0, states }
    }

    fn look(&mut self) {
        if self.db.is_autocommit() {
            let now = Picture::of(&self.db);
            if self.states.last() != Some(&now) {
                self.states.push(now);
            }
        }
    }
}

impl Driver for Watched {
    fn dialect(&self) -> &'static dyn Dialect {
        self.db.dialect()
    }

    fn execute(&mut self, sql: &str) -> Result<(), DriverError> {
        self.calls += 1;
        let done = Driver::execute(&mut self.db, sql);
        self.look();
        done
    }

    fn query(&mut self, sql: &str) -> Result<Rows, DriverError> {
        self.calls += 1;
        self.db.query(sql)
    }

    fn setting(&mut self, setting: Setting, on: Option<bool>) -> Result<bool, DriverError> {
        self.db.setting(setting, on)
    }

    fn in_transaction(&self) -> Option<bool> {
        self.db.in_transaction()
    }

    fn scratch(&self) -> Result<Box<dyn Driver>, DriverError> {
        self.db.scratch()
    }

    fn exclusive(&self) -> Result<Box<dyn Any + Send>, DriverError> {
        self.db.exclusive()
    }
}

/// A connection beside which something else is done after every call, which is told whether a transaction that writes
/// has begun and whether it has been committed.
pub(crate) struct Spied<F> {
    db: Connection,
    beside: F,
    begun: bool,
    committed: bool,
    /// Whether it copies what it has locked.
    pub copies_while_locked: bool,
}

impl<F: FnMut(bool, bool)> Spied<F> {
    pub(crate) fn new(db: Connection, beside: F) -> Self {
        Self {
            db,
            beside,
            begun: false,
            committed: false,
            copies_while_locked: true,
        }
    }

    fn look(&mut self) {
        let open = !self.db.is_autocommit();
        self.committed |= self.begun && !open;
        self.begun = open;
        (self.beside)(self.begun, self.committed);
    }
}

impl<F: FnMut(bool, bool) + Send> Driver for Spied<F> {
    fn dialect(&self) -> &'static dyn Dialect {
        self.db.dialect()
    }

    fn execute(&mut self, sql: &str) -> Result<(), DriverError> {
        let done = Driver::execute(&mut self.db, sql);
        self.look();
        done
    }

    fn query(&mut self, sql: &str) -> Result<Rows, DriverError> {
        let done = self.db.query(sql);
        self.look();
        done
    }

    fn file(&self) -> Option<PathBuf> {
        self.db.file()
    }

    fn copies_while_locked(&mut self) -> bool {
        self.copies_while_locked
    }

    fn copy_to(&mut self, file: &Path, each: &mut dyn FnMut(u64, u64) -> bool) -> Result<Box<dyn Driver>, DriverError> {
        let copied = self.db.copy_to(file, each);
        self.look();
        copied
    }

    fn setting(&mut self, setting: Setting, on: Option<bool>) -> Result<bool, DriverError> {
        self.db.setting(setting, on)
    }

    fn in_transaction(&self) -> Option<bool> {
        self.db.in_transaction()
    }

    fn scratch(&self) -> Result<Box<dyn Driver>, DriverError> {
        self.db.scratch()
    }

    fn exclusive(&self) -> Result<Box<dyn Any + Send>, DriverError> {
        self.db.exclusive()
    }
}
