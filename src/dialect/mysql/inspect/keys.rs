//! Primary keys and indexes.

use std::collections::BTreeMap;

use crate::dialect::mysql::inspect::Reading;
use crate::dialect::mysql::inspect::draft::{Draft, Index};
use crate::dialect::mysql::inspect::tables::Drafts;
use crate::dialect::mysql::schema::{columns_of, literal, quoted, same};
use crate::error::Result;
use crate::schema::{Constraint, ConstraintKind, Named};
use crate::sorted::Gather as _;

/// An index while its parts are gathered.
#[derive(Default)]
struct Parts {
    unique: bool,
    kind: String,
    comment: String,
    unused: Option<String>,
    parts: Vec<String>,
}

impl Reading<'_> {
    pub(super) fn keys(&mut self, drafts: &mut Drafts) -> Result<()> {
        let sql = format!(
            "SELECT s.table_name, s.index_name, s.non_unique, s.index_type, s.index_comment, {}, s.column_name, s.sub_part, \
             s.collation, {} FROM information_schema.statistics s WHERE s.table_schema = DATABASE() \
             ORDER BY s.table_name, s.index_name, s.seq_in_index",
            self.server.unused_index(),
            self.server.index_expression()
        );
        let mut found: BTreeMap<(String, String), Parts> = BTreeMap::new();
        let server = self.server;
        for mut row in self.rows(&sql)? {
            let parts = found.entry((row.text(), row.text())).or_default();
            parts.unique = row.text() == "0";
            (parts.kind, parts.comment, parts.unused) = (row.text(), row.text(), row.optional());
            let (column, length, order, expression) = (row.optional(), row.optional(), row.text(), row.optional());
            let mut part = match (column, expression) {
                (Some(column), _) => quoted(&column),
                (None, expression) => format!("({})", server.expression(&expression.unwrap_or_default())),
            };
            // That of a spatial index is what the server takes of a point.
            if let Some(length) = length.filter(|_| parts.kind != "SPATIAL") {
                part.push_str(&format!("({length})"));
            }
            if order == "D" {
                part.push_str(" DESC");
            }
            parts.parts.push(part);
        }
        for ((table, name), parts) in found {
            if let Some(draft) = drafts.get_mut(&table) {
                parts.add_to(draft, name);
            }
        }
        Ok(())
    }
}

impl Parts {
    fn add_to(self, draft: &mut Draft, name: String) {
        let mut rest = format!(" ({})", self.parts.join(", "));
        let in_memory = draft.engine == "MEMORY";
        match self.kind.as_str() {
            "HASH" if !in_memory => rest.push_str(" USING HASH"),
            "BTREE" if in_memory => rest.push_str(" USING BTREE"),
            _ => {}
        }
        if !self.comment.is_empty() {
            rest.push_str(&format!(" COMMENT {}", literal(&self.comment)));
        }
        if let Some(unused) = &self.unused {
            rest.push_str(&format!(" {unused}"));
        }
        if name == "PRIMARY" {
            let written = format!("PRIMARY KEY{rest}");
            draft.table.constraints.push(Constraint {
                folded: "primary".to_owned(),
                name,
                kind: ConstraintKind::PrimaryKey,
                columns: columns_of(&written).into_iter().into_set(),
                definition: same(written),
                parent: None,
                inside: None,
                named: Named(true),
            });
            return;
        }
        let kind = match self.kind.as_str() {
            "FULLTEXT" => "FULLTEXT ",
            "SPATIAL" => "SPATIAL ",
            _ if self.unique => "UNIQUE ",
            _ => "",
        };
        draft.indexes.push(Index {
            words: format!("{kind}KEY {}{rest}", quoted(&name)),
            name,
        });
    }
}
