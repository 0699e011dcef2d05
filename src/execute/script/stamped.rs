//! The script of a stamp.

use std::io::Write;

use crate::dialect::{ScriptHead, ScriptSql};
use crate::error::Result;
use crate::execute::script::{Recorder, entered, put};
use crate::revision::applied::Applied;
use crate::revision::plan::Plan;
use crate::revision::{Direction, RevisionId};
use crate::version::{TOOL_VERSION, VersionTable};

impl Recorder<'_> {
    /// Writes the script of a stamp.
    ///
    /// # Errors
    /// `file::io` for what `out` fails with.
    pub fn stamp_script(&self, plan: &Plan, applied: &Applied, out: &mut dyn Write) -> Result<()> {
        let sql = self.dialect.script();
        let title = format!("stamp {} -> {}", plan.from, plan.to);
        let head = ScriptHead {
            tool: &format!("sqlrev {TOOL_VERSION}"),
            title: &title,
            revisions: &[],
            foreign_keys_off: false,
            statistics: false,
        };
        put(out, &sql.head(&head))?;
        put(out, &entered(self.enter.as_deref()))?;
        put(out, &sql.lock(self.table.place()))?;
        put(out, &sql.begin(false))?;
        if plan.from.is_empty() {
            for create in self.table.create() {
                put(out, &format!("{};\n", sql.create_if_missing(&create)))?;
            }
            put(out, &sql.guard_half_way(self.table.place()))?;
            put(out, &guards(sql, &self.table, &[], 0))?;
        } else {
            put(out, &self.stands(plan, applied))?;
        }
        for statement in self.stamp_statements(plan)? {
            put(out, &format!("{statement};\n"))?;
        }
        put(out, &sql.commit(false))
    }

    /// Guards that stop unless the database is where the plan begins, which is not the base.
    pub(super) fn stands(&self, plan: &Plan, applied: &Applied) -> String {
        let sql = self.dialect.script();
        let there = sql.guard_place(&sql.missing_table(self.table.name(), self.table.place()));
        let whole = sql.guard_half_way(self.table.place());
        there + &whole + &guards(sql, &self.table, &plan.from.ids(), applied.set().len())
    }
}

/// Guards that stop unless exactly the ancestors of these heads are applied: each head is there, and as many rows as
/// they have ancestors, themselves among them.
pub(super) fn guards(sql: &dyn ScriptSql, table: &VersionTable, heads: &[RevisionId], count: usize) -> String {
    sql.guard_place(&table.not_at(heads, count))
}

/// What the head of a plan's script says that it does.
pub(super) fn title(plan: &Plan) -> String {
    let direction = plan.steps.first().map_or(Direction::Upgrade, |step| step.direction);
    format!("{} {} -> {}", direction.name(), plan.from, plan.to)
}
