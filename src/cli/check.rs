//! `check` and `repair`.

use clap::Args;
use serde_json::{Value, json};

use crate::cli::args;
use crate::cli::compare::{self, Compare, Found};
use crate::cli::run::all_heads;
use crate::cli::session::{History, Session};
use crate::cli::ui::{ID, Ui, WARN};
use crate::cli::{FOUND, read, text};
use crate::code::Code;
use crate::driver::Driver;
use crate::error::{Error, Result};
use crate::execute::diff;
use crate::execute::event::Event;
use crate::execute::repair::Edit;
use crate::execute::schema::{self, Difference, How};
use crate::execute::seen::Seen;
use crate::project::Project;
use crate::revision::RevisionId;
use crate::revision::applied::Applied;
use crate::revision::graph::RevisionGraph;
use crate::revision::plan::Plan;
use crate::revision::target::Target;
use crate::version::Unfinished;

/// `repair`
#[derive(Debug, Args)]
pub(super) struct Repair {
    /// The revisions; every edited one when none is named
    #[arg(value_name = "REVISION")]
    pub revisions: Vec<String>,
    /// Takes the files as they are now for what was applied
    #[arg(long)]
    pub accept: bool,
    /// Says of the statement that was begun when a run ended that it has run
    #[arg(long, conflicts_with_all = ["accept", "not_run"])]
    pub ran: bool,
    /// Says that it has not
    #[arg(long, conflicts_with = "accept")]
    pub not_run: bool,
    #[command(flatten)]
    pub lock: args::Lock,
}

pub(crate) fn check(session: &mut Session<'_>, args: &args::Check, ui: &mut Ui<'_>) -> Result<u8> {
    let mut history = session.history()?;
    let graph = history.graph()?;
    let mut driver = session.open_to_read(&history)?;
    let (seen, edits) = match &mut driver {
        Some(driver) => {
            let mut silent = |_: Event<'_>| {};
            let patience = session.patience(history.project.config.lock_timeout);
            let mut executor = session.executor(&history, graph, &mut **driver, patience, &mut silent);
            let seen = executor.look()?;
            let edits = executor.edits(&seen)?;
            (seen, edits)
        }
        None => (Seen::default(), Vec::new()),
    };
    let (applied, missing) = Applied::known(graph, seen.applied());
    let drift = match &mut driver {
        Some(driver) if args.drift => drift(session, &history, graph, &applied, &mut **driver, ui)?,
        _ => Vec::new(),
    };
    let plan = Plan::upgrade(graph, &applied, &[all_heads()])?;
    let pending: Vec<&RevisionId> = plan.steps.iter().map(|step| &step.revision).collect();
    let stopped: Vec<(&RevisionId, Unfinished)> = seen
        .rows
        .iter()
        .filter_map(|row| Some((&row.id, row.unfinished.filter(|at| !at.has_done_nothing())?)))
        .collect();
    let is_edited = edits.iter().any(|edit| !edit.cosmetic);
    let is_there = pending.is_empty() && missing.is_empty() && stopped.is_empty();
    let declared = compare::against_declared(session, &history, graph, is_there, ui)?;
    let found = !is_there || is_edited || !drift.is_empty() || !declared.is_empty();
    if ui.json {
        let mut differences: Vec<Value> = declared.iter().map(Found::value).collect();
        differences.extend(drift.iter().map(difference));
        ui.value(&document(&pending, &edits, &missing, &stopped, &differences));
    } else {
        words(graph, &plan, &edits, &missing, &history.project, ui);
        for (id, at) in &stopped {
            let id = ui.paint(WARN, id.as_str());
            let (way, done) = (at.direction.name(), at.statements);
            let doubt = if at.begun {
                ", and the next one may have run"
            } else {
                ""
            };
            ui.line(&format!(
                "stopped  {id}  half-way: {done} statements of its {way} are done{doubt}"
            ));
        }
        for found in &declared {
            let line = found.words(&history);
            ui.line(&format!("differs  {line}"));
        }
        if let Some(advice) = Found::advice(&declared) {
            ui.say(advice);
        }
        for difference in &drift {
            drifted(difference, &history, ui);
        }
        if !found {
            ui.say("everything is applied as the files have it");
        }
    }
    Ok(if found { FOUND } else { 0 })
}

/// How the database differs from what its applied revisions build.
fn drift(
    session: &Session<'_>,
    history: &History,
    graph: &RevisionGraph,
    applied: &Applied,
    driver: &mut dyn Driver,
    ui: &mut Ui<'_>,
) -> Result<Vec<Difference>> {
    let compare = Compare::new(session, history, graph)?;
    let want = compare.built(applied.set(), ui)?;
    let held = compare.held(driver)?;
    let held = compare.settled(&held, &want)?;
    // Types and defaults that are not compared with the declared ones are compared here: one engine has written both.
    Ok(schema::differences(&compare.included(&want), &compare.included(&held)))
}

fn drifted(difference: &Difference, history: &History, ui: &mut Ui<'_>) {
    let schema = compare::schema_shown(history, &difference.schema);
    let what = ui.paint(WARN, &format!("{} {schema}{}", difference.kind, difference.name));
    let how = match difference.how {
        How::Missing => "is not there",
        How::Unexpected => "is there, and no applied revision makes it",
        How::Changed => "is not as the applied revisions make it",
    };
    ui.line(&format!("drift    {what}  {how}"));
    if difference.how == How::Changed {
        let now = difference.got.as_deref().unwrap_or_default();
        for line in diff::lines(&difference.want, now).text.lines() {
            ui.line(&format!("         {line}"));
        }
    }
}

fn document(
    pending: &[&RevisionId],
    edits: &[Edit],
    missing: &[RevisionId],
    stopped: &[(&RevisionId, Unfinished)],
    differences: &[Value],
) -> Value {
    let names = |ids: &mut dyn Iterator<Item = &RevisionId>| ids.map(|id| id.as_str().to_owned()).collect::<Vec<_>>();
    let edited: Vec<Value> = edits
        .iter()
        .map(|edit| {
            json!({
                "revision": edit.revision.as_str(),
                "file": edit.file,
                "what": edit.what.name(),
                "cosmetic": edit.cosmetic,
            })
        })
        .collect();
    let unfinished: Vec<Value> = stopped
        .iter()
        .map(|(id, at)| json!({"revision": id.as_str(), "direction": at.direction.name(), "statements": at.statements, "begun": at.begun}))
        .collect();
    json!({
        "pending": names(&mut pending.iter().copied()),
        "edited": edited,
        "missing": names(&mut missing.iter()),
        "unfinished": unfinished,
        "differences": differences,
    })
}

fn difference(difference: &Difference) -> Value {
    let mut value = json!({
        "kind": format!("{}_{}", difference.how.name(), difference.kind),
        "object": difference.name,
        "sql": difference.want,
    });
    if !difference.schema.is_empty() {
        value["schema"] = json!(difference.schema);
    }
    if difference.kind == "table" {
        value["table"] = json!(difference.name);
    }
    value
}

fn words(
    graph: &RevisionGraph,
    plan: &Plan,
    edits: &[Edit],
    missing: &[RevisionId],
    project: &Project,
    ui: &mut Ui<'_>,
) {
    for step in &plan.steps {
        let line = text::line(graph, step.node, &[], ui);
        ui.line(&format!("pending  {line}"));
    }
    for edit in edits {
        let id = ui.paint(ID, edit.revision.as_str());
        let how = if edit.cosmetic {
            "  (only comments, layout or message)"
        } else if !project.root.join(&edit.file).exists() {
            "  (the file is gone)"
        } else {
            ""
        };
        ui.line(&format!("edited   {id}  {}{how}", edit.file));
    }
    for id in missing {
        let id = ui.paint(WARN, id.as_str());
        ui.line(&format!("missing  {id}  is applied, and no file holds it"));
    }
}

pub(super) fn repair(session: &mut Session<'_>, args: &Repair, ui: &mut Ui<'_>) -> Result<u8> {
    let settles = args.ran || args.not_run;
    if settles && args.revisions.len() != 1 {
        return Err(
            Error::new(Code::Usage, "it is said of one revision whether its statement has run")
                .help("see which one: sqlrev check"),
        );
    }
    if !args.accept && !settles {
        return Err(Error::new(
            Code::Usage,
            "`repair` changes the version table only when it is told how",
        )
        .help("see what was edited: sqlrev check")
        .help("take the files as they are now for what was applied: sqlrev repair --accept"));
    }
    let mut history = session.history()?;
    // One whose files are gone may have stopped half-way as well.
    if settles && let Some(mut driver) = session.open_to_read(&history)? {
        session.look(&mut history, &mut *driver, ui)?;
    }
    let graph = history.graph()?;
    let mut ids = Vec::new();
    for word in &args.revisions {
        let target: Target = word.parse()?;
        ids.push(graph.id(read::one(graph, None, &target)?).clone());
    }
    let timeout = Session::timeout(&history, args.lock.lock_timeout)?;
    let Some(_) = session.open_to_read(&history)? else {
        return Err(
            Error::new(Code::Connect, "there is no database yet, so nothing is applied").help("sqlrev upgrade"),
        );
    };
    let mut driver = session.open_to_write(&history)?;
    let mut silent = |_: Event<'_>| {};
    let patience = session.patience(timeout);
    let mut executor = session.executor(&history, graph, &mut *driver, patience, &mut silent);
    if let (true, [id]) = (settles, ids.as_slice()) {
        let statements = executor.settle_begun(id, args.ran)?;
        if ui.json {
            ui.value(&json!({"accepted": [], "settled": {"revision": id.as_str(), "statements": statements}}));
        } else {
            ui.line(&format!(
                "settled  {id}  the next run goes on after statement {statements}"
            ));
        }
        return Ok(0);
    }
    let accepted = executor.accept(&ids)?;
    if ui.json {
        let accepted: Vec<&str> = accepted.iter().map(RevisionId::as_str).collect();
        ui.value(&json!({ "accepted": accepted }));
    } else if accepted.is_empty() {
        ui.say("nothing to accept: the files are what was applied");
    } else {
        for id in &accepted {
            ui.say(&format!("accepted {id}"));
        }
    }
    Ok(0)
}
