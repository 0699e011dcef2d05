//! Copies of an application's database: made, kept, put back, rehearsed on.

use std::path::Path;

use rusqlite::Connection;
use sqlrev::migrator::{Backup, When};
use sqlrev::{Cancel, Code, Event};

use crate::library::{line, memory, migrator, number, revision};
use crate::place::{Place, finished};

#[test]
fn a_copy_is_made_before_a_change_and_can_be_put_back() {
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
    let kept = with(3).restore(&mut db, &copies[0]).unwrap().expect("it was not empty");
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

/// The ids of the revisions that a copy has.
fn revisions(copy: &Path) -> Vec<String> {
    let db = Connection::open(copy).expect("a copy");
    crate::picture::column(&db, "SELECT revision FROM sqlrev_revisions ORDER BY revision")
}

fn names(folder: &Path) -> Vec<String> {
    let entries = std::fs::read_dir(folder).expect("a folder");
    let mut names: Vec<String> = entries
        .map(|entry| entry.expect("an entry").file_name().to_string_lossy().into_owned())
        .collect();
    names.sort();
    names
}

/// Whoever comes late has nothing to change and makes no copy, so the only one that is kept is of the moment before.
#[test]
fn many_that_start_at_once_keep_the_copy_from_before_the_change() {
    for log in ["DELETE", "WAL"].into_iter().cycle().take(10) {
        let folder = tempfile::tempdir().unwrap();
        let path = folder.path().join("own.db");
        let mut db = Connection::open(&path).unwrap();
        db.pragma_update(None, "journal_mode", log).unwrap();
        migrator(line(1)).upgrade(&mut db).unwrap();
        let policy = Backup::always().keep(1);
        let all = migrator(line(3)).backup(policy.clone());
        std::thread::scope(|scope| {
            for _ in 0..8 {
                scope.spawn(|| all.upgrade(&mut Connection::open(&path).unwrap()).unwrap());
            }
        });
        let copies = policy.list(&path).unwrap();
        assert_eq!(copies.len(), 1, "{copies:?}");
        assert_eq!(revisions(&copies[0]), ["aaaa"], "{log}");
    }
}

/// An application that is started again and again into a change that fails has the copies that it had before.
#[test]
fn a_change_that_fails_pushes_no_copy_out() {
    let folder = tempfile::tempdir().unwrap();
    let path = folder.path().join("own.db");
    let mut db = Connection::open(&path).unwrap();
    let policy = Backup::always().keep(2);
    let with = |files| migrator(files).backup(policy.clone());
    with(line(1)).upgrade(&mut db).unwrap();
    with(line(2)).upgrade(&mut db).unwrap();
    let before = policy.list(&path).unwrap();
    assert_eq!(before.len(), 1);
    let mut failing = line(2);
    failing.extend(crate::library::revision(
        "dddd",
        "bbbb",
        "",
        "DELETE FROM a; SELECT nothing;",
        "",
    ));
    for _ in 0..4 {
        with(failing.clone()).upgrade(&mut db).unwrap_err();
        assert_eq!(policy.list(&path).unwrap(), before);
    }
    // Where something stayed, so does the copy.
    let alone = crate::library::revision(
        "eeee",
        "bbbb",
        "-- transaction: none\n",
        "DELETE FROM a; SELECT nothing;",
        "",
    );
    let mut half = line(2);
    half.extend(alone);
    with(half).upgrade(&mut db).unwrap_err();
    let copies = policy.list(&path).unwrap();
    assert_eq!(copies.len(), 2);
    assert_eq!(
        number(&Connection::open(&copies[0]).unwrap(), "SELECT count(*) FROM a"),
        1
    );
}

/// A process that is killed in the middle of a change leaves its copy; the next one needs no second.
#[test]
fn a_copy_that_is_there_already_is_not_made_again() {
    let folder = tempfile::tempdir().unwrap();
    let path = folder.path().join("own.db");
    let mut db = Connection::open(&path).unwrap();
    migrator(line(2)).upgrade(&mut db).unwrap();
    let policy = Backup::always().keep(2);
    let first = policy.make(&mut db).unwrap();
    for _ in 0..3 {
        assert_eq!(policy.make(&mut db).unwrap(), first);
    }
    db.execute("UPDATE a SET x = 2", []).unwrap();
    assert_ne!(policy.make(&mut db).unwrap(), first);
    assert_eq!(names(folder.path()).len(), 3);
}

/// Another process that writes all the time holds a change up, and does not keep it from coming to its end.
#[test]
fn a_change_comes_to_its_end_beside_somebody_who_writes_all_the_time() {
    let folder = tempfile::tempdir().unwrap();
    let path = folder.path().join("own.db");
    let db = Connection::open(&path).unwrap();
    db.execute_batch("PRAGMA journal_mode = WAL; CREATE TABLE n (x); INSERT INTO n VALUES (0)")
        .unwrap();
    for policy in [Backup::auto(), Backup::when(When::Never)] {
        let writer = Connection::open(&path).unwrap();
        writer.busy_timeout(std::time::Duration::ZERO).unwrap();
        let mut left = 1000;
        let when = policy.clone();
        // Whenever nothing of the run is open, somebody has written before it goes on.
        let mut spied = crate::failing::Spied::new(Connection::open(&path).unwrap(), move |_, _| {
            left -= 1;
            assert!(left > 0, "it never ends");
            let _ = writer.execute_batch("UPDATE n SET x = x + 1");
        });
        let all = migrator(line(3)).backup(policy);
        all.upgrade(&mut spied).unwrap();
        all.downgrade(&mut spied, "base").unwrap();
        // A driver that copies only what it has not locked tries until its time is over.
        spied.copies_while_locked = false;
        let all = all.lock_timeout(std::time::Duration::ZERO);
        let done = all.upgrade(&mut spied).map(drop).map_err(|error| error.code());
        let never = when == Backup::when(When::Never);
        assert_eq!(done, if never { Ok(()) } else { Err(Code::LockTimeout) });
        assert_eq!(
            names(folder.path())
                .iter()
                .filter(|name| name.contains(".part"))
                .count(),
            0
        );
    }
}

#[test]
fn a_copy_can_be_stopped() {
    let folder = tempfile::tempdir().unwrap();
    let path = folder.path().join("own.db");
    let mut db = Connection::open(&path).unwrap();
    migrator(line(1)).upgrade(&mut db).unwrap();
    db.execute("INSERT INTO a VALUES (zeroblob(50000000), 1)", []).unwrap();
    let all = migrator(line(2)).backup(Backup::always());
    for rehearsal in [false, true] {
        let cancel = Cancel::new();
        let mut hear = |event: Event<'_>| {
            assert!(!matches!(event, Event::BackedUp { .. }));
            if let Event::Copying { .. } = event {
                cancel.fire();
            }
        };
        let run = all.run(&mut db).events(&mut hear).cancel(&cancel);
        let error = if rehearsal {
            run.rehearse("heads").map(drop).unwrap_err()
        } else {
            run.upgrade("heads").map(drop).unwrap_err()
        };
        assert_eq!(error.code(), Code::Interrupted);
        assert_eq!(names(folder.path()), ["own.db"]);
        assert!(db.is_autocommit());
    }
}

/// Nobody may read a copy who may not read the database.
#[cfg(unix)]
#[test]
fn a_copy_has_the_rights_of_the_database() {
    use std::os::unix::fs::PermissionsExt;

    let folder = tempfile::tempdir().unwrap();
    let path = folder.path().join("own.db");
    let mut db = Connection::open(&path).unwrap();
    migrator(line(1)).upgrade(&mut db).unwrap();
    for mode in [0o600, 0o640, 0o644] {
        std::fs::set_permissions(&path, std::fs::Permissions::from_mode(mode)).unwrap();
        db.execute("UPDATE a SET x = x + 1", []).unwrap();
        let copy = Backup::always().make(&mut db).unwrap().unwrap();
        assert_eq!(copy.metadata().unwrap().permissions().mode() & 0o777, mode);
    }
}

/// Databases of one name may share a folder for their copies.
#[test]
fn copies_of_several_databases_are_told_apart() {
    let folder = tempfile::tempdir().unwrap();
    let policy = Backup::always().keep(1).folder(folder.path().join("copies"));
    std::fs::create_dir(folder.path().join("copies")).unwrap();
    let open = |name: &str| {
        let path = folder.path().join(name).join("notes.db");
        std::fs::create_dir(path.parent().unwrap()).unwrap();
        (Connection::open(&path).unwrap(), path)
    };
    let [mut alice, mut bob] = ["alice", "bob"].map(open);
    for (at, (db, path)) in [&mut alice, &mut bob].into_iter().enumerate() {
        db.execute_batch(&format!("CREATE TABLE who (x); INSERT INTO who VALUES ({at})"))
            .unwrap();
        let copy = policy.make(db).unwrap().unwrap();
        assert_eq!(policy.list(path).unwrap(), [copy]);
    }
    let copies = policy.list(&alice.1).unwrap();
    assert_eq!(number(&Connection::open(&copies[0]).unwrap(), "SELECT x FROM who"), 0);
}

#[cfg(unix)]
#[test]
fn copies_of_a_database_behind_a_link_are_found() {
    let folder = tempfile::tempdir().unwrap();
    let (path, link) = (folder.path().join("own.db"), folder.path().join("link.db"));
    std::os::unix::fs::symlink(&path, &link).unwrap();
    let mut db = Connection::open(&link).unwrap();
    migrator(line(1)).upgrade(&mut db).unwrap();
    let copy = Backup::always().make(&mut db).unwrap().unwrap();
    assert_eq!(Backup::always().list(&link).unwrap(), [copy]);
}

/// What is no copy of this database does not take its place.
#[test]
fn what_is_no_copy_is_not_put_back() {
    let folder = tempfile::tempdir().unwrap();
    let path = folder.path().join("own.db");
    let mut db = Connection::open(&path).unwrap();
    db.execute_batch("CREATE TABLE old (x)").unwrap();
    let all = migrator(line(1)).backup(Backup::always());
    all.upgrade(&mut db).unwrap();
    let copies = Backup::always().list(&path).unwrap();
    let other = folder.path().join("other.db");
    let file = Connection::open(&other).unwrap();
    file.execute_batch("CREATE TABLE t (x); DROP TABLE t;").unwrap();
    let refused = |db: &mut Connection| {
        let error = all.restore(db, &other).unwrap_err();
        assert_eq!(error.code(), Code::NotADatabase);
        assert_eq!(number(db, "SELECT count(*) FROM a"), 1);
        error.message().to_owned()
    };
    assert!(refused(&mut db).ends_with("is a database without a table"));
    file.execute_batch("CREATE TABLE t (x)").unwrap();
    assert!(refused(&mut db).ends_with("is no copy of this database"));
    // A copy from before there were revisions is one.
    all.restore(&mut db, &copies[0]).unwrap();
    assert_eq!(number(&db, "SELECT count(*) FROM sqlite_schema"), 1);
}

/// A driver that does not say where its database is cannot be asked for a copy.
#[test]
fn a_copy_that_cannot_be_made_stops_the_change() {
    let mut db = crate::failing::Watched::new(memory());
    migrator(line(1)).upgrade(&mut db).unwrap();
    for policy in [Backup::always(), Backup::auto()] {
        let error = migrator(line(2)).backup(policy).upgrade(&mut db).unwrap_err();
        assert_eq!(error.code(), Code::UnsupportedDatabase);
    }
    migrator(line(2))
        .backup(Backup::always())
        .upgrade(&mut memory())
        .unwrap();
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
    let other = revision("bbbb", "aaaa", "", "ATTACH 'other.db' AS other;", "");
    let beyond = migrator([line(1), other.to_vec()].concat());
    let error = beyond.run(&mut db).rehearse("heads").unwrap_err();
    assert_eq!(error.code(), Code::BeyondCopy);
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

/// Which of the copies is the newest says the moment alone, whatever the name of the database is.
#[test]
fn the_newest_copies_are_kept_of_a_database_of_any_name() {
    for name in ["own.db", "Z-1.db", "20261122T211400Z-7", "a.backup-20261122T211400Z-2"] {
        let folder = tempfile::tempdir().unwrap();
        let path = folder.path().join(name);
        let mut db = Connection::open(&path).unwrap();
        db.execute_batch("CREATE TABLE n (x); INSERT INTO n VALUES (0)")
            .unwrap();
        let mut made = Vec::new();
        for at in 0..12 {
            db.execute("UPDATE n SET x = ?", [at]).unwrap();
            let policy = Backup::always().keep(3).at(format!("2026-11-22T21:14:0{}Z", at / 3));
            made.insert(0, policy.make(&mut db).unwrap().unwrap());
        }
        assert_eq!(Backup::always().list(&path).unwrap(), made[..3], "{name}");
    }
}

/// One of the databases may stand further above the folder than the other.
#[test]
fn copies_of_databases_above_each_other_are_told_apart() {
    let folder = tempfile::tempdir().unwrap();
    let copies = folder.path().join("alice").join("copies");
    std::fs::create_dir_all(&copies).unwrap();
    let policy = Backup::always().keep(1).folder(&copies);
    let paths = ["notes.db", "alice/notes.db"].map(|name| folder.path().join(name));
    let made = paths.clone().map(|path| {
        let mut db = Connection::open(path).unwrap();
        db.execute_batch("CREATE TABLE who (x)").unwrap();
        policy.make(&mut db).unwrap().unwrap()
    });
    for (path, copy) in paths.iter().zip(made) {
        assert_eq!(policy.list(path).unwrap(), [copy]);
    }
}

/// A copy of what is committed would lack what is open, and may not be read at all.
#[test]
fn no_copy_is_made_while_a_transaction_is_open() {
    let folder = tempfile::tempdir().unwrap();
    let mut db = Connection::open(folder.path().join("own.db")).unwrap();
    db.execute_batch("CREATE TABLE n (x); BEGIN; INSERT INTO n VALUES (1)")
        .unwrap();
    let error = Backup::always().make(&mut db).unwrap_err();
    assert_eq!(error.code(), Code::InTransaction);
    assert!(!db.is_autocommit());
    db.execute_batch("COMMIT").unwrap();
    let copy = Backup::always().make(&mut db).unwrap().unwrap();
    assert_eq!(number(&Connection::open(copy).unwrap(), "SELECT count(*) FROM n"), 1);
}

/// An application that panics while it is told of a copy has its connection as it was, and no part of a copy.
#[test]
fn a_panic_while_copying_leaves_nothing_open() {
    let folder = tempfile::tempdir().unwrap();
    let path = folder.path().join("own.db");
    let mut db = Connection::open(&path).unwrap();
    migrator(line(1)).upgrade(&mut db).unwrap();
    db.execute("INSERT INTO a VALUES (zeroblob(50000000), 1)", []).unwrap();
    let copy = Backup::always().make(&mut db).unwrap().unwrap();
    db.execute("UPDATE a SET x = 7 WHERE x = 1", []).unwrap();
    db.busy_timeout(std::time::Duration::from_secs(7)).unwrap();
    let before = (crate::settings::settings(&mut db), names(folder.path()));
    let all = migrator(line(2)).backup(Backup::always());
    for what in ["upgrade", "rehearse", "restore"] {
        let mut hear = |event: Event<'_>| assert!(!matches!(event, Event::Copying { .. }), "the pipe is closed");
        let run = std::panic::AssertUnwindSafe(|| {
            let run = all.run(&mut db).events(&mut hear);
            match what {
                "upgrade" => run.upgrade("heads").map(drop),
                "rehearse" => run.rehearse("heads").map(drop),
                _ => run.restore(&copy).map(drop),
            }
        });
        std::panic::catch_unwind(run).unwrap_err();
        assert!(db.is_autocommit(), "{what}");
        let after = (crate::settings::settings(&mut db), names(folder.path()));
        assert_eq!(after, before, "{what}");
        assert_eq!(number(&db, "SELECT count(*) FROM a WHERE x = 7"), 1);
    }
}

/// However long the application's own connection would wait, a copy is put back within the time of the run, or not.
#[test]
fn putting_a_copy_back_waits_as_long_as_the_run_says() {
    let folder = tempfile::tempdir().unwrap();
    let path = folder.path().join("own.db");
    let mut db = Connection::open(&path).unwrap();
    let all = migrator(line(1)).lock_timeout(std::time::Duration::ZERO);
    all.upgrade(&mut db).unwrap();
    let copy = Backup::always().make(&mut db).unwrap().unwrap();
    let hour = std::time::Duration::from_secs(3600);
    db.busy_timeout(hour).unwrap();
    let writer = Connection::open(&path).unwrap();
    writer.execute_batch("BEGIN IMMEDIATE").unwrap();
    let error = all.restore(&mut db, &copy).unwrap_err();
    assert_eq!(error.code(), Code::LockTimeout);
    assert_eq!(number(&db, "PRAGMA busy_timeout"), 3_600_000);
}
