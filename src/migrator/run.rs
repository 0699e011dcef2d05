//! One run of a migrator over one connection.

use std::path::{Path, PathBuf};
use std::sync::atomic::AtomicBool;

use crate::code::Code;
use crate::driver::Driver;
use crate::error::{Error, Result};
use crate::execute::clock::System;
use crate::execute::event::Event;
use crate::execute::kit::{Kit, Whole};
use crate::execute::script::Recorder;
use crate::execute::seen::Seen;
use crate::execute::{Cancel, Executor, InMemory, Lent, Patience, Report, ghost};
use crate::migrator::Migrator;
use crate::migrator::borrowed::{Borrowed, no_transaction};
use crate::migrator::rehearse::{self, Rehearsal};
use crate::migrator::restore;
use crate::migrator::status::Status;
use crate::revision::RevisionId;
use crate::revision::applied::Applied;
use crate::revision::graph::RevisionGraph;
use crate::revision::plan::Plan;
use crate::revision::target::{Symbol, Target};

/// A run that is about to begin: whom it tells what happens, and who may stop it. Made by [`Migrator::run`].
pub struct Run<'a> {
    migrator: &'a Migrator,
    driver: &'a mut dyn Driver,
    terms: Terms<'a>,
}

/// How it runs.
#[derive(Default)]
struct Terms<'a> {
    events: Option<&'a mut dyn FnMut(Event<'_>)>,
    cancel: Option<&'a Cancel>,
    single_transaction: bool,
    keep_statements: bool,
    /// The database is a copy, of which no copy is made.
    rehearsal: bool,
    /// What is done for scripts that are not plain, for calls whose scripts may be any.
    kit: Option<&'static dyn Kit>,
}

impl std::fmt::Debug for Run<'_> {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        write!(f, "Run({:?})", self.migrator)
    }
}

impl<'a> Run<'a> {
    #[inline]
    pub(super) fn new(migrator: &'a Migrator, driver: &'a mut dyn Driver) -> Self {
        Self {
            migrator,
            driver,
            terms: Terms::default(),
        }
    }

    /// Tells what happens: for a progress bar, or a log.
    #[must_use]
    pub fn events(mut self, events: &'a mut dyn FnMut(Event<'_>)) -> Self {
        self.terms.events = Some(events);
        self
    }

    /// Lets another thread stop the run, with [`Cancel::fire`]. The revision that runs is rolled back, those before it
    /// are kept, and the error is `execute::interrupted`. Code of the application's own that computes or waits in a
    /// revision comes to its end first. A `Cancel` that was fired stays so: the next run wants another one.
    #[must_use]
    pub fn cancel(mut self, cancel: &'a Cancel) -> Self {
        self.terms.cancel = Some(cancel);
        self
    }

    /// Runs all revisions in one transaction: all or nothing.
    #[must_use]
    pub fn single_transaction(mut self) -> Self {
        self.terms.single_transaction = true;
        self
    }

    /// Keeps every statement that ran for the report.
    #[must_use]
    pub fn keep_statements(mut self) -> Self {
        self.terms.keep_statements = true;
        self
    }

    /// Runs the upgrades that lead to a target: `heads`, `head`, an id, `+1`, `LABEL@head`; several stand with spaces
    /// between them.
    ///
    /// # Errors
    /// `execute::in_transaction`, `version::newer_database`, those of the target, `checksum::edited`, `script::…`,
    /// `execute::…`, `batch::…`, `lock::timeout` and `database::…`. The error's state says what the database has now.
    #[inline]
    pub fn upgrade(self, target: &str) -> Result<Report> {
        no_transaction(self.driver)?;
        // Nothing is read of the word where it is this one, so that a program which writes no other does not bring along what
        // reads targets.
        if target != "heads" {
            return self.upgrade_in_full(&targets(target)?);
        }
        if !self.terms.cancel.is_some_and(Cancel::is_fired)
            && let Some(heads) = self.migrator.if_current(self.driver)?
        {
            return Ok(Report {
                from: heads.clone(),
                to: heads,
                steps: Vec::new(),
                purged: Vec::new(),
                whole: Vec::new(),
            });
        }
        self.upgrade_in_full(&[Target::symbol(Symbol::Heads)])
    }

    #[cold]
    fn upgrade_in_full(mut self, targets: &[Target]) -> Result<Report> {
        let graph = &self.migrator.source.for_driver(self.driver)?.graph;
        self.migrator.code.check(graph)?;
        let seen = self.read(graph, now)?;
        self.not_newer(&seen, graph)?;
        let done = self.with(graph, |executor| executor.upgrade(targets));
        done.map_err(|error| self.newer_or(error))
    }

    /// Runs the downgrades that lead back to a target: `base`, an id, `-1`, `LABEL@base`. A revision that the program
    /// does not have is rolled back by the downgrade that the database keeps.
    ///
    /// # Errors
    /// As [`Run::upgrade`], and `graph::irreversible` before anything runs.
    pub fn downgrade(mut self, target: &str) -> Result<Report> {
        self.terms.kit = Some(&Whole);
        let target: Target = target.parse()?;
        let (_, graph) = self.look()?;
        self.migrator.check()?;
        self.with(graph.get(self.migrator)?, |executor| executor.downgrade(&target))
    }

    /// Rolls back the revisions that the program does not have, with the downgrades that the database keeps, and leaves
    /// the program's own as they are: what a newer version of the program did is undone. Data that only the newer
    /// version knew goes with it, as its downgrades say.
    ///
    /// # Errors
    /// As [`Run::downgrade`]; `graph::irreversible` where the newer version left no downgrade, and
    /// `execute::code_missing` where only its own code could do it.
    pub fn downgrade_to_mine(mut self) -> Result<Report> {
        self.terms.kit = Some(&Whole);
        let (_, graph) = self.look()?;
        self.migrator.check()?;
        self.with(graph.get(self.migrator)?, to_own)
    }

    /// Sets the version table to a target and runs nothing: for a database that has the schema already.
    ///
    /// # Errors
    /// Those of the target, `lock::timeout` and `database::…`.
    pub fn stamp(mut self, target: &str) -> Result<Report> {
        self.terms.kit = Some(&Whole);
        let targets = targets(target)?;
        let graph = &self.migrator.source.for_driver(self.driver)?.graph;
        self.migrator.code.check(graph)?;
        let done = self.with(graph, |executor| executor.stamp_to(&targets, false));
        done.map_err(|error| self.newer_or(error))
    }

    /// What [`Run::upgrade`] would do, with every statement, batch plans and the application's code among them. Nothing
    /// is changed.
    ///
    /// # Errors
    /// As [`Run::upgrade`].
    pub fn plan_upgrade(mut self, target: &str) -> Result<Report> {
        self.terms.kit = Some(&Whole);
        let targets = targets(target)?;
        let graph = &self.migrator.source.for_driver(self.driver)?.graph;
        let seen = self.read(graph, now)?;
        self.not_newer(&seen, graph)?;
        let planned = self.plan(|executor, seen| executor.plan_upgrade(seen, &targets));
        planned.map_err(|error| self.newer_or(error))
    }

    /// What [`Run::downgrade`] would do.
    ///
    /// # Errors
    /// As [`Run::downgrade`].
    pub fn plan_downgrade(mut self, target: &str) -> Result<Report> {
        self.terms.kit = Some(&Whole);
        let target: Target = target.parse()?;
        self.plan(|executor, seen| executor.plan_downgrade(seen, &target))
    }

    fn plan(&mut self, make: impl FnOnce(&mut Executor<'_>, &Seen) -> Result<Plan>) -> Result<Report> {
        let (seen, graph) = self.look()?;
        let graph = graph.get(self.migrator)?;
        self.migrator.code.check(&self.migrator.source.loaded()?.graph)?;
        let plan = self.with(graph, |executor| make(executor, &seen))?;
        let basis = self.with(graph, |executor| executor.basis(&seen, &plan))?;
        let scratch = &*self.driver;
        let recorder = Recorder {
            graph,
            sources: &InMemory,
            table: self.migrator.table_of(scratch),
            enter: None,
            dialect: scratch.dialect(),
            scratch: &|| scratch.scratch(),
            by: &self.migrator.by,
            offline: false,
        };
        recorder.report_on(&plan, &Applied::known(graph, seen.applied()).0, basis)
    }

    /// Runs [`Run::upgrade`] on a copy of the database, which is deleted, and tells what became of schema and rows. The
    /// copy has a connection of its own, without the functions, collations and attached databases of the application's.
    ///
    /// # Errors
    /// As [`Run::upgrade`], and what copying fails with.
    pub fn rehearse(self, target: &str) -> Result<Rehearsal> {
        let table = self.migrator.table_of(self.driver);
        let Self {
            migrator,
            driver,
            mut terms,
        } = self;
        terms.rehearsal = true;
        terms.kit = Some(&Whole);
        let never = AtomicBool::new(false);
        let patience = Patience {
            timeout: migrator.lock_timeout,
            cancelled: terms.cancel.map_or(&never, Cancel::flag),
        };
        let mut hear = |event: Event<'_>| {
            if let Some(events) = &mut terms.events {
                events(event);
            }
        };
        let borrowed = Borrowed::take(driver)?;
        let copy = rehearse::Copied::of(&mut *borrowed.driver, &System::new(), patience, &mut hear);
        let copy = copy.map_err(|error| migrator.in_its_words(error))?;
        drop(borrowed);
        rehearse::rehearse(copy, &table, &System::new(), |driver| {
            let terms = Terms {
                events: match &mut terms.events {
                    Some(events) => Some(&mut **events),
                    None => None,
                },
                ..terms
            };
            Run {
                migrator,
                driver,
                terms,
            }
            .upgrade(target)
        })
    }

    /// Puts a copy back in the place of the database that the connection is open on, in one transaction: everybody sees
    /// the one or the other. What was there before is kept as a copy of its own, which is returned.
    ///
    /// # Errors
    /// `database::not_a_database` for a copy that is damaged, empty, or of another database, and for a database that is
    /// itself damaged; `execute::in_transaction`, `lock::timeout`, `file::io`, `database::…`.
    pub fn restore(mut self, from: &Path) -> Result<Option<PathBuf>> {
        self.terms.kit = Some(&Whole);
        let graph = &self.migrator.source.for_driver(self.driver)?.graph;
        let backup = &self.migrator.backup;
        self.with(graph, |executor| restore::restore(executor, from, backup))
    }

    /// Where the database stands.
    ///
    /// # Errors
    /// `lock::timeout`, `version::…` and `database::…`.
    pub fn status(mut self) -> Result<Status> {
        if self.migrator.if_current(self.driver)?.is_some() {
            return Ok(Status::UpToDate);
        }
        let graph = &self.migrator.source.for_driver(self.driver)?.graph;
        let seen = self.read(graph, now)?;
        Status::of(&seen, graph, self.driver, self.migrator.kit)
    }

    /// What the database has, and the graph, of which the revisions are part that only the database knows.
    fn look(&mut self) -> Result<(Seen, Graph)> {
        let graph = &self.migrator.source.for_driver(self.driver)?.graph;
        let seen = self.read(graph, now)?;
        let table = self.migrator.table_of(self.driver);
        let strangers = ghost::strangers(self.driver, &table, &seen, graph.revisions())?;
        if strangers.is_empty() {
            return Ok((seen, Graph::Own));
        }
        let all = graph.revisions().iter().cloned().chain(strangers).collect();
        Ok((seen, Graph::With(Box::new(RevisionGraph::build(all)?))))
    }

    /// Runs something with the connection set up for it.
    fn with<T>(&mut self, graph: &RevisionGraph, act: impl FnOnce(&mut Executor<'_>) -> Result<T>) -> Result<T> {
        let borrowed = Borrowed::take(self.driver)?;
        self.terms.execute(self.migrator, &mut *borrowed.driver, graph, act)
    }

    /// Reads something with the connection as it is, inside a transaction of the application's too.
    fn read<T>(&mut self, graph: &RevisionGraph, act: impl FnOnce(&mut Executor<'_>) -> Result<T>) -> Result<T> {
        self.terms.execute(self.migrator, self.driver, graph, act)
    }

    /// Says that the database is newer than the program, where that is why something was refused.
    fn newer_or(&mut self, error: Error) -> Error {
        if error.code() != Code::UnknownRevision {
            return error;
        }
        let Ok(graph) = self.migrator.source.for_driver(self.driver).map(|loaded| &loaded.graph) else {
            return error;
        };
        match self.read(graph, now) {
            Ok(seen) => self.not_newer(&seen, graph).err().unwrap_or(error),
            Err(_) => error,
        }
    }

    /// Refuses a database with rows of revisions that the program does not have, also of one that stopped half-way: what
    /// the program would do there, nobody knows.
    fn not_newer(&mut self, seen: &Seen, graph: &RevisionGraph) -> Result<()> {
        let done =
            |row: &&crate::version::Row| row.is_applied() || row.unfinished.is_none_or(|at| !at.has_done_nothing());
        let ids = seen.rows.iter().filter(done).map(|row| &row.id);
        let unknown: Vec<&RevisionId> = ids.filter(|id| graph.node(id.as_str()).is_none()).collect();
        self.newer(&unknown).map_or(Ok(()), Err)
    }

    fn newer(&mut self, unknown: &[&RevisionId]) -> Option<Error> {
        let table = self.migrator.table_of(self.driver);
        let mut error = Error::new(Code::NewerDatabase, "the database is newer than this program");
        let mut newest: Option<[String; 3]> = None;
        for id in unknown {
            let told = table.told(self.driver, id.as_str()).unwrap_or_default();
            let [message, at, by] = &told;
            error = error.cause(format!("revision `{id}` ({message}) was applied at {at} by {by}"));
            if newest.as_ref().is_none_or(|newest| newest[1] <= *at) {
                newest = Some(told);
            }
        }
        let [_, _, by] = newest?;
        Some(
            error
                .state("nothing was run")
                .help(format!("install the version that made it ({by}), or a newer one"))
                .help("or roll back what this program does not have: Migrator::downgrade_to_mine"),
        )
    }
}

impl Terms<'_> {
    fn execute<T>(
        &mut self,
        migrator: &Migrator,
        driver: &mut dyn Driver,
        graph: &RevisionGraph,
        act: impl FnOnce(&mut Executor<'_>) -> Result<T>,
    ) -> Result<T> {
        let never = AtomicBool::new(false);
        let mut silent = |_: Event<'_>| {};
        let _interrupts = self.cancel.map(|cancel| cancel.interrupts(driver.interrupter()));
        let mut executor = Executor {
            graph,
            sources: &InMemory,
            table: migrator.table_of(driver),
            driver,
            by: &migrator.by,
            clock: &System::new(),
            patience: Patience {
                timeout: migrator.lock_timeout,
                cancelled: self.cancel.map_or(&never, Cancel::flag),
            },
            events: match &mut self.events {
                Some(events) => *events,
                None => &mut silent,
            },
            single_transaction: self.single_transaction,
            clean_invalid: false,
            keep_statements: self.keep_statements,
            watch: false,
            only: None,
            lent: Lent {
                index: true,
                kit: self.kit.or(migrator.kit),
                no_code: false,
                copy: self.rehearsal,
                code: Some(&migrator.code),
                first: migrator
                    .lend_backup
                    .filter(|_| !self.rehearsal)
                    .map(|lend| lend(&migrator.backup)),
            },
        };
        act(&mut executor).map_err(|error| migrator.in_its_words(error))
    }
}

fn now(executor: &mut Executor<'_>) -> Result<Seen> {
    executor.look()
}

fn to_own(executor: &mut Executor<'_>) -> Result<Report> {
    executor.downgrade_strangers()
}

/// The program's own graph, or a larger one.
enum Graph {
    Own,
    With(Box<RevisionGraph>),
}

impl Graph {
    fn get<'g>(&'g self, migrator: &'g Migrator) -> Result<&'g RevisionGraph> {
        match self {
            Self::Own => Ok(&migrator.source.loaded()?.graph),
            Self::With(graph) => Ok(graph),
        }
    }
}

fn targets(words: &str) -> Result<Vec<Target>> {
    match words.trim() {
        "" => words.parse().map(|target| vec![target]),
        words => words.split_whitespace().map(str::parse).collect(),
    }
}
