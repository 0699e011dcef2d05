//! What is written into the version table and the log.

use std::borrow::Cow;
use std::sync::Arc;

use crate::code::Code;
use crate::dialect::Dialect;
use crate::driver::{Driver, DriverError};
use crate::error::{Error, Result};
use crate::execute::Executor;
use crate::execute::fault;
use crate::execute::kit::{self, Kit, Whole};
use crate::execute::scripts::{KEPT, Prepared, Sources};
use crate::execute::step::Ready;
use crate::revision::header;
use crate::revision::{Direction, Header, Known, Revision, Script};
use crate::version::{Entry, NewRow, Stamp, Unfinished, VersionTable};

/// The most of a downgrade's text that is kept, in bytes.
const DOWNGRADE_KEPT: usize = 64 << 20;
/// The most of a failure's words that the log keeps, in characters.
const DETAIL: usize = 1000;

/// A revision as the version table is to have it: its checksums, and its texts.
pub(crate) struct Record<'a> {
    revision: &'a Revision,
    upgrade_checksum: String,
    upgrade: Option<Cow<'a, str>>,
    kit: Option<&'static dyn Kit>,
    downgrade: Option<Downgrade>,
}

struct Downgrade {
    checksum: String,
    /// The text; none when it is too large to be kept.
    text: Option<Arc<str>>,
    known: Option<Arc<Known>>,
}

impl<'a> Record<'a> {
    /// Reads the downgrade and puts everything together.
    pub(crate) fn of(
        revision: &'a Revision,
        prepared: Option<&Prepared>,
        sources: &dyn Sources,
        dialect: &'static dyn Dialect,
    ) -> Result<Self> {
        Self::with(revision, prepared, sources, dialect, Some(&Whole))
    }

    /// Likewise, with the kit of a run.
    pub(crate) fn with(
        revision: &'a Revision,
        prepared: Option<&Prepared>,
        sources: &dyn Sources,
        dialect: &'static dyn Dialect,
        kit: Option<&'static dyn Kit>,
    ) -> Result<Self> {
        let upgrade_checksum = match (prepared, &revision.upgrade) {
            (Some(prepared), _) => prepared.checksum.stored(),
            (None, Some(script)) => kit::checksum(kit, script, Some(&revision.header), dialect)?.stored(),
            (None, None) => String::new(),
        };
        let upgrade = match &revision.upgrade {
            Some(script) if script.plain().is_some() => Some(Cow::Borrowed(&*script.file.text)),
            Some(_) => kit::needed(kit)?.kept(revision),
            None => None,
        };
        let downgrade = match sources.downgrade(revision)? {
            Some(script) => Some(Downgrade {
                checksum: kit::checksum(kit, &script, None, dialect)?.stored(),
                text: match &script.known {
                    Some(_) => script.kept(DOWNGRADE_KEPT).map(|_| script.file.text.clone()),
                    None => kit::needed(kit)?.whole(&script, DOWNGRADE_KEPT)?,
                },
                known: script.known,
            }),
            None => None,
        };
        Ok(Self {
            revision,
            upgrade_checksum,
            upgrade,
            kit,
            downgrade,
        })
    }

    /// A text in the form that is kept: as the build script left it, or as the kit makes it.
    fn packed<'t>(&self, text: &'t str, known: Option<&'t Known>) -> Cow<'t, str> {
        match (known.and_then(|known| known.kept.as_deref()), self.kit) {
            (Some(kept), _) => Cow::Borrowed(kept),
            (None, Some(kit)) => kit.packed(text),
            // Without a kit all texts are known, and this one is kept as it is.
            (None, None) => Cow::Borrowed(text),
        }
    }

    /// The row.
    pub(crate) fn row(&self, unfinished: Option<Unfinished>) -> NewRow<'_> {
        let header = &self.revision.header;
        NewRow {
            id: &header.id,
            down_revisions: &header.down_revisions,
            depends_on: header.depends_on.iter().map(|id| &**id).collect(),
            message: &header.message,
            upgrade_checksum: self.upgrade_checksum.clone(),
            downgrade_checksum: self.downgrade.as_ref().map(|downgrade| downgrade.checksum.clone()),
            upgrade_sql: self.upgrade.as_deref().map(|text| {
                let script = self.revision.upgrade.as_ref();
                self.packed(text, script.and_then(|script| script.known.as_deref()))
            }),
            downgrade_sql: self.downgrade.as_ref().and_then(|downgrade| {
                let text = downgrade.text.as_deref()?;
                Some(self.packed(text, downgrade.known.as_deref()))
            }),
            unfinished,
        }
    }
}

/// An upgrade as the row keeps it: always with its header, which says how the downgrade is to run. A text for one dialect
/// may leave that to the plain one; of a text that is too large to be kept it is all there is.
pub(super) fn kept<'a>(script: &'a Script, header: &Header) -> Cow<'a, str> {
    match script.kept(KEPT) {
        Some(text) if header::is_there(&script.file) => Cow::Borrowed(text),
        text => Cow::Owned(header::write(header) + text.unwrap_or_default()),
    }
}

/// The statements that record a step: the row, and a line of the log.
pub(crate) fn of_step(
    table: &VersionTable,
    direction: Direction,
    record: Option<&Record<'_>>,
    id: &str,
    stamp: &Stamp<'_>,
) -> [String; 2] {
    let row = match (direction, record) {
        (Direction::Upgrade, Some(record)) => table.insert(&record.row(None), stamp),
        _ => table.delete(id),
    };
    let entry = Entry {
        event: direction.name(),
        revision: id,
        done: true,
        detail: None,
    };
    [row, table.log(entry, stamp)]
}

/// What the log says of a failure: what failed, where, and why, in the words of the database.
pub(super) fn detail(error: &Error) -> String {
    let mut detail = format!("{}: {}", error.code().name(), error.message());
    if let Some(label) = error.labels().first().filter(|label| !label.text.is_empty()) {
        let (line, _) = label.file.line_column(label.span.start);
        detail.push_str(&format!("; line {line}: {}", label.text));
    }
    if let Some(cause) = error.causes().first() {
        detail.push_str(&format!("; {cause}"));
    }
    if let Some((end, _)) = detail.char_indices().nth(DETAIL) {
        detail.truncate(end);
    }
    detail
}

impl Executor<'_> {
    /// Creates the version table unless it is `there`, and the log where it is missing: somebody may have dropped
    /// one without the other.
    pub(crate) fn create_table(&mut self, there: bool) -> Result<()> {
        self.create_own(there, self.lent.index)
    }

    /// Likewise, and the index where it is wanted.
    pub(super) fn create_own(&mut self, there: bool, index: bool) -> Result<()> {
        let missing = own_tables(&self.table, index, there, self.driver);
        let missing = missing.map_err(|error| fault::database(&error))?;
        let created = missing.iter().try_for_each(|create| self.own(create));
        created.map_err(|error| self.without_its_schema(error))
    }

    /// The schema, or on MySQL the database, of the version table is not sqlrev's to make.
    fn without_its_schema(&self, error: Error) -> Error {
        // 3F000 is PostgreSQL's invalid_schema_name, 1049 MySQL's ER_BAD_DB_ERROR.
        let says = |code: &str| error.causes().iter().any(|cause| cause.starts_with(code));
        if !says("SQLSTATE 3F000") && !says("error 1049,") {
            return error;
        }
        let place = self.table.place();
        let schema = place.rsplit_once('.').map_or(place, |(schema, _)| schema);
        let message = format!("the schema of the version table {place} is not there");
        let refused = Error::new(Code::ConnectNoSchema, message);
        let told = error
            .causes()
            .iter()
            .fold(refused, |told, cause| told.cause(cause.clone()));
        told.help(format!(
            "create it: CREATE SCHEMA {schema}; or name another one: `version_table` in the configuration"
        ))
    }

    /// Writes down that a step failed, and why.
    pub(crate) fn log_failure(&mut self, ready: &Ready<'_>, error: &Error) {
        let now = self.clock.now();
        let detail = detail(error);
        let entry = Entry {
            event: ready.step.direction.name(),
            revision: ready.step.revision.as_str(),
            done: false,
            detail: Some(&detail),
        };
        let sql = self.table.log(entry, &self.stamp(&now, None));
        // What failed is told in any case; a log that cannot be written, on a full disk say, must not hide it.
        let _ = self.driver.execute(&sql);
    }
}

/// What creates the tables of a run's own that a database lacks, and their index where that is wanted.
pub(super) fn own_tables(
    table: &VersionTable,
    index: bool,
    there: bool,
    driver: &mut dyn Driver,
) -> std::result::Result<Vec<String>, DriverError> {
    let there = [there, table.has_log(driver)?];
    let creates = table.create().into_iter().zip(there);
    let missing = creates.filter_map(|(create, there)| (!there).then_some(create));
    Ok(missing.chain(table.index().filter(|_| index)).collect())
}
