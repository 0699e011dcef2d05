//! The library over connections that are not as others are: opened for reading, with other databases beside theirs, with
//! hooks that veto, limits, and authorizers.

use rusqlite::hooks::{AuthAction, Authorization};
use rusqlite::{Connection, OpenFlags};
use sqlrev::{Code, Status};

use crate::library::{line, migrator, number};

/// A file with the first `count` revisions.
fn file(folder: &std::path::Path, count: usize) -> std::path::PathBuf {
    let path = folder.join("own.db");
    let mut db = Connection::open(&path).expect("a database");
    migrator(line(count)).upgrade(&mut db).expect("an upgrade");
    path
}

#[test]
fn a_connection_that_only_reads() {
    for journal in ["DELETE", "WAL"] {
        let folder = tempfile::tempdir().unwrap();
        let path = file(folder.path(), 1);
        let writer = Connection::open(&path).unwrap();
        writer.pragma_update(None, "journal_mode", journal).unwrap();
        let mut db = Connection::open_with_flags(&path, OpenFlags::SQLITE_OPEN_READ_ONLY).unwrap();
        migrator(line(1)).upgrade(&mut db).unwrap();
        let two = migrator(line(2));
        assert!(matches!(two.status(&mut db).unwrap(), Status::Behind { pending } if pending.len() == 1));
        let error = two.upgrade(&mut db).unwrap_err();
        assert_eq!(error.code(), Code::ReadOnly, "{journal}: {error}");
        assert_eq!(number(&writer, "SELECT count(*) FROM sqlrev_revisions"), 1, "{journal}");
        // It is not left in a transaction, which would keep the log from being written back.
        assert!(db.is_autocommit());
    }
}

#[test]
fn a_database_beside_it_that_has_revisions_of_its_own() {
    let folder = tempfile::tempdir().unwrap();
    let other = file(folder.path(), 3);
    let mut db = Connection::open(folder.path().join("empty.db")).unwrap();
    db.execute("ATTACH ? AS other", [other.to_str().unwrap()]).unwrap();
    db.execute_batch("CREATE TEMP TABLE mine (x)").unwrap();
    let two = migrator(line(2));
    assert!(matches!(two.status(&mut db).unwrap(), Status::Behind { pending } if pending.len() == 2));
    two.upgrade(&mut db).unwrap();
    assert!(two.is_up_to_date(&mut db).unwrap());
    assert_eq!(number(&db, "SELECT count(*) FROM main.sqlrev_revisions"), 2);
    assert_eq!(number(&db, "SELECT count(*) FROM other.sqlrev_revisions"), 3);
    two.downgrade(&mut db, "base").unwrap();
    assert_eq!(number(&db, "SELECT count(*) FROM main.sqlrev_revisions"), 0);
    assert_eq!(number(&db, "SELECT count(*) FROM other.sqlrev_revisions"), 3);
    assert_eq!(number(&db, "SELECT count(*) FROM other.a"), 1);
    assert_eq!(number(&db, "SELECT count(*) FROM temp.mine"), 0);
}

/// A table of the connection's own that has the name of ours would get the rows.
#[test]
fn a_temporary_table_with_the_name_of_ours() {
    for name in ["sqlrev_revisions", "SQLREV_LOG"] {
        let folder = tempfile::tempdir().unwrap();
        let path = file(folder.path(), 1);
        let mut db = Connection::open(&path).unwrap();
        db.execute_batch(&format!(
            "CREATE TEMP TABLE {name} AS SELECT * FROM main.{name} WHERE 0"
        ))
        .unwrap();
        let two = migrator(line(2));
        let error = two.upgrade(&mut db).unwrap_err();
        assert_eq!(error.code(), Code::VersionTable, "{error}");
        drop(db);
        let mut db = Connection::open(&path).unwrap();
        assert_eq!(number(&db, "SELECT count(*) FROM sqlrev_revisions"), 1);
        two.upgrade(&mut db).unwrap();
        assert_eq!(number(&db, "SELECT count(*) FROM sqlrev_revisions"), 2);
    }
}

#[test]
fn a_hook_that_turns_every_commit_down() {
    let folder = tempfile::tempdir().unwrap();
    let path = file(folder.path(), 1);
    let mut db = Connection::open(&path).unwrap();
    db.commit_hook(Some(|| true)).unwrap();
    let two = migrator(line(2));
    two.upgrade(&mut db).unwrap_err();
    assert!(db.is_autocommit());
    db.commit_hook(None::<fn() -> bool>).unwrap();
    assert_eq!(number(&db, "SELECT count(*) FROM sqlrev_revisions"), 1);
    two.upgrade(&mut db).unwrap();
    assert!(two.is_up_to_date(&mut db).unwrap());
}

#[test]
fn an_authorizer_that_allows_no_new_table() {
    let folder = tempfile::tempdir().unwrap();
    let path = file(folder.path(), 1);
    let mut db = Connection::open(&path).unwrap();
    db.authorizer(Some(|context: rusqlite::hooks::AuthContext<'_>| match context.action {
        AuthAction::CreateTable { .. } | AuthAction::Pragma { .. } => Authorization::Deny,
        _ => Authorization::Allow,
    }))
    .unwrap();
    let (one, three) = (migrator(line(1)), migrator(line(3)));
    one.upgrade(&mut db).unwrap();
    three.upgrade(&mut db).unwrap_err();
    assert!(db.is_autocommit());
    db.authorizer(None::<fn(rusqlite::hooks::AuthContext<'_>) -> Authorization>)
        .unwrap();
    three.upgrade(&mut db).unwrap();
    assert!(three.is_up_to_date(&mut db).unwrap());
    assert_eq!(number(&db, "SELECT count(*) FROM a"), 1);
}
