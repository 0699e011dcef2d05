//! Plans and revisions in words.

use crate::cli::ui::{DIM, GOOD, ID, LABEL, Ui};
use crate::dialect::{COPY, Size};
use crate::execute::shown::{Kind, Shown};
use crate::execute::size::in_words;
use crate::execute::{Ran, Report};
use crate::revision::graph::RevisionGraph;
use crate::revision::nodes::Node;
use crate::revision::{BranchLabel, Direction, RevisionId, Transaction};

/// The longest statement that a plan shows whole, in lines.
const LINES: usize = 12;

/// The heads as a plan names them.
pub(crate) fn heads(ids: &[RevisionId]) -> String {
    if ids.is_empty() {
        return "base".to_owned();
    }
    ids.iter().map(RevisionId::as_str).collect::<Vec<_>>().join(", ")
}

/// A plan, step by step, each with its statements.
pub(crate) fn plan(report: &Report, graph: &RevisionGraph, verb: &str, ui: &mut Ui<'_>) {
    if report.steps.is_empty() && report.purged.is_empty() && report.whole.is_empty() {
        ui.line(&format!("nothing to do: the database is at {}", heads(&report.from)));
        return;
    }
    ui.line(&format!("{verb} {} -> {}", heads(&report.from), heads(&report.to)));
    for purged in &report.purged {
        ui.line("");
        let id = ui.paint(ID, purged.as_str());
        let why = match graph.node(purged.as_str()) {
            Some(_) => "stopped half-way",
            None => "is in no file",
        };
        ui.line(&format!("take away {id}  ({why})"));
    }
    for id in &report.whole {
        ui.line("");
        let id = ui.paint(ID, id.as_str());
        ui.line(&format!("keep {id}  (its way down stopped half-way)"));
    }
    for ran in &report.steps {
        ui.line("");
        let revision = graph.revision(ran.step.node);
        let id = ui.paint(ID, ran.step.revision.as_str());
        let alone = if ran.transaction == Transaction::None {
            "  (without a transaction)"
        } else {
            ""
        };
        // A stamp runs nothing: rows come and go.
        let does = match (verb, ran.step.direction) {
            ("stamp", Direction::Upgrade) => "add",
            ("stamp", Direction::Downgrade) => "take away",
            (_, direction) => direction.name(),
        };
        ui.line(&format!("{does} {id}  {}{alone}", first_line(&revision.header.message)));
        statements(ran, ui);
    }
    ui.line("");
    let count = report.steps.len() + report.purged.len() + report.whole.len();
    ui.line(&format!("{count} {}", if count == 1 { "step" } else { "steps" }));
}

fn statements(ran: &Ran, ui: &mut Ui<'_>) {
    let mut last: Option<String> = None;
    for shown in ran.statements.iter().filter(|shown| shown.kind != Kind::Version) {
        let way = way(shown);
        if let Some(way) = way.as_ref().filter(|_| last != way) {
            let line = ui.paint(DIM, &format!("    -- {way}"));
            ui.line(&line);
        }
        last = way;
        let total = shown.sql.lines().count();
        for line in shown.sql.lines().take(LINES) {
            ui.line(&format!("    {line}"));
        }
        if total > LINES {
            ui.line(&format!("    … {} more lines", total - LINES));
        }
    }
    for notice in &ran.notices {
        let line = ui.paint(DIM, &format!("    -- note: {notice}"));
        ui.line(&line);
    }
}

/// How a batch plan does it, and why.
fn way(shown: &Shown) -> Option<String> {
    let (table, strategy) = (shown.table.as_deref()?, shown.strategy?);
    let reason = shown
        .reason
        .as_deref()
        .map(|reason| format!(": {reason}"))
        .unwrap_or_default();
    Some(match strategy {
        COPY => format!("{table} is copied{}{reason}", shown.size.map(size).unwrap_or_default()),
        "in_place" => format!("{table} is edited in place{reason}"),
        "index" => format!("{table} gets an index{reason}"),
        _ => format!("{table}{reason}"),
    })
}

/// How large a table is that is copied, and what that takes.
fn size(size: Size) -> String {
    let rows = if size.rows == 1 { "row" } else { "rows" };
    format!(
        " ({} {rows}, {}; takes {} of disk)",
        size.rows,
        in_words(size.bytes),
        in_words(size.disk)
    )
}

/// A revision in one line: its id, labels, what it is, its message.
pub(crate) fn line(graph: &RevisionGraph, node: Node, extra: &[&str], ui: &Ui<'_>) -> String {
    let header = &graph.revision(node).header;
    let mut out = ui.paint(ID, header.id.as_str());
    if !header.branch_labels.is_empty() {
        let labels: Vec<&str> = header.branch_labels.iter().map(BranchLabel::as_str).collect();
        out.push_str(&format!(" {}", ui.paint(LABEL, &format!("({})", labels.join(", ")))));
    }
    for word in extra {
        out.push_str(&format!(" {}", ui.paint(GOOD, &format!("({word})"))));
    }
    out.push_str("  ");
    out.push_str(first_line(&header.message));
    out.trim_end().to_owned()
}

/// The first line of a message.
pub(crate) fn first_line(message: &str) -> &str {
    message.lines().next().unwrap_or_default()
}
