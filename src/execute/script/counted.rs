//! How far a revision without a transaction has come, in a script: what `upgrade` writes down between its statements, so
//! that one that stopped is not begun again.

use crate::error::Result;
use crate::execute::bookkeeping::Record;
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
}

impl Scribe<'_> {
    /// The count of a step that begins; none where nothing is counted.
    pub(super) fn count_of(&self, step: &Step) -> Option<Count> {
        let counts = self.transaction == Transaction::None && self.ledger.is_none() && self.sql.counts();
        counts.then(|| Count {
            id: step.revision.to_string(),
            direction: step.direction,
            written: 0,
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

    /// So many more statements have run; those that are done together are counted at their end.
    pub(super) fn counted(&mut self, more: u64) -> Result<()> {
        if self.hand.group.is_some() {
            return Ok(());
        }
        let statements = self.hand.done() + more;
        let Some(count) = self.counts.as_mut().filter(|count| count.written != statements) else {
            return Ok(());
        };
        count.written = statements;
        let at = Unfinished {
            direction: count.direction,
            statements,
            begun: false,
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
