//! Copies of a database before it is changed, by the database's own means and never by copying its file.

#![expect(clippy::disallowed_methods, reason = "copies are files beside the database")]

use std::cell::RefCell;
use std::fs;
use std::io;
use std::path::{Path, PathBuf};
use std::time::SystemTime;

use crate::code::Code;
use crate::driver::{Driver, DriverError, Failure};
use crate::error::{Error, Result};
use crate::execute::event::Event;
use crate::execute::lent::{Changes, First};
use crate::migrator::clock::moment;
pub use crate::project::When;

/// What stands between the name of the database and the moment of the copy.
const MARK: &str = ".backup-";

/// Whether and where a copy of the database is made before it is changed, and how many of them are kept. A database
/// that is empty, or in memory, has none.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Backup {
    when: When,
    folder: Option<PathBuf>,
    keep: usize,
    /// The moment in the names, instead of that of the system's clock.
    moment: Option<String>,
}

impl Default for Backup {
    fn default() -> Self {
        Self::when(When::Never)
    }
}

impl Backup {
    /// Makes copies then, beside the database, and keeps three.
    pub fn when(when: When) -> Self {
        Self {
            when,
            folder: None,
            keep: 3,
            moment: None,
        }
    }

    /// Copies before steps that do more than create.
    pub fn auto() -> Self {
        Self::when(When::Auto)
    }

    /// Copies before every step.
    pub fn always() -> Self {
        Self::when(When::Always)
    }

    /// Puts the copies into this folder, which is there, instead of the one of the database.
    #[must_use]
    pub fn folder(mut self, folder: impl Into<PathBuf>) -> Self {
        self.folder = Some(folder.into());
        self
    }

    /// Keeps this many copies, at least one; when a new one is complete, older ones are deleted.
    #[must_use]
    pub fn keep(mut self, count: usize) -> Self {
        self.keep = count.max(1);
        self
    }

    /// Names the copies for this moment, `2026-11-22T21:14:00Z`.
    #[must_use]
    pub fn at(mut self, moment: String) -> Self {
        self.moment = Some(moment);
        self
    }

    /// The copies of the database at `path`, the newest first.
    ///
    /// # Errors
    /// `file::io`.
    pub fn list(&self, path: &Path) -> Result<Vec<PathBuf>> {
        let folder = self.folder_of(path);
        let front = format!("{}{MARK}", name_of(path));
        let entries = fs::read_dir(&folder).map_err(|error| failed(&folder, "read", &error))?;
        let names = entries
            .flatten()
            .filter_map(|entry| entry.file_name().into_string().ok());
        let mut names: Vec<String> = names
            .filter(|name| name.strip_prefix(&front).is_some_and(is_moment))
            .collect();
        names.sort_unstable_by(|one, other| order(other).cmp(&order(one)));
        Ok(names.into_iter().map(|name| folder.join(name)).collect())
    }

    /// Makes a copy now: under another name until it is complete. Returns where it is; none for a database in memory.
    ///
    /// # Errors
    /// `database::disk_full` before anything is written, `lock::timeout`, `file::io`, `database::…`.
    pub fn make(&self, driver: &mut dyn Driver) -> Result<Option<PathBuf>> {
        let Some(path) = driver.file() else {
            return Ok(None);
        };
        let folder = self.folder_of(&path);
        let place = self.new_place(&path)?;
        let part = with_suffix(&place, ".part");
        has_room(driver, &folder)?;
        let copied = driver.copy_to(&part, &mut |_, _| true).map(drop);
        let kept = copied
            .map_err(|error| not_copied(&error, "the database could not be copied"))
            .and_then(|()| fs::rename(&part, &place).map_err(|error| failed(&place, "write", &error)));
        if let Err(error) = kept {
            remove(&part);
            return Err(error.state("nothing was run"));
        }
        // A folder keeps a new name when it is written itself.
        let _ = fs::File::open(&folder).and_then(|folder| folder.sync_all());
        // Never the one just made, whatever the clock says.
        let others = self.list(&path)?.into_iter().filter(|other| *other != place);
        others.skip(self.keep - 1).for_each(|old| remove(&old));
        Ok(Some(place))
    }

    /// Where the next copy goes: two of one second are numbered, and no number is given twice.
    fn new_place(&self, path: &Path) -> Result<PathBuf> {
        let name = format!("{}{MARK}{}", name_of(path), self.now());
        let same: Vec<PathBuf> = self.list(path)?;
        let same = same
            .iter()
            .map(|copy| name_of(copy))
            .filter(|copy| order(copy).0 == name);
        let place = match same.map(|copy| order(&copy).1).max() {
            Some(last) => format!("{name}-{}", last + 1),
            None => name,
        };
        Ok(free_name(&self.folder_of(path).join(place)))
    }

    /// The moment as it stands in names, which sort by it.
    fn now(&self) -> String {
        let system = || {
            let since = SystemTime::now().duration_since(std::time::UNIX_EPOCH);
            moment(since.map_or(0, |since| since.as_secs()))
        };
        self.moment.clone().unwrap_or_else(system).replace(['-', ':'], "")
    }

    fn folder_of(&self, path: &Path) -> PathBuf {
        let beside = path.parent().filter(|folder| !folder.as_os_str().is_empty());
        let beside = beside.unwrap_or(Path::new("."));
        self.folder
            .as_ref()
            .map_or_else(|| beside.to_owned(), |folder| beside.join(folder))
    }
}

impl First for Backup {
    fn before(&self, driver: &mut dyn Driver, changes: Changes<'_>, events: &mut dyn FnMut(Event<'_>)) -> Result<()> {
        let wanted = match self.when {
            When::Never => false,
            When::Auto => changes()?,
            When::Always => true,
        };
        if !wanted {
            return Ok(());
        }
        if let (When::Always, Some(by)) = (self.when, driver.dialect().copied_by()) {
            let message = "no copy can be made before the change: the database is on a server";
            return Err(Error::new(Code::UnsupportedDatabase, message)
                .state("nothing was run")
                .help(by.backup));
        }
        if is_empty(driver)? {
            return Ok(());
        }
        if let Some(file) = self.make(driver)? {
            events(Event::BackedUp { file: &file });
        }
        Ok(())
    }
}

/// Puts a copy back in the place of the database that the connection is open on, in one transaction: everybody sees the
/// one or the other. What was there before is kept as a copy of its own, which is returned.
///
/// # Errors
/// `database::not_a_database` for a copy that is damaged, `execute::in_transaction`, `lock::timeout`, `file::io`,
/// `database::…`.
pub fn restore(driver: &mut dyn Driver, from: &Path, backup: &Backup) -> Result<Option<PathBuf>> {
    super::borrowed::no_transaction(driver)?;
    if !from.is_file() {
        let message = format!("there is no file `{}`", from.display());
        return Err(Error::new(Code::FileIo, message).help("sqlrev restore lists the copies that there are"));
    }
    if is_without_bytes(from) {
        // SQLite takes it for a database without anything, and would empty this one.
        return Err(
            Error::new(Code::NotADatabase, format!("`{}` is an empty file", from.display()))
                .state("the database is as it was")
                .help("sqlrev restore lists the copies that there are"),
        );
    }
    // The newest copy must not push out the one that is put back.
    let keep = Backup {
        keep: usize::MAX,
        ..backup.clone()
    };
    let before = if is_empty(driver)? { None } else { keep.make(driver)? };
    let restored = driver.copy_from(from);
    let message = format!("`{}` could not be put back", from.display());
    if let Err(error) = restored {
        // Nothing was changed, so the copy of it is of no use, and would count among those that are kept.
        if let Some(before) = before {
            remove(&before);
        }
        return Err(not_copied(&error, &message).state("the database is as it was"));
    }
    Ok(before)
}

fn is_without_bytes(file: &Path) -> bool {
    std::fs::metadata(file).is_ok_and(|file| file.len() == 0)
}

/// A copy for one purpose, deleted when it is dropped.
pub(super) struct Rehearsed {
    place: RefCell<Option<Box<dyn Driver>>>,
    path: PathBuf,
}

impl Rehearsed {
    /// Copies the database into a new file beside it.
    pub(super) fn of(driver: &mut dyn Driver) -> Result<Self> {
        let Some(file) = driver.file() else {
            if let Some(by) = driver.dialect().copied_by() {
                let message = "the database is on a server, and is not copied";
                return Err(Error::new(Code::UnsupportedDatabase, message).help(by.rehearse));
            }
            let message = "the database is in memory, and is not copied";
            return Err(Error::new(Code::UnsupportedDatabase, message).help("rehearse on a file: --url sqlite:app.db"));
        };
        let path = free_name(&with_suffix(&file, ".rehearsal"));
        has_room(driver, file.parent().unwrap_or(Path::new(".")))?;
        let copied = driver.copy_to(&path, &mut |_, _| true);
        let rehearsed = Self {
            place: RefCell::default(),
            path,
        };
        *rehearsed.place.borrow_mut() =
            Some(copied.map_err(|error| not_copied(&error, "the database could not be copied"))?);
        Ok(rehearsed)
    }

    pub(super) fn driver(&mut self) -> Result<&mut dyn Driver> {
        match self.place.get_mut() {
            Some(driver) => Ok(&mut **driver),
            None => Err(Error::new(Code::Connect, "the copy is gone")),
        }
    }
}

impl Drop for Rehearsed {
    fn drop(&mut self) {
        self.place.get_mut().take();
        for suffix in ["", "-journal", "-wal", "-shm"] {
            remove(&with_suffix(&self.path, suffix));
        }
    }
}

fn is_empty(driver: &mut dyn Driver) -> Result<bool> {
    let Some(query) = driver.dialect().any_object() else {
        return Ok(false);
    };
    let rows = driver
        .query(query)
        .map_err(|error| not_copied(&error, "the database could not be read"))?;
    Ok(rows.is_empty())
}

fn name_of(path: &Path) -> String {
    path.file_name().unwrap_or_default().to_string_lossy().into_owned()
}

fn with_suffix(path: &Path, suffix: &str) -> PathBuf {
    let mut name = path.file_name().unwrap_or_default().to_owned();
    name.push(suffix);
    path.with_file_name(name)
}

/// The name, with a number behind it when it is taken.
fn free_name(path: &Path) -> PathBuf {
    let numbered = (2..).map(|number| with_suffix(path, &format!("-{number}")));
    let mut names = std::iter::once(path.to_owned()).chain(numbered);
    let free = |name: &PathBuf| !name.exists() && !with_suffix(name, ".part").exists();
    names.find(free).unwrap_or_else(|| path.to_owned())
}

/// `20261122T211400Z`, and a number behind it where one second had several.
fn is_moment(text: &str) -> bool {
    let (moment, number) = text.split_once('-').unwrap_or((text, "2"));
    let digits = |text: &str| !text.is_empty() && text.bytes().all(|byte| byte.is_ascii_digit());
    let parts = moment.strip_suffix('Z').and_then(|moment| moment.split_once('T'));
    parts.is_some_and(|(day, time)| day.len() == 8 && time.len() == 6 && digits(day) && digits(time)) && digits(number)
}

/// The name up to the moment, and the number behind it.
fn order(name: &str) -> (&str, u64) {
    let Some((front, number)) = name.rsplit_once("Z-") else {
        return (name, 1);
    };
    (&name[..=front.len()], number.parse().unwrap_or(u64::MAX))
}

fn remove(path: &Path) {
    let _ = fs::remove_file(path);
}

/// Refuses when the folder has less room than the database takes.
fn has_room(driver: &mut dyn Driver, folder: &Path) -> Result<()> {
    let (Some(size), Some(free)) = (driver.size(), free_space(folder)) else {
        return Ok(());
    };
    if free >= size {
        return Ok(());
    }
    let folder = folder.display();
    let message = format!("a copy of the database needs {size} bytes, and `{folder}` has room for {free}");
    Err(Error::new(Code::DiskFull, message)
        .state("nothing was run")
        .help("make room, or put the copies elsewhere"))
}

/// Where it is not known, a copy that finds no room fails when it is written, and is deleted.
#[cfg(feature = "sqlite")]
fn free_space(folder: &Path) -> Option<u64> {
    crate::driver::sqlite::space::free(folder)
}

#[cfg(not(feature = "sqlite"))]
fn free_space(_folder: &Path) -> Option<u64> {
    None
}

fn not_copied(error: &DriverError, message: &str) -> Error {
    let (code, help) = match error.failure {
        Failure::Busy => (
            Code::LockTimeout,
            "wait until nobody writes to it, then run the same command again",
        ),
        Failure::DiskFull => (Code::DiskFull, "make room, then run the same command again"),
        Failure::NotADatabase => (Code::NotADatabase, "take another copy"),
        Failure::ReadOnly => (Code::ReadOnly, "check the rights of the file and of its folder"),
        _ => (Code::Database, "check the file and the folder of the copies"),
    };
    Error::new(code, message).cause(error.message.clone()).help(help)
}

fn failed(path: &Path, what: &str, error: &io::Error) -> Error {
    Error::new(Code::FileIo, format!("cannot {what} `{}`", path.display())).cause(error.to_string())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn names_of_copies() {
        assert!(is_moment("20261122T211400Z") && is_moment("20261122T211400Z-12"));
        for other in [
            "",
            "20261122T211400Z-",
            "20261122T211400Z.part",
            "20261122T211400Z-2.part",
            "2026T21Z",
        ] {
            assert!(!is_moment(other), "{other}");
        }
        let mut names = ["a.backup-1Z-10", "a.backup-1Z", "a.backup-2Z", "a.backup-1Z-2"];
        names.sort_by(|one, other| order(one).cmp(&order(other)));
        assert_eq!(names, ["a.backup-1Z", "a.backup-1Z-2", "a.backup-1Z-10", "a.backup-2Z"]);
    }
}
