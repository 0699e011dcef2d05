//! Random pairs of schemas on SQLite.

use std::fmt::Write as _;

use rusqlite::Connection;
use rusqlite::types::Value;

use crate::pair::{self, Column, Game, Pair, Rows};
use crate::place::{Done, Place};
use crate::random::Random;

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

/// Ways to have a key: the first can be referred to, then none, two columns, and these without a rowid.
const KEYS: [&str; 6] = [
    "id INTEGER PRIMARY KEY",
    "id INTEGER PRIMARY KEY AUTOINCREMENT",
    "id INTEGER NOT NULL PRIMARY KEY",
    "id INTEGER",
    "id INTEGER",
    "id INTEGER",
];
const REFERABLE: usize = 3;
const WITHOUT_ROWID: usize = 5;

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
        key: random.below(KEYS.len()),
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
        let mut parts = vec![KEYS[self.key].to_owned()];
        for column in &self.columns {
            parts.push(
                format!("{} {} {}", column.name, column.data_type, column.clauses.join(" "))
                    .trim()
                    .to_owned(),
            );
        }
        parts.extend(self.constraints.iter().cloned());
        let mut options = Vec::from_iter(self.strict.then_some("STRICT"));
        if self.key > REFERABLE
            && let Some(first) = self.columns.first()
        {
            // Its columns may be NULL where the table has rowids and is not STRICT.
            parts.push(format!("PRIMARY KEY (id, {})", first.name));
            options.extend((self.key == WITHOUT_ROWID).then_some("WITHOUT ROWID"));
        }
        let (parts, options) = (parts.join(",\n  "), options.join(", "));
        let mut out = format!("CREATE TABLE {} (\n  {parts}\n) {options};\n", self.name);
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
    let altered = |random: &mut Random, there: &Table| {
        let mut made = there.clone();
        pair::change_columns(random, &mut made.columns, |random, name| column(random, name, names));
        if random.chance(10) {
            made.strict = !made.strict;
        }
        if random.chance(10) {
            // What refers to a table without naming columns means its key, which stays what it can be referred to by.
            let (from, count) = if made.key < REFERABLE {
                (0, REFERABLE)
            } else {
                (REFERABLE, KEYS.len() - REFERABLE)
            };
            made.key = from + random.below(count);
        }
        extras(random, &mut made);
        made
    };
    let new = |random: &mut Random, name: &str| table(random, name, names);
    sound(pair::changed(random, names, tables, |table| &table.name, new, altered))
}

/// Without foreign keys to tables that are not there, or have no key of one column.
fn sound(mut tables: Vec<Table>) -> Vec<Table> {
    let parents = tables.iter().filter(|table| table.key < REFERABLE);
    let names: Vec<String> = parents.map(|table| table.name.clone()).collect();
    pair::keep_references(tables.iter_mut().flat_map(|table| &mut table.columns), &names);
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
        let orphans: Vec<(String, Option<i64>)> = statement
            .query_map([], |row| Ok((row.get(0)?, row.get(1)?)))
            .expect("rows")
            .map(|row| row.expect("a row"))
            .collect();
        if orphans.is_empty() {
            break;
        }
        for (table, rowid) in orphans {
            let which = rowid.map_or_else(String::new, |rowid| format!(" WHERE rowid = {rowid}"));
            db.execute(&format!("DELETE FROM {table}{which}"), []).expect("it goes");
        }
    }
}

/// The rows of the columns that both have with the same type.
fn rows(place: &Place, before: &[Table], after: &[Table]) -> Rows<Vec<Value>> {
    let db = Connection::open(place.database()).expect("the database");
    let mut out = Rows::new();
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

/// Two schemas in files.
struct InFile {
    before: Vec<Table>,
    after: Vec<Table>,
}

impl Pair for InFile {
    type Row = Vec<Value>;

    fn texts(&self) -> [String; 2] {
        [text(&self.before), text(&self.after)]
    }

    fn fill(&self, place: &Place, random: &mut Random) {
        let db = Connection::open(place.database()).expect("the database");
        fill(&db, &self.before, random);
    }

    fn rows(&self, place: &Place) -> Rows<Vec<Value>> {
        rows(place, &self.before, &self.after)
    }

    fn is_refused(&self, done: &Done) -> bool {
        ["sqlrev::batch::", "constraint failed"]
            .iter()
            .any(|words| done.stderr.contains(words))
    }
}

fn game(seed: u64, random: &mut Random) -> Game<InFile> {
    let names = ["t0", "t1", "t2"].map(str::to_owned);
    let before = schema(random, &names);
    let after = changed(random, &before, &names);
    let pair = InFile { before, after };
    Game {
        seed,
        place: Place::new(),
        pair,
    }
}

#[test]
fn generated_revisions_lead_there_and_back_1() {
    pair::seeds(0, 20, game);
}

#[test]
fn generated_revisions_lead_there_and_back_2() {
    pair::seeds(20, 20, game);
}
