//! The name that a table has while another one takes its place.

use crate::code::Code;
use crate::dialect::sqlite::draft::Draft;
use crate::dialect::sqlite::inspect::State;
use crate::dialect::{Ask, Op};
use crate::error::Result;
use crate::sql::write::{quoted, sqlite_literal};

/// A check that nothing has a name for which a script uses it: what no revision makes may.
pub(super) fn is_free(state: &State, name: &str, at: usize) -> Op {
    let table = &state.table.name().text;
    Op::Check {
        sql: format!(
            "SELECT type, name FROM {}.sqlite_schema WHERE name = {} COLLATE NOCASE AND type <> 'trigger'",
            quoted(&state.schema, '"'),
            sqlite_literal(name)
        ),
        code: Code::BatchDuplicate,
        message: format!(
            "`{name}` is there, which is the name that `{table}` gets meanwhile: rename or drop it, or run the upgrade online"
        ),
        help: String::new(),
        at: (at, 0..0),
    }
}

/// The tables of the tool itself, which a replay does not have.
const OWN: [&str; 2] = ["sqlrev_log", "sqlrev_revisions"];

/// A name that nothing in the schema has, nor anything of `temp`, which would hide it.
pub(super) fn free_name(draft: &Draft<'_>, ask: &mut dyn Ask) -> Result<String> {
    let mut name = format!("sqlrev_{}", draft.name());
    if OWN.iter().any(|own| name.eq_ignore_ascii_case(own)) {
        name.push('_');
    }
    loop {
        let rows = ask.query(&format!(
            "SELECT 1 FROM {0}.sqlite_schema WHERE name = {1} COLLATE NOCASE \
             UNION ALL SELECT 1 FROM sqlite_temp_schema WHERE name = {1} COLLATE NOCASE",
            quoted(&draft.state.schema, '"'),
            sqlite_literal(&name)
        ))?;
        if rows.is_empty() {
            return Ok(name);
        }
        name.push('_');
    }
}
