//! Expressions of an ALTER in words that SQLite knows: `x::type` becomes CAST, `now()` becomes `CURRENT_TIMESTAMP`.

use crate::dialect::sqlite::types::{self, Affinity};
use crate::source::Span;
use crate::sql::parse::cursor::Cursor;
use crate::sql::parse::define::is_reserved;
use crate::sql::split::{POSTGRESQL, SQLITE};
use crate::sql::token::{Kind, Token, significant, unquoted};

/// Words that may stand before a parenthesis without being the name of a function.
const OPERATORS: &[&str] = &[
    "AND", "OR", "NOT", "IN", "IS", "LIKE", "GLOB", "BETWEEN", "WHEN", "THEN", "ELSE", "CASE", "SELECT", "WHERE",
];

/// The expression as SQLite takes it; one that needs no change keeps its bytes.
pub(super) fn written(text: &str) -> String {
    let mut text = text.to_owned();
    while let Some((span, words)) = next_cast(&text).or_else(|| next_now(&text)) {
        text.replace_range(span, &words);
    }
    text
}

/// The column of an expression that is nothing but its conversion to a number: `a::int` or `CAST(a AS NUMERIC)`.
pub(super) fn number_cast(text: &str) -> Option<String> {
    let text = written(text);
    let mut cursor = Cursor::new(&text);
    while cursor.take(&["("]) {}
    if !cursor.take(&["CAST", "("]) {
        return None;
    }
    let column = cursor.name()?;
    if !cursor.take(&["AS"]) {
        return None;
    }
    let start = cursor.here().start;
    while !cursor.at_end() && !cursor.sees(&[")"]) {
        cursor.skip();
    }
    let affinity = Affinity::of(&text[start..cursor.here().start]);
    while cursor.take(&[")"]) {}
    let number = matches!(affinity, Affinity::Integer | Affinity::Real | Affinity::Numeric);
    (cursor.at_end() && number).then_some(column.text)
}

/// The value of a DEFAULT as SQLite takes it: what is more than a literal stands in parentheses.
pub(super) fn default(text: &str) -> String {
    let text = written(text);
    let tokens: Vec<Token> = significant(&text, &SQLITE).collect();
    let word = |token: &Token| text[token.span.clone()].to_ascii_uppercase();
    let literal = |token: &Token| matches!(token.kind, Kind::Text | Kind::Number | Kind::Word | Kind::Quoted);
    let simple = match &tokens[..] {
        [one] => literal(one),
        [sign, number] => number.kind == Kind::Number && ["-", "+"].contains(&word(sign).as_str()),
        [open, .., _] => word(open) == "(" && closes_at_end(&text, &tokens),
        [] => true,
    };
    if simple { text } else { format!("({text})") }
}

fn closes_at_end(text: &str, tokens: &[Token]) -> bool {
    let mut depth = 0_i32;
    for (index, token) in tokens.iter().enumerate() {
        match &text[token.span.clone()] {
            "(" => depth += 1,
            ")" => depth -= 1,
            _ => {}
        }
        if depth == 0 {
            return index + 1 == tokens.len();
        }
    }
    false
}

/// Words that are operators or orders behind a value, and may be the names of columns elsewhere.
const BEHIND_A_VALUE: &[&str] = &[
    "ASC", "DESC", "END", "LIKE", "GLOB", "MATCH", "REGEXP", "FIRST", "LAST", "OVER", "FILTER",
];

/// Whether the word at `index` can only be read as a keyword or as the name of a type or collation there.
fn is_keyword_there(text: &str, tokens: &[Token], index: usize) -> bool {
    let Some(before) = index.checked_sub(1).map(|before| &tokens[before]) else {
        return false;
    };
    let words = text[before.span.clone()].to_ascii_uppercase();
    if ["AS", "COLLATE"].contains(&words.as_str()) {
        return true;
    }
    let word = text[tokens[index].span.clone()].to_ascii_uppercase();
    let value = match before.kind {
        Kind::Word => !OPERATORS.contains(&words.as_str()),
        Kind::Symbol => words == ")",
        _ => true,
    };
    value && BEHIND_A_VALUE.contains(&word.as_str())
}

/// The names in double quotes in an expression that stand where a column may. SQLite takes one that is no column for
/// a string.
pub(super) fn quoted_names(text: &str) -> Vec<(Span, String)> {
    let tokens: Vec<Token> = significant(text, &SQLITE).collect();
    let near = |index: Option<usize>, words: &[&str]| {
        let token = index.and_then(|index| tokens.get(index));
        token.is_some_and(|token| words.contains(&text[token.span.clone()].to_ascii_uppercase().as_str()))
    };
    let mut names = Vec::new();
    for (index, token) in tokens.iter().enumerate() {
        let words = &text[token.span.clone()];
        let other = near(index.checked_sub(1), &[".", "AS", "COLLATE"]) || near(Some(index + 1), &[".", "("]);
        if token.kind == Kind::Quoted && words.starts_with('"') && !other {
            names.push((token.span.clone(), unquoted(words).into_owned()));
        }
    }
    names
}

/// Whether the expression uses the column: as a name, not as a function or as a string.
pub(super) fn mentions(text: &str, column: &str) -> bool {
    !mentioned(text, &[column]).is_empty()
}

/// The columns among these that the expression uses.
pub(super) fn mentioned<'c>(text: &str, columns: &[&'c str]) -> Vec<&'c str> {
    let tokens: Vec<Token> = significant(text, &SQLITE).collect();
    let used = columns.iter().filter(|column| is_mentioned(text, &tokens, column));
    used.copied().collect()
}

fn is_mentioned(text: &str, tokens: &[Token], column: &str) -> bool {
    tokens.iter().enumerate().any(|(index, token)| {
        let name = matches!(token.kind, Kind::Word | Kind::Quoted)
            && unquoted(&text[token.span.clone()]).eq_ignore_ascii_case(column);
        let function = tokens
            .get(index + 1)
            .is_some_and(|next| &text[next.span.clone()] == "(");
        let keyword = || is_reserved(column) || is_keyword_there(text, tokens, index);
        name && !(token.kind == Kind::Word && (function || keyword()))
    })
}

/// Whether the expression asks other rows.
pub(super) fn has_subquery(text: &str) -> bool {
    significant(text, &SQLITE).any(|token| token.kind == Kind::Word && text[token.span].eq_ignore_ascii_case("SELECT"))
}

/// Whether the expression names its own table before a column: `t.a`. SQLite takes a text for a name there.
pub(super) fn mentions_table(text: &str, table: &str) -> bool {
    let tokens: Vec<Token> = significant(text, &SQLITE).collect();
    tokens.windows(2).any(|pair| {
        matches!(pair[0].kind, Kind::Word | Kind::Quoted | Kind::Text)
            && unquoted(&text[pair[0].span.clone()]).eq_ignore_ascii_case(table)
            && &text[pair[1].span.clone()] == "."
    })
}

fn next_now(text: &str) -> Option<(Span, String)> {
    let tokens: Vec<Token> = significant(text, &SQLITE).collect();
    let words = |token: &Token| text[token.span.clone()].to_ascii_lowercase();
    tokens.windows(3).find_map(|three| {
        let name = words(&three[0]);
        let now = matches!(
            name.as_str(),
            "now" | "current_timestamp" | "current_date" | "current_time"
        );
        let call = now && words(&three[1]) == "(" && words(&three[2]) == ")";
        let keyword = if name == "now" {
            "CURRENT_TIMESTAMP".to_owned()
        } else {
            name.to_ascii_uppercase()
        };
        call.then(|| (three[0].span.start..three[2].span.end, keyword))
    })
}

/// The first `operand::type`, and the CAST that stands for it.
fn next_cast(text: &str) -> Option<(Span, String)> {
    let tokens: Vec<Token> = significant(text, &POSTGRESQL).collect();
    let is = |index: usize, words: &str| {
        tokens
            .get(index)
            .is_some_and(|token| &text[token.span.clone()] == words)
    };
    let at = (1..tokens.len()).find(|&index| is(index, "::"))?;
    let start = operand(text, &tokens, at)?;
    let mut end = at + 1;
    let mut words = Vec::new();
    while tokens.get(end).is_some_and(|token| token.kind == Kind::Word) {
        let word = &text[tokens[end].span.clone()];
        let goes_on = words.is_empty()
            || ["precision", "varying", "with", "without", "time", "zone"]
                .contains(&word.to_ascii_lowercase().as_str());
        if !goes_on {
            break;
        }
        words.push(word);
        end += 1;
    }
    if words.is_empty() {
        return None;
    }
    if is(end, "(") {
        while tokens.get(end).is_some_and(|token| &text[token.span.clone()] != ")") {
            end += 1;
        }
        end += 1;
    }
    while is(end, "[") && is(end + 1, "]") {
        end += 2;
    }
    let last = tokens.get(end - 1)?;
    let data_type = &text[tokens[at + 1].span.start..last.span.end];
    let value = &text[tokens[start].span.start..tokens[at - 1].span.end];
    let written = types::written(data_type, false);
    let literal = at - start == 1 && tokens[start].kind == Kind::Text && Affinity::of(&written) == Affinity::Text;
    let words = if literal {
        value.to_owned()
    } else {
        format!("CAST({value} AS {written})")
    };
    Some((tokens[start].span.start..last.span.end, words))
}

/// Where the operand that ends before the token `at` begins.
fn operand(text: &str, tokens: &[Token], at: usize) -> Option<usize> {
    let word = |index: usize| &text[tokens[index].span.clone()];
    let mut start = at.checked_sub(1)?;
    if word(start) == ")" {
        let mut depth = 1;
        while depth > 0 {
            start = start.checked_sub(1)?;
            match word(start) {
                ")" => depth += 1,
                "(" => depth -= 1,
                _ => {}
            }
        }
        let function = start > 0
            && tokens[start - 1].kind == Kind::Word
            && !OPERATORS.contains(&word(start - 1).to_ascii_uppercase().as_str());
        if !function {
            return Some(start);
        }
        start -= 1;
    }
    while start >= 2 && word(start - 1) == "." {
        start -= 2;
    }
    Some(start)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn casts_are_spelled_out() {
        let check = |text: &str, expect: &str| assert_eq!(written(text), expect);
        check("a::integer", "CAST(a AS integer)");
        check(
            "replace(t.p, ' USD', '')::numeric(10, 2) + 1",
            "CAST(replace(t.p, ' USD', '') AS numeric(10, 2)) + 1",
        );
        check("(a + b)::double precision", "CAST((a + b) AS double precision)");
        check("'{}'::jsonb", "'{}'");
        check("a::text::int", "CAST(CAST(a AS text) AS int)");
        check("a = ':: not a cast'", "a = ':: not a cast'");
        check("coalesce(a, now())", "coalesce(a, CURRENT_TIMESTAMP)");
    }

    #[test]
    fn defaults_are_put_in_parentheses() {
        let check = |text: &str, expect: &str| assert_eq!(default(text), expect);
        check("-1", "-1");
        check("'x'::character varying", "'x'");
        check("upper('q')", "(upper('q'))");
        check("(1) + (2)", "((1) + (2))");
        check("(1 + 2)", "(1 + 2)");
        check("now()", "CURRENT_TIMESTAMP");
    }

    #[test]
    fn names_are_told_from_strings_and_functions() {
        assert!(mentions("kind <> 'b' AND \"B\" > 1", "b"));
        assert!(!mentions("kind <> 'b'", "b"));
        assert!(!mentions("b(kind)", "b"));
        assert!(!mentions("(a DESC, lower(b) desc)", "desc"));
        assert!(mentions("(a, desc)", "desc"));
        assert!(!mentions("CAST(a AS text) > 'x'", "text"));
        assert!(!mentions("a COLLATE nocase", "nocase"));
        assert!(!mentions("(a) WHERE b IS NULL AND c", "where"));
        assert!(!mentions("CASE WHEN a THEN 1 END", "when"));
        assert!(mentions("(a) WHERE [where] IS NULL", "where"));
        assert!(mentions_table("t.a > 0", "T"));
        assert!(mentions_table("'t' . a > 0", "t"));
        assert!(!mentions_table("a > 0", "t"));
    }
}
