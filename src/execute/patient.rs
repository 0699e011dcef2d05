//! A step whose statements need locks that others hold: it is run again, for as long as patience lasts.

use std::time::{Duration, Instant};

use crate::code::Code;
use crate::error::{Error, Result};
use crate::execute::event::Event;
use crate::execute::step::Ready;
use crate::execute::{Executor, Ran};

/// The pause before the second try; each later one is twice as long.
const PAUSE: Duration = Duration::from_millis(200);
/// The longest pause.
const LONGEST: Duration = Duration::from_secs(10);
/// How often somebody who wants to stop is heard.
const NAP: Duration = Duration::from_millis(50);

impl<'a> Executor<'a> {
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
        let started = Instant::now();
        let mut pause = PAUSE;
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
            if started.elapsed() + pause > self.patience.timeout {
                return Err(error);
            }
            self.rollback();
            self.tell_why(&error, pause);
            self.nap(pause)?;
            pause = (pause * 2).min(LONGEST);
            self.begin()?;
            *open = true;
            if !table {
                self.create_table(false)?;
            }
        }
    }

    fn tell_why(&mut self, error: &Error, pause: Duration) {
        let label = error.labels().first().map(|label| label.text.as_str());
        let words: Vec<&str> = label
            .into_iter()
            .chain(error.causes().iter().map(String::as_str))
            .collect();
        let text = format!(
            "{}; rolled back, trying again in {:.1} s",
            words.join("; "),
            pause.as_secs_f64()
        );
        (self.events)(Event::Notice(&text));
    }

    fn nap(&self, pause: Duration) -> Result<()> {
        let until = Instant::now() + pause;
        while Instant::now() < until {
            self.patience.check()?;
            std::thread::sleep(NAP.min(until.saturating_duration_since(Instant::now())));
        }
        Ok(())
    }
}
