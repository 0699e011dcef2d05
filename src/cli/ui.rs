//! What the command says: results on standard output, everything else on standard error.

use std::borrow::Cow;
use std::io::{self, Write};

use anstyle::{AnsiColor, Style};

/// Where the words go, and how they may look.
pub(super) struct Ui<'a> {
    stdout: &'a mut dyn Write,
    stderr: &'a mut dyn Write,
    /// Colours on standard output.
    pub color_out: bool,
    /// Colours on standard error.
    pub color_err: bool,
    /// How many columns the terminal has.
    pub width: usize,
    /// Whether standard error is a terminal on which a line may be redrawn.
    pub live: bool,
    /// Whether the terminal shows more than ASCII.
    pub unicode: bool,
    /// `--format json`
    pub json: bool,
    /// `-q`
    pub quiet: bool,
    /// `-v`
    pub verbose: bool,
    /// Whether a reader of standard output went away.
    closed: bool,
    /// Why standard output could not be written, other than a reader that went away.
    failed: Option<io::Error>,
}

/// Names in results.
pub(super) const ID: Style = AnsiColor::Yellow.on_default();
/// Labels of branches.
pub(super) const LABEL: Style = AnsiColor::Green.on_default().bold();
/// Less important words.
pub(super) const DIM: Style = Style::new().dimmed();
/// What went well.
pub(super) const GOOD: Style = AnsiColor::Green.on_default();
/// What needs a look.
pub(super) const WARN: Style = AnsiColor::Yellow.on_default().bold();

impl<'a> Ui<'a> {
    /// Writes to these two.
    pub(super) fn new(stdout: &'a mut dyn Write, stderr: &'a mut dyn Write) -> Self {
        Self {
            stdout,
            stderr,
            color_out: false,
            color_err: false,
            width: 80,
            live: false,
            unicode: true,
            json: false,
            quiet: false,
            verbose: false,
            closed: false,
            failed: None,
        }
    }

    /// A line of the result.
    pub(super) fn line(&mut self, text: &str) {
        self.write(harmless(text, self.color_out).as_bytes());
        self.write(b"\n");
    }

    /// The one document of `--format json`.
    pub(super) fn value(&mut self, value: &serde_json::Value) {
        self.line(&format!("{value:#}"));
    }

    /// A piece of the result. A reader that goes away ends the output quietly; another failure is kept for the end.
    pub(super) fn write(&mut self, bytes: &[u8]) {
        if self.closed || self.failed.is_some() {
            return;
        }
        match self.stdout.write_all(bytes) {
            Err(error) if error.kind() == io::ErrorKind::BrokenPipe => self.closed = true,
            Err(error) => self.failed = Some(error),
            Ok(()) => {}
        }
    }

    /// Sends what is still held back, and says what went wrong with the output.
    pub(super) fn finish(&mut self) -> Option<io::Error> {
        self.flush();
        self.failed.take()
    }

    /// Sends what is still held back.
    pub(super) fn flush(&mut self) {
        if !self.closed
            && let Err(error) = self.stdout.flush()
            && error.kind() != io::ErrorKind::BrokenPipe
        {
            self.failed = self.failed.take().or(Some(error));
        }
    }

    /// A line of talk, unless `-q`.
    pub(super) fn say(&mut self, text: &str) {
        if !self.quiet {
            self.tell(text);
        }
    }

    /// A line of talk that even `-q` wants, such as an error. Nobody is left to hear of a failure here.
    pub(super) fn tell(&mut self, text: &str) {
        // On a terminal it stands below what came before it.
        self.flush();
        let _ = writeln!(self.stderr, "{}", harmless(text, self.color_err));
    }

    /// The text in a style, for standard output.
    pub(super) fn paint(&self, style: Style, text: &str) -> String {
        paint(self.color_out, style, text)
    }

    /// The text in a style, for standard error.
    pub(super) fn paint_err(&self, style: Style, text: &str) -> String {
        paint(self.color_err, style, text)
    }
}

/// The text in a style, or plain.
pub(super) fn paint(on: bool, style: Style, text: &str) -> String {
    if on {
        format!("{style}{text}{style:#}")
    } else {
        text.to_owned()
    }
}

/// The text without what would move a terminal's cursor, change its title or its colours: messages, names, statements
/// and values come from files and databases that others wrote. Where colours are on, their sequences (ECMA-48, SGR) stay.
fn harmless(text: &str, colors: bool) -> Cow<'_, str> {
    let harms = |c: char| c.is_control() && !matches!(c, '\n' | '\t');
    if !text.contains(harms) {
        return Cow::Borrowed(text);
    }
    let mut out = String::with_capacity(text.len());
    let mut rest = text;
    while let Some(at) = rest.find(harms) {
        out.push_str(&rest[..at]);
        rest = &rest[at..];
        let length = if colors { color(rest) } else { None };
        if let Some(length) = length {
            out.push_str(&rest[..length]);
            rest = &rest[length..];
        } else {
            out.push('\u{fffd}');
            rest = rest
                .get(rest.chars().next().map_or(0, char::len_utf8)..)
                .unwrap_or_default();
        }
    }
    out.push_str(rest);
    Cow::Owned(out)
}

/// The length of the colour sequence at the beginning of the text.
fn color(text: &str) -> Option<usize> {
    let parameters = text.strip_prefix("\u{1b}[")?;
    let end = parameters.find(|c: char| !c.is_ascii_digit() && c != ';')?;
    parameters[end..].starts_with('m').then_some(2 + end + 1)
}

#[cfg(test)]
mod tests {
    use super::harmless;

    #[test]
    fn only_colours_reach_the_terminal() {
        let text = "a\u{1b}[31mb\u{1b}[2Jc\u{1b}]0;title\u{7}\rd\0\u{9b}é\te\nf";
        assert_eq!(
            harmless(text, false),
            "a\u{fffd}[31mb\u{fffd}[2Jc\u{fffd}]0;title\u{fffd}\u{fffd}d\u{fffd}\u{fffd}é\te\nf"
        );
        assert_eq!(
            harmless(text, true),
            "a\u{1b}[31mb\u{fffd}[2Jc\u{fffd}]0;title\u{fffd}\u{fffd}d\u{fffd}\u{fffd}é\te\nf"
        );
        for text in ["", "plain é", "\u{1b}", "\u{1b}[", "\u{1b}[1"] {
            assert_eq!(harmless(text, true), text.replace('\u{1b}', "\u{fffd}"));
        }
    }
}
