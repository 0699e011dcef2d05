//! Tables replaced by hand: CREATE new, INSERT … SELECT, DROP old, RENAME.
//!
//! In a transaction SQLite ignores `PRAGMA foreign_keys` (pragma.html), and with foreign keys on, DROP TABLE deletes
//! every row first, which cascades to the rows of other tables (foreignkeys.html, section 5).

use crate::dialect::{Replaces, Setting};
use crate::sql::split;
use crate::sql::token;
use crate::sql::write;

/// `PRAGMA [schema.]foreign_keys` with a value.
pub(super) fn meant_switch(statement: &str) -> Option<(Setting, bool)> {
    if !begins(statement, "pragma") {
        return None;
    }
    let words = words(statement, 6);
    let words: Vec<&str> = words.iter().map(String::as_str).collect();
    let value = match words.as_slice() {
        ["pragma", "foreign_keys", "=" | "(", value, ..] | ["pragma", _, ".", "foreign_keys", "=" | "(", value, ..] => {
            *value
        }
        _ => return None,
    };
    let is_number = value.parse::<i64>().is_ok_and(|number| number != 0);
    Some((
        Setting::ForeignKeys,
        is_number || matches!(value, "on" | "yes" | "true"),
    ))
}

/// Indexes and triggers, temporary ones too. Those that SQLite makes by itself have no text.
pub(super) const HANGS_ON_TABLES: &str = "SELECT lower(tbl_name), type, name FROM \
    (SELECT * FROM sqlite_schema UNION ALL SELECT * FROM sqlite_temp_schema) \
    WHERE type IN ('index', 'trigger') AND sql IS NOT NULL ORDER BY 2, 3";

/// `DROP TABLE t`; or `ALTER TABLE x RENAME TO t`, or `CREATE TABLE t`.
pub(super) fn replaces(statement: &str) -> Option<Replaces> {
    if begins(statement, "drop") {
        let words = words(statement, 8);
        let mut rest = words.iter().map(String::as_str).skip(1);
        if rest.next() != Some("table") {
            return None;
        }
        let rest: Vec<&str> = rest.collect();
        let rest = rest.strip_prefix(&["if", "exists"]).unwrap_or(&rest);
        return match rest {
            [_, ".", table, ..] | [table, ..] => Some(Replaces::Drops((*table).to_owned())),
            [] => None,
        };
    }
    if begins(statement, "create") {
        let words = words(statement, 8);
        let words: Vec<&str> = words.iter().map(String::as_str).collect();
        let rest = words.strip_prefix(&["create", "table"])?;
        let rest = rest.strip_prefix(&["if", "not", "exists"]).unwrap_or(rest);
        return match rest {
            [_, ".", table, ..] | [table, ..] => Some(Replaces::Creates((*table).to_owned())),
            [] => None,
        };
    }
    if !begins(statement, "alter") {
        return None;
    }
    let words = words(statement, 12);
    let at = words
        .windows(2)
        .position(|pair| pair[0] == "rename" && pair[1] == "to")?;
    words.get(at + 2).map(|name| Replaces::TakesName(name.clone()))
}

/// The tables, and their columns, whose rows go or change when a table is dropped while foreign keys are on.
pub(super) fn followers(table: &str) -> String {
    // Each list of foreign keys costs more than a look at the text, and a name with a quote is written otherwise there.
    let plain = !table.contains(['"', '`', '\'', ']']);
    let table = write::sqlite_literal(table);
    let named = if plain {
        format!("AND instr(lower(s.sql), {table}) > 0")
    } else {
        String::new()
    };
    format!(
        "SELECT s.name, f.\"from\" FROM sqlite_schema s, pragma_foreign_key_list(s.name) f WHERE s.type = 'table' \
         AND s.sql LIKE '%references%' {named} AND lower(f.\"table\") = lower({table}) AND lower(s.name) <> lower({table}) \
         AND f.on_delete NOT IN ('NO ACTION', 'RESTRICT') ORDER BY 1, 2"
    )
}

fn begins(statement: &str, word: &str) -> bool {
    statement
        .get(..word.len())
        .is_some_and(|first| first.eq_ignore_ascii_case(word))
}

/// The first tokens, unquoted, in lower case.
fn words(statement: &str, most: usize) -> Vec<String> {
    let tokens = token::significant(statement, &split::SQLITE).take(most);
    tokens
        .map(|token| token::unquoted(&statement[token.span]).to_ascii_lowercase())
        .collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn foreign_keys_are_switched() {
        let cases = [
            ("PRAGMA foreign_keys = OFF", Some(false)),
            ("pragma foreign_keys=0", Some(false)),
            ("PRAGMA main.foreign_keys = no", Some(false)),
            ("PRAGMA \"foreign_keys\"(false)", Some(false)),
            ("PRAGMA /* now */ foreign_keys -- really\n = 'off'", Some(false)),
            ("PRAGMA foreign_keys = ON", Some(true)),
            ("PRAGMA foreign_keys(1)", Some(true)),
            ("PRAGMA foreign_keys", None),
            ("PRAGMA defer_foreign_keys = OFF", None),
            ("PRAGMA foreign_key_check", None),
        ];
        for (sql, on) in cases {
            assert_eq!(meant_switch(sql), on.map(|on| (Setting::ForeignKeys, on)), "{sql}");
        }
    }

    #[test]
    fn the_parts_of_a_replacement() {
        let cases = [
            ("DROP TABLE users", Some(Replaces::Drops("users".to_owned()))),
            (
                "drop table if exists main.\"Users\"",
                Some(Replaces::Drops("users".to_owned())),
            ),
            (
                "ALTER TABLE new_users RENAME TO [Users]",
                Some(Replaces::TakesName("users".to_owned())),
            ),
            ("ALTER TABLE users RENAME COLUMN a TO b", None),
            (
                "CREATE TABLE main.Users (id)",
                Some(Replaces::Creates("users".to_owned())),
            ),
            ("CREATE TEMP TABLE users (id)", None),
            ("DROP VIEW users", None),
            ("INSERT INTO users VALUES (1)", None),
        ];
        for (sql, want) in cases {
            assert_eq!(replaces(sql), want, "{sql}");
        }
    }
}
