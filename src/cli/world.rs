//! Everything a command takes from outside, so that tests can lend it theirs.

use std::collections::BTreeMap;
use std::ffi::OsString;
use std::io::{self, IsTerminal, Write};
use std::path::PathBuf;
use std::process::ExitCode;
use std::time::Instant;

use crate::execute::Cancel;
use crate::execute::clock::System;
use crate::execute::event::Clock;
use crate::sorted::Gather as _;

/// What a command takes from outside.
pub struct World<'a> {
    /// The words of the command line, the program's name first.
    pub args: Vec<OsString>,
    /// The working directory.
    pub directory: PathBuf,
    /// The environment.
    pub variables: BTreeMap<String, String>,
    /// Who runs it.
    pub user: String,
    /// The clock.
    pub clock: &'a dyn Clock,
    /// Makes ids for new revisions.
    pub new_id: &'a mut dyn FnMut() -> String,
    /// Standard output.
    pub stdout: &'a mut dyn Write,
    /// Standard error.
    pub stderr: &'a mut dyn Write,
    /// What the two lead to.
    pub terminal: Terminal,
    /// How the command is stopped.
    pub cancel: Cancel,
}

/// What the output leads to.
#[derive(Debug, Clone)]
pub struct Terminal {
    /// Standard output is a terminal.
    pub stdout: bool,
    /// Standard error is a terminal.
    pub stderr: bool,
    /// How many columns it has.
    pub width: usize,
    /// Whether it shows more than ASCII.
    pub unicode: bool,
}

impl Default for Terminal {
    fn default() -> Self {
        Self {
            stdout: false,
            stderr: false,
            width: 80,
            unicode: true,
        }
    }
}

/// Runs the command of this process.
#[expect(clippy::disallowed_methods, reason = "here the process hands its environment over")]
pub fn main() -> ExitCode {
    let directory = match std::env::current_dir() {
        Ok(directory) => directory,
        Err(error) => {
            let _ = writeln!(io::stderr(), "error: there is no working directory: {error}");
            return ExitCode::FAILURE;
        }
    };
    // A value that is not UTF-8 is not left out, or a default would stand in for it: `${…}` refuses it.
    let variables: BTreeMap<String, String> = std::env::vars_os()
        .filter_map(|(name, value)| Some((name.into_string().ok()?, value.to_string_lossy().into_owned())))
        .into_map();
    let user = ["USER", "LOGNAME", "USERNAME"]
        .iter()
        .find_map(|name| variables.get(*name).filter(|name| !name.trim().is_empty()).cloned())
        .or_else(account);
    let cancel = Cancel::default();
    let stop = cancel.clone();
    // Without a handler Ctrl-C ends the process at once, and the database rolls back when it is opened next.
    let _ = ctrlc::set_handler(move || {
        if stop.fire() {
            leave();
        }
    });
    let mut stdout = io::BufWriter::with_capacity(1 << 16, io::stdout());
    let status = super::run(World {
        args: std::env::args_os().collect(),
        directory,
        terminal: terminal(&variables),
        variables,
        user: user.unwrap_or_else(|| "unknown".to_owned()),
        clock: &System::new(),
        new_id: &mut new_id,
        stdout: &mut stdout,
        stderr: &mut io::stderr(),
        cancel,
    });
    super::exit_code(status)
}

/// The name of the account that the process runs under, where no variable says it: in a container, or under cron.
#[cfg(target_os = "linux")]
#[expect(
    clippy::disallowed_methods,
    reason = "the accounts are the system's, and part of the environment"
)]
fn account() -> Option<String> {
    use std::os::unix::fs::MetadataExt;

    // The files of a process belong to its effective user.
    let uid = std::fs::metadata("/proc/self").ok()?.uid().to_string();
    let accounts = std::fs::read("/etc/passwd").ok()?;
    let accounts = String::from_utf8_lossy(&accounts);
    accounts.lines().find_map(|line| {
        let mut fields = line.split(':');
        let name = fields.next().filter(|name| !name.is_empty())?;
        (fields.nth(1) == Some(uid.as_str())).then(|| name.to_owned())
    })
}

#[cfg(not(target_os = "linux"))]
fn account() -> Option<String> {
    None
}

/// A second Ctrl-C does not wait for anything.
#[expect(clippy::exit, reason = "the user asked twice")]
fn leave() {
    std::process::exit(130);
}

fn terminal(variables: &BTreeMap<String, String>) -> Terminal {
    let unicode = ["LC_ALL", "LC_CTYPE", "LANG"]
        .iter()
        .find_map(|name| variables.get(*name).filter(|value| !value.is_empty()))
        .is_some_and(|value| value.to_ascii_lowercase().replace('-', "").contains("utf8"));
    Terminal {
        stdout: io::stdout().is_terminal(),
        stderr: io::stderr().is_terminal(),
        width: columns(variables),
        unicode,
    }
}

fn columns(variables: &BTreeMap<String, String>) -> usize {
    let told = variables.get("COLUMNS").and_then(|value| value.parse().ok());
    let asked = || terminal_size::terminal_size().map(|(width, _)| usize::from(width.0));
    told.or_else(asked).unwrap_or(80).max(40)
}

/// Twelve hexadecimal digits, as the field is used to.
fn new_id() -> String {
    let mut bytes = [0; 6];
    if getrandom::fill(&mut bytes).is_err() {
        // A system without a source of randomness still has a clock and a process.
        let now = Instant::now();
        let text = format!("{now:?}{}", std::process::id());
        bytes.copy_from_slice(&blake3::hash(text.as_bytes()).as_bytes()[..6]);
    }
    bytes.iter().map(|byte| format!("{byte:02x}")).collect()
}
