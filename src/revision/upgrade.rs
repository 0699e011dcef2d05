//! The plan of an upgrade.

use crate::code::Code;
use crate::error::{Error, Result};
use crate::revision::applied::{Applied, overlapping};
use crate::revision::graph::RevisionGraph;
use crate::revision::nodes::{Node, NodeSet};
use crate::revision::plan::{Plan, up};
use crate::revision::resolve::{Command, Overwalk, Resolver};
use crate::revision::target::{Offset, Symbol, Target};

impl Plan {
    /// The upgrade to all of the targets: everything that they need and that is not applied. Nothing where they are applied.
    ///
    /// # Errors
    /// Those under `target::` in [`Code`].
    pub fn upgrade(graph: &RevisionGraph, applied: &Applied, targets: &[Target]) -> Result<Self> {
        let resolver = Resolver::new(graph, None, Command::Upgrade);
        let mut nodes = Vec::new();
        for target in targets {
            nodes.extend(upgrade_targets(graph, resolver, applied, target, Overwalk::Refuse)?);
        }
        nodes.sort();
        nodes.dedup();
        if let Some((lower, upper)) = graph.overlap(&nodes) {
            return Err(overlapping(graph, lower, upper));
        }
        applied.side_by_side(graph)?;
        let mut needed = graph.ancestors(nodes);
        needed.subtract(applied.set());
        let steps: Vec<_> = up(graph, &needed).collect();
        Ok(Plan::new(graph, applied.set(), &steps))
    }
}

/// What a target of `upgrade` stands for; steps without a symbol are counted from what is applied.
pub(crate) fn upgrade_targets(
    graph: &RevisionGraph,
    resolver: Resolver<'_>,
    applied: &Applied,
    target: &Target,
    overwalk: Overwalk,
) -> Result<Vec<Node>> {
    let Some(offset) = target.offset else {
        return resolver.absolute(target);
    };
    let start = match (&target.symbol, offset) {
        (Some(symbol), Offset::Up(steps)) if steps > 0 => {
            let branch = if *symbol == Symbol::Head {
                target.branch.clone()
            } else {
                None
            };
            resolver.one(&Target {
                branch,
                symbol: Some(symbol.clone()),
                offset: None,
            })?
        }
        (Some(_), _) => resolver.one(&Target {
            offset: None,
            ..target.clone()
        })?,
        (None, Offset::Up(steps)) if steps > 0 => None,
        (None, _) => return Err(resolver.out_of_range(target)),
    };
    let node = match offset {
        Offset::Up(0) => start,
        Offset::Down(steps) => resolver.down(start, steps, overwalk, target)?,
        Offset::Up(steps) => {
            let branch = target
                .branch
                .as_deref()
                .map(|name| resolver.branch(name, Code::UnknownRevision))
                .transpose()?;
            let within = branch.as_ref().map(|branch| &branch.lineage);
            let start = if target.symbol.is_some() {
                start
            } else {
                lowest(graph, resolver, applied, within, target)?
            };
            resolver.up(start, steps, within, overwalk, target)?
        }
    };
    Ok(node.into_iter().collect())
}

/// Where steps up start: the one head of what is applied, on the branch where one is named; none is before the bases.
fn lowest(
    graph: &RevisionGraph,
    resolver: Resolver<'_>,
    applied: &Applied,
    within: Option<&NodeSet>,
    target: &Target,
) -> Result<Option<Node>> {
    let mut starts = applied.heads(graph);
    if let Some(lineage) = within {
        starts.retain(|&head| lineage.contains(head));
        if starts.is_empty() {
            // The branch is applied only as far as others need it.
            let mut active = applied.set().clone();
            active.intersect(lineage);
            starts = Applied::from_set(active).heads(graph);
        }
    }
    match starts[..] {
        [] => Ok(None),
        [start] => Ok(Some(start)),
        _ => {
            let message = format!(
                "`{target}` could start from {} revisions that are applied side by side",
                starts.len()
            );
            let from = |id: &str| {
                Some(
                    Target {
                        branch: None,
                        ..Target {
                            symbol: Some(Symbol::Name(id.into())),
                            ..target.clone()
                        }
                    }
                    .to_string(),
                )
            };
            Err(resolver.list(Error::new(Code::Ambiguous, message), &starts, from))
        }
    }
}
