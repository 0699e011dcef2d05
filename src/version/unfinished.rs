//! Where a revision without a transaction stopped, as its row has it.

use std::time::Duration;

use crate::revision::Direction;
use crate::version::{Row, VersionTable};

/// Where a revision without a transaction stopped.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Unfinished {
    /// Which way it was going.
    pub direction: Direction,
    /// How many statements had run.
    pub statements: u64,
    /// Whether one more was begun, of which nobody knows whether it came to its end.
    pub begun: bool,
}

impl Unfinished {
    /// Whether it stopped before its first statement had done anything.
    pub(crate) fn has_done_nothing(self) -> bool {
        self.statements == 0 && !self.begun
    }
}

impl Row {
    /// Whether the revision is applied as a whole: nothing of its way down is done.
    pub(crate) fn is_whole(&self) -> bool {
        self.is_applied() && self.unfinished.is_none_or(Unfinished::has_done_nothing)
    }
}

/// What follows the number of statements where one more was begun.
const BEGUN: &str = ":begun";

impl VersionTable {
    /// The statement that records the end of an upgrade, which began with the dialect's stopwatch.
    pub fn ended_now(&self, id: &str) -> String {
        self.end(id, self.dialect.version_sql().elapsed.unwrap_or("NULL"))
    }

    /// The statement that records the end of an upgrade, and how long it took, for a row that stands at one of these places.
    pub fn ended(&self, id: &str, from: &[Unfinished], took: Duration) -> String {
        self.end(id, &took.as_millis().to_string()) + &self.still_at(from)
    }

    fn end(&self, id: &str, took: &str) -> String {
        let id = self.dialect.literal(id);
        format!(
            "UPDATE {} SET unfinished = NULL, duration_ms = {took} WHERE revision = {id}",
            self.revisions
        )
    }
}

/// How it stands in a row.
pub(super) fn written(at: Unfinished) -> String {
    let begun = if at.begun { BEGUN } else { "" };
    format!("{}:{}{begun}", at.direction.name(), at.statements)
}

/// What stands in a row; none where that cannot be read.
pub(super) fn read_unfinished(text: &str) -> Option<Unfinished> {
    let (direction, statements) = text.split_once(':')?;
    let direction = match direction {
        "upgrade" => Direction::Upgrade,
        "downgrade" => Direction::Downgrade,
        _ => return None,
    };
    let done = statements.strip_suffix(BEGUN);
    Some(Unfinished {
        direction,
        statements: done.unwrap_or(statements).parse().ok()?,
        begun: done.is_some(),
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_row_says_where_it_stopped() {
        for text in ["upgrade:0", "downgrade:12", "upgrade:3:begun"] {
            assert_eq!(read_unfinished(text).map(written).as_deref(), Some(text));
        }
        for text in ["upgrade", "upgrade:", "sideways:1", "upgrade:1:done"] {
            assert_eq!(read_unfinished(text), None, "{text}");
        }
    }
}
