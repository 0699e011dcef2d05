//! An older release that rolls back what a newer one did, from the version table alone.

use rusqlite::Connection;
use sqlrev::{Code, Migrator, Status};

use crate::library::{File, line, memory, migrator, number, revision};

/// The first revision, and a second one of the newer release: its header, its texts for every database and for SQLite.
fn newer(header: &str, sqlite: Option<&str>) -> Migrator {
    let mut files: Vec<File> = line(1);
    let text = "CREATE TABLE b (x); INSERT INTO b VALUES (1);";
    files.push((
        "b/upgrade.sql".to_owned(),
        format!("-- ---\n-- revision: bbbb\n-- down_revision: aaaa\n{header}-- ---\n{text}\n"),
    ));
    files.extend(sqlite.map(|text| ("b/upgrade.sqlite.sql".to_owned(), text.to_owned())));
    files.push(("b/downgrade.sql".to_owned(), "DROP TABLE b;\n".to_owned()));
    let all = migrator(files);
    if header.contains("code: true") {
        all.on_upgrade("bbbb", |_| Ok(()))
    } else {
        all
    }
}

fn back(newer: &Migrator, change: &str) -> Result<Connection, Code> {
    let mut db = memory();
    newer.upgrade(&mut db).expect("the newer release works");
    db.execute_batch(change).expect("a change of the version table");
    match migrator(line(1)).downgrade_to_mine(&mut db) {
        Ok(_) => Ok(db),
        Err(error) => {
            assert_eq!(number(&db, "SELECT count(*) FROM b"), 1, "{error:?}");
            Err(error.code())
        }
    }
}

/// What the header of the newer release says holds for its downgrade, wherever the header stood.
#[test]
fn an_older_release_keeps_to_the_header_of_the_newer_one() {
    let large = format!(
        "CREATE TABLE b (x); INSERT INTO b VALUES (1);\n{}",
        "-- more\n".repeat(200_000)
    );
    let small = "CREATE TABLE b (x); INSERT INTO b VALUES (1); SELECT 'for SQLite';\n";
    for sqlite in [None, Some(small), Some(&*large)] {
        let refused = |header: &str| back(&newer(header, sqlite), "").map(drop).unwrap_err();
        assert_eq!(refused("-- irreversible: true\n"), Code::Irreversible);
        assert_eq!(refused("-- code: true\n"), Code::OwnCodeMissing);
        for header in ["", "-- transaction: none\n"] {
            let db = back(&newer(header, sqlite), "").expect("it is rolled back");
            assert_eq!(number(&db, "SELECT count(*) FROM sqlite_schema WHERE name = 'b'"), 0);
        }
    }
    // Where there is no header, nothing is taken for granted.
    let gone = "UPDATE sqlrev_revisions SET upgrade_sql = NULL WHERE revision = 'bbbb'";
    assert_eq!(back(&newer("", None), gone).map(drop), Err(Code::Irreversible));
}

/// Beside a header that stood elsewhere, or alone, what ran is still told from it.
#[test]
fn what_was_kept_is_told_from_what_ran() {
    let text = |value: u8| format!("CREATE TABLE b (x);\nINSERT INTO b VALUES ({value});\n");
    let large = |value: u8| format!("{}{}", text(value), "-- more\n".repeat(200_000));
    let mut db = memory();
    newer("", Some(&text(1))).upgrade(&mut db).unwrap();
    let error = newer("", Some(&text(2))).upgrade(&mut db).unwrap_err();
    assert_eq!(error.code(), Code::Edited);
    let shown = error.causes().join("\n");
    assert!(shown.contains("VALUES (1)") && !shown.contains("revision:"), "{shown}");
    let mut db = memory();
    newer("", Some(&large(1))).upgrade(&mut db).unwrap();
    let error = newer("", Some(&large(2))).upgrade(&mut db).unwrap_err();
    assert!(error.causes().join(" ").contains("too large"), "{error:?}");
}

#[test]
fn code_for_a_revision_that_is_not_there_is_refused_by_every_call() {
    let all = |files| migrator(files).on_downgrade("bbbz", |_| Ok(()));
    let mut db = memory();
    migrator(line(2)).upgrade(&mut db).unwrap();
    let refused = |done: sqlrev::error::Result<sqlrev::Report>| done.map(drop).unwrap_err().code();
    assert_eq!(
        refused(all(line(2)).downgrade(&mut db, "base")),
        Code::OwnCodeUnexpected
    );
    assert_eq!(refused(all(line(2)).stamp(&mut db, "base")), Code::OwnCodeUnexpected);
    assert_eq!(
        refused(all(line(1)).downgrade_to_mine(&mut db)),
        Code::OwnCodeUnexpected
    );
}

/// Nothing is said to be as it should be beside half of what a newer release does, and a plan says what a run would.
#[test]
fn an_older_release_stops_where_a_newer_one_stopped_half_way() {
    let mut db = memory();
    let mut files = line(1);
    files.extend(revision(
        "bbbb",
        "aaaa",
        "-- transaction: none\n",
        "CREATE TABLE b (x);\nINSERT INTO nowhere VALUES (1);",
        "DROP TABLE b;",
    ));
    let older = migrator(line(1));
    older.upgrade(&mut db).unwrap();
    let whole = migrator(line(2));
    let half = migrator(files);
    assert_eq!(half.upgrade(&mut db).unwrap_err().code(), Code::StatementFailed);
    assert!(matches!(older.status(&mut db).unwrap(), Status::Ahead { unknown } if unknown.len() == 1));
    for _ in 0..2 {
        assert_eq!(older.upgrade(&mut db).unwrap_err().code(), Code::NewerDatabase);
        assert_eq!(older.plan(&mut db).unwrap_err().code(), Code::NewerDatabase);
        // Nor beside all of it.
        db = memory();
        whole.upgrade(&mut db).unwrap();
    }
}
