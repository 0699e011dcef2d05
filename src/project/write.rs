//! New files: whole or not at all, and never over one that is there.

use std::io::{self, Write as _};
use std::path::{Path, PathBuf};
use std::sync::atomic::{AtomicU64, Ordering};

use crate::code::Code;
use crate::error::{Error, Result};
use crate::shell;

/// The configuration that `sqlrev init` writes, with every key.
pub const MIGRATIONS_YAML: &str = include_str!("../../migrations.yaml");

/// The name of the configuration.
pub(super) const CONFIG: &str = "migrations.yaml";

/// How many files were begun.
static COUNT: AtomicU64 = AtomicU64::new(0);

/// Writes a file that must not be there yet.
///
/// The bytes go to a file beside it that is then linked to the name, so that nobody sees half of them.
///
/// # Errors
/// `file::exists`, `file::io`.
pub fn write_new(path: &Path, bytes: &[u8]) -> Result<()> {
    let folder = path.parent().unwrap_or(Path::new(""));
    let name = path.file_name().unwrap_or_default().to_string_lossy();
    // No other process and no other thread of this one takes the same name.
    let count = COUNT.fetch_add(1, Ordering::Relaxed);
    let beside = folder.join(format!(".{name}.{}.{count}.new", std::process::id()));
    let written = write(&beside, bytes).and_then(|()| place(&beside, path, bytes));
    remove(&beside);
    written.map_err(|error| match error.kind() {
        io::ErrorKind::AlreadyExists => Error::new(Code::FileExists, format!("`{}` exists already", path.display())),
        _ => failed(path, &error),
    })
}

/// Writes a file whole, in the place of the one that may be there.
///
/// # Errors
/// `file::io`
pub(super) fn replace(path: &Path, bytes: &[u8]) -> Result<()> {
    let folder = path.parent().unwrap_or(Path::new(""));
    let name = path.file_name().unwrap_or_default().to_string_lossy();
    let count = COUNT.fetch_add(1, Ordering::Relaxed);
    let beside = folder.join(format!(".{name}.{}.{count}.new", std::process::id()));
    let placed = write(&beside, bytes).and_then(|()| std::fs::rename(&beside, path));
    placed.map_err(|error| {
        remove(&beside);
        failed(path, &error)
    })
}

/// Writes files with the folders they are in, all or none: when one cannot be written, those before it are taken away
/// again, and so are the folders made for them.
pub fn write_all(files: &[(PathBuf, String)]) -> Result<()> {
    let mut made = Made::default();
    for (path, text) in files {
        let result = path
            .parent()
            .map_or(Ok(()), |folder| made.folder(folder))
            .and_then(|()| write_new(path, text.as_bytes()));
        if let Err(error) = result {
            made.undo();
            return Err(error);
        }
        made.files.push(path.clone());
    }
    Ok(())
}

/// Lays out a project: the configuration and an empty folder of revisions. Gives what was written.
///
/// # Errors
/// `file::exists` when there is a configuration already, `file::io`.
pub fn init(folder: &Path) -> Result<Vec<PathBuf>> {
    let (config, location) = (folder.join(CONFIG), folder.join("migrations"));
    let mut made = Made::default();
    let written = made
        .folder(&location)
        .and_then(|()| write_new(&config, MIGRATIONS_YAML.as_bytes()));
    match written {
        Ok(()) => Ok(vec![config, location]),
        Err(error) => {
            made.undo();
            Err(error.help("edit it, or choose another folder: sqlrev init DIR"))
        }
    }
}

/// What was made, in order.
#[derive(Default)]
struct Made {
    folders: Vec<PathBuf>,
    files: Vec<PathBuf>,
}

impl Made {
    fn folder(&mut self, folder: &Path) -> Result<()> {
        if folder.as_os_str().is_empty() || folder.is_dir() {
            return Ok(());
        }
        if let Some(parent) = folder.parent() {
            self.folder(parent)?;
        }
        match make(folder) {
            Ok(()) => self.folders.push(folder.to_owned()),
            // Somebody else made it in the meantime.
            Err(_) if folder.is_dir() => {}
            Err(error) => return Err(failed(folder, &error)),
        }
        Ok(())
    }

    /// Takes everything away again; a folder that holds something else by now stays.
    fn undo(&self) {
        self.files.iter().for_each(|file| remove(file));
        self.folders.iter().rev().for_each(|folder| {
            let _ = std::fs::remove_dir(folder);
        });
    }
}

/// Gives the written file its name.
fn place(beside: &Path, path: &Path, bytes: &[u8]) -> io::Result<()> {
    match std::fs::hard_link(beside, path) {
        Err(error) if error.kind() != io::ErrorKind::AlreadyExists && error.kind() != io::ErrorKind::NotFound => {
            // Some file systems have no links.
            write(path, bytes)
        }
        result => result,
    }
}

/// Writes a file that is not there; half of one is taken away again.
fn write(path: &Path, bytes: &[u8]) -> io::Result<()> {
    let mut file = std::fs::OpenOptions::new().write(true).create_new(true).open(path)?;
    file.write_all(bytes).inspect_err(|_| remove(path))
}

fn make(folder: &Path) -> io::Result<()> {
    std::fs::create_dir(folder)
}

fn remove(path: &Path) {
    let _ = std::fs::remove_file(path);
}

fn failed(path: &Path, error: &io::Error) -> Error {
    let folder = shell::word(path.parent().unwrap_or(path).display());
    Error::new(Code::FileIo, format!("cannot write `{}`", path.display()))
        .cause(error.to_string())
        .help(match error.kind() {
            io::ErrorKind::PermissionDenied => {
                format!("see whose the folder is and who may write in it: ls -ld {folder}")
            }
            io::ErrorKind::StorageFull => "make room, then run the same command again".to_owned(),
            io::ErrorKind::InvalidFilename => "a shorter name, or another one: -m TEXT, or `file_template`".to_owned(),
            _ => format!("see what is there: ls -ld {folder}"),
        })
}
