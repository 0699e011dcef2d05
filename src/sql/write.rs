//! Names and literals, quoted.

/// A name between `quote` characters, which are doubled inside.
pub fn quoted(name: &str, quote: char) -> String {
    let mut out = String::with_capacity(name.len() + 16);
    out.push(quote);
    for (i, part) in name.split(quote).enumerate() {
        if i > 0 {
            out.push(quote);
            out.push(quote);
        }
        out.push_str(part);
    }
    out.push(quote);
    out
}

/// A text literal of SQLite. A NUL ends a statement's text in SQLite, so a text with one is spelled as a blob. The
/// `sqlite3` command drops a carriage return at the end of a line that it reads, so a text with one is put together.
pub fn sqlite_literal(text: &str) -> String {
    if text.contains('\0') {
        let hex: String = text.bytes().map(|byte| format!("{byte:02x}")).collect();
        return format!("CAST(x'{hex}' AS TEXT)");
    }
    if text.contains('\r') {
        let parts: Vec<String> = text.split('\r').map(|part| quoted(part, '\'')).collect();
        return format!("({})", parts.join(" || char(13) || "));
    }
    quoted(text, '\'')
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn quotes_are_doubled() {
        assert_eq!(quoted("a\"b", '"'), "\"a\"\"b\"");
        assert_eq!(sqlite_literal("it's"), "'it''s'");
        assert_eq!(sqlite_literal("a\r\nb"), "('a' || char(13) || '\nb')");
        assert_eq!(sqlite_literal("a\0b"), "CAST(x'610062' AS TEXT)");
    }
}
