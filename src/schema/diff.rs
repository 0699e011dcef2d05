//! What leads from one schema to another, in an order that can be run.

mod below;
mod called;
mod change;
mod foreign;
mod names;
mod renames;
mod table;
mod types;

pub use below::{SEQUENCES, follows_above, follows_column, leaves_first, moves, parted_above, spread_otherwise};
pub use change::{Alter, Change};
pub use renames::{Rename, likely_moves, likely_renames, moved, respelled};
pub(crate) use table::{computed_from_changed, names};
pub(crate) use types::other_kind;

use std::borrow::Cow;
use std::cmp::Ordering;
use std::collections::BTreeSet;

use crate::schema::{Column, Constraint, ConstraintKind, Key, Kind, Model, Object, Table, order};
use crate::sorted::Gather as _;

/// What must be done by harder means than a difference would need.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Force {
    /// Types that no ALTER brings to what they should be.
    pub replace: BTreeSet<Key>,
    /// Objects that stand in the way of a change and must be dropped and made again.
    pub recreate: BTreeSet<Key>,
    /// Tables whose changes are one statement.
    pub joined: BTreeSet<Key>,
    /// Those of them where it was refused.
    pub apart: BTreeSet<Key>,
    /// Foreign keys go before and come after everything else, whatever the dialect's manner.
    pub foreign_keys_apart: bool,
    /// Foreign keys go before what they stand on is changed, also where they stay, or go along with a table or column.
    pub foreign_keys_free: bool,
    /// A default goes before its column gets another type, and comes back after it.
    pub defaults_apart: bool,
    /// A column that is computed from one that changes goes before that, and comes again.
    pub computed_apart: bool,
    /// Tables that go do so before others come: these may take names of what goes along, such as sequences.
    pub drops_first: bool,
    /// Functions are made without a look at their bodies, which name what comes later.
    pub bodies_unread: bool,
    /// Functions that stand on tables which are altered go before and come after that, but for those that the tables need.
    pub functions_late: bool,
    /// What had no name of its own comes without one again, so that a rename changes what it is called as it did before.
    pub unnamed: bool,
}

/// How a dialect wants changes to be ordered.
#[derive(Debug, Clone, Copy, Default)]
pub struct Manner {
    /// Foreign keys go before and come after everything else. Where a table is copied for its ALTERs, they stay with
    /// the others, so that it is copied once.
    pub foreign_keys_apart: bool,
    /// Objects have owners and privileges, which are not compared, and which one that is made anew does not have.
    pub privileges: bool,
    /// Foreign keys of new tables come after new indexes of those that are there, which they may stand on.
    pub foreign_keys_last: bool,
    /// A column is said as a whole, so that one change of it is enough.
    pub whole_columns: bool,
    /// Expressions get other words when their table is altered: a schema that nobody tried on scratch is compared in those
    /// that it has there.
    pub settles: bool,
    /// A column cannot be dropped while a constraint is about it.
    pub constraints_first: bool,
    /// A table that goes deletes its rows first, as its foreign keys let it (`foreignkeys.html`, section 5).
    pub deletes_first: bool,
    /// A constraint without a name of its own is called by what its table and columns are called, whatever that is by then.
    pub names_follow: bool,
    /// The letters of a column's name are what others read, although they do not count: it is renamed where they differ.
    pub letters_shown: bool,
    /// Rows that are there get what the server puts for nothing in a new column that is NOT NULL and has no default.
    pub fills: bool,
    /// The kinds of constraints whose names but one may have in a schema.
    pub names_of_schema: &'static [ConstraintKind],
}

/// The changes that lead from one schema to the other; none when they are equal.
pub fn changes(from: &Model, to: &Model, manner: Manner, force: &Force) -> Vec<Change> {
    let aligned = aligned(from, to);
    let mut plan = Plan {
        from: &aligned,
        to,
        drop: BTreeSet::new(),
        create: BTreeSet::new(),
        alter: Vec::new(),
        replace: BTreeSet::new(),
        redefine: BTreeSet::new(),
        drops_first: false,
        functions_late: false,
        called: called::Called::of(&aligned, force),
    };
    plan.compare(manner, force);
    plan.drops_first = force.drops_first;
    plan.functions_late = force.functions_late;
    plan.turn();
    plan.follow();
    plan.free_calls();
    plan.parents_first();
    if force.foreign_keys_free {
        plan.free_keys();
    }
    plan.ordered(Manner {
        foreign_keys_apart: manner.foreign_keys_apart || force.foreign_keys_apart || force.foreign_keys_free,
        foreign_keys_last: manner.foreign_keys_last || force.foreign_keys_free,
        ..manner
    })
}

/// The objects that are in one of the two schemas alone, or are not the same in both.
pub fn compare(from: &Model, to: &Model) -> BTreeSet<Key> {
    let aligned = aligned(from, to);
    let differ = |now: &Object, then: &Object| match (&now.table, &then.table) {
        (Some(now), Some(then)) => !table::changes(now, then, table::Way::default()).is_empty(),
        (None, None) => now.meaning != then.meaning || now.on != then.on,
        _ => true,
    };
    // Both are in the order of their keys, so that one walk finds the pairs.
    let (mut now, mut then) = (aligned.objects.iter().peekable(), to.objects.iter().peekable());
    let mut found = BTreeSet::new();
    loop {
        let (side, key) = match (now.peek(), then.peek()) {
            (None, None) => return found,
            (Some((key, _)), None) => (Ordering::Less, *key),
            (None, Some((key, _))) => (Ordering::Greater, *key),
            (Some((one, _)), Some((other, _))) => (one.cmp(other), *one.min(other)),
        };
        let left = if side == Ordering::Greater { None } else { now.next() };
        let right = if side == Ordering::Less { None } else { then.next() };
        let same = left
            .zip(right)
            .is_some_and(|((_, one), (_, other))| !differ(one, other));
        if !same {
            found.insert(key.clone());
        }
    }
}

/// The present schema with indexes and constraints as the wanted one has them; the same where no index is as good as a
/// constraint, since a schema may be large.
fn aligned<'m>(from: &'m Model, to: &Model) -> Cow<'m, Model> {
    let twins = |model: &Model| model.objects.values().any(|object| object.as_constraint.is_some());
    if !twins(from) && !twins(to) {
        return Cow::Borrowed(from);
    }
    let mut aligned = from.clone();
    align(&mut aligned, to);
    Cow::Owned(aligned)
}

/// Takes indexes of the present schema for the constraints that the wanted one has in their place, and the other way
/// round.
fn align(from: &mut Model, to: &Model) {
    let indexes = |model: &Model| -> Vec<(Key, Key, Constraint)> {
        let twins = model
            .objects
            .iter()
            .filter_map(|(key, object)| Some((key.clone(), object.on.clone()?, object.as_constraint.clone()?)));
        twins.collect()
    };
    let same = |one: &Constraint, other: &Constraint| one.folded == other.folded && one.same(other);
    let has = |model: &Model, table: &Key, wanted: &Constraint| {
        let constraints = model.table(table).map(|table| &table.constraints);
        constraints.is_some_and(|list| list.iter().any(|constraint| same(constraint, wanted)))
    };
    for (index, on, constraint) in indexes(from) {
        if !to.objects.contains_key(&index) && has(to, &on, &constraint) {
            from.objects.remove(&index);
            if let Some(table) = from.objects.get_mut(&on).and_then(|object| object.table.as_mut()) {
                table.constraints.push(constraint);
            }
        }
    }
    for (index, on, constraint) in indexes(to) {
        if !from.objects.contains_key(&index) && has(from, &on, &constraint) {
            if let Some(table) = from.objects.get_mut(&on).and_then(|object| object.table.as_mut()) {
                table.constraints.retain(|other| !same(other, &constraint));
            }
            from.objects.insert(index.clone(), to.objects[&index].clone());
        }
    }
}

struct Plan<'m> {
    from: &'m Model,
    to: &'m Model,
    drop: BTreeSet<Key>,
    create: BTreeSet<Key>,
    alter: Vec<(Key, Vec<Alter>)>,
    replace: BTreeSet<Key>,
    redefine: BTreeSet<Key>,
    drops_first: bool,
    functions_late: bool,
    called: called::Called,
}

impl Plan<'_> {
    fn compare(&mut self, manner: Manner, force: &Force) {
        let way = table::Way {
            defaults_apart: force.defaults_apart,
            whole_columns: manner.whole_columns,
            constraints_first: manner.constraints_first,
            computed_again: None,
            unnamed: force.unnamed,
        };
        let is_replaced = |column: &Column| force.replace.iter().any(|key| is_of(column, key));
        for (key, object) in &self.from.objects {
            let Some(wanted) = self.to.objects.get(key) else {
                self.drop.insert(key.clone());
                continue;
            };
            match (&object.table, &wanted.table) {
                _ if self.loses_column(object) => self.again(key),
                (Some(now), Some(then)) => {
                    let again = force
                        .computed_apart
                        .then(|| table::computed_from_changed(now, then, &is_replaced));
                    let again = again.into_iter().flatten().chain(self.called.computed(now, then));
                    let again: BTreeSet<String> = again.into_set();
                    let way = table::Way {
                        computed_again: Some(&again),
                        ..way
                    };
                    let alters = table::changes(now, then, way);
                    if !alters.is_empty() {
                        self.alter.push((key.clone(), alters));
                    }
                }
                (None, None)
                    if object.meaning == wanted.meaning && object.on == wanted.on && !force.recreate.contains(key) => {}
                (None, None) if object.meaning != wanted.meaning && force.replace.contains(key) => {
                    self.replace.insert(key.clone());
                }
                (None, None)
                    if object.redefinable
                        && wanted.redefinable
                        && object.on == wanted.on
                        && !force.recreate.contains(key) =>
                {
                    self.redefine.insert(key.clone());
                }
                // It is the same index, and marked otherwise.
                (None, None) if is_marked(key, object, wanted) && !force.recreate.contains(key) => {
                    self.redefine.insert(key.clone());
                }
                // A table that cannot be taken apart is not made anew for that: its rows would go.
                _ if key.kind == Kind::Table && (object.redefinable || wanted.redefinable) => {
                    self.redefine.insert(key.clone());
                }
                _ => self.again(key),
            }
        }
        let new = self
            .to
            .objects
            .keys()
            .filter(|key| !self.from.objects.contains_key(key));
        self.create.extend(new.cloned());
        if manner.constraints_first {
            self.free_columns(force.foreign_keys_apart);
        }
    }

    fn again(&mut self, key: &Key) {
        self.drop.insert(key.clone());
        self.create.insert(key.clone());
    }

    /// What goes along with what is dropped: all that uses it or stands on it.
    fn follow(&mut self) {
        let turned = self.turned();
        let moved = self.replace.iter().chain(&self.drop).chain(&turned);
        let moved: BTreeSet<Key> = moved.cloned().into_set();
        let stay = self.mapped_elsewhere(&moved);
        let mut from = Cow::Borrowed(self.from);
        if !stay.is_empty() {
            from.to_mut().keep(&|key| !stay.contains(key));
        }
        for key in from.dependents(&moved) {
            if self.to.objects.contains_key(&key) {
                self.redefine.remove(&key);
                self.again(&key);
            } else {
                self.drop.insert(key);
            }
        }
        // An index goes with its table, and a comment or a right with what it is about. So does a trigger, but until then it could be
        // in the way of another change.
        let with_table = |key: &Key| {
            if !matches!(key.kind, Kind::Index | Kind::Comment | Kind::Owner | Kind::Grant) {
                return false;
            }
            let on = self.from.objects.get(key).and_then(|object| object.on.as_ref());
            on.is_some_and(|table| self.drop.contains(table))
        };
        let goes: BTreeSet<Key> = self.drop.iter().filter(|key| with_table(key)).cloned().into_set();
        self.drop.retain(|key| !goes.contains(key));
    }

    /// The ALTERs by when they come: what gives something up, columns that are computed from a type which is made anew, the
    /// most, and what may need all of these.
    fn alters(
        &mut self,
        manner: Manner,
        first: Vec<Change>,
        in_the_way: &BTreeSet<Key>,
        wait: bool,
    ) -> [Vec<Change>; 4] {
        let types: BTreeSet<Key> = self.changed_types().union(in_the_way).cloned().into_set();
        let again = self
            .drop
            .intersection(&self.create)
            .filter(|key| key.kind != Kind::Function);
        let gone = called::Called::gone(again.chain(in_the_way));
        let is_below = |table: &Key| self.from.table(table).is_some_and(Table::is_below);
        let (mut before, mut computed, mut alters, mut after) = (first, Vec::new(), Vec::new(), Vec::new());
        let [leave, attach] = self.moved_partitions();
        before.extend(leave);
        for (table, list) in std::mem::take(&mut self.alter) {
            for alter in list {
                let is_left = self.called.is_left_by(&alter);
                if let Some(default) = gone.default_before(&alter, self.from.table(&table)) {
                    computed.push(Change::Alter(table.clone(), Box::new(default)));
                }
                let list = match &alter {
                    Alter::DropConstraint(_) | Alter::DropDefault(_) if wait && is_left => &mut before,
                    alter if is_left || gone.is_left_by(alter) => &mut computed,
                    Alter::DropDefault(column) if in_the_way.iter().any(|key| is_of(column, key)) => &mut computed,
                    Alter::SetType { from, to } if self.leaves(from, to, in_the_way) => &mut computed,
                    Alter::DropConstraint(key) if apart(manner, key) => &mut before,
                    alter if self.gives_way(&table, alter) => &mut before,
                    // What names values of a type that is made anew.
                    Alter::DropConstraint(check) if check.kind == ConstraintKind::Check && !self.replace.is_empty() => {
                        &mut before
                    }
                    Alter::DropColumn(column)
                        if column.generated.is_some() && (!self.replace.is_empty() || is_below(&table)) =>
                    {
                        &mut computed
                    }
                    // Its values need not become those of the type that comes.
                    Alter::DropColumn(column) if types.iter().any(|key| is_of(column, key)) => &mut computed,
                    Alter::AddConstraint(key) if apart(manner, key) => &mut after,
                    alter if wait && self.called.waits(alter) => &mut after,
                    _ => &mut alters,
                };
                list.push(Change::Alter(table.clone(), Box::new(alter)));
            }
        }
        alters.extend(attach);
        [before, computed, alters, after]
    }

    fn ordered(mut self, manner: Manner) -> Vec<Change> {
        let is_table = |key: &&Key| key.kind == Kind::Table;
        // What tables may need comes before them and goes after them; the rest the other way round.
        let is_base = |key: &&Key| key.kind < Kind::Table;
        let mut out = Vec::new();
        let drop = order::removal(self.from, &self.drop);
        let [functions_gone, functions_come] = [self.from, self.to].map(|model| self.functions_of_altered(model));
        let mut first = order::late(self.from, drop.iter().rev(), &functions_gone);
        first.extend(order::of_rows(self.from, &drop));
        let (drop_first, drop): (Vec<Key>, Vec<Key>) = drop.into_iter().partition(|key| first.contains(key));
        let all: Vec<Key> = drop_first.iter().chain(&drop).cloned().collect();
        out.extend(self.circles(&all, manner.deletes_first));
        let giving = self.giving_names(manner.names_of_schema);
        let in_the_way = self.in_the_way_of_types(&drop);
        let given_up = self.given_up(manner.names_of_schema);
        let mut moved = functions_gone.iter().chain(&functions_come);
        let wait = moved.any(|key| self.called.is_one(key));
        let [mut before, computed, alters, after] = self.alters(manner, given_up, &in_the_way, wait);
        before.retain(|change| !out.contains(change));
        // A foreign key may stand on an index that goes.
        out.extend(before);
        out.extend(drop_first.into_iter().map(Change::Drop));
        let drops = drop.iter().filter(is_table).cloned().map(Change::Drop);
        // A table whose name is taken again goes first, and one with values of a type that changes.
        let changed = self.changed_types().union(&in_the_way).cloned().into_set();
        let of_types = order::users(self.from, &drop, changed);
        let goes_first = |key: &Key| giving.contains(key) || of_types.contains(key);
        let (first, last): (Vec<Change>, Vec<Change>) = drops.partition(|change| goes_first(change.key()));
        out.extend(first);
        let made: BTreeSet<Key> = self.create.union(&self.redefine).cloned().into_set();
        let create = order::creation(self.to, &made);
        let make = |key: &Key| self.made(key);
        let (bases_first, bases_gone): (Vec<&Key>, Vec<&Key>) = drop.iter().filter(is_base).partition(|key| {
            let other = |other: &Key| other.kind == key.kind && self.called.is_one(other);
            let is_replaced = key.kind == Kind::Function && self.called.is_one(key) && self.create.iter().any(other);
            self.create.contains(*key) || in_the_way.contains(*key) || is_replaced
        });
        // What is computed from values of a type that is made anew, or by a function.
        out.extend(computed);
        let mapped = self.mapped_elsewhere(&self.drop);
        let create: Vec<Key> = create.into_iter().filter(|key| !mapped.contains(key)).collect();
        out.extend(mapped.into_iter().map(Change::Redefine));
        out.extend(bases_first.into_iter().cloned().map(Change::Drop));
        let late_ones = order::late(self.to, create.iter(), &functions_come);
        // What is new may need the new values of a type, which may itself be made of something new.
        let needed = order::needs(self.to, &self.replace);
        let early = |key: &&Key| needed.contains(*key) && key.kind < Kind::Table;
        let (made_first, made): (Vec<&Key>, Vec<&Key>) =
            create.iter().filter(|key| !late_ones.contains(*key)).partition(early);
        out.extend(made_first.into_iter().map(make));
        out.extend(self.replace.iter().cloned().map(Change::Replace));
        out.extend(made.into_iter().map(make));
        out.extend(alters);
        let late = |key: &&Key| {
            let object = self.to.objects.get(*key).filter(|_| self.create.contains(*key));
            object.is_some_and(|object| !object.late.is_empty())
        };
        let late: Vec<&Key> = create.iter().filter(late).collect();
        let complete = |is_early: bool| {
            let keys = late.iter().filter(|key| late_ones.contains(**key) != is_early);
            keys.map(|key| Change::Complete((*key).clone())).collect::<Vec<_>>()
        };
        if !manner.foreign_keys_last {
            out.extend(complete(true));
        }
        out.extend(last);
        out.extend(bases_gone.into_iter().cloned().map(Change::Drop));
        out.extend(create.iter().filter(|key| late_ones.contains(*key)).map(make));
        out.extend(after);
        if manner.foreign_keys_last {
            out.extend(complete(true));
        }
        // Comments may be about foreign keys.
        out.extend(complete(false));
        out
    }

    fn made(&self, key: &Key) -> Change {
        if self.redefine.contains(key) {
            Change::Redefine(key.clone())
        } else {
            Change::Create(key.clone())
        }
    }

    /// Functions that stand on tables which are altered, where they are to go before and come after that, but for those that
    /// such tables need.
    fn functions_of_altered(&self, model: &Model) -> BTreeSet<Key> {
        if !self.functions_late {
            return BTreeSet::new();
        }
        let altered: BTreeSet<Key> = self.alter.iter().map(|(table, _)| table.clone()).into_set();
        let needed = order::needs(model, &altered);
        let functions = model.objects.iter().filter(|(key, object)| {
            let is_one = matches!(key.kind, Kind::Function | Kind::Procedure);
            // What calls one that is made anew waits for it.
            let may_wait = !needed.contains(*key) || self.called.is_one(key);
            is_one && may_wait && !object.uses.is_disjoint(&altered)
        });
        functions.map(|(key, _)| key.clone()).into_set()
    }
}

/// Whether two indexes, or views, differ in what is said behind the statement that makes them alone. What was said of a
/// view cannot be taken back.
fn is_marked(key: &Key, now: &Object, then: &Object) -> bool {
    let is_more = now.create.len().max(then.create.len()) > 1;
    let may_be = match key.kind {
        Kind::Index => true,
        Kind::View => now.create.iter().all(|statement| then.create.contains(statement)),
        _ => false,
    };
    may_be && is_more && now.on == then.on && now.create.first() == then.create.first()
}

/// Whether a column has this type, or an array of it.
fn is_of(column: &Column, data_type: &Key) -> bool {
    let written = column.data_type.written.replace('"', "");
    written.trim_end_matches("[]") == data_type.shown()
}

fn apart(manner: Manner, constraint: &Constraint) -> bool {
    manner.foreign_keys_apart && constraint.kind == ConstraintKind::ForeignKey
}

#[cfg(test)]
mod tests;
