//! The little world a case lives in: a temporary folder, a fixed clock, ids that count, and a few commands.

use std::cell::RefCell;
use std::fmt::Write as _;
use std::io::Write;
use std::path::{Path, PathBuf};
use std::rc::Rc;
use std::time::Duration;

use rusqlite::types::ValueRef;
use rusqlite::{Connection, OpenFlags};
use sqlrev::cli;
use sqlrev::execute::event::Clock;
use tempfile::TempDir;

/// The moment at which every case plays.
const NOW: &str = "2026-11-22T21:14:00Z";

pub(crate) struct World {
    folder: TempDir,
    ids: u32,
    variables: Vec<(String, String)>,
}

struct Fixed;

impl Clock for Fixed {
    fn now(&self) -> String {
        NOW.to_owned()
    }

    fn elapsed(&self) -> Duration {
        Duration::ZERO
    }
}

/// Standard output and standard error of a command, in the order in which they were written.
#[derive(Clone, Default)]
struct Screen(Rc<RefCell<Vec<u8>>>);

impl Write for Screen {
    fn write(&mut self, bytes: &[u8]) -> std::io::Result<usize> {
        self.0.borrow_mut().extend_from_slice(bytes);
        Ok(bytes.len())
    }

    fn flush(&mut self) -> std::io::Result<()> {
        Ok(())
    }
}

impl World {
    pub(crate) fn new() -> Self {
        // Memory-backed where there is such a folder: a case that waits for the disk tests nothing more.
        let shm = Path::new("/dev/shm");
        let folder = if shm.is_dir() {
            TempDir::new_in(shm)
        } else {
            TempDir::new()
        };
        Self {
            folder: folder.expect("a temporary folder"),
            ids: 0,
            variables: Vec::new(),
        }
    }

    pub(crate) fn path(&self, name: &str) -> PathBuf {
        self.folder.path().join(name)
    }

    pub(crate) fn write(&self, name: &str, lines: &[String]) {
        let path = self.path(name);
        std::fs::create_dir_all(path.parent().expect("a folder")).expect("the folder can be made");
        let text: String = lines.iter().map(|line| format!("{line}\n")).collect();
        std::fs::write(path, text).expect("the file can be written");
    }

    /// Runs a command and returns the lines it prints, and its exit status where that is not 0.
    pub(crate) fn command(&mut self, command: &str) -> Vec<String> {
        let (command, into) = match command.split_once(" > ") {
            Some((command, file)) => (command, Some(file.trim().to_owned())),
            None => (command, None),
        };
        let words: Vec<String> = shlex::split(command).expect("quotes are closed");
        let words: Vec<&str> = words.iter().map(String::as_str).collect();
        let (mut out, status) = match words.as_slice() {
            ["sqlrev", rest @ ..] => self.sqlrev(rest),
            ["sqlite3", database, sql] => (self.sqlite3(database, sql), 0),
            ["sqlite3", "-bail", database, "<", script] => self.script(database, script),
            ["export", setting] => {
                let (key, value) = setting.split_once('=').expect("KEY=VALUE");
                self.variables.push((key.to_owned(), value.to_owned()));
                (String::new(), 0)
            }
            ["rm", path] => {
                let path = self.path(path);
                let removed = if path.is_dir() {
                    std::fs::remove_dir_all(&path)
                } else {
                    std::fs::remove_file(&path)
                };
                removed.expect("it can be removed");
                (String::new(), 0)
            }
            ["mkdir", path] => {
                std::fs::create_dir_all(self.path(path)).expect("it can be made");
                (String::new(), 0)
            }
            ["mv", from, to] => {
                std::fs::rename(self.path(from), self.path(to)).expect("it can be moved");
                (String::new(), 0)
            }
            ["cat", path] => (std::fs::read_to_string(self.path(path)).expect("a file"), 0),
            ["ls", path] => (self.list(path), 0),
            _ => panic!("the command `{command}` is not built in"),
        };
        if let Some(file) = into {
            std::fs::write(self.path(&file), &out).expect("the file can be written");
            out.clear();
        }
        let mut lines: Vec<String> = out.lines().map(|line| line.trim_end().to_owned()).collect();
        if status != 0 {
            lines.push(format!("[exit status: {status}]"));
        }
        lines
    }

    fn sqlrev(&mut self, words: &[&str]) -> (String, u8) {
        let screen = Screen::default();
        let (mut stdout, mut stderr) = (screen.clone(), screen.clone());
        let mut new_id = || {
            self.ids += 1;
            format!("{:012x}", 0x1975_ea83_b711_u64 + u64::from(self.ids))
        };
        let status = cli::run(cli::World {
            args: std::iter::once("sqlrev")
                .chain(words.iter().copied())
                .map(Into::into)
                .collect(),
            directory: self.folder.path().to_owned(),
            variables: self.variables.iter().cloned().collect(),
            user: "tester".to_owned(),
            clock: &Fixed,
            new_id: &mut new_id,
            stdout: &mut stdout,
            stderr: &mut stderr,
            terminal: cli::Terminal::default(),
            cancel: cli::Cancel::default(),
        });
        let text = String::from_utf8_lossy(&screen.0.borrow()).into_owned();
        let folder = self.folder.path().to_string_lossy().into_owned();
        (text.replace(&folder, "."), status)
    }

    /// What the `sqlite3` command prints in list mode.
    fn sqlite3(&self, database: &str, sql: &str) -> String {
        let db = Connection::open(self.path(database)).expect("a database");
        let mut out = String::new();
        let mut batch = rusqlite::Batch::new(&db, sql);
        loop {
            match rusqlite::fallible_iterator::FallibleIterator::next(&mut batch) {
                Ok(Some(mut statement)) => print_rows(&mut statement, &mut out),
                Ok(None) => return out,
                Err(error) => {
                    let _ = writeln!(out, "Error: {error}");
                    return out;
                }
            }
        }
    }

    /// Runs a script with the real `sqlite3` command.
    fn script(&self, database: &str, script: &str) -> (String, u8) {
        let input = std::fs::File::open(self.path(script)).expect("the script is there");
        let output = std::process::Command::new("sqlite3")
            .args(["-bail", database])
            .current_dir(self.folder.path())
            .stdin(input)
            .output()
            .expect("the sqlite3 command is installed");
        let text = String::from_utf8_lossy(&output.stdout) + String::from_utf8_lossy(&output.stderr);
        (text.into_owned(), u8::from(!output.status.success()))
    }

    fn list(&self, path: &str) -> String {
        let mut names: Vec<String> = Vec::new();
        let mut folders = vec![self.path(path)];
        while let Some(folder) = folders.pop() {
            for entry in std::fs::read_dir(folder).expect("a folder") {
                let path = entry.expect("an entry").path();
                if path.is_dir() {
                    folders.push(path);
                } else {
                    let name = path.strip_prefix(self.folder.path()).expect("inside");
                    names.push(name.to_string_lossy().into_owned());
                }
            }
        }
        names.sort();
        names.iter().map(|name| format!("{name}\n")).collect()
    }

    fn open(&self) -> Option<Connection> {
        let flags = OpenFlags::SQLITE_OPEN_READ_ONLY;
        Connection::open_with_flags(self.path("app.db"), flags).ok()
    }

    /// The schema of app.db without what sqlrev keeps there.
    pub(crate) fn schema(&self) -> Vec<String> {
        self.open().map(|db| schema(&db)).unwrap_or_default()
    }

    /// The rows of a table of app.db, or of a query.
    pub(crate) fn rows(&self, table: &str) -> Vec<String> {
        let Some(db) = self.open() else {
            return vec!["no database".to_owned()];
        };
        let sql = if table.contains(' ') {
            table.to_owned()
        } else {
            format!("SELECT * FROM \"{table}\"")
        };
        let mut out = String::new();
        match db.prepare(&sql) {
            Ok(mut statement) => print_rows(&mut statement, &mut out),
            Err(error) => out = error.to_string(),
        }
        out.lines().map(str::to_owned).collect()
    }
}

/// The schema of a database as the lines of its statements.
pub(crate) fn schema(db: &Connection) -> Vec<String> {
    let sql = "SELECT sql FROM sqlite_schema WHERE sql IS NOT NULL AND tbl_name NOT LIKE 'sqlrev\\_%' ESCAPE '\\' \
               AND name NOT LIKE 'sqlite\\_%' ESCAPE '\\' ORDER BY type = 'table' DESC, type = 'index' DESC, name";
    let mut statement = db.prepare(sql).expect("sqlite_schema can be read");
    let rows = statement
        .query_map([], |row| row.get::<_, String>(0))
        .expect("it can be read");
    let statements = rows.map(|sql| format!("{};", sql.expect("a text")));
    statements
        .flat_map(|sql| sql.lines().map(str::to_owned).collect::<Vec<_>>())
        .collect()
}

fn print_rows(statement: &mut rusqlite::Statement<'_>, out: &mut String) {
    let columns = statement.column_count();
    let mut rows = statement.raw_query();
    loop {
        match rows.next() {
            Ok(Some(row)) => {
                let values: Vec<String> = (0..columns).map(|i| shown(row.get_ref(i).expect("a column"))).collect();
                let _ = writeln!(out, "{}", values.join("|"));
            }
            Ok(None) => return,
            Err(error) => {
                let _ = writeln!(out, "Error: {error}");
                return;
            }
        }
    }
}

/// A value as the `sqlite3` command shows it, but for NULL and blobs, which it does not tell from texts.
pub(crate) fn shown(value: ValueRef<'_>) -> String {
    match value {
        ValueRef::Null => "NULL".to_owned(),
        ValueRef::Integer(number) => number.to_string(),
        ValueRef::Real(number) => format!("{number:?}"),
        ValueRef::Text(text) => String::from_utf8_lossy(text).into_owned(),
        ValueRef::Blob(bytes) => {
            let digits = bytes
                .iter()
                .fold(String::new(), |out, byte| out + &format!("{byte:02x}"));
            format!("x'{digits}'")
        }
    }
}
