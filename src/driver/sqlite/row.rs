//! INSERTs of one row of literals: those that differ in the literals alone are compiled once.
//!
//! Most of what an INSERT of a script costs is its compilation. The literals become parameters, and the statement stays with
//! the connection; what a parameter holds is stored as the literal would be: column affinities, defaults, checks and
//! triggers see values, not expressions (datatype3.html, section 3). Whatever is not plain stays as it is written. SQLite
//! compiles a statement that was kept anew when the schema changes, and after a DETACH.

use std::borrow::Cow;
use std::cell::RefCell;

use memchr::memchr;
use rusqlite::types::{ToSql, ToSqlOutput, ValueRef};
use rusqlite::{Connection, Rows, StatementStatus, ffi};

use crate::sql::lex;
use crate::sql::split::Flavor;
use crate::sql::token::{self, Kind};

/// In bytes. What is longer costs little by its compilation.
const LONGEST: usize = 4096;
/// So many statements that begin alike run as they are written before those after them are compiled once.
const FEW: u32 = 3;
/// So many that are compiled each for itself, and those after them run as they are written: their rows differ in more than
/// literals.
const MANY: u32 = 8;
/// How much of a statement tells it from others at first sight, in bytes.
const HEAD: usize = 16;

/// What came last in a thread. It only says whether the trouble pays, so other connections may go on from it.
struct Last {
    head: [u8; HEAD],
    /// How many statements with this head came one after the other.
    count: u32,
    /// How many of them were compiled one after the other, each for itself.
    misses: u32,
    /// An INSERT up to its first value.
    beginning: String,
}

thread_local! {
    static LAST: RefCell<Last> = const {
        RefCell::new(Last { head: [0; HEAD], count: 0, misses: 0, beginning: String::new() })
    };
}

/// Runs the statement, if it is such an INSERT and compiles with parameters; otherwise nothing was done.
pub(super) fn run(connection: &Connection, sql: &str) -> Option<rusqlite::Result<()>> {
    let row = Row::read(sql, values(sql)?)?;
    let mut statement = connection.prepare_cached(&row.template).ok()?;
    for (at, value) in row.values.iter().enumerate() {
        statement.raw_bind_parameter(at + 1, value).ok()?;
    }
    let kept = statement.get_status(StatementStatus::Run) > 0;
    let outside = connection.is_autocommit();
    let ran = step(&mut statement.raw_query());
    let compiled = !kept || statement.reset_status(StatementStatus::RePrepare) > 0;
    LAST.with_borrow_mut(|last| last.misses = if compiled { last.misses + 1 } else { 0 });
    Some(ran.map_err(|error| {
        // One that no longer compiles has the place of its fault in its own text alone. Where the transaction went with the
        // error, its table may have gone too.
        let words = error
            .sqlite_error()
            .is_some_and(|error| error.extended_code == ffi::SQLITE_ERROR);
        let asked = (words && connection.is_autocommit() == outside).then(|| connection.prepare(sql).err());
        asked.flatten().unwrap_or(error)
    }))
}

fn step(rows: &mut Rows<'_>) -> rusqlite::Result<()> {
    while rows.next()?.is_some() {}
    Ok(())
}

/// Where the values of an INSERT begin, if it comes after others of its kind.
fn values(sql: &str) -> Option<usize> {
    let head = sql.as_bytes().first_chunk()?;
    LAST.with_borrow_mut(|last| {
        if last.head != *head {
            (last.head, last.count, last.misses) = (*head, 0, 0);
            return None;
        }
        last.count = last.count.saturating_add(1);
        if last.count < FEW || last.misses > MANY || sql.len() > LONGEST {
            return None;
        }
        if last.beginning.is_empty() || !sql.starts_with(&last.beginning) {
            let first = first_item(sql.as_bytes())?;
            sql[..first].clone_into(&mut last.beginning);
        }
        Some(last.beginning.len())
    })
}

/// An INSERT with its literals taken out.
#[derive(Debug, PartialEq)]
struct Row<'s> {
    template: String,
    values: Vec<Literal<'s>>,
}

#[derive(Debug, PartialEq)]
enum Literal<'s> {
    Null,
    Integer(i64),
    /// Its digits: SQLite itself makes the number, so that it is the same to the last bit.
    Real(&'s str),
    Text(Cow<'s, str>),
    Blob(Vec<u8>),
}

impl Literal<'_> {
    fn place(&self) -> &'static str {
        match self {
            Self::Real(_) => "CAST(? AS REAL)",
            _ => "?",
        }
    }
}

impl ToSql for Literal<'_> {
    fn to_sql(&self) -> rusqlite::Result<ToSqlOutput<'_>> {
        Ok(ToSqlOutput::Borrowed(match self {
            Self::Null => ValueRef::Null,
            Self::Integer(number) => ValueRef::Integer(*number),
            Self::Real(text) => ValueRef::Text(text.as_bytes()),
            Self::Text(text) => ValueRef::Text(text.as_bytes()),
            Self::Blob(bytes) => ValueRef::Blob(bytes),
        }))
    }
}

impl<'s> Row<'s> {
    /// Reads it from its first value on.
    fn read(sql: &'s str, first: usize) -> Option<Self> {
        let bytes = sql.as_bytes();
        // SQLite reads no further than a NUL.
        if memchr(0, bytes).is_some() {
            return None;
        }
        let mut row = Self {
            template: String::with_capacity(bytes.len()),
            values: Vec::new(),
        };
        let (mut kept, mut at) = (0, first);
        loop {
            at = space(bytes, at);
            if let Some((value, end)) = literal(sql, at) {
                row.template.push_str(&sql[kept..at]);
                row.template.push_str(value.place());
                row.values.push(value);
                (kept, at) = (end, end);
            } else {
                at = item_end(bytes, at)?;
            }
            at = space(bytes, at) + 1;
            if bytes[at - 1] == b')' {
                break;
            }
        }
        row.template.push_str(&sql[kept..]);
        (space(bytes, at) == bytes.len() && !row.values.is_empty()).then_some(row)
    }
}

fn space(bytes: &[u8], at: usize) -> usize {
    lex::space_end(bytes, at, Flavor::Sqlite)
}

/// After the parenthesis that follows VALUES in an INSERT, where names alone stand before it.
fn first_item(bytes: &[u8]) -> Option<usize> {
    let begins = |word: &[u8]| {
        let first = bytes.get(..word.len());
        first.is_some_and(|first| first.eq_ignore_ascii_case(word))
    };
    if !(begins(b"INSERT") || begins(b"REPLACE")) {
        return None;
    }
    let (mut at, mut depth) = (0, 0_u32);
    while at < bytes.len() {
        let (kind, end) = token::read(bytes, at, Flavor::Sqlite);
        match (kind, &bytes[at..end]) {
            (Kind::Word, word) if depth == 0 && word.eq_ignore_ascii_case(b"VALUES") => {
                let open = space(bytes, end);
                return (bytes.get(open) == Some(&b'(')).then_some(open + 1);
            }
            (Kind::Word, word) if word.eq_ignore_ascii_case(b"SELECT") => return None,
            (Kind::Symbol, b"(") => depth += 1,
            (Kind::Symbol, b")") => depth = depth.checked_sub(1)?,
            (Kind::Word | Kind::Quoted | Kind::Space, _) | (Kind::Symbol, b"," | b".") => {}
            _ => return None,
        }
        at = end;
    }
    None
}

/// The literal at `at` and its end, where nothing else belongs to its value.
fn literal(sql: &str, at: usize) -> Option<(Literal<'_>, usize)> {
    let bytes = sql.as_bytes();
    let (value, end) = match bytes.get(at)? {
        b'\'' => {
            let end = lex::quote_end(bytes, at + 1, b'\'')?;
            let inner = &sql[at + 1..end - 1];
            let text = match memchr(b'\'', inner.as_bytes()) {
                Some(_) => Cow::Owned(inner.replace("''", "'")),
                None => Cow::Borrowed(inner),
            };
            (Literal::Text(text), end)
        }
        b'x' | b'X' if bytes.get(at + 1) == Some(&b'\'') => {
            let end = lex::after(bytes, at + 2, b'\'')?;
            (Literal::Blob(blob(&sql[at + 2..end - 1])?), end)
        }
        b'n' | b'N' if sql.get(at..at + 4)?.eq_ignore_ascii_case("null") => (Literal::Null, at + 4),
        _ => number(sql, at)?,
    };
    matches!(bytes.get(space(bytes, end)), Some(b',' | b')')).then_some((value, end))
}

/// The bytes of pairs of hexadecimal digits.
fn blob(digits: &str) -> Option<Vec<u8>> {
    let digits = digits.as_bytes();
    let value = |digit: u8| char::from(digit).to_digit(16);
    let pair = |pair: &[u8]| u8::try_from(value(pair[0])? * 16 + value(pair[1])?).ok();
    if digits.len() % 2 == 1 {
        return None;
    }
    digits.chunks_exact(2).map(pair).collect()
}

/// A number of decimal digits, which may have a sign and a point within them.
fn number(sql: &str, at: usize) -> Option<(Literal<'_>, usize)> {
    let bytes = sql.as_bytes();
    let digits = |from: usize| from + bytes[from..].iter().take_while(|byte| byte.is_ascii_digit()).count();
    let first = at + usize::from(bytes[at] == b'-');
    let whole = digits(first);
    if whole == first {
        return None;
    }
    if bytes.get(whole) != Some(&b'.') {
        // One that does not fit is a floating-point number.
        return Some((Literal::Integer(sql[at..whole].parse().ok()?), whole));
    }
    let end = digits(whole + 1);
    // Minus zero keeps its sign as a literal.
    let some = end > whole + 1 && bytes[first..end].iter().any(|byte| matches!(byte, b'1'..=b'9'));
    some.then(|| (Literal::Real(&sql[at..end]), end))
}

/// The end of the item at `at`: a comma, or the parenthesis that closes the row.
fn item_end(bytes: &[u8], mut at: usize) -> Option<usize> {
    let mut depth = 0_u32;
    while at < bytes.len() {
        let (kind, end) = token::read(bytes, at, Flavor::Sqlite);
        match (kind, bytes[at]) {
            (Kind::Symbol, b'(') => depth += 1,
            (Kind::Symbol, b',' | b')') if depth == 0 => return Some(at),
            (Kind::Symbol, b')') => depth -= 1,
            (Kind::Variable | Kind::Comment, _) => return None,
            _ => {}
        }
        at = end;
    }
    None
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;
    use crate::driver::{Driver, sqlite};

    fn template(sql: &str) -> Option<String> {
        Row::read(sql, first_item(sql.as_bytes())?).map(|row| row.template)
    }

    #[test]
    fn literals_alone_are_taken_out() {
        for (sql, expected) in [
            (
                "INSERT INTO t (a, b) VALUES (1, -2.50, 'it''s', NULL)",
                "INSERT INTO t (a, b) VALUES (?, CAST(? AS REAL), ?, ?)",
            ),
            (
                "replace into \"a\".[values](\"values\")\nvalues( 'a' , lower('b'), 1e3 )",
                "replace into \"a\".[values](\"values\")\nvalues( ? , lower('b'), 1e3 )",
            ),
            (
                "INSERT OR IGNORE INTO t VALUES (1 + 1, x'0aF', X'0aF0', NULL || 1, '2')",
                "INSERT OR IGNORE INTO t VALUES (1 + 1, x'0aF', ?, NULL || 1, ?)",
            ),
        ] {
            assert_eq!(template(sql).as_deref(), Some(expected));
        }
        for sql in [
            "INSERT INTO t VALUES (1), (2)",
            "INSERT INTO t VALUES (1) ON CONFLICT DO NOTHING",
            "INSERT INTO t VALUES (1) -- one",
            "INSERT INTO t /* one */ VALUES (1)",
            "INSERT INTO t VALUES (:a, 1)",
            "INSERT INTO t VALUES (1, :a)",
            "INSERT INTO t VALUES (1 /* one */, 2)",
            "INSERT INTO t SELECT a FROM u UNION VALUES (1)",
            "INSERT INTO t VALUES ('a\0b')",
            "INSERT INTO t VALUES (99999999999999999999)",
            "INSERT INTO t VALUES (-0.0)",
            "INSERT INTO t VALUES (1.)",
            "INSERT INTO t VALUES (1",
            "INSERT INTO t VALUES ('1",
            "INSERT INTO t VALUES",
            "INSERT INTO t DEFAULT VALUES",
            "UPDATE t SET a = 1",
        ] {
            assert_eq!(template(sql), None, "{sql}");
        }
    }

    /// As if others like it had come before.
    fn repeated(sql: &str) {
        let head = *sql.as_bytes().first_chunk().unwrap();
        LAST.with_borrow_mut(|last| (last.head, last.count, last.misses) = (head, FEW, 0));
    }

    const TABLES: &str = "CREATE TABLE i (a INTEGER); CREATE TABLE k (a INTEGER PRIMARY KEY); CREATE TABLE r (a REAL);\
         CREATE TABLE n (a NUMERIC); CREATE TABLE x (a TEXT CHECK (length(a) < 9)); CREATE TABLE b (a BLOB); CREATE TABLE o (a);\
         CREATE TABLE s (a ANY) STRICT; CREATE TABLE e (a REAL) STRICT; CREATE TABLE w (a PRIMARY KEY) WITHOUT ROWID;\
         CREATE TABLE g (a, c AS (typeof(a) || quote(a)) STORED); CREATE INDEX g_c ON g (a + 1) WHERE a > 1;\
         CREATE TABLE told (a, b); CREATE VIEW v AS SELECT a FROM i;\
         CREATE TRIGGER v_in INSTEAD OF INSERT ON v BEGIN INSERT INTO told VALUES (typeof(NEW.a), NEW.a); END;\
         CREATE VIRTUAL TABLE f USING fts5 (a); CREATE VIRTUAL TABLE d USING rtree (id, a, z)";

    /// Runs the statements one after the other in a database of their own; what they said, and what is in it then.
    fn outcome(
        tables: &str,
        statements: &[String],
        one: impl Fn(&mut Connection, &str) -> Option<String>,
    ) -> Vec<String> {
        let mut db = sqlite::memory().unwrap();
        db.execute_batch(tables).unwrap();
        let mut all: Vec<String> = statements.iter().filter_map(|sql| one(&mut db, sql)).collect();
        for table in ["i", "k", "r", "n", "x", "b", "o", "s", "e", "w", "g", "told", "f", "d"] {
            let column = if table == "told" {
                "a || quote(b)"
            } else {
                "typeof(a) || quote(a)"
            };
            let sql = format!("SELECT {column} FROM {table}");
            all.extend(db.query(&sql).unwrap().into_iter().flatten().flatten());
        }
        all
    }

    fn as_literals_are(values: &[String], pragma: &str) {
        let tables = format!("{pragma};{TABLES}");
        let mut statements = Vec::new();
        for table in ["i", "k", "r", "n", "x", "b", "o", "s", "e", "w", "g", "v", "f", "k"] {
            statements.extend(
                values
                    .iter()
                    .map(|value| format!("INSERT INTO {table} (a) VALUES ({value})")),
            );
        }
        statements.extend(
            values
                .iter()
                .map(|value| format!("INSERT INTO d VALUES (NULL, {value}, 9999999999)")),
        );
        let told = |ran: Result<(), crate::driver::DriverError>| ran.err().map(|error| format!("{error:?}"));
        let taken_out = outcome(&tables, &statements, |db, sql| {
            repeated(sql);
            told(db.queue(sql, None))
        });
        let written = outcome(&tables, &statements, |db, sql| told(Driver::execute(db, sql)));
        for (taken_out, written) in taken_out.iter().zip(&written) {
            assert_eq!(taken_out, written);
        }
        assert_eq!(taken_out.len(), written.len());
    }

    #[test]
    fn what_is_stored_is_what_the_literals_are() {
        let values = [
            "1",
            "-1",
            "007",
            "0",
            "-0",
            "999999999999999999",
            "4611686018427387904",
            "-9223372036854775808",
            "1.0",
            "-1.50",
            "0.1",
            "123456789012345678901234567890.5",
            "0.30000000000000004",
            "''",
            "'1'",
            "'1.0'",
            "' 2 '",
            "'it''s'",
            "'é\u{1F600}'",
            "'too long for the check'",
            "NULL",
            "x'31'",
            "'x'",
            "nope",
            "1e400",
            "TRUE",
        ];
        let values: Vec<String> = values.map(str::to_owned).into();
        as_literals_are(&values, "");
        as_literals_are(&values, "PRAGMA encoding = 'UTF-16'");
    }

    proptest! {
        #[test]
        fn numbers_are_the_same_to_the_last_bit(value in "-?[0-9]{1,20}(\\.[0-9]{1,20})?") {
            let db = &mut sqlite::memory().unwrap();
            db.execute_batch("CREATE TABLE t (o, r REAL, n NUMERIC, x TEXT)").unwrap();
            let sql = format!("INSERT INTO t VALUES ({value}, {value}, {value}, {value})");
            repeated(&sql);
            db.queue(&sql, None).unwrap();
            Driver::execute(db, &sql).unwrap();
            prop_assert_eq!(db.query("SELECT DISTINCT o, r, n, x, typeof(o), typeof(n) FROM t").unwrap().len(), 1);
        }
    }

    #[test]
    fn a_file_attached_under_the_name_of_another_is_noticed() {
        let folder = tempfile::tempdir().unwrap();
        let db = &mut sqlite::memory().unwrap();
        for (file, tables) in [
            // As many changes in each: by the number of the schema they are the same.
            ("one", "CREATE TABLE a.t (v); CREATE TABLE a.u (v)"),
            ("two", "CREATE TABLE a.u (v); CREATE TABLE a.t (v)"),
        ] {
            let path = folder.path().join(file);
            db.execute_batch(&format!("ATTACH '{}' AS a; {tables}", path.display()))
                .unwrap();
            for value in 1..9 {
                db.queue(&format!("INSERT INTO t VALUES ({value})"), None).unwrap();
            }
            assert_eq!(db.query("SELECT count(*) FROM a.t").unwrap(), [[Some("8".to_owned())]]);
            db.execute_batch("DETACH a").unwrap();
        }
    }

    #[test]
    fn the_place_of_a_fault_is_in_the_text_that_was_written() {
        let db = &mut sqlite::memory().unwrap();
        db.execute_batch("CREATE TABLE t (a)").unwrap();
        for _ in 0..9 {
            db.queue("INSERT INTO t (a) VALUES (1)", None).unwrap();
        }
        db.execute_batch("ALTER TABLE t RENAME COLUMN a TO b").unwrap();
        let error = db.queue("INSERT INTO t (a) VALUES (2)", Some(7)).unwrap_err();
        assert_eq!(
            (error.message.as_str(), error.ticket),
            ("table t has no column named a", Some(7))
        );
        let error = db.queue("INSERT INTO u (a) VALUES (2)", None).unwrap_err();
        assert_eq!((error.message.as_str(), error.offset), ("no such table: u", None));
    }
}
