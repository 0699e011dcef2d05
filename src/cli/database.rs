//! `create` and `drop`: the database itself.

use std::path::{Path, PathBuf};

use clap::Args;
use serde_json::json;

use crate::cli::answer;
use crate::cli::session::{Session, unsupported};
use crate::cli::ui::Ui;
use crate::code::Code;
use crate::dialect;
use crate::driver::sqlite::{self, Access};
use crate::driver::{self, Driver, Failure, Whole};
use crate::error::{Error, Result};
use crate::execute::Cancel;
use crate::project::{DatabaseUrl, Project, SqliteUrl};
use crate::sql::write;

/// `drop`
#[derive(Debug, Args)]
pub(super) struct Drop {
    /// Asks nothing
    #[arg(short, long)]
    pub yes: bool,
    /// Ends the sessions that others have with it
    #[arg(long)]
    pub force: bool,
}

pub(super) fn create(session: &mut Session<'_>, ui: &mut Ui<'_>) -> Result<u8> {
    let project = session.project()?;
    let url = project.url()?;
    let (name, created) = match &url {
        DatabaseUrl::Sqlite(place) => {
            let path = file(place)?;
            let created = !path.exists();
            if created {
                let opened = sqlite::open(path, Access::Create).and_then(|mut db| Driver::execute(&mut db, "VACUUM"));
                opened.map_err(|error| failed(path, "create", &error.message))?;
            }
            (project.shown(path), created)
        }
        DatabaseUrl::Server { .. } => on_server(session, &project, &url, Whole::Create)?,
    };
    let schemas = schemas(&url)?;
    let shown = match schemas.first() {
        Some(schema) => format!("the schema {schema} in {name}"),
        None => name.clone(),
    };
    if ui.json {
        let mut value = json!({"database": name, "created": created});
        if !schemas.is_empty() {
            value["schemas"] = schemas.into();
        }
        ui.value(&value);
    } else if created {
        ui.say(&format!("created {shown}"));
    } else {
        ui.say(&format!("nothing to do: {shown} is there"));
    }
    Ok(0)
}

pub(super) fn drop(session: &mut Session<'_>, args: &Drop, ui: &mut Ui<'_>) -> Result<u8> {
    let project = session.project()?;
    let url = project.url()?;
    no_schema(&url)?;
    let (name, is_there) = match &url {
        DatabaseUrl::Sqlite(place) => {
            let path = file(place)?;
            if path.exists() {
                // Whatever else the file is, it is not dropped.
                let opened =
                    sqlite::open(path, Access::Read).and_then(|mut db| Driver::query(&mut db, "PRAGMA schema_version"));
                opened.map_err(|error| failed(path, "drop", &error.message))?;
            }
            (project.shown(path), path.exists())
        }
        DatabaseUrl::Server { .. } => on_server(session, &project, &url, Whole::IsThere)?,
    };
    // A link is named with the file that it leads to, which goes as well.
    let linked = match &url {
        DatabaseUrl::Sqlite(place) => real(file(place)?),
        DatabaseUrl::Server { .. } => None,
    };
    let linked = linked.map(|real| project.shown(&real));
    let shown = match &linked {
        Some(real) => format!("{name} and {real}, which it is a link to,"),
        None => name.clone(),
    };
    if is_there && !args.yes {
        ask(&name, &shown, &session.cancel, ui)?;
    }
    let dropped = match &url {
        _ if !is_there => false,
        DatabaseUrl::Sqlite(place) => {
            let path = file(place)?;
            unused(path)?;
            remove(path, real(path).as_deref())?;
            true
        }
        DatabaseUrl::Server { .. } => on_server(session, &project, &url, Whole::Drop { force: args.force })?.1,
    };
    if ui.json {
        let mut value = json!({"database": name, "dropped": dropped});
        if let Some(real) = linked {
            value["file"] = real.into();
        }
        ui.value(&value);
    } else if dropped {
        ui.say(&format!("dropped {}", shown.trim_end_matches(',')));
    } else {
        ui.say(&format!("nothing to do: {name} is not there"));
    }
    Ok(0)
}

/// The schemas of the database that the URL names.
fn schemas(url: &DatabaseUrl) -> Result<Vec<String>> {
    match url {
        DatabaseUrl::Server { text, dialect } => {
            dialect::named(dialect).map_or_else(|| Ok(Vec::new()), |dialect| dialect.schemas_named_by(text))
        }
        DatabaseUrl::Sqlite(_) => Ok(Vec::new()),
    }
}

/// Refuses a URL that names a part of the database: the whole would go.
fn no_schema(url: &DatabaseUrl) -> Result<()> {
    let Some(schema) = schemas(url)?.into_iter().next() else {
        return Ok(());
    };
    let message = format!("the URL names the schema `{schema}`, and `drop` drops the whole database");
    Err(Error::new(Code::Usage, message)
        .help(format!(
            "the schema alone: DROP SCHEMA {} CASCADE",
            write::quoted(&schema, '"')
        ))
        .help("the database: leave `schema` out of the URL"))
}

/// Refuses a file in which somebody else is writing.
fn unused(path: &Path) -> Result<()> {
    let mut db = sqlite::open(path, Access::Write).map_err(|error| failed(path, "drop", &error.message))?;
    let locked = Driver::execute(&mut db, "BEGIN EXCLUSIVE");
    match locked {
        Err(error) if error.failure == Failure::Busy => {
            let mut refused = Error::new(Code::LockTimeout, format!("somebody else uses `{}`", path.display()));
            if let Some(holder) = Driver::lock_holder(&db) {
                refused = refused.cause(format!("it is {holder}"));
            }
            Err(refused
                .state("nothing was dropped")
                .help("run the same command again when it is free"))
        }
        // A file that cannot be written may still be removed, and nobody writes in it.
        _ => Ok(()),
    }
}

/// The name is the answer: a `y` is typed too soon.
fn ask(name: &str, shown: &str, cancel: &Cancel, ui: &mut Ui<'_>) -> Result<()> {
    ui.tell(&format!(
        "{shown} would be dropped, with everything in it; its name is the answer that goes on:"
    ));
    if answer::line(cancel)?.is_some_and(|answer| answer.trim() == name) {
        return Ok(());
    }
    Err(
        Error::new(Code::Usage, "nothing was dropped: the answer was not its name")
            .help("sqlrev drop --yes asks nothing"),
    )
}

fn on_server(session: &Session<'_>, project: &Project, url: &DatabaseUrl, what: Whole) -> Result<(String, bool)> {
    let DatabaseUrl::Server { dialect, text } = url else {
        return Err(unsupported(url));
    };
    let done = driver::whole_database(dialect, text, session.opening(project)?, what);
    done.unwrap_or_else(|| Err(unsupported(url)))
}

fn file(place: &SqliteUrl) -> Result<&Path> {
    place.path.as_deref().ok_or_else(|| {
        let message = "the database is in memory: it comes and goes with each command";
        Error::new(Code::UnsupportedDatabase, message).help("--url sqlite:app.db names a file")
    })
}

/// The file that a link leads to; none where the path is no link.
fn real(path: &Path) -> Option<PathBuf> {
    if !path.is_symlink() {
        return None;
    }
    path.canonicalize().ok()
}

/// Removes the file, then what SQLite keeps beside it, since with a journal and no database nothing could be recovered,
/// and last the link that led to it, if one did.
#[expect(clippy::disallowed_methods, reason = "the file of the database is asked to go")]
fn remove(path: &Path, real: Option<&Path>) -> Result<()> {
    let file = real.unwrap_or(path);
    std::fs::remove_file(file).map_err(|error| failed(file, "drop", &error.to_string()))?;
    for suffix in ["-journal", "-wal", "-shm"] {
        let mut name = file.as_os_str().to_owned();
        name.push(suffix);
        let _ = std::fs::remove_file(name);
    }
    if real.is_some() {
        std::fs::remove_file(path).map_err(|error| failed(path, "drop", &error.to_string()))?;
    }
    Ok(())
}

fn failed(path: &Path, what: &str, why: &str) -> Error {
    Error::new(Code::Connect, format!("cannot {what} `{}`", path.display())).cause(why)
}
