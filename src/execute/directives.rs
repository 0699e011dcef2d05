//! Directives among the comments of a script, as the first reading of it meets them.

use crate::code::Code;
use crate::dialect::Dialect;
use crate::error::{Error, Result};
use crate::execute::scripts::{self, Survey};
use crate::execute::walk::directives;
use crate::sql::parse::alter;
use crate::sql::token;

impl Survey<'_> {
    /// Refuses directives within a statement, where they are comments; `at` is where it begins in the file.
    pub(super) fn within(&self, statement: &str, at: usize) -> Result<()> {
        // A longer one is data.
        if statement.len() > LONGEST || !statement.to_ascii_lowercase().contains(DIRECTIVE) {
            return Ok(());
        }
        let mut comments =
            token::tokens(statement, self.dialect.rules()).filter(|token| token.kind == token::Kind::Comment);
        let is_directive = |token: &token::Token| {
            let said = directive(&statement[token.span.clone()]);
            said.is_some_and(|name| {
                let is = |known: &&str| name.eq_ignore_ascii_case(known);
                DIRECTIVES.iter().any(is) && !ELSEWHERE.iter().any(is)
            })
        };
        let Some(comment) = comments.find(is_directive) else {
            return Ok(());
        };
        let text = statement[comment.span.clone()].trim_end();
        let error = Error::new(
            Code::ScriptDirective,
            "a directive stands within a statement, where it does nothing",
        );
        let start = at + comment.span.start;
        let error = if self.script.large.is_none() {
            error.at(&self.script.file, start..start + text.len(), "a comment here")
        } else {
            error.cause(format!("in `{}`: {text}", self.script.file.name))
        };
        Err(error.help("write it on a line of its own before the statement, or behind its semicolon"))
    }

    /// Refuses directives that there are not; `at` is where the comments begin in the file.
    pub(super) fn directives(&mut self, gap: &str, at: usize) -> Result<()> {
        if !gap.contains(':') || !gap.to_ascii_lowercase().contains(DIRECTIVE) {
            return Ok(());
        }
        let comments = token::comments(gap, self.dialect.rules());
        for comment in comments {
            let text = gap[comment.span.clone()].trim_end();
            let Some(name) = directive(text) else {
                continue;
            };
            let spaced = text.starts_with("-- sqlrev:");
            if spaced && ELSEWHERE.contains(&name.as_str()) {
                continue;
            }
            let known = spaced && DIRECTIVES.contains(&name.as_str());
            let unreadable = match read_directive(text) {
                Some(Ok(_)) => continue,
                None if known => {
                    self.needs_plan.get_or_insert(self.statements);
                    continue;
                }
                Some(Err(unreadable)) if known => Some(unreadable),
                _ => None,
            };
            let (message, label, place) = if let Some(unreadable) = unreadable {
                let message = format!("the directive `sqlrev:{name}` cannot be read");
                (message, format!("expected {}", unreadable.expected), unreadable.span)
            } else {
                let message = format!("there is no directive `{}`", text.trim_start());
                (message, "not a directive".to_owned(), 0..text.len())
            };
            let error = Error::new(Code::ScriptDirective, message);
            let start = at + comment.span.start;
            let error = if self.script.large.is_none() {
                error.at(&self.script.file, start + place.start..start + place.end, label)
            } else {
                error.cause(format!("in `{}`: {label}", self.script.file.name))
            };
            let near = crate::error::nearest(&name.to_ascii_lowercase(), DIRECTIVES).unwrap_or("reorder");
            return Err(error.help(if known {
                format!(
                    "`sqlrev explain {}` shows how it is written",
                    Code::ScriptDirective.name()
                )
            } else {
                format!("write `-- sqlrev:{near} …`, or another word than `sqlrev:`")
            }));
        }
        Ok(())
    }
}

/// The name of the directive that a comment is, or means to be.
fn directive(comment: &str) -> Option<String> {
    let rest = comment.strip_prefix("--")?.trim_start();
    let (mark, words) = rest.split_at_checked(DIRECTIVE.len())?;
    let name = words.chars().take_while(|c| c.is_alphanumeric() || *c == '_');
    mark.eq_ignore_ascii_case(DIRECTIVE).then(|| name.collect())
}

/// The longest statement in which somebody may have written a directive, in bytes.
const LONGEST: usize = 1 << 20;

/// What a directive says; none in a program without batch plans, which runs no script that has one. A build script knows
/// no database and reads them all the same.
fn read_directive(text: &str) -> Option<Result<alter::Alter, alter::Unreadable>> {
    (scripts::PLANS || cfg!(not(feature = "sqlite"))).then(|| alter::read(text))
}

/// How a directive begins, after the dashes of its comment.
const DIRECTIVE: &str = "sqlrev:";
/// What there is.
const DIRECTIVES: [&str; 8] = [
    "reorder",
    "strict",
    "without_rowid",
    "autoincrement",
    "nullable",
    "retype",
    "allow",
    "renamed",
];
/// Those that say nothing of a table that is altered: `renamed` is for schema.sql, and harmless here.
const ELSEWHERE: [&str; 2] = ["allow", "renamed"];

/// The tables that directives among comments change, as this dialect reads them.
pub(super) fn altered<'g>(gap: &'g str, dialect: &'g dyn Dialect) -> impl Iterator<Item = String> + 'g {
    directives(gap, dialect.rules()).filter_map(|(_, text)| dialect.batch_table(text))
}

/// The statement at an index, where a directive among the comments before it changes a table.
pub(super) fn first(gap: &str, dialect: &dyn Dialect, index: u64) -> Option<u64> {
    altered(gap, dialect).next().map(|_| index)
}
