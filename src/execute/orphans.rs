//! Rows that point at nothing: which there were, and which are new.

use std::collections::{BTreeMap, BTreeSet};

use crate::code::Code;
use crate::dialect::COPY;
use crate::dialect::{Rewrite, Rows};
use crate::driver::{Driver, Failure};
use crate::error::{Error, Result};
use crate::execute::fault;

/// How many orphans an error lists.
const SHOWN: usize = 10;

/// The rows, by what tells them from others as far as that can be told, each in words; and what the database says of keys
/// that fit no parent, whose rows it does not look at.
#[derive(Debug)]
pub(crate) struct Orphans(BTreeMap<String, Vec<String>>, BTreeSet<String>);

impl Orphans {
    /// Those that there are; `replaced` are tables whose rows may have other numbers afterwards.
    pub(crate) fn read(driver: &mut dyn Driver, replaced: &BTreeSet<String>) -> Result<Self> {
        let dialect = driver.dialect();
        let mut found = Self(BTreeMap::new(), BTreeSet::new());
        let Some(query) = dialect.orphans_after(replaced, None) else {
            return Ok(found);
        };
        match driver.query(&query) {
            Ok(rows) => found.add(rows),
            // A key of one table that fits no parent hides the rows of all others.
            Err(error) if error.failure == Failure::Statement => {
                let tables = dialect.referring().unwrap_or_default();
                let tables = driver.query(tables).map_err(|error| fault::database(&error))?;
                for table in tables.into_iter().flatten().flatten() {
                    let query = dialect.orphans_after(replaced, Some(&table)).unwrap_or_default();
                    match driver.query(&query) {
                        Ok(rows) => found.add(rows),
                        Err(error) if error.failure == Failure::Statement => {
                            found.1.insert(error.message);
                        }
                        Err(error) => return Err(fault::database(&error)),
                    }
                }
            }
            Err(error) => return Err(fault::database(&error)),
        }
        Ok(found)
    }

    fn add(&mut self, rows: Rows) {
        for row in rows {
            let mut values = row.into_iter().map(Option::unwrap_or_default);
            let orphan = values.next().unwrap_or_default();
            self.0
                .entry(orphan)
                .or_default()
                .push(values.next().unwrap_or_default());
        }
    }

    /// The first key that fits no parent and did before.
    pub(crate) fn misfit<'s>(&'s self, before: &'s Self) -> Option<&'s str> {
        self.1.difference(&before.1).next().map(String::as_str)
    }

    /// Those that were not there before, in words. Where rows cannot be told from each other, it is all of them if there
    /// are more.
    pub(crate) fn since(self, before: &Self) -> Vec<String> {
        let known = |orphan: &str| before.0.get(orphan).map_or(0, Vec::len);
        let new = self.0.into_iter().filter(|(orphan, words)| words.len() > known(orphan));
        new.flat_map(|(_, words)| words).collect()
    }
}

/// The error for rows that point at nothing.
pub(crate) fn refused(new: &[String]) -> Error {
    let mut error = Error::new(Code::ForeignKeys, "rows point at rows that are not there");
    for words in new.iter().take(SHOWN) {
        error = error.cause(words.as_str());
    }
    if new.len() > SHOWN {
        error = error.cause(format!("… and {} more", new.len() - SHOWN));
    }
    error
}

/// Likewise as something to say.
pub(crate) fn told(mut new: Vec<String>) -> Vec<String> {
    let more = new.len().saturating_sub(SHOWN);
    new.truncate(SHOWN);
    if more > 0 {
        new.push(format!("… and {more} rows more point at nothing"));
    }
    new
}

/// What to say of rows of a copied table that point at nothing: a copy makes none.
pub(crate) fn of_copy(driver: &mut dyn Driver, rewrite: &Rewrite) -> Option<String> {
    let query = driver
        .dialect()
        .orphans_of(&rewrite.table)
        .filter(|_| rewrite.strategy == COPY)?;
    // A key that is no key is an error of its own elsewhere.
    let count = driver.query(&query).ok()?.into_iter().flatten().flatten().next()?;
    let rows = if count == "1" { "row" } else { "rows" };
    let words = format!(
        "{count} {rows} of `{}` without a parent, as before the copy",
        rewrite.table
    );
    (count != "0").then_some(words)
}
