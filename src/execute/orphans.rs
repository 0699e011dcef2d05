//! Rows that point at nothing: which there were, and which are new.

use std::collections::{BTreeMap, BTreeSet};

use crate::code::Code;
use crate::dialect::COPY;
use crate::dialect::{References, Replaces, Rewrite, Rows};
use crate::driver::Driver;
use crate::error::{Error, Result};
use crate::execute::fault;
use crate::execute::inherit;
use crate::sorted;

/// How many orphans an error lists.
const SHOWN: usize = 10;

/// The rows; and what the database says of keys that fit no parent, whose rows it does not look at.
#[derive(Debug, Default)]
pub(crate) struct Orphans {
    rows: Vec<Orphan>,
    misfits: BTreeSet<String>,
}

#[derive(Debug)]
struct Orphan {
    table: String,
    parent: String,
    /// What tells it from others of the two tables, in two ways: a change of the keys leaves one of them.
    ids: [String; 2],
    words: String,
}

/// The names that tables get in the course of a script.
#[derive(Debug, Default)]
pub(crate) struct Names(Vec<Replaces>);

impl Names {
    /// After a statement.
    pub(crate) fn after(&mut self, part: Option<Replaces>) {
        self.0.extend(part);
    }

    /// What a table was called before the script; one that the script has made is called what it is.
    pub(crate) fn origin(&self, name: &str) -> String {
        let mut now = name.to_ascii_lowercase();
        for part in self.0.iter().rev() {
            match part {
                Replaces::Creates { table, .. } if *table == now => return name.to_ascii_lowercase(),
                Replaces::Renames { from, to } if *to == now => now.clone_from(from),
                _ => {}
            }
        }
        now
    }
}

impl Orphans {
    /// Those that there are; `replaced` are tables whose rows may have other numbers afterwards.
    pub(crate) fn read(driver: &mut dyn Driver, replaced: &BTreeSet<String>) -> Result<Self> {
        let dialect = driver.dialect();
        let mut found = Self::default();
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
                            found.misfits.insert(words.to_owned());
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
            let mut next = || values.next().unwrap_or_default();
            self.rows.push(Orphan {
                table: next(),
                parent: next(),
                ids: [next(), next()],
                words: next(),
            });
        }
    }

    /// All of them, in words.
    pub(crate) fn words(&self) -> Vec<String> {
        self.rows.iter().map(|row| row.words.clone()).collect()
    }

    /// The first key that fits no parent and did before.
    pub(crate) fn misfit<'s>(&'s self, before: &'s Self) -> Option<&'s str> {
        self.misfits.difference(&before.misfits).next().map(String::as_str)
    }

    /// Those that were not there before, in words; `origin` says what a table was called then. Where rows cannot be told
    /// from each other, it is all of them if a table has more.
    pub(crate) fn since(self, before: &Self, origin: &dyn Fn(&str) -> String) -> Vec<String> {
        let told = |row: &Orphan, table: String, parent: String| {
            let lower = str::to_ascii_lowercase;
            let keys = row.ids.clone().into_iter().enumerate();
            keys.map(move |key| (lower(&table), lower(&parent), key))
        };
        let mut known = BTreeMap::new();
        for key in before
            .rows
            .iter()
            .flat_map(|row| told(row, row.table.clone(), row.parent.clone()))
        {
            *known.entry(key).or_insert(0) += 1;
        }
        // A table and the one that it was copied to each have what there was.
        let now = |row: &Orphan| {
            let keys = told(row, origin(&row.table), origin(&row.parent));
            keys.map(|key| (row.table.clone(), key)).collect::<Vec<_>>()
        };
        let mut counts = BTreeMap::new();
        for key in self.rows.iter().flat_map(now) {
            *counts.entry(key).or_insert(0) += 1;
        }
        let more = |key: &(String, _)| counts.get(key) > known.get(&key.1);
        let new = self.rows.iter().filter(|row| now(row).iter().all(more));
        let mut words: Vec<String> = new.map(|row| row.words.clone()).collect();
        sorted::sort(&mut words);
        words
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

/// The rows that point at rows which do not exist, when that is why a commit failed: those that did not before, which is
/// seen when everything was rolled back.
pub(crate) fn behind(driver: &mut dyn Driver, error: &Error) -> Option<Error> {
    driver.dialect().references()?;
    let replaced = BTreeSet::new();
    let now = Orphans::read(driver, &replaced).ok()?;
    let all = now.words();
    rollback(driver);
    let new = now.since(&Orphans::read(driver, &replaced).ok()?, &str::to_owned);
    // One that pointed at nothing before and points elsewhere at nothing now is an old one by its number.
    let is_key = error.causes().iter().any(|words| words.contains("FOREIGN KEY"));
    let (shown, help) = if new.is_empty() && is_key {
        (
            all,
            "some of these are new: correct them in the same revision, then run the same command again",
        )
    } else {
        (
            new,
            "correct the rows in the same revision, then run the same command again",
        )
    };
    (!shown.is_empty()).then(|| refused(&shown).help(help))
}

/// Rolls back whatever is open. SQLite may have done so itself; then there is nothing to do.
pub(crate) fn rollback(driver: &mut dyn Driver) {
    driver.forget();
    if driver.in_transaction() != Some(false) {
        let _ = driver.execute("ROLLBACK");
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
