//! What views and triggers read, as SQLite itself resolves their names: what compiles after a change must read the same
//! columns as before. A query in parentheses, a WITH or a view between them and the table hides from every reading of
//! their words which column a name is taken for, and a name in double quotes that nothing has any more is a text.

use std::collections::{BTreeMap, BTreeSet};

use crate::dialect::sqlite::draft::Draft;
use crate::dialect::sqlite::inspect::{Object, objects, words};
use crate::dialect::sqlite::oracle::{self, Probe};
use crate::dialect::sqlite::readers;
use crate::dialect::sqlite::table::Table;
use crate::dialect::{ColumnRead, Scratch};
use crate::sorted::Gather as _;
use crate::sql::write::quoted;

/// What becomes of the columns of a table.
pub(super) struct Change<'c> {
    pub(super) table: &'c str,
    /// The names that the table's columns get, in lower case; `None` for one that goes.
    pub(super) renamed: BTreeMap<String, Option<String>>,
    /// The columns that come.
    pub(super) new: BTreeSet<String>,
    /// The columns, by their new names, of which one may have been the rowid, or is it now: what reads that by another
    /// name is told to read this column.
    pub(super) keys: Option<BTreeSet<String>>,
}

impl<'c> Change<'c> {
    /// What a draft makes of its table.
    pub(super) fn of(draft: &'c Draft<'_>) -> Self {
        let lower = str::to_ascii_lowercase;
        let origin = |column: &super::draft::Column| column.origin.as_deref().map(lower);
        let kept = draft
            .columns
            .iter()
            .filter_map(|column| Some((origin(column)?, lower(&column.name))));
        let kept: BTreeMap<String, String> = kept.into_map();
        let columns = draft.state.table.columns().map(|column| lower(&column.name.text));
        let renamed = columns.map(|name| (name.clone(), kept.get(&name).cloned())).into_map();
        let before = draft.state.table.primary_key();
        let before = before
            .iter()
            .filter_map(|name| renamed.get(&lower(name)).cloned().flatten());
        let after = draft.table.primary_key();
        let numbered = |table: &Table| table.rowid_alias().is_some();
        let keys = (draft.key_changed || numbered(&draft.state.table) != numbered(&draft.table))
            .then(|| before.chain(after.iter().map(|name| lower(name))).into_set());
        let new = draft.columns.iter().filter(|column| column.origin.is_none());
        Self {
            table: draft.name(),
            new: new.map(|column| lower(&column.name)).into_set(),
            renamed,
            keys,
        }
    }

    /// The name that a column of the table has afterwards; `None` for one that is not compared.
    fn name(&self, column: String, old: bool) -> Option<String> {
        let now = if old {
            self.renamed.get(&column).cloned().unwrap_or(Some(column))?
        } else {
            column
        };
        let is_rowid = |keys: &BTreeSet<String>| {
            keys.contains(&now) || !self.renamed.values().flatten().any(|known| *known == now)
        };
        let compared = !self.new.contains(&now) && !self.keys.as_ref().is_some_and(is_rowid);
        compared.then_some(now)
    }
}

/// The first view or trigger that means something else on the second database, and what.
pub(super) fn changed(
    before: &mut dyn Scratch,
    after: &mut dyn Scratch,
    change: &Change<'_>,
) -> Option<(String, String)> {
    let now: BTreeMap<String, String> = probes(after)
        .into_iter()
        .map(|probe| (probe.object, probe.sql))
        .into_map();
    let views = views(before);
    // Many triggers stand for one statement.
    let mut known: Vec<(String, String, Option<Both>)> = Vec::new();
    for probe in probes(before) {
        let Some(sql) = now.get(&probe.object) else { continue };
        let within = probe
            .object
            .strip_prefix("trigger `")
            .and_then(|name| name.strip_suffix('`'));
        let is_known = |(old, new, _): &(String, String, _)| *old == probe.sql && new == sql;
        let at = if let Some(at) = known.iter().position(is_known) {
            at
        } else {
            let both = match both(before, after, &probe.sql, sql) {
                Told::Both(both) => Some(both),
                Told::Nothing => None,
                Told::Never => return None,
                // What does not compile at all is told of as such.
                Told::Refused(message) => return Some((probe.object, message)),
            };
            known.push((probe.sql.clone(), sql.clone(), both));
            known.len() - 1
        };
        let Some(Both { old, new }) = &known[at].2 else {
            continue;
        };
        let counted = |reads: &[ColumnRead], old: bool| counted(reads, within, &views, change, old);
        if let Some(words) = difference(&counted(old, true), &counted(new, false)) {
            return Some((probe.object, words));
        }
    }
    None
}

/// What a statement reads before and after.
struct Both {
    old: Vec<ColumnRead>,
    new: Vec<ColumnRead>,
}

/// What there is to tell of a statement.
enum Told {
    Both(Both),
    Nothing,
    /// This database does not say what is read.
    Never,
    Refused(String),
}

fn both(before: &mut dyn Scratch, after: &mut dyn Scratch, sql: &str, now: &str) -> Told {
    let Ok(Some((old, strict))) = reads(before, sql) else {
        return Told::Nothing;
    };
    match after.reads(now, !strict) {
        Ok(Some(new)) => Told::Both(Both { old, new }),
        Ok(None) => Told::Never,
        Err(error) if strict && after.reads(now, true).is_ok() => Told::Refused(error.message),
        Err(_) => Told::Nothing,
    }
}

/// What a statement reads, and whether it says no text in double quotes.
fn reads(
    scratch: &mut dyn Scratch,
    sql: &str,
) -> Result<Option<(Vec<ColumnRead>, bool)>, crate::dialect::ScratchError> {
    match scratch.reads(sql, false) {
        Ok(reads) => Ok(reads.map(|reads| (reads, true))),
        Err(_) => Ok(scratch.reads(sql, true)?.map(|reads| (reads, false))),
    }
}

/// How often each column is read, by the names that they have afterwards; without those that come or go, which a star
/// brings and takes, and without the columns of views, whose own reads are counted.
fn counted(
    reads: &[ColumnRead],
    within: Option<&str>,
    views: &BTreeSet<String>,
    change: &Change<'_>,
    old: bool,
) -> BTreeMap<(String, String), usize> {
    let mut counts = BTreeMap::new();
    for read in reads {
        let place = read.within.as_ref();
        let elsewhere = within.is_some_and(|within| place.is_none_or(|place| !place.eq_ignore_ascii_case(within)));
        if elsewhere || read.column.is_empty() || views.contains(&read.table) {
            continue;
        }
        let own = read.table.eq_ignore_ascii_case(change.table);
        let column = read.column.clone();
        let column = if own { change.name(column, old) } else { Some(column) };
        let Some(column) = column else { continue };
        *counts.entry((read.table.clone(), column)).or_insert(0) += 1;
    }
    counts
}

/// In words, what is read more or less often.
fn difference(before: &BTreeMap<(String, String), usize>, after: &BTreeMap<(String, String), usize>) -> Option<String> {
    let count = |counts: &BTreeMap<(String, String), usize>, key| counts.get(key).copied().unwrap_or(0);
    let more = after.keys().find(|key| count(after, key) > count(before, key));
    let less = before.keys().find(|key| count(before, key) > count(after, key));
    let name = |(table, column): &(String, String)| format!("`{column}` of `{table}`");
    Some(match (less, more) {
        (None, None) => return None,
        (Some(less), Some(more)) => format!("it would read {} in place of {}", name(more), name(less)),
        (None, Some(more)) => format!("it would read {} as well", name(more)),
        (Some(less), None) => format!("it would read {} no more", name(less)),
    })
}

/// A view or trigger that finds rows of a table by the number which the file keeps them under, by that name.
pub(super) fn by_rowid(scratch: &mut dyn Scratch, table: &Table) -> Option<String> {
    let texts = "SELECT type || ' `' || name || '`', name, sql FROM sqlite_schema WHERE type IN ('view', 'trigger') \
                 UNION ALL SELECT type || ' `' || name || '`', name, sql FROM sqlite_temp_schema WHERE type IN ('view', 'trigger')";
    let says = |row: &Vec<Option<String>>| {
        let words = words(row[2].as_deref().unwrap_or_default());
        readers::ROWID.iter().any(|name| words.contains(*name))
    };
    let rows = scratch.query(texts).unwrap_or_default().into_iter().filter(says);
    let told: Vec<(String, String)> = rows
        .filter_map(|row| Some((row[0].clone()?, row[1].clone()?)))
        .collect();
    if told.is_empty() {
        return None;
    }
    let name = &table.name().text;
    let alias = table.rowid_alias().map(|alias| &alias.name.text);
    let is_number =
        |column: &str| alias.is_some_and(|alias| alias.eq_ignore_ascii_case(column)) || table.column(column).is_none();
    probes(scratch).into_iter().find_map(|probe| {
        let (object, own) = told.iter().find(|(object, _)| *object == probe.object)?;
        let (reads, _) = reads(scratch, &probe.sql).ok()??;
        let here = |read: &ColumnRead| {
            let within = read
                .within
                .as_deref()
                .is_none_or(|within| within.eq_ignore_ascii_case(own));
            within || object.starts_with("view")
        };
        let found = reads
            .iter()
            .any(|read| read.table.eq_ignore_ascii_case(name) && is_number(&read.column) && here(read));
        found.then(|| object.clone())
    })
}

/// A statement for each view and trigger of scratch.
pub(super) fn probes(scratch: &mut dyn Scratch) -> Vec<Probe> {
    let mut all: Vec<Object> = Vec::new();
    for (schema, place) in [("main", "sqlite_schema"), ("temp", "sqlite_temp_schema")] {
        let sql =
            format!("SELECT type, name, tbl_name, sql FROM {place} WHERE type IN ('view', 'trigger') ORDER BY rowid");
        all.extend(objects(schema, scratch.query(&sql).unwrap_or_default()));
    }
    let all: Vec<&Object> = all.iter().collect();
    let mut columns = |table: &str| scratch.query(&oracle::settable(table)).unwrap_or_default();
    oracle::probes(&mut columns, &[], &all)
}

fn views(scratch: &mut dyn Scratch) -> BTreeSet<String> {
    let sql = "SELECT lower(name) FROM sqlite_schema WHERE type = 'view' \
               UNION ALL SELECT lower(name) FROM sqlite_temp_schema WHERE type = 'view'";
    scratch
        .query(sql)
        .unwrap_or_default()
        .into_iter()
        .flatten()
        .flatten()
        .into_set()
}

/// The rename of a column.
pub(super) fn renamed<'c>(table: &'c str, from: &str, to: &str) -> Change<'c> {
    let lower = str::to_ascii_lowercase;
    Change {
        table,
        renamed: [(lower(from), Some(lower(to)))].into_iter().into_map(),
        new: BTreeSet::new(),
        keys: None,
    }
}

/// The statement that renames it.
pub(super) fn rename(table: &str, from: &str, to: &str) -> String {
    let name = |name: &str| quoted(name, '"');
    format!(
        "ALTER TABLE {} RENAME COLUMN {} TO {}",
        name(table),
        name(from),
        name(to)
    )
}
