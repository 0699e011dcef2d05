//! What keeps a database from being read: the journal of a run that was killed, a write-ahead log, and what is no file.

use std::path::Path;

use rusqlite::{Connection, OpenFlags, ffi};

use crate::driver::{DriverError, Failure, Remarks};

use super::WAIT;

/// Refuses a pipe, a socket or a device, at which SQLite would wait or find nothing.
pub(super) fn is_file(path: &Path) -> Result<(), DriverError> {
    match path.metadata() {
        Ok(there) if !there.is_file() && !there.is_dir() => {
            Err(DriverError::of(Failure::Disconnected, "it is not a regular file"))
        }
        _ => Ok(()),
    }
}

/// Lets a connection that only reads see a sound database. A process that was killed while it wrote leaves a journal,
/// and whoever reads next rolls it back; SQLite does that on a connection that may write alone, so such a one is opened
/// for it and closed again.
pub(super) fn recover(connection: &Connection, path: &Path) -> Result<(), DriverError> {
    match first_look(connection) {
        Some(ffi::SQLITE_READONLY_ROLLBACK) => {
            let flags = OpenFlags::SQLITE_OPEN_READ_WRITE | OpenFlags::SQLITE_OPEN_NO_MUTEX;
            let left = Connection::open_with_flags(path, flags).map_or(Some(ffi::SQLITE_READONLY_ROLLBACK), |writer| {
                // Whoever rolls it back meanwhile is waited for by the caller, who can be interrupted.
                let _ = writer.busy_timeout(WAIT);
                first_look(&writer)
            });
            if left == Some(ffi::SQLITE_READONLY_ROLLBACK) {
                return Err(unfinished());
            }
            Ok(())
        }
        Some(ffi::SQLITE_CANTOPEN | ffi::SQLITE_READONLY_CANTINIT | ffi::SQLITE_READONLY_DIRECTORY)
            if path.is_file() && has_log(path) =>
        {
            Err(log_unreadable())
        }
        // Whatever else is wrong is told of by the first query.
        _ => Ok(()),
    }
}

/// The code with which the first look at the file fails.
fn first_look(connection: &Connection) -> Option<i32> {
    let looked = connection.query_row("PRAGMA schema_version", [], |_| Ok(()));
    looked.err()?.sqlite_error().map(|error| error.extended_code)
}

/// Whether the header of the file says that it has a write-ahead log (fileformat.html, 1.3.3).
#[expect(
    clippy::disallowed_methods,
    reason = "the file is the database, which SQLite cannot read"
)]
fn has_log(path: &Path) -> bool {
    let mut header = [0; 20];
    let read = std::fs::File::open(path).and_then(|mut file| std::io::Read::read_exact(&mut file, &mut header));
    read.is_ok() && header[19] == 2
}

fn unfinished() -> DriverError {
    refused(
        "a process that was killed while it wrote left a journal, which has to be rolled back first, and this user may not \
         write to the file or its folder",
        "let a user who may write roll it back: any command of sqlrev does, and so does SELECT in sqlite3",
    )
}

fn log_unreadable() -> DriverError {
    refused(
        "the database has a write-ahead log, and even to read it SQLite writes files beside it, where this user may not",
        "run this as a user who may write in the folder; or let such a one take it out of that mode, when nobody uses \
         it: PRAGMA journal_mode = DELETE",
    )
}

fn refused(message: &str, hint: &str) -> DriverError {
    DriverError {
        remarks: Box::new(Remarks {
            hint: Some(hint.to_owned()),
            ..Remarks::default()
        }),
        ..DriverError::of(Failure::ReadOnly, message)
    }
}
