//! Texts of files, which are UTF-8.

use std::sync::Arc;

use crate::code::Code;
use crate::error::{Error, Result};
use crate::shell;
use crate::source::SourceFile;

/// Takes bytes as UTF-8.
///
/// # Errors
/// `file::invalid_utf8`, labelled under the first byte that is not.
pub(super) fn decode(name: impl Into<Arc<str>>, bytes: &[u8]) -> Result<SourceFile> {
    let wide = matches!(bytes, [0xff, 0xfe, ..] | [0xfe, 0xff, ..] | [0, _, ..] | [_, 0, ..]);
    match std::str::from_utf8(bytes) {
        Ok(text) if !wide => Ok(SourceFile::new(name, text)),
        result => Err(not_utf8(
            &name.into(),
            bytes,
            wide,
            result.err().map_or(0, |error| error.valid_up_to()),
            false,
        )),
    }
}

/// Likewise, for a file that may hold a password: the label shows the place, and stars for what stands there.
pub(super) fn decode_hidden(name: &str, bytes: &[u8]) -> Result<SourceFile> {
    let at = |error: std::str::Utf8Error| error.valid_up_to();
    decode(name, bytes).map_err(|_| {
        let wide = matches!(bytes, [0xff, 0xfe, ..] | [0xfe, 0xff, ..] | [0, _, ..] | [_, 0, ..]);
        not_utf8(
            &name.into(),
            bytes,
            wide,
            std::str::from_utf8(bytes).err().map_or(0, at),
            true,
        )
    })
}

#[cold]
fn not_utf8(name: &Arc<str>, bytes: &[u8], wide: bool, at: usize, hidden: bool) -> Error {
    let byte = bytes.get(at).copied().unwrap_or_default();
    let (mut text, mut at) = (String::from_utf8_lossy(bytes).into_owned(), at);
    if hidden {
        at = text[..at].chars().count();
        text = text.chars().map(|c| if c == '\n' { c } else { '*' }).collect();
    }
    let file = SourceFile::new(name.clone(), text);
    let span = at..at + file.text[at..].chars().next().map_or(0, char::len_utf8);
    let name = &file.name;
    let (word, new) = (shell::word(name), shell::word(format!("{name}.new")));
    if wide {
        return Error::new(Code::FileEncoding, format!("`{name}` is UTF-16, not UTF-8"))
            .at(&file, span, "two bytes for each character")
            .help(format!("iconv -f utf-16 -t utf-8 {word} > {new} && mv {new} {word}"));
    }
    // What is no text at all: a database (`fileformat2.html`, section 1.3), and a dump that `pg_restore` reads.
    let no_text = if bytes.starts_with(b"SQLite format 3\0") {
        Some((
            "an SQLite database",
            format!("where a database is meant: {}", shell::word(format!("sqlite:{name}"))),
        ))
    } else if bytes.starts_with(b"PGDMP") {
        Some((
            "a dump in the format of pg_restore",
            format!("as SQL: pg_restore -s -f {new} {word}"),
        ))
    } else {
        None
    };
    if let Some((what, help)) = no_text {
        return Error::new(Code::FileEncoding, format!("`{name}` is {what}, and no text"))
            .at(&file, span, "not UTF-8")
            .help(help);
    }
    let label = if hidden {
        "a byte that is not UTF-8".to_owned()
    } else {
        format!("the byte 0x{byte:02x} is not UTF-8")
    };
    Error::new(Code::FileEncoding, format!("`{name}` is not UTF-8"))
        .at(&file, span, label)
        .help(format!(
            "if it is Latin-1: iconv -f latin1 -t utf-8 {word} > {new} && mv {new} {word}"
        ))
}
