//! For scripts, whose databases have not been seen: what does not compile where the revisions are replayed has to be so in
//! the database, and what is made anew has to be stored there as it is known. A table that no revision makes may be all that
//! a view of theirs lacks.

use std::collections::BTreeSet;

use crate::code::Code;
use crate::dialect::ScriptSql as _;
use crate::dialect::sqlite::inspect::{Object, State, views_and_triggers, words};
use crate::dialect::sqlite::script::SqliteScript;
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
pub(super) fn mended(tables: &BTreeSet<String>, ask: &mut dyn Ask) -> Result<Vec<(String, &'static str)>> {
    let all = views_and_triggers(ask, MAIN)?;
    let mut names = tables.clone();
    let says = |object: &Object, names: &BTreeSet<String>| !words(&object.sql).is_disjoint(names);
    while let Some(view) = all.iter().find(|object| {
        object.kind == "view" && !names.contains(&object.name.to_ascii_lowercase()) && says(object, &names)
    }) {
        names.insert(view.name.to_ascii_lowercase());
    }
    let readers: Vec<&Object> = all.iter().filter(|object| says(object, &names)).collect();
    let broken = uncompiled::among(ask, MAIN, &readers)?;
    let queries = queries(&broken, MAIN, "", ask)?.into_iter();
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
    Ok(queries(&broken, &state.schema, &state.table.name().text, ask)?
        .into_iter()
        .map(check)
        .collect())
}

/// The queries for those that may compile: there is what they lack in the replay.
fn queries(broken: &[(Object, String)], schema: &str, own: &str, ask: &mut dyn Ask) -> Result<Vec<String>> {
    let mut queries = Vec::new();
    for (object, words) in broken {
        let Some(lacks) = words.split("no such table: ").nth(1) else {
            queries.extend(changed_tables(object, schema, own, ask)?);
            continue;
        };
        let lacks = lacks.strip_prefix("main.").unwrap_or(lacks);
        queries.push(format!(
            "SELECT {} FROM {}.sqlite_schema WHERE type IN ('table', 'view') AND lower(name) = {} LIMIT 1",
            sqlite_literal(&format!("{} {}", object.kind, object.name)),
            quoted(schema, '"'),
            sqlite_literal(&lacks.to_ascii_lowercase())
        ));
    }
    Ok(queries)
}

/// The query for tables that a view or trigger names, and what stands on them, where they are not stored as in the replay:
/// it may have there what it lacks, a column or a key. SQL cannot ask whether it compiles. The table that changes, `own`, is
/// looked at by itself.
fn changed_tables(object: &Object, schema: &str, own: &str, ask: &mut dyn Ask) -> Result<Option<String>> {
    let mut said = words(&object.sql);
    let mut views = views_and_triggers(ask, schema)?;
    views.retain(|view| view.kind == "view");
    while let Some(at) = views
        .iter()
        .position(|view| said.contains(&view.name.to_ascii_lowercase()))
    {
        said.extend(words(&views.swap_remove(at).sql));
    }
    let others = said.iter().filter(|word| !word.eq_ignore_ascii_case(own));
    let named: Vec<String> = others.map(|word| sqlite_literal(word)).collect();
    let of_them = format!(
        "FROM {}.sqlite_schema AS part WHERE type IN ('table', 'index', 'view') AND sql IS NOT NULL AND lower(tbl_name) IN ({})",
        quoted(schema, '"'),
        named.join(", ")
    );
    let known = known_in(&format!("SELECT type, name, sql {of_them}"), ask)?;
    let other = except(&known.into_iter().collect::<Vec<_>>(), "part");
    Ok((!other.is_empty()).then(|| format!("SELECT type || ' ' || name {of_them}{other} ORDER BY 1")))
}

/// A definition without what does not count: quotes, which SQLite writes itself, and carriage returns, which the `sqlite3`
/// command drops.
fn bare(sql: &str) -> String {
    let sql = sql.replace(['\r', '"', '`', '[', ']'], "");
    sql.trim_end_matches(['\t', '\n', '\u{c}', ' ', ';']).to_owned()
}

/// Likewise in SQL, of a row of the schema.
fn bare_in(row: &str) -> String {
    let mut text = format!("replace({row}.sql, char(13), '')");
    for quote in ["'\"'", "'`'", "'['", "']'"] {
        text = format!("replace({text}, {quote}, '')");
    }
    format!("rtrim({text}, char(9, 10, 12, 32) || ';')")
}

/// The rest of a condition on `row` of the schema: it is none of those that the query finds in the replay, which gives their
/// kinds, names and definitions. By a name alone something else could be there.
///
/// # Errors
/// Those of the replay.
pub(super) fn none_of(found: &str, row: &str, state: &State, ask: &mut dyn Ask) -> Result<String> {
    let mut known = known_in(found, ask)?;
    if is_renamed(state, ask)? {
        let reads = state.related.iter().chain(&state.triggers);
        let here = reads.filter(|object| object.schema == state.schema && object.kind != "index");
        known.extend(here.map(|object| [object.kind.clone(), object.name.clone(), object.sql.clone()]));
    }
    Ok(except(&known.into_iter().collect::<Vec<_>>(), row))
}

/// The kinds, names and definitions that the query gives.
fn known_in(found: &str, ask: &mut dyn Ask) -> Result<BTreeSet<[String; 3]>> {
    let rows = ask.query(found)?.into_iter();
    let known = rows.filter_map(|values| {
        let mut values = values.into_iter().flatten();
        Some([values.next()?, values.next()?, values.next()?])
    });
    Ok(known.collect())
}

/// The condition that `row` is none of these.
fn except(known: &[[String; 3]], row: &str) -> String {
    if known.is_empty() {
        return String::new();
    }
    format!(
        " AND ({row}.type, {row}.name, {}) NOT IN (VALUES {})",
        bare_in(row),
        literals(known)
    )
}

/// These as rows: kind, name and bare definition. What a script has to spell in another way, a carriage return within a text
/// say, is known in both.
fn literals(known: &[[String; 3]]) -> String {
    let mut rows = BTreeSet::new();
    for [kind, name, sql] in known {
        let mut add = |sql: &str| {
            let [kind, name, sql] = [kind, name, &bare(sql)].map(|text| sqlite_literal(text));
            rows.insert(format!("({kind}, {name}, {sql})"));
        };
        add(sql);
        let spelled = SqliteScript.statement(sql);
        if spelled != *sql {
            add(&spelled);
        }
    }
    let rows: Vec<String> = rows.into_iter().collect();
    rows.join(", ")
}

/// Whether columns of the table have other names already than in the replay: such renames come first.
///
/// # Errors
/// Those of the replay.
fn is_renamed(state: &State, ask: &mut dyn Ask) -> Result<bool> {
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
    let here = objects.iter().filter(|object| object.schema == state.schema);
    let known: Vec<[String; 3]> = here
        .map(|object| [object.kind.clone(), object.name.clone(), object.sql.clone()])
        .collect();
    if known.is_empty() {
        return None;
    }
    Some(Op::Check {
        sql: format!(
            "WITH known(type, name, sql) AS (VALUES {}) SELECT DISTINCT type || ' ' || name FROM known WHERE NOT EXISTS \
             (SELECT 1 FROM {}.sqlite_schema AS stored WHERE stored.type = known.type AND stored.name = known.name \
             AND (stored.type, stored.name, {}) IN (SELECT * FROM known)) ORDER BY 1",
            literals(&known),
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
