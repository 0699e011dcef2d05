//! The YAML header of an upgrade file: line comments between two `-- ---` lines. See `grammar/header.ebnf`.

pub mod duration;
mod lines;
mod plain;
mod write;

use std::sync::Arc;
use std::time::Duration;

pub use write::write;

use crate::code::Code;
use crate::error::{Error, Result, nearest};
use crate::revision::{Header, Recreate, RevisionId, Transaction};
use crate::source::{SourceFile, Span};
use crate::yaml::{self, Key, Mistake, Node, Value};
use lines::{Line, opening, uncomment};

/// The keys of a header, in the order in which they are written.
pub const KEYS: [&str; 12] = [
    "revision",
    "down_revision",
    "message",
    "created",
    "branch_labels",
    "depends_on",
    "transaction",
    "lock_timeout",
    "statement_timeout",
    "recreate",
    "irreversible",
    "code",
];

/// What a file's header says, and where.
#[derive(Debug, Clone)]
pub struct Parsed {
    /// What it says.
    pub header: Header,
    /// The byte offset after the closing `-- ---` line, where the SQL begins.
    pub body: usize,
    /// Where its values stand.
    pub places: Spans,
}

/// Where the values of a header stand, for errors that are found later; empty for a revision without files.
#[derive(Debug, Clone, Default)]
pub struct Spans {
    file: Option<SourceFile>,
    id: Span,
    down_revision: Vec<Span>,
    depends_on: Vec<Span>,
    labels: Vec<Span>,
}

impl Spans {
    /// The file that the header stands in, which need not be the upgrade that is run: a dialect's own text may leave
    /// the header to the plain one.
    pub fn file(&self) -> Option<&SourceFile> {
        self.file.as_ref()
    }

    /// The value of `revision`.
    pub fn id(&self) -> Span {
        self.id.clone()
    }

    /// The value, or the item of the list, at `index` of `down_revision`.
    pub fn down_revision(&self, index: usize) -> Span {
        self.item(&self.down_revision, index)
    }

    /// The item at `index` of `depends_on`.
    pub fn depends_on(&self, index: usize) -> Span {
        self.item(&self.depends_on, index)
    }

    /// The item at `index` of `branch_labels`.
    pub fn label(&self, index: usize) -> Span {
        self.item(&self.labels, index)
    }

    fn item(&self, spans: &[Span], index: usize) -> Span {
        spans.get(index).unwrap_or(&self.id).clone()
    }
}

/// Reads the header at the beginning of a file.
///
/// # Errors
/// The `header::…` codes, each labelled under the words that are wrong.
pub fn parse(file: &SourceFile) -> Result<Parsed> {
    let open = opening(file)?;
    match plain::read(file, open.next) {
        Some(parsed) => Ok(parsed),
        None => by_library(file, &open),
    }
}

/// Where the header at the beginning of a text ends that was read before.
pub(crate) fn end(file: &SourceFile) -> Option<usize> {
    let open = opening(file).ok()?;
    uncomment(file, &open).ok().map(|commented| commented.body)
}

/// Reads a header of any shape.
fn by_library(file: &SourceFile, open: &Line) -> Result<Parsed> {
    let commented = uncomment(file, open)?;
    let reader = Reader {
        file,
        open: open.words.clone(),
        lines: commented.lines,
    };
    let root = yaml::parse(&commented.yaml).map_err(|mistake| reader.mistake(mistake))?;
    let (header, places) = reader.header(&root)?;
    let body = commented.body;
    Ok(Parsed { header, body, places })
}

/// Whether the file begins with a header, right or wrong.
pub fn is_there(file: &SourceFile) -> bool {
    opening(file).is_ok()
}

/// Turns the tree of a header into what it says.
struct Reader<'f> {
    file: &'f SourceFile,
    open: Span,
    lines: Vec<(usize, usize)>,
}

impl Reader<'_> {
    /// A place in the YAML as a place in the file.
    fn place(&self, span: &Span) -> Span {
        let start = self.offset(span.start);
        // By way of the last byte, so that a span that ends with its line does not end in the next one.
        let end = if span.is_empty() {
            start
        } else {
            self.offset(span.end - 1) + 1
        };
        start..end
    }

    fn offset(&self, at: usize) -> usize {
        let line = self.lines.partition_point(|&(start, _)| start <= at).saturating_sub(1);
        let (in_yaml, in_file) = self.lines.get(line).copied().unwrap_or((0, self.open.end));
        (in_file + (at - in_yaml)).min(self.file.text.len())
    }

    fn mistake(&self, mistake: Mistake) -> Error {
        let name = &self.file.name;
        match mistake {
            Mistake::Syntax { span, message } => {
                let error = Error::new(
                    Code::HeaderSyntax,
                    format!("the header of `{name}` is not the YAML it should be"),
                )
                .at(self.file, self.place(&span), message);
                let line = self.place(&span);
                let colon = self.file.text[..line.end]
                    .lines()
                    .next_back()
                    .is_some_and(|line| line.matches(": ").count() > 1);
                if colon {
                    error.help("a text with `: ` in it needs quotes: message: \"fix: names\"")
                } else {
                    error
                }
            }
            Mistake::Duplicate { key, first, second } => Error::new(
                Code::HeaderDuplicateKey,
                format!("the header of `{name}` has the key `{key}` twice"),
            )
            .at(self.file, self.place(&second), "again here")
            .at(self.file, self.place(&first), "first here")
            .help("keep the one that is meant, and take the other out"),
        }
    }

    fn header(&self, root: &Node<'_>) -> Result<(Header, Spans)> {
        let entries: &[(Key<'_>, Node<'_>)] = match &root.value {
            Value::Map(entries) => entries,
            Value::Null => &[],
            other => {
                let message = format!("the header of `{}` is not a mapping of keys to values", self.file.name);
                return Err(Error::new(Code::HeaderSyntax, message)
                    .at(self.file, self.place(&root.span), format!("this is {}", other.kind()))
                    .help("each line is `-- key: value`"));
            }
        };
        let mut header = Header::new(RevisionId(Arc::default()));
        let mut places = Spans {
            file: Some(self.file.clone()),
            ..Spans::default()
        };
        for (key, value) in entries {
            self.entry(key, value, &mut header, &mut places)?;
        }
        if header.id.as_str().is_empty() {
            let span = entries
                .iter()
                .find(|(key, _)| key.text == "revision")
                .map(|(key, _)| self.place(&key.span));
            let label = if span.is_some() {
                "has no value"
            } else {
                "this header needs a line `-- revision: ID`"
            };
            let message = format!("the header of `{}` has no `revision`", self.file.name);
            let place = span.unwrap_or(self.open.clone());
            return Err(Error::new(Code::HeaderNoRevision, message)
                .at(self.file, place, label)
                .help("any id that no other revision has; sqlrev revision -m TEXT makes one"));
        }
        Ok((header, places))
    }

    fn entry(&self, key: &Key<'_>, node: &Node<'_>, header: &mut Header, places: &mut Spans) -> Result<()> {
        match &*key.text {
            "revision" => {
                if let Some(id) = self.text(key, node, "one id")? {
                    header.id = RevisionId::new(self.filled(key, node, id)?);
                    places.id = self.place(&node.span);
                }
            }
            "down_revision" => header.down_revisions = self.words(key, node, &mut places.down_revision)?,
            "depends_on" => header.depends_on = self.words(key, node, &mut places.depends_on)?,
            "branch_labels" => header.branch_labels = self.words(key, node, &mut places.labels)?,
            "message" => header.message = self.text(key, node, "a text")?.map_or_else(Arc::default, Arc::from),
            "created" => header.created = self.text(key, node, "a time")?.map(Arc::from),
            "transaction" => {
                header.transaction = match node.value.text() {
                    Some("revision") => Transaction::Revision,
                    Some("none") => Transaction::None,
                    _ => return Err(self.wrong(key, node, "`revision` or `none`")),
                }
            }
            "lock_timeout" => header.lock_timeout = Some(self.time(key, node)?),
            "statement_timeout" => header.statement_timeout = Some(self.time(key, node)?),
            "recreate" => {
                header.recreate = match node.value.text() {
                    Some("auto") => Recreate::Auto,
                    Some("always") => Recreate::Always,
                    Some("never") => Recreate::Never,
                    _ => return Err(self.wrong(key, node, "`auto`, `always` or `never`")),
                }
            }
            "irreversible" => {
                header.irreversible = node
                    .value
                    .truth()
                    .ok_or_else(|| self.wrong(key, node, "`true` or `false`"))?;
            }
            "code" => {
                header.code = node
                    .value
                    .truth()
                    .ok_or_else(|| self.wrong(key, node, "`true` or `false`"))?;
            }
            _ => return Err(self.unknown(key)),
        }
        Ok(())
    }

    fn time(&self, key: &Key<'_>, node: &Node<'_>) -> Result<Duration> {
        let time = node.value.text().and_then(duration::duration);
        time.ok_or_else(|| self.wrong(key, node, duration::TAKES))
    }

    /// The text of a scalar, or none for nothing.
    fn text<'n>(&self, key: &Key<'_>, node: &'n Node<'_>, takes: &str) -> Result<Option<&'n str>> {
        match &node.value {
            Value::Null => Ok(None),
            value => value.text().map(Some).ok_or_else(|| self.wrong(key, node, takes)),
        }
    }

    fn filled<'n>(&self, key: &Key<'_>, node: &Node<'_>, text: &'n str) -> Result<&'n str> {
        if text.is_empty() {
            Err(self.wrong(key, node, "an id, which has at least one character"))
        } else {
            Ok(text)
        }
    }

    /// One word or a list of words, with their places.
    fn words<T: for<'s> From<&'s str> + PartialEq>(
        &self,
        key: &Key<'_>,
        node: &Node<'_>,
        places: &mut Vec<Span>,
    ) -> Result<Vec<T>> {
        let items = match &node.value {
            Value::Null => return Ok(Vec::new()),
            Value::List(items) => items.as_slice(),
            _ => std::slice::from_ref(node),
        };
        places.reserve_exact(items.len());
        let mut words = Vec::with_capacity(items.len());
        for item in items {
            let text = item
                .value
                .text()
                .ok_or_else(|| self.wrong(key, item, "one word or a list of words"))?;
            let word = self.filled(key, item, text)?.into();
            if words.contains(&word) {
                return Err(self.wrong(key, item, "each word once"));
            }
            words.push(word);
            places.push(self.place(&item.span));
        }
        Ok(words)
    }

    fn wrong(&self, key: &Key<'_>, node: &Node<'_>, takes: &str) -> Error {
        let is = match node.value.text() {
            Some(text) => format!("`{text}`"),
            None => node.value.kind().to_owned(),
        };
        let place = if node.span.is_empty() { &key.span } else { &node.span };
        Error::new(
            Code::HeaderWrongType,
            format!("`{}` in the header of `{}` is {is}", key.text, self.file.name),
        )
        .at(self.file, self.place(place), format!("takes {takes}"))
        .help(format!("for example: -- {}: {}", key.text, example(&key.text)))
    }

    fn unknown(&self, key: &Key<'_>) -> Error {
        let mut error = Error::new(
            Code::HeaderUnknownKey,
            format!("the header of `{}` has an unknown key `{}`", self.file.name, key.text),
        )
        .at(self.file, self.place(&key.span), "not a key of a header");
        if let Some(near) = nearest(&key.text, KEYS) {
            error = error.help(format!("did you mean `{near}`?"));
        }
        error.help(format!("the keys are {}", KEYS.join(", ")))
    }
}

/// What may stand behind a key.
fn example(key: &str) -> &'static str {
    match key {
        "branch_labels" => "[billing]",
        "message" => "\"add users\"",
        "created" => "2026-11-22T21:14:00Z",
        "transaction" => "none",
        "recreate" => "never",
        "lock_timeout" => "3s",
        "statement_timeout" => "10m",
        "irreversible" | "code" => "true",
        _ => "ae1027a6acf0",
    }
}

#[cfg(test)]
mod tests;
