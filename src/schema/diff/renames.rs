//! What is dropped and what comes, where it may be one thing under another name.

use std::collections::{BTreeMap, BTreeSet};

use crate::schema::{Column, Key, Kind, Model, Table};
use crate::sorted::Gather as _;
use crate::sql::write;

/// A drop and an addition that may be one thing under another name.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord)]
pub struct Rename {
    /// The table in the present schema.
    pub table: Key,
    /// The column, as names are compared; none for the table itself.
    pub column: Option<String>,
    /// The new name, as it is spelled.
    pub to: String,
    /// The new name, as names are compared.
    pub folded: String,
}

impl Rename {
    /// The table under its new name.
    pub fn becomes(&self) -> Key {
        Key {
            name: self.folded.clone(),
            ..self.table.clone()
        }
    }

    /// As it is typed: `users.name=full_name`.
    pub fn shown(&self) -> String {
        let (old, new) = self.names();
        format!("{old}={new}")
    }

    /// Both names as they are typed: in quotes where their signs would mean something else.
    pub fn names(&self) -> (String, String) {
        let typed = |name: &str| {
            if name.contains(['.', '=', '"', '`']) {
                write::quoted(name, '"')
            } else {
                name.to_owned()
            }
        };
        let key = &self.table;
        let schema = Some(&key.schema).filter(|schema| !schema.is_empty());
        let parts = schema.into_iter().chain([&key.name]).chain(&self.column);
        let old: Vec<String> = parts.map(|part| typed(part)).collect();
        (old.join("."), typed(&self.to))
    }
}

/// What looks like a rename, beside those that are known: a table that goes and one that comes with the same columns, or
/// with most of them and the others at the same places; a column that goes and one of the same type that comes to the
/// same table at the same place, or anywhere, when it is the only such pair of its table.
pub fn likely_renames(from: &Model, to: &Model, known: &[Rename]) -> Vec<Rename> {
    let mut found = likely_tables(from, to, known);
    let tables = known.iter().chain(&found).filter(|rename| rename.column.is_none());
    let before: BTreeMap<Key, Key> = tables.map(|rename| (rename.becomes(), rename.table.clone())).into_map();
    for key in to.objects.keys() {
        let now = from.table(before.get(key).unwrap_or(key));
        if let (Some(now), Some(then)) = (now, to.table(key)) {
            let known: Vec<&Rename> = known.iter().filter(|rename| rename.table == *key).collect();
            found.extend(likely_columns(key, now, then, &known));
        }
    }
    found
}

/// Tables that go, and come in another schema with the same columns under the same name.
pub fn likely_moves<'m>(from: &'m Model, to: &'m Model, known: &[Rename]) -> Vec<(&'m Key, &'m Key)> {
    let is_known = |key: &Key| {
        known
            .iter()
            .any(|rename| rename.column.is_none() && rename.table == *key)
    };
    let gone = tables(from).filter(|(key, _)| !to.objects.contains_key(*key) && !is_known(key));
    let come: Vec<_> = tables(to).filter(|(key, _)| !from.objects.contains_key(*key)).collect();
    let moved = gone.filter_map(|(old, table)| {
        let mut same = come
            .iter()
            .filter(|(new, other)| new.name == old.name && same_columns(table, other));
        same.next().map(|(new, _)| (old, *new))
    });
    moved.collect()
}

/// What moves a table to another schema, as it is typed.
pub fn moved(table: &Key, schema: &str) -> String {
    // Capital letters are others without quotes.
    let typed = |name: &str| {
        if name.chars().any(char::is_uppercase) {
            write::quoted(name, '"')
        } else {
            write::name(name, '"')
        }
    };
    let (old, name, new) = (typed(&table.schema), typed(&table.name), typed(schema));
    format!("ALTER TABLE {old}.{name} SET SCHEMA {new}")
}

/// The columns whose names differ in their letters alone, beside the renames that are known.
pub fn respelled(from: &Model, to: &Model, known: &[Rename]) -> Vec<Rename> {
    let mut found = Vec::new();
    for (key, then) in tables(to) {
        let was = known
            .iter()
            .find(|rename| rename.column.is_none() && rename.becomes() == *key);
        let Some(now) = from.table(was.map_or(key, |rename| &rename.table)) else {
            continue;
        };
        let is_known = |column: &Column| {
            known.iter().any(|rename| {
                let names_it = rename.column.as_ref() == Some(&column.folded) || rename.folded == column.folded;
                rename.table == *key && rename.column.is_some() && names_it
            })
        };
        let others = then.columns.iter().filter(|column| {
            let same = now.column(&column.folded);
            same.is_some_and(|same| same.name != column.name) && !is_known(column)
        });
        found.extend(others.map(|column| Rename {
            table: key.clone(),
            column: Some(column.folded.clone()),
            to: column.name.clone(),
            folded: column.folded.clone(),
        }));
    }
    found
}

fn likely_tables(from: &Model, to: &Model, known: &[Rename]) -> Vec<Rename> {
    let known: Vec<&Rename> = known.iter().filter(|rename| rename.column.is_none()).collect();
    let gone = |key: &&Key| !to.objects.contains_key(*key) && known.iter().all(|rename| rename.table != **key);
    let come = |key: &&Key| !from.objects.contains_key(*key) && known.iter().all(|rename| rename.becomes() != **key);
    let gone: Vec<(&Key, &Table)> = tables(from).filter(|(key, _)| gone(key)).collect();
    let come: Vec<(&Key, &Table)> = tables(to).filter(|(key, _)| come(key)).collect();
    let mut found = Vec::new();
    for (old, table) in &gone {
        let fits = |is: &dyn Fn(&Table, &Table) -> bool| -> Vec<&Key> {
            let fits = come
                .iter()
                .filter(|(new, other)| new.schema == old.schema && is(table, other));
            fits.map(|(new, _)| *new).collect()
        };
        let new = match fits(&same_columns)[..] {
            [new] => new,
            [] => match fits(&nearly_same_columns)[..] {
                [new] => new,
                _ => continue,
            },
            _ => continue,
        };
        found.push(Rename {
            table: (*old).clone(),
            column: None,
            to: to.objects[new].name.clone(),
            folded: new.name.clone(),
        });
    }
    found
}

fn tables(model: &Model) -> impl Iterator<Item = (&Key, &Table)> {
    let tables = model.objects.iter().filter(|(key, _)| key.kind == Kind::Table);
    tables.filter_map(|(key, object)| Some((key, object.table.as_ref()?)))
}

fn same_columns(one: &Table, other: &Table) -> bool {
    let columns = |table: &Table| -> BTreeSet<(String, String)> {
        let pairs = table.columns.iter();
        pairs
            .map(|column| (column.folded.clone(), column.data_type.meaning.clone()))
            .into_set()
    };
    !one.columns.is_empty() && columns(one) == columns(other)
}

/// Whether most columns have their names, and all of them their types, at the same places.
fn nearly_same_columns(one: &Table, other: &Table) -> bool {
    let pairs = || one.columns.iter().zip(&other.columns);
    let named = pairs().filter(|(one, other)| one.folded == other.folded).count();
    one.columns.len() == other.columns.len()
        && pairs().all(|(one, other)| one.data_type == other.data_type)
        && named * 2 > one.columns.len()
}

/// A column that goes or comes, and its place: the column before it that stays, and how many others are between.
type Placed<'t> = (&'t Column, (Option<&'t str>, usize));

fn placed<'t>(table: &'t Table, stays: &dyn Fn(&str) -> bool) -> Vec<Placed<'t>> {
    let mut place = (None, 0);
    let mut found = Vec::new();
    for column in &table.columns {
        if stays(&column.folded) {
            place = (Some(column.folded.as_str()), 0);
        } else {
            found.push((column, place));
            place.1 += 1;
        }
    }
    found
}

fn likely_columns(key: &Key, from: &Table, to: &Table, known: &[&Rename]) -> Vec<Rename> {
    let mut gone = placed(from, &|name| to.column(name).is_some());
    let mut come = placed(to, &|name| from.column(name).is_some());
    gone.retain(|(old, _)| known.iter().all(|rename| rename.column.as_ref() != Some(&old.folded)));
    come.retain(|(new, _)| {
        known
            .iter()
            .all(|rename| rename.column.is_none() || rename.folded != new.folded)
    });
    let same = |old: &Column, new: &Column| {
        new.data_type == old.data_type && new.generated.is_none() && old.generated.is_none()
    };
    let all = gone.iter().flat_map(|(old, at)| {
        let pairs = come.iter().filter(|(new, _)| same(old, new));
        pairs.map(move |(new, place)| (*old, *new, at == place))
    });
    let all: Vec<(&Column, &Column, bool)> = all.collect();
    let only = all.len() == 1;
    let likely = all.into_iter().filter(|(_, _, same_place)| only || *same_place);
    let rename = |(old, new, _): (&Column, &Column, bool)| Rename {
        table: key.clone(),
        column: Some(old.folded.clone()),
        to: new.name.clone(),
        folded: new.folded.clone(),
    };
    likely.map(rename).collect()
}
