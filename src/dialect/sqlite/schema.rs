//! A database as a model: what SQLite keeps of each object, with what means nothing left out.

use std::collections::{BTreeMap, BTreeSet};

use crate::dialect::Rows;
use crate::dialect::sqlite::table::{Table as Definition, unquoted_type};
use crate::dialect::sqlite::{expr, names};
use crate::error::Result;
use crate::schema::{
    Column, Constraint, ConstraintKind, Definition as Words, Generated, Key, Kind, Model, Object, Table, Text,
};
use crate::source::Span;
use crate::sql::parse::cursor::Cursor;
use crate::sql::parse::define::{Clause, ClauseKind, ColumnDef};
use crate::sql::split::SQLITE;
use crate::sql::token::{self, significant, unquoted};
use crate::sql::write;

/// Everything that somebody made. A table that a virtual one keeps its rows in is part of that one.
const OBJECTS: &str = "SELECT type, name, tbl_name, sql FROM main.sqlite_schema WHERE sql IS NOT NULL \
                       AND name NOT LIKE 'sqlite\\_%' ESCAPE '\\' ORDER BY name";

/// From SQLite 3.37 on.
const SHADOWS: &str = "SELECT lower(name) FROM pragma_table_list WHERE schema = 'main' AND type = 'shadow'";

/// Reads the model of the main database.
pub(super) fn model(query: &mut dyn FnMut(&str) -> Result<Rows>) -> Result<Model> {
    let shadows: BTreeSet<String> = match query(SHADOWS) {
        Ok(rows) => rows.into_iter().flatten().flatten().collect(),
        Err(_) => BTreeSet::new(),
    };
    let rows = query(OBJECTS)?;
    let stored: Vec<Stored> = rows
        .into_iter()
        .filter_map(Stored::read)
        .filter(|stored| !shadows.contains(&fold(&stored.table)))
        .collect();
    let names: BTreeMap<String, Key> = stored
        .iter()
        .filter(|stored| matches!(stored.kind, Kind::Table | Kind::View))
        .map(|stored| (fold(&stored.name), stored.key()))
        .collect();
    let mut model = Model::default();
    for stored in &stored {
        model.objects.insert(stored.key(), object(stored, &names));
    }
    name_parents(&mut model);
    Ok(model)
}

/// A name as SQLite compares names.
fn fold(name: &str) -> String {
    name.to_ascii_lowercase()
}

/// A row of the schema table.
struct Stored {
    kind: Kind,
    name: String,
    table: String,
    sql: String,
}

impl Stored {
    fn read(row: Vec<Option<String>>) -> Option<Self> {
        let mut values = row.into_iter().map(Option::unwrap_or_default);
        Some(Self {
            kind: Kind::named(&values.next()?)?,
            name: values.next()?,
            table: values.next()?,
            sql: values.next()?,
        })
    }

    fn key(&self) -> Key {
        Key::new(self.kind, fold(&self.name))
    }
}

fn object(stored: &Stored, names: &BTreeMap<String, Key>) -> Object {
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
    let on = names.get(&fold(&stored.table)).cloned();
    match stored.kind {
        Kind::Table => match Definition::read(&stored.sql) {
            Some(definition) => {
                let table = table(&definition, &stored.name);
                let parents = table
                    .constraints
                    .iter()
                    .filter_map(|constraint| constraint.parent.clone());
                object.uses = parents.filter(|parent| *parent != stored.key()).collect();
                object.table = Some(table);
            }
            None => {
                object.meaning = meaning(&stored.sql);
                object.uses = used(&stored.sql, names, &stored.key());
            }
        },
        Kind::Index => {
            object.meaning = index_meaning(&stored.sql);
            object.as_constraint = on.as_ref().and_then(|table| unique_index(stored, table));
            object.on = on;
        }
        _ => {
            object.meaning = meaning(&stored.sql);
            object.uses = used(&stored.sql, names, &stored.key());
            if stored.kind == Kind::Trigger {
                object.on = on;
            }
        }
    }
    object.holds_rows = stored.kind == Kind::Table;
    object
}

/// The tables and views that a text names.
fn used(sql: &str, names: &BTreeMap<String, Key>, own: &Key) -> BTreeSet<Key> {
    significant(sql, &SQLITE)
        .filter_map(|token| names.get(&fold(&unquoted(&sql[token.span]))))
        .filter(|key| *key != own)
        .cloned()
        .collect()
}

/// The tokens, names without quotes and capital letters.
fn meaning(sql: &str) -> String {
    let mut out = String::with_capacity(sql.len());
    for token in significant(sql, &SQLITE) {
        let text = &sql[token.span.clone()];
        if !out.is_empty() {
            out.push(' ');
        }
        match token.kind {
            token::Kind::Word | token::Kind::Quoted => out.push_str(&fold(&unquoted(text))),
            token::Kind::Number => out.push_str(&fold(text)),
            _ => out.push_str(text),
        }
    }
    out
}

/// Of an index, without the order that holds anyway.
fn index_meaning(sql: &str) -> String {
    let words: Vec<String> = significant(sql, &SQLITE)
        .filter(|token| token.kind != token::Kind::Word || !sql[token.span.clone()].eq_ignore_ascii_case("ASC"))
        .map(|token| meaning(&sql[token.span]))
        .collect();
    words.join(" ")
}

/// The constraint that a unique index is as good as: over plain columns, all rows, in their order.
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
    let columns = plain_columns(&stored.sql[list.clone()])?;
    (cursor.at_end() && table.kind == Kind::Table).then(|| Constraint {
        name: stored.name.clone(),
        folded: fold(&stored.name),
        kind: ConstraintKind::Unique,
        definition: Text {
            written: format!("UNIQUE ({})", &stored.sql[list]),
            meaning: format!("unique ( {} )", columns.join(" , ")),
        },
        columns: columns.into_iter().collect(),
        parent: None,
        inside: None,
    })
}

fn plain_columns(list: &str) -> Option<Vec<String>> {
    let mut cursor = Cursor::new(list);
    let mut columns = vec![fold(&cursor.name()?.text)];
    while cursor.take(&[","]) {
        columns.push(fold(&cursor.name()?.text));
    }
    cursor.at_end().then_some(columns)
}

fn text(definition: &Definition, span: &Span) -> Text {
    let written = definition.at(span);
    Text {
        written: written.to_owned(),
        meaning: meaning(written),
    }
}

/// A definition as the model has it.
fn table(definition: &Definition, name: &str) -> Table {
    let mut table = Table::default();
    for (option, on) in [
        ("strict", definition.strict()),
        ("without_rowid", definition.without_rowid()),
        ("autoincrement", definition.autoincrement()),
    ] {
        if on {
            table.options.insert(option, "on".to_owned());
        }
    }
    table.columns = definition
        .columns()
        .map(|column| self::column(definition, column))
        .collect();
    if let Some(alias) = definition.rowid_alias() {
        // It is another name for the rowid, which is never NULL, said or not.
        let alias = fold(&alias.name.text);
        if let Some(column) = table.columns.iter_mut().find(|column| column.folded == alias) {
            column.not_null = false;
        }
    }
    let known: Vec<&str> = definition.columns().map(|column| column.name.text.as_str()).collect();
    for named in names::of_table(definition, name, &known) {
        let column = named.column.as_deref();
        let Some((kind, definition, parent)) = constraint(definition, column, &named.clause) else {
            continue;
        };
        let columns = known
            .iter()
            .filter(|known| match column {
                Some(column) if kind != ConstraintKind::Check => column == **known,
                _ => expr::mentions(&definition.written, known),
            })
            .map(|known| fold(known))
            .collect();
        table.constraints.push(Constraint {
            folded: fold(&named.name),
            name: named.name,
            kind,
            definition,
            columns,
            parent,
            inside: column.map(fold),
        });
    }
    table
}

fn column(definition: &Definition, column: &ColumnDef) -> Column {
    let mut read = Column {
        name: column.name.text.clone(),
        folded: fold(&column.name.text),
        data_type: Text::default(),
        not_null: false,
        default: None,
        collation: None,
        generated: None,
        identity: None,
        other: Text::default(),
        definition: Words(definition.at(&column.span).to_owned()),
    };
    if let Some(span) = &column.data_type {
        let written = definition.at(span).to_owned();
        let meaning = meaning(&unquoted_type(&written));
        read.data_type = Text { written, meaning };
    }
    for clause in &column.clauses {
        match &clause.kind {
            ClauseKind::NotNull => {
                read.not_null = true;
                let words = meaning(definition.at(&clause.body));
                if words != "not null" {
                    read.other = text(definition, &clause.body);
                }
            }
            ClauseKind::Default(value) => {
                let value = text(definition, value);
                let meaning = bare(&value.meaning);
                read.default = (meaning != "null").then(|| Text {
                    meaning: meaning.to_owned(),
                    ..value
                });
            }
            ClauseKind::Collate(name) if !name.is("BINARY") => {
                read.collation = Some(Text {
                    written: definition.at(&name.span).to_owned(),
                    meaning: fold(&name.text),
                });
            }
            ClauseKind::Generated { expression, stored } => {
                read.generated = Some(Generated {
                    expression: text(definition, expression),
                    stored: *stored,
                });
            }
            _ => {}
        }
    }
    read
}

/// Without the parentheses around all of it.
fn bare(meaning: &str) -> &str {
    let Some(inner) = meaning.strip_prefix("( ").and_then(|rest| rest.strip_suffix(" )")) else {
        return meaning;
    };
    let mut depth = 1_i32;
    for word in significant(inner, &SQLITE) {
        match &inner[word.span] {
            "(" => depth += 1,
            ")" => depth -= 1,
            _ => {}
        }
        if depth == 0 {
            return meaning;
        }
    }
    bare(inner)
}

/// A constraint as one of the table: its kind, its words, and the table that it refers to.
fn constraint(
    definition: &Definition,
    column: Option<&str>,
    clause: &Clause,
) -> Option<(ConstraintKind, Text, Option<Key>)> {
    let body = definition.at(&clause.body);
    let own = column.map(|column| write::name(column, '"'));
    let of_column = |words: &str| own.as_ref().map_or_else(String::new, |own| format!("{words} ({own})"));
    match &clause.kind {
        ClauseKind::PrimaryKey { descending, .. } => {
            let mut written = match column {
                Some(_) if *descending => format!("PRIMARY KEY ({} DESC)", own.as_deref().unwrap_or_default()),
                Some(_) => of_column("PRIMARY KEY") + conflict(body),
                None => body.to_owned(),
            };
            written = without_words(&written, &["AUTOINCREMENT", "ASC"]);
            let mut meaning = meaning(&written);
            if column.is_some() && *descending {
                // Unlike the same key of the table it is no other name for the rowid (lang_createtable.html).
                meaning.push_str(" inside");
            }
            Some((ConstraintKind::PrimaryKey, Text { written, meaning }, None))
        }
        ClauseKind::Unique { .. } => {
            let written = match column {
                Some(_) => of_column("UNIQUE") + conflict(body),
                None => without_words(body, &["ASC"]),
            };
            let meaning = meaning(&written);
            Some((ConstraintKind::Unique, Text { written, meaning }, None))
        }
        ClauseKind::Check(condition) => {
            let written = format!("CHECK ({})", definition.at(condition));
            let meaning = meaning(&written);
            Some((ConstraintKind::Check, Text { written, meaning }, None))
        }
        ClauseKind::References(key) => {
            let (written, meaning) = foreign_key(definition, column, clause);
            let parent = Key::new(Kind::Table, fold(&key.table.text));
            Some((ConstraintKind::ForeignKey, Text { written, meaning }, Some(parent)))
        }
        _ => None,
    }
}

/// The ON CONFLICT clause at the end of a column's constraint, with a space before it.
fn conflict(body: &str) -> &str {
    let at = significant(body, &SQLITE).find(|token| body[token.span.clone()].eq_ignore_ascii_case("ON"));
    at.map_or("", |token| &body[token.span.start.saturating_sub(1)..])
}

fn without_words(text: &str, words: &[&str]) -> String {
    let mut out = text.to_owned();
    let gone: Vec<Span> = significant(text, &SQLITE)
        .filter(|token| {
            token.kind == token::Kind::Word
                && words
                    .iter()
                    .any(|word| text[token.span.clone()].eq_ignore_ascii_case(word))
        })
        .map(|token| token.span)
        .collect();
    for span in gone.into_iter().rev() {
        let start = out[..span.start].trim_end().len();
        out.replace_range(start..span.end, "");
    }
    out
}

/// A foreign key as it stands in a table, and what it means: its actions in one order, those that hold anyway left out.
fn foreign_key(definition: &Definition, column: Option<&str>, clause: &Clause) -> (String, String) {
    let body = definition.at(&clause.body);
    let deferral = column.and_then(|column| deferral_behind(definition, column, clause));
    let mut written = match column {
        Some(column) => format!("FOREIGN KEY ({}) {body}", write::name(column, '"')),
        None => body.to_owned(),
    };
    if let Some(words) = deferral {
        written = format!("{written} {words}");
    }
    let mut cursor = Cursor::new(&written);
    let start = cursor.position();
    while !cursor.at_end() && !cursor.sees(&["REFERENCES"]) {
        cursor.skip();
    }
    cursor.skip();
    cursor.name();
    if cursor.sees(&["("]) {
        cursor.skip();
    }
    let mut out = meaning(&written[cursor.since(start)]);
    let mut actions = BTreeMap::new();
    let (mut deferrable, mut deferred) = (false, false);
    while !cursor.at_end() {
        if cursor.take(&["ON"]) {
            let event = cursor.word(0).to_ascii_lowercase();
            cursor.skip();
            let mut action = cursor.word(0).to_ascii_lowercase();
            cursor.skip();
            if matches!(action.as_str(), "set" | "no") {
                action = format!("{action} {}", cursor.word(0).to_ascii_lowercase());
                cursor.skip();
            }
            actions.insert(event, action);
        } else if cursor.take(&["NOT", "DEFERRABLE"]) {
            deferrable = false;
        } else if cursor.take(&["DEFERRABLE"]) {
            deferrable = true;
        } else if cursor.take(&["INITIALLY", "DEFERRED"]) {
            deferred = true;
        } else {
            // MATCH and INITIALLY IMMEDIATE do nothing in SQLite (foreignkeys.html, sections 4.2 and 6).
            cursor.skip();
        }
    }
    for (event, action) in actions {
        if action != "no action" {
            out.push_str(&format!(" on {event} {action}"));
        }
    }
    if deferrable && deferred {
        out.push_str(" deferred");
    }
    (written, out)
}

/// The DEFERRABLE clause that follows a column's REFERENCES apart.
fn deferral_behind<'d>(definition: &'d Definition, column: &str, clause: &Clause) -> Option<&'d str> {
    let clauses = &definition.column(column)?.clauses;
    let mut later = clauses.iter().filter(|other| other.span.start >= clause.span.end);
    let next = later.find(|other| matches!(other.kind, ClauseKind::Deferrable | ClauseKind::References(_)))?;
    matches!(next.kind, ClauseKind::Deferrable).then(|| definition.at(&next.span))
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
        .collect();
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
            let end = meaning[at..].find(' ').map_or(meaning.len(), |length| at + length);
            if !meaning[end..].starts_with(" (") {
                meaning.insert_str(end, &format!(" {list}"));
            }
        }
    }
}
