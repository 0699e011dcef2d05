//! What an application hears while a plan runs, and the clock that it lends.

use std::time::Duration;

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

/// Where the time comes from.
pub trait Clock {
    /// The moment in UTC, as `2026-11-22T21:14:00Z`.
    fn now(&self) -> String;
    /// The time since some fixed moment, to measure with.
    fn elapsed(&self) -> Duration;
}
