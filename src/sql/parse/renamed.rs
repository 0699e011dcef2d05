//! Reads `-- sqlrev:renamed from=old_name` above a column or a table of a schema file.

use crate::source::Span;
use crate::sql::parse::cursor::Cursor;
use crate::sql::split::SplitRules;
use crate::sql::token::{Kind, Token, tokens, unquoted};

/// How the directive begins.
const MARK: &str = "-- sqlrev:renamed";

/// A table or column that had another name.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Renamed {
    /// The schema before the table's name.
    pub schema: Option<String>,
    /// The table, as it is now.
    pub table: String,
    /// The column, as it is now; none for the table itself.
    pub column: Option<String>,
    /// What it was.
    pub from: String,
    /// Where the directive stands in the statement, or in the gap before it.
    pub span: Span,
}

/// The directives for one statement and in it; `gap` is what stands before it.
///
/// # Errors
/// The place of a directive that is not written `from=NAME`, in the gap or, when the flag is set, in the statement.
pub fn read(gap: &str, statement: &str, rules: &SplitRules) -> Result<Vec<Renamed>, (bool, Span)> {
    if !gap.contains(MARK) && !statement.contains(MARK) {
        return Ok(Vec::new());
    }
    let Some((schema, table)) = created(statement) else {
        return Ok(Vec::new());
    };
    let renamed = |column: Option<String>, from: String, span: Span| Renamed {
        schema: schema.clone(),
        table: table.clone(),
        column,
        from,
        span,
    };
    let mut found = Vec::new();
    for token in tokens(gap, rules).filter(|token| is_directive(gap, token)) {
        let from = old_name(&gap[token.span.clone()]).ok_or((false, token.span.clone()))?;
        found.push(renamed(None, from, token.span));
    }
    let all: Vec<Token> = tokens(statement, rules).collect();
    for (index, token) in all
        .iter()
        .enumerate()
        .filter(|(_, token)| is_directive(statement, token))
    {
        let from = old_name(&statement[token.span.clone()]).ok_or((true, token.span.clone()))?;
        let next = all[index..]
            .iter()
            .find(|token| matches!(token.kind, Kind::Word | Kind::Quoted));
        if let Some(next) = next {
            let column = unquoted(&statement[next.span.clone()]).into_owned();
            found.push(renamed(Some(column), from, token.span.clone()));
        }
    }
    Ok(found)
}

fn is_directive(text: &str, token: &Token) -> bool {
    token.kind == Kind::Comment && text[token.span.clone()].starts_with(MARK)
}

fn old_name(directive: &str) -> Option<String> {
    let mut cursor = Cursor::new(directive.strip_prefix(MARK)?);
    if !cursor.take(&["FROM", "="]) {
        return None;
    }
    let name = cursor.name()?.text;
    cursor.at_end().then_some(name)
}

/// The table that a statement creates.
fn created(statement: &str) -> Option<(Option<String>, String)> {
    let mut cursor = Cursor::new(statement);
    if !cursor.take(&["CREATE"]) {
        return None;
    }
    while !cursor.take(&["TABLE"]) {
        // TEMP, UNLOGGED and the like.
        if cursor.at_end() || cursor.sees(&["("]) {
            return None;
        }
        cursor.skip();
    }
    let _ = cursor.take(&["IF", "NOT", "EXISTS"]);
    let first = cursor.name()?.text;
    if cursor.take(&["."]) {
        return Some((Some(first), cursor.name()?.text));
    }
    Some((None, first))
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::sql::split::SQLITE;

    #[test]
    fn a_directive_is_about_what_follows_it() {
        let statement =
            "CREATE TABLE \"users\" (\n  id int,\n  -- sqlrev:renamed from=\"e mail\"\n  email text -- now\n)";
        let found = read("-- sqlrev:renamed from=people\n", statement, &SQLITE).expect("both are right");
        let names: Vec<(Option<&str>, &str)> = found
            .iter()
            .map(|renamed| (renamed.column.as_deref(), renamed.from.as_str()))
            .collect();
        assert_eq!(names, [(None, "people"), (Some("email"), "e mail")]);
        assert!(found.iter().all(|renamed| renamed.table == "users"));
    }

    #[test]
    fn the_grammar_tells_the_truth() {
        let grammar = include_str!("../../../grammar/directive.ebnf");
        let (ok, no) = grammar.split_once("(* no:").expect("both kinds of examples");
        let check = |text: &'static str, right: bool| {
            let lines: Vec<&str> = text.lines().filter(|line| line.starts_with(MARK)).collect();
            assert!(!lines.is_empty());
            for line in lines {
                assert_eq!(read(line, "CREATE TABLE t (a)", &SQLITE).is_ok(), right, "{line}");
            }
        };
        check(ok, true);
        check(no, false);
    }
}
