//! A database as a model, read from PostgreSQL's catalogs by as many queries as there are kinds of things, whatever
//! there is of each.
//!
//! The server writes every definition itself, with nothing on its search path, so that names are whole and two things
//! that mean the same read the same.

mod attached;
mod circles;
mod code;
mod comments;
mod draft;
mod others;
mod rights;
mod sequences;
mod tables;
mod types;

use std::collections::BTreeMap;

use crate::dialect::Rows;
use crate::dialect::row::Row;
use crate::error::Result;
use crate::schema::{Key, Kind, Model, Object};
use crate::sql::write;

pub(super) use draft::{next_value, usual_name};
use sequences::Sequences;

/// The catalogs that dependencies are between, by their numbers, which never change.
mod catalog {
    pub(super) const TYPE: u32 = 1247;
    pub(super) const CAST: u32 = 2605;
    pub(super) const OPERATOR: u32 = 2617;
    pub(super) const STATISTICS: u32 = 3381;
    pub(super) const COLLATION: u32 = 3456;
    pub(super) const DICTIONARY: u32 = 3600;
    pub(super) const CONFIGURATION: u32 = 3602;
    pub(super) const FUNCTION: u32 = 1255;
    pub(super) const RELATION: u32 = 1259;
    pub(super) const DEFAULT: u32 = 2604;
    pub(super) const CONSTRAINT: u32 = 2606;
    pub(super) const SCHEMA: u32 = 2615;
    pub(super) const RULE: u32 = 2618;
    pub(super) const TRIGGER: u32 = 2620;
    pub(super) const EXTENSION: u32 = 3079;
    pub(super) const POLICY: u32 = 3256;
    pub(super) const EVENT_TRIGGER: u32 = 3466;
}

/// One moment for all that is read.
const BEGIN: &str = "BEGIN TRANSACTION ISOLATION LEVEL REPEATABLE READ READ ONLY";

/// Whole names.
const WHOLE_NAMES: &str = "SET LOCAL search_path TO ''";

/// What puts that back within a transaction that goes on.
const WITHIN: [&str; 3] = [
    "SAVEPOINT sqlrev_reading",
    "ROLLBACK TO SAVEPOINT sqlrev_reading",
    "RELEASE SAVEPOINT sqlrev_reading",
];

/// A query to the database.
type Query<'q> = &'q mut dyn FnMut(&str) -> Result<Rows>;

/// Reads the model.
pub(super) fn model(query: Query<'_>) -> Result<Model> {
    query(BEGIN)?;
    read(query, &["ROLLBACK"])
}

/// Likewise within a transaction.
pub(super) fn model_within(query: Query<'_>) -> Result<Model> {
    let [begin, end @ ..] = WITHIN;
    query(begin)?;
    read(query, &end)
}

fn read(query: Query<'_>, end: &[&str]) -> Result<Model> {
    query(WHOLE_NAMES)?;
    let mut reading = Reading::new(query);
    let read = reading.all();
    let model = std::mem::take(&mut reading.model);
    // Nothing was written; the error that may be there says more than one of this would.
    let ended = end.iter().try_for_each(|statement| query(statement).map(drop));
    read?;
    ended?;
    Ok(model)
}

/// The condition for what somebody made: in schemas that are not the server's own (`n`), and not part of an extension.
fn made(class: u32, oid: &str) -> String {
    format!(
        "n.nspname !~ '^pg_' AND n.nspname <> 'information_schema' AND {}",
        no_member(class, oid)
    )
}

/// The condition for what is not part of an extension.
fn no_member(class: u32, oid: &str) -> String {
    format!("NOT EXISTS (SELECT 1 FROM pg_depend e WHERE e.classid = {class} AND e.objid = {oid} AND e.deptype = 'e')")
}

/// A name as it stands in statements.
pub(super) fn quoted(name: &str) -> String {
    write::name(name, '"')
}

/// A name with its schema, as it stands in statements.
pub(super) fn qualified(schema: &str, name: &str) -> String {
    format!("{}.{}", quoted(schema), quoted(name))
}

fn literal(text: &str) -> String {
    write::postgres_literal(text)
}

/// What is known of something that the catalogs number.
struct Known {
    /// The object of the model that it is, or is part of.
    key: Key,
    /// What COMMENT ON calls it, where it can have one.
    words: String,
    /// The name of a constraint of a table, or of the column that a default is of.
    part: String,
}

/// A model while it is read.
struct Reading<'q> {
    query: Query<'q>,
    /// The server's version: `150004`.
    version: u32,
    model: Model,
    /// By catalog and number.
    known: BTreeMap<(u32, u32), Known>,
    /// The names of a relation's columns, by their numbers.
    columns: BTreeMap<u32, BTreeMap<i32, String>>,
    /// What uses what beside what the server keeps.
    uses: Vec<(Key, Key)>,
    /// What partitions have from the table above and may have a comment: the object that it stands on, and what COMMENT ON
    /// calls it. Nothing else is to be said of it.
    commented: BTreeMap<(u32, u32), (Key, String)>,
}

impl<'q> Reading<'q> {
    fn new(query: Query<'q>) -> Self {
        Self {
            query,
            version: 0,
            model: Model::default(),
            known: BTreeMap::new(),
            columns: BTreeMap::new(),
            uses: Vec::new(),
            commented: BTreeMap::new(),
        }
    }

    fn rows(&mut self, sql: &str) -> Result<impl Iterator<Item = Row> + use<>> {
        let rows = (self.query)(sql)?;
        Ok(Row::all(rows))
    }

    fn all(&mut self) -> Result<()> {
        for mut row in self.rows("SELECT current_setting('server_version_num')")? {
            self.version = row.oid();
        }
        self.schemas()?;
        self.extensions()?;
        self.types()?;
        self.others()?;
        let sequences = Sequences::read(self)?;
        self.tables(&sequences)?;
        self.views()?;
        self.indexes()?;
        self.statistics()?;
        self.attached()?;
        self.functions()?;
        self.rules()?;
        self.triggers()?;
        self.switched_triggers()?;
        self.policies()?;
        self.event_triggers()?;
        self.dependencies()?;
        self.comments()?;
        self.rights()
    }

    /// Takes an object into the model.
    fn add(&mut self, at: (u32, u32), words: String, key: Key, mut object: Object) {
        if !key.schema.is_empty() && key.schema != "public" {
            object.uses.insert(Key::new(Kind::Schema, key.schema.as_str()));
        }
        self.know(at, key.clone(), words);
        self.model.objects.insert(key, object);
    }

    /// Remembers what a number stands for.
    fn know(&mut self, at: (u32, u32), key: Key, words: String) {
        self.know_part(at, key, words, String::new());
    }

    /// Likewise, of a part of an object.
    fn know_part(&mut self, at: (u32, u32), key: Key, words: String, part: String) {
        self.known.insert(at, Known { key, words, part });
    }

    fn key(&self, class: u32, oid: u32) -> Option<&Key> {
        self.known.get(&(class, oid)).map(|known| &known.key)
    }

    /// The schema `public` is in every database; only others are made.
    fn schemas(&mut self) -> Result<()> {
        let sql = format!(
            "SELECT n.oid, n.nspname FROM pg_namespace n WHERE n.nspname <> 'public' AND {}",
            made(catalog::SCHEMA, "n.oid")
        );
        for mut row in self.rows(&sql)? {
            let (oid, name) = (row.oid(), row.text());
            let words = format!("SCHEMA {}", quoted(&name));
            let object = Object {
                create: vec![format!("CREATE {words}")],
                drop: format!("DROP {words}"),
                name: name.clone(),
                ..Object::default()
            };
            self.add((catalog::SCHEMA, oid), words, Key::new(Kind::Schema, name), object);
        }
        Ok(())
    }

    /// Extensions, and what belongs to each: whoever uses that uses the extension.
    fn extensions(&mut self) -> Result<()> {
        let sql = "SELECT x.oid, x.extname, n.nspname, EXISTS (SELECT 1 FROM pg_depend d WHERE d.deptype = 'e' \
                   AND d.classid = 2615 AND d.objid = n.oid AND d.refobjid = x.oid) \
                   FROM pg_extension x JOIN pg_namespace n ON n.oid = x.extnamespace WHERE x.oid >= 16384";
        for mut row in self.rows(sql)? {
            let (oid, name, schema, makes_schema) = (row.oid(), row.text(), row.text(), row.flag());
            let words = format!("EXTENSION {}", quoted(&name));
            let place = if makes_schema {
                String::new()
            } else {
                format!(" WITH SCHEMA {}", quoted(&schema))
            };
            let mut object = Object {
                meaning: place.clone(),
                create: vec![format!("CREATE {words}{place}")],
                drop: format!("DROP {words}"),
                name: name.clone(),
                ..Object::default()
            };
            if !makes_schema && !matches!(schema.as_str(), "public" | "pg_catalog") {
                object.uses.insert(Key::new(Kind::Schema, schema));
            }
            self.add(
                (catalog::EXTENSION, oid),
                words,
                Key::new(Kind::Extension, name),
                object,
            );
        }
        let sql = "SELECT d.classid, d.objid, d.refobjid FROM pg_depend d \
                   WHERE d.deptype = 'e' AND d.refclassid = 3079 AND d.refobjid >= 16384";
        for mut row in self.rows(sql)? {
            let at = (row.oid(), row.oid());
            if let Some(key) = self.key(catalog::EXTENSION, row.oid()).cloned() {
                self.know(at, key, String::new());
            }
        }
        Ok(())
    }
}
