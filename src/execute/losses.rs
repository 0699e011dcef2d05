//! What goes with a table that is replaced by hand, and is told of at the end when it did not come back.

use std::collections::{BTreeMap, BTreeSet};

use crate::code::Code;
use crate::dialect::Broken;
use crate::driver::Driver;
use crate::error::{Error, Result};
use crate::execute::fault;
use crate::execute::inherit;
use crate::execute::online::Live;
use crate::source::{SourceFile, Span};

/// What tables had that a script replaces, and what did not compile.
#[derive(Debug, Default)]
pub(crate) struct Losses {
    /// What hung on the tables: the table, the kind and the name.
    hung: BTreeSet<[String; 3]>,
    /// What keeps an index of their rows and fitted them: the table, its name, and the statement that says so.
    indexes: BTreeSet<[String; 3]>,
    /// The last numbers that tables had given to rows.
    counters: BTreeMap<String, i64>,
    /// The views and triggers that did not compile before the first table went.
    broken: Option<BTreeSet<[String; 2]>>,
    /// Those that a RENAME left as they are.
    left: BTreeSet<[String; 2]>,
}

impl Losses {
    /// Remembers what a table has that is called `of` now, before it is dropped.
    pub(crate) fn keep(&mut self, driver: &mut dyn Driver, table: &str, of: &str) -> Result<()> {
        let own = hung(driver)?.into_iter().filter(|[on, ..]| on == of);
        self.hung
            .extend(own.map(|[_, kind, name]| [table.to_owned(), kind, name]));
        if let Some(count) = counter(driver, of) {
            self.counters.insert(table.to_owned(), count);
        }
        if self.broken.is_none() {
            self.broken = Some(broken(driver)?.into_iter().map(|broken| broken.object).collect());
        }
        Ok(())
    }

    /// Remembers what keeps an index of a table's rows and fits them. That is asked with an INSERT, so it must be done
    /// before any statement whose rowid the author may ask for.
    pub(crate) fn keep_indexes(&mut self, driver: &mut dyn Driver, table: &str) -> Result<()> {
        for (name, check) in indexes(driver, table)? {
            if driver.execute(&check).is_ok() {
                self.indexes.insert([table.to_owned(), name, check]);
            }
        }
        Ok(())
    }

    /// What kept an index of a table's rows, fitted them before and does not now: the table, and its name.
    pub(crate) fn unfit(&mut self, driver: &mut dyn Driver) -> Result<Option<[String; 2]>> {
        for [table, name, check] in std::mem::take(&mut self.indexes) {
            let still = indexes(driver, &table)?;
            if still.contains(&(name.clone(), check.clone())) && driver.execute(&check).is_err() {
                return Ok(Some([table, name]));
            }
        }
        Ok(None)
    }

    /// Views and triggers that did not compile when something was renamed.
    pub(crate) fn leave(&mut self, broken: &[[String; 2]]) {
        self.left.extend(broken.iter().cloned());
    }

    /// Refuses at the end of a script that a view or trigger compiled before the first table went, which is at this
    /// place, and does not now.
    ///
    /// # Errors
    /// `batch::in_use`
    pub(crate) fn compiles(&self, driver: &mut dyn Driver, at: Option<&(SourceFile, Span)>) -> Result<()> {
        let Some(before) = &self.broken else { return Ok(()) };
        let now = broken(driver)?.into_iter();
        let Some(Broken { object, words }) = now.into_iter().find(|broken| !before.contains(&broken.object)) else {
            return Ok(());
        };
        let [kind, name] = object;
        let error = Error::new(Code::BatchInUse, format!("{kind} `{name}` does not compile any more"));
        let error = match at {
            Some((file, span)) => error.at(
                file,
                span.clone(),
                "the table that replaces this one lacks what it uses",
            ),
            None => error,
        };
        let keyword = kind.to_ascii_uppercase();
        let name = driver.dialect().ident(&name);
        Err(error.cause(words).help(format!(
            "drop it before, in the same revision, and create it anew if it is still needed: DROP {keyword} {name};"
        )))
    }

    /// What to say at the end of a script.
    pub(crate) fn said(&self, driver: &mut dyn Driver) -> Result<Vec<String>> {
        let mut said = Vec::new();
        if !self.hung.is_empty() {
            let now: BTreeSet<[String; 2]> = hung(driver)?.into_iter().map(|[_, kind, name]| [kind, name]).collect();
            let lost = self
                .hung
                .iter()
                .filter(|[_, kind, name]| !now.contains(&[kind.clone(), name.clone()]));
            said.extend(lost.map(|[table, kind, name]| {
                format!("{kind} `{name}` went with the old `{table}`, and is not made anew")
            }));
        }
        for (table, before) in &self.counters {
            let now = counter(driver, table).unwrap_or(0);
            if now < *before {
                said.push(format!(
                    "the counter of AUTOINCREMENT of `{table}` went back from {before} to {now}"
                ));
            }
        }
        if self.broken.is_some() || !self.left.is_empty() {
            for Broken { object, .. } in broken(driver)? {
                let [kind, name] = &object;
                if self.broken.as_ref().is_some_and(|before| !before.contains(&object)) {
                    said.push(format!("{kind} `{name}` does not compile any more"));
                } else if self.left.contains(&object) {
                    said.push(format!("{kind} `{name}` does not compile and is left as it is"));
                }
            }
        }
        Ok(said)
    }
}

fn broken(driver: &mut dyn Driver) -> Result<Vec<Broken>> {
    let dialect = driver.dialect();
    let mut broken = dialect.broken(&mut Live { driver })?;
    broken.sort_by(|one, other| one.object.cmp(&other.object));
    Ok(broken)
}

fn indexes(driver: &mut dyn Driver, table: &str) -> Result<Vec<(String, String)>> {
    let dialect = driver.dialect();
    let mut query = |sql: &str| driver.query(sql).map_err(|error| fault::database(&error));
    dialect.indexes_of_rows(table, &mut query)
}

fn counter(driver: &mut dyn Driver, table: &str) -> Option<i64> {
    let query = driver.dialect().counter(table)?;
    inherit::value(driver, &query)?.parse().ok()
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
