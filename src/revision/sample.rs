//! Small graphs for tests.

use crate::error::Result;
use crate::revision::graph::RevisionGraph;
use crate::revision::{Header, Revision, RevisionId, Script};
use crate::source::SourceFile;

/// A revision with files; its header is written out, so that labels have words to stand under.
pub(crate) fn revision(id: &str, down: &[&str], depends_on: &[&str], labels: &[&str]) -> Revision {
    let mut header = Header::new(id);
    header.down_revisions = down.iter().map(|id| RevisionId::from(*id)).collect();
    header.depends_on = depends_on.iter().map(|name| (*name).into()).collect();
    header.branch_labels = labels.iter().map(|label| (*label).into()).collect();
    header.message = format!("about {id}").into();
    let text = format!(
        "-- ---\n-- revision: {id}\n-- down_revision: [{}]\n-- depends_on: [{}]\n-- branch_labels: [{}]\n-- ---\nSELECT 1;\n",
        down.join(", "),
        depends_on.join(", "),
        labels.join(", ")
    );
    let body = text.len() - "SELECT 1;\n".len();
    let file = SourceFile::new(format!("{id}/upgrade.sql"), text);
    let script = Script {
        file,
        body,
        large: None,
    };
    Revision {
        header,
        upgrade: Some(script.clone()),
        downgrade: Some(script),
    }
}

/// `a b:a c:a~dep,dep[label] d:b,c`: ids with down revisions, dependencies and labels, in path order.
pub(crate) fn try_graph(text: &str) -> Result<RevisionGraph> {
    let list = |text: &'static str| -> Vec<&'static str> { text.split(',').filter(|item| !item.is_empty()).collect() };
    let leaked: &'static str = Box::leak(text.to_owned().into_boxed_str());
    let revisions = leaked.split_whitespace().map(|word| {
        let (word, labels) = word.trim_end_matches(']').split_once('[').unwrap_or((word, ""));
        let (word, depends_on) = word.split_once('~').unwrap_or((word, ""));
        let (id, down) = word.split_once(':').unwrap_or((word, ""));
        revision(id, &list(down), &list(depends_on), &list(labels))
    });
    RevisionGraph::build(revisions.collect())
}

/// The same, of a graph that is known to be right.
pub(crate) fn graph(text: &str) -> RevisionGraph {
    try_graph(text).expect(text)
}
