//! The URL of a database: which kind, where, and nothing that shows a password.

use std::fmt;
use std::path::{Path, PathBuf};

use crate::code::Code;
use crate::error::{Error, Result, nearest};
use crate::percent::{self, Undecodable};
use crate::source::Span;

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

/// Parameters whose values are never shown.
const SECRET: [&str; 4] = ["password", "sslpassword", "passwd", "pwd"];

impl DatabaseUrl {
    /// Reads a URL; a relative path of SQLite is taken from `folder`.
    ///
    /// # Errors
    /// `config::url`, in words that show no password.
    pub fn parse(text: &str, folder: &Path) -> Result<Self> {
        let text = text.trim();
        let Some((scheme, rest)) = text.split_once(':') else {
            return Err(wrong("the URL does not begin with a kind of database").help("a file is named by sqlite:PATH"));
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
            Self::Sqlite(SqliteUrl { path: Some(path), .. }) => write!(f, "sqlite:{}", path.display()),
            Self::Server { text, .. } => f.write_str(&redacted(text)),
        }
    }
}

impl fmt::Debug for DatabaseUrl {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{self}")
    }
}

/// The text with `***` for each password of a URL in it.
pub fn redacted(text: &str) -> String {
    let mut out = String::new();
    let mut at = 0;
    for secret in secrets(text, false) {
        out.push_str(&text[at..secret.start]);
        out.push_str("***");
        at = secret.end;
    }
    out.push_str(&text[at..]);
    out
}

/// A text of the configuration with a `*` for each byte of a password of a URL in it, so that places in the text stay what they are.
pub(super) fn starred(text: &str) -> String {
    let mut out = String::with_capacity(text.len());
    let mut at = 0;
    for secret in secrets(text, true) {
        out.push_str(&text[at..secret.start]);
        out.extend(std::iter::repeat_n('*', secret.len()));
        at = secret.end;
    }
    out.push_str(&text[at..]);
    out
}

/// Where passwords stand, in order. Rather too much than too little: a URL goes on to the end of its line, and a value of
/// the configuration may be one without its beginning.
fn secrets(text: &str, configuration: bool) -> Vec<Span> {
    let mut secrets = Vec::new();
    let mut at = 0;
    for line in text.split_inclusive('\n') {
        // Without its slashes, as somebody may have mistyped it, a password stands before the last `@` nevertheless.
        let slashes = line.find("://").map(|at| at + 3).or_else(|| Some(line.find("//")? + 2));
        let bare = || {
            let before = &line[..line.rfind('@')?];
            let colon = before.rfind(':').filter(|_| before.matches(':').count() > 2)?;
            before[..colon].rfind(':').map(|at| at + 1)
        };
        let value = || configuration.then(|| without_scheme(line)).flatten();
        if let Some(start) = slashes.or_else(value).or_else(bare) {
            let user = user_password(&line[start..]).map(|span| start + span.start..start + span.end);
            let after = user.as_ref().map_or(start, |span| span.end);
            secrets.extend(user.map(|span| at + span.start..at + span.end));
            parameters(&line[after..], at + after, &mut secrets);
        } else if let Some(span) = keyed(line) {
            secrets.push(at + span.start..at + span.end);
        } else {
            parameters(line, at, &mut secrets);
        }
        at += line.len();
    }
    secrets.retain(|span: &Span| {
        let secret = &text[span.clone()];
        let is_variable = secret.starts_with("${") && secret.ends_with('}') && secret.matches('$').count() == 1;
        !secret.is_empty() && !is_variable
    });
    secrets
}

/// Where `user:password@host` begins that stands for a whole URL, or for one that lacks its slashes.
fn without_scheme(line: &str) -> Option<usize> {
    let key = line.split(['"', '\'']).next()?.find(": ").map_or(0, |at| at + 2);
    let start = key + line[key..].find(|sign: char| !sign.is_whitespace() && !"\"'-[{".contains(sign))?;
    let known = |(name, _): &(&str, &str)| {
        let rest = line[start..].strip_prefix(name)?.strip_prefix(':')?;
        Some(line.len() - rest.len())
    };
    let start = SCHEMES.iter().find_map(known).unwrap_or(start);
    user_password(&line[start..]).map(|_| start)
}

/// The password in `user:password@host`. It may hold any sign, written as it should not be, so it ends at the last `@`.
fn user_password(rest: &str) -> Option<Span> {
    let colon = rest.find(':')?;
    let authority = rest.find(['/', '?']).unwrap_or(rest.len());
    let after = &rest[colon + 1..];
    let digits = after.bytes().take_while(u8::is_ascii_digit).count();
    let is_port = colon < authority
        && digits > 0
        && matches!(
            after.as_bytes().get(digits),
            None | Some(b'/' | b'?' | b',' | b'\n' | b' ' | b'"' | b'\'')
        );
    let before = if is_port {
        rest.find('?').unwrap_or(rest.len())
    } else {
        rest.len()
    };
    let end = rest[..before].rfind('@')?;
    (colon < end).then_some(colon + 1..end)
}

/// The value of a line such as `password: x`, which somebody may have written though there is no such key.
fn keyed(line: &str) -> Option<Span> {
    let (key, value) = line.split_once([':', '='])?;
    let key = key.trim().trim_matches(['"', '\'']);
    SECRET.iter().find(|secret| secret.eq_ignore_ascii_case(key))?;
    let start = line.len() - value.trim_start().len();
    Some(start..start + value.trim().len())
}

/// The values of secret parameters.
fn parameters(text: &str, offset: usize, secrets: &mut Vec<Span>) {
    let Some(query) = text.find('?') else { return };
    let mut at = query + 1;
    for parameter in text[at..].split('&') {
        if let Some((name, value)) = parameter.split_once('=')
            && SECRET.iter().any(|secret| secret.eq_ignore_ascii_case(name))
        {
            let start = offset + at + name.len() + 1;
            let end = value.find(['\n', '"', '\'', ' ']).unwrap_or(value.len());
            secrets.push(start..start + end);
        }
        at += parameter.len() + 1;
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
        assert_eq!(
            starred("url: postgresql//u:secret@h/d"),
            "url: postgresql//u:******@h/d"
        );
        assert_eq!(starred("url: postgresql:u:secret@h/d"), "url: postgresql:u:******@h/d");
        assert_eq!(starred("url: \"u:se:cret@h:1/d\""), "url: \"u:*******@h:1/d\"");
        assert_eq!(starred("urls: [u:secret@h]\n- u:x@h"), "urls: [u:******@h]\n- u:*@h");
        assert_eq!(starred("url: mysql:u:se:cret@h/d"), "url: mysql:u:*******@h/d");
        assert_eq!(
            starred("url: \"sqlite:a?pwd=secret\"\n"),
            "url: \"sqlite:a?pwd=******\"\n"
        );
        assert_eq!(
            starred("a: b\n  Password: secret \nc: d"),
            "a: b\n  Password: ****** \nc: d"
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

    #[test]
    fn stars_keep_places() {
        let text =
            "# é\nurl: \"postgresql://u:sécret@h/db?password=x\" # y\nlocations: [a@b]\nurl: mysql://u:${PW}@h\n";
        let got = starred(text);
        assert_eq!(
            got,
            "# é\nurl: \"postgresql://u:*******@h/db?password=*\" # y\nlocations: [a@b]\nurl: mysql://u:${PW}@h\n"
        );
        assert_eq!(got.len(), text.len());
    }
}
