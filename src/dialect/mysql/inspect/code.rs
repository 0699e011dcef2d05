//! Views, routines, triggers and events: without who made them, and without their own database's name.

use crate::code::Code;
use crate::dialect::mysql::USUAL;
use crate::dialect::mysql::inspect::{Reading, Row, table_key};
use crate::dialect::mysql::schema::{fold, is_scratch, literal, quoted, without_database};
use crate::error::{Error, Result};
use crate::schema::{Key, Kind, Object};
use crate::sorted::Gather as _;
use crate::sql::split::MYSQL;
use crate::sql::token;

impl Reading<'_> {
    /// What SHOW CREATE says of something, in a column.
    pub(super) fn show(&mut self, kind: &str, name: &str, column: usize) -> Result<String> {
        self.shown(kind, name, column).map(|shown| shown.words)
    }

    /// Likewise of a view or program, and of the session in which it was made.
    fn shown(&mut self, kind: &str, name: &str, column: usize) -> Result<Shown> {
        let sql = format!("SHOW CREATE {kind} {}", quoted(name));
        let rows = (self.query)(&sql)?;
        let mut row = rows.into_iter().next().unwrap_or_default();
        let mut value = |at: usize| row.get_mut(at).and_then(Option::take);
        let Some(words) = value(column) else {
            let what = kind.to_lowercase();
            return Err(Error::new(
                Code::Database,
                format!("the definition of {what} `{name}` is not shown to this user"),
            )
            .help("let the user see it: GRANT SELECT ON mysql.proc TO …, on MySQL GRANT SHOW_ROUTINE ON *.* TO …"));
        };
        Ok(Shown {
            words,
            mode: value(1).unwrap_or_default(),
            // The character set of its client stands between.
            collation: value(column + 2).unwrap_or_default(),
        })
    }

    /// The statements that make a program whose words are read as they are shown.
    fn read_so(&self, create: String, shown: &Shown) -> Vec<String> {
        let create = read_so(create, &shown.mode, &self.usual_mode);
        self.collated_so(create, shown)
    }

    /// Texts among the words have the collation of the session in which they were said.
    fn collated_so(&self, mut create: Vec<String>, shown: &Shown) -> Vec<String> {
        let collation = shown.collation.as_str();
        let has_text = create.iter().any(|sql| !is_setting(sql) && sql.contains(['\'', '"']));
        if has_text && !collation.is_empty() && collation != self.usual_collation {
            create.insert(0, format!("SET SESSION collation_connection = {collation}"));
            create.push(USUAL_COLLATION.to_owned());
        }
        create
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
            let shown = self.shown("VIEW", name, 1)?;
            let create = self.without_database(&view(&shown.words, name));
            let create = self.collated_so(vec![create], &shown);
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
                meaning: create.join(";"),
                drop: format!("DROP VIEW {}", quoted(name)),
                uses: named
                    .iter()
                    .filter_map(|at| uses(at))
                    .filter(|key| *key != own)
                    .into_set(),
                redefinable: true,
                name: name.clone(),
                create,
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
            let shown = self.shown(&what, &name, 2)?;
            let create = self.without_database(&without_definer(&shown.words));
            let create = self.read_so(create, &shown);
            let kind = if what == "FUNCTION" {
                Kind::Function
            } else {
                Kind::Procedure
            };
            let object = Object {
                meaning: create.join(";"),
                create,
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
        let sql = "SELECT trigger_name, event_object_table, action_timing, event_manipulation \
                   FROM information_schema.triggers WHERE event_object_schema = DATABASE() \
                   ORDER BY event_object_table, action_timing, event_manipulation, action_order";
        let mut last: Option<(String, String)> = None;
        let rows: Vec<Row> = self.rows(sql)?.collect();
        for mut row in rows {
            let (name, table, timing, event) = (row.text(), row.text(), row.text(), row.text());
            // There alone are its backslashes.
            let shown = self.shown("TRIGGER", &name, 2)?;
            let body = body(&shown.words, &["FOR", "EACH", "ROW"]);
            let moment = format!("{timing} {event} ON {}", quoted(&table));
            let before = last.filter(|(other, _)| *other == moment).map(|(_, name)| name);
            let follows = before
                .as_ref()
                .map_or(String::new(), |before| format!(" FOLLOWS {}", quoted(before)));
            let body = self.without_database(&body);
            let create = format!("CREATE TRIGGER {} {moment} FOR EACH ROW{follows} {body}", quoted(&name));
            let create = self.read_so(create, &shown);
            let object = Object {
                meaning: create.join(";"),
                create,
                drop: format!("DROP TRIGGER {}", quoted(&name)),
                on: Some(table_key(&table)),
                uses: before
                    .map(|before| Key::new(Kind::Trigger, before))
                    .into_iter()
                    .into_set(),
                name: name.clone(),
                ..Object::default()
            };
            last = Some((moment, name.clone()));
            self.model.objects.insert(Key::new(Kind::Trigger, name), object);
        }
        Ok(())
    }

    pub(super) fn events(&mut self) -> Result<()> {
        let sql = "SELECT event_name, execute_at, interval_value, interval_field, \
                   IF(starts IN (created, last_altered, CONVERT_TZ(created, @@SESSION.time_zone, time_zone), \
                   CONVERT_TZ(last_altered, @@SESSION.time_zone, time_zone)), NULL, starts), ends, status, on_completion, event_comment, \
                   IF(time_zone = @@GLOBAL.time_zone, NULL, time_zone) FROM information_schema.events WHERE event_schema = DATABASE()";
        let rows: Vec<Row> = self.rows(sql)?.collect();
        for mut row in rows {
            let (name, once) = (row.text(), row.optional());
            let shown = self.shown("EVENT", &name, 3)?;
            let body = body(&shown.words, &["DO"]);
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
                // On scratch they sleep.
                "SLAVESIDE_DISABLED" | "REPLICA_SIDE_DISABLED" if !is_scratch(&self.database) => {
                    say("DISABLE ON SLAVE".to_owned());
                }
                _ => {}
            }
            if !comment.is_empty() {
                say(format!("COMMENT {}", literal(&comment)));
            }
            say(format!("DO {}", without_database(&body, &self.database, false)));
            let mut create = self.read_so(create, &shown);
            // Its moments are of the time zone of the session that made it.
            if let Some(zone) = row.optional() {
                create.insert(0, format!("SET SESSION time_zone = {}", literal(&zone)));
                create.push("SET SESSION time_zone = DEFAULT".to_owned());
            }
            let object = Object {
                meaning: create.join(";"),
                create,
                drop: format!("DROP EVENT {}", quoted(&name)),
                name: name.clone(),
                ..Object::default()
            };
            self.model.objects.insert(Key::new(Kind::Event, fold(&name)), object);
        }
        Ok(())
    }
}

/// What SHOW CREATE says of a view or program.
struct Shown {
    words: String,
    /// The `sql_mode` that a program has, which stands behind its name.
    mode: String,
    /// The collation of the session that made it.
    collation: String,
}

/// Gives a session the collation back that its texts have where nothing is said.
const USUAL_COLLATION: &str = "SET SESSION collation_connection = COLLATION(_utf8mb4'')";

fn is_setting(sql: &str) -> bool {
    sql.starts_with("SET SESSION ")
}

/// The parts of `sql_mode` by which the words of a program mean something else.
const READ_OTHERWISE: [&str; 8] = [
    "ANSI_QUOTES",
    "PIPES_AS_CONCAT",
    "HIGH_NOT_PRECEDENCE",
    "IGNORE_SPACE",
    "ORACLE",
    "REAL_AS_FLOAT",
    "NO_UNSIGNED_SUBTRACTION",
    "NO_BACKSLASH_ESCAPES",
];

/// The statements that make a program whose words are read in this mode.
fn read_so(create: String, mode: &str, usual: &str) -> Vec<String> {
    let matters = |mode: &str| {
        let parts = mode
            .split(',')
            .filter(|part| READ_OTHERWISE.contains(part) && (*part != "NO_BACKSLASH_ESCAPES" || create.contains('\\')));
        parts.map(str::to_owned).into_set()
    };
    // Sessions of ours are without this one anyway.
    let usual = usual.replace("NO_BACKSLASH_ESCAPES", "");
    if matters(mode) == matters(&usual) {
        return vec![create];
    }
    vec![
        format!("SET SESSION sql_mode = {}", literal(mode)),
        create,
        USUAL.to_owned(),
    ]
}

/// What comes behind these words, which stand in the definition of a program for the first time there.
fn body(create: &str, before: &[&str]) -> String {
    let tokens: Vec<token::Token> = token::significant(create, &MYSQL).collect();
    let is = |at: usize, word: &str| {
        let token = tokens.get(at);
        token.is_some_and(|token| create[token.span.clone()].eq_ignore_ascii_case(word))
    };
    let begins = (0..tokens.len()).find(|&at| before.iter().enumerate().all(|(plus, word)| is(at + plus, word)));
    let mut at = begins.map_or(0, |at| at + before.len());
    if is(at, "FOLLOWS") || is(at, "PRECEDES") {
        at += 2;
    }
    tokens
        .get(at)
        .map_or("", |token| &create[token.span.start..])
        .to_owned()
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
        assert_eq!(
            body(
                "CREATE TRIGGER r before insert on t for each  row\n set @a = '\\\\'",
                &["FOR", "EACH", "ROW"]
            ),
            "set @a = '\\\\'"
        );
        assert_eq!(
            body(
                "CREATE EVENT `do` ON SCHEDULE EVERY 1 DAY COMMENT 'DO' DO SELECT 1",
                &["DO"]
            ),
            "SELECT 1"
        );
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
