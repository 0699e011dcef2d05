//! Definitions that hold bytes which are no UTF-8. SQLite stores and runs them; a text of ours has a replacement character in
//! their place, so what is written anew would be another definition.

use crate::code::Code;
use crate::dialect::Ask;
use crate::dialect::sqlite::inspect::{Object, State};
use crate::dialect::sqlite::site::Site;
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
    for object in [&table].into_iter().chain(&state.indexes).chain(&state.triggers) {
        if !may_differ(&object.sql) || is_stored(object, ask)? {
            continue;
        }
        let message = format!(
            "the definition of the {} `{}` holds bytes that are no UTF-8, and a change of `{}` would store others",
            object.kind, object.name, table.name
        );
        let help = if object.kind == "table" {
            "create a table with a definition in UTF-8, and copy the rows into it with INSERT … SELECT".to_owned()
        } else {
            let (kind, name) = (object.kind.to_ascii_uppercase(), quoted(&object.name, '"'));
            format!("drop it before this statement and create it in UTF-8 behind it: DROP {kind} {name};")
        };
        return Err(site
            .refuse(Code::BatchUnsupported, message, "would write it anew")
            .help(help));
    }
    Ok(())
}

fn is_stored(object: &Object, ask: &mut dyn Ask) -> Result<bool> {
    let rows = ask.query(&format!(
        "SELECT 1 FROM {}.sqlite_schema WHERE type = {} AND name = {} AND sql = {}",
        quoted(&object.schema, '"'),
        sqlite_literal(&object.kind),
        sqlite_literal(&object.name),
        sqlite_literal(&object.sql)
    ))?;
    Ok(!rows.is_empty())
}
