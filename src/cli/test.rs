//! `test`: each revision up, down and up again on a scratch database.

use serde_json::json;

use crate::cli::args;
use crate::cli::session::Session;
use crate::cli::ui::{GOOD, ID, Ui, WARN};
use crate::cli::{FOUND, text};
use crate::driver;
use crate::error::{Error, Result};
use crate::execute::event::Event;
use crate::execute::test::Finding;
use crate::revision::history::history as history_of;
use crate::revision::target::TargetRange;

pub(crate) fn test(session: &mut Session<'_>, args: &args::Test, ui: &mut Ui<'_>) -> Result<u8> {
    let range = args.range.as_deref().map(str::parse::<TargetRange>).transpose()?;
    let mut history = session.history()?;
    let graph = history.graph()?;
    let wanted = history_of(graph, range.as_ref(), None)?;
    let mut scratch =
        driver::sqlite::memory().map_err(|error| Error::new(crate::code::Code::Connect, error.message))?;
    if driver::Driver::dialect(&scratch).name() != history.dialect.name() {
        let message = format!(
            "there are no scratch databases of {} to test on",
            history.dialect.name()
        );
        return Err(Error::new(crate::code::Code::UnsupportedDatabase, message)
            .help("try the revisions on a database of their own: sqlrev upgrade --url URL"));
    }
    session.cancel.set_interrupter(driver::Driver::interrupter(&scratch));
    let mut silent = |_: Event<'_>| {};
    let patience = session.patience(history.project.config.lock_timeout);
    let mut executor = session.executor(&history, graph, &mut scratch, patience, &mut silent);
    executor.lent.no_code = true;
    let needed = graph.ancestors(wanted.iter().copied());
    let mut findings: Vec<Finding> = Vec::new();
    let mut tested = 0;
    for node in graph.order().iter().copied().filter(|node| needed.contains(*node)) {
        if !wanted.contains(&node) {
            executor.apply_alone(node)?;
            continue;
        }
        let found = executor.try_revision(node)?;
        tested += 1;
        if !ui.json {
            let line = text::line(graph, node, &[], ui);
            let verdict = if found.is_empty() {
                ui.paint(GOOD, "ok")
            } else {
                ui.paint(WARN, "found")
            };
            ui.line(&format!("{verdict}  {line}"));
            tell(&found, ui);
        }
        findings.extend(found);
        if !executor.look()?.applied().any(|id| id == graph.id(node)) {
            // The revisions after it have nothing to stand on.
            break;
        }
    }
    if ui.json {
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
        ui.value(&json!({ "tested": tested, "findings": findings }));
    } else {
        ui.say(&format!("{tested} tested, {} found", findings.len()));
    }
    Ok(if findings.is_empty() { 0 } else { FOUND })
}

fn tell(findings: &[Finding], ui: &mut Ui<'_>) {
    for finding in findings {
        let id = ui.paint(ID, finding.revision.as_str());
        ui.line(&format!("    {id}: {}", finding.what));
        for line in finding.difference.lines() {
            ui.line(&format!("      {line}"));
        }
    }
}
