//! What a statement that changes rows does to those that follow them by a foreign key, which only happens while foreign
//! keys are on.

use crate::dialect::Ask;
use crate::dialect::sqlite::table::Table;
use crate::error::Result;
use crate::sql::parse::define::ClauseKind;
use crate::sql::split;
use crate::sql::token::{self, Kind};
use crate::sql::write::{quoted, sqlite_literal};

/// A statement that changes the rows of a table.
#[derive(Debug, PartialEq, Eq)]
pub(super) struct Changed {
    /// `INSERT`, `UPDATE` or `DELETE`. What inserts by REPLACE is the DELETE that it holds.
    pub(super) verb: &'static str,
    pub(super) table: String,
    /// The word after OR, which goes before what the table's constraints say.
    or: Option<String>,
}

/// What the enforcement of foreign keys would do beyond refusing the statement.
pub(super) fn effect(statement: &str, ask: &mut dyn Ask) -> Result<Option<String>> {
    let Some(changed) = changed(statement) else {
        return Ok(None);
    };
    let table = &changed.table;
    let schemas: Vec<String> = ask
        .query("SELECT name FROM pragma_database_list")?
        .into_iter()
        .flatten()
        .flatten()
        .collect();
    let replaces = match changed.or.as_deref() {
        Some(or) => or == "REPLACE",
        None => changed.verb != "DELETE" && stored_to_replace(table, &schemas, ask)?,
    };
    let updates = changed.verb == "UPDATE" || changed.verb == "INSERT" && upserts(statement);
    let deletes = changed.verb == "DELETE" || replaces;
    for (column, does) in [("on_delete", deletes), ("on_update", updates)] {
        if !does {
            continue;
        }
        for schema in &schemas {
            let from = keys(schema, &acts(column));
            let inbound = format!(
                "SELECT s.name {from} AND lower(f.\"table\") = lower({})",
                sqlite_literal(table)
            );
            if let Some(child) = first(ask, &inbound)? {
                return Ok(Some(format!("rows of `{child}` follow the rows of `{table}`")));
            }
        }
    }
    trigger(table, &schemas, ask)
}

/// A trigger of the table, where there are rows that follow others at all: what it changes is not read.
fn trigger(table: &str, schemas: &[String], ask: &mut dyn Ask) -> Result<Option<String>> {
    for schema in schemas {
        let triggers = format!(
            "SELECT name FROM {}.sqlite_schema WHERE type = 'trigger' AND lower(tbl_name) = lower({})",
            quoted(schema, '"'),
            sqlite_literal(table)
        );
        let Some(trigger) = first(ask, &triggers)? else {
            continue;
        };
        for schema in schemas {
            let any = format!("({} OR {})", acts("on_delete"), acts("on_update"));
            if first(ask, &format!("SELECT s.name {}", keys(schema, &any)))?.is_some() {
                let words = format!("trigger `{trigger}` on `{table}` may change rows that others follow");
                return Ok(Some(words));
            }
        }
    }
    Ok(None)
}

fn acts(column: &str) -> String {
    format!("f.{column} NOT IN ('NO ACTION', 'RESTRICT')")
}

/// The foreign keys of a schema of which this holds.
fn keys(schema: &str, which: &str) -> String {
    format!(
        "FROM {}.sqlite_schema s, pragma_foreign_key_list(s.name, {}) f WHERE s.type = 'table' AND {which}",
        quoted(schema, '"'),
        sqlite_literal(schema)
    )
}

fn first(ask: &mut dyn Ask, query: &str) -> Result<Option<String>> {
    let rows = ask.query(&format!("{query} LIMIT 1"))?;
    Ok(rows.into_iter().flatten().next().flatten())
}

/// Whether a key of the table says ON CONFLICT REPLACE, so that a row which comes in deletes the one that is there.
fn stored_to_replace(table: &str, schemas: &[String], ask: &mut dyn Ask) -> Result<bool> {
    for schema in schemas {
        let definition = format!(
            "SELECT sql FROM {}.sqlite_schema WHERE type = 'table' AND lower(name) = lower({})",
            quoted(schema, '"'),
            sqlite_literal(table)
        );
        if first(ask, &definition)?.is_some_and(|sql| keys_replace(&sql)) {
            return Ok(true);
        }
    }
    Ok(false)
}

fn keys_replace(definition: &str) -> bool {
    let says = |text: &str| {
        let words: Vec<&str> = words(text).collect();
        let clause =
            |words: &[&str]| words[0].eq_ignore_ascii_case("conflict") && words[1].eq_ignore_ascii_case("replace");
        words.windows(2).any(clause)
    };
    if !says(definition) {
        return false;
    }
    let Some(table) = Table::read(definition) else {
        return true;
    };
    // That of a NOT NULL puts the default in the place of the NULL, and deletes nothing.
    let mut keys = table
        .constraints()
        .filter(|(_, clause)| matches!(clause.kind, ClauseKind::Unique { .. } | ClauseKind::PrimaryKey { .. }));
    keys.any(|(_, clause)| says(table.at(&clause.span)))
}

fn words(text: &str) -> impl Iterator<Item = &str> {
    token::significant(text, &split::SQLITE).map(|token| &text[token.span])
}

/// Whether an INSERT has a DO UPDATE.
fn upserts(statement: &str) -> bool {
    let mut depth = 0usize;
    let mut last = "";
    for word in words(statement) {
        match word {
            "(" => depth += 1,
            ")" => depth = depth.saturating_sub(1),
            _ if depth == 0 && last.eq_ignore_ascii_case("do") && word.eq_ignore_ascii_case("update") => return true,
            _ => {}
        }
        last = word;
    }
    false
}

/// The table whose rows a statement changes, and how.
pub(super) fn changed(statement: &str) -> Option<Changed> {
    let mut depth = 0usize;
    let mut verb = None;
    let mut or = None;
    let mut after_or = false;
    for token in token::significant(statement, &split::SQLITE) {
        let word = &statement[token.span];
        match word {
            "(" => depth += 1,
            ")" => depth = depth.saturating_sub(1),
            _ => {}
        }
        if depth > 0 {
            continue;
        }
        let upper = word.to_ascii_uppercase();
        match (verb, upper.as_str()) {
            (None, "INSERT") => verb = Some("INSERT"),
            (None, "REPLACE") => {
                verb = Some("DELETE");
                or = Some(upper);
            }
            (None, "DELETE") => verb = Some("DELETE"),
            (None, "UPDATE") => verb = Some("UPDATE"),
            (Some(_), "OR") if or.is_none() => after_or = true,
            (Some(_), _) if std::mem::take(&mut after_or) => or = Some(upper),
            (Some(_), "INTO" | "FROM") => {}
            (Some(verb), _) if matches!(token.kind, Kind::Word | Kind::Quoted | Kind::Text) => {
                let replaces = verb == "INSERT" && or.as_deref() == Some("REPLACE");
                return Some(Changed {
                    verb: if replaces { "DELETE" } else { verb },
                    table: last_part(statement, word),
                    or,
                });
            }
            _ => {}
        }
    }
    None
}

/// The table of `main.table`, or the name itself.
fn last_part(statement: &str, first: &str) -> String {
    let words: Vec<&str> = words(statement).collect();
    let at = words
        .iter()
        .position(|word| std::ptr::eq(word.as_ptr(), first.as_ptr()));
    let name = match at.map(|at| (words.get(at + 1), words.get(at + 2))) {
        Some((Some(&"."), Some(table))) => table,
        _ => first,
    };
    token::unquoted(name).into_owned()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_changed_table_is_found() {
        let cases = [
            ("INSERT INTO t VALUES (1)", Some(("INSERT", "t", None))),
            (
                "insert or replace into main.\"T x\" select 1",
                Some(("DELETE", "T x", Some("REPLACE"))),
            ),
            ("REPLACE INTO t VALUES (1)", Some(("DELETE", "t", Some("REPLACE")))),
            ("UPDATE OR IGNORE t SET a = 1", Some(("UPDATE", "t", Some("IGNORE")))),
            ("UPDATE OR REPLACE t SET a = 1", Some(("UPDATE", "t", Some("REPLACE")))),
            (
                "WITH d AS (DELETE FROM x) DELETE FROM [t] WHERE 1",
                Some(("DELETE", "t", None)),
            ),
            ("SELECT 1", None),
        ];
        for (sql, want) in cases {
            let got = changed(sql);
            let got = got
                .as_ref()
                .map(|got| (got.verb, got.table.as_str(), got.or.as_deref()));
            assert_eq!(got, want, "{sql}");
        }
    }

    #[test]
    fn an_upsert_updates() {
        assert!(upserts("INSERT INTO t VALUES (1) ON CONFLICT (a) DO\nUPDATE SET a = 2"));
        assert!(!upserts("INSERT INTO t VALUES (1) ON CONFLICT DO NOTHING"));
        assert!(!upserts(
            "INSERT INTO t SELECT 1 FROM (SELECT 'do' AS \"do\", update FROM u)"
        ));
    }

    #[test]
    fn keys_that_replace() {
        for sql in [
            "CREATE TABLE t (id INTEGER PRIMARY KEY ON CONFLICT REPLACE)",
            "CREATE TABLE t (id INTEGER PRIMARY KEY DESC ON CONFLICT /* a */ replace AUTOINCREMENT)",
            "CREATE TABLE t (a UNIQUE ON CONFLICT REPLACE NOT NULL)",
            "CREATE TABLE t (a, b, CONSTRAINT c UNIQUE (a, b) ON CONFLICT REPLACE)",
        ] {
            assert!(keys_replace(sql), "{sql}");
        }
        for sql in [
            "CREATE TABLE t (a NOT NULL ON CONFLICT REPLACE DEFAULT 1, b UNIQUE ON CONFLICT IGNORE)",
            "CREATE TABLE t (a UNIQUE, b DEFAULT 'on conflict replace')",
        ] {
            assert!(!keys_replace(sql), "{sql}");
        }
    }
}
