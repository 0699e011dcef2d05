//! A connection of its own, for a URL.

#![expect(
    clippy::disallowed_methods,
    reason = "a URL is completed from the environment, as the database's own programs do"
)]

use std::collections::BTreeMap;
use std::path::PathBuf;
use std::sync::atomic::AtomicBool;
use std::time::Duration;

use crate::code::Code;
use crate::driver::{self, Driver, Opening};
use crate::error::{Error, Result};
use crate::migrator::Migrator;
use crate::project::DatabaseUrl;
use crate::sorted::Gather as _;

impl Migrator {
    /// Opens a connection to the database of a URL, for an application that has none which sqlrev knows:
    /// `postgresql://…`, `mysql://…`, `mariadb://…` with the features of these names, `sqlite:FILE` with that one. What
    /// the URL leaves out is taken from the environment, as by `psql` and `mysql`; no password is shown in an error.
    ///
    /// It may be called from an async function, and blocks: a thread for that, as `spawn_blocking` has it, is the place.
    ///
    /// ```no_run
    /// # fn main() -> Result<(), Box<dyn std::error::Error>> {
    /// use sqlrev::Migrator;
    /// use sqlrev::dialect::postgres::Postgres;
    ///
    /// let migrator = Migrator::from_folder_for(&Postgres, "migrations")?;
    /// let mut db = migrator.connect("postgresql://app@db.example.com/app")?;
    /// migrator.upgrade(&mut *db)?;
    /// # Ok(())
    /// # }
    /// ```
    ///
    /// # Errors
    /// `config::url`, `database::unsupported` where the program is built without that database, and the `connect::…` and
    /// `database::connect` codes.
    pub fn connect(&self, url: &str) -> Result<Box<dyn Driver>> {
        let here = std::env::current_dir().unwrap_or_else(|_| PathBuf::from("."));
        match DatabaseUrl::parse(url, &here)? {
            DatabaseUrl::Sqlite(place) => file(&place),
            DatabaseUrl::Server { dialect, text } => {
                let variables: BTreeMap<String, String> = std::env::vars_os()
                    .filter_map(|(name, value)| Some((name.into_string().ok()?, value.into_string().ok()?)))
                    .into_map();
                let user = ["USER", "LOGNAME", "USERNAME"]
                    .iter()
                    .find_map(|name| variables.get(*name));
                let opening = Opening {
                    variables: &variables,
                    user: user.map_or("unknown", String::as_str),
                    folders: [&here, &here],
                    wait: Duration::ZERO,
                    cancelled: &AtomicBool::new(false),
                };
                driver::server(dialect, &text, opening).unwrap_or_else(|| Err(not_built_in(dialect)))
            }
        }
    }
}

#[cfg(feature = "sqlite")]
pub(crate) fn file(place: &crate::project::SqliteUrl) -> Result<Box<dyn Driver>> {
    use crate::driver::DriverError;
    use crate::driver::sqlite::{self, Access};
    use crate::project::SqliteMode;
    use crate::secret;

    let access = match place.mode {
        SqliteMode::Create => Access::Create,
        SqliteMode::ReadWrite => Access::Write,
        SqliteMode::ReadOnly => Access::Read,
    };
    let opened = match &place.path {
        Some(path) => sqlite::open(path, access),
        None => sqlite::memory(),
    };
    // The URL of a server, without its beginning, may stand for a file.
    let cause = |error: DriverError| secret::redacted_word(&error.message);
    let opened = opened.map_err(|error| Error::new(Code::Connect, "the database cannot be opened").cause(cause(error)));
    Ok(Box::new(opened?))
}

#[cfg(not(feature = "sqlite"))]
fn file(_place: &crate::project::SqliteUrl) -> Result<Box<dyn Driver>> {
    Err(not_built_in(crate::dialect::Dialect::name(
        &crate::dialect::sqlite::Sqlite,
    )))
}

fn not_built_in(dialect: &str) -> Error {
    let message = format!("this program is built without a driver for {dialect}");
    Error::new(Code::UnsupportedDatabase, message)
        .help("build it with the feature of sqlrev that is named for the database")
}
