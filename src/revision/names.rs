//! The names in a graph: looked up whole, by their beginnings, and when mistyped.

use std::sync::Arc;

use crate::error::nearest;
use crate::revision::nodes::Node;
use crate::revision::{BranchLabel, Revision, RevisionId};
use crate::sorted;

/// The ids and labels of a graph, which share one space of names.
#[derive(Debug, Clone)]
pub struct Names {
    /// Sorted.
    ids: Arc<[RevisionId]>,
    /// Of each id, the [`key`]: a search reads these side by side before it reads an id.
    keys: Vec<u128>,
    nodes: Vec<Node>,
    ranks: Vec<u32>,
    labels: Vec<(BranchLabel, Node)>,
}

impl Names {
    pub(crate) fn new(revisions: &[Revision]) -> Self {
        let id = |node: Node| revisions[node.index()].id();
        let all = (0..revisions.len()).map(Node::new);
        let mut keyed: Vec<(u128, Node)> = all.map(|node| (key(id(node).as_str()), node)).collect();
        // Numbers are sorted first, in a third of the time; then those ids that begin alike.
        keyed.sort_unstable();
        for alike in keyed.chunk_by_mut(|a, b| a.0 == b.0).filter(|alike| alike.len() > 1) {
            sorted::sort_by(alike, |a, b| id(a.1).cmp(id(b.1)).then(a.1.cmp(&b.1)));
        }
        let nodes: Vec<Node> = keyed.iter().map(|&(_, node)| node).collect();
        let mut ranks = vec![0; revisions.len()];
        for (rank, node) in (0..).zip(&nodes) {
            ranks[node.index()] = rank;
        }
        let mut labels: Vec<(BranchLabel, Node)> = (0..)
            .map(Node::new)
            .zip(revisions)
            .flat_map(|(node, revision)| {
                revision
                    .header
                    .branch_labels
                    .iter()
                    .map(move |label| (label.clone(), node))
            })
            .collect();
        sorted::sort(&mut labels);
        Self {
            ids: nodes.iter().map(|node| revisions[node.index()].id().clone()).collect(),
            keys: keyed.into_iter().map(|(key, _)| key).collect(),
            nodes,
            ranks,
            labels,
        }
    }

    pub(crate) fn duplicate_id(&self) -> Option<(Node, Node)> {
        let twice = |i: &usize| self.ids[*i] == self.ids[*i + 1];
        let pairs = (0..self.ids.len().saturating_sub(1)).filter(twice);
        pairs
            .map(|i| (self.nodes[i], self.nodes[i + 1]))
            .min_by_key(|&(_, second)| second)
    }

    pub(crate) fn duplicate_label(&self) -> Option<(&str, Node, Node)> {
        let twice = self.labels.windows(2).filter(|pair| pair[0].0 == pair[1].0);
        let twice = twice.map(|pair| (pair[0].0.as_str(), pair[0].1, pair[1].1));
        let ids = self.labels.iter().filter_map(|(label, node)| {
            let owner = self.revision(label.as_str())?;
            Some((label.as_str(), owner, *node))
        });
        twice.chain(ids).min_by_key(|&(_, _, second)| second)
    }

    /// The revision with this very id.
    pub fn revision(&self, id: &str) -> Option<Node> {
        let key = key(id);
        let start = self.keys.partition_point(|known| *known < key);
        if self.keys.get(start) == Some(&key) && id.len() <= KEY && self.ids[start].as_str().len() == id.len() {
            return Some(self.nodes[start]);
        }
        let alike = self.keys[start..].partition_point(|known| *known == key);
        let found = self.ids[start..start + alike].binary_search_by(|known| known.as_str().cmp(id));
        let at = start + found.ok()?;
        Some(self.nodes[at])
    }

    /// The revision that carries this very label.
    pub fn label(&self, label: &str) -> Option<Node> {
        let at = self
            .labels
            .binary_search_by(|(known, _)| known.as_str().cmp(label))
            .ok()?;
        Some(self.labels[at].1)
    }

    /// The revision with this very id or label.
    pub fn find(&self, name: &str) -> Option<Node> {
        self.revision(name).or_else(|| self.label(name))
    }

    /// The revisions whose ids or labels begin like this, ids first, in order of the names.
    pub fn starting_with<'a>(&'a self, prefix: &'a str) -> impl Iterator<Item = (&'a str, Node)> {
        let ids = self.ids.partition_point(|id| id.as_str() < prefix);
        let labels = self.labels.partition_point(|(label, _)| label.as_str() < prefix);
        let ids = self.ids[ids..]
            .iter()
            .map(RevisionId::as_str)
            .zip(self.nodes[ids..].iter().copied());
        let labels = self.labels[labels..]
            .iter()
            .map(|(label, node)| (label.as_str(), *node));
        ids.take_while(move |(id, _)| id.starts_with(prefix))
            .chain(labels.take_while(move |(label, _)| label.starts_with(prefix)))
    }

    /// The id or label that was probably meant.
    pub fn similar(&self, word: &str) -> Option<&str> {
        let all = || {
            self.ids
                .iter()
                .map(RevisionId::as_str)
                .chain(self.labels.iter().map(|(l, _)| l.as_str()))
        };
        let chars = word.chars().count();
        let beginning = |name: &'_ str| name.char_indices().nth(chars).map_or(name.len(), |(at, _)| at);
        nearest(word, all()).or_else(|| {
            let near = nearest(word, all().map(|name| &name[..beginning(name)])).filter(|_| chars >= 4)?;
            all().find(|name| name.starts_with(near))
        })
    }

    /// The id of a node.
    pub(crate) fn id(&self, node: Node) -> &RevisionId {
        &self.ids[self.rank(node) as usize]
    }

    /// Every id, sorted.
    pub(crate) fn sorted(&self) -> &Arc<[RevisionId]> {
        &self.ids
    }

    /// The place of a node in [`Names::sorted`].
    pub(crate) fn rank(&self, node: Node) -> u32 {
        self.ranks[node.index()]
    }
}

/// How many bytes of a name are its key: names of no more are the same where key and length are.
const KEY: usize = 16;

/// The first bytes, as a number that sorts like them.
fn key(name: &str) -> u128 {
    let mut bytes = [0; KEY];
    let len = name.len().min(KEY);
    bytes[..len].copy_from_slice(&name.as_bytes()[..len]);
    u128::from_be_bytes(bytes)
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;
    use crate::revision::sample::{graph, revision};

    #[test]
    fn a_near_name_is_offered() {
        let graph = graph("ae1027a6acf0 b5b2d72c76c8[billing]");
        assert_eq!(graph.names().similar("biling"), Some("billing"));
        assert_eq!(graph.names().similar("ae1028"), Some("ae1027a6acf0"));
        assert_eq!(graph.names().similar("zzzz"), None);
    }

    #[test]
    fn names_that_begin_alike_are_told_apart() {
        let graph = graph("revision_2 revision_1 revision revision_10[revisions]");
        let names = graph.names();
        for node in graph.nodes() {
            assert_eq!(names.find(graph.id(node).as_str()), Some(node));
        }
        assert_eq!(names.find("revision_"), None);
        let found: Vec<&str> = names.starting_with("revision_1").map(|(name, _)| name).collect();
        assert_eq!(found, ["revision_1", "revision_10"]);
        assert_eq!(names.starting_with("revisions").count(), 1);
    }

    proptest! {
        #[test]
        fn every_id_is_found_and_nothing_else(
            ids in proptest::collection::btree_set("[ab]{0,1}[\0a]{0,3}|a{12,20}[\0ab]?|[a-c]{1,4}", 0..12),
            other in "[ab]{0,1}[\0a]{0,3}|a{12,20}[\0ab]?|[a-c]{1,4}",
            seed in any::<prop::sample::Index>(),
        ) {
            let mut ids: Vec<String> = ids.into_iter().collect();
            if !ids.is_empty() {
                let middle = seed.index(ids.len());
                ids.rotate_left(middle);
            }
            let named = |id: &String| {
                let mut revision = revision("like", &[], &[], &[]);
                revision.header.id = id.as_str().into();
                revision
            };
            let revisions: Vec<Revision> = ids.iter().map(named).collect();
            let names = Names::new(&revisions);
            for (i, id) in ids.iter().enumerate() {
                prop_assert_eq!(names.revision(id), Some(Node::new(i)), "{:?}", id);
            }
            prop_assert_eq!(names.revision(&other).is_some(), ids.contains(&other));
            sorted::sort(&mut ids);
            prop_assert_eq!(names.sorted().iter().map(RevisionId::as_str).collect::<Vec<_>>(), ids);
        }
    }
}
