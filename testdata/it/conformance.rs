//! What every driver must do alike, on the real databases.

use std::collections::BTreeMap;
use std::path::Path;
use std::sync::atomic::AtomicBool;
use std::time::Duration;

use sqlrev::driver::{Driver, DriverError, Failure, Opening, server as open_server, sqlite};

use crate::server::{Database, Server};

on_mariadb_and_mysql! {
    the_driver_conforms
}

/// A session on the database.
fn session(database: &Database) -> Box<dyn Driver> {
    let variables: BTreeMap<String, String> = database.variables.clone();
    let cancelled = AtomicBool::new(false);
    let opening = Opening::new(&variables, "root", [Path::new("/"); 2], &cancelled);
    let url = &variables["SQLREV_URL"];
    let dialect = url.split(':').next().expect("a scheme");
    open_server(dialect, url, opening)
        .expect("there is a driver")
        .expect("the server lets us in")
}

fn count(driver: &mut dyn Driver) -> String {
    let rows = driver.query("SELECT COUNT(*) FROM k").expect("a query");
    rows[0][0].clone().expect("a number")
}

/// Queues statements, the first without a ticket, until one fails, and waits for them.
fn queued(driver: &mut dyn Driver, statements: &[&str]) -> Result<(), DriverError> {
    for (at, sql) in statements.iter().enumerate() {
        driver.queue(sql, at.checked_sub(1).map(|at| at as u64))?;
    }
    driver.flush()
}

fn conforms(driver: &mut dyn Driver) {
    let begin = driver.dialect().begin();
    let rows = driver.query("SELECT 1, NULL, 'it''s', ''").expect("a query");
    let text = |text: &str| Some(text.to_owned());
    assert_eq!(rows, [[text("1"), None, text("it's"), text("")]]);
    driver
        .execute("CREATE TABLE k (id INT PRIMARY KEY, t VARCHAR(20))")
        .expect("a table");
    assert_ne!(driver.in_transaction(), Some(true));

    // A table that is not there is no failure, and spoils nothing.
    let there = |name: &str| format!("SELECT 1 FROM information_schema.tables WHERE table_name = '{name}'");
    let there = |name: &str| match driver_name(driver) {
        "sqlite" => format!("SELECT 1 FROM sqlite_schema WHERE name = '{name}'"),
        _ => there(name),
    };
    let (nothing, k) = (there("nothing_here"), there("k"));
    let seen = driver.each_row_if_there(&nothing, "SELECT id FROM nothing_here", &mut |_| panic!("no rows"));
    assert!(!seen.expect("an answer"));
    let seen = driver.each_row_if_there(&k, "SELECT id FROM k", &mut |_| panic!("no rows"));
    assert!(seen.expect("an answer"));

    // What is queued fails with the ticket of the statement that failed; what comes after it does not run.
    let failed = queued(
        driver,
        &[
            begin,
            "INSERT INTO k VALUES (1, 'a;b')",
            "INSERT INTO k VALUES (1, 'c')",
            "INSERT INTO k VALUES (2, '')",
            "COMMIT",
        ],
    );
    let failed = failed.expect_err("the key is there twice");
    assert_eq!((failed.ticket, failed.failure), (Some(1), Failure::Statement));
    assert!(failed.code.is_some(), "{failed:?}");
    let _ = driver.execute("ROLLBACK");
    assert_eq!(driver.in_transaction(), Some(false));
    assert_eq!(count(driver), "0");
    queued(driver, &[begin, "INSERT INTO k VALUES (1, 'é→')", "COMMIT"]).expect("it runs");
    assert_eq!(count(driver), "1");
    assert_eq!(driver.query("SELECT t FROM k").expect("a query"), [[text("é→")]]);

    // An error points at its place, and the session goes on.
    let failed = driver
        .execute("SELECT 'é', 1 FROM k WHERE WHERE 2")
        .expect_err("no such syntax");
    assert_eq!(
        failed
            .offset
            .map(|at| &"SELECT 'é', 1 FROM k WHERE WHERE 2"[at..at + 5]),
        Some("WHERE")
    );
    assert_eq!(count(driver), "1");
}

fn driver_name(driver: &dyn Driver) -> &'static str {
    driver.dialect().name()
}

/// What is queued can be taken back before it is sent, and a lock keeps another session away until it is given up.
fn conforms_as_a_server(driver: &mut dyn Driver, other: &mut dyn Driver) {
    let begin = driver.dialect().begin();
    driver.queue(begin, None).expect("nothing is sent");
    driver
        .queue("INSERT INTO k VALUES (7, '')", Some(0))
        .expect("nothing is sent");
    assert_eq!(driver.in_transaction(), Some(true));
    driver.forget();
    assert_eq!(driver.in_transaction(), Some(false));
    assert_eq!(count(driver), "1");

    driver.reconnect().expect("it is there");
    assert_eq!(count(driver), "1");

    assert!(driver.hold("k").expect("it is free"));
    let busy = other.hold("k").expect_err("it is held");
    assert_eq!(busy.failure, Failure::Busy);
    assert!(other.lock_holder().is_some());
    assert!(other.hold("another").expect("it is free"));
    other.release();
    driver.release();
    assert!(other.hold("k").expect("it is free again"));

    // It ends the statement that runs, from another thread.
    let interrupt = driver.interrupter().expect("a server's statement can be stopped");
    let sleep = if driver_name(driver) == "postgresql" {
        "SELECT pg_sleep(600)".to_owned()
    } else {
        format!("INSERT INTO k SELECT 9, {}", crate::mariadb::SLOW)
    };
    std::thread::scope(|scope| {
        scope.spawn(|| {
            std::thread::sleep(Duration::from_millis(300));
            interrupt();
        });
        let stopped = driver.execute(&sleep).expect_err("it is stopped");
        assert_eq!(stopped.failure, Failure::Interrupted, "{stopped:?}");
    });
    assert_eq!(count(driver), "1");
    if driver_name(driver) == "postgresql" {
        // Its second signal may come late, and stops nothing of what follows. The real one has come by then: one at a
        // time is what the driver puts up with.
        assert_eq!(driver.query("SELECT 1 FROM pg_sleep(1)").expect("it runs").len(), 1);
        driver.execute("CREATE SEQUENCE signals").expect("it can be made");
        let late = "SELECT count(pg_cancel_backend(pg_backend_pid())) \
                    FROM (SELECT 1 WHERE nextval('signals') = 1) s, pg_sleep(0.1)";
        assert_eq!(driver.query(late).expect("it runs"), [[Some("0".to_owned())]]);
        driver.execute("DROP SEQUENCE signals").expect("it is there");
    }
}

#[test]
fn sqlite_conforms() {
    conforms(&mut sqlite::memory().expect("a database in memory"));
}

#[test]
fn the_driver_conforms_on_postgresql() {
    the_driver_conforms(Server::Postgresql);
}

fn the_driver_conforms(server: Server) {
    let database = Database::on(server);
    let mut driver = session(&database);
    conforms(&mut *driver);
    conforms_as_a_server(&mut *driver, &mut *session(&database));
}
