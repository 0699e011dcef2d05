//! Why a script cannot be cut.

use std::fmt;
use std::io;
use std::sync::Arc;

use crate::code::Code;
use crate::error::Error;
use crate::source::{SourceFile, Span};

/// What is never closed.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Unterminated {
    /// A string.
    Text,
    /// A quoted name.
    Name,
    /// A comment.
    Comment,
    /// A dollar-quoted string of PostgreSQL.
    DollarQuote,
    /// The body of a trigger or routine, which ends with END.
    Body,
    /// The data of `COPY … FROM stdin`, which ends with a line `\.`.
    CopyData,
}

impl fmt::Display for Unterminated {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(match self {
            Self::Text => "string",
            Self::Name => "quoted name",
            Self::Comment => "comment",
            Self::DollarQuote => "dollar-quoted string",
            Self::Body => "body",
            Self::CopyData => "COPY data",
        })
    }
}

/// What stands in the way.
#[derive(Debug)]
pub enum FaultKind {
    /// A line for a command-line client: `\connect` of psql, `.bail on` of sqlite3, DELIMITER without a delimiter.
    MetaCommand,
    /// Something begins and never ends.
    Unterminated(Unterminated),
    /// Something follows `COPY … FROM stdin;` on its line, where psql would run it only after the data.
    AfterCopy,
    /// The bytes are not UTF-8.
    InvalidUtf8,
    /// A NUL byte, at which SQLite would stop reading without a word.
    Nul,
    /// The file could not be read.
    Io(io::Error),
}

/// Why a script cannot be cut, and where. Everything before it was cut.
#[derive(Debug)]
pub struct Fault {
    /// What stands in the way.
    pub kind: FaultKind,
    /// Where it begins in the file, in bytes.
    pub offset: u64,
    /// How many bytes it has: of the opening quote for what is unterminated, of the line for a meta command.
    pub length: usize,
    /// How many lines of the file come before its line.
    pub line: usize,
    /// The column it begins at, in characters from 1.
    pub column: usize,
    /// The text around it, from the beginning of a line where that is known.
    pub(super) window: Arc<str>,
    /// Where it begins in `window`.
    pub(super) at: usize,
}

impl Fault {
    /// The place for a label: the text around it under the file's name, and the span in that text.
    pub fn place(&self, file_name: &str) -> (SourceFile, Span) {
        let newlines = self.window[..self.at].bytes().filter(|&byte| byte == b'\n').count();
        let file = SourceFile {
            name: file_name.into(),
            text: Arc::clone(&self.window),
            lines_before: self.line.saturating_sub(newlines),
        };
        let end = self.at.saturating_add(self.length).min(self.window.len());
        (file, self.at..end)
    }
}

impl Fault {
    /// The error that says so, labelled in the file.
    pub fn error(&self, file_name: &str) -> Error {
        let (code, label, help) = match &self.kind {
            FaultKind::MetaCommand => (
                Code::ScriptMetaCommand,
                "meant for a client",
                "take it out: the SQL goes to the database directly",
            ),
            // The data may be longer than what is in memory.
            FaultKind::Unterminated(what @ Unterminated::CopyData) => (
                Code::ScriptUnterminated,
                "still the data here, where the file ends",
                what.help(),
            ),
            FaultKind::Unterminated(what) => (Code::ScriptUnterminated, "begins here", what.help()),
            FaultKind::AfterCopy => (
                Code::ScriptAfterCopy,
                "not data, and not run before it",
                "move it below the line `\\.` that ends the data",
            ),
            FaultKind::InvalidUtf8 => (
                Code::FileEncoding,
                "not UTF-8 from here",
                "convert the file: iconv -f latin1 -t utf-8 OLD > NEW",
            ),
            FaultKind::Nul => (
                Code::ScriptNul,
                "a NUL byte",
                "take it out; inside a value it is written as a blob",
            ),
            FaultKind::Io(_) => (
                Code::FileIo,
                "read as far as here",
                "check the file and its disk, then try again",
            ),
        };
        let (file, span) = self.place(file_name);
        let error = Error::new(code, format!("`{file_name}`: {self}"))
            .at(&file, span, label)
            .help(help);
        match &self.kind {
            FaultKind::Io(cause) => error.cause(cause.to_string()),
            _ => error,
        }
    }
}

impl Unterminated {
    /// What to write to end it.
    fn help(self) -> &'static str {
        match self {
            Self::Text => "close it with a quote; a quote inside it is doubled",
            Self::Name => "close it with the same kind of quote",
            Self::Comment => "close it with `*/`; comments nest in PostgreSQL",
            Self::DollarQuote => "close it with the same `$tag$`",
            Self::Body => "close it with `END;`",
            Self::CopyData => "end the data with a line `\\.`",
        }
    }
}

impl fmt::Display for Fault {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match &self.kind {
            FaultKind::MetaCommand => f.write_str("a line for a command-line client is not SQL"),
            FaultKind::Unterminated(what @ Unterminated::CopyData) => write!(f, "{what} begins and never ends"),
            FaultKind::Unterminated(what) => write!(f, "a {what} begins and never ends"),
            FaultKind::AfterCopy => f.write_str("nothing may follow COPY … FROM stdin on its line"),
            FaultKind::InvalidUtf8 => f.write_str("the text is not UTF-8"),
            FaultKind::Nul => f.write_str("the text has a NUL byte"),
            FaultKind::Io(_) => f.write_str("the file could not be read"),
        }
    }
}

impl std::error::Error for Fault {}
