//! What calls a function that is made anew from within a table, and has to make room for that.

use std::collections::BTreeSet;

use crate::schema::diff::{Alter, Force, Plan};
use crate::schema::{Column, Constraint, Key, Kind, Model, Object, Table, Text};
use crate::sorted::Gather as _;

/// Functions that are made anew, as they stand in expressions.
#[derive(Default)]
pub(super) struct Called(Vec<String>);

impl Called {
    /// Those that no statement leads to what they should be, and those that call them in their turn.
    pub(super) fn of(from: &Model, force: &Force) -> Self {
        let is_one = |key: &&Key| key.kind == Kind::Function && !key.schema.is_empty();
        let anew = force.recreate.iter().filter(is_one).cloned().into_set();
        if anew.is_empty() {
            return Self::default();
        }
        let callers = from.dependents(&anew);
        Self::named(anew.iter().chain(callers.iter().filter(is_one)))
    }

    /// What goes before tables change, and stands in their expressions: functions, and what they name otherwise.
    pub(super) fn gone<'k>(keys: impl Iterator<Item = &'k Key>) -> Self {
        let names = keys.filter_map(|key| match key.kind {
            Kind::Function => Some(name(key)),
            Kind::Collation => Some(format!(" COLLATE {}", key.shown())),
            Kind::Operator => {
                let operator = key.name.split('(').next().unwrap_or_default();
                Some(format!("OPERATOR({}.{operator})", key.schema))
            }
            Kind::TextSearchDictionary => Some(format!("'{}'::regdictionary", key.shown())),
            Kind::TextSearchConfiguration => Some(format!("'{}'::regconfig", key.shown())),
            Kind::Sequence => Some(format!("'{}'::regclass", key.shown())),
            _ => None,
        });
        Self(names.collect())
    }

    /// Whether it is one of these, or one of the same name with other arguments.
    pub(super) fn is_one(&self, key: &Key) -> bool {
        self.0.contains(&name(key))
    }

    /// Whether a change brings back what calls one of them: it comes when they are there again.
    pub(super) fn waits(&self, alter: &Alter) -> bool {
        match alter {
            Alter::AddConstraint(constraint) => self.is_in(&constraint.definition),
            Alter::SetDefault(column) => self.is_in_default(column),
            Alter::AddColumn(column) => self.is_computed(column),
            _ => false,
        }
    }

    fn named<'k>(keys: impl Iterator<Item = &'k Key>) -> Self {
        Self(keys.map(name).collect())
    }

    /// What a table that goes must give up first, since it calls functions that need the table and so go before it.
    pub(super) fn given_up(object: &Object, gone: &BTreeSet<&Key>) -> Vec<Alter> {
        let called = Self::named(object.late_uses.iter().filter(|key| gone.contains(key)));
        let Some(table) = object.table.as_ref().filter(|_| !called.0.is_empty()) else {
            return Vec::new();
        };
        let constraints = table.constraints.iter();
        let constraints = constraints.filter(|constraint| called.is_in(&constraint.definition));
        let columns = table.columns.iter().filter(|column| called.is_in_default(column));
        let constraints = constraints.cloned().map(Alter::DropConstraint);
        constraints.chain(columns.cloned().map(Alter::DropDefault)).collect()
    }

    fn is_in(&self, text: &Text) -> bool {
        let text = text.written.replace('"', "");
        self.0.iter().any(|name| text.contains(name))
    }

    fn is_in_default(&self, column: &Column) -> bool {
        column.default.as_ref().is_some_and(|default| self.is_in(default))
    }

    fn is_computed(&self, column: &Column) -> bool {
        let generated = column.generated.as_ref();
        generated.is_some_and(|generated| self.is_in(&generated.expression))
    }

    /// The columns that are computed with them, now and then: they go and come again.
    pub(super) fn computed<'t>(&self, now: &'t Table, then: &'t Table) -> impl Iterator<Item = String> {
        let stays = |column: &&Column| then.column(&column.folded).is_some_and(|then| then.generated.is_some());
        let computed = now
            .columns
            .iter()
            .filter(|column| self.is_computed(column))
            .filter(stays);
        computed
            .map(|column| column.folded.clone())
            .collect::<Vec<_>>()
            .into_iter()
    }

    /// Whether a change takes away what calls one of them: it comes before they go.
    pub(super) fn is_left_by(&self, alter: &Alter) -> bool {
        match alter {
            Alter::DropConstraint(constraint) => self.is_in(&constraint.definition),
            Alter::DropDefault(column) => self.is_in_default(column),
            Alter::DropColumn(column) => {
                self.is_in_default(column) || self.is_computed(column) || self.is_collation(column)
            }
            _ => false,
        }
    }

    fn is_collation(&self, column: &Column) -> bool {
        let collation = column.collation.as_ref();
        collation.is_some_and(|collation| {
            let words = format!(" COLLATE {}", collation.written.replace('"', ""));
            self.0.contains(&words)
        })
    }

    /// What takes away a default that calls one of them, where another one comes in its place.
    pub(super) fn default_before(&self, alter: &Alter, table: Option<&Table>) -> Option<Alter> {
        let Alter::SetDefault(column) = alter else { return None };
        let now = table?.column(&column.folded)?;
        self.is_in_default(now).then(|| Alter::DropDefault(now.clone()))
    }
}

/// What a function is called by, as it stands in expressions.
fn name(key: &Key) -> String {
    let shown = key.shown();
    shown.split('(').next().unwrap_or_default().to_owned() + "("
}

impl Plan<'_> {
    /// Constraints and defaults that call functions which are made anew go before that, and come back.
    pub(super) fn free_calls(&mut self) {
        if self.called.0.is_empty() {
            return;
        }
        // It goes before others come, and so before tables do that go as well.
        let goes = |key: &Key| key.kind == Kind::Function && self.called.is_one(key) && !self.create.contains(key);
        let is_gone = self.drop.iter().any(goes);
        for (key, object) in &self.from.objects {
            let Some(now) = &object.table else { continue };
            let (mut first, mut last) = (Vec::new(), Vec::new());
            let none = Table::default();
            let then = match self.to.table(key) {
                Some(then) => then,
                None if is_gone => {
                    let constraints = now.constraints.iter();
                    let constraints = constraints.filter(|constraint| self.called.is_in(&constraint.definition));
                    first.extend(constraints.cloned().map(Alter::DropConstraint));
                    let columns = now.columns.iter().filter(|column| self.called.is_in_default(column));
                    first.extend(columns.cloned().map(Alter::DropDefault));
                    &none
                }
                None => continue,
            };
            let calls = |constraint: &&Constraint| self.called.is_in(&constraint.definition);
            for constraint in now.constraints.iter().filter(calls) {
                if then.constraints.contains(constraint) {
                    first.push(Alter::DropConstraint(constraint.clone()));
                    last.push(Alter::AddConstraint(constraint.clone()));
                }
            }
            for column in now.columns.iter().filter(|column| self.called.is_in_default(column)) {
                // One that changes is set by itself, and one that goes is dropped so.
                if let Some(then) = then.column(&column.folded).filter(|then| then.default.is_some()) {
                    first.push(Alter::DropDefault(column.clone()));
                    last.extend(Some(Alter::SetDefault(then.clone())).filter(|_| then.default == column.default));
                }
            }
            if first.is_empty() {
                continue;
            }
            match self.alter.iter_mut().find(|(table, _)| table == key) {
                Some((_, alters)) => {
                    first.retain(|alter| !alters.contains(alter));
                    last.retain(|alter| !alters.contains(alter));
                    alters.splice(0..0, first);
                    alters.extend(last);
                }
                None => self.alter.push((key.clone(), [first, last].concat())),
            }
        }
    }
}
