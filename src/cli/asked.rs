//! Renames of the command line: `TABLE.COLUMN=NEW_NAME` or `TABLE=NEW_NAME`. A name with a dot or an equals sign stands in
//! quotes, as in SQL.

use crate::cli::renames::Names;
use crate::code::Code;
use crate::error::{Error, Result};
use crate::schema::diff::{self, Rename};
use crate::schema::{Key, Model, Table};
use crate::sql::parse::renamed::Called;
use crate::sql::token;

/// The place of a sign in a text outside of quotes, from the left or from the right.
fn cut(text: &str, sign: char, last: bool) -> Option<(&str, &str)> {
    let mut quote = None;
    let mut found = None;
    let mut begins = true;
    for (at, letter) in text.char_indices() {
        match quote {
            Some(open) if letter == open => quote = None,
            Some(_) => {}
            // Two quotes in a name are one, and go on with it.
            None if matches!(letter, '"' | '`') && (begins || text[..at].ends_with(letter)) => quote = Some(letter),
            None if letter == sign && (last || found.is_none()) => found = Some(at),
            None => {}
        }
        begins = quote.is_none() && matches!(letter, '.' | '=');
    }
    // A quote that nothing closes is a letter.
    let at = if quote.is_some() {
        if last { text.rfind(sign) } else { text.find(sign) }
    } else {
        found
    }?;
    Some((&text[..at], &text[at + sign.len_utf8()..]))
}

/// A name in quotes without them; none where it has none.
fn unquoted(name: &str) -> Option<String> {
    let quote = name.chars().next().filter(|letter| matches!(letter, '"' | '`'))?;
    let inside = name.strip_prefix(quote)?.strip_suffix(quote)?;
    let doubled = format!("{quote}{quote}");
    let is_whole = !inside.replace(&doubled, "").contains(quote);
    is_whole.then(|| token::unquoted(name).into_owned())
}

/// What is found by a name: in quotes as it is, else as it is typed or as it would be without quotes.
fn typed<T>(name: &str, find: impl Fn(&Called) -> Option<T>) -> Option<T> {
    let called = |text: String, is_quoted| Called { text, is_quoted };
    if let Some(text) = unquoted(name) {
        return find(&called(text, true));
    }
    find(&called(name.to_owned(), true)).or_else(|| find(&called(name.to_owned(), false)))
}

/// A table, its schema before it or not.
fn table_of(names: &Names, model: &Model, name: &str) -> Option<Key> {
    let bare = typed(name, |called| names.tables(model, None, called).into_iter().next());
    bare.or_else(|| {
        let (schema, table) = cut(name, '.', false)?;
        let schema = unquoted(schema).unwrap_or_else(|| schema.to_owned());
        let same = |other: &str| schema == other;
        let found = typed(table, |called| names.tables(model, Some(&same), called).pop());
        found.filter(|key| !key.schema.is_empty())
    })
}

/// The rename of a table, which leaves it in its schema.
fn of_table(
    table: Key,
    (old, new): (&str, &str),
    names: &Names,
    (from, to): (&Model, &Model),
    wrong: &dyn Fn(&str) -> Error,
) -> Result<Rename> {
    if to.objects.contains_key(&table) {
        return Err(wrong(&format!("the table `{old}` is in the wanted schema as well")));
    }
    let wanted = typed(new, |called| {
        let same = |schema: &str| schema == table.schema;
        names.tables(to, Some(&same), called).pop()
    });
    let wanted = match (wanted, table_of(names, to, new)) {
        (Some(key), _) => key,
        (None, Some(key)) if key.schema == table.schema => key,
        (None, Some(key)) => {
            let message = format!(
                "`{}` is in another schema, and a rename leaves a table where it is",
                key.shown()
            );
            let moved = diff::moved(&table, &key.schema);
            return Err(wrong(&message).help(format!("move it before, in a revision of its own: {moved}")));
        }
        (None, None) => return Err(wrong(&format!("the wanted schema has no table `{new}`"))),
    };
    if from.objects.contains_key(&wanted) {
        return Err(wrong(&format!("there is a table `{new}` already")));
    }
    Ok(Rename {
        table,
        column: None,
        to: to.objects[&wanted].name.clone(),
        folded: wanted.name,
    })
}

/// A rename of the command line: `table.column=new` or `table=new`.
pub(super) fn read(word: &str, names: &Names, from: &Model, to: &Model) -> Result<Rename> {
    let wrong = |what: &str| {
        Error::new(Code::SchemaRename, format!("`--rename {word}`: {what}"))
            .help("it is written TABLE.COLUMN=NEW_NAME or TABLE=NEW_NAME")
    };
    let (old, new) = cut(word, '=', false).ok_or_else(|| wrong("there is no `=` in it"))?;
    if let Some(table) = table_of(names, from, old) {
        return of_table(table, (old, new), names, (from, to), &wrong);
    }
    let (table, column) = cut(old, '.', true).ok_or_else(|| wrong(&format!("there is no table `{old}`")))?;
    // Where the table is renamed as well, it is called by its new name.
    let key = table_of(names, from, table)
        .filter(|key| to.objects.contains_key(key))
        .or_else(|| table_of(names, to, table))
        .or_else(|| table_of(names, from, table));
    let key = key.ok_or_else(|| wrong(&format!("there is no table `{table}`")))?;
    let then = to
        .table(&key)
        .ok_or_else(|| wrong(&format!("the wanted schema has no table `{table}`")))?;
    let of = |table: &Table, name: &str| typed(name, |called| names.of(table, called).cloned());
    let old = match from.table(&key) {
        Some(now) => {
            of(now, column)
                .ok_or_else(|| wrong(&format!("the table has no column `{column}`")))?
                .folded
        }
        // The table has its new name only afterwards.
        None => unquoted(column).unwrap_or_else(|| column.to_owned()),
    };
    let new_column = of(then, new).ok_or_else(|| wrong(&format!("the wanted table has no column `{new}`")))?;
    let spelled = from.table(&key).and_then(|now| now.column(&old));
    let in_other_letters = old == new_column.folded && spelled.is_some_and(|now| now.name != new_column.name);
    if then.column(&old).is_some() && !in_other_letters {
        return Err(wrong(&format!("the column `{column}` is in the wanted table as well")));
    }
    let taken = from.table(&key).and_then(|now| now.column(&new_column.folded));
    if taken.is_some() && !in_other_letters {
        return Err(wrong(&format!("the table has a column `{new}` already")));
    }
    Ok(Rename {
        table: key,
        column: Some(old),
        to: new_column.name,
        folded: new_column.folded,
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn signs_in_quotes_are_letters() {
        for (text, sign, last, expect) in [
            ("a.b=c", '=', false, Some(("a.b", "c"))),
            ("\"a=b\".c=d", '=', false, Some(("\"a=b\".c", "d"))),
            ("s.\"t.u\".\"v.w\"", '.', true, Some(("s.\"t.u\"", "\"v.w\""))),
            ("`a.b`", '.', true, None),
            ("\"a\"\".b\".c", '.', true, Some(("\"a\"\".b\"", "c"))),
            ("5\".a=b", '=', false, Some(("5\".a", "b"))),
            ("\"a.b=c", '=', false, Some(("\"a.b", "c"))),
        ] {
            assert_eq!(cut(text, sign, last), expect, "{text}");
        }
        assert_eq!(unquoted("\"a\"\"b\"").as_deref(), Some("a\"b"));
        assert_eq!(unquoted("\"a\".\"b\""), None);
        assert_eq!(unquoted("a"), None);
    }
}
