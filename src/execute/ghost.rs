//! Revisions that the database knows and the files do not: known again from their rows.

use crate::driver::Driver;
use crate::error::Result;
use crate::execute::seen::Seen;
use crate::revision::header::{self, Spans};
use crate::revision::names::Names;
use crate::revision::{BranchLabel, Header, Revision, Script};
use crate::source::SourceFile;
use crate::version::{Details, VersionTable};

/// The revisions of the rows that are not among those of the files.
///
/// # Errors
/// `version::unreadable`.
pub fn strangers(
    driver: &mut dyn Driver,
    table: &VersionTable,
    seen: &Seen,
    files: &[Revision],
) -> Result<Vec<Revision>> {
    let known = Names::new(files);
    let rows = seen.rows.iter().map(|row| row.id.as_str());
    let mut strangers = Vec::new();
    for id in rows.filter(|id| known.revision(id).is_none()) {
        strangers.extend(table.details(driver, id)?.map(ghost));
    }
    Ok(strangers)
}

/// A revision that the database knows and the files do not.
fn ghost(details: Details) -> Revision {
    let name = format!("downgrade of {} as the database keeps it", details.id);
    let downgrade = details.downgrade_sql.map(|text| Script {
        file: SourceFile::new(name, text),
        body: 0,
        large: None,
        known: None,
    });
    let mut header = Header::new(details.id);
    header.down_revisions = details.down_revisions;
    header.depends_on = details.depends_on.into_iter().map(Into::into).collect();
    header.message = details.message.into();
    header.branch_labels = Vec::<BranchLabel>::new();
    // How the downgrade is to run stands in the header of the upgrade.
    let upgrade = details.upgrade_sql.map(|text| SourceFile::new("", text));
    let parsed = upgrade.and_then(|file| header::parse(&file).ok());
    let header_lost = parsed.is_none();
    if let Some(kept) = parsed.map(|parsed| parsed.header) {
        header.transaction = kept.transaction;
        header.recreate = kept.recreate;
        header.irreversible = kept.irreversible;
        header.code = kept.code;
        header.lock_timeout = kept.lock_timeout;
        header.statement_timeout = kept.statement_timeout;
    }
    Revision {
        header,
        places: Spans::default(),
        upgrade: None,
        downgrade,
        missing_text: false,
        header_lost,
    }
}
