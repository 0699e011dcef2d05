//! Databases whose rows may refer to rows that are not there.

use std::collections::BTreeSet;

use crate::dialect::Rows;
use crate::error::Result;

/// What such a database says of rows and of those that they refer to.
pub trait References: Sync + std::fmt::Debug {
    /// A query for rows that point at rows which do not exist: in `orphan` something that tells each from the others,
    /// in `words` what it is.
    fn orphans(&self) -> &'static str;

    /// Likewise for comparing with what was there before a script: rows of these tables, which it replaces, are told by
    /// their parents alone, since they may have other numbers now. Of all tables, or of one.
    fn orphans_after(&self, replaced: &BTreeSet<String>, table: Option<&str>) -> String;

    /// The rows that those queries cannot name, by their keys: the words that the queries have for them, and others.
    ///
    /// # Errors
    /// What the database says to the questions.
    fn orphans_by_key(&self, query: &mut dyn FnMut(&str) -> Result<Rows>) -> Result<Vec<[String; 2]>>;

    /// A query for the tables that have foreign keys.
    fn referring(&self) -> &'static str;

    /// A query that counts the rows of a table which point at rows that do not exist, and one for the other tables that
    /// refer to it: their names, and for each a query that counts the rows which should have one there.
    fn orphans_around(&self, table: &str) -> [String; 2];

    /// A query for the tables and columns whose rows would be deleted or changed along with a table that is dropped.
    fn followers(&self, table: &str) -> String;

    /// A query for what refers to a table that is not there by the name that a RENAME gave it: the kind and the name.
    fn refers_to(&self, table: &str) -> String;

    /// A query for the columns of a table that refer to others, each with a query that counts the rows where it is not
    /// NULL.
    fn filled(&self, table: &str) -> String;
}
