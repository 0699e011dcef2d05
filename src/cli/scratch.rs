//! Databases to try things on: in memory on SQLite; on a server made beside the project's database, or on the server that
//! `dev_url` names, and thrown away.

use std::cell::RefCell;
use std::sync::atomic::Ordering;

use crate::cli::session::{History, Session, unsupported};
use crate::code::Code;
use crate::driver::{self, Driver, DriverError, Failure, Remarks};
use crate::error::{Error, Result};
use crate::percent;
use crate::project::DatabaseUrl;

/// Makes scratch databases.
pub(crate) type Scratch<'a> = Box<dyn Fn() -> Result<Box<dyn Driver>, DriverError> + 'a>;

/// What makes scratch databases of the project's kind. Nothing is connected to before the first one is asked for.
pub(crate) fn maker<'a>(session: &'a Session<'_>, history: &'a History) -> Scratch<'a> {
    let memory = || driver::sqlite::memory().map(|db| Box::new(db) as Box<dyn Driver>);
    if !is_on_server(history) {
        return Box::new(memory);
    }
    let base: RefCell<Option<Box<dyn Driver>>> = RefCell::new(None);
    Box::new(move || {
        still_wanted(session)?;
        let mut base = base.borrow_mut();
        let base = match &mut *base {
            Some(base) => base,
            none => none.insert(connect(session, history).map_err(|error| told(&error))?),
        };
        let scratch = base.scratch()?;
        session.interrupts(scratch.interrupter());
        Ok(scratch)
    })
}

/// Lets a Ctrl-C interrupt what runs on a scratch database that was made before another one.
pub(crate) fn resumed(session: &Session<'_>, driver: &mut dyn Driver) -> Result<(), DriverError> {
    still_wanted(session)?;
    session.interrupts(driver.interrupter());
    Ok(())
}

fn still_wanted(session: &Session<'_>) -> Result<(), DriverError> {
    if session.cancel.flag().load(Ordering::Relaxed) {
        return Err(DriverError {
            failure: Failure::Interrupted,
            ..DriverError::new("interrupted")
        });
    }
    Ok(())
}

/// One scratch database.
pub(crate) fn one(session: &Session<'_>, history: &History) -> Result<Box<dyn Driver>> {
    let made = if is_on_server(history) {
        connect(session, history)?.scratch()
    } else {
        maker(session, history)()
    };
    made.map_err(|error| crate::execute::fault::database(&error))
}

fn is_on_server(history: &History) -> bool {
    driver::servers().any(|dialect| dialect == history.dialect.name())
}

fn connect(session: &Session<'_>, history: &History) -> Result<Box<dyn Driver>> {
    let project = &history.project;
    let own = project.url()?;
    let other = project.dev_url()?;
    let url = other.as_ref().unwrap_or(&own);
    let DatabaseUrl::Server { dialect, text } = url else {
        return Err(unsupported(url));
    };
    // The schema need not be there: it is made in each scratch database.
    let text = if history.schemas.is_empty() {
        text.clone()
    } else {
        percent::with_parameter(text, "schema", None)
    };
    let driver = driver::server(dialect, &text, session.opening(project)?);
    let driver = driver.unwrap_or_else(|| Err(unsupported(url)));
    let mut driver = driver.map_err(|error| match (&other, error.code()) {
        // `create` by itself is about the project's own.
        (Some(_), Code::ConnectNoDatabase) => error.help_in(|_| {
            "create the database that `dev_url` names, or name another one there: sqlrev create --url URL".to_owned()
        }),
        _ => error,
    })?;
    session.no_text_is_passed_over(project, &*driver)?;
    driver.scratch_in(&history.schemas);
    if other.is_some() {
        driver.stand_for(&database(&own));
    }
    Ok(driver)
}

/// The name of a server's database in its URL.
fn database(url: &DatabaseUrl) -> String {
    let DatabaseUrl::Server { text, .. } = url else {
        return String::new();
    };
    let place = text.split(['?', '#']).next().unwrap_or_default();
    let path = place.split_once("://").and_then(|(_, rest)| rest.split_once('/'));
    let name = path.map_or("", |(_, name)| name);
    crate::percent::part(name).unwrap_or_default()
}

/// An error of connecting, as one of a database.
fn told(error: &Error) -> DriverError {
    let failure = if error.code() == Code::Interrupted {
        Failure::Interrupted
    } else {
        Failure::Disconnected
    };
    DriverError {
        failure,
        remarks: Box::new(Remarks {
            details: error.causes().to_vec(),
            hint: error.help_lines().first().cloned(),
            data_line: None,
        }),
        ..DriverError::new(error.message())
    }
}
