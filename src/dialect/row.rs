//! A row of a catalog, value by value.

use crate::dialect::Rows;

/// What is left of a row.
pub(super) struct Row(std::vec::IntoIter<Option<String>>);

impl Row {
    /// The rows of a query.
    pub(super) fn all(rows: Rows) -> impl Iterator<Item = Self> {
        rows.into_iter().map(|row| Self(row.into_iter()))
    }

    pub(super) fn optional(&mut self) -> Option<String> {
        self.0.next().flatten()
    }

    pub(super) fn text(&mut self) -> String {
        self.optional().unwrap_or_default()
    }

    /// Whether it is PostgreSQL's word for true.
    pub(super) fn flag(&mut self) -> bool {
        self.text() == "t"
    }

    /// The number of an object; 0 where there is none.
    pub(super) fn oid(&mut self) -> u32 {
        self.text().parse().unwrap_or_default()
    }
}
