//! What has to be kept while a table changes: the planner's statistics, and references between rows.

use crate::code::Code;
use crate::dialect::sqlite::draft::Draft;
use crate::dialect::sqlite::names;
use crate::dialect::sqlite::table::Table;
use crate::dialect::{Ask, Op};
use crate::error::Result;
use crate::sql::parse::define::ClauseKind;
use crate::sql::write::{quoted, sqlite_literal};

/// The tables of statistics that there are.
pub(super) fn statistics(draft: &Draft<'_>, ask: &mut dyn Ask) -> Result<Vec<String>> {
    let rows = ask.query(&format!(
        "SELECT name FROM {}.sqlite_schema WHERE name IN ('sqlite_stat1', 'sqlite_stat4') ORDER BY name",
        quoted(&draft.state.schema, '"')
    ))?;
    Ok(rows.into_iter().flatten().flatten().collect())
}

/// Takes the statistics of indexes away that are gone, or that a constraint now makes for other columns.
pub(super) fn forget_statistics(draft: &Draft<'_>, tables: &[&str], last: usize, ops: &mut Vec<Op>) {
    let dropped = draft.indexes.iter().filter(|index| index.old && !index.kept);
    let mut gone: Vec<String> = dropped.map(|index| sqlite_literal(&index.object.name)).collect();
    // The columns of the indexes that constraints make, in the order in which those are numbered.
    let made = |text: &str| {
        let table = Table::read(text)?;
        let has_alias = table.rowid_alias().is_some();
        let keys = table.constraints().filter_map(|(column, clause)| {
            let (ClauseKind::Unique { columns, .. } | ClauseKind::PrimaryKey { columns, .. }) = &clause.kind else {
                return None;
            };
            let columns: Vec<String> = match column {
                Some(column) => vec![column.name.text.clone()],
                None => columns.iter().map(|column| column.text.clone()).collect(),
            };
            let rowid = matches!(clause.kind, ClauseKind::PrimaryKey { .. }) && has_alias;
            (!rowid).then_some(columns)
        });
        Some(keys.collect::<Vec<_>>())
    };
    if made(draft.state.table.text()) != made(draft.table.text()) {
        gone.extend((1..=64).map(|number| sqlite_literal(&format!("sqlite_autoindex_{}_{number}", draft.name()))));
    }
    if gone.is_empty() {
        return;
    }
    for table in tables {
        ops.push(Op::sql(
            format!(
                "DELETE FROM {}.{table} WHERE tbl = {} AND idx IN ({})",
                quoted(&draft.state.schema, '"'),
                sqlite_literal(draft.name()),
                gone.join(", ")
            ),
            last,
        ));
    }
}

/// What is done before and after a change that converts keys or what refers to them, so that rows that referred to a
/// row still do; those that did not are remembered and do not count.
#[derive(Debug, Default)]
pub(super) struct Keys {
    pub(super) before: Vec<Op>,
    pub(super) after: Vec<Op>,
}

pub(super) fn keys(draft: &Draft<'_>) -> Keys {
    let mut keys = Keys::default();
    let Some(at) = &draft.keys_converted else { return keys };
    let name = draft.name();
    let others =
        draft.state.related.iter().filter(|object| {
            object.kind == "table" && object.schema == draft.state.schema && refers(&object.sql, name)
        });
    let mut tables: Vec<&str> = others.map(|object| object.name.as_str()).collect();
    if names::constraints(draft)
        .iter()
        .any(|named| matches!(named.clause.kind, ClauseKind::References(_)))
    {
        tables.push(name);
    }
    for (number, table) in tables.into_iter().enumerate() {
        let memory = format!("temp.sqlrev_orphans_{number}");
        let violations = format!(
            "SELECT \"rowid\" AS id, fkid FROM pragma_foreign_key_check({}, {})",
            sqlite_literal(table),
            sqlite_literal(&draft.state.schema)
        );
        let run = |sql: String| Op::sql(sql, at.0);
        keys.before.push(run(format!("CREATE TABLE {memory} AS {violations}")));
        keys.after.push(Op::Check {
            sql: format!(
                "SELECT {} || id FROM (SELECT id, fkid FROM ({violations}) EXCEPT SELECT id, fkid FROM {memory}) WHERE id IS NOT NULL \
                 UNION ALL SELECT 'rows of a table without rowids' \
                 WHERE (SELECT count(*) FROM ({violations}) WHERE id IS NULL) > \
                 (SELECT count(*) FROM {memory} WHERE id IS NULL) LIMIT 10",
                sqlite_literal(&format!("{table}: rowid "))
            ),
            code: Code::BatchForeignKey,
            message: format!("rows of `{table}` would no longer refer to a row that is there"),
            help: "drop the foreign key first, change both columns in the same way, and add the key again".to_owned(),
            at: at.clone(),
        });
        keys.after.push(run(format!("DROP TABLE {memory}")));
    }
    keys
}

fn refers(sql: &str, table: &str) -> bool {
    Table::read(sql).is_some_and(|other| {
        other
            .constraints()
            .any(|(_, clause)| matches!(&clause.kind, ClauseKind::References(key) if key.table.is(table)))
    })
}
