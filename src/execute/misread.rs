//! What a copy by hand writes into the new table instead of what its author means.

use crate::dialect::{Dialect, Replaces, Rows};
use crate::error::Result;
use crate::execute::between::Between;
use crate::execute::course::Course;

/// What to say of a statement that has filled a table which the script made, where the database took the name of a column
/// for a text. Where `rows` are known, only if there are any. Nothing is said where the database does not answer.
pub(super) fn note(
    statement: &str,
    course: &Course,
    dialect: &dyn Dialect,
    rows: bool,
    ask: &mut dyn FnMut(&str) -> Result<Rows>,
) -> Option<String> {
    let change = dialect.changes_rows(statement).filter(|change| change.copies);
    let change = change.filter(|change| course.is_made(&change.table));
    let (table, references) = (change?.table, dialect.references()?);
    let column = references.text_for_name(statement, &table, ask).ok()??;
    let mut any = || ask(&format!("SELECT 1 FROM {} LIMIT 1", references.stored(&table)));
    if rows && any().ok()?.is_empty() {
        return None;
    }
    Some(format!(
        "\"{column}\" is no column of what is copied into `{table}`: every row gets the text '{column}'"
    ))
}

/// What copies by hand have left out, by the table that they fill, unless something else fills it as well.
#[derive(Debug, Default)]
pub(super) struct LeftOut(Vec<(String, String)>);

impl LeftOut {
    /// Sees what a statement does to the tables, and what it says of it by [`left_out`].
    pub(super) fn read(&mut self, statement: &str, note: Option<(String, String)>, dialect: &dyn Dialect) {
        if self.0.is_empty() && note.is_none() {
            return;
        }
        if let Some(Replaces::Renames { from, to }) = dialect.replaces(statement) {
            let mut known = self.0.iter_mut().map(|(table, _)| table);
            if let Some(table) = known.find(|table| **table == from) {
                *table = to;
            }
        } else if let Some(change) = dialect.changes_rows(statement) {
            let before = self.0.len();
            self.0.retain(|(table, _)| *table != change.table);
            if self.0.len() < before {
                return;
            }
        }
        self.0.extend(note);
    }

    /// What there is to say, once.
    pub(super) fn said(&mut self) -> impl Iterator<Item = String> + use<> {
        std::mem::take(&mut self.0).into_iter().map(|(_, note)| note)
    }
}

/// What to say of a statement that copies a table into the one which takes its place, and leaves out columns that both have:
/// the table that it fills, and the words. Where `rows` are known, only if one holds anything.
pub(super) fn left_out(
    statement: &str,
    (course, between): (&Course, &Between),
    dialect: &dyn Dialect,
    rows: bool,
    ask: &mut dyn FnMut(&str) -> Result<Rows>,
) -> Option<(String, String)> {
    let change = dialect.changes_rows(statement).filter(|change| change.copies);
    let table = change.filter(|change| course.is_made(&change.table))?.table;
    let references = dialect.references()?;
    let (source, mut columns) = references.left_out(statement, &table, ask).ok()??;
    let replaces = between.becomes(&table) == Some(&source) || course.was(&source) == Some(&table);
    if !replaces {
        return None;
    }
    let stored = references.stored(&source);
    columns.retain(|column| {
        let column = dialect.ident(column);
        let any = format!("SELECT 1 FROM {stored} WHERE {column} IS NOT NULL LIMIT 1");
        !rows || ask(&any).is_ok_and(|found| !found.is_empty())
    });
    let named: Vec<String> = columns.iter().map(|column| format!("`{column}`")).collect();
    let is = if named.len() == 1 { "is" } else { "are" };
    if named.is_empty() {
        return None;
    }
    let words = format!(
        "{} {is} in `{source}` and in the table that takes its place, and {is} not copied",
        named.join(", ")
    );
    Some((table, words))
}
