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
    let all = |what: &str| (0..tokens.len()).filter(|&at| is(at, what)).collect::<Vec<usize>>();
    // Other queries may give names to what they return, and so may a function that stands for a table.
    let ([select], [from], true) = (&all("SELECT")[..], &all("FROM")[..], all("WITH").is_empty()) else {
        return Ok(None);
    };
    let mut sources = *from..tokens.len();
    if from < select || sources.any(|at| matches!(tokens[at].kind, Kind::Word | Kind::Quoted) && word(at + 1) == "(") {
        return Ok(None);
    }
    let lower = |at: usize| token::unquoted(word(at)).to_ascii_lowercase();
    let source = if word(from + 2) == "." { from + 3 } else { from + 1 };
    // Rows of its own have its columns.
    if lower(source).eq_ignore_ascii_case(table) {
        return Ok(None);
    }
    let name = |at: usize| sqlite_literal(&lower(at));
    // What stands alone between two commas.
    let begins = |at: usize| [",", "SELECT", "DISTINCT", "ALL"].iter().any(|what| is(at, what));
    let ends = |at: usize| at == *from || word(at) == ",";
    let meant: Vec<String> = (select + 1..*from)
        .filter(|&at| begins(at - 1) && ends(at + 1) && word(at).starts_with('"'))
        .map(name)
        .collect();
    if meant.is_empty() {
        return Ok(None);
    }
    let rowids = readers::ROWID.map(sqlite_literal).join(", ");
    let named = (from + 1..tokens.len()).filter(|&at| matches!(tokens[at].kind, Kind::Word | Kind::Quoted));
    let named: Vec<String> = named.map(|at| format!("({})", name(at))).collect();
    let found = query(&format!(
        "SELECT name FROM pragma_table_xinfo({table}) WHERE lower(name) IN ({meant}) AND lower(name) NOT IN ({rowids}) \
         AND lower(name) NOT IN (SELECT lower(c.name) FROM (VALUES {named}) s, pragma_table_xinfo(s.column1) c \
         WHERE s.column1 <> {table}) LIMIT 1",
        table = sqlite_literal(&table.to_ascii_lowercase()),
        meant = meant.join(", "),
        named = named.join(", "),
    ))?;
    Ok(found.into_iter().flatten().flatten().next())
}

/// The table that a statement copies rows from, and its columns that the table which they are copied into has as well and
/// does not get; none where the copy names no columns, or is no plain one.
pub(super) fn left_out(
    statement: &str,
    table: &str,
    query: &mut dyn FnMut(&str) -> Result<Rows>,
) -> Result<Option<(String, Vec<String>)>> {
    let tokens: Vec<_> = token::significant(statement, &SQLITE).collect();
    let word = |at: usize| tokens.get(at).map_or("", |token| &statement[token.span.clone()]);
    let is = |at: usize, what: &str| word(at).eq_ignore_ascii_case(what);
    let all = |what: &str| (0..tokens.len()).filter(|&at| is(at, what)).collect::<Vec<usize>>();
    let ([into], [select], [from]) = (&all("INTO")[..], &all("SELECT")[..], &all("FROM")[..]) else {
        return Ok(None);
    };
    let lower = |at: usize| token::unquoted(word(at)).to_ascii_lowercase();
    let open = if word(into + 2) == "." { into + 4 } else { into + 2 };
    let source = if word(from + 2) == "." { from + 3 } else { from + 1 };
    let ends = |at: &usize| ["WHERE", "GROUP", "ORDER", "LIMIT"].iter().any(|what| is(*at, what));
    let mut sources = source..(source..tokens.len()).find(ends).unwrap_or(tokens.len());
    let joins = sources.any(|at| word(at) == "," || is(at, "JOIN"));
    if word(open) != "(" || select < &open || from < select || joins {
        return Ok(None);
    }
    let given: Vec<String> = (open + 1..*select)
        .filter(|&at| matches!(tokens[at].kind, Kind::Word | Kind::Quoted | Kind::Text))
        .map(|at| sqlite_literal(&lower(at)))
        .collect();
    let source = lower(source);
    let rowid = readers::ROWID.iter().any(|name| given.contains(&sqlite_literal(name)));
    let numbered = if rowid {
        " AND NOT (t.pk = 1 AND lower(t.type) = 'integer')"
    } else {
        ""
    };
    let found = query(&format!(
        "SELECT t.name FROM pragma_table_xinfo({}) t, pragma_table_xinfo({}) s WHERE lower(s.name) = lower(t.name) \
         AND t.hidden = 0 AND s.hidden <> 1 AND lower(t.name) NOT IN ({}){numbered} ORDER BY t.cid",
        sqlite_literal(&table.to_ascii_lowercase()),
        sqlite_literal(&source),
        given.join(", ")
    ))?;
    let columns: Vec<String> = found.into_iter().flatten().flatten().collect();
    Ok((!columns.is_empty()).then_some((source, columns)))
}
