//! Moments as they are written: `2026-11-22T21:14:00Z`.

/// Seconds since 1970 in words. The days are counted from the first of March of the year 0, so that a leap day is the last
/// of its year.
pub(crate) fn written(seconds: u64) -> String {
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

/// The seconds since 1970 of such a moment; none of anything else.
pub(crate) fn seconds(written: &str) -> Option<u64> {
    let part = |from: usize, to: usize| written.get(from..to)?.parse::<u64>().ok();
    let (year, month, day) = (part(0, 4)?, part(5, 7)?, part(8, 10)?);
    let (year, month) = if month > 2 {
        (year, month - 3)
    } else {
        (year.checked_sub(1)?, month + 9)
    };
    let days = 365 * year + year / 4 - year / 100 + year / 400 + (153 * month + 2) / 5 + day;
    let rest = part(11, 13)? * 3600 + part(14, 16)? * 60 + part(17, 19)?;
    let seconds = days.checked_sub(719_469)? * 86_400 + rest;
    (self::written(seconds) == *written).then_some(seconds)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn moments_are_those_of_the_calendar() {
        for day in (0..200_000_u64).step_by(7) {
            let at = day * 86_400 + day % 86_400;
            let expect = jiff::Timestamp::from_second(at.try_into().unwrap()).unwrap();
            assert_eq!(written(at), expect.strftime("%Y-%m-%dT%H:%M:%SZ").to_string());
            assert_eq!(seconds(&written(at)), Some(at));
        }
        for other in [
            "",
            "now",
            "2026-02-30T00:00:00Z",
            "1969-12-31T23:59:59Z",
            "2026-11-22 21:14:00Z",
            "2026-1é-22T21:14:00Z",
        ] {
            assert_eq!(seconds(other), None);
        }
    }
}
