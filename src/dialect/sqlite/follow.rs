//! What a statement that changes rows does to those that follow them by a foreign key, which only happens while foreign
//! keys are on.

use crate::dialect::sqlite::changed::{Changed, changed, set_columns, upserts};
use crate::dialect::sqlite::inspect::TriggerHeader;
use crate::dialect::sqlite::table::Table;
use crate::dialect::sqlite::{readers, rebuild, rename};
use crate::dialect::{Ask, Replaces};
use crate::error::Result;
use crate::sql::parse::cursor::Name;
use crate::sql::parse::define::ClauseKind;
use crate::sql::split;
use crate::sql::token::{self, Kind};
use crate::sql::write::{quoted, sqlite_literal};

/// The triggers that were looked at, by schema, name, and whether OR REPLACE rules in them.
type Seen = Vec<(String, String, bool)>;

/// What the enforcement of foreign keys would do beyond refusing the statement.
pub(super) fn effect(statement: &str, ask: &mut dyn Ask) -> Result<Option<String>> {
    if token::keywords(statement, &split::SQLITE, 1) == ["ALTER"] {
        return match rebuild::replaces(statement) {
            Some(Replaces::Renames { from, .. }) => led_along(&from, ask),
            _ => Ok(None),
        };
    }
    effect_at(statement, ask, &mut Seen::new(), false)
}

/// Under `legacy_alter_table` a RENAME leads the references of others along only while foreign keys are on
/// (<https://www.sqlite.org/lang_altertable.html>, the table of what is renamed).
fn led_along(table: &str, ask: &mut dyn Ask) -> Result<Option<String>> {
    if !rename::is_legacy(ask)? {
        return Ok(None);
    }
    for schema in schemas(ask)? {
        let from = keys(&schema, "true");
        let inbound = format!(
            "SELECT s.name {from} AND f.\"table\" = {} COLLATE NOCASE",
            sqlite_literal(table)
        );
        if let Some(child) = first(ask, &inbound)? {
            return Ok(Some(format!(
                "the references of `{child}` follow `{table}` to its new name"
            )));
        }
    }
    Ok(None)
}

/// `replaces`: the statement that fires a trigger says OR REPLACE, which then rules in the trigger as well
/// (<https://www.sqlite.org/lang_createtrigger.html>).
fn effect_at(statement: &str, ask: &mut dyn Ask, seen: &mut Seen, replaces: bool) -> Result<Option<String>> {
    let Some(changed) = changed(statement) else {
        return Ok(None);
    };
    let table = &changed.table;
    let schemas = schemas(ask)?;
    let Does { deletes, updates } = does(statement, &changed, replaces, &schemas, ask)?;
    let set = set_columns(statement);
    for (column, does) in [("on_delete", deletes), ("on_update", updates)] {
        if !does {
            continue;
        }
        for schema in &schemas {
            let from = keys(schema, &acts(column));
            let named = match &set {
                Some(set) if column == "on_update" => refers_to(table, schema, set),
                _ => String::new(),
            };
            let inbound = format!(
                "SELECT s.name {from} AND lower(f.\"table\") = lower({}){named}",
                sqlite_literal(table)
            );
            if let Some(child) = first(ask, &inbound)? {
                return Ok(Some(format!("rows of `{child}` follow the rows of `{table}`")));
            }
        }
    }
    let mut events = vec![match changed.verb {
        // What inserts by REPLACE.
        "DELETE" if changed.or.is_some() => "INSERT",
        verb => verb,
    }];
    events.extend((deletes && events[0] != "DELETE").then_some("DELETE"));
    events.extend((updates && events[0] != "UPDATE").then_some("UPDATE"));
    let or_replace = replaces || changed.or.as_deref() == Some("REPLACE");
    let fired = Fired {
        table,
        events,
        set,
        or_replace,
    };
    fired.effect(&schemas, ask, seen)
}

fn schemas(ask: &mut dyn Ask) -> Result<Vec<String>> {
    let names = ask.query("SELECT name FROM pragma_database_list")?;
    Ok(names.into_iter().flatten().flatten().collect())
}

/// What may become of rows that are there.
struct Does {
    deletes: bool,
    updates: bool,
}

fn does(statement: &str, changed: &Changed, replaces: bool, schemas: &[String], ask: &mut dyn Ask) -> Result<Does> {
    let replaces = match changed.or.as_deref() {
        _ if replaces => true,
        Some(or) => or == "REPLACE",
        None => changed.verb != "DELETE" && stored_to_replace(&changed.table, schemas, ask)?,
    };
    Ok(Does {
        deletes: changed.verb == "DELETE" || replaces,
        updates: changed.verb == "UPDATE" || changed.verb == "INSERT" && upserts(statement),
    })
}

/// The table of the database itself whose rows may go by the statement, or be replaced.
pub(super) fn deletes(statement: &str, ask: &mut dyn Ask) -> Result<Option<String>> {
    let Some(changed) = changed(statement) else {
        return Ok(None);
    };
    let elsewhere = |schema: &String| !schema.eq_ignore_ascii_case("main");
    if changed.schema.as_ref().is_some_and(elsewhere) {
        return Ok(None);
    }
    let does = does(statement, &changed, false, &schemas(ask)?, ask)?;
    if !does.deletes {
        return Ok(None);
    }
    // A temporary table is found before the one of the database, and one of an attached database after it.
    let name = sqlite_literal(&changed.table);
    let temporary = if changed.schema.is_some() {
        String::new()
    } else {
        format!(" AND NOT EXISTS (SELECT 1 FROM sqlite_temp_schema WHERE lower(name) = lower({name}))")
    };
    let own =
        format!("SELECT 1 FROM main.sqlite_schema WHERE type = 'table' AND lower(name) = lower({name}){temporary}");
    Ok(first(ask, &own)?.map(|_| changed.table))
}

/// What holds of a foreign key `f` of the database itself whose parent's rows may be other ones after the statement,
/// beside those that come in.
pub(super) fn loses(statement: &str, changed: &Changed, ask: &mut dyn Ask) -> Result<String> {
    let schemas = schemas(ask)?;
    let does = does(statement, changed, false, &schemas, ask)?;
    let named = format!("lower(f.\"table\") = lower({})", sqlite_literal(&changed.table));
    Ok(match set_columns(statement) {
        _ if does.deletes => named,
        Some(set) if does.updates => named + &refers_to(&changed.table, "main", &set),
        None if does.updates => named,
        _ => "0".to_owned(),
    })
}

/// A change of a table's rows that its triggers may be for.
struct Fired<'c> {
    table: &'c str,
    events: Vec<&'static str>,
    /// The columns that are set, where they are known.
    set: Option<Vec<String>>,
    /// `OR REPLACE`
    or_replace: bool,
}

impl Fired<'_> {
    fn fires(&self, header: &TriggerHeader) -> bool {
        let set = |name: &Name| {
            self.set
                .as_ref()
                .is_none_or(|set| set.iter().any(|column| name.is(column)))
        };
        self.events.contains(&header.event.as_str()) && (header.columns.is_empty() || header.columns.iter().any(set))
    }

    /// What a trigger that fires does to rows that others follow.
    fn effect(&self, schemas: &[String], ask: &mut dyn Ask, seen: &mut Seen) -> Result<Option<String>> {
        for schema in schemas {
            let triggers = ask.query(&format!(
                "SELECT name, sql FROM {}.sqlite_schema WHERE type = 'trigger' AND lower(tbl_name) = lower({})",
                quoted(schema, '"'),
                sqlite_literal(self.table)
            ))?;
            for row in triggers {
                let mut values = row.into_iter().flatten();
                let (Some(name), Some(sql)) = (values.next(), values.next()) else {
                    continue;
                };
                if TriggerHeader::read(&sql).is_some_and(|header| !self.fires(&header)) {
                    continue;
                }
                let words = format!(
                    "trigger `{name}` on `{}` may change rows that others follow",
                    self.table
                );
                let Some(body) = body(&sql) else {
                    return Ok(Some(words));
                };
                // One that fires itself, or fires others that fire it, does no more than it does once.
                let one = (schema.clone(), name, self.or_replace);
                if seen.contains(&one) {
                    continue;
                }
                seen.push(one);
                for statement in body {
                    if effect_at(statement, ask, seen, self.or_replace)?.is_some() {
                        return Ok(Some(words));
                    }
                }
            }
        }
        Ok(None)
    }
}

/// The statements of a trigger.
fn body(sql: &str) -> Option<Vec<&str>> {
    let tokens: Vec<_> = token::significant(sql, &split::SQLITE).collect();
    let is = |at: usize, what: &str| {
        tokens[at].kind == Kind::Word && sql[tokens[at].span.clone()].eq_ignore_ascii_case(what)
    };
    let begin = (0..tokens.len()).find(|&at| is(at, "BEGIN"))?;
    let last = tokens.len().checked_sub(1).filter(|&at| is(at, "END"))?;
    let mut statements = Vec::new();
    let mut start = tokens[begin].span.end;
    for token in &tokens[begin + 1..last] {
        if &sql[token.span.clone()] == ";" {
            statements.push(sql[start..token.span.start].trim());
            start = token.span.end;
        }
    }
    Some(statements)
}

/// The rest of a condition: the key refers to one of these columns, or to one that may be computed from them.
fn refers_to(table: &str, schema: &str, set: &[String]) -> String {
    let names: Vec<String> = set
        .iter()
        .map(|name| sqlite_literal(&name.to_ascii_lowercase()))
        .collect();
    let names = names.join(", ");
    let by_number = |name: &String| readers::ROWID.iter().any(|rowid| name.eq_ignore_ascii_case(rowid));
    if set.iter().any(by_number) {
        return String::new();
    }
    format!(
        " AND (lower(f.\"to\") IN ({names}) OR f.\"to\" IS NULL AND EXISTS (SELECT 1 FROM pragma_table_info({0}, {1}) x \
         WHERE x.pk > 0 AND lower(x.name) IN ({names})) \
         OR EXISTS (SELECT 1 FROM pragma_table_xinfo({0}, {1}) x WHERE x.hidden > 1 AND lower(x.name) = lower(f.\"to\")))",
        sqlite_literal(table),
        sqlite_literal(schema),
    )
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

pub(super) fn keys_replace(definition: &str) -> bool {
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

#[cfg(test)]
mod tests {
    use super::*;

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
