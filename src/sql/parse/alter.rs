//! Reads ALTER TABLE: SQLite's own, PostgreSQL's, and MySQL's MODIFY, CHANGE, FIRST and AFTER.
//!
//! The reader works on tokens, so that every action, name, type and expression has its exact place.

use crate::source::Span;
use crate::sql::parse::cursor::{Cursor, Name};
use crate::sql::parse::define::{self, Clause, ColumnDef, TABLE_CONSTRAINTS};
use crate::sql::parse::directive;

/// An ALTER TABLE statement.
#[derive(Debug, Clone)]
pub struct Alter {
    /// IF EXISTS after TABLE.
    pub if_exists: bool,
    /// The schema before the table's name.
    pub schema: Option<Name>,
    /// The table.
    pub table: Name,
    /// What is to be done, in order; at least one.
    pub actions: Vec<Action>,
}

/// One action of an ALTER TABLE.
#[derive(Debug, Clone)]
pub struct Action {
    /// The words of the action.
    pub span: Span,
    /// What it says.
    pub kind: ActionKind,
}

/// Where a new or changed column goes, in MySQL's words.
#[derive(Debug, Clone)]
pub enum Place {
    /// FIRST
    First,
    /// AFTER a column.
    After(Name),
}

/// What a DROP of something named in a table's definition may mean.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Dropped {
    /// DROP CONSTRAINT: anything.
    Any,
    /// MySQL's DROP FOREIGN KEY.
    ForeignKey,
    /// MySQL's DROP CHECK.
    Check,
    /// MySQL's DROP INDEX or DROP KEY.
    Index,
}

/// What an action says. Names and spans lie in the statement's text.
#[derive(Debug, Clone)]
#[expect(missing_docs, reason = "the words of the statement say it")]
pub enum ActionKind {
    RenameTable(Name),
    RenameColumn {
        from: Name,
        to: Name,
    },
    RenameConstraint {
        from: Name,
        to: Name,
    },
    AddColumn {
        if_not_exists: bool,
        column: ColumnDef,
        place: Option<Place>,
    },
    AddConstraint(Clause),
    AddIndex {
        unique: bool,
        name: Option<Name>,
        list: Span,
    },
    DropColumn {
        if_exists: bool,
        name: Name,
    },
    DropConstraint {
        if_exists: bool,
        name: Name,
        what: Dropped,
    },
    DropPrimaryKey,
    SetNotNull(Name),
    DropNotNull(Name),
    /// The same for a column of the primary key, which SQLite allows and an ALTER does not.
    Nullable(Name),
    SetDefault {
        column: Name,
        value: Span,
    },
    DropDefault(Name),
    SetType {
        column: Name,
        data_type: Span,
        collation: Option<Name>,
        using: Option<Span>,
        /// The type is SQLite's own, or there is none.
        literal: bool,
    },
    ChangeColumn {
        from: Name,
        column: ColumnDef,
        place: Option<Place>,
    },
    AddIdentity(Name),
    DropIdentity {
        if_exists: bool,
        column: Name,
    },
    DropExpression {
        if_exists: bool,
        column: Name,
    },
    SetExpression {
        column: Name,
        expression: Span,
    },
    ValidateConstraint(Name),
    Reorder(Vec<Name>),
    SetOption {
        option: TableOption,
        on: bool,
    },
}

/// What SQLite says of a table as a whole, and of how it numbers its rows.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum TableOption {
    /// STRICT
    Strict,
    /// WITHOUT ROWID
    WithoutRowid,
    /// AUTOINCREMENT
    Autoincrement,
}

/// Why an ALTER TABLE could not be read.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Unreadable {
    /// The word that the reader stopped at.
    pub span: Span,
    /// What it expected there.
    pub expected: &'static str,
    /// It knows no such action, so the words may have a meaning elsewhere; otherwise they are a slip.
    pub unknown_action: bool,
}

/// The table of an ALTER TABLE, without reading what is to be done: its schema and its name.
pub fn table(text: &str) -> Option<(Option<Name>, Name)> {
    let head: usize = text.char_indices().nth(HEAD).map_or(text.len(), |(offset, _)| offset);
    let text = &text[..head];
    if let Some(directive) = directive::of(text) {
        let mut cursor = Cursor::new(&directive.words);
        let first = cursor.name()?;
        return if cursor.take(&["."]) {
            cursor.name().map(|table| (Some(first), table))
        } else {
            Some((None, first))
        };
    }
    let mut cursor = Cursor::new(text);
    read_table(&mut cursor).ok().map(|(_, schema, table)| (schema, table))
}

/// How many characters the first words may take up, comments before and between them included.
const HEAD: usize = 4096;

fn read_table(cursor: &mut Cursor<'_>) -> Result<(bool, Option<Name>, Name), Unreadable> {
    if !cursor.take(&["ALTER", "TABLE"]) {
        return Err(stop(cursor, "ALTER TABLE"));
    }
    let if_exists = cursor.take(&["IF", "EXISTS"]);
    let only = cursor.position();
    if cursor.take(&["ONLY"]) && (cursor.sees(&["."]) || cursor.at_end()) {
        cursor.rewind(only);
    }
    let first = cursor.name().ok_or_else(|| stop(cursor, "the name of a table"))?;
    if !cursor.take(&["."]) {
        return Ok((if_exists, None, first));
    }
    let table = cursor.name().ok_or_else(|| stop(cursor, "the name of a table"))?;
    Ok((if_exists, Some(first), table))
}

/// Reads an ALTER TABLE statement, or a directive that changes a table.
pub fn read(text: &str) -> Result<Alter, Unreadable> {
    if let Some(directive) = directive::of(text) {
        return directive.read();
    }
    let mut cursor = Cursor::new(text);
    let (if_exists, schema, table) = read_table(&mut cursor)?;
    let _ = cursor.take(&["*"]);
    let mut actions = Vec::new();
    loop {
        let start = cursor.position();
        let kind = action(&mut cursor)?;
        actions.push(Action {
            span: cursor.since(start),
            kind,
        });
        if !cursor.take(&[","]) {
            break;
        }
    }
    let _ = cursor.take(&[";"]);
    if !cursor.at_end() {
        return Err(stop(&cursor, "a comma or the end of the statement"));
    }
    Ok(Alter {
        if_exists,
        schema,
        table,
        actions,
    })
}

pub(super) fn stop(cursor: &Cursor<'_>, expected: &'static str) -> Unreadable {
    Unreadable {
        span: cursor.here(),
        expected,
        unknown_action: false,
    }
}

fn unknown(cursor: &Cursor<'_>, expected: &'static str) -> Unreadable {
    Unreadable {
        unknown_action: true,
        ..stop(cursor, expected)
    }
}

fn action(cursor: &mut Cursor<'_>) -> Result<ActionKind, Unreadable> {
    if cursor.take(&["RENAME"]) {
        rename(cursor)
    } else if cursor.take(&["ADD"]) {
        add(cursor)
    } else if cursor.take(&["DROP"]) {
        drop_something(cursor)
    } else if cursor.take(&["ALTER"]) {
        alter_column(cursor)
    } else if cursor.take(&["MODIFY"]) {
        let _ = cursor.take(&["COLUMN"]);
        change(cursor, true)
    } else if cursor.take(&["CHANGE"]) {
        let _ = cursor.take(&["COLUMN"]);
        change(cursor, false)
    } else if cursor.take(&["VALIDATE", "CONSTRAINT"]) {
        name(cursor, "the name of a constraint").map(ActionKind::ValidateConstraint)
    } else {
        Err(unknown(cursor, "ADD, DROP, ALTER, RENAME, MODIFY, CHANGE or VALIDATE"))
    }
}

pub(super) fn name(cursor: &mut Cursor<'_>, expected: &'static str) -> Result<Name, Unreadable> {
    cursor.name().ok_or_else(|| stop(cursor, expected))
}

fn renamed(cursor: &mut Cursor<'_>, expected: &'static str) -> Result<(Name, Name), Unreadable> {
    let from = name(cursor, expected)?;
    if !cursor.take(&["TO"]) {
        return Err(stop(cursor, "TO"));
    }
    Ok((from, name(cursor, "the new name")?))
}

fn rename(cursor: &mut Cursor<'_>) -> Result<ActionKind, Unreadable> {
    if cursor.take(&["TO"]) {
        return name(cursor, "the new name").map(ActionKind::RenameTable);
    }
    if cursor.sees(&["CONSTRAINT"]) && !cursor.word(1).eq_ignore_ascii_case("TO") {
        cursor.skip();
        let (from, to) = renamed(cursor, "the name of a constraint")?;
        return Ok(ActionKind::RenameConstraint { from, to });
    }
    if cursor.sees(&["COLUMN"]) && !cursor.word(1).eq_ignore_ascii_case("TO") {
        cursor.skip();
    }
    let (from, to) = renamed(cursor, "the name of a column")?;
    Ok(ActionKind::RenameColumn { from, to })
}

fn add(cursor: &mut Cursor<'_>) -> Result<ActionKind, Unreadable> {
    if cursor.sees_any(&["INDEX", "KEY"]) || cursor.sees(&["UNIQUE"]) && !cursor.sees(&["UNIQUE", "("]) {
        let start = cursor.position();
        if let Some(index) = add_index(cursor) {
            return Ok(index);
        }
        cursor.rewind(start);
    }
    if cursor.sees_any(TABLE_CONSTRAINTS) {
        return define::table_constraint(cursor)
            .map(ActionKind::AddConstraint)
            .ok_or_else(|| stop(cursor, "a PRIMARY KEY, UNIQUE, CHECK or FOREIGN KEY constraint"));
    }
    let _ = cursor.take(&["COLUMN"]);
    let if_not_exists = cursor.take(&["IF", "NOT", "EXISTS"]);
    let (column, place) = column_and_place(cursor)?;
    Ok(ActionKind::AddColumn {
        if_not_exists,
        column,
        place,
    })
}

/// MySQL's `ADD [UNIQUE] {INDEX|KEY} name (columns)`.
fn add_index(cursor: &mut Cursor<'_>) -> Option<ActionKind> {
    let unique = cursor.take(&["UNIQUE"]);
    let keyword = cursor.take(&["INDEX"]) || cursor.take(&["KEY"]);
    let name = if cursor.sees(&["("]) { None } else { cursor.name() };
    if !keyword && name.is_none() {
        return None;
    }
    if !cursor.sees(&["("]) || cursor.word(1).starts_with(|first: char| first.is_ascii_digit()) {
        // `ADD key VARCHAR(10)` adds a column.
        return None;
    }
    let list = cursor.group()?;
    Some(ActionKind::AddIndex { unique, name, list })
}

fn column_and_place(cursor: &mut Cursor<'_>) -> Result<(ColumnDef, Option<Place>), Unreadable> {
    let column = define::column(cursor).ok_or_else(|| stop(cursor, "the definition of a column"))?;
    let place = if cursor.take(&["FIRST"]) {
        Some(Place::First)
    } else if cursor.take(&["AFTER"]) {
        Some(Place::After(name(cursor, "the name of a column")?))
    } else {
        None
    };
    Ok((column, place))
}

fn drop_something(cursor: &mut Cursor<'_>) -> Result<ActionKind, Unreadable> {
    let kind = if cursor.take(&["PRIMARY", "KEY"]) {
        ActionKind::DropPrimaryKey
    } else if let Some(what) = dropped(cursor) {
        let if_exists = cursor.take(&["IF", "EXISTS"]);
        let name = name(cursor, "the name of a constraint")?;
        ActionKind::DropConstraint { if_exists, name, what }
    } else {
        if cursor.sees(&["COLUMN"]) && cursor.word(1) != "," && !cursor.word(1).is_empty() {
            cursor.skip();
        }
        let if_exists = cursor.take(&["IF", "EXISTS"]);
        let name = name(cursor, "the name of a column")?;
        ActionKind::DropColumn { if_exists, name }
    };
    let _ = cursor.take(&["CASCADE"]) || cursor.take(&["RESTRICT"]);
    Ok(kind)
}

fn dropped(cursor: &mut Cursor<'_>) -> Option<Dropped> {
    let follows = !matches!(cursor.word(1), "" | ",");
    if cursor.take(&["FOREIGN", "KEY"]) {
        Some(Dropped::ForeignKey)
    } else if follows && cursor.take(&["CONSTRAINT"]) {
        Some(Dropped::Any)
    } else if follows && cursor.take(&["CHECK"]) {
        Some(Dropped::Check)
    } else if follows && (cursor.take(&["INDEX"]) || cursor.take(&["KEY"])) {
        Some(Dropped::Index)
    } else {
        None
    }
}

fn alter_column(cursor: &mut Cursor<'_>) -> Result<ActionKind, Unreadable> {
    if cursor.sees(&["COLUMN"]) && !cursor.word(1).eq_ignore_ascii_case("SET") {
        cursor.skip();
    }
    let column = name(cursor, "the name of a column")?;
    if cursor.take(&["SET", "NOT", "NULL"]) {
        Ok(ActionKind::SetNotNull(column))
    } else if cursor.take(&["DROP", "NOT", "NULL"]) {
        Ok(ActionKind::DropNotNull(column))
    } else if cursor.take(&["DROP", "DEFAULT"]) {
        Ok(ActionKind::DropDefault(column))
    } else if cursor.take(&["SET", "DEFAULT"]) {
        let value = until_comma(cursor);
        if value.is_empty() {
            return Err(stop(cursor, "a value"));
        }
        Ok(ActionKind::SetDefault { column, value })
    } else if cursor.take(&["SET", "DATA", "TYPE"]) || cursor.take(&["TYPE"]) {
        set_type(cursor, column)
    } else if cursor.take(&["DROP", "IDENTITY"]) {
        let if_exists = cursor.take(&["IF", "EXISTS"]);
        Ok(ActionKind::DropIdentity { if_exists, column })
    } else if cursor.take(&["DROP", "EXPRESSION"]) {
        let if_exists = cursor.take(&["IF", "EXISTS"]);
        Ok(ActionKind::DropExpression { if_exists, column })
    } else if cursor.take(&["SET", "EXPRESSION", "AS"]) {
        let expression = cursor
            .group()
            .ok_or_else(|| stop(cursor, "an expression in parentheses"))?;
        Ok(ActionKind::SetExpression { column, expression })
    } else if cursor.sees(&["ADD", "GENERATED"]) {
        until_comma(cursor);
        Ok(ActionKind::AddIdentity(column))
    } else {
        Err(unknown(cursor, "SET or DROP of NOT NULL or DEFAULT, or TYPE"))
    }
}

/// Reads up to the next comma outside parentheses.
fn until_comma(cursor: &mut Cursor<'_>) -> Span {
    let start = cursor.position();
    while !cursor.at_end() && !cursor.sees_any(&[",", ";"]) {
        cursor.skip();
    }
    cursor.since(start)
}

fn set_type(cursor: &mut Cursor<'_>, column: Name) -> Result<ActionKind, Unreadable> {
    let data_type = define::data_type(cursor).ok_or_else(|| stop(cursor, "a type"))?;
    let collation = if cursor.take(&["COLLATE"]) {
        Some(name(cursor, "the name of a collation")?)
    } else {
        None
    };
    let using = if cursor.take(&["USING"]) {
        Some(until_comma(cursor)).filter(|span| !span.is_empty())
    } else {
        None
    };
    Ok(ActionKind::SetType {
        column,
        data_type,
        collation,
        using,
        literal: false,
    })
}

fn change(cursor: &mut Cursor<'_>, same_name: bool) -> Result<ActionKind, Unreadable> {
    let start = cursor.position();
    let from = name(cursor, "the name of a column")?;
    if same_name {
        cursor.rewind(start);
    }
    let (column, place) = column_and_place(cursor)?;
    Ok(ActionKind::ChangeColumn { from, column, place })
}

#[cfg(test)]
mod tests {
    use super::*;

    fn check(text: &str, expect: &[&str]) {
        let alter = read(text).unwrap_or_else(|error| panic!("{text}: {error:?}"));
        let actions: Vec<&str> = alter.actions.iter().map(|action| &text[action.span.clone()]).collect();
        assert_eq!(actions, expect, "{text}");
    }

    #[test]
    fn actions_have_their_exact_places() {
        check("ALTER TABLE t ADD c", &["ADD c"]);
        check(
            "ALTER TABLE ONLY a.t ALTER a TYPE UNSIGNED BIG INT COLLATE nocase USING f(a, 1), DROP b;",
            &["ALTER a TYPE UNSIGNED BIG INT COLLATE nocase USING f(a, 1)", "DROP b"],
        );
        check("ALTER TABLE t RENAME column TO x", &["RENAME column TO x"]);
        let key = read("ALTER TABLE t ADD key VARCHAR(10)").expect("a column");
        assert!(matches!(key.actions[0].kind, ActionKind::AddColumn { .. }));
        check(
            "ALTER TABLE t ADD COLUMN d DECIMAL(10,2) NOT NULL DEFAULT 1 CHECK (d > 0) AFTER a, ADD UNIQUE (d)",
            &[
                "ADD COLUMN d DECIMAL(10,2) NOT NULL DEFAULT 1 CHECK (d > 0) AFTER a",
                "ADD UNIQUE (d)",
            ],
        );
        check(
            "ALTER TABLE t ADD CONSTRAINT k FOREIGN KEY (a) REFERENCES p (b) ON DELETE SET NULL DEFERRABLE",
            &["ADD CONSTRAINT k FOREIGN KEY (a) REFERENCES p (b) ON DELETE SET NULL DEFERRABLE"],
        );
    }

    #[test]
    fn the_word_that_is_not_understood_is_named() {
        let text = "ALTER TABLE t SET TABLESPACE x";
        let error = read(text).expect_err("not an action of ours");
        assert_eq!(&text[error.span], "SET");
    }

    #[test]
    fn the_table_is_found_cheaply() {
        let found = table("/* x */ alter table Main.\"T a\" drop c")
            .map(|(schema, table)| (schema.map(|s| s.text), table.text));
        assert_eq!(found, Some((Some("Main".to_owned()), "T a".to_owned())));
        assert!(table("CREATE TABLE t (a)").is_none());
    }

    /// Texts of words that matter to the readers, in any order.
    fn soup() -> impl proptest::strategy::Strategy<Value = String> {
        let words = [
            "ALTER",
            "TABLE",
            "t",
            "ADD",
            "DROP",
            "COLUMN",
            "CONSTRAINT",
            "CHECK",
            "(",
            ")",
            ",",
            "a",
            "\"b c\"",
            "'x'",
            "NOT",
            "NULL",
            "DEFAULT",
            "PRIMARY",
            "KEY",
            "UNIQUE",
            "REFERENCES",
            "TYPE",
            "USING",
            "::",
            "COLLATE",
            "AS",
            "GENERATED",
            "ALWAYS",
            "1",
            "-",
            ".",
            ";",
            "-- c\n",
            "/* c",
            "é",
            "IF",
            "EXISTS",
            "INDEX",
            "FIRST",
            "AFTER",
            "SET",
            "now",
            "CREATE",
            "AUTOINCREMENT",
            "FOREIGN",
            "TO",
            "RENAME",
            "MODIFY",
            "ON",
            "CONFLICT",
            "DEFERRABLE",
            "[x",
            "\"",
        ];
        proptest::collection::vec(proptest::sample::select(words.to_vec()), 0..24).prop_map(|words| words.join(" "))
    }

    use proptest::strategy::Strategy as _;

    proptest::proptest! {
        #[test]
        fn no_text_is_too_odd(text in soup()) {
            for text in [format!("ALTER TABLE t {text}"), text.clone()] {
                match read(&text) {
                    Ok(alter) => proptest::prop_assert!(alter.actions.iter().all(|action| text.get(action.span.clone()).is_some())),
                    Err(error) => proptest::prop_assert!(text.get(error.span).is_some()),
                }
                let _ = table(&text);
            }
        }
    }
}
