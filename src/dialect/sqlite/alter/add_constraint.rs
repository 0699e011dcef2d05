//! ADD CONSTRAINT, ADD INDEX and VALIDATE CONSTRAINT.

use crate::code::Code;
use crate::dialect::sqlite::alter::{foreign_key, not_null};
use crate::dialect::sqlite::demand::Demand;
use crate::dialect::sqlite::draft::{Draft, Index};
use crate::dialect::sqlite::inspect::{Object, words};
use crate::dialect::sqlite::site::Site;
use crate::dialect::sqlite::unique::Unique;
use crate::dialect::sqlite::{expr, names};
use crate::dialect::{Ask, Op};
use crate::error::Result;
use crate::source::Span;
use crate::sql::parse::cursor::{Cursor, Name};
use crate::sql::parse::define::{Clause, ClauseKind};
use crate::sql::write::quoted;
use crate::sql::{split, token};

pub(super) fn apply(draft: &mut Draft<'_>, site: &Site<'_>, clause: &Clause, ask: &mut dyn Ask) -> Result<()> {
    if let Some(name) = &clause.name {
        names::must_be_free(draft, site, name)?;
    }
    let before = names::known(draft);
    add(draft, site, clause, ask)?;
    names::release(draft, &before);
    Ok(())
}

fn add(draft: &mut Draft<'_>, site: &Site<'_>, clause: &Clause, ask: &mut dyn Ask) -> Result<()> {
    match &clause.kind {
        ClauseKind::Check(condition) => check(draft, site, clause, condition),
        ClauseKind::Unique {
            columns,
            list,
            on_conflict,
        } => unique(draft, site, clause, columns, list, *on_conflict),
        ClauseKind::References(key) => foreign_key::add(draft, site, clause, key, ask),
        ClauseKind::PrimaryKey { columns, .. } => primary_key(draft, site, clause, columns),
        _ => Err(site.refuse(
            Code::BatchUnreadable,
            "there is no constraint after the name",
            "nothing to add",
        )),
    }
}

/// The words of a constraint without what SQLite has no place for.
pub(super) fn definition(site: &Site<'_>, clause: &Clause, inner: Option<&Span>) -> String {
    let mut text = site.words(&clause.span).to_owned();
    if let Some(span) = inner {
        let range = span.start - clause.span.start..span.end - clause.span.start;
        let words = expr::written(site.words(span));
        text.replace_range(range, &words);
    }
    if let Some(at) = not_valid(&text) {
        cut(&mut text, at);
    }
    text
}

/// Cuts a constraint off; a comment that stays behind may end with its line alone.
fn cut(text: &mut String, at: usize) {
    text.truncate(at);
    text.truncate(text.trim_end().len());
    if token::tokens(text, &split::SQLITE)
        .last()
        .is_some_and(|last| text[last.span].starts_with("--"))
    {
        text.push('\n');
    }
}

/// Whether the constraint says NOT VALID: rows that are there are not looked at.
pub(super) fn is_not_valid(text: &str) -> bool {
    not_valid(text).is_some()
}

/// Where it says so.
fn not_valid(text: &str) -> Option<usize> {
    let mut before = None;
    let mut found = None;
    for token in token::significant(text, &split::SQLITE) {
        let is = |what: &str| text[token.span.clone()].eq_ignore_ascii_case(what);
        found = before.filter(|_| is("VALID"));
        before = is("NOT").then_some(token.span.start);
    }
    found
}

/// Where a UNIQUE constraint says when it is compared, from `start` on.
fn deferrable(text: &str, start: usize) -> Option<usize> {
    let mut tokens = token::significant(&text[start..], &split::SQLITE);
    let says = |span: Span| {
        let word = &text[start..][span];
        ["NOT", "DEFERRABLE", "INITIALLY"]
            .iter()
            .any(|what| word.eq_ignore_ascii_case(what))
    };
    tokens
        .find(|token| says(token.span.clone()))
        .map(|token| start + token.span.start)
}

fn check(draft: &mut Draft<'_>, site: &Site<'_>, clause: &Clause, condition: &Span) -> Result<()> {
    draft.quoted_names(site, condition)?;
    let written = expr::written(site.words(condition));
    if is_not_valid(site.words(&clause.span)) {
        draft.not_valid.push(written);
    } else {
        demand_check(draft, site, &written);
    }
    let words = definition(site, clause, Some(condition));
    draft
        .table
        .append_constraint(&words)
        .map_err(|text| site.broken(&text))?;
    draft.reasons.push("a CHECK is a matter of the definition".to_owned());
    Ok(())
}

/// Demands that no row makes a condition false.
pub(super) fn demand_check(draft: &mut Draft<'_>, site: &Site<'_>, condition: &str) {
    let message = format!("a row of `{}` violates CHECK ({condition})", draft.name());
    let demand = Demand {
        code: Code::BatchCheckViolated,
        message: &message,
        help: "change the rows first, in the same revision if you like",
    };
    let names: Vec<String> = draft.columns.iter().map(|column| column.name.clone()).collect();
    let shown: Vec<&str> = names
        .iter()
        .map(String::as_str)
        .filter(|name| expr::mentions(condition, name))
        .collect();
    draft.demand(site, demand, &format!("({condition}) IS FALSE"), &shown);
}

/// Demands that no two rows are equal in these columns.
pub(super) fn demand_unique(draft: &mut Draft<'_>, site: &Site<'_>, unique: &Unique) {
    let message = format!("rows of `{}` have the same `{}`", draft.name(), unique.spoken());
    let demand = Demand {
        code: Code::BatchDuplicates,
        message: &message,
        help: "change or delete all but one of them first, in the same revision if you like",
    };
    draft.demand_unique(site, demand, unique);
}

pub(super) fn resolved(draft: &Draft<'_>, site: &Site<'_>, columns: &[Name]) -> Result<Vec<String>> {
    columns
        .iter()
        .map(|name| {
            draft
                .column(site, name)
                .map(|position| draft.columns[position].name.clone())
        })
        .collect()
}

fn unique(
    draft: &mut Draft<'_>,
    site: &Site<'_>,
    clause: &Clause,
    columns: &[Name],
    list: &Span,
    on_conflict: bool,
) -> Result<()> {
    let resolved = resolved(draft, site, columns)?;
    let columns: Vec<&str> = resolved.iter().map(String::as_str).collect();
    demand_unique(draft, site, &Unique::columns(columns.iter().copied()));
    let behind = &site.words(&clause.span)[list.end.saturating_sub(clause.span.start)..];
    let said = words(behind);
    if said.contains("deferrable") && !said.contains("not") {
        draft
            .notices
            .push("SQLite compares the rows of a UNIQUE constraint at once: DEFERRABLE is left out".to_owned());
    }
    if on_conflict || draft.inline {
        let mut words = definition(site, clause, None);
        if let Some(at) = deferrable(&words, list.end.saturating_sub(clause.span.start)) {
            cut(&mut words, at);
        }
        draft
            .table
            .append_constraint(&words)
            .map_err(|text| site.broken(&text))?;
        draft.must_copy("a UNIQUE constraint of the table is part of how it is stored");
        return Ok(());
    }
    let name = if let Some(name) = &clause.name {
        (name.text.clone(), site.words(&name.span).to_owned())
    } else {
        let fresh = names::fresh(draft, &format!("{}_{}_key", draft.name(), columns.join("_")));
        let words = quoted(&fresh, '"');
        (fresh, words)
    };
    add_index(draft, site, true, name, site.words(list));
    Ok(())
}

/// Adds an index to the draft: its name, the name as it is written, and what stands between the parentheses.
pub(super) fn add_index(draft: &mut Draft<'_>, site: &Site<'_>, unique: bool, name: (String, String), list: &str) {
    let unique = if unique { "UNIQUE " } else { "" };
    let table = draft.table.at(&draft.table.name().span).to_owned();
    let object = Object {
        schema: draft.state.schema.clone(),
        kind: "index".to_owned(),
        sql: format!("CREATE {unique}INDEX {} ON {table} ({list})", name.1),
        name: name.0,
        table: draft.name().to_owned(),
    };
    let demanded = matches!(draft.checks.last().map(|demanded| &demanded.check), Some(Op::Check { code: Code::BatchDuplicates, at, .. }) if *at == site.at());
    draft.indexes.push(Index {
        object,
        old: false,
        kept: true,
        at: site.index,
        check: demanded.then(|| draft.checks.len() - 1),
    });
    draft.reasons.push("an index is built, the table stays".to_owned());
}

/// MySQL's ADD INDEX.
pub(super) fn index(
    draft: &mut Draft<'_>,
    site: &Site<'_>,
    unique: bool,
    name: Option<&Name>,
    list: &Span,
) -> Result<()> {
    let words = site.words(list);
    let mut cursor = Cursor::new(words);
    let first = cursor.name().map_or_else(|| "expr".to_owned(), |name| name.text);
    let name = if let Some(name) = name {
        names::must_be_free(draft, site, name)?;
        (name.text.clone(), site.words(&name.span).to_owned())
    } else {
        let suffix = if unique { "key" } else { "idx" };
        let fresh = names::fresh(draft, &format!("{}_{first}_{suffix}", draft.name()));
        let words = quoted(&fresh, '"');
        (fresh, words)
    };
    if unique && let Some(compared) = Unique::of_index(&format!("CREATE UNIQUE INDEX i ON t ({words})")) {
        demand_unique(draft, site, &compared);
    }
    add_index(draft, site, unique, name, words);
    Ok(())
}

fn primary_key(draft: &mut Draft<'_>, site: &Site<'_>, clause: &Clause, columns: &[Name]) -> Result<()> {
    if !draft.table.primary_key().is_empty() {
        let message = format!("table `{}` already has a primary key", draft.name());
        return Err(site
            .refuse(Code::BatchDuplicate, message, "a second one")
            .help("drop the first one first"));
    }
    let resolved = resolved(draft, site, columns)?;
    for name in &resolved {
        not_null::demand_values(draft, site, name);
    }
    let columns: Vec<&str> = resolved.iter().map(String::as_str).collect();
    demand_unique(draft, site, &Unique::columns(columns.iter().copied()));
    let words = definition(site, clause, None);
    draft
        .table
        .append_constraint(&words)
        .map_err(|text| site.broken(&text))?;
    for name in &resolved {
        not_null::write_not_null(draft, site, name)?;
    }
    draft.key_changed = true;
    draft.must_copy("the primary key is part of how the table is stored");
    Ok(())
}

/// VALIDATE CONSTRAINT: looks at the rows and changes nothing.
pub(super) fn validate(draft: &mut Draft<'_>, site: &Site<'_>, name: &Name, ask: &mut dyn Ask) -> Result<()> {
    let Some(named) = names::constraints(draft).into_iter().find(|named| name.is(&named.name)) else {
        return Err(names::missing(draft, site, name));
    };
    match &named.clause.kind {
        ClauseKind::Check(condition) => {
            let condition = draft.table.at(condition).to_owned();
            demand_check(draft, site, &condition);
        }
        ClauseKind::References(key) => {
            let columns = match &named.column {
                Some(column) => vec![column.clone()],
                None => key.columns.iter().map(|name| name.text.clone()).collect(),
            };
            let mut key = key.clone();
            key.table.span = name.span.clone();
            for parent in &mut key.parent {
                parent.span = name.span.clone();
            }
            foreign_key::demand_parents(draft, site, &key, &columns, ask)?;
        }
        _ => {}
    }
    Ok(())
}
