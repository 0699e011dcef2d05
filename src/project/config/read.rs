//! From the YAML to values, each checked to be of its kind.

use std::collections::BTreeMap;
use std::time::Duration;

use crate::code::Code;
use crate::error::{Error, Result, nearest};
use crate::project::template::Template;
use crate::secret;
use crate::shell;
use crate::source::{SourceFile, Span};
use crate::yaml::{self, Key, Mistake, Node, Value};

use super::{Config, Location, Raw, Settings, When, expand, within};
use crate::revision::header::duration::{TAKES, duration};

/// The keys at the top, in the order of the documented file.
pub(super) const KEYS: [&str; 13] = [
    "url",
    "locations",
    "file_template",
    "version_table",
    "schema",
    "schema_dump",
    "dev_url",
    "autogenerate",
    "lock_timeout",
    "header",
    "backup",
    "backup_keep",
    "databases",
];

/// What stands behind keys, for errors about what does not.
const EXAMPLES: [(&str, &str); 11] = [
    ("url", "sqlite:app.db"),
    ("locations", "[migrations]"),
    ("file_template", "\"{date}_{revision}_{slug}\""),
    ("version_table", "sqlrev_revisions"),
    ("schema", "schema.sql"),
    ("schema_dump", "schema_now.sql"),
    ("dev_url", "postgresql:///scratch"),
    ("lock_timeout", "30s"),
    ("statement_timeout", "10m"),
    ("backup", "auto"),
    ("backup_keep", "3"),
];

/// The keys of a header that can be said for all revisions. They say how a revision is run and are no part of its
/// checksum.
const HEADER_KEYS: [&str; 2] = ["lock_timeout", "statement_timeout"];

/// Reads the file; see [`Config::read`].
pub(super) fn read(
    name: &str,
    text: &str,
    database: Option<&str>,
    variables: &BTreeMap<String, String>,
) -> Result<Config> {
    // Labels show the lines around them, so they stand in a copy with stars for passwords.
    let file = SourceFile::new(name, secret::starred(text));
    let reader = Reader { file, variables };
    let root = yaml::parse(text).map_err(|mistake| reader.mistake(mistake))?;
    let (mut settings, databases, place) = reader.root(&root)?;
    let names: Vec<String> = databases.iter().map(|(name, _)| name.clone()).collect();
    let mut own_url = false;
    if let Some(database) = database {
        let Some((_, chosen)) = databases.into_iter().find(|(name, _)| name == database) else {
            return Err(reader.unknown_database(database, &names, place));
        };
        own_url = chosen.url.is_some();
        settings = chosen.over(settings);
    }
    let mut config = reader.config(settings, names)?;
    config.is_chosen = database.is_some();
    config.own_url = own_url;
    Ok(config)
}

pub(super) struct Reader<'a> {
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
                    .help("keep the one that is meant, and take the other out")
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
                    let entries = self.entries(node, "keys of the configuration");
                    let entries = entries.map_err(|error| match nearest(&name.text, KEYS) {
                        Some(near) => error.help(format!(
                            "`{}` is taken for the name of a database; the key `{near}` stands under such a name",
                            name.text
                        )),
                        None => error,
                    })?;
                    for (key, node) in entries {
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
    pub(super) fn entries<'n, 'a>(&self, node: &'n Node<'a>, takes: &str) -> Result<&'n [(Key<'a>, Node<'a>)]> {
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
            )
            .help("a mapping has a line `KEY: VALUE` for each; under a key it is indented")),
        }
    }

    fn entry(&self, key: &Key<'_>, node: &Node<'_>, settings: &mut Settings, at_top: bool) -> Result<()> {
        match &*key.text {
            "url" => settings.url = self.word(key, node)?,
            "locations" => settings.locations = self.words(key, node, "a folder or a list of folders")?,
            "file_template" => settings.file_template = self.word(key, node)?,
            "version_table" => settings.version_table = self.word(key, node)?,
            "schema" => settings.schema = self.schema(key, node)?,
            "schema_dump" => settings.schema_dump = self.word(key, node)?,
            "dev_url" => settings.dev_url = self.word(key, node)?,
            "autogenerate" => settings.autogenerate = self.autogenerate(node)?,
            "lock_timeout" => settings.lock_timeout = self.word(key, node)?,
            "header" => {
                for (key, node) in self.entries(node, "keys of headers")? {
                    let Some(at) = HEADER_KEYS.iter().position(|known| *known == key.text) else {
                        return Err(self.unknown_key(key, &HEADER_KEYS));
                    };
                    settings.header[at] = self.word(key, node)?;
                }
            }
            "backup" => settings.backup = self.word(key, node)?,
            "backup_keep" => settings.backup_keep = self.word(key, node)?,
            _ => {
                let known = if at_top { &KEYS[..] } else { &KEYS[..KEYS.len() - 1] };
                return Err(self.unknown_key(key, known));
            }
        }
        Ok(())
    }

    pub(super) fn unknown_key(&self, key: &Key<'_>, known: &[&str]) -> Error {
        let message = format!("`{}` has an unknown key `{}`", self.file.name, key.text);
        let mut error = Error::new(Code::ConfigUnknownKey, message).at(&self.file, key.span.clone(), "not a key here");
        if let Some(near) = nearest(&key.text, known.iter().copied()) {
            error = error.help(format!("did you mean `{near}`?"));
        }
        error.help(format!("the keys are {}", known.join(", ")))
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

    pub(super) fn words(&self, key: &Key<'_>, node: &Node<'_>, takes: &str) -> Result<Option<Vec<Raw>>> {
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

    pub(super) fn wrong_at(&self, key: &str, place: Span, takes: &str) -> Error {
        let message = format!("the value of `{key}` in `{}` is not of its kind", self.file.name);
        let error = Error::new(Code::ConfigWrongType, message).at(&self.file, place, format!("takes {takes}"));
        match EXAMPLES.iter().find(|(known, _)| *known == key) {
            Some((key, value)) => error.help(format!("for example: {key}: {value}")),
            None => error,
        }
    }

    fn unknown_database(&self, name: &str, known: &[String], place: Option<Span>) -> Error {
        let error = Error::new(
            Code::ConfigUnknownDatabase,
            format!("`{}` has no database `{name}`", self.file.name),
        );
        let error = match place {
            Some(place) => error.at(&self.file, place, format!("has {}", known.join(", "))),
            None => error.cause("there is no `databases:` in it"),
        };
        match nearest(name, known.iter().map(String::as_str)) {
            Some(near) => error.help(format!("did you mean `-n {}`?", shell::word(near))),
            None => error,
        }
        .help(match known {
            [] => "a name under `databases:` is that of one more database".to_owned(),
            _ => {
                let names = known.iter().map(|name| format!("-n {}", shell::word(name)));
                format!("choose one: {}", names.collect::<Vec<_>>().join(", "))
            }
        })
    }

    /// The values that hold, expanded; URL and schema stay as they are until they are used.
    fn config(self, settings: Settings, databases: Vec<String>) -> Result<Config> {
        let mut config = Config {
            databases,
            url: settings.url,
            dev_url: settings.dev_url,
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
            let name = config.version_table.rsplit('.').next().unwrap_or_default();
            if name.to_ascii_lowercase().starts_with("sqlite_") {
                let takes = "a name that does not begin with `sqlite_`, which SQLite keeps for itself";
                return Err(self.wrong_at("version_table", raw.span.clone(), takes));
            }
        }
        if let Some(raw) = &settings.lock_timeout {
            config.lock_timeout = self.time("lock_timeout", raw)?;
        }
        let said = |at: usize| settings.header[at].as_ref().map(|raw| self.time(HEADER_KEYS[at], raw));
        config.header_lock_timeout = said(0).transpose()?;
        config.header_statement_timeout = said(1).transpose()?;
        config.autogenerate = self.autogenerate_values(&settings.autogenerate)?;
        if let Some(raw) = &settings.schema_dump {
            config.schema_dump = Some(self.expand(raw)?).filter(|name| !name.trim().is_empty());
        }
        if let Some(raw) = &settings.backup {
            config.backup = match &*self.expand(raw)? {
                "never" => When::Never,
                "auto" => When::Auto,
                "always" => When::Always,
                _ => return Err(self.wrong_at("backup", raw.span.clone(), "`never`, `auto` or `always`")),
            };
        }
        if let Some(raw) = &settings.backup_keep {
            let count = self.expand(raw)?.trim().parse().ok().filter(|count| *count > 0);
            let wrong = || self.wrong_at("backup_keep", raw.span.clone(), "a number, 1 at least");
            config.backup_keep = count.ok_or_else(wrong)?;
        }
        config.file = Some(self.file);
        Ok(config)
    }

    fn time(&self, key: &str, raw: &Raw) -> Result<Duration> {
        let text = self.expand(raw)?;
        duration(&text).ok_or_else(|| self.wrong_at(key, raw.span.clone(), TAKES))
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

    pub(super) fn expand(&self, raw: &Raw) -> Result<String> {
        expand(&self.file, raw, self.variables)
    }
}
