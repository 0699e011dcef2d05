//! The pass over the bytes.

use std::io::Read;
use std::ops::Range;

use super::buffer::Buffer;
use super::fault::{Fault, FaultKind, Unterminated};
use super::machine::Machine;
use super::{Data, Flavor, Piece, SplitRules, Statement};
use crate::source::Span;
use crate::sql::lex;

/// The pieces of a script, one after the other.
///
/// A script that is read needs as much memory as its largest statement, with the comments before it, and a buffer.
///
/// ```
/// use sqlrev::sql::split::{Piece, SQLITE, Statements};
/// let mut pieces = Statements::of_reader("SELECT 1; SELECT 2".as_bytes(), &SQLITE);
/// while let Some(piece) = pieces.next().unwrap() {
///     let Piece::Statement(statement) = piece else { continue };
///     assert_eq!(statement.line, 0);
/// }
/// ```
#[derive(Debug)]
pub struct Statements<'a> {
    buffer: Buffer<'a>,
    flavor: Flavor,
    delimiter: Vec<u8>,
    phase: Phase,
    /// Where the gap before the piece begins.
    gap: usize,
    /// Where the piece begins.
    start: usize,
    /// How far the pass has come.
    at: usize,
    /// The end of the last comment inside the statement, or its start.
    comment: usize,
    /// The end of what stands before that comment.
    solid: usize,
    /// The end of the last dollar quote: a `$` right after it begins something new.
    quote: usize,
    machine: Machine,
    special: Special,
    gaps: Option<Vec<Span>>,
}

/// What comes next.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Phase {
    /// The beginning of the file, where a byte order mark may stand.
    File,
    /// A gap and a statement.
    Statement,
    /// The rest of the line of `COPY … FROM stdin;`.
    CopyLine,
    /// Lines of data.
    CopyData,
    /// Nothing.
    End,
}

/// What a look at one place found.
enum Step {
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
struct Special(Box<[bool; 256]>);

impl Special {
    fn new(flavor: Flavor, delimiter: u8, gaps: bool) -> Self {
        let bytes: &[u8] = match flavor {
            Flavor::Sqlite => b"'\"`[-/$@:#",
            Flavor::Postgresql => b"'\"-/$\\",
            Flavor::Mysql => b"'\"`-/#",
        };
        let mut table = Box::new([false; 256]);
        for &byte in bytes.iter().chain([&delimiter]) {
            table[usize::from(byte)] = true;
        }
        for byte in *b" \t\n\r\x0b\x0c\xef" {
            table[usize::from(byte)] |= gaps;
        }
        Self(table)
    }

    /// The first of the bytes at or after `at`; the end of the text where there is none.
    fn next(&self, bytes: &[u8], at: usize) -> usize {
        let is = |byte: u8| self.0[usize::from(byte)];
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

impl<'a> Statements<'a> {
    /// The pieces of a text in memory.
    pub fn of_text(text: &'a str, rules: &SplitRules) -> Self {
        Self::new(Buffer::of_text(text), rules.flavor)
    }

    /// The pieces of what `reader` gives, which is read as the pieces are asked for.
    pub fn of_reader(reader: impl Read + 'a, rules: &SplitRules) -> Self {
        Self::new(Buffer::of_reader(reader), rules.flavor)
    }

    fn new(buffer: Buffer<'a>, flavor: Flavor) -> Self {
        Self {
            buffer,
            flavor,
            delimiter: b";".to_vec(),
            phase: Phase::File,
            gap: 0,
            start: 0,
            at: 0,
            comment: 0,
            solid: 0,
            quote: 0,
            machine: Machine::new(flavor, true),
            special: Special::new(flavor, b';', false),
            gaps: None,
        }
    }

    /// Skips the first `bytes` of the file: its header. To be called before the first piece is asked for.
    pub fn skip(&mut self, bytes: usize) -> Result<(), Fault> {
        while self.buffer.text().len() < bytes && self.grow()? {}
        let mut at = bytes.min(self.buffer.text().len());
        while !self.buffer.text().is_char_boundary(at) {
            at += 1;
        }
        if at > 0 {
            self.gap = at;
            self.at = at;
            self.phase = Phase::Statement;
        }
        Ok(())
    }

    /// Notes where white space and comments stand inside statements, which makes the pass slower.
    pub(crate) fn note_gaps(&mut self) {
        self.gaps = Some(Vec::new());
        self.special = Special::new(self.flavor, self.delimiter[0], true);
    }

    /// The next piece; `None` at the end, and after a fault.
    #[expect(clippy::should_implement_trait, reason = "the pieces borrow from the buffer")]
    pub fn next(&mut self) -> Result<Option<Piece<'_>>, Fault> {
        let found = self.find();
        if found.is_err() {
            self.phase = Phase::End;
        }
        match found? {
            Found::Nothing => Ok(None),
            Found::DataEnd => Ok(Some(Piece::DataEnd)),
            Found::Data => {
                let (line, _) = self.buffer.place(self.start);
                Ok(Some(Piece::Data(Data {
                    text: &self.buffer.text()[self.start..self.gap],
                    offset: self.buffer.offset(self.start),
                    line,
                })))
            }
            Found::Statement { gap, end, terminator } => {
                let (line, column) = self.buffer.place(self.start);
                let text = self.buffer.text();
                Ok(Some(Piece::Statement(Statement {
                    text: &text[self.start..end],
                    offset: self.buffer.offset(self.start),
                    line,
                    column,
                    end: self.buffer.offset(self.at),
                    gap_before: &text[gap..self.start],
                    raw: &text[self.start..terminator],
                    gaps: self.gaps.as_deref().unwrap_or_default(),
                })))
            }
        }
    }

    /// The white space and comments after the last piece, once [`next`](Self::next) has returned `None`.
    pub fn rest(&self) -> &str {
        &self.buffer.text()[self.gap..]
    }

    #[cfg(test)]
    pub(super) fn held(&self) -> usize {
        self.buffer.text().len()
    }

    #[cfg(test)]
    pub(super) fn read_by(&mut self, bytes: usize) {
        self.buffer.read_by(bytes);
    }

    fn find(&mut self) -> Result<Found, Fault> {
        loop {
            match self.phase {
                Phase::File => {
                    self.peek(1)?;
                    if self.buffer.text().starts_with('\u{feff}') {
                        self.at = lex::BOM.len();
                        self.gap = self.at;
                    }
                    self.phase = Phase::Statement;
                }
                Phase::Statement => return self.statement(),
                Phase::CopyLine => self.copy_line()?,
                Phase::CopyData => return self.copy_data(),
                Phase::End => return Ok(Found::Nothing),
            }
        }
    }

    /// Reads on. `false` at the end of the file.
    fn grow(&mut self) -> Result<bool, Fault> {
        if self.buffer.is_last() {
            return Ok(false);
        }
        let forgotten = self.buffer.grow(self.gap)?;
        for place in [
            &mut self.gap,
            &mut self.start,
            &mut self.at,
            &mut self.comment,
            &mut self.solid,
            &mut self.quote,
        ] {
            *place = place.saturating_sub(forgotten);
        }
        Ok(true)
    }

    /// Has `bytes` from here in memory if the file has as many.
    fn peek(&mut self, bytes: usize) -> Result<(), Fault> {
        while self.buffer.text().len() - self.at < bytes && self.grow()? {}
        Ok(())
    }

    /// The end of the line in memory, without its newline; the end of the file where there is none.
    fn line_end(&mut self) -> Result<usize, Fault> {
        loop {
            let rest = &self.buffer.text().as_bytes()[self.at..];
            if let Some(newline) = memchr::memchr(b'\n', rest) {
                return Ok(self.at + newline);
            }
            if !self.grow()? {
                return Ok(self.buffer.text().len());
            }
        }
    }

    /// A fault at a range in memory.
    fn fault<T>(&mut self, kind: FaultKind, range: &Range<usize>) -> Result<T, Fault> {
        Err(self.buffer.fault(kind, range.start, range.len()))
    }

    /// The next statement, or the end.
    fn statement(&mut self) -> Result<Found, Fault> {
        if !self.gap_end()? {
            self.phase = Phase::End;
            return Ok(Found::Nothing);
        }
        self.start = self.at;
        self.comment = self.at;
        self.solid = self.at;
        self.quote = self.at;
        self.machine = Machine::new(self.flavor, self.delimiter == b";");
        if let Some(gaps) = &mut self.gaps {
            gaps.clear();
        }
        let terminator = self.terminator()?;
        let end = trimmed(self.buffer.text().as_bytes(), self.comment, terminator);
        let end = if end > self.comment { end } else { self.solid };
        let gap = std::mem::replace(&mut self.gap, self.at);
        if self.machine.is_copy() {
            self.phase = Phase::CopyLine;
        }
        Ok(Found::Statement { gap, end, terminator })
    }

    /// Goes to the beginning of the next statement. `false` when there is none.
    fn gap_end(&mut self) -> Result<bool, Fault> {
        loop {
            self.peek(self.delimiter.len().max(4))?;
            let last = self.buffer.is_last();
            let bytes = self.buffer.text().as_bytes();
            let at = self.at;
            let Some(&byte) = bytes.get(at) else { return Ok(false) };
            let space = lex::space_end(bytes, at, self.flavor);
            if space > at {
                if space < bytes.len() || last {
                    self.at = space;
                } else {
                    self.grow()?;
                }
                continue;
            }
            if byte == self.delimiter[0] && bytes[at..].starts_with(&self.delimiter) {
                self.at += self.delimiter.len();
                continue;
            }
            match comment(bytes, at, self.flavor, last) {
                Some(Step::Comment(end)) => self.at = end,
                Some(Step::Open(what, length)) => return self.open(what, length),
                Some(_) => {
                    self.grow()?;
                }
                None if byte == b'\\' || byte == b'.' && self.is_dot_command() => {
                    let end = self.line_end()?;
                    return self.fault(FaultKind::MetaCommand, &(self.at..end));
                }
                None if byte | 0x20 == b'd' && self.flavor == Flavor::Mysql => {
                    if !self.delimiter_line()? {
                        return Ok(true);
                    }
                }
                None => return Ok(true),
            }
        }
    }

    /// Whether a dot and a letter stand here, in SQLite's language.
    fn is_dot_command(&self) -> bool {
        let next = self.buffer.text().as_bytes().get(self.at + 1);
        self.flavor == Flavor::Sqlite && next.is_some_and(u8::is_ascii_alphabetic)
    }

    /// Obeys the line `DELIMITER //` of the mysql client. `false` when it is none.
    fn delimiter_line(&mut self) -> Result<bool, Fault> {
        const NAME: usize = "DELIMITER".len();
        self.peek(NAME + 1)?;
        let bytes = self.buffer.text().as_bytes();
        let named = bytes.get(self.at..self.at + NAME);
        let alone = bytes.get(self.at + NAME).is_none_or(u8::is_ascii_whitespace);
        if !alone || !named.is_some_and(|word| word.eq_ignore_ascii_case(b"DELIMITER")) {
            return Ok(false);
        }
        let end = self.line_end()?;
        let argument = self.buffer.text()[self.at + NAME..end].trim_start();
        let word = match argument.chars().next() {
            Some(quote @ ('\'' | '"' | '`')) => argument[1..].split(quote).next(),
            _ => argument.split_whitespace().next(),
        };
        match word {
            Some(word) if !word.is_empty() && !word.contains('\\') => self.delimiter = word.as_bytes().to_vec(),
            _ => return self.fault(FaultKind::MetaCommand, &(self.at..end)),
        }
        self.special = Special::new(self.flavor, self.delimiter[0], self.gaps.is_some());
        self.at = end;
        Ok(true)
    }

    /// Goes past the terminator of the statement and returns where it begins, or where the file ends.
    fn terminator(&mut self) -> Result<usize, Fault> {
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
    fn open<T>(&mut self, what: Unterminated, length: usize) -> Result<T, Fault> {
        self.fault(FaultKind::Unterminated(what), &(self.at..self.at + length))
    }

    /// Goes to the next place to look at.
    fn pass(&mut self) {
        let bytes = self.buffer.text().as_bytes();
        match &mut self.gaps {
            _ if self.machine.is_plain() => {
                self.at = self.special.next(bytes, self.at);
                let Some(gaps) = &mut self.gaps else { return };
                while single_space(bytes, self.at) {
                    let at = self.at - self.start;
                    match gaps.last_mut() {
                        Some(before) if before.end == at => before.end = at + 1,
                        _ => gaps.push(at..at + 1),
                    }
                    self.at = self.special.next(bytes, self.at + 1);
                }
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
        if let Some(step) = comment(bytes, at, self.flavor, last) {
            return step;
        }
        let step = match byte {
            b'\'' | b'"' | b'`' | b'[' => quoted(bytes, self.quote, at, self.flavor, last),
            b'$' if self.flavor == Flavor::Postgresql => self.dollar(bytes, last),
            b'$' | b'@' | b':' | b'#' if self.flavor == Flavor::Sqlite => self.variable(bytes, last),
            b'\\' if self.flavor == Flavor::Postgresql => {
                return Step::Command;
            }
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

    /// Goes past the rest of the line on which a COPY ended.
    fn copy_line(&mut self) -> Result<(), Fault> {
        let end = self.line_end()?;
        let line = self.buffer.text()[self.at..end].trim();
        if !line.is_empty() && !line.starts_with("--") {
            return self.fault(FaultKind::AfterCopy, &(self.at..end));
        }
        self.at = self.buffer.text().len().min(end + 1);
        self.gap = self.at;
        self.phase = Phase::CopyData;
        Ok(())
    }

    /// The data lines in memory, or the end of the data.
    fn copy_data(&mut self) -> Result<Found, Fault> {
        self.start = self.gap;
        self.at = self.gap;
        loop {
            let bytes = self.buffer.text().as_bytes();
            let rest = &bytes[self.at..];
            let newline = memchr::memchr(b'\n', rest);
            let line = match newline {
                Some(length) => &rest[..length],
                None if self.buffer.is_last() => rest,
                None if self.at > self.start => return Ok(self.data()),
                None => {
                    self.grow()?;
                    continue;
                }
            };
            if line.strip_suffix(b"\r").unwrap_or(line) == b"\\." {
                if self.at > self.start {
                    return Ok(self.data());
                }
                self.at += line.len() + usize::from(newline.is_some());
                self.gap = self.at;
                self.phase = Phase::Statement;
                return Ok(Found::DataEnd);
            }
            match newline {
                Some(length) => self.at += length + 1,
                None if self.at > self.start => return Ok(self.data()),
                None => return self.fault(FaultKind::Unterminated(Unterminated::CopyData), &(self.at..self.at)),
            }
        }
    }

    fn data(&mut self) -> Found {
        self.gap = self.at;
        Found::Data
    }
}

/// What a search for a piece found; the places are in [`Statements`].
enum Found {
    Nothing,
    Statement { gap: usize, end: usize, terminator: usize },
    Data,
    DataEnd,
}

/// Whether a space stands at `at` and what follows it is neither white space nor the beginning of a comment.
fn single_space(bytes: &[u8], at: usize) -> bool {
    match bytes.get(at..at + 2) {
        Some(&[b' ', next]) => next > b' ' && !matches!(next, b'-' | b'/' | b'#') && next != lex::BOM[0],
        _ => false,
    }
}

/// A comment at `at`, if there is one.
fn comment(bytes: &[u8], at: usize, flavor: Flavor, last: bool) -> Option<Step> {
    if !matches!(bytes[at], b'-' | b'/' | b'#') {
        return None;
    }
    if !last && bytes.len() - at < 4 {
        return Some(Step::More);
    }
    let line = lex::line_comment(bytes, at, flavor);
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
fn quoted(bytes: &[u8], start: usize, at: usize, flavor: Flavor, last: bool) -> Step {
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
            lex::escaped_end(bytes, at + 1, quote).map(plain)
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
fn trimmed(bytes: &[u8], low: usize, high: usize) -> usize {
    let solid = bytes[low..high]
        .iter()
        .rposition(|byte| !matches!(byte, b' ' | b'\t' | b'\n' | b'\r' | 0x0c));
    solid.map_or(low, |last| low + last + 1)
}
