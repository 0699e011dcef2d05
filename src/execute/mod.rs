//! Runs plans, one revision at a time, and writes down what was done.

mod again;
mod alike;
mod attached;
pub mod autogenerate;
pub mod basis;
mod between;
mod beyond;
mod bookkeeping;
mod cancel;
mod changed;
pub(crate) mod clock;
mod counters;
mod counting;
mod course;
pub mod declared;
pub(crate) mod diff;
mod directives;
mod elsewhere;
pub mod event;
mod expect;
pub(crate) mod fault;
mod first;
mod following;
pub mod gentle;
pub mod ghost;
mod group;
mod harder;
pub(crate) mod inherit;
mod joined;
pub(crate) mod kit;
mod ledger;
mod leftover;
pub mod lent;
pub(crate) mod lock;
mod losses;
mod lost;
pub mod made;
mod misread;
mod moments;
mod naming;
mod online;
mod opened;
mod orphans;
mod patient;
pub mod piece;
mod piecemeal;
pub(crate) mod plain;
mod prepared;
mod rebuild;
mod record;
pub mod repair;
mod replay;
pub mod round;
mod run;
pub mod schema;
pub mod script;
mod scripts;
pub mod seen;
mod settled;
pub mod shown;
pub mod size;
mod sound;
mod stamp;
mod state;
pub(crate) mod step;
mod stuck;
mod survey;
mod switches;
mod tally;
pub mod test;
pub mod undone;
mod walk;

use std::time::Duration;

use crate::code::Code;
use crate::driver::Driver;
use crate::error::Result;
use crate::execute::event::{Clock, Event};
use crate::execute::seen::Seen;
use crate::execute::shown::Shown;
use crate::revision::graph::RevisionGraph;
use crate::revision::plan::{Plan, Step};
use crate::revision::{RevisionId, Transaction};
use crate::version::VersionTable;

pub use cancel::{Cancel, Interrupts};
pub use lent::Lent;
pub use lock::Patience;
pub use scripts::{InMemory, Sources};

/// What a run needs: the revisions, the database, and what the caller lends.
pub struct Executor<'a> {
    /// The revisions.
    pub graph: &'a RevisionGraph,
    /// Where downgrades are read from.
    pub sources: &'a dyn Sources,
    /// The version table.
    pub table: VersionTable,
    /// The database.
    pub driver: &'a mut dyn Driver,
    /// Who runs it, for the version table and the log.
    pub by: &'a str,
    /// Where the time comes from.
    pub clock: &'a dyn Clock,
    /// How long to wait for others.
    pub patience: Patience<'a>,
    /// Who hears what happens.
    pub events: &'a mut dyn FnMut(Event<'_>),
    /// Runs all steps in one transaction.
    pub single_transaction: bool,
    /// Takes away what a statement that failed outside of transactions left behind, before it is tried again.
    pub clean_invalid: bool,
    /// Keeps the statements that ran for the report.
    pub keep_statements: bool,
    /// What an application lends.
    pub lent: Lent<'a>,
    /// Long statements are followed by [`event::Event::Work`]; on SQLite this takes the connection's progress handler.
    pub watch: bool,
    /// Held while this process is to be the only one that changes the database.
    pub only: Option<Box<dyn std::any::Any + Send>>,
}

/// What was done, or what a plan would do.
#[derive(Debug)]
#[non_exhaustive]
pub struct Report {
    /// The heads before, sorted.
    pub from: Vec<RevisionId>,
    /// The heads after, sorted.
    pub to: Vec<RevisionId>,
    /// The steps that ran, in order.
    pub steps: Vec<Ran>,
    /// Of a stamp that purges: the rows that go besides, of revisions that no file holds or that stopped half-way.
    pub purged: Vec<RevisionId>,
    /// Of a stamp: the revisions that had stopped on their way down and are whole again.
    pub whole: Vec<RevisionId>,
}

/// A step, its statements, and how long it took.
#[derive(Debug)]
#[non_exhaustive]
pub struct Ran {
    /// The step.
    pub step: Step,
    /// Whether it has a transaction of its own.
    pub transaction: Transaction,
    /// Its statements, where they were asked for.
    pub statements: Vec<Shown>,
    /// In a plan, what the reader should know, such as what a dropped column takes along.
    pub notices: Vec<String>,
    /// How long it took, where it ran.
    pub duration: Option<Duration>,
}

impl Report {
    fn of(plan: &Plan, steps: Vec<Ran>) -> Self {
        Self {
            from: plan.from.ids(),
            to: plan.to.ids(),
            steps,
            purged: Vec::new(),
            whole: Vec::new(),
        }
    }
}

impl Executor<'_> {
    /// What the database says it has.
    ///
    /// # Errors
    /// `lock::timeout`, `version::unreadable`, and what the driver fails with.
    pub fn look(&mut self) -> Result<Seen> {
        let table = &self.table;
        lock::retry(self.driver, self.patience, self.events, |driver| {
            table.refuse_hidden(driver)?;
            Seen::read(driver, table)
        })
        .map_err(|error| match error.code() {
            Code::Database => table.unreadable(error.causes().join("; ")),
            _ => error,
        })
    }
}
