//! The hazard cases, online and as an offline script.

use rusqlite::Connection;
use rusqlite::types::ValueRef;
use serde_json::{Value, json};

use crate::dialect::Rewrite;
use crate::dialect::sqlite::harness::{dump, rows, run_offline, run_online};
use crate::error::Result;
use crate::revision::Recreate;

const CASES: &str = include_str!("../../../testdata/batch/hazards.jsonl");

fn set_up(case: &Value) -> Connection {
    let connection = Connection::open_in_memory().expect("a database");
    connection
        .execute_batch(case["setup_sql"].as_str().expect("text"))
        .expect("the set-up");
    connection.execute_batch("PRAGMA foreign_keys=ON").expect("a pragma");
    connection
}

fn online(case: &Value, recreate: Recreate, seen: &mut dyn FnMut(&Rewrite)) -> (Connection, Result<()>) {
    let connection = set_up(case);
    let outcome = run_online(&connection, case["alter_sql"].as_str().expect("text"), recreate, seen);
    (connection, outcome)
}

fn offline(case: &Value) -> (Connection, Result<()>) {
    let connection = set_up(case);
    let outcome = run_offline(&connection, case["alter_sql"].as_str().expect("text"));
    (connection, outcome)
}

fn values(connection: &Connection, sql: &str) -> rusqlite::Result<Value> {
    let mut all = Vec::new();
    let mut statement = connection.prepare(sql)?;
    let count = statement.column_count();
    let mut found = statement.query([])?;
    while let Some(row) = found.next()? {
        let mut values = Vec::new();
        for at in 0..count {
            values.push(match row.get_ref(at)? {
                ValueRef::Null => Value::Null,
                ValueRef::Integer(value) => json!(value),
                ValueRef::Real(value) => json!(value),
                ValueRef::Text(text) => json!(String::from_utf8_lossy(text)),
                ValueRef::Blob(blob) => json!(blob),
            });
        }
        all.push(Value::Array(values));
    }
    Ok(Value::Array(all))
}

/// What of a case's expectations does not hold.
fn wrong(case: &Value, connection: &Connection) -> Vec<String> {
    let mut wrong = Vec::new();
    let of = |key: &str| case["expect"][key].as_array().cloned().unwrap_or_default();
    for query in of("schema_checks").into_iter().chain(of("queries")) {
        let sql = query["sql"].as_str().expect("text");
        match values(connection, sql) {
            Ok(rows) if rows == query["rows"] => {}
            Ok(rows) => wrong.push(format!("{sql}\n    want {}\n    got  {rows}", query["rows"])),
            Err(error) => wrong.push(format!("{sql}: {error}")),
        }
    }
    for query in of("behaviours") {
        let sql = query["sql"].as_str().expect("text");
        if let Some(ok) = query["ok"].as_bool() {
            let ran = connection.execute_batch(sql);
            if ran.is_ok() != ok {
                wrong.push(format!("{sql}: {ran:?}"));
            }
        } else {
            match values(connection, sql) {
                Ok(rows) if rows == query["rows"] => {}
                other => wrong.push(format!("{sql}: {other:?}")),
            }
        }
    }
    wrong
}

fn cases() -> impl Iterator<Item = Value> {
    CASES.lines().map(|line| serde_json::from_str(line).expect("a case"))
}

fn report(failures: &[String]) {
    assert!(failures.is_empty(), "{} fail\n{}", failures.len(), failures.join("\n"));
}

fn judge(case: &Value, connection: &Connection, outcome: &Result<()>, failures: &mut Vec<String>) {
    let name = case["name"].as_str().expect("text");
    let must_fail = !matches!(case["must_fail"], Value::Bool(false) | Value::Null);
    match (must_fail, outcome) {
        (true, Ok(())) => failures.push(format!("{name}: must fail ({})", case["must_fail"])),
        (false, Err(error)) => failures.push(format!("{name}: {error:?}")),
        _ => {}
    }
    for line in wrong(case, connection) {
        failures.push(format!("{name}: {line}"));
    }
    let sound = rows(connection, "PRAGMA integrity_check").expect("a check");
    // Old rows may violate what they violated before.
    if name != "preexisting_check_violation_kept" && sound != [vec![Some("ok".to_owned())]] {
        failures.push(format!("{name}: {sound:?}"));
    }
}

#[test]
fn hazards_online() {
    let mut failures = Vec::new();
    for case in cases() {
        let (connection, outcome) = online(&case, Recreate::Auto, &mut |_| {});
        judge(&case, &connection, &outcome, &mut failures);
    }
    report(&failures);
}

#[test]
fn hazards_always_copied() {
    let mut failures = Vec::new();
    for case in cases() {
        let (connection, outcome) = online(&case, Recreate::Always, &mut |_| {});
        judge(&case, &connection, &outcome, &mut failures);
    }
    report(&failures);
}

/// What a script cannot do: foreign keys that are on between copies.
const NOT_OFFLINE: &[&str] = &["fk_dml_cascades_in_same_revision"];

#[test]
fn hazards_offline_leave_the_same_database() {
    let mut failures = Vec::new();
    let random = |name: &str| name == "add_column_volatile_default_per_row";
    for case in cases().filter(|case| case["same_connection"] != json!(true)) {
        let name = case["name"].as_str().expect("text");
        if NOT_OFFLINE.contains(&name) {
            continue;
        }
        let (connection, outcome) = offline(&case);
        let (other, _) = online(&case, Recreate::Auto, &mut |_| {});
        if !random(name) && dump(&connection) != dump(&other) {
            let pairs: Vec<String> = dump(&connection)
                .iter()
                .zip(dump(&other))
                .filter(|(a, b)| *a != b)
                .map(|(a, b)| format!("\n  offline {a}\n  online  {b}"))
                .collect();
            failures.push(format!("{name}: differs{}", pairs.concat()));
        }
        judge(&case, &connection, &outcome, &mut failures);
    }
    report(&failures);
}
