//! The model of definitions, each group of tables made in a database of its own.
//!
//! SQLite reads its whole schema table again after each CREATE and looks at every table that it knows, so what it takes
//! to make a schema grows with the square of its size. A definition is not read together with those of other tables,
//! though: a key's parent need not be there, nor what a view or trigger names. Only the names must be free, and an index or
//! trigger must find its table. Where that is certain, small databases show what a large one would hold.

use std::collections::{BTreeMap, BTreeSet};

use crate::dialect::sqlite::{schema, session};
use crate::dialect::{Replay, Scratch};
use crate::schema::Model;
use crate::sql::split::SQLITE;
use crate::sql::token::{Kind, Token, significant, unquoted};

/// How many tables are made in one database.
const TABLES: usize = 12;

/// The model of what the statements make of an empty database. None where they do more than to define what stands for
/// itself, and where one of them fails: the database must say what it makes of all of them.
pub(super) fn model(statements: &[String], scratch: &mut dyn FnMut() -> Option<Box<dyn Scratch>>) -> Option<Model> {
    let groups = groups(statements)?;
    let mut rows = Vec::new();
    for group in groups {
        let mut db = scratch()?;
        // One transaction is less work than many.
        db.execute("BEGIN").ok()?;
        for statement in group {
            db.execute(statement).ok()?;
        }
        rows.extend(db.query(schema::OBJECTS).ok()?);
    }
    Some(schema::of_rows(rows, &BTreeSet::new()))
}

/// The statements, those together that are about the same tables; none where one of them may be about something else.
fn groups(statements: &[String]) -> Option<Vec<Vec<&str>>> {
    let mut groups: Vec<Vec<&str>> = Vec::new();
    // Names of tables, views and indexes exclude each other, those of triggers do not.
    let mut homes: BTreeMap<String, usize> = BTreeMap::new();
    let mut taken: BTreeSet<String> = BTreeSet::new();
    let mut triggers: BTreeSet<String> = BTreeSet::new();
    for statement in statements {
        let Some(definition) = Definition::read(statement) else {
            if matches!(session::replay(statement), Replay::Skip) {
                continue;
            }
            return None;
        };
        let names = if definition.is_trigger {
            &mut triggers
        } else {
            &mut taken
        };
        if !names.insert(definition.name.clone()) {
            return None;
        }
        let group = match definition.on {
            Some(table) => *homes.get(&table)?,
            None => {
                let group = homes.len() / TABLES;
                homes.insert(definition.name, group);
                group
            }
        };
        if group == groups.len() {
            groups.push(Vec::new());
        }
        groups[group].push(statement);
    }
    Some(groups)
}

/// What a CREATE is about. Names are as SQLite compares them.
struct Definition {
    name: String,
    is_trigger: bool,
    /// The table or view that it must find.
    on: Option<String>,
}

impl Definition {
    /// Of a table, index, view or trigger of the main database, written in a way that leaves no doubt.
    fn read(statement: &str) -> Option<Self> {
        let mut words = Words {
            text: statement,
            tokens: significant(statement, &SQLITE),
        };
        if !words.next_is("CREATE") {
            return None;
        }
        let mut kind = words.keyword()?;
        if kind == "UNIQUE" {
            kind = words.keyword().filter(|kind| kind == "INDEX")?;
        }
        let mut name = words.next()?;
        if words.is(&name, "IF") {
            if !words.next_is("NOT") || !words.next_is("EXISTS") {
                return None;
            }
            name = words.next()?;
        }
        let name = words.name(&name)?;
        let is_trigger = kind == "TRIGGER";
        let on = match kind.as_str() {
            // AS would read what other tables hold, a dot lead to another database.
            "TABLE" => {
                words.next_is("(").then_some(())?;
                None
            }
            "VIEW" => {
                let next = words.next()?;
                (words.is(&next, "AS") || words.is(&next, "(")).then_some(())?;
                None
            }
            "INDEX" => {
                words.next_is("ON").then_some(())?;
                let table = words.next()?;
                let table = words.name(&table)?;
                words.next_is("(").then_some(())?;
                Some(table)
            }
            "TRIGGER" => Some(words.table_of_trigger()?),
            _ => return None,
        };
        Some(Self { name, is_trigger, on })
    }
}

struct Words<'s, T> {
    text: &'s str,
    tokens: T,
}

impl<T: Iterator<Item = Token>> Words<'_, T> {
    fn next(&mut self) -> Option<Token> {
        self.tokens.next()
    }

    fn is(&self, token: &Token, word: &str) -> bool {
        matches!(token.kind, Kind::Word | Kind::Symbol) && self.text[token.span.clone()].eq_ignore_ascii_case(word)
    }

    fn next_is(&mut self, word: &str) -> bool {
        self.next().is_some_and(|token| self.is(&token, word))
    }

    fn keyword(&mut self) -> Option<String> {
        let token = self.next().filter(|token| token.kind == Kind::Word)?;
        Some(self.text[token.span].to_ascii_uppercase())
    }

    fn name(&self, token: &Token) -> Option<String> {
        let is_name = matches!(token.kind, Kind::Word | Kind::Quoted | Kind::Text);
        is_name.then(|| unquoted(&self.text[token.span.clone()]).to_ascii_lowercase())
    }

    /// Behind the name of a trigger. The first ON is the one before the table: a column of that name stands in quotes.
    fn table_of_trigger(&mut self) -> Option<String> {
        let first = self.next()?;
        let known = ["BEFORE", "AFTER", "INSTEAD", "DELETE", "INSERT", "UPDATE"];
        if !known.iter().any(|word| self.is(&first, word)) {
            return None;
        }
        let mut token = first;
        while !self.is(&token, "ON") {
            token = self.next()?;
        }
        let table = self.next()?;
        self.name(&table)
    }
}
