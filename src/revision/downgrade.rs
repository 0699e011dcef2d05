//! The plan of a downgrade.

use crate::code::Code;
use crate::error::{Error, Result};
use crate::revision::applied::Applied;
use crate::revision::graph::RevisionGraph;
use crate::revision::nodes::Node;
use crate::revision::plan::{Plan, down};
use crate::revision::resolve::{Command, Overwalk, Resolver};
use crate::revision::target::{Offset, Target};

impl Plan {
    /// The downgrade to a target: every applied revision that comes after it, and what needs those.
    ///
    /// With a branch before the target, only what comes after it on the way to that branch.
    ///
    /// # Errors
    /// Those under `target::` in [`Code`].
    pub fn downgrade(graph: &RevisionGraph, applied: &Applied, target: &Target) -> Result<Self> {
        let resolver = Resolver::new(graph, None, Command::Downgrade);
        let heads = applied.heads(graph);
        let (branch, node) = downgrade_target(graph, resolver, applied, &heads, target)?;
        let mut roots = node.map_or_else(|| graph.bases(), |node| graph.down_children(node).to_vec());
        if let Some(branch) = branch
            && roots.len() > 1
        {
            let way = graph.down_ancestors([branch]);
            roots.retain(|&root| way.contains(root));
            if roots.is_empty() {
                return Err(not_on_the_way(graph, target, branch));
            }
        }
        let mut dropped = graph.descendants(roots);
        dropped.intersect(applied.set());
        if let Some(node) = node
            && dropped.is_empty()
            && !heads.contains(&node)
        {
            return Err(nothing_to_drop(graph, resolver, applied, node, &heads));
        }
        let steps: Vec<_> = down(graph, &dropped).collect();
        Ok(Plan::new(graph, applied.set(), &steps))
    }
}

/// The revision that is to be the newest, none for the base, and the branch to stay on, where one is named.
fn downgrade_target(
    graph: &RevisionGraph,
    resolver: Resolver<'_>,
    applied: &Applied,
    heads: &[Node],
    target: &Target,
) -> Result<(Option<Node>, Option<Node>)> {
    let branch = |code| {
        target
            .branch
            .as_deref()
            .map(|name| resolver.branch(name, code))
            .transpose()
    };
    let bare = Target {
        branch: None,
        offset: None,
        ..target.clone()
    };
    match (&target.symbol, target.offset) {
        (Some(_), None) => {
            let node = resolver.one(&bare)?;
            Ok((branch(Code::UnknownBranch)?.map(|branch| branch.node), node))
        }
        (Some(_), Some(Offset::Up(steps))) => {
            let start = resolver.one(&bare)?;
            let branch = branch(Code::UnknownRevision)?;
            let within = branch.as_ref().map(|branch| &branch.lineage);
            let node = resolver.up(start, steps, within, Overwalk::Refuse, target)?;
            Ok((branch.map(|branch| branch.node), node))
        }
        (Some(_), Some(Offset::Down(steps))) => {
            let start = resolver.one(&Target {
                offset: None,
                ..target.clone()
            })?;
            let node = resolver.down(start, steps, Overwalk::Refuse, target)?;
            Ok((branch(Code::UnknownBranch)?.map(|branch| branch.node), node))
        }
        (None, Some(Offset::Down(steps))) if steps > 0 => {
            let branch = branch(Code::UnknownRevision)?;
            let mut starts = heads.to_vec();
            if let Some(branch) = &branch {
                starts.retain(|&head| branch.lineage.contains(head));
                if starts.is_empty() {
                    // The branch may be applied only as far as others need it.
                    starts = applied.current(graph);
                    starts.retain(|&head| branch.lineage.contains(head));
                }
            }
            let start = match starts[..] {
                [start] => start,
                [] => return Err(resolver.out_of_range(target)),
                _ => return Err(several_starts(resolver, &starts, target, steps)),
            };
            let node = resolver.down(Some(start), steps, Overwalk::Refuse, target)?;
            Ok((Some(branch.map_or(start, |branch| branch.node)), node))
        }
        (None, _) => Err(resolver.out_of_range(target)),
    }
}

#[cold]
fn several_starts(resolver: Resolver<'_>, starts: &[Node], target: &Target, steps: u32) -> Error {
    let message = format!(
        "`{target}` could start from {} revisions that are applied side by side",
        starts.len()
    );
    resolver.list(Error::new(Code::Ambiguous, message), starts, |id| {
        Some(format!("{id}@-{steps}"))
    })
}

#[cold]
fn not_on_the_way(graph: &RevisionGraph, target: &Target, branch: Node) -> Error {
    let id = graph.id(branch);
    let message = format!("`{target}` names no branch to take down: `{id}` does not come after it");
    Error::new(Code::InvalidDowngradeTarget, message)
        .help("before `@`, name a revision or a label above the target; without it, all branches above go down")
}

#[cold]
fn nothing_to_drop(
    graph: &RevisionGraph,
    resolver: Resolver<'_>,
    applied: &Applied,
    node: Node,
    heads: &[Node],
) -> Error {
    let id = graph.id(node);
    let message = if applied.contains(node) {
        format!("nothing would be undone: no applied revision comes after `{id}`, others only depend on it")
    } else if applied.is_empty() {
        format!("nothing is applied, so there is no way down to `{id}`")
    } else {
        format!("`{id}` is not applied, so there is no way down to it")
    };
    let error = Error::new(Code::RangeNotAncestor, message);
    if heads.is_empty() {
        return error.help(format!("to apply it: sqlrev upgrade {id}"));
    }
    resolver.list(error.help("the heads of what is applied:"), heads, |_| None)
}
