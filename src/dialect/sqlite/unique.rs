//! What must differ from row to row: the columns of a UNIQUE constraint, or the terms of a unique index, which may be
//! expressions, say collations and leave rows out.

use crate::code::Code;
use crate::dialect::Op;
use crate::dialect::sqlite::demand::Demand;
use crate::dialect::sqlite::draft::{Draft, Index, uses_new_values};
use crate::dialect::sqlite::expr;
use crate::dialect::sqlite::site::Site;
use crate::sql::parse::cursor::Cursor;
use crate::sql::write::quoted;

/// What is compared.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) struct Unique {
    /// Columns by name, or expressions; some with a collation of their own.
    terms: Vec<Term>,
    /// The condition for rows to be compared at all.
    filter: Option<String>,
}

#[derive(Debug, Clone, PartialEq, Eq)]
struct Term {
    /// As SQL.
    sql: String,
    /// The column, where it is one and says no collation.
    column: Option<String>,
}

impl Unique {
    /// Whole columns, compared as each one compares its values.
    pub(super) fn columns<'n>(names: impl IntoIterator<Item = &'n str>) -> Self {
        let term = |name: &str| Term {
            sql: quoted(name, '"'),
            column: Some(name.to_owned()),
        };
        Self {
            terms: names.into_iter().map(term).collect(),
            filter: None,
        }
    }

    /// The terms of a CREATE UNIQUE INDEX; `None` for any other text.
    pub(super) fn of_index(sql: &str) -> Option<Self> {
        let mut cursor = Cursor::new(sql);
        if !cursor.take(&["CREATE", "UNIQUE", "INDEX"]) {
            return None;
        }
        while !cursor.sees(&["("]) && !cursor.at_end() {
            cursor.skip();
        }
        let list = cursor.group()?;
        let filter = cursor.take(&["WHERE"]).then(|| {
            let first = cursor.position();
            while !cursor.at_end() {
                cursor.skip();
            }
            sql[cursor.since(first)].to_owned()
        });
        let terms = terms(&sql[list]);
        (!terms.is_empty()).then_some(Self { terms, filter })
    }

    /// The columns, where it is about nothing else.
    pub(super) fn plain(&self) -> Option<Vec<String>> {
        let columns = self.terms.iter().map(|term| term.column.clone());
        columns
            .collect::<Option<Vec<String>>>()
            .filter(|_| self.filter.is_none())
    }

    /// Whether it looks at a column.
    pub(super) fn uses(&self, column: &str) -> bool {
        self.texts().any(|text| expr::mentions(text, column))
    }

    /// What is compared, for people.
    pub(super) fn spoken(&self) -> String {
        let words: Vec<&str> = self
            .terms
            .iter()
            .map(|term| term.column.as_deref().unwrap_or(&term.sql))
            .collect();
        words.join("`, `")
    }

    fn texts(&self) -> impl Iterator<Item = &str> {
        self.terms
            .iter()
            .map(|term| term.sql.as_str())
            .chain(self.filter.as_deref())
    }

    /// The query for rows that are equal: with the rows' key, those of a table or of a query; rows with a NULL among the
    /// terms never are.
    fn equal_rows(&self, draft: &Draft<'_>, key: &str, from: &str, but: &str) -> String {
        let compared: Vec<String> = self
            .terms
            .iter()
            .map(
                |term| match term.column.as_ref().and_then(|column| draft.collation(column)) {
                    Some(collation) => format!("{} COLLATE {}", term.sql, quoted(&collation, '"')),
                    None => term.sql.clone(),
                },
            )
            .collect();
        let list = compared.join(", ");
        let vector = if compared.len() == 1 {
            list.clone()
        } else {
            format!("({list})")
        };
        let shown: Vec<&str> = self.terms.iter().map(|term| term.sql.as_str()).collect();
        let mut not_null: Vec<String> = self
            .terms
            .iter()
            .map(|term| format!("{} IS NOT NULL", operand(term)))
            .collect();
        let filter = self.filter.iter().map(|filter| format!("({filter})"));
        let filter: Vec<String> = filter.chain((!but.is_empty()).then(|| but.to_owned())).collect();
        not_null.splice(0..0, filter.iter().cloned());
        let also: String = filter.iter().map(|filter| format!(" AND {filter}")).collect();
        format!(
            "SELECT {key}, {} FROM {from} WHERE {vector} IN (SELECT {list} FROM {from} WHERE {} GROUP BY {list} \
             HAVING count(*) > 1){also} ORDER BY {list} LIMIT 10",
            shown.join(", "),
            not_null.join(" AND ")
        )
    }
}

/// A term where an operator follows.
fn operand(term: &Term) -> String {
    match term.column {
        Some(_) => term.sql.clone(),
        None => format!("({})", term.sql),
    }
}

/// The terms of a list, without the order of each.
fn terms(list: &str) -> Vec<Term> {
    let mut cursor = Cursor::new(list);
    let mut terms = Vec::new();
    while !cursor.at_end() {
        let first = cursor.position();
        let name = cursor.name();
        let alone = name.is_some() && (cursor.at_end() || cursor.sees_any(&[",", "COLLATE", "ASC", "DESC"]));
        let behind = cursor.position();
        while !cursor.at_end() && !cursor.sees_any(&[",", "ASC", "DESC"]) {
            cursor.skip();
        }
        let term = match name.filter(|_| alone) {
            Some(name) => {
                let collation = &list[cursor.since(behind)];
                Term {
                    sql: format!("{} {collation}", quoted(&name.text, '"')).trim_end().to_owned(),
                    column: collation.is_empty().then_some(name.text),
                }
            }
            None => Term {
                sql: list[cursor.since(first)].to_owned(),
                column: None,
            },
        };
        terms.push(term);
        while !cursor.at_end() && !cursor.take(&[","]) {
            cursor.skip();
        }
    }
    terms
}

impl Draft<'_> {
    /// Demands that no two rows are equal in this.
    pub(super) fn demand_unique(&mut self, site: &Site<'_>, demand: Demand<'_>, unique: &Unique) {
        let used: Vec<&str> = unique.texts().collect();
        let affine = unique.plain().is_none() || self.uses_generated(&used);
        let typed = affine && uses_new_values(&self.columns, &self.table, &used);
        let rows = if typed {
            self.typed_rows(&used)
        } else {
            self.rows(&used)
        };
        let sql = unique.equal_rows(self, &rows.key, &rows.from, &rows.plain);
        self.checks.push(demand.over_rows(site, sql));
    }

    /// Whether a unique index compares what is computed from values that the rows did not have before.
    pub(super) fn retypes(&self, index: &Index) -> bool {
        let unique = Unique::of_index(&index.object.sql).filter(|unique| unique.plain().is_none());
        unique.is_some_and(|unique| {
            let used: Vec<&str> = unique.texts().collect();
            uses_new_values(&self.columns, &self.table, &used)
        })
    }

    /// What says which rows are equal where a unique index cannot be built over the table as it will be.
    pub(super) fn equal_in(&self, index: &Index, at: usize) -> Option<Op> {
        let unique = Unique::of_index(&index.object.sql)?;
        let from = format!("{} AS {}", self.state.qualified(), quoted(self.name(), '"'));
        Some(Op::Check {
            sql: unique.equal_rows(self, &self.new_key(), &from, ""),
            code: Code::BatchDuplicates,
            message: format!("rows of `{}` have the same `{}`", self.name(), unique.spoken()),
            help: format!(
                "change or delete all but one of them first, or drop index `{}`",
                index.object.name
            ),
            at: (at, 0..0),
        })
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn check(sql: &str, terms: &str, plain: bool) {
        let unique = Unique::of_index(sql).map(|unique| {
            let filter = unique.filter.iter().map(|filter| format!("WHERE {filter}"));
            let terms = unique.terms.iter().map(|term| term.sql.clone());
            (
                terms.chain(filter).collect::<Vec<_>>().join(" | "),
                unique.plain().is_some(),
            )
        });
        assert_eq!(unique, Some((terms.to_owned(), plain)));
    }

    #[test]
    fn terms_of_an_index_are_read() {
        check("CREATE UNIQUE INDEX i ON t (a, [b c] DESC)", "\"a\" | \"b c\"", true);
        check(
            "create unique index main.\"i(\" on t('a' COLLATE RTRIM ASC)",
            "\"a\" COLLATE RTRIM",
            false,
        );
        check(
            "CREATE UNIQUE INDEX i ON t (lower(a) DESC, (a || ',') , b+1)",
            "lower(a) | (a || ',') | b+1",
            false,
        );
        check(
            "CREATE UNIQUE INDEX i ON t (a) WHERE b > 0 -- some",
            "\"a\" | WHERE b > 0",
            false,
        );
        assert_eq!(Unique::of_index("CREATE INDEX i ON t (a)"), None);
    }
}
