//! Tokens of SQL, with their places.

use std::borrow::Cow;

use crate::source::Span;
use crate::sql::lex;
use crate::sql::split::{Flavor, SplitRules};

/// What a token is.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Kind {
    /// White space.
    Space,
    /// A comment, without the end of its line. One that MySQL runs, `/*! … */`, is none.
    Comment,
    /// A keyword or an unquoted name.
    Word,
    /// A quoted name: `"a"`, `` `a` ``, `[a]`.
    Quoted,
    /// A string or blob with its prefix: `'a'`, `x'00'`, `E'a'`, `$tag$a$tag$`.
    Text,
    /// A number, without a sign.
    Number,
    /// A parameter or variable: `?1`, `:a`, `@a`, `$1`.
    Variable,
    /// One operator or punctuation mark, or a byte that means nothing to the database.
    Symbol,
}

/// A token and its place in the text.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Token {
    /// What it is.
    pub kind: Kind,
    /// Where it stands.
    pub span: Span,
}

/// The tokens of a text, in order and without gaps. See [`tokens`].
#[derive(Debug, Clone)]
pub struct Tokens<'a> {
    bytes: &'a [u8],
    at: usize,
    flavor: Flavor,
    between: bool,
}

/// The tokens of `text`: their spans cover it without gap or overlap.
///
/// What is never closed reaches to the end of the text.
///
/// ```
/// use sqlrev::sql::{split::SQLITE, token::{tokens, Kind}};
/// let kinds: Vec<Kind> = tokens("a=1", &SQLITE).map(|token| token.kind).collect();
/// assert_eq!(kinds, [Kind::Word, Kind::Symbol, Kind::Number]);
/// ```
pub fn tokens<'a>(text: &'a str, rules: &SplitRules) -> Tokens<'a> {
    Tokens {
        bytes: text.as_bytes(),
        at: 0,
        flavor: rules.flavor,
        between: false,
    }
}

/// The comments in what stands between two statements, where MySQL's clients take more for one than within them.
pub(crate) fn comments<'a>(gap: &'a str, rules: &SplitRules) -> impl Iterator<Item = Token> + use<'a> {
    let tokens = Tokens {
        between: true,
        ..tokens(gap, rules)
    };
    tokens.filter(|token| token.kind == Kind::Comment)
}

/// The tokens of `text` that the database sees: neither white space nor comments.
pub fn significant<'a>(text: &'a str, rules: &SplitRules) -> impl Iterator<Item = Token> + use<'a> {
    tokens(text, rules).filter(|token| !matches!(token.kind, Kind::Space | Kind::Comment))
}

/// The name that a word or a quoted token stands for: without its quotes, doubled quotes undone.
///
/// SQLite also takes `'name'` for a name in many places, so single quotes are undone too. Letter case is kept.
pub fn unquoted(token: &str) -> Cow<'_, str> {
    let close = match token.bytes().next() {
        Some(quote @ (b'"' | b'`' | b'\'')) => char::from(quote),
        Some(b'[') => ']',
        _ => return Cow::Borrowed(token),
    };
    let inner = &token[1..];
    let inner = inner.strip_suffix(close).unwrap_or(inner);
    if close == ']' || !inner.contains(close) {
        return Cow::Borrowed(inner);
    }
    Cow::Owned(inner.replace(&format!("{close}{close}"), close.encode_utf8(&mut [0; 4])))
}

/// Whether these small letters stand somewhere in the text, in whatever case: a first look that makes no tokens.
pub(crate) fn holds(text: &str, letters: &[u8]) -> bool {
    let Some(first) = letters.first() else { return true };
    // Most places are told by their first byte.
    let at = |part: &[u8]| part[0] | 0x20 == *first && part.eq_ignore_ascii_case(letters);
    text.as_bytes().windows(letters.len()).any(at)
}

/// The first words of a statement in upper case, at most `most`; comments are skipped, and the first token that is
/// no word ends the list.
///
/// ```
/// use sqlrev::sql::{split::SQLITE, token::keywords};
/// assert_eq!(keywords("create /* a */ Table t(a)", &SQLITE, 2), ["CREATE", "TABLE"]);
/// ```
pub fn keywords(text: &str, rules: &SplitRules, most: usize) -> Vec<String> {
    significant(text, rules)
        .take_while(|token| token.kind == Kind::Word)
        .take(most)
        .map(|token| text[token.span].to_ascii_uppercase())
        .collect()
}

impl Iterator for Tokens<'_> {
    type Item = Token;

    fn next(&mut self) -> Option<Token> {
        let start = self.at;
        if start >= self.bytes.len() {
            return None;
        }
        let (kind, end) = if self.between && lex::line_comment_between(self.bytes, start, self.flavor) {
            let end = lex::line_comment_end(self.bytes, start, self.flavor);
            (Kind::Comment, end.unwrap_or(self.bytes.len()))
        } else {
            read(self.bytes, start, self.flavor)
        };
        self.at = end;
        Some(Token { kind, span: start..end })
    }
}

/// Kind and end of the token at `at`, which lies inside `bytes`.
pub(crate) fn read(bytes: &[u8], at: usize, flavor: Flavor) -> (Kind, usize) {
    let byte = bytes[at];
    let space = lex::space_end(bytes, at, flavor);
    if space > at {
        return (Kind::Space, space);
    }
    if lex::line_comment(bytes, at, flavor) {
        let end = lex::line_comment_end(bytes, at, flavor);
        return (Kind::Comment, end.unwrap_or(bytes.len()));
    }
    if lex::block_comment(bytes, at, flavor) {
        let end = lex::block_comment_end(bytes, at, flavor);
        return (Kind::Comment, end.unwrap_or(bytes.len()));
    }
    let number = byte.is_ascii_digit() || byte == b'.' && bytes.get(at + 1).is_some_and(u8::is_ascii_digit);
    let (kind, end) = match (flavor, byte) {
        _ if lex::is_word_start(byte) => return word(bytes, at, flavor),
        (Flavor::Mysql, b'0'..=b'9') => return mysql_digit(bytes, at),
        _ if number => (Kind::Number, Some(lex::number_end(bytes, at, flavor))),
        (Flavor::Mysql, b'\'' | b'"') => (Kind::Text, lex::escaped_end(bytes, at + 1, byte)),
        (_, b'\'') => (Kind::Text, lex::quote_end(bytes, at + 1, byte)),
        (_, b'"') | (Flavor::Sqlite | Flavor::Mysql, b'`') => (Kind::Quoted, lex::quote_end(bytes, at + 1, byte)),
        (Flavor::Sqlite, b'[') => (Kind::Quoted, lex::after(bytes, at + 1, b']')),
        _ => return mark(bytes, at, flavor),
    };
    (kind, end.unwrap_or(bytes.len()))
}

/// A token that begins like a word: a word, or a string with a prefix.
fn word(bytes: &[u8], at: usize, flavor: Flavor) -> (Kind, usize) {
    let (kind, end) = match (flavor, bytes[at] | 0x20, bytes.get(at + 1), bytes.get(at + 2)) {
        (Flavor::Sqlite, b'x', Some(b'\''), _) => (Kind::Text, lex::after(bytes, at + 2, b'\'')),
        (Flavor::Postgresql, b'e', Some(b'\''), _) => {
            let first = lex::escaped_end(bytes, at + 2, b'\'');
            let all = first.and_then(|end| lex::continued_end(bytes, end));
            (Kind::Text, all.map(|(end, _)| end))
        }
        (Flavor::Postgresql, b'b' | b'x' | b'n', Some(b'\''), _) => (Kind::Text, lex::quote_end(bytes, at + 2, b'\'')),
        (Flavor::Postgresql, b'u', Some(b'&'), Some(&quote @ (b'\'' | b'"'))) => {
            let kind = if quote == b'"' { Kind::Quoted } else { Kind::Text };
            (kind, lex::quote_end(bytes, at + 3, quote))
        }
        (Flavor::Mysql, b'b' | b'x' | b'n', Some(b'\''), _) => (Kind::Text, lex::escaped_end(bytes, at + 2, b'\'')),
        _ => (Kind::Word, Some(lex::word_end(bytes, at))),
    };
    (kind, end.unwrap_or(bytes.len()))
}

/// A number of MySQL, or a name of MySQL that begins with digits.
fn mysql_digit(bytes: &[u8], at: usize) -> (Kind, usize) {
    let word = lex::word_end(bytes, at);
    let digits = at + bytes[at..word].iter().take_while(|byte| byte.is_ascii_digit()).count();
    let number = match bytes.get(digits) {
        Some(b'e' | b'E') => {
            let end = lex::number_end(bytes, at, Flavor::Mysql);
            bytes[digits + 1..end].last().is_some_and(u8::is_ascii_digit)
        }
        Some(b'x' | b'b') if digits == at + 1 && bytes[at] == b'0' => {
            bytes[digits + 1..word].iter().all(u8::is_ascii_hexdigit)
        }
        _ => digits == word,
    };
    if number {
        (Kind::Number, lex::number_end(bytes, at, Flavor::Mysql))
    } else {
        (Kind::Word, word)
    }
}

/// A token that begins with a mark: a variable, a dollar quote or a symbol.
fn mark(bytes: &[u8], at: usize, flavor: Flavor) -> (Kind, usize) {
    let digits = |from: usize| from + bytes[from..].iter().take_while(|byte| byte.is_ascii_digit()).count();
    match (flavor, bytes[at]) {
        (Flavor::Sqlite, b'?') => (Kind::Variable, digits(at + 1)),
        (Flavor::Sqlite, b'$' | b'@' | b':' | b'#') => {
            let end = lex::sqlite_variable_end(bytes, at);
            let named = bytes[at + 1..end].iter().any(|&byte| lex::is_word(byte));
            (if named { Kind::Variable } else { Kind::Symbol }, end)
        }
        (Flavor::Postgresql, b'$') => {
            let number = digits(at + 1);
            if number > at + 1 {
                (Kind::Variable, lex::word_end(bytes, number))
            } else if let Some(body) = lex::dollar_tag(bytes, at) {
                (Kind::Text, lex::dollar_end(bytes, at, body).unwrap_or(bytes.len()))
            } else {
                (Kind::Symbol, at + 1)
            }
        }
        (Flavor::Mysql, b'$') => (Kind::Word, lex::word_end(bytes, at)),
        (Flavor::Mysql, b'?') => (Kind::Variable, at + 1),
        (Flavor::Mysql, b'@') => mysql_variable(bytes, at),
        (Flavor::Mysql, b'/') if bytes[at..].starts_with(b"/*") => {
            let end = lex::conditional_end(bytes, at);
            (Kind::Symbol, end.unwrap_or(at + 1))
        }
        _ => (Kind::Symbol, lex::symbol_end(bytes, at, flavor)),
    }
}

/// `@a`, `@@a`, `@'a'`, `` @`a` `` of MySQL.
fn mysql_variable(bytes: &[u8], at: usize) -> (Kind, usize) {
    let name = at + 1 + usize::from(bytes.get(at + 1) == Some(&b'@'));
    let end = match bytes.get(name) {
        Some(&quote @ (b'\'' | b'"')) => lex::escaped_end(bytes, name + 1, quote).unwrap_or(bytes.len()),
        Some(b'`') => lex::quote_end(bytes, name + 1, b'`').unwrap_or(bytes.len()),
        _ => lex::word_end(bytes, name),
    };
    (if end > name { Kind::Variable } else { Kind::Symbol }, end)
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;
    use crate::sql::split::{MYSQL, POSTGRESQL, SQLITE};

    /// One letter a kind, then the token: `w:SELECT n:1`.
    fn check(rules: SplitRules, text: &str, expect: &str) {
        let found: Vec<String> = significant(text, &rules)
            .map(|token| {
                let letter = match token.kind {
                    Kind::Space | Kind::Comment => ' ',
                    Kind::Word => 'w',
                    Kind::Quoted => 'q',
                    Kind::Text => 't',
                    Kind::Number => 'n',
                    Kind::Variable => 'v',
                    Kind::Symbol => 's',
                };
                format!("{letter}:{}", &text[token.span])
            })
            .collect();
        assert_eq!(found.join(" "), expect, "{text}");
    }

    #[test]
    fn sqlite() {
        check(SQLITE, "a$1 Ünïcode _x", "w:a$1 w:Ünïcode w:_x");
        check(SQLITE, "[a]]\"b\"\"c\"`d`", "q:[a] s:] q:\"b\"\"c\" q:`d`");
        check(SQLITE, "x'00'X'a y'b'", "t:x'00' t:X'a y' w:b t:'");
        check(SQLITE, "x'a''b'", "t:x'a' t:'b'");
        check(
            SQLITE,
            "0x1F 1_000 1.5e-3 .5 1e 1.e5",
            "n:0x1F n:1_000 n:1.5e-3 n:.5 n:1e n:1.e5",
        );
        check(SQLITE, "?1 :a @a #a $a::b(c d", "v:?1 v::a v:@a v:#a v:$a::b(c w:d");
        check(
            SQLITE,
            "a->>b->c||d<>e- -1",
            "w:a s:->> w:b s:-> w:c s:|| w:d s:<> w:e s:- s:- n:1",
        );
        check(SQLITE, "1--2\n3/*/**/4/* 5", "n:1 n:3 n:4");
        check(SQLITE, "1/*", "n:1 s:/ s:*");
        check(SQLITE, "1 \u{b}2\u{b}\u{feff}3", "n:1 n:2 s:\u{b} n:3");
        check(SQLITE, "'a\\'b'", "t:'a\\' w:b t:'");
    }

    #[test]
    fn postgresql() {
        check(
            POSTGRESQL,
            "E'a\\'b' 'c\\' U&\"d\" u&'e'",
            "t:E'a\\'b' t:'c\\' q:U&\"d\" t:u&'e'",
        );
        check(POSTGRESQL, "E'a' -- c\n '\\'b' 'c'", "t:E'a' -- c\n '\\'b' t:'c'");
        check(
            POSTGRESQL,
            "$$a$b$$ $t$ $$ $t$ a$$b $1",
            "t:$$a$b$$ t:$t$ $$ $t$ w:a$$b v:$1",
        );
        check(POSTGRESQL, "a/*b/*c*/d*/e", "w:a w:e");
        check(
            POSTGRESQL,
            "a<=-1 @-1 a*-1 b::int 1..2 =>",
            "w:a s:<= s:- n:1 s:@- n:1 w:a s:* s:- n:1 w:b s::: w:int n:1 s:.. n:2 s:=>",
        );
        check(POSTGRESQL, "a[1] <|(-", "w:a s:[ n:1 s:] s:<| s:( s:-");
        check(POSTGRESQL, "a+--b", "w:a s:+");
    }

    #[test]
    fn mysql() {
        check(MYSQL, "'a\\'b' \"c\\\"''d\" `e\\`", "t:'a\\'b' t:\"c\\\"''d\" q:`e\\`");
        check(MYSQL, "1--2 # a\n-- b\n--\tc\n3", "n:1 s:- s:- n:2 n:3");
        check(
            MYSQL,
            "/*!40101 SET */ /*M!100 a */ /*+ b */ c",
            "s:/*!40101 w:SET s:*/ s:/*M!100 w:a s:*/ w:c",
        );
        check(
            MYSQL,
            "@a @@b.c 'u'@'h' @`q` 1a 1e5 0xF",
            "v:@a v:@@b s:. w:c t:'u' v:@'h' v:@`q` w:1a n:1e5 n:0xF",
        );
        check(MYSQL, "a<=>b:=1", "w:a s:<=> w:b s::= n:1");
    }

    #[test]
    fn names_are_unquoted() {
        for (token, name) in [
            ("a", "a"),
            ("\"a\"\"b\"", "a\"b"),
            ("`a``b`", "a`b"),
            ("'it''s'", "it's"),
            ("[a b]", "a b"),
            ("\"", ""),
            ("\"\"\"\"", "\""),
        ] {
            assert_eq!(unquoted(token), name);
        }
    }

    #[test]
    fn keywords_stop_at_what_is_no_word() {
        assert_eq!(keywords("-- a\nalter TABLE \"t\" add", &SQLITE, 9), ["ALTER", "TABLE"]);
        assert!(keywords("(select 1)", &SQLITE, 1).is_empty());
    }

    proptest! {
        #[test]
        fn spans_cover_any_text(text in "([ a-z'\"`\\[\\]$@:#?.0-9eExX/*+<>=|(),;!&\u{feff}é\\\\\n\r\u{b}-]|/\\*|--|\\$\\$){0,40}") {
            for rules in [SQLITE, POSTGRESQL, MYSQL] {
                let mut at = 0;
                for token in tokens(&text, &rules) {
                    prop_assert_eq!(token.span.start, at);
                    prop_assert!(token.span.end > at && text.get(token.span.clone()).is_some());
                    at = token.span.end;
                }
                prop_assert_eq!(at, text.len());
            }
        }
    }
}
