//! Events on a database that is there to try things on: they are made, so that they can be compared, and never come due.

use crate::sql::split::MYSQL;
use crate::sql::token::{self, Token};

/// What keeps an event from coming due, and is told apart from DISABLE. Whoever reads a scratch database takes it for ENABLE.
const ASLEEP: &str = "DISABLE ON SLAVE";

/// The statement, where it would set an event going, as one after which it sleeps.
pub(super) fn asleep(statement: &str) -> Option<String> {
    let first = crate::dialect::mysql::session::words(statement, 1);
    if !first.first().is_some_and(|word| word == "CREATE" || word == "ALTER") {
        return None;
    }
    let tokens: Vec<Token> = token::significant(statement, &MYSQL).collect();
    let is = |at: usize, word: &str| {
        let token: Option<&Token> = tokens.get(at);
        token.is_some_and(|token| statement[token.span.clone()].eq_ignore_ascii_case(word))
    };
    let makes = !is(0, "ALTER");
    let event = (0..tokens.len().min(10)).find(|&at| is(at, "EVENT"))?;
    let others = ["TABLE", "VIEW", "PROCEDURE", "FUNCTION", "TRIGGER", "INDEX", "SEQUENCE"];
    if (0..event).any(|at| others.iter().any(|other| is(at, other))) {
        return None;
    }
    let body = (event..tokens.len()).find(|&at| is(at, "DO")).unwrap_or(tokens.len());
    if (event..body).any(|at| is(at, "DISABLE")) {
        return None;
    }
    if let Some(at) = (event + 2..body).find(|&at| is(at, "ENABLE")) {
        let span = tokens[at].span.clone();
        return Some(format!(
            "{}{ASLEEP}{}",
            &statement[..span.start],
            &statement[span.end..]
        ));
    }
    let comment = (event + 2..body).find(|&at| is(at, "COMMENT"));
    let at = tokens.get(comment.unwrap_or(body)).filter(|_| makes)?.span.start;
    Some(format!("{}{ASLEEP} {}", &statement[..at], &statement[at..]))
}
