//! What the database holds: a table with everything that hangs on it.

use std::collections::BTreeSet;

use crate::dialect::sqlite::table::Table;
use crate::dialect::{Ask, Rows};
use crate::error::Result;
use crate::sorted::Gather as _;
use crate::sql::parse::cursor::{Cursor, Name};
use crate::sql::split::SQLITE;
use crate::sql::token::{Kind, significant, unquoted};
use crate::sql::write::{quoted, sqlite_literal};

/// A row of a schema table.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) struct Object {
    /// `main`, `temp`, or the name of an attached database.
    pub(super) schema: String,
    /// `table`, `index`, `view` or `trigger`.
    pub(super) kind: String,
    /// Its name.
    pub(super) name: String,
    /// The table it is on; of a table its own name.
    pub(super) table: String,
    /// Its definition.
    pub(super) sql: String,
}

impl Object {
    /// The definition as a statement that makes the object anew in its schema.
    pub(super) fn statement(&self) -> String {
        let mut cursor = Cursor::new(&self.sql);
        while !cursor.at_end() && !cursor.sees_any(&["INDEX", "TRIGGER", "TABLE", "VIEW"]) {
            cursor.skip();
        }
        cursor.skip();
        let at = cursor.here().start;
        format!("{}{}.{}", &self.sql[..at], quoted(&self.schema, '"'), &self.sql[at..])
    }
}

/// What kind of thing a name in the database is, as far as it matters to ALTER TABLE.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Sort {
    /// An ordinary table.
    Table,
    /// A view.
    View,
    /// A virtual table.
    Virtual,
    /// A table that belongs to a virtual one.
    Shadow,
    /// One of SQLite's own.
    System,
}

/// A thing that has the name that an ALTER TABLE names.
#[derive(Debug, Clone)]
pub(super) struct Found {
    /// Where it is and what its definition is.
    pub(super) object: Object,
    /// What it is.
    pub(super) sort: Sort,
}

/// The thing of this name, looked for as SQLite does: in `temp`, in `main`, in what is attached.
pub(super) fn find(ask: &mut dyn Ask, schema: Option<&Name>, name: &Name) -> Result<Option<Found>> {
    for schema in schemas(ask, schema)? {
        let rows = ask.query(&format!(
            "SELECT type, name, tbl_name, sql FROM {}.sqlite_schema \
             WHERE type IN ('table', 'view') AND name = {} COLLATE NOCASE",
            quoted(&schema, '"'),
            sqlite_literal(&name.text)
        ))?;
        if let Some(object) = objects(&schema, rows).pop() {
            let sort = sort(ask, &object);
            return Ok(Some(Found { object, sort }));
        }
    }
    Ok(None)
}

fn schemas(ask: &mut dyn Ask, schema: Option<&Name>) -> Result<Vec<String>> {
    let rows = ask.query("SELECT name FROM pragma_database_list ORDER BY seq <> 1, seq")?;
    let all = rows.into_iter().filter_map(|row| row.into_iter().next().flatten());
    Ok(all
        .filter(|known| schema.is_none_or(|schema| schema.is(known)))
        .collect())
}

/// Rows of a schema table: kind, name, table, definition.
pub(super) fn objects(schema: &str, rows: Rows) -> Vec<Object> {
    let text = |value: Option<Option<String>>| value.flatten().unwrap_or_default();
    rows.into_iter()
        .map(|row| {
            let mut row = row.into_iter();
            Object {
                schema: schema.to_owned(),
                kind: text(row.next()),
                name: text(row.next()),
                table: text(row.next()),
                sql: text(row.next()),
            }
        })
        .collect()
}

fn sort(ask: &mut dyn Ask, object: &Object) -> Sort {
    let shadow = format!(
        "SELECT 1 FROM pragma_table_list WHERE schema = {} AND name = {} AND type = 'shadow'",
        sqlite_literal(&object.schema),
        sqlite_literal(&object.name)
    );
    let mut cursor = Cursor::new(&object.sql);
    if object.kind == "view" {
        Sort::View
    } else if object.name.to_ascii_lowercase().starts_with("sqlite_") {
        Sort::System
    } else if cursor.take(&["CREATE", "VIRTUAL"]) {
        Sort::Virtual
    } else if is_shadow(ask, object, &shadow) {
        Sort::Shadow
    } else {
        Sort::Table
    }
}

/// Whether the table belongs to a virtual one. SQLite says so from 3.37 on; before, its name is all there is to go by.
fn is_shadow(ask: &mut dyn Ask, object: &Object, listed: &str) -> bool {
    if let Ok(rows) = ask.query(listed) {
        return !rows.is_empty();
    }
    let name = sqlite_literal(&object.name);
    let by_name = format!(
        "SELECT 1 FROM {}.sqlite_schema WHERE type = 'table' AND upper(substr(sql, 1, 15)) = 'CREATE VIRTUAL ' \
         AND lower(substr({name}, 1, length(name) + 1)) = lower(name || '_')",
        quoted(&object.schema, '"')
    );
    ask.query(&by_name).is_ok_and(|rows| !rows.is_empty())
}

/// The names of the tables that an ALTER may name, for a message.
pub(super) fn table_names(ask: &mut dyn Ask) -> Result<Vec<String>> {
    let rows = ask.query(
        "SELECT name FROM main.sqlite_schema WHERE type = 'table' AND name NOT LIKE 'sqlite\\_%' ESCAPE '\\' ORDER BY name",
    )?;
    Ok(rows
        .into_iter()
        .filter_map(|row| row.into_iter().next().flatten())
        .collect())
}

/// The definitions of a table's indexes.
pub(super) fn index_texts(ask: &mut dyn Ask, schema: &str, table: &str) -> Result<Vec<String>> {
    let rows = ask.query(&format!(
        "SELECT sql FROM {}.sqlite_schema WHERE type = 'index' AND tbl_name = {} COLLATE NOCASE AND sql IS NOT NULL",
        quoted(schema, '"'),
        sqlite_literal(table)
    ))?;
    Ok(rows
        .into_iter()
        .filter_map(|row| row.into_iter().next().flatten())
        .collect())
}

/// A table with everything that hangs on it, as it was found.
#[derive(Debug, Clone)]
pub(super) struct State {
    /// The schema it is in.
    pub(super) schema: String,
    /// Its definition, taken apart.
    pub(super) table: Table,
    /// Its indexes that have a definition of their own.
    pub(super) indexes: Vec<Object>,
    /// The triggers on it, those in `temp` last.
    pub(super) triggers: Vec<Object>,
    /// What uses the table, and what that and the table's triggers use.
    pub(super) related: Vec<Object>,
    /// Whether it has rows; unknown offline, and where a plan cannot tell.
    pub(super) rows: Option<bool>,
}

impl State {
    /// Reads everything about a table that was found; `None` when its definition cannot be read.
    pub(super) fn read(ask: &mut dyn Ask, found: &Object) -> Result<Option<Self>> {
        let Some(table) = Table::read(&found.sql) else {
            return Ok(None);
        };
        let mut own = Vec::new();
        for schema in searched(found) {
            let condition = format!("tbl_name = {} COLLATE NOCASE", sqlite_literal(&found.name));
            own.extend(select(ask, schema, &condition)?);
        }
        let of_kind = |kind: &str| -> Vec<Object> {
            own.iter()
                .filter(|object| object.kind == kind && is_on(object, found, &own))
                .cloned()
                .collect()
        };
        let (indexes, triggers) = (of_kind("index"), of_kind("trigger"));
        let related = related(ask, found, &own)?;
        let rows = if ask.knows_rows() {
            let name = format!("{}.{}", quoted(&found.schema, '"'), quoted(&found.name, '"'));
            Some(!ask.query(&format!("SELECT 1 FROM {name} LIMIT 1"))?.is_empty())
        } else {
            ask.will_have_rows(&found.schema, &found.name)?
        };
        Ok(Some(Self {
            schema: found.schema.clone(),
            table,
            indexes,
            triggers,
            related,
            rows,
        }))
    }

    /// The table itself as it is stored.
    pub(super) fn object(&self) -> Object {
        let name = &self.table.name().text;
        Object {
            schema: self.schema.clone(),
            kind: "table".to_owned(),
            name: name.clone(),
            table: name.clone(),
            sql: self.table.text().to_owned(),
        }
    }

    /// The table's name as an author would write it, quoted.
    pub(super) fn spoken(&self) -> String {
        if self.schema.eq_ignore_ascii_case("main") {
            quoted(&self.table.name().text, '"')
        } else {
            self.qualified()
        }
    }

    /// The table's name with its schema, quoted.
    pub(super) fn qualified(&self) -> String {
        format!("{}.{}", quoted(&self.schema, '"'), quoted(&self.table.name().text, '"'))
    }
}

/// The rows of a schema table that meet a condition, SQLite's own objects aside.
fn select(ask: &mut dyn Ask, schema: &str, condition: &str) -> Result<Vec<Object>> {
    let rows = ask.query(&format!(
        "SELECT type, name, tbl_name, sql FROM {}.sqlite_schema \
         WHERE sql IS NOT NULL AND name NOT LIKE 'sqlite\\_%' ESCAPE '\\' AND ({condition}) ORDER BY rowid",
        quoted(schema, '"')
    ))?;
    Ok(objects(schema, rows))
}

/// The views and triggers of a schema.
pub(super) fn views_and_triggers(ask: &mut dyn Ask, schema: &str) -> Result<Vec<Object>> {
    let mut views = select(ask, schema, "type = 'view'")?;
    views.extend(select(ask, schema, "type = 'trigger'")?);
    Ok(views)
}

/// The schema of the table, and `temp`, whose views and triggers may use it as well.
fn searched(found: &Object) -> Vec<&str> {
    if found.schema == "temp" {
        vec!["temp"]
    } else {
        vec![&found.schema, "temp"]
    }
}

/// Everything that views and triggers that use the table need in order to be compiled, and those views and triggers
/// themselves: what names the table, or a view that does, and then whatever that names.
fn related(ask: &mut dyn Ask, found: &Object, own: &[Object]) -> Result<Vec<Object>> {
    let mut all: Vec<Object> = Vec::new();
    let mut names = vec![found.name.to_ascii_lowercase()];
    let mut next = 0;
    while let Some(name) = names.get(next).cloned() {
        next += 1;
        for schema in searched(found) {
            let condition = format!("type <> 'index' AND {}", may_say(&name));
            for object in select(ask, schema, &condition)? {
                let known = object == *found || own.contains(&object) || all.contains(&object);
                if !known && words(&object.sql).contains(&name) {
                    if object.kind == "view" {
                        names.push(object.name.to_ascii_lowercase());
                    }
                    all.push(object);
                }
            }
        }
    }
    let triggers = own.iter().filter(|object| object.kind == "trigger");
    let mut wanted: Vec<String> = triggers.chain(&all).map(|object| object.sql.clone()).collect();
    while let Some(text) = wanted.pop() {
        let list: Vec<String> = words(&text).iter().map(|word| sqlite_literal(word)).collect();
        let list = list.join(", ");
        let condition = format!(
            "type IN ('table', 'view') AND lower(name) IN ({list}) OR type = 'index' AND lower(tbl_name) IN ({list})"
        );
        for schema in searched(found) {
            for object in select(ask, schema, &condition)? {
                if object != *found && !own.contains(&object) && !all.contains(&object) {
                    if object.kind == "view" {
                        wanted.push(object.sql.clone());
                    }
                    all.push(object);
                }
            }
        }
    }
    Ok(all)
}

/// The condition that `sql` may say a name in lower case. A quote in it may be written twice, so the longest part without
/// any is looked for.
fn may_say(name: &str) -> String {
    let parts = name.split(['"', '`', '\'', '[', ']']);
    let part = parts.max_by_key(|part| part.len()).unwrap_or_default();
    format!("instr(lower(sql), {}) > 0", sqlite_literal(part))
}

/// The words and names in a text, in lower case.
pub(super) fn words(text: &str) -> BTreeSet<String> {
    significant(text, &SQLITE)
        .filter(|token| matches!(token.kind, Kind::Word | Kind::Quoted | Kind::Text))
        .map(|token| unquoted(&text[token.span]).to_ascii_lowercase())
        .into_set()
}

/// Whether an index or trigger that says it is on a table of this name is on this very table.
fn is_on(object: &Object, found: &Object, everything: &[Object]) -> bool {
    if object.schema == found.schema {
        return true;
    }
    let header = TriggerHeader::read(&object.sql);
    let qualified = header.and_then(|header| header.schema);
    match qualified {
        Some(schema) => schema.eq_ignore_ascii_case(&found.schema),
        None => !everything.iter().any(|other| {
            other.kind == "table" && other.schema == "temp" && other.name.eq_ignore_ascii_case(&found.name)
        }),
    }
}

/// The words of a CREATE TRIGGER before its body.
#[derive(Debug)]
pub(super) struct TriggerHeader {
    /// `INSERT`, `UPDATE` or `DELETE`.
    pub(super) event: String,
    /// The columns of UPDATE OF.
    pub(super) columns: Vec<Name>,
    /// The schema of the table, where it is written.
    pub(super) schema: Option<String>,
    /// The table or view.
    pub(super) table: String,
}

impl TriggerHeader {
    /// Reads the header of a stored trigger.
    pub(super) fn read(sql: &str) -> Option<Self> {
        let mut cursor = Cursor::new(sql);
        while !cursor.take(&["TRIGGER"]) {
            if cursor.at_end() {
                return None;
            }
            cursor.skip();
        }
        let _ = cursor.take(&["IF", "NOT", "EXISTS"]);
        cursor.name()?;
        let _ = cursor.take(&["BEFORE"]) || cursor.take(&["AFTER"]) || cursor.take(&["INSTEAD", "OF"]);
        let event = cursor.word(0).to_ascii_uppercase();
        cursor.skip();
        let mut columns = Vec::new();
        if cursor.take(&["OF"]) {
            columns.push(cursor.name()?);
            while cursor.take(&[","]) {
                columns.push(cursor.name()?);
            }
        }
        if !cursor.take(&["ON"]) {
            return None;
        }
        let first = cursor.name()?.text;
        let (schema, table) = if cursor.take(&["."]) {
            (Some(first), cursor.name()?.text)
        } else {
            (None, first)
        };
        Some(Self {
            event,
            columns,
            schema,
            table,
        })
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn objects_are_made_anew_in_their_schema() {
        let check = |sql: &str, expect: &str| {
            let object = Object {
                schema: "aux1".to_owned(),
                kind: String::new(),
                name: String::new(),
                table: String::new(),
                sql: sql.to_owned(),
            };
            assert_eq!(object.statement(), expect);
        };
        check(
            "CREATE UNIQUE INDEX \"i x\" ON t(a)",
            "CREATE UNIQUE INDEX \"aux1\".\"i x\" ON t(a)",
        );
        check(
            "CREATE TRIGGER tr AFTER INSERT ON t BEGIN SELECT 1; END",
            "CREATE TRIGGER \"aux1\".tr AFTER INSERT ON t BEGIN SELECT 1; END",
        );
    }

    #[test]
    fn trigger_headers_are_read() {
        let header =
            TriggerHeader::read("CREATE TRIGGER \"t r\" AFTER UPDATE OF a, \"b c\" ON main.t BEGIN SELECT 1; END")
                .expect("a header");
        assert_eq!((header.event.as_str(), header.table.as_str()), ("UPDATE", "t"));
        assert_eq!(header.columns.len(), 2);
    }
}
