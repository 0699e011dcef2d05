//! Queries with a star among their results, through which a column comes in that is called like another of them: whoever
//! reads the result by that name gets the first.

use crate::dialect::Scratch;
use crate::dialect::sqlite::inspect::{Object, State};
use crate::sql::split::SQLITE;
use crate::sql::token::{Kind, Token, significant, unquoted};

/// The first view of scratch that has a result of this name behind the column, which is called `column` there.
pub(super) fn shadowed(scratch: &mut dyn Scratch, name: &str, column: &str) -> Option<String> {
    let sql = "SELECT m.name, c.name FROM sqlite_schema AS m, pragma_table_xinfo(m.name) AS c WHERE m.type = 'view' \
               ORDER BY m.rowid, c.cid";
    let rows = scratch.query(sql).unwrap_or_default();
    let mut come: Option<String> = None;
    for row in rows {
        let mut values = row.into_iter().flatten();
        let (Some(view), Some(result)) = (values.next(), values.next()) else {
            continue;
        };
        if result.eq_ignore_ascii_case(column) {
            come = Some(view);
        } else if result.eq_ignore_ascii_case(name) && come.as_ref() == Some(&view) {
            return come;
        }
    }
    None
}

/// Whether a query in a text has a star through which the columns of a table may come, and a result of this name behind
/// it: `SELECT o.*, row_number() OVER () AS name FROM t AS o`.
pub(super) fn comes_before(sql: &str, name: &str, state: &State) -> bool {
    let tokens: Vec<Token> = significant(sql, &SQLITE).collect();
    let said = Said { sql, tokens: &tokens };
    let selects = (0..tokens.len()).filter(|&at| said.is(at, "SELECT"));
    let mut selects = selects.filter(|&at| tokens[at].kind == Kind::Word);
    selects.any(|at| said.list_hides(at + 1, name, state))
}

struct Said<'s> {
    sql: &'s str,
    tokens: &'s [Token],
}

impl Said<'_> {
    fn word(&self, at: usize) -> &str {
        self.tokens.get(at).map_or("", |token| &self.sql[token.span.clone()])
    }

    fn is(&self, at: usize, word: &str) -> bool {
        unquoted(self.word(at)).eq_ignore_ascii_case(word)
    }

    /// Whether the list of results that begins here has a star, and a result of this name behind it.
    fn list_hides(&self, begin: usize, name: &str, state: &State) -> bool {
        let (mut depth, mut star) = (0, false);
        for at in begin..self.tokens.len() {
            match self.word(at) {
                "(" => depth += 1,
                ")" if depth == 0 => return star && self.is(at - 1, name),
                ")" => depth -= 1,
                "*" if depth == 0 => star |= self.brings(at, state),
                "," | ";" if depth == 0 && star && self.is(at - 1, name) => return true,
                word if depth == 0 && word.eq_ignore_ascii_case("FROM") => return star && self.is(at - 1, name),
                _ => {}
            }
        }
        star && self.is(self.tokens.len() - 1, name)
    }

    /// Whether a star may bring the columns of the table: all of a query, or those of the table, of a view on it or of a
    /// query in parentheses.
    fn brings(&self, at: usize, state: &State) -> bool {
        if at == 0 || self.word(at - 1) != "." {
            return ["SELECT", "DISTINCT", "ALL", ","]
                .iter()
                .any(|word| at > 0 && self.is(at - 1, word));
        }
        let of = unquoted(self.word(at.saturating_sub(2))).into_owned();
        let is_view = |object: &Object| object.kind == "view";
        let views = state.related.iter().filter(|object| is_view(object));
        let mut tables: Vec<&str> = views.map(|object| object.name.as_str()).collect();
        tables.push(&state.table.name().text);
        let table = |at: usize| self.word(at) == ")" || tables.iter().any(|table| self.is(at, table));
        tables.iter().any(|table| of.eq_ignore_ascii_case(table))
            || (1..self.tokens.len()).any(|alias| {
                // `t o`, `t AS o`, `(SELECT …) o`, `WITH o AS (…)`
                self.is(alias, &of)
                    && (table(alias - 1)
                        || alias > 1 && self.is(alias - 1, "AS") && table(alias - 2)
                        || self.is(alias + 1, "AS"))
            })
    }
}
