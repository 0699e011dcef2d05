//! What holds for plans through any graph.

use std::collections::BTreeSet;

use proptest::prelude::*;

use crate::revision::applied::Applied;
use crate::revision::graph::RevisionGraph;
use crate::revision::history::{by_branch, history};
use crate::revision::nodes::Node;
use crate::revision::plan::Plan;
use crate::revision::sample::revision;
use crate::revision::target::{Symbol, Target, TargetRange};
use crate::revision::vectors::{in_order, maximal};
use crate::revision::{Direction, Revision};

fn words() -> impl Strategy<Value = String> {
    let name = prop_oneof![
        "r[0-9]{2}0",
        Just("head".into()),
        Just("heads".into()),
        Just("base".into()),
        Just("one".into()),
        Just("two".into()),
        Just("current".into()),
        "[a-z]{1,5}"
    ];
    (name.clone(), name, "[+-][0-4]", 0..6).prop_map(|(branch, name, steps, form)| match form {
        0 => name,
        1 => format!("{branch}@{name}"),
        2 => format!("{name}{steps}"),
        3 => steps,
        4 => format!("{branch}@{steps}"),
        _ => format!("{branch}@{name}{steps}"),
    })
}

/// Parents and dependencies of each revision among those made before it; ids shuffle the order of the paths.
fn graphs() -> impl Strategy<Value = RevisionGraph> {
    let links = proptest::collection::vec((any::<[u16; 3]>(), 0..4_usize, 0..3_usize), 1..14);
    let order = proptest::collection::vec(0..10_u8, 14);
    (links, order).prop_map(|(links, order)| {
        let id = |i: usize| format!("r{}{i:x}0", order[i]);
        let revisions = links.iter().enumerate().map(|(i, (picks, downs, deps))| {
            let pick = |pick: &u16| if i == 0 { None } else { Some(id(usize::from(*pick) % i)) };
            let down: Vec<String> = picks.iter().take(*downs).filter_map(pick).collect();
            let mut deps: Vec<String> = picks.iter().rev().take(*deps).filter_map(pick).collect();
            if i == 7 {
                deps.push("one".into());
            }
            let labels: &[&str] = match i {
                3 => &["one"],
                5 => &["two"],
                _ => &[],
            };
            revision(&id(i), &refs(&down), &refs(&deps), labels)
        });
        build_sorted(revisions.collect())
    })
}

fn refs(list: &[String]) -> Vec<&str> {
    list.iter().map(String::as_str).collect()
}

fn build_sorted(mut revisions: Vec<Revision>) -> RevisionGraph {
    revisions.sort_by(|a, b| a.file_name().cmp(b.file_name()));
    RevisionGraph::build(revisions).expect("a graph")
}

fn some(graph: &RevisionGraph, bits: u16) -> Vec<Node> {
    graph
        .nodes()
        .filter(|node| bits >> (node.index() % 16) & 1 == 1)
        .collect()
}

proptest! {
    #[test]
    fn plans_are_in_order_and_what_went_up_comes_down(graph in graphs(), start in any::<u16>(), words in words()) {
        let before = Applied::from_set(graph.ancestors(some(&graph, start)));
        let Ok(target) = words.parse::<Target>() else { return Ok(()) };
        if let Ok(plan) = Plan::upgrade(&graph, &before, std::slice::from_ref(&target)) {
            prop_assert_eq!(in_order(&graph, &plan), Ok(()));
        }
        if let Ok(plan) = Plan::downgrade(&graph, &before, &target) {
            prop_assert_eq!(in_order(&graph, &plan), Ok(()));
        }
        if let Ok(plan) = Plan::stamp(&graph, &before, std::slice::from_ref(&target), start % 2 == 0) {
            prop_assert_eq!(in_order(&graph, &plan), Ok(()));
        }
        let none = Applied::none(&graph);
        let up = Plan::upgrade(&graph, &none, &[Target::symbol(Symbol::Heads)]).expect("everything");
        prop_assert_eq!(up.steps.len(), graph.len());
        let all = Applied::from_set(graph.ancestors(graph.nodes()));
        let down = Plan::downgrade(&graph, &all, &Target::symbol(Symbol::Base)).expect("everything");
        let ups: Vec<_> = up.steps.iter().map(|step| step.node).collect();
        let downs: Vec<_> = down.steps.iter().rev().map(|step| step.node).collect();
        prop_assert_eq!(ups, downs);
        prop_assert!(down.to.is_empty());
    }

    #[test]
    fn rows_deleted_by_hand_do_no_harm(graph in graphs(), start in any::<u16>(), words in words()) {
        let before = Applied::from_set(Applied::from_rows(&graph, &graph.ids(some(&graph, start))).expect("ids").set().clone());
        let Ok(target) = words.parse::<Target>() else { return Ok(()) };
        let plans = [
            Plan::upgrade(&graph, &before, std::slice::from_ref(&target)),
            Plan::downgrade(&graph, &before, &target),
            Plan::stamp(&graph, &before, std::slice::from_ref(&target), false),
        ];
        for plan in plans.into_iter().flatten() {
            let mut applied: BTreeSet<Node> = before.set().iter().collect();
            prop_assert_eq!(plan.from.ids(), maximal(&graph, &applied));
            for step in &plan.steps {
                match step.direction {
                    Direction::Upgrade => prop_assert!(applied.insert(step.node)),
                    Direction::Downgrade => prop_assert!(applied.remove(&step.node)),
                }
                prop_assert_eq!(step.heads_after.ids(), maximal(&graph, &applied));
            }
        }
        let up = Plan::upgrade(&graph, &before, &[Target::symbol(Symbol::Heads)]).expect("everything");
        prop_assert_eq!(up.steps.len() + before.set().len(), graph.len());
    }

    #[test]
    fn no_range_panics(graph in graphs(), start in any::<u16>(), from in words(), to in words()) {
        let Ok(range) = format!("{from}:{to}").parse::<TargetRange>() else { return Ok(()) };
        let plans = [Plan::upgrade_range(&graph, &range), Plan::downgrade_range(&graph, &range), Plan::stamp_range(&graph, &range)];
        for plan in plans.into_iter().flatten() {
            prop_assert_eq!(in_order(&graph, &plan), Ok(()));
        }
        let applied = Applied::from_set(graph.ancestors(some(&graph, start)));
        if let Ok(nodes) = history(&graph, Some(&range), Some(&applied)) {
            let drawn = by_branch(&graph, &nodes);
            let place = |list: &[Node], node: Node| list.iter().position(|&other| other == node);
            for &node in &nodes {
                for list in [&nodes, &drawn] {
                    let parents = graph.parents(node).iter().filter_map(|&parent| place(list, parent));
                    prop_assert!(parents.min() > place(list, node) || graph.parents(node).iter().all(|p| !list.contains(p)));
                }
            }
            prop_assert_eq!(nodes.iter().collect::<BTreeSet<_>>().len(), drawn.len());
        }
    }

    #[test]
    fn the_order_of_the_input_is_nothing_once_sorted(graph in graphs(), turn in 0..14_usize) {
        let mut revisions = graph.revisions().to_vec();
        let by = turn % revisions.len();
        revisions.rotate_left(by);
        let again = build_sorted(revisions);
        prop_assert_eq!(graph.ids(graph.order().to_vec()), again.ids(again.order().to_vec()));
    }
}
