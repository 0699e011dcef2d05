//! What makes a set of revisions no graph, said with the words of the headers labelled.

use crate::code::Code;
use crate::error::{Error, Result};
use crate::revision::Revision;
use crate::revision::names::Names;
use crate::revision::nodes::{Edges, Node};
use crate::revision::target::{RESERVED, illegal_character};

/// The longest id and label, in bytes: as much as a file name holds.
const LONGEST: usize = 255;
/// How many members of a circle are shown.
const SHOWN: usize = 20;

/// Words of a header.
#[derive(Debug, Clone, Copy)]
pub(crate) enum Place {
    Id,
    Down(usize),
    DependsOn(usize),
    Label(usize),
}

/// Adds a label at words of a header, where the header is here.
pub(crate) fn label(error: Error, revision: &Revision, at: Place, text: &str) -> Error {
    let places = &revision.places;
    let Some(file) = places.file() else { return error };
    let span = match at {
        Place::Id => places.id(),
        Place::Down(i) => places.down_revision(i),
        Place::DependsOn(i) => places.depends_on(i),
        Place::Label(i) => places.label(i),
    };
    error.at(file, span, text)
}

/// Ids and labels: legal, and each used once.
pub(crate) fn names(revisions: &[Revision], names: &Names) -> Result<()> {
    for revision in revisions {
        legal(revision, revision.id().as_str(), "revision id", Place::Id)?;
        for (i, name) in revision.header.branch_labels.iter().enumerate() {
            legal(revision, name.as_str(), "branch label", Place::Label(i))?;
        }
    }
    if let Some((first, second)) = names.duplicate_id() {
        let (first, second) = (&revisions[first.index()], &revisions[second.index()]);
        let error = Error::new(
            Code::DuplicateRevision,
            format!("two files carry the revision id `{}`", first.id()),
        );
        let error = label(error, second, Place::Id, "the same id again");
        return Err(label(error, first, Place::Id, "already used here")
            .help("give one of them a new id, or delete it if it is a copy"));
    }
    match names.duplicate_label() {
        Some((name, first, second)) => Err(duplicate_label(revisions, name, first, second)),
        None => Ok(()),
    }
}

#[cold]
fn duplicate_label(revisions: &[Revision], name: &str, first: Node, second: Node) -> Error {
    let (first, second) = (&revisions[first.index()], &revisions[second.index()]);
    let at = |revision: &Revision| {
        let label = revision.header.branch_labels.iter().position(|l| l.as_str() == name);
        label.map_or(Place::Id, Place::Label)
    };
    let (message, here) = if first.id().as_str() == name {
        (
            format!("the branch label `{name}` is the id of a revision"),
            "this revision",
        )
    } else {
        (
            format!("two revisions carry the branch label `{name}`"),
            "already used here",
        )
    };
    let error = label(
        Error::new(Code::DuplicateBranchLabel, message),
        second,
        at(second),
        "used again here",
    );
    // Of a revision labelled with its own id, the label is the one to show.
    let other = if first.id().as_str() == name {
        Place::Id
    } else {
        at(first)
    };
    label(error, first, other, here).help("a label is written once, where its branch begins")
}

fn legal(revision: &Revision, name: &str, what: &str, at: Place) -> Result<()> {
    let wrong = if name.is_empty() {
        "is empty".to_owned()
    } else if name.len() > LONGEST {
        format!("is longer than {LONGEST} bytes")
    } else if RESERVED.contains(&name) {
        "is a word with a meaning of its own".to_owned()
    } else if let Some((_, character)) = illegal_character(name) {
        format!("holds `{}`", character.escape_debug())
    } else {
        return Ok(());
    };
    let named = match name {
        "" => what.to_owned(),
        _ if name.len() > LONGEST => what.to_owned(),
        _ => format!("{what} `{}`", name.escape_debug()),
    };
    let error = Error::new(Code::IllegalRevisionId, format!("the {named} {wrong}"));
    Err(label(error, revision, at, "not a name that a target could hold")
        .help("ids and labels hold no white space and none of `@` `+` `-` `:` `,`, and are none of head, heads, base, current"))
}

/// Refuses a revision that names itself.
pub(crate) fn no_self_loop(revision: &Revision) -> Result<()> {
    let (id, header) = (revision.id(), &revision.header);
    if let Some(i) = header.down_revisions.iter().position(|down| down == id) {
        let error = Error::new(Code::SelfLoop, format!("revision `{id}` comes after itself"));
        return Err(label(error, revision, Place::Down(i), "its own id")
            .help("write the revision before it, or null where it is the first"));
    }
    let own = |name: &str| name == id.as_str() || header.branch_labels.iter().any(|label| label.as_str() == name);
    if let Some(i) = header.depends_on.iter().position(|name| own(name)) {
        let error = Error::new(Code::DependencySelfLoop, format!("revision `{id}` depends on itself"));
        return Err(label(error, revision, Place::DependsOn(i), "its own name").help("take it out"));
    }
    Ok(())
}

/// The error for a name in a header that no file holds.
#[cold]
pub(crate) fn missing(revision: &Revision, name: &str, at: Place, names: &Names) -> Error {
    let (id, verb) = (
        revision.id(),
        if matches!(at, Place::Down(_)) {
            "comes after"
        } else {
            "depends on"
        },
    );
    let error = Error::new(
        Code::MissingReference,
        format!("revision `{id}` {verb} `{name}`, which no file holds"),
    );
    let error = label(error, revision, at, "not the id of a revision here");
    if let Some(owner) = names.label(name) {
        let owner = names.id(owner);
        return error.help(format!(
            "`{name}` is a branch label; write the id of a revision, such as `{owner}`"
        ));
    }
    match names.similar(name) {
        Some(similar) => error.help(format!("there is `{similar}`")),
        None => error.help("restore the file, or correct the header"),
    }
}

/// The error for revisions that wait for one another, where `edges` (to parents) leave `unsorted` without an order.
///
/// Each of these has a parent among them, so that walking from parent to parent comes to a circle.
#[cold]
pub(crate) fn circle(revisions: &[Revision], edges: &Edges, unsorted: &[Node], code: Code) -> Error {
    let mut waits = vec![None; revisions.len()];
    let mut is_unsorted = vec![false; revisions.len()];
    for node in unsorted {
        is_unsorted[node.index()] = true;
    }
    for &node in unsorted {
        waits[node.index()] = edges
            .of(node)
            .iter()
            .copied()
            .find(|parent| is_unsorted[parent.index()]);
    }
    let mut walked = vec![false; revisions.len()];
    let mut at = unsorted.first().copied();
    while let Some(node) = at.filter(|node| !std::mem::replace(&mut walked[node.index()], true)) {
        at = waits[node.index()];
    }
    let mut members: Vec<Node> = Vec::new();
    let mut next = at;
    while let Some(node) = next.filter(|node| members.first() != Some(node)) {
        members.push(node);
        next = waits[node.index()];
    }
    let first = members
        .iter()
        .enumerate()
        .min_by_key(|(_, node)| **node)
        .map_or(0, |(i, _)| i);
    members.rotate_left(first);
    circle_error(revisions, &members, code)
}

fn circle_error(revisions: &[Revision], members: &[Node], code: Code) -> Error {
    let revision = |node: &Node| &revisions[node.index()];
    let names: Vec<String> = members
        .iter()
        .take(SHOWN)
        .map(|node| format!("`{}`", revision(node).id()))
        .collect();
    let more = if members.len() > SHOWN { " and so on," } else { "" };
    let what = if code == Code::Cycle { "come after" } else { "wait for" };
    let message = format!(
        "{} revisions {what} one another in a circle: {}{more}",
        members.len(),
        names.join(", ")
    );
    let mut error = Error::new(code, message);
    for (i, node) in members.iter().enumerate().take(SHOWN) {
        let (child, parent) = (revision(node), revision(&members[(i + 1) % members.len()]));
        let header = &child.header;
        let (at, verb) = match header.down_revisions.iter().position(|down| down == parent.id()) {
            Some(i) => (Place::Down(i), "comes after"),
            None => (Place::DependsOn(dependency(child, parent)), "depends on"),
        };
        error = label(error, child, at, &format!("`{}` {verb} `{}`", child.id(), parent.id()));
    }
    error.help("correct the header of one of them, so that one is first")
}

fn dependency(child: &Revision, parent: &Revision) -> usize {
    let names = |name: &str| {
        name == parent.id().as_str() || parent.header.branch_labels.iter().any(|label| label.as_str() == name)
    };
    child
        .header
        .depends_on
        .iter()
        .position(|name| names(name))
        .unwrap_or_default()
}
