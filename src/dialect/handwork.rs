//! What a dialect makes of ALTERs that its database lacks, what it says of tables that a script drops or replaces by hand, and
//! how offline scripts are written in it.
//!
//! It does not stand in [`Dialect`] itself, whose methods every program has that opens a connection: what nothing asks for
//! here, the linker leaves out.

use std::collections::BTreeSet;

use crate::code::Code;
use crate::dialect::mysql::MysqlScript;
use crate::dialect::postgres::PostgresScript;
use crate::dialect::sqlite::{Sqlite, SqliteScript};
use crate::dialect::{
    AlterStatement, Ask, Broken, Dialect, References, Replaces, Rewrite, RowChange, Rows, ScriptSql, Setting,
};
use crate::error::{Error, Result};
use crate::revision::Recreate;

/// What a dialect makes of ALTERs, and says of tables that a script drops or replaces by hand.
pub trait Handwork: Sync {
    /// Turns the first statements of a run of consecutive ALTERs of one table into what this database can run; the
    /// caller runs that and asks again with the rest.
    ///
    /// # Errors
    /// The `batch::…` codes, labelled in the file, before anything ran.
    fn rewrite(&self, run: &[AlterStatement], recreate: Recreate, ask: &mut dyn Ask) -> Result<Rewrite>;

    /// What it says of rows that point at rows which do not exist; none where there cannot be any.
    fn references(&self) -> Option<&'static dyn References>;

    /// The switch that a statement means to throw, where the database leaves it undone in a transaction without a word.
    fn meant_switch(&self, statement: &str) -> Option<(Setting, bool)>;

    /// A query for what goes along with each table that is dropped: the table, and the kind and the name of what hangs on
    /// it.
    fn hangs_on_tables(&self) -> &'static str;

    /// What takes its rows from a table by their numbers and keeps an index of them: its name, and a statement that fails
    /// where that does not fit the rows.
    ///
    /// # Errors
    /// Those of the query.
    fn indexes_of_rows(
        &self,
        table: &str,
        query: &mut dyn FnMut(&str) -> Result<Rows>,
    ) -> Result<Vec<(String, String)>>;

    /// Whether the statement is part of a table's replacement by another one, written by hand.
    fn replaces(&self, statement: &str) -> Option<Replaces>;

    /// The table whose rows a statement changes.
    fn changes_rows(&self, statement: &str) -> Option<RowChange>;

    /// Whether the statement cannot stand among others that are held by one transaction.
    fn tears(&self, statement: &str) -> bool;

    /// A query for the last number that a table gave to a row and will not give again; no row where it has no such.
    fn counter(&self, table: &str) -> String;

    /// The views and triggers that do not compile, each with what the database says of it.
    ///
    /// # Errors
    /// What the database says to the question.
    fn broken(&self, ask: &mut dyn Ask) -> Result<Vec<Broken>>;

    /// For a script: queries for the views and triggers that name one of the tables, do not compile where the revisions are
    /// replayed, and may where it runs, by what no revision makes; and what to say of them.
    ///
    /// # Errors
    /// What the replay says to the question.
    fn mended(&self, tables: &BTreeSet<String>, ask: &mut dyn Ask) -> Result<Vec<(String, &'static str)>>;
}

/// The dialects of databases where a table may be replaced by hand and rows go along.
static BY_HAND: [(&dyn Dialect, &dyn Handwork); 1] = [(&Sqlite, &Sqlite)];

/// How offline scripts are written, by the names of the dialects.
static SCRIPTS: [(&str, &dyn ScriptSql); 4] = [
    ("sqlite", &SqliteScript),
    ("postgresql", &PostgresScript),
    ("mysql", &MysqlScript),
    ("mariadb", &MysqlScript),
];

/// Each method of [`Handwork`], with the answer of databases that have none.
impl dyn Dialect + '_ {
    fn by_hand(&self) -> Option<&'static dyn Handwork> {
        let known = BY_HAND.iter().find(|(dialect, _)| dialect.name() == self.name());
        known.map(|(_, handwork)| *handwork)
    }

    /// [`Handwork::rewrite`]
    ///
    /// # Errors
    /// The `batch::…` codes, labelled in the file, before anything ran.
    pub fn rewrite(&self, run: &[AlterStatement], recreate: Recreate, ask: &mut dyn Ask) -> Result<Rewrite> {
        match self.by_hand() {
            Some(handwork) => handwork.rewrite(run, recreate, ask),
            // Asked for alone where `batch_table` names a table, which these servers' dialects never do.
            None => Err(Error::new(
                Code::BatchUnsupported,
                format!("the dialect `{}` has ALTERs planned, and no plan for them", self.name()),
            )
            .help("let `batch_table` name no table, so that the database gets them as they are")),
        }
    }

    /// [`Handwork::references`]
    pub fn references(&self) -> Option<&'static dyn References> {
        self.by_hand()?.references()
    }

    /// [`Handwork::meant_switch`]
    pub fn meant_switch(&self, statement: &str) -> Option<(Setting, bool)> {
        self.by_hand()?.meant_switch(statement)
    }

    /// [`Handwork::hangs_on_tables`]
    pub fn hangs_on_tables(&self) -> Option<&'static str> {
        self.by_hand().map(Handwork::hangs_on_tables)
    }

    /// [`Handwork::indexes_of_rows`]
    ///
    /// # Errors
    /// Those of the query.
    pub fn indexes_of_rows(
        &self,
        table: &str,
        query: &mut dyn FnMut(&str) -> Result<Rows>,
    ) -> Result<Vec<(String, String)>> {
        match self.by_hand() {
            Some(handwork) => handwork.indexes_of_rows(table, query),
            None => Ok(Vec::new()),
        }
    }

    /// [`Handwork::replaces`]
    pub fn replaces(&self, statement: &str) -> Option<Replaces> {
        self.by_hand()?.replaces(statement)
    }

    /// [`Handwork::changes_rows`]
    pub fn changes_rows(&self, statement: &str) -> Option<RowChange> {
        self.by_hand()?.changes_rows(statement)
    }

    /// [`Handwork::tears`]
    pub fn tears(&self, statement: &str) -> bool {
        match self.by_hand() {
            Some(handwork) => handwork.tears(statement),
            None => self.stands_alone(statement),
        }
    }

    /// [`Handwork::counter`]
    pub fn counter(&self, table: &str) -> Option<String> {
        Some(self.by_hand()?.counter(table))
    }

    /// [`Handwork::broken`]
    ///
    /// # Errors
    /// What the database says to the question.
    pub fn broken(&self, ask: &mut dyn Ask) -> Result<Vec<Broken>> {
        match self.by_hand() {
            Some(handwork) => handwork.broken(ask),
            None => Ok(Vec::new()),
        }
    }

    /// [`Handwork::mended`]
    ///
    /// # Errors
    /// What the replay says to the question.
    pub fn mended(&self, tables: &BTreeSet<String>, ask: &mut dyn Ask) -> Result<Vec<(String, &'static str)>> {
        match self.by_hand() {
            Some(handwork) => handwork.mended(tables, ask),
            None => Ok(Vec::new()),
        }
    }

    /// How an offline script for this database is written.
    ///
    /// # Panics
    /// For a dialect of another name than ours have.
    pub fn script(&self) -> &'static dyn ScriptSql {
        let known = SCRIPTS.iter().find(|(name, _)| *name == self.name());
        known.map(|(_, script)| *script).expect("every dialect is one of ours")
    }
}
