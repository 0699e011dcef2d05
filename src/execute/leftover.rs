//! What a statement that failed outside of transactions leaves behind, and the next try finds in its way.

use crate::error::{Error, Result};
use crate::execute::event::Event;
use crate::execute::seen::Seen;
use crate::execute::step::Ready;
use crate::execute::{Executor, fault, walk};

impl<'a> Executor<'a> {
    /// Takes away what an earlier try of the statement left, where that is asked for.
    ///
    /// # Errors
    /// What the database refuses.
    pub(crate) fn clean(&mut self, ready: &Ready<'a>, index: u64) -> Result<()> {
        if !self.clean_invalid {
            return Ok(());
        }
        for (what, drop) in self.leftovers(ready, index) {
            self.own(&drop)?;
            (self.events)(Event::Notice(&format!(
                "{what} was left by an earlier try and is dropped"
            )));
        }
        Ok(())
    }

    /// Names in the error what the statement that failed left behind.
    pub(crate) fn name_leftovers(&mut self, mut error: Error, ready: &Ready<'a>) -> Error {
        if self.driver.in_transaction() == Some(true) {
            return error;
        }
        let seen = Seen::read(self.driver, &self.table).ok();
        let row = seen.as_ref().and_then(|seen| seen.row(&ready.step.revision));
        let Some(at) = row.and_then(|row| row.unfinished) else {
            return error;
        };
        for (what, drop) in self.leftovers(ready, at.statements) {
            error = error
                .cause(format!("{what} is left, and is invalid"))
                .help(format!("drop it: {drop}; or let the next run do so: --clean-invalid"));
        }
        error
    }

    /// What is left of a statement, and what drops it.
    fn leftovers(&mut self, ready: &Ready<'a>, index: u64) -> Vec<(String, String)> {
        let dialect = self.driver.dialect();
        let Some((file, span)) = walk::place_of(&ready.script, index, dialect.rules()) else {
            return Vec::new();
        };
        let text = file.text.get(span).unwrap_or_default();
        let Some(query) = dialect.leftovers(text) else {
            return Vec::new();
        };
        let rows = self.driver.query(&query).map_err(|error| fault::database(&error));
        let pairs = rows.unwrap_or_default().into_iter().filter_map(|row| {
            let mut values = row.into_iter();
            Some((values.next()??, values.next()??))
        });
        pairs.collect()
    }
}
