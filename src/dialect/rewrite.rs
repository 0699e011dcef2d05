//! What a run of ALTERs becomes: statements, checks and switches, in order.

use crate::code::Code;
use crate::source::{SourceFile, Span};

/// A switch of the connection that SQL cannot reach inside a transaction, or that must be put back on every way out.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
#[non_exhaustive]
pub enum Setting {
    /// SQLite: enforcement of foreign keys (`SQLITE_DBCONFIG_ENABLE_FKEY`).
    ForeignKeys,
    /// SQLite: `ALTER TABLE … RENAME` leaves views, triggers and references alone.
    LegacyAlterTable,
    /// SQLite: triggers fire.
    Triggers,
    /// SQLite: `PRAGMA ignore_check_constraints`.
    IgnoreCheckConstraints,
    /// SQLite: the schema table can be written to (`SQLITE_DBCONFIG_WRITABLE_SCHEMA`). Never offline.
    WritableSchema,
    /// SQLite: a name in double quotes that nothing has is a text (`SQLITE_DBCONFIG_DQS_DML`). Never offline.
    QuotedTexts,
    /// SQLite: the schema table cannot be written to, whatever is said (`SQLITE_DBCONFIG_DEFENSIVE`). Never offline.
    Defensive,
}

/// One thing to do in the course of a rewrite.
#[derive(Debug, Clone)]
pub enum Op {
    /// Runs the statement.
    Sql {
        /// The statement.
        sql: String,
        /// Which of the run's statements it is for.
        at: usize,
        /// What to ask when the statement fails, in order: [`Op::Check`]s, of which the first with rows says why
        /// better than the database does.
        diagnosis: Vec<Op>,
    },
    /// Runs the query, which must return no row: each row it returns is an offender, shown in the error.
    /// Offline it becomes a guard that stops the script.
    Check {
        /// The query.
        sql: String,
        /// The code of the error.
        code: Code,
        /// The message of the error.
        message: String,
        /// What to do about it.
        help: String,
        /// Which of the run's statements the label goes under, and where in it; an empty place is the whole statement.
        at: (usize, Span),
    },
    /// Runs the query; only when it returns a row are the checks run, in order. It goes over the rows once for all of
    /// them. Never offline.
    AnyOf {
        /// The query.
        sql: String,
        /// The checks.
        checks: Vec<Op>,
    },
    /// Prepares the statement without running it: it must still compile. Offline this was proven on scratch.
    Compiles {
        /// The statement, beginning with EXPLAIN.
        sql: String,
        /// What it stands for: "view `v`", "trigger `tr`".
        object: String,
        /// Which of the run's statements the label goes under, and where in it; an empty place is the whole statement.
        at: (usize, Span),
    },
    /// Only offline: runs the statement on the planner's statistics, whether or not the database has any.
    Statistics {
        /// The statement.
        sql: String,
        /// Which of the run's statements it is for.
        at: usize,
    },
    /// Throws a switch and reads it back. `None` puts it back to what it was before the run.
    Set(Setting, Option<bool>),
}

/// The strategy of a rewrite that copies the table.
pub const COPY: &str = "copy";

impl Op {
    /// A statement with nothing to ask when it fails.
    pub fn sql(sql: impl Into<String>, at: usize) -> Self {
        Op::Sql {
            sql: sql.into(),
            at,
            diagnosis: Vec::new(),
        }
    }

    /// Whether it is [`Op::Statistics`].
    pub fn is_statistics(&self) -> bool {
        matches!(self, Op::Statistics { .. })
    }
}

/// One ALTER of a run, where it stands.
#[derive(Debug, Clone)]
pub struct AlterStatement {
    /// The statement, without the semicolon.
    pub text: String,
    /// The file it is in, for labels.
    pub file: SourceFile,
    /// The byte offset of `text` in `file.text`.
    pub offset: usize,
}

/// What some of a run's statements became.
#[derive(Debug, Clone)]
pub struct Rewrite {
    /// The table, as the database spells it.
    pub table: String,
    /// How many of the run's statements this covers, counted from the first; at least one.
    pub consumed: usize,
    /// `copy`, `in_place`, `index`, or `native` when SQLite's own ALTERs do it.
    pub strategy: &'static str,
    /// Why this way, in a few words.
    pub reason: String,
    /// What to do, in order.
    pub ops: Vec<Op>,
    /// What the reader should know: what a dropped column took along.
    pub notices: Vec<String>,
    /// Views and triggers that did not compile before: the kind and the name. They may again when the script has ended.
    pub broken: Vec<[String; 2]>,
}
