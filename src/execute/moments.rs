//! Values that say when a row was written, which differ each time it is written.

use crate::moment;
use crate::sorted;

/// The present, a day to each side: servers have time zones of their own.
pub(super) struct Moments {
    days: [String; 3],
    second: u64,
}

impl Moments {
    /// Around a moment such as `2026-11-22T21:14:00Z`.
    pub(super) fn around(now: &str) -> Self {
        const DAY: u64 = 86_400;
        let second = moment::seconds(now).unwrap_or(DAY);
        let day = |second: u64| moment::written(second)[.."2026-11-22".len()].to_owned();
        Self {
            days: [day(second.saturating_sub(DAY)), day(second), day(second + DAY)],
            second,
        }
    }

    /// Rows with one word for each moment of the present.
    pub(super) fn left_out(&self, rows: &[String]) -> Vec<String> {
        let mut rows: Vec<String> = rows.iter().map(|row| self.left_out_of(row)).collect();
        sorted::sort(&mut rows);
        rows
    }

    fn left_out_of(&self, row: &str) -> String {
        let mut out = String::with_capacity(row.len());
        let mut rest = row;
        while let Some(start) = rest.find(|c: char| c.is_ascii_digit()) {
            let (before, from) = rest.split_at(start);
            out.push_str(before);
            let is_word = before.ends_with(|c: char| c.is_alphanumeric() || c == '_' || c == '.');
            let end = self.moment(from).filter(|_| !is_word).unwrap_or(0);
            if end > 0 {
                out.push_str("<now>");
                rest = &from[end..];
            } else {
                let digits = from.bytes().take_while(u8::is_ascii_digit).count();
                out.push_str(&from[..digits]);
                rest = &from[digits..];
            }
        }
        out + rest
    }

    /// The length of the moment that a text begins with: a day and a time of it, or seconds or milliseconds since 1970.
    fn moment(&self, text: &str) -> Option<usize> {
        if let Some(day) = self.days.iter().find(|day| text.starts_with(day.as_str())) {
            let time = text[day.len()..].strip_prefix([' ', 'T'])?;
            let is_time = |c: u8| c.is_ascii_digit() || b":.+-Z".contains(&c);
            let length = time.bytes().take_while(|&c| is_time(c)).count();
            return (length >= 5).then_some(day.len() + 1 + length);
        }
        let digits = text.bytes().take_while(u8::is_ascii_digit).count();
        let number: u64 = text[..digits].parse().ok()?;
        let second = match digits {
            10 => number,
            13 => number / 1000,
            _ => return None,
        };
        let more = text[digits..].starts_with(|c: char| c.is_alphanumeric() || c == '_');
        (second.abs_diff(self.second) <= 86_400 && !more).then_some(digits)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn moments_of_the_present() {
        let moments = Moments::around("2026-11-22T21:14:00Z");
        let check = |row: &str, expect: &str| assert_eq!(moments.left_out_of(row), expect);
        check("1, 2026-11-22 21:14:00.663341, NULL", "1, <now>, NULL");
        check("'2026-11-23T00:14:00+03:00'", "'<now>'");
        check("1695468440, 1695468440123", "1695468440, 1695468440123");
        let second = moments.second;
        check(
            &format!("{second}, {second}123, x{second}, {second}x"),
            &format!("<now>, <now>, x{second}, {second}x"),
        );
        check("2026-11-22, 2020-11-22 10:00:00", "2026-11-22, 2020-11-22 10:00:00");
        check("1.1795385640", "1.1795385640");
    }
}
