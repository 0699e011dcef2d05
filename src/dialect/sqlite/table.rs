//! A stored CREATE TABLE as an editable draft: what is not altered keeps its bytes.

mod edit;

use crate::source::Span;
use crate::sql::parse::cursor::{Cursor, Name};
use crate::sql::parse::define::{self, Clause, ClauseKind, ColumnDef, TABLE_CONSTRAINTS};
use crate::sql::split::SQLITE;
use crate::sql::token::{Kind, significant, tokens, unquoted};

/// A CREATE TABLE statement as SQLite stores it, taken apart by the places of its parts.
#[derive(Debug, Clone)]
pub(super) struct Table {
    text: String,
    name: Name,
    elements: Vec<Element>,
    close: usize,
    options: Vec<String>,
}

/// A column or a constraint of the table.
#[derive(Debug, Clone)]
pub(super) struct Element {
    /// From its first word to its last.
    pub(super) span: Span,
    /// Where the comma before it stands.
    comma: Option<usize>,
    /// What it is.
    pub(super) part: Part,
}

/// What an element of a table is.
#[derive(Debug, Clone)]
pub(super) enum Part {
    /// A column.
    Column(ColumnDef),
    /// A constraint of the table.
    Constraint(Clause),
}

impl Table {
    /// Reads a definition; `None` when it is not one that SQLite would have stored for an ordinary table.
    pub(super) fn read(text: &str) -> Option<Self> {
        let mut cursor = Cursor::stored(text);
        if !cursor.take(&["CREATE", "TABLE"]) {
            return None;
        }
        let name = cursor.name()?;
        if !cursor.take(&["("]) {
            return None;
        }
        let mut elements: Vec<Element> = Vec::new();
        let close = loop {
            if cursor.sees(&[")"]) {
                break cursor.here().start;
            }
            let comma = cursor.sees(&[","]).then(|| cursor.here().start);
            if comma.is_some() {
                cursor.skip();
            } else if matches!(
                elements.last(),
                Some(Element {
                    part: Part::Column(_),
                    ..
                })
            ) {
                return None;
            }
            let next = element(&mut cursor, comma)?;
            let is_constraint = |element: &Element| matches!(element.part, Part::Constraint(_));
            if elements.last().is_some_and(is_constraint) && !is_constraint(&next) {
                return None;
            }
            elements.push(next);
        };
        // There is no table without a column.
        if !matches!(elements.first()?.part, Part::Column(_)) {
            return None;
        }
        cursor.skip();
        let mut options = Vec::new();
        while !cursor.at_end() {
            options.push(cursor.word(0).to_ascii_uppercase());
            cursor.skip();
        }
        Some(Self {
            text: text.to_owned(),
            name,
            elements,
            close,
            options,
        })
    }

    /// The definition.
    pub(super) fn text(&self) -> &str {
        &self.text
    }

    /// Its columns and constraints, in order.
    #[cfg(any(test, fuzzing))]
    pub(super) fn elements(&self) -> &[Element] {
        &self.elements
    }

    /// The words behind the closing parenthesis.
    #[cfg(any(test, fuzzing))]
    pub(super) fn options(&self) -> &[String] {
        &self.options
    }

    /// The words at a place.
    pub(super) fn at(&self, span: &Span) -> &str {
        &self.text[span.clone()]
    }

    /// The table's name.
    pub(super) fn name(&self) -> &Name {
        &self.name
    }

    /// Whether it is a STRICT table.
    pub(super) fn strict(&self) -> bool {
        self.options.iter().any(|word| word == "STRICT")
    }

    /// Whether it is a WITHOUT ROWID table.
    pub(super) fn without_rowid(&self) -> bool {
        self.options.iter().any(|word| word == "ROWID")
    }

    /// Its columns, in order.
    pub(super) fn columns(&self) -> impl Iterator<Item = &ColumnDef> {
        self.elements.iter().filter_map(|element| match &element.part {
            Part::Column(column) => Some(column),
            Part::Constraint(_) => None,
        })
    }

    /// The column of a name.
    pub(super) fn column(&self, name: &str) -> Option<&ColumnDef> {
        self.columns().find(|column| column.name.is(name))
    }

    /// The default of a column, as written.
    pub(super) fn default_of(&self, column: &str) -> Option<&str> {
        let clauses = &self.column(column)?.clauses;
        clauses.iter().find_map(|clause| match &clause.kind {
            ClauseKind::Default(value) => Some(self.at(value)),
            _ => None,
        })
    }

    /// Where the expression of a generated column stands.
    pub(super) fn expression_of(&self, column: &str) -> Option<Span> {
        let clauses = &self.column(column)?.clauses;
        clauses.iter().find_map(|clause| match &clause.kind {
            ClauseKind::Generated { expression, .. } => Some(expression.clone()),
            _ => None,
        })
    }

    /// Every clause that constrains: those of columns with the column, those of the table.
    pub(super) fn constraints(&self) -> impl Iterator<Item = (Option<&ColumnDef>, &Clause)> {
        self.elements.iter().flat_map(|element| {
            let (column, clauses) = match &element.part {
                Part::Column(column) => (Some(column), &column.clauses[..]),
                Part::Constraint(clause) => (None, std::slice::from_ref(clause)),
            };
            clauses.iter().map(move |clause| (column, clause))
        })
    }

    /// The columns of the primary key, in the key's order.
    pub(super) fn primary_key(&self) -> Vec<String> {
        for (column, clause) in self.constraints() {
            if let ClauseKind::PrimaryKey { columns, .. } = &clause.kind {
                return match column {
                    Some(column) => vec![column.name.text.clone()],
                    None => columns.iter().map(|name| name.text.clone()).collect(),
                };
            }
        }
        Vec::new()
    }

    /// Whether one of its foreign keys refers to a column of another table, by name or as the primary key.
    pub(super) fn refers_to(&self, other: &Table, column: &str) -> bool {
        let key = other.primary_key();
        self.constraints().any(|(_, clause)| match &clause.kind {
            ClauseKind::References(foreign) if foreign.table.is(&other.name.text) => {
                foreign.parent.iter().any(|parent| parent.is(column))
                    || foreign.parent.is_empty() && key.iter().any(|key| key.eq_ignore_ascii_case(column))
            }
            _ => false,
        })
    }

    /// The column that is another name for the rowid, if there is one.
    pub(super) fn rowid_alias(&self) -> Option<&ColumnDef> {
        if self.without_rowid() {
            return None;
        }
        let key = self.primary_key();
        let [only] = &key[..] else { return None };
        let column = self.column(only)?;
        let integer = column
            .data_type
            .as_ref()
            .is_some_and(|span| unquoted_type(self.at(span)).eq_ignore_ascii_case("INTEGER"));
        let descending = column
            .clauses
            .iter()
            .any(|clause| matches!(clause.kind, ClauseKind::PrimaryKey { descending: true, .. }));
        (integer && !descending).then_some(column)
    }

    /// Whether the primary key is AUTOINCREMENT.
    pub(super) fn autoincrement(&self) -> bool {
        self.constraints().any(|(_, clause)| {
            matches!(
                clause.kind,
                ClauseKind::PrimaryKey {
                    autoincrement: true,
                    ..
                }
            )
        })
    }

    /// How many comments there are behind the columns, among the options of the table.
    pub(super) fn comments_behind(&self) -> usize {
        let tail = &self.text[self.close + 1..];
        tokens(tail, &SQLITE)
            .filter(|token| token.kind == Kind::Comment)
            .count()
    }

    /// Where the word AUTOINCREMENT goes: behind the key of a column, or the last one in the list of a table's key.
    pub(super) fn autoincrement_place(&self) -> Option<usize> {
        let (column, clause) = self
            .constraints()
            .find(|(_, clause)| matches!(clause.kind, ClauseKind::PrimaryKey { .. }))?;
        if column.is_some() {
            return Some(clause.span.end);
        }
        let mut cursor = Cursor::new(self.at(&clause.body));
        while !cursor.at_end() && !cursor.sees(&["("]) {
            cursor.skip();
        }
        let list = cursor.group()?;
        let words = self.at(&clause.body);
        let last = significant(&words[list.clone()], &SQLITE).last()?;
        Some(clause.body.start + list.start + last.span.end)
    }

    /// Where the word AUTOINCREMENT stands.
    pub(super) fn autoincrement_word(&self) -> Option<Span> {
        let clause = self.constraints().find_map(|(_, clause)| {
            let auto = matches!(
                clause.kind,
                ClauseKind::PrimaryKey {
                    autoincrement: true,
                    ..
                }
            );
            auto.then(|| clause.span.clone())
        })?;
        let words = self.at(&clause);
        let word = significant(words, &SQLITE)
            .find(|token| words[token.span.clone()].eq_ignore_ascii_case("AUTOINCREMENT"))?;
        Some(clause.start + word.span.start..clause.start + word.span.end)
    }

    /// Puts other words in a place.
    ///
    /// # Errors
    /// The text that came out, when it is no longer a definition that can be read.
    pub(super) fn edit(&mut self, span: &Span, words: &str) -> Result<(), String> {
        let (head, tail) = (&self.text[..span.start], &self.text[span.end..]);
        let left = if words.is_empty() { head } else { words };
        let text = format!("{head}{}{words}{}{tail}", gap(head, words), gap(left, tail));
        match Self::read(&text) {
            Some(table) => {
                *self = table;
                Ok(())
            }
            None => Err(text),
        }
    }
}

/// What keeps two words apart that would be one if they met; texts such as `"a"text` leave no space between.
fn gap(left: &str, right: &str) -> &'static str {
    let word = |letter: char| letter.is_alphanumeric() || letter == '_' || letter == '$' || !letter.is_ascii();
    let quote = |letter: char| matches!(letter, '"' | '\'' | '`');
    match (left.chars().next_back(), right.chars().next()) {
        (Some(one), Some(other)) if word(one) && word(other) || quote(one) && one == other => " ",
        _ => "",
    }
}

fn element(cursor: &mut Cursor<'_>, comma: Option<usize>) -> Option<Element> {
    let start = cursor.position();
    if cursor.sees_any(TABLE_CONSTRAINTS) {
        let clause = define::table_constraint(cursor)?;
        return Some(Element {
            span: cursor.since(start),
            comma,
            part: Part::Constraint(clause),
        });
    }
    let column = define::column(cursor)?;
    Some(Element {
        span: cursor.since(start),
        comma,
        part: Part::Column(column),
    })
}

/// A type without the quotes around it, for comparing. Where its first word is quoted, SQLite sees no other.
pub(super) fn unquoted_type(text: &str) -> String {
    let seen: Vec<_> = significant(text, &SQLITE).collect();
    let first = seen
        .first()
        .is_some_and(|token| matches!(token.kind, Kind::Quoted | Kind::Text));
    let count = if first { 1 } else { seen.len() };
    let words = seen[..count].iter().map(|token| unquoted(&text[token.span.clone()]));
    words.collect::<Vec<_>>().join(" ")
}

#[cfg(test)]
mod tests {
    use super::*;

    const TRICKY: &str = "CREATE TABLE t( -- it's a \"table\", with (parens\n  id INTEGER PRIMARY KEY, /* b TEXT NOT NULL, ) */\n  a TEXT DEFAULT 'x, y) -- no' CHECK(a <> 'b,('), -- trailing\n  b INT /* the b column */\n)";

    #[test]
    fn parts_are_found_among_comments_and_strings() {
        let table = Table::read(TRICKY).expect("a table");
        let names: Vec<&str> = table.columns().map(|column| column.name.text.as_str()).collect();
        assert_eq!(names, ["id", "a", "b"]);
        assert_eq!(table.rowid_alias().map(|column| column.name.text.as_str()), Some("id"));
        assert_eq!(table.constraints().count(), 3);
    }

    fn check_remove(text: &str, column: &str, expect: &str) {
        let mut table = Table::read(text).expect("a table");
        let span = table.column(column).expect("a column").span.clone();
        table.remove_element(&span).expect("still a table");
        assert_eq!(table.text(), expect);
    }

    #[test]
    fn a_column_goes_with_its_comma_and_its_own_comment() {
        check_remove("CREATE TABLE t(a INT, b INT)", "a", "CREATE TABLE t(b INT)");
        check_remove("CREATE TABLE t(a INT, b INT)", "b", "CREATE TABLE t(a INT)");
        check_remove(
            "CREATE TABLE t(\n  a INT, -- of a\n  b INT, -- of b\n  -- of c\n  c INT -- last\n)",
            "b",
            "CREATE TABLE t(\n  a INT, -- of a\n  -- of c\n  c INT -- last\n)",
        );
        check_remove(
            "CREATE TABLE t(\n  a INT, -- of a\n  b INT -- of b\n)",
            "b",
            "CREATE TABLE t(\n  a INT -- of a\n)",
        );
        check_remove(
            "CREATE TABLE t(\n  a INT, b INT, -- of b\n  -- of the check\n  CHECK (a > 0)\n)",
            "b",
            "CREATE TABLE t(\n  a INT, -- of b\n  -- of the check\n  CHECK (a > 0)\n)",
        );
        check_remove(
            "CREATE TABLE t(\n  a INT, b INT -- of both\n)",
            "b",
            "CREATE TABLE t(\n  a INT -- of both\n)",
        );
        check_remove(
            "CREATE TABLE t(\n  a INT, b INT -- of both\n  , c INT -- of c\n)",
            "b",
            "CREATE TABLE t(\n  a INT -- of both\n  , c INT -- of c\n)",
        );
        check_remove(
            "CREATE TABLE t(a INT, b INT, /* of c */ c INT)",
            "b",
            "CREATE TABLE t(a INT, /* of c */ c INT)",
        );
        check_remove(
            "CREATE TABLE t(a INT, -- of a\n  b INT)",
            "a",
            "CREATE TABLE t(\n  b INT)",
        );
    }

    #[test]
    fn a_constraint_takes_the_layout_of_its_neighbours() {
        let mut table = Table::read("CREATE TABLE t(\n  a INT, -- of a\n  b INT -- of b\n)").expect("a table");
        table.append_constraint("CHECK (a > 0)").expect("still a table");
        assert_eq!(
            table.text(),
            "CREATE TABLE t(\n  a INT, -- of a\n  b INT, -- of b\n  CHECK (a > 0)\n)"
        );
    }

    #[test]
    fn a_column_is_appended_as_sqlite_does_it() {
        let mut table =
            Table::read("CREATE TABLE t(a INT /* x */, CHECK(a>0), UNIQUE(a) /* u */) STRICT").expect("a table");
        table.append_column("b TEXT").expect("still a table");
        assert_eq!(
            table.text(),
            "CREATE TABLE t(a INT /* x */, b TEXT, CHECK(a>0), UNIQUE(a) /* u */) STRICT"
        );
    }

    #[test]
    fn options_come_and_go_with_their_commas() {
        let check = |text: &str, change: fn(&mut Table) -> Result<(), String>, expect: &str| {
            let mut table = Table::read(text).expect("a table");
            change(&mut table).expect("still a table");
            assert_eq!(table.text(), expect);
        };
        check(
            "CREATE TABLE t(a)",
            |table| table.add_option("STRICT"),
            "CREATE TABLE t(a) STRICT",
        );
        check(
            "CREATE TABLE t(a) without rowid -- end",
            |table| table.add_option("STRICT"),
            "CREATE TABLE t(a) without rowid, STRICT",
        );
        let both = "CREATE TABLE t(a PRIMARY KEY) strict /* s */, WITHOUT ROWID";
        check(
            both,
            |table| table.remove_option("ROWID"),
            "CREATE TABLE t(a PRIMARY KEY) strict",
        );
        check(
            both,
            |table| table.remove_option("STRICT"),
            "CREATE TABLE t(a PRIMARY KEY) WITHOUT ROWID",
        );
        check(
            "CREATE TABLE t(a) STRICT",
            |table| table.remove_option("STRICT"),
            "CREATE TABLE t(a)",
        );
    }

    proptest::proptest! {
        #[test]
        fn no_text_is_too_odd(text in "[a-c\"'`(), \\[\\]/*\n.:é-]{0,40}", words in "(CHECK|UNIQUE|AS|NOT NULL|DEFAULT|a|,|\\(|\\)| ){0,12}") {
            for text in [format!("CREATE TABLE t({text} {words})"), format!("CREATE TABLE {text}({words}"), text.clone()] {
                if let Some(mut table) = Table::read(&text) {
                    let spans: Vec<Span> = table.columns().map(|column| column.span.clone()).collect();
                    for span in spans.iter().rev() {
                        let _ = table.remove_element(span);
                    }
                    let _ = table.append_constraint("CHECK (1)");
                    let _ = table.append_column("x");
                }
            }
            let _ = crate::dialect::sqlite::expr::written(&text);
            let _ = crate::dialect::sqlite::expr::default(&text);
        }
    }
}
