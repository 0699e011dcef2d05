//! What a script says of tables that it replaces by hand, in SQL: what `upgrade` counts and names when it runs.

use crate::dialect::sqlite::rebuild;
use crate::dialect::sqlite::steps::{FORGET_ID, GIVE_ID, KEEP_ID};
use crate::sql::write::{quoted, sqlite_literal};

/// Both are there for as long as the step that is written.
const ROWS: &str = "temp.sqlrev_replaced";
const HUNG: &str = "temp.sqlrev_hung";
/// This one until the table that replaces another is compared.
const FILLED: &str = "temp.sqlrev_filled";

/// Indexes and triggers, temporary ones too.
const OBJECTS: &str = "(SELECT type, name, tbl_name, sql FROM sqlite_schema \
                       UNION ALL SELECT type, name, tbl_name, sql FROM sqlite_temp_schema)";

pub(super) fn keep(table: &str, of: &str, counter: bool, referring: &[String], if_exists: bool) -> String {
    // What is asked of it has to compile; DROP TABLE IF EXISTS, which comes next, takes it away again.
    let there = if if_exists {
        let columns = referring.iter().map(|column| quoted(column, '"'));
        let mut columns: Vec<String> = columns.collect();
        if columns.is_empty() {
            columns.push("gone".to_owned());
        }
        format!(
            "CREATE TABLE IF NOT EXISTS main.{} ({});\n",
            quoted(of, '"'),
            columns.join(", ")
        )
    } else {
        String::new()
    };
    let (name, own) = (sqlite_literal(table), sqlite_literal(of));
    let count = format!("(SELECT count(*) FROM main.{})", quoted(of, '"'));
    let counter = if counter {
        format!("({})", rebuild::counter(of))
    } else {
        "NULL".to_owned()
    };
    let filled = if referring.is_empty() {
        String::new()
    } else {
        let counts: Vec<String> = referring
            .iter()
            .map(|column| {
                let (column, literal) = (quoted(column, '"'), sqlite_literal(column));
                format!(
                    "SELECT {name} AS name, {literal} AS referring, count({column}) AS rows FROM main.{}",
                    quoted(of, '"')
                )
            })
            .collect();
        format!(
            "CREATE TABLE IF NOT EXISTS {FILLED} (name TEXT, referring TEXT, rows INTEGER);\n\
             DELETE FROM {FILLED} WHERE name = {name};\n\
             INSERT INTO {FILLED} {};\n",
            counts.join(" UNION ALL ")
        )
    };
    // The author's next statement may ask for the rowid of his own last row.
    format!(
        "{KEEP_ID};\n\
         {there}\
         CREATE TABLE IF NOT EXISTS {ROWS} (name TEXT PRIMARY KEY, rows INTEGER, counter INTEGER);\n\
         INSERT OR REPLACE INTO {ROWS} VALUES ({name}, {count}, {counter});\n\
         CREATE TABLE IF NOT EXISTS {HUNG} (name TEXT, kind TEXT, hung TEXT);\n\
         INSERT INTO {HUNG} SELECT {name}, type, name FROM {OBJECTS} \
         WHERE type IN ('index', 'trigger') AND sql IS NOT NULL AND lower(tbl_name) = {own};\n\
         {filled}\
         {GIVE_ID};\n\
         {FORGET_ID};\n"
    )
}

pub(super) fn say_rows(table: &str, referring: &[String]) -> String {
    let name = sqlite_literal(table);
    let count = format!("(SELECT count(*) FROM main.{})", quoted(table, '"'));
    let mut out = format!(
        "SELECT 'note: `' || name || '` had ' || rows || iif(rows = 1, ' row', ' rows') || ', and the table that replaces it has ' || now \
         FROM (SELECT name, rows, {count} AS now FROM {ROWS} WHERE name = {name}) WHERE rows <> now;\n"
    );
    for column in referring {
        // Where the table has no such column any more, the name is that of the value outside, which is never NULL.
        let (quoted_name, column) = (quoted(column, '"'), sqlite_literal(column));
        let now = format!(
            "(SELECT (SELECT count(*) FROM main.{} WHERE {quoted_name} IS NOT NULL) FROM (SELECT 1 AS {quoted_name}))",
            quoted(table, '"')
        );
        out.push_str(&format!(
            "SELECT 'note: `' || referring || '` of `' || name || '` referred to others in ' || filled || \
             iif(filled = 1, ' row', ' rows') || ', and in the table that replaces it in ' || now \
             FROM (SELECT f.name, f.referring, f.rows AS filled, {now} AS now, r.rows - {count} AS gone \
             FROM {FILLED} f JOIN {ROWS} r ON r.name = f.name \
             WHERE f.name = {name} AND f.referring = {column}) WHERE filled - now > max(gone, 0);\n"
        ));
    }
    if !referring.is_empty() {
        out.push_str(&format!("DELETE FROM {FILLED} WHERE name = {name};\n"));
    }
    out
}

/// Whether there is a table, up to its name.
const THERE: &str = "SELECT 1 FROM main.sqlite_schema t WHERE t.type = 'table' AND lower(t.name)";

pub(super) fn say_lost(counters: bool) -> String {
    let mut out = format!(
        "SELECT 'note: ' || kind || ' `' || hung || '` went with the old `' || name || '`, and is not made anew' \
         FROM {HUNG} h WHERE NOT EXISTS (SELECT 1 FROM {OBJECTS} o WHERE o.type = kind AND o.name = hung COLLATE NOCASE \
         AND (lower(o.tbl_name) = h.name OR NOT EXISTS ({THERE} = h.name)));\n"
    );
    if counters {
        out.push_str(&format!(
            "SELECT 'note: the counter of AUTOINCREMENT of `' || name || '` went back from ' || counter || ' to ' || now \
             FROM (SELECT r.name, r.counter, coalesce((SELECT seq FROM main.sqlite_sequence s \
             WHERE lower(s.name) = r.name), 0) AS now FROM {ROWS} r WHERE EXISTS ({THERE} = r.name)) WHERE counter > now;\n"
        ));
    }
    out.push_str(&format!(
        "DROP TABLE {ROWS};\nDROP TABLE {HUNG};\nDROP TABLE IF EXISTS {FILLED};\n"
    ));
    out
}
