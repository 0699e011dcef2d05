//! Random pairs of schemas on MariaDB and MySQL.

use std::fmt::Write as _;

use crate::mariadb::place_on;
use crate::pair::{self, Column, Game, Pair, Rows};
use crate::place::{Done, Place};
use crate::random::Random;
use crate::server::{Database, Server};

on_mariadb_and_mysql! {
    generated_revisions_lead_there_and_back_1
    generated_revisions_lead_there_and_back_2
}

#[derive(Clone)]
struct Table {
    server: Server,
    name: String,
    key: usize,
    columns: Vec<Column>,
    /// Constraints and keys, as they stand in CREATE TABLE.
    parts: Vec<String>,
    options: &'static str,
    /// Indexes, views and triggers.
    others: Vec<String>,
}

#[derive(Clone)]
struct Schema {
    server: Server,
    /// What a function does.
    body: usize,
    /// Which table with partitions, and which event, there are.
    spread: usize,
    event: usize,
    tables: Vec<Table>,
}

const SPREAD: [&str; 6] = [
    "",
    "CREATE TABLE spread (id INT NOT NULL, at DATE NOT NULL, PRIMARY KEY (id, at)) PARTITION BY RANGE (YEAR(at)) \
     (PARTITION old VALUES LESS THAN (2020) COMMENT = 'it''s old', PARTITION new VALUES LESS THAN MAXVALUE);\n",
    "CREATE TABLE spread (id INT NOT NULL, at DATE NOT NULL, PRIMARY KEY (id)) PARTITION BY HASH (id) PARTITIONS 3;\n",
    "CREATE TABLE spread (id BIGINT NOT NULL, at DATE, UNIQUE KEY (id)) PARTITION BY KEY (id) PARTITIONS 2;\n",
    "CREATE TABLE spread (id INT NOT NULL, at DATE NOT NULL, KEY (at)) PARTITION BY LIST (id MOD 2) SUBPARTITION BY \
     HASH (id) SUBPARTITIONS 2 (PARTITION even VALUES IN (0), PARTITION odd VALUES IN (1));\n",
    "CREATE TABLE spread (id INT, name VARCHAR(9));\n",
];

const EVENTS: [&str; 4] = [
    "",
    "CREATE EVENT now_and_then ON SCHEDULE EVERY 1 DAY DO SET @a = 1;\n",
    "CREATE EVENT now_and_then ON SCHEDULE EVERY '1:30' HOUR_MINUTE DISABLE COMMENT 'x' DO BEGIN SET @a = 1; END;\n",
    "CREATE EVENT now_and_then ON SCHEDULE AT '2037-01-01' ON COMPLETION PRESERVE DO SET @a = 2;\n",
];

const TYPES: [&str; 9] = [
    "INT",
    "BIGINT UNSIGNED",
    "TEXT",
    "VARCHAR(20)",
    "DECIMAL(8,2)",
    "DATE",
    "ENUM('sad','ok')",
    "TIMESTAMP",
    "JSON",
];

fn is_text(data_type: &str) -> bool {
    matches!(data_type, "TEXT" | "VARCHAR(20)")
}

fn column(server: Server, random: &mut Random, name: &str, tables: &[String]) -> Column {
    let data_type = random.pick(&TYPES);
    let value = match data_type {
        "TEXT" | "VARCHAR(20)" => "'it''s \\\\'",
        "DATE" => "'2020-02-02'",
        "TIMESTAMP" => "'2020-02-02 10:00:00'",
        "ENUM('sad','ok')" => "'ok'",
        "JSON" => "'[7]'",
        _ => "7",
    };
    let mut clauses = Vec::new();
    if is_text(data_type) && random.chance(25) {
        clauses.push(random.pick(&["CHARACTER SET latin1", "COLLATE utf8mb4_bin"]).to_owned());
    }
    let number = matches!(data_type, "INT" | "BIGINT UNSIGNED");
    if number && random.chance(15) {
        let kept = random.pick(&["VIRTUAL", "STORED"]);
        let more = random.pick(&["1", "2"]);
        clauses.push(format!("AS (base + {more}) {kept}"));
    } else if random.chance(40) {
        let value = match data_type {
            "INT" if random.chance(30) => "(1 + 6)",
            "TIMESTAMP" if random.chance(50) => "CURRENT_TIMESTAMP ON UPDATE CURRENT_TIMESTAMP",
            _ => value,
        };
        if random.chance(60) {
            clauses.push("NOT NULL".to_owned());
        } else {
            clauses.push("NULL".to_owned());
        }
        // MySQL takes an expression alone.
        clauses.push(match data_type {
            "TEXT" | "JSON" if server == Server::Mysql => format!("DEFAULT ({value})"),
            _ => format!("DEFAULT {value}"),
        });
    } else if data_type == "TIMESTAMP" {
        clauses.push("NULL".to_owned());
    }
    let check = random.chance(10) && data_type != "JSON";
    if random.chance(15) {
        clauses.push(random.pick(&["COMMENT 'one; it''s'", "COMMENT 'two'"]).to_owned());
    }
    if random.chance(10) && clauses.iter().any(|clause| clause.starts_with("DEFAULT")) {
        clauses.push("INVISIBLE".to_owned());
    }
    if check {
        // A date is never compared with a number on MySQL.
        let other = if server == Server::Mysql { name } else { "0" };
        let differs = if server == Server::Mysql { "=" } else { "<>" };
        clauses.push(format!("CHECK ({name} IS NULL OR {name} {differs} {other})"));
    }
    if data_type == "INT" && random.chance(35) && !clauses.iter().any(|clause| clause.starts_with("AS ")) {
        let action = random.pick(&["", " ON DELETE CASCADE", " ON DELETE NO ACTION"]);
        clauses.push(format!("REFERENCES {}{action}", tables[random.below(tables.len())]));
    }
    Column {
        name: name.to_owned(),
        data_type,
        clauses,
    }
}

fn table(server: Server, random: &mut Random, name: &str, tables: &[String]) -> Table {
    let mut made = Table {
        server,
        name: name.to_owned(),
        key: random.below(6),
        columns: Vec::new(),
        parts: Vec::new(),
        options: "",
        others: Vec::new(),
    };
    for name in ["a", "b", "c", "`D e`", "f"] {
        if random.chance(70) {
            made.columns.push(column(server, random, name, tables));
        }
    }
    extras(random, &mut made);
    made
}

/// A part of an index: texts need a length, and JSON on MySQL an expression.
fn part(server: Server, column: &Column) -> String {
    match column.data_type {
        "JSON" if server == Server::Mysql => format!("(CAST({} AS CHAR(9)))", column.name),
        "TEXT" | "JSON" => format!("{}(9)", column.name),
        _ => column.name.clone(),
    }
}

/// What stands on the columns that there are.
fn extras(random: &mut Random, table: &mut Table) {
    table.parts.clear();
    table.others.clear();
    table.options = random.pick(&[
        "",
        "",
        "",
        " COMMENT = 'a table'",
        " ROW_FORMAT = COMPACT",
        " DEFAULT CHARSET = latin1",
    ]);
    let own = table.name.clone();
    let mut parts = Vec::new();
    let mut others = Vec::new();
    if let [one, other, ..] = &table.columns[..] {
        if random.chance(30) {
            let kind = random.pick(&["KEY", "UNIQUE KEY", "KEY", "UNIQUE KEY both_of_it"]);
            parts.push(format!(
                "{kind} ({}, {})",
                part(table.server, other),
                part(table.server, one)
            ));
        }
        if random.chance(25) {
            let name = random.pick(&["", "CONSTRAINT either "]);
            // On MariaDB each table has names of its own for them, on MySQL each database.
            let name = match table.server {
                Server::Mysql => name.replace("either", &format!("either_{own}")),
                _ => name.to_owned(),
            };
            let (one, other) = (&one.name, &other.name);
            parts.push(format!(
                "{name}CHECK ({one} IS NOT NULL OR {other} IS NULL OR {other} = {other})"
            ));
        }
        if random.chance(40) {
            let down = random.pick(&["", " DESC"]);
            others.push(format!(
                "CREATE INDEX {own}_i ON {own} ({}{down}, {})",
                part(table.server, one),
                part(table.server, other)
            ));
        }
    }
    if let Some(column) = table.columns.iter().find(|column| is_text(column.data_type))
        && random.chance(20)
    {
        parts.push(format!("FULLTEXT KEY words ({})", column.name));
    }
    if let Some(column) = table.columns.first() {
        others.extend(dependents(random, &own, &column.name));
    }
    (table.parts, table.others) = (parts, others);
}

/// Views over a column of a table, and triggers on it.
fn dependents(random: &mut Random, own: &str, name: &str) -> Vec<String> {
    let mut others = Vec::new();
    if random.chance(40) {
        let security = random.pick(&["", "SQL SECURITY INVOKER ", "ALGORITHM = MERGE "]);
        others.push(format!(
            "CREATE {security}VIEW {own}_v AS SELECT key_of_it, {name} AS x FROM {own}"
        ));
        if random.chance(50) {
            others.push(format!(
                "CREATE VIEW {own}_w (y) AS SELECT twice(key_of_it) FROM {own}_v"
            ));
        }
    }
    if random.chance(30) {
        let event = random.pick(&["UPDATE", "INSERT"]);
        let body = random.pick(&["SET @seen = 1", "BEGIN SET @seen = 1; SET @more = ';'; END"]);
        others.push(format!(
            "CREATE TRIGGER {own}_t BEFORE {event} ON {own} FOR EACH ROW {body}"
        ));
        if random.chance(40) {
            others.push(format!(
                "CREATE TRIGGER {own}_u BEFORE {event} ON {own} FOR EACH ROW SET @last = 2"
            ));
        }
    }
    others
}

impl Table {
    fn sql(&self) -> String {
        let key = [
            "key_of_it INT PRIMARY KEY",
            "key_of_it INT AUTO_INCREMENT PRIMARY KEY",
            "key_of_it BIGINT NOT NULL AUTO_INCREMENT UNIQUE KEY",
            "key_of_it INT NOT NULL",
            "key_of_it INT NOT NULL, counted INT AUTO_INCREMENT PRIMARY KEY",
            "key_of_it INT NOT NULL PRIMARY KEY, counted BIGINT AUTO_INCREMENT, UNIQUE KEY counted (counted, key_of_it)",
        ][self.key];
        let mut parts = vec![key.to_owned(), "base INT DEFAULT 3".to_owned()];
        for column in &self.columns {
            let clauses = column.clauses.iter().filter(|clause| !clause.starts_with("REFERENCES"));
            let clauses: Vec<&str> = clauses.map(String::as_str).collect();
            parts.push(format!("{} {} {}", column.name, column.data_type, clauses.join(" ")));
        }
        parts.extend(self.parts.iter().cloned());
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
            for clause in column
                .clauses
                .iter()
                .filter_map(|clause| clause.strip_prefix("REFERENCES "))
            {
                let (parent, action) = clause.split_once(' ').unwrap_or((clause, ""));
                let _ = writeln!(
                    out,
                    "ALTER TABLE {} ADD FOREIGN KEY ({}) REFERENCES {parent} (key_of_it) {action};",
                    self.name, column.name
                );
            }
        }
        out
    }
}

impl Schema {
    fn random(server: Server, random: &mut Random, names: &[String]) -> Self {
        let mut tables = Vec::new();
        for name in names {
            if random.chance(75) {
                tables.push(table(server, random, name, names));
            }
        }
        Self::of(server, random, tables)
    }

    fn of(server: Server, random: &mut Random, tables: Vec<Table>) -> Self {
        let [body, spread, event] = [2, SPREAD.len(), EVENTS.len()].map(|count| random.below(count));
        let schema = Self {
            server,
            body,
            spread,
            event,
            tables,
        };
        schema.sound()
    }

    /// Another schema that has much in common with this one.
    fn changed(&self, random: &mut Random, names: &[String]) -> Self {
        let server = self.server;
        let altered = |random: &mut Random, there: &Table| {
            let mut made = there.clone();
            pair::change_columns(random, &mut made.columns, |random, name| {
                column(server, random, name, names)
            });
            if random.chance(20) {
                made.key = random.below(6);
            }
            extras(random, &mut made);
            made
        };
        let new = |random: &mut Random, name: &str| table(server, random, name, names);
        let tables = pair::changed(random, names, &self.tables, |table| &table.name, new, altered);
        Self::of(server, random, tables)
    }

    /// Without foreign keys to tables that are not there, or whose key is of another type.
    fn sound(mut self) -> Self {
        let parents = self.tables.iter().filter(|table| table.key < 2);
        let parents: Vec<String> = parents.map(|table| table.name.clone()).collect();
        let columns = self.tables.iter_mut().flat_map(|table| &mut table.columns);
        pair::keep_references(columns, &parents);
        self
    }

    fn text(&self) -> String {
        let body = ["RETURN n * 2", "BEGIN SET n = n + n; RETURN n; END"][self.body];
        let mut out = format!("CREATE FUNCTION twice(n INT) RETURNS INT DETERMINISTIC {body};\n");
        out.extend(self.tables.iter().map(Table::sql));
        out.extend(self.tables.iter().map(Table::references));
        out.push_str(SPREAD[self.spread]);
        out.push_str(EVENTS[self.event]);
        out
    }
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

    fn fill(&self, _: &Place, random: &mut Random) {
        for table in &self.before.tables {
            for id in 1..4 {
                let given = |column: &&Column| !column.clauses.iter().any(|clause| clause.starts_with("AS "));
                let columns: Vec<&Column> = table.columns.iter().filter(given).collect();
                let names: String = columns.iter().map(|column| format!(", {}", column.name)).collect();
                let values: String = columns
                    .iter()
                    .map(|column| match column.data_type {
                        _ if random.chance(15) && column.clauses.is_empty() => ", NULL".to_owned(),
                        "ENUM('sad','ok')" => ", 'ok'".to_owned(),
                        "DATE" => format!(", '2020-01-0{id}'"),
                        "TIMESTAMP" => format!(", '2020-01-0{id} 10:00:00'"),
                        "TEXT" | "VARCHAR(20)" => format!(", 't{id}'"),
                        "JSON" => format!(", '[{id}]'"),
                        _ => format!(", {id}"),
                    })
                    .collect();
                // A row that the constraints refuse is left out.
                let sql = format!(
                    "INSERT IGNORE INTO {} (key_of_it{names}) VALUES ({id}{values})",
                    table.name
                );
                let _ = self.database.client("mariadb").args(["-e", &sql]).output();
            }
        }
    }

    fn rows(&self, _: &Place) -> Rows<String> {
        let mut out = Rows::new();
        for table in &self.before.tables {
            let Some(other) = self.after.tables.iter().find(|other| other.name == table.name) else {
                continue;
            };
            let computed = |column: &Column| column.clauses.iter().any(|clause| clause.starts_with("AS "));
            let same = |column: &&Column| {
                let there = other.columns.iter().find(|there| there.name == column.name);
                there.is_some_and(|there| there.data_type == column.data_type && !computed(there) && !computed(column))
            };
            let names = table
                .columns
                .iter()
                .filter(same)
                .map(|column| format!(", {}", column.name));
            let sql = format!(
                "SELECT key_of_it{} FROM {} ORDER BY key_of_it",
                names.collect::<String>(),
                table.name
            );
            out.insert(table.name.clone(), self.database.query(&sql));
        }
        out
    }

    fn is_refused(&self, done: &Done) -> bool {
        [
            "Data truncated",
            "Invalid use of NULL",
            "Incorrect ",
            "Out of range",
            "Duplicate entry",
            "foreign key constraint fails",
            "CONSTRAINT `",
            "Check constraint '",
            "Invalid JSON text",
            "Data too long",
            "Truncated incorrect",
        ]
        .iter()
        .any(|part| done.stderr.contains(part))
    }
}

fn game(server: Server, seed: u64, random: &mut Random) -> Game<OnServer> {
    let names: Vec<String> = ["t", "u", "v"].map(str::to_owned).to_vec();
    let before = Schema::random(server, random, &names);
    let after = before.changed(random, &names);
    let database = Database::on(server);
    let place = place_on(&database);
    let pair = OnServer {
        database,
        before,
        after,
    };
    Game { seed, place, pair }
}

fn generated_revisions_lead_there_and_back_1(server: Server) {
    pair::seeds(0, 3, |seed, random| game(server, seed, random));
}

fn generated_revisions_lead_there_and_back_2(server: Server) {
    pair::seeds(3, 3, |seed, random| game(server, seed, random));
}
