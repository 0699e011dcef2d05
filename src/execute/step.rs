//! One step: the script of one revision in one direction, and its row.

use std::time::Duration;

use crate::code::Code;
use crate::dialect::Setting;
use crate::error::{Error, Result};
use crate::execute::bookkeeping::{self, Record};
use crate::execute::counting::{self, Counting};
use crate::execute::event::Event;
use crate::execute::online::{Online, Unit};
use crate::execute::rebuild::Rebuild;
use crate::execute::scripts::Prepared;
use crate::execute::seen;
use crate::execute::shown::Shown;
use crate::execute::walk::Walk;
use crate::execute::{Executor, Ran, fault, inherit, kit, leftover, lent};
use crate::revision::plan::Step;
use crate::revision::{Direction, Revision, Script, Transaction};
use crate::version::{Details, Entry, Row, Stamp, Took, Unfinished};

/// A step with what was found out about it before anything ran.
pub(crate) struct Ready<'a> {
    pub step: Step,
    pub revision: &'a Revision,
    pub script: Script,
    pub prepared: Prepared,
    /// Whether code of the application runs in it.
    pub code: bool,
    /// What an upgrade writes into the version table.
    pub record: Option<Record<'a>>,
    /// It stopped half-way in an earlier run, and goes on piece by piece whatever is left of it.
    pub stopped: bool,
}

impl Ready<'_> {
    /// Whether one transaction holds the step: not where its author says so, nor where a statement of it commits.
    pub(crate) fn transaction(&self) -> Transaction {
        if self.prepared.commits || self.stopped {
            return Transaction::None;
        }
        self.revision.header.transaction
    }
}

/// The ticket of sqlrev's own rows, which come behind all statements of a script.
const OWN: u64 = u64::MAX;

/// The switches that a script may leave thrown, and that the next revision must not inherit.
const SWITCHES: [Setting; 4] = [
    Setting::WritableSchema,
    Setting::ForeignKeys,
    Setting::LegacyAlterTable,
    Setting::IgnoreCheckConstraints,
];

impl<'a> Executor<'a> {
    /// Reads the script of a step to its end.
    pub(crate) fn ready(&self, step: Step) -> Result<Ready<'a>> {
        let revision = self.graph.revision(step.node);
        let upgrade = step.direction == Direction::Upgrade;
        let script = if upgrade {
            revision.upgrade.clone()
        } else {
            self.sources.downgrade(revision)?
        };
        let Some(script) = script else {
            return Err(no_text(revision, self.driver.dialect().name()));
        };
        let code = self.lent.runs_code(revision, step.direction)?;
        let dialect = self.driver.dialect();
        let kit = self.lent.kit;
        let known = script.known.as_deref().filter(|known| upgrade && known.plain.is_some());
        let prepared = match known {
            Some(known) => Prepared::plain(known.plain.as_ref().map_or(0, Vec::len) as u64, known.checksum),
            None => kit::needed(kit)?.prepare(&script, &revision.header, step.direction, dialect)?,
        };
        if self.lent.copy {
            kit::needed(kit)?.refuse_beyond(&script, dialect)?;
        }
        if code && prepared.commits {
            return Err(lent::not_held(revision));
        }
        let record = upgrade.then(|| Record::with(revision, Some(&prepared), self.sources, dialect, kit));
        Ok(Ready {
            step,
            revision,
            script,
            code,
            record: record.transpose()?,
            prepared,
            stopped: false,
        })
    }

    /// Runs a step in the transaction that is open.
    pub(crate) fn run_step(&mut self, ready: &Ready<'_>) -> Result<Ran> {
        self.started(ready);
        let began = self.clock.elapsed();
        let mut statements = Vec::new();
        let direction = ready.step.direction;
        let session = inherit::session(self.driver, &ready.prepared).map_err(|error| fault::database(&error))?;
        if let Some(sql) = self.driver.dialect().stopwatch() {
            self.later(sql, ready)?;
        }
        for sql in self.timeouts(ready, true) {
            self.later(&sql, ready)?;
        }
        // Down is up in a mirror: what ran last is undone first.
        if direction == Direction::Downgrade {
            self.code(ready, &mut statements)?;
        }
        self.run_script(ready, &mut statements)?;
        if self.driver.in_transaction() == Some(false) {
            return Err(torn(ready));
        }
        if direction == Direction::Upgrade {
            self.code(ready, &mut statements)?;
        }
        let (kit, dialect) = (self.lent.kit, self.driver.dialect());
        let ends = inherit::ends(self.driver, &ready.prepared, &session);
        let ends = ends.map_err(|error| kit::queued(kit, &error, &ready.script, dialect))?;
        let settles = dialect.version_sql().settles.filter(|_| !ends.is_empty());
        for sql in settles.into_iter().chain(ends.iter().map(String::as_str)) {
            self.later(sql, ready)
                .map_err(|error| inherit::unreadable(error, ready))?;
        }
        let back = inherit::put_back(self.driver, &session);
        back.map_err(|error| kit::queued(kit, &error, &ready.script, dialect))?;
        let duration = self.clock.elapsed().saturating_sub(began);
        let at = self.clock.now();
        let mut stamp = self.stamp(&at, Some(duration));
        if dialect.version_sql().elapsed.is_some() && !self.single_transaction {
            // The statements may still be on their way.
            stamp.took = Some(Took::Transaction);
        }
        let id = ready.step.revision.as_str();
        let own = bookkeeping::of_step(&self.table, ready.step.direction, ready.record.as_ref(), id, &stamp);
        for (at, sql) in own.into_iter().enumerate() {
            if at == 0 && direction == Direction::Downgrade {
                // Two runs cannot add the same row; that both take it away has to be seen.
                self.settle(ready)?;
                let delete = self.table.delete_from(id, &[]);
                counting::changed(self.driver, self.patience, &delete, id)?;
            } else {
                let sent = self.driver.queue(&sql, Some(OWN));
                sent.map_err(|error| kit::queued(kit, &error, &ready.script, dialect))?;
            }
            if self.keep_statements {
                statements.push(Shown::version(&sql));
            }
        }
        if self.single_transaction {
            // The next step has tickets of its own.
            self.settle(ready)?;
        }
        Ok(ran(ready, statements, duration))
    }

    pub(crate) fn timeouts(&self, ready: &Ready<'_>, in_transaction: bool) -> Vec<String> {
        let header = &ready.revision.header;
        let dialect = self.driver.dialect();
        dialect.timeouts(header.lock_timeout, header.statement_timeout, in_transaction)
    }

    /// Sends a statement of sqlrev's own after those of a script, without waiting for any.
    fn later(&mut self, sql: &str, ready: &Ready<'_>) -> Result<()> {
        let (kit, dialect) = (self.lent.kit, self.driver.dialect());
        let sent = self.driver.queue(sql, None);
        sent.map_err(|error| kit::queued(kit, &error, &ready.script, dialect))
    }

    /// Waits for everything of a step.
    pub(crate) fn settle(&mut self, ready: &Ready<'_>) -> Result<()> {
        let (kit, dialect) = (self.lent.kit, self.driver.dialect());
        let sent = self.driver.flush();
        sent.map_err(|error| kit::queued(kit, &error, &ready.script, dialect))
    }

    pub(crate) fn started(&mut self, ready: &Ready<'_>) {
        (self.events)(Event::Started {
            revision: ready.step.revision.as_str(),
            message: &ready.revision.header.message,
            direction: ready.step.direction,
            statements: ready.prepared.statements,
        });
    }

    /// Tells that a step came to its end, unless others had done it.
    pub(crate) fn finished(&mut self, ready: &Ready<'_>, ran: Option<&Ran>) {
        if let Some(duration) = ran.and_then(|ran| ran.duration) {
            (self.events)(Event::Finished {
                revision: ready.step.revision.as_str(),
                message: &ready.revision.header.message,
                direction: ready.step.direction,
                duration,
            });
        }
    }

    pub(crate) fn stamp<'s>(&'s self, at: &'s str, duration: Option<Duration>) -> Stamp<'s> {
        Stamp {
            at: Some(at),
            by: self.by,
            took: duration.map(|time| Took::Milliseconds(u64::try_from(time.as_millis()).unwrap_or(u64::MAX))),
        }
    }

    /// Runs a statement of sqlrev's own.
    pub(crate) fn own(&mut self, sql: &str) -> Result<()> {
        self.driver.execute(sql).map_err(|error| fault::database(&error))
    }

    pub(super) fn script(
        &mut self,
        ready: &Ready<'_>,
        skip: u64,
        unit: Option<&dyn Unit>,
        shown: &mut Vec<Shown>,
    ) -> Result<()> {
        let walk = Walk {
            dialect: self.driver.dialect(),
            script: &ready.script,
            recreate: ready.revision.header.recreate,
            skip,
        };
        let switches = if ready.prepared.pragmas {
            self.switches()
        } else {
            Vec::new()
        };
        let mut online = Online {
            driver: self.driver,
            events: self.events,
            patience: self.patience,
            shown: self.keep_statements.then_some(shown),
            watch: self.watch,
            unit,
            group: None,
            rebuild: Rebuild::new(&ready.prepared, walk.dialect),
            copying: None,
            fenced: self.lent.no_code,
        };
        let walked = walk.run(&mut online);
        let Online { driver, rebuild, .. } = online;
        let ran = walked
            .and_then(|()| ready.script.check_unchanged(&ready.prepared))
            .and_then(|()| rebuild.finish(driver, unit.is_none()))
            .map(|notices| notices.iter().for_each(|notice| (self.events)(Event::Notice(notice))));
        // A caller's own connection is not left with the switches of a script that failed.
        let back = self.put_back(switches);
        ran.and(back)
    }

    fn switches(&mut self) -> Vec<(Setting, bool)> {
        let driver = &mut *self.driver;
        let known = SWITCHES
            .iter()
            .filter_map(|setting| Some((*setting, driver.setting(*setting, None).ok()?)));
        known.collect()
    }

    fn put_back(&mut self, switches: Vec<(Setting, bool)>) -> Result<()> {
        for (setting, was) in switches {
            let back = self.driver.setting(setting, Some(was));
            back.map_err(|error| fault::database(&error))?;
        }
        Ok(())
    }

    /// Runs a step of a revision with `transaction: none`: each statement stands alone and is counted, so that a run
    /// that stopped goes on where it was. No transaction is open before or after.
    pub(crate) fn run_alone(&mut self, ready: &Ready<'a>) -> Result<Option<Ran>> {
        let _only_one = self.only_one()?;
        self.begin()?;
        let seen = self.look()?;
        let id = &ready.step.revision;
        let direction = ready.step.direction;
        let row = seen.row(id).cloned();
        let applied = row.as_ref().is_some_and(Row::is_applied);
        if applied == (direction == Direction::Upgrade) {
            self.rollback();
            return Ok(None);
        }
        let done = row
            .as_ref()
            .and_then(|row| row.unfinished)
            .filter(|at| at.direction == direction);
        let skip = done.map_or(0, |at| at.statements);
        self.refuse_to_go_on(ready, done)?;
        self.mark_begun(ready, row.as_ref(), done)?;
        self.commit()?;
        self.started(ready);
        let began = self.clock.elapsed();
        let mut statements = Vec::new();
        for sql in self.timeouts(ready, false) {
            self.own(&sql)?;
        }
        let session = inherit::session(self.driver, &ready.prepared).map_err(|error| fault::database(&error))?;
        // Those that a run before this one switched are switched again, for this revision alone.
        let switches = if skip > 0 && ready.prepared.pragmas {
            self.switches()
        } else {
            Vec::new()
        };
        let again = self.connection_again(ready, skip);
        let counting = Counting::new(self.table.clone(), id.to_string(), direction, self.patience, skip);
        // By the names of the session as the statements before it left it.
        let known = again.and_then(|()| self.refuse_doubt(ready, done, &counting));
        let cleaned = known.and_then(|()| match &row {
            Some(_) => self.clean(ready, skip),
            None => Ok(()),
        });
        let ran_all = cleaned.and_then(|()| self.script(ready, skip, Some(&counting), &mut statements));
        let back = self.put_back(switches);
        let ran_all = ran_all.and(back);
        ran_all.map_err(|error| self.say_what_is_left(error, ready, &counting))?;
        if self.driver.in_transaction() == Some(true) {
            return Err(left_open(ready));
        }
        let ends = inherit::ends(self.driver, &ready.prepared, &session);
        for sql in ends.map_err(|error| fault::database(&error))? {
            self.own(&sql)?;
        }
        let back = inherit::put_back(self.driver, &session);
        back.map_err(|error| fault::database(&error))?;
        let duration = self.clock.elapsed().saturating_sub(began);
        self.mark_done(ready, duration, counting.done(), &mut statements)?;
        Ok(Some(ran(ready, statements, duration)))
    }

    fn mark_begun(&mut self, ready: &Ready<'_>, row: Option<&Row>, done: Option<Unfinished>) -> Result<()> {
        // What is not known stays written until the database was asked.
        let in_doubt = done.filter(|at| leftover::not_run(ready, *at, self.driver.dialect()).is_some());
        let unfinished = Some(Unfinished {
            direction: ready.step.direction,
            statements: done.map_or(0, |at| at.statements),
            begun: in_doubt.is_some(),
        });
        let at = self.clock.now();
        match (&ready.record, row) {
            (Some(record), None) => {
                let insert = self.table.insert(&record.row(unfinished), &self.stamp(&at, None));
                return self.own(&insert);
            }
            (Some(record), Some(_)) => self.own(&self.table.accept(&record.row(unfinished)))?,
            (None, _) => {}
        }
        let from: Vec<Unfinished> = row.and_then(|row| row.unfinished).into_iter().collect();
        let id = ready.step.revision.as_str();
        let sql = self.table.progress_from(id, &from, unfinished);
        counting::changed(self.driver, self.patience, &sql, id)
    }

    fn mark_done(
        &mut self,
        ready: &Ready<'_>,
        duration: Duration,
        done: u64,
        statements: &mut Vec<Shown>,
    ) -> Result<()> {
        let id = ready.step.revision.as_str();
        let at = self.clock.now();
        let stamp = self.stamp(&at, Some(duration));
        let from = [Unfinished {
            direction: ready.step.direction,
            statements: done,
            begun: false,
        }];
        let row = match ready.step.direction {
            Direction::Upgrade => self.table.ended(id, &from, duration),
            Direction::Downgrade => self.table.delete_from(id, &from),
        };
        let entry = Entry {
            event: ready.step.direction.name(),
            revision: id,
            done: true,
            detail: None,
        };
        let log = self.table.log(entry, &stamp);
        self.begin()?;
        for (at, sql) in [row, log].into_iter().enumerate() {
            match at {
                0 => counting::changed(self.driver, self.patience, &sql, id)?,
                _ => self.own(&sql)?,
            }
            if self.keep_statements {
                statements.push(Shown::version(&sql));
            }
        }
        self.commit()
    }
}

pub(crate) fn ran(ready: &Ready<'_>, statements: Vec<Shown>, duration: Duration) -> Ran {
    Ran {
        step: ready.step.clone(),
        transaction: ready.transaction(),
        statements,
        notices: Vec::new(),
        duration: Some(duration),
    }
}

fn torn(ready: &Ready<'_>) -> Error {
    let file = &ready.script.file;
    Error::new(
        Code::ScriptTransaction,
        format!("`{}` ended the transaction it ran in", file.name),
    )
    .at(file, ready.script.body..ready.script.body, "somewhere from here on")
    .help("take out what ends it, such as RAISE(ROLLBACK) or OR ROLLBACK; or say `transaction: none` in the header")
}

pub(crate) fn left_open(ready: &Ready<'_>) -> Error {
    let file = &ready.script.file;
    let body = ready.script.body..ready.script.body;
    Error::new(
        Code::ScriptTransaction,
        format!("`{}` left its transaction open", file.name),
    )
    .at(file, body, "somewhere from here on is a BEGIN without its COMMIT")
    .help("add the COMMIT")
}

pub(crate) fn no_text(revision: &Revision, dialect: &str) -> Error {
    let id = revision.id();
    let error = Error::new(
        Code::NoDialectText,
        format!("revision `{id}` has no text for {dialect}"),
    );
    let error = match revision.places.file() {
        Some(file) => error.at(file, revision.places.id(), "its files are for other databases"),
        None => error,
    };
    error.help(format!("write upgrade.sql, or upgrade.{dialect}.sql, beside it"))
}

/// Refuses to go on in a script whose first statements are not those that ran.
pub(crate) fn same_beginning(
    id: &str,
    direction: Direction,
    script: &Script,
    details: &Details,
    skip: u64,
    dialect: &'static dyn crate::dialect::Dialect,
) -> Result<()> {
    let stored = match direction {
        Direction::Upgrade => &details.upgrade_file,
        Direction::Downgrade => &details.downgrade_sql,
    };
    let Some(stored) = stored else {
        return Ok(());
    };
    let file = crate::source::SourceFile::new(script.file.name.clone(), stored.as_str());
    let body = seen::body_of(&file);
    let before = Script {
        file,
        body,
        large: None,
        known: None,
    };
    let first = beginning(&before, skip, dialect)?;
    let now = beginning(script, skip, dialect)?;
    if first == now {
        return Ok(());
    }
    let file = &script.file;
    Err(Error::new(
        Code::UnfinishedRevision,
        format!("`{}` was changed in the part that has run", file.name),
    )
    .at(
        file,
        script.body..script.body,
        match skip {
            1 => "the first statement is not the one that ran".to_owned(),
            _ => format!("the first {skip} statements are not those that ran"),
        },
    )
    .state(format!("{skip} statements of revision `{id}` are done"))
    .help("put those statements back as they were; what comes after them may be changed")
    .help(format!("{} TARGET", seen::UNDONE)))
}

fn beginning(script: &Script, count: u64, dialect: &'static dyn crate::dialect::Dialect) -> Result<Vec<String>> {
    let mut statements = script.statements(dialect.rules())?;
    let mut texts = Vec::new();
    while (texts.len() as u64) < count {
        match statements.next().map_err(|fault| script.fault(&fault))? {
            Some(crate::sql::split::Piece::Statement(statement)) => texts.push(statement.text.to_owned()),
            Some(_) => {}
            None => break,
        }
    }
    Ok(texts)
}
