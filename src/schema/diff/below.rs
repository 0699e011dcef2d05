//! Tables below others: partitions, and those that inherit.

use crate::schema::diff::{Alter, Plan};
use crate::schema::{Key, Table, order};
use crate::sorted::Gather as _;

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
            Alter::SetOption { name, value } => *name == "partition_of" && value.is_none(),
            _ => false,
        }
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

/// Whether it is a change that may be left over when the table above has changed: it inherits, and what it inherited becomes
/// its own. Columns are no such change, since they would come without their values.
pub fn follows_above(alter: &Alter) -> bool {
    matches!(
        alter,
        Alter::SetNotNull(_)
            | Alter::DropNotNull(_)
            | Alter::SetDefault(_)
            | Alter::DropDefault(_)
            | Alter::AddConstraint(_)
            | Alter::DropConstraint(_)
    )
}
