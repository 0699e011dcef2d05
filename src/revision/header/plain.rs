//! Headers in the shape that nearly all have, read without the YAML library: ten thousand of them in a few
//! milliseconds. What is not surely of this shape is left to the library; a property test holds the two together.

use std::sync::Arc;

use crate::revision::{Header, Recreate, RevisionId, Transaction};
use crate::source::{SourceFile, Span};

use super::duration::duration;
use super::lines::{comment, is_fence, line_at};
use super::{KEYS, Parsed, Spans};

/// Reads the lines from `start` to the closing one, each `-- key: words` or `-- key: [word, word]`. None if any line is
/// of another shape, or says what a header must not say.
pub(super) fn read(file: &SourceFile, start: usize) -> Option<Parsed> {
    let text = &*file.text;
    let mut header = Header::new(RevisionId(Arc::default()));
    let mut places = Spans {
        file: Some(file.clone()),
        ..Spans::default()
    };
    let mut given = [false; KEYS.len()];
    let mut body = start;
    loop {
        let line = line_at(text, body)?;
        body = line.next;
        let inner = comment(text, &line.words)?;
        let words = &text[inner.clone()];
        let Some(colon) = memchr::memchr(b':', words.as_bytes()) else {
            let ends = is_fence(text, &line.words) && !header.id.as_str().is_empty();
            return ends.then_some(Parsed { header, body, places });
        };
        let (key, value) = (&words[..colon], &words[colon + 1..]);
        let known = KEYS.iter().position(|known| *known == key)?;
        if std::mem::replace(&mut given[known], true) || !(value.is_empty() || value.starts_with(' ')) {
            return None;
        }
        let value = trim(text, inner.end - value.len()..inner.end);
        entry(key, text, value, &mut header, &mut places)?;
    }
}

fn entry(key: &str, text: &str, value: Span, header: &mut Header, places: &mut Spans) -> Option<()> {
    let words = &text[value.clone()];
    match key {
        "revision" => {
            header.id = RevisionId::new(scalar(words)?);
            places.id = value;
        }
        "down_revision" => header.down_revisions = list(text, value, &mut places.down_revision)?,
        "depends_on" => header.depends_on = list(text, value, &mut places.depends_on)?,
        "branch_labels" => header.branch_labels = list(text, value, &mut places.labels)?,
        "message" => header.message = scalar(words)?.into(),
        "created" => header.created = Some(scalar(words)?.into()),
        "transaction" => {
            header.transaction = match words {
                "revision" => Transaction::Revision,
                "none" => Transaction::None,
                _ => return None,
            }
        }
        "lock_timeout" => header.lock_timeout = Some(duration(words)?),
        "statement_timeout" => header.statement_timeout = Some(duration(words)?),
        "recreate" => {
            header.recreate = match words {
                "auto" => Recreate::Auto,
                "always" => Recreate::Always,
                "never" => Recreate::Never,
                _ => return None,
            }
        }
        "irreversible" => header.irreversible = truth(words)?,
        "code" => header.code = truth(words)?,
        _ => return None,
    }
    Some(())
}

fn truth(words: &str) -> Option<bool> {
    match words {
        "true" => Some(true),
        "false" => Some(false),
        _ => None,
    }
}

/// The span without spaces at its ends.
fn trim(text: &str, span: Span) -> Span {
    let bytes = &text.as_bytes()[span.clone()];
    let Some(first) = bytes.iter().position(|&byte| byte != b' ') else {
        return span.start..span.start;
    };
    let last = bytes.iter().rposition(|&byte| byte != b' ').unwrap_or(first);
    span.start + first..span.start + last + 1
}

/// One word, or words in brackets, with their places; nothing is no words. None where one stands there twice.
fn list<T: for<'s> From<&'s str> + PartialEq>(text: &str, value: Span, places: &mut Vec<Span>) -> Option<Vec<T>> {
    let words = &text[value.clone()];
    if words.is_empty() {
        return Some(Vec::new());
    }
    if !(words.len() > 1 && words.starts_with('[') && words.ends_with(']')) {
        let one = scalar(words).filter(|word| !word.is_empty())?;
        places.push(value);
        return Some(vec![one.into()]);
    }
    let mut items = Vec::with_capacity(1);
    let mut at = value.start + 1;
    loop {
        let inner = &text.as_bytes()[at..value.end - 1];
        let comma = memchr::memchr(b',', inner);
        let place = trim(text, at..at + comma.unwrap_or(inner.len()));
        let item = word(&text[place.clone()])?.into();
        if items.contains(&item) {
            return None;
        }
        items.push(item);
        places.push(place);
        match comma {
            Some(length) => at += length + 1,
            None => return Some(items),
        }
    }
}

/// A text in quotes without signs of its own, or a sentence.
fn scalar(words: &str) -> Option<&str> {
    match words.as_bytes() {
        [b'"', inner @ .., b'"'] if inner.iter().all(|&byte| byte != b'"' && byte != b'\\' && is_sure(byte)) => {
            Some(&words[1..words.len() - 1])
        }
        [b'\'', inner @ .., b'\''] if inner.iter().all(|&byte| byte != b'\'' && is_sure(byte)) => {
            Some(&words[1..words.len() - 1])
        }
        _ => is_sentence(words).then_some(words),
    }
}

/// Whether the words are a text without quotes, of letters and what cannot be a sign of YAML where it stands.
pub(super) fn is_sentence(words: &str) -> bool {
    let bytes = words.as_bytes();
    let (Some(first), Some(last)) = (bytes.first(), bytes.last()) else {
        return false;
    };
    let starts = first.is_ascii_alphanumeric() || matches!(first, b'_' | b'(' | b'/' | b'$') || *first >= 0x80;
    let mut before = b' ';
    let plain = bytes.iter().all(|&byte| {
        let sign = (byte == b' ' && before == b':') || (byte == b'#' && before == b' ');
        before = byte;
        is_sure(byte) && !sign
    });
    starts && plain && *last != b':' && *last != b' ' && !is_nothing(words)
}

/// An item of a list: a word of letters, digits and a few signs.
fn word(words: &str) -> Option<&str> {
    let mut bytes = words.bytes();
    let sure = bytes.next()?.is_ascii_alphanumeric()
        && bytes.all(|byte| byte.is_ascii_alphanumeric() || b"_.-".contains(&byte));
    (sure && !is_nothing(words)).then_some(words)
}

/// Whether YAML takes the word for the absence of one.
fn is_nothing(word: &str) -> bool {
    matches!(word, "null" | "Null" | "NULL")
}

/// Whether the byte belongs to a character that YAML has no second thoughts about: ASCII that is seen, and other
/// letters, but no blocks in which line separators, byte order marks and control characters are.
fn is_sure(byte: u8) -> bool {
    matches!(byte, b' '..=b'~') || (byte >= 0x80 && !matches!(byte, 0xc2 | 0xe2 | 0xef))
}
