//! A reader's place among the tokens of one statement.

use crate::source::Span;
use crate::sql::split::SQLITE;
use crate::sql::token::{Kind, Token, significant, unquoted};

/// A name, without its quotes, and where it stands.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Name {
    /// The name itself.
    pub text: String,
    /// The words as written, quotes included.
    pub span: Span,
}

impl Name {
    /// Whether this is the same name, as SQLite compares names: capital letters of ASCII aside.
    pub fn is(&self, other: &str) -> bool {
        self.text.eq_ignore_ascii_case(other)
    }
}

/// A place among the tokens that carry meaning (comments and white space are passed over).
#[derive(Debug)]
pub struct Cursor<'a> {
    text: &'a str,
    tokens: Vec<Token>,
    next: usize,
    /// The text is a definition that SQLite has stored, in which words of other databases have no meaning.
    pub stored: bool,
}

impl<'a> Cursor<'a> {
    /// At the beginning of a text, which is read by SQLite's rules.
    pub fn new(text: &'a str) -> Self {
        Self {
            text,
            tokens: significant(text, &SQLITE).collect(),
            next: 0,
            stored: false,
        }
    }

    /// At the beginning of a definition that SQLite has stored.
    pub fn stored(text: &'a str) -> Self {
        Self {
            stored: true,
            ..Self::new(text)
        }
    }

    /// The index of the next token, to come back to or to measure from.
    pub fn position(&self) -> usize {
        self.next
    }

    /// Goes back to a position.
    pub fn rewind(&mut self, position: usize) {
        self.next = position;
    }

    /// Whether everything was read.
    pub fn at_end(&self) -> bool {
        self.next >= self.tokens.len()
    }

    /// The next token.
    pub fn peek(&self) -> Option<&Token> {
        self.tokens.get(self.next)
    }

    /// The text of the token that is `ahead` tokens after the next one; empty at the end.
    pub fn word(&self, ahead: usize) -> &'a str {
        self.tokens
            .get(self.next + ahead)
            .map_or("", |token| &self.text[token.span.clone()])
    }

    /// Whether the next tokens are these words or symbols, capital letters aside; quoted names never are.
    pub fn sees(&self, words: &[&str]) -> bool {
        words.iter().enumerate().all(|(ahead, word)| {
            let plain = self
                .tokens
                .get(self.next + ahead)
                .is_some_and(|token| matches!(token.kind, Kind::Word | Kind::Symbol));
            plain && self.word(ahead).eq_ignore_ascii_case(word)
        })
    }

    /// Whether the next token is one of these words.
    pub fn sees_any(&self, words: &[&str]) -> bool {
        let token = self
            .peek()
            .filter(|token| matches!(token.kind, Kind::Word | Kind::Symbol));
        token.is_some_and(|token| {
            let text = &self.text[token.span.clone()];
            words.iter().any(|word| text.eq_ignore_ascii_case(word))
        })
    }

    /// Reads these words if they are next.
    pub fn take(&mut self, words: &[&str]) -> bool {
        let seen = self.sees(words);
        if seen {
            self.next += words.len();
        }
        seen
    }

    /// Steps over one token; an opening parenthesis takes everything up to its closing one along.
    pub fn skip(&mut self) {
        if self.sees(&["("]) {
            self.group();
        } else if !self.at_end() {
            self.next += 1;
        }
    }

    /// Reads a name.
    pub fn name(&mut self) -> Option<Name> {
        let token = self.peek()?;
        let words = &self.text[token.span.clone()];
        let string = token.kind == Kind::Text && words.starts_with('\'');
        if !string && !matches!(token.kind, Kind::Word | Kind::Quoted) {
            return None;
        }
        let name = Name {
            text: unquoted(words).into_owned(),
            span: token.span.clone(),
        };
        self.next += 1;
        Some(name)
    }

    /// Reads a group in parentheses, nested ones included, and gives the span between the outer two.
    /// A group that is never closed reaches to the end.
    pub fn group(&mut self) -> Option<Span> {
        if !self.sees(&["("]) {
            return None;
        }
        let start = self.tokens[self.next].span.end;
        let mut depth = 0_usize;
        while let Some(token) = self.tokens.get(self.next) {
            self.next += 1;
            match &self.text[token.span.clone()] {
                "(" => depth += 1,
                ")" => depth -= 1,
                _ => {}
            }
            if depth == 0 {
                return Some(start..token.span.start);
            }
        }
        Some(start..self.text.len())
    }

    /// From the first byte of the token at `position` to the last byte that was read.
    pub fn since(&self, position: usize) -> Span {
        let start = self
            .tokens
            .get(position)
            .map_or(self.text.len(), |token| token.span.start);
        let end = match self.next.checked_sub(1).and_then(|last| self.tokens.get(last)) {
            Some(token) if self.next > position => token.span.end,
            _ => start,
        };
        start..end
    }

    /// The place of the next token, or the end of the text.
    pub fn here(&self) -> Span {
        let end = self.text.len();
        self.peek().map_or(end..end, |token| token.span.clone())
    }
}
