//! Reads the directives that change a table in ways for which SQL has no words: `-- sqlrev:reorder table (column, …)`,
//! `-- sqlrev:retype table (column type)`, `-- sqlrev:nullable table (column)`, `-- sqlrev:strict table`,
//! `-- sqlrev:without_rowid table` and `-- sqlrev:autoincrement table`, each of the last three with `off` behind it for
//! the opposite.

use crate::sql::parse::alter::{self, Action, ActionKind, Alter, TableOption, Unreadable};
use crate::sql::parse::cursor::{Cursor, Name};
use crate::sql::parse::define;

/// How a directive begins; it stands in a comment of its own.
const MARK: &str = "-- sqlrev:";

/// What a directive does to a table.
#[derive(Debug, Clone, Copy)]
enum Does {
    Reorder,
    Retype,
    Nullable,
    Switch(TableOption),
}

/// The directives that change a table, by their names.
const NAMES: [(&str, Does); 6] = [
    ("reorder", Does::Reorder),
    ("retype", Does::Retype),
    ("nullable", Does::Nullable),
    ("strict", Does::Switch(TableOption::Strict)),
    ("without_rowid", Does::Switch(TableOption::WithoutRowid)),
    ("autoincrement", Does::Switch(TableOption::Autoincrement)),
];

/// The words of a directive behind its name, and which one it is.
#[derive(Debug)]
pub(super) struct Directive {
    /// The text with its first words blanked out, so that places stay what they are.
    pub(super) words: String,
    does: Does,
}

/// The directive that a comment is, if it is one that changes a table.
pub(super) fn of(text: &str) -> Option<Directive> {
    let rest = text.strip_prefix(MARK)?;
    NAMES.iter().find_map(|(name, does)| {
        let words = rest.strip_prefix(name)?;
        let first = MARK.len() + name.len();
        (words.is_empty() || words.starts_with([' ', '\t'])).then(|| Directive {
            words: format!("{}{words}", " ".repeat(first)),
            does: *does,
        })
    })
}

impl Directive {
    /// Reads the directive.
    pub(super) fn read(&self) -> Result<Alter, Unreadable> {
        let mut cursor = Cursor::new(&self.words);
        let mut table = alter::name(&mut cursor, "the name of a table")?;
        let mut schema = None;
        if cursor.take(&["."]) {
            schema = Some(table);
            table = alter::name(&mut cursor, "the name of a table")?;
        }
        let start = cursor.position();
        let kind = match self.does {
            Does::Switch(option) => ActionKind::SetOption {
                option,
                on: switched_on(&mut cursor)?,
            },
            Does::Reorder => ActionKind::Reorder(columns(&mut cursor)?),
            Does::Retype => retype(&mut cursor)?,
            Does::Nullable => nullable(&mut cursor)?,
        };
        let span = match self.does {
            Does::Switch(_) => table.span.clone(),
            Does::Reorder | Does::Retype | Does::Nullable => cursor.since(start),
        };
        Ok(Alter {
            if_exists: false,
            schema,
            table,
            actions: vec![Action { span, kind }],
        })
    }
}

fn switched_on(cursor: &mut Cursor<'_>) -> Result<bool, Unreadable> {
    let on = !cursor.take(&["OFF"]);
    if on {
        let _ = cursor.take(&["ON"]);
    }
    if cursor.at_end() {
        Ok(on)
    } else {
        Err(alter::stop(cursor, "`on`, `off` or nothing"))
    }
}

/// A column with the type that it gets, as it is written or none, and a collation.
fn retype(cursor: &mut Cursor<'_>) -> Result<ActionKind, Unreadable> {
    if !cursor.take(&["("]) {
        return Err(alter::stop(cursor, "the column and its type in parentheses"));
    }
    let column = alter::name(cursor, "the name of a column")?;
    let end = column.span.end;
    let data_type = define::data_type(cursor).unwrap_or(end..end);
    let collation = if cursor.take(&["COLLATE"]) {
        Some(alter::name(cursor, "the name of a collation")?)
    } else {
        None
    };
    if !cursor.take(&[")"]) || !cursor.at_end() {
        return Err(alter::stop(cursor, "the closing parenthesis"));
    }
    Ok(ActionKind::SetType {
        column,
        data_type,
        collation,
        using: None,
        literal: true,
    })
}

/// A column of the primary key that may be NULL.
fn nullable(cursor: &mut Cursor<'_>) -> Result<ActionKind, Unreadable> {
    let at = cursor.position();
    match <[Name; 1]>::try_from(columns(cursor)?) {
        Ok([column]) => Ok(ActionKind::Nullable(column)),
        Err(_) => Err(Unreadable {
            span: cursor.since(at),
            expected: "one column in parentheses",
            unknown_action: false,
        }),
    }
}

fn columns(cursor: &mut Cursor<'_>) -> Result<Vec<Name>, Unreadable> {
    if !cursor.take(&["("]) {
        return Err(alter::stop(cursor, "the columns in parentheses"));
    }
    let mut columns = vec![alter::name(cursor, "the name of a column")?];
    while cursor.take(&[","]) {
        columns.push(alter::name(cursor, "the name of a column")?);
    }
    if !cursor.take(&[")"]) || !cursor.at_end() {
        return Err(alter::stop(cursor, "a comma or the closing parenthesis"));
    }
    Ok(columns)
}

#[cfg(test)]
mod tests {
    use super::*;

    /// The examples in the grammar, those of directives that change a table.
    #[test]
    fn the_grammar_tells_the_truth() {
        let grammar = include_str!("../../../grammar/directive.ebnf");
        let (ok, no) = grammar.split_once("(* no:").expect("both kinds of examples");
        let examples = |text: &'static str| text.lines().filter(|line| line.starts_with(MARK));
        let changes = |line: &&str| NAMES.iter().any(|(name, _)| line[MARK.len()..].starts_with(name));
        let read: Vec<&str> = examples(ok).filter(changes).collect();
        assert!(read.len() >= 5, "{read:?}");
        for line in read {
            assert!(alter::read(line).is_ok(), "{line}");
        }
        for line in examples(no) {
            assert!(alter::read(line).is_err(), "{line}");
        }
    }

    #[test]
    fn an_option_is_switched_on_or_off() {
        let check = |text: &str, expect: bool| {
            let alter = alter::read(text).expect("a directive");
            let ActionKind::SetOption { on, .. } = alter.actions[0].kind else {
                panic!("{text}: {alter:?}");
            };
            assert_eq!((on, alter.table.text.as_str()), (expect, "t"), "{text}");
        };
        check("-- sqlrev:strict t", true);
        check("-- sqlrev:without_rowid main.t off", false);
        check("-- sqlrev:autoincrement \"t\" ON", true);
    }
}
