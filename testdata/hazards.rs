//! The hazard cases through the library, on an application's own connection, with the SQLite that it brings. Where that
//! one is older than ours, what its ALTERs lack is copied.

use rusqlite::Connection;
use rusqlite::types::ValueRef;
use serde_json::{Value, json};
use sqlrev::Migrator;

const CASES: &str = include_str!("batch/hazards.jsonl");

fn values(db: &Connection, sql: &str) -> rusqlite::Result<Value> {
    let mut statement = db.prepare(sql)?;
    let count = statement.column_count();
    let mut found = statement.query([])?;
    let mut rows = Vec::new();
    while let Some(row) = found.next()? {
        let value = |at| {
            Ok(match row.get_ref(at)? {
                ValueRef::Null => Value::Null,
                ValueRef::Integer(value) => json!(value),
                ValueRef::Real(value) => json!(value),
                // What quote() says of the infinite, which SQLite spelled like this at first.
                ValueRef::Text(b"Inf") => json!("9.0e+999"),
                ValueRef::Text(b"-Inf") => json!("-9.0e+999"),
                ValueRef::Text(text) => json!(String::from_utf8_lossy(text)),
                ValueRef::Blob(blob) => json!(blob),
            })
        };
        rows.push(Value::Array((0..count).map(value).collect::<rusqlite::Result<_>>()?));
    }
    Ok(Value::Array(rows))
}

fn bare(rows: &Value) -> String {
    rows.to_string().replace('"', "")
}

/// What of a case's expectations does not hold.
fn wrong(case: &Value, db: &Connection) -> Vec<String> {
    let of = |key: &str| case["expect"][key].as_array().cloned().unwrap_or_default();
    let checks = of("schema_checks")
        .into_iter()
        .chain(of("queries"))
        .chain(of("behaviours"));
    let mut wrong = Vec::new();
    for check in checks {
        let sql = check["sql"].as_str().expect("a statement");
        if let Some(ok) = check["ok"].as_bool() {
            let ran = db.execute_batch(sql);
            if ran.is_ok() != ok {
                wrong.push(format!("{sql}: {ran:?}"));
            }
            continue;
        }
        match values(db, sql) {
            Ok(rows) if rows == check["rows"] => {}
            // An older quote() gives a number for a number.
            Ok(rows) if rusqlite::version_number() < 3_041_000 && bare(&rows) == bare(&check["rows"]) => {}
            other => wrong.push(format!("{sql}: {other:?} and not {}", check["rows"])),
        }
    }
    wrong
}

/// What a case comes to with a header; nothing when all is well.
#[expect(clippy::print_stderr, reason = "a test says which cases could not be made")]
fn play(case: &Value, header: &str) -> Vec<String> {
    let text = |key: &str| case[key].as_str().expect("a text");
    let mut db = Connection::open_in_memory().expect("a database");
    if let Err(error) = db.execute_batch(text("setup_sql")) {
        eprintln!("{} is not for this SQLite: {error}", text("name"));
        return Vec::new();
    }
    db.execute_batch("PRAGMA foreign_keys = ON").expect("a pragma");
    let upgrade = format!("-- ---\n-- revision: aaaa\n{header}-- ---\n{}\n", text("alter_sql"));
    let migrator = Migrator::from_files([("aaaa/upgrade.sql", upgrade)]).expect("a graph");
    let outcome = migrator.upgrade(&mut db);
    db.execute_batch("PRAGMA foreign_keys = ON").expect("a pragma");
    // The cases look at whole schemas, and know nothing of a version table.
    let _ = db.execute_batch("DROP TABLE sqlrev_revisions; DROP TABLE sqlrev_log");
    let must_fail = !matches!(case["must_fail"], Value::Bool(false) | Value::Null);
    let mut failures = wrong(case, &db);
    match outcome {
        Ok(_) if must_fail => failures.push("it must fail".to_owned()),
        Err(error) if !must_fail => failures.push(format!("{error:?}")),
        _ => {}
    }
    failures
        .iter()
        .map(|what| format!("{}: {what}", text("name")))
        .collect()
}

fn check(header: &str) {
    let cases = CASES
        .lines()
        .map(|line| serde_json::from_str::<Value>(line).expect("a case"));
    let failures: Vec<String> = cases.flat_map(|case| play(&case, header)).collect();
    let version = rusqlite::version();
    assert!(
        failures.is_empty(),
        "SQLite {version}: {} fail\n{}",
        failures.len(),
        failures.join("\n")
    );
}

#[test]
fn hazards_the_cheapest_way() {
    check("");
}

#[test]
fn hazards_always_copied() {
    check("-- recreate: always\n");
}
