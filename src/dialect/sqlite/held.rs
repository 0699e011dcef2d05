//! Rows that pointed at nothing before a script began, and what they hold: one that points at something else afterwards
//! is not the one that was there.

use std::collections::BTreeSet;

use crate::dialect::sqlite::draft::rowid_name;
use crate::dialect::sqlite::references::{ForeignKeys, TOLD, numbered, numbered_where_keys_fit, told};
use crate::dialect::sqlite::table::Table;
use crate::dialect::sqlite::{changed, follow};
use crate::dialect::{Ask, Held, References as _};
use crate::error::Result;
use crate::sql::write::{quoted, sqlite_literal};

/// The tables with foreign keys whose rows a statement may change, itself or through a trigger, and those without rowids
/// whose parents may go.
pub(super) fn by(statement: &str, ask: &mut dyn Ask) -> Result<Vec<Held>> {
    let Some(changed) = changed::changed(statement) else {
        return match ForeignKeys.drops(statement) {
            Some((_, table)) => loses_all(&table, ask),
            None => Ok(Vec::new()),
        };
    };
    let name = sqlite_literal(&changed.table);
    let triggers = ask.query(&format!(
        "SELECT 1 FROM (SELECT type, tbl_name FROM sqlite_schema UNION ALL SELECT type, tbl_name FROM sqlite_temp_schema) \
         WHERE type = 'trigger' AND lower(tbl_name) = lower({name}) LIMIT 1"
    ))?;
    // What a trigger does may be anything.
    let (own, lost) = if triggers.is_empty() {
        let lost = follow::loses(statement, &changed, ask)?;
        (format!("lower(name) = lower({name})"), lost)
    } else {
        ("1".to_owned(), "1".to_owned())
    };
    let comes = changed.brings() || !triggers.is_empty();
    // A row whose parent goes is told by its number, where it has one.
    let tables = ask.query(&format!(
        "SELECT name, sql, {own} AS own, EXISTS (SELECT 1 FROM pragma_foreign_key_list(s.name, 'main') f WHERE {lost}) AS lost \
         FROM sqlite_schema s WHERE type = 'table' AND instr(lower(sql), 'references') AND (own OR lost) ORDER BY name"
    ))?;
    let mut held = Vec::new();
    for row in tables {
        let mut values = row.into_iter().flatten();
        if let (Some(table), Some(sql), Some(own), Some(lost)) =
            (values.next(), values.next(), values.next(), values.next())
        {
            let own = own == "1";
            let found = of(&table, &sql, own && comes || lost == "1", ask)?;
            held.extend(found.filter(|held| own || matches!(held, Held::Uncertain { .. })));
        }
    }
    Ok(held)
}

/// The tables without rowids whose rows refer to a table that goes.
fn loses_all(parent: &str, ask: &mut dyn Ask) -> Result<Vec<Held>> {
    let tables = ask.query(&format!(
        "SELECT name, sql FROM sqlite_schema s WHERE {} ORDER BY name",
        refers_without_numbers(&sqlite_literal(parent))
    ))?;
    let mut held = Vec::new();
    for row in tables {
        let mut values = row.into_iter().flatten();
        if let (Some(table), Some(sql)) = (values.next(), values.next()) {
            let found = of(&table, &sql, true, ask)?;
            held.extend(found.filter(|held| matches!(held, Held::Uncertain { .. })));
        }
    }
    Ok(held)
}

/// The condition for a table that may have no rowids and refers to another one.
fn refers_without_numbers(parent: &str) -> String {
    format!(
        "s.type = 'table' AND lower(s.sql) GLOB '*without*rowid*' AND EXISTS \
         (SELECT 1 FROM pragma_foreign_key_list(s.name, 'main') f WHERE lower(f.\"table\") = lower({parent}))"
    )
}

/// Such rows of a table whose rows get other rowids by a statement and nothing else that their keys go by: none of them is
/// new behind it that was not before.
pub(super) fn renumbered(statement: &str, ask: &mut dyn Ask) -> Result<Option<(String, String)>> {
    let Some(changed) = changed::changed(statement).filter(|changed| changed.verb == "UPDATE") else {
        return Ok(None);
    };
    let own = changed.schema.is_none_or(|schema| schema.eq_ignore_ascii_case("main"));
    let (Some(set), true) = (changed::set_columns(statement), own) else {
        return Ok(None);
    };
    let name = sqlite_literal(&changed.table);
    let set: Vec<String> = set
        .iter()
        .map(|column| sqlite_literal(&column.to_ascii_lowercase()))
        .collect();
    // The number of a row, by its own name or that of the column; and neither a key of the table, in either direction, nor
    // what one may be computed from, nor a trigger.
    let plain = ask.query(&format!(
        "SELECT name FROM sqlite_schema WHERE type = 'table' AND lower(name) = lower({name}) \
         AND (EXISTS (SELECT 1 FROM pragma_table_info({name}, 'main') WHERE pk = 1 AND lower(name) IN ({set})) \
         OR 'rowid' IN ({set}) OR '_rowid_' IN ({set}) OR 'oid' IN ({set})) \
         AND EXISTS (SELECT 1 FROM pragma_foreign_key_list({name}, 'main')) \
         AND NOT EXISTS (SELECT 1 FROM pragma_foreign_key_list({name}, 'main') \
         WHERE lower(\"from\") IN ({set}) OR lower(\"table\") = lower({name})) \
         AND NOT EXISTS (SELECT 1 FROM pragma_table_xinfo({name}, 'main') WHERE hidden > 1) \
         AND NOT EXISTS (SELECT 1 FROM (SELECT type, tbl_name FROM sqlite_schema UNION ALL SELECT type, tbl_name FROM sqlite_temp_schema) \
         WHERE type = 'trigger' AND lower(tbl_name) = lower({name})) \
         AND NOT EXISTS (SELECT 1 FROM sqlite_temp_schema WHERE lower(name) = lower({name})) \
         AND NOT EXISTS (SELECT 1 FROM sqlite_schema s WHERE {refers})",
        set = set.join(", "),
        refers = refers_without_numbers(&name),
    ))?;
    let table = plain.into_iter().flatten().flatten().next();
    Ok(table.map(|table| {
        let query = format!(
            "SELECT {TOLD} AS orphan FROM {} WHERE rowid IS NOT NULL",
            numbered(&format!("({})", sqlite_literal(&table)))
        );
        (table, query)
    }))
}

/// Remembers those, all of which have to be old ones.
pub(super) fn keep_renumbered(query: &str) -> String {
    format!("CREATE TEMP TABLE sqlrev_renumbered AS {query};\n")
}

/// They have the rowids by now that the query gives.
pub(super) fn renumber(query: &str) -> String {
    let now = format!(
        "SELECT orphan, rows FROM temp.sqlrev_orphans \
         WHERE orphan NOT IN (SELECT orphan FROM temp.sqlrev_renumbered) \
         UNION ALL SELECT orphan, count(*) FROM ({query}) GROUP BY orphan"
    );
    format!("{}DROP TABLE temp.sqlrev_renumbered;\n", told_by(&now))
}

/// Behind a RENAME TO they are told by the new name of their table or parent; what points at something by now is no old one
/// any more.
pub(super) fn rename(from: &str, to: &str, replaced: &BTreeSet<String>) -> String {
    let (told, from, to) = (told(replaced), sqlite_literal(from), sqlite_literal(to));
    let then = |column: &str| format!("CASE lower({column}) WHEN {to} THEN {from} ELSE {column} END AS {column}");
    told_by(&format!(
        "SELECT now.orphan, rows FROM temp.sqlrev_orphans old JOIN (SELECT DISTINCT {told} AS orphan, \
         (SELECT {told} FROM (SELECT {}, rowid, {}, number)) AS old FROM {}) now ON now.old = old.orphan",
        then("\"table\""),
        then("parent"),
        numbered_where_keys_fit()
    ))
}

/// As queries' tables they count neither as changed rows nor as the last row that was inserted.
fn told_by(now: &str) -> String {
    format!(
        "CREATE TEMP TABLE sqlrev_orphans_now AS {now};\n\
         DROP TABLE temp.sqlrev_orphans;\n\
         CREATE TEMP TABLE sqlrev_orphans AS SELECT orphan, rows FROM temp.sqlrev_orphans_now;\n\
         DROP TABLE temp.sqlrev_orphans_now;\n"
    )
}

/// A query for rows of attached databases that point at nothing, where a statement may change rows there.
pub(super) fn elsewhere(statement: &str, ask: &mut dyn Ask) -> Result<Option<&'static str>> {
    let drops = || ForeignKeys.drops(statement);
    let changed = changed::changed(statement).map(|changed| (changed.schema, changed.table));
    let Some((schema, table)) = changed.or_else(drops) else {
        return Ok(None);
    };
    let own = |schema: &str| ["main", "temp"].iter().any(|own| schema.eq_ignore_ascii_case(own));
    let [others, known] = ForeignKeys.attached(&table);
    let there = match schema {
        Some(schema) if !own(&schema) => true,
        _ if ask.query(&others)?.is_empty() => false,
        None if ask.query(&known)?.is_empty() => true,
        // A temporary trigger may reach there.
        _ => {
            let name = sqlite_literal(&table);
            let fires = format!("type = 'trigger' AND lower(tbl_name) = lower({name})");
            let triggers = ask.query(&format!("SELECT 1 FROM sqlite_temp_schema WHERE {fires} LIMIT 1"))?;
            !triggers.is_empty()
        }
    };
    Ok(there.then_some(ELSEWHERE))
}

/// In this order alone SQLite hands the name of the database on.
const ELSEWHERE: &str = "SELECT 'a row of ' || d.name || '.' || k.\"table\" || coalesce(' with rowid ' || k.rowid, '') || \
    ' points at nothing in ' || k.parent FROM pragma_database_list d CROSS JOIN pragma_foreign_key_check(NULL, d.name) k \
    WHERE lower(d.name) NOT IN ('main', 'temp')";

fn of(table: &str, sql: &str, comes: bool, ask: &mut dyn Ask) -> Result<Option<Held>> {
    let name = sqlite_literal(table);
    let keys = ask.query(&format!(
        "SELECT id, \"from\", \"table\" FROM pragma_foreign_key_list({name}) ORDER BY id, seq"
    ))?;
    let mut columns: Vec<(String, Vec<String>)> = Vec::new();
    let mut parents = Vec::new();
    for row in keys {
        let mut values = row.into_iter().flatten();
        let (Some(id), Some(from), Some(parent)) = (values.next(), values.next(), values.next()) else {
            continue;
        };
        parents.push(sqlite_literal(&format!("{table} {parent}").to_ascii_lowercase()));
        let from = format!("quote({})", quoted(&from, '"'));
        match columns.iter_mut().find(|(known, _)| *known == id) {
            Some((_, columns)) => columns.push(from),
            None => columns.push((id, vec![from])),
        }
    }
    if columns.is_empty() {
        return Ok(None);
    }
    let Some(rowid) = Table::read(sql).as_ref().and_then(rowid_name) else {
        return Ok(comes.then(|| Held::Uncertain {
            table: table.to_owned(),
            query: format!("SELECT 'points at nothing in ' || parent FROM pragma_foreign_key_check({name})"),
            orphans: parents.join(", "),
        }));
    };
    let held = columns.iter().map(|(id, columns)| {
        let columns = columns.join(" || ' ' || ");
        format!(
            "WHEN {id} THEN (SELECT {columns} FROM main.{} WHERE {rowid} = k.\"rowid\")",
            quoted(table, '"')
        )
    });
    let held: Vec<String> = held.collect();
    Ok(Some(Held::Rows {
        table: table.to_owned(),
        query: format!(
            "SELECT {TOLD} AS orphan, CASE fkid {} END AS held FROM {} k",
            held.join(" "),
            numbered(&format!("({name})"))
        ),
    }))
}

/// Remembers them.
pub(super) fn keep(number: usize, query: &str) -> String {
    // As a query's table it does not count as the last row that was inserted.
    format!("CREATE TEMP TABLE sqlrev_held_{number} AS {query};\n")
}

/// Those that were mended are no old ones any more.
pub(super) fn forget_mended(query: &str) -> String {
    format!("DELETE FROM temp.sqlrev_orphans WHERE orphan NOT IN (SELECT orphan FROM ({query}));\n")
}

/// Those that hold something else now, or were mended, are no old ones any more.
pub(super) fn forget(number: usize, query: &str) -> String {
    format!(
        "DELETE FROM temp.sqlrev_orphans WHERE orphan IN (SELECT orphan FROM \
         (SELECT orphan, held FROM temp.sqlrev_held_{number} EXCEPT {query}));\n\
         DROP TABLE temp.sqlrev_held_{number};\n"
    )
}

/// Likewise all those of a table without rowids, after a guard that there are none.
pub(super) fn forget_these(orphans: &str) -> String {
    format!("DELETE FROM temp.sqlrev_orphans WHERE orphan IN ({orphans});\n")
}
