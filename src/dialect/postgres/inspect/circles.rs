//! What must be there before what, and tables that call a function which needs the table itself.

use std::collections::BTreeSet;

use crate::dialect::postgres::inspect::draft::definition;
use crate::dialect::postgres::inspect::{Reading, catalog, qualified, quoted};
use crate::error::Result;
use crate::schema::{Column, Key, Kind, Object, Table};
use crate::sorted;

/// A function that a constraint or a default of a table calls.
struct Call {
    table: Key,
    /// The catalog of the constraint or default.
    class: u32,
    /// The name of the constraint, or of the column that the default is of.
    part: String,
    function: Key,
}

impl Reading<'_> {
    /// What must be there before what. An array, a row type and a multirange stand for what they are made of.
    pub(super) fn dependencies(&mut self) -> Result<()> {
        let multiranges = if self.version >= 140_000 {
            "LEFT JOIN pg_range m ON m.rngmultitypid = t.oid"
        } else {
            "LEFT JOIN pg_range m ON false"
        };
        let sql = format!(
            "SELECT DISTINCT d.classid, d.objid, \
             CASE WHEN t.typrelid <> 0 AND r.relkind <> 'c' THEN 1259 ELSE d.refclassid END, \
             CASE WHEN t.typrelid <> 0 AND r.relkind <> 'c' THEN t.typrelid \
             WHEN m.rngtypid IS NOT NULL THEN m.rngtypid ELSE coalesce(t.oid, d.refobjid) END \
             FROM pg_depend d LEFT JOIN pg_type w ON d.refclassid = 1247 AND w.oid = d.refobjid \
             LEFT JOIN pg_type t ON t.oid = CASE WHEN w.typcategory = 'A' AND w.typelem <> 0 THEN w.typelem ELSE w.oid END \
             LEFT JOIN pg_class r ON r.oid = t.typrelid {multiranges} \
             WHERE d.deptype IN ('n', 'a') AND d.objid >= 16384 AND d.refobjid >= 16384 \
             AND d.classid IN (1247, 1255, 1259, 2604, 2605, 2606, 2617, 2618, 2620, 3256, 3381, 3456, 3466, 3600, 3602, 3079) \
             AND d.refclassid IN (1247, 1255, 1259, 2605, 2617, 3456, 3600, 3602, 3079) \
             AND NOT (d.deptype = 'a' AND d.refclassid = 1259 AND d.classid IN (1259, 2604, 2606))"
        );
        let mut all: BTreeSet<(Key, Key)> = BTreeSet::new();
        let (mut calls, mut keys) = (Vec::new(), BTreeSet::new());
        for mut row in self.rows(&sql)? {
            let by = (row.oid(), row.oid());
            let used = (row.oid(), row.oid());
            let (Some(user), Some(used)) = (self.known.get(&by), self.known.get(&used)) else {
                continue;
            };
            if !user.part.is_empty() && used.key.kind == Kind::Function {
                calls.push(Call {
                    table: user.key.clone(),
                    class: by.0,
                    part: user.part.clone(),
                    function: used.key.clone(),
                });
            } else if !user.part.is_empty() && used.key.kind == Kind::Index {
                keys.insert((user.key.clone(), used.key.clone()));
            } else if user.key != used.key {
                all.insert((user.key.clone(), used.key.clone()));
            }
        }
        for (user, used) in all {
            if let Some(object) = self.model.objects.get_mut(&user).filter(|_| user != used) {
                object.uses.insert(used);
            }
        }
        self.keys_on(keys);
        self.called(calls);
        Ok(())
    }

    /// A foreign key completes its table, which may be the one that the index under it is on, or be needed by that one.
    fn keys_on(&mut self, keys: BTreeSet<(Key, Key)>) {
        for (table, index) in keys {
            let is_circle = self.needs(&index, &table);
            if let Some(object) = self.model.objects.get_mut(&table) {
                let needs = if is_circle {
                    &mut object.late_uses
                } else {
                    &mut object.uses
                };
                needs.insert(index);
            }
        }
    }

    /// What tables call. What bodies name has its say only behind what the tables cannot do without.
    fn called(&mut self, mut calls: Vec<Call>) {
        sorted::sort_by(&mut calls, |one, other| {
            let order = one.table.cmp(&other.table).then(one.class.cmp(&other.class));
            order
                .then(one.part.cmp(&other.part))
                .then(one.function.cmp(&other.function))
        });
        let waits = |call: &Call| {
            let object = self.model.objects.get(&call.table);
            object.is_some_and(|object| comes_later(&mut object.clone(), call))
        };
        let (waiting, fixed): (Vec<Call>, Vec<Call>) = calls.into_iter().partition(waits);
        for call in fixed {
            if let Some(object) = self.model.objects.get_mut(&call.table) {
                object.uses.insert(call.function);
            }
        }
        self.after_what_bodies_name();
        for call in waiting {
            let is_circle = self.needs(&call.function, &call.table);
            let Some(object) = self.model.objects.get_mut(&call.table) else {
                continue;
            };
            if is_circle && comes_later(object, &call) {
                object.late_uses.insert(call.function);
            } else {
                object.uses.insert(call.function);
            }
        }
    }

    /// A function comes after the tables and views that its body names, but for those that need the function: a word may
    /// be a column or an argument as well, and the body is not looked at where it need not be.
    fn after_what_bodies_name(&mut self) {
        let mut named = std::mem::take(&mut self.uses);
        sorted::sort(&mut named);
        for (function, relation) in named {
            if !self.needs(&relation, &function)
                && let Some(object) = self.model.objects.get_mut(&function)
            {
                object.uses.insert(relation);
            }
        }
    }

    /// Whether something needs this table, by itself or by what it uses.
    fn needs(&self, first: &Key, table: &Key) -> bool {
        let mut seen: BTreeSet<&Key> = BTreeSet::new();
        let mut next = vec![first];
        while let Some(key) = next.pop() {
            if key == table {
                return true;
            }
            let object = self.model.objects.get(key).filter(|_| seen.insert(key));
            next.extend(
                object
                    .into_iter()
                    .flat_map(|object| object.uses.iter().chain(object.on.as_ref())),
            );
        }
        false
    }
}

/// Takes a constraint or default out of what makes its table, into what completes it; false for a column that is computed
/// with the function.
fn comes_later(object: &mut Object, call: &Call) -> bool {
    let Some(Later { within, without, later }) = object.table.as_ref().and_then(|table| Later::of(table, call)) else {
        return false;
    };
    if object.late.contains(&later) {
        return true;
    }
    // What is said behind CREATE TABLE is a statement of its own.
    if let Some(at) = object.create.iter().position(|statement| *statement == later) {
        object.create.remove(at);
        object.late.push(later);
        return true;
    }
    let taken = object.create.iter_mut().any(|create| take(create, &within, &without));
    if taken {
        object.late.push(later);
    }
    taken
}

/// A part of a table that is said later.
struct Later {
    /// It within CREATE TABLE.
    within: String,
    /// What stays there.
    without: String,
    /// The statement that says it.
    later: String,
}

impl Later {
    fn of(table: &Table, call: &Call) -> Option<Self> {
        let alter = format!("ALTER TABLE {}", qualified(&call.table.schema, &call.table.name));
        let name = quoted(&call.part);
        if call.class == catalog::DEFAULT {
            let column = table.columns.iter().find(|column| column.name == call.part)?;
            let bare = Column {
                default: None,
                ..column.clone()
            };
            let value = &column.default.as_ref()?.written;
            return Some(Self {
                within: column.definition.0.clone(),
                without: definition(&bare, None),
                later: format!("{alter} ALTER COLUMN {name} SET DEFAULT {value}"),
            });
        }
        let constraint = table
            .constraints
            .iter()
            .find(|constraint| constraint.name == call.part)?;
        let within = format!("CONSTRAINT {name} {}", constraint.definition.written);
        Some(Self {
            later: format!("{alter} ADD {within}"),
            within,
            without: String::new(),
        })
    }
}

/// Takes a part out of CREATE TABLE, or puts another in its place.
fn take(create: &mut String, part: &str, other: &str) -> bool {
    let first = format!(" (\n    {part}");
    let next = format!(",\n    {part}");
    // Constraints stand behind the columns.
    let Some(at) = create.rfind(&next).or_else(|| create.rfind(&first)) else {
        return false;
    };
    let is_first = create[at..].starts_with(&first);
    let end = at + if is_first { first.len() } else { next.len() };
    let is_last = create[end..].starts_with("\n)");
    if !is_last && !create[end..].starts_with(",\n") {
        return false;
    }
    let (from, to, put) = match (is_first, is_last) {
        _ if !other.is_empty() => (end - part.len(), end, other),
        (false, _) => (at, end, ""),
        (true, false) => (at + 2, end + 1, ""),
        // A partition has no empty parentheses.
        (true, true) if create[..at].contains(" PARTITION OF ") => (at, end + 2, ""),
        (true, true) => (at + 2, end + 1, ""),
    };
    create.replace_range(from..to, put);
    true
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_part_of_a_table() {
        let check = |create: &str, other: &str, expect: &str| {
            let mut create = create.to_owned();
            assert!(take(&mut create, "P", other));
            assert_eq!(create, expect);
        };
        check("CREATE TABLE t (\n    a,\n    P\n)", "", "CREATE TABLE t (\n    a\n)");
        check("CREATE TABLE t (\n    P,\n    a\n)", "", "CREATE TABLE t (\n    a\n)");
        check(
            "CREATE TABLE t (\n    a,\n    P,\n    b\n)",
            "",
            "CREATE TABLE t (\n    a,\n    b\n)",
        );
        check("CREATE TABLE t (\n    P\n)", "", "CREATE TABLE t ()");
        check("CREATE TABLE t (\n    P\n)", "p", "CREATE TABLE t (\n    p\n)");
        check(
            "CREATE TABLE t PARTITION OF s (\n    P\n) DEFAULT",
            "",
            "CREATE TABLE t PARTITION OF s DEFAULT",
        );
        assert!(!take(&mut "CREATE TABLE t (\n    P2\n)".to_owned(), "P", ""));
    }
}
