//! Databases that a script attaches: they are detached when its revision has ended, as what is temporary ends with it.

use crate::dialect::Dialect;
use crate::error::Result;
use crate::execute::Executor;
use crate::execute::fault;
use crate::execute::step::Ready;

/// The statements that detach what a script has attached and not detached.
#[derive(Debug, Clone, Default)]
pub(crate) struct Attached(Vec<String>);

impl Attached {
    /// Sees a statement of the script.
    pub(crate) fn read(&mut self, statement: &str, dialect: &dyn Dialect) {
        match dialect.attaches(statement) {
            Some((detach, true)) => self.0.push(detach),
            Some((detach, false)) => self.0.retain(|known| *known != detach),
            None => {}
        }
    }

    /// Whether there are none.
    pub(crate) fn is_empty(&self) -> bool {
        self.0.is_empty()
    }

    /// The statements, that for the database which came last first.
    pub(crate) fn detach(&self) -> impl Iterator<Item = &str> {
        self.0.iter().rev().map(String::as_str)
    }
}

impl Executor<'_> {
    /// Detaches what a revision has attached, once nothing is open.
    pub(crate) fn detach(&mut self, ready: &Ready<'_>) -> Result<()> {
        for sql in ready.prepared.attached.detach() {
            match self.driver.execute(sql) {
                // Another run has done the revision.
                Err(error) if error.message.contains("no such database") => {}
                done => {
                    done.map_err(|error| fault::database(&error))?;
                }
            }
        }
        Ok(())
    }
}
