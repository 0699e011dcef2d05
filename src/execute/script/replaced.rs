//! Tables replaced by hand, in a script: the statements that are done together where no transaction holds the step, and
//! what is said of what went.

use std::collections::{BTreeMap, BTreeSet};

use crate::dialect::{AlterStatement, Ask, Replaces, Setting};
use crate::error::Result;
use crate::execute::alike::Alike;
use crate::execute::course::{Act, Course};
use crate::execute::following::{self, Known};
use crate::execute::group::Group;
use crate::execute::misread::{self, LeftOut};
use crate::execute::script::{Scribe, authors, one_line, put};
use crate::revision::Transaction;
use crate::sql::token;

/// What the statements so far have done to tables that a step replaces.
#[derive(Debug, Default, Clone)]
struct Seen {
    course: Option<Course>,
    /// What such a table had is remembered, and whether the last numbers of rows are.
    keeps: bool,
    counters: bool,
    /// Whose rows are not compared yet.
    kept: BTreeMap<String, Vec<String>>,
    /// What keeps an index of their rows, each with a statement that fails where it does not fit them.
    indexes: Vec<(String, String)>,
}

/// What is known of the tables that a step replaces.
#[derive(Debug, Default)]
pub(super) struct ByHand {
    seen: Seen,
    /// The statements that are written now, and done together in a step without a transaction.
    pub(super) group: Option<Group>,
    /// Rows that point at nothing are watched in the rest of the step as well.
    watched: bool,
    /// In a step without a transaction: the author has one open.
    pub(super) inside: bool,
    /// The savepoint that has opened it, if it was one.
    savepoint: Option<String>,
    /// What was known before it, since a ROLLBACK takes the rest back.
    before: Option<Seen>,
    /// Foreign keys are off for the sake of that.
    apart: bool,
    /// The author has switched foreign keys off.
    meant_off: bool,
    /// The tables whose rows go by statements, as far as they have been looked at.
    places: BTreeSet<String>,
    /// Tables that the step drops for good, and whose rows may have gone with another one.
    spared: Vec<String>,
    /// The query for rows of attached databases that point at nothing, where a statement may have changed some there.
    pub(super) elsewhere: Option<&'static str>,
    /// What is known of the tables that follow those which are dropped.
    pub(super) known: Known,
    /// What copies have left out.
    left_out: LeftOut,
    /// The statements that were looked at, where that holds of those like them.
    pub(super) alike: Alike,
    /// How many statements of the step are written.
    done: u64,
}

impl ByHand {
    pub(super) fn new(course: Option<Course>) -> Self {
        Self {
            seen: Seen {
                course,
                ..Seen::default()
            },
            ..Self::default()
        }
    }

    /// How many statements of the step are written.
    pub(super) fn done(&self) -> u64 {
        self.done
    }
}

impl Scribe<'_> {
    /// Stops the script before a table is dropped when rows of others would go or change with it.
    pub(super) fn takes_nothing_along(&mut self, statement: &str, mut ask: Option<&mut (dyn Ask + '_)>) -> Result<()> {
        self.takes_nothing_elsewhere(statement, ask.as_deref_mut())?;
        // Where foreign keys are off for the script's own sake, a run would have them on for this statement.
        let off = self.hand.meant_off && (self.off() || self.transaction == Transaction::None);
        let (Some(Replaces::Drops(table)), Some(ask), false) = (self.dialect.replaces(statement), ask, off) else {
            return Ok(());
        };
        let (Some(references), Some(prepared)) = (self.dialect.references(), &self.prepared) else {
            return Ok(());
        };
        if self.off() && prepared.replaces(self.hand.done, &table) {
            return Ok(());
        }
        if let Some(query) = references.shadowed(statement, &table)
            && !ask.query(&query)?.is_empty()
        {
            return Ok(());
        }
        let message = format!("to drop {table} would delete or change rows of others");
        let at = (self.hand.done, table.as_str());
        let following = following::of(at, references, prepared, &mut self.hand.known, &mut |sql| {
            ask.query(sql)
        })?;
        let (queries, spared) = following.looked_for();
        if self.off() && !self.hand.meant_off {
            let message =
                format!("rows of {table} follow others of it, and its triggers would not fire for them: run it online");
            for query in following::fires_itself(&table, references, &mut |sql| ask.query(sql))? {
                put(self.out, &self.sql.guard_rows(&query, &message))?;
            }
        }
        let mut course = self.hand.seen.course.as_mut();
        let mut along = |child: &String| {
            course
                .as_mut()
                .map(|course| course.goes_along(&child.to_ascii_lowercase()))
        };
        let acts: Vec<Act> = spared.iter().filter_map(&mut along).flatten().collect();
        // Without a transaction they are known to go.
        if prepared.drops.is_none() {
            self.hand.spared.extend(spared);
        }
        for query in queries {
            put(self.out, &self.sql.guard_rows(&query, &message))?;
        }
        self.act(statement, acts, Some(&mut *ask))?;
        self.takes_nothing_unknown(statement, &table, ask)
    }

    /// Stops the script where rows go with foreign keys off, to come again perhaps, that those of tables follow which no
    /// revision makes; where one makes them, no script is written.
    pub(super) fn deletes_alone(&mut self, statement: &str, ask: Option<&mut (dyn Ask + '_)>) -> Result<()> {
        let (Some(references), Some(ask), true) = (self.dialect.references(), ask, self.off_here()) else {
            return Ok(());
        };
        if self.hand.meant_off {
            return Ok(());
        }
        if self.dialect.replaces(statement).is_some() {
            // Another table may have the name of one that was looked at.
            self.hand.places.clear();
        }
        let Some(table) = self.sql.deletes_rows(statement, ask)? else {
            return Ok(());
        };
        if !self.hand.places.insert(table.to_ascii_lowercase()) {
            return Ok(());
        }
        let query = references.unknown_followers(&table, [&[], &[]], true);
        let message = format!(
            "rows of these follow those of {table}, which go here with foreign keys off, and no revision makes them: run it online"
        );
        put(self.out, &self.sql.guard_rows(&query, &message))
    }

    /// Whether foreign keys are off where the next statement stands.
    fn off_here(&self) -> bool {
        let apart = self.hand.group.is_some() || self.hand.apart || !self.foreign_keys_on;
        self.off() && (self.transaction == Transaction::Revision || apart)
    }

    /// Likewise where tables follow that no revision makes.
    fn takes_nothing_unknown(&mut self, statement: &str, table: &str, ask: &mut dyn Ask) -> Result<()> {
        let Some(references) = self.dialect.references() else {
            return Ok(());
        };
        let mut names = |query: String| -> Result<Vec<String>> {
            let rows = ask.query(&query)?;
            Ok(rows.into_iter().filter_map(|row| row.into_iter().next()?).collect())
        };
        let tables = names(references.followers(table))?;
        let triggers = names(references.triggers_along(table))?;
        let asked = names(references.of_module(table))?.is_empty();
        let words = token::keywords(statement, self.rules, 3);
        let there = asked && words.last().is_none_or(|word| word != "IF");
        let query = references.unknown_followers(table, [&tables, &triggers], there);
        let message = format!(
            "to drop {table} would change rows of these, or fire them, and no revision makes them: drop them before, or run it online"
        );
        put(self.out, &self.sql.guard_rows(&query, &message))
    }

    /// Stops the script at its end when a table is there whose rows may have gone with another one.
    fn spares(&mut self) -> Result<()> {
        let spared = std::mem::take(&mut self.hand.spared);
        let Some(references) = self.dialect.references().filter(|_| !spared.is_empty()) else {
            return Ok(());
        };
        let message = "the rows of these followed a table that is dropped: drop them before it";
        put(self.out, &self.sql.guard_rows(&references.stay(&spared), message))
    }

    /// Likewise in an attached database, whose tables nobody knows here.
    fn takes_nothing_elsewhere(&mut self, statement: &str, ask: Option<&mut (dyn Ask + '_)>) -> Result<()> {
        let meant = self.transaction == Transaction::None && self.hand.meant_off;
        let references = self.dialect.references().filter(|_| !meant && !self.off_here());
        let Some((references, (schema, table))) = references.and_then(|known| Some((known, known.drops(statement)?)))
        else {
            return Ok(());
        };
        let schemas = match (schema, ask) {
            (Some(schema), _) if ["main", "temp"].iter().any(|own| schema.eq_ignore_ascii_case(own)) => Vec::new(),
            (Some(schema), _) => vec![schema],
            // What is not in the database itself is looked for in the others.
            (None, Some(ask)) => {
                let [others, is_own] = references.attached(&table);
                let others: Vec<String> = ask.query(&others)?.into_iter().flatten().flatten().collect();
                if others.is_empty() || !ask.query(&is_own)?.is_empty() {
                    return Ok(());
                }
                others
            }
            (None, None) => Vec::new(),
        };
        for schema in schemas {
            let message = format!(
                "to drop {schema}.{table} could delete or change rows of these: drop them before, or run it online"
            );
            let query = references.followers_there(&schema, &table);
            let query = format!("SELECT DISTINCT 'table ' || name FROM ({query})");
            put(self.out, &self.sql.guard_rows(&query, &message))?;
        }
        Ok(())
    }

    /// Begins what is done together, where the next statement is a part of it.
    pub(super) fn together(&mut self) -> Result<()> {
        if self.hand.group.is_some() {
            return Ok(());
        }
        let Some(prepared) = &self.prepared else {
            return Ok(());
        };
        let Some(group) = prepared
            .groups
            .iter()
            .find(|group| group.range.contains(&self.hand.done))
        else {
            return Ok(());
        };
        self.hand.group = Some(group.clone());
        self.hand.alike.forget();
        let references = self.dialect.references();
        let orphans = references.map(|references| references.orphans_after(&prepared.replaced));
        if let Some(before) = std::mem::replace(&mut self.orphans, orphans) {
            self.hand.watched = true;
            put(self.out, &self.sql.guard_orphans(&before))?;
        }
        if !self.hand.inside {
            // Nothing may follow a table that is dropped.
            put(self.out, &self.sql.begin(self.foreign_keys_on))?;
        }
        let orphans = self.orphans.as_deref().unwrap_or_default();
        put(self.out, &self.sql.keep_orphans(orphans))
    }

    /// So many more statements are written.
    pub(super) fn written(&mut self, statements: u64) -> Result<()> {
        self.hand.done += statements;
        let ends = self
            .hand
            .group
            .as_ref()
            .is_some_and(|group| self.hand.done >= group.range.end);
        if !ends {
            return Ok(());
        }
        self.hand.group = None;
        self.hand.alike.forget();
        let orphans = self.orphans.clone();
        self.points_at_something()?;
        if std::mem::take(&mut self.hand.watched)
            && let Some(orphans) = orphans
        {
            put(self.out, &self.sql.keep_orphans(&orphans))?;
            self.orphans = Some(orphans);
        }
        self.counted(0)?;
        if self.hand.inside {
            return Ok(());
        }
        put(self.out, &self.sql.commit(self.foreign_keys_on))
    }

    /// Stops the script when something points at what is not there, and did not before.
    pub(super) fn points_at_something(&mut self) -> Result<()> {
        self.lets_go()?;
        let course = self.hand.seen.course.iter();
        let gone: Vec<String> = course.flat_map(Course::gone).map(str::to_owned).collect();
        for table in gone {
            let message = format!("this refers to {table}, which is dropped");
            if let Some(references) = self.dialect.references() {
                put(self.out, &self.sql.guard_rows(&references.refers_to(&table), &message))?;
            }
        }
        if let Some(query) = self.hand.elsewhere.take() {
            put(
                self.out,
                &self.sql.guard_rows(query, "rows point at rows that are not there"),
            )?;
        }
        match self.orphans.take() {
            Some(orphans) => put(self.out, &self.sql.guard_orphans(&orphans)),
            None => Ok(()),
        }
    }

    /// The author's own switch of foreign keys: `true` where it is left to what stands around it.
    pub(super) fn switches(&mut self, statement: &str) -> Result<bool> {
        let Some((Setting::ForeignKeys, on)) = self.dialect.meant_switch(statement) else {
            return Ok(false);
        };
        self.foreign_keys_on = on;
        // Within a transaction SQLite passes over it.
        if !self.hand.inside {
            self.hand.meant_off = !on;
        }
        if !self.by_hand && self.hand.group.is_none() {
            return Ok(false);
        }
        let line = one_line(statement);
        put(self.out, &format!("-- {line}: done around this transaction\n"))?;
        Ok(true)
    }

    /// The author's own transaction: foreign keys are off in it where a table is replaced there.
    pub(super) fn opens(&mut self, statement: &str) -> Result<()> {
        if self.transaction == Transaction::Revision || self.hand.inside || !authors::opens(statement, self.dialect) {
            return Ok(());
        }
        self.hand.inside = true;
        self.hand.before = Some(self.hand.seen.clone());
        self.hand.savepoint = authors::savepoint(statement, self.dialect);
        let mut groups = self.prepared.iter().flat_map(|prepared| &prepared.groups);
        self.hand.apart = groups.any(|group| group.opened == Some(self.hand.done));
        if self.hand.apart && self.foreign_keys_on {
            put(self.out, &self.sql.foreign_keys(false))?;
        }
        Ok(())
    }

    /// And its end.
    pub(super) fn closes(&mut self, statement: &str) -> Result<()> {
        if !self.hand.inside || !self.dialect.stands_alone(statement) {
            return Ok(());
        }
        let rolls_back = token::keywords(statement, self.rules, 1) == ["ROLLBACK"];
        self.hand.inside = authors::stays_open(statement, self.hand.savepoint.as_deref(), self.dialect);
        if !self.hand.inside
            && let Some(before) = self.hand.before.take().filter(|_| rolls_back)
        {
            self.hand.seen = before;
        }
        if !self.hand.inside && std::mem::take(&mut self.hand.apart) && self.foreign_keys_on {
            put(self.out, &self.sql.foreign_keys(true))?;
        }
        Ok(())
    }

    /// What is looked at before a statement.
    pub(super) fn looks(&mut self, statement: &str, mut ask: Option<&mut (dyn Ask + '_)>) -> Result<()> {
        if let Some(Replaces::Drops(name) | Replaces::Renames { from: name, .. }) = self.dialect.replaces(statement) {
            let mut indexes = std::mem::take(&mut self.hand.seen.indexes);
            indexes.retain(|(index, _)| !index.eq_ignore_ascii_case(&name));
            self.hand.seen.indexes = indexes;
        }
        let mut left_out = None;
        if let (Some(course), Some(ask)) = (&self.hand.seen.course, ask.as_deref_mut()) {
            let mut ask = |sql: &str| ask.query(sql);
            self.notes
                .extend(misread::note(statement, course, self.dialect, false, &mut ask));
            let between = self.prepared.as_ref().map(|prepared| (course, &prepared.between));
            left_out = between.and_then(|copied| misread::left_out(statement, copied, self.dialect, false, &mut ask));
        }
        self.hand.left_out.read(statement, left_out, self.dialect);
        let acts = self.hand.seen.course.as_mut().map(|course| course.before(statement));
        self.act(statement, acts.unwrap_or_default(), ask)
    }

    fn act(&mut self, statement: &str, acts: Vec<Act>, mut ask: Option<&mut (dyn Ask + '_)>) -> Result<()> {
        let if_exists = token::keywords(statement, self.rules, 4) == ["DROP", "TABLE", "IF", "EXISTS"];
        for act in acts {
            match act {
                Act::Keep { table, of } => {
                    let Some(ask) = ask.as_deref_mut() else { continue };
                    // What no revision makes may not be there, and the script would stop.
                    if self.dialect.size(&of).is_none_or(|size| ask.query(&size.rows).is_err()) {
                        continue;
                    }
                    let counter = self.dialect.counter(&of).is_some_and(|query| ask.query(&query).is_ok());
                    self.hand.seen.counters |= counter;
                    self.hand.seen.keeps = true;
                    let referring = match self.dialect.references() {
                        Some(references) => ask.query(&references.filled(&of))?,
                        None => Vec::new(),
                    };
                    let referring: Vec<String> = referring
                        .into_iter()
                        .filter_map(|row| row.into_iter().next()?)
                        .collect();
                    put(
                        self.out,
                        &self.sql.keep_replaced(&table, &of, counter, &referring, if_exists),
                    )?;
                    let indexes = self.dialect.indexes_of_rows(&table, &mut |sql| ask.query(sql))?;
                    self.hand.seen.indexes.extend(indexes);
                    self.hand.seen.kept.insert(table, referring);
                }
                Act::Compare(table) => self.compare(&table)?,
            }
        }
        Ok(())
    }

    /// And after it.
    pub(super) fn looked(&mut self, statement: &str) -> Result<()> {
        self.hand.known.after(statement, self.dialect);
        let acts = self.hand.seen.course.as_mut().map(|course| course.after(statement));
        self.compares(acts.unwrap_or_default())
    }

    fn compares(&mut self, acts: Vec<Act>) -> Result<()> {
        acts.into_iter().try_for_each(|act| match act {
            Act::Compare(table) => self.compare(&table),
            Act::Keep { .. } => Ok(()),
        })
    }

    fn compare(&mut self, table: &str) -> Result<()> {
        match self.hand.seen.kept.remove(table) {
            Some(referring) => put(self.out, &self.sql.say_rows(table, &referring)),
            None => Ok(()),
        }
    }

    /// At the end of the step: what is left to say.
    pub(super) fn says(&mut self) -> Result<()> {
        self.spares()?;
        for note in self.hand.left_out.said() {
            put(self.out, &format!("-- note: {}\n", one_line(&note)))?;
        }
        let acts = self.hand.seen.course.as_mut().map(Course::end);
        self.compares(acts.unwrap_or_default())?;
        for (index, check) in std::mem::take(&mut self.hand.seen.indexes) {
            // Where no transaction holds the step, it would only be cut short.
            if self.transaction == Transaction::Revision {
                let why = format!(
                    "-- Stops where {} does not find the rows of the table that it indexes:\n",
                    one_line(&index)
                );
                put(self.out, &format!("{why}{check};\n"))?;
            }
        }
        if std::mem::take(&mut self.hand.seen.keeps) {
            put(self.out, &self.sql.say_lost(self.hand.seen.counters))?;
        }
        self.forgets_count()
    }

    /// Whether the statement drops a table that the script replaces, where no transaction holds the replacement and the
    /// author has switched foreign keys on: no row of others may follow, so they are off in a transaction of its own.
    pub(super) fn drops_alone(&self, sql: &str) -> bool {
        let replaced = |table: &String| {
            self.prepared
                .as_ref()
                .is_some_and(|prepared| prepared.replaces(self.hand.done, table))
        };
        self.transaction == Transaction::None
            && self.hand.group.is_none()
            && !self.hand.inside
            && self.foreign_keys_on
            && matches!(self.dialect.replaces(sql), Some(Replaces::Drops(table)) if replaced(&table))
    }

    /// How many statements of the author's a run is; directives are comments.
    pub(in crate::execute) fn count(run: &[AlterStatement]) -> u64 {
        run.iter().filter(|alter| !alter.text.starts_with("--")).count() as u64
    }
}
