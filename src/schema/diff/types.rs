//! Types that are made anew, and what goes and would be in their way.

use std::collections::BTreeSet;

use crate::schema::diff::{Alter, Change, Plan, is_of};
use crate::schema::{Column, Constraint, ConstraintKind, Key, Kind, Model, Object, Table, order};
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

    /// What holds the values of columns as texts while their type is away, and what brings them back.
    pub(super) fn through_text(&self) -> [Vec<Change>; 2] {
        let types = self.held_as_texts();
        let mut out = [Vec::new(), Vec::new()];
        if types.is_empty() {
            return out;
        }
        for (key, object) in &self.from.objects {
            let (Some(now), Some(then)) = (&object.table, self.to.table(key)) else {
                continue;
            };
            let is_own = |column: &&Column| !self.comes_from_above(key, column);
            let is_held = |column: &&Column| types.iter().any(|key| is_of(column, key));
            let stays = |column: &&Column| {
                let then = then.column(&column.folded);
                then.is_some_and(|then| then.data_type == column.data_type)
            };
            let columns = now.columns.iter().filter(is_held).filter(stays).filter(is_own);
            for (out, alters) in out.iter_mut().zip(as_text(now, then, columns.collect())) {
                let changes = alters.into_iter();
                out.extend(changes.map(|alter| Change::Alter(key.clone(), Box::new(alter))));
            }
        }
        out
    }

    /// Types that are made anew under columns and whose values are the same again as texts. Attributes of a row type that
    /// changes could be taken for one another, within another type as well, and an enum has its own way.
    fn held_as_texts(&self) -> Vec<Key> {
        let again = types_among(self.drop.intersection(&self.create));
        let (from, to) = (&self.from.objects, &self.to.objects);
        let changes = |key: &&Key| from[*key].meaning != to[*key].meaning;
        let has_rows = |model: &Model, key: &Key| {
            let is_rows = |object: &Object| object.meaning.starts_with("composite") || object.table.is_some();
            model.objects.get(key).is_some_and(is_rows)
        };
        let is_unsure = |key: &&Key| {
            let mut bases = from[*key].uses.iter().chain(&to[*key].uses);
            has_rows(self.from, key) || bases.any(|used| has_rows(self.from, used) || has_rows(self.to, used))
        };
        let types = self
            .redefine
            .iter()
            .chain(&again)
            .filter(|key| key.kind <= Kind::Domain);
        let types = types.filter(|key| matches!(key.kind, Kind::Type | Kind::Domain));
        let unsure = types.filter(changes).filter(is_unsure).cloned().into_set();
        let hanging = self.from.dependents(&unsure);
        let is_list = |key: &Key| key.kind == Kind::Type && from[key].redefinable;
        let is_sure = |key: &Key| !unsure.contains(key) && !hanging.contains(key);
        let mut types: Vec<Key> = again.into_iter().collect();
        types.retain(|key| is_sure(key) && !(is_list(key) && changes(&key)));
        types
    }

    fn comes_from_above(&self, table: &Key, column: &Column) -> bool {
        let is_below = self.from.table(table).is_some_and(Table::is_below);
        let mut above = self.from.objects[table].uses.iter();
        is_below
            && above.any(|above| {
                self.from
                    .table(above)
                    .is_some_and(|above| above.column(&column.folded).is_some())
            })
    }
}

fn types_among<'k>(keys: impl Iterator<Item = &'k Key>) -> BTreeSet<Key> {
    let types = keys.filter(|key| matches!(key.kind, Kind::Type | Kind::Domain));
    types.cloned().into_set()
}

/// Columns as texts, and as they were, with the defaults and the CHECKs that would not go along.
fn as_text(now: &Table, then: &Table, columns: Vec<&Column>) -> [Vec<Alter>; 2] {
    let is_about = |check: &Constraint| columns.iter().any(|column| check.columns.contains(&column.folded));
    let checks = now
        .constraints
        .iter()
        .filter(|check| check.kind == ConstraintKind::Check);
    let checks: Vec<&Constraint> = checks
        .filter(|check| is_about(check) && then.constraints.contains(check))
        .collect();
    let mut away: Vec<Alter> = checks
        .iter()
        .map(|check| Alter::DropConstraint((*check).clone()))
        .collect();
    let mut back = Vec::new();
    for column in columns {
        let array = if column.data_type.written.ends_with("[]") {
            "[]"
        } else {
            ""
        };
        let mut text = column.clone();
        text.data_type.written = format!("text{array}");
        text.data_type.meaning.clone_from(&text.data_type.written);
        let has_default = column.default.is_some();
        away.extend(has_default.then(|| Alter::DropDefault(column.clone())));
        away.push(Alter::SetType {
            from: column.clone(),
            to: text.clone(),
        });
        back.push(Alter::SetType {
            from: text,
            to: column.clone(),
        });
        let wanted = then.column(&column.folded);
        let is_kept = has_default && wanted.is_some_and(|wanted| wanted.default == column.default);
        back.extend(is_kept.then(|| Alter::SetDefault(column.clone())));
    }
    back.extend(checks.into_iter().cloned().map(Alter::AddConstraint));
    [away, back]
}
