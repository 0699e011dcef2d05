//! Many processes at once, and others who hold the database.

use std::fs::File;
use std::process::Child;
use std::time::Duration;

use rusqlite::Connection;

use crate::picture::{Picture, column};
use crate::place::{Done, Place};

const PROCESSES: usize = 8;
const REVISIONS: usize = 30;

fn id(i: usize) -> String {
    format!("rev{i:03}")
}

/// Revisions that would fail or count twice if they ran twice; one of them has no transaction.
fn history(place: &Place) {
    for i in 0..REVISIONS {
        let parent = i.checked_sub(1).map(id);
        let options: &[&str] = if i == REVISIONS / 2 {
            &["transaction: none"]
        } else {
            &[]
        };
        let up = format!(
            "CREATE TABLE t{i} (a INTEGER PRIMARY KEY, b);\nINSERT INTO t{i} (b) VALUES ('x');\n\
             INSERT INTO t{i} (b) SELECT b FROM t{i};"
        );
        let parents: Vec<&str> = parent.iter().map(String::as_str).collect();
        place.revision(&id(i), &parents, options, &up, &format!("DROP TABLE t{i};"));
    }
}

/// Starts as many of the program at once, and each must succeed.
fn all_at_once(place: &Place, args: &[&str]) {
    let children: Vec<Child> = (0..PROCESSES).map(|_| place.start(args)).collect();
    let done: Vec<Done> = children
        .into_iter()
        .map(|child| child.wait_with_output().expect("it ends").into())
        .collect();
    for done in done {
        assert_eq!(done.status, Some(0), "{done:?}");
    }
}

fn each_once(place: &Place, event: &str, order: impl Iterator<Item = usize>) {
    let db = Connection::open(place.database()).expect("a database");
    let log = column(
        &db,
        "SELECT event || ' ' || revision || ' ' || outcome FROM sqlrev_log ORDER BY id",
    );
    let want: Vec<String> = order.map(|i| format!("{event} {} done", id(i))).collect();
    assert_eq!(log[log.len() - want.len()..], want);
    let left = place.path("app.db-sqlrev-lock");
    assert!(!left.exists());
}

fn race(place: &Place, journal: &str, existing: bool) {
    history(place);
    if existing {
        let db = Connection::open(place.database()).expect("a database");
        let sql = format!("PRAGMA journal_mode = {journal}; CREATE TABLE old (a); INSERT INTO old VALUES (1)");
        db.execute_batch(&sql).expect("a table");
    }
    all_at_once(place, &["upgrade", "heads"]);
    each_once(place, "upgrade", 0..REVISIONS);
    let picture = Picture::of_file(&place.database());
    assert_eq!(picture.log.len(), REVISIONS);
    assert_eq!(picture.applied.len(), REVISIONS);
    assert!((0..REVISIONS).all(|i| picture.rows[&format!("t{i}")] == ["1|x", "2|x"]));
    all_at_once(place, &["downgrade", "base"]);
    each_once(place, "downgrade", (0..REVISIONS).rev());
    assert!(Picture::of_file(&place.database()).applied.is_empty());
}

#[test]
fn eight_processes_on_a_new_file() {
    race(&Place::new(), "delete", false);
}

#[test]
fn eight_processes_on_a_database_with_a_rollback_journal() {
    race(&Place::new(), "delete", true);
}

#[test]
fn eight_processes_on_a_database_with_a_wal() {
    race(&Place::new(), "wal", true);
}

#[test]
fn different_targets_at_once() {
    let place = Place::new();
    place.revision("root", &[], &["transaction: none"], "CREATE TABLE r (a);", "");
    for i in 0..PROCESSES {
        let name = format!("leaf{i}");
        place.revision(&name, &["root"], &[], &format!("CREATE TABLE t{i} (a);"), "");
    }
    let children: Vec<Child> = (0..PROCESSES * 2)
        .map(|i| {
            place.start(&[
                "upgrade",
                &if i % 2 == 0 {
                    "heads".to_owned()
                } else {
                    format!("leaf{}", i / 2)
                },
            ])
        })
        .collect();
    for child in children {
        let done: Done = child.wait_with_output().expect("it ends").into();
        assert_eq!(done.status, Some(0), "{done:?}");
    }
    let mut log = Picture::of_file(&place.database()).log;
    log.sort();
    let want = (0..PROCESSES).map(|i| format!("upgrade leaf{i}"));
    assert_eq!(log, want.chain(["upgrade root".to_owned()]).collect::<Vec<_>>());
}

/// Two revisions, the second without a transaction, and a database where neither is applied.
fn two() -> Place {
    let place = Place::new();
    place.revision(
        "aaaa",
        &[],
        &[],
        "CREATE TABLE a (x);\nINSERT INTO a VALUES (1);",
        "DROP TABLE a;",
    );
    place.revision(
        "bbbb",
        &["aaaa"],
        &["transaction: none"],
        "CREATE TABLE b (x);",
        "DROP TABLE b;",
    );
    let db = Connection::open(place.database()).expect("a database");
    db.execute_batch("CREATE TABLE old (a); INSERT INTO old VALUES (1)")
        .expect("a table");
    place
}

#[test]
fn a_held_lock_ends_in_a_timeout_that_names_the_holder() {
    let place = two();
    let before = Picture::of_file(&place.database());
    let holder = Connection::open(place.database()).expect("a database");
    holder.execute_batch("BEGIN IMMEDIATE").expect("a lock");
    let done = place.run(&["upgrade", "--lock-timeout", "0.5"]);
    done.failed_with(1, "lock::timeout");
    if cfg!(target_os = "linux") {
        assert!(
            done.stderr.contains(&format!("process {}", std::process::id())),
            "{done:?}"
        );
    }
    holder.execute_batch("ROLLBACK").expect("the lock is given back");
    assert_eq!(Picture::of_file(&place.database()), before);
    place.must(&["upgrade", "--lock-timeout", "0.5"]);
}

#[test]
fn who_reads_the_schema_waits_for_a_writer() {
    let place = two();
    place.must(&["upgrade"]);
    let holder = Connection::open(place.database()).expect("a database");
    for command in [
        &["dump"][..],
        &["diff", "empty", "database"],
        &["check", "--drift"],
        &["stamp", "--verify", "heads"],
    ] {
        holder.execute_batch("BEGIN EXCLUSIVE").expect("a lock");
        let waiting = place.start(command);
        std::thread::sleep(std::time::Duration::from_millis(300));
        holder.execute_batch("ROLLBACK").expect("the lock is given back");
        let done: crate::place::Done = waiting.wait_with_output().expect("it ends").into();
        // A table that no revision makes is a difference.
        assert!(matches!(done.status, Some(0 | 3)), "{command:?} {done:?}");
    }
}

#[test]
fn a_revision_without_a_transaction_waits_for_another_one() {
    let place = two();
    let path = place.path("app.db-sqlrev-lock");
    let holder = File::create(&path).expect("a file");
    holder.lock().expect("a lock");
    let done = place.run(&["upgrade", "--lock-timeout", "0.5"]);
    done.failed_with(1, "lock::timeout");
    if cfg!(target_os = "linux") {
        assert!(
            done.stderr.contains(&format!("process {}", std::process::id())),
            "{done:?}"
        );
    }
    assert_eq!(Picture::of_file(&place.database()).applied, ["aaaa"]);
    drop(holder);
    place.must(&["upgrade"]);
    assert!(!path.exists());
}

#[test]
fn readers_delay_a_commit_and_keep_what_they_see() {
    for journal in ["delete", "wal"] {
        let place = two();
        let reader = Connection::open(place.database()).expect("a database");
        reader
            .pragma_update(None, "journal_mode", journal)
            .expect("a journal mode");
        reader.execute_batch("BEGIN").expect("a transaction");
        let seen = || column(&reader, "SELECT count(*) FROM sqlite_schema");
        assert_eq!(seen(), ["1"]);
        if journal == "delete" {
            let before = Picture::of(&reader);
            let done = place.run(&["upgrade", "--lock-timeout", "0.3"]);
            done.failed_with(1, "lock::timeout");
            assert_eq!(Picture::of(&reader), before);
        }
        let child = place.start(&["upgrade"]);
        std::thread::sleep(Duration::from_millis(300));
        assert_eq!(seen(), ["1"], "{journal}");
        if journal == "wal" {
            let done: Done = child.wait_with_output().expect("it ends").into();
            assert_eq!(done.status, Some(0), "{done:?}");
            assert_eq!(seen(), ["1"]);
            reader.execute_batch("COMMIT").expect("an end");
        } else {
            reader.execute_batch("COMMIT").expect("an end");
            let done: Done = child.wait_with_output().expect("it ends").into();
            assert_eq!(done.status, Some(0), "{done:?}");
        }
        assert_eq!(Picture::of_file(&place.database()).applied, ["aaaa", "bbbb"]);
    }
}
