//! Tables of attached databases that a script drops. Nothing is followed there as it is in the database itself, so what
//! would go along stops the script.

use crate::code::Code;
use crate::dialect::Setting;
use crate::driver::Driver;
use crate::error::{Error, Result};
use crate::execute::fault;
use crate::execute::walk::Place;

/// Refuses to drop a table of an attached database while rows of others there follow it.
///
/// # Errors
/// `execute::would_delete_rows`
pub(crate) fn takes_nothing_along(driver: &mut dyn Driver, place: &Place<'_>) -> Result<()> {
    let Some(references) = driver.dialect().references() else {
        return Ok(());
    };
    let Some((schema, table)) = references.drops(place.statement.text) else {
        return Ok(());
    };
    let own = |schema: &String| ["main", "temp"].iter().any(|own| schema.eq_ignore_ascii_case(own));
    if schema.as_ref().is_some_and(own) || !driver.setting(Setting::ForeignKeys, None).unwrap_or(false) {
        return Ok(());
    }
    let mut ask = |sql: &str| driver.query(sql).map_err(|error| fault::database(&error));
    let [others, is_own] = references.attached(&table);
    let schemas = match schema {
        Some(schema) => vec![schema],
        None => {
            let schemas: Vec<String> = ask(&others)?.into_iter().flatten().flatten().collect();
            if schemas.is_empty() || !ask(&is_own)?.is_empty() {
                return Ok(());
            }
            schemas
        }
    };
    for schema in schemas {
        for row in ask(&references.followers_there(&schema, &table))? {
            let mut values = row.into_iter().flatten();
            let (Some(child), Some(query)) = (values.next(), values.next()) else {
                continue;
            };
            if ask(&query)?.is_empty() {
                continue;
            }
            let (file, span) = place.in_file();
            let message = format!("to drop `{schema}.{table}` would delete or change rows of `{schema}.{child}`");
            return Err(Error::new(Code::WouldDeleteRows, message)
                .at(&file, span, format!("rows of `{child}` follow this table's"))
                .help(format!(
                    "say what is meant before: DELETE FROM {schema}.{child}; or to change the table: ALTER TABLE {schema}.{table} …"
                ))
                .help("tables of attached databases are not replaced by hand while foreign keys are on"));
        }
    }
    Ok(())
}
