//! Tables that a query makes, with its rows.

use crate::sql::split::SplitRules;
use crate::sql::token::{self, Kind, Token};

/// The name, as it is written, of the table that a `CREATE TABLE … AS SELECT` makes (MySQL takes it without AS). None for
/// IF NOT EXISTS, where something else may be there.
///
/// ```
/// use sqlrev::sql::{filled, split::SQLITE};
/// assert_eq!(filled::table("CREATE TABLE main.t AS SELECT 1", &SQLITE), Some("main.t"));
/// assert_eq!(filled::table("CREATE TABLE t (a)", &SQLITE), None);
/// ```
pub fn table<'s>(statement: &'s str, rules: &SplitRules) -> Option<&'s str> {
    // Most tables of a history are not, and no token is made for them: the first words are CREATE TABLE themselves.
    let asks = ["select", "values", "table", "execute"];
    let begins = statement.get(..6)?.eq_ignore_ascii_case("create");
    let rest = statement.get(12..)?;
    if !begins || !asks.iter().any(|word| token::holds(rest, word.as_bytes())) {
        return None;
    }
    let tokens: Vec<Token> = token::significant(statement, rules).collect();
    let is = |at: usize, words: &[&str]| {
        let token = tokens.get(at).map(|token| &statement[token.span.clone()]);
        token.is_some_and(|token| words.iter().any(|word| token.eq_ignore_ascii_case(word)))
    };
    let kinds = ["OR", "REPLACE", "GLOBAL", "LOCAL", "TEMP", "TEMPORARY", "UNLOGGED"];
    let mut at = 1;
    while is(at, &kinds) {
        at += 1;
    }
    if !is(at, &["TABLE"]) {
        return None;
    }
    at += 1;
    if is(at, &["IF"]) {
        return None;
    }
    let start = tokens.get(at)?.span.start;
    while is(at + 1, &["."]) {
        at += 2;
    }
    let name = &statement[start..tokens.get(at)?.span.end];
    let rest = tokens.get(at + 1..)?;
    let words = rest.iter().filter(|token| token.kind == Kind::Word);
    let mut before = "";
    for word in words.map(|token| &statement[token.span.clone()]) {
        let asked = asks.iter().any(|ask| word.eq_ignore_ascii_case(ask));
        // `FOR VALUES IN` says which rows a partition takes.
        if asked && (word.eq_ignore_ascii_case("select") || before.eq_ignore_ascii_case("as")) {
            return Some(name);
        }
        before = word;
    }
    None
}

#[cfg(test)]
mod tests {
    use super::table;
    use crate::sql::split::{MYSQL, POSTGRESQL, SQLITE};

    #[test]
    fn tables_that_a_query_makes() {
        let cases = [
            (
                "create temp table [a b] as with x as (select 1) select * from x",
                Some("[a b]"),
            ),
            ("CREATE TABLE IF NOT EXISTS t AS SELECT 1", None),
            ("CREATE TABLE \"s\" . t AS VALUES (1)", Some("\"s\" . t")),
            ("CREATE TABLE t (a CHECK (a <> 'select'))", None),
            ("CREATE VIEW v AS SELECT 1", None),
            ("CREATE TABLE", None),
            ("CREATE TABLE p PARTITION OF t FOR VALUES IN (1)", None),
        ];
        for (sql, name) in cases {
            assert_eq!(table(sql, &SQLITE), name, "{sql}");
        }
        assert_eq!(
            table("CREATE UNLOGGED TABLE s.t (a) AS TABLE u", &POSTGRESQL),
            Some("s.t")
        );
        assert_eq!(table("CREATE TABLE `t` (a INT) SELECT 1 AS a", &MYSQL), Some("`t`"));
    }
}
