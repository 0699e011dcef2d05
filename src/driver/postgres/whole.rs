//! The database itself, made and dropped over a session with another one of the same server.

use crate::code::Code;
use crate::dialect::postgres::Postgres as Sql;
use crate::dialect::postgres::schemas::OfUrl;
use crate::dialect::{Dialect as _, Schemas as _};
use crate::driver::postgres::connect::connect;
use crate::driver::postgres::params::Params;
use crate::driver::{Driver as _, DriverError, Opening, Whole};
use crate::error::{Error, Result};
use crate::percent;

/// Those that every server has, of which one may be closed to some.
const MAINTENANCE: [&str; 2] = ["postgres", "template1"];

/// Creates or drops the database that a URL leads to. Returns its name, and whether anything was done; or whether it is
/// there.
///
/// # Errors
/// The `connect::…` codes, and `database::failed` with the server's words.
pub(crate) fn whole(url: &str, opening: Opening<'_>, what: Whole) -> Result<(String, bool)> {
    let name = Params::new(url, opening)?.get("dbname").unwrap_or_default().to_owned();
    let schemas = OfUrl.named_by(url)?;
    let url = &percent::with_parameter(url, "schema", None);
    // A parameter that comes later counts.
    let elsewhere = |database: &str| format!("{url}{}dbname={database}", if url.contains('?') { '&' } else { '?' });
    let others = MAINTENANCE.iter().filter(|other| **other != name);
    let mut opened = Err(Error::new(Code::Connect, "there is no other database to connect to"));
    for other in others {
        opened = connect(&elsewhere(other), opening);
        match &opened {
            Err(error) if error.code() == Code::ConnectNoDatabase => {}
            _ => break,
        }
    }
    let mut session = opened?;
    let exists = format!(
        "SELECT 1 FROM pg_catalog.pg_database WHERE datname = {}",
        Sql.literal(&name)
    );
    let found = session
        .query(&exists)
        .map_err(|error| failed(&name, "looked for", error))?;
    let is_there = !found.is_empty();
    let database = Sql.ident(&name);
    let (sql, words) = match what {
        Whole::IsThere => return Ok((name, is_there)),
        Whole::Create if is_there => return Ok((name.clone(), with_schemas(url, opening, &schemas)?)),
        Whole::Drop { .. } if !is_there => return Ok((name, false)),
        Whole::Create => (format!("CREATE DATABASE {database}"), "created"),
        Whole::Drop { force: false } => (format!("DROP DATABASE {database}"), "dropped"),
        Whole::Drop { force: true } => (format!("DROP DATABASE {database} WITH (FORCE)"), "dropped"),
    };
    session.execute(&sql).map_err(|error| failed(&name, words, error))?;
    if what == Whole::Create {
        with_schemas(url, opening, &schemas)?;
    }
    Ok((name, true))
}

/// Creates the schemas that are not there in a database; tells whether there was one to create.
fn with_schemas(url: &str, opening: Opening<'_>, schemas: &[String]) -> Result<bool> {
    if schemas.is_empty() {
        return Ok(false);
    }
    let mut session = connect(url, opening)?;
    let mut made = false;
    for schema in schemas {
        let name = Sql.ident(schema);
        let exists = format!(
            "SELECT 1 WHERE pg_catalog.to_regnamespace({}) IS NOT NULL",
            Sql.literal(&name)
        );
        let found = session
            .query(&exists)
            .map_err(|error| failed(schema, "looked for", error))?;
        if found.is_empty() {
            let created = session.execute(&format!("CREATE SCHEMA {name}"));
            created.map_err(|error| {
                let message = format!("the schema `{schema}` could not be created");
                Error::new(Code::Database, message).cause(error.message)
            })?;
            made = true;
        }
    }
    Ok(made)
}

fn failed(name: &str, what: &str, error: DriverError) -> Error {
    let in_use = error.code.as_deref() == Some("55006") && what == "dropped";
    let mut failed = Error::new(Code::Database, format!("database `{name}` could not be {what}")).cause(error.message);
    let remarks = *error.remarks;
    for detail in remarks.details {
        failed = failed.cause(detail);
    }
    match remarks.hint {
        _ if in_use => failed.help("sqlrev drop --force ends the sessions of others"),
        Some(hint) => failed.help(hint),
        None => failed,
    }
}
