//! Settings of a session that a statement works out: `set_config` with a value that its text does not say.

use std::collections::BTreeSet;

use crate::sql::token::{self, Kind};
use crate::sql::{split, write};

type Word<'s> = (Kind, &'s str);

/// The setting that the statement gives a value which may be another one later. What a function does when it is called is
/// not seen.
pub(super) fn works_out(statement: &str) -> Option<String> {
    // Scripts of millions of statements come by here.
    if !statement.as_bytes().first().is_some_and(u8::is_ascii_alphabetic) || !mentions(statement) {
        return None;
    }
    let tokens = tokens(statement);
    let verb = tokens.first().map(|token| token.1).unwrap_or_default();
    let is = |word: &str| verb.eq_ignore_ascii_case(word);
    if is("CREATE") || is("COMMENT") {
        return None;
    }
    if is("DO") {
        let bodies = tokens.iter().filter(|(kind, _)| *kind == Kind::Text);
        return bodies
            .filter_map(|(_, text)| body(text))
            .find_map(|body| setting(&self::tokens(body), false));
    }
    setting(&tokens, is("SELECT") && is_bare(&tokens))
}

/// Adds the functions that a statement calls by its own words.
pub(super) fn calls(statement: &str, names: &mut BTreeSet<String>) {
    if !statement.contains('(') {
        return;
    }
    let tokens = tokens(statement);
    if tokens
        .first()
        .is_some_and(|first| first.1.eq_ignore_ascii_case("CREATE"))
    {
        return;
    }
    for pair in tokens.windows(2) {
        let [(kind, name), (_, "(")] = pair else { continue };
        match kind {
            Kind::Word => names.insert(name.to_ascii_lowercase()),
            Kind::Quoted => names.insert(token::unquoted(name).into_owned()),
            _ => false,
        };
    }
}

/// A query for those of these functions whose bodies set something that outlives the call.
pub(super) fn that_set(names: &BTreeSet<String>) -> Option<String> {
    if names.is_empty() {
        return None;
    }
    let names: Vec<String> = names.iter().map(|name| write::postgres_literal(name)).collect();
    Some(format!(
        "SELECT DISTINCT p.proname FROM pg_catalog.pg_proc p JOIN pg_catalog.pg_namespace n ON n.oid = p.pronamespace \
         WHERE n.nspname NOT IN ('pg_catalog', 'information_schema') AND p.proname IN ({}) \
         AND p.prosrc ~* '\\mset_config\\M|(^|;|\\m(begin|then|else|loop))\\s*set\\s+(session\\s+)?[a-z]' ORDER BY 1",
        names.join(", ")
    ))
}

fn mentions(statement: &str) -> bool {
    let word = b"set_config";
    statement
        .as_bytes()
        .windows(word.len())
        .any(|part| part.eq_ignore_ascii_case(word))
}

fn tokens(statement: &str) -> Vec<Word<'_>> {
    token::significant(statement, &split::POSTGRESQL)
        .map(|token| (token.kind, &statement[token.span]))
        .collect()
}

/// What stands between dollar quotes.
fn body(text: &str) -> Option<&str> {
    let tag = text.get(1..)?.find('$').filter(|_| text.starts_with('$'))? + 2;
    text.get(tag..text.len().checked_sub(tag)?)
}

/// Whether it is one row of calls, whatever the database holds.
fn is_bare(tokens: &[Word<'_>]) -> bool {
    let words = ["FROM", "WHERE", "CASE", "SELECT", "HAVING", "LIMIT", "OFFSET"];
    let mut rest = tokens.iter().skip(1);
    !rest.any(|(kind, text)| *kind == Kind::Word && words.iter().any(|word| text.eq_ignore_ascii_case(word)))
}

/// The first setting that outlives its transaction and is not given a plain text; `bare` where the calls are certain to be
/// made.
fn setting(tokens: &[Word<'_>], bare: bool) -> Option<String> {
    (0..tokens.len()).find_map(|at| {
        let called = tokens[at].1.trim_matches('"').eq_ignore_ascii_case("set_config");
        if !called || tokens.get(at + 1)?.1 != "(" {
            return None;
        }
        let arguments = arguments(&tokens[at + 2..]);
        let [name, value, local] = arguments.as_slice() else {
            return Some("what set_config has set".to_owned());
        };
        let ends = |word: &str| {
            ["true", "'true'", "'t'", "'on'", "'1'"]
                .iter()
                .any(|yes| word.eq_ignore_ascii_case(yes))
        };
        if matches!(local, [(_, word)] if ends(word)) {
            return None;
        }
        let text = |words: &[Word<'_>]| match words {
            [(Kind::Text, text)] => Some(token::unquoted(text).into_owned()),
            _ => None,
        };
        let plain = text(value).is_some() && matches!(local, [(Kind::Word, _)]);
        match text(name) {
            Some(_) if plain && bare => None,
            Some(name) => Some(format!("setting `{name}`")),
            None => Some("what set_config has set".to_owned()),
        }
    })
}

/// The arguments of a call, from behind its parenthesis.
fn arguments<'t, 's>(tokens: &'t [Word<'s>]) -> Vec<&'t [Word<'s>]> {
    let (mut out, mut depth, mut start) = (Vec::new(), 0_usize, 0);
    for (at, (_, text)) in tokens.iter().enumerate() {
        match *text {
            "(" | "[" => depth += 1,
            ")" if depth == 0 => {
                out.push(&tokens[start..at]);
                return out;
            }
            ")" | "]" => depth = depth.saturating_sub(1),
            "," if depth == 0 => {
                out.push(&tokens[start..at]);
                start = at + 1;
            }
            _ => {}
        }
    }
    out
}

#[cfg(test)]
mod tests {
    use super::works_out;

    #[test]
    fn what_cannot_be_worked_out_again() {
        for (sql, name) in [
            (
                "SELECT set_config('my.id', (SELECT max(id)::text FROM t), false)",
                "setting `my.id`",
            ),
            (
                "SELECT pg_catalog.set_config('my.id', id::text, false) FROM t",
                "setting `my.id`",
            ),
            ("SELECT set_config('a.b', 'x', false) FROM t", "setting `a.b`"),
            ("SELECT set_config(name, 'x', false) FROM t", "what set_config has set"),
            ("INSERT INTO t SELECT set_config('a.b', 'x', false)", "setting `a.b`"),
            (
                "DO $$ BEGIN PERFORM set_config('a.b', now()::text, false); END $$",
                "setting `a.b`",
            ),
        ] {
            assert_eq!(works_out(sql).as_deref(), Some(name), "{sql}");
        }
        for sql in [
            "SELECT set_config('search_path', 'a', false)",
            "SELECT pg_catalog.set_config('search_path', '', false), set_config('a.b', 'c', false)",
            "SELECT set_config('my.id', (SELECT max(id)::text FROM t), true)",
            "DO $$ BEGIN PERFORM set_config('a.b', now()::text, true); END $$",
            "CREATE FUNCTION f() RETURNS void LANGUAGE sql AS $$ SELECT set_config('a', now()::text, false) $$",
            "INSERT INTO t VALUES ('set_config')",
        ] {
            assert_eq!(works_out(sql), None, "{sql}");
        }
    }
}
