//! Times such as `500ms`, `30s` and `5m`, in headers and in the configuration.

use std::time::Duration;

/// What a time may look like.
pub const TAKES: &str = "seconds, or a time like 500ms, 30s or 5m";

/// Seconds, or a number with `ms`, `s`, `m` or `min` behind it; none for anything else.
pub fn duration(text: &str) -> Option<Duration> {
    let text = text.trim();
    let digits = text.bytes().take_while(u8::is_ascii_digit).count();
    let number: u32 = text[..digits].parse().ok()?;
    match text[digits..].trim_start() {
        "ms" => Some(Duration::from_millis(number.into())),
        "" | "s" => Some(Duration::from_secs(number.into())),
        "m" | "min" => Some(Duration::from_secs(u64::from(number) * 60)),
        _ => None,
    }
}

/// The text that [`duration`] reads again.
pub fn written(time: Duration) -> String {
    match (time.as_secs(), time.subsec_millis()) {
        (seconds, 0) if u32::try_from(seconds).is_ok() => format!("{seconds}s"),
        (seconds, 0) => format!("{}m", seconds / 60),
        _ => format!("{}ms", time.as_millis()),
    }
}

#[cfg(test)]
mod tests {
    use std::time::Duration;

    use super::{duration, written};

    #[test]
    fn durations() {
        assert_eq!(duration("30"), Some(Duration::from_secs(30)));
        assert_eq!(duration(" 2 m"), Some(Duration::from_secs(120)));
        assert_eq!(duration("0s"), Some(Duration::ZERO));
        assert_eq!(
            (duration(""), duration("s"), duration("1h"), duration("99999999999")),
            (None, None, None, None)
        );
        for text in ["0s", "4294967295s", "4294967294ms", "4294967295m", "1500ms"] {
            let time = duration(text).expect(text);
            assert_eq!(duration(&written(time)), Some(time), "{text}");
        }
    }
}
