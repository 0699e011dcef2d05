//! New columns whose default is another value for each row. MySQL takes none in ADD COLUMN, since rows of a replica would
//! get others; MariaDB does, and writes such a default without parentheses.

use crate::dialect::mysql::render::STRICT;
use crate::dialect::mysql::schema::{quoted, words};
use crate::schema::{Column, Key, Kind, Model, Table};

/// Functions that give another value each time, as MySQL writes them.
const DRAWN: [&str; 5] = ["uuid(", "uuid_short(", "rand(", "random_bytes(", "sysdate("];

/// Whether MySQL refuses to add a column with its default.
pub(super) fn is(column: &Column) -> bool {
    let default = column
        .default
        .as_ref()
        .map(|default| default.written.to_ascii_lowercase());
    let default = default.filter(|default| default.starts_with('('));
    default.is_some_and(|default| DRAWN.iter().any(|function| default.contains(function)))
}

/// Whether a trigger of the table would fire when its rows are filled.
pub(super) fn fires(table: &Key, from: &Model) -> bool {
    from.objects.iter().any(|(key, object)| {
        let is_one = key.kind == Kind::Trigger && object.on.as_ref() == Some(table);
        is_one && object.create.iter().any(|create| create.contains(" UPDATE ON "))
    })
}

/// Of an UPDATE, what lets the moments stay that it would set.
pub(super) fn moments_stay(table: &Table) -> String {
    let moments = table.columns.iter().filter(|column| {
        let words = column.other.written.to_ascii_uppercase();
        words.contains("ON UPDATE")
    });
    let moments = moments.map(|column| quoted(&column.name));
    moments.map(|moment| format!(", {moment} = {moment}")).collect()
}

/// The column first, then its values, then what is said of it. Moments that an UPDATE would set stay.
pub(super) fn added(key: &Key, column: &Column, now: &Table) -> Vec<String> {
    let collation = now.options.get("collation").map_or("", String::as_str);
    let table = quoted(&key.name);
    let bare = Column {
        default: None,
        not_null: false,
        ..column.clone()
    };
    let value = column.default.as_ref().map_or("", |default| default.written.as_str());
    let mut values = format!("{} = {value}", quoted(&column.name));
    values.push_str(&moments_stay(now));
    vec![
        format!("ALTER TABLE {table} ADD COLUMN {}", words(&bare, collation)),
        STRICT.to_owned(),
        format!("UPDATE {table} SET {values}"),
        format!("ALTER TABLE {table} MODIFY COLUMN {}", words(column, collation)),
    ]
}
