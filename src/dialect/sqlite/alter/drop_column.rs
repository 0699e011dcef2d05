//! DROP COLUMN: the indexes and constraints that use the column go with it, and the reader is told.

use crate::code::Code;
use crate::dialect::Ask;
use crate::dialect::sqlite::alter::{drop_constraint, not_null};
use crate::dialect::sqlite::draft::Draft;
use crate::dialect::sqlite::expr;
use crate::dialect::sqlite::inspect::{State, TriggerHeader};
use crate::dialect::sqlite::names::{self, Named};
use crate::dialect::sqlite::prove;
use crate::dialect::sqlite::site::Site;
use crate::dialect::sqlite::table::Table;
use crate::error::Result;
use crate::sql::parse::cursor::{Cursor, Name};
use crate::sql::parse::define::ClauseKind;
use crate::sql::write::quoted;

pub(super) fn apply(
    draft: &mut Draft<'_>,
    site: &Site<'_>,
    name: &Name,
    if_exists: bool,
    ask: &mut dyn Ask,
) -> Result<()> {
    if if_exists && draft.position(&name.text).is_none() {
        draft
            .notices
            .push(format!("`{}` has no column `{}`: skipped", draft.name(), name.text));
        return Ok(());
    }
    let position = draft.column(site, name)?;
    let column = draft.columns[position].name.clone();
    refuse_uses(draft, site, name, &column)?;
    if let Some(old) = &draft.columns[position].origin
        && let Some(user) = prove::user_of(ask, draft.state, old)?
    {
        let message = format!("{user} uses column `{column}` of `{}`", draft.name());
        return Err(site
            .error(Code::BatchInUse, message, &name.span, "in use")
            .help("drop it first and create it anew afterwards, in the same revision"));
    }
    drop_indexes(draft, site, &column);
    drop_constraints(draft, site, &column)?;
    let Some(definition) = draft.table.column(&column) else {
        return Ok(());
    };
    let own_constraint = definition.clauses.iter().find_map(|clause| match clause.kind {
        ClauseKind::Unique { .. } => Some("UNIQUE"),
        ClauseKind::PrimaryKey { .. } => Some("its primary key"),
        ClauseKind::References(_) => Some("a foreign key"),
        _ => None,
    });
    let references = definition
        .clauses
        .iter()
        .filter(|clause| matches!(clause.kind, ClauseKind::References(_)));
    let references = references.count();
    let span = definition.span.clone();
    draft.references_dropped += references;
    if let Some(what) = own_constraint {
        draft.must_copy(format!("`{column}` is held by {what}"));
        draft.key_changed |= what == "its primary key";
    }
    draft.table.remove_element(&span).map_err(|text| site.broken(&text))?;
    draft.columns.remove(position);
    let native = format!(
        "ALTER TABLE {} DROP COLUMN {}",
        draft.state.qualified(),
        quoted(&column, '"')
    );
    draft.natives.push((native, site.index));
    draft
        .reasons
        .push("SQLite's own DROP COLUMN rewrites the rows in place".to_owned());
    Ok(())
}

/// Refuses where something outside the table's indexes and constraints uses the column.
/// What to write before a table without rowids loses its key.
pub(super) fn with_rowids(table: &str) -> String {
    format!(
        "give the table rowids first: -- sqlrev:without_rowid {} off",
        quoted(table, '"')
    )
}

fn refuse_uses(draft: &Draft<'_>, site: &Site<'_>, name: &Name, column: &str) -> Result<()> {
    let in_use = |what: String, help: &str| {
        Err(site
            .error(
                Code::BatchInUse,
                format!("{what} uses column `{column}` of `{}`", draft.name()),
                &name.span,
                "in use",
            )
            .help(help))
    };
    if draft.columns.len() == 1 {
        let message = format!("`{column}` is the only column of `{}`", draft.name());
        return Err(site
            .error(Code::BatchUnsupported, message, &name.span, "a table needs a column")
            .help(format!("drop the table: DROP TABLE {};", draft.state.spoken())));
    }
    for other in draft.table.columns() {
        let uses = other.clauses.iter().any(|clause| match &clause.kind {
            ClauseKind::Generated { expression, .. } => expr::mentions(draft.table.at(expression), column),
            _ => false,
        });
        if uses && !other.name.is(column) {
            return in_use(
                format!("generated column `{}`", other.name.text),
                "drop that column first, in the same revision if you like",
            );
        }
    }
    if draft.table.without_rowid()
        && draft
            .table
            .primary_key()
            .iter()
            .any(|key| key.eq_ignore_ascii_case(column))
    {
        let message = format!("`{}` is stored by its primary key (WITHOUT ROWID)", draft.name());
        return Err(site
            .error(Code::BatchUnsupported, message, &name.span, "part of the primary key")
            .help(with_rowids(draft.name())));
    }
    if let Some(child) = referring_table(draft.state, column) {
        return in_use(
            format!("a foreign key of table `{child}`"),
            "drop that foreign key first",
        );
    }
    for trigger in &draft.state.triggers {
        let header = TriggerHeader::read(&trigger.sql);
        if header.is_some_and(|header| header.columns.iter().any(|listed| listed.is(column))) {
            return in_use(
                format!("trigger `{}` (UPDATE OF)", trigger.name),
                "drop or change the trigger first",
            );
        }
    }
    Ok(())
}

/// The other table with a foreign key to a column.
fn referring_table<'s>(state: &'s State, column: &str) -> Option<&'s str> {
    let tables = state.related.iter().filter(|object| object.kind == "table");
    let refers = |sql: &str| Table::read(sql).is_some_and(|table| table.refers_to(&state.table, column));
    tables
        .filter(|object| refers(&object.sql))
        .map(|object| object.name.as_str())
        .next()
}

fn drop_indexes(draft: &mut Draft<'_>, site: &Site<'_>, column: &str) {
    let mut dropped = Vec::new();
    for index in draft.indexes.iter_mut().filter(|index| index.kept) {
        if expr::mentions(index_body(&index.object.sql), column) {
            index.kept = false;
            index.at = site.index;
            dropped.push(index.object.name.clone());
        }
    }
    for name in dropped {
        draft
            .notices
            .push(format!("index `{name}` is dropped: it uses column `{column}`"));
    }
}

/// What an index says after the name of its table.
fn index_body(sql: &str) -> &str {
    let mut cursor = Cursor::new(sql);
    while !cursor.sees(&["("]) && !cursor.at_end() {
        cursor.skip();
    }
    &sql[cursor.here().start..]
}

/// Takes out the constraints that use the column and are not part of its own definition.
fn drop_constraints(draft: &mut Draft<'_>, site: &Site<'_>, column: &str) -> Result<()> {
    loop {
        let uses = |named: &Named| {
            let own = named
                .column
                .as_deref()
                .is_some_and(|owner| owner.eq_ignore_ascii_case(column));
            let among = |names: &[Name]| names.iter().any(|name| name.is(column));
            let used = match &named.clause.kind {
                ClauseKind::PrimaryKey { columns, .. } | ClauseKind::Unique { columns, .. } => among(columns),
                ClauseKind::References(key) => among(&key.columns) || key.table.is(draft.name()) && among(&key.parent),
                ClauseKind::Check(condition) => expr::mentions(draft.table.at(condition), column),
                _ => false,
            };
            used && !own
        };
        let Some(named) = names::constraints(draft).into_iter().find(uses) else {
            return Ok(());
        };
        draft.notices.push(format!(
            "constraint `{}` is dropped: it uses column `{column}`",
            named.name
        ));
        if let ClauseKind::References(key) = &named.clause.kind {
            draft.references_dropped += key.columns.len().max(1);
        }
        draft.key_changed |= matches!(named.clause.kind, ClauseKind::PrimaryKey { .. });
        draft.must_copy(format!("constraint `{}` goes with column `{column}`", named.name));
        if let ClauseKind::PrimaryKey { columns, .. } = &named.clause.kind
            && draft.table.strict()
        {
            // In a STRICT table the key kept NULLs out; the columns that stay go on without.
            for other in columns.iter().filter(|other| !other.is(column)) {
                not_null::write_not_null(draft, site, &other.text)?;
            }
        }
        let found = |other: &Named| other.name == named.name;
        if let Some(named) = names::constraints(draft).into_iter().find(found) {
            drop_constraint::erase(draft, site, &named)?;
        }
    }
}
