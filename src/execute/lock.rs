//! Waiting for others, and not for ever.

use std::sync::atomic::{AtomicBool, Ordering};
use std::time::{Duration, Instant};

use crate::code::Code;
use crate::driver::{Driver, DriverError, Failure};
use crate::error::{Error, Result};
use crate::execute::event::Event;
use crate::execute::fault;

/// The pause between two tries; the driver may wait some time of its own in each.
const PAUSE: Duration = Duration::from_millis(10);
/// How long a wait lasts before it is told of, and then again.
const TELL: Duration = Duration::from_secs(1);

/// How long to wait, and who may end the wait.
#[derive(Debug, Clone, Copy)]
pub struct Patience<'a> {
    /// The longest wait.
    pub timeout: Duration,
    /// Set when the run is to stop.
    pub cancelled: &'a AtomicBool,
}

impl Patience<'_> {
    /// Ends with `execute::interrupted` when the run is to stop.
    pub(crate) fn check(&self) -> Result<()> {
        if self.cancelled.load(Ordering::Relaxed) {
            return Err(fault::interrupted());
        }
        Ok(())
    }
}

/// Does something that may find the database held by others, again and again until it succeeds or patience ends.
///
/// # Errors
/// `lock::timeout`, `execute::interrupted`, or whatever `action` fails with for another reason.
pub(crate) fn retry<T>(
    driver: &mut dyn Driver,
    patience: Patience<'_>,
    events: &mut dyn FnMut(Event<'_>),
    mut action: impl FnMut(&mut dyn Driver) -> Result<T, DriverError>,
) -> Result<T> {
    let mut value = None;
    until_free(driver, patience, events, &mut |driver| {
        value = Some(action(driver)?);
        Ok(())
    })?;
    Ok(value.expect("the action has succeeded"))
}

/// [`retry`] of whatever comes to whatever, in one piece of code.
fn until_free(
    driver: &mut dyn Driver,
    patience: Patience<'_>,
    events: &mut dyn FnMut(Event<'_>),
    action: &mut dyn FnMut(&mut dyn Driver) -> Result<(), DriverError>,
) -> Result<()> {
    let started = Instant::now();
    let mut told = Duration::ZERO;
    loop {
        // Whoever has begun something says what became of that.
        patience.check().map_err(|error| error.state("nothing was changed"))?;
        let error = match action(driver) {
            Ok(()) => return Ok(()),
            Err(error) if error.failure != Failure::Busy => return Err(fault::database(&error)),
            Err(error) => error,
        };
        let waited = started.elapsed();
        if waited >= patience.timeout {
            return Err(timed_out(driver, &error, patience.timeout));
        }
        if waited >= told + TELL {
            told = waited;
            let holder = driver.lock_holder();
            events(Event::Waiting { holder, waited });
        }
        std::thread::sleep(PAUSE.min(patience.timeout.saturating_sub(waited)));
    }
}

fn timed_out(driver: &dyn Driver, error: &DriverError, limit: Duration) -> Error {
    let holder = driver.lock_holder();
    let who = holder.as_deref().unwrap_or("somebody else");
    Error::new(
        Code::LockTimeout,
        format!("{who} held the database for longer than {:.1} s", limit.as_secs_f64()),
    )
    .cause(error.message.clone())
    .help("end that process or wait for it, then run the same command again; --lock-timeout SECONDS waits longer")
}

#[cfg(all(test, feature = "sqlite"))]
mod tests {
    use super::*;

    #[test]
    fn a_wait_that_is_interrupted_has_changed_nothing() {
        let mut driver = crate::driver::sqlite::memory().unwrap();
        let cancelled = AtomicBool::new(true);
        let patience = Patience {
            timeout: Duration::from_secs(5),
            cancelled: &cancelled,
        };
        let error = retry(&mut driver, patience, &mut |_| {}, |_| Ok(())).unwrap_err();
        assert_eq!(
            (error.code(), error.state_line()),
            (Code::Interrupted, Some("nothing was changed"))
        );
    }
}
