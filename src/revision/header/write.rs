//! A header as text.

use std::fmt::Write as _;

use crate::revision::{BranchLabel, Header, Recreate, RevisionId, Transaction};

use super::{duration, plain};

/// The comment block of a header, from one `-- ---` line to the other, keys in the order of
/// [`KEYS`](super::KEYS), those that say nothing left out. [`parse`](super::parse) reads the same header from it.
pub fn write(header: &Header) -> String {
    let mut out = String::from("-- ---\n");
    let mut line = |key: &str, value: &str| {
        out.push_str("-- ");
        out.push_str(key);
        out.push_str(": ");
        out.push_str(value);
        out.push('\n');
    };
    line("revision", &scalar(header.id.as_str()));
    let parents: Vec<&str> = header.down_revisions.iter().map(RevisionId::as_str).collect();
    match parents[..] {
        [] => {}
        [parent] => line("down_revision", &scalar(parent)),
        _ => line("down_revision", &list(&parents)),
    }
    if !header.message.is_empty() {
        line("message", &scalar(&header.message));
    }
    if let Some(created) = &header.created {
        line("created", &scalar(created));
    }
    if !header.branch_labels.is_empty() {
        let labels: Vec<&str> = header.branch_labels.iter().map(BranchLabel::as_str).collect();
        line("branch_labels", &list(&labels));
    }
    if !header.depends_on.is_empty() {
        let depends_on: Vec<&str> = header.depends_on.iter().map(|id| &**id).collect();
        line("depends_on", &list(&depends_on));
    }
    if header.transaction == Transaction::None {
        line("transaction", "none");
    }
    let times = [
        ("lock_timeout", header.lock_timeout),
        ("statement_timeout", header.statement_timeout),
    ];
    for (key, time) in times {
        if let Some(time) = time {
            line(key, &duration::written(time));
        }
    }
    match header.recreate {
        Recreate::Auto => {}
        Recreate::Always => line("recreate", "always"),
        Recreate::Never => line("recreate", "never"),
    }
    if header.irreversible {
        line("irreversible", "true");
    }
    if header.code {
        line("code", "true");
    }
    out.push_str("-- ---\n");
    out
}

fn list(words: &[&str]) -> String {
    let words: Vec<String> = words
        .iter()
        .map(|word| {
            if word.contains([',', '[', ']', '{', '}', ':']) {
                quoted(word)
            } else {
                scalar(word)
            }
        })
        .collect();
    format!("[{}]", words.join(", "))
}

/// Without quotes where YAML surely reads the same text, else in double quotes.
fn scalar(text: &str) -> String {
    if plain::is_sentence(text) {
        text.to_owned()
    } else {
        quoted(text)
    }
}

fn quoted(text: &str) -> String {
    let mut out = String::from("\"");
    for c in text.chars() {
        match c {
            '"' | '\\' => {
                out.push('\\');
                out.push(c);
            }
            '\n' => out.push_str("\\n"),
            '\t' => out.push_str("\\t"),
            '\r' => out.push_str("\\r"),
            c if is_unseen(c) => {
                let _ = write!(out, "\\U{:08x}", u32::from(c));
            }
            c => out.push(c),
        }
    }
    out.push('"');
    out
}

/// Characters that YAML does not take as they are, or that a reader would not see.
fn is_unseen(c: char) -> bool {
    c.is_control()
        || matches!(c, '\u{a0}' | '\u{2000}'..='\u{200f}' | '\u{2028}'..='\u{202f}' | '\u{feff}' | '\u{fff0}'..='\u{ffff}')
        || u32::from(c) & 0xfffe == 0xfffe
}
