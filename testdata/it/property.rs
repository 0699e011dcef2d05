//! Random histories: an upgrade, its offline script and one big transaction lead to the same database, and the way back
//! leads to an empty one.

use std::fs::File;
use std::process::Command;

use proptest::prelude::*;
use rusqlite::Connection;

use crate::picture::Picture;
use crate::place::{Done, Place, finished};
use crate::random::Random;

/// A column that a revision added; each is altered by one other revision at most, so that branches do not quarrel.
#[derive(Clone)]
struct Column {
    table: usize,
    by: usize,
    references: bool,
    taken: bool,
}

#[derive(Default)]
struct Model {
    /// For each revision, itself and its ancestors.
    ancestors: Vec<Vec<usize>>,
    heads: Vec<usize>,
    tables: Vec<usize>,
    columns: Vec<Column>,
}

impl Model {
    fn parents(&mut self, random: &mut Random, i: usize) -> Vec<usize> {
        let parents = match random.below(10) {
            _ if i == 0 => Vec::new(),
            0 => vec![random.below(i)],
            1 | 2 => self.heads.clone(),
            _ => self.heads.iter().copied().take(1).collect(),
        };
        self.heads.retain(|head| !parents.contains(head));
        self.heads.push(i);
        let mut ancestors = vec![i];
        for parent in &parents {
            ancestors.extend(&self.ancestors[*parent]);
        }
        ancestors.sort_unstable();
        ancestors.dedup();
        self.ancestors.push(ancestors);
        parents
    }

    fn table(&self, random: &mut Random, i: usize) -> Option<usize> {
        let seen = |table: &&usize| self.ancestors[i].contains(table) && **table != i;
        let tables: Vec<usize> = self.tables.iter().filter(seen).copied().collect();
        random.one(&tables).copied()
    }

    fn column(&mut self, random: &mut Random, i: usize) -> Option<Column> {
        let free = |at: &usize| {
            let column = &self.columns[*at];
            !column.taken && column.by != i && self.ancestors[i].contains(&column.by)
        };
        let free: Vec<usize> = (0..self.columns.len()).filter(free).collect();
        let at = *random.one(&free)?;
        self.columns[at].taken = true;
        Some(self.columns[at].clone())
    }

    /// A statement and what undoes it.
    fn operation(&mut self, random: &mut Random, i: usize, k: usize) -> Option<(String, String)> {
        let kind = random.below(9);
        if (3..=6).contains(&kind) {
            return Some(of_column(kind, &format!("{i}_{k}"), &self.column(random, i)?));
        }
        let table = self.table(random, i)?;
        Some(match kind {
            0 | 1 if k == 0 => {
                self.columns.push(Column {
                    table,
                    by: i,
                    references: kind == 1,
                    taken: false,
                });
                let more = if kind == 1 {
                    format!("REFERENCES t{table} (id)")
                } else {
                    format!("DEFAULT {i}")
                };
                (
                    format!("ALTER TABLE t{table} ADD COLUMN c{i} INTEGER {more};"),
                    format!("ALTER TABLE t{table} DROP COLUMN c{i};"),
                )
            }
            2 => (
                format!("CREATE INDEX i{i}_{k} ON t{table} (v DESC, n) WHERE n > {i};"),
                format!("DROP INDEX i{i}_{k};"),
            ),
            7 => (
                format!("UPDATE t{table} SET v = v || '{k}';"),
                format!("UPDATE t{table} SET v = substr(v, 1, length(v) - 1);"),
            ),
            _ => {
                let id = 10_000 * (i + 1) + 100 * k;
                (
                    format!("INSERT INTO t{table} (id, v) VALUES ({id}, 'it''s {i}'), ({id} + 1, NULL);"),
                    format!("DELETE FROM t{table} WHERE id BETWEEN {id} AND {id} + 1;"),
                )
            }
        })
    }
}

fn of_column(kind: usize, name: &str, column: &Column) -> (String, String) {
    let (by, alter) = (column.by, format!("ALTER TABLE t{}", column.table));
    match kind {
        3 => (
            format!("{alter} ALTER COLUMN c{by} TYPE text USING 'n' || c{by};"),
            format!("{alter} ALTER COLUMN c{by} TYPE INTEGER USING CAST(substr(c{by}, 2) AS INTEGER);"),
        ),
        4 => (
            format!("{alter} ADD CONSTRAINT k{name} CHECK (c{by} IS NULL OR c{by} < 1000);"),
            format!("{alter} DROP CONSTRAINT k{name};"),
        ),
        5 => (
            format!("{alter} ADD CONSTRAINT u{name} UNIQUE (id, c{by});"),
            format!("{alter} DROP CONSTRAINT u{name};"),
        ),
        _ => (
            format!("{alter} ALTER COLUMN c{by} SET DEFAULT 2;"),
            if column.references {
                format!("{alter} ALTER COLUMN c{by} DROP DEFAULT;")
            } else {
                format!("{alter} ALTER COLUMN c{by} SET DEFAULT {by};")
            },
        ),
    }
}

fn write(place: &Place, random: &mut Random) {
    let mut model = Model::default();
    for i in 0..3 + random.below(9) {
        let parents: Vec<String> = model
            .parents(random, i)
            .iter()
            .map(|parent| format!("rev{parent:02}"))
            .collect();
        let (mut up, mut down) = (String::new(), String::new());
        for k in 0..=random.below(3) {
            let (does, undoes) = model.operation(random, i, k).unwrap_or_default();
            up = format!("{up}{does}\n");
            down = format!("{undoes}\n{down}");
        }
        if i == 0 || random.below(4) == 0 {
            model.tables.push(i);
            up += &format!(
                "CREATE TABLE t{i} (id INTEGER PRIMARY KEY, v TEXT, n INT DEFAULT {i}); -- of {i}\n\
                 INSERT INTO t{i} (id, v) VALUES (1, 'one'), (2, 'two; and more');"
            );
            down = format!("DROP TABLE t{i};\n{down}");
        }
        let parents: Vec<&str> = parents.iter().map(String::as_str).collect();
        place.revision(&format!("rev{i:02}"), &parents, &[], &up, &format!("-- down\n{down}"));
    }
}

/// A database that may hold something already.
fn begin(place: &Place, name: &str, existing: bool) {
    if existing {
        let db = Connection::open(place.path(name)).expect("a database");
        db.execute_batch("CREATE TABLE old (a); INSERT INTO old VALUES (1)")
            .expect("a table");
    }
}

fn script(place: &Place, database: &str) -> Option<Done> {
    let script = place.run(&["upgrade", "base:heads", "--sql"]);
    if script.stderr.contains("error[sqlrev::batch::mixed_offline]") {
        return None;
    }
    assert_eq!(script.status, Some(0), "{script:?}");
    place.write("upgrade.sql", &script.stdout);
    let mut command = Command::new("sqlite3");
    command.args(["-bail", database]).current_dir(place.folder());
    command.stdin(File::open(place.path("upgrade.sql")).expect("a script"));
    Some(finished(command))
}

fn check(seed: u64) {
    let mut random = Random(seed);
    let place = Place::new();
    write(&place, &mut random);
    let existing = random.below(2) == 0;
    for name in ["app.db", "single.db", "script.db", "empty.db"] {
        begin(&place, name, existing);
    }
    place.must(&["upgrade"]);
    let online = Picture::of_file(&place.database());
    place.must(&["upgrade", "--single-transaction", "--url", "sqlite:single.db"]);
    assert_eq!(Picture::of_file(&place.path("single.db")), online);
    if let Some(done) = script(&place, "script.db") {
        assert_eq!(done.status, Some(0), "{done:?}");
        assert_eq!(Picture::of_file(&place.path("script.db")), online);
    }
    place.must(&["downgrade", "base"]);
    place.must(&["ensure-version", "--url", "sqlite:empty.db"]);
    let empty = Picture::of_file(&place.path("empty.db"));
    assert_eq!(Picture::of_file(&place.database()).without_log(), empty);
    place.must(&["upgrade"]);
    assert_eq!(Picture::of_file(&place.database()).without_log(), online.without_log());
}

proptest! {
    #![proptest_config(ProptestConfig { cases: if std::env::var_os("SQLREV_SLOW").is_some() { 1000 } else { 60 }, failure_persistence: None, ..ProptestConfig::default() })]

    #[test]
    fn every_way_leads_to_the_same_database(seed: u64) {
        check(seed);
    }
}
