//! A connection that was lost: what became of the revision is looked up, never guessed.

use crate::error::{Error, Result};
use crate::execute::piecemeal::{in_doubt, is_control};
use crate::execute::seen::Seen;
use crate::execute::state::kept;
use crate::execute::step::Ready;
use crate::execute::{Executor, Ran, fault, lock, walk};
use crate::revision::{Direction, RevisionId, Transaction};
use crate::version::Unfinished;

impl<'a> Executor<'a> {
    /// Connects again and says in the error what the database has.
    pub(crate) fn lost(&mut self, error: Error, ready: &Ready<'a>, held: bool, earlier: &[Ran]) -> Error {
        let (id, direction) = (&ready.step.revision, ready.step.direction);
        let seen = match self.look_again(held) {
            Ok(seen) => seen,
            Err(why) => {
                let why = why
                    .causes()
                    .first()
                    .cloned()
                    .unwrap_or_else(|| why.message().to_owned());
                let before = kept(earlier.len(), direction, "confirmed");
                return error
                    .state(format!(
                        "whether revision `{id}` was committed is not known{before}: {why}"
                    ))
                    .help("when the server is back, see what it has: sqlrev check");
            }
        };
        let kept = have(&seen, earlier, direction);
        let row = seen.row(id).and_then(|row| row.unfinished);
        if let (Some(at), Transaction::None) = (row, ready.transaction()) {
            return match self.lent.kit {
                Some(kit) => kit.lost_alone(self, error, ready, at, &kept),
                None => error,
            };
        }
        if is_done(&seen, id, direction) {
            return error.state(format!(
                "looked up on a new connection: the {} of revision `{id}` is committed{kept}",
                direction.name()
            ));
        }
        self.log_failure(ready, &error);
        error.state(format!(
            "looked up on a new connection: revision `{id}` was rolled back{kept}"
        ))
    }

    /// Likewise, for a step that no transaction holds and that stopped there; `kept` says what became of those before.
    pub(super) fn lost_alone(&mut self, error: Error, ready: &Ready<'a>, at: Unfinished, kept: &str) -> Error {
        let id = &ready.step.revision;
        let (done, next) = (at.statements, at.statements + 1);
        if at.begun && !is_control(ready, done, self.driver.dialect()) {
            let error = error.state(format!(
                "looked up on a new connection: {done} of {} statements of revision `{id}` ran and are recorded{kept}; \
                 statement {next} was begun, and may have run or not",
                ready.prepared.statements
            ));
            let help = in_doubt(ready, done, self.driver.dialect());
            return help.into_iter().fold(error, Error::help);
        }
        if self.driver.dialect().ddl_commits() {
            return error.state(format!(
                "looked up on a new connection: {done} of {} statements of revision `{id}` ran and are recorded{kept}; {}",
                ready.prepared.statements,
                self.goes_on(ready, done)
            ));
        }
        let error = error.state(format!(
            "looked up on a new connection: {done} of {} statements of revision `{id}` ran and are recorded{kept}",
            ready.prepared.statements
        ));
        let dialect = self.driver.dialect();
        let Some((file, span)) = walk::place_of(&ready.script, done, dialect.rules()) else {
            return error.help("run the same command again: it ends the revision");
        };
        let alone = file.text.get(span).is_none_or(|sql| dialect.stands_alone(sql));
        error.help(if alone && !is_control(ready, done, dialect) {
            format!(
                "statement {next} stands outside of transactions and may have been done as well: see for yourself, then \
                 run the same command again, which goes on with it"
            )
        } else {
            format!("run the same command again: it goes on with statement {next}")
        })
    }

    /// Reads the version table on a new connection, once the lost session has ended for good: it held a lock.
    fn look_again(&mut self, held: bool) -> Result<Seen> {
        let place = self.table.place();
        lock::retry(self.driver, self.patience, self.events, |driver| {
            driver.reconnect()?;
            if held { driver.hold(place) } else { Ok(false) }
        })?;
        Seen::read(self.driver, &self.table).map_err(|error| fault::database(&error))
    }
}

/// What the database has of the steps before. A server that comes back from a copy of itself, or that confirms before it has
/// written, may lack some that it said were committed.
fn have(seen: &Seen, earlier: &[Ran], direction: Direction) -> String {
    let gone: Vec<String> = earlier
        .iter()
        .filter(|ran| !is_done(seen, &ran.step.revision, ran.step.direction))
        .map(|ran| format!("`{}`", ran.step.revision))
        .collect();
    if gone.is_empty() {
        return kept(earlier.len(), direction, "kept");
    }
    format!(
        "; {} before it, which the server had confirmed, it does not have any more",
        gone.join(", ")
    )
}

fn is_done(seen: &Seen, id: &RevisionId, direction: Direction) -> bool {
    match direction {
        Direction::Upgrade => seen.row(id).is_some_and(|row| row.unfinished.is_none()),
        Direction::Downgrade => seen.row(id).is_none(),
    }
}
