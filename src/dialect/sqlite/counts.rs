//! The rows of the tables that refer to one which is copied, counted before and after: none may go along with it.

use crate::code::Code;
use crate::dialect::Op;
use crate::dialect::sqlite::draft::Draft;
use crate::dialect::sqlite::kept::Keys;
use crate::dialect::sqlite::table::Table;
use crate::sorted;
use crate::sql::parse::define::ClauseKind;
use crate::sql::write::{quoted, sqlite_literal};

/// Where the counts are kept while the table is copied.
const MEMORY: &str = "temp.sqlrev_counts";

/// Counts the rows of each table that refers to this one, and in each referring column the values that are not NULL.
/// Foreign keys are off while the table is copied, so nothing follows it; this is the proof.
pub(super) fn of_others(draft: &Draft<'_>, last: usize) -> Keys {
    let others = draft
        .state
        .related
        .iter()
        .filter(|object| object.kind == "table" && object.schema == draft.state.schema);
    let counted: Vec<String> = others
        .filter_map(|object| Table::read(&object.sql))
        .filter_map(|table| count(&table, draft))
        .collect();
    if counted.is_empty() {
        return Keys::default();
    }
    let counts = counted.join(" UNION ALL ");
    Keys {
        before: vec![Op::sql(format!("CREATE TABLE {MEMORY} AS {counts}"), last)],
        after: vec![
            Op::Check {
                sql: format!(
                    "SELECT name FROM (SELECT name, counts FROM ({counts}) EXCEPT SELECT name, counts FROM {MEMORY})"
                ),
                code: Code::WouldDeleteRows,
                message: format!(
                    "the copy of `{}` changed rows of a table that refers to it",
                    draft.name()
                ),
                help: "please report this".to_owned(),
                at: (last, 0..0),
            },
            Op::sql(format!("DROP TABLE {MEMORY}"), last),
        ],
    }
}

/// The query that counts in one table; none when it does not refer to the draft's.
fn count(table: &Table, draft: &Draft<'_>) -> Option<String> {
    let mut columns = Vec::new();
    for (owner, clause) in table.constraints() {
        let ClauseKind::References(key) = &clause.kind else {
            continue;
        };
        if key.table.is(draft.name()) {
            let own = owner.map(|owner| &owner.name.text);
            columns.extend(own.into_iter().chain(key.columns.iter().map(|column| &column.text)));
        }
    }
    sorted::sort(&mut columns);
    columns.dedup();
    let counts: Vec<String> = columns
        .iter()
        .map(|column| format!(" || ' ' || count({})", quoted(column, '"')))
        .collect();
    (!columns.is_empty()).then(|| {
        format!(
            "SELECT {} AS name, count(*){} AS counts FROM {}.{}",
            sqlite_literal(&table.name().text),
            counts.concat(),
            quoted(&draft.state.schema, '"'),
            quoted(&table.name().text, '"')
        )
    })
}
