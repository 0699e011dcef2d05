//! Plans through small graphs, and what errors offer.

use crate::code::Code;
use crate::error::Result;
use crate::revision::RevisionId;
use crate::revision::applied::Applied;
use crate::revision::graph::RevisionGraph;
use crate::revision::plan::Plan;
use crate::revision::sample::{graph, revision};
use crate::revision::target::Target;

fn applied(graph: &RevisionGraph, rows: &str) -> Applied {
    let rows: Vec<RevisionId> = rows.split_whitespace().map(RevisionId::from).collect();
    Applied::from_rows(graph, &rows).expect("rows of the graph")
}

fn shown(plan: &Plan) -> String {
    let steps = plan
        .steps
        .iter()
        .map(|step| format!("{} ({})", step.revision, step.heads_after));
    steps.collect::<Vec<_>>().join(" ")
}

fn check_upgrade(revisions: &str, rows: &str, target: &str, expect: &str) {
    let graph = graph(revisions);
    let plan = Plan::upgrade(&graph, &applied(&graph, rows), &[target.parse().expect(target)]);
    assert_eq!(
        plan.map(|plan| shown(&plan)).map_err(|e| e.code().name()),
        Ok(expect.to_owned())
    );
}

#[test]
fn what_was_deleted_by_hand_from_the_rows_is_applied_again() {
    check_upgrade("a b:a c:b d:c", "a c", "head", "b (c) d (d)");
    check_upgrade("a b:a c:b d:c", "c", "head", "a (c) b (c) d (d)");
    check_upgrade("a b:a c:b", "c", "b", "a (c) b (c)");
    check_upgrade("a b:a c:b d:c", "a b c d", "head", "");
}

/// The lines of help of the error.
fn check_help(result: Result<Plan>, code: Code, help: &[&str]) {
    let error = result.expect_err("refused");
    assert_eq!(
        (error.code(), error.help_lines()),
        (code, &help.iter().map(|s| (*s).to_owned()).collect::<Vec<_>>()[..])
    );
}

#[test]
fn help_lists_what_can_be_typed() {
    let graph = graph("root l1:root l2:l1 r1:root r2:r1");
    let all = applied(&graph, "root l1 l2 r1 r2");
    let none = Applied::none(&graph);
    let target = |text: &str| text.parse::<Target>().expect(text);
    check_help(
        Plan::downgrade(&graph, &all, &target("-2")),
        Code::Ambiguous,
        &[
            "sqlrev downgrade l2@-2  # l2/upgrade.sql  about l2",
            "sqlrev downgrade r2@-2  # r2/upgrade.sql  about r2",
        ],
    );
    let one = Plan::downgrade(&graph, &all, &target("l2@-2")).map(|plan| shown(&plan));
    assert_eq!(one.ok().as_deref(), Some("l2 (l1, r2) l1 (r2)"));
    check_help(
        Plan::upgrade(&graph, &none, &[target("head")]),
        Code::MultipleHeads,
        &[
            "l2  l2/upgrade.sql  about l2",
            "r2  r2/upgrade.sql  about r2",
            "one of them: sqlrev upgrade l2",
            "all of them: sqlrev upgrade heads",
            "join them: sqlrev merge -m MESSAGE l2 r2",
        ],
    );
    check_help(
        Plan::upgrade(&graph, &none, &[target("+2")]),
        Code::Ambiguous,
        &[
            "sqlrev upgrade l1  # l1/upgrade.sql  about l1",
            "sqlrev upgrade r1  # r1/upgrade.sql  about r1",
        ],
    );
    let two = applied(&graph, "root l1 r1");
    check_help(
        Plan::upgrade(&graph, &two, &[target("+1")]),
        Code::Ambiguous,
        &[
            "sqlrev upgrade l1+1  # l1/upgrade.sql  about l1",
            "sqlrev upgrade r1+1  # r1/upgrade.sql  about r1",
        ],
    );
    check_help(
        Plan::upgrade(&graph, &none, &[target("roo")]),
        Code::UnknownRevision,
        &["the beginning of an id needs at least 4 characters: root"],
    );
    check_help(
        Plan::upgrade(&graph, &none, &[target("roots")]),
        Code::UnknownRevision,
        &["did you mean `root`?"],
    );
}

#[test]
fn a_row_that_is_not_in_the_graph_is_refused() {
    let graph = graph("a b:a");
    let error = Applied::from_rows(&graph, &["a".into(), "gone".into()]).expect_err("gone");
    assert_eq!(
        (error.code(), error.message()),
        (
            Code::UnknownRevision,
            "revision `gone` is applied, but no file holds it"
        )
    );
}

#[test]
fn what_cannot_be_undone_is_named_before_anything_runs() {
    let mut revisions = vec![
        revision("a", &[], &[], &[]),
        revision("b", &["a"], &[], &[]),
        revision("c", &["b"], &[], &[]),
    ];
    revisions[0].downgrade = None;
    revisions[1].header.irreversible = true;
    let graph = RevisionGraph::build(revisions).expect("a graph");
    let all = applied(&graph, "a b c");
    let to = |target: &str| {
        let plan = Plan::downgrade(&graph, &all, &target.parse().expect(target)).expect("a plan");
        plan.check_reversible(&graph)
            .map_err(|error| (error.code(), error.message().to_owned(), error.labels().len()))
    };
    assert_eq!(to("b"), Ok(()));
    assert_eq!(
        to("a"),
        Err((
            Code::Irreversible,
            "revision `b` on the way down cannot be undone".into(),
            1
        ))
    );
    let both = "2 revisions on the way down cannot be undone: `b`, `a`";
    assert_eq!(to("base"), Err((Code::Irreversible, both.into(), 2)));
}

#[test]
fn a_stamp_has_one_step_for_each_row_that_changes() {
    let graph = graph("a b:a c:b d:a");
    let stamp = |rows: &str, targets: &[&str], purge| {
        let targets: Vec<Target> = targets.iter().map(|t| t.parse().expect(t)).collect();
        Plan::stamp(&graph, &applied(&graph, rows), &targets, purge)
            .map(|plan| shown(&plan))
            .expect("a plan")
    };
    assert_eq!(stamp("", &["heads"], false), "a (a) b (b) c (c) d (c, d)");
    assert_eq!(stamp("a b c d", &["b"], false), "c (b, d)");
    assert_eq!(stamp("a b c d", &["a"], false), "d (c) c (b) b (a)");
    assert_eq!(stamp("a b c d", &["b"], true), "d (c) c (b)");
    assert_eq!(stamp("a b c", &["base"], false), "c (b) b (a) a (base)");
    assert_eq!(stamp("a b c", &["base", "c"], false), "");
    let relative = Plan::stamp(
        &graph,
        &applied(&graph, "a b"),
        &["a@-1".parse().expect("a target")],
        false,
    );
    assert_eq!(
        relative.map_err(|error| error.code()).err(),
        Some(Code::UnknownRevision)
    );
}
