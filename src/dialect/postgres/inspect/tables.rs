//! Tables with their columns and constraints, and indexes.

use std::collections::{BTreeMap, BTreeSet};

use crate::dialect::postgres::inspect::attached::usual;
use crate::dialect::postgres::inspect::draft::{Draft, same};
use crate::dialect::postgres::inspect::sequences::{Sequence, Sequences};
use crate::dialect::postgres::inspect::{Reading, catalog, made, no_member, qualified, quoted};
use crate::dialect::row::Row;
use crate::error::Result;
use crate::schema::{Constraint, ConstraintKind, Key, Kind, Named, Object, Table};
use crate::sorted::Gather as _;
use crate::sql::split::POSTGRESQL;
use crate::sql::token;

impl Reading<'_> {
    pub(super) fn tables(&mut self, sequences: &Sequences) -> Result<()> {
        let mut drafts = self.heads()?;
        self.columns_of(&mut drafts, sequences)?;
        self.constraints(&mut drafts)?;
        self.keys_below(&mut drafts)?;
        let parents: BTreeSet<u32> = drafts.values().flat_map(|draft| draft.parents.clone()).into_set();
        let parents: BTreeMap<u32, (Key, Table)> = parents
            .into_iter()
            .filter_map(|oid| {
                drafts
                    .get(&oid)
                    .map(|draft| (oid, (draft.key.clone(), draft.table.clone())))
            })
            .into_map();
        for draft in drafts.into_values() {
            let words = format!("TABLE {}", qualified(&draft.key.schema, &draft.key.name));
            for (column, sequence) in sequences.of_table(draft.oid) {
                self.sequence_of(&draft, column, sequence);
            }
            let (oid, key) = (draft.oid, draft.key.clone());
            let object = draft.object(&parents);
            self.add((catalog::RELATION, oid), words, key, object);
        }
        Ok(())
    }

    fn heads(&mut self) -> Result<BTreeMap<u32, Draft>> {
        let sql = format!(
            "SELECT c.oid, n.nspname, c.relname, c.relpersistence, \
             concat_ws(', ', (SELECT string_agg(o, ', ' ORDER BY o) FROM unnest(c.reloptions) o), \
             (SELECT string_agg('toast.' || o, ', ' ORDER BY o) FROM pg_class x, unnest(x.reloptions) o WHERE x.oid = c.reltoastrelid)), \
             c.relrowsecurity, c.relforcerowsecurity, c.relreplident, \
             CASE WHEN c.relkind = 'p' THEN pg_get_partkeydef(c.oid) END, \
             CASE WHEN c.relispartition THEN pg_get_expr(c.relpartbound, c.oid) END, \
             (SELECT string_agg(i.inhparent::text, ' ' ORDER BY i.inhseqno) FROM pg_inherits i WHERE i.inhrelid = c.oid), \
             CASE WHEN a.amname <> 'heap' THEN a.amname END \
             FROM pg_class c JOIN pg_namespace n ON n.oid = c.relnamespace LEFT JOIN pg_am a ON a.oid = c.relam \
             WHERE c.relkind IN ('r', 'p') AND {}",
            made(catalog::RELATION, "c.oid")
        );
        let mut drafts = BTreeMap::new();
        for mut row in self.rows(&sql)? {
            let draft = Draft::read(&mut row);
            drafts.insert(draft.oid, draft);
        }
        let places: BTreeMap<u32, String> = drafts
            .iter()
            .map(|(oid, draft)| (*oid, qualified(&draft.key.schema, &draft.key.name)))
            .into_map();
        for draft in drafts.values_mut() {
            draft.place_below(&places);
        }
        Ok(drafts)
    }

    fn columns_of(&mut self, drafts: &mut BTreeMap<u32, Draft>, sequences: &Sequences) -> Result<()> {
        let compression = if self.version >= 140_000 {
            "a.attcompression"
        } else {
            "''"
        };
        let sql = format!(
            "SELECT a.attrelid, a.attnum, a.attname, format_type(a.atttypid, a.atttypmod), a.attnotnull, \
             pg_get_expr(d.adbin, d.adrelid), a.attgenerated, a.attidentity, \
             CASE WHEN a.attcollation <> t.typcollation THEN a.attcollation::regcollation::text END, a.attislocal, d.oid, \
             CASE WHEN a.attstorage <> t.typstorage THEN a.attstorage END, {compression}, \
             nullif(a.attstattarget, -1), (SELECT string_agg(o, ',' ORDER BY o) FROM unnest(a.attoptions) o) \
             FROM pg_attribute a JOIN pg_class c ON c.oid = a.attrelid JOIN pg_namespace n ON n.oid = c.relnamespace \
             JOIN pg_type t ON t.oid = a.atttypid \
             LEFT JOIN pg_attrdef d ON d.adrelid = a.attrelid AND d.adnum = a.attnum AND a.atthasdef \
             WHERE c.relkind IN ('r', 'p') AND a.attnum > 0 AND NOT a.attisdropped AND {} \
             ORDER BY a.attrelid, a.attnum",
            made(catalog::RELATION, "c.oid")
        );
        for mut row in self.rows(&sql)? {
            let (table, number) = (row.oid(), i32::try_from(row.oid()).unwrap_or_default());
            let Some(draft) = drafts.get_mut(&table) else { continue };
            let (name, default) = draft.column(&mut row, number, sequences);
            if default != 0 {
                self.know_part(
                    (catalog::DEFAULT, default),
                    draft.key.clone(),
                    String::new(),
                    name.clone(),
                );
            }
            self.columns.entry(table).or_default().insert(number, name);
        }
        Ok(())
    }

    fn constraints(&mut self, drafts: &mut BTreeMap<u32, Draft>) -> Result<()> {
        let sql = format!(
            "SELECT c.conrelid, c.oid, c.conname, c.contype, pg_get_constraintdef(c.oid), \
             array_to_string(c.conkey, ' '), c.confrelid, x.oid, \
             CASE WHEN c.contype <> 'x' THEN (SELECT string_agg(o, ', ' ORDER BY o) FROM unnest(x.reloptions) o) END, \
             i.indisreplident, i.indisclustered FROM pg_constraint c \
             LEFT JOIN pg_class x ON x.oid = c.conindid AND c.contype IN ('p', 'u', 'x') \
             LEFT JOIN pg_index i ON i.indexrelid = x.oid \
             WHERE c.conrelid >= 16384 AND c.contype IN ('p', 'u', 'c', 'f', 'x') AND c.conislocal \
             AND c.conparentid = 0 AND {} ORDER BY c.conrelid, c.contype <> 'p', c.conname",
            no_member(catalog::CONSTRAINT, "c.oid")
        );
        let keys: BTreeMap<u32, Key> = drafts.iter().map(|(oid, draft)| (*oid, draft.key.clone())).into_map();
        for mut row in self.rows(&sql)? {
            let (table, oid, name, kind) = (row.oid(), row.oid(), row.text(), row.text());
            let (definition, columns, parent) = (row.text(), row.text(), row.oid());
            let (index, options, is_identity, is_order) = (row.oid(), row.optional(), row.flag(), row.flag());
            let definition = options.map_or_else(|| definition.clone(), |options| with_options(&definition, &options));
            let Some(draft) = drafts.get_mut(&table) else { continue };
            if is_identity {
                let words = format!("USING INDEX {}", quoted(&name));
                draft.table.options.insert("replica_identity", words);
            }
            if is_order {
                draft.table.options.insert("clustered_on", quoted(&name));
            }
            let place = qualified(&draft.key.schema, &draft.key.name);
            let words = format!("CONSTRAINT {} ON {place}", quoted(&name));
            self.know_part((catalog::CONSTRAINT, oid), draft.key.clone(), words, name.clone());
            if index != 0 {
                let words = format!("INDEX {}", qualified(&draft.key.schema, &name));
                self.know_part((catalog::RELATION, index), draft.key.clone(), words, name.clone());
            }
            let names = self.columns.get(&table);
            let columns = columns
                .split(' ')
                .filter_map(|number| names?.get(&number.parse().ok()?).cloned());
            draft.table.constraints.push(Constraint {
                folded: name.clone(),
                name,
                kind: match kind.as_str() {
                    "p" => ConstraintKind::PrimaryKey,
                    "u" => ConstraintKind::Unique,
                    "f" => ConstraintKind::ForeignKey,
                    "x" => ConstraintKind::Exclude,
                    _ => ConstraintKind::Check,
                },
                definition: same(&definition),
                columns: columns.into_set(),
                parent: keys.get(&parent).cloned(),
                inside: None,
                named: Named(true),
            });
        }
        Ok(())
    }

    /// Keys of partitions that are of the other kind than those above on which they hang: the server takes a primary key for
    /// UNIQUE where it was there before.
    fn keys_below(&mut self, drafts: &mut BTreeMap<u32, Draft>) -> Result<()> {
        let sql = "SELECT c.conrelid, c.conname, pg_get_constraintdef(c.oid), \
                   CASE p.contype WHEN 'u' THEN (SELECT string_agg(a.attname, '_' ORDER BY a.attnum) \
                   FROM pg_attribute a WHERE a.attrelid = p.conindid) END \
                   FROM pg_constraint c JOIN pg_constraint p ON p.oid = c.conparentid \
                   WHERE c.contype IN ('p', 'u') AND p.contype <> c.contype ORDER BY c.conrelid, c.conname";
        let rows: Vec<Row> = self.rows(sql)?.collect();
        if rows.is_empty() {
            return Ok(());
        }
        // Where something else has the usual name, the server counts on.
        let taken = "SELECT n.nspname, r.relname FROM pg_class r JOIN pg_namespace n ON n.oid = r.relnamespace \
                     UNION SELECT n.nspname, c.conname FROM pg_constraint c JOIN pg_namespace n ON n.oid = c.connamespace";
        let taken: BTreeSet<(String, String)> = self.rows(taken)?.map(|mut row| (row.text(), row.text())).into_set();
        for mut row in rows {
            let (table, name, words, columns) = (row.oid(), row.text(), row.text(), row.optional());
            if let Some(draft) = drafts.get_mut(&table) {
                let label = if columns.is_some() { "key" } else { "pkey" };
                let usual = |count: &str| usual(&draft.key.name, columns.as_deref(), &format!("{label}{count}"));
                let is_taken = taken.contains(&(draft.key.schema.clone(), usual("")));
                let next = is_taken.then(|| usual("1"));
                draft.key_below(&usual(""), next.as_deref(), &format!("{} {words}", quoted(&name)));
            }
        }
        Ok(())
    }

    /// A sequence of a table's column: part of the table where it numbers its rows, an object of its own otherwise, such as
    /// one beside that which the default uses.
    fn sequence_of(&mut self, draft: &Draft, column: i32, sequence: &Sequence) {
        let at = (catalog::RELATION, sequence.oid);
        let words = format!("SEQUENCE {}", sequence.place());
        let name = self.columns.get(&draft.oid).and_then(|columns| columns.get(&column));
        let numbers = name
            .and_then(|name| draft.table.column(name))
            .and_then(|column| column.identity.as_ref())
            .is_some_and(|identity| identity.written == sequence.definition());
        if sequence.is_identity() || numbers {
            self.know(at, draft.key.clone(), words);
            return;
        }
        let place = qualified(&draft.key.schema, &draft.key.name);
        let owner = format!("{place}.{}", quoted(name.map_or("", String::as_str)));
        let object = Object {
            name: sequence.name.clone(),
            meaning: format!("AS {}{} OWNED BY {owner}", sequence.data_type, sequence.options),
            create: vec![format!("CREATE SEQUENCE {}", sequence.definition())],
            late: vec![format!("ALTER SEQUENCE {} OWNED BY {owner}", sequence.place())],
            // It goes with its table.
            drop: format!("DROP SEQUENCE IF EXISTS {}", sequence.place()),
            redefinable: true,
            ..Object::default()
        };
        let key = Key {
            kind: Kind::Sequence,
            schema: sequence.schema.clone(),
            name: sequence.name.clone(),
        };
        self.add(at, words, key, object);
    }

    /// Those of constraints belong to these, those of partitions that hang on one of the parent's to that one.
    pub(super) fn indexes(&mut self) -> Result<()> {
        let sql = format!(
            "SELECT i.indexrelid, i.indrelid, n.nspname, c.relname, pg_get_indexdef(i.indexrelid), i.indisunique, \
             i.indisreplident, i.indisclustered FROM pg_index i JOIN pg_class c ON c.oid = i.indexrelid \
             JOIN pg_namespace n ON n.oid = c.relnamespace WHERE NOT c.relispartition AND NOT EXISTS (SELECT 1 \
             FROM pg_constraint k WHERE k.conindid = i.indexrelid AND k.contype IN ('p', 'u', 'x')) AND {}",
            made(catalog::RELATION, "c.oid")
        );
        for mut row in self.rows(&sql)? {
            let (oid, table, schema, name) = (row.oid(), row.oid(), row.text(), row.text());
            let (definition, unique, replica, is_order) = (row.text(), row.flag(), row.flag(), row.flag());
            let Some(known) = self.known.get(&(catalog::RELATION, table)) else {
                continue;
            };
            let on = known.key.clone();
            // With ONLY an index of a partitioned table waits for those of its partitions.
            let unique = if unique { "UNIQUE " } else { "" };
            let head = format!("CREATE {unique}INDEX {} ON ", quoted(&name));
            let create = match definition.strip_prefix(&format!("{head}ONLY ")) {
                Some(rest) => head + rest,
                None => definition,
            };
            let place = qualified(&schema, &name);
            let mut statements = vec![create];
            statements.extend(marks(&on, &name, replica, is_order));
            let object = Object {
                name: name.clone(),
                on: Some(on),
                meaning: statements.join(";\n"),
                create: statements,
                drop: format!("DROP INDEX {place}"),
                ..Object::default()
            };
            let key = Key {
                kind: Kind::Index,
                schema,
                name,
            };
            self.add((catalog::RELATION, oid), format!("INDEX {place}"), key, object);
        }
        Ok(())
    }
}

/// What an index is to its table beside the rest: what tells rows apart where they are replicated, and the order in which
/// they are laid anew.
pub(super) fn marks(on: &Key, index: &str, is_identity: bool, is_order: bool) -> impl Iterator<Item = String> + use<> {
    let (table, index) = (qualified(&on.schema, &on.name), quoted(index));
    let identity = is_identity.then(|| format!("ALTER TABLE {table} REPLICA IDENTITY USING INDEX {index}"));
    let order = is_order.then(|| format!("ALTER TABLE {table} CLUSTER ON {index}"));
    identity.into_iter().chain(order)
}

/// The definition of a primary key or UNIQUE with the storage parameters of its index, which the server leaves out there, as
/// it does not for EXCLUDE: behind its columns and those that are included.
fn with_options(definition: &str, options: &str) -> String {
    let tokens: Vec<token::Token> = token::significant(definition, &POSTGRESQL).collect();
    let text = |at: usize| tokens.get(at).map_or("", |token| &definition[token.span.clone()]);
    let (mut depth, mut end) = (0_usize, definition.len());
    for (at, token) in tokens.iter().enumerate() {
        match text(at) {
            "(" => depth += 1,
            ")" => depth = depth.saturating_sub(1),
            _ => continue,
        }
        if depth == 0 {
            end = token.span.end;
            if text(at + 1) != "INCLUDE" {
                break;
            }
        }
    }
    format!("{} WITH ({options}){}", &definition[..end], &definition[end..])
}

#[cfg(test)]
mod tests {
    use super::with_options;

    #[test]
    fn parameters_stand_behind_the_columns() {
        for (definition, with) in [
            ("UNIQUE (a)", "UNIQUE (a) WITH (fillfactor=50)"),
            (
                "PRIMARY KEY (a, b) INCLUDE (c) DEFERRABLE",
                "PRIMARY KEY (a, b) INCLUDE (c) WITH (fillfactor=50) DEFERRABLE",
            ),
        ] {
            assert_eq!(with_options(definition, "fillfactor=50"), with);
        }
    }
}
