//! `current`, `heads`, `branches`, `history` and `show`: they read, and create nothing.

use crate::cli::args;
use crate::cli::compare::Compare;
use crate::cli::graph::{self, Role};
use crate::cli::session::Session;
use crate::cli::ui::{DIM, GOOD, ID, LABEL, Ui, WARN, paint};
use crate::cli::{FOUND, json, text};
use crate::code::Code;
use crate::error::{Error, Result};
use crate::execute::declared;
use crate::revision::applied::Applied;
use crate::revision::graph::RevisionGraph;
use crate::revision::history::history as history_of;
use crate::revision::nodes::Node;
use crate::revision::resolve::{Command, Resolver};
use crate::revision::target::{Symbol, Target, TargetRange};
use crate::revision::{BranchLabel, RevisionId};

pub(crate) fn current(session: &mut Session<'_>, args: &args::Current, ui: &mut Ui<'_>) -> Result<u8> {
    let mut history = session.history()?;
    let seen = session.look_if_there(&mut history, ui)?;
    let graph = history.graph()?;
    let applied = seen.in_graph(graph)?;
    let nodes = applied.current(graph);
    if ui.json {
        ui.value(&json::revisions(graph, &nodes, Some(&applied)));
    } else if nodes.is_empty() {
        ui.say("no revision is applied");
    } else {
        for node in &nodes {
            let head: &[&str] = if graph.is_head(*node) { &["head"] } else { &[] };
            let line = text::line(graph, *node, head, ui);
            ui.line(&line);
        }
    }
    for row in seen
        .rows
        .iter()
        .filter(|row| row.unfinished.is_some_and(|at| !at.has_done_nothing()))
    {
        let next = if row.unfinished.is_some_and(|at| at.begun) {
            "says what to do"
        } else {
            "goes on there"
        };
        ui.say(&format!(
            "revision {} is half-way; where no run is at it, the same command again {next}",
            row.id
        ));
    }
    let behind = graph.heads().iter().any(|head| !applied.contains(*head));
    if args.check_heads && behind {
        ui.say("the database is not at every head: sqlrev upgrade heads");
        return Ok(FOUND);
    }
    if args.check_heads {
        // What the version table alone knows is no head of the files.
        let mut history = session.history()?;
        let (_, missing) = Applied::known(history.graph()?, seen.applied());
        if let Some(id) = missing.first() {
            ui.say(&format!("revision {id} is applied, and no file holds it: sqlrev check"));
            return Ok(FOUND);
        }
    }
    Ok(0)
}

pub(crate) fn heads(session: &mut Session<'_>, args: &args::Heads, ui: &mut Ui<'_>) -> Result<u8> {
    let mut history = session.history()?;
    let graph = history.graph()?;
    let nodes = if args.resolve_dependencies {
        graph.effective_heads()
    } else {
        graph.heads()
    };
    if ui.json {
        ui.value(&json::revisions(graph, &nodes, None));
        return Ok(0);
    }
    if nodes.is_empty() {
        ui.say("there are no revisions: sqlrev revision -m TEXT writes the first one");
    }
    for node in nodes {
        let line = text::line(graph, node, &["head"], ui);
        ui.line(&line);
    }
    Ok(0)
}

pub(crate) fn branches(session: &mut Session<'_>, ui: &mut Ui<'_>) -> Result<u8> {
    let mut history = session.history()?;
    let graph = history.graph()?;
    let nodes = graph.branch_points();
    if ui.json {
        ui.value(&json::revisions(graph, &nodes, None));
        return Ok(0);
    }
    if nodes.is_empty() {
        ui.say("the history does not branch");
    }
    for node in nodes {
        let line = text::line(graph, node, &["branch point"], ui);
        ui.line(&line);
        for child in graph.down_children(node) {
            let line = text::line(graph, *child, &[], ui);
            ui.line(&format!("  -> {line}"));
        }
    }
    Ok(0)
}

pub(crate) fn history(session: &mut Session<'_>, args: &args::History, ui: &mut Ui<'_>) -> Result<u8> {
    let range = args.range.as_deref().map(str::parse::<TargetRange>).transpose()?;
    let mut history = session.history()?;
    let needed = args.indicate_current || range.as_ref().is_some_and(needs_database);
    let looked = if needed {
        session.look_if_there(&mut history, ui)
    } else {
        session.glance(&mut history, ui).map(Option::unwrap_or_default)
    };
    let seen = match looked {
        Ok(seen) => Some(seen),
        Err(error) if needed || error.code() == Code::Interrupted => return Err(error),
        Err(error) => {
            not_known(&error, ui);
            None
        }
    };
    let graph = history.graph()?;
    let applied = seen.as_ref().map(|seen| Applied::known(graph, seen.applied()).0);
    let nodes = history_of(graph, range.as_ref(), applied.as_ref())?;
    if ui.json {
        ui.value(&json::revisions(graph, &nodes, applied.as_ref()));
        return Ok(0);
    }
    if nodes.is_empty() {
        ui.say("there are no revisions here");
        return Ok(0);
    }
    let nodes = crate::revision::history::by_branch(graph, &nodes);
    draw(graph, &nodes, applied.as_ref(), ui);
    Ok(0)
}

/// Says why nobody knows what is applied: a revision that is not marked need not be pending.
fn not_known(error: &Error, ui: &mut Ui<'_>) {
    ui.say(&format!("what is applied is not known: {}", error.message()));
}

/// Whether an end of the range is meant from where the database is.
fn needs_database(range: &TargetRange) -> bool {
    let current = |end: &Target| end.symbol == Some(Symbol::Current);
    // Steps of the newer end are counted from the older one.
    let steps = |end: &Target| end.symbol.is_none();
    range.from.iter().chain(&range.to).any(current) || range.from.as_ref().is_some_and(steps)
}

fn draw(graph: &RevisionGraph, nodes: &[Node], applied: Option<&Applied>, ui: &mut Ui<'_>) {
    let options = graph::Options {
        width: Some(ui.width),
        unicode: ui.unicode,
        applied,
    };
    let color = ui.color_out;
    let mut out = String::new();
    graph::draw(graph, nodes, options, |line| {
        for segment in line {
            let style = match segment.role {
                Role::Edge | Role::Pending | Role::Dependency => DIM,
                Role::Applied | Role::Head => GOOD,
                Role::Id => ID,
                Role::Label => LABEL,
                Role::Current => WARN,
                Role::Message => anstyle::Style::new(),
            };
            if color {
                out.push_str(&paint(color, style, &segment.text));
            } else {
                out.push_str(&segment.text);
            }
        }
        let kept = out.trim_end().len();
        out.truncate(kept);
        out.push('\n');
    });
    ui.write(out.as_bytes());
}

pub(crate) fn show(session: &mut Session<'_>, args: &args::Show, ui: &mut Ui<'_>) -> Result<u8> {
    let target: Target = args.target.parse()?;
    let mut history = session.history()?;
    let needed = target.symbol == Some(Symbol::Current);
    let looked = if needed {
        session.look_if_there(&mut history, ui).map(Some)
    } else {
        session.glance(&mut history, ui)
    };
    let seen = match looked {
        Ok(seen) => seen,
        Err(error) if needed || error.code() == Code::Interrupted => return Err(error),
        Err(error) => {
            if error.code() != Code::ConfigNoUrl {
                not_known(&error, ui);
            }
            None
        }
    };
    let graph = history.graph()?;
    let applied = seen.as_ref().map(|seen| Applied::known(graph, seen.applied()).0);
    let nodes = Resolver::new(graph, applied.as_ref(), Command::Show).absolute(&target)?;
    if args.schema {
        let schema = Compare::new(session, &history, graph)?.built(&graph.ancestors(nodes), ui)?;
        if ui.json {
            ui.value(&serde_json::json!({ "schema": declared::text(&schema, history.dialect) }));
        } else {
            ui.write(declared::text(&schema, history.dialect).as_bytes());
        }
        return Ok(0);
    }
    if ui.json {
        ui.value(&json::revisions(graph, &nodes, applied.as_ref()));
        return Ok(0);
    }
    if nodes.is_empty() {
        ui.say("that is the base, before the first revision");
    }
    for node in nodes {
        details(graph, node, applied.as_ref(), ui);
    }
    Ok(0)
}

fn details(graph: &RevisionGraph, node: Node, applied: Option<&Applied>, ui: &mut Ui<'_>) {
    let revision = graph.revision(node);
    let header = &revision.header;
    let names = |ids: &[RevisionId]| ids.iter().map(RevisionId::as_str).collect::<Vec<_>>().join(", ");
    let mut kinds = Vec::new();
    for (is, word) in [
        (graph.is_head(node), "head"),
        (graph.is_base(node), "base"),
        (graph.is_branch_point(node), "branch point"),
        (graph.is_merge_point(node), "merge point"),
    ] {
        if is {
            kinds.push(word);
        }
    }
    let labels: Vec<&str> = header.branch_labels.iter().map(BranchLabel::as_str).collect();
    let depends: Vec<&str> = header.depends_on.iter().map(|id| &**id).collect();
    let children = graph.ids(graph.down_children(node).iter().copied());
    let applied = applied
        .map(|applied| if applied.contains(node) { "yes" } else { "no" })
        .unwrap_or_default();
    let downgrade = match (header.irreversible, revision.downgrade.is_some()) {
        (true, _) => "irreversible, as its header states",
        (false, false) => "irreversible: there is no downgrade file",
        (false, true) => "",
    };
    let id = ui.paint(ID, header.id.as_str());
    ui.line(&format!("revision       {id}"));
    for (name, value) in [
        ("message", header.message.to_string()),
        ("down_revision", names(&header.down_revisions)),
        ("depends_on", depends.join(", ")),
        ("branch_labels", labels.join(", ")),
        ("created", header.created.as_deref().unwrap_or_default().to_owned()),
        ("file", revision.file_name().to_owned()),
        ("next", names(&children)),
        ("it is", kinds.join(", ")),
        ("applied", applied.to_owned()),
        ("downgrade", downgrade.to_owned()),
    ] {
        if !value.is_empty() {
            let value = value.replace('\n', "\n               ");
            ui.line(&format!("{name:<15}{value}"));
        }
    }
}

/// A revision that a target stands for, when it must be exactly one.
pub(crate) fn one(graph: &RevisionGraph, applied: Option<&Applied>, target: &Target) -> Result<Node> {
    let node = Resolver::new(graph, applied, Command::Show).one(target)?;
    node.ok_or_else(|| {
        Error::new(Code::NotOneRevision, format!("`{target}` is no revision")).help("the ids: sqlrev history")
    })
}
