//! The library inside an application: its connection, its code, its other versions.

use std::sync::atomic::{AtomicUsize, Ordering};
use std::task::{Context, Poll, Waker};

use rusqlite::Connection;
use rusqlite::config::DbConfig;
use sqlrev::{Cancel, Code, Event, Migrator, Status};

use crate::place::Place;

pub(crate) type File = (String, String);

/// The two files of a revision; `more` goes into the header.
pub(crate) fn revision(id: &str, down: &str, more: &str, up: &str, back: &str) -> [File; 2] {
    let down = if down.is_empty() {
        String::new()
    } else {
        format!("-- down_revision: {down}\n")
    };
    let upgrade = format!("-- ---\n-- revision: {id}\n{down}-- message: the {id}\n{more}-- ---\n{up}\n");
    [
        (format!("{id}/upgrade.sql"), upgrade),
        (format!("{id}/downgrade.sql"), format!("{back}\n")),
    ]
}

/// The first `count` revisions of a line.
pub(crate) fn line(count: usize) -> Vec<File> {
    let all = [
        revision(
            "aaaa",
            "",
            "",
            "CREATE TABLE a (x, y);\nINSERT INTO a VALUES (1, 'one');",
            "DROP TABLE a;",
        ),
        revision(
            "bbbb",
            "aaaa",
            "",
            "ALTER TABLE a ALTER COLUMN y SET NOT NULL;",
            "ALTER TABLE a ALTER COLUMN y DROP NOT NULL;",
        ),
        revision("cccc", "bbbb", "", "CREATE TABLE c (z);", "DROP TABLE c;"),
    ];
    all.into_iter().take(count).flatten().collect()
}

pub(crate) fn migrator(files: Vec<File>) -> Migrator {
    Migrator::from_files(files).expect("a graph")
}

pub(crate) fn memory() -> Connection {
    Connection::open_in_memory().expect("a database")
}

pub(crate) fn number(db: &Connection, sql: &str) -> i64 {
    db.query_row(sql, [], |row| row.get(0)).expect(sql)
}

#[test]
fn up_down_and_what_the_status_is_on_the_way() {
    let mut db = memory();
    let all = migrator(line(3));
    let ids = |words: &[&str]| {
        words
            .iter()
            .map(|id| (*id).into())
            .collect::<Vec<sqlrev::revision::RevisionId>>()
    };
    let pending = ids(&["aaaa", "bbbb", "cccc"]);
    assert_eq!(all.status(&mut db).unwrap(), Status::Behind { pending });
    let report = all.upgrade(&mut db).unwrap();
    assert_eq!((report.steps.len(), report.to), (3, ids(&["cccc"])));
    let report = all.upgrade(&mut db).unwrap();
    assert_eq!(
        (report.steps.len(), report.from, report.to),
        (0, ids(&["cccc"]), ids(&["cccc"]))
    );
    assert_eq!(all.status(&mut db).unwrap(), Status::UpToDate);
    all.downgrade(&mut db, "-1").unwrap();
    assert_eq!(
        all.status(&mut db).unwrap(),
        Status::Behind {
            pending: ids(&["cccc"])
        }
    );
    assert!(migrator(line(2)).is_up_to_date(&mut db).unwrap());
    let unknown = ids(&["bbbb"]);
    assert_eq!(
        migrator(line(1)).status(&mut db).unwrap(),
        Status::Ahead {
            unknown: unknown.clone()
        }
    );
    let mut other = line(1);
    other.extend(revision("dddd", "aaaa", "", "SELECT 1;", ""));
    let pending = ids(&["dddd"]);
    assert_eq!(
        migrator(other).status(&mut db).unwrap(),
        Status::Diverged { pending, unknown }
    );
    let mut edited = line(2);
    edited[0].1 += "CREATE TABLE more (x);\n";
    let edited = migrator(edited);
    assert_eq!(
        edited.status(&mut db).unwrap(),
        Status::Edited {
            revisions: ids(&["aaaa"])
        }
    );
    assert_eq!(edited.upgrade(&mut db).unwrap_err().code(), Code::Edited);
    let mut cosmetic = line(2);
    cosmetic[0].1 += "-- a comment\n";
    assert_eq!(migrator(cosmetic).status(&mut db).unwrap(), Status::UpToDate);
}

#[test]
fn an_edited_revision_stops_an_upgrade() {
    let mut db = memory();
    migrator(line(2)).upgrade(&mut db).unwrap();
    let mut files = line(3);
    files[0].1 += "CREATE TABLE more (x);\n";
    let error = migrator(files).upgrade(&mut db).unwrap_err();
    assert_eq!(error.code(), Code::Edited);
}

#[test]
fn a_plan_shows_statements_and_changes_nothing() {
    let mut db = memory();
    let plan = migrator(line(2)).plan(&mut db).unwrap();
    let kinds: Vec<_> = plan
        .steps
        .iter()
        .flat_map(|step| &step.statements)
        .map(|shown| shown.kind.name())
        .collect();
    assert_eq!(
        kinds,
        [
            "native", "native", "version", "version", "batch", "batch", "batch", "version", "version"
        ]
    );
    assert_eq!(number(&db, "SELECT count(*) FROM sqlite_schema"), 0);
    let plan = migrator(line(2)).run(&mut db).plan_downgrade("base").unwrap();
    assert!(plan.steps.is_empty());
}

#[test]
fn an_open_transaction_is_refused_and_left_alone() {
    let mut db = memory();
    db.execute_batch("BEGIN; CREATE TABLE mine (x)").unwrap();
    let all = migrator(line(1));
    let refused = |error: sqlrev::Error| assert_eq!(error.code(), Code::InTransaction);
    refused(all.upgrade(&mut db).unwrap_err());
    refused(all.downgrade(&mut db, "base").unwrap_err());
    refused(all.stamp(&mut db, "heads").unwrap_err());
    refused(all.downgrade_to_mine(&mut db).unwrap_err());
    assert!(matches!(all.status(&mut db).unwrap(), Status::Behind { .. }));
    db.execute_batch("COMMIT").unwrap();
    all.upgrade(&mut db).unwrap();
    db.execute_batch("BEGIN").unwrap();
    refused(all.upgrade(&mut db).unwrap_err());
    assert_eq!(number(&db, "SELECT count(*) FROM mine"), 0);
}

/// Whatever somebody writes into the version table, by whatever means, the cheap look and the full one agree.
#[test]
fn nothing_that_is_written_behind_its_back_is_missed() {
    let all = migrator(line(3));
    let row = "SELECT 'dddd', down_revision, depends_on, message, applied_at, applied_by, duration_ms, tool_version, \
               unfinished, upgrade_checksum, downgrade_checksum, upgrade_sql, downgrade_sql FROM sqlrev_revisions";
    let insert = format!("INSERT INTO sqlrev_revisions {row} LIMIT 1");
    let again = "CREATE TABLE other AS SELECT * FROM sqlrev_revisions; DROP TABLE sqlrev_revisions; ALTER TABLE other \
                 RENAME TO sqlrev_revisions; DELETE FROM sqlrev_revisions WHERE revision = 'aaaa'";
    let changes = [
        ("DELETE FROM sqlrev_revisions", false),
        ("DELETE FROM sqlrev_revisions WHERE revision = 'cccc'", false),
        (
            "UPDATE sqlrev_revisions SET revision = 'bbbc' WHERE revision = 'bbbb'",
            false,
        ),
        (
            "UPDATE sqlrev_revisions SET upgrade_checksum = 'b3:1:' || hex(zeroblob(32)) || ':' || hex(zeroblob(32))",
            false,
        ),
        (
            "UPDATE sqlrev_revisions SET upgrade_checksum = 'b4' || substr(upgrade_checksum, 3)",
            false,
        ),
        (
            "UPDATE sqlrev_revisions SET upgrade_checksum = upgrade_checksum || '0'",
            false,
        ),
        (
            "UPDATE OR REPLACE sqlrev_revisions SET revision = 'cccc' WHERE revision = 'bbbb'",
            false,
        ),
        (
            "UPDATE sqlrev_revisions SET unfinished = 'upgrade:1' WHERE revision = 'cccc'",
            false,
        ),
        (
            "UPDATE sqlrev_revisions SET unfinished = 'downgrade:0' WHERE revision = 'cccc'",
            false,
        ),
        (
            "UPDATE sqlrev_revisions SET unfinished = '' WHERE revision = 'cccc'",
            false,
        ),
        (&insert, false),
        ("DROP TABLE sqlrev_revisions", false),
        ("ALTER TABLE sqlrev_revisions RENAME TO elsewhere", false),
        (again, false),
        ("UPDATE sqlrev_revisions SET message = 'other words'", true),
        ("DROP INDEX sqlrev_revisions_applied", true),
        ("REINDEX; VACUUM; ANALYZE", true),
    ];
    for (change, current) in changes {
        for triggers in [false, true] {
            let mut db = memory();
            all.upgrade(&mut db).unwrap();
            assert!(all.is_up_to_date(&mut db).unwrap());
            db.set_db_config(DbConfig::SQLITE_DBCONFIG_ENABLE_TRIGGER, triggers)
                .unwrap();
            db.execute_batch(change).unwrap();
            assert_eq!(all.is_up_to_date(&mut db).unwrap_or(false), current, "{change}");
        }
    }
}

#[test]
fn the_index_answers_alone() {
    let mut db = memory();
    migrator(line(3)).upgrade(&mut db).unwrap();
    let plan: String = db
        .query_row(
            "EXPLAIN QUERY PLAN SELECT revision, ifnull(unfinished, upgrade_checksum) FROM sqlrev_revisions ORDER BY revision",
            [],
            |row| row.get(3),
        )
        .unwrap();
    assert_eq!(
        plan,
        "SCAN sqlrev_revisions USING COVERING INDEX sqlrev_revisions_applied"
    );
}

#[test]
fn a_newer_database_is_named_and_can_be_rolled_back() {
    let mut db = memory();
    migrator(line(3)).application("Notes 2.4").upgrade(&mut db).unwrap();
    let older = migrator(line(1)).application("Notes 2.3");
    let error = older.upgrade(&mut db).unwrap_err();
    assert_eq!(error.code(), Code::NewerDatabase);
    assert_eq!(error.causes().len(), 2);
    assert!(error.help_lines()[0].contains("(Notes 2.4)"), "{error:?}");
    let report = older.downgrade_to_mine(&mut db).unwrap();
    assert_eq!(report.steps.len(), 2);
    assert_eq!(older.status(&mut db).unwrap(), Status::UpToDate);
    assert_eq!(number(&db, "SELECT count(*) FROM a"), 1);
    assert!(older.downgrade_to_mine(&mut db).unwrap().steps.is_empty());
    // What cannot be undone is refused before anything runs.
    let mut files = line(2);
    files.extend(
        revision("cccc", "bbbb", "", "CREATE TABLE c (z);", "")
            .into_iter()
            .take(1),
    );
    migrator(files).upgrade(&mut db).unwrap();
    assert_eq!(older.downgrade_to_mine(&mut db).unwrap_err().code(), Code::Irreversible);
    assert!(matches!(older.status(&mut db).unwrap(), Status::Ahead { unknown } if unknown.len() == 2));
}

#[test]
fn events_and_cancellation() {
    let mut db = memory();
    let mut heard = Vec::new();
    let mut hear = |event: Event<'_>| {
        if let Event::Started { revision, .. } | Event::Finished { revision, .. } = event {
            heard.push(revision.to_owned());
        }
    };
    migrator(line(2))
        .run(&mut db)
        .events(&mut hear)
        .upgrade("heads")
        .unwrap();
    assert_eq!(heard, ["aaaa", "aaaa", "bbbb", "bbbb"]);
    let cancel = Cancel::new();
    let mut stop = |event: Event<'_>| {
        if let Event::Statement { .. } = event {
            cancel.clone().fire();
        }
    };
    let all = migrator(line(3));
    let error = all
        .run(&mut db)
        .events(&mut stop)
        .cancel(&cancel)
        .upgrade("heads")
        .unwrap_err();
    assert_eq!(error.code(), Code::Interrupted);
    assert_eq!(number(&db, "SELECT count(*) FROM sqlite_schema WHERE name = 'c'"), 0);
    all.upgrade(&mut db).unwrap();
    // Once it was fired, also where there is nothing to do.
    let error = all.run(&mut db).cancel(&cancel).upgrade("heads").unwrap_err();
    assert_eq!(error.code(), Code::Interrupted);
    assert_eq!(error.help_lines(), ["running it again goes on"]);
}

#[test]
fn a_list_of_files_is_taken_as_a_whole() {
    let text = |id: &str| format!("-- ---\n-- revision: {id}\n-- ---\nCREATE TABLE {id} (x);\n");
    let twice = [("a/upgrade.sql", text("one1")), ("a\\upgrade.sql", text("two2"))];
    let error = Migrator::from_files(twice.clone()).unwrap_err();
    assert_eq!(error.code(), Code::FileDuplicate);
    let mut db = memory();
    // As Windows names it.
    let all = Migrator::from_files(twice.into_iter().skip(1)).unwrap();
    assert_eq!(all.upgrade(&mut db).unwrap().steps.len(), 1);
    assert_eq!(number(&db, "SELECT count(*) FROM two2"), 0);
}

#[test]
fn errors_name_what_an_application_has() {
    let place = Place::new();
    let path = place.path("own.db");
    let other = Connection::open(&path).unwrap();
    other.execute_batch("BEGIN IMMEDIATE").unwrap();
    let all = migrator(line(1)).lock_timeout(std::time::Duration::ZERO);
    let error = all.upgrade(&mut Connection::open(&path).unwrap()).unwrap_err();
    assert_eq!(error.code(), Code::LockTimeout);
    let help = error.help_lines().join(" ");
    assert!(
        help.contains("Migrator::lock_timeout") && !help.contains("--"),
        "{help}"
    );
}

#[test]
fn one_of_many_migrates_and_the_others_find_it_done() {
    let place = Place::new();
    let path = place.path("shared.db");
    let all = migrator(line(3));
    let steps = AtomicUsize::new(0);
    std::thread::scope(|scope| {
        for _ in 0..8 {
            scope.spawn(|| {
                let mut db = Connection::open(&path).unwrap();
                let report = all.upgrade(&mut db).unwrap();
                steps.fetch_add(report.steps.len(), Ordering::Relaxed);
                assert!(all.is_up_to_date(&mut db).unwrap());
            });
        }
    });
    assert_eq!(steps.load(Ordering::Relaxed), 3);
}

#[test]
fn it_works_straight_from_an_async_function() {
    async fn open(migrator: &Migrator) -> Connection {
        std::future::ready(()).await;
        let mut db = memory();
        migrator.upgrade(&mut db).expect("no panic, and no error");
        db
    }
    let all = migrator(line(2));
    let mut future = std::pin::pin!(open(&all));
    let Poll::Ready(db) = future.as_mut().poll(&mut Context::from_waker(Waker::noop())) else {
        panic!("nothing in it waits");
    };
    assert_eq!(number(&db, "SELECT count(*) FROM a"), 1);
}

#[test]
fn a_migrator_goes_to_any_thread() {
    fn check<T: Send + Sync>(_: &T) {}
    check(&migrator(line(1)));
    check(&Cancel::new());
}

#[test]
fn a_folder_is_read_as_the_command_reads_it() {
    let place = Place::new();
    place.revision("aaaa", &[], &[], "CREATE TABLE a (x);", "DROP TABLE a;");
    place.revision("bbbb", &["aaaa"], &[], "CREATE TABLE b (x);", "DROP TABLE b;");
    place.must(&["upgrade"]);
    let mut db = Connection::open(place.database()).unwrap();
    let all = Migrator::from_folder(place.path("migrations")).unwrap();
    assert!(all.is_up_to_date(&mut db).unwrap());
    all.downgrade(&mut db, "base").unwrap();
    all.upgrade(&mut db).unwrap();
    drop(db);
    place.must(&["check"]);
    // The command's rows count as well as the application's: the index is kept whoever writes.
    place.must(&["downgrade", "aaaa"]);
    let mut db = Connection::open(place.database()).unwrap();
    assert!(matches!(all.status(&mut db).unwrap(), Status::Behind { pending } if pending.len() == 1));
    let missing = Migrator::from_folder(place.path("nowhere")).map(drop).unwrap_err();
    assert_eq!(missing.code(), Code::FileIo);
}

/// The statements of a report, and the way of each; those of the version table aside.
fn statements(report: &sqlrev::Report) -> Vec<String> {
    let all = report.steps.iter().flat_map(|ran| &ran.statements);
    let scripts = all.filter(|shown| shown.kind.name() != "version");
    scripts
        .map(|shown| format!("{:?} {:?} {}", shown.strategy, shown.reason, shown.sql))
        .collect()
}

#[test]
fn a_plan_knows_what_only_this_connection_has() {
    let mut db = memory();
    let flags = rusqlite::functions::FunctionFlags::SQLITE_DETERMINISTIC;
    db.create_scalar_function("fold", 1, flags, |context| context.get::<String>(0))
        .expect("a function");
    db.execute_batch(
        "CREATE TABLE a (x, y DEFAULT 1); INSERT INTO a VALUES ('one', 1); CREATE INDEX folded ON a (fold(x));
         CREATE TABLE b (x DEFAULT 1); INSERT INTO b VALUES (1);
         CREATE TEMP TRIGGER seen AFTER UPDATE ON main.a BEGIN SELECT 1; END;
         ATTACH ':memory:' AS other; CREATE TABLE other.c (x DEFAULT 1);",
    )
    .expect("a schema");
    let up = "ALTER TABLE b ALTER COLUMN x SET DEFAULT 2;\nALTER TABLE other.c ADD COLUMN y;\n\
              ALTER TABLE a ALTER COLUMN y SET DEFAULT 2;";
    let all = migrator(revision("aaaa", "", "", up, "").to_vec());
    let before = number(&db, "PRAGMA schema_version");
    let planned = statements(&all.plan(&mut db).expect("a plan"));
    assert_eq!(number(&db, "PRAGMA schema_version"), before);
    let ran = all.run(&mut db).keep_statements().upgrade("heads").expect("it runs");
    assert_eq!(planned, statements(&ran));
    assert!(
        planned.iter().any(|line| line.contains("a temporary trigger")),
        "{planned:#?}"
    );
    assert!(
        planned.iter().any(|line| line.contains(r#"UPDATE "main"."b" SET"#)),
        "{planned:#?}"
    );
}

#[test]
fn what_a_revision_makes_for_a_while_goes_and_what_the_application_has_stays() {
    let mut db = memory();
    db.execute_batch(
        "CREATE TEMP TABLE cache (x); INSERT INTO cache VALUES (1);
         CREATE TEMP VIEW mine AS SELECT x FROM cache; PRAGMA recursive_triggers = ON;",
    )
    .expect("a schema");
    let up = "CREATE TABLE t (x);\nCREATE TEMP TABLE IF NOT EXISTS cache (x, y);\nINSERT INTO cache VALUES (2);\n\
              CREATE TEMP TABLE work AS SELECT x FROM cache;\nALTER TABLE work RENAME TO works;\n\
              CREATE VIRTUAL TABLE temp.words USING fts5 (word);\n\
              CREATE TEMP TRIGGER noted AFTER INSERT ON cache BEGIN INSERT INTO t VALUES (new.x); END;";
    for transaction in ["", "-- transaction: none\n"] {
        let all = migrator(revision("aaaa", "", transaction, up, "DROP TABLE t;").to_vec());
        all.run(&mut db).upgrade("heads").expect("it runs");
        let names = "SELECT group_concat(name, ' ') FROM (SELECT name FROM temp.sqlite_schema ORDER BY 1)";
        let names: String = db.query_row(names, [], |row| row.get(0)).expect("names");
        assert_eq!(names, "cache mine", "{transaction}");
        all.run(&mut db).downgrade("base").expect("it runs");
    }
    assert_eq!(number(&db, "SELECT count(*) FROM mine"), 3);
    assert_eq!(number(&db, "PRAGMA recursive_triggers"), 1);
}
