//! What the database said, as an error of this crate.

use crate::code::Code;
use crate::driver::{DriverError, Failure};
use crate::error::Error;
use crate::execute::walk;
use crate::revision::Script;
use crate::source::{SourceFile, Span};
use crate::sql::split::{self, SplitRules};

/// The error for something that sqlrev itself asked for.
pub(crate) fn database(error: &DriverError) -> Error {
    let (code, message, help) = kind(error.failure);
    if error.failure == Failure::Interrupted {
        return interrupted();
    }
    let failed = Error::new(code, message).cause(error.message.clone());
    detailed(failed, error).help(
        error
            .remarks
            .hint
            .as_deref()
            .or(unsatisfied(error))
            .unwrap_or(help)
            .to_owned(),
    )
}

/// The error for a commit that rows stop which point at nothing, where nobody looks for them.
pub(crate) fn unnamed_rows(error: &Error) -> Option<Error> {
    let words = error.causes().iter().find(|words| words.contains("FOREIGN KEY"))?;
    let failed = Error::new(Code::ForeignKeys, "rows would point at rows that do not exist").cause(words.clone());
    Some(failed.help("PRAGMA foreign_key_check names them: correct them in the same revision, then run again"))
}

/// What else the database said.
fn detailed(mut failed: Error, error: &DriverError) -> Error {
    for line in &error.remarks.details {
        failed = failed.cause(line.as_str());
    }
    failed
}

/// The error for what was queued: for a statement of the script where it has a ticket.
pub(crate) fn queued(error: &DriverError, script: &Script, rules: &'static SplitRules) -> Error {
    match error.ticket.and_then(|index| walk::place_of(script, index, rules)) {
        Some((file, span)) => statement(error, &file, &span, rules),
        None => database(error),
    }
}

/// The error for a script whose statements all ran and that could not be committed: deferred constraints.
pub(crate) fn commit(error: &DriverError, script: &Script) -> Error {
    let file = &script.file;
    let failed = Error::new(Code::StatementFailed, format!("`{}` could not be committed", file.name));
    let label = format!("at its COMMIT, behind all of its statements: {}", error.message);
    let failed = detailed(failed.at(file, script.body..script.body, label), error);
    match error.remarks.hint.as_deref().or(unsatisfied(error)) {
        Some(hint) => failed.help(hint),
        None => failed,
    }
}

/// What to do about a deferred key that SQLite finds unsatisfied in the end: it says neither which key nor which rows.
fn unsatisfied(error: &DriverError) -> Option<&'static str> {
    let is_it = error.message == "FOREIGN KEY constraint failed";
    is_it.then_some(
        "rows point at nothing where their key is looked at in the end: `PRAGMA foreign_key_check` in sqlite3 lists those \
         that did before; delete them first, drop a table that refers before the one that it refers to, or give the new \
         rows their parents",
    )
}

/// The error of a run whose connection was lost before its first step.
pub(crate) fn before_the_first(error: Error) -> Error {
    if error.code() == Code::ConnectionLost && error.state_line().is_none() {
        error.state("nothing was run")
    } else {
        error
    }
}

fn kind(failure: Failure) -> (Code, &'static str, &'static str) {
    match failure {
        Failure::Interrupted => (
            Code::Interrupted,
            "interrupted",
            "running the same command again goes on",
        ),
        Failure::Contended => (
            Code::Contended,
            "a statement did not get the lock that it needs",
            "end the session that holds it, or wait for it; --lock-timeout SECONDS tries for longer",
        ),
        Failure::Busy => (
            Code::LockTimeout,
            "somebody else holds the database",
            "run the same command again when it is free",
        ),
        Failure::ReadOnly => (
            Code::ReadOnly,
            "the database cannot be written to",
            "check the rights of the file and of its folder, and the URL's `mode`",
        ),
        Failure::DiskFull => (
            Code::DiskFull,
            "there is no space left for the database",
            "make room, or raise the quota or the limit on the size of files, then run the same command again",
        ),
        Failure::NotADatabase => (
            Code::NotADatabase,
            "the file is not a database that can be read",
            "check the path in the URL; if it is the right file, restore it from a backup",
        ),
        Failure::Disconnected => (
            Code::Connect,
            "the database cannot be opened or reached",
            "check the URL, and that the file or server is there",
        ),
        Failure::Lost => (
            Code::ConnectionLost,
            "the connection to the database was lost",
            "run the same command again",
        ),
        Failure::Statement => (
            Code::Database,
            "the database refused what sqlrev asked for",
            "`sqlrev -v` shows each statement as it runs",
        ),
    }
}

/// The error for a statement of a script, labelled under the word that the database points at, or under all of it.
pub(crate) fn statement(error: &DriverError, file: &SourceFile, span: &Span, rules: &SplitRules) -> Error {
    let unended = match error.failure {
        Failure::Statement => unended(file, span, rules),
        _ => None,
    };
    failed(error, file, span, unended)
}

/// Likewise, for a statement of which it is known where it ends.
pub(crate) fn sent(error: &DriverError, file: &SourceFile, span: &Span) -> Error {
    failed(error, file, span, None)
}

fn failed(error: &DriverError, file: &SourceFile, span: &Span, unended: Option<String>) -> Error {
    if error.failure != Failure::Statement {
        return database(error).at(file, span.clone(), "while this ran");
    }
    let place = error
        .offset
        .map_or_else(|| span.clone(), |offset| word(file, span, offset));
    let failed = Error::new(Code::StatementFailed, format!("`{}` failed", file.name));
    let failed = detailed(failed.at(file, place, error.message.clone()), error);
    let text = file.text.get(span.clone()).unwrap_or_default();
    let failed = match unended {
        Some(help) => failed.help(help),
        None => failed,
    };
    match error.remarks.hint.as_deref().or_else(|| advice(&error.message, text)) {
        Some(help) => failed.help(help),
        None => failed,
    }
}

/// What to say of a statement that goes on to the end of its file, since nothing set the delimiter back.
fn unended(file: &SourceFile, span: &Span, rules: &SplitRules) -> Option<String> {
    // What comes behind it may be comments.
    let is_long = file.text.get(span.clone())?.contains(';');
    let (chosen, delimiter) = is_long.then(|| split::unended(&file.text, rules)).flatten()?;
    let (line, _) = file.line_column(chosen);
    (chosen < span.start && !file.text.get(span.end..)?.contains(&delimiter)).then(|| {
        format!(
            "the delimiter is `{delimiter}` from line {line} on, and no line sets it back: write `DELIMITER ;` on a line where \
             semicolons end statements again"
        )
    })
}

/// What to do about errors that people meet often.
pub(crate) fn advice(message: &str, statement: &str) -> Option<&'static str> {
    // SQLite looks at the parents of the tables that refer to the one that goes (foreignkeys.html, section 5).
    if let Some(gone) = message.strip_prefix("no such table: main.")
        && statement
            .get(..10)
            .is_some_and(|words| words.eq_ignore_ascii_case("DROP TABLE"))
        && !statement.contains(gone)
    {
        return Some(
            "with foreign keys on, a table cannot go while another that refers to it refers to a missing one as well: \
             drop the tables that refer to others first, or write PRAGMA foreign_keys = OFF above",
        );
    }
    let outside = "a statement that cannot run in a transaction needs `transaction: none` in the revision's header";
    // SQLite's words for what an application registers on its own connections (appfunc.html).
    let registered = "a function or collation that an application brings along is known to its own connections alone: run \
                      the revision there, with sqlrev as a library; or change what uses it first";
    let told = [
        ("no such function: ", registered),
        ("unknown function: ", registered),
        ("no such collation sequence: ", registered),
        ("within a transaction", outside),
        ("from within a transaction", outside),
    ];
    told.iter()
        .find(|(part, _)| message.contains(part))
        .map(|(_, help)| *help)
}

/// The word at an offset of a statement, as a span of the file.
fn word(file: &SourceFile, span: &Span, offset: usize) -> Span {
    let start = (span.start + offset).min(span.end);
    let rest = file.text.get(start..span.end).unwrap_or_default();
    let letters = rest.chars().take_while(|c| c.is_alphanumeric() || *c == '_');
    let length: usize = letters.map(char::len_utf8).sum();
    let first = rest.chars().next().map_or(0, char::len_utf8);
    start..start + length.max(first)
}

/// The error after Ctrl-C or a cancelled run.
pub(crate) fn interrupted() -> Error {
    Error::new(Code::Interrupted, "interrupted").help("running the same command again goes on")
}
