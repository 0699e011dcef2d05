//! Reads the directive `-- sqlrev:reorder table (column, …)`, for which SQL has no words.

use crate::sql::parse::alter::{self, Action, ActionKind, Alter, Unreadable};
use crate::sql::parse::cursor::Cursor;

/// The directive that puts the columns of a table in another order; it stands in a comment of its own.
const REORDER: &str = "-- sqlrev:reorder";

/// What the directive says, with its first words blanked out so that places stay what they are.
pub(super) fn words(text: &str) -> Option<String> {
    let rest = text.strip_prefix(REORDER)?;
    rest.starts_with([' ', '\t'])
        .then(|| format!("{}{rest}", " ".repeat(REORDER.len())))
}

/// Reads `-- sqlrev:reorder table (column, …)`.
pub(super) fn read(words: &str) -> Result<Alter, Unreadable> {
    let mut cursor = Cursor::new(words);
    let mut table = alter::name(&mut cursor, "the name of a table")?;
    let mut schema = None;
    if cursor.take(&["."]) {
        schema = Some(table);
        table = alter::name(&mut cursor, "the name of a table")?;
    }
    let start = cursor.position();
    if !cursor.take(&["("]) {
        return Err(alter::stop(&cursor, "the columns in parentheses"));
    }
    let mut columns = vec![alter::name(&mut cursor, "the name of a column")?];
    while cursor.take(&[","]) {
        columns.push(alter::name(&mut cursor, "the name of a column")?);
    }
    if !cursor.take(&[")"]) || !cursor.at_end() {
        return Err(alter::stop(&cursor, "a comma or the closing parenthesis"));
    }
    let action = Action {
        span: cursor.since(start),
        kind: ActionKind::Reorder(columns),
    };
    Ok(Alter {
        if_exists: false,
        schema,
        table,
        actions: vec![action],
    })
}
