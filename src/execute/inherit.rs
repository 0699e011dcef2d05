//! What a script leaves in its session, and the next revision must not inherit.

use std::collections::BTreeMap;

use crate::code::Code;
use crate::dialect::{Dialect, Rows};
use crate::driver::{Driver, DriverError};
use crate::error::Error;
use crate::execute::scripts::Prepared;
use crate::execute::step::Ready;
use crate::sorted::Gather as _;

/// The variables of a session with their values.
type Variables = BTreeMap<String, String>;

/// A session as it was before a script.
pub(crate) struct Session {
    variables: Variables,
    /// The statements that would drop what was temporary then: an application's own stays.
    temporary: Rows,
}

/// The session before a script, as far as the script may change it.
pub(crate) fn session(driver: &mut dyn Driver, prepared: &Prepared) -> Result<Session, DriverError> {
    Ok(Session {
        variables: variables(driver, prepared)?,
        temporary: temporary(driver, prepared)?,
    })
}

/// The statements that drop what is temporary now, where the database can say, and the script makes anything.
fn temporary(driver: &mut dyn Driver, prepared: &Prepared) -> Result<Rows, DriverError> {
    let query = driver.dialect().temporary_now();
    match query.filter(|_| !prepared.temporary.is_empty()) {
        Some(query) => driver.query(query),
        None => Ok(Rows::new()),
    }
}

/// The variables before a script that may change some, where the statements that reset a session may leave them out.
fn variables(driver: &mut dyn Driver, prepared: &Prepared) -> Result<Variables, DriverError> {
    if !prepared.pragmas {
        return Ok(Variables::new());
    }
    let dialect = driver.dialect();
    if let Some(query) = dialect.session() {
        return all(driver, query);
    }
    // What such a variable is set with stands for its name.
    let asked = dialect.kept().iter();
    Ok(asked
        .filter_map(|[query, set]| Some(((*set).to_owned(), value(driver, query)?)))
        .into_map())
}

/// The error for what ends a script, where that wrote a schema by hand which cannot be read.
pub(crate) fn unreadable(error: Error, ready: &Ready<'_>) -> Error {
    if ready.prepared.reads_schema.is_empty() || error.code() != Code::NotADatabase {
        return error;
    }
    let script = &ready.script;
    let message = format!("`{}` writes a schema that cannot be read", script.file.name);
    let label = "behind all of its statements".to_owned();
    let causes = error.causes().to_vec();
    let error = Error::new(Code::StatementFailed, message)
        .at(&script.file, script.body..script.body, label)
        .help("correct what it writes into the schema by hand");
    causes.into_iter().fold(error, Error::cause)
}

fn resets(prepared: &Prepared, dialect: &'static dyn Dialect) -> impl Iterator<Item = String> {
    let resets = dialect.reset().iter().filter(|_| prepared.pragmas);
    resets.chain(prepared.reads_schema).map(|sql| (*sql).to_owned())
}

/// The statements that end what the script did to its session, as its text says it.
pub(crate) fn ends_by_text(prepared: &Prepared, dialect: &'static dyn Dialect) -> Vec<String> {
    resets(prepared, dialect)
        .chain(prepared.temporary.iter().rev().cloned())
        .collect()
}

/// The statements that end what the script did to its session.
pub(crate) fn ends(driver: &mut dyn Driver, prepared: &Prepared, before: &Session) -> Result<Vec<String>, DriverError> {
    if driver.dialect().temporary_now().is_none() {
        return Ok(ends_by_text(prepared, driver.dialect()));
    }
    let mut made = temporary(driver, prepared)?;
    made.retain(|row| !before.temporary.contains(row));
    Ok(resets(prepared, driver.dialect())
        .chain(made.into_iter().flatten().flatten())
        .collect())
}

/// Gives the variables that differ their values back.
pub(crate) fn put_back(driver: &mut dyn Driver, before: &Session) -> Result<(), DriverError> {
    let dialect = driver.dialect();
    let before = &before.variables;
    if before.is_empty() {
        return Ok(());
    }
    let Some(query) = dialect.session() else {
        for [query, set] in dialect.kept() {
            let Some(was) = before.get(*set) else { continue };
            if value(driver, query).is_some_and(|is| is != *was) {
                driver.execute(&format!("{set}{was}"))?;
            }
        }
        return Ok(());
    };
    for (name, value) in all(driver, query)? {
        let was = before.get(&name).filter(|was| **was != value);
        let Some([first, second]) = was.and_then(|was| dialect.put_back(&name, was)) else {
            continue;
        };
        if let Err(error) = driver.execute(&first).or_else(|_| driver.execute(&second))
            && error.failure == crate::driver::Failure::Lost
        {
            return Err(error);
        }
        // Where the server takes neither, it is no variable of sessions, and others may have changed it.
    }
    Ok(())
}

/// The first value that a query returns.
pub(crate) fn value(driver: &mut dyn Driver, query: &str) -> Option<String> {
    let rows = driver.query(query).ok()?;
    rows.into_iter().next()?.into_iter().next()?
}

fn all(driver: &mut dyn Driver, query: &str) -> Result<Variables, DriverError> {
    let rows = driver.query(query)?.into_iter();
    let pairs = rows.filter_map(|row| {
        let mut values = row.into_iter().map(Option::unwrap_or_default);
        Some((values.next()?, values.next()?))
    });
    Ok(pairs.into_map())
}
