//! Keys that a counter gave. No downgrade takes a counter back, so the second time a revision runs its rows get the next
//! ones, and so does what refers to them.

use std::collections::{BTreeMap, BTreeSet};

use crate::dialect::Rows;
use crate::schema::{Constraint, ConstraintKind, Key, Model, Table};
use crate::sorted::Gather as _;

/// The rows of a table.
pub(super) struct Held {
    /// Its columns, as names are compared; none where it cannot be taken apart.
    pub columns: Vec<String>,
    pub rows: Rows,
}

/// The rows of each table.
pub(super) type Tables = BTreeMap<Key, Held>;

/// Numbers as they came the second time, and what they were the first time.
type Numbers = BTreeMap<String, String>;

/// Puts the numbers of the first upgrade in the place of those that counters gave in the second one. `down` is what was
/// there before each of the two.
pub(super) fn taken_back(schema: &Model, down: &Tables, up: &Tables, again: &mut Tables) {
    let mut numbers: BTreeMap<(&Key, String), Numbers> = BTreeMap::new();
    let tables = || {
        let objects = schema.objects.iter();
        objects.filter_map(|(key, object)| Some((key, object.table.as_ref()?)))
    };
    for (key, table) in tables() {
        let (Some(first), Some(second)) = (up.get(key), again.get(key)) else {
            continue;
        };
        for column in counted(table) {
            if let Some(found) = gone_on(&column, down.get(key), first, second) {
                numbers.insert((key, column), found);
            }
        }
    }
    if numbers.is_empty() {
        return;
    }
    loop {
        let before = numbers.len();
        for (key, table) in tables() {
            for constraint in &table.constraints {
                let Some((column, parent, other)) = refers(schema, constraint) else {
                    continue;
                };
                let found = numbers.get(&(parent, other)).cloned();
                if let Some(found) = found.filter(|_| !numbers.contains_key(&(key, column.clone()))) {
                    numbers.insert((key, column), found);
                }
            }
        }
        if numbers.len() == before {
            break;
        }
    }
    for ((key, column), numbers) in &numbers {
        if let Some(held) = again.get_mut(*key) {
            held.put(column, numbers);
        }
    }
}

impl Held {
    fn place(&self, column: &str) -> Option<usize> {
        self.columns.iter().position(|name| name == column)
    }

    fn put(&mut self, column: &str, numbers: &Numbers) {
        let Some(at) = self.place(column) else { return };
        for value in self.rows.iter_mut().filter_map(|row| row.get_mut(at)?.as_mut()) {
            if let Some(number) = numbers.get(value) {
                value.clone_from(number);
            }
        }
    }

    fn numbers(&self, column: &str) -> BTreeSet<i128> {
        let at = self.place(column);
        let values = self.rows.iter().filter_map(|row| row.get(at?)?.as_ref());
        values.filter_map(|value| value.parse().ok()).into_set()
    }
}

/// The columns that a counter fills where a statement gives no value.
fn counted(table: &Table) -> Vec<String> {
    let key = table.constraints.iter().find(|constraint| {
        constraint.kind == ConstraintKind::PrimaryKey && table.options.contains_key("autoincrement")
    });
    let columns = table.columns.iter().filter(|column| {
        let default = column.default.as_ref();
        let is_next = default.is_some_and(|value| value.written.to_ascii_lowercase().contains("nextval("));
        column.identity.is_some() || is_next || key.is_some_and(|key| key.columns.contains(&column.folded))
    });
    columns.map(|column| column.folded.clone()).collect()
}

/// The numbers that are new in both, where those that came the second time follow those of the first one at one distance.
fn gone_on(column: &str, down: Option<&Held>, up: &Held, again: &Held) -> Option<Numbers> {
    let there = down.map(|held| held.numbers(column)).unwrap_or_default();
    let [first, second] = [up, again].map(|held| {
        let numbers = held.numbers(column);
        numbers.difference(&there).copied().collect::<Vec<i128>>()
    });
    let distance = second.first()? - first.first()?;
    let is_behind = second.first() > first.last() || second.last() < first.first();
    let mut pairs = first.iter().zip(&second);
    let same = pairs.all(|(one, other)| other - one == distance);
    (is_behind && same && first.len() == second.len()).then(|| {
        let numbers = second.iter();
        numbers
            .map(|number| (number.to_string(), (number - distance).to_string()))
            .into_map()
    })
}

/// The column of a foreign key, the table that it refers to, and the column there.
fn refers<'m>(schema: &'m Model, constraint: &'m Constraint) -> Option<(String, &'m Key, String)> {
    let parent = constraint.parent.as_ref()?;
    let mut columns = constraint.columns.iter();
    let (Some(column), None) = (columns.next(), columns.next()) else {
        return None;
    };
    let words = &constraint.definition.written;
    let at = words.to_ascii_uppercase().find("REFERENCES")?;
    let named = words[at..].split_once('(').and_then(|(_, rest)| rest.split_once(')'));
    let other = match named {
        Some((name, _)) => name.trim_matches(['"', '`', '[', ']', ' ']).to_lowercase(),
        None => {
            let mut keys = schema.table(parent)?.constraints.iter();
            let key = keys.find(|key| key.kind == ConstraintKind::PrimaryKey)?;
            key.columns.first()?.to_lowercase()
        }
    };
    let other = schema
        .table(parent)?
        .columns
        .iter()
        .find(|column| column.folded.to_lowercase() == other)?;
    Some((column.clone(), parent, other.folded.clone()))
}

#[cfg(test)]
mod tests {
    use super::*;

    fn held(numbers: &[i128]) -> Held {
        Held {
            columns: vec!["id".to_owned()],
            rows: numbers.iter().map(|number| vec![Some(number.to_string())]).collect(),
        }
    }

    #[test]
    fn a_counter_goes_on_at_one_distance() {
        let check = |down: &[i128], up: &[i128], again: &[i128], expect: &[(&str, &str)]| {
            let found = gone_on("id", Some(&held(down)), &held(up), &held(again));
            let found = found.unwrap_or_default();
            let pairs: Vec<(&str, &str)> = found
                .iter()
                .map(|(one, other)| (one.as_str(), other.as_str()))
                .collect();
            assert_eq!(pairs, expect);
        };
        check(&[1], &[1, 2], &[1, 3], &[("3", "2")]);
        check(&[1], &[1, 2, 4], &[1, 6, 8], &[("6", "2"), ("8", "4")]);
        check(&[-1], &[-1, -2], &[-1, -3], &[("-3", "-2")]);
        check(&[], &[1, 2], &[3], &[]);
        check(&[], &[1, 2], &[3, 5], &[]);
        check(&[], &[1, 2], &[2, 3], &[]);
        check(&[1], &[1], &[1], &[]);
        check(&[1, 3], &[1, 2, 3], &[1, 3], &[]);
    }
}
