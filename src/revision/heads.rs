//! The heads of what is applied, as they change from step to step.

use std::collections::BTreeSet;
use std::fmt;
use std::sync::Arc;

use crate::revision::graph::RevisionGraph;
use crate::revision::nodes::{Node, NodeSet};
use crate::revision::{Direction, RevisionId};
use crate::sorted::Gather as _;

/// The applied revisions that no applied revision descends from, at one moment of a plan; sorted by id.
///
/// All moments of a plan share one record of what changes, so that ten thousand steps over thousands of heads stay small.
#[derive(Clone)]
pub struct Heads {
    timeline: Arc<Timeline>,
    at: usize,
}

impl Heads {
    /// The ids, sorted.
    pub fn ids(&self) -> Vec<RevisionId> {
        let ranks = self.timeline.at(self.at);
        ranks
            .into_iter()
            .map(|rank| self.timeline.ids[rank as usize].clone())
            .collect()
    }

    /// Whether nothing is applied.
    pub fn is_empty(&self) -> bool {
        self.timeline.at(self.at).is_empty()
    }
}

impl PartialEq for Heads {
    fn eq(&self, other: &Self) -> bool {
        (Arc::ptr_eq(&self.timeline, &other.timeline) && self.at == other.at) || self.ids() == other.ids()
    }
}

impl fmt::Display for Heads {
    /// `a, b`, or `base` where nothing is applied.
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let ids = self.ids();
        let Some((first, more)) = ids.split_first() else {
            return f.write_str("base");
        };
        first.fmt(f)?;
        more.iter().try_for_each(|id| write!(f, ", {id}"))
    }
}

impl fmt::Debug for Heads {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_list().entries(self.ids()).finish()
    }
}

/// What changes at each step, by rank of the id, and now and then all heads: no further apart than there are heads, so
/// that the record is as large as the changes, and reading a moment costs as much as its answer.
struct Timeline {
    ids: Arc<[RevisionId]>,
    changes: Vec<u32>,
    /// Where the changes of each step end.
    ends: Vec<usize>,
    /// Step, and the heads before it.
    snapshots: Vec<(usize, Vec<u32>)>,
}

impl Timeline {
    fn at(&self, step: usize) -> Vec<u32> {
        let found = self.snapshots.partition_point(|(at, _)| *at <= step);
        let (from, heads) = &self.snapshots[found - 1];
        let mut changes = self.changes[self.end(*from)..self.end(step)].to_vec();
        changes.sort_unstable();
        // What changes twice is as it was, and what is left is in one of the two lists only, or in both.
        let mut once: Vec<u32> = Vec::with_capacity(changes.len());
        for rank in changes {
            if once.last() == Some(&rank) {
                once.pop();
            } else {
                once.push(rank);
            }
        }
        differing(heads, &once)
    }

    /// The end of the changes before a step.
    fn end(&self, step: usize) -> usize {
        step.checked_sub(1).map_or(0, |before| self.ends[before])
    }
}

/// What is in one of two sorted lists and not in both.
fn differing(a: &[u32], b: &[u32]) -> Vec<u32> {
    let mut all = Vec::with_capacity(a.len() + b.len());
    let (mut a, mut b) = (a, b);
    while let (Some(first), Some(second)) = (a.first(), b.first()) {
        if first <= second {
            if first < second {
                all.push(*first);
            } else {
                b = &b[1..];
            }
            a = &a[1..];
        } else {
            all.push(*second);
            b = &b[1..];
        }
    }
    all.extend_from_slice(a);
    all.extend_from_slice(b);
    all
}

fn toggle(heads: &mut BTreeSet<u32>, rank: u32) {
    if !heads.remove(&rank) {
        heads.insert(rank);
    }
}

/// The heads before the first step and after each, of steps that each change whether a revision is applied.
pub(crate) fn follow(graph: &RevisionGraph, applied: &NodeSet, steps: &[(Direction, Node)]) -> Vec<Heads> {
    let mut frontier = Frontier::new(graph, applied);
    let rank = |node: Node| graph.names().rank(node);
    let mut heads: BTreeSet<u32> = frontier.heads().into_iter().map(rank).into_set();
    let mut timeline = Timeline {
        ids: graph.names().sorted().clone(),
        changes: Vec::with_capacity(steps.len() * 2),
        ends: Vec::with_capacity(steps.len()),
        snapshots: vec![(0, heads.iter().copied().collect())],
    };
    let mut since = 0;
    for (i, &(direction, node)) in steps.iter().enumerate() {
        let before = timeline.changes.len();
        frontier.step(direction, node, |changed| timeline.changes.push(rank(changed)));
        timeline.changes[before..]
            .iter()
            .for_each(|&rank| toggle(&mut heads, rank));
        timeline.ends.push(timeline.changes.len());
        since += timeline.changes.len() - before;
        if since > heads.len() {
            timeline.snapshots.push((i + 1, heads.iter().copied().collect()));
            since = 0;
        }
    }
    let timeline = Arc::new(timeline);
    (0..=steps.len())
        .map(|at| Heads {
            timeline: timeline.clone(),
            at,
        })
        .collect()
}

/// What is applied, and how many living children each revision has: those that are applied or have living children.
///
/// An applied revision without living children is a head. A step changes life on a way that no other step of the same
/// direction walks again, so that a plan costs no more than the edges of the graph.
pub(crate) struct Frontier<'a> {
    graph: &'a RevisionGraph,
    applied: NodeSet,
    living_children: Vec<u32>,
}

impl<'a> Frontier<'a> {
    pub(crate) fn new(graph: &'a RevisionGraph, applied: &NodeSet) -> Self {
        let mut living_children = vec![0; graph.len()];
        for &node in graph.order().iter().rev() {
            if applied.contains(node) || living_children[node.index()] > 0 {
                graph
                    .parents(node)
                    .iter()
                    .for_each(|parent| living_children[parent.index()] += 1);
            }
        }
        Self {
            graph,
            applied: applied.clone(),
            living_children,
        }
    }

    /// The heads in path order.
    pub(crate) fn heads(&self) -> Vec<Node> {
        self.applied
            .iter()
            .filter(|node| self.living_children[node.index()] == 0)
            .collect()
    }

    /// Applies a revision or takes it away, and tells each revision that becomes a head or ceases to be one.
    fn step(&mut self, direction: Direction, node: Node, mut changed: impl FnMut(Node)) {
        match direction {
            Direction::Upgrade => {
                if !self.applied.insert(node) || self.living_children[node.index()] > 0 {
                    return;
                }
            }
            Direction::Downgrade => {
                if !self.applied.contains(node) {
                    return;
                }
                self.applied.remove(node);
                if self.living_children[node.index()] > 0 {
                    return;
                }
            }
        }
        changed(node);
        let mut todo = vec![node];
        while let Some(node) = todo.pop() {
            for &parent in self.graph.parents(node) {
                let living = &mut self.living_children[parent.index()];
                let alone = match direction {
                    Direction::Upgrade => std::mem::replace(living, *living + 1) == 0,
                    Direction::Downgrade => {
                        *living -= 1;
                        *living == 0
                    }
                };
                if alone && self.applied.contains(parent) {
                    changed(parent);
                } else if alone {
                    todo.push(parent);
                }
            }
        }
    }
}
