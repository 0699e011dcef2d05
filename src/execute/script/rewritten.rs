//! What ALTERs became, in a script.

use crate::dialect::{AlterStatement, COPY, Op, Rewrite};
use crate::error::Result;
use crate::execute::script::{Scribe, put};
use crate::execute::shown::one_line;

impl Scribe<'_> {
    /// The ALTERs as the author wrote them, for the reader.
    pub(super) fn originals(&mut self, run: &[AlterStatement]) -> Result<()> {
        for alter in run {
            for line in alter.text.lines() {
                put(self.out, &format!("-- {line}\n"))?;
            }
        }
        Ok(())
    }

    pub(super) fn rewritten(&mut self, run: &[AlterStatement], rewrite: &Rewrite) -> Result<()> {
        put(
            self.out,
            &format!(
                "-- {} of {}: {}\n",
                rewrite.strategy,
                one_line(&rewrite.table),
                one_line(&rewrite.reason)
            ),
        )?;
        let keeps = rewrite.strategy == COPY && self.asks_id.get(self.at).copied().unwrap_or(false);
        let [keep, give] = if keeps { self.sql.keeps_id() } else { Default::default() };
        // The plan does so by itself where the replay has inserted a row, as a full-text table does when it is made.
        let kept = |op: &Op| matches!(op, Op::Sql { sql, .. } if keep.starts_with(sql));
        let [keep, give] = if rewrite.ops.iter().any(kept) {
            Default::default()
        } else {
            [keep, give]
        };
        put(self.out, &keep)?;
        let prepared = self.prepared.as_ref();
        let goes = prepared.is_some_and(|prepared| prepared.renames_replaced(run, self.dialect));
        let ops = rewrite.ops.iter().filter(|op| !(goes && op.is_statistics()));
        for op in ops {
            self.op(op)?;
        }
        put(self.out, &give)
    }

    fn op(&mut self, op: &Op) -> Result<()> {
        match op {
            Op::Sql { sql, .. } | Op::Statistics { sql, .. } => self.statement(sql),
            Op::Check { sql, message, .. } => put(self.out, &self.sql.guard_rows(sql, message)),
            Op::AnyOf { checks, .. } => checks.iter().try_for_each(|check| self.op(check)),
            // It was proven on scratch.
            Op::Compiles { .. } => Ok(()),
            Op::Set(setting, on) => {
                // The author's own statement may have thrown it before.
                let was = self.switched.iter().rev().find(|(known, _)| known == setting);
                let switch = self.sql.switch(*setting, on.or(was.map(|(_, on)| *on)));
                put(self.out, &switch.unwrap_or_default())
            }
        }
    }
}
