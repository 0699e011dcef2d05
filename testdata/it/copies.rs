//! Copies of an application's database: made, kept, put back, rehearsed on.

use rusqlite::Connection;
use sqlrev::{Code, Event};

use crate::library::{line, memory, migrator, number};
use crate::place::{Place, finished};

#[test]
fn a_copy_is_made_before_a_change_and_can_be_put_back() {
    use sqlrev::migrator::{Backup, backup};

    let place = Place::new();
    let path = place.path("own.db");
    let mut db = Connection::open(&path).unwrap();
    db.execute_batch("PRAGMA journal_mode = WAL").unwrap();
    let policy = Backup::auto().keep(2);
    let with = |count| migrator(line(count)).backup(policy.clone());
    with(1).upgrade(&mut db).unwrap();
    assert!(
        policy.list(&path).unwrap().is_empty(),
        "an empty database needs no copy"
    );
    let mut copies = Vec::new();
    let mut hear = |event: Event<'_>| {
        if let Event::BackedUp { file } = event {
            copies.push(file.to_owned());
        }
    };
    with(2).run(&mut db).events(&mut hear).upgrade("heads").unwrap();
    assert_eq!(policy.list(&path).unwrap(), copies);
    with(3).upgrade(&mut db).unwrap();
    assert_eq!(policy.list(&path).unwrap().len(), 1, "what only creates needs no copy");
    for _ in 0..11 {
        with(3).downgrade(&mut db, "bbbb").unwrap();
        with(3).upgrade(&mut db).unwrap();
    }
    let copies = policy.list(&path).unwrap();
    assert_eq!(copies.len(), 2);
    let other = Connection::open(&path).unwrap();
    other.execute("DELETE FROM a", []).unwrap();
    let kept = backup::restore(&mut db, &copies[0], &policy)
        .unwrap()
        .expect("it was not empty");
    assert_eq!(number(&other, "SELECT count(*) FROM a"), 1);
    assert_eq!(number(&Connection::open(kept).unwrap(), "SELECT count(*) FROM a"), 0);
    assert!(with(3).is_up_to_date(&mut db).unwrap());
    let names: Vec<_> = std::fs::read_dir(place.folder())
        .unwrap()
        .map(|entry| entry.unwrap().file_name())
        .collect();
    assert!(
        names.iter().all(|name| !name.to_string_lossy().ends_with(".part")),
        "{names:?}"
    );
}

#[test]
fn a_rehearsal_leaves_the_database_alone() {
    let place = Place::new();
    let mut db = Connection::open(place.path("own.db")).unwrap();
    migrator(line(1)).upgrade(&mut db).unwrap();
    let rehearsal = migrator(line(3)).run(&mut db).rehearse("heads").unwrap();
    assert_eq!(rehearsal.report.steps.len(), 2);
    let names: Vec<&str> = rehearsal.schema.iter().map(|change| change.name.as_str()).collect();
    assert_eq!((names, rehearsal.findings.len()), (vec!["table a", "table c"], 0));
    assert_eq!(rehearsal.rows[0].before, Some(1));
    assert!(migrator(line(1)).is_up_to_date(&mut db).unwrap());
    let files = std::fs::read_dir(place.folder()).unwrap().count();
    assert_eq!(files, 3, "own.db, migrations and migrations.yaml");
    let mut memory = memory();
    let error = migrator(line(3)).run(&mut memory).rehearse("heads").unwrap_err();
    assert_eq!(error.code(), Code::UnsupportedDatabase);
}

#[test]
fn a_fleet_is_brought_up_to_date_by_several_at_once() {
    let place = Place::new();
    place.revision("aaaa", &[], &[], "CREATE TABLE a (x);", "DROP TABLE a;");
    std::fs::create_dir(place.path("tenants")).unwrap();
    let name = |at: usize| place.path(&format!("tenants/{at:03}.db"));
    for at in 0..200 {
        Connection::open(name(at))
            .unwrap()
            .execute_batch("CREATE TABLE own (x)")
            .unwrap();
    }
    std::fs::write(name(77), "this is no database, and long enough to be taken for one").unwrap();
    let args = ["upgrade", "--each", "tenants/*.db", "--jobs", "8"];
    let done = place.run(&args);
    assert_eq!(done.stdout.lines().count(), 200);
    assert!(
        done.stderr
            .contains("200 databases: 199 upgraded, 0 with nothing to do, 1 failed, 0 left alone"),
        "{done:?}"
    );
    assert_eq!(done.status, Some(1));
    assert!(
        done.stdout
            .contains("tenants/077.db  failed  [sqlrev::database::not_a_database]"),
        "{done:?}"
    );
    std::fs::remove_file(name(77)).unwrap();
    let done = place.run(&args);
    assert!(
        done.stderr
            .contains("199 databases: 0 upgraded, 199 with nothing to do, 0 failed, 0 left alone"),
        "{done:?}"
    );
}

/// What goes for good is asked for by its name; what is no database is not dropped at all.
#[test]
fn a_database_is_dropped_by_its_name_alone() {
    let place = Place::new();
    place.write("migrations.yaml", "url: sqlite:app.db\n");
    place.must(&["create"]);
    place.write("app.db-journal", "");
    for answer in ["yes", "", "app"] {
        let done = finished(place.shell(&format!("echo '{answer}' | $SQLREV drop")));
        done.failed_with(2, "usage::invalid");
        assert!(place.path("app.db").exists(), "{answer}");
    }
    let done = finished(place.shell("echo app.db | $SQLREV drop"));
    assert_eq!(done.status, Some(0), "{done:?}");
    assert!(!place.path("app.db").exists() && !place.path("app.db-journal").exists());
    place.write(
        "app.db",
        "a letter, and no database at all, though it is long enough to hold a header of one",
    );
    place.run(&["drop", "--yes"]).failed_with(1, "database::connect");
    assert!(place.path("app.db").exists());
}
