//! The version table: one row per applied revision, and a log that only grows.
//!
//! Everything is SQL text, so that the same statements run online, stand in an offline script, and are shown in a plan.

mod brief;
pub mod text;
mod unfinished;
mod values;

use std::borrow::Cow;
use std::collections::BTreeMap;
use std::fmt::Write as _;

use crate::code::Code;
use crate::dialect::Dialect;
use crate::driver::{Driver, DriverError, Failure};
use crate::error::{Error, Result};
use crate::revision::{Direction, RevisionId};
use crate::schema::Kind;
use crate::sorted::Gather as _;

pub use brief::brief;
pub use text::pack as packed;
pub use unfinished::Unfinished;

use unfinished::{read_unfinished, written};
use values::Values;

/// The version of this program, as rows carry it.
pub const TOOL_VERSION: &str = env!("CARGO_PKG_VERSION");

/// The names of the two tables, and the SQL that they need.
#[derive(Debug, Clone)]
pub struct VersionTable {
    dialect: &'static dyn Dialect,
    /// The names as they are configured.
    name: String,
    log_name: String,
    /// The names as they stand in statements.
    revisions: String,
    log: String,
    /// The schema that the run works in, where the database has several and the URL names one.
    schema: Option<String>,
    /// Whether owners and privileges are looked at where schemas are compared.
    rights: (bool, bool),
}

/// What is known of an applied revision at first sight.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Row {
    /// The id.
    pub id: RevisionId,
    /// The checksum of the upgrade file as it ran, in its stored form.
    pub upgrade_checksum: String,
    /// Where it stopped, for a revision without a transaction that did not come to its end.
    pub unfinished: Option<Unfinished>,
}

impl Row {
    /// Whether the revision counts as applied: it ran to its end, or it is on its way down.
    pub fn is_applied(&self) -> bool {
        self.unfinished.is_none_or(|at| at.direction == Direction::Downgrade)
    }
}

/// What else the table says of an applied revision.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Details {
    /// The id.
    pub id: RevisionId,
    /// The parents when it was applied.
    pub down_revisions: Vec<RevisionId>,
    /// The dependencies when it was applied.
    pub depends_on: Vec<String>,
    /// The message.
    pub message: String,
    /// The checksum of the downgrade file; none when it was irreversible.
    pub downgrade_checksum: Option<String>,
    /// The text of the upgrade as it was kept: with a header in any case, of which nothing follows when the file was
    /// too large.
    pub upgrade_sql: Option<String>,
    /// The text of the upgrade file itself; none where only its header was kept.
    pub upgrade_file: Option<String>,
    /// The text of the downgrade, where there is one and it was kept.
    pub downgrade_sql: Option<String>,
}

/// A row to be written.
#[derive(Debug, Clone)]
pub struct NewRow<'a> {
    /// The id.
    pub id: &'a RevisionId,
    /// `down_revision`
    pub down_revisions: &'a [RevisionId],
    /// `depends_on`
    pub depends_on: Vec<&'a str>,
    /// The message.
    pub message: &'a str,
    /// The stored form of the upgrade file's checksum.
    pub upgrade_checksum: String,
    /// Likewise of the downgrade file.
    pub downgrade_checksum: Option<String>,
    /// The upgrade's text, when it is kept, in the form of [`packed`].
    pub upgrade_sql: Option<Cow<'a, str>>,
    /// The downgrade's text, when there is one and it is kept, likewise.
    pub downgrade_sql: Option<Cow<'a, str>>,
    /// Where it stands, when it has not come to its end.
    pub unfinished: Option<Unfinished>,
}

/// Who did something, when, and for how long.
#[derive(Debug, Clone)]
pub struct Stamp<'a> {
    /// UTC, as `2026-11-22T21:14:00Z`; none in a script, where the database's clock says it.
    pub at: Option<&'a str>,
    /// The user.
    pub by: &'a str,
    /// How long it took; none where nothing ran or nobody measured.
    pub took: Option<Took>,
}

/// How long something took.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Took {
    /// So many milliseconds.
    Milliseconds(u64),
    /// From the beginning of the transaction on, as the database itself measures it.
    Transaction,
}

/// A line of the log.
#[derive(Debug, Clone, Copy)]
pub struct Entry<'a> {
    /// `upgrade`, `downgrade`, `stamp` or `repair`.
    pub event: &'a str,
    /// The revision.
    pub revision: &'a str,
    /// Whether it was done; if not, it failed and nothing of it stayed.
    pub done: bool,
    /// Why it failed, or what was accepted.
    pub detail: Option<&'a str>,
}

impl VersionTable {
    /// The tables of this name in a database of this kind: `NAME` and, for the log, `sqlrev_log` or `NAME_log`.
    pub fn new(dialect: &'static dyn Dialect, name: &str) -> Self {
        let log = match name.strip_suffix("_revisions") {
            Some(front) => format!("{front}_log"),
            None => format!("{name}_log"),
        };
        Self {
            dialect,
            name: name.to_owned(),
            revisions: dialect.table(name),
            log: dialect.table(&log),
            log_name: log,
            schema: None,
            rights: (false, false),
        }
    }

    /// The tables for a run that works in this schema of the database: they stand there, unless their name says another.
    #[must_use]
    pub fn within(self, schema: Option<&str>) -> Self {
        let (Some(schema), Some(known)) = (schema, self.dialect.schemas()) else {
            return self;
        };
        Self {
            revisions: known.table(schema, &self.name),
            log: known.table(schema, &self.log_name),
            schema: Some(schema.to_owned()),
            ..self
        }
    }

    /// The tables for comparisons that look at owners, and at privileges; otherwise they look at neither.
    #[must_use]
    pub fn comparing(self, owners: bool, grants: bool) -> Self {
        Self {
            rights: (owners, grants),
            ..self
        }
    }

    /// Whether objects of a kind are looked at where schemas are compared.
    pub fn compares(&self, kind: Kind) -> bool {
        match kind {
            Kind::Owner => self.rights.0,
            Kind::Grant => self.rights.1,
            _ => true,
        }
    }

    /// The schema that the run works in; none for the whole database.
    pub fn schema(&self) -> Option<&str> {
        self.schema.as_deref()
    }

    /// The statements that create both tables.
    pub fn create(&self) -> Vec<String> {
        let text = self.dialect.version_sql().create;
        let text = text.replace("{revisions}", &self.revisions).replace("{log}", &self.log);
        text.split(";\n")
            .map(str::trim)
            .filter(|sql| !sql.is_empty())
            .map(str::to_owned)
            .collect()
    }

    /// The statement that creates the index which answers that query.
    pub fn index(&self) -> Option<String> {
        let create = self.dialect.version_sql().index?;
        let name = self.dialect.ident(&format!("{}_applied", self.name()));
        Some(create.replace("{index}", &name).replace("{revisions}", &self.revisions))
    }

    /// Message, moment and who it was, of one applied revision.
    ///
    /// # Errors
    /// `version::unreadable`.
    pub fn told(&self, driver: &mut dyn Driver, id: &str) -> Result<[String; 3]> {
        let sql = format!(
            "SELECT message, applied_at, applied_by FROM {} WHERE revision = {}",
            self.revisions,
            self.dialect.literal(id)
        );
        let rows = driver.query(&sql).map_err(|error| self.not_read(error))?;
        let mut values = rows.into_iter().next().unwrap_or_default().into_iter();
        Ok([(); 3].map(|()| values.next().flatten().unwrap_or_default()))
    }

    /// The statement that writes the row of an applied revision.
    pub fn insert(&self, row: &NewRow<'_>, stamp: &Stamp<'_>) -> String {
        const COLUMNS: &str = "revision, down_revision, depends_on, message, applied_at, applied_by, duration_ms, \
             tool_version, unfinished, upgrade_checksum, downgrade_checksum, upgrade_sql, downgrade_sql";
        let texts = [row.upgrade_sql.as_deref(), row.downgrade_sql.as_deref()]
            .into_iter()
            .flatten()
            .map(str::len);
        let mut values = Values::new(self.dialect, &self.revisions, COLUMNS, 768 + texts.sum::<usize>());
        let parents: Vec<&str> = row.down_revisions.iter().map(RevisionId::as_str).collect();
        values.text(row.id.as_str());
        values.text(&parents.join(","));
        values.text(&row.depends_on.join(","));
        values.text(row.message);
        values.time(stamp.at);
        values.text(stamp.by);
        values.took(stamp.took);
        values.text(TOOL_VERSION);
        values.maybe(row.unfinished.map(written).as_deref());
        values.text(&row.upgrade_checksum);
        values.maybe(row.downgrade_checksum.as_deref());
        values.maybe(row.upgrade_sql.as_deref());
        values.maybe(row.downgrade_sql.as_deref());
        values.end()
    }

    /// The statement that takes the row of a revision away.
    pub fn delete(&self, id: &str) -> String {
        format!(
            "DELETE FROM {} WHERE revision = {}",
            self.revisions,
            self.dialect.literal(id)
        )
    }

    /// The statement that takes every row away.
    pub fn delete_all(&self) -> String {
        format!("DELETE FROM {}", self.revisions)
    }

    /// The statement that records how far a revision came; none when it came to its end.
    pub fn progress(&self, id: &str, unfinished: Option<Unfinished>) -> String {
        let at = unfinished.map_or_else(|| "NULL".to_owned(), |at| self.dialect.literal(&written(at)));
        let id = self.dialect.literal(id);
        format!("UPDATE {} SET unfinished = {at} WHERE revision = {id}", self.revisions)
    }

    /// Likewise, for a row that stands at one of these places and at no other; nowhere is the end of an upgrade.
    pub fn progress_from(&self, id: &str, from: &[Unfinished], unfinished: Option<Unfinished>) -> String {
        self.progress(id, unfinished) + &self.still_at(from)
    }

    /// [`VersionTable::delete`], likewise.
    pub fn delete_from(&self, id: &str, from: &[Unfinished]) -> String {
        self.delete(id) + &self.still_at(from)
    }

    fn still_at(&self, from: &[Unfinished]) -> String {
        let returning = self.dialect.version_sql().returning;
        if returning.is_empty() {
            // A lock keeps others away, and the author's own ROLLBACK TO may lead back to any place.
            return String::new();
        }
        let places: Vec<String> = from.iter().map(|at| self.dialect.literal(&written(*at))).collect();
        let is_there = match places.as_slice() {
            [] => "IS NULL".to_owned(),
            places => format!("IN ({})", places.join(", ")),
        };
        format!(" AND unfinished {is_there}{returning}")
    }

    /// The statement that takes the file as it is now for the applied one.
    pub fn accept(&self, row: &NewRow<'_>) -> String {
        let literal = |text: Option<&str>| text.map_or_else(|| "NULL".to_owned(), |text| self.dialect.literal(text));
        format!(
            "UPDATE {} SET upgrade_checksum = {}, downgrade_checksum = {}, upgrade_sql = {}, downgrade_sql = {} \
             WHERE revision = {}",
            self.revisions,
            literal(Some(&row.upgrade_checksum)),
            literal(row.downgrade_checksum.as_deref()),
            literal(row.upgrade_sql.as_deref()),
            literal(row.downgrade_sql.as_deref()),
            literal(Some(row.id.as_str())),
        )
    }

    /// The statement that adds a line to the log.
    pub fn log(&self, entry: Entry<'_>, stamp: &Stamp<'_>) -> String {
        const COLUMNS: &str = "logged_at, logged_by, event, revision, outcome, detail, duration_ms, tool_version";
        let mut values = Values::new(self.dialect, &self.log, COLUMNS, 384);
        values.time(stamp.at);
        values.text(stamp.by);
        values.text(entry.event);
        values.text(entry.revision);
        values.text(if entry.done { "done" } else { "failed" });
        values.maybe(entry.detail);
        values.took(stamp.took);
        values.text(TOOL_VERSION);
        values.end()
    }

    /// A query that returns a row unless exactly the ancestors of these heads are applied, `count` in all, the heads
    /// among them.
    pub fn not_at(&self, heads: &[RevisionId], count: usize) -> String {
        let table = &self.revisions;
        let mut sql = format!("SELECT 1 WHERE (SELECT count(*) FROM {table} WHERE unfinished IS NULL) <> {count}");
        let _ = write!(sql, " OR EXISTS (SELECT 1 FROM {table} WHERE unfinished IS NOT NULL)");
        for head in heads {
            let head = self.dialect.literal(head.as_str());
            let _ = write!(sql, " OR NOT EXISTS (SELECT 1 FROM {table} WHERE revision = {head})");
        }
        sql
    }

    /// The name of the table, unquoted.
    pub fn name(&self) -> &str {
        &self.name
    }

    /// The name of the table as it stands in statements.
    pub fn place(&self) -> &str {
        &self.revisions
    }

    /// Whether a table of this name is one of the two.
    pub fn is_own(&self, name: &str) -> bool {
        name == self.name || name == self.log_name
    }

    /// The stored checksums of all downgrades; none for a revision that was irreversible.
    ///
    /// # Errors
    /// `version::unreadable`.
    pub fn downgrade_checksums(&self, driver: &mut dyn Driver) -> Result<BTreeMap<String, String>> {
        let sql = format!("SELECT revision, downgrade_checksum FROM {}", self.revisions);
        let rows = driver.query(&sql).map_err(|error| self.not_read(error))?;
        let pairs = rows.into_iter().filter_map(|row| {
            let mut values = row.into_iter();
            Some((values.next()??, values.next()??))
        });
        Ok(pairs.into_map())
    }

    /// A query that returns a row when the table of this name is there.
    fn exists(&self, name: &str, place: &str) -> String {
        let exists = self.dialect.version_sql().exists;
        let exists = exists.replace("{revisions}", &self.dialect.literal(name));
        exists.replace("{table}", &self.dialect.literal(place))
    }

    /// Refuses a session in which something of its own hides one of the tables.
    pub(crate) fn refuse_hidden(&self, driver: &mut dyn Driver) -> Result<(), DriverError> {
        let Some(query) = self.dialect.version_sql().hidden else {
            return Ok(());
        };
        let query = query.replace("{revisions}", &self.dialect.literal(&self.name));
        let rows = driver.query(&query.replace("{log}", &self.dialect.literal(&self.log_name)))?;
        let Some(name) = rows.into_iter().flatten().flatten().next() else {
            return Ok(());
        };
        let message = format!("`{name}` is something temporary of this connection too: drop that first");
        Err(DriverError::new(message))
    }

    /// Whether the log is there.
    pub(crate) fn has_log(&self, driver: &mut dyn Driver) -> Result<bool, DriverError> {
        Ok(!driver.query(&self.exists(&self.log_name, &self.log))?.is_empty())
    }

    /// The applied revisions; none when the table is not there.
    ///
    /// # Errors
    /// What the driver fails with, and rows that are not sqlrev's.
    pub fn read(&self, driver: &mut dyn Driver) -> Result<Option<Vec<Row>>, DriverError> {
        let exists = self.exists(&self.name, &self.revisions);
        let sql = format!("SELECT revision, upgrade_checksum, unfinished FROM {}", self.revisions);
        let mut rows = Ok(Vec::new());
        let there = driver.each_row_if_there(&exists, &sql, &mut |row| {
            match (&mut rows, read_row(row)) {
                (Ok(rows), Ok(row)) => rows.push(row),
                (_, Err(error)) => rows = Err(error),
                (Err(_), _) => {}
            }
            rows.is_ok()
        })?;
        rows.map(|rows| there.then_some(rows))
    }

    /// Everything about one applied revision.
    pub fn details(&self, driver: &mut dyn Driver, id: &str) -> Result<Option<Details>> {
        let sql = format!(
            "SELECT revision, down_revision, depends_on, message, downgrade_checksum, upgrade_sql, downgrade_sql, \
             upgrade_checksum FROM {} WHERE revision = {}",
            self.revisions,
            self.dialect.literal(id)
        );
        let rows = driver.query(&sql).map_err(|error| self.not_read(error))?;
        Ok(rows.into_iter().next().map(full))
    }

    /// The error for a query for its rows that failed.
    fn not_read(&self, error: DriverError) -> Error {
        match error.failure {
            Failure::Interrupted => {
                Error::new(Code::Interrupted, "interrupted").help("running the same command again goes on")
            }
            _ => self.unreadable(error.message),
        }
    }

    /// The error for a version table that cannot be read.
    pub fn unreadable(&self, cause: impl Into<String>) -> Error {
        let cause = cause.into();
        let help = if cause.contains("denied") {
            "GRANT this user the right to read it; upgrades want to write it, and its log"
        } else {
            "if the table belongs to another tool, choose another name: version_table: NAME in migrations.yaml"
        };
        let message = format!("the version table `{}` cannot be read", self.name());
        Error::new(Code::VersionTable, message).cause(cause).help(help)
    }
}

fn read_row(row: &[Option<&str>]) -> Result<Row, DriverError> {
    let [Some(id), Some(upgrade_checksum), unfinished] = row else {
        return Err(DriverError::new("a row has no revision or no checksum"));
    };
    let unfinished = match unfinished {
        Some(text) => Some(
            read_unfinished(text)
                .ok_or_else(|| DriverError::new(format!("where revision {id} stopped cannot be read: {text}")))?,
        ),
        None => None,
    };
    Ok(Row {
        id: RevisionId::from(*id),
        upgrade_checksum: upgrade_checksum.to_string(),
        unfinished,
    })
}

fn full(row: Vec<Option<String>>) -> Details {
    let mut values = row.into_iter();
    let mut next = || values.next().flatten();
    let list = |text: Option<String>| {
        let text = text.unwrap_or_default();
        text.split(',')
            .filter(|id| !id.is_empty())
            .map(str::to_owned)
            .collect::<Vec<_>>()
    };
    let kept = |text: String| text::unpack(&text).map(std::borrow::Cow::into_owned);
    let mut details = Details {
        id: RevisionId::new(next().unwrap_or_default()),
        down_revisions: list(next()).into_iter().map(RevisionId::new).collect(),
        depends_on: list(next()),
        message: next().unwrap_or_default(),
        downgrade_checksum: next(),
        upgrade_sql: next().and_then(kept),
        upgrade_file: None,
        downgrade_sql: next().and_then(kept),
    };
    let checksum = next().unwrap_or_default();
    let kept = details.upgrade_sql.as_deref();
    details.upgrade_file = kept.and_then(|kept| text::file(kept, &checksum)).map(str::to_owned);
    details
}
