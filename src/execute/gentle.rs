//! Changes written so that a large and busy table stays available: what takes long comes in a revision of its own, which
//! builds indexes outside of a transaction, or looks at rows under a weak lock.

use std::collections::BTreeSet;

use crate::dialect::Dialect;
use crate::execute::piece::Piece;
use crate::schema::diff::{Alter, Change};
use crate::schema::{self, Key, Kind, Model};
use crate::sorted::Gather as _;

/// What is to be done in this way.
#[derive(Debug, Clone, Copy)]
pub struct Ways {
    /// Indexes of tables that are there are built while others write.
    pub indexes: bool,
    /// Constraints of tables that are there are added without a look at the rows, which is had later.
    pub constraints: bool,
}

/// What comes after the rest.
#[derive(Debug, Default)]
pub struct Later {
    /// The statements that do it.
    pub upgrade: Vec<String>,
    /// The statements that undo it.
    pub downgrade: Vec<String>,
    /// Whether they stand outside of transactions.
    pub alone: bool,
}

/// Takes what comes later out of the changes of both directions; none when there is nothing of the kind.
pub fn divide(
    dialect: &dyn Dialect,
    ways: Ways,
    wanted: &Model,
    up: &mut Vec<Piece>,
    down: &mut Vec<Piece>,
) -> Option<Later> {
    let mut later = Later::default();
    let mut gone: Vec<Key> = Vec::new();
    let created = up.iter().filter_map(|piece| match &piece.change {
        Change::Create(key) if key.kind != Kind::Index => Some(key.clone()),
        _ => None,
    });
    let new: BTreeSet<Key> = created.into_set();
    up.retain(|piece| {
        let Change::Create(key) = &piece.change else {
            return true;
        };
        let Some((create, drop)) = index(dialect, key, &new, wanted).filter(|_| ways.indexes) else {
            return true;
        };
        // What it takes from another index comes back with the rest.
        if create.len() > 1 && takes_mark(key, wanted, down) {
            return true;
        }
        later.alone = true;
        later.upgrade.extend(create);
        later.downgrade.insert(0, drop);
        gone.push(key.clone());
        false
    });
    // What is said of such an index goes with it.
    let about = |key: &Key| {
        let on = wanted.objects.get(key).and_then(|object| object.on.as_ref());
        on.is_some_and(|index| gone.contains(index))
    };
    up.retain(|piece| {
        let is_about = matches!(&piece.change, Change::Create(key) if about(key));
        if is_about {
            later.upgrade.extend(piece.statements.iter().cloned());
        }
        !is_about
    });
    down.retain(|piece| !matches!(&piece.change, Change::Drop(key) if gone.contains(key) || about(key)));
    for piece in up.iter_mut().filter(|_| ways.constraints) {
        let Change::Alter(table, alter) = &piece.change else {
            continue;
        };
        let Alter::AddConstraint(constraint) = &**alter else {
            continue;
        };
        if let Some(([add, validate], undo)) = dialect.validated_later(table, constraint, wanted) {
            piece.statements = vec![add];
            later.upgrade.push(validate);
            later.downgrade.splice(0..0, undo);
        }
    }
    (!later.upgrade.is_empty()).then_some(later)
}

/// Whether a mark of its table's is given back to another index, or key, on the way back.
fn takes_mark(key: &Key, wanted: &Model, down: &[Piece]) -> bool {
    let on = |key: &Key| wanted.objects.get(key).and_then(|object| object.on.as_ref());
    let table = on(key);
    down.iter().any(|piece| match &piece.change {
        Change::Redefine(other) => other.kind == Kind::Index && on(other) == table,
        Change::Alter(other, alter) => Some(other) == table && matches!(**alter, Alter::SetOption { .. }),
        _ => false,
    })
}

/// An index of a table that is there before, under another name too.
fn index(dialect: &dyn Dialect, key: &Key, new: &BTreeSet<Key>, wanted: &Model) -> Option<(Vec<String>, String)> {
    let table = wanted.objects.get(key)?.on.as_ref()?;
    let is_there = key.kind == Kind::Index && !new.contains(table);
    is_there.then(|| dialect.concurrently(key, wanted)).flatten()
}

/// Statements as a script.
pub fn script(statements: &[String]) -> String {
    let mut out = String::new();
    for statement in statements {
        schema::append(&mut out, statement);
    }
    out
}
