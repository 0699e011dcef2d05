//! A script while it is written, with the database that it leads to.

use std::collections::BTreeSet;

use rusqlite::Connection;

use crate::dialect::sqlite::model::author::Author;
use crate::dialect::sqlite::model::compare::VALUES;
use crate::dialect::sqlite::model::play::Mode;
use crate::dialect::sqlite::model::random::Random;
use crate::dialect::sqlite::model::schema::{Column, Id, Pen, Table, mentioned};
use crate::dialect::sqlite::model::state::State;
use crate::sql::write::quoted;

/// A script while it is written.
pub(super) struct Script {
    pub(super) text: String,
    /// What stands before the tables' names in it.
    pub(super) prefix: &'static str,
    pub(super) state: State,
    pub(super) db: Connection,
    /// Why its last statement must be refused.
    pub(super) refused: Option<String>,
    /// Something got another name, so that SQLite has rewritten texts.
    pub(super) renamed: bool,
    /// The author's own statements changed rows.
    pub(super) wrote: bool,
    pub(super) fresh: usize,
    pub(super) touched: BTreeSet<Id>,
    pub(super) retyped: BTreeSet<Id>,
}

impl Script {
    /// Another statement, unless chance leads nowhere.
    pub(super) fn statement(&mut self, random: &mut Random, mode: Mode) {
        match random.below(20) {
            0 | 1 => self.rename_column(random),
            2 => self.rename_table(random),
            3 => self.reorder(random),
            4 | 5 => self.write(random),
            6 => self.swap(random),
            _ => self.alter(random, mode),
        }
    }

    fn some_table(&self, random: &mut Random) -> Id {
        random.pick(&self.state.schema.tables).id
    }

    fn alter(&mut self, random: &mut Random, mode: Mode) {
        let table = self.some_table(random);
        let (mut state, mut texts) = (self.state.clone(), Vec::new());
        let mut db = self.state.build().expect("it was built before");
        let mut unsettled = BTreeSet::new();
        let mut refused = None;
        let last = random.chance(15);
        let count = 1 + random.below(3);
        for _ in 0..count {
            let mut author = Author {
                random,
                fresh: &mut self.fresh,
                inline: mode == Mode::Always,
                state: &state,
                db: &db,
                table,
                sole: count == 1,
                unsettled: &unsettled,
                retyped: &self.retyped,
            };
            let Some(deed) = author.deed() else { continue };
            let settled = match &deed.next {
                Some(next) => next.settle(),
                None => Err("its meaning".to_owned()),
            };
            match settled {
                Ok((next, built)) => {
                    let (old, new) = (state.schema.table(table), next.schema.table(table));
                    unsettled.extend(changed(old, new));
                    unsettled.extend(deed.converts);
                    self.retyped.extend(deed.converts);
                    let renamed = |column: &Column| old.column(column.id).is_some_and(|old| old.name != column.name);
                    self.renamed |= new.columns.iter().any(renamed);
                    texts.push(deed.text);
                    (state, db) = (next, built);
                }
                Err(why) if last => {
                    texts.push(deed.text);
                    refused = Some(why);
                    break;
                }
                Err(_) => {}
            }
        }
        if texts.is_empty() {
            return;
        }
        let name = Pen(Some(random)).name(&self.state.schema.table(table).name);
        let words = random.pick(&["ALTER TABLE", "alter table if exists", "ALTER TABLE ONLY"]);
        self.text
            .push_str(&format!("{words} {}{name} {};\n", self.prefix, texts.join(", ")));
        self.touched.extend(unsettled);
        (self.state, self.db, self.refused) = (state, db, refused);
    }

    fn settle(&mut self, state: &State, text: &str) {
        if let Ok((state, db)) = state.settle() {
            (self.state, self.db) = (state, db);
            self.text.push_str(text);
        }
    }

    fn rename_column(&mut self, random: &mut Random) {
        let table = self.some_table(random);
        let mut state = self.state.clone();
        self.fresh += 1;
        let to = format!("renamed {}", self.fresh);
        let table = state.schema.table_mut(table);
        let at = random.below(table.columns.len());
        let mut pen = Pen(Some(random));
        let text = format!(
            "ALTER TABLE {}{} RENAME COLUMN {} TO {};\n",
            self.prefix,
            pen.name(&table.name),
            pen.name(&table.columns[at].name),
            pen.name(&to)
        );
        table.columns[at].name = to;
        self.renamed = true;
        self.settle(&state, &text);
    }

    /// Two columns that exchange their names.
    fn swap(&mut self, random: &mut Random) {
        let table = self.some_table(random);
        let mut state = self.state.clone();
        let table = state.schema.table_mut(table);
        if table.columns.len() < 2 {
            return;
        }
        let (one, other) = (table.columns[0].name.clone(), table.columns[1].name.clone());
        let mut text = String::new();
        for (from, to) in [(&one, "aside"), (&other, &*one), (&"aside".to_owned(), &*other)] {
            let mut pen = Pen(Some(random));
            let (name, from, to) = (pen.name(&table.name), pen.name(from), pen.name(to));
            text.push_str(&format!("ALTER TABLE {}{name} RENAME {from} TO {to};\n", self.prefix));
        }
        table.columns[0].name = other;
        table.columns[1].name = one;
        self.renamed = true;
        self.settle(&state, &text);
    }

    fn rename_table(&mut self, random: &mut Random) {
        let table = self.some_table(random);
        let mut state = self.state.clone();
        self.fresh += 1;
        let to = format!("table{}", self.fresh);
        let table = state.schema.table_mut(table);
        let mut pen = Pen(Some(random));
        let (from, new) = (pen.name(&table.name), pen.name(&to));
        let text = format!("ALTER TABLE {}{from} RENAME TO {new};\n", self.prefix);
        table.name = to;
        self.renamed = true;
        self.settle(&state, &text);
    }

    fn reorder(&mut self, random: &mut Random) {
        let table = self.some_table(random);
        let mut state = self.state.clone();
        let table = state.schema.table_mut(table);
        let listed = 1 + random.below(table.columns.len());
        random.shuffle(&mut table.columns);
        let names: Vec<String> = table.columns[..listed]
            .iter()
            .map(|column| quoted(&column.name, '"'))
            .collect();
        // Those that are not listed keep their order.
        let old = self.state.schema.table(table.id);
        table.columns[listed..].sort_by_key(|column| old.columns.iter().position(|other| other.id == column.id));
        let text = format!(
            "-- sqlrev:reorder {}{} ({})\n",
            self.prefix,
            quoted(&table.name, '"'),
            names.join(", ")
        );
        self.settle(&state, &text);
    }

    /// The author's own change of rows, with foreign keys and triggers as they are.
    fn write(&mut self, random: &mut Random) {
        let table = self.state.schema.table(self.some_table(random));
        let name = quoted(&table.name, '"');
        let column = quoted(&random.pick(&table.columns).name, '"');
        let value = *random.pick(VALUES);
        let (verb, rest) = match random.below(3) {
            0 => ("UPDATE", format!("{name} SET {column} = {value}")),
            1 => ("DELETE FROM", format!("{name} WHERE {column} IS {value}")),
            _ => (
                "UPDATE",
                format!("{name} SET {column} = {value} WHERE {column} IS NULL"),
            ),
        };
        if self.db.execute_batch(&format!("{verb} {rest}")).is_ok() {
            self.state = self.state.read(&self.db);
            self.text.push_str(&format!("{verb} {}{rest};\n", self.prefix));
            self.wrote = true;
        }
    }
}

/// The columns that are not what they were, or that constraints are on which came or went.
fn changed(old: &Table, new: &Table) -> BTreeSet<Id> {
    let mut ids = BTreeSet::new();
    for column in old.columns.iter().chain(&new.columns) {
        let same = |table: &Table| table.column(column.id).map(|column| format!("{column:?}"));
        if same(old) != same(new) {
            ids.insert(column.id);
        }
    }
    let constraints = |table: &Table| -> Vec<(Vec<Id>, String)> {
        let mut all = Vec::new();
        all.extend(table.key.iter().map(|key| (key.columns.clone(), format!("{key:?}"))));
        all.extend(
            table
                .uniques
                .iter()
                .map(|unique| (unique.columns.clone(), format!("{unique:?}"))),
        );
        all.extend(
            table
                .foreigns
                .iter()
                .map(|key| (key.columns.clone(), format!("{key:?}"))),
        );
        all.extend(
            table
                .checks
                .iter()
                .map(|check| (mentioned(&check.condition), format!("{check:?}"))),
        );
        all
    };
    let (before, after) = (constraints(old), constraints(new));
    for (columns, _) in before.iter().filter(|one| !after.contains(one)) {
        ids.extend(columns);
    }
    ids
}
