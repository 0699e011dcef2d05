//! Revisions by their position in the graph: handles, sets of them, and the edges between them.

/// A revision of one [`RevisionGraph`](crate::revision::graph::RevisionGraph), by its place in path order.
///
/// It means nothing in another graph.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct Node(u32);

impl Node {
    /// The node at a place in path order.
    pub(crate) fn new(index: usize) -> Self {
        Self(u32::try_from(index).expect("fewer than 2^32 revisions fit into memory"))
    }

    /// The place in path order.
    pub fn index(self) -> usize {
        self.0 as usize
    }
}

/// A set of revisions of one graph: a bit each.
#[derive(Debug, Clone, PartialEq, Eq, Default)]
pub struct NodeSet {
    words: Vec<u64>,
}

impl NodeSet {
    /// An empty set for a graph of `len` revisions.
    pub(crate) fn new(len: usize) -> Self {
        Self {
            words: vec![0; len.div_ceil(64)],
        }
    }

    fn place(node: Node) -> (usize, u64) {
        (node.index() / 64, 1 << (node.index() % 64))
    }

    /// Whether the revision is in the set.
    pub fn contains(&self, node: Node) -> bool {
        let (word, bit) = Self::place(node);
        self.words.get(word).is_some_and(|w| w & bit != 0)
    }

    /// Puts a revision in; says whether it is new there.
    pub(crate) fn insert(&mut self, node: Node) -> bool {
        let (word, bit) = Self::place(node);
        let new = self.words[word] & bit == 0;
        self.words[word] |= bit;
        new
    }

    /// Takes a revision out.
    pub(crate) fn remove(&mut self, node: Node) {
        let (word, bit) = Self::place(node);
        self.words[word] &= !bit;
    }

    /// Adds everything that is in the other set.
    pub(crate) fn union(&mut self, other: &Self) {
        self.words.iter_mut().zip(&other.words).for_each(|(a, b)| *a |= b);
    }

    /// Keeps what is in the other set too.
    pub(crate) fn intersect(&mut self, other: &Self) {
        self.words.iter_mut().zip(&other.words).for_each(|(a, b)| *a &= b);
    }

    /// Takes out what is in the other set.
    pub(crate) fn subtract(&mut self, other: &Self) {
        self.words.iter_mut().zip(&other.words).for_each(|(a, b)| *a &= !b);
    }

    /// Whether nothing is in the set.
    pub fn is_empty(&self) -> bool {
        self.words.iter().all(|&word| word == 0)
    }

    /// How many revisions are in the set.
    pub fn len(&self) -> usize {
        self.words.iter().map(|word| word.count_ones() as usize).sum()
    }

    /// The revisions in path order.
    pub fn iter(&self) -> impl Iterator<Item = Node> + '_ {
        self.words.iter().enumerate().flat_map(|(at, &word)| {
            std::iter::successors(Some(word), |w| Some(w & w.wrapping_sub(1)))
                .take_while(|&w| w != 0)
                .map(move |w| Node::new(at * 64 + w.trailing_zeros() as usize))
        })
    }
}

/// From each node to others, in one array (compressed sparse rows).
#[derive(Debug, Clone)]
pub(crate) struct Edges {
    starts: Vec<u32>,
    ends: Vec<Node>,
}

impl Edges {
    /// Edges of no node yet, with room for those of `len`.
    pub(crate) fn with_capacity(len: usize) -> Self {
        let mut starts = Vec::with_capacity(len + 1);
        starts.push(0);
        Self {
            starts,
            ends: Vec::with_capacity(len),
        }
    }

    /// Adds the edges of the next node; an edge named twice is one edge.
    pub(crate) fn push(&mut self, ends: &[Node]) {
        let start = self.ends.len();
        for &node in ends {
            if !self.ends[start..].contains(&node) {
                self.ends.push(node);
            }
        }
        self.starts.push(Node::new(self.ends.len()).0);
    }

    /// The same edges, backwards; the ends of each node in path order.
    pub(crate) fn reversed(&self) -> Self {
        let len = self.len();
        let mut starts = vec![0_u32; len + 1];
        for end in &self.ends {
            starts[end.index() + 1] += 1;
        }
        for i in 0..len {
            starts[i + 1] += starts[i];
        }
        let mut next = starts.clone();
        let mut ends = vec![Node(0); self.ends.len()];
        for node in (0..len).map(Node::new) {
            for end in self.of(node) {
                let slot = &mut next[end.index()];
                ends[*slot as usize] = node;
                *slot += 1;
            }
        }
        Self { starts, ends }
    }

    /// How many nodes there are.
    pub(crate) fn len(&self) -> usize {
        self.starts.len() - 1
    }

    /// Where the edges of a node lead.
    pub(crate) fn of(&self, node: Node) -> &[Node] {
        let (from, to) = (self.starts[node.index()], self.starts[node.index() + 1]);
        &self.ends[from as usize..to as usize]
    }

    /// Everything that can be reached from `starts`, and `starts` themselves.
    pub(crate) fn closure(&self, starts: impl IntoIterator<Item = Node>) -> NodeSet {
        let mut seen = NodeSet::new(self.len());
        let mut todo: Vec<Node> = starts.into_iter().filter(|&node| seen.insert(node)).collect();
        while let Some(node) = todo.pop() {
            todo.extend(self.of(node).iter().copied().filter(|&end| seen.insert(end)));
        }
        seen
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_set_lists_what_was_put_in() {
        let mut set = NodeSet::new(200);
        for i in [199, 0, 64, 63, 128] {
            assert!(set.insert(Node::new(i)));
            assert!(!set.insert(Node::new(i)));
        }
        set.remove(Node::new(64));
        assert_eq!(set.iter().map(Node::index).collect::<Vec<_>>(), [0, 63, 128, 199]);
        assert_eq!(set.len(), 4);
    }

    #[test]
    fn edges_backwards_are_in_path_order() {
        let n = Node::new;
        let mut edges = Edges::with_capacity(3);
        for ends in [&[][..], &[n(0), n(0)], &[n(1), n(0)]] {
            edges.push(ends);
        }
        assert_eq!(edges.of(n(1)), [n(0)]);
        let back = edges.reversed();
        assert_eq!(back.of(n(0)), [n(1), n(2)]);
        assert_eq!(back.closure([n(1)]).iter().collect::<Vec<_>>(), [n(1), n(2)]);
    }
}
