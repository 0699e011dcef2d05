//! A table while its columns, keys and constraints are gathered, and the statement that makes it.

use crate::dialect::mysql::inspect::server::Server;
use crate::dialect::mysql::inspect::{Row, table_key};
use crate::dialect::mysql::schema::{
    charset, columns_of, fold, has_zero_date, literal, quoted, same, with_zeros, words,
};
use crate::schema::{Column, Constraint, ConstraintKind, Definition, Generated, Key, Kind, Named, Object, Table, Text};
use crate::sorted::Gather as _;

/// The engines whose tables are taken apart; of others SHOW CREATE TABLE is asked.
const ENGINES: [&str; 6] = ["InnoDB", "MyISAM", "Aria", "MEMORY", "ARCHIVE", "CSV"];

/// A table while its parts are gathered.
pub(super) struct Draft {
    pub name: String,
    pub engine: String,
    pub collation: String,
    pub table: Table,
    /// Its definition as a whole, where it cannot be taken apart.
    pub whole: Option<String>,
    /// Its indexes but for the primary key, as they stand in CREATE TABLE.
    pub indexes: Vec<Index>,
    options: String,
    comment: String,
    partitions: Option<String>,
}

/// An index of a table.
pub(super) struct Index {
    pub name: String,
    pub words: String,
}

impl Draft {
    pub(super) fn read(row: &mut Row) -> Self {
        let (name, kind, engine, collation) = (row.text(), row.text(), row.text(), row.text());
        let (options, comment) = (row.text(), row.text());
        let options = said_options(&options, &engine);
        let is_plain = kind == "BASE TABLE" && ENGINES.contains(&engine.as_str());
        let mut table = Table::default();
        for (key, value) in [
            ("engine", &engine),
            ("collation", &collation),
            ("comment", &comment),
            ("options", &options),
        ] {
            if !value.is_empty() {
                table.options.insert(key, value.clone());
            }
        }
        Self {
            // What it is follows.
            whole: (!is_plain).then(String::new),
            name,
            engine,
            collation,
            table,
            indexes: Vec::new(),
            options,
            comment,
            partitions: None,
        }
    }

    pub(super) fn key(&self) -> Key {
        table_key(&self.name)
    }

    /// One more option.
    pub(super) fn option(&mut self, option: &str) {
        let all = format!("{} {option}", self.options);
        all.trim_start().clone_into(&mut self.options);
        self.table.options.insert("options", self.options.clone());
    }

    pub(super) fn column(&mut self, row: &mut Row, server: Server) {
        let (name, data_type, nullable, default) = (row.text(), row.text(), row.text(), row.optional());
        let (collation, extra, comment, expression) = (row.optional(), row.text(), row.text(), row.text());
        let place = row.optional();
        // MySQL shows no collation where it is that of bytes.
        let is_words = ["enum(", "set("].iter().any(|kind| data_type.starts_with(kind));
        let is_bytes = is_words && collation.is_none();
        let collation = collation.or_else(|| is_bytes.then(|| "binary".to_owned()));
        let upper = extra.to_ascii_uppercase();
        let generated = (!expression.is_empty()).then(|| Generated {
            expression: same(server.expression(&expression)),
            stored: !upper.contains("VIRTUAL"),
        });
        let mut column = Column {
            folded: fold(&name),
            default: match generated {
                Some(_) => None,
                None if is_bytes => server.shown_bytes(default, &data_type, &extra).map(same),
                None => server.shown_default(default, &data_type, &extra).map(same),
            },
            not_null: nullable == "NO" && (generated.is_none() || !server.is_mariadb()),
            collation: collation.map(|collation| Text {
                written: format!("CHARACTER SET {} COLLATE {collation}", charset(&collation)),
                meaning: collation,
            }),
            generated,
            identity: upper.contains("AUTO_INCREMENT").then(|| same("AUTO_INCREMENT")),
            other: same(other(&extra, &comment, place.as_deref())),
            definition: Definition::default(),
            data_type: same(data_type),
            name,
        };
        if extra.contains("SYSTEM VERSIONING") || expression == "ROW START" || expression == "ROW END" {
            self.whole.get_or_insert_default();
        }
        column.definition = Definition(words(&column, &self.collation));
        self.table.columns.push(column);
    }

    /// A CHECK that stands in the definition of a column, whose name it has, or one of the table.
    pub(super) fn check(&mut self, name: String, clause: &str, in_column: bool, enforced: bool) {
        let enforced = if enforced { "" } else { " NOT ENFORCED" };
        let written = if clause.starts_with('(') && !in_column && ends_with_its_parenthesis(clause) {
            format!("CHECK {clause}{enforced}")
        } else {
            format!("CHECK ({clause}){enforced}")
        };
        let folded = fold(&name);
        if in_column {
            if let Some(column) = self.table.columns.iter_mut().find(|column| column.folded == folded) {
                let other = format!("{} {written}", column.other.written);
                column.other = same(other.trim_start());
                column.definition = Definition(words(column, &self.collation));
            }
            return;
        }
        let columns = crate::dialect::mysql::schema::mentioned(clause)
            .filter(|column| self.table.column(column).is_some())
            .into_set();
        self.table.constraints.push(Constraint {
            name,
            folded,
            kind: ConstraintKind::Check,
            definition: same(written),
            columns,
            parent: None,
            inside: None,
            named: Named(true),
        });
    }

    pub(super) fn partitioned(&mut self, by: String) {
        self.table.options.insert("partitions", by.clone());
        self.partitions = Some(by);
    }

    /// Whether a CHECK may be that of a period, which `information_schema` does not tell of.
    pub(super) fn may_have_period(&self, server: Server) -> bool {
        let is_moment = |name: &str| {
            let column = self.table.column(name);
            column.is_some_and(|column| {
                column.not_null
                    && ["date", "time"]
                        .iter()
                        .any(|kind| column.data_type.written.starts_with(kind))
            })
        };
        server.is_mariadb()
            && self.table.constraints.iter().any(|constraint| {
                constraint.kind == ConstraintKind::Check
                    && constraint.columns.len() == 2
                    && constraint.definition.written.matches(' ').count() == 3
                    && constraint.definition.written.contains(" < ")
                    && constraint.columns.iter().all(|column| is_moment(column))
            })
    }

    /// The objects of the table: itself, and its indexes, where sessions usually have this mode.
    pub(super) fn objects(self, usual_mode: &str) -> Vec<(Key, Object)> {
        let key = self.key();
        let mut object = Object {
            name: self.name.clone(),
            drop: format!("DROP TABLE {}", quoted(&self.name)),
            holds_rows: true,
            ..Object::default()
        };
        if let Some(whole) = self.whole {
            object.meaning.clone_from(&whole);
            object.create = vec![whole];
            object.redefinable = true;
            return vec![(key, object)];
        }
        let refuses_zeros = usual_mode.contains("NO_ZERO_");
        let has_zeros = refuses_zeros && self.table.columns.iter().any(has_zero_date);
        let said = |statement: String| {
            if has_zeros {
                with_zeros(vec![statement])
            } else {
                vec![statement]
            }
        };
        let create = self.create();
        object.create = said(create);
        let foreign = self.table.constraints.iter();
        let foreign: Vec<&Constraint> = foreign.filter(|one| one.kind == ConstraintKind::ForeignKey).collect();
        let add = |one: &&Constraint| {
            format!(
                "ALTER TABLE {} ADD CONSTRAINT {} {}",
                quoted(&self.name),
                quoted(&one.name),
                one.definition.written
            )
        };
        object.late = foreign.iter().map(add).flat_map(said).collect();
        object.uses = foreign
            .iter()
            .filter_map(|one| one.parent.clone())
            .filter(|parent| *parent != key)
            .into_set();
        let indexes = self.indexes.iter().map(|index| {
            let object = Object {
                name: index.name.clone(),
                on: Some(key.clone()),
                meaning: index.words.clone(),
                columns: columns_of(&index.words).into_iter().into_set(),
                drop: format!("DROP INDEX {} ON {}", quoted(&index.name), quoted(&self.name)),
                redefinable: true,
                ..Object::default()
            };
            (
                Key::new(Kind::Index, format!("{}.{}", self.name, fold(&index.name))),
                object,
            )
        });
        let mut out: Vec<(Key, Object)> = indexes.collect();
        object.table = Some(self.table);
        out.push((key, object));
        out
    }

    fn create(&self) -> String {
        let columns = self.table.columns.iter().map(|column| column.definition.0.clone());
        let of_kind = |kind: ConstraintKind| self.table.constraints.iter().filter(move |one| one.kind == kind);
        let primary = of_kind(ConstraintKind::PrimaryKey).map(|one| one.definition.written.clone());
        let indexes = self.indexes.iter().map(|index| index.words.clone());
        let checks = of_kind(ConstraintKind::Check)
            .map(|one| format!("CONSTRAINT {} {}", quoted(&one.name), one.definition.written));
        let parts: Vec<String> = columns.chain(primary).chain(indexes).chain(checks).collect();
        let mut out = format!(
            "CREATE TABLE {} (\n    {}\n)",
            quoted(&self.name),
            parts.join(",\n    ")
        );
        out.push_str(&format!(" ENGINE={}", self.engine));
        out.push_str(&format!(
            " DEFAULT CHARSET={} COLLATE={}",
            charset(&self.collation),
            self.collation
        ));
        if !self.options.is_empty() {
            out.push(' ');
            out.push_str(&self.options);
        }
        if !self.comment.is_empty() {
            out.push_str(&format!(" COMMENT={}", literal(&self.comment)));
        }
        if let Some(partitions) = &self.partitions {
            out.push('\n');
            out.push_str(partitions);
        }
        out
    }
}

/// Of the options that a table is said to have those that it does not have anyway: Aria's are there unasked, some of them
/// after an ALTER alone, and mean nothing to other engines.
fn said_options(shown: &str, engine: &str) -> String {
    let options: Vec<&str> = shown.split(' ').collect();
    let rows_in_pages = !options
        .iter()
        .any(|option| matches!(*option, "row_format=DYNAMIC" | "row_format=FIXED"));
    let is_said = |option: &&&str| match option.split_once('=') {
        Some(("page_checksum" | "transactional", _)) if engine != "Aria" => false,
        Some(("page_checksum", value)) => value != "1",
        Some(("transactional", value)) => value != if rows_in_pages { "1" } else { "0" },
        _ => !matches!(**option, "" | "partitioned"),
    };
    options.iter().filter(is_said).copied().collect::<Vec<_>>().join(" ")
}

/// What else there is to a column.
fn other(extra: &str, comment: &str, place_of_points: Option<&str>) -> String {
    let mut parts = Vec::new();
    let lower = extra.to_ascii_lowercase();
    if let Some(at) = lower.find("on update ") {
        let end = extra[at..].find(", ").map_or(extra.len(), |length| at + length);
        let words = extra[at + "on update ".len()..end]
            .split(' ')
            .next()
            .unwrap_or_default();
        parts.push(format!("ON UPDATE {words}"));
    }
    if lower.contains("invisible") {
        parts.push("INVISIBLE".to_owned());
    }
    if let Some(place) = place_of_points {
        parts.push(format!("SRID {place}"));
    }
    if !comment.is_empty() {
        parts.push(format!("COMMENT {}", literal(comment)));
    }
    parts.join(" ")
}

/// Whether the parenthesis at the beginning is closed at the very end.
fn ends_with_its_parenthesis(clause: &str) -> bool {
    let mut depth = 0_i32;
    let rules = &crate::sql::split::MYSQL;
    for token in crate::sql::token::significant(clause, rules) {
        match &clause[token.span.clone()] {
            "(" => depth += 1,
            ")" => depth -= 1,
            _ => {}
        }
        if depth == 0 {
            return token.span.end == clause.trim_end().len();
        }
    }
    false
}
