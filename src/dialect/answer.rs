//! What a dialect answers: queries with what they are for, and what it sees in a statement.

/// The SQL of the version table in one kind of database.
#[derive(Debug, Clone, Copy)]
pub struct VersionSql {
    /// Creates both tables, named `{revisions}` and `{log}`; statements end at `;` before a line end.
    pub create: &'static str,
    /// A query that returns a row when the table is there; `{revisions}` is its name as a literal, `{table}` the name as
    /// it stands in statements, as a literal.
    pub exists: &'static str,
    /// A query that returns a row when statements that name the tables of the names `{revisions}` and `{log}`, both as
    /// literals, would reach others, of the session's own.
    pub hidden: Option<&'static str>,
    /// A query for id and checksum of every revision in the version table, without the checksum where it has not come to
    /// its end, in the order of the ids: what stands before the name of the table, and after it, with the quotes around
    /// it; none where a program had better not ask at each start.
    pub brief: Option<[&'static str; 2]>,
    /// Creates the index, named `{index}`, that answers that query alone, unless it is there.
    pub index: Option<&'static str>,
    /// The moment in UTC as a text `2026-11-22T21:14:00Z`.
    pub now: &'static str,
    /// The milliseconds since the transaction began, where the database can say so.
    pub elapsed: Option<&'static str>,
    /// What makes an UPDATE or DELETE return a row for each that it changed, where two runs could come to the same row
    /// at once; empty where a lock keeps them apart.
    pub returning: &'static str,
    /// Runs at once what waits for the COMMIT of the transaction that is open: what an author deferred goes by the role and
    /// the settings that he has set.
    pub settles: Option<&'static str>,
}

/// How copies of a database are made by other means than ours, in words of advice.
#[derive(Debug, Clone, Copy)]
pub struct CopiedBy {
    /// A backup.
    pub backup: &'static str,
    /// What puts one back.
    pub restore: &'static str,
    /// A second database to try things on.
    pub rehearse: &'static str,
}

/// How the progress of a statement is seen from another connection.
#[derive(Debug, Clone, Copy)]
pub struct Followed {
    /// What it does, in a word: `CREATE INDEX`.
    pub what: &'static str,
    /// A query for the phase, how much of it is done, and of how much, with `{process}` for the session's process.
    pub query: &'static str,
}

/// How to see whether a statement has run.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Look {
    /// What shows it to people.
    pub sql: String,
    /// A query whose only value is `t` where the statement certainly has not run.
    pub not_run: Option<String>,
    /// Whether a try that was refused may be made again as it is.
    pub again: bool,
}

/// What a statement leaves behind when it fails outside of transactions.
#[derive(Debug, Clone)]
pub struct Leftovers {
    /// A query for them: what each is, and the statement that drops it.
    pub query: String,
    /// Whether they are certainly of this statement, or may be of another one.
    pub certain: bool,
    /// Whether the statement would pass over them as if all were well.
    pub passes_over: bool,
    /// Whether the statement itself takes them away when it is run again.
    pub goes_again: bool,
}

/// How large a table is, as queries of one row.
#[derive(Debug, Clone)]
pub struct SizeSql {
    /// How many rows it has.
    pub rows: String,
    /// A number of bytes of disk that a copy never needs more than; found at once.
    pub bound: String,
    /// The bytes that it takes with what hangs on it, and the bytes of disk that a copy needs; takes a look at every
    /// page of it.
    pub bytes: String,
}

/// How large a table is, and what a copy of it needs.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Size {
    /// Its rows.
    pub rows: u64,
    /// The bytes that it takes with what hangs on it.
    pub bytes: u64,
    /// The bytes of disk that a copy needs besides.
    pub disk: u64,
}

/// What becomes of a statement in a replay.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Replay {
    /// It runs.
    Run,
    /// It does not change the schema, or reaches out of the scratch database.
    Skip,
    /// This runs in its place.
    Instead(String),
}

/// What a statement lacks that fails in a replay, and in truth may not.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Lack {
    /// It fails in truth as well.
    Nothing,
    /// What the server of a scratch database or the role there may not have: an extension, another role.
    Server,
    /// An object, which a statement may have made that failed for such a reason.
    Object,
    /// Rows, which a statement may have brought that is passed over.
    Rows,
}

/// A part of a table's replacement; names in lower case, unquoted, without their schema.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Replaces {
    /// The old table goes.
    Drops(String),
    /// A new one has its name.
    Creates {
        /// The name.
        table: String,
        /// It is made with its rows.
        filled: bool,
    },
    /// Another one takes its name, or the old one a name to be dropped by.
    Renames {
        /// The name before.
        from: String,
        /// The name afterwards.
        to: String,
    },
}

/// What a statement does to the rows of a table.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct RowChange {
    /// The table, in lower case, unquoted; none of that name where it is one of another schema.
    pub table: String,
    /// Rows of a query come into it; not rows that are written out, and none is changed or taken away.
    pub copies: bool,
}

/// A view or trigger that does not compile.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Broken {
    /// `view` or `trigger`, and the name.
    pub object: [String; 2],
    /// What the database says of it.
    pub words: String,
}

/// Rows that point at nothing, and may point elsewhere after a statement.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Held {
    /// A query for them: what tells one from others, as [`References::orphans_after`](super::References::orphans_after) has it,
    /// and what it holds.
    Rows {
        /// Their table.
        table: String,
        /// The query.
        query: String,
    },
    /// Those of a table where one cannot be told from another.
    Uncertain {
        /// The table.
        table: String,
        /// A query for them.
        query: String,
        /// What they are told by, as literals.
        orphans: String,
    },
}

impl Held {
    /// Their table.
    pub fn table(&self) -> &str {
        match self {
            Self::Rows { table, .. } | Self::Uncertain { table, .. } => table,
        }
    }
}

/// How many rows the last statement has changed that changes any.
pub const CHANGES: &str = "changes()";

/// How many the connection has changed since it was opened.
pub const TOTAL_CHANGES: &str = "total_changes()";

/// What is known of a statement that failed.
#[derive(Debug, Clone, Copy)]
pub struct Told<'a> {
    /// The database's code.
    pub code: &'a str,
    /// Its words.
    pub message: &'a str,
    /// Whether this server does data definition as a whole or not at all.
    pub atomic: bool,
}
