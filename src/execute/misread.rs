//! What a copy by hand writes into the new table instead of what its author means.

use crate::dialect::{Dialect, Rows};
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

/// What to say of a statement that copies a table into the one which takes its place, and leaves out columns that both have.
/// Where `rows` are known, only if one holds anything.
pub(super) fn left_out(
    statement: &str,
    (course, between): (&Course, &Between),
    dialect: &dyn Dialect,
    rows: bool,
    ask: &mut dyn FnMut(&str) -> Result<Rows>,
) -> Option<String> {
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
    (!named.is_empty()).then(|| {
        format!(
            "{} {is} in `{source}` and in the table that takes its place, and {is} not copied",
            named.join(", ")
        )
    })
}
