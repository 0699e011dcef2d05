//! `rehearse` and `restore`.

use std::path::Path;

use serde_json::{Value, json};

use crate::cli::args::{self, When};
use crate::cli::progress::Progress;
use crate::cli::run::{no_range, targets};
use crate::cli::session::{History, Session};
use crate::cli::ui::{DIM, ID, Ui, WARN};
use crate::cli::{FOUND, json as documents};
use crate::code::Code;
use crate::driver::Driver;
use crate::error::{Error, Result};
use crate::execute::event::Event;
use crate::migrator::backup::{self, Backup};
use crate::migrator::rehearse::{self, Change, Rehearsal};
use crate::migrator::restore;
use crate::project::{DatabaseUrl, SqliteUrl};
use crate::revision::graph::RevisionGraph;
use crate::version::VersionTable;

/// The copies that the configuration asks for, or the option.
pub(super) fn configured(session: &Session<'_>, history: &History, option: Option<When>) -> Backup {
    let config = &history.project.config;
    let when = match option {
        None => config.backup,
        Some(When::Never) => backup::When::Never,
        Some(When::Auto) => backup::When::Auto,
        Some(When::Always) => backup::When::Always,
    };
    Backup::when(when).keep(config.backup_keep).at(session.clock.now())
}

pub(super) fn rehearse(session: &mut Session<'_>, args: &args::Rehearse, ui: &mut Ui<'_>) -> Result<u8> {
    no_range(&args.targets)?;
    let targets = targets(&args.targets)?;
    let mut history = session.history()?;
    let graph = history.graph()?;
    let timeout = Session::timeout(&history, args.lock.lock_timeout)?;
    let Some(mut driver) = session.open_to_read(&history)? else {
        let message = "there is no database yet, so there is nothing to rehearse with";
        return Err(Error::new(Code::Connect, message).help("try the revisions on an empty one: sqlrev test"));
    };
    let rehearsal = {
        let mut progress = Progress::new(ui);
        let mut hear = |event: Event<'_>| progress.hear(&event);
        let copy = rehearse::Copied::of(&mut *driver, session.clock, session.patience(timeout), &mut hear)?;
        rehearse::rehearse(copy, &history.table, session.clock, |copy| {
            session.interrupts(copy.interrupter());
            let patience = session.patience(timeout);
            let mut executor = session.executor(&history, graph, copy, patience, &mut hear);
            executor.lent.copy = true;
            let done = executor.upgrade(&targets);
            session.interrupts(None);
            done
        })?
    };
    if ui.json {
        ui.value(&document(&rehearsal, &history));
    } else {
        words(&rehearsal, ui);
    }
    Ok(if rehearsal.findings.is_empty() { 0 } else { FOUND })
}

fn words(rehearsal: &Rehearsal, ui: &mut Ui<'_>) {
    for change in &rehearsal.schema {
        let what = match (&change.before, &change.after) {
            (None, _) => "new",
            (_, None) => "gone",
            _ => "changed",
        };
        let name = ui.paint(ID, &change.name);
        ui.line(&format!("{what}  {name}"));
    }
    for change in &rehearsal.rows {
        let number = |count: Option<u64>| count.map_or_else(|| "none".to_owned(), |count| count.to_string());
        let name = ui.paint(ID, &change.name);
        let (before, after) = (number(change.before), number(change.after));
        let line = if before == after {
            format!("rows  {name}  {before}")
        } else {
            format!("rows  {name}  {before} -> {after}")
        };
        ui.line(&line);
    }
    for finding in &rehearsal.findings {
        let word = ui.paint(WARN, "found");
        ui.line(&format!("{word}  {finding}"));
    }
    let times = format!(
        "{} on a copy, which is deleted; copied in {} ms, ran in {} ms",
        match rehearsal.report.steps.len() {
            1 => "1 step".to_owned(),
            count => format!("{count} steps"),
        },
        rehearsal.copied_in.as_millis(),
        rehearsal.ran_in.as_millis()
    );
    let times = ui.paint_err(DIM, &times);
    ui.say(&times);
    if rehearsal.findings.is_empty() {
        ui.line("the copy is sound");
    }
}

fn document(rehearsal: &Rehearsal, history: &History) -> Value {
    fn changes<T: serde::Serialize>(changes: &[Change<T>]) -> Vec<Value> {
        let one = |change: &Change<T>| json!({"name": change.name, "before": change.before, "after": change.after});
        changes.iter().map(one).collect()
    }
    let mut document = documents::report(&rehearsal.report, "rehearse", history.dialect);
    if let Some(object) = document.as_object_mut() {
        object.insert("schema".to_owned(), changes(&rehearsal.schema).into());
        object.insert("rows".to_owned(), changes(&rehearsal.rows).into());
        object.insert("findings".to_owned(), json!(rehearsal.findings));
        object.insert("copied_ms".to_owned(), json!(rehearsal.copied_in.as_millis()));
        object.insert("ran_ms".to_owned(), json!(rehearsal.ran_in.as_millis()));
    }
    document
}

pub(super) fn restore(session: &mut Session<'_>, args: &args::Restore, ui: &mut Ui<'_>) -> Result<u8> {
    let history = session.history()?;
    let backup = configured(session, &history, None);
    let url = history.project.url()?;
    if let (DatabaseUrl::Server { .. }, Some(by)) = (&url, history.dialect.copied_by()) {
        let message = "the database is on a server, and sqlrev has no copies of it";
        return Err(Error::new(Code::UnsupportedDatabase, message).help(by.restore));
    }
    let DatabaseUrl::Sqlite(SqliteUrl { path: Some(path), .. }) = url else {
        let message = "the database is in memory, and has no copies";
        return Err(Error::new(Code::UnsupportedDatabase, message).help("--url sqlite:app.db names a file"));
    };
    let Some(file) = &args.file else {
        let copies = backup.list(&path)?;
        return Ok(list(&copies, &history, ui));
    };
    let graph = RevisionGraph::build(Vec::new())?;
    let timeout = Session::timeout(&history, None)?;
    let mut driver = session.open_to_write(&history)?;
    let kept = {
        let mut progress = Progress::new(ui);
        let mut hear = |event: Event<'_>| progress.hear(&event);
        let patience = session.patience(timeout);
        let mut executor = session.executor(&history, &graph, &mut *driver, patience, &mut hear);
        restore::restore(&mut executor, &session.directory.join(file), &backup)?
    };
    let shown = |path: &Path| history.project.shown(path);
    if ui.json {
        ui.value(&json!({"restored": shown(file), "kept": kept.as_deref().map(shown)}));
    } else {
        ui.line(&format!("restored from {}", shown(file)));
        if let Some(kept) = kept {
            ui.say(&format!("what was there before is in {}", shown(&kept)));
        }
    }
    Ok(0)
}

/// The copies with the revisions that each is at.
fn list(copies: &[std::path::PathBuf], history: &History, ui: &mut Ui<'_>) -> u8 {
    let at = |path: &Path| -> Vec<String> {
        let copy = crate::driver::sqlite::open_copy(path);
        copy.ok()
            .and_then(|mut copy| newest(&mut copy, &history.table))
            .unwrap_or_default()
    };
    let found: Vec<(String, Vec<String>)> = copies
        .iter()
        .map(|path| (history.project.shown(path), at(path)))
        .collect();
    if ui.json {
        let copies: Vec<Value> = found
            .iter()
            .map(|(file, at)| json!({"file": file, "revisions": at}))
            .collect();
        ui.value(&json!({"copies": copies}));
    } else if found.is_empty() {
        ui.say("there are no copies; `backup: auto` in migrations.yaml makes one before a change");
    } else {
        for (file, at) in found {
            let at = if at.is_empty() {
                "base".to_owned()
            } else {
                at.join(", ")
            };
            ui.line(&format!("{file}  at {}", ui.paint(ID, &at)));
        }
    }
    0
}

/// The applied revisions that no other applied one comes after.
fn newest(driver: &mut dyn Driver, table: &VersionTable) -> Option<Vec<String>> {
    let rows = table.read(driver).ok()??;
    let mut below = Vec::new();
    for row in &rows {
        let details = table.details(driver, row.id.as_str()).ok()??;
        below.extend(details.down_revisions.iter().map(ToString::to_string));
        below.extend(details.depends_on);
    }
    let heads = rows.iter().map(|row| row.id.to_string());
    Some(heads.filter(|id| !below.contains(id)).collect())
}
