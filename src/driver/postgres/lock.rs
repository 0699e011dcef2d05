//! The lock of a run: an advisory lock of the session, so that it holds over several transactions and ends with the
//! connection, however that ends.
//!
//! It is tried, never waited for: a session that waits in a statement keeps a snapshot, and `CREATE INDEX CONCURRENTLY`,
//! run by the one that holds the lock, would wait for that snapshot for ever.

use std::time::Duration;

use crate::driver::postgres::Postgres;
use crate::driver::{DriverError, Failure};

/// The pause after a try that failed; the caller tries again as long as it likes.
const PAUSE: Duration = Duration::from_millis(90);

/// What is known of the lock.
#[derive(Default)]
pub(super) struct Lock {
    /// The key, while it is held.
    held: Option<i64>,
    /// Who held it when it was tried last.
    pub(super) holder: Option<String>,
}

/// The key for the runs of one version table.
fn key(table: &str) -> i64 {
    let hash = blake3::hash(format!("sqlrev {table}").as_bytes());
    let mut bytes = [0; 8];
    bytes.copy_from_slice(&hash.as_bytes()[..8]);
    i64::from_be_bytes(bytes)
}

impl Postgres {
    /// Tries to take the lock.
    pub(super) fn take_lock(&mut self, table: &str) -> Result<(), DriverError> {
        let key = key(table);
        let taken = self.send(&format!("SELECT pg_catalog.pg_try_advisory_lock({key})"))?;
        if taken.first().and_then(|row| row.first()) == Some(&Some("t".to_owned())) {
            self.lock.held = Some(key);
            self.lock.holder = None;
            return Ok(());
        }
        self.lock.holder = self.who_holds(key);
        std::thread::sleep(PAUSE);
        Err(DriverError {
            failure: Failure::Busy,
            ..DriverError::new("another run of sqlrev has locked the version table")
        })
    }

    pub(super) fn give_lock_back(&mut self) {
        if let Some(key) = self.lock.held.take()
            && !self.link.is_closed()
        {
            // Where this fails, the connection is gone, and the lock with it.
            let _ = self.send(&format!("SELECT pg_catalog.pg_advisory_unlock({key})"));
        }
    }

    fn who_holds(&mut self, key: i64) -> Option<String> {
        let bits = key.cast_unsigned();
        let (high, low) = (bits >> 32, bits & 0xffff_ffff);
        let query = format!(
            "SELECT l.pid, a.application_name, a.usename, coalesce(host(a.client_addr), 'a local socket') \
             FROM pg_catalog.pg_locks l LEFT JOIN pg_catalog.pg_stat_activity a ON a.pid = l.pid \
             WHERE l.locktype = 'advisory' AND l.granted AND l.objsubid = 1 AND l.classid = {high} AND l.objid = {low} \
             AND l.database = (SELECT oid FROM pg_catalog.pg_database WHERE datname = current_database())"
        );
        let rows = self.send(&query).ok()?;
        let row = rows.first()?;
        let value = |at: usize| row.get(at).cloned().flatten().unwrap_or_default();
        let program = match value(1) {
            name if name.is_empty() => "a program without a name".to_owned(),
            name => name,
        };
        Some(format!(
            "process {} of the server ({program}, user {}, from {})",
            value(0),
            value(2),
            value(3)
        ))
    }
}
