//! The lock of a run: an advisory lock of the session, so that it holds over several transactions and ends with the
//! connection, however that ends.
//!
//! It is tried, never waited for: a session that waits in a statement keeps a snapshot, and `CREATE INDEX CONCURRENTLY`,
//! run by the one that holds the lock, would wait for that snapshot for ever.

use std::time::Duration;

use tokio_postgres::SimpleQueryMessage;

use crate::dialect::Rows;
use crate::dialect::postgres::lock_key;
use crate::driver::postgres::Postgres;
use crate::driver::postgres::link::Link;
use crate::driver::{DriverError, Failure, Remarks};

/// The pause after a try that failed; the caller tries again as long as it likes.
const PAUSE: Duration = Duration::from_millis(90);
/// How often two connections are asked for their sessions, where a pooler may stand in between. Other programs that take
/// sessions out of the pool at the same moment make one look in vain, rarely two, and never all.
const LOOKS: usize = 16;
/// How long the second connection may wait for its session: a pool in session mode may have none left.
const SECOND: Duration = Duration::from_secs(2);
/// How often a lock is given back that this session does not have.
const GIVEN_BACK: usize = 20;

/// What is known of the lock.
#[derive(Default)]
pub(super) struct Lock {
    /// The key, while it is held.
    held: Option<i64>,
    /// Who held it when it was tried last.
    pub(super) holder: Option<String>,
    /// Whether it is known that no pooler gives each transaction another session.
    own_session: bool,
}

impl Postgres {
    /// Tries to take the lock.
    pub(super) fn take_lock(&mut self, table: &str) -> Result<(), DriverError> {
        // Before it is taken: in a pooler it would stay, in a session that others get.
        self.refuse_pooler()?;
        let key = lock_key(table);
        let taken = self.send(&format!("SELECT pg_catalog.pg_try_advisory_lock({key})"))?;
        if yes(&taken) {
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

    /// Refuses a pooler that gives each transaction another session: no lock holds there, nor does anything else that
    /// belongs to a session. Two connections are looked at only where the server listens on another port than the one
    /// that was connected to.
    fn refuse_pooler(&mut self) -> Result<(), DriverError> {
        if self.lock.own_session {
            return Ok(());
        }
        let rows = self.send("SELECT pg_catalog.pg_backend_pid(), pg_catalog.current_setting('port')")?;
        let value = |at: usize| rows.first()?.get(at)?.as_deref();
        let process: Option<i32> = value(0).and_then(|process| process.parse().ok());
        let direct = value(1).is_some_and(|port| self.opener.is_port(port));
        if !direct && self.shares_session(process) {
            return Err(transaction_pooler());
        }
        self.link.is_process(process);
        self.lock.own_session = true;
        Ok(())
    }

    /// Whether this connection gets another session, or the one that a second connection has. A pool hands out the session
    /// that came back last, or each in turn: the former is seen from both connections, the latter from this one alone.
    fn shares_session(&mut self, process: Option<i32>) -> bool {
        let Ok(mut other) = self.opener.open() else {
            return false;
        };
        for _ in 0..LOOKS {
            let own = [session(&mut self.link), session(&mut self.link)];
            if own.iter().flatten().any(|own| Some(*own) != process) {
                return true;
            }
            match session(&mut other) {
                None => return false,
                found if found == process => return true,
                Some(_) => {}
            }
        }
        false
    }

    pub(super) fn give_lock_back(&mut self) {
        if let Some(key) = self.lock.held.take()
            && !self.link.is_closed()
        {
            let unlock = format!("SELECT pg_catalog.pg_advisory_unlock({key})");
            // Where this fails, the connection is gone, and the lock with it. Behind a pooler that was not seen, another
            // session may have it.
            let tries = (0..GIVEN_BACK).map(|_| self.send(&unlock).map(|rows| yes(&rows)));
            let _ = tries.into_iter().find(|given| !matches!(given, Ok(false)));
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

/// Whether the first value is true.
fn yes(rows: &Rows) -> bool {
    let first = rows.first().and_then(|row| row.first()?.as_deref());
    first == Some("t")
}

/// The process of the session that a connection has at the moment; none where it gets none.
fn session(link: &mut Link) -> Option<i32> {
    let asked = link.run(|client| async move {
        let query = client.simple_query("SELECT pg_catalog.pg_backend_pid()");
        Ok(tokio::time::timeout(SECOND, query).await.ok())
    });
    let messages = asked.ok()??.ok()?;
    messages.iter().find_map(|message| match message {
        SimpleQueryMessage::Row(row) => row.get(0)?.parse().ok(),
        _ => None,
    })
}

fn transaction_pooler() -> DriverError {
    DriverError {
        failure: Failure::Disconnected,
        remarks: Box::new(Remarks {
            hint: Some(
                "connect to the server itself, or to a pool with pool_mode = session: the lock of a run, and what scripts \
                 set up, belong to a session"
                    .to_owned(),
            ),
            ..Remarks::default()
        }),
        ..DriverError::new("this is a connection pooler in transaction mode: two connections share one session")
    }
}
