//! A step of a replay, and what lasts as long as the connection and ends with it.

use super::Replay;
use crate::dialect::Setting;
use crate::error::Result;
use crate::execute::fault;
use crate::execute::scripts::Sources;
use crate::revision::graph::RevisionGraph;
use crate::revision::nodes::Node;
use crate::revision::{Direction, Transaction};

impl Replay {
    /// Replays one step.
    pub(crate) fn step(
        &mut self,
        graph: &RevisionGraph,
        node: Node,
        direction: Direction,
        sources: &dyn Sources,
    ) -> Result<()> {
        let revision = graph.revision(node);
        let script = match direction {
            Direction::Upgrade => revision.upgrade.clone(),
            Direction::Downgrade => sources.downgrade(revision)?,
        };
        let Some(script) = script else { return Ok(()) };
        let header = &revision.header;
        self.follow(script.may_rename_by_keys());
        if !self.dialect().replays_transactions() {
            if self.exact {
                self.passing(&script, header.recreate, false)?;
            } else {
                self.script(&script, header.recreate)?;
            }
            return self.end_step();
        }
        self.revision(&script, header.recreate, header.transaction != Transaction::None)?;
        self.end_step()?;
        for statement in self.dialect().reset() {
            self.db.execute(statement).map_err(|error| fault::database(&error))?;
        }
        Ok(())
    }

    /// There are no rows that foreign keys would keep, and a script may have switched them off: they are on where names go
    /// by them.
    pub(crate) fn follow(&mut self, keys: bool) {
        self.keys = keys;
        let _ = self.db.setting(Setting::ForeignKeys, Some(keys));
    }

    /// What a step made that lasts as long as the connection ends with it.
    pub(crate) fn end_step(&mut self) -> Result<()> {
        // A savepoint that the author has left open goes with the transaction of the revision.
        if !self.dialect().replays_transactions() {
            if self.db.in_transaction() == Some(true) {
                self.db.execute("COMMIT").map_err(|error| fault::database(&error))?;
            }
            for setting in [Setting::LegacyAlterTable, Setting::WritableSchema] {
                let _ = self.db.setting(setting, Some(false));
            }
        }
        let made = std::mem::take(&mut self.temporary);
        let drops = match self.dialect().temporary_now().filter(|_| !made.is_empty()) {
            Some(query) => {
                let rows = self.db.query(query).map_err(|error| fault::database(&error))?;
                rows.into_iter().flatten().flatten().collect()
            }
            None => made,
        };
        let attached = std::mem::take(&mut self.attached);
        let ends = drops.iter().map(String::as_str).chain(attached.detach());
        for sql in ends {
            self.db.execute(sql).map_err(|error| fault::database(&error))?;
        }
        Ok(())
    }
}
