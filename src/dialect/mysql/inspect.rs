//! A database as a model, read from `information_schema` by as many queries as there are kinds of things, and by one for
//! each view, routine and sequence, whose definitions only SHOW CREATE has whole.

mod code;
mod draft;
mod keys;
mod partitions;
mod server;
mod tables;

use crate::dialect::Rows;
use crate::error::Result;
use crate::schema::{Key, Kind, Model};

use server::Server;

/// A query to the database.
type Query<'q> = &'q mut dyn FnMut(&str) -> Result<Rows>;

/// Reads the model.
pub(super) fn model(query: Query<'_>) -> Result<Model> {
    let mut reading = Reading {
        query,
        server: Server::default(),
        database: String::new(),
        model: Model::default(),
    };
    for mut row in reading.rows("SELECT VERSION(), DATABASE()")? {
        reading.server = Server::of(&row.text());
        reading.database = row.text();
    }
    if !reading.database.is_empty() {
        reading.tables()?;
        reading.sequences()?;
        reading.routines()?;
        reading.views()?;
        reading.triggers()?;
        reading.events()?;
    }
    Ok(reading.model)
}

/// A row of a query.
struct Row(std::vec::IntoIter<Option<String>>);

impl Row {
    fn optional(&mut self) -> Option<String> {
        self.0.next().flatten()
    }

    fn text(&mut self) -> String {
        self.optional().unwrap_or_default()
    }

    fn number(&mut self) -> u64 {
        self.text().parse().unwrap_or_default()
    }
}

/// A model while it is read.
struct Reading<'q> {
    query: Query<'q>,
    server: Server,
    /// The database that is read.
    database: String,
    model: Model,
}

impl Reading<'_> {
    fn rows(&mut self, sql: &str) -> Result<impl Iterator<Item = Row> + use<>> {
        let rows = (self.query)(sql)?;
        Ok(rows.into_iter().map(|row| Row(row.into_iter())))
    }
}

/// The key of a table or view.
fn table_key(name: &str) -> Key {
    Key::new(Kind::Table, name)
}
