//! A column that is there and is to number rows from now on. Both servers give a row whose value is 0 the next number then,
//! as they do where a row comes, and a foreign key may point at it.

use crate::dialect::mysql::render::keys::Keys;
use crate::schema::diff::{Alter, Change};
use crate::schema::{Column, Key, Model};

/// Lets a 0 be a 0.
const ZERO: &str = "SET SESSION sql_mode = CONCAT(@@SESSION.sql_mode, ',NO_AUTO_VALUE_ON_ZERO')";

/// Sets what an ALTER needs that begins to number rows, and says which get a number; whether it does.
pub(super) fn begin(statements: &mut Vec<String>, change: &Change, from: &Model, to: &Model) -> bool {
    let on = |model: &Model| model.objects.get(change.key()).and_then(|object| object.on.clone());
    let table = on(from).or_else(|| on(to)).unwrap_or_else(|| change.key().clone());
    if !stays(&table, from, to) {
        return false;
    }
    let begins = |sql: &String| {
        let modifies = sql.contains("MODIFY COLUMN ") && sql.contains(" AUTO_INCREMENT");
        // With its key a column gets back what it gave up with another one.
        sql.starts_with("ALTER TABLE ") && modifies && (sql.contains(" ADD ") || !numbers(&table, from))
    };
    let Some(at) = statements.iter().position(begins) else {
        return false;
    };
    statements.insert(at, ZERO.to_owned());
    if let Some(column) = may_be_null(change, from) {
        let name = column.name.replace('\n', " ");
        let word = format!("-- This numbers the rows whose {name} is NULL.");
        statements.insert(at, word);
    }
    true
}

/// Whether the column that is to number rows has values now: those of a new one are 0 until they get numbers.
fn stays(table: &Key, from: &Model, to: &Model) -> bool {
    let then = to.table(table).into_iter().flat_map(|table| &table.columns);
    let column = then.into_iter().find(|column| column.identity.is_some());
    let now = from.table(table);
    let there = column.filter(|column| now.is_some_and(|now| now.column(&column.folded).is_some()));
    let keys = Keys::of(table, from, to);
    there.zip(keys).is_some_and(|(column, keys)| !keys.goes(&column.folded))
}

/// Whether a column of the table numbers rows now.
fn numbers(table: &Key, from: &Model) -> bool {
    let table = from.table(table);
    table.is_some_and(|table| table.columns.iter().any(|column| column.identity.is_some()))
}

/// The column, where it may be NULL now.
fn may_be_null<'m>(change: &Change, from: &'m Model) -> Option<&'m Column> {
    let Change::Alter(key, alter) = change else {
        return None;
    };
    let (Alter::SetIdentity { to: column, .. } | Alter::SetNotNull(column) | Alter::SetType { to: column, .. }) =
        &**alter
    else {
        return None;
    };
    let was = from.table(key)?.column(&column.folded)?;
    (!was.not_null).then_some(was)
}
