//! Whether a statement that stands outside of transactions has run, where its end was not seen.
//!
//! The server goes on with such a statement after its client is gone. What it makes was not there before, and what it drops
//! was: otherwise the statement would have been refused, and its note taken back.

use crate::dialect::Look;
use crate::dialect::postgres::words::Words;

/// The query whose only value is whether the statement has run. None where the statement may be run again in any case, and
/// where nothing tells.
pub(super) fn look_at(statement: &str) -> Option<Look> {
    // Scripts of millions of statements come by here.
    if !statement
        .as_bytes()
        .first()
        .is_some_and(|first| b"aAcCdD".contains(first))
    {
        return None;
    }
    let words = Words::of(statement);
    let sql = if words.is(0, "ALTER") {
        detached(&words)?
    } else {
        let makes = words.is(0, "CREATE");
        if !makes && !words.is(0, "DROP") {
            return None;
        }
        index(&words, makes).or_else(|| of_server(&words, makes))?
    };
    Some(Look { sql, tells: true })
}

/// `CREATE [UNIQUE] INDEX CONCURRENTLY name ON [ONLY] table`, `DROP INDEX CONCURRENTLY name`.
fn index(words: &Words<'_>, makes: bool) -> Option<String> {
    let at = 1 + usize::from(words.is(1, "UNIQUE"));
    if !words.is(at, "INDEX") || !words.is(at + 1, "CONCURRENTLY") || words.is(at + 2, "IF") {
        return None;
    }
    let name = at + 2;
    if !makes {
        return Some(format!("SELECT {} IS NULL", words.relation(name)));
    }
    if words.is(name, "ON") {
        return None;
    }
    let table = name + 2 + usize::from(words.is(name + 2, "ONLY"));
    Some(format!(
        "SELECT EXISTS (SELECT 1 FROM pg_catalog.pg_index i JOIN pg_catalog.pg_class c ON c.oid = i.indexrelid \
         WHERE i.indrelid = {} AND c.relname = {} AND i.indisvalid)",
        words.relation(table),
        words.name(name)
    ))
}

/// `CREATE|DROP DATABASE|TABLESPACE|SUBSCRIPTION name`.
fn of_server(words: &Words<'_>, makes: bool) -> Option<String> {
    let (catalog, column) = match () {
        () if words.is(1, "DATABASE") => ("pg_database", "datname"),
        () if words.is(1, "TABLESPACE") => ("pg_tablespace", "spcname"),
        () if words.is(1, "SUBSCRIPTION") => ("pg_subscription", "subname"),
        () => return None,
    };
    if words.is(2, "IF") {
        return None;
    }
    let not = if makes { "" } else { "NOT " };
    Some(format!(
        "SELECT {not}EXISTS (SELECT 1 FROM pg_catalog.{catalog} WHERE {column} = {})",
        words.name(2)
    ))
}

/// `ALTER TABLE [ONLY] table DETACH PARTITION name CONCURRENTLY`.
fn detached(words: &Words<'_>) -> Option<String> {
    if !words.is(1, "TABLE") || words.is(2, "IF") || !words.have("CONCURRENTLY") {
        return None;
    }
    let partition = words.find("PARTITION").filter(|at| words.is(at - 1, "DETACH"))? + 1;
    let table = 2 + usize::from(words.is(2, "ONLY"));
    Some(format!(
        "SELECT NOT EXISTS (SELECT 1 FROM pg_catalog.pg_inherits WHERE inhparent = {} AND inhrelid = {})",
        words.relation(table),
        words.relation(partition)
    ))
}

#[cfg(test)]
mod tests {
    use super::look_at;

    #[test]
    fn what_tells_that_it_has_run() {
        for (sql, parts) in [
            (
                "create unique index concurrently By_Name on only shop.\"Items\" (a)",
                &["to_regclass('shop.\"Items\"')", "c.relname = 'by_name'", "i.indisvalid"][..],
            ),
            ("DROP INDEX CONCURRENTLY shop.i", &["to_regclass('shop.i') IS NULL"]),
            ("CREATE DATABASE \"Shop\"", &["SELECT EXISTS", "datname = 'Shop'"]),
            ("DROP TABLESPACE fast", &["NOT EXISTS", "spcname = 'fast'"]),
            (
                "ALTER TABLE t DETACH PARTITION t_1 CONCURRENTLY",
                &["inhparent = pg_catalog.to_regclass('t')", "to_regclass('t_1')"],
            ),
        ] {
            let look = look_at(sql).unwrap_or_else(|| panic!("{sql}"));
            assert!(look.tells);
            for part in parts {
                assert!(look.sql.contains(part), "{sql}: {}", look.sql);
            }
        }
        for sql in [
            "CREATE INDEX CONCURRENTLY IF NOT EXISTS i ON t (a)",
            "CREATE INDEX CONCURRENTLY ON t (a)",
            "CREATE INDEX i ON t (a)",
            "DROP INDEX CONCURRENTLY IF EXISTS i",
            "DROP DATABASE IF EXISTS shop",
            "ALTER TABLE t DETACH PARTITION t_1",
            "CREATE TABLE database (a int)",
            "VACUUM t",
        ] {
            assert!(look_at(sql).is_none(), "{sql}");
        }
    }
}
