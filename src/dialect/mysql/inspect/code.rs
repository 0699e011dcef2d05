//! Views, routines, triggers and events: without who made them, and without their own database's name.

use crate::code::Code;
use crate::dialect::mysql::inspect::{Reading, table_key};
use crate::dialect::mysql::schema::{fold, literal, quoted, without_database};
use crate::error::{Error, Result};
use crate::schema::{Key, Kind, Object};
use crate::sql::split::MYSQL;
use crate::sql::token;

impl Reading<'_> {
    /// What SHOW CREATE says of something, in a column.
    pub(super) fn show(&mut self, kind: &str, name: &str, column: usize) -> Result<String> {
        let sql = format!("SHOW CREATE {kind} {}", quoted(name));
        let rows = (self.query)(&sql)?;
        let words = rows
            .into_iter()
            .next()
            .and_then(|row| row.into_iter().nth(column))
            .flatten();
        words.ok_or_else(|| {
            let what = kind.to_lowercase();
            Error::new(
                Code::Database,
                format!("the definition of {what} `{name}` is not shown to this user"),
            )
            .help("let the user see it: GRANT SELECT ON mysql.proc TO …, on MySQL GRANT SHOW_ROUTINE ON *.* TO …")
        })
    }

    fn without_database(&self, text: &str) -> String {
        without_database(text, &self.database, false).into_owned()
    }

    pub(super) fn views(&mut self) -> Result<()> {
        let sql = "SELECT table_name, view_definition FROM information_schema.views WHERE table_schema = DATABASE()";
        let views: Vec<(String, String)> = self.rows(sql)?.map(|mut row| (row.text(), row.text())).collect();
        let names: Vec<&String> = views.iter().map(|(name, _)| name).collect();
        let mut found = Vec::new();
        for (name, definition) in &views {
            let create = self.show("VIEW", name, 1)?;
            let create = self.without_database(&view(&create, name));
            let uses = |at: &str| {
                let own = token::unquoted(at);
                if names.iter().any(|view| **view == own) {
                    return Some(Key::new(Kind::View, own.as_ref()));
                }
                let keys = [
                    table_key(&own),
                    Key::new(Kind::Function, fold(&own)),
                    Key::new(Kind::Sequence, own.as_ref()),
                ];
                keys.into_iter().find(|key| self.model.objects.contains_key(key))
            };
            // There every table stands with its database.
            let named = self.qualified(definition);
            let own = Key::new(Kind::View, name.as_str());
            let object = Object {
                meaning: create.clone(),
                drop: format!("DROP VIEW {}", quoted(name)),
                uses: named
                    .iter()
                    .filter_map(|at| uses(at))
                    .filter(|key| *key != own)
                    .collect(),
                redefinable: true,
                name: name.clone(),
                create: vec![create],
                ..Object::default()
            };
            found.push((own, object));
        }
        self.model.objects.extend(found);
        Ok(())
    }

    /// The names that stand behind that of the own database, and those that are called.
    fn qualified(&self, text: &str) -> Vec<String> {
        let tokens: Vec<&str> = token::significant(text, &MYSQL)
            .map(|token| &text[token.span])
            .collect();
        let own = quoted(&self.database);
        let behind = tokens
            .windows(3)
            .filter(|part| part[0] == own && part[1] == ".")
            .map(|part| part[2]);
        let called = tokens.windows(2).filter(|part| part[1] == "(").map(|part| part[0]);
        behind.chain(called).map(str::to_owned).collect()
    }

    /// Procedures and functions.
    pub(super) fn routines(&mut self) -> Result<()> {
        let sql = "SELECT routine_name, routine_type FROM information_schema.routines WHERE routine_schema = DATABASE() \
                   AND routine_type IN ('FUNCTION', 'PROCEDURE')";
        let routines: Vec<(String, String)> = self.rows(sql)?.map(|mut row| (row.text(), row.text())).collect();
        for (name, what) in routines {
            let create = self.show(&what, &name, 2)?;
            let create = self.without_database(&without_definer(&create));
            let kind = if what == "FUNCTION" {
                Kind::Function
            } else {
                Kind::Procedure
            };
            let object = Object {
                meaning: create.clone(),
                create: vec![create],
                drop: format!("DROP {what} {}", quoted(&name)),
                name: name.clone(),
                ..Object::default()
            };
            self.model.objects.insert(Key::new(kind, fold(&name)), object);
        }
        Ok(())
    }

    /// Triggers, each after the one that fires before it.
    pub(super) fn triggers(&mut self) -> Result<()> {
        let sql = "SELECT trigger_name, event_object_table, action_timing, event_manipulation, action_statement \
                   FROM information_schema.triggers WHERE trigger_schema = DATABASE() \
                   ORDER BY event_object_table, action_timing, event_manipulation, action_order";
        let mut last: Option<(String, String)> = None;
        for mut row in self.rows(sql)? {
            let (name, table, timing, event, body) = (row.text(), row.text(), row.text(), row.text(), row.text());
            let moment = format!("{timing} {event} ON {}", quoted(&table));
            let before = last.filter(|(other, _)| *other == moment).map(|(_, name)| name);
            let follows = before
                .as_ref()
                .map_or(String::new(), |before| format!(" FOLLOWS {}", quoted(before)));
            let body = self.without_database(&body);
            let create = format!("CREATE TRIGGER {} {moment} FOR EACH ROW{follows} {body}", quoted(&name));
            let object = Object {
                meaning: create.clone(),
                create: vec![create],
                drop: format!("DROP TRIGGER {}", quoted(&name)),
                on: Some(table_key(&table)),
                uses: before
                    .map(|before| Key::new(Kind::Trigger, before))
                    .into_iter()
                    .collect(),
                name: name.clone(),
                ..Object::default()
            };
            last = Some((moment, name.clone()));
            self.model.objects.insert(Key::new(Kind::Trigger, name), object);
        }
        Ok(())
    }

    pub(super) fn events(&mut self) -> Result<()> {
        let sql = "SELECT event_name, event_definition, execute_at, interval_value, interval_field, \
                   IF(starts IN (created, last_altered), NULL, starts), ends, status, on_completion, event_comment \
                   FROM information_schema.events WHERE event_schema = DATABASE()";
        for mut row in self.rows(sql)? {
            let (name, body, once) = (row.text(), row.text(), row.optional());
            let (every, field, starts, ends) = (row.text(), row.text(), row.optional(), row.optional());
            let (status, completion, comment) = (row.text(), row.text(), row.text());
            let mut create = format!("CREATE EVENT {} ON SCHEDULE", quoted(&name));
            let mut say = |words: String| {
                create.push(' ');
                create.push_str(&words);
            };
            match once {
                Some(moment) => say(format!("AT {}", literal(&moment))),
                None => {
                    let plain = every.starts_with('\'') || every.bytes().all(|byte| byte.is_ascii_digit());
                    let every = if plain { every } else { literal(&every) };
                    say(format!("EVERY {every} {field}"));
                    // Where nothing was said, it starts when it is made.
                    for (word, moment) in [("STARTS", starts), ("ENDS", ends)] {
                        if let Some(moment) = moment {
                            say(format!("{word} {}", literal(&moment)));
                        }
                    }
                }
            }
            if completion == "PRESERVE" {
                say("ON COMPLETION PRESERVE".to_owned());
            }
            match status.as_str() {
                "DISABLED" => say("DISABLE".to_owned()),
                "SLAVESIDE_DISABLED" | "REPLICA_SIDE_DISABLED" => say("DISABLE ON SLAVE".to_owned()),
                _ => {}
            }
            if !comment.is_empty() {
                say(format!("COMMENT {}", literal(&comment)));
            }
            say(format!("DO {}", without_database(&body, &self.database, false)));
            let object = Object {
                meaning: create.clone(),
                create: vec![create],
                drop: format!("DROP EVENT {}", quoted(&name)),
                name: name.clone(),
                ..Object::default()
            };
            self.model.objects.insert(Key::new(Kind::Event, fold(&name)), object);
        }
        Ok(())
    }
}

/// A definition without the words that say who made it.
fn without_definer(create: &str) -> String {
    let tokens: Vec<token::Token> = token::significant(create, &MYSQL).take(24).collect();
    let text = |at: usize| tokens.get(at).map_or("", |token| &create[token.span.clone()]);
    let Some(at) = (0..tokens.len()).find(|&at| text(at).eq_ignore_ascii_case("DEFINER") && text(at + 1) == "=") else {
        return create.to_owned();
    };
    let end = if text(at + 3).starts_with('@') { at + 4 } else { at + 3 };
    let rest = tokens.get(end).map_or("", |token| &create[token.span.start..]);
    format!("{}{rest}", &create[..tokens[at].span.start])
}

/// The statement that makes a view, with only those of its words that are not so anyway.
fn view(create: &str, name: &str) -> String {
    let tokens: Vec<token::Token> = token::significant(create, &MYSQL).take(24).collect();
    let text = |at: usize| tokens.get(at).map_or("", |token| &create[token.span.clone()]);
    let Some(at) = (0..tokens.len()).find(|&at| text(at) == "VIEW" && text(at + 1) == quoted(name)) else {
        return create.to_owned();
    };
    let mut out = "CREATE ".to_owned();
    for before in 0..at {
        match (text(before), text(before + 1), text(before + 2)) {
            ("ALGORITHM", "=", algorithm) if algorithm != "UNDEFINED" => {
                out.push_str(&format!("ALGORITHM={algorithm} "));
            }
            ("SQL", "SECURITY", "INVOKER") => out.push_str("SQL SECURITY INVOKER "),
            _ => {}
        }
    }
    out.push_str(&create[tokens[at].span.start..]);
    out
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn nobody_is_named() {
        for (create, expect) in [
            (
                "CREATE DEFINER=`root`@`localhost` PROCEDURE `p`() SELECT 1",
                "CREATE PROCEDURE `p`() SELECT 1",
            ),
            (
                "CREATE DEFINER=`role` FUNCTION `f`() RETURNS int RETURN 1",
                "CREATE FUNCTION `f`() RETURNS int RETURN 1",
            ),
            (
                "CREATE FUNCTION `f`() RETURNS int RETURN 1",
                "CREATE FUNCTION `f`() RETURNS int RETURN 1",
            ),
        ] {
            assert_eq!(without_definer(create), expect);
        }
        let shown = "CREATE ALGORITHM=MERGE DEFINER=`a`@`%` SQL SECURITY INVOKER VIEW `v` AS select 1";
        assert_eq!(
            view(shown, "v"),
            "CREATE ALGORITHM=MERGE SQL SECURITY INVOKER VIEW `v` AS select 1"
        );
        let shown = "CREATE ALGORITHM=UNDEFINED DEFINER=`a`@`%` SQL SECURITY DEFINER VIEW `v` AS select 1";
        assert_eq!(view(shown, "v"), "CREATE VIEW `v` AS select 1");
    }
}
