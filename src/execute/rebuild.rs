//! Tables that an author replaces by hand: their DROP deletes nothing elsewhere, and no row is left pointing at nothing.

use std::collections::{BTreeMap, BTreeSet};

use crate::code::Code;
use crate::dialect::{COPY, Dialect, Replaces, Rewrite, Rows, Setting};
use crate::driver::{Driver, DriverError};
use crate::error::{Error, Result};
use crate::execute::fault;
use crate::execute::scripts::Prepared;
use crate::execute::walk::Place;

/// How many orphans an error lists.
const SHOWN: usize = 10;

/// What a script replaces, and the rows that pointed at nothing before it began to.
pub(crate) struct Rebuild<'a> {
    prepared: &'a Prepared,
    before: Option<BTreeSet<String>>,
    /// How many rows the tables had that were dropped and whose names another one takes.
    counts: BTreeMap<String, String>,
    /// The names that tables took in this run.
    taken: BTreeSet<String>,
    /// What hung on the tables that were dropped and replaced: the table, the kind and the name.
    hung: Vec<[String; 3]>,
}

impl<'a> Rebuild<'a> {
    pub(crate) fn new(prepared: &'a Prepared) -> Self {
        Self {
            prepared,
            before: None,
            counts: BTreeMap::new(),
            taken: BTreeSet::new(),
            hung: Vec::new(),
        }
    }

    /// Runs a statement. One that means to switch foreign keys does so even in a transaction; while a table that is
    /// replaced is dropped, they are off.
    pub(crate) fn statement(&mut self, driver: &mut dyn Driver, place: &Place<'_>, in_transaction: bool) -> Result<()> {
        let dialect = driver.dialect();
        let failed = |error| fault::database(&error);
        let text = place.statement.text;
        if let Some((setting, on)) = dialect.meant_switch(text).filter(|_| in_transaction) {
            if !on {
                self.look_before(driver)?;
            }
            return driver.setting(setting, Some(on)).map(drop).map_err(failed);
        }
        let Some(Replaces::Drops(table)) = dialect.replaces(text) else {
            return run(driver, place, in_transaction);
        };
        let is_replaced = self.prepared.replaced.contains(&table);
        if is_replaced || self.taken.contains(&table) {
            self.hung
                .extend(hung(driver)?.into_iter().filter(|[on, ..]| *on == table));
        }
        if !is_replaced {
            self.takes_nothing_along(driver, place, &table)?;
            return run(driver, place, in_transaction);
        }
        if in_transaction {
            self.look_before(driver)?;
        }
        if let Some(count) = count(driver, &table) {
            self.counts.insert(table.clone(), count);
        }
        let was = driver.setting(Setting::ForeignKeys, None).map_err(failed)?;
        driver.setting(Setting::ForeignKeys, Some(false)).map_err(failed)?;
        let ran = drop_alone(driver, place, &table, in_transaction);
        driver.setting(Setting::ForeignKeys, Some(was)).map_err(failed)?;
        ran
    }

    /// What to say after a table has taken the name of one that was dropped, when it has not as many rows. The author
    /// may well mean to leave rows out, but not without a word.
    pub(crate) fn renamed(&mut self, driver: &mut dyn Driver, statement: &str) -> Option<String> {
        let Some(Replaces::TakesName(table)) = driver.dialect().replaces(statement) else {
            return None;
        };
        let before = self.counts.remove(&table);
        self.taken.insert(table.clone());
        let (before, now) = (before?, count(driver, &table)?);
        (before != now).then(|| format!("`{table}` had {before} rows, and the table that replaces it has {now}"))
    }

    /// What to say, at the end of a script, of what went with the tables that it replaced and was not made anew.
    fn lost(&self, driver: &mut dyn Driver) -> Result<Vec<String>> {
        if self.hung.is_empty() {
            return Ok(Vec::new());
        }
        let now: BTreeSet<[String; 2]> = hung(driver)?.into_iter().map(|[_, kind, name]| [kind, name]).collect();
        let lost = self
            .hung
            .iter()
            .filter(|[_, kind, name]| !now.contains(&[kind.clone(), name.clone()]));
        Ok(lost
            .map(|[table, kind, name]| format!("{kind} `{name}` went with the old `{table}`, and is not made anew"))
            .collect())
    }

    /// Refuses to drop a table when rows of others would go or change with it, unless those are dropped as well.
    fn takes_nothing_along(&self, driver: &mut dyn Driver, place: &Place<'_>, table: &str) -> Result<()> {
        let dialect = driver.dialect();
        let failed = |error| fault::database(&error);
        if !driver.setting(Setting::ForeignKeys, None).unwrap_or(false) {
            return Ok(());
        }
        let Some(query) = dialect.followers(table) else {
            return Ok(());
        };
        for (child, query) in followers(driver.query(&query).map_err(failed)?, dialect, self.prepared) {
            if !driver.query(&query).map_err(failed)?.is_empty() {
                let (file, span) = place.in_file();
                let message = format!("to drop `{table}` would delete or change rows of `{child}`");
                let help = if self.prepared.replaced.contains(&child.to_ascii_lowercase()) {
                    format!("drop `{table}` after `{child}` was replaced by a table that does not follow it")
                } else {
                    format!("drop `{child}` as well, or say what is meant before: DELETE FROM {child}")
                };
                return Err(Error::new(Code::WouldDeleteRows, message)
                    .at(&file, span, format!("rows of `{child}` follow this table's"))
                    .help(help)
                    .help(
                        "to change the table: ALTER TABLE; or CREATE the new one, INSERT, DROP the old one, RENAME",
                    ));
            }
        }
        Ok(())
    }

    fn look_before(&mut self, driver: &mut dyn Driver) -> Result<()> {
        if self.before.is_none() {
            self.before = Some(orphans(driver)?.into_iter().map(|(orphan, _)| orphan).collect());
        }
        Ok(())
    }

    /// Refuses what was done when rows point at nothing that did not before; else what there is to say about it.
    ///
    /// # Errors
    /// `execute::foreign_keys`.
    pub(crate) fn finish(self, driver: &mut dyn Driver) -> Result<Vec<String>> {
        let lost = self.lost(driver)?;
        let Some(before) = self.before else {
            return Ok(lost);
        };
        let new: Vec<String> = orphans(driver)?
            .into_iter()
            .filter(|(orphan, _)| !before.contains(orphan))
            .map(|(_, words)| words)
            .collect();
        if new.is_empty() {
            return Ok(lost);
        }
        let mut error = Error::new(Code::ForeignKeys, "rows point at rows that are not there");
        for words in new.iter().take(SHOWN) {
            error = error.cause(words.as_str());
        }
        if new.len() > SHOWN {
            error = error.cause(format!("… and {} more", new.len() - SHOWN));
        }
        Err(error
            .help("copy every row to the new table, or delete in the same revision the rows that point at the others"))
    }
}

/// The tables that follow, without those that the script drops for good, and a query that finds a row which does.
pub(crate) fn followers(rows: Rows, dialect: &'static dyn Dialect, prepared: &Prepared) -> Vec<(String, String)> {
    let pairs = rows.into_iter().filter_map(|row| {
        let mut values = row.into_iter();
        Some((values.next()??, values.next()??))
    });
    let goes = |name: &str| prepared.dropped.contains(name) && !prepared.replaced.contains(name);
    let stay = pairs.filter(|(child, _)| !goes(&child.to_ascii_lowercase()));
    stay.map(|(child, column)| {
        let (table, column) = (dialect.ident(&child), dialect.ident(&column));
        let words = dialect.literal(&format!("a row of {child}"));
        let query = format!("SELECT {words} FROM {table} WHERE {column} IS NOT NULL LIMIT 1");
        (child, query)
    })
    .collect()
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

/// What to say of rows of a copied table that point at nothing: a copy makes none, so they did before.
pub(crate) fn old_orphans(driver: &mut dyn Driver, rewrite: &Rewrite) -> Option<String> {
    let query = driver
        .dialect()
        .orphans_of(&rewrite.table)
        .filter(|_| rewrite.strategy == COPY)?;
    // A key that is no key is an error of its own elsewhere.
    let count = driver.query(&query).ok()?.into_iter().flatten().flatten().next()?;
    let rows = if count == "1" { "row" } else { "rows" };
    let words = format!("{count} {rows} of `{}` without a parent, as before", rewrite.table);
    (count != "0").then_some(words)
}

/// The tables that follow one: each with the query that counts its rows and what refers, and the counts.
fn tally(driver: &mut dyn Driver, table: &str) -> Result<Vec<(String, String, Rows)>> {
    let dialect = driver.dialect();
    let failed = |error| fault::database(&error);
    let Some(query) = dialect.followers(table) else {
        return Ok(Vec::new());
    };
    let mut counts = Vec::new();
    for row in driver.query(&query).map_err(failed)? {
        let mut values = row.into_iter().flatten();
        if let (Some(child), Some(column)) = (values.next(), values.next()) {
            let (name, column) = (dialect.ident(&child), dialect.ident(&column));
            let query = format!("SELECT count(*), count({column}) FROM {name}");
            let count = driver.query(&query).map_err(failed)?;
            counts.push((child, query, count));
        }
    }
    Ok(counts)
}

/// What hangs on tables and goes with them: the table, the kind and the name.
fn hung(driver: &mut dyn Driver) -> Result<Vec<[String; 3]>> {
    let Some(query) = driver.dialect().hangs_on_tables() else {
        return Ok(Vec::new());
    };
    let rows = driver.query(query).map_err(|error| fault::database(&error))?;
    let named = rows.into_iter().filter_map(|row| {
        let row: Option<Vec<String>> = row.into_iter().collect();
        row?.try_into().ok()
    });
    Ok(named.collect())
}

fn count(driver: &mut dyn Driver, table: &str) -> Option<String> {
    let sql = driver.dialect().size(table)?.rows;
    driver.query(&sql).ok()?.into_iter().flatten().flatten().next()
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
    fault::statement(error, &file, &span)
}

/// The rows that point at nothing: what tells each from the others, and what it is.
fn orphans(driver: &mut dyn Driver) -> Result<Vec<(String, String)>> {
    let dialect: &dyn Dialect = driver.dialect();
    let Some(query) = dialect.orphans() else {
        return Ok(Vec::new());
    };
    let rows = driver.query(query).map_err(|error| fault::database(&error))?;
    let pairs = rows.into_iter().map(|row| {
        let mut values = row.into_iter().map(Option::unwrap_or_default);
        (values.next().unwrap_or_default(), values.next().unwrap_or_default())
    });
    Ok(pairs.collect())
}
