//! The system's clock.

use std::time::{Duration, Instant, SystemTime, UNIX_EPOCH};

use crate::execute::event::Clock;
use crate::moment;

/// The system's clock.
pub(crate) struct System {
    started: Instant,
}

impl System {
    pub(crate) fn new() -> Self {
        Self {
            started: Instant::now(),
        }
    }
}

impl Clock for System {
    #[expect(clippy::disallowed_methods, reason = "runs happen now")]
    fn now(&self) -> String {
        let since = SystemTime::now().duration_since(UNIX_EPOCH);
        moment::written(since.map_or(0, |since| since.as_secs()))
    }

    fn elapsed(&self) -> Duration {
        self.started.elapsed()
    }
}
