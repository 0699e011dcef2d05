//! The PostgreSQL server of a test run: a database of its own for each test, and the clients `psql` and `pg_dump`.

use std::collections::BTreeMap;
use std::io::Write;
use std::path::Path;
use std::process::{Command, Output, Stdio};
use std::sync::atomic::{AtomicU32, Ordering};

/// A database that goes when the test is over.
pub(crate) struct Database {
    /// What the clients, and sqlrev, are told through the environment.
    pub variables: BTreeMap<String, String>,
    pub name: String,
    /// More databases that were made for the same test.
    others: Vec<String>,
}

static COUNT: AtomicU32 = AtomicU32::new(0);

impl Database {
    /// A new, empty database on the server of this run.
    pub(crate) fn new() -> Self {
        let count = COUNT.fetch_add(1, Ordering::Relaxed);
        let name = format!("t{}_{count}", std::process::id());
        let mut variables = server();
        variables.insert("PGDATABASE".to_owned(), name.clone());
        variables.insert("SQLREV_URL".to_owned(), "postgresql://".to_owned());
        let mut database = Self {
            variables,
            name: String::new(),
            others: Vec::new(),
        };
        database.create(&name);
        database.name = name;
        database.others.clear();
        database
    }

    /// Makes another database beside it.
    pub(crate) fn create(&mut self, name: &str) {
        self.maintain(&format!("CREATE DATABASE \"{name}\" TEMPLATE template0"));
        self.others.push(name.to_owned());
    }

    fn maintain(&self, sql: &str) {
        let mut command = self.client("psql");
        command.env("PGDATABASE", "postgres");
        let output = command.args(["-Xqc", sql]).output().expect("psql is installed");
        assert!(
            output.status.success(),
            "{sql}: {}",
            String::from_utf8_lossy(&output.stderr)
        );
    }

    /// A client of PostgreSQL that finds this database.
    pub(crate) fn client(&self, name: &str) -> Command {
        let mut command = Command::new(name);
        command.envs(&self.variables);
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
        let mut command = self.client("psql");
        let output = command
            .args(["-XqAt", "-P", "null=NULL", "-c", sql])
            .output()
            .expect("psql is installed");
        assert!(
            output.status.success(),
            "{sql}: {}",
            String::from_utf8_lossy(&output.stderr)
        );
        String::from_utf8_lossy(&output.stdout)
            .lines()
            .map(str::to_owned)
            .collect()
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
}

impl Drop for Database {
    fn drop(&mut self) {
        for name in self.others.iter().chain([&self.name]) {
            let mut command = self.client("psql");
            command.env("PGDATABASE", "postgres");
            let _ = command
                .args(["-Xqc", &format!("DROP DATABASE IF EXISTS \"{name}\" WITH (FORCE)")])
                .output();
        }
    }
}

/// Where the server of this run is, as `PG…` variables.
fn server() -> BTreeMap<String, String> {
    let url = std::env::var("SQLREV_TEST_POSTGRES_URL").unwrap_or_else(|_| {
        panic!("no server to test with: run the tests with cargo nextest, or set SQLREV_TEST_POSTGRES_URL")
    });
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
