//! Defaults that say a moment in words, such as `DEFAULT 'now()'`, and of which the server keeps the moment itself: the one
//! at which the statement ran (`datatype-datetime.html`, section 8.5.1.4).

use std::ops::Range;

use crate::schema::{Column, Kind as What, Model};
use crate::sql::split;
use crate::sql::token::{self, Kind, Token};

/// The words, and what means the same each time a row comes.
const WORDS: [(&str, &str); 4] = [
    ("now", "now()"),
    ("today", "current_date"),
    ("tomorrow", "(current_date + 1)"),
    ("yesterday", "(current_date - 1)"),
];

/// The types that read them.
const TYPES: [&str; 3] = ["date", "time", "timestamp"];

/// The place of such words in a statement that made a column of the schema, and what to write instead.
pub(super) fn fixed(statement: &str, made: &Model) -> Option<(Range<usize>, &'static str)> {
    let tokens: Vec<Token> = token::significant(statement, &split::POSTGRESQL).collect();
    let text = |token: &Token| &statement[token.span.clone()];
    let is_default = |token: &Token| token.kind == Kind::Word && text(token).eq_ignore_ascii_case("DEFAULT");
    for at in (0..tokens.len()).filter(|at| is_default(&tokens[*at])) {
        // A type may stand before the literal: `timestamp with time zone 'now'`.
        let is_before = |token: &&Token| token.kind != Kind::Text && text(token) != "," && text(token) != ";";
        let before = tokens[at + 1..].iter().take(7).take_while(is_before).count();
        let literal = tokens.get(at + 1 + before).filter(|token| token.kind == Kind::Text);
        let Some(literal) = literal else { continue };
        let said = text(literal).trim_matches('\'').to_ascii_lowercase();
        let said = said
            .split(|letter: char| !letter.is_ascii_lowercase())
            .find(|word| !word.is_empty());
        let known = WORDS.iter().find(|(word, _)| Some(*word) == said);
        let Some((_, instead)) = known.filter(|_| text(literal).starts_with('\'')) else {
            continue;
        };
        let names: Vec<String> = tokens[..at].iter().map(|token| folded(text(token))).collect();
        let tables = made
            .objects
            .iter()
            .filter(|(key, _)| key.kind == What::Table && names.contains(&key.name));
        let mut columns = tables
            .filter_map(|(_, object)| object.table.as_ref())
            .flat_map(|table| &table.columns);
        // The last column that is named before it.
        let is_meant = |column: &Column| {
            let named = names.iter().rposition(|name| *name == column.folded);
            named.is_some_and(|named| is_one_definition(&tokens[named..at], &text)) && is_moment(column)
        };
        if columns.any(is_meant) {
            return Some((literal.span.clone(), instead));
        }
    }
    None
}

/// Whether there is nothing but one column between its name and its default: no comma outside of parentheses, and none of
/// these left open, as behind the name of a table.
fn is_one_definition<'s>(tokens: &[Token], text: &dyn Fn(&Token) -> &'s str) -> bool {
    let mut depth = 0_i32;
    for token in tokens {
        match text(token) {
            "(" => depth += 1,
            ")" => depth -= 1,
            "," if depth == 0 => return false,
            _ => {}
        }
    }
    depth == 0
}

/// A name as the catalogs have it.
fn folded(word: &str) -> String {
    if word.starts_with('"') {
        token::unquoted(word).into_owned()
    } else {
        word.to_ascii_lowercase()
    }
}

/// Whether a column holds moments, and its default is one of them.
fn is_moment(column: &Column) -> bool {
    let data_type = &column.data_type.written;
    let is_one = TYPES.iter().any(|name| data_type.starts_with(name)) && !data_type.ends_with("[]");
    let default = column.default.as_ref().map_or("", |default| default.written.as_str());
    let written = default.strip_prefix('\'').unwrap_or_default();
    is_one && written.starts_with(|letter: char| letter.is_ascii_digit())
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::schema::{Key, Object, Table, Text};

    /// A table `t` with a text `a` and a moment `b`, whose default is `default`.
    fn made(default: &str) -> Model {
        let column = |name: &str, data_type: &str, default: &str| Column {
            name: name.to_owned(),
            folded: name.to_owned(),
            data_type: text(data_type),
            not_null: false,
            default: Some(text(default)),
            collation: None,
            generated: None,
            identity: None,
            other: Text::default(),
            definition: crate::schema::Definition::default(),
        };
        let table = Table {
            columns: vec![
                column("a", "text", "'now'::text"),
                column("b", "timestamp with time zone", default),
            ],
            ..Table::default()
        };
        let mut model = Model::default();
        let object = Object {
            table: Some(table),
            ..Object::default()
        };
        model.objects.insert(Key::new(What::Table, "t"), object);
        model
    }

    fn text(written: &str) -> Text {
        Text {
            written: written.to_owned(),
            meaning: written.to_owned(),
        }
    }

    #[test]
    fn moments_in_words_are_found() {
        let fixed_now = made("'2026-11-22 21:14:00+00'::timestamp with time zone");
        let found = |statement: &str| fixed(statement, &fixed_now).map(|(span, _)| statement[span].to_owned());
        for (statement, expect) in [
            (
                "CREATE TABLE t (a text, b timestamptz NOT NULL DEFAULT 'now()')",
                Some("'now()'"),
            ),
            (
                "CREATE TABLE t (a text DEFAULT 'now', b timestamptz DEFAULT (' Today 10:00'))",
                Some("' Today 10:00'"),
            ),
            (
                "create table \"t\" (\"b\" timestamp(3) with time zone default timestamp with time zone 'NOW')",
                Some("'NOW'"),
            ),
            (
                "ALTER TABLE t ADD COLUMN b timestamptz DEFAULT 'yesterday'",
                Some("'yesterday'"),
            ),
            ("ALTER TABLE t ALTER b SET DEFAULT 'now'", Some("'now'")),
            (
                "CREATE TABLE t (a text DEFAULT 'now', b timestamptz DEFAULT '2026-11-22 21:14:00+00')",
                None,
            ),
            (
                "CREATE TABLE t (b timestamptz DEFAULT '2026-11-22', a text DEFAULT 'now')",
                None,
            ),
            (
                "CREATE TABLE t (a text DEFAULT 'nowhere', b timestamptz DEFAULT now())",
                None,
            ),
            ("CREATE TABLE u (b timestamptz DEFAULT 'now')", None),
            ("CREATE TABLE b (t int, a text DEFAULT 'now')", None),
        ] {
            assert_eq!(found(statement).as_deref(), expect, "{statement}");
        }
        let kept = made("('now'::text)::timestamp with time zone");
        assert_eq!(
            fixed("CREATE TABLE t (b timestamptz DEFAULT 'now'::text::timestamptz)", &kept),
            None
        );
    }
}
