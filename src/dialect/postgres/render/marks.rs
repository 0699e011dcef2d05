//! What an index is to its table: what tells rows apart where they are replicated, and the order in which they are laid; and
//! what is said of the columns of views.

use crate::dialect::postgres::inspect::{qualified, quoted};
use crate::schema::{Constraint, Key, Kind, Model, Object, Table};

const IDENTITY: &str = " REPLICA IDENTITY USING INDEX ";
pub(super) const ORDER: &str = " CLUSTER ON ";

/// Those of a key that is made anew: they went with the index that was there. Others are said by themselves.
pub(super) fn of_key(place: &str, key: &Constraint, now: Option<&Table>, then: &Table) -> Vec<String> {
    let name = quoted(&key.name);
    let is = |option: &str, words: &str| {
        let was = now.and_then(|table| table.options.get(option));
        let said = then.options.get(option).filter(|said| *said == words);
        said.is_some() && was == said
    };
    let mut out = Vec::new();
    if is("replica_identity", &format!("USING INDEX {name}")) {
        out.push(format!("ALTER TABLE {place}{IDENTITY}{name}"));
    }
    if is("clustered_on", &name) {
        out.push(format!("ALTER TABLE {place}{ORDER}{name}"));
    }
    out
}

fn has(object: &Object, mark: &str) -> bool {
    let mut statements = object.create.iter();
    statements.any(|statement| statement.starts_with("ALTER TABLE ") && statement.contains(mark))
}

/// What takes a mark away that nothing else has in the end.
fn taken_away(index: &Object, key: &Key, to: &Model, marks: &[&str]) -> Vec<String> {
    let Some(table) = &index.on else { return Vec::new() };
    let place = qualified(&table.schema, &table.name);
    let ways = [
        (IDENTITY, "replica_identity", "REPLICA IDENTITY DEFAULT"),
        (ORDER, "clustered_on", "SET WITHOUT CLUSTER"),
    ];
    let mut out = Vec::new();
    for (mark, option, action) in ways {
        let is_in_option = to.table(table).is_some_and(|table| table.options.contains_key(option));
        let mut indexes = to.objects.iter().filter(|(key, _)| key.kind == Kind::Index);
        let is_given = is_in_option || indexes.any(|(_, other)| other.on.as_ref() == Some(table) && has(other, mark));
        let stays = to.objects.get(key).is_some_and(|index| has(index, mark));
        if marks.contains(&mark) && has(index, mark) && !stays && !is_given {
            out.push(format!("ALTER TABLE {place} {action}"));
        }
    }
    out
}

/// What takes the marks of an index away that nothing else has in the end.
pub(super) fn taken_from(key: &Key, from: &Model, to: &Model) -> Vec<String> {
    let index = from.objects.get(key);
    index.map_or_else(Vec::new, |index| taken_away(index, key, to, &[IDENTITY, ORDER]))
}

/// An index that goes. A table whose rows were told apart by it would have none to do so.
pub(super) fn without(key: &Key, from: &Model, to: &Model) -> Vec<String> {
    let Some(index) = from.objects.get(key) else {
        return Vec::new();
    };
    // The order goes with the index.
    let marks: &[&str] = if index.drop.starts_with("DROP ") {
        &[IDENTITY]
    } else {
        &[IDENTITY, ORDER]
    };
    let mut out = taken_away(index, key, to, marks);
    out.extend(Some(index.drop.clone()).filter(|drop| !drop.is_empty()));
    out
}

/// What is said of the columns of a view no more, and what is said of them now.
pub(super) fn of_columns(old: &Object, new: &Object) -> [Vec<String>; 2] {
    const DEFAULT: &str = " SET DEFAULT ";
    let head = |statement: &String| statement.split_once(DEFAULT).map(|(head, _)| head.to_owned());
    let stays = |gone: &str| {
        new.create
            .iter()
            .any(|statement| head(statement).as_deref() == Some(gone))
    };
    let gone = old.create.iter().skip(1).filter_map(head).filter(|head| !stays(head));
    let come = new
        .create
        .iter()
        .skip(1)
        .filter(|statement| !old.create.contains(statement));
    [
        gone.map(|head| head + " DROP DEFAULT").collect(),
        come.cloned().collect(),
    ]
}

/// An index that stays, marked otherwise.
pub(super) fn changed(key: &Key, from: &Model, to: &Model) -> Vec<String> {
    let (Some(now), Some(then)) = (from.objects.get(key), to.objects.get(key)) else {
        return Vec::new();
    };
    let mut out = taken_from(key, from, to);
    let come = then.create.iter().filter(|statement| !now.create.contains(statement));
    out.extend(come.cloned());
    out
}
