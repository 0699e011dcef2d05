//! The documents of `--format json`. Keys are added, never renamed.

use serde_json::{Map, Value, json};

use crate::dialect::Dialect;
use crate::execute::shown::Shown;
use crate::execute::{Ran, Report};
use crate::revision::applied::Applied;
use crate::revision::graph::RevisionGraph;
use crate::revision::nodes::Node;
use crate::revision::{RevisionId, Transaction};

fn ids(ids: &[RevisionId]) -> Vec<&str> {
    ids.iter().map(RevisionId::as_str).collect()
}

/// A plan, or what a run did.
pub(crate) fn report(report: &Report, command: &str, dialect: &dyn Dialect) -> Value {
    let steps: Vec<Value> = report.steps.iter().map(step).collect();
    let mut value = json!({
        "dialect": dialect.name(),
        "command": command,
        "from": ids(&report.from),
        "to": ids(&report.to),
        "steps": steps,
    });
    if let (false, Some(object)) = (report.purged.is_empty(), value.as_object_mut()) {
        object.insert("purged".to_owned(), json!(ids(&report.purged)));
    }
    value
}

fn step(ran: &Ran) -> Value {
    let statements: Vec<Value> = ran.statements.iter().map(statement).collect();
    let mut value = json!({
        "revision": ran.step.revision.as_str(),
        "direction": ran.step.direction.name(),
        "heads_before": ids(&ran.step.heads_before.ids()),
        "heads_after": ids(&ran.step.heads_after.ids()),
        "transaction": transaction(ran.transaction),
        "statements": statements,
    });
    if let (false, Some(object)) = (ran.notices.is_empty(), value.as_object_mut()) {
        object.insert("notices".to_owned(), json!(ran.notices));
    }
    if let (Some(duration), Some(object)) = (ran.duration, value.as_object_mut()) {
        object.insert(
            "duration_ms".to_owned(),
            json!(u64::try_from(duration.as_millis()).unwrap_or(u64::MAX)),
        );
    }
    value
}

fn transaction(transaction: Transaction) -> &'static str {
    match transaction {
        Transaction::Revision => "revision",
        Transaction::None => "none",
    }
}

fn statement(shown: &Shown) -> Value {
    let mut object = Map::new();
    object.insert("sql".to_owned(), json!(shown.sql));
    object.insert("kind".to_owned(), json!(shown.kind.name()));
    object.insert("table".to_owned(), json!(shown.table));
    object.insert("strategy".to_owned(), json!(shown.strategy));
    if let Some(reason) = &shown.reason {
        object.insert("reason".to_owned(), json!(reason));
    }
    if let Some(size) = shown.size {
        for (key, value) in [("rows", size.rows), ("bytes", size.bytes), ("disk_bytes", size.disk)] {
            object.insert(key.to_owned(), json!(value));
        }
    }
    // The statements of the tool itself stand in no file.
    let place = (!shown.file.is_empty()).then_some(shown);
    object.insert("file".to_owned(), json!(place.map(|shown| &shown.file)));
    object.insert("line".to_owned(), json!(place.map(|shown| shown.line)));
    object.insert("column".to_owned(), json!(place.map(|shown| shown.column)));
    Value::Object(object)
}

/// Revisions in the order given. What is applied is null where the database was not asked.
pub(crate) fn revisions(graph: &RevisionGraph, nodes: &[Node], applied: Option<&Applied>) -> Value {
    let revisions: Vec<Value> = nodes.iter().map(|node| revision(graph, *node, applied)).collect();
    json!({ "revisions": revisions })
}

fn revision(graph: &RevisionGraph, node: Node, applied: Option<&Applied>) -> Value {
    let revision = graph.revision(node);
    let header = &revision.header;
    let labels: Vec<&str> = header
        .branch_labels
        .iter()
        .map(super::super::revision::BranchLabel::as_str)
        .collect();
    let depends_on: Vec<&str> = header.depends_on.iter().map(|id| &**id).collect();
    json!({
        "revision": header.id.as_str(),
        "down_revision": ids(&header.down_revisions),
        "depends_on": depends_on,
        "branch_labels": labels,
        "message": &*header.message,
        "file": revision.file_name(),
        "is_head": graph.is_head(node),
        "is_base": graph.is_base(node),
        "is_branch_point": graph.is_branch_point(node),
        "is_merge_point": graph.is_merge_point(node),
        "applied": applied.map(|applied| applied.contains(node)),
    })
}
