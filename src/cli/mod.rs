//! The command line.

pub mod graph;

use std::process::ExitCode;

/// Runs the command of this process.
pub fn main() -> ExitCode {
    ExitCode::SUCCESS
}
