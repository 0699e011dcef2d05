//! Texts of scripts as they are kept in the version table: as they are, or compressed where that pays.

use std::borrow::Cow;

use crate::revision::{checksum, header};
use crate::source::SourceFile;

/// Before a compressed text.
const MARK: &str = "deflate:";
/// Shorter texts are kept as they are: they stay readable, and the compressor's own start costs more than they do.
const SHORT: usize = 4096;
/// The most that is unpacked, so that a damaged row cannot fill the memory.
const MOST: usize = 64 << 20;
const ALPHABET: &[u8; 64] = b"ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789+/";

/// The form in which a text is kept.
pub fn pack(text: &str) -> Cow<'_, str> {
    let ambiguous = text.starts_with(MARK);
    if text.len() < SHORT && !ambiguous {
        return Cow::Borrowed(text);
    }
    let packed = miniz_oxide::deflate::compress_to_vec(text.as_bytes(), 6);
    let encoded = format!("{MARK}{}", base64(&packed));
    if encoded.len() < text.len() / 4 * 3 || ambiguous {
        Cow::Owned(encoded)
    } else {
        Cow::Borrowed(text)
    }
}

/// The text that was kept, or nothing when the kept form is damaged.
pub fn unpack(kept: &str) -> Option<Cow<'_, str>> {
    let Some(encoded) = kept.strip_prefix(MARK) else {
        return Some(Cow::Borrowed(kept));
    };
    let packed = from_base64(encoded)?;
    let text = miniz_oxide::inflate::decompress_to_vec_with_limit(&packed, MOST).ok()?;
    String::from_utf8(text).ok().map(Cow::Owned)
}

/// The file itself, out of a text that was kept and may have a header in front that stood elsewhere; none where the
/// header is all there is.
pub(super) fn file<'t>(kept: &'t str, checksum: &str) -> Option<&'t str> {
    let body = header::end(&SourceFile::new("", kept)).unwrap_or(0);
    let without = kept.get(body..).unwrap_or_default();
    [kept, without]
        .into_iter()
        .find(|text| checksum::is_of_text(checksum, text))
}

/// RFC 4648, section 4.
fn base64(bytes: &[u8]) -> String {
    let mut out = String::with_capacity(bytes.len().div_ceil(3) * 4);
    for chunk in bytes.chunks(3) {
        let word = chunk.iter().fold(0u32, |word, byte| word << 8 | u32::from(*byte)) << (8 * (3 - chunk.len()));
        for place in 0..4 {
            let letter = ALPHABET[(word >> (18 - 6 * place) & 63) as usize];
            out.push(if place <= chunk.len() { letter.into() } else { '=' });
        }
    }
    out
}

fn from_base64(text: &str) -> Option<Vec<u8>> {
    let text = text.trim_end_matches('=');
    let mut out = Vec::with_capacity(text.len() * 3 / 4);
    let (mut word, mut bits) = (0u32, 0);
    for letter in text.bytes() {
        let value = ALPHABET.iter().position(|known| *known == letter)?;
        word = word << 6 | u32::try_from(value).ok()?;
        bits += 6;
        if bits >= 8 {
            bits -= 8;
            out.push((word >> bits & 255) as u8);
        }
    }
    Some(out)
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    #[test]
    fn base64_as_the_rfc_has_it() {
        for (plain, coded) in [
            ("", ""),
            ("f", "Zg=="),
            ("fo", "Zm8="),
            ("foo", "Zm9v"),
            ("foobar", "Zm9vYmFy"),
        ] {
            assert_eq!(base64(plain.as_bytes()), coded);
            assert_eq!(from_base64(coded).unwrap(), plain.as_bytes());
        }
    }

    #[test]
    fn short_texts_stay_readable_and_long_ones_shrink() {
        assert_eq!(pack("DROP TABLE t;"), "DROP TABLE t;");
        let long = "DROP TABLE t;\n".repeat(1000);
        assert!(pack(&long).len() < long.len() / 10);
        assert_eq!(unpack(&pack(&long)).unwrap(), long);
        assert_eq!(unpack("deflate:!"), None);
        assert_eq!(unpack("deflate:Zm9v"), None);
    }

    proptest! {
        #[test]
        fn what_is_packed_is_unpacked(text in "(deflate:)?[ -~é\n]{0,80}", times in 1usize..200) {
            let text = text.repeat(times);
            let packed = pack(&text);
            let unpacked = unpack(&packed);
            prop_assert_eq!(unpacked.as_deref(), Some(text.as_str()));
        }
    }
}
