//! Proofs before anything runs: definitions, the outcome of a draft, and what could break because of it.

use crate::code::Code;
use crate::dialect::sqlite::draft::{Column, Draft, Index};
use crate::dialect::sqlite::inspect::{self, Object, State};
use crate::dialect::sqlite::oracle::{self, Model, Probe, attribute, comparable};
use crate::dialect::sqlite::site::Site;
use crate::dialect::sqlite::{captures, meaning, program, readers, session};
use crate::dialect::{AlterStatement, Ask, Op, Rows, Scratch, ScratchError};
use crate::error::{Error, Result};
use crate::source::Span;
use crate::sql::split::SQLITE;
use crate::sql::token::{significant, unquoted};
use crate::sql::write::{quoted, sqlite_literal};

/// What was found on scratch about the outcome of a draft.
#[derive(Debug)]
pub(super) struct Proof {
    /// What compiles now and has to compile afterwards.
    pub(super) probes: Vec<Probe>,
}

/// Whether SQLite itself takes the statement for the table as it is, without rows.
pub(super) fn takes(ask: &mut dyn Ask, state: &State, statement: &str) -> Result<bool> {
    let mut scratch = ask.scratch()?;
    let hanging: Vec<&Object> = state.indexes.iter().collect();
    let built = oracle::build(scratch.as_mut(), &[], state.table.text(), &hanging);
    Ok(built.is_ok() && scratch.execute(statement).is_ok())
}

/// What has to compile after SQLite's own ALTER of a table.
pub(super) fn table_compiles(schema: &str, table: &str, at: (usize, Span)) -> Op {
    Op::Compiles {
        sql: format!("EXPLAIN SELECT * FROM {}.{}", quoted(schema, '"'), quoted(table, '"')),
        object: format!("table `{table}`"),
        at,
    }
}

/// Refuses an action whose definition SQLite does not take.
pub(super) fn definition(ask: &mut dyn Ask, draft: &Draft<'_>, site: &Site<'_>) -> Result<()> {
    let mut scratch = ask.scratch()?;
    let Err(error) = usable(scratch.as_mut(), draft.table.text(), draft.name()) else {
        return Ok(());
    };
    // A definition that needs functions of the application is not ours to judge.
    if usable(ask.scratch()?.as_mut(), draft.state.table.text(), draft.name()).is_err() {
        return Ok(());
    }
    Err(refused(draft, site, &error))
}

/// Whether a table can be made, and a row put into it: only that looks at the functions in its defaults.
fn usable(scratch: &mut dyn Scratch, text: &str, name: &str) -> Result<(), ScratchError> {
    scratch.execute(text)?;
    let insert = format!("INSERT INTO {} DEFAULT VALUES", quoted(name, '"'));
    // It is compiled and not run, and not by EXPLAIN where that can be helped, which may take any function.
    let compiled = match scratch.reads(&insert, true) {
        Ok(None) => scratch.query(&format!("EXPLAIN {insert}")).map(drop),
        told => told.map(drop),
    };
    match compiled {
        Err(error) if error.message.contains("function") => return Err(error),
        // Whatever else is amiss there, a table that is not on scratch say, is not the definition's fault.
        _ => {}
    }
    // Something may stand in the place of one.
    let lent = scratch.query(session::LENT)?;
    match lent.into_iter().flatten().flatten().next() {
        Some(function) => Err(ScratchError {
            message: format!("no such function: {function}"),
            offset: None,
        }),
        None => Ok(()),
    }
}

fn refused(draft: &Draft<'_>, site: &Site<'_>, error: &ScratchError) -> Error {
    let code = if error.message.contains("no such column") {
        Code::BatchNoColumn
    } else {
        Code::BatchUnsupported
    };
    let words = site.words(&site.span);
    let span = pointed_at(draft.table.text(), error, words).map_or(site.span.clone(), |span| {
        site.span.start + span.start..site.span.start + span.end
    });
    let refused = site.error(
        code,
        format!("`{}` cannot be defined like this", draft.name()),
        &span,
        error.message.clone(),
    );
    if error.message.starts_with("AUTOINCREMENT is only allowed") {
        let table = quoted(draft.name(), '"');
        return refused.help(format!("take it off first: -- sqlrev:autoincrement {table} off"));
    }
    refused
}

/// The place in an action of the word that SQLite points at or names.
fn pointed_at(text: &str, error: &ScratchError, words: &str) -> Option<Span> {
    let pointed = error.offset.and_then(|offset| {
        significant(text, &SQLITE)
            .find(|token| token.span.contains(&offset))
            .map(|token| &text[token.span])
    });
    let named = error
        .message
        .rsplit(": ")
        .next()
        .map(|words| words.trim_end_matches("()"));
    [pointed, named].into_iter().flatten().find_map(|word| {
        let mut found =
            significant(words, &SQLITE).filter(|token| words[token.span.clone()].eq_ignore_ascii_case(word));
        found.next().map(|token| token.span)
    })
}

/// Proves that the definition means what it should, and that nothing else breaks.
pub(super) fn outcome(ask: &mut dyn Ask, draft: &Draft<'_>, run: &[AlterStatement], consumed: usize) -> Result<Proof> {
    let state = draft.state;
    let related: Vec<&Object> = state.related.iter().collect();
    let mut before = ask.scratch()?;
    let mut after = ask.scratch()?;
    for scratch in [&mut before, &mut after] {
        // Not every table that is referred to is there, and what keys need is looked at by itself.
        let _ = scratch.execute("PRAGMA foreign_keys = OFF");
    }
    let hanging: Vec<&Object> = state.indexes.iter().chain(&state.triggers).collect();
    let indexes = draft
        .indexes
        .iter()
        .filter(|index| index.kept)
        .map(|index| &index.object);
    let kept: Vec<&Object> = indexes.chain(&state.triggers).collect();
    let last = consumed.saturating_sub(1);
    let site = Site::whole(&run[last], last);
    let own = |table: &str, column: &str| !state.table.name().is(table) || draft.keeps(column);
    let built = oracle::build(before.as_mut(), &related, state.table.text(), &hanging);
    if built.is_err() {
        return Ok(Proof {
            probes: live_probes(ask, state, &own)?,
        });
    }
    oracle::build(after.as_mut(), &related, draft.table.text(), &kept)
        .map_err(|error| refused(draft, &site, &error))?;
    for index in draft.indexes.iter().filter(|index| index.kept && !index.old) {
        refuse_taken(ask, draft, run, index)?;
        // Built already; a second time it must fail because it is there, and for no other reason.
        if let Err(error) = after.execute(&index.object.sql)
            && !error.message.contains("already exists")
        {
            let site = Site::whole(&run[index.at], index.at);
            return Err(refused(draft, &site, &error));
        }
    }
    compare(draft, before.as_mut(), after.as_mut(), &site)?;
    let views = settable_views(&related, after.as_mut());
    let stays = |table: &str, column: &str| {
        let mut views = views.iter();
        match views.find(|(view, _)| view.eq_ignore_ascii_case(table)) {
            Some((_, columns)) => columns.iter().any(|name| name.eq_ignore_ascii_case(column)),
            None => own(table, column),
        }
    };
    let broken = broken(before.as_mut(), after.as_mut(), state, &related, &stays);
    let broken = broken.or_else(|| meaning::changed(before.as_mut(), after.as_mut(), &meaning::Change::of(draft)));
    if let Some((object, words)) = broken {
        return Err(in_use(draft, run, consumed, &object, &words));
    }
    if readers::moves_rowids(draft)
        && let Some(object) = meaning::by_rowid(before.as_mut(), &state.table)
    {
        let words = format!(
            "finds rows of `{}` by their rowids, which would be others",
            draft.name()
        );
        return Err(in_use(draft, run, consumed, &object, &words));
    }
    if let Some((object, words)) = captures::in_programs(draft, ask)? {
        let error = in_use(draft, run, consumed, &object, &words);
        let own = object.starts_with(program::OWN);
        return Err(if own {
            error.help_in(|_| captures::ANOTHER_NAME.to_owned())
        } else {
            error
        });
    }
    Ok(Proof {
        probes: live_probes(ask, state, &stays)?,
    })
}

/// Refuses a new index whose name something else has.
fn refuse_taken(ask: &mut dyn Ask, draft: &Draft<'_>, run: &[AlterStatement], index: &Index) -> Result<()> {
    let own = |other: &Index| other.old && !other.kept && other.object.name.eq_ignore_ascii_case(&index.object.name);
    if draft.indexes.iter().any(own) {
        return Ok(());
    }
    let rows = ask.query(&format!(
        "SELECT type, tbl_name FROM {}.sqlite_schema WHERE name = {} COLLATE NOCASE AND type <> 'trigger'",
        quoted(&draft.state.schema, '"'),
        sqlite_literal(&index.object.name)
    ))?;
    let Some(row) = rows.into_iter().next() else {
        return Ok(());
    };
    let words: Vec<String> = row.into_iter().map(Option::unwrap_or_default).collect();
    let message = format!(
        "there is already something named `{}`: {}",
        index.object.name,
        words.join(" on ")
    );
    let site = Site::whole(&run[index.at], index.at);
    Err(site.refuse(Code::BatchDuplicate, message, "its index needs a name of its own"))
}

/// The first view or trigger that uses a column, by SQLite's own reading: its text follows the column to another name.
/// Where SQLite cannot follow, one that says the name is taken to mean it.
///
/// That a view still compiles without the column proves nothing: SQLite takes `"a"` for a string then.
pub(super) fn user_of(ask: &mut dyn Ask, state: &State, column: &str) -> Result<Option<String>> {
    let related: Vec<&Object> = state.related.iter().collect();
    let readers = related.iter().copied().chain(&state.triggers);
    let says = |object: &Object| inspect::words(&object.sql).contains(&column.to_ascii_lowercase());
    let mut readers = readers.filter(|object| matches!(object.kind.as_str(), "view" | "trigger") && says(object));
    let Some(first) = readers.next() else {
        return Ok(None);
    };
    let mut scratch = ask.scratch()?;
    let hanging: Vec<&Object> = state.triggers.iter().collect();
    let texts =
        "SELECT type || ' `' || name || '`', sql FROM sqlite_schema WHERE type IN ('view', 'trigger') ORDER BY rowid";
    let rename = format!(
        "ALTER TABLE {} RENAME COLUMN {} TO sqlrev_another_name",
        quoted(&state.table.name().text, '"'),
        quoted(column, '"')
    );
    let built = oracle::build_sound(scratch.as_mut(), &related, state.table.text(), &hanging);
    let before = scratch.query(texts).unwrap_or_default();
    if built.and_then(|()| scratch.execute(&rename)).is_err() {
        return Ok(Some(format!("{} `{}`", first.kind, first.name)));
    }
    let after = scratch.query(texts).unwrap_or_default();
    let changed = before.into_iter().find(|row| !after.contains(row));
    Ok(changed.and_then(|row| row.into_iter().next().flatten()))
}

/// The first thing that compiled before and does not afterwards, with SQLite's words.
fn broken(
    before: &mut dyn Scratch,
    after: &mut dyn Scratch,
    state: &State,
    related: &[&Object],
    stays: &dyn Fn(&str, &str) -> bool,
) -> Option<(String, String)> {
    let mut columns = |table: &str| staying(before, table, stays);
    let mut probes = oracle::probes(&mut columns, &state.triggers, related);
    oracle::once(&mut probes);
    for probe in probes {
        let sql = probe.compiled();
        if before.query(&sql).is_ok()
            && let Err(error) = after.query(&sql)
        {
            return Some((probe.object, error.message));
        }
    }
    let tables = related.iter().filter(|object| object.kind == "table");
    let itself = state.table.name().text.as_str();
    for name in tables.map(|object| object.name.as_str()).chain([itself]) {
        let sql = format!("SELECT 1 FROM pragma_foreign_key_check({})", sqlite_literal(name));
        if before.query(&sql).is_ok()
            && let Err(error) = after.query(&sql)
        {
            return Some((format!("a foreign key of table `{name}`"), error.message));
        }
    }
    None
}

/// An error about something that would break, under the action that seems to be the cause.
fn in_use(draft: &Draft<'_>, run: &[AlterStatement], consumed: usize, object: &str, words: &str) -> Error {
    let named = words.rsplit(": ").next().unwrap_or("");
    let mut sites = Vec::new();
    for (index, statement) in run.iter().take(consumed).enumerate() {
        let actions =
            crate::sql::parse::alter::read(&statement.text).map_or_else(|_| Vec::new(), |alter| alter.actions);
        sites.extend(actions.into_iter().map(|action| Site {
            statement,
            index,
            span: action.span,
        }));
    }
    let mentions = |site: &&Site<'_>| super::expr::mentions(site.words(&site.span), named);
    let cause = sites.iter().find(mentions).or(sites.last()).cloned();
    let site = cause.unwrap_or_else(|| Site::whole(&run[0], 0));
    let action = site.words(&site.span);
    let word =
        significant(action, &SQLITE).find(|token| unquoted(&action[token.span.clone()]).eq_ignore_ascii_case(named));
    let span = word.map_or(site.span.clone(), |token| {
        site.span.start + token.span.start..site.span.start + token.span.end
    });
    site.error(
        Code::BatchInUse,
        format!("{object} would break when `{}` is changed", draft.name()),
        &span,
        words,
    )
    .help("drop it first and create it anew afterwards, in the same revision")
}

/// Compares what SQLite says of the new definition with what it said of the old one and what was asked for.
fn compare(draft: &Draft<'_>, before: &mut dyn Scratch, after: &mut dyn Scratch, site: &Site<'_>) -> Result<()> {
    let internal = |error: ScratchError| site.refuse(Code::BatchInternal, error.message, "");
    let old = Model::read(before, draft.name()).map_err(internal)?;
    let new = Model::read(after, draft.name()).map_err(internal)?;
    let wrong = |what: String| {
        Err(site
            .refuse(
                Code::BatchInternal,
                format!(
                    "the changed definition of `{}` means something else: {what}",
                    draft.name()
                ),
                "",
            )
            .cause(draft.table.text().to_owned()))
    };
    if new.columns.len() != draft.columns.len() {
        return wrong("its columns differ".to_owned());
    }
    for (column, row) in draft.columns.iter().zip(&new.columns) {
        if let Some(what) = differs(draft, column, &old, row) {
            return wrong(what);
        }
    }
    let gone = missing(&old.foreign_keys, &new.foreign_keys);
    let fresh = missing(&new.foreign_keys, &old.foreign_keys);
    let balanced = new.foreign_keys.len() + draft.references_dropped == old.foreign_keys.len() + draft.references_added;
    if gone > draft.references_dropped || fresh > draft.references_added || !balanced {
        return wrong("its foreign keys differ".to_owned());
    }
    Ok(())
}

/// How many of the rows are not `among` the others, each counted as often as it is there.
fn missing(rows: &Rows, among: &Rows) -> usize {
    let mut rest: Vec<&Vec<Option<String>>> = among.iter().collect();
    let mut count = 0;
    for row in rows {
        match rest.iter().position(|other| *other == row) {
            Some(at) => {
                rest.swap_remove(at);
            }
            None => count += 1,
        }
    }
    count
}

fn differs(draft: &Draft<'_>, column: &Column, old: &Model, row: &[Option<String>]) -> Option<String> {
    if !attribute(row, "name").eq_ignore_ascii_case(&column.name) {
        return Some(format!("column `{}` is not in its place", column.name));
    }
    let from = column.origin.as_ref()?;
    let before = old
        .columns
        .iter()
        .find(|row| attribute(row, "name").eq_ignore_ascii_case(from))?;
    for name in ["type", "notnull", "dflt_value", "pk", "hidden"] {
        let in_key = |key: Vec<String>| key.iter().any(|key| key.eq_ignore_ascii_case(&column.name));
        // What a key implies comes and goes with it.
        let implied = name == "notnull"
            && !column.expect.contains_key(name)
            && (in_key(draft.state.table.primary_key()) || in_key(draft.table.primary_key()));
        if implied || name == "pk" && draft.key_changed {
            continue;
        }
        let want = column
            .expect
            .get(name)
            .map_or_else(|| attribute(before, name), |value| comparable(name, value));
        let got = attribute(row, name);
        if want != got {
            return Some(format!("{name} of `{}` is {got} and not {want}", column.name));
        }
    }
    None
}

/// The views that something may be written to, each with its columns.
fn settable_views<'o>(related: &[&'o Object], scratch: &mut dyn Scratch) -> Vec<(&'o str, Vec<String>)> {
    let written = related.iter().filter(|object| object.kind == "trigger");
    let written: Vec<&str> = written.map(|trigger| trigger.table.as_str()).collect();
    let is_written = |view: &&&Object| written.iter().any(|table| table.eq_ignore_ascii_case(&view.name));
    let views = related.iter().filter(|object| object.kind == "view");
    let settable = |view: &&'o Object| {
        let columns = scratch.query(&oracle::settable(&view.name)).unwrap_or_default();
        (view.name.as_str(), columns.into_iter().flatten().flatten().collect())
    };
    views.filter(is_written).map(settable).collect()
}

/// The columns of a table with those first that stay as they are, so that an UPDATE of the first one compiles before and
/// after a change. Where none does, the number of the row stays.
fn staying(scratch: &mut dyn Scratch, table: &str, stays: &dyn Fn(&str, &str) -> bool) -> Rows {
    let columns = scratch.query(&oracle::settable(table)).unwrap_or_default();
    let kept = |row: &Vec<Option<String>>| row.iter().flatten().any(|column| stays(table, column));
    let (mut first, others): (Rows, Rows) = columns.into_iter().partition(kept);
    let numbered = format!("EXPLAIN SELECT rowid FROM {}", quoted(table, '"'));
    if first.is_empty() && scratch.query(&numbered).is_ok() {
        first.push(vec![Some("rowid".to_owned())]);
    }
    first.extend(others);
    first
}

/// What depends on the table and compiles in the database as it is; `stays` says whether a column of a table does.
pub(super) fn live_probes(ask: &mut dyn Ask, state: &State, stays: &dyn Fn(&str, &str) -> bool) -> Result<Vec<Probe>> {
    let related: Vec<&Object> = state.related.iter().collect();
    let mut scratch = ask.scratch()?;
    let hanging: Vec<&Object> = state.indexes.iter().chain(&state.triggers).collect();
    if oracle::build(scratch.as_mut(), &related, state.table.text(), &hanging).is_err() {
        return Ok(Vec::new());
    }
    let mut columns = |table: &str| staying(scratch.as_mut(), table, stays);
    let mut probes = oracle::probes(&mut columns, &state.triggers, &related);
    oracle::once(&mut probes);
    probes.retain(|probe| ask.query(&probe.compiled()).is_ok());
    Ok(probes)
}

/// The probes as things to do.
pub(super) fn compiles(probes: &[Probe], at: &(usize, Span)) -> Vec<Op> {
    let op = |probe: &Probe| Op::Compiles {
        sql: probe.compiled(),
        object: probe.object.clone(),
        at: at.clone(),
    };
    probes.iter().map(op).collect()
}

/// What SQLite's own ALTERs make of the stored table: the definition and its model; `None` when they are refused.
pub(super) fn natively(ask: &mut dyn Ask, draft: &Draft<'_>) -> Result<Option<(String, Model)>> {
    let mut scratch = ask.scratch()?;
    let hanging: Vec<&Object> = draft
        .indexes
        .iter()
        .filter(|index| index.old && index.kept)
        .map(|index| &index.object)
        .collect();
    if oracle::build(scratch.as_mut(), &[], draft.state.table.text(), &hanging).is_err() {
        return Ok(None);
    }
    let schema = format!("{}.", quoted(&draft.state.schema, '"'));
    for (sql, _) in &draft.natives {
        if scratch.execute(&sql.replacen(&schema, "main.", 1)).is_err() {
            return Ok(None);
        }
    }
    let text = scratch.query(&format!(
        "SELECT sql FROM sqlite_schema WHERE type = 'table' AND name = {}",
        sqlite_literal(draft.name())
    ));
    let text = text.ok().and_then(|rows| rows.into_iter().flatten().flatten().next());
    let model = Model::read(scratch.as_mut(), draft.name()).ok();
    Ok(text.zip(model))
}

/// The model of the draft; `None` when scratch cannot build it.
pub(super) fn model(ask: &mut dyn Ask, draft: &Draft<'_>) -> Result<Option<Model>> {
    let mut scratch = ask.scratch()?;
    if scratch.execute(draft.table.text()).is_err() {
        return Ok(None);
    }
    Ok(Model::read(scratch.as_mut(), draft.name()).ok())
}
