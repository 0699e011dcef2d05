//! ADD and DROP COLUMN, changes of type, and MySQL's MODIFY.

use rusqlite::types::Value;

use crate::dialect::sqlite::model::author::{Author, Deed};
use crate::dialect::sqlite::model::scene::{self, DEFAULTS};
use crate::dialect::sqlite::model::schema::{
    Check, Column, Foreign, Id, Index, Key, Pen, Piece, Table, Unique, mentioned, mentions,
};
use crate::dialect::sqlite::model::state::{State, order};
use crate::dialect::sqlite::model::types::{Class, TYPES, class, fits, survives};
use crate::sql::token::unquoted;
use crate::sql::write::quoted;

impl Author<'_> {
    pub(super) fn set_type(&mut self) -> Option<Deed> {
        let column = self.stored_column()?;
        let strict = self.the_table().strict;
        let (asked, loose, tight) = *self.random.pick(TYPES);
        let written = if strict { tight } else { loose };
        let mut text = format!("ALTER COLUMN {} TYPE {asked}", self.name(&column.name));
        let recollated = self
            .random
            .chance(15)
            .then(|| *self.random.pick(&["NOCASE", "RTRIM", "BINARY"]));
        if let Some(collation) = recollated {
            text.push_str(&format!(" COLLATE {collation}"));
        }
        let using = (self.random.chance(25) && !self.unsettled.contains(&column.id)).then(|| {
            let name = quoted(&column.name, '"');
            self.random
                .pick(&[
                    format!("length({name})"),
                    format!("CAST({name} AS TEXT)"),
                    format!("coalesce({name}, 0)"),
                ])
                .clone()
        });
        if let Some(using) = &using {
            text.push_str(&format!(" USING {using}"));
        }
        self.retyped(&column, written, recollated, using.as_deref(), text)
    }

    /// A column with another type, where its values survive that.
    fn retyped(
        &mut self,
        column: &Column,
        written: &str,
        recollated: Option<&'static str>,
        using: Option<&str>,
        text: String,
    ) -> Option<Deed> {
        let table = self.the_table().clone();
        let (old, new) = (class(&column.data_type, table.strict), class(written, table.strict));
        let alias = table.alias() == Some(column.id);
        if alias && new == Class::Integer && using.is_none() {
            // It stays INTEGER, and with it the collation of numbers, which is none.
            let next = recollated.is_none().then(|| self.state.clone());
            return next.map(|next| Deed::new(text, Some(next)));
        }
        if alias && (using.is_some() || recollated.is_some()) || self.unsettled.contains(&column.id) {
            return None;
        }
        let mut state = self.with_column(column.id, |column| {
            written.clone_into(&mut column.data_type);
            column.collation = recollated.or(column.collation);
            // The key never held NULL, and nothing else says so now.
            column.not_null |= alias;
        });
        if let Some(using) = using {
            self.evaluate(&mut state, &table, column.id, using)?;
        }
        let any = |data_type: &str| table.strict && data_type.eq_ignore_ascii_case("ANY");
        if using.is_some() || old != new || any(&column.data_type) != any(written) {
            let mut lost = false;
            for row in &state.rows[&table.id] {
                lost |= !survives(&row.values[&column.id], new, table.strict)?;
            }
            if column.default.as_ref().is_some_and(|default| !fits(written, default)) {
                return None;
            }
            if lost {
                return Some(Deed::new(text, None));
            }
        }
        Some(Deed {
            converts: Some(column.id),
            ..Deed::new(text, Some(state))
        })
    }

    /// Gives a column the values of an expression over each row; nothing where one is a text that is not UTF-8, which is
    /// not modelled.
    fn evaluate(&self, state: &mut State, table: &Table, column: Id, expression: &str) -> Option<()> {
        let (name, order) = (quoted(&table.name, '"'), order(table));
        let sql = format!("SELECT {expression} FROM {name} ORDER BY {order}");
        let mut statement = self.db.prepare(&sql).expect("a query");
        let values = statement.query_map([], |row| row.get::<_, Value>(0)).expect("values");
        let values: Vec<Value> = values.collect::<Result<_, _>>().ok()?;
        for (row, value) in state.rows.get_mut(&table.id).expect("rows").iter_mut().zip(values) {
            row.values.insert(column, value);
        }
        Some(())
    }

    pub(super) fn add_column(&mut self) -> Option<Deed> {
        let strict = self.the_table().strict;
        let number = self.number();
        let mut state = self.state.clone();
        let id = state.schema.fresh();
        let types: &[&str] = if strict {
            &["TEXT", "INTEGER", "REAL", "ANY"]
        } else {
            &["TEXT", "INTEGER", "VARCHAR(10)", "REAL", "BLOB", "INT"]
        };
        let taken = |name: &&&str| self.the_table().columns.iter().any(|column| column.name == **name);
        let free: Vec<&str> = scene::NAMES.iter().filter(|name| !taken(name)).copied().collect();
        // A name that a column had before means another column now.
        let name = if !free.is_empty() && self.random.chance(40) {
            (*self.random.pick(&free)).to_owned()
        } else {
            format!("new {number}")
        };
        let mut column = Column {
            id,
            name,
            data_type: (*self.random.pick(types)).to_owned(),
            default: self.random.chance(60).then(|| (*self.random.pick(DEFAULTS)).to_owned()),
            not_null: self.random.chance(20),
            collation: self.random.chance(10).then_some("NOCASE"),
            generated: None,
        };
        let (mut constraints, mut key) = (Vec::new(), None);
        if self.random.chance(10) && self.the_table().key.is_none() {
            "INTEGER".clone_into(&mut column.data_type);
            column.default = None;
            let autoincrement = self.random.chance(30) && !self.the_table().without_rowid;
            let auto = if autoincrement { " AUTOINCREMENT" } else { "" };
            constraints.push(format!("PRIMARY KEY{auto}"));
            key = Some(Key {
                name: None,
                columns: vec![id],
                autoincrement,
            });
        } else if self.random.chance(15) {
            let of = self.stored_column()?.id;
            column.default = None;
            let phrase = vec![Piece::Words("length("), Piece::Column(of), Piece::Words(")")];
            column.generated = Some((phrase, self.random.chance(50)));
        }
        let at = self.place();
        let table = state.schema.table_mut(self.table);
        let index = at.as_ref().map_or(table.columns.len(), |(_, index)| *index);
        table.columns.insert(index, column.clone());
        table.key = key.or(table.key.take());
        self.constrained(&mut state, &column, &mut constraints);
        let definition = Pen(Some(self.random)).column(&state.schema, &column, constraints);
        let word = *self.random.pick(&["", "COLUMN ", "COLUMN IF NOT EXISTS "]);
        let place = at.map_or_else(String::new, |(words, _)| words);
        Some(Deed::new(format!("ADD {word}{definition}{place}"), Some(state)))
    }

    /// MySQL's FIRST or AFTER, and the place that it means.
    fn place(&mut self) -> Option<(String, usize)> {
        if self.random.chance(80) {
            return None;
        }
        let count = self.the_table().columns.len();
        let index = self.random.below(count);
        let Some(before) = index.checked_sub(1) else {
            return Some((" FIRST".to_owned(), 0));
        };
        let name = self.the_table().columns[before].name.clone();
        Some((format!(" AFTER {}", self.name(&name)), index))
    }

    /// Constraints that come with a new column.
    fn constrained(&mut self, state: &mut State, column: &Column, constraints: &mut Vec<String>) {
        let id = column.id;
        if self.random.chance(20) {
            let name = self.random.chance(50).then(|| format!("ck {id}"));
            let check = Check {
                name,
                condition: vec![Piece::Column(id), Piece::Words(" IS NOT 'never'")],
            };
            constraints.push(Pen(Some(self.random)).check(&state.schema, &check));
            state.schema.table_mut(self.table).checks.push(check);
        }
        if self.random.chance(15) && column.generated.is_none() {
            let name = self.random.chance(50).then(|| format!("uq {id}"));
            let unique = Unique {
                name,
                columns: vec![id],
            };
            constraints.push(Pen(None).unique(&state.schema, &unique, true));
            self.unique_of(state, unique);
        }
        if self.random.chance(15)
            && column.generated.is_none()
            && let Some(foreign) = scene::foreign(self.random, &self.state.schema, self.table, None)
            && foreign.columns.len() == 1
            && foreign.parent != self.table
        {
            let foreign = Foreign {
                columns: vec![id],
                inline: true,
                ..foreign
            };
            constraints.push(Pen(Some(self.random)).references(&state.schema, &foreign));
            state.schema.table_mut(self.table).foreigns.push(foreign);
        }
    }

    /// A UNIQUE constraint, which is an index of its name where it need not be part of the definition.
    pub(super) fn unique_of(&self, state: &mut State, unique: Unique) {
        let schema = &state.schema;
        let table = schema.table(self.table);
        let names: Vec<&str> = unique.columns.iter().map(|id| schema.column_name(*id)).collect();
        let name = format!("{}_{}_key", table.name, names.join("_"));
        let mut body = vec![Piece::Words("(")];
        for (at, id) in unique.columns.iter().enumerate() {
            if at > 0 {
                body.push(Piece::Words(", "));
            }
            body.push(Piece::Column(*id));
        }
        body.push(Piece::Words(")"));
        let table = state.schema.table_mut(self.table);
        if self.inline {
            table.uniques.push(unique);
        } else {
            table.indexes.push(Index {
                name: unique.name.unwrap_or(name),
                unique: true,
                body,
                columns: unique.columns,
            });
        }
    }

    pub(super) fn drop_column(&mut self) -> Option<Deed> {
        let column = self.column();
        let id = column.id;
        let table = self.the_table().clone();
        let schema = &self.state.schema;
        let generated = table.columns.iter().filter(|other| other.id != id);
        let computed = generated
            .filter_map(|other| other.generated.as_ref())
            .any(|(phrase, _)| mentions(phrase, id));
        let hangs = schema.hanging().any(|hanging| mentions(&hanging.body, id));
        let refers = |child: &Table| {
            child.foreigns.iter().any(|foreign| match &foreign.to {
                _ if foreign.parent != table.id => false,
                Some(to) => to.contains(&id),
                None => table.in_key(id),
            })
        };
        if refers(&table) {
            return None;
        }
        let referred = schema.tables.iter().any(refers);
        let kept = table.without_rowid && table.in_key(id);
        let refused = computed || hangs || referred || kept || table.columns.len() == 1;
        let mut next = self.with_table(|table| drop(table, id));
        for row in next.rows.get_mut(&table.id).into_iter().flatten() {
            row.values.remove(&id);
        }
        let (word, behind) = (
            *self.random.pick(&["COLUMN ", "COLUMN IF EXISTS ", ""]),
            *self.random.pick(&["", "", " CASCADE", " RESTRICT"]),
        );
        // `DROP CONSTRAINT x` and the like would be something else.
        Some(Deed::new(
            format!("DROP {word}{}{behind}", self.name(&column.name)),
            (!refused).then_some(next),
        ))
    }

    /// MySQL's MODIFY: the type, NOT NULL and the default become what it says.
    pub(super) fn modify(&mut self) -> Option<Deed> {
        let column = self.stored_column()?;
        if self.the_table().in_key(column.id) {
            return None;
        }
        let strict = self.the_table().strict;
        let (asked, loose, tight) = *self.random.pick(TYPES);
        let written = if strict { tight } else { loose };
        let not_null = self.random.chance(40);
        let default = self.random.chance(50).then(|| (*self.random.pick(DEFAULTS)).to_owned());
        let to = if self.sole && self.random.chance(40) {
            format!("changed {}", self.number())
        } else {
            column.name.clone()
        };
        let mut text = if to != column.name || self.random.chance(30) {
            format!("CHANGE {} {} {asked}", self.name(&column.name), self.name(&to))
        } else {
            format!("MODIFY COLUMN {} {asked}", self.name(&column.name))
        };
        if not_null {
            text.push_str(" NOT NULL");
        }
        if let Some(default) = &default {
            text.push_str(&format!(" DEFAULT {default}"));
        }
        let place = self.place();
        if let Some((words, _)) = &place {
            if words.strip_prefix(" AFTER ").map(unquoted).as_deref() == Some(&*column.name) {
                return None;
            }
            text.push_str(words);
        }
        if default.as_ref().is_some_and(|default| !fits(written, default)) {
            return None;
        }
        let mut deed = self.retyped(
            &Column {
                default: None,
                ..column.clone()
            },
            written,
            None,
            None,
            text,
        )?;
        if let Some(state) = &mut deed.next {
            let table = state.schema.table_mut(self.table);
            let from = table.columns.iter().position(|other| other.id == column.id)?;
            table.columns[from].name = to;
            table.columns[from].not_null = not_null;
            table.columns[from].default = default;
            if let Some((_, to)) = place {
                let moved = table.columns.remove(from);
                table.columns.insert(if to > from { to - 1 } else { to }, moved);
            }
        }
        Some(deed)
    }
}

/// Takes a column out with the indexes and constraints that use it.
fn drop(table: &mut Table, id: Id) {
    table.columns.retain(|column| column.id != id);
    table.indexes.retain(|index| !mentions(&index.body, id));
    table.uniques.retain(|unique| !unique.columns.contains(&id));
    table.checks.retain(|check| !mentioned(&check.condition).contains(&id));
    table.foreigns.retain(|foreign| !foreign.columns.contains(&id));
    if let Some(key) = table.key.take_if(|key| key.columns.contains(&id)) {
        let strict = table.strict;
        for column in &mut table.columns {
            column.not_null |= strict && key.columns.contains(&column.id);
        }
    }
}
