//! The project on disk: configuration, environment, revision files. Only this module touches files.

#![expect(
    clippy::disallowed_methods,
    reason = "files are read and written here and nowhere else"
)]

mod config;
mod deeper;
mod disk;
mod env;
mod files;
pub mod glob;
mod mistakes;
mod names;
mod schema;
mod template;
mod url;
mod utf8;
mod write;

use std::cell::{OnceCell, RefCell};
use std::collections::{BTreeMap, BTreeSet};
use std::path::{Path, PathBuf};
use std::rc::Rc;
use std::sync::Arc;
use std::{fs, io};

pub use config::{Autogenerate, Command, Config, Location, Rule, Schema, When};
pub use env::Environment;
pub use mistakes::named_twice;
pub use template::{Naming, Template, slug};
pub use url::{DatabaseUrl, SqliteMode, SqliteUrl};
pub use write::{MIGRATIONS_YAML, init, write_all, write_new};

use crate::code::Code;
use crate::error::{Error, Result};
use crate::revision::{Revision, Script};
use crate::secret::redacted;
use crate::source::SourceFile;
use files::Loader;
use write::CONFIG;

/// What the command line says about the project.
#[derive(Debug, Clone, Default)]
pub struct Options {
    /// `-c FILE`: the configuration, instead of the one found by walking up.
    pub config: Option<PathBuf>,
    /// `-n NAME`: which of the configured databases.
    pub name: Option<String>,
    /// `--url URL`: the database, whatever is configured.
    pub url: Option<Secret>,
}

/// A text that may hold a password.
#[derive(Clone, PartialEq, Eq)]
pub struct Secret(pub String);

impl std::fmt::Debug for Secret {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.write_str(&redacted(&self.0))
    }
}

/// How much of the revisions is read.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub struct Load {
    /// The texts of the downgrades, too. Without it they are known to be there, and [`Project::read_downgrade`] reads
    /// one; to read them all doubles the time.
    pub downgrades: bool,
}

/// A project, for one of its databases.
#[derive(Debug, Clone)]
pub struct Project {
    /// The folder of the configuration, or the working directory when there is none.
    pub root: PathBuf,
    /// What is configured for the database.
    pub config: Config,
    /// The environment as it was given.
    environment: Environment,
    /// The same with the variables of `.env` files.
    variables: Environment,
    /// `--url`
    url: Option<Secret>,
    /// The root, once a file was read from it.
    opened: OnceCell<Rc<Opened>>,
}

/// The project's folder, open.
#[derive(Debug)]
struct Opened {
    folder: disk::Folder,
    path: Arc<Path>,
    /// For the bytes of the file being read.
    buffer: RefCell<Vec<u8>>,
}

impl Project {
    /// Finds the project and reads its configuration.
    ///
    /// # Errors
    /// `config::not_found` when there is no configuration, unless a URL is given or in the environment: then the
    /// revisions are in `migrations` in the working directory. The `config::…` codes for mistakes in the configuration.
    pub fn open(environment: &Environment, options: &Options) -> Result<Self> {
        let directory = &environment.directory;
        let found = match &options.config {
            Some(path) => Some(directory.join(path)),
            None => directory
                .ancestors()
                .map(|folder| folder.join(CONFIG))
                .find(|path| path.is_file() || irregular(path)),
        };
        let root = found
            .as_ref()
            .and_then(|path| path.parent())
            .unwrap_or(directory)
            .to_owned();
        let mut variables = environment.clone();
        dotenv(&mut variables, &root, "")?;
        if root != *directory {
            dotenv(&mut variables, directory, directory.to_string_lossy().as_ref())?;
        }
        let config = match &found {
            Some(path) => {
                let shown = options
                    .config
                    .as_deref()
                    .unwrap_or(Path::new(CONFIG))
                    .to_string_lossy()
                    .replace('\\', "/");
                let text = read_config(path, &shown, options.config.is_some())?;
                Config::read(&shown, &text, options.name.as_deref(), &variables.variables)?
            }
            None if options.url.is_some()
                || ["SQLREV_URL", "DATABASE_URL"]
                    .iter()
                    .any(|name| variables.filled(name).is_some()) =>
            {
                if let Some(name) = &options.name {
                    return Err(missing(&format!(
                        "`-n {name}` names a database of a `{CONFIG}`, and there is none"
                    )));
                }
                Config::without_file()
            }
            None => {
                return Err(missing(&format!(
                    "there is no `{CONFIG}` in `{}` or above it",
                    directory.display()
                )));
            }
        };
        Ok(Self {
            root,
            config,
            environment: environment.clone(),
            variables,
            url: options.url.clone(),
            opened: OnceCell::new(),
        })
    }

    /// The database: `--url`, else what the database chosen with `-n` names itself, else `SQLREV_URL`, else what is configured
    /// for all, else `DATABASE_URL`.
    ///
    /// # Errors
    /// `config::no_url`, `config::url`, `config::variable`; no message shows a password.
    pub fn url(&self) -> Result<DatabaseUrl> {
        if let Some(Secret(url)) = &self.url {
            return DatabaseUrl::parse(url, &self.environment.directory)
                .map_err(|error| error.help("this is the URL of --url"));
        }
        // The variable is of the database at the top: another one's revisions are not for it.
        if let Some(url) = self.variable("SQLREV_URL").filter(|_| !self.config.own_url) {
            return url;
        }
        if let Some((text, file, place)) = self.config.url(&self.variables.variables)?
            && !text.trim().is_empty()
        {
            return DatabaseUrl::parse(&text, &self.root)
                .map_err(|error| error.at(file, place, "the URL is given here"));
        }
        self.variable("DATABASE_URL").unwrap_or_else(|| Err(self.no_url()))
    }

    /// Where scratch databases are made, when that is another server than the database's.
    ///
    /// # Errors
    /// `config::url`, `config::variable`; no message shows a password.
    pub fn dev_url(&self) -> Result<Option<DatabaseUrl>> {
        let Some((text, file, place)) = self.config.dev_url(&self.variables.variables)? else {
            return Ok(None);
        };
        if text.trim().is_empty() {
            return Ok(None);
        }
        let here = |error: Error| error.at(file, place.clone(), "the URL is given here");
        let url = DatabaseUrl::parse(&text, &self.root).map_err(here)?;
        match self.url() {
            Ok(own @ DatabaseUrl::Server { .. }) if !own.is_alike(&url) => {
                let message = "`dev_url` names another kind of database than the project's";
                Err(here(Error::new(Code::ConfigUrl, message)).help(format!(
                    "what is tried there runs on {}: name a server of that kind",
                    own.kind()
                )))
            }
            _ => Ok(Some(url)),
        }
    }

    /// The environment, with the variables of `.env` files.
    pub fn variables(&self) -> &BTreeMap<String, String> {
        &self.variables.variables
    }

    /// The schema as it should be, if the configuration names one.
    ///
    /// # Errors
    /// `config::variable`
    pub fn schema(&self) -> Result<Option<Schema>> {
        self.config.schema(&self.variables.variables)
    }

    /// The revisions of all locations, in the order of locations and names, each half with the text for the first of
    /// the dialects `variants` that has one, else the plain text.
    ///
    /// # Errors
    /// The `file::…` and `header::…` codes.
    pub fn revisions(&self, variants: &[&str], load: Load) -> Result<Vec<Revision>> {
        let mut revisions = Vec::new();
        let mut loader = Loader {
            root: self.root.as_path().into(),
            config: self.config.file.as_ref(),
            locations: &self.config.locations,
            variants,
            downgrades: load.downgrades,
            buffer: Vec::new(),
            name: String::new(),
            nothing: "".into(),
        };
        let mut read = BTreeSet::new();
        for location in &self.config.locations {
            // A folder that has two names is read once.
            let again = self.config.locations.len() > 1
                && fs::canonicalize(self.root.join(&location.name)).is_ok_and(|folder| !read.insert(folder));
            if !again {
                loader.location(location, &mut revisions)?;
            }
        }
        for Revision { header, .. } in &mut revisions {
            header.lock_timeout = header.lock_timeout.or(self.config.header_lock_timeout);
            header.statement_timeout = header.statement_timeout.or(self.config.header_statement_timeout);
        }
        Ok(revisions)
    }

    /// The downgrade with its text, read now if it was not.
    ///
    /// # Errors
    /// `file::io`, `file::invalid_utf8`, `header::in_downgrade`
    pub fn read_downgrade(&self, revision: &Revision) -> Result<Option<Script>> {
        match &revision.downgrade {
            Some(script) if script.large.is_some() => {
                let read = self.read(&script.file.name)?;
                mistakes::no_header_of_its_own(&read, &revision.header)?;
                Ok(Some(read))
            }
            other => Ok(other.clone()),
        }
    }

    /// The `test.sql` beside a revision, `NAME.test.sql` beside a flat pair, where there is one; the one for the first of
    /// the dialects `variants` that has one, else the plain one.
    ///
    /// # Errors
    /// `file::io`, `file::invalid_utf8`
    pub fn read_test(&self, revision: &Revision, variants: &[&str]) -> Result<Option<SourceFile>> {
        let file = revision.file_name();
        let (folder, name) = file.rsplit_once('/').unwrap_or(("", file));
        let stem = match names::Half::of(name) {
            names::Name::Half("", _) => String::new(),
            names::Name::Half(stem, _) => format!("{stem}."),
            _ => return Ok(None),
        };
        let of_dialect = variants
            .iter()
            .map(|variant| format!("{folder}/{stem}test.{variant}.sql"));
        let mut names = of_dialect.chain([format!("{folder}/{stem}test.sql")]);
        let there = names
            .find(|name| self.root.join(name).is_file())
            .filter(|_| !file.is_empty());
        there.map(|name| self.read(&name).map(|script| script.file)).transpose()
    }

    /// Reads a file by its name from the project's folder.
    ///
    /// # Errors
    /// `file::io`, `file::invalid_utf8`
    pub fn read(&self, name: &str) -> Result<Script> {
        let opened = match self.opened.get() {
            Some(opened) => opened,
            None => {
                let folder = disk::Folder::open(&self.root).map_err(|error| mistakes::unreadable(name, &error))?;
                self.opened.get_or_init(|| {
                    let path = self.root.as_path().into();
                    let buffer = RefCell::default();
                    Rc::new(Opened { folder, path, buffer })
                })
            }
        };
        let buffer = &mut opened.buffer.borrow_mut();
        let length = match opened.folder.read_file(name, buffer) {
            Ok(Some(length)) => length,
            Ok(None) => return Err(mistakes::no_file(name)),
            // A socket cannot even be opened.
            Err(_) if irregular(&self.root.join(name)) => return Err(mistakes::no_file(name)),
            Err(error) => return Err(mistakes::unreadable(name, &error)),
        };
        files::script(&buffer[..length], name.into(), &opened.path)
    }

    /// The paths of a new revision's upgrade and downgrade, in the location of this name or the first one.
    ///
    /// # Errors
    /// `usage::invalid` when there is no such location, or nothing to make a name of.
    pub fn new_paths(&self, location: Option<&str>, naming: &Naming<'_>) -> Result<[PathBuf; 2]> {
        let location = match location {
            Some(name) => {
                let wanted = name.trim_start_matches("./").trim_end_matches('/');
                let known = self.config.locations.iter().find(|location| location.name == wanted);
                known.ok_or_else(|| self.unknown_location(name))?
            }
            None => self.config.locations.first().expect("a configuration has a location"),
        };
        let Some(names) = self.config.file_template.render(naming) else {
            return Err(
                Error::new(Code::Usage, "`file_template` gives no name for this revision")
                    .help("a message with letters (-m), or {revision} in the template, gives one"),
            );
        };
        Ok(names.map(|name| self.root.join(&location.name).join(name)))
    }

    /// The path as a person would type it from the project's folder, with `/`.
    pub fn shown(&self, path: &Path) -> String {
        let path = path.strip_prefix(&self.root).unwrap_or(path).to_string_lossy();
        if cfg!(windows) {
            path.replace('\\', "/")
        } else {
            path.into_owned()
        }
    }

    /// A URL in the environment. A relative path in it begins where it was written: in the working directory, or
    /// beside the configuration for one from `.env`.
    fn variable(&self, name: &str) -> Option<Result<DatabaseUrl>> {
        let url = self.variables.filled(name)?;
        if url.contains(char::REPLACEMENT_CHARACTER) {
            let message = format!("the variable `{name}` is not UTF-8");
            return Some(Err(Error::new(Code::ConfigVariable, message)));
        }
        let is_given = self.environment.filled(name).is_some();
        let folder = if is_given {
            &self.environment.directory
        } else {
            &self.root
        };
        Some(DatabaseUrl::parse(url, folder).map_err(|error| error.help(format!("this is the URL of {name}"))))
    }

    fn no_url(&self) -> Error {
        let error = Error::new(Code::ConfigNoUrl, "no database is named");
        if self.config.databases.is_empty() || self.config.has_url() {
            error.help("--url sqlite:app.db, or `url: sqlite:app.db` in migrations.yaml, names one")
        } else {
            let names = self.config.databases.iter().map(|name| format!("-n {name}"));
            error.help(format!(
                "choose one of those in migrations.yaml: {}",
                names.collect::<Vec<_>>().join(", ")
            ))
        }
    }

    fn unknown_location(&self, name: &str) -> Error {
        let names: Vec<&str> = self
            .config
            .locations
            .iter()
            .map(|location| location.name.as_str())
            .collect();
        Error::new(Code::Usage, format!("`{name}` is not a location of this project"))
            .help(format!("its locations are {}", names.join(", ")))
            .help("add it to `locations:` in migrations.yaml first")
    }
}

/// The revisions in a folder, with the texts of their downgrades, each half with the text for the first of the dialects
/// `variants` that has one, else the plain text.
///
/// # Errors
/// The `file::…` and `header::…` codes.
pub fn in_folder(folder: &Path, variants: &[&str]) -> Result<Vec<Revision>> {
    let root = folder.parent().filter(|parent| !parent.as_os_str().is_empty());
    let name = folder.file_name().unwrap_or(folder.as_os_str());
    let location = Location {
        name: name.to_string_lossy().into_owned(),
        place: None,
    };
    let mut revisions = Vec::new();
    loader(root.unwrap_or(Path::new(".")), variants).location(&location, &mut revisions)?;
    Ok(revisions)
}

/// The revisions of a list of names and texts, likewise.
///
/// # Errors
/// The `file::…` and `header::…` codes.
pub fn in_list(files: &BTreeMap<String, String>, variants: &[&str]) -> Result<Vec<Revision>> {
    let mut revisions = Vec::new();
    loader(Path::new(""), variants).list(files, &mut revisions)?;
    Ok(revisions)
}

fn loader<'a>(root: &Path, variants: &'a [&'a str]) -> Loader<'a> {
    Loader {
        root: root.into(),
        config: None,
        locations: &[],
        variants,
        downgrades: true,
        buffer: Vec::new(),
        name: String::new(),
        nothing: "".into(),
    }
}

/// Adds the variables of the `.env` file in a folder, if there is one.
fn dotenv(variables: &mut Environment, folder: &Path, shown: &str) -> Result<()> {
    let path = folder.join(".env");
    let name = if shown.is_empty() {
        ".env".to_owned()
    } else {
        format!("{shown}/.env")
    };
    // `/dev/null` in its place says that there is none.
    if std::fs::canonicalize(&path).is_ok_and(|real| real == Path::new("/dev/null")) {
        return Ok(());
    }
    if irregular(&path) {
        return Err(mistakes::no_file(&name));
    }
    if !path.is_file() {
        return Ok(());
    }
    let bytes = std::fs::read(&path).map_err(|error| mistakes::unreadable(&name, &error))?;
    let text = utf8::decode_hidden(&name, &bytes)?.text;
    variables.add(&name, &text)
}

/// Whether a pipe, a socket or a device is there.
fn irregular(path: &Path) -> bool {
    path.metadata().is_ok_and(|there| !there.is_file() && !there.is_dir())
}

/// A file that is `chosen` on the command line may be a pipe.
fn read_config(path: &Path, shown: &str, chosen: bool) -> Result<String> {
    if irregular(path) && !chosen {
        return Err(mistakes::no_file(shown));
    }
    let bytes = std::fs::read(path).map_err(|error| match error.kind() {
        io::ErrorKind::NotFound => missing(&format!("there is no file `{shown}`")),
        _ => mistakes::unreadable(shown, &error),
    })?;
    Ok(utf8::decode_hidden(shown, &bytes)?.text.to_string())
}

#[cold]
fn missing(message: &str) -> Error {
    Error::new(Code::ConfigMissing, message)
        .help("sqlrev init")
        .help("or name one: -c FILE; or a database: --url URL")
}

#[cfg(test)]
mod tests;
