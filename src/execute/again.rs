//! What the first part of a revision without a transaction had set up for its connection, and a later run finds gone.

use crate::code::Code;
use crate::dialect::Dialect;
use crate::error::{Error, Result};
use crate::execute::step::Ready;
use crate::execute::{Executor, fault, walk};
use crate::revision::heads::Heads;
use crate::sql::split::Piece;
use crate::sql::temporary;
use crate::sql::token;

/// A statement whose effect lasts as long as the connection.
struct SetUp {
    /// How many statements come before it.
    at: u64,
    sql: String,
    /// What it makes that holds rows, which nothing brings back.
    holds: Option<(&'static str, String)>,
    /// The statement that drops that again.
    dropped: Option<u64>,
}

/// Where a transaction of the author's begins, or a part of it that can be undone alone.
struct Mark {
    at: u64,
    savepoint: Option<String>,
}

/// What is in force of what the first statements set up, as far as their texts tell.
#[derive(Default)]
struct Session {
    set_up: Vec<SetUp>,
    marks: Vec<Mark>,
}

impl Session {
    fn read(&mut self, at: u64, sql: &str, dialect: &'static dyn Dialect) {
        let words = token::keywords(sql, dialect.rules(), 5);
        let words: Vec<&str> = words.iter().map(String::as_str).collect();
        match words.as_slice() {
            ["BEGIN", ..] | ["START", "TRANSACTION", ..] => self.marks = vec![Mark { at, savepoint: None }],
            ["SAVEPOINT", name, ..] => {
                let savepoint = Some((*name).to_owned());
                self.marks.push(Mark { at, savepoint });
            }
            ["ROLLBACK" | "ABORT" | "COMMIT", "PREPARED", ..] => {}
            ["ROLLBACK", rest @ ..] if rest.contains(&"TO") => {
                let named = |mark: &Mark| mark.savepoint.as_deref() == rest.last().copied();
                if let Some(mark) = self.marks.iter().rposition(named) {
                    self.marks.truncate(mark + 1);
                    self.undo(self.marks[mark].at);
                }
            }
            ["ROLLBACK" | "ABORT", ..] => {
                if let Some(mark) = self.marks.first() {
                    self.undo(mark.at);
                }
                self.marks.clear();
            }
            ["COMMIT" | "END", ..] => self.marks.clear(),
            ["DROP" | "DISCARD", ..] => {
                let there = self.set_up.iter_mut().filter(|done| done.dropped.is_none());
                for done in there {
                    if let Some((_, name)) = &done.holds
                        && temporary::drops(sql, name, dialect.rules())
                    {
                        done.dropped = Some(at);
                    }
                }
            }
            _ => {
                let holds = dialect.temporary(sql);
                if holds.is_some() || dialect.sets_up_connection(sql) {
                    self.set_up.push(SetUp {
                        at,
                        sql: sql.to_owned(),
                        holds,
                        dropped: None,
                    });
                }
            }
        }
    }

    /// Nothing was done from this statement on.
    fn undo(&mut self, from: u64) {
        self.set_up.retain(|done| done.at < from);
        for done in &mut self.set_up {
            done.dropped = done.dropped.filter(|at| *at < from);
        }
    }
}

impl<'a> Executor<'a> {
    /// What an interrupted run had set up for its connection is gone with it, and is done once more.
    pub(crate) fn connection_again(&mut self, ready: &Ready<'a>, skip: u64) -> Result<()> {
        for done in self.set_up(ready, skip)? {
            self.driver
                .execute(&done.sql)
                .map_err(|error| fault::database(&error))?;
        }
        Ok(())
    }

    /// Refuses to go on where the first statements kept rows in what went with their connection: made again, it would
    /// be empty, and what comes later would take that for the truth.
    pub(crate) fn refuse_without_rows(&self, ready: &Ready<'a>, skip: u64) -> Result<()> {
        let Some((at, what)) = self.gone(ready, skip)? else {
            return Ok(());
        };
        let name = &ready.script.file.name;
        let error = Error::new(
            Code::UnfinishedRevision,
            format!("`{name}` cannot go on without its {what}"),
        );
        let error = match walk::place_of(&ready.script, at, self.driver.dialect().rules()) {
            Some((file, span)) => error.at(&file, span, "what it held went with the connection"),
            None => error,
        };
        let heads = |heads: &Heads| match heads.ids().as_slice() {
            [] => "base".to_owned(),
            ids => ids.iter().map(ToString::to_string).collect::<Vec<_>>().join(" "),
        };
        let (before, after) = (heads(&ready.step.heads_before), heads(&ready.step.heads_after));
        Err(error
            .help(format!("do the rest by hand, and say that it is done: sqlrev stamp {after}"))
            .help(format!(
                "or undo by hand what has run, and say so: sqlrev stamp --purge {before}; then let a plain table hold the \
                 rows, and drop it at the end, or put the statements that need it into a revision of their own"
            )))
    }

    /// What held rows and is gone when the first statements have run on another connection, with the place of the
    /// statement that made it.
    pub(crate) fn gone(&self, ready: &Ready<'a>, skip: u64) -> Result<Option<(u64, String)>> {
        let set_up = self.set_up(ready, skip)?;
        Ok(set_up.into_iter().find_map(|done| {
            let (kind, name) = done.holds?;
            Some((done.at, format!("{kind} `{name}`")))
        }))
    }

    /// What the first statements set up for their connection and did not undo.
    fn set_up(&self, ready: &Ready<'a>, skip: u64) -> Result<Vec<SetUp>> {
        let dialect = self.driver.dialect();
        let mut statements = ready.script.statements(dialect.rules())?;
        let mut session = Session::default();
        let mut index = 0;
        while index < skip {
            let Some(piece) = statements.next().map_err(|fault| ready.script.fault(&fault))? else {
                break;
            };
            if let Piece::Statement(statement) = piece {
                session.read(index, statement.text, dialect);
                index += 1;
            }
        }
        let mut set_up = session.set_up;
        set_up.retain(|done| done.dropped.is_none());
        Ok(set_up)
    }
}
