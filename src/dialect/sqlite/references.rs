//! Foreign keys in SQLite, which may be off: rows that point at nothing, and what follows a table.

use std::collections::BTreeSet;

use crate::dialect::{References, Rows};
use crate::error::Result;
use crate::sql::write::{quoted, sqlite_literal};

/// What `PRAGMA foreign_key_check` and `foreign_key_list` tell (pragma.html).
#[derive(Debug)]
pub(super) struct ForeignKeys;

/// How many rows of a table are named by their keys.
const NAMED: usize = 10;

impl References for ForeignKeys {
    fn orphans(&self) -> &'static str {
        "SELECT \"table\" || ' ' || coalesce(rowid, '') || ' ' || parent || ' ' || fkid AS orphan, \
         'a row of ' || \"table\" || coalesce(' with rowid ' || rowid, '') || ' points at nothing in ' || parent AS words \
         FROM pragma_foreign_key_check"
    }

    /// Those of replaced tables may have other rowids than before, and rows of a table without rowids have none: they are
    /// told by table and parent, and counted.
    fn orphans_after(&self, replaced: &BTreeSet<String>, table: Option<&str>) -> String {
        let names: Vec<String> = replaced.iter().map(|name| sqlite_literal(name)).collect();
        let loose = format!("rowid IS NULL OR lower(\"table\") IN ({})", names.join(", "));
        let table = table.map(|table| format!("({})", sqlite_literal(table)));
        format!(
            "SELECT CASE WHEN {loose} THEN \"table\" || ' ' || parent \
             ELSE \"table\" || ' ' || rowid || ' ' || parent || ' ' || fkid END AS orphan, \
             'a row of ' || \"table\" || coalesce(' with rowid ' || rowid, '') || ' points at nothing in ' || parent AS words \
             FROM pragma_foreign_key_check{}",
            table.unwrap_or_default()
        )
    }

    fn orphans_by_key(&self, query: &mut dyn FnMut(&str) -> Result<Rows>) -> Result<Vec<[String; 2]>> {
        let nameless = "SELECT DISTINCT \"table\", parent, fkid FROM pragma_foreign_key_check WHERE rowid IS NULL";
        let mut named = Vec::new();
        for row in query(nameless)? {
            let mut values = row.into_iter().flatten();
            if let (Some(table), Some(parent), Some(id)) = (values.next(), values.next(), values.next()) {
                let alike = format!("a row of {table} points at nothing in {parent}");
                let keys = keys(&table, &parent, &id, query)?;
                named.extend(keys.into_iter().map(|key| {
                    let words = format!("a row of {table} with {key} points at nothing in {parent}");
                    [alike.clone(), words]
                }));
            }
        }
        Ok(named)
    }

    fn referring(&self) -> &'static str {
        "SELECT name FROM sqlite_schema WHERE type = 'table' AND sql LIKE '%references%' ORDER BY 1"
    }

    fn orphans_around(&self, table: &str) -> [String; 2] {
        let name = sqlite_literal(table);
        let own = format!("SELECT count(*) FROM pragma_foreign_key_check({name})");
        let others = format!(
            "SELECT DISTINCT s.name, 'SELECT count(*) FROM pragma_foreign_key_check(' || quote(s.name) || ') \
             WHERE lower(parent) = lower(' || quote({name}) || ')' \
             FROM sqlite_schema s, pragma_foreign_key_list(s.name) f WHERE s.type = 'table' \
             AND s.sql LIKE '%references%' AND lower(f.\"table\") = lower({name}) AND lower(s.name) <> lower({name}) \
             ORDER BY 1"
        );
        [own, others]
    }

    fn followers(&self, table: &str) -> String {
        // Each list of foreign keys costs more than a look at the text, and a name with a quote is written otherwise there.
        let plain = !table.contains(['"', '`', '\'', ']']);
        let table = sqlite_literal(table);
        let named = if plain {
            format!("AND instr(lower(s.sql), {table}) > 0")
        } else {
            String::new()
        };
        format!(
            "SELECT s.name, f.\"from\" FROM sqlite_schema s, pragma_foreign_key_list(s.name) f WHERE s.type = 'table' \
             AND s.sql LIKE '%references%' {named} AND lower(f.\"table\") = lower({table}) AND lower(s.name) <> lower({table}) \
             AND f.on_delete NOT IN ('NO ACTION', 'RESTRICT') ORDER BY 1, 2"
        )
    }

    /// Tables by a foreign key, views and triggers in the spelling of a RENAME.
    fn refers_to(&self, table: &str) -> String {
        let name = sqlite_literal(table);
        let spelled = sqlite_literal(&quoted(table, '"').to_ascii_lowercase());
        format!(
            "SELECT DISTINCT s.type, s.name FROM sqlite_schema s, pragma_foreign_key_list(s.name) f WHERE s.type = 'table' \
             AND lower(f.\"table\") = lower({name}) AND NOT EXISTS (SELECT 1 FROM sqlite_schema \
             WHERE type IN ('table', 'view') AND lower(name) = lower({name})) \
             UNION ALL SELECT type, name FROM sqlite_schema WHERE type IN ('view', 'trigger') \
             AND instr(lower(sql), {spelled}) > 0 AND NOT EXISTS (SELECT 1 FROM sqlite_schema \
             WHERE type IN ('table', 'view') AND lower(name) = lower({name})) ORDER BY 1, 2"
        )
    }

    fn filled(&self, table: &str) -> String {
        let name = sqlite_literal(table);
        format!(
            "SELECT DISTINCT lower(\"from\"), 'SELECT count(\"' || replace(\"from\", '\"', '\"\"') || '\") FROM ' || {} \
             FROM pragma_foreign_key_list({name}) ORDER BY 1",
            sqlite_literal(&quoted(table, '"'))
        )
    }
}

/// The keys of the rows of a table without rowids that a foreign key leads to nothing.
fn keys(table: &str, parent: &str, id: &str, query: &mut dyn FnMut(&str) -> Result<Rows>) -> Result<Vec<String>> {
    let texts = |rows: Rows| {
        rows.into_iter()
            .map(|row| row.into_iter().map(Option::unwrap_or_default).collect())
    };
    let mut list = |sql: String| query(&sql).map(|rows| texts(rows).collect::<Vec<Vec<String>>>());
    let key = |table: &str| {
        let name = sqlite_literal(table);
        format!("SELECT name FROM pragma_table_info({name}) WHERE pk > 0 ORDER BY pk")
    };
    let own = list(key(table))?.concat();
    let of_parent = list(key(parent))?.concat();
    let name = sqlite_literal(table);
    let pairs = list(format!(
        "SELECT \"from\", coalesce(\"to\", '') FROM pragma_foreign_key_list({name}) WHERE id = {id} ORDER BY seq"
    ))?;
    let (mut held, mut same) = (Vec::new(), Vec::new());
    for (at, pair) in pairs.iter().enumerate() {
        let from = format!("c.{}", quoted(&pair[0], '"'));
        let to = if pair[1].is_empty() {
            of_parent.get(at)
        } else {
            Some(&pair[1])
        };
        held.push(format!("{from} IS NOT NULL"));
        same.extend(to.map(|to| format!("p.{} = {from}", quoted(to, '"'))));
    }
    let there = if of_parent.is_empty() && list(format!("PRAGMA table_info({})", sqlite_literal(parent)))?.is_empty() {
        String::new()
    } else {
        let (parent, same) = (quoted(parent, '"'), same.join(" AND "));
        format!(" AND NOT EXISTS (SELECT 1 FROM main.{parent} p WHERE {same})")
    };
    let named: Vec<String> = own
        .iter()
        .map(|column| {
            format!(
                "{} || quote(c.{})",
                sqlite_literal(&format!("{column} = ")),
                quoted(column, '"')
            )
        })
        .collect();
    let rows = list(format!(
        "SELECT {} FROM main.{} c WHERE {}{there} LIMIT {NAMED}",
        named.join(" || ', ' || "),
        quoted(table, '"'),
        held.join(" AND ")
    ))?;
    Ok(rows.concat())
}
