//! Edited files: found, and accepted on purpose.

use std::collections::BTreeMap;

use crate::code::Code;
use crate::error::{Error, Result};
use crate::execute::Executor;
use crate::execute::bookkeeping::Record;
use crate::execute::kit::Whole;
use crate::execute::seen::{self, Seen};
use crate::execute::step;
use crate::revision::checksum::{self, Change};
use crate::revision::{Direction, Revision, RevisionId};
use crate::sorted::Gather as _;
use crate::version::{Entry, Row};

/// A file that is not what was applied.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Edit {
    /// The revision.
    pub revision: RevisionId,
    /// The file.
    pub file: String,
    /// Which half.
    pub what: Direction,
    /// Only comments, layout, the message or line endings changed.
    pub cosmetic: bool,
}

impl<'a> Executor<'a> {
    /// Every difference between the files and what was applied, in path order.
    ///
    /// # Errors
    /// `version::…` for rows that cannot be read, `file::…` for files that cannot.
    pub fn edits(&mut self, seen: &Seen) -> Result<Vec<Edit>> {
        let files = self.applied_files(seen);
        if files.is_empty() {
            return Ok(Vec::new());
        }
        let downgrades = self.table.downgrade_checksums(self.driver)?;
        let mut edits = Vec::new();
        for (revision, row) in files {
            edits.extend(self.edits_of(revision, row, &downgrades)?);
        }
        Ok(edits)
    }

    /// The revisions of the files that ran to their end, each with its row, in path order.
    fn applied_files<'s>(&self, seen: &'s Seen) -> Vec<(&'a Revision, &'s Row)> {
        let graph = self.graph;
        let finished = seen.rows.iter().filter(|row| row.is_whole());
        let rows: BTreeMap<&RevisionId, &Row> = finished.map(|row| (&row.id, row)).into_map();
        let revisions = graph.nodes().map(|node| graph.revision(node));
        revisions
            .filter_map(|revision| Some((revision, *rows.get(revision.id())?)))
            .collect()
    }

    fn edits_of(&mut self, revision: &Revision, row: &Row, downgrades: &BTreeMap<String, String>) -> Result<Vec<Edit>> {
        let dialect = self.driver.dialect();
        let mut edits = Vec::new();
        let Some(script) = &revision.upgrade else {
            return Ok(edits);
        };
        let change = seen::change(script, revision, &row.upgrade_checksum, dialect, Some(&Whole))?;
        edits.extend(edit(revision, &script.file.name, Direction::Upgrade, change));
        let downgrade = self.sources.downgrade(revision)?;
        let stored = downgrades.get(row.id.as_str());
        let change = match (stored, &downgrade) {
            (Some(stored), Some(script)) => {
                let stored = seen::parse(stored, revision.id())?;
                checksum::compare(&stored, &script.checksum(None, dialect.rules())?)
            }
            (None, None) => Change::Same,
            _ => Change::Edited,
        };
        let name = match &downgrade {
            Some(script) => script.file.name.to_string(),
            None => beside(&script.file.name),
        };
        edits.extend(edit(revision, &name, Direction::Downgrade, change));
        Ok(edits)
    }

    /// Takes the files as they are now for what was applied: those of the named revisions, or of every edited one.
    /// Returns the revisions whose rows were changed.
    ///
    /// # Errors
    /// `target::unknown_revision` for a revision that is not applied, `lock::timeout`, `database::…`.
    pub fn accept(&mut self, revisions: &[RevisionId]) -> Result<Vec<RevisionId>> {
        self.locked(|executor, _| {
            executor.begin()?;
            let accepted = executor.accept_locked(revisions);
            if accepted.is_err() {
                executor.rollback();
            }
            accepted
        })
    }

    fn accept_locked(&mut self, revisions: &[RevisionId]) -> Result<Vec<RevisionId>> {
        let seen = self.look()?;
        for id in revisions {
            if seen.row(id).is_none() {
                return Err(
                    Error::new(Code::UnknownRevision, format!("revision `{id}` is not applied"))
                        .help("see what is applied: sqlrev history -i"),
                );
            }
        }
        let files = self.applied_files(&seen);
        let downgrades = if files.is_empty() {
            BTreeMap::new()
        } else {
            self.table.downgrade_checksums(self.driver)?
        };
        let mut accepted = Vec::new();
        for (revision, row) in files {
            let id = revision.id();
            if !revisions.is_empty() && !revisions.contains(id) {
                continue;
            }
            let is_edited = match self.edits_of(revision, row, &downgrades) {
                Ok(edits) => !edits.is_empty(),
                // A checksum that somebody spoilt is replaced like one of an edited file.
                Err(error) if error.code() == Code::VersionTable => true,
                Err(error) => return Err(error),
            };
            if is_edited {
                accepted.push(id.clone());
            }
        }
        if accepted.is_empty() {
            self.refuse_half_way(&seen, revisions)?;
        } else {
            self.create_table(true)?;
        }
        for id in &accepted {
            self.accept_one(&seen, id)?;
        }
        self.commit()?;
        Ok(accepted)
    }

    /// A file whose first statements are not those that ran is not accepted: nobody knows where the next run would go on.
    fn refuse_half_way(&mut self, seen: &Seen, revisions: &[RevisionId]) -> Result<()> {
        let dialect = self.driver.dialect();
        let asked = |row: &&Row| revisions.is_empty() || revisions.contains(&row.id);
        for row in seen.rows.iter().filter(asked) {
            let (Some(at), Some(revision)) = (row.unfinished, self.graph.get(row.id.as_str())) else {
                continue;
            };
            let script = match at.direction {
                Direction::Upgrade => revision.upgrade.clone(),
                Direction::Downgrade => self.sources.downgrade(revision)?,
            };
            let details = self.table.details(self.driver, row.id.as_str())?;
            if let (Some(script), Some(details)) = (script, details) {
                let id = row.id.as_str();
                step::same_beginning(id, at.direction, &script, &details, at.statements, dialect)?;
            }
        }
        Ok(())
    }

    fn accept_one(&mut self, seen: &Seen, id: &RevisionId) -> Result<()> {
        let (graph, now) = (self.graph, self.clock.now());
        let Some(revision) = graph.get(id.as_str()) else {
            return Ok(());
        };
        let record = Record::of(revision, None, self.sources, self.driver.dialect())?;
        let accept = self.table.accept(&record.row(None));
        let was = seen.row(id).map(|row| row.upgrade_checksum.clone()).unwrap_or_default();
        let detail = format!("accepted in place of {was}");
        let entry = Entry {
            event: "repair",
            revision: id.as_str(),
            done: true,
            detail: Some(&detail),
        };
        let log = self.table.log(entry, &self.stamp(&now, None));
        self.own(&accept)?;
        self.own(&log)
    }
}

/// The plain downgrade beside an upgrade, under the name that it has when it is there.
fn beside(upgrade: &str) -> String {
    let start = upgrade.rfind('/').map_or(0, |slash| slash + 1);
    let halves = [("upgrade.", "downgrade.sql"), ("up.", "down.sql")];
    let found = halves.iter().find_map(|(up, down)| {
        let at = upgrade[start..].rfind(up)?;
        Some(format!("{}{down}", &upgrade[..start + at]))
    });
    found.unwrap_or_else(|| upgrade.to_owned())
}

fn edit(revision: &Revision, file: &str, what: Direction, change: Change) -> Option<Edit> {
    let edit = Edit {
        revision: revision.id().clone(),
        file: file.to_owned(),
        what,
        cosmetic: change == Change::Cosmetic,
    };
    (change != Change::Same).then_some(edit)
}
