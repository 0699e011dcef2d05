//! A program that opens a database, asks something first, and says how long what comes then took.

use std::time::Instant;

use rusqlite::Connection;

/// Opens the database that the first argument names, and measures `then` in microseconds.
pub fn open(then: impl FnOnce(&mut Connection)) {
    let path = std::env::args().nth(1).expect("a path");
    let mut db = Connection::open(path).expect("a database");
    let tables: i64 = db
        .query_row("SELECT count(*) FROM sqlite_schema", [], |row| row.get(0))
        .expect("a number");
    let began = Instant::now();
    then(&mut db);
    println!("{:.1} {tables}", began.elapsed().as_secs_f64() * 1e6);
}
