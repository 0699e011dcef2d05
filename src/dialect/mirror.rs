//! The schema of a database, made again in an empty one: what plans are made on.

use std::collections::BTreeSet;

use crate::dialect::{AlterStatement, Ask, Rewrite, Rows, Scratch};
use crate::error::Result;

/// How the schema of a database is made again in an empty one, without its rows.
pub trait Mirrors: Sync {
    /// Makes the schema that `live` answers for on `scratch`. Of the tables that are `altered`, it is asked whether they
    /// have rows; they are named as [`crate::dialect::Dialect::batch_table`] names them.
    ///
    /// # Errors
    /// What `live` fails with, and what cannot be made on `scratch`.
    fn mirror(
        &self,
        live: &mut dyn FnMut(&str) -> Result<Rows>,
        altered: &BTreeSet<String>,
        scratch: &mut dyn Scratch,
    ) -> Result<Box<dyn Mirror>>;
}

/// What is known of the rows that a mirrored schema does not have.
pub trait Mirror: Send {
    /// A statement that is not rewritten is about to run on the mirror, or to be passed over there.
    ///
    /// # Errors
    /// Those of asking the mirror.
    fn before(&mut self, statement: &str, ask: &mut dyn Ask) -> Result<()>;

    /// What some ALTERs became is done.
    ///
    /// # Errors
    /// Those of asking the mirror.
    fn altered(&mut self, run: &[AlterStatement], rewrite: &Rewrite, ask: &mut dyn Ask) -> Result<()>;

    /// A revision is written down.
    fn recorded(&mut self);

    /// Whether the connection of the run has put a row into a table when the plan has come here.
    fn has_inserted(&self) -> bool;

    /// Whether a table has rows when the plan has come here; where only the run can tell, the likelier. None for a table
    /// of which nothing is known.
    ///
    /// # Errors
    /// Those of asking the mirror.
    fn has_rows(&mut self, schema: &str, table: &str, ask: &mut dyn Ask) -> Result<Option<bool>>;

    /// Whether the database refuses as well what the mirror refuses with these words: it may have what an application
    /// has given it.
    fn refuses_too(&self, message: &str) -> bool;
}
