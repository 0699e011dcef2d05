//! What a script leaves in its session, and the next revision must not inherit.

use std::collections::BTreeMap;

use crate::dialect::Dialect;
use crate::driver::{Driver, DriverError};
use crate::execute::scripts::Prepared;

/// The variables of a session with their values.
pub(crate) type Variables = BTreeMap<String, String>;

/// The variables before a script that may change some, where the statements that reset a session may leave them out.
pub(crate) fn variables(driver: &mut dyn Driver, prepared: &Prepared) -> Result<Variables, DriverError> {
    match driver.dialect().session().filter(|_| prepared.pragmas) {
        Some(query) => all(driver, query),
        None => Ok(Variables::new()),
    }
}

/// The statements that end what the script did to its session.
pub(crate) fn ends(prepared: &Prepared, dialect: &'static dyn Dialect) -> Vec<String> {
    let reset = dialect.reset().iter().filter(|_| prepared.pragmas);
    let reset = reset.map(|sql| (*sql).to_owned());
    reset.chain(prepared.temporary.iter().cloned()).collect()
}

/// Gives the variables that differ their values back.
pub(crate) fn put_back(driver: &mut dyn Driver, before: &Variables) -> Result<(), DriverError> {
    let dialect = driver.dialect();
    let Some(query) = dialect.session().filter(|_| !before.is_empty()) else {
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

fn all(driver: &mut dyn Driver, query: &str) -> Result<Variables, DriverError> {
    let rows = driver.query(query)?.into_iter();
    let pairs = rows.filter_map(|row| {
        let mut values = row.into_iter().map(Option::unwrap_or_default);
        Some((values.next()?, values.next()?))
    });
    Ok(pairs.collect())
}
