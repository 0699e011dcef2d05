//! Statements of words, numbers, marks, strings and white space alone: nearly all of a large script. One quick pass
//! finds their end and squeezes them as [`squeeze`](crate::sql::squeeze) does; whatever else stands in a statement
//! leaves it to [`step`](super::step).

use super::scan::Statements;
use super::step::Special;
use super::{Flavor, SplitRules};
use crate::sql::lex;

/// What a byte outside of strings is.
#[derive(Clone, Copy, PartialEq, Eq)]
enum Class {
    Letter,
    Digit,
    /// A token of its own.
    Mark,
    Operator,
    Dot,
    Space,
    Quote,
    /// An operator, or the beginning of a comment.
    Dash,
    Semicolon,
    /// Comments, variables, names in brackets and the like may begin here.
    Unusual,
}

impl Class {
    /// Whether nothing is done about the byte, whatever stands beside it.
    fn is_passed_over(self) -> bool {
        matches!(
            self,
            Self::Letter | Self::Digit | Self::Mark | Self::Operator | Self::Dot
        )
    }
}

const CLASSES: [Class; 256] = {
    let mut classes = [Class::Unusual; 256];
    let mut byte = 0u8;
    loop {
        classes[byte as usize] = match byte {
            b' ' | b'\t' | b'\n' | b'\r' | 0x0c => Class::Space,
            b'\'' | b'"' => Class::Quote,
            b'-' => Class::Dash,
            b';' => Class::Semicolon,
            b'.' => Class::Dot,
            b'(' | b')' | b',' => Class::Mark,
            b'=' | b'<' | b'>' | b'*' | b'+' | b'%' | b'|' | b'!' => Class::Operator,
            b'0'..=b'9' => Class::Digit,
            // A dollar sign may begin a string, the first byte of a byte order mark white space.
            b'$' => Class::Unusual,
            _ if lex::is_word(byte) && byte != lex::BOM[0] => Class::Letter,
            _ => Class::Unusual,
        };
        if byte == u8::MAX {
            break classes;
        }
        byte += 1;
    }
};

fn class(byte: u8) -> Class {
    CLASSES[usize::from(byte)]
}

impl SplitRules {
    /// Whether a statement that begins like this changes rows and does nothing else to schema, session or transaction:
    /// there is nothing in it to be looked for. Elsewhere than in SQLite functions and triggers may do anything.
    pub(crate) fn is_about_rows(&self, statement: &str) -> bool {
        // The bit that tells small letters from large ones makes no letter of any other byte.
        let first = statement
            .as_bytes()
            .first_chunk()
            .map(|first| first.map(|byte| byte | 0x20));
        let rows = first.is_some_and(|first: [u8; 6]| matches!(&first, b"insert" | b"update" | b"delete"));
        self.flavor == Flavor::Sqlite && rows
    }
}

impl Statements<'_> {
    /// Goes past the terminator of a plain statement and returns where it begins; `None` where it takes a slower look.
    pub(super) fn plain_terminator(&mut self) -> Option<usize> {
        let bytes = self.buffer.text().as_bytes();
        if self.delimiter != b";" || !may_be(bytes, self.start, self.flavor) {
            return None;
        }
        let found = match (&mut self.squeezed, &self.gaps) {
            (Some(squeezed), _) => {
                let found = squeezed_terminator(bytes, self.start, squeezed);
                if found.is_none() {
                    squeezed.clear();
                }
                found
            }
            (None, Some(_)) => None,
            (None, None) => terminator(bytes, self.start, &self.special),
        };
        self.at = found.map_or(self.at, |terminator| terminator + 1);
        found
    }
}

/// Whether the statement that begins at `start` may be plain.
fn may_be(bytes: &[u8], start: usize, flavor: Flavor) -> bool {
    // CREATE, EXPLAIN and COPY may have other semicolons in them, and strings of MySQL backslashes.
    let named = |first: &u8| first.is_ascii_alphabetic() && !matches!(first, b'c' | b'C' | b'e' | b'E');
    flavor != Flavor::Mysql && bytes.get(start).is_some_and(named)
}

/// Where the terminator of the statement stands; `None` where the statement is not plain or does not end in memory.
fn terminator(bytes: &[u8], start: usize, special: &Special) -> Option<usize> {
    let mut at = start;
    loop {
        at = special.next(bytes, at);
        match class(*bytes.get(at)?) {
            Class::Semicolon => return Some(at),
            class => at = passed(bytes, at, class)?,
        }
    }
}

/// Likewise, where white space must be told apart from tokens as well; appends the squeezed statement to `out`.
fn squeezed_terminator(bytes: &[u8], start: usize, out: &mut Vec<u8>) -> Option<usize> {
    let mut at = start;
    // From where on nothing is in `out` yet, and where the white space before ended.
    let (mut from, mut token) = (start, start);
    loop {
        at += bytes[at..].iter().position(|&byte| !class(byte).is_passed_over())?;
        match class(bytes[at]) {
            Class::Space => {
                let gap = at;
                at += 1;
                while class(*bytes.get(at)?) == Class::Space {
                    at += 1;
                }
                let apart = keeps_apart(&bytes[token..gap], bytes[at])?;
                token = at;
                if !apart {
                    out.extend_from_slice(&bytes[from..gap]);
                    from = at;
                } else if at > gap + 1 || bytes[gap] != b' ' {
                    out.extend_from_slice(&bytes[from..gap]);
                    out.push(b' ');
                    from = at;
                }
            }
            Class::Semicolon => {
                out.extend_from_slice(&bytes[from..at]);
                return Some(at);
            }
            class => at = passed(bytes, at, class)?,
        }
    }
}

/// What comes after the string, the quoted name or the minus sign here.
fn passed(bytes: &[u8], at: usize, class: Class) -> Option<usize> {
    match class {
        // A letter before a quote may give it another meaning, and another quote may come after the last.
        Class::Quote if !lex::is_word(bytes[at - 1]) => {
            lex::quote_end(bytes, at + 1, bytes[at]).filter(|&end| end < bytes.len())
        }
        Class::Dash if *bytes.get(at + 1)? != b'-' => Some(at + 1),
        _ => None,
    }
}

/// Whether the tokens on the two sides of white space would be other tokens without it: the cases of
/// [`squeeze`](crate::sql::squeeze) that two bytes tell. `segment` is what stands between the white space before and
/// this one, `right` the byte after it.
fn keeps_apart(segment: &[u8], right: u8) -> Option<bool> {
    use Class::{Dash, Digit, Letter, Mark, Operator, Quote, Semicolon};
    let (&left, before) = segment.split_last()?;
    match (class(left), class(right)) {
        (Mark, _) | (_, Semicolon) => Some(false),
        (Letter, Letter | Digit) => Some(true),
        (Digit, Letter | Digit) if segment.iter().all(|&byte| lex::is_word(byte)) => Some(true),
        // A word of one letter may be the prefix of a string, and `1e` the beginning of `1e+2`.
        (Letter | Digit, Quote) if before.last().is_some_and(|&byte| lex::is_word_start(byte)) => Some(false),
        (Letter, Operator | Dash) if matches!(left, b'e' | b'E') => None,
        (Letter | Digit | Quote, Mark | Operator | Dash) => Some(false),
        (Quote, Letter | Digit) | (Operator | Dash, Letter | Digit | Quote | Mark) => Some(false),
        _ => None,
    }
}
