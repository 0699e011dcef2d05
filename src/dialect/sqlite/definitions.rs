//! Definitions in the manners of many tools, as they are and mangled: whatever SQLite takes can be edited, the edits
//! touch nothing else, and SQLite takes what comes out.

use rusqlite::Connection;

use crate::dialect::sqlite::editing;
use crate::dialect::sqlite::harness::rows;
use crate::dialect::sqlite::model::Random;
use crate::dialect::sqlite::table::{Table, unquoted_type};
use crate::sql::split::SQLITE;
use crate::sql::token::{significant, tokens};

const DEFINITIONS: &str = include_str!("../../../testdata/batch/definitions.sql");

/// How many mangled texts are made of each definition.
const MANGLED: usize = 15;

fn definitions(text: &str) -> Vec<String> {
    let (mut found, mut start) = (Vec::new(), 0);
    for token in tokens(text, &SQLITE).filter(|token| &text[token.span.clone()] == ";") {
        found.push(text[start..token.span.start].trim().to_owned());
        start = token.span.end;
    }
    found
}

/// A database that takes what definitions use, and no more.
fn database() -> Connection {
    let db = Connection::open_in_memory().expect("a database");
    let flags =
        rusqlite::functions::FunctionFlags::SQLITE_UTF8 | rusqlite::functions::FunctionFlags::SQLITE_DETERMINISTIC;
    db.create_scalar_function("exists_ok", 1, flags, |_| Ok(1))
        .expect("a function");
    db
}

/// What SQLite stores of a statement for its first table, when it takes it.
fn stored(db: &Connection, sql: &str) -> Option<(String, String)> {
    db.execute_batch("SAVEPOINT one").expect("a savepoint");
    let done = db.execute_batch(sql);
    let all = "SELECT name, sql FROM sqlite_schema WHERE type = 'table' AND name NOT LIKE 'sqlite\\_%' ESCAPE '\\' \
               UNION ALL SELECT name, sql FROM sqlite_temp_schema WHERE type = 'table'";
    let found = rows(db, all).expect("a schema").into_iter().next();
    db.execute_batch("ROLLBACK TO one; RELEASE one").expect("it goes back");
    done.ok()?;
    let mut row = found?.into_iter().flatten();
    row.next().zip(row.next())
}

/// What is wrong with how a statement that SQLite takes can be edited.
fn wrong(db: &Connection, sql: &str) -> Option<String> {
    let Some((_, text)) = stored(db, sql) else {
        // Nobody stores it; no more is asked than that nothing panics.
        let _ = editing::check(sql);
        return None;
    };
    let upper = sql.to_ascii_uppercase();
    if upper.contains("VIRTUAL TABLE") || upper.split_whitespace().any(|word| word == "SELECT") {
        return None;
    }
    match editing::check(&text) {
        Ok(true) => {}
        Ok(false) => return Some(format!("it cannot be read:\n{text}")),
        Err(what) => return Some(format!("{what}\nof\n{text}")),
    }
    for edited in editing::harmless(&text) {
        if stored(db, &edited).is_none() {
            let error = db.execute_batch(&edited).expect_err("refused");
            let _ = db.execute_batch("ROLLBACK");
            return Some(format!("SQLite refuses, for {error}\n{edited}\nof\n{text}"));
        }
    }
    None
}

/// Whether the columns are those that SQLite sees.
fn described(db: &Connection, sql: &str) -> Option<String> {
    let (name, text) = stored(db, sql)?;
    db.execute_batch("SAVEPOINT one").expect("a savepoint");
    db.execute_batch(sql).expect("it took it before");
    let columns = "SELECT name, type, \"notnull\" FROM pragma_table_xinfo(?1) ORDER BY cid";
    let mut statement = db.prepare(columns).expect("a query");
    let seen: Vec<(String, String)> = statement
        .query_map([&name], |row| Ok((row.get(0)?, row.get(1)?)))
        .expect("columns")
        .map(|row| row.expect("a column"))
        .collect();
    drop(statement);
    db.execute_batch("ROLLBACK TO one; RELEASE one").expect("it goes back");
    let table = Table::read(&text).expect("it was read before");
    let bare = |data_type: &str| unquoted_type(data_type).replace(' ', "").to_ascii_uppercase();
    let read: Vec<(String, String)> = table
        .columns()
        .map(|column| {
            let data_type = column.data_type.as_ref().map_or("", |span| table.at(span));
            (column.name.text.clone(), bare(data_type))
        })
        .collect();
    let plain = |data_type: &str| -> String {
        let words = significant(data_type, &SQLITE).map(|token| &data_type[token.span]);
        words.collect::<String>().to_ascii_uppercase().replace(' ', "")
    };
    let seen: Vec<(String, String)> = seen
        .into_iter()
        .map(|(name, data_type)| (name, plain(&data_type)))
        .collect();
    (seen != read).then(|| format!("SQLite sees {seen:?}\nand not {read:?}\nin {text}"))
}

/// The words and gaps of a text with some of them gone, doubled, exchanged, or with something odd among them.
fn mangled(random: &mut Random, text: &str) -> String {
    let mut words: Vec<&str> = tokens(text, &SQLITE).map(|token| &text[token.span]).collect();
    for _ in 0..=random.below(3) {
        let at = random.below(words.len());
        let other = random.below(words.len());
        match random.below(6) {
            0 => drop(words.remove(at)),
            1 => words.insert(at, words[other]),
            2 => words.swap(at, other),
            3 | 4 => words.insert(at, *random.pick(ODD)),
            _ if at < other && other - at < 12 => drop(words.drain(at..other)),
            _ => {}
        }
        if words.is_empty() {
            break;
        }
    }
    words.concat()
}

const ODD: &[&str] = &[
    " ",
    "\n",
    "\r\n",
    "\t",
    "/* ) , ' */",
    "-- it's (\n",
    "/**/",
    ",",
    "(",
    ")",
    " NOT NULL ",
    " NULL ",
    " x ",
    "'",
    "\"",
    "[",
    "]",
    "`",
    " CONSTRAINT c ",
    " CHECK (1) ",
    " UNIQUE ",
    " DEFAULT 1 ",
    " DEFAULT (1) ",
    " DEFAULT -x ",
    " COLLATE NOCASE ",
    "é",
    "🦀",
    " . ",
    " REFERENCES p ",
    " ON DELETE CASCADE ",
    " DEFERRABLE ",
    " NOT DEFERRABLE ",
    " AS (1) ",
    " GENERATED ALWAYS ",
    " PRIMARY KEY ",
    " AUTOINCREMENT ",
    " STRICT ",
    " WITHOUT ROWID ",
    " ON CONFLICT FAIL ",
    " integer ",
    ", z",
    ", UNIQUE (a)",
    ";",
    " IN (1, 2) ",
];

fn report(failures: &[String]) {
    assert!(
        failures.is_empty(),
        "{} fail\n{}",
        failures.len(),
        failures[..failures.len().min(5)].join("\n\n")
    );
}

#[test]
fn definitions_of_many_manners_can_be_edited() {
    let db = database();
    let all = definitions(DEFINITIONS);
    let refused: Vec<&String> = all.iter().filter(|sql| stored(&db, sql).is_none()).collect();
    assert!(refused.is_empty(), "SQLite takes none of {refused:#?}");
    let wrong = |sql: &String| wrong(&db, sql).or_else(|| described(&db, sql));
    let failures: Vec<String> = all.iter().filter_map(wrong).collect();
    report(&failures);
}

#[test]
fn mangled_definitions_do_no_harm() {
    let db = database();
    let mut failures = Vec::new();
    let mut taken = 0;
    for (number, sql) in definitions(DEFINITIONS).iter().enumerate() {
        let mut random = Random(number as u64);
        for _ in 0..MANGLED {
            let text = mangled(&mut random, sql);
            taken += usize::from(stored(&db, &text).is_some());
            failures.extend(wrong(&db, &text));
        }
    }
    report(&failures);
    assert!(taken > 120, "SQLite takes {taken} of them");
}
