//! What an application hears while a plan runs, and the clock that it lends.

use std::sync::atomic::{AtomicU64, Ordering};
use std::sync::{Arc, PoisonError};
use std::time::Duration;

use crate::driver::Phase;
use crate::revision::Direction;

/// Something that happened in the course of a run.
#[derive(Debug)]
#[non_exhaustive]
pub enum Event<'a> {
    /// Somebody else holds the database; the run waits.
    Waiting {
        /// Who, where that can be known: `process 4711 (sqlite3)`.
        holder: Option<String>,
        /// For how long it has waited.
        waited: Duration,
    },
    /// A copy of the database is being made, or put back.
    Copying {
        /// How many pages are copied.
        done: u64,
        /// Of how many.
        total: u64,
    },
    /// A copy of the database was made before the first step. It is deleted again when the run fails and has changed
    /// nothing.
    BackedUp {
        /// The copy.
        file: &'a std::path::Path,
    },
    /// A step begins.
    Started {
        /// The revision's id.
        revision: &'a str,
        /// Its message.
        message: &'a str,
        /// Up or down.
        direction: Direction,
        /// How many statements the script has.
        statements: u64,
    },
    /// A statement begins.
    Statement {
        /// Its text.
        sql: &'a str,
        /// How many came before it in the script.
        index: u64,
    },
    /// A statement begins that goes over many rows; it is a part of what the last [`Event::Statement`] began.
    Work(&'a Work),
    /// Something the reader should know, such as what a dropped column took along.
    Notice(&'a str),
    /// A step came to its end. With a transaction around several steps it is not kept yet.
    Finished {
        /// The revision's id.
        revision: &'a str,
        /// Its message.
        message: &'a str,
        /// Up or down.
        direction: Direction,
        /// How long it took.
        duration: Duration,
    },
}

/// How far a long statement has come. It may be asked from another thread while the statement runs.
#[derive(Debug, Clone)]
#[non_exhaustive]
pub struct Work {
    /// What is done: `copying users`.
    pub what: String,
    /// How many rows it goes over; 0 where that is not known.
    pub rows: u64,
    /// The steps that it will take, about.
    pub(crate) total: u64,
    /// Those that it has taken.
    pub(crate) done: Arc<AtomicU64>,
    /// What the database itself tells, where it does.
    pub(crate) phase: Option<Arc<Phase>>,
}

impl Work {
    /// How much of it is done, from 0 to 1; an estimate.
    #[expect(clippy::cast_precision_loss, reason = "it is an estimate")]
    pub fn fraction(&self) -> f64 {
        let (done, total) = match &self.phase {
            Some(phase) => (&phase.done, phase.total.load(Ordering::Relaxed)),
            None => (&*self.done, self.total),
        };
        let done = done.load(Ordering::Relaxed) as f64;
        (done / total.max(1) as f64).min(1.0)
    }

    /// What is done at the moment, in the database's own words, where it tells them: `building index: scanning table`.
    /// The fraction is that of this phase alone.
    pub fn phase(&self) -> Option<String> {
        let phase = self.phase.as_ref()?;
        Some(phase.name.lock().unwrap_or_else(PoisonError::into_inner).clone())
    }
}

/// Where the time comes from.
pub trait Clock {
    /// The moment in UTC, as `2026-11-22T21:14:00Z`.
    fn now(&self) -> String;
    /// The time since some fixed moment, to measure with.
    fn elapsed(&self) -> Duration;
}
