//! The graph that revisions make: checked once, then asked.

use std::sync::Arc;

use crate::code::Code;
use crate::error::Result;
use crate::revision::check::{self, Place};
use crate::revision::names::Names;
use crate::revision::nodes::{Edges, Node, NodeSet};
use crate::revision::{BranchLabel, Revision, RevisionId};
use crate::sorted;

/// Revisions and how they follow one another: ids and labels that are legal and used once, references that lead
/// somewhere, no circles.
///
/// *Parents* are `down_revision` and `depends_on` together, *children* the other way; `down` in a name means
/// `down_revision` alone. The order of the files decides between revisions that could come in either order.
#[derive(Debug, Clone)]
pub struct RevisionGraph {
    revisions: Vec<Revision>,
    names: Names,
    down: Edges,
    down_children: Edges,
    parents: Edges,
    children: Edges,
    order: Vec<Node>,
}

impl RevisionGraph {
    /// Checks the revisions, given in the order of their paths.
    ///
    /// A revision without a file is one that was applied and whose files are not here: what it names may be gone.
    ///
    /// # Errors
    /// Those under `graph::` in [`Code`], with labels in the headers.
    pub fn build(revisions: Vec<Revision>) -> Result<Self> {
        let names = Names::new(&revisions);
        check::names(&revisions, &names)?;
        let mut down = Edges::with_capacity(revisions.len());
        let mut parents = Edges::with_capacity(revisions.len());
        let mut nodes = Vec::new();
        for revision in &revisions {
            check::no_self_loop(revision)?;
            let header = &revision.header;
            nodes.clear();
            for (i, name) in header.down_revisions.iter().enumerate() {
                let found = names.revision(name.as_str());
                nodes.extend(known(revision, name.as_str(), found, Place::Down(i), &names)?);
            }
            down.push(&nodes);
            for (i, name) in header.depends_on.iter().enumerate() {
                nodes.extend(known(revision, name, names.find(name), Place::DependsOn(i), &names)?);
            }
            parents.push(&nodes);
        }
        let children = parents.reversed();
        let order = sort(&parents, &children).map_err(|unsorted| {
            let down_children = down.reversed();
            match sort(&down, &down_children) {
                Err(unsorted) => check::circle(&revisions, &down, &unsorted, Code::Cycle),
                Ok(_) => check::circle(&revisions, &parents, &unsorted, Code::DependencyCycle),
            }
        })?;
        let down_children = down.reversed();
        Ok(Self {
            revisions,
            names,
            down,
            down_children,
            parents,
            children,
            order,
        })
    }

    /// How many revisions there are.
    pub fn len(&self) -> usize {
        self.revisions.len()
    }

    /// Whether there are none.
    pub fn is_empty(&self) -> bool {
        self.revisions.is_empty()
    }

    /// Every revision's node, in path order.
    pub fn nodes(&self) -> impl DoubleEndedIterator<Item = Node> + ExactSizeIterator + use<> {
        (0..self.len()).map(Node::new)
    }

    /// Every revision, in path order.
    pub fn revisions(&self) -> &[Revision] {
        &self.revisions
    }

    /// The revision at a node of this graph.
    pub fn revision(&self, node: Node) -> &Revision {
        &self.revisions[node.index()]
    }

    /// The id of the revision at a node.
    pub fn id(&self, node: Node) -> &RevisionId {
        self.revision(node).id()
    }

    /// The ids of nodes, in the order of the nodes.
    pub fn ids<'a>(&'a self, nodes: impl IntoIterator<Item = Node> + 'a) -> Vec<RevisionId> {
        nodes.into_iter().map(|node| self.id(node).clone()).collect()
    }

    /// The revision of a full id.
    pub fn get(&self, id: &str) -> Option<&Revision> {
        self.node(id).map(|node| self.revision(node))
    }

    /// The node of a full id.
    pub fn node(&self, id: &str) -> Option<Node> {
        self.names.revision(id)
    }

    /// Ids and labels.
    pub fn names(&self) -> &Names {
        &self.names
    }

    /// Every node, ancestors first; of those that could come next, the first in path order.
    pub fn order(&self) -> &[Node] {
        &self.order
    }

    /// What a revision comes after by `down_revision`, in the order its header gives.
    pub fn down_revisions(&self, node: Node) -> &[Node] {
        self.down.of(node)
    }

    /// What comes right after a revision by `down_revision`, in path order.
    pub fn down_children(&self, node: Node) -> &[Node] {
        self.down_children.of(node)
    }

    /// What a revision comes after by `down_revision` or `depends_on`.
    pub fn parents(&self, node: Node) -> &[Node] {
        self.parents.of(node)
    }

    /// What comes right after a revision by `down_revision` or `depends_on`, in path order.
    pub fn children(&self, node: Node) -> &[Node] {
        self.children.of(node)
    }

    /// Whether nothing comes after it by `down_revision`.
    pub fn is_head(&self, node: Node) -> bool {
        self.down_children(node).is_empty()
    }

    /// Whether nothing comes after it and nothing depends on it.
    pub fn is_effective_head(&self, node: Node) -> bool {
        self.children(node).is_empty()
    }

    /// Whether it comes after nothing by `down_revision`.
    pub fn is_base(&self, node: Node) -> bool {
        self.down_revisions(node).is_empty()
    }

    /// Whether several come after it by `down_revision`.
    pub fn is_branch_point(&self, node: Node) -> bool {
        self.down_children(node).len() > 1
    }

    /// Whether it comes after several by `down_revision`.
    pub fn is_merge_point(&self, node: Node) -> bool {
        self.down_revisions(node).len() > 1
    }

    /// The revisions that nothing comes after by `down_revision`, in path order.
    pub fn heads(&self) -> Vec<Node> {
        self.nodes().filter(|&node| self.is_head(node)).collect()
    }

    /// The revisions that nothing comes after or depends on, in path order.
    pub fn effective_heads(&self) -> Vec<Node> {
        self.nodes().filter(|&node| self.is_effective_head(node)).collect()
    }

    /// The revisions that come after nothing by `down_revision`, in path order.
    pub fn bases(&self) -> Vec<Node> {
        self.nodes().filter(|&node| self.is_base(node)).collect()
    }

    /// The revisions that several come after, in path order.
    pub fn branch_points(&self) -> Vec<Node> {
        self.nodes().filter(|&node| self.is_branch_point(node)).collect()
    }

    /// The revisions that come after several, in path order.
    pub fn merge_points(&self) -> Vec<Node> {
        self.nodes().filter(|&node| self.is_merge_point(node)).collect()
    }

    /// The nodes and all that they need, by `down_revision` and `depends_on`.
    pub fn ancestors(&self, nodes: impl IntoIterator<Item = Node>) -> NodeSet {
        self.parents.closure(nodes)
    }

    /// The nodes and all that need them, by `down_revision` and `depends_on`.
    pub fn descendants(&self, nodes: impl IntoIterator<Item = Node>) -> NodeSet {
        self.children.closure(nodes)
    }

    /// The nodes and all that they come after by `down_revision`.
    pub fn down_ancestors(&self, nodes: impl IntoIterator<Item = Node>) -> NodeSet {
        self.down.closure(nodes)
    }

    /// The nodes and all that come after them by `down_revision`.
    pub fn down_descendants(&self, nodes: impl IntoIterator<Item = Node>) -> NodeSet {
        self.down_children.closure(nodes)
    }

    /// The ancestors and descendants of nodes by `down_revision`: the branch they are on.
    pub fn lineage(&self, nodes: &[Node]) -> NodeSet {
        let mut set = self.down_ancestors(nodes.iter().copied());
        set.union(&self.down_descendants(nodes.iter().copied()));
        set
    }

    /// The ancestors and descendants of nodes, dependencies among them.
    pub fn wide_lineage(&self, nodes: &[Node]) -> NodeSet {
        let mut set = self.ancestors(nodes.iter().copied());
        set.union(&self.descendants(nodes.iter().copied()));
        set
    }

    /// Two of the nodes, the first of which is an ancestor of the second; none where all stand side by side.
    pub fn overlap(&self, nodes: &[Node]) -> Option<(Node, Node)> {
        let below = self
            .parents
            .closure(nodes.iter().flat_map(|&node| self.parents(node)).copied());
        let lower = nodes.iter().copied().find(|&node| below.contains(node))?;
        let mut above = self.descendants([lower]);
        above.remove(lower);
        let upper = nodes.iter().copied().find(|&node| above.contains(node))?;
        Some((lower, upper))
    }

    /// The branch labels to show at each node, sorted.
    ///
    /// A label holds on its revision, on all that come after it by `down_revision`, and on what it comes after, down
    /// to where a branch point or merge point begins or ends the line; so from such a revision it goes no further down.
    pub fn branch_labels(&self) -> Vec<Arc<[BranchLabel]>> {
        let none: Arc<[BranchLabel]> = Arc::from([]);
        let own = |node: Node| &*self.revision(node).header.branch_labels;
        let mut shown = vec![none.clone(); self.len()];
        for &node in self.order.iter().rev() {
            let fork = |node| self.is_branch_point(node) || self.is_merge_point(node);
            if let &[child] = self.down_children(node)
                && !fork(node)
                && !fork(child)
            {
                shown[node.index()] = with(&shown[child.index()], own(child));
            }
        }
        for &node in &self.order {
            let mut labels = with(&shown[node.index()], own(node));
            for parent in self.down_revisions(node) {
                labels = with(&labels, &shown[parent.index()]);
            }
            shown[node.index()] = labels;
        }
        shown
    }
}

/// The labels of both, sorted; shares `labels` where nothing is added.
fn with(labels: &Arc<[BranchLabel]>, more: &[BranchLabel]) -> Arc<[BranchLabel]> {
    if more.iter().all(|label| labels.binary_search(label).is_ok()) {
        return labels.clone();
    }
    let mut all: Vec<BranchLabel> = labels.iter().chain(more).cloned().collect();
    sorted::sort(&mut all);
    all.dedup();
    all.into()
}

/// A parent that was found, none for one of a revision whose files are not here, or the error.
fn known(revision: &Revision, name: &str, found: Option<Node>, at: Place, names: &Names) -> Result<Option<Node>> {
    if found.is_none() && !(revision.upgrade.is_none() && revision.places.file().is_none()) {
        return Err(check::missing(revision, name, at, names));
    }
    Ok(found)
}

/// Ancestors first, ties in path order (Kahn's algorithm over a heap); or the nodes that circles leave without a place.
fn sort(parents: &Edges, children: &Edges) -> Result<Vec<Node>, Vec<Node>> {
    let nodes = || (0..parents.len()).map(Node::new);
    if nodes().all(|node| parents.of(node).iter().all(|&parent| parent < node)) {
        return Ok(nodes().collect());
    }
    let mut waits: Vec<usize> = nodes().map(|node| parents.of(node).len()).collect();
    let mut ready: std::collections::BinaryHeap<_> = nodes()
        .filter(|node| waits[node.index()] == 0)
        .map(std::cmp::Reverse)
        .collect();
    let mut order = Vec::with_capacity(parents.len());
    while let Some(std::cmp::Reverse(node)) = ready.pop() {
        order.push(node);
        for &child in children.of(node) {
            waits[child.index()] -= 1;
            if waits[child.index()] == 0 {
                ready.push(std::cmp::Reverse(child));
            }
        }
    }
    if order.len() == parents.len() {
        Ok(order)
    } else {
        Err(nodes().filter(|node| waits[node.index()] > 0).collect())
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::revision::sample::{graph, revision, try_graph};

    /// The code's last part, and `file: words under the label` for each label.
    fn check(revisions: &str, code: &str, labels: &[&str]) {
        let error = try_graph(revisions).expect_err(revisions);
        let words = error.labels().iter().map(|label| {
            let (line, _) = label.file.line_column(label.span.start);
            format!(
                "{}:{line}: {}",
                label.file.name.split('/').next().unwrap_or_default(),
                label.file.text[label.span.clone()].trim_matches('"')
            )
        });
        assert_eq!(error.code().name().rsplit("::").next(), Some(code), "{error:?}");
        assert_eq!(words.collect::<Vec<_>>(), labels, "{error:?}");
    }

    #[test]
    fn what_is_no_graph_is_refused_with_labels() {
        check("a b:a c:a b:a", "duplicate_revision", &["b:2: b", "b:2: b"]);
        check("a b:b", "self_loop", &["b:3: b"]);
        check("a b:a~b", "dependency_self_loop", &["b:4: b"]);
        check("a b:a~mine[mine]", "dependency_self_loop", &["b:4: mine"]);
        check("a[one] b:a c[one]", "duplicate_branch_label", &["c:5: one", "a:5: one"]);
        check("a[b] b:a", "duplicate_branch_label", &["a:5: b", "b:2: b"]);
        check("a b:zzzz", "missing_reference", &["b:3: zzzz"]);
        check("a b~zzzz", "missing_reference", &["b:4: zzzz"]);
        check("a[one] b:one", "missing_reference", &["b:3: one"]);
        check("a b-c:a", "illegal_revision_id", &["b-c:2: b-c"]);
        check("b,c", "illegal_revision_id", &["b,c:2: b,c"]);
        check("head", "illegal_revision_id", &["head:2: head"]);
        check("a[base]", "illegal_revision_id", &["a:5: base"]);
        check(
            &"x".repeat(256),
            "illegal_revision_id",
            &[&format!("{0}:2: {0}", "x".repeat(256))],
        );
        let mut nameless = revision("a", &[], &[], &[]);
        nameless.header.id = "".into();
        let error = RevisionGraph::build(vec![nameless]).expect_err("an empty id");
        assert_eq!(error.code(), Code::IllegalRevisionId);
    }

    #[test]
    fn a_circle_is_named_member_by_member() {
        check("a b:a,d c:b d:c e:d", "cycle", &["b:3: d", "d:3: c", "c:3: b"]);
        check("a:b b:a", "cycle", &["a:3: b", "b:3: a"]);
        check(
            "a b:a~late c:b d:c[late]",
            "dependency_cycle",
            &["b:4: late", "d:3: c", "c:3: b"],
        );
        let error = try_graph("x a:c b:a c:b y:c").expect_err("a circle");
        assert_eq!(
            error.message(),
            "3 revisions come after one another in a circle: `a`, `c`, `b`"
        );
    }

    #[test]
    fn deep_chains_are_no_trouble() {
        let like = revision("like", &["before"], &[], &[]);
        let chain = |last: &str| {
            let id = |i: usize| RevisionId::from(format!("r{i:06}").as_str());
            let revisions = (0..100_000_usize).map(|i| {
                let mut revision = like.clone();
                revision.header.id = id(i);
                revision.header.down_revisions = vec![i.checked_sub(1).map_or(last.into(), id)];
                revision
            });
            RevisionGraph::build(revisions.collect())
        };
        assert_eq!(chain("r099999").expect_err("a circle").code(), Code::Cycle);
        assert_eq!(chain("none").expect_err("no such id").code(), Code::MissingReference);
    }

    #[test]
    fn of_a_revision_without_files_what_is_gone_is_left_out() {
        let mut ghost = revision("b", &["gone"], &["gone_too", "a"], &[]);
        ghost.upgrade = None;
        ghost.places = crate::revision::header::Spans::default();
        let graph = RevisionGraph::build(vec![revision("a", &[], &[], &[]), ghost]).expect("a graph");
        let b = graph.node("b").expect("it is there");
        assert!(graph.is_base(b));
        assert_eq!(graph.parents(b), graph.nodes().take(1).collect::<Vec<_>>());
    }

    #[test]
    fn ancestors_come_first_and_paths_decide_the_rest() {
        let graph = graph("d:b,c c:a a b:a~z z y");
        let order: Vec<&str> = graph.order().iter().map(|&node| graph.id(node).as_str()).collect();
        assert_eq!(order, ["a", "c", "z", "b", "d", "y"]);
    }
}
