//! The URL of a database: which kind, where, and nothing that shows a password.

use std::fmt;
use std::path::{Path, PathBuf};

use crate::code::Code;
use crate::error::{Error, Result, nearest};
use crate::percent::{self, Undecodable};
use crate::secret;

/// Where a database is.
#[derive(Clone, PartialEq, Eq)]
pub enum DatabaseUrl {
    /// An SQLite database.
    Sqlite(SqliteUrl),
    /// A server.
    Server {
        /// `postgresql`, `mysql` or `mariadb`.
        dialect: &'static str,
        /// The whole URL, password included: for the driver alone.
        text: String,
    },
}

/// Where an SQLite database is.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct SqliteUrl {
    /// The file; none for a database in memory.
    pub path: Option<PathBuf>,
    /// What may be done with it.
    pub mode: SqliteMode,
}

/// What may be done with an SQLite file.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub enum SqliteMode {
    /// `mode=rwc`, and what goes without saying: it is written to, and created when it is not there.
    #[default]
    Create,
    /// `mode=rw`: it must be there.
    ReadWrite,
    /// `mode=ro`
    ReadOnly,
}

/// The schemes, each with its dialect.
const SCHEMES: [(&str, &str); 7] = [
    ("sqlite", "sqlite"),
    ("sqlite3", "sqlite"),
    ("file", "sqlite"),
    ("postgresql", "postgresql"),
    ("postgres", "postgresql"),
    ("mysql", "mysql"),
    ("mariadb", "mariadb"),
];

impl DatabaseUrl {
    /// The kind of database, as the URL says it.
    pub(super) fn kind(&self) -> &'static str {
        match self {
            Self::Sqlite(_) => "sqlite",
            Self::Server { dialect, .. } => dialect,
        }
    }

    /// Whether both are of one kind. Behind either name of MySQL and MariaDB may be either server.
    pub(super) fn is_alike(&self, other: &Self) -> bool {
        let family = |url: &Self| match url.kind() {
            "mariadb" => "mysql",
            kind => kind,
        };
        family(self) == family(other)
    }

    /// Reads a URL; a relative path of SQLite is taken from `folder`.
    ///
    /// # Errors
    /// `config::url`, in words that show no password.
    pub fn parse(text: &str, folder: &Path) -> Result<Self> {
        let text = text.trim();
        // What stands before the first colon is shown, unless it is more than a word.
        let scheme = text.split_once(':');
        let Some((scheme, rest)) = scheme.filter(|(scheme, _)| !scheme.contains(['=', '?', '@', ' '])) else {
            let error = wrong("the URL does not begin with a kind of database");
            return Err(if text.contains('=') {
                error.help("a server is named by postgresql://USER@HOST/DATABASE")
            } else {
                error.help("a file is named by sqlite:PATH")
            });
        };
        let known = SCHEMES.iter().find(|(name, _)| name.eq_ignore_ascii_case(scheme));
        match known {
            Some((name, "sqlite")) => SqliteUrl::parse(rest, *name == "file", folder).map(Self::Sqlite),
            Some((_, dialect)) if rest.starts_with("//") => Ok(Self::Server {
                dialect,
                text: text.to_owned(),
            }),
            Some((name, _)) => {
                Err(wrong(format!("`{scheme}:` is not followed by `//`")).help(format!("{name}://USER@HOST/DATABASE")))
            }
            None => {
                let error = wrong(format!("`{scheme}:` is not a kind of database"));
                Err(match nearest(scheme, SCHEMES.map(|(name, _)| name)) {
                    Some(near) => error.help(format!("did you mean `{near}:`?")),
                    None => error.help("the kinds are sqlite:, postgresql:// and mysql://"),
                })
            }
        }
    }

    /// The dialect that it speaks: `sqlite`, `postgresql`, `mysql` or `mariadb`.
    pub fn dialect(&self) -> &'static str {
        match self {
            Self::Sqlite(_) => "sqlite",
            Self::Server { dialect, .. } => dialect,
        }
    }
}

impl SqliteUrl {
    fn parse(rest: &str, is_uri: bool, folder: &Path) -> Result<Self> {
        let (path, query) = rest.split_once('?').unwrap_or((rest, ""));
        // `//` begins an authority; SQLite knows none but the empty one and `localhost`.
        let path = match path.strip_prefix("//") {
            Some(path) if is_uri => path
                .strip_prefix("localhost")
                .filter(|path| path.starts_with('/'))
                .unwrap_or(path),
            Some(path) => path,
            None => path,
        };
        let path = if is_uri {
            path
        } else {
            path.strip_prefix("file:").unwrap_or(path)
        };
        let (mode, memory) = modes(query)?;
        let path = decode(path)?;
        if memory || path == ":memory:" {
            return Ok(Self { path: None, mode });
        }
        if path.is_empty() {
            return Err(
                wrong("the URL names no file").help("sqlite:app.db is a file, sqlite::memory: a database in memory")
            );
        }
        // `sqlite:////srv/app.db`, as SQLAlchemy writes it, is `/srv/app.db`.
        let path = if path.starts_with("//") {
            format!("/{}", path.trim_start_matches('/'))
        } else {
            path
        };
        let path = Some(folder.join(path));
        Ok(Self { path, mode })
    }
}

/// The mode that the parameters name, and whether it is a database in memory.
fn modes(query: &str) -> Result<(SqliteMode, bool)> {
    let (mut mode, mut memory) = (SqliteMode::default(), false);
    for parameter in query.split('&').filter(|parameter| !parameter.is_empty()) {
        match parameter.split_once('=').unwrap_or((parameter, "")) {
            ("mode", "rwc") => mode = SqliteMode::Create,
            ("mode", "rw") => mode = SqliteMode::ReadWrite,
            ("mode", "ro") => mode = SqliteMode::ReadOnly,
            ("mode", "memory") => memory = true,
            ("mode", other) => {
                return Err(wrong(format!("`mode={other}` is not a mode")).help("the modes are ro, rw, rwc and memory"));
            }
            (name, _) => {
                return Err(
                    wrong(format!("the URL of an SQLite database has no parameter `{name}`"))
                        .help("the one parameter is `mode`: ro, rw, rwc or memory")
                        .help("a `?` in a file name is written %3F"),
                );
            }
        }
    }
    Ok((mode, memory))
}

/// The text with each `%XX` as the byte it stands for.
fn decode(text: &str) -> Result<String> {
    percent::decode(text).map_err(|why| match why {
        Undecodable::Percent => wrong("a `%` in the URL is not followed by two hexadecimal digits")
            .help("a `%` in a file name is written %25"),
        Undecodable::NoText => wrong("the file name in the URL is not a text"),
    })
}

fn wrong(message: impl Into<String>) -> Error {
    Error::new(Code::ConfigUrl, message)
}

impl fmt::Display for DatabaseUrl {
    /// The URL, with `***` for a password.
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Sqlite(SqliteUrl { path: None, .. }) => f.write_str("sqlite::memory:"),
            // That of a server may have been meant.
            Self::Sqlite(SqliteUrl { path: Some(path), .. }) => {
                write!(f, "sqlite:{}", secret::redacted_word(&path.to_string_lossy()))
            }
            Self::Server { text, .. } => f.write_str(&secret::redacted(text)),
        }
    }
}

impl fmt::Debug for DatabaseUrl {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{self}")
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn check(url: &str, expect: &str) {
        let got = match DatabaseUrl::parse(url, Path::new("/home/p")) {
            Ok(DatabaseUrl::Sqlite(url)) => format!(
                "{} {:?}",
                url.path.map_or("memory".into(), |path| path.display().to_string()),
                url.mode
            ),
            Ok(url) => format!("{} {url}", url.dialect()),
            Err(error) => format!("{} {}", error.code().name(), error.message()),
        };
        assert_eq!(got, expect, "{url}");
    }

    #[test]
    fn sqlite() {
        check("sqlite:app.db", "/home/p/app.db Create");
        check("sqlite:./data/app.db?mode=rw", "/home/p/./data/app.db ReadWrite");
        check("sqlite:/srv/app.db", "/srv/app.db Create");
        check("sqlite://app.db", "/home/p/app.db Create");
        check("sqlite:///srv/app.db", "/srv/app.db Create");
        check("sqlite:////srv/app.db", "/srv/app.db Create");
        check("sqlite3:app.db", "/home/p/app.db Create");
        check("SQLite3:///srv/app.db", "/srv/app.db Create");
        check("file:app.db?mode=ro", "/home/p/app.db ReadOnly");
        check("file:///srv/app.db", "/srv/app.db Create");
        check("file://localhost/srv/app.db", "/srv/app.db Create");
        check("sqlite:file:app.db", "/home/p/app.db Create");
        check("sqlite:a%20b%3F.db?mode=rwc", "/home/p/a b?.db Create");
        check("sqlite:é#.db", "/home/p/é#.db Create");
        check("sqlite::memory:", "memory Create");
        check("sqlite://:memory:", "memory Create");
        check("file::memory:", "memory Create");
        check("sqlite:x?mode=memory", "memory Create");
    }

    #[test]
    fn what_cannot_be_read() {
        check(
            "app.db",
            "sqlrev::config::url the URL does not begin with a kind of database",
        );
        check("sqlite:", "sqlrev::config::url the URL names no file");
        check("sqlite:a?mode=x", "sqlrev::config::url `mode=x` is not a mode");
        check(
            "sqlite:a?cache=shared",
            "sqlrev::config::url the URL of an SQLite database has no parameter `cache`",
        );
        check(
            "sqlite:a%2",
            "sqlrev::config::url a `%` in the URL is not followed by two hexadecimal digits",
        );
        check(
            "sqlite:a%é",
            "sqlrev::config::url a `%` in the URL is not followed by two hexadecimal digits",
        );
        check(
            "sqlite:a%ff",
            "sqlrev::config::url the file name in the URL is not a text",
        );
        check(
            "sqlite:a%00",
            "sqlrev::config::url the file name in the URL is not a text",
        );
        check(
            "postgre://u:secret@h/d",
            "sqlrev::config::url `postgre:` is not a kind of database",
        );
        check(
            "postgresql:u:secret@h/d",
            "sqlrev::config::url `postgresql:` is not followed by `//`",
        );
    }

    #[test]
    fn servers_show_no_password() {
        check("postgresql://u:secret@h/db", "postgresql postgresql://u:***@h/db");
        check(
            "postgres://u@h:5432/db?user=a@b",
            "postgresql postgres://u@h:5432/db?user=a@b",
        );
        check("postgresql://h:5432/db", "postgresql postgresql://h:5432/db");
        check("mysql://u:se@cr/et?x@h:3306/db", "mysql mysql://u:***@h:3306/db");
        check(
            "mariadb://h/db?passfile=x&Password=secret&a=b",
            "mariadb mariadb://h/db?passfile=x&Password=***&a=b",
        );
        check(
            "postgresql:///db?password=secret",
            "postgresql postgresql:///db?password=***",
        );
        check("postgresql://u:12/34@h/db", "postgresql postgresql://u:***@h/db");
        let url = DatabaseUrl::parse("postgresql://u:secret@h/db", Path::new("")).expect("a URL");
        assert_eq!(format!("{url:?}"), "postgresql://u:***@h/db");
    }
}
