//! What a database holds at one moment, to be compared.

use std::collections::BTreeMap;
use std::hash::{DefaultHasher, Hash, Hasher};
use std::path::Path;

use rusqlite::types::ValueRef;
use rusqlite::{Connection, OpenFlags};

/// A table of more rows is kept as a hash.
const MANY: usize = 500;

/// Everything but who did it and when.
#[derive(Debug, Clone, PartialEq, Eq, Default)]
pub(crate) struct Picture {
    /// The revisions in the version table, with how far the unfinished ones came.
    pub applied: Vec<String>,
    /// What the log says was done.
    pub log: Vec<String>,
    /// Every statement of the schema, those of the version table among them.
    pub schema: Vec<String>,
    /// The rows of each table.
    pub rows: BTreeMap<String, Vec<String>>,
}

impl Picture {
    /// Opens the database anew, which is sound, and looks.
    pub(crate) fn of_file(path: &Path) -> Self {
        if !path.exists() {
            return Self::default();
        }
        // For writing: a database that a dead process left is repaired by the next one that opens it.
        let db = Connection::open_with_flags(path, OpenFlags::SQLITE_OPEN_READ_WRITE).expect("it can be opened");
        db.busy_timeout(std::time::Duration::from_secs(20)).expect("a number");
        let sound = column(&db, "PRAGMA integrity_check");
        assert_eq!(sound, ["ok"], "the database is damaged");
        assert_eq!(
            column(&db, "PRAGMA foreign_key_check"),
            [""; 0],
            "rows point at nothing"
        );
        Self::of(&db)
    }

    pub(crate) fn of(db: &Connection) -> Self {
        let schema = column(db, "SELECT sql FROM sqlite_schema WHERE sql IS NOT NULL ORDER BY sql");
        let tables = column(
            db,
            "SELECT name FROM sqlite_schema WHERE type = 'table' AND name NOT IN ('sqlrev_revisions', 'sqlrev_log')",
        );
        let there = !column(db, "SELECT 1 FROM sqlite_schema WHERE name = 'sqlrev_revisions'").is_empty();
        let of_ours = |sql: &str| if there { column(db, sql) } else { Vec::new() };
        Self {
            applied: of_ours("SELECT revision || coalesce(' ' || unfinished, '') FROM sqlrev_revisions ORDER BY 1"),
            log: of_ours("SELECT event || ' ' || revision FROM sqlrev_log WHERE outcome = 'done' ORDER BY id"),
            schema,
            rows: tables.into_iter().map(|name| (name.clone(), rows(db, &name))).collect(),
        }
    }

    /// The same without what depends on the way that led there.
    pub(crate) fn without_log(mut self) -> Self {
        self.log.clear();
        self
    }
}

fn rows(db: &Connection, table: &str) -> Vec<String> {
    let rows = column(db, &format!("SELECT * FROM \"{table}\""));
    if rows.len() <= MANY {
        return rows;
    }
    let mut hasher = DefaultHasher::new();
    rows.hash(&mut hasher);
    vec![format!("{} rows, {:016x}", rows.len(), hasher.finish())]
}

/// The rows of a query, their values joined.
pub(crate) fn column(db: &Connection, sql: &str) -> Vec<String> {
    let mut statement = db.prepare(sql).expect("a query");
    let columns = statement.column_count();
    let rows = statement.query_map([], |row| {
        let values = (0..columns).map(|i| row.get_ref(i).map(shown));
        Ok(values.collect::<rusqlite::Result<Vec<_>>>()?.join("|"))
    });
    rows.expect("it runs").map(|row| row.expect("a row")).collect()
}

fn shown(value: ValueRef<'_>) -> String {
    match value {
        ValueRef::Null => "NULL".to_owned(),
        ValueRef::Integer(number) => number.to_string(),
        ValueRef::Real(number) => format!("{number:?}"),
        ValueRef::Text(text) => format!("{:?}", String::from_utf8_lossy(text))
            .trim_matches('"')
            .to_owned(),
        ValueRef::Blob(bytes) => format!("x'{bytes:02x?}'"),
    }
}
