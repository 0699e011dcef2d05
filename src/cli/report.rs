//! How an error looks: a picture for people, an object for programs.

use annotate_snippets::renderer::DecorStyle;
use annotate_snippets::{AnnotationKind, Group, Level, Origin, Renderer, Snippet};
use serde_json::{Value, json};

use crate::error::{Error, Label};
use crate::source::Span;

/// Lines shown before a label.
const BEFORE: usize = 2;
/// The longest label, in lines; a longer one ends with its first line.
const LINES: usize = 8;
/// The longest line that is shown; in longer ones only the label's first characters are.
const LINE_LENGTH: usize = 10_000;

/// The error as a picture, with colours when `styled`.
pub(super) fn picture(error: &Error, styled: bool, width: usize) -> String {
    let title = Level::ERROR
        .primary_title(plain(error.message()))
        .id(error.code().name());
    let mut group = Group::with_title(title);
    let windows: Vec<Window> = windows(error.labels());
    for window in &windows {
        // Of a file that was not read there is only its name to show.
        if window.text.is_empty() {
            group = group.element(Origin::path(window.name.as_str()));
            continue;
        }
        let snippet = Snippet::source(window.text.as_str())
            .fold(false)
            .line_start(window.line)
            .fold(false)
            .path(window.name.as_str());
        let marks = window.marks.iter().map(|mark| {
            let kind = if mark.main {
                AnnotationKind::Primary
            } else {
                AnnotationKind::Context
            };
            kind.span(mark.span.clone()).label(mark.text.as_str())
        });
        group = group.element(snippet.annotations(marks));
    }
    let note = |text: &str| Level::NOTE.message(plain(text));
    group = group.elements(error.causes().iter().map(|text| note(text)));
    group = group.elements(error.state_line().map(note));
    let help = error.help_lines().join("\n");
    if !help.is_empty() {
        group = group.element(Level::HELP.message(plain(&help)));
    }
    let renderer = if styled { Renderer::styled() } else { Renderer::plain() };
    let renderer = renderer.decor_style(DecorStyle::Ascii).term_width(width);
    renderer.render(&[group])
}

/// Words without characters that would move a terminal's cursor or change its colours.
fn plain(text: &str) -> String {
    let shown = |c: char| {
        if c.is_control() && !matches!(c, '\n' | '\t') {
            '\u{fffd}'
        } else {
            c
        }
    };
    text.chars().map(shown).collect()
}

/// The lines of a file that are shown, with the marks in them.
struct Window {
    name: String,
    text: String,
    line: usize,
    marks: Vec<Mark>,
}

struct Mark {
    span: Span,
    text: String,
    main: bool,
}

fn windows(labels: &[Label]) -> Vec<Window> {
    let mut windows: Vec<Window> = Vec::new();
    for (i, label) in labels.iter().enumerate() {
        windows.push(window(label, i == 0));
    }
    merged(windows)
}

/// Two windows of one file that begin with the same line are one with two marks.
fn merged(windows: Vec<Window>) -> Vec<Window> {
    let mut out: Vec<Window> = Vec::new();
    for window in windows {
        match out
            .iter_mut()
            .find(|other| other.name == window.name && other.line == window.line)
        {
            Some(other) => {
                if window.text.len() > other.text.len() {
                    other.text = window.text;
                }
                other.marks.extend(window.marks);
            }
            None => out.push(window),
        }
    }
    out
}

fn window(label: &Label, main: bool) -> Window {
    let text = &*label.file.text;
    let mut span = clamp(text, &label.span);
    if text[span.clone()].lines().count() > LINES {
        let first = text[span.clone()].lines().next().map_or(0, str::len);
        span.end = span.start + first;
    }
    let mut start = line_start(text, span.start);
    for _ in 0..BEFORE {
        let before = line_start(text, start.saturating_sub(1));
        if start - before > LINE_LENGTH {
            break;
        }
        start = before;
    }
    let mut end = text[span.end..].find('\n').map_or(text.len(), |i| span.end + i);
    if end - line_start(text, span.start) > LINE_LENGTH {
        start = boundary(text, span.start.max(LINE_LENGTH / 4) - LINE_LENGTH / 4).max(line_start(text, span.start));
        span.end = boundary(text, span.end.min(span.start + LINE_LENGTH / 2));
        end = boundary(text, end.min(span.end + LINE_LENGTH / 4));
    }
    let line = label.file.line_column(start).0;
    Window {
        name: label.file.name.to_string(),
        text: text[start..end.max(span.end)].to_owned(),
        line,
        marks: vec![Mark {
            span: span.start - start..span.end - start,
            text: plain(&label.text),
            main,
        }],
    }
}

fn clamp(text: &str, span: &Span) -> Span {
    let start = boundary(text, span.start.min(text.len()));
    let end = boundary(text, span.end.clamp(start, text.len()));
    start..end
}

/// The nearest place at or before `at` where a character begins.
fn boundary(text: &str, at: usize) -> usize {
    (0..=at.min(text.len()))
        .rev()
        .find(|&i| text.is_char_boundary(i))
        .unwrap_or(0)
}

fn line_start(text: &str, at: usize) -> usize {
    text[..boundary(text, at)].rfind('\n').map_or(0, |i| i + 1)
}

/// The error as `--format json` gives it.
pub(super) fn object(error: &Error) -> Value {
    let labels: Vec<Value> = error.labels().iter().map(label_object).collect();
    let help = (!error.help_lines().is_empty()).then(|| error.help_lines().join("\n"));
    json!({"error": {
        "code": error.code().name(),
        "message": error.message(),
        "help": help,
        "state": error.state_line(),
        "labels": labels,
        "causes": error.causes(),
    }})
}

fn label_object(label: &Label) -> Value {
    let (line, column) = label.file.line_column(label.span.start);
    let span = clamp(&label.file.text, &label.span);
    let length = label.file.text[span].chars().count();
    json!({"file": &*label.file.name, "line": line, "column": column, "length": length, "text": label.text})
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::code::Code;
    use crate::source::SourceFile;

    #[test]
    fn a_label_stands_under_the_words() {
        let file = SourceFile::new("a.sql", "-- one\n-- two\n-- three\nCREATE TABEL t (é);\nSELECT 1;\n");
        let error = Error::new(Code::StatementFailed, "it failed")
            .at(&file, 30..35, "near \"TABEL\"")
            .state("rolled back")
            .help("type it right");
        let want = "\
error[sqlrev::execute::statement_failed]: it failed
 --> a.sql:4:8
  |
2 | -- two
3 | -- three
4 | CREATE TABEL t (é);
  |        ^^^^^ near \"TABEL\"
  |
  = note: rolled back
  = help: type it right";
        assert_eq!(picture(&error, false, 80), want);
        assert_eq!(object(&error)["error"]["labels"][0]["column"], 8);
    }

    #[test]
    fn long_lines_and_wrong_spans_do_no_harm() {
        for text in ["é".repeat(50_000), String::new(), "a\n".repeat(100)] {
            let file = SourceFile::new("a.sql", text.as_str());
            for span in [0..0, 0..text.len(), 1..3, 9999..10001, text.len()..text.len() + 5] {
                let error = Error::new(Code::StatementFailed, "it failed").at(&file, span, "here");
                assert!(picture(&error, false, 80).len() < 50_000);
                object(&error);
            }
        }
    }
}
