//! Constraints and indexes that come, go, and get other names.

use crate::dialect::sqlite::model::author::{Author, Deed};
use crate::dialect::sqlite::model::schema::{Check, Id, Key, Pen, Piece, Table, Unique, mentioned};
use crate::dialect::sqlite::model::{hanging, scene};

/// Which of a table's constraints.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Which {
    Key,
    Unique(usize),
    Check(usize),
    Foreign(usize),
    Index(usize),
}

impl Author<'_> {
    pub(super) fn add_check(&mut self) -> Option<Deed> {
        let column = self.column();
        let number = self.number();
        let condition = match self.random.below(3) {
            0 => vec![Piece::Column(column.id), Piece::Words(" IS NOT 'never'")],
            1 => vec![
                Piece::Words("typeof("),
                Piece::Column(column.id),
                Piece::Words(") <> 'blob'"),
            ],
            _ => vec![Piece::Column(column.id), Piece::Words(" > 1")],
        };
        let name = self.random.chance(70).then(|| format!("ck new {number}"));
        let check = Check { name, condition };
        Some(Deed::new(
            format!("ADD {}", Pen(Some(self.random)).check(&self.state.schema, &check)),
            Some(self.with_table(|table| table.checks.push(check))),
        ))
    }

    pub(super) fn add_unique(&mut self) -> Option<Deed> {
        let count = 1 + self.random.below(2);
        let columns = scene::some_columns(self.random, self.state.schema.table(self.table), count)?;
        let number = self.number();
        let name = Some(format!("uq new {number}"));
        let unique = Unique { name, columns };
        let mut state = self.state.clone();
        let text = format!("ADD {}", Pen(Some(self.random)).unique(&state.schema, &unique, false));
        self.unique_of(&mut state, unique);
        Some(Deed::new(text, Some(state)))
    }

    pub(super) fn add_foreign(&mut self) -> Option<Deed> {
        let number = self.number();
        let name = self.random.chance(70).then(|| format!("fk new {number}"));
        let foreign = scene::foreign(self.random, &self.state.schema, self.table, name)?;
        Some(Deed::new(
            format!(
                "ADD {}",
                Pen(Some(self.random)).foreign(&self.state.schema, &foreign, false)
            ),
            Some(self.with_table(|table| table.foreigns.push(foreign))),
        ))
    }

    pub(super) fn add_key(&mut self) -> Option<Deed> {
        if self.the_table().key.is_some() && self.random.chance(70) {
            return None;
        }
        let count = 1 + self.random.below(2);
        let columns = scene::some_columns(self.random, self.state.schema.table(self.table), count)?;
        let name = self.random.chance(50).then(|| "key new".to_owned());
        let named = name.as_ref().map_or("", |_| "CONSTRAINT \"key new\" ");
        let list = Pen(Some(self.random)).list(&self.state.schema, &columns);
        let second = self.the_table().key.is_some();
        let next = self.with_table(|table| {
            for column in &mut table.columns {
                column.not_null |= columns.contains(&column.id);
            }
            table.key = Some(Key {
                name,
                columns,
                autoincrement: false,
            });
        });
        Some(Deed::new(
            format!("ADD {named}PRIMARY KEY ({list})"),
            (!second).then_some(next),
        ))
    }

    /// The constraints with the names that an ALTER can call them by, where no two could be meant.
    fn constraints(&self) -> Vec<(String, Which)> {
        let table = self.the_table();
        let joined = |columns: &[Id]| {
            let names: Vec<&str> = columns.iter().map(|id| self.state.schema.column_name(*id)).collect();
            names.join("_")
        };
        let name = &table.name;
        let mut all: Vec<(String, Which)> = Vec::new();
        let mut push = |given: Option<&String>, default: String, which: Which| {
            all.push((given.cloned().unwrap_or(default), which));
        };
        if let Some(key) = &table.key {
            push(key.name.as_ref(), format!("{name}_pkey"), Which::Key);
        }
        for (at, unique) in table.uniques.iter().enumerate() {
            let default = format!("{name}_{}_key", joined(&unique.columns));
            push(unique.name.as_ref(), default, Which::Unique(at));
        }
        for (at, check) in table.checks.iter().enumerate() {
            let default = match mentioned(&check.condition)[..] {
                [one] => format!("{name}_{}_check", self.state.schema.column_name(one)),
                _ => format!("{name}_check"),
            };
            push(check.name.as_ref(), default, Which::Check(at));
        }
        for (at, foreign) in table.foreigns.iter().enumerate() {
            let default = format!("{name}_{}_fkey", joined(&foreign.columns));
            push(foreign.name.as_ref(), default, Which::Foreign(at));
        }
        for (at, index) in table.indexes.iter().enumerate().filter(|(_, index)| index.unique) {
            push(Some(&index.name), String::new(), Which::Index(at));
        }
        let names: Vec<String> = all.iter().map(|(name, _)| name.to_lowercase()).collect();
        all.retain(|(name, _)| names.iter().filter(|other| **other == name.to_lowercase()).count() == 1);
        all
    }

    pub(super) fn drop_constraint(&mut self) -> Option<Deed> {
        let all = self.constraints();
        if all.is_empty() {
            return None;
        }
        let (name, which) = self.random.pick(&all).clone();
        let refused = which == Which::Key && self.the_table().without_rowid;
        let next = self.with_table(|table| remove(table, which));
        let word = self.name(&name);
        let text = match which {
            Which::Key if self.random.chance(40) => "DROP PRIMARY KEY".to_owned(),
            Which::Foreign(_) if self.random.chance(40) => format!("DROP FOREIGN KEY {word}"),
            Which::Check(_) if self.random.chance(40) => format!("DROP CHECK {word}"),
            Which::Index(_) | Which::Unique(_) if self.random.chance(40) => format!("DROP INDEX {word}"),
            _ if self.random.chance(30) => format!("DROP CONSTRAINT IF EXISTS {word}"),
            _ => format!("DROP CONSTRAINT {word}"),
        };
        Some(Deed::new(text, (!refused).then_some(next)))
    }

    pub(super) fn rename_constraint(&mut self) -> Option<Deed> {
        let all = self.constraints();
        if all.is_empty() {
            return None;
        }
        let (from, which) = self.random.pick(&all).clone();
        let to = format!("renamed {}", self.number());
        let next = self.with_table(|table| match which {
            Which::Key => table.key.as_mut().expect("a key").name = Some(to.clone()),
            Which::Unique(at) => table.uniques[at].name = Some(to.clone()),
            Which::Check(at) => table.checks[at].name = Some(to.clone()),
            Which::Foreign(at) => table.foreigns[at].name = Some(to.clone()),
            Which::Index(at) => table.indexes[at].name.clone_from(&to),
        });
        Some(Deed::new(
            format!("RENAME CONSTRAINT {} TO {}", self.name(&from), self.name(&to)),
            Some(next),
        ))
    }

    /// MySQL's ADD INDEX and DROP INDEX.
    pub(super) fn index(&mut self) -> Option<Deed> {
        let table = self.the_table().clone();
        if self.random.chance(50) && !table.indexes.is_empty() {
            let at = self.random.below(table.indexes.len());
            return Some(Deed::new(
                format!("DROP KEY {}", self.name(&table.indexes[at].name)),
                Some(self.with_table(|table| remove(table, Which::Index(at)))),
            ));
        }
        let columns = scene::some_columns(self.random, &table, 2)?;
        let name = format!("i_new_{}", self.number());
        let index = loop {
            let index = hanging::index(self.random, &columns, name.clone());
            // MySQL knows no partial indexes.
            if !index
                .body
                .iter()
                .any(|piece| matches!(piece, Piece::Words(words) if words.contains("WHERE")))
            {
                break index;
            }
        };
        let unique = if index.unique { "UNIQUE " } else { "" };
        let body = Pen(Some(self.random)).phrase(&self.state.schema, &index.body);
        Some(Deed::new(
            format!("ADD {unique}INDEX {name} {body}"),
            Some(self.with_table(|table| table.indexes.push(index))),
        ))
    }
}

fn remove(table: &mut Table, which: Which) {
    match which {
        Which::Key => {
            let never_null = table.alias().is_some() || table.strict;
            let key = table.key.take().expect("a key");
            for column in &mut table.columns {
                column.not_null |= never_null && key.columns.contains(&column.id);
            }
        }
        Which::Unique(at) => drop(table.uniques.remove(at)),
        Which::Check(at) => drop(table.checks.remove(at)),
        Which::Foreign(at) => drop(table.foreigns.remove(at)),
        Which::Index(at) => drop(table.indexes.remove(at)),
    }
}
