//! What a statement works out and leaves in its session, where nothing but that session has it.

use crate::dialect::mysql::session::{first, has_word, inner, is, runs_program};
use crate::sql::split;
use crate::sql::token::{self, Kind};

/// What a session has from its beginning, so that a new one has it as well.
const FROM_THE_BEGINNING: [&str; 16] = [
    "autocommit",
    "character_set_client",
    "character_set_connection",
    "character_set_results",
    "collation_connection",
    "foreign_key_checks",
    "group_concat_max_len",
    "innodb_lock_wait_timeout",
    "lock_wait_timeout",
    "note_verbosity",
    "sql_mode",
    "sql_notes",
    "sql_quote_show_create",
    "sql_safe_updates",
    "time_zone",
    "unique_checks",
];

/// Functions of what stands between their parentheses, and of nothing else.
const PURE: [&str; 4] = ["CONCAT", "CONCAT_WS", "REPLACE", "TRIM"];

type Word<'s> = (Kind, &'s str);

/// The variable that the statement sets to something which its text does not say, so that it cannot be set again: rows,
/// times, or other variables may be others by then.
pub(super) fn works_out(statement: &str) -> Option<String> {
    let sets = is(first(statement), &["SET"]) || statement.starts_with("/*");
    // Scripts of millions of statements come by here.
    if !sets && !statement.contains('@') || super::script::is_program(statement) {
        return None;
    }
    let statement = inner(statement);
    let tokens: Vec<Word<'_>> = token::significant(statement, &split::MYSQL)
        .map(|token| (token.kind, &statement[token.span]))
        .filter(|(_, text)| !text.starts_with("/*") && *text != "*/")
        .collect();
    let (name, is_user) = match tokens.split_first()? {
        ((Kind::Word, word), rest) if is(word, &["SET"]) => assigned(rest)?,
        ((_, word), rest) => {
            let any = is(word, &["LOAD", "GET"]) || runs_program(statement);
            (written(any, rest)?, true)
        }
    };
    Some(if is_user {
        format!("user variable `{name}`")
    } else {
        format!("session variable `{name}`")
    })
}

fn is_user((kind, text): &Word<'_>) -> bool {
    *kind == Kind::Variable && text.starts_with('@') && !text.starts_with("@@")
}

/// A user variable that another statement than SET writes to: `any` where nobody can tell.
fn written(any: bool, rest: &[Word<'_>]) -> Option<String> {
    let at = (0..rest.len()).find(|&at| {
        let before = at.checked_sub(1).map(|at| rest[at].1).unwrap_or_default();
        let after = rest.get(at + 1).map(|token| token.1).unwrap_or_default();
        is_user(&rest[at]) && (any || after == ":=" || is(before, &["INTO"]))
    })?;
    Some(rest[at].1.to_owned())
}

/// The first variable of a SET whose value is not plain, and whether it is a user's.
fn assigned(tokens: &[Word<'_>]) -> Option<(String, bool)> {
    if tokens
        .first()
        .is_some_and(|token| is(token.1, &["PASSWORD", "DEFAULT"]))
    {
        return None;
    }
    let mut global = false;
    let mut rest = tokens;
    while !rest.is_empty() {
        let end = comma(rest);
        let (part, after) = rest.split_at(end);
        rest = after.get(1..).unwrap_or_default();
        let Some(sign) = part.iter().position(|token| token.1 == "=" || token.1 == ":=") else {
            continue;
        };
        let (target, value) = (&part[..sign], &part[sign + 1..]);
        for word in target {
            let scope = word.1.trim_start_matches('@');
            global = match () {
                () if is(scope, &["GLOBAL", "PERSIST", "PERSIST_ONLY"]) => true,
                () if is(scope, &["SESSION", "LOCAL"]) => false,
                () => global,
            };
        }
        let Some(name) = target.last() else { continue };
        let user = is_user(name);
        if (user || !global) && !is_plain(value, user) {
            return Some((name.1.trim_start_matches("@@").to_owned(), user));
        }
    }
    None
}

/// Where the first comma outside of parentheses stands.
fn comma(tokens: &[Word<'_>]) -> usize {
    let mut depth = 0_usize;
    let comma = tokens.iter().position(|(_, text)| {
        match *text {
            "(" => depth += 1,
            ")" => depth = depth.saturating_sub(1),
            _ => {}
        }
        depth == 0 && *text == ","
    });
    comma.unwrap_or(tokens.len())
}

/// Whether a value is the same whenever it is worked out, in a session that has just begun.
fn is_plain(value: &[Word<'_>], of_user: bool) -> bool {
    let mut at = 0;
    while let Some((kind, text)) = value.get(at) {
        let next = value.get(at + 1).map(|token| token.1).unwrap_or_default();
        let plain = match kind {
            Kind::Text | Kind::Number => true,
            Kind::Symbol => *text != ":=",
            // What a routine may have written to it is not seen.
            Kind::Variable if !text.starts_with("@@") => !of_user,
            Kind::Variable => {
                let mut name = text.trim_start_matches('@');
                if next == "." {
                    at += 2;
                    name = value.get(at).map(|token| token.1).unwrap_or_default();
                }
                is(name, &FROM_THE_BEGINNING)
            }
            Kind::Word if next == "(" => is(text, &PURE),
            Kind::Word if is(text, &["DEFAULT", "ON", "OFF", "TRUE", "FALSE", "NULL"]) => true,
            Kind::Word => {
                let upper = text.to_ascii_uppercase();
                let moves = ["SELECT", "CURRENT", "LOCALTIME", "UTC", "SYSDATE"];
                !of_user && !moves.iter().any(|word| upper.starts_with(word))
            }
            _ => !of_user,
        };
        if !plain {
            return false;
        }
        at += 1;
    }
    true
}

/// Whether `LAST_INSERT_ID()` may be another one after the statement.
pub(super) fn gives_id(statement: &str) -> bool {
    let known = [
        "UPDATE",
        "DELETE",
        "SELECT",
        "WITH",
        "VALUES",
        "SET",
        "DO",
        "CREATE",
        "ALTER",
        "DROP",
        "RENAME",
        "TRUNCATE",
        "START",
        "COMMIT",
        "ROLLBACK",
        "SAVEPOINT",
        "RELEASE",
        "GRANT",
        "REVOKE",
        "PREPARE",
        "DEALLOCATE",
        "SHOW",
        "ANALYZE",
        "OPTIMIZE",
        "FLUSH",
    ];
    let statement = inner(statement);
    let known = is(first(statement), &known) || super::session::controls(statement);
    !known || asks_id(statement).is_some()
}

/// What the statement asks for that an earlier one has left in the session.
pub(super) fn asks_id(statement: &str) -> Option<&'static str> {
    if super::script::is_program(statement) {
        return None;
    }
    let identity = || statement.contains("@@") && has_word(statement, "IDENTITY");
    let asks = has_word(statement, "LAST_INSERT_ID") || identity();
    asks.then_some("LAST_INSERT_ID()")
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_cannot_be_worked_out_again() {
        for (sql, name) in [
            ("SELECT MAX(id) INTO @m FROM t", "user variable `@m`"),
            ("SELECT @n := @n + 1 FROM t", "user variable `@n`"),
            ("SET @n = (SELECT COUNT(*) FROM t)", "user variable `@n`"),
            ("SET @a = 1, @id = LAST_INSERT_ID()", "user variable `@id`"),
            ("SET @at = NOW()", "user variable `@at`"),
            ("SET @at = CURRENT_TIMESTAMP", "user variable `@at`"),
            ("SET @a = @b", "user variable `@a`"),
            ("SET GLOBAL max_connections = 10, @a = UUID()", "user variable `@a`"),
            ("CALL p(1, @out)", "user variable `@out`"),
            (
                "SET STATEMENT max_statement_time = 1 FOR SELECT 1 INTO @x",
                "user variable `@x`",
            ),
            ("SET timestamp = UNIX_TIMESTAMP()", "session variable `timestamp`"),
            (
                "SET SESSION auto_increment_offset = (SELECT 2)",
                "session variable `auto_increment_offset`",
            ),
            ("BEGIN NOT ATOMIC SET x = 1, @a = 1; END", "user variable `@a`"),
            ("a: LOOP SET @a = 1; END LOOP", "user variable `@a`"),
            ("/*!50003 CALL p(@a) */", "user variable `@a`"),
            ("SELECT 1, 2 INTO @a, @b", "user variable `@a`"),
            ("UPDATE t SET n = (@i := @i + 1)", "user variable `@i`"),
        ] {
            assert_eq!(works_out(sql).as_deref(), Some(name), "{sql}");
        }
        for sql in [
            "SET @a = 1, @b = 'x', @c = -1.5, @d = NULL",
            "SET sql_mode = ANSI, foreign_key_checks = 0",
            "/*!40014 SET @OLD_FOREIGN_KEY_CHECKS = @@FOREIGN_KEY_CHECKS, FOREIGN_KEY_CHECKS = 0 */",
            "/*!40101 SET SQL_MODE=@OLD_SQL_MODE */",
            "SET @@SESSION.sql_mode = CONCAT(@@SESSION.sql_mode, ',ANSI_QUOTES')",
            "SET NAMES utf8mb4",
            "SET GLOBAL slow_launch_time = (SELECT 1)",
            "SET PASSWORD = PASSWORD('x')",
            "INSERT INTO t VALUES (@a, 'a@b')",
            "CREATE PROCEDURE p() BEGIN SELECT 1 INTO @x; END",
            "SELECT @@version",
        ] {
            assert_eq!(works_out(sql), None, "{sql}");
        }
    }

    #[test]
    fn the_id_of_the_last_row() {
        for sql in [
            "INSERT INTO t VALUES (1)",
            "CALL p()",
            "SET STATEMENT max_statement_time = 1 FOR REPLACE INTO t VALUES (1)",
        ] {
            assert!(gives_id(sql), "{sql}");
        }
        for sql in ["CREATE TABLE t (a int)", "BEGIN", "UPDATE t SET a = 1", "SET a = 1"] {
            assert!(!gives_id(sql), "{sql}");
        }
        assert!(asks_id("INSERT INTO c VALUES (last_insert_id())").is_some());
        assert!(asks_id("SET @a = @@identity").is_some());
        assert!(asks_id("INSERT INTO c VALUES ('LAST_INSERT_ID()')").is_none());
        assert!(asks_id("UPDATE c SET identity = 1").is_none());
    }
}
