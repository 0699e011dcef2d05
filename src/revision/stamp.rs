//! The plan of a stamp: rows written and taken away, nothing run.

use crate::code::Code;
use crate::error::Result;
use crate::revision::applied::{Applied, overlapping};
use crate::revision::graph::RevisionGraph;
use crate::revision::nodes::{Node, NodeSet};
use crate::revision::plan::{Plan, down, up};
use crate::revision::resolve::{Command, Resolver};
use crate::revision::target::Target;
use crate::sorted;

impl Plan {
    /// The changes to the version table that make it say that the database is at the targets.
    ///
    /// Each target takes the place of the applied heads on its line, with those of the other targets; `base`, where nothing
    /// else is named, takes all of them away. With `purge`, what was applied does not count.
    ///
    /// # Errors
    /// Those under `target::` in [`Code`]; `OverlappingRevisions` where heads would stand on one line.
    pub fn stamp(graph: &RevisionGraph, applied: &Applied, targets: &[Target], purge: bool) -> Result<Self> {
        let resolver = Resolver::new(graph, None, Command::Stamp);
        let old = if purge { Vec::new() } else { applied.heads(graph) };
        // The applied heads that any target has to do with.
        let mut concerned = NodeSet::new(graph.len());
        let mut new: Vec<Node> = Vec::new();
        for target in targets {
            let nodes = resolver.absolute(target)?;
            let mut shares = nodes.clone();
            if let Some(name) = &target.branch {
                shares.push(resolver.branch(name, Code::UnknownRevision)?.node);
            }
            let lineage = graph.wide_lineage(&shares);
            for &head in old.iter().filter(|&&head| shares.is_empty() || lineage.contains(head)) {
                concerned.insert(head);
            }
            new.extend(nodes);
        }
        let base = new.is_empty();
        new.retain(|&node| !concerned.contains(node));
        let mut replaced = graph.wide_lineage(&new);
        replaced.intersect(&concerned);
        let mut kept = old;
        kept.retain(|&head| !concerned.contains(head) || (!base && replaced.is_empty()));
        kept.extend(new);
        sorted::sort(&mut kept);
        kept.dedup();
        if let Some((lower, upper)) = graph.overlap(&kept) {
            return Err(overlapping(graph, lower, upper));
        }
        Ok(set(graph, applied.set(), &graph.ancestors(kept)))
    }
}

/// The revisions that a stamp with these targets has to do with: what leads to them, and what comes after; `None` for all.
///
/// # Errors
/// Those of the targets.
pub(crate) fn concerned(graph: &RevisionGraph, targets: &[Target]) -> Result<Option<NodeSet>> {
    let resolver = Resolver::new(graph, None, Command::Stamp);
    let mut shares = Vec::new();
    for target in targets {
        let nodes = resolver.absolute(target)?;
        if nodes.is_empty() && target.branch.is_none() {
            return Ok(None);
        }
        shares.extend(nodes);
        if let Some(name) = &target.branch {
            shares.push(resolver.branch(name, Code::UnknownRevision)?.node);
        }
    }
    Ok(Some(graph.wide_lineage(&shares)))
}

/// The changes from one state to another: what goes, descendants first, then what comes, ancestors first.
fn set(graph: &RevisionGraph, old: &NodeSet, new: &NodeSet) -> Plan {
    let (mut gone, mut come) = (old.clone(), new.clone());
    gone.subtract(new);
    come.subtract(old);
    let steps: Vec<_> = down(graph, &gone).chain(up(graph, &come)).collect();
    Plan::new(graph, old, &steps)
}
