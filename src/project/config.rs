//! `migrations.yaml`: its keys, their kinds, and the values that hold for one database.

mod autogenerate;
mod read;

use std::collections::BTreeMap;
use std::fmt;
use std::time::Duration;

use crate::code::Code;
use crate::error::{Error, Result};
use crate::secret;
use crate::source::{SourceFile, Span};

pub use autogenerate::{Autogenerate, Rule};

use super::env::{self, Unexpanded};
use super::template::Template;

/// What holds when the file says nothing.
const LOCATION: &str = "migrations";
const FILE_TEMPLATE: &str = "{date}_{revision}_{slug}";
const VERSION_TABLE: &str = "sqlrev_revisions";
const LOCK_TIMEOUT: Duration = Duration::from_secs(60);

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
    /// A command, whose output it is.
    Command(Command),
}

/// A command of the configuration.
#[derive(Debug, Clone, PartialEq, Eq, Default)]
pub struct Command {
    /// The program and its arguments.
    pub words: Vec<String>,
    /// The same for people: as it is written, with the names of variables, since their values may be passwords.
    pub shown: String,
}

impl Command {
    fn new(written: &[Raw], words: Vec<String>) -> Self {
        let shown: Vec<String> = written.iter().map(|raw| secret::redacted_word(&raw.text)).collect();
        Self {
            words,
            shown: shown.join(" "),
        }
    }
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
    schema_dump: Option<Raw>,
    dev_url: Option<Raw>,
    autogenerate: autogenerate::Written,
    lock_timeout: Option<Raw>,
    /// What headers say where they say nothing, the time for locks and the one for statements.
    header: [Option<Raw>; 2],
    backup: Option<Raw>,
    backup_keep: Option<Raw>,
}

/// A folder of revisions.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Location {
    /// As a person would type it from the project's folder, with `/` and none at its end.
    pub name: String,
    /// Where the configuration names it.
    pub(super) place: Option<Span>,
}

/// When a copy of the database is made.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
#[non_exhaustive]
pub enum When {
    /// Not at all.
    #[default]
    Never,
    /// Before steps that do more than create tables, indexes, views and triggers.
    Auto,
    /// Before every step.
    Always,
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
    /// The `lock_timeout` of revisions whose header has none.
    pub header_lock_timeout: Option<Duration>,
    /// The `statement_timeout` of revisions whose header has none.
    pub header_statement_timeout: Option<Duration>,
    /// When a copy of the database is made before it is changed.
    pub backup: When,
    /// How many copies are kept.
    pub backup_keep: usize,
    /// What of a schema is compared.
    pub autogenerate: Autogenerate,
    /// Whether it is that of a database under `databases:`, which `-n` has chosen.
    pub is_chosen: bool,
    /// Whether that one names its URL itself.
    pub(super) own_url: bool,
    /// The file in which the schema is written down after each upgrade.
    pub schema_dump: Option<String>,
    /// The file, with stars for passwords; none when there is no configuration.
    pub(super) file: Option<SourceFile>,
    /// The names under `databases`.
    pub(super) databases: Vec<String>,
    url: Option<Raw>,
    dev_url: Option<Raw>,
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
            header_lock_timeout: None,
            header_statement_timeout: None,
            backup: When::Never,
            backup_keep: 3,
            autogenerate: Autogenerate::default(),
            is_chosen: false,
            own_url: false,
            schema_dump: None,
            file: None,
            databases: Vec::new(),
            url: None,
            dev_url: None,
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
        read::read(name, text, database, variables)
    }

    /// The URL, expanded, and the file and place it stands at.
    pub(super) fn url(&self, variables: &BTreeMap<String, String>) -> Result<Option<(String, &SourceFile, Span)>> {
        let (Some(raw), Some(file)) = (&self.url, &self.file) else {
            return Ok(None);
        };
        let text = expand(file, raw, variables)?;
        Ok(Some((text, file, raw.span.clone())))
    }

    /// Likewise that of the server for scratch databases.
    pub(super) fn dev_url(&self, variables: &BTreeMap<String, String>) -> Result<Option<(String, &SourceFile, Span)>> {
        let (Some(raw), Some(file)) = (&self.dev_url, &self.file) else {
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
        let expanded = words
            .iter()
            .map(|raw| expand(file, raw, variables))
            .collect::<Result<Vec<_>>>()?;
        Ok(Some(if *is_command {
            Schema::Command(Command::new(words, expanded))
        } else {
            Schema::Files(expanded)
        }))
    }
}

impl Settings {
    /// These values, and those of `base` where there is none.
    fn over(self, base: Self) -> Self {
        let [lock, statement] = self.header;
        let [base_lock, base_statement] = base.header;
        Self {
            header: [lock.or(base_lock), statement.or(base_statement)],
            url: self.url.or(base.url),
            locations: self.locations.or(base.locations),
            file_template: self.file_template.or(base.file_template),
            version_table: self.version_table.or(base.version_table),
            schema: self.schema.or(base.schema),
            schema_dump: self.schema_dump.or(base.schema_dump),
            dev_url: self.dev_url.or(base.dev_url),
            autogenerate: self.autogenerate.over(base.autogenerate),
            lock_timeout: self.lock_timeout.or(base.lock_timeout),
            backup: self.backup.or(base.backup),
            backup_keep: self.backup_keep.or(base.backup_keep),
        }
    }
}

/// The value with its variables.
fn expand(file: &SourceFile, raw: &Raw, variables: &BTreeMap<String, String>) -> Result<String> {
    env::expand(&raw.text, variables).map_err(|Unexpanded { span, message, label }| {
        let place = within(file, raw, &span);
        let error = Error::new(Code::ConfigVariable, message).at(file, place, label);
        match raw.text[span].trim_start_matches("${").trim_end_matches('}') {
            name if env::is_name(name) => error.help(format!(
                "export {name}=… or a line in .env sets it; ${{{name}:-VALUE}} gives it a default"
            )),
            // It may be a part of a password, and is not shown.
            _ => error.help("a `$` that means itself is written `$$`"),
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

#[cfg(test)]
mod tests;
