//! Keys that a counter gave. No downgrade takes a counter back, so the second time a revision runs its rows get the next
//! ones, and so does what refers to them.

use crate::dialect::Rows;
use crate::schema::{Constraint, ConstraintKind, Key, Model, Table};
use crate::sorted;

/// The rows of a table.
pub(super) struct Held {
    pub table: Key,
    /// Its columns, as names are compared; none where it cannot be taken apart.
    pub columns: Vec<String>,
    pub rows: Rows,
}

/// The rows of a table among those of all, which are in the order of their keys.
pub(super) fn of<'h>(tables: &'h [Held], key: &Key) -> Option<&'h Held> {
    let at = tables.binary_search_by(|held| held.table.cmp(key)).ok()?;
    tables.get(at)
}

/// Numbers that came the second time, in order, and how far they are from those of the first time.
#[derive(Clone)]
struct Numbers {
    came: Vec<i64>,
    distance: i64,
}

/// A column and the numbers that came in it.
type Numbered<'m> = (&'m Key, String, Numbers);

/// Puts the numbers of the first upgrade in the place of those that counters gave in the second one. `down` is what was
/// there before each of the two.
pub(super) fn taken_back(schema: &Model, down: &[Held], up: &[Held], again: &mut [Held]) {
    let mut numbered: Vec<Numbered<'_>> = Vec::new();
    for (key, object) in &schema.objects {
        let (Some(first), Some(second)) = (of(up, key), of(again, key)) else {
            continue;
        };
        for column in object.table.iter().flat_map(counted) {
            if let Some(found) = gone_on(&column, of(down, key), first, second) {
                numbered.push((key, column, found));
            }
        }
    }
    let mut before = 0;
    while numbered.len() > before {
        before = numbered.len();
        refer(schema, &mut numbered);
    }
    for (key, column, numbers) in &numbered {
        if let Ok(at) = again.binary_search_by(|held| held.table.cmp(key)) {
            again[at].put(column, numbers);
        }
    }
}

/// Adds the columns that refer to those.
fn refer<'m>(schema: &'m Model, numbered: &mut Vec<Numbered<'m>>) {
    for (key, object) in &schema.objects {
        for constraint in object.table.iter().flat_map(|table| &table.constraints) {
            let Some((column, parent, other)) = refers(schema, constraint) else {
                continue;
            };
            let numbers = |key: &Key, column: &str| {
                let mut all = numbered.iter();
                let found = all.find(|(known, name, _)| *known == key && name == column);
                found.map(|(_, _, numbers)| numbers.clone())
            };
            let found = numbers(parent, &other);
            if let Some(found) = found.filter(|_| numbers(key, &column).is_none()) {
                numbered.push((key, column, found));
            }
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
            if let Some(number) = value
                .parse()
                .ok()
                .filter(|number| numbers.came.binary_search(number).is_ok())
            {
                *value = (number - numbers.distance).to_string();
            }
        }
    }

    fn numbers(&self, column: &str) -> Vec<i64> {
        let at = self.place(column);
        let values = self.rows.iter().filter_map(|row| row.get(at?)?.as_ref());
        let mut numbers: Vec<i64> = values.filter_map(|value| value.parse().ok()).collect();
        sorted::sort(&mut numbers);
        numbers.dedup();
        numbers
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
        let mut numbers = held.numbers(column);
        numbers.retain(|number| there.binary_search(number).is_err());
        numbers
    });
    let distance = second.first()?.checked_sub(*first.first()?)?;
    let is_behind = second.first() > first.last() || second.last() < first.first();
    let mut pairs = first.iter().zip(&second);
    let same = pairs.all(|(one, other)| other.checked_sub(*one) == Some(distance));
    (is_behind && same && first.len() == second.len()).then_some(Numbers { came: second, distance })
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
    use crate::schema::Kind;

    fn held(numbers: &[i64]) -> Held {
        Held {
            table: Key::new(Kind::Table, "t"),
            columns: vec!["id".to_owned()],
            rows: numbers.iter().map(|number| vec![Some(number.to_string())]).collect(),
        }
    }

    #[test]
    fn a_counter_goes_on_at_one_distance() {
        let check = |down: &[i64], up: &[i64], again: &[i64], expect: Option<i64>| {
            let found = gone_on("id", Some(&held(down)), &held(up), &held(again));
            assert_eq!(found.map(|numbers| numbers.distance), expect);
        };
        check(&[1], &[1, 2], &[1, 3], Some(1));
        check(&[1], &[1, 2, 4], &[1, 6, 8], Some(4));
        check(&[-1], &[-1, -2], &[-1, -3], Some(-1));
        check(&[], &[1, 2], &[3], None);
        check(&[], &[1, 2], &[3, 5], None);
        check(&[], &[1, 2], &[2, 3], None);
        check(&[1], &[1], &[1], None);
        check(&[1, 3], &[1, 2, 3], &[1, 3], None);
    }
}
