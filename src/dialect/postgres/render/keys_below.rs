//! Keys of partitions that are of the other kind than those above on which they hang: a primary key under UNIQUE, or the other
//! way round. The server takes what a table has, when it becomes a partition.

use std::collections::BTreeSet;

use crate::dialect::postgres::inspect::{qualified, quoted};
use crate::dialect::postgres::render::below;
use crate::schema::diff::Alter;
use crate::schema::{Constraint, ConstraintKind, Key, Model, Table};
use crate::sorted::Gather as _;

fn place_of(model: &Model, key: &Key) -> Option<String> {
    model.table(key)?.options.get("partition_of").cloned()
}

fn keys(words: Option<&str>) -> BTreeSet<&str> {
    words.into_iter().flat_map(str::lines).into_set()
}

fn of_option<'m>(table: &Key, model: &'m Model) -> BTreeSet<&'m str> {
    let options = model.table(table).map(|table| &table.options);
    keys(
        options
            .and_then(|options| options.get("keys_below"))
            .map(String::as_str),
    )
}

fn words(name: &str, definition: &str) -> String {
    format!("{} {definition}", quoted(name))
}

/// A key's definition as one of the other kind.
fn turned(definition: &str) -> Option<String> {
    let unique = definition
        .strip_prefix("PRIMARY KEY ")
        .map(|rest| format!("UNIQUE {rest}"));
    unique.or_else(|| {
        definition
            .strip_prefix("UNIQUE ")
            .map(|rest| format!("PRIMARY KEY {rest}"))
    })
}

/// The keys that a table has, from above or not, each by its name.
fn all(table: &Key, model: &Model) -> Vec<(String, String)> {
    let Some(holds) = model.table(table) else {
        return Vec::new();
    };
    let is_key = |one: &&Constraint| matches!(one.kind, ConstraintKind::PrimaryKey | ConstraintKind::Unique);
    let own = holds.constraints.iter().filter(is_key);
    let own = own.map(|one| (one.name.clone(), one.definition.written.clone()));
    let below = of_option(table, model);
    let inherited = holds.inherited.iter().filter_map(|one| {
        let above: &Table = model.table(&one.of)?;
        let above = above
            .constraints
            .iter()
            .filter(is_key)
            .find(|other| other.name == one.constraint)?;
        let definition = &above.definition.written;
        let other = turned(definition).filter(|other| below.contains(words(&one.name, other).as_str()));
        Some((one.name.clone(), other.unwrap_or_else(|| definition.clone())))
    });
    own.chain(inherited).collect()
}

/// Whether nothing is to be done for a change of a table that becomes a partition, is one no more, or moves: the key stays
/// as it is. NOT NULL goes with a key that goes then, and not before.
pub(super) fn stays(key: &Key, alter: &Alter, from: &Model, to: &Model) -> bool {
    if place_of(from, key) == place_of(to, key) {
        return false;
    }
    let has = |model: &Model, one: &Constraint| {
        of_option(key, model).contains(words(&one.name, &one.definition.written).as_str())
    };
    match alter {
        Alter::DropConstraint(constraint) => has(to, constraint),
        Alter::AddConstraint(constraint) => has(from, constraint),
        Alter::DropNotNull(column) => {
            let inherits = from.table(key).is_some_and(Table::is_below);
            let mut keys = all(key, from).into_iter();
            inherits
                && keys.any(|(_, words)| words.starts_with("PRIMARY KEY ") && words.contains(&quoted(&column.name)))
        }
        _ => false,
    }
}

/// What takes those keys from a table that would become keys of the other kind than they are, before it becomes a partition.
pub(super) fn dropped(key: &Key, place: &str, from: &Model, to: &Model) -> Vec<String> {
    let above = to.objects.get(key).into_iter().flat_map(|object| &object.uses);
    let above: Vec<(String, String)> = above.flat_map(|above| all(above, to)).collect();
    let is_above = |words: &str| above.iter().any(|(_, other)| other == words);
    let kept = of_option(key, to);
    let own = from.table(key).map(|table| &table.constraints[..]).unwrap_or_default();
    let goes = |(name, definition): &(String, String)| {
        !own.iter().any(|one| one.name == *name)
            && !kept.contains(words(name, definition).as_str())
            && !is_above(definition)
            && turned(definition).is_some_and(|other| is_above(&other))
    };
    let keys = all(key, from).into_iter().filter(goes);
    keys.map(|(name, _)| format!("ALTER TABLE {place} DROP CONSTRAINT {}", quoted(&name)))
        .collect()
}

/// Keys of a partition that become such ones, or are so no more. It leaves its table for that moment.
pub(super) fn changed(key: &Key, old: Option<&str>, new: Option<&str>, (from, to): (&Model, &Model)) -> Vec<String> {
    let place = qualified(&key.schema, &key.name);
    let table = |action: &str| format!("ALTER TABLE {place} {action}");
    let (old, new) = (keys(old), keys(new));
    let had = all(key, from);
    let mut out = Vec::new();
    let has = |wanted: &str| had.iter().any(|(name, definition)| words(name, definition) == wanted);
    let come: Vec<String> = new
        .iter()
        .filter(|one| !has(one))
        .map(|one| table(&format!("ADD CONSTRAINT {one}")))
        .collect();
    let now = place_of(from, key);
    let Some((above, bound)) = now
        .as_deref()
        .and_then(below::parent)
        .filter(|_| now == place_of(to, key))
    else {
        return come;
    };
    out.push(format!("ALTER TABLE {above} DETACH PARTITION {place}"));
    let mut goes: BTreeSet<&str> = BTreeSet::new();
    for (name, definition) in &had {
        let is_old = old.contains(words(name, definition).as_str()) && !new.contains(words(name, definition).as_str());
        let turns = turned(definition).is_some_and(|other| {
            let mut new = new.iter().filter(|one| !has(one));
            new.any(|one| one.ends_with(&format!(" {other}")))
        });
        if is_old || turns {
            goes.insert(name.as_str());
        }
    }
    out.extend(
        goes.iter()
            .map(|name| table(&format!("DROP CONSTRAINT {}", quoted(name)))),
    );
    out.extend(come);
    out.push(format!("ALTER TABLE {above} ATTACH PARTITION {place} {bound}"));
    out
}
