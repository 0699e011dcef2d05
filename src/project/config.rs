//! `migrations.yaml`: its keys, their kinds, and the values that hold for one database.

use std::collections::BTreeMap;
use std::fmt;
use std::time::Duration;

use crate::code::Code;
use crate::error::{Error, Result, nearest};
use crate::source::{SourceFile, Span};
use crate::yaml::{self, Key, Mistake, Node, Value};

use super::env::{self, Unexpanded};
use super::template::Template;
use super::url;

/// The keys at the top, in the order of the documented file.
const KEYS: [&str; 7] = [
    "url",
    "locations",
    "file_template",
    "version_table",
    "schema",
    "lock_timeout",
    "databases",
];

/// What holds when the file says nothing.
const LOCATION: &str = "migrations";
const FILE_TEMPLATE: &str = "{date}_{revision}_{slug}";
const VERSION_TABLE: &str = "sqlrev_revisions";
const LOCK_TIMEOUT: Duration = Duration::from_secs(30);

/// A value as it is written, before `${…}` is expanded.
#[derive(Clone)]
struct Raw {
    text: String,
    span: Span,
}

impl fmt::Debug for Raw {
    /// The place alone: the value may hold a password.
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{:?}", self.span)
    }
}

/// Where the schema as it should be is written down.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Schema {
    /// Files or folders, from the project's folder on.
    Files(Vec<String>),
    /// A command and its arguments, whose output it is.
    Command(Vec<String>),
}

/// The values under one database, or at the top.
#[derive(Debug, Clone, Default)]
struct Settings {
    url: Option<Raw>,
    locations: Option<Vec<Raw>>,
    file_template: Option<Raw>,
    version_table: Option<Raw>,
    /// Whether it is a command, and its words.
    schema: Option<(bool, Vec<Raw>)>,
    lock_timeout: Option<Raw>,
}

/// A folder of revisions.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Location {
    /// As a person would type it from the project's folder, with `/` and none at its end.
    pub name: String,
    /// Where the configuration names it.
    pub(super) place: Option<Span>,
}

/// The configuration of one database.
#[derive(Debug, Clone)]
pub struct Config {
    /// The folders of revisions; at least one.
    pub locations: Vec<Location>,
    /// The name of a new revision's files.
    pub file_template: Template,
    /// The table that says which revisions are applied.
    pub version_table: String,
    /// How long to wait for somebody else's lock.
    pub lock_timeout: Duration,
    /// The file, with stars for passwords; none when there is no configuration.
    pub(super) file: Option<SourceFile>,
    /// The names under `databases`.
    pub(super) databases: Vec<String>,
    url: Option<Raw>,
    schema: Option<(bool, Vec<Raw>)>,
}

impl Config {
    /// What holds without a file.
    pub(super) fn without_file() -> Self {
        Self {
            locations: vec![Location {
                name: LOCATION.to_owned(),
                place: None,
            }],
            file_template: Template::parse(FILE_TEMPLATE).expect("the default is right"),
            version_table: VERSION_TABLE.to_owned(),
            lock_timeout: LOCK_TIMEOUT,
            file: None,
            databases: Vec::new(),
            url: None,
            schema: None,
        }
    }

    /// Reads the file, for the database of this name or for the one at the top.
    ///
    /// # Errors
    /// The `config::…` codes, labelled under the words that are wrong.
    pub(super) fn read(
        name: &str,
        text: &str,
        database: Option<&str>,
        variables: &BTreeMap<String, String>,
    ) -> Result<Self> {
        // Labels show the lines around them, so they stand in a copy with stars for passwords.
        let file = SourceFile::new(name, url::starred(text));
        let reader = Reader { file, variables };
        let root = yaml::parse(text).map_err(|mistake| reader.mistake(mistake))?;
        let (mut settings, databases, place) = reader.root(&root)?;
        let names: Vec<String> = databases.iter().map(|(name, _)| name.clone()).collect();
        if let Some(database) = database {
            let Some((_, chosen)) = databases.into_iter().find(|(name, _)| name == database) else {
                return Err(reader.unknown_database(database, &names, place));
            };
            settings = chosen.over(settings);
        }
        reader.config(settings, names)
    }

    /// The URL, expanded, and the file and place it stands at.
    pub(super) fn url(&self, variables: &BTreeMap<String, String>) -> Result<Option<(String, &SourceFile, Span)>> {
        let (Some(raw), Some(file)) = (&self.url, &self.file) else {
            return Ok(None);
        };
        let text = expand(file, raw, variables)?;
        Ok(Some((text, file, raw.span.clone())))
    }

    /// Whether a URL is configured, expandable or not.
    pub(super) fn has_url(&self) -> bool {
        self.url.is_some()
    }

    /// The schema as it should be, if there is one.
    pub(super) fn schema(&self, variables: &BTreeMap<String, String>) -> Result<Option<Schema>> {
        let (Some((is_command, words)), Some(file)) = (&self.schema, &self.file) else {
            return Ok(None);
        };
        let words = words
            .iter()
            .map(|raw| expand(file, raw, variables))
            .collect::<Result<Vec<_>>>()?;
        Ok(Some(if *is_command {
            Schema::Command(words)
        } else {
            Schema::Files(words)
        }))
    }
}

impl Settings {
    /// These values, and those of `base` where there is none.
    fn over(self, base: Self) -> Self {
        Self {
            url: self.url.or(base.url),
            locations: self.locations.or(base.locations),
            file_template: self.file_template.or(base.file_template),
            version_table: self.version_table.or(base.version_table),
            schema: self.schema.or(base.schema),
            lock_timeout: self.lock_timeout.or(base.lock_timeout),
        }
    }
}

/// The value with its variables.
fn expand(file: &SourceFile, raw: &Raw, variables: &BTreeMap<String, String>) -> Result<String> {
    env::expand(&raw.text, variables).map_err(|Unexpanded { span, message, label }| {
        let place = within(file, raw, &span);
        let error = Error::new(Code::ConfigVariable, message).at(file, place, label);
        match raw.text[span].trim_start_matches("${").trim_end_matches('}') {
            name if name.contains([':', '{', ' ']) => error.help("a `$` that means itself is written `$$`"),
            name => error.help(format!(
                "export {name}=… or a line in .env sets it; ${{{name}:-VALUE}} gives it a default"
            )),
        }
    })
}

/// A place in a value as a place in the file: exact where the value is written as it is, else the whole value.
fn within(file: &SourceFile, raw: &Raw, span: &Span) -> Span {
    let words = &raw.text[span.clone()];
    let earlier = raw.text[..span.start].matches(words).count();
    let written = file.text.get(raw.span.clone()).unwrap_or_default();
    match written.match_indices(words).nth(earlier) {
        Some((at, _)) if !words.is_empty() => raw.span.start + at..raw.span.start + at + words.len(),
        _ => raw.span.clone(),
    }
}

struct Reader<'a> {
    file: SourceFile,
    variables: &'a BTreeMap<String, String>,
}

/// Each database with its name.
type Databases = Vec<(String, Settings)>;

impl Reader<'_> {
    fn mistake(&self, mistake: Mistake) -> Error {
        let name = &self.file.name;
        match mistake {
            Mistake::Syntax { span, message } => {
                Error::new(Code::ConfigSyntax, format!("`{name}` is not the YAML it should be"))
                    .at(&self.file, span, message)
            }
            Mistake::Duplicate { key, first, second } => {
                Error::new(Code::ConfigDuplicateKey, format!("`{name}` has the key `{key}` twice"))
                    .at(&self.file, second, "again here")
                    .at(&self.file, first, "first here")
            }
        }
    }

    fn root(&self, root: &Node<'_>) -> Result<(Settings, Databases, Option<Span>)> {
        let (mut databases, mut place) = (Vec::new(), None);
        let mut settings = Settings::default();
        for (key, node) in self.entries(root, "the keys of the configuration")? {
            if key.text == "databases" {
                place = Some(key.span.clone());
                for (name, node) in self.entries(node, "names of databases")? {
                    let mut settings = Settings::default();
                    for (key, node) in self.entries(node, "keys of the configuration")? {
                        self.entry(key, node, &mut settings, false)?;
                    }
                    databases.push((name.text.clone().into_owned(), settings));
                }
            } else {
                self.entry(key, node, &mut settings, true)?;
            }
        }
        Ok((settings, databases, place))
    }

    /// The entries of a mapping; nothing has none.
    fn entries<'n, 'a>(&self, node: &'n Node<'a>, takes: &str) -> Result<&'n [(Key<'a>, Node<'a>)]> {
        match &node.value {
            Value::Map(entries) => Ok(entries),
            Value::Null => Ok(&[]),
            other => Err(Error::new(
                Code::ConfigWrongType,
                format!("`{}` has {} where a mapping belongs", self.file.name, other.kind()),
            )
            .at(
                &self.file,
                node.span.clone(),
                format!("takes {takes}, each with a value"),
            )),
        }
    }

    fn entry(&self, key: &Key<'_>, node: &Node<'_>, settings: &mut Settings, at_top: bool) -> Result<()> {
        match &*key.text {
            "url" => settings.url = self.word(key, node)?,
            "locations" => settings.locations = self.words(key, node, "a folder or a list of folders")?,
            "file_template" => settings.file_template = self.word(key, node)?,
            "version_table" => settings.version_table = self.word(key, node)?,
            "schema" => settings.schema = self.schema(key, node)?,
            "lock_timeout" => settings.lock_timeout = self.word(key, node)?,
            _ => {
                let known = if at_top { &KEYS[..] } else { &KEYS[..KEYS.len() - 1] };
                let message = format!("`{}` has an unknown key `{}`", self.file.name, key.text);
                let mut error =
                    Error::new(Code::ConfigUnknownKey, message).at(&self.file, key.span.clone(), "not a key here");
                if let Some(near) = nearest(&key.text, known.iter().copied()) {
                    error = error.help(format!("did you mean `{near}`?"));
                }
                return Err(error.help(format!("the keys are {}", known.join(", "))));
            }
        }
        Ok(())
    }

    fn word(&self, key: &Key<'_>, node: &Node<'_>) -> Result<Option<Raw>> {
        match &node.value {
            Value::Null => Ok(None),
            Value::Plain(text) | Value::Quoted(text) => Ok(Some(Raw {
                text: text.clone().into_owned(),
                span: node.span.clone(),
            })),
            _ => Err(self.wrong(key, node, "a text")),
        }
    }

    fn words(&self, key: &Key<'_>, node: &Node<'_>, takes: &str) -> Result<Option<Vec<Raw>>> {
        let items = match &node.value {
            Value::Null => return Ok(None),
            Value::List(items) if items.is_empty() => return Err(self.wrong(key, node, takes)),
            Value::List(items) => items.as_slice(),
            _ => std::slice::from_ref(node),
        };
        let words = items.iter().map(|item| match item.value.text() {
            Some(text) if !text.is_empty() => Ok(Raw {
                text: text.to_owned(),
                span: item.span.clone(),
            }),
            _ => Err(self.wrong(key, item, takes)),
        });
        words.collect::<Result<Vec<_>>>().map(Some)
    }

    fn schema(&self, key: &Key<'_>, node: &Node<'_>) -> Result<Option<(bool, Vec<Raw>)>> {
        const TAKES: &str = "a file, a list of files, or {command: [PROGRAM, ARGUMENT]}";
        if let Value::Map(entries) = &node.value {
            return match entries.as_slice() {
                [(command, words)] if command.text == "command" && words.value != Value::Null => Ok(self
                    .words(command, words, "a program or a list of a program and its arguments")?
                    .map(|words| (true, words))),
                _ => Err(self.wrong(key, node, TAKES)),
            };
        }
        Ok(self.words(key, node, TAKES)?.map(|words| (false, words)))
    }

    fn wrong(&self, key: &Key<'_>, node: &Node<'_>, takes: &str) -> Error {
        let place = if node.span.is_empty() { &key.span } else { &node.span };
        self.wrong_at(&key.text, place.clone(), takes)
    }

    fn wrong_at(&self, key: &str, place: Span, takes: &str) -> Error {
        let message = format!("the value of `{key}` in `{}` is not of its kind", self.file.name);
        Error::new(Code::ConfigWrongType, message).at(&self.file, place, format!("takes {takes}"))
    }

    fn unknown_database(&self, name: &str, known: &[String], place: Option<Span>) -> Error {
        let error = Error::new(
            Code::ConfigUnknownDatabase,
            format!("`{}` has no database `{name}`", self.file.name),
        );
        let error = match place {
            Some(place) => error.at(&self.file, place, format!("has {}", known.join(", "))),
            None => error.help("there is no `databases:` in it"),
        };
        match nearest(name, known.iter().map(String::as_str)) {
            Some(near) => error.help(format!("did you mean `-n {near}`?")),
            None => error,
        }
    }

    /// The values that hold, expanded; URL and schema stay as they are until they are used.
    fn config(self, settings: Settings, databases: Vec<String>) -> Result<Config> {
        let mut config = Config {
            databases,
            url: settings.url,
            schema: settings.schema,
            ..Config::without_file()
        };
        if let Some(locations) = &settings.locations {
            config.locations = locations.iter().map(|raw| self.location(raw)).collect::<Result<_>>()?;
        }
        if let Some(raw) = &settings.file_template {
            let text = self.expand(raw)?;
            config.file_template = Template::parse(&text).map_err(|wrong| {
                let written = Raw {
                    text,
                    span: raw.span.clone(),
                };
                let message = format!("the `file_template` in `{}` cannot be used", self.file.name);
                Error::new(Code::ConfigWrongType, message)
                    .at(&self.file, within(&self.file, &written, &wrong.span), wrong.label)
                    .help(wrong.help)
            })?;
        }
        if let Some(raw) = &settings.version_table {
            config.version_table = self.expand(raw)?;
            if config.version_table.trim().is_empty() {
                return Err(self.wrong_at("version_table", raw.span.clone(), "the name of a table"));
            }
        }
        if let Some(raw) = &settings.lock_timeout {
            let text = self.expand(raw)?;
            config.lock_timeout = duration(&text).ok_or_else(|| {
                self.wrong_at(
                    "lock_timeout",
                    raw.span.clone(),
                    "seconds, or a time like 500ms, 30s or 5m",
                )
            })?;
        }
        config.file = Some(self.file);
        Ok(config)
    }

    fn location(&self, raw: &Raw) -> Result<Location> {
        let text = self.expand(raw)?;
        let name = if cfg!(windows) { text.replace('\\', "/") } else { text };
        let mut words = name.as_str();
        while let Some(rest) = words.strip_prefix("./") {
            words = rest.trim_start_matches('/');
        }
        let trimmed = words.trim_end_matches('/');
        if words.is_empty() && name.is_empty() {
            return Err(self.wrong_at("locations", raw.span.clone(), "the name of a folder"));
        }
        let name = match trimmed {
            "" if name.starts_with('/') => "/",
            "" => ".",
            trimmed => trimmed,
        };
        Ok(Location {
            name: name.to_owned(),
            place: Some(raw.span.clone()),
        })
    }

    fn expand(&self, raw: &Raw) -> Result<String> {
        expand(&self.file, raw, self.variables)
    }
}

/// Reads a time: seconds, or a number with `ms`, `s` or `m`.
pub fn duration(text: &str) -> Option<Duration> {
    let text = text.trim();
    let digits = text.bytes().take_while(u8::is_ascii_digit).count();
    let number: u32 = text[..digits].parse().ok()?;
    match text[digits..].trim_start() {
        "ms" => Some(Duration::from_millis(number.into())),
        "" | "s" => Some(Duration::from_secs(number.into())),
        "m" | "min" => Some(Duration::from_secs(u64::from(number) * 60)),
        _ => None,
    }
}

#[cfg(test)]
mod tests;
