//! Where statements end: one pass over a script of any size, in memory or read piece by piece.
//!
//! The rules are written down in `grammar/split.ebnf`; its examples are tests of this module.

mod buffer;
mod fault;
mod machine;
mod mode;
mod plain;
mod scan;
mod step;
#[cfg(test)]
mod tests;

pub use fault::{Fault, FaultKind, Unterminated};
pub use scan::Statements;

use crate::source::Span;

/// How a dialect's scripts are cut into statements.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct SplitRules {
    /// The dialect the rules are for.
    pub flavor: Flavor,
}

/// Whose lexical rules apply.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
#[expect(missing_docs, reason = "the names say it")]
pub enum Flavor {
    Sqlite,
    Postgresql,
    Mysql,
}

/// SQLite's rules.
pub const SQLITE: SplitRules = SplitRules { flavor: Flavor::Sqlite };
/// PostgreSQL's rules, as psql applies them.
pub const POSTGRESQL: SplitRules = SplitRules {
    flavor: Flavor::Postgresql,
};
/// MySQL's and MariaDB's rules, as the mysql client applies them.
pub const MYSQL: SplitRules = SplitRules { flavor: Flavor::Mysql };

/// What a script is made of, in order.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Piece<'a> {
    /// A statement to send.
    Statement(Statement<'a>),
    /// Lines of data for the `COPY … FROM stdin` that came before; one COPY may have several pieces, or none.
    Data(Data<'a>),
    /// The `\.` line that ends the data of a `COPY … FROM stdin`.
    DataEnd,
}

/// A statement and its place in the file.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Statement<'a> {
    /// The statement, byte for byte: no white space or comment around it, no terminator.
    pub text: &'a str,
    /// Where `text` begins in the file, in bytes.
    pub offset: u64,
    /// How many lines of the file come before the line that `text` begins on.
    pub line: usize,
    /// The column that `text` begins at, in characters from 1.
    pub column: usize,
    /// Where the file goes on after the terminator, in bytes.
    pub end: u64,
    /// White space, comments and empty statements between the previous piece and `text`.
    pub gap_before: &'a str,
    /// Whether lines of data follow: the statement is a `COPY … FROM stdin`.
    pub takes_data: bool,
    /// `text` and what stands between it and the terminator.
    pub(crate) raw: &'a str,
    /// Where white space and comments stand in `raw`; empty unless [`Statements::note_gaps`] asked for them, and where `squeezed` is there.
    pub(crate) gaps: &'a [Span],
    /// The statement without white space that means nothing, where [`Statements::squeeze`] asked for it and the
    /// statement is plain.
    pub(crate) squeezed: Option<&'a [u8]>,
}

/// Whole lines of data, each with the end of its line.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Data<'a> {
    /// The lines.
    pub text: &'a str,
    /// Where `text` begins in the file, in bytes.
    pub offset: u64,
    /// How many lines of the file come before `text`.
    pub line: usize,
}

/// The line that chose another delimiter than a semicolon, and that delimiter, where the last statement of a text waits for
/// it to the end.
pub(crate) fn unended(text: &str, rules: &SplitRules) -> Option<(usize, String)> {
    let mut pieces = Statements::of_text(text, rules);
    let mut ended = true;
    while let Some(piece) = pieces.next().ok()? {
        ended = match piece {
            Piece::Statement(statement) => {
                let behind = usize::try_from(statement.offset).ok()? + statement.raw.len();
                usize::try_from(statement.end).ok()? > behind
            }
            _ => true,
        };
    }
    let chosen = usize::try_from(pieces.chosen?).ok()?;
    let delimiter = String::from_utf8(pieces.delimiter).ok()?;
    (!ended).then_some((chosen, delimiter))
}

/// Where the statements of a whole text stand, without terminators. Data of COPY is stepped over.
///
/// ```
/// use sqlrev::sql::split::{SQLITE, statements};
/// assert_eq!(statements("SELECT ';'; -- a;\nSELECT 2", &SQLITE).unwrap(), [0..10, 18..26]);
/// ```
pub fn statements(text: &str, rules: &SplitRules) -> Result<Vec<Span>, Fault> {
    let mut pieces = Statements::of_text(text, rules);
    let mut spans = Vec::new();
    while let Some(piece) = pieces.next()? {
        if let Piece::Statement(statement) = piece {
            let start = usize::try_from(statement.offset).unwrap_or(usize::MAX);
            spans.push(start..start.saturating_add(statement.text.len()));
        }
    }
    Ok(spans)
}
