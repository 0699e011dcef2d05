//! The names of constraints: those that are written, and those that PostgreSQL gives to the others.

use crate::code::Code;
use crate::dialect::sqlite::draft::Draft;
use crate::dialect::sqlite::expr;
use crate::dialect::sqlite::site::Site;
use crate::dialect::sqlite::table::Table;
use crate::error::Result;
use crate::sql::parse::cursor::Name;
use crate::sql::parse::define::{Clause, ClauseKind};

/// A constraint of a table with the name that an ALTER can call it by.
#[derive(Debug, Clone)]
pub(super) struct Named {
    /// The name.
    pub(super) name: String,
    /// Where the name is written, if it is.
    pub(super) written: Option<Name>,
    /// The column whose definition it is part of.
    pub(super) column: Option<String>,
    /// The constraint.
    pub(super) clause: Clause,
}

/// The constraints of the draft, with PostgreSQL's default names for those that have none: `t_pkey`, `t_a_b_key`,
/// `t_a_fkey`, `t_a_check`, `t_a_not_null`, with a number behind where that is taken.
pub(super) fn constraints(draft: &Draft<'_>) -> Vec<Named> {
    let columns: Vec<&str> = draft.columns.iter().map(|column| column.name.as_str()).collect();
    of_table(&draft.table, draft.name(), &columns, &draft.dropped)
}

/// Likewise those of a stored definition, where the names of others are `gone`.
pub(super) fn of_table(table: &Table, table_name: &str, columns: &[&str], gone: &[String]) -> Vec<Named> {
    let written = table.constraints().filter_map(|(_, clause)| clause.name.as_ref());
    let mut taken: Vec<String> = written
        .map(|name| name.text.clone())
        .chain(gone.iter().cloned())
        .collect();
    let mut all = Vec::new();
    for (column, clause) in table.constraints() {
        let column = column.map(|column| column.name.text.clone());
        let Some(base) = default_name(table, table_name, columns, column.as_deref(), clause) else {
            continue;
        };
        let name = match &clause.name {
            Some(name) => name.text.clone(),
            None => free(&base, &mut taken),
        };
        all.push(Named {
            name,
            written: clause.name.clone(),
            column,
            clause: clause.clone(),
        });
    }
    all
}

/// After a constraint came behind those with the names `before`, or several with a new column: they may have the names of
/// some that were dropped, unless others would move up to them.
pub(super) fn release(draft: &mut Draft<'_>, before: &[[String; 2]]) {
    for at in (0..draft.dropped.len()).rev() {
        let name = draft.dropped.remove(at);
        let now = constraints(draft);
        let mut now = told_apart(draft, now);
        let same = |known: &[String; 2]| {
            let at = now.iter().position(|other| other == known);
            at.map(|at| now.remove(at)).is_some()
        };
        if !before.iter().all(same) {
            draft.dropped.insert(at, name);
        }
    }
}

/// The names of the constraints that there are, each with what tells it from others.
pub(super) fn known(draft: &Draft<'_>) -> Vec<[String; 2]> {
    told_apart(draft, constraints(draft))
}

fn told_apart(draft: &Draft<'_>, named: Vec<Named>) -> Vec<[String; 2]> {
    let apart = |named: Named| {
        let column = named.column.unwrap_or_default();
        [format!("{column} {}", draft.table.at(&named.clause.span)), named.name]
    };
    named.into_iter().map(apart).collect()
}

fn free(base: &str, taken: &mut Vec<String>) -> String {
    let is_taken = |name: &str| taken.iter().any(|other| other.eq_ignore_ascii_case(name));
    let mut name = base.to_owned();
    let mut number = 0;
    while is_taken(&name) {
        number += 1;
        name = format!("{base}{number}");
    }
    taken.push(name.clone());
    name
}

fn default_name(
    definition: &Table,
    table: &str,
    known: &[&str],
    column: Option<&str>,
    clause: &Clause,
) -> Option<String> {
    let joined = |columns: &[Name]| match column {
        Some(column) => column.to_owned(),
        None => columns
            .iter()
            .map(|name| name.text.as_str())
            .collect::<Vec<_>>()
            .join("_"),
    };
    match &clause.kind {
        ClauseKind::PrimaryKey { .. } => Some(format!("{table}_pkey")),
        ClauseKind::Unique { columns, .. } => Some(format!("{table}_{}_key", joined(columns))),
        ClauseKind::References(key) => Some(format!("{table}_{}_fkey", joined(&key.columns))),
        ClauseKind::NotNull => column.map(|column| format!("{table}_{column}_not_null")),
        ClauseKind::Check(condition) => {
            let condition = definition.at(condition);
            match expr::mentioned(condition, known)[..] {
                [one] => Some(format!("{table}_{one}_check")),
                _ => Some(format!("{table}_check")),
            }
        }
        _ => None,
    }
}

/// A default name for a new constraint or index that nothing of the table has yet.
pub(super) fn fresh(draft: &Draft<'_>, base: &str) -> String {
    let mut taken: Vec<String> = constraints(draft).into_iter().map(|named| named.name).collect();
    taken.extend(
        draft
            .indexes
            .iter()
            .filter(|index| index.kept)
            .map(|index| index.object.name.clone()),
    );
    free(base, &mut taken)
}

/// Refuses a name that a constraint or an index of the table has already.
pub(super) fn must_be_free(draft: &Draft<'_>, site: &Site<'_>, name: &Name) -> Result<()> {
    let constraint = constraints(draft).iter().any(|named| name.is(&named.name));
    let index = draft
        .indexes
        .iter()
        .any(|index| index.kept && name.is(&index.object.name));
    if !constraint && !index {
        return Ok(());
    }
    let what = if constraint { "a constraint" } else { "an index" };
    let message = format!("table `{}` already has {what} named `{}`", draft.name(), name.text);
    Err(site.error(Code::BatchDuplicate, message, &name.span, "taken"))
}

/// An error for a constraint that is not there.
pub(super) fn missing(draft: &Draft<'_>, site: &Site<'_>, name: &Name) -> crate::error::Error {
    let mut known: Vec<String> = constraints(draft)
        .into_iter()
        .filter(|named| !matches!(named.clause.kind, ClauseKind::NotNull) || named.written.is_some())
        .map(|named| named.name)
        .collect();
    let unique = |sql: &str| sql.to_ascii_uppercase().starts_with("CREATE UNIQUE");
    known.extend(
        draft
            .indexes
            .iter()
            .filter(|index| index.kept && unique(&index.object.sql))
            .map(|index| index.object.name.clone()),
    );
    let message = format!("table `{}` has no constraint `{}`", draft.name(), name.text);
    let mut error = site.error(
        Code::BatchNoConstraint,
        message,
        &name.span,
        "not a constraint of the table at this point",
    );
    if let Some(near) = crate::error::nearest(&name.text, known.iter().map(String::as_str)) {
        error = error.help(format!("perhaps `{near}`"));
    }
    if known.is_empty() {
        error.help("it has no constraints")
    } else {
        error.help(format!("its constraints are: {}", known.join(", ")))
    }
}
