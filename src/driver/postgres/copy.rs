//! `COPY … FROM stdin`, and what its failures do to the connection.

use std::io::Cursor;
use std::pin::Pin;
use std::sync::atomic::Ordering;

use futures_util::SinkExt;
use tokio_postgres::{CopyInSink, Error, SimpleQueryMessage};

use crate::driver::postgres::refuse::other_encoding;
use crate::driver::postgres::{Postgres, fault};
use crate::driver::{Driver as _, DriverError, Failure};

/// A COPY that takes data.
pub(super) type Copying = Pin<Box<CopyInSink<Cursor<Vec<u8>>>>>;

impl Postgres {
    pub(super) fn begin_copy(&mut self, sql: &str) -> Result<(), DriverError> {
        self.flush()?;
        // The data may be in any encoding.
        if self.link.garbles("é") {
            self.failed = self.open;
            return Err(other_encoding());
        }
        let begun = self.link.run(|client| client.copy_in(sql));
        match begun {
            Ok(sink) => {
                self.copy = Some(Box::pin(sink));
                Ok(())
            }
            Err(error) => Err(self.copy_failed(&error, sql)),
        }
    }

    pub(super) fn go_on_copying(&mut self, lines: &str) -> Result<(), DriverError> {
        let Some(mut copy) = self.copy.take() else {
            return Ok(());
        };
        let lines = Cursor::new(lines.as_bytes().to_vec());
        let sent = self.link.run(|_| async {
            let sent = copy.send(lines).await;
            Ok((sent, copy))
        });
        match sent {
            Ok((Ok(()), copy)) => {
                self.copy = Some(copy);
                Ok(())
            }
            // Why the server does not want more, it says at the end.
            Ok((Err(_), copy)) => {
                self.copy = Some(copy);
                self.end_copy()
            }
            Err(error) => Err(self.copy_failed(&error, "")),
        }
    }

    pub(super) fn end_copy(&mut self) -> Result<(), DriverError> {
        let Some(mut copy) = self.copy.take() else {
            return Ok(());
        };
        let ended = self.link.run(|_| async move { copy.as_mut().finish().await });
        ended.map(|_| ()).map_err(|error| self.copy_failed(&error, ""))
    }

    fn copy_failed(&mut self, error: &Error, sql: &str) -> DriverError {
        let interrupted = self.interrupted.swap(false, Ordering::Relaxed);
        let mut error = fault::failed(error, sql, interrupted);
        // The library gives the connection up itself when the second answer comes before the next statement.
        let gave_up = error.failure != Failure::Lost && self.link.is_closed();
        if !gave_up {
            error = self.ends_in_error("", error);
        }
        if gave_up || error.failure != Failure::Lost && !self.is_in_step() {
            self.begin_anew();
            if self.lost {
                error.failure = Failure::Lost;
            } else if error.failure == Failure::Contended {
                // What the script had set up is gone with the session, and so is the lock of the run.
                error.failure = Failure::Statement;
            }
        }
        error
    }

    /// Whether statements get their own answers. Where a COPY fails before it has read anything, the library has asked for
    /// two ends of it, the server answers both, and every later statement would get the answer to the one before it.
    fn is_in_step(&mut self) -> bool {
        match self.link.run(|client| client.simple_query("SELECT 1")) {
            Ok(messages) => messages
                .iter()
                .any(|message| matches!(message, SimpleQueryMessage::Row(_))),
            // In a transaction that has failed it is refused.
            Err(error) => error.as_db_error().is_some(),
        }
    }

    /// Goes on in another session. The transaction goes with the old one, as it would by ROLLBACK.
    fn begin_anew(&mut self) {
        let Ok(link) = self.opener.open() else {
            (self.open, self.lost) = (false, true);
            return;
        };
        self.goes_on_with(link);
        // Where it cannot work in its schema, the next statement says so.
        let _ = self.is_in_its_schema();
    }
}
