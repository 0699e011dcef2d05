//! What to do, in the words of the library: those of the command line name options that an application does not have.

use crate::error::Error;

/// Words of the command line, and what an application has in their place.
const WORDS: [(&str, &str); 8] = [
    (
        "--lock-timeout SECONDS waits longer",
        "Migrator::lock_timeout waits longer",
    ),
    (
        "--lock-timeout SECONDS tries for longer",
        "Migrator::lock_timeout tries for longer",
    ),
    ("run the same command again", "run it again"),
    ("running the same command again", "running it again"),
    ("version_table: NAME in migrations.yaml", "Migrator::version_table"),
    (
        "`sqlrev -v` shows each statement as it runs",
        "Run::events hears of each statement as it runs",
    ),
    ("sqlrev restore lists the copies", "Backup::list lists the copies"),
    ("leave --single-transaction out", "leave Run::single_transaction out"),
];

/// The error with these.
#[cold]
pub(super) fn of_library(error: Error) -> Error {
    error.help_in(|line| {
        let mut line = line.to_owned();
        for (command, library) in WORDS {
            line = line.replace(command, library);
        }
        line
    })
}
