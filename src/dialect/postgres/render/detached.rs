//! Keys and indexes that a partition has from the table above and keeps when it is one no more, or had before it became
//! one: the server takes the one for the other.

use crate::dialect::postgres::inspect::{qualified, quoted};
use crate::dialect::postgres::render::marks;
use crate::schema::diff::{Alter, Change};
use crate::schema::{Constraint, Inherited, Key, Kind, Model};

/// The statements of a change of such an index; none where it is none of these.
pub(super) fn kept(change: &Change, from: &Model, to: &Model) -> Option<Vec<String>> {
    match change {
        Change::Alter(table, alter) => match &**alter {
            Alter::AddConstraint(key) if has_left(table, from, to) => {
                let now = inherited(table, from, &|one| is_key(one, key, from))?;
                Some(renamed(table, "CONSTRAINT", &now.name, &key.name))
            }
            Alter::DropConstraint(key) if has_left(table, to, from) => {
                inherited(table, to, &|one| one.name == key.name && is_key(one, key, to)).map(|_| Vec::new())
            }
            _ => None,
        },
        Change::Create(key) if key.kind == Kind::Index && is_renamed(key, to) => {
            let table = on(key, to).filter(|table| has_left(table, to, from))?;
            let had = |one: &Inherited| {
                let constraints = from.table(table).map(|table| &table.constraints[..]);
                let mut keys = constraints.unwrap_or_default().iter();
                let words = definition(key, from);
                one.name == key.name
                    && (keys.any(|own| own.name == one.name && is_key(one, own, to))
                        || words.is_some_and(|words| is_index(one, words, to)))
            };
            inherited(table, to, &had)?;
            Some(to.objects.get(key)?.create[1..].to_vec())
        }
        // It keeps its name.
        Change::Drop(key) if key.kind == Kind::Index && is_renamed(key, from) => {
            on(key, from).filter(|table| has_left(table, from, to))?;
            Some(marks::taken_from(key, from, to))
        }
        Change::Create(key) if key.kind == Kind::Index => {
            let table = on(key, to).filter(|table| has_left(table, from, to))?;
            let words = definition(key, to)?;
            let now = inherited(table, from, &|one| is_index(one, words, from))?;
            Some(renamed(table, "INDEX", &now.name, &key.name))
        }
        Change::Drop(key) if key.kind == Kind::Index => {
            let table = on(key, from).filter(|table| has_left(table, to, from))?;
            let words = definition(key, from)?;
            inherited(table, to, &|one| one.name == key.name && is_index(one, words, to)).map(|_| Vec::new())
        }
        _ => None,
    }
}

/// Whether a table is a partition in the one schema, and a table of its own in the other.
fn has_left(table: &Key, one: &Model, other: &Model) -> bool {
    let is_partition = |model: &Model| {
        let table = model.table(table);
        table.map(|table| table.options.contains_key("partition_of"))
    };
    is_partition(one) == Some(true) && is_partition(other) == Some(false)
}

/// Whether it is an index from above that has another name than the server gives it, and nothing else of its own but marks.
fn is_renamed(index: &Key, model: &Model) -> bool {
    let create = model.objects.get(index).and_then(|object| object.create.first());
    create.is_some_and(|create| {
        create.starts_with("ALTER INDEX ") && create.contains(" RENAME TO ") && !create.contains(";\n")
    })
}

fn on<'m>(index: &Key, model: &'m Model) -> Option<&'m Key> {
    model.objects.get(index)?.on.as_ref()
}

/// What an index is over, and whether it is unique; the name of its table stands before that.
fn definition<'m>(index: &Key, model: &'m Model) -> Option<(bool, &'m str)> {
    let create = model.objects.get(index)?.create.first()?;
    let (head, words) = create.split_once(" USING ")?;
    Some((head.starts_with("CREATE UNIQUE INDEX "), words)).filter(|_| head.starts_with("CREATE "))
}

fn is_index(one: &Inherited, words: (bool, &str), model: &Model) -> bool {
    one.constraint.is_empty() && definition(&one.of, model) == Some(words)
}

fn is_key(one: &Inherited, key: &Constraint, model: &Model) -> bool {
    let constraints = model.table(&one.of).map(|table| &table.constraints[..]);
    let mut constraints = constraints.unwrap_or_default().iter();
    !one.constraint.is_empty() && constraints.any(|above| above.name == one.constraint && above.same(key))
}

fn inherited<'m>(table: &Key, model: &'m Model, is_it: &dyn Fn(&Inherited) -> bool) -> Option<&'m Inherited> {
    model.table(table)?.inherited.iter().find(|one| is_it(one))
}

fn renamed(table: &Key, what: &str, now: &str, then: &str) -> Vec<String> {
    if now == then {
        return Vec::new();
    }
    let place = qualified(&table.schema, &table.name);
    vec![match what {
        "INDEX" => {
            let index = qualified(&table.schema, now);
            format!("ALTER INDEX {index} RENAME TO {}", quoted(then))
        }
        _ => format!(
            "ALTER TABLE {place} RENAME CONSTRAINT {} TO {}",
            quoted(now),
            quoted(then)
        ),
    }]
}
