//! Rows that pointed at nothing before a script began, while foreign keys are off: what the author's statements make of
//! them between two changes of the schema.

use crate::dialect::Ask;
use crate::error::Result;
use crate::execute::following::Known;
use crate::execute::script::{Scribe, put};
use crate::sql::token;

/// Nothing of an attached database is known when a script is written, nor is it remembered what its rows hold.
const ALREADY_ELSEWHERE: &str = "rows of an attached database point at nothing already, and a script does not tell them \
    from those that this revision may add: mend them first, or run the upgrade online";

impl Scribe<'_> {
    /// Before a statement whose rows may concern others; returns what stands behind it.
    pub(super) fn concerns(&mut self, statement: &str, mut ask: Option<&mut (dyn Ask + '_)>) -> Result<String> {
        if self.hand.alike.again(statement, self.rules) {
            return Ok(String::new());
        }
        self.deletes_alone(statement, ask.as_deref_mut())?;
        let behind = self.holds(statement, ask)?;
        if !behind.is_empty() {
            self.hand.alike.forget();
        }
        Ok(behind)
    }

    /// Before a statement that may change what such rows hold; returns what stands behind it.
    fn holds(&mut self, statement: &str, ask: Option<&mut (dyn Ask + '_)>) -> Result<String> {
        let (Some(ask), true) = (ask, self.orphans.is_some()) else {
            return Ok(String::new());
        };
        if let Some(renumbered) = self.sql.renumbered(statement, ask)?
            && !self.is_replaced(&renumbered.table)
        {
            self.lets_go()?;
            self.forgets_mended()?;
            put(self.out, &renumbered.before)?;
            return Ok(renumbered.after);
        }
        if self.hand.elsewhere.is_none()
            && let Some(query) = self.sql.orphans_elsewhere(statement, ask)?
        {
            put(self.out, &self.sql.guard_rows(query, ALREADY_ELSEWHERE))?;
            self.hand.elsewhere = Some(query);
        }
        for held in self.sql.held(statement, ask)? {
            if self.held.iter().any(|known| known.table() == held.table()) {
                continue;
            }
            self.forgets_mended()?;
            put(self.out, &self.sql.keep_held(self.held.len(), &held))?;
            self.held.push(held);
        }
        Ok(String::new())
    }

    /// What points at something by now is no old one any more, whatever takes its number.
    fn forgets_mended(&mut self) -> Result<()> {
        match &self.orphans {
            Some(orphans) => put(self.out, &self.sql.forget_mended(orphans)),
            None => Ok(()),
        }
    }

    /// Behind a statement that may have given a table another name.
    pub(super) fn renamed(&mut self, statement: &str) -> Result<()> {
        let (Some(prepared), true) = (&self.prepared, self.orphans.is_some()) else {
            return Ok(());
        };
        let renamed = self.sql.orphans_renamed(statement, &prepared.replaced);
        put(self.out, &renamed.unwrap_or_default())
    }

    /// Rows of such a table are not told by their numbers.
    fn is_replaced(&self, table: &str) -> bool {
        let prepared = self.prepared.as_ref();
        prepared.is_some_and(|prepared| prepared.replaced.contains(&table.to_ascii_lowercase()))
    }

    /// Before a statement that does more than change rows: the queries are those of one schema.
    pub(super) fn lets_go_before(&mut self, statement: &str) -> Result<()> {
        let words = token::keywords(statement, self.rules, 1);
        let asks = matches!(words.first().map(String::as_str), Some("SELECT" | "VALUES" | "WITH"));
        if asks || self.held.is_empty() || self.dialect.changes_rows(statement).is_some() {
            return Ok(());
        }
        self.lets_go()
    }

    /// Before the rows are compared with those that pointed at nothing.
    pub(super) fn lets_go(&mut self) -> Result<()> {
        self.hand.alike.forget();
        self.hand.known = Known::default();
        for (number, held) in std::mem::take(&mut self.held).iter().enumerate() {
            put(self.out, &self.sql.forget_held(number, held))?;
        }
        Ok(())
    }
}
