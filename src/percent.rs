//! `%XX` in URLs.

use crate::code::Code;
use crate::error::{Error, Result};

/// Why a text cannot be decoded.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Undecodable {
    /// A `%` is not followed by two hexadecimal digits.
    Percent,
    /// What comes out is no text: not UTF-8, or with a NUL.
    NoText,
}

/// The text with each `%XX` as the byte it stands for.
///
/// # Errors
/// Why there is none.
pub fn decode(text: &str) -> Result<String, Undecodable> {
    let mut bytes = Vec::with_capacity(text.len());
    let mut rest = text.as_bytes();
    while let [first, tail @ ..] = rest {
        rest = tail;
        if *first != b'%' {
            bytes.push(*first);
            continue;
        }
        let digit = |index: usize| tail.get(index).and_then(|&byte| char::from(byte).to_digit(16));
        let (Some(high), Some(low)) = (digit(0), digit(1)) else {
            return Err(Undecodable::Percent);
        };
        bytes.push(u8::try_from(high * 16 + low).expect("two hexadecimal digits are a byte"));
        rest = &tail[2..];
    }
    match String::from_utf8(bytes) {
        Ok(text) if !text.contains('\0') => Ok(text),
        _ => Err(Undecodable::NoText),
    }
}

/// The same for a part of a URL that names a server, of which nothing is shown.
///
/// # Errors
/// `config::url`
pub fn part(text: &str) -> Result<String> {
    decode(text).map_err(|why| match why {
        Undecodable::Percent => Error::new(
            Code::ConfigUrl,
            "a `%` in the URL is not followed by two hexadecimal digits",
        )
        .help("a `%` in a password is written %25"),
        Undecodable::NoText => Error::new(Code::ConfigUrl, "a part of the URL is not a text"),
    })
}

/// The value of a parameter in a URL, as it is written; the last one counts.
pub fn parameter<'u>(url: &'u str, name: &str) -> Option<&'u str> {
    let values = parameters(url).filter_map(|part| part.split_once('='));
    values
        .filter(|(known, _)| *known == name)
        .map(|(_, value)| value)
        .last()
}

/// The URL with this value for a parameter, which may be none, in the place of those that it has.
pub fn with_parameter(url: &str, name: &str, value: Option<&str>) -> String {
    let is_it = |part: &&str| part.split_once('=').is_some_and(|(known, _)| known == name);
    let mut parts: Vec<String> = parameters(url).filter(|part| !is_it(part)).map(str::to_owned).collect();
    parts.extend(value.map(|value| format!("{name}={value}")));
    let place = url.split('?').next().unwrap_or_default();
    if parts.is_empty() {
        place.to_owned()
    } else {
        format!("{place}?{}", parts.join("&"))
    }
}

fn parameters(url: &str) -> impl Iterator<Item = &str> {
    let query = url.split_once('?').map_or("", |(_, query)| query);
    query.split('&').filter(|part| !part.is_empty())
}

/// The text as a value of a parameter.
pub fn encode(text: &str) -> String {
    let mut out = String::with_capacity(text.len());
    for byte in text.bytes() {
        if byte.is_ascii_alphanumeric() || b"-_.~".contains(&byte) {
            out.push(char::from(byte));
        } else {
            out.push_str(&format!("%{byte:02X}"));
        }
    }
    out
}

#[cfg(test)]
mod tests {
    use super::{Undecodable, decode, encode, parameter, with_parameter};

    #[test]
    fn bytes() {
        assert_eq!(decode("a%20%C3%a9%25"), Ok("a é%".to_owned()));
        for wrong in ["%", "%2", "%zz", "%é"] {
            assert_eq!(decode(wrong), Err(Undecodable::Percent), "{wrong}");
        }
        assert_eq!(decode("%ff"), Err(Undecodable::NoText));
        assert_eq!(decode("%00"), Err(Undecodable::NoText));
        assert_eq!(decode(&encode("a b,é%?&")), Ok("a b,é%?&".to_owned()));
    }

    #[test]
    fn parameters_of_urls() {
        let url = "postgresql://u:p@h/d?a=1&schema=x&b=2";
        assert_eq!(parameter(url, "schema"), Some("x"));
        assert_eq!(parameter(url, "sch"), None);
        let with = |value| with_parameter(url, "schema", value);
        assert_eq!(with(Some("y")), "postgresql://u:p@h/d?a=1&b=2&schema=y");
        assert_eq!(with(None), "postgresql://u:p@h/d?a=1&b=2");
        assert_eq!(with_parameter("p://h/d?schema=x", "schema", None), "p://h/d");
        assert_eq!(with_parameter("p://h/d", "schema", Some("x")), "p://h/d?schema=x");
    }
}
