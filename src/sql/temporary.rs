//! Tables that go with the connection that made them.

use crate::sql::split::SplitRules;
use crate::sql::token;

/// What a statement makes that holds rows, or counts, and goes with the connection: what it is, and its name. Nothing
/// that is emptied or dropped at the end of its transaction.
pub fn made(statement: &str, rules: &SplitRules) -> Option<(&'static str, String)> {
    let (kind, mut name) = made_as(statement, rules)?;
    Some((kind, name.pop()?))
}

/// Likewise, with what stands before the name.
pub fn made_as(statement: &str, rules: &SplitRules) -> Option<(&'static str, Vec<String>)> {
    // Scripts of millions of statements come by here.
    let first = statement.as_bytes().first()?;
    if !b"cCsSwW".contains(first) {
        return None;
    }
    let tokens: Vec<&str> = token::significant(statement, rules)
        .map(|token| &statement[token.span])
        .collect();
    let is = |at: usize, words: &[&str]| {
        tokens
            .get(at)
            .is_some_and(|token| words.iter().any(|word| token.eq_ignore_ascii_case(word)))
    };
    if is_dropped_at_commit(statement) || at_commit(statement, "DELETE") {
        return None;
    }
    let scope = ["LOCAL", "GLOBAL"];
    let (mut at, says_so) = if is(0, &["CREATE"]) {
        let first = if is(1, &["OR"]) { 3 } else { 1 };
        let at = first + usize::from(is(first, &scope));
        let says_so = is(at, &["TEMP", "TEMPORARY"]);
        (at + usize::from(says_so), says_so)
    } else {
        let into =
            (0..tokens.len()).find(|&at| is(at, &["INTO"]) && is(at + 1, &["TEMP", "TEMPORARY", "LOCAL", "GLOBAL"]))?;
        (if is(into + 1, &scope) { into + 3 } else { into + 2 }, true)
    };
    let kind = if is(at, &["SEQUENCE"]) {
        "temporary sequence"
    } else {
        "temporary table"
    };
    if is(at, &["TABLE", "SEQUENCE"]) {
        at += 1;
    } else if is(0, &["CREATE"]) {
        return None;
    }
    if is(at, &["IF"]) {
        at += 3;
    }
    let mut name = vec![token::unquoted(tokens.get(at)?).into_owned()];
    let mut in_schema = false;
    if is(at + 1, &["."]) {
        in_schema = ["temp", "pg_temp"]
            .iter()
            .any(|schema| name[0].eq_ignore_ascii_case(schema));
        name.push(token::unquoted(tokens.get(at + 2)?).into_owned());
    }
    (says_so || in_schema).then_some((kind, name))
}

/// Whether a temporary table lasts no longer than the transaction that makes it.
pub fn is_dropped_at_commit(statement: &str) -> bool {
    at_commit(statement, "DROP")
}

fn at_commit(statement: &str, what: &str) -> bool {
    let words: Vec<&str> = statement.split_whitespace().collect();
    let is = |word: &str, want: &str| word.eq_ignore_ascii_case(want);
    let mut threes = words.windows(3);
    threes.any(|three| is(three[0], "ON") && is(three[1], "COMMIT") && is(three[2], what))
}

/// The name of the database that a statement attaches (`ATTACH 'a.db' AS other`).
pub fn attached(statement: &str, rules: &SplitRules) -> Option<String> {
    if token::keywords(statement, rules, 1) != ["ATTACH"] {
        return None;
    }
    let tokens: Vec<&str> = token::significant(statement, rules)
        .map(|token| &statement[token.span])
        .collect();
    let at = tokens.iter().rposition(|word| word.eq_ignore_ascii_case("as"))?;
    tokens.get(at + 1).map(|name| token::unquoted(name).into_owned())
}

/// Whether a statement drops the temporary table or sequence of this name, or everything temporary, or detaches the
/// database of this name. A name with the schema of other tables is not its own.
pub fn drops(statement: &str, name: &str, rules: &SplitRules) -> bool {
    let tokens: Vec<&str> = token::significant(statement, rules)
        .map(|token| &statement[token.span])
        .collect();
    let is = |at: usize, words: &[&str]| {
        let token = tokens.get(at);
        token.is_some_and(|token| words.iter().any(|word| token.eq_ignore_ascii_case(word)))
    };
    if is(0, &["DISCARD"]) {
        return is(1, &["ALL", "TEMP", "TEMPORARY"]);
    }
    if is(0, &["DETACH"]) {
        let detached = tokens.get(1 + usize::from(is(1, &["DATABASE"]) && tokens.len() > 2));
        return detached.is_some_and(|detached| token::unquoted(detached).eq_ignore_ascii_case(name));
    }
    let kind = 1 + usize::from(is(1, &["TEMPORARY"]));
    if !is(0, &["DROP"]) || !is(kind, &["TABLE", "TABLES", "SEQUENCE"]) {
        return false;
    }
    let first = kind + if is(kind + 1, &["IF"]) { 3 } else { 1 };
    let mut names = tokens.get(first..).unwrap_or_default().split(|token| *token == ",");
    names.any(|parts| {
        let parts: Vec<_> = parts.iter().map(|part| token::unquoted(part)).collect();
        let is = |part: &str, want: &str| part.eq_ignore_ascii_case(want);
        match parts.as_slice() {
            [schema, dot, last, ..] if dot == "." => is(schema, "pg_temp") && is(last, name),
            [last, ..] => is(last, name),
            [] => false,
        }
    })
}

#[cfg(test)]
mod tests {
    use super::{drops, made};
    use crate::sql::split::{MYSQL, POSTGRESQL};

    #[test]
    fn what_goes_with_the_connection() {
        for (sql, kind, name) in [
            ("CREATE TEMP TABLE keep (a int)", "temporary table", "keep"),
            (
                "create local temporary table if not exists \"Ke ep\" as select 1",
                "temporary table",
                "Ke ep",
            ),
            ("CREATE TABLE pg_temp.keep (a int)", "temporary table", "keep"),
            ("SELECT 1 AS a INTO TEMP keep FROM t", "temporary table", "keep"),
            ("SELECT 1 INTO TEMPORARY TABLE keep", "temporary table", "keep"),
            ("CREATE TEMP SEQUENCE s", "temporary sequence", "s"),
            (
                "CREATE OR REPLACE TEMPORARY TABLE keep (a int)",
                "temporary table",
                "keep",
            ),
        ] {
            assert_eq!(made(sql, &POSTGRESQL), Some((kind, name.to_owned())), "{sql}");
        }
        for sql in [
            "CREATE TABLE temp (a int)",
            "CREATE TABLE t (a int)",
            "CREATE TEMP VIEW v AS SELECT 1",
            "CREATE TEMP TABLE t (a int) ON COMMIT DROP",
            "CREATE TEMP TABLE t (a int) ON COMMIT DELETE ROWS",
            "SELECT 1 INTO t",
            "INSERT INTO temp VALUES (1)",
        ] {
            assert_eq!(made(sql, &POSTGRESQL), None, "{sql}");
        }
        assert!(drops("DROP TABLE IF EXISTS a, \"keep\"", "keep", &POSTGRESQL));
        for sql in ["DROP SEQUENCE pg_temp.keep", "DISCARD TEMP", "DROP TABLE keep CASCADE"] {
            assert!(drops(sql, "keep", &POSTGRESQL), "{sql}");
        }
        assert!(drops("DROP TEMPORARY TABLE IF EXISTS a, `keep`", "keep", &MYSQL));
        for sql in [
            "DROP TABLE keeper",
            "DROP TABLE public.keep",
            "DROP INDEX keep",
            "DROP TRIGGER a ON keep",
            "DISCARD PLANS",
        ] {
            assert!(!drops(sql, "keep", &POSTGRESQL), "{sql}");
        }
    }
}
