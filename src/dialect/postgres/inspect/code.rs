//! Views, functions, rules, triggers, policies and event triggers.

use std::collections::BTreeMap;

use crate::dialect::postgres::inspect::draft::{compression_method, storage};
use crate::dialect::postgres::inspect::{Reading, Row, catalog, literal, made, no_member, qualified, quoted};
use crate::error::Result;
use crate::schema::{Key, Kind, Object};
use crate::sql::split::POSTGRESQL;
use crate::sql::token;

impl Reading<'_> {
    /// Views and materialized ones.
    pub(super) fn views(&mut self) -> Result<()> {
        let sql = format!(
            "SELECT c.oid, n.nspname, c.relname, c.relkind, \
             (SELECT string_agg(o, ', ' ORDER BY o) FROM unnest(c.reloptions) o), pg_get_viewdef(c.oid) \
             FROM pg_class c JOIN pg_namespace n ON n.oid = c.relnamespace WHERE c.relkind IN ('v', 'm') AND {}",
            made(catalog::RELATION, "c.oid")
        );
        let mut stored = self.stored_columns()?;
        let mut defaults = self.view_defaults()?;
        for mut row in self.rows(&sql)? {
            let (oid, schema, name, kind) = (row.oid(), row.text(), row.text(), row.text());
            let (options, text) = (row.text(), row.text());
            let place = qualified(&schema, &name);
            let with = if options.is_empty() {
                String::new()
            } else {
                format!(" WITH ({options})")
            };
            let what = if kind == "m" { "MATERIALIZED VIEW" } else { "VIEW" };
            let text = text.trim().trim_end_matches(';');
            let mut create = vec![format!("CREATE {what} {place}{with} AS\n {text}")];
            let stored = stored.remove(&oid).unwrap_or_default().into_iter();
            create.extend(stored.map(|action| format!("ALTER {what} {place} {action}")));
            let defaults = defaults.remove(&oid).unwrap_or_default();
            create.extend(
                defaults
                    .iter()
                    .map(|(_, action)| format!("ALTER VIEW {place} {action}")),
            );
            // The server lays the same text out in more ways than one.
            let mut meaning = format!("{what}{with} {}", without_layout(text));
            for statement in &create[1..] {
                meaning.push_str(&format!(";\n{statement}"));
            }
            let object = Object {
                meaning,
                create,
                drop: format!("DROP {what} {place}"),
                redefinable: kind == "v",
                name: name.clone(),
                ..Object::default()
            };
            let key = Key {
                kind: Kind::View,
                schema,
                name,
            };
            for (default, _) in defaults {
                self.know((catalog::DEFAULT, default), key.clone(), String::new());
            }
            self.add((catalog::RELATION, oid), format!("{what} {place}"), key, object);
        }
        Ok(())
    }

    /// What a row gets that is put into a view, by the view: the number of the default, and the action that sets it.
    fn view_defaults(&mut self) -> Result<BTreeMap<u32, Vec<(u32, String)>>> {
        let sql = "SELECT d.adrelid, d.oid, a.attname, pg_get_expr(d.adbin, d.adrelid) \
                   FROM pg_attrdef d JOIN pg_class c ON c.oid = d.adrelid \
                   JOIN pg_attribute a ON a.attrelid = d.adrelid AND a.attnum = d.adnum \
                   WHERE c.relkind = 'v' ORDER BY d.adrelid, d.adnum";
        let mut found: BTreeMap<u32, Vec<(u32, String)>> = BTreeMap::new();
        for mut row in self.rows(sql)? {
            let (view, default, column, value) = (row.oid(), row.oid(), row.text(), row.text());
            let action = format!("ALTER COLUMN {} SET DEFAULT {value}", quoted(&column));
            found.entry(view).or_default().push((default, action));
        }
        Ok(found)
    }

    /// How the columns of materialized views are stored, where they are not so anyway.
    fn stored_columns(&mut self) -> Result<BTreeMap<u32, Vec<String>>> {
        let compression = if self.version >= 140_000 {
            "a.attcompression"
        } else {
            "''"
        };
        let sql = format!(
            "SELECT a.attrelid, a.attname, CASE WHEN a.attstorage <> t.typstorage THEN a.attstorage END, {compression} \
             FROM pg_attribute a JOIN pg_class c ON c.oid = a.attrelid JOIN pg_type t ON t.oid = a.atttypid \
             WHERE c.relkind = 'm' AND a.attnum > 0 AND NOT a.attisdropped ORDER BY a.attrelid, a.attnum"
        );
        let mut found: BTreeMap<u32, Vec<String>> = BTreeMap::new();
        for mut row in self.rows(&sql)? {
            let (view, column) = (row.oid(), format!("ALTER COLUMN {}", quoted(&row.text())));
            let (kept, method) = (row.optional(), row.text());
            let kept = kept.map(|kept| format!("{column} SET STORAGE {}", storage(&kept)));
            let method = compression_method(&method).map(|method| format!("{column} SET COMPRESSION {method}"));
            found.entry(view).or_default().extend(kept.into_iter().chain(method));
        }
        Ok(found)
    }

    /// Functions, procedures and aggregates, each by its name and the types of what it takes.
    pub(super) fn functions(&mut self) -> Result<()> {
        let sql = format!(
            "SELECT p.oid, n.nspname, p.proname, p.prokind, pg_get_function_identity_arguments(p.oid), \
             CASE WHEN p.prokind <> 'a' THEN pg_get_functiondef(p.oid) END, \
             CASE WHEN l.lanname IN ('sql', 'plpgsql') THEN l.lanname END, p.prosrc, oidvectortypes(p.proargtypes) \
             FROM pg_proc p JOIN pg_namespace n ON n.oid = p.pronamespace JOIN pg_language l ON l.oid = p.prolang \
             WHERE {} AND NOT EXISTS (SELECT 1 FROM pg_depend i WHERE i.classid = 1255 AND i.objid = p.oid \
             AND i.deptype = 'i')",
            made(catalog::FUNCTION, "p.oid")
        );
        let mut aggregates = self.aggregates()?;
        let names = self.relations();
        for mut row in self.rows(&sql)? {
            let (oid, schema, name, kind) = (row.oid(), row.text(), row.text(), row.text());
            let (arguments, definition, language, body) = (row.text(), row.optional(), row.optional(), row.text());
            let types = row.text();
            let place = format!("{}({arguments})", qualified(&schema, &name));
            let what = match kind.as_str() {
                "a" => "AGGREGATE",
                "p" => "PROCEDURE",
                _ => "FUNCTION",
            };
            let create = match definition {
                Some(definition) => definition.trim_end().to_owned(),
                None => match aggregates.remove(&oid) {
                    Some(parts) => format!("CREATE AGGREGATE {place} (\n    {parts}\n)"),
                    None => continue,
                },
            };
            // An aggregate without arguments takes a star.
            let called = if kind == "a" && arguments.is_empty() {
                format!("{}(*)", qualified(&schema, &name))
            } else {
                place
            };
            let create = if kind == "a" && arguments.is_empty() {
                create.replacen("() (", "(*) (", 1)
            } else {
                create
            };
            let key = Key {
                kind: Kind::Function,
                // Names of arguments, and of what comes out, tell no function from another.
                name: format!("{name}({types})"),
                schema,
            };
            if let Some(language) = language {
                self.named_in(&key, &language, &body, &names);
            }
            let object = Object {
                meaning: create.clone(),
                create: vec![create],
                drop: format!("DROP {what} {called}"),
                redefinable: kind != "a",
                name: key.name.clone(),
                ..Object::default()
            };
            self.add((catalog::FUNCTION, oid), format!("{what} {called}"), key, object);
        }
        Ok(())
    }

    /// Tables and views by the words that may name them in a body.
    fn relations(&self) -> BTreeMap<String, Vec<Key>> {
        let mut names: BTreeMap<String, Vec<Key>> = BTreeMap::new();
        let keys = self.model.objects.keys();
        for key in keys.filter(|key| matches!(key.kind, Kind::Table | Kind::View)) {
            names.entry(key.name.clone()).or_default().push(key.clone());
        }
        names
    }

    /// The server looks into the body of a function in SQL when it is made, and for types into one in PL/pgSQL; it keeps
    /// no record of what it found.
    fn named_in(&mut self, function: &Key, language: &str, body: &str, names: &BTreeMap<String, Vec<Key>>) {
        if language == "plpgsql" && !body.contains('%') {
            return;
        }
        let tokens: Vec<_> = token::significant(body, &POSTGRESQL).collect();
        let name = |at: usize| {
            let text = &body[tokens[at].span.clone()];
            if text.starts_with('"') {
                token::unquoted(text).into_owned()
            } else {
                text.to_lowercase()
            }
        };
        // Behind another name and a dot stands what is in a schema of that name, or a column.
        let schema_before = |at: usize| {
            let dot = at
                .checked_sub(1)
                .filter(|dot| &body[tokens[*dot].span.clone()] == ".")?;
            Some(name(dot.checked_sub(1)?))
        };
        for at in 0..tokens.len() {
            let name = name(at);
            let Some(keys) = names.get(&name) else { continue };
            let typed = tokens.get(at + 1).is_some_and(|next| &body[next.span.clone()] == "%");
            if language != "sql" && !typed {
                continue;
            }
            let schema = schema_before(at);
            let keys = keys
                .iter()
                .filter(|key| schema.as_ref().is_none_or(|schema| *schema == key.schema));
            self.uses.extend(keys.map(|key| (function.clone(), key.clone())));
        }
    }

    fn aggregates(&mut self) -> Result<BTreeMap<u32, String>> {
        let sql = "SELECT a.aggfnoid::oid, a.aggtransfn, format_type(a.aggtranstype, NULL), nullif(a.aggtransspace, 0), \
                   nullif(a.aggfinalfn::oid, 0)::regproc, a.aggfinalextra, nullif(a.aggcombinefn::oid, 0)::regproc, \
                   nullif(a.aggserialfn::oid, 0)::regproc, nullif(a.aggdeserialfn::oid, 0)::regproc, a.agginitval, \
                   nullif(a.aggmtransfn::oid, 0)::regproc, nullif(a.aggminvtransfn::oid, 0)::regproc, \
                   CASE WHEN a.aggmtranstype <> 0 THEN format_type(a.aggmtranstype, NULL) END, \
                   nullif(a.aggmfinalfn::oid, 0)::regproc, a.aggminitval, nullif(a.aggsortop, 0)::regoper, \
                   a.aggkind, p.proparallel FROM pg_aggregate a JOIN pg_proc p ON p.oid = a.aggfnoid \
                   WHERE p.oid >= 16384";
        let mut found = BTreeMap::new();
        for mut row in self.rows(sql)? {
            let oid = row.oid();
            found.insert(oid, aggregate(&mut row));
        }
        Ok(found)
    }

    /// Rules; those that make a view a view stand for it.
    pub(super) fn rules(&mut self) -> Result<()> {
        let sql = "SELECT r.oid, r.ev_class, r.rulename, r.ev_enabled, \
                   CASE WHEN r.rulename <> '_RETURN' THEN pg_get_ruledef(r.oid) END \
                   FROM pg_rewrite r WHERE r.oid >= 16384";
        for mut row in self.rows(sql)? {
            let (oid, relation, name, enabled) = (row.oid(), row.oid(), row.text(), row.text());
            let Some(on) = self.key(catalog::RELATION, relation).cloned() else {
                continue;
            };
            let Some(definition) = row.optional() else {
                self.know((catalog::RULE, oid), on, String::new());
                continue;
            };
            let place = qualified(&on.schema, &on.name);
            let mut create = vec![definition.trim_end_matches(';').to_owned()];
            create.extend(switched(&place, "RULE", &name, &enabled));
            let words = format!("RULE {} ON {place}", quoted(&name));
            self.stands_on((catalog::RULE, oid), Kind::Rule, on, name, words, create);
        }
        Ok(())
    }

    /// Triggers; those that a partition has from its parent belong to that one.
    pub(super) fn triggers(&mut self) -> Result<()> {
        let sql = format!(
            "SELECT t.oid, t.tgrelid, t.tgname, t.tgenabled, pg_get_triggerdef(t.oid) FROM pg_trigger t \
             WHERE NOT t.tgisinternal AND t.tgparentid = 0 AND t.oid >= 16384 AND {}",
            no_member(catalog::TRIGGER, "t.oid")
        );
        for mut row in self.rows(&sql)? {
            let (oid, relation, name, enabled, definition) = (row.oid(), row.oid(), row.text(), row.text(), row.text());
            let Some(on) = self.key(catalog::RELATION, relation).cloned() else {
                continue;
            };
            let place = qualified(&on.schema, &on.name);
            let mut create = vec![definition];
            create.extend(switched(&place, "TRIGGER", &name, &enabled));
            let words = format!("TRIGGER {} ON {place}", quoted(&name));
            self.stands_on((catalog::TRIGGER, oid), Kind::Trigger, on, name, words, create);
        }
        Ok(())
    }

    /// Triggers that a partition has from its parent, and that are switched otherwise there.
    pub(super) fn switched_triggers(&mut self) -> Result<()> {
        if self.version < 130_000 {
            return Ok(());
        }
        let sql = "SELECT t.oid, t.tgrelid, t.tgname, t.tgenabled, p.oid, p.tgenabled FROM pg_trigger t \
                   JOIN pg_trigger p ON p.oid = t.tgparentid WHERE NOT t.tgisinternal AND t.tgenabled <> p.tgenabled";
        for mut row in self.rows(sql)? {
            let (oid, relation, name, enabled) = (row.oid(), row.oid(), row.text(), row.text());
            let (above, usual) = (row.oid(), row.text());
            let Some(on) = self.key(catalog::RELATION, relation).cloned() else {
                continue;
            };
            let place = qualified(&on.schema, &on.name);
            let switch = |enabled: &str| {
                let on = || format!("ALTER TABLE {place} ENABLE TRIGGER {}", quoted(&name));
                switched(&place, "TRIGGER", &name, enabled).unwrap_or_else(on)
            };
            let object = Object {
                meaning: switch(&enabled),
                create: vec![switch(&enabled)],
                drop: switch(&usual),
                uses: self.key(catalog::TRIGGER, above).cloned().into_iter().collect(),
                on: Some(on.clone()),
                name: name.clone(),
                ..Object::default()
            };
            let key = Key {
                kind: Kind::Trigger,
                schema: on.schema,
                name: format!("{}.{name}", on.name),
            };
            self.add(
                (catalog::TRIGGER, oid),
                format!("TRIGGER {} ON {place}", quoted(&name)),
                key,
                object,
            );
        }
        Ok(())
    }

    pub(super) fn policies(&mut self) -> Result<()> {
        let sql = "SELECT p.oid, p.polrelid, p.polname, p.polpermissive, p.polcmd, \
                   (SELECT string_agg(CASE WHEN r = 0 THEN 'public' ELSE quote_ident(pg_get_userbyid(r)) END, ', ') \
                   FROM unnest(p.polroles) r), pg_get_expr(p.polqual, p.polrelid), \
                   pg_get_expr(p.polwithcheck, p.polrelid) FROM pg_policy p WHERE p.oid >= 16384";
        for mut row in self.rows(sql)? {
            let (oid, relation, name, permissive, command) = (row.oid(), row.oid(), row.text(), row.flag(), row.text());
            let Some(on) = self.key(catalog::RELATION, relation).cloned() else {
                continue;
            };
            let words = format!("POLICY {} ON {}", quoted(&name), qualified(&on.schema, &on.name));
            let mut create = format!("CREATE {words}");
            if !permissive {
                create.push_str(" AS RESTRICTIVE");
            }
            create.push_str(match command.as_str() {
                "r" => " FOR SELECT",
                "a" => " FOR INSERT",
                "w" => " FOR UPDATE",
                "d" => " FOR DELETE",
                _ => "",
            });
            let roles = row.text();
            if roles != "public" {
                create.push_str(&format!(" TO {roles}"));
            }
            if let Some(using) = row.optional() {
                create.push_str(&format!(" USING ({using})"));
            }
            if let Some(check) = row.optional() {
                create.push_str(&format!(" WITH CHECK ({check})"));
            }
            self.stands_on((catalog::POLICY, oid), Kind::Policy, on, name, words, vec![create]);
        }
        Ok(())
    }

    pub(super) fn event_triggers(&mut self) -> Result<()> {
        let sql = format!(
            "SELECT t.oid, t.evtname, t.evtevent, t.evtenabled, t.evtfoid::regproc, \
             (SELECT string_agg(quote_literal(tag), ', ') FROM unnest(t.evttags) tag) \
             FROM pg_event_trigger t WHERE t.oid >= 16384 AND {}",
            no_member(catalog::EVENT_TRIGGER, "t.oid")
        );
        for mut row in self.rows(&sql)? {
            let (oid, name, event, enabled, function, tags) = (
                row.oid(),
                row.text(),
                row.text(),
                row.text(),
                row.text(),
                row.optional(),
            );
            let words = format!("EVENT TRIGGER {}", quoted(&name));
            let when = tags.map_or_else(String::new, |tags| format!(" WHEN TAG IN ({tags})"));
            let mut create = vec![format!("CREATE {words} ON {event}{when} EXECUTE FUNCTION {function}()")];
            let switch = match enabled.as_str() {
                "D" => Some("DISABLE"),
                "R" => Some("ENABLE REPLICA"),
                "A" => Some("ENABLE ALWAYS"),
                _ => None,
            };
            create.extend(switch.map(|switch| format!("ALTER {words} {switch}")));
            let object = Object {
                meaning: create.join(";\n"),
                create,
                drop: format!("DROP {words}"),
                name: name.clone(),
                ..Object::default()
            };
            self.add(
                (catalog::EVENT_TRIGGER, oid),
                words,
                Key::new(Kind::EventTrigger, name),
                object,
            );
        }
        Ok(())
    }

    /// Takes something in that is on a table or view, and named within it.
    fn stands_on(&mut self, at: (u32, u32), kind: Kind, on: Key, name: String, words: String, create: Vec<String>) {
        let key = Key {
            kind,
            schema: on.schema.clone(),
            name: format!("{}.{name}", on.name),
        };
        let object = Object {
            meaning: create.join(";\n"),
            create,
            drop: format!("DROP {words}"),
            on: Some(on),
            name,
            ..Object::default()
        };
        self.add(at, words, key, object);
    }
}

/// The statement that switches a trigger or rule, where it is not simply on.
fn switched(place: &str, what: &str, name: &str, enabled: &str) -> Option<String> {
    let switch = match enabled {
        "D" => "DISABLE",
        "R" => "ENABLE REPLICA",
        "A" => "ENABLE ALWAYS",
        _ => return None,
    };
    Some(format!("ALTER TABLE {place} {switch} {what} {}", quoted(name)))
}

/// What stands between the parentheses of CREATE AGGREGATE.
fn aggregate(row: &mut Row) -> String {
    let mut parts = vec![format!("SFUNC = {}", row.text()), format!("STYPE = {}", row.text())];
    let mut say = |word: &str, value: Option<String>| {
        if let Some(value) = value {
            parts.push(format!("{word} = {value}"));
        }
    };
    say("SSPACE", row.optional());
    say("FINALFUNC", row.optional());
    let extra = row.flag();
    for word in ["COMBINEFUNC", "SERIALFUNC", "DESERIALFUNC"] {
        say(word, row.optional());
    }
    say("INITCOND", row.optional().map(|value| literal(&value)));
    for word in ["MSFUNC", "MINVFUNC", "MSTYPE", "MFINALFUNC"] {
        say(word, row.optional());
    }
    say("MINITCOND", row.optional().map(|value| literal(&value)));
    say("SORTOP", row.optional().map(|name| format!("OPERATOR({name})")));
    let (kind, parallel) = (row.text(), row.text());
    if extra {
        parts.push("FINALFUNC_EXTRA".to_owned());
    }
    if kind == "h" {
        parts.push("HYPOTHETICAL".to_owned());
    }
    match parallel.as_str() {
        "s" => parts.push("PARALLEL = SAFE".to_owned()),
        "r" => parts.push("PARALLEL = RESTRICTED".to_owned()),
        _ => {}
    }
    parts.join(",\n    ")
}

/// The words of a text with one space between each.
fn without_layout(text: &str) -> String {
    let words = token::significant(text, &POSTGRESQL).map(|token| &text[token.span]);
    words.collect::<Vec<_>>().join(" ")
}
