//! What cannot be beaten: the engine alone, and the files alone.

use std::ffi::{CStr, CString};
use std::path::Path;
use std::ptr::null_mut;

use rusqlite::ffi;

/// Runs a script with one call of `sqlite3_exec`.
pub fn run(database: &str, script: &str) {
    let text = CString::new(std::fs::read(script).expect("a script")).expect("no NUL");
    let database = CString::new(database).expect("no NUL");
    let mut db = null_mut();
    // SAFETY: the pointers live until the calls return, and the connection is used by this thread alone.
    unsafe {
        let opened = ffi::sqlite3_open(database.as_ptr(), &raw mut db);
        assert_eq!(opened, ffi::SQLITE_OK, "cannot open the database");
        let done = ffi::sqlite3_exec(db, text.as_ptr(), None, null_mut(), null_mut());
        let message = CStr::from_ptr(ffi::sqlite3_errmsg(db)).to_string_lossy().into_owned();
        assert_eq!(done, ffi::SQLITE_OK, "{message}");
        ffi::sqlite3_close(db);
    }
}

/// Lists a folder and the folders in it, and reads every upgrade.
pub fn read_all(folder: &Path) {
    let mut bytes = 0;
    for entry in std::fs::read_dir(folder).expect("a folder") {
        let path = entry.expect("an entry").path();
        let file = if path.is_dir() { path.join("upgrade.sql") } else { path };
        if file.to_string_lossy().ends_with("upgrade.sql") {
            bytes += std::fs::read(file).expect("a file").len();
        }
    }
    assert!(bytes > 0);
}
