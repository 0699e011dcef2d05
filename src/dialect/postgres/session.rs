//! What PostgreSQL cannot do in a transaction, and what outlives a statement in its session.

use crate::dialect::VersionSql;
use crate::sql::split;
use crate::sql::token::{self, Kind};
use crate::sql::write;

/// The version table.
pub(super) static VERSION: VersionSql = VersionSql {
    create: include_str!("version.sql"),
    exists: "SELECT 1 WHERE pg_catalog.to_regclass({table}) IS NOT NULL",
    brief: None,
    index: None,
    now: "to_char(now() AT TIME ZONE 'UTC', 'YYYY-MM-DD\"T\"HH24:MI:SS\"Z\"')",
    elapsed: Some("CAST(extract(epoch FROM clock_timestamp() - now()) * 1000 AS bigint)"),
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

/// The invalid indexes that a statement CONCURRENTLY is about, unless somebody is building them at this moment: those that
/// it names, those of a table that it names, and what a REINDEX was building.
pub(super) fn leftovers(statement: &str) -> Option<String> {
    if !has_word(statement, "CONCURRENTLY") || words(statement).first().is_some_and(|word| word == "DROP") {
        return None;
    }
    let names: Vec<String> = token::significant(statement, &split::POSTGRESQL)
        .filter_map(|token| {
            let word = &statement[token.span];
            match token.kind {
                Kind::Word => Some(word.to_lowercase()),
                Kind::Quoted => Some(token::unquoted(word).into_owned()),
                _ => None,
            }
        })
        .map(|name| write::postgres_literal(&name))
        .collect();
    let names = names.join(", ");
    Some(format!(
        "SELECT 'index ' || i.indexrelid::pg_catalog.regclass, \
         'DROP INDEX CONCURRENTLY ' || i.indexrelid::pg_catalog.regclass \
         FROM pg_catalog.pg_index i JOIN pg_catalog.pg_class c ON c.oid = i.indexrelid \
         JOIN pg_catalog.pg_class t ON t.oid = i.indrelid \
         WHERE NOT i.indisvalid AND c.relkind = 'i' \
         AND (c.relname IN ({names}) OR t.relname IN ({names}) \
         OR pg_catalog.regexp_replace(c.relname, '_cc(new|old)[0-9]*$', '') IN ({names})) \
         AND NOT EXISTS (SELECT 1 FROM pg_catalog.pg_stat_progress_create_index p WHERE p.index_relid = i.indexrelid) \
         ORDER BY 1"
    ))
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
            "BEGIN" | "START" | "COMMIT" | "END" | "ROLLBACK" | "ABORT" | "SAVEPOINT" | "RELEASE" | "CALL" | "CLUSTER"
            | "REINDEX",
        ) => true,
        Some("PREPARE") => words.get(1).is_some_and(|word| word == "TRANSACTION"),
        Some("CREATE" | "DROP" | "ALTER") => words.get(1).is_some_and(|word| word == "SUBSCRIPTION"),
        Some("DO") => mentions(statement, "COMMIT") || mentions(statement, "ROLLBACK"),
        _ => false,
    }
}

/// What may leave something behind in the session: settings, roles, temporary tables, and whatever a function does.
pub(super) fn touches_session(statement: &str) -> bool {
    let word = statement.bytes().take(12).take_while(u8::is_ascii_alphabetic);
    let word: String = word.map(|byte| byte.to_ascii_uppercase() as char).collect();
    match word.as_str() {
        "ALTER" | "DROP" | "COMMENT" | "GRANT" | "REVOKE" | "INSERT" | "UPDATE" | "DELETE" | "TRUNCATE" | "COPY"
        | "LOCK" | "ANALYZE" | "VACUUM" | "REINDEX" | "REFRESH" | "MERGE" => false,
        "CREATE" => {
            let words = words(statement);
            let kind = words
                .iter()
                .skip(1)
                .find(|word| !matches!(word.as_str(), "OR" | "REPLACE" | "LOCAL" | "GLOBAL"));
            kind.is_some_and(|word| word == "TEMP" || word == "TEMPORARY")
        }
        _ => true,
    }
}

/// What lives in the session, and has to be done again in a new one.
pub(super) fn sets_up_connection(statement: &str) -> bool {
    let words = words(statement);
    let words: Vec<&str> = words.iter().map(String::as_str).collect();
    match words.as_slice() {
        ["SET", "LOCAL", ..] | ["PREPARE", "TRANSACTION", ..] => false,
        ["SET" | "RESET" | "PREPARE" | "DEALLOCATE" | "LISTEN" | "LOAD", ..] => true,
        ["CREATE", "TEMP" | "TEMPORARY" | "LOCAL" | "GLOBAL", ..] => true,
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
            assert!(sets_up_connection(sql) && touches_session(sql), "{sql}");
        }
        assert!(!sets_up_connection("SET LOCAL work_mem = '1MB'"));
        assert!(!touches_session("CREATE TABLE temp (a int)"));
        assert!(touches_session("DO $$ BEGIN SET ROLE x; END $$"));
    }
}
