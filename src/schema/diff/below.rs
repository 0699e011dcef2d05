//! Tables below others: partitions, and those that inherit.

use std::collections::BTreeSet;

use crate::schema::diff::{Alter, Change, Plan};
use crate::schema::{Constraint, ConstraintKind, Key, Kind, Model, Object, Table, order};
use crate::sorted::Gather as _;

/// The option that says of which table another one is a partition, and where.
const PARTITION: &str = "partition_of";

/// The option that says which keys of a partition are of another kind than those above.
const KEYS: &str = "keys_below";

/// The option that says which sequences of a table's columns are stored otherwise than the table.
pub const SEQUENCES: &str = "unlogged_sequences";

/// Whether it is about how a column is stored, numbered or estimated: a column or sequence that was made anew on the way may lack
/// that still.
pub fn follows_column(alter: &Alter) -> bool {
    const OPTIONS: [&str; 5] = [SEQUENCES, "storage", "compression", "statistics", "column_options"];
    matches!(alter, Alter::SetOption { name, .. } if OPTIONS.contains(name))
}

impl Plan<'_> {
    /// Tables are altered before those below them, to which a default goes along.
    pub(super) fn parents_first(&mut self) {
        let from = self.from;
        let is_below = |key: &Key| from.table(key).is_some_and(Table::is_below);
        let below = from.objects.keys().filter(|key| is_below(key)).cloned().into_set();
        for key in order::creation(from, &below) {
            self.keep_defaults(&key);
        }
        if !self.alter.iter().any(|(key, _)| is_below(key)) {
            return;
        }
        let keys = self.alter.iter().map(|(key, _)| key.clone()).into_set();
        let mut ordered = Vec::with_capacity(self.alter.len());
        for key in order::creation(self.from, &keys) {
            let at = self.alter.iter().position(|(table, _)| *table == key);
            ordered.extend(at.map(|at| self.alter.swap_remove(at)));
        }
        self.alter = ordered;
    }

    /// What goes from a table below another one before this can get it: a constraint, which would be inherited then, and a
    /// partition, in whose place another one may come.
    pub(super) fn gives_way(&self, table: &Key, alter: &Alter) -> bool {
        match alter {
            Alter::DropConstraint(constraint) if self.from.table(table).is_some_and(Table::is_below) => {
                let uses = self.from.objects.get(table).into_iter().flat_map(|object| &object.uses);
                let mut above = uses.filter_map(|above| self.to.table(above));
                above.any(|above| above.constraints.iter().any(|other| other.name == constraint.name))
            }
            Alter::SetOption { name, value } => *name == PARTITION && value.is_none(),
            _ => false,
        }
    }

    /// Takes out of the alterations what puts partitions in their places: those that leave others do so before anything
    /// comes there, and where nothing else does, once their table has been altered and they along with it.
    pub(super) fn moved_partitions(&mut self) -> [Vec<Change>; 2] {
        let (from, to) = (self.from, self.to);
        let [mut leave, mut attach] = [Vec::new(), Vec::new()];
        for (key, alters) in &mut self.alter {
            let is_place =
                |alter: &Alter| matches!(alter, Alter::SetOption { name, value: Some(_) } if *name == PARTITION);
            let Some(at) = alters.iter().position(is_place) else {
                continue;
            };
            let place = alters.remove(at);
            if from
                .table(key)
                .is_some_and(|table| table.options.contains_key(PARTITION))
            {
                let gone = Alter::SetOption {
                    name: PARTITION,
                    value: None,
                };
                let list = if leaves_first(key, from, to) {
                    &mut leave
                } else {
                    &mut attach
                };
                list.push(Change::Alter(key.clone(), Box::new(gone)));
            }
            attach.push(Change::Alter(key.clone(), Box::new(place)));
        }
        let moved: Vec<&Key> = leave.iter().chain(&attach).map(Change::key).collect();
        let (mut first, last) = self.keys_to_moved(&moved);
        first.append(&mut leave);
        attach.extend(last);
        [first, attach]
    }

    /// The foreign keys that refer to tables out of which partitions are taken: rows that are referred to would stop that.
    /// Where the partitions come back, so do those that stay. Others go no later than partitions leave.
    fn keys_to_moved(&mut self, moved: &[&Key]) -> (Vec<Change>, Vec<Change>) {
        let (from, to) = (self.from, self.to);
        let mut above: BTreeSet<Key> = moved.iter().flat_map(|key| parted_above(key, from)).into_set();
        let mut left: BTreeSet<Key> = BTreeSet::new();
        for (key, alters) in &self.alter {
            let sets = |option| {
                let mut alters = alters.iter();
                alters.any(|alter| matches!(alter, Alter::SetOption { name, .. } if *name == option))
            };
            if sets(PARTITION) {
                left.extend(parted_above(key, from));
            }
            // It leaves its table for a moment, and so does its own key.
            if sets(KEYS) && place(from, key).is_some() && place(from, key) == place(to, key) {
                above.extend(parted_above(key, from));
                above.insert(key.clone());
            }
        }
        let (mut first, mut last) = (Vec::new(), Vec::new());
        for (key, object) in &from.objects {
            for constraint in object.table.iter().flat_map(|table| &table.constraints) {
                let parent = constraint
                    .parent
                    .as_ref()
                    .filter(|_| constraint.kind == ConstraintKind::ForeignKey);
                let Some(parent) = parent.filter(|parent| above.contains(parent) || left.contains(parent)) else {
                    continue;
                };
                let again = self.comes_again(key, constraint);
                if again.is_some() && !above.contains(parent) {
                    continue;
                }
                let is_of = |alter: &Alter| match alter {
                    Alter::DropConstraint(other) | Alter::RenameConstraint { from: other, .. } => other == constraint,
                    _ => false,
                };
                for (_, alters) in self.alter.iter_mut().filter(|(table, _)| table == key) {
                    alters.retain(|alter| !is_of(alter));
                }
                let change = |alter| Change::Alter(key.clone(), Box::new(alter));
                first.push(change(Alter::DropConstraint(constraint.clone())));
                last.extend(again.map(|again| change(Alter::AddConstraint(again))));
            }
        }
        (first, last)
    }

    /// A constraint as it is in the end, where nothing else gives it up.
    fn comes_again(&self, table: &Key, constraint: &Constraint) -> Option<Constraint> {
        let alters = self.alter.iter().filter(|(other, _)| other == table);
        for alter in alters.flat_map(|(_, alters)| alters) {
            match alter {
                Alter::DropConstraint(other) if other == constraint => return None,
                Alter::RenameConstraint { from, to } if from == constraint => return Some(to.clone()),
                _ => {}
            }
        }
        let then = self.to.table(table).filter(|_| !self.drop.contains(table))?;
        then.constraints.iter().find(|other| *other == constraint).cloned()
    }

    /// A table that has a default of its own is given it again behind that of the table above.
    fn keep_defaults(&mut self, key: &Key) {
        let (Some(object), Some(then)) = (self.from.objects.get(key), self.to.table(key)) else {
            return;
        };
        let mut found = Vec::new();
        for (above, alters) in self.alter.iter().filter(|(above, _)| object.uses.contains(above)) {
            for alter in alters {
                let (Alter::SetDefault(column) | Alter::DropDefault(column)) = alter else {
                    continue;
                };
                let above = self.to.table(above).and_then(|table| table.column(&column.folded));
                let own = then.column(&column.folded);
                if let (Some(above), Some(own)) = (above, own)
                    && above.default != own.default
                {
                    found.push(if own.default.is_some() {
                        Alter::SetDefault(own.clone())
                    } else {
                        Alter::DropDefault(own.clone())
                    });
                }
            }
        }
        if found.is_empty() {
            return;
        }
        match self.alter.iter_mut().find(|(table, _)| table == key) {
            Some((_, alters)) => {
                found.retain(|alter| !alters.contains(alter));
                alters.extend(found);
            }
            None => self.alter.push((key.clone(), found)),
        }
    }
}

/// A table whose rows are to be spread over partitions otherwise than they are, or over some at all.
pub fn spread_otherwise(from: &Model, to: &Model) -> Option<Key> {
    let by = |table: &Table| table.options.get("partition_by").cloned();
    let differs = |(key, object): &(&Key, &Object)| {
        let both = object.table.as_ref().zip(to.table(key));
        both.is_some_and(|(now, then)| by(now) != by(then))
    };
    from.objects.iter().find(differs).map(|(key, _)| key.clone())
}

fn place(model: &Model, key: &Key) -> Option<String> {
    model.table(key)?.options.get(PARTITION).cloned()
}

/// The partitioned tables above a partition.
pub fn parted_above(key: &Key, model: &Model) -> BTreeSet<Key> {
    let mut found = BTreeSet::new();
    let mut next = vec![key.clone()];
    while let Some(key) = next.pop() {
        let object = model.objects.get(&key).filter(|_| place(model, &key).is_some());
        let is_parted = |key: &Key| {
            let table = model.table(key);
            table.is_some_and(|table| table.options.contains_key("partition_by"))
        };
        for above in object.into_iter().flat_map(|object| &object.uses) {
            if is_parted(above) && found.insert(above.clone()) {
                next.push(above.clone());
            }
        }
    }
    found
}

/// Whether a partition is not the same one in both schemas: it comes, goes, leaves or gets another place.
pub fn moves(key: &Key, from: &Model, to: &Model) -> bool {
    let option = |model: &Model, name: &str| model.table(key)?.options.get(name).cloned();
    let differs = |name: &str| option(from, name) != option(to, name);
    differs(PARTITION) || differs(KEYS)
}

/// Whether a partition is one no more, or gets another place while another one comes to its table, or moves there: then it
/// is detached before all else.
pub fn leaves_first(key: &Key, from: &Model, to: &Model) -> bool {
    let (now, then) = (place(from, key), place(to, key));
    if now.is_none() || now == then {
        return false;
    }
    let tables = |model: &Model, key: &Key| -> Vec<Key> {
        let uses = model.objects.get(key).into_iter().flat_map(|object| &object.uses);
        uses.filter(|key| key.kind == Kind::Table).cloned().collect()
    };
    let above = tables(from, key);
    let moves = |other: &Key| {
        let then = place(to, other);
        other != key
            && then.is_some()
            && then != place(from, other)
            && tables(to, other).iter().any(|one| above.contains(one))
    };
    then.is_none() || to.objects.keys().any(moves)
}

/// Whether it is a change that may be left over when the table above has changed: it inherits, and what it inherited becomes
/// its own. A column that comes is no such change, since it would be without its values.
pub fn follows_above(alter: &Alter) -> bool {
    matches!(
        alter,
        Alter::SetNotNull(_)
            | Alter::DropNotNull(_)
            | Alter::SetDefault(_)
            | Alter::DropDefault(_)
            | Alter::AddConstraint(_)
            | Alter::DropConstraint(_)
            | Alter::DropColumn(_)
    )
}
