//! What SQLite itself says: definitions are tried in a database in memory before anything is done to the real one.

use std::collections::BTreeSet;

use crate::dialect::sqlite::inspect::{Object, TriggerHeader};
use crate::dialect::sqlite::readers;
use crate::dialect::sqlite::table::unquoted_type;
use crate::dialect::{Rows, Scratch, ScratchError};
use crate::sql::parse::cursor::Name;
use crate::sql::write::{quoted, sqlite_literal};

/// What SQLite's own pragmas say of a table.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) struct Model {
    /// name, type, notnull, `dflt_value`, pk, hidden of each column.
    pub(super) columns: Vec<Vec<Option<String>>>,
    /// table, from, to, `on_update`, `on_delete`, match of each foreign key's columns, in the order of the definition.
    pub(super) foreign_keys: Rows,
    /// The columns, orders and collations of each index that a constraint makes.
    pub(super) keys: Vec<Rows>,
}

impl Model {
    /// Reads the model of a table.
    pub(super) fn read(scratch: &mut dyn Scratch, table: &str) -> Result<Self, ScratchError> {
        let name = sqlite_literal(table);
        let columns = scratch.query(&format!(
            "SELECT name, type, \"notnull\", dflt_value, pk, hidden FROM pragma_table_xinfo({name}) ORDER BY cid"
        ))?;
        let foreign_keys = scratch.query(&format!(
            "SELECT \"table\", \"from\", \"to\", on_update, on_delete, \"match\" FROM pragma_foreign_key_list({name}) \
             ORDER BY id DESC, seq"
        ))?;
        let indexes = scratch.query(&format!(
            "SELECT name FROM pragma_index_list({name}) WHERE origin IN ('pk', 'u') ORDER BY seq DESC"
        ))?;
        let mut keys = Vec::new();
        for index in indexes.into_iter().flatten().flatten() {
            keys.push(scratch.query(&format!(
                "SELECT cid, name, \"desc\", coll, key FROM pragma_index_xinfo({}) ORDER BY seqno",
                sqlite_literal(&index)
            ))?);
        }
        Ok(Self {
            columns,
            foreign_keys,
            keys,
        })
    }

    /// The columns' names, which columns are computed, what they are stored as and what they are found by: what must
    /// not differ where only the text of a definition is exchanged.
    pub(super) fn layout(&self) -> (Vec<[String; 4]>, &[Rows]) {
        let text = |row: &[Option<String>], at: usize| row.get(at).cloned().flatten().unwrap_or_default();
        let columns = self.columns.iter().map(|row| {
            let affinity = format!("{:?}", super::types::Affinity::of(&text(row, 1)));
            [text(row, 0).to_ascii_lowercase(), text(row, 5), affinity, text(row, 4)]
        });
        (columns.collect(), &self.keys)
    }
}

/// One attribute of a column in a [`Model`], in a form that can be compared.
pub(super) fn attribute(row: &[Option<String>], name: &str) -> String {
    let at = ["name", "type", "notnull", "dflt_value", "pk", "hidden"]
        .iter()
        .position(|known| *known == name);
    let value = at.and_then(|at| row.get(at)).cloned().flatten().unwrap_or_default();
    comparable(name, &value)
}

/// An attribute's value without the differences that mean nothing: spaces and case in a type, parentheses around a
/// default.
pub(super) fn comparable(name: &str, value: &str) -> String {
    match name {
        // SQLite gives the types that it knows by heart in upper case.
        "type" => unquoted_type(value).replace(' ', "").to_ascii_uppercase(),
        "dflt_value" => {
            let mut value = value.trim();
            while let Some(inner) = value.strip_prefix('(').and_then(|inner| inner.strip_suffix(')')) {
                value = inner.trim();
            }
            value.to_owned()
        }
        _ => value.to_owned(),
    }
}

/// A statement that compiles if a view, a trigger or a table is sound.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) struct Probe {
    /// What it stands for.
    pub(super) object: String,
    /// The statement, without EXPLAIN.
    pub(super) sql: String,
}

impl Probe {
    /// The statement so that it is compiled and does nothing. A plan has a row for each scan, where a program has many for
    /// each trigger that a statement fires.
    pub(super) fn compiled(&self) -> String {
        format!("EXPLAIN QUERY PLAN {}", self.sql)
    }
}

/// Builds the related objects, a table, its indexes and its triggers; what SQLite refuses among the related is left
/// out.
pub(super) fn build(
    scratch: &mut dyn Scratch,
    related: &[&Object],
    table: &str,
    hanging: &[&Object],
) -> Result<(), ScratchError> {
    for object in related.iter().filter(|object| object.kind == "table") {
        let _ = scratch.execute(&object.sql);
    }
    scratch.execute(table)?;
    for object in related.iter().filter(|object| object.kind == "index") {
        let _ = scratch.execute(&object.sql);
    }
    let views = related.iter().filter(|object| object.kind == "view");
    let triggers = related.iter().filter(|object| object.kind == "trigger");
    for object in views.chain(triggers).chain(hanging) {
        let _ = scratch.execute(&object.sql);
    }
    Ok(())
}

/// Likewise, without the views and triggers that do not compile there, beside which SQLite renames nothing.
pub(super) fn build_sound(
    scratch: &mut dyn Scratch,
    related: &[&Object],
    table: &str,
    hanging: &[&Object],
) -> Result<(), ScratchError> {
    let reads = |object: &&&Object| matches!(object.kind.as_str(), "view" | "trigger");
    let plain: Vec<&Object> = related.iter().filter(|object| !reads(object)).copied().collect();
    let indexes: Vec<&Object> = hanging.iter().filter(|object| !reads(object)).copied().collect();
    // Statements on rows do not compile where a parent is missing, and not all of them are here.
    scratch.execute("PRAGMA foreign_keys = OFF")?;
    build(scratch, &plain, table, &indexes)?;
    let all = related.iter().chain(hanging).filter(reads);
    let (views, triggers): (Vec<&Object>, Vec<&Object>) = all.copied().partition(|object| object.kind == "view");
    let mut made = Vec::new();
    for view in views {
        if scratch.execute(&view.sql).is_ok() {
            made.push(view);
        }
    }
    // A view may stand before one that it reads, so they are looked at when all are there; those that read a broken one
    // are broken themselves.
    made.retain(|view| compile(scratch, &[view]) || scratch.execute(&dropped(view)).is_err());
    // A statement compiles all triggers that it fires: one by one, they would be compiled as often as there are others.
    let mut fired = Vec::new();
    for trigger in triggers {
        if scratch.execute(&trigger.sql).is_ok() {
            fired.push(trigger);
        }
    }
    if compile(scratch, &fired) {
        return Ok(());
    }
    for trigger in &fired {
        scratch.execute(&dropped(trigger))?;
    }
    for trigger in fired {
        if scratch.execute(&trigger.sql).is_ok() && !compile(scratch, &[trigger]) {
            scratch.execute(&dropped(trigger))?;
        }
    }
    Ok(())
}

/// Whether views or triggers of scratch compile, which has one schema.
pub(super) fn compile(scratch: &mut dyn Scratch, objects: &[&Object]) -> bool {
    let here = |object: &&Object| Object {
        schema: "main".to_owned(),
        ..(*object).clone()
    };
    let here: Vec<Object> = objects.iter().map(here).collect();
    let here: Vec<&Object> = here.iter().collect();
    let mut columns = |table: &str| scratch.query(&settable(table)).unwrap_or_default();
    let mut probes = probes(&mut columns, &[], &here);
    once(&mut probes);
    probes.iter().all(|probe| scratch.query(&probe.compiled()).is_ok())
}

/// What SQLite says of a view or trigger of scratch that does not compile.
pub(super) fn refused(scratch: &mut dyn Scratch, object: &Object) -> Option<String> {
    let here = Object {
        schema: "main".to_owned(),
        ..object.clone()
    };
    let mut columns = |table: &str| scratch.query(&settable(table)).unwrap_or_default();
    let probes = probes(&mut columns, &[], &[&here]);
    let mut refused = probes.iter().filter_map(|probe| scratch.query(&probe.compiled()).err());
    refused.next().map(|error| error.message)
}

/// Leaves each statement once: many triggers stand for one, which compiles all of them.
pub(super) fn once(probes: &mut Vec<Probe>) {
    let mut known = BTreeSet::new();
    probes.retain(|probe| known.insert(probe.sql.clone()));
}

pub(super) fn dropped(object: &Object) -> String {
    format!("DROP {} {}", object.kind, quoted(&object.name, '"'))
}

/// The probes for everything that could break when the table changes.
///
/// `columns` answers the query of [`settable`] for a table.
pub(super) fn probes(columns: &mut dyn FnMut(&str) -> Rows, triggers: &[Object], related: &[&Object]) -> Vec<Probe> {
    let mut probes = Vec::new();
    let triggers = triggers.iter().chain(related.iter().copied());
    for object in related.iter().filter(|object| object.kind == "view") {
        probes.push(Probe {
            object: format!("view `{}`", object.name),
            sql: format!("SELECT * FROM {}", named(object, &object.name)),
        });
    }
    for object in triggers.filter(|object| object.kind == "trigger") {
        let Some(header) = TriggerHeader::read(&object.sql) else {
            continue;
        };
        let target = match &header.schema {
            Some(schema) => format!("{}.{}", quoted(schema, '"'), quoted(&header.table, '"')),
            None => named(object, &header.table),
        };
        let sql = match header.event.as_str() {
            "INSERT" => format!("INSERT INTO {target} DEFAULT VALUES"),
            "DELETE" => format!("DELETE FROM {target}"),
            _ => {
                let settable: Vec<String> = columns(&header.table).into_iter().flatten().flatten().collect();
                // A list may name columns that nobody can set, or that are not there: SQLite passes over those. The first
                // of the columns is the one that stays longest.
                let is_listed = |column: &&String| header.columns.iter().any(|name| name.is(column));
                let set = if header.columns.is_empty() {
                    settable.first()
                } else {
                    let listed = settable.iter().find(is_listed);
                    let rowid = |name: &&Name| readers::ROWID.iter().any(|rowid| name.is(rowid));
                    let otherwise = header.columns.iter().find(rowid).or(header.columns.first());
                    listed.or(otherwise.map(|name| &name.text))
                };
                let Some(column) = set else { continue };
                let column = quoted(column, '"');
                format!("UPDATE {target} SET {column} = {column}")
            }
        };
        probes.push(Probe {
            object: format!("trigger `{}`", object.name),
            sql,
        });
    }
    probes
}

/// A name of an object's schema; an object of `temp` may mean others, so its names stay as they are.
fn named(object: &Object, name: &str) -> String {
    if object.schema == "temp" {
        quoted(name, '"')
    } else {
        format!("{}.{}", quoted(&object.schema, '"'), quoted(name, '"'))
    }
}

/// The query for the columns of a table that an UPDATE can set.
pub(super) fn settable(table: &str) -> String {
    format!(
        "SELECT name FROM pragma_table_xinfo({}) WHERE hidden = 0 ORDER BY cid",
        sqlite_literal(table)
    )
}
