//! Questions to a database, from code that must not see its connection.

use crate::error::Result;

/// The rows of a query, every value as text; `None` is NULL.
pub type Rows = Vec<Vec<Option<String>>>;

/// A question to a database, from code that must not see its connection.
pub trait Ask {
    /// Runs a query in the transaction of the step that is running. EXPLAIN and PRAGMA are queries as well.
    fn query(&mut self, sql: &str) -> Result<Rows>;
    /// An empty database of the same kind in memory, to try statements on; with it an error's byte offset is known.
    fn scratch(&mut self) -> Result<Box<dyn Scratch>>;
    /// Whether this is a replay in memory for a script that somebody runs later: the schema is known, the rows are not.
    fn offline(&self) -> bool {
        false
    }
    /// Whether the rows that the database holds are those that the statements will meet.
    fn knows_rows(&self) -> bool {
        !self.offline()
    }
    /// Where it does not: whether a table will have rows when the statements run, as far as that is known.
    ///
    /// # Errors
    /// As [`Ask::query`].
    fn will_have_rows(&mut self, schema: &str, table: &str) -> Result<Option<bool>> {
        let _ = (schema, table);
        Ok(None)
    }
    /// Where it does not: whether the connection will have put a row into a table by then, as far as that is known.
    fn will_have_inserted(&self) -> Option<bool> {
        None
    }
}

/// An empty database to try things on.
pub trait Scratch {
    /// Runs one statement.
    fn execute(&mut self, sql: &str) -> Result<(), ScratchError>;
    /// Runs a query.
    fn query(&mut self, sql: &str) -> Result<Rows, ScratchError>;
    /// What a statement reads, as the database resolves its names; `None` where it does not tell. With `quoted_texts` a
    /// name in double quotes that nothing has is a text, as it may be in SQLite.
    ///
    /// # Errors
    /// Why it does not compile.
    fn reads(&mut self, sql: &str, quoted_texts: bool) -> Result<Option<Vec<ColumnRead>>, ScratchError> {
        let _ = (sql, quoted_texts);
        Ok(None)
    }
}

/// One place of a statement that reads a column.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord)]
pub struct ColumnRead {
    /// The table, in lower case.
    pub table: String,
    /// The column, in lower case.
    pub column: String,
    /// The trigger or view that the place is in, where the database tells it.
    pub within: Option<String>,
}

/// Why a scratch database refused a statement.
#[derive(Debug, Clone)]
pub struct ScratchError {
    /// The database's own words.
    pub message: String,
    /// The byte offset in the statement that it points at, where it does.
    pub offset: Option<usize>,
}
