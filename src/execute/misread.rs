//! What a copy by hand writes into the new table instead of what its author means.

use crate::dialect::{Dialect, Rows};
use crate::error::Result;
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
