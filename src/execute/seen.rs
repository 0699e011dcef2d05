//! What the database says it has: read, compared with the files, and known again when it has changed.

use crate::code::Code;
use crate::dialect::Dialect;
use crate::driver::{Driver, DriverError};
use crate::error::{Error, Result};
use crate::execute::diff;
use crate::execute::kit::{self, Kit};
use crate::revision::applied::Applied;
use crate::revision::checksum::{self, Change, Checksum, ParseError};
use crate::revision::graph::RevisionGraph;
use crate::revision::{Direction, Revision, RevisionId, Script};
use crate::version::{Row, VersionTable};

/// The rows of the version table at one moment.
#[derive(Debug, Clone, Default)]
pub struct Seen {
    /// The rows.
    pub rows: Vec<Row>,
    /// Whether the version table is there.
    pub table: bool,
    /// A value that changes when others write to the database.
    mark: Option<String>,
}

impl Seen {
    /// Reads the version table.
    pub(crate) fn read(driver: &mut dyn Driver, table: &VersionTable) -> Result<Self, DriverError> {
        let mark = mark(driver)?;
        let rows = table.read(driver)?;
        Ok(Self {
            table: rows.is_some(),
            rows: rows.unwrap_or_default(),
            mark,
        })
    }

    /// Whether others may have written to the database since. Where it has no mark that tells, the rows do.
    pub(crate) fn is_stale(&self, driver: &mut dyn Driver, table: &VersionTable) -> Result<bool, DriverError> {
        if self.mark.is_some() {
            return Ok(mark(driver)? != self.mark);
        }
        let now = Self::read(driver, table)?;
        Ok(now.table != self.table || now.rows != self.rows)
    }

    /// The ids of the applied revisions.
    pub fn applied(&self) -> impl Iterator<Item = &RevisionId> {
        self.rows.iter().filter(|row| row.is_applied()).map(|row| &row.id)
    }

    /// The row of a revision.
    pub(crate) fn row(&self, id: &RevisionId) -> Option<&Row> {
        self.rows.iter().find(|row| row.id == *id)
    }

    /// The revision that stopped half-way on its way in this direction.
    pub(crate) fn stopped(&self, direction: Direction) -> Option<&Row> {
        let stopped = |row: &&Row| {
            row.unfinished
                .is_some_and(|at| at.direction == direction && !at.has_done_nothing())
        };
        self.rows.iter().find(stopped)
    }

    /// The applied revisions in terms of the graph.
    ///
    /// # Errors
    /// `target::unknown_revision` for those that no file holds, `execute::unfinished` for such a one that stopped half-way.
    pub fn in_graph(&self, graph: &RevisionGraph) -> Result<Applied> {
        let applied = Applied::from_rows(graph, self.applied())?;
        let lost = |row: &&Row| {
            let half = row.unfinished.is_some_and(|at| !at.has_done_nothing());
            half && !row.is_applied() && graph.node(row.id.as_str()).is_none()
        };
        match self.rows.iter().find(lost) {
            Some(row) => Err(lost_half_way(&row.id)),
            None => Ok(applied),
        }
    }
}

fn lost_half_way(id: &RevisionId) -> Error {
    let message = format!("the upgrade of revision `{id}` stopped half-way, and no file holds it");
    Error::new(Code::UnfinishedRevision, message)
        .state("nothing was run")
        .help(format!(
            "put its file back and let it come to its end: sqlrev upgrade {id}"
        ))
        .help(format!("{UNDONE} --purge TARGET"))
}

/// What to do where somebody has put a half-way revision in order by hand.
pub(crate) const UNDONE: &str =
    "or, where you have undone its statements yourself, say where the database is: sqlrev stamp";

fn mark(driver: &mut dyn Driver) -> Result<Option<String>, DriverError> {
    let Some(query) = driver.dialect().change_mark() else {
        return Ok(None);
    };
    Ok(driver.query(query)?.into_iter().flatten().next().flatten())
}

/// How a file differs from what was applied.
pub(crate) fn change(
    script: &Script,
    revision: &Revision,
    stored: &str,
    dialect: &'static dyn Dialect,
    kit: Option<&'static dyn Kit>,
) -> Result<Change> {
    // The header of a text for one dialect may stand in the plain file.
    let whole = script.large.is_none() && script.body > 0;
    if let Some(known) = &script.known {
        let stored = parse(stored, revision.id())?;
        let same = whole && stored.text == known.checksum.text;
        return Ok(if same {
            Change::Same
        } else {
            checksum::compare(&stored, &known.checksum)
        });
    }
    let kit = kit::needed(kit)?;
    if whole && kit.is_of_text(script, stored) {
        return Ok(Change::Same);
    }
    let stored = parse(stored, revision.id())?;
    let now = kit.checksum(script, Some(&revision.header), dialect)?;
    Ok(checksum::compare(&stored, &now))
}

/// The checksum of an upgrade as it is now.
pub(crate) fn checksum(script: &Script, revision: &Revision, dialect: &'static dyn Dialect) -> Result<Checksum> {
    script.checksum(Some(&revision.header), dialect.rules())
}

/// Reads a checksum from the version table.
pub(crate) fn parse(stored: &str, id: &RevisionId) -> Result<Checksum> {
    stored.parse().map_err(|error: ParseError| {
        let (code, help) = if error == ParseError::UnknownVersion {
            (
                Code::VersionTooNew,
                "use the version of sqlrev that wrote it, or a newer one",
            )
        } else {
            (
                Code::VersionTable,
                "if somebody changed the table by hand, put the row back; or: sqlrev repair --accept",
            )
        };
        Error::new(
            code,
            format!("the checksum of revision `{id}` in the version table cannot be read"),
        )
        .cause(stored.to_owned())
        .help(help)
    })
}

/// Refuses to go on when the upgrade of an applied revision was changed in more than its comments and layout.
///
/// # Errors
/// `checksum::edited`, with the changed lines.
pub(crate) fn refuse_edited(
    seen: &Seen,
    graph: &RevisionGraph,
    driver: &mut dyn Driver,
    table: &VersionTable,
    kit: Option<&'static dyn Kit>,
) -> Result<()> {
    let dialect = driver.dialect();
    for row in seen.rows.iter().filter(|row| row.is_whole()) {
        let Some((revision, script)) = with_file(graph, &row.id) else {
            continue;
        };
        if change(script, revision, &row.upgrade_checksum, dialect, kit)? == Change::Edited {
            let error = is_edited(revision, script);
            let error = match kit {
                Some(kit) => kit.edited(error, script, driver, table, row)?,
                None => error,
            };
            return Err(what_to_do(error, revision));
        }
    }
    Ok(())
}

/// The revision of a row and its upgrade, when the file is here.
pub(crate) fn with_file<'a>(graph: &'a RevisionGraph, id: &RevisionId) -> Option<(&'a Revision, &'a Script)> {
    let revision = graph.get(id.as_str())?;
    Some((revision, revision.upgrade.as_ref()?))
}

fn is_edited(revision: &Revision, script: &Script) -> Error {
    let (id, name) = (revision.id(), &script.file.name);
    Error::new(
        Code::Edited,
        format!("`{name}` was changed after revision `{id}` was applied"),
    )
}

/// The error with the changed lines.
///
/// # Errors
/// `version::unreadable`
pub(super) fn edited(
    mut error: Error,
    script: &Script,
    driver: &mut dyn Driver,
    table: &VersionTable,
    row: &Row,
) -> Result<Error> {
    let details = table.details(driver, row.id.as_str())?;
    let was = details.and_then(|details| details.upgrade_file);
    match was {
        Some(was) if script.large.is_none() => {
            let diff = diff::lines(&was, &script.file.text);
            if let Some(span) = diff.first_change {
                error = error.at(&script.file, span, "not what was applied");
            }
            error = error.cause(if diff.text.is_empty() {
                "its header stands in another file, and says something else than when it was applied".to_owned()
            } else {
                diff.text
            });
        }
        _ => {
            error = error.cause("the text that was applied is too large to be kept, so the difference cannot be shown");
        }
    }
    Ok(error)
}

fn what_to_do(error: Error, revision: &Revision) -> Error {
    let id = revision.id();
    error
        .state("nothing was run")
        .help("put the file back and write the change as a new revision: sqlrev revision -m TEXT")
        .help(format!(
            "or take the file as the applied one: sqlrev repair {id} --accept"
        ))
}

/// Where the SQL of a text begins: after its header, when it has one.
pub(crate) fn body_of(file: &crate::source::SourceFile) -> usize {
    crate::revision::header::end(file).unwrap_or(0)
}
