//! PostgreSQL: locks that others hold, and what is left of a statement that did not get one.

use std::io::BufReader;
use std::path::Path;
use std::process::{Child, Command};
use std::sync::atomic::{AtomicBool, Ordering};
use std::time::Duration;

use sqlrev::driver::Opening;

use crate::place::Place;
use crate::postgres::{place_on, rest, wait_for};
use crate::server::Database;

/// A session that holds a lock until it is dropped.
struct Holder(Child);

impl Holder {
    fn of(database: &Database, table: &str) -> Self {
        let lock = format!("LOCK TABLE {table} IN ACCESS EXCLUSIVE MODE");
        Self::with(database, &lock, table, "AccessExclusiveLock")
    }

    /// A session that runs this, and then holds a lock in this mode on the table.
    fn with(database: &Database, sql: &str, table: &str, mode: &str) -> Self {
        let sql = format!("BEGIN; {sql}; SELECT pg_sleep(600)");
        let mut psql = database.client("psql");
        let child = psql
            .args(["-Xqc", &sql])
            .env("PGAPPNAME", "holder")
            .spawn()
            .expect("psql is installed");
        let held = format!(
            "SELECT count(*) FROM pg_locks WHERE relation = '{table}'::regclass AND mode = '{mode}' AND granted"
        );
        while database.query(&held) != ["1"] {
            std::thread::sleep(Duration::from_millis(10));
        }
        Self(child)
    }

    fn end(mut self, database: &Database) {
        database.query(
            "SELECT count(pg_terminate_backend(pid)) FROM pg_stat_activity \
             WHERE datname = current_database() AND application_name = 'holder'",
        );
        self.0.wait().expect("it ends");
    }
}

impl Drop for Holder {
    /// A session whose client is gone would go on.
    fn drop(&mut self) {
        let _ = self.0.kill();
        let _ = self.0.wait();
    }
}

/// A statement that does not get its lock is tried again, and who stands in the way is named.
#[test]
fn a_lock_that_others_hold_is_tried_again_on_postgresql() {
    let database = Database::new();
    let place = place_on(&database);
    place.revision("aaaa", &[], &[], "CREATE TABLE t (a int);", "DROP TABLE t;");
    place.must(&["upgrade"]);
    let up = "CREATE TABLE u (a int);\nSET lock_timeout = '400ms';\nALTER TABLE t ADD b int;";
    place.revision("bbbb", &["aaaa"], &[], up, "ALTER TABLE t DROP b; DROP TABLE u;");
    let holder = Holder::of(&database, "t");
    let done = place.run(&["upgrade", "--lock-timeout", "1"]);
    done.failed_with(1, "lock::contended");
    assert!(done.stderr.contains("(holder, user "), "{done:?}");
    assert!(done.stderr.contains("trying again"), "{done:?}");
    assert_eq!(database.query("SELECT to_regclass('u') IS NULL"), ["t"]);
    let mut waiting = place.start(&["upgrade", "--lock-timeout", "60"]);
    let lines = wait_for(&mut waiting, "trying again");
    holder.end(&database);
    let text = rest(lines);
    assert_eq!(waiting.wait().expect("it ends").code(), Some(0), "{text}");
    assert_eq!(database.query("SELECT count(*) FROM t, u"), ["0"]);
}

/// Without a transaction a statement that does not get its lock is tried again as well, one that runs outside of
/// transactions too, and what was done before it is not done twice.
#[test]
fn a_lock_is_tried_again_without_a_transaction_on_postgresql() {
    let database = Database::new();
    let place = place_on(&database);
    let up = "CREATE TABLE t (a int);\nCREATE TABLE u (a int);";
    place.revision("aaaa", &[], &[], up, "DROP TABLE t, u;");
    place.must(&["upgrade"]);
    let up = "SET lock_timeout = '200ms';\nINSERT INTO u VALUES (1);\nALTER TABLE t ADD b int;\n\
              CREATE INDEX CONCURRENTLY t_b ON t (b);\nCOPY t FROM stdin;\n1\t2\n\\.\n";
    place.revision("bbbb", &["aaaa"], &["transaction: none"], up, "ALTER TABLE t DROP b;");
    let holder = Holder::of(&database, "t");
    let done = place.run(&["upgrade", "--lock-timeout", "1"]);
    holder.end(&database);
    done.failed_with(1, "lock::contended");
    assert!(done.stderr.contains("trying again"), "{done:?}");
    assert!(done.stderr.contains("2 of 5 statements"), "{done:?}");
    // Each of the three that are left is held up once.
    let holder = Holder::of(&database, "t");
    let mut waiting = place.start(&["upgrade", "--lock-timeout", "60"]);
    let mut lines = wait_for(&mut waiting, "trying again");
    holder.end(&database);
    let mut text = String::new();
    std::io::Read::read_to_string(&mut lines, &mut text).expect("it can be read");
    assert_eq!(waiting.wait().expect("it ends").code(), Some(0), "{text}");
    assert_eq!(database.query("SELECT a, b FROM t"), ["1|2"]);
    assert_eq!(database.query("SELECT a FROM u"), ["1"]);
    place.revision(
        "cccc",
        &["bbbb"],
        &["transaction: none"],
        "SET lock_timeout = '200ms';\nCREATE INDEX CONCURRENTLY t_a ON t (a);",
        "",
    );
    let holder = Holder::of(&database, "t");
    let mut waiting = place.start(&["upgrade", "--lock-timeout", "60"]);
    let lines = wait_for(&mut waiting, "trying again");
    holder.end(&database);
    let text = rest(lines);
    assert_eq!(waiting.wait().expect("it ends").code(), Some(0), "{text}");
    assert_eq!(
        database.query("SELECT indisvalid FROM pg_index WHERE indexrelid = 't_a'::regclass"),
        ["t"]
    );
}

/// An index whose building ends for want of a lock, or by Ctrl-C, is named and not tried again over what is left of it.
#[test]
fn an_index_that_is_half_built_is_named_on_postgresql() {
    let database = Database::new();
    let place = place_on(&database);
    place.revision(
        "aaaa",
        &[],
        &[],
        "CREATE TABLE t (a int);\nINSERT INTO t VALUES (1);",
        "DROP TABLE t;",
    );
    place.must(&["upgrade"]);
    // Whoever has written holds up the second half.
    let writer = Holder::with(&database, "INSERT INTO t VALUES (2)", "t", "RowExclusiveLock");
    let up = "SET lock_timeout = '200ms';\nCREATE INDEX CONCURRENTLY t_a ON t (a);";
    place.revision("bbbb", &["aaaa"], &["transaction: none"], up, "DROP INDEX t_a;");
    let done = place.run(&["upgrade", "--lock-timeout", "2"]);
    done.failed_with(1, "lock::contended");
    assert!(!done.stderr.contains("trying again"), "{done:?}");
    assert!(done.stderr.contains("index t_a is left, and is invalid"), "{done:?}");
    writer.end(&database);
    let done = place.must(&["upgrade", "--clean-invalid"]);
    assert!(
        done.stderr.contains("was left by an earlier try and is dropped"),
        "{done:?}"
    );
    let writer = Holder::with(&database, "INSERT INTO t VALUES (2)", "t", "RowExclusiveLock");
    let up = "CREATE INDEX CONCURRENTLY t_b ON t (a);";
    place.revision("cccc", &["bbbb"], &["transaction: none"], up, "");
    let building = "SELECT count(*) FROM pg_stat_progress_create_index \
                    WHERE datname = current_database() AND phase LIKE 'waiting%'";
    let text = interrupted_when(&place, &database, building);
    assert!(text.contains("index t_b is left, and is invalid"), "{text}");
    writer.end(&database);
    place.must(&["upgrade", "--clean-invalid"]);
    assert_eq!(
        database.query("SELECT count(*) FROM pg_index WHERE indrelid = 't'::regclass AND indisvalid"),
        ["2"]
    );
}

/// An index whose dropping ends by Ctrl-C is there and invalid; the same statement again drops it.
#[test]
fn an_index_that_is_half_dropped_is_named_on_postgresql() {
    let database = Database::new();
    let place = place_on(&database);
    let up = "CREATE TABLE t (a int);\nCREATE INDEX t_a ON t (a);";
    place.revision("aaaa", &[], &[], up, "DROP TABLE t;");
    place.must(&["upgrade"]);
    // Whoever reads the table holds the dropping up once the index is marked.
    let reader = Holder::with(&database, "SELECT count(*) FROM t", "t", "AccessShareLock");
    let up = "DROP INDEX CONCURRENTLY t_a;";
    place.revision("bbbb", &["aaaa"], &["transaction: none"], up, "");
    let marked = "SELECT count(*) FROM pg_index WHERE indexrelid = to_regclass('t_a') AND NOT indisvalid";
    let text = interrupted_when(&place, &database, marked);
    assert!(
        text.contains("index t_a is left, and is invalid until the statement is run again"),
        "{text}"
    );
    assert!(text.contains("no statement of revision `bbbb` is done"), "{text}");
    reader.end(&database);
    place.must(&["upgrade", "--clean-invalid"]);
    assert_eq!(database.query("SELECT to_regclass('t_a') IS NULL"), ["t"]);
}

/// What an upgrade says that is interrupted as soon as this query counts one.
fn interrupted_when(place: &Place, database: &Database, query: &str) -> String {
    let mut child = place.start(&["upgrade"]);
    let lines = BufReader::new(child.stderr.take().expect("it is piped"));
    while database.query(query) != ["1"] {
        std::thread::sleep(Duration::from_millis(10));
    }
    let killed = Command::new("kill").args(["-INT", &child.id().to_string()]).status();
    assert!(killed.expect("kill is there").success());
    let text = rest(lines);
    assert_eq!(child.wait().expect("it ends").code(), Some(130), "{text}");
    text
}

/// What others run may hold a password; who they are is told nevertheless.
#[test]
fn what_others_run_shows_no_password_on_postgresql() {
    let database = Database::new();
    let place = place_on(&database);
    place.revision("aaaa", &[], &[], "CREATE TABLE t (a int);", "DROP TABLE t;");
    place.must(&["upgrade"]);
    let up = "SET lock_timeout = '400ms';\nALTER TABLE t ADD b int;";
    place.revision("bbbb", &["aaaa"], &[], up, "ALTER TABLE t DROP b;");
    for (secret, shown) in [("PASSWORD 'geheim'", false), ("harmless", true)] {
        let sql = format!("SELECT $${secret}$$; LOCK TABLE t IN ACCESS EXCLUSIVE MODE");
        let holder = Holder::with(&database, &sql, "t", "AccessExclusiveLock");
        let done = place.run(&["upgrade", "--lock-timeout", "1"]);
        done.failed_with(1, "lock::contended");
        assert!(done.stderr.contains("(holder, user "), "{done:?}");
        assert_eq!(done.stderr.contains(secret), shown, "{done:?}");
        assert!(!done.stderr.contains("geheim"), "{done:?}");
        holder.end(&database);
    }
}

/// While a statement runs, another connection hears from the server how far it is.
#[test]
fn the_phase_of_a_statement_is_heard_on_postgresql() {
    let database = Database::new();
    database.query("CREATE TABLE t (a int)");
    let here = Path::new("/");
    let cancelled = AtomicBool::new(false);
    let opening = Opening::new(&database.variables, "postgres", [here, here], &cancelled);
    let opened = sqlrev::driver::server("postgresql", "postgresql://", opening).expect("a driver");
    let mut driver = opened.expect("the server is there");
    assert!(driver.hold("t").expect("a lock"));
    let index = "CREATE INDEX CONCURRENTLY t_a ON t (a)";
    let followed = driver.dialect().followed(index).expect("it is told of");
    let phase = driver.follow(Some(followed.query)).expect("it can be asked");
    let writer = Holder::with(&database, "INSERT INTO t VALUES (1)", "t", "RowExclusiveLock");
    std::thread::scope(|scope| {
        scope.spawn(|| {
            while *phase.name.lock().expect("nobody panicked") != "waiting for writers before build" {
                std::thread::sleep(Duration::from_millis(10));
            }
            assert_eq!(phase.total.load(Ordering::Relaxed), 1);
            assert_eq!(phase.done.load(Ordering::Relaxed), 0);
            writer.end(&database);
        });
        driver.execute(index).expect("it is built");
    });
}

/// The server brings a statement CONCURRENTLY to its end when its client is gone: somebody has to say whether it has run,
/// where the database does not show that it has not.
#[test]
fn a_statement_that_ends_without_its_client_on_postgresql() {
    let database = Database::new();
    let place = place_on(&database);
    database.query("CREATE TABLE t (a int, b int)");
    database.query("CREATE INDEX t_b ON t (b)");
    let up = "CREATE INDEX CONCURRENTLY t_ab ON t (a, b);\nINSERT INTO t VALUES (1, 1);\nDROP INDEX CONCURRENTLY \
              t_b;\nINSERT INTO t VALUES (2, 2);";
    place.revision("aaaa", &[], &["transaction: none"], up, "DROP TABLE t;");
    // The one waits for those that write, the other for those that read.
    for (number, others, mode, is_done) in [
        (
            1,
            "DELETE FROM t",
            "RowExclusiveLock",
            "SELECT count(*) FROM pg_index WHERE indexrelid = to_regclass('t_ab') AND indisvalid",
        ),
        (
            3,
            "SELECT count(*) FROM t",
            "AccessShareLock",
            "SELECT count(*) FROM pg_class WHERE to_regclass('t_b') IS NULL AND relname = 't'",
        ),
    ] {
        let holder = Holder::with(&database, others, "t", mode);
        killed_while_it_waits(&place, &database);
        holder.end(&database);
        while database.query(is_done) != ["1"] {
            std::thread::sleep(Duration::from_millis(10));
        }
        let stopped = database.query("SELECT unfinished FROM sqlrev_revisions");
        assert_eq!(stopped, [format!("upgrade:{}:begun", number - 1)]);
        let done = place.run(&["upgrade"]);
        done.failed_with(1, "execute::unfinished");
        assert!(
            done.stderr.contains(&format!("statement {number} of revision")),
            "{done:?}"
        );
        assert!(done.stderr.contains("sqlrev repair aaaa --ran"), "{done:?}");
        // What was begun is not what stands there.
        place.revision(
            "aaaa",
            &[],
            &["transaction: none"],
            &up.replace("INDEX", "INDEX /**/"),
            "DROP TABLE t;",
        );
        let done = place.run(&["upgrade"]);
        done.failed_with(1, "execute::unfinished");
        place.revision("aaaa", &[], &["transaction: none"], up, "DROP TABLE t;");
        place.must(&["repair", "aaaa", "--ran"]);
    }
    place.must(&["upgrade"]);
    assert_eq!(database.query("SELECT a FROM t ORDER BY a"), ["1", "2"]);
    assert_eq!(database.query("SELECT unfinished IS NULL FROM sqlrev_revisions"), ["t"]);
}

/// One that did not come to its end goes on by itself: there is no such index, or it is invalid.
#[test]
fn a_statement_that_has_not_run_is_run_again_on_postgresql() {
    let database = Database::new();
    let place = place_on(&database);
    database.query("CREATE TABLE t (a int)");
    let up =
        "SET ROLE pg_database_owner;\nRESET ROLE;\nCREATE INDEX CONCURRENTLY t_a ON t (a);\nINSERT INTO t VALUES (1);";
    place.revision("aaaa", &[], &["transaction: none"], up, "DROP TABLE t;");
    let holder = Holder::with(&database, "DELETE FROM t", "t", "RowExclusiveLock");
    killed_while_it_waits(&place, &database);
    database.query(
        "SELECT count(pg_terminate_backend(pid)) FROM pg_stat_activity \
         WHERE datname = current_database() AND application_name = 'sqlrev'",
    );
    holder.end(&database);
    let done = place.run(&["upgrade", "--clean-invalid"]);
    assert_eq!(done.status, Some(0), "{done:?}");
    let indexes = "SELECT count(*) FROM pg_index WHERE indrelid = 't'::regclass AND indisvalid";
    assert_eq!(database.query(indexes), ["1"]);
    assert_eq!(database.query("SELECT a FROM t"), ["1"]);
}

/// Kills a run once its statement on an index waits for others.
fn killed_while_it_waits(place: &crate::place::Place, database: &Database) {
    let mut run = place.start(&["upgrade"]);
    let waits = "SELECT count(*) FROM pg_stat_activity WHERE datname = current_database() AND query ~ '^(CREATE|DROP) \
                 INDEX' AND wait_event_type = 'Lock'";
    while database.query(waits) != ["1"] {
        std::thread::sleep(Duration::from_millis(10));
    }
    run.kill().expect("it can be killed");
    run.wait().expect("it ends");
}
