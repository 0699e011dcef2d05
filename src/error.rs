//! The one error of the crate: a flat [`Code`] to branch on, and a diagnostic to read.

use std::fmt;

use crate::code::Code;
use crate::source::{SourceFile, Span};

/// What an operation of this crate returns.
pub type Result<T, E = Error> = std::result::Result<T, E>;

/// A place in a file, and what this place is.
#[derive(Debug, Clone)]
#[non_exhaustive]
pub struct Label {
    /// The file the place is in.
    pub file: SourceFile,
    /// The very words.
    pub span: Span,
    /// What they are, in a few words; may be empty.
    pub text: String,
}

/// What went wrong, where, what state the database is in now, and what to type next.
///
/// Built where it happens: `Error::new(Code::X, "…").at(&file, span, "label").help("…")`.
#[derive(Clone)]
pub struct Error(Box<Inner>);

#[derive(Debug, Clone)]
struct Inner {
    code: Code,
    message: String,
    labels: Vec<Label>,
    help: Vec<String>,
    state: Option<String>,
    causes: Vec<String>,
}

impl Error {
    /// An error with its message: lower case, no final stop, names in backticks.
    #[cold]
    pub fn new(code: Code, message: impl Into<String>) -> Self {
        let inner = Inner {
            code,
            message: message.into(),
            labels: Vec::new(),
            help: Vec::new(),
            state: None,
            causes: Vec::new(),
        };
        Self(Box::new(inner))
    }

    /// Points at the words in a file that are wrong. The first label is the main one.
    #[must_use]
    pub fn at(mut self, file: &SourceFile, span: Span, text: impl Into<String>) -> Self {
        self.0.labels.push(Label {
            file: file.clone(),
            span,
            text: text.into(),
        });
        self
    }

    /// Adds a line that says what to do, best as a command to paste.
    #[must_use]
    pub fn help(mut self, help: impl Into<String>) -> Self {
        self.0.help.push(help.into());
        self
    }

    /// Says what state the database is in now; the last call holds.
    #[must_use]
    pub fn state(mut self, state: impl Into<String>) -> Self {
        self.0.state = Some(state.into());
        self
    }

    /// Adds the words of what lies underneath, outermost first.
    #[must_use]
    pub fn cause(mut self, cause: impl Into<String>) -> Self {
        self.0.causes.push(cause.into());
        self
    }

    /// The error with other words for what to do.
    pub(crate) fn help_in(mut self, words: impl Fn(&str) -> String) -> Self {
        self.0.help.iter_mut().for_each(|line| *line = words(line));
        self
    }

    /// The error with each of its texts in other words; the files of its labels stay.
    #[cfg(feature = "cli")]
    #[cold]
    pub(crate) fn in_words(mut self, words: &dyn Fn(&str) -> String) -> Self {
        let inner = &mut *self.0;
        let texts = inner.help.iter_mut().chain(&mut inner.state).chain(&mut inner.causes);
        let labels = inner.labels.iter_mut().map(|label| &mut label.text);
        for text in texts.chain([&mut inner.message]).chain(labels) {
            *text = words(text);
        }
        self
    }

    /// The error without labels in a file that was never written.
    #[cfg(feature = "cli")]
    pub(crate) fn without_labels_in(mut self, name: &str) -> Self {
        self.0.labels.retain(|label| *label.file.name != *name);
        self
    }

    /// What to branch on.
    pub fn code(&self) -> Code {
        self.0.code
    }

    /// The message, without code, labels and help.
    pub fn message(&self) -> &str {
        &self.0.message
    }

    /// The places, the main one first.
    pub fn labels(&self) -> &[Label] {
        &self.0.labels
    }

    /// What to do, a line each.
    pub fn help_lines(&self) -> &[String] {
        &self.0.help
    }

    /// What state the database is in now, where that is known.
    pub fn state_line(&self) -> Option<&str> {
        self.0.state.as_deref()
    }

    /// The messages of what lies underneath, outermost first.
    pub fn causes(&self) -> &[String] {
        &self.0.causes
    }
}

impl fmt::Display for Error {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.0.message)
    }
}

impl fmt::Debug for Error {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}: {}", self.0.code.name(), self.0.message)?;
        for label in &self.0.labels {
            let (line, column) = label.file.line_column(label.span.start);
            write!(f, "\n  {}:{line}:{column} {}", label.file.name, label.text)?;
        }
        for line in self.0.state.iter().chain(&self.0.causes).chain(&self.0.help) {
            write!(f, "\n  {line}")?;
        }
        Ok(())
    }
}

impl std::error::Error for Error {}

impl miette::Diagnostic for Error {
    fn code<'a>(&'a self) -> Option<Box<dyn fmt::Display + 'a>> {
        Some(Box::new(self.0.code.name()))
    }

    fn help<'a>(&'a self) -> Option<Box<dyn fmt::Display + 'a>> {
        let lines: Vec<&str> = self
            .0
            .state
            .iter()
            .chain(&self.0.causes)
            .chain(&self.0.help)
            .map(String::as_str)
            .collect();
        if lines.is_empty() {
            None
        } else {
            Some(Box::new(lines.join("\n")))
        }
    }

    fn source_code(&self) -> Option<&dyn miette::SourceCode> {
        self.0
            .labels
            .first()
            .map(|label| &label.file.text as &dyn miette::SourceCode)
    }

    fn labels(&self) -> Option<Box<dyn Iterator<Item = miette::LabeledSpan> + '_>> {
        let main = self.0.labels.first()?.file.clone();
        let labels = self.0.labels.iter().filter(move |label| label.file == main);
        Some(Box::new(labels.map(|label| {
            miette::LabeledSpan::new(Some(label.text.clone()), label.span.start, label.span.len())
        })))
    }
}

/// The name among `known` that is nearest to `word`, if one is near enough to be what was meant.
///
/// Near enough: at most a third of the letters differ (Levenshtein's distance, capital letters aside).
pub fn nearest<'a>(word: &str, known: impl IntoIterator<Item = &'a str>) -> Option<&'a str> {
    let word = word.to_lowercase();
    known
        .into_iter()
        .map(|name| (distance(&word, &name.to_lowercase()), name))
        .filter(|&(d, name)| d * 3 <= name.chars().count().max(word.chars().count()))
        .min_by_key(|&(d, _)| d)
        .map(|(_, name)| name)
}

/// The edit distance, a row at a time, in which two letters that changed places are one mistake.
fn distance(a: &str, b: &str) -> usize {
    let [a, b]: [Vec<char>; 2] = [a, b].map(|word| word.chars().collect());
    let mut above: Vec<usize> = Vec::new();
    let mut row: Vec<usize> = (0..=b.len()).collect();
    for (i, ca) in a.iter().enumerate() {
        let mut next = vec![i + 1];
        for (j, cb) in b.iter().enumerate() {
            let mut least = (row[j] + usize::from(ca != cb)).min(row[j + 1] + 1).min(next[j] + 1);
            if i > 0 && j > 0 && a[i - 1] == *cb && *ca == b[j - 1] {
                least = least.min(above[j - 1] + 1);
            }
            next.push(least);
        }
        above = std::mem::replace(&mut row, next);
    }
    row[b.len()]
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_nearest_name_is_offered_only_when_near() {
        assert_eq!(
            nearest("down_revison", ["revision", "down_revision"]),
            Some("down_revision")
        );
        assert_eq!(nearest("colour", ["revision", "message"]), None);
    }
}
