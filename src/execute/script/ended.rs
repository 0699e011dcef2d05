//! How a statement ends in a script.

use crate::sql::split::SplitRules;
use crate::sql::token::{self, Kind};

/// What ends a statement that may end in a comment: a line comment would swallow the semicolon, and a block comment
/// that is never closed everything to the end of the script.
pub(super) fn end_of(sql: &str, rules: &'static SplitRules) -> &'static str {
    let last_line = sql.rsplit('\n').next().unwrap_or_default();
    if !last_line.contains("--") && !sql.contains("/*") {
        return ";\n";
    }
    let last = token::tokens(sql, rules).last();
    let comment = last.filter(|token| token.kind == Kind::Comment);
    match comment.map(|token| &sql[token.span]) {
        Some(comment) if !comment.starts_with("/*") && !sql.ends_with('\n') => "\n;\n",
        Some(comment) if !comment.starts_with("/*") => ";\n",
        Some(comment) if comment.len() < 4 || !comment.ends_with("*/") => " */;\n",
        _ => ";\n",
    }
}
