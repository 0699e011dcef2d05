//! How tables are replaced by hand, as the statements of a script go by: when their rows are to be counted, and compared.

use std::collections::{BTreeMap, BTreeSet};

use crate::dialect::{Dialect, Replaces};
use crate::execute::scripts::{Prepared, Survey};

/// What is to be done.
#[derive(Debug, PartialEq, Eq)]
pub(crate) enum Act {
    /// Remember what a table has which is called `of` now, and whose name `table` another one takes or has taken.
    Keep { table: String, of: String },
    /// Compare its rows with those of the table that has its name now.
    Compare(String),
}

/// How far the replacement of a dropped table is.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Stage {
    Gone,
    /// It is there again, without rows.
    Empty,
    /// Rows of a query came into it.
    Filled,
    /// Rows came into it that the script writes out.
    Seeded,
}

/// The tables of a script that are on their way.
#[derive(Debug, Clone)]
pub(crate) struct Course {
    dialect: &'static dyn Dialect,
    replaced: BTreeSet<String>,
    /// Nothing is dropped, so nothing is replaced.
    still: bool,
    waiting: BTreeMap<String, Stage>,
    /// What stepped aside, and the name that it had before.
    aside: BTreeMap<String, String>,
    created: BTreeSet<String>,
    /// What stepped aside and was dropped.
    gone: BTreeSet<String>,
}

impl Course {
    pub(crate) fn new(prepared: &Prepared, dialect: &'static dyn Dialect) -> Self {
        Self {
            dialect,
            replaced: prepared.replaced.clone(),
            still: prepared.dropped.is_empty(),
            waiting: BTreeMap::new(),
            aside: BTreeMap::new(),
            created: BTreeSet::new(),
            gone: BTreeSet::new(),
        }
    }

    /// The table that a DROP TABLE takes away, and that was renamed to make room for the one in its place.
    fn steps_aside(&self, table: &str) -> bool {
        let before = self.aside.get(table);
        before.is_some_and(|before| self.created.contains(before))
    }

    /// What is done with such a table when its rows go along with those of another one, and not again when it is dropped.
    pub(crate) fn goes_along(&mut self, table: &str) -> Vec<Act> {
        if !self.steps_aside(table) {
            return Vec::new();
        }
        let before = self.aside.remove(table).unwrap_or_default();
        self.gone.insert(table.to_owned());
        let of = table.to_owned();
        vec![
            Act::Keep {
                table: before.clone(),
                of,
            },
            Act::Compare(before),
        ]
    }

    /// The name that a table had before it was renamed.
    pub(crate) fn was(&self, table: &str) -> Option<&str> {
        self.aside.get(table).map(String::as_str)
    }

    /// Whether the script made a table that has this name now.
    pub(crate) fn is_made(&self, table: &str) -> bool {
        self.created.contains(table)
    }

    /// The names of tables that were renamed, replaced and dropped: nothing may refer to them.
    pub(crate) fn gone(&self) -> impl Iterator<Item = &str> {
        self.gone.iter().map(String::as_str)
    }

    /// What is to be done before a statement.
    pub(crate) fn before(&mut self, statement: &str) -> Vec<Act> {
        let mut acts = Vec::new();
        if self.still {
            return acts;
        }
        match self.dialect.replaces(statement) {
            Some(Replaces::Drops(table)) => {
                acts.extend(self.settled(&table));
                if self.steps_aside(&table) {
                    let before = self.aside.remove(&table).unwrap_or_default();
                    self.gone.insert(table.clone());
                    acts.push(Act::Keep {
                        table: before.clone(),
                        of: table,
                    });
                    acts.push(Act::Compare(before));
                } else if self.replaced.contains(&table) {
                    self.waiting.insert(table.clone(), Stage::Gone);
                    acts.push(Act::Keep {
                        of: table.clone(),
                        table,
                    });
                }
            }
            Some(Replaces::Renames { from, .. }) => acts.extend(self.settled(&from)),
            Some(Replaces::Creates { .. }) => {}
            None if self.waiting.values().any(|stage| *stage == Stage::Filled) => {
                // What the author changes afterwards is no part of the copy.
                if let Some(change) = self.dialect.changes_rows(statement).filter(|change| !change.copies) {
                    acts.extend(self.settled(&change.table));
                }
            }
            None => {}
        }
        acts
    }

    /// What is to be done after it.
    pub(crate) fn after(&mut self, statement: &str) -> Vec<Act> {
        if self.still {
            return Vec::new();
        }
        match self.dialect.replaces(statement) {
            Some(Replaces::Creates { table, filled }) => {
                if let Some(stage) = self.waiting.get_mut(&table) {
                    *stage = if filled { Stage::Filled } else { Stage::Empty };
                }
                self.gone.remove(&table);
                self.created.insert(table);
            }
            Some(Replaces::Renames { from, to }) => {
                if self.created.remove(&from) {
                    self.created.insert(to.clone());
                } else {
                    let before = self.aside.remove(&from).unwrap_or(from);
                    self.aside.insert(to.clone(), before);
                }
                if self.waiting.remove(&to).is_some() {
                    return vec![Act::Compare(to)];
                }
            }
            None if self.waiting.values().any(|stage| *stage == Stage::Empty) => {
                if let Some(change) = self.dialect.changes_rows(statement)
                    && let Some(stage) = self.waiting.get_mut(&change.table)
                    && *stage == Stage::Empty
                {
                    *stage = if change.copies { Stage::Filled } else { Stage::Seeded };
                }
            }
            _ => {}
        }
        Vec::new()
    }

    /// What is to be done at the end of the script.
    pub(crate) fn end(&mut self) -> Vec<Act> {
        let waiting = std::mem::take(&mut self.waiting).into_iter();
        let there = waiting.filter(|(_, stage)| *stage != Stage::Gone);
        there.map(|(table, _)| Act::Compare(table)).collect()
    }

    fn settled(&mut self, table: &str) -> Option<Act> {
        let stage = self.waiting.remove(table)?;
        (stage != Stage::Gone).then(|| Act::Compare(table.to_owned()))
    }
}

impl Survey<'_> {
    /// Sees which tables come, go and get other names.
    pub(super) fn tables(&mut self, statement: &str) {
        let part = self.dialect.replaces(statement);
        match &part {
            Some(Replaces::Creates { table, .. }) => {
                self.created.insert(table.clone());
            }
            Some(Replaces::Renames { from, to }) if self.created.contains(from) => {
                self.created.insert(to.clone());
            }
            Some(Replaces::Renames { from, to }) => self.renamed.extend([from.clone(), to.clone()]),
            _ => {}
        }
        match part {
            Some(Replaces::Drops(table)) => {
                // Whom a table takes along when it goes is seen in the schema.
                self.alters = true;
                self.dropped.insert(table);
            }
            Some(Replaces::Creates { table, .. } | Replaces::Renames { to: table, .. })
                if self.dropped.contains(&table) =>
            {
                self.replaced.insert(table);
            }
            _ => {}
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::dialect::sqlite::Sqlite;
    use crate::revision::{Header, Script};
    use crate::source::SourceFile;

    /// What is done in the course of the script, `+` for what is remembered and `=` for what is compared, each after how
    /// many statements.
    fn check(script: &[&str], want: &str) {
        let text = script.iter().map(|sql| format!("{sql};\n")).collect::<String>();
        let parsed = Script {
            file: SourceFile::new("a.sql", &*text),
            body: 0,
            large: None,
            known: None,
        };
        let prepared = parsed.prepare(&Header::new("a"), true, &Sqlite).unwrap();
        let mut course = Course::new(&prepared, &Sqlite);
        let mut got = Vec::new();
        let said = |at: usize, acts: Vec<Act>| {
            let words = acts.into_iter().map(move |act| match act {
                Act::Keep { table, of } => format!("{at}+{table}:{of}"),
                Act::Compare(table) => format!("{at}={table}"),
            });
            words.collect::<Vec<_>>()
        };
        for (at, sql) in script.iter().enumerate() {
            got.extend(said(at, course.before(sql)));
            got.extend(said(at + 1, course.after(sql)));
        }
        got.extend(said(script.len(), course.end()));
        assert_eq!(got.join(" "), want, "{script:#?}");
    }

    #[test]
    fn the_ways_to_replace_a_table() {
        let drop = "DROP TABLE t";
        let fill = "INSERT INTO t SELECT a FROM b";
        check(
            &[
                "CREATE TABLE b (a)",
                "INSERT INTO b SELECT a FROM t",
                drop,
                "ALTER TABLE b RENAME TO t",
            ],
            "2+t:t 4=t",
        );
        check(
            &["ALTER TABLE t RENAME TO b", "CREATE TABLE t (a)", fill, "DROP TABLE b"],
            "3+t:b 3=t",
        );
        check(
            &[
                "CREATE TEMP TABLE b AS SELECT a FROM t",
                drop,
                "CREATE TABLE t (a)",
                fill,
                "DROP TABLE b",
            ],
            "1+t:t 5=t",
        );
        check(&["CREATE TABLE b (a)", drop, "ALTER TABLE b RENAME TO c"], "");
    }

    #[test]
    fn what_the_author_changes_afterwards_does_not_count() {
        let first = ["DROP TABLE t", "CREATE TABLE t (a)", "INSERT INTO t SELECT a FROM b"];
        let changes = ["INSERT INTO t VALUES (1)", "DELETE FROM t"];
        check(&[&first[..], &changes].concat(), "0+t:t 3=t");
        check(&[first[0], first[1], changes[0]], "0+t:t 3=t");
        check(&[&first[..], &["DROP TABLE IF EXISTS t"]].concat(), "0+t:t 3=t 3+t:t");
    }

    #[test]
    fn a_leftover_of_an_earlier_try() {
        check(
            &[
                "DROP TABLE IF EXISTS b",
                "CREATE TABLE b AS SELECT a FROM t",
                "DROP TABLE t",
                "ALTER TABLE b RENAME TO t",
            ],
            "0+b:b 2+t:t 3=b 4=t",
        );
    }
}
