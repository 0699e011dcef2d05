//! Tables below others: partitions, and those that inherit.

use crate::schema::diff::{Alter, Change, Plan};
use crate::schema::{Constraint, Key, Kind, Model, Object, Table, order};
use crate::sorted::Gather as _;

/// The option that says of which table another one is a partition, and where.
const PARTITION: &str = "partition_of";

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

    /// The foreign keys that stay and refer to tables out of which partitions are taken for a moment: rows that are referred
    /// to would stop that.
    fn keys_to_moved(&self, moved: &[&Key]) -> (Vec<Change>, Vec<Change>) {
        let (from, to) = (self.from, self.to);
        let is_part = |key: &Key| {
            from.table(key)
                .is_some_and(|table| table.options.contains_key(PARTITION))
        };
        let moved: Vec<&Key> = moved.iter().copied().filter(|key| is_part(key)).collect();
        let (mut first, mut last) = (Vec::new(), Vec::new());
        if moved.is_empty() {
            return (first, last);
        }
        let changes = |key: &Key, constraint: &Constraint| {
            let mut alters = self
                .alter
                .iter()
                .filter(|(table, _)| table == key)
                .flat_map(|(_, alters)| alters);
            alters.any(|alter| match alter {
                Alter::DropConstraint(other) | Alter::RenameConstraint { from: other, .. } => other == constraint,
                _ => false,
            })
        };
        for (key, object) in &from.objects {
            for constraint in object.table.iter().flat_map(|table| &table.constraints) {
                let loses = |parent: &Key| {
                    let below = from.with_below(parent);
                    moved.iter().any(|key| *key != parent && below.contains(*key))
                };
                let then = to.table(key).map(|table| &table.constraints[..]);
                let stays = then.is_some_and(|then| then.contains(constraint));
                if stays && !changes(key, constraint) && constraint.parent.as_ref().is_some_and(loses) {
                    let change = |alter| Change::Alter(key.clone(), Box::new(alter));
                    first.push(change(Alter::DropConstraint(constraint.clone())));
                    last.push(change(Alter::AddConstraint(constraint.clone())));
                }
            }
        }
        (first, last)
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

/// Whether a partition is one no more, or gets another place while another one comes to its table, or moves there: then it
/// is detached before all else.
pub fn leaves_first(key: &Key, from: &Model, to: &Model) -> bool {
    let place = |model: &Model, key: &Key| model.table(key)?.options.get(PARTITION).cloned();
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
