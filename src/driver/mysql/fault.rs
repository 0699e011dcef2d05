//! The server's words as errors of a driver.

use std::io;
use std::time::Duration;

use crate::driver::mysql::wire::Parts;
use crate::driver::{DriverError, Failure, Remarks};

/// What to do about a statement that is too long.
pub(super) const PACKET: &str = "raise max_allowed_packet at the server, or split the statement";

/// What to do when the connection is gone.
const GONE: &str = "see whether the server runs, and its log; then run the same command again";

/// Why something did not work.
#[derive(Debug)]
pub(super) enum Trouble {
    /// The connection.
    Io(io::Error),
    /// TLS, the certificate above all.
    Tls(io::Error),
    /// TLS is wanted in any case, and the server has none.
    NoTls,
    /// The server wants to see the password itself, and others could read it.
    Open,
    /// The server wants a way to log in that we do not know.
    Plugin(String),
    /// Nobody said anything for so long.
    Silent(Duration),
    /// The statement before was told to stop, and has ended nevertheless; or a wait was.
    Stopped,
    /// What is there is no such server.
    Strange(String),
    /// The server said so.
    Said(Said),
}

pub(super) fn no_answer(waited: Duration) -> String {
    format!("no answer within {} s", waited.as_secs())
}

/// An error that the server sent.
#[derive(Debug)]
pub(super) struct Said {
    /// Its own number.
    pub code: u16,
    /// SQLSTATE.
    pub state: String,
    /// Its words.
    pub message: String,
}

impl From<io::Error> for Trouble {
    fn from(error: io::Error) -> Self {
        Self::Io(error)
    }
}

impl Trouble {
    /// Reads a packet that tells of an error.
    pub(super) fn said(packet: &[u8]) -> Self {
        let mut parts = Parts(packet.get(1..).unwrap_or_default());
        let code = parts.short().unwrap_or_default();
        let mut state = String::new();
        if parts.0.first() == Some(&b'#') && parts.0.len() >= 6 {
            state = String::from_utf8_lossy(&parts.0[1..6]).into_owned();
            parts.0 = &parts.0[6..];
        }
        Self::Said(Said {
            code,
            state,
            message: String::from_utf8_lossy(parts.0).into_owned(),
        })
    }
}

/// The error for the statement that stands at `span` of what was sent.
pub(super) fn failed(trouble: Trouble, sent: &str, span: std::ops::Range<usize>, interrupted: bool) -> DriverError {
    let said = match trouble {
        Trouble::Said(said) => said,
        Trouble::Io(error) | Trouble::Tls(error) => return lost(words(&error)),
        Trouble::Strange(words) => return lost(words),
        Trouble::Silent(longest) => return lost(no_answer(longest)),
        Trouble::Stopped => {
            return DriverError {
                failure: Failure::Interrupted,
                ..DriverError::new("interrupted before it began")
            };
        }
        Trouble::NoTls | Trouble::Open | Trouble::Plugin(_) => return lost("the server broke off".to_owned()),
    };
    let failure = kind(said.code, &said.message, interrupted);
    let (message, offset) = placed(said.message, sent, span);
    let mut details = vec![format!("error {}, SQLSTATE {}", said.code, said.state)];
    if said.state.is_empty() {
        details = vec![format!("error {}", said.code)];
    }
    DriverError {
        code: Some(said.code.to_string()),
        offset,
        failure,
        remarks: Box::new(Remarks {
            details,
            hint: advice(said.code, failure).map(str::to_owned),
            data_line: None,
        }),
        ..DriverError::new(message)
    }
}

/// The connection is gone.
pub(super) fn lost(words: String) -> DriverError {
    DriverError {
        failure: Failure::Lost,
        remarks: Box::new(Remarks {
            hint: Some(GONE.to_owned()),
            ..Remarks::default()
        }),
        ..DriverError::new(words)
    }
}

/// The system's words.
pub(super) fn words(error: &io::Error) -> String {
    match error.kind() {
        io::ErrorKind::UnexpectedEof => "the server closed the connection".to_owned(),
        _ => error.to_string(),
    }
}

/// The message without what it cites of the next statements, and the place in the statement that it means by
/// `near '…' at line 2`.
fn placed(message: String, sent: &str, span: std::ops::Range<usize>) -> (String, Option<usize>) {
    let Some(cited) = Cited::in_message(&message) else {
        return (message, None);
    };
    let statement = &sent[span.clone()];
    let Some(offset) = cited.place(&sent[span.start..], statement) else {
        return (message, None);
    };
    let end = statement.trim_end().len();
    if offset >= end && !cited.text.is_empty() {
        // It wanted more, and met what comes next.
        let line = 1 + statement[..end].matches('\n').count();
        return (format!("{}' at line {line}", &message[..cited.start]), Some(end));
    }
    let rest = statement[offset..].trim_end();
    if cited.text.len() <= rest.len() {
        return (message, Some(offset));
    }
    let (before, after) = (&message[..cited.start], &message[cited.start + cited.text.len()..]);
    (format!("{before}{rest}{after}"), Some(offset))
}

/// What a message cites.
struct Cited<'m> {
    text: &'m str,
    /// Where it begins in the message.
    start: usize,
    /// The line that the server had come to, from 1.
    line: usize,
}

impl<'m> Cited<'m> {
    fn in_message(message: &'m str) -> Option<Self> {
        const NEAR: &str = "near '";
        const AT: &str = "' at line ";
        let start = message.find(NEAR)? + NEAR.len();
        let end = start + message[start..].rfind(AT)?;
        let line = message[end + AT.len()..].trim_end_matches('.').parse().ok()?;
        let text = &message[start..end];
        Some(Self { text, start, line })
    }

    /// Where the citation begins: the server cites what is left of all that was sent, but 80 characters at the most.
    fn place(&self, sent: &str, statement: &str) -> Option<usize> {
        if self.text.is_empty() {
            return Some(statement.trim_end().len());
        }
        let mut best = None;
        // Some servers tell that they left something out.
        let short = self.text.strip_suffix("...").filter(|_| !sent.contains(self.text));
        for (at, _) in sent.match_indices(short.unwrap_or(self.text)) {
            // Behind the statement stands a line break.
            if at > statement.len() + 1 {
                break;
            }
            // It may have read on to a later line before it knew.
            let line = 1 + statement[..at.min(statement.len())].matches('\n').count();
            if line <= self.line || best.is_none() {
                best = Some(at);
            }
        }
        best
    }
}

/// What kind of failure a number is.
fn kind(code: u16, message: &str, interrupted: bool) -> Failure {
    match code {
        // Interrupted; by a time limit only where nobody interrupted it.
        1317 if interrupted => Failure::Interrupted,
        // A lock was not to be had in time; a deadlock; NOWAIT.
        1205 | 1213 | 3572 => Failure::Contended,
        // An option of the server stands in the way, and it is the one that lets nobody write.
        1290 if message.contains("--read-only") || message.contains("--super-read-only") => Failure::ReadOnly,
        // The transaction or the table space is read-only.
        1792 | 1836 => Failure::ReadOnly,
        1021 => Failure::DiskFull,
        // Shut down, killed, timed out, or the network failed.
        1053 | 1927 | 4031 | 1152..=1161 | 1184 => Failure::Lost,
        _ => Failure::Statement,
    }
}

/// What to do about errors that people meet often.
fn advice(code: u16, failure: Failure) -> Option<&'static str> {
    Some(match failure {
        // The server closes the connection as well.
        _ if code == 1153 => PACKET,
        Failure::ReadOnly => "this server is a replica, or read-only: connect to the primary",
        Failure::DiskFull => "make room on the server, then run the same command again",
        Failure::Lost => GONE,
        _ => match code {
            1419 | 1418 => {
                "the server writes a binary log: say DETERMINISTIC, NO SQL or READS SQL DATA, or set \
                 log_bin_trust_function_creators = 1 there"
            }
            // MySQL's limit for SELECT, and MariaDB's for anything.
            3024 | 1969 => {
                "it may take longer with a larger `statement_timeout` in the revision's header, or 0, which is none"
            }
            1044 | 1142 | 1143 | 1227 => {
                "GRANT this user what it lacks; sqlrev itself needs the rights to create, read and write its two tables"
            }
            3948 | 4166 | 1148 => {
                "LOAD DATA LOCAL reads a file of this machine: write INSERTs, or load it with a client"
            }
            _ => return None,
        },
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_to_do() {
        let check = |code, message: &str, failure, advised: Option<&str>| {
            let said = Said {
                code,
                state: String::new(),
                message: message.to_owned(),
            };
            let error = failed(Trouble::Said(said), "SELECT 1", 0..8, false);
            assert_eq!(error.failure, failure, "{message}");
            assert_eq!(error.remarks.hint.as_deref(), advised, "{message}");
        };
        let running = |option: &str| {
            format!("The MariaDB server is running with the {option} option so it cannot execute this statement")
        };
        check(
            1153,
            "Got a packet bigger than 'max_allowed_packet' bytes",
            Failure::Lost,
            Some(PACKET),
        );
        check(
            1158,
            "Got an error reading communication packets",
            Failure::Lost,
            Some(GONE),
        );
        let replica = advice(1836, Failure::ReadOnly);
        check(1290, &running("--read-only"), Failure::ReadOnly, replica);
        check(1290, &running("--super-read-only"), Failure::ReadOnly, replica);
        check(1290, &running("--secure-file-priv"), Failure::Statement, None);
    }

    fn check(sent: &str, statement: &str, near: &str, line: usize, expect: Option<&str>) {
        let start = sent.find(statement).unwrap();
        let message = format!("wrong near '{near}' at line {line}");
        let (message, offset) = placed(message, sent, start..start + statement.len());
        let rest = offset.map(|offset| &statement[offset..]);
        assert_eq!(rest, expect, "{message}");
        assert!(!message.contains("NEXT"), "{message}");
    }

    #[test]
    fn a_citation_is_found_in_the_statement() {
        check("SELEC 1", "SELEC 1", "SELEC 1", 1, Some("SELEC 1"));
        check("a\n;\nCREATE x\n;\nNEXT", "CREATE x", "x\n;\nNEXT", 1, Some("x"));
        check("a\n;\nCREATE x\n;\nNEXT", "CREATE x", "x\n;\nNE...", 1, Some("x"));
        check("a,\na,\na b", "a,\na,\na b", "a b", 3, Some("a b"));
        check("(a a\n(a a", "(a a\n(a a", "a\n(a a", 1, Some("a\n(a a"));
        check("SELECT (", "SELECT (", "", 1, Some(""));
        check("SELECT (\n;\nNEXT", "SELECT (", ";\nNEXT", 2, Some(""));
        check("it's 'x'", "it's 'x'", "s 'x'", 1, Some("s 'x'"));
        check("x", "x", "elsewhere", 1, None);
    }
}
