//! YAML as a tree in which every value knows its place; the only file that knows a YAML library.
//!
//! Scalars stay text as written (`0010` is not eight or ten), aliases, anchors and tags are refused, and so are
//! nesting and size beyond anything a header or a configuration needs.

use std::borrow::Cow;

use serde_yaml::granit_parser::{Event, Options, Parser, ScalarStyle, ScanError, options};

use crate::source::Span;

/// How deep values may nest.
const MAX_DEPTH: usize = 32;

/// How many values a document may have.
const MAX_NODES: usize = 10_000;

/// A value and its place.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Node<'a> {
    /// Where the value stands; for an absent value the empty place where it would.
    pub span: Span,
    /// What it is.
    pub value: Value<'a>,
}

/// What a node is.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Value<'a> {
    /// Nothing, `~` or `null`.
    Null,
    /// A scalar without quotes, as written: text, a number, a truth value.
    Plain(Cow<'a, str>),
    /// A scalar in quotes or a block scalar.
    Quoted(Cow<'a, str>),
    /// A list.
    List(Vec<Node<'a>>),
    /// A mapping in the order of the file; no key stands twice.
    Map(Vec<(Key<'a>, Node<'a>)>),
}

/// A key and its place.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Key<'a> {
    /// Where the key stands.
    pub span: Span,
    /// Its text.
    pub text: Cow<'a, str>,
}

/// Why a text is not a tree.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Mistake {
    /// It is not YAML, or not of the part of YAML that is read here.
    Syntax {
        /// The place.
        span: Span,
        /// What this place is.
        message: String,
    },
    /// A key stands twice in one mapping.
    Duplicate {
        /// The key.
        key: String,
        /// Where it stands first.
        first: Span,
        /// Where it stands again.
        second: Span,
    },
}

impl<'a> Value<'a> {
    /// What a scalar without quotes is: nothing, or text.
    pub fn plain(text: impl Into<Cow<'a, str>>) -> Self {
        let text = text.into();
        if matches!(&*text, "" | "~" | "null" | "Null" | "NULL") {
            Value::Null
        } else {
            Value::Plain(text)
        }
    }

    /// The text of a scalar.
    pub fn text(&self) -> Option<&str> {
        match self {
            Value::Plain(text) | Value::Quoted(text) => Some(text),
            _ => None,
        }
    }

    /// The truth value of a scalar without quotes.
    pub fn truth(&self) -> Option<bool> {
        match self {
            Value::Plain(text) => match &**text {
                "true" | "True" | "TRUE" => Some(true),
                "false" | "False" | "FALSE" => Some(false),
                _ => None,
            },
            _ => None,
        }
    }

    /// What kind of value it is, with its article.
    pub fn kind(&self) -> &'static str {
        match self {
            Value::Null => "nothing",
            Value::Plain(_) | Value::Quoted(_) => "a text",
            Value::List(_) => "a list",
            Value::Map(_) => "a mapping",
        }
    }
}

/// Reads one document.
pub fn parse(text: &str) -> Result<Node<'_>, Mistake> {
    let options: Options = options! {
        emit_comments: false,
        flow_nesting_limit: MAX_DEPTH + 2,
        block_nesting_limit: MAX_DEPTH + 2,
    };
    let mut reader = Reader {
        text,
        parser: Parser::new_from_str_with_options(text, options),
        nodes: 0,
    };
    loop {
        match reader.next()? {
            (Event::StreamStart | Event::DocumentStart(..), _) => {}
            (Event::StreamEnd, span) => {
                let value = Value::Null;
                return Ok(Node { span, value });
            }
            (event, span) => {
                let node = reader.node(event, span, 0)?;
                reader.end()?;
                return Ok(node);
            }
        }
    }
}

struct Reader<'a> {
    text: &'a str,
    parser: Parser<'a, serde_yaml::granit_parser::StrInput<'a>>,
    nodes: usize,
}

impl<'a> Reader<'a> {
    fn next(&mut self) -> Result<(Event<'a>, Span), Mistake> {
        match self.parser.next_event() {
            Some(Ok((event, span))) => Ok((event, self.trimmed(span.byte_range().unwrap_or_default()))),
            Some(Err(error)) => Err(self.scan_error(&error)),
            None => Ok((Event::StreamEnd, self.text.len()..self.text.len())),
        }
    }

    /// Demands that nothing follows the first document.
    fn end(&mut self) -> Result<(), Mistake> {
        loop {
            match self.next()? {
                (Event::StreamEnd, _) => return Ok(()),
                (Event::DocumentEnd, _) => {}
                (_, span) => return Err(syntax(span, "a second document begins here")),
            }
        }
    }

    fn node(&mut self, event: Event<'a>, span: Span, depth: usize) -> Result<Node<'a>, Mistake> {
        self.nodes += 1;
        if depth >= MAX_DEPTH {
            return Err(syntax(span, format!("nested deeper than {MAX_DEPTH} levels")));
        }
        if self.nodes > MAX_NODES {
            return Err(syntax(span, format!("more than {MAX_NODES} values")));
        }
        match event {
            Event::Scalar(_, _, _, Some(_))
            | Event::SequenceStart(_, _, Some(_))
            | Event::MappingStart(_, _, Some(_)) => Err(syntax(span, "has a tag (`!…`), which is not read here")),
            Event::Scalar(text, style, 0, None) => {
                let value = match style {
                    ScalarStyle::Plain => Value::plain(text),
                    _ => Value::Quoted(text),
                };
                Ok(Node { span, value })
            }
            Event::SequenceStart(_, 0, None) => self.list(span, depth),
            Event::MappingStart(_, 0, None) => self.map(span, depth),
            Event::Alias(_) | Event::UnresolvedAlias(_) => Err(syntax(span, "an alias (`*…`), which is not read here")),
            _ => Err(syntax(span, "has an anchor (`&…`), which is not read here")),
        }
    }

    fn list(&mut self, start: Span, depth: usize) -> Result<Node<'a>, Mistake> {
        let mut items = Vec::new();
        let last = loop {
            match self.next()? {
                (Event::SequenceEnd, span) => break span,
                (event, span) => items.push(self.node(event, span, depth + 1)?),
            }
        };
        let end = items
            .last()
            .map_or(start.end, |item: &Node<'_>| item.span.end)
            .max(last.end);
        let span = self.trimmed(start.start..end);
        Ok(Node {
            span,
            value: Value::List(items),
        })
    }

    fn map(&mut self, start: Span, depth: usize) -> Result<Node<'a>, Mistake> {
        let mut entries: Vec<(Key<'a>, Node<'a>)> = Vec::new();
        let last = loop {
            let (event, span) = self.next()?;
            if matches!(event, Event::MappingEnd) {
                break span;
            }
            let key = self.key(event, span, depth)?;
            if let Some((before, _)) = entries.iter().find(|(before, _)| before.text == key.text) {
                return Err(Mistake::Duplicate {
                    key: key.text.into_owned(),
                    first: before.span.clone(),
                    second: key.span,
                });
            }
            let (event, span) = self.next()?;
            let value = self.node(event, span, depth + 1)?;
            entries.push((key, value));
        };
        let end = entries
            .last()
            .map_or(start.end, |(_, value)| value.span.end)
            .max(last.end);
        let span = self.trimmed(start.start..end);
        Ok(Node {
            span,
            value: Value::Map(entries),
        })
    }

    fn key(&mut self, event: Event<'a>, span: Span, depth: usize) -> Result<Key<'a>, Mistake> {
        if let Event::Scalar(text, _, 0, None) = event {
            return Ok(Key { span, text });
        }
        self.node(event, span.clone(), depth + 1)?;
        Err(syntax(span, "a key must be a text"))
    }

    /// The span without white space at its end, within the text.
    fn trimmed(&self, span: Span) -> Span {
        let end = span.end.min(self.text.len());
        let start = span.start.min(end);
        let words = self.text.get(start..end).unwrap_or_default();
        start..start + words.trim_end_matches([' ', '\t', '\r', '\n']).len()
    }

    /// The library's words, under what is left of the line where it stopped, or the end of what came before.
    fn scan_error(&self, error: &ScanError) -> Mistake {
        let at = error.marker().byte_offset().unwrap_or(0).min(self.text.len());
        let (before, after) = self.text.split_at_checked(at).unwrap_or((self.text, ""));
        let line = after.lines().next().unwrap_or_default();
        let span = if line.trim().is_empty() {
            let before = before.trim_end();
            let start = before.rfind('\n').map_or(0, |i| i + 1);
            start..before.len()
        } else {
            at..at + line.trim_end().len()
        };
        syntax(span, error.info())
    }
}

fn syntax(span: Span, message: impl Into<String>) -> Mistake {
    Mistake::Syntax {
        span,
        message: message.into(),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    /// Writes the tree on one line, each scalar with the words it stands on.
    fn show(node: &Node<'_>, text: &str) -> String {
        match &node.value {
            Value::Null => "~".into(),
            Value::Plain(value) => format!("{value}<{}>", &text[node.span.clone()]),
            Value::Quoted(value) => format!("{value:?}<{}>", &text[node.span.clone()]),
            Value::List(items) => format!(
                "[{}]",
                items.iter().map(|item| show(item, text)).collect::<Vec<_>>().join(", ")
            ),
            Value::Map(entries) => {
                let entries = entries
                    .iter()
                    .map(|(key, value)| format!("{}<{}>: {}", key.text, &text[key.span.clone()], show(value, text)));
                format!("{{{}}}", entries.collect::<Vec<_>>().join(", "))
            }
        }
    }

    fn check(text: &str, expect: &str) {
        let got = match parse(text) {
            Ok(node) => show(&node, text),
            Err(Mistake::Syntax { span, message }) => format!("{message} <{}>", &text[span]),
            Err(Mistake::Duplicate { key, first, second }) => format!("twice {key} {first:?} {second:?}"),
        };
        assert_eq!(got, expect, "{text}");
    }

    #[test]
    fn scalars_are_text_as_written() {
        check("a: 0010", "{a<a>: 0010<0010>}");
        check(
            "a: 1e10\nb: 'é: x'  # words\nc:",
            "{a<a>: 1e10<1e10>, b<b>: \"é: x\"<'é: x'>, c<c>: ~}",
        );
        check("é: [ü, null, \"null\", ~]", "{é<é>: [ü<ü>, ~, \"null\"<\"null\">, ~]}");
        check("a:\n  - b\n  - {c: true}\n", "{a<a>: [b<b>, {c<c>: true<true>}]}");
        check("a: |\n  x\n  y\n", "{a<a>: \"x\\ny\\n\"<x\n  y>}");
        check("", "~");
        check("# nothing\n", "~");
    }

    #[test]
    fn what_is_not_read_is_labelled() {
        check("a: 1\nb: 2\na: 3", "twice a 0..1 10..11");
        check("a: &x b", "has an anchor (`&…`), which is not read here <b>");
        check("a: !!str b", "has a tag (`!…`), which is not read here <b>");
        check("a: b\n---\nc: d", "a second document begins here <--->");
        check("[a]: b", "a key must be a text <[>");
    }

    #[test]
    fn hostile_documents_are_refused() {
        for text in [
            "[".repeat(200_000),
            "{a: ".repeat(100_000),
            "- ".repeat(200_000),
            "? ".repeat(200_000),
            format!("a: [{}]", "b, ".repeat(200_000)),
            format!("a: &a [x]\nb: [{}]", "*a, ".repeat(100_000)),
            "a: \"".to_owned() + &"\\".repeat(200_000),
        ] {
            assert!(parse(&text).is_err(), "{}", &text[..10]);
        }
    }
}
