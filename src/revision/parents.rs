//! What a new revision comes after, and depends on.

use std::sync::Arc;

use crate::code::Code;
use crate::error::{Error, Result};
use crate::revision::graph::RevisionGraph;
use crate::revision::nodes::Node;
use crate::revision::resolve::{Command, Resolver};
use crate::revision::target::{Symbol, Target};

/// What a new revision comes after: the targets (`head` where there are none), each of which must be a head; with
/// `splice`, any revision. `base` is none.
///
/// # Errors
/// Those under `target::` in [`Code`], above all `MultipleHeads` and `NotAHead`.
pub fn new_revision(graph: &RevisionGraph, targets: &[Target], splice: bool) -> Result<Vec<Node>> {
    let resolver = Resolver::new(graph, None, Command::Revision);
    let nodes = if targets.is_empty() {
        resolver.absolute(&Target::symbol(Symbol::Head))?
    } else {
        resolver.all(targets)?
    };
    heads_unless(graph, nodes, splice)
}

/// What a merge point comes after: the targets, or all heads by `down_revision` where there are none.
///
/// # Errors
/// Those of [`new_revision`], and `NothingToMerge` where only one revision is meant, unless with `splice`.
pub fn merge(graph: &RevisionGraph, targets: &[Target], splice: bool) -> Result<Vec<Node>> {
    let nodes = if targets.is_empty() {
        graph.heads()
    } else {
        Resolver::new(graph, None, Command::Merge).all(targets)?
    };
    let nodes = heads_unless(graph, nodes, splice)?;
    let few = match nodes[..] {
        [] => "there is no revision to merge".to_owned(),
        [node] if targets.is_empty() || !splice => format!("there is only one revision to merge, `{}`", graph.id(node)),
        _ => return Ok(nodes),
    };
    Err(Error::new(Code::NothingToMerge, few).help("the heads: sqlrev heads"))
}

fn heads_unless(graph: &RevisionGraph, nodes: Vec<Node>, splice: bool) -> Result<Vec<Node>> {
    let Some(&node) = nodes.iter().find(|&&node| !splice && !graph.is_head(node)) else {
        return Ok(nodes);
    };
    let id = graph.id(node);
    let error = Error::new(Code::NotAHead, format!("revision `{id}` is not a head"));
    let next = graph.ids(graph.down_children(node).iter().copied().take(5));
    let next: Vec<String> = next.iter().map(|id| format!("`{id}`")).collect();
    Err(error
        .help(format!("after it come: {}", next.join(", ")))
        .help(format!("the head after it: {id}@head"))
        .help("to start a branch here on purpose, add --splice"))
}

/// What `depends_on` of a new revision says: full ids for beginnings of ids, and labels as they are.
///
/// # Errors
/// Those under `target::` in [`Code`].
pub fn depends_on(graph: &RevisionGraph, targets: &[Target]) -> Result<Vec<Arc<str>>> {
    let resolver = Resolver::new(graph, None, Command::Show);
    let mut names: Vec<Arc<str>> = Vec::new();
    for target in targets {
        let name: Arc<str> = match &target.symbol {
            Some(Symbol::Name(name)) if target.branch.is_none() && graph.names().label(name).is_some() => name.clone(),
            _ => {
                let Some(node) = resolver.one(target)? else {
                    let message = format!("`{target}` is no revision to depend on");
                    return Err(Error::new(Code::NotOneRevision, message).help("the ids: sqlrev history"));
                };
                graph.id(node).as_str().into()
            }
        };
        if !names.contains(&name) {
            names.push(name);
        }
    }
    Ok(names)
}
