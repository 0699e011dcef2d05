//! Tables that an author replaces by hand: their DROP deletes nothing elsewhere, and no row is left pointing at nothing.

use std::collections::BTreeMap;

use crate::code::Code;
use crate::dialect::{Dialect, Replaces, Rows, Setting};
use crate::driver::{Driver, DriverError};
use crate::error::{Error, Result};
use crate::execute::changed::Changed;
use crate::execute::course::{Act, Course};
use crate::execute::elsewhere;
use crate::execute::fault;
use crate::execute::following::{self, Follower, Known};
use crate::execute::group::Group;
use crate::execute::losses::{self, Losses};
use crate::execute::misread::{self, LeftOut};
use crate::execute::orphans::{self, Names, Orphans};
use crate::execute::scripts::Prepared;
use crate::execute::shown::one_line;
use crate::execute::tally::Tally;
use crate::execute::walk::Place;
use crate::source::{SourceFile, Span};
use crate::sql::token;

/// What a script replaces, and the rows that pointed at nothing before it began to.
pub(crate) struct Rebuild<'a> {
    prepared: &'a Prepared,
    course: Course,
    before: Option<Orphans>,
    /// Something that no transaction holds stands in the midst of a replacement: what comes of it cannot be taken back.
    torn: bool,
    /// What was counted in the tables that were dropped and whose names another one takes.
    counts: BTreeMap<String, Tally>,
    /// What copies have left out.
    left_out: LeftOut,
    /// Where the first table goes.
    at: Option<(SourceFile, Span)>,
    losses: Losses,
    changed: Changed,
    /// The first statement has come by.
    begun: bool,
    names: Names,
    known: Known,
    /// Tables that the script drops for good, whose rows went with another one; and the statement that dropped it.
    spared: Vec<(String, (SourceFile, Span))>,
    /// What to say, and was not said yet.
    notes: Vec<String>,
}

impl<'a> Rebuild<'a> {
    pub(crate) fn new(prepared: &'a Prepared, dialect: &'static dyn Dialect) -> Self {
        Self {
            prepared,
            course: Course::new(prepared, dialect),
            before: None,
            torn: false,
            counts: BTreeMap::new(),
            left_out: LeftOut::default(),
            at: None,
            losses: Losses::default(),
            changed: Changed::new(prepared.asks_count),
            begun: false,
            names: Names::default(),
            known: Known::default(),
            spared: Vec::new(),
            notes: Vec::new(),
        }
    }

    /// The statements that are done together with this one, where no transaction holds them all.
    pub(crate) fn group(&self, index: u64) -> Option<&'a Group> {
        let mut groups = self.prepared.groups.iter();
        groups.find(|group| group.range.contains(&index))
    }

    /// Runs a statement. One that means to switch foreign keys does so even in a transaction; while a table that is
    /// replaced is dropped, they are off.
    pub(crate) fn statement(&mut self, driver: &mut dyn Driver, place: &Place<'_>, in_transaction: bool) -> Result<()> {
        let text = place.statement.text;
        if in_transaction && self.watches_nothing() {
            return run(driver, place, in_transaction);
        }
        self.before(driver, text)?;
        if self.at.is_none() && matches!(driver.dialect().replaces(text), Some(Replaces::Drops(_))) {
            self.at = Some(place.in_file());
        }
        self.changed.before(driver, text)?;
        self.run(driver, place, in_transaction)?;
        self.changed.after(driver, text)?;
        self.after(driver, text)
    }

    /// The script, as it was read before, drops nothing, switches nothing and asks for no count.
    fn watches_nothing(&self) -> bool {
        let prepared = self.prepared;
        let still = prepared.dropped.is_empty() && prepared.replaced.is_empty();
        still && !prepared.unsettles && !prepared.switches && !prepared.defers && !prepared.asks_count
    }

    fn run(&mut self, driver: &mut dyn Driver, place: &Place<'_>, in_transaction: bool) -> Result<()> {
        let dialect = driver.dialect();
        let failed = |error| fault::database(&error);
        let text = place.statement.text;
        if let Some((setting, on)) = dialect.meant_switch(text).filter(|_| in_transaction) {
            if !on {
                self.look_before(driver)?;
            }
            return driver.setting(setting, Some(on)).map(drop).map_err(failed);
        }
        if in_transaction && self.prepared.defers && dialect.references().is_some_and(|known| known.defers(text)) {
            self.look_before(driver)?;
        }
        elsewhere::takes_nothing_along(driver, place)?;
        if in_transaction && self.fills_new(driver, text)? {
            return self.unfollowed(driver, |driver| run(driver, place, false));
        }
        let Some(Replaces::Drops(table)) = dialect.replaces(text) else {
            return run(driver, place, in_transaction);
        };
        if !self.prepared.replaces(place.index, &table) {
            self.takes_nothing_along(driver, place, &table)?;
            return run(driver, place, in_transaction)
                .map_err(|error| following::refused(error, &table, self.prepared, driver));
        }
        self.torn |= !in_transaction;
        self.unfollowed(driver, |driver| drop_alone(driver, place, &table, in_transaction))
    }

    /// Does something with foreign keys off. Which rows pointed at nothing before is known then.
    fn unfollowed(
        &mut self,
        driver: &mut dyn Driver,
        action: impl FnOnce(&mut dyn Driver) -> Result<()>,
    ) -> Result<()> {
        let failed = |error| fault::database(&error);
        self.look_before(driver)?;
        let was = driver.setting(Setting::ForeignKeys, None).map_err(failed)?;
        driver.setting(Setting::ForeignKeys, Some(false)).map_err(failed)?;
        let ran = action(driver);
        driver.setting(Setting::ForeignKeys, Some(was)).map_err(failed)?;
        ran
    }

    /// Whether a statement copies rows into a table that the script has made, in the course of a replacement: those that
    /// pointed at nothing before may be among them, and what is new is found at the end.
    fn fills_new(&self, driver: &mut dyn Driver, statement: &str) -> Result<bool> {
        if self.prepared.replaced.is_empty() {
            return Ok(false);
        }
        let dialect = driver.dialect();
        let change = dialect.changes_rows(statement).filter(|change| change.copies);
        let Some(change) = change.filter(|change| self.course.is_made(&change.table)) else {
            return Ok(false);
        };
        // What could change rows that are there already is watched.
        if let Some(references) = dialect.references() {
            let mut query = |sql: &str| driver.query(sql).map_err(|error| fault::database(&error));
            if references.may_replace(statement, &change.table, &mut query)? {
                return Ok(false);
            }
        }
        Ok(!losses::has_trigger(driver, &change.table)?)
    }

    /// What has to be looked at before a statement.
    pub(crate) fn before(&mut self, driver: &mut dyn Driver, statement: &str) -> Result<()> {
        if !std::mem::replace(&mut self.begun, true) {
            for table in &self.prepared.replaced {
                self.losses.keep_indexes(driver, table)?;
            }
            if !self.prepared.dropped.is_empty() || self.prepared.unsettles {
                self.losses.begin(driver)?;
            }
        }
        let acts = self.course.before(statement);
        self.act(driver, acts)
    }

    /// And after it.
    pub(crate) fn after(&mut self, driver: &mut dyn Driver, statement: &str) -> Result<()> {
        self.names.after(driver.dialect().replaces(statement));
        let dialect = driver.dialect();
        self.known.after(statement, dialect);
        let mut ask = |sql: &str| driver.query(sql).map_err(|error| fault::database(&error));
        self.notes
            .extend(misread::note(statement, &self.course, dialect, true, &mut ask));
        let copied = (&self.course, &self.prepared.between);
        let note = misread::left_out(statement, copied, dialect, true, &mut ask);
        self.left_out.read(statement, note, dialect);
        let acts = self.course.after(statement);
        self.act(driver, acts)
    }

    fn act(&mut self, driver: &mut dyn Driver, acts: Vec<Act>) -> Result<()> {
        for act in acts {
            match act {
                Act::Keep { table, of } => {
                    if table != of {
                        self.look_before(driver)?;
                    }
                    self.losses.keep(driver, &table, &of)?;
                    let tally = Tally::of(driver, &of);
                    self.counts.insert(table, tally);
                }
                Act::Compare(table) => {
                    if let Some(before) = self.counts.remove(&table) {
                        self.notes.extend(before.against(driver, &table));
                    }
                }
            }
        }
        Ok(())
    }

    /// Views and triggers that a RENAME found broken: they may not be when the script has ended.
    pub(crate) fn leave(&mut self, broken: &[[String; 2]]) {
        self.losses.leave(broken);
    }

    /// What to say, once.
    pub(crate) fn notes(&mut self) -> Vec<String> {
        std::mem::take(&mut self.notes)
    }

    /// Refuses to drop a table when rows of others would go or change with it, unless those are dropped as well.
    fn takes_nothing_along(&mut self, driver: &mut dyn Driver, place: &Place<'_>, table: &str) -> Result<()> {
        let dialect = driver.dialect();
        let failed = |error| fault::database(&error);
        if !driver.setting(Setting::ForeignKeys, None).unwrap_or(false) {
            return Ok(());
        }
        let Some(references) = dialect.references() else {
            return Ok(());
        };
        if let Some(query) = references.shadowed(place.statement.text, table)
            && !driver.query(&query).map_err(failed)?.is_empty()
        {
            return Ok(());
        }
        let mut ask = |sql: &str| driver.query(sql).map_err(failed);
        let following = following::of(
            (place.index, table),
            references,
            self.prepared,
            &mut self.known,
            &mut ask,
        )?;
        for follower in following.there(&mut ask)? {
            if !follower.goes() {
                return Err(self.goes_along(place, table, &follower));
            }
            let name = follower.child.to_ascii_lowercase();
            let acts = self.course.goes_along(&name);
            self.act(driver, acts)?;
            // Without a transaction it is known to go.
            if self.prepared.drops.is_none() {
                self.spared.push((follower.child, place.in_file()));
            }
        }
        Ok(())
    }

    fn goes_along(&self, place: &Place<'_>, table: &str, follower: &Follower) -> Error {
        let child = &follower.child;
        let (file, span) = place.in_file();
        let what = if follower.fires {
            format!("fire triggers of `{child}`")
        } else {
            format!("delete or change rows of `{child}`")
        };
        let label = match &follower.through {
            _ if follower.read => format!("rows of `{child}` follow this table's, and are read before it is dropped"),
            Some(through) => format!("rows of `{through}` follow this table's, and rows of `{child}` follow them"),
            None => format!("rows of `{child}` follow this table's"),
        };
        let name = child.to_ascii_lowercase();
        let said = self.prepared.dropped.contains(&name);
        let (to_drop, to_change) = if said && self.prepared.drops.is_some() {
            let stored = format!("main.{child}");
            (
                format!("drop `{stored}` before `{table}`, since no transaction holds both"),
                stored,
            )
        } else {
            let order = if follower.fires || follower.read || said {
                format!("before `{table}`")
            } else {
                "as well".to_owned()
            };
            (format!("drop `{child}` {order}"), child.clone())
        };
        let meant = match &follower.column {
            Some(column) => format!("UPDATE {to_change} SET {column} = NULL"),
            None => format!("DELETE FROM {to_change}"),
        };
        let help = if self.prepared.replaced.contains(&name) {
            format!("drop `{table}` after `{child}` was replaced by a table that does not follow it")
        } else {
            format!("{to_drop}, or say what is meant before: {meant}")
        };
        Error::new(Code::WouldDeleteRows, format!("to drop `{table}` would {what}"))
            .at(&file, span, label)
            .help(help)
            .help("to change the table: ALTER TABLE; or CREATE the new one, INSERT, DROP the old one, RENAME")
    }

    /// Refuses at the end that a table is there whose rows went with another one, since it was to be dropped.
    fn spares(&mut self, driver: &mut dyn Driver) -> Result<()> {
        for (child, (file, span)) in std::mem::take(&mut self.spared) {
            let Some(references) = driver.dialect().references() else {
                continue;
            };
            let stay = driver.query(&references.stay(std::slice::from_ref(&child)));
            if !stay.map_err(|error| fault::database(&error))?.is_empty() {
                let message = format!("to drop this would delete or change rows of `{child}`, which is not dropped");
                return Err(Error::new(Code::WouldDeleteRows, message)
                    .at(&file, span, format!("rows of `{child}` follow this table's"))
                    .help(format!(
                        "drop `{child}` before, or say what is meant: DELETE FROM {child}"
                    )));
            }
        }
        Ok(())
    }

    /// Looks which rows point at nothing, before anything of a replacement has run.
    pub(crate) fn look_before(&mut self, driver: &mut dyn Driver) -> Result<()> {
        if self.before.is_none() {
            self.before = Some(Orphans::read(driver, &self.prepared.loose())?);
        }
        Ok(())
    }

    /// Refuses what was done when rows point at nothing that did not before.
    ///
    /// # Errors
    /// `execute::foreign_keys`, and `batch::in_use` for what refers to a table by the name that it got for its last way.
    pub(crate) fn check(&mut self, driver: &mut dyn Driver) -> Result<()> {
        for table in self.course.gone() {
            losses::refers_to_nothing(driver, table).map_err(|error| self.placed(error))?;
        }
        let Some(before) = self.before.take() else {
            return Ok(());
        };
        let now = Orphans::read(driver, &self.prepared.loose())?;
        if let Some(misfit) = now.misfit(&before) {
            if !self.torn {
                let help = if self.prepared.replaced.is_empty() {
                    "give the table that it refers to a PRIMARY KEY or UNIQUE of these columns, in the same revision"
                } else {
                    "give the new table the PRIMARY KEY or UNIQUE that the key refers to, as the old one had it"
                };
                let error = Error::new(Code::ForeignKeys, "a foreign key fits no key of its parent");
                return Err(self.placed(error.cause(misfit).help(help)));
            }
            self.notes.push(misfit.to_owned());
        }
        let new = now.since(&before, &|name| self.names.origin(name));
        if new.is_empty() {
            return Ok(());
        }
        if self.torn {
            self.notes.extend(orphans::told(new));
            return Ok(());
        }
        let help = if self.prepared.replaced.is_empty() {
            "delete or correct the rows that point at others which are gone, in the same revision"
        } else {
            "copy every row to the new table, or delete in the same revision the rows that point at the others"
        };
        Err(self.placed(orphans::refused(&new).help(help)))
    }

    /// An error about what the replacement of tables has come to, with the place where it begins.
    fn placed(&self, error: Error) -> Error {
        match &self.at {
            Some((file, span)) => error.at(file, span.clone(), "the first table that goes"),
            None => error,
        }
    }

    /// Refuses that a full-text table finds rows by numbers that they had in the old table; what no transaction has `held` is
    /// told of, since it is done.
    fn fits(&mut self, driver: &mut dyn Driver, held: bool) -> Result<()> {
        let Some([table, name]) = self.losses.unfit(driver)? else {
            return Ok(());
        };
        let message = format!("virtual table `{name}` does not find the rows of the new `{table}`");
        let called = driver.dialect().ident(&name);
        let anew = format!("INSERT INTO {called} ({called}) VALUES ('rebuild')");
        if self.torn || !held {
            self.notes
                .push(format!("{message} until its index is made anew: {anew}"));
            return Ok(());
        }
        Err(self
            .placed(Error::new(Code::BatchInUse, message))
            .help("copy the numbers of the rows along: INSERT INTO new (rowid, …) SELECT rowid, … FROM old")
            .help(format!("or make its index anew at the end: {anew};")))
    }

    /// At the end of the script: the same, and what else there is to say about it; `held` by a transaction, it can be
    /// taken back.
    ///
    /// # Errors
    /// Those of [`Rebuild::check`].
    pub(crate) fn finish(mut self, driver: &mut dyn Driver, held: bool) -> Result<Vec<String>> {
        let acts = self.course.end();
        self.act(driver, acts)?;
        self.spares(driver)?;
        self.check(driver)?;
        self.fits(driver, held)?;
        if held && self.losses.replaced(driver, &self.prepared.taken_away())? {
            self.losses.compiles(driver, self.at.as_ref())?;
        }
        self.notes.extend(self.left_out.said());
        self.notes.extend(self.losses.said(driver)?);
        Ok(self.notes)
    }
}

/// What to say of a statement that does nothing in a transaction, without the comments behind it. None for others.
pub(crate) fn in_vain(sql: &str, dialect: &dyn Dialect) -> Option<String> {
    let why = dialect.references()?.passed_over(sql)?;
    let last = token::significant(sql, dialect.rules()).last();
    let sql = one_line(&sql[..last.map_or(sql.len(), |last| last.span.end)]);
    Some(format!("{sql}: does nothing in a transaction, {why}"))
}

/// Drops a table that is replaced, and counts the rows of those that follow it before and after.
fn drop_alone(driver: &mut dyn Driver, place: &Place<'_>, table: &str, in_transaction: bool) -> Result<()> {
    let before = tally(driver, table)?;
    run(driver, place, in_transaction)?;
    for (child, query, count) in before {
        let now = driver.query(&query).map_err(|error| fault::database(&error))?;
        if now != count {
            let (file, span) = place.in_file();
            let message = format!("to drop `{table}` changed rows of `{child}`");
            return Err(Error::new(Code::WouldDeleteRows, message)
                .at(&file, span, format!("rows of `{child}` went along"))
                .help("please report this"));
        }
    }
    Ok(())
}

/// The tables that follow one: each with the query that counts its rows and what refers, and the counts.
fn tally(driver: &mut dyn Driver, table: &str) -> Result<Vec<(String, String, Rows)>> {
    let dialect = driver.dialect();
    let failed = |error| fault::database(&error);
    let Some(references) = dialect.references() else {
        return Ok(Vec::new());
    };
    let mut counts = Vec::new();
    for row in driver.query(&references.followers(table)).map_err(failed)? {
        let mut values = row.into_iter().flatten();
        if let (Some(child), Some(column)) = (values.next(), values.next()) {
            let (name, column) = (references.stored(&child), dialect.ident(&column));
            let query = format!("SELECT count(*), count({column}) FROM {name}");
            let count = driver.query(&query).map_err(failed)?;
            counts.push((child, query, count));
        }
    }
    Ok(counts)
}

/// In a transaction the driver need not wait for the answer: nothing counts before the commit.
fn run(driver: &mut dyn Driver, place: &Place<'_>, in_transaction: bool) -> Result<()> {
    let sent = if in_transaction {
        driver.queue(place.sql(), Some(place.index))
    } else {
        driver.execute(place.sql())
    };
    sent.map_err(|error| failed(&error, place, driver.dialect()))
}

/// The error for a statement of the script, or for an earlier one whose answer came only now.
pub(crate) fn failed(error: &DriverError, place: &Place<'_>, dialect: &'static dyn Dialect) -> Error {
    if error.ticket.is_some_and(|index| index != place.index) {
        return fault::queued(error, place.script, dialect.rules());
    }
    let (file, span) = place.in_file();
    fault::statement(error, &file, &span, dialect.rules())
}
