//! A schema as data: what a definition says, apart from how it is written.

use crate::dialect::sqlite::model::random::Random;
use crate::sql::write::quoted;

/// What names a table or a column whatever it is called by now.
pub(super) type Id = usize;

/// A part of an expression or of a body.
#[derive(Debug, Clone)]
pub(super) enum Piece {
    Words(&'static str),
    Column(Id),
    Table(Id),
}

/// A text that follows its tables and columns to other names.
pub(super) type Phrase = Vec<Piece>;

#[derive(Debug, Clone, Default)]
pub(super) struct Schema {
    pub(super) tables: Vec<Table>,
    pub(super) views: Vec<Hanging>,
    pub(super) triggers: Vec<Hanging>,
    /// The next identity.
    pub(super) next: Id,
}

#[derive(Debug, Clone)]
pub(super) struct Table {
    pub(super) id: Id,
    pub(super) name: String,
    pub(super) columns: Vec<Column>,
    pub(super) key: Option<Key>,
    pub(super) uniques: Vec<Unique>,
    pub(super) checks: Vec<Check>,
    pub(super) foreigns: Vec<Foreign>,
    pub(super) indexes: Vec<Index>,
    pub(super) strict: bool,
    pub(super) without_rowid: bool,
}

#[derive(Debug, Clone, Default)]
pub(super) struct Column {
    pub(super) id: Id,
    pub(super) name: String,
    pub(super) data_type: String,
    pub(super) not_null: bool,
    pub(super) default: Option<String>,
    pub(super) collation: Option<&'static str>,
    /// The expression, and whether it is stored.
    pub(super) generated: Option<(Phrase, bool)>,
}

#[derive(Debug, Clone)]
pub(super) struct Key {
    pub(super) name: Option<String>,
    pub(super) columns: Vec<Id>,
    pub(super) autoincrement: bool,
}

#[derive(Debug, Clone)]
pub(super) struct Unique {
    pub(super) name: Option<String>,
    pub(super) columns: Vec<Id>,
}

#[derive(Debug, Clone)]
pub(super) struct Check {
    pub(super) name: Option<String>,
    pub(super) condition: Phrase,
}

#[derive(Debug, Clone)]
pub(super) struct Foreign {
    pub(super) name: Option<String>,
    pub(super) columns: Vec<Id>,
    pub(super) parent: Id,
    /// None: its primary key.
    pub(super) to: Option<Vec<Id>>,
    pub(super) on_delete: &'static str,
    pub(super) on_update: &'static str,
    pub(super) deferred: bool,
    /// It is written with its only column. The order in which keys act is that of the definition.
    pub(super) inline: bool,
}

#[derive(Debug, Clone)]
pub(super) struct Index {
    pub(super) name: String,
    pub(super) unique: bool,
    /// What stands after the table's name.
    pub(super) body: Phrase,
    /// The columns, where it is over whole columns and all rows.
    pub(super) columns: Vec<Id>,
}

/// A view or a trigger.
#[derive(Debug, Clone)]
pub(super) struct Hanging {
    pub(super) name: String,
    /// What stands after CREATE VIEW or TRIGGER and the name.
    pub(super) body: Phrase,
}

pub(super) fn mentions(phrase: &Phrase, column: Id) -> bool {
    phrase
        .iter()
        .any(|piece| matches!(piece, Piece::Column(id) if *id == column))
}

/// The columns that a phrase names, each once.
pub(super) fn mentioned(phrase: &Phrase) -> Vec<Id> {
    let mut ids: Vec<Id> = Vec::new();
    for piece in phrase {
        if let Piece::Column(id) = piece
            && !ids.contains(id)
        {
            ids.push(*id);
        }
    }
    ids
}

impl Table {
    pub(super) fn column(&self, id: Id) -> Option<&Column> {
        self.columns.iter().find(|column| column.id == id)
    }

    pub(super) fn in_key(&self, id: Id) -> bool {
        self.key.as_ref().is_some_and(|key| key.columns.contains(&id))
    }

    /// The column that is another name for the rowid.
    pub(super) fn alias(&self) -> Option<Id> {
        let key = self.key.as_ref().filter(|_| !self.without_rowid)?;
        let [only] = key.columns[..] else { return None };
        let integer = self
            .column(only)
            .is_some_and(|column| column.data_type.eq_ignore_ascii_case("INTEGER"));
        integer.then_some(only)
    }
}

impl Schema {
    pub(super) fn fresh(&mut self) -> Id {
        self.next += 1;
        self.next
    }

    pub(super) fn table(&self, id: Id) -> &Table {
        self.tables.iter().find(|table| table.id == id).expect("a known table")
    }

    pub(super) fn table_mut(&mut self, id: Id) -> &mut Table {
        self.tables
            .iter_mut()
            .find(|table| table.id == id)
            .expect("a known table")
    }

    pub(super) fn column_name(&self, id: Id) -> &str {
        let found = self.tables.iter().find_map(|table| table.column(id));
        &found.expect("a known column").name
    }

    /// Every text that hangs on tables and columns from outside of their definitions.
    pub(super) fn hanging(&self) -> impl Iterator<Item = &Hanging> {
        self.views.iter().chain(&self.triggers)
    }
}

/// Writes definitions: plainly, or with chance in the layout, the quotes and the order of clauses.
pub(super) struct Pen<'r>(pub(super) Option<&'r mut Random>);

const SPACES: &[&str] = &[" ", " ", "  ", " /* , ) */ ", "\n  ", " -- it's (\n "];

impl Pen<'_> {
    fn chance(&mut self, percent: usize) -> bool {
        self.0.as_mut().is_some_and(|random| random.chance(percent))
    }

    pub(super) fn name(&mut self, name: &str) -> String {
        let plain = name.bytes().all(|byte| byte.is_ascii_alphanumeric() || byte == b'_') && name != "select";
        if plain && self.chance(60) {
            name.to_owned()
        } else if !name.contains([']', '`']) && self.chance(10) {
            format!("[{name}]")
        } else {
            quoted(name, '"')
        }
    }

    fn space(&mut self) -> &'static str {
        self.0.as_mut().map_or(" ", |random| *random.pick(SPACES))
    }

    pub(super) fn phrase(&mut self, schema: &Schema, phrase: &Phrase) -> String {
        let pieces = phrase.iter().map(|piece| match piece {
            Piece::Words(words) => (*words).to_owned(),
            Piece::Column(id) => self.name(schema.column_name(*id)),
            Piece::Table(id) => self.name(&schema.table(*id).name),
        });
        pieces.collect()
    }

    pub(super) fn list(&mut self, schema: &Schema, columns: &[Id]) -> String {
        let names: Vec<String> = columns.iter().map(|id| self.name(schema.column_name(*id))).collect();
        names.join(", ")
    }

    fn named(&mut self, name: Option<&String>) -> String {
        name.map_or_else(String::new, |name| format!("CONSTRAINT {} ", self.name(name)))
    }

    pub(super) fn references(&mut self, schema: &Schema, foreign: &Foreign) -> String {
        let parent = self.name(&schema.table(foreign.parent).name);
        let mut text = format!("REFERENCES {parent}");
        if let Some(to) = &foreign.to {
            text.push_str(&format!("({})", self.list(schema, to)));
        }
        for (event, action) in [("DELETE", foreign.on_delete), ("UPDATE", foreign.on_update)] {
            if !action.is_empty() {
                text.push_str(&format!("{}ON {event} {action}", self.space()));
            }
        }
        if foreign.deferred {
            text.push_str(" DEFERRABLE INITIALLY DEFERRED");
        } else if self.chance(20) {
            text.push_str(" NOT DEFERRABLE");
        }
        text
    }

    /// A constraint of the table over these columns; `None` leaves them out, as the clause of a column does.
    pub(super) fn foreign(&mut self, schema: &Schema, foreign: &Foreign, inline: bool) -> String {
        let name = self.named(foreign.name.as_ref());
        let columns = if inline {
            String::new()
        } else {
            format!("FOREIGN KEY ({}) ", self.list(schema, &foreign.columns))
        };
        format!("{name}{columns}{}", self.references(schema, foreign))
    }

    pub(super) fn unique(&mut self, schema: &Schema, unique: &Unique, inline: bool) -> String {
        let name = self.named(unique.name.as_ref());
        if inline {
            format!("{name}UNIQUE")
        } else {
            format!("{name}UNIQUE ({})", self.list(schema, &unique.columns))
        }
    }

    pub(super) fn check(&mut self, schema: &Schema, check: &Check) -> String {
        format!(
            "{}CHECK ({})",
            self.named(check.name.as_ref()),
            self.phrase(schema, &check.condition)
        )
    }

    fn key(&mut self, schema: &Schema, key: &Key, inline: bool) -> String {
        let name = self.named(key.name.as_ref());
        let auto = if key.autoincrement { " AUTOINCREMENT" } else { "" };
        if inline {
            format!("{name}PRIMARY KEY{auto}")
        } else {
            format!("{name}PRIMARY KEY ({}{auto})", self.list(schema, &key.columns))
        }
    }

    /// The definition of a column with the constraints that are written with it.
    pub(super) fn column(&mut self, schema: &Schema, column: &Column, constraints: Vec<String>) -> String {
        let mut clauses = constraints;
        if column.not_null {
            clauses.push("NOT NULL".to_owned());
        }
        if let Some(default) = &column.default {
            clauses.push(format!("DEFAULT {default}"));
        }
        if let Some(collation) = column.collation {
            clauses.push(format!("COLLATE {collation}"));
        }
        if let Some((phrase, stored)) = &column.generated {
            let kind = if *stored { "STORED" } else { "VIRTUAL" };
            let expression = self.phrase(schema, phrase);
            clauses.push(format!("GENERATED ALWAYS AS ({expression}) {kind}"));
        }
        if let Some(random) = &mut self.0 {
            random.shuffle(&mut clauses);
        }
        let mut text = self.name(&column.name);
        if !column.data_type.is_empty() {
            text.push_str(self.space());
            text.push_str(&column.data_type);
        }
        for clause in clauses {
            // SQLite takes a comment before GENERATED for a part of the type, and a STRICT table knows no such type.
            let plain = column.generated.is_some() && ["ANY", "REAL", "TEXT", "INTEGER"].contains(&&*column.data_type);
            text.push_str(if plain { " " } else { self.space() });
            text.push_str(&clause);
        }
        text
    }

    /// CREATE TABLE, and the text of each column's definition in it.
    pub(super) fn table(&mut self, schema: &Schema, table: &Table) -> (String, Vec<(Id, String)>) {
        let mut inline: Vec<(Id, String)> = Vec::new();
        let mut outside = Vec::new();
        let mut place = |pen: &mut Self, columns: &[Id], write: &mut dyn FnMut(&mut Self, bool) -> String| {
            let with_column = columns.len() == 1 && pen.chance(60);
            let text = write(pen, with_column);
            if with_column {
                inline.push((columns[0], text));
            } else {
                outside.push(text);
            }
        };
        if let Some(key) = &table.key {
            place(self, &key.columns, &mut |pen, inline| pen.key(schema, key, inline));
        }
        for unique in &table.uniques {
            place(self, &unique.columns, &mut |pen, inline| {
                pen.unique(schema, unique, inline)
            });
        }
        for check in &table.checks {
            place(self, &mentioned(&check.condition), &mut |pen, _| {
                pen.check(schema, check)
            });
        }
        for foreign in &table.foreigns {
            let text = self.foreign(schema, foreign, foreign.inline);
            if foreign.inline {
                inline.push((foreign.columns[0], text));
            } else {
                outside.push(text);
            }
        }
        let mut definitions = Vec::new();
        for column in &table.columns {
            let of_column = inline.iter().filter(|(id, _)| *id == column.id);
            let clauses: Vec<String> = of_column.map(|(_, text)| text.clone()).collect();
            definitions.push((column.id, self.column(schema, column, clauses)));
        }
        let columns = definitions.iter().map(|(_, text)| text.clone());
        let elements: Vec<String> = columns.chain(outside).collect();
        let separator = if self.chance(50) { ",\n  " } else { ", " };
        let option = match (table.without_rowid, table.strict) {
            (true, true) => " STRICT, WITHOUT ROWID",
            (true, false) => " WITHOUT ROWID",
            (false, true) => " STRICT",
            (false, false) => "",
        };
        let name = self.name(&table.name);
        let text = format!("CREATE TABLE {name}(\n  {}\n){option}", elements.join(separator));
        (text, definitions)
    }

    pub(super) fn index(&mut self, schema: &Schema, table: &Table, index: &Index) -> String {
        let unique = if index.unique { "UNIQUE " } else { "" };
        let (name, on) = (self.name(&index.name), self.name(&table.name));
        format!(
            "CREATE {unique}INDEX {name}{}ON {on} {}",
            self.space(),
            self.phrase(schema, &index.body)
        )
    }

    pub(super) fn view(&mut self, schema: &Schema, view: &Hanging) -> String {
        format!(
            "CREATE VIEW {} {}",
            self.name(&view.name),
            self.phrase(schema, &view.body)
        )
    }

    pub(super) fn trigger(&mut self, schema: &Schema, trigger: &Hanging) -> String {
        format!(
            "CREATE TRIGGER {} {}",
            self.name(&trigger.name),
            self.phrase(schema, &trigger.body)
        )
    }
}
