//! The release of today.

use std::process::ExitCode;

fn main() -> ExitCode {
    let migrator = notes::migrator(sqlrev::embedded!(), concat!("notes ", env!("CARGO_PKG_VERSION")));
    match notes::run(&migrator) {
        Ok(()) => ExitCode::SUCCESS,
        Err(error) => {
            eprintln!("notes: {error}");
            ExitCode::FAILURE
        }
    }
}
