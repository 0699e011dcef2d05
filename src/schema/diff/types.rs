//! Types that are made anew, and what goes and would be in their way.

use std::collections::BTreeSet;

use crate::schema::diff::{Plan, is_of};
use crate::schema::{Column, Key, Kind, order};
use crate::sorted::Gather as _;

impl Plan<'_> {
    /// Types and domains that are altered or made anew.
    pub(super) fn changed_types(&self) -> BTreeSet<Key> {
        types_among(self.redefine.iter().chain(&self.types_anew()))
    }

    /// Types and domains that are made anew.
    fn types_anew(&self) -> BTreeSet<Key> {
        let again = self.drop.intersection(&self.create);
        types_among(self.replace.iter().chain(again))
    }

    /// Of what goes in this order, and is no table, what uses a type that is made anew, or a table with such a column:
    /// the old type does not go before it.
    pub(super) fn in_the_way_of_types(&self, drop: &[Key]) -> BTreeSet<Key> {
        let mut types = self.types_anew();
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

fn types_among<'k>(keys: impl Iterator<Item = &'k Key>) -> BTreeSet<Key> {
    let types = keys.filter(|key| matches!(key.kind, Kind::Type | Kind::Domain));
    types.cloned().into_set()
}
