//! An application that has only a URL.

use std::process::Command;
use std::time::Duration;

use sqlrev::dialect::{Dialect, named};
use sqlrev::{Code, Driver, Event, Migrator, Status};

use crate::library::revision;
use crate::place::Place;
use crate::server::{Database, Server};

/// The first `count` revisions of a line, in words that every database knows.
fn migrator(dialect: &'static dyn Dialect, count: usize) -> Migrator {
    let all = [
        revision("aaaa", "", "", "CREATE TABLE a (x int);", "DROP TABLE a;"),
        revision(
            "bbbb",
            "aaaa",
            "",
            "ALTER TABLE a ADD COLUMN y int;",
            "ALTER TABLE a DROP COLUMN y;",
        ),
        revision("cccc", "bbbb", "", "CREATE TABLE c (z int);", "DROP TABLE c;"),
    ];
    Migrator::from_files_for(dialect, all.into_iter().take(count).flatten()).expect("a graph")
}

/// Up and down over a URL, the connection going from thread to thread.
fn works(dialect: &str, url: &str) {
    let dialect = named(dialect).expect("a dialect");
    let all = migrator(dialect, 3);
    let mut db: Box<dyn Driver> = all.connect(url).expect("a connection");
    let report = std::thread::scope(|scope| {
        let (all, db) = (&all, &mut db);
        scope.spawn(move || all.upgrade(&mut **db)).join().expect("no panic")
    });
    assert_eq!(report.expect("it runs").steps.len(), 3);
    assert_eq!(all.status(&mut *db).expect("a status"), Status::UpToDate);
    let mut other = all.connect(url).expect("another connection");
    let first = migrator(dialect, 1);
    first.downgrade_to_mine(&mut *other).expect("it runs back");
    assert!(first.is_up_to_date(&mut *db).expect("a status"));
    // A panic of the application's own does not leave a lock with the connection, which lives on.
    let panicking = std::panic::AssertUnwindSafe(|| {
        let mut hear = |event: Event<'_>| assert!(!matches!(event, Event::Statement { .. }), "the pipe is closed");
        all.run(&mut *db).events(&mut hear).upgrade("heads").map(drop)
    });
    assert!(std::panic::catch_unwind(panicking).is_err());
    let patient = migrator(dialect, 3).lock_timeout(Duration::from_secs(5));
    patient.upgrade(&mut *other).expect("nobody holds it");
    assert!(all.is_up_to_date(&mut *db).expect("a status"));
}

#[test]
fn a_url_of_sqlite_is_enough() {
    let folder = tempfile::tempdir().expect("a folder");
    works("sqlite", &format!("sqlite:{}", folder.path().join("own.db").display()));
    let error = migrator(named("sqlite").expect("a dialect"), 1)
        .connect("oracle://x")
        .map(drop);
    assert_eq!(error.unwrap_err().code(), Code::ConfigUrl);
}

#[test]
fn a_url_is_enough_on_postgresql() {
    let database = Database::on(Server::Postgresql);
    let [host, port, name] = ["PGHOST", "PGPORT", "PGDATABASE"].map(|name| &database.variables[name]);
    works(
        "postgresql",
        &format!("postgresql://postgres@/{name}?host={host}&port={port}"),
    );
}

/// What stands before a server that is starting may take connections and close them.
#[test]
fn a_closed_connection_is_tried_again() {
    let listener = std::net::TcpListener::bind("127.0.0.1:0").expect("a port");
    let port = listener.local_addr().expect("an address").port();
    let place = Place::new();
    place.revision("aaaa", &[], &[], "CREATE TABLE t (a int);", "DROP TABLE t;");
    for url in [
        "postgresql://u@127.0.0.1:PORT/t?sslmode=disable",
        "mysql://u@127.0.0.1:PORT/t?ssl-mode=disabled",
    ] {
        let url = url.replace("PORT", &port.to_string());
        let mut child = place.start(&["current", "--wait", "60", "--url", &url]);
        for _ in 0..3 {
            let (mut connection, _) = listener.accept().expect("it tries again");
            if url.starts_with("postgresql") {
                let mut startup = [0; 8];
                std::io::Read::read_exact(&mut connection, &mut startup).expect("it says who it is");
            }
        }
        child.kill().expect("it still tries");
        child.wait().expect("it ends");
    }
}

/// A server that takes connections and says nothing.
#[test]
#[cfg(unix)]
fn a_silent_server_is_not_waited_for_for_ever() {
    let listener = std::net::TcpListener::bind("127.0.0.1:0").expect("a port");
    let port = listener.local_addr().expect("an address").port();
    let place = Place::new();
    place.revision("aaaa", &[], &[], "CREATE TABLE t (a int);", "DROP TABLE t;");
    for (scheme, parameter) in [("mysql", "connect-timeout=1"), ("postgresql", "connect_timeout=2")] {
        let url = format!("{scheme}://u@127.0.0.1:{port}/t");
        let done = place.run(&["current", "--url", &format!("{url}?{parameter}")]);
        done.failed_with(1, "database::connect");
        assert!(done.stderr.contains("no answer within"), "{done:?}");
        drop(listener.accept().expect("the connection that was given up"));
        let child = place.start(&["current", "--url", &url]);
        let connection = listener.accept().expect("a connection");
        let killed = Command::new("kill").args(["-INT", &child.id().to_string()]).status();
        assert!(killed.expect("kill is there").success());
        let done = child.wait_with_output().expect("it ends");
        assert_eq!(done.status.code(), Some(130), "{done:?}");
        drop(connection);
    }
}
