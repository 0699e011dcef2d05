//! What is tried with a part of a schema has to have the same outcome with all of it.

use super::*;
use crate::dialect::sqlite::Sqlite;
use crate::driver::{Driver, sqlite};

/// Many tables, each with an index and a parent.
fn many(count: usize) -> String {
    let mut out = String::new();
    for i in 0..count {
        let parent = i / 2;
        out += &format!(
            "CREATE TABLE t{i} (id INTEGER PRIMARY KEY, up INTEGER REFERENCES t{parent}, a TEXT, \"b\" TEXT UNIQUE);\n\
             CREATE INDEX i{i} ON t{i} (\"b\", a);\n"
        );
    }
    out
}

fn schema(autogenerate: &Autogenerate<'_>, text: &str) -> Model {
    let script = Script {
        file: SourceFile::new("schema.sql", text),
        body: 0,
        large: None,
        known: None,
    };
    let made = declared::declared(autogenerate.scratch, &[script], autogenerate.table);
    made.expect("it runs").into_model()
}

/// Leads from one schema to the other and back, with a part of it and with all. How many objects are in the part, if one
/// is enough.
fn check(from: &str, to: &str) -> Option<usize> {
    check_renamed(from, to, [&[], &[]])
}

/// Likewise with renames on the way there and on the way back.
fn check_renamed(from: &str, to: &str, renames: [&[Rename]; 2]) -> Option<usize> {
    let scratch = || sqlite::memory().map(|db| Box::new(db) as Box<dyn Driver>);
    let table = VersionTable::new(&Sqlite, "sqlrev_version");
    let autogenerate = Autogenerate {
        dialect: &Sqlite,
        scratch: &scratch,
        resume: &|_| Ok(()),
        kept: &Kept::default(),
        table: &table,
        lens: None,
        not_null_in_steps: false,
    };
    let (from, to) = (schema(&autogenerate, from), schema(&autogenerate, to));
    for (from, to, renames) in [(&to, &from, renames[1]), (&from, &to, renames[0])] {
        let statements = |led: Result<Vec<Piece>>| match led {
            Ok(pieces) => script(&pieces, &Sqlite),
            Err(error) => format!("{error:?}"),
        };
        assert_eq!(
            statements(autogenerate.lead(from, to, renames)),
            statements(autogenerate.led((from, from), to, renames, &Force::default()))
        );
    }
    let part = autogenerate.part(&from, &to, &diff::compare(&from, &to))?;
    // A database that nobody tried on scratch is looked at first.
    let live = Model {
        tried: false,
        ..from.clone()
    };
    assert_eq!(
        autogenerate.part(&live, &to, &diff::compare(&from, &to)),
        Some(part.clone())
    );
    Some(part.len())
}

fn with(more: &str) -> String {
    format!("{}{more}", many(40))
}

#[test]
fn the_part_does_not_grow_with_the_schema() {
    let altered = |text: String| {
        text.replace("CREATE TABLE t20 (id", "CREATE TABLE t20 (more TEXT, id")
            .replace("CREATE INDEX i31 ON t31 (\"b\", a)", "CREATE INDEX i31 ON t31 (a DESC)")
    };
    let small = check(&many(50), &altered(many(50)));
    let large = check(&many(100), &altered(many(100)));
    assert_eq!(
        small.map(|count| count + 4),
        large,
        "the children of two tables and their indexes come along"
    );
}

#[test]
fn a_part_leads_where_the_whole_does() {
    let base = many(40);
    for (from, to) in [
        (base.replace("a TEXT", "a TEXT NOT NULL DEFAULT 'x'"), base.clone()),
        (base.clone(), base.replace("CREATE TABLE t33 (id INTEGER PRIMARY KEY", "CREATE TABLE t33 (id TEXT PRIMARY KEY")),
        (base.clone(), base.replace("t17, a TEXT", "t17, a INTEGER CHECK (a > 1)")),
        (base.clone(), with("CREATE TABLE t40 (a REFERENCES t7); CREATE TRIGGER r AFTER INSERT ON t7 BEGIN DELETE FROM t9; END;")),
        (
            with("CREATE VIEW v AS SELECT a FROM t30; CREATE VIEW w AS SELECT * FROM v; CREATE VIEW x AS SELECT 1;"),
            with("CREATE VIEW v AS SELECT \"b\" AS a FROM t30; CREATE VIEW w AS SELECT * FROM v; CREATE VIEW x AS SELECT 1;")
                .replace("CREATE TABLE t30 (id", "CREATE TABLE t30 (z DEFAULT 1, id"),
        ),
        // A child that waits for its parent.
        (with("CREATE TABLE c (a REFERENCES p);"), with("CREATE TABLE c (a REFERENCES p); CREATE TABLE p (a PRIMARY KEY);")),
    ] {
        check(&from, &to);
    }
}

#[test]
fn a_part_renames_where_the_whole_does() {
    let rename = |table: &str, column: Option<&str>, to: &str| Rename {
        table: Key::new(Kind::Table, table),
        column: column.map(str::to_owned),
        to: to.to_owned(),
        folded: to.to_owned(),
    };
    let beside = "CREATE VIEW v AS SELECT a FROM t17; CREATE VIEW w AS SELECT * FROM v;\n\
                  CREATE TRIGGER r AFTER INSERT ON t3 BEGIN UPDATE t17 SET a = 1; END;\n";
    let base = with(beside);
    let column = base
        .replace(
            "t17 (id INTEGER PRIMARY KEY, up INTEGER REFERENCES t8, a",
            "t17 (id INTEGER PRIMARY KEY, up INTEGER REFERENCES t8, z",
        )
        .replace("ON t17 (\"b\", a)", "ON t17 (\"b\", z)");
    let column = column
        .replace("SELECT a FROM t17", "SELECT z AS a FROM t17")
        .replace("SET a = 1", "SET z = 1");
    let part = check_renamed(
        &base,
        &column,
        [&[rename("t17", Some("a"), "z")], &[rename("t17", Some("z"), "a")]],
    );
    assert!(part.is_some());
    let table = base
        .replace("t17 ", "u17 ")
        .replace("t17,", "u17,")
        .replace("t17;", "u17;");
    let part = check_renamed(
        &base,
        &table,
        [&[rename("t17", None, "u17")], &[rename("u17", None, "t17")]],
    );
    assert!(part.is_some());
    // What does not compile stops a rename wherever it stands.
    let broken = |text: &str| format!("{text}CREATE VIEW broken AS SELECT nought FROM t1;");
    let part = check_renamed(
        &broken(&base),
        &broken(&table),
        [&[rename("t17", None, "u17")], &[rename("u17", None, "t17")]],
    );
    assert_eq!(part, None);
}

/// What stands beside the part, and whether the part is enough all the same.
#[test]
fn what_may_have_a_say_is_kept() {
    let fewer = |text: &str| {
        text.replace(
            "CREATE TABLE t39 (id INTEGER PRIMARY KEY, up INTEGER REFERENCES t19, a TEXT,",
            "CREATE TABLE t39 (id INTEGER PRIMARY KEY, up INTEGER REFERENCES t19,",
        )
        .replace("i39 ON t39 (\"b\", a)", "i39 ON t39 (\"b\")")
    };
    for (beside, is_enough) in [
        ("", true),
        (
            "CREATE VIEW v AS SELECT a FROM t1; CREATE TRIGGER r AFTER UPDATE ON t2 BEGIN DELETE FROM t3; END;",
            true,
        ),
        // SQLite drops no column beside a view that does not compile.
        ("CREATE VIEW v AS SELECT nought FROM t1;", false),
        ("CREATE VIEW v AS SELECT a FROM nowhere;", false),
        // It puts texts into single quotes everywhere.
        ("CREATE VIEW v AS SELECT \"text\" AS x FROM t1;", false),
        ("CREATE TABLE q (a CHECK (a <> \"text\"));", false),
        ("CREATE INDEX q ON t3 (a) WHERE a <> \"text\";", false),
        (
            "CREATE TABLE q (\"a\" CHECK (\"a\" <> 'text'), CONSTRAINT \"text\" UNIQUE (\"a\"));",
            true,
        ),
        ("CREATE TABLE sqlrev_t39 (a);", false),
        ("CREATE VIRTUAL TABLE q USING fts5 (a);", false),
    ] {
        let from = with(beside);
        assert_eq!(check(&from, &fewer(&from)).is_some(), is_enough, "{beside}");
    }
    // Whether a DEFAULT is written anew as well is SQLite's to know.
    let from = with("CREATE TABLE q (a DEFAULT \"text\");");
    check(&from, &fewer(&from));
    // Names that are taken.
    let named = |name: &str| with("").replace("INDEX i39 ", &format!("INDEX {name} "));
    assert!(check(&named("i39"), &named("j")).is_some());
    let unique = |text: String| {
        text.replace(
            "t19, a TEXT, \"b\" TEXT UNIQUE",
            "t19, a TEXT CONSTRAINT i3 UNIQUE, \"b\" TEXT UNIQUE",
        )
    };
    assert_eq!(check(&with(""), &unique(with(""))), None);
}
