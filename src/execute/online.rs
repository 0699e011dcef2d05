//! The runner that sends statements to a live database.

use crate::code::Code;
use crate::dialect::{AlterStatement, Ask, COPY, ColumnRead, Op, Replay, Rewrite, Rows, Scratch, ScratchError};
use crate::driver::{Driver, DriverError};
use crate::error::{Error, Result};
use crate::execute::event::Event;
use crate::execute::fault;
use crate::execute::lock::Patience;
use crate::execute::orphans;
use crate::execute::patient::Tries;
use crate::execute::rebuild::{self, Rebuild};
use crate::execute::shown::Shown;
use crate::execute::size;
use crate::execute::switches::Switches;
use crate::execute::walk::{Place, Runner};
use crate::source::{SourceFile, Span};
use crate::sql::split::Data;

/// Runs statements where a transaction is open already.
pub(crate) struct Online<'a> {
    pub driver: &'a mut dyn Driver,
    pub events: &'a mut dyn FnMut(Event<'_>),
    pub patience: Patience<'a>,
    /// Each statement as it ran, when somebody wants to know.
    pub shown: Option<&'a mut Vec<Shown>>,
    /// Somebody wants to know how far long statements have come.
    pub watch: bool,
    /// Called around each piece when no transaction is open, with the number of statements done after it.
    pub unit: Option<&'a dyn Unit>,
    /// How many statements are done when those that are done together are; none while each stands alone.
    pub group: Option<u64>,
    /// What the script replaces by hand, and the rows that pointed at nothing before it did.
    pub rebuild: Rebuild<'a>,
    /// The statement that takes data.
    pub copying: Option<Copying>,
    /// The database is there to try things on, and nothing beyond it is touched.
    pub fenced: bool,
}

/// A statement that takes lines of data.
pub(crate) struct Copying {
    file: SourceFile,
    span: Span,
    index: u64,
    /// How many lines of the file come before the data.
    lines_before: Option<usize>,
}

/// What stands around each piece of a revision that has no transaction.
pub(crate) trait Unit {
    /// Before the piece; `None` is a piece that the dialect rewrote.
    /// When it is done, `done` statements of the script have run.
    fn before(&self, driver: &mut dyn Driver, statement: Option<&str>, done: u64) -> Result<()>;
    /// After it, when `done` statements of the script have run.
    fn after(&self, driver: &mut dyn Driver, done: u64) -> Result<()>;
    /// Opens a transaction for several pieces, unless the author has one open; `after` ends it.
    fn open(&self, driver: &mut dyn Driver) -> Result<()>;
    /// Undoes a statement that failed, where it has done anything and that can be undone, so that it may be tried again;
    /// tells whether it may.
    fn takes_back(&self, driver: &mut dyn Driver, statement: &str) -> Result<bool>;
}

impl Runner for Online<'_> {
    fn statement(&mut self, place: &Place<'_>) -> Result<()> {
        self.patience.check()?;
        let sql = place.sql();
        (self.events)(Event::Statement {
            sql,
            index: place.index,
        });
        if let Some(shown) = self.shown.as_deref_mut() {
            shown.extend(Shown::native(place));
        }
        let watched = self.watch && self.driver.dialect().followed(sql).is_some();
        if watched {
            self.settle(place)?;
            if let Some(work) = size::followed(self.driver, sql) {
                (self.events)(Event::Work(&work));
            }
        }
        self.together(place.index)?;
        let alone = self.unit.filter(|_| self.group.is_none());
        // Only what stands alone is tried again, and only then the time counts.
        let mut tries = alone.map(|_| Tries::new());
        loop {
            if let Some(unit) = alone {
                unit.before(self.driver, Some(sql), place.index + 1)?;
            }
            let in_transaction = alone.is_none();
            let beyond = if self.fenced {
                self.driver.dialect().beyond(sql)
            } else {
                None
            };
            let ran = if let Some(instead) = beyond {
                self.instead(place, &instead)
            } else if place.statement.takes_data {
                self.copy_in(place)
            } else {
                self.rebuild.statement(self.driver, place, in_transaction)
            };
            let (Err(error), Some(unit), Some(tries)) = (&ran, alone, &mut tries) else {
                ran?;
                break;
            };
            let again = error.code() == Code::Contended && tries.has_time(self.patience);
            if !again || !unit.takes_back(self.driver, sql)? {
                return ran;
            }
            tries.wait(error, self.patience, self.events)?;
        }
        if watched {
            self.settle(place)?;
            self.driver.follow(None);
        }
        if self.unit.is_some() {
            self.is_whole(place)?;
        }
        if place.statement.takes_data {
            // The rest comes with its data.
            return Ok(());
        }
        if self.unit.is_none()
            && let Some(said) = rebuild::in_vain(sql, self.driver.dialect())
        {
            (self.events)(Event::Notice(&said));
        }
        self.pass_notices_on();
        self.done(place.index + 1).map_err(|error| {
            if error.code() != Code::ForeignKeys || !error.labels().is_empty() {
                return error;
            }
            let (file, span) = place.in_file();
            error.at(&file, span, "what this statement did could not be committed")
        })
    }

    fn data(&mut self, data: &Data<'_>) -> Result<()> {
        self.patience.check()?;
        if let Some(copying) = &mut self.copying {
            copying.lines_before.get_or_insert(data.line);
        }
        let sent = self.driver.copy_data(data.text);
        sent.map_err(|error| self.copy_failed(&error))
    }

    fn data_end(&mut self) -> Result<()> {
        let ended = self.driver.copy_end();
        ended.map_err(|error| self.copy_failed(&error))?;
        self.pass_notices_on();
        if let (Some(unit), Some(copying)) = (self.unit, self.copying.take()) {
            unit.after(self.driver, copying.index + 1)?;
        }
        Ok(())
    }

    fn rewrite(&mut self, run: &[AlterStatement], rewrite: &Rewrite, done: u64) -> Result<()> {
        self.together(done.saturating_sub(1))?;
        for statement in run {
            self.rebuild.before(self.driver, &statement.text)?;
        }
        if rewrite.strategy == COPY {
            size::room(self.driver, run, rewrite)?;
        }
        let rows = if self.watch {
            size::rows(self.driver, rewrite)
        } else {
            0
        };
        if let Some(unit) = self.unit.filter(|_| self.group.is_none()) {
            unit.before(self.driver, None, done)?;
        }
        let full_memory = (rewrite.strategy == COPY).then(|| size::spare_memory(self.driver));
        let mut switches = Switches::new(self.driver);
        let ran = rewrite.ops.iter().try_for_each(|op| {
            self.patience.check()?;
            if let Op::Sql { sql, .. } = op {
                (self.events)(Event::Statement {
                    sql,
                    index: done.saturating_sub(1),
                });
            }
            if let Some(work) = size::work(switches.driver, rewrite, op, rows) {
                (self.events)(Event::Work(&work));
            }
            switches.run(op, run)
        });
        let restored = switches.restore();
        // It is a matter of speed alone, and the error of the change counts more.
        let _ = full_memory.flatten().map(|sql| self.driver.execute(sql));
        ran.and(restored)?;
        for statement in run {
            self.rebuild.after(self.driver, &statement.text)?;
        }
        self.rebuild.leave(&rewrite.broken);
        self.done(done)?;
        for notice in orphans::of_copy(self.driver, rewrite) {
            (self.events)(Event::Notice(&notice));
        }
        self.pass_notices_on();
        for notice in &rewrite.notices {
            (self.events)(Event::Notice(notice));
        }
        if let Some(shown) = &mut self.shown {
            shown.extend(Shown::rewritten(run, rewrite));
        }
        Ok(())
    }

    fn ask(&mut self) -> Result<Box<dyn Ask + '_>> {
        Ok(Box::new(Live { driver: self.driver }))
    }
}

impl Online<'_> {
    /// Begins what is done together, where the statement that so many come before is a part of it.
    fn together(&mut self, index: u64) -> Result<()> {
        let Some(unit) = self.unit.filter(|_| self.group.is_none()) else {
            return Ok(());
        };
        let Some(group) = self.rebuild.group(index) else {
            return Ok(());
        };
        unit.open(self.driver)?;
        self.rebuild.look_before(self.driver)?;
        self.group = Some(group.range.end);
        Ok(())
    }

    /// So many statements are done.
    fn done(&mut self, done: u64) -> Result<()> {
        let Some(unit) = self.unit else { return Ok(()) };
        if let Some(end) = self.group {
            if done < end {
                return Ok(());
            }
            self.rebuild.check(self.driver)?;
            self.group = None;
        }
        unit.after(self.driver, done)
    }

    /// What takes the place of a statement that reaches beyond the database.
    fn instead(&mut self, place: &Place<'_>, instead: &Replay) -> Result<()> {
        let Replay::Instead(sql) = instead else {
            return Ok(());
        };
        let ran = self.driver.execute(sql);
        ran.map_err(|error| rebuild::failed(&error, place, self.driver.dialect()))
    }

    fn copy_in(&mut self, place: &Place<'_>) -> Result<()> {
        let begun = self.driver.copy_in(place.sql());
        begun.map_err(|error| rebuild::failed(&error, place, self.driver.dialect()))?;
        let (file, span) = place.in_file();
        self.copying = Some(Copying {
            file,
            span,
            index: place.index,
            lines_before: None,
        });
        Ok(())
    }

    /// The error of a COPY, under the line of data that the database names, where it does.
    fn copy_failed(&self, error: &DriverError) -> Error {
        let Some(copying) = &self.copying else {
            return fault::database(error);
        };
        let line = error.remarks.data_line.zip(copying.lines_before);
        let place = line.and_then(|(line, before)| copying.file.line_span(before + line));
        let place = place.unwrap_or_else(|| copying.span.clone());
        fault::statement(error, &copying.file, &place, self.driver.dialect().rules())
    }

    /// Waits for what is queued, so that what is watched runs while it is watched.
    fn settle(&mut self, place: &Place<'_>) -> Result<()> {
        let rules = self.driver.dialect().rules();
        let sent = self.driver.flush();
        sent.map_err(|error| fault::queued(&error, place.script, rules))
    }

    /// Refuses to go on where a statement passed over what an earlier try of it left: an invalid index, and IF NOT EXISTS.
    fn is_whole(&mut self, place: &Place<'_>) -> Result<()> {
        let Some(leftovers) = self.driver.dialect().leftovers(place.statement.text) else {
            return Ok(());
        };
        if !leftovers.passes_over {
            return Ok(());
        }
        let rows = self
            .driver
            .query(&leftovers.query)
            .map_err(|error| fault::database(&error))?;
        if rows.is_empty() {
            return Ok(());
        }
        let (file, span) = place.in_file();
        let message = format!("`{}` passed over an index that is invalid", file.name);
        Err(Error::new(Code::StatementFailed, message).at(&file, span, "what is there already is not what this makes"))
    }

    fn pass_notices_on(&mut self) {
        for said in [self.driver.notices(), self.rebuild.notes()] {
            for notice in &said {
                (self.events)(Event::Notice(notice));
            }
        }
    }
}

/// Asks the live database, in the transaction that is open.
pub(crate) struct Live<'a> {
    pub driver: &'a mut dyn Driver,
}

impl Ask for Live<'_> {
    fn query(&mut self, sql: &str) -> Result<Rows> {
        self.driver.query(sql).map_err(|error| fault::database(&error))
    }

    fn scratch(&mut self) -> Result<Box<dyn Scratch>> {
        let driver = self.driver.scratch().map_err(|error| fault::database(&error))?;
        Ok(Box::new(OnDriver(driver)))
    }

    fn offline(&self) -> bool {
        false
    }
}

/// A scratch database over a driver.
pub(crate) struct OnDriver(pub Box<dyn Driver>);

impl OnDriver {
    /// What an application gives to its connections is not there; something in its place lets statements compile.
    fn act<T>(&mut self, act: impl Fn(&mut dyn Driver) -> Result<T, DriverError>) -> Result<T, ScratchError> {
        let mut last = None;
        loop {
            match act(&mut *self.0) {
                Err(error) if last.as_ref() != Some(&error.message) && self.0.stand_in(&error.message) => {
                    last = Some(error.message);
                }
                done => return done.map_err(scratch_error),
            }
        }
    }
}

impl Scratch for OnDriver {
    fn execute(&mut self, sql: &str) -> Result<(), ScratchError> {
        let Err(error) = self.act(|driver| driver.execute(sql)) else {
            return Ok(());
        };
        let instead = self.0.dialect().without(sql, &error.message);
        if instead.is_empty() {
            return Err(error);
        }
        instead
            .iter()
            .try_for_each(|sql| self.act(|driver| driver.execute(sql)))
    }

    fn query(&mut self, sql: &str) -> Result<Rows, ScratchError> {
        self.act(|driver| driver.query(sql))
    }

    fn reads(&mut self, sql: &str, quoted_texts: bool) -> Result<Option<Vec<ColumnRead>>, ScratchError> {
        self.act(|driver| driver.reads(sql, quoted_texts))
    }
}

fn scratch_error(error: DriverError) -> ScratchError {
    ScratchError {
        message: error.message,
        offset: error.offset,
    }
}
