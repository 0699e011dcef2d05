//! Which statements commit by themselves, which change the session, and how it is put back.

use std::time::Duration;

use crate::dialect::VersionSql;
#[cfg(feature = "mysql")]
use crate::dialect::mysql::script;
use crate::sql::split;
use crate::sql::temporary;
use crate::sql::token::{self, Kind};
use crate::sql::write;

/// The version table.
pub(super) static VERSION: VersionSql = VersionSql {
    create: include_str!("version.sql"),
    exists: "SELECT 1 FROM information_schema.tables WHERE table_name = SUBSTRING_INDEX({revisions}, '.', -1) AND \
             table_schema = IF(LOCATE('.', {revisions}), SUBSTRING_INDEX({revisions}, '.', 1), DATABASE())",
    brief: None,
    index: None,
    now: "DATE_FORMAT(UTC_TIMESTAMP(), '%Y-%m-%dT%H:%i:%sZ')",
    hidden: None,
    returning: "",
    settles: None,
    elapsed: Some("TIMESTAMPDIFF(MICROSECOND, @sqlrev_began, UTC_TIMESTAMP(6)) DIV 1000"),
};

/// How texts are to be read, whatever the server's configuration says: as the splitter reads them; and queries to their
/// last row.
pub(crate) const READ_SO: [&str; 2] = [
    "SET NAMES utf8mb4",
    "SET SESSION sql_mode = REPLACE(@@SESSION.sql_mode, 'NO_BACKSLASH_ESCAPES', ''), autocommit = 1, \
     sql_select_limit = 18446744073709551615",
];

/// Puts the variables of a session back to what they were when it began: those that scripts change most. What would reset
/// all of it gives up the lock of the run as well. On a connection, the others are compared. By DEFAULT, MySQL turns
/// the checks of keys off. Older versions of it let few people touch those that stand behind 80046.
pub(super) const RESET: &[&str] = &[
    "SET SESSION sql_mode = REPLACE(@@GLOBAL.sql_mode, 'NO_BACKSLASH_ESCAPES', ''), \
     autocommit = 1, foreign_key_checks = @@GLOBAL.foreign_key_checks, unique_checks = @@GLOBAL.unique_checks, \
     time_zone = DEFAULT, lock_wait_timeout = DEFAULT, innodb_lock_wait_timeout = DEFAULT, sql_safe_updates = DEFAULT, \
     sql_select_limit = 18446744073709551615, timestamp = DEFAULT, sql_notes = DEFAULT, default_storage_engine = DEFAULT, \
     group_concat_max_len = DEFAULT, div_precision_increment = DEFAULT, lc_time_names = DEFAULT \
     /*M! , tx_isolation = DEFAULT, tx_read_only = DEFAULT, max_statement_time = DEFAULT, sql_auto_is_null = DEFAULT, \
     auto_increment_increment = DEFAULT, auto_increment_offset = DEFAULT, insert_id = DEFAULT, \
     innodb_strict_mode = DEFAULT, default_tmp_storage_engine = DEFAULT, old_mode = DEFAULT */ \
     /*M!100201 , check_constraint_checks = DEFAULT */ \
     /*M!100304 , system_versioning_asof = DEFAULT, system_versioning_alter_history = DEFAULT */ \
     /*!80000 , transaction_isolation = DEFAULT, transaction_read_only = DEFAULT, max_execution_time = DEFAULT */ \
     /*!80046 , sql_auto_is_null = DEFAULT, auto_increment_increment = DEFAULT, auto_increment_offset = DEFAULT, \
     innodb_strict_mode = DEFAULT, default_tmp_storage_engine = DEFAULT */",
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

/// The name of the lock of a run, as an expression: locks are the server's, and their names short. `table` is quoted.
pub(crate) fn lock_name(table: &str) -> String {
    let literal = |name: &str| {
        let mut literal = String::new();
        write::append_mysql_literal(&mut literal, &token::unquoted(name));
        literal
    };
    // The table's own database, wherever the connection is.
    let (database, table) = match table.split_once("`.`") {
        Some((database, table)) => (literal(&format!("{database}`")), literal(&format!("`{table}"))),
        None => ("DATABASE()".to_owned(), literal(table)),
    };
    // Newer versions of MySQL have no SHA1.
    format!("CONCAT('sqlrev ', LEFT(SHA2(CONCAT({database}, ' ', {table}), 256), 40))")
}

/// The first words in upper case, at most `most`, those in a comment that is run among them.
pub(super) fn words(statement: &str, most: usize) -> Vec<String> {
    token::keywords(without_mark(statement), &split::MYSQL, most)
}

/// The statement without what makes it a comment for other servers: `/*!40101`.
fn without_mark(statement: &str) -> &str {
    if !statement.starts_with("/*") {
        return statement;
    }
    let mark = token::tokens(statement, &split::MYSQL).next();
    mark.map_or(statement, |mark| statement[mark.span.end..].trim_start())
}

/// The first word as it stands: scripts of millions of statements come by here.
pub(super) fn first(statement: &str) -> &str {
    let length = statement.bytes().take_while(u8::is_ascii_alphabetic).count();
    &statement[..length]
}

pub(super) fn is(word: &str, known: &[&str]) -> bool {
    known.iter().any(|known| word.eq_ignore_ascii_case(known))
}

/// Whether a word stands in the statement outside of texts and comments.
pub(super) fn has_word(statement: &str, word: &str) -> bool {
    token::significant(statement, &split::MYSQL).any(|token| {
        let text = statement[token.span].trim_start_matches('@');
        matches!(token.kind, Kind::Word | Kind::Variable) && text.eq_ignore_ascii_case(word)
    })
}

/// The statement that `SET STATEMENT … FOR` runs, or the statement itself.
pub(super) fn inner(statement: &str) -> &str {
    let statement = without_mark(statement);
    if !is(first(statement), &["SET"]) || words(statement, 2).get(1).is_none_or(|word| word != "STATEMENT") {
        return statement;
    }
    let mut tokens = token::significant(statement, &split::MYSQL);
    let ends = tokens.find(|token| token.kind == Kind::Word && is(&statement[token.span.clone()], &["FOR"]));
    ends.map_or("", |token| statement[token.span.end..].trim_start())
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
        ["SET", "STATEMENT", ..] => commits(inner(statement)),
        ["SET", "PASSWORD" | "DEFAULT", ..] => true,
        ["SET", ..] => has_word(statement, "autocommit"),
        ["ROLLBACK", rest @ ..] => !rest.contains(&"TO"),
        ["RELEASE", "SAVEPOINT", ..] | ["LOAD", "DATA" | "XML", ..] => false,
        ["CREATE", "OR", "REPLACE", "TEMPORARY", ..] => false,
        ["CREATE" | "DROP", "TEMPORARY", ..] => false,
        _ => true,
    }
}

/// What runs other statements, of which nobody knows whether they commit.
const PROGRAMS: [&str; 9] = [
    "CALL", "EXECUTE", "IF", "CASE", "FOR", "WHILE", "LOOP", "REPEAT", "BEGIN",
];

/// Whether the statement opens a transaction or closes it; none where it does neither, or where nobody can tell.
pub(crate) fn ends_or_begins(statement: &str) -> Option<bool> {
    let statement = inner(statement);
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
    let known = !is(word, &ROWS) && !is(word, &PROGRAMS) && !is_label(statement);
    (known && commits(statement)).then_some(false)
}

/// Whether the statement runs others, of which nobody knows what they do.
pub(super) fn runs_program(statement: &str) -> bool {
    let statement = inner(statement);
    let word = first(statement);
    is(word, &PROGRAMS) && ends_or_begins(statement).is_none() || is_label(statement)
}

/// Whether a program begins with its label.
fn is_label(statement: &str) -> bool {
    let mut tokens = token::significant(statement, &split::MYSQL).skip(1);
    tokens.next().is_some_and(|token| &statement[token.span] == ":")
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
    is(word, &KNOWN) && ends_once() && !runs_another(statement) && !keeps_its_text(statement)
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

/// Whether it makes a program. MySQL takes what stands before the next statement of the packet for the end of the body.
#[cfg(feature = "mysql")]
fn keeps_its_text(statement: &str) -> bool {
    is(first(statement), &["CREATE", "ALTER"]) && script::is_program(statement)
}

/// SET STATEMENT … FOR CALL, for one.
#[cfg(feature = "mysql")]
fn runs_another(statement: &str) -> bool {
    is(first(statement), &["SET"]) && words(statement, 2).get(1).is_some_and(|word| word == "STATEMENT")
}

/// What may leave something behind in the session.
pub(super) fn touches_session(statement: &str) -> bool {
    statement.starts_with("/*") || is(first(statement), &["SET", "CALL", "EXECUTE", "BEGIN"])
}

/// What a statement makes that goes with the connection: what it is, and its name.
pub(super) fn temporary(statement: &str) -> Option<(&'static str, Vec<String>)> {
    let statement = inner(statement);
    // Scripts of millions of statements come by here.
    if !is(first(statement), &["CREATE"]) {
        return None;
    }
    temporary::made_as(statement, &split::MYSQL)
}

/// Drops what a statement makes that would go only with the connection, and empties the user variables in it: NULL is what
/// one holds that was never set.
pub(super) fn drops_temporary(statement: &str) -> Option<String> {
    let Some((kind, name)) = temporary(statement) else {
        return empties(statement);
    };
    let name: Vec<String> = name.iter().map(|part| write::quoted(part, '`')).collect();
    let kind = if kind.ends_with("table") { "TABLE" } else { "SEQUENCE" };
    Some(format!("DROP TEMPORARY {kind} IF EXISTS {}", name.join(".")))
}

/// The user variables of a statement that may give them values, emptied. The body of a program gives none.
fn empties(statement: &str) -> Option<String> {
    let text = inner(statement);
    if !text.contains('@')
        || !is(
            first(text),
            &["SET", "SELECT", "WITH", "CALL", "DO", "FETCH", "VALUES", "EXECUTE"],
        )
    {
        return None;
    }
    let mut names: Vec<&str> = Vec::new();
    for token in token::significant(text, &split::MYSQL).filter(|token| token.kind == Kind::Variable) {
        let name = &text[token.span];
        let known = names.iter().any(|known| known.eq_ignore_ascii_case(name));
        if name.starts_with('@') && !name.starts_with("@@") && !known {
            names.push(name);
        }
    }
    let set: Vec<String> = names.iter().map(|name| format!("{name} = NULL")).collect();
    (!set.is_empty()).then(|| format!("SET {}", set.join(", ")))
}

/// What may be set, and changes by itself as well.
const OWN: [&str; 7] = [
    "timestamp",
    "insert_id",
    "last_insert_id",
    "identity",
    "rand_seed1",
    "rand_seed2",
    "gtid_seq_no",
];

/// The statements that give a variable of the session the value back that it had: the second one where the server does
/// not take the first.
pub(super) fn put_back(variable: &str, value: &str) -> Option<[String; 2]> {
    if is(variable, &OWN) {
        return None;
    }
    let mut literal = value.to_owned();
    if value.is_empty() || !value.bytes().all(|byte| b"-.0123456789".contains(&byte)) {
        literal.clear();
        write::append_mysql_literal(&mut literal, value);
    }
    let name = write::quoted(variable, '`');
    let set = |value: &str| format!("SET SESSION {name} = {value}");
    Some([set(&literal), set("DEFAULT")])
}

/// What lives in the session, and has to be done again in a new one.
pub(super) fn sets_up_connection(statement: &str) -> bool {
    let words = words(statement, 4);
    let words: Vec<&str> = words.iter().map(String::as_str).collect();
    match words.as_slice() {
        ["SET", "PASSWORD" | "DEFAULT" | "STATEMENT", ..] => false,
        // Others may follow that are the session's.
        ["SET", "GLOBAL" | "PERSIST", ..] => {
            token::significant(statement, &split::MYSQL).any(|token| &statement[token.span] == ",")
        }
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
            ("CALL p()", None),
            ("EXECUTE s", None),
            (
                "SET STATEMENT max_statement_time = 1 FOR INSERT INTO t VALUES (1)",
                None,
            ),
            ("IF 1 THEN COMMIT; END IF", None),
            ("/*!50003 CALL p() */", None),
            ("a: LOOP LEAVE a; END LOOP", None),
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
            "CREATE FUNCTION f() RETURNS INT DETERMINISTIC RETURN 1",
            "INSERT INTO t VALUES (';",
        ] {
            assert!(!can_follow(sql), "{sql}");
        }
        assert!(!can_follow("CALL p()"));
        assert!(!can_follow("SET STATEMENT max_statement_time = 1 FOR CALL p()"));
        assert!(!can_follow("/*! SELECT 1 */"));
    }

    #[test]
    fn what_goes_with_the_connection() {
        for (sql, want) in [
            (
                "CREATE OR REPLACE TEMPORARY TABLE `a``b`.t AS SELECT 1",
                Some("DROP TEMPORARY TABLE IF EXISTS `a``b`.`t`"),
            ),
            (
                "/*!50001 CREATE TEMPORARY TABLE IF NOT EXISTS t (a INT) */",
                Some("DROP TEMPORARY TABLE IF EXISTS `t`"),
            ),
            (
                "SET STATEMENT sql_mode = '' FOR CREATE TEMPORARY TABLE t (a INT)",
                Some("DROP TEMPORARY TABLE IF EXISTS `t`"),
            ),
            ("CREATE TABLE temporary (a INT)", None),
            ("SELECT @@sql_mode, 1 INTO @a", Some("SET @a = NULL")),
        ] {
            assert_eq!(drops_temporary(sql).as_deref(), want, "{sql}");
        }
        assert!(sets_up_connection("SET GLOBAL max_connections = 10, @a = 1"));
        assert!(!sets_up_connection("SET GLOBAL max_connections = 10"));
    }

    #[test]
    fn the_lock_is_of_the_tables_database() {
        let name = |database| {
            format!("CONCAT('sqlrev ', LEFT(SHA2(CONCAT({database}, ' ', 'a``b'), 256), 40))").replace("``", "`")
        };
        assert_eq!(lock_name("`a``b`"), name("DATABASE()"));
        assert_eq!(lock_name("`shop`.`a``b`"), name("'shop'"));
    }
}
