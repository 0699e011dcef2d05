//! A name in double quotes that nothing has is a text to SQLite (<https://www.sqlite.org/quirks.html>, section 8), also
//! where a copy means a column that its source does not have: generators write such copies for columns that are new.

use crate::dialect::Rows;
use crate::dialect::sqlite::readers;
use crate::error::Result;
use crate::sql::split::SQLITE;
use crate::sql::token::{self, Kind};
use crate::sql::write::sqlite_literal;

/// The first column of a table that a statement copies rows into and that gets its own name as a text.
pub(super) fn text_for_name(
    statement: &str,
    table: &str,
    query: &mut dyn FnMut(&str) -> Result<Rows>,
) -> Result<Option<String>> {
    let tokens: Vec<_> = token::significant(statement, &SQLITE).collect();
    let word = |at: usize| tokens.get(at).map_or("", |token| &statement[token.span.clone()]);
    let is = |at: usize, what: &str| word(at).eq_ignore_ascii_case(what);
    let selects: Vec<usize> = (0..tokens.len()).filter(|&at| is(at, "SELECT")).collect();
    // Other queries may give names to what they return, and so may a function that stands for a table.
    let [select] = selects[..] else { return Ok(None) };
    let mut rest = select..tokens.len();
    if rest.any(|at| is(at, "FROM") && word(at + 2) == "(") {
        return Ok(None);
    }
    let name = |at: usize| token::unquoted(word(at)).to_ascii_lowercase();
    let named = (select..tokens.len()).filter(|&at| matches!(tokens[at].kind, Kind::Word | Kind::Quoted));
    let named: Vec<String> = named.map(|at| format!("({})", sqlite_literal(&name(at)))).collect();
    let begins = |at: usize| [",", "(", "SELECT", "DISTINCT", "ALL"].iter().any(|what| is(at, what));
    for (at, token) in tokens.iter().enumerate().skip(select + 1) {
        let alone = begins(at - 1) && !matches!(word(at + 1), "." | "(");
        if !alone || token.kind != Kind::Quoted || !word(at).starts_with('"') {
            continue;
        }
        if readers::ROWID.contains(&name(at).as_str()) {
            continue;
        }
        let column = sqlite_literal(&name(at));
        let found = query(&format!(
            "SELECT name FROM pragma_table_xinfo({0}) WHERE lower(name) = {column} AND NOT EXISTS \
             (SELECT 1 FROM (VALUES {1}) s, pragma_table_xinfo(s.column1) c WHERE s.column1 <> {0} AND lower(c.name) = {column})",
            sqlite_literal(&table.to_ascii_lowercase()),
            named.join(", "),
        ))?;
        if let Some(name) = found.into_iter().flatten().flatten().next() {
            return Ok(Some(name));
        }
    }
    Ok(None)
}
