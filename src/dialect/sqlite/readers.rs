//! Virtual tables that read their rows from another one, by its name and its rowids (FTS5's and FTS4's `content=`).

use std::collections::BTreeSet;

use crate::dialect::Rows;
use crate::dialect::sqlite::dependents::{origin, refuse, stays};
use crate::dialect::sqlite::draft::{Column, Draft, Source};
use crate::dialect::sqlite::inspect::{Object, State, words};
use crate::dialect::sqlite::places::has_star;
use crate::dialect::sqlite::site::Site;
use crate::dialect::sqlite::table::Table;
use crate::error::Result;
use crate::sql::parse::alter::{Action, ActionKind};
use crate::sql::split::SQLITE;
use crate::sql::token::{significant, unquoted};
use crate::sql::write::quoted;

/// Those of this table.
fn reading(state: &State) -> impl Iterator<Item = &Object> {
    let of_it =
        |object: &&Object| content(&object.sql).is_some_and(|of| of.eq_ignore_ascii_case(&state.table.name().text));
    state.related.iter().filter(of_it)
}

/// Those of a view that stands on it.
fn reading_views(state: &State) -> impl Iterator<Item = &Object> {
    let is_view = |name: &str| {
        let mut related = state.related.iter();
        related.any(|object| object.kind == "view" && object.name.eq_ignore_ascii_case(name))
    };
    let of_one = move |object: &&Object| content(&object.sql).is_some_and(|of| is_view(&of));
    state.related.iter().filter(of_one)
}

/// The table or view that a virtual table takes its rows from.
fn content(sql: &str) -> Option<String> {
    let words: Vec<_> = significant(sql, &SQLITE).map(|token| &sql[token.span]).collect();
    if !words.get(1)?.eq_ignore_ascii_case("VIRTUAL") {
        return None;
    }
    let said = words
        .windows(3)
        .find(|window| window[0].eq_ignore_ascii_case("content") && window[1] == "=")?;
    Some(unquoted(said[2]).into_owned())
}

/// The column that a virtual table finds the rows of its table or view by.
fn content_rowid(sql: &str) -> Option<String> {
    let words: Vec<_> = significant(sql, &SQLITE).map(|token| &sql[token.span]).collect();
    let said = words
        .windows(3)
        .find(|window| window[0].eq_ignore_ascii_case("content_rowid") && window[1] == "=")?;
    Some(unquoted(said[2]).into_owned())
}

/// Whether one finds the rows of the table itself by a column that keeps its values under its name.
fn finds_by_a_column(object: &Object, draft: &Draft<'_>) -> bool {
    let own = content(&object.sql).is_some_and(|of| of.eq_ignore_ascii_case(draft.name()));
    let number = content_rowid(&object.sql).and_then(|name| draft.position(&name));
    // What a view calls so may be the rowid.
    own && number.is_some_and(|at| {
        let column = &draft.columns[at];
        matches!(&column.source, Source::Same(old) if old.eq_ignore_ascii_case(&column.name))
    })
}

/// The full-text tables that take their rows from this one, each with a statement that fails where its index does not
/// fit them (<https://www.sqlite.org/fts5.html>, section 6.7, and fts3.html, section 5).
pub(super) fn indexes(table: &str, query: &mut dyn FnMut(&str) -> Result<Rows>) -> Result<Vec<(String, String)>> {
    let mut pairs = |condition: &str| -> Result<Vec<(String, String)>> {
        let rows = query(&format!(
            "SELECT name, sql FROM main.sqlite_schema WHERE {condition} ORDER BY rowid"
        ))?;
        let pair = |row: Vec<Option<String>>| {
            let mut values = row.into_iter().flatten();
            Some((values.next()?, values.next()?))
        };
        Ok(rows.into_iter().filter_map(pair).collect())
    };
    let all = pairs("lower(substr(sql, 1, 20)) = 'create virtual table'")?;
    if all.is_empty() {
        return Ok(Vec::new());
    }
    let mut read = vec![table.to_ascii_lowercase()];
    let mut views = pairs("type = 'view'")?;
    let mut at = 0;
    while let Some(name) = read.get(at).cloned() {
        let (over, others) = views.into_iter().partition(|(_, sql)| words(sql).contains(&name));
        views = others;
        read.extend::<Vec<String>>(
            over.into_iter()
                .map(|(view, _): (String, String)| view.to_ascii_lowercase())
                .collect(),
        );
        at += 1;
    }
    let reading = all
        .into_iter()
        .filter(|(_, sql)| content(sql).is_some_and(|of| read.contains(&of.to_ascii_lowercase())));
    Ok(reading
        .filter_map(|(name, sql)| {
            let words: Vec<_> = significant(&sql, &SQLITE)
                .map(|token| sql[token.span].to_ascii_lowercase())
                .collect();
            let using = words.iter().position(|word| word == "using")?;
            let called = quoted(&name, '"');
            let check = match unquoted(words.get(using + 1)?).as_ref() {
                "fts5" => format!("INSERT INTO main.{called} ({called}, rank) VALUES ('integrity-check', 1)"),
                "fts4" => format!("INSERT INTO main.{called} ({called}) VALUES ('integrity-check')"),
                _ => return None,
            };
            Some((name, check))
        })
        .collect())
}

/// Whether a virtual table may read a column of the table that it takes its rows from: the names before and the values
/// behind `=` are its columns and options, and the value of `content` is a table.
fn reads(sql: &str, column: &str) -> bool {
    let words: Vec<_> = significant(sql, &SQLITE).map(|token| &sql[token.span]).collect();
    let Some(open) = words.iter().position(|word| *word == "(") else {
        return false;
    };
    words[open + 1..].split(|word| *word == ",").any(|argument| {
        let named = match argument {
            [option, "=", value @ ..] if !option.eq_ignore_ascii_case("content") => value,
            [_, "=", ..] => &[],
            others => &others[..others.len().min(1)],
        };
        let is_it = |word: &&str| unquoted(word).eq_ignore_ascii_case(column);
        named.iter().any(is_it)
    })
}

/// Whether a virtual table names no columns, and has those of the table that it takes its rows from (fts3.html, section 6.2.2).
fn lists_none(sql: &str) -> bool {
    let words: Vec<_> = significant(sql, &SQLITE).map(|token| &sql[token.span]).collect();
    let Some(open) = words.iter().position(|word| *word == "(") else {
        return false;
    };
    let mut arguments = words[open + 1..].split(|word| *word == ",");
    arguments.all(|argument| argument.is_empty() || argument[0] == ")" || argument.get(1) == Some(&"="))
}

/// What to say of virtual tables whose index is of values that change.
pub(super) fn told(draft: &Draft<'_>) -> Vec<String> {
    let converted = draft.columns.iter().filter_map(|column| match &column.source {
        Source::Converted(..) => column.origin.as_deref(),
        _ => None,
    });
    let mut converted: Vec<&str> = converted.collect();
    // What is computed of one changes with it.
    let computed = draft.columns.iter().filter_map(|column| {
        let span = draft.table.expression_of(&column.name)?;
        Some((column.origin.as_deref()?, words(draft.table.at(&span))))
    });
    let mut computed: Vec<_> = computed.collect();
    let uses = |words: &BTreeSet<String>, converted: &[&str]| {
        converted.iter().any(|name| words.contains(&name.to_ascii_lowercase()))
    };
    while let Some(at) = computed.iter().position(|(_, words)| uses(words, &converted)) {
        converted.push(computed.swap_remove(at).0);
    }
    let mut told = Vec::new();
    let of_views = reading_views(draft.state).map(|object| (object, true));
    for (object, by_view) in reading(draft.state).map(|object| (object, false)).chain(of_views) {
        // The columns of a view may have other names.
        let all = by_view || lists_none(&object.sql);
        if let Some(column) = converted.iter().find(|column| all || reads(&object.sql, column)) {
            let name = quoted(&object.name, '"');
            told.push(format!(
                "virtual table `{}` keeps an index of the old values of `{column}` until it is made anew: \
                 INSERT INTO {name} ({name}) VALUES ('rebuild')",
                object.name
            ));
        }
    }
    told
}

/// The names of the number which the file keeps a row under (<https://www.sqlite.org/rowidtable.html>).
pub(super) const ROWID: [&str; 3] = ["rowid", "_rowid_", "oid"];

/// Whether rows get other rowids.
pub(super) fn moves_rowids(draft: &Draft<'_>) -> bool {
    let alias = |table: &Table| table.rowid_alias().map(|alias| alias.name.text.clone());
    let (before, after) = (alias(&draft.state.table), alias(&draft.table));
    let moved = match (&before, &after) {
        (Some(before), Some(after)) => draft.position(after).is_none_or(|position| {
            let same = origin(draft, position).is_some_and(|origin| origin.eq_ignore_ascii_case(before));
            let plain = format!("{}.{}", quoted(draft.name(), '"'), quoted(before, '"'));
            let computed = matches!(&draft.columns[position].source, Source::Converted(value, _) if *value != plain);
            !same || computed
        }),
        (None, Some(after)) => !takes_rowids(draft, after),
        // The copy keeps the numbers of the rows.
        (_, None) => false,
    };
    moved || draft.state.table.without_rowid() != draft.table.without_rowid()
}

/// Whether a column that becomes another name for the rowid has the numbers that the rows had.
fn takes_rowids(draft: &Draft<'_>, name: &str) -> bool {
    let (Some(position), Some(rowid)) = (draft.position(name), draft.rowid()) else {
        return false;
    };
    let rowid = format!("{}.{rowid}", quoted(draft.name(), '"'));
    matches!(&draft.columns[position].source, Source::Converted(value, _) if *value == rowid)
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
    let views = draft.state.related.iter().filter(|object| object.kind == "view");
    let said: Vec<_> = views.map(|view| (words(&view.sql), has_star(&view.sql))).collect();
    let converted = draft.columns.iter().find(|column| {
        let name = column.origin.as_deref().unwrap_or(&column.name).to_ascii_lowercase();
        let mut said = said.iter();
        matches!(column.source, Source::Converted(..)) && said.any(|(words, star)| *star || words.contains(&name))
    });
    // A view may give any of its columns for the number of a row, by another name.
    let names = |view: &Object, name: &str| {
        let words: Vec<_> = significant(&view.sql, &SQLITE)
            .map(|token| &view.sql[token.span])
            .collect();
        words
            .windows(2)
            .any(|two| two[0].eq_ignore_ascii_case("AS") && unquoted(two[1]).eq_ignore_ascii_case(name))
    };
    let may_be = |name: &str| {
        let mut views = draft.state.related.iter().filter(|object| object.kind == "view");
        let known = draft.state.table.column(name).is_some();
        !known
            || converted.is_some_and(|column| column.name.eq_ignore_ascii_case(name))
            || views.any(|view| names(view, name))
    };
    let by_number =
        reading_views(draft.state).find(|object| content_rowid(&object.sql).is_some_and(|name| may_be(&name)));
    if let (Some(column), Some(object)) = (converted, by_number) {
        let what = format!("virtual table `{}`", object.name);
        let why = format!(
            "may find rows by `{}` of `{}`, whose values change",
            column.name,
            draft.name()
        );
        return Err(refuse(site, &what, &why));
    }
    let by_views = reading_views(draft.state).filter(|_| moved);
    for object in reading(draft.state).chain(by_views) {
        let what = format!("virtual table `{}`", object.name);
        if moved && !finds_by_a_column(object, draft) {
            let why = format!(
                "finds the rows of `{}` by their rowids, which would change",
                draft.name()
            );
            return Err(refuse(site, &what, &why));
        }
    }
    let has_values = |column: &Column| {
        column.origin.is_none() && (matches!(column.source, Source::Added(Some(_))) || draft.is_generated(&column.name))
    };
    let moves = !stays(draft) || draft.columns.iter().any(has_values);
    if let Some(object) = reading(draft.state).find(|object| moves && lists_none(&object.sql)) {
        let what = format!("virtual table `{}`", object.name);
        let why = format!(
            "names no columns, has those of `{}` by their places, and has an index of the old ones",
            draft.name()
        );
        return Err(refuse(site, &what, &why));
    }
    // A star leaves it out in silence; a view that says the column breaks by itself.
    let by_star = reading_views(draft.state).filter(|_| said.iter().any(|(_, star)| *star));
    for object in reading(draft.state).chain(by_star) {
        if let Some(old) = lost(draft).find(|old| reads(&object.sql, old)) {
            let why = format!("reads column `{old}` of `{}`", draft.name());
            return Err(refuse(site, &format!("virtual table `{}`", object.name), &why));
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
    // A view follows its table to another name, and a column of the table, whose name may be that of its own as well.
    let of_views = reading_views(state).filter(|_| column.is_some());
    for object in reading(state).chain(of_views) {
        if column.is_none_or(|column| reads(&object.sql, &column.text)) {
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
