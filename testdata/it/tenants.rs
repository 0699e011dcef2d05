//! PostgreSQL: a schema for each tenant, with a history, a lock and a search path of its own.

use std::time::Duration;

use crate::place::Place;
use crate::postgres::{place_on, rest, wait_for};
use crate::server::Database;

const TENANTS: usize = 12;

fn with_tenants() -> (Database, Place) {
    let database = Database::new();
    for tenant in 0..TENANTS {
        database.query(&format!("CREATE SCHEMA \"tenant {tenant}\""));
    }
    let place = place_on(&database);
    let up = "CREATE TABLE t (a int);\nSET search_path TO public;\nSET lock_timeout = '1h';";
    place.revision("aaaa", &[], &[], up, "DROP TABLE t;");
    let up = "CREATE INDEX CONCURRENTLY t_a ON t (a);\nCREATE INDEX CONCURRENTLY t_b ON t ((a + 1)) WHERE a > 1;\n\
              INSERT INTO t VALUES (1);";
    place.revision(
        "bbbb",
        &["aaaa"],
        &["transaction: none"],
        up,
        "DROP INDEX t_a, t_b;\nDELETE FROM t WHERE a = 1;",
    );
    place.revision(
        "cccc",
        &["bbbb"],
        &[],
        "INSERT INTO t VALUES (2);",
        "DELETE FROM t WHERE a = 2;",
    );
    (database, place)
}

fn every(database: &Database, query: &str) -> Vec<String> {
    let parts = (0..TENANTS).map(|tenant| query.replace("{}", &format!("\"tenant {tenant}\"")));
    let mut found = database.query(&parts.collect::<Vec<_>>().join(" UNION ALL "));
    found.dedup();
    found
}

/// Two fleets at once over the same tenants, several jobs each: every revision of every tenant runs once, in its schema.
#[test]
fn two_fleets_over_the_same_tenants_on_postgresql() {
    let (database, place) = with_tenants();
    let args = ["upgrade", "--each", "postgresql:///?schema=tenant*", "--jobs", "4"];
    let both = [place.start(&args), place.start(&args)];
    for child in both {
        let done = child.wait_with_output().expect("it ends");
        assert_eq!(done.status.code(), Some(0), "{done:?}");
    }
    assert_eq!(every(&database, "SELECT sum(a) FROM {}.t"), ["3"]);
    assert_eq!(every(&database, "SELECT count(*) FROM {}.sqlrev_revisions"), ["3"]);
    assert_eq!(
        database.query("SELECT count(*) FROM pg_index WHERE NOT indisvalid"),
        ["0"]
    );
    assert_eq!(
        database.query("SELECT count(*) FROM pg_tables WHERE schemaname = 'public'"),
        ["0"]
    );
}

/// A tenant that is busy keeps nobody waiting but those who want the same one.
#[test]
fn a_tenant_waits_for_itself_alone_on_postgresql() {
    let (database, place) = with_tenants();
    // An index that is built CONCURRENTLY waits for every transaction of the database, as the server has it.
    place.must(&["upgrade", "--each", "postgresql:///?schema=tenant*"]);
    place.revision("dddd", &["cccc"], &[], "INSERT INTO t VALUES (4);", "");
    place.revision("eeee", &["dddd"], &[], "SELECT pg_sleep(600);", "");
    let [first, other] = ["postgresql:///?schema=tenant%200", "postgresql:///?schema=tenant%201"];
    let mut busy = place.start(&["-v", "upgrade", "--url", first]);
    let lines = wait_for(&mut busy, "pg_sleep");
    place
        .run(&["upgrade", "--url", first, "--lock-timeout", "0.2"])
        .failed_with(1, "lock::timeout");
    place.must(&["upgrade", "dddd", "--url", other, "--lock-timeout", "0.2"]);
    let sleeping = "SELECT count(pg_terminate_backend(pid)) FROM pg_stat_activity WHERE datname = current_database() \
                    AND query LIKE '%pg_sleep(600)%' AND pid <> pg_backend_pid() AND wait_event = 'PgSleep'";
    while database.query(sleeping) == ["0"] {
        std::thread::sleep(Duration::from_millis(10));
    }
    // The new session that looks what became of it works in the same schema.
    let text = rest(lines);
    assert_eq!(busy.wait().expect("it ends").code(), Some(1), "{text}");
    assert!(text.contains("connect::lost") && text.contains("rolled back"), "{text}");
    place.revision("eeee", &["dddd"], &[], "INSERT INTO t VALUES (8);", "");
    place.must(&["upgrade", "--url", first]);
    assert_eq!(database.query("SELECT sum(a) FROM \"tenant 0\".t"), ["15"]);
}

/// What is compared is the schema of the tenant, beside one on scratch; the others are not its business.
#[test]
fn a_tenant_is_compared_alone_on_postgresql() {
    let (database, place) = with_tenants();
    let url = "postgresql:///?schema=tenant%203";
    place.must(&["upgrade", "--url", url]);
    database.query("CREATE TABLE \"tenant 4\".other (a int)");
    place.must(&["check", "--drift", "--url", url]);
    place.must(&["test", "--url", url]);
    place.write(
        "schema.sql",
        "CREATE TABLE t (a int);\nCREATE INDEX t_a ON t (a);\nCREATE INDEX t_b ON t ((a + 1)) WHERE a > 1;\n",
    );
    place.must(&["check", "--url", url]);
    let dumped = place.must(&["dump", "--url", url]).stdout;
    assert!(
        dumped.contains("\"tenant 3\".t") && !dumped.contains("other"),
        "{dumped}"
    );
    database.query("DROP INDEX \"tenant 3\".t_a");
    assert_eq!(place.run(&["check", "--drift", "--url", url]).status, Some(3));
    place
        .run(&["revision", "--autogenerate", "-m", "x", "--url", url])
        .failed_with(2, "usage::invalid");
}
