//! What a copy by hand writes into the new table instead of what its author means.

use crate::dialect::{Dialect, Replaces, Rows};
use crate::error::Result;
use crate::execute::between::Between;
use crate::execute::course::Course;
use crate::sql::token::{self, Kind};

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

/// Columns that a copy by hand leaves out.
#[derive(Debug)]
pub(super) struct Missed {
    /// The table that it fills.
    table: String,
    /// The one that it copies.
    source: String,
    /// The columns.
    columns: Vec<String>,
}

/// What copies by hand have left out, unless something else fills it as well.
#[derive(Debug, Default)]
pub(super) struct LeftOut(Vec<Missed>);

impl LeftOut {
    /// Sees what a statement does to the tables, and what [`left_out`] says of it.
    pub(super) fn read(&mut self, statement: &str, missed: Option<Missed>, dialect: &dyn Dialect) {
        // Millions of statements are plain INSERTs.
        let copies = || token::holds(statement, b"insert") && token::holds(statement, b"select");
        if missed.is_none() && self.0.is_empty() && !copies() {
            return;
        }
        if let Some(Replaces::Renames { from, to }) = dialect.replaces(statement) {
            if let Some(known) = self.0.iter_mut().find(|known| known.table == from) {
                known.table = to;
            }
            return;
        }
        let Some(change) = dialect.changes_rows(statement) else {
            return;
        };
        let Some(known) = self.0.iter_mut().find(|known| known.table == change.table) else {
            // The first copy counts; another one is for other rows.
            let nothing = || Missed {
                table: change.table.clone(),
                source: String::new(),
                columns: Vec::new(),
            };
            if missed.is_some() || change.copies {
                self.0.push(missed.unwrap_or_else(nothing));
            }
            return;
        };
        let rules = dialect.rules();
        if token::keywords(statement, rules, 1) == ["DELETE"] {
            return;
        }
        let says = |column: &String| {
            let mut tokens = token::significant(statement, rules);
            tokens.any(|token| {
                token.kind != Kind::Text && token::unquoted(&statement[token.span]).eq_ignore_ascii_case(column)
            })
        };
        known.columns.retain(|column| !says(column));
    }

    /// What there is to say, once.
    pub(super) fn said(&mut self) -> impl Iterator<Item = String> + use<> {
        let missed = std::mem::take(&mut self.0).into_iter();
        missed.filter(|missed| !missed.columns.is_empty()).map(|missed| {
            let named: Vec<String> = missed.columns.iter().map(|column| format!("`{column}`")).collect();
            let is = if named.len() == 1 { "is" } else { "are" };
            format!(
                "{} {is} in `{}` and in the table that takes its place, and {is} not copied",
                named.join(", "),
                missed.source
            )
        })
    }
}

/// What a statement leaves out that copies a table into the one which takes its place, of the columns that both have. Where
/// `rows` are known, only those that hold anything.
pub(super) fn left_out(
    statement: &str,
    (course, between): (&Course, &Between),
    dialect: &dyn Dialect,
    rows: bool,
    ask: &mut dyn FnMut(&str) -> Result<Rows>,
) -> Option<Missed> {
    // Millions of statements are plain INSERTs.
    let change = token::holds(statement, b"select").then(|| dialect.changes_rows(statement));
    let table = change.flatten().filter(|change| course.is_made(&change.table))?.table;
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
    (!columns.is_empty()).then_some(Missed { table, source, columns })
}
