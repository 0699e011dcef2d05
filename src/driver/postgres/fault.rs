//! The server's words as errors of a driver.

use tokio_postgres::Error;
use tokio_postgres::error::{DbError, ErrorPosition, Severity, SqlState};

use crate::driver::{DriverError, Failure, Remarks};

/// What to do when the connection is gone.
const GONE: &str = "see whether the server runs, and its log; then run the same command again";

/// The error for a statement that was sent as `sql`.
pub(super) fn failed(error: &Error, sql: &str, interrupted: bool) -> DriverError {
    match error.as_db_error() {
        Some(db) => said(db, sql, interrupted),
        None => DriverError {
            failure: Failure::Lost,
            remarks: Box::new(Remarks {
                hint: Some(GONE.to_owned()),
                ..Remarks::default()
            }),
            ..DriverError::new(words(error))
        },
    }
}

/// The innermost words of an error that the server did not send.
pub(super) fn words(error: &Error) -> String {
    let mut source: Option<&dyn std::error::Error> = std::error::Error::source(error);
    let mut text = error.to_string();
    while let Some(inner) = source {
        text = inner.to_string();
        source = inner.source();
    }
    text
}

/// The code of a statement that was told to stop, or had no time left.
pub(super) const CANCELED: &str = "57014";

fn said(db: &DbError, sql: &str, interrupted: bool) -> DriverError {
    let mut details = Vec::new();
    details.extend(db.detail().map(str::to_owned));
    let mut offset = None;
    match db.position() {
        Some(ErrorPosition::Original(at)) => offset = byte_of(sql, *at),
        Some(ErrorPosition::Internal { query, .. }) => details.push(format!("in: {}", discreet(&one_line(query)))),
        None => {}
    }
    details.extend(
        db.where_()
            .map(|context| discreet(context.lines().next().unwrap_or_default())),
    );
    details.push(format!("SQLSTATE {}", db.code().code()));
    let failure = kind(db, interrupted);
    DriverError {
        code: Some(db.code().code().to_owned()),
        offset,
        failure,
        remarks: Box::new(Remarks {
            details,
            hint: better_advice(db)
                .or(db.hint())
                .map(str::to_owned)
                .or_else(|| advice(db, failure)),
            data_line: db.where_().and_then(data_line),
        }),
        ..DriverError::new(db.message())
    }
}

/// The line that a context names: `COPY t, line 2, column a: "x"`, in whatever language.
fn data_line(context: &str) -> Option<usize> {
    let first = context.lines().next()?;
    let (_, rest) = first.strip_prefix("COPY ")?.split_once(", ")?;
    let digits = rest.trim_start_matches(|c: char| !c.is_ascii_digit());
    let end = digits.find(|c: char| !c.is_ascii_digit()).unwrap_or(digits.len());
    digits[..end].parse().ok()
}

/// The byte of a place that the server counts in characters, from 1.
fn byte_of(sql: &str, at: u32) -> Option<usize> {
    let at = usize::try_from(at.checked_sub(1)?).ok()?;
    let end = (at == sql.chars().count()).then_some(sql.len());
    sql.char_indices().nth(at).map(|(byte, _)| byte).or(end)
}

/// A statement that a function put together, without what follows the word: it stands in no file, and would be stored.
fn discreet(text: &str) -> String {
    match text.to_ascii_lowercase().find("password") {
        Some(at) => format!("{} …", &text[..at + "password".len()]),
        None => text.to_owned(),
    }
}

fn one_line(text: &str) -> String {
    text.split_whitespace().collect::<Vec<_>>().join(" ")
}

fn kind(db: &DbError, interrupted: bool) -> Failure {
    let code = db.code();
    if code.code() == CANCELED && interrupted {
        return Failure::Interrupted;
    }
    if *code == SqlState::LOCK_NOT_AVAILABLE || *code == SqlState::T_R_DEADLOCK_DETECTED {
        return Failure::Contended;
    }
    if *code == SqlState::READ_ONLY_SQL_TRANSACTION {
        return Failure::ReadOnly;
    }
    if *code == SqlState::DISK_FULL {
        return Failure::DiskFull;
    }
    let gone = [
        SqlState::ADMIN_SHUTDOWN,
        SqlState::CRASH_SHUTDOWN,
        SqlState::CANNOT_CONNECT_NOW,
        SqlState::IDLE_IN_TRANSACTION_SESSION_TIMEOUT,
    ];
    // The codes alone may be those of another server that the statement asked (`dblink`, a subscription).
    let ends = db.parsed_severity() != Some(Severity::Error);
    if ends && (gone.contains(code) || code.code().starts_with("08") || code.code() == "57P05") {
        return Failure::Lost;
    }
    Failure::Statement
}

/// What to do where the server's own advice stops short of it.
fn better_advice(db: &DbError) -> Option<&'static str> {
    (db.code().code() == "55P04").then_some(
        "a new value of a type can be used once it is committed: add it in a revision of its own, or say \
         `transaction: none` in the header of this one",
    )
}

/// What to do about errors that people meet often, where the server has no advice.
fn advice(db: &DbError, failure: Failure) -> Option<String> {
    let code = db.code();
    let text = if failure == Failure::ReadOnly {
        "this server is a standby, the role's transactions are read-only, or the script has made its own so: connect to the primary, or take that out"
    } else if failure == Failure::DiskFull {
        "make room on the server, then run the same command again"
    } else if failure == Failure::Lost {
        GONE
    } else if *code == SqlState::ACTIVE_SQL_TRANSACTION && db.message().contains("ISOLATION LEVEL") {
        "let it be the first statement of its revision, and leave --single-transaction out"
    } else if *code == SqlState::ACTIVE_SQL_TRANSACTION {
        "a statement that cannot run in a transaction needs `transaction: none` in the revision's header"
    } else if *code == SqlState::INVALID_TRANSACTION_TERMINATION {
        "what commits or rolls back within needs `transaction: none` in the revision's header, and no BEGIN around it"
    } else if code.code() == CANCELED && db.message().contains("statement timeout") {
        "it may take longer with a larger `statement_timeout` in the revision's header, or 0, which is none"
    } else if *code == SqlState::INSUFFICIENT_PRIVILEGE && db.message().starts_with("must be owner") {
        "connect as the owner, or make this role a member of the one that owns it: GRANT OWNER TO this role"
    } else if *code == SqlState::INSUFFICIENT_PRIVILEGE {
        "GRANT this role what it lacks; sqlrev itself needs the rights to create, read and write its two tables, which `version_table: SCHEMA.NAME` in the configuration keeps elsewhere"
    } else if *code == SqlState::OUT_OF_MEMORY && db.message().contains("shared memory") {
        "too many locks for one transaction: leave --single-transaction out, or split the revision"
    } else {
        return None;
    };
    Some(text.to_owned())
}

/// A notice in one text.
pub(super) fn notice(notice: &DbError) -> String {
    let mut text = match notice.severity() {
        "NOTICE" | "INFO" => notice.message().to_owned(),
        severity => format!("{severity}: {}", notice.message()),
    };
    for more in notice.detail().into_iter().chain(notice.hint()) {
        text.push_str("; ");
        text.push_str(more);
    }
    text
}

#[cfg(test)]
mod tests {
    use super::{byte_of, data_line, discreet};

    #[test]
    fn no_password_is_shown() {
        let words = |value: &str| format!("SQL statement \"CREATE ROLE é LOGIN Password{value}");
        assert_eq!(discreet(&words(" 'geheim' VALID UNTIL 'x'\"")), words(" …"));
        assert_eq!(discreet("SQL statement \"SELECT 1\""), "SQL statement \"SELECT 1\"");
    }

    #[test]
    fn a_line_of_data_is_named() {
        assert_eq!(data_line("COPY t, line 12, column a: \"3\""), Some(12));
        assert_eq!(data_line("PL/pgSQL function f() line 3 at RAISE"), None);
    }

    #[test]
    fn places_are_counted_in_characters() {
        assert_eq!(byte_of("éa", 2), Some(2));
        assert_eq!(byte_of("éa", 3), Some(3));
        assert_eq!(byte_of("éa", 0), None);
        assert_eq!(byte_of("éa", 9), None);
    }
}
