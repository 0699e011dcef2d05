//! A table while its columns and constraints are gathered, and the statements that make it.

use std::collections::{BTreeMap, BTreeSet};

use crate::dialect::postgres::inspect::sequences::{Sequence, Sequences};
use crate::dialect::postgres::inspect::{Row, qualified, quoted};
use crate::schema::diff::SEQUENCES;
use crate::schema::{Column, Constraint, ConstraintKind, Definition, Generated, Key, Kind, Object, Table, Text};
use crate::sorted::Gather as _;

/// A table while its parts are gathered.
pub(super) struct Draft {
    pub oid: u32,
    pub key: Key,
    pub table: Table,
    /// Behind CREATE TABLE, after the name: what stands for the columns of a partition, and what follows the parts.
    partition_of: Option<(String, String)>,
    tail: String,
    persistence: &'static str,
    /// The tables that it inherits from.
    pub parents: Vec<u32>,
    /// Columns that it has from there.
    inherited: Vec<String>,
    before: Vec<String>,
    after: Vec<String>,
    late: Vec<String>,
}

pub(super) fn same(text: &str) -> Text {
    Text {
        written: text.to_owned(),
        meaning: text.to_owned(),
    }
}

/// How values are kept, by the letter of the catalog.
pub(super) fn storage(letter: &str) -> &'static str {
    match letter {
        "p" => "PLAIN",
        "e" => "EXTERNAL",
        "m" => "MAIN",
        _ => "EXTENDED",
    }
}

/// How values are compressed, likewise; none where that is the database's choice.
pub(super) fn compression_method(letter: &str) -> Option<&'static str> {
    match letter {
        "p" => Some("pglz"),
        "l" => Some("lz4"),
        _ => None,
    }
}

impl Draft {
    pub(super) fn read(row: &mut Row) -> Self {
        let (oid, schema, name, persistence) = (row.oid(), row.text(), row.text(), row.text());
        let mut draft = Self {
            oid,
            key: Key {
                kind: Kind::Table,
                schema,
                name,
            },
            table: Table::default(),
            partition_of: None,
            tail: String::new(),
            persistence: if persistence == "u" { "UNLOGGED " } else { "" },
            parents: Vec::new(),
            inherited: Vec::new(),
            before: Vec::new(),
            after: Vec::new(),
            late: Vec::new(),
        };
        let place = qualified(&draft.key.schema, &draft.key.name);
        let (with, secured, forced, replica) = (row.optional(), row.flag(), row.flag(), row.text());
        let options = &mut draft.table.options;
        if persistence == "u" {
            options.insert("unlogged", "on".to_owned());
        }
        if secured {
            options.insert("row_level_security", "on".to_owned());
            draft
                .after
                .push(format!("ALTER TABLE {place} ENABLE ROW LEVEL SECURITY"));
        }
        if forced {
            options.insert("forced_row_level_security", "on".to_owned());
            draft
                .after
                .push(format!("ALTER TABLE {place} FORCE ROW LEVEL SECURITY"));
        }
        if let Some(replica) = [("f", "FULL"), ("n", "NOTHING")]
            .iter()
            .find(|(letter, _)| *letter == replica)
        {
            options.insert("replica_identity", replica.1.to_owned());
            draft
                .after
                .push(format!("ALTER TABLE {place} REPLICA IDENTITY {}", replica.1));
        }
        let (partition_by, bound, parents, method) = (row.optional(), row.optional(), row.text(), row.optional());
        if let Some(by) = &partition_by {
            options.insert("partition_by", by.clone());
            draft.tail.push_str(&format!(" PARTITION BY {by}"));
        }
        if let Some(method) = method {
            options.insert("access_method", method.clone());
            draft.tail.push_str(&format!(" USING {}", quoted(&method)));
        }
        if let Some(with) = with.filter(|with| !with.is_empty()) {
            draft.tail.push_str(&format!(" WITH ({with})"));
            options.insert("with", with);
        }
        draft.parents = parents.split(' ').filter_map(|oid| oid.parse().ok()).collect();
        if let Some(bound) = bound {
            draft.partition_of = Some((String::new(), bound));
        }
        draft
    }

    /// Names the tables that it is below.
    pub(super) fn place_below(&mut self, places: &BTreeMap<u32, String>) {
        let parents: Vec<&str> = self
            .parents
            .iter()
            .filter_map(|oid| places.get(oid).map(String::as_str))
            .collect();
        let list = parents.join(", ");
        if let Some((parent, bound)) = &mut self.partition_of {
            *parent = list;
            self.table.options.insert("partition_of", format!("{parent} {bound}"));
        } else if !list.is_empty() {
            self.tail.insert_str(0, &format!(" INHERITS ({list})"));
            self.table.options.insert("inherits", list);
        }
    }

    /// Reads a column, and returns its name and the number of its default.
    pub(super) fn column(&mut self, row: &mut Row, number: i32, sequences: &Sequences) -> (String, u32) {
        let (name, data_type, not_null, default) = (row.text(), row.text(), row.flag(), row.optional());
        let (generated, identity, collation, is_local) = (row.text(), row.text(), row.optional(), row.flag());
        let (default_oid, kept, compression) = (row.oid(), row.optional(), row.text());
        let (samples, estimates) = (row.optional(), row.optional());
        let mut column = Column {
            name: name.clone(),
            folded: name.clone(),
            data_type: same(&data_type),
            not_null,
            default: None,
            collation: collation.as_deref().map(same),
            generated: None,
            identity: None,
            other: Text::default(),
            definition: Definition::default(),
        };
        let mut serial = None;
        match (default, generated.as_str()) {
            (Some(expression), "s" | "v") => {
                column.generated = Some(Generated {
                    expression: same(&expression),
                    stored: generated == "s",
                });
            }
            (Some(default), _) => match sequences.of_default(self.oid, number, &default) {
                Some(sequence) => serial = self.numbered(&mut column, sequence),
                None => column.default = Some(same(&default)),
            },
            (None, _) => {}
        }
        if let Some(sequence) = sequences.of_identity(self.oid, number) {
            let when = if identity == "a" { "ALWAYS" } else { "BY DEFAULT" };
            let mut options = sequence.options.trim_start().to_owned();
            if !self.is_usual(sequence, &name) {
                options = format!("SEQUENCE NAME {} {options}", sequence.place());
            }
            let options = match options.trim_end() {
                "" => String::new(),
                options => format!(" ({options})"),
            };
            column.identity = Some(same(&format!("GENERATED {when} AS IDENTITY{options}")));
            let persists = self.persists(sequence, &name);
            self.after.extend(persists);
        }
        column.definition = Definition(definition(&column, serial));
        let place = qualified(&self.key.schema, &self.key.name);
        let shown = quoted(&name);
        if let Some(kept) = kept {
            let kept = storage(&kept);
            self.after
                .push(format!("ALTER TABLE {place} ALTER COLUMN {shown} SET STORAGE {kept}"));
            self.keep("storage", &shown, kept);
        }
        if let Some(method) = compression_method(&compression) {
            self.after.push(format!(
                "ALTER TABLE {place} ALTER COLUMN {shown} SET COMPRESSION {method}"
            ));
            self.keep("compression", &shown, method);
        }
        self.planned(&shown, samples, estimates);
        if !is_local || self.partition_of.is_some() {
            self.inherited.push(name.clone());
        }
        self.table.columns.push(column);
        (name, default_oid)
    }

    /// What the planner is told of a column. Tables below have their own.
    fn planned(&mut self, column: &str, samples: Option<String>, estimates: Option<String>) {
        let place = qualified(&self.key.schema, &self.key.name);
        let only = format!("ALTER TABLE ONLY {place} ALTER COLUMN {column} SET");
        if let Some(samples) = samples {
            self.after.push(format!("{only} STATISTICS {samples}"));
            self.keep("statistics", column, &samples);
        }
        if let Some(estimates) = estimates {
            self.after.push(format!("{only} ({})", estimates.replace(',', ", ")));
            self.keep("column_options", column, &estimates);
        }
    }

    /// Adds a word about a column to an option of the table, on a line of its own: a name may hold any other sign.
    fn keep(&mut self, option: &'static str, column: &str, word: &str) {
        let words = self.table.options.entry(option).or_default();
        if !words.is_empty() {
            words.push('\n');
        }
        words.push_str(&format!("{column} {word}"));
    }

    /// A key that hangs on one of the other kind: it is there before the table becomes a partition, in place of one that has
    /// the usual name, or the next one, where that may be taken. Too many of these come again.
    pub(super) fn key_below(&mut self, usual: &str, next: Option<&str>, words: &str) {
        let place = qualified(&self.key.schema, &self.key.name);
        let Some((parent, bound)) = &self.partition_of else {
            return;
        };
        self.after
            .push(format!("ALTER TABLE {parent} DETACH PARTITION {place}"));
        match next {
            Some(next) => self.after.extend(
                [usual, next].map(|name| format!("ALTER TABLE {place} DROP CONSTRAINT IF EXISTS {}", quoted(name))),
            ),
            None => self
                .after
                .push(format!("ALTER TABLE {place} DROP CONSTRAINT {}", quoted(usual))),
        }
        self.after.extend([
            format!("ALTER TABLE {place} ADD CONSTRAINT {words}"),
            format!("ALTER TABLE {parent} ATTACH PARTITION {place} {bound}"),
        ]);
        let keys = self.table.options.entry("keys_below").or_default();
        if !keys.is_empty() {
            keys.push('\n');
        }
        keys.push_str(words);
    }

    /// What makes the sequence of a column survive a crash, or not, where its table does otherwise.
    fn persists(&mut self, sequence: &Sequence, column: &str) -> Option<String> {
        let word = sequence.persistence?;
        if (word == "UNLOGGED") != self.persistence.is_empty() {
            return None;
        }
        self.keep(SEQUENCES, &quoted(column), word);
        Some(format!("ALTER SEQUENCE {} SET {word}", sequence.place()))
    }

    /// Whether a sequence has the name that it gets where none is said.
    fn is_usual(&self, sequence: &Sequence, column: &str) -> bool {
        let name = usual_name(&self.key.name, column);
        sequence.schema == self.key.schema && sequence.name == name && name.len() < 64
    }

    /// A column that a sequence of its own numbers; returns the word `serial` for it where that says everything.
    fn numbered(&mut self, column: &mut Column, sequence: &Sequence) -> Option<&'static str> {
        column.identity = Some(same(&sequence.definition()));
        let usual = self.is_usual(sequence, &column.name);
        let serial = match column.data_type.written.as_str() {
            "smallint" => "smallserial",
            "integer" => "serial",
            "bigint" => "bigserial",
            _ => "",
        };
        let all = usual && column.not_null && sequence.options.is_empty();
        let persists = self.persists(sequence, &column.name);
        if all && !serial.is_empty() && sequence.data_type == column.data_type.written {
            self.after.extend(persists);
            return Some(serial);
        }
        let unlogged = if sequence.persistence == Some("UNLOGGED") {
            "UNLOGGED "
        } else {
            ""
        };
        self.before
            .push(format!("CREATE {unlogged}SEQUENCE {}", sequence.definition()));
        self.after.push(format!(
            "ALTER SEQUENCE {} OWNED BY {}.{}",
            sequence.place(),
            qualified(&self.key.schema, &self.key.name),
            quoted(&column.name)
        ));
        None
    }

    pub(super) fn object(mut self, parents: &BTreeMap<u32, (Key, Table)>) -> Object {
        let place = qualified(&self.key.schema, &self.key.name);
        let mut parts = Vec::new();
        for column in &self.table.columns {
            if !self.inherited.contains(&column.name) {
                parts.push(column.definition.0.clone());
            }
        }
        self.words_of_inherited(&place, parents);
        let mut indexed = BTreeSet::new();
        for constraint in &self.table.constraints {
            let words = format!(
                "CONSTRAINT {} {}",
                quoted(&constraint.name),
                constraint.definition.written
            );
            let add = || format!("ALTER TABLE {place} ADD {words}");
            match constraint.kind {
                ConstraintKind::ForeignKey => self.late.push(add()),
                // In a new table it would count as validated.
                _ if words.ends_with(" NOT VALID") => self.after.push(add()),
                // CREATE TABLE makes one of two that are over the same columns.
                _ if has_index(constraint) && !indexed.insert(&constraint.columns) => self.after.push(add()),
                _ => parts.push(words),
            }
        }
        self.marks_of_keys(&place);
        let inside = if parts.is_empty() {
            String::new()
        } else {
            format!("\n    {}\n", parts.join(",\n    "))
        };
        let head = format!("CREATE {}TABLE {place}", self.persistence);
        let create = match &self.partition_of {
            Some((parent, bound)) => {
                let inside = if inside.is_empty() {
                    inside
                } else {
                    format!(" ({inside})")
                };
                format!("{head} PARTITION OF {parent}{inside} {bound}{}", self.tail)
            }
            None => format!("{head} ({inside}){}", self.tail),
        };
        let own = self.key.clone();
        let parents = self
            .parents
            .iter()
            .filter_map(|oid| parents.get(oid))
            .map(|(key, _)| key);
        let referred = self
            .table
            .constraints
            .iter()
            .filter_map(|constraint| constraint.parent.as_ref());
        let uses = parents.chain(referred).filter(|key| **key != own).cloned().into_set();
        let mut statements = self.before;
        statements.push(create);
        statements.extend(self.after);
        Object {
            name: self.key.name.clone(),
            create: statements,
            late: self.late,
            drop: format!("DROP TABLE {place}"),
            uses,
            table: Some(self.table),
            holds_rows: true,
            ..Object::default()
        }
    }

    /// The keys by which rows are told apart where they are replicated, and laid anew.
    fn marks_of_keys(&mut self, place: &str) {
        let options = &self.table.options;
        if let Some(key) = options
            .get("replica_identity")
            .filter(|words| words.starts_with("USING "))
        {
            self.after.push(format!("ALTER TABLE {place} REPLICA IDENTITY {key}"));
        }
        if let Some(key) = options.get("clustered_on") {
            self.after.push(format!("ALTER TABLE {place} CLUSTER ON {key}"));
        }
    }

    /// Defaults and NOT NULL of inherited columns, where they are others than the parent's.
    fn words_of_inherited(&mut self, place: &str, parents: &BTreeMap<u32, (Key, Table)>) {
        let parents: Vec<&Table> = self
            .parents
            .iter()
            .filter_map(|oid| parents.get(oid).map(|(_, table)| table))
            .collect();
        for column in self
            .table
            .columns
            .iter()
            .filter(|column| self.inherited.contains(&column.name))
        {
            let Some(above) = parents.iter().find_map(|table| table.column(&column.name)) else {
                continue;
            };
            let alter = format!("ALTER TABLE {place} ALTER COLUMN {}", quoted(&column.name));
            match &column.default {
                default if *default == above.default => {}
                Some(default) => self.after.push(format!("{alter} SET DEFAULT {}", default.written)),
                None => self.after.push(format!("{alter} DROP DEFAULT")),
            }
            if column.not_null && !above.not_null {
                self.after.push(format!("{alter} SET NOT NULL"));
            }
        }
    }
}

fn has_index(constraint: &Constraint) -> bool {
    !matches!(constraint.kind, ConstraintKind::Check | ConstraintKind::ForeignKey)
}

/// A column as it stands in CREATE TABLE and behind ADD COLUMN.
pub(super) fn definition(column: &Column, serial: Option<&str>) -> String {
    let mut out = quoted(&column.name);
    if let Some(serial) = serial {
        out.push_str(&format!(" {serial}"));
        return out;
    }
    out.push_str(&format!(" {}", column.data_type.written));
    if let Some(collation) = &column.collation {
        out.push_str(&format!(" COLLATE {}", collation.written));
    }
    if let Some(generated) = &column.generated {
        let stored = if generated.stored { "STORED" } else { "VIRTUAL" };
        out.push_str(&format!(
            " GENERATED ALWAYS AS ({}) {stored}",
            generated.expression.written
        ));
    }
    if let Some(default) = &column.default {
        out.push_str(&format!(" DEFAULT {}", default.written));
    }
    if let Some(identity) = &column.identity {
        if identity.written.starts_with("GENERATED ") {
            out.push_str(&format!(" {}", identity.written));
        } else {
            out.push_str(&format!(" DEFAULT {}", next_value(&identity.written)));
        }
    }
    // An identity says so by itself.
    let is_identity = column
        .identity
        .as_ref()
        .is_some_and(|text| text.written.starts_with("GENERATED "));
    if column.not_null && !is_identity {
        out.push_str(" NOT NULL");
    }
    out
}

/// The name of the sequence of a column where none is said, and none is cut.
pub(in crate::dialect::postgres) fn usual_name(table: &str, column: &str) -> String {
    format!("{table}_{column}_seq")
}

/// The default of a column that a sequence numbers, from the words behind CREATE SEQUENCE.
pub(in crate::dialect::postgres) fn next_value(sequence: &str) -> String {
    let place = sequence.split(" AS ").next().unwrap_or_default();
    format!("nextval('{}'::regclass)", place.replace('\'', "''"))
}
