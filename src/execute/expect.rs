//! `test.sql` beside a revision: rows that are there before, and what queries find after the upgrade and after the
//! downgrade (`grammar/test.ebnf`).

use crate::code::Code;
use crate::dialect::{Dialect, Rows};
use crate::error::{Error, Result};
use crate::execute::opened;
use crate::source::{SourceFile, Span};
use crate::sql::split::{Piece, SplitRules, Statements};
use crate::sql::token::{self, Kind};

/// How a part begins.
const MARK: &str = "-- sqlrev:";

/// How an expected row begins.
const ROW: &str = "-- >";

/// What a file says of one revision.
#[derive(Debug, Clone)]
pub(super) struct Expected {
    pub file: SourceFile,
    /// What runs before the upgrade.
    pub before: Vec<Span>,
    /// What holds after it.
    pub after_upgrade: Vec<Query>,
    /// What holds after the downgrade; none when nothing is said of it.
    pub after_downgrade: Option<Vec<Query>>,
}

/// A query and its rows, a line each.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) struct Query {
    pub sql: Span,
    pub rows: Vec<String>,
}

/// The parts of a file.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Part {
    Before,
    AfterUpgrade,
    AfterDowngrade,
}

impl Part {
    fn named(words: &str) -> Option<Self> {
        match words.split_whitespace().collect::<Vec<_>>()[..] {
            ["before"] => Some(Part::Before),
            ["after", "upgrade"] => Some(Part::AfterUpgrade),
            ["after", "downgrade"] => Some(Part::AfterDowngrade),
            _ => None,
        }
    }
}

fn is_row(text: &str, token: &token::Token) -> bool {
    token.kind == Kind::Comment && text[token.span.clone()].starts_with(ROW)
}

impl Expected {
    /// Reads a file.
    ///
    /// # Errors
    /// `script::…` where it does not split, `script::directive` for a part that there is not, `script::transaction` for
    /// one that begins or ends in it.
    pub(super) fn read(file: &SourceFile, dialect: &'static dyn Dialect) -> Result<Self> {
        let rules = dialect.rules();
        let mut expected = Self {
            file: file.clone(),
            before: Vec::new(),
            after_upgrade: Vec::new(),
            after_downgrade: None,
        };
        let mut part = Part::Before;
        let mut statements = Statements::of_text(&file.text, rules);
        while let Some(piece) = statements.next().map_err(|fault| fault.error(&file.name))? {
            let Piece::Statement(statement) = piece else { continue };
            let start = usize::try_from(statement.offset).unwrap_or(usize::MAX);
            let gap = statement.gap_before;
            expected.comments(gap, start - gap.len(), rules, &mut part)?;
            // Behind a query without a semicolon stand its rows, as behind one that has it.
            let says = |token: &token::Token| !matches!(token.kind, Kind::Space | Kind::Comment);
            let last = token::tokens(statement.text, rules).filter(says).last();
            let length = last.map_or(statement.text.len(), |token| token.span.end);
            let (text, rest) = statement.text.split_at(length);
            if let Some(row) = token::tokens(text, rules).find(|token| is_row(text, token)) {
                return Err(Error::new(
                    Code::ScriptDirective,
                    format!("`{}` expects a row within a query", file.name),
                )
                .at(
                    file,
                    start + row.span.start..start + row.span.end,
                    "the query goes on behind it",
                )
                .help("rows stand below their query, behind its semicolon"));
            }
            let span = start..start + length;
            if let Some(length) = opened::controls_transaction(statement.text, dialect) {
                let message = format!("`{}` controls a transaction", file.name);
                return Err(Error::new(Code::ScriptTransaction, message)
                    .at(file, start..start + length, "each of its statements stands alone")
                    .help("take the statement out"));
            }
            let query = Query {
                sql: span.clone(),
                rows: Vec::new(),
            };
            match part {
                Part::Before => expected.before.push(span),
                Part::AfterUpgrade => expected.after_upgrade.push(query),
                Part::AfterDowngrade => expected.after_downgrade.get_or_insert_default().push(query),
            }
            expected.comments(rest, start + length, rules, &mut part)?;
        }
        let rest = statements.rest().to_owned();
        expected.comments(&rest, file.text.len() - rest.len(), rules, &mut part)?;
        Ok(expected)
    }

    /// Reads what stands between two statements: the rows of the one before, and where a part begins.
    fn comments(&mut self, gap: &str, start: usize, rules: &SplitRules, part: &mut Part) -> Result<()> {
        for comment in token::comments(gap, rules) {
            let text = gap[comment.span.clone()].trim_end();
            let place = start + comment.span.start..start + comment.span.start + text.len();
            if let Some(row) = text.strip_prefix(ROW) {
                let last = match *part {
                    Part::Before => None,
                    Part::AfterUpgrade => self.after_upgrade.last_mut(),
                    Part::AfterDowngrade => self.after_downgrade.as_mut().and_then(|queries| queries.last_mut()),
                };
                let Some(query) = last else {
                    return Err(Error::new(
                        Code::ScriptDirective,
                        format!("`{}` expects a row of nothing", self.file.name),
                    )
                    .at(&self.file, place, "follows no query")
                    .help(
                        "rows stand below their query, behind `-- sqlrev:after upgrade` or `-- sqlrev:after downgrade`",
                    ));
                };
                query.rows.push(row.strip_prefix(' ').unwrap_or(row).to_owned());
            } else if let Some(words) = text.strip_prefix(MARK) {
                *part = Part::named(words).ok_or_else(|| {
                    Error::new(
                        Code::ScriptDirective,
                        format!("`{}` has a part that is unknown", self.file.name),
                    )
                    .at(&self.file, place, "no part of a test")
                    .help("the parts are -- sqlrev:before, -- sqlrev:after upgrade and -- sqlrev:after downgrade")
                })?;
                if *part == Part::AfterDowngrade {
                    self.after_downgrade.get_or_insert_default();
                }
            }
        }
        Ok(())
    }
}

/// Rows as they are written in a test: values with `|` between, NULL for none.
pub(super) fn lines(rows: &Rows) -> Vec<String> {
    let line = |row: &Vec<Option<String>>| {
        let values: Vec<&str> = row.iter().map(|value| value.as_deref().unwrap_or("NULL")).collect();
        values.join("|").replace('\n', "\\n")
    };
    rows.iter().map(line).collect()
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::dialect::sqlite::Sqlite;

    fn read(text: &str) -> Result<Expected> {
        Expected::read(&SourceFile::new("test.sql", text), &Sqlite)
    }

    #[test]
    fn rows_belong_to_the_query_above_them() {
        let text = "INSERT INTO t VALUES (1);\n-- sqlrev:after upgrade\nSELECT 1;\n-- > 1\n-- a word\nSELECT 2;\n-- sqlrev:after downgrade\n";
        let expected = read(text).expect("it is right");
        let queries: Vec<(&str, &[String])> = expected
            .after_upgrade
            .iter()
            .map(|query| (&text[query.sql.clone()], &query.rows[..]))
            .collect();
        assert_eq!(queries, [("SELECT 1", &["1".to_owned()][..]), ("SELECT 2", &[])]);
        assert_eq!(expected.before.len(), 1);
        assert_eq!(expected.after_downgrade, Some(Vec::new()));
    }

    /// The examples of the grammar.
    #[test]
    fn the_grammar_tells_the_truth() {
        let grammar = include_str!("../../grammar/test.ebnf");
        let (ok, no) = grammar.split_once("(* no:").expect("both kinds of examples");
        let ok = ok
            .split_once("(* ok:")
            .expect("an example")
            .1
            .trim_end()
            .trim_end_matches("*)");
        assert!(read(ok).is_ok());
        for example in no.trim_end().trim_end_matches("*)").split("---") {
            assert!(read(example).is_err(), "{example}");
        }
    }
}
