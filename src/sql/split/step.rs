//! The look at one place after another, from the beginning of a statement to its terminator.

use std::borrow::Cow;

use super::Flavor;
use super::fault::{Fault, FaultKind, Unterminated};
use super::mode::Mode;
use super::scan::Statements;
use crate::source::Span;
use crate::sql::lex;

/// What a look at one place found.
pub(super) enum Step {
    /// Nothing that matters before here.
    To(usize),
    /// A comment that ends here.
    Comment(usize),
    /// White space that ends here, where gaps are noted.
    Space(usize),
    /// The statement's terminator ends here.
    End(usize),
    /// More text could change the answer.
    More,
    /// What begins here never ends; so many bytes begin it.
    Open(Unterminated, usize),
    /// A line for psql.
    Command,
}

/// The bytes at which the pass must stop and look: a table for the plain part of statements.
#[derive(Debug, Clone)]
pub(super) struct Special(Cow<'static, Table>);

type Table = [bool; 256];

/// The tables of scripts whose delimiter is a semicolon, without and with white space: most scripts are small, and it
/// would take longer to fill a table than to cut them.
static USUAL: [[Table; 2]; 3] = [
    [table(Flavor::Sqlite, b';', false), table(Flavor::Sqlite, b';', true)],
    [
        table(Flavor::Postgresql, b';', false),
        table(Flavor::Postgresql, b';', true),
    ],
    [table(Flavor::Mysql, b';', false), table(Flavor::Mysql, b';', true)],
];

const fn table(flavor: Flavor, delimiter: u8, gaps: bool) -> Table {
    let bytes: &[u8] = match flavor {
        Flavor::Sqlite => b"'\"`[-/$@:#",
        Flavor::Postgresql => b"'\"-/$\\",
        Flavor::Mysql => b"'\"`-/#\\",
    };
    let mut table = [false; 256];
    table[delimiter as usize] = true;
    let mut at = 0;
    while at < bytes.len() {
        table[bytes[at] as usize] = true;
        at += 1;
    }
    let spaces = b" \t\n\r\x0b\x0c\xef";
    let mut at = 0;
    while gaps && at < spaces.len() {
        table[spaces[at] as usize] = true;
        at += 1;
    }
    table
}

impl Special {
    pub(super) fn new(flavor: Flavor, delimiter: u8, gaps: bool) -> Self {
        let [sqlite, postgresql, mysql] = &USUAL;
        let usual = match flavor {
            Flavor::Sqlite => sqlite,
            Flavor::Postgresql => postgresql,
            Flavor::Mysql => mysql,
        };
        Self(match delimiter {
            b';' => Cow::Borrowed(&usual[usize::from(gaps)]),
            other => Cow::Owned(table(flavor, other, gaps)),
        })
    }

    /// The first of the bytes at or after `at`; the end of the text where there is none.
    pub(super) fn next(&self, bytes: &[u8], at: usize) -> usize {
        let table: &Table = &self.0;
        let is = |byte: u8| table[usize::from(byte)];
        let mut at = at;
        // Eight at a time, without a branch for each.
        while let Some(&[a, b, c, d, e, f, g, h]) = bytes.get(at..at + 8) {
            if (is(a) | is(b) | is(c) | is(d)) | (is(e) | is(f) | is(g) | is(h)) {
                break;
            }
            at += 8;
        }
        let rest = &bytes[at..];
        at + rest.iter().position(|&byte| is(byte)).unwrap_or(rest.len())
    }
}

impl Statements<'_> {
    /// Goes past the terminator of the statement and returns where it begins, or where the file ends.
    pub(super) fn terminator(&mut self) -> Result<usize, Fault> {
        loop {
            self.pass();
            let bytes = self.buffer.text().as_bytes();
            let last = self.buffer.is_last();
            if self.at == bytes.len() {
                if self.grow()? {
                    continue;
                }
                if self.machine.is_open() {
                    return self.fault(
                        FaultKind::Unterminated(Unterminated::Body),
                        &(self.start..self.start + 1),
                    );
                }
                return Ok(self.at);
            }
            match self.step(last) {
                Step::To(end) => self.at = end,
                Step::Space(end) => {
                    self.note(self.at..end);
                    self.at = end;
                }
                Step::Comment(end) => {
                    let solid = trimmed(self.buffer.text().as_bytes(), self.comment, self.at);
                    if solid > self.comment {
                        self.solid = solid;
                    }
                    self.comment = end;
                    self.note(self.at..end);
                    self.at = end;
                }
                Step::End(end) => return Ok(std::mem::replace(&mut self.at, end)),
                Step::More => {
                    self.grow()?;
                }
                Step::Command => {
                    let end = self.line_end()?;
                    return self.fault(FaultKind::MetaCommand, &(self.at..end));
                }
                Step::Open(what, length) => return self.open(what, length),
            }
        }
    }

    /// The fault of what begins here and never ends.
    pub(super) fn open<T>(&mut self, what: Unterminated, length: usize) -> Result<T, Fault> {
        self.fault(FaultKind::Unterminated(what), &(self.at..self.at + length))
    }

    /// Goes to the next place to look at.
    fn pass(&mut self) {
        let bytes = self.buffer.text().as_bytes();
        match &mut self.gaps {
            _ if self.machine.is_plain() => {
                let Some(gaps) = &mut self.gaps else {
                    self.at = self.special.next(bytes, self.at);
                    return;
                };
                // Gaps are near one another, so bytes are taken one by one here.
                let mut at = self.at;
                for (&byte, &next) in bytes[at..].iter().zip(bytes.get(at + 1..).unwrap_or_default()) {
                    if self.special.0[usize::from(byte)] {
                        if byte != b' ' || self.special.0[usize::from(next)] && !matches!(next, b'\'' | b'"' | b';') {
                            break;
                        }
                        let start = at - self.start;
                        match gaps.last_mut() {
                            Some(before) if before.end == start => before.end = start + 1,
                            _ => gaps.push(start..start + 1),
                        }
                    }
                    at += 1;
                }
                self.at = at;
            }
            Some(_) => {}
            None => {
                let rest = &bytes[self.at..];
                let found = rest.iter().position(|&byte| !lex::is_space(byte, self.flavor));
                self.at += found.unwrap_or(rest.len());
            }
        }
    }

    /// Notes white space or a comment inside the statement, together with what it adjoins.
    fn note(&mut self, gap: Span) {
        let gap = gap.start - self.start..gap.end - self.start;
        let Some(gaps) = &mut self.gaps else { return };
        match gaps.last_mut() {
            Some(before) if before.end == gap.start => before.end = gap.end,
            _ => gaps.push(gap),
        }
    }

    /// Looks at the byte here. `last`: the file ends where the text in memory ends.
    fn step(&mut self, last: bool) -> Step {
        let bytes = self.buffer.text().as_bytes();
        let at = self.at;
        let byte = bytes[at];
        if byte == self.delimiter[0] {
            let rest = &bytes[at..];
            if self.delimiter.len() == 1 || rest.starts_with(&self.delimiter) {
                let end = at + self.delimiter.len();
                return if self.machine.terminator() {
                    Step::End(end)
                } else {
                    Step::To(end)
                };
            }
            if !last && self.delimiter.starts_with(rest) {
                return Step::More;
            }
        }
        if byte == lex::BOM[0] && at > self.start && lex::is_word(bytes[at - 1]) {
            return Step::To(at + 1);
        }
        if self.gaps.is_some() || byte == lex::BOM[0] {
            let space = lex::space_end(bytes, at, self.flavor);
            if space > at {
                return if space == bytes.len() && !last {
                    Step::More
                } else {
                    Step::Space(space)
                };
            }
        }
        if let Some(step) = comment(bytes, at, self.flavor, last, false) {
            return step;
        }
        let step = match byte {
            b'\'' | b'"' | b'`' | b'[' => quoted(bytes, self.quote, at, (self.flavor, self.mode), last),
            b'$' if self.flavor == Flavor::Postgresql => self.dollar(bytes, last),
            b'$' | b'@' | b':' | b'#' if self.flavor == Flavor::Sqlite => self.variable(bytes, last),
            b'\\' if self.flavor == Flavor::Postgresql => {
                return Step::Command;
            }
            // `\N` is NULL; anything else is the client's, such as `\G` in the place of a semicolon.
            b'\\' if self.flavor == Flavor::Mysql => match bytes.get(at + 1) {
                None if !last => return Step::More,
                None | Some(b'N') => Step::To(at + 1),
                Some(_) => return Step::Command,
            },
            _ if !self.machine.is_plain() && lex::is_word(byte) => {
                let end = lex::word_end(bytes, at);
                if end == bytes.len() && !last {
                    return Step::More;
                }
                self.machine.word(&bytes[at..end]);
                return Step::To(end);
            }
            _ => Step::To(at + 1),
        };
        if let Step::To(end) = step {
            if !self.machine.is_plain() {
                self.machine.mark(byte);
            }
            if byte == b'$' && end > at + 1 {
                self.quote = end;
            }
        }
        step
    }

    /// A `$` of PostgreSQL: part of a word, a parameter, or a dollar quote.
    fn dollar(&self, bytes: &[u8], last: bool) -> Step {
        let at = self.at;
        if at > self.quote && lex::is_word(bytes[at - 1]) {
            return Step::To(at + 1);
        }
        match lex::dollar_tag(bytes, at) {
            Some(body) => match lex::dollar_end(bytes, at, body) {
                Some(end) => Step::To(end),
                None if last => Step::Open(Unterminated::DollarQuote, body - at),
                None => Step::More,
            },
            None if !last && lex::word_end(bytes, at) == bytes.len() => Step::More,
            None => Step::To(at + 1),
        }
    }

    /// A variable of SQLite, or a `$` inside a word.
    fn variable(&self, bytes: &[u8], last: bool) -> Step {
        let at = self.at;
        if bytes[at] == b'$' && at > self.start && lex::is_word(bytes[at - 1]) {
            return Step::To(at + 1);
        }
        let end = lex::sqlite_variable_end(bytes, at);
        if end + 1 >= bytes.len() && !last {
            return Step::More;
        }
        Step::To(end)
    }
}

/// A comment at `at`, if there is one; `between` two statements or in one.
pub(super) fn comment(bytes: &[u8], at: usize, flavor: Flavor, last: bool, between: bool) -> Option<Step> {
    if !matches!(bytes[at], b'-' | b'/' | b'#') {
        return None;
    }
    if !last && bytes.len() - at < 4 {
        return Some(Step::More);
    }
    let line = if between {
        lex::line_comment_between(bytes, at, flavor)
    } else {
        lex::line_comment(bytes, at, flavor)
    };
    if !line && !lex::block_comment(bytes, at, flavor) {
        return None;
    }
    let end = if line {
        lex::line_comment_end(bytes, at, flavor)
    } else {
        lex::block_comment_end(bytes, at, flavor)
    };
    Some(match end {
        Some(end) => Step::Comment(end),
        None if !last => Step::More,
        // SQLite takes a comment that is never closed, as every flavor does for one that ends with the line.
        None if line || flavor == Flavor::Sqlite => Step::Comment(bytes.len()),
        None => Step::Open(Unterminated::Comment, 2),
    })
}

/// The string or quoted name whose quote stands at `at`; a prefix of it stands at `start` or later.
fn quoted(bytes: &[u8], start: usize, at: usize, (flavor, mode): (Flavor, Mode), last: bool) -> Step {
    let quote = bytes[at];
    let prefixed = |letter: u8| {
        let before = &bytes[start..at];
        before.last().is_some_and(|&byte| byte | 0x20 == letter)
            && !before.iter().nth_back(1).is_some_and(|&byte| lex::is_word(byte))
    };
    let mut what = if quote == b'\'' {
        Unterminated::Text
    } else {
        Unterminated::Name
    };
    // The end, and the last place that had to be looked at to know it.
    let plain = |end: usize| (end, end);
    let end = match (flavor, quote) {
        (Flavor::Sqlite, b'\'') if prefixed(b'x') => lex::after(bytes, at + 1, b'\'').map(|end| (end, 0)),
        (Flavor::Sqlite, b'[') => lex::after(bytes, at + 1, b']').map(|end| (end, 0)),
        (_, b'[') | (Flavor::Postgresql, b'`') => return Step::To(at + 1),
        (Flavor::Postgresql, b'\'') if prefixed(b'e') => {
            let first = lex::escaped_end(bytes, at + 1, quote);
            first
                .and_then(|end| lex::continued_end(bytes, end))
                .map(|(end, seen)| (end, seen + 1))
        }
        (Flavor::Mysql, b'\'' | b'"') => {
            what = Unterminated::Text;
            let end = if mode.escapes(quote) {
                lex::escaped_end(bytes, at + 1, quote)
            } else {
                lex::quote_end(bytes, at + 1, quote)
            };
            end.map(plain)
        }
        _ => lex::quote_end(bytes, at + 1, quote).map(plain),
    };
    match end {
        Some((_, seen)) if seen >= bytes.len() && !last => Step::More,
        Some((end, _)) => Step::To(end),
        None if last => Step::Open(what, 1),
        None => Step::More,
    }
}

/// The end of `bytes[low..high]` without the white space at its end.
pub(super) fn trimmed(bytes: &[u8], low: usize, high: usize) -> usize {
    let solid = bytes[low..high]
        .iter()
        .rposition(|byte| !matches!(byte, b' ' | b'\t' | b'\n' | b'\r' | 0x0c));
    solid.map_or(low, |last| low + last + 1)
}
