//! ADD COLUMN in all its forms.

use crate::code::Code;
use crate::dialect::Ask;
use crate::dialect::sqlite::alter::{add_constraint, foreign_key, not_null};
use crate::dialect::sqlite::demand::Demand;
use crate::dialect::sqlite::draft::{Column, Draft, Source};
use crate::dialect::sqlite::site::Site;
use crate::dialect::sqlite::unique::Unique;
use crate::dialect::sqlite::{expr, names, readers, types};
use crate::error::Result;
use crate::source::Span;
use crate::sql::parse::alter::Place;
use crate::sql::parse::define::{Clause, ClauseKind, ColumnDef};
use crate::sql::split::SQLITE;
use crate::sql::token::{Kind, significant, tokens, unquoted};
use crate::sql::write::{quoted, sqlite_literal};

/// What an ADD COLUMN says apart from the column itself.
#[derive(Debug, Clone, Copy)]
pub(super) struct Add<'a> {
    /// IF NOT EXISTS
    pub(super) if_not_exists: bool,
    /// FIRST or AFTER
    pub(super) place: Option<&'a Place>,
    /// The definition stays as it is written.
    pub(super) verbatim: bool,
}

pub(super) fn apply(
    draft: &mut Draft<'_>,
    site: &Site<'_>,
    column: &ColumnDef,
    add: Add<'_>,
    ask: &mut dyn Ask,
) -> Result<()> {
    let name = &column.name.text;
    if draft.position(name).is_some() {
        if add.if_not_exists {
            draft
                .notices
                .push(format!("`{}` has a column `{name}` already: skipped", draft.name()));
            return Ok(());
        }
        let message = format!("table `{}` already has a column `{name}`", draft.name());
        return Err(site
            .error(Code::BatchDuplicate, message, &column.name.span, "already there")
            .help("ADD COLUMN IF NOT EXISTS passes over a column that is there"));
    }
    if readers::ROWID.iter().any(|taken| column.name.is(taken)) && !draft.table.without_rowid() {
        let message = format!("a column `{name}` would hide the rowid of `{}`", draft.name());
        return Err(site
            .error(
                Code::BatchUnsupported,
                message,
                &column.name.span,
                "SQLite's own name for the rowid",
            )
            .help("give the column another name"));
    }
    // SQLite takes `serial` for a type like any other, and numbers nothing.
    let serial = column.data_type.as_ref();
    let serial = serial.is_some_and(|span| types::is_serial(site.words(span)));
    let definition = if add.verbatim && !serial {
        site.words(&column.span).to_owned()
    } else {
        written(draft, site, column)?
    };
    default_fits(draft, site, column, &definition, ask)?;
    let before = names::known(draft);
    insert(draft, site, column, &definition, add.place)?;
    names::release(draft, &before);
    demand_rows(draft, site, column, ask)?;
    unique(draft, site, column)
}

/// Demands that there are no rows where a STRICT table does not store the default. SQLite's own ADD COLUMN sees it; older
/// ones, which a script may meet, store what does not belong there.
fn default_fits(
    draft: &mut Draft<'_>,
    site: &Site<'_>,
    column: &ColumnDef,
    definition: &str,
    ask: &mut dyn Ask,
) -> Result<()> {
    let mut clauses = column.clauses.iter();
    if !draft.table.strict() || !clauses.any(|clause| matches!(clause.kind, ClauseKind::Default(_))) {
        return Ok(());
    }
    let mut scratch = ask.scratch()?;
    let ready = scratch
        .execute("CREATE TABLE sqlrev_strict (sqlrev_a INT) STRICT")
        .and_then(|()| scratch.execute("INSERT INTO sqlrev_strict VALUES (1)"));
    let added = ready.and_then(|()| scratch.execute(&format!("ALTER TABLE sqlrev_strict ADD COLUMN {definition}")));
    if added.is_err_and(|error| error.message.contains("type mismatch")) {
        let message = format!(
            "`{}` is STRICT and has rows, and the default of the new column `{}` is not of its type",
            draft.name(),
            column.name.text
        );
        let demand = Demand {
            code: Code::BatchValueLost,
            message: &message,
            help: "give the column another type, or a default of this one",
        };
        draft.demand(site, demand, "1", &[]);
    }
    Ok(())
}

/// The definition as it goes into the table: types, defaults and identities in SQLite's words.
fn written(draft: &mut Draft<'_>, site: &Site<'_>, column: &ColumnDef) -> Result<String> {
    let mut edits: Vec<(Span, String)> = Vec::new();
    let key = column
        .clauses
        .iter()
        .any(|clause| matches!(clause.kind, ClauseKind::PrimaryKey { .. }));
    let serial = column
        .data_type
        .as_ref()
        .is_some_and(|span| types::is_serial(site.words(span)));
    let identity = serial
        || column
            .clauses
            .iter()
            .any(|clause| matches!(clause.kind, ClauseKind::Identity));
    if identity && !key {
        let message = format!(
            "column `{}` cannot number itself: on SQLite only an INTEGER PRIMARY KEY does",
            column.name.text
        );
        return Err(site
            .error(Code::BatchUnsupported, message, &column.span, "not a primary key")
            .help("make it the PRIMARY KEY, or give it a default"));
    }
    if let Some(span) = &column.data_type {
        let asked = site.words(span);
        let integer = identity && !draft.table.without_rowid();
        let data_type = if integer {
            "INTEGER".to_owned()
        } else if draft.table.strict() || asked.contains('\'') {
            // SQLite has no texts in types: ENUM ('a', 'b').
            types::written(asked, draft.table.strict())
        } else {
            // SQLite takes any type here and in CREATE TABLE, so the author's stands, alone or among other ALTERs.
            asked.to_owned()
        };
        if data_type != asked {
            edits.push((span.clone(), data_type));
        }
    }
    for clause in &column.clauses {
        if let Some(edit) = edit(draft, site, clause) {
            edits.push(edit);
        }
    }
    let mut text = site.words(&column.span).to_owned();
    for (span, words) in edits.into_iter().rev() {
        let start = span.start - column.span.start;
        let end = span.end - column.span.start;
        let start = if words.is_empty() {
            end_before(&text, start)
        } else {
            start
        };
        text.replace_range(start..end, &words);
    }
    // A comment before a clause that is gone would be the end of the definition.
    let end = significant(&text, &SQLITE).last().map_or(0, |token| token.span.end);
    text.truncate(end);
    Ok(text)
}

/// Where the text before `start` ends when what follows is taken out: a line comment keeps its line end.
fn end_before(text: &str, start: usize) -> usize {
    let before = &text[..start];
    let comment = tokens(before, &SQLITE)
        .filter(|token| token.kind != Kind::Space)
        .last()
        .is_some_and(|token| token.kind == Kind::Comment && before[token.span].starts_with("--"));
    if comment { start } else { before.trim_end().len() }
}

fn edit(draft: &Draft<'_>, site: &Site<'_>, clause: &Clause) -> Option<(Span, String)> {
    match &clause.kind {
        ClauseKind::Default(value) => {
            let asked = site.words(value);
            Some((value.clone(), expr::default(asked))).filter(|(_, words)| words != asked)
        }
        ClauseKind::Check(condition)
        | ClauseKind::Generated {
            expression: condition, ..
        } => {
            let asked = site.words(condition);
            Some((condition.clone(), expr::written(asked))).filter(|(_, words)| words != asked)
        }
        ClauseKind::Unique { on_conflict: false, .. } if !draft.inline => Some((clause.span.clone(), String::new())),
        ClauseKind::Identity | ClauseKind::Foreign => Some((clause.span.clone(), String::new())),
        _ => None,
    }
}

fn insert(
    draft: &mut Draft<'_>,
    site: &Site<'_>,
    column: &ColumnDef,
    definition: &str,
    place: Option<&Place>,
) -> Result<()> {
    let name = &column.name.text;
    let at = match place {
        None => draft.columns.len(),
        Some(Place::First) => 0,
        Some(Place::After(after)) => draft.column(site, after)? + 1,
    };
    if at < draft.columns.len() {
        draft.must_copy(format!("`{name}` goes between other columns"));
        draft.table.insert_column(at, definition)
    } else {
        draft.table.append_column(definition)
    }
    .map_err(|text| site.broken(&text))?;
    draft.columns.insert(
        at,
        Column {
            name: name.clone(),
            origin: None,
            source: Source::Added(default_of(draft, name)),
            recollated: false,
            expect: std::collections::BTreeMap::new(),
        },
    );
    if let Some(rowid) = draft.rowid()
        && draft.table.rowid_alias().is_some_and(|alias| alias.name.is(name))
    {
        // A new key has the numbers that the rows have, whatever becomes of the key.
        let value = format!("{}.{rowid}", quoted(draft.name(), '"'));
        draft.columns[at].source = Source::Converted(value, types::Affinity::Integer);
    }
    let table = draft.state.qualified();
    draft
        .natives
        .push((format!("ALTER TABLE {table} ADD COLUMN {definition}"), site.index));
    draft.reasons.push("SQLite's own ADD COLUMN touches no row".to_owned());
    Ok(())
}

/// The default of a column of the draft, as an expression.
fn default_of(draft: &Draft<'_>, name: &str) -> Option<String> {
    let value = draft.table.default_of(name)?;
    let tokens: Vec<_> = significant(value, &SQLITE).collect();
    let constant = [
        "NULL",
        "TRUE",
        "FALSE",
        "CURRENT_TIMESTAMP",
        "CURRENT_DATE",
        "CURRENT_TIME",
    ];
    match &tokens[..] {
        // DEFAULT name is the text of the name.
        [one]
            if matches!(one.kind, Kind::Word | Kind::Quoted)
                && !constant.iter().any(|word| value.eq_ignore_ascii_case(word)) =>
        {
            Some(sqlite_literal(&unquoted(value)))
        }
        _ => Some(value.to_owned()),
    }
}

/// Whether SQLite's own ADD COLUMN takes the default for a table with rows.
fn is_constant(value: &str) -> bool {
    let first = significant(value, &SQLITE).next();
    let paren = first.is_some_and(|token| &value[token.span] == "(");
    !paren && !value.to_ascii_uppercase().starts_with("CURRENT_")
}

fn demand_rows(draft: &mut Draft<'_>, site: &Site<'_>, column: &ColumnDef, ask: &mut dyn Ask) -> Result<()> {
    let name = column.name.text.as_str();
    let default = default_of(draft, name);
    let null = default
        .as_deref()
        .is_none_or(|value| value.eq_ignore_ascii_case("NULL"));
    let has_rows = draft.state.rows != Some(false);
    if has_rows && default.as_deref().is_some_and(|value| !is_constant(value)) {
        draft.must_copy(format!("the default of `{name}` is evaluated for every row"));
    }
    let mut generated = false;
    for clause in &column.clauses {
        match &clause.kind {
            ClauseKind::Generated { stored, .. } => {
                generated = true;
                if *stored && has_rows {
                    draft.must_copy(format!("the values of `{name}` have to be computed and stored"));
                }
            }
            ClauseKind::PrimaryKey { .. } => primary_key(draft, site, clause)?,
            ClauseKind::References(key) => {
                foreign_key::refuse_set(draft, site, clause, &[name.to_owned()])?;
                draft.references_added += 1;
                if draft.table.rowid_alias().is_some_and(|alias| alias.name.is(name)) {
                    // Its values are the numbers of the rows, which only the copy has.
                    draft.keys_converted = Some(site.at());
                } else if null && !draft.is_generated(name) {
                    foreign_key::refuse_no_key(draft, site, key, ask)?;
                } else {
                    draft.refers_by_default = true;
                    foreign_key::demand_parents(draft, site, key, &[name.to_owned()], ask)?;
                }
            }
            ClauseKind::Check(condition) => {
                draft.quoted_names(site, condition)?;
                let condition = expr::written(site.words(condition));
                add_constraint::demand_check(draft, site, &condition);
            }
            _ => {}
        }
    }
    let key = draft
        .table
        .primary_key()
        .iter()
        .any(|key| key.eq_ignore_ascii_case(name));
    if key && !generated {
        demand_key(draft, site, name, null);
    }
    if draft.is_not_null(name) && generated {
        not_null::demand_values(draft, site, name);
    } else if draft.is_not_null(name) && null && !key {
        let message = format!(
            "`{}` has rows, and the new column `{name}` has no value for them",
            draft.name()
        );
        let demand = Demand {
            code: Code::BatchNullValues,
            message: &message,
            help: "give it a DEFAULT; or add it without NOT NULL, UPDATE it, then SET NOT NULL",
        };
        draft.demand(site, demand, "1", &[]);
    }
    Ok(())
}

/// A key that comes with rows there: each needs a value, and one of its own.
fn demand_key(draft: &mut Draft<'_>, site: &Site<'_>, name: &str, null: bool) {
    if !null {
        add_constraint::demand_unique(draft, site, &Unique::columns([name]));
        return;
    }
    if draft.table.rowid_alias().is_some_and(|alias| alias.name.is(name)) {
        return;
    }
    let message = format!(
        "`{}` has rows, and its new key `{name}` has no value for them",
        draft.name()
    );
    let demand = Demand {
        code: Code::BatchNullValues,
        message: &message,
        help: "an INTEGER PRIMARY KEY gives each row a number; or add the column, UPDATE it, then ADD PRIMARY KEY",
    };
    draft.demand(site, demand, "1", &[]);
}

fn primary_key(draft: &mut Draft<'_>, site: &Site<'_>, clause: &Clause) -> Result<()> {
    if !draft.state.table.primary_key().is_empty() && !draft.key_changed {
        let message = format!("table `{}` already has a primary key", draft.name());
        return Err(site
            .error(Code::BatchDuplicate, message, &clause.span, "a second one")
            .help("drop the first one first"));
    }
    draft.key_changed = true;
    draft.must_copy("the primary key is part of how the table is stored");
    Ok(())
}

fn unique(draft: &mut Draft<'_>, site: &Site<'_>, column: &ColumnDef) -> Result<()> {
    let name = column.name.text.as_str();
    let Some((clause, on_conflict)) = column.clauses.iter().find_map(|clause| match clause.kind {
        ClauseKind::Unique { on_conflict, .. } => Some((clause, on_conflict)),
        _ => None,
    }) else {
        return Ok(());
    };
    let null = |value: &String| value.eq_ignore_ascii_case("NULL");
    if default_of(draft, name).is_some_and(|value| !null(&value)) {
        add_constraint::demand_unique(draft, site, &Unique::columns([name]));
    }
    if on_conflict || draft.inline {
        draft.must_copy("a UNIQUE constraint of the table is part of how it is stored");
        return Ok(());
    }
    let words = if let Some(name) = &clause.name {
        names::must_be_free(draft, site, name)?;
        (name.text.clone(), site.words(&name.span).to_owned())
    } else {
        let fresh = names::fresh(draft, &format!("{}_{name}_key", draft.name()));
        let words = quoted(&fresh, '"');
        (fresh, words)
    };
    add_constraint::add_index(draft, site, true, words, site.words(&column.name.span));
    Ok(())
}
