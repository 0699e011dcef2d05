//! What goes with a table that is replaced by hand, and is told of at the end when it did not come back.

use std::collections::{BTreeMap, BTreeSet};

use crate::code::Code;
use crate::dialect::Broken;
use crate::driver::Driver;
use crate::error::{Error, Result};
use crate::execute::fault;
use crate::execute::inherit;
use crate::execute::sound::{Sound, broken};
use crate::sorted::{self, Gather as _};
use crate::source::{SourceFile, Span};

/// What tables had that a script replaces, and what compiled.
#[derive(Debug, Default)]
pub(crate) struct Losses {
    /// What hung on the tables: the table, the kind and the name.
    hung: BTreeSet<[String; 3]>,
    /// What keeps an index of their rows and fitted them: the table, its name, and the statement that says so.
    indexes: BTreeSet<[String; 3]>,
    /// Those that only the application can read, in words.
    unread: BTreeSet<String>,
    /// Some table was replaced.
    kept: bool,
    /// The last numbers that tables had given to rows.
    counters: BTreeMap<String, i64>,
    /// The views and triggers that there were before anything ran.
    sound: Option<Sound>,
    /// Those that a RENAME left as they are.
    left: BTreeSet<[String; 2]>,
    /// Foreign keys that fitted no key of their parent before anything ran, in words.
    misfits: BTreeSet<String>,
}

impl Losses {
    /// Remembers what a table has that is called `of` now, before it is dropped.
    pub(crate) fn keep(&mut self, driver: &mut dyn Driver, table: &str, of: &str) -> Result<()> {
        self.kept = true;
        let own = hung(driver)?.into_iter().filter(|[on, ..]| on == of);
        self.hung
            .extend(own.map(|[_, kind, name]| [table.to_owned(), kind, name]));
        if let Some(count) = counter(driver, of) {
            // A table may be replaced more than once.
            self.counters.entry(table.to_owned()).or_insert(count);
        }
        Ok(())
    }

    /// Remembers what keeps an index of a table's rows and fits them. That is asked with an INSERT, so it must be done
    /// before any statement whose rowid the author may ask for.
    pub(crate) fn keep_indexes(&mut self, driver: &mut dyn Driver, table: &str) -> Result<()> {
        for (name, check) in indexes(driver, table)? {
            match driver.execute(&check) {
                Ok(()) => {
                    self.indexes.insert([table.to_owned(), name, check]);
                }
                Err(error) if error.message.contains("no such tokenizer: ") => {
                    let words = error.message;
                    self.unread.insert(format!(
                        "whether `{name}` fits the new `{table}` could not be looked at: {words}"
                    ));
                }
                // It did not fit before either.
                Err(_) => {}
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

    /// Looks at the beginning of a script which views and triggers compile, and which foreign keys fit.
    pub(crate) fn begin(&mut self, driver: &mut dyn Driver) -> Result<()> {
        self.sound = Some(Sound::read(driver)?);
        self.misfits = misfits(driver)?;
        Ok(())
    }

    /// Whether something has the name of a table that the script dropped, or the place of one.
    pub(crate) fn replaced(&self, driver: &mut dyn Driver, dropped: &BTreeSet<String>) -> Result<bool> {
        if self.kept {
            return Ok(true);
        }
        let Some(query) = driver.dialect().objects().filter(|_| !dropped.is_empty()) else {
            return Ok(false);
        };
        let rows = driver.query(query).map_err(|error| fault::database(&error))?;
        let named = |row: &Vec<Option<String>>| row.get(1).cloned().flatten();
        let mut names = rows.iter().filter_map(named);
        Ok(names.any(|name| dropped.contains(&name.to_ascii_lowercase())))
    }

    /// Refuses at the end of a script that a view or trigger compiled when it began and does not now; tables are dropped
    /// from this place on.
    ///
    /// # Errors
    /// `batch::in_use`
    pub(crate) fn compiles(&self, driver: &mut dyn Driver, at: Option<&(SourceFile, Span)>) -> Result<()> {
        let Some(sound) = &self.sound else { return Ok(()) };
        let Some(Broken { object, words }) = sound.lost(driver)?.into_iter().next() else {
            return Ok(());
        };
        let [kind, name] = object;
        let error = Error::new(Code::BatchInUse, format!("{kind} `{name}` does not compile any more"));
        let error = match at {
            Some((file, span)) => error.at(
                file,
                span.clone(),
                "tables are dropped from here on, and what it uses is not there afterwards",
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
        let mut said: Vec<String> = self.unread.iter().cloned().collect();
        if !self.hung.is_empty() {
            let now = hung(driver)?;
            for [table, kind, name] in &self.hung {
                let mut same = now
                    .iter()
                    .filter(|[_, other, named]| other == kind && named.eq_ignore_ascii_case(name));
                let lost = match same.next() {
                    Some([on, ..]) => on != table && exists(driver, table),
                    None => true,
                };
                if lost {
                    said.push(format!(
                        "{kind} `{name}` went with the old `{table}`, and is not made anew"
                    ));
                }
            }
        }
        for (table, before) in &self.counters {
            let now = counter(driver, table).unwrap_or(0);
            if now < *before && exists(driver, table) {
                said.push(format!(
                    "the counter of AUTOINCREMENT of `{table}` went back from {before} to {now}"
                ));
            }
        }
        let lost = match &self.sound {
            Some(sound) => sound.lost(driver)?,
            None => Vec::new(),
        };
        let mut told: Vec<([String; 2], &str)> = lost
            .into_iter()
            .map(|broken| (broken.object, "does not compile any more"))
            .collect();
        if !self.left.is_empty() {
            let now = broken(driver)?.into_iter().map(|broken| broken.object);
            let left = now.filter(|object| self.left.contains(object));
            let left: Vec<_> = left
                .filter(|object| told.iter().all(|(lost, _)| lost != object))
                .collect();
            told.extend(
                left.into_iter()
                    .map(|object| (object, "does not compile and is left as it is")),
            );
        }
        sorted::sort(&mut told);
        said.extend(
            told.into_iter()
                .map(|([kind, name], words)| format!("{kind} `{name}` {words}")),
        );
        if self.sound.is_some() {
            let now = misfits(driver)?;
            let new = now.difference(&self.misfits);
            said.extend(
                new.map(|words| format!("{words} any more: rows of both cannot be changed while foreign keys are on")),
            );
        }
        Ok(said)
    }
}

fn indexes(driver: &mut dyn Driver, table: &str) -> Result<Vec<(String, String)>> {
    let dialect = driver.dialect();
    let mut query = |sql: &str| driver.query(sql).map_err(|error| fault::database(&error));
    dialect.indexes_of_rows(table, &mut query)
}

/// The foreign keys that fit no key of their parent, in words.
fn misfits(driver: &mut dyn Driver) -> Result<BTreeSet<String>> {
    let Some(references) = driver.dialect().references() else {
        return Ok(BTreeSet::new());
    };
    let rows = driver
        .query(references.misfits())
        .map_err(|error| fault::database(&error))?;
    Ok(rows.into_iter().flatten().flatten().into_set())
}

/// Whether there is a table of that name.
fn exists(driver: &mut dyn Driver, table: &str) -> bool {
    let dialect = driver.dialect();
    let table = dialect
        .references()
        .map_or_else(|| dialect.ident(table), |references| references.stored(table));
    driver.query(&format!("SELECT 1 FROM {table} LIMIT 0")).is_ok()
}

fn counter(driver: &mut dyn Driver, table: &str) -> Option<i64> {
    let query = driver.dialect().counter(table)?;
    inherit::value(driver, &query)?.parse().ok()
}

/// Whether a statement that changes rows of a table has others changed by triggers.
pub(crate) fn has_trigger(driver: &mut dyn Driver, table: &str) -> Result<bool> {
    let mut hung = hung(driver)?.into_iter();
    Ok(hung.any(|[on, kind, _]| on == table && kind == "trigger"))
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

/// Refuses that something refers to a table which was renamed, replaced and dropped: a RENAME leads references along.
pub(crate) fn refers_to_nothing(driver: &mut dyn Driver, table: &str) -> Result<()> {
    let Some(references) = driver.dialect().references() else {
        return Ok(());
    };
    let rows = driver
        .query(&references.refers_to(table))
        .map_err(|error| fault::database(&error))?;
    let mut named = rows.into_iter().filter_map(|row| {
        let mut values = row.into_iter();
        Some((values.next()??, values.next()??))
    });
    let Some((kind, name)) = named.next() else {
        return Ok(());
    };
    let code = if kind == "table" {
        Code::ForeignKeys
    } else {
        Code::BatchInUse
    };
    let message = format!("{kind} `{name}` refers to `{table}`, which is dropped");
    Err(Error::new(code, message)
        .cause("ALTER TABLE … RENAME leads references, views and triggers along")
        .help("CREATE the new table under another name, INSERT, DROP the old one, and RENAME the new one")
        .help("or say before the RENAME: PRAGMA foreign_keys = OFF; PRAGMA legacy_alter_table = ON"))
}
