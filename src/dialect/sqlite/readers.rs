//! Virtual tables that read their rows from another one, by its name and its rowids (FTS5's and FTS4's `content=`).

use crate::code::Code;
use crate::dialect::sqlite::dependents::{origin, refuse, says};
use crate::dialect::sqlite::draft::Draft;
use crate::dialect::sqlite::expr;
use crate::dialect::sqlite::inspect::{Object, State};
use crate::dialect::sqlite::site::Site;
use crate::dialect::sqlite::table::Table;
use crate::dialect::{Ask, Op};
use crate::error::Result;
use crate::sql::parse::alter::{Action, ActionKind};
use crate::sql::split::SQLITE;
use crate::sql::token::{significant, unquoted};
use crate::sql::write::{quoted, sqlite_literal};

/// Those of this table.
fn reading(state: &State) -> impl Iterator<Item = &Object> {
    state.related.iter().filter(|object| {
        let sql = &object.sql;
        let words: Vec<_> = significant(sql, &SQLITE).map(|token| &sql[token.span]).collect();
        object.kind == "table"
            && words.get(1).is_some_and(|word| word.eq_ignore_ascii_case("VIRTUAL"))
            && words.windows(3).any(|window| {
                window[0].eq_ignore_ascii_case("content")
                    && window[1] == "="
                    && unquoted(window[2]).eq_ignore_ascii_case(&state.table.name().text)
            })
    })
}

/// Whether rows get other rowids.
fn moves_rowids(draft: &Draft<'_>) -> bool {
    let alias = |table: &Table| table.rowid_alias().map(|alias| alias.name.text.clone());
    let (before, after) = (alias(&draft.state.table), alias(&draft.table));
    let moved = match (&before, &after) {
        (Some(before), Some(after)) => draft
            .position(after)
            .and_then(|position| origin(draft, position))
            .is_none_or(|origin| !origin.eq_ignore_ascii_case(before)),
        (None, Some(_)) => true,
        // The copy keeps the numbers of the rows.
        (_, None) => false,
    };
    moved || draft.state.table.without_rowid() != draft.table.without_rowid()
}

/// The columns that go, or get another name.
fn lost<'d>(draft: &'d Draft<'_>) -> impl Iterator<Item = &'d str> {
    let columns = draft.state.table.columns().map(|column| column.name.text.as_str());
    columns.filter(|old| {
        let mut columns = draft.columns.iter().enumerate();
        !columns.any(|(position, column)| {
            column.name.eq_ignore_ascii_case(old)
                && origin(draft, position).is_some_and(|origin| origin.eq_ignore_ascii_case(old))
        })
    })
}

/// Whether a virtual table could miss what it reads.
pub(super) fn takes_from(draft: &Draft<'_>) -> bool {
    moves_rowids(draft) || lost(draft).next().is_some()
}

/// Refuses a draft in which one would miss its rows or a column.
pub(super) fn keep(draft: &Draft<'_>, site: &Site<'_>) -> Result<()> {
    let moved = moves_rowids(draft);
    for object in reading(draft.state) {
        let what = format!("virtual table `{}`", object.name);
        if moved {
            let why = format!(
                "finds the rows of `{}` by their rowids, which would change",
                draft.name()
            );
            return Err(refuse(site, &what, &why));
        }
        for old in lost(draft) {
            if expr::mentions(&object.sql, old) {
                let why = format!("reads column `{old}` of `{}`", draft.name());
                return Err(refuse(site, &what, &why));
            }
        }
    }
    Ok(())
}

/// Refuses a rename that SQLite would not carry into a virtual table that reads its rows from this one.
pub(super) fn refuse_rename(state: &State, site: &Site<'_>, action: &Action) -> Result<()> {
    let column = match &action.kind {
        ActionKind::RenameTable(_) => None,
        ActionKind::RenameColumn { from, .. } => Some(from),
        ActionKind::ChangeColumn { from, column, .. } if !column.name.is(&from.text) => Some(from),
        _ => return Ok(()),
    };
    for object in reading(state) {
        if column.is_none_or(|column| expr::mentions(&object.sql, &column.text)) {
            let site = Site {
                span: action.span.clone(),
                ..site.clone()
            };
            let what = format!("virtual table `{}`", object.name);
            return Err(refuse(&site, &what, "goes by the old name, and SQLite leaves it there"));
        }
    }
    Ok(())
}

/// For a script, whose database has not been seen: stops it while one that no revision makes may read this table, whose
/// name, rowids or columns change.
///
/// # Errors
/// Those of the replay.
pub(super) fn none_unknown(state: &State, last: usize, ask: &mut dyn Ask) -> Result<Op> {
    let schema = quoted(&state.schema, '"');
    let is_virtual = "type = 'table' AND sql LIKE 'create virtual table%'";
    let known = ask.query(&format!(
        "SELECT name FROM {schema}.sqlite_schema WHERE {is_virtual} ORDER BY 1"
    ))?;
    let known: Vec<String> = known
        .iter()
        .flatten()
        .flatten()
        .map(|name| sqlite_literal(name))
        .collect();
    let name = &state.table.name().text;
    Ok(Op::Check {
        sql: format!(
            "SELECT type || ' ' || name FROM {schema}.sqlite_schema WHERE {is_virtual} \
             AND name NOT IN ({}) AND {} ORDER BY 1",
            known.join(", "),
            says(name)
        ),
        code: Code::BatchInUse,
        message: format!("a virtual table that no revision makes may read the rows of `{name}`"),
        help: "drop it first and create it anew afterwards; or run the upgrade online, which looks at it".to_owned(),
        at: (last, 0..0),
    })
}
