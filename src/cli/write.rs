//! `init`, `revision`, `merge` and `edit`: what writes files of the project.

use std::path::PathBuf;

use serde_json::{Value, json};

use crate::cli::args;
use crate::cli::autogenerate;
use crate::cli::read;
use crate::cli::session::{History, Session};
use crate::cli::ui::Ui;
use crate::code::Code;
use crate::error::{Error, Result};
use crate::moment;
use crate::project::{self, Naming};
use crate::revision::applied::Applied;
use crate::revision::graph::RevisionGraph;
use crate::revision::nodes::Node;
use crate::revision::target::{Symbol, Target};
use crate::revision::{BranchLabel, Header, RevisionId, Transaction, header, parents};
use crate::secret;
use crate::shell;

pub(crate) fn init(session: &mut Session<'_>, args: &args::Init, ui: &mut Ui<'_>) -> Result<u8> {
    let word = args.dir.to_string_lossy();
    if secret::names_database(&word) || secret::redacted_word(&word) != word {
        return Err(
            Error::new(Code::Usage, format!("`{word}` names a database, and not a folder"))
                .help("sqlrev init FOLDER; a database is named by --url URL, or by `url:` in migrations.yaml then"),
        );
    }
    // Collecting the parts leaves `.` out.
    let folder: PathBuf = session.directory.join(&args.dir).components().collect();
    let files = project::init(&folder)?;
    let names: Vec<String> = files
        .iter()
        .map(|path| {
            path.strip_prefix(&session.directory)
                .unwrap_or(path)
                .to_string_lossy()
                .replace('\\', "/")
        })
        .collect();
    if ui.json {
        ui.value(&json!({ "files": names }));
        return Ok(0);
    }
    for name in &names {
        ui.line(name);
    }
    let there = if folder.components().eq(session.directory.components()) {
        String::new()
    } else {
        format!("cd {} && ", shell::word(word))
    };
    ui.say(&format!("next: {there}sqlrev revision -m \"what it does\""));
    Ok(0)
}

pub(crate) fn revision(session: &mut Session<'_>, args: &args::NewRevision, ui: &mut Ui<'_>) -> Result<u8> {
    let mut history = session.history()?;
    let graph = history.graph()?;
    let heads: Vec<Target> = args.head.iter().map(|word| word.parse()).collect::<Result<_>>()?;
    let nodes = parents::new_revision(graph, &heads, args.splice)?;
    let depends_on: Vec<Target> = args.depends_on.iter().map(|word| word.parse()).collect::<Result<_>>()?;
    let depends_on = parents::depends_on(graph, &depends_on)?;
    let generated = if args.autogenerate {
        after_all(graph, &nodes, &depends_on)?;
        let generated = autogenerate::generate(session, &history, graph, args, ui)?;
        match &generated {
            None => return Ok(nothing_to_write("the revisions build the schema as it should be", ui)),
            Some(generated) if generated.upgrade.trim().is_empty() => {
                return Ok(nothing_to_write("`process_revision` leaves out all that differs", ui));
            }
            Some(_) => generated,
        }
    } else {
        None
    };
    let (upgrade, downgrade) = match &generated {
        Some(generated) => (generated.upgrade.as_str(), generated.downgrade.as_str()),
        None => ("\n", ""),
    };
    let new = New {
        message: &args.message,
        id: args.rev_id.as_deref(),
        labels: &args.branch_label,
        depends_on,
        location: args.location.as_deref(),
        upgrade,
        downgrade,
        irreversible: generated.as_ref().is_some_and(|generated| generated.irreversible),
        alone: generated.as_ref().is_some_and(|generated| generated.alone),
    };
    let differences = generated.as_ref().map(|generated| generated.differences.clone());
    let held = generated.as_ref().is_some_and(|generated| generated.held);
    let mut written = vec![write(session, &history, graph, &nodes, new)?.with(differences)];
    if let Some(later) = generated.and_then(|generated| generated.later) {
        written.push(after(session, &written[0].header.id, args, &later)?);
    }
    told(&history, &written, ui);
    if held {
        let id = &written[0].header.id;
        ui.say(&format!(
            "note: the database holds this already; to say so: sqlrev stamp {id} --verify"
        ));
    }
    Ok(0)
}

/// A generated revision comes after all others: it leads on from the schema that they build.
fn after_all(graph: &RevisionGraph, nodes: &[Node], depends_on: &[std::sync::Arc<str>]) -> Result<()> {
    let needed = depends_on.iter().filter_map(|word| graph.names().find(word));
    let before = graph.ancestors(nodes.iter().copied().chain(needed));
    let Some(left) = graph.effective_heads().into_iter().find(|head| !before.contains(*head)) else {
        return Ok(());
    };
    let message = format!(
        "a generated revision comes after all others, and this one not after `{}`",
        graph.id(left)
    );
    Err(Error::new(Code::MultipleHeads, message)
        .help("join the heads first: sqlrev merge -m TEXT")
        .help("or let it come after all of them: --head heads"))
}

/// Writes a generated revision after the one that was just written.
fn after(
    session: &mut Session<'_>,
    first: &RevisionId,
    args: &args::NewRevision,
    later: &autogenerate::Generated,
) -> Result<Written> {
    let mut history = session.history()?;
    let graph = history.graph()?;
    let nodes: Vec<Node> = graph.node(first.as_str()).into_iter().collect();
    let message = format!("{}, on the tables in use", args.message);
    let new = New {
        message: &message,
        id: None,
        labels: &[],
        depends_on: Vec::new(),
        location: args.location.as_deref(),
        upgrade: &later.upgrade,
        downgrade: &later.downgrade,
        irreversible: false,
        alone: later.alone,
    };
    let written = write(session, &history, graph, &nodes, new)?;
    Ok(written.with(Some(later.differences.clone())))
}

/// There is nothing to be in a revision, and so none.
fn nothing_to_write(why: &str, ui: &mut Ui<'_>) -> u8 {
    if ui.json {
        ui.value(&json!({"revision": null, "down_revision": [], "files": [], "differences": []}));
    } else {
        ui.say(&format!("nothing to write: {why}"));
    }
    0
}

pub(crate) fn merge(session: &mut Session<'_>, args: &args::Merge, ui: &mut Ui<'_>) -> Result<u8> {
    let mut history = session.history()?;
    let graph = history.graph()?;
    let targets: Vec<Target> = args.targets.iter().map(|word| word.parse()).collect::<Result<_>>()?;
    let nodes = parents::merge(graph, &targets, args.splice)?;
    let new = New {
        message: &args.message,
        id: args.rev_id.as_deref(),
        labels: &args.branch_label,
        depends_on: Vec::new(),
        location: None,
        upgrade: "-- A merge point joins branches; it needs no statement of its own.\n",
        downgrade: "-- Nothing to undo.\n",
        irreversible: false,
        alone: false,
    };
    let written = write(session, &history, graph, &nodes, new)?;
    told(&history, &[written], ui);
    Ok(0)
}

/// A revision to be written.
struct New<'a> {
    message: &'a str,
    id: Option<&'a str>,
    labels: &'a [String],
    depends_on: Vec<std::sync::Arc<str>>,
    location: Option<&'a str>,
    upgrade: &'a str,
    downgrade: &'a str,
    /// It says that there is no way back, and gets no downgrade.
    irreversible: bool,
    /// Whether it has no transaction.
    alone: bool,
}

/// A revision that was written.
struct Written {
    header: Header,
    files: Vec<PathBuf>,
    /// What a generated one changes.
    differences: Option<Vec<Value>>,
}

impl Written {
    fn with(self, differences: Option<Vec<Value>>) -> Self {
        Self { differences, ..self }
    }
}

fn write(
    session: &mut Session<'_>,
    history: &History,
    graph: &RevisionGraph,
    nodes: &[Node],
    new: New<'_>,
) -> Result<Written> {
    let now = session.clock.now();
    let id = match new.id {
        Some(id) => id.to_owned(),
        None => fresh_id(session, graph),
    };
    refuse_taken(graph, &id)?;
    let mut header = Header::new(id.as_str());
    header.down_revisions = graph.ids(nodes.iter().copied());
    header.message = new.message.into();
    header.created = Some(now.as_str().into());
    header.branch_labels = new
        .labels
        .iter()
        .map(|label| BranchLabel::new(label.as_str()))
        .collect();
    header.depends_on = new.depends_on;
    header.irreversible = new.irreversible;
    if new.alone {
        header.transaction = Transaction::None;
    }
    let naming = Naming {
        revision: &id,
        message: new.message,
        epoch: moment::seconds(&now).unwrap_or(0),
    };
    let location = location(history, graph, nodes, new.location);
    let paths = history.project.new_paths(location.as_deref(), &naming);
    let [upgrade, downgrade] = paths.map_err(|error| {
        let other = Naming {
            revision: "a",
            ..naming
        };
        match history.project.new_paths(location.as_deref(), &other) {
            Ok(_) => not_in_a_name(&id),
            Err(_) => error,
        }
    })?;
    check(graph, &header, &history.project.shown(&upgrade))?;
    let text = header::write(&header) + new.upgrade;
    let mut files = vec![(upgrade, text)];
    if !new.irreversible {
        files.push((downgrade, new.downgrade.to_owned()));
    }
    project::write_all(&files)?;
    Ok(Written {
        header,
        files: files.into_iter().map(|(path, _)| path).collect(),
        differences: None,
    })
}

fn told(history: &History, written: &[Written], ui: &mut Ui<'_>) {
    let shown = |written: &Written| -> Vec<String> {
        let files = written.files.iter();
        files.map(|path| history.project.shown(path)).collect()
    };
    if !ui.json {
        for file in written.iter().flat_map(shown) {
            ui.line(&file);
        }
        return;
    }
    let mut value = Value::Null;
    for written in written.iter().rev() {
        let header = &written.header;
        let parents: Vec<&str> = header.down_revisions.iter().map(RevisionId::as_str).collect();
        let mut one = json!({"revision": header.id.as_str(), "down_revision": parents, "files": shown(written)});
        if let Some(differences) = &written.differences {
            one["differences"] = json!(differences);
        }
        if !value.is_null() {
            one["then"] = value;
        }
        value = one;
    }
    ui.value(&value);
}

/// The location of the first parent, unless one is named: a branch keeps to its folder.
fn location(history: &History, graph: &RevisionGraph, nodes: &[Node], named: Option<&str>) -> Option<String> {
    if let Some(named) = named {
        return Some(named.to_owned());
    }
    let file = graph.revision(*nodes.first()?).file_name();
    let locations = history.project.config.locations.iter();
    let inside = |name: &str| file.strip_prefix(name).is_some_and(|rest| rest.starts_with('/'));
    locations
        .map(|location| &location.name)
        .filter(|name| inside(name))
        .max_by_key(|name| name.len())
        .cloned()
}

/// Refuses what the graph would refuse as soon as the files are there.
fn check(graph: &RevisionGraph, header: &Header, name: &str) -> Result<()> {
    let text = header::write(header);
    let file = crate::source::SourceFile::new(name, text);
    let parsed = header::parse(&file)?;
    let new = crate::revision::Revision {
        header: parsed.header,
        places: parsed.places,
        upgrade: Some(crate::revision::Script {
            file,
            body: parsed.body,
            large: None,
            known: None,
        }),
        downgrade: None,
        missing_text: false,
        header_lost: false,
    };
    let mut revisions = graph.revisions().to_vec();
    revisions.push(new);
    RevisionGraph::build(revisions)
        .map(drop)
        .map_err(|error| error.without_labels_in(name))
}

/// Refuses an id that a revision has already, or that is none.
fn refuse_taken(graph: &RevisionGraph, id: &str) -> Result<()> {
    if id.is_empty() {
        return Err(Error::new(Code::IllegalRevisionId, "the revision id is empty")
            .help("leave --rev-id out, and an id is made"));
    }
    let Some(revision) = graph.get(id) else {
        return Ok(());
    };
    let error = Error::new(Code::DuplicateRevision, format!("the revision id `{id}` is taken"));
    let error = match revision.places.file() {
        Some(file) => error.at(file, revision.places.id(), "by this revision"),
        None => error,
    };
    Err(error.help("choose another one; or leave --rev-id out, and an id is made"))
}

fn not_in_a_name(id: &str) -> Error {
    let message = format!(
        "the revision id `{}` cannot be part of the name of a file",
        id.escape_debug()
    );
    Error::new(Code::IllegalRevisionId, message)
        .help("for example: --rev-id v1.2_fix; or leave it out, and an id is made")
}

fn fresh_id(session: &mut Session<'_>, graph: &RevisionGraph) -> String {
    loop {
        let id = (session.new_id)();
        if graph.get(&id).is_none() {
            return id;
        }
    }
}

pub(crate) fn edit(session: &mut Session<'_>, args: &args::Edit, ui: &mut Ui<'_>) -> Result<u8> {
    let target: Target = args.target.parse()?;
    let mut history = session.history()?;
    let seen = match target.symbol {
        Some(Symbol::Current) => Some(session.look_if_there(&mut history, ui)?),
        _ => None,
    };
    let graph = history.graph()?;
    let applied = seen.map(|seen| Applied::known(graph, seen.applied()).0);
    let revision = graph.revision(read::one(graph, applied.as_ref(), &target)?);
    let file = revision.file_name().to_owned();
    let path = history.project.root.join(&file);
    if revision.upgrade.is_none() && !path.is_file() {
        let message = format!("no file holds revision `{}`", revision.id());
        return Err(Error::new(Code::UnknownRevision, message).help("the ids: sqlrev history"));
    }
    let editor = ["VISUAL", "EDITOR"]
        .iter()
        .filter_map(|name| session.variables.get(*name))
        .find(|editor| !editor.trim().is_empty());
    let words = editor.and_then(|editor| shlex::split(editor)).unwrap_or_default();
    let Some((program, rest)) = words.split_first() else {
        return Err(Error::new(Code::Usage, "no editor is named").help("for example: export EDITOR=vi"));
    };
    let mut command = std::process::Command::new(program);
    command.args(rest).arg(&path).current_dir(&session.directory);
    if ui.json {
        // What an editor prints is no JSON; on a terminal it works there as well.
        command.stdout(std::io::stderr());
    }
    match command.status() {
        Ok(status) if status.success() => {
            if ui.json {
                ui.value(&json!({ "file": file }));
            }
            Ok(0)
        }
        Ok(status) => Err(Error::new(Code::FileIo, format!("the editor `{program}` failed")).cause(status.to_string())),
        Err(error) => Err(
            Error::new(Code::FileIo, format!("the editor `{program}` does not start"))
                .cause(error.to_string())
                .help("set $VISUAL or $EDITOR to a program that is there"),
        ),
    }
}
