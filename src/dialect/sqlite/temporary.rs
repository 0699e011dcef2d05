//! Temporary tables, views and triggers, which last as long as their connection, and must not outlive their revision: the
//! next one would meet them in place of what has the same name in the database (`lang_naming.html`, section 2).

use crate::dialect::sqlite::rebuild;
use crate::sql::split;
use crate::sql::token;
use crate::sql::write;

/// The statements that drop all of them. A virtual table takes the tables that it is made of along, so it goes first;
/// of the rest, what was made later may refer to what was made before.
pub(super) const NOW: &str = "SELECT 'DROP ' || upper(type) || ' IF EXISTS temp.\"' || replace(name, '\"', '\"\"') || '\"' \
    FROM temp.sqlite_schema WHERE type IN ('table', 'view', 'trigger') AND name NOT LIKE 'sqlite\\_%' ESCAPE '\\' \
    ORDER BY lower(substr(sql, 1, 14)) = 'create virtual' DESC, rowid DESC";

/// The statement that drops what this one makes; after `others`, which drop what was made before, also what it gives
/// another name, as it may be one of them.
pub(super) fn drops(statement: &str, others: &[String]) -> Option<String> {
    // Scripts of millions of statements come by here.
    let begins = |word: &str| {
        let first = statement.get(..word.len());
        first.is_some_and(|first| first.eq_ignore_ascii_case(word))
    };
    if !begins("create") {
        let name = rebuild::new_name(statement).filter(|_| !others.is_empty())?;
        // In the place of a view no table of that name is temporary.
        let view = drop("VIEW", &name);
        let is_view = others.iter().any(|other| other.eq_ignore_ascii_case(&view));
        return (!is_view).then(|| drop("TABLE", &name));
    }
    // Whatever is temporary says so, before its name or in it.
    if !token::holds(statement, b"temp") {
        return None;
    }
    let words: Vec<&str> = token::significant(statement, &split::SQLITE)
        .take(9)
        .map(|token| &statement[token.span])
        .collect();
    let is = |at: usize, what: &[&str]| {
        let word = words.get(at);
        word.is_some_and(|word| what.iter().any(|what| word.eq_ignore_ascii_case(what)))
    };
    let says_so = is(1, &["TEMP", "TEMPORARY"]);
    let kind = 1 + usize::from(says_so || is(1, &["VIRTUAL"]));
    if !is(kind, &["TABLE", "VIEW", "TRIGGER"]) {
        return None;
    }
    let name = kind
        + if is(kind + 1, &["IF"]) && is(kind + 2, &["NOT"]) {
            4
        } else {
            1
        };
    let in_schema = words.get(name + 1) == Some(&".");
    let in_temp = in_schema && token::unquoted(words[name]).eq_ignore_ascii_case("temp");
    if !says_so && !in_temp {
        return None;
    }
    let name = words.get(if in_schema { name + 2 } else { name })?;
    Some(drop(&words[kind].to_ascii_uppercase(), &token::unquoted(name)))
}

fn drop(kind: &str, name: &str) -> String {
    format!("DROP {kind} IF EXISTS temp.{}", write::quoted(name, '"'))
}

#[cfg(test)]
mod tests {
    use super::drops;

    #[test]
    fn what_ends_with_a_revision() {
        for (sql, want) in [
            ("CREATE TEMP TABLE t (a)", Some("TABLE IF EXISTS temp.\"t\"")),
            (
                "create temporary table if not exists temp.[a b] as select 1",
                Some("TABLE IF EXISTS temp.\"a b\""),
            ),
            ("CREATE TABLE \"Temp\".t (a)", Some("TABLE IF EXISTS temp.\"t\"")),
            (
                "CREATE VIRTUAL TABLE temp.f USING fts5 (x)",
                Some("TABLE IF EXISTS temp.\"f\""),
            ),
            ("CREATE TEMP VIEW v AS SELECT 1", Some("VIEW IF EXISTS temp.\"v\"")),
            (
                "CREATE TEMP TRIGGER if not exists r AFTER INSERT ON t BEGIN SELECT 1; END",
                Some("TRIGGER IF EXISTS temp.\"r\""),
            ),
            (
                "CREATE TRIGGER temp.r AFTER INSERT ON main.t BEGIN SELECT 1; END",
                Some("TRIGGER IF EXISTS temp.\"r\""),
            ),
            ("CREATE TABLE temp (a)", None),
            ("CREATE TABLE main.temp (a)", None),
            ("CREATE INDEX temp.i ON t (a)", None),
            ("CREATE", None),
        ] {
            let got = drops(sql, &[]);
            assert_eq!(
                got.as_deref(),
                want.map(|want| format!("DROP {want}")).as_deref(),
                "{sql}"
            );
        }
        let rename = "ALTER TABLE t RENAME TO u";
        assert_eq!(drops(rename, &[]), None);
        let after = |other: &str| drops(rename, &[format!("DROP {other} IF EXISTS temp.\"U\"")]);
        assert_eq!(after("TRIGGER").as_deref(), Some("DROP TABLE IF EXISTS temp.\"u\""));
        assert_eq!(after("VIEW"), None);
    }
}
