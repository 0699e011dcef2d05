//! Reads definitions of columns and constraints: SQLite's as stored, PostgreSQL's and MySQL's as people write them.

use crate::source::Span;
use crate::sql::parse::cursor::{Cursor, Name};
use crate::sql::token;

/// A column of a CREATE TABLE or of an ADD COLUMN.
#[derive(Debug, Clone)]
pub struct ColumnDef {
    /// Its name.
    pub name: Name,
    /// From the name to the last word that belongs to it.
    pub span: Span,
    /// The type, if there is one.
    pub data_type: Option<Span>,
    /// What follows the type, in the order it stands.
    pub clauses: Vec<Clause>,
}

/// A constraint of a table, or one of the clauses after a column's type.
#[derive(Debug, Clone)]
pub struct Clause {
    /// The name given with CONSTRAINT.
    pub name: Option<Name>,
    /// From CONSTRAINT, or else from the first word, to the last one.
    pub span: Span,
    /// The same without `CONSTRAINT name`.
    pub body: Span,
    /// What it says.
    pub kind: ClauseKind,
}

/// What a clause says.
#[derive(Debug, Clone)]
pub enum ClauseKind {
    /// PRIMARY KEY; the columns only where it is a constraint of the table.
    PrimaryKey {
        /// The columns in the key's order.
        columns: Vec<Name>,
        /// AUTOINCREMENT or `AUTO_INCREMENT`.
        autoincrement: bool,
        /// DESC after the words of a column's own key.
        descending: bool,
    },
    /// UNIQUE; the columns only where it is a constraint of the table.
    Unique {
        /// The columns.
        columns: Vec<Name>,
        /// What stands between the parentheses.
        list: Span,
        /// An ON CONFLICT clause is there.
        on_conflict: bool,
    },
    /// CHECK, with its condition.
    Check(Span),
    /// A foreign key.
    References(ForeignKey),
    /// A DEFERRABLE clause apart from its REFERENCES.
    Deferrable,
    /// NOT NULL
    NotNull,
    /// NULL
    Null,
    /// DEFAULT, with its value as written.
    Default(Span),
    /// COLLATE
    Collate(Name),
    /// A generated column's expression.
    Generated {
        /// The expression between the parentheses.
        expression: Span,
        /// STORED
        stored: bool,
    },
    /// GENERATED … AS IDENTITY, `AUTO_INCREMENT`
    Identity,
    /// A name after CONSTRAINT with nothing behind it.
    Nothing,
    /// Words with a meaning elsewhere that SQLite has no place for, such as MySQL's COMMENT.
    Foreign,
}

/// A foreign key's two sides.
#[derive(Debug, Clone)]
pub struct ForeignKey {
    /// The columns that refer, where it is a constraint of the table.
    pub columns: Vec<Name>,
    /// The table they refer to.
    pub table: Name,
    /// Its columns; none means its primary key.
    pub parent: Vec<Name>,
}

/// The words that end a type or a default value.
const STARTERS: &[&str] = &[
    "CONSTRAINT",
    "PRIMARY",
    "NOT",
    "NULL",
    "UNIQUE",
    "CHECK",
    "DEFAULT",
    "COLLATE",
    "REFERENCES",
    "AS",
    "DEFERRABLE",
    "INITIALLY",
    "AUTOINCREMENT",
    "ON",
    "USING",
];

/// The words that begin a constraint of a table.
pub const TABLE_CONSTRAINTS: &[&str] = &["CONSTRAINT", "PRIMARY", "UNIQUE", "CHECK", "FOREIGN"];

fn at_starter(cursor: &Cursor<'_>) -> bool {
    cursor.sees_any(STARTERS)
        || cursor.sees(&["GENERATED", "ALWAYS", "AS"])
        || cursor.sees(&["GENERATED", "BY", "DEFAULT"])
        || !cursor.stored && at_foreign_starter(cursor)
        || at_element_end(cursor)
}

/// Words of MySQL's, which are part of a type to SQLite. COMMENT has its text behind it.
fn at_foreign_starter(cursor: &Cursor<'_>) -> bool {
    cursor.sees_any(&["AUTO_INCREMENT", "FIRST", "AFTER"])
        || cursor.sees(&["COMMENT"]) && cursor.word(1).starts_with(['\'', '"'])
}

fn at_element_end(cursor: &Cursor<'_>) -> bool {
    cursor.at_end() || cursor.sees_any(&[",", ")", ";"])
}

/// The words that SQLite takes for a name only in quotes (<https://www.sqlite.org/lang_keywords.html>, those without a
/// fallback in its grammar).
const RESERVED: &[&str] = &[
    "ADD",
    "ALL",
    "ALTER",
    "AND",
    "AS",
    "AUTOINCREMENT",
    "BETWEEN",
    "CASE",
    "CHECK",
    "COLLATE",
    "COMMIT",
    "CONSTRAINT",
    "CREATE",
    "DEFAULT",
    "DEFERRABLE",
    "DELETE",
    "DISTINCT",
    "DROP",
    "ELSE",
    "ESCAPE",
    "EXISTS",
    "FOREIGN",
    "FROM",
    "GROUP",
    "HAVING",
    "IN",
    "INDEX",
    "INSERT",
    "INTO",
    "IS",
    "ISNULL",
    "JOIN",
    "LIMIT",
    "NOT",
    "NOTHING",
    "NOTNULL",
    "NULL",
    "ON",
    "OR",
    "ORDER",
    "PRIMARY",
    "REFERENCES",
    "RETURNING",
    "SELECT",
    "SET",
    "TABLE",
    "THEN",
    "TO",
    "TRANSACTION",
    "UNION",
    "UNIQUE",
    "UPDATE",
    "USING",
    "VALUES",
    "WHEN",
    "WHERE",
];

/// Whether SQLite takes a word for a name only in quotes.
pub(crate) fn is_reserved(word: &str) -> bool {
    RESERVED.binary_search(&word.to_ascii_uppercase().as_str()).is_ok()
}

/// Reads a column's definition; `None` when there is no name, or a word that fits nowhere.
pub fn column(cursor: &mut Cursor<'_>) -> Option<ColumnDef> {
    if cursor.peek().is_some_and(|token| token.kind == token::Kind::Word) && is_reserved(cursor.word(0)) {
        return None;
    }
    let start = cursor.position();
    let name = cursor.name()?;
    let data_type = data_type(cursor);
    let mut clauses = Vec::new();
    while !at_element_end(cursor) && !cursor.sees_any(&["FIRST", "AFTER"]) {
        clauses.push(column_clause(cursor)?);
    }
    let span = cursor.since(start);
    Some(ColumnDef {
        name,
        span,
        data_type,
        clauses,
    })
}

/// The definition of a column without its NOT NULL, where it has one.
pub fn without_not_null(definition: &str) -> Option<String> {
    let column = column(&mut Cursor::new(definition))?;
    let clause = column
        .clauses
        .iter()
        .find(|clause| matches!(clause.kind, ClauseKind::NotNull))?;
    let (before, after) = (&definition[..clause.span.start], &definition[clause.span.end..]);
    Some(format!("{}{after}", before.trim_end()))
}

/// Reads a type, up to the first word that cannot be part of it.
pub fn data_type(cursor: &mut Cursor<'_>) -> Option<Span> {
    let start = cursor.position();
    while !at_starter(cursor) {
        cursor.skip();
    }
    Some(cursor.since(start)).filter(|span| !span.is_empty())
}

/// Reads a value up to the next clause; the first token is always part of it.
pub fn value(cursor: &mut Cursor<'_>) -> Span {
    let start = cursor.position();
    while cursor.sees_any(&["-", "+"]) {
        cursor.skip();
    }
    cursor.skip();
    while !at_starter(cursor) {
        cursor.skip();
    }
    cursor.since(start)
}

/// Reads `CONSTRAINT name`, several times if need be; the last name counts.
fn constraint_name(cursor: &mut Cursor<'_>) -> Option<Name> {
    let mut name = None;
    while cursor.take(&["CONSTRAINT"]) {
        name = cursor.name();
    }
    name
}

fn column_clause(cursor: &mut Cursor<'_>) -> Option<Clause> {
    let start = cursor.position();
    let name = constraint_name(cursor);
    let body = cursor.position();
    let kind = column_clause_kind(cursor, name.is_some())?;
    Some(Clause {
        name,
        span: cursor.since(start),
        body: cursor.since(body),
        kind,
    })
}

fn column_clause_kind(cursor: &mut Cursor<'_>, named: bool) -> Option<ClauseKind> {
    if cursor.take(&["PRIMARY", "KEY"]) {
        let descending = cursor.sees(&["DESC"]);
        let _ = cursor.take(&["ASC"]) || cursor.take(&["DESC"]);
        on_conflict(cursor);
        let autoincrement = cursor.take(&["AUTOINCREMENT"]);
        Some(ClauseKind::PrimaryKey {
            columns: Vec::new(),
            autoincrement,
            descending,
        })
    } else if cursor.take(&["UNIQUE"]) {
        let _ = cursor.take(&["KEY"]);
        let _ = cursor.take(&["NULLS", "DISTINCT"]);
        let on_conflict = on_conflict(cursor);
        Some(ClauseKind::Unique {
            columns: Vec::new(),
            list: 0..0,
            on_conflict,
        })
    } else if cursor.take(&["NOT", "NULL"]) {
        on_conflict(cursor);
        Some(ClauseKind::NotNull)
    } else if cursor.take(&["NULL"]) {
        on_conflict(cursor);
        Some(ClauseKind::Null)
    } else if cursor.take(&["DEFAULT"]) {
        Some(ClauseKind::Default(value(cursor)))
    } else if cursor.take(&["COLLATE"]) {
        cursor.name().map(ClauseKind::Collate)
    } else if cursor.take(&["REFERENCES"]) {
        references(cursor, Vec::new())
    } else if cursor.sees_any(&["DEFERRABLE", "INITIALLY"]) || cursor.sees(&["NOT", "DEFERRABLE"]) {
        deferrable(cursor);
        Some(ClauseKind::Deferrable)
    } else if cursor.take(&["CHECK"]) {
        check(cursor)
    } else {
        generated(cursor).or_else(|| foreign_words(cursor)).or_else(|| {
            let nothing = named && at_starter(cursor);
            nothing.then_some(ClauseKind::Nothing)
        })
    }
}

fn check(cursor: &mut Cursor<'_>) -> Option<ClauseKind> {
    let condition = cursor.group()?;
    on_conflict(cursor);
    let _ = cursor.take(&["NO", "INHERIT"]);
    let _ = cursor.take(&["NOT", "VALID"]);
    Some(ClauseKind::Check(condition))
}

fn generated(cursor: &mut Cursor<'_>) -> Option<ClauseKind> {
    if cursor.take(&["GENERATED", "BY", "DEFAULT", "AS", "IDENTITY"])
        || cursor.take(&["GENERATED", "ALWAYS", "AS", "IDENTITY"])
    {
        cursor.group();
        return Some(ClauseKind::Identity);
    }
    if !cursor.take(&["GENERATED", "ALWAYS", "AS"]) && !cursor.take(&["AS"]) {
        return None;
    }
    let expression = cursor.group()?;
    let stored = cursor.take(&["STORED"]);
    let _ = stored || cursor.take(&["VIRTUAL"]);
    Some(ClauseKind::Generated { expression, stored })
}

fn foreign_words(cursor: &mut Cursor<'_>) -> Option<ClauseKind> {
    if cursor.take(&["AUTO_INCREMENT"]) {
        return Some(ClauseKind::Identity);
    }
    if cursor.take(&["COMMENT"]) {
        cursor.skip();
        return Some(ClauseKind::Foreign);
    }
    None
}

fn on_conflict(cursor: &mut Cursor<'_>) -> bool {
    let there = cursor.take(&["ON", "CONFLICT"]);
    if there {
        cursor.skip();
    }
    there
}

fn references(cursor: &mut Cursor<'_>, columns: Vec<Name>) -> Option<ClauseKind> {
    let mut table = cursor.name()?;
    if cursor.take(&["."]) {
        table = cursor.name()?;
    }
    let parent = if cursor.sees(&["("]) {
        names(cursor)?
    } else {
        Vec::new()
    };
    loop {
        if cursor.take(&["ON"]) {
            cursor.skip();
            let _ = cursor.take(&["SET"]) || cursor.take(&["NO"]);
            cursor.skip();
        } else if cursor.take(&["MATCH"]) {
            cursor.skip();
        } else {
            break;
        }
    }
    deferrable(cursor);
    let _ = cursor.take(&["NOT", "VALID"]);
    Some(ClauseKind::References(ForeignKey { columns, table, parent }))
}

fn deferrable(cursor: &mut Cursor<'_>) {
    let _ = cursor.take(&["NOT", "DEFERRABLE"]) || cursor.take(&["DEFERRABLE"]);
    if cursor.take(&["INITIALLY"]) {
        cursor.skip();
    }
}

/// Reads `(name …, name …)`: the names, whatever follows each one (a collation, an order).
fn names(cursor: &mut Cursor<'_>) -> Option<Vec<Name>> {
    if !cursor.take(&["("]) {
        return None;
    }
    let mut names = vec![cursor.name()?];
    while !cursor.take(&[")"]) {
        if cursor.take(&[","]) {
            names.push(cursor.name()?);
        } else if cursor.at_end() {
            return None;
        } else {
            cursor.skip();
        }
    }
    Some(names)
}

/// Reads a constraint of a table; `None` when it is not one.
pub fn table_constraint(cursor: &mut Cursor<'_>) -> Option<Clause> {
    let start = cursor.position();
    let name = constraint_name(cursor);
    let body = cursor.position();
    let kind = table_constraint_kind(cursor, name.is_some())?;
    Some(Clause {
        name,
        span: cursor.since(start),
        body: cursor.since(body),
        kind,
    })
}

fn table_constraint_kind(cursor: &mut Cursor<'_>, named: bool) -> Option<ClauseKind> {
    if cursor.take(&["PRIMARY", "KEY"]) {
        let position = cursor.position();
        let list = cursor.group()?;
        let after = cursor.position();
        cursor.rewind(position);
        let columns = names(cursor)?;
        cursor.rewind(after - 2);
        let autoincrement = cursor.sees(&["AUTOINCREMENT"]) && !list.is_empty();
        cursor.rewind(after);
        on_conflict(cursor);
        Some(ClauseKind::PrimaryKey {
            columns,
            autoincrement,
            descending: false,
        })
    } else if cursor.take(&["UNIQUE"]) {
        let _ = cursor.take(&["INDEX"]) || cursor.take(&["KEY"]);
        let _ = cursor.take(&["NULLS", "DISTINCT"]);
        let position = cursor.position();
        let list = cursor.group()?;
        cursor.rewind(position);
        let columns = names(cursor)?;
        let on_conflict = on_conflict(cursor);
        deferrable(cursor);
        Some(ClauseKind::Unique {
            columns,
            list,
            on_conflict,
        })
    } else if cursor.take(&["CHECK"]) {
        check(cursor)
    } else if cursor.take(&["FOREIGN", "KEY"]) {
        let columns = names(cursor)?;
        if cursor.take(&["REFERENCES"]) {
            references(cursor, columns)
        } else {
            None
        }
    } else {
        let nothing = named && at_element_end(cursor);
        nothing.then_some(ClauseKind::Nothing)
    }
}

#[cfg(test)]
mod tests {
    use super::{RESERVED, is_reserved};

    #[test]
    fn reserved_words_are_found() {
        assert!(RESERVED.is_sorted());
        assert!(is_reserved("when") && is_reserved("NOT") && !is_reserved("key"));
    }
}
