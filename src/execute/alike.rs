//! Statements that differ in their values alone: what a script has asked about one of them holds of the next, until the
//! schema changes.

use std::collections::BTreeSet;

use crate::sql::split::SplitRules;
use crate::sql::token::{self, Kind};

/// As many are remembered at a time; scripts of many statements repeat a few.
const MOST: usize = 64;

/// A longer one is not compared: of these there are not many.
const LONG: usize = 4096;

/// The statements that were looked at.
#[derive(Debug, Default)]
pub(super) struct Alike {
    seen: BTreeSet<String>,
}

impl Alike {
    /// Whether a statement changes rows as one before it did, which nothing else came after; it is remembered from now on.
    pub(super) fn again(&mut self, statement: &str, rules: &'static SplitRules) -> bool {
        if !rules.is_about_rows(statement) {
            self.forget();
            return false;
        }
        if statement.len() > LONG {
            return false;
        }
        let shape = shape(statement, rules);
        if self.seen.contains(&shape) {
            return true;
        }
        if self.seen.len() >= MOST {
            self.forget();
        }
        self.seen.insert(shape);
        false
    }

    /// What was seen holds no longer.
    pub(super) fn forget(&mut self) {
        self.seen.clear();
    }
}

/// The statement without its values.
fn shape(statement: &str, rules: &'static SplitRules) -> String {
    let mut shape = String::with_capacity(statement.len());
    let mut named = false;
    for token in token::significant(statement, rules) {
        let text = &statement[token.span];
        let word = matches!(token.kind, Kind::Word | Kind::Quoted);
        // SQLite takes a text for a name where one has to stand, which is behind a word or a dot.
        let value = token.kind == Kind::Number || token.kind == Kind::Text && !named;
        shape.push_str(if value { "?" } else { text });
        shape.push(' ');
        named = word || text == ".";
    }
    shape
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::sql::split::SQLITE;

    #[test]
    fn values_tell_nothing_apart() {
        let mut alike = Alike::default();
        let mut again = |sql: &str| alike.again(sql, &SQLITE);
        assert!(!again("INSERT INTO t VALUES (1, 'a')"));
        assert!(again("INSERT  INTO t VALUES (20, 'b; c')"));
        assert!(!again("INSERT INTO t VALUES (1, NULL)"));
        assert!(!again("UPDATE t SET a = 1"));
        assert!(again("INSERT INTO t VALUES (3, 'a')"));
        assert!(!again("UPDATE t SET b = 1"));
        assert!(!again("INSERT INTO 't' VALUES (1, 'a')"));
        assert!(!again("INSERT INTO 'u' VALUES (1, 'a')"));
        assert!(!again("INSERT INTO main.'u' VALUES (1, 'a')"));
        assert!(!again("INSERT INTO main.'t' VALUES (1, 'a')"));
        assert!(!again("DROP TABLE t"));
        assert!(!again("INSERT INTO t VALUES (1, 'a')"));
    }
}
