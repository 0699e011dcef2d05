//! How often a run waits for a server: each revision takes one round trip, whatever stands in it.

use std::io::{self, Read, Write};
use std::os::unix::net::{UnixListener, UnixStream};
use std::path::Path;
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};
use std::sync::mpsc::Receiver;

use crate::place::Place;
use crate::server::{Database, Server};
use crate::{mariadb, postgres};

on_mariadb_and_mysql! {
    a_revision_takes_one_round_trip
}

#[test]
fn a_revision_takes_one_round_trip_on_postgresql() {
    a_revision_takes_one_round_trip(Server::Postgresql);
}

fn a_revision_takes_one_round_trip(server: Server) {
    let tables = "CREATE TABLE t{} (a INT PRIMARY KEY, b VARCHAR(9));\nCREATE INDEX t{}_b ON t{} (b);\n\
                  INSERT INTO t{} VALUES (1, 'x');\nINSERT INTO t{} VALUES (2, 'y');";
    assert_eq!(turns(server, tables, 9), turns(server, tables, 4) + 5);
    let rows = "INSERT INTO t VALUES ({});\nUPDATE t SET a = a + 100 WHERE a = {};";
    assert_eq!(turns(server, rows, 9), turns(server, rows, 4) + 5);
}

/// How often an upgrade with so many revisions of this script waits for the server.
fn turns(server: Server, script: &str, revisions: usize) -> usize {
    let database = Database::on(server);
    let place = place_on(server, &database);
    let create = "CREATE TABLE t (a INT PRIMARY KEY);";
    place.revision("first", &[], &[], create, "DROP TABLE t;");
    place.must(&["upgrade"]);
    let mut parent = "first".to_owned();
    for i in 0..revisions {
        let id = format!("rev{i:03}");
        let up = script.replace("{}", &i.to_string());
        place.revision(&id, &[&parent], &[], &up, "");
        parent = id;
    }
    let (socket, there, url) = match server {
        Server::Postgresql => {
            let [host, port] = ["PGHOST", "PGPORT"].map(|name| &database.variables[name]);
            let url = format!(
                "postgresql:///{}?host={}&port=7777",
                database.name,
                place.folder().display()
            );
            (".s.PGSQL.7777", format!("{host}/.s.PGSQL.{port}"), url)
        }
        Server::Mariadb | Server::Mysql => {
            let there = database.variables["MYSQL_UNIX_PORT"].clone();
            let url = database
                .url(&database.name)
                .replace(&there, &place.path("relay").display().to_string());
            ("relay", there, url)
        }
    };
    let turns = relay(&place.path(socket), &there);
    place.must(&["upgrade", "--url", &url]);
    turns.recv().expect("it was there")
}

fn place_on(server: Server, database: &Database) -> Place {
    match server {
        Server::Postgresql => postgres::place_on(database),
        Server::Mariadb | Server::Mysql => mariadb::place_on(database),
    }
}

/// Hands on what comes over a socket. Tells, when its first client has gone, how often that one said something after it
/// was answered; others only look who stands in the way.
fn relay(socket: &Path, there: &str) -> Receiver<usize> {
    let (told, turns) = std::sync::mpsc::channel();
    let mut told = Some(told);
    let listener = UnixListener::bind(socket).expect("a socket");
    let there = there.to_owned();
    std::thread::spawn(move || {
        for client in listener.incoming() {
            let client = client.expect("a client");
            let server = UnixStream::connect(&there).expect("the server is there");
            let clone = |stream: &UnixStream| stream.try_clone().expect("another handle");
            let (from, to) = (clone(&client), clone(&server));
            let answered = Arc::new(AtomicBool::new(true));
            let (told, heard) = (told.take(), answered.clone());
            std::thread::spawn(move || {
                let mut turns = 0;
                // Whichever side goes first, that is the end.
                let _ = hand_on(from, to, || turns += usize::from(heard.swap(false, Ordering::Relaxed)));
                told.map(|told| told.send(turns))
            });
            std::thread::spawn(move || hand_on(server, client, || answered.store(true, Ordering::Relaxed)));
        }
    });
    turns
}

fn hand_on(mut from: UnixStream, mut to: UnixStream, mut each: impl FnMut()) -> io::Result<()> {
    let mut bytes = vec![0; 64 << 10];
    loop {
        let count = from.read(&mut bytes)?;
        if count == 0 {
            return to.shutdown(std::net::Shutdown::Write);
        }
        each();
        to.write_all(&bytes[..count])?;
    }
}
