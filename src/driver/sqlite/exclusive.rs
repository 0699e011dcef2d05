//! A lock on a file beside the database, for what SQLite's own locks cannot span: they end with each transaction.

use std::fs::{File, OpenOptions, TryLockError};
use std::io;
use std::path::{Path, PathBuf};

use crate::driver::{DriverError, Failure};

/// What is added to the name of the database.
pub(super) const SUFFIX: &str = "-sqlrev-lock";

/// The lock, held until it is dropped. A process that dies loses it, and leaves a file behind that does no harm.
pub(super) struct Held {
    /// Locked for as long as it is open.
    _file: File,
    path: PathBuf,
}

/// Takes the lock of the database at `path`, or tells that another process has it.
pub(super) fn take(path: &str) -> Result<Held, DriverError> {
    let path = PathBuf::from(format!("{path}{SUFFIX}"));
    loop {
        let file = open(&path).map_err(|error| failed(&path, &error))?;
        match file.try_lock() {
            Ok(()) => {}
            Err(TryLockError::WouldBlock) => return Err(busy()),
            Err(TryLockError::Error(error)) => return Err(failed(&path, &error)),
        }
        // The one who had the lock may have removed the file between our opening and our locking it. Then what we
        // hold has no name any more, and the next process would lock a file of its own.
        match is_named(&file, &path) {
            Ok(true) => return Ok(Held { _file: file, path }),
            Ok(false) => {}
            Err(error) => return Err(failed(&path, &error)),
        }
    }
}

impl Drop for Held {
    /// Removes the file while it is still locked, so that nobody's lock is removed.
    #[expect(clippy::disallowed_methods, reason = "the lock is a file of the driver's own")]
    fn drop(&mut self) {
        if cfg!(unix) {
            let _ = std::fs::remove_file(&self.path);
        }
    }
}

fn open(path: &Path) -> io::Result<File> {
    match OpenOptions::new().write(true).create(true).truncate(false).open(path) {
        // Another user's process that was killed left it. To lock it, it is enough to read it.
        Err(error) if error.kind() == io::ErrorKind::PermissionDenied => {
            OpenOptions::new().read(true).open(path).map_err(|_| error)
        }
        opened => opened,
    }
}

/// Whether the open file is the one that has the name.
#[cfg(unix)]
fn is_named(file: &File, path: &Path) -> io::Result<bool> {
    use std::os::unix::fs::MetadataExt;

    let ours = file.metadata()?;
    match std::fs::metadata(path) {
        Ok(named) => Ok((ours.dev(), ours.ino()) == (named.dev(), named.ino())),
        Err(error) if error.kind() == io::ErrorKind::NotFound => Ok(false),
        Err(error) => Err(error),
    }
}

/// Where files have no numbers to compare, the file is never removed.
#[cfg(not(unix))]
fn is_named(_file: &File, _path: &Path) -> io::Result<bool> {
    Ok(true)
}

fn busy() -> DriverError {
    DriverError {
        failure: Failure::Busy,
        ..DriverError::new("another process runs a revision that has no transaction")
    }
}

fn failed(path: &Path, error: &io::Error) -> DriverError {
    let failure = match error.kind() {
        io::ErrorKind::PermissionDenied | io::ErrorKind::ReadOnlyFilesystem => Failure::ReadOnly,
        io::ErrorKind::StorageFull | io::ErrorKind::QuotaExceeded => Failure::DiskFull,
        _ => Failure::Disconnected,
    };
    DriverError {
        failure,
        ..DriverError::new(format!("the lock file `{}`: {error}", path.display()))
    }
}

#[cfg(all(test, unix))]
mod tests {
    use super::*;

    #[test]
    fn one_holds_it_until_it_is_dropped() {
        let folder = tempfile::tempdir().unwrap();
        let database = folder.path().join("app.db");
        let database = database.to_str().unwrap();
        let held = take(database).unwrap();
        assert_eq!(take(database).map(drop).unwrap_err().failure, Failure::Busy);
        drop(held);
        assert_eq!(folder.path().read_dir().unwrap().count(), 0);
        drop(take(database).unwrap());
    }

    #[test]
    fn a_file_that_a_dead_process_left_is_taken_over() {
        let folder = tempfile::tempdir().unwrap();
        let database = folder.path().join("app.db");
        drop(open(&PathBuf::from(format!("{}{SUFFIX}", database.display()))).unwrap());
        drop(take(database.to_str().unwrap()).unwrap());
    }

    #[test]
    fn a_file_that_may_only_be_read_is_locked_all_the_same() {
        use std::os::unix::fs::PermissionsExt;

        let folder = tempfile::tempdir().unwrap();
        let database = folder.path().join("app.db");
        let path = PathBuf::from(format!("{}{SUFFIX}", database.display()));
        let left = open(&path).unwrap();
        left.set_permissions(std::fs::Permissions::from_mode(0o444)).unwrap();
        let held = take(database.to_str().unwrap()).unwrap();
        assert_eq!(
            take(database.to_str().unwrap()).map(drop).unwrap_err().failure,
            Failure::Busy
        );
        drop(held);
        assert!(!path.exists());
    }

    #[test]
    fn many_threads_never_hold_it_together() {
        let folder = tempfile::tempdir().unwrap();
        let database = folder.path().join("app.db").to_str().unwrap().to_owned();
        let holders = std::sync::atomic::AtomicUsize::new(0);
        let turns = || {
            for _ in 0..200 {
                if let Ok(held) = take(&database) {
                    assert_eq!(holders.fetch_add(1, std::sync::atomic::Ordering::SeqCst), 0);
                    holders.fetch_sub(1, std::sync::atomic::Ordering::SeqCst);
                    drop(held);
                }
            }
        };
        std::thread::scope(|scope| {
            for _ in 0..4 {
                scope.spawn(turns);
            }
        });
    }
}
