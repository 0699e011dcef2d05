//! Offline scripts for `psql`.
//!
//! A guard is a DO block that raises an error: in a transaction, what came before in it is undone, and `ON_ERROR_STOP`,
//! which the script sets for itself, ends the run.

use std::borrow::Cow;
use std::fmt::Write as _;

use crate::dialect::postgres::{Postgres, lock_key};
use crate::dialect::{Dialect, ScriptHead, ScriptSql};
use crate::sql::split;
use crate::sql::token::{self, Kind};
use crate::sql::write;

/// The frame of a script for PostgreSQL.
#[derive(Debug)]
pub(in crate::dialect) struct PostgresScript;

/// How the script is to be read, whatever the locale and the server's configuration say. RESET ALL undoes it.
const READ_SO: &str = "SET client_encoding = 'UTF8';\nSET standard_conforming_strings = on;\n";

/// Between the quotes of a DO: no text of ours or of a name ends it.
const QUOTE: &str = "$sqlrev$";

impl PostgresScript {
    fn guard(query: &str, message: &str) -> String {
        let message = write::postgres_literal(message);
        format!(
            "DO {QUOTE} BEGIN\nIF EXISTS ({query}) THEN RAISE EXCEPTION USING MESSAGE = {message}; END IF;\nEND {QUOTE};\n"
        )
    }
}

impl ScriptSql for PostgresScript {
    fn head(&self, head: &ScriptHead<'_>) -> String {
        let mut out = format!("-- {}\n--\n", head.title);
        out.push_str("-- Run it with:  psql -X -v ON_ERROR_STOP=1 -f SCRIPT DATABASE\n");
        out.push_str("-- Nothing stays of a revision that is refused; those before it do.\n");
        let list = if head.revisions.is_empty() {
            ""
        } else {
            "; the revisions and their checksums:"
        };
        let _ = writeln!(out, "--\n-- written by {}{list}", head.tool);
        for revision in head.revisions {
            let _ = writeln!(out, "--   {revision}");
        }
        out.push_str("\n\\set ON_ERROR_STOP on\n");
        out.push_str(READ_SO);
        out
    }

    /// It is tried for ten seconds, and goes with the session. Who holds it and builds an index CONCURRENTLY waits for this
    /// statement, so it must end.
    fn lock(&self, table: &str) -> String {
        let key = lock_key(table);
        format!(
            "DO {QUOTE} BEGIN\nFOR i IN 1..100 LOOP\nIF pg_catalog.pg_try_advisory_lock({key}) THEN RETURN; END IF;\n\
             PERFORM pg_catalog.pg_sleep(0.1);\nEND LOOP;\n\
             RAISE EXCEPTION USING MESSAGE = 'refused: another run of sqlrev has locked the version table';\n\
             END {QUOTE};\n"
        )
    }

    /// What takes the reading of the script back to the server's configuration is followed by what it began with. psql
    /// replaces `:name`, `:'name'` and `:"name"` by its variables; a space before the name keeps it from that. It reads line
    /// by line, and takes what continues `E'…'` on a later line for a plain string, so such a string is written in one piece.
    fn statement<'s>(&self, sql: &'s str) -> Cow<'s, str> {
        if takes_reading_back(sql) {
            return Cow::Owned(format!(
                "{};\n{}",
                sql.trim_end(),
                READ_SO.trim_end().trim_end_matches(';')
            ));
        }
        let bytes = sql.as_bytes();
        let is_variable = |at: usize| {
            let before = at.checked_sub(1).map(|at| bytes[at]);
            let after = bytes.get(at + 1).copied().unwrap_or(b' ');
            before != Some(b':') && (after.is_ascii_alphanumeric() || matches!(after, b'_' | b'\'' | b'"'))
        };
        let continues = sql.contains('\n') && (sql.contains("E'") || sql.contains("e'"));
        if !continues && !sql.match_indices(':').any(|(at, _)| is_variable(at)) {
            return Cow::Borrowed(sql);
        }
        let mut out = String::with_capacity(sql.len() + 8);
        for token in token::tokens(sql, &split::POSTGRESQL) {
            let word = &sql[token.span.clone()];
            if token.kind == Kind::Symbol && word == ":" && is_variable(token.span.start) {
                out.push_str(": ");
            } else if token.kind == Kind::Text && word.starts_with(['e', 'E']) {
                out.push_str(&in_one_piece(word));
            } else {
                out.push_str(word);
            }
        }
        Cow::Owned(out)
    }

    fn begin(&self, _foreign_keys_off: bool) -> String {
        "BEGIN;\n".to_owned()
    }

    fn commit(&self, _foreign_keys_off: bool) -> String {
        "COMMIT;\n".to_owned()
    }

    fn reset(&self) -> String {
        let mut out = String::new();
        for statement in Postgres.reset() {
            let _ = writeln!(out, "{statement};");
        }
        out + READ_SO
    }

    fn silent(&self, sql: &str) -> String {
        match sql.strip_prefix("SELECT ") {
            Some(calls) => format!("DO {QUOTE} BEGIN\nPERFORM {calls};\nEND {QUOTE};\n"),
            None => format!("{sql};\n"),
        }
    }

    fn counts(&self) -> bool {
        true
    }

    fn guard_half_way(&self, table: &str) -> String {
        format!(
            "DO {QUOTE} DECLARE half record; BEGIN\n\
             SELECT revision, unfinished INTO half FROM {table} WHERE unfinished IS NOT NULL LIMIT 1;\n\
             IF FOUND THEN RAISE EXCEPTION USING MESSAGE = 'refused: revision ' || half.revision || ' stopped half-way (' \
             || half.unfinished || ')', HINT = 'go on with: sqlrev ' || CASE WHEN half.unfinished LIKE 'downgrade:%' \
             THEN 'downgrade ' || half.revision || '-1' ELSE 'upgrade ' || half.revision END; END IF;\nEND {QUOTE};\n"
        )
    }

    fn guard_place(&self, query: &str) -> String {
        Self::guard(query, "refused: the database is not where this script begins")
    }

    fn guard_rows(&self, query: &str, message: &str) -> String {
        Self::guard(query, message)
    }

    fn missing_table(&self, _name: &str, place: &str) -> String {
        let place = write::postgres_literal(place);
        format!("SELECT 1 WHERE pg_catalog.to_regclass({place}) IS NULL")
    }

    fn leaves_schema(&self, statement: &str) -> bool {
        let words = token::keywords(statement, &split::POSTGRESQL, 5);
        let words: Vec<&str> = words.iter().map(String::as_str).collect();
        match words.as_slice() {
            ["RESET", name] => matches!(*name, "ALL" | "SEARCH_PATH"),
            ["SET", rest @ ..] => rest.contains(&"SEARCH_PATH") && rest.last() == Some(&"DEFAULT"),
            _ => false,
        }
    }

    fn create_if_missing(&self, create: &str) -> String {
        create.replacen("CREATE TABLE", "CREATE TABLE IF NOT EXISTS", 1)
    }
}

/// A string with escapes without the gaps between its parts. One whose meaning that would change stays as it is: an escape
/// that ends its part, and might go on in the next one.
fn in_one_piece(text: &str) -> Cow<'_, str> {
    let mut out = String::with_capacity(text.len());
    let (mut rest, mut escape) = (text, 0_usize);
    while let Some(at) = rest.find(['\\', '\'']) {
        out.push_str(&rest[..at]);
        rest = &rest[at..];
        let pair = 1 + rest.chars().nth(1).map_or(0, char::len_utf8);
        if rest.starts_with('\\') || rest.starts_with("''") {
            let by_number = rest[1..].starts_with(|kind: char| matches!(kind, 'x' | 'u' | 'U' | '0'..='7'));
            escape = if by_number { out.len() } else { 0 };
            out.push_str(&rest[..pair]);
            rest = &rest[pair..];
            continue;
        }
        let first = out.ends_with(['e', 'E']) && out.len() == 1;
        let next = rest[1..].find('\'').filter(|_| !first);
        let Some(next) = next else {
            out.push('\'');
            rest = &rest[1..];
            continue;
        };
        let after = &rest[next + 2..];
        // The longest escape is `\Uxxxxxxxx`.
        if out.len() < escape + 10 && escape > 0 && after.starts_with(|next: char| next.is_ascii_hexdigit()) {
            return Cow::Borrowed(text);
        }
        rest = after;
    }
    out.push_str(rest);
    Cow::Owned(out)
}

/// Whether a statement undoes [`READ_SO`].
fn takes_reading_back(sql: &str) -> bool {
    let words = token::keywords(sql, &split::POSTGRESQL, 5);
    let words: Vec<&str> = words.iter().map(String::as_str).collect();
    let is_read_so = |name: &str| name == "CLIENT_ENCODING" || name == "STANDARD_CONFORMING_STRINGS" || name == "NAMES";
    match words.as_slice() {
        ["RESET", name] => *name == "ALL" || is_read_so(name),
        ["SET", rest @ ..] => rest.iter().any(|word| is_read_so(word)) && sql.to_ascii_uppercase().contains("DEFAULT"),
        _ => false,
    }
}

#[cfg(test)]
mod tests {
    use super::PostgresScript;
    use crate::dialect::ScriptSql as _;

    #[test]
    fn psql_finds_no_variables() {
        let cases = [
            (
                "SELECT a[1:USER], ':USER', x::int",
                "SELECT a[1: USER], ':USER', x::int",
            ),
            ("SELECT '12:30'::time", "SELECT '12:30'::time"),
            ("SELECT $$ :x $$, a[b:c]", "SELECT $$ :x $$, a[b: c]"),
            ("SELECT E'it'\n'\\'s''' , 'a'\n'b'", "SELECT E'it\\'s''' , 'a'\n'b'"),
            (
                "SELECT e'a\\''\n  'b', E'', E'c'\n'd'\n'e'",
                "SELECT e'a\\'b', E'', E'cde'",
            ),
            ("SELECT E'\\x4'\n'1'", "SELECT E'\\x4'\n'1'"),
        ];
        for (sql, want) in cases {
            assert_eq!(PostgresScript.statement(sql), want);
        }
    }
}
