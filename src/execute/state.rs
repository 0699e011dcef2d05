//! What state a run that failed leaves the database in, in words.

use crate::execute::Executor;
use crate::execute::run::Progress;
use crate::execute::seen::Seen;
use crate::execute::step::Ready;
use crate::revision::Direction;

impl<'a> Executor<'a> {
    /// What became of the step that failed, and of those before it; `alone` is one without a transaction.
    pub(super) fn state(&mut self, ready: &Ready<'a>, progress: &Progress, alone: bool) -> String {
        let id = &ready.step.revision;
        let kept = kept(progress.kept, ready.step.direction, "kept");
        if alone && progress.begun {
            // Not `look`: an interrupted run does not wait any more, and has to say what it did nevertheless.
            let read = match Seen::read(self.driver, &self.table) {
                Ok(seen) if seen.table => Ok(seen),
                Ok(_) => Err("the version table is gone".to_owned()),
                Err(why) => Err(why.message),
            };
            let seen = match read {
                Ok(seen) => seen,
                Err(why) => {
                    return format!(
                        "how far revision `{id}` came is not known{kept}: {why}; see it with: sqlrev check"
                    );
                }
            };
            let at = seen.row(id).and_then(|row| row.unfinished);
            let Some(at) = at.filter(|at| at.statements > 0 || at.begun) else {
                // A directive is no statement, and may stand before the first one.
                let text = ready.script.file.text.get(ready.script.body..);
                if ready.prepared.needs_plan == Some(0) && text.is_some_and(|text| text.contains("-- sqlrev:")) {
                    return format!(
                        "no statement of revision `{id}` ran, and directives before the first one may have{kept}; \
                         the next run begins with them"
                    );
                }
                return format!("no statement of revision `{id}` is done{kept}");
            };
            let next = if at.begun {
                "the next one may have run, or a part of it".to_owned()
            } else {
                match self.lent.kit {
                    Some(kit) => kit.goes_on(self, ready, at.statements),
                    None => "the next run goes on after them".to_owned(),
                }
            };
            // The file may have fewer by now.
            let all = ready.prepared.statements;
            let all = if all < at.statements {
                String::new()
            } else {
                format!(" of {all}")
            };
            return format!(
                "{}{all} statements of revision `{id}` ran and are recorded{kept}; {next}",
                at.statements
            );
        }
        if !progress.begun {
            return format!("revision `{id}` was not begun{kept}");
        }
        if progress.fresh && progress.kept == 0 {
            return "everything was rolled back: the database is empty".to_owned();
        }
        if progress.whole && progress.kept == 0 {
            return "everything was rolled back: the database is as it was before".to_owned();
        }
        format!("revision `{id}` was rolled back{kept}")
    }

    /// Whether the next run goes on after the first statements.
    pub(super) fn goes_on(&mut self, ready: &Ready<'a>, statements: u64) -> String {
        match self.gone(ready, statements) {
            Ok(Some((_, what))) => format!("the next run cannot go on after them, since {what} goes with this one"),
            _ => "the next run goes on after them".to_owned(),
        }
    }
}

/// That what was done of the revisions before is kept, or what else it is, where there are any.
pub(super) fn kept(revisions: usize, direction: Direction, how: &str) -> String {
    let what = match direction {
        Direction::Upgrade => "revision",
        Direction::Downgrade => "downgrade",
    };
    match revisions {
        0 => String::new(),
        1 => format!("; the {what} before it is {how}"),
        n => format!("; the {n} {what}s before it are {how}"),
    }
}
