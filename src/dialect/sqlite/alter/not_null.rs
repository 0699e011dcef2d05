//! ALTER COLUMN … SET NOT NULL and DROP NOT NULL.

use crate::code::Code;
use crate::dialect::sqlite::demand::Demand;
use crate::dialect::sqlite::draft::Draft;
use crate::dialect::sqlite::site::Site;
use crate::error::Result;
use crate::sql::parse::cursor::Name;
use crate::sql::parse::define::ClauseKind;
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
    let (table, quoted_name) = (quoted(draft.name(), '"'), quoted(name, '"'));
    let help = format!(
        "fill it first, in the same revision if you like: UPDATE {table} SET {quoted_name} = … WHERE {quoted_name} IS NULL;"
    );
    let demand = Demand {
        code: Code::BatchNullValues,
        message: &message,
        help: &help,
    };
    draft.demand(site, demand, &format!("{quoted_name} IS NULL"), &[]);
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

pub(super) fn drop(draft: &mut Draft<'_>, site: &Site<'_>, column: &Name) -> Result<()> {
    let position = draft.column(site, column)?;
    let name = draft.columns[position].name.clone();
    if draft
        .table
        .primary_key()
        .iter()
        .any(|key| key.eq_ignore_ascii_case(&name))
    {
        let message = format!("column `{name}` is in the primary key of `{}`", draft.name());
        return Err(site
            .error(Code::BatchUnsupported, message, &column.span, "part of the primary key")
            .help("drop the primary key first"));
    }
    remove(draft, site, &name, |kind| matches!(kind, ClauseKind::NotNull))?;
    expect(draft, &name, "0");
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
