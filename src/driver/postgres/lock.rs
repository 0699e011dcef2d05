//! The lock of a run: an advisory lock of the session, so that it holds over several transactions and ends with the
//! connection, however that ends.
//!
//! It is tried, never waited for: a session that waits in a statement keeps a snapshot, and `CREATE INDEX CONCURRENTLY`,
//! run by the one that holds the lock, would wait for that snapshot for ever.

use std::time::Duration;

use tokio_postgres::SimpleQueryMessage;

use crate::driver::postgres::Postgres;
use crate::driver::{DriverError, Failure, Remarks};

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
        let taken = self.send(&format!(
            "SELECT pg_catalog.pg_try_advisory_lock({key}), pg_catalog.pg_backend_pid(), \
             pg_catalog.current_setting('port')"
        ))?;
        let value = |at: usize| taken.first()?.get(at)?.as_deref();
        if value(0) == Some("t") {
            self.link.is_process(value(1).and_then(|process| process.parse().ok()));
            let direct = value(2).is_some_and(|port| self.opener.is_port(port));
            self.lock.held = Some(key);
            self.lock.holder = None;
            return if direct { Ok(()) } else { self.is_own_session(key) };
        }
        self.lock.holder = self.who_holds(key);
        std::thread::sleep(PAUSE);
        Err(DriverError {
            failure: Failure::Busy,
            ..DriverError::new("another run of sqlrev has locked the version table")
        })
    }

    /// Refuses a pooler that gives each transaction another session: no lock holds there, nor does anything else that
    /// belongs to a session. Asked only where the server listens on another port than the one that was connected to.
    fn is_own_session(&mut self, key: i64) -> Result<(), DriverError> {
        let Ok(mut other) = self.opener.open() else {
            return Ok(());
        };
        let tried = other.run(|client| async move {
            let sql = format!("SELECT pg_catalog.pg_try_advisory_lock({key}) AND pg_catalog.pg_advisory_unlock({key})");
            client.simple_query(&sql).await
        });
        let taken =
            |message: &SimpleQueryMessage| matches!(message, SimpleQueryMessage::Row(row) if row.get(0) == Some("t"));
        if !tried.is_ok_and(|messages| messages.iter().any(taken)) {
            return Ok(());
        }
        self.give_lock_back();
        Err(DriverError {
            failure: Failure::Disconnected,
            remarks: Box::new(Remarks {
                hint: Some(
                    "connect to the server itself, or to a pool with pool_mode = session: the lock of a run, and what \
                     scripts set up, belong to a session"
                        .to_owned(),
                ),
                ..Remarks::default()
            }),
            ..DriverError::new("this is a connection pooler in transaction mode: two connections share one session")
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
