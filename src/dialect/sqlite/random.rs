//! Random tables, rows and ALTERs: what was not altered is as it was, on every way.

use std::fmt::Write;

use rusqlite::Connection;

use crate::dialect::Rows;
use crate::dialect::sqlite::harness::{dump, leaked, rows, run_offline, run_online};
use crate::revision::Recreate;
use crate::sql::write::quoted;

/// The splitmix64 generator (Steele, Lea, Flood 2014).
struct Random(u64);

impl Random {
    fn next(&mut self) -> u64 {
        self.0 = self.0.wrapping_add(0x9e37_79b9_7f4a_7c15);
        let mut z = self.0;
        z = (z ^ (z >> 30)).wrapping_mul(0xbf58_476d_1ce4_e5b9);
        z = (z ^ (z >> 27)).wrapping_mul(0x94d0_49bb_1331_11eb);
        z ^ (z >> 31)
    }

    fn below(&mut self, limit: usize) -> usize {
        usize::try_from(self.next() % limit.max(1) as u64).expect("smaller than the limit")
    }

    fn chance(&mut self, percent: usize) -> bool {
        self.below(100) < percent
    }

    fn pick<T: Clone>(&mut self, from: &[T]) -> T {
        from[self.below(from.len())].clone()
    }
}

/// What is known of a column, whatever it is called.
#[derive(Debug, Clone)]
struct Known {
    name: String,
    /// The old column whose values it has; none when it is new.
    origin: Option<String>,
    /// What its rows hold when it is new.
    value: String,
    not_null: bool,
    default: Option<String>,
    retyped: bool,
}

struct Scene {
    setup: String,
    columns: Vec<Known>,
    checks: Vec<String>,
}

const NAMES: &[&str] = &["a", "b", "c d", "E", "select", "f\"g", "naïve"];
const TYPES: &[&str] = &[
    "INT",
    "TEXT",
    "VARCHAR(10)",
    "REAL",
    "BLOB",
    "NUMERIC",
    "",
    "UNSIGNED BIG INT",
];
const SPACES: &[&str] = &[" ", "  ", " /* , ) */ ", "\n  ", " -- it's (\n "];
const DEFAULTS: &[&str] = &["7", "'x, y)'", "-1.5", "x'00ff'", "(1 + 1)", "NULL", "'it''s'"];

fn written(random: &mut Random, name: &str) -> String {
    let plain = name.bytes().all(|byte| byte.is_ascii_alphanumeric()) && name != "select";
    if plain && random.chance(60) {
        name.to_owned()
    } else {
        quoted(name, '"')
    }
}

/// A column's definition, with its clauses in any order and layout.
fn definition(random: &mut Random, name: &str, checks: &mut Vec<String>) -> (String, Known) {
    let mut text = written(random, name);
    let _ = write!(text, "{}{}", random.pick(SPACES), random.pick(TYPES));
    let not_null = random.chance(25);
    let default = random
        .chance(40)
        .then(|| random.pick(DEFAULTS))
        .filter(|value| !not_null || *value != "NULL");
    let mut clauses = Vec::new();
    if not_null {
        clauses.push("NOT NULL".to_owned());
    }
    if let Some(default) = default {
        clauses.push(format!("DEFAULT {default}"));
    }
    for (percent, clause) in [
        (10, "COLLATE NOCASE"),
        (10, "UNIQUE"),
        (15, "REFERENCES p(id) NOT DEFERRABLE"),
    ] {
        if random.chance(percent) {
            clauses.push(clause.to_owned());
        }
    }
    if random.chance(15) {
        let check = format!("ck_{}", checks.len());
        clauses.push(format!("CONSTRAINT {check} CHECK ({} <> 'b, (')", quoted(name, '"')));
        checks.push(check);
    }
    while !clauses.is_empty() {
        let at = random.below(clauses.len());
        let _ = write!(text, "{}{}", random.pick(SPACES), clauses.remove(at));
    }
    (text, known(name, not_null, default))
}

fn scene(random: &mut Random) -> Scene {
    let (mut columns, mut elements, mut checks) = (Vec::new(), Vec::new(), Vec::new());
    let key = random.below(4);
    if key < 2 {
        let auto = if random.chance(50) { " AUTOINCREMENT" } else { "" };
        elements.push(format!("id INTEGER PRIMARY KEY{auto}"));
        columns.push(known("id", false, None));
    }
    for name in &NAMES[..2 + random.below(NAMES.len() - 2)] {
        let (text, column) = definition(random, name, &mut checks);
        elements.push(text);
        columns.push(column);
    }
    let (first, second) = (quoted(NAMES[0], '"'), quoted(NAMES[1], '"'));
    if key == 2 {
        elements.push(format!("PRIMARY KEY ({first}, {second})"));
    }
    if random.chance(30) {
        elements.push(format!("UNIQUE ({second}, {first})"));
    }
    if random.chance(30) {
        elements.push(format!(
            "CONSTRAINT wide CHECK (length({first}) < 100 AND {second} IS NOT 'z')"
        ));
        checks.push("wide".to_owned());
    }
    let mut setup = "CREATE TABLE p(id INTEGER PRIMARY KEY); INSERT INTO p VALUES (1), (2), (3), (7);\n".to_owned();
    let separator = if random.chance(50) { ", " } else { ",\n  " };
    let without_rowid = key == 2 && random.chance(40);
    let option = if without_rowid { " WITHOUT ROWID" } else { "" };
    let _ = writeln!(
        setup,
        "CREATE TABLE log(x);\nCREATE TABLE t(\n  {}\n){option};",
        elements.join(separator)
    );
    fill(random, &mut setup, &columns, without_rowid);
    if random.chance(50) {
        setup.push_str("ALTER TABLE t ADD COLUMN late INT DEFAULT 7;\n");
        columns.push(known("late", false, Some("7")));
        let _ = writeln!(setup, "INSERT OR IGNORE INTO t ({first}, {second}) VALUES (3, 3);");
    }
    hang(random, &mut setup, &first, &second);
    Scene { setup, columns, checks }
}

fn fill(random: &mut Random, setup: &mut String, columns: &[Known], without_rowid: bool) {
    let values = ["1", "2", "3", "'k'", "7", "NULL", "x'0102'", "2.5", "'long text'", "''"];
    let names: Vec<String> = columns.iter().map(|column| quoted(&column.name, '"')).collect();
    for _ in 0..random.below(12) {
        let row: Vec<&str> = columns
            .iter()
            .map(|column| {
                if column.name == "id" {
                    "NULL"
                } else {
                    random.pick(&values)
                }
            })
            .collect();
        let (names, row) = (names.join(", "), row.join(", "));
        let _ = writeln!(setup, "INSERT OR IGNORE INTO t ({names}) VALUES ({row});");
    }
    if random.chance(50) && !without_rowid {
        setup.push_str("DELETE FROM t WHERE rowid % 3 = 0;\n");
    }
}

/// Indexes, a trigger, a view and statistics.
fn hang(random: &mut Random, setup: &mut String, first: &str, second: &str) {
    for (percent, statement) in [
        (60, format!("CREATE INDEX i_one ON t ({second} DESC, {first});")),
        (
            30,
            format!("CREATE INDEX i_part ON t (lower({first})) WHERE {second} IS NOT NULL /* kept */;"),
        ),
        (
            40,
            format!("CREATE TRIGGER tr AFTER UPDATE OF {first} ON t BEGIN INSERT INTO log VALUES (new.{first}); END;"),
        ),
        (
            30,
            format!("CREATE VIEW v AS SELECT {first}, count(*) AS n FROM t GROUP BY 1;"),
        ),
        (20, "ANALYZE;".to_owned()),
    ] {
        if random.chance(percent) {
            let _ = writeln!(setup, "{statement}");
        }
    }
}

fn known(name: &str, not_null: bool, default: Option<&str>) -> Known {
    Known {
        name: name.to_owned(),
        origin: Some(name.to_owned()),
        value: String::new(),
        not_null,
        default: default.map(str::to_owned),
        retyped: false,
    }
}

/// One action, and what it means for what is known.
fn action(random: &mut Random, scene: &mut Scene, fresh: &mut usize) -> String {
    let at = random.below(scene.columns.len());
    let name = scene.columns[at].name.clone();
    let column = written(random, &name);
    match random.below(14) {
        0 => {
            scene.columns[at].not_null = true;
            format!("ALTER COLUMN {column} SET NOT NULL")
        }
        1 => {
            scene.columns[at].not_null = false;
            format!("ALTER {column} DROP NOT NULL")
        }
        2 | 3 => {
            let value = random.pick(DEFAULTS);
            scene.columns[at].default = Some(value.to_owned());
            format!("ALTER COLUMN {column} SET DEFAULT {value}")
        }
        4 => {
            scene.columns[at].default = None;
            format!("ALTER COLUMN {column} DROP DEFAULT")
        }
        5 | 6 => {
            scene.columns[at].retyped = true;
            let data_type = random.pick(&["TEXT", "VARCHAR(30)", "BIGINT", "NUMERIC", "uuid", "BYTEA", "REAL"]);
            format!("ALTER COLUMN {column} TYPE {data_type}")
        }
        7 | 8 => {
            *fresh += 1;
            let name = format!("new{fresh}");
            let value = random.pick(&["'1'", "'x'", "NULL"]);
            let clause = random.pick(&["", " CHECK (1)", " UNIQUE", " COLLATE NOCASE"]);
            scene.columns.push(Known {
                origin: None,
                value: value.to_owned(),
                default: Some(value.to_owned()),
                ..known(&name, false, None)
            });
            format!("ADD COLUMN {name} TEXT DEFAULT {value}{clause}")
        }
        9 if scene.columns.len() > 2 => {
            scene.columns.remove(at);
            format!("DROP COLUMN {column}")
        }
        10 => {
            *fresh += 1;
            scene.checks.push(format!("ck_new{fresh}"));
            format!("ADD CONSTRAINT ck_new{fresh} CHECK ({column} IS NOT 'never')")
        }
        11 if !scene.checks.is_empty() => {
            let check = scene.checks.remove(random.below(scene.checks.len()));
            format!("DROP CONSTRAINT {check}")
        }
        12 => {
            *fresh += 1;
            format!(
                "ADD CONSTRAINT uq_{fresh} UNIQUE ({column}, {})",
                written(random, &scene.columns[0].name.clone())
            )
        }
        _ => {
            *fresh += 1;
            format!("ADD CONSTRAINT fk_{fresh} FOREIGN KEY ({column}) REFERENCES p (id)")
        }
    }
}

fn alters(random: &mut Random, scene: &mut Scene) -> String {
    let mut text = String::new();
    let mut fresh = 0;
    for _ in 0..=random.below(3) {
        if random.chance(15) {
            let at = random.below(scene.columns.len());
            fresh += 1;
            let to = format!("renamed{fresh}");
            let from = written(random, &scene.columns[at].name.clone());
            scene.columns[at].name.clone_from(&to);
            let _ = writeln!(text, "ALTER TABLE t RENAME COLUMN {from} TO {to};");
            continue;
        }
        let count = 1 + random.below(3);
        let actions: Vec<String> = (0..count).map(|_| action(random, scene, &mut fresh)).collect();
        let _ = writeln!(text, "ALTER TABLE t {};", actions.join(", "));
        if random.chance(10) {
            text.push_str("UPDATE p SET id = id;\n");
        }
    }
    text
}

fn open(setup: &str) -> Option<&'static Connection> {
    let connection = Connection::open_in_memory().expect("a database");
    connection.execute_batch("PRAGMA foreign_keys = OFF").expect("a pragma");
    connection.execute_batch(setup).ok()?;
    connection.execute_batch("PRAGMA foreign_keys = ON").expect("a pragma");
    Some(leaked(connection))
}

fn column(connection: &Connection, name: &str) -> Rows {
    let rowid = rows(
        connection,
        "SELECT 1 FROM pragma_table_list WHERE name = 't' AND wr = 0",
    )
    .expect("a query");
    let order = if rowid.is_empty() { "1" } else { "rowid" };
    rows(
        connection,
        &format!("SELECT quote({}) FROM t ORDER BY {order}", quoted(name, '"')),
    )
    .expect("values")
}

/// What does not hold after a scene was played; nothing when all is well.
fn play(seed: u64) -> Option<String> {
    let mut random = Random(seed);
    let mut scene = scene(&mut random);
    let text = alters(&mut random, &mut scene);
    let before = open(&scene.setup)?;
    let untouched = dump(before);
    let mut ways = Vec::new();
    let (after, outcome) = run_online(open(&scene.setup)?, &text, Recreate::Auto, &mut |rewrite| {
        ways.push(format!("{}: {}", rewrite.strategy, rewrite.reason));
    });
    let fail = |what: String| Some(format!("seed {seed}: {what}\n{}{text}{ways:?}", scene.setup));
    if let Err(error) = &outcome {
        if error.code().name().contains("verification") || error.code().name().contains("statement_failed") {
            return fail(format!("{error:?}"));
        }
        if dump(after) != untouched {
            return fail("a refusal left traces".to_owned());
        }
    }
    let (script, scripted) = run_offline(open(&scene.setup)?, &text);
    if scripted.is_ok() != outcome.is_ok() || dump(script) != dump(after) {
        let differ: Vec<String> = dump(script)
            .iter()
            .zip(dump(after))
            .filter(|(a, b)| *a != b)
            .map(|(a, b)| format!("{a}\n{b}\n"))
            .collect();
        return fail(format!(
            "the script differs: {scripted:?} {outcome:?}\n{}",
            differ.concat()
        ));
    }
    let sound = rows(after, "PRAGMA integrity_check").expect("a check");
    if sound != rows(before, "PRAGMA integrity_check").expect("a check") {
        return fail(format!("{sound:?}"));
    }
    if outcome.is_err() {
        return None;
    }
    differs(&scene.columns, before, after).and_then(fail)
}

/// What is not as it is known to be.
fn differs(columns: &[Known], before: &Connection, after: &Connection) -> Option<String> {
    let names = rows(
        after,
        "SELECT name, \"notnull\", dflt_value FROM pragma_table_info('t')",
    )
    .expect("columns");
    if names.len() != columns.len() {
        return Some(format!("columns {names:?}"));
    }
    let key = rows(before, "SELECT name FROM pragma_table_info('t') WHERE pk > 0").expect("columns");
    let bare = |value: &Option<String>| value.clone().map(|value| value.trim_matches(['(', ')']).to_owned());
    for (known, row) in columns.iter().zip(&names) {
        let not_null = Some(if known.not_null { "1" } else { "0" });
        let in_key = key.iter().any(|row| row[0] == known.origin);
        if row[0].as_deref() != Some(known.name.as_str())
            || bare(&row[2]) != bare(&known.default)
            || !in_key && row[1].as_deref() != not_null
        {
            return Some(format!("{known:?} is {row:?}"));
        }
        let kept = match &known.origin {
            _ if known.retyped => true,
            Some(origin) => column(before, origin) == column(after, &known.name),
            None => column(after, &known.name)
                .iter()
                .all(|row| row[0].as_deref() == Some(&known.value)),
        };
        if !kept {
            return Some(format!("values of {known:?}: {:?}", column(after, &known.name)));
        }
    }
    None
}

#[test]
fn random_alters_keep_what_they_do_not_alter() {
    let seeds = std::option_env!("SQLREV_SEEDS")
        .and_then(|text| text.parse().ok())
        .unwrap_or(500);
    let failures: Vec<String> = (0..seeds).filter_map(play).collect();
    assert!(
        failures.is_empty(),
        "{} of {seeds} fail\n{}",
        failures.len(),
        failures[..failures.len().min(4)].join("\n\n")
    );
}
