//! A stored CREATE TABLE as a table of the model.

use std::collections::BTreeMap;

use crate::dialect::sqlite::schema::{Names, fold};
use crate::dialect::sqlite::table::{Table as Definition, unquoted_type};
use crate::dialect::sqlite::{defaults, expr, names};
use crate::schema::{
    Column, Constraint, ConstraintKind, Definition as Words, Generated, Key, Kind, Named, Table, Text,
};
use crate::sorted::Gather as _;
use crate::source::Span;
use crate::sql::parse::cursor::Cursor;
use crate::sql::parse::define::{Clause, ClauseKind, ColumnDef};
use crate::sql::split::SQLITE;
use crate::sql::token::{self, significant, unquoted};
use crate::sql::write;

/// A definition being read.
#[derive(Clone, Copy)]
pub(super) struct Reader<'s> {
    pub(super) definition: &'s Definition,
    pub(super) names: &'s Names,
}

impl Reader<'_> {
    fn text(self, span: &Span) -> Text {
        self.written(self.definition.at(span).to_owned())
    }

    /// An expression over the table's columns; what stands in double quotes and is none of them is a text.
    fn with_texts(self, expression: &str) -> String {
        let mut out = expression.to_owned();
        let texts: Vec<(Span, String)> = expr::quoted_names(expression)
            .into_iter()
            .filter(|(_, name)| self.definition.column(name).is_none() && !self.definition.name().is(name))
            .collect();
        for (span, text) in texts.into_iter().rev() {
            out.replace_range(span, &write::sqlite_literal(&text));
        }
        out
    }

    fn written(self, written: String) -> Text {
        Text {
            meaning: self.names.meaning(&written),
            written,
        }
    }

    /// A definition as the model has it.
    pub(super) fn table(self, name: &str) -> Table {
        let definition = self.definition;
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
        table.columns = definition.columns().map(|column| self.column(column)).collect();
        if let Some(alias) = definition.rowid_alias() {
            // It is another name for the rowid, which is never NULL, said or not.
            let alias = fold(&alias.name.text);
            if let Some(column) = table.columns.iter_mut().find(|column| column.folded == alias) {
                column.not_null = false;
            }
        } else if definition.strict() || definition.without_rowid() {
            // The key keeps NULL out, said or not (stricttables.html, withoutrowid.html).
            let key: Vec<String> = definition.primary_key().iter().map(|name| fold(name)).collect();
            let of_key = table.columns.iter_mut().filter(|column| key.contains(&column.folded));
            of_key.for_each(|column| column.not_null = true);
        }
        let known: Vec<&str> = definition.columns().map(|column| column.name.text.as_str()).collect();
        for named in names::of_table(definition, name, &known, &[]) {
            let column = named.column.as_deref();
            let Some((kind, definition, parent)) = self.constraint(column, &named.clause) else {
                continue;
            };
            let columns = match (column, &named.clause.kind) {
                (Some(column), _) if kind != ConstraintKind::Check => vec![column],
                // A column of its parent may be called as one of its own that has nothing to do with it.
                (None, ClauseKind::References(key)) if fold(&key.table.text) != fold(name) => {
                    key.columns.iter().map(|column| column.text.as_str()).collect()
                }
                _ => expr::mentioned(&definition.written, &known),
            };
            let columns = columns.into_iter().map(fold).into_set();
            table.constraints.push(Constraint {
                folded: fold(&named.name),
                name: named.name,
                kind,
                definition,
                columns,
                parent,
                inside: column.map(fold),
                named: Named(named.written.is_some()),
            });
        }
        table
    }

    fn column(self, column: &ColumnDef) -> Column {
        let definition = self.definition;
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
            let meaning = self.names.meaning(&unquoted_type(&written));
            read.data_type = Text { written, meaning };
        }
        for clause in &column.clauses {
            match &clause.kind {
                ClauseKind::NotNull => {
                    read.not_null = true;
                    let words = self.text(&clause.body);
                    if words.meaning != "not null" {
                        read.other = words;
                    }
                }
                ClauseKind::Default(value) => {
                    let value = self.default(definition.at(value));
                    read.default = (value.meaning != "null").then_some(value);
                }
                ClauseKind::Collate(name) => {
                    let collation = Text {
                        written: definition.at(&name.span).to_owned(),
                        meaning: fold(&name.text),
                    };
                    // The last one holds.
                    read.collation = Some(collation).filter(|_| !name.is("BINARY"));
                }
                ClauseKind::Generated { expression, stored } => {
                    read.generated = Some(Generated {
                        expression: self.written(self.with_texts(definition.at(expression))),
                        stored: *stored,
                    });
                }
                _ => {}
            }
        }
        read
    }

    /// A default. No column can stand in it, so a word in double quotes is a text, and so is a bare word that is no
    /// keyword.
    fn default(self, written: &str) -> Text {
        let words: Vec<token::Token> = significant(written, &SQLITE).collect();
        let is_text = match &words[..] {
            [one] => match one.kind {
                token::Kind::Quoted => true,
                token::Kind::Word => !defaults::is_value(&written[one.span.clone()]),
                _ => false,
            },
            _ => false,
        };
        if is_text {
            let text = unquoted(&written[words[0].span.clone()]).into_owned();
            return Text {
                written: written.to_owned(),
                meaning: write::sqlite_literal(&text),
            };
        }
        let mut text = self.written(written.to_owned());
        text.meaning = bare(&text.meaning).to_owned();
        text
    }

    /// A constraint as one of the table: its kind, its words, and the table that it refers to.
    fn constraint(self, column: Option<&str>, clause: &Clause) -> Option<(ConstraintKind, Text, Option<Key>)> {
        let definition = self.definition;
        let body = definition.at(&clause.body);
        let own = column.map(|column| write::name(column, '"'));
        let of_column = |words: &str| own.as_ref().map_or_else(String::new, |own| format!("{words} ({own})"));
        match &clause.kind {
            ClauseKind::PrimaryKey { descending, .. } => {
                let mut written = match (&own, descending) {
                    (Some(own), true) => format!("PRIMARY KEY ({own} DESC)") + conflict(body),
                    (Some(_), false) => of_column("PRIMARY KEY") + conflict(body),
                    (None, _) => body.to_owned(),
                };
                written = without_words(&written, &["AUTOINCREMENT", "ASC"]);
                let mut text = self.written(written);
                if own.is_some() && *descending {
                    // Unlike the same key of the table it is no other name for the rowid (lang_createtable.html).
                    text.meaning.push_str(" inside");
                }
                Some((ConstraintKind::PrimaryKey, text, None))
            }
            ClauseKind::Unique { .. } => {
                let written = match column {
                    Some(_) => of_column("UNIQUE") + conflict(body),
                    None => without_words(body, &["ASC"]),
                };
                let mut text = self.written(written);
                if let Some(plain) = text.meaning.strip_suffix(" on conflict abort") {
                    // It does so anyway (lang_conflict.html).
                    text.meaning = plain.to_owned();
                }
                Some((ConstraintKind::Unique, text, None))
            }
            ClauseKind::Check(condition) => {
                let written = format!("CHECK ({})", self.with_texts(definition.at(condition)));
                Some((ConstraintKind::Check, self.written(written), None))
            }
            ClauseKind::References(key) => {
                let parent = Key::new(Kind::Table, fold(&key.table.text));
                Some((
                    ConstraintKind::ForeignKey,
                    self.foreign_key(column, clause),
                    Some(parent),
                ))
            }
            _ => None,
        }
    }

    /// A foreign key as it stands in a table, and what it means: its actions in one order, those that hold anyway left
    /// out.
    fn foreign_key(self, column: Option<&str>, clause: &Clause) -> Text {
        let body = self.definition.at(&clause.body);
        let deferral = column.and_then(|column| deferral_behind(self.definition, column, clause));
        let mut written = match column {
            Some(column) => format!("FOREIGN KEY ({}) {body}", write::name(column, '"')),
            None => body.to_owned(),
        };
        if let Some(words) = deferral {
            written = format!("{written} {words}");
        }
        let meaning = self.referring(&written);
        Text { written, meaning }
    }

    fn referring(self, written: &str) -> String {
        let mut cursor = Cursor::new(written);
        let start = cursor.position();
        while !cursor.at_end() && !cursor.sees(&["REFERENCES"]) {
            cursor.skip();
        }
        cursor.skip();
        cursor.name();
        if cursor.sees(&["("]) {
            cursor.skip();
        }
        let mut out = self.names.meaning(&written[cursor.since(start)]);
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
        out
    }
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

/// The DEFERRABLE clause that follows a column's REFERENCES apart.
fn deferral_behind<'d>(definition: &'d Definition, column: &str, clause: &Clause) -> Option<&'d str> {
    let clauses = &definition.column(column)?.clauses;
    let mut later = clauses.iter().filter(|other| other.span.start >= clause.span.end);
    let next = later.find(|other| matches!(other.kind, ClauseKind::Deferrable | ClauseKind::References(_)))?;
    matches!(next.kind, ClauseKind::Deferrable).then(|| definition.at(&next.span))
}
