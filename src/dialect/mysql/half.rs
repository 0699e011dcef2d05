//! Which statements may do a part of their work and fail, and where people look for what they did.

use crate::dialect::Told;
use crate::dialect::mysql::session::{self, inner, is, words};
use crate::sql::split;
use crate::sql::token;

/// What can be made and dropped.
const KINDS: [&str; 14] = [
    "TABLE",
    "VIEW",
    "PROCEDURE",
    "FUNCTION",
    "TRIGGER",
    "EVENT",
    "DATABASE",
    "SCHEMA",
    "SEQUENCE",
    "INDEX",
    "USER",
    "ROLE",
    "SERVER",
    "PACKAGE",
];

/// Whether the statement, when it fails, may have done a part of its work nevertheless: all but those that are known not
/// to, and those that a transaction holds.
pub(super) fn may_stop_half_way(statement: &str) -> bool {
    let statement = inner(statement);
    if !session::commits(statement) || session::controls(statement) {
        return false;
    }
    let words = words(statement, 4);
    let words: Vec<&str> = words.iter().map(String::as_str).collect();
    let list = || token::significant(statement, &split::MYSQL).any(|token| &statement[token.span] == ",");
    match words.as_slice() {
        ["SET" | "TRUNCATE" | "FLUSH" | "UNLOCK", ..] => false,
        // Where a later one cannot be renamed, the earlier ones get their names back.
        ["RENAME", "TABLE" | "TABLES", ..] => false,
        ["GRANT" | "REVOKE" | "RENAME", ..] => list(),
        // The old one may be gone.
        ["CREATE", "OR", "REPLACE", "TABLE"] => true,
        ["CREATE" | "ALTER" | "DROP", rest @ ..] => match kind(statement) {
            Some("DATABASE" | "SCHEMA") | None => true,
            Some("USER" | "ROLE") => list(),
            Some(_) => words[0] == "DROP" && rest.first() != Some(&"INDEX") && list(),
        },
        _ => true,
    }
}

/// Whether the error tells that the statement did not begin: it could not be read, or what it calls or drops is not there.
/// Within a routine, the same may have been said of another statement, when the ones before it had run.
pub(super) fn failed_before_it_began(statement: &str, told: Told<'_>) -> bool {
    let statement = inner(statement);
    let words = words(statement, 2);
    let words: Vec<&str> = words.iter().map(String::as_str).collect();
    match (told.code, words.as_slice()) {
        ("1064", _) => !["CALL", "EXECUTE", "PREPARE"]
            .iter()
            .any(|word| session::has_word(statement, word)),
        // The tables are looked for before any of them goes.
        ("1051", ["DROP", "TABLE" | "TABLES"]) => told.atomic,
        ("1305", ["CALL", ..]) => is_called(statement, told.message),
        _ => false,
    }
}

/// Whether a message is about the very procedure that is called, which nothing has begun of then.
fn is_called(statement: &str, message: &str) -> bool {
    let mut called = token::significant(statement, &split::MYSQL)
        .map(|token| &statement[token.span])
        .skip(1)
        .take_while(|word| *word != "(" && *word != ";");
    let Some(name) = called.by_ref().last() else {
        return false;
    };
    let wanted = format!(".{} does not exist", token::unquoted(name));
    message.starts_with("PROCEDURE ") && message.to_lowercase().ends_with(&wanted.to_lowercase())
}

/// What a CREATE, ALTER or DROP is about.
fn kind(statement: &str) -> Option<&'static str> {
    let tokens = token::significant(statement, &split::MYSQL).take(24);
    let mut words = tokens.map(|token| &statement[token.span]);
    words.find_map(|word| KINDS.iter().copied().find(|kind| word.eq_ignore_ascii_case(kind)))
}

/// The statement that shows whether this one has run.
pub(super) fn look_at(statement: &str) -> Option<String> {
    let tokens: Vec<&str> = token::significant(statement, &split::MYSQL)
        .map(|token| &statement[token.span])
        .take(24)
        .collect();
    let skipped = [
        "OR", "REPLACE", "IF", "NOT", "EXISTS", "UNIQUE", "FULLTEXT", "SPATIAL", "ONLINE", "OFFLINE", "IGNORE",
    ];
    let mut rest = tokens.iter().copied().filter(|word| !is(word, &skipped));
    let verb = rest.next()?;
    if !is(verb, &["CREATE", "ALTER", "DROP", "TRUNCATE", "RENAME"]) {
        return None;
    }
    let mut kind = rest.next()?;
    while !is(kind, &KINDS) {
        kind = rest.next()?;
    }
    if is(kind, &["INDEX"]) {
        // CREATE INDEX i ON t
        while !is(rest.next()?, &["ON"]) {}
        kind = "TABLE";
    }
    let mut name = rest.next()?.to_owned();
    if rest.next() == Some(".") {
        name = format!("{name}.{}", rest.next()?);
    }
    Some(format!("SHOW CREATE {} {name}", kind.to_ascii_uppercase()))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn where_to_look() {
        for (sql, want) in [
            ("CREATE TABLE IF NOT EXISTS `a` (b int)", Some("SHOW CREATE TABLE `a`")),
            ("alter table d.t add c int", Some("SHOW CREATE TABLE d.t")),
            ("CREATE UNIQUE INDEX i ON t (a)", Some("SHOW CREATE TABLE t")),
            ("CREATE OR REPLACE VIEW v AS SELECT 1", Some("SHOW CREATE VIEW v")),
            (
                "CREATE DEFINER = CURRENT_USER PROCEDURE p() SELECT 1",
                Some("SHOW CREATE PROCEDURE p"),
            ),
            ("CALL p()", None),
        ] {
            assert_eq!(look_at(sql).as_deref(), want, "{sql}");
        }
    }

    #[test]
    fn what_did_not_begin() {
        let check = |sql: &str, code: &str, message: &str, atomic: bool| {
            let told = Told { code, message, atomic };
            failed_before_it_began(sql, told)
        };
        let missing = "PROCEDURE t.nosuch does not exist";
        for sql in ["CALL nosuch", "call t . nosuch()", "CALL `NoSuch`(1, other())"] {
            assert!(check(sql, "1305", missing, false), "{sql}");
        }
        assert!(!check("CALL p()", "1305", missing, true));
        assert!(!check(
            "CALL nosuch()",
            "1305",
            "FUNCTION t.nosuch does not exist",
            true
        ));
        assert!(check("DROP TABLE a, b", "1051", "Unknown table 't.b'", true));
        assert!(!check("DROP TABLE a, b", "1051", "Unknown table 't.b'", false));
        assert!(check("DROP TABLE a, b b", "1064", "", false));
        assert!(!check("CALL p()", "1064", "", true));
    }

    #[test]
    fn what_may_stop_half_way() {
        for sql in [
            "CALL p()",
            "SET STATEMENT max_statement_time = 1 FOR CALL p()",
            "IF 1 = 1 THEN INSERT INTO t VALUES (1); END IF",
            "FOR i IN 1..2 DO INSERT INTO t VALUES (i); END FOR",
            "a: LOOP LEAVE a; END LOOP",
            "BEGIN NOT ATOMIC INSERT INTO t VALUES (1); END",
            "CREATE OR REPLACE TABLE t SELECT 1",
            "DROP TABLE a, b",
            "DROP VIEW IF EXISTS a, b",
            "RENAME USER a TO b, c TO d",
            "DROP DATABASE d",
            "EXECUTE IMMEDIATE 'DROP TABLE t'",
            "OPTIMIZE TABLE t",
            "SOMETHING new",
        ] {
            assert!(may_stop_half_way(sql), "{sql}");
        }
        for sql in [
            "INSERT INTO t VALUES (1), (2)",
            "SET STATEMENT max_statement_time = 1 FOR UPDATE t SET a = 1",
            "CREATE TABLE t (a int, b int)",
            "CREATE TABLE t AS SELECT 1",
            "ALTER TABLE t ADD a int, ADD b int",
            "CREATE UNIQUE INDEX i ON t (a, b)",
            "DROP INDEX i ON t",
            "DROP TABLE IF EXISTS t",
            "RENAME TABLE a TO b",
            "RENAME TABLE a TO b, c TO d",
            "CREATE DEFINER=`root`@`localhost` PROCEDURE p(a int, b int) BEGIN END",
            "CREATE /*!50017 DEFINER=`root`@`localhost`*/ TRIGGER g BEFORE INSERT ON t FOR EACH ROW SET NEW.a = 1",
            "/*!40000 ALTER TABLE t DISABLE KEYS */",
            "CREATE OR REPLACE VIEW v AS SELECT 1, 2",
            "BEGIN",
            "COMMIT",
            "START TRANSACTION",
            "(SELECT 1)",
        ] {
            assert!(!may_stop_half_way(sql), "{sql}");
        }
    }
}
