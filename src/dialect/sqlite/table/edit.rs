//! Edits of a stored definition: each touches its own place and nothing else.

use crate::dialect::sqlite::table::{Part, Table};
use crate::source::Span;
use crate::sql::parse::define::ClauseKind;
use crate::sql::split::SQLITE;
use crate::sql::token::{Kind, significant, tokens};

impl Table {
    /// Adds STRICT or WITHOUT ROWID behind the other options of the table.
    pub(in crate::dialect::sqlite) fn add_option(&mut self, option: &str) -> Result<(), String> {
        let tail = &self.text[self.close + 1..];
        let last = significant(tail, &SQLITE).last();
        let at = self.close + 1 + last.as_ref().map_or(0, |token| token.span.end);
        let separator = if last.is_some() { ", " } else { " " };
        self.edit(&(at..at), &format!("{separator}{option}"))?;
        self.end_with_its_words()
    }

    /// Takes the option that ends with this word out, with the comma that goes with it.
    pub(in crate::dialect::sqlite) fn remove_option(&mut self, word: &str) -> Result<(), String> {
        let start = self.close + 1;
        let tail = &self.text[start..];
        let tokens: Vec<_> = significant(tail, &SQLITE).collect();
        let is = |at: usize, word: &str| {
            tokens
                .get(at)
                .is_some_and(|token| tail[token.span.clone()].eq_ignore_ascii_case(word))
        };
        let Some(last) = (0..tokens.len()).find(|&at| is(at, word)) else {
            return Err(self.text.clone());
        };
        let first = if last > 0 && is(last - 1, "WITHOUT") {
            last - 1
        } else {
            last
        };
        let (from, to) = if first > 0 && is(first - 1, ",") {
            (tokens[first - 1].span.start, tokens[last].span.end)
        } else if is(last + 1, ",") {
            let next = tokens
                .get(last + 2)
                .map_or(tokens[last + 1].span.end, |token| token.span.start);
            (tokens[first].span.start, next)
        } else {
            (tail[..tokens[first].span.start].trim_end().len(), tokens[last].span.end)
        };
        self.edit(&(start + from..start + to), "")?;
        self.end_with_its_words()
    }

    /// SQLite stores a definition up to its last word: comments behind that are none of it.
    fn end_with_its_words(&mut self) -> Result<(), String> {
        let end = significant(&self.text, &SQLITE)
            .last()
            .map_or(0, |token| token.span.end);
        self.edit(&(end..self.text.len()), "")
    }

    /// Adds a column behind the last one, with the very bytes that SQLite's own ADD COLUMN stores.
    pub(in crate::dialect::sqlite) fn append_column(&mut self, definition: &str) -> Result<(), String> {
        let constraint = self
            .elements
            .iter()
            .find(|element| matches!(element.part, Part::Constraint(_)));
        let at = constraint.and_then(|element| element.comma).unwrap_or(self.close);
        self.edit(&(at..at), &format!(", {definition}"))
    }

    /// Adds a column before the one at `index`, counted among the columns.
    pub(in crate::dialect::sqlite) fn insert_column(&mut self, index: usize, definition: &str) -> Result<(), String> {
        let before = self.columns().nth(index).map(|column| column.span.start);
        match before {
            Some(at) => self.edit(&(at..at), &format!("{definition}, ")),
            None => self.append_column(definition),
        }
    }

    /// Puts the columns in another order: `order` has the place now of each column to come.
    pub(in crate::dialect::sqlite) fn reorder_columns(&mut self, order: &[usize]) -> Result<(), String> {
        let spans: Vec<Span> = self.columns().map(|column| column.span.clone()).collect();
        let mut text = String::new();
        let mut end = 0;
        for (span, from) in spans.iter().zip(order) {
            text.push_str(&self.text[end..span.start]);
            text.push_str(spans.get(*from).map_or("", |from| self.at(from)));
            end = span.end;
        }
        text.push_str(&self.text[end..]);
        self.edit(&(0..self.text.len()), &text)
    }

    /// Adds a constraint behind everything else, in the layout of what is there.
    pub(in crate::dialect::sqlite) fn append_constraint(&mut self, definition: &str) -> Result<(), String> {
        let Some(last) = self.elements.last() else {
            return Err(self.text.clone());
        };
        let end = last.span.end;
        let before = &self.text[..last.span.start];
        let indent = &before[before.trim_end_matches([' ', '\t']).len()..];
        let own_line = before.trim_end_matches([' ', '\t']).ends_with('\n');
        let tail = self.text[end..self.close].trim_end();
        let line_comment = tokens(tail, &SQLITE)
            .last()
            .is_some_and(|token| tail[token.span.clone()].starts_with("--"));
        let separator = if own_line || line_comment {
            format!("\n{indent}")
        } else {
            " ".to_owned()
        };
        let words = format!(",{tail}{separator}{definition}");
        let tail_end = end + tail.len();
        self.edit(&(end..tail_end), &words)
    }

    /// Takes an element out, found by its place, together with its comma and the comment on its own line. A comment behind
    /// a line with several elements may speak of those that stay, and stays.
    pub(in crate::dialect::sqlite) fn remove_element(&mut self, span: &Span) -> Result<(), String> {
        let Some(index) = self.elements.iter().position(|element| element.span == *span) else {
            return Err(self.text.clone());
        };
        let before = index.checked_sub(1).map(|before| self.elements[before].span.end);
        let shares = before.is_some_and(|before| !self.text[before..span.start].contains('\n'));
        // Where the comma begins the next line, the comment stands before it.
        let leads = |comma: usize| shares && self.text[span.end..comma].contains('\n');
        let next = self.elements.get(index + 1);
        if let Some(next) = next.filter(|next| !next.comma.is_some_and(leads)) {
            let comma = next.comma.map_or(span.end, |comma| comma + 1);
            let before = self.text[..span.start].trim_end_matches([' ', '\t']);
            if !before.ends_with('\n') && self.text[comma..next.span.start].contains('\n') {
                // What begins a line goes on doing so.
                let end = if shares {
                    comma
                } else {
                    self.end_of_comments(comma, next.span.start)
                };
                return self.edit(&(before.len()..end), "");
            }
            let end = self.comments_of_line(comma, next.span.start);
            return self.edit(&(span.start..end), "");
        }
        let start = self.elements[index].comma.unwrap_or(span.start);
        let between = &self.text[(start + 1).min(span.start)..span.start];
        let kept = if between.trim().is_empty() {
            ""
        } else {
            between.trim_end()
        };
        let end = if shares {
            span.end
        } else {
            self.end_of_comments(span.end, self.close)
        };
        // A carriage return alone ends no comment.
        let ends = ["\n", "\r\n"]
            .iter()
            .any(|end_of_line| self.text[end..].starts_with(end_of_line));
        let newline = kept.contains("--") && !ends;
        let words = format!("{kept}{}", if newline { "\n" } else { "" });
        self.edit(&(start..end), &words)
    }

    /// The end of the comments that follow `from` on its line, or `from`.
    fn end_of_comments(&self, from: usize, limit: usize) -> usize {
        let gap = &self.text[from..limit];
        let mut end = from;
        for token in tokens(gap, &SQLITE) {
            let words = &gap[token.span.clone()];
            if token.kind == Kind::Comment {
                end = from + token.span.start + words.trim_end().len();
            }
            if words.contains('\n') {
                break;
            }
        }
        end
    }

    /// The place, at or after `from`, where what belongs to the next element begins: a comment on a line of its
    /// own or on that of the next element, or `limit`.
    fn comments_of_line(&self, from: usize, limit: usize) -> usize {
        let gap = &self.text[from..limit];
        let mut fresh_line = !gap.contains('\n');
        for token in tokens(gap, &SQLITE) {
            let words = &gap[token.span.clone()];
            if token.kind == Kind::Comment && fresh_line {
                return from + token.span.start;
            }
            fresh_line |= words.contains('\n');
        }
        limit
    }

    /// Takes a clause of a column out, with the white space before it.
    pub(in crate::dialect::sqlite) fn remove_clause(&mut self, span: &Span) -> Result<(), String> {
        let start = self.text[..span.start].trim_end().len();
        // A line comment reaches to the end of its line, which has to stay.
        let line = self.text[..start].rfind('\n').map_or(0, |at| at + 1);
        let start = if self.text[line..start].contains("--") {
            span.start
        } else {
            start
        };
        self.edit(&(start..span.end), "")
    }

    /// Adds a clause to a column, right behind its type and the clauses that `after` accepts.
    pub(in crate::dialect::sqlite) fn insert_clause(
        &mut self,
        column: &str,
        clause: &str,
        after: fn(&ClauseKind) -> bool,
    ) -> Result<(), String> {
        let Some(column) = self.column(column) else {
            return Err(self.text.clone());
        };
        let start = column.data_type.as_ref().unwrap_or(&column.name.span).end;
        let at = column
            .clauses
            .iter()
            .take_while(|clause| clause.name.is_none() && after(&clause.kind))
            .last()
            .map_or(start, |clause| clause.span.end);
        self.edit(&(at..at), &format!(" {clause}"))
    }
}
