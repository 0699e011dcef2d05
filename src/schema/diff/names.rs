//! Names that are given up and taken again: whoever gives one up goes first.

use std::collections::{BTreeMap, BTreeSet};

use crate::schema::diff::types::takes_name;
use crate::schema::diff::{Alter, Change, Plan};
use crate::schema::{Constraint, ConstraintKind, Key, Kind, Model};
use crate::sorted::Gather as _;

/// A schema, and a name that but one may have in it.
type Name<'m> = (&'m str, &'m str);
/// The names of the indexes of each table.
type Indexes<'m> = BTreeMap<&'m Key, Vec<Name<'m>>>;

impl Plan<'_> {
    /// The names that something else has in the wanted schema than in the present one.
    fn taken(&self, kinds: &[ConstraintKind]) -> BTreeSet<Name<'_>> {
        let mut taken: BTreeSet<Name<'_>> = BTreeSet::new();
        let indexes = indexes(self.from);
        for (key, object) in &self.to.objects {
            let held = names(self.from, key, kinds, &indexes);
            let again = self.create.contains(key);
            // What comes later finds the names of tables that went.
            if again && matches!(key.kind, Kind::Table | Kind::Sequence | Kind::Type) {
                taken.insert((&key.schema, &key.name));
            }
            let constraints = object.table.iter().flat_map(|table| &table.constraints);
            let new = constraints.filter(|constraint| has_name(kinds, constraint));
            let new = new.map(|constraint| (key.schema.as_str(), constraint.folded.as_str()));
            taken.extend(new.filter(|name| again || !held.contains(name)));
        }
        taken
    }

    /// Of the tables that go, those whose names, or whose constraints' and indexes' names, are taken by something else.
    pub(super) fn giving_names(&self, kinds: &[ConstraintKind]) -> BTreeSet<Key> {
        let taken = self.taken(kinds);
        let indexes = indexes(self.from);
        let gives = |key: &&Key| {
            key.kind == Kind::Table
                && (self.drops_first
                    || self.create.contains(*key)
                    || self.create.iter().any(|other| takes_name(other, key))
                    || !names(self.from, key, kinds, &indexes).is_disjoint(&taken))
        };
        self.drop.iter().filter(gives).cloned().into_set()
    }

    /// Takes out of the alterations what gives up names of constraints that are taken by something else. One that gets
    /// another name waits for it under a third one, since two may change theirs.
    pub(super) fn given_up(&mut self, kinds: &[ConstraintKind]) -> Vec<Change> {
        let taken = self.taken(kinds);
        let taken: BTreeSet<(String, String)> = taken
            .into_iter()
            .map(|(schema, name)| (schema.to_owned(), name.to_owned()))
            .into_set();
        let mut found = Vec::new();
        for (table, alters) in &mut self.alter {
            let then = self.to.table(table).map(|table| &table.constraints[..]);
            let gives = |constraint: &Constraint| {
                has_name(kinds, constraint)
                    && taken.contains(&(table.schema.clone(), constraint.folded.clone()))
                    && !then
                        .unwrap_or_default()
                        .iter()
                        .any(|own| own.folded == constraint.folded)
            };
            let mut early = |alter: Alter| found.push(Change::Alter(table.clone(), Box::new(alter)));
            alters.retain_mut(|alter| match alter {
                Alter::DropConstraint(constraint) if gives(constraint) => {
                    early(alter.clone());
                    false
                }
                Alter::RenameConstraint { from, .. } if gives(from) => {
                    let mut aside = from.clone();
                    aside.name = format!("aside_{}", from.name);
                    aside.folded = format!("aside_{}", from.folded);
                    early(Alter::RenameConstraint {
                        from: from.clone(),
                        to: aside.clone(),
                    });
                    *from = aside;
                    true
                }
                _ => true,
            });
        }
        found
    }
}

fn has_name(kinds: &[ConstraintKind], constraint: &Constraint) -> bool {
    kinds.contains(&constraint.kind)
}

/// The indexes of all tables, found in one walk.
fn indexes(model: &Model) -> Indexes<'_> {
    let mut indexes = Indexes::new();
    for (key, object) in model.objects.iter().filter(|(key, _)| key.kind == Kind::Index) {
        if let Some(table) = &object.on {
            indexes.entry(table).or_default().push((&key.schema, &key.name));
        }
    }
    indexes
}

/// The names that a table holds beside its own: those of such constraints, and of indexes.
fn names<'m>(model: &'m Model, table: &Key, kinds: &[ConstraintKind], indexes: &Indexes<'m>) -> BTreeSet<Name<'m>> {
    let Some((key, object)) = model.objects.get_key_value(table).filter(|_| !kinds.is_empty()) else {
        return BTreeSet::new();
    };
    let constraints = object.table.iter().flat_map(|table| &table.constraints);
    let constraints = constraints.filter(|constraint| has_name(kinds, constraint));
    let constraints = constraints.map(|constraint| (key.schema.as_str(), constraint.folded.as_str()));
    let indexes = indexes.get(table).into_iter().flatten().copied();
    constraints.chain(indexes).into_set()
}
