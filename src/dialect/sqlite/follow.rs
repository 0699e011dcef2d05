//! What a statement that changes rows does to those that follow them by a foreign key, which only happens while foreign
//! keys are on.

use crate::dialect::Ask;
use crate::dialect::sqlite::inspect::TriggerHeader;
use crate::dialect::sqlite::readers;
use crate::dialect::sqlite::table::Table;
use crate::error::Result;
use crate::sql::parse::cursor::Name;
use crate::sql::parse::define::ClauseKind;
use crate::sql::split;
use crate::sql::token::{self, Kind};
use crate::sql::write::{quoted, sqlite_literal};

/// A statement that changes the rows of a table.
#[derive(Debug, PartialEq, Eq)]
pub(super) struct Changed {
    /// `INSERT`, `UPDATE` or `DELETE`. What inserts by REPLACE is the DELETE that it holds.
    pub(super) verb: &'static str,
    pub(super) schema: Option<String>,
    pub(super) table: String,
    /// The word after OR, which goes before what the table's constraints say.
    or: Option<String>,
}

/// How many triggers that fire each other are looked through.
const DEPTH: usize = 8;

/// What the enforcement of foreign keys would do beyond refusing the statement.
pub(super) fn effect(statement: &str, ask: &mut dyn Ask) -> Result<Option<String>> {
    effect_at(statement, ask, 0, false)
}

/// `replaces`: the statement that fires a trigger says OR REPLACE, which then rules in the trigger as well
/// (<https://www.sqlite.org/lang_createtrigger.html>).
fn effect_at(statement: &str, ask: &mut dyn Ask, depth: usize, replaces: bool) -> Result<Option<String>> {
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
    fired.effect(&schemas, ask, depth)
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

/// The table whose rows may go by the statement, or be replaced.
pub(super) fn deletes(statement: &str, ask: &mut dyn Ask) -> Result<Option<String>> {
    let Some(changed) = changed(statement) else {
        return Ok(None);
    };
    let does = does(statement, &changed, false, &schemas(ask)?, ask)?;
    Ok(does.deletes.then_some(changed.table))
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
    fn effect(&self, schemas: &[String], ask: &mut dyn Ask, depth: usize) -> Result<Option<String>> {
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
                let Some(body) = body(&sql).filter(|_| depth < DEPTH) else {
                    return Ok(Some(words));
                };
                for statement in body {
                    if effect_at(statement, ask, depth + 1, self.or_replace)?.is_some() {
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

/// The columns that an UPDATE sets, or a DO UPDATE; `None` where that is not plain.
pub(super) fn set_columns(statement: &str) -> Option<Vec<String>> {
    let tokens: Vec<_> = token::significant(statement, &split::SQLITE).collect();
    let word = |at: usize| tokens.get(at).map_or("", |token| &statement[token.span.clone()]);
    let is = |at: usize, what: &str| word(at).eq_ignore_ascii_case(what);
    let ends = |at: usize| {
        let ends = ["FROM", "WHERE", "RETURNING", "ON", "ORDER", "LIMIT"];
        // IS DISTINCT FROM is an operator.
        ends.iter().any(|end| is(at, end)) && !(at > 0 && is(at, "FROM") && is(at - 1, "DISTINCT"))
    };
    let mut columns = Vec::new();
    let (mut depth, mut in_set, mut seen) = (0usize, false, false);
    for at in 0..tokens.len() {
        match word(at) {
            "(" => depth += 1,
            ")" => depth = depth.saturating_sub(1),
            _ => {}
        }
        if depth > 0 {
            continue;
        }
        let begins = is(at, "SET");
        if begins {
            (in_set, seen) = (true, true);
        } else if ends(at) {
            in_set = false;
        }
        if begins || in_set && word(at) == "," {
            // `a = 1`, or `(a, b) = (1, 2)`.
            let listed = word(at + 1) == "(";
            let mut name = at + 1 + usize::from(listed);
            loop {
                if !matches!(tokens.get(name)?.kind, Kind::Word | Kind::Quoted) {
                    return None;
                }
                columns.push(token::unquoted(word(name)).into_owned());
                name += 1;
                if !(listed && word(name) == ",") {
                    break;
                }
                name += 1;
            }
            if listed && word(name) != ")" || word(name + usize::from(listed)) != "=" {
                return None;
            }
        }
    }
    seen.then_some(columns)
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

/// Whether an INSERT has a DO UPDATE.
pub(super) fn upserts(statement: &str) -> bool {
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

impl Changed {
    /// Whether there may be rows afterwards that were not there, or are others now.
    pub(super) fn brings(&self) -> bool {
        self.verb != "DELETE" || self.or.is_some()
    }
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
            // What follows can call functions such as replace().
            (None, "SELECT" | "VALUES") => return None,
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
                let (schema, table) = parts(statement, word);
                return Some(Changed {
                    verb: if replaces { "DELETE" } else { verb },
                    schema,
                    table,
                    or,
                });
            }
            _ => {}
        }
    }
    None
}

/// The schema and the table of `main.table`, or the name itself.
fn parts(statement: &str, first: &str) -> (Option<String>, String) {
    let words: Vec<&str> = words(statement).collect();
    let at = words
        .iter()
        .position(|word| std::ptr::eq(word.as_ptr(), first.as_ptr()));
    let name = |word: &str| token::unquoted(word).into_owned();
    match at.map(|at| (words.get(at + 1), words.get(at + 2))) {
        Some((Some(&"."), Some(table))) => (Some(name(first)), name(table)),
        _ => (None, name(first)),
    }
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
            ("SELECT replace(n, 'a', 'b') FROM t", None),
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
    fn the_columns_that_are_set() {
        let cases: [(&str, Option<&[&str]>); 7] = [
            (
                "UPDATE t SET a = b IS NOT DISTINCT FROM c, \"D\" = 1 WHERE e = 1",
                Some(&["a", "D"]),
            ),
            (
                "UPDATE t SET (a, [b c]) = (SELECT 1, 2), d = (1, 2) < (3, 4)",
                Some(&["a", "b c", "d"]),
            ),
            (
                "UPDATE t SET a = 1 FROM u, v WHERE u.b IS DISTINCT FROM v.b",
                Some(&["a"]),
            ),
            (
                "INSERT INTO t VALUES (1) ON CONFLICT (b) DO UPDATE SET a = 1, c = 2",
                Some(&["a", "c"]),
            ),
            ("UPDATE t SET (a, b = 1", None),
            ("UPDATE t SET a", None),
            ("DELETE FROM t", None),
        ];
        for (sql, want) in cases {
            let want = want.map(|want| want.iter().map(ToString::to_string).collect());
            assert_eq!(set_columns(sql), want, "{sql}");
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
