//! Two releases on one file, in both orders; and power cuts in the middle of an upgrade.

use std::path::{Path, PathBuf};
use std::process::{Command, Output, Stdio};
use std::time::{Duration, Instant};

use rusqlite::Connection;

const NEW: &str = env!("CARGO_BIN_EXE_notes");
const OLD: &str = env!("CARGO_BIN_EXE_notes-1");

fn file(name: &str) -> PathBuf {
    let path = Path::new(env!("CARGO_TARGET_TMPDIR")).join(format!("{name}-{}.db", std::process::id()));
    for suffix in ["", "-journal", "-wal", "-shm"] {
        let _ = std::fs::remove_file(format!("{}{suffix}", path.display()));
    }
    path
}

fn run(program: &str, path: &Path, words: &[&str]) -> Output {
    Command::new(program).arg(path).args(words).output().expect("it runs")
}

fn must(program: &str, path: &Path, words: &[&str]) -> String {
    let output = run(program, path, words);
    assert!(output.status.success(), "{words:?}: {output:?}");
    String::from_utf8(output.stdout).expect("UTF-8")
}

fn talk(program: &str, path: &Path, words: &[&str]) -> String {
    String::from_utf8(run(program, path, words).stderr).expect("UTF-8")
}

#[test]
fn the_old_release_first() {
    let path = file("old-first");
    must(OLD, &path, &["add", "two words"]);
    assert_eq!(must(NEW, &path, &["status"]), "3 revisions to apply\n");
    let told = talk(NEW, &path, &["list"]);
    assert_eq!(told.lines().count(), 3, "{told}");
    assert_eq!(must(NEW, &path, &["list"]), "1 two words\n");
    assert_eq!(must(NEW, &path, &["status"]), "up to date\n");
    let db = Connection::open(&path).expect("it opens");
    let words: i64 = db
        .query_row("SELECT words FROM notes", [], |row| row.get(0))
        .expect("a number");
    assert_eq!(words, 2);
}

#[test]
fn the_new_release_first() {
    let path = file("new-first");
    must(NEW, &path, &["add", "of the new release"]);
    // The old one says what to install, reads, and does not write.
    assert_eq!(must(OLD, &path, &["status"]), "3 revisions are of a newer release\n");
    let told = talk(OLD, &path, &["list"]);
    assert!(
        told.contains("install the version that made it (notes 2.0.0), or a newer one"),
        "{told}"
    );
    assert_eq!(must(OLD, &path, &["list"]), "1 of the new release\n");
    assert!(!run(OLD, &path, &["add", "not now"]).status.success());
    // Only the new release's own code could undo what it did.
    let refused = run(OLD, &path, &["go-back"]);
    assert!(!refused.status.success());
    assert!(
        String::from_utf8_lossy(&refused.stderr).contains("code of its application"),
        "{refused:?}"
    );
    assert_eq!(must(NEW, &path, &["list"]), "1 of the new release\n");
}

/// A file of the old release with notes in it.
fn filled(name: &str) -> PathBuf {
    let path = file(name);
    must(OLD, &path, &["fill", "5000"]);
    path
}

#[test]
fn a_hundred_kills_in_an_upgrade() {
    // With a rollback journal, and with a write-ahead log.
    let sources = ["DELETE", "WAL"].map(|journal| {
        let source = filled(&format!("source-{journal}"));
        let db = Connection::open(&source).expect("it opens");
        db.pragma_update(None, "journal_mode", journal).expect("a mode");
        source
    });
    let path = file("killed");
    let mut random = Instant::now().elapsed().subsec_nanos() | 1;
    let mut next = || {
        random ^= random << 13;
        random ^= random >> 17;
        random ^= random << 5;
        random
    };
    let copy = |source: &Path| {
        for suffix in ["-journal", "-wal", "-shm"] {
            let _ = std::fs::remove_file(format!("{}{suffix}", path.display()));
        }
        std::fs::copy(source, &path).expect("a copy");
    };
    copy(&sources[0]);
    let began = Instant::now();
    must(NEW, &path, &["status"]);
    must(NEW, &path, &["add", "the last one"]);
    let whole = began.elapsed().max(Duration::from_millis(5));
    let (mut stopped, mut half_way) = (0, 0);
    for round in 0..100 {
        copy(&sources[round % 2]);
        let mut child = Command::new(NEW)
            .arg(&path)
            .args(["add", "the last one"])
            .stderr(Stdio::null())
            .spawn()
            .expect("it runs");
        let micros = u64::try_from(whole.as_micros()).expect("a short time");
        std::thread::sleep(Duration::from_micros(u64::from(next()) % micros));
        let _ = child.kill();
        stopped += i32::from(!child.wait().expect("it ends").success());
        half_way += i32::from(looks_whole(&path));
        // The next start repairs and finishes.
        must(NEW, &path, &["list"]);
        let db = Connection::open(&path).expect("it opens");
        let one = |sql: &str| db.query_row(sql, [], |row| row.get::<_, String>(0)).expect(sql);
        assert_eq!(one("PRAGMA integrity_check"), "ok");
        assert_eq!(
            one("SELECT CAST(count(*) = 5000 AS TEXT) FROM notes WHERE words = 14"),
            "1"
        );
        assert_eq!(must(NEW, &path, &["status"]), "up to date\n");
    }
    println!("{stopped} were stopped, {half_way} of them between the first and the last revision");
    assert!(stopped > 10, "only {stopped} of 100 were stopped in time");
}

/// Reads what a kill left, which must be the state after some revision; tells whether it is one in the middle.
fn looks_whole(path: &Path) -> bool {
    let db = Connection::open(path).expect("it opens");
    let applied: i64 = db
        .query_row("SELECT count(*) FROM sqlrev_revisions", [], |row| row.get(0))
        .expect("the version table");
    let has = |sql: &str| db.query_row(sql, [], |row| row.get::<_, bool>(0)).expect(sql);
    let column = |name: &str| {
        has(&format!(
            "SELECT count(*) FROM pragma_table_info('notes') WHERE name = '{name}'"
        ))
    };
    let table = has("SELECT count(*) FROM sqlite_schema WHERE name = 'tags'");
    assert_eq!(
        (column("title"), column("words"), table),
        (applied >= 2, applied >= 3, applied >= 4)
    );
    if applied == 3 {
        assert!(!has(
            "SELECT count(*) FROM notes WHERE words IS NULL AND body <> 'the last one'"
        ));
    }
    1 < applied && applied < 4
}
