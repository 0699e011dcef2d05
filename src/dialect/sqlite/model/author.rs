//! Somebody who writes ALTERs, and says what each one means in PostgreSQL's sense.

use std::collections::BTreeSet;

use rusqlite::Connection;

use crate::dialect::sqlite::model::random::Random;
use crate::dialect::sqlite::model::schema::{Column, Id, Pen, Table};
use crate::dialect::sqlite::model::state::State;

/// An action of an ALTER TABLE.
pub(super) struct Deed {
    pub(super) text: String,
    /// What it leads to; `None` where it must be refused whatever the rows are.
    pub(super) next: Option<State>,
    /// The column that it gives other values, whatever its definition says.
    pub(super) converts: Option<Id>,
}

impl Deed {
    pub(super) fn new(text: String, next: Option<State>) -> Self {
        Self {
            text,
            next,
            converts: None,
        }
    }
}

/// What an action may look at.
pub(super) struct Author<'a> {
    pub(super) random: &'a mut Random,
    /// A number for new names.
    pub(super) fresh: &'a mut usize,
    /// UNIQUE is written into the definition.
    pub(super) inline: bool,
    pub(super) state: &'a State,
    /// The database of this state.
    pub(super) db: &'a Connection,
    pub(super) table: Id,
    /// The statement has no other action.
    pub(super) sole: bool,
    /// The columns that earlier actions of the statement gave other values.
    pub(super) unsettled: &'a BTreeSet<Id>,
    /// The columns that got another type, which their defaults have to be of.
    pub(super) retyped: &'a BTreeSet<Id>,
}

impl Author<'_> {
    pub(super) fn the_table(&self) -> &Table {
        self.state.schema.table(self.table)
    }

    pub(super) fn column(&mut self) -> Column {
        let table = self.state.schema.table(self.table);
        self.random.pick(&table.columns).clone()
    }

    /// A column that holds values.
    pub(super) fn stored_column(&mut self) -> Option<Column> {
        Some(self.column()).filter(|column| column.generated.is_none())
    }

    pub(super) fn name(&mut self, name: &str) -> String {
        Pen(Some(self.random)).name(name)
    }

    pub(super) fn number(&mut self) -> usize {
        *self.fresh += 1;
        *self.fresh
    }

    /// The state with another column.
    pub(super) fn with_column(&self, id: Id, change: impl FnOnce(&mut Column)) -> State {
        self.with_table(|table| {
            let column = table.columns.iter_mut().find(|column| column.id == id);
            change(column.expect("a column of the table"));
        })
    }

    pub(super) fn with_table(&self, change: impl FnOnce(&mut Table)) -> State {
        let mut state = self.state.clone();
        change(state.schema.table_mut(self.table));
        state
    }

    /// One action, or none where chance led nowhere.
    pub(super) fn deed(&mut self) -> Option<Deed> {
        match self.random.below(26) {
            0 | 1 => self.set_not_null(),
            2 => self.drop_not_null(),
            3 | 4 => self.set_default(),
            5 => self.drop_default(),
            6..=8 => self.set_type(),
            9..=11 => self.add_column(),
            12 | 13 => self.drop_column(),
            14 => self.add_check(),
            15 => self.add_unique(),
            16 | 17 => self.add_foreign(),
            18 => self.add_key(),
            19 | 20 => self.drop_constraint(),
            21 => self.rename_constraint(),
            22 => self.modify(),
            23 => self.index(),
            24 => self.drop_expression(),
            _ => self.nothing(),
        }
    }

    fn set_not_null(&mut self) -> Option<Deed> {
        let column = self.stored_column()?;
        let next = self.with_column(column.id, |column| column.not_null = true);
        Some(Deed::new(
            format!("ALTER COLUMN {} SET NOT NULL", self.name(&column.name)),
            Some(next),
        ))
    }

    fn drop_not_null(&mut self) -> Option<Deed> {
        let column = self.stored_column()?;
        let next = self.with_column(column.id, |column| column.not_null = false);
        let in_key = self.the_table().in_key(column.id);
        Some(Deed::new(
            format!("ALTER {} DROP NOT NULL", self.name(&column.name)),
            (!in_key).then_some(next),
        ))
    }

    fn set_default(&mut self) -> Option<Deed> {
        let column = self.column();
        let value = (*self.random.pick(super::scene::DEFAULTS)).to_owned();
        let retyped = self.retyped.contains(&column.id) || self.unsettled.contains(&column.id);
        if retyped && !super::types::fits(&column.data_type, &value) {
            return None;
        }
        let text = format!("ALTER COLUMN {} SET DEFAULT {value}", self.name(&column.name));
        let next = self.with_column(column.id, |column| column.default = Some(value));
        Some(Deed::new(text, column.generated.is_none().then_some(next)))
    }

    fn drop_default(&mut self) -> Option<Deed> {
        let column = self.stored_column()?;
        let next = self.with_column(column.id, |column| column.default = None);
        Some(Deed::new(
            format!("ALTER {} DROP DEFAULT", self.name(&column.name)),
            Some(next),
        ))
    }

    fn drop_expression(&mut self) -> Option<Deed> {
        let column = self.column();
        let if_exists = if column.generated.is_none() { " IF EXISTS" } else { "" };
        Some(Deed::new(
            format!("ALTER COLUMN {} DROP EXPRESSION{if_exists}", self.name(&column.name)),
            Some(self.with_column(column.id, |column| column.generated = None)),
        ))
    }

    /// What passes over what is not there, or there already.
    fn nothing(&mut self) -> Option<Deed> {
        let column = self.column();
        let name = self.name(&column.name);
        let text = match self.random.below(4) {
            0 => format!("ADD COLUMN IF NOT EXISTS {name} TEXT NOT NULL UNIQUE"),
            1 => "DROP COLUMN IF EXISTS nowhere".to_owned(),
            2 => "DROP CONSTRAINT IF EXISTS nowhere CASCADE".to_owned(),
            _ => "ALTER COLUMN nowhere SET NOT NULL".to_owned(),
        };
        let refused = text.starts_with("ALTER");
        Some(Deed::new(text, (!refused).then(|| self.state.clone())))
    }
}
