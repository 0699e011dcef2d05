//! A database as a model, read from `information_schema` by as many queries as there are kinds of things, and by one for
//! each view, program and sequence, whose definitions only SHOW CREATE has whole.

mod code;
mod defaults;
mod draft;
mod keys;
mod partitions;
mod rights;
mod server;
mod settle;
mod tables;

use crate::dialect::Rows;
use crate::dialect::mysql::schema;
use crate::dialect::row::Row;
use crate::error::Result;
use crate::schema::{Key, Kind, Model};

use server::Server;

/// A query to the database.
type Query<'q> = &'q mut dyn FnMut(&str) -> Result<Rows>;

/// What scripts may have set, and what the server's answers depend on.
const SET: [&str; 4] = [
    "sql_mode",
    "sql_quote_show_create",
    "time_zone",
    "character_set_results",
];

/// As the answers are read.
const READ_SO: &str =
    "SET SESSION sql_mode = '', sql_quote_show_create = 1, time_zone = DEFAULT, character_set_results = 'utf8mb4'";

/// Reads the model, on scratch in the words that stay if that is asked for, and leaves the session as it was.
pub(super) fn model(query: Query<'_>, settles: bool) -> Result<Model> {
    let were = query(&format!("SELECT @@{}", SET.join(", @@")))?;
    query(READ_SO)?;
    let model = read(query, settles);
    let values = were.into_iter().next().unwrap_or_default();
    let set = SET.iter().zip(values).map(|(name, value)| match value {
        Some(value) if *name == "sql_quote_show_create" => format!("{name} = {value}"),
        Some(value) => format!("{name} = {}", schema::literal(&value)),
        None => format!("{name} = NULL"),
    });
    query(&format!("SET SESSION {}", set.collect::<Vec<_>>().join(", ")))?;
    model
}

fn read(query: Query<'_>, settles: bool) -> Result<Model> {
    let mut reading = Reading {
        query,
        server: Server::default(),
        database: String::new(),
        usual_mode: String::new(),
        usual_collation: String::new(),
        model: Model::default(),
    };
    for mut row in reading.rows("SELECT VERSION(), DATABASE(), @@GLOBAL.sql_mode, COLLATION(_utf8mb4'')")? {
        reading.server = Server::of(&row.text());
        reading.database = row.text();
        reading.usual_mode = row.text();
        reading.usual_collation = row.text();
    }
    if !reading.database.is_empty() {
        reading.sees_all()?;
        if settles {
            reading.settle()?;
        }
        reading.tables()?;
        reading.sequences()?;
        reading.routines()?;
        reading.views()?;
        reading.triggers()?;
        reading.events()?;
    }
    Ok(reading.model)
}

/// A model while it is read.
struct Reading<'q> {
    query: Query<'q>,
    server: Server,
    /// The database that is read.
    database: String,
    /// The `sql_mode` of sessions where none was said.
    usual_mode: String,
    /// The collation of texts in them, likewise.
    usual_collation: String,
    model: Model,
}

impl Reading<'_> {
    fn rows(&mut self, sql: &str) -> Result<impl Iterator<Item = Row> + use<>> {
        let rows = (self.query)(sql)?;
        Ok(Row::all(rows))
    }
}

/// The key of a table or view.
fn table_key(name: &str) -> Key {
    Key::new(Kind::Table, name)
}
