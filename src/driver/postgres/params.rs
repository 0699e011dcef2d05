//! What a connection is made of: the words of the URL, of a service, of the environment, and what libpq takes for
//! granted. Names and meanings are libpq's.

use std::collections::BTreeMap;
use std::path::{Path, PathBuf};

use crate::code::Code;
use crate::dialect::Schemas as _;
use crate::dialect::postgres::schemas::OfUrl;
use crate::driver::Opening;
use crate::driver::postgres::files;
use crate::error::{Error, Result, nearest};
use crate::percent::part as decode;

/// The parameters that are understood, each with its environment variable.
const KNOWN: [(&str, &str); 37] = [
    ("host", "PGHOST"),
    ("hostaddr", "PGHOSTADDR"),
    ("port", "PGPORT"),
    ("dbname", "PGDATABASE"),
    ("user", "PGUSER"),
    ("password", "PGPASSWORD"),
    ("passfile", "PGPASSFILE"),
    ("service", "PGSERVICE"),
    ("servicefile", "PGSERVICEFILE"),
    ("options", "PGOPTIONS"),
    ("application_name", "PGAPPNAME"),
    ("fallback_application_name", ""),
    ("connect_timeout", "PGCONNECT_TIMEOUT"),
    ("client_encoding", "PGCLIENTENCODING"),
    ("sslmode", "PGSSLMODE"),
    ("requiressl", "PGREQUIRESSL"),
    ("sslnegotiation", "PGSSLNEGOTIATION"),
    ("sslcert", "PGSSLCERT"),
    ("sslkey", "PGSSLKEY"),
    ("sslrootcert", "PGSSLROOTCERT"),
    ("sslsni", "PGSSLSNI"),
    ("sslcompression", "PGSSLCOMPRESSION"),
    ("ssl_min_protocol_version", "PGSSLMINPROTOCOLVERSION"),
    ("ssl_max_protocol_version", "PGSSLMAXPROTOCOLVERSION"),
    ("gssencmode", "PGGSSENCMODE"),
    // Kerberos is not spoken, so these say nothing.
    ("krbsrvname", "PGKRBSRVNAME"),
    ("gsslib", "PGGSSLIB"),
    ("gssdelegation", "PGGSSDELEGATION"),
    ("channel_binding", "PGCHANNELBINDING"),
    ("target_session_attrs", "PGTARGETSESSIONATTRS"),
    ("load_balance_hosts", "PGLOADBALANCEHOSTS"),
    ("require_auth", "PGREQUIREAUTH"),
    ("keepalives", ""),
    ("keepalives_idle", ""),
    ("keepalives_interval", ""),
    ("keepalives_count", ""),
    ("tcp_user_timeout", ""),
];

/// Parameters of libpq that are not understood: better no connection than one that is less safe than it should be.
const REFUSED: [&str; 6] = [
    "sslcrl",
    "sslcrldir",
    "sslpassword",
    "sslcertmode",
    "require_auth",
    "requirepeer",
];

/// What other programs call the schema.
const SCHEMA_ELSEWHERE: [&str; 3] = ["search_path", "currentSchema", "currentschema"];

/// Where servers listen, the first that is there.
const SOCKETS: [&str; 2] = ["/var/run/postgresql", "/tmp"];

/// What a connection is made of.
#[derive(Clone)]
pub(super) struct Params {
    values: BTreeMap<String, String>,
    /// The home folder, for files that have their place there.
    home: Option<PathBuf>,
    /// Where other files are looked for.
    folders: [PathBuf; 2],
    /// The schemas that the session works in, which libpq does not know.
    pub(super) schemas: Vec<String>,
    /// The password stands in this file, whose rights are too wide for it to be read.
    pub(super) open_passfile: Option<PathBuf>,
}

impl Params {
    /// Reads a URL `postgresql://…` and completes it.
    pub(super) fn new(url: &str, opening: Opening<'_>) -> Result<Self> {
        Self::read(url, opening).map_err(|error| discreet(url, error))
    }

    fn read(url: &str, opening: Opening<'_>) -> Result<Self> {
        let Opening { variables, user, .. } = opening;
        let home = variables.get("HOME").filter(|home| !home.is_empty()).map(PathBuf::from);
        let mut params = Self {
            values: read_url(url)?,
            home,
            folders: opening.folders.map(Path::to_path_buf),
            schemas: OfUrl.named_by(url)?,
            open_passfile: None,
        };
        params.take("schema");
        params.check_names()?;
        let filled = |name: &str| variables.get(name).filter(|value| !value.is_empty()).cloned();
        if let Some(service) = params.take("service").or_else(|| filled("PGSERVICE")) {
            let file = params.take("servicefile").or_else(|| filled("PGSERVICEFILE"));
            let folder = filled("PGSYSCONFDIR");
            for (name, value) in files::service(
                &service,
                file.map(|file| params.found(&file)),
                folder,
                params.home.as_deref(),
            )? {
                params.values.entry(name).or_insert(value);
            }
            params.check_names()?;
        }
        for (name, variable) in KNOWN {
            if let Some(value) = filled(variable).filter(|_| !variable.is_empty()) {
                params.values.entry(name.to_owned()).or_insert(value);
            }
        }
        if let Some(refused) = REFUSED.iter().find(|name| params.get(name).is_some()) {
            return Err(wrong(format!("the connection parameter `{refused}` is not supported")));
        }
        params.complete(user);
        params.find_password();
        Ok(params)
    }

    fn complete(&mut self, user: &str) {
        let user = self.values.entry("user".to_owned()).or_insert_with(|| user.to_owned());
        let user = user.clone();
        self.values.entry("dbname".to_owned()).or_insert(user);
        if self.get("host").is_none() && self.get("hostaddr").is_none() {
            let port = self.get("port").unwrap_or("5432");
            let name = format!(".s.PGSQL.{port}");
            let there = SOCKETS.iter().find(|folder| files::is_there(folder, &name));
            let host = there.or(SOCKETS.first().filter(|folder| files::is_there(folder, "")));
            let host = host.map_or("localhost", |folder| folder).to_owned();
            self.values.insert("host".to_owned(), host);
        }
    }

    /// The password of the password file, unless one is given.
    fn find_password(&mut self) {
        if self.get("password").is_some() {
            return;
        }
        let Some(file) = self.file("passfile", ".pgpass") else {
            return;
        };
        let hosts = self.hosts();
        let found = files::password(&file, |host, port, database, user| {
            let is_host = |(name, number): &(String, String)| {
                let name = if SOCKETS.contains(&name.as_str()) {
                    "localhost"
                } else {
                    name
                };
                (host == "*" || host == name) && (port == "*" || port == *number)
            };
            let is = |pattern: &str, name: &str| pattern == "*" || Some(pattern) == self.get(name);
            hosts.iter().any(is_host) && is(database, "dbname") && is(user, "user")
        });
        match found {
            files::Password::Found(password) => {
                self.values.insert("password".to_owned(), password);
            }
            files::Password::TooOpen => self.open_passfile = Some(file),
            files::Password::None => {}
        }
    }

    /// The file that a parameter names, or its usual place under the home folder.
    pub(super) fn file(&self, name: &str, usual: &str) -> Option<PathBuf> {
        match self.get(name) {
            Some(path) => Some(self.found(path)),
            None => Some(self.home.as_ref()?.join(usual)),
        }
    }

    /// The path of a file: under the home folder after `~/`, else in the first folder that has it.
    fn found(&self, path: &str) -> PathBuf {
        if let (Some(rest), Some(home)) = (path.strip_prefix("~/"), &self.home) {
            return home.join(rest);
        }
        let [first, second] = self.folders.each_ref().map(|folder| folder.join(path));
        if !first.exists() && second.exists() {
            second
        } else {
            first
        }
    }

    /// The value of a parameter.
    pub(super) fn get(&self, name: &str) -> Option<&str> {
        self.values
            .get(name)
            .map(String::as_str)
            .filter(|value| !value.is_empty())
    }

    fn take(&mut self, name: &str) -> Option<String> {
        self.values.remove(name)
    }

    /// Each host with its port.
    pub(super) fn hosts(&self) -> Vec<(String, String)> {
        let hosts: Vec<&str> = self
            .get("host")
            .or(self.get("hostaddr"))
            .unwrap_or("localhost")
            .split(',')
            .collect();
        let ports: Vec<&str> = self.get("port").unwrap_or("5432").split(',').collect();
        let port = |at: usize| ports.get(at).or(ports.first()).copied().filter(|port| !port.is_empty());
        let pairs = hosts.iter().enumerate();
        pairs
            .map(|(at, host)| ((*host).to_owned(), port(at).unwrap_or("5432").to_owned()))
            .collect()
    }

    /// A number that a parameter gives.
    pub(super) fn number(&self, name: &str) -> Result<Option<u64>> {
        let Some(text) = self.get(name) else { return Ok(None) };
        // What is below zero is zero, as for libpq.
        let number = text.trim().parse::<i64>();
        number
            .map(|number| Some(u64::try_from(number).unwrap_or_default()))
            .map_err(|_| wrong(format!("the connection parameter `{name}` is no number")))
    }

    fn check_names(&self) -> Result<()> {
        let names = || KNOWN.iter().map(|(name, _)| *name).chain(REFUSED).chain(["schema"]);
        let Some(unknown) = self.values.keys().find(|name| names().all(|known| known != *name)) else {
            return Ok(());
        };
        let error = wrong(format!("there is no connection parameter `{unknown}`"));
        if SCHEMA_ELSEWHERE.contains(&unknown.as_str()) {
            return Err(error.help("the schema is named by `schema`: ?schema=NAME"));
        }
        Err(match nearest(unknown, names()) {
            Some(near) => error.help(format!("did you mean `{near}`?")),
            None => error.help("the parameters are those of libpq, such as host, port, dbname, user and sslmode"),
        })
    }
}

pub(super) fn wrong(message: impl Into<String>) -> Error {
    Error::new(Code::ConfigUrl, message)
}

/// The error, unless what it shows may come from a password: one with a `?` or `@` in it, which should not stand there as
/// it is, looks like parameters.
pub(super) fn discreet(url: &str, error: Error) -> Error {
    let before = url.rfind('@').map_or("", |at| &url[..at]);
    if !before.contains('?') {
        return error;
    }
    wrong("the URL cannot be read: a `?` stands before an `@`")
        .help("in a password, `?` is written %3F, `@` %40, `/` %2F and `%` %25; so is an `@` in a parameter")
}

/// The parts of `postgresql://user:password@host:port,host:port/database?name=value&…`.
fn read_url(url: &str) -> Result<BTreeMap<String, String>> {
    let mut values = BTreeMap::new();
    let rest = url.split_once("://").map_or(url, |(_, rest)| rest);
    let (rest, query) = rest.split_once('?').unwrap_or((rest, ""));
    let (authority, database) = match rest.rfind('@') {
        // A password may hold a slash, though it should be written %2F.
        Some(at) => match rest[at..].find('/') {
            Some(slash) => (&rest[..at + slash], &rest[at + slash + 1..]),
            None => (rest, ""),
        },
        None => rest.split_once('/').unwrap_or((rest, "")),
    };
    let (user, hosts) = authority.rsplit_once('@').unwrap_or(("", authority));
    let (user, password) = user.split_once(':').unwrap_or((user, ""));
    let mut put = |name: &str, value: &str| -> Result<()> {
        if !value.is_empty() {
            values.insert(name.to_owned(), decode(value)?);
        }
        Ok(())
    };
    put("user", user)?;
    put("password", password)?;
    put("dbname", database)?;
    let (hosts, ports) = split_hosts(hosts);
    put("host", &hosts)?;
    put("port", &ports)?;
    for parameter in query.split('&').filter(|parameter| !parameter.is_empty()) {
        let Some((name, value)) = parameter.split_once('=') else {
            // What no one knows may be part of a password.
            let known = KNOWN.iter().find(|(name, _)| *name == parameter);
            let which = known.map_or_else(String::new, |(name, _)| format!(" `{name}`"));
            return Err(wrong(format!("the connection parameter{which} has no value")));
        };
        match name {
            "ssl" if value == "true" => put("sslmode", "require")?,
            _ => put(name, value)?,
        }
    }
    Ok(values)
}

/// The hosts and the ports, each list with commas. An IPv6 address stands in brackets.
fn split_hosts(text: &str) -> (String, String) {
    let mut hosts = Vec::new();
    let mut ports = Vec::new();
    for part in text.split(',') {
        let (host, rest) = match part.strip_prefix('[').and_then(|rest| rest.split_once(']')) {
            Some((address, rest)) => (address, rest),
            None => part.split_at(part.find(':').unwrap_or(part.len())),
        };
        hosts.push(host);
        ports.push(rest.trim_start_matches(':'));
    }
    let list = |parts: Vec<&str>| {
        if parts.iter().all(|part| part.is_empty()) {
            String::new()
        } else {
            parts.join(",")
        }
    };
    (list(hosts), list(ports))
}

#[cfg(test)]
mod tests {
    use super::*;

    fn check(url: &str, expect: &str) {
        let opening = Opening {
            variables: &BTreeMap::new(),
            user: "me",
            folders: [Path::new("/"); 2],
            wait: std::time::Duration::ZERO,
            cancelled: &std::sync::atomic::AtomicBool::new(false),
        };
        let params = Params::new(url, opening);
        let shown = match params {
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
        check("postgresql://h/d", "dbname=d host=h user=me");
        check(
            "postgres://u:p%40@h:1234/d",
            "dbname=d host=h password=p@ port=1234 user=u",
        );
        check("postgresql://u:a/b@h/d", "dbname=d host=h password=a/b user=u");
        check("postgresql://h", "dbname=me host=h user=me");
        check("postgresql://u@a:1,b:2/d", "dbname=d host=a,b port=1,2 user=u");
        check("postgresql://[::1]:5433/d", "dbname=d host=::1 port=5433 user=me");
        check("postgresql://%2Frun%2Fpg/d", "dbname=d host=/run/pg user=me");
        check(
            "postgresql:///d?host=/run/pg&sslmode=require&options=-c%20work_mem%3D1MB",
            "dbname=d host=/run/pg options=-c work_mem=1MB sslmode=require user=me",
        );
        check("postgresql://h/d?sslmod=x", "there is no connection parameter `sslmod`");
        check(
            "postgresql://h/d?sslcrl=x",
            "the connection parameter `sslcrl` is not supported",
        );
        check(
            "postgresql://h/d?sslmode",
            "the connection parameter `sslmode` has no value",
        );
        check("postgresql://h/d?user=a@b", "dbname=d host=h user=a@b");
    }

    #[test]
    fn no_error_shows_a_password() {
        let looks_wrong = "the URL cannot be read: a `?` stands before an `@`";
        check("postgresql://u:p?ss&word@h/d", looks_wrong);
        check("postgresql://u:p?ss=word@h/d", looks_wrong);
        check("postgresql://u:p@a?ss&word@h/d", looks_wrong);
        check("postgresql://u:secret?@h/d", looks_wrong);
        check("postgresql://h/d?secret", "the connection parameter has no value");
    }
}
