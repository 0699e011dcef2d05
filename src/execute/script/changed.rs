//! How many rows the author's last statement has changed, in scripts.

use crate::error::Result;
use crate::execute::script::{Scribe, put};
use crate::sql::token;

impl Scribe<'_> {
    /// Writes a statement of the author's, where it asks for the count with that of his last one around it.
    pub(super) fn authors(&mut self, text: &str, sql: &str) -> Result<()> {
        let asked = self.prepared.as_ref().is_some_and(|prepared| prepared.asks_count);
        // What is kept is kept in the database, and goes back with it.
        let goes_back = asked && token::keywords(text, self.rules, 1) == ["ROLLBACK"];
        if goes_back || asked && self.dialect.asks_count(text).is_some() {
            put(self.out, &self.sql.give_count())?;
        }
        put(self.out, &self.sql.guard_reading(sql))?;
        self.statement(&self.sql.statement(sql))?;
        if goes_back || asked && self.dialect.sets_count(text) {
            put(self.out, &self.sql.keep_count(false))?;
        }
        Ok(())
    }

    /// At the end of the step.
    pub(super) fn forgets_count(&mut self) -> Result<()> {
        if self.prepared.as_ref().is_some_and(|prepared| prepared.asks_count) {
            put(self.out, &self.sql.forget_count())?;
        }
        Ok(())
    }
}
