//! `revision --autogenerate`: the difference between two schemas becomes a revision.

use serde_json::{Value, json};

use crate::cli::args::NewRevision;
use crate::cli::compare::{self, Compare};
use crate::cli::session::{History, Session};
use crate::cli::ui::Ui;
use crate::code::Code;
use crate::error::{Error, Result};
use crate::execute::autogenerate::{self, Piece};
use crate::revision::graph::RevisionGraph;
use crate::schema::Model;
use crate::schema::diff::Rename;

/// The two scripts of a revision.
pub(crate) struct Generated {
    pub upgrade: String,
    pub downgrade: String,
    /// What it changes, for programs.
    pub differences: Vec<Value>,
}

/// What leads from the schema now to the schema as it should be; none when they are equal.
pub(crate) fn generate(
    session: &Session<'_>,
    history: &History,
    graph: &RevisionGraph,
    args: &NewRevision,
    ui: &mut Ui<'_>,
) -> Result<Option<Generated>> {
    let compare = Compare::new(history, graph)?;
    let is_first = graph.is_empty() && history.project.declared()?.is_none();
    let (now, scripts, wanted) = if is_first {
        let live = compare.live(session)?.unwrap_or_default();
        if live.objects.is_empty() {
            // Neither a schema nor a database: the error says what to write.
            compare.scripts()?;
        }
        (Model::default(), Vec::new(), live)
    } else {
        let scripts = compare.scripts()?;
        let wanted = compare.declared(&scripts)?;
        let now = if args.from_database {
            compare.live(session)?.unwrap_or_default()
        } else {
            compare.built(&compare.everything(), ui)?
        };
        (now, scripts, wanted)
    };
    let mut renames = compare.renames(&args.rename, &scripts, &now, &wanted)?;
    let seen = (compare.seen(now.clone()), compare.seen(wanted.clone()));
    compare::ask_renames(&seen.0, &seen.1, &mut renames, ui);
    let up = compare.lead(&now, &wanted, &renames)?;
    if up.is_empty() {
        return Ok(None);
    }
    compare::tell_guesses(&seen.0, &seen.1, &renames, ui);
    if args.no_drop || history.project.config.autogenerate.no_drop {
        refuse_drops(&up, &compare, &now, &wanted, &renames)?;
    }
    // What is not compared stays as it is on both ways.
    let reached = reached(&now, &wanted, &compare);
    let down = compare.lead(&reached, &now, &compare::undone(&renames, &now))?;
    let mut generated = Generated {
        upgrade: format!("\n{}", autogenerate::script(&up)),
        downgrade: downgrade_text(&up, &down),
        differences: up.iter().map(compare::difference).collect(),
    };
    let hook = &history.project.config.autogenerate.process_revision;
    if !hook.is_empty() {
        processed(history, hook, &up, &down, &mut generated)?;
    }
    Ok(Some(generated))
}

/// The schema after the upgrade: the wanted one, with what is left out of the comparison as it is now.
fn reached(now: &Model, wanted: &Model, compare: &Compare<'_>) -> Model {
    let mut reached = compare.seen(wanted.clone());
    let seen = compare.seen(now.clone());
    for (key, object) in &now.objects {
        if !seen.objects.contains_key(key) {
            reached.objects.insert(key.clone(), object.clone());
        }
    }
    for (key, object) in &wanted.objects {
        // With their types and defaults, which may not be compared.
        if let Some(there) = reached
            .objects
            .get_mut(key)
            .filter(|_| !now.objects.contains_key(key) || seen.objects.contains_key(key))
        {
            *there = object.clone();
        }
    }
    reached
}

fn downgrade_text(up: &[Piece], down: &[Piece]) -> String {
    let mut text = String::new();
    for loses in up.iter().filter_map(|piece| piece.loses.as_ref()) {
        text.push_str(&format!("-- Not brought back: {}.\n", loses.replace('\n', " ")));
    }
    text + &autogenerate::script(down)
}

fn refuse_drops(up: &[Piece], compare: &Compare<'_>, now: &Model, wanted: &Model, renames: &[Rename]) -> Result<()> {
    let lost: Vec<&str> = up.iter().filter_map(|piece| piece.loses.as_deref()).collect();
    if lost.is_empty() {
        return Ok(());
    }
    let mut error = Error::new(
        Code::SchemaDrops,
        format!("the difference would drop {}", lost.join(", ")),
    );
    for guess in compare::guesses(&compare.seen(now.clone()), &compare.seen(wanted.clone()), renames) {
        error = error.help(format!("if that is a rename: --rename {}", guess.shown()));
    }
    Err(error.help("without --no-drop it is written, with a comment where something is lost"))
}

/// Lets the project's command change the operations.
fn processed(history: &History, hook: &[String], up: &[Piece], down: &[Piece], out: &mut Generated) -> Result<()> {
    let given = json!({
        "dialect": history.dialect.name(),
        "upgrade": up.iter().map(compare::difference).collect::<Vec<_>>(),
        "downgrade": down.iter().map(compare::difference).collect::<Vec<_>>(),
    });
    let text = history.project.output("process_revision", hook, &given.to_string())?;
    let wrong = |what: &str| {
        Error::new(Code::SchemaCommand, format!("the command under `process_revision` printed {what}")).help(
            "it gets {\"upgrade\": [{\"kind\", \"table\", \"object\", \"sql\"}], \"downgrade\": […]} on standard input and prints the same",
        )
    };
    let value: Value = serde_json::from_str(&text).map_err(|error| wrong("no JSON").cause(error.to_string()))?;
    let script = |key: &str| -> Result<String> {
        let list = value
            .get(key)
            .and_then(Value::as_array)
            .ok_or_else(|| wrong(&format!("no list `{key}`")))?;
        let mut script = String::new();
        for operation in list {
            let sql = operation.get("sql").and_then(Value::as_str);
            let sql = sql.ok_or_else(|| wrong(&format!("an operation of `{key}` without `sql`")))?;
            let sql = sql.trim().trim_end_matches(';');
            if sql.is_empty() {
                continue;
            }
            script.push_str(sql);
            script.push_str(if sql.starts_with("-- ") && !sql.contains('\n') {
                "\n"
            } else {
                ";\n"
            });
        }
        Ok(script)
    };
    out.upgrade = format!("\n{}", script("upgrade")?);
    out.downgrade = script("downgrade")?;
    if let Some(list) = value.get("upgrade").and_then(Value::as_array) {
        out.differences.clone_from(list);
    }
    Ok(())
}
