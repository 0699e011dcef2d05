//! How far a revision without a transaction has come, in a script: what `upgrade` writes down between its statements, so
//! that one that stopped is not begun again.

use crate::error::Result;
use crate::execute::bookkeeping::Record;
use crate::execute::counting::commits;
use crate::execute::script::{Scribe, put};
use crate::execute::scripts::Prepared;
use crate::revision::plan::Step;
use crate::revision::{Direction, Revision, Transaction};
use crate::version::Unfinished;

/// The count of a step's statements.
#[derive(Debug)]
pub(super) struct Count {
    id: String,
    direction: Direction,
    /// How many the row says.
    written: u64,
    /// A statement may have taken another role, which has no rights on the version table.
    roles: bool,
    /// Lines of data follow, and its count behind them; whether a transaction holds both.
    awaits: Option<bool>,
}

impl Scribe<'_> {
    /// The count of a step that begins; none where nothing is counted.
    pub(super) fn count_of(&self, step: &Step) -> Option<Count> {
        let counts = self.transaction == Transaction::None && self.ledger.is_none() && self.sql.counts();
        counts.then(|| Count {
            id: step.revision.to_string(),
            direction: step.direction,
            written: 0,
            roles: false,
            awaits: None,
        })
    }

    /// The row that says the step has begun.
    pub(super) fn begun(&mut self, step: &Step, revision: &Revision, prepared: &Prepared) -> Result<()> {
        if self.counts.is_none() {
            return Ok(());
        }
        let (recorder, direction) = (self.recorder, step.direction);
        let at = Some(Unfinished {
            direction,
            statements: 0,
            begun: false,
        });
        put(
            self.out,
            "-- what has run stays: after an error, `sqlrev upgrade` or `sqlrev downgrade` goes on from there\n",
        )?;
        let row = match direction {
            Direction::Upgrade => {
                let record = Record::of(revision, Some(prepared), recorder.sources, self.dialect)?;
                self.table.insert(&record.row(at), &recorder.stamp())
            }
            Direction::Downgrade => self.table.progress(step.revision.as_str(), at),
        };
        self.statement(&row)
    }

    /// Whether a statement is held by a transaction together with its count: not what stands in none, or in another one.
    pub(super) fn counts_with(&self, statement: &str) -> bool {
        let apart = self.hand.group.is_none() && !self.hand.inside;
        self.counts.is_some() && apart && !self.dialect.stands_alone(statement)
    }

    /// Before a statement: that it begins, where it may commit by itself and fail later, or end without its client; and
    /// the count of the author's own transaction with what ends it. A role that was taken in it is given back for that.
    pub(super) fn counts_before(&mut self, statement: &str) -> Result<()> {
        let own_role = self.dialect.own_role();
        let Some(count) = self.counts.as_mut().filter(|_| self.hand.group.is_none()) else {
            return Ok(());
        };
        count.roles = count.roles || !own_role.is_empty() && may_take_role(statement);
        let (done, roles) = (self.hand.done(), count.roles);
        if !self.hand.inside {
            let may_go_on = self.dialect.may_stop_half_way(statement) || self.dialect.look_at(statement).is_some();
            return if !own_role.is_empty() && may_go_on {
                self.counts_alone(done, true)
            } else {
                Ok(())
            };
        }
        if !commits(statement, self.dialect) {
            return Ok(());
        }
        for sql in own_role.iter().filter(|_| roles) {
            put(self.out, &self.sql.silent(sql))?;
        }
        self.writes(done + 1, false)?;
        for sql in self.dialect.role_again().iter().filter(|_| roles) {
            put(self.out, &self.sql.silent(sql))?;
        }
        Ok(())
    }

    /// Behind a statement, whose transaction it ends where one `held` it; where lines of data follow, behind those.
    pub(super) fn counts_behind(&mut self, held: bool, alone: bool, takes_data: bool) -> Result<()> {
        match self.counts.as_mut().filter(|_| takes_data) {
            Some(count) => count.awaits = Some(held),
            None => self.counts_to(self.hand.done() + 1, held)?,
        }
        if held && !takes_data {
            put(self.out, &self.sql.commit(alone))?;
        }
        Ok(())
    }

    /// The data of a statement has come to its end.
    pub(super) fn counts_data(&mut self) -> Result<()> {
        let Some(held) = self.counts.as_mut().and_then(|count| count.awaits.take()) else {
            return Ok(());
        };
        self.counts_to(self.hand.done(), held)?;
        if held {
            put(self.out, &self.sql.commit(false))?;
        }
        Ok(())
    }

    /// So many have run by now; in the author's own transaction it is told before its COMMIT where roles may be taken.
    fn counts_to(&mut self, statements: u64, held: bool) -> Result<()> {
        let Some(count) = &self.counts else {
            return Ok(());
        };
        let roles = count.roles;
        if self.dialect.own_role().is_empty() {
            return self.counted(statements - self.hand.done());
        }
        if self.hand.inside {
            return Ok(());
        }
        if !held {
            return self.counts_alone(statements, false);
        }
        self.own_role(roles)?;
        self.writes(statements, false)
    }

    /// So many more statements have run; those that are done together are counted at their end.
    pub(super) fn counted(&mut self, more: u64) -> Result<()> {
        let statements = self.hand.done() + more;
        let changed = |count: &Count| count.written != statements;
        if self.hand.group.is_some() || !self.counts.as_ref().is_some_and(changed) {
            return Ok(());
        }
        self.writes(statements, false)
    }

    /// In a transaction of its own.
    fn counts_alone(&mut self, statements: u64, begun: bool) -> Result<()> {
        put(self.out, &self.sql.begin(false))?;
        let roles = self.counts.as_ref().is_some_and(|count| count.roles);
        self.own_role(roles)?;
        self.writes(statements, begun)?;
        put(self.out, &self.sql.commit(false))
    }

    /// The session's own role until the end of a transaction that gives it back by itself.
    fn own_role(&mut self, taken: bool) -> Result<()> {
        let local = self.dialect.own_role().iter().filter(|sql| sql.starts_with("SET "));
        local.filter(|_| taken).try_for_each(|sql| self.statement(sql))
    }

    fn writes(&mut self, statements: u64, begun: bool) -> Result<()> {
        let Some(count) = self.counts.as_mut() else {
            return Ok(());
        };
        if !begun {
            count.written = statements;
        }
        let at = Unfinished {
            direction: count.direction,
            statements,
            begun,
        };
        let progress = self.table.progress(&count.id, Some(at));
        self.statement(&progress)
    }

    /// At the end the row is there already, or goes.
    pub(super) fn ends_counted(&mut self) {
        let Some(count) = &self.counts else {
            return;
        };
        if let Some(row) = self.rows.first_mut() {
            *row = match count.direction {
                Direction::Upgrade => self.table.progress(&count.id, None),
                Direction::Downgrade => self.table.delete(&count.id),
            };
        }
    }
}

/// Whether another role may be in force behind a statement, as far as its text tells.
fn may_take_role(statement: &str) -> bool {
    let says = |word: &str| {
        let mut windows = statement.as_bytes().windows(word.len());
        windows.any(|part| part.eq_ignore_ascii_case(word.as_bytes()))
    };
    ["role", "authorization", "set_config", "call"]
        .iter()
        .any(|word| says(word))
}
