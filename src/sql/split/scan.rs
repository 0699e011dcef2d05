//! The pass over the bytes.

use std::io::Read;
use std::ops::Range;

use super::buffer::Buffer;
use super::fault::{Fault, FaultKind, Unterminated};
use super::machine::Machine;
use super::mode::Mode;
use super::step::{Special, Step, comment, trimmed};
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
    pub(super) buffer: Buffer<'a>,
    pub(super) flavor: Flavor,
    pub(super) delimiter: Vec<u8>,
    /// Where a line begins that chose another delimiter, in bytes of the file.
    pub(super) chosen: Option<u64>,
    /// MySQL: how the session reads texts from here on.
    pub(super) mode: Mode,
    pub(super) phase: Phase,
    /// Where the gap before the piece begins.
    pub(super) gap: usize,
    /// Where the piece begins.
    pub(super) start: usize,
    /// How far the pass has come.
    pub(super) at: usize,
    /// The end of the last comment inside the statement, or its start.
    pub(super) comment: usize,
    /// The end of what stands before that comment.
    pub(super) solid: usize,
    /// The end of the last dollar quote: a `$` right after it begins something new.
    pub(super) quote: usize,
    pub(super) machine: Machine,
    pub(super) special: Special,
    pub(super) gaps: Option<Vec<Span>>,
    /// The statement squeezed, or nothing where it is not plain.
    pub(super) squeezed: Option<Vec<u8>>,
}

/// What comes next.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Phase {
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
            chosen: None,
            mode: Mode::default(),
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
            squeezed: None,
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

    /// Squeezes plain statements on the way, and notes the gaps of the others.
    pub(crate) fn squeeze(&mut self) {
        self.note_gaps();
        self.squeezed = Some(Vec::new());
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
                    takes_data: self.phase == Phase::CopyLine,
                    raw: &text[self.start..terminator],
                    gaps: self.gaps.as_deref().unwrap_or_default(),
                    squeezed: self.squeezed.as_deref().filter(|squeezed| !squeezed.is_empty()),
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
    pub(super) fn grow(&mut self) -> Result<bool, Fault> {
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
    pub(super) fn line_end(&mut self) -> Result<usize, Fault> {
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
    pub(super) fn fault<T>(&mut self, kind: FaultKind, range: &Range<usize>) -> Result<T, Fault> {
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
        if let Some(squeezed) = &mut self.squeezed {
            squeezed.clear();
        }
        let terminator = self.plain_terminator();
        let terminator = terminator.map_or_else(|| self.terminator(), Ok)?;
        let end = trimmed(self.buffer.text().as_bytes(), self.comment, terminator);
        let end = if end > self.comment { end } else { self.solid };
        let gap = std::mem::replace(&mut self.gap, self.at);
        if self.flavor == Flavor::Mysql {
            self.mode.follow(&self.buffer.text()[self.start..end]);
        }
        if self.machine.is_copy() {
            self.phase = Phase::CopyLine;
        }
        Ok(Found::Statement { gap, end, terminator })
    }

    /// Goes to the beginning of the next statement. `false` when there is none.
    fn gap_end(&mut self) -> Result<bool, Fault> {
        // Most gaps are a newline. In MySQL a letter may begin a DELIMITER.
        if let Some([b'\n', next]) = self.buffer.text().as_bytes().get(self.at..self.at + 2)
            && next.is_ascii_alphabetic()
            && self.flavor != Flavor::Mysql
        {
            self.at += 1;
            return Ok(true);
        }
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
            match comment(bytes, at, self.flavor, last, true) {
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
        let chosen = self.buffer.offset(self.at);
        self.chosen = (self.delimiter != b";").then_some(chosen);
        self.at = end;
        Ok(true)
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
