//! What the server of a scratch database may lack, where a history is replayed there.

use crate::dialect::Lack;
use crate::dialect::postgres::session;

/// What a statement is refused for, by the SQLSTATE and the words.
pub(super) fn of(statement: &str, code: &str, message: &str) -> Lack {
    let named = |kinds: &[&str]| kinds.iter().any(|kind| message.starts_with(&format!("{kind} \"")));
    let makes_extension = || session::begins(statement, &["CREATE", "EXTENSION"]);
    match code {
        // What the server does not have installed, or this role may not do.
        "58P01" | "42501" => Lack::Server,
        "0A000" if named(&["extension"]) => Lack::Server,
        // Another server's, and what a statement makes that is left alone.
        "3D000" => Lack::Server,
        "42704" if named(&["role", "tablespace", "extension", "language", "subscription"]) => Lack::Server,
        "42704" if message.starts_with("unrecognized configuration parameter") => Lack::Server,
        _ if makes_extension() => Lack::Server,
        // Something does not exist.
        "42704" | "42883" | "42P01" | "42703" | "3F000" => Lack::Object,
        // Constraints, and what blocks raise.
        _ if code.starts_with("23") || code.starts_with("P0") => Lack::Rows,
        _ => Lack::Nothing,
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_a_server_may_lack() {
        for (statement, code, message, expect) in [
            ("create extension x", "55000", "must be preloaded", Lack::Server),
            (
                "GRANT SELECT ON t TO a",
                "42704",
                "role \"a\" does not exist",
                Lack::Server,
            ),
            (
                "CREATE TABLE t (a x)",
                "42704",
                "type \"x\" does not exist",
                Lack::Object,
            ),
            ("LOCK TABLE t", "42P01", "relation \"t\" does not exist", Lack::Object),
            (
                "CREATE TABLE t (a int)",
                "42P07",
                "relation \"t\" already exists",
                Lack::Nothing,
            ),
            ("INSERT INTO t VALUES (1)", "23503", "violates", Lack::Rows),
        ] {
            assert_eq!(of(statement, code, message), expect, "{statement}");
        }
    }
}
