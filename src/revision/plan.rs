//! Plans: from what is applied and a target, the steps to take.

use crate::code::Code;
use crate::error::{Error, Result};
use crate::revision::applied::Applied;
use crate::revision::check::{Place, label};
use crate::revision::graph::RevisionGraph;
use crate::revision::heads::{Heads, follow};
use crate::revision::nodes::{Node, NodeSet};
use crate::revision::resolve::Command;
use crate::revision::target::{Symbol, Target, TargetRange};
use crate::revision::{Direction, RevisionId};

/// What to do, in order, and where that leads.
#[derive(Debug, Clone)]
#[non_exhaustive]
pub struct Plan {
    /// The heads before the first step.
    pub from: Heads,
    /// The heads after the last step.
    pub to: Heads,
    /// One revision each.
    pub steps: Vec<Step>,
}

/// One revision, run in one direction; of a stamp, one row written or taken away.
#[derive(Debug, Clone)]
#[non_exhaustive]
pub struct Step {
    /// Up or down.
    pub direction: Direction,
    /// The revision.
    pub revision: RevisionId,
    /// The revision in the graph that the plan was made from.
    pub node: Node,
    /// The heads before this step.
    pub heads_before: Heads,
    /// The heads after this step.
    pub heads_after: Heads,
}

impl Plan {
    /// Takes the steps from what is applied.
    pub(crate) fn new(graph: &RevisionGraph, applied: &NodeSet, steps: &[(Direction, Node)]) -> Self {
        let heads = follow(graph, applied, steps);
        let moments = heads.windows(2).zip(steps);
        Self {
            from: heads[0].clone(),
            to: heads[steps.len()].clone(),
            steps: moments
                .map(|(heads, &(direction, node))| Step {
                    direction,
                    revision: graph.id(node).clone(),
                    node,
                    heads_before: heads[0].clone(),
                    heads_after: heads[1].clone(),
                })
                .collect(),
        }
    }

    /// One revision in one direction, whatever else it would need.
    pub fn one(graph: &RevisionGraph, applied: &Applied, direction: Direction, node: Node) -> Self {
        Self::new(graph, applied.set(), &[(direction, node)])
    }

    /// Whether there is nothing to do.
    pub fn is_empty(&self) -> bool {
        self.steps.is_empty()
    }

    /// `upgrade A:B`: from A (the base without one) to B (all heads without one).
    pub fn upgrade_range(graph: &RevisionGraph, range: &TargetRange) -> Result<Self> {
        let applied = range_start(graph, range, Command::Upgrade)?;
        let to = range.to.clone().unwrap_or(Target::symbol(Symbol::Heads));
        Self::upgrade(graph, &applied, &[to])
    }

    /// `downgrade A:B`: from A (all heads without one) to B (the base without one).
    pub fn downgrade_range(graph: &RevisionGraph, range: &TargetRange) -> Result<Self> {
        let from = range.from.clone().unwrap_or(Target::symbol(Symbol::Heads));
        let applied = Applied::from_heads(graph, &[from], Command::Downgrade)?;
        Self::downgrade(
            graph,
            &applied,
            &range.to.clone().unwrap_or(Target::symbol(Symbol::Base)),
        )
    }

    /// `stamp A:B`: from A (the base without one) to B (all heads without one).
    pub fn stamp_range(graph: &RevisionGraph, range: &TargetRange) -> Result<Self> {
        let applied = range_start(graph, range, Command::Stamp)?;
        let to = range.to.clone().unwrap_or(Target::symbol(Symbol::Heads));
        Self::stamp(graph, &applied, &[to], false)
    }

    /// The downgrades of the applied revisions that no file holds.
    pub fn downgrade_strangers(graph: &RevisionGraph, applied: &Applied) -> Self {
        let mut strangers = NodeSet::new(graph.len());
        let is_stranger = |node: &Node| {
            let revision = graph.revision(*node);
            revision.upgrade.is_none() && !revision.missing_text
        };
        for node in applied.set().iter().filter(is_stranger) {
            strangers.insert(node);
        }
        let steps: Vec<_> = down(graph, &strangers).collect();
        Self::new(graph, applied.set(), &steps)
    }

    /// Refuses a plan that would go down through a revision that cannot be undone, naming each.
    ///
    /// # Errors
    /// [`Code::Irreversible`].
    pub fn check_reversible(&self, graph: &RevisionGraph) -> Result<()> {
        let stuck: Vec<_> = self
            .steps
            .iter()
            .filter(|step| step.direction == Direction::Downgrade)
            .map(|step| graph.revision(step.node))
            .filter(|revision| revision.downgrade.is_none() || revision.header.irreversible || revision.header_lost)
            .collect();
        let [first, more @ ..] = &stuck[..] else {
            return Ok(());
        };
        let message = if more.is_empty() {
            format!("revision `{}` on the way down cannot be undone", first.id())
        } else {
            let names: Vec<String> = stuck.iter().map(|revision| format!("`{}`", revision.id())).collect();
            format!(
                "{} revisions on the way down cannot be undone: {}",
                stuck.len(),
                names.join(", ")
            )
        };
        let mut error = Error::new(Code::Irreversible, message);
        for revision in &stuck {
            let why = if revision.header.irreversible {
                "stated to be irreversible"
            } else if revision.downgrade.is_none() {
                "there is no downgrade file"
            } else {
                "how its downgrade is to run stands in its upgrade file, which is not here"
            };
            error = label(error, revision, Place::Id, why);
        }
        if stuck
            .iter()
            .any(|revision| revision.downgrade.is_some() && revision.header_lost)
        {
            return Err(error.help("do it with the program or the files that made it: they have the header"));
        }
        Err(error.help("restore a backup, or write a new revision that undoes it by hand"))
    }
}

/// The state that the older end of a range names; without it, nothing is applied.
fn range_start(graph: &RevisionGraph, range: &TargetRange, command: Command) -> Result<Applied> {
    match &range.from {
        Some(from) => Applied::from_heads(graph, std::slice::from_ref(from), command),
        None => Ok(Applied::none(graph)),
    }
}

/// Ancestors first.
pub(crate) fn up(graph: &RevisionGraph, nodes: &NodeSet) -> impl Iterator<Item = (Direction, Node)> {
    graph
        .order()
        .iter()
        .filter(|&&node| nodes.contains(node))
        .map(|&node| (Direction::Upgrade, node))
}

/// Descendants first.
pub(crate) fn down(graph: &RevisionGraph, nodes: &NodeSet) -> impl Iterator<Item = (Direction, Node)> {
    graph
        .order()
        .iter()
        .rev()
        .filter(|&&node| nodes.contains(node))
        .map(|&node| (Direction::Downgrade, node))
}
