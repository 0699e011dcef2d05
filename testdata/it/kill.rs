//! The real program, ended at every stage of its work.

use std::process::Command;
use std::time::{Duration, Instant};

use rusqlite::Connection;
use sqlrev::driver::sqlite::{Access, open};

use crate::crash::{Act, History};
use crate::failing::Watched;
use crate::picture::Picture;
use crate::place::{Done, Place};

/// How many times the program is killed in each journal mode.
const KILLS: u32 = 32;
/// How many times it is killed in the course of one copy, in each journal mode.
const KILLS_OF_A_COPY: u32 = 50;
/// How many times it is interrupted.
const INTERRUPTS: u32 = 10;

/// The end of a process.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum End {
    Kill,
    Interrupt,
}

/// A copy of a large table, a revision without a transaction, and a plain one.
fn history(place: &Place) {
    place.revision(
        "aaaa",
        &[],
        &[],
        "CREATE TABLE big (id INTEGER PRIMARY KEY, name TEXT, size TEXT);\n\
         CREATE INDEX big_name ON big (name);\n\
         INSERT INTO big WITH RECURSIVE n (i) AS (SELECT 1 UNION ALL SELECT i + 1 FROM n WHERE i < 8000)\n\
         SELECT i, 'name ' || i * 7 % 10007, i FROM n;",
        "DROP TABLE big;",
    );
    place.revision(
        "bbbb",
        &["aaaa"],
        &["recreate: always"],
        "ALTER TABLE big ALTER COLUMN size TYPE INTEGER USING CAST(size AS INTEGER);",
        "ALTER TABLE big ALTER COLUMN size TYPE TEXT;",
    );
    place.revision(
        "cccc",
        &["bbbb"],
        &["transaction: none"],
        "CREATE TABLE small (id INTEGER PRIMARY KEY, name TEXT);\n\
         INSERT INTO small SELECT id, name FROM big WHERE id % 3 = 0;\n\
         INSERT INTO small SELECT id, name FROM big WHERE id % 3 = 1;\n\
         CREATE INDEX small_name ON small (name);\n\
         DELETE FROM small WHERE id % 5 = 0;",
        "DROP TABLE small;",
    );
    place.revision(
        "dddd",
        &["cccc"],
        &[],
        "CREATE TABLE last AS SELECT id, size FROM big;\nUPDATE big SET name = name || '!' WHERE id % 2 = 0;",
        "DROP TABLE last;",
    );
}

/// One copy of a table that others refer to, fire at and look at.
fn copy(place: &Place) {
    place.revision(
        "aaaa",
        &[],
        &[],
        "CREATE TABLE big (id INTEGER PRIMARY KEY AUTOINCREMENT, name TEXT UNIQUE, size TEXT);\n\
         CREATE INDEX big_size ON big (size, name);\n\
         INSERT INTO big WITH RECURSIVE n (i) AS (SELECT 1 UNION ALL SELECT i + 1 FROM n WHERE i < 6000)\n\
         SELECT i, 'name ' || (i * 7 % 10007), i FROM n;\n\
         CREATE TABLE child (big INTEGER NOT NULL REFERENCES big (id) ON DELETE CASCADE ON UPDATE CASCADE);\n\
         INSERT INTO child SELECT id FROM big WHERE id % 2 = 0;\n\
         CREATE TABLE changes (what TEXT);\n\
         CREATE TRIGGER big_change AFTER UPDATE ON big BEGIN INSERT INTO changes VALUES (NEW.name); END;\n\
         CREATE VIEW sizes AS SELECT size, count(*) AS n FROM big GROUP BY size;\n\
         DELETE FROM big WHERE id > 5900;",
        "DROP VIEW sizes;\nDROP TABLE child;\nDROP TABLE big;\nDROP TABLE changes;",
    );
    place.revision(
        "bbbb",
        &["aaaa"],
        &["recreate: always"],
        "ALTER TABLE big ALTER COLUMN size TYPE INTEGER USING CAST(size AS INTEGER), ADD CHECK (size > 0);\n\
         DELETE FROM big WHERE id < 100;",
        "ALTER TABLE big ALTER COLUMN size TYPE TEXT;",
    );
}

/// Brings `app.db` back to where it was, with nothing beside it.
fn again(place: &Place) {
    for suffix in ["", "-journal", "-wal", "-shm", "-sqlrev-lock"] {
        let _ = std::fs::remove_file(place.path(&format!("app.db{suffix}")));
    }
    std::fs::copy(place.path("start.db"), place.database()).expect("a copy");
}

/// What a copy of the database holds, so that the next run of the program is the first to open the database itself.
fn look(place: &Place) -> Picture {
    let copy = place.path("look");
    let _ = std::fs::remove_dir_all(&copy);
    std::fs::create_dir(&copy).expect("a folder");
    for suffix in ["", "-journal", "-wal"] {
        let name = format!("app.db{suffix}");
        if place.path(&name).exists() {
            std::fs::copy(place.path(&name), copy.join(&name)).expect("a copy");
        }
    }
    Picture::of_file(&copy.join("app.db"))
}

/// Whether the copy of the database says that a revision stopped after some of its statements.
fn half_way(place: &Place) -> bool {
    let copy = Connection::open(place.path("look").join("app.db")).expect("a database");
    let count = "SELECT count(*) FROM sqlrev_revisions WHERE unfinished <> 'upgrade:0'";
    copy.query_row(count, [], |row| row.get::<_, i64>(0)).expect("a count") > 0
}

/// Starts an upgrade, ends it after `delay`, and gives what it said.
fn ended(place: &Place, delay: Duration, how: End) -> Done {
    let mut child = place.start(&["upgrade"]);
    std::thread::sleep(delay);
    match how {
        End::Kill => child.kill().expect("a signal"),
        End::Interrupt => {
            let pid = child.id().to_string();
            let sent = Command::new("kill").args(["-INT", &pid]).output();
            sent.expect("the kill command");
        }
    }
    child.wait_with_output().expect("it ends").into()
}

/// Ends the program at as many moments, spread over all of its work, or by chance over all but its beginning.
fn check(write: fn(&Place), journal: &str, how: End, times: u32, by_chance: bool) {
    let place = Place::on_disk();
    write(&place);
    place.must(&["upgrade", "aaaa", "--url", "sqlite:start.db"]);
    let start = Connection::open(place.path("start.db")).expect("a database");
    start.pragma_update(None, "journal_mode", journal).expect("a mode");
    drop(start);
    again(&place);
    let mut watched = Watched::new(open(&place.database(), Access::Write).expect("a database"));
    let history = History::of(&place);
    history.act(&mut watched, Act::Up("heads"), false).expect("it runs");
    let states = std::mem::take(&mut watched.states);
    drop(watched);
    let end = states.last().expect("a state");
    again(&place);
    let began = Instant::now();
    place.must(&["upgrade"]);
    let whole = began.elapsed();
    assert_eq!(look(&place), *end);
    let began = Instant::now();
    place.must(&["upgrade"]);
    let idle = began.elapsed().min(whole) / 2;
    let mut chance = 1_u32;
    for i in 0..times {
        again(&place);
        chance = chance.wrapping_mul(1_664_525).wrapping_add(1_013_904_223);
        let moment = if by_chance {
            idle + whole.saturating_sub(idle) * (chance >> 16) / 65_536
        } else {
            whole * (2 * i + 1) / (2 * times)
        };
        let done = ended(&place, moment, how);
        let now = look(&place);
        assert!(
            states.contains(&now),
            "{how:?} {i} of {times}: {done:?} leaves\n{:?}",
            (now.applied, now.log, now.schema)
        );
        match done.status {
            Some(0) => assert_eq!(now, *end),
            // The handler may not have stood yet.
            None => {}
            Some(status) => {
                assert_eq!((how, status), (End::Interrupt, 130), "{done:?}");
                assert!(done.stderr.contains("sqlrev::execute::interrupted"), "{done:?}");
                let told = done.stderr.contains("are recorded");
                assert_eq!(told, half_way(&place), "{done:?}");
            }
        }
        place.must(&["upgrade"]);
        assert_eq!(look(&place), *end, "after {how:?} {i} of {times}");
    }
}

#[test]
fn killed_with_a_rollback_journal() {
    check(history, "delete", End::Kill, KILLS, false);
}

#[test]
fn killed_with_a_wal() {
    check(history, "wal", End::Kill, KILLS, false);
}

#[test]
fn killed_in_a_copy_with_a_rollback_journal() {
    check(copy, "delete", End::Kill, KILLS_OF_A_COPY, true);
}

#[test]
fn killed_in_a_copy_with_a_wal() {
    check(copy, "wal", End::Kill, KILLS_OF_A_COPY, true);
}

#[test]
fn interrupted_with_a_rollback_journal() {
    check(history, "delete", End::Interrupt, INTERRUPTS, false);
}

#[test]
fn interrupted_with_a_wal() {
    check(history, "wal", End::Interrupt, INTERRUPTS, false);
}
