//! Code of the application's own, beside the SQL of a revision.

use std::error::Error as StdError;

use crate::code::Code;
use crate::driver::Driver;
use crate::error::{Error, Result};
use crate::execute::lent::OwnCode;
use crate::revision::Direction;
use crate::revision::graph::RevisionGraph;

/// What an application's code may fail with.
pub type BoxError = Box<dyn StdError + Send + Sync>;

type Closure = Box<dyn Fn(&mut Data<'_>) -> Result<(), BoxError> + Send + Sync>;

/// What code of the application is given: the connection, in the transaction of the revision.
pub struct Data<'a> {
    driver: &'a mut dyn Driver,
    revision: &'a str,
    direction: Direction,
}

impl std::fmt::Debug for Data<'_> {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        write!(f, "Data({} {})", self.direction.name(), self.revision)
    }
}

impl Data<'_> {
    /// The id of the revision.
    pub fn revision(&self) -> &str {
        self.revision
    }

    /// Up or down.
    pub fn direction(&self) -> Direction {
        self.direction
    }

    /// The database, as every driver gives it.
    pub fn driver(&mut self) -> &mut dyn Driver {
        self.driver
    }

    /// The connection, when it is of this type.
    pub fn connection<T: 'static>(&mut self) -> Option<&mut T> {
        self.driver.connection()?.downcast_mut()
    }

    /// The connection to SQLite.
    ///
    /// # Errors
    /// When the connection is another one.
    #[cfg(feature = "sqlite")]
    pub fn sqlite(&mut self) -> Result<&rusqlite::Connection, BoxError> {
        let connection = self.connection::<rusqlite::Connection>();
        connection
            .map(|connection| &*connection)
            .ok_or_else(|| "the connection is not one of rusqlite".into())
    }
}

struct Entry {
    revision: String,
    direction: Direction,
    closure: Closure,
}

/// The code that was registered.
#[derive(Default)]
pub(super) struct Registered(Vec<Entry>);

impl std::fmt::Debug for Registered {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_list()
            .entries(self.0.iter().map(|entry| &entry.revision))
            .finish()
    }
}

impl Registered {
    pub(super) fn add(&mut self, revision: &str, direction: Direction, closure: Closure) {
        let revision = revision.to_owned();
        self.0.push(Entry {
            revision,
            direction,
            closure,
        });
    }

    /// Refuses code for revisions that cannot run it.
    pub(super) fn check(&self, graph: &RevisionGraph) -> Result<()> {
        for entry in &self.0 {
            let id = &entry.revision;
            match graph.get(id) {
                Some(revision) if revision.header.code => {}
                Some(revision) => {
                    let message = format!("code is registered for revision `{id}`, whose header does not say so");
                    let error = Error::new(Code::OwnCodeUnexpected, message);
                    return Err(error.help(format!(
                        "write `-- code: true` into the header of {}: then the command line refuses to run it without \
                         the code",
                        revision.file_name()
                    )));
                }
                None => {
                    let message = format!("code is registered for revision `{id}`, which does not exist");
                    return Err(Error::new(Code::OwnCodeUnexpected, message).help("write the id in full"));
                }
            }
        }
        Ok(())
    }
}

impl OwnCode for Registered {
    fn is_there(&self, revision: &str, direction: Direction) -> bool {
        self.0
            .iter()
            .any(|entry| entry.revision == revision && entry.direction == direction)
    }

    fn run(&self, revision: &str, direction: Direction, driver: &mut dyn Driver) -> Result<()> {
        let entries = self.0.iter();
        for entry in entries.filter(|entry| entry.revision == revision && entry.direction == direction) {
            let mut data = Data {
                driver: &mut *driver,
                revision,
                direction,
            };
            (entry.closure)(&mut data).map_err(|error| failed(revision, direction, &*error))?;
        }
        Ok(())
    }
}

fn failed(revision: &str, direction: Direction, error: &(dyn StdError + 'static)) -> Error {
    let way = direction.name();
    let mut failed = Error::new(
        Code::OwnCodeFailed,
        format!("the code for the {way} of revision `{revision}` failed"),
    );
    let mut cause = Some(error);
    while let Some(error) = cause {
        failed = failed.cause(error.to_string());
        cause = error.source();
    }
    failed
}
