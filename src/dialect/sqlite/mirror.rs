//! The schema of a database, made again in an empty one in memory: every object in its order, with the very text that is
//! stored. Views, triggers, and what cannot be made there by a statement, for want of a function, a collation or a module of
//! the application, are written into the schema table, as SQLite itself takes them when it opens such a database.

use std::collections::{BTreeMap, BTreeSet};

use crate::code::Code;
use crate::dialect::sqlite::filled::Filled;
use crate::dialect::sqlite::inspect::{Object, objects};
use crate::dialect::sqlite::steps;
use crate::dialect::sqlite::table::Table;
use crate::dialect::{Mirror, Mirrors, Rows, Scratch, ScratchError};
use crate::error::{Error, Result};
use crate::sorted::Gather as _;
use crate::sql::parse::cursor::Cursor;
use crate::sql::write::{quoted, sqlite_literal};

/// How SQLite's schemas are mirrored.
pub(super) struct InMemory;

impl Mirrors for InMemory {
    fn mirror(
        &self,
        live: &mut dyn FnMut(&str) -> Result<Rows>,
        altered: &BTreeSet<String>,
        scratch: &mut dyn Scratch,
    ) -> Result<Box<dyn Mirror>> {
        // `temp` comes last: what stands there may be on a table of another schema.
        let schemas = live("SELECT name FROM pragma_database_list ORDER BY seq = 1, seq")?;
        let mut filled = BTreeMap::new();
        run(scratch, "PRAGMA writable_schema = ON")?;
        for schema in schemas.into_iter().flatten().flatten() {
            let name = quoted(&schema, '"');
            let rows = live(&format!(
                "SELECT type, name, tbl_name, sql FROM {name}.sqlite_schema ORDER BY rowid"
            ))?;
            let held = objects(&schema, rows);
            if schema == "main" {
                filled = with_rows(live, &held, altered)?;
            } else if schema != "temp" {
                run(scratch, &format!("ATTACH ':memory:' AS {name}"))?;
            }
            make(scratch, &schema, &held)?;
            if schema != "temp" {
                let version = live(&format!("PRAGMA {name}.schema_version"))?;
                for version in version.into_iter().flatten().flatten() {
                    run(scratch, &format!("PRAGMA {name}.schema_version = {version}"))?;
                }
            }
        }
        run(scratch, "PRAGMA writable_schema = RESET")?;
        // Only now SQLite reads what was written there.
        let whole = scratch.query("SELECT 1 FROM sqlite_schema LIMIT 1");
        whole.map_err(|error| not_made(&error))?;
        let inserted = steps::has_inserted(live(steps::LAST_INSERT)?);
        Ok(Box::new(Filled::new(filled, inserted)))
    }
}

fn run(scratch: &mut dyn Scratch, sql: &str) -> Result<()> {
    scratch.execute(sql).map_err(|error| not_made(&error))
}

fn not_made(error: &ScratchError) -> Error {
    Error::new(Code::BatchInternal, error.message.clone())
}

/// Which of the tables that are altered have rows.
fn with_rows(
    live: &mut dyn FnMut(&str) -> Result<Rows>,
    held: &[Object],
    altered: &BTreeSet<String>,
) -> Result<BTreeMap<String, bool>> {
    let altered: BTreeSet<&str> = altered
        .iter()
        .map(|name| name.strip_prefix("main.").unwrap_or(name))
        .into_set();
    let mut filled = BTreeMap::new();
    for object in held {
        let name = object.name.to_ascii_lowercase();
        if object.kind == "table" && altered.contains(name.as_str()) && !is_virtual(object) {
            let rows = live(&format!("SELECT 1 FROM \"main\".{} LIMIT 1", quoted(&object.name, '"')))?;
            filled.insert(name, !rows.is_empty());
        }
    }
    Ok(filled)
}

fn is_virtual(object: &Object) -> bool {
    Cursor::new(&object.sql).take(&["CREATE", "VIRTUAL"])
}

/// Makes the objects of one schema.
fn make(scratch: &mut dyn Scratch, schema: &str, held: &[Object]) -> Result<()> {
    // The tables behind a virtual one come with it.
    let virtuals: Vec<String> = held
        .iter()
        .filter(|object| object.kind == "table" && is_virtual(object))
        .map(|object| format!("{}_", object.name.to_ascii_lowercase()))
        .collect();
    let comes_along = |object: &&Object| {
        let name = object.name.to_ascii_lowercase();
        object.kind == "table" && virtuals.iter().any(|prefix| name.starts_with(prefix.as_str()))
    };
    let defined = || held.iter().filter(|object| !object.sql.is_empty());
    let (late, first): (Vec<&Object>, Vec<&Object>) = defined().partition(comes_along);
    let mut refused = Vec::new();
    for object in first {
        // Each CREATE takes a look at the whole schema table: where nothing but a row there comes of it, the row will do.
        if matches!(object.kind.as_str(), "view" | "trigger") {
            write_down(scratch, object, held)?;
            continue;
        }
        // AUTOINCREMENT makes its table by itself.
        let own = object.name.starts_with("sqlite_");
        if !(own && is_there(scratch, object)?) && scratch.execute(&statement(object)).is_err() {
            refused.push(object);
        }
    }
    for object in late.into_iter().chain(refused) {
        if !is_there(scratch, object)? && scratch.execute(&statement(object)).is_err() {
            write_down(scratch, object, held)?;
        }
    }
    keep_texts(scratch, schema, defined())
}

fn statement(object: &Object) -> String {
    if object.schema == "main" {
        object.sql.clone()
    } else {
        object.statement()
    }
}

fn schema_table(schema: &str) -> String {
    format!("{}.sqlite_schema", quoted(schema, '"'))
}

fn is_there(scratch: &mut dyn Scratch, object: &Object) -> Result<bool> {
    let rows = scratch.query(&format!(
        "SELECT 1 FROM {} WHERE type = {} AND name = {}",
        schema_table(&object.schema),
        sqlite_literal(&object.kind),
        sqlite_literal(&object.name)
    ));
    rows.map(|rows| !rows.is_empty()).map_err(|error| not_made(&error))
}

/// Writes an object into the schema table. A table or an index gets a b-tree of its kind from a plain one.
fn write_down(scratch: &mut dyn Scratch, object: &Object, held: &[Object]) -> Result<()> {
    let schema = quoted(&object.schema, '"');
    let name = quoted(&object.name, '"');
    match object.kind.as_str() {
        "table" if !is_virtual(object) => {
            let of_constraints: Vec<&Object> = held
                .iter()
                .filter(|index| index.kind == "index" && index.sql.is_empty() && index.table == object.name)
                .collect();
            let unique: String = (0..of_constraints.len()).map(|at| format!(", u{at} UNIQUE")).collect();
            let plain = if Table::read(&object.sql).is_some_and(|table| table.without_rowid()) {
                format!("CREATE TABLE {schema}.{name} (c PRIMARY KEY{unique}) WITHOUT ROWID")
            } else {
                format!("CREATE TABLE {schema}.{name} (c{unique})")
            };
            run(scratch, &plain)?;
            let made = scratch.query(&format!(
                "SELECT rowid FROM {} WHERE type = 'index' AND tbl_name = {} ORDER BY rowid",
                schema_table(&object.schema),
                sqlite_literal(&object.name)
            ));
            let made = made.map_err(|error| not_made(&error))?;
            for (row, index) in made.into_iter().flatten().flatten().zip(of_constraints) {
                run(
                    scratch,
                    &format!(
                        "UPDATE {} SET name = {} WHERE rowid = {row}",
                        schema_table(&object.schema),
                        sqlite_literal(&index.name)
                    ),
                )?;
            }
            Ok(())
        }
        "index" => {
            let table = quoted(&object.table, '"');
            run(scratch, &format!("CREATE INDEX {schema}.{name} ON {table} (1)"))
        }
        _ => run(
            scratch,
            &format!(
                "INSERT INTO {} VALUES ({}, {}, {}, 0, {})",
                schema_table(&object.schema),
                sqlite_literal(&object.kind),
                sqlite_literal(&object.name),
                sqlite_literal(&object.table),
                sqlite_literal(&object.sql)
            ),
        ),
    }
}

/// Gives every object the text that is stored, where it came out otherwise.
fn keep_texts<'o>(scratch: &mut dyn Scratch, schema: &str, held: impl Iterator<Item = &'o Object>) -> Result<()> {
    let rows = scratch.query(&format!(
        "SELECT type, name, tbl_name, sql FROM {}",
        schema_table(schema)
    ));
    let made = objects(schema, rows.map_err(|error| not_made(&error))?);
    let made: BTreeMap<(&str, &str), &str> = made
        .iter()
        .map(|object| ((object.kind.as_str(), object.name.as_str()), object.sql.as_str()))
        .into_map();
    for object in held {
        if made.get(&(object.kind.as_str(), object.name.as_str())) == Some(&object.sql.as_str()) {
            continue;
        }
        run(
            scratch,
            &format!(
                "UPDATE {} SET sql = {} WHERE type = {} AND name = {}",
                schema_table(schema),
                sqlite_literal(&object.sql),
                sqlite_literal(&object.kind),
                sqlite_literal(&object.name)
            ),
        )?;
    }
    Ok(())
}
