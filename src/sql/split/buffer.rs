//! The part of a script that is in memory.

use std::borrow::Cow;
use std::fmt;
use std::io::{self, Read};
use std::sync::Arc;

use super::fault::{Fault, FaultKind};

/// How many bytes are read at a time: enough for long reads, little enough to stay in a core's cache.
const CHUNK: usize = 128 * 1024;
/// How much text stands around a fault, on each side.
const AROUND: usize = 1024;

/// A window of the file that grows at its end and is cut at its beginning.
pub(super) struct Buffer<'a> {
    text: Cow<'a, str>,
    /// Where `text` begins in the file.
    base: u64,
    /// Where more comes from.
    reader: Option<Box<dyn Read + 'a>>,
    /// Why nothing may come after `text`.
    stop: Option<FaultKind>,
    /// The first bytes of a character whose last bytes were not read yet.
    partial: Vec<u8>,
    chunk: Vec<u8>,
    /// A place whose line and column are known, at or before everything that is still asked for.
    mark: usize,
    line: usize,
    column: usize,
}

impl<'a> Buffer<'a> {
    pub(super) fn of_text(text: &'a str) -> Self {
        let mut buffer = Self::new(Cow::Borrowed(text), None);
        if let Some(nul) = memchr::memchr(0, text.as_bytes()) {
            buffer.text = Cow::Borrowed(&text[..nul]);
            buffer.stop = Some(FaultKind::Nul);
        }
        buffer
    }

    pub(super) fn of_reader(reader: impl Read + 'a) -> Self {
        Self::new(Cow::Owned(String::new()), Some(Box::new(reader)))
    }

    fn new(text: Cow<'a, str>, reader: Option<Box<dyn Read + 'a>>) -> Self {
        Self {
            text,
            base: 0,
            chunk: if reader.is_some() { vec![0; CHUNK] } else { Vec::new() },
            reader,
            stop: None,
            partial: Vec::new(),
            mark: 0,
            line: 0,
            column: 1,
        }
    }

    /// What is in memory.
    pub(super) fn text(&self) -> &str {
        &self.text
    }

    /// Whether the file ends where the text in memory ends.
    pub(super) fn is_last(&self) -> bool {
        self.reader.is_none() && self.stop.is_none()
    }

    /// Where a place in memory stands in the file.
    pub(super) fn offset(&self, at: usize) -> u64 {
        self.base + at as u64
    }

    /// Line and column of a place at or after all that was asked for before.
    pub(super) fn place(&mut self, at: usize) -> (usize, usize) {
        let mut between = &self.text[self.mark..at];
        while let Some(newline) = memchr::memchr(b'\n', between.as_bytes()) {
            between = &between[newline + 1..];
            self.line += 1;
            self.column = 1;
            // Most statements begin a line.
            if between.is_empty() {
                break;
            }
        }
        self.column += between.chars().count();
        self.mark = at;
        (self.line, self.column)
    }

    /// Reads on, and may forget what stands before `keep`. Returns how many bytes were forgotten; places move back by
    /// as many. Not to be called when the text [is the last](Self::is_last).
    pub(super) fn grow(&mut self, keep: usize) -> Result<usize, Fault> {
        let forget = self.forget(keep);
        // A piece that is long already grows by its half, so that looking at it anew stays linear.
        let held = self.text.len();
        let enough = if held < 32 * self.chunk.len() { 1 } else { held / 2 };
        while self.text.len() - held < enough && self.stop.is_none() && self.reader.is_some() {
            self.read();
        }
        if self.text.len() == held
            && let Some(kind) = self.stop.take()
        {
            return Err(self.fault(kind, held, 1));
        }
        Ok(forget)
    }

    /// Cuts the text before the line of `keep`, or some way before `keep` when its line is long.
    fn forget(&mut self, keep: usize) -> usize {
        if self.reader.is_none() || keep < self.chunk.len() / 2 {
            return 0;
        }
        let far = boundary(&self.text, keep.saturating_sub(AROUND));
        let line = memchr::memrchr(b'\n', &self.text.as_bytes()[far..keep]).map_or(0, |newline| newline + 1);
        let forget = far + line;
        if self.mark < forget {
            self.place(forget);
        }
        self.mark -= forget;
        self.base += forget as u64;
        self.text.to_mut().drain(..forget);
        forget
    }

    /// Reads once and appends what is valid.
    fn read(&mut self) {
        let Some(reader) = &mut self.reader else { return };
        match reader.read(&mut self.chunk) {
            Ok(0) => {
                self.reader = None;
                if !self.partial.is_empty() {
                    self.stop = Some(FaultKind::InvalidUtf8);
                }
            }
            Ok(length) => self.append(length),
            Err(error) if error.kind() == io::ErrorKind::Interrupted => {}
            Err(error) => self.stop = Some(FaultKind::Io(error)),
        }
    }

    /// Appends the first `length` bytes of the chunk as far as they are UTF-8 without NUL.
    fn append(&mut self, length: usize) {
        let joined;
        let bytes = if self.partial.is_empty() {
            &self.chunk[..length]
        } else {
            joined = [&self.partial, &self.chunk[..length]].concat();
            self.partial.clear();
            &joined
        };
        let (valid, rest) = match std::str::from_utf8(bytes) {
            Ok(valid) => (valid, None),
            Err(error) => {
                let (valid, rest) = bytes.split_at(error.valid_up_to());
                let valid = std::str::from_utf8(valid).unwrap_or_default();
                (valid, Some((rest, error.error_len())))
            }
        };
        match rest {
            Some((_, Some(_))) => self.stop = Some(FaultKind::InvalidUtf8),
            Some((rest, None)) => self.partial.extend_from_slice(rest),
            None => {}
        }
        let nul = memchr::memchr(0, valid.as_bytes());
        if nul.is_some() {
            self.stop = Some(FaultKind::Nul);
        }
        self.text.to_mut().push_str(&valid[..nul.unwrap_or(valid.len())]);
    }

    /// A fault at a place in memory.
    pub(super) fn fault(&mut self, kind: FaultKind, at: usize, length: usize) -> Fault {
        let (line, column) = self.place(at);
        let low = boundary(&self.text, at.saturating_sub(2 * AROUND));
        let high = boundary(&self.text, at + length.min(AROUND) + AROUND);
        Fault {
            kind,
            offset: self.offset(at),
            length,
            line,
            column,
            window: Arc::from(&self.text[low..high]),
            at: at - low,
        }
    }

    #[cfg(test)]
    pub(super) fn read_by(&mut self, bytes: usize) {
        self.chunk = vec![0; bytes];
    }
}

/// The last boundary between characters at or before `at`.
fn boundary(text: &str, at: usize) -> usize {
    let mut at = at.min(text.len());
    while !text.is_char_boundary(at) {
        at -= 1;
    }
    at
}

impl fmt::Debug for Buffer<'_> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Buffer")
            .field("base", &self.base)
            .field("held", &self.text.len())
            .finish_non_exhaustive()
    }
}
