//! RENAME TO and RENAME COLUMN: SQLite does them itself, and follows the name into views, triggers and references.

use crate::code::Code;
use crate::dialect::sqlite::draft::Draft;
use crate::dialect::sqlite::inspect::State;
use crate::dialect::sqlite::prove;
use crate::dialect::sqlite::site::Site;
use crate::dialect::{Ask, Op, Rewrite, Setting};
use crate::error::Result;
use crate::sql::parse::alter::ActionKind;
use crate::sql::parse::cursor::Name;
use crate::sql::write::{quoted, sqlite_literal};

/// Plans a RENAME that stands alone.
pub(super) fn rewrite(site: &Site<'_>, state: &State, kind: &ActionKind, ask: &mut dyn Ask) -> Result<Rewrite> {
    let mut ops = vec![Op::Set(Setting::LegacyAlterTable, Some(false))];
    match kind {
        ActionKind::RenameTable(to) => rename_table(site, state, to, ask, &mut ops)?,
        ActionKind::RenameColumn { from, to } => rename_column(site, state, from, to, &mut ops)?,
        _ => return Err(site.refuse(Code::BatchInternal, "not a rename", "")),
    }
    ops.push(Op::Set(Setting::LegacyAlterTable, None));
    let probes: Vec<_> = prove::live_probes(ask, state)?
        .into_iter()
        .filter(|probe| probe.object.starts_with("view"))
        .collect();
    ops.extend(prove::compiles(&probes, site.at()));
    Ok(Rewrite {
        table: state.table.name().text.clone(),
        consumed: 1,
        strategy: "native",
        reason: "SQLite follows the new name into views, triggers and references".to_owned(),
        ops,
        notices: Vec::new(),
    })
}

fn rename_column(site: &Site<'_>, state: &State, from: &Name, to: &Name, ops: &mut Vec<Op>) -> Result<()> {
    let draft = Draft::new(state, false);
    draft.column(site, from)?;
    if !from.is(&to.text) && draft.position(&to.text).is_some() {
        let message = format!("table `{}` already has a column `{}`", draft.name(), to.text);
        return Err(site.error(Code::BatchDuplicate, message, &to.span, "taken"));
    }
    ops.push(Op::sql(site.statement.text.clone(), site.index));
    Ok(())
}

fn rename_table(site: &Site<'_>, state: &State, to: &Name, ask: &mut dyn Ask, ops: &mut Vec<Op>) -> Result<()> {
    let from = &state.table.name().text;
    let taken = |ask: &mut dyn Ask, name: &str| -> Result<bool> {
        let rows = ask.query(&format!(
            "SELECT 1 FROM {}.sqlite_schema WHERE name = {} COLLATE NOCASE AND type <> 'trigger'",
            quoted(&state.schema, '"'),
            sqlite_literal(name)
        ))?;
        Ok(!rows.is_empty())
    };
    let same = to.is(from);
    if !same && taken(ask, &to.text)? {
        let message = format!("there is already a table, view or index named `{}`", to.text);
        return Err(site.error(Code::BatchDuplicate, message, &to.span, "taken"));
    }
    if same {
        // SQLite refuses a change of capital letters alone, so the table goes by way of another name.
        let mut between = format!("sqlrev_{from}");
        while taken(ask, &between)? {
            between.push('_');
        }
        let hop = format!("{}.{}", quoted(&state.schema, '"'), quoted(&between, '"'));
        for sql in [
            format!("ALTER TABLE {} RENAME TO {}", state.qualified(), quoted(&between, '"')),
            format!("ALTER TABLE {hop} RENAME TO {}", site.words(&to.span)),
        ] {
            ops.push(Op::sql(sql, site.index));
        }
    } else {
        ops.push(Op::sql(site.statement.text.clone(), site.index));
    }
    if !ask.offline() {
        carry_statistics(site, state, to, ask, ops)?;
    }
    Ok(())
}

/// SQLite leaves the statistics under the old name.
fn carry_statistics(site: &Site<'_>, state: &State, to: &Name, ask: &mut dyn Ask, ops: &mut Vec<Op>) -> Result<()> {
    let schema = quoted(&state.schema, '"');
    let rows = ask.query(&format!(
        "SELECT name FROM {schema}.sqlite_schema WHERE name IN ('sqlite_stat1', 'sqlite_stat4') ORDER BY name"
    ))?;
    let from = &state.table.name().text;
    let prefix = format!("sqlite_autoindex_{from}_");
    for table in rows.into_iter().flatten().flatten() {
        ops.push(Op::sql(format!(
                "UPDATE {schema}.{table} SET tbl = {to}, idx = CASE WHEN substr(idx, 1, {length}) = {prefix} COLLATE NOCASE \
                 THEN {new_prefix} || substr(idx, {length} + 1) ELSE idx END WHERE tbl = {from} COLLATE NOCASE",
                to = sqlite_literal(&to.text),
                length = prefix.chars().count(),
                prefix = sqlite_literal(&prefix),
                new_prefix = sqlite_literal(&format!("sqlite_autoindex_{}_", to.text)),
                from = sqlite_literal(from),
            ), site.index));
    }
    Ok(())
}
