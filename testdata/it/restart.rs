//! Servers of a test's own, which stop in the midst of a statement, in order or by a kill, and are started again: what the
//! run says is so, and the next one goes on.

use std::path::{Path, PathBuf};
use std::process::{Child, Command, Stdio};
use std::time::Duration;

use crate::place::{Done, Place};
use crate::server::{Database, Server};
use crate::{mariadb, postgres};

on_mariadb_and_mysql! {
    a_stopped_server
    a_killed_server
}

fn a_stopped_server(server: Server) {
    statements_that_a_server_did_not_end(server, Stop::InOrder);
}

fn a_killed_server(server: Server) {
    statements_that_a_server_did_not_end(server, Stop::Killed);
}

#[test]
fn a_stopped_server_on_postgresql() {
    transactions_that_a_server_did_not_end(Stop::InOrder);
}

#[test]
fn a_killed_server_on_postgresql() {
    transactions_that_a_server_did_not_end(Stop::Killed);
}

/// How a server comes to its end.
#[derive(Clone, Copy)]
enum Stop {
    InOrder,
    Killed,
}

/// A server that goes with the test's process: the script that starts it sees to that.
struct Own {
    server: Server,
    url: String,
    folder: PathBuf,
    again: Option<Child>,
}

impl Own {
    fn start(server: Server) -> Self {
        // What is committed is there after a kill, as it is with any server's own settings.
        let (script, options) = match server {
            Server::Postgresql => ("test-postgres", "-c synchronous_commit=on"),
            Server::Mariadb => ("test-mariadb", "--innodb-flush-log-at-trx-commit=1"),
            Server::Mysql => ("test-mysql", "--innodb-flush-log-at-trx-commit=1"),
        };
        let told = tempfile::NamedTempFile::new().expect("a file");
        let script = Path::new(env!("CARGO_MANIFEST_DIR")).join("scripts").join(script);
        let started = Command::new(script)
            .env_remove(server.variable())
            .env("SQLREV_TEST_SERVER_OPTIONS", options)
            .env("NEXTEST_ENV", told.path())
            .stdout(Stdio::null())
            .status();
        assert!(started.expect("the script is there").success());
        let told = std::fs::read_to_string(told.path()).expect("it can be read");
        let url = told
            .lines()
            .find_map(|line| line.strip_prefix(server.variable())?.strip_prefix('='))
            .expect("it tells where the server is");
        let place = url.split_once("socket=").or_else(|| url.split_once("host="));
        let place = place.expect("a socket").1.split('&').next().unwrap_or_default();
        Self {
            server,
            url: url.to_owned(),
            folder: PathBuf::from(place.trim_end_matches("/socket")),
            again: None,
        }
    }

    fn database(&self) -> Database {
        Database::at(self.server, &self.url)
    }

    /// Stops it, and waits until it is gone.
    fn stop(&mut self, how: Stop) {
        let file = match self.server {
            Server::Postgresql => "data/postmaster.pid",
            Server::Mariadb | Server::Mysql => "pid",
        };
        let file = std::fs::read_to_string(self.folder.join(file)).expect("it runs");
        let process = file.lines().next().expect("its process").trim();
        let signal = match (how, self.server) {
            (Stop::Killed, _) => "-KILL",
            // PostgreSQL would wait for its sessions.
            (Stop::InOrder, Server::Postgresql) => "-INT",
            (Stop::InOrder, Server::Mariadb | Server::Mysql) => "-TERM",
        };
        let sent = Command::new("kill").args([signal, process]).status();
        assert!(sent.expect("kill is there").success());
        if let Some(mut again) = self.again.take() {
            again.wait().expect("it ends");
        }
        let mut looked = Command::new("ps");
        looked.args(["-o", "stat=", "-p", process]);
        loop {
            let state = looked.output().expect("ps is there").stdout;
            if state.is_empty() || state.starts_with(b"Z") {
                break;
            }
            std::thread::sleep(Duration::from_millis(10));
        }
    }

    /// Starts it again, on what it left.
    fn start_again(&mut self, database: &Database) {
        let start = self.folder.join("start");
        let begin = || {
            let mut command = Command::new("sh");
            command.arg(&start).current_dir(&self.folder);
            command.stdin(Stdio::null()).stdout(Stdio::null()).stderr(Stdio::null());
            command.spawn().expect("sh is there")
        };
        let mut child = begin();
        while !database.answers() {
            // PostgreSQL does not start before the last process of the old one has seen that it is gone.
            if child
                .try_wait()
                .expect("it can be asked")
                .is_some_and(|ended| !ended.success())
            {
                child = begin();
            }
            std::thread::sleep(Duration::from_millis(50));
        }
        self.again = Some(child);
    }
}

/// Starts an upgrade, and stops the server while a statement of it runs.
fn stopped_while(own: &mut Own, place: &Place, database: &Database, how: Stop, patience: &str) -> Child {
    let sleeping = match own.server {
        Server::Postgresql => {
            "SELECT count(*) FROM pg_stat_activity WHERE datname = current_database() AND wait_event = 'PgSleep' \
             AND query LIKE '%pg_sleep(600)%' AND pid <> pg_backend_pid()"
        }
        Server::Mariadb | Server::Mysql => mariadb::SLEEPING,
    };
    let child = place.start(&["upgrade", "--lock-timeout", patience]);
    mariadb::wait_until(database, sleeping, "1");
    own.stop(how);
    child
}

fn lost(child: Child) -> Done {
    let done: Done = child.wait_with_output().expect("it ends").into();
    done.failed_with(1, "connect::lost");
    done
}

/// Where data definition commits by itself: while a table is created, while rows are changed after that, and while a
/// revision runs that stands in a transaction.
fn statements_that_a_server_did_not_end(server: Server, how: Stop) {
    let mut own = Own::start(server);
    let database = own.database();
    let place = mariadb::place_on(&database);
    let script = |slow: usize| {
        let value = |at| if slow == at { mariadb::SLOW } else { "1" };
        let up = format!(
            "CREATE TABLE t (x INT);\nINSERT INTO t SELECT {};\nCREATE TABLE u AS SELECT {} AS x;\n\
             INSERT INTO u SELECT 2;\nINSERT INTO u SELECT {};",
            value(1),
            value(2),
            value(4)
        );
        place.revision("aaaa", &[], &[], &up, "DROP TABLE t; DROP TABLE u;");
    };
    let unfinished = "SELECT unfinished FROM sqlrev_revisions WHERE unfinished IS NOT NULL";
    script(2);
    let child = stopped_while(&mut own, &place, &database, how, "600");
    own.start_again(&database);
    mariadb::told_truly(&lost(child), &database);
    assert_eq!(database.query(unfinished), ["upgrade:2:begun"]);
    assert_eq!(database.query("SHOW TABLES LIKE 'u'"), [""; 0]);
    assert_eq!(database.query("SELECT x FROM t"), ["1"]);
    place.run(&["upgrade"]).failed_with(1, "execute::unfinished");
    place.must(&["repair", "aaaa", "--not-run"]);

    // It does not come back while anybody waits.
    script(4);
    let done = lost(stopped_while(&mut own, &place, &database, how, "0.2"));
    assert!(done.stderr.contains("is not known"), "{done:?}");
    own.start_again(&database);
    assert_eq!(database.query(unfinished), ["upgrade:3"]);
    assert_eq!(database.query("SELECT COUNT(*) FROM u"), ["1"]);

    script(0);
    let rows = |value: &str| {
        let up = format!("INSERT INTO t SELECT 2;\nINSERT INTO t SELECT {value};");
        place.revision("bbbb", &["aaaa"], &[], &up, "DELETE FROM t WHERE x > 1;");
    };
    rows(mariadb::SLOW);
    let child = stopped_while(&mut own, &place, &database, how, "600");
    own.start_again(&database);
    let done = lost(child);
    mariadb::told_truly(&done, &database);
    assert!(done.stderr.contains("`bbbb` was rolled back"), "{done:?}");
    assert_eq!(database.query("SELECT revision FROM sqlrev_revisions"), ["aaaa"]);
    rows("3");
    place.must(&["upgrade"]);
    let all = "SELECT x FROM t UNION ALL SELECT x FROM u ORDER BY 1";
    assert_eq!(database.query(all), ["1", "1", "1", "2", "2", "3"]);
}

/// Where a transaction holds a revision, and where it does not because the author says so.
fn transactions_that_a_server_did_not_end(how: Stop) {
    let mut own = Own::start(Server::Postgresql);
    let database = own.database();
    let place = postgres::place_on(&database);
    let slow = "SELECT pg_sleep(600);";
    let script = |last: &str, options: &[&str]| {
        let up = format!("CREATE TABLE t (x int);\nINSERT INTO t VALUES (1);\n{last}");
        place.revision("aaaa", &[], options, &up, "DROP TABLE t;");
    };
    let there = "SELECT to_regclass('t') IS NOT NULL";
    script(slow, &[]);
    let child = stopped_while(&mut own, &place, &database, how, "600");
    own.start_again(&database);
    let done = lost(child);
    assert_eq!(postgres::told_truly(&done, &database), "rolled back");
    assert_eq!(database.query(there), ["f"]);

    // It does not come back while anybody waits.
    let done = lost(stopped_while(&mut own, &place, &database, how, "0.2"));
    assert!(done.stderr.contains("is not known"), "{done:?}");
    own.start_again(&database);
    assert_eq!(database.query(there), ["f"]);

    script(slow, &["transaction: none"]);
    let child = stopped_while(&mut own, &place, &database, how, "600");
    own.start_again(&database);
    assert_eq!(postgres::told_truly(&lost(child), &database), "half-way");
    assert_eq!(database.query("SELECT unfinished FROM sqlrev_revisions"), ["upgrade:2"]);
    script("INSERT INTO t VALUES (2);", &["transaction: none"]);
    place.must(&["upgrade"]);
    assert_eq!(database.query("SELECT x FROM t ORDER BY 1"), ["1", "2"]);
}
