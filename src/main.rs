//! The `sqlrev` command.

fn main() -> std::process::ExitCode {
    sqlrev::cli::main()
}
