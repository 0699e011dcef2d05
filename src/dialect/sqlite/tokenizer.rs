//! Full-text tables whose tokenizer an application registers, on a scratch database, which has none of its own.

use crate::sql::split::SQLITE;
use crate::sql::token::significant;
use crate::sql::write::sqlite_literal;

/// The statements that make such a table without its tokenizer and write it into its definition afterwards, where these
/// words refuse the statement that makes it: FTS5 asks for a tokenizer when the table is made, and then not before one reads
/// a text (fts5.html, section 7.1), so that all that uses the table compiles.
pub(super) fn without(statement: &str, words: &str) -> Vec<String> {
    if !words.contains("no such tokenizer: ") {
        return Vec::new();
    }
    let mut depth = 0_u32;
    // Where the last comma stands, or the first argument; whether this argument is it; and the last word.
    let (mut from, mut found, mut last) = (0, false, "");
    for token in significant(statement, &SQLITE) {
        let word = &statement[token.span.clone()];
        match word {
            "(" => {
                depth += 1;
                if depth == 1 {
                    from = token.span.end;
                }
            }
            ")" if depth > 1 => depth -= 1,
            "," | ")" if depth == 1 && found => {
                // A comma behind nothing is none to FTS5.
                let plain = [&statement[..from], &statement[token.span.start..]].concat();
                let [whole, made] = [statement, &plain].map(sqlite_literal);
                return vec![
                    plain,
                    "PRAGMA writable_schema = ON".to_owned(),
                    format!("UPDATE sqlite_schema SET sql = {whole} WHERE sql = {made}"),
                    "PRAGMA writable_schema = OFF".to_owned(),
                ];
            }
            _ => {}
        }
        match word {
            "," if depth == 1 => from = token.span.start,
            _ => found |= depth == 1 && word == "=" && last.eq_ignore_ascii_case("tokenize"),
        }
        last = word;
    }
    Vec::new()
}
