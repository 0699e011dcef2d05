//! What `PRAGMA` sets for a connection, and what a new one has (pragma.html).

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
    let begins = statement.get(..6)?;
    if !begins.eq_ignore_ascii_case("pragma") {
        return None;
    }
    let words: Vec<&str> = token::significant(statement, &split::SQLITE)
        .skip(1)
        .take(4)
        .map(|token| &statement[token.span])
        .collect();
    let name = match words.as_slice() {
        [_, ".", name, "=" | "("] | [name, "=" | "(", ..] => token::unquoted(name),
        _ => return None,
    };
    USUAL
        .iter()
        .find(|(usual, _)| name.eq_ignore_ascii_case(usual))
        .copied()
}

#[cfg(test)]
mod tests {
    use super::set;

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
