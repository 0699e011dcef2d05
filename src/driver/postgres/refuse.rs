//! What is not sent, and why.

use crate::dialect::postgres::copies_out;
use crate::driver::{DriverError, Remarks};

/// Whether a statement commits or prepares what is open.
pub(super) fn ends(sql: &str) -> bool {
    ["COMMIT", "END", "PREPARE TRANSACTION"].iter().any(|word| {
        sql.get(..word.len())
            .is_some_and(|start| start.eq_ignore_ascii_case(word))
    })
}

pub(super) fn has_failed() -> DriverError {
    DriverError::new("a statement of this transaction has failed, so there is nothing to commit")
}

/// Refuses a COPY that would send rows: nobody reads them, and the protocol could not go on.
pub(super) fn refuse_copy_out(sql: &str) -> Result<(), DriverError> {
    let is_copy = sql.get(..4).is_some_and(|word| word.eq_ignore_ascii_case("COPY"));
    if !is_copy {
        return Ok(());
    }
    if !copies_out(sql) {
        return Ok(());
    }
    Err(with_hint(
        "COPY … TO STDOUT has nowhere to send its rows",
        "take the statement out: a revision changes the database and prints nothing",
    ))
}

/// Whether a statement undoes the failure of an earlier one, so that it must not follow it unseen.
pub(super) fn rolls_back(sql: &str) -> bool {
    sql.get(..8).is_some_and(|word| word.eq_ignore_ascii_case("ROLLBACK"))
        || sql.get(..5).is_some_and(|word| word.eq_ignore_ascii_case("ABORT"))
}

pub(super) fn no_text() -> DriverError {
    with_hint(
        "a value is not UTF-8",
        "see SHOW client_encoding, which a script has changed",
    )
}

/// What is not ASCII would arrive as another text.
pub(super) fn other_encoding() -> DriverError {
    with_hint(
        "`client_encoding` is no longer UTF8: a function has changed it before this",
        "files are UTF-8: let the function put it back, or SET LOCAL it only",
    )
}

fn with_hint(message: &str, hint: &str) -> DriverError {
    DriverError {
        remarks: Box::new(Remarks {
            hint: Some(hint.to_owned()),
            ..Remarks::default()
        }),
        ..DriverError::new(message)
    }
}
