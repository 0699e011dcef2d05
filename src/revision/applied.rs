//! What is applied in a database, in terms of the graph.

use crate::code::Code;
use crate::error::{Error, Result};
use crate::revision::RevisionId;
use crate::revision::graph::RevisionGraph;
use crate::revision::heads::Frontier;
use crate::revision::nodes::{Node, NodeSet};
use crate::revision::resolve::{Command, Resolver};
use crate::revision::target::Target;

/// The applied revisions of a database.
#[derive(Debug, Clone)]
pub struct Applied {
    set: NodeSet,
    /// Of heads that were named, two that lie on one line.
    overlap: Option<(Node, Node)>,
}

impl Applied {
    /// Nothing is applied.
    pub fn none(graph: &RevisionGraph) -> Self {
        Self {
            set: NodeSet::new(graph.len()),
            overlap: None,
        }
    }

    /// The rows of a version table, one for each applied revision.
    ///
    /// # Errors
    /// [`Code::UnknownRevision`] for a row whose revision is not in the graph.
    pub fn from_rows<'a>(graph: &RevisionGraph, rows: impl IntoIterator<Item = &'a RevisionId>) -> Result<Self> {
        let (applied, unknown) = Self::known(graph, rows);
        let Some(first) = unknown.first() else {
            return Ok(applied);
        };
        let error = if unknown.len() == 1 {
            Error::new(
                Code::UnknownRevision,
                format!("revision `{first}` is applied, but no file holds it"),
            )
        } else {
            let names: Vec<String> = unknown.iter().take(20).map(|id| format!("`{id}`")).collect();
            let message = format!(
                "{} revisions are applied, but no files hold them: {}",
                unknown.len(),
                names.join(", ")
            );
            Error::new(Code::UnknownRevision, message)
        };
        let error = error.help("bring the files back, as they are where the database was upgraded");
        let error = error.help("or roll back with the downgrades that the database keeps: sqlrev downgrade TARGET");
        Err(error.help("or forget what the database says and state where it is: sqlrev stamp --purge TARGET"))
    }

    /// The rows that are in the graph, and the ids that are not.
    pub fn known<'a>(graph: &RevisionGraph, rows: impl IntoIterator<Item = &'a RevisionId>) -> (Self, Vec<RevisionId>) {
        let mut applied = Self::none(graph);
        let mut unknown = Vec::new();
        for id in rows {
            match graph.node(id.as_str()) {
                Some(node) => {
                    applied.set.insert(node);
                }
                None => unknown.push(id.clone()),
            }
        }
        (applied, unknown)
    }

    /// Everything that these targets stand for and need, as `--from` and the older end of a range give it.
    ///
    /// # Errors
    /// Those of [`Resolver::absolute`].
    pub fn from_heads(graph: &RevisionGraph, heads: &[Target], command: Command) -> Result<Self> {
        let nodes = Resolver::new(graph, None, command).all(heads)?;
        Ok(Self {
            set: graph.ancestors(nodes.iter().copied()),
            overlap: graph.overlap(&nodes),
        })
    }

    /// Exactly these, whatever they need.
    pub(crate) fn from_set(set: NodeSet) -> Self {
        Self { set, overlap: None }
    }

    /// Whether a revision is applied.
    pub fn contains(&self, node: Node) -> bool {
        self.set.contains(node)
    }

    /// The applied revisions.
    pub fn set(&self) -> &NodeSet {
        &self.set
    }

    /// Whether nothing is applied.
    pub fn is_empty(&self) -> bool {
        self.set.is_empty()
    }

    /// The applied revisions that no applied revision descends from, in path order.
    pub fn heads(&self, graph: &RevisionGraph) -> Vec<Node> {
        Frontier::new(graph, &self.set).heads()
    }

    /// What `current` shows, in path order: the heads, and the tips of branches that are only depended on.
    pub fn current(&self, graph: &RevisionGraph) -> Vec<Node> {
        let mut below = vec![false; graph.len()];
        for &node in graph.order().iter().rev() {
            if self.contains(node) || below[node.index()] {
                graph
                    .down_revisions(node)
                    .iter()
                    .for_each(|parent| below[parent.index()] = true);
            }
        }
        self.set.iter().filter(|node| !below[node.index()]).collect()
    }

    /// Refuses heads that were named although one is an ancestor of another.
    pub(crate) fn side_by_side(&self, graph: &RevisionGraph) -> Result<()> {
        match self.overlap {
            None => Ok(()),
            Some((lower, upper)) => Err(overlapping(graph, lower, upper)),
        }
    }
}

/// The error for two revisions that were named although one needs the other.
#[cold]
pub(crate) fn overlapping(graph: &RevisionGraph, lower: Node, upper: Node) -> Error {
    let (lower, upper) = (graph.id(lower), graph.id(upper));
    let message = format!("`{lower}` and `{upper}` cannot both be heads, since `{upper}` needs `{lower}`");
    Error::new(Code::OverlappingRevisions, message).help(format!("name only the newer one: {upper}"))
}
