//! ALTER COLUMN … SET NOT NULL and DROP NOT NULL.

use crate::code::Code;
use crate::dialect::sqlite::demand::{Demand, is_null};
use crate::dialect::sqlite::draft::{Draft, Source};
use crate::dialect::sqlite::site::Site;
use crate::error::Result;
use crate::sql::parse::cursor::Name;
use crate::sql::parse::define::ClauseKind;
use crate::sql::split::SQLITE;
use crate::sql::token::significant;
use crate::sql::write::quoted;

pub(super) fn set(draft: &mut Draft<'_>, site: &Site<'_>, column: &Name) -> Result<()> {
    let position = draft.column(site, column)?;
    let name = draft.columns[position].name.clone();
    demand_values(draft, site, &name);
    write_not_null(draft, site, &name)?;
    draft.reasons.push("NOT NULL is a matter of the definition".to_owned());
    Ok(())
}

/// Demands that a column holds no NULL.
pub(super) fn demand_values(draft: &mut Draft<'_>, site: &Site<'_>, name: &str) {
    if draft.state.table.rowid_alias().is_some_and(|alias| alias.name.is(name))
        && draft.state.table.column(name).is_some()
    {
        return;
    }
    let message = format!("column `{name}` of `{}` holds NULL", draft.name());
    let (table, quoted_name) = (draft.state.spoken(), quoted(name, '"'));
    let source = draft.position(name).map(|at| &draft.columns[at].source);
    let help = if draft.is_generated(name) {
        "its expression gives NULL for these rows: change what it is computed from first".to_owned()
    } else if matches!(source, Some(Source::Converted(..))) {
        "what it is converted with gives NULL for these rows: USING coalesce(…, …)".to_owned()
    } else {
        format!(
            "fill it first, in the same revision if you like: UPDATE {table} SET {quoted_name} = … WHERE {quoted_name} IS NULL;"
        )
    };
    let demand = Demand {
        code: Code::BatchNullValues,
        message: &message,
        help: &help,
    };
    draft.demand(site, demand, &is_null(name), &[]);
}

/// Writes NOT NULL into the definition of a column that does not have it.
pub(super) fn write_not_null(draft: &mut Draft<'_>, site: &Site<'_>, name: &str) -> Result<()> {
    if draft.is_not_null(name) {
        return Ok(());
    }
    remove(draft, site, name, |kind| matches!(kind, ClauseKind::Null))?;
    draft
        .table
        .insert_clause(name, "NOT NULL", |_| false)
        .map_err(|text| site.broken(&text))?;
    expect(draft, name, "1");
    Ok(())
}

/// Gives the NOT NULL of a column other words: what it does on a conflict.
pub(super) fn word(draft: &mut Draft<'_>, site: &Site<'_>, name: &str, words: &str) -> Result<()> {
    let Some(column) = draft.table.column(name) else {
        return Ok(());
    };
    let mut clauses = column.clauses.iter();
    let Some(now) = clauses.find(|clause| matches!(clause.kind, ClauseKind::NotNull)) else {
        return Ok(());
    };
    let spelled = |text: &str| -> Vec<String> {
        let tokens = significant(text, &SQLITE);
        tokens.map(|token| text[token.span].to_ascii_uppercase()).collect()
    };
    let body = now.body.clone();
    if spelled(draft.table.at(&body)) == spelled(words) {
        return Ok(());
    }
    draft.table.edit(&body, words).map_err(|text| site.broken(&text))?;
    draft.reasons.push("NOT NULL is a matter of the definition".to_owned());
    Ok(())
}

pub(super) fn drop(draft: &mut Draft<'_>, site: &Site<'_>, column: &Name) -> Result<()> {
    let name = known(draft, site, column)?;
    if !is_of_key(draft, &name) {
        return take_out(draft, site, &name);
    }
    let message = format!("column `{name}` is in the primary key of `{}`", draft.name());
    let error = site.error(Code::BatchUnsupported, message, &column.span, "part of the primary key");
    let is_rowid = draft
        .state
        .table
        .rowid_alias()
        .is_some_and(|alias| alias.name.is(&name));
    if is_rowid || draft.table.without_rowid() || draft.table.strict() {
        return Err(error.help("drop the primary key first"));
    }
    let (table, column) = (quoted(draft.name(), '"'), quoted(&name, '"'));
    Err(error.help(format!(
        "drop the primary key first; or, as SQLite allows NULL in it: -- sqlrev:nullable {table} ({column})"
    )))
}

/// Lets a column of the primary key be NULL, where SQLite does not forbid it (`lang_createtable.html`, section 3.5).
pub(super) fn drop_from_key(draft: &mut Draft<'_>, site: &Site<'_>, column: &Name) -> Result<()> {
    let name = known(draft, site, column)?;
    let forbids = [
        (draft.table.without_rowid(), "WITHOUT ROWID"),
        (draft.table.strict(), "STRICT"),
    ];
    let forbids = forbids.into_iter().find(|(forbids, _)| *forbids);
    if let Some((_, forbids)) = forbids.filter(|_| is_of_key(draft, &name)) {
        let message = format!("no column of the primary key of a {forbids} table can be NULL");
        return Err(site.error(Code::BatchUnsupported, message, &column.span, "stays NOT NULL"));
    }
    take_out(draft, site, &name)
}

fn known(draft: &Draft<'_>, site: &Site<'_>, column: &Name) -> Result<String> {
    let position = draft.column(site, column)?;
    Ok(draft.columns[position].name.clone())
}

fn is_of_key(draft: &Draft<'_>, name: &str) -> bool {
    let key = draft.table.primary_key();
    key.iter().any(|key| key.eq_ignore_ascii_case(name))
}

fn take_out(draft: &mut Draft<'_>, site: &Site<'_>, name: &str) -> Result<()> {
    remove(draft, site, name, |kind| matches!(kind, ClauseKind::NotNull))?;
    expect(draft, name, "0");
    draft.reasons.push("NOT NULL is a matter of the definition".to_owned());
    Ok(())
}

fn expect(draft: &mut Draft<'_>, name: &str, value: &str) {
    if let Some(position) = draft.position(name) {
        draft.columns[position].expect.insert("notnull", value.to_owned());
    }
}

/// Takes every clause of a column out that is of a kind.
pub(super) fn remove(draft: &mut Draft<'_>, site: &Site<'_>, name: &str, kind: fn(&ClauseKind) -> bool) -> Result<()> {
    loop {
        let clause = draft.table.column(name).and_then(|column| {
            column
                .clauses
                .iter()
                .find(|clause| kind(&clause.kind))
                .map(|clause| clause.span.clone())
        });
        let Some(span) = clause else { return Ok(()) };
        draft.table.remove_clause(&span).map_err(|text| site.broken(&text))?;
    }
}
