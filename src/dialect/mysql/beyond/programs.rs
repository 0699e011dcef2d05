//! Blocks, procedures and statements that come as texts: what they change is in their bodies.

use crate::dialect::mysql::beyond::{BEFORE, VERBS, changes_another};
use crate::dialect::mysql::session::{has_word, inner, words};
use crate::source::Span;
use crate::sql::split::MYSQL;
use crate::sql::token;

/// The place of the text that a statement prepares or runs, as an expression.
pub(crate) fn prepared(statement: &str) -> Option<Span> {
    let statement_words = words(inner(statement), 2);
    let words: Vec<&str> = statement_words.iter().map(String::as_str).collect();
    let before = match words.as_slice() {
        ["PREPARE", ..] => "FROM",
        ["EXECUTE", "IMMEDIATE"] => "IMMEDIATE",
        _ => return None,
    };
    let tokens: Vec<token::Token> = token::significant(statement, &MYSQL).collect();
    let is = |token: &token::Token, word: &str| statement[token.span.clone()].eq_ignore_ascii_case(word);
    let begins = tokens.iter().position(|token| is(token, before))? + 1;
    let ends = tokens[begins..].iter().position(|token| is(token, "USING"));
    let last = ends.map_or(tokens.len(), |length| begins + length).checked_sub(1)?;
    (last >= begins).then(|| tokens[begins].span.start..tokens[last].span.end)
}

/// The name of a procedure that a statement makes, where its body changes what is in another database.
pub(crate) fn reaching_procedure(statement: &str, database: &str) -> Option<String> {
    let statement = inner(statement);
    if !statement.contains('.') || words(statement, 1).first().is_none_or(|word| word != "CREATE") {
        return None;
    }
    let mut tokens = token::significant(statement, &MYSQL);
    let what = |token: &token::Token| {
        let kinds = ["PROCEDURE", "FUNCTION", "TABLE", "VIEW", "TRIGGER", "EVENT", "INDEX"];
        kinds
            .iter()
            .find(|kind| statement[token.span.clone()].eq_ignore_ascii_case(kind))
            .copied()
    };
    if tokens.find_map(|token| what(&token)) != Some("PROCEDURE") {
        return None;
    }
    let is_word = |text: &str| {
        ["IF", "NOT", "EXISTS"]
            .iter()
            .any(|word| text.eq_ignore_ascii_case(word))
    };
    let name = tokens.find(|token| !is_word(&statement[token.span.clone()]))?;
    let body = &statement[name.span.end..];
    (writes_elsewhere(body) || prepares_elsewhere(body, database))
        .then(|| token::unquoted(&statement[name.span]).to_lowercase())
}

/// The name of the procedure that a statement calls.
pub(crate) fn called(statement: &str) -> Option<String> {
    let statement = inner(statement);
    let mut tokens = token::significant(statement, &MYSQL);
    let is_call = statement[tokens.next()?.span].eq_ignore_ascii_case("CALL");
    let name = tokens.next().filter(|_| is_call)?;
    Some(token::unquoted(&statement[name.span]).to_lowercase())
}

/// Whether a statement is a block that runs at once.
pub(super) fn is_block(statement: &str) -> bool {
    let words = words(statement, 2);
    match words.first().map(String::as_str) {
        Some("BEGIN") => words.len() > 1,
        Some(first) => ["IF", "CASE", "LOOP", "WHILE", "REPEAT", "FOR"].contains(&first) || first_is_label(statement),
        None => false,
    }
}

fn first_is_label(statement: &str) -> bool {
    let mut tokens = token::significant(statement, &MYSQL);
    tokens.nth(1).is_some_and(|token| &statement[token.span] == ":")
}

/// Whether a statement in a body changes something whose name says a database.
pub(super) fn writes_elsewhere(body: &str) -> bool {
    let tokens: Vec<token::Token> = token::significant(body, &MYSQL).collect();
    let text = |token: &token::Token| &body[token.span.clone()];
    let is_verb = |token: &token::Token| {
        let mut verbs = BEFORE.split_ascii_whitespace().take(VERBS);
        token.kind == token::Kind::Word && verbs.any(|verb| text(token).eq_ignore_ascii_case(verb))
    };
    tokens.iter().enumerate().any(|(at, token)| {
        let ends = || tokens[at..].iter().find(|token| text(token) == ";");
        is_verb(token) && changes_another(&body[token.span.start..ends().map_or(body.len(), |end| end.span.start)])
    })
}

/// Whether a body has a text that it may prepare, and that names the project's database or changes another one.
fn prepares_elsewhere(body: &str, database: &str) -> bool {
    if !(has_word(body, "PREPARE") || has_word(body, "EXECUTE")) {
        return false;
    }
    let own = [format!("{database}."), format!("{database}`.")];
    let mut texts = token::significant(body, &MYSQL).filter(|token| token.kind == token::Kind::Text);
    texts.any(|token| {
        let text = token::unquoted(&body[token.span]);
        !database.is_empty() && own.iter().any(|own| text.contains(own)) || changes_another(&text)
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_is_prepared_and_called() {
        let prepared = |sql: &'static str| prepared(sql).map(|place| &sql[place]);
        assert_eq!(prepared("PREPARE s FROM @q"), Some("@q"));
        assert_eq!(
            prepared("EXECUTE IMMEDIATE CONCAT(@a, 'b') USING 1"),
            Some("CONCAT(@a, 'b')")
        );
        assert_eq!(prepared("EXECUTE s"), None);
        let made = |sql| reaching_procedure(sql, "app");
        assert_eq!(made("CREATE PROCEDURE P() DROP TABLE other.t").as_deref(), Some("p"));
        assert_eq!(
            made("CREATE DEFINER=a@b PROCEDURE `p`(x INT) BEGIN SET @a = 1; DELETE FROM other.t; END").as_deref(),
            Some("p")
        );
        assert_eq!(
            made("CREATE PROCEDURE p() BEGIN SELECT * FROM other.t; UPDATE t SET t.a = 1; END"),
            None
        );
        let prepares = "CREATE PROCEDURE p() BEGIN SET @q = 'DELETE FROM app.t'; PREPARE s FROM @q; EXECUTE s; END";
        assert_eq!(made(prepares).as_deref(), Some("p"));
        assert_eq!(called("CALL `P`(1)").as_deref(), Some("p"));
    }
}
