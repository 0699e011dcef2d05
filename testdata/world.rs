//! The little world a case lives in: a temporary folder, a fixed clock, ids that count, and a few commands.

use std::cell::RefCell;
use std::collections::BTreeMap;
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

use crate::server::{self, Database, Server};
use crate::shell::{escaped, pipe, remove};
use crate::standing;

/// The moment at which every case plays.
const NOW: &str = "2026-11-22T21:14:00Z";

/// The ids of new revisions, in the order in which they are made.
const IDS: [&str; 6] = [
    "1975ea83b712",
    "ae1027a6acf0",
    "27c6a30d7c24",
    "55af2cb1c267",
    "d747a8a8879e",
    "3ae9f4c1b08d",
];

/// A kind of database.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Kind {
    Sqlite,
    Postgresql,
    Mariadb,
    Mysql,
}

pub(crate) struct World {
    pub(crate) kind: Kind,
    /// The database, where it is one on a server.
    pub(crate) server: Option<Database>,
    folder: TempDir,
    /// Where the commands run, below the temporary folder.
    directory: PathBuf,
    ids: u32,
    variables: BTreeMap<String, String>,
    /// The database that `sqlite3 … &` keeps open.
    held: Option<Connection>,
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

/// What a command writes, in the order in which it writes it.
#[derive(Clone, Default)]
struct Screen(Rc<RefCell<Vec<u8>>>);

impl Screen {
    fn take(&self) -> Vec<u8> {
        self.0.take()
    }
}

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
    pub(crate) fn new(kind: Kind) -> Self {
        // Memory-backed where there is such a folder: a case that waits for the disk tests nothing more.
        let shm = Path::new("/dev/shm");
        let folder = if shm.is_dir() {
            TempDir::new_in(shm)
        } else {
            TempDir::new()
        };
        let folder = folder.expect("a temporary folder");
        let server = match kind {
            Kind::Sqlite => None,
            Kind::Postgresql => Some(Database::on(Server::Postgresql)),
            Kind::Mariadb => Some(Database::on(Server::Mariadb)),
            Kind::Mysql => Some(Database::on(Server::Mysql)),
        };
        Self {
            kind,
            directory: folder.path().to_owned(),
            folder,
            ids: 0,
            variables: server
                .as_ref()
                .map(|server| server.variables.clone())
                .unwrap_or_default(),
            server,
            held: None,
        }
    }

    pub(crate) fn path(&self, name: &str) -> PathBuf {
        self.directory.join(name)
    }

    pub(crate) fn write(&self, name: &str, lines: &[String]) {
        let path = self.folder.path().join(name);
        std::fs::create_dir_all(path.parent().expect("a folder")).expect("the folder can be made");
        let text: String = lines.iter().map(|line| format!("{line}\n")).collect();
        std::fs::write(path, text).expect("the file can be written");
    }

    /// Runs a line of commands and returns the lines it prints, and its exit status where that is not 0.
    ///
    /// `COMMAND | COMMAND`, `COMMAND < FILE`, `COMMAND > FILE` and `VARIABLE=VALUE COMMAND` are understood.
    pub(crate) fn command(&mut self, line: &str) -> Vec<String> {
        let line = &self.with_place(line);
        let words = shlex::split(line).unwrap_or_else(|| panic!("a quote is open in `{line}`"));
        let mut words: Vec<&str> = words.iter().map(String::as_str).collect();
        let into = match words.as_slice() {
            [.., ">", file] => Some(self.path(file)),
            _ => None,
        };
        if into.is_some() {
            words.truncate(words.len() - 2);
        }
        // What is talk, and what a file or the next command does not take, lands on the screen.
        let screen = Screen::default();
        let mut input = Vec::new();
        let mut status = 0;
        let parts: Vec<&[&str]> = words.split(|word| *word == "|").collect();
        for (i, part) in parts.iter().enumerate() {
            let last = i + 1 == parts.len();
            let out = if last && into.is_none() {
                screen.clone()
            } else {
                Screen::default()
            };
            status = self.run(part, &input, &mut out.clone(), &mut screen.clone());
            if !last || into.is_some() {
                input = out.take();
            }
        }
        if let Some(file) = into {
            std::fs::write(file, &input).expect("the file can be written");
        }
        let text = String::from_utf8_lossy(&screen.take()).into_owned();
        let folder = self.folder.path().to_string_lossy().into_owned();
        let text = self.tame(&text.replace(&folder, "/home/project").replace('\u{1b}', "␛"));
        let mut lines: Vec<String> = text.lines().map(|line| line.trim_end().to_owned()).collect();
        if status != 0 {
            lines.push(format!("[exit status: {status}]"));
        }
        lines
    }

    fn run(&mut self, words: &[&str], input: &[u8], out: &mut Screen, talk: &mut Screen) -> u8 {
        let mut say = |text: &str| out.write_all(text.as_bytes()).expect("memory takes everything");
        match words {
            [setting, command @ ..] if !command.is_empty() && setting.contains('=') => {
                let before = self.variables.clone();
                self.set(setting);
                let status = self.run(command, input, out, talk);
                self.variables = before;
                return status;
            }
            ["sqlrev", rest @ ..] => return self.sqlrev(rest, out, talk),
            ["sqlite3", database, sql, "&"] => {
                let db = Connection::open(self.path(database)).expect("a database");
                db.execute_batch(sql).expect("the statement runs");
                self.held = Some(db);
            }
            ["kill", "%1"] => self.held = None,
            ["sqlite3", options @ .., "<", script] => {
                let script = std::fs::read(self.path(script)).expect("the script is there");
                return self.script(options, &script, out, talk);
            }
            ["psql" | "pg_dump" | "mariadb" | "mariadb-dump", ..] => return self.client(words, input, out, talk),
            ["sqlite3", database, sql] => return self.sqlite3(database, sql, out),
            ["sqlite3", options @ ..] => return self.script(options, input, out, talk),
            ["export", setting] => self.set(setting),
            ["unset", name] => drop(self.variables.remove(*name)),
            ["chmod", mode, path] => {
                use std::os::unix::fs::PermissionsExt;
                let mode = std::fs::Permissions::from_mode(u32::from_str_radix(mode, 8).expect("an octal number"));
                std::fs::set_permissions(self.path(path), mode).expect("it is ours");
            }
            ["ln", "-s", to, path] => std::os::unix::fs::symlink(to, self.path(path)).expect("it can be made"),
            ["mkfifo", path] => pipe(&self.path(path)),
            ["certificates"] => Database::certificates(&self.path("tls")),
            ["cd", folder] => self.directory = self.directory.join(folder).canonicalize().expect("it is there"),
            ["rm", path] => remove(&self.path(path)),
            ["rm", "-r", path] => std::fs::remove_dir_all(self.path(path)).expect("it can be removed"),
            ["mkdir", path] => std::fs::create_dir_all(self.path(path)).expect("it can be made"),
            ["mv", from, to] => std::fs::rename(self.path(from), self.path(to)).expect("it can be moved"),
            ["cp", from, to] => drop(std::fs::copy(self.path(from), self.path(to)).expect("it can be copied")),
            ["cat", path] => say(&std::fs::read_to_string(self.path(path)).expect("a file")),
            ["ls", path] => say(&self.list(path)),
            ["printf", text] => out.write_all(&escaped(text)).expect("memory takes everything"),
            ["head", "-n", count] => {
                let count = count.parse().expect("a number");
                for line in String::from_utf8_lossy(input).lines().take(count) {
                    say(&format!("{line}\n"));
                }
            }
            ["grep", rest @ ..] => {
                let (without, rest) = match rest {
                    ["-v", rest @ ..] => (true, rest),
                    _ => (false, rest),
                };
                let (pattern, text) = match rest {
                    [pattern] => (pattern, input.to_owned()),
                    [pattern, file] => (pattern, std::fs::read(self.path(file)).expect("a file")),
                    _ => panic!("grep takes a text and a file"),
                };
                let text = String::from_utf8_lossy(&text).into_owned();
                let found: Vec<&str> = text.lines().filter(|line| line.contains(pattern) != without).collect();
                for line in &found {
                    say(&format!("{line}\n"));
                }
                return u8::from(found.is_empty());
            }
            ["wc", "-l"] => say(&format!("{}\n", String::from_utf8_lossy(input).lines().count())),
            _ => panic!("the command `{}` is not built in", words.join(" ")),
        }
        0
    }

    /// The line with the place of the server for `$DATABASE` and `$PORT`.
    fn with_place(&self, line: &str) -> String {
        let is_mysql = matches!(self.kind, Kind::Mariadb | Kind::Mysql);
        let Some(server) = self.server.as_ref().filter(|_| is_mysql) else {
            return line.to_owned();
        };
        let port = server.variables.get("MYSQL_TCP_PORT").map_or("", String::as_str);
        line.replace("$DATABASE", &server.name).replace("$PORT", port)
    }

    /// The text without what is different on each server: where it is, and the name of the database.
    fn tame(&self, text: &str) -> String {
        let Some(server) = &self.server else {
            return text.to_owned();
        };
        if self.kind != Kind::Postgresql {
            let socket = &server.variables["MYSQL_UNIX_PORT"];
            let port = &server.variables["MYSQL_TCP_PORT"];
            let text = text
                .replace(socket, "/run/mysqld/mysqld.sock")
                .replace(&server.name, "app");
            let text = text.replace(&format!(":{port}"), ":3306");
            return if self.kind == Kind::Mysql {
                server::in_words_of_mariadb(&text)
            } else {
                text
            };
        }
        let host = server.variables.get("PGHOST").map_or("", String::as_str);
        let port = server.variables.get("PGPORT").map_or("", String::as_str);
        let text = text.replace(host, "/run/postgresql").replace(&server.name, "app");
        text.replace(&format!(".{port}"), ".5432")
            .replace(&format!(":{port}"), ":5432")
    }

    fn set(&mut self, setting: &str) {
        let (key, value) = setting.split_once('=').expect("KEY=VALUE");
        self.variables.insert(key.to_owned(), value.to_owned());
    }

    fn sqlrev(&mut self, words: &[&str], stdout: &mut Screen, stderr: &mut Screen) -> u8 {
        let mut new_id = || {
            self.ids += 1;
            let at = usize::try_from(self.ids - 1).expect("few ids");
            match IDS.get(at) {
                Some(id) => (*id).to_owned(),
                None => format!("{:012x}", self.ids),
            }
        };
        let width = self.variables.get("COLUMNS").and_then(|columns| columns.parse().ok());
        cli::run(cli::World {
            args: std::iter::once("sqlrev")
                .chain(words.iter().copied())
                .map(Into::into)
                .collect(),
            directory: self.directory.clone(),
            variables: self.variables.clone(),
            user: "tester".to_owned(),
            clock: &Fixed,
            new_id: &mut new_id,
            stdout,
            stderr,
            terminal: cli::Terminal {
                width: width.unwrap_or(80),
                unicode: self.variables.get("LC_ALL").is_none_or(|locale| locale != "C"),
                ..cli::Terminal::default()
            },
            cancel: cli::Cancel::default(),
        })
    }

    /// Runs a client of the server: the real one. `psql … < SCRIPT` reads that script.
    fn client(&self, words: &[&str], input: &[u8], out: &mut Screen, talk: &mut Screen) -> u8 {
        let server = self.server.as_ref().expect("a case with a client plays on a server");
        let (options, script) = match words {
            [_, options @ .., "<", script] => (options, std::fs::read(self.path(script)).expect("the script is there")),
            [_, options @ ..] => (options, input.to_owned()),
            [] => return 0,
        };
        let mut command = server.client(words[0]);
        if words[0] == "psql" {
            command.arg("-Xq");
        }
        let mut child = command
            .args(options)
            .envs(&self.variables)
            .current_dir(&self.directory)
            .stdin(std::process::Stdio::piped())
            .stdout(std::process::Stdio::piped())
            .stderr(std::process::Stdio::piped())
            .spawn()
            .expect("the client is installed");
        let _ = child.stdin.take().expect("it is piped").write_all(&script);
        let output = child.wait_with_output().expect("it ends");
        out.write_all(&output.stdout).expect("memory takes everything");
        talk.write_all(server::without_echo(&output.stderr))
            .expect("memory takes everything");
        u8::from(!output.status.success())
    }

    /// What the `sqlite3` command prints in list mode.
    fn sqlite3(&self, database: &str, sql: &str, screen: &mut Screen) -> u8 {
        let db = Connection::open(self.path(database)).expect("a database");
        let mut out = String::new();
        let mut batch = rusqlite::Batch::new(&db, sql);
        let failed = loop {
            match rusqlite::fallible_iterator::FallibleIterator::next(&mut batch) {
                Ok(Some(mut statement)) => print_rows(&mut statement, "", &mut out),
                Ok(None) => break None,
                Err(error) => break Some(error),
            }
        };
        if let Some(error) = &failed {
            let _ = writeln!(out, "Error: {error}");
        }
        screen.write_all(out.as_bytes()).expect("memory takes everything");
        u8::from(failed.is_some())
    }

    /// Runs a script with the real `sqlite3` command.
    fn script(&self, options: &[&str], script: &[u8], out: &mut Screen, talk: &mut Screen) -> u8 {
        let mut child = std::process::Command::new("sqlite3")
            .args(options)
            .current_dir(&self.directory)
            .stdin(std::process::Stdio::piped())
            .stdout(std::process::Stdio::piped())
            .stderr(std::process::Stdio::piped())
            .spawn()
            .expect("the sqlite3 command is installed");
        // A command that stops half-way does not read the rest.
        let _ = child.stdin.take().expect("it is piped").write_all(script);
        let output = child.wait_with_output().expect("it ends");
        out.write_all(&output.stdout).expect("memory takes everything");
        talk.write_all(&output.stderr).expect("memory takes everything");
        u8::from(!output.status.success())
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
                    let name = path.strip_prefix(&self.directory).expect("inside");
                    names.push(name.to_string_lossy().into_owned());
                }
            }
        }
        names.sort();
        names.iter().map(|name| format!("{name}\n")).collect()
    }

    fn open(&self, database: &str) -> Option<Connection> {
        let flags = OpenFlags::SQLITE_OPEN_READ_ONLY;
        Connection::open_with_flags(self.path(database), flags).ok()
    }

    /// The schema of a database without what sqlrev keeps there.
    pub(crate) fn schema(&self, database: &str) -> Vec<String> {
        match self.open(database) {
            Some(db) => standing::schema(&db),
            None => vec![format!("there is no {database}")],
        }
    }

    /// The rows of a table of app.db, or of a query.
    pub(crate) fn rows(&self, table: &str) -> Vec<String> {
        let sql = if table.contains(' ') {
            table.to_owned()
        } else {
            format!("SELECT * FROM \"{table}\"")
        };
        if let Some(server) = &self.server {
            return server.query(&sql);
        }
        let Some(db) = self.open("app.db") else {
            return vec!["there is no app.db".to_owned()];
        };
        let mut out = String::new();
        match db.prepare(&sql) {
            Ok(mut statement) => print_rows(&mut statement, "NULL", &mut out),
            Err(error) => out = error.to_string(),
        }
        out.lines().map(str::to_owned).collect()
    }
}

fn print_rows(statement: &mut rusqlite::Statement<'_>, null: &str, out: &mut String) {
    let columns = statement.column_count();
    let mut rows = statement.raw_query();
    loop {
        match rows.next() {
            Ok(Some(row)) => {
                let values: Vec<String> = (0..columns)
                    .map(|i| shown(row.get_ref(i).expect("a column"), null))
                    .collect();
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

/// A value as the `sqlite3` command shows it, but for blobs, which it does not tell from texts.
pub(crate) fn shown(value: ValueRef<'_>, null: &str) -> String {
    match value {
        ValueRef::Null => null.to_owned(),
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
