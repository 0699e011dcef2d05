//! Tables that go with the connection that made them.

use crate::sql::split::SplitRules;
use crate::sql::token::{self, Kind};

/// What a statement makes that holds rows, or counts, and goes with the connection: what it is, and its name. Nothing
/// that is emptied or dropped at the end of its transaction.
pub fn made(statement: &str, rules: &SplitRules) -> Option<(&'static str, String)> {
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
        let at = if is(1, &scope) { 2 } else { 1 };
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
    let mut name = token::unquoted(tokens.get(at)?).into_owned();
    let mut in_schema = false;
    if is(at + 1, &["."]) {
        in_schema = ["temp", "pg_temp"]
            .iter()
            .any(|schema| name.eq_ignore_ascii_case(schema));
        name = token::unquoted(tokens.get(at + 2)?).into_owned();
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

/// Whether a statement drops a table of this name, or everything temporary.
pub fn drops(statement: &str, name: &str, rules: &SplitRules) -> bool {
    let mut tokens = token::significant(statement, rules);
    let word = |token: token::Token| (token.kind, &statement[token.span]);
    match tokens.next().map(word) {
        Some((_, first)) if first.eq_ignore_ascii_case("DISCARD") => true,
        Some((_, first)) if first.eq_ignore_ascii_case("DROP") => tokens.map(word).any(|(kind, word)| {
            matches!(kind, Kind::Word | Kind::Quoted) && token::unquoted(word).eq_ignore_ascii_case(name)
        }),
        _ => false,
    }
}

#[cfg(test)]
mod tests {
    use super::{drops, made};
    use crate::sql::split::POSTGRESQL;

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
        assert!(!drops("DROP TABLE keeper", "keep", &POSTGRESQL));
    }
}
