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

#[cfg(test)]
mod tests {
    use super::{Undecodable, decode};

    #[test]
    fn bytes() {
        assert_eq!(decode("a%20%C3%a9%25"), Ok("a é%".to_owned()));
        for wrong in ["%", "%2", "%zz", "%é"] {
            assert_eq!(decode(wrong), Err(Undecodable::Percent), "{wrong}");
        }
        assert_eq!(decode("%ff"), Err(Undecodable::NoText));
        assert_eq!(decode("%00"), Err(Undecodable::NoText));
    }
}
