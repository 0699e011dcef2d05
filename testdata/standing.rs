//! What holds for every case whose revisions can be applied, whatever the case itself is about.
//!
//! A case whose revisions cannot be applied, as most of those about errors, ends here at once.

use std::collections::BTreeMap;
use std::path::Path;

use rusqlite::Connection;
use serde_json::Value;

use crate::world::{Kind, World, shown};

/// Tables and their rows, and the schema.
type Picture = (Vec<String>, BTreeMap<String, Vec<String>>);

/// Checks that an offline script does what `upgrade` does, that a second `upgrade` does nothing, and that `downgrade
/// base` and `upgrade` again lead to the same schema.
pub(crate) fn check(world: &mut World) -> Result<(), String> {
    if world.kind != Kind::Sqlite {
        return check_server(world);
    }
    let online = world.command("sqlrev upgrade heads --url sqlite:standing-online.db");
    if failed(&online) || !world.path("standing-online.db").exists() {
        return Ok(());
    }
    let first = picture(world, "standing-online.db");
    same_by_script(world, &first)?;
    let again = world.command("sqlrev upgrade heads --url sqlite:standing-online.db --format json");
    if !again.iter().any(|line| line.trim() == "\"steps\": [],") {
        return Err(format!("a second upgrade does something:\n{}", again.join("\n")));
    }
    let checked = world.command("sqlrev check --url sqlite:standing-online.db");
    // Some cases declare a schema that their revisions do not build.
    let otherwise = |line: &String| line.starts_with("differs") || line.starts_with("error[sqlrev::schema::");
    if failed(&checked) && !checked.iter().any(otherwise) {
        return Err(format!("after an upgrade `check` finds:\n{}", checked.join("\n")));
    }
    declared(world, "--url sqlite:standing-online.db")?;
    let down = as_planned(world, "downgrade base")?;
    if down.iter().any(|line| line.contains("graph::irreversible")) {
        return Ok(());
    }
    if failed(&down) {
        return Err(format!("the downgrade to base fails:\n{}", down.join("\n")));
    }
    downgrade_by_script(world, &picture(world, "standing-online.db"))?;
    // Step by step, so that each is planned on what the database holds then.
    while !failed(&world.command("sqlrev upgrade +1 --dry-run --url sqlite:standing-online.db"))
        && !failed(&as_planned(world, "upgrade +1")?)
        && world.command("sqlrev heads").len() > world.command("sqlrev current --url sqlite:standing-online.db").len()
    {
    }
    let up = world.command("sqlrev upgrade heads --url sqlite:standing-online.db");
    let second = picture(world, "standing-online.db");
    if first.0 != second.0 {
        return Err(format!(
            "down and up again leads elsewhere:\n{}\n{}",
            up.join("\n"),
            difference(&first.0, &second.0)
        ));
    }
    Ok(())
}

/// Runs a command whose plan was made before, and checks that it did what the plan said.
fn as_planned(world: &mut World, command: &str) -> Result<Vec<String>, String> {
    let on = "--url sqlite:standing-online.db --format json";
    let planned = world.command(&format!("sqlrev plan {command} {on} > standing-plan.json"));
    let ran = world.command(&format!("sqlrev {command} {on} > standing-run.json"));
    if failed(&ran) {
        let words = std::fs::read_to_string(world.path("standing-run.json")).expect("it was written");
        return Ok(words.lines().map(str::to_owned).chain(ran).collect());
    }
    if failed(&planned) {
        return Err(format!("no plan for `{command}`:\n{}", planned.join("\n")));
    }
    let [planned, ran_as] = ["standing-plan.json", "standing-run.json"].map(|report| statements(&world.path(report)));
    if planned == ran_as {
        return Ok(ran);
    }
    Err(format!(
        "`{command}` does not do what its plan says:\n{}",
        difference(&planned, &ran_as)
    ))
}

/// The statements of a report, and the way of each; those of the version table aside.
fn statements(report: &Path) -> Vec<String> {
    let report = std::fs::read_to_string(report).expect("it was written");
    let report: Value = serde_json::from_str(&report).expect("a document");
    let steps = report["steps"].as_array().expect("steps");
    let statements = steps
        .iter()
        .flat_map(|step| step["statements"].as_array().expect("statements"));
    let scripts = statements.filter(|statement| statement["kind"] != "version");
    let words = scripts.map(|statement| {
        ["strategy", "reason", "table", "sql"]
            .map(|key| statement[key].as_str().unwrap_or_default())
            .join("  ")
    });
    words.collect()
}

/// Checks that a dump of the database declares the schema that the database has.
fn declared(world: &mut World, on: &str) -> Result<(), String> {
    let dumped = world.command(&format!("sqlrev {on} dump > standing-schema.sql"));
    if failed(&dumped) {
        return Err(format!("no dump:\n{}", dumped.join("\n")));
    }
    let found = world.command(&format!("sqlrev {on} diff database standing-schema.sql --exit-code"));
    if failed(&found) {
        return Err(format!("the dump declares another schema:\n{}", found.join("\n")));
    }
    Ok(())
}

/// The same on a server, whose client runs the scripts and whose dumps are the pictures.
fn check_server(world: &mut World) -> Result<(), String> {
    let name = world.server.as_ref().expect("a server").name.clone();
    let (online, offline) = (format!("{name}_online"), format!("{name}_script"));
    for database in [&online, &offline] {
        world.server.as_mut().expect("a server").create(database);
    }
    let url = world.server.as_ref().expect("a server").url(&online);
    let on = |command: &str| format!("sqlrev --url {url} {command}");
    let client = match world.kind {
        Kind::Mariadb | Kind::Mysql => format!("mariadb --comments --database={offline} < standing.sql"),
        _ => format!("psql -v ON_ERROR_STOP=1 -d {offline} < standing.sql"),
    };
    let run = |world: &mut World, command: &str| {
        let lines = world.command(&on(command));
        if failed(&lines) {
            Err(format!("`{command}` fails:\n{}", lines.join("\n")))
        } else {
            Ok(lines)
        }
    };
    let picture = |world: &World, database: &str| world.server.as_ref().expect("a server").picture(database);
    let by_script = |world: &mut World, command: &str| {
        run(world, &format!("{command} --sql > standing.sql"))?;
        let ran = world.command(&client);
        if failed(&ran) {
            return Err(format!("the script of `{command}` fails:\n{}", ran.join("\n")));
        }
        same(command, &picture(world, &online), &picture(world, &offline))
    };
    if run(world, "upgrade heads").is_err() || run(world, "heads")?.is_empty() {
        return Ok(());
    }
    let first = picture(world, &online);
    by_script(world, "upgrade base:heads")?;
    let again = run(world, "upgrade heads --format json")?;
    if !again.iter().any(|line| line.trim() == "\"steps\": [],") {
        return Err(format!("a second upgrade does something:\n{}", again.join("\n")));
    }
    let checked = world.command(&on("check"));
    // Some cases declare a schema that their revisions do not build.
    let otherwise = |line: &String| line.starts_with("differs") || line.starts_with("error[sqlrev::schema::");
    if failed(&checked) && !checked.iter().any(otherwise) {
        return Err(format!("after an upgrade `check` finds:\n{}", checked.join("\n")));
    }
    declared(world, &format!("--url {url}"))?;
    let down = world.command(&on("downgrade base"));
    if down.iter().any(|line| line.contains("graph::irreversible")) {
        return Ok(());
    }
    if failed(&down) {
        return Err(format!("the downgrade to base fails:\n{}", down.join("\n")));
    }
    by_script(world, "downgrade heads:base")?;
    run(world, "upgrade heads")?;
    // Without the rows.
    let schema = |picture: &str| {
        let picture = format!("\n{picture}");
        let before = picture.split("\nCOPY ").next().unwrap_or_default();
        let before = before.split("\nINSERT ").next().unwrap_or_default();
        before.split("\n-- sqlrev\n").next().unwrap_or_default().to_owned()
    };
    same("down and up again", &schema(&first), &schema(&picture(world, &online)))
}

fn same(what: &str, want: &str, got: &str) -> Result<(), String> {
    let lines = |text: &str| text.lines().map(str::to_owned).collect::<Vec<_>>();
    if want == got {
        return Ok(());
    }
    Err(format!(
        "`{what}` leads elsewhere:\n{}",
        difference(&lines(want), &lines(got))
    ))
}

fn failed(lines: &[String]) -> bool {
    lines.last().is_some_and(|line| line.starts_with("[exit status"))
}

fn same_by_script(world: &mut World, online: &Picture) -> Result<(), String> {
    by_script(world, "upgrade base:heads", online)
}

fn downgrade_by_script(world: &mut World, online: &Picture) -> Result<(), String> {
    by_script(world, "downgrade heads:base", online)
}

/// Runs the script of a command with the `sqlite3` command, and compares what it leaves with what the command left.
fn by_script(world: &mut World, command: &str, online: &Picture) -> Result<(), String> {
    let talk = world.command(&format!("sqlrev {command} --sql --url sqlite:none.db > standing.sql"));
    if talk.iter().any(|line| line.contains("batch::mixed_offline")) {
        return Ok(());
    }
    if failed(&talk) {
        return Err(format!("no script for `{command}`:\n{}", talk.join("\n")));
    }
    let ran = world.command("sqlite3 -bail standing-script.db < standing.sql");
    if failed(&ran) {
        return Err(format!("the script of `{command}` fails:\n{}", ran.join("\n")));
    }
    let offline = picture(world, "standing-script.db");
    if online.0 != offline.0 {
        return Err(format!(
            "`{command}` and its script lead to other schemas:\n{}",
            difference(&online.0, &offline.0)
        ));
    }
    for (table, rows) in &online.1 {
        let other = offline.1.get(table).cloned().unwrap_or_default();
        if *rows != other {
            return Err(format!(
                "`{command}` and its script leave other rows in {table}:\n{}",
                difference(rows, &other)
            ));
        }
    }
    Ok(())
}

fn difference(want: &[String], got: &[String]) -> String {
    let at = (0..want.len().max(got.len()))
        .find(|&i| want.get(i) != got.get(i))
        .unwrap_or(0);
    format!("  {:?}\n  {:?}", want.get(at), got.get(at))
}

/// The columns that say who, when and how long are left out of the picture: they differ by their nature.
fn picture(world: &World, database: &str) -> Picture {
    let db = Connection::open(world.path(database)).expect("the database is there");
    let mut tables = db
        .prepare("SELECT name FROM sqlite_schema WHERE type = 'table' AND sql NOT LIKE 'CREATE VIRTUAL%' ORDER BY 1")
        .expect("sqlite_schema can be read");
    let names: Vec<String> = tables
        .query_map([], |row| row.get(0))
        .expect("names")
        .map(|name| name.expect("a name"))
        .collect();
    let rows = names.iter().map(|name| (name.clone(), rows(&db, name))).collect();
    (schema(&db), rows)
}

fn rows(db: &Connection, table: &str) -> Vec<String> {
    let own = ["applied_at", "applied_by", "logged_at", "logged_by", "duration_ms"];
    let mut columns = db
        .prepare("SELECT name FROM pragma_table_info(?1)")
        .expect("the pragma is there");
    let names: Vec<String> = columns
        .query_map([table], |row| row.get(0))
        .expect("the table is there")
        .map(|name| name.expect("a name"))
        .collect();
    let is_version_table = names.iter().any(|name| name == "tool_version");
    let names = names
        .iter()
        .filter(|name| !is_version_table || !own.contains(&name.as_str()));
    let names: Vec<String> = names.map(|name| format!("\"{}\"", name.replace('"', "\"\""))).collect();
    let sql = format!("SELECT {} FROM \"{}\"", names.join(", "), table.replace('"', "\"\""));
    let mut statement = db.prepare(&sql).expect("the table can be read");
    let columns = statement.column_count();
    let mut rows = statement.raw_query();
    let mut out = Vec::new();
    while let Some(row) = rows.next().expect("a row") {
        let values: Vec<String> = (0..columns)
            .map(|i| shown(row.get_ref(i).expect("a column"), "NULL"))
            .collect();
        out.push(values.join("|"));
    }
    out
}

/// The schema of a database as the lines of its statements.
pub(crate) fn schema(db: &Connection) -> Vec<String> {
    let sql = "SELECT sql FROM sqlite_schema WHERE sql IS NOT NULL AND tbl_name NOT LIKE 'sqlrev\\_%' ESCAPE '\\' \
               AND name NOT LIKE 'sqlite\\_%' ESCAPE '\\' ORDER BY type = 'table' DESC, type = 'index' DESC, name";
    let mut statement = db.prepare(sql).expect("sqlite_schema can be read");
    let rows = statement
        .query_map([], |row| row.get::<_, String>(0))
        .expect("it can be read");
    let statements = rows.map(|sql| format!("{};", sql.expect("a text")));
    statements
        .flat_map(|sql| sql.lines().map(str::to_owned).collect::<Vec<_>>())
        .collect()
}
