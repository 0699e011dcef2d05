//! What a run tells while it goes on.

use std::time::Duration;

use indicatif::{ProgressBar, ProgressDrawTarget, ProgressState, ProgressStyle};

use crate::cli::text::first_line;
use crate::cli::ui::{DIM, ID, Ui, WARN};
use crate::execute::event::{Event, Work};

/// How often a bar moves while a statement runs.
const TICK: Duration = Duration::from_millis(200);

/// A line a revision; on a terminal a bar for the one that runs.
pub(crate) struct Progress<'u, 'w> {
    ui: &'u mut Ui<'w>,
    bar: Option<ProgressBar>,
}

impl<'u, 'w> Progress<'u, 'w> {
    pub(crate) fn new(ui: &'u mut Ui<'w>) -> Self {
        Self { ui, bar: None }
    }

    pub(crate) fn hear(&mut self, event: &Event<'_>) {
        match event {
            Event::Started {
                revision, statements, ..
            } => self.begin(revision, *statements),
            Event::Statement { sql, index } => self.statement(sql, *index),
            Event::Work(work) => self.work(work),
            Event::Notice(text) => {
                let line = format!(
                    "  {}",
                    self.ui
                        .paint_err(WARN, &format!("note: {}", text.replace('\n', "\n  ")))
                );
                self.above(&line);
            }
            Event::Copying { done, total } => self.copying(*done, *total),
            Event::BackedUp { file } => {
                self.end();
                let line = self.ui.paint_err(
                    DIM,
                    &format!(
                        "a copy of the database is in {}",
                        file.file_name().unwrap_or_default().display()
                    ),
                );
                self.above(&line);
            }
            Event::Waiting { holder, waited } => {
                let who = match holder.as_deref() {
                    Some(server) if server.contains(", which ") => server.to_owned(),
                    holder => format!("{}, who holds the database", holder.unwrap_or("somebody else")),
                };
                let line = format!("waiting for {who} ({} s)", waited.as_secs());
                self.above(&line);
            }
            Event::Finished {
                revision,
                message,
                direction,
                duration,
            } => {
                self.end();
                let id = self.ui.paint_err(ID, revision);
                let took = took(*duration)
                    .map(|took| self.ui.paint_err(DIM, &took))
                    .unwrap_or_default();
                self.ui
                    .say(&format!("{} {id}  {}{took}", direction.name(), first_line(message)));
            }
        }
    }

    fn begin(&mut self, revision: &str, statements: u64) {
        self.end();
        if !self.ui.live || self.ui.quiet {
            return;
        }
        let bar = ProgressBar::with_draw_target(Some(statements), ProgressDrawTarget::stderr());
        bar.set_style(style());
        bar.set_message(revision.to_owned());
        bar.enable_steady_tick(TICK);
        self.bar = Some(bar);
    }

    /// The bar of a copy, which goes when it is done.
    fn copying(&mut self, done: u64, total: u64) {
        if done >= total {
            return self.end();
        }
        if self.bar.is_none() {
            self.begin("copying the database", total);
        }
        if let (Some(bar), Ok(style)) = (&self.bar, ProgressStyle::with_template(COPYING)) {
            bar.set_style(style.progress_chars("=> "));
            bar.set_length(total);
            bar.set_position(done);
        }
    }

    fn statement(&mut self, sql: &str, index: u64) {
        if let Some(bar) = &self.bar {
            bar.set_style(style());
            bar.set_position(index);
        }
        if self.ui.verbose {
            let more = if sql.lines().nth(1).is_some() { " …" } else { "" };
            let line = format!("  {}{more}", self.ui.paint_err(DIM, first_line(sql)));
            self.above(&line);
        }
    }

    /// The bar follows one long statement; the ticker draws it while that runs.
    fn work(&mut self, work: &Work) {
        let Some(bar) = &self.bar else { return };
        let (work, began) = (work.clone(), bar.elapsed());
        let done = move |state: &ProgressState, out: &mut dyn std::fmt::Write| {
            let spent = state.elapsed().saturating_sub(began);
            let _ = out.write_str(&how_far(&work, spent));
        };
        if let Ok(style) = ProgressStyle::with_template("{spinner} {msg}  {work}") {
            bar.set_style(style.with_key("work", done));
        }
    }

    /// A line above the bar.
    fn above(&mut self, line: &str) {
        let ui = &mut *self.ui;
        match &self.bar {
            Some(bar) => bar.suspend(|| ui.say(line)),
            None => ui.say(line),
        }
    }

    pub(crate) fn end(&mut self) {
        if let Some(bar) = self.bar.take() {
            bar.finish_and_clear();
        }
    }
}

impl Drop for Progress<'_, '_> {
    fn drop(&mut self) {
        self.end();
    }
}

/// The bar of a copy.
const COPYING: &str = "{spinner} {msg}  [{bar:24}] {percent} % of {len} pages, {eta} left";

/// The bar that counts statements.
fn style() -> ProgressStyle {
    let look = "{spinner} {msg}  [{bar:24}] {pos}/{len} statements  {elapsed}";
    let style = ProgressStyle::with_template(look).unwrap_or_else(|_| ProgressStyle::default_bar());
    style.progress_chars("=> ")
}

/// How many of the bar's places a long statement has.
const PLACES: usize = 24;

/// How far a long statement has come, after it has run for so long: `copying users  [=====>  ] 23 % of 2000000 rows, 14 s
/// left`.
#[expect(
    clippy::cast_possible_truncation,
    clippy::cast_precision_loss,
    clippy::cast_sign_loss,
    reason = "a fraction from 0 to 1, of a few places"
)]
fn how_far(work: &Work, spent: Duration) -> String {
    let fraction = work.fraction();
    let phase = work.phase();
    if phase.as_ref().is_some_and(String::is_empty) {
        return work.what.clone();
    }
    let places = ((fraction * PLACES as f64) as usize).min(PLACES);
    let bar = format!("{:PLACES$}", format!("{}>", "=".repeat(places.saturating_sub(1))));
    let percent = (fraction * 100.0) as u64;
    if let Some(phase) = phase {
        // What it says twice would not fit into a line.
        let phase = phase.trim_start_matches("building index: ");
        return format!("{}: {phase}  [{bar}] {percent} %", work.what);
    }
    let left = if fraction > 0.02 && spent >= Duration::from_secs(1) {
        let left = spent.mul_f64((1.0 - fraction) / fraction).as_secs();
        format!(", {left} s left")
    } else {
        String::new()
    };
    format!("{}  [{bar}] {percent} % of {} rows{left}", work.what, work.rows)
}

/// How long it took, where that is worth a word.
fn took(duration: Duration) -> Option<String> {
    let seconds = duration.as_secs_f64();
    (seconds >= 0.1).then(|| format!("  ({seconds:.1} s)"))
}

#[cfg(test)]
mod tests {
    use std::sync::Arc;
    use std::sync::atomic::Ordering;

    use super::*;
    use crate::driver::Phase;

    #[test]
    fn what_the_database_tells_is_shown() {
        let phase = Arc::new(Phase::default());
        let work = Work {
            what: "CREATE INDEX".to_owned(),
            rows: 0,
            total: 0,
            done: Arc::default(),
            phase: Some(phase.clone()),
        };
        let check = |expect: &str| assert_eq!(how_far(&work, Duration::from_secs(9)), expect);
        check("CREATE INDEX");
        "building index: sorting".clone_into(&mut phase.name.lock().unwrap());
        check("CREATE INDEX: sorting  [>                       ] 0 %");
        phase.total.store(8, Ordering::Relaxed);
        phase.done.store(2, Ordering::Relaxed);
        check("CREATE INDEX: sorting  [=====>                  ] 25 %");
    }
}
