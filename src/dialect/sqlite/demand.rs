//! What must hold of the rows before a table changes, as queries that return the rows for which it does not.

use crate::code::Code;
use crate::dialect::Op;
use crate::dialect::sqlite::draft::{Draft, Source, rowid_name, uses_new_values};
use crate::dialect::sqlite::site::Site;
use crate::dialect::sqlite::types::affinity;
use crate::dialect::sqlite::{expr, readers};
use crate::sql::parse::define::ClauseKind;
use crate::sql::write::{quoted, sqlite_literal};

/// Whether a row that is yet to come holds a value that it will not have in the table.
const ODD: &str = "sqlrev_odd";

/// Rows that a demand is made of.
#[derive(Debug)]
pub(super) struct RowsOf {
    /// Where they come from, in the words of a FROM clause.
    pub(super) from: String,
    /// What names a row.
    pub(super) key: String,
    /// The order to show them in.
    pub(super) order: String,
    /// The condition for those that can be judged; empty where all can.
    pub(super) plain: String,
}

/// What an error says when a demand is not met.
#[derive(Debug, Clone, Copy)]
pub(super) struct Demand<'a> {
    /// The code.
    pub(super) code: Code,
    /// The message.
    pub(super) message: &'a str,
    /// What to do.
    pub(super) help: &'a str,
}

/// A demand that was made.
#[derive(Debug, Clone)]
pub(super) struct Demanded {
    /// The check.
    pub(super) check: Op,
    /// The condition that no row may meet, where a row of the table as it is suffices to tell.
    pub(super) condition: Option<String>,
}

/// The condition that no row of a column that becomes NOT NULL may meet.
pub(super) fn is_null(column: &str) -> String {
    format!("{} IS NULL", quoted(column, '"'))
}

impl Demand<'_> {
    /// The demand, by a query that looks at more than one row.
    pub(super) fn over_rows(self, site: &Site<'_>, sql: String) -> Demanded {
        Demanded {
            check: self.into_op(site, sql),
            condition: None,
        }
    }

    /// The demand as something to do.
    pub(super) fn into_op(self, site: &Site<'_>, sql: String) -> Op {
        Op::Check {
            sql,
            code: self.code,
            message: self.message.to_owned(),
            help: self.help.to_owned(),
            at: site.at(),
        }
    }
}

/// What is used, and the expressions of the generated columns among it.
fn with_computed<'t>(used: &[&'t str], generated: &'t [(String, String)]) -> Vec<&'t str> {
    let mut used = used.to_vec();
    for (column, expression) in generated.iter().rev() {
        if used.iter().any(|text| expr::mentions(text, column)) {
            used.push(expression);
        }
    }
    used
}

/// Whether an expression uses a column: what is only compared with the values of other rows need not have its affinity.
fn works_with(used: &[&str], column: &str) -> bool {
    let alone = quoted(column, '"');
    used.iter().any(|text| *text != alone && expr::mentions(text, column))
}

impl Draft<'_> {
    /// The rows that a condition holds for: the table itself, or the rows as they will be where the condition uses values
    /// that are yet to come.
    pub(super) fn rows(&self, used: &[&str]) -> RowsOf {
        self.relation(used, false)
    }

    /// Likewise; the values have the affinities of their columns, where a CAST leaves them as they are.
    pub(super) fn typed_rows(&self, used: &[&str]) -> RowsOf {
        self.relation(used, true)
    }

    fn relation(&self, used: &[&str], typed: bool) -> RowsOf {
        let name = quoted(self.name(), '"');
        let table = format!("{} AS {name}", self.state.qualified());
        if !uses_new_values(&self.columns, &self.table, used) {
            return RowsOf {
                from: table,
                key: self.key(),
                order: self.order(),
                plain: String::new(),
            };
        }
        let generated = self.generated();
        let used = with_computed(used, &generated);
        let is_used = |column: &str| used.iter().any(|text| expr::mentions(text, column));
        let typed_in = |column: &str| typed && works_with(&used, column);
        let mut columns = Vec::new();
        let mut odd = Vec::new();
        for (position, column) in self.columns.iter().enumerate() {
            if self.is_generated(&column.name) {
                continue;
            }
            let (value, is_odd) = if typed_in(&column.name) {
                self.typed(position)
            } else {
                (self.value(position), None)
            };
            let value = match self.collation(&column.name).filter(|_| column.recollated) {
                Some(collation) if matches!(column.source, Source::Same(_)) => {
                    format!("{value} COLLATE {}", quoted(&collation, '"'))
                }
                _ => value,
            };
            columns.push(format!("{value} AS {}", quoted(&column.name, '"')));
            odd.extend(is_odd.filter(|_| is_used(&column.name)));
        }
        let mut plain = Vec::new();
        if !odd.is_empty() {
            columns.push(format!("{} AS {ODD}", odd.join(" OR ")));
            plain.push(format!("NOT {ODD}"));
        }
        let key = self.key();
        let order = self
            .rowid()
            .map_or_else(|| key.clone(), |rowid| format!("{name}.{rowid}"));
        let inner = format!(
            "SELECT {key} AS sqlrev_key, {order} AS sqlrev_order, {} FROM {table}",
            columns.join(", ")
        );
        let mut from = format!("({inner}) AS {name}");
        for (column, expression) in &generated {
            let (value, odd) = self.computed(column, &format!("({expression})"), typed_in(column));
            let mark = odd.filter(|_| is_used(column)).map_or_else(String::new, |odd| {
                let mark = format!("{ODD}_{}", plain.len());
                plain.push(format!("NOT {mark}"));
                format!(", {odd} AS {mark}")
            });
            from = format!(
                "(SELECT *, {value} AS {}{mark} FROM {from}) AS {name}",
                quoted(column, '"')
            );
        }
        RowsOf {
            from,
            key: "sqlrev_key".to_owned(),
            order: "sqlrev_order".to_owned(),
            plain: plain.join(" AND "),
        }
    }

    /// The value of a column with the affinity that the column will have, by which SQLite compares it (datatype3.html,
    /// section 4), and a condition for when that is another value.
    fn typed(&self, position: usize) -> (String, Option<String>) {
        let value = self.value(position);
        let column = &self.columns[position];
        if matches!(column.source, Source::Same(_)) {
            return (value, None);
        }
        let (typed, odd) = affinity(self.type_of(&column.name), self.table.strict()).with_affinity(&value);
        match self.collation(&column.name) {
            Some(collation) => (format!("{typed} COLLATE {}", quoted(&collation, '"')), odd),
            None => (typed, odd),
        }
    }

    /// Whether one of these texts uses a generated column, whose expression goes by the affinities of its columns.
    pub(super) fn uses_generated(&self, used: &[&str]) -> bool {
        let mut columns = self.table.columns().map(|column| &column.name.text);
        columns.any(|name| self.is_generated(name) && used.iter().any(|text| expr::mentions(text, name)))
    }

    /// What a generated column makes of the value of its expression; `typed`: with the column's affinity, and a condition
    /// for when that is another value.
    fn computed(&self, name: &str, value: &str, typed: bool) -> (String, Option<String>) {
        let affinity = affinity(self.type_of(name), self.table.strict());
        let (value, odd) = if typed {
            affinity.with_affinity(value)
        } else {
            (affinity.applied(value), None)
        };
        match self.collation(name) {
            Some(collation) => (format!("{value} COLLATE {}", quoted(&collation, '"')), odd),
            None => (value, odd),
        }
    }

    /// The generated columns and their expressions, each behind those that it uses.
    fn generated(&self) -> Vec<(String, String)> {
        let names = self.table.columns().map(|column| &column.name.text);
        let mut rest: Vec<(String, String)> = names
            .filter_map(|name| Some((name.clone(), self.table.at(&self.table.expression_of(name)?).to_owned())))
            .collect();
        let mut sorted = Vec::new();
        while !rest.is_empty() {
            let free = |(name, text): &(String, String)| {
                !rest
                    .iter()
                    .any(|(other, _)| other != name && expr::mentions(text, other))
            };
            // SQLite refuses columns that use each other in a circle, so there is always one.
            let next = rest.iter().position(free).unwrap_or(0);
            sorted.push(rest.remove(next));
        }
        sorted
    }

    fn key(&self) -> String {
        let name = quoted(self.name(), '"');
        match (self.named_by(&self.state.table.primary_key()), self.rowid()) {
            (Some(key), _) => key,
            (None, Some(rowid)) => format!("'rowid ' || {name}.{rowid}"),
            (None, None) => "'a row'".to_owned(),
        }
    }

    /// What names a row of the table as it will be.
    pub(super) fn new_key(&self) -> String {
        match rowid_name(&self.table) {
            Some(rowid) => format!("'rowid ' || {}.{rowid}", quoted(self.name(), '"')),
            None => self
                .named_by(&self.table.primary_key())
                .unwrap_or_else(|| "'a row'".to_owned()),
        }
    }

    /// The columns of a key with their values, in words.
    fn named_by(&self, key: &[String]) -> Option<String> {
        let name = quoted(self.name(), '"');
        let parts: Vec<String> = key
            .iter()
            .map(|column| {
                let label = sqlite_literal(&format!("{column} = "));
                format!("{label} || quote({name}.{})", quoted(column, '"'))
            })
            .collect();
        (!parts.is_empty()).then(|| parts.join(" || ', ' || "))
    }

    fn order(&self) -> String {
        if let Some(rowid) = self.rowid() {
            rowid.to_owned()
        } else {
            let key = self.state.table.primary_key();
            let columns: Vec<String> = key.iter().map(|column| quoted(column, '"')).collect();
            if columns.is_empty() {
                "1".to_owned()
            } else {
                columns.join(", ")
            }
        }
    }

    /// Demands that no row meets a condition; `shown` are the columns that the message shows of a row that does.
    pub(super) fn demand(&mut self, site: &Site<'_>, demand: Demand<'_>, condition: &str, shown: &[&str]) {
        let shown_names: Vec<String> = shown.iter().map(|name| quoted(name, '"')).collect();
        let mut used: Vec<&str> = shown_names.iter().map(String::as_str).collect();
        used.push(condition);
        let new = uses_new_values(&self.columns, &self.table, &used);
        // What no CAST leaves as it is, the check behind the copy sees.
        let typed = demand.code == Code::BatchCheckViolated || self.uses_generated(&used);
        let rows = self.relation(&used, new && typed);
        let plain = match rows.plain.as_str() {
            "" => String::new(),
            plain => format!("{plain} AND "),
        };
        let values: String = shown_names.iter().map(|name| format!(", {name}")).collect();
        let sql = format!(
            "SELECT {}{values} FROM {} WHERE {plain}{condition} ORDER BY {} LIMIT 10",
            rows.key, rows.from, rows.order
        );
        // SQLite evaluates a constant before it sees whether there is a row.
        let constant = !self
            .columns
            .iter()
            .any(|column| expr::mentions(condition, &column.name));
        let direct = !constant && !new;
        self.checks.push(Demanded {
            check: demand.into_op(site, sql),
            condition: direct.then(|| condition.to_owned()),
        });
    }

    /// What has to hold of the rows that a copy has written: CHECKs of values that the rows did not have before. What the
    /// demands could not foresee is seen then.
    pub(super) fn late_checks(&self, last: usize) -> Vec<Op> {
        let mut checks = Vec::new();
        let moved = readers::moves_rowids(self);
        for (_, clause) in self.table.constraints() {
            let ClauseKind::Check(condition) = &clause.kind else {
                continue;
            };
            let condition = self.table.at(condition);
            let skipped = self.not_valid.iter().any(|other| other == condition);
            let by_number = moved && readers::ROWID.iter().any(|name| expr::mentions(condition, name));
            if skipped || !by_number && !uses_new_values(&self.columns, &self.table, &[condition]) {
                continue;
            }
            let (name, key) = (quoted(self.name(), '"'), self.new_key());
            checks.push(Op::Check {
                sql: format!(
                    "SELECT {key} FROM {} AS {name} WHERE ({condition}) IS FALSE LIMIT 10",
                    self.state.qualified()
                ),
                code: Code::BatchCheckViolated,
                message: format!("a row of `{}` would violate CHECK ({condition})", self.name()),
                help: "change the rows first, or drop the constraint".to_owned(),
                at: (last, 0..0),
            });
        }
        checks
    }
}
