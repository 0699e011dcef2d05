//! MySQL's MODIFY and CHANGE: the column becomes what the definition says.

use crate::code::Code;
use crate::dialect::sqlite::alter::{default, not_null, set_type};
use crate::dialect::sqlite::draft::Draft;
use crate::dialect::sqlite::expr;
use crate::dialect::sqlite::site::Site;
use crate::error::{Error, Result};
use crate::sql::parse::alter::Place;
use crate::sql::parse::cursor::Name;
use crate::sql::parse::define::{Clause, ClauseKind, ColumnDef};

pub(super) fn apply(
    draft: &mut Draft<'_>,
    site: &Site<'_>,
    from: &Name,
    column: &ColumnDef,
    place: Option<&Place>,
) -> Result<()> {
    // Where CHANGE gives another name, SQLite's own RENAME has run before: see `rename::early`.
    let from = if column.name.is(&from.text) || draft.position(&from.text).is_some() {
        from
    } else {
        &column.name
    };
    let position = draft.column(site, from)?;
    let name = draft.columns[position].name.clone();
    if !column.name.is(&name) {
        if site.index > 0 {
            // The statements before use one of the names, so they have to run first.
            draft.split = true;
            return Ok(());
        }
        let message = format!("`{name}` cannot be renamed after other actions of the statement have changed it");
        return Err(site
            .error(Code::BatchUnsupported, message, &column.name.span, "another name")
            .help("rename it first, in an ALTER TABLE … RENAME COLUMN … TO … of its own"));
    }
    if let Some(data_type) = &column.data_type {
        let collation = column.clauses.iter().find_map(|clause| match &clause.kind {
            ClauseKind::Collate(collation) => Some(collation),
            _ => None,
        });
        let change = set_type::Change {
            column: from,
            data_type,
            collation,
            using: None,
            literal: false,
        };
        set_type::apply(draft, site, &change)?;
    }
    let key = draft
        .table
        .primary_key()
        .iter()
        .any(|key| key.eq_ignore_ascii_case(&name));
    let mut not_null = None;
    let mut value = None;
    for clause in &column.clauses {
        match &clause.kind {
            ClauseKind::NotNull => not_null = Some(site.words(&clause.body)),
            ClauseKind::Default(span) => value = Some(expr::default(site.words(span))),
            ClauseKind::Collate(_) | ClauseKind::Null | ClauseKind::Foreign | ClauseKind::Identity => {}
            _ => return Err(brought(site, clause, &name)),
        }
    }
    match (not_null, draft.is_not_null(&name)) {
        (Some(_), false) => not_null::set(draft, site, from)?,
        (None, true) if !key => not_null::drop(draft, site, from)?,
        _ => {}
    }
    if let Some(words) = not_null {
        not_null::word(draft, site, &name, words)?;
    }
    if !draft.is_generated(&name) {
        set_default(draft, site, &name, value.as_deref())?;
    }
    match place {
        Some(place) => reorder(draft, site, &name, place),
        None => Ok(()),
    }
}

/// The error for a clause that a changed column cannot bring along.
fn brought(site: &Site<'_>, clause: &Clause, name: &str) -> Error {
    let (message, help) = if matches!(clause.kind, ClauseKind::Generated { .. }) {
        (
            format!("a changed column cannot become a computed one: `{name}`"),
            "drop it and add it anew with its expression: DROP COLUMN …, ADD COLUMN … AS (…)",
        )
    } else {
        (
            "a changed column cannot bring a constraint along".to_owned(),
            "add the constraint with an ADD CONSTRAINT of its own",
        )
    };
    site.error(Code::BatchUnsupported, message, &clause.span, "").help(help)
}

fn set_default(draft: &mut Draft<'_>, site: &Site<'_>, name: &str, value: Option<&str>) -> Result<()> {
    let now = draft.table.default_of(name);
    match value {
        Some(value) if now != Some(value) => default::write(draft, site, name, value),
        None if now.is_some() => default::erase(draft, site, name),
        _ => Ok(()),
    }
}

/// Moves a column to another place among the columns.
fn reorder(draft: &mut Draft<'_>, site: &Site<'_>, name: &str, place: &Place) -> Result<()> {
    let Some(from) = draft.position(name) else {
        return Ok(());
    };
    let to = match place {
        Place::First => 0,
        Place::After(after) => draft.column(site, after)? + 1,
    };
    if to == from || to == from + 1 {
        return Ok(());
    }
    let mut order: Vec<usize> = (0..draft.columns.len()).collect();
    let column = order.remove(from);
    order.insert(if to > from { to - 1 } else { to }, column);
    draft.table.reorder_columns(&order).map_err(|text| site.broken(&text))?;
    draft.columns = order.iter().map(|&position| draft.columns[position].clone()).collect();
    draft.must_copy(format!("`{name}` goes to another place among the columns"));
    Ok(())
}
