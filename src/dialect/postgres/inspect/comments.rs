//! Comments, each an object that stands on what it is about.

use crate::dialect::postgres::inspect::{Known, Reading, catalog, literal, qualified, quoted};
use crate::error::Result;
use crate::schema::{Key, Kind, Object};

impl Reading<'_> {
    pub(super) fn comments(&mut self) -> Result<()> {
        self.inherited_constraints()?;
        self.comments_of_extensions()?;
        // The schema `public` is in every database, and is no object of the model.
        let sql = "SELECT d.classoid, d.objoid, d.objsubid, d.description, a.attname, p.oid IS NOT NULL \
                   FROM pg_description d \
                   LEFT JOIN pg_attribute a ON d.classoid = 1259 AND a.attrelid = d.objoid AND a.attnum = d.objsubid \
                   AND d.objsubid > 0 \
                   LEFT JOIN pg_namespace p ON d.classoid = 2615 AND p.oid = d.objoid AND p.nspname = 'public' \
                   WHERE CASE WHEN p.oid IS NULL THEN d.objoid >= 16384 ELSE d.description <> 'standard public schema' END";
        for mut row in self.rows(sql)? {
            let (class, oid, column) = (row.oid(), row.oid(), row.oid());
            let (text, name, is_public) = (row.text(), row.optional(), row.flag());
            // An extension has one of its own.
            let known = self.known.get(&(class, oid)).filter(|_| class != catalog::EXTENSION);
            let known = known.filter(|known| !known.words.is_empty());
            let known = known.map(|known| (&known.key, known.words.as_str()));
            let inherited = self.commented.get(&(class, oid));
            let known = known.or(inherited.map(|(key, words)| (key, words.as_str())));
            let words = known.map(|(_, words)| words);
            let Some(words) = words.or(is_public.then_some("SCHEMA public")) else {
                continue;
            };
            let words = match name {
                _ if column == 0 => words.to_owned(),
                Some(name) if class == catalog::RELATION => {
                    let table = words.split_once(' ').map_or("", |(_, name)| name);
                    let table = table.strip_prefix("VIEW ").unwrap_or(table);
                    format!("COLUMN {table}.{}", quoted(&name))
                }
                _ => continue,
            };
            let on = known.map(|(key, _)| key.clone());
            let key = Key {
                kind: Kind::Comment,
                schema: String::new(),
                name: spelled(&words),
            };
            let create = vec![format!("COMMENT ON {words} IS {}", literal(&text))];
            // A foreign key comes when everything else is there.
            let (create, late) = if class == catalog::CONSTRAINT {
                (Vec::new(), create)
            } else {
                (create, Vec::new())
            };
            let object = Object {
                name: key.name.clone(),
                on,
                meaning: text,
                create,
                late,
                drop: format!("COMMENT ON {words} IS NULL"),
                redefinable: true,
                ..Object::default()
            };
            self.model.objects.insert(key, object);
        }
        Ok(())
    }

    /// An extension brings its comment along: only another one is a part of the schema, and that it has none.
    fn comments_of_extensions(&mut self) -> Result<()> {
        let is_extension = |known: &Known| known.key.kind == Kind::Extension && !known.words.is_empty();
        if !self.known.values().any(is_extension) {
            return Ok(());
        }
        let sql = "SELECT x.oid, coalesce(d.description, ''), a.comment FROM pg_extension x \
                   LEFT JOIN pg_description d ON d.classoid = 3079 AND d.objoid = x.oid AND d.objsubid = 0 \
                   LEFT JOIN pg_available_extensions a ON a.name = x.extname \
                   WHERE d.description IS DISTINCT FROM a.comment";
        for mut row in self.rows(sql)? {
            let (oid, text, usual) = (row.oid(), row.text(), row.optional());
            let Some(known) = self.known.get(&(catalog::EXTENSION, oid)) else {
                continue;
            };
            let said = |text: Option<&str>| {
                let text = text.filter(|text| !text.is_empty()).map(literal);
                let text = text.unwrap_or_else(|| "NULL".to_owned());
                format!("COMMENT ON {} IS {text}", known.words)
            };
            let key = Key::new(Kind::Comment, spelled(&known.words));
            let object = Object {
                name: key.name.clone(),
                on: Some(known.key.clone()),
                create: vec![said(Some(&text))],
                drop: said(usual.as_deref()),
                meaning: text,
                redefinable: true,
                ..Object::default()
            };
            self.model.objects.insert(key, object);
        }
        Ok(())
    }

    /// CHECKs and foreign keys that a table has from the one above, and that have a comment there. One of another name than
    /// that above gets it where it is made, and not where it is said.
    fn inherited_constraints(&mut self) -> Result<()> {
        let sql = "SELECT c.oid, c.conrelid, c.conname FROM pg_constraint c \
                   JOIN pg_description d ON d.classoid = 2606 AND d.objoid = c.oid \
                   LEFT JOIN pg_constraint p ON p.oid = c.conparentid \
                   WHERE c.contype IN ('c', 'f') AND (NOT c.conislocal OR c.conparentid <> 0) \
                   AND coalesce(p.conname = c.conname, true)";
        for mut row in self.rows(sql)? {
            let (oid, table, name) = (row.oid(), row.oid(), row.text());
            let Some(on) = self.key(catalog::RELATION, table).cloned() else {
                continue;
            };
            let words = format!("CONSTRAINT {} ON {}", quoted(&name), qualified(&on.schema, &on.name));
            self.commented.insert((catalog::CONSTRAINT, oid), (on, words));
        }
        Ok(())
    }
}

/// `COLUMN public.t."A"` as `column public.t."A"`: names keep their capital letters.
fn spelled(words: &str) -> String {
    let at = words.find(|letter: char| !letter.is_ascii_uppercase() && letter != ' ');
    let (kind, name) = words.split_at(at.unwrap_or(words.len()));
    kind.to_ascii_lowercase() + name
}
