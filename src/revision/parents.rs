//! What a new revision comes after, and depends on.

use std::sync::Arc;

use crate::code::Code;
use crate::error::{Error, Result};
use crate::revision::graph::RevisionGraph;
use crate::revision::nodes::Node;
use crate::revision::resolve::{Command, Resolver};
use crate::revision::target::{Symbol, Target};

/// What a new revision comes after: the targets (`head` where there are none), each of which must be a head; with
/// `splice`, any revision. `base` is none.
///
/// # Errors
/// Those under `target::` in [`Code`], above all `MultipleHeads` and `NotAHead`.
pub fn new_revision(graph: &RevisionGraph, targets: &[Target], splice: bool) -> Result<Vec<Node>> {
    let resolver = Resolver::new(graph, None, Command::Revision);
    let nodes = if targets.is_empty() {
        resolver.absolute(&Target::symbol(Symbol::Head))?
    } else {
        resolver.all(targets)?
    };
    heads_unless(graph, nodes, splice)
}

/// What a merge point comes after: the targets, or all heads by `down_revision` where there are none.
///
/// # Errors
/// Those of [`new_revision`], and `NothingToMerge` where only one revision is meant, unless with `splice`.
pub fn merge(graph: &RevisionGraph, targets: &[Target], splice: bool) -> Result<Vec<Node>> {
    let nodes = if targets.is_empty() {
        graph.heads()
    } else {
        Resolver::new(graph, None, Command::Merge).all(targets)?
    };
    let nodes = heads_unless(graph, nodes, splice)?;
    let few = match nodes[..] {
        [] => "there is no revision to merge".to_owned(),
        [node] if targets.is_empty() || !splice => format!("there is only one revision to merge, `{}`", graph.id(node)),
        _ => return Ok(nodes),
    };
    Err(Error::new(Code::NothingToMerge, few).help("the heads: sqlrev heads"))
}

fn heads_unless(graph: &RevisionGraph, nodes: Vec<Node>, splice: bool) -> Result<Vec<Node>> {
    let Some(&node) = nodes.iter().find(|&&node| !splice && !graph.is_head(node)) else {
        return Ok(nodes);
    };
    let id = graph.id(node);
    let error = Error::new(Code::NotAHead, format!("revision `{id}` is not a head"));
    let next = graph.ids(graph.down_children(node).iter().copied().take(5));
    let next: Vec<String> = next.iter().map(|id| format!("`{id}`")).collect();
    Err(error
        .help(format!("after it come: {}", next.join(", ")))
        .help(format!("the head after it: {id}@head"))
        .help("to start a branch here on purpose, add --splice"))
}

/// What `depends_on` of a new revision says: full ids for beginnings of ids, and labels as they are.
///
/// # Errors
/// Those under `target::` in [`Code`].
pub fn depends_on(graph: &RevisionGraph, targets: &[Target]) -> Result<Vec<Arc<str>>> {
    let resolver = Resolver::new(graph, None, Command::Show);
    let mut names: Vec<Arc<str>> = Vec::new();
    for target in targets {
        let name: Arc<str> = match &target.symbol {
            Some(Symbol::Name(name)) if target.branch.is_none() && graph.names().label(name).is_some() => name.clone(),
            _ => {
                let Some(node) = resolver.one(target)? else {
                    let message = format!("`{target}` is no revision to depend on");
                    return Err(Error::new(Code::NotOneRevision, message).help("the ids: sqlrev history"));
                };
                graph.id(node).as_str().into()
            }
        };
        if !names.contains(&name) {
            names.push(name);
        }
    }
    Ok(names)
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::revision::sample::graph;

    fn targets(words: &str) -> Vec<Target> {
        words.split_whitespace().map(|word| word.parse().expect(word)).collect()
    }

    #[test]
    fn a_merge_joins_two_or_more() {
        let check = |revisions: &str, words: &str, splice, expect: Result<&str, Code>| {
            let graph = graph(revisions);
            let nodes = merge(&graph, &targets(words), splice);
            let ids = nodes.map(|nodes| {
                graph
                    .ids(nodes)
                    .iter()
                    .map(ToString::to_string)
                    .collect::<Vec<_>>()
                    .join(" ")
            });
            assert_eq!(
                ids.as_deref().map_err(Error::code),
                expect.as_deref().map_err(|code| *code),
                "{words}"
            );
        };
        check("a b:a c:a", "", false, Ok("b c"));
        // Both are heads to `head`, so both are joined, although one of them is needed by the other.
        check("a b:a c:a~b", "", false, Ok("b c"));
        check("a b:a", "", false, Err(Code::NothingToMerge));
        check("a b:a", "", true, Err(Code::NothingToMerge));
        check("a b:a c:a", "b b", false, Err(Code::NothingToMerge));
        check("a b:a c:a", "base", false, Err(Code::NothingToMerge));
        check("a b:a c:a", "a b", false, Err(Code::NotAHead));
        check("a b:a c:a", "c b", false, Ok("c b"));
    }

    #[test]
    fn a_dependency_is_written_in_full_but_for_labels() {
        let graph = graph("abcdef[shop] abcxyz:abcdef");
        let check = |words: &str| depends_on(&graph, &targets(words)).map_err(|error| error.code());
        assert_eq!(
            check("abcd abcdef shop abcx"),
            Ok(vec!["abcdef".into(), "shop".into(), "abcxyz".into()])
        );
        assert_eq!(check("shop@head"), Ok(vec!["abcxyz".into()]));
        assert_eq!(check("base"), Err(Code::NotOneRevision));
        assert_eq!(check("nope"), Err(Code::UnknownRevision));
    }
}
