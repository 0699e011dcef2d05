//! Tables replaced by hand: CREATE new, INSERT … SELECT, DROP old, RENAME.
//!
//! In a transaction SQLite ignores `PRAGMA foreign_keys` (pragma.html), and with foreign keys on, DROP TABLE deletes
//! every row first, which cascades to the rows of other tables (foreignkeys.html, section 5).

use crate::dialect::sqlite::{changed, session, settings};
use crate::dialect::{Replaces, RowChange, Setting};
use crate::sql::parse;
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
    Some((Setting::ForeignKeys, settings::is_on(value)))
}

/// `PRAGMA defer_foreign_keys` with a value: OFF forgets the violations that are waiting for the commit.
pub(super) fn defers(statement: &str) -> bool {
    begins(statement, "pragma") && {
        let words = words(statement, 5);
        words.iter().any(|word| word == "defer_foreign_keys") && words.iter().any(|word| word == "=" || word == "(")
    }
}

/// `DROP VIEW`, `DROP INDEX`, `DROP TABLE` in an attached database, and `PRAGMA legacy_alter_table = ON`, under which a
/// RENAME leads nothing along: others may use what is gone, and SQLite says nothing.
pub(super) fn unsettles(statement: &str) -> bool {
    let drops = || match words(statement, 8).iter().map(String::as_str).collect::<Vec<_>>()[..] {
        ["drop", "view" | "index", ..] => true,
        ["drop", "table", ref rest @ ..] => rest.contains(&"."),
        _ => false,
    };
    begins(statement, "drop") && drops() || settings::switches(statement) == Some((Setting::LegacyAlterTable, true))
}

/// Indexes and triggers, temporary ones too. Those that SQLite makes by itself have no text.
pub(super) const HANGS_ON_TABLES: &str = "SELECT lower(tbl_name), type, name FROM \
    (SELECT * FROM sqlite_schema UNION ALL SELECT * FROM sqlite_temp_schema) \
    WHERE type IN ('index', 'trigger') AND sql IS NOT NULL ORDER BY 2, 3";

/// `DROP TABLE t`, `CREATE TABLE t` or `ALTER TABLE x RENAME TO t`, in `main`.
pub(super) fn replaces(statement: &str) -> Option<Replaces> {
    if begins(statement, "drop") {
        let words = words(statement, 8);
        let words: Vec<&str> = words.iter().map(String::as_str).collect();
        let rest = words.strip_prefix(&["drop", "table"])?;
        let rest = rest.strip_prefix(&["if", "exists"]).unwrap_or(rest);
        return in_main(rest).map(|(table, _)| Replaces::Drops(table));
    }
    if begins(statement, "create") {
        let few = words(statement, 4);
        let more = few.get(2).is_some_and(|word| word == "if") || few.get(3).is_some_and(|word| word == ".");
        let words = if more { words(statement, 9) } else { few };
        let words: Vec<&str> = words.iter().map(String::as_str).collect();
        let rest = words.strip_prefix(&["create", "table"])?;
        let rest = rest.strip_prefix(&["if", "not", "exists"]).unwrap_or(rest);
        let (table, rest) = in_main(rest)?;
        let filled = rest.first() == Some(&"as");
        return Some(Replaces::Creates { table, filled });
    }
    if !begins(statement, "alter") {
        return None;
    }
    let (schema, table) = parse::alter::table(statement)?;
    if schema.is_some_and(|schema| !schema.is("main")) {
        return None;
    }
    Some(Replaces::Renames {
        from: table.text.to_ascii_lowercase(),
        to: new_name(statement)?,
    })
}

/// The name that an ALTER TABLE gives to a table, whichever schema it is in.
pub(super) fn new_name(statement: &str) -> Option<String> {
    if !begins(statement, "alter") {
        return None;
    }
    let words = words(statement, 14);
    let at = words
        .windows(2)
        .position(|pair| pair[0] == "rename" && pair[1] == "to")?;
    words.get(at + 2).cloned()
}

/// The name that words begin with, unless it is one of another schema, and the words after it.
fn in_main<'w>(words: &'w [&'w str]) -> Option<(String, &'w [&'w str])> {
    match words {
        [schema, ".", table, rest @ ..] => (*schema == "main").then(|| ((*table).to_owned(), rest)),
        [table, rest @ ..] => Some(((*table).to_owned(), rest)),
        [] => None,
    }
}

/// The table whose rows a statement changes; whether an INSERT takes them from a query.
pub(super) fn changes_rows(statement: &str) -> Option<RowChange> {
    let changed = changed::changed(statement)?;
    if changed
        .schema
        .is_some_and(|schema| !schema.eq_ignore_ascii_case("main"))
    {
        return Some(RowChange {
            table: String::new(),
            copies: false,
        });
    }
    let table = changed.table.to_ascii_lowercase();
    let copies = changed.verb == "INSERT" && {
        let (mut depth, mut seen) = (0usize, false);
        let source = token::significant(statement, &split::SQLITE).find_map(|token| {
            let word = &statement[token.span];
            match word {
                "(" => depth += 1,
                ")" => depth = depth.saturating_sub(1),
                _ => {}
            }
            let word = word.to_ascii_uppercase();
            seen |= depth == 0 && word == "INTO";
            (seen && depth == 0 && ["SELECT", "WITH", "VALUES", "DEFAULT"].contains(&word.as_str())).then_some(word)
        });
        source.is_some_and(|word| word == "SELECT" || word == "WITH")
    };
    Some(RowChange { table, copies })
}

/// PRAGMAs that do in a transaction what they do outside of one; foreign keys are switched all the same.
const IN_TRANSACTION: [&str; 20] = [
    "application_id",
    "case_sensitive_like",
    "defer_foreign_keys",
    "foreign_key_check",
    "foreign_key_list",
    "foreign_keys",
    "ignore_check_constraints",
    "index_info",
    "index_list",
    "index_xinfo",
    "integrity_check",
    "legacy_alter_table",
    "quick_check",
    "recursive_triggers",
    "schema_version",
    "table_info",
    "table_list",
    "table_xinfo",
    "user_version",
    "writable_schema",
];

/// Whether a statement begins or ends a transaction, or is one that SQLite refuses or passes over there.
pub(super) fn tears(statement: &str) -> bool {
    if !session::stands_alone(statement) {
        return false;
    }
    let words = words(statement, 4);
    let words: Vec<&str> = words.iter().map(String::as_str).collect();
    !matches!(words.as_slice(), ["pragma", _, ".", name, ..] | ["pragma", name, ..] if IN_TRANSACTION.contains(name))
}

/// What SQLite refuses in a transaction that has the lock for writing.
pub(super) fn not_in_transaction(statement: &str) -> Option<&'static str> {
    if begins(statement, "vacuum") {
        return Some("VACUUM");
    }
    let words = if begins(statement, "pragma") {
        words(statement, 4)
    } else {
        Vec::new()
    };
    let words: Vec<&str> = words.iter().map(String::as_str).collect();
    let checkpoint = matches!(
        words.as_slice(),
        ["pragma", "wal_checkpoint", ..] | ["pragma", _, ".", "wal_checkpoint"]
    );
    checkpoint.then_some("PRAGMA wal_checkpoint")
}

/// The mark of a table with AUTOINCREMENT.
pub(super) fn counter(table: &str) -> String {
    let name = write::sqlite_literal(table);
    // A temporary table with AUTOINCREMENT has a table of that name as well.
    format!("SELECT seq FROM main.sqlite_sequence WHERE lower(name) = lower({name})")
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

    fn creates(table: &str, filled: bool) -> Option<Replaces> {
        let table = table.to_owned();
        Some(Replaces::Creates { table, filled })
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
                "ALTER TABLE main.new_users RENAME TO [Users]",
                Some(Replaces::Renames {
                    from: "new_users".to_owned(),
                    to: "users".to_owned(),
                }),
            ),
            ("ALTER TABLE users RENAME COLUMN a TO b", None),
            ("ALTER TABLE temp.a RENAME TO users", None),
            ("CREATE TABLE main.Users (id)", creates("users", false)),
            ("create table if not exists users as select 1", creates("users", true)),
            ("CREATE TEMP TABLE users (id)", None),
            ("DROP TABLE temp.users", None),
            ("DROP VIEW users", None),
            ("INSERT INTO users VALUES (1)", None),
        ];
        for (sql, want) in cases {
            assert_eq!(replaces(sql), want, "{sql}");
        }
    }

    #[test]
    fn whose_rows_a_statement_changes() {
        let cases = [
            ("INSERT INTO main.\"T\" (a, b) SELECT a, b FROM x", Some(("t", true))),
            (
                "INSERT OR IGNORE INTO t WITH x AS (SELECT 1) SELECT * FROM x",
                Some(("t", true)),
            ),
            ("WITH x AS (SELECT 1) INSERT INTO t SELECT * FROM x", Some(("t", true))),
            ("INSERT INTO t VALUES ((SELECT 1))", Some(("t", false))),
            ("UPDATE t SET a = (SELECT 1)", Some(("t", false))),
            ("DELETE FROM t", Some(("t", false))),
            ("INSERT INTO o.t SELECT 1", Some(("", false))),
            ("CREATE TABLE t (a)", None),
        ];
        for (sql, want) in cases {
            let got = changes_rows(sql);
            let got = got.as_ref().map(|change| (change.table.as_str(), change.copies));
            assert_eq!(got, want, "{sql}");
        }
    }

    #[test]
    fn what_stands_in_no_transaction() {
        for sql in [
            "BEGIN",
            "VACUUM",
            "PRAGMA journal_mode = WAL",
            "PRAGMA main.synchronous = 1",
        ] {
            assert!(tears(sql), "{sql}");
        }
        for sql in [
            "PRAGMA foreign_keys = OFF",
            "PRAGMA main.foreign_key_check",
            "DELETE FROM t",
        ] {
            assert!(!tears(sql), "{sql}");
        }
    }
}
