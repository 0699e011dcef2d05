//! The copy of a table whose definition, or that of an index, names the table itself (`CHECK (t.a > 0)`).
//!
//! Such a table cannot step aside: SQLite would find no column `t.a` in a table of another name. So the values that the
//! new table shall have are put aside, and copied a second time once the new table is in the place of the old one.
//! Nothing in its definition is written otherwise for that.

use crate::dialect::Op;
use crate::dialect::sqlite::copy::{Copied, Copy, create, holds_null, keeps_counter, never_null, stop};
use crate::dialect::sqlite::draft::Draft;
use crate::sql::write::{quoted, sqlite_literal};

impl Copy<'_> {
    pub(super) fn twice(&self, draft: &Draft<'_>, ops: &mut Vec<Op>) {
        let schema = quoted(&draft.state.schema, '"');
        let aside = format!("{schema}.{}", quoted(self.aside, '"'));
        let table = draft.state.qualified();
        let copied = Copied::of(draft);
        // Without types no value changes on its way.
        let places: Vec<String> = (1..=copied.columns.len()).map(|number| format!("c{number}")).collect();
        let places = places.join(", ");
        self.run(ops, format!("CREATE TABLE {aside} ({places})"));
        ops.push(self.first_copy(draft, &copied, &aside, &places));
        ops.push(self.counted(draft, &aside, &table));
        if keeps_counter(draft) {
            let (name, aside) = (sqlite_literal(draft.name()), sqlite_literal(self.aside));
            let sql = format!("UPDATE {schema}.sqlite_sequence SET name = {aside} WHERE name = {name}");
            self.run(ops, sql);
        }
        self.statistics_of(draft.name(), self.aside, ops);
        self.run(ops, format!("DROP TABLE {table}"));
        self.run(ops, create(draft));
        self.statistics_of(self.aside, draft.name(), ops);
        let columns = copied.columns.join(", ");
        self.run(
            ops,
            format!("INSERT OR ABORT INTO {table} ({columns}) SELECT {places} FROM {aside} ORDER BY rowid"),
        );
        ops.push(self.counted(draft, &table, &aside));
        if keeps_counter(draft) {
            self.counter_back(draft, ops);
        }
        self.run(ops, format!("DROP TABLE {aside}"));
    }

    /// Every row that the new table would not take stops the first copy, while the old rows are still there to be told of.
    fn first_copy(&self, draft: &Draft<'_>, copied: &Copied, aside: &str, places: &str) -> Op {
        let nulls = never_null(draft).map(|column| holds_null(draft, column));
        let stop = stop(self.conditions().chain(nulls));
        let from = draft.state.qualified();
        let named = format!("{from} AS {}", quoted(draft.name(), '"'));
        let demanded = self.demanded.iter().map(|demanded| demanded.check.clone());
        Op::Sql {
            sql: copied.insert(draft, aside, places, &from, &stop),
            at: self.at,
            diagnosis: demanded.chain(self.nulls(draft, &named)).collect(),
        }
    }
}
