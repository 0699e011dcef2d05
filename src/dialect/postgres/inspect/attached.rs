//! Indexes of partitions that are not as the server makes them: under another name, since they were there before their
//! table became a partition; with storage parameters of their own; marked, or with a comment. They come with the index or
//! key of the table above, and are given what else there is to them.

use std::collections::BTreeMap;

use crate::dialect::postgres::inspect::tables::marks;
use crate::dialect::postgres::inspect::{Reading, catalog, made, qualified, quoted};
use crate::dialect::postgres::render::parameters;
use crate::error::Result;
use crate::schema::{Inherited, Key, Kind, Object};

/// The longest name.
const LONGEST: usize = 63;

/// An index of a partition that hangs on one of the table above.
struct Attached {
    oid: u32,
    on: Key,
    name: String,
    /// The name that it would get where none is said.
    usual: String,
    /// The index of the topmost table.
    root: u32,
    /// Its storage parameters and those of the topmost one, where it has rows of its own.
    parameters: Option<[String; 2]>,
    marks: Vec<String>,
    has_comment: bool,
    /// The constraint that it is the index of; 0 where there is none.
    constraint: u32,
}

impl Reading<'_> {
    /// Keys and indexes of partitions, where there is more to them than the server would make.
    pub(super) fn attached(&mut self) -> Result<()> {
        // Before, the server does not say what hangs on what.
        if self.version < 120_000 {
            return Ok(());
        }
        let sql = format!(
            "SELECT i.indexrelid, i.indrelid, c.relname, pg_partition_root(i.indexrelid)::oid, \
             CASE WHEN NOT i.indisprimary THEN (SELECT string_agg(a.attname, '_' ORDER BY a.attnum) FROM pg_attribute a \
             WHERE a.attrelid = pg_partition_root(i.indexrelid)) END, \
             CASE k.contype WHEN 'p' THEN 'pkey' WHEN 'u' THEN 'key' WHEN 'x' THEN 'excl' ELSE 'idx' END, \
             c.relkind = 'i', array_to_string(c.reloptions, ', '), (SELECT array_to_string(r.reloptions, ', ') \
             FROM pg_class r WHERE r.oid = pg_partition_root(i.indexrelid)), i.indisreplident, i.indisclustered, \
             EXISTS (SELECT 1 FROM pg_description d WHERE d.classoid = 1259 AND d.objoid = i.indexrelid), k.oid, \
             EXISTS (SELECT 1 FROM pg_constraint o WHERE o.oid = k.conparentid AND o.contype <> k.contype) \
             FROM pg_index i JOIN pg_class c ON c.oid = i.indexrelid JOIN pg_namespace n ON n.oid = c.relnamespace \
             LEFT JOIN pg_constraint k ON k.conindid = i.indexrelid AND k.conrelid = i.indrelid \
             AND k.contype IN ('p', 'u', 'x') WHERE c.relispartition AND coalesce(k.conparentid, 1) <> 0 AND {}",
            made(catalog::RELATION, "c.oid")
        );
        let mut found = Vec::new();
        let mut names = self.names_of_relations();
        for mut row in self.rows(&sql)? {
            let (oid, table, name, root) = (row.oid(), row.oid(), row.text(), row.oid());
            let (columns, label) = (row.optional(), row.text());
            let Some(on) = self.key(catalog::RELATION, table).cloned() else {
                continue;
            };
            self.inherits(&on, &name, root);
            *names.entry(qualified(&on.schema, &name)).or_default() += 1;
            let usual = |label: &str| usual(&on.name, columns.as_deref(), label);
            let count = &name[name.trim_end_matches(|letter: char| letter.is_ascii_digit()).len()..];
            let counted = name == usual(&(label.clone() + count));
            let is_leaf = row.flag();
            let parameters = Some([row.text(), row.text()]).filter(|_| is_leaf);
            let marks = marks(&on, &name, row.flag(), row.flag()).collect();
            let (has_comment, constraint) = (row.flag(), row.oid());
            // Such a key comes with its name.
            let is_own = row.flag();
            let usual = if is_own { name.clone() } else { usual(&label) };
            if !is_own && (!counted || !count.is_empty()) {
                *names.entry(qualified(&on.schema, &usual)).or_default() += 1;
            }
            if !is_own && counted && !count.is_empty() {
                continue;
            }
            found.push(Attached {
                oid,
                on,
                name,
                usual,
                root,
                parameters,
                marks,
                has_comment,
                constraint,
            });
        }
        for index in found {
            // Where something else has that name, the server would choose yet another one.
            let usual = qualified(&index.on.schema, &index.usual);
            if names.get(&usual) == Some(&1) {
                self.particular(&index);
            }
        }
        Ok(())
    }

    /// Remembers what an index of a partition is called.
    fn inherits(&mut self, on: &Key, name: &str, root: u32) {
        let Some(above) = self.known.get(&(catalog::RELATION, root)) else {
            return;
        };
        let inherited = Inherited {
            name: name.to_owned(),
            of: above.key.clone(),
            constraint: above.part.clone(),
        };
        let table = self.model.objects.get_mut(on).and_then(|object| object.table.as_mut());
        if let Some(table) = table {
            table.inherited.push(inherited);
        }
    }

    /// The names that an index may not have, by their schemas, and how often each was met.
    fn names_of_relations(&self) -> BTreeMap<String, usize> {
        let mut names = BTreeMap::new();
        for (key, object) in &self.model.objects {
            if matches!(key.kind, Kind::Table | Kind::View | Kind::Index | Kind::Sequence) {
                names.insert(qualified(&key.schema, &key.name), 1);
            }
            let constraints = object.table.iter().flat_map(|table| &table.constraints);
            for constraint in constraints {
                names.insert(qualified(&key.schema, &constraint.name), 1);
            }
        }
        names
    }

    /// What there is to it that the server would not give it.
    fn particular(&mut self, index: &Attached) {
        let Attached { on, name, usual, .. } = index;
        let place = qualified(&on.schema, name);
        let words = format!("INDEX {place}");
        if index.constraint != 0 {
            let words = format!("CONSTRAINT {} ON {}", quoted(name), qualified(&on.schema, &on.name));
            self.commented
                .insert((catalog::CONSTRAINT, index.constraint), (on.clone(), words));
        }
        let rename = |from: &str, to: &str| {
            let from = qualified(&on.schema, from);
            (from != qualified(&on.schema, to))
                .then(|| format!("ALTER INDEX IF EXISTS {from} RENAME TO {}", quoted(to)))
        };
        let parameters = |reverse: bool| {
            let [own, above] = index.parameters.as_ref()?;
            let (old, new) = if reverse { (own, above) } else { (above, own) };
            let actions = parameters(Some(old), Some(new));
            (!actions.is_empty()).then(|| format!("ALTER INDEX IF EXISTS {place} {}", actions.join(", ")))
        };
        let both = |statements: [Option<String>; 2]| statements.into_iter().flatten().collect::<Vec<_>>().join(";\n");
        let base = both([rename(usual, name), parameters(false)]);
        let drop = both([parameters(true), rename(name, usual)]);
        let create: Vec<String> = Some(base)
            .filter(|base| !base.is_empty())
            .into_iter()
            .chain(index.marks.iter().cloned())
            .collect();
        let at = (catalog::RELATION, index.oid);
        if create.is_empty() {
            if index.has_comment {
                self.commented.insert(at, (on.clone(), words));
            }
            return;
        }
        let key = Key {
            kind: Kind::Index,
            schema: on.schema.clone(),
            name: name.clone(),
        };
        let object = Object {
            meaning: create.join(";\n"),
            create,
            drop,
            uses: self.key(catalog::RELATION, index.root).cloned().into_iter().collect(),
            on: Some(on.clone()),
            name: name.clone(),
            ..Object::default()
        };
        self.add(at, words, key, object);
    }
}

/// The name of an index where none is said: of its table, its columns and what it is for, of which the longer of the first
/// two is cut.
pub(super) fn usual(table: &str, columns: Option<&str>, label: &str) -> String {
    let room = LONGEST.saturating_sub(label.len() + 1 + usize::from(columns.is_some()));
    let (mut first, mut second) = (table.len(), columns.map_or(0, str::len));
    while first + second > room {
        if first > second {
            first -= 1;
        } else {
            second -= 1;
        }
    }
    let cut = |text: &str, mut end: usize| {
        while !text.is_char_boundary(end) {
            end -= 1;
        }
        text[..end].to_owned()
    };
    let columns = columns.map(|columns| cut(columns, second) + "_").unwrap_or_default();
    format!("{}_{columns}{label}", cut(table, first))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn names_are_cut_where_the_server_cuts_them() {
        assert_eq!(usual("p1", None, "pkey"), "p1_pkey");
        assert_eq!(usual("p1", Some("a_b"), "idx"), "p1_a_b_idx");
        let long = "a".repeat(40);
        assert_eq!(
            usual(&long, Some(&"b".repeat(40)), "idx"),
            format!("{}_{}_idx", "a".repeat(29), "b".repeat(29))
        );
        assert_eq!(usual(&long, Some("bb"), "key1"), format!("{long}_bb_key1"));
        assert_eq!(
            usual(&"ä".repeat(30), Some("b"), "idx"),
            format!("{}_b_idx", "ä".repeat(28))
        );
    }
}
