//! `test`: each revision up, down and up again on a scratch database.

use serde_json::json;

use crate::cli::args::{self, Format};
use crate::cli::scratch;
use crate::cli::session::Session;
use crate::cli::ui::{GOOD, ID, Ui, WARN};
use crate::cli::{FOUND, text};
use crate::code::Code;
use crate::error::{Error, Result};
use crate::execute::event::Event;
use crate::execute::test::Finding;
use crate::revision::graph::RevisionGraph;
use crate::revision::history::history as history_of;
use crate::revision::nodes::{Node, NodeSet};
use crate::revision::target::TargetRange;
use crate::version::Row;

pub(crate) fn test(session: &mut Session<'_>, args: &args::Test, ui: &mut Ui<'_>) -> Result<u8> {
    let range = args.range.as_deref().map(str::parse::<TargetRange>).transpose()?;
    let mut history = session.history()?;
    let graph = history.graph()?;
    let wanted = history_of(graph, range.as_ref(), None)?;
    if !history.dialect.compares_schemas() {
        let message = format!(
            "there are no scratch databases of {} to test on",
            history.dialect.name()
        );
        return Err(Error::new(Code::UnsupportedDatabase, message)
            .help("try the revisions on a database of their own: sqlrev upgrade --url URL"));
    }
    let needed = graph.ancestors(wanted.iter().copied());
    let order: Vec<Node> = graph
        .order()
        .iter()
        .copied()
        .filter(|node| needed.contains(*node))
        .collect();
    let junit = session.global.format == Format::Junit;
    let mut findings: Vec<Finding> = Vec::new();
    let mut suite = Vec::new();
    let mut done = NodeSet::new(graph.len());
    let mut tested = 0;
    // What stands on a revision that cannot come again is tested on another database, where it was not taken back.
    while order.iter().any(|node| wanted.contains(node) && !done.contains(*node)) {
        let mut scratch = scratch::one(session, &history)?;
        session.interrupts(scratch.interrupter());
        let mut silent = |_: Event<'_>| {};
        let patience = session.patience(history.project.config.lock_timeout);
        let mut executor = session.executor(&history, graph, &mut *scratch, patience, &mut silent);
        executor.lent.no_code = true;
        for node in order.iter().copied() {
            let again = done.contains(node);
            if again || !wanted.contains(&node) {
                executor.apply_alone(node, again).map_err(on_scratch)?;
                continue;
            }
            let found = match executor.try_revision(node).map_err(on_scratch) {
                Err(error) if junit => {
                    suite.push(junit_error(graph, node, &error));
                    junit_suite(&suite, ui);
                    return Err(error);
                }
                found => found?,
            };
            done.insert(node);
            tested += 1;
            if junit {
                suite.push(junit_case(graph, node, &found));
            } else if !ui.json {
                tell(graph, node, &found, ui);
                ui.flush();
            }
            findings.extend(found);
            let whole = |row: &Row| row.id == *graph.id(node) && row.unfinished.is_none();
            if !executor.look()?.rows.iter().any(whole) {
                break;
            }
        }
    }
    if ui.json {
        ui.value(&document(&findings, tested));
    } else if junit {
        junit_suite(&suite, ui);
    } else {
        ui.say(&format!("{tested} tested, {} found", findings.len()));
    }
    Ok(if findings.is_empty() { 0 } else { FOUND })
}

/// What a failed run says of its database is no news of a scratch database, which is gone.
fn on_scratch(error: Error) -> Error {
    match error.state_line() {
        Some(_) => error.state("it ran on a scratch database, which is gone; yours was not touched"),
        None => error,
    }
}

fn document(findings: &[Finding], tested: usize) -> serde_json::Value {
    let findings: Vec<_> = findings
        .iter()
        .map(|finding| {
            json!({
                "revision": finding.revision.as_str(),
                "message": finding.what,
                "difference": finding.difference,
            })
        })
        .collect();
    json!({ "tested": tested, "findings": findings })
}

/// All of them, in the form that build servers read (`JUnit`'s, by custom).
fn junit_suite(cases: &[String], ui: &mut Ui<'_>) {
    let count = |mark: &str| cases.iter().filter(|case| case.contains(mark)).count();
    let (failures, errors) = (count("<failure"), count("<error"));
    let counts = format!("tests=\"{}\" failures=\"{failures}\" errors=\"{errors}\"", cases.len());
    ui.line("<?xml version=\"1.0\" encoding=\"UTF-8\"?>");
    ui.line(&format!(
        "<testsuites {counts}>\n  <testsuite name=\"sqlrev\" {counts}>"
    ));
    for case in cases {
        ui.line(case);
    }
    ui.line("  </testsuite>\n</testsuites>");
}

/// A revision that could not be tried.
fn junit_error(graph: &RevisionGraph, node: Node, error: &Error) -> String {
    let revision = graph.revision(node);
    let name = escaped(&format!("{} {}", revision.id(), revision.header.message));
    let file = escaped(revision.file_name());
    let labels: Vec<&str> = error.labels().iter().map(|label| label.text.as_str()).collect();
    let (message, more) = (escaped(error.message()), escaped(&labels.join("; ")));
    format!(
        "    <testcase classname=\"{file}\" name=\"{name}\">\n      <error message=\"{message}\">{more}</error>\n    </testcase>"
    )
}

/// A revision as a test case.
fn junit_case(graph: &RevisionGraph, node: Node, found: &[Finding]) -> String {
    let revision = graph.revision(node);
    let name = escaped(&format!("{} {}", revision.id(), revision.header.message));
    let file = escaped(revision.file_name());
    if found.is_empty() {
        return format!("    <testcase classname=\"{file}\" name=\"{name}\"/>");
    }
    let mut out = format!("    <testcase classname=\"{file}\" name=\"{name}\">\n");
    for finding in found {
        let (what, difference) = (escaped(&finding.what), escaped(&finding.difference));
        out.push_str(&format!("      <failure message=\"{what}\">{difference}</failure>\n"));
    }
    out + "    </testcase>"
}

/// A text as XML has it, in an element or an attribute; what XML cannot hold becomes U+FFFD.
fn escaped(text: &str) -> String {
    let mut out = String::with_capacity(text.len());
    for letter in text.chars() {
        match letter {
            '&' => out.push_str("&amp;"),
            '<' => out.push_str("&lt;"),
            '>' => out.push_str("&gt;"),
            '"' => out.push_str("&quot;"),
            '\n' | '\t' => out.push_str(&format!("&#{};", u32::from(letter))),
            letter if letter.is_control() => out.push(char::REPLACEMENT_CHARACTER),
            letter => out.push(letter),
        }
    }
    out
}

/// A line for a revision, and what was found of it.
fn tell(graph: &RevisionGraph, node: Node, findings: &[Finding], ui: &mut Ui<'_>) {
    let line = text::line(graph, node, &[], ui);
    let verdict = if findings.is_empty() {
        ui.paint(GOOD, "ok")
    } else {
        ui.paint(WARN, "found")
    };
    ui.line(&format!("{verdict}  {line}"));
    for finding in findings {
        let id = ui.paint(ID, finding.revision.as_str());
        ui.line(&format!("    {id}: {}", finding.what));
        for line in finding.difference.lines() {
            ui.line(&format!("      {line}"));
        }
    }
}
