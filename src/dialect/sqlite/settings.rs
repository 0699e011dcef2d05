//! What `PRAGMA` sets for a connection, and what a new one has (pragma.html).

use crate::dialect::Setting;
use crate::sql::split;
use crate::sql::token;

/// The settings that last, with what they are at first. Left out are those whose first value depends on how SQLite was
/// built (`secure_delete`, `mmap_size`, `threads`), and which change nothing of what statements mean.
const USUAL: [(&str, &str); 18] = [
    ("analysis_limit", "0"),
    ("automatic_index", "ON"),
    ("busy_timeout", "0"),
    ("cache_size", "-2000"),
    ("cache_spill", "ON"),
    ("case_sensitive_like", "OFF"),
    ("cell_size_check", "OFF"),
    ("checkpoint_fullfsync", "OFF"),
    ("fullfsync", "OFF"),
    ("locking_mode", "NORMAL"),
    ("query_only", "OFF"),
    ("read_uncommitted", "OFF"),
    ("recursive_triggers", "OFF"),
    ("reverse_unordered_selects", "OFF"),
    ("synchronous", "FULL"),
    ("trusted_schema", "ON"),
    ("wal_autocheckpoint", "1000"),
    ("writable_schema", "OFF"),
];

/// The setting that a statement sets, and what it is at first.
pub(super) fn set(statement: &str) -> Option<(&'static str, &'static str)> {
    let (name, _) = assigned(statement)?;
    USUAL
        .iter()
        .find(|(usual, _)| name.eq_ignore_ascii_case(usual))
        .copied()
}

/// Whether a statement lets the definitions be written by hand, or no longer.
pub(super) fn opens_schema(statement: &str) -> Option<bool> {
    let (name, value) = assigned(statement)?;
    name.eq_ignore_ascii_case("writable_schema").then(|| is_on(&value))
}

/// Whether a statement says where temporary tables are kept, with which SQLite drops those that there are.
pub(super) fn moves_temporary(statement: &str) -> bool {
    let moves = ["temp_store", "temp_store_directory"];
    assigned(statement).is_some_and(|(name, _)| moves.iter().any(|other| name.eq_ignore_ascii_case(other)))
}

/// What a statement switches of that which a copy switches.
pub(super) fn switches(statement: &str) -> Option<(Setting, bool)> {
    let (name, value) = assigned(statement)?;
    let setting = match name.to_ascii_lowercase().as_str() {
        "legacy_alter_table" => Setting::LegacyAlterTable,
        "ignore_check_constraints" => Setting::IgnoreCheckConstraints,
        _ => return None,
    };
    Some((setting, is_on(&value)))
}

/// What would name the columns of every query otherwise, those of the run's own among them, and what would leave nothing to
/// roll back with: SQLite takes that even within a transaction that has written nothing yet, and for all that come.
pub(super) fn refused(statement: &str) -> Option<(&'static str, &'static str)> {
    let (name, value) = assigned(statement)?;
    if name.eq_ignore_ascii_case("journal_mode") && value.eq_ignore_ascii_case("off") {
        return Some((
            "without a journal nothing could be rolled back, and a failure would damage the database",
            "leave it out; PRAGMA synchronous = OFF in a revision with `transaction: none` saves the time of flushes",
        ));
    }
    let renames = name.eq_ignore_ascii_case("short_column_names") && !is_on(&value);
    renames.then_some((
        "the columns of the run's own queries would have other names",
        "leave it out, and name the columns where that matters: SELECT a AS \"t.a\"",
    ))
}

/// What does nothing in a transaction, or once a database has a table, and SQLite says no word; and what does it then.
pub(super) fn passed_over(statement: &str) -> Option<&'static str> {
    let (name, value) = assigned(statement)?;
    let (name, value) = (name.to_ascii_lowercase(), value.to_ascii_lowercase());
    match (&*name, &*value) {
        // As it is in any case.
        ("auto_vacuum", "0" | "none") | ("page_size", "4096") | ("encoding", "utf-8" | "utf8") => None,
        ("journal_mode", "wal") => Some("and needs a revision of its own with `transaction: none`"),
        ("auto_vacuum" | "page_size", _) => Some(
            "unless the database has such a one, and needs a revision of its own with `transaction: none` and a VACUUM behind it",
        ),
        ("encoding", _) => Some("and a database that has a table keeps its encoding"),
        _ => None,
    }
}

/// Whether a value is one that SQLite takes for on; it takes all that it does not know for off.
pub(super) fn is_on(value: &str) -> bool {
    let digits = value.bytes().take_while(u8::is_ascii_digit);
    digits.into_iter().any(|digit| digit != b'0')
        || ["on", "yes", "true"].iter().any(|on| value.eq_ignore_ascii_case(on))
}

/// The name and the value of a `PRAGMA` that has one.
fn assigned(statement: &str) -> Option<(String, String)> {
    let begins = statement.get(..6)?;
    if !begins.eq_ignore_ascii_case("pragma") {
        return None;
    }
    let words: Vec<&str> = token::significant(statement, &split::SQLITE)
        .skip(1)
        .take(6)
        .map(|token| &statement[token.span])
        .filter(|word| *word != "+")
        .collect();
    let ([_, ".", name, "=" | "(", value, ..] | [name, "=" | "(", value, ..]) = words.as_slice() else {
        return None;
    };
    Some((token::unquoted(name).into_owned(), token::unquoted(value).into_owned()))
}

#[cfg(test)]
mod tests {
    use super::{passed_over, refused, set, switches};
    use crate::dialect::Setting;

    #[test]
    fn what_is_passed_over_is_known() {
        for (statement, is) in [
            ("PRAGMA journal_mode=wal", true),
            ("pragma main.journal_mode('WAL')", true),
            ("PRAGMA auto_vacuum = INCREMENTAL", true),
            ("PRAGMA page_size = 8192", true),
            ("PRAGMA encoding = 'UTF-16le'", true),
            ("PRAGMA journal_mode", false),
            ("PRAGMA journal_mode = DELETE", false),
            ("PRAGMA auto_vacuum = NONE", false),
            ("SELECT 1", false),
        ] {
            assert_eq!(passed_over(statement).is_some(), is, "{statement}");
        }
    }

    #[test]
    fn what_a_copy_switches_is_known() {
        let cases = [
            (
                "PRAGMA legacy_alter_table = ON",
                Some((Setting::LegacyAlterTable, true)),
            ),
            (
                "pragma main.\"Legacy_Alter_Table\"(off)",
                Some((Setting::LegacyAlterTable, false)),
            ),
            (
                "PRAGMA ignore_check_constraints=+1;",
                Some((Setting::IgnoreCheckConstraints, true)),
            ),
            (
                "PRAGMA ignore_check_constraints = 'maybe'",
                Some((Setting::IgnoreCheckConstraints, false)),
            ),
            ("PRAGMA ignore_check_constraints", None),
            ("PRAGMA foreign_keys = ON", None),
        ];
        for (sql, want) in cases {
            assert_eq!(switches(sql), want, "{sql}");
        }
    }

    #[test]
    fn what_would_leave_no_journal_is_refused() {
        for (sql, is) in [
            ("PRAGMA journal_mode = OFF", true),
            ("pragma main.journal_mode('off')", true),
            ("PRAGMA journal_mode = MEMORY", false),
            ("PRAGMA synchronous = OFF", false),
        ] {
            assert_eq!(refused(sql).is_some(), is, "{sql}");
        }
    }

    #[test]
    fn what_is_set_is_known() {
        assert_eq!(set("PRAGMA recursive_triggers = ON").unwrap().1, "OFF");
        assert_eq!(set("pragma main.\"Synchronous\"(off)").unwrap().1, "FULL");
        for sql in [
            "PRAGMA synchronous",
            "PRAGMA user_version = 4",
            "SELECT 1",
            "PRAGMA table_info(t)",
        ] {
            assert_eq!(set(sql), None, "{sql}");
        }
    }
}
