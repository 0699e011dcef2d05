//! Which statements of a revision without a transaction are done together all the same: those that replace a table by
//! hand, since half of a replacement is no table.

use std::ops::Range;

use crate::dialect::{Dialect, Replaces};
use crate::sorted;
use crate::sql::token;

/// Statements that one transaction holds, by how many come before them.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct Group {
    pub range: Range<u64>,
    /// The author's own BEGIN or SAVEPOINT, where it stands before them.
    pub opened: Option<u64>,
}

/// A statement that matters to where groups begin and end.
#[derive(Debug)]
enum Mark {
    Part(Replaces),
    /// Makes a temporary table.
    Temporary,
    /// Rows of a query come into a table.
    Fills(String),
    /// An ALTER TABLE, which may be run together with the next one.
    Alters,
    Tears(Tear),
}

/// What stands in no group.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Tear {
    Begin,
    Savepoint,
    Release,
    End,
    Other,
}

/// What is known of the statements of a script, in order.
#[derive(Debug, Default)]
pub(crate) struct Marks {
    marks: Vec<(u64, Mark)>,
    /// A table was made, renamed or dropped, so that rows may come into its place.
    any: bool,
}

impl Marks {
    /// Takes note of the statement that so many come before.
    pub(crate) fn read(&mut self, index: u64, statement: &str, dialect: &dyn Dialect) {
        if let Some(part) = dialect.replaces(statement) {
            self.any = true;
            self.marks.push((index, Mark::Part(part)));
        } else if dialect.batch_table(statement).is_some() {
            self.marks.push((index, Mark::Alters));
        } else if dialect.tears(statement) {
            self.marks.push((index, Mark::Tears(tear(statement, dialect))));
        } else if dialect.temporary(statement).is_some() {
            self.marks.push((index, Mark::Temporary));
        } else if self.any
            && let Some(change) = dialect.changes_rows(statement).filter(|change| change.copies)
            && !matches!(self.marks.last(), Some((_, Mark::Fills(table))) if *table == change.table)
        {
            self.marks.push((index, Mark::Fills(change.table)));
        }
    }

    /// The groups of a script of so many statements.
    pub(crate) fn groups(&self, statements: u64) -> Vec<Group> {
        let mut groups: Vec<Group> = Vec::new();
        for span in self.spans().into_iter().filter(|span| !self.torn(*span)) {
            let group = self.group(span, statements);
            match groups.iter_mut().find(|known| overlap(&known.range, &group.range)) {
                Some(known) => {
                    known.range = known.range.start.min(group.range.start)..known.range.end.max(group.range.end);
                }
                None => groups.push(group),
            }
        }
        sorted::sort_by_key(&mut groups, |group| group.range.start);
        groups
    }

    /// The statements that drop a table.
    pub(crate) fn drops(&self) -> Vec<(u64, String)> {
        let drops = self.marks.iter().filter_map(|(at, mark)| match mark {
            Mark::Part(Replaces::Drops(table)) => Some((*at, table.clone())),
            _ => None,
        });
        drops.collect()
    }

    /// Which of them stand in no replacement, torn or not: what they drop is gone for good.
    pub(crate) fn for_good(&self) -> Vec<u64> {
        let spans = self.spans();
        let drops = self.drops().into_iter().map(|(at, _)| at);
        drops
            .filter(|at| !spans.iter().any(|(first, last)| first <= at && at <= last))
            .collect()
    }

    /// From where each table is missing to where it is there again, with its rows.
    fn spans(&self) -> Vec<(u64, u64)> {
        let mut spans = Vec::new();
        for (at, (first, mark)) in self.marks.iter().enumerate() {
            let rest = &self.marks[at + 1..];
            match mark {
                Mark::Part(Replaces::Drops(table)) => spans.extend(replaced(table, rest).map(|last| (*first, last))),
                Mark::Part(Replaces::Renames { from, to }) if !creates(from, &self.marks[..at]) => {
                    let dropped = rest
                        .iter()
                        .find(|(_, mark)| matches!(mark, Mark::Part(Replaces::Drops(table)) if table == to));
                    if let Some((last, _)) = dropped.filter(|_| creates(from, rest)) {
                        // Where the whole is torn, what drops the old table has to be seen to nevertheless.
                        let whole = (*first, *last);
                        spans.push(if self.torn(whole) { (*last, *last) } else { whole });
                    }
                }
                _ => {}
            }
        }
        spans
    }

    fn torn(&self, (first, last): (u64, u64)) -> bool {
        let mut within = self.marks.iter().filter(|(at, _)| first < *at && *at < last);
        within.any(|(_, mark)| matches!(mark, Mark::Tears(_)))
    }

    /// From the first table that is made for the replacement to the next statement that cannot stand in it.
    fn group(&self, (first, last): (u64, u64), statements: u64) -> Group {
        let borders = self.marks.iter().filter(|(_, mark)| matches!(mark, Mark::Tears(_)));
        let (before, after): (Vec<u64>, Vec<u64>) = borders.map(|(at, _)| *at).partition(|at| *at < first);
        let low = before.last().map_or(0, |at| at + 1);
        let end = after.first().copied().unwrap_or(statements);
        let makes = |mark: &Mark| matches!(mark, Mark::Part(_) | Mark::Temporary);
        let mut start = self
            .marks
            .iter()
            .find(|(at, mark)| *at >= low && makes(mark))
            .map_or(first, |(at, _)| (*at).min(first));
        let alters = |at: u64| {
            let mark = self.marks.iter().find(|(mark, _)| *mark == at);
            matches!(mark, Some((_, Mark::Alters)))
        };
        while start > low && alters(start - 1) {
            start -= 1;
        }
        Group {
            range: start..end.max(last + 1),
            opened: self.opened(first),
        }
    }

    /// The author's BEGIN or SAVEPOINT in whose transaction a statement stands.
    fn opened(&self, before: u64) -> Option<u64> {
        let mut open = Vec::new();
        for (at, mark) in self.marks.iter().take_while(|(at, _)| *at < before) {
            match mark {
                Mark::Tears(Tear::Begin | Tear::Savepoint) => open.push(*at),
                Mark::Tears(Tear::Release) => drop(open.pop()),
                Mark::Tears(Tear::End) => open.clear(),
                _ => {}
            }
        }
        open.first().copied()
    }
}

/// Where a dropped table is there again, with its rows.
fn replaced(name: &str, rest: &[(u64, Mark)]) -> Option<u64> {
    let until = rest
        .iter()
        .position(|(_, mark)| matches!(mark, Mark::Part(Replaces::Drops(table)) if table == name));
    let rest = &rest[..until.unwrap_or(rest.len())];
    let again = rest.iter().position(|(_, mark)| match mark {
        Mark::Part(Replaces::Creates { table, .. }) => table == name,
        Mark::Part(Replaces::Renames { to, .. }) => to == name,
        _ => false,
    })?;
    let empty = matches!(&rest[again].1, Mark::Part(Replaces::Creates { filled: false, .. }));
    let filled = rest[again..]
        .iter()
        .find(|(_, mark)| matches!(mark, Mark::Fills(table) if table == name));
    Some(filled.filter(|_| empty).unwrap_or(&rest[again]).0)
}

fn creates(name: &str, marks: &[(u64, Mark)]) -> bool {
    marks
        .iter()
        .any(|(_, mark)| matches!(mark, Mark::Part(Replaces::Creates { table, .. }) if table == name))
}

fn overlap(one: &Range<u64>, other: &Range<u64>) -> bool {
    one.start < other.end && other.start < one.end
}

fn tear(statement: &str, dialect: &dyn Dialect) -> Tear {
    let words = token::keywords(statement, dialect.rules(), 3);
    let words: Vec<&str> = words.iter().map(String::as_str).collect();
    match words.as_slice() {
        ["BEGIN", ..] => Tear::Begin,
        ["SAVEPOINT", ..] => Tear::Savepoint,
        ["RELEASE", ..] => Tear::Release,
        ["ROLLBACK", rest @ ..] if rest.contains(&"TO") => Tear::Other,
        ["COMMIT" | "END" | "ROLLBACK", ..] => Tear::End,
        _ => Tear::Other,
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::dialect::sqlite::Sqlite;

    /// A statement a letter, and the groups as they should be.
    fn check(script: &[&str], want: &[(Range<u64>, Option<u64>)]) {
        let mut marks = Marks::default();
        for (at, sql) in script.iter().enumerate() {
            marks.read(at as u64, sql, &Sqlite);
        }
        let groups = marks.groups(script.len() as u64);
        let got: Vec<_> = groups.into_iter().map(|group| (group.range, group.opened)).collect();
        assert_eq!(got, want, "{script:#?}");
    }

    const CREATE: &str = "CREATE TABLE new_t (a)";
    const COPY: &str = "INSERT INTO new_t SELECT a FROM t";
    const DROP: &str = "DROP TABLE t";
    const RENAME: &str = "ALTER TABLE new_t RENAME TO t";
    const OFF: &str = "PRAGMA foreign_keys = OFF";
    const ON: &str = "PRAGMA foreign_keys = ON";

    #[test]
    fn a_replacement_is_one() {
        check(&["DELETE FROM x", CREATE, COPY, DROP, RENAME], &[(1..5, None)]);
        check(
            &[OFF, CREATE, COPY, DROP, RENAME, "DELETE FROM x", ON, "DELETE FROM y"],
            &[(1..8, None)],
        );
        check(&[CREATE, COPY, OFF, DROP, RENAME, ON, "VACUUM"], &[(0..6, None)]);
        check(&["ALTER TABLE t ADD b", CREATE, COPY, DROP, RENAME], &[(0..5, None)]);
        check(&[CREATE, COPY, "VACUUM", DROP, RENAME], &[(3..5, None)]);
    }

    #[test]
    fn others_stand_alone() {
        check(&[CREATE, COPY, DROP], &[]);
        check(&["DROP TABLE t", "VACUUM", CREATE], &[]);
        check(&[CREATE, COPY, DROP, "VACUUM", RENAME], &[]);
    }

    #[test]
    fn two_are_two_where_something_stands_between() {
        let other = [
            "CREATE TABLE new_s (a)",
            "DROP TABLE s",
            "ALTER TABLE new_s RENAME TO s",
        ];
        let one = [CREATE, DROP, RENAME];
        check(&[&one[..], &["VACUUM"], &other].concat(), &[(0..3, None), (4..7, None)]);
        check(&[&one[..], &[ON, OFF], &other].concat(), &[(0..8, None)]);
    }

    #[test]
    fn rows_kept_in_a_temporary_table() {
        let rest = [
            "CREATE TABLE t (a)",
            "INSERT INTO t SELECT a FROM b",
            "DROP TABLE b",
            ON,
        ];
        let kept = "CREATE TEMP TABLE b AS SELECT a FROM t";
        check(&[&["SELECT 1", kept, DROP][..], &rest].concat(), &[(1..7, None)]);
        // Without its rows the table is not there again.
        check(&[kept, DROP, rest[0], "VACUUM", rest[1]], &[]);
    }

    #[test]
    fn the_old_table_steps_aside() {
        let aside = "ALTER TABLE t RENAME TO old_t";
        let rest = ["CREATE TABLE t (a)", "INSERT INTO t SELECT a FROM old_t"];
        check(&[aside, rest[0], rest[1], "DROP TABLE old_t"], &[(0..4, None)]);
        check(&[aside, rest[0], rest[1]], &[]);
        check(
            &[aside, rest[0], rest[1], "VACUUM", "DROP TABLE old_t"],
            &[(4..5, None)],
        );
    }

    #[test]
    fn the_author_has_a_transaction() {
        check(&[OFF, "BEGIN", CREATE, DROP, RENAME, "COMMIT", ON], &[(2..5, Some(1))]);
        check(&["SAVEPOINT s", CREATE, DROP, RENAME, "RELEASE s"], &[(1..4, Some(0))]);
        check(&["BEGIN", "COMMIT", CREATE, DROP, RENAME], &[(2..5, None)]);
    }
}
