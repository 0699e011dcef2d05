//! What the commands share: the project, its graph, the database.

use std::cell::RefCell;
use std::collections::BTreeMap;
use std::path::PathBuf;
use std::sync::mpsc;
use std::time::Duration;

use crate::cli::args::Global;
use crate::cli::progress::Progress;
use crate::cli::ui::Ui;
use crate::code::Code;
use crate::dialect::sqlite::Sqlite;
use crate::dialect::{self, Dialect};
use crate::driver::{self, Driver, DriverError, Opening};
use crate::error::{Error, Result};
use crate::execute::event::{Clock, Event};
use crate::execute::seen::Seen;
use crate::execute::{Cancel, Executor, Interrupts, Lent, Patience, Sources, fault, ghost};
use crate::project::{DatabaseUrl, Environment, Load, Options, Project, Secret, SqliteMode, SqliteUrl};
use crate::revision::graph::RevisionGraph;
use crate::revision::{Revision, Script};
use crate::secret;
use crate::shell;
use crate::source::SourceFile;
use crate::version::VersionTable;

/// How long a command waits for a server that it can do without.
const GLANCE: Duration = Duration::from_secs(2);

/// What the command was given.
pub(crate) struct Session<'a> {
    pub directory: PathBuf,
    pub variables: BTreeMap<String, String>,
    pub global: Global,
    pub user: String,
    pub clock: &'a dyn Clock,
    pub new_id: &'a mut dyn FnMut() -> String,
    pub cancel: Cancel,
    /// What a Ctrl-C interrupts.
    pub running: RefCell<Option<Interrupts>>,
    /// The database that was opened last, for errors about it; without its password.
    pub opened: RefCell<Option<String>>,
    /// Whether the command runs the texts of revisions, on the database or on scratch.
    pub runs_texts: bool,
}

impl Session<'_> {
    /// Says what a Ctrl-C interrupts from now on.
    pub(crate) fn interrupts(&self, interrupter: Option<Box<dyn Fn() + Send + Sync>>) {
        *self.running.borrow_mut() = interrupter.map(|interrupter| self.cancel.interrupts(Some(interrupter)));
    }

    pub(crate) fn environment(&self) -> Environment {
        let mut variables = self.variables.clone();
        variables.extend(self.global.variables.iter().cloned());
        Environment {
            directory: self.directory.clone(),
            variables,
        }
    }

    pub(crate) fn project(&self) -> Result<Project> {
        let options = Options {
            config: self.global.config.clone(),
            name: self.global.name.clone(),
            url: self.global.url.clone().map(Secret),
        };
        Project::open(&self.environment(), &options)
    }

    /// The project and its revisions, for the dialect of its database, or SQLite's where none is named.
    pub(crate) fn history(&self) -> Result<History> {
        let project = self.project()?;
        let dialect = dialect_of(&project)?;
        Self::history_for(project, dialect)
    }

    /// Likewise, for this dialect.
    pub(crate) fn history_for(project: Project, dialect: &'static dyn Dialect) -> Result<History> {
        let revisions = project.revisions(dialect.variants(), Load { downgrades: false })?;
        Self::history_with(project, dialect, revisions)
    }

    /// The project for the dialect of its database, with no revisions, for which no folder need be there.
    pub(crate) fn no_history(&self) -> Result<History> {
        let project = self.project()?;
        let dialect = dialect_of(&project)?;
        Self::history_with(project, dialect, Vec::new())
    }

    fn history_with(project: Project, dialect: &'static dyn Dialect, revisions: Vec<Revision>) -> Result<History> {
        // A URL that is missing or wrong is told of when it is needed.
        let schemas = match project.url() {
            Ok(DatabaseUrl::Server { text, .. }) => dialect.schemas_named_by(&text)?,
            _ => Vec::new(),
        };
        let table = VersionTable::new(dialect, &project.config.version_table)
            .comparing(project.config.autogenerate.owners, project.config.autogenerate.grants);
        Ok(History {
            table: table.within(schemas.first().map(String::as_str)),
            schemas,
            project,
            dialect,
            revisions,
        })
    }

    pub(crate) fn timeout(history: &History, option: Option<f64>) -> Result<Duration> {
        let Some(seconds) = option else {
            return Ok(history.project.config.lock_timeout);
        };
        Duration::try_from_secs_f64(seconds).map_err(|_| no_seconds("--lock-timeout", seconds))
    }

    /// Opens the database for reading; nothing is created. None when there is no such file yet.
    pub(crate) fn open_to_read(&self, history: &History) -> Result<Option<Box<dyn Driver>>> {
        let url = history.project.url()?;
        if let DatabaseUrl::Sqlite(SqliteUrl { path: Some(path), .. }) = &url
            && !path.exists()
        {
            return Ok(None);
        }
        self.open(&url, false, &history.project).map(Some)
    }

    /// Opens the database for writing, creating it where the URL lets it be created.
    pub(crate) fn open_to_write(&self, history: &History) -> Result<Box<dyn Driver>> {
        let opened = self.open(&history.project.url()?, true, &history.project);
        opened.map_err(fault::before_the_first)
    }

    /// Opens another database of the same kind for reading.
    pub(crate) fn open_other(&self, url: &str, history: &History) -> Result<Box<dyn Driver>> {
        let url = DatabaseUrl::parse(url, &self.directory)?;
        self.open(&url, false, &history.project)
    }

    /// What sessions on servers are opened with.
    pub(crate) fn opening<'o>(&'o self, project: &'o Project) -> Result<Opening<'o>> {
        let wait = self.global.wait.unwrap_or_default();
        Ok(Opening {
            variables: project.variables(),
            user: &self.user,
            folders: [&self.directory, &project.root],
            wait: Duration::try_from_secs_f64(wait).map_err(|_| no_seconds("--wait", wait))?,
            cancelled: self.cancel.flag(),
        })
    }

    fn open_server(&self, url: &DatabaseUrl, dialect: &str, text: &str, project: &Project) -> Result<Box<dyn Driver>> {
        let opening = self.opening(project)?;
        let driver = driver::server(dialect, text, opening).unwrap_or_else(|| Err(unsupported(url)))?;
        self.interrupts(driver.interrupter());
        self.no_text_is_passed_over(project, &*driver)?;
        Ok(driver)
    }

    /// Refuses a server that is of another kind than its URL says, where the command would run the wrong texts.
    pub(crate) fn no_text_is_passed_over(&self, project: &Project, driver: &dyn Driver) -> Result<()> {
        match driver.taken_for().filter(|_| self.runs_texts) {
            Some(other) => no_text_is_passed_over(project, driver.dialect(), other),
            None => Ok(()),
        }
    }

    fn open(&self, url: &DatabaseUrl, write: bool, project: &Project) -> Result<Box<dyn Driver>> {
        *self.opened.borrow_mut() = Some(url.to_string());
        let place = match url {
            DatabaseUrl::Sqlite(place) => place,
            DatabaseUrl::Server { dialect, text } => return self.open_server(url, dialect, text, project),
        };
        let opened = match (&place.path, place.mode) {
            (None, _) => driver::sqlite::memory(),
            (Some(path), SqliteMode::Create) if write => driver::sqlite::open(path, driver::sqlite::Access::Create),
            (Some(path), SqliteMode::ReadWrite) if write => driver::sqlite::open(path, driver::sqlite::Access::Write),
            (Some(path), _) => driver::sqlite::open(path, driver::sqlite::Access::Read),
        };
        let driver: Box<dyn Driver> = Box::new(opened.map_err(|error| not_opened(url, place, &error))?);
        self.interrupts(driver.interrupter());
        Ok(driver)
    }

    /// What the database has, and the graph of files and of revisions that only the database knows.
    pub(crate) fn look(&self, history: &mut History, driver: &mut dyn Driver, ui: &mut Ui<'_>) -> Result<Seen> {
        let graph = RevisionGraph::build(Vec::new())?;
        let mut progress = Progress::new(ui);
        let mut waiting = |event: Event<'_>| progress.hear(&event);
        let patience = self.patience(history.project.config.lock_timeout);
        let mut executor = self.executor(history, &graph, driver, patience, &mut waiting);
        let seen = executor.look()?;
        let strangers = ghost::strangers(driver, &history.table, &seen, &history.revisions)?;
        history.revisions.extend(strangers);
        Ok(seen)
    }

    /// What the database has; nothing when it is not there yet.
    pub(crate) fn look_if_there(&self, history: &mut History, ui: &mut Ui<'_>) -> Result<Seen> {
        match self.open_to_read(history)? {
            Some(mut driver) => self.look(history, &mut *driver, ui),
            None => Ok(Seen::default()),
        }
    }

    /// Likewise for those who can do without: a database that somebody holds is not waited for, and a server that does not
    /// answer no longer than [`GLANCE`], or as long as `--wait` says. None when it is not there yet.
    pub(crate) fn glance(&mut self, history: &mut History, ui: &mut Ui<'_>) -> Result<Option<Seen>> {
        let longest = Duration::try_from_secs_f64(self.global.wait.unwrap_or_default()).unwrap_or_default();
        let brief = Cancel::new();
        let whole = std::mem::replace(&mut self.cancel, brief.clone());
        let stopped = brief.clone();
        let passed_on = whole.interrupts(Some(Box::new(move || {
            stopped.fire();
        })));
        let patient = std::mem::replace(&mut history.project.config.lock_timeout, Duration::ZERO);
        let (looked, looks) = mpsc::channel::<()>();
        std::thread::spawn(move || {
            if looks.recv_timeout(longest.max(GLANCE)) == Err(mpsc::RecvTimeoutError::Timeout) {
                brief.fire();
            }
        });
        let seen = match self.open_to_read(history) {
            Ok(Some(mut driver)) => self.look(history, &mut *driver, ui).map(Some),
            Ok(None) => Ok(None),
            Err(error) => Err(error),
        };
        self.interrupts(None);
        drop((looked, passed_on));
        history.project.config.lock_timeout = patient;
        self.cancel = whole;
        if self.cancel.is_fired() {
            return Err(fault::interrupted());
        }
        seen.map_err(|error| match error.code() {
            Code::Interrupted => Error::new(Code::Connect, "the database does not answer"),
            Code::LockTimeout => Error::new(Code::LockTimeout, "somebody else holds the database"),
            _ => error,
        })
    }

    pub(crate) fn patience(&self, timeout: Duration) -> Patience<'_> {
        Patience {
            timeout,
            cancelled: self.cancel.flag(),
        }
    }

    pub(crate) fn executor<'e>(
        &'e self,
        history: &'e History,
        graph: &'e RevisionGraph,
        driver: &'e mut dyn Driver,
        patience: Patience<'e>,
        events: &'e mut dyn FnMut(Event<'_>),
    ) -> Executor<'e> {
        Executor {
            graph,
            sources: &history.project,
            table: history.table.clone(),
            driver,
            by: &self.user,
            clock: self.clock,
            patience,
            events,
            single_transaction: false,
            clean_invalid: false,
            keep_statements: self.global.format == crate::cli::args::Format::Json,
            lent: Lent::default(),
            watch: false,
            only: None,
        }
    }
}

/// The project and the revisions in it.
pub(crate) struct History {
    pub project: Project,
    pub dialect: &'static dyn Dialect,
    pub table: VersionTable,
    /// The schemas that the URL names; none for the whole database.
    pub schemas: Vec<String>,
    pub revisions: Vec<Revision>,
}

impl History {
    /// The graph of the revisions; they move into it. It lives as long as the process, which ends with the command: to
    /// free thousands of revisions one by one would take as long as to read their headers.
    pub(crate) fn graph(&mut self) -> Result<&'static RevisionGraph> {
        let graph = RevisionGraph::build(std::mem::take(&mut self.revisions))?;
        Ok(Box::leak(Box::new(graph)))
    }
}

impl Sources for Project {
    fn downgrade(&self, revision: &Revision) -> Result<Option<Script>> {
        self.read_downgrade(revision)
    }

    fn test(&self, revision: &Revision, variants: &[&str]) -> Result<Option<SourceFile>> {
        self.read_test(revision, variants)
    }
}

fn no_seconds(option: &str, given: f64) -> Error {
    Error::new(Code::Usage, format!("`{option} {given}` is not a number of seconds"))
        .help(format!("for example: {option} 5"))
}

/// The dialect of the project's database. Where none is named, or its URL is wrong, commands that need no database
/// still work, as if it were SQLite.
fn dialect_of(project: &Project) -> Result<&'static dyn Dialect> {
    match project.url() {
        Ok(url @ DatabaseUrl::Server { dialect, .. }) => dialect::named(dialect).ok_or_else(|| unsupported(&url)),
        _ => Ok(&Sqlite),
    }
}

/// Refuses a server that is of another kind than its URL says, where a revision has texts of their own for that kind: they
/// would not be run.
pub(crate) fn no_text_is_passed_over(project: &Project, dialect: &dyn Dialect, other: &dyn Dialect) -> Result<()> {
    let load = Load { downgrades: false };
    let taken = project.revisions(dialect.variants(), load)?;
    let meant = project.revisions(other.variants(), load)?;
    let names = |revision: &Revision| -> Vec<String> {
        let scripts = revision.upgrade.iter().chain(&revision.downgrade);
        scripts.map(|script| script.file.name.to_string()).collect()
    };
    // A revision may have such a text alone, and is none of the others then.
    let is_taken = |(at, meant): &(usize, &Revision)| taken.get(*at).is_some_and(|taken| names(taken) == names(meant));
    let Some((_, passed)) = meant.iter().enumerate().find(|pair| !is_taken(pair)) else {
        return Ok(());
    };
    let (says, is) = (dialect.name(), other.name());
    let id = passed.id();
    Err(Error::new(
        Code::ConfigUrl,
        format!("the URL says {says}://, the server is {is}, and revision `{id}` has other texts for {is}"),
    )
    .state("nothing was run")
    .help(format!("write {is}:// in the URL")))
}

pub(crate) fn unsupported(url: &DatabaseUrl) -> Error {
    Error::new(
        Code::UnsupportedDatabase,
        format!("this build has no driver for {}", url.dialect()),
    )
    .help(format!(
        "it has those for {}",
        ["sqlite"]
            .into_iter()
            .chain(driver::servers())
            .collect::<Vec<_>>()
            .join(", ")
    ))
}

fn not_opened(url: &DatabaseUrl, place: &SqliteUrl, error: &DriverError) -> Error {
    if let Some(hint) = &error.remarks.hint {
        let message = format!("`{url}` cannot be read without writing");
        return Error::new(Code::ReadOnly, message)
            .cause(error.message.clone())
            .help(hint.clone());
    }
    let opened =
        Error::new(Code::Connect, format!("`{url}` cannot be opened")).cause(secret::redacted_word(&error.message));
    let folder = place.path.as_ref().and_then(|path| path.parent());
    match folder.filter(|folder| !folder.as_os_str().is_empty() && !folder.is_dir()) {
        // A server was meant.
        Some(folder) if secret::is_database(folder) => {
            opened.help("a server is named by postgresql://USER@HOST/DATABASE")
        }
        Some(folder) => {
            let word = shell::word(folder.display());
            opened.help(format!("there is no folder `{}`: mkdir -p {word}", folder.display()))
        }
        None => opened.help("check the path, its rights, and that it is not a folder"),
    }
}
