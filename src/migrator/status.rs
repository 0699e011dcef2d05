//! Where a database stands, and the cheap way to see that there is nothing to do.

use crate::driver::{Driver, DriverError};
use crate::error::Result;
use crate::execute::kit::Kit;
use crate::execute::seen::{self, Seen};
use crate::revision::RevisionId;
use crate::revision::brief::Briefs;
use crate::revision::checksum::Change;
use crate::revision::graph::RevisionGraph;

/// Where a database stands, beside the revisions that a program has.
#[derive(Debug, Clone, PartialEq, Eq)]
#[non_exhaustive]
pub enum Status {
    /// Every revision is applied, as it is in the program, and no other one.
    UpToDate,
    /// Some are not applied yet; [`Migrator::upgrade`](crate::migrator::Migrator::upgrade) applies them. A revision
    /// without a transaction that stopped half-way is among them.
    Behind {
        /// What is not applied, in the order in which it would run.
        pending: Vec<RevisionId>,
    },
    /// A newer version of the program has been here: revisions are applied that this one does not have. Whether its own
    /// were edited is not told beside that.
    Ahead {
        /// What this program does not have.
        unknown: Vec<RevisionId>,
    },
    /// Revisions are applied whose upgrades have other statements in the program now.
    Edited {
        /// Which.
        revisions: Vec<RevisionId>,
    },
    /// Both: some of the program's are not applied, and others are that it does not have.
    Diverged {
        /// What is not applied.
        pending: Vec<RevisionId>,
        /// What this program does not have.
        unknown: Vec<RevisionId>,
    },
}

impl Status {
    /// Compares what the database has with the revisions of the program.
    pub(super) fn of(
        seen: &Seen,
        graph: &RevisionGraph,
        driver: &mut dyn Driver,
        kit: Option<&'static dyn Kit>,
    ) -> Result<Self> {
        let known = |id: &&RevisionId| graph.node(id.as_str()).is_some();
        let unknown: Vec<RevisionId> = seen
            .rows
            .iter()
            .map(|row| &row.id)
            .filter(|id| !known(id))
            .cloned()
            .collect();
        let complete = |id: &str| {
            seen.rows
                .iter()
                .any(|row| row.unfinished.is_none() && row.id.as_str() == id)
        };
        let order = graph.order().iter().map(|node| graph.id(*node));
        let pending: Vec<RevisionId> = order.filter(|id| !complete(id.as_str())).cloned().collect();
        if !unknown.is_empty() {
            return Ok(if pending.is_empty() {
                Self::Ahead { unknown }
            } else {
                Self::Diverged { pending, unknown }
            });
        }
        let mut revisions = Vec::new();
        for row in seen.rows.iter().filter(|row| row.unfinished.is_none()) {
            let Some((revision, script)) = seen::with_file(graph, &row.id) else {
                continue;
            };
            if seen::change(script, revision, &row.upgrade_checksum, driver.dialect(), kit)? == Change::Edited {
                revisions.push(row.id.clone());
            }
        }
        Ok(match (revisions.is_empty(), pending.is_empty()) {
            (false, _) => Self::Edited { revisions },
            (true, false) => Self::Behind { pending },
            (true, true) => Self::UpToDate,
        })
    }
}

/// Whether exactly these revisions are applied, with these very statements: one query over id, checksum and progress of
/// every row. An index keeps these three together, so that the texts beside them are not read. SQLite itself keeps the
/// index equal to the rows, whoever writes them with whatever program; where it is missing, the same query reads the
/// table. So nothing that is kept from an earlier time is ever believed.
///
/// Returns the heads where that is so. Every start of a program comes this way, mostly as the first of this crate that it
/// runs: what it calls is written to lie together, since each other page of the program is waited for.
#[inline]
pub(super) fn heads_if_current(
    mut revisions: Briefs<'_>,
    query: &str,
    driver: &mut dyn Driver,
) -> Result<Option<Vec<RevisionId>>, DriverError> {
    let mut heads = Vec::with_capacity(1);
    let mut same = true;
    driver.each_row(query, &mut |row| {
        same = match (revisions.next(), row) {
            (Some(ours), [Some(id), Some(checksum)]) => {
                if ours.is_head {
                    heads.push(RevisionId::from(*id));
                }
                id.as_bytes() == ours.id && has(checksum.as_bytes(), ours.short)
            }
            _ => false,
        };
        same
    })?;
    Ok((same && revisions.next().is_none()).then_some(heads))
}

/// Whether the second value of a stored checksum begins with these digits.
#[inline]
fn has(stored: &[u8], short: &[u8]) -> bool {
    stored.len() == 134 && stored.starts_with(b"b3:1:") && stored[70..].starts_with(short)
}
