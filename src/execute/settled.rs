//! A schema that a database holds, in the words that expressions have on scratch.

use std::borrow::Cow;
use std::collections::BTreeSet;

use crate::error::Result;
use crate::execute::autogenerate::Autogenerate;
use crate::schema::diff;
use crate::schema::{Column, ConstraintKind, Key, Model, Object};
use crate::sorted::Gather as _;

impl Autogenerate<'_> {
    /// A schema in the words that its expressions get where they settle, as those of the other one have, which scratch
    /// made. Tables with expressions that differ are made there; the database itself is never altered for that.
    ///
    /// # Errors
    /// What the database refuses.
    pub fn settled<'m>(&self, model: &'m Model, other: &Model) -> Result<Cow<'m, Model>> {
        if model.tried || !self.dialect.manner().settles {
            return Ok(Cow::Borrowed(model));
        }
        let differ = diff::compare(model, other);
        let tables: BTreeSet<Key> = differ.iter().filter_map(|key| with_expression(model, key)).into_set();
        if tables.is_empty() {
            return Ok(Cow::Borrowed(model));
        }
        let mut part = model.part(&tables);
        for table in part.objects.values_mut() {
            // Foreign keys want their parents.
            table.late.clear();
        }
        // What cannot be made there is compared as it is.
        let Ok(mut replay) = self.holding(&part) else {
            return Ok(Cow::Borrowed(model));
        };
        let made = self.model(&mut replay)?;
        let mut settled = model.clone();
        settled.tried = true;
        for (key, made) in made.objects {
            if let Some(own) = settled.objects.get_mut(&key) {
                take(own, made);
            }
        }
        Ok(Cow::Owned(settled))
    }
}

/// The table that has an expression, or an index with one.
fn with_expression(model: &Model, key: &Key) -> Option<Key> {
    let object = model.objects.get(key)?;
    if let Some(table) = &object.on {
        return (object.meaning.contains("((") && model.table(table).is_some()).then(|| table.clone());
    }
    let table = object.table.as_ref()?;
    let has_one = |column: &Column| {
        let default = column.default.as_ref();
        column.generated.is_some() || default.is_some_and(|default| default.written.starts_with('('))
    };
    let is_any = table.columns.iter().any(has_one)
        || table
            .constraints
            .iter()
            .any(|constraint| constraint.kind == ConstraintKind::Check);
    is_any.then(|| key.clone())
}

/// Takes the words of what was made on scratch, without foreign keys.
fn take(own: &mut Object, made: Object) {
    own.meaning = made.meaning;
    own.create = made.create;
    if let (Some(table), Some(mut new)) = (&mut own.table, made.table) {
        let foreign = std::mem::take(&mut table.constraints).into_iter();
        let foreign = foreign.filter(|constraint| constraint.kind == ConstraintKind::ForeignKey);
        new.constraints.extend(foreign);
        *table = new;
    }
}
