//! Foreign keys in SQLite, which may be off: rows that point at nothing, and what follows a table.

use std::collections::BTreeSet;

use crate::dialect::sqlite::inspect;
use crate::dialect::sqlite::{along, changed, follow, rebuild, settings, taken};
use crate::dialect::{Leads, References, Rows};
use crate::error::Result;
use crate::sql::parse::cursor::Cursor;
use crate::sql::split::SQLITE;
use crate::sql::token::significant;
use crate::sql::write::{quoted, sqlite_literal};

/// What `PRAGMA foreign_key_check` and `foreign_key_list` tell (pragma.html).
#[derive(Debug)]
pub(super) struct ForeignKeys;

impl References for ForeignKeys {
    fn orphans_after(&self, replaced: &BTreeSet<String>) -> String {
        format!(
            "SELECT {} AS orphan, \
             'a row of ' || \"table\" || coalesce(' with rowid ' || rowid, '') || ' points at nothing in ' || parent AS words \
             FROM {}",
            told(replaced),
            numbered("")
        )
    }

    fn orphans_now(
        &self,
        replaced: &BTreeSet<String>,
        table: Option<&str>,
        query: &mut dyn FnMut(&str) -> Result<Rows>,
    ) -> Result<String> {
        let names: Vec<String> = replaced.iter().map(|name| sqlite_literal(name)).collect();
        let only = table.map(|table| format!(" AND name = {}", sqlite_literal(table)));
        let only = only.unwrap_or_default();
        let loose = format!(
            "(lower(name) IN ({}) OR lower(sql) GLOB '*without*rowid*')",
            names.join(", ")
        );
        // The numbers of keys begin with the last one; from the first on they stay where one is added.
        let mut parts = vec![format!(
            "SELECT k.\"table\", k.parent, k.rowid || ' ' || (m.keys - k.fkid), k.rowid || ' ' || m.made_of, \
             'a row of ' || k.\"table\" || ' with rowid ' || k.rowid || ' points at nothing in ' || k.parent \
             FROM main.sqlite_schema s, pragma_foreign_key_check(s.name, 'main') k, \
             (SELECT t.name AS name, f.id AS id, group_concat(lower(f.\"from\"), ' ') AS made_of, \
             (SELECT max(id) FROM pragma_foreign_key_list(t.name, 'main')) AS keys \
             FROM main.sqlite_schema t, pragma_foreign_key_list(t.name, 'main') f WHERE t.type = 'table' \
             AND instr(lower(t.sql), 'references') GROUP BY 1, 2) m \
             WHERE m.name = k.\"table\" AND m.id = k.fkid AND s.name IN \
             (SELECT name FROM main.sqlite_schema WHERE {REFER} AND NOT {loose}{only})"
        )];
        let tables = query(&format!(
            "SELECT name FROM main.sqlite_schema WHERE {REFER} AND {loose}{only}"
        ))?;
        for table in tables.into_iter().flatten().flatten() {
            parts.extend(orphans_of(&table, replaced, query)?);
        }
        Ok(parts.join(" UNION ALL "))
    }

    fn referring(&self) -> &'static str {
        "SELECT name FROM main.sqlite_schema WHERE type = 'table' AND instr(lower(sql), 'references') ORDER BY 1"
    }

    fn misfits(&self) -> &'static str {
        MISFITS
    }

    fn orphans_around(&self, table: &str) -> [String; 2] {
        let name = sqlite_literal(table);
        let own = format!("SELECT count(*) FROM pragma_foreign_key_check({name}, 'main')");
        let others = format!(
            "SELECT DISTINCT s.name, 'SELECT count(*) FROM pragma_foreign_key_check(' || quote(s.name) || ', ''main'') \
             WHERE lower(parent) = lower(' || quote({name}) || ')' \
             FROM main.sqlite_schema s, pragma_foreign_key_list(s.name, 'main') f WHERE s.type = 'table' \
             AND instr(lower(s.sql), 'references') AND lower(f.\"table\") = lower({name}) AND lower(s.name) <> lower({name}) \
             ORDER BY 1"
        );
        [own, others]
    }

    fn followers(&self, table: &str) -> String {
        // Each list of foreign keys costs more than a look at the text, and a name with a quote is written otherwise there.
        let plain = !table.contains(['"', '`', '\'', ']']);
        let table = sqlite_literal(&table.to_ascii_lowercase());
        let named = if plain {
            format!("AND instr(lower(s.sql), {table}) > 0")
        } else {
            String::new()
        };
        format!(
            "SELECT s.name, f.\"from\" FROM main.sqlite_schema s, pragma_foreign_key_list(s.name, 'main') f WHERE s.type = 'table' \
             AND instr(lower(s.sql), 'references') {named} AND lower(f.\"table\") = lower({table}) AND lower(s.name) <> lower({table}) \
             AND f.on_delete NOT IN ('NO ACTION', 'RESTRICT') ORDER BY 1, 2"
        )
    }

    fn triggers_along(&self, table: &str) -> String {
        format!(
            "WITH RECURSIVE along(name) AS (SELECT lower(name) FROM ({}) UNION \
             SELECT lower(s.name) FROM along, main.sqlite_schema s, pragma_foreign_key_list(s.name, 'main') f \
             WHERE s.type = 'table' AND instr(lower(s.sql), 'references') AND lower(f.\"table\") = along.name \
             AND (f.on_delete NOT IN ('NO ACTION', 'RESTRICT') OR f.on_update NOT IN ('NO ACTION', 'RESTRICT'))) \
             SELECT name FROM main.sqlite_schema WHERE type = 'trigger' AND lower(tbl_name) IN (SELECT name FROM along) \
             AND (sql NOT LIKE '% insert on %' OR sql LIKE '% delete on %' OR sql LIKE '% update o%')",
            self.followers(table),
        )
    }

    fn of_module(&self, table: &str) -> String {
        format!(
            "SELECT 1 FROM main.sqlite_schema WHERE type = 'table' AND rootpage = 0 AND lower(name) = lower({})",
            sqlite_literal(table)
        )
    }

    fn unknown_followers(&self, table: &str, known: [&[String]; 2], there: bool) -> String {
        let [tables, triggers] = known.map(|known| {
            let names = known.iter().map(|name| sqlite_literal(&name.to_ascii_lowercase()));
            names.collect::<Vec<_>>().join(", ")
        });
        let rows = if there {
            format!(" AND EXISTS (SELECT 1 FROM {})", self.stored(table))
        } else {
            String::new()
        };
        // Those of followers that are not known stop the script already.
        let fired = if tables.is_empty() {
            String::new()
        } else {
            let along = self.triggers_along(table);
            format!(" UNION SELECT 'trigger ' || name FROM ({along}) WHERE lower(name) NOT IN ({triggers}){rows}")
        };
        format!(
            "SELECT DISTINCT 'table ' || name FROM ({}) WHERE lower(name) NOT IN ({tables}){rows}{fired} ORDER BY 1",
            self.followers(table),
        )
    }

    fn leads(&self, table: &str, query: &mut dyn FnMut(&str) -> Result<Rows>) -> Result<Vec<Leads>> {
        along::leads(table, query)
    }

    fn reached(&self, edges: &[(usize, usize, String)], words: &[(usize, String)]) -> String {
        along::reached(edges, words)
    }

    fn fires(&self, table: &str, column: Option<&str>, query: &mut dyn FnMut(&str) -> Result<Rows>) -> Result<bool> {
        along::fires(table, column, query)
    }

    fn mentions(&self, table: &str, query: &mut dyn FnMut(&str) -> Result<Rows>) -> Result<bool> {
        let name = table.to_ascii_lowercase();
        let texts = query(&format!(
            "SELECT sql FROM (SELECT tbl_name, type, sql FROM main.sqlite_schema UNION ALL SELECT tbl_name, type, sql FROM \
             sqlite_temp_schema) WHERE lower(tbl_name) <> {} AND (type IN ('view', 'trigger') OR sql LIKE 'create virtual%')",
            sqlite_literal(&name)
        ))?;
        Ok(texts
            .iter()
            .flatten()
            .flatten()
            .any(|sql| inspect::words(sql).contains(&name)))
    }

    fn stay(&self, tables: &[String]) -> String {
        let names: Vec<String> = tables
            .iter()
            .map(|table| sqlite_literal(&table.to_ascii_lowercase()))
            .collect();
        format!(
            "SELECT 'table ' || name FROM main.sqlite_schema WHERE type = 'table' AND lower(name) IN ({})",
            names.join(", ")
        )
    }

    fn drops(&self, statement: &str) -> Option<(Option<String>, String)> {
        // Scripts of millions of statements come by here.
        if !statement.get(..4).is_some_and(|word| word.eq_ignore_ascii_case("drop")) {
            return None;
        }
        let mut cursor = Cursor::new(statement);
        if !cursor.take(&["DROP", "TABLE"]) {
            return None;
        }
        cursor.take(&["IF", "EXISTS"]);
        let first = cursor.name()?.text;
        if cursor.take(&["."]) {
            return Some((Some(first), cursor.name()?.text));
        }
        Some((None, first))
    }

    fn attached(&self, table: &str) -> [String; 2] {
        let name = sqlite_literal(table);
        [
            "SELECT name FROM pragma_database_list WHERE lower(name) NOT IN ('main', 'temp') ORDER BY seq".to_owned(),
            format!(
                "SELECT 1 FROM (SELECT type, name FROM main.sqlite_schema UNION ALL SELECT type, name FROM sqlite_temp_schema) \
                 WHERE type = 'table' AND lower(name) = lower({name})"
            ),
        ]
    }

    fn followers_there(&self, schema: &str, table: &str) -> String {
        let (place, name) = (sqlite_literal(schema), sqlite_literal(table));
        let schema = quoted(schema, '"');
        let prefix = sqlite_literal(&format!("SELECT 1 FROM {schema}.\""));
        format!(
            "SELECT s.name, {prefix} || replace(s.name, '\"', '\"\"') || '\" WHERE \"' || replace(f.\"from\", '\"', '\"\"') || \
             '\" IS NOT NULL LIMIT 1' FROM {schema}.sqlite_schema s, pragma_foreign_key_list(s.name, {place}) f \
             WHERE s.type = 'table' AND lower(f.\"table\") = lower({name}) AND lower(s.name) <> lower({name}) \
             AND f.on_delete NOT IN ('NO ACTION', 'RESTRICT') ORDER BY 1, 2"
        )
    }

    /// Tables by a foreign key, views and triggers in the spelling of a RENAME.
    fn refers_to(&self, table: &str) -> String {
        let name = sqlite_literal(table);
        let spelled = sqlite_literal(&quoted(table, '"').to_ascii_lowercase());
        format!(
            "SELECT DISTINCT s.type, s.name FROM main.sqlite_schema s, pragma_foreign_key_list(s.name, 'main') f WHERE s.type = 'table' \
             AND lower(f.\"table\") = lower({name}) AND NOT EXISTS (SELECT 1 FROM main.sqlite_schema \
             WHERE type IN ('table', 'view') AND lower(name) = lower({name})) \
             UNION ALL SELECT type, name FROM main.sqlite_schema WHERE type IN ('view', 'trigger') \
             AND instr(lower(sql), {spelled}) > 0 AND NOT EXISTS (SELECT 1 FROM main.sqlite_schema \
             WHERE type IN ('table', 'view') AND lower(name) = lower({name})) ORDER BY 1, 2"
        )
    }

    fn filled(&self, table: &str) -> String {
        let name = sqlite_literal(table);
        format!(
            "SELECT DISTINCT lower(\"from\"), 'SELECT count(\"' || replace(\"from\", '\"', '\"\"') || '\") FROM ' || {} \
             FROM pragma_foreign_key_list({name}, 'main') ORDER BY 1",
            sqlite_literal(&self.stored(table))
        )
    }

    fn stored(&self, table: &str) -> String {
        format!("main.{}", quoted(table, '"'))
    }

    fn defers(&self, statement: &str) -> bool {
        rebuild::defers(statement)
    }

    fn passed_over(&self, statement: &str) -> Option<&'static str> {
        settings::passed_over(statement)
    }

    fn unsettles(&self, statement: &str) -> bool {
        rebuild::unsettles(statement)
    }

    fn may_replace(&self, statement: &str, table: &str, query: &mut dyn FnMut(&str) -> Result<Rows>) -> Result<bool> {
        if changed::upserts(statement) {
            return Ok(true);
        }
        let definitions = query(&format!(
            "SELECT sql FROM main.sqlite_schema WHERE type = 'table' AND lower(name) = lower({})",
            sqlite_literal(table)
        ))?;
        let mut definitions = definitions.into_iter().flatten().flatten();
        Ok(definitions.any(|sql| follow::keys_replace(&sql)))
    }

    fn text_for_name(
        &self,
        statement: &str,
        table: &str,
        query: &mut dyn FnMut(&str) -> Result<Rows>,
    ) -> Result<Option<String>> {
        taken::text_for_name(statement, table, query)
    }

    fn left_out(
        &self,
        statement: &str,
        table: &str,
        query: &mut dyn FnMut(&str) -> Result<Rows>,
    ) -> Result<Option<(String, Vec<String>)>> {
        taken::left_out(statement, table, query)
    }

    fn shadowed(&self, statement: &str, table: &str) -> Option<String> {
        let says_schema = significant(statement, &SQLITE).any(|token| &statement[token.span] == ".");
        let name = sqlite_literal(table);
        let query = format!("SELECT 1 FROM sqlite_temp_schema WHERE type = 'table' AND lower(name) = lower({name})");
        (!says_schema).then_some(query)
    }
}

/// What a parent needs: the primary key of these columns, or an index that is unique over all its rows
/// (foreignkeys.html, section 3).
macro_rules! misfits {
    ($what:literal) => {
        concat!(
            $what,
            " FROM \
             (SELECT t.name AS child, f.id AS id, f.\"table\" AS parent, group_concat(f.\"from\", ', ') AS froms, count(*) AS width, \
             count(f.\"to\") AS named FROM main.sqlite_schema t, pragma_foreign_key_list(t.name, 'main') f WHERE t.type = 'table' \
             AND instr(lower(t.sql), 'references') GROUP BY t.name, f.id) k \
             WHERE EXISTS (SELECT 1 FROM main.sqlite_schema WHERE type = 'table' AND lower(name) = lower(parent)) \
             AND NOT ((SELECT count(*) FROM pragma_table_info(parent, 'main') WHERE pk > 0) = width AND (named = 0 \
             OR (SELECT count(*) FROM pragma_table_info(parent, 'main') c, pragma_foreign_key_list(child, 'main') f \
             WHERE c.pk > 0 AND f.id = k.id AND lower(c.name) = lower(f.\"to\")) = width)) \
             AND NOT EXISTS (SELECT 1 FROM pragma_index_list(parent, 'main') i WHERE i.\"unique\" AND NOT i.partial \
             AND (SELECT count(*) FROM pragma_index_info(i.name, 'main')) = width \
             AND (SELECT count(*) FROM pragma_index_info(i.name, 'main') c, pragma_foreign_key_list(child, 'main') f \
             WHERE f.id = k.id AND lower(c.name) = lower(f.\"to\")) = width)"
        )
    };
}

const MISFITS: &str =
    misfits!("SELECT 'the foreign key of `' || child || '` (' || froms || ') fits no key of `' || parent || '`'");

/// The rows that point at nothing in a table, or in all, with the number of their key. Those of SQLite begin with the last one;
/// from the first on they stay where one is added.
pub(super) fn numbered(table: &str) -> String {
    format!(
        "(SELECT \"table\", rowid, parent, fkid, (SELECT max(id) FROM pragma_foreign_key_list(k.\"table\")) - fkid AS number \
         FROM pragma_foreign_key_check{table} k)"
    )
}

/// Likewise, of the tables whose keys fit: where one does not, SQLite answers for none.
pub(super) fn numbered_where_keys_fit() -> String {
    format!(
        "(SELECT k.\"table\", k.rowid, k.parent, k.fkid, (SELECT max(id) FROM pragma_foreign_key_list(k.\"table\")) - k.fkid AS number \
         FROM (SELECT name FROM main.sqlite_schema WHERE {REFER} AND name NOT IN ({})) c \
         CROSS JOIN pragma_foreign_key_check(c.name, 'main') k)",
        misfits!("SELECT child")
    )
}

/// What tells such a row from others; of tables that are replaced the rows have other numbers afterwards.
pub(super) fn told(replaced: &BTreeSet<String>) -> String {
    let names: Vec<String> = replaced.iter().map(|name| sqlite_literal(name)).collect();
    format!(
        "CASE WHEN rowid IS NULL OR lower(\"table\") IN ({}) THEN lower(\"table\") || ' ' || lower(parent) ELSE {TOLD} END",
        names.join(", ")
    )
}

/// Likewise where it has a number.
pub(super) const TOLD: &str = "lower(\"table\") || ' ' || rowid || ' ' || lower(parent) || ' ' || number";

/// The tables that have foreign keys.
const REFER: &str = "type = 'table' AND instr(lower(sql), 'references')";

/// A query for the rows of a table that point at nothing, told by what they hold, and, where the table is not replaced, by
/// their keys; none when there are no such rows.
fn orphans_of(
    table: &str,
    replaced: &BTreeSet<String>,
    query: &mut dyn FnMut(&str) -> Result<Rows>,
) -> Result<Option<String>> {
    let name = sqlite_literal(table);
    // It fails where a key fits no parent, as the query for the other tables does.
    if query(&format!(
        "SELECT 1 FROM pragma_foreign_key_check({name}, 'main') LIMIT 1"
    ))?
    .is_empty()
    {
        return Ok(None);
    }
    let texts = |rows: Rows| {
        rows.into_iter()
            .map(|row| row.into_iter().map(Option::unwrap_or_default).collect())
    };
    let mut list = |sql: String| query(&sql).map(|rows| texts(rows).collect::<Vec<Vec<String>>>());
    let columns = "SELECT name FROM pragma_table_info";
    let own = list(format!("{columns}({name}, 'main') WHERE pk > 0 ORDER BY pk"))?.concat();
    let key: Vec<String> = own
        .iter()
        .map(|column| {
            format!(
                "{} || quote(c.{})",
                sqlite_literal(&format!("{column} = ")),
                quoted(column, '"')
            )
        })
        .collect();
    let with = if key.is_empty() {
        "''".to_owned()
    } else {
        format!("' with ' || {}", key.join(" || ', ' || "))
    };
    let ids: Vec<String> = if replaced.contains(&table.to_ascii_lowercase()) {
        Vec::new()
    } else {
        own.iter().map(|column| as_number(column)).collect()
    };
    let keys = list(format!(
        "SELECT id, \"table\", \"from\", coalesce(\"to\", '') FROM pragma_foreign_key_list({name}, 'main') ORDER BY id, seq"
    ))?;
    let mut parts = Vec::new();
    for pairs in keys.chunk_by(|one, other| one[0] == other[0]) {
        let parent = &pairs[0][1];
        let conditions = conditions(pairs, &mut list)?;
        let held = pairs.iter().map(|pair| as_number(&pair[2])).chain(ids.iter().cloned());
        let held = held.collect::<Vec<String>>().join(" || ' ' || ");
        parts.push(format!(
            "SELECT {name}, {}, {held}, {held}, {} || {with} || {} FROM main.{} c WHERE {}",
            sqlite_literal(parent),
            sqlite_literal(&format!("a row of {table}")),
            sqlite_literal(&format!(" points at nothing in {parent}")),
            quoted(table, '"'),
            conditions.join(" AND ")
        ));
    }
    Ok((!parts.is_empty()).then(|| parts.join(" UNION ALL ")))
}

/// What holds of a row `c` that the columns of a foreign key lead to nothing.
fn conditions(pairs: &[Vec<String>], list: &mut dyn FnMut(String) -> Result<Vec<Vec<String>>>) -> Result<Vec<String>> {
    let parent = &pairs[0][1];
    let (name, columns) = (sqlite_literal(parent), "SELECT name FROM pragma_table_info");
    let there = !list(format!("{columns}({name}, 'main')"))?.is_empty();
    let key = list(format!("{columns}({name}, 'main') WHERE pk > 0 ORDER BY pk"))?.concat();
    let mut conditions = Vec::new();
    let mut same = Vec::new();
    for (at, pair) in pairs.iter().enumerate() {
        let from = format!("c.{}", quoted(&pair[2], '"'));
        let to = if pair[3].is_empty() {
            key.get(at)
        } else {
            Some(&pair[3])
        };
        conditions.push(format!("{from} IS NOT NULL"));
        // The parent's affinity and collation count (foreignkeys.html, section 3).
        same.extend(to.map(|to| format!("p.{} = +{from}", quoted(to, '"'))));
    }
    if there {
        let (parent, same) = (quoted(parent, '"'), same.join(" AND "));
        conditions.push(format!("NOT EXISTS (SELECT 1 FROM main.{parent} p WHERE {same})"));
    }
    Ok(conditions)
}

/// A value of a row so that it is the same text when its column has got another type.
fn as_number(column: &str) -> String {
    let value = format!("c.{}", quoted(column, '"'));
    format!(
        "CASE WHEN typeof({value}) IN ('integer', 'real') OR typeof({value}) = 'text' AND CAST({value} AS NUMERIC) = {value} \
         THEN printf('%!.17g', {value}) ELSE quote({value}) END"
    )
}
