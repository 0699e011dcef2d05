//! What the command says: results on standard output, everything else on standard error.

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
        self.write(text.as_bytes());
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
        if !self.closed
            && let Err(error) = self.stdout.flush()
            && error.kind() != io::ErrorKind::BrokenPipe
        {
            self.failed = self.failed.take().or(Some(error));
        }
        self.failed.take()
    }

    /// A line of talk, unless `-q`.
    pub(super) fn say(&mut self, text: &str) {
        if !self.quiet {
            self.tell(text);
        }
    }

    /// A line of talk that even `-q` wants, such as an error. Nobody is left to hear of a failure here.
    pub(super) fn tell(&mut self, text: &str) {
        let _ = writeln!(self.stderr, "{text}");
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
