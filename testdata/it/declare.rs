//! Random pairs of schemas: the generated revision leads from one to the other and back, a second one finds nothing,
//! and rows stay in columns that did not change.

use std::collections::BTreeMap;
use std::fmt::Write as _;

use rusqlite::Connection;
use rusqlite::types::Value;

use crate::place::{Done, Place};
use crate::random::Random;

#[derive(Clone)]
struct Column {
    name: String,
    data_type: &'static str,
    clauses: Vec<String>,
}

#[derive(Clone)]
struct Table {
    name: String,
    key: usize,
    columns: Vec<Column>,
    constraints: Vec<String>,
    strict: bool,
    indexes: Vec<String>,
    others: Vec<String>,
}

const TYPES: [&str; 4] = ["INTEGER", "TEXT", "REAL", "BLOB"];

fn column(random: &mut Random, name: &str, tables: &[String]) -> Column {
    let data_type = random.pick(&TYPES);
    let mut clauses = Vec::new();
    let value = match data_type {
        "INTEGER" => "7",
        "REAL" => "1.5",
        "TEXT" => "'it''s'",
        _ => "x'00ff'",
    };
    if random.chance(40) {
        clauses.push(format!(
            "DEFAULT {}",
            if random.chance(30) {
                format!("({value})")
            } else {
                value.to_owned()
            }
        ));
        if random.chance(60) {
            clauses.push("NOT NULL".to_owned());
        }
    }
    if data_type == "TEXT" && random.chance(25) {
        clauses.push("COLLATE NOCASE".to_owned());
    }
    if random.chance(15) {
        clauses.push(format!("CHECK ({name} IS NULL OR length({name}) < 99)"));
    }
    if random.chance(15) {
        clauses.push("UNIQUE".to_owned());
    }
    if data_type == "INTEGER" && random.chance(35) {
        let action = random.pick(&[
            "",
            " ON DELETE CASCADE",
            " ON DELETE SET NULL ON UPDATE CASCADE",
            " DEFERRABLE INITIALLY DEFERRED",
        ]);
        clauses.push(format!("REFERENCES {}{action}", tables[random.below(tables.len())]));
    }
    Column {
        name: name.to_owned(),
        data_type,
        clauses,
    }
}

fn table(random: &mut Random, name: &str, tables: &[String]) -> Table {
    let mut made = Table {
        name: name.to_owned(),
        key: random.below(3),
        columns: Vec::new(),
        constraints: Vec::new(),
        strict: random.chance(20),
        indexes: Vec::new(),
        others: Vec::new(),
    };
    for name in ["a", "b", "c", "\"d e\"", "f"] {
        if random.chance(70) {
            made.columns.push(column(random, name, tables));
        }
    }
    extras(random, &mut made);
    made
}

/// What stands on the columns that there are.
fn extras(random: &mut Random, table: &mut Table) {
    table.constraints.clear();
    table.indexes.clear();
    table.others.clear();
    let names: Vec<String> = table.columns.iter().map(|column| column.name.clone()).collect();
    let own = &table.name;
    if names.len() > 1 {
        let (one, other) = (&names[0], &names[1]);
        if random.chance(25) {
            table
                .constraints
                .push(format!("CONSTRAINT both CHECK ({one} IS NOT NULL OR {other} IS NULL)"));
        }
        if random.chance(25) {
            table.constraints.push(format!("UNIQUE ({other}, {one})"));
        }
        if random.chance(40) {
            let unique = if random.chance(30) { "UNIQUE " } else { "" };
            let partial = if random.chance(30) {
                format!(" WHERE {other} > 3")
            } else {
                String::new()
            };
            table.indexes.push(format!(
                "CREATE {unique}INDEX {own}_i ON {own} ({one} DESC, {other}){partial}"
            ));
        }
        if random.chance(20) {
            table
                .indexes
                .push(format!("CREATE INDEX {own}_e ON {own} (length({other}))"));
        }
    }
    if let Some(name) = names.first() {
        if random.chance(40) {
            table
                .others
                .push(format!("CREATE VIEW {own}_v AS SELECT id, {name} AS x FROM {own}"));
            if random.chance(50) {
                table
                    .others
                    .push(format!("CREATE VIEW {own}_w (y) AS SELECT x FROM {own}_v"));
            }
        }
        if random.chance(30) {
            table.others.push(format!(
                "CREATE TRIGGER {own}_t AFTER UPDATE OF {name} ON {own} BEGIN UPDATE {own} SET {name} = NULL WHERE id = -1; END"
            ));
        }
    }
}

impl Table {
    fn sql(&self) -> String {
        let key = [
            "id INTEGER PRIMARY KEY",
            "id INTEGER PRIMARY KEY AUTOINCREMENT",
            "id INTEGER NOT NULL PRIMARY KEY",
        ][self.key];
        let mut parts = vec![key.to_owned()];
        for column in &self.columns {
            parts.push(
                format!("{} {} {}", column.name, column.data_type, column.clauses.join(" "))
                    .trim()
                    .to_owned(),
            );
        }
        parts.extend(self.constraints.iter().cloned());
        let strict = if self.strict { " STRICT" } else { "" };
        let mut out = format!("CREATE TABLE {} (\n  {}\n){strict};\n", self.name, parts.join(",\n  "));
        for more in self.indexes.iter().chain(&self.others) {
            let _ = writeln!(out, "{more};");
        }
        out
    }
}

fn schema(random: &mut Random, names: &[String]) -> Vec<Table> {
    let mut tables = Vec::new();
    for name in names {
        if random.chance(75) {
            tables.push(table(random, name, names));
        }
    }
    sound(tables)
}

/// Another schema that has much in common with this one.
fn changed(random: &mut Random, tables: &[Table], names: &[String]) -> Vec<Table> {
    let mut out = Vec::new();
    for name in names {
        match tables.iter().find(|table| table.name == *name) {
            Some(_) if random.chance(10) => {}
            None if random.chance(40) => {}
            Some(there) => {
                let mut made = there.clone();
                for at in 0..made.columns.len() {
                    if random.chance(25) {
                        let name = made.columns[at].name.clone();
                        made.columns[at] = column(random, &name, names);
                    }
                }
                if !made.columns.is_empty() && random.chance(20) {
                    let at = random.below(made.columns.len());
                    made.columns.remove(at);
                }
                if random.chance(30) {
                    made.columns.push(column(random, "g", names));
                }
                if random.chance(10) {
                    made.strict = !made.strict;
                }
                if random.chance(10) {
                    made.key = random.below(3);
                }
                extras(random, &mut made);
                out.push(made);
            }
            None => out.push(table(random, name, names)),
        }
    }
    sound(out)
}

/// Without foreign keys to tables that are not there.
fn sound(mut tables: Vec<Table>) -> Vec<Table> {
    let names: Vec<String> = tables.iter().map(|table| table.name.clone()).collect();
    for column in tables.iter_mut().flat_map(|table| &mut table.columns) {
        let there = |clause: &String| {
            let parent = clause
                .strip_prefix("REFERENCES ")
                .and_then(|rest| rest.split(' ').next());
            parent.is_none_or(|parent| names.iter().any(|name| name == parent))
        };
        column.clauses.retain(there);
    }
    tables
}

fn text(tables: &[Table]) -> String {
    let mut out: String = tables.iter().map(Table::sql).collect();
    if out.is_empty() {
        out.push_str("-- nothing\n");
    }
    out
}

fn fill(db: &Connection, tables: &[Table], random: &mut Random) {
    db.execute_batch("PRAGMA foreign_keys = OFF").expect("it is off");
    for table in tables {
        for id in 1..4 {
            let values: Vec<String> = table
                .columns
                .iter()
                .map(|column| match column.data_type {
                    _ if random.chance(15) && !column.clauses.iter().any(|clause| clause == "NOT NULL") => {
                        "NULL".to_owned()
                    }
                    "INTEGER" => id.to_string(),
                    "REAL" => format!("{id}.5"),
                    "TEXT" => format!("'t{id}'"),
                    _ => format!("x'0{id}'"),
                })
                .collect();
            let values: String = values.iter().map(|value| format!(", {value}")).collect();
            // A row that the constraints refuse is left out.
            let _ = db.execute_batch(&format!("INSERT INTO {} VALUES ({id}{values})", table.name));
        }
    }
    // No orphans: they would be there before.
    for _ in 0..20 {
        let mut statement = db.prepare("PRAGMA foreign_key_check").expect("a query");
        let orphans: Vec<(String, i64)> = statement
            .query_map([], |row| Ok((row.get(0)?, row.get(1)?)))
            .expect("rows")
            .map(|row| row.expect("a row"))
            .collect();
        if orphans.is_empty() {
            break;
        }
        for (table, rowid) in orphans {
            db.execute(&format!("DELETE FROM {table} WHERE rowid = ?1"), [rowid])
                .expect("it goes");
        }
    }
}

/// The rows of the columns that both have with the same type.
fn rows(place: &Place, before: &[Table], after: &[Table]) -> BTreeMap<String, Vec<Vec<Value>>> {
    let db = Connection::open(place.database()).expect("the database");
    let mut out = BTreeMap::new();
    for table in before {
        let Some(other) = after.iter().find(|other| other.name == table.name) else {
            continue;
        };
        let same = |column: &&Column| {
            other
                .columns
                .iter()
                .any(|there| there.name == column.name && there.data_type == column.data_type)
        };
        let mut columns = vec!["id".to_owned()];
        columns.extend(table.columns.iter().filter(same).map(|column| column.name.clone()));
        let list = columns.join(", ");
        let mut statement = db
            .prepare(&format!("SELECT {list} FROM {} ORDER BY id", table.name))
            .expect("it is there");
        let count = columns.len();
        let read = |row: &rusqlite::Row<'_>| (0..count).map(|at| row.get(at)).collect();
        let found = statement
            .query_map([], read)
            .expect("rows")
            .map(|row| row.expect("a row"))
            .collect();
        out.insert(table.name.clone(), found);
    }
    out
}

fn is_empty(done: &Done) -> bool {
    done.stdout.trim().is_empty()
}

/// Data that the new schema refuses; everything is as it was then.
fn refused(done: &Done) -> bool {
    let told = ["sqlrev::batch::", "constraint failed"]
        .iter()
        .any(|words| done.stderr.contains(words));
    done.status == Some(1) && told
}

/// A project between two schemas.
struct Game {
    seed: u64,
    place: Place,
    before: Vec<Table>,
    after: Vec<Table>,
}

impl Game {
    fn wrong(&self, what: &str, done: &Done) -> String {
        let folders = std::fs::read_dir(self.place.path("migrations"))
            .into_iter()
            .flatten()
            .flatten();
        let script: String = folders
            .filter(|entry| entry.file_name().to_string_lossy().contains("two0"))
            .map(|entry| {
                let read = |name: &str| std::fs::read_to_string(entry.path().join(name)).unwrap_or_default();
                format!("{}\n--- down ---\n{}", read("upgrade.sql"), read("downgrade.sql"))
            })
            .collect();
        let (stdout, stderr) = (&done.stdout, &done.stderr);
        let (from, to) = (text(&self.before), text(&self.after));
        let seed = self.seed;
        format!("seed {seed}: {what}\n{stdout}\n{stderr}\n--- from ---\n{from}\n--- to ---\n{to}\n--- by ---\n{script}")
    }

    fn must(&self, args: &[&str]) -> Result<Done, String> {
        let done = self.place.run(args);
        if done.status == Some(0) {
            Ok(done)
        } else {
            Err(self.wrong(&format!("{args:?}"), &done))
        }
    }

    fn rows(&self) -> BTreeMap<String, Vec<Vec<Value>>> {
        rows(&self.place, &self.before, &self.after)
    }

    /// A step on the way, which the data may be in the way of; whether it was made.
    fn step(&self, args: &[&str], kept: &BTreeMap<String, Vec<Vec<Value>>>) -> Result<bool, String> {
        let done = self.place.run(args);
        if refused(&done) {
            return Ok(false);
        }
        if done.status != Some(0) {
            return Err(self.wrong(&format!("{args:?}"), &done));
        }
        if self.rows() != *kept {
            return Err(self.wrong("rows are lost", &done));
        }
        Ok(true)
    }

    fn play(&self, random: &mut Random) -> Result<(), String> {
        let Self {
            place, before, after, ..
        } = self;
        place.write("schema.sql", text(before));
        self.must(&["revision", "-m", "one", "--autogenerate", "--rev-id", "one0"])?;
        self.must(&["upgrade"])?;
        fill(
            &Connection::open(place.database()).expect("the database"),
            before,
            random,
        );
        place.write("schema.sql", text(after));
        let made = self.must(&["revision", "-m", "two", "--autogenerate", "--rev-id", "two0"])?;
        if is_empty(&made) {
            return Ok(());
        }
        let again = self.must(&["revision", "-m", "three", "--autogenerate"])?;
        if !is_empty(&again) {
            return Err(self.wrong("a second one finds something", &again));
        }
        let kept = self.rows();
        if !self.step(&["upgrade"], &kept)? {
            return Ok(());
        }
        self.must(&["check"])?;
        let (down, back) = if before.is_empty() {
            ("base", "empty")
        } else {
            ("one0", "one0")
        };
        if !self.step(&["downgrade", down], &kept)? {
            return Ok(());
        }
        let back = self.must(&["diff", "database", back])?;
        if !is_empty(&back) {
            return Err(self.wrong("the downgrade leads elsewhere", &back));
        }
        Ok(())
    }
}

fn play(seed: u64) -> Result<(), String> {
    let mut random = Random(seed);
    let names = ["t0", "t1", "t2"].map(str::to_owned);
    let before = schema(&mut random, &names);
    let after = changed(&mut random, &before, &names);
    let game = Game {
        seed,
        place: Place::new(),
        before,
        after,
    };
    game.play(&mut random)
}

fn seeds(from: u64, count: u64) {
    let number = |name: &str| std::env::var(name).ok().and_then(|value| value.parse::<u64>().ok());
    let (from, count) = match number("SQLREV_SEEDS") {
        Some(count) => (number("SQLREV_FIRST_SEED").unwrap_or(0), count),
        None => (from, count),
    };
    let failures: Vec<String> = (from..from + count).filter_map(|seed| play(seed).err()).collect();
    assert!(
        failures.is_empty(),
        "{} of {count} fail\n{}",
        failures.len(),
        failures[..failures.len().min(4)].join("\n=====\n")
    );
}

#[test]
fn generated_revisions_lead_there_and_back_1() {
    seeds(0, 20);
}

#[test]
fn generated_revisions_lead_there_and_back_2() {
    seeds(20, 20);
}
