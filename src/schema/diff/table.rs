//! How two tables differ.

use std::collections::BTreeSet;

use crate::schema::diff::Alter;
use crate::schema::{Column, Constraint, ConstraintKind, Table};
use crate::sorted::{self, Gather as _};

/// How changes of columns are to be said.
#[derive(Debug, Clone, Copy, Default)]
pub(super) struct Way<'a> {
    /// Where a default would not survive a change of its column's type, it goes before and comes back after.
    pub defaults_apart: bool,
    /// A column is said as a whole: several changes of it are one.
    pub whole_columns: bool,
    /// A column that goes takes no constraint along.
    pub constraints_first: bool,
    /// Computed columns that go before the others change, and come again after that.
    pub computed_again: Option<&'a BTreeSet<String>>,
    /// A constraint that has no name of its own in the end comes without one, and gets none by a rename.
    pub unnamed: bool,
}

impl Way<'_> {
    fn is_again(&self, column: &Column) -> bool {
        self.computed_again.is_some_and(|again| again.contains(&column.folded))
    }
}

/// The ALTERs that lead from one table to the other.
pub(super) fn changes(from: &Table, to: &Table, way: Way<'_>) -> Vec<Alter> {
    // Most tables of a schema are as they were.
    let none_again = way.computed_again.is_none_or(BTreeSet::is_empty);
    if none_again && from.columns == to.columns && from.constraints == to.constraints && from.options == to.options {
        return Vec::new();
    }
    let columns = Columns::between(from, to, way);
    let mut constraints = Constraints::default();
    constraints.compare(from, to, &columns, way);
    let (off, mut on): (Vec<Alter>, Vec<Alter>) = options(from, to)
        .into_iter()
        .partition(|option| matches!(option, Alter::SetOption { value: None, .. }));
    // An option may need a key that comes, or be in the way of one that goes.
    let mut out = off;
    let spread = on.iter().any(|option| option.object() == PARTITIONS) && from.options.contains_key(PARTITIONS);
    let changes = [columns.add.len(), columns.drop.len(), columns.alter.len()];
    if spread && (changes.iter().any(|count| *count > 0) || constraints.is_something()) {
        out.push(switched(PARTITIONS, None));
    }
    // Where a key is written, and in which letters its name, does not count.
    let same_key = match (primary_key(from), primary_key(to)) {
        (Some(now), Some(then)) => now.folded == then.folded && now.same(then),
        (now, then) => now.is_none() && then.is_none(),
    };
    if from.options.contains_key(WITHOUT_ROWID) && !same_key {
        out.extend(Some(switched(WITHOUT_ROWID, None)).filter(|off| !out.contains(off)));
        on.extend(
            to.options
                .get(WITHOUT_ROWID)
                .map(|value| switched(WITHOUT_ROWID, Some(value))),
        );
    }
    out.extend(constraints.rename);
    out.extend(constraints.drop.into_iter().map(Alter::DropConstraint));
    // A table keeps a column at every moment, and a name is free before it is taken again.
    let again = |column: &Column| columns.add.iter().any(|new| new.folded == column.folded);
    let (first, last): (Vec<Column>, Vec<Column>) = columns.drop.iter().cloned().partition(again);
    let [first, last] = [first, last].map(|columns| computed_first(columns).into_iter().map(Alter::DropColumn));
    out.extend(first);
    let retyped = |column: &Column| {
        let mut alters = columns.alter.iter();
        alters.any(|alter| matches!(alter, Alter::SetType { from, .. } if is_computed_from(column, from)))
    };
    let (late, early): (Vec<Column>, Vec<Column>) = columns
        .add
        .into_iter()
        .partition(|column| way.is_again(column) || retyped(column));
    let (computed, plain): (Vec<Column>, Vec<Column>) = early.into_iter().partition(is_computed);
    out.extend(plain.into_iter().chain(computed).map(Alter::AddColumn));
    if way.constraints_first {
        // Nor is one dropped from which another is computed.
        out.extend(columns.alter);
        out.extend(last);
    } else {
        // What is no longer computed from a column that goes is that before.
        let goes = |other: &Column| columns.drop.iter().any(|column| column.folded == other.folded);
        let lets_go = |alter: &Alter| match alter {
            Alter::DropExpression(_) => true,
            Alter::SetExpression(column) => from.column(&column.folded).is_some_and(|now| {
                let mut others = from.columns.iter().filter(|other| goes(other));
                others.any(|other| is_computed_from(now, other))
            }),
            _ => false,
        };
        let (before, rest): (Vec<Alter>, Vec<Alter>) = columns.alter.into_iter().partition(lets_go);
        out.extend(before);
        out.extend(last);
        out.extend(rest);
    }
    out.extend(late.into_iter().map(Alter::AddColumn));
    out.extend(constraints.add.into_iter().map(Alter::AddConstraint));
    out.extend(on);
    out
}

fn is_computed(column: &Column) -> bool {
    column.generated.is_some()
}

fn is_computed_from(column: &Column, other: &Column) -> bool {
    let generated = column.generated.as_ref();
    generated.is_some_and(|generated| names(&generated.expression.written, &other.name))
}

/// Whether a text holds a name as a word of its own, in whatever letters.
pub(crate) fn names(text: &str, name: &str) -> bool {
    let is_name = |letter: char| letter.is_alphanumeric() || letter == '_' || letter == '$';
    let (text, name) = (text.to_lowercase(), name.to_lowercase());
    let mut places = text.match_indices(&name);
    places.any(|(at, found)| {
        let before = text[..at].chars().next_back();
        let behind = text[at + found.len()..].chars().next();
        !before.is_some_and(is_name) && !behind.is_some_and(is_name)
    })
}

/// The columns that are computed, now and then, from others that go or get another type, or for which `changes` holds.
pub(crate) fn computed_from_changed(from: &Table, to: &Table, changes: &dyn Fn(&Column) -> bool) -> BTreeSet<String> {
    let changed = |column: &&Column| {
        changes(column)
            || to.column(&column.folded).is_none_or(|then| {
                then.data_type != column.data_type || then.collation != column.collation || is_computed(then)
            })
    };
    let changed: Vec<&Column> = from.columns.iter().filter(changed).collect();
    let stays = |column: &&Column| to.column(&column.folded).is_some_and(is_computed);
    let computed = from.columns.iter().filter(stays);
    let stands = computed.filter(|column| changed.iter().any(|other| is_computed_from(column, other)));
    stands.map(|column| column.folded.clone()).into_set()
}

/// Columns in an order in which they can be dropped: those that are computed from others before these.
fn computed_first(columns: Vec<Column>) -> Vec<Column> {
    let (mut computed, plain): (Vec<Column>, Vec<Column>) = columns.into_iter().partition(is_computed);
    computed.reverse();
    computed.extend(plain);
    computed
}

/// How rows are spread over parts of a table, which needs columns and keys as they were, and as they will be.
const PARTITIONS: &str = "partitions";

/// That a table is stored by its primary key, so that it cannot lose that one even for a moment.
const WITHOUT_ROWID: &str = "without_rowid";

fn switched(name: &'static str, value: Option<&String>) -> Alter {
    Alter::SetOption {
        name,
        value: value.cloned(),
    }
}

fn primary_key(table: &Table) -> Option<&Constraint> {
    let mut constraints = table.constraints.iter();
    constraints.find(|constraint| constraint.kind == ConstraintKind::PrimaryKey)
}

/// Options that go, then those that come or change.
fn options(from: &Table, to: &Table) -> Vec<Alter> {
    let gone = from.options.keys().filter(|name| !to.options.contains_key(*name));
    let mut out: Vec<Alter> = gone.map(|name| Alter::SetOption { name, value: None }).collect();
    for (name, value) in &to.options {
        if from.options.get(name) != Some(value) {
            out.push(Alter::SetOption {
                name,
                value: Some(value.clone()),
            });
        }
    }
    out
}

#[derive(Default)]
struct Columns {
    defaults_apart: bool,
    add: Vec<Column>,
    drop: Vec<Column>,
    alter: Vec<Alter>,
}

impl Columns {
    fn between(from: &Table, to: &Table, way: Way<'_>) -> Self {
        let mut columns = Self {
            defaults_apart: way.defaults_apart,
            ..Self::default()
        };
        for now in &from.columns {
            match to.column(&now.folded) {
                Some(then) if way.is_again(now) => {
                    columns.drop.push(now.clone());
                    columns.add.push(then.clone());
                }
                Some(then) => {
                    let before = columns.alter.len();
                    columns.pair(now, then);
                    let leaves_values = |alter: &Alter| matches!(alter, Alter::DropExpression(_));
                    if way.whole_columns && columns.alter.len() > before + 1 && !leaves_values(&columns.alter[before]) {
                        columns.alter.truncate(before);
                        columns.alter.push(Alter::SetOther {
                            from: now.clone(),
                            to: then.clone(),
                        });
                    } else if way.whole_columns {
                        columns.alter.truncate(before + 1);
                    }
                }
                None => columns.drop.push(now.clone()),
            }
        }
        let new = to.columns.iter().filter(|column| from.column(&column.folded).is_none());
        columns.add.extend(new.cloned());
        columns
    }

    /// What leads from a column to the one it should be.
    fn pair(&mut self, now: &Column, then: &Column) {
        if now == then {
            return;
        }
        match (&now.generated, &then.generated) {
            (Some(one), Some(other)) if one == other => {}
            (Some(one), Some(other)) if one.stored == other.stored => {
                self.alter.push(Alter::SetExpression(then.clone()));
            }
            // What was computed stays as it is, on the disk or not.
            (Some(_), None) => self.alter.push(Alter::DropExpression(then.clone())),
            (None, None) => {}
            _ => {
                // Its values are computed from now on; those of a plain column are said to be lost.
                self.drop.push(now.clone());
                self.add.push(then.clone());
                return;
            }
        }
        self.values(now, then);
        if now.other != then.other {
            self.alter.push(Alter::SetOther {
                from: now.clone(),
                to: then.clone(),
            });
        }
    }

    fn values(&mut self, now: &Column, then: &Column) {
        let type_changes = now.data_type != then.data_type || now.collation != then.collation;
        let apart = self.defaults_apart && type_changes && now.default.is_some();
        if type_changes && now.default.is_some() && now.default != then.default || apart {
            // A default that is about to go need not survive the change of type.
            self.alter.push(Alter::DropDefault(now.clone()));
        }
        if now.identity.is_some() && then.identity.is_none() {
            self.alter.push(Alter::SetIdentity {
                from: now.clone(),
                to: then.clone(),
            });
        }
        if type_changes {
            let mut to = then.clone();
            if now.data_type == then.data_type {
                // They may be another spelling, or not be compared.
                to.data_type.clone_from(&now.data_type);
            }
            self.alter.push(Alter::SetType { from: now.clone(), to });
        }
        if now.default != then.default || apart {
            match &then.default {
                Some(_) => self.alter.push(Alter::SetDefault(then.clone())),
                None if !type_changes => self.alter.push(Alter::DropDefault(now.clone())),
                None => {}
            }
        }
        match (now.not_null, then.not_null) {
            (false, true) => self.alter.push(Alter::SetNotNull(then.clone())),
            (true, false) => self.alter.push(Alter::DropNotNull(then.clone())),
            _ => {}
        }
        if then.identity.is_some() && now.identity != then.identity {
            self.alter.push(Alter::SetIdentity {
                from: now.clone(),
                to: then.clone(),
            });
        }
    }
}

#[derive(Default)]
struct Constraints {
    rename: Vec<Alter>,
    drop: Vec<Constraint>,
    add: Vec<Constraint>,
}

impl Constraints {
    fn is_something(&self) -> bool {
        !(self.rename.is_empty() && self.drop.is_empty() && self.add.is_empty())
    }

    fn compare(&mut self, from: &Table, to: &Table, columns: &Columns, way: Way<'_>) {
        let folded =
            |list: &[Column]| -> BTreeSet<String> { list.iter().map(|column| column.folded.clone()).into_set() };
        let (gone, new) = (folded(&columns.drop), folded(&columns.add));
        let same = |one: &&Constraint, other: &Constraint| one.folded == other.folded && one.same(other);
        let mut before: Vec<&Constraint> = Vec::new();
        let mut after: Vec<&Constraint> = to.constraints.iter().collect();
        for now in &from.constraints {
            match after.iter().position(|then| same(then, now)) {
                Some(at) => drop(after.remove(at)),
                None => before.push(now),
            }
        }
        let is_written = |then: &Constraint| then.named.0 || !way.unnamed;
        before.retain(|now| {
            let taken: Vec<&str> = before_names(from, now);
            let at = after
                .iter()
                .position(|then| then.same(now) && !taken.contains(&then.folded.as_str()) && is_written(then));
            let Some(at) = at else { return true };
            self.rename.push(Alter::RenameConstraint {
                from: (*now).clone(),
                to: after.remove(at).clone(),
            });
            false
        });
        // A column takes the constraints that are about it along, unless a new one brings the next primary key before.
        let inside = |then: &&Constraint| then.inside.as_ref().is_some_and(|column| new.contains(column));
        let is_key = |constraint: &Constraint| constraint.kind == ConstraintKind::PrimaryKey;
        let next_key = after.iter().any(|then| is_key(then) && inside(then));
        let goes_first = |now: &Constraint| way.constraints_first || next_key && is_key(now);
        before.retain(|now| goes_first(now) || now.columns.is_disjoint(&gone));
        // What goes with a column that is made anew comes back with it. Where a column takes none along, those that stay
        // are said with the column.
        let again = |constraint: &&Constraint| {
            let mut columns = constraint.columns.iter();
            !way.constraints_first && columns.any(|name| gone.contains(name) && new.contains(name))
        };
        let back: Vec<&Constraint> = to.constraints.iter().filter(again).collect();
        after.extend(
            back.iter()
                .filter(|one| !after.contains(one))
                .copied()
                .collect::<Vec<_>>(),
        );
        // A new column brings those along that are written in it.
        after.retain(|then| !inside(then));
        let rank = |constraint: &&Constraint| constraint.kind;
        // The last one first: where names are given by counting, those before it keep theirs.
        before.reverse();
        sorted::sort_by_key(&mut before, |constraint| std::cmp::Reverse(rank(constraint)));
        sorted::sort_by_key(&mut after, rank);
        self.drop = before.into_iter().cloned().collect();
        self.add = after.into_iter().cloned().collect();
    }
}

/// The names that other constraints of the table have.
fn before_names<'t>(table: &'t Table, but: &Constraint) -> Vec<&'t str> {
    let names = table.constraints.iter().map(|constraint| constraint.folded.as_str());
    names.filter(|name| *name != but.folded).collect()
}

/// The order of kinds in which constraints are added; they are dropped in the opposite one.
const _: () = assert!((ConstraintKind::PrimaryKey as u8) < (ConstraintKind::ForeignKey as u8));
