//! `history`: the revisions of a range, newest first.

use crate::code::Code;
use crate::error::{Error, Result};
use crate::revision::applied::{Applied, overlapping};
use crate::revision::graph::RevisionGraph;
use crate::revision::nodes::{Node, NodeSet};
use crate::revision::resolve::{Command, Overwalk, Resolver};
use crate::revision::target::{Offset, Symbol, Target, TargetRange};
use crate::revision::upgrade::upgrade_targets;

/// The revisions from one end of a range to the other, both included, newest first; everything without a range.
///
/// With an older end, only what comes after it by `down_revision`; without one, all that the newer end needs.
/// Steps of the newer end are counted from the older one and stop at the last revision.
///
/// # Errors
/// Those under `target::` in [`Code`]; `RangeNotAncestor` where the older end does not lead to the newer one.
pub fn history(graph: &RevisionGraph, range: Option<&TargetRange>, applied: Option<&Applied>) -> Result<Vec<Node>> {
    let resolver = Resolver::new(graph, applied, Command::History);
    let (from, to) = range.map_or((None, None), |range| (range.from.as_ref(), range.to.as_ref()));
    let upper = upper(graph, resolver, applied, from, to)?;
    let lower = lower(graph, resolver, from)?;
    let mut shown = upper;
    if lower.iter().any(|&node| !shown.contains(node)) {
        return Err(not_ancestor(from, to));
    }
    if let Some((lower, upper)) = graph.overlap(&lower) {
        return Err(overlapping(graph, lower, upper));
    }
    if !lower.is_empty() {
        shown.intersect(&graph.down_descendants(lower.iter().copied()));
    }
    Ok(graph
        .order()
        .iter()
        .rev()
        .copied()
        .filter(|&node| shown.contains(node))
        .collect())
}

/// All that the newer end needs.
fn upper(
    graph: &RevisionGraph,
    resolver: Resolver<'_>,
    applied: Option<&Applied>,
    from: Option<&Target>,
    to: Option<&Target>,
) -> Result<NodeSet> {
    let heads = Target::symbol(Symbol::Heads);
    let to = to.unwrap_or(&heads);
    let mut nodes = if to.symbol.is_none() {
        // Steps are counted from the older end.
        let start = match from {
            Some(from) => Applied::from_set(graph.ancestors(resolver.absolute(from)?)),
            None => Applied::none(graph),
        };
        upgrade_targets(graph, resolver, &start, to, Overwalk::Stay)?
    } else if to.symbol == Some(Symbol::Current) && applied.is_some_and(Applied::is_empty) {
        graph.effective_heads()
    } else {
        upgrade_targets(graph, resolver, &Applied::none(graph), to, Overwalk::Stay)?
    };
    if let Some(branch) = from.and_then(|from| from.branch.as_deref()) {
        let branch = resolver.branch(branch, Code::UnknownRevision)?;
        nodes.retain(|&node| branch.lineage.contains(node));
    }
    if let Some((lower, upper)) = graph.overlap(&nodes) {
        return Err(overlapping(graph, lower, upper));
    }
    Ok(graph.ancestors(nodes))
}

fn lower(graph: &RevisionGraph, resolver: Resolver<'_>, from: Option<&Target>) -> Result<Vec<Node>> {
    let Some(from) = from else { return Ok(Vec::new()) };
    let nodes = resolver.absolute(from)?;
    if nodes.is_empty() && !graph.is_empty() && matches!(from.offset, Some(Offset::Down(_))) {
        let message = format!("`{from}` leads down to the base, which is no revision to start from");
        return Err(Error::new(Code::RangeNotAncestor, message).help("from the base on: sqlrev history -r base:"));
    }
    Ok(nodes)
}

#[cold]
fn not_ancestor(from: Option<&Target>, to: Option<&Target>) -> Error {
    let from = from.map(ToString::to_string).unwrap_or_default();
    let to = to.map_or("heads".to_owned(), ToString::to_string);
    Error::new(
        Code::RangeNotAncestor,
        format!("`{from}` does not lead to `{to}`, so there is nothing between them"),
    )
    .help("the older end comes first; everything up to the newer one: sqlrev history -r :".to_owned() + &to)
}

/// The same revisions with each branch in one piece, for drawing: still newest first, each before all that it needs.
///
/// Of the revisions that could come next, the one that became ready last comes, so that a line is followed to its end.
pub fn by_branch(graph: &RevisionGraph, order: &[Node]) -> Vec<Node> {
    let mut waits = vec![None; graph.len()];
    for node in order {
        waits[node.index()] = Some(0_usize);
    }
    let parents = |node: Node| graph.parents(node).iter().copied();
    for &node in order {
        for parent in parents(node) {
            if let Some(count) = &mut waits[parent.index()] {
                *count += 1;
            }
        }
    }
    let mut ready: Vec<Node> = order
        .iter()
        .rev()
        .copied()
        .filter(|node| waits[node.index()] == Some(0))
        .collect();
    let mut sorted = Vec::with_capacity(order.len());
    while let Some(node) = ready.pop() {
        sorted.push(node);
        for parent in parents(node) {
            if let Some(count) = &mut waits[parent.index()] {
                *count -= 1;
                if *count == 0 {
                    ready.push(parent);
                }
            }
        }
    }
    sorted
}
