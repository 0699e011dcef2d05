//! How large a table is, what a copy of it needs, and how much work a statement is.

use crate::dialect::{Ask, SizeSql};
use crate::sql::write::{quoted, sqlite_literal};

/// The queries for a table in `main`.
///
/// A copy writes every row once more, and what hangs on the table into pages that the old table left; the journal, or
/// the write-ahead log, holds as much as those pages hold. So the table counts twice and its indexes once, less what is
/// free in the file already. Measured: 388 MB of table with 226 MB of indexes need 614 MB.
pub(super) fn queries(table: &str) -> SizeSql {
    let literal = sqlite_literal(table);
    let pages = format!(
        "(SELECT s.type AS type, d.pgsize AS pgsize FROM main.sqlite_schema AS s JOIN dbstat AS d ON d.name = s.name \
         AND d.aggregate = 1 AND d.schema = 'main' WHERE s.tbl_name = {literal} COLLATE NOCASE AND s.type IN ('table', 'index'))"
    );
    SizeSql {
        rows: format!("SELECT count(*) FROM main.{}", quoted(table, '"')),
        bound: "SELECT 2 * p.page_count * s.page_size FROM pragma_page_count AS p, pragma_page_size AS s".to_owned(),
        bytes: format!(
            "SELECT sum(pgsize), sum(pgsize) + max(0, sum(CASE type WHEN 'table' THEN pgsize ELSE 0 END) - \
             (SELECT f.freelist_count * s.page_size FROM pragma_freelist_count AS f, pragma_page_size AS s)) \
             FROM {pages}"
        ),
    }
}

/// About how many instructions of SQLite's virtual machine the statement takes when every loop of its program turns
/// once for each row (<https://www.sqlite.org/opcode.html>): a copy has one loop, an index two.
pub(super) fn work(statement: &str, rows: u64, ask: &mut dyn Ask) -> Option<u64> {
    let program = ask.query(&format!("EXPLAIN {statement}")).ok()?;
    let number = |row: &[Option<String>], at: usize| row.get(at)?.as_deref()?.parse::<u64>().ok();
    // What the first instruction jumps to are preparations, which end with a jump back.
    let end_of_program = program.first().and_then(|row| number(row, 3))?;
    let bodies = program.iter().filter_map(|row| {
        let opcode = row.get(1)?.as_deref()?;
        let turns = matches!(opcode, "Next" | "Prev" | "SorterNext" | "Goto");
        let (end, start) = (number(row, 0)?, number(row, 3)?);
        (turns && start <= end && end < end_of_program).then(|| end - start + 1)
    });
    let body: u64 = bodies.sum();
    (body > 0).then(|| body.saturating_mul(rows))
}

#[cfg(all(test, feature = "bundled"))]
mod tests {
    use rusqlite::Connection;

    use crate::dialect::sqlite::harness::{Asker, rows};

    #[test]
    fn a_table_is_measured_with_what_hangs_on_it() {
        let db = Connection::open_in_memory().expect("a database");
        db.execute_batch(
            "CREATE TABLE t (a TEXT, b INT); CREATE INDEX ia ON t (a);
             WITH RECURSIVE n(i) AS (SELECT 1 UNION ALL SELECT i + 1 FROM n WHERE i < 1000)
             INSERT INTO t SELECT hex(randomblob(50)), i FROM n;",
        )
        .expect("a table");
        let sql = super::queries("T");
        let first = |sql: &str| -> Vec<u64> {
            let rows = rows(&db, sql).expect("a query");
            rows[0]
                .iter()
                .flatten()
                .map(|value| value.parse().expect("a number"))
                .collect()
        };
        assert_eq!(first(&sql.rows), [1000]);
        let bound = first(&sql.bound)[0];
        let [bytes, disk] = first(&sql.bytes)[..] else {
            panic!("two numbers");
        };
        assert!(
            100_000 < bytes && bytes < disk && disk <= bound,
            "{bytes} {disk} {bound}"
        );
    }

    #[test]
    fn the_work_of_a_statement_is_foreseen() {
        let db = Connection::open_in_memory().expect("a database");
        db.execute_batch("CREATE TABLE t (a, b); CREATE TABLE u (a, b);")
            .expect("tables");
        let mut ask = Asker {
            connection: &db,
            offline: false,
        };
        let copy = super::work("INSERT INTO u SELECT a, b FROM t ORDER BY rowid", 100, &mut ask).expect("a loop");
        let index = super::work("CREATE INDEX i ON t (a)", 100, &mut ask).expect("loops");
        assert!(copy >= 500 && index >= copy, "{copy} {index}");
        assert_eq!(super::work("CREATE TABLE v (a)", 100, &mut ask), None);
    }
}
