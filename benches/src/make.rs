//! Projects to measure on, and the same statements as one script.

use std::fmt::Write as _;
use std::fs::{self, File};
use std::io::{BufWriter, Write};
use std::path::Path;

/// How revisions lie in their folder.
#[derive(Clone, Copy, PartialEq, Eq)]
pub enum Layout {
    /// A folder each.
    Folders,
    /// Two files each.
    Flat,
}

/// The shape of a history.
#[derive(Clone, Copy, PartialEq, Eq)]
pub enum Shape {
    /// One after the other.
    Line,
    /// Two branches and a merge, again and again: a quarter of the revisions are merges.
    Diamonds,
}

pub fn id(i: usize) -> String {
    format!("{:012x}", (i as u64 + 1).wrapping_mul(0x9e37_79b9_7f4a_7c15) >> 16)
}

fn parents(shape: Shape, i: usize) -> Vec<usize> {
    match (shape, i % 4) {
        (_, _) if i == 0 => Vec::new(),
        (Shape::Line, _) | (Shape::Diamonds, 0 | 1) => vec![i - 1],
        (Shape::Diamonds, 2) => vec![i - 2],
        (Shape::Diamonds, _) => vec![i - 1, i - 2],
    }
}

/// Writes a project with an empty database URL of `app.db`.
pub fn project(root: &Path, count: usize, layout: Layout, shape: Shape, body: impl Fn(usize) -> (String, String)) {
    let migrations = root.join("migrations");
    fs::create_dir_all(&migrations).expect("a folder");
    fs::write(root.join("migrations.yaml"), "url: sqlite:app.db\n").expect("a file");
    for i in 0..count {
        let parents: Vec<String> = parents(shape, i).into_iter().map(id).collect();
        let (up, down) = body(i);
        let up = format!(
            "-- ---\n-- revision: {}\n-- down_revision: [{}]\n-- message: change number {i}\n-- created: \
             2026-11-22T21:14:00Z\n-- ---\n{up}",
            id(i),
            parents.join(", ")
        );
        let name = format!("2026{i:05}_{}_change_number_{i}", id(i));
        let files = match layout {
            Layout::Folders => {
                fs::create_dir(migrations.join(&name)).expect("a folder");
                [format!("{name}/upgrade.sql"), format!("{name}/downgrade.sql")]
            }
            Layout::Flat => [format!("{name}.upgrade.sql"), format!("{name}.downgrade.sql")],
        };
        fs::write(migrations.join(&files[0]), up).expect("a file");
        fs::write(migrations.join(&files[1]), down).expect("a file");
    }
}

/// A table, an index and three rows.
pub fn table(i: usize) -> (String, String) {
    let mut up = format!(
        "CREATE TABLE table_{i} (\n    id INTEGER PRIMARY KEY,\n    name TEXT NOT NULL,\n    amount INTEGER NOT NULL \
         DEFAULT 0,\n    created_at TEXT\n);\nCREATE INDEX table_{i}_name ON table_{i} (name);\n"
    );
    for row in 1..4 {
        let _ = writeln!(
            up,
            "INSERT INTO table_{i} (name, amount) VALUES ('name {row} of {i}', {row});"
        );
    }
    (up, format!("DROP TABLE table_{i};\n"))
}

/// One row of one table.
pub fn light(i: usize) -> (String, String) {
    if i == 0 {
        let create = "CREATE TABLE light (id INTEGER PRIMARY KEY, name TEXT);\n";
        return (create.to_owned(), "DROP TABLE light;\n".to_owned());
    }
    let up = format!("INSERT INTO light (id, name) VALUES ({i}, 'row {i}');\n");
    (up, format!("DELETE FROM light WHERE id = {i};\n"))
}

/// The statements of a project as a script that keeps a history of its own: a row per revision, in its transaction.
pub fn script(path: &Path, count: usize, one_transaction: bool, body: impl Fn(usize) -> (String, String)) {
    let mut out = BufWriter::new(File::create(path).expect("a file"));
    let (begin, commit) = if one_transaction {
        ("", "")
    } else {
        ("BEGIN IMMEDIATE;\n", "COMMIT;\n")
    };
    let mut put = |text: &str| out.write_all(text.as_bytes()).expect("it can be written");
    if one_transaction {
        put("BEGIN IMMEDIATE;\n");
    }
    put("CREATE TABLE history (revision TEXT PRIMARY KEY, applied_at TEXT, checksum TEXT);\n");
    for i in 0..count {
        let (up, _) = body(i);
        let row = format!(
            "INSERT INTO history VALUES ('{}', '2026-11-22T21:14:00Z', '{:064x}');\n",
            id(i),
            i
        );
        put(&format!("{begin}{up}{row}{commit}"));
    }
    if one_transaction {
        put("COMMIT;\n");
    }
    drop(out);
}

/// A script of INSERTs of about so many megabytes in one transaction, with what stands before and after it.
pub fn inserts(path: &Path, megabytes: usize, before: &str, after: &str) {
    let mut out = BufWriter::new(File::create(path).expect("a file"));
    let mut put = |text: &str| {
        out.write_all(text.as_bytes()).expect("it can be written");
        text.len()
    };
    put(before);
    put("CREATE TABLE rows (id INTEGER PRIMARY KEY, name TEXT, amount REAL, note TEXT);\n");
    let (mut size, mut i) = (0, 0);
    while size < megabytes << 20 {
        i += 1;
        size += put(&format!(
            "INSERT INTO rows (id, name, amount, note) VALUES ({i}, 'the name of row {i}', {i}.25, 'some words');\n"
        ));
    }
    put(after);
}
