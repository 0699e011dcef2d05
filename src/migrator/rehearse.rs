//! A plan run on a copy of the database: what becomes of the schema and of the rows, and how long it takes.

use std::collections::{BTreeMap, BTreeSet};
use std::path::Path;
use std::time::Duration;

use crate::code::Code;
use crate::driver::{Driver, DriverError};
use crate::error::{Error, Result};
use crate::execute::event::{Clock, Event};
use crate::execute::{Patience, Report};
use crate::migrator::backup::{copied, has_room, nowhere};
use crate::migrator::copies::REHEARSAL;
use crate::migrator::part::{self, Part, with_suffix};
use crate::sorted;
use crate::version::VersionTable;

/// What a plan did to a copy.
#[derive(Debug)]
#[non_exhaustive]
pub struct Rehearsal {
    /// The steps.
    pub report: Report,
    /// What changed in the schema, in the order of the names.
    pub schema: Vec<Change<String>>,
    /// The numbers of rows, of every table.
    pub rows: Vec<Change<u64>>,
    /// What the database says is wrong with the copy afterwards and was not wrong before.
    pub findings: Vec<String>,
    /// How long the copy took.
    pub copied_in: Duration,
    /// How long the steps took.
    pub ran_in: Duration,
}

/// A thing before and after; none where it is not there.
#[derive(Debug, Clone, PartialEq, Eq)]
#[non_exhaustive]
pub struct Change<T> {
    /// Its name.
    pub name: String,
    /// Before.
    pub before: Option<T>,
    /// After.
    pub after: Option<T>,
}

/// What a database holds.
struct Picture {
    schema: BTreeMap<String, String>,
    rows: BTreeMap<String, u64>,
    wrong: Vec<String>,
}

/// A copy for one purpose, deleted when it is dropped.
struct Rehearsed {
    // Closed before its file is deleted.
    driver: Box<dyn Driver>,
    _part: Part,
}

impl Rehearsed {
    /// Copies the database into a new file beside it.
    fn of(driver: &mut dyn Driver, patience: Patience<'_>, events: &mut dyn FnMut(Event<'_>)) -> Result<Self> {
        let Some(file) = driver.file() else {
            if let Some(by) = driver.dialect().copied_by() {
                let message = "the database is on a server, and is not copied";
                return Err(Error::new(Code::UnsupportedDatabase, message).help(by.rehearse));
            }
            if !driver.is_in_memory() {
                return Err(nowhere());
            }
            let message = "the database is in memory, and is not copied";
            return Err(Error::new(Code::UnsupportedDatabase, message).help("rehearse on a file: --url sqlite:app.db"));
        };
        let front = with_suffix(&file, REHEARSAL);
        part::sweep(&front);
        has_room(driver, file.parent().unwrap_or(Path::new(".")))?;
        let (part, driver) = copied(driver, &front, &file, patience, events)?;
        Ok(Self { driver, _part: part })
    }

    fn driver(&mut self) -> &mut dyn Driver {
        &mut *self.driver
    }
}

/// A copy to rehearse on, deleted when it is dropped.
pub(crate) struct Copied {
    copy: Rehearsed,
    copied_in: Duration,
}

impl Copied {
    /// Copies the database.
    ///
    /// # Errors
    /// `database::disk_full`, `lock::timeout`, `execute::interrupted`, and what else copying fails with.
    pub(crate) fn of(
        driver: &mut dyn Driver,
        clock: &dyn Clock,
        patience: Patience<'_>,
        events: &mut dyn FnMut(Event<'_>),
    ) -> Result<Self> {
        let began = clock.elapsed();
        let copy = Rehearsed::of(driver, patience, events)?;
        let copied_in = clock.elapsed().saturating_sub(began);
        Ok(Self { copy, copied_in })
    }
}

/// Runs something on a copy, and compares. What the application itself gives to its connection, such as functions, is
/// not there.
///
/// # Errors
/// What `run` fails with.
pub(crate) fn rehearse(
    mut copied: Copied,
    table: &VersionTable,
    clock: &dyn Clock,
    run: impl FnOnce(&mut dyn Driver) -> Result<Report>,
) -> Result<Rehearsal> {
    let copied_in = copied.copied_in;
    let copy = copied.copy.driver();
    let before = Picture::of(copy, table).map_err(|error| unseen(&error))?;
    let began = clock.elapsed();
    let report = run(copy).map_err(|error| {
        let error = match error.state_line() {
            Some(state) => error.clone().cause(format!("of the copy: {state}")),
            None => error,
        };
        error.state("this was a copy: the database is as it was")
    })?;
    let ran_in = clock.elapsed().saturating_sub(began);
    let mut after = Picture::of(copy, table).map_err(|error| unseen(&error))?;
    after.wrong.retain(|wrong| !before.wrong.contains(wrong));
    let mut schema = changes(before.schema, after.schema);
    schema.retain(|change| change.before != change.after);
    Ok(Rehearsal {
        report,
        schema,
        rows: changes(before.rows, after.rows),
        findings: after.wrong,
        copied_in,
        ran_in,
    })
}

impl Picture {
    fn of(driver: &mut dyn Driver, table: &VersionTable) -> Result<Self, DriverError> {
        let dialect = driver.dialect();
        let mut picture = Self {
            schema: BTreeMap::new(),
            rows: BTreeMap::new(),
            wrong: driver.check()?,
        };
        let objects = dialect.objects().map(|query| driver.query(query)).transpose()?;
        for object in objects.unwrap_or_default() {
            let mut values = object.into_iter().map(Option::unwrap_or_default);
            let [kind, name, sql] = [(); 3].map(|()| values.next().unwrap_or_default());
            if table.is_own(&name) || name == format!("{}_applied", table.name()) {
                continue;
            }
            if kind == "table" {
                // A virtual table may not be asked, where its module is not here.
                let counted = driver.query(&format!("SELECT count(*) FROM {}", dialect.ident(&name)));
                let count = counted
                    .ok()
                    .and_then(|rows| rows.first()?.first()?.as_ref()?.parse().ok());
                picture.rows.extend(count.map(|count| (name.clone(), count)));
            }
            picture.schema.insert(format!("{kind} {name}"), sql);
        }
        if let Some(references) = dialect.references() {
            let rows = driver.query(&references.orphans_after(&BTreeSet::new()))?.into_iter();
            picture
                .wrong
                .extend(rows.filter_map(|row| row.into_iter().nth(1).flatten()));
        }
        Ok(picture)
    }
}

fn changes<T>(before: BTreeMap<String, T>, mut after: BTreeMap<String, T>) -> Vec<Change<T>> {
    let mut all: Vec<Change<T>> = before
        .into_iter()
        .map(|(name, before)| Change {
            after: after.remove(&name),
            name,
            before: Some(before),
        })
        .collect();
    all.extend(after.into_iter().map(|(name, after)| Change {
        name,
        before: None,
        after: Some(after),
    }));
    sorted::sort_by(&mut all, |one, other| one.name.cmp(&other.name));
    all
}

fn unseen(error: &DriverError) -> Error {
    Error::new(Code::Database, "the copy could not be looked at").cause(error.message.clone())
}
