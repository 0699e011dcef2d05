//! A schema with its rows, and the database that is built directly from it.

use std::collections::BTreeMap;

use rusqlite::types::Value;
use rusqlite::{Connection, params_from_iter};

use crate::dialect::sqlite::harness::rows;
use crate::dialect::sqlite::model::schema::{Column, Id, Pen, Schema, Table};
use crate::sql::write::{quoted, sqlite_literal};

/// What a database should hold.
#[derive(Debug, Clone, Default)]
pub(super) struct State {
    pub(super) schema: Schema,
    pub(super) rows: BTreeMap<Id, Vec<Row>>,
    /// The highest rowid that an AUTOINCREMENT table ever had.
    pub(super) sequence: BTreeMap<Id, i64>,
    /// How many rows point at nothing, by the foreign key.
    pub(super) orphans: BTreeMap<Reference, usize>,
}

/// A foreign key, whatever it is called: its table and columns, its parent, and the parent's columns, if it names them.
pub(super) type Reference = (Id, Vec<Id>, Id, Vec<Id>);

#[derive(Debug, Clone)]
pub(super) struct Row {
    pub(super) rowid: Option<i64>,
    /// Those that have none get the column's default.
    pub(super) values: BTreeMap<Id, Value>,
}

impl State {
    /// The database, or why there can be none.
    pub(super) fn build(&self) -> Result<Connection, String> {
        let db = Connection::open_in_memory().expect("a database");
        let run = |sql: &str| db.execute_batch(sql).map_err(|error| format!("{error} in {sql}"));
        run("PRAGMA foreign_keys = OFF; PRAGMA synchronous = OFF; BEGIN")?;
        for table in &self.schema.tables {
            run(&Pen(None).table(&self.schema, table).0)?;
        }
        for table in &self.schema.tables {
            for row in self.rows.get(&table.id).into_iter().flatten() {
                insert(&db, table, row).map_err(|error| format!("{error} in a row of {}: {row:?}", table.name))?;
            }
            if let Some(sequence) = self.sequence.get(&table.id)
                && table.key.as_ref().is_some_and(|key| key.autoincrement)
            {
                let name = sqlite_literal(&table.name);
                run(&format!(
                    "DELETE FROM sqlite_sequence WHERE name = {name}; INSERT INTO sqlite_sequence VALUES ({name}, {sequence})"
                ))?;
            }
            for index in &table.indexes {
                run(&Pen(None).index(&self.schema, table, index))?;
            }
        }
        for view in &self.schema.views {
            run(&Pen(None).view(&self.schema, view))?;
        }
        for trigger in &self.schema.triggers {
            run(&Pen(None).trigger(&self.schema, trigger))?;
        }
        run("COMMIT; PRAGMA foreign_keys = ON")?;
        Ok(db)
    }

    /// The database, in which also no more refers to what is not there than did before and everything compiles.
    pub(super) fn settle(&self) -> Result<(State, Connection), String> {
        let db = self.build()?;
        let orphans = self.orphans(&db)?;
        let before = |reference: &Reference| self.orphans.get(reference).copied().unwrap_or_default();
        if orphans.iter().any(|(reference, count)| *count > before(reference)) {
            return Err(format!("rows refer to nothing: {orphans:?}"));
        }
        for sql in probes(&self.schema) {
            db.prepare(&sql).map_err(|error| format!("{error} in {sql}"))?;
        }
        Ok((self.read(&db), db))
    }

    /// How many rows of a database of this schema point at nothing.
    fn orphans(&self, db: &Connection) -> Result<BTreeMap<Reference, usize>, String> {
        let mut orphans = BTreeMap::new();
        let id = |name: &str| self.schema.tables.iter().find(|table| table.name == name);
        for row in rows(db, "PRAGMA foreign_key_check").map_err(|error| error.to_string())? {
            let text = |at: usize| row[at].clone().expect("a value");
            let (child, parent) = (id(&text(0)).expect("a table"), id(&text(2)).expect("a table"));
            let sql = format!(
                "SELECT \"from\", \"to\" FROM pragma_foreign_key_list({}) WHERE id = {} ORDER BY seq",
                sqlite_literal(&child.name),
                text(3)
            );
            let (mut from, mut to) = (Vec::new(), Vec::new());
            let column = |table: &Table, name: &Option<String>| {
                let mut columns = table.columns.iter();
                let column = columns.find(|column| Some(&column.name) == name.as_ref());
                column.map(|column| column.id)
            };
            for pair in rows(db, &sql).map_err(|error| error.to_string())? {
                from.extend(column(child, &pair[0]));
                to.extend(column(parent, &pair[1]));
            }
            *orphans.entry((child.id, from, parent.id, to)).or_default() += 1;
        }
        Ok(orphans)
    }

    /// The same schema with the rows of a database.
    pub(super) fn read(&self, db: &Connection) -> State {
        let mut state = State {
            schema: self.schema.clone(),
            orphans: self.orphans(db).unwrap_or_default(),
            ..State::default()
        };
        for table in &self.schema.tables {
            state.rows.insert(table.id, table_rows(db, table));
            let sql = format!(
                "SELECT seq FROM sqlite_sequence WHERE name = {}",
                sqlite_literal(&table.name)
            );
            let found = rows(db, &sql)
                .ok()
                .and_then(|rows| rows.into_iter().flatten().flatten().next());
            if let Some(sequence) = found {
                state.sequence.insert(table.id, sequence.parse().expect("a number"));
            }
        }
        state
    }
}

/// Statements that compile where everything that hangs on tables does.
pub(super) fn probes(schema: &Schema) -> Vec<String> {
    let mut probes = Vec::new();
    for view in &schema.views {
        probes.push(format!("SELECT * FROM {}", quoted(&view.name, '"')));
    }
    for table in &schema.tables {
        let name = quoted(&table.name, '"');
        probes.push(format!("INSERT INTO {name} DEFAULT VALUES"));
        probes.push(format!("DELETE FROM {name}"));
        for column in table.columns.iter().filter(|column| column.generated.is_none()) {
            let column = quoted(&column.name, '"');
            probes.push(format!("UPDATE {name} SET {column} = {column}"));
        }
    }
    probes
}

/// A name of the rowid that no column has; none of the generated columns is called like one.
pub(super) fn rowid(table: &Table) -> Option<&'static str> {
    (!table.without_rowid).then_some("_rowid_")
}

/// By what rows are sorted, so that they come in one order only.
pub(super) fn order(table: &Table) -> String {
    rowid(table).map_or_else(
        || {
            let names = table.columns.iter().map(|column| quoted(&column.name, '"'));
            names.collect::<Vec<_>>().join(", ")
        },
        str::to_owned,
    )
}

fn stored(table: &Table) -> impl Iterator<Item = &Column> {
    table.columns.iter().filter(|column| column.generated.is_none())
}

fn insert(db: &Connection, table: &Table, row: &Row) -> rusqlite::Result<()> {
    let mut names = Vec::new();
    let mut values = Vec::new();
    if let (Some(name), Some(rowid), None) = (rowid(table), row.rowid, table.alias()) {
        names.push(name.to_owned());
        values.push(Value::Integer(rowid));
    }
    for column in stored(table) {
        if let Some(value) = row.values.get(&column.id) {
            if table.alias() == Some(column.id) && *value == Value::Null {
                // SQLite would number the row.
                return Err(rusqlite::Error::InvalidParameterName(format!(
                    "{} is NULL",
                    column.name
                )));
            }
            names.push(quoted(&column.name, '"'));
            values.push(value.clone());
        } else if let (Some(rowid), true) = (row.rowid, table.alias() == Some(column.id)) {
            // A new key takes the numbers that the rows have.
            names.push(quoted(&column.name, '"'));
            values.push(Value::Integer(rowid));
        }
    }
    let marks = vec!["?"; names.len()].join(", ");
    let sql = if names.is_empty() {
        format!("INSERT INTO {} DEFAULT VALUES", quoted(&table.name, '"'))
    } else {
        format!(
            "INSERT INTO {} ({}) VALUES ({marks})",
            quoted(&table.name, '"'),
            names.join(", ")
        )
    };
    db.prepare_cached(&sql)?.execute(params_from_iter(values)).map(drop)
}

/// The rows in the order of their keys, generated values among them.
fn table_rows(db: &Connection, table: &Table) -> Vec<Row> {
    let mut names: Vec<String> = rowid(table).into_iter().map(str::to_owned).collect();
    let first = names.len();
    names.extend(table.columns.iter().map(|column| quoted(&column.name, '"')));
    let sql = format!(
        "SELECT {} FROM {} ORDER BY {}",
        names.join(", "),
        quoted(&table.name, '"'),
        order(table)
    );
    let mut statement = db.prepare(&sql).expect("a query");
    let found = statement.query_map([], |row| {
        let mut values = BTreeMap::new();
        for (at, column) in table.columns.iter().enumerate() {
            values.insert(column.id, row.get(first + at)?);
        }
        let rowid = if first == 1 { row.get(0)? } else { None };
        Ok(Row { rowid, values })
    });
    found.expect("rows").map(|row| row.expect("a row")).collect()
}
