//! Two databases side by side: what SQLite says of them, what they hold, and how they answer the same statements.

use std::collections::BTreeSet;

use rusqlite::Connection;

use crate::dialect::sqlite::harness::rows;
use crate::dialect::sqlite::model::random::Random;
use crate::dialect::sqlite::model::schema::{Schema, Table};
use crate::dialect::sqlite::model::state::rowid;
use crate::sql::split::SQLITE;
use crate::sql::token::{significant, unquoted};
use crate::sql::write::{quoted, sqlite_literal};

/// What is known of a database, a line each.
fn known(db: &Connection, schema: &Schema) -> Vec<String> {
    let mut lines = Vec::new();
    let list = "SELECT name, type, ncol, wr, strict FROM pragma_table_list \
                WHERE schema = 'main' AND name NOT LIKE 'sqlite\\_%' ESCAPE '\\' ORDER BY name";
    push(db, list, "tables", &mut lines);
    let all =
        "SELECT type, name, tbl_name FROM sqlite_schema WHERE name NOT LIKE 'sqlite\\_%' ESCAPE '\\' ORDER BY 1, 2";
    push(db, all, "objects", &mut lines);
    push(
        db,
        "SELECT * FROM sqlite_sequence WHERE seq > 0 ORDER BY name",
        "sequence",
        &mut lines,
    );
    for table in &schema.tables {
        described(db, table, &mut lines);
        lines.push(format!("constraints of {}: {:?}", table.name, names(db, &table.name)));
    }
    lines.extend(held(db, schema));
    lines
}

fn push(db: &Connection, sql: &str, what: &str, lines: &mut Vec<String>) {
    for row in rows(db, sql).unwrap_or_default() {
        lines.push(format!("{what}: {row:?}"));
    }
}

fn described(db: &Connection, table: &Table, lines: &mut Vec<String>) {
    let name = sqlite_literal(&table.name);
    let columns = format!(
        "SELECT name, upper(type), \"notnull\", dflt_value, pk, hidden FROM pragma_table_xinfo({name}) ORDER BY cid"
    );
    for mut row in rows(db, &columns).expect("columns") {
        // A comment before GENERATED ALWAYS is part of the type for SQLite.
        let text = row[1].clone().unwrap_or_default();
        let words: Vec<_> = significant(&text, &SQLITE).map(|token| &text[token.span]).collect();
        row[1] = Some(words.join(" "));
        lines.push(format!("column of {}: {row:?}", table.name));
    }
    let keys = format!(
        "SELECT group_concat(t || ' ' || f || '->' || coalesce(p, '') || ' ' || u || ' ' || d || ' ' || m) AS line FROM \
         (SELECT id, \"table\" AS t, \"from\" AS f, \"to\" AS p, on_update AS u, on_delete AS d, \"match\" AS m \
         FROM pragma_foreign_key_list({name}) ORDER BY id, seq) GROUP BY id ORDER BY line"
    );
    push(db, &keys, &format!("foreign key of {}", table.name), lines);
    let list = format!("SELECT name, \"unique\", origin, partial FROM pragma_index_list({name})");
    let mut indexes = Vec::new();
    for row in rows(db, &list).expect("indexes") {
        let index = row[0].clone().expect("a name");
        let shown = if row[2].as_deref() == Some("c") { &index } else { "" };
        let columns = format!(
            "SELECT name, \"desc\", coll, key FROM pragma_index_xinfo({}) ORDER BY seqno",
            sqlite_literal(&index)
        );
        let columns = rows(db, &columns).expect("columns");
        indexes.push(format!("index of {}: {shown} {:?} {columns:?}", table.name, &row[1..]));
    }
    indexes.sort();
    lines.extend(indexes);
}

/// The names that are given to constraints.
fn names(db: &Connection, table: &str) -> BTreeSet<String> {
    let sql = format!(
        "SELECT sql FROM sqlite_schema WHERE type = 'table' AND name = {}",
        sqlite_literal(table)
    );
    let text = rows(db, &sql).expect("a schema")[0][0].clone().expect("a definition");
    let words: Vec<_> = significant(&text, &SQLITE).map(|token| &text[token.span]).collect();
    let named = words
        .windows(2)
        .filter(|pair| pair[0].eq_ignore_ascii_case("CONSTRAINT"));
    named.map(|pair| unquoted(pair[1]).into_owned()).collect()
}

/// Every row with its rowid and the storage classes of its values.
pub(super) fn held(db: &Connection, schema: &Schema) -> Vec<String> {
    let mut lines = Vec::new();
    for table in &schema.tables {
        let mut values: Vec<String> = rowid(table).into_iter().map(str::to_owned).collect();
        for column in &table.columns {
            values.push(format!("quote({})", quoted(&column.name, '"')));
        }
        let sql = format!("SELECT {} FROM {}", values.join(", "), quoted(&table.name, '"'));
        let mut found: Vec<String> = match rows(db, &sql) {
            Ok(rows) => rows
                .iter()
                .map(|row| format!("row of {}: {row:?}", table.name))
                .collect(),
            Err(error) => vec![error.to_string()],
        };
        found.sort();
        lines.extend(found);
    }
    for view in &schema.views {
        let mut found: Vec<String> = rows(db, &format!("SELECT * FROM {}", quoted(&view.name, '"')))
            .expect("a view")
            .iter()
            .map(|row| format!("row of {}: {row:?}", view.name))
            .collect();
        found.sort();
        lines.extend(found);
    }
    lines
}

/// What differs between what is and what should be.
pub(super) fn differs(is: &Connection, should: &Connection, schema: &Schema) -> Option<String> {
    let sound = rows(is, "PRAGMA integrity_check").expect("a check");
    if sound != rows(should, "PRAGMA integrity_check").expect("a check") {
        return Some(format!("{sound:?}"));
    }
    lines_differ(&known(is, schema), &known(should, schema))
}

pub(super) fn lines_differ(is: &[String], should: &[String]) -> Option<String> {
    if is == should {
        return None;
    }
    let only = |lines: &[String], others: &[String], mark: &str| -> String {
        let missing = lines.iter().filter(|line| !others.contains(line));
        missing.map(|line| format!("  {mark} {line}\n")).collect()
    };
    Some(format!(
        "is not as it should be:\n{}{}",
        only(is, should, "is     "),
        only(should, is, "should ")
    ))
}

/// The same statements to both, which have to be refused or not alike, and leave the same rows.
pub(super) fn behaves(is: &Connection, should: &Connection, schema: &Schema, random: &mut Random) -> Option<String> {
    for statement in battery(schema, random) {
        let (one, other) = (outcome(is, &statement), outcome(should, &statement));
        if one != other {
            return Some(format!("{statement}\n  is     {one}\n  should {other}"));
        }
    }
    lines_differ(&held(is, schema), &held(should, schema)).map(|what| format!("after the same statements it {what}"))
}

/// Values that rows are made of.
pub(super) const VALUES: &[&str] = &[
    "1", "2", "3", "'k'", "7", "NULL", "x'0102'", "2.5", "'12'", "''", "'K'", "'never'", "4", "5",
];

fn battery(schema: &Schema, random: &mut Random) -> Vec<String> {
    let mut statements = Vec::new();
    let mut columns = Vec::new();
    for table in &schema.tables {
        let name = quoted(&table.name, '"');
        let stored = table.columns.iter().filter(|column| column.generated.is_none());
        let names: Vec<String> = stored.map(|column| quoted(&column.name, '"')).collect();
        statements.push(format!("INSERT INTO {name} DEFAULT VALUES"));
        for _ in 0..3 {
            let values: Vec<&str> = names.iter().map(|_| *random.pick(VALUES)).collect();
            statements.push(format!(
                "INSERT INTO {name} ({}) VALUES ({})",
                names.join(", "),
                values.join(", ")
            ));
        }
        for column in names {
            let value = random.pick(VALUES);
            statements.push(format!("UPDATE {name} SET {column} = {value}"));
            let value = random.pick(VALUES);
            columns.push(format!("DELETE FROM {name} WHERE {column} IS {value}"));
        }
    }
    random.shuffle(&mut columns);
    columns.truncate(4);
    statements.extend(columns);
    statements
}

/// Whether a statement is refused, or what it leaves when it is committed; what it did stays where it is not.
fn outcome(db: &Connection, sql: &str) -> String {
    db.execute_batch("SAVEPOINT one").expect("a savepoint");
    let ran = db.execute_batch(sql);
    let ended = ran.and_then(|()| {
        db.execute_batch("RELEASE one").map_err(|error| {
            // A deferred key stops the end and not the statement, which must show.
            rusqlite::Error::SqliteFailure(
                error.sqlite_error().copied().expect("an error of SQLite"),
                Some("at the end".to_owned()),
            )
        })
    });
    match ended {
        Ok(()) => "done".to_owned(),
        Err(error) => {
            if let Err(error) = db.execute_batch("ROLLBACK TO one; RELEASE one") {
                return format!("broken: {error}");
            }
            let at_end = error.to_string() == "at the end";
            let code = error.sqlite_error().map_or(0, |error| error.extended_code);
            // Which of several keys is looked at first is no matter.
            let kind = match code {
                1555 | 2067 | 2579 => 2067,
                // Nor whose action comes first: one of RESTRICT, or one that gives an INTEGER PRIMARY KEY no number.
                20 | 1811 => 1811,
                other => other,
            };
            format!("refused {kind}{}", if at_end { " at the end" } else { "" })
        }
    }
}
