//! Databases whose rows may refer to rows that are not there.

use std::collections::BTreeSet;

use crate::dialect::Rows;
use crate::error::Result;

/// What becomes of a row when the one that it points at goes or changes.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Along {
    /// Nothing.
    Stays,
    /// The same.
    Follows,
    /// Its columns point at nothing, or at another one.
    Changes,
}

/// A foreign key by which rows of a table point at those of another.
#[derive(Debug)]
pub struct Leads {
    /// The table that has it.
    pub child: String,
    /// Its columns.
    pub from: Vec<String>,
    /// Those of the other table, in lower case.
    pub to: Vec<String>,
    /// One of these is computed from others.
    pub computed: bool,
    /// When the row goes.
    pub deleted: Along,
    /// When one of its columns changes.
    pub changed: Along,
    /// A query that finds a row, named in words, which points at one that is there.
    pub pointing: String,
}

/// What such a database says of rows and of those that they refer to.
pub trait References: Sync + std::fmt::Debug {
    /// A query for rows that point at rows which do not exist: in `orphan` something that tells each from the others for a script
    /// to compare with what was there before it, in `words` what it is. Rows of these tables, which a script replaces, are told
    /// by their parents alone, since they may have other numbers now, and so are those without numbers.
    fn orphans_after(&self, replaced: &BTreeSet<String>) -> String;

    /// A query for the same of the database as it is now, of all tables or of one: the table, its parent, what tells the
    /// row from others in two ways, so that a change of the keys leaves one of them, and what it is in words. Rows of
    /// these tables are told by what they hold.
    ///
    /// # Errors
    /// What the database says to the questions.
    fn orphans_now(
        &self,
        replaced: &BTreeSet<String>,
        table: Option<&str>,
        query: &mut dyn FnMut(&str) -> Result<Rows>,
    ) -> Result<String>;

    /// A query for the tables that have foreign keys.
    fn referring(&self) -> &'static str;

    /// A query that names, in words, the foreign keys whose parent has no key that they fit.
    fn misfits(&self) -> &'static str;

    /// A query that counts the rows of a table which point at rows that do not exist, and one for the other tables that
    /// refer to it: their names, and for each a query that counts the rows which should have one there.
    fn orphans_around(&self, table: &str) -> [String; 2];

    /// A query for the tables and columns whose rows would be deleted or changed along with a table that is dropped.
    fn followers(&self, table: &str) -> String;

    /// A query for the triggers that may fire when such rows go or change, theirs and those of their own followers.
    fn triggers_along(&self, table: &str) -> String;

    /// A query that returns a row where the table is one of a module, which may refuse to be asked for rows.
    fn of_module(&self, table: &str) -> String;

    /// Those of the followers, and of these triggers, that are none of the `known`, in words, where the table has rows;
    /// `there`: it is known to be there, and can be asked.
    fn unknown_followers(&self, table: &str, known: [&[String]; 2], there: bool) -> String;

    /// The foreign keys by which rows point at those of a table.
    ///
    /// # Errors
    /// What the database says to the questions.
    fn leads(&self, table: &str, query: &mut dyn FnMut(&str) -> Result<Rows>) -> Result<Vec<Leads>>;

    /// A query for the words of those nodes of a graph that are reached from the node `0`: an edge leads from one to another
    /// where its query finds a row.
    fn reached(&self, edges: &[(usize, usize, String)], words: &[(usize, String)]) -> String;

    /// Whether a trigger fires when rows of a table go, or when a column of theirs changes.
    ///
    /// # Errors
    /// What the database says to the questions.
    fn fires(&self, table: &str, column: Option<&str>, query: &mut dyn FnMut(&str) -> Result<Rows>) -> Result<bool>;

    /// Whether a view, a trigger of another table or a virtual table says the name of a table.
    ///
    /// # Errors
    /// What the database says to the question.
    fn mentions(&self, table: &str, query: &mut dyn FnMut(&str) -> Result<Rows>) -> Result<bool>;

    /// A query for those of these tables that are there, each in words.
    fn stay(&self, tables: &[String]) -> String;

    /// The schema and the table of a statement that drops one.
    fn drops(&self, statement: &str) -> Option<(Option<String>, String)>;

    /// A query for the other databases of the connection, and one for whether a table of the connection's own database, or a
    /// temporary one, has this name.
    fn attached(&self, table: &str) -> [String; 2];

    /// A query for the tables whose rows would be deleted or changed along with a table of such a database, each with a
    /// query that finds a row which would.
    fn followers_there(&self, schema: &str, table: &str) -> String;

    /// A query for what refers to a table that is not there by the name that a RENAME gave it: the kind and the name.
    fn refers_to(&self, table: &str) -> String;

    /// A query for the columns of a table that refer to others, each with a query that counts the rows where it is not
    /// NULL.
    fn filled(&self, table: &str) -> String;

    /// A table of the database itself as it stands in statements, whatever temporary one has its name.
    fn stored(&self, table: &str) -> String;

    /// Whether the statement says when foreign keys are checked. Where it says so twice, violations may be forgotten.
    fn defers(&self, statement: &str) -> bool;

    /// What to say of a statement that the database passes over in a transaction, and says nothing of.
    fn passed_over(&self, statement: &str) -> Option<&'static str>;

    /// Whether the statement may leave views and triggers behind that do not compile, or foreign keys that fit no key,
    /// without a word of the database.
    fn unsettles(&self, statement: &str) -> bool;

    /// Whether a row that an INSERT brings into a table may change one that is there, or take its place.
    ///
    /// # Errors
    /// What the database says to the questions.
    fn may_replace(&self, statement: &str, table: &str, query: &mut dyn FnMut(&str) -> Result<Rows>) -> Result<bool>;

    /// The first column of a table that a statement copies rows into and that gets its own name as a text, since the source
    /// has no such column and the database takes the name for one.
    ///
    /// # Errors
    /// What the database says to the questions.
    fn text_for_name(
        &self,
        statement: &str,
        table: &str,
        query: &mut dyn FnMut(&str) -> Result<Rows>,
    ) -> Result<Option<String>>;

    /// The table that a statement copies rows from, and its columns that the table which they are copied into has as well and
    /// does not get.
    ///
    /// # Errors
    /// What the database says to the questions.
    fn left_out(
        &self,
        statement: &str,
        table: &str,
        query: &mut dyn FnMut(&str) -> Result<Rows>,
    ) -> Result<Option<(String, Vec<String>)>>;

    /// A query that gives a row when a DROP TABLE that says the name without a schema would meet a temporary table; none
    /// where it says one.
    fn shadowed(&self, statement: &str, table: &str) -> Option<String>;
}
