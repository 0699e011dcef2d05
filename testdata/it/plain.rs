//! Revisions that a program embeds: what a build script found plain runs as it would be run otherwise, and what is not plain
//! keeps its guards.

use rusqlite::Connection;
use sqlrev::dialect::sqlite::Sqlite;
use sqlrev::migrator::Embedded;
use sqlrev::revision::packed::Packed;
use sqlrev::{Code, Error, Event, Migrator, Report};

use crate::library::{File, memory, migrator, number, revision};

/// The bytes that a build script would write.
fn packed(files: &[File]) -> Vec<u8> {
    let folder = tempfile::tempdir().expect("a folder");
    for (name, text) in files {
        let path = folder.path().join("revisions").join(name);
        std::fs::create_dir_all(path.parent().expect("a folder")).expect("a folder");
        std::fs::write(path, text).expect("a file");
    }
    sqlrev::build::packed(&folder.path().join("revisions"), &Sqlite).expect("revisions")
}

fn is_plain(files: &[File]) -> bool {
    Packed::new(packed(files).leak()).is_plain()
}

fn embedded(files: &[File]) -> Migrator {
    Migrator::new(Embedded::new(packed(files).leak(), "application"))
}

/// Everything that both leave in a database, but for times.
fn left(db: &Connection) -> Vec<String> {
    let mut left = Vec::new();
    for sql in [
        "SELECT type || name || coalesce(sql, '') FROM sqlite_schema ORDER BY rowid",
        "SELECT format('%s %s %s %s %s %s %s %s', revision, down_revision, message, applied_by, upgrade_checksum, \
         downgrade_checksum, upgrade_sql, downgrade_sql) FROM sqlrev_revisions ORDER BY revision",
        "SELECT format('%s %s %s', event, revision, outcome) FROM sqlrev_log",
    ] {
        let mut rows = db.prepare(sql).expect(sql);
        let rows = rows.query_map([], |row| row.get::<_, String>(0)).expect(sql);
        left.extend(rows.map(|row| row.expect(sql)));
    }
    left
}

/// With the names of files as they are in a list.
fn in_folder(it: &impl std::fmt::Debug) -> String {
    format!("{it:?}").replace("revisions/", "")
}

/// An upgrade with everything that it tells.
fn upgraded(migrator: &Migrator, db: &mut Connection) -> (Vec<String>, Result<Report, Error>) {
    let mut told = Vec::new();
    let mut hear = |event: Event<'_>| match event {
        Event::Statement { sql, index } => told.push(format!("{index} {sql}")),
        Event::Started {
            revision, statements, ..
        } => told.push(format!("{revision} {statements}")),
        Event::Notice(said) => told.push(said.to_owned()),
        _ => {}
    };
    let done = migrator.run(db).events(&mut hear).keep_statements().upgrade("heads");
    (told, done)
}

/// Three revisions with statements of every kind that is plain.
fn plain() -> Vec<File> {
    let long = format!("DROP TABLE b;\n-- {}\nDROP TABLE a;", "why ".repeat(2000));
    let one = "CREATE TABLE a (x INTEGER PRIMARY KEY, y); -- a comment\n\n\
               CREATE TABLE b (x REFERENCES a -- kept with it\n) /* and this */ ;\nCREATE UNIQUE INDEX i ON a (y)";
    let two =
        "INSERT INTO a VALUES (1, 'é;');\n  UPDATE a SET y = 'two; three';DELETE FROM b;REPLACE INTO a VALUES (2, 3);";
    let three = "CREATE VIEW v AS SELECT x FROM a;\nCREATE TRIGGER t AFTER INSERT ON a BEGIN\n  DELETE FROM b; UPDATE a SET y \
                 = 1 WHERE x = 9;\nEND;";
    [
        revision("aaaa", "", "", one, &long),
        revision("bbbb", "aaaa", "", two, "DELETE FROM a;"),
        revision("cccc", "bbbb", "", three, "DROP VIEW v;\nDROP TRIGGER t;"),
    ]
    .into_iter()
    .flatten()
    .collect()
}

#[test]
fn what_is_plain_runs_as_it_would_otherwise() {
    let files = plain();
    assert!(is_plain(&files));
    let (mut one, mut other) = (memory(), memory());
    let (told, done) = upgraded(&embedded(&files), &mut one);
    let (told_otherwise, done_otherwise) = upgraded(&migrator(files.clone()), &mut other);
    let statements = |done: Result<Report, Error>| {
        let steps = done.expect("an upgrade").steps.into_iter();
        let statements = steps.flat_map(|step| step.statements);
        let native = statements.filter(|it| !it.sql.contains("sqlrev_"));
        native.map(|it| in_folder(&it)).collect::<Vec<_>>()
    };
    assert_eq!(told, told_otherwise);
    assert_eq!(statements(done), statements(done_otherwise));
    assert_eq!(left(&one), left(&other));
    assert!(left(&one).iter().any(|row| row.contains("deflate:")));
    // Either takes what the other has done for its own.
    assert!(migrator(files.clone()).is_up_to_date(&mut one).unwrap());
    assert!(embedded(&files).is_up_to_date(&mut other).unwrap());
    embedded(&files).downgrade(&mut one, "base").unwrap();
    assert_eq!(
        number(&one, "SELECT count(*) FROM sqlite_schema WHERE name IN ('a', 'b', 'v')"),
        0
    );
}

#[test]
fn what_fails_is_told_as_it_would_be_otherwise() {
    for wrong in [
        "INSERT INTO a VALUES (1, 2, 3);",
        "CREATE TABLE a (x);",
        "UPDATE a SET nothing = 1;",
    ] {
        let files: Vec<File> = [
            revision("aaaa", "", "", "CREATE TABLE a (x);", "DROP TABLE a;"),
            revision(
                "bbbb",
                "aaaa",
                "",
                &format!("CREATE TABLE b (y);\n  {wrong}"),
                "DROP TABLE b;",
            ),
        ]
        .into_iter()
        .flatten()
        .collect();
        assert!(is_plain(&files), "{wrong}");
        let (mut one, mut other) = (memory(), memory());
        let (_, failed) = upgraded(&embedded(&files), &mut one);
        let (_, otherwise) = upgraded(&migrator(files.clone()), &mut other);
        assert_eq!(in_folder(&failed.unwrap_err()), in_folder(&otherwise.unwrap_err()));
        assert_eq!(number(&one, "SELECT count(*) FROM sqlite_schema"), 0);
    }
}

#[test]
fn an_edited_upgrade_is_refused() {
    let mut files = plain();
    let mut db = memory();
    embedded(&files).upgrade(&mut db).unwrap();
    files[2].1 += "INSERT INTO a VALUES (7, 8);\n";
    files.extend(revision("dddd", "cccc", "", "CREATE TABLE d (x);", ""));
    let error = embedded(&files).upgrade(&mut db).unwrap_err();
    assert_eq!(error.code(), Code::Edited);
    assert_eq!(error.state_line(), Some("nothing was run"));
    assert!(!error.help_lines().is_empty());
    // A change of layout is none.
    let mut files = plain();
    files[2].1 += "-- a comment\n";
    files.extend(revision("dddd", "cccc", "", "CREATE TABLE d (x);", ""));
    assert_eq!(embedded(&files).upgrade(&mut db).unwrap().steps.len(), 1);
}

#[test]
fn what_needs_a_guard_is_not_plain() {
    for script in [
        "DROP TABLE a;",
        "DROP VIEW IF EXISTS v;",
        "DROP TRIGGER IF EXISTS t;",
        "ALTER TABLE a ADD COLUMN z TEXT;",
        "ALTER TABLE a RENAME TO z;",
        "PRAGMA foreign_keys = OFF;",
        "PRAGMA defer_foreign_keys = ON;",
        "CREATE TABLE z (x REFERENCES a DEFERRABLE INITIALLY DEFERRED);",
        "CREATE TEMP TABLE z (x);",
        "CREATE TABLE temp.z (x);",
        "CREATE TEMPORARY VIEW z AS SELECT 1;",
        "CREATE VIRTUAL TABLE z USING fts5 (x);",
        "ATTACH ':memory:' AS z;",
        "ANALYZE;",
        "REINDEX;",
        "SELECT 1;",
        "WITH c AS (SELECT 1) INSERT INTO a (x) SELECT * FROM c;",
        "SAVEPOINT s; RELEASE s;",
        "INSERT INTO a (x) SELECT changes();",
        "-- sqlrev:strict a\nCREATE TABLE z (x);",
    ] {
        let mut files = plain();
        files.extend(revision("dddd", "cccc", "", script, ""));
        assert!(!is_plain(&files), "{script}");
    }
    let mut files = plain();
    files.extend(revision(
        "dddd",
        "cccc",
        "-- transaction: none\n",
        "CREATE TABLE z (x);",
        "",
    ));
    assert!(!is_plain(&files));
}

/// Rows of a table follow another one that a script drops.
fn followed(down: bool) -> Vec<File> {
    let one = "CREATE TABLE p (id INTEGER PRIMARY KEY);\nCREATE TABLE c (p REFERENCES p ON DELETE CASCADE);\n\
               INSERT INTO p VALUES (1);\nINSERT INTO c VALUES (1);";
    let mut files: Vec<File> = revision("aaaa", "", "", one, "DROP TABLE p;").into();
    if !down {
        files.extend(revision("bbbb", "aaaa", "", "DROP TABLE p;", ""));
    }
    files
}

#[test]
fn an_upgrade_that_is_not_plain_keeps_its_guards() {
    let mut db = memory();
    let error = embedded(&followed(false)).upgrade(&mut db).unwrap_err();
    assert_eq!(error.code(), Code::WouldDeleteRows);
}

#[test]
fn a_downgrade_keeps_its_guards_where_all_upgrades_are_plain() {
    let files = followed(true);
    assert!(is_plain(&files));
    let mut db = memory();
    embedded(&files).upgrade(&mut db).unwrap();
    let error = embedded(&files).downgrade(&mut db, "base").unwrap_err();
    assert_eq!(error.code(), Code::WouldDeleteRows);
    assert_eq!(number(&db, "SELECT count(*) FROM c"), 1);
}

#[test]
fn the_downgrade_of_a_newer_version_keeps_its_guards() {
    let mine: Vec<File> = revision("0000", "", "", "CREATE TABLE mine (x);", "").into();
    let mut newer = mine.clone();
    newer.extend(followed(true).into_iter().map(|(name, text)| {
        let text = text.replace("-- revision: aaaa\n", "-- revision: aaaa\n-- down_revision: '0000'\n");
        (name, text)
    }));
    let mut db = memory();
    embedded(&newer).upgrade(&mut db).unwrap();
    assert!(is_plain(&mine));
    let error = embedded(&mine).upgrade(&mut db).unwrap_err();
    assert_eq!(error.code(), Code::NewerDatabase);
    let error = embedded(&mine).downgrade_to_mine(&mut db).unwrap_err();
    assert_eq!(error.code(), Code::WouldDeleteRows);
    assert_eq!(number(&db, "SELECT count(*) FROM c"), 1);
}

#[test]
fn bytes_that_call_a_script_plain_which_is_not_run_nothing() {
    let mut bytes = packed(&followed(false));
    bytes[20] = 1;
    let mut db = memory();
    let error = Migrator::new(Embedded::new(bytes.leak(), "application"))
        .upgrade(&mut db)
        .unwrap_err();
    assert_eq!(error.code(), Code::FileIo);
    assert_eq!(number(&db, "SELECT count(*) FROM sqlite_schema"), 0);
}

#[test]
fn a_deferred_key_of_the_applications_own_fails_at_the_commit() {
    let files: Vec<File> = revision("aaaa", "", "", "INSERT INTO c VALUES (9);", "").into();
    assert!(is_plain(&files));
    let mut db = memory();
    db.execute_batch("CREATE TABLE p (id PRIMARY KEY); CREATE TABLE c (p REFERENCES p DEFERRABLE INITIALLY DEFERRED)")
        .unwrap();
    let error = embedded(&files).upgrade(&mut db).unwrap_err();
    assert_eq!(error.code(), Code::ForeignKeys);
    assert!(error.help_lines().iter().any(|help| help.contains("foreign_key_check")));
    assert_eq!(number(&db, "SELECT count(*) FROM c"), 0);
}
