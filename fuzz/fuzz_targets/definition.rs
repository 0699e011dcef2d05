//! Texts of CREATE TABLE to the editor of definitions: nothing panics, and what an edit does not mean stays as it is.

#![no_main]

use libfuzzer_sys::fuzz_target;
use sqlrev::dialect::sqlite::editing;

fuzz_target!(|text: &str| {
    if let Err(what) = editing::check(text) {
        panic!("{what}\nof\n{text}");
    }
});
