//! What is dropped and what comes, where it may be one thing under another name.

use std::collections::BTreeSet;

use crate::schema::diff::table;
use crate::schema::{Key, Kind, Model, Table};
use crate::sorted::Gather as _;

/// A drop and an addition that may be one thing under another name.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord)]
pub struct Rename {
    /// The table in the present schema.
    pub table: Key,
    /// The column, as names are compared; none for the table itself.
    pub column: Option<String>,
    /// The new name, as it is spelled.
    pub to: String,
    /// The new name, as names are compared.
    pub folded: String,
}

impl Rename {
    /// The table under its new name.
    pub fn becomes(&self) -> Key {
        Key {
            name: self.folded.clone(),
            ..self.table.clone()
        }
    }

    /// As it is typed: `users.name=full_name`.
    pub fn shown(&self) -> String {
        match &self.column {
            Some(column) => format!("{}.{column}={}", self.table.shown(), self.to),
            None => format!("{}={}", self.table.shown(), self.to),
        }
    }
}

/// What looks like a rename: a table that goes and one that comes with the same columns; a column that goes and one of
/// the same type that comes to the same table, when it is the only such pair of its table.
pub fn likely_renames(from: &Model, to: &Model) -> Vec<Rename> {
    let mut found = Vec::new();
    let gone = |key: &&Key| key.kind == Kind::Table && !to.objects.contains_key(*key);
    let come = |key: &&Key| key.kind == Kind::Table && !from.objects.contains_key(*key);
    for old in from.objects.keys().filter(gone) {
        let Some(table) = from.table(old) else { continue };
        let same =
            |key: &&Key| key.schema == old.schema && to.table(key).is_some_and(|other| same_columns(table, other));
        let mut matches = to.objects.keys().filter(come).filter(same);
        if let (Some(new), None) = (matches.next(), matches.next()) {
            found.push(Rename {
                table: old.clone(),
                column: None,
                to: to.objects[new].name.clone(),
                folded: new.name.clone(),
            });
        }
    }
    for (key, object) in &from.objects {
        if let (Some(now), Some(then)) = (&object.table, to.table(key)) {
            found.extend(table::likely_rename(key, now, then));
        }
    }
    found
}

fn same_columns(one: &Table, other: &Table) -> bool {
    let columns = |table: &Table| -> BTreeSet<(String, String)> {
        let pairs = table.columns.iter();
        pairs
            .map(|column| (column.folded.clone(), column.data_type.meaning.clone()))
            .into_set()
    };
    !one.columns.is_empty() && columns(one) == columns(other)
}
