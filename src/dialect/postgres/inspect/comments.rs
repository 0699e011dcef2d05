//! Comments, each an object that stands on what it is about.

use crate::dialect::postgres::inspect::{Reading, catalog, literal, quoted};
use crate::error::Result;
use crate::schema::{Key, Kind, Object};

impl Reading<'_> {
    pub(super) fn comments(&mut self) -> Result<()> {
        let sql = "SELECT d.classoid, d.objoid, d.objsubid, d.description, a.attname FROM pg_description d \
                   LEFT JOIN pg_attribute a ON d.classoid = 1259 AND a.attrelid = d.objoid AND a.attnum = d.objsubid \
                   AND d.objsubid > 0 WHERE d.objoid >= 16384";
        for mut row in self.rows(sql)? {
            let (class, oid, column) = (row.oid(), row.oid(), row.oid());
            let (text, name) = (row.text(), row.optional());
            // An extension brings its comment along.
            let known = self.known.get(&(class, oid)).filter(|_| class != catalog::EXTENSION);
            let Some(known) = known.filter(|known| !known.words.is_empty()) else {
                continue;
            };
            let words = match name {
                _ if column == 0 => known.words.clone(),
                Some(name) if class == catalog::RELATION => {
                    let table = known.words.split_once(' ').map_or("", |(_, name)| name);
                    let table = table.strip_prefix("VIEW ").unwrap_or(table);
                    format!("COLUMN {table}.{}", quoted(&name))
                }
                _ => continue,
            };
            let on = known.key.clone();
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
                on: Some(on),
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
}

/// `COLUMN public.t."A"` as `column public.t."A"`: names keep their capital letters.
fn spelled(words: &str) -> String {
    let at = words.find(|letter: char| !letter.is_ascii_uppercase() && letter != ' ');
    let (kind, name) = words.split_at(at.unwrap_or(words.len()));
    kind.to_ascii_lowercase() + name
}
