//! A named text and places in it: the words in which every part says where something stands.

use std::ops::Range;
use std::sync::Arc;

/// A half-open range of byte offsets into the text of a [`SourceFile`].
pub type Span = Range<usize>;

/// A text with the name a reader knows it by: a file of the project, or a pasted piece such as a URL.
#[derive(Debug, Clone)]
#[non_exhaustive]
pub struct SourceFile {
    /// The path as a person would type it from the project's folder, with `/` on every system.
    pub name: Arc<str>,
    /// The text, or the part of a large file that is in memory.
    pub text: Arc<str>,
    /// How many lines of the file come before `text`; 0 when `text` is the whole file.
    pub lines_before: usize,
}

impl SourceFile {
    /// A whole file.
    pub fn new(name: impl Into<Arc<str>>, text: impl Into<Arc<str>>) -> Self {
        Self {
            name: name.into(),
            text: text.into(),
            lines_before: 0,
        }
    }

    /// The line of this number, counted from 1 in the whole file, without its end; none when it is not in memory.
    pub fn line_span(&self, line: usize) -> Option<Span> {
        let at = line.checked_sub(self.lines_before + 1)?;
        let start = match at {
            0 => 0,
            _ => self.text.match_indices('\n').nth(at - 1)?.0 + 1,
        };
        let rest = self.text.get(start..).filter(|rest| !rest.is_empty())?;
        Some(start..start + rest.find('\n').unwrap_or(rest.len()))
    }

    /// Line and column of a byte offset, both counted from 1; the column counts characters.
    ///
    /// ```
    /// let file = sqlrev::source::SourceFile::new("a.sql", "é\nSELECT 1");
    /// assert_eq!(file.line_column(10), (2, 8));
    /// ```
    pub fn line_column(&self, offset: usize) -> (usize, usize) {
        let before = &self.text.as_bytes()[..offset.min(self.text.len())];
        let line_start = before.iter().rposition(|&b| b == b'\n').map_or(0, |i| i + 1);
        let line = before.iter().filter(|&&b| b == b'\n').count() + 1 + self.lines_before;
        let column = String::from_utf8_lossy(&before[line_start..]).chars().count() + 1;
        (line, column)
    }
}

impl PartialEq for SourceFile {
    fn eq(&self, other: &Self) -> bool {
        self.name == other.name && self.lines_before == other.lines_before && self.text == other.text
    }
}
