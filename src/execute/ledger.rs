//! What is written down between the statements of a revision where data definition commits by itself: how many are done,
//! and whether one more was begun. Online these statements go to the database, in a script they stand in it.
//!
//! A statement that commits is announced before it and counted after it; between the two it may have run or not, and
//! nobody can tell but who looks. Statements that only change rows stand together in a transaction with their count.

use crate::dialect::Dialect;
use crate::error::Result;
use crate::execute::bookkeeping::Record;
use crate::execute::record::Recorder;
use crate::execute::scripts::Prepared;
use crate::revision::plan::Step;
use crate::revision::{Direction, Revision, Transaction};
use crate::version::{Unfinished, VersionTable};

/// What writes the row of a revision that begins, for how far it has come.
pub(crate) type First<'a> = Box<dyn Fn(Unfinished) -> Vec<String> + 'a>;

/// The count of a revision's statements.
pub(crate) struct Ledger<'a> {
    dialect: &'static dyn Dialect,
    table: VersionTable,
    id: String,
    direction: Direction,
    /// Every statement stands by itself, as the author wants it.
    each: bool,
    first: First<'a>,
    /// How many statements were handed on.
    done: u64,
    /// What the row says, as far as it cannot be rolled back.
    written: Option<Unfinished>,
    /// A transaction of ours is open.
    open: bool,
    /// One of the author's is.
    authors: bool,
}

impl Ledger<'static> {
    /// For a step that no transaction can hold, as it stands in a script; none where the database has no such steps.
    ///
    /// # Errors
    /// Those of reading downgrades.
    pub(crate) fn of_script(
        recorder: &Recorder<'_>,
        step: &Step,
        revision: &Revision,
        prepared: &Prepared,
    ) -> Result<Option<Self>> {
        let (dialect, table) = (recorder.dialect, &recorder.table);
        let each = revision.header.transaction == Transaction::None;
        if !dialect.ddl_commits() || !each && !prepared.commits {
            return Ok(None);
        }
        let (id, direction) = (step.revision.as_str(), step.direction);
        let row = |begun| -> Result<String> {
            let at = Unfinished {
                direction,
                statements: 0,
                begun,
            };
            if direction == Direction::Downgrade {
                return Ok(table.progress(id, Some(at)));
            }
            let record = Record::of(revision, Some(prepared), recorder.sources, dialect)?;
            Ok(table.insert(&record.row(Some(at)), &recorder.stamp()))
        };
        let rows = [row(false)?, row(true)?];
        let first = Box::new(move |at: Unfinished| vec![rows[usize::from(at.begun)].clone()]);
        Ok(Some(Self::new(dialect, table.clone(), (id, direction), each, 0, first)))
    }
}

impl<'a> Ledger<'a> {
    /// At the beginning, when `done` statements have run in an earlier try.
    pub(crate) fn new(
        dialect: &'static dyn Dialect,
        table: VersionTable,
        (id, direction): (&str, Direction),
        each: bool,
        done: u64,
        first: First<'a>,
    ) -> Self {
        Self {
            dialect,
            table,
            id: id.to_owned(),
            direction,
            each,
            first,
            done,
            written: None,
            open: false,
            authors: false,
        }
    }

    /// How many statements were handed on.
    pub(crate) fn done(&self) -> u64 {
        self.done
    }

    /// What goes before the next statement.
    pub(crate) fn before(&mut self, statement: &str) -> Vec<String> {
        let mut out = Vec::new();
        if self.dialect.stands_alone(statement) {
            if self.open || self.written != Some(self.at(true)) {
                self.write(true, &mut out);
            }
            self.close(&mut out);
        } else if !self.open && !self.authors {
            if self.written != Some(self.at(false)) {
                self.write(false, &mut out);
            }
            out.push(self.dialect.begin().to_owned());
            self.open = true;
        }
        out
    }

    /// What goes after it.
    pub(crate) fn after(&mut self, statement: &str) -> Vec<String> {
        self.done += 1;
        if let Some(begins) = self.dialect.begins_or_ends_transaction(statement) {
            self.authors = begins;
        }
        let mut out = Vec::new();
        if !self.authors && self.dialect.runs_program(statement) {
            // What a procedure leaves open would take the next note with it when it is rolled back.
            out.push("COMMIT".to_owned());
        }
        if self.each && self.open {
            self.write(false, &mut out);
            self.close(&mut out);
        }
        out
    }

    /// Whether a transaction is open after a program, which may have ended the author's.
    pub(crate) fn heard(&mut self, open: bool) {
        self.authors &= open;
    }

    /// What puts the session back before the end, outside of transactions.
    pub(crate) fn reset(&mut self, reset: Vec<String>) -> Vec<String> {
        let mut out = Vec::new();
        if reset.is_empty() {
            return out;
        }
        if self.open || self.written.is_none() {
            self.write(false, &mut out);
        }
        self.close(&mut out);
        out.extend(reset);
        out
    }

    /// What ends the revision: the row, with how long it took where that is `timed`, and the log in one transaction.
    pub(crate) fn end(&mut self, log: String, timed: bool) -> Vec<String> {
        let mut out = Vec::new();
        if self.written.is_none() {
            self.write(false, &mut out);
        }
        if !self.open {
            out.push(self.dialect.begin().to_owned());
        }
        out.push(match self.direction {
            Direction::Upgrade if timed => self.table.ended_now(&self.id),
            Direction::Upgrade => self.table.progress(&self.id, None),
            Direction::Downgrade => self.table.delete(&self.id),
        });
        out.push(log);
        out.push("COMMIT".to_owned());
        self.open = false;
        out
    }

    /// Whether the author's transaction is open.
    pub(crate) fn left_open(&self) -> bool {
        self.authors
    }

    /// How far it has come.
    fn at(&self, begun: bool) -> Unfinished {
        Unfinished {
            direction: self.direction,
            statements: self.done,
            begun,
        }
    }

    fn write(&mut self, begun: bool, out: &mut Vec<String>) {
        let at = self.at(begun);
        if self.written.is_none() {
            out.extend((self.first)(at));
        } else {
            out.push(self.table.progress(&self.id, Some(at)));
        }
        self.written = Some(at);
    }

    fn close(&mut self, out: &mut Vec<String>) {
        if std::mem::take(&mut self.open) {
            out.push("COMMIT".to_owned());
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::dialect::mysql::MYSQL;

    /// The statements of a revision, each as its first words.
    fn check(each: bool, script: &[&str], expect: &str) {
        let table = VersionTable::new(&MYSQL, "v_revisions");
        let first =
            Box::new(|at: Unfinished| vec![format!("FIRST {}{}", at.statements, if at.begun { "+" } else { "" })]);
        let mut ledger = Ledger::new(&MYSQL, table, ("a", Direction::Upgrade), each, 0, first);
        let mut out = Vec::new();
        for sql in script {
            out.extend(ledger.before(sql));
            out.push((*sql).to_owned());
            out.extend(ledger.after(sql));
        }
        out.extend(ledger.reset(Vec::new()));
        out.extend(ledger.end("LOG".to_owned(), false));
        let short = |sql: &String| match sql.split_once("unfinished = ") {
            Some((_, rest)) => {
                let rest = rest.split(' ').next().unwrap_or_default();
                rest.trim_matches('\'').replace("upgrade:", "").replace(":begun", "+")
            }
            None => sql.replace("START TRANSACTION", "["),
        };
        let shown: Vec<String> = out.iter().map(short).collect();
        assert_eq!(shown.join(" "), expect.replace(']', "COMMIT"));
    }

    #[test]
    fn what_stands_between_the_statements() {
        check(false, &["CREATE", "CREATE"], "FIRST 0+ CREATE 1+ CREATE [ NULL LOG ]");
        check(
            false,
            &["INSERT", "INSERT", "DROP"],
            "FIRST 0 [ INSERT INSERT 2+ ] DROP [ NULL LOG ]",
        );
        check(
            false,
            &["CREATE", "INSERT", "INSERT"],
            "FIRST 0+ CREATE 1 [ INSERT INSERT NULL LOG ]",
        );
        check(
            true,
            &["INSERT", "INSERT"],
            "FIRST 0 [ INSERT 1 ] [ INSERT 2 ] [ NULL LOG ]",
        );
        check(
            true,
            &["BEGIN", "INSERT", "COMMIT", "INSERT"],
            "FIRST 0+ BEGIN INSERT 2+ COMMIT 3 [ INSERT 4 ] [ NULL LOG ]",
        );
        check(false, &["CALL", "INSERT"], "FIRST 0+ CALL ] 1 [ INSERT NULL LOG ]");
        check(
            false,
            &["BEGIN", "CALL", "INSERT", "COMMIT"],
            "FIRST 0+ BEGIN 1+ CALL INSERT 3+ COMMIT [ NULL LOG ]",
        );
        check(false, &[], "FIRST 0 [ NULL LOG ]");
    }
}
