//! A build without the planner of ALTERs: columns that SQLite adds by itself, whatever the table is like, and nothing else.

use crate::code::Code;
use crate::dialect::sqlite::site::Site;
use crate::dialect::sqlite::{captures, inspect, oracle, prove};
use crate::dialect::{AlterStatement, Ask, Op, Rewrite};
use crate::error::{Error, Result};
use crate::sql::parse::cursor::{Cursor, Name};
use crate::sql::token::Kind;

/// The words of types: of any others we do not know that SQLite takes them for what the author means.
const TYPES: &[&str] = &[
    "ANY",
    "BIG",
    "BIGINT",
    "BLOB",
    "BOOL",
    "BOOLEAN",
    "CHAR",
    "CHARACTER",
    "CLOB",
    "DATE",
    "DATETIME",
    "DECIMAL",
    "DOUBLE",
    "FLOAT",
    "INT",
    "INTEGER",
    "JSON",
    "MEDIUMINT",
    "NATIVE",
    "NCHAR",
    "NUMERIC",
    "NVARCHAR",
    "PRECISION",
    "REAL",
    "SMALLINT",
    "TEXT",
    "TIME",
    "TIMESTAMP",
    "TINYINT",
    "UNSIGNED",
    "UUID",
    "VARCHAR",
    "VARYING",
];

/// The table of an ALTER that adds one column which SQLite adds to any table: with a type, a literal as its default,
/// a collation, and NOT NULL where the default is not NULL (<https://www.sqlite.org/lang_altertable.html>).
pub(super) fn adds_to(statement: &str) -> Option<Name> {
    read(statement).map(|(table, _)| table)
}

/// The table, and the column.
fn read(statement: &str) -> Option<(Name, Name)> {
    let cursor = &mut Cursor::new(statement);
    if !cursor.take(&["ALTER", "TABLE"]) || cursor.sees(&["IF"]) || cursor.sees(&["ONLY"]) {
        return None;
    }
    let mut table = cursor.name()?;
    if cursor.take(&["."]) {
        if !table.is("main") {
            return None;
        }
        table = cursor.name()?;
    }
    if !cursor.take(&["ADD"]) {
        return None;
    }
    // Without COLUMN, the next word may be one that begins a constraint or an index.
    let plain = cursor.take(&["COLUMN"]) && !cursor.sees(&["IF"]) || cursor.peek()?.kind == Kind::Quoted;
    if !plain {
        return None;
    }
    let column = cursor.name()?;
    while cursor.sees_any(TYPES) {
        cursor.skip();
    }
    if cursor.sees(&["("]) {
        cursor.skip();
    }
    let (mut not_null, mut filled) = (false, false);
    while !cursor.at_end() {
        if cursor.take(&["NOT", "NULL"]) {
            not_null = true;
        } else if cursor.take(&["COLLATE"]) {
            cursor.name()?;
        } else if cursor.take(&["DEFAULT"]) {
            filled = literal(cursor)?;
        } else {
            return None;
        }
    }
    (filled || !not_null).then_some((table, column))
}

/// Reads a literal, and tells whether it is another one than NULL.
fn literal(cursor: &mut Cursor<'_>) -> Option<bool> {
    let signed = cursor.take(&["-"]) || cursor.take(&["+"]);
    let token = cursor.peek()?;
    let is_number = token.kind == Kind::Number;
    let is_text = token.kind == Kind::Text && cursor.word(0).starts_with('\'');
    let is_null = cursor.sees(&["NULL"]);
    let is_literal = is_number || !signed && (is_text || is_null || cursor.sees_any(&["TRUE", "FALSE"]));
    cursor.skip();
    is_literal.then_some(!is_null)
}

/// What the first ALTER of a run becomes: itself. As with the planner, no view or trigger may be broken by it.
pub(super) fn rewrite(run: &[AlterStatement], ask: &mut dyn Ask) -> Result<Rewrite> {
    let Some(first) = run.first() else {
        return Err(Error::new(Code::BatchInternal, "there is no statement to rewrite"));
    };
    let site = Site::whole(first, 0);
    let Some((table, column)) = read(&first.text) else {
        let message = "this program was built without batch plans, and this ALTER TABLE may need one";
        return Err(site.refuse(Code::BatchLeftOut, message, ""));
    };
    if let Some(object) = captures::may_change(&column.text, ask)? {
        let message = format!(
            "this program was built without batch plans, and without them nobody can tell whether {} `{}` would mean the \
             new column `{}` by what it says now",
            object.kind, object.name, column.text
        );
        return Err(site.refuse(Code::BatchLeftOut, message, ""));
    }
    let mut probes = Vec::new();
    for object in &inspect::views_and_triggers(ask, "main")? {
        let mut columns = |table: &str| ask.query(&oracle::settable(table)).unwrap_or_default();
        probes.extend(oracle::probes(&mut columns, &[], &[object]));
    }
    oracle::once(&mut probes);
    probes.retain(|probe| ask.query(&probe.compiled()).is_ok());
    let mut ops = vec![Op::sql(first.text.clone(), 0)];
    ops.extend(prove::compiles(&probes, &site.at()));
    ops.push(prove::table_compiles("main", &table.text, site.at()));
    Ok(Rewrite {
        table: table.text,
        consumed: 1,
        strategy: "native",
        reason: "SQLite runs it as it is written".to_owned(),
        ops,
        notices: Vec::new(),
        broken: Vec::new(),
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn columns_that_sqlite_adds_to_any_table() {
        for (column, plain) in [
            ("COLUMN a", true),
            ("COLUMN a TEXT", true),
            ("\"a\" INTEGER DEFAULT -1 NOT NULL", true),
            ("COLUMN a VARCHAR(20) COLLATE NOCASE NOT NULL DEFAULT ''", true),
            ("COLUMN a BOOLEAN NOT NULL DEFAULT false", true),
            ("COLUMN a DOUBLE PRECISION DEFAULT NULL", true),
            ("a TEXT", false),
            ("UNIQUE (a)", false),
            ("COLUMN IF NOT EXISTS a TEXT", false),
            ("COLUMN a TEXT NOT NULL", false),
            ("COLUMN a TEXT NOT NULL DEFAULT NULL", false),
            ("COLUMN a TEXT DEFAULT (1 + 1)", false),
            ("COLUMN a TEXT DEFAULT CURRENT_TIMESTAMP", false),
            ("COLUMN a TEXT DEFAULT \"b\"", false),
            ("COLUMN a TEXT UNIQUE", false),
            ("COLUMN a INTEGER PRIMARY KEY", false),
            ("COLUMN a TEXT REFERENCES b", false),
            ("COLUMN a TEXT CHECK (a > 0)", false),
            ("COLUMN a TEXT AS (b)", false),
            ("COLUMN a TEXT FIRST", false),
            ("COLUMN a TEXT AFTER b", false),
            ("COLUMN a SERIAL", false),
            ("COLUMN a TEXT, ADD COLUMN b TEXT", false),
        ] {
            let statement = format!("ALTER TABLE main.\"t\" ADD {column}");
            let table = adds_to(&statement).map(|table| table.text);
            assert_eq!(table, plain.then(|| "t".to_owned()), "{statement}");
        }
        for statement in [
            "ALTER TABLE t DROP COLUMN a",
            "ALTER TABLE t RENAME TO u",
            "ALTER TABLE t RENAME COLUMN a TO b",
            "ALTER TABLE temp.t ADD COLUMN a",
            "-- sqlrev:strict t",
        ] {
            assert!(adds_to(statement).is_none(), "{statement}");
        }
    }
}

/// Run by `scripts/test` in a build without batch plans.
#[cfg(all(test, feature = "bundled", not(feature = "batch")))]
mod light {
    use rusqlite::Connection;

    use crate::{Code, Migrator};

    const ONE: &str = "-- ---\n-- revision: a1f0\n-- ---\nCREATE TABLE t (a);";

    fn upgraded(db: &mut Connection, script: &str) -> Result<(), Code> {
        let two = format!("-- ---\n-- revision: b2e9\n-- down_revision: a1f0\n-- ---\n{script}");
        let files = [("1/upgrade.sql", ONE), ("2/upgrade.sql", &two)];
        let upgraded = Migrator::from_files(files).unwrap().upgrade(db);
        upgraded.map(drop).map_err(|error| error.code())
    }

    #[test]
    fn columns_are_added() {
        let mut db = Connection::open_in_memory().unwrap();
        upgraded(&mut db, "ALTER TABLE t ADD COLUMN b TEXT NOT NULL DEFAULT 'x';").unwrap();
        db.execute("INSERT INTO t (a) VALUES (1)", []).unwrap();
        assert_eq!(
            db.query_row("SELECT b FROM t", [], |row| row.get(0)),
            Ok("x".to_owned())
        );
    }

    #[test]
    fn what_may_need_a_plan_is_refused_before_anything_ran() {
        for script in [
            "ALTER TABLE t DROP COLUMN a;",
            "ALTER TABLE t RENAME TO u;",
            "CREATE TABLE v (a);\nALTER TABLE t ADD COLUMN b TEXT UNIQUE;",
            "CREATE TABLE v (a);\n-- sqlrev:strict t\n",
            "-- sqlrev:strict\nCREATE TABLE v (a);",
        ] {
            let mut db = Connection::open_in_memory().unwrap();
            assert_eq!(upgraded(&mut db, script), Err(Code::BatchLeftOut), "{script}");
            let objects = db.query_row("SELECT count(*) FROM sqlite_schema", [], |row| row.get(0));
            assert_eq!(objects, Ok(0), "{script}");
        }
        let mut db = Connection::open_in_memory().unwrap();
        let unknown = upgraded(&mut db, "-- sqlrev:strictly t\nCREATE TABLE v (a);");
        assert_eq!(unknown, Err(Code::ScriptDirective));
    }

    #[test]
    fn what_a_new_column_would_take_over_is_refused() {
        for made in [
            "CREATE INDEX i ON t (a || \"b\");",
            "CREATE VIEW v AS SELECT a FROM t WHERE a <> \"B\";",
            "CREATE TABLE u (b); CREATE VIEW v AS SELECT * FROM t NATURAL JOIN u;",
        ] {
            let mut db = Connection::open_in_memory().unwrap();
            upgraded(&mut db, made).unwrap();
            let two = format!("-- ---\n-- revision: b2e9\n-- down_revision: a1f0\n-- ---\n{made}");
            let three = "-- ---\n-- revision: c3d8\n-- down_revision: b2e9\n-- ---\nALTER TABLE t ADD COLUMN b TEXT;";
            let files = [
                ("1/upgrade.sql", ONE),
                ("2/upgrade.sql", &two),
                ("3/upgrade.sql", three),
            ];
            let error = Migrator::from_files(files).unwrap().upgrade(&mut db).unwrap_err();
            assert_eq!(error.code(), Code::BatchLeftOut, "{made} {error:?}");
        }
    }

    #[test]
    fn no_trigger_is_broken() {
        let mut db = Connection::open_in_memory().unwrap();
        let before =
            "CREATE TABLE log (a); CREATE TRIGGER r AFTER INSERT ON t BEGIN INSERT INTO log SELECT * FROM t; END;";
        upgraded(&mut db, before).unwrap();
        let three = "-- ---\n-- revision: c3d8\n-- down_revision: b2e9\n-- ---\nALTER TABLE t ADD COLUMN b TEXT;";
        let two = format!("-- ---\n-- revision: b2e9\n-- down_revision: a1f0\n-- ---\n{before}");
        let files = [
            ("1/upgrade.sql", ONE),
            ("2/upgrade.sql", &two),
            ("3/upgrade.sql", three),
        ];
        let error = Migrator::from_files(files).unwrap().upgrade(&mut db).unwrap_err();
        assert_eq!(error.code(), Code::BatchInUse, "{error:?}");
        assert_eq!(
            db.query_row("SELECT count(*) FROM pragma_table_info('t')", [], |row| row.get(0)),
            Ok(1)
        );
    }
}
