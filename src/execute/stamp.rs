//! `stamp`: the version table is set, and nothing runs.

use crate::error::Result;
use crate::execute::bookkeeping::Record;
use crate::execute::record::Recorder;
use crate::execute::seen::Seen;
use crate::execute::shown::Shown;
use crate::execute::{Executor, Ran, Report};
use crate::revision::applied::Applied;
use crate::revision::plan::{Plan, Step};
use crate::revision::stamp;
use crate::revision::target::Target;
use crate::revision::{Direction, RevisionId, Transaction};
use crate::version::{Entry, Row};

impl Executor<'_> {
    /// Sets the version table to the targets; no revision that leads to them or comes after is half-way afterwards. With
    /// `purge` the rows of revisions that no file holds are taken away as well.
    ///
    /// # Errors
    /// Those of the targets, `lock::timeout` and `database::…`.
    pub fn stamp_to(&mut self, targets: &[Target], purge: bool) -> Result<Report> {
        self.locked(|executor, _| {
            executor.begin()?;
            let done = executor.stamp_locked(targets, purge);
            if done.is_err() {
                executor.rollback();
            }
            done.map_err(|error| error.state("the version table is as it was"))
        })
    }

    /// The plan of [`Executor::stamp_to`].
    ///
    /// # Errors
    /// Those of the targets.
    pub fn plan_stamp(&self, seen: &Seen, targets: &[Target], purge: bool) -> Result<Plan> {
        let applied = if purge {
            Applied::known(self.graph, seen.applied()).0
        } else {
            seen.in_graph(self.graph)?
        };
        Plan::stamp(self.graph, &applied, targets, purge)
    }

    fn stamp_locked(&mut self, targets: &[Target], purge: bool) -> Result<Report> {
        let seen = self.look()?;
        let plan = self.plan_stamp(&seen, targets, purge)?;
        self.create_table(seen.table)?;
        let purged = self.purged(&seen, targets, purge)?;
        for id in &purged {
            let delete = self.table.delete(id.as_str());
            self.own(&delete)?;
            self.log_stamp(id.as_str(), "taken away")?;
        }
        let whole = self.whole_again(&seen, targets, purge, &plan)?;
        for id in &whole {
            let progress = self.table.progress(id.as_str(), None);
            self.own(&progress)?;
            self.log_stamp(id.as_str(), "whole again")?;
        }
        let mut steps = Vec::new();
        for step in &plan.steps {
            steps.push(self.stamp_step(step)?);
        }
        self.commit()?;
        Ok(Report {
            purged,
            whole,
            ..Report::of(&plan, steps)
        })
    }

    /// The rows that go and the plan does not speak of: those of revisions that stopped on their way up, if they lead to a
    /// target or come after one, and with a purge all of them and those that no file holds.
    ///
    /// # Errors
    /// Those of the targets.
    pub fn purged(&self, seen: &Seen, targets: &[Target], purge: bool) -> Result<Vec<RevisionId>> {
        let half = self.half_way(seen, targets, purge)?;
        let goes = |row: &&Row| match self.graph.node(row.id.as_str()) {
            Some(_) => !row.is_applied() && half.contains(&row.id),
            None => purge,
        };
        Ok(seen.rows.iter().filter(goes).map(|row| row.id.clone()).collect())
    }

    /// The revisions that stopped on their way down and stay, which are whole from then on.
    ///
    /// # Errors
    /// Those of the targets.
    pub fn whole_again(&self, seen: &Seen, targets: &[Target], purge: bool, plan: &Plan) -> Result<Vec<RevisionId>> {
        let mut half = self.half_way(seen, targets, purge)?;
        half.retain(|id| {
            let stays = seen.row(id).is_some_and(Row::is_applied);
            stays && plan.steps.iter().all(|step| step.revision != *id)
        });
        Ok(half)
    }

    /// Those half-way that a stamp has to do with, by the files.
    fn half_way(&self, seen: &Seen, targets: &[Target], purge: bool) -> Result<Vec<RevisionId>> {
        let concerned = stamp::concerned(self.graph, targets)?;
        let is_one = |row: &&Row| {
            let node = self.graph.node(row.id.as_str()).filter(|_| row.unfinished.is_some());
            node.is_some_and(|node| purge || concerned.as_ref().is_none_or(|concerned| concerned.contains(node)))
        };
        Ok(seen.rows.iter().filter(is_one).map(|row| row.id.clone()).collect())
    }

    fn stamp_step(&mut self, step: &Step) -> Result<Ran> {
        let graph = self.graph;
        let id = step.revision.as_str();
        let now = self.clock.now();
        let (sql, detail) = match step.direction {
            Direction::Upgrade => {
                let record = Record::of(graph.revision(step.node), None, self.sources, self.driver.dialect())?;
                (self.table.insert(&record.row(None), &self.stamp(&now, None)), "added")
            }
            Direction::Downgrade => (self.table.delete(id), "taken away"),
        };
        self.own(&sql)?;
        let log = self.log_stamp(id, detail)?;
        Ok(Ran {
            step: step.clone(),
            transaction: Transaction::Revision,
            statements: [sql, log].iter().map(|sql| Shown::version(sql)).collect(),
            notices: Vec::new(),
            duration: None,
        })
    }

    /// Logs a change by a stamp; gives the statement.
    fn log_stamp(&mut self, id: &str, detail: &str) -> Result<String> {
        let now = self.clock.now();
        let entry = Entry {
            event: "stamp",
            revision: id,
            done: true,
            detail: Some(detail),
        };
        let sql = self.table.log(entry, &self.stamp(&now, None));
        self.own(&sql)?;
        Ok(sql)
    }

    /// Creates the version table unless it is there; tells whether it did.
    ///
    /// # Errors
    /// `lock::timeout` and `database::…`.
    pub fn ensure_version(&mut self) -> Result<bool> {
        if self.look()?.table {
            return Ok(false);
        }
        self.locked(|executor, _| {
            executor.begin()?;
            let created = executor.ensure_locked();
            if created.is_err() {
                executor.rollback();
            }
            created
        })
    }

    fn ensure_locked(&mut self) -> Result<bool> {
        let missing = !self.look()?.table;
        if missing {
            self.create_table(false)?;
        }
        self.commit()?;
        Ok(missing)
    }
}

impl Recorder<'_> {
    /// The statements of a stamp.
    pub(crate) fn stamp_statements(&self, plan: &Plan) -> Result<Vec<String>> {
        let mut out = Vec::new();
        for step in &plan.steps {
            out.extend(self.stamp_step(step)?);
        }
        Ok(out)
    }

    fn stamp_step(&self, step: &Step) -> Result<[String; 2]> {
        let revision = self.graph.revision(step.node);
        let id = step.revision.as_str();
        let row = match step.direction {
            Direction::Upgrade => {
                let record = Record::of(revision, None, self.sources, self.dialect)?;
                self.table.insert(&record.row(None), &self.stamp())
            }
            Direction::Downgrade => self.table.delete(id),
        };
        let detail = if step.direction == Direction::Upgrade {
            "added"
        } else {
            "taken away"
        };
        let entry = Entry {
            event: "stamp",
            revision: id,
            done: true,
            detail: Some(detail),
        };
        Ok([row, self.table.log(entry, &self.stamp())])
    }

    /// The plan of a stamp with its statements.
    ///
    /// # Errors
    /// Those of reading downgrades.
    pub fn stamp_report(&self, plan: &Plan) -> Result<Report> {
        let mut steps = Vec::new();
        for step in &plan.steps {
            let statements = self.stamp_step(step)?;
            steps.push(Ran {
                step: step.clone(),
                transaction: Transaction::Revision,
                statements: statements.iter().map(|sql| Shown::version(sql)).collect(),
                notices: Vec::new(),
                duration: None,
            });
        }
        Ok(Report::of(plan, steps))
    }
}
