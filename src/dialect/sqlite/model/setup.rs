//! The script that sets up the database to be altered.

use std::fmt::Write as _;

use rusqlite::types::Value;

use crate::dialect::sqlite::model::random::Random;
use crate::dialect::sqlite::model::scene::Scene;
use crate::dialect::sqlite::model::schema::{Column, Pen, Table};
use crate::dialect::sqlite::model::state::{Row, State, rowid};
use crate::sql::write::{quoted, sqlite_literal};

fn literal(value: &Value) -> String {
    match value {
        Value::Null => "NULL".to_owned(),
        Value::Integer(number) => number.to_string(),
        Value::Real(number) => format!("{number:?}"),
        Value::Text(text) => sqlite_literal(text),
        Value::Blob(bytes) => format!(
            "x'{}'",
            bytes.iter().map(|byte| format!("{byte:02x}")).collect::<String>()
        ),
    }
}

/// Whether the last column may have come by an ADD COLUMN, so that older rows read it from the definition.
fn late(random: &mut Random, table: &Table) -> Option<Column> {
    let last = table.columns.last()?;
    let plain = last.generated.is_none()
        && last.default.as_ref().is_none_or(|value| !value.starts_with('('))
        && (!last.not_null || last.default.is_some())
        && !table.in_key(last.id)
        && !table.uniques.iter().any(|unique| unique.columns.contains(&last.id))
        && !table.foreigns.iter().any(|foreign| foreign.columns.contains(&last.id))
        && !format!("{:?} {:?}", table.checks, table.columns).contains(&format!("Column({})", last.id));
    (plain && table.columns.len() > 2 && random.chance(40)).then(|| last.clone())
}

/// The script for the database to be altered. Rows that are older than a late column lose their value for it.
pub(super) fn written(random: &mut Random, mut state: State) -> Scene {
    let mut setup = String::new();
    let (mut columns, mut hanging) = (Vec::new(), Vec::new());
    let schema = state.schema.clone();
    for table in &schema.tables {
        let late = late(random, table).filter(|late| {
            let referred = schema.tables.iter().flat_map(|table| &table.foreigns);
            !referred
                .clone()
                .any(|key| key.to.as_ref().is_some_and(|to| to.contains(&late.id)))
        });
        let mut first = table.clone();
        if late.is_some() {
            first.columns.pop();
        }
        let (text, definitions) = Pen(Some(random)).table(&schema, &first);
        let _ = writeln!(setup, "{text};");
        columns.extend(definitions);
        let rows = state.rows.entry(table.id).or_default();
        let young = if late.is_some() { rows.len() / 2 } else { rows.len() };
        let (old, new) = rows.split_at_mut(young);
        if let Some(late) = &late {
            for row in &mut *old {
                row.values.remove(&late.id);
            }
            insert(&mut setup, &first, old);
            let definition = Pen(Some(random)).column(&schema, late, Vec::new());
            let _ = writeln!(
                setup,
                "ALTER TABLE {} ADD COLUMN {definition};",
                quoted(&table.name, '"')
            );
            columns.push((late.id, definition));
            insert(&mut setup, table, new);
        } else {
            insert(&mut setup, table, old);
        }
        if let Some(sequence) = state.sequence.get(&table.id) {
            let name = sqlite_literal(&table.name);
            let _ = writeln!(
                setup,
                "DELETE FROM sqlite_sequence WHERE name = {name}; INSERT INTO sqlite_sequence VALUES ({name}, {sequence});"
            );
        }
        hanging.extend(
            table
                .indexes
                .iter()
                .map(|index| Pen(Some(random)).index(&schema, table, index)),
        );
    }
    hanging.extend(schema.views.iter().map(|view| Pen(Some(random)).view(&schema, view)));
    hanging.extend(
        schema
            .triggers
            .iter()
            .map(|trigger| Pen(Some(random)).trigger(&schema, trigger)),
    );
    for text in &hanging {
        // A comment at the end would swallow the semicolon.
        let _ = writeln!(setup, "{text}\n;");
    }
    if random.chance(20) {
        setup.push_str("ANALYZE;\n");
    }
    Scene {
        state,
        setup,
        columns,
        hanging,
    }
}

fn insert(setup: &mut String, table: &Table, rows: &[Row]) {
    for row in rows {
        let mut names = Vec::new();
        let mut values = Vec::new();
        if let (Some(name), Some(number), None) = (rowid(table), row.rowid, table.alias()) {
            names.push(name.to_owned());
            values.push(number.to_string());
        }
        for column in table.columns.iter().filter(|column| column.generated.is_none()) {
            names.push(quoted(&column.name, '"'));
            values.push(row.values.get(&column.id).map_or_else(|| "NULL".to_owned(), literal));
        }
        let _ = writeln!(
            setup,
            "INSERT INTO {} ({}) VALUES ({});",
            quoted(&table.name, '"'),
            names.join(", "),
            values.join(", ")
        );
    }
}
