//! A BINARY that gets shorter. The servers fill up its values with zeros, and refuse to cut these as they would other bytes:
//! without more, no row lets its column go back to what it was before.

use crate::dialect::mysql::render::{STRICT, drawn};
use crate::dialect::mysql::schema::{quoted, words};
use crate::schema::diff::Alter;
use crate::schema::{Column, Key, Model, Table};

/// The column before and after, where an ALTER makes a BINARY shorter.
pub(super) fn pair<'t>(alter: &Alter, now: &'t Table, then: &'t Table) -> Option<(&'t Column, &'t Column)> {
    let (Alter::SetType { to: column, .. } | Alter::SetOther { to: column, .. }) = alter else {
        return None;
    };
    let (was, column) = (now.column(&column.folded)?, then.column(&column.folded)?);
    let is_plain = was.generated.is_none() && column.generated.is_none();
    (is_plain && length(column)? < length(was)?).then_some((was, column))
}

fn length(column: &Column) -> Option<u32> {
    let length = column.data_type.written.strip_prefix("binary(")?;
    length.strip_suffix(')')?.parse().ok()
}

/// The statements: the zeros go first, and what is too long still is refused. None where a trigger would see the rows.
pub(super) fn cut(key: &Key, from: &Model, now: &Table, was: &Column, modify: &str) -> Option<Vec<String>> {
    if drawn::fires(key, from) {
        return None;
    }
    let collation = now.options.get("collation").map_or("", String::as_str);
    let (table, name) = (quoted(&key.name), quoted(&was.name));
    let mut free = was.clone();
    free.data_type.written = format!("var{}", was.data_type.written);
    Some(vec![
        STRICT.to_owned(),
        format!(
            "-- This may change the values of column {} of {}.",
            was.name.replace('\n', " "),
            key.name.replace('\n', " ")
        ),
        format!("ALTER TABLE {table} MODIFY COLUMN {}", words(&free, collation)),
        format!(
            "UPDATE {table} SET {name} = TRIM(TRAILING x'00' FROM {name}){}",
            drawn::moments_stay(now)
        ),
        format!("ALTER TABLE {table} {modify}"),
    ])
}

/// What is said where nothing else can be done.
pub(super) fn word(column: &Column) -> String {
    let name = column.name.replace('\n', " ");
    format!("-- Rows are refused, as the zeros at the end of their {name} count as bytes that are cut.")
}
