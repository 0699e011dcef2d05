//! Ratios in one run: what sqlrev takes beside what SQLite alone takes for the same statements.
//!
//! `scripts/bench` builds both programs and runs this one. Times are CPU time (user and system, of the child alone),
//! the median of rounds in which the contenders take turns; a machine that is busy with other things stretches the
//! clock and hardly these. `ratios limit DATABASE SCRIPT` is the limit itself: `sqlite3_exec` on a whole script.

mod batch;
mod limit;
mod make;
mod measure;
mod peers;
mod schema;
mod table;
mod work;

use std::path::PathBuf;

fn main() {
    let args: Vec<String> = std::env::args().skip(1).collect();
    let words: Vec<&str> = args.iter().map(String::as_str).collect();
    match words.as_slice() {
        ["limit", database, script] => limit::run(database, script),
        ["list", folder] => limit::read_all(folder.as_ref()),
        [sqlrev, only @ ..] => work::all(&PathBuf::from(sqlrev), only),
        [] => panic!("usage: ratios SQLREV [WORKLOAD…]"),
    }
}
