//! Offline scripts, and plans to read.

pub(super) mod authors;
mod changed;
mod counted;
mod ended;
mod held;
mod replaced;
mod rewritten;
mod stamped;

use std::fmt::Write as _;
use std::io::{self, Write};

use crate::code::Code;
use crate::dialect::{Ask, Dialect, Held, ScriptHead, ScriptSql, Setting};
use crate::error::{Error, Result};
use crate::execute::Report;
use crate::execute::attached::Attached;
use crate::execute::basis::{Basis, Start};
use crate::execute::course::Course;
use crate::execute::group::Group;
use crate::execute::ledger::Ledger;
use crate::execute::record::{Piece, Reader, needs_foreign_keys_off};
use crate::execute::script::counted::Count;
use crate::execute::script::ended::end_of;
use crate::execute::script::replaced::ByHand;
use crate::execute::script::stamped::{guards, title};
use crate::execute::scripts::Prepared;
use crate::execute::shown::{Shower, one_line};
use crate::execute::survey::Surveyor;
use crate::execute::walk::Place;
use crate::execute::{inherit, lent, rebuild};
use crate::revision::applied::Applied;
use crate::revision::plan::{Plan, Step};
use crate::revision::{Direction, Revision, Transaction};
use crate::sql::split::SplitRules;
use crate::version::{TOOL_VERSION, VersionTable};

pub use crate::execute::record::Recorder;
pub use crate::execute::replay::MakeScratch;

impl Recorder<'_> {
    /// The plan with every statement.
    ///
    /// # Errors
    /// `script::…` and `batch::…`.
    pub fn report(&self, plan: &Plan, applied: &Applied) -> Result<Report> {
        let mut shower = Shower::default();
        self.read(&self.prepare(plan)?, Start::default(), applied, &mut shower)?;
        Ok(Report::of(plan, shower.steps))
    }

    /// The plan with every statement, for a database that is there.
    ///
    /// # Errors
    /// As [`Recorder::report`].
    pub fn report_on(&self, plan: &Plan, applied: &Applied, basis: Basis<'_>) -> Result<Report> {
        let mut shower = Shower::default();
        self.read(&basis.scripts, basis.start, applied, &mut shower)?;
        Ok(Report::of(plan, shower.steps))
    }

    /// Writes the script of a plan: a guard, then each revision in its transaction, with its rows.
    ///
    /// # Errors
    /// `script::…`, `batch::…`, among them `batch::mixed_offline`, and `file::io` for what `out` fails with.
    pub fn script(&self, plan: &Plan, applied: &Applied, out: &mut dyn Write) -> Result<()> {
        let mut surveyor = Surveyor::new(self.dialect);
        let scripts = self.prepare(plan)?;
        let mut revisions = plan.steps.iter().map(|step| self.graph.revision(step.node));
        if let Some(revision) = revisions.find(|revision| revision.header.code) {
            return Err(lent::missing(revision));
        }
        self.read(&scripts, Start::default(), applied, &mut surveyor)?;
        let head = ScriptHead {
            tool: &format!("sqlrev {TOOL_VERSION}"),
            title: &title(plan),
            revisions: &surveyor.lines,
            foreign_keys_off: surveyor.foreign_keys_off.contains(&true),
            statistics: surveyor.statistics,
        };
        let sql = self.dialect.script();
        put(out, &sql.head(&head))?;
        put(out, &entered(self.enter.as_deref()))?;
        put(out, &sql.lock(self.table.place()))?;
        let mut scribe = Scribe {
            recorder: self,
            ledger: None,
            counts: None,
            switched: Vec::new(),
            sql,
            dialect: self.dialect,
            by_hand: false,
            orphans: None,
            held: Vec::new(),
            hand: ByHand::default(),
            notes: Vec::new(),
            prepared: None,
            rules: self.dialect.rules(),
            table: &self.table,
            out,
            foreign_keys_off: &surveyor.foreign_keys_off,
            changes_rows: &surveyor.changes_rows,
            asks_id: &surveyor.asks_id,
            together: &surveyor.together,
            at: 0,
            transaction: Transaction::Revision,
            pragmas: false,
            foreign_keys_on: false,
            first: String::new(),
            returns: false,
            rows: Vec::new(),
            undone: Vec::new(),
            count: applied.set().len(),
        };
        if plan.from.is_empty() {
            scribe.creates()?;
        } else if plan.steps.is_empty() {
            // Nothing is to be done only where the database is.
            let stands = self.stands(plan, applied);
            put(scribe.out, &(sql.begin(false) + &stands + &sql.commit(false)))?;
        }
        self.read(&scripts, Start::default(), applied, &mut scribe)?;
        put(scribe.out, sql.foot(&head))
    }
}

/// The statement that leads to the schema of the script.
fn entered(enter: Option<&str>) -> String {
    enter.map_or_else(String::new, |enter| format!("{enter};\n"))
}

fn put(out: &mut dyn Write, text: &str) -> Result<()> {
    out.write_all(text.as_bytes()).map_err(|error| not_written(&error))
}

fn not_written(error: &io::Error) -> Error {
    Error::new(Code::FileIo, "the script could not be written").cause(error.to_string())
}

/// Writes the script.
pub(super) struct Scribe<'s> {
    recorder: &'s Recorder<'s>,
    /// What stands between the statements of a step that no transaction can hold.
    ledger: Option<Ledger<'static>>,
    /// How far a step without a transaction has come, where that is written down between its statements.
    counts: Option<Count>,
    /// What the author's own statements have switched in this step.
    switched: Vec<(Setting, bool)>,
    sql: &'s dyn ScriptSql,
    dialect: &'static dyn Dialect,
    /// The author replaces a table by hand in this step.
    by_hand: bool,
    /// The query for rows that point at nothing, where foreign keys are off in this step and do not refuse them.
    orphans: Option<String>,
    /// Those that did before, where a statement since the last change of the schema may have changed what they hold.
    held: Vec<Held>,
    /// How tables are replaced by hand in this step.
    hand: ByHand,
    /// What the reader of the script should know of the step.
    notes: Vec<String>,
    /// What is known of the step's script.
    prepared: Option<Prepared>,
    rules: &'static SplitRules,
    table: &'s VersionTable,
    out: &'s mut dyn Write,
    foreign_keys_off: &'s [bool],
    /// Which steps may change rows beside copies.
    changes_rows: &'s [bool],
    /// Which steps ask for the number of the author's last row behind a copy.
    asks_id: &'s [bool],
    /// Whole transactions of the author's that are done together in steps without one.
    together: &'s [Vec<Group>],
    /// The step that is written.
    at: usize,
    transaction: Transaction,
    /// Whether the step may have thrown switches that the next one must not inherit.
    pragmas: bool,
    /// In a step without a transaction: the author has switched foreign keys on.
    foreign_keys_on: bool,
    /// What stands before the first statement of the step, and is not written yet.
    first: String,
    /// The last line of data ends with a carriage return.
    returns: bool,
    /// The statements of the bookkeeping that close the step.
    rows: Vec<String>,
    /// What gives the settings that the step changes their values back.
    undone: Vec<String>,
    /// How many revisions are applied before the step.
    count: usize,
}

impl Scribe<'_> {
    fn creates(&mut self) -> Result<()> {
        let mut text = self.sql.begin(false);
        for create in self.table.create() {
            text.push_str(&format!("{};\n", self.sql.create_if_missing(&create)));
        }
        text.push_str(&self.sql.guard_half_way(self.table.place()));
        text.push_str(&guards(self.sql, self.table, &[], 0));
        text.push_str(&self.sql.commit(false));
        put(self.out, &text)
    }

    /// Writes statements of ours.
    fn own(&mut self, statements: &[String]) -> Result<()> {
        statements.iter().try_for_each(|sql| self.statement(sql))
    }

    fn ended(&mut self, step: &Step) {
        self.counts = None;
        self.at += 1;
        match step.direction {
            Direction::Upgrade => self.count += 1,
            Direction::Downgrade => self.count -= 1,
        }
    }

    fn off(&self) -> bool {
        self.foreign_keys_off.get(self.at).copied().unwrap_or(false)
    }

    fn statement(&mut self, sql: &str) -> Result<()> {
        if let Some(text) = self.sql.terminated(sql) {
            return put(self.out, &text);
        }
        put(self.out, sql)?;
        put(self.out, end_of(sql, self.rules))
    }

    /// What stands before the first statement, once.
    fn first(&mut self) -> Result<()> {
        put(self.out, &std::mem::take(&mut self.first))
    }

    /// The author's comments before a statement.
    fn comments(&mut self, gap: &str) -> Result<()> {
        let gap = self.sql.comments(gap);
        let comment = gap.trim_matches([' ', '\t', '\r', '\n', ';']);
        if comment.is_empty() {
            Ok(())
        } else {
            put(self.out, &format!("{comment}\n"))
        }
    }

    /// A statement of the author's.
    fn native(&mut self, place: &Place<'_>, mut ask: Option<&mut (dyn Ask + '_)>) -> Result<()> {
        if !self.dialect.comes_first(place.statement.text) {
            self.first()?;
        }
        self.comments(place.statement.gap_before)?;
        let text = place.statement.text;
        self.lets_go_before(text)?;
        self.together()?;
        if self.switches(text)? {
            return self.written(1);
        }
        let in_vain = rebuild::in_vain(text, self.dialect).filter(|_| self.transaction == Transaction::Revision);
        if let Some(said) = in_vain {
            put(self.out, &format!("-- {said}\n"))?;
            return self.written(1);
        }
        if self.sql.takes_guards(text) {
            put(
                self.out,
                &format!(
                    "-- {}: would take the tables of this script's guards along\n",
                    one_line(text)
                ),
            )?;
            return self.written(1);
        }
        let undone = self.sql.undone(text);
        self.undone
            .extend(undone.filter(|undone| !self.undone.contains(undone)));
        self.switched.extend(self.sql.switches(text));
        self.opens(text)?;
        let sql = place.sql();
        let alone = self.drops_alone(sql);
        let held = alone || self.counts_with(text);
        if held {
            put(self.out, &self.sql.begin(alone))?;
        }
        self.takes_nothing_along(text, ask.as_deref_mut())?;
        self.looks(text, ask.as_deref_mut())?;
        let behind = self.concerns(text, ask)?;
        let before = self.ledger.as_mut().map(|ledger| ledger.before(sql));
        self.own(&before.unwrap_or_default())?;
        self.counts_before(text)?;
        self.authors(text, sql)?;
        put(self.out, &behind)?;
        self.counts_behind(held, alone, place.statement.takes_data)?;
        if self.sql.leaves_schema(sql) {
            put(self.out, &entered(self.recorder.enter.as_deref()))?;
        }
        let after = self.ledger.as_mut().map(|ledger| ledger.after(sql));
        self.own(&after.unwrap_or_default())?;
        self.closes(text)?;
        self.looked(text)?;
        self.written(1)
    }
}

impl Reader for Scribe<'_> {
    fn step(&mut self, step: &Step, revision: &Revision, prepared: &Prepared) -> Result<()> {
        let mut head = String::with_capacity(1024);
        head.extend(["\n-- ", step.direction.name(), " ", step.revision.as_str(), ": "]);
        head.extend([&*one_line(&revision.header.message), "\n-- "]);
        let _ = write!(head, "{} -> {}", step.heads_before, step.heads_after);
        head.extend(["\n-- ", &*prepared.checksum.stored(), "\n"]);
        self.transaction = revision.header.transaction;
        self.pragmas = prepared.pragmas;
        // Without a transaction they are off around each copy alone.
        self.foreign_keys_on = self.transaction == Transaction::None;
        let off = self.off() && !self.foreign_keys_on;
        self.ledger = Ledger::of_script(self.recorder, step, revision, prepared)?;
        if self.ledger.is_none() {
            head.push_str(&self.sql.begin(off));
        }
        self.counts = self.count_of(step);
        self.switched.clear();
        put(self.out, &head)?;
        let mut first = String::new();
        if self.at == 0 {
            first.push_str(
                &self
                    .sql
                    .guard_place(&self.sql.missing_table(self.table.name(), self.table.place())),
            );
            if !step.heads_before.is_empty() {
                first.push_str(&self.sql.guard_half_way(self.table.place()));
            }
        }
        first.push_str(&guards(self.sql, self.table, &step.heads_before.ids(), self.count));
        if prepared.asks_count {
            first.push_str(&self.sql.keep_count(true));
        }
        let whole = self.together.get(self.at).map_or(&[][..], Vec::as_slice);
        let groups = &mut self.prepared.insert(prepared.clone()).groups;
        groups.retain(|part| part.opened.is_none() || whole.iter().all(|group| group.opened != part.opened));
        groups.extend_from_slice(whole);
        self.by_hand = prepared.rebuilds() && self.transaction == Transaction::Revision;
        let unwatched = off && self.changes_rows.get(self.at).copied().unwrap_or(false) && !prepared.rebuilds();
        let held = self.transaction == Transaction::Revision;
        let watched = self.by_hand || unwatched || prepared.defers;
        let references = self.dialect.references();
        let orphans = references.map(|references| references.orphans_after(&prepared.replaced));
        self.orphans = orphans.filter(|_| watched);
        self.hand = ByHand::new(references.map(|_| Course::new(prepared, self.dialect)));
        if let Some(orphans) = self.orphans.as_ref().filter(|_| held || unwatched) {
            first.push_str(&self.sql.keep_orphans(orphans));
        }
        self.first = first;
        if self.ledger.is_some() {
            self.first()?;
        } else if self.transaction == Transaction::None {
            self.first()?;
            self.begun(step, revision, prepared)?;
            // Foreign keys that were switched off stay so until the end of the revision.
            put(self.out, &self.sql.commit(false))?;
        }
        let header = &revision.header;
        let in_transaction = self.transaction == Transaction::Revision;
        let timeouts = self
            .dialect
            .timeouts(header.lock_timeout, header.statement_timeout, in_transaction);
        timeouts.iter().try_for_each(|sql| self.statement(sql))?;
        Ok(())
    }

    fn guard(&mut self, query: &str, why: &str) -> Result<()> {
        self.first()?;
        put(self.out, &self.sql.guard_rows(query, why))
    }

    fn piece(&mut self, piece: &Piece<'_>, ask: Option<&mut dyn Ask>) -> Result<()> {
        match piece {
            Piece::Native(place) => self.native(place, ask),
            Piece::Data(lines) => {
                self.returns = lines.ends_with("\r\n");
                put(self.out, lines)
            }
            Piece::DataEnd => {
                // The server wants the end to be written as the lines are.
                let returns = std::mem::take(&mut self.returns);
                put(self.out, if returns { "\\.\r\n" } else { "\\.\n" })?;
                self.counts_data()
            }
            Piece::Rewritten(run, rewrite) => {
                self.first()?;
                self.lets_go()?;
                self.together()?;
                run.iter().try_for_each(|statement| self.looks(&statement.text, None))?;
                self.originals(run)?;
                // Nothing may follow a copy.
                let off = self.foreign_keys_on && needs_foreign_keys_off(rewrite);
                let held = self.hand.group.is_some() || self.hand.inside;
                let alone = !held && self.transaction == Transaction::None;
                if alone {
                    put(self.out, &self.sql.begin(off))?;
                }
                self.rewritten(run, rewrite)?;
                run.iter().try_for_each(|statement| self.renamed(&statement.text))?;
                self.counted(Self::count(run))?;
                if alone {
                    put(self.out, &self.sql.commit(off))?;
                }
                run.iter().try_for_each(|statement| self.looked(&statement.text))?;
                self.written(Self::count(run))
            }
            Piece::Version(sql) => {
                self.rows.push((*sql).to_owned());
                Ok(())
            }
        }
    }

    fn note(&mut self, note: String) {
        self.notes.push(note);
    }

    fn end(&mut self, step: &Step) -> Result<()> {
        self.first()?;
        for note in std::mem::take(&mut self.notes) {
            put(self.out, &format!("-- note: {}\n", one_line(&note)))?;
        }
        if let Some(mut ledger) = self.ledger.take() {
            let log = self.rows.pop().unwrap_or_default();
            self.rows.clear();
            put(self.out, "-- version table\n")?;
            let prepared = self.prepared.as_ref();
            let ends = prepared.map_or_else(Vec::new, |prepared| inherit::ends_by_text(prepared, self.dialect));
            let mut own = ledger.reset(ends);
            own.extend(ledger.end(log, false));
            self.own(&own)?;
            self.ended(step);
            return Ok(());
        }
        if self.transaction == Transaction::None {
            put(self.out, &self.sql.begin(false))?;
        }
        self.points_at_something()?;
        self.says()?;
        if self.pragmas {
            let settles = self.dialect.version_sql().settles;
            if let (Some(sql), Transaction::Revision) = (settles, self.transaction) {
                self.statement(sql)?;
            }
            put(self.out, &self.sql.reset())?;
            put(self.out, &entered(self.recorder.enter.as_deref()))?;
        }
        let drops = self.prepared.as_ref().map(|prepared| prepared.temporary.clone());
        drops.iter().flatten().rev().try_for_each(|sql| self.statement(sql))?;
        let reads = self.prepared.as_ref().map_or(&[][..], |prepared| prepared.reads_schema);
        reads.iter().try_for_each(|sql| self.statement(sql))?;
        put(self.out, "-- version table\n")?;
        self.ends_counted();
        for row in std::mem::take(&mut self.rows) {
            self.statement(&row)?;
        }
        let alone = self.transaction == Transaction::None;
        let foreign_keys_on = if alone { self.pragmas } else { self.off() };
        put(self.out, &self.sql.commit(foreign_keys_on))?;
        if self.pragmas {
            for setting in [Setting::LegacyAlterTable, Setting::IgnoreCheckConstraints] {
                put(self.out, &self.sql.switch(setting, Some(false)).unwrap_or_default())?;
            }
        }
        for undone in std::mem::take(&mut self.undone) {
            put(self.out, &undone)?;
        }
        let attached = self.prepared.as_ref().map(|prepared| prepared.attached.clone());
        let mut attached = attached.iter().flat_map(Attached::detach);
        attached.try_for_each(|sql| self.statement(sql))?;
        self.ended(step);
        Ok(())
    }
}
