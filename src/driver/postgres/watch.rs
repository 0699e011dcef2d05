//! Who stands in the way while a statement waits: a second connection looks, since the first one is busy.

use std::sync::atomic::Ordering;
use std::sync::{Arc, PoisonError};
use std::time::Duration;

use tokio::time::sleep;
use tokio_postgres::config::Host;
use tokio_postgres::{Client, Config, NoTls, SimpleQueryMessage};
use tokio_postgres_rustls::MakeRustlsConnect;

use crate::driver::Phase;

/// How long a statement may take before anybody looks, and the pause between two looks.
const FIRST: Duration = Duration::from_millis(150);
const AGAIN: Duration = Duration::from_millis(500);

/// Looks for those whom a session waits for.
pub(super) struct Watch {
    pub(super) config: Config,
    pub(super) connector: Option<MakeRustlsConnect>,
    /// The process of the session, once it is known.
    pub(super) process: Option<i32>,
    /// Whether nobody else can read what comes over the connection.
    private: bool,
    client: Option<Client>,
    /// What else it asks for, and where the answer goes.
    pub(super) followed: Option<(&'static str, Arc<Phase>)>,
    /// Who stood in the way when somebody looked last.
    pub(super) blockers: Vec<String>,
}

impl Watch {
    pub(super) fn new(config: Config, connector: Option<MakeRustlsConnect>) -> Self {
        let private = connector.is_some() || config.get_hosts().iter().all(is_here);
        Self {
            private,
            config,
            connector,
            process: None,
            client: None,
            followed: None,
            blockers: Vec::new(),
        }
    }

    /// Looks again and again, until this is dropped because the statement came to its end.
    pub(super) async fn look(&mut self) {
        self.blockers.clear();
        let Some(process) = self.process else {
            return std::future::pending().await;
        };
        sleep(FIRST).await;
        loop {
            if self.client.as_ref().is_none_or(Client::is_closed) {
                self.client = connect(&self.config, self.connector.as_ref()).await;
            }
            if let Some(client) = &self.client
                && let Ok(found) = client.simple_query(&query(process, self.private)).await
            {
                let found: Vec<String> = found.iter().filter_map(words).collect();
                if !found.is_empty() {
                    self.blockers = found;
                }
                if let Some((query, phase)) = &self.followed {
                    let query = query.replace("{process}", &process.to_string());
                    // An older server may not have it.
                    let found = client.simple_query(&query).await.unwrap_or_default();
                    for row in &found {
                        hear(row, phase);
                    }
                }
            }
            sleep(AGAIN).await;
        }
    }
}

/// Takes the answer of a query for the phase.
fn hear(message: &SimpleQueryMessage, phase: &Phase) {
    let SimpleQueryMessage::Row(row) = message else { return };
    let value = |at: usize| row.try_get(at).ok().flatten().unwrap_or_default();
    let number = |at: usize| value(at).parse().unwrap_or(0);
    value(0).clone_into(&mut phase.name.lock().unwrap_or_else(PoisonError::into_inner));
    phase.done.store(number(1), Ordering::Relaxed);
    phase.total.store(number(2), Ordering::Relaxed);
}

async fn connect(config: &Config, connector: Option<&MakeRustlsConnect>) -> Option<Client> {
    let mut config = config.clone();
    config.application_name("sqlrev (watching)");
    // Driven only while a statement of the main connection runs, which is when it is asked.
    match connector {
        Some(tls) => {
            let (client, connection) = config.connect(tls.clone()).await.ok()?;
            tokio::spawn(connection);
            Some(client)
        }
        None => {
            let (client, connection) = config.connect(NoTls).await.ok()?;
            tokio::spawn(connection);
            Some(client)
        }
    }
}

/// Whether a host is this machine.
fn is_here(host: &Host) -> bool {
    match host {
        Host::Tcp(name) => ["localhost", "127.0.0.1", "::1"].contains(&name.as_str()),
        #[cfg(unix)]
        Host::Unix(_) => true,
    }
}

/// Whom the process waits for. The texts of others' statements may hold what is nobody's business: of one about passwords,
/// and over a network without TLS of any, only the first word leaves the server.
fn query(process: i32, private: bool) -> String {
    let secret = if private { "a.query ~* 'password'" } else { "true" };
    format!(
        "SELECT a.pid, a.application_name, a.usename, a.state, \
         CASE WHEN {secret} THEN pg_catalog.substring(a.query, '[[:alpha:]]+') || ' …' \
         ELSE pg_catalog.left(pg_catalog.regexp_replace(a.query, '\\s+', ' ', 'g'), 120) END \
         FROM pg_catalog.unnest(pg_catalog.pg_blocking_pids({process})) AS b (pid) \
         JOIN pg_catalog.pg_stat_activity a ON a.pid = b.pid ORDER BY 1"
    )
}

fn words(message: &SimpleQueryMessage) -> Option<String> {
    let SimpleQueryMessage::Row(row) = message else {
        return None;
    };
    let value = |at: usize| row.try_get(at).ok().flatten().unwrap_or_default();
    let program = Some(value(1))
        .filter(|name| !name.is_empty())
        .unwrap_or("a program without a name");
    Some(format!(
        "process {} of the server ({program}, user {}, {}) stood in the way: {}",
        value(0),
        value(2),
        value(3),
        value(4)
    ))
}
