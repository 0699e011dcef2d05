//! The system's clock, in as little code as it takes.

use std::time::{Duration, Instant, SystemTime, UNIX_EPOCH};

use crate::execute::event::Clock;

pub(super) struct System {
    started: Instant,
}

impl System {
    pub(super) fn new() -> Self {
        Self {
            started: Instant::now(),
        }
    }
}

impl Clock for System {
    #[expect(clippy::disallowed_methods, reason = "an application's runs happen now")]
    fn now(&self) -> String {
        let since = SystemTime::now().duration_since(UNIX_EPOCH);
        moment(since.map_or(0, |since| since.as_secs()))
    }

    fn elapsed(&self) -> Duration {
        self.started.elapsed()
    }
}

/// Seconds since 1970 as `2026-11-22T21:14:00Z`. The days are counted from the first of March of the year 0, so that a
/// leap day is the last of its year.
pub(super) fn moment(seconds: u64) -> String {
    let (days, rest) = (seconds / 86_400 + 719_468, seconds % 86_400);
    let (era, day) = (days / 146_097, days % 146_097);
    let year = (day - day / 1_460 + day / 36_524 - day / 146_096) / 365;
    let day = day - (365 * year + year / 4 - year / 100);
    let month = (5 * day + 2) / 153;
    let (day, month, next) = (day - (153 * month + 2) / 5 + 1, (month + 2) % 12 + 1, month / 10);
    let year = era * 400 + year + next;
    let (hour, minute, second) = (rest / 3600, rest / 60 % 60, rest % 60);
    format!("{year:04}-{month:02}-{day:02}T{hour:02}:{minute:02}:{second:02}Z")
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn moments_are_those_of_the_calendar() {
        for day in (0..200_000_u64).step_by(7) {
            let seconds = day * 86_400 + day % 86_400;
            let expect = jiff::Timestamp::from_second(seconds.try_into().unwrap()).unwrap();
            assert_eq!(moment(seconds), expect.strftime("%Y-%m-%dT%H:%M:%SZ").to_string());
        }
    }
}
