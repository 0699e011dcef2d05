//! Names and literals, quoted.

use crate::sql::words;

/// A name between `quote` characters, which are doubled inside.
pub fn quoted(name: &str, quote: char) -> String {
    let mut out = String::with_capacity(name.len() + 16);
    append_quoted(&mut out, name, quote);
    out
}

/// A name as people write it: in quotes only where it needs them.
pub fn name(name: &str, quote: char) -> String {
    if words::is_plain(name) {
        name.to_owned()
    } else {
        quoted(name, quote)
    }
}

fn append_quoted(out: &mut String, name: &str, quote: char) {
    out.push(quote);
    let mut rest = name;
    while let Some(at) = rest.find(quote) {
        let (part, after) = rest.split_at(at + quote.len_utf8());
        out.push_str(part);
        out.push(quote);
        rest = after;
    }
    out.push_str(rest);
    out.push(quote);
}

/// A text literal of SQLite. A NUL ends a statement's text in SQLite, so a text with one is spelled as a blob. The
/// `sqlite3` command drops a carriage return at the end of a line that it reads, so a text with one is put together.
pub fn sqlite_literal(text: &str) -> String {
    let mut out = String::with_capacity(text.len() + 16);
    append_sqlite_literal(&mut out, text);
    out
}

/// Adds such a literal.
pub fn append_sqlite_literal(out: &mut String, text: &str) {
    if memchr::memchr2(b'\0', b'\r', text.as_bytes()).is_none() {
        append_quoted(out, text, '\'');
    } else if text.contains('\0') {
        let hex: String = text.bytes().map(|byte| format!("{byte:02x}")).collect();
        out.push_str(&format!("CAST(x'{hex}' AS TEXT)"));
    } else {
        let parts: Vec<String> = text.split('\r').map(|part| quoted(part, '\'')).collect();
        out.push_str(&format!("({})", parts.join(" || char(13) || ")));
    }
}

/// A text literal of PostgreSQL, which reads the same whatever `standard_conforming_strings` says.
pub fn postgres_literal(text: &str) -> String {
    let mut out = String::with_capacity(text.len() + 16);
    append_postgres_literal(&mut out, text);
    out
}

/// Adds such a literal.
pub fn append_postgres_literal(out: &mut String, text: &str) {
    if text.contains('\\') {
        out.push('E');
        append_quoted(out, &text.replace('\\', "\\\\"), '\'');
    } else {
        append_quoted(out, text, '\'');
    }
}

/// Adds a text literal of MySQL, which reads the same whatever `NO_BACKSLASH_ESCAPES` says.
pub fn append_mysql_literal(out: &mut String, text: &str) {
    if text.contains(['\\', '\0']) {
        let hex: String = text.bytes().map(|byte| format!("{byte:02x}")).collect();
        out.push_str(&format!("CONVERT(x'{hex}' USING utf8mb4)"));
    } else {
        append_quoted(out, text, '\'');
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn quotes_are_doubled() {
        assert_eq!(quoted("a\"b", '"'), "\"a\"\"b\"");
        assert_eq!(quoted("\"", '"'), "\"\"\"\"");
        assert_eq!(sqlite_literal("it's"), "'it''s'");
        assert_eq!(sqlite_literal(""), "''");
        assert_eq!(postgres_literal("it's"), "'it''s'");
        assert_eq!(postgres_literal("a\\'b"), "E'a\\\\''b'");
        assert_eq!(sqlite_literal("a\r\nb"), "('a' || char(13) || '\nb')");
        assert_eq!(sqlite_literal("a\0b"), "CAST(x'610062' AS TEXT)");
        let mut mysql = String::new();
        append_mysql_literal(&mut mysql, "it's");
        append_mysql_literal(&mut mysql, "\\");
        assert_eq!(mysql, "'it''s'CONVERT(x'5c' USING utf8mb4)");
    }
}
