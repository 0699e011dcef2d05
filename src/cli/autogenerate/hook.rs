//! The command of the project that is asked before a generated revision is written.

use serde_json::{Value, json};

use crate::cli::autogenerate::{Generated, lost_text};
use crate::cli::compare::{self, Compare};
use crate::cli::session::History;
use crate::cli::ui::Ui;
use crate::code::Code;
use crate::error::{Error, Result};
use crate::execute::piece::{self, Piece};
use crate::execute::schema;
use crate::project::Command;
use crate::schema::Model;
use crate::schema::diff::{self, Rename};

/// Lets the project's command change the operations. What it gives back must run; where it leads elsewhere than to the
/// wanted schema, or not back, that is told and not refused: it may be what the command is for.
pub(super) fn processed(given: &Given<'_>, hook: &Command, out: &mut Generated, ui: &mut Ui<'_>) -> Result<()> {
    let all = |pieces: &[Piece]| pieces.iter().map(compare::difference).collect::<Vec<_>>();
    let document = json!({
        "dialect": given.history.dialect.name(),
        "upgrade": all(given.up),
        "downgrade": all(given.down),
    });
    let text = given
        .history
        .project
        .output("process_revision", hook, &document.to_string(), given.stopped)?;
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
            let text = |name: &str| operation.get(name).and_then(Value::as_str);
            let sql = text("sql").ok_or_else(|| wrong(&format!("an operation of `{key}` without `sql`")))?;
            let sql = compare::without_end(sql);
            if !sql.is_empty() {
                piece::append(&mut script, text("loses"), &[sql.to_owned()]);
            }
        }
        Ok(script)
    };
    let (up, down) = (script("upgrade")?, script("downgrade")?);
    let ran = |from: &Model, script: &str, which: &str| {
        given.compare.ran(from, script).map_err(|error| {
            let words = error
                .labels()
                .first()
                .map_or(error.message(), |label| &label.text)
                .to_owned();
            wrong(&format!("{which} that does not run")).cause(words)
        })
    };
    let reached = ran(given.now, &up, "an upgrade")?;
    let differ = |meant: &Model, got: &Model| {
        let (meant, got) = (given.compare.seen(meant), given.compare.seen(got));
        !up.is_empty() && !schema::differences(&meant, &got).is_empty()
    };
    if differ(given.wanted, &reached) {
        ui.say("note: what `process_revision` printed leads elsewhere than to the declared schema");
    }
    let back = ran(&reached, &down, "a downgrade")?;
    let says = value.get("irreversible").and_then(Value::as_bool);
    let comes_back = !differ(given.now, &back);
    out.irreversible = says.unwrap_or(down.is_empty() && (out.irreversible || !comes_back));
    if !out.irreversible && !comes_back {
        ui.say("note: the downgrade that `process_revision` printed does not lead back to the schema as it is now");
    }
    let dropped = dropped(given, &reached, &up)?;
    out.upgrade = format!("\n{dropped}{up}");
    out.downgrade = lost_text(given.up) + &down;
    if let Some(list) = value.get("upgrade").and_then(Value::as_array) {
        out.differences.clone_from(list);
    }
    Ok(())
}

/// What is lost by statements of the command, and not said above them; the lines that say so.
fn dropped(given: &Given<'_>, reached: &Model, up: &str) -> Result<String> {
    let mut renames = given.renames.to_vec();
    // What gets another name looks like a drop.
    if diff::names(up, "rename") || diff::names(up, "change") {
        let (now, then) = (given.compare.seen(given.now), given.compare.seen(reached));
        renames.extend(diff::likely_renames(&now, &then, &renames));
    }
    let pieces = given.compare.differences(given.now, reached, &renames)?;
    let said = |loses: &&str| up.contains(&format!("-- This drops {loses}"));
    let lost: Vec<&str> = pieces.iter().filter_map(|piece| piece.loses.as_deref()).collect();
    let lost: Vec<&str> = lost.into_iter().filter(|loses| !said(loses)).collect();
    match given.no_drop {
        Some(by) if !lost.is_empty() => {
            let message = format!("what `process_revision` printed would drop {}", lost.join(", "));
            Err(Error::new(Code::SchemaDrops, message).help(format!(
                "without {by} it is written, with a comment where something is lost"
            )))
        }
        _ => Ok(lost.iter().map(|loses| format!("-- This drops {loses}.\n")).collect()),
    }
}

/// What the command of the project is given.
pub(super) struct Given<'a> {
    pub(super) history: &'a History,
    pub(super) compare: &'a Compare<'a>,
    pub(super) now: &'a Model,
    pub(super) wanted: &'a Model,
    pub(super) renames: &'a [Rename],
    /// What refuses drops.
    pub(super) no_drop: Option<&'static str>,
    pub(super) up: &'a [Piece],
    pub(super) down: &'a [Piece],
    pub(super) stopped: &'a dyn Fn() -> bool,
}
