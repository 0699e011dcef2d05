//! Checksums of revision files: has a file changed since it was applied, and if so, in more than its layout?

#[cfg(test)]
mod tests;

use std::fmt;
use std::io::{self, Read};
use std::str::FromStr;

use crate::revision::{Header, Recreate, Transaction};
use crate::sql::split::{Fault, Piece, SplitRules, Statements};
use crate::sql::squeeze;

/// How much is gathered before it is hashed: long enough for the hash's vector code, short enough for a core's cache.
const BUFFER: usize = 64 * 1024;

/// Two values of a file, both blake3.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Checksum {
    /// Of the text, without a byte order mark, every end of a line a newline.
    pub text: [u8; 32],
    /// Of the SQL without comments and white space, and of what the header says about running it.
    pub tokens: [u8; 32],
}

/// What became of a file.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Change {
    /// Nothing.
    Same,
    /// Comments, white space or the message of the header: it does what it did.
    Cosmetic,
    /// Something that runs, or where it stands in the graph.
    Edited,
}

/// Compares the checksum that was stored with that of the file as it is now.
pub fn compare(stored: &Checksum, now: &Checksum) -> Change {
    if stored.tokens != now.tokens {
        Change::Edited
    } else if stored.text != now.text {
        Change::Cosmetic
    } else {
        Change::Same
    }
}

impl Checksum {
    /// The stored form: `b3:1:<text in hex>:<tokens in hex>`. The `1` is the version of the rules.
    pub fn stored(&self) -> String {
        let mut out = String::with_capacity(5 + 64 + 1 + 64);
        for (before, value) in [("b3:1:", &self.text), (":", &self.tokens)] {
            out.push_str(before);
            out.push_str(std::str::from_utf8(&digits(value)).unwrap_or_default());
        }
        out
    }
}

impl fmt::Display for Checksum {
    /// Writes the stored form.
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.stored())
    }
}

/// Why a stored checksum cannot be read.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum ParseError {
    /// It was written by rules that this version does not know.
    UnknownVersion,
    /// It is no checksum.
    Malformed,
}

impl fmt::Display for ParseError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(match self {
            Self::UnknownVersion => "a checksum by rules that this version does not know",
            Self::Malformed => "not a checksum",
        })
    }
}

impl std::error::Error for ParseError {}

impl FromStr for Checksum {
    type Err = ParseError;

    fn from_str(stored: &str) -> Result<Self, ParseError> {
        let (kind, rest) = stored.split_once(':').ok_or(ParseError::Malformed)?;
        let (version, values) = rest.split_once(':').ok_or(ParseError::Malformed)?;
        let named = kind.starts_with(|first: char| first.is_ascii_lowercase());
        let numbered = !version.is_empty() && version.bytes().all(|byte| byte.is_ascii_digit());
        if !named || !numbered {
            return Err(ParseError::Malformed);
        }
        if (kind, version) != ("b3", "1") {
            return Err(ParseError::UnknownVersion);
        }
        let (text, tokens) = values.split_once(':').ok_or(ParseError::Malformed)?;
        let value = |hex: &str| match blake3::Hash::from_hex(hex) {
            Ok(hash) => Ok(*hash.as_bytes()),
            Err(_) => Err(ParseError::Malformed),
        };
        Ok(Self {
            text: value(text)?,
            tokens: value(tokens)?,
        })
    }
}

/// The digits of a value. The hash's own way to write them makes a call for each.
fn digits(value: &[u8; 32]) -> [u8; 64] {
    /// Eight digits of four bits each, the first one lowest.
    fn eight(bytes: &[u8]) -> [u8; 8] {
        const EACH: u64 = 0x0101_0101_0101_0101;
        // One four-bit number a byte, then the digits of all eight at once: those above 9 are letters.
        let spread = bytes.iter().rev().fold(0, |all, &byte| {
            all << 16 | u64::from(byte & 15) << 8 | u64::from(byte >> 4)
        });
        let letters = (spread + 6 * EACH) >> 4 & EACH;
        (spread + u64::from(b'0') * EACH + letters * u64::from(b'a' - b'9' - 1)).to_le_bytes()
    }
    let mut out = [0; 64];
    for (digits, bytes) in out.chunks_exact_mut(8).zip(value.chunks_exact(4)) {
        digits.copy_from_slice(&eight(bytes));
    }
    out
}

/// Whether `stored` is the stored form of a checksum whose first value is that of `text`: the cheap first look, since a
/// file with the same text has not changed.
pub fn is_of_text(stored: &str, text: &str) -> bool {
    const VALUE: usize = 64;
    let Some(values) = stored.strip_prefix("b3:1:") else {
        return false;
    };
    let hash = text_only(text);
    values.len() == 2 * VALUE + 1 && values.as_bytes().starts_with(&digits(&hash))
}

/// The first value alone.
pub fn text_only(text: &str) -> [u8; 32] {
    if memchr::memchr(b'\r', text.as_bytes()).is_none() {
        let text = text.strip_prefix('\u{feff}').unwrap_or(text);
        return *blake3::hash(text.as_bytes()).as_bytes();
    }
    let mut hasher = TextHasher::new();
    hasher.update(text.as_bytes());
    hasher.finish()
}

/// The checksum of a file in memory.
///
/// `body` is where the SQL begins, after the header, in bytes; a downgrade has no header: 0 and `None`.
/// Of a text that cannot be cut into statements, the rest counts as it is written.
pub fn of(file_text: &str, body: usize, header: Option<&Header>, rules: &SplitRules) -> Checksum {
    let mut pieces = Statements::of_text(file_text, rules);
    let mut tokens = TokenHasher::new(header, *rules);
    let mut end = body;
    let whole = pieces.skip(body).is_ok()
        && tokens
            .pieces(&mut pieces, |piece| {
                if let Piece::Statement(statement) = piece {
                    end = usize::try_from(statement.end).unwrap_or(end);
                }
                Ok::<(), Fault>(())
            })
            .is_ok();
    if !whole {
        tokens.rest(file_text.get(end..).unwrap_or(file_text));
    }
    Checksum {
        text: text_only(file_text),
        tokens: tokens.finish(),
    }
}

/// The checksum of a text, its pieces on the way, and what comes after the last of them: the very value that [`of`]
/// gives.
///
/// # Errors
/// A script that cannot be cut, and what `each` returns.
pub fn of_pieces<'t, E: From<Fault>>(
    file_text: &'t str,
    body: usize,
    header: Option<&Header>,
    rules: &SplitRules,
    each: impl FnMut(&Piece<'_>) -> Result<(), E>,
) -> Result<(Checksum, &'t str), E> {
    let mut pieces = Statements::of_text(file_text, rules);
    let mut tokens = TokenHasher::new(header, *rules);
    pieces.skip(body)?;
    tokens.pieces(&mut pieces, each)?;
    let rest = &file_text[file_text.len() - pieces.rest().len()..];
    let checksum = Checksum {
        text: text_only(file_text),
        tokens: tokens.finish(),
    };
    Ok((checksum, rest))
}

/// The checksum of a file that is read once, and its pieces on the way: the very value that [`of`] gives.
///
/// # Errors
/// A script that cannot be cut or read, and what `each` returns.
pub fn read<E: From<Fault>>(
    file: impl Read,
    body: usize,
    header: Option<&Header>,
    rules: &SplitRules,
    each: impl FnMut(&Piece<'_>) -> Result<(), E>,
) -> Result<Checksum, E> {
    let mut text = TextHasher::new();
    let mut tokens = TokenHasher::new(header, *rules);
    let tee = Tee { file, text: &mut text };
    let mut pieces = Statements::of_reader(tee, rules);
    pieces.skip(body)?;
    tokens.pieces(&mut pieces, each)?;
    drop(pieces);
    Ok(Checksum {
        text: text.finish(),
        tokens: tokens.finish(),
    })
}

/// Hashes what passes through.
struct Tee<'a, R> {
    file: R,
    text: &'a mut TextHasher,
}

impl<R: Read> Read for Tee<'_, R> {
    fn read(&mut self, into: &mut [u8]) -> io::Result<usize> {
        let length = self.file.read(into)?;
        self.text.update(&into[..length]);
        Ok(length)
    }
}

/// The first value of a file that comes in chunks, for files too large for memory.
#[derive(Debug, Clone, Default)]
pub struct TextHasher {
    hash: blake3::Hasher,
    head: Head,
    /// Whether the last byte was a carriage return, which was hashed as a newline.
    after_return: bool,
    buffer: Vec<u8>,
}

/// How much of a byte order mark was seen, and nothing else.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
enum Head {
    #[default]
    Empty,
    One,
    Two,
    Passed,
}

impl TextHasher {
    /// Before the first byte of the file.
    pub fn new() -> Self {
        Self::default()
    }

    /// Takes the next bytes of the file, however they are cut.
    pub fn update(&mut self, mut bytes: &[u8]) {
        while let (Some((&first, rest)), true) = (bytes.split_first(), self.head != Head::Passed) {
            self.head = match (self.head, first) {
                (Head::Empty, 0xef) => Head::One,
                (Head::One, 0xbb) => Head::Two,
                (Head::Two, 0xbf) => Head::Passed,
                _ => {
                    self.no_mark();
                    break;
                }
            };
            bytes = rest;
        }
        for part in bytes.chunks(BUFFER) {
            self.part(part);
        }
    }

    fn part(&mut self, mut part: &[u8]) {
        if self.after_return {
            part = part.strip_prefix(b"\n").unwrap_or(part);
        }
        self.after_return = part.last() == Some(&b'\r');
        if memchr::memchr(b'\r', part).is_none() {
            self.hash.update(part);
            return;
        }
        squeeze::append_with_newlines(&mut self.buffer, part);
        self.hash.update(&self.buffer);
        self.buffer.clear();
    }

    /// The value.
    pub fn finish(mut self) -> [u8; 32] {
        self.no_mark();
        *self.hash.finalize().as_bytes()
    }

    /// Hashes the bytes that looked like a byte order mark and were none.
    fn no_mark(&mut self) {
        let seen = match std::mem::replace(&mut self.head, Head::Passed) {
            Head::Empty | Head::Passed => 0,
            Head::One => 1,
            Head::Two => 2,
        };
        self.hash.update(&[0xef, 0xbb][..seen]);
    }
}

/// The second value of a file, from its pieces.
struct TokenHasher {
    hash: blake3::Hasher,
    buffer: Vec<u8>,
    rules: SplitRules,
}

impl TokenHasher {
    /// Begins with what the header says about running the file. What is not said is left out, so that keys that a
    /// later version adds change no old checksum.
    fn new(header: Option<&Header>, rules: SplitRules) -> Self {
        let mut buffer = Vec::new();
        let mut say = |key: &str, value: &str| {
            for part in [key, value] {
                buffer.extend_from_slice(part.as_bytes());
                buffer.push(0);
            }
        };
        if let Some(header) = header {
            say("revision", header.id.as_str());
            for parent in &header.down_revisions {
                say("down_revision", parent.as_str());
            }
            for dependency in &header.depends_on {
                say("depends_on", dependency);
            }
            if header.transaction == Transaction::None {
                say("transaction", "none");
            }
            match header.recreate {
                Recreate::Auto => {}
                Recreate::Always => say("recreate", "always"),
                Recreate::Never => say("recreate", "never"),
            }
            if header.irreversible {
                say("irreversible", "true");
            }
            if header.code {
                say("code", "true");
            }
        }
        buffer.push(0);
        Self {
            hash: blake3::Hasher::new(),
            buffer,
            rules,
        }
    }

    /// Takes all pieces of a script.
    ///
    /// Written down are a record for each statement, ended by a NUL, which no SQL has; before and in it the directives
    /// in its comments; and the data lines as they are. So the terminators themselves, and empty statements, do not
    /// count, and neither does the line that DELIMITER stands on.
    fn pieces<E: From<Fault>>(
        &mut self,
        pieces: &mut Statements<'_>,
        mut each: impl FnMut(&Piece<'_>) -> Result<(), E>,
    ) -> Result<(), E> {
        pieces.squeeze();
        while let Some(piece) = pieces.next()? {
            each(&piece)?;
            match &piece {
                Piece::Statement(statement) => {
                    self.directives(statement.gap_before);
                    squeeze::statement(statement, self.rules, &mut self.buffer);
                }
                Piece::Data(data) => squeeze::append_with_newlines(&mut self.buffer, data.text.as_bytes()),
                Piece::DataEnd => self.buffer.extend_from_slice(b"\\.\0"),
            }
            if self.buffer.len() >= BUFFER {
                self.hash.update(&self.buffer);
                self.buffer.clear();
            }
        }
        self.directives(pieces.rest());
        Ok(())
    }

    fn directives(&mut self, gap: &str) {
        for directive in squeeze::directives(gap, self.rules) {
            self.buffer.extend_from_slice(directive.as_bytes());
            self.buffer.push(0);
        }
    }

    /// Takes what could not be cut, after the last statement that could.
    fn rest(&mut self, text: &str) {
        self.buffer.extend_from_slice(b"\0\0");
        squeeze::append_with_newlines(&mut self.buffer, text.as_bytes());
    }

    fn finish(mut self) -> [u8; 32] {
        self.hash.update(&self.buffer);
        *self.hash.finalize().as_bytes()
    }
}
