//! Copies of a database before it is changed, by the database's own means and never by copying its file.

#![expect(clippy::disallowed_methods, reason = "copies are files beside the database")]

use std::cell::RefCell;
use std::fs;
use std::io;
use std::path::{Path, PathBuf};
use std::sync::atomic::AtomicBool;
use std::time::{Duration, Instant, SystemTime};

use crate::code::Code;
use crate::driver::{Driver, DriverError, Failure};
use crate::error::{Error, Result};
use crate::execute::event::Event;
use crate::execute::lent::{Changes, First};
use crate::execute::{Patience, fault, lock};
use crate::migrator::borrowed::no_transaction;
use crate::migrator::copies::{self, MARK, is_moment, is_same, name_of, order};
use crate::migrator::part::{self, Part, with_suffix};
use crate::moment;
pub use crate::project::When;

/// Whether and where a copy of the database is made before it is changed, and how many of them are kept. A database
/// that is empty, or in memory, has none. A copy is made while the database is locked for the change, so that it is of
/// the moment before; older ones are deleted when the change is done, and the copy itself when nothing was changed.
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

    /// Puts the copies into this folder, which is there, instead of the one of the database. Several databases of one
    /// name may share it: the copies are named for the whole path of theirs.
    #[must_use]
    pub fn folder(mut self, folder: impl Into<PathBuf>) -> Self {
        self.folder = Some(folder.into());
        self
    }

    /// Keeps this many copies, at least one; older ones are deleted when the change is done.
    #[must_use]
    pub fn keep(mut self, count: usize) -> Self {
        self.keep = count.max(1);
        self
    }

    /// Names the copies for this moment, `2026-11-22T21:14:00Z`; no copy is made when it is written in another way.
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
        copies::named(&self.front(path))
    }

    /// Makes a copy now: under another name until it is complete. Returns where it is; none for a database in memory.
    /// When the newest copy is the same, it is that one. The connection must not have a transaction open, of which the
    /// copy would know nothing.
    ///
    /// # Errors
    /// `execute::in_transaction`, `database::disk_full` before anything is written, `lock::timeout`, `file::io`, `database::…`.
    pub fn make(&self, driver: &mut dyn Driver) -> Result<Option<PathBuf>> {
        no_transaction(driver)?;
        let never = AtomicBool::new(false);
        let patience = Patience {
            timeout: Duration::from_secs(60),
            cancelled: &never,
        };
        let made = self.copy(driver, patience, &mut |_| {})?;
        if let Some(made) = &made {
            self.after(driver, &made.place);
        }
        Ok(made.map(|made| made.place))
    }

    /// Makes a copy, and deletes none.
    pub(super) fn copy(
        &self,
        driver: &mut dyn Driver,
        patience: Patience<'_>,
        events: &mut dyn FnMut(Event<'_>),
    ) -> Result<Option<Made>> {
        let Some(path) = driver.file() else {
            return if driver.is_in_memory() {
                Ok(None)
            } else {
                Err(nowhere())
            };
        };
        let front = self.front(&path);
        let name = with_suffix(&front, &self.now()?);
        let folder = front.parent().unwrap_or(Path::new("."));
        part::sweep(&front);
        has_room(driver, folder)?;
        let (part, copy) = copied(driver, &with_suffix(&name, "."), &path, patience, events)?;
        drop(copy);
        let there = copies::named(&front)?;
        if let Some(newest) = there.first()
            && is_same(newest, part.path())
        {
            return Ok(Some(Made {
                place: newest.clone(),
                is_new: false,
            }));
        }
        // When the clock went back, the newest copy is numbered on, so that it is the newest by its name.
        let newest = there.first().map(|newest| folder.join(order(&name_of(newest)).0));
        let name = newest.filter(|newest| *newest > name).unwrap_or(name);
        // Two of one second are numbered, and no number is given twice.
        let of_name = |copy: &PathBuf| {
            let copy = name_of(copy);
            let (front, number) = order(&copy);
            (*front == *name_of(&name)).then_some(number)
        };
        let last = there.iter().filter_map(of_name).max();
        for number in last.unwrap_or(0) + 1.. {
            let place = match number {
                1 => name.clone(),
                _ => with_suffix(&name, &format!("-{number}")),
            };
            if part
                .named(&place)
                .map_err(|error| failed(&place, "write", &error).state("nothing was run"))?
            {
                // A folder keeps a new name when it is written itself.
                let _ = fs::File::open(folder).and_then(|folder| folder.sync_all());
                return Ok(Some(Made { place, is_new: true }));
            }
        }
        Err(nowhere())
    }

    /// How the paths of copies begin. SQLite follows links to the database, and its copies are where it is. In a folder
    /// elsewhere, which several databases of one name may share, the name says which one it is.
    fn front(&self, path: &Path) -> PathBuf {
        let path = fs::canonicalize(path).unwrap_or_else(|_| path.to_owned());
        let beside = path.parent().filter(|folder| !folder.as_os_str().is_empty());
        let beside = beside.unwrap_or(Path::new("."));
        let name = name_of(&path);
        let Some(folder) = &self.folder else {
            return beside.join(format!("{name}{MARK}"));
        };
        let folder = beside.join(folder);
        let whole = fs::canonicalize(&folder).unwrap_or_else(|_| folder.clone());
        // What moves together with the database is named for the way there alone.
        let which = match whole.strip_prefix(beside) {
            Ok(way) if way.components().count() < 2 => return folder.join(format!("{name}{MARK}")),
            Ok(way) => way,
            Err(_) => &path,
        };
        let hash = blake3::hash(which.as_os_str().as_encoded_bytes()).to_hex();
        folder.join(format!("{name}-{}{MARK}", &hash[..12]))
    }

    /// The moment as it stands in names, which sort by it.
    fn now(&self) -> Result<String> {
        let system = || {
            let since = SystemTime::now().duration_since(std::time::UNIX_EPOCH);
            moment::written(since.map_or(0, |since| since.as_secs()))
        };
        let now = self.moment.clone().unwrap_or_else(system);
        let short = now.replace(['-', ':'], "");
        if is_moment(&short) {
            return Ok(short);
        }
        Err(
            Error::new(Code::Usage, format!("`{now}` is no moment to name a copy for"))
                .state("nothing was run")
                .help("write it in UTC, to the second: 2026-11-22T21:14:00Z"),
        )
    }
}

/// A copy that is there.
pub(super) struct Made {
    pub place: PathBuf,
    /// Otherwise it was there before, and is the same.
    pub is_new: bool,
}

impl First for Backup {
    fn is_wanted(&self, driver: &mut dyn Driver, changes: Changes<'_>) -> Result<bool> {
        if self.when == When::Never || driver.is_in_memory() {
            return Ok(false);
        }
        if let Some(by) = driver.dialect().copied_by() {
            if self.when == When::Auto {
                return Ok(false);
            }
            let message = "no copy can be made before the change: the database is on a server";
            return Err(Error::new(Code::UnsupportedDatabase, message)
                .state("nothing was run")
                .help(by.backup));
        }
        if self.when == When::Auto && !changes()? || is_empty(driver)? {
            return Ok(false);
        }
        match driver.file() {
            Some(_) => Ok(true),
            None => Err(nowhere()),
        }
    }

    fn before(
        &self,
        driver: &mut dyn Driver,
        patience: Patience<'_>,
        events: &mut dyn FnMut(Event<'_>),
    ) -> Result<Option<PathBuf>> {
        let Some(made) = self.copy(driver, patience, events)? else {
            return Ok(None);
        };
        events(Event::BackedUp { file: &made.place });
        Ok(made.is_new.then_some(made.place))
    }

    fn was_for_nothing(&self, file: &Path) {
        remove(file);
    }

    fn after(&self, driver: &mut dyn Driver, file: &Path) {
        let copies = driver.file().and_then(|path| self.list(&path).ok());
        // Never the one just made, whatever the clock says.
        let others = copies.into_iter().flatten().filter(|other| other != file);
        others.skip(self.keep - 1).for_each(|old| part::delete(&old));
    }
}

/// Copies the database into a new file whose name begins so.
pub(super) fn copied(
    driver: &mut dyn Driver,
    front: &Path,
    database: &Path,
    patience: Patience<'_>,
    events: &mut dyn FnMut(Event<'_>),
) -> Result<(Part, Box<dyn Driver>)> {
    let message = "the database could not be copied";
    let part =
        Part::create(front, database).map_err(|error| failed(front, "write", &error).state("nothing was run"))?;
    let copy = patiently(driver, patience, events, message, |driver, each| {
        driver.copy_to(part.path(), each)
    });
    Ok((part, copy.map_err(|error| error.state("nothing was run"))?))
}

/// Copies again and again while others have the database, as long as patience lasts.
pub(super) fn patiently<T>(
    driver: &mut dyn Driver,
    patience: Patience<'_>,
    events: &mut dyn FnMut(Event<'_>),
    message: &str,
    copy: impl Fn(&mut dyn Driver, &mut dyn FnMut(u64, u64) -> bool) -> Result<T, DriverError>,
) -> Result<T> {
    let events = RefCell::new(events);
    let mut hear = |event: Event<'_>| (events.borrow_mut())(event);
    let done = lock::retry(driver, patience, &mut hear, |driver| {
        let (began, mut last) = (Instant::now(), 0);
        let mut late = false;
        let copied = copy(driver, &mut |done, total| {
            // A copy that goes on may take its time; one that waits may not.
            late = done == last && began.elapsed() > patience.timeout;
            last = done;
            (events.borrow_mut())(Event::Copying { done, total });
            !late && patience.check().is_ok()
        });
        match copied {
            Err(error) if error.failure == Failure::Interrupted && !late => Ok(Err(fault::interrupted())),
            Err(error) if error.failure != Failure::Busy => Ok(Err(not_copied(&error, message))),
            other => other.map(Ok),
        }
    });
    done?
}

pub(super) fn is_empty(driver: &mut dyn Driver) -> Result<bool> {
    let Some(query) = driver.dialect().any_object() else {
        return Ok(false);
    };
    let rows = driver
        .query(query)
        .map_err(|error| not_copied(&error, "the database could not be read"))?;
    Ok(rows.is_empty())
}

fn remove(path: &Path) {
    let _ = fs::remove_file(path);
}

/// Refuses when the folder has less room than the database takes.
pub(super) fn has_room(driver: &mut dyn Driver, folder: &Path) -> Result<()> {
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

/// The error where a copy is wanted and the driver does not say of what.
pub(super) fn nowhere() -> Error {
    let message = "no copy can be made: the driver does not say which file the database is";
    Error::new(Code::UnsupportedDatabase, message)
        .state("nothing was run")
        .help("give the driver the methods `file` and `copy_to`, or run without copies: Backup::when(When::Never)")
}

pub(super) fn not_copied(error: &DriverError, message: &str) -> Error {
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
    let help = error.remarks.hint.as_deref().unwrap_or(help);
    Error::new(code, message).cause(error.message.clone()).help(help)
}

pub(super) fn failed(path: &Path, what: &str, error: &io::Error) -> Error {
    Error::new(Code::FileIo, format!("cannot {what} `{}`", path.display())).cause(error.to_string())
}
