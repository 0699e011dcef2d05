//! The lines of a header: line comments between two fences.

use crate::code::Code;
use crate::error::{Error, Result};
use crate::source::{SourceFile, Span};

/// A line: without its end, and where the next one begins.
#[derive(Debug, Clone)]
pub(super) struct Line {
    /// Its place.
    pub(super) words: Span,
    /// Where the next one begins.
    pub(super) next: usize,
}

/// The line that begins at `start`, or none at the end of the text.
pub(super) fn line_at(text: &str, start: usize) -> Option<Line> {
    let bytes = &text.as_bytes()[start..];
    if bytes.is_empty() {
        return None;
    }
    let length = memchr::memchr(b'\n', bytes).unwrap_or(bytes.len());
    let words = start..start + length - usize::from(length > 0 && bytes[length - 1] == b'\r');
    let next = start + (length + 1).min(bytes.len());
    Some(Line { words, next })
}

/// What a line comment holds, after the dashes and one blank; none for any other line.
pub(super) fn comment(text: &str, words: &Span) -> Option<Span> {
    let bytes = &text.as_bytes()[words.clone()];
    let dashes = bytes.iter().position(|&byte| byte != b' ' && byte != b'\t')?;
    let rest = bytes[dashes..].strip_prefix(b"--")?;
    let blank = usize::from(matches!(rest.first(), Some(b' ' | b'\t')));
    Some(words.end - rest.len() + blank..words.end)
}

/// Whether the line is `-- ---`.
pub(super) fn is_fence(text: &str, words: &Span) -> bool {
    comment(text, words).is_some_and(|inner| {
        text[inner.clone()].trim_matches([' ', '\t']) == "---" && !text[..inner.start].ends_with('-')
    })
}

fn is_blank(text: &str, words: &Span) -> bool {
    text.as_bytes()[words.clone()].iter().all(u8::is_ascii_whitespace)
}

/// The line that opens the header: before it stand only blank lines and other line comments.
pub(super) fn opening(file: &SourceFile) -> Result<Line> {
    let text = &*file.text;
    let start = if text.starts_with('\u{feff}') { 3 } else { 0 };
    let mut at = start;
    let mut first = None;
    while let Some(line) = line_at(text, at) {
        at = line.next;
        if is_fence(text, &line.words) {
            return Ok(line);
        }
        let blank = is_blank(text, &line.words);
        if !blank {
            first.get_or_insert(line.words.clone());
        }
        if !blank && comment(text, &line.words).is_none() {
            first = Some(line.words);
            break;
        }
    }
    Err(
        Error::new(Code::HeaderMissing, format!("`{}` has no header", file.name))
            .at(file, first.unwrap_or(start..start), "the header belongs before this")
            .help("begin the file with these three lines:")
            .help("-- ---")
            .help("-- revision: ID")
            .help("-- ---"),
    )
}

/// A header without its comment signs.
pub(super) struct Uncommented {
    /// The YAML.
    pub(super) yaml: String,
    /// For each line of `yaml`, where it begins there and in the file.
    pub(super) lines: Vec<(usize, usize)>,
    /// The byte offset after the closing line.
    pub(super) body: usize,
}

pub(super) fn uncomment(file: &SourceFile, open: &Line) -> Result<Uncommented> {
    let text = &*file.text;
    let (mut yaml, mut lines) = (String::new(), Vec::new());
    let mut at = open.next;
    let mut stop = text.len()..text.len();
    while let Some(line) = line_at(text, at) {
        at = line.next;
        if is_fence(text, &line.words) {
            let body = line.next;
            return Ok(Uncommented { yaml, lines, body });
        }
        let inner = comment(text, &line.words).or_else(|| is_blank(text, &line.words).then(|| line.words.clone()));
        let Some(inner) = inner else {
            stop = line.words;
            break;
        };
        lines.push((yaml.len(), inner.start));
        yaml.push_str(&text[inner]);
        yaml.push('\n');
    }
    Err(Error::new(
        Code::HeaderUnclosed,
        format!("the header of `{}` is not closed", file.name),
    )
    .at(file, open.words.clone(), "the header opens here")
    .at(file, stop, "a line `-- ---` is missing before this")
    .help("write `-- ---` on a line of its own behind the last key"))
}
