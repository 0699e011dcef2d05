//! Small graphs for tests.

use crate::error::Result;
use crate::revision::graph::RevisionGraph;
use crate::revision::{Revision, Script, header};
use crate::source::SourceFile;

/// A revision with files: its header is written out and read.
pub(crate) fn revision(id: &str, down: &[&str], depends_on: &[&str], labels: &[&str]) -> Revision {
    let quoted = |names: &[&str]| {
        let mut words: Vec<String> = Vec::new();
        for word in names.iter().map(|name| format!("\"{name}\"")) {
            // A header names each once.
            if !words.contains(&word) {
                words.push(word);
            }
        }
        words.join(", ")
    };
    let (down, depends_on, labels) = (quoted(down), quoted(depends_on), quoted(labels));
    let text = format!(
        "-- ---\n-- revision: \"{id}\"\n-- down_revision: [{down}]\n-- depends_on: [{depends_on}]\n\
         -- branch_labels: [{labels}]\n-- message: about {id}\n-- ---\nSELECT 1;\n"
    );
    let file = SourceFile::new(format!("{id}/upgrade.sql"), text);
    let header::Parsed { header, body, places } = header::parse(&file).expect("a header");
    let script = Script {
        file,
        body,
        large: None,
        known: None,
    };
    Revision {
        header,
        places,
        upgrade: Some(script.clone()),
        downgrade: Some(script),
        missing_text: false,
        header_lost: false,
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
