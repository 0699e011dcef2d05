//! Owners and privileges, each an object that stands on what it is about: what differs from what every object of its
//! kind has anyway, which is the owner who asks, and the privileges of `acldefault`
//! (<https://www.postgresql.org/docs/current/ddl-priv.html>) or those that the server's own objects came with.

use std::collections::{BTreeMap, BTreeSet};

use crate::dialect::postgres::inspect::{Known, Reading, quoted};
use crate::error::Result;
use crate::schema::{Key, Kind, Object};

/// What somebody made, with its owner: class, number, owner, privileges, and the letter of its kind. A sequence that
/// belongs to a column has the owner of its table.
const OWNED: &str = "\
    SELECT 1259 AS class, c.oid, c.relowner AS owner, c.relacl AS acl, CASE c.relkind WHEN 'S' THEN 's' ELSE 'r' END AS kind, \
    NOT EXISTS (SELECT 1 FROM pg_depend d WHERE d.classid = 1259 AND d.objid = c.oid AND d.objsubid = 0 \
    AND d.refclassid = 1259 AND d.refobjsubid > 0 AND d.deptype IN ('a', 'i')) AS alone \
    FROM pg_class c WHERE c.relkind IN ('r', 'p', 'v', 'm', 'S') \
    UNION ALL SELECT 1255, oid, proowner, proacl, 'f', true FROM pg_proc \
    UNION ALL SELECT 1247, oid, typowner, typacl, 'T', true FROM pg_type \
    UNION ALL SELECT 2615, oid, nspowner, nspacl, 'n', true FROM pg_namespace \
    UNION ALL SELECT 3466, oid, evtowner, NULL, NULL, true FROM pg_event_trigger \
    UNION ALL SELECT 3456, oid, collowner, NULL, NULL, true FROM pg_collation \
    UNION ALL SELECT 3600, oid, dictowner, NULL, NULL, true FROM pg_ts_dict \
    UNION ALL SELECT 3602, oid, cfgowner, NULL, NULL, true FROM pg_ts_config \
    UNION ALL SELECT 2617, oid, oprowner, NULL, NULL, true FROM pg_operator \
    UNION ALL SELECT 3381, oid, stxowner, NULL, NULL, true FROM pg_statistic_ext";

/// The privileges of one role on one thing.
#[derive(Default)]
struct Held {
    /// Those it has, and whether it may hand them on.
    given: BTreeMap<String, bool>,
    /// Those it would have anyway.
    usual: BTreeSet<String>,
}

/// What a privilege is on.
#[derive(PartialEq, Eq, PartialOrd, Ord)]
struct Place {
    /// As GRANT calls it: `TABLE public.t`.
    words: String,
    /// The column, quoted; empty for the whole.
    column: String,
    /// The object of the model, where there is one.
    on: Option<Key>,
}

impl Reading<'_> {
    pub(super) fn rights(&mut self) -> Result<()> {
        self.owners()?;
        self.grants()?;
        self.default_grants()
    }

    /// The role that asks owns what it makes.
    fn owners(&mut self) -> Result<()> {
        let sql = format!(
            "SELECT o.class, o.oid, quote_ident(r.rolname) FROM ({OWNED}) o JOIN pg_roles r ON r.oid = o.owner \
             WHERE r.rolname <> current_user AND o.alone AND o.oid >= 16384"
        );
        for mut row in self.rows(&sql)? {
            let (at, owner) = ((row.oid(), row.oid()), row.text());
            let Some(known) = self.known.get(&at).filter(|known| is_whole(known)) else {
                continue;
            };
            let words = &known.words;
            let object = Object {
                name: words.clone(),
                on: Some(known.key.clone()),
                late: vec![format!("ALTER {words} OWNER TO {owner}")],
                drop: format!("ALTER {words} OWNER TO CURRENT_USER"),
                meaning: owner,
                ..Object::default()
            };
            let key = Key::new(Kind::Owner, words.clone());
            self.model.objects.insert(key, object);
        }
        Ok(())
    }

    fn grants(&mut self) -> Result<()> {
        let sql = format!(
            "WITH o AS (SELECT class, oid, 0 AS sub, owner, acl, kind FROM ({OWNED}) w WHERE acl IS NOT NULL \
             UNION ALL SELECT 1259, a.attrelid, a.attnum, c.relowner, a.attacl, 'c' FROM pg_attribute a \
             JOIN pg_class c ON c.oid = a.attrelid WHERE a.attacl IS NOT NULL AND NOT a.attisdropped) \
             SELECT o.class, o.oid, o.kind, quote_ident(t.attname), n.nspname, \
             CASE WHEN x.grantee = 0 THEN 'PUBLIC' WHEN pg_get_userbyid(x.grantee) = current_user THEN 'CURRENT_USER' \
             ELSE quote_ident(pg_get_userbyid(x.grantee)) END, \
             x.privilege_type, x.is_grantable AND x.grantee <> o.owner, x.given \
             FROM o LEFT JOIN pg_attribute t ON o.sub <> 0 AND t.attrelid = o.oid AND t.attnum = o.sub \
             LEFT JOIN pg_namespace n ON o.class = 2615 AND n.oid = o.oid \
             LEFT JOIN pg_init_privs i ON i.classoid = o.class AND i.objoid = o.oid AND i.objsubid = o.sub \
             CROSS JOIN LATERAL (SELECT grantee, privilege_type, is_grantable, true AS given FROM aclexplode(o.acl) \
             UNION ALL SELECT grantee, privilege_type, false, false \
             FROM aclexplode(coalesce(i.initprivs, acldefault(o.kind::\"char\", o.owner)))) x \
             WHERE o.oid >= 16384 OR n.nspname = 'public'"
        );
        let mut all: BTreeMap<(Place, String), Held> = BTreeMap::new();
        for mut row in self.rows(&sql)? {
            let (at, kind, column, schema) = ((row.oid(), row.oid()), row.text(), row.optional(), row.optional());
            let known = self.known.get(&at).filter(|known| is_whole(known));
            let words = match (known, schema.as_deref()) {
                (Some(known), _) => called(&kind, &known.words),
                // It is in every database, so it is no object of the model.
                (None, Some("public")) => "SCHEMA public".to_owned(),
                (None, _) => continue,
            };
            let place = Place {
                words,
                column: column.unwrap_or_default(),
                on: known.map(|known| known.key.clone()),
            };
            take(
                all.entry((place, row.text())).or_default(),
                row.text(),
                row.flag(),
                row.flag(),
            );
        }
        for ((place, role), held) in &all {
            let column = if place.column.is_empty() {
                String::new()
            } else {
                format!(" ({})", place.column)
            };
            let said = |privileges: &[&str]| {
                let each = privileges.iter().map(|privilege| format!("{privilege}{column}"));
                format!("{} ON {}", each.collect::<Vec<_>>().join(", "), place.words)
            };
            let name = format!("{}{column}", place.words);
            self.differences(&name, role, held, place.on.as_ref(), "", &said);
        }
        Ok(())
    }

    /// What roles get on whatever will be made (ALTER DEFAULT PRIVILEGES).
    fn default_grants(&mut self) -> Result<()> {
        let sql = "SELECT CASE WHEN d.defaclrole <> (SELECT oid FROM pg_roles WHERE rolname = current_user) \
             THEN quote_ident(pg_get_userbyid(d.defaclrole)) END, n.nspname, d.defaclobjtype, \
             CASE WHEN x.grantee = 0 THEN 'PUBLIC' WHEN pg_get_userbyid(x.grantee) = current_user THEN 'CURRENT_USER' \
             ELSE quote_ident(pg_get_userbyid(x.grantee)) END, \
             x.privilege_type, x.is_grantable AND x.grantee <> d.defaclrole, x.given \
             FROM pg_default_acl d LEFT JOIN pg_namespace n ON n.oid = d.defaclnamespace \
             CROSS JOIN LATERAL (SELECT grantee, privilege_type, is_grantable, true AS given FROM aclexplode(d.defaclacl) \
             UNION ALL SELECT grantee, privilege_type, false, false FROM aclexplode(CASE WHEN d.defaclnamespace = 0 \
             THEN acldefault(CASE d.defaclobjtype WHEN 'S' THEN 's'::\"char\" ELSE d.defaclobjtype END, d.defaclrole) END)) x";
        let mut all: BTreeMap<[String; 3], Held> = BTreeMap::new();
        let mut schemas: BTreeMap<String, String> = BTreeMap::new();
        for mut row in self.rows(sql)? {
            let (owner, schema, kind) = (row.optional(), row.optional(), row.text());
            let mut front = String::from("ALTER DEFAULT PRIVILEGES ");
            if let Some(owner) = owner {
                front.push_str(&format!("FOR ROLE {owner} "));
            }
            if let Some(schema) = schema {
                front.push_str(&format!("IN SCHEMA {} ", quoted(&schema)));
                schemas.insert(front.clone(), schema);
            }
            let kind = match kind.as_str() {
                "S" => "SEQUENCES",
                "f" => "FUNCTIONS",
                "T" => "TYPES",
                "n" => "SCHEMAS",
                "r" => "TABLES",
                _ => continue,
            };
            let of = [front, kind.to_owned(), row.text()];
            take(all.entry(of).or_default(), row.text(), row.flag(), row.flag());
        }
        for ([front, kind, role], held) in &all {
            let on = schemas.get(front).filter(|schema| *schema != "public");
            let on = on.map(|schema| Key::new(Kind::Schema, schema.as_str()));
            let said = |privileges: &[&str]| format!("{} ON {kind}", privileges.join(", "));
            self.differences(&format!("{front}{kind}"), role, held, on.as_ref(), front, &said);
        }
        Ok(())
    }

    /// The objects for what a role has beyond what is usual, what of that it may hand on, and what of it it has not.
    fn differences(
        &mut self,
        name: &str,
        role: &str,
        held: &Held,
        on: Option<&Key>,
        front: &str,
        said: &dyn Fn(&[&str]) -> String,
    ) {
        let given = |handed_on: bool| -> Vec<&str> {
            let all = held
                .given
                .iter()
                .filter(|(privilege, option)| **option == handed_on && (handed_on || !held.usual.contains(*privilege)));
            all.map(|(privilege, _)| privilege.as_str()).collect()
        };
        let taken: Vec<&str> = held
            .usual
            .iter()
            .filter(|privilege| !held.given.contains_key(*privilege))
            .map(String::as_str)
            .collect();
        let all = [
            (format!("{name} to {role}"), given(false), ""),
            (
                format!("{name} to {role} with grant option"),
                given(true),
                " WITH GRANT OPTION",
            ),
            (format!("{name} from {role}"), taken, "-"),
        ];
        for (name, privileges, how) in all {
            if privileges.is_empty() {
                continue;
            }
            let said = said(&privileges);
            let (grant, revoke) = (
                format!("{front}GRANT {said} TO {role}{}", how.trim_start_matches('-')),
                format!("{front}REVOKE {said} FROM {role}"),
            );
            let (make, drop) = if how == "-" { (revoke, grant) } else { (grant, revoke) };
            let mut object = Object {
                name: name.clone(),
                on: on.cloned(),
                meaning: privileges.join(", "),
                late: vec![make],
                drop,
                ..Object::default()
            };
            // A new owner gets what the old one had, and loses nothing that was granted before.
            let owner = on.and_then(|on| {
                let mut owners = self.model.objects.iter().filter(|(key, _)| key.kind == Kind::Owner);
                owners
                    .find(|(_, owner)| owner.on.as_ref() == Some(on))
                    .map(|(key, _)| key.clone())
            });
            object.uses.extend(owner);
            self.model.objects.insert(Key::new(Kind::Grant, name), object);
        }
    }
}

fn take(held: &mut Held, privilege: String, handed_on: bool, given: bool) {
    if given {
        *held.given.entry(privilege).or_default() |= handed_on;
    } else {
        held.usual.insert(privilege);
    }
}

/// Whether it is an object that can be named, and not part of an extension.
fn is_whole(known: &Known) -> bool {
    !known.words.is_empty() && known.key.kind != Kind::Extension
}

/// What GRANT calls it: views are tables to it, and aggregates functions.
fn called(kind: &str, words: &str) -> String {
    let name = |front: &str| words.strip_prefix(front).map(str::to_owned);
    match kind {
        "r" | "c" => {
            let place = ["MATERIALIZED VIEW ", "VIEW ", "TABLE "]
                .iter()
                .find_map(|front| name(front));
            format!("TABLE {}", place.unwrap_or_else(|| words.to_owned()))
        }
        _ => match name("AGGREGATE ") {
            Some(aggregate) => format!("FUNCTION {aggregate}"),
            None => words.to_owned(),
        },
    }
}
