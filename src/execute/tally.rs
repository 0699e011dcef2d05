//! How many rows a table had that is replaced by hand, and in how many its references said something.

use std::collections::BTreeMap;

use crate::driver::Driver;
use crate::execute::inherit;

/// What was counted in one table.
#[derive(Debug, Default, PartialEq, Eq)]
pub(crate) struct Tally {
    rows: Option<u64>,
    /// By column that refers to another table, in how many rows it is not NULL.
    filled: BTreeMap<String, u64>,
}

impl Tally {
    /// Counts.
    pub(crate) fn of(driver: &mut dyn Driver, table: &str) -> Self {
        let dialect = driver.dialect();
        let rows = dialect.size(table).and_then(|size| number(driver, &size.rows));
        let mut filled = BTreeMap::new();
        if let Some(references) = dialect.references() {
            for row in driver.query(&references.filled(table)).unwrap_or_default() {
                let mut values = row.into_iter().flatten();
                if let (Some(column), Some(query)) = (values.next(), values.next()) {
                    filled.extend(number(driver, &query).map(|count| (column, count)));
                }
            }
        }
        Self { rows, filled }
    }

    /// What to say of the table that has taken the place of this one. The author may well mean to leave rows out, but not
    /// without a word.
    pub(crate) fn against(&self, driver: &mut dyn Driver, table: &str) -> Vec<String> {
        let mut said = Vec::new();
        let now = driver.dialect().size(table).and_then(|size| number(driver, &size.rows));
        let (Some(before), Some(now)) = (self.rows, now) else {
            return said;
        };
        let counted = |count: u64| if count == 1 { "row" } else { "rows" };
        if now != before {
            let rows = counted(before);
            said.push(format!(
                "`{table}` had {before} {rows}, and the table that replaces it has {now}"
            ));
        }
        let gone = before.saturating_sub(now);
        for (column, before) in &self.filled {
            let dialect = driver.dialect();
            let of = match dialect.references() {
                Some(references) => references.stored(table),
                None => dialect.ident(table),
            };
            let name = dialect.ident(column);
            // A column that is not there was left out by name.
            let Some(now) = number(driver, &format!("SELECT count({name}) FROM {of}")) else {
                continue;
            };
            if before.saturating_sub(now) > gone {
                let rows = counted(*before);
                said.push(format!(
                    "`{column}` of `{table}` referred to others in {before} {rows}, and in the table that replaces it in {now}"
                ));
            }
        }
        said
    }
}

fn number(driver: &mut dyn Driver, sql: &str) -> Option<u64> {
    inherit::value(driver, sql)?.parse().ok()
}
