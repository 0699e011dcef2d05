//! A driver of an application's with the three methods that are asked for, and nothing else.

use rusqlite::Connection;
use rusqlite::types::Value;
use sqlrev::Code;
use sqlrev::dialect::sqlite::Sqlite;
use sqlrev::dialect::{Dialect, Rows};
use sqlrev::driver::{Driver, DriverError};

use crate::library::{memory, migrator, number, revision};

struct Least(Connection);

impl Least {
    fn rows(&self, sql: &str) -> rusqlite::Result<Rows> {
        let mut statement = self.0.prepare(sql)?;
        let columns = statement.column_count();
        let mut rows = statement.raw_query();
        let mut all = Rows::new();
        while let Some(row) = rows.next()? {
            let values = (0..columns).map(|at| match row.get(at)? {
                Value::Integer(number) => Ok(Some(number.to_string())),
                Value::Text(text) => Ok(Some(text)),
                _ => Ok(None),
            });
            all.push(values.collect::<rusqlite::Result<_>>()?);
        }
        Ok(all)
    }
}

impl Driver for Least {
    fn dialect(&self) -> &'static dyn Dialect {
        &Sqlite
    }

    fn execute(&mut self, sql: &str) -> Result<(), DriverError> {
        self.query(sql).map(drop)
    }

    fn query(&mut self, sql: &str) -> Result<Rows, DriverError> {
        self.rows(sql).map_err(|error| DriverError::new(error.to_string()))
    }
}

#[test]
fn the_least_driver_does() {
    let files = revision("aaaa", "", "-- code: true\n", "CREATE TABLE a (x);", "DROP TABLE a;");
    let all = migrator(files.to_vec())
        .on_upgrade("aaaa", |data| Ok(data.driver().execute("INSERT INTO a VALUES (1)")?))
        .on_downgrade("aaaa", |_| Ok(()));
    let mut db = Least(memory());
    assert_eq!(all.upgrade(&mut db).unwrap().steps.len(), 1);
    assert!(all.upgrade(&mut db).unwrap().steps.is_empty());
    assert_eq!(number(&db.0, "SELECT count(*) FROM a"), 1);
    db.0.execute_batch("UPDATE sqlrev_revisions SET revision = 'bbbb'")
        .unwrap();
    assert_eq!(all.upgrade(&mut db).unwrap_err().code(), Code::NewerDatabase);
    db.0.execute_batch("UPDATE sqlrev_revisions SET revision = 'aaaa'")
        .unwrap();
    assert_eq!(all.downgrade(&mut db, "base").unwrap().steps.len(), 1);
    assert_eq!(number(&db.0, "SELECT count(*) FROM sqlite_schema WHERE name = 'a'"), 0);
}

/// It cannot say that a transaction is open, which is the application's and is left alone.
#[test]
fn a_transaction_that_the_driver_does_not_tell_of_is_left_alone() {
    let all = migrator(revision("aaaa", "", "", "CREATE TABLE a (x);", "DROP TABLE a;").to_vec());
    let mut db = Least(memory());
    for begun in [false, true] {
        db.0.execute_batch("BEGIN; CREATE TABLE mine (x); INSERT INTO mine VALUES (1)")
            .unwrap();
        let refused = [
            (!begun).then(|| all.upgrade(&mut db).map(drop)),
            begun.then(|| all.downgrade(&mut db, "base").map(drop)),
            Some(all.stamp(&mut db, "heads").map(drop)),
        ];
        for refused in refused.into_iter().flatten() {
            assert_eq!(refused.unwrap_err().code(), Code::Database);
        }
        assert_eq!(number(&db.0, "SELECT count(*) FROM mine"), 1);
        db.0.execute_batch("DROP TABLE mine; COMMIT").unwrap();
        all.upgrade(&mut db).unwrap();
    }
}
