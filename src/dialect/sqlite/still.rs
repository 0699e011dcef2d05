//! For scripts, whose databases have not been seen: what does not compile where the revisions are replayed has to be so in
//! the database, and what is made anew has to be stored there as it is known. A table that no revision makes may be all that
//! a view of theirs lacks.

use std::collections::BTreeSet;

use crate::code::Code;
use crate::dialect::sqlite::inspect::{Object, State};
use crate::dialect::sqlite::uncompiled;
use crate::dialect::{Ask, Op};
use crate::error::Result;
use crate::sql::write::{quoted, sqlite_literal};

const MAIN: &str = "main";

/// Why a script stops there.
const MENDED: &str = "these do not compile where the revisions are replayed, and may here, by what no revision \
    makes; they would not be led along: run it online";

/// The queries for those of all views and triggers, and what to say of what they find.
///
/// # Errors
/// Those of the replay.
pub(super) fn mended(ask: &mut dyn Ask) -> Result<Vec<(String, &'static str)>> {
    let broken: Vec<Object> = uncompiled::of(ask, MAIN)?
        .into_iter()
        .map(|(object, _)| object)
        .collect();
    let broken = uncompiled::among(ask, MAIN, &broken.iter().collect::<Vec<_>>())?;
    let queries = queries(&broken, MAIN).into_iter();
    Ok(queries.map(|query| (query, MENDED)).collect())
}

/// Checks that those of these views and triggers which do not compile in the replay do not in the database either.
///
/// # Errors
/// Those of the replay.
pub(super) fn broken(objects: &[&Object], state: &State, last: usize, ask: &mut dyn Ask) -> Result<Vec<Op>> {
    let stored: Vec<&Object> = objects
        .iter()
        .filter(|object| object.schema == state.schema && matches!(object.kind.as_str(), "view" | "trigger"))
        .copied()
        .collect();
    if stored.is_empty() {
        return Ok(Vec::new());
    }
    let broken = uncompiled::among(ask, &state.schema, &stored)?;
    let check = |sql: String| Op::Check {
        sql,
        code: Code::BatchInUse,
        message: MENDED.to_owned(),
        help: "run the upgrade online, which looks at it".to_owned(),
        at: (last, 0..0),
    };
    Ok(queries(&broken, &state.schema).into_iter().map(check).collect())
}

/// The queries for those that may compile: a view of which SQLite knows the columns, a trigger for which there is what it
/// lacks in the replay.
fn queries(broken: &[(Object, String)], schema: &str) -> Vec<String> {
    let mut queries = Vec::new();
    for (object, words) in broken.iter().filter(|(object, _)| object.kind == "trigger") {
        let Some(lacks) = words.split("no such table: ").nth(1) else {
            continue;
        };
        let lacks = lacks.strip_prefix("main.").unwrap_or(lacks);
        queries.push(format!(
            "SELECT {} FROM {}.sqlite_schema WHERE type IN ('table', 'view') AND lower(name) = {} LIMIT 1",
            sqlite_literal(&format!("trigger {}", object.name)),
            quoted(schema, '"'),
            sqlite_literal(&lacks.to_ascii_lowercase())
        ));
    }
    let views = broken.iter().filter(|(object, _)| object.kind == "view");
    let views: Vec<String> = views.map(|(view, _)| sqlite_literal(&view.name)).collect();
    if !views.is_empty() {
        queries.push(format!(
            "SELECT 'view ' || name FROM pragma_table_list WHERE schema = {} AND type = 'view' AND ncol > 0 \
             AND name IN ({}) ORDER BY 1",
            sqlite_literal(schema),
            views.join(", ")
        ));
    }
    queries
}

/// A definition without what does not count: quotes, which SQLite writes itself, and carriage returns, which the `sqlite3`
/// command drops.
fn bare(sql: &str) -> String {
    let sql = sql.replace("\r\n", "\n").replace(['"', '`', '[', ']'], "");
    sql.trim_end_matches(['\t', '\n', '\u{c}', '\r', ' ']).to_owned()
}

/// Likewise in SQL, of a row of the schema.
fn bare_in(row: &str) -> String {
    let mut text = format!("replace({row}.sql, char(13) || char(10), char(10))");
    for quote in ["'\"'", "'`'", "'['", "']'"] {
        text = format!("replace({text}, {quote}, '')");
    }
    format!("rtrim({text}, char(9, 10, 12, 13, 32))")
}

/// The rest of a condition on `row` of the schema: it is none of those that the query finds in the replay, which gives their
/// kinds, names and definitions. By a name alone something else could be there.
///
/// # Errors
/// Those of the replay.
pub(super) fn none_of(found: &str, row: &str, state: &State, ask: &mut dyn Ask) -> Result<String> {
    let mut known = BTreeSet::new();
    let literal = |kind: &str, name: &str, sql: &str| {
        let [kind, name, sql] = [kind, name, &bare(sql)].map(sqlite_literal);
        format!("({kind}, {name}, {sql})")
    };
    for values in ask.query(found)? {
        let mut values = values.into_iter().flatten();
        if let (Some(kind), Some(name), Some(sql)) = (values.next(), values.next(), values.next()) {
            known.insert(literal(&kind, &name, &sql));
        }
    }
    if is_renamed(state, ask)? {
        let reads = state.related.iter().chain(&state.triggers);
        let here = reads.filter(|object| object.schema == state.schema && object.kind != "index");
        known.extend(here.map(|object| literal(&object.kind, &object.name, &object.sql)));
    }
    if known.is_empty() {
        return Ok(String::new());
    }
    let known: Vec<String> = known.into_iter().collect();
    Ok(format!(
        " AND ({row}.type, {row}.name, {}) NOT IN (VALUES {})",
        bare_in(row),
        known.join(", ")
    ))
}

/// Whether columns of the table have other names already than in the replay: such renames come first.
///
/// # Errors
/// Those of the replay.
pub(super) fn is_renamed(state: &State, ask: &mut dyn Ask) -> Result<bool> {
    let stored = ask.query(&format!(
        "SELECT sql FROM {}.sqlite_schema WHERE type = 'table' AND name = {} COLLATE NOCASE",
        quoted(&state.schema, '"'),
        sqlite_literal(&state.table.name().text)
    ))?;
    let mut stored = stored.iter().flatten().flatten();
    Ok(stored.next().is_some_and(|sql| sql != state.table.text()))
}

/// A check that these are stored in the schema of a table as they are known.
pub(super) fn stored(objects: &[Object], state: &State, last: usize) -> Option<Op> {
    let known: Vec<String> = objects
        .iter()
        .filter(|object| object.schema == state.schema)
        .map(|object| {
            let [kind, name, sql] = [&object.kind, &object.name, &bare(&object.sql)].map(|text| sqlite_literal(text));
            format!("({kind}, {name}, {sql})")
        })
        .collect();
    if known.is_empty() {
        return None;
    }
    Some(Op::Check {
        sql: format!(
            "WITH known(type, name, sql) AS (VALUES {}) SELECT type || ' ' || name FROM known WHERE NOT EXISTS (SELECT 1 FROM \
             {}.sqlite_schema AS stored WHERE stored.type = known.type AND stored.name = known.name \
             AND {} = known.sql) ORDER BY 1",
            known.join(", "),
            quoted(&state.schema, '"'),
            bare_in("stored")
        ),
        code: Code::BatchInUse,
        message: "these do not compile, or fire behind one that does not, step aside for a RENAME, and are not stored as the \
                  revisions make them"
            .to_owned(),
        help: "run the upgrade online, which takes them as they are".to_owned(),
        at: (last, 0..0),
    })
}
