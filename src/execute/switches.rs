//! The ops of a rewrite, sent to a database: statements, checks, and switches that are put back.

use crate::code::Code;
use crate::dialect::{AlterStatement, Op, Rows, Setting};
use crate::driver::{Driver, Failure};
use crate::error::{Error, Result};
use crate::execute::fault;
use crate::source::Span;

/// How many offending rows an error lists.
const OFFENDERS: usize = 10;

/// Runs the ops of a rewrite, and puts every switch that they throw back to what it was.
pub(crate) struct Switches<'a> {
    pub(crate) driver: &'a mut dyn Driver,
    before: Vec<(Setting, bool)>,
}

impl<'a> Switches<'a> {
    pub(crate) fn new(driver: &'a mut dyn Driver) -> Self {
        Self {
            driver,
            before: Vec::new(),
        }
    }

    /// Runs one op.
    ///
    /// # Errors
    /// The op's own code, labelled under the ALTER that it stands for.
    pub(crate) fn run(&mut self, op: &Op, run: &[AlterStatement]) -> Result<()> {
        match op {
            Op::Sql { sql, at, diagnosis } => {
                let Err(error) = self.driver.execute(sql) else {
                    return Ok(());
                };
                if error.failure != Failure::Statement {
                    return Err(fault::database(&error));
                }
                for check in diagnosis {
                    self.run(check, run)?;
                }
                let failed = labelled(
                    Code::StatementFailed,
                    "the change of the table failed",
                    run,
                    &whole(run, *at),
                );
                Err(advised(failed, error.message))
            }
            Op::Check {
                sql,
                code,
                message,
                help,
                at,
            } => {
                let rows = self.asked(sql, run, at)?;
                if rows.is_empty() {
                    return Ok(());
                }
                Err(offending(labelled(*code, message, run, at), &rows).help(help.clone()))
            }
            Op::AnyOf { sql, checks } => {
                let at = match checks.first() {
                    Some(Op::Check { at, .. }) => at.clone(),
                    _ => whole(run, 0),
                };
                let rows = self.asked(sql, run, &at)?;
                if rows.is_empty() {
                    return Ok(());
                }
                checks.iter().try_for_each(|check| self.run(check, run))?;
                let at = match checks.last() {
                    Some(Op::Check { at, .. }) => at.clone(),
                    _ => whole(run, 0),
                };
                let message = "a row stands in the way, and none of the checks finds it";
                Err(labelled(Code::BatchInternal, message, run, &at).help("please report this"))
            }
            Op::Compiles { sql, object, at } => self.driver.query(sql).map(drop).map_err(|error| {
                if error.failure != Failure::Statement {
                    return fault::database(&error);
                }
                let failed = labelled(Code::BatchInUse, &format!("{object} would no longer work"), run, at);
                advised(failed, error.message)
            }),
            Op::Statistics { .. } => Ok(()),
            Op::Set(setting, on) => self.set(*setting, *on),
        }
    }

    /// Asks about rows, in words that may be the author's.
    fn asked(&mut self, sql: &str, run: &[AlterStatement], at: &(usize, Span)) -> Result<Rows> {
        self.driver.query(sql).map_err(|error| {
            if error.failure != Failure::Statement {
                return fault::database(&error);
            }
            let failed = labelled(Code::StatementFailed, "the rows could not be looked at", run, at);
            advised(failed, error.message)
        })
    }

    fn set(&mut self, setting: Setting, on: Option<bool>) -> Result<()> {
        let failed = |error| fault::database(&error);
        let known = self
            .before
            .iter()
            .find(|(known, _)| *known == setting)
            .map(|(_, was)| *was);
        let was = if let Some(was) = known {
            was
        } else {
            let was = self.driver.setting(setting, None).map_err(failed)?;
            self.before.push((setting, was));
            was
        };
        let want = on.unwrap_or(was);
        let is = self.driver.setting(setting, Some(want)).map_err(failed)?;
        if is == want {
            return Ok(());
        }
        Err(Error::new(
            Code::Database,
            format!("the connection does not let {setting:?} be switched"),
        ))
    }

    /// Puts every switch back, the last one first.
    pub(crate) fn restore(mut self) -> Result<()> {
        while let Some((setting, was)) = self.before.pop() {
            self.driver
                .setting(setting, Some(was))
                .map_err(|error| fault::database(&error))?;
        }
        Ok(())
    }
}

/// The database's words for a step of a change, and what to do about them.
fn advised(failed: Error, words: String) -> Error {
    let help = fault::advice(&words, "");
    let failed = failed.cause(words);
    help.into_iter().fold(failed, Error::help)
}

/// All of a statement of the run.
fn whole(run: &[AlterStatement], at: usize) -> (usize, Span) {
    (at, 0..run.get(at).map_or(0, |alter| alter.text.len()))
}

fn labelled(code: Code, message: &str, run: &[AlterStatement], at: &(usize, Span)) -> Error {
    let error = Error::new(code, message);
    match run.get(at.0) {
        Some(alter) => {
            // An empty place is the whole statement.
            let place = if at.1.is_empty() {
                0..alter.text.len()
            } else {
                at.1.clone()
            };
            let span = alter.offset + place.start..alter.offset + place.end;
            error.at(&alter.file, span, "")
        }
        None => error,
    }
}

/// Names the rows that a check found: the first column says which row, the others what it holds.
fn offending(mut error: Error, rows: &Rows) -> Error {
    for row in rows.iter().take(OFFENDERS) {
        let mut values = row.iter().map(|value| value.as_deref().unwrap_or("NULL"));
        let which = values.next().unwrap_or("a row").to_owned();
        let rest: Vec<&str> = values.collect();
        let line = if rest.is_empty() {
            which
        } else {
            format!("{which}: {}", rest.join(", "))
        };
        error = error.cause(line);
    }
    if rows.len() > OFFENDERS {
        error = error.cause("… and more");
    }
    error
}
