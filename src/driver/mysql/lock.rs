//! The lock of a run: `GET_LOCK`, which belongs to the connection, so that it holds over everything that commits and
//! ends with the connection, however that ends.

use std::time::Duration;

use crate::dialect::mysql as sql;
use crate::driver::mysql::Mysql;
use crate::driver::{DriverError, Failure};

/// The pause after a try that failed; the caller tries again as long as it likes.
const PAUSE: Duration = Duration::from_millis(90);

/// What is known of the lock.
#[derive(Default)]
pub(super) struct Lock {
    /// Its name as an expression, while it is held.
    held: Option<String>,
    /// Who held it when it was tried last.
    pub(super) holder: Option<String>,
}

impl Mysql {
    /// Tries to take the lock.
    pub(super) fn take_lock(&mut self, table: &str) -> Result<(), DriverError> {
        let name = sql::lock_name(table);
        let taken = self.rows(&format!("SELECT GET_LOCK({name}, 0)"))?;
        if taken.first().and_then(|row| row.first()?.as_deref()) == Some("1") {
            self.lock.held = Some(name);
            self.lock.holder = None;
            return Ok(());
        }
        self.lock.holder = self.who_holds(&name);
        std::thread::sleep(PAUSE);
        Err(DriverError {
            failure: Failure::Busy,
            ..DriverError::new("another run of sqlrev has locked the version table")
        })
    }

    pub(super) fn give_lock_back(&mut self) {
        if let Some(name) = self.lock.held.take()
            && !self.lost
        {
            // Where this fails, the connection is gone, and the lock with it.
            let _ = self.rows(&format!("DO RELEASE_LOCK({name})"));
        }
    }

    fn who_holds(&mut self, name: &str) -> Option<String> {
        let rows = self.rows(&format!("SELECT IS_USED_LOCK({name})")).ok()?;
        let id = rows.into_iter().next()?.into_iter().next()??;
        let query = format!("SELECT user, host, command, time FROM information_schema.processlist WHERE id = {id}");
        let rows = self.rows(&query).unwrap_or_default();
        let Some([Some(user), host, command, time]) = rows.first().and_then(|row| row.first_chunk::<4>()) else {
            // Connections of other users are shown to those who may see them.
            return Some(format!("connection {id} of the server"));
        };
        let text = |value: &Option<String>| value.clone().unwrap_or_default();
        let place = host
            .as_deref()
            .unwrap_or_default()
            .split(':')
            .next()
            .unwrap_or_default();
        Some(format!(
            "connection {id} of the server (user {user}, from {place}, {} for {} s)",
            text(command).to_lowercase(),
            text(time)
        ))
    }

    /// Who may have stood in the way of a statement that did not get its lock: those whose transactions are open.
    pub(super) fn blockers(&mut self) -> Vec<String> {
        let query = "SELECT p.id, p.user, p.host, p.command, p.time FROM information_schema.innodb_trx t \
                     JOIN information_schema.processlist p ON p.id = t.trx_mysql_thread_id \
                     WHERE p.id <> CONNECTION_ID() ORDER BY t.trx_started LIMIT 5";
        let rows = self.rows(query).unwrap_or_default();
        let words = rows.iter().filter_map(|row| {
            let [Some(id), Some(user), host, Some(command), Some(time)] = row.first_chunk::<5>()? else {
                return None;
            };
            let place = host
                .as_deref()
                .unwrap_or_default()
                .split(':')
                .next()
                .unwrap_or_default();
            Some(format!(
                "connection {id} (user {user}, from {place}, {} for {time} s) has a transaction open",
                command.to_lowercase()
            ))
        });
        words.collect()
    }
}
