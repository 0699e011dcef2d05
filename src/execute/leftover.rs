//! What a statement that failed outside of transactions leaves behind, and the next try finds in its way.

use crate::code::Code;
use crate::dialect::Dialect;
use crate::error::{Error, Result};
use crate::execute::counting::Counting;
use crate::execute::event::Event;
use crate::execute::piecemeal::{in_doubt, not_known};
use crate::execute::step::Ready;
use crate::execute::{Executor, fault, walk};
use crate::version::Unfinished;

/// The query that may tell that the statement which was begun last has not run, where its end was not seen.
pub(crate) fn not_run(ready: &Ready<'_>, at: Unfinished, dialect: &'static dyn Dialect) -> Option<String> {
    let (file, span) = walk::place_of(&ready.script, at.statements, dialect.rules()).filter(|_| at.begun)?;
    dialect.look_at(file.text.get(span)?)?.not_run
}

impl<'a> Executor<'a> {
    /// Takes away what an earlier try of the statement left, where that is asked for; otherwise it is named, since the
    /// next try may pass beside it.
    ///
    /// # Errors
    /// What the database refuses.
    pub(crate) fn clean(&mut self, ready: &Ready<'a>, index: u64) -> Result<()> {
        let Left { pairs, certain, again } = self.leftovers(ready, index);
        if again {
            return Ok(());
        }
        for (what, drop) in pairs {
            if !self.clean_invalid || !certain {
                (self.events)(Event::Notice(&format!(
                    "{what} is invalid, and may be what an earlier try left: {drop}"
                )));
                continue;
            }
            let dropped = self.own(&drop);
            dropped.map_err(|error| {
                error.cause(format!("while {what}, which an earlier try left, was dropped: {drop}"))
            })?;
            (self.events)(Event::Notice(&format!(
                "{what} was left by an earlier try and is dropped"
            )));
        }
        Ok(())
    }

    /// Where the end of a statement was not seen, the database is asked, and where it does not say that the statement has
    /// not run, somebody has to.
    ///
    /// # Errors
    /// `execute::unfinished`; what the database refuses.
    pub(crate) fn refuse_doubt(
        &mut self,
        ready: &Ready<'a>,
        at: Option<Unfinished>,
        counting: &Counting<'_>,
    ) -> Result<()> {
        let dialect = self.driver.dialect();
        let asked = at.and_then(|at| Some((at, not_run(ready, at, dialect)?)));
        let Some((at, query)) = asked else { return Ok(()) };
        let rows = self.driver.query(&query).map_err(|error| fault::database(&error))?;
        if rows.first().and_then(|row| row.first()?.as_deref()) != Some("t") {
            return Err(not_known(ready, at.statements, dialect));
        }
        counting.takes_note_back(self.driver)
    }

    /// Says in the error of a statement that failed what stands in the way of the next try, and whether somebody has to
    /// look before it.
    pub(crate) fn say_what_is_left(&mut self, error: Error, ready: &Ready<'a>, counting: &Counting<'_>) -> Error {
        let done = counting.done();
        let error = self.name_leftovers(error, ready, done);
        if error.code() == Code::ConnectionLost || !counting.in_doubt(self.driver) {
            return error;
        }
        let came = self.came(&ready.step.revision).ok().flatten();
        if !came.is_some_and(|at| at.begun && at.statements == done) {
            return error;
        }
        let helps = in_doubt(ready, done, self.driver.dialect());
        helps.into_iter().fold(error, Error::help)
    }

    /// Names in the error what the statement that failed left behind.
    fn name_leftovers(&mut self, mut error: Error, ready: &Ready<'a>, done: u64) -> Error {
        // Whether it was ended by an error, for want of a lock or by Ctrl-C.
        if error.code() == Code::ConnectionLost || self.driver.in_transaction() == Some(true) {
            return error;
        }
        let Left { pairs, certain, again } = self.leftovers(ready, done);
        if certain && !again && !pairs.is_empty() && error.code() == Code::Interrupted {
            error = error.help_in(|_| "what it left stands in the way of the next run".to_owned());
        }
        for (what, drop) in pairs {
            if again {
                error = error.cause(format!(
                    "{what} is left, and is invalid until the statement is run again"
                ));
                continue;
            }
            let (is_left, help) = if certain {
                (
                    "is left, and is invalid",
                    format!("drop it: {drop}; or let the next run do so: --clean-invalid"),
                )
            } else {
                (
                    "is invalid: this statement may have left it",
                    format!("if so, drop it: {drop}"),
                )
            };
            error = error.cause(format!("{what} {is_left}")).help(help);
        }
        error
    }

    fn leftovers(&mut self, ready: &Ready<'a>, index: u64) -> Left {
        let dialect = self.driver.dialect();
        let Some((file, span)) = walk::place_of(&ready.script, index, dialect.rules()) else {
            return Left::default();
        };
        let text = file.text.get(span).unwrap_or_default();
        let Some(leftovers) = dialect.leftovers(text) else {
            return Left::default();
        };
        let rows = self
            .driver
            .query(&leftovers.query)
            .map_err(|error| fault::database(&error));
        let pairs = rows.unwrap_or_default().into_iter().filter_map(|row| {
            let mut values = row.into_iter();
            Some((values.next()??, values.next()??))
        });
        Left {
            pairs: pairs.collect(),
            certain: leftovers.certain,
            again: leftovers.goes_again,
        }
    }
}

/// What is left of a statement, and what drops it.
#[derive(Default)]
struct Left {
    pairs: Vec<(String, String)>,
    /// Whether it is certainly of this statement.
    certain: bool,
    /// Whether the statement itself drops it when it is run again.
    again: bool,
}
