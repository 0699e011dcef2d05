//! Which table a statement changes the rows of, how, and which of its columns.

use crate::sql::split;
use crate::sql::token::{self, Kind};

/// A statement that changes the rows of a table.
#[derive(Debug, PartialEq, Eq)]
pub(super) struct Changed {
    /// `INSERT`, `UPDATE` or `DELETE`. What inserts by REPLACE is the DELETE that it holds.
    pub(super) verb: &'static str,
    pub(super) schema: Option<String>,
    pub(super) table: String,
    /// The word after OR, which goes before what the table's constraints say.
    pub(super) or: Option<String>,
}

impl Changed {
    /// Whether there may be rows afterwards that were not there, or are others now.
    pub(super) fn brings(&self) -> bool {
        self.verb != "DELETE" || self.or.is_some()
    }
}

/// The table whose rows a statement changes, and how.
pub(super) fn changed(statement: &str) -> Option<Changed> {
    let mut depth = 0usize;
    let mut verb = None;
    let mut or = None;
    let mut after_or = false;
    let mut first = true;
    for token in token::significant(statement, &split::SQLITE) {
        let word = &statement[token.span];
        match word {
            "(" => depth += 1,
            ")" => depth = depth.saturating_sub(1),
            _ => {}
        }
        if depth > 0 {
            continue;
        }
        let upper = word.to_ascii_uppercase();
        let first = std::mem::take(&mut first);
        match (verb, upper.as_str()) {
            // What follows can call functions such as replace().
            (None, "SELECT" | "VALUES") => return None,
            (None, "INSERT") => verb = Some("INSERT"),
            (None, "REPLACE") => {
                verb = Some("DELETE");
                or = Some(upper);
            }
            (None, "DELETE") => verb = Some("DELETE"),
            (None, "UPDATE") => verb = Some("UPDATE"),
            // A trigger says after what it fires.
            (None, word) if first && word != "WITH" => return None,
            (Some(_), "OR") if or.is_none() => after_or = true,
            (Some(_), _) if std::mem::take(&mut after_or) => or = Some(upper),
            (Some(_), "INTO" | "FROM") => {}
            (Some(verb), _) if matches!(token.kind, Kind::Word | Kind::Quoted | Kind::Text) => {
                let replaces = verb == "INSERT" && or.as_deref() == Some("REPLACE");
                let (schema, table) = parts(statement, word);
                return Some(Changed {
                    verb: if replaces { "DELETE" } else { verb },
                    schema,
                    table,
                    or,
                });
            }
            _ => {}
        }
    }
    None
}

/// The schema and the table of `main.table`, or the name itself.
fn parts(statement: &str, first: &str) -> (Option<String>, String) {
    let words: Vec<&str> = words(statement).collect();
    let at = words
        .iter()
        .position(|word| std::ptr::eq(word.as_ptr(), first.as_ptr()));
    let name = |word: &str| token::unquoted(word).into_owned();
    match at.map(|at| (words.get(at + 1), words.get(at + 2))) {
        Some((Some(&"."), Some(table))) => (Some(name(first)), name(table)),
        _ => (None, name(first)),
    }
}

/// The columns that an UPDATE sets, or a DO UPDATE; `None` where that is not plain.
pub(super) fn set_columns(statement: &str) -> Option<Vec<String>> {
    let tokens: Vec<_> = token::significant(statement, &split::SQLITE).collect();
    let word = |at: usize| tokens.get(at).map_or("", |token| &statement[token.span.clone()]);
    let is = |at: usize, what: &str| word(at).eq_ignore_ascii_case(what);
    let ends = |at: usize| {
        let ends = ["FROM", "WHERE", "RETURNING", "ON", "ORDER", "LIMIT"];
        // IS DISTINCT FROM is an operator.
        ends.iter().any(|end| is(at, end)) && !(at > 0 && is(at, "FROM") && is(at - 1, "DISTINCT"))
    };
    let mut columns = Vec::new();
    let (mut depth, mut in_set, mut seen) = (0usize, false, false);
    for at in 0..tokens.len() {
        match word(at) {
            "(" => depth += 1,
            ")" => depth = depth.saturating_sub(1),
            _ => {}
        }
        if depth > 0 {
            continue;
        }
        let begins = is(at, "SET");
        if begins {
            (in_set, seen) = (true, true);
        } else if ends(at) {
            in_set = false;
        }
        if begins || in_set && word(at) == "," {
            // `a = 1`, or `(a, b) = (1, 2)`.
            let listed = word(at + 1) == "(";
            let mut name = at + 1 + usize::from(listed);
            loop {
                if !matches!(tokens.get(name)?.kind, Kind::Word | Kind::Quoted) {
                    return None;
                }
                columns.push(token::unquoted(word(name)).into_owned());
                name += 1;
                if !(listed && word(name) == ",") {
                    break;
                }
                name += 1;
            }
            if listed && word(name) != ")" || word(name + usize::from(listed)) != "=" {
                return None;
            }
        }
    }
    seen.then_some(columns)
}

/// Whether an INSERT has a DO UPDATE.
pub(super) fn upserts(statement: &str) -> bool {
    let mut depth = 0usize;
    let mut last = "";
    for word in words(statement) {
        match word {
            "(" => depth += 1,
            ")" => depth = depth.saturating_sub(1),
            _ if depth == 0 && last.eq_ignore_ascii_case("do") && word.eq_ignore_ascii_case("update") => return true,
            _ => {}
        }
        last = word;
    }
    false
}

fn words(text: &str) -> impl Iterator<Item = &str> {
    token::significant(text, &split::SQLITE).map(|token| &text[token.span])
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_changed_table_is_found() {
        let cases = [
            ("INSERT INTO t VALUES (1)", Some(("INSERT", "t", None))),
            (
                "insert or replace into main.\"T x\" select 1",
                Some(("DELETE", "T x", Some("REPLACE"))),
            ),
            ("REPLACE INTO t VALUES (1)", Some(("DELETE", "t", Some("REPLACE")))),
            ("UPDATE OR IGNORE t SET a = 1", Some(("UPDATE", "t", Some("IGNORE")))),
            ("UPDATE OR REPLACE t SET a = 1", Some(("UPDATE", "t", Some("REPLACE")))),
            (
                "WITH d AS (DELETE FROM x) DELETE FROM [t] WHERE 1",
                Some(("DELETE", "t", None)),
            ),
            ("SELECT replace(n, 'a', 'b') FROM t", None),
            ("CREATE TRIGGER g AFTER DELETE ON t BEGIN DELETE FROM u; END", None),
        ];
        for (sql, want) in cases {
            let got = changed(sql);
            let got = got
                .as_ref()
                .map(|got| (got.verb, got.table.as_str(), got.or.as_deref()));
            assert_eq!(got, want, "{sql}");
        }
    }

    #[test]
    fn the_columns_that_are_set() {
        let cases: [(&str, Option<&[&str]>); 7] = [
            (
                "UPDATE t SET a = b IS NOT DISTINCT FROM c, \"D\" = 1 WHERE e = 1",
                Some(&["a", "D"]),
            ),
            (
                "UPDATE t SET (a, [b c]) = (SELECT 1, 2), d = (1, 2) < (3, 4)",
                Some(&["a", "b c", "d"]),
            ),
            (
                "UPDATE t SET a = 1 FROM u, v WHERE u.b IS DISTINCT FROM v.b",
                Some(&["a"]),
            ),
            (
                "INSERT INTO t VALUES (1) ON CONFLICT (b) DO UPDATE SET a = 1, c = 2",
                Some(&["a", "c"]),
            ),
            ("UPDATE t SET (a, b = 1", None),
            ("UPDATE t SET a", None),
            ("DELETE FROM t", None),
        ];
        for (sql, want) in cases {
            let want = want.map(|want| want.iter().map(ToString::to_string).collect());
            assert_eq!(set_columns(sql), want, "{sql}");
        }
    }

    #[test]
    fn an_upsert_updates() {
        assert!(upserts("INSERT INTO t VALUES (1) ON CONFLICT (a) DO\nUPDATE SET a = 2"));
        assert!(!upserts("INSERT INTO t VALUES (1) ON CONFLICT DO NOTHING"));
        assert!(!upserts(
            "INSERT INTO t SELECT 1 FROM (SELECT 'do' AS \"do\", update FROM u)"
        ));
    }
}
