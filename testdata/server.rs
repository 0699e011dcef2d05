//! The servers of a test run: a database of its own for each test, and the clients `psql` and `pg_dump`, or `mariadb` and
//! `mariadb-dump`, in whose place those of MySQL come on MySQL.

use std::collections::BTreeMap;
use std::io::Write;
use std::path::{Path, PathBuf};
use std::process::{Command, Output, Stdio};
use std::sync::atomic::{AtomicU32, Ordering};

/// A kind of server.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Server {
    Postgresql,
    Mariadb,
    Mysql,
}

impl Server {
    /// The client that runs statements.
    fn shell(self) -> &'static str {
        match self {
            Self::Postgresql => "psql",
            Self::Mariadb | Self::Mysql => "mariadb",
        }
    }

    /// The variable that says where the one of this run is.
    pub(crate) fn variable(self) -> &'static str {
        match self {
            Self::Postgresql => "SQLREV_TEST_POSTGRES_URL",
            Self::Mariadb => "SQLREV_TEST_MARIADB_URL",
            Self::Mysql => "SQLREV_TEST_MYSQL_URL",
        }
    }
}

/// A database that goes when the test is over.
pub(crate) struct Database {
    /// What the clients, and sqlrev, are told through the environment.
    pub variables: BTreeMap<String, String>,
    pub name: String,
    server: Server,
    /// More databases that were made for the same test.
    others: Vec<String>,
}

static COUNT: AtomicU32 = AtomicU32::new(0);

impl Database {
    /// A new, empty database on the PostgreSQL server of this run.
    #[allow(dead_code, reason = "used by one of the two test programs")]
    pub(crate) fn new() -> Self {
        Self::on(Server::Postgresql)
    }

    /// A new, empty database on a server of this run.
    pub(crate) fn on(server: Server) -> Self {
        let variable = server.variable();
        let url = std::env::var(variable)
            .unwrap_or_else(|_| panic!("no server to test with: run the tests with cargo nextest, or set {variable}"));
        Self::at(server, &url)
    }

    /// A new, empty database on the server at this URL.
    pub(crate) fn at(server: Server, url: &str) -> Self {
        let count = COUNT.fetch_add(1, Ordering::Relaxed);
        let name = format!("t{}_{count}", std::process::id());
        let mut database = Self {
            variables: match server {
                Server::Postgresql => postgresql(url),
                Server::Mariadb | Server::Mysql => mariadb(url),
            },
            name: String::new(),
            server,
            others: Vec::new(),
        };
        database.create(&name);
        database.others.clear();
        match server {
            Server::Postgresql => database.variables.insert("PGDATABASE".to_owned(), name.clone()),
            Server::Mariadb | Server::Mysql => None,
        };
        let url = database.url(&name);
        database.variables.insert("SQLREV_URL".to_owned(), url);
        database.name = name;
        database
    }

    /// The URL of a database on the server.
    pub(crate) fn url(&self, name: &str) -> String {
        match self.server {
            Server::Postgresql if self.variables.get("PGDATABASE").is_some_and(|own| own == name) => {
                "postgresql://".to_owned()
            }
            Server::Postgresql => format!("postgresql:///{name}"),
            Server::Mariadb | Server::Mysql => {
                let scheme = if self.server == Server::Mysql {
                    "mysql"
                } else {
                    "mariadb"
                };
                format!("{scheme}://root@/{name}?socket={}", self.variables["MYSQL_UNIX_PORT"])
            }
        }
    }

    /// Makes another database beside it.
    pub(crate) fn create(&mut self, name: &str) {
        self.maintain(&match self.server {
            Server::Postgresql => format!("CREATE DATABASE \"{name}\" TEMPLATE template0"),
            Server::Mariadb | Server::Mysql => format!("CREATE DATABASE {name}"),
        });
        self.others.push(name.to_owned());
    }

    fn maintain(&self, sql: &str) {
        let mut command = self.on_server(sql);
        let output = command.output().expect("the client is installed");
        assert!(
            output.status.success(),
            "{sql}: {}",
            String::from_utf8_lossy(&output.stderr)
        );
    }

    /// The client that runs a statement on the server, in no database of ours.
    fn on_server(&self, sql: &str) -> Command {
        if self.server == Server::Postgresql {
            let mut command = self.client("psql");
            command.env("PGDATABASE", "postgres").args(["-Xqc", sql]);
            return command;
        }
        let mut command = self.mariadb("mariadb");
        command.args(["-e", sql]);
        command
    }

    /// A client of the server that finds this database.
    pub(crate) fn client(&self, name: &str) -> Command {
        if self.server != Server::Postgresql {
            let mut command = self.mariadb(name);
            command.arg(format!("--database={}", self.name));
            return command;
        }
        let mut command = Command::new(name);
        command.envs(&self.variables);
        command
    }

    fn mariadb(&self, name: &str) -> Command {
        let mut command = match self.server {
            Server::Mysql => Command::new(mysql(name)),
            _ => Command::new(name),
        };
        command.envs(&self.variables).args(["--no-defaults", "--user=root"]);
        command
    }

    /// Puts the certificates of testdata/tls into a folder; a key is nobody else's matter.
    #[allow(dead_code, reason = "used by one of the two test programs")]
    pub(crate) fn certificates(into: &Path) {
        std::fs::create_dir_all(into).expect("the folder can be made");
        let from = Path::new(env!("CARGO_MANIFEST_DIR")).join("testdata/tls");
        for entry in from.read_dir().expect("the certificates are there") {
            let path = entry.expect("an entry").path();
            let copy = into.join(path.file_name().expect("a name"));
            std::fs::copy(&path, &copy).expect("it can be copied");
            #[cfg(unix)]
            {
                use std::os::unix::fs::PermissionsExt;
                std::fs::set_permissions(&copy, std::fs::Permissions::from_mode(0o600)).expect("it is ours");
            }
        }
    }

    /// What a query returns, a line a row, NULL written out.
    #[allow(dead_code, reason = "used by one of the two test programs")]
    pub(crate) fn query(&self, sql: &str) -> Vec<String> {
        let mut command = self.client(self.server.shell());
        match self.server {
            Server::Postgresql => command.args(["-XqAt", "-P", "null=NULL", "-c", sql]),
            Server::Mariadb | Server::Mysql => command.args(["--batch", "--skip-column-names", "-e", sql]),
        };
        let output = command.output().expect("the client is installed");
        assert!(
            output.status.success(),
            "{sql}: {}",
            String::from_utf8_lossy(&output.stderr)
        );
        String::from_utf8_lossy(&output.stdout)
            .lines()
            .map(|line| match self.server {
                Server::Postgresql => line.to_owned(),
                Server::Mariadb | Server::Mysql => line.replace('\t', "|"),
            })
            .collect()
    }

    /// Whether the server answers.
    #[allow(dead_code, reason = "used by one of the two test programs")]
    pub(crate) fn answers(&self) -> bool {
        let mut command = self.client(self.server.shell());
        match self.server {
            Server::Postgresql => command.args(["-Xqc", "SELECT 1"]),
            Server::Mariadb | Server::Mysql => command.args(["-e", "SELECT 1"]),
        };
        command.output().is_ok_and(|output| output.status.success())
    }

    /// Runs psql with this on its standard input.
    #[allow(dead_code, reason = "used by one of the two test programs")]
    pub(crate) fn psql(&self, options: &[&str], input: &[u8], folder: &Path) -> Output {
        let mut child = self
            .client("psql")
            .arg("-X")
            .args(options)
            .current_dir(folder)
            .stdin(Stdio::piped())
            .stdout(Stdio::piped())
            .stderr(Stdio::piped())
            .spawn()
            .expect("psql is installed");
        // A script that stops is not read to its end.
        let _ = child.stdin.take().expect("it is piped").write_all(input);
        child.wait_with_output().expect("it ends")
    }

    #[allow(dead_code, reason = "used by one of the two test programs")]
    /// Everything in a database but the version table and the log, as `pg_dump` has it, and what matters of those two.
    pub(crate) fn picture(&self, database: &str) -> String {
        if self.server != Server::Postgresql {
            return self.picture_of_mariadb(database);
        }
        let mut dump = self.client("pg_dump");
        dump.args([
            "--no-owner",
            "--exclude-table=*.sqlrev_revisions",
            "--exclude-table=*.sqlrev_log*",
            database,
        ]);
        let output = dump.output().expect("pg_dump is installed");
        assert!(output.status.success(), "{}", String::from_utf8_lossy(&output.stderr));
        let text = String::from_utf8_lossy(&output.stdout).into_owned();
        // Newer versions put a random word around the dump.
        let lines = text
            .lines()
            .filter(|line| !line.starts_with("\\restrict") && !line.starts_with("\\unrestrict"));
        let mut picture: String = lines.map(|line| format!("{line}\n")).collect();
        let own = "SELECT revision, down_revision, depends_on, message, tool_version, unfinished, upgrade_checksum, \
                   downgrade_checksum, upgrade_sql, downgrade_sql FROM public.sqlrev_revisions ORDER BY revision; \
                   SELECT id, event, revision, outcome, detail FROM public.sqlrev_log ORDER BY id";
        let mut command = self.client("psql");
        let rows = command
            .args(["-XqAtc", own, database])
            .output()
            .expect("psql is installed");
        picture.push_str("-- sqlrev\n");
        picture.push_str(&String::from_utf8_lossy(&rows.stdout));
        picture
    }

    #[allow(dead_code, reason = "used by one of the two test programs")]
    fn picture_of_mariadb(&self, database: &str) -> String {
        let mut dump = self.mariadb("mariadb-dump");
        dump.args([
            "--skip-comments",
            "--skip-dump-date",
            "--routines",
            "--events",
            "--compact",
        ]);
        dump.arg(format!("--ignore-table={database}.sqlrev_revisions"));
        dump.arg(format!("--ignore-table={database}.sqlrev_log"));
        let output = dump.arg(database).output().expect("mariadb-dump is installed");
        assert!(output.status.success(), "{}", String::from_utf8_lossy(&output.stderr));
        // The default that is the next number of a sequence says the database.
        let mut picture = String::from_utf8_lossy(&output.stdout).replace(&format!("`{database}`."), "");
        let own = "SELECT revision, down_revision, depends_on, message, tool_version, unfinished, upgrade_checksum, \
                   downgrade_checksum, upgrade_sql, downgrade_sql FROM sqlrev_revisions ORDER BY revision; \
                   SELECT id, event, revision, outcome, detail FROM sqlrev_log ORDER BY id";
        let mut command = self.mariadb("mariadb");
        let rows = command
            .args(["--batch", "--skip-column-names", "-e", own, database])
            .output()
            .expect("mariadb is installed");
        picture.push_str("-- sqlrev\n");
        picture.push_str(&String::from_utf8_lossy(&rows.stdout));
        picture
    }
}

impl Drop for Database {
    fn drop(&mut self) {
        for name in self.others.iter().chain([&self.name]) {
            let sql = match self.server {
                Server::Postgresql => format!("DROP DATABASE IF EXISTS \"{name}\" WITH (FORCE)"),
                Server::Mariadb | Server::Mysql => format!("DROP DATABASE IF EXISTS {name}"),
            };
            let _ = self.on_server(&sql).output();
        }
    }
}

/// MySQL's program of the same purpose as one of MariaDB.
fn mysql(program: &str) -> PathBuf {
    let folder = std::env::var_os("SQLREV_TEST_MYSQL_BIN")
        .map(PathBuf::from)
        .unwrap_or_default();
    folder.join(if program == "mariadb-dump" {
        "mysqldump"
    } else {
        "mysql"
    })
}

/// Where a MariaDB or MySQL server is, as the variables that its clients read.
fn mariadb(url: &str) -> BTreeMap<String, String> {
    let socket = url.split_once("socket=").expect("a URL with a socket").1;
    let port = url.rsplit_once(':').and_then(|(_, rest)| rest.split('/').next());
    let pairs = [("MYSQL_UNIX_PORT", socket), ("MYSQL_TCP_PORT", port.unwrap_or("3306"))];
    pairs
        .map(|(name, value)| (name.to_owned(), value.to_owned()))
        .into_iter()
        .collect()
}

/// Where a PostgreSQL server is, as `PG…` variables.
fn postgresql(url: &str) -> BTreeMap<String, String> {
    let rest = url.split_once("://").expect("a URL").1;
    let (place, query) = rest.split_once('?').unwrap_or((rest, ""));
    let authority = place.split('/').next().unwrap_or_default();
    let (user, host) = authority.split_once('@').unwrap_or(("postgres", authority));
    let (user, password) = user.split_once(':').unwrap_or((user, ""));
    let (host, port) = host.split_once(':').unwrap_or((host, "5432"));
    let given = |name: &str| {
        query
            .split('&')
            .find_map(|parameter| parameter.strip_prefix(name)?.strip_prefix('='))
    };
    let pairs = [
        ("PGUSER", user),
        ("PGPASSWORD", password),
        ("PGHOST", given("host").unwrap_or(host)),
        ("PGPORT", given("port").unwrap_or(port)),
    ];
    let pairs = pairs.into_iter().filter(|(_, value)| !value.is_empty());
    pairs.map(|(name, value)| (name.to_owned(), value.to_owned())).collect()
}

/// What a client says of an error without the statement, which MariaDB's repeats between two lines, and MySQL's does not.
#[allow(dead_code, reason = "used by one of the two test programs")]
pub(crate) fn without_echo(said: &[u8]) -> &[u8] {
    const LINE: &[u8] = b"--------------\n";
    let Some(rest) = said.strip_prefix(LINE) else {
        return said;
    };
    let end = rest.windows(LINE.len()).position(|part| part == LINE);
    end.map_or(said, |end| rest[end + LINE.len()..].trim_ascii_start())
}

/// What MySQL says in other words than MariaDB.
#[allow(dead_code, reason = "used by one of the two test programs")]
pub(crate) fn in_words_of_mariadb(text: &str) -> String {
    const KEY: &str = "for key '";
    const WORDS: [[&str; 2]; 3] = [
        ["your MySQL server version", "your MariaDB server version"],
        [
            "Can't DROP 'nothing'; check that column/key exists",
            "Can't DROP COLUMN `nothing`; check that it exists",
        ],
        ["\"dialect\": \"mysql\"", "\"dialect\": \"mariadb\""],
    ];
    let mut out = WORDS
        .iter()
        .fold(text.to_owned(), |text, [theirs, other]| text.replace(theirs, other));
    // A key is said with its table.
    let mut from = 0;
    while let Some(at) = out[from..].find(KEY) {
        from += at + KEY.len();
        let end = out[from..].find('\'').map_or(from, |length| from + length);
        if let Some(point) = out[from..end].find('.') {
            out.replace_range(from..=from + point, "");
        }
    }
    out
}
