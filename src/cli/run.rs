//! `upgrade`, `downgrade`, `stamp` and `plan`.

use crate::cli::args::{self, PlanKind, Run};
use crate::cli::compare::{self, Compare};
use crate::cli::progress::Progress;
use crate::cli::session::{History, Session};
use crate::cli::ui::Ui;
use crate::cli::{FOUND, backup, json, script, text};
use crate::code::Code;
use crate::driver::{self, Driver};
use crate::error::{Error, Result};
use crate::execute::event::Event;
use crate::execute::piece;
use crate::execute::script::Recorder;
use crate::execute::seen::Seen;
use crate::execute::size;
use crate::execute::{Executor, Report};
use crate::project::{DatabaseUrl, SqliteUrl};
use crate::revision::applied::Applied;
use crate::revision::graph::RevisionGraph;
use crate::revision::nodes::Node;
use crate::revision::plan::Plan;
use crate::revision::resolve::Command;
use crate::revision::target::{Symbol, Target, TargetRange};

pub(crate) fn upgrade(session: &mut Session<'_>, args: &args::Upgrade, ui: &mut Ui<'_>) -> Result<u8> {
    if args.fleet.jobs.is_some() || args.fleet.canary.is_some() {
        return Err(
            Error::new(Code::Usage, "`--jobs` and `--canary` are for many databases")
                .help("name them: --each 'tenants/*.db', or --each-from FILE"),
        );
    }
    if args.run.sql {
        return script::write(session, PlanKind::Upgrade, &args.targets, ui);
    }
    no_range(&args.targets)?;
    let targets = targets(&args.targets)?;
    let mut history = session.history()?;
    if args.run.dry_run {
        return dry_run(session, history, PlanKind::Upgrade, &targets, false, ui);
    }
    let graph = history.graph()?;
    // What can be refused without the database is refused before its file is made.
    if not_there_yet(&history)? {
        Plan::upgrade(graph, &Applied::none(graph), &targets)?;
    }
    execute(session, &history, graph, &args.run, "upgrade", ui, |executor| {
        executor.upgrade(&targets)
    })
}

pub(crate) fn downgrade(session: &mut Session<'_>, args: &args::Downgrade, ui: &mut Ui<'_>) -> Result<u8> {
    let words = std::slice::from_ref(&args.target);
    if args.run.sql {
        return script::write(session, PlanKind::Downgrade, words, ui);
    }
    no_range(words)?;
    let target: Target = args.target.parse()?;
    let mut history = session.history()?;
    if args.run.dry_run {
        return dry_run(session, history, PlanKind::Downgrade, &[target], false, ui);
    }
    // The first look waits as long as the run would.
    history.project.config.lock_timeout = Session::timeout(&history, args.run.lock.lock_timeout)?;
    let seen = session.look_if_there(&mut history, ui)?;
    let graph = history.graph()?;
    if not_there_yet(&history)? {
        let plan = Plan::downgrade(graph, &seen.in_graph(graph)?, &target)?;
        return done(
            &Report {
                from: plan.from.ids(),
                to: plan.to.ids(),
                steps: Vec::new(),
                purged: Vec::new(),
                whole: Vec::new(),
            },
            "downgrade",
            &history,
            ui,
        );
    }
    execute(session, &history, graph, &args.run, "downgrade", ui, |executor| {
        executor.downgrade(&target)
    })
}

pub(crate) fn stamp(session: &mut Session<'_>, args: &args::Stamp, ui: &mut Ui<'_>) -> Result<u8> {
    if args.sql {
        return script::write(session, PlanKind::Stamp, &args.targets, ui);
    }
    no_range(&args.targets)?;
    let targets = targets(&args.targets)?;
    let mut history = session.history()?;
    let graph = history.graph()?;
    if not_there_yet(&history)? {
        Plan::stamp(graph, &Applied::none(graph), &targets, args.purge)?;
    }
    if args.verify && !verified(session, &history, graph, &targets, args.purge, ui)? {
        return Ok(FOUND);
    }
    let timeout = Session::timeout(&history, args.lock.lock_timeout)?;
    let mut driver = session.open_to_write(&history)?;
    let mut silent = |_: Event<'_>| {};
    let patience = session.patience(timeout);
    let mut executor = session.executor(&history, graph, &mut *driver, patience, &mut silent);
    let report = executor.stamp_to(&targets, args.purge)?;
    if ui.json {
        ui.value(&json::report(&report, "stamp", history.dialect));
    } else {
        ui.say(&format!(
            "stamped {} -> {}",
            text::heads(&report.from),
            text::heads(&report.to)
        ));
        let purged = report.purged.iter().filter(|id| graph.node(id.as_str()).is_some());
        for id in purged.chain(&report.whole) {
            ui.say(&format!("revision {id} is no longer half-way"));
        }
    }
    Ok(0)
}

/// Whether the database holds what the revisions build that it is to be stamped with; prints the difference otherwise.
fn verified(
    session: &Session<'_>,
    history: &History,
    graph: &RevisionGraph,
    targets: &[Target],
    purge: bool,
    ui: &mut Ui<'_>,
) -> Result<bool> {
    let compare = Compare::new(session, history, graph)?;
    let Some(mut driver) = session.open_to_read(history)? else {
        return Err(
            Error::new(Code::Connect, "there is no database yet, so there is nothing to verify").help("sqlrev upgrade"),
        );
    };
    let live = compare.held(&mut *driver)?;
    let mut silent = |_: Event<'_>| {};
    let patience = session.patience(history.project.config.lock_timeout);
    let mut executor = session.executor(history, graph, &mut *driver, patience, &mut silent);
    let seen = executor.look()?;
    let plan = executor.plan_stamp(&seen, targets, purge)?;
    let nodes: Vec<Node> = plan.to.ids().iter().filter_map(|id| graph.node(id.as_str())).collect();
    let built = compare.built(&graph.ancestors(nodes), ui)?;
    let pieces = compare.lead(&live, &built, &[])?;
    if pieces.is_empty() {
        return Ok(true);
    }
    if ui.json {
        let differences: Vec<_> = pieces.iter().map(compare::difference).collect();
        ui.value(&serde_json::json!({"stamped": false, "differences": differences}));
    } else {
        ui.write(piece::script(&pieces, history.dialect).as_bytes());
        ui.say(&format!(
            "not stamped: this leads from the database to what {} builds",
            text::heads(&plan.to.ids())
        ));
    }
    Ok(false)
}

pub(crate) fn plan(session: &mut Session<'_>, args: &args::Plan, ui: &mut Ui<'_>) -> Result<u8> {
    if args.purge && args.direction != PlanKind::Stamp {
        let message = format!("`--purge` belongs to a stamp, and not to plan {}", name(args.direction));
        return Err(Error::new(Code::Usage, message).help("leave it out, or: sqlrev plan stamp TARGET --purge"));
    }
    let ranged = args.targets.iter().any(|word| word.contains(':'));
    let mut history = session.history()?;
    let command = kind_command(args.direction);
    if ranged {
        if args.from.is_some() {
            let message = "a range says where it begins, and so does `--from`";
            return Err(Error::new(Code::Usage, message).help("leave one of them out"));
        }
        let graph = history.graph()?;
        let planned = range_plan(graph, args.direction, &args.targets)?;
        return show_offline(session, &history, graph, args.direction, &planned, ui);
    }
    let targets = targets(&args.targets)?;
    let Some(from) = &args.from else {
        return dry_run(session, history, args.direction, &targets, args.purge, ui);
    };
    let graph = history.graph()?;
    let known = |word: &&String| !args.purge || graph.names().find(word).is_some();
    let from: Vec<Target> = from
        .iter()
        .filter(|word| !word.is_empty())
        .filter(known)
        .map(|word| word.parse())
        .collect::<Result<_>>()?;
    let applied = Applied::from_heads(graph, &from, command)?;
    let plan = make_plan(graph, &applied, args.direction, &targets, args.purge)?;
    show_offline(session, &history, graph, args.direction, &(plan, applied), ui)
}

fn kind_command(kind: PlanKind) -> Command {
    match kind {
        PlanKind::Upgrade => Command::Upgrade,
        PlanKind::Downgrade => Command::Downgrade,
        PlanKind::Stamp => Command::Stamp,
    }
}

pub(super) fn name(kind: PlanKind) -> &'static str {
    match kind {
        PlanKind::Upgrade => "upgrade",
        PlanKind::Downgrade => "downgrade",
        PlanKind::Stamp => "stamp",
    }
}

pub(super) fn make_plan(
    graph: &RevisionGraph,
    applied: &Applied,
    kind: PlanKind,
    targets: &[Target],
    purge: bool,
) -> Result<Plan> {
    match kind {
        PlanKind::Upgrade => Plan::upgrade(graph, applied, targets),
        PlanKind::Stamp => Plan::stamp(graph, applied, targets, purge),
        PlanKind::Downgrade => {
            let [target] = targets else {
                return Err(Error::new(Code::Usage, "a downgrade goes to one target").help("name one"));
            };
            let plan = Plan::downgrade(graph, applied, target)?;
            plan.check_reversible(graph)?;
            Ok(plan)
        }
    }
}

/// The plan of a range, and what is applied where it begins.
pub(super) fn range_plan(graph: &RevisionGraph, kind: PlanKind, words: &[String]) -> Result<(Plan, Applied)> {
    let [word] = words else {
        return Err(Error::new(Code::Usage, "a range stands alone").help(format!("sqlrev plan {} A:B", name(kind))));
    };
    let range: TargetRange = word.parse()?;
    let plan = match kind {
        PlanKind::Upgrade => Plan::upgrade_range(graph, &range)?,
        PlanKind::Downgrade => Plan::downgrade_range(graph, &range)?,
        PlanKind::Stamp => Plan::stamp_range(graph, &range)?,
    };
    if kind == PlanKind::Downgrade {
        plan.check_reversible(graph)?;
    }
    let from: Vec<Target> = plan.from.ids().iter().map(|id| Target::id(id.as_str())).collect();
    let applied = Applied::from_heads(graph, &from, kind_command(kind))?;
    Ok((plan, applied))
}

/// Targets that are no ranges: without `--sql`, where to begin is what the database says.
pub(super) fn no_range(words: &[String]) -> Result<()> {
    let Some(word) = words.iter().find(|word| word.contains(':')) else {
        return Ok(());
    };
    word.parse::<TargetRange>()?;
    let end = word.rsplit(':').next().unwrap_or_default();
    Err(
        Error::new(Code::Usage, format!("a range such as `{word}` is for --sql and plan")).help(format!(
            "the database says where to begin; name only where to go: {end}"
        )),
    )
}

pub(super) fn targets(words: &[String]) -> Result<Vec<Target>> {
    words.iter().map(|word| word.parse()).collect()
}

/// Whether the database is an SQLite file that is not there.
fn not_there_yet(history: &History) -> Result<bool> {
    Ok(match history.project.url()? {
        DatabaseUrl::Sqlite(SqliteUrl { path: Some(path), .. }) => !path.exists(),
        _ => false,
    })
}

fn execute(
    session: &Session<'_>,
    history: &History,
    graph: &RevisionGraph,
    run: &Run,
    command: &str,
    ui: &mut Ui<'_>,
    action: impl FnOnce(&mut Executor<'_>) -> Result<Report>,
) -> Result<u8> {
    let timeout = Session::timeout(history, run.lock.lock_timeout)?;
    let dump = history.project.dump_path()?;
    let mut driver = session.open_to_write(history)?;
    let watch = ui.live && !ui.quiet;
    let report = {
        let mut progress = Progress::new(ui);
        let mut hear = |event: Event<'_>| progress.hear(&event);
        let patience = session.patience(timeout);
        let mut executor = session.executor(history, graph, &mut *driver, patience, &mut hear);
        executor.single_transaction = run.single_transaction;
        executor.clean_invalid = run.clean_invalid;
        executor.watch = watch;
        let backup = backup::configured(session, history, run.backup);
        executor.lent.first = Some(&backup);
        let report = action(&mut executor);
        session.interrupts(None);
        report
    };
    let report = match report {
        Ok(report) => report,
        Err(error) => {
            // Steps before the one that failed may be done. What failed first is what is told.
            if let Some(path) = dump {
                let _ = compare::keep_dump(history, &mut *driver, &path);
            }
            return Err(error);
        }
    };
    if let Some(path) = dump.filter(|_| !report.steps.is_empty()) {
        compare::keep_dump(history, &mut *driver, &path)
            .map_err(|error| error.state("the steps are done; the file under `schema_dump` was not written"))?;
    }
    done(&report, command, history, ui)
}

fn done(report: &Report, command: &str, history: &History, ui: &mut Ui<'_>) -> Result<u8> {
    if ui.json {
        ui.value(&json::report(report, command, history.dialect));
    } else if report.steps.is_empty() {
        ui.say(&format!(
            "nothing to do: the database is at {}",
            text::heads(&report.from)
        ));
    }
    Ok(0)
}

/// The plan from where the database is, which is read and left alone.
fn dry_run(
    session: &Session<'_>,
    mut history: History,
    kind: PlanKind,
    targets: &[Target],
    purge: bool,
    ui: &mut Ui<'_>,
) -> Result<u8> {
    let mut driver = session.open_to_read(&history)?;
    let seen = match &mut driver {
        Some(driver) if kind == PlanKind::Downgrade => session.look(&mut history, &mut **driver, ui)?,
        Some(driver) => {
            let mut rest = std::mem::take(&mut history.revisions);
            let seen = session.look(&mut history, &mut **driver, ui);
            std::mem::swap(&mut history.revisions, &mut rest);
            seen?
        }
        None => Seen::default(),
    };
    let graph = history.graph()?;
    let (mut purged, mut whole) = (Vec::new(), Vec::new());
    let (plan, applied) = if let Some(driver) = &mut driver {
        let mut silent = |_: Event<'_>| {};
        let patience = session.patience(history.project.config.lock_timeout);
        let mut executor = session.executor(&history, graph, &mut **driver, patience, &mut silent);
        let plan = match kind {
            PlanKind::Upgrade => executor.plan_upgrade(&seen, targets)?,
            PlanKind::Downgrade => match targets {
                [target] => executor.plan_downgrade(&seen, target)?,
                _ => make_plan(graph, &Applied::none(graph), kind, targets, purge)?,
            },
            PlanKind::Stamp => {
                purged = executor.purged(&seen, targets, purge)?;
                let plan = executor.plan_stamp(&seen, targets, purge)?;
                whole = executor.whole_again(&seen, targets, purge, &plan)?;
                plan
            }
        };
        (plan, Applied::known(graph, seen.applied()).0)
    } else {
        let applied = Applied::none(graph);
        (make_plan(graph, &applied, kind, targets, purge)?, applied)
    };
    let mut recorder = recorder(&history, graph, &session.user);
    recorder.offline = false;
    let mut report = match (kind, &mut driver) {
        (PlanKind::Stamp, _) => Report {
            purged,
            whole,
            ..recorder.stamp_report(&plan)?
        },
        (_, None) => recorder.report(&plan, &applied)?,
        (_, Some(driver)) => {
            let mut silent = |_: Event<'_>| {};
            let patience = session.patience(history.project.config.lock_timeout);
            let mut executor = session.executor(&history, graph, &mut **driver, patience, &mut silent);
            let basis = executor.basis(&seen, &plan)?;
            recorder.report_on(&plan, &applied, basis)?
        }
    };
    if let Some(driver) = &mut driver {
        size::measure(&mut report, &mut **driver);
    }
    print_plan(&report, kind, &history, graph, ui);
    Ok(0)
}

/// Shows the plan of a script, for which no database was asked.
fn show_offline(
    session: &Session<'_>,
    history: &History,
    graph: &RevisionGraph,
    kind: PlanKind,
    (plan, applied): &(Plan, Applied),
    ui: &mut Ui<'_>,
) -> Result<u8> {
    let recorder = recorder(history, graph, &session.user);
    let report = match kind {
        PlanKind::Stamp => recorder.stamp_report(plan)?,
        _ => recorder.report(plan, applied)?,
    };
    print_plan(&report, kind, history, graph, ui);
    Ok(0)
}

fn print_plan(report: &Report, kind: PlanKind, history: &History, graph: &RevisionGraph, ui: &mut Ui<'_>) {
    if ui.json {
        ui.value(&json::report(report, name(kind), history.dialect));
    } else {
        text::plan(report, graph, name(kind), ui);
    }
}

pub(super) fn recorder<'r>(history: &'r History, graph: &'r RevisionGraph, by: &'r str) -> Recorder<'r> {
    Recorder {
        graph,
        sources: &history.project,
        table: history.table.clone(),
        enter: history.dialect.enter(&history.schemas),
        dialect: history.dialect,
        scratch: &|| driver::sqlite::memory().map(|db| Box::new(db) as Box<dyn Driver>),
        by,
        offline: true,
    }
}

/// `head` as it stands when nothing else is said.
pub(crate) fn all_heads() -> Target {
    Target::symbol(Symbol::Heads)
}
