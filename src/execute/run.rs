//! Upgrade and downgrade: what is pending is decided while the database is locked, so that any number of processes
//! may start at once and each revision still runs exactly once.

use crate::code::Code;
use crate::driver::DriverError;
use crate::error::{Error, Result};
use crate::execute::event::Event;
use crate::execute::orphans;
use crate::execute::seen::{self, Seen};
use crate::execute::step::Ready;
use crate::execute::{Executor, Ran, Report, fault, kit, lock};
use crate::revision::plan::Plan;
use crate::revision::target::Target;
use crate::revision::{Direction, Revision, RevisionId, Transaction};

/// Makes the plan from what the database has.
pub(super) type MakePlan<'p, 'a> = &'p dyn Fn(&mut Executor<'a>, &Seen) -> Result<Plan>;

/// What the database has, and what is to be done.
pub(super) struct Found<'a> {
    pub(super) seen: Seen,
    pub(super) plan: Plan,
    pub(super) ready: Vec<Ready<'a>>,
}

/// The lock of a run, given up with a panic of the application's own code too.
struct Locked<'e, 'a> {
    executor: &'e mut Executor<'a>,
    held: bool,
}

impl Drop for Locked<'_, '_> {
    fn drop(&mut self) {
        if self.held {
            if std::thread::panicking() {
                self.executor.rollback();
            }
            self.executor.driver.release();
        }
    }
}

/// How far a run came.
#[derive(Default)]
pub(super) struct Progress {
    ran: Vec<Ran>,
    /// How many of them are committed.
    pub(super) kept: usize,
    /// All steps share one transaction.
    pub(super) whole: bool,
    /// The database holds nothing but what this run makes.
    pub(super) fresh: bool,
    /// The step that runs, or was to run next.
    pub(super) at: usize,
    /// Whether something of that step may have been done.
    pub(super) begun: bool,
    /// No other run can come between two steps.
    held: bool,
}

impl<'a> Executor<'a> {
    /// Runs the upgrades that lead to all of the targets.
    ///
    /// # Errors
    /// Those of the targets and the graph, `checksum::edited`, `script::…`, `execute::…`, `batch::…`, `lock::timeout`
    /// and `database::…`. Steps that were complete are kept, unless all were to stand in one transaction.
    pub fn upgrade(&mut self, targets: &[Target]) -> Result<Report> {
        self.run(&|executor, seen| executor.plan_upgrade(seen, targets))
    }

    /// The plan of [`Executor::upgrade`].
    ///
    /// # Errors
    /// Those of the targets, and `checksum::edited`.
    pub fn plan_upgrade(&mut self, seen: &Seen, targets: &[Target]) -> Result<Plan> {
        let applied = seen.in_graph(self.graph)?;
        seen::refuse_edited(seen, self.graph, self.driver, &self.table, self.lent.kit)?;
        refuse_stopped(seen, Direction::Downgrade)?;
        Plan::upgrade(self.graph, &applied, targets)
    }

    /// Runs the downgrades that lead back to the target.
    ///
    /// # Errors
    /// As [`Executor::upgrade`], and `graph::irreversible` before anything runs.
    pub fn downgrade(&mut self, target: &Target) -> Result<Report> {
        self.run(&|executor, seen| executor.plan_downgrade(seen, target))
    }

    /// The plan of [`Executor::downgrade`].
    ///
    /// # Errors
    /// Those of the target, and `graph::irreversible`.
    pub fn plan_downgrade(&mut self, seen: &Seen, target: &Target) -> Result<Plan> {
        refuse_stopped(seen, Direction::Upgrade)?;
        let applied = seen.in_graph(self.graph)?;
        let plan = Plan::downgrade(self.graph, &applied, target)?;
        plan.check_reversible(self.graph)?;
        Ok(plan)
    }

    /// Runs the downgrades, as the database keeps them, of the applied revisions that no file holds.
    ///
    /// # Errors
    /// As [`Executor::downgrade`].
    pub fn downgrade_strangers(&mut self) -> Result<Report> {
        self.run(&|executor, seen| {
            refuse_stopped(seen, Direction::Upgrade)?;
            let applied = seen.in_graph(executor.graph)?;
            let plan = Plan::downgrade_strangers(executor.graph, &applied);
            plan.check_reversible(executor.graph)?;
            Ok(plan)
        })
    }

    fn run(&mut self, make: MakePlan<'_, 'a>) -> Result<Report> {
        // What is lost later says what became of its revision.
        self.planned(make).map_err(fault::before_the_first)
    }

    fn planned(&mut self, make: MakePlan<'_, 'a>) -> Result<Report> {
        let mut seen = self.look()?;
        let plan = match make(self, &seen) {
            // What is half-way may be at work just now.
            Err(_) if seen.rows.iter().any(|row| row.unfinished.is_some()) => self.locked(|executor, _| {
                seen = executor.look()?;
                make(executor, &seen)
            })?,
            made => made?,
        };
        if plan.is_empty() {
            return Ok(Report::of(&plan, Vec::new()));
        }
        let ready = self.all_ready(&seen, &plan)?;
        self.locked(|executor, held| {
            let mut found = Found { seen, plan, ready };
            let made = executor.begin_planned(&mut found, make)?;
            let mut progress = Progress {
                held,
                ..Progress::default()
            };
            let report = match executor.steps(&found.seen, &found.ready, &mut progress) {
                Ok(()) => {
                    if let Some((first, file)) = &made {
                        first.after(executor.driver, file);
                    }
                    Ok(Report::of(&found.plan, progress.ran))
                }
                Err(error) => {
                    let error = executor.failed(error, &found.ready, &progress);
                    if let Some((first, file)) = &made
                        && executor.is_as_it_was(&found, &progress)
                    {
                        first.was_for_nothing(file);
                    }
                    Err(error)
                }
            };
            executor.only = None;
            report
        })
    }

    /// Does something while no other run can, where the database has a lock for that; `action` hears whether it has.
    pub(crate) fn locked<T>(&mut self, action: impl FnOnce(&mut Self, bool) -> Result<T>) -> Result<T> {
        let place = self.table.place();
        let held = lock::retry(self.driver, self.patience, self.events, |driver| driver.hold(place))?;
        let locked = Locked { executor: self, held };
        action(locked.executor, held)
    }

    /// Plans once more when others wrote to the database before it was locked; tells whether they did.
    pub(super) fn again_if_stale(&mut self, found: &mut Found<'a>, make: MakePlan<'_, 'a>) -> Result<bool> {
        if !self.stale(&found.seen)? {
            return Ok(false);
        }
        let seen = self.look()?;
        let plan = make(self, &seen)?;
        let ready = self.all_ready(&seen, &plan)?;
        *found = Found { seen, plan, ready };
        Ok(true)
    }

    /// Runs a plan that was made elsewhere, each step in its own transaction.
    pub(crate) fn all(&mut self, seen: &Seen, plan: &Plan) -> Result<()> {
        let ready = self.all_ready(seen, plan)?;
        self.locked(|executor, held| {
            executor.begin()?;
            let mut progress = Progress {
                held,
                ..Progress::default()
            };
            let ran = executor.steps(seen, &ready, &mut progress);
            ran.map_err(|error| executor.failed(error, &ready, &progress))
        })
    }

    fn all_ready(&self, seen: &Seen, plan: &Plan) -> Result<Vec<Ready<'a>>> {
        let commits = self.driver.dialect().ddl_commits();
        let ready: Vec<Ready<'a>> = plan
            .steps
            .iter()
            .map(|step| {
                let mut ready = self.ready(step.clone())?;
                let row = seen.row(&step.revision).filter(|_| commits);
                ready.stopped = row.is_some_and(|row| row.unfinished.is_some());
                Ok(ready)
            })
            .collect::<Result<_>>()?;
        let alone = |ready: &&Ready<'_>| ready.transaction() == Transaction::None;
        match ready.iter().find(alone).or_else(|| attaching(&ready)) {
            Some(ready) if self.single_transaction => Err(not_in_one(ready)),
            _ => Ok(ready),
        }
    }

    fn steps(&mut self, seen: &Seen, ready: &[Ready<'a>], progress: &mut Progress) -> Result<()> {
        progress.fresh = self.is_empty()?;
        // A database is detached between transactions only.
        progress.whole = self.single_transaction || progress.fresh && attaching(ready).is_none();
        // In a database that is empty the index comes last, which makes it smaller than one that grew.
        self.create_own(seen.table, self.lent.index && !progress.fresh)?;
        let commits = self.driver.dialect().ddl_commits();
        let stopped: Vec<&RevisionId> = seen
            .rows
            .iter()
            .filter(|row| !row.is_applied())
            .map(|row| &row.id)
            .collect();
        let mut open = true;
        let mut others = false;
        let apart = commits || progress.held && !progress.whole && !ready.is_empty();
        if apart {
            // A script may begin with SET TRANSACTION, which wants to stand before any query of its transaction.
            self.own_later("COMMIT")?;
            open = false;
        }
        for (at, ready) in ready.iter().enumerate() {
            (progress.at, progress.begun) = (at, false);
            if ready.transaction() == Transaction::None {
                self.end(&mut open, None)?;
                progress.kept = progress.ran.len();
                progress.begun = true;
                let kit = kit::needed(self.lent.kit)?;
                let ran = kit.alone(self, ready, seen.row(&ready.step.revision))?;
                self.finished(ready, ran.as_ref());
                progress.ran.extend(ran);
                progress.kept = progress.ran.len();
                self.detach(ready)?;
                continue;
            }
            if !open {
                self.begin()?;
                open = true;
                others |= !progress.held && self.stale(seen)?;
            }
            if others && !self.still_to_do(ready)? {
                continue;
            }
            if stopped.contains(&&ready.step.revision) {
                return Err(changed_half_way(ready.revision));
            }
            progress.begun = true;
            let ran = self.run_patiently(ready, &mut open, progress.whole, seen.table || apart || at > 0)?;
            self.finished(ready, Some(&ran));
            progress.ran.push(ran);
            if !progress.whole {
                progress.kept = progress.ran.len();
                self.detach(ready)?;
            }
        }
        if progress.fresh && self.lent.index {
            self.table.index().iter().try_for_each(|create| self.own(create))?;
        }
        self.end(&mut open, None)?;
        progress.kept = progress.ran.len();
        // What stood in one transaction held on to it until now.
        let held = ready.last().filter(|_| progress.whole);
        held.map_or(Ok(()), |ready| self.detach(ready))
    }

    /// Sends a statement of sqlrev's own with what comes next.
    fn own_later(&mut self, sql: &str) -> Result<()> {
        self.driver.queue(sql, None).map_err(|error| fault::database(&error))
    }

    /// Commits what is open, of a step or of sqlrev's own.
    pub(crate) fn end(&mut self, open: &mut bool, ready: Option<&Ready<'a>>) -> Result<()> {
        if !std::mem::take(open) {
            return Ok(());
        }
        let mut late = None;
        let Err(error) = self.commit_hearing(&mut late) else {
            return Ok(());
        };
        let (Some(why), Some(ready)) = (late, ready) else {
            return Err(error);
        };
        let (kit, dialect) = (self.lent.kit, self.driver.dialect());
        match error.code() {
            _ if why.ticket.is_some() => Err(kit::queued(kit, &why, &ready.script, dialect)),
            Code::Database => Err(fault::commit(&why, &ready.script)),
            _ => Err(error),
        }
    }

    /// Whether a step is still to be done, after others wrote to the database while it was not locked; and whether
    /// what it stands on is as it was.
    fn still_to_do(&mut self, ready: &Ready<'a>) -> Result<bool> {
        let seen = self.look()?;
        seen::refuse_edited(&seen, self.graph, self.driver, &self.table, self.lent.kit)?;
        let applied = seen.in_graph(self.graph)?;
        let upgrade = ready.step.direction == Direction::Upgrade;
        if applied.contains(ready.step.node) == upgrade {
            return Ok(false);
        }
        let (graph, node) = (self.graph, ready.step.node);
        let fits = if upgrade {
            graph.parents(node).iter().all(|parent| applied.contains(*parent))
        } else {
            !graph.children(node).iter().any(|child| applied.contains(*child))
        };
        if fits {
            return Ok(true);
        }
        let message = "another process changed what is applied while this one ran";
        Err(Error::new(Code::Database, message).help("see where the database is: sqlrev current; then run it again"))
    }

    fn stale(&mut self, seen: &Seen) -> Result<bool> {
        seen.is_stale(self.driver, &self.table)
            .map_err(|error| fault::database(&error))
    }

    /// Whether the database holds nothing at all.
    fn is_empty(&mut self) -> Result<bool> {
        let Some(query) = self.driver.dialect().any_object() else {
            return Ok(false);
        };
        let rows = self.driver.query(query).map_err(|error| fault::database(&error))?;
        Ok(rows.is_empty())
    }

    /// Locks the database for writing.
    pub(crate) fn begin(&mut self) -> Result<()> {
        let begin = self.driver.dialect().begin();
        lock::retry(self.driver, self.patience, self.events, |driver| {
            driver.queue(begin, None)
        })
    }

    /// Commits. Readers may hold it up for a while; rows that point at nothing stop it for good.
    pub(crate) fn commit(&mut self) -> Result<()> {
        self.commit_hearing(&mut None)
    }

    /// Commits, and hands on the database's own error.
    fn commit_hearing(&mut self, late: &mut Option<DriverError>) -> Result<()> {
        let committed = lock::retry(self.driver, self.patience, self.events, |driver| {
            let sent = driver.queue("COMMIT", None).and_then(|()| driver.flush());
            sent.inspect_err(|error| *late = Some(error.clone()))
        });
        for notice in self.driver.notices() {
            (self.events)(Event::Notice(&notice));
        }
        match committed {
            Err(error) if error.code() == Code::Database => Err(kit::uncommitted(self.lent.kit, self.driver, error)),
            other => other,
        }
    }

    /// Rolls back whatever is open. SQLite may have done so itself; then there is nothing to do.
    pub(crate) fn rollback(&mut self) {
        orphans::rollback(self.driver);
    }

    /// The process that holds this is the only one that runs revisions without a transaction.
    pub(crate) fn only_one(&mut self) -> Result<Box<dyn std::any::Any + Send>> {
        if self.only.is_some() {
            return Ok(Box::new(()));
        }
        lock::retry(self.driver, self.patience, self.events, |driver| driver.exclusive())
    }

    /// Rolls back, writes the failure into the log, and says in the error what state the database is in.
    fn failed(&mut self, error: Error, ready: &[Ready<'a>], progress: &Progress) -> Error {
        // What the database said before it failed may say why.
        for notice in self.driver.notices() {
            (self.events)(Event::Notice(&notice));
        }
        let Some(ready) = ready.get(progress.at) else {
            self.rollback();
            return error;
        };
        if error.code() == Code::ConnectionLost && progress.begun {
            let earlier = progress.ran.get(..progress.kept).unwrap_or_default();
            return self.lost(error, ready, progress.held, earlier);
        }
        let error = self.without_its_table(error, ready, progress.begun);
        self.rollback();
        let stayed = self.driver.left_by_rollback();
        let alone = ready.transaction() == Transaction::None;
        if alone {
            // A role or setting that the script left must not hide the version table.
            let reset = self.driver.dialect().reset();
            let queued = reset.iter().try_for_each(|sql| self.driver.queue(sql, None));
            // Where it fails, so does what follows, which says so.
            let _ = queued.and_then(|()| self.driver.flush());
        }
        if !progress.fresh || progress.kept > 0 || alone {
            self.log_failure(ready, &error);
        }
        if error.code() == Code::ScriptTransaction && error.state_line().is_some() {
            return error;
        }
        let state = self.state(ready, progress, alone);
        match stayed {
            Some(words) => error.state(format!("{state}; the database says: {words}")),
            None => error.state(state),
        }
    }
}

impl Executor<'_> {
    /// What may be behind an error that is about the bookkeeping alone.
    fn without_its_table(&self, error: Error, ready: &Ready<'_>, begun: bool) -> Error {
        if !begun || error.code() != Code::Database || !error.labels().is_empty() {
            return error;
        }
        let (file, body) = (&ready.script.file, ready.script.body);
        error
            .at(file, body..body, "behind statements of this")
            .help(format!(
                "where they drop {}, or take away the right to write to it: `version_table` in the configuration keeps it elsewhere",
                self.table.place()
            ))
    }
}

/// A revision that stopped half-way in the other direction has to come to its end first.
fn refuse_stopped(seen: &Seen, direction: Direction) -> Result<()> {
    let Some(row) = seen.stopped(direction) else {
        return Ok(());
    };
    let (id, statements) = (&row.id, row.unfinished.map_or(0, |at| at.statements));
    let way = direction.name();
    let to = if direction == Direction::Upgrade {
        format!("sqlrev upgrade {id}")
    } else {
        format!("sqlrev downgrade {id}-1")
    };
    Err(Error::new(
        Code::UnfinishedRevision,
        format!("the {way} of revision `{id}` stopped half-way"),
    )
    .state(format!("{statements} of its statements are done"))
    .help(format!("let it come to its end first: {to}"))
    .help(format!("{} TARGET", seen::UNDONE)))
}

pub(super) fn changed_half_way(revision: &Revision) -> Error {
    let id = revision.id();
    let message = format!("revision `{id}` stopped half-way without a transaction, and now wants one");
    let error = Error::new(Code::UnfinishedRevision, message);
    let error = match revision.places.file() {
        Some(file) => error.at(file, revision.places.id(), "said `transaction: none` when it began"),
        None => error,
    };
    error.help("write `transaction: none` into its header again until it has come to its end")
}

/// The first that attaches a database which others would see behind it.
fn attaching<'r, 'a>(ready: &'r [Ready<'a>]) -> Option<&'r Ready<'a>> {
    let (_, before) = ready.split_last()?;
    before.iter().find(|ready| !ready.prepared.attached.is_empty())
}

fn not_in_one(ready: &Ready<'_>) -> Error {
    let id = &ready.step.revision;
    let message = format!("revision `{id}` cannot be part of one transaction");
    let error = Error::new(Code::NotInTransaction, message);
    let why = if ready.stopped {
        "stopped half-way"
    } else if ready.revision.header.transaction == Transaction::None {
        "says `transaction: none`"
    } else if !ready.prepared.attached.is_empty() {
        "it attaches a database, which only a COMMIT lets go of again"
    } else {
        "a statement of it commits by itself"
    };
    let error = match ready.revision.places.file() {
        Some(file) => error.at(file, ready.revision.places.id(), why),
        None => error,
    };
    error.help("leave --single-transaction out")
}
