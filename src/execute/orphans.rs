//! Rows that point at nothing: which there were, and which are new.

use std::collections::{BTreeMap, BTreeSet};

use crate::code::Code;
use crate::dialect::COPY;
use crate::dialect::{References, Rewrite, Rows};
use crate::driver::Driver;
use crate::error::{Error, Result};
use crate::execute::fault;
use crate::execute::inherit;

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
        let Some(references) = dialect.references() else {
            return Ok(found);
        };
        match now(driver, references, replaced, None) {
            Ok(rows) => found.add(rows),
            // A key of one table that fits no parent hides the rows of all others.
            Err(error) if error.code() == Code::Database => {
                let tables = driver.query(references.referring());
                let tables = tables.map_err(|error| fault::database(&error))?;
                for table in tables.into_iter().flatten().flatten() {
                    match now(driver, references, replaced, Some(&table)) {
                        Ok(rows) => found.add(rows),
                        Err(error) if error.code() == Code::Database => {
                            let words = error.causes().first().map_or(error.message(), String::as_str);
                            found.1.insert(words.to_owned());
                        }
                        Err(error) => return Err(error),
                    }
                }
            }
            Err(error) => return Err(error),
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

fn now(
    driver: &mut dyn Driver,
    references: &dyn References,
    replaced: &BTreeSet<String>,
    table: Option<&str>,
) -> Result<Rows> {
    let mut query = |sql: &str| driver.query(sql).map_err(|error| fault::database(&error));
    let orphans = references.orphans_now(replaced, table, &mut query)?;
    query(&orphans)
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

/// What to say of rows that point at nothing, in a table that was copied or at the rows of one: a copy makes none.
pub(crate) fn of_copy(driver: &mut dyn Driver, rewrite: &Rewrite) -> Vec<String> {
    let references = driver.dialect().references();
    let Some(references) = references.filter(|_| rewrite.strategy == COPY) else {
        return Vec::new();
    };
    let [own, others] = references.orphans_around(&rewrite.table);
    let mut asked = vec![(rewrite.table.clone(), own)];
    for row in driver.query(&others).unwrap_or_default() {
        let mut values = row.into_iter().flatten();
        asked.extend(values.next().zip(values.next()));
    }
    let mut said = Vec::new();
    for (table, query) in asked {
        // A key that is no key is an error of its own elsewhere.
        let count = inherit::value(driver, &query).filter(|count| count != "0");
        said.extend(count.map(|count| {
            let rows = if count == "1" { "row" } else { "rows" };
            format!(
                "{count} {rows} of `{table}` without a parent: the copy of `{}` changes none of them",
                rewrite.table
            )
        }));
    }
    said
}
