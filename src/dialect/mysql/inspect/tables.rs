//! Tables with their columns and constraints.

use std::collections::BTreeMap;

use crate::code::Code;
use crate::dialect::mysql::inspect::draft::Draft;
use crate::dialect::mysql::inspect::server::Server;
use crate::dialect::mysql::inspect::{Reading, table_key};
use crate::dialect::mysql::schema::{fold, quoted, same, without_database};
use crate::error::Result;
use crate::schema::{Constraint, ConstraintKind, Definition, Key, Kind, Named, Object};
use crate::sorted::Gather as _;
use crate::sql::split::MYSQL;
use crate::sql::token;

pub(super) type Drafts = BTreeMap<String, Draft>;

/// A foreign key while its columns are gathered.
#[derive(Default)]
struct Foreign {
    columns: Vec<String>,
    parent: (String, String),
    parent_columns: Vec<String>,
    on_update: String,
    on_delete: String,
}

impl Reading<'_> {
    pub(super) fn tables(&mut self) -> Result<()> {
        let mut drafts = Drafts::new();
        let sql = "SELECT table_name, table_type, engine, table_collation, create_options, table_comment \
                   FROM information_schema.tables WHERE table_schema = DATABASE() \
                   AND table_type IN ('BASE TABLE', 'SYSTEM VERSIONED')";
        for mut row in self.rows(sql)? {
            let draft = Draft::read(&mut row);
            drafts.insert(draft.name.clone(), draft);
        }
        self.columns_of(&mut drafts)?;
        self.checks(&mut drafts)?;
        self.keys(&mut drafts)?;
        self.unshown_defaults(&mut drafts)?;
        self.unshown_letters(&mut drafts)?;
        self.foreign_keys(&mut drafts)?;
        self.partitions(&mut drafts)?;
        self.steps(&mut drafts)?;
        for draft in drafts.values_mut() {
            let is_whole = draft.whole.is_some();
            if !is_whole && !draft.may_have_period(self.server) {
                continue;
            }
            let words = self.show("TABLE", &draft.name, 1)?;
            if is_whole || words.contains("PERIOD FOR ") {
                let words = without_counter(&words);
                // A default may name a sequence, with its database.
                draft.whole = Some(without_database(&words, &self.database, false).into_owned());
            }
        }
        for draft in drafts.into_values() {
            self.model.objects.extend(draft.objects(&self.usual_mode));
        }
        Ok(())
    }

    fn columns_of(&mut self, drafts: &mut Drafts) -> Result<()> {
        let sql = format!(
            "SELECT c.table_name, c.column_name, c.column_type, c.is_nullable, c.column_default, c.collation_name, c.extra, \
             c.column_comment, c.generation_expression, {} FROM information_schema.columns c \
             WHERE c.table_schema = DATABASE() ORDER BY c.table_name, c.ordinal_position",
            self.server.place_of_points()
        );
        let server = self.server;
        for mut row in self.rows(&sql)? {
            if let Some(draft) = drafts.get_mut(&row.text()) {
                draft.column(&mut row, server);
            }
        }
        // The default of a column may be the next value of a sequence, which is named with its database.
        for draft in drafts.values_mut() {
            for column in &mut draft.table.columns {
                let Some(default) = column.default.as_ref().filter(|value| value.written.contains('`')) else {
                    continue;
                };
                let written = without_database(&default.written, &self.database, false).into_owned();
                column.default = Some(same(written));
                column.definition = Definition(crate::dialect::mysql::schema::words(column, &draft.collation));
            }
        }
        Ok(())
    }

    fn checks(&mut self, drafts: &mut Drafts) -> Result<()> {
        let Some(sql) = self.server.checks() else { return Ok(()) };
        let server = self.server;
        for mut row in self.rows(sql)? {
            let (table, name, clause) = (row.text(), row.text(), row.text());
            let (in_column, enforced) = (row.text() == "1", row.text() == "1");
            if let Some(draft) = drafts.get_mut(&table) {
                draft.check(name, &server.expression(&clause), in_column, enforced);
            }
        }
        Ok(())
    }

    fn foreign_keys(&mut self, drafts: &mut Drafts) -> Result<()> {
        // MariaDB looks at every table of the server where a constant does not say for each of the two which database is
        // meant, and takes the wrong one of two columns that are the same.
        let sql = "SELECT k.table_name, k.constraint_name, k.column_name, k.referenced_table_schema, \
                   k.referenced_table_name, k.referenced_column_name, r.update_rule, r.delete_rule \
                   FROM information_schema.key_column_usage k JOIN information_schema.referential_constraints r \
                   ON r.table_name = k.table_name AND r.constraint_name = k.constraint_name \
                   WHERE k.table_schema = DATABASE() AND r.constraint_schema = DATABASE() \
                   AND k.referenced_table_name IS NOT NULL \
                   ORDER BY k.table_name, k.constraint_name, k.ordinal_position";
        let mut found: BTreeMap<(String, String), Foreign> = BTreeMap::new();
        for mut row in self.rows(sql)? {
            let foreign = found.entry((row.text(), row.text())).or_default();
            foreign.columns.push(row.text());
            foreign.parent = (row.text(), row.text());
            foreign.parent_columns.push(row.text());
            foreign.on_update = row.text();
            foreign.on_delete = row.text();
        }
        for ((table, name), foreign) in found {
            if let Some(draft) = drafts.get_mut(&table) {
                draft
                    .table
                    .constraints
                    .push(foreign.constraint(name, &self.database, self.server));
            }
        }
        Ok(())
    }

    /// By how much the files of tables grow at a time.
    fn steps(&mut self, drafts: &mut Drafts) -> Result<()> {
        if !self.server.has_steps() {
            return Ok(());
        }
        // Those who may ask so need not look at each table.
        let sql = "SELECT 1 FROM information_schema.innodb_tablespaces WHERE autoextend_size > 0 LIMIT 1";
        match (self.query)(sql) {
            Err(error) if error.code() == Code::Interrupted => return Err(error),
            Ok(rows) if rows.is_empty() => return Ok(()),
            _ => {}
        }
        for draft in drafts.values_mut().filter(|draft| draft.engine == "InnoDB") {
            let words = self.show("TABLE", &draft.name, 1)?;
            if let Some(digits) = step(&words) {
                draft.option(&format!("AUTOEXTEND_SIZE={digits}"));
            }
        }
        Ok(())
    }

    /// Sequences; the number that comes next is none of their definition.
    pub(super) fn sequences(&mut self) -> Result<()> {
        if !self.server.has_sequences() {
            return Ok(());
        }
        let sql = "SELECT table_name FROM information_schema.tables WHERE table_schema = DATABASE() \
                   AND table_type = 'SEQUENCE'";
        for mut row in self.rows(sql)? {
            let name = row.text();
            let words = self.show("SEQUENCE", &name, 1)?;
            // Where it is kept is no part of what it is.
            let (words, rest) = words.split_once(" ENGINE=").unwrap_or((words.as_str(), ""));
            let words = match rest.split_once(" COMMENT=") {
                Some((_, comment)) => format!("{words} COMMENT={comment}"),
                None => words.to_owned(),
            };
            let object = Object {
                meaning: words.clone(),
                create: vec![words],
                drop: format!("DROP SEQUENCE {}", quoted(&name)),
                redefinable: true,
                name: name.clone(),
                ..Object::default()
            };
            self.model.objects.insert(Key::new(Kind::Sequence, name), object);
        }
        Ok(())
    }
}

impl Foreign {
    fn constraint(self, name: String, database: &str, server: Server) -> Constraint {
        let list = |columns: &[String]| {
            let names: Vec<String> = columns.iter().map(|column| quoted(column)).collect();
            names.join(", ")
        };
        let (schema, parent) = self.parent;
        let own = schema == database;
        let place = if own {
            quoted(&parent)
        } else {
            format!("{}.{}", quoted(&schema), quoted(&parent))
        };
        let mut written = format!(
            "FOREIGN KEY ({}) REFERENCES {place} ({})",
            list(&self.columns),
            list(&self.parent_columns)
        );
        for (when, rule) in [("DELETE", &self.on_delete), ("UPDATE", &self.on_update)] {
            if rule != server.usual_rule() {
                written.push_str(&format!(" ON {when} {rule}"));
            }
        }
        Constraint {
            folded: fold(&name),
            name,
            kind: ConstraintKind::ForeignKey,
            definition: same(written),
            columns: self.columns.iter().map(|column| fold(column)).into_set(),
            parent: own.then(|| table_key(&parent)),
            inside: None,
            named: Named(true),
        }
    }
}

/// The option that says by how much a table's file grows. Comments may have the same words.
fn step(words: &str) -> Option<&str> {
    let end = words.rfind("\n) ").map_or("", |end| &words[end..]);
    let mut tokens = token::significant(end, &MYSQL).map(|token| &end[token.span]);
    tokens.find(|text| *text == "AUTOEXTEND_SIZE")?;
    tokens.find(|text| *text != "=")
}

/// A definition without the number that comes next.
fn without_counter(words: &str) -> String {
    let Some(at) = words
        .rfind("\n) ")
        .and_then(|end| words[end..].find(" AUTO_INCREMENT=").map(|at| end + at))
    else {
        return words.to_owned();
    };
    let rest = words[at + 1..].find(' ').map_or("", |space| &words[at + 1 + space..]);
    format!("{}{rest}", &words[..at])
}

#[cfg(test)]
mod tests {
    use super::step;

    #[test]
    fn no_comment_is_an_option() {
        let grows = "CREATE TABLE `t` (\n  `id` int\n) ENGINE=InnoDB /*!80023 AUTOEXTEND_SIZE=4194304 */ COMMENT='a'";
        assert_eq!(step(grows), Some("4194304"));
        let told = "CREATE TABLE `t` (\n  `id` int\n) ENGINE=InnoDB COMMENT='see AUTOEXTEND_SIZE=8388608 of'\n\
                    /*!50100 PARTITION BY HASH (`id`)\n(PARTITION p0 COMMENT = 'x AUTOEXTEND_SIZE=7 y' ENGINE = InnoDB) */";
        assert_eq!(step(told), None);
    }
}
