//! The command line.

mod answer;
mod args;
mod asked;
mod autogenerate;
mod backup;
mod check;
mod compare;
mod database;
mod diff;
mod fleet;
pub mod graph;
mod json;
mod misc;
mod progress;
mod read;
mod renames;
mod report;
mod run;
mod scratch;
mod script;
mod session;
mod test;
mod text;
mod ui;
mod world;
mod write;

use std::ffi::OsString;
use std::process::ExitCode;

use clap::{Args as _, CommandFactory, FromArgMatches};

use crate::code::Code;
use crate::error::{Error, Result};
use crate::secret;
use args::{Cli, Color, Command, Format, Global};
use session::Session;
use ui::Ui;

pub use crate::execute::Cancel;
pub use world::{Terminal, World, main};

/// A check found something.
const FOUND: u8 = 3;

/// Runs one command and returns its exit status.
pub fn run(world: World<'_>) -> u8 {
    let World {
        args,
        directory,
        variables,
        user,
        clock,
        new_id,
        stdout,
        stderr,
        terminal,
        cancel,
    } = world;
    let mut ui = Ui::new(stdout, stderr);
    ui.width = terminal.width;
    ui.unicode = terminal.unicode;
    let cli = match parse(&args) {
        Ok(cli) => cli,
        Err(error) => return usage(&error, &args, &mut ui),
    };
    colors(&mut ui, cli.global.color, &variables, &terminal);
    ui.json = cli.global.format == Format::Json;
    if cli.global.format == Format::Junit && !matches!(cli.command, Command::Test(_)) {
        let error = Error::new(Code::Usage, "`--format junit` is for `test` alone").help("for programs: --format json");
        return finish(Err(error), &mut ui);
    }
    ui.quiet = cli.global.quiet;
    ui.verbose = cli.global.verbose;
    ui.live = terminal.stderr && !ui.json;
    let mut session = Session {
        directory,
        variables,
        global: cli.global,
        user,
        clock,
        new_id,
        cancel,
        running: std::cell::RefCell::default(),
        opened: std::cell::RefCell::default(),
        runs_texts: matches!(
            cli.command,
            Command::Upgrade(_)
                | Command::Downgrade(_)
                | Command::Plan(_)
                | Command::Rehearse(_)
                | Command::Test(_)
                | Command::Check(_)
                | Command::Revision(_)
        ),
    };
    let result = dispatch(&mut session, &cli.command, &mut ui);
    let result = result.map_err(|error| how_to_wait(which_database(error, &session), &cli.command));
    // A URL may stand where something else should, also in the configuration, and is told of as that.
    let hiding = secret::Hiding::of(&args);
    let result = result.map_err(|error| error.in_words(&|text| hiding.hide(text)));
    finish(result, &mut ui)
}

/// Names the database in errors that are about all of it.
fn which_database(error: Error, session: &Session<'_>) -> Error {
    let whole = matches!(
        error.code(),
        Code::NotADatabase | Code::ReadOnly | Code::DiskFull | Code::LockTimeout
    );
    match &*session.opened.borrow() {
        Some(url) if whole => error.cause(format!("the database is `{url}`")),
        _ => error,
    }
}

/// Commands that only read have no option for how long they wait: the configuration has one.
fn how_to_wait(error: Error, command: &Command) -> Error {
    let reads = matches!(
        command,
        Command::Plan(_)
            | Command::Current(_)
            | Command::History(_)
            | Command::Show(_)
            | Command::Check(_)
            | Command::Diff(_)
            | Command::Dump
            | Command::Edit(_)
            | Command::Restore(_)
            | Command::Revision(_)
    );
    if !reads || error.code() != Code::LockTimeout {
        return error;
    }
    error.help_in(|line| {
        line.replace(
            "--lock-timeout SECONDS waits longer",
            "`lock_timeout: 5m` in migrations.yaml waits longer",
        )
    })
}

fn parse(args: &[OsString]) -> Result<Cli, clap::Error> {
    let matches = Cli::command().try_get_matches_from(args)?;
    let mut cli = Cli::from_arg_matches(&matches)?;
    // Of an option that may come again, clap forgets what stands before the command when there is more after it.
    let before = Global::augment_args(clap::Command::new("sqlrev")).allow_external_subcommands(true);
    if let Ok(before) = before.try_get_matches_from(args) {
        let mut variables = Global::from_arg_matches(&before)?.variables;
        variables.append(&mut cli.global.variables);
        cli.global.variables = variables;
    }
    Ok(cli)
}

/// Help and the version are results; a wrong command line is an error with clap's own words.
fn usage(error: &clap::Error, args: &[OsString], ui: &mut Ui<'_>) -> u8 {
    let text = secret::Hiding::of(args).hide(&error.render().to_string());
    if !error.use_stderr() {
        ui.write(text.as_bytes());
        return u8::from(ui.finish().is_some());
    }
    let mut words = args.iter().map(|arg| arg.to_string_lossy());
    let mut asked = false;
    while let Some(word) = words.next() {
        asked |= word == "--format=json" || (word == "--format" && words.next().is_some_and(|word| word == "json"));
    }
    if asked {
        // The names of what is missing stand on lines of their own.
        let lines = text.lines().take_while(|line| !line.is_empty()).map(str::trim);
        let message = lines.collect::<Vec<_>>().join(" ");
        let message = message.trim_start_matches("error: ");
        let error = Error::new(Code::Usage, message).help("sqlrev --help");
        ui.value(&report::object(&error));
        ui.finish();
    } else {
        ui.tell(text.trim_end());
    }
    2
}

/// `--color`, then `NO_COLOR`, `CLICOLOR_FORCE` and what the terminal is.
fn colors(ui: &mut Ui<'_>, when: Color, variables: &std::collections::BTreeMap<String, String>, terminal: &Terminal) {
    let set = |name: &str| variables.get(name).is_some_and(|value| !value.is_empty());
    let forced = set("CLICOLOR_FORCE") && variables.get("CLICOLOR_FORCE").is_some_and(|value| value != "0");
    let dumb = variables.get("TERM").is_some_and(|value| value == "dumb");
    let auto = |is_terminal: bool| !set("NO_COLOR") && (forced || (is_terminal && !dumb));
    (ui.color_out, ui.color_err) = match when {
        Color::Always => (true, true),
        Color::Never => (false, false),
        Color::Auto => (auto(terminal.stdout), auto(terminal.stderr)),
    };
}

fn finish(result: Result<u8>, ui: &mut Ui<'_>) -> u8 {
    let status = match result {
        Ok(status) => status,
        Err(error) => {
            if ui.json {
                ui.value(&report::object(&error));
            } else {
                let picture = report::picture(&error, ui.color_err, ui.width);
                ui.tell(&picture);
            }
            match error.code() {
                Code::Interrupted => 130,
                Code::Usage | Code::UnknownCode => 2,
                _ => 1,
            }
        }
    };
    match ui.finish() {
        Some(error) => {
            ui.tell(&format!("error: standard output could not be written: {error}"));
            status.max(1)
        }
        None => status,
    }
}

fn dispatch(session: &mut Session<'_>, command: &Command, ui: &mut Ui<'_>) -> Result<u8> {
    match command {
        Command::Init(args) => write::init(session, args, ui),
        Command::Revision(args) => write::revision(session, args, ui),
        Command::Merge(args) => write::merge(session, args, ui),
        Command::Edit(args) => write::edit(session, args, ui),
        Command::Upgrade(args) if args.fleet.is_asked() => fleet::upgrade(session, args, ui),
        Command::Upgrade(args) => run::upgrade(session, args, ui),
        Command::Downgrade(args) => run::downgrade(session, args, ui),
        Command::Stamp(args) => run::stamp(session, args, ui),
        Command::Create => database::create(session, ui),
        Command::Drop(args) => database::drop(session, args, ui),
        Command::Rehearse(args) => backup::rehearse(session, args, ui),
        Command::Restore(args) => backup::restore(session, args, ui),
        Command::Plan(args) => run::plan(session, args, ui),
        Command::Current(args) => read::current(session, args, ui),
        Command::Heads(args) => read::heads(session, args, ui),
        Command::Branches => read::branches(session, ui),
        Command::History(args) => read::history(session, args, ui),
        Command::Show(args) => read::show(session, args, ui),
        Command::Diff(args) => diff::diff(session, args, ui),
        Command::Dump => diff::dump(session, ui),
        Command::Check(args) => check::check(session, args, ui),
        Command::Repair(args) => check::repair(session, args, ui),
        Command::Test(args) => test::test(session, args, ui),
        Command::EnsureVersion(args) => misc::ensure_version(session, args, ui),
        Command::Explain(args) => misc::explain(args, ui),
        Command::Completions(args) => misc::completions(args, ui),
        Command::Man => misc::man(ui),
    }
}

/// For a process: the status as it wants it.
fn exit_code(status: u8) -> ExitCode {
    ExitCode::from(status)
}
