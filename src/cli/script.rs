//! `--sql`: the script of a plan.

use crate::cli::args::PlanKind;
use crate::cli::json;
use crate::cli::run::{make_plan, name, range_plan, recorder, targets};
use crate::cli::session::Session;
use crate::cli::ui::Ui;
use crate::code::Code;
use crate::error::{Error, Result};
use crate::execute::script::Recorder;
use crate::revision::applied::Applied;
use crate::revision::plan::Plan;

/// Who is said to have run an offline script.
const BY_SCRIPT: &str = "offline script";

/// `--sql`: needs no database. The beginning is the left end of a range, or for an upgrade and a stamp the base.
pub(super) fn write(session: &Session<'_>, kind: PlanKind, words: &[String], ui: &mut Ui<'_>) -> Result<u8> {
    let mut history = session.history()?;
    let graph = history.graph()?;
    let ranged = words.iter().any(|word| word.contains(':'));
    let (plan, applied) = if ranged {
        range_plan(graph, kind, words)?
    } else if kind == PlanKind::Downgrade {
        let message = "a downgrade script needs to know where it begins";
        return Err(Error::new(Code::Usage, message).help(format!("sqlrev downgrade FROM:{} --sql", words.join(" "))));
    } else {
        let applied = Applied::none(graph);
        (make_plan(graph, &applied, kind, &targets(words)?, false)?, applied)
    };
    let recorder = recorder(&history, graph, BY_SCRIPT);
    if ui.json {
        return document(&recorder, kind, &plan, &applied, ui);
    }
    let mut writer = Writer { ui };
    match kind {
        PlanKind::Stamp => recorder.stamp_script(&plan, &applied, &mut writer)?,
        _ => recorder.script(&plan, &applied, &mut writer)?,
    }
    Ok(0)
}

/// The script in one JSON document: the plan, and the text under `script`.
fn document(recorder: &Recorder<'_>, kind: PlanKind, plan: &Plan, applied: &Applied, ui: &mut Ui<'_>) -> Result<u8> {
    let mut text = Vec::new();
    let report = match kind {
        PlanKind::Stamp => {
            recorder.stamp_script(plan, applied, &mut text)?;
            recorder.stamp_report(plan)?
        }
        _ => {
            recorder.script(plan, applied, &mut text)?;
            recorder.report(plan, applied)?
        }
    };
    let mut document = json::report(&report, name(kind), recorder.dialect);
    if let Some(object) = document.as_object_mut() {
        object.insert("script".to_owned(), String::from_utf8_lossy(&text).into());
    }
    ui.value(&document);
    Ok(0)
}

/// Standard output as a script's writer: a reader that goes away is no failure.
struct Writer<'u, 'w> {
    ui: &'u mut Ui<'w>,
}

impl std::io::Write for Writer<'_, '_> {
    fn write(&mut self, bytes: &[u8]) -> std::io::Result<usize> {
        self.ui.write(bytes);
        Ok(bytes.len())
    }

    fn flush(&mut self) -> std::io::Result<()> {
        Ok(())
    }
}
