//! Words that reading a schema and changing one have in common.

use std::borrow::Cow;

use crate::dialect::mysql::USUAL;
use crate::schema::{Column, Text};
use crate::sql::split::MYSQL;
use crate::sql::token::{self, Kind};
use crate::sql::write;

/// What begins the name of each database that is made to try things on.
pub(crate) const SCRATCH: &str = "sqlrev_scratch_";

/// Whether a database is one of those.
pub(super) fn is_scratch(database: &str) -> bool {
    let number = database.strip_prefix(SCRATCH);
    number.is_some_and(|number| number.len() == 16 && number.bytes().all(|byte| byte.is_ascii_hexdigit()))
}

/// A name as it stands in statements.
pub(super) fn quoted(name: &str) -> String {
    write::quoted(name, '`')
}

/// A text where the grammar takes nothing but a literal: comments, defaults. Sessions of ours read backslashes.
pub(super) fn literal(text: &str) -> String {
    let text = text.replace('\\', "\\\\").replace('\0', "\\0");
    write::quoted(&text, '\'')
}

/// A name as names of columns and keys are compared.
pub(super) fn fold(name: &str) -> String {
    name.to_lowercase()
}

pub(super) fn same(text: impl Into<String>) -> Text {
    let written = text.into();
    Text {
        meaning: written.clone(),
        written,
    }
}

/// The character set of a collation.
pub(super) fn charset(collation: &str) -> &str {
    collation.split('_').next().unwrap_or(collation)
}

/// A column as it stands in CREATE TABLE, and behind ADD and MODIFY, in a table whose columns have this collation where
/// they say none.
pub(super) fn words(column: &Column, of_table: &str) -> String {
    let mut out = format!("{} {}", quoted(&column.name), column.data_type.written);
    if let Some(collation) = column.collation.as_ref().filter(|own| own.meaning != of_table) {
        out.push(' ');
        out.push_str(&collation.written);
    }
    if let Some(generated) = &column.generated {
        let kept = if generated.stored { "STORED" } else { "VIRTUAL" };
        let expression = &generated.expression.written;
        out.push_str(&format!(" GENERATED ALWAYS AS ({expression}) {kept}"));
    }
    if column.not_null {
        out.push_str(" NOT NULL");
    } else if column.data_type.written.starts_with("timestamp") && column.generated.is_none() {
        // Without the word it would be NOT NULL where `explicit_defaults_for_timestamp` is off.
        out.push_str(" NULL");
    }
    if let Some(default) = &column.default {
        out.push_str(&format!(" DEFAULT {}", default.written));
    }
    if let Some(identity) = &column.identity {
        out.push(' ');
        out.push_str(&identity.written);
    }
    if !column.other.written.is_empty() {
        out.push(' ');
        out.push_str(&column.other.written);
    }
    out
}

/// Lets a session say defaults with zeros for days and months, which no ALTER of their table passes without either.
pub(super) const ZEROS: &str = "SET SESSION sql_mode = REPLACE(REPLACE(REPLACE(@@SESSION.sql_mode, 'NO_ZERO_IN_DATE', ''), 'NO_ZERO_DATE', ''), 'TRADITIONAL', '')";

/// Statements between that and the usual mode.
pub(super) fn with_zeros(mut statements: Vec<String>) -> Vec<String> {
    statements.insert(0, ZEROS.to_owned());
    statements.push(USUAL.to_owned());
    statements
}

/// Whether the default of a column is a date without a day or a month.
pub(super) fn has_zero_date(column: &Column) -> bool {
    let default = column
        .default
        .as_ref()
        .and_then(|default| default.written.strip_prefix('\''));
    let is_zero = |place| default.and_then(|default| default.get(place)) == Some("-00");
    is_date(column) && (is_zero(4..7) || is_zero(7..10))
}

/// Whether a column holds days: DATE, DATETIME, TIMESTAMP.
pub(super) fn is_date(column: &Column) -> bool {
    let data_type = column.data_type.written.as_str();
    ["date", "timestamp"].iter().any(|kind| data_type.starts_with(kind))
}

/// The columns of a key, as names are compared: those that stand in its parentheses, and not in expressions there.
pub(super) fn columns_of(key: &str) -> Vec<String> {
    let mut depth = 0_usize;
    let mut first = false;
    let mut out = Vec::new();
    for token in token::significant(key, &MYSQL) {
        let text = &key[token.span];
        match text {
            "(" => {
                depth += 1;
                first = depth == 1;
                continue;
            }
            ")" if depth == 1 => break,
            ")" => depth -= 1,
            "," if depth == 1 => {
                first = true;
                continue;
            }
            _ if depth == 1 && first && token.kind == Kind::Quoted => out.push(fold(&token::unquoted(text))),
            _ => {}
        }
        first = false;
    }
    out
}

/// The columns among these names that an expression of the server's mentions.
pub(super) fn mentioned(expression: &str) -> impl Iterator<Item = String> {
    token::significant(expression, &MYSQL)
        .filter(|token| token.kind == Kind::Quoted)
        .map(|token| fold(&token::unquoted(&expression[token.span])))
}

/// A text without its own database before names, and the same length where `blank` says so, so that places in it stay.
///
/// A name with a dot behind it may also be a table of that name, or what a query calls one; where such a table is about,
/// only what must be a database is taken for it.
pub(super) fn without_database<'s>(sql: &'s str, database: &str, blank: bool) -> Cow<'s, str> {
    if database.is_empty() || !sql.contains(database) {
        return Cow::Borrowed(sql);
    }
    let tokens: Vec<token::Token> = token::significant(sql, &MYSQL).collect();
    let text = |at: usize| tokens.get(at).map_or("", |token| &sql[token.span.clone()]);
    let before = |at: usize| at.checked_sub(1).map_or("", text);
    let is_name = |at: usize| {
        let kind = tokens.get(at).map(|token| token.kind);
        // Quotes are names' where `sql_mode` says so, and no text has a dot beside it.
        let is_quoted = text(at).starts_with('"') && (text(at + 1) == "." || before(at) == ".");
        matches!(kind, Some(Kind::Word | Kind::Quoted)) || is_quoted
    };
    let is_it = |at: usize| is_name(at) && token::unquoted(text(at)) == database;
    let alone = (0..tokens.len()).any(|at| is_it(at) && text(at + 1) != ".");
    let mut out = String::with_capacity(sql.len());
    let mut done = 0;
    let mut in_tables = false;
    for at in 0..tokens.len() {
        in_tables = in_list(before(at), in_tables);
        let qualifies =
            is_it(at) && text(at + 1) == "." && before(at) != "." && (is_name(at + 2) || text(at + 2) == "*");
        if !qualifies || alone && !(in_tables || matches!(text(at + 3), "." | "(")) {
            continue;
        }
        let span = tokens[at].span.start..tokens[at + 2].span.start;
        out.push_str(&sql[done..span.start]);
        if blank {
            out.extend(std::iter::repeat_n(' ', span.len()));
        }
        done = span.end;
    }
    out.push_str(&sql[done..]);
    Cow::Owned(out)
}

/// Whether a name of a table says its database, where tables are listed.
#[cfg(feature = "mysql")]
pub(super) fn lists_another(sql: &str) -> bool {
    let tokens: Vec<&str> = token::significant(sql, &MYSQL).map(|token| &sql[token.span]).collect();
    let mut in_tables = false;
    tokens.iter().enumerate().any(|(at, _)| {
        let before = at.checked_sub(1).map_or("", |before| tokens[before]);
        in_tables = in_list(before, in_tables);
        in_tables && before != "." && tokens.get(at + 1) == Some(&".")
    })
}

/// Whether the name behind this word is one of a table, a view or a program.
fn in_list(word: &str, was: bool) -> bool {
    const YES: [&str; 23] = [
        "FROM",
        "JOIN",
        "STRAIGHT_JOIN",
        "INTO",
        "UPDATE",
        "TABLE",
        "TABLES",
        "VIEW",
        "TRIGGER",
        "PROCEDURE",
        "FUNCTION",
        "EVENT",
        "SEQUENCE",
        "CALL",
        "REFERENCES",
        "LIKE",
        "EXISTS",
        "TO",
        "IGNORE",
        "REPLACE",
        "INSERT",
        "TRUNCATE",
        "DELETE",
    ];
    const NO: [&str; 16] = [
        "WHERE", "SET", "ON", "USING", "GROUP", "ORDER", "HAVING", "LIMIT", "VALUES", "VALUE", "SELECT", "BEGIN", "BY",
        "(", ";", "=",
    ];
    let among = |list: &[&str]| list.iter().any(|known| word.eq_ignore_ascii_case(known));
    !among(&NO) && (was || among(&YES))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_columns_of_a_key() {
        assert_eq!(columns_of("UNIQUE KEY `u` (`A`(3) DESC,`b`)"), ["a", "b"]);
        assert_eq!(columns_of("KEY `u` ((lower(`a`)),`b`) COMMENT '(`x`)'"), ["b"]);
    }

    #[test]
    fn a_database_before_a_name() {
        for (sql, expect) in [
            ("SELECT app.t.a FROM app.t", "SELECT t.a FROM t"),
            ("UPDATE `app`.t SET app.t.a = app.f(1)", "UPDATE t SET t.a = f(1)"),
            ("SELECT 'app.t', x.app.y FROM x", "SELECT 'app.t', x.app.y FROM x"),
            ("SELECT app.id FROM app", "SELECT app.id FROM app"),
            ("SELECT app.id FROM app.app, app.b", "SELECT app.id FROM app, b"),
            ("CREATE TABLE app.t (a int)", "CREATE TABLE t (a int)"),
            ("DROP TABLE app.t, app.u", "DROP TABLE t, u"),
            (
                "CREATE TRIGGER r BEFORE INSERT ON app.t FOR EACH ROW SET @a = 1",
                "CREATE TRIGGER r BEFORE INSERT ON t FOR EACH ROW SET @a = 1",
            ),
        ] {
            assert_eq!(without_database(sql, "app", false), expect);
            assert_eq!(without_database(sql, "app", true).len(), sql.len());
        }
    }
}
