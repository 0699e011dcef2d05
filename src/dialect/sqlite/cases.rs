//! Single ALTERs: the way they take, what comes out, what is refused and where the label stands.

use rusqlite::Connection;

use crate::dialect::sqlite::harness::{rows, run_offline, run_online};
use crate::revision::Recreate;

fn database(setup: &str) -> Connection {
    let connection = Connection::open_in_memory().expect("a database");
    connection.execute_batch(setup).expect("the set-up");
    connection
}

fn definition(connection: &Connection) -> String {
    let all = rows(
        connection,
        "SELECT sql FROM sqlite_schema WHERE tbl_name = 't' AND sql IS NOT NULL ORDER BY rowid",
    );
    all.expect("a schema")
        .into_iter()
        .flatten()
        .flatten()
        .collect::<Vec<_>>()
        .join("; ")
}

/// The ways and the definition that come out of an upgrade, which a script has to reach as well.
fn check(setup: &str, alter: &str, ways: &str, expect: &str) {
    let mut taken = Vec::new();
    let connection = database(setup);
    let outcome = run_online(&connection, alter, Recreate::Auto, &mut |rewrite| {
        taken.push(rewrite.strategy);
    });
    outcome.unwrap_or_else(|error| panic!("{alter}: {error:?}"));
    assert_eq!(taken.join(" "), ways, "{alter}");
    assert_eq!(definition(&connection), expect, "{alter}");
    let script = database(setup);
    let outcome = run_offline(&script, alter);
    outcome.unwrap_or_else(|error| panic!("script of {alter}: {error:?}"));
    assert_eq!(definition(&script), expect, "script of {alter}");
}

/// The code of a refusal, the words under its label, and the offenders.
fn check_refused(setup: &str, alter: &str, code: &str, words: &str) {
    let outcome = run_online(&database(setup), alter, Recreate::Auto, &mut |_| {});
    let error = outcome.expect_err(alter);
    assert_eq!(
        error.code().name(),
        format!("sqlrev::batch::{code}"),
        "{alter}: {error:?}"
    );
    let label = error.labels().first();
    let under = label.map_or("", |label| &label.file.text[label.span.clone()]);
    assert_eq!(under, words, "{alter}: {error:?}");
}

const T: &str = "CREATE TABLE t(id INTEGER PRIMARY KEY, a TEXT, b INT); INSERT INTO t VALUES (1, '1', 2);";

#[test]
fn the_cheapest_way_is_taken() {
    check(
        T,
        "ALTER TABLE t ADD COLUMN c DATE",
        "native",
        "CREATE TABLE t(id INTEGER PRIMARY KEY, a TEXT, b INT, c DATE)",
    );
    check(
        T,
        "ALTER TABLE t ADD COLUMN c DATE, ADD COLUMN d UUID DEFAULT 'x'::text",
        "native",
        "CREATE TABLE t(id INTEGER PRIMARY KEY, a TEXT, b INT, c DATE, d UUID DEFAULT 'x')",
    );
    check(
        T,
        "ALTER TABLE t DROP COLUMN b",
        "native",
        "CREATE TABLE t(id INTEGER PRIMARY KEY, a TEXT)",
    );
    check(
        T,
        "ALTER TABLE t ADD CONSTRAINT t_a UNIQUE (a)",
        "index",
        "CREATE TABLE t(id INTEGER PRIMARY KEY, a TEXT, b INT); CREATE UNIQUE INDEX t_a ON t (a)",
    );
    check(
        T,
        "ALTER TABLE t ADD UNIQUE (a); ALTER TABLE t RENAME CONSTRAINT t_a_key TO k; ALTER TABLE t DROP CONSTRAINT k",
        "native",
        "CREATE TABLE t(id INTEGER PRIMARY KEY, a TEXT, b INT)",
    );
    check(
        T,
        "ALTER TABLE t ALTER a SET NOT NULL; ALTER TABLE t ADD CHECK (b > 0) NOT VALID",
        "in_place",
        "CREATE TABLE t(id INTEGER PRIMARY KEY, a TEXT NOT NULL, b INT, CHECK (b > 0))",
    );
    check(
        T,
        "ALTER TABLE t ALTER COLUMN a TYPE integer USING a::integer + 1",
        "copy",
        "CREATE TABLE t(id INTEGER PRIMARY KEY, a integer, b INT)",
    );
}

#[test]
fn what_is_broken_anyway_does_not_stand_in_the_way() {
    let setup = format!(
        "{T} CREATE TABLE gone (x); CREATE VIEW v AS SELECT x FROM gone; \
         CREATE TRIGGER vi INSTEAD OF INSERT ON v BEGIN SELECT 1; END; DROP TABLE gone;"
    );
    check(
        &setup,
        "ALTER TABLE t DROP COLUMN b",
        "copy",
        "CREATE TABLE t(id INTEGER PRIMARY KEY, a TEXT)",
    );
    check(
        &setup,
        "ALTER TABLE t RENAME a TO c",
        "native",
        "CREATE TABLE t(id INTEGER PRIMARY KEY, c TEXT, b INT)",
    );
    let connection = database(&setup);
    run_online(&connection, "ALTER TABLE t RENAME TO u", Recreate::Auto, &mut |_| {}).expect("renamed");
    let views = rows(
        &connection,
        "SELECT name FROM sqlite_schema WHERE type IN ('view', 'trigger') ORDER BY name",
    );
    assert_eq!(views.expect("a schema").len(), 2);
}

#[test]
fn temporary_tables_are_tables() {
    let connection = database("CREATE TEMP TABLE t(id INTEGER PRIMARY KEY, a TEXT); INSERT INTO t VALUES (1, '5');");
    for alter in [
        "ALTER TABLE t ALTER a SET NOT NULL",
        "ALTER TABLE t ALTER a TYPE INTEGER",
    ] {
        run_online(&connection, alter, Recreate::Auto, &mut |_| {}).expect("altered");
    }
    let stored = rows(&connection, "SELECT sql FROM sqlite_temp_schema").expect("a schema");
    assert_eq!(
        stored[0][0].as_deref(),
        Some("CREATE TABLE t(id INTEGER PRIMARY KEY, a INTEGER NOT NULL)")
    );
}

#[test]
fn a_default_that_cannot_be_evaluated_is_refused() {
    check_refused(
        T,
        "ALTER TABLE t ALTER a SET DEFAULT nextval('s')",
        "unsupported",
        "nextval",
    );
}

#[test]
fn a_rename_in_the_middle_costs_no_second_copy() {
    check(
        T,
        "ALTER TABLE t ALTER b TYPE TEXT; ALTER TABLE t RENAME COLUMN a TO c; ALTER TABLE t ALTER c TYPE INTEGER;",
        "copy",
        "CREATE TABLE t(id INTEGER PRIMARY KEY, c INTEGER, b TEXT)",
    );
    check(
        T,
        "ALTER TABLE t ALTER b TYPE TEXT; ALTER TABLE t RENAME COLUMN b TO c; ALTER TABLE t ALTER c TYPE INTEGER;",
        "copy native copy",
        "CREATE TABLE t(id INTEGER PRIMARY KEY, a TEXT, c INTEGER)",
    );
}

#[test]
fn mysql_spells_it_too() {
    check(
        T,
        "ALTER TABLE t MODIFY a VARCHAR(20) NOT NULL DEFAULT 'x' COMMENT 'why' FIRST",
        "copy",
        "CREATE TABLE t(a VARCHAR(20) NOT NULL DEFAULT 'x', id INTEGER PRIMARY KEY, b INT)",
    );
    check(
        T,
        "ALTER TABLE t CHANGE a c VARCHAR(9) NOT NULL",
        "in_place",
        "CREATE TABLE t(id INTEGER PRIMARY KEY, c VARCHAR(9) NOT NULL, b INT)",
    );
    check(
        T,
        "ALTER TABLE t ADD INDEX by_b (b DESC), ADD COLUMN c INT AFTER id",
        "copy",
        "CREATE TABLE t(id INTEGER PRIMARY KEY, c INT, a TEXT, b INT); CREATE INDEX by_b ON t (b DESC)",
    );
}

#[test]
fn labels_stand_under_the_very_words() {
    check_refused(T, "ALTER TABLE t ALTER COLUMN c SET NOT NULL", "no_such_column", "c");
    check_refused(T, "ALTER TABLE tt ALTER COLUMN a SET NOT NULL", "no_such_table", "tt");
    check_refused(T, "ALTER TABLE t ADD COLUMN drop INT", "unreadable", "drop");
    check_refused(T, "ALTER TABLE t ADD CHECK (nope > 1)", "no_such_column", "nope");
    check_refused(
        T,
        "ALTER TABLE t ALTER COLUMN a TYPE TEXT USING upper(\"naem\")",
        "no_such_column",
        "\"naem\"",
    );
    check_refused(T, "ALTER TABLE t ALTER COLUMN a FROBNICATE", "unreadable", "FROBNICATE");
    check_refused(T, "ALTER TABLE t OWNER TO joe", "unsupported", "OWNER");
    check_refused(
        T,
        "ALTER TABLE t ADD FOREIGN KEY (b) REFERENCES p (id)",
        "no_such_table",
        "p",
    );
    check_refused(
        T,
        "ALTER TABLE t DROP COLUMN a, DROP COLUMN b, DROP COLUMN id",
        "unsupported",
        "id",
    );
    let view = format!("{T} CREATE VIEW v AS SELECT a FROM t;");
    check_refused(
        &view,
        "ALTER TABLE t ADD COLUMN c INT; ALTER TABLE t DROP COLUMN a;",
        "in_use",
        "a",
    );
    let quoted = format!("{T} CREATE VIEW v AS SELECT \"a\", count(*) FROM t GROUP BY 1;");
    check_refused(&quoted, "ALTER TABLE t DROP COLUMN a", "in_use", "a");
    let taken = format!("{T} CREATE TABLE x (y);");
    check_refused(
        &taken,
        "ALTER TABLE t ADD CONSTRAINT x UNIQUE (a)",
        "already_exists",
        "ALTER TABLE t ADD CONSTRAINT x UNIQUE (a)",
    );
}

#[test]
fn what_sqlite_takes_and_nobody_reads_passes() {
    check(
        T,
        "ALTER TABLE t ADD c int[10]",
        "native",
        "CREATE TABLE t(id INTEGER PRIMARY KEY, a TEXT, b INT, c int[10])",
    );
}

#[test]
fn another_connection_sees_the_edit() {
    let folder = tempfile::tempdir().expect("a folder");
    let path = folder.path().join("x.db");
    let connection = Connection::open(&path).expect("a database");
    connection.execute_batch(T).expect("the set-up");
    let other = Connection::open(&path).expect("a database");
    other.execute_batch("INSERT INTO t(a) VALUES ('x')").expect("a row");
    let outcome = run_online(
        &connection,
        "ALTER TABLE t ALTER COLUMN a SET NOT NULL",
        Recreate::Auto,
        &mut |_| {},
    );
    outcome.expect("no NULL is there");
    other
        .execute_batch("INSERT INTO t(a) VALUES (NULL)")
        .expect_err("NOT NULL holds here as well");
}

#[test]
fn the_last_rowid_outlives_a_copy() {
    let connection = database(T);
    let alter = "INSERT INTO t VALUES (40, '5', 6); ALTER TABLE t ALTER COLUMN a TYPE INTEGER; \
                 UPDATE t SET b = 99 WHERE id = last_insert_rowid();";
    let outcome = run_online(&connection, alter, Recreate::Auto, &mut |_| {});
    outcome.expect("all is well");
    assert_eq!(
        rows(&connection, "SELECT id FROM t WHERE b = 99").expect("rows"),
        [vec![Some("40".to_owned())]]
    );
    let script = database(T);
    let outcome = run_offline(&script, alter);
    outcome.expect("all is well");
    assert_eq!(
        rows(&script, "SELECT id FROM t WHERE b = 99").expect("rows"),
        [vec![Some("40".to_owned())]]
    );
}

#[test]
fn never_refuses_a_copy() {
    let outcome = run_online(
        &database(T),
        "ALTER TABLE t ALTER COLUMN a TYPE INTEGER",
        Recreate::Never,
        &mut |_| {},
    );
    assert_eq!(outcome.expect_err("a copy").code(), crate::code::Code::BatchNever);
    let outcome = run_online(
        &database(T),
        "ALTER TABLE t ALTER COLUMN a SET NOT NULL",
        Recreate::Never,
        &mut |_| {},
    );
    outcome.expect("no copy");
}

#[test]
fn what_stands_close_together_is_kept_apart() {
    check(
        "CREATE TABLE t(\"a\"CHECK(\"a\">0),\"b\"int\"x\"default 7)",
        "ALTER TABLE t ALTER a SET NOT NULL; ALTER TABLE t ALTER b SET NOT NULL",
        "in_place",
        "CREATE TABLE t(\"a\" NOT NULL CHECK(\"a\">0),\"b\"int\"x\" NOT NULL default 7)",
    );
    check(
        T,
        "ALTER TABLE t ADD COLUMN c INT -- it's (\n UNIQUE, ADD COLUMN d INT",
        "native",
        "CREATE TABLE t(id INTEGER PRIMARY KEY, a TEXT, b INT, c INT, d INT); \
         CREATE UNIQUE INDEX \"t_c_key\" ON t (c)",
    );
}

#[test]
fn a_key_that_is_taken_away_from_under_references_is_missed() {
    let setup = "CREATE TABLE t(id INTEGER PRIMARY KEY, up INT, FOREIGN KEY (up) REFERENCES t(id))";
    check_refused(setup, "ALTER TABLE t DROP PRIMARY KEY", "in_use", "DROP PRIMARY KEY");
    // The values of the new key are the numbers of the rows, which refer to nothing.
    let setup = "CREATE TABLE p(id INTEGER PRIMARY KEY); CREATE TABLE t(a); INSERT INTO t VALUES (1)";
    let alter = "ALTER TABLE t ADD COLUMN id INTEGER PRIMARY KEY REFERENCES p(id)";
    check_refused(setup, alter, "foreign_key_violated", "");
}

#[test]
fn a_key_may_refer_to_what_the_run_adds() {
    check(
        "CREATE TABLE t(a); CREATE TABLE o(x); INSERT INTO t VALUES (NULL); \
         CREATE TRIGGER tr AFTER DELETE ON o BEGIN INSERT INTO t VALUES (old.x); END",
        "ALTER TABLE o ADD COLUMN y; ALTER TABLE t RENAME a TO b",
        "native native",
        "CREATE TABLE t(b)",
    );
    check(
        "CREATE TABLE p(id INTEGER PRIMARY KEY); CREATE TABLE t(a); CREATE TABLE o(x); \
         CREATE TRIGGER tr AFTER DELETE ON o BEGIN INSERT INTO t VALUES (old.x); END",
        "ALTER TABLE t ADD FOREIGN KEY (a) REFERENCES p",
        "in_place",
        "CREATE TABLE t(a, FOREIGN KEY (a) REFERENCES p)",
    );
    check(
        "CREATE TABLE t(a); INSERT INTO t VALUES (NULL)",
        "ALTER TABLE t ADD COLUMN b INT UNIQUE, ADD FOREIGN KEY (a) REFERENCES t (b)",
        "in_place",
        "CREATE TABLE t(a, b INT, FOREIGN KEY (a) REFERENCES t (b)); CREATE UNIQUE INDEX \"t_b_key\" ON t (b)",
    );
}

#[test]
fn names_are_those_of_their_moment() {
    check(
        T,
        "-- sqlrev:reorder t (b)\nALTER TABLE t RENAME COLUMN b TO c",
        "copy native",
        "CREATE TABLE t(c INT, id INTEGER PRIMARY KEY, a TEXT)",
    );
    check(
        T,
        "ALTER TABLE t ALTER a SET NOT NULL; ALTER TABLE t CHANGE a c TEXT",
        "in_place in_place",
        "CREATE TABLE t(id INTEGER PRIMARY KEY, c TEXT, b INT)",
    );
    check(
        "CREATE TABLE t(a, \"b\"\"c\" CHECK (\"b\"\"c\" > 0), UNIQUE (a))",
        "ALTER TABLE t DROP CHECK \"t_b\"\"c_check\", DROP INDEX t_a_key; \
         ALTER TABLE t RENAME \"b\"\"c\" TO d; ALTER TABLE t RENAME a TO e",
        "copy native native",
        "CREATE TABLE t(e, \"d\")",
    );
}

#[test]
fn a_new_key_numbers_the_rows() {
    let connection = database("CREATE TABLE t(a); INSERT INTO t(rowid, a) VALUES (7, 'x')");
    let alter = "ALTER TABLE t ADD COLUMN id INTEGER PRIMARY KEY, ALTER COLUMN id SET NOT NULL, DROP PRIMARY KEY";
    run_online(&connection, alter, Recreate::Auto, &mut |_| {}).expect(alter);
    let values = rows(&connection, "SELECT rowid, id, a FROM t").expect("rows");
    assert_eq!(values.concat(), ["7", "7", "x"].map(|value| Some(value.to_owned())));
}

#[test]
fn values_are_kept_when_only_their_order_or_their_place_changes() {
    let held = |alter: &str, query: &str| {
        let connection = database("CREATE TABLE t(id INTEGER PRIMARY KEY, a INT); INSERT INTO t VALUES (1, 'odd')");
        run_online(&connection, alter, Recreate::Auto, &mut |_| {}).expect(alter);
        let values = rows(&connection, query).expect("rows");
        values.into_iter().flatten().flatten().collect::<Vec<_>>().join(" ")
    };
    assert_eq!(
        held("ALTER TABLE t ALTER a TYPE INT COLLATE NOCASE", "SELECT a FROM t"),
        "odd"
    );
    let alter = "ALTER TABLE t ADD COLUMN b INT AS (length(a)); ALTER TABLE t ALTER b DROP EXPRESSION";
    assert_eq!(held(alter, "SELECT b FROM t"), "3");
    // A key that numbered the rows never was NULL.
    let alter = "ALTER TABLE t ALTER id TYPE TEXT";
    assert_eq!(held(alter, "SELECT \"notnull\" FROM pragma_table_info('t')"), "1 0");
}
