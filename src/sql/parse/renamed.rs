//! Reads `-- sqlrev:renamed from=old_name` above a column or a table of a schema file.

use crate::source::Span;
use crate::sql::parse::cursor::Cursor;
use crate::sql::split::SplitRules;
use crate::sql::token::{Kind, Token, comments, tokens, unquoted};

/// The words of the directive behind its dashes.
const NAME: &str = "sqlrev:renamed";
/// How every directive begins behind its dashes.
const PREFIX: &str = "sqlrev";
/// A name as SQL has it.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Called {
    /// The name, without its quotes.
    pub text: String,
    /// Whether it had some: then capital letters may count.
    pub is_quoted: bool,
}

impl Called {
    fn read(written: &str) -> Self {
        let text = unquoted(written).into_owned();
        let is_quoted = text != written;
        Self { text, is_quoted }
    }
}

/// A table or column that had another name.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Renamed {
    /// The schema before the table's name.
    pub schema: Option<Called>,
    /// The table, as it is now.
    pub table: Called,
    /// The column, as it is now; none for the table itself.
    pub column: Option<Called>,
    /// What it was.
    pub from: Called,
    /// Where the directive stands in the statement, or in the gap before it.
    pub span: Span,
}

/// A directive that says nothing: where it stands, and what is the matter.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Misplaced {
    /// It stands in the statement, and not before it.
    pub inside: bool,
    /// Where.
    pub span: Span,
    /// What belongs there.
    pub label: &'static str,
}

/// The directives for one statement and in it; `gap` is what stands before it.
///
/// # Errors
/// A directive that is not written `from=NAME`, that stands above no table and no column, or that no schema file knows:
/// one that is misspelled would drop what it wants to keep.
pub fn read(gap: &str, statement: &str, rules: &SplitRules) -> Result<Vec<Renamed>, Misplaced> {
    if !mentions(gap) && !mentions(statement) {
        return Ok(Vec::new());
    }
    let strange = |text: &str, inside: bool| {
        let stranger = if inside {
            tokens(text, rules).find(|token| is_strange(text, token))
        } else {
            comments(text, rules).find(|token| is_strange(text, token))
        };
        stranger.map_or(Ok(()), |token| {
            Err(Misplaced {
                inside,
                span: token.span.start..token.span.start + text[token.span.clone()].trim_end().len(),
                label: "is no directive of a schema file: `-- sqlrev:renamed from=NAME` is",
            })
        })
    };
    strange(gap, false)?;
    strange(statement, true)?;
    let table = created(statement);
    let mut found = Vec::new();
    let mut take = |inside: bool, span: Span, column: Option<Called>| -> Result<(), Misplaced> {
        let text = if inside { statement } else { gap };
        let wrong = |label| Misplaced {
            inside,
            span: span.clone(),
            label,
        };
        let from = old_name(&text[span.clone()]).ok_or_else(|| wrong("takes `from=NAME`"))?;
        let (schema, table) = table.clone().ok_or_else(|| wrong("stands above no CREATE TABLE"))?;
        if inside && column.is_none() {
            return Err(wrong("stands above no column"));
        }
        found.push(Renamed {
            schema,
            table,
            column,
            from,
            span: span.clone(),
        });
        Ok(())
    };
    for token in comments(gap, rules).filter(|token| is_directive(gap, token)) {
        take(false, token.span, None)?;
    }
    let all: Vec<Token> = tokens(statement, rules).collect();
    for (index, token) in all
        .iter()
        .enumerate()
        .filter(|(_, token)| is_directive(statement, token))
    {
        take(true, token.span.clone(), column_below(statement, &all, index))?;
    }
    Ok(found)
}

/// The name of the column whose definition begins behind the token at `index`.
fn column_below(statement: &str, all: &[Token], index: usize) -> Option<Called> {
    let says = |token: &&Token| !matches!(token.kind, Kind::Space | Kind::Comment);
    let depth = all[..index]
        .iter()
        .fold(0_i32, |depth, token| match &statement[token.span.clone()] {
            "(" => depth + 1,
            ")" => depth - 1,
            _ => depth,
        });
    let before = all[..index].iter().rfind(says)?;
    let next = all[index..].iter().find(says)?;
    let begins = depth == 1 && matches!(&statement[before.span.clone()], "(" | ",");
    (begins && matches!(next.kind, Kind::Word | Kind::Quoted)).then(|| Called::read(&statement[next.span.clone()]))
}

/// Whether a text may hold a directive.
fn mentions(text: &str) -> bool {
    let mark = PREFIX.as_bytes();
    text.as_bytes()
        .windows(mark.len())
        .any(|part| part.eq_ignore_ascii_case(mark))
}

/// Whether a comment means to be the directive and is none: misspelled, in capitals, or between `/*` and `*/`. Those of
/// revisions do nothing here and are left alone, since definitions keep their comments, and so is prose.
fn is_strange(text: &str, token: &Token) -> bool {
    let comment = &text[token.span.clone()];
    let Some(words) = ["--", "/*", "#"].iter().find_map(|mark| comment.strip_prefix(mark)) else {
        return false;
    };
    let words = words.trim_start_matches(['-', '*', ' ', '\t', '\n', '\r']);
    let Some((prefix, rest)) = words.split_at_checked(PREFIX.len()) else {
        return false;
    };
    let Some(rest) = rest.trim_start().strip_prefix(':') else {
        return false;
    };
    let words = rest.trim_start();
    let name: String = words.chars().take_while(|c| c.is_alphanumeric() || *c == '_').collect();
    let name = name.to_ascii_lowercase();
    let is_near = name.starts_with("renam") || crate::error::nearest(&name, ["renamed"]).is_some();
    let is_meant = is_near && (words.len() == rest.len() || words.to_ascii_lowercase().contains("from"));
    let is_written = comment.starts_with("--") && comment[2..].trim_start().starts_with(NAME) && name == "renamed";
    token.kind == Kind::Comment && prefix.eq_ignore_ascii_case(PREFIX) && is_meant && !is_written
}

fn is_directive(text: &str, token: &Token) -> bool {
    let comment = &text[token.span.clone()];
    token.kind == Kind::Comment
        && comment
            .strip_prefix("--")
            .is_some_and(|words| words.trim_start().starts_with(NAME))
}

fn old_name(directive: &str) -> Option<Called> {
    let words = directive.strip_prefix("--")?.trim_start().strip_prefix(NAME)?;
    let mut cursor = Cursor::new(words);
    if !cursor.take(&["FROM", "="]) {
        return None;
    }
    let name = Called::read(&words[cursor.name()?.span]);
    cursor.at_end().then_some(name)
}

/// The table that a statement creates.
fn created(statement: &str) -> Option<(Option<Called>, Called)> {
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
    let first = Called::read(&statement[cursor.name()?.span]);
    if cursor.take(&["."]) {
        let table = Called::read(&statement[cursor.name()?.span]);
        return Some((Some(first), table));
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
            .map(|renamed| {
                let column = renamed.column.as_ref().map(|column| column.text.as_str());
                (column, renamed.from.text.as_str())
            })
            .collect();
        assert_eq!(names, [(None, "people"), (Some("email"), "e mail")]);
        assert!(
            found
                .iter()
                .all(|renamed| renamed.table.text == "users" && renamed.table.is_quoted)
        );
    }

    #[test]
    fn a_directive_above_nothing_is_a_mistake() {
        let check = |gap: &str, statement: &str, expect: &str| {
            let wrong = read(gap, statement, &SQLITE).expect_err(statement);
            assert_eq!(wrong.label, expect, "{statement}");
        };
        let mark = "--sqlrev:renamed from=a\n";
        check(mark, "CREATE INDEX i ON t (a)", "stands above no CREATE TABLE");
        check("", &format!("CREATE TABLE t (a int\n{mark})"), "stands above no column");
        check(
            "",
            &format!("CREATE TABLE t (a int DEFAULT (\n{mark}1))"),
            "stands above no column",
        );
        check("-- sqlrev:renamed a\n", "CREATE TABLE t (a)", "takes `from=NAME`");
        let strange = "is no directive of a schema file: `-- sqlrev:renamed from=NAME` is";
        for comment in [
            "-- sqlrev:rename from=a",
            "-- sqlrev: renamed from=a",
            "-- SQLREV:renamed from=a",
            "--sqlrev :Renamed from=a",
            "/* sqlrev:renamed from=a */",
            "-- sqlrev:renamed_from=a",
            "--- sqlrev:renamed from=a",
            "-- sqlrev:remaned from=a",
        ] {
            check(&format!("{comment}\n"), "CREATE TABLE t (a)", strange);
            check("", &format!("CREATE TABLE t (\n{comment}\na int)"), strange);
        }
        for comment in [
            "-- sqlrev:allow drop",
            "-- sqlrev: see README.md",
            "-- sqlrev: renamed tables are said here",
            "-- sqlrev keeps this: yes",
            "-- see sqlrev: it",
        ] {
            assert_eq!(
                read(&format!("{comment}\n"), "CREATE TABLE t (a)", &SQLITE),
                Ok(Vec::new())
            );
        }
    }

    #[test]
    fn the_grammar_tells_the_truth() {
        let grammar = include_str!("../../../grammar/directive.ebnf");
        let (ok, no) = grammar.split_once("(* no:").expect("both kinds of examples");
        let check = |text: &'static str, right: bool| {
            let lines: Vec<&str> = text.lines().filter(|line| line.contains(NAME)).collect();
            assert!(!lines.is_empty());
            for line in lines {
                assert_eq!(read(line, "CREATE TABLE t (a)", &SQLITE).is_ok(), right, "{line}");
            }
        };
        check(ok, true);
        check(no, false);
    }
}
