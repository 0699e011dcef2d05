//! A file that is written under a name which nobody else has, until it is complete or deleted.

#![expect(clippy::disallowed_methods, reason = "copies are files beside the database")]

#[cfg(unix)]
use std::fs::TryLockError;
use std::fs::{self, File};
use std::io;
use std::path::{Path, PathBuf};

/// How such names end.
pub(super) const SUFFIX: &str = ".part";
/// What SQLite writes beside a database, and the database itself. It goes last: a process that is killed meanwhile leaves
/// what the next one finds by its name.
const WHOLE: [&str; 4] = ["-journal", "-wal", "-shm", ""];

/// The file, deleted when it is dropped. It is locked, so that others can tell it from what a killed process left.
pub(super) struct Part {
    path: PathBuf,
    file: File,
}

impl Part {
    /// Creates it, empty, with the owner and the rights of the file `like`: `front` and a number that is only this one's.
    pub(super) fn create(front: &Path, like: &Path) -> io::Result<Self> {
        loop {
            let mut number = [0; 8];
            getrandom::fill(&mut number).map_err(|error| io::Error::other(error.to_string()))?;
            let name = format!("{}-{:016x}{SUFFIX}", std::process::id(), u64::from_ne_bytes(number));
            let path = with_suffix(front, &name);
            let file = match create(&path) {
                Ok(file) => file,
                Err(error) if error.kind() == io::ErrorKind::AlreadyExists => continue,
                Err(error) => return Err(error),
            };
            let part = Self { path, file };
            if !part.lock()? {
                // Somebody took it for a leftover in the moment before it was locked.
                continue;
            }
            rights(&part.file, like)?;
            return Ok(part);
        }
    }

    pub(super) fn path(&self) -> &Path {
        &self.path
    }

    /// Gives the complete file its name; `false` when the name is taken.
    pub(super) fn named(&self, name: &Path) -> io::Result<bool> {
        match fs::hard_link(&self.path, name) {
            Ok(()) => Ok(true),
            Err(error) if error.kind() == io::ErrorKind::AlreadyExists => Ok(false),
            // Some file systems know no second name.
            Err(_) if !name.exists() => fs::rename(&self.path, name).map(|()| true),
            Err(_) => Ok(false),
        }
    }

    #[cfg(unix)]
    fn lock(&self) -> io::Result<bool> {
        use std::os::unix::fs::MetadataExt;

        match self.file.try_lock() {
            Ok(()) => {}
            Err(TryLockError::WouldBlock) => return Ok(false),
            // A file system that knows no such locks: leftovers stay there, since nobody can tell them from this one.
            Err(TryLockError::Error(_)) => return Ok(true),
        }
        let ours = self.file.metadata()?;
        Ok(fs::metadata(&self.path).is_ok_and(|named| (named.dev(), named.ino()) == (ours.dev(), ours.ino())))
    }

    /// Where a lock would keep SQLite out as well, there is none, and leftovers stay.
    #[cfg(not(unix))]
    fn lock(&self) -> io::Result<bool> {
        Ok(true)
    }
}

impl Drop for Part {
    fn drop(&mut self) {
        delete(&self.path);
    }
}

/// Deletes the file of a database with what stands beside it.
pub(super) fn delete(path: &Path) {
    for suffix in WHOLE {
        let _ = fs::remove_file(with_suffix(path, suffix));
    }
}

/// Deletes what killed processes left of files whose names begin so.
pub(super) fn sweep(front: &Path) {
    let (Some(folder), Some(front)) = (front.parent(), front.file_name().and_then(|name| name.to_str())) else {
        return;
    };
    if !cfg!(unix) {
        return;
    }
    let names = fs::read_dir(folder).into_iter().flatten().flatten();
    let parts = names
        .filter_map(|entry| entry.file_name().into_string().ok())
        .filter(|name| name.starts_with(front) && name.ends_with(SUFFIX));
    for path in parts.map(|name| folder.join(name)) {
        if File::open(&path).is_ok_and(|file| file.try_lock().is_ok()) {
            delete(&path);
        }
    }
}

pub(super) fn with_suffix(path: &Path, suffix: &str) -> PathBuf {
    let mut name = path.file_name().unwrap_or_default().to_owned();
    name.push(suffix);
    path.with_file_name(name)
}

fn create(path: &Path) -> io::Result<File> {
    let mut options = File::options();
    options.read(true).write(true).create_new(true);
    #[cfg(unix)]
    std::os::unix::fs::OpenOptionsExt::mode(&mut options, 0o600);
    options.open(path)
}

/// Nobody may read the copy who may not read the database.
#[cfg(unix)]
fn rights(file: &File, like: &Path) -> io::Result<()> {
    use std::os::unix::fs::{MetadataExt, PermissionsExt, fchown};

    let (like, own) = (fs::metadata(like)?, file.metadata()?);
    let mut mode = like.mode() & 0o666;
    if own.uid() != like.uid() {
        // Only root may do that; another user's copy is its own.
        let _ = fchown(file, Some(like.uid()), None);
    }
    if own.gid() != like.gid() && fchown(file, None, Some(like.gid())).is_err() {
        mode &= 0o606;
    }
    file.set_permissions(fs::Permissions::from_mode(mode | 0o600))
}

#[cfg(not(unix))]
fn rights(_file: &File, _like: &Path) -> io::Result<()> {
    Ok(())
}

#[cfg(all(test, unix))]
mod tests {
    use super::*;

    #[test]
    fn what_a_killed_process_left_is_deleted_and_what_is_written_is_not() {
        let folder = tempfile::tempdir().unwrap();
        let like = folder.path().join("app.db");
        fs::write(&like, "").unwrap();
        let front = with_suffix(&like, ".backup-");
        for left in ["app.db.backup-1-2.part", "app.db.backup-1-2.part-journal"] {
            fs::write(folder.path().join(left), "").unwrap();
        }
        let written = Part::create(&front, &like).unwrap();
        sweep(&front);
        let count = || folder.path().read_dir().unwrap().count();
        assert_eq!(count(), 2);
        assert!(written.path().exists());
        drop(written);
        assert_eq!(count(), 1);
    }

    #[test]
    fn a_name_that_is_taken_is_not_taken_away() {
        let folder = tempfile::tempdir().unwrap();
        let like = folder.path().join("app.db");
        fs::write(&like, "").unwrap();
        let part = Part::create(&with_suffix(&like, "."), &like).unwrap();
        let taken = folder.path().join("taken");
        fs::write(&taken, "theirs").unwrap();
        assert!(!part.named(&taken).unwrap());
        assert!(part.named(&folder.path().join("free")).unwrap());
        assert_eq!(fs::read_to_string(taken).unwrap(), "theirs");
    }
}
