//! Random pairs of schemas on PostgreSQL.

use std::fmt::Write as _;

use crate::pair::{self, Column, Game, Pair, Rows};
use crate::place::{Done, Place};
use crate::postgres::place_on;
use crate::random::Random;
use crate::server::Database;

#[derive(Clone)]
struct Table {
    name: String,
    key: usize,
    columns: Vec<Column>,
    constraints: Vec<String>,
    options: &'static str,
    /// Indexes, views, triggers, policies and comments.
    others: Vec<String>,
}

#[derive(Clone)]
struct Schema {
    /// The values of an enum.
    values: Vec<&'static str>,
    check: usize,
    body: usize,
    tables: Vec<Table>,
}

const TYPES: [&str; 8] = [
    "integer",
    "bigint",
    "text",
    "varchar(20)",
    "numeric(8,2)",
    "date",
    "mood",
    "small",
];

fn column(random: &mut Random, name: &str, tables: &[String]) -> Column {
    let data_type = random.pick(&TYPES);
    let mut clauses = Vec::new();
    let value = match data_type {
        "text" | "varchar(20)" => "'it''s'",
        "date" => "'2020-02-02'",
        "mood" => "'ok'",
        _ => "7",
    };
    if data_type == "text" && random.chance(25) {
        clauses.push("COLLATE \"C\"".to_owned());
    }
    let number = data_type == "integer" || data_type == "bigint";
    if number && random.chance(15) {
        let when = random.pick(&["ALWAYS", "BY DEFAULT"]);
        let options = random.pick(&["", " (INCREMENT BY 2)", " (START WITH 10)"]);
        clauses.push(format!("GENERATED {when} AS IDENTITY{options}"));
    } else if number && random.chance(10) {
        clauses.push("GENERATED ALWAYS AS (id + 1) STORED".to_owned());
    } else if random.chance(40) {
        clauses.push(format!("DEFAULT {value}"));
        if random.chance(60) {
            clauses.push("NOT NULL".to_owned());
        }
    }
    if random.chance(15) {
        clauses.push(format!("CHECK ({name} IS NULL OR {name}::text <> 'x')"));
    }
    if random.chance(15) {
        clauses.push("UNIQUE".to_owned());
    }
    if data_type == "integer" && random.chance(35) && !clauses.iter().any(|clause| clause.starts_with("GEN")) {
        let action = random.pick(&["", " ON DELETE CASCADE", " DEFERRABLE INITIALLY DEFERRED"]);
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
        options: "",
        others: Vec::new(),
    };
    for name in ["a", "b", "c", "\"D e\"", "f"] {
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
    table.others.clear();
    table.options = random.pick(&["", "", "", " WITH (fillfactor = 70)"]);
    let names: Vec<String> = table.columns.iter().map(|column| column.name.clone()).collect();
    let own = table.name.clone();
    let mut add = |sql: String| table.others.push(sql);
    if names.len() > 1 {
        let (one, other) = (&names[0], &names[1]);
        if random.chance(25) {
            let unique = random.pick(&["UNIQUE", "UNIQUE NULLS NOT DISTINCT"]);
            table.constraints.push(format!("{unique} ({other}, {one})"));
        }
        if random.chance(25) {
            let check = format!("CONSTRAINT either CHECK ({one} IS NOT NULL OR {other} IS NULL)");
            table.constraints.push(check);
        }
        if random.chance(40) {
            let partial = random.pick(&["", " WHERE id > 3"]);
            add(format!("CREATE INDEX {own}_i ON {own} ({one} DESC, {other}){partial}"));
        }
        if random.chance(20) {
            add(format!("CREATE INDEX {own}_e ON {own} (coalesce({other}, {other}))"));
        }
    }
    if let Some(name) = names.first() {
        if random.chance(40) {
            add(format!("CREATE VIEW {own}_v AS SELECT id, {name} AS x FROM {own}"));
            if random.chance(50) {
                add(format!("CREATE VIEW {own}_w (y) AS SELECT x FROM {own}_v"));
            }
            if random.chance(30) {
                add(format!("CREATE MATERIALIZED VIEW {own}_m AS SELECT x FROM {own}_v"));
                add(format!("CREATE INDEX {own}_mi ON {own}_m (x)"));
            }
        }
        if random.chance(30) {
            let event = random.pick(&["UPDATE", "INSERT OR UPDATE"]);
            add(format!(
                "CREATE TRIGGER touch BEFORE {event} ON {own} FOR EACH ROW EXECUTE FUNCTION touch()"
            ));
        }
        if random.chance(20) {
            add(format!("CREATE POLICY own ON {own} USING ({name} IS NOT NULL)"));
        }
        if random.chance(30) {
            let text = random.pick(&["one", "two"]);
            add(format!("COMMENT ON COLUMN {own}.{name} IS '{text}'"));
        }
    }
}

impl Table {
    fn sql(&self) -> String {
        let key = [
            "id integer PRIMARY KEY",
            "id serial PRIMARY KEY",
            "id bigint PRIMARY KEY",
        ][self.key];
        let mut parts = vec![key.to_owned()];
        for column in &self.columns {
            let clauses: Vec<&str> = column.clauses.iter().map(String::as_str).collect();
            let clauses = clauses.into_iter().filter(|clause| !clause.starts_with("REFERENCES"));
            let clauses: Vec<&str> = clauses.collect();
            parts.push(format!("{} {} {}", column.name, column.data_type, clauses.join(" ")));
        }
        parts.extend(self.constraints.iter().cloned());
        let mut out = format!(
            "CREATE TABLE {} (\n  {}\n){};\n",
            self.name,
            parts.join(",\n  "),
            self.options
        );
        for more in &self.others {
            let _ = writeln!(out, "{more};");
        }
        out
    }

    fn references(&self) -> String {
        let mut out = String::new();
        for column in &self.columns {
            for clause in column.clauses.iter().filter(|clause| clause.starts_with("REFERENCES")) {
                let _ = writeln!(
                    out,
                    "ALTER TABLE {} ADD FOREIGN KEY ({}) {clause};",
                    self.name, column.name
                );
            }
        }
        out
    }
}

impl Schema {
    fn random(random: &mut Random, names: &[String]) -> Self {
        let mut tables = Vec::new();
        for name in names {
            if random.chance(75) {
                tables.push(table(random, name, names));
            }
        }
        let mut schema = Self {
            values: vec!["sad", "ok"],
            check: random.below(2),
            body: random.below(2),
            tables,
        };
        schema.keep_sound();
        schema
    }

    /// Another schema that has much in common with this one.
    fn changed(&self, random: &mut Random, names: &[String]) -> Self {
        let mut schema = self.clone();
        schema.tables = pair::changed(
            random,
            names,
            &self.tables,
            |table| &table.name,
            |random, name| table(random, name, names),
            |random, there| altered(random, there, names),
        );
        schema.values = match random.below(4) {
            0 => vec!["sad", "ok", "good"],
            1 => vec!["ok", "sad"],
            2 => vec!["low", "sad", "ok"],
            _ => self.values.clone(),
        };
        (schema.check, schema.body) = (random.below(2), random.below(2));
        schema.keep_sound();
        schema
    }

    /// Without foreign keys to tables that are not there, or whose key is of another type.
    fn keep_sound(&mut self) {
        let parents = self.tables.iter().filter(|table| table.key < 2);
        let parents: Vec<String> = parents.map(|table| table.name.clone()).collect();
        pair::keep_references(self.tables.iter_mut().flat_map(|table| &mut table.columns), &parents);
    }

    fn text(&self) -> String {
        let values: Vec<String> = self.values.iter().map(|value| format!("'{value}'")).collect();
        let check = ["VALUE > -100", "VALUE > -200"][self.check];
        let body = ["RETURN NEW;", "PERFORM 1; RETURN NEW;"][self.body];
        let mut out = format!(
            "CREATE TYPE mood AS ENUM ({});\nCREATE DOMAIN small AS smallint CHECK ({check});\n\
             CREATE FUNCTION touch() RETURNS trigger LANGUAGE plpgsql AS 'BEGIN {body} END';\n",
            values.join(", ")
        );
        out.extend(self.tables.iter().map(Table::sql));
        out.extend(self.tables.iter().map(Table::references));
        out
    }
}

fn altered(random: &mut Random, there: &Table, names: &[String]) -> Table {
    let mut made = there.clone();
    pair::change_columns(random, &mut made.columns, |random, name| column(random, name, names));
    if random.chance(10) {
        made.key = random.below(3);
    }
    extras(random, &mut made);
    made
}

/// Two schemas on a server.
struct OnServer {
    database: Database,
    before: Schema,
    after: Schema,
}

impl Pair for OnServer {
    type Row = String;

    fn texts(&self) -> [String; 2] {
        [self.before.text(), self.after.text()]
    }

    fn fill(&self, place: &Place, random: &mut Random) {
        let mut sql = String::new();
        for table in &self.before.tables {
            for id in 1..4 {
                let given = |column: &&Column| {
                    !column
                        .clauses
                        .iter()
                        .any(|clause| clause.starts_with("GENERATED ALWAYS"))
                };
                let columns: Vec<&Column> = table.columns.iter().filter(given).collect();
                let names: String = columns.iter().map(|column| format!(", {}", column.name)).collect();
                let values: String = columns
                    .iter()
                    .map(|column| match column.data_type {
                        _ if random.chance(15) && column.clauses.is_empty() => ", NULL".to_owned(),
                        "mood" => ", 'ok'".to_owned(),
                        "date" => format!(", '2020-01-0{id}'"),
                        "text" | "varchar(20)" => format!(", 't{id}'"),
                        _ => format!(", {id}"),
                    })
                    .collect();
                // A row that the constraints refuse is left out.
                let _ = writeln!(sql, "INSERT INTO {} (id{names}) VALUES ({id}{values});", table.name);
            }
        }
        self.database.psql(&["-q"], sql.as_bytes(), place.folder());
    }

    fn rows(&self, _: &Place) -> Rows<String> {
        let mut out = Rows::new();
        for table in &self.before.tables {
            let Some(other) = self.after.tables.iter().find(|other| other.name == table.name) else {
                continue;
            };
            let computed = |column: &Column| column.clauses.iter().any(|clause| clause.contains("STORED"));
            let same = |column: &&Column| {
                let there = other.columns.iter().find(|there| there.name == column.name);
                there.is_some_and(|there| there.data_type == column.data_type && !computed(there) && !computed(column))
            };
            let names: String = table
                .columns
                .iter()
                .filter(same)
                .map(|column| format!(", {}", column.name))
                .collect();
            let sql = format!("SELECT id{names} FROM {} ORDER BY id", table.name);
            out.insert(table.name.clone(), self.database.query(&sql));
        }
        out
    }

    fn is_refused(&self, done: &Done) -> bool {
        [
            "violates",
            "contains null values",
            "invalid input",
            "out of range",
            "could not create unique index",
            "is violated by some row",
            "field overflow",
            "cannot be cast",
            "too long",
        ]
        .iter()
        .any(|part| done.stderr.contains(part))
    }
}

fn game(seed: u64, random: &mut Random) -> Game<OnServer> {
    let names: Vec<String> = ["t", "u", "v"].map(str::to_owned).to_vec();
    let before = Schema::random(random, &names);
    let after = before.changed(random, &names);
    let database = Database::new();
    let place = place_on(&database);
    let pair = OnServer {
        database,
        before,
        after,
    };
    Game { seed, place, pair }
}

#[test]
fn generated_revisions_lead_there_and_back_on_postgresql_1() {
    pair::seeds(0, 2, game);
}

#[test]
fn generated_revisions_lead_there_and_back_on_postgresql_2() {
    pair::seeds(2, 2, game);
}
