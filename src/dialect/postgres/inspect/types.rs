//! Enums, domains, composite types and ranges. What they are made of stands in their meaning, a line each, so that one
//! can be led to the other.

use std::collections::BTreeMap;

use crate::dialect::postgres::inspect::{Reading, catalog, literal, made, qualified, quoted};
use crate::error::Result;
use crate::schema::{Key, Kind, Object};

/// The parts of types that have several, by the type's number.
#[derive(Default)]
struct Parts(BTreeMap<u32, Vec<[String; 3]>>);

impl Parts {
    fn of(&self, oid: u32) -> &[[String; 3]] {
        self.0.get(&oid).map_or(&[], Vec::as_slice)
    }
}

impl Reading<'_> {
    pub(super) fn types(&mut self) -> Result<()> {
        let labels = self.parts(
            "SELECT enumtypid, enumlabel, '', '' FROM pg_enum WHERE enumtypid >= 16384 ORDER BY enumtypid, enumsortorder",
        )?;
        let checks = self.parts(
            "SELECT contypid, conname, pg_get_constraintdef(oid), '' FROM pg_constraint WHERE contypid >= 16384 \
             AND contype = 'c' ORDER BY contypid, conname",
        )?;
        let attributes = self.parts(
            "SELECT a.attrelid, a.attname, format_type(a.atttypid, a.atttypmod), \
             CASE WHEN a.attcollation <> t.typcollation THEN a.attcollation::regcollation::text ELSE '' END \
             FROM pg_attribute a JOIN pg_class c ON c.oid = a.attrelid JOIN pg_type t ON t.oid = a.atttypid \
             WHERE c.relkind = 'c' AND c.oid >= 16384 AND a.attnum > 0 AND NOT a.attisdropped \
             ORDER BY a.attrelid, a.attnum",
        )?;
        // Said where it is not the one that it gets anyway.
        let multirange = if self.version >= 140_000 {
            "(SELECT m.oid::regtype::text FROM pg_type m WHERE m.oid = r.rngmultitypid AND m.typname <> \
             CASE WHEN t.typname ~ 'range' THEN regexp_replace(t.typname, 'range', 'multirange') \
             ELSE left(t.typname, 52) || '_multirange' END)"
        } else {
            "NULL"
        };
        let sql = format!(
            "SELECT t.oid, n.nspname, t.typname, t.typtype, t.typrelid, format_type(t.typbasetype, t.typtypmod), \
             t.typnotnull, pg_get_expr(t.typdefaultbin, 0), \
             CASE WHEN t.typtype = 'd' AND t.typcollation <> b.typcollation THEN t.typcollation::regcollation::text END, \
             format_type(r.rngsubtype, NULL), (SELECT format('%I.%I', x.nspname, o.opcname) FROM pg_opclass o \
             JOIN pg_namespace x ON x.oid = o.opcnamespace WHERE o.oid = r.rngsubopc AND NOT o.opcdefault), nullif(r.rngsubdiff::oid, 0)::regproc::text, \
             CASE WHEN r.rngcollation <> s.typcollation THEN r.rngcollation::regcollation::text END, {multirange} \
             FROM pg_type t JOIN pg_namespace n ON n.oid = t.typnamespace LEFT JOIN pg_class c ON c.oid = t.typrelid \
             LEFT JOIN pg_type b ON b.oid = t.typbasetype LEFT JOIN pg_range r ON r.rngtypid = t.oid \
             LEFT JOIN pg_type s ON s.oid = r.rngsubtype \
             WHERE (t.typtype IN ('e', 'd', 'r') OR t.typtype = 'c' AND c.relkind = 'c') AND {}",
            made(catalog::TYPE, "t.oid")
        );
        for mut row in self.rows(&sql)? {
            let (oid, schema, name, sort, relation) = (row.oid(), row.text(), row.text(), row.text(), row.oid());
            let place = qualified(&schema, &name);
            let kind = if sort == "d" { Kind::Domain } else { Kind::Type };
            let mut object = match sort.as_str() {
                "e" => enumeration(&place, labels.of(oid)),
                "d" => {
                    let (base, not_null) = (row.text(), row.flag());
                    domain(
                        &place,
                        &base,
                        not_null,
                        (row.optional(), row.optional()),
                        checks.of(oid),
                    )
                }
                "c" => composite(&place, attributes.of(relation)),
                _ => {
                    let (_, _, _, _) = (row.text(), row.flag(), row.optional(), row.optional());
                    let subtype = row.text();
                    let others = [row.optional(), row.optional(), row.optional(), row.optional()];
                    range(&place, &subtype, others)
                }
            };
            let words = format!("{} {place}", if sort == "d" { "DOMAIN" } else { "TYPE" });
            object.drop = format!("DROP {words}");
            object.name.clone_from(&name);
            let key = Key { kind, schema, name };
            if relation != 0 {
                self.know((catalog::RELATION, relation), key.clone(), words.clone());
            }
            self.add((catalog::TYPE, oid), words, key, object);
        }
        self.constraints_of_domains()
    }

    fn parts(&mut self, sql: &str) -> Result<Parts> {
        let mut parts = Parts::default();
        for mut row in self.rows(sql)? {
            let oid = row.oid();
            parts
                .0
                .entry(oid)
                .or_default()
                .push([row.text(), row.text(), row.text()]);
        }
        Ok(parts)
    }

    /// The functions that a domain's CHECK calls are used by the domain.
    fn constraints_of_domains(&mut self) -> Result<()> {
        let sql = "SELECT oid, contypid, conname FROM pg_constraint WHERE contypid >= 16384 AND contype = 'c'";
        for mut row in self.rows(sql)? {
            let (oid, domain, name) = (row.oid(), row.oid(), row.text());
            if let Some(known) = self.known.get(&(catalog::TYPE, domain)) {
                let words = format!("CONSTRAINT {} ON {}", quoted(&name), known.words);
                let key = known.key.clone();
                self.know((catalog::CONSTRAINT, oid), key, words);
            }
        }
        Ok(())
    }
}

fn enumeration(place: &str, labels: &[[String; 3]]) -> Object {
    let list: Vec<String> = labels.iter().map(|[label, ..]| literal(label)).collect();
    Object {
        meaning: format!("enum\n{}", list.join("\n")),
        create: vec![format!("CREATE TYPE {place} AS ENUM ({})", list.join(", "))],
        redefinable: true,
        ..Object::default()
    }
}

fn domain(
    place: &str,
    base: &str,
    not_null: bool,
    (default, collation): (Option<String>, Option<String>),
    checks: &[[String; 3]],
) -> Object {
    let mut create = format!("CREATE DOMAIN {place} AS {base}");
    let mut meaning = format!("domain\ntype {base}");
    if let Some(collation) = collation {
        create.push_str(&format!(" COLLATE {collation}"));
        meaning.push_str(&format!(" COLLATE {collation}"));
    }
    if let Some(default) = default {
        create.push_str(&format!(" DEFAULT {default}"));
        meaning.push_str(&format!("\nDEFAULT {}", default.replace('\n', " ")));
    }
    if not_null {
        create.push_str(" NOT NULL");
        meaning.push_str("\nNOT NULL");
    }
    let mut later = Vec::new();
    for [name, definition, _] in checks {
        let constraint = format!("CONSTRAINT {} {definition}", quoted(name));
        if definition.ends_with(" NOT VALID") {
            // CREATE DOMAIN has no such words.
            later.push(format!("ALTER DOMAIN {place} ADD {constraint}"));
        } else {
            create.push_str(&format!("\n    {constraint}"));
        }
        meaning.push_str(&format!("\n{}", constraint.replace('\n', " ")));
    }
    later.insert(0, create);
    Object {
        meaning,
        create: later,
        redefinable: true,
        ..Object::default()
    }
}

fn composite(place: &str, attributes: &[[String; 3]]) -> Object {
    let list: Vec<String> = attributes
        .iter()
        .map(|[name, data_type, collation]| {
            let collation = if collation.is_empty() {
                String::new()
            } else {
                format!(" COLLATE {collation}")
            };
            format!("{} {data_type}{collation}", quoted(name))
        })
        .collect();
    let inside = if list.is_empty() {
        String::new()
    } else {
        format!("\n    {}\n", list.join(",\n    "))
    };
    Object {
        meaning: format!("composite\n{}", list.join("\n")),
        create: vec![format!("CREATE TYPE {place} AS ({inside})")],
        redefinable: true,
        ..Object::default()
    }
}

fn range(place: &str, subtype: &str, others: [Option<String>; 4]) -> Object {
    let mut words = format!("SUBTYPE = {subtype}");
    let names = ["SUBTYPE_OPCLASS", "SUBTYPE_DIFF", "COLLATION", "MULTIRANGE_TYPE_NAME"];
    for (word, value) in names.iter().zip(others) {
        if let Some(value) = value {
            words.push_str(&format!(", {word} = {value}"));
        }
    }
    Object {
        create: vec![format!("CREATE TYPE {place} AS RANGE ({words})")],
        meaning: format!("range\n{words}"),
        redefinable: true,
        ..Object::default()
    }
}
