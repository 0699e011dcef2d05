//! Folders and files, read: on Linux relative to open folders, which costs two thirds of what paths cost.

use std::fmt;
use std::io::{self, Read};
use std::path::Path;
use std::sync::Arc;

use crate::revision::LargeText;

#[cfg(all(target_os = "linux", feature = "cli"))]
pub(super) use linux::Folder;
#[cfg(not(all(target_os = "linux", feature = "cli")))]
pub(super) use portable::Folder;

/// Files above this size are not kept in memory.
pub(super) const LARGE: usize = 4 << 20;

/// What an entry of a folder is.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
pub(super) enum Kind {
    /// A folder, or a link to one.
    Folder,
    /// A file, or a link to one or to nothing.
    File,
    /// A pipe, a socket or a device, or a link to one.
    Other,
}

/// A text that is read anew each time: a large one, or one that was not needed yet.
pub(super) struct OnDisk {
    /// The project's folder.
    pub(super) root: Arc<Path>,
    /// The file's name from there.
    pub(super) name: Arc<str>,
}

impl fmt::Debug for OnDisk {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.name)
    }
}

impl LargeText for OnDisk {
    fn size(&self) -> u64 {
        std::fs::metadata(self.root.join(&*self.name)).map_or(0, |metadata| metadata.len())
    }

    fn open(&self) -> io::Result<Box<dyn Read>> {
        Ok(Box::new(std::fs::File::open(self.root.join(&*self.name))?))
    }

    fn mark(&self) -> u128 {
        let Ok(metadata) = std::fs::metadata(self.root.join(&*self.name)) else {
            return 0;
        };
        let written = metadata.modified().ok();
        let since = written.and_then(|time| time.duration_since(std::time::UNIX_EPOCH).ok());
        since.map_or(0, |since| since.as_nanos()) << 48 ^ u128::from(metadata.len())
    }
}

/// Fills the buffer with a file's bytes, up to one more than [`LARGE`], and gives their number. The buffer keeps its
/// length, since to clear it for each file would cost more than to read the file.
fn fill(buffer: &mut Vec<u8>, mut read: impl FnMut(&mut [u8]) -> io::Result<usize>) -> io::Result<usize> {
    const FIRST: usize = 4 << 10;
    let mut length = 0;
    loop {
        if length == buffer.len() {
            // Memory that comes as zeros costs less than zeros that are written.
            let mut larger = vec![0; (length * 2).clamp(FIRST, LARGE + 1)];
            larger[..length].copy_from_slice(buffer);
            *buffer = larger;
        }
        match read(&mut buffer[length..]) {
            Ok(0) => break,
            Ok(count) => length += count,
            Err(error) if error.kind() == io::ErrorKind::Interrupted => {}
            Err(error) => return Err(error),
        }
        if length > LARGE {
            break;
        }
    }
    Ok(length)
}

#[cfg(all(target_os = "linux", feature = "cli"))]
mod linux {
    use std::io;
    use std::mem::MaybeUninit;
    use std::os::fd::OwnedFd;
    use std::path::Path;

    use rustix::fs::{AtFlags, CWD, FileType, Mode, OFlags, RawDir, fstat, openat, statat};

    use super::{Kind, fill};

    /// An open folder.
    #[derive(Debug)]
    pub(in super::super) struct Folder(OwnedFd);

    impl Folder {
        pub(in super::super) fn open(path: &Path) -> io::Result<Self> {
            let flags = OFlags::RDONLY | OFlags::DIRECTORY | OFlags::CLOEXEC;
            Ok(Self(openat(CWD, path, flags, Mode::empty())?))
        }

        pub(in super::super) fn open_in(&self, name: &str) -> io::Result<Self> {
            let flags = OFlags::RDONLY | OFlags::DIRECTORY | OFlags::CLOEXEC;
            Ok(Self(openat(&self.0, name, flags, Mode::empty())?))
        }

        /// Calls `each` with the name and kind of every entry; a name that is no UTF-8 comes as an error.
        pub(in super::super) fn list(&self, mut each: impl FnMut(Result<&str, String>, Kind)) -> io::Result<()> {
            let mut buffer = [MaybeUninit::<u8>::uninit(); 4096];
            let mut entries = RawDir::new(&self.0, &mut buffer);
            while let Some(entry) = entries.next() {
                let entry = entry?;
                let name = entry.file_name();
                if matches!(name.to_bytes(), b"." | b"..") {
                    continue;
                }
                let kind = match entry.file_type() {
                    // What is behind it is looked up; a link to nothing fails when it is read.
                    FileType::Symlink | FileType::Unknown => statat(&self.0, name, AtFlags::empty())
                        .map_or(FileType::RegularFile, |stat| FileType::from_raw_mode(stat.st_mode)),
                    known => known,
                };
                let kind = match kind {
                    FileType::Directory => Kind::Folder,
                    FileType::RegularFile => Kind::File,
                    _ => Kind::Other,
                };
                each(name.to_str().map_err(|_| name.to_string_lossy().into_owned()), kind);
            }
            Ok(())
        }

        /// Reads a file into the buffer, up to one byte more than [`LARGE`](super::LARGE), and gives the length.
        pub(in super::super) fn read(&self, name: &str, buffer: &mut Vec<u8>) -> io::Result<usize> {
            let file = self.open_file(name)?;
            fill(buffer, |bytes| Ok(rustix::io::read(&file, bytes)?))
        }

        /// Likewise, of a file that was not listed: none for a pipe, a socket or a device. To ask what was opened takes
        /// less than a fifth of what it takes to look the path up once more.
        pub(in super::super) fn read_file(&self, name: &str, buffer: &mut Vec<u8>) -> io::Result<Option<usize>> {
            let file = self.open_file(name)?;
            match FileType::from_raw_mode(fstat(&file)?.st_mode) {
                FileType::RegularFile | FileType::Directory => {}
                _ => return Ok(None),
            }
            fill(buffer, |bytes| Ok(rustix::io::read(&file, bytes)?)).map(Some)
        }

        fn open_file(&self, name: &str) -> io::Result<OwnedFd> {
            // A pipe that nobody writes to is not waited for.
            let flags = OFlags::RDONLY | OFlags::NONBLOCK | OFlags::CLOEXEC;
            Ok(openat(&self.0, name, flags, Mode::empty())?)
        }
    }
}

#[cfg(any(test, not(all(target_os = "linux", feature = "cli"))))]
mod portable {
    use std::io::{self, Read};
    use std::path::{Path, PathBuf};

    use super::{Kind, fill};

    /// The path of a folder.
    #[derive(Debug)]
    pub(in super::super) struct Folder(PathBuf);

    impl Folder {
        pub(in super::super) fn open(path: &Path) -> io::Result<Self> {
            std::fs::read_dir(path)?;
            Ok(Self(path.to_owned()))
        }

        #[expect(clippy::unnecessary_wraps, reason = "opening can fail elsewhere; here listing does")]
        pub(in super::super) fn open_in(&self, name: &str) -> io::Result<Self> {
            Ok(Self(self.0.join(name)))
        }

        /// Calls `each` with the name and kind of every entry; a name that is no UTF-8 comes as an error.
        pub(in super::super) fn list(&self, mut each: impl FnMut(Result<&str, String>, Kind)) -> io::Result<()> {
            for entry in std::fs::read_dir(&self.0)? {
                let entry = entry?;
                let mut kind = entry.file_type()?;
                if kind.is_symlink() {
                    kind = std::fs::metadata(entry.path()).map_or(kind, |metadata| metadata.file_type());
                }
                let kind = match kind {
                    kind if kind.is_dir() => Kind::Folder,
                    kind if kind.is_file() || kind.is_symlink() => Kind::File,
                    _ => Kind::Other,
                };
                let name = entry.file_name();
                each(name.to_str().ok_or_else(|| name.to_string_lossy().into_owned()), kind);
            }
            Ok(())
        }

        /// Reads a file into the buffer, up to one byte more than [`LARGE`](super::LARGE), and gives the length.
        pub(in super::super) fn read(&self, name: &str, buffer: &mut Vec<u8>) -> io::Result<usize> {
            let mut file = std::fs::File::open(self.0.join(name))?;
            fill(buffer, |bytes| file.read(bytes))
        }

        /// Likewise, of a file that was not listed: none for a pipe, a socket or a device.
        pub(in super::super) fn read_file(&self, name: &str, buffer: &mut Vec<u8>) -> io::Result<Option<usize>> {
            let there = std::fs::metadata(self.0.join(name))?;
            if !there.is_file() && !there.is_dir() {
                return Ok(None);
            }
            self.read(name, buffer).map(Some)
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn both_ways_of_reading_folders_agree() {
        let folder = tempfile::tempdir().expect("a folder");
        std::fs::create_dir(folder.path().join("é")).expect("a folder");
        std::fs::write(folder.path().join("é/upgrade.sql"), "SELECT 1;").expect("a file");
        std::fs::write(folder.path().join("large.sql"), "x".repeat(LARGE + 10)).expect("a file");
        #[cfg(unix)]
        {
            std::os::unix::fs::symlink("é", folder.path().join("link")).expect("a link");
            std::os::unix::fs::symlink("nowhere", folder.path().join("dangling")).expect("a link");
        }
        let (one, other) = (
            Folder::open(folder.path()).expect("it is there"),
            portable::Folder::open(folder.path()).expect("it is there"),
        );
        let (mut ours, mut theirs) = (Vec::new(), Vec::new());
        one.list(|name, kind| ours.push((name.map(str::to_owned), kind)))
            .expect("it can be listed");
        other
            .list(|name, kind| theirs.push((name.map(str::to_owned), kind)))
            .expect("it can be listed");
        ours.sort();
        theirs.sort();
        assert_eq!(ours, theirs);
        assert!(ours.contains(&(Ok("é".to_owned()), Kind::Folder)));
        let (mut ours, mut theirs) = (vec![1; 9], Vec::new());
        for (folder, name, expect) in [("é", "upgrade.sql", 9), (".", "large.sql", LARGE + 1)] {
            let one = one.open_in(folder).expect("it is there").read(name, &mut ours);
            let other = other.open_in(folder).expect("it is there").read(name, &mut theirs);
            assert_eq!(
                (one.expect("it can be read"), other.expect("it can be read")),
                (expect, expect)
            );
            assert_eq!(ours[..expect], theirs[..expect]);
        }
        assert!(one.read("é", &mut ours).is_err() && other.read("é", &mut theirs).is_err());
        #[cfg(unix)]
        std::os::unix::fs::symlink("/dev/null", folder.path().join("null")).expect("a link");
        for (name, expect) in [("large.sql", Some(LARGE + 1)), ("null", None)] {
            if name == "null" && !cfg!(unix) {
                continue;
            }
            let read = [one.read_file(name, &mut ours), other.read_file(name, &mut theirs)];
            assert_eq!(read.map(|read| read.expect("it can be read")), [expect; 2], "{name}");
        }
        assert!(one.read_file("é", &mut ours).is_err() && other.read_file("none", &mut theirs).is_err());
        assert!(Folder::open(&folder.path().join("none")).is_err());
    }
}
