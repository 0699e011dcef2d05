//! Copy and recreate: the old table steps aside, the new one takes its name and its rows.
//!
//! The old table is renamed while nothing follows it (`legacy_alter_table`, foreign keys off), so views, triggers and
//! references of others stay as they are, the statistics of the table stay under its name, and the new definition is
//! stored with its very bytes. Where a definition names the table itself that rename cannot be: see [`twice`].

mod twice;

use crate::code::Code;
use crate::dialect::sqlite::demand::{Demanded, RowsOf, is_null};
use crate::dialect::sqlite::draft::{Draft, Source, rowid_name};
use crate::dialect::sqlite::expr;
use crate::dialect::sqlite::inspect::Object;
use crate::dialect::sqlite::kept;
use crate::dialect::sqlite::table::Table;
use crate::dialect::{Op, Setting};
use crate::sql::write::{quoted, sqlite_literal};

/// What a copy needs to know besides the draft.
#[derive(Debug)]
pub(super) struct Copy<'a> {
    /// A name that nothing has.
    pub(super) aside: &'a str,
    /// The statement that failures are put down to.
    pub(super) at: usize,
    /// A script that somebody runs later: nobody knows what stands between two statements of it.
    pub(super) offline: bool,
    /// The tables of statistics that there are; in a script those that have to be carried.
    pub(super) statistics: &'a [String],
    /// In a script: statistics that there may be would describe other indexes than their own.
    pub(super) forgets: bool,
    /// What the rows have to meet as they are copied.
    pub(super) demanded: &'a [Demanded],
}

/// The cache of pages is also the measure of how much an index sorts at a time (vdbesort.c); with half of SQLite's default
/// of 2000 KiB neither takes longer.
pub(super) const SPARES_MEMORY: [&str; 4] = [
    "PRAGMA main.cache_size",
    "-2000",
    "PRAGMA main.cache_size = -1000",
    "PRAGMA main.cache_size = -2000",
];

impl Copy<'_> {
    /// The steps that bring the rows into the new table and put it in the old one's place, up to but without indexes
    /// and triggers. Settings are put back by the caller.
    pub(super) fn ops(&self, draft: &Draft<'_>) -> Vec<Op> {
        let mut ops = vec![
            Op::Set(Setting::ForeignKeys, Some(false)),
            Op::Set(Setting::LegacyAlterTable, Some(true)),
            Op::Set(Setting::IgnoreCheckConstraints, Some(true)),
        ];
        if names_itself(draft) {
            self.twice(draft, &mut ops);
        } else {
            self.old_aside(draft, &mut ops);
        }
        ops
    }

    fn run(&self, ops: &mut Vec<Op>, sql: String) {
        ops.push(Op::sql(sql, self.at));
    }

    fn old_aside(&self, draft: &Draft<'_>, ops: &mut Vec<Op>) {
        let schema = quoted(&draft.state.schema, '"');
        let aside = format!("{schema}.{}", quoted(self.aside, '"'));
        // In a script DROP INDEX takes the statistics along.
        let goes = |name: &str| {
            let mut gone = draft.indexes.iter().filter(|index| index.old && !index.kept);
            self.offline && gone.any(|index| index.object.name == name)
        };
        for index in &draft.state.indexes {
            if goes(&index.name) {
                self.run(ops, format!("DROP INDEX {schema}.{}", quoted(&index.name, '"')));
            }
        }
        self.run(
            ops,
            format!(
                "ALTER TABLE {} RENAME TO {}",
                draft.state.qualified(),
                quoted(self.aside, '"')
            ),
        );
        if self.forgets {
            self.statistics_of(draft.name(), self.aside, ops);
            ops.extend(kept::forget_all(&draft.state.schema, draft.name(), self.at));
            self.statistics_of(self.aside, draft.name(), ops);
        }
        self.run(ops, create(draft));
        ops.push(self.insert(draft, &draft.state.qualified(), &aside));
        ops.push(self.counted(draft, &draft.state.qualified(), &aside));
        if keeps_counter(draft) {
            self.counter_back(draft, ops);
        }
        self.run(ops, format!("DROP TABLE {aside}"));
    }

    /// The last number that the table gave, which stands under the name aside meanwhile.
    fn counter_back(&self, draft: &Draft<'_>, ops: &mut Vec<Op>) {
        let schema = quoted(&draft.state.schema, '"');
        let (table, aside) = (sqlite_literal(draft.name()), sqlite_literal(self.aside));
        self.run(
            ops,
            format!("DELETE FROM {schema}.sqlite_sequence WHERE name = {table}"),
        );
        self.run(
            ops,
            format!("UPDATE {schema}.sqlite_sequence SET name = {table} WHERE name = {aside}"),
        );
    }

    /// Puts the statistics of one name under another, where DROP TABLE and CREATE TABLE do not meet them.
    fn statistics_of(&self, from: &str, to: &str, ops: &mut Vec<Op>) {
        let (from, to) = (sqlite_literal(from), sqlite_literal(to));
        for table in self.statistics {
            let sql = format!("UPDATE {table} SET tbl = {to} WHERE tbl = {from} COLLATE NOCASE");
            ops.push(kept::of_statistics(self.offline, sql, self.at));
        }
    }

    /// The INSERT. A row that does not meet what is demanded stops it, and then the checks say which rows those are.
    fn insert(&self, draft: &Draft<'_>, into: &str, from: &str) -> Op {
        let stop = stop(self.conditions().filter(|text| !forbids(draft, text)));
        let name = quoted(draft.name(), '"');
        let (now, then) = (
            format!("{} AS {name}", draft.state.qualified()),
            format!("{from} AS {name}"),
        );
        let diagnosis = self.demanded.iter().map(|demanded| {
            let mut check = demanded.check.clone();
            if let Op::Check { sql, .. } = &mut check {
                *sql = sql.replace(&now, &then);
            }
            check
        });
        let copied = Copied::of(draft);
        Op::Sql {
            sql: copied.insert(draft, into, &copied.columns.join(", "), from, &stop),
            at: self.at,
            diagnosis: diagnosis.chain(self.nulls(draft, &then)).collect(),
        }
    }

    /// What no row may meet.
    fn conditions(&self) -> impl Iterator<Item = String> {
        self.demanded.iter().filter_map(|demanded| demanded.condition.clone())
    }

    /// What says which rows those are that stop a copy because they hold what their old definition forbids: it was written
    /// behind SQLite's back.
    fn nulls(&self, draft: &Draft<'_>, from: &str) -> impl Iterator<Item = Op> {
        let RowsOf { key, order, .. } = draft.rows(&[]);
        let checks: Vec<Op> = never_null(draft)
            .map(|old| Op::Check {
                sql: format!(
                    "SELECT {key} FROM {from} WHERE {} ORDER BY {order} LIMIT 10",
                    holds_null(draft, old)
                ),
                code: Code::BatchNullValues,
                message: format!("column `{old}` of `{}` is NOT NULL and holds NULL", draft.name()),
                help: format!(
                    "its definition was changed behind SQLite's back: fill it first, UPDATE {} SET {} = … WHERE typeof({1}) = 'null';",
                    draft.state.spoken(),
                    quoted(old, '"')
                ),
                at: (self.at, 0..0),
            })
            .collect();
        checks.into_iter()
    }

    /// The rows that the copy put in, against those that were there.
    fn counted(&self, draft: &Draft<'_>, into: &str, from: &str) -> Op {
        Op::Check {
            sql: if self.offline {
                format!("SELECT 'rows' WHERE (SELECT count(*) FROM {into}) <> (SELECT count(*) FROM {from})")
            } else {
                format!("SELECT changes() || ' rows' WHERE changes() <> (SELECT count(*) FROM {from})")
            },
            code: Code::BatchInternal,
            message: format!("not every row of `{}` was copied", draft.name()),
            help: "please report this".to_owned(),
            at: (self.at, 0..0),
        }
    }
}

/// The columns of the old table that stay NOT NULL.
fn never_null<'d>(draft: &'d Draft<'_>) -> impl Iterator<Item = &'d String> {
    draft.columns.iter().filter_map(|column| match &column.source {
        Source::Same(old) if draft.is_not_null(&column.name) && !draft.is_generated(&column.name) => Some(old),
        _ => None,
    })
}

/// SQLite takes IS NULL for false where the definition says NOT NULL.
fn holds_null(draft: &Draft<'_>, column: &str) -> String {
    format!("typeof({}.{}) = 'null'", quoted(draft.name(), '"'), quoted(column, '"'))
}

/// What raises an error at the first row that meets one of the conditions.
fn stop(conditions: impl Iterator<Item = String>) -> String {
    let conditions: Vec<String> = conditions.map(|text| format!("({text})")).collect();
    if conditions.is_empty() {
        return String::new();
    }
    // The largest integer has no opposite of the smallest one: SQLite raises an error.
    format!(
        " WHERE CASE WHEN {} THEN abs(-9223372036854775808) ELSE 1 END",
        conditions.join(" OR ")
    )
}

/// Whether the new definition itself stops a row for which a condition holds: NULL in a stored column that is NOT NULL. To
/// ask for it once more takes a twentieth of the INSERT's time.
fn forbids(draft: &Draft<'_>, condition: &str) -> bool {
    let alias = draft.table.rowid_alias();
    draft.columns.iter().any(|column| {
        let name = column.name.as_str();
        matches!(&column.source, Source::Same(old) if condition == is_null(old))
            && draft.is_not_null(name)
            && !draft.is_generated(name)
            && !alias.as_ref().is_some_and(|alias| alias.name.is(name))
    })
}

/// Whether the column that numbers the rows is the same one, so that it goes on behind the last number it gave. A new
/// column begins behind the numbers that the rows have.
fn keeps_counter(draft: &Draft<'_>) -> bool {
    let alias = |table: &Table| table.rowid_alias().map(|alias| alias.name.text.clone());
    let (before, after) = (alias(&draft.state.table), alias(&draft.table));
    let origin = after.and_then(|after| draft.columns[draft.position(&after)?].origin.clone());
    let same = before
        .zip(origin)
        .is_some_and(|(before, origin)| before.eq_ignore_ascii_case(&origin));
    same && draft.state.table.autoincrement() && draft.table.autoincrement()
}

/// Whether a definition names the table before a column, so that it would not survive a rename which nothing follows.
pub(super) fn names_itself(draft: &Draft<'_>) -> bool {
    let indexes = draft.state.indexes.iter().map(|index| index.sql.as_str());
    let mut texts = indexes.chain([draft.state.table.text()]);
    texts.any(|text| expr::mentions_table(text, draft.name()))
}

fn create(draft: &Draft<'_>) -> String {
    let object = Object {
        schema: draft.state.schema.clone(),
        kind: "table".to_owned(),
        name: draft.name().to_owned(),
        table: draft.name().to_owned(),
        sql: draft.table.text().to_owned(),
    };
    object.statement()
}

/// What is copied: the columns of the new table, matched by identity, and their values over the old row.
#[derive(Default)]
struct Copied {
    columns: Vec<String>,
    values: Vec<String>,
}

impl Copied {
    fn of(draft: &Draft<'_>) -> Self {
        let mut copied = Self::default();
        let old_rowid = rowid_name(&draft.state.table);
        let alias = alias(draft);
        if alias.is_none()
            && let (Some(old), Some(new)) = (old_rowid, rowid_name(&draft.table))
        {
            copied.push(new.to_owned(), format!("{}.{old}", quoted(draft.name(), '"')));
        }
        for (position, column) in draft.columns.iter().enumerate() {
            if draft.is_generated(&column.name) {
                continue;
            }
            let is_alias = alias
                .as_ref()
                .is_some_and(|alias| alias.eq_ignore_ascii_case(&column.name));
            let value = match &column.source {
                // A key without a value would be a number that SQLite gives, and not the default.
                Source::Added(value) if !is_alias && draft.table.default_of(&column.name) == value.as_deref() => {
                    continue;
                }
                Source::Added(value) => value.clone().unwrap_or_else(|| "NULL".to_owned()),
                Source::Converted(value, _) => value.clone(),
                Source::Same(_) => draft.value(position),
            };
            copied.push(quoted(&column.name, '"'), value);
        }
        if let (true, Some(column)) = (copied.columns.is_empty(), draft.columns.first()) {
            copied.push(quoted(&column.name, '"'), draft.value(0));
        }
        copied
    }

    fn push(&mut self, column: String, value: String) {
        self.columns.push(column);
        self.values.push(value);
    }

    /// The INSERT of the values into these columns.
    fn insert(&self, draft: &Draft<'_>, into: &str, columns: &str, from: &str, stop: &str) -> String {
        format!(
            "INSERT OR ABORT INTO {into} ({columns}) SELECT {} FROM {from} AS {}{stop} ORDER BY {}",
            self.values.join(", "),
            quoted(draft.name(), '"'),
            order(draft, alias(draft).as_deref())
        )
    }
}

/// The column of the new table that numbers its rows.
fn alias(draft: &Draft<'_>) -> Option<String> {
    draft.table.rowid_alias().map(|alias| alias.name.text.clone())
}

/// The order in which the new table is stored, so that its pages are filled one after another.
fn order(draft: &Draft<'_>, alias: Option<&str>) -> String {
    let name = quoted(draft.name(), '"');
    let source = |column: &str| {
        let position = draft.position(column)?;
        match &draft.columns[position].source {
            Source::Same(old) => Some(format!("{name}.{}", quoted(old, '"'))),
            _ => None,
        }
    };
    let by_alias = alias.and_then(source);
    let by_rowid = rowid_name(&draft.state.table).map(|rowid| format!("{name}.{rowid}"));
    let by_key: Vec<String> = draft
        .table
        .primary_key()
        .iter()
        .filter_map(|column| source(column))
        .collect();
    if draft.table.without_rowid() && !by_key.is_empty() {
        by_key.join(", ")
    } else {
        by_alias.or(by_rowid).unwrap_or_else(|| {
            let key = draft.state.table.primary_key();
            let key: Vec<String> = key
                .iter()
                .map(|column| format!("{name}.{}", quoted(column, '"')))
                .collect();
            if key.is_empty() { "1".to_owned() } else { key.join(", ") }
        })
    }
}
