//! What goes over the connection: statements one by one or several in a packet, and their results.

use std::ops::Range;
use std::sync::atomic::Ordering;
use std::time::Duration;

use crate::dialect::Rows;
use crate::driver::mysql::fault::{self, Trouble};
use crate::driver::mysql::wire::Parts;
use crate::driver::mysql::{ASKED, COM_QUERY, Mysql};
use crate::driver::{DriverError, Failure, Remarks};

const COM_SET_OPTION: u8 = 27;

/// A transaction is open.
const IN_TRANSACTION: u16 = 1;
/// Another result follows.
const MORE: u16 = 8;

/// How many milliseconds the server may take until it is told that somebody wants the run to stop.
const PATIENT: u32 = 5000;

/// The statement holds nothing that this server runs.
const EMPTY: u16 = 1065;
/// What `ROLLBACK` could not undo.
const NOT_ROLLED_BACK: &str = "1196";

/// Statements that wait to be sent in one packet.
#[derive(Default)]
pub(super) struct Queue {
    pub(super) sql: String,
    pub(super) parts: Vec<Part>,
    /// Whether a transaction was open before it.
    pub(super) was_open: bool,
}

/// A statement in a packet.
pub(super) struct Part {
    span: Range<usize>,
    ticket: Option<u64>,
}

/// How a result ended.
#[derive(Clone, Copy, Default)]
pub(super) struct Ended {
    pub(super) flags: u16,
    pub(super) warnings: u16,
}

pub(super) type Each<'e> = &'e mut dyn FnMut(&[Option<&str>]);

impl Mysql {
    /// Adds a statement to the queue.
    pub(super) fn put(&mut self, sql: &str, ticket: Option<u64>) {
        let start = self.queue.sql.len();
        self.queue.sql.push_str(sql);
        let span = start..self.queue.sql.len();
        self.queue.parts.push(Part { span, ticket });
        // A statement may end in a line comment.
        self.queue.sql.push_str("\n;\n");
    }

    /// Sends one statement by itself, and gives each row of its results to `each`.
    pub(super) fn send(&mut self, sql: &str, each: Each<'_>) -> Result<Ended, DriverError> {
        self.fits(sql)?;
        // What the splitter took for one statement must be one for the server as well.
        let several = !sql.contains(';');
        let sent = self.exchange(sql, several, |driver| {
            let mut ended = driver.result(each)?;
            while ended.flags & MORE != 0 {
                ended = driver.result(each)?;
            }
            Ok(ended)
        });
        match sent {
            Ok(ended) => {
                self.open = ended.flags & IN_TRANSACTION != 0;
                Ok(ended)
            }
            Err(Trouble::Said(said)) if said.code == EMPTY && sql.starts_with("/*") => Ok(Ended::default()),
            Err(trouble) => Err(self.failed(trouble, sql, 0..sql.len())),
        }
    }

    /// Sends everything that is queued in one packet, and waits for all of it.
    pub(super) fn send_queue(&mut self, each: Each<'_>) -> Result<(), DriverError> {
        let Queue { sql, parts, was_open } = std::mem::take(&mut self.queue);
        let Some(last) = parts.last() else { return Ok(()) };
        let text = &sql[..last.span.end];
        let mut done = 0;
        let mut ended = Ended::default();
        let sent = self.exchange(text, true, |driver| {
            loop {
                ended = driver.result(each)?;
                done += 1;
                if ended.flags & MORE == 0 {
                    return Ok(ended);
                }
            }
        });
        let trouble = match sent {
            Ok(ended) => {
                self.open = ended.flags & IN_TRANSACTION != 0;
                if done == parts.len() {
                    return Ok(());
                }
                // It saw the end of a statement elsewhere.
                Trouble::Strange(format!("the server took {} statements for {done}", parts.len()))
            }
            Err(trouble) => {
                self.open = if done == 0 {
                    was_open
                } else {
                    ended.flags & IN_TRANSACTION != 0
                };
                trouble
            }
        };
        let part = &parts[done.min(parts.len() - 1)];
        let mut error = self.failed(trouble, text, part.span.clone());
        error.ticket = part.ticket;
        Err(error)
    }

    /// Whether somebody wants the run to stop, although the statement that ran came to its end.
    fn stopped(&self) -> bool {
        // What the server is told now must not stop what puts things in order.
        for _ in 0..PATIENT {
            if self.interrupted.load(Ordering::Relaxed) != ASKED {
                break;
            }
            std::thread::sleep(Duration::from_millis(1));
        }
        self.interrupted.load(Ordering::Relaxed) != 0
    }

    /// Sends statements and takes their results.
    fn exchange<T>(
        &mut self,
        sql: &str,
        several: bool,
        take: impl FnOnce(&mut Self) -> Result<T, Trouble>,
    ) -> Result<T, Trouble> {
        if self.lost {
            return Err(Trouble::Strange("the connection is lost".to_owned()));
        }
        if self.stopped() {
            return Err(Trouble::Stopped);
        }
        let switches = self.several != several;
        if switches {
            self.wire.command(COM_SET_OPTION, &[u8::from(!several), 0]);
        }
        self.wire.command(COM_QUERY, sql.as_bytes());
        self.wire.send()?;
        if switches {
            let packet = self.wire.read()?;
            if packet.first() == Some(&0xff) {
                let said = Trouble::said(packet);
                // The statement's own results follow.
                let _ = take(self);
                return Err(said);
            }
            self.several = several;
        }
        take(self)
    }

    /// Reads one result: its rows, and how it ended.
    fn result(&mut self, each: Each<'_>) -> Result<Ended, Trouble> {
        let packet = self.wire.read()?;
        let mut parts = Parts(packet);
        let columns = match packet.first() {
            Some(0) => {
                parts.byte()?;
                parts.number()?;
                parts.number()?;
                let flags = parts.short()?;
                let warnings = parts.short()?;
                return Ok(Ended { flags, warnings });
            }
            Some(0xff) => return Err(Trouble::said(packet)),
            Some(0xfb) => {
                // It asks for a file of this machine; an empty packet says that there is none.
                self.wire.answer(&[])?;
                return self.result(each);
            }
            _ => usize::try_from(parts.number()?.unwrap_or_default()).unwrap_or_default(),
        };
        // What the columns are is of no interest; nor is the packet that ends them.
        for _ in 0..=columns {
            self.wire.read()?;
        }
        loop {
            let packet = self.wire.read()?;
            let mut parts = Parts(packet);
            match packet.first() {
                Some(0xfe) if packet.len() < 9 => {
                    parts.byte()?;
                    let warnings = parts.short()?;
                    let flags = parts.short()?;
                    return Ok(Ended { flags, warnings });
                }
                Some(0xff) => return Err(Trouble::said(packet)),
                _ => {}
            }
            let mut values = Vec::with_capacity(columns);
            for _ in 0..columns {
                values.push(parts.counted()?.map(String::from_utf8_lossy));
            }
            let row: Vec<Option<&str>> = values.iter().map(Option::as_deref).collect();
            each(&row);
        }
    }

    fn failed(&mut self, trouble: Trouble, sent: &str, span: Range<usize>) -> DriverError {
        let interrupted = self.interrupted.swap(0, Ordering::Relaxed) != 0;
        let mut error = fault::failed(trouble, sent, span, interrupted);
        match error.failure {
            Failure::Lost => {
                (self.lost, self.open) = (true, false);
                self.queue = Queue::default();
            }
            Failure::Contended => {
                // A deadlock rolls back by itself.
                self.kept = self.what_stayed().or_else(|| self.kept.take());
                error.remarks.details.extend(self.blockers());
            }
            _ => {}
        }
        error
    }

    /// Refuses a statement that is longer than the server takes: it would break the connection off.
    fn fits(&self, sql: &str) -> Result<(), DriverError> {
        if sql.len() < self.longest {
            return Ok(());
        }
        Err(DriverError {
            remarks: Box::new(Remarks {
                hint: Some(fault::PACKET.to_owned()),
                ..Remarks::default()
            }),
            ..DriverError::new(format!(
                "the statement has {} bytes, and the server takes {} (max_allowed_packet)",
                sql.len(),
                self.longest
            ))
        })
    }

    /// All rows of a statement that is sent by itself.
    pub(super) fn rows(&mut self, sql: &str) -> Result<Rows, DriverError> {
        let mut rows = Rows::new();
        self.send(sql, &mut |row| {
            rows.push(row.iter().map(|value| value.map(str::to_owned)).collect());
        })?;
        Ok(rows)
    }

    /// Runs a statement by itself; rows that it returns are stepped over.
    pub(super) fn run(&mut self, sql: &str) -> Result<(), DriverError> {
        let ended = self.send(sql, &mut |_| ())?;
        if ended.warnings > 0 && sql.eq_ignore_ascii_case("ROLLBACK") {
            self.kept = self.what_stayed();
        }
        Ok(())
    }

    /// What the last ROLLBACK could not undo, in the server's words.
    fn what_stayed(&mut self) -> Option<String> {
        let mut words = None;
        let each: Each<'_> = &mut |row: &[Option<&str>]| {
            if let [_, Some(NOT_ROLLED_BACK), Some(message)] = row {
                words = Some((*message).to_owned());
            }
        };
        self.send("SHOW WARNINGS", each).ok()?;
        words
    }
}
