//! Code of an application's own inside revisions.

use std::panic::{AssertUnwindSafe, catch_unwind};

use sqlrev::{Code, Migrator};

use crate::library::{File, line, memory, migrator, number, revision};
use crate::settings::settings;

fn with_code() -> Vec<File> {
    let mut files = line(1);
    files.extend(revision(
        "ffff",
        "aaaa",
        "-- code: true\n",
        "ALTER TABLE a ADD COLUMN w;",
        "ALTER TABLE a DROP COLUMN w;",
    ));
    files
}

#[test]
fn code_runs_in_the_transaction_of_its_revision() {
    let mut db = memory();
    let all = migrator(with_code())
        .on_upgrade("ffff", |data| {
            assert_eq!((data.revision(), data.direction().name()), ("ffff", "upgrade"));
            data.sqlite()?.execute("UPDATE a SET w = 'filled'", [])?;
            Ok(())
        })
        .on_downgrade("ffff", |data| {
            let filled: String = data.sqlite()?.query_row("SELECT w FROM a", [], |row| row.get(0))?;
            data.driver().execute(&format!("UPDATE a SET y = '{filled}'"))?;
            Ok(())
        });
    all.check().unwrap();
    let plan = all.plan(&mut db).unwrap();
    let code = plan.steps[1]
        .statements
        .iter()
        .find(|shown| shown.kind.name() == "code")
        .expect("it is named");
    assert_eq!(code.sql, "-- code of the application: upgrade");
    all.upgrade(&mut db).unwrap();
    assert_eq!(number(&db, "SELECT count(*) FROM a WHERE w = 'filled'"), 1);
    all.downgrade(&mut db, "aaaa").unwrap();
    assert_eq!(number(&db, "SELECT count(*) FROM a WHERE y = 'filled'"), 1);
}

#[test]
fn code_that_fails_leaves_nothing() {
    let fails = || {
        migrator(with_code()).on_upgrade("ffff", |data| {
            data.sqlite()?.execute("UPDATE a SET y = 'half done'", [])?;
            Err("no network".into())
        })
    };
    let mut db = memory();
    migrator(line(1)).upgrade(&mut db).unwrap();
    let error = fails().upgrade(&mut db).unwrap_err();
    assert_eq!(
        (error.code(), error.causes()),
        (Code::OwnCodeFailed, &["no network".to_owned()][..])
    );
    assert_eq!(error.state_line(), Some("revision `ffff` was rolled back"));
    let ends = migrator(with_code()).on_upgrade("ffff", |data| Ok(data.sqlite()?.execute_batch("COMMIT")?));
    assert_eq!(
        ends.run(&mut memory()).upgrade("heads").unwrap_err().code(),
        Code::ScriptTransaction
    );
    let panics = migrator(with_code()).on_upgrade("ffff", |data| {
        data.sqlite()?.execute("UPDATE a SET y = 'half done'", [])?;
        panic!("a defect of the application");
    });
    let before = settings(&mut db);
    catch_unwind(AssertUnwindSafe(|| panics.upgrade(&mut db))).unwrap_err();
    assert_eq!(settings(&mut db), before);
    assert!(db.is_autocommit());
    assert_eq!(number(&db, "SELECT count(*) FROM a WHERE y = 'one'"), 1);
    assert!(migrator(line(1)).is_up_to_date(&mut db).unwrap());
}

/// Another transaction is not the one that it was given, and what was rolled back is not taken for done.
#[test]
fn code_that_begins_another_transaction_is_refused() {
    for (words, left) in [
        ("ROLLBACK; BEGIN IMMEDIATE", 0),
        ("COMMIT; BEGIN", 1),
        ("COMMIT", 1),
        ("ROLLBACK", 0),
    ] {
        let mut db = memory();
        migrator(line(1)).upgrade(&mut db).unwrap();
        let all = migrator(with_code()).on_upgrade("ffff", move |data| {
            let db = data.sqlite()?;
            Ok(db.execute_batch(words)?)
        });
        let error = all.upgrade(&mut db).unwrap_err();
        assert_eq!(error.code(), Code::ScriptTransaction, "{words}");
        let state = error.state_line().unwrap();
        assert!(
            state.starts_with("what the code committed of revision `ffff` stays"),
            "{state}"
        );
        assert!(db.is_autocommit());
        let columns = "SELECT count(*) FROM pragma_table_info('a') WHERE name = 'w'";
        assert_eq!(number(&db, columns), left, "{words}");
        assert!(migrator(line(1)).is_up_to_date(&mut db).unwrap());
    }
    // A savepoint of its own is its own affair.
    let all = migrator(with_code()).on_upgrade("ffff", |data| {
        let db = data.sqlite()?;
        db.execute_batch("SAVEPOINT one; UPDATE a SET w = 1; SAVEPOINT two; UPDATE a SET w = 2; ROLLBACK TO two")?;
        Ok(())
    });
    let mut db = memory();
    all.upgrade(&mut db).unwrap();
    assert_eq!(number(&db, "SELECT w FROM a"), 1);
}

#[test]
fn code_is_not_left_out_in_silence() {
    let code = |error: sqlrev::Error| error.code();
    let mut db = memory();
    assert_eq!(
        code(migrator(with_code()).upgrade(&mut db).unwrap_err()),
        Code::OwnCodeMissing
    );
    assert_eq!(number(&db, "SELECT count(*) FROM sqlite_schema"), 0);
    let nothing = |migrator: Migrator, id: &str| migrator.on_upgrade(id, |_| Ok(()));
    assert_eq!(
        code(nothing(migrator(with_code()), "nope").check().unwrap_err()),
        Code::OwnCodeUnexpected
    );
    assert_eq!(
        code(nothing(migrator(with_code()), "aaaa").upgrade(&mut db).unwrap_err()),
        Code::OwnCodeUnexpected
    );
    let alone = revision("gggg", "", "-- code: true\n-- transaction: none\n", "SELECT 1;", "");
    let alone = nothing(migrator(alone.to_vec()), "gggg");
    assert_eq!(code(alone.upgrade(&mut db).unwrap_err()), Code::OwnCodeUnexpected);
    // A downgrade may need none.
    let all = nothing(migrator(with_code()), "ffff");
    all.upgrade(&mut db).unwrap();
    all.downgrade(&mut db, "base").unwrap();
    // An older program cannot know what the code of a newer one would do.
    all.upgrade(&mut db).unwrap();
    assert_eq!(
        code(migrator(line(1)).downgrade_to_mine(&mut db).unwrap_err()),
        Code::OwnCodeMissing
    );
}
