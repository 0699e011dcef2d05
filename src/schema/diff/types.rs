//! Types that are made anew, and what goes and would be in their way.

use std::collections::BTreeSet;

use crate::schema::diff::{Plan, is_of};
use crate::schema::{Column, Key, Kind, Model, Object, order};
use crate::sorted::Gather as _;

impl Plan<'_> {
    /// Types and domains that are altered or made anew.
    pub(super) fn changed_types(&self) -> BTreeSet<Key> {
        types_among(self.redefine.iter().chain(&self.types_anew()))
    }

    /// Types and domains that are made anew.
    fn types_anew(&self) -> BTreeSet<Key> {
        let again = self.drop.intersection(&self.create);
        types_among(self.replace.iter().chain(again).chain(&self.turned()))
    }

    /// Configurations of the text search that are led away from dictionaries which go, to others that are there: they stay, and
    /// with them what stands on them.
    pub(super) fn mapped_elsewhere(&self, gone: &BTreeSet<Key>) -> BTreeSet<Key> {
        let leaves = |key: &&Key| {
            let uses = |model: &Model, keys: &BTreeSet<Key>| {
                let object = model.objects.get(key);
                object.is_some_and(|object| !object.uses.is_disjoint(keys))
            };
            key.kind == Kind::TextSearchConfiguration
                && uses(self.from, gone)
                && !uses(self.to, gone)
                && !uses(self.to, &self.create)
        };
        self.redefine.iter().filter(leaves).cloned().into_set()
    }

    /// What is not made first and then dropped, since something of another kind takes its name.
    pub(super) fn giving_bases(&self) -> BTreeSet<Key> {
        let gives = |key: &&Key| key.kind < Kind::Table && self.create.iter().any(|other| takes_name(other, key));
        self.drop.iter().filter(gives).cloned().into_set()
    }

    /// Lets types that become domains of the same name, or the other way round, do so along with the columns that stay of them.
    pub(super) fn turn(&mut self) {
        let types = types_among(self.drop.iter());
        for (old, new) in types.iter().filter_map(|key| Some((key, other_kind(key)?))) {
            let stays = |(key, object): (&Key, &Object)| {
                let tables = object.table.as_ref().zip(self.to.table(key));
                tables.is_some_and(|(now, then)| {
                    let mut columns = now.columns.iter().filter(|column| is_of(column, old));
                    columns.any(|column| then.column(&column.folded).is_some_and(|then| is_of(then, &new)))
                })
            };
            if self.create.contains(&new) && self.from.objects.iter().any(stays) {
                self.drop.remove(old);
                self.create.remove(&new);
                self.replace.insert(new);
            }
        }
    }

    /// The types and domains that become domains and types.
    pub(super) fn turned(&self) -> BTreeSet<Key> {
        let replaced = self.replace.iter().filter(|key| !self.from.objects.contains_key(*key));
        replaced.filter_map(other_kind).into_set()
    }

    /// Of what goes in this order, and is no table, what uses a type that is made anew, or a table with such a column:
    /// the old type does not go before it.
    pub(super) fn in_the_way_of_types(&self, drop: &[Key]) -> BTreeSet<Key> {
        let giving = self.giving_bases();
        let mut types: BTreeSet<Key> = self.types_anew().union(&giving).cloned().into_set();
        if types.is_empty() {
            return types;
        }
        let objects = self.from.objects.iter();
        let tables = objects.filter(|(_, object)| object.table.is_some() && !object.uses.is_disjoint(&types));
        let tables: Vec<Key> = tables.map(|(key, _)| key.clone()).collect();
        types.extend(tables);
        let bases: Vec<Key> = drop.iter().filter(|key| key.kind < Kind::Table).cloned().collect();
        let users = order::users(self.from, &bases, types);
        bases.into_iter().filter(|key| users.contains(key)).into_set()
    }

    /// Whether a column gets another type than one that goes first, and not one that is yet to come.
    pub(super) fn leaves(&self, from: &Column, to: &Column, gone: &BTreeSet<Key>) -> bool {
        let comes = |key: &Key| is_of(to, key);
        let mut new = self.create.iter().chain(&self.replace);
        gone.iter().any(|key| is_of(from, key)) && !new.any(comes)
    }
}

/// Whether the first has the name that the second has, for which there is but one place.
pub(super) fn takes_name(key: &Key, other: &Key) -> bool {
    let has_place = matches!(key.kind, Kind::Type | Kind::Domain | Kind::Sequence | Kind::Table);
    let is_base = matches!(other.kind, Kind::Type | Kind::Domain | Kind::Sequence | Kind::Table);
    has_place && is_base && key.kind != other.kind && key.name == other.name && key.schema == other.schema
}

/// The domain that would have a type's name, or the type that would have a domain's.
pub(crate) fn other_kind(key: &Key) -> Option<Key> {
    let kind = match key.kind {
        Kind::Type => Kind::Domain,
        Kind::Domain => Kind::Type,
        _ => return None,
    };
    Some(Key { kind, ..key.clone() })
}

fn types_among<'k>(keys: impl Iterator<Item = &'k Key>) -> BTreeSet<Key> {
    let types = keys.filter(|key| matches!(key.kind, Kind::Type | Kind::Domain));
    types.cloned().into_set()
}
