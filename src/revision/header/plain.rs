//! Headers in the shape that nearly all have, read without the YAML library: ten thousand of them in a few
//! milliseconds. What is not surely of this shape is left to the library; a property test holds the two together.

use std::borrow::Cow;

use crate::source::Span;
use crate::yaml::{Key, Node, Value};

use super::KEYS;
use super::lines::{comment, is_fence, line_at};

/// Reads the lines from `start` to the closing one, each `-- key: word` or `-- key: [word, word]`, and gives the tree
/// with its places in the file and the offset after the closing line. None if any line is of another shape.
pub(super) fn read(text: &str, start: usize) -> Option<(Node<'_>, usize)> {
    let mut entries: Vec<(Key<'_>, Node<'_>)> = Vec::with_capacity(4);
    let mut at = start;
    loop {
        let line = line_at(text, at)?;
        at = line.next;
        let inner = comment(text, &line.words)?;
        let words = &text[inner.clone()];
        let Some(colon) = words.bytes().position(|byte| byte == b':') else {
            return is_fence(text, &line.words).then(|| root(entries, start, at));
        };
        let key = &words[..colon];
        if !KEYS.contains(&key) || entries.iter().any(|(before, _)| before.text == key) {
            return None;
        }
        let key = Key {
            span: inner.start..inner.start + colon,
            text: Cow::Borrowed(key),
        };
        let rest = inner.start + colon + 1..inner.end;
        if !rest.is_empty() && text.as_bytes()[rest.start] != b' ' {
            return None;
        }
        entries.push((key, value(text, trim(text, rest))?));
    }
}

fn root<'a>(entries: Vec<(Key<'a>, Node<'a>)>, start: usize, end: usize) -> (Node<'a>, usize) {
    let value = if entries.is_empty() {
        Value::Null
    } else {
        Value::Map(entries)
    };
    let node = Node {
        span: start..start,
        value,
    };
    (node, end)
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

fn value(text: &str, span: Span) -> Option<Node<'_>> {
    let words = &text[span.clone()];
    let value = match words.as_bytes() {
        [] => Value::Null,
        [b'[', inner @ .., b']'] => {
            let mut items = Vec::with_capacity(1);
            let mut at = span.start + 1;
            for item in inner.split(|&byte| byte == b',') {
                let place = trim(text, at..at + item.len());
                at += item.len() + 1;
                items.push(Node {
                    value: word(&text[place.clone()])?,
                    span: place,
                });
            }
            Value::List(items)
        }
        [b'"', inner @ .., b'"'] if inner.iter().all(|&byte| byte != b'"' && byte != b'\\' && is_sure(byte)) => {
            Value::Quoted(Cow::Borrowed(&words[1..words.len() - 1]))
        }
        [b'\'', inner @ .., b'\''] if inner.iter().all(|&byte| byte != b'\'' && is_sure(byte)) => {
            Value::Quoted(Cow::Borrowed(&words[1..words.len() - 1]))
        }
        _ => sentence(words)?,
    };
    Some(Node { span, value })
}

/// A scalar without quotes, of letters and what cannot be a sign of YAML where it stands.
pub(super) fn sentence(words: &str) -> Option<Value<'_>> {
    let bytes = words.as_bytes();
    let (first, last) = (bytes.first()?, bytes.last()?);
    let starts = first.is_ascii_alphanumeric() || matches!(first, b'_' | b'(' | b'/' | b'$') || *first >= 0x80;
    let plain = bytes.windows(2).all(|pair| pair != b": " && pair != b" #");
    (starts && plain && *last != b':' && *last != b' ' && bytes.iter().all(|&byte| is_sure(byte)))
        .then(|| Value::plain(words))
}

/// An item of a list: a word of letters, digits and a few signs.
fn word(words: &str) -> Option<Value<'_>> {
    let mut bytes = words.bytes();
    let sure = bytes.next()?.is_ascii_alphanumeric()
        && bytes.all(|byte| byte.is_ascii_alphanumeric() || b"_.-".contains(&byte));
    sure.then(|| Value::plain(words))
}

/// Whether the byte belongs to a character that YAML has no second thoughts about: ASCII that is seen, and other
/// letters, but no blocks in which line separators, byte order marks and control characters are.
fn is_sure(byte: u8) -> bool {
    matches!(byte, b' '..=b'~') || (byte >= 0x80 && !matches!(byte, 0xc2 | 0xe2 | 0xef))
}
