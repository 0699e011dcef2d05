//! What PostgreSQL cannot do in a transaction, and what outlives a statement in its session.

use crate::dialect::postgres::beyond;
use crate::dialect::{Replay, VersionSql};
use crate::sql::split;
use crate::sql::temporary;
use crate::sql::token::{self, Kind};

/// The version table.
pub(super) static VERSION: VersionSql = VersionSql {
    create: include_str!("version.sql"),
    exists: "SELECT 1 WHERE pg_catalog.to_regclass({table}) IS NOT NULL",
    brief: None,
    index: None,
    now: "to_char(now() AT TIME ZONE 'UTC', 'YYYY-MM-DD\"T\"HH24:MI:SS\"Z\"')",
    elapsed: Some("CAST(extract(epoch FROM clock_timestamp() - now()) * 1000 AS bigint)"),
    hidden: None,
    returning: " RETURNING revision",
    settles: Some("SET CONSTRAINTS ALL IMMEDIATE"),
};

/// Puts a session back to what it was when it began: roles, settings, temporary tables, prepared statements, cursors.
/// `DISCARD ALL` would do the same, but not in a transaction, and it would give up the lock of the run.
pub(super) const RESET: &[&str] = &[
    "RESET SESSION AUTHORIZATION",
    "RESET ROLE",
    "RESET ALL",
    "DISCARD TEMP",
    "DEALLOCATE ALL",
    "CLOSE ALL",
    "UNLISTEN *",
];

/// The session's own role, which ALTER ROLE … SET role may have given to it, until the end of the transaction. What the
/// script has taken is kept in settings that end with the transaction as well.
pub(super) const OWN_ROLE: &[&str] = &[
    "SELECT pg_catalog.set_config('sqlrev.role', pg_catalog.current_setting('role'), true), \
     pg_catalog.set_config('sqlrev.authorization', pg_catalog.current_setting('session_authorization'), true)",
    "SET LOCAL SESSION AUTHORIZATION DEFAULT",
    "SET LOCAL role TO DEFAULT",
];

/// What the script has taken, again. The first one forgets the role, so the second one comes after it.
pub(super) const ROLE_AGAIN: &[&str] = &[
    "SELECT pg_catalog.set_config('session_authorization', pg_catalog.current_setting('sqlrev.authorization'), true)",
    "SELECT pg_catalog.set_config('role', pg_catalog.current_setting('sqlrev.role'), true)",
];

/// The key of the advisory lock that a run on one version table holds.
pub(crate) fn lock_key(table: &str) -> i64 {
    let hash = blake3::hash(format!("sqlrev {table}").as_bytes());
    let mut bytes = [0; 8];
    bytes.copy_from_slice(&hash.as_bytes()[..8]);
    i64::from_be_bytes(bytes)
}

/// The first words in upper case, at most six.
fn words(statement: &str) -> Vec<String> {
    token::keywords(statement, &split::POSTGRESQL, 6)
}

/// Whether a word stands in the statement outside of texts and comments.
fn has_word(statement: &str, word: &str) -> bool {
    token::significant(statement, &split::POSTGRESQL)
        .any(|token| token.kind == Kind::Word && statement[token.span].eq_ignore_ascii_case(word))
}

/// Whether a word stands anywhere in the text, also in the body of a DO.
fn mentions(statement: &str, word: &str) -> bool {
    let mut rest = statement.split(|c: char| !c.is_alphanumeric() && c != '_');
    rest.any(|part| part.eq_ignore_ascii_case(word))
}

/// What the statement is, when PostgreSQL refuses it in a transaction block (`PreventInTransactionBlock`), whatever the
/// database holds.
pub(super) fn not_in_transaction(statement: &str) -> Option<&'static str> {
    // Scripts of millions of statements come by here.
    if !statement
        .as_bytes()
        .first()
        .is_some_and(|first| b"aAcCdDrRvV".contains(first))
    {
        return None;
    }
    let words = words(statement);
    let words: Vec<&str> = words.iter().map(String::as_str).collect();
    match words.as_slice() {
        ["VACUUM", ..] => Some("VACUUM"),
        ["CREATE", "INDEX", "CONCURRENTLY", ..] | ["CREATE", "UNIQUE", "INDEX", "CONCURRENTLY", ..] => {
            Some("CREATE INDEX CONCURRENTLY")
        }
        ["DROP", "INDEX", "CONCURRENTLY", ..] => Some("DROP INDEX CONCURRENTLY"),
        ["REINDEX", "DATABASE" | "SYSTEM" | "SCHEMA", ..] => Some("REINDEX of more than one table"),
        ["REINDEX", ..] if has_word(statement, "CONCURRENTLY") => Some("REINDEX CONCURRENTLY"),
        ["CREATE", "DATABASE", ..] => Some("CREATE DATABASE"),
        ["DROP", "DATABASE", ..] => Some("DROP DATABASE"),
        ["ALTER", "DATABASE", ..] if sets_tablespace(statement) => Some("ALTER DATABASE … SET TABLESPACE"),
        ["CREATE", "TABLESPACE", ..] => Some("CREATE TABLESPACE"),
        ["DROP", "TABLESPACE", ..] => Some("DROP TABLESPACE"),
        ["ALTER", "SYSTEM", ..] => Some("ALTER SYSTEM"),
        ["CLUSTER"] | ["CLUSTER", "VERBOSE"] => Some("CLUSTER without a table"),
        ["ALTER", "TABLE", ..] if has_word(statement, "DETACH") && has_word(statement, "CONCURRENTLY") => {
            Some("ALTER TABLE … DETACH PARTITION … CONCURRENTLY")
        }
        ["CREATE", "SUBSCRIPTION", ..] if creates_slot(statement) => Some("CREATE SUBSCRIPTION with a new slot"),
        ["DISCARD", "ALL"] => Some("DISCARD ALL"),
        _ => None,
    }
}

fn sets_tablespace(statement: &str) -> bool {
    has_word(statement, "SET") && has_word(statement, "TABLESPACE")
}

/// Unless its options say otherwise.
fn creates_slot(statement: &str) -> bool {
    !(has_word(statement, "create_slot") || has_word(statement, "connect"))
}

/// Statements that stand outside of a transaction, those that may end one from within, and those that make and end one.
pub(super) fn stands_alone(statement: &str) -> bool {
    if not_in_transaction(statement).is_some() {
        return true;
    }
    let words = words(statement);
    match words.first().map(String::as_str) {
        Some(
            "BEGIN" | "START" | "COMMIT" | "END" | "ROLLBACK" | "ABORT" | "SAVEPOINT" | "RELEASE" | "CLUSTER"
            | "REINDEX",
        ) => true,
        Some("PREPARE") => words.get(1).is_some_and(|word| word == "TRANSACTION"),
        Some("CREATE" | "DROP" | "ALTER") => words.get(1).is_some_and(|word| word == "SUBSCRIPTION"),
        _ => may_commit_within(statement),
    }
}

/// Whether the statement runs a program that may commit and go on.
pub(super) fn may_commit_within(statement: &str) -> bool {
    match words(statement).first().map(String::as_str) {
        Some("CALL") => true,
        Some("DO") => mentions(statement, "COMMIT") || mentions(statement, "ROLLBACK"),
        _ => false,
    }
}

/// A session counts its transactions, also those that a program begins within.
pub(super) const TRANSACTION_NUMBER: &str = "SELECT pg_catalog.split_part(virtualtransaction, '/', 2) \
    FROM pg_catalog.pg_locks WHERE pid = pg_catalog.pg_backend_pid() AND virtualtransaction IS NOT NULL LIMIT 1";

/// Why a statement would take from the session what the run stands on: its lock, and how texts are read.
pub(super) fn refused(statement: &str) -> Option<(&'static str, &'static str)> {
    // Scripts of millions of statements come by here. What a function does when it is called is not seen.
    if !statement
        .as_bytes()
        .first()
        .is_some_and(|first| b"cCdDsSwW".contains(first))
    {
        return None;
    }
    let words = words(statement);
    let words: Vec<&str> = words.iter().map(String::as_str).collect();
    match words.as_slice() {
        ["DISCARD", "ALL"] => Some(GIVES_LOCK_UP),
        ["COPY", ..] if copies_out(statement) => Some((
            "COPY … TO STDOUT has nowhere to send its rows",
            "take the statement out: a revision changes the database and prints nothing",
        )),
        ["SET", "SESSION" | "LOCAL", name, ..] | ["SET", name, ..] => match *name {
            "CLIENT_ENCODING" | "NAMES" if !is_set_to(statement, &["utf8", "utf-8", "unicode", "default"]) => {
                Some(ANOTHER_ENCODING)
            }
            "STANDARD_CONFORMING_STRINGS" if !is_set_to(statement, &["on", "true", "yes", "1", "default"]) => {
                Some(OTHER_TEXTS)
            }
            _ => None,
        },
        ["DO" | "SELECT" | "WITH", ..] => {
            let sets = |name| {
                let sets = mentions(statement, "set_config") || (words[0] == "DO" && mentions(statement, "SET"));
                sets && mentions(statement, name)
            };
            if mentions(statement, "pg_advisory_unlock_all") {
                Some(GIVES_LOCK_UP)
            } else if sets("client_encoding") && !mentions(statement, "utf8") {
                Some(ANOTHER_ENCODING)
            } else if sets("standard_conforming_strings") && mentions(statement, "off") {
                Some(OTHER_TEXTS)
            } else {
                None
            }
        }
        _ => None,
    }
}

/// Whether a COPY sends rows to the client.
pub(crate) fn copies_out(statement: &str) -> bool {
    let mut words = token::significant(statement, &split::POSTGRESQL).map(|token| &statement[token.span]);
    let mut last = "";
    words.any(|word| {
        let is_out = last.eq_ignore_ascii_case("TO") && word.eq_ignore_ascii_case("STDOUT");
        last = word;
        is_out
    })
}

const GIVES_LOCK_UP: (&str, &str) = (
    "this gives up the lock that keeps other runs away",
    "take it out: what a script does to its session ends with the revision; one lock of the author's own is given back \
     by pg_advisory_unlock(KEY), temporary tables by DISCARD TEMP",
);
const ANOTHER_ENCODING: (&str, &str) = (
    "files are UTF-8, and are sent as they are",
    "take it out; data in another encoding is read by COPY … FROM 'FILE' (ENCODING 'latin1')",
);
const OTHER_TEXTS: (&str, &str) = (
    "a backslash in a plain text would begin an escape, and statements end elsewhere",
    "take it out, and write E'…' where backslashes are escapes",
);

/// Whether the last word of the statement is one of these.
fn is_set_to(statement: &str, values: &[&str]) -> bool {
    let last = token::significant(statement, &split::POSTGRESQL).last();
    last.is_some_and(|token| {
        let word = &statement[token.span];
        let value = word.trim_matches('\'').to_ascii_lowercase();
        values.contains(&token::unquoted(&value).as_ref())
    })
}

/// What is the whole server's is left alone.
pub(super) fn beyond(statement: &str) -> Option<Replay> {
    let begins = |word: &&str| {
        let first = statement.as_bytes().get(..word.len());
        first.is_some_and(|first| first.eq_ignore_ascii_case(word.as_bytes()))
    };
    // Scripts of millions of statements come by here.
    let may = [
        "CREATE", "DROP", "ALTER", "COMMENT", "REASSIGN", "GRANT", "REVOKE", "SECURITY", "DO",
    ]
    .iter()
    .any(begins);
    let fate = may.then(|| replay(statement))?;
    (fate != Replay::Run).then_some(fate)
}

/// What becomes of a statement on scratch. Data that COPY brings says nothing of the schema; what is the whole server's
/// is left alone.
pub(super) fn replay(statement: &str) -> Replay {
    let words = words(statement);
    let words: Vec<&str> = words.iter().map(String::as_str).collect();
    let skip = match words.as_slice() {
        [
            "COPY" | "VACUUM" | "CHECKPOINT" | "NOTIFY" | "LISTEN" | "LOAD" | "ANALYZE" | "CLUSTER",
            ..,
        ] => true,
        ["REINDEX", ..] => true,
        ["GRANT" | "REVOKE" | "SECURITY", ..] => {
            let words = beyond::words(statement);
            let words: Vec<&str> = words.iter().map(String::as_str).collect();
            beyond::is_shared(&words) == Some(true)
        }
        ["COMMENT", "ON", what, ..] => ["DATABASE", "ROLE", "TABLESPACE", "SUBSCRIPTION"].contains(what),
        ["DO", ..] => return beyond::block(statement).unwrap_or(Replay::Run),
        _ => beyond::is_shared(&words) == Some(true),
    };
    if skip { Replay::Skip } else { Replay::Run }
}

/// Whether a statement begins with these words.
pub(super) fn begins(statement: &str, with: &[&str]) -> bool {
    words(statement).iter().take(with.len()).eq(with)
}

/// `SET TRANSACTION`.
pub(super) fn comes_first(statement: &str) -> bool {
    let begins = statement.as_bytes().first().is_some_and(u8::is_ascii_alphabetic);
    begins && matches!(words(statement).as_slice(), [set, what, ..] if set == "SET" && what == "TRANSACTION")
}

/// What lives in the session, and has to be done again in a new one.
pub(super) fn sets_up_connection(statement: &str) -> bool {
    let words = words(statement);
    let words: Vec<&str> = words.iter().map(String::as_str).collect();
    match words.as_slice() {
        ["SET", "LOCAL", ..] | ["PREPARE", "TRANSACTION", ..] => false,
        ["SET" | "RESET" | "PREPARE" | "DEALLOCATE" | "LISTEN" | "LOAD", ..] => true,
        // What is dropped at the end of its transaction is gone when the statement is counted.
        ["CREATE", "TEMP" | "TEMPORARY" | "LOCAL" | "GLOBAL", ..] => !temporary::is_dropped_at_commit(statement),
        ["SELECT", ..] => mentions(statement, "set_config"),
        _ => false,
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_cannot_run_in_a_transaction() {
        for sql in [
            "vacuum analyze t",
            "CREATE INDEX CONCURRENTLY ON t (a)",
            "create unique index /* a */ concurrently i on t (a)",
            "DROP INDEX CONCURRENTLY IF EXISTS i",
            "REINDEX (VERBOSE) TABLE CONCURRENTLY t",
            "REINDEX DATABASE d",
            "CREATE DATABASE d",
            "ALTER SYSTEM SET work_mem = '1MB'",
            "ALTER DATABASE d SET TABLESPACE s",
            "ALTER TABLE t DETACH PARTITION p CONCURRENTLY",
            "CREATE SUBSCRIPTION s CONNECTION 'x' PUBLICATION p",
            "DISCARD ALL",
            "CLUSTER",
        ] {
            assert!(not_in_transaction(sql).is_some(), "{sql}");
            assert!(stands_alone(sql), "{sql}");
        }
        for sql in [
            "CREATE INDEX \"CONCURRENTLY\" ON t (a)",
            "CREATE INDEX i ON t (a) -- CONCURRENTLY",
            "REFRESH MATERIALIZED VIEW CONCURRENTLY v",
            "ALTER TYPE t ADD VALUE 'x'",
            "ALTER DATABASE d SET work_mem = '1MB'",
            "CLUSTER t",
            "REINDEX TABLE t",
            "CREATE SUBSCRIPTION s CONNECTION 'x' PUBLICATION p WITH (connect = false)",
            "ALTER TABLE t DETACH PARTITION p",
        ] {
            assert_eq!(not_in_transaction(sql), None, "{sql}");
        }
        assert!(stands_alone("DO $$ BEGIN COMMIT; END $$"));
        assert!(!stands_alone("DO $$ BEGIN PERFORM 1; END $$"));
    }

    #[test]
    fn what_stays_in_the_session() {
        for sql in [
            "SET search_path = x",
            "SELECT pg_catalog.set_config('search_path', '', false)",
            "create temp table t (a int)",
            "CREATE LOCAL TEMPORARY TABLE t (a int)",
        ] {
            assert!(sets_up_connection(sql), "{sql}");
        }
        assert!(!sets_up_connection("SET LOCAL work_mem = '1MB'"));
        assert!(!sets_up_connection("CREATE TEMP TABLE t (a int) ON COMMIT DROP"));
        assert!(sets_up_connection("CREATE TEMP TABLE t (a int) ON COMMIT DELETE ROWS"));
    }

    #[test]
    fn what_the_run_stands_on() {
        for sql in [
            "discard all",
            "SELECT 1, pg_catalog.PG_ADVISORY_UNLOCK_ALL()",
            "DO $$ BEGIN PERFORM pg_advisory_unlock_all(); END $$",
            "SET client_encoding = 'latin1'",
            "SET SESSION client_encoding TO latin1",
            "SET NAMES 'LATIN1'",
            "SELECT set_config('client_encoding', 'LATIN1', false)",
            "SET LOCAL standard_conforming_strings = off",
            "DO $$ BEGIN SET standard_conforming_strings = off; END $$",
        ] {
            assert!(refused(sql).is_some(), "{sql}");
        }
        for sql in [
            "DISCARD TEMP",
            "SET client_encoding = 'UTF8'",
            "SET NAMES utf8",
            "SET standard_conforming_strings = on",
            "SELECT pg_advisory_unlock(1)",
            "SELECT pg_catalog.set_config('search_path', '', false)",
            "SELECT current_setting('client_encoding')",
            "CREATE FUNCTION f() RETURNS void LANGUAGE sql AS 'SELECT pg_advisory_unlock_all()'",
        ] {
            assert_eq!(refused(sql), None, "{sql}");
        }
    }
}
