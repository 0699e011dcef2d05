//! What must hold of the rows before a table changes, as queries that return the rows for which it does not.

use crate::code::Code;
use crate::dialect::Op;
use crate::dialect::sqlite::draft::{Draft, uses_new_values};
use crate::dialect::sqlite::expr;
use crate::dialect::sqlite::site::Site;
use crate::sql::write::{quoted, sqlite_literal};

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

impl Demand<'_> {
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

impl Draft<'_> {
    /// The rows that a condition holds for, in the words of a FROM clause, a key to name a row by, and an order:
    /// the table itself, or the rows as they will be where the condition uses values that are yet to come.
    pub(super) fn rows(&self, used: &[&str]) -> (String, String, String) {
        let name = quoted(self.name(), '"');
        let key = self.key();
        let order = self.order();
        let table = format!("{} AS {name}", self.state.qualified());
        if !uses_new_values(&self.columns, &self.table, used) {
            return (table, key, order);
        }
        let columns: Vec<String> = (0..self.columns.len())
            .filter(|&position| !self.is_generated(&self.columns[position].name))
            .map(|position| {
                format!(
                    "{} AS {}",
                    self.value(position),
                    quoted(&self.columns[position].name, '"')
                )
            })
            .collect();
        let generated = self.generated();
        let order = self
            .rowid()
            .map_or_else(|| key.clone(), |rowid| format!("{name}.{rowid}"));
        let inner = format!(
            "SELECT {key} AS sqlrev_key, {order} AS sqlrev_order, {} FROM {table}",
            columns.join(", ")
        );
        let mut from = format!("({inner}) AS {name}");
        for (column, expression) in generated {
            let column = quoted(&column, '"');
            from = format!("(SELECT *, ({expression}) AS {column} FROM {from}) AS {name}");
        }
        (from, "sqlrev_key".to_owned(), "sqlrev_order".to_owned())
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
        let parts: Vec<String> = self
            .state
            .table
            .primary_key()
            .iter()
            .map(|column| {
                let label = sqlite_literal(&format!("{column} = "));
                format!("{label} || quote({name}.{})", quoted(column, '"'))
            })
            .collect();
        match (parts.is_empty(), self.rowid()) {
            (false, _) => parts.join(" || ', ' || "),
            (true, Some(rowid)) => format!("'rowid ' || {name}.{rowid}"),
            (true, None) => "'a row'".to_owned(),
        }
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
        let (from, key, order) = self.rows(&used);
        let values: String = shown_names.iter().map(|name| format!(", {name}")).collect();
        let sql = format!("SELECT {key}{values} FROM {from} WHERE {condition} ORDER BY {order} LIMIT 10");
        // SQLite evaluates a constant before it sees whether there is a row.
        let constant = !self
            .columns
            .iter()
            .any(|column| expr::mentions(condition, &column.name));
        let direct = !constant && !uses_new_values(&self.columns, &self.table, &used);
        self.checks.push(Demanded {
            check: demand.into_op(site, sql),
            condition: direct.then(|| condition.to_owned()),
        });
    }

    /// Demands that no two rows are equal in these columns; rows with a NULL among them never are.
    pub(super) fn demand_unique(&mut self, site: &Site<'_>, demand: Demand<'_>, columns: &[&str]) {
        let names: Vec<String> = columns.iter().map(|column| quoted(column, '"')).collect();
        let used: Vec<&str> = names.iter().map(String::as_str).collect();
        let (from, key, _) = self.rows(&used);
        let compared: Vec<String> = columns
            .iter()
            .zip(&names)
            .map(|(column, name)| match self.collation(column) {
                Some(collation) => format!("{name} COLLATE {}", quoted(&collation, '"')),
                None => name.clone(),
            })
            .collect();
        let list = compared.join(", ");
        let vector = if compared.len() == 1 {
            list.clone()
        } else {
            format!("({list})")
        };
        let not_null: Vec<String> = names.iter().map(|name| format!("{name} IS NOT NULL")).collect();
        let sql = format!(
            "SELECT {key}, {} FROM {from} WHERE {vector} IN (SELECT {list} FROM {from} WHERE {} GROUP BY {list} \
             HAVING count(*) > 1) ORDER BY {list} LIMIT 10",
            names.join(", "),
            not_null.join(" AND ")
        );
        self.checks.push(Demanded {
            check: demand.into_op(site, sql),
            condition: None,
        });
    }
}
