//! A database as a model: what SQLite keeps of each object, with what means nothing left out.

mod definition;

use std::collections::{BTreeMap, BTreeSet};

use crate::code::Code;
use crate::dialect::Rows;
use crate::dialect::sqlite::bytes;
use crate::dialect::sqlite::schema::definition::Reader;
use crate::dialect::sqlite::table::Table as Definition;
use crate::error::{Error, Result};
use crate::schema::{Constraint, ConstraintKind, Key, Kind, Model, Named, Object, Text};
use crate::sorted::Gather as _;
use crate::sql::parse::cursor::Cursor;
use crate::sql::split::SQLITE;
use crate::sql::token::{self, significant, unquoted};
use crate::sql::write;

/// Everything that somebody made. A table that a virtual one keeps its rows in is part of that one.
pub(super) const OBJECTS: &str = "SELECT type, name, tbl_name, sql FROM main.sqlite_schema WHERE sql IS NOT NULL \
                       AND name NOT LIKE 'sqlite\\_%' ESCAPE '\\' ORDER BY name";

/// From SQLite 3.37 on.
const SHADOWS: &str = "SELECT lower(name) FROM pragma_table_list WHERE schema = 'main' AND type = 'shadow'";

/// The tables that SQLite makes and `.schema` prints (fileformat2.html, section 2.6).
pub(super) const INTERNAL: [&str; 5] = [
    "sqlite_sequence",
    "sqlite_stat1",
    "sqlite_stat2",
    "sqlite_stat3",
    "sqlite_stat4",
];

/// Whether a statement is the CREATE TABLE of one of SQLite's own tables.
pub(super) fn is_internal(statement: &str) -> bool {
    let mut cursor = Cursor::new(statement);
    if !cursor.take(&["CREATE", "TABLE"]) {
        return false;
    }
    let _ = cursor.take(&["IF", "NOT", "EXISTS"]);
    cursor
        .name()
        .is_some_and(|name| INTERNAL.iter().any(|internal| name.is(internal)))
}

/// Reads the model of the main database.
pub(super) fn model(query: &mut dyn FnMut(&str) -> Result<Rows>) -> Result<Model> {
    let shadows: BTreeSet<String> = match query(SHADOWS) {
        Ok(rows) => rows.into_iter().flatten().flatten().into_set(),
        Err(_) => BTreeSet::new(),
    };
    let rows = query(OBJECTS)?;
    for row in &rows {
        let [Some(kind), Some(name), _, Some(sql)] = &row[..] else {
            continue;
        };
        if !bytes::is_stored("main", [kind, name, sql], query)? {
            let message = format!(
                "the definition of the {kind} `{name}` holds bytes that are no UTF-8, for which there are no words in a file"
            );
            return Err(Error::new(Code::SchemaNoWords, message).help(bytes::help(kind, name, "first")));
        }
    }
    Ok(of_rows(rows, &shadows))
}

/// The model of what [`OBJECTS`] finds, without what is on these tables.
pub(super) fn of_rows(rows: Rows, shadows: &BTreeSet<String>) -> Model {
    let stored: Vec<Stored> = rows
        .into_iter()
        .filter_map(Stored::read)
        .filter(|stored| !shadows.contains(&fold(&stored.table)))
        .collect();
    let names = Names::of(&stored);
    // All at once, which is cheaper than one by one.
    let mut model = Model {
        objects: stored
            .iter()
            .map(|stored| (stored.key(), object(stored, &names)))
            .into_map(),
        tried: false,
    };
    name_parents(&mut model);
    model
}

/// The names that there are: what stands in double quotes and is none of them is a text.
struct Names {
    /// Tables and views.
    tables: BTreeMap<String, Key>,
    /// Those, their columns, and everything else.
    all: BTreeSet<String>,
}

impl Names {
    fn of(stored: &[Stored]) -> Self {
        let tables: BTreeMap<String, Key> = stored
            .iter()
            .filter(|stored| matches!(stored.kind, Kind::Table | Kind::View))
            .map(|stored| (fold(&stored.name), stored.key()))
            .into_map();
        let mut all: BTreeSet<String> = stored.iter().map(|stored| fold(&stored.name)).into_set();
        for definition in stored.iter().filter_map(|stored| stored.definition.as_ref()) {
            all.extend(definition.columns().map(|column| fold(&column.name.text)));
        }
        Self { tables, all }
    }

    /// The tokens of a text: names without quotes and capital letters. A word in double quotes that is no name may be
    /// a text (quirks.html, section 8), and stays as it is.
    fn meaning(&self, sql: &str) -> String {
        let mut out = String::with_capacity(sql.len());
        for token in significant(sql, &SQLITE) {
            if !out.is_empty() {
                out.push(' ');
            }
            self.append(&mut out, &token, &sql[token.span.clone()]);
        }
        out
    }

    fn append(&self, out: &mut String, token: &token::Token, text: &str) {
        match token.kind {
            token::Kind::Word => push_folded(out, text),
            token::Kind::Quoted => {
                let name = fold(&unquoted(text));
                if text.starts_with('"') && !self.all.contains(&name) {
                    out.push_str(text);
                } else {
                    out.push_str(&write::name(&name, '"'));
                }
            }
            token::Kind::Number => push_folded(out, text),
            _ => out.push_str(text),
        }
    }
}

/// A name as SQLite compares names.
fn fold(name: &str) -> String {
    name.to_ascii_lowercase()
}

fn push_folded(out: &mut String, text: &str) {
    let start = out.len();
    out.push_str(text);
    out[start..].make_ascii_lowercase();
}

/// A row of the schema table.
struct Stored {
    kind: Kind,
    name: String,
    table: String,
    sql: String,
    /// Its parts, where it is a table that can be read.
    definition: Option<Definition>,
}

impl Stored {
    fn read(row: Vec<Option<String>>) -> Option<Self> {
        let mut values = row.into_iter().map(Option::unwrap_or_default);
        let kind = Kind::named(&values.next()?)?;
        let (name, table, sql) = (values.next()?, values.next()?, values.next()?);
        let definition = (kind == Kind::Table).then(|| Definition::read(&sql)).flatten();
        Some(Self {
            kind,
            name,
            table,
            sql,
            definition,
        })
    }

    fn key(&self) -> Key {
        Key::new(self.kind, fold(&self.name))
    }
}

fn object(stored: &Stored, names: &Names) -> Object {
    let mut object = Object {
        name: stored.name.clone(),
        create: vec![stored.sql.clone()],
        drop: format!(
            "DROP {} {}",
            stored.kind.name().to_uppercase(),
            write::name(&stored.name, '"')
        ),
        ..Object::default()
    };
    let on = names.tables.get(&fold(&stored.table)).cloned();
    match stored.kind {
        Kind::Table => match &stored.definition {
            Some(definition) => {
                let table = Reader { definition, names }.table(&stored.name);
                let parents = table
                    .constraints
                    .iter()
                    .filter_map(|constraint| constraint.parent.clone());
                object.uses = parents.filter(|parent| *parent != stored.key()).into_set();
                object.table = Some(table);
            }
            None => {
                object.meaning = names.meaning(&stored.sql);
                object.uses = used(&stored.sql, names, &stored.key());
            }
        },
        Kind::Index => {
            object.meaning = index_meaning(&stored.sql, names);
            object.as_constraint = on.as_ref().and_then(|table| unique_index(stored, table));
            object.on = on;
        }
        _ => {
            object.meaning = names.meaning(&stored.sql);
            object.uses = used(&stored.sql, names, &stored.key());
            if stored.kind == Kind::Trigger {
                object.on = on;
            }
        }
    }
    object.fill.extend(rebuild(stored, &object.uses));
    object.holds_rows = stored.kind == Kind::Table && object.fill.is_empty();
    object
}

/// The statement that indexes the rows of the table or view from which a full-text table takes its own.
fn rebuild(stored: &Stored, uses: &BTreeSet<Key>) -> Option<String> {
    let sql = &stored.sql;
    let words: Vec<_> = significant(sql, &SQLITE).map(|token| &sql[token.span]).collect();
    let is = |at: usize, word: &str| {
        words
            .get(at)
            .is_some_and(|said| unquoted(said).eq_ignore_ascii_case(word))
    };
    if !is(1, "VIRTUAL") {
        return None;
    }
    let using = words.iter().position(|word| word.eq_ignore_ascii_case("USING"))?;
    let mut said = words.windows(3);
    let content = said.find(|said| said[0].eq_ignore_ascii_case("content") && said[1] == "=")?;
    let name = write::name(&stored.name, '"');
    // A view has no rowids but those that are named.
    let has_rowids = is(using + 1, "fts5") && words.iter().any(|word| word.eq_ignore_ascii_case("content_rowid"));
    let over_table = uses.iter().all(|key| key.kind == Kind::Table) && (is(using + 1, "fts5") || is(using + 1, "fts4"));
    let reads = (has_rowids || over_table) && !unquoted(content[2]).is_empty();
    reads.then(|| format!("INSERT INTO {name} ({name}) VALUES ('rebuild')"))
}

/// The tables and views that a text names.
fn used(sql: &str, names: &Names, own: &Key) -> BTreeSet<Key> {
    significant(sql, &SQLITE)
        .filter_map(|token| names.tables.get(&fold(&unquoted(&sql[token.span]))))
        .filter(|key| *key != own)
        .cloned()
        .into_set()
}

/// Of an index, without the order that holds anyway.
fn index_meaning(sql: &str, names: &Names) -> String {
    let mut out = String::with_capacity(sql.len());
    for token in significant(sql, &SQLITE) {
        let word = &sql[token.span.clone()];
        if token.kind == token::Kind::Word && word.eq_ignore_ascii_case("ASC") {
            continue;
        }
        if !out.is_empty() {
            out.push(' ');
        }
        names.append(&mut out, &token, word);
    }
    out
}

/// The constraint that a unique index is as good as: over columns, all rows.
fn unique_index(stored: &Stored, table: &Key) -> Option<Constraint> {
    let mut cursor = Cursor::new(&stored.sql);
    if !cursor.take(&["CREATE", "UNIQUE", "INDEX"]) {
        return None;
    }
    cursor.name()?;
    if !cursor.take(&["ON"]) {
        return None;
    }
    cursor.name()?;
    let list = cursor.group()?;
    let (columns, meaning) = key_columns(&stored.sql[list.clone()])?;
    (cursor.at_end() && table.kind == Kind::Table).then(|| Constraint {
        name: stored.name.clone(),
        folded: fold(&stored.name),
        kind: ConstraintKind::Unique,
        definition: Text {
            written: format!("UNIQUE ({})", &stored.sql[list]),
            meaning: format!("unique ( {meaning} )"),
        },
        columns,
        parent: None,
        inside: None,
        named: Named(true),
    })
}

/// The columns of a key, and what its list means; none where it holds expressions.
fn key_columns(list: &str) -> Option<(BTreeSet<String>, String)> {
    let mut cursor = Cursor::new(list);
    let (mut columns, mut parts) = (BTreeSet::new(), Vec::new());
    loop {
        let column = fold(&cursor.name()?.text);
        let mut part = write::name(&column, '"');
        if cursor.take(&["COLLATE"]) {
            part.push_str(&format!(" collate {}", write::name(&fold(&cursor.name()?.text), '"')));
        }
        if cursor.take(&["DESC"]) {
            part.push_str(" desc");
        } else {
            let _ = cursor.take(&["ASC"]);
        }
        columns.insert(column);
        parts.push(part);
        if !cursor.take(&[","]) {
            break;
        }
    }
    cursor.at_end().then(|| (columns, parts.join(" , ")))
}

/// A foreign key that names no columns of its parent means the primary key.
fn name_parents(model: &mut Model) {
    let keys: BTreeMap<Key, String> = model
        .objects
        .iter()
        .filter_map(|(key, object)| {
            let constraints = &object.table.as_ref()?.constraints;
            let primary = constraints
                .iter()
                .find(|constraint| constraint.kind == ConstraintKind::PrimaryKey)?;
            let list = primary.definition.meaning.strip_prefix("primary key ")?;
            let list = list.split(" on conflict").next()?.trim_end_matches(" inside");
            Some((key.clone(), list.replace(" desc", "")))
        })
        .into_map();
    for object in model.objects.values_mut() {
        let constraints = object.table.iter_mut().flat_map(|table| &mut table.constraints);
        for constraint in constraints.filter(|constraint| constraint.kind == ConstraintKind::ForeignKey) {
            let Some(list) = constraint.parent.as_ref().and_then(|parent| keys.get(parent)) else {
                continue;
            };
            let meaning = &mut constraint.definition.meaning;
            let Some(at) = meaning.find(" references ").map(|at| at + " references ".len()) else {
                continue;
            };
            let end = name_end(meaning, at);
            if !meaning[end..].starts_with(" (") {
                meaning.insert_str(end, &format!(" {list}"));
            }
        }
    }
}

/// Where the name ends that begins at a place of a meaning.
fn name_end(meaning: &str, at: usize) -> usize {
    let first = significant(&meaning[at..], &SQLITE).next();
    first.map_or(meaning.len(), |token| at + token.span.end)
}
