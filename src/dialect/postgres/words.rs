//! Statements that speak of indexes, word by word, and their names as queries of the catalogs have them.

use crate::sql::split;
use crate::sql::token::{self, Kind, Token};
use crate::sql::write;

/// The words of a statement, by their number.
pub(super) struct Words<'s> {
    statement: &'s str,
    tokens: Vec<Token>,
}

impl<'s> Words<'s> {
    pub(super) fn of(statement: &'s str) -> Self {
        let tokens = token::significant(statement, &split::POSTGRESQL).collect();
        Self { statement, tokens }
    }

    fn text(&self, at: usize) -> &'s str {
        let token = self.tokens.get(at);
        token.map_or("", |token| &self.statement[token.span.clone()])
    }

    pub(super) fn is(&self, at: usize, word: &str) -> bool {
        let is_word = self.tokens.get(at).is_some_and(|token| token.kind == Kind::Word);
        is_word && self.text(at).eq_ignore_ascii_case(word)
    }

    pub(super) fn count(&self) -> usize {
        self.tokens.len()
    }

    pub(super) fn find(&self, word: &str) -> Option<usize> {
        (0..self.count()).find(|&at| self.is(at, word))
    }

    /// Whether no name is written with `U&`, which the catalogs do not read.
    pub(super) fn are_plain(&self) -> bool {
        let begins = |at| {
            self.text(at)
                .get(..2)
                .is_some_and(|first: &str| first.eq_ignore_ascii_case("u&"))
        };
        !(0..self.count()).any(|at| begins(at) || self.text(at) == "&")
    }

    /// Whether the name has a schema before it.
    pub(super) fn has_schema(&self, at: usize) -> bool {
        self.text(at + 1) == "."
    }

    pub(super) fn have(&self, word: &str) -> bool {
        self.find(word).is_some()
    }

    /// A name as PostgreSQL reads it, as a literal.
    pub(super) fn name(&self, at: usize) -> String {
        let word = self.text(at);
        let name = match self.tokens.get(at).map(|token| token.kind) {
            Some(Kind::Quoted) => token::unquoted(word).into_owned(),
            _ => word.to_ascii_lowercase(),
        };
        format!("{}::pg_catalog.name", write::postgres_literal(&name))
    }

    /// The table or index of a name that may have a schema, found as the statement finds it.
    pub(super) fn relation(&self, at: usize) -> String {
        let mut name = self.text(at).to_owned();
        let mut dot = at + 1;
        while self.text(dot) == "." {
            name.push('.');
            name.push_str(self.text(dot + 1));
            dot += 2;
        }
        format!("pg_catalog.to_regclass({})", write::postgres_literal(&name))
    }
}
