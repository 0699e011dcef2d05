//! What a connection is made of: the words of the URL, of the environment, of the user's option file, and what the
//! clients of MySQL and MariaDB take for granted.

#![expect(
    clippy::disallowed_methods,
    reason = "where passwords and sockets stand is part of how a connection is made"
)]

use std::collections::BTreeMap;
use std::path::{Path, PathBuf};
use std::time::Duration;

use crate::code::Code;
use crate::driver::Opening;
use crate::driver::tls::is_open_to_others;
use crate::error::{Error, Result, nearest};
use crate::percent::part as decode;

/// The parameters that are understood.
const KNOWN: [&str; 11] = [
    "host",
    "port",
    "user",
    "password",
    "database",
    "socket",
    "ssl-mode",
    "ssl-ca",
    "ssl-cert",
    "ssl-key",
    "connect-timeout",
];
/// Variables of the environment that the clients read as well.
const VARIABLES: [(&str, &str); 4] = [
    ("host", "MYSQL_HOST"),
    ("port", "MYSQL_TCP_PORT"),
    ("socket", "MYSQL_UNIX_PORT"),
    ("password", "MYSQL_PWD"),
];
/// The parts of option files that clients read.
const SECTIONS: [&str; 3] = ["[client]", "[client-server]", "[client-mariadb]"];
/// Where servers listen on their own machine, the first that is there.
const SOCKETS: [&str; 4] = [
    "/run/mysqld/mysqld.sock",
    "/var/lib/mysql/mysql.sock",
    "/tmp/mysql.sock",
    "/tmp/mariadb.sock",
];

/// How much of TLS is asked for.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Mode {
    Disabled,
    Preferred,
    Required,
    VerifyCa,
    VerifyIdentity,
}

/// Where the server is.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) enum Place {
    /// A host and its port.
    Host(String, u16),
    /// A Unix socket.
    Socket(PathBuf),
}

impl std::fmt::Display for Place {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        match self {
            Self::Host(host, port) if host.contains(':') => write!(f, "[{host}]:{port}"),
            Self::Host(host, port) => write!(f, "{host}:{port}"),
            Self::Socket(path) => write!(f, "{}", path.display()),
        }
    }
}

/// What a connection is made of.
pub(super) struct Params {
    values: BTreeMap<&'static str, String>,
    home: Option<PathBuf>,
    folders: [PathBuf; 2],
    /// The password stands in this file, which others may read, so it is not taken.
    pub(super) open_file: Option<PathBuf>,
}

impl Params {
    /// Reads a URL `mysql://…` and completes it.
    pub(super) fn new(url: &str, opening: Opening<'_>) -> Result<Self> {
        // A password that is not written as it should be looks like parameters, which errors show.
        if url.rfind('@').is_some_and(|at| url[..at].contains('?')) {
            return Err(wrong("the URL cannot be read: a `?` stands before an `@`")
                .help("in a password, `?` is written %3F, `@` %40, `/` %2F and `%` %25; so is an `@` in a parameter"));
        }
        let filled = |name: &str| opening.variables.get(name).filter(|value| !value.is_empty()).cloned();
        let mut params = Self {
            values: BTreeMap::new(),
            home: filled("HOME").map(PathBuf::from),
            folders: opening.folders.map(Path::to_path_buf),
            open_file: None,
        };
        params.read_url(url)?;
        let named = params.get("host").is_some() || params.get("socket").is_some();
        for (name, variable) in VARIABLES {
            // A URL that says where the server is says all of it.
            if let Some(value) = filled(variable).filter(|_| !named || name == "password") {
                params.values.entry(name).or_insert(value);
            }
        }
        params.read_options(named);
        params.values.entry("user").or_insert_with(|| opening.user.to_owned());
        if params.get("database").is_none() {
            return Err(wrong("the URL names no database").help("mysql://USER@HOST/DATABASE"));
        }
        Ok(params)
    }

    /// The parts of `mysql://user:password@host:port/database?name=value&…`.
    fn read_url(&mut self, url: &str) -> Result<()> {
        let rest = url.split_once("://").map_or(url, |(_, rest)| rest);
        let (rest, query) = rest.split_once('?').unwrap_or((rest, ""));
        // A password may hold a slash, though it should be written %2F.
        let from = rest.rfind('@').unwrap_or(0);
        let slash = rest[from..].find('/').map_or(rest.len(), |at| from + at);
        let (authority, database) = (&rest[..slash], rest.get(slash + 1..).unwrap_or_default());
        let (user, host) = authority.rsplit_once('@').unwrap_or(("", authority));
        let (user, password) = user.split_once(':').unwrap_or((user, ""));
        let (host, port) = match host.strip_prefix('[').and_then(|rest| rest.split_once(']')) {
            Some((address, rest)) => (address, rest.trim_start_matches(':')),
            None => host.split_once(':').unwrap_or((host, "")),
        };
        for (name, value) in [
            ("user", user),
            ("password", password),
            ("host", host),
            ("port", port),
            ("database", database),
        ] {
            self.put(name, value)?;
        }
        for parameter in query.split('&').filter(|parameter| !parameter.is_empty()) {
            let Some((name, value)) = parameter.split_once('=') else {
                return Err(
                    wrong("a connection parameter has no value").help("they are written ?name=value&name=value")
                );
            };
            self.parameter(name, value)?;
        }
        Ok(())
    }

    /// Takes a parameter by any of the names that clients and other programs have for it.
    fn parameter(&mut self, name: &str, value: &str) -> Result<()> {
        let plain: String = name
            .chars()
            .filter(|c| !matches!(c, '-' | '_'))
            .map(|c| c.to_ascii_lowercase())
            .collect();
        let known = match plain.as_str() {
            "unixsocket" => "socket",
            "db" | "dbname" => "database",
            "passwd" | "pwd" => "password",
            "ssl" | "usessl" | "requiressl" => {
                let on = !matches!(value, "0" | "false" | "off" | "no");
                return self.put("ssl-mode", if on { "required" } else { "disabled" });
            }
            "sslrootcert" => "ssl-ca",
            // Always so.
            "charset" | "characterset" if value.to_ascii_lowercase().starts_with("utf8") => return Ok(()),
            plain => match KNOWN.iter().find(|known| known.replace('-', "") == plain) {
                Some(known) => known,
                None => return Err(unknown(name)),
            },
        };
        self.put(known, value)
    }

    fn put(&mut self, name: &'static str, value: &str) -> Result<()> {
        if !value.is_empty() {
            self.values.insert(name, decode(value)?);
        }
        Ok(())
    }

    /// Completes what is missing from `~/.my.cnf`.
    fn read_options(&mut self, named: bool) {
        let Some(file) = self.home.as_ref().map(|home| home.join(".my.cnf")) else {
            return;
        };
        let Ok(text) = std::fs::read_to_string(&file) else {
            return;
        };
        for (name, value) in options(&text) {
            let place = matches!(name, "host" | "port" | "socket");
            if self.get(name).is_some() || named && place || name == "database" {
                continue;
            }
            if name == "password" && is_open_to_others(&file, false) {
                self.open_file = Some(file.clone());
                continue;
            }
            self.values.insert(name, value);
        }
    }

    /// The value of a parameter.
    pub(super) fn get(&self, name: &str) -> Option<&str> {
        self.values
            .get(name)
            .map(String::as_str)
            .filter(|value| !value.is_empty())
    }

    /// The file that a parameter names: under the home folder after `~/`, else in the first folder that has it.
    pub(super) fn file(&self, name: &str) -> Option<PathBuf> {
        let path = self.get(name)?;
        if let (Some(rest), Some(home)) = (path.strip_prefix("~/"), &self.home) {
            return Some(home.join(rest));
        }
        let [first, second] = self.folders.each_ref().map(|folder| folder.join(path));
        Some(if !first.exists() && second.exists() {
            second
        } else {
            first
        })
    }

    /// Where the server is. As for the clients, `localhost` without a port is the socket of this machine, where there is
    /// one.
    pub(super) fn place(&self) -> Result<Place> {
        if let Some(socket) = self.file("socket") {
            return Ok(Place::Socket(socket));
        }
        let host = self.get("host").unwrap_or("localhost");
        if host.starts_with('/') {
            return Ok(Place::Socket(host.into()));
        }
        let port = match self.get("port") {
            Some(port) => port.parse().map_err(|_| {
                wrong("the port in the URL is not a number up to 65535")
                    .help("after a user and a password comes the host: mysql://USER:PASSWORD@HOST/DATABASE")
            })?,
            None => {
                let there = SOCKETS.iter().find(|socket| Path::new(socket).exists());
                match there.filter(|_| host == "localhost" && cfg!(unix)) {
                    Some(socket) => return Ok(Place::Socket(socket.into())),
                    None => 3306,
                }
            }
        };
        Ok(Place::Host(host.to_owned(), port))
    }

    /// `ssl-mode`, by MySQL's names or libpq's.
    pub(super) fn mode(&self) -> Result<Mode> {
        let text = self
            .get("ssl-mode")
            .map(|mode| mode.to_ascii_lowercase().replace('_', "-"));
        Ok(match text.as_deref() {
            None if self.get("ssl-ca").is_some() => Mode::VerifyCa,
            None | Some("preferred" | "prefer") => Mode::Preferred,
            Some("disabled" | "disable") => Mode::Disabled,
            Some("required" | "require") => Mode::Required,
            Some("verify-ca") => Mode::VerifyCa,
            Some("verify-identity" | "verify-full") => Mode::VerifyIdentity,
            Some(_) => {
                return Err(wrong("`ssl-mode` is none that there is")
                    .help("the modes are disabled, preferred, required, verify-ca and verify-identity"));
            }
        })
    }

    /// How long to wait until the server lets somebody in.
    pub(super) fn timeout(&self) -> Result<Option<Duration>> {
        let Some(text) = self.get("connect-timeout") else {
            return Ok(Some(ANSWER));
        };
        let seconds: u64 = text
            .parse()
            .map_err(|_| wrong("the connection parameter `connect-timeout` is no number"))?;
        Ok((seconds > 0).then(|| Duration::from_secs(seconds)))
    }
}

/// How long a server may take to let somebody in, unless `connect-timeout` says otherwise.
const ANSWER: Duration = Duration::from_secs(30);

pub(super) fn wrong(message: impl Into<String>) -> Error {
    Error::new(Code::ConfigUrl, message)
}

fn unknown(name: &str) -> Error {
    let error = wrong(format!("there is no connection parameter `{name}`"));
    match nearest(name, KNOWN) {
        Some(near) => error.help(format!("did you mean `{near}`?")),
        None => error.help("the parameters are socket, ssl-mode, ssl-ca, ssl-cert, ssl-key and connect-timeout"),
    }
}

/// The options for clients in a file, those that are understood; the later of two counts.
fn options(text: &str) -> BTreeMap<&'static str, String> {
    let mut found = BTreeMap::new();
    let mut ours = false;
    for line in text.lines().map(str::trim) {
        if line.starts_with('[') {
            ours = SECTIONS.contains(&line);
            continue;
        }
        let Some((name, value)) = line.split_once('=').filter(|_| ours && !line.starts_with(['#', ';'])) else {
            continue;
        };
        let name = name.trim().replace('_', "-");
        let value = value.trim();
        let value = ['"', '\'']
            .iter()
            .find_map(|quote| value.strip_prefix(*quote)?.strip_suffix(*quote))
            .unwrap_or(value);
        if let Some(known) = KNOWN.iter().find(|known| **known == name) {
            found.insert(*known, value.to_owned());
        }
    }
    found
}

#[cfg(test)]
mod tests {
    use super::*;

    fn check(url: &str, expect: &str) {
        let opening = Opening {
            variables: &BTreeMap::new(),
            user: "me",
            folders: [Path::new("/"); 2],
            wait: Duration::ZERO,
            cancelled: &std::sync::atomic::AtomicBool::new(false),
        };
        let shown = match Params::new(url, opening) {
            Ok(params) => params
                .values
                .iter()
                .map(|(name, value)| format!("{name}={value}"))
                .collect::<Vec<_>>()
                .join(" "),
            Err(error) => error.message().to_owned(),
        };
        assert_eq!(shown, expect, "{url}");
    }

    #[test]
    fn urls() {
        check("mysql://h/d", "database=d host=h user=me");
        check(
            "mariadb://u:p%40@h:3307/d",
            "database=d host=h password=p@ port=3307 user=u",
        );
        check("mysql://u:a/b@h/d", "database=d host=h password=a/b user=u");
        check("mysql://[::1]:1/d", "database=d host=::1 port=1 user=me");
        check(
            "mysql:///d?socket=/run/s&sslMode=VERIFY_CA&ssl_ca=x.pem",
            "database=d socket=/run/s ssl-ca=x.pem ssl-mode=VERIFY_CA user=me",
        );
        check(
            "mysql://h/d?ssl=true&charset=utf8mb4",
            "database=d host=h ssl-mode=required user=me",
        );
        check(
            "mysql://u:pa?ss@h/d",
            "the URL cannot be read: a `?` stands before an `@`",
        );
        check("mysql://h", "the URL names no database");
        check("mysql://h/d?sockett=x", "there is no connection parameter `sockett`");
        check("mysql://h/d?socket", "a connection parameter has no value");
    }

    #[test]
    fn options_for_clients() {
        let text =
            "[mysqld]\nport=1\n[client]\n# port=2\nuser = u\npassword=\"a b\"\nssl_ca=c\nquick\n[mysql]\nuser=x\n";
        let found: Vec<_> = options(text).into_iter().collect();
        let want = [("password", "a b"), ("ssl-ca", "c"), ("user", "u")];
        assert_eq!(found, want.map(|(name, value)| (name, value.to_owned())));
    }
}
