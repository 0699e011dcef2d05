//! What seldom is a project's own and others stand on: collations, dictionaries and configurations of the text search,
//! operators and casts.

use std::collections::BTreeMap;

use crate::dialect::postgres::inspect::{Reading, catalog, literal, made, no_member, qualified, quoted};
use crate::dialect::postgres::render;
use crate::dialect::row::Row;
use crate::error::Result;
use crate::schema::{Key, Kind, Object};
use crate::sorted::{self, Gather as _};

impl Reading<'_> {
    pub(super) fn others(&mut self) -> Result<()> {
        self.collations()?;
        self.dictionaries()?;
        self.configurations()?;
        self.operators()?;
        self.casts()
    }

    fn other(&mut self, at: (u32, u32), words: String, key: Key, create: Vec<String>) {
        let object = Object {
            name: key.name.clone(),
            meaning: create.join("\n"),
            create,
            drop: format!("DROP {words}"),
            redefinable: matches!(key.kind, Kind::TextSearchConfiguration | Kind::TextSearchDictionary),
            ..Object::default()
        };
        self.add(at, words, key, object);
    }

    /// The columns of the catalog have other names and meanings from version to version, so that a row is asked as JSON.
    fn collations(&mut self) -> Result<()> {
        let sql = format!(
            "SELECT c.oid, n.nspname, c.collname, c.collprovider, c.collisdeterministic, c.collcollate, c.collctype, \
             coalesce(to_jsonb(c)->>'colllocale', to_jsonb(c)->>'colliculocale', c.collcollate), \
             to_jsonb(c)->>'collicurules' \
             FROM pg_collation c JOIN pg_namespace n ON n.oid = c.collnamespace \
             WHERE c.collencoding IN (-1, (SELECT encoding FROM pg_database WHERE datname = current_database())) AND {}",
            made(catalog::COLLATION, "c.oid")
        );
        for mut row in self.rows(&sql)? {
            let (oid, schema, name, provider) = (row.oid(), row.text(), row.text(), row.text());
            let deterministic = row.flag();
            let (collate, ctype) = (row.optional(), row.optional());
            let (locale, rules) = (row.optional().unwrap_or_default(), row.optional());
            let mut options = match provider.as_str() {
                "i" => vec!["provider = icu".to_owned(), format!("locale = {}", literal(&locale))],
                "b" => vec![
                    "provider = builtin".to_owned(),
                    format!("locale = {}", literal(&locale)),
                ],
                _ => vec![
                    "provider = libc".to_owned(),
                    format!("lc_collate = {}", literal(&collate.unwrap_or_default())),
                    format!("lc_ctype = {}", literal(&ctype.unwrap_or_default())),
                ],
            };
            if !deterministic {
                options.push("deterministic = false".to_owned());
            }
            options.extend(rules.map(|rules| format!("rules = {}", literal(&rules))));
            let words = format!("COLLATION {}", qualified(&schema, &name));
            let create = vec![format!("CREATE {words} ({})", options.join(", "))];
            let kind = Kind::Collation;
            self.other((catalog::COLLATION, oid), words, Key { kind, schema, name }, create);
        }
        Ok(())
    }

    fn dictionaries(&mut self) -> Result<()> {
        let sql = format!(
            "SELECT d.oid, n.nspname, d.dictname, tn.nspname, t.tmplname, d.dictinitoption \
             FROM pg_ts_dict d JOIN pg_namespace n ON n.oid = d.dictnamespace \
             JOIN pg_ts_template t ON t.oid = d.dicttemplate JOIN pg_namespace tn ON tn.oid = t.tmplnamespace WHERE {}",
            made(catalog::DICTIONARY, "d.oid")
        );
        for mut row in self.rows(&sql)? {
            let (oid, schema, name) = (row.oid(), row.text(), row.text());
            let template = qualified(&row.text(), &row.text());
            // They are kept as they stand in the statement, in the order in which they came.
            let options = row.optional().map(|options| {
                let mut options = render::search_options(&options);
                sorted::sort(&mut options);
                format!(", {}", options.join(", "))
            });
            let words = format!("TEXT SEARCH DICTIONARY {}", qualified(&schema, &name));
            let options = options.unwrap_or_default();
            let create = vec![format!("CREATE {words} (TEMPLATE = {template}{options})")];
            let kind = Kind::TextSearchDictionary;
            self.other((catalog::DICTIONARY, oid), words, Key { kind, schema, name }, create);
        }
        Ok(())
    }

    fn configurations(&mut self) -> Result<()> {
        let mut mappings: BTreeMap<u32, Vec<(String, String)>> = BTreeMap::new();
        let sql = "SELECT m.mapcfg, t.alias, string_agg(m.mapdict::regdictionary::text, ', ' ORDER BY m.mapseqno) \
                   FROM pg_ts_config_map m JOIN pg_ts_config c ON c.oid = m.mapcfg \
                   JOIN LATERAL ts_token_type(c.cfgparser) t ON t.tokid = m.maptokentype \
                   WHERE c.oid >= 16384 GROUP BY m.mapcfg, m.maptokentype, t.alias ORDER BY m.mapcfg, m.maptokentype";
        for mut row in self.rows(sql)? {
            mappings.entry(row.oid()).or_default().push((row.text(), row.text()));
        }
        let sql = format!(
            "SELECT c.oid, n.nspname, c.cfgname, pn.nspname, p.prsname \
             FROM pg_ts_config c JOIN pg_namespace n ON n.oid = c.cfgnamespace \
             JOIN pg_ts_parser p ON p.oid = c.cfgparser JOIN pg_namespace pn ON pn.oid = p.prsnamespace WHERE {}",
            made(catalog::CONFIGURATION, "c.oid")
        );
        for mut row in self.rows(&sql)? {
            let (oid, schema, name) = (row.oid(), row.text(), row.text());
            let parser = qualified(&row.text(), &row.text());
            let words = format!("TEXT SEARCH CONFIGURATION {}", qualified(&schema, &name));
            let mut create = vec![format!("CREATE {words} (PARSER = {parser})")];
            for (token, dictionaries) in mappings.get(&oid).into_iter().flatten() {
                create.push(format!(
                    "ALTER {words} ADD MAPPING FOR {} WITH {dictionaries}",
                    quoted(token)
                ));
            }
            let kind = Kind::TextSearchConfiguration;
            self.other((catalog::CONFIGURATION, oid), words, Key { kind, schema, name }, create);
        }
        Ok(())
    }

    /// One that is only named by another one has no function yet.
    fn operators(&mut self) -> Result<()> {
        let named = |column: &str| {
            format!(
                "(SELECT 'OPERATOR(' || quote_ident(f.nspname) || '.' || x.oprname || ')' FROM pg_operator x \
                 JOIN pg_namespace f ON f.oid = x.oprnamespace WHERE x.oid = o.{column})"
            )
        };
        let sql = format!(
            "SELECT o.oid, n.nspname, o.oprname, CASE WHEN o.oprleft <> 0 THEN format_type(o.oprleft, NULL) END, \
             CASE WHEN o.oprright <> 0 THEN format_type(o.oprright, NULL) END, o.oprcode::regproc::text, {}, {}, \
             nullif(o.oprrest::oid, 0)::regproc::text, nullif(o.oprjoin::oid, 0)::regproc::text, o.oprcanhash, \
             o.oprcanmerge FROM pg_operator o JOIN pg_namespace n ON n.oid = o.oprnamespace \
             WHERE o.oprcode <> 0 AND {}",
            named("oprcom"),
            named("oprnegate"),
            made(catalog::OPERATOR, "o.oid")
        );
        for mut row in self.rows(&sql)? {
            let (oid, schema, operator) = (row.oid(), row.text(), row.text());
            let (left, right) = (row.optional(), row.optional());
            let mut options = vec![format!("FUNCTION = {}", row.text())];
            options.extend(left.iter().map(|left| format!("LEFTARG = {left}")));
            options.extend(right.iter().map(|right| format!("RIGHTARG = {right}")));
            for option in ["COMMUTATOR", "NEGATOR", "RESTRICT", "JOIN"] {
                options.extend(row.optional().map(|value| format!("{option} = {value}")));
            }
            for option in ["HASHES", "MERGES"] {
                options.extend(row.flag().then(|| option.to_owned()));
            }
            let side = |side: Option<String>| side.unwrap_or_else(|| "NONE".to_owned());
            let sides = format!("({}, {})", side(left), side(right));
            let place = format!("{}.{operator}", quoted(&schema));
            let words = format!("OPERATOR {place} {sides}");
            let create = vec![format!("CREATE OPERATOR {place} ({})", options.join(", "))];
            let kind = Kind::Operator;
            let name = format!("{operator}{sides}");
            self.other((catalog::OPERATOR, oid), words, Key { kind, schema, name }, create);
        }
        Ok(())
    }

    /// Extended statistics go with their table, and with a column of theirs.
    pub(super) fn statistics(&mut self) -> Result<()> {
        let sql = format!(
            "SELECT s.oid, n.nspname, s.stxname, s.stxrelid, pg_get_statisticsobjdef(s.oid), \
             (SELECT string_agg(a.attname, E'\\n') FROM pg_attribute a WHERE a.attrelid = s.stxrelid \
             AND a.attnum = ANY (s.stxkeys)), \
             (SELECT string_agg(quote_ident(a.attname), ', ' ORDER BY a.attnum) FROM pg_attribute a \
             WHERE a.attrelid = s.stxrelid AND a.attnum = ANY (s.stxkeys)), \
             (SELECT string_agg(quote_ident(a.attname), ', ' ORDER BY a.attname) FROM pg_attribute a \
             WHERE a.attrelid = s.stxrelid AND a.attnum = ANY (s.stxkeys)) \
             FROM pg_statistic_ext s JOIN pg_namespace n ON n.oid = s.stxnamespace WHERE {}",
            made(catalog::STATISTICS, "s.oid")
        );
        for mut row in self.rows(&sql)? {
            let (oid, schema, name, relation) = (row.oid(), row.text(), row.text(), row.oid());
            let (create, columns) = (row.text(), row.optional().unwrap_or_default());
            // The server lists them by their places in the table, which do not count.
            let (listed, sorted) = (format!(" ON {}", row.text()), format!(" ON {}", row.text()));
            let on = self.key(catalog::RELATION, relation).cloned();
            let words = format!("STATISTICS {}", qualified(&schema, &name));
            let object = Object {
                name: name.clone(),
                on: on.clone(),
                meaning: create.replacen(&listed, &sorted, 1),
                create: vec![create],
                drop: format!("DROP {words}"),
                uses: on.into_iter().into_set(),
                columns: columns.lines().map(str::to_owned).into_set(),
                ..Object::default()
            };
            let kind = Kind::Statistics;
            self.add((catalog::STATISTICS, oid), words, Key { kind, schema, name }, object);
        }
        Ok(())
    }

    /// Those that come with a range are the server's.
    fn casts(&mut self) -> Result<()> {
        let sql = format!(
            "SELECT c.oid, format_type(c.castsource, NULL), format_type(c.casttarget, NULL), c.castmethod, \
             nullif(c.castfunc, 0)::regprocedure::text, c.castcontext \
             FROM pg_cast c WHERE c.oid >= 16384 AND {} AND NOT EXISTS (SELECT 1 FROM pg_depend i \
             WHERE i.classid = 2605 AND i.objid = c.oid AND i.deptype = 'i')",
            no_member(catalog::CAST, "c.oid")
        );
        for mut row in self.rows(&sql)? {
            let (oid, words, create) = cast(&mut row);
            let key = Key::new(Kind::Cast, words.trim_start_matches("CAST ").to_owned());
            self.other((catalog::CAST, oid), words, key, vec![create]);
        }
        Ok(())
    }
}

fn cast(row: &mut Row) -> (u32, String, String) {
    let oid = row.oid();
    let words = format!("CAST ({} AS {})", row.text(), row.text());
    let (method, function, context) = (row.text(), row.optional(), row.text());
    let how = match (method.as_str(), function) {
        ("f", Some(function)) => format!("WITH FUNCTION {function}"),
        ("i", _) => "WITH INOUT".to_owned(),
        _ => "WITHOUT FUNCTION".to_owned(),
    };
    let when = match context.as_str() {
        "a" => " AS ASSIGNMENT",
        "i" => " AS IMPLICIT",
        _ => "",
    };
    (oid, words.clone(), format!("CREATE {words} {how}{when}"))
}
