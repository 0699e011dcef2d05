//! Foreign keys and indexes that stay, and have to make room for what is done to their tables.

use std::collections::BTreeSet;

use crate::schema::diff::{Alter, Change, Plan, called};
use crate::schema::{Column, Constraint, ConstraintKind, Key, Kind, Object};
use crate::sorted::Gather as _;

impl Plan<'_> {
    /// Whether a foreign key of a table to itself may keep its rows from being deleted, all of them at once.
    fn keeps(&self, table: &Key, constraint: &Constraint) -> bool {
        let does = |action: &str| constraint.definition.meaning.contains(&format!(" on delete {action}"));
        let columns = self.from.table(table).into_iter().flat_map(|table| &table.columns);
        let mut own = columns.filter(|column| constraint.columns.contains(&column.folded));
        does("restrict") || does("set default") || does("set null") && own.any(|column| column.not_null)
    }

    /// Whether a partition of a table, to which foreign keys of that refer as well, is among what has gone.
    fn loses_part(&self, parent: &Key, gone: &BTreeSet<&Key>) -> bool {
        let table = self.from.table(parent);
        table.is_some_and(|table| table.options.contains_key("partition_by"))
            && self.from.with_below(parent).iter().any(|part| gone.contains(part))
    }

    /// The foreign keys from tables that go to tables that go before them, and what calls functions that do.
    pub(super) fn circles(&self, drop: &[Key], deletes_first: bool) -> Vec<Change> {
        let mut found = Vec::new();
        let mut gone = BTreeSet::new();
        for key in drop {
            let constraints = self.from.table(key).map(|table| &table.constraints);
            for constraint in constraints.into_iter().flatten() {
                let parent = constraint.parent.as_ref();
                let is_in_the_way = |parent: &Key| {
                    gone.contains(parent)
                        || deletes_first && parent == key && self.keeps(key, constraint)
                        || self.loses_part(parent, &gone)
                };
                if constraint.kind == ConstraintKind::ForeignKey && parent.is_some_and(is_in_the_way) {
                    found.push(Change::Alter(
                        key.clone(),
                        Box::new(Alter::DropConstraint(constraint.clone())),
                    ));
                }
            }
            let object = self.from.objects.get(key).into_iter();
            let calls = object.flat_map(|object| called::Called::given_up(object, &gone));
            found.extend(calls.map(|alter| Change::Alter(key.clone(), Box::new(alter))));
            gone.insert(key);
        }
        found
    }

    /// Whether a column of an index goes, or is written anew.
    pub(super) fn loses_column(&self, index: &Object) -> bool {
        let alters = self.alter.iter().filter(|(table, _)| index.on.as_ref() == Some(table));
        let gone = |alter: &Alter| match alter {
            Alter::DropColumn(column) | Alter::DropExpression(column) => index.columns.contains(&column.folded),
            _ => false,
        };
        !index.columns.is_empty() && alters.flat_map(|(_, alters)| alters).any(gone)
    }

    /// Foreign keys go and come again where a column on one of their ends gets another type; where that is not enough,
    /// wherever a table on one of their ends is altered. Those of a table that goes do not come again.
    pub(super) fn free_columns(&mut self, all: bool) {
        let (from, to) = (self.from, self.to);
        let indexes = [&self.drop, &self.create, &self.redefine].into_iter().flatten();
        let on = |key: &Key| {
            from.objects
                .get(key)
                .or_else(|| to.objects.get(key))
                .and_then(|object| object.on.clone())
        };
        let mut altered: BTreeSet<Key> = self.alter.iter().map(|(key, _)| key.clone()).into_set();
        altered.extend(indexes.filter(|key| key.kind == Kind::Index).filter_map(on));
        let retyped = |key: &Key, is_about: &dyn Fn(&Column) -> bool| {
            let (Some(now), Some(then)) = (from.table(key), to.table(key)) else {
                return false;
            };
            now.columns.iter().filter(|column| is_about(column)).any(|column| {
                let then = then.column(&column.folded);
                then.is_some_and(|then| then.data_type != column.data_type || then.collation != column.collation)
            })
        };
        for (key, object) in &from.objects {
            let (Some(now), then) = (&object.table, to.table(key)) else {
                continue;
            };
            // One that goes with its table does so later than its parent changes.
            let goes = then.is_none();
            let is_one = |constraint: &&Constraint| {
                constraint.kind == ConstraintKind::ForeignKey
                    && match (then, &constraint.parent) {
                        (Some(then), _) => then.constraints.contains(constraint),
                        (None, parent) => parent.as_ref().is_some_and(|parent| to.table(parent).is_some()),
                    }
            };
            for constraint in now.constraints.iter().filter(is_one) {
                let own = retyped(key, &|column| constraint.columns.contains(&column.folded));
                let named = |column: &Column| constraint.definition.written.contains(&column.name);
                let parent = constraint.parent.as_ref();
                let at_all = all && (altered.contains(key) || parent.is_some_and(|parent| altered.contains(parent)));
                if !own && !at_all && !parent.is_some_and(|parent| retyped(parent, &named)) {
                    continue;
                }
                let mut both = vec![Alter::DropConstraint(constraint.clone())];
                both.extend(Some(Alter::AddConstraint(constraint.clone())).filter(|_| !goes));
                match self.alter.iter_mut().find(|(table, _)| table == key) {
                    Some((_, alters)) => alters.extend(both),
                    None => self.alter.push((key.clone(), both)),
                }
            }
        }
    }

    /// Foreign keys go before the key, index, column or table that they stand on is changed, and those that stay come
    /// back. Such a one may go along with its own table or column, but not early enough.
    pub(super) fn free_keys(&mut self) {
        let (from, to) = (self.from, self.to);
        for (key, object) in &from.objects {
            let is_dropped = self.drop.contains(key);
            for constraint in object.table.iter().flat_map(|table| &table.constraints) {
                let parent = constraint.parent.as_ref();
                let Some(parent) = parent.filter(|parent| self.changes_under(key, constraint, parent)) else {
                    continue;
                };
                if is_dropped && self.drop.contains(parent) {
                    continue;
                }
                let at = self.alter.iter().position(|(table, _)| table == key);
                let at = at.unwrap_or_else(|| {
                    self.alter.push((key.clone(), Vec::new()));
                    self.alter.len() - 1
                });
                let alters = &mut self.alter[at].1;
                let dropped = Alter::DropConstraint(constraint.clone());
                if alters.contains(&dropped) {
                    continue;
                }
                let named = |alter: &Alter| match alter {
                    Alter::RenameConstraint { from, to } if from == constraint => Some(to.clone()),
                    _ => None,
                };
                let renamed = alters.iter().find_map(named);
                alters.retain(|alter| named(alter).is_none());
                let stays = to
                    .table(key)
                    .is_some_and(|table| table.constraints.contains(constraint));
                let again = renamed.or_else(|| Some(constraint.clone()).filter(|_| stays && !is_dropped));
                alters.push(dropped);
                alters.extend(again.map(Alter::AddConstraint));
            }
        }
    }

    /// Whether what a foreign key stands on is changed.
    fn changes_under(&self, key: &Key, constraint: &Constraint, parent: &Key) -> bool {
        let of = |table: &Key| {
            self.alter
                .iter()
                .find(|(other, _)| other == table)
                .map(|(_, alters)| alters)
        };
        let named = |column: &Column| constraint.definition.written.contains(&column.name);
        let above = |alter: &Alter| match alter {
            Alter::DropConstraint(other) => {
                matches!(other.kind, ConstraintKind::PrimaryKey | ConstraintKind::Unique)
            }
            Alter::DropColumn(column) | Alter::SetType { from: column, .. } => named(column),
            _ => false,
        };
        let own = |alter: &Alter| match alter {
            Alter::SetType { from: column, .. } => constraint.columns.contains(&column.folded),
            _ => false,
        };
        let on_parent = |index: &&Key| {
            let object = self.from.objects.get(*index);
            index.kind == Kind::Index && object.is_some_and(|object| object.on.as_ref() == Some(parent))
        };
        self.drop.contains(parent)
            || self.drop.iter().any(|index| on_parent(&index))
            || of(parent).is_some_and(|alters| alters.iter().any(above))
            || of(key).is_some_and(|alters| alters.iter().any(own))
    }
}
