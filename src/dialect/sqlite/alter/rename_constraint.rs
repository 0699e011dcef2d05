//! RENAME CONSTRAINT.

use crate::dialect::sqlite::draft::Draft;
use crate::dialect::sqlite::draft::Index;
use crate::dialect::sqlite::names;
use crate::dialect::sqlite::site::Site;
use crate::error::Result;
use crate::sql::parse::cursor::{Cursor, Name};

pub(super) fn apply(draft: &mut Draft<'_>, site: &Site<'_>, from: &Name, to: &Name) -> Result<()> {
    if !from.is(&to.text) {
        names::must_be_free(draft, site, to)?;
    }
    let words = site.words(&to.span);
    if rename_index(draft, site, from, to) {
        return Ok(());
    }
    let Some(named) = names::constraints(draft).into_iter().find(|named| from.is(&named.name)) else {
        return Err(names::missing(draft, site, from));
    };
    let edited = if let Some(name) = &named.written {
        draft.table.edit(&name.span, words)
    } else {
        draft.dropped.push(named.name.clone());
        let start = named.clause.body.start;
        draft.table.edit(&(start..start), &format!("CONSTRAINT {words} "))
    };
    edited.map_err(|text| site.broken(&text))?;
    draft.reasons.push("a name is a matter of the definition".to_owned());
    Ok(())
}

/// A UNIQUE constraint that is kept by an index of its own takes its name from the index.
fn rename_index(draft: &mut Draft<'_>, site: &Site<'_>, from: &Name, to: &Name) -> bool {
    let found = draft.indexes.iter_mut().find(|index| {
        let unique = index.object.sql.to_ascii_uppercase().starts_with("CREATE UNIQUE");
        index.kept && unique && from.is(&index.object.name)
    });
    let Some(index) = found else { return false };
    index.kept = false;
    index.at = site.index;
    let mut object = index.object.clone();
    let mut cursor = Cursor::new(&object.sql);
    if cursor.take(&["CREATE", "UNIQUE", "INDEX"]) {
        let span = cursor.here();
        object.sql.replace_range(span, site.words(&to.span));
    }
    object.name.clone_from(&to.text);
    draft.indexes.push(Index {
        object,
        old: false,
        kept: true,
        at: site.index,
        check: None,
    });
    draft
        .reasons
        .push("an index is built under its new name, the table stays".to_owned());
    true
}
