//! Texts of CREATE TABLE to the editor of definitions: nothing panics, and what an edit does not mean stays as it is.

#![no_main]

use libfuzzer_sys::fuzz_target;
use rusqlite::Connection;
use sqlrev::dialect::sqlite::editing;

fuzz_target!(|text: &str| {
    let Err(what) = editing::check(text) else { return };
    // What SQLite does not take for a table is never stored, and may be misread.
    let taken = Connection::open_in_memory().and_then(|database| database.execute(text, ()));
    if taken.is_ok() {
        panic!("{what}\nof\n{text}");
    }
});
