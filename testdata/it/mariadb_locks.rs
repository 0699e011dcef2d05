//! MariaDB and MySQL: locks that others hold, and what another try must not do twice.

use std::io::{BufRead, BufReader, Write};
use std::process::{Child, ChildStderr, Stdio};

use crate::mariadb::{SLEEPING, place_on, rest, wait_until};
use crate::server::{Database, Server};

on_mariadb_and_mysql! {
    a_lock_that_others_hold_is_tried_again
    another_try_keeps_what_the_session_holds
    what_a_rollback_does_not_undo_is_not_tried_again
    a_deadlock_over_a_table_without_transactions
}

/// A session that holds locks until it is dropped.
struct Holder<'d> {
    client: Child,
    database: &'d Database,
}

impl<'d> Holder<'d> {
    fn of(database: &'d Database, sql: &str) -> Self {
        let mut client = database.client("mariadb");
        client.stdin(Stdio::piped()).stdout(Stdio::null());
        let client = client.spawn().expect("the client is installed");
        let mut holder = Self { client, database };
        holder.does(&format!("BEGIN; {sql};\nDO SLEEP(600);"));
        wait_until(database, SLEEPING, "1");
        holder
    }

    /// What it does next.
    fn does(&mut self, sql: &str) {
        let pipe = self.client.stdin.as_mut().expect("it is piped");
        writeln!(pipe, "{sql}").and_then(|()| pipe.flush()).expect("it listens");
    }

    /// Ends the statement that runs.
    fn wakes(&self) {
        self.all("KILL QUERY");
    }

    fn all(&self, kill: &str) {
        let sleeping =
            "SELECT id FROM information_schema.processlist WHERE db = DATABASE() AND info LIKE 'DO SLEEP(600)%'";
        for id in self.database.query(sleeping) {
            self.database.query(&format!("{kill} {id}"));
        }
    }
}

impl Drop for Holder<'_> {
    fn drop(&mut self) {
        self.client.kill().expect("it can be killed");
        self.client.wait().expect("it ends");
        // The server goes on with the statement of a client that is gone.
        self.all("KILL");
    }
}

/// Reads on until a run says that it tries again.
fn tries_again(run: &mut Child) -> BufReader<ChildStderr> {
    let mut lines = BufReader::new(run.stderr.take().expect("it is piped"));
    let mut line = String::new();
    while !line.contains("trying again") {
        line.clear();
        let read = lines.read_line(&mut line).expect("a line");
        assert!(read > 0, "it does not try again");
    }
    lines
}

/// A statement that does not get its lock is tried again, what has run before it is not, and who may stand in the way is
/// named.
fn a_lock_that_others_hold_is_tried_again(server: Server) {
    let database = Database::on(server);
    let place = place_on(&database);
    place.revision(
        "aaaa",
        &[],
        &[],
        "CREATE TABLE t (a INT);\nINSERT INTO t VALUES (1);",
        "DROP TABLE t;",
    );
    place.must(&["upgrade"]);
    let up = "CREATE TABLE u (a INT);\nSET lock_wait_timeout = 1;\nALTER TABLE t ADD b INT;";
    place.revision("bbbb", &["aaaa"], &[], up, "ALTER TABLE t DROP b; DROP TABLE u;");
    let holder = Holder::of(&database, "SELECT * FROM t");
    let done = place.run(&["upgrade", "--lock-timeout", "0.1"]);
    done.failed_with(1, "lock::contended");
    assert!(done.stderr.contains("(user root, from localhost"), "{done:?}");
    assert!(done.stderr.contains("2 of 3 statements"), "{done:?}");
    let mut waiting = place.start(&["upgrade", "--lock-timeout", "60"]);
    let lines = tries_again(&mut waiting);
    drop(holder);
    let text = rest(lines);
    assert_eq!(waiting.wait().expect("it ends").code(), Some(0), "{text}");
    assert_eq!(database.query("SELECT COUNT(b) FROM t"), ["0"]);
}

const TABLES: &str = "CREATE TABLE t (a INT PRIMARY KEY, n INT);\nINSERT INTO t VALUES (1, 0), (2, 0);\n\
                      CREATE TABLE notes (a INT) ENGINE = MyISAM;\nCREATE TABLE u (a INT);";

/// Another try goes on in the session as it is: its temporary tables and variables are there, and what set them up is not
/// done again.
fn another_try_keeps_what_the_session_holds(server: Server) {
    let database = Database::on(server);
    let place = place_on(&database);
    place.revision("aaaa", &[], &[], TABLES, "");
    place.must(&["upgrade"]);
    let up = "SET lock_wait_timeout = 1, @n = (SELECT COUNT(*) FROM t);\n\
              CREATE TEMPORARY TABLE keep AS SELECT * FROM t;\nDELETE FROM t;\n\
              INSERT INTO t VALUES (10 + @n, 0);\nALTER TABLE u ADD b INT;\n\
              INSERT INTO t SELECT a + @n, n FROM keep;";
    place.revision("bbbb", &["aaaa"], &[], up, "");
    let holder = Holder::of(&database, "SELECT * FROM u");
    let mut waiting = place.start(&["upgrade", "--lock-timeout", "60"]);
    let lines = tries_again(&mut waiting);
    drop(holder);
    let text = rest(lines);
    assert_eq!(waiting.wait().expect("it ends").code(), Some(0), "{text}");
    assert_eq!(database.query("SELECT a FROM t ORDER BY a"), ["3", "4", "12"]);
}

/// Nor is anything done twice that a ROLLBACK does not undo: the run ends, and says why.
fn what_a_rollback_does_not_undo_is_not_tried_again(server: Server) {
    let database = Database::on(server);
    let place = place_on(&database);
    place.revision("aaaa", &[], &[], TABLES, "");
    place.must(&["upgrade"]);
    for (first, why) in [
        ("INSERT INTO notes VALUES (1);", "couldn't be rolled back"),
        (
            "CREATE TEMPORARY TABLE keep (a INT);",
            "temporary table `keep` would not be as it was",
        ),
        (
            "SET @n = COALESCE(@n, 0) + 1;",
            "user variable `@n` would not be as it was",
        ),
    ] {
        for last in ["", "CREATE TABLE never (a INT);"] {
            let up = format!("SET innodb_lock_wait_timeout = 1;\n{first}\nUPDATE t SET n = n + 1;\n{last}");
            place.revision("bbbb", &["aaaa"], &[], &up, "");
            let holder = Holder::of(&database, "UPDATE t SET n = n WHERE a = 2");
            let done = place.run(&["upgrade", "--lock-timeout", "60"]);
            drop(holder);
            done.failed_with(1, "lock::contended");
            assert!(done.stderr.contains("not tried again"), "{done:?}");
            assert!(done.stderr.contains(why), "{done:?}");
            assert_eq!(database.query("SELECT revision FROM sqlrev_revisions"), ["aaaa"]);
        }
    }
    assert_eq!(database.query("SELECT COUNT(*) FROM notes"), ["2"]);
    assert_eq!(database.query("SELECT SUM(n) FROM t"), ["0"]);
}

/// A deadlock rolls back by itself, and tells then what stays.
fn a_deadlock_over_a_table_without_transactions(server: Server) {
    let database = Database::on(server);
    let place = place_on(&database);
    place.revision("aaaa", &[], &[], TABLES, "");
    place.must(&["upgrade"]);
    let up = "INSERT INTO notes VALUES (1);\nUPDATE t SET n = n + 1 WHERE a = 2;\nUPDATE t SET n = n + 1 WHERE a = 1;";
    place.revision("bbbb", &["aaaa"], &[], up, "");
    // The server ends the one that has done less.
    let more = "INSERT INTO notes VALUES (2); \
                INSERT INTO t WITH RECURSIVE s (n) AS (SELECT 100 UNION ALL SELECT n + 1 FROM s WHERE n < 200) SELECT n, 0 FROM s; \
                UPDATE t SET n = n + 10 WHERE a = 1";
    let mut holder = Holder::of(&database, more);
    let run = place.start(&["upgrade", "--lock-timeout", "60"]);
    let waits = "SELECT COUNT(*) FROM information_schema.innodb_trx WHERE trx_state = 'LOCK WAIT' AND trx_mysql_thread_id \
                 IN (SELECT id FROM information_schema.processlist WHERE db = DATABASE())";
    wait_until(&database, waits, "1");
    holder.does("UPDATE t SET n = n + 10 WHERE a = 2;\nCOMMIT;");
    holder.wakes();
    let done: crate::place::Done = run.wait_with_output().expect("it ends").into();
    done.failed_with(1, "lock::contended");
    assert!(done.stderr.contains("Deadlock found"), "{done:?}");
    assert!(done.stderr.contains("couldn't be rolled back"), "{done:?}");
    assert_eq!(database.query("SELECT COUNT(*) FROM notes WHERE a = 1"), ["1"]);
}
