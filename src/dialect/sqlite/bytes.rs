//! Definitions that hold bytes which are no UTF-8. SQLite stores and runs them; a text of ours has a replacement character in
//! their place, so what is written anew would be another definition.

use crate::code::Code;
use crate::dialect::sqlite::inspect::{Object, State};
use crate::dialect::sqlite::site::Site;
use crate::dialect::{Ask, Rows};
use crate::error::Result;
use crate::sql::write::{quoted, sqlite_literal};

/// What stands in place of such bytes.
const REPLACED: char = '\u{FFFD}';

/// Whether a text may have lost bytes.
pub(super) fn may_differ(text: &str) -> bool {
    text.contains(REPLACED)
}

/// Refuses to write a table, its indexes and its triggers anew where the text of one is not what is stored.
pub(super) fn refuse(state: &State, site: &Site<'_>, ask: &mut dyn Ask) -> Result<()> {
    let table = state.object();
    let objects = [&table].into_iter().chain(&state.indexes).chain(&state.triggers);
    let why = format!("a change of `{}` would store others", table.name);
    refuse_any(objects, &why, site, ask)
}

/// Refuses to write these anew where the text of one is not what is stored, in words for what would become of it.
pub(super) fn refuse_any<'o>(
    objects: impl Iterator<Item = &'o Object>,
    why: &str,
    site: &Site<'_>,
    ask: &mut dyn Ask,
) -> Result<()> {
    for Object {
        schema,
        kind,
        name,
        sql,
        ..
    } in objects
    {
        if is_stored(schema, [kind, name, sql], &mut |sql| ask.query(sql))? {
            continue;
        }
        let message = format!("the definition of the {kind} `{name}` holds bytes that are no UTF-8, and {why}");
        let before = "before this statement";
        return Err(site
            .refuse(Code::BatchUnsupported, message, "would write it anew")
            .help(help(kind, name, before)));
    }
    Ok(())
}

/// What to do about it, and when.
pub(super) fn help(kind: &str, name: &str, before: &str) -> String {
    if kind == "table" {
        return format!(
            "create a table with a definition in UTF-8 {before}, and move the rows there with INSERT … SELECT"
        );
    }
    let (kind, name) = (kind.to_ascii_uppercase(), quoted(name, '"'));
    format!("drop it {before}, and create it in UTF-8: DROP {kind} {name};")
}

/// Whether the text of an object, of which kind and name are known, is what is stored.
pub(super) fn is_stored(
    schema: &str,
    [kind, name, sql]: [&str; 3],
    query: &mut dyn FnMut(&str) -> Result<Rows>,
) -> Result<bool> {
    if !may_differ(sql) {
        return Ok(true);
    }
    let rows = query(&format!(
        "SELECT 1 FROM {}.sqlite_schema WHERE type = {} AND name = {} AND sql = {}",
        quoted(schema, '"'),
        sqlite_literal(kind),
        sqlite_literal(name),
        sqlite_literal(sql)
    ))?;
    Ok(!rows.is_empty())
}
