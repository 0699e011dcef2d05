//! Migrations inside an application: its revisions, applied through its own connection when it starts.
//!
//! ```
//! use rusqlite::Connection;
//! use sqlrev::Migrator;
//!
//! # fn main() -> Result<(), Box<dyn std::error::Error>> {
//! // An application embeds its folder of revisions: `Migrator::new(sqlrev::embedded!())`. Here they are spelled out.
//! let migrator = Migrator::from_files([
//!     ("0001_notes/upgrade.sql", "-- ---\n-- revision: a1f0\n-- message: notes\n-- ---\nCREATE TABLE notes (body);"),
//!     ("0001_notes/downgrade.sql", "DROP TABLE notes;"),
//! ])?;
//! let mut db = Connection::open_in_memory()?;
//! migrator.upgrade(&mut db)?;
//! db.execute("INSERT INTO notes VALUES ('hello')", [])?;
//! assert!(migrator.is_up_to_date(&mut db)?);
//! # Ok(())
//! # }
//! ```

pub mod backup;
mod borrowed;
mod code;
pub(crate) mod connect;
pub(crate) mod copies;
mod part;
pub mod rehearse;
pub(crate) mod restore;
mod run;
mod source;
mod status;
mod words;

use std::collections::BTreeMap;
use std::path::{Path, PathBuf};
use std::time::Duration;

pub use backup::{Backup, When};
pub use code::{BoxError, Data};
pub use rehearse::Rehearsal;
pub use run::Run;
pub use source::Embedded;
pub use status::Status;

use crate::dialect::Dialect;
use crate::dialect::sqlite::Sqlite;
use crate::driver::Driver;
use crate::error::{Error, Result};
use crate::execute::Report;
use crate::execute::kit::{Kit, Whole};
use crate::execute::lent::First;
use crate::project;
use crate::revision::{Direction, Revision, RevisionId};
use crate::version::{self, VersionTable};
use code::Registered;
use source::Source;

/// The revisions of an application, and how they are run over its connections. One is enough for any number of
/// databases and threads.
#[derive(Debug)]
pub struct Migrator {
    source: Source,
    table: String,
    by: String,
    lock_timeout: Duration,
    code: Registered,
    backup: Backup,
    /// What lends the backup to runs: named where one is asked for, so that other programs do not bring along what makes
    /// copies.
    lend_backup: Option<for<'a> fn(&'a Backup) -> &'a dyn First>,
    /// It runs for the command line, in whose words errors are then.
    is_command: bool,
    /// What is done for scripts that are not plain; none where all upgrades are.
    kit: Option<&'static dyn Kit>,
}

impl Migrator {
    /// The revisions that a build script embedded: `Migrator::new(sqlrev::embedded!())`. Nothing is read yet.
    #[inline]
    pub fn new(embedded: Embedded) -> Self {
        Self::of(Source::packed(embedded), embedded.application(), embedded.kit())
    }

    /// Revisions as a list of names and texts, for SQLite. The names are those of files: `0001_users/upgrade.sql` and
    /// `0001_users/downgrade.sql`, or `0001_users.upgrade.sql`, with either slash. Files that are named in another way are
    /// passed over, as in a folder.
    ///
    /// # Errors
    /// The `file::…`, `header::…` and `graph::…` codes.
    pub fn from_files<N: Into<String>, T: Into<String>>(files: impl IntoIterator<Item = (N, T)>) -> Result<Self> {
        Self::from_files_for(&Sqlite, files)
    }

    /// Likewise, with the texts for another dialect.
    ///
    /// # Errors
    /// The `file::…`, `header::…` and `graph::…` codes.
    pub fn from_files_for<N: Into<String>, T: Into<String>>(
        dialect: &'static dyn Dialect,
        files: impl IntoIterator<Item = (N, T)>,
    ) -> Result<Self> {
        let files = files.into_iter().map(|(name, text)| (name.into(), text.into()));
        Self::from_list(dialect, files.collect())
    }

    fn from_list(dialect: &'static dyn Dialect, files: Vec<(String, String)>) -> Result<Self> {
        let mut list = BTreeMap::new();
        for (name, text) in files {
            // As Windows writes it.
            let name = name.replace('\\', "/");
            if list.contains_key(&name) {
                return Err(project::named_twice(&name));
            }
            list.insert(name, text);
        }
        Self::from_revisions(dialect, project::in_list(&list, dialect.variants())?)
    }

    /// The revisions in a folder, for SQLite, read now.
    ///
    /// # Errors
    /// The `file::…`, `header::…` and `graph::…` codes.
    pub fn from_folder(folder: impl AsRef<Path>) -> Result<Self> {
        Self::from_folder_for(&Sqlite, folder)
    }

    /// Likewise, with the texts for another dialect.
    ///
    /// # Errors
    /// The `file::…`, `header::…` and `graph::…` codes.
    pub fn from_folder_for(dialect: &'static dyn Dialect, folder: impl AsRef<Path>) -> Result<Self> {
        Self::from_revisions(dialect, project::in_folder(folder.as_ref(), dialect.variants())?)
    }

    /// Revisions that were read before, with the texts of their downgrades.
    pub(crate) fn from_revisions(dialect: &'static dyn Dialect, revisions: Vec<Revision>) -> Result<Self> {
        Ok(Self::of(Source::read(dialect, revisions)?, "application", Some(&Whole)))
    }

    #[inline]
    fn of(source: Source, by: &str, kit: Option<&'static dyn Kit>) -> Self {
        Self {
            source,
            table: "sqlrev_revisions".to_owned(),
            by: by.to_owned(),
            lock_timeout: Duration::from_secs(60),
            code: Registered::default(),
            backup: Backup::default(),
            lend_backup: None,
            is_command: false,
            kit,
        }
    }

    /// Lets errors advise in the words of the command line.
    #[cfg(feature = "cli")]
    pub(crate) fn for_command(mut self) -> Self {
        self.is_command = true;
        self
    }

    /// The name of the version table, instead of `sqlrev_revisions`.
    #[must_use]
    pub fn version_table(mut self, name: &str) -> Self {
        name.clone_into(&mut self.table);
        self
    }

    /// Who is said to have applied the revisions, best with a version: `Notes 2.4`. An older version of the program that
    /// meets the database tells its user to install that one. Embedded revisions bring the name and version of the
    /// package.
    #[must_use]
    pub fn application(mut self, name: &str) -> Self {
        name.clone_into(&mut self.by);
        self
    }

    /// How long to wait for another process that has the database, instead of 60 seconds.
    #[must_use]
    pub fn lock_timeout(mut self, timeout: Duration) -> Self {
        self.lock_timeout = timeout;
        self
    }

    /// Makes a copy of the database before it is changed: `Backup::auto()`. Without this there is none.
    ///
    /// ```
    /// # fn main() -> Result<(), Box<dyn std::error::Error>> {
    /// use sqlrev::migrator::{Backup, Migrator};
    /// # let folder = tempfile::tempdir()?;
    /// # let mut db = rusqlite::Connection::open(folder.path().join("notes.db"))?;
    /// # let one = ("1/upgrade.sql", "-- ---\n-- revision: a1f0\n-- ---\nCREATE TABLE notes (body);");
    /// # let two = ("2/upgrade.sql", "-- ---\n-- revision: b2e9\n-- down_revision: a1f0\n-- ---\nDROP TABLE notes;");
    /// # Migrator::from_files([one])?.upgrade(&mut db)?;
    /// let backup = Backup::auto().keep(5);
    /// let migrator = Migrator::from_files([one, two])?.backup(backup.clone());
    /// migrator.upgrade(&mut db)?;
    /// // The user would rather have it as it was.
    /// let copies = backup.list(&folder.path().join("notes.db"))?;
    /// migrator.restore(&mut db, &copies[0])?;
    /// assert!(db.table_exists(None, "notes")?);
    /// # Ok(())
    /// # }
    /// ```
    #[must_use]
    pub fn backup(mut self, backup: Backup) -> Self {
        self.backup = backup;
        self.lend_backup = Some(|backup| backup);
        // To see which steps call for a copy.
        self.kit = Some(&Whole);
        self
    }

    /// Puts a copy back; see [`Run::restore`].
    ///
    /// # Errors
    /// Those of [`Run::restore`].
    pub fn restore(&self, driver: &mut dyn Driver, from: &Path) -> Result<Option<PathBuf>> {
        self.run(driver).restore(from)
    }

    /// Registers code that runs in the upgrade of a revision, after its SQL and in the same transaction. The header of
    /// the revision says `code: true`, so that the command line does not run it without the code.
    ///
    /// ```
    /// # fn main() -> Result<(), Box<dyn std::error::Error>> {
    /// # use sqlrev::Migrator;
    /// # let mut db = rusqlite::Connection::open_in_memory()?;
    /// let migrator = Migrator::from_files([(
    ///     "0001/upgrade.sql",
    ///     "-- ---\n-- revision: a1f0\n-- code: true\n-- ---\nCREATE TABLE notes (body TEXT, words INTEGER);
    ///      INSERT INTO notes (body) VALUES ('two words');",
    /// )])?
    /// .on_upgrade("a1f0", |data| {
    ///     let db = data.sqlite()?;
    ///     let body: String = db.query_row("SELECT body FROM notes", [], |row| row.get(0))?;
    ///     db.execute("UPDATE notes SET words = ?", [u32::try_from(body.split(' ').count())?])?;
    ///     Ok(())
    /// });
    /// migrator.upgrade(&mut db)?;
    /// assert_eq!(db.query_row("SELECT words FROM notes", [], |row| row.get(0)), Ok(2));
    /// # Ok(())
    /// # }
    /// ```
    #[must_use]
    pub fn on_upgrade(
        mut self,
        revision: &str,
        code: impl Fn(&mut Data<'_>) -> Result<(), BoxError> + Send + Sync + 'static,
    ) -> Self {
        self.code.add(revision, Direction::Upgrade, Box::new(code));
        self
    }

    /// Registers code that runs in the downgrade of a revision, before its SQL and in the same transaction.
    #[must_use]
    pub fn on_downgrade(
        mut self,
        revision: &str,
        code: impl Fn(&mut Data<'_>) -> Result<(), BoxError> + Send + Sync + 'static,
    ) -> Self {
        self.code.add(revision, Direction::Downgrade, Box::new(code));
        self
    }

    /// A run over a connection, for more than the calls below give: events, cancellation, targets.
    ///
    /// The connection may have any settings; a run uses those of the command line (foreign keys are enforced, a wait for
    /// a lock can be ended) and puts back what it changed. It must not have a transaction open.
    #[inline]
    pub fn run<'a>(&'a self, driver: &'a mut dyn Driver) -> Run<'a> {
        Run::new(self, driver)
    }

    /// Applies every revision that is not applied yet. When there is nothing to do, it costs one small read.
    ///
    /// # Errors
    /// Those of [`Run::upgrade`].
    #[inline]
    pub fn upgrade(&self, driver: &mut dyn Driver) -> Result<Report> {
        self.run(driver).upgrade("heads")
    }

    /// Rolls back to a target: `base`, an id, `-1`.
    ///
    /// # Errors
    /// Those of [`Run::downgrade`].
    pub fn downgrade(&self, driver: &mut dyn Driver, target: &str) -> Result<Report> {
        self.run(driver).downgrade(target)
    }

    /// Rolls back what a newer version of the program applied; see [`Run::downgrade_to_mine`].
    ///
    /// ```
    /// # fn main() -> Result<(), Box<dyn std::error::Error>> {
    /// # use sqlrev::Migrator;
    /// # let mut db = rusqlite::Connection::open_in_memory()?;
    /// # let one = ("1/upgrade.sql", "-- ---\n-- revision: a1f0\n-- ---\nCREATE TABLE notes (body);");
    /// # let two = ("2/upgrade.sql", "-- ---\n-- revision: b2e9\n-- down_revision: a1f0\n-- ---\nCREATE TABLE tags (t);");
    /// # let newer = Migrator::from_files([one, two, ("2/downgrade.sql", "DROP TABLE tags;")])?;
    /// # let older = Migrator::from_files([one])?;
    /// newer.upgrade(&mut db)?;
    /// let error = older.upgrade(&mut db).unwrap_err();
    /// assert_eq!(error.code(), sqlrev::Code::NewerDatabase);
    /// // The user agreed to lose what only the newer version can keep:
    /// older.downgrade_to_mine(&mut db)?;
    /// assert!(older.is_up_to_date(&mut db)?);
    /// # Ok(())
    /// # }
    /// ```
    ///
    /// # Errors
    /// Those of [`Run::downgrade_to_mine`].
    pub fn downgrade_to_mine(&self, driver: &mut dyn Driver) -> Result<Report> {
        self.run(driver).downgrade_to_mine()
    }

    /// Sets the version table to a target and runs nothing.
    ///
    /// # Errors
    /// Those of [`Run::stamp`].
    pub fn stamp(&self, driver: &mut dyn Driver, target: &str) -> Result<Report> {
        self.run(driver).stamp(target)
    }

    /// What [`Migrator::upgrade`] would do, statement by statement.
    ///
    /// # Errors
    /// Those of [`Run::plan_upgrade`].
    pub fn plan(&self, driver: &mut dyn Driver) -> Result<Report> {
        self.run(driver).plan_upgrade("heads")
    }

    /// Where the database stands beside the program.
    ///
    /// ```
    /// # fn main() -> Result<(), Box<dyn std::error::Error>> {
    /// # use sqlrev::{Migrator, Status};
    /// # let mut db = rusqlite::Connection::open_in_memory()?;
    /// # let one = ("1/upgrade.sql", "-- ---\n-- revision: a1f0\n-- ---\nCREATE TABLE notes (body);");
    /// # let migrator = Migrator::from_files([one])?;
    /// match migrator.status(&mut db)? {
    ///     Status::UpToDate => {}
    ///     Status::Behind { pending } => {
    ///         println!("{} changes to make", pending.len());
    ///         migrator.upgrade(&mut db)?;
    ///     }
    ///     // A newer version of the program was here: look, but do not touch.
    ///     Status::Ahead { .. } => db.pragma_update(None, "query_only", true)?,
    ///     other => return Err(format!("this database is not one for this program: {other:?}").into()),
    /// }
    /// # assert_eq!(migrator.status(&mut db)?, Status::UpToDate);
    /// # Ok(())
    /// # }
    /// ```
    ///
    /// # Errors
    /// Those of [`Run::status`].
    pub fn status(&self, driver: &mut dyn Driver) -> Result<Status> {
        self.run(driver).status()
    }

    /// Whether every revision is applied, as it is in the program, and no other one.
    ///
    /// # Errors
    /// Those of [`Run::status`].
    pub fn is_up_to_date(&self, driver: &mut dyn Driver) -> Result<bool> {
        Ok(self.status(driver)? == Status::UpToDate)
    }

    /// Reads and checks the revisions and the code that is registered for them, which is otherwise done when they are
    /// first needed: a test of the application calls it.
    ///
    /// # Errors
    /// `graph::…` and `execute::code_unexpected`.
    pub fn check(&self) -> Result<()> {
        self.code.check(&self.source.loaded()?.graph)
    }

    /// The error, in words that name what whoever runs this has.
    #[cold]
    fn in_its_words(&self, error: Error) -> Error {
        if self.is_command {
            error
        } else {
            words::of_library(error)
        }
    }

    fn table_of(&self, driver: &dyn Driver) -> VersionTable {
        VersionTable::new(driver.dialect(), &self.table).within(driver.schema())
    }

    /// The heads when everything is applied and nothing else is; none where that is not so, or not certain.
    #[inline]
    fn if_current(&self, driver: &mut dyn Driver) -> Result<Option<Vec<RevisionId>>> {
        let dialect = driver.dialect();
        let revisions = self.source.briefs(dialect)?;
        let Some(query) = version::brief(dialect, &self.table) else {
            return Ok(None);
        };
        // What cannot be read, such as a table that is not there, is looked at in full.
        let current = status::heads_if_current(revisions, &query, driver);
        Ok(current.unwrap_or(None))
    }
}
