//! What hangs on a table by more than its names: by the order of its columns, by its rowids, by which columns its
//! primary key has. SQLite compiles all of it after a change, and it means something else.

use crate::code::Code;
use crate::dialect::sqlite::draft::Draft;
use crate::dialect::sqlite::inspect::{views_and_triggers, words};
use crate::dialect::sqlite::readers;
use crate::dialect::sqlite::site::Site;
use crate::dialect::sqlite::table::Table;
use crate::dialect::{Ask, Op};
use crate::error::{Error, Result};
use crate::sql::parse::define::ClauseKind;
use crate::sql::split::SQLITE;
use crate::sql::token::{significant, unquoted};
use crate::sql::write::{quoted, sqlite_literal};

/// Refuses a draft that would give something else a new meaning.
pub(super) fn keep_their_meaning(draft: &Draft<'_>, site: &Site<'_>) -> Result<()> {
    implied_keys(draft, site)?;
    readers::keep(draft, site)?;
    shared_names(draft, site)?;
    positions(draft, site)
}

/// Without a column a NATURAL JOIN joins by fewer, or by none at all; and a column that is named like the rowid gives way
/// to it. Both compile.
fn shared_names(draft: &Draft<'_>, site: &Site<'_>) -> Result<()> {
    let kept = |name: &str| {
        (0..draft.columns.len()).any(|at| origin(draft, at).is_some_and(|old| old.eq_ignore_ascii_case(name)))
    };
    let columns = draft.state.table.columns().map(|column| column.name.text.as_str());
    let dropped: Vec<&str> = columns.filter(|name| !kept(name)).collect();
    for object in draft.state.related.iter().chain(&draft.state.triggers) {
        if dropped.is_empty() || !matches!(object.kind.as_str(), "view" | "trigger") {
            continue;
        }
        let words = words(&object.sql);
        let what = format!("{} `{}`", object.kind, object.name);
        let rowid = dropped.iter().find(|name| is_rowid(name));
        if rowid.is_some_and(|name| words.contains(&name.to_ascii_lowercase())) {
            let why = "would read the rowid in place of the column of that name";
            return Err(refuse(site, &what, why));
        }
        if words.contains("natural") {
            let why = format!(
                "joins by the names that tables share, and `{}` would share fewer",
                draft.name()
            );
            return Err(refuse(site, &what, &why));
        }
    }
    Ok(())
}

fn is_rowid(name: &str) -> bool {
    ["rowid", "_rowid_", "oid"]
        .iter()
        .any(|rowid| name.eq_ignore_ascii_case(rowid))
}

/// The name in the old table of the column that a column of the draft is.
pub(super) fn origin<'d>(draft: &'d Draft<'_>, position: usize) -> Option<&'d str> {
    draft.columns.get(position)?.origin.as_deref()
}

/// For a script, whose database has not been seen: stops it where columns go or move while a view or a trigger that the
/// revisions do not make may read them, by the table's name or through a view that they do make.
///
/// # Errors
/// Those of the replay.
pub(super) fn none_unknown(draft: &Draft<'_>, last: usize, ask: &mut dyn Ask) -> Result<Option<Op>> {
    let mut columns = draft.state.table.columns().enumerate();
    let stay = columns.all(|(position, column)| {
        let now = draft.columns.get(position).map(|column| column.name.as_str());
        now.is_some_and(|now| column.name.is(now))
            && origin(draft, position).is_some_and(|origin| column.name.is(origin))
    });
    if stay {
        return Ok(None);
    }
    let objects = views_and_triggers(ask, &draft.state.schema)?;
    let known: Vec<String> = objects.iter().map(|object| sqlite_literal(&object.name)).collect();
    let views = draft.state.related.iter().filter(|object| object.kind == "view");
    let says: Vec<String> = views
        .map(|view| view.name.as_str())
        .chain([draft.name()])
        .map(says)
        .collect();
    Ok(Some(Op::Check {
        sql: format!(
            "SELECT type || ' ' || name FROM {}.sqlite_schema WHERE type IN ('view', 'trigger') \
             AND name NOT IN ({}) AND ({}) ORDER BY 1",
            quoted(&draft.state.schema, '"'),
            known.join(", "),
            says.join(" OR ")
        ),
        code: Code::BatchInUse,
        message: format!(
            "a view or trigger that no revision makes may read what changes in `{}`",
            draft.name()
        ),
        help: "drop it first and create it anew afterwards; or run the upgrade online, which looks at it".to_owned(),
        at: (last, 0..0),
    }))
}

/// A condition that holds where the text of a view or trigger says this name. A name that may be written in several ways
/// is taken to stand in all of them.
pub(super) fn says(name: &str) -> String {
    if name.contains(['"', '`', ']', '\'']) {
        return "1".to_owned();
    }
    let mut pattern = String::new();
    for letter in name.to_ascii_lowercase().chars() {
        match letter {
            '[' | '*' | '?' => pattern.extend(['[', letter, ']']),
            letter => pattern.push(letter),
        }
    }
    let pattern = sqlite_literal(&format!("*[^a-z0-9_$]{pattern}[^a-z0-9_$]*"));
    format!("lower(sql) || ' ' GLOB {pattern}")
}

pub(super) fn refuse(site: &Site<'_>, what: &str, why: &str) -> Error {
    site.refuse(Code::BatchInUse, format!("{what} {why}"), "")
        .help("drop it first and create it anew afterwards, in the same revision")
}

/// A foreign key that names no columns means the primary key of its parent, whatever that is.
fn implied_keys(draft: &Draft<'_>, site: &Site<'_>) -> Result<()> {
    let before = draft.state.table.primary_key();
    let after = draft.table.primary_key();
    let same = before.len() == after.len()
        && before.iter().zip(&after).all(|(before, after)| {
            let position = draft.position(after);
            position
                .and_then(|position| origin(draft, position))
                .is_some_and(|origin| origin.eq_ignore_ascii_case(before))
        });
    if same {
        return Ok(());
    }
    let implies = |table: &Table| {
        table.constraints().any(|(_, clause)| {
            matches!(&clause.kind, ClauseKind::References(key) if key.table.is(draft.name()) && key.parent.is_empty())
        })
    };
    let others = draft.state.related.iter().filter(|object| object.kind == "table");
    let other = others
        .filter_map(|object| Table::read(&object.sql))
        .find(|table| implies(table))
        .map(|table| table.name().text.clone());
    // A key of its own that is new means the new primary key.
    let own = implies(&draft.state.table) && implies(&draft.table);
    match other.or_else(|| own.then(|| draft.name().to_owned())) {
        Some(table) => {
            let message = format!(
                "a foreign key of table `{table}` means the primary key of `{}` and would mean other columns",
                draft.name()
            );
            Err(site.refuse(Code::BatchInUse, message, "").help(format!(
                "drop that key of `{table}` first, and add it again with the columns that it means: REFERENCES {} (…)",
                quoted(draft.name(), '"')
            )))
        }
        None => Ok(()),
    }
}

/// Columns that change their places change the meaning of what goes by places. Where there are more of them or fewer
/// than before, SQLite says so itself.
fn positions(draft: &Draft<'_>, site: &Site<'_>) -> Result<()> {
    let moved = draft
        .state
        .table
        .columns()
        .enumerate()
        .any(|(position, column)| origin(draft, position).is_none_or(|origin| !column.name.is(origin)));
    if !moved {
        return Ok(());
    }
    // With another number of columns SQLite finds these itself, but for a place to sort or group by.
    let as_many = draft.state.table.columns().count() == draft.columns.len();
    let views = draft.state.related.iter();
    let views = views.filter(|object| object.kind == "view" && has_star(&object.sql));
    let mut wide: Vec<&str> = views.map(|object| object.name.as_str()).collect();
    wide.push(draft.name());
    let all = draft.state.related.iter().chain(&draft.state.triggers);
    for object in all {
        let (sql, star) = (&object.sql, has_star(&object.sql));
        let sorts = star && sorts_by_place(sql);
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

/// `SELECT *` or `t.*`; not a product, and not `count(*)`.
fn has_star(sql: &str) -> bool {
    let words: Vec<_> = significant(sql, &SQLITE).map(|token| &sql[token.span]).collect();
    words.windows(2).any(|pair| {
        pair[1] == "*"
            && ["SELECT", "DISTINCT", "ALL", ",", "."]
                .iter()
                .any(|word| pair[0].eq_ignore_ascii_case(word))
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

/// `ORDER BY 2`, `GROUP BY a, 1`
fn sorts_by_place(sql: &str) -> bool {
    let words: Vec<_> = significant(sql, &SQLITE).map(|token| &sql[token.span]).collect();
    (0..words.len())
        .filter(|&at| words[at].eq_ignore_ascii_case("BY"))
        .any(|at| {
            let mut depth = 0;
            let mut begins = true;
            for word in &words[at + 1..] {
                if begins && word.bytes().all(|byte| byte.is_ascii_digit()) {
                    return true;
                }
                match *word {
                    "(" => depth += 1,
                    ")" => depth -= 1,
                    _ => {}
                }
                // The numbers of LIMIT are none.
                if depth < 0 || *word == ";" || word.eq_ignore_ascii_case("LIMIT") {
                    return false;
                }
                begins = depth == 0 && *word == ",";
            }
            false
        })
}

/// `(1, 2) IN t`, for one of these tables and views, or for what may be a table of a WITH with all columns of one.
fn compares_rows(sql: &str, wide: &[&str]) -> bool {
    let words: Vec<_> = significant(sql, &SQLITE).map(|token| &sql[token.span]).collect();
    let star = has_star(sql);
    let with = words.iter().any(|word| word.eq_ignore_ascii_case("WITH"));
    (0..words.len())
        .filter(|&at| words[at].eq_ignore_ascii_case("IN"))
        .any(|at| match words.get(at + 1..) {
            Some(["(", ..]) | Some([_, "(", ..]) | None => false,
            Some([_, ".", name, ..] | [name, ..]) => {
                wide.iter().any(|wide| unquoted(name).eq_ignore_ascii_case(wide)) || star && with
            }
            Some([]) => false,
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
            for next in at..words.len() {
                match words[next] {
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
        assert!(sorts_by_place(
            "CREATE VIEW v AS SELECT * FROM t ORDER /* so */ BY 2 DESC"
        ));
        assert!(sorts_by_place("CREATE VIEW v AS SELECT * FROM t ORDER BY f(a, 1), 2"));
        for sql in [
            "CREATE VIEW v AS SELECT * FROM t ORDER BY a, b LIMIT 1, 2",
            "CREATE VIEW v AS SELECT * FROM t ORDER BY f(a, 1)",
            "CREATE VIEW v AS SELECT * FROM (SELECT a FROM t ORDER BY a), u",
        ] {
            assert!(!sorts_by_place(sql), "{sql}");
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
