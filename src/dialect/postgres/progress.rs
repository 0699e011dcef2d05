//! How far a long statement has come, as the server tells other sessions.

use crate::dialect::Followed;
use crate::sql::split;
use crate::sql::token;

/// What to ask while a statement runs; none for those of which the server tells nothing.
pub(super) fn of(statement: &str) -> Option<Followed> {
    // Scripts of millions of statements come by here.
    if !statement
        .as_bytes()
        .first()
        .is_some_and(|first| b"aAcCrRvV".contains(first))
    {
        return None;
    }
    let words = token::keywords(statement, &split::POSTGRESQL, 3);
    let words: Vec<&str> = words.iter().map(String::as_str).collect();
    let (what, query) = match words.as_slice() {
        ["CREATE", "INDEX", ..] | ["CREATE", "UNIQUE", "INDEX", ..] => ("CREATE INDEX", INDEX),
        ["REINDEX", ..] => ("REINDEX", INDEX),
        ["VACUUM", ..] => ("VACUUM", VACUUM),
        ["CLUSTER", ..] => ("CLUSTER", VACUUM),
        ["ANALYZE" | "ANALYSE", ..] => ("ANALYZE", VACUUM),
        _ => return None,
    };
    Some(Followed { what, query })
}

/// In each phase another thing is counted.
const INDEX: &str = "SELECT phase, \
     CASE WHEN phase LIKE 'waiting%' THEN lockers_done WHEN blocks_total > 0 THEN blocks_done ELSE tuples_done END, \
     CASE WHEN phase LIKE 'waiting%' THEN lockers_total WHEN blocks_total > 0 THEN blocks_total ELSE tuples_total END \
     FROM pg_catalog.pg_stat_progress_create_index WHERE pid = {process}";

/// VACUUM FULL is a CLUSTER, and either may ANALYZE at its end.
const VACUUM: &str = "SELECT phase, \
     CASE phase WHEN 'vacuuming heap' THEN heap_blks_vacuumed ELSE heap_blks_scanned END, heap_blks_total \
     FROM pg_catalog.pg_stat_progress_vacuum WHERE pid = {process} \
     UNION ALL SELECT phase, heap_blks_scanned, heap_blks_total \
     FROM pg_catalog.pg_stat_progress_cluster WHERE pid = {process} \
     UNION ALL SELECT phase, sample_blks_scanned, sample_blks_total \
     FROM pg_catalog.pg_stat_progress_analyze WHERE pid = {process}";

#[cfg(test)]
mod tests {
    use super::of;

    #[test]
    fn statements_that_are_followed() {
        for (sql, what) in [
            ("create unique index concurrently i on t (a)", "CREATE INDEX"),
            ("CREATE INDEX ON t (a)", "CREATE INDEX"),
            ("REINDEX TABLE t", "REINDEX"),
            ("VACUUM (FULL) t", "VACUUM"),
            ("ANALYZE", "ANALYZE"),
            ("CLUSTER t", "CLUSTER"),
        ] {
            assert_eq!(of(sql).map(|followed| followed.what), Some(what), "{sql}");
        }
        for sql in ["CREATE TABLE index (a int)", "ALTER TABLE t ADD a int", "COMMIT"] {
            assert!(of(sql).is_none(), "{sql}");
        }
    }
}
