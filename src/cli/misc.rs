//! `ensure-version`, `explain`, `completions` and `man`.

use clap::CommandFactory;
use serde_json::json;

use crate::cli::args::{self, Cli};
use crate::cli::session::Session;
use crate::cli::ui::{ID, Ui};
use crate::code::Code;
use crate::error::{Error, Result, nearest};
use crate::execute::event::Event;
use crate::revision::graph::RevisionGraph;

pub(crate) fn ensure_version(session: &mut Session<'_>, args: &args::EnsureVersion, ui: &mut Ui<'_>) -> Result<u8> {
    let history = session.history()?;
    if args.sql {
        let creates = history.table.create();
        let statement = |create: &String| format!("{};\n", history.dialect.script().create_if_missing(create));
        let script: String = creates.iter().map(statement).collect();
        if ui.json {
            ui.value(&json!({ "script": script }));
        } else {
            ui.write(script.as_bytes());
        }
        return Ok(0);
    }
    let graph = RevisionGraph::build(Vec::new())?;
    let mut driver = session.open_to_write(&history)?;
    let mut silent = |_: Event<'_>| {};
    let patience = session.patience(history.project.config.lock_timeout);
    let mut executor = session.executor(&history, &graph, &mut *driver, patience, &mut silent);
    let created = executor.ensure_version()?;
    if ui.json {
        ui.value(&json!({ "created": created }));
    } else {
        ui.say(if created {
            "the version table was created"
        } else {
            "the version table is there"
        });
    }
    Ok(0)
}

pub(crate) fn explain(args: &args::Explain, ui: &mut Ui<'_>) -> Result<u8> {
    let Some(name) = &args.code else {
        if ui.json {
            let codes: Vec<_> = Code::ALL
                .iter()
                .map(|code| json!({"code": code.name(), "explanation": code.explain()}))
                .collect();
            ui.value(&json!({ "codes": codes }));
            return Ok(0);
        }
        for code in Code::ALL {
            ui.line(code.name());
        }
        return Ok(0);
    };
    let Some(code) = Code::from_name(name) else {
        let names = Code::ALL.iter().map(|code| code.name().trim_start_matches("sqlrev::"));
        let last = Code::ALL.iter().filter_map(|code| code.name().rsplit("::").next());
        let same = Code::ALL
            .iter()
            .filter(|code| code.name().rsplit("::").next() == Some(name));
        let same: Vec<String> = same.map(|code| format!("sqlrev explain {}", code.name())).collect();
        if !same.is_empty() {
            let message = format!("{} error codes end in `{name}`", same.len());
            return Err(Error::new(Code::UnknownCode, message).help(same.join("\n")));
        }
        let error = Error::new(Code::UnknownCode, format!("there is no error code `{name}`"));
        return Err(match nearest(name.trim_start_matches("sqlrev::"), names.chain(last)) {
            Some(near) => error.help(format!("sqlrev explain {near}")),
            None => error.help("sqlrev explain lists them all"),
        });
    };
    if ui.json {
        ui.value(&json!({"code": code.name(), "explanation": code.explain()}));
    } else {
        let head = ui.paint(ID, code.name());
        ui.line(&head);
        ui.line("");
        for line in wrapped(code.explain(), ui.width.min(100)) {
            ui.line(&line);
        }
    }
    Ok(0)
}

/// The text in lines of at most `width` characters.
fn wrapped(text: &str, width: usize) -> Vec<String> {
    let mut lines = vec![String::new()];
    for word in text.split(' ') {
        let line = lines.last_mut().expect("there is always a line");
        if !line.is_empty() && line.chars().count() + 1 + word.chars().count() > width {
            lines.push(word.to_owned());
        } else {
            if !line.is_empty() {
                line.push(' ');
            }
            line.push_str(word);
        }
    }
    lines
}

pub(crate) fn completions(args: &args::Completions, ui: &mut Ui<'_>) -> Result<u8> {
    let mut out = Vec::new();
    clap_complete::generate(args.shell, &mut Cli::command(), "sqlrev", &mut out);
    ui.write(&out);
    Ok(0)
}

pub(crate) fn man(ui: &mut Ui<'_>) -> Result<u8> {
    let mut out = Vec::new();
    let command = Cli::command();
    let mut page = clap_mangen::Man::new(command.clone()).render(&mut out);
    // A page for each command follows, so that its options are there to be searched.
    for sub in command.get_subcommands() {
        let name = sub.get_name();
        let named = sub.clone().display_name(format!("sqlrev-{name}"));
        let named = named.bin_name(format!("sqlrev {name}"));
        page = page.and_then(|()| clap_mangen::Man::new(named).render(&mut out));
    }
    page.map_err(|error| Error::new(Code::FileIo, "the page could not be made").cause(error.to_string()))?;
    ui.write(&out);
    Ok(0)
}
