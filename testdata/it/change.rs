//! Changes of tables in bad company: another connection that looks and writes all the time, and a disk with no room.

use std::process::Command;

use rusqlite::{Connection, ErrorCode};
use sqlrev::driver::sqlite::{Access, open};

use crate::crash::{Act, History};
use crate::failing::Spied;
use crate::picture::{Picture, column};
use crate::place::{Place, finished};

/// A way to change a table: the ALTER, and what it makes impossible.
struct Change {
    way: &'static str,
    alter: &'static str,
    /// What the table's columns are called afterwards.
    columns: &'static str,
    /// What the new definition refuses and the old one took.
    refused: &'static str,
}

const CHANGES: [Change; 4] = [
    Change {
        way: "in_place",
        alter: "ALTER TABLE t ALTER COLUMN a SET NOT NULL;",
        columns: "id|a|b",
        refused: "INSERT INTO t (a, b) VALUES (NULL, 1)",
    },
    Change {
        way: "native",
        alter: "ALTER TABLE t DROP COLUMN b;",
        columns: "id|a",
        refused: "INSERT INTO t (a, b) VALUES ('x', 1)",
    },
    Change {
        way: "index",
        alter: "ALTER TABLE t ADD CONSTRAINT t_a UNIQUE (a);",
        columns: "id|a|b",
        refused: "INSERT INTO t (a, b) VALUES ('a1', 1)",
    },
    Change {
        way: "copy",
        alter: "ALTER TABLE t ALTER COLUMN b TYPE TEXT USING 'b' || b, ADD CHECK (b <> 'no');",
        columns: "id|a|b",
        refused: "INSERT INTO t (a, b) VALUES ('x', 'no')",
    },
];

/// A table at revision aaaa, and the change as bbbb.
fn place(change: &Change, journal: &str, rows: u32) -> Place {
    let place = Place::new();
    place.revision(
        "aaaa",
        &[],
        &[],
        &format!(
            "CREATE TABLE t (id INTEGER PRIMARY KEY, a TEXT, b INTEGER);\nCREATE INDEX t_b ON t (b);\n\
             INSERT INTO t WITH RECURSIVE n (i) AS (SELECT 1 UNION ALL SELECT i + 1 FROM n WHERE i < {rows})\n\
             SELECT i, 'a' || i, i FROM n;"
        ),
        "DROP TABLE t;",
    );
    place.must(&["upgrade"]);
    let db = Connection::open(place.database()).expect("a database");
    db.pragma_update(None, "journal_mode", journal).expect("a mode");
    place.revision("bbbb", &["aaaa"], &[], change.alter, "SELECT 1;");
    place
}

fn locked(error: &rusqlite::Error) -> bool {
    matches!(
        error.sqlite_error_code(),
        Some(ErrorCode::DatabaseBusy | ErrorCode::DatabaseLocked)
    )
}

/// Another connection, with statements that it has prepared by the old schema.
fn watched(change: &Change, journal: &str) {
    let place = place(change, journal, 40);
    let other = Connection::open(place.database()).expect("a database");
    other.busy_timeout(std::time::Duration::ZERO).expect("a number");
    let rows = |other: &Connection| -> rusqlite::Result<Vec<String>> {
        let mut read = other.prepare_cached("SELECT * FROM t ORDER BY id")?;
        let mut found = read.query([])?;
        let mut all = Vec::new();
        while let Some(row) = found.next()? {
            let count = row.as_ref().column_count();
            let values = (0..count).map(|at| row.get_ref(at).map(|value| format!("{value:?}")));
            all.push(values.collect::<rusqlite::Result<Vec<_>>>()?.join("|"));
        }
        Ok(all)
    };
    let insert = |other: &Connection| other.execute("INSERT INTO t (a) VALUES ('other')", []);
    let old = rows(&other).expect("nobody has it locked");
    let other = std::sync::Mutex::new(other);
    let bars = change.columns.matches('|').count();
    let mut looks = 0;
    let mut spy = Spied::new(
        open(&place.database(), Access::Write).expect("a database"),
        |begun, committed| {
            let other = other.lock().expect("a connection");
            match rows(&other) {
                Ok(now) if !committed => assert_eq!(now, old, "{}", change.way),
                Ok(now) => assert!(
                    now.iter().all(|row| row.matches('|').count() == bars),
                    "{}: {now:?}",
                    change.way
                ),
                Err(error) => assert!(locked(&error), "{}: {error}", change.way),
            }
            if begun {
                let error = insert(&other).expect_err("the change holds the lock");
                assert!(locked(&error), "{}: {error}", change.way);
                looks += 1;
            }
        },
    );
    let history = History::of(&place);
    history.act(&mut spy, Act::Up("heads"), false).expect("it runs");
    drop(spy);
    assert!(looks > 3, "it was looked at {looks} times");
    let other = other.into_inner().expect("a connection");
    insert(&other).expect("an INSERT that fits");
    let error = other
        .execute_batch(change.refused)
        .expect_err("the new definition holds");
    assert!(!locked(&error), "{error}");
    let names = column(&other, "SELECT group_concat(name, '|') FROM pragma_table_info('t')");
    assert_eq!(names, [change.columns], "{}", change.way);
    let done = place.must(&["downgrade", "aaaa", "--dry-run"]);
    assert!(done.stdout.contains("bbbb"), "{done:?}");
    Picture::of_file(&place.database());
}

#[test]
fn nobody_sees_half_a_change_with_a_rollback_journal() {
    for change in &CHANGES {
        watched(change, "delete");
    }
}

#[test]
fn nobody_sees_half_a_change_with_a_wal() {
    for change in &CHANGES {
        watched(change, "wal");
    }
}

#[test]
fn a_reader_keeps_what_it_saw() {
    for change in &CHANGES {
        let place = place(change, "wal", 40);
        let reader = Connection::open(place.database()).expect("a database");
        let all = "SELECT * FROM t ORDER BY id";
        reader.execute_batch("BEGIN").expect("a transaction");
        let before = column(&reader, all);
        place.must(&["upgrade"]);
        assert_eq!(column(&reader, all), before, "{}", change.way);
        let error = reader.execute_batch(change.refused).expect_err("its view is old");
        assert_eq!(error.sqlite_error_code(), Some(ErrorCode::DatabaseBusy), "{error}");
        reader.execute_batch("COMMIT").expect("it ends");
        let error = reader
            .execute_batch(change.refused)
            .expect_err("the new definition holds");
        assert!(!locked(&error), "{error}");
    }
}

/// Amounts of free room in kilobytes, from none at all to enough.
const ROOM: &str = "0 4 8 12 16 24 32 48 64 96 128 192 256 384 512 768 1024 2048";

/// Runs the change on disks with ever more room: the old state and an error that says why, or the new state.
#[expect(clippy::print_stderr, reason = "a test says that it could not be made")]
fn crammed(change: &Change, journal: &str) {
    let place = place(change, journal, 6000);
    let old = Picture::of_file(&place.database());
    std::fs::create_dir(place.path("disk")).expect("a folder");
    std::fs::create_dir(place.path("after")).expect("a folder");
    let script = format!(
        "mount -t tmpfs -o size=6m tmpfs disk || exit 9\n\
         for room in {ROOM}; do\n\
         rm -f disk/*; cp app.db disk/app.db\n\
         free=$(df -k --output=avail disk | tail -n 1)\n\
         head -c $(( (free - room) * 1024 )) /dev/zero > disk/filler\n\
         $SQLREV upgrade --url sqlite:disk/app.db 2> after/$room.err; echo $room $?\n\
         mkdir after/$room; cp disk/app.db* after/$room\n\
         rm disk/filler\n\
         $SQLREV upgrade --url sqlite:disk/app.db 2> after/$room.again || echo then $?\n\
         cp disk/app.db after/$room/end.db\n\
         done"
    );
    let mut command = Command::new("unshare");
    command.args(["-m", "sh", "-c", &script]).current_dir(place.folder());
    command.env("SQLREV", env!("CARGO_BIN_EXE_sqlrev"));
    let done = finished(command);
    if done.status == Some(9) || done.stderr.contains("ermitted") || done.stdout.is_empty() {
        eprintln!("skipped, for want of a disk: {}", done.stderr);
        return;
    }
    let mut full = 0;
    for line in done.stdout.lines() {
        let (room, status) = line.split_once(' ').expect("two words");
        let said = std::fs::read_to_string(place.path(&format!("after/{room}.err"))).expect("its words");
        let now = Picture::of_file(&place.path(&format!("after/{room}/app.db")));
        let end = Picture::of_file(&place.path(&format!("after/{room}/end.db")));
        assert_eq!(end.applied, ["aaaa", "bbbb"], "{} {room}", change.way);
        if status == "0" {
            assert_eq!(now, end, "{} {room}", change.way);
        } else {
            full += 1;
            let what = format!("{} with {room} kB, {journal}: {said}", change.way);
            assert_eq!(status, "1", "{what}");
            assert!(said.contains("error[sqlrev::database::disk_full]"), "{what}");
            assert_eq!(now, old, "{what}");
        }
    }
    assert!(full > 1 && done.stdout.ends_with(" 0\n"), "{done:?}");
}

#[test]
fn a_change_on_a_disk_with_no_room_with_a_rollback_journal() {
    for change in &CHANGES {
        crammed(change, "delete");
    }
}

#[test]
fn a_change_on_a_disk_with_no_room_with_a_wal() {
    for change in &CHANGES {
        crammed(change, "wal");
    }
}

/// Pages that SQLite may have, from those it has to enough.
#[test]
fn a_change_of_a_database_that_may_not_grow() {
    for change in &CHANGES {
        let place = place(change, "delete", 6000);
        let start = place.path("start.db");
        std::fs::copy(place.database(), &start).expect("a copy");
        let old = Picture::of_file(&start);
        let count = column(&Connection::open(&start).expect("a database"), "PRAGMA page_count");
        let count: u32 = count[0].parse().expect("a number");
        let mut ended = Vec::new();
        for more in [0, 1, 2, 4, 16, 64, 80, 200, 4000] {
            std::fs::copy(&start, place.database()).expect("a copy");
            let up = format!("PRAGMA max_page_count = {};\n{}", count + more, change.alter);
            place.revision("bbbb", &["aaaa"], &[], &up, "SELECT 1;");
            let done = place.run(&["upgrade"]);
            let now = Picture::of_file(&place.database());
            if done.status == Some(0) {
                assert_eq!(now.applied, ["aaaa", "bbbb"]);
            } else {
                done.failed_with(1, "database::disk_full");
                assert_eq!(now, old, "{} with {more} pages more", change.way);
            }
            ended.push(done.status == Some(0));
        }
        assert_eq!(ended.last(), Some(&true), "{}", change.way);
        assert!(ended.is_sorted(), "{}: {ended:?}", change.way);
        assert!(change.way != "copy" || !ended[0], "a copy needs room");
    }
}
