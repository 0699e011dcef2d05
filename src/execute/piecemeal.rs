//! A revision that no transaction can hold, since data definition commits by itself: piece by piece, with a count that is
//! always true.

use crate::code::Code;
use crate::dialect::{AlterStatement, Ask, Dialect, Rewrite, Told};
use crate::driver::{Driver, DriverError, Failure};
use crate::error::{Error, Result};
use crate::execute::event::Event;
use crate::execute::inherit::Session;
use crate::execute::ledger::{First, Ledger};
use crate::execute::leftover::not_run;
use crate::execute::lock::Patience;
use crate::execute::online::Live;
use crate::execute::patient::Tries;
use crate::execute::seen::Seen;
use crate::execute::shown::Shown;
use crate::execute::step::Ready;
use crate::execute::walk::{self, Place, Runner, Walk};
use crate::execute::{Executor, Ran, bookkeeping, fault, inherit, rebuild, step};
use crate::revision::{Direction, RevisionId, Transaction};
use crate::version::{Entry, Row, Stamp, Took, Unfinished, VersionTable};

/// Sends the statements of a script with their count, without waiting where the driver need not.
struct Pieces<'a> {
    driver: &'a mut dyn Driver,
    events: &'a mut dyn FnMut(Event<'_>),
    patience: Patience<'a>,
    ledger: Ledger<'a>,
    shown: Option<&'a mut Vec<Shown>>,
    /// How many statements had run for certain when something failed, unless they stood in a transaction.
    certain: Option<u64>,
    /// What kind of failure it was, and the database's code and words.
    failure: Option<Failure>,
    code: Option<String>,
    message: String,
}

impl Pieces<'_> {
    /// Sends statements of ours; those before statement `next` were done when they run.
    fn own(&mut self, statements: &[String], next: u64) -> std::result::Result<(), DriverError> {
        statements.iter().try_for_each(|sql| {
            let sent = self.driver.queue(sql, Some(next));
            sent.inspect_err(|error| self.heard(error))
        })
    }

    fn heard(&mut self, error: &DriverError) {
        self.certain = Some(error.ticket.unwrap_or(self.ledger.done()));
        self.failure = Some(error.failure);
        self.code.clone_from(&error.code);
        self.message.clone_from(&error.message);
    }

    /// Whether the statement that failed may have done a part of its work.
    fn is_half(&self, ready: &Ready<'_>) -> bool {
        let (Some(at), Some(Failure::Statement | Failure::Interrupted | Failure::Contended)) =
            (self.certain, self.failure)
        else {
            return false;
        };
        let dialect = self.driver.dialect();
        let Some((file, span)) = walk::place_of(&ready.script, at, dialect.rules()) else {
            return false;
        };
        let sql = file.text.get(span).unwrap_or_default();
        let told = Told {
            code: self.code.as_deref().unwrap_or_default(),
            message: &self.message,
            atomic: self.driver.is_atomic(),
        };
        dialect.may_stop_half_way(sql) && !dialect.failed_before_it_began(sql, told)
    }

    fn send(&mut self, place: &Place<'_>) -> std::result::Result<(), DriverError> {
        let sql = place.sql();
        let before = self.ledger.before(sql);
        self.own(&before, place.index)?;
        let sent = self.driver.queue(sql, Some(place.index));
        sent.inspect_err(|error| self.heard(error))?;
        if self.driver.dialect().runs_program(sql) {
            self.ledger.heard(self.driver.in_transaction() == Some(true));
        }
        let after = self.ledger.after(sql);
        self.own(&after, place.index + 1)
    }

    /// Ends the revision, with the session as it was `before`.
    fn end(&mut self, ready: &Ready<'_>, before: &Session, log: String) -> std::result::Result<(), DriverError> {
        let done = self.ledger.done();
        let ends = inherit::ends(self.driver, &ready.prepared, before);
        let ends = ends.inspect_err(|error| self.heard(error))?;
        let reset = self.ledger.reset(ends);
        self.own(&reset, done)?;
        let back = inherit::put_back(self.driver, before);
        back.inspect_err(|error| self.heard(error))?;
        let timed = self.driver.dialect().stopwatch().is_some();
        let end = self.ledger.end(log, timed);
        self.own(&end, done)?;
        let sent = self.driver.flush();
        sent.inspect_err(|error| self.heard(error))
    }

    fn check(&mut self) -> Result<()> {
        let stop = self.patience.check();
        if stop.is_err() {
            // What is on its way comes to its end, so that its count is known.
            match self.driver.flush() {
                Ok(()) => self.certain = Some(self.ledger.done()),
                Err(error) => self.heard(&error),
            }
            self.failure = Some(Failure::Busy);
        }
        stop
    }

    fn pass_notices_on(&mut self) {
        for notice in self.driver.notices() {
            (self.events)(Event::Notice(&notice));
        }
    }
}

impl Runner for Pieces<'_> {
    fn statement(&mut self, place: &Place<'_>) -> Result<()> {
        self.check()?;
        (self.events)(Event::Statement {
            sql: place.sql(),
            index: place.index,
        });
        if let Some(shown) = self.shown.as_deref_mut() {
            shown.extend(Shown::native(place));
        }
        let sent = self.send(place);
        sent.map_err(|error| rebuild::failed(&error, place, self.driver.dialect()))?;
        self.pass_notices_on();
        Ok(())
    }

    /// Not called: nothing is rewritten where no ALTER belongs to a batch.
    fn rewrite(&mut self, _run: &[AlterStatement], _rewrite: &Rewrite, _done: u64) -> Result<()> {
        Ok(())
    }

    fn ask(&mut self) -> Result<Box<dyn Ask + '_>> {
        Ok(Box::new(Live { driver: self.driver }))
    }
}

/// Why a step did not come to its end.
struct Broken {
    error: Error,
    /// How many statements had run for certain, unless they stood in a transaction.
    certain: Option<u64>,
    /// Whether the next one may have done a part of its work.
    half: bool,
}

impl<'a> Executor<'a> {
    /// Runs a step piece by piece. No transaction is open before or after, and no other run is under way: `row` is what
    /// the version table has of the revision.
    pub(crate) fn run_piecemeal(&mut self, ready: &Ready<'a>, row: Option<&Row>) -> Result<Option<Ran>> {
        let direction = ready.step.direction;
        let at = row
            .and_then(|row| row.unfinished)
            .filter(|at| at.direction == direction);
        let skip = at.map_or(0, |at| at.statements);
        self.refuse_to_go_on(ready, at)?;
        self.started(ready);
        let mut statements = Vec::new();
        let began = self.clock.elapsed();
        let (mut skip, mut is_there) = (skip, row.is_some());
        let mut tries = Tries::new();
        let session = inherit::session(self.driver, &ready.prepared).map_err(|error| fault::database(&error))?;
        self.connection_again(ready, skip)?;
        loop {
            let Err(mut broken) = self.pieces(ready, (skip, is_there), &session, &mut statements) else {
                let duration = self.clock.elapsed().saturating_sub(began);
                return Ok(Some(step::ran(ready, statements, duration)));
            };
            let contended = broken.error.code() == Code::Contended && !broken.half;
            if !contended || !tries.has_time(self.patience) {
                return Err(self.pick_up(ready, broken));
            }
            let at = match self.once_more(ready, broken.certain) {
                Ok(at) => at,
                Err(why) => {
                    broken.error = broken.error.cause(why);
                    return Err(self.pick_up(ready, broken));
                }
            };
            if let Err(error) = tries.wait(&broken.error, self.patience, self.events) {
                broken.error = error;
                return Err(self.pick_up(ready, broken));
            }
            statements.clear();
            (skip, is_there) = (at.map_or(0, |at| at.statements), is_there || at.is_some());
        }
    }

    /// Refuses to go on with a revision that stopped half-way where its script is another one by now, where nobody knows
    /// how far it came, and where what its first statements held is gone.
    pub(crate) fn refuse_to_go_on(&mut self, ready: &Ready<'a>, at: Option<Unfinished>) -> Result<()> {
        let Some(at) = at else {
            return Ok(());
        };
        let done = at.statements;
        let dialect = self.driver.dialect();
        let id = ready.step.revision.as_str();
        if (done > 0 || at.begun)
            && let Some(details) = self.table.details(self.driver, id)?
        {
            let same = |first| step::same_beginning(id, ready.step.direction, &ready.script, &details, first, dialect);
            same(done)?;
            if at.begun && same(done + 1).is_err() {
                return Err(another(ready, done, dialect));
            }
        }
        if at.begun && !is_control(ready, done, dialect) && not_run(ready, at, dialect).is_none() {
            return Err(not_known(ready, done, dialect));
        }
        self.refuse_without_rows(ready, done)
    }

    /// Rolls back for another try, which goes on in the session as it is. Returns how far the revision came, or why there
    /// is none.
    fn once_more(
        &mut self,
        ready: &Ready<'a>,
        certain: Option<u64>,
    ) -> std::result::Result<Option<Unfinished>, String> {
        self.driver.forget();
        let rolled_back = self.driver.execute("ROLLBACK");
        rolled_back.map_err(|error| error.message)?;
        let certain = certain.unwrap_or_default();
        self.correct(ready, certain);
        let at = self.came(&ready.step.revision).map_err(|error| error.message)?;
        if at.is_some_and(|at| at.begun) {
            return Err("how far it came is not known".to_owned());
        }
        let from = at.map_or(0, |at| at.statements);
        match self.once_only(ready, from..certain + 1) {
            Ok(None) => Ok(at),
            Ok(Some(why)) => Err(why),
            Err(error) => Err(error.message().to_owned()),
        }
    }

    /// How far the version table says that a revision came.
    pub(crate) fn came(&mut self, id: &RevisionId) -> std::result::Result<Option<Unfinished>, DriverError> {
        let seen = Seen::read(self.driver, &self.table)?;
        Ok(seen.row(id).and_then(|row| row.unfinished))
    }

    /// Rolls back what is open after a failure, puts the session back, and writes down how far it came.
    fn pick_up(&mut self, ready: &Ready<'a>, broken: Broken) -> Error {
        if broken.error.code() == Code::ConnectionLost {
            return broken.error;
        }
        self.driver.forget();
        // Where nothing is open, it does nothing.
        let _ = self.driver.execute("ROLLBACK");
        let stayed = self.driver.left_by_rollback();
        for sql in self.driver.dialect().reset() {
            let _ = self.driver.execute(sql);
        }
        let id = &ready.step.revision;
        let mut error = stayed.into_iter().fold(broken.error, Error::cause);
        if let Some(certain) = broken.certain {
            // Where the note that it begins was rolled back, so was what it did.
            let noted = |at: &Unfinished| at.begun && at.statements == certain;
            if broken.half && self.came(id).ok().flatten().is_some_and(|at| noted(&at)) {
                let helps = in_doubt(ready, certain, self.driver.dialect());
                error = helps.into_iter().fold(error, Error::help);
            } else {
                self.correct(ready, certain);
            }
        }
        self.forget_what_never_began(id);
        error
    }

    fn pieces(
        &mut self,
        ready: &Ready<'a>,
        (skip, is_there): (u64, bool),
        session: &Session,
        shown: &mut Vec<Shown>,
    ) -> std::result::Result<(), Broken> {
        let dialect = self.driver.dialect();
        let (id, direction) = (ready.step.revision.as_str(), ready.step.direction);
        let walk = Walk {
            dialect,
            script: &ready.script,
            recreate: ready.revision.header.recreate,
            skip,
        };
        let now = self.clock.now();
        let log = self.log_of(ready, &now);
        let mut before = self.timeouts(ready, false);
        before.extend(dialect.stopwatch().map(str::to_owned));
        let keep = self.keep_statements;
        let (table, by) = (self.table.clone(), self.by);
        let first: First<'_> = Box::new(|at| first(&table, ready, by, &now, is_there, at));
        let each = ready.revision.header.transaction == Transaction::None;
        let mut pieces = Pieces {
            driver: &mut *self.driver,
            events: &mut *self.events,
            patience: self.patience,
            ledger: Ledger::new(dialect, table.clone(), (id, direction), each, skip, first),
            shown: keep.then_some(&mut *shown),
            certain: None,
            failure: None,
            code: None,
            message: String::new(),
        };
        let begun = pieces.own(&before, skip);
        let walked = begun
            .map_err(|error| fault::database(&error))
            .and_then(|()| walk.run(&mut pieces))
            .and_then(|()| ready.script.check_unchanged(&ready.prepared))
            .and_then(|()| {
                if pieces.ledger.left_open() {
                    return Err(step::left_open(ready));
                }
                let ended = pieces.end(ready, session, log.clone());
                ended.map_err(|error| fault::queued(&error, &ready.script, dialect.rules()))
            });
        let (certain, half) = (pieces.certain, pieces.is_half(ready));
        drop(pieces);
        if keep && walked.is_ok() {
            let stamp = self.stamp(&now, None);
            let rows = bookkeeping::of_step(&table, direction, ready.record.as_ref(), id, &stamp);
            shown.extend(rows.iter().map(|sql| Shown::version(sql)));
        }
        walked.map_err(|error| Broken { error, certain, half })
    }

    fn log_of(&self, ready: &Ready<'_>, now: &str) -> String {
        let entry = Entry {
            event: ready.step.direction.name(),
            revision: ready.step.revision.as_str(),
            done: true,
            detail: None,
        };
        let mut stamp = self.stamp(now, None);
        stamp.took = self.driver.dialect().stopwatch().map(|_| Took::Transaction);
        self.table.log(entry, &stamp)
    }

    /// Writes down how far it came where that is known better than when the last statement was announced.
    fn correct(&mut self, ready: &Ready<'a>, certain: u64) {
        let id = &ready.step.revision;
        let Some(at) = self.came(id).ok().flatten().filter(|at| at.begun) else {
            return;
        };
        // What a transaction of the author's held was rolled back to its beginning, where the row still is.
        let known = if is_control(ready, at.statements, self.driver.dialect()) {
            at.statements
        } else {
            certain.max(at.statements)
        };
        let known = Unfinished {
            statements: known,
            begun: false,
            ..at
        };
        // Where this fails, the row says that nobody knows, which is true as well.
        let _ = self.driver.execute(&self.table.progress(id.as_str(), Some(known)));
    }

    /// A revision of which nothing has run is as it was before.
    fn forget_what_never_began(&mut self, id: &RevisionId) {
        let nothing = |at: &Unfinished| at.statements == 0 && !at.begun;
        let Some(at) = self.came(id).ok().flatten().filter(nothing) else {
            return;
        };
        let sql = match at.direction {
            Direction::Upgrade => self.table.delete(id.as_str()),
            Direction::Downgrade => self.table.progress(id.as_str(), None),
        };
        // Where this fails, the row says that nothing is done, which is true as well.
        let _ = self.driver.execute(&sql);
    }

    /// Writes down whether the statement that a run had begun when it ended has run. Returns how many have.
    ///
    /// # Errors
    /// `execute::unfinished` where nothing is in doubt; `lock::timeout`, `database::…`.
    pub fn settle_begun(&mut self, id: &RevisionId, ran: bool) -> Result<u64> {
        self.locked(|executor, _| {
            let seen = executor.look()?;
            let at = seen.row(id).and_then(|row| row.unfinished).filter(|at| at.begun);
            let Some(at) = at else {
                let message = format!("no statement of revision `{id}` is in doubt");
                return Err(Error::new(Code::UnfinishedRevision, message).help("see what is: sqlrev check"));
            };
            let known = Unfinished {
                statements: at.statements + u64::from(ran),
                begun: false,
                ..at
            };
            let now = executor.clock.now();
            let detail = format!(
                "statement {} {}",
                at.statements + 1,
                if ran { "has run" } else { "has not run" }
            );
            let entry = Entry {
                event: "repair",
                revision: id.as_str(),
                done: true,
                detail: Some(&detail),
            };
            let log = executor.table.log(entry, &executor.stamp(&now, None));
            executor.begin()?;
            executor.own(&executor.table.progress(id.as_str(), Some(known)))?;
            executor.own(&log)?;
            executor.commit()?;
            Ok(known.statements)
        })
    }
}

/// What writes the row of a revision that begins, or goes on.
fn first(table: &VersionTable, ready: &Ready<'_>, by: &str, now: &str, is_there: bool, at: Unfinished) -> Vec<String> {
    let id = ready.step.revision.as_str();
    let stamp = Stamp {
        at: Some(now),
        by,
        took: None,
    };
    match &ready.record {
        Some(record) if !is_there => vec![table.insert(&record.row(Some(at)), &stamp)],
        Some(record) => vec![table.accept(&record.row(Some(at))), table.progress(id, Some(at))],
        None => vec![table.progress(id, Some(at))],
    }
}

/// Whether a statement only opens or closes a transaction of the author's. The note before it stands in the transaction
/// that it closes, or before the one that it opens, so it may be run again in any case.
pub(crate) fn is_control(ready: &Ready<'_>, at: u64, dialect: &'static dyn Dialect) -> bool {
    let text = walk::place_of(&ready.script, at, dialect.rules());
    text.is_some_and(|(file, span)| dialect.controls_transaction(file.text.get(span).unwrap_or_default()))
}

/// The error for a revision that stopped in the middle of a statement which may have run.
pub(crate) fn not_known(ready: &Ready<'_>, done: u64, dialect: &'static dyn Dialect) -> Error {
    let id = &ready.step.revision;
    let next = done + 1;
    let message = format!("statement {next} of revision `{id}` was begun, and its end was not seen");
    let mut error = Error::new(Code::UnfinishedRevision, message);
    if let Some((file, span)) = walk::place_of(&ready.script, done, dialect.rules()) {
        error = error.at(&file, span, "it may have run or not");
    }
    for help in in_doubt(ready, done, dialect) {
        error = error.help(help);
    }
    error
}

/// The error for a revision that stopped in the middle of a statement which its file no longer has.
fn another(ready: &Ready<'_>, done: u64, dialect: &'static dyn Dialect) -> Error {
    let (id, next) = (&ready.step.revision, done + 1);
    let message = format!("statement {next} of revision `{id}` was begun, and is another one by now");
    let error = Error::new(Code::UnfinishedRevision, message);
    let error = match walk::place_of(&ready.script, done, dialect.rules()) {
        Some((file, span)) => error.at(&file, span, "not what was begun"),
        None => error,
    };
    error.help("put the statement back as it was, and run the same command again: it says what to do")
}

/// How to find out whether a statement has run, and how to say so.
pub(crate) fn in_doubt(ready: &Ready<'_>, done: u64, dialect: &'static dyn Dialect) -> Vec<String> {
    let id = &ready.step.revision;
    let text = walk::place_of(&ready.script, done, dialect.rules());
    let look = text.and_then(|(file, span)| dialect.look_at(file.text.get(span)?));
    let look = look.map_or_else(
        || "see in the database whether it has run".to_owned(),
        |look| format!("see whether it has run: {}", look.sql),
    );
    vec![
        look,
        format!(
            "if it has: sqlrev repair {id} --ran; if not: sqlrev repair {id} --not-run; then run the same command again"
        ),
    ]
}
