//! The first release, as users still have it.

use std::process::ExitCode;

fn main() -> ExitCode {
    let migrator = notes::migrator(sqlrev::embedded!("first.bin"), "notes 1.0.0");
    match notes::run(&migrator) {
        Ok(()) => ExitCode::SUCCESS,
        Err(error) => {
            eprintln!("notes: {error}");
            ExitCode::FAILURE
        }
    }
}
