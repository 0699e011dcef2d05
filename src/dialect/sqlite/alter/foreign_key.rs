//! ADD … FOREIGN KEY and REFERENCES.

use crate::code::Code;
use crate::dialect::Ask;
use crate::dialect::sqlite::alter::add_constraint::{definition, is_not_valid, resolved};
use crate::dialect::sqlite::demand::Demand;
use crate::dialect::sqlite::draft::{Draft, uses_new_values};
use crate::dialect::sqlite::inspect::{self, Sort};
use crate::dialect::sqlite::site::Site;
use crate::dialect::sqlite::table::Table;
use crate::dialect::sqlite::types::affinity;
use crate::dialect::sqlite::unique::Unique;
use crate::error::{Error, Result};
use crate::sql::parse::cursor::Name;
use crate::sql::parse::define::{Clause, ClauseKind, ForeignKey};
use crate::sql::split::SQLITE;
use crate::sql::token::significant;
use crate::sql::write::quoted;

pub(super) fn add(
    draft: &mut Draft<'_>,
    site: &Site<'_>,
    clause: &Clause,
    key: &ForeignKey,
    ask: &mut dyn Ask,
) -> Result<()> {
    let columns = resolved(draft, site, &key.columns)?;
    let words = site.words(&clause.span);
    refuse_set(draft, site, clause, &columns)?;
    if is_not_valid(words) {
        parent(draft, site, key, columns.len(), ask)?;
    } else {
        demand_parents(draft, site, key, &columns, ask)?;
    }
    let words = definition(site, clause, None);
    draft
        .table
        .append_constraint(&words)
        .map_err(|text| site.broken(&text))?;
    draft.references_added += columns.len();
    draft
        .reasons
        .push("a foreign key is a matter of the definition".to_owned());
    Ok(())
}

/// Refuses actions that would set a generated column: SQLite finds out when a row of the parent changes.
pub(super) fn refuse_set(draft: &Draft<'_>, site: &Site<'_>, clause: &Clause, columns: &[String]) -> Result<()> {
    let words = site.words(&clause.span);
    let tokens: Vec<_> = significant(words, &SQLITE).collect();
    let is = |at: usize, known: &[&str]| {
        let token = tokens.get(at).map(|token| &words[token.span.clone()]);
        token.is_some_and(|token| known.iter().any(|word| token.eq_ignore_ascii_case(word)))
    };
    let acts = (0..tokens.len()).find(|&at| {
        let on = is(at, &["ON"]) && is(at + 1, &["DELETE", "UPDATE"]);
        on && (is(at + 2, &["SET"]) || is(at + 1, &["UPDATE"]) && is(at + 2, &["CASCADE"]))
    });
    let generated = columns.iter().find(|name| draft.is_generated(name));
    let (Some(at), Some(name)) = (acts, generated) else {
        return Ok(());
    };
    let last = tokens[(at + 2).min(tokens.len() - 1)].span.end;
    let span = clause.span.start + tokens[at].span.start..clause.span.start + last;
    let message = format!(
        "a foreign key cannot set `{name}` of `{}`, which is generated",
        draft.name()
    );
    Err(site
        .error(
            Code::BatchUnsupported,
            message,
            &span,
            "would fail for each row that changes",
        )
        .help("leave the action out, or say ON DELETE CASCADE, RESTRICT or NO ACTION"))
}

/// Demands that what these columns refer to is there; the key that is referred to must be unique.
pub(super) fn demand_parents(
    draft: &mut Draft<'_>,
    site: &Site<'_>,
    key: &ForeignKey,
    columns: &[String],
    ask: &mut dyn Ask,
) -> Result<()> {
    let (table, parents) = parent(draft, site, key, columns.len(), ask)?;
    let name = quoted(draft.name(), '"');
    let mut conditions: Vec<String> = columns
        .iter()
        .map(|column| format!("{name}.{} IS NOT NULL", quoted(column, '"')))
        .collect();
    let (from, computed) = rows_of_parent(draft, key, &table, &parents);
    // The parent's affinity and collation decide, as they do when SQLite enforces the key: a unary plus takes the
    // child's away.
    let pairs: Vec<String> = columns
        .iter()
        .zip(&parents)
        .map(|(child, parent)| {
            let child = format!("+{name}.{}", quoted(child, '"'));
            // Values that are yet to come have no affinity of their own.
            let child = if computed {
                affinity(draft.type_of(parent), draft.table.strict()).applied(&child)
            } else {
                child
            };
            format!("sqlrev_parent.{} = {child}", quoted(parent, '"'))
        })
        .collect();
    conditions.push(format!(
        "NOT EXISTS (SELECT 1 FROM {} AS sqlrev_parent WHERE {})",
        from,
        pairs.join(" AND ")
    ));
    let message = format!(
        "a row of `{}` refers to a row that `{table}` does not have",
        draft.name()
    );
    let demand = Demand {
        code: Code::BatchForeignKey,
        message: &message,
        help: "add the missing rows, or change or delete these, in the same revision if you like",
    };
    let shown: Vec<&str> = columns.iter().map(String::as_str).collect();
    draft.demand(site, demand, &conditions.join(" AND "), &shown);
    if let Some(demanded) = draft.checks.last_mut() {
        // It looks at another table, or at this one as a whole.
        demanded.condition = None;
    }
    Ok(())
}

/// Refuses a key of one column that refers to columns which are not unique. A table that is not there yet may come: only
/// rows with a value would miss it.
pub(super) fn refuse_no_key(draft: &Draft<'_>, site: &Site<'_>, key: &ForeignKey, ask: &mut dyn Ask) -> Result<()> {
    match parent(draft, site, key, 1, ask) {
        Err(error) if error.code() != Code::BatchNoTable => Err(error),
        _ => Ok(()),
    }
}

/// The rows that are referred to: those of the table, or where it refers to itself those that it is about to have, and
/// whether they are.
fn rows_of_parent(draft: &Draft<'_>, key: &ForeignKey, table: &str, parents: &[String]) -> (String, bool) {
    let names: Vec<String> = parents.iter().map(|name| quoted(name, '"')).collect();
    let used: Vec<&str> = names.iter().map(String::as_str).collect();
    if key.table.is(draft.name()) && uses_new_values(&draft.columns, &draft.table, &used) {
        return (format!("(SELECT * FROM {})", draft.rows(&used).from), true);
    }
    let table = format!("{}.{}", quoted(&draft.state.schema, '"'), quoted(table, '"'));
    (table, false)
}

/// The table that a foreign key refers to, and the columns of it.
fn parent(
    draft: &Draft<'_>,
    site: &Site<'_>,
    key: &ForeignKey,
    count: usize,
    ask: &mut dyn Ask,
) -> Result<(String, Vec<String>)> {
    let itself = key.table.is(draft.name());
    let schema = Name {
        text: draft.state.schema.clone(),
        span: 0..0,
    };
    let found = inspect::find(ask, Some(&schema), &key.table)?.filter(|found| found.sort == Sort::Table);
    let table = match &found {
        _ if itself => Some(draft.table.clone()),
        Some(found) => Table::read(&found.object.sql),
        None => {
            let message = format!("there is no table `{}` to refer to", key.table.text);
            return Err(site.error(
                Code::BatchNoTable,
                message,
                &key.table.span,
                "does not exist at this point",
            ));
        }
    };
    let Some(table) = table else {
        let message = format!("the definition of `{}` cannot be read", key.table.text);
        return Err(site.error(Code::BatchUnsupported, message, &key.table.span, ""));
    };
    let columns: Vec<String> = if key.parent.is_empty() {
        table.primary_key()
    } else {
        key.parent.iter().map(|name| name.text.clone()).collect()
    };
    if let Some(unknown) = key.parent.iter().find(|name| table.column(&name.text).is_none()) {
        let message = format!("table `{}` has no column `{}`", key.table.text, unknown.text);
        return Err(site.error(
            Code::BatchNoColumn,
            message,
            &unknown.span,
            "not a column of that table",
        ));
    }
    let indexes: Vec<String> = if itself {
        draft
            .indexes
            .iter()
            .filter(|index| index.kept)
            .map(|index| index.object.sql.clone())
            .collect()
    } else {
        inspect::index_texts(ask, &draft.state.schema, &key.table.text)?
    };
    if columns.len() != count {
        return Err(not_as_many(site, key, &columns, count));
    }
    if !is_key(&table, &indexes, &columns) {
        let message = format!(
            "`{}` ({}) is no primary key and not unique",
            key.table.text,
            columns.join(", ")
        );
        return Err(site
            .error(
                Code::BatchUnsupported,
                message,
                &key.table.span,
                "cannot be referred to",
            )
            .help("add a UNIQUE constraint to it first"));
    }
    Ok((table.name().text.clone(), columns))
}

/// The error for a key that has other columns than it refers to.
fn not_as_many(site: &Site<'_>, key: &ForeignKey, columns: &[String], count: usize) -> Error {
    let name = &key.table.text;
    let message = format!(
        "the foreign key has {count} columns, and `{name}` ({}) has {}",
        columns.join(", "),
        columns.len()
    );
    site.error(Code::BatchUnsupported, message, &key.table.span, "not as many")
        .help(format!("say which it refers to: REFERENCES {} (…)", quoted(name, '"')))
}

fn is_key(table: &Table, indexes: &[String], columns: &[String]) -> bool {
    let same = |others: &[String]| {
        others.len() == columns.len()
            && columns
                .iter()
                .all(|column| others.iter().any(|other| other.eq_ignore_ascii_case(column)))
    };
    let constraint = table
        .constraints()
        .any(|(column, clause)| match (&clause.kind, column) {
            (ClauseKind::Unique { .. } | ClauseKind::PrimaryKey { .. }, Some(column)) => {
                same(std::slice::from_ref(&column.name.text))
            }
            (ClauseKind::Unique { columns, .. } | ClauseKind::PrimaryKey { columns, .. }, None) => {
                same(&columns.iter().map(|name| name.text.clone()).collect::<Vec<_>>())
            }
            _ => false,
        });
    let of_index = |sql: &String| Unique::of_index(sql).and_then(|unique| unique.plain());
    constraint || indexes.iter().filter_map(of_index).any(|columns| same(&columns))
}
