//! How many rows the statement before has changed, and who asks.

#[expect(unused_imports, reason = "the documentation names them")]
use crate::dialect::{CHANGES, TOTAL_CHANGES};

/// What a dialect knows of the numbers of rows that statements change.
pub trait Counts {
    /// What the statement asks for of how many rows others have changed: [`CHANGES`] or [`TOTAL_CHANGES`].
    fn asks_count(&self, statement: &str) -> Option<&'static str> {
        let _ = statement;
        None
    }

    /// Whether the number that [`CHANGES`] gives may be another one after the statement.
    fn sets_count(&self, statement: &str) -> bool {
        let _ = statement;
        false
    }

    /// The statements after which [`CHANGES`] gives this number, which is a literal or a query in parentheses.
    fn give_count(&self, rows: &str) -> Vec<String> {
        let _ = rows;
        Vec::new()
    }
}
