//! Which statements commit by themselves, which change the session, and how it is put back.

use std::time::Duration;

use crate::dialect::VersionSql;
use crate::sql::split;
use crate::sql::token::{self, Kind};

/// The version table.
pub(super) static VERSION: VersionSql = VersionSql {
    create: include_str!("version.sql"),
    exists: "SELECT 1 FROM information_schema.tables WHERE table_name = SUBSTRING_INDEX({revisions}, '.', -1) AND \
             table_schema = IF(LOCATE('.', {revisions}), SUBSTRING_INDEX({revisions}, '.', 1), DATABASE())",
    brief: None,
    index: None,
    now: "DATE_FORMAT(UTC_TIMESTAMP(), '%Y-%m-%dT%H:%i:%sZ')",
    returning: "",
    elapsed: Some("TIMESTAMPDIFF(MICROSECOND, @sqlrev_began, UTC_TIMESTAMP(6)) DIV 1000"),
};

/// How texts are to be read, whatever the server's configuration says: as the splitter reads them.
pub(crate) const READ_SO: [&str; 2] = [
    "SET NAMES utf8mb4",
    "SET SESSION sql_mode = REPLACE(@@SESSION.sql_mode, 'NO_BACKSLASH_ESCAPES', ''), autocommit = 1",
];

/// Puts the variables of a session back to what they were when it began. What would reset all of it gives up the lock of
/// the run as well.
pub(super) const RESET: &[&str] = &[
    "SET SESSION sql_mode = REPLACE(@@GLOBAL.sql_mode, 'NO_BACKSLASH_ESCAPES', ''), \
     autocommit = 1, foreign_key_checks = DEFAULT, unique_checks = DEFAULT, time_zone = DEFAULT, \
     lock_wait_timeout = DEFAULT, innodb_lock_wait_timeout = DEFAULT, sql_safe_updates = DEFAULT, \
     sql_select_limit = DEFAULT, timestamp = DEFAULT, sql_notes = DEFAULT, default_storage_engine = DEFAULT, \
     group_concat_max_len = DEFAULT, div_precision_increment = DEFAULT, lc_time_names = DEFAULT \
     /*M! , tx_isolation = DEFAULT, tx_read_only = DEFAULT, max_statement_time = DEFAULT */ \
     /*!80000 , transaction_isolation = DEFAULT, transaction_read_only = DEFAULT, max_execution_time = DEFAULT */",
    "SET NAMES utf8mb4",
];

/// How long a statement waits for locks, in whole seconds, and how long it may take; a query alone on MySQL. The
/// revision's end puts them back.
pub(super) fn timeouts(lock: Option<Duration>, statement: Option<Duration>) -> Vec<String> {
    let lock = lock.map(|time| {
        let seconds = time.as_millis().div_ceil(1000).max(1);
        format!("SET SESSION lock_wait_timeout = {seconds}, innodb_lock_wait_timeout = {seconds}")
    });
    let statement = statement.map(|time| {
        let (seconds, millis) = (time.as_secs_f64(), time.as_millis());
        format!("SET SESSION /*M! max_statement_time = {seconds:.3} */ /*!80000 max_execution_time = {millis} */")
    });
    lock.into_iter().chain(statement).collect()
}

/// The name of the lock of a run, as an expression: locks are the server's, and their names short.
pub(crate) fn lock_name(table: &str) -> String {
    let mut literal = String::new();
    crate::sql::write::append_mysql_literal(&mut literal, table);
    format!("CONCAT('sqlrev ', SHA1(CONCAT(DATABASE(), ' ', {literal})))")
}

/// The first words in upper case, at most `most`, those in a comment that is run among them.
fn words(statement: &str, most: usize) -> Vec<String> {
    let mut at = 0;
    if statement.starts_with("/*") {
        at = token::tokens(statement, &split::MYSQL)
            .next()
            .map_or(0, |token| token.span.end);
    }
    token::keywords(statement.get(at..).unwrap_or_default(), &split::MYSQL, most)
}

/// The first word as it stands: scripts of millions of statements come by here.
fn first(statement: &str) -> &str {
    let length = statement.bytes().take_while(u8::is_ascii_alphabetic).count();
    &statement[..length]
}

fn is(word: &str, known: &[&str]) -> bool {
    known.iter().any(|known| word.eq_ignore_ascii_case(known))
}

/// Whether a word stands in the statement outside of texts and comments.
fn has_word(statement: &str, word: &str) -> bool {
    token::significant(statement, &split::MYSQL).any(|token| {
        let text = statement[token.span].trim_start_matches('@');
        matches!(token.kind, Kind::Word | Kind::Variable) && text.eq_ignore_ascii_case(word)
    })
}

/// What changes rows, or nothing: all that a transaction may hold.
const ROWS: [&str; 4] = ["INSERT", "UPDATE", "DELETE", "REPLACE"];

/// Whether the statement commits the transaction that it runs in, or may: nearly everything that does not just change
/// rows. What a routine does, nobody knows.
pub(super) fn commits(statement: &str) -> bool {
    let word = first(statement);
    if is(word, &ROWS) {
        return false;
    }
    let known = [
        "SELECT",
        "WITH",
        "VALUES",
        "TABLE",
        "DO",
        "SHOW",
        "EXPLAIN",
        "DESCRIBE",
        "DESC",
        "HANDLER",
        "SAVEPOINT",
        "PREPARE",
        "DEALLOCATE",
        "SIGNAL",
        "HELP",
        "KILL",
    ];
    if is(word, &known) || statement.starts_with('(') {
        return false;
    }
    let words = words(statement, 6);
    let words: Vec<&str> = words.iter().map(String::as_str).collect();
    match words.as_slice() {
        ["SET", "PASSWORD" | "DEFAULT" | "STATEMENT", ..] => true,
        ["SET", ..] => has_word(statement, "autocommit"),
        ["ROLLBACK", rest @ ..] => !rest.contains(&"TO"),
        ["RELEASE", "SAVEPOINT", ..] | ["LOAD", "DATA" | "XML", ..] => false,
        ["CREATE", "OR", "REPLACE", "TEMPORARY", ..] => false,
        ["CREATE" | "DROP", "TEMPORARY", ..] => false,
        _ => true,
    }
}

/// Whether the statement, when it fails, may have done a part of its work nevertheless.
pub(super) fn may_stop_half_way(statement: &str) -> bool {
    let words = words(statement, 3);
    let words: Vec<&str> = words.iter().map(String::as_str).collect();
    let list = || token::significant(statement, &split::MYSQL).any(|token| &statement[token.span] == ",");
    match words.as_slice() {
        ["CALL" | "EXECUTE" | "BEGIN" | "OPTIMIZE" | "ANALYZE" | "REPAIR", ..] => true,
        ["DROP" | "CREATE" | "ALTER", "DATABASE" | "SCHEMA", ..] => true,
        ["DROP", "TABLE" | "VIEW" | "USER" | "ROLE", ..] | ["CREATE" | "ALTER", "USER" | "ROLE", ..] => list(),
        ["GRANT" | "REVOKE", ..] => list(),
        [] => true,
        _ => false,
    }
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
    let kinds = [
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
    ];
    let mut kind = rest.next()?;
    while !is(kind, &kinds) {
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

/// Whether the statement opens a transaction or closes it; none where it does neither.
pub(crate) fn ends_or_begins(statement: &str) -> Option<bool> {
    let word = first(statement);
    if is(word, &["BEGIN"]) {
        return words(statement, 2)
            .get(1)
            .is_none_or(|word| word == "WORK")
            .then_some(true);
    }
    if is(word, &["START"]) {
        return (words(statement, 2).get(1)? == "TRANSACTION").then_some(true);
    }
    if is(word, &["COMMIT", "ROLLBACK"]) {
        let words = words(statement, 6);
        if words.iter().any(|word| word == "TO") {
            return None;
        }
        let chains = words.windows(2).any(|pair| pair == ["AND", "CHAIN"]);
        return Some(chains);
    }
    (!is(word, &ROWS) && commits(statement)).then_some(false)
}

/// Whether the statement does nothing but open or close a transaction.
pub(super) fn controls(statement: &str) -> bool {
    is(first(statement), &["BEGIN", "START", "COMMIT", "ROLLBACK"]) && ends_or_begins(statement).is_some()
}

/// Whether other statements may go out in the same packet: it has one result, and no mark that the server could take for
/// its end.
#[cfg(feature = "mysql")]
pub(crate) fn can_follow(statement: &str) -> bool {
    const KNOWN: [&str; 21] = [
        "INSERT",
        "UPDATE",
        "DELETE",
        "REPLACE",
        "SELECT",
        "WITH",
        "SET",
        "DO",
        "CREATE",
        "ALTER",
        "DROP",
        "TRUNCATE",
        "RENAME",
        "START",
        "BEGIN",
        "COMMIT",
        "ROLLBACK",
        "SAVEPOINT",
        "RELEASE",
        "GRANT",
        "REVOKE",
    ];
    let word = first(statement);
    let bytes = statement.as_bytes();
    let ends_once = || memchr::memchr(b';', bytes).is_none() || plain_semicolons(bytes);
    is(word, &KNOWN) && ends_once() && !runs_another(statement)
}

/// Whether every semicolon stands in a text or a name that ends at the same place whatever `sql_mode` says.
#[cfg(feature = "mysql")]
fn plain_semicolons(bytes: &[u8]) -> bool {
    let mut open = None;
    for (at, &byte) in bytes.iter().enumerate() {
        match (open, byte) {
            // A quote that is doubled closes and opens again.
            (Some(quote), _) if byte == quote => open = None,
            // Perhaps an escape, perhaps not.
            (Some(b'\''), b'\\') => return false,
            (Some(_), _) => {}
            (None, b'\'' | b'`') => open = Some(byte),
            // A text or a name, a comment, another statement.
            (None, b'"' | b'#' | b';') => return false,
            (None, b'-') if bytes.get(at + 1) == Some(&b'-') => return false,
            (None, b'/') if bytes.get(at + 1) == Some(&b'*') => return false,
            (None, _) => {}
        }
    }
    open.is_none()
}

/// SET STATEMENT … FOR CALL, for one.
#[cfg(feature = "mysql")]
fn runs_another(statement: &str) -> bool {
    is(first(statement), &["SET"]) && words(statement, 2).get(1).is_some_and(|word| word == "STATEMENT")
}

/// Why a statement would take from the session what the run itself stands on, and what to do instead.
pub(super) fn refused(statement: &str) -> Option<(&'static str, &'static str)> {
    if !statement
        .bytes()
        .next()
        .is_some_and(|first| b"uUlLfFxXsSdD/".contains(&first))
    {
        return None;
    }
    let words = words(statement, 2);
    let words: Vec<&str> = words.iter().map(String::as_str).collect();
    match words.as_slice() {
        ["USE", ..] => Some((
            "the version table would be looked for in the other database",
            "write the database before the name of each table: other.t",
        )),
        ["LOCK", "TABLE" | "TABLES", ..] => Some((
            "while tables are locked, the version table cannot be written to",
            "take the statement out, and UNLOCK TABLES; a dump is made without it by --skip-add-locks",
        )),
        ["FLUSH", ..] if has_word(statement, "READ") || has_word(statement, "EXPORT") => Some((
            "while tables are locked, the version table cannot be written to",
            "take the statement out",
        )),
        ["SET", ..] if other_charset(statement) => Some((
            "files are sent as UTF-8, and the server would take them for something else",
            "leave it out: the session speaks utf8mb4",
        )),
        ["SELECT" | "DO" | "SET", ..] if has_word(statement, "RELEASE_ALL_LOCKS") => Some((
            "this gives up the lock that keeps other runs away",
            "give back by its name what the script has taken: DO RELEASE_LOCK(NAME)",
        )),
        ["XA", ..] => Some((
            "inside of a distributed transaction nothing else can be committed",
            "take the statement out",
        )),
        _ => None,
    }
}

/// Whether the statement says that texts come in another encoding than UTF-8.
fn other_charset(statement: &str) -> bool {
    let mut words = token::significant(statement, &split::MYSQL).map(|token| {
        let word = statement[token.span].trim_start_matches('@');
        word.trim_matches(['\'', '"']).to_ascii_lowercase()
    });
    while let Some(word) = words.next() {
        let value = match word.as_str() {
            "names" | "charset" => words.next(),
            "character" => words.nth(1),
            "character_set_client" => words.nth(1),
            _ => continue,
        };
        // A variable holds what the session had before.
        let known = ["utf8", "utf8mb3", "utf8mb4", "binary", "ascii", "default", "="];
        let value = value.unwrap_or_default();
        if !known.contains(&value.as_str()) && !value.starts_with("old_") && !value.starts_with("saved_") {
            return true;
        }
    }
    false
}

/// What may leave something behind in the session.
pub(super) fn touches_session(statement: &str) -> bool {
    statement.starts_with("/*") || is(first(statement), &["SET", "CALL", "EXECUTE", "BEGIN"])
}

/// What lives in the session, and has to be done again in a new one.
pub(super) fn sets_up_connection(statement: &str) -> bool {
    let words = words(statement, 4);
    let words: Vec<&str> = words.iter().map(String::as_str).collect();
    match words.as_slice() {
        ["SET", "PASSWORD" | "DEFAULT" | "STATEMENT" | "GLOBAL" | "PERSIST", ..] => false,
        ["SET" | "PREPARE" | "DEALLOCATE", ..] => true,
        ["CREATE", "TEMPORARY", ..] | ["CREATE", "OR", "REPLACE", "TEMPORARY", ..] => true,
        _ => false,
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_commits_by_itself() {
        for sql in [
            "CREATE TABLE t (a int)",
            "create or replace view v as select 1",
            "/*!40000 ALTER TABLE t DISABLE KEYS */",
            "TRUNCATE t",
            "CALL p()",
            "SET autocommit = 0",
            "SET @@SESSION.autocommit = 0",
            "SET PASSWORD = 'x'",
            "GRANT SELECT ON t TO u",
            "BEGIN",
            "COMMIT",
            "ROLLBACK",
            "ANALYZE TABLE t",
            "DROP INDEX i ON t",
        ] {
            assert!(commits(sql), "{sql}");
        }
        for sql in [
            "INSERT INTO t VALUES (1)",
            "(SELECT 1)",
            "SET foreign_key_checks = 0",
            "SET @a = 'autocommit'",
            "/*!40101 SET NAMES utf8mb4 */",
            "CREATE TEMPORARY TABLE t (a int)",
            "DROP TEMPORARY TABLE t",
            "ROLLBACK TO SAVEPOINT a",
            "LOAD DATA INFILE 'x' INTO TABLE t",
            "with a as (select 1) select * from a",
        ] {
            assert!(!commits(sql), "{sql}");
        }
    }

    #[test]
    fn what_opens_and_closes_a_transaction() {
        for (sql, want) in [
            ("BEGIN", Some(true)),
            ("begin work", Some(true)),
            ("BEGIN NOT ATOMIC", None),
            ("START TRANSACTION READ ONLY", Some(true)),
            ("COMMIT AND CHAIN", Some(true)),
            ("ROLLBACK", Some(false)),
            ("ROLLBACK TO a", None),
            ("CREATE TABLE t (a int)", Some(false)),
            ("INSERT INTO t VALUES (1)", None),
        ] {
            assert_eq!(ends_or_begins(sql), want, "{sql}");
            assert_eq!(controls(sql), want.is_some() && !sql.starts_with("CREATE"), "{sql}");
        }
    }

    #[cfg(feature = "mysql")]
    #[test]
    fn what_goes_together() {
        assert!(can_follow("INSERT INTO t VALUES ('a')"));
        assert!(can_follow("INSERT INTO `a;b` VALUES (';', '-- it''s; \"', 1)"));
        for sql in [
            "INSERT INTO t VALUES ('\\';')",
            "INSERT INTO t VALUES (\";\")",
            "INSERT INTO t /* ' */ VALUES (';')",
            "INSERT INTO t VALUES (1) -- ';'",
            "CREATE PROCEDURE p() BEGIN SELECT 1; END",
            "INSERT INTO t VALUES (';",
        ] {
            assert!(!can_follow(sql), "{sql}");
        }
        assert!(!can_follow("CALL p()"));
        assert!(!can_follow("SET STATEMENT max_statement_time = 1 FOR CALL p()"));
        assert!(!can_follow("/*! SELECT 1 */"));
    }

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
    fn what_is_refused() {
        assert!(refused("USE other").is_some());
        assert!(refused("lock tables t write").is_some());
        assert!(refused("FLUSH TABLES WITH READ LOCK").is_some());
        assert!(refused("FLUSH PRIVILEGES").is_none());
        assert!(refused("UPDATE t SET a = 1").is_none());
        assert!(refused("SET NAMES latin1").is_some());
        assert!(refused("SET NAMES 'utf8mb4' COLLATE utf8mb4_bin").is_none());
        assert!(refused("/*!40101 SET character_set_client = cp1252 */").is_some());
        assert!(refused("/*!40101 SET CHARACTER_SET_CLIENT=@OLD_CHARACTER_SET_CLIENT */").is_none());
        assert!(refused("SET CHARACTER SET koi8r").is_some());
        assert!(refused("SELECT RELEASE_ALL_LOCKS()").is_some());
    }
}
