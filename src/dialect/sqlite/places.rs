//! Views and triggers that go by the places of a table's columns, not by their names.

use crate::dialect::sqlite::dependents::{origin, refuse};
use crate::dialect::sqlite::draft::Draft;
use crate::dialect::sqlite::site::Site;
use crate::error::Result;
use crate::sql::split::SQLITE;
use crate::sql::token::{significant, unquoted};

/// Columns that change their places change the meaning of what goes by places. Where there are more of them or fewer
/// than before, SQLite says so itself.
pub(super) fn keep(draft: &Draft<'_>, site: &Site<'_>) -> Result<()> {
    let moved = draft
        .state
        .table
        .columns()
        .enumerate()
        .any(|(position, column)| origin(draft, position).is_none_or(|origin| !column.name.is(origin)));
    if !moved && draft.columns.iter().all(|column| column.origin.is_some()) {
        return Ok(());
    }
    // With another number of columns SQLite finds these itself, but for a place to sort or group by.
    let count = draft.state.table.columns().count();
    let as_many = count == draft.columns.len();
    let views = draft.state.related.iter();
    let views = views.filter(|object| object.kind == "view" && has_star(&object.sql));
    let mut wide: Vec<&str> = views.map(|object| object.name.as_str()).collect();
    wide.push(draft.name());
    let all = draft.state.related.iter().chain(&draft.state.triggers);
    for object in all {
        let (sql, star) = (&object.sql, has_star(&object.sql));
        // Behind the last column of the table it is one that the star does not bring, and moves when there are more.
        let sorts = star && last_place(sql).is_some_and(|place| moved || place > count);
        let compares = as_many && (compares_rows(sql, &wide) || star && compares_stars(sql));
        let goes_by_places = match object.kind.as_str() {
            "view" if as_many => star && (has_column_list(sql) || is_compound(sql)) || compares,
            "trigger" if as_many => star || inserts_by_place(sql, &wide) || compares,
            _ => false,
        };
        let goes_by_places = goes_by_places || (sorts && matches!(object.kind.as_str(), "view" | "trigger"));
        if goes_by_places {
            let why = format!(
                "goes by the places of the columns of `{}`, not by their names, and places change",
                draft.name()
            );
            return Err(refuse(site, &format!("{} `{}`", object.kind, object.name), &why));
        }
    }
    Ok(())
}

/// `SELECT *` or `t.*`; not a product, not `count(*)`, and not `EXISTS (SELECT *`, whose columns nobody gets.
pub(super) fn has_star(sql: &str) -> bool {
    let words: Vec<_> = significant(sql, &SQLITE).map(|token| &sql[token.span]).collect();
    let is = |at: Option<usize>, word: &str| at.is_some_and(|at| words[at].eq_ignore_ascii_case(word));
    // A part of such a query may go by its columns all the same.
    let goes_by_columns = |open: usize| {
        let mut depth = 0;
        let inside = words[open..].iter().take_while(|word| {
            match **word {
                "(" => depth += 1,
                ")" => depth -= 1,
                _ => {}
            }
            depth > 0
        });
        let parts = ["GROUP", "UNION", "INTERSECT", "EXCEPT"];
        let mut inside = inside.filter(|word| parts.iter().any(|part| word.eq_ignore_ascii_case(part)));
        inside.next().is_some()
    };
    (1..words.len()).filter(|&at| words[at] == "*").any(|at| {
        let asks = is(at.checked_sub(3), "EXISTS") && is(at.checked_sub(2), "(") && is(Some(at - 1), "SELECT");
        let asks = asks && !goes_by_columns(at - 2);
        !asks
            && ["SELECT", "DISTINCT", "ALL", ",", "."]
                .iter()
                .any(|word| is(Some(at - 1), word))
    })
}

/// `… UNION …`, whose parts are put together by places.
fn is_compound(sql: &str) -> bool {
    significant(sql, &SQLITE).any(|token| {
        let word = &sql[token.span];
        ["UNION", "INTERSECT", "EXCEPT"]
            .iter()
            .any(|compound| word.eq_ignore_ascii_case(compound))
    })
}

/// The last place that is sorted or grouped by: `ORDER BY 2`, `GROUP BY a, 1`
fn last_place(sql: &str) -> Option<usize> {
    let words: Vec<_> = significant(sql, &SQLITE).map(|token| &sql[token.span]).collect();
    let mut places = Vec::new();
    for at in (0..words.len()).filter(|&at| words[at].eq_ignore_ascii_case("BY")) {
        let mut depth = 0;
        let mut begins = true;
        for word in &words[at + 1..] {
            if begins && word.starts_with(|first: char| first.is_ascii_digit()) {
                let hexadecimal = word.strip_prefix("0x").or_else(|| word.strip_prefix("0X"));
                let place = hexadecimal.map_or_else(|| word.parse(), |digits| usize::from_str_radix(digits, 16));
                places.push(place.unwrap_or(usize::MAX));
            }
            match *word {
                "(" => depth += 1,
                ")" => depth -= 1,
                _ => {}
            }
            // The numbers of LIMIT are none.
            if depth < 0 || *word == ";" || word.eq_ignore_ascii_case("LIMIT") {
                break;
            }
            // `(2)`, `+2` and `-(-2)` are places as well.
            begins = depth == 0 && *word == "," || begins && matches!(*word, "(" | "+" | "-");
        }
    }
    places.into_iter().max()
}

/// `(1, 2) IN t`, for one of these tables and views, or for what may be a table of a WITH with all columns of one.
fn compares_rows(sql: &str, wide: &[&str]) -> bool {
    let words: Vec<_> = significant(sql, &SQLITE).map(|token| &sql[token.span]).collect();
    let star = has_star(sql);
    let with = words.iter().any(|word| word.eq_ignore_ascii_case("WITH"));
    (0..words.len())
        .filter(|&at| words[at].eq_ignore_ascii_case("IN"))
        .any(|at| match words.get(at + 1..) {
            Some(["(", ..] | [_, "(", ..] | []) | None => false,
            Some([_, ".", name, ..] | [name, ..]) => {
                wide.iter().any(|wide| unquoted(name).eq_ignore_ascii_case(wide)) || star && with
            }
        })
}

/// `(1, 2) IN (SELECT * FROM t)`, `(1, 2) = (SELECT t.* FROM t)`: a query in parentheses with all columns of a table
/// where no table can stand.
fn compares_stars(sql: &str) -> bool {
    let words: Vec<_> = significant(sql, &SQLITE).map(|token| &sql[token.span]).collect();
    let is = |at: usize, these: &[&str]| {
        let word = words.get(at);
        word.is_some_and(|word| these.iter().any(|this| word.eq_ignore_ascii_case(this)))
    };
    (1..words.len())
        .filter(|&at| words[at] == "(" && is(at + 1, &["SELECT", "WITH"]))
        .filter(|&at| !is(at - 1, &["FROM", "JOIN", ",", "(", "AS", "MATERIALIZED", "EXISTS"]))
        .any(|at| {
            let (mut depth, with) = (0, is(at + 1, &["WITH"]));
            for (next, word) in words.iter().enumerate().skip(at) {
                match *word {
                    "(" => depth += 1,
                    ")" => depth -= 1,
                    "*" if (depth == 1 || with) && is(next - 1, &["SELECT", "DISTINCT", "ALL", ",", "."]) => {
                        return true;
                    }
                    _ => {}
                }
                if depth == 0 {
                    return false;
                }
            }
            false
        })
}

/// `CREATE VIEW v (a, b) AS …`, `WITH c (a, b) AS (…)`
fn has_column_list(sql: &str) -> bool {
    let words: Vec<_> = significant(sql, &SQLITE).map(|token| &sql[token.span]).collect();
    let first = words.iter().position(|word| *word == "(");
    let body = words.iter().position(|word| word.eq_ignore_ascii_case("AS"));
    let of_view = matches!((first, body), (Some(first), Some(body)) if first < body);
    // An alias behind a parenthesis is a name.
    let of_with = words.windows(3).any(|three| {
        let materialized = ["NOT", "MATERIALIZED"]
            .iter()
            .any(|word| three[2].eq_ignore_ascii_case(word));
        three[0] == ")" && three[1].eq_ignore_ascii_case("AS") && (three[2] == "(" || materialized)
    });
    of_view || of_with
}

/// `INSERT INTO t VALUES …` or `INSERT INTO t SELECT …`, without a list of columns.
fn inserts_by_place(sql: &str, wide: &[&str]) -> bool {
    let words: Vec<_> = significant(sql, &SQLITE).map(|token| &sql[token.span]).collect();
    let is_table = |at: usize| {
        words
            .get(at)
            .is_some_and(|word| wide.iter().any(|wide| unquoted(word).eq_ignore_ascii_case(wide)))
    };
    let is = |at: usize, word: &str| words.get(at).is_some_and(|next| next.eq_ignore_ascii_case(word));
    (0..words.len())
        .filter(|&at| is(at, "INTO") && is_table(at + 1))
        .any(|at| {
            let next = if is(at + 2, "AS") { at + 4 } else { at + 2 };
            ["VALUES", "SELECT", "WITH"].iter().any(|word| is(next, word))
        })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_sorts_or_compares_by_places_is_seen() {
        let sorted = "CREATE VIEW v AS SELECT * FROM t ORDER /* so */ BY 2 DESC";
        assert_eq!(last_place(sorted), Some(2));
        let sorted = "CREATE VIEW v AS SELECT * FROM t ORDER BY a, -(-0x2)";
        assert_eq!(last_place(sorted), Some(2));
        let sorted = "CREATE VIEW v AS SELECT * FROM t GROUP BY 4, 3 ORDER BY f(a, 1), 2";
        assert_eq!(last_place(sorted), Some(4));
        let exists = "CREATE VIEW v AS SELECT a FROM t WHERE EXISTS (SELECT * FROM u) ORDER BY 1";
        assert!(last_place(exists).is_some() && !has_star(exists));
        let groups = "CREATE VIEW v AS SELECT EXISTS (SELECT * FROM t GROUP BY 2 HAVING count(*) > 1)";
        assert!(has_star(groups));
        let beside = "CREATE VIEW v AS SELECT a FROM t WHERE EXISTS (SELECT * FROM u) GROUP BY 1 UNION SELECT 2";
        assert!(!has_star(beside));
        assert!(has_star("CREATE VIEW v AS SELECT EXISTS (SELECT 1), * FROM t"));
        for sql in [
            "CREATE VIEW v AS SELECT * FROM t ORDER BY a, b LIMIT 1, 2",
            "CREATE VIEW v AS SELECT * FROM t ORDER BY f(a, 1)",
            "CREATE VIEW v AS SELECT * FROM (SELECT a FROM t ORDER BY a), u",
        ] {
            assert_eq!(last_place(sql), None, "{sql}");
        }
        for (sql, rows, stars) in [
            ("CREATE VIEW v AS SELECT (1, 2) IN main.\"T\"", true, false),
            (
                "CREATE VIEW v AS WITH c AS (SELECT * FROM t) SELECT (1, 2) IN c",
                true,
                false,
            ),
            ("CREATE VIEW v AS SELECT (1, 2) in (select * from t)", false, true),
            (
                "CREATE VIEW v AS SELECT (1, 2) IN (SELECT DISTINCT t.* FROM t)",
                false,
                true,
            ),
            (
                "CREATE VIEW v AS SELECT (1, 2) = (SELECT 1, * FROM t LIMIT 1)",
                false,
                true,
            ),
            (
                "CREATE VIEW v AS SELECT (1, 2) IN (WITH c AS (SELECT * FROM t) SELECT x FROM c)",
                false,
                true,
            ),
            (
                "CREATE VIEW v AS SELECT a IN (1, 2), x IN json_each('[]') FROM t",
                false,
                false,
            ),
            (
                "CREATE VIEW v AS SELECT a FROM (SELECT * FROM t), (SELECT * FROM u) WHERE EXISTS (SELECT * FROM t)",
                false,
                false,
            ),
            (
                "CREATE VIEW v AS SELECT a IN (SELECT count(*) FROM t) FROM t",
                false,
                false,
            ),
        ] {
            assert_eq!(
                (compares_rows(sql, &["t"]), compares_stars(sql)),
                (rows, stars),
                "{sql}"
            );
        }
    }

    #[test]
    fn what_goes_by_places_is_seen() {
        let check = |sql: &str, star: bool, list: bool, insert: bool| {
            let found = (has_star(sql), has_column_list(sql), inserts_by_place(sql, &["t"]));
            assert_eq!(found, (star, list, insert), "{sql}");
        };
        check("CREATE VIEW v(i, j) AS SELECT * FROM t", true, true, false);
        check(
            "CREATE VIEW v AS WITH c (i, j) AS NOT MATERIALIZED (SELECT * FROM t) SELECT i FROM c",
            true,
            true,
            false,
        );
        check("CREATE VIEW v AS SELECT a * 2, count(*) FROM t", false, false, false);
        check("CREATE VIEW v AS SELECT t.*, (1) FROM t", true, false, false);
        check(
            "CREATE TRIGGER r AFTER INSERT ON o BEGIN INSERT OR IGNORE INTO \"T\" VALUES (new.x); END",
            false,
            false,
            true,
        );
        check(
            "CREATE TRIGGER r AFTER INSERT ON o BEGIN INSERT INTO t AS n SELECT 1; END",
            false,
            false,
            true,
        );
        check(
            "CREATE TRIGGER r AFTER INSERT ON o BEGIN INSERT INTO t (a) SELECT x FROM o; END",
            false,
            false,
            false,
        );
    }
}
