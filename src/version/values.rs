//! Rows as statements.

use std::fmt::Write as _;

use crate::dialect::Dialect;
use crate::version::Took;

/// An INSERT whose values are added as literals, one after the other.
pub(super) struct Values {
    dialect: &'static dyn Dialect,
    out: String,
    is_first: bool,
}

impl Values {
    pub(super) fn new(dialect: &'static dyn Dialect, table: &str, columns: &str, size: usize) -> Self {
        let mut out = String::with_capacity(size);
        out.extend(["INSERT INTO ", table, " (", columns, ") VALUES ("]);
        Self {
            dialect,
            out,
            is_first: true,
        }
    }

    fn push(&mut self, value: &str) {
        if !std::mem::take(&mut self.is_first) {
            self.out.push_str(", ");
        }
        self.out.push_str(value);
    }

    pub(super) fn text(&mut self, text: &str) {
        self.push("");
        self.dialect.append_literal(&mut self.out, text);
    }

    /// The statement.
    pub(super) fn end(mut self) -> String {
        self.out.push(')');
        self.out
    }

    pub(super) fn maybe(&mut self, text: Option<&str>) {
        match text {
            Some(text) => self.text(text),
            None => self.push("NULL"),
        }
    }

    pub(super) fn took(&mut self, took: Option<Took>) {
        match took {
            Some(Took::Milliseconds(number)) => {
                self.push("");
                let _ = write!(self.out, "{number}");
            }
            Some(Took::Transaction) => self.push(self.dialect.version_sql().elapsed.unwrap_or("NULL")),
            None => self.push("NULL"),
        }
    }

    pub(super) fn time(&mut self, at: Option<&str>) {
        match at {
            Some(at) => self.text(at),
            None => self.push(self.dialect.version_sql().now),
        }
    }
}
