//! What an application's connection is set to, before and after a run.

use std::sync::atomic::{AtomicUsize, Ordering};

use rusqlite::Connection;
use rusqlite::config::DbConfig;
use sqlrev::dialect::Setting;
use sqlrev::{Code, Driver, Event};

use crate::library::{line, memory, migrator, number, revision};
use crate::place::Place;

/// The settings of a connection, each with whether it is on.
pub(crate) fn settings(db: &mut Connection) -> Vec<String> {
    let switches = [
        Setting::ForeignKeys,
        Setting::LegacyAlterTable,
        Setting::Triggers,
        Setting::IgnoreCheckConstraints,
        Setting::WritableSchema,
        Setting::Defensive,
        Setting::QuotedTexts,
    ];
    let mut all: Vec<String> = switches
        .iter()
        .map(|setting| format!("{setting:?} {}", Driver::setting(db, *setting, None).expect("a switch")))
        .collect();
    for pragma in [
        "busy_timeout",
        "recursive_triggers",
        "defer_foreign_keys",
        "synchronous",
        "journal_mode",
        "locking_mode",
        "query_only",
        "case_sensitive_like",
        "trusted_schema",
        "cache_size",
        "cell_size_check",
        "reverse_unordered_selects",
        "secure_delete",
        "temp_store",
        "user_version",
        "application_id",
    ] {
        let value = Driver::query(db, &format!("PRAGMA {pragma}")).expect("a pragma");
        all.push(format!("{pragma} {value:?}"));
    }
    all
}

#[test]
fn settings_are_left_as_they_were_found() {
    let files = |last: &str| {
        let mut files = line(2);
        files.extend(revision(
            "eeee",
            "bbbb",
            "",
            &format!("PRAGMA foreign_keys = OFF;\n{last}"),
            "",
        ));
        files
    };
    for on in [false, true] {
        for (last, succeeds) in [("SELECT 1;", true), ("SELECT nothing;", false)] {
            let place = Place::new();
            let mut db = Connection::open(place.path("own.db")).unwrap();
            for config in [
                DbConfig::SQLITE_DBCONFIG_ENABLE_FKEY,
                DbConfig::SQLITE_DBCONFIG_LEGACY_ALTER_TABLE,
                DbConfig::SQLITE_DBCONFIG_ENABLE_TRIGGER,
                DbConfig::SQLITE_DBCONFIG_DEFENSIVE,
            ] {
                db.set_db_config(config, on).unwrap();
            }
            db.execute_batch(&format!("PRAGMA recursive_triggers = {on}; PRAGMA ignore_check_constraints = {on}; PRAGMA user_version = 7; PRAGMA busy_timeout = 4321"))
                .unwrap();
            let before = settings(&mut db);
            let done = migrator(files(last)).upgrade(&mut db);
            assert_eq!(done.is_ok(), succeeds, "{done:?}");
            assert_eq!(settings(&mut db), before);
            assert_eq!(
                number(&db, "SELECT count(*) FROM sqlite_schema WHERE name = 'a'"),
                i64::from(succeeds),
                "{done:?}"
            );
            assert!(db.is_autocommit());
        }
    }
}

/// A script may throw any switch, and an application's own code may panic at any moment.
#[test]
fn settings_are_left_as_they_were_found_by_scripts_and_panics() {
    let script = "PRAGMA recursive_triggers = ON; PRAGMA case_sensitive_like = ON; PRAGMA busy_timeout = 1; \
                  PRAGMA writable_schema = ON; PRAGMA locking_mode = EXCLUSIVE; PRAGMA query_only = ON; \
                  PRAGMA reverse_unordered_selects = ON;";
    let like = |db: &Connection| number(db, "SELECT 'a' LIKE 'A'");
    let place = Place::new();
    let mut db = Connection::open(place.path("own.db")).unwrap();
    let before = settings(&mut db);
    let mut files = line(1);
    files.extend(revision("ffff", "aaaa", "-- transaction: none\n", script, ""));
    let error = migrator(files).upgrade(&mut db).unwrap_err();
    assert_eq!(error.code(), Code::ReadOnly, "{error:?}");
    assert_eq!((settings(&mut db), like(&db)), (before.clone(), 1));
    Connection::open(place.path("own.db"))
        .unwrap()
        .execute("DELETE FROM a", [])
        .unwrap();
    // Each statement of a batch edit in turn, among them those where the schema can be written and nothing is enforced.
    let mut seen = 0;
    for at in 0.. {
        let mut db = memory();
        let before = settings(&mut db);
        let mut count = 0;
        let mut hear = |event: Event<'_>| {
            if let Event::Statement { .. } = event {
                assert!(count < at, "the pipe is closed");
                count += 1;
            }
        };
        let all = migrator(line(2));
        let run = std::panic::AssertUnwindSafe(|| all.run(&mut db).events(&mut hear).upgrade("heads").is_ok());
        let done = std::panic::catch_unwind(run).is_ok();
        assert_eq!(settings(&mut db), before, "{at}");
        assert!(db.is_autocommit());
        if done {
            break;
        }
        seen += 1;
    }
    assert!(seen > 4, "{seen}");
}

#[test]
fn a_busy_handler_of_the_application_stays() {
    static CALLS: AtomicUsize = AtomicUsize::new(0);
    let place = Place::new();
    let mut db = Connection::open(place.path("own.db")).unwrap();
    db.busy_handler(Some(|count| {
        CALLS.fetch_add(1, Ordering::Relaxed);
        count < 3
    }))
    .unwrap();
    migrator(line(1)).upgrade(&mut db).unwrap();
    let other = Connection::open(place.path("own.db")).unwrap();
    other.execute_batch("BEGIN EXCLUSIVE").unwrap();
    CALLS.store(0, Ordering::Relaxed);
    db.execute("INSERT INTO a VALUES (1, 2)", []).unwrap_err();
    assert_eq!(CALLS.load(Ordering::Relaxed), 4);
}
