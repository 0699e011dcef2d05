//! Statements that stand outside of transactions and that the server may bring to their end after its client is gone: how to
//! see whether one has run, and when it certainly has not.

use crate::dialect::Look;
use crate::dialect::postgres::words::Words;

/// None for statements that may be run again in any case, and for those that roll back with their session.
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
    if words.is(0, "ALTER") {
        return detached(&words);
    }
    let makes = words.is(0, "CREATE");
    if !makes && !words.is(0, "DROP") {
        return None;
    }
    index(&words, makes).or_else(|| of_server(&words, makes))
}

/// `CREATE [UNIQUE] INDEX CONCURRENTLY name ON [ONLY] table`, `DROP INDEX CONCURRENTLY name`. One that stopped leaves an
/// invalid index, or none.
fn index(words: &Words<'_>, makes: bool) -> Option<Look> {
    let at = 1 + usize::from(words.is(1, "UNIQUE"));
    if !words.is(at, "INDEX") || !words.is(at + 1, "CONCURRENTLY") || words.is(at + 2, "IF") {
        return None;
    }
    let name = at + 2;
    let look = |sql, not_run: Option<String>| Look {
        sql,
        not_run: not_run.filter(|_| words.are_plain()),
        again: true,
    };
    if !makes {
        let found = words.relation(name);
        // Without its schema the name may find another index once this one is gone.
        if words.has_schema(name) {
            let not_run = format!("SELECT {found} IS NOT NULL");
            return Some(look(format!("SELECT {found} -- NULL where it has"), Some(not_run)));
        }
        let sql = format!(
            "SELECT schemaname, tablename FROM pg_catalog.pg_indexes WHERE indexname = {} -- not the one that is meant, \
             where it has",
            words.name(name)
        );
        return Some(look(sql, None));
    }
    if words.is(name, "ON") {
        let sql = "see what indexes its table has, and which of them are invalid".to_owned();
        return Some(look(sql, None));
    }
    let table = name + 2 + usize::from(words.is(name + 2, "ONLY"));
    let (relation, name) = (words.relation(table), words.name(name));
    let is_it = format!(
        "SELECT 1 FROM pg_catalog.pg_index i JOIN pg_catalog.pg_class c ON c.oid = i.indexrelid \
         WHERE i.indrelid = {relation} AND c.relname = {name} AND i.indisvalid"
    );
    // Where several schemas are looked through, the table may be another one by now.
    let one_schema = if words.has_schema(table) {
        ""
    } else {
        " AND pg_catalog.cardinality(pg_catalog.current_schemas(false)) = 1"
    };
    let not_run = format!("SELECT {relation} IS NOT NULL AND NOT EXISTS ({is_it}){one_schema}");
    let sql = format!(
        "SELECT indexdef FROM pg_catalog.pg_indexes WHERE indexname = {name} -- as the statement has it, and not INVALID"
    );
    Some(look(sql, Some(not_run)))
}

/// `CREATE|DROP DATABASE|TABLESPACE|SUBSCRIPTION name`.
fn of_server(words: &Words<'_>, makes: bool) -> Option<Look> {
    let (catalog, column, here) = match () {
        () if words.is(1, "DATABASE") => ("pg_database", "datname", ""),
        () if words.is(1, "TABLESPACE") => ("pg_tablespace", "spcname", ""),
        () if words.is(1, "SUBSCRIPTION") => (
            "pg_subscription",
            "subname",
            " AND subdbid = (SELECT oid FROM pg_catalog.pg_database WHERE datname = current_database())",
        ),
        () => return None,
    };
    if words.is(2, "IF") {
        return None;
    }
    let name = words.name(2);
    let has = if makes { "a row" } else { "no row" };
    Some(Look {
        sql: format!("SELECT 1 FROM pg_catalog.{catalog} WHERE {column} = {name}{here} -- {has} where it has"),
        not_run: None,
        again: false,
    })
}

/// `ALTER TABLE [ONLY] table DETACH PARTITION name CONCURRENTLY`. One that stopped may have left the partition pending, in
/// none of the table's answers.
fn detached(words: &Words<'_>) -> Option<Look> {
    if !words.is(1, "TABLE") || !words.have("CONCURRENTLY") {
        return None;
    }
    let partition = words.find("PARTITION").filter(|at| words.is(at - 1, "DETACH"))? + 1;
    Some(Look {
        sql: format!(
            "SELECT inhdetachpending FROM pg_catalog.pg_inherits WHERE inhrelid = {} -- no row where it has; f where it \
             has not; where t, end it with ALTER TABLE ... DETACH PARTITION ... FINALIZE, and then it has",
            words.relation(partition)
        ),
        not_run: None,
        again: false,
    })
}

#[cfg(test)]
mod tests {
    use super::look_at;

    #[test]
    fn what_certainly_has_not_run() {
        for (sql, parts) in [
            (
                "create unique index concurrently By_Name on only shop.\"Items\" (a)",
                &["to_regclass('shop.\"Items\"')", "c.relname = 'by_name'", "i.indisvalid"][..],
            ),
            ("CREATE INDEX CONCURRENTLY i ON t (a)", &["current_schemas(false)"]),
            ("DROP INDEX CONCURRENTLY shop.i", &["to_regclass('shop.i') IS NOT NULL"]),
        ] {
            let query = look_at(sql)
                .and_then(|look| look.not_run)
                .unwrap_or_else(|| panic!("{sql}"));
            for part in parts {
                assert!(query.contains(part), "{sql}: {query}");
            }
        }
        // Somebody has to look.
        for sql in [
            "CREATE INDEX CONCURRENTLY ON t (a)",
            "CREATE INDEX CONCURRENTLY U&\"i\" ON t (a)",
            "DROP INDEX CONCURRENTLY i",
            "DROP INDEX CONCURRENTLY U&\"s\".i",
            "CREATE DATABASE shop",
            "DROP SUBSCRIPTION shop",
            "ALTER TABLE t DETACH PARTITION t_1 CONCURRENTLY",
        ] {
            let look = look_at(sql).unwrap_or_else(|| panic!("{sql}"));
            assert_eq!(look.not_run, None, "{sql}");
        }
        for sql in [
            "CREATE INDEX CONCURRENTLY IF NOT EXISTS i ON t (a)",
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
