//! A step whose statements need locks that others hold: it is run again, for as long as patience lasts.

use std::time::{Duration, Instant};

use crate::code::Code;
use crate::error::{Error, Result};
use crate::execute::event::Event;
use crate::execute::lock::Patience;
use crate::execute::step::Ready;
use crate::execute::{Executor, Ran};

/// The pause before the second try; each later one is twice as long.
const PAUSE: Duration = Duration::from_millis(200);
/// The longest pause.
const LONGEST: Duration = Duration::from_secs(10);
/// How often somebody who wants to stop is heard.
const NAP: Duration = Duration::from_millis(50);

/// The tries of something.
pub(crate) struct Tries {
    started: Instant,
    pause: Duration,
}

impl Tries {
    /// The first one begins.
    pub(crate) fn new() -> Self {
        Self {
            started: Instant::now(),
            pause: PAUSE,
        }
    }

    /// Whether there is time for another one.
    pub(crate) fn has_time(&self, patience: Patience<'_>) -> bool {
        self.started.elapsed() + self.pause <= patience.timeout
    }

    /// Says why the last one failed and was rolled back, and waits.
    pub(crate) fn wait(
        &mut self,
        error: &Error,
        patience: Patience<'_>,
        events: &mut dyn FnMut(Event<'_>),
    ) -> Result<()> {
        let label = error.labels().first().map(|label| label.text.as_str());
        let words: Vec<&str> = label
            .into_iter()
            .chain(error.causes().iter().map(String::as_str))
            .collect();
        let text = format!(
            "{}; rolled back, trying again in {:.1} s",
            words.join("; "),
            self.pause.as_secs_f64()
        );
        events(Event::Notice(&text));
        let until = Instant::now() + self.pause;
        while Instant::now() < until {
            patience.check()?;
            std::thread::sleep(NAP.min(until.saturating_duration_since(Instant::now())));
        }
        self.pause = (self.pause * 2).min(LONGEST);
        Ok(())
    }
}

impl<'a> Executor<'a> {
    /// Why a step is not tried again after a ROLLBACK that left something behind.
    pub(super) fn stayed(&mut self) -> Option<String> {
        let stayed = self.driver.left_by_rollback();
        stayed.map(|words| format!("not tried again: {words}"))
    }

    /// Runs a step and commits it, unless it is part of a `whole`. When the database gave up a lock that a statement
    /// waited for, all of it is rolled back and done again. `table` tells whether the version table was there before the
    /// transaction that is open.
    pub(crate) fn run_patiently(
        &mut self,
        ready: &Ready<'a>,
        open: &mut bool,
        whole: bool,
        table: bool,
    ) -> Result<Ran> {
        let mut tries = Tries::new();
        loop {
            let began = self.clock.elapsed();
            let mut done = self.run_step(ready);
            if !whole && let Ok(ran) = &mut done {
                match self.end(open, Some(ready)) {
                    Ok(()) => ran.duration = Some(self.clock.elapsed().saturating_sub(began)),
                    Err(error) => done = Err(error),
                }
            }
            let error = match done {
                Err(error) if error.code() == Code::Contended && !whole => error,
                done => return done,
            };
            if !tries.has_time(self.patience) {
                return Err(error);
            }
            self.rollback();
            let why = match self.lent.kit {
                Some(kit) => kit.once_only(self, ready)?,
                None => self.stayed(),
            };
            if let Some(why) = why {
                return Err(error.cause(why));
            }
            tries.wait(&error, self.patience, self.events)?;
            self.begin()?;
            *open = true;
            if !table {
                self.create_table(false)?;
            }
        }
    }
}
