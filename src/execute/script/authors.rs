//! The author's own transactions in a revision without one.

use crate::dialect::Dialect;
use crate::sql::token;

/// Whether a statement begins one, where none is open.
pub(in crate::execute) fn opens(statement: &str, dialect: &dyn Dialect) -> bool {
    dialect.stands_alone(statement)
        && matches!(
            token::keywords(statement, dialect.rules(), 1)
                .first()
                .map(String::as_str),
            Some("BEGIN" | "START" | "SAVEPOINT")
        )
}

/// Whether one that began with this savepoint, or with none, is open behind a statement.
pub(in crate::execute) fn stays_open(statement: &str, begun_by: Option<&str>, dialect: &dyn Dialect) -> bool {
    if !dialect.stands_alone(statement) {
        return true;
    }
    let words = token::keywords(statement, dialect.rules(), 4);
    let words: Vec<&str> = words.iter().map(String::as_str).collect();
    match words.as_slice() {
        ["COMMIT" | "END", ..] => false,
        ["RELEASE", ..] => begun_by.is_none() || begun_by != savepoint(statement, dialect).as_deref(),
        ["ROLLBACK" | "ABORT", rest @ ..] => rest.contains(&"TO"),
        _ => true,
    }
}

/// The name of a savepoint that a statement makes or releases.
pub(in crate::execute) fn savepoint(statement: &str, dialect: &dyn Dialect) -> Option<String> {
    let words = token::keywords(statement, dialect.rules(), 1);
    let named = matches!(words.first().map(String::as_str), Some("SAVEPOINT" | "RELEASE"));
    let last = token::significant(statement, dialect.rules())
        .last()
        .filter(|_| named)?;
    Some(token::unquoted(&statement[last.span]).to_ascii_lowercase())
}
