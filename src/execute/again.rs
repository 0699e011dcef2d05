//! What the first part of a revision without a transaction had set up for its connection, and a later run finds gone.

use std::collections::BTreeSet;

use crate::code::Code;
use crate::dialect::{Dialect, TOTAL_CHANGES};
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
    /// What it holds that nothing brings back, in words.
    holds: Option<String>,
    /// The temporary table that this is, or the attached database.
    table: Option<String>,
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
                    self.undo(self.marks[mark].at, dialect);
                }
            }
            ["ROLLBACK" | "ABORT", ..] => {
                if let Some(mark) = self.marks.first() {
                    self.undo(mark.at, dialect);
                }
                self.marks.clear();
            }
            ["COMMIT" | "END", ..] => self.marks.clear(),
            ["RELEASE", rest @ ..] => {
                let named = |mark: &Mark| mark.savepoint.as_deref() == rest.last().copied();
                if let Some(mark) = self.marks.iter().rposition(named) {
                    self.marks.truncate(mark);
                }
            }
            ["DROP" | "DISCARD" | "DETACH", ..] => {
                let there = self.set_up.iter_mut().filter(|done| done.dropped.is_none());
                for done in there {
                    if let Some(name) = &done.table
                        && temporary::drops(sql, name, dialect.rules())
                    {
                        done.dropped = Some(at);
                    }
                }
            }
            // SQLite passes over it within a transaction.
            _ if !self.marks.is_empty() && is_pragma(sql) && says(sql, "foreign_keys", dialect) => {}
            _ => {
                let holds = holds(sql, dialect);
                if holds.is_some() || dialect.sets_up_connection(sql) {
                    self.set_up.push(SetUp {
                        at,
                        sql: sql.to_owned(),
                        holds,
                        table: dialect
                            .temporary(sql)
                            .map(|(_, name)| name)
                            .or_else(|| temporary::attached(sql, dialect.rules())),
                        dropped: None,
                    });
                }
            }
        }
    }

    /// Nothing was done from this statement on, where a session goes back with its transaction.
    fn undo(&mut self, from: u64, dialect: &'static dyn Dialect) {
        if dialect.ddl_commits() {
            return;
        }
        // What a PRAGMA sets is in no transaction, but for what the file holds.
        let stays = |done: &SetUp| {
            let mut held = ["user_version", "application_id", "schema_version"].iter();
            is_pragma(&done.sql) && !held.any(|name| says(&done.sql, name, dialect))
        };
        self.set_up.retain(|done| done.at < from || stays(done));
        for done in &mut self.set_up {
            done.dropped = done.dropped.filter(|at| *at < from);
        }
    }
}

fn is_pragma(sql: &str) -> bool {
    sql.get(..6).is_some_and(|word| word.eq_ignore_ascii_case("PRAGMA"))
}

/// Whether one of the words of a statement is this one.
fn says(sql: &str, name: &str, dialect: &dyn Dialect) -> bool {
    token::significant(sql, dialect.rules()).any(|token| token::unquoted(&sql[token.span]).eq_ignore_ascii_case(name))
}

/// What a statement makes or works out that is the session's alone, in words.
fn holds(sql: &str, dialect: &'static dyn Dialect) -> Option<String> {
    let table = dialect.temporary(sql);
    let words = table.map(|(kind, name)| format!("{kind} `{name}`"));
    words.or_else(|| dialect.works_out(sql))
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

    /// Refuses to go on where the first statements kept rows or values in what went with their connection: made again, it
    /// would be empty or another one, and what comes later would take that for the truth.
    pub(crate) fn refuse_without_rows(&mut self, ready: &Ready<'a>, skip: u64) -> Result<()> {
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
                "or undo by hand what has run, and say so: sqlrev stamp --purge {before}; then let a plain table hold what \
                 is needed, and drop it at the end, or put the statements that need it into a revision of their own"
            )))
    }

    /// What is gone when the first statements have run on another connection, with the place of the statement that made
    /// it, or that asks for it.
    pub(crate) fn gone(&mut self, ready: &Ready<'a>, skip: u64) -> Result<Option<(u64, String)>> {
        // Where nothing is left to do, nothing asks for it.
        if walk::place_of(&ready.script, skip, self.driver.dialect().rules()).is_none() {
            return Ok(None);
        }
        let mut set_up = self.set_up(ready, skip)?.into_iter();
        let held = set_up.find_map(|done| Some((done.at, done.holds?)));
        match held {
            Some(held) => Ok(Some(held)),
            None => match self.asked_for(ready, skip)? {
                None => self.set_by_calls(ready, skip),
                asked => Ok(asked),
            },
        }
    }

    /// What functions that the first statements called have set for the session. Only the database knows their bodies.
    fn set_by_calls(&mut self, ready: &Ready<'a>, skip: u64) -> Result<Option<(u64, String)>> {
        let dialect = self.driver.dialect();
        let mut names = BTreeSet::new();
        self.each(ready, &mut |index, sql| {
            if index < skip {
                dialect.calls(sql, &mut names);
            }
            index + 1 < skip
        })?;
        let Some(query) = dialect.that_set(&names) else {
            return Ok(None);
        };
        let rows = self.driver.query(&query).unwrap_or_default();
        let Some(name) = rows.into_iter().next().and_then(|row| row.into_iter().next()?) else {
            return Ok(None);
        };
        let (mut called, mut place) = (BTreeSet::new(), 0);
        self.each(ready, &mut |index, sql| {
            dialect.calls(sql, &mut called);
            place = index;
            !called.contains(&name)
        })?;
        Ok(Some((place, format!("setting that function `{name}` may have made"))))
    }

    /// Says why a step is not tried again on the same connection, where a ROLLBACK has not undone all that these statements
    /// did: a temporary table cannot be made twice, a value might be worked out from itself, and rows would be there twice.
    pub(crate) fn once_only(&mut self, ready: &Ready<'a>, statements: std::ops::Range<u64>) -> Result<Option<String>> {
        let stayed = self.stayed();
        if stayed.is_some() {
            return Ok(stayed);
        }
        let dialect = self.driver.dialect();
        let (mut found, mut given) = (None, false);
        if dialect.ddl_commits() {
            self.each(ready, &mut |index, sql| {
                if index >= statements.start {
                    let id = || dialect.asks_id(sql).filter(|_| !given).map(str::to_owned);
                    found = holds(sql, dialect).or_else(id);
                    given |= dialect.gives_id(sql);
                }
                found.is_none() && index + 1 < statements.end
            })?;
        }
        Ok(found.map(|what| format!("not tried again: {what} would not be as it was")))
    }

    /// What one of the remaining statements asks the session for, where one of the first ones has left it there.
    fn asked_for(&self, ready: &Ready<'a>, skip: u64) -> Result<Option<(u64, String)>> {
        let dialect = self.driver.dialect();
        let (mut given, mut counted, mut summed, mut asks) = (false, false, false, None);
        self.each(ready, &mut |index, sql| {
            if index < skip {
                given |= dialect.gives_id(sql);
                summed |= dialect.sets_count(sql);
                counted = summed;
                return true;
            }
            let id = dialect.asks_id(sql).filter(|_| given);
            let count = dialect.asks_count(sql);
            let count = count.filter(|what| counted || summed && *what == TOTAL_CHANGES);
            asks = id.or(count).map(|what| (index, what.to_owned()));
            counted &= !dialect.sets_count(sql);
            (given || summed) && asks.is_none()
        })?;
        Ok(asks)
    }

    /// What the first statements set up for their connection and did not undo.
    fn set_up(&self, ready: &Ready<'a>, skip: u64) -> Result<Vec<SetUp>> {
        let dialect = self.driver.dialect();
        let mut session = Session::default();
        if skip > 0 {
            self.each(ready, &mut |index, sql| {
                session.read(index, sql, dialect);
                index + 1 < skip
            })?;
        }
        let mut set_up = session.set_up;
        set_up.retain(|done| done.dropped.is_none());
        Ok(set_up)
    }

    /// Reads the statements of a script for as long as `goes_on` says so.
    fn each(&self, ready: &Ready<'a>, goes_on: &mut dyn FnMut(u64, &str) -> bool) -> Result<()> {
        let mut statements = ready.script.statements(self.driver.dialect().rules())?;
        let mut index = 0;
        while let Some(piece) = statements.next().map_err(|fault| ready.script.fault(&fault))? {
            if let Piece::Statement(statement) = piece {
                if !goes_on(index, statement.text) {
                    break;
                }
                index += 1;
            }
        }
        Ok(())
    }
}
