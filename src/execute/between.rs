//! What a revision in one transaction reads after it has dropped a table, and before it drops the next one: rows that go
//! along with the first are missed there, although their own table goes as well in the end.

use std::collections::BTreeSet;

use crate::dialect::{Dialect, Replaces};
use crate::sql::token::{self, Kind};

/// The tables that a script drops, in order, and what stands between.
#[derive(Debug, Clone, Default)]
pub(crate) struct Between {
    drops: Vec<Dropped>,
    /// How many statements come before each RENAME of a table, its name before and after.
    renames: Vec<(u64, [String; 2])>,
    since: Passed,
}

#[derive(Debug, Clone)]
struct Dropped {
    at: u64,
    table: String,
    /// What stands between the drop before and this one.
    passed: Passed,
}

/// Statements that have gone by since a table was dropped.
#[derive(Debug, Clone, Default)]
struct Passed {
    /// The words and names of those that read rows, and of views and triggers by which others may.
    words: BTreeSet<String>,
    /// One of them reads or changes rows.
    rows: bool,
}

impl Between {
    /// Takes note of the statement that so many come before.
    pub(crate) fn read(&mut self, at: u64, statement: &str, dialect: &dyn Dialect) {
        if let Some((schema, table)) = dialect.references().and_then(|references| references.drops(statement)) {
            // What is dropped elsewhere is another table.
            if schema.is_some_and(|schema| !schema.eq_ignore_ascii_case("main")) {
                return;
            }
            let passed = std::mem::take(&mut self.since);
            self.drops.push(Dropped {
                at,
                table: table.to_ascii_lowercase(),
                passed,
            });
            return;
        }
        if self.drops.is_empty() {
            return;
        }
        if let Some(Replaces::Renames { from, to }) = dialect.replaces(statement) {
            self.renames.push((at, [from, to]));
        }
        let begins = |word: &str| {
            let first = statement.get(..word.len());
            first.is_some_and(|first| first.eq_ignore_ascii_case(word))
        };
        let fills = begins("insert") || begins("replace");
        let reads = token::holds(statement, b"select");
        let renames = begins("alter") && token::holds(statement, b"rename");
        let about_rows = fills || ["update", "delete", "select", "with", "values"].into_iter().any(begins);
        // One that makes a view or a trigger reads nothing yet, and one that renames a table has it read by another name.
        let made = begins("create").then(|| token::keywords(statement, dialect.rules(), 3));
        let later = |words: &Vec<String>| match words.get(1).map(String::as_str) {
            Some("TEMP" | "TEMPORARY") => words.get(2).is_some_and(|word| word == "VIEW" || word == "TRIGGER"),
            Some("VIEW" | "TRIGGER") => true,
            _ => false,
        };
        let reader = made.as_ref().is_some_and(later) || renames;
        self.since.rows |= about_rows || reads && !reader;
        // Millions of statements are plain INSERTs.
        if reads || reader || about_rows && !fills {
            let mut from = false;
            for token in token::significant(statement, dialect.rules()) {
                let text = &statement[token.span];
                // SQLite takes a text for the name of a table where one has to stand.
                if matches!(token.kind, Kind::Word | Kind::Quoted) || from && token.kind == Kind::Text {
                    self.since.words.insert(token::unquoted(text).to_ascii_lowercase());
                }
                from = ["from", "join"].iter().any(|word| text.eq_ignore_ascii_case(word));
            }
        }
    }

    /// Whether nothing is dropped.
    pub(crate) fn is_empty(&self) -> bool {
        self.drops.is_empty() && self.renames.is_empty()
    }

    /// The name that a table gets once another one has made room for it.
    pub(crate) fn becomes(&self, table: &str) -> Option<&str> {
        let mut renames = self.renames.iter();
        let (_, [_, to]) = renames.find(|(_, [from, _])| from == table)?;
        Some(to)
    }

    /// Whether the table that is dropped by this name after the statement that so many come before may be another one than
    /// that which has the name there.
    pub(crate) fn is_another(&self, at: u64, table: &str) -> bool {
        let mut drops = self.drops.iter().filter(|drop| drop.at > at);
        let Some(drop) = drops.find(|drop| drop.table == table) else {
            return true;
        };
        let mut between = self
            .renames
            .iter()
            .filter(|(rename, _)| at < *rename && *rename < drop.at);
        between.any(|(_, names)| names.iter().any(|name| name == table))
    }

    /// Whether rows are read or changed after the statement that so many come before and until this table is dropped, and
    /// whether by its name.
    pub(crate) fn reads(&self, at: u64, table: &str) -> Option<bool> {
        let after = self.drops.iter().skip_while(|drop| drop.at <= at);
        let (mut rows, mut named) = (false, false);
        for drop in after {
            rows |= drop.passed.rows;
            named |= drop.passed.words.contains(table);
            if drop.table == table {
                break;
            }
        }
        rows.then_some(named)
    }
}
