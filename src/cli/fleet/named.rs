//! The databases that a fleet is made of: files, URLs, and the schemas of one database.

use std::collections::{BTreeMap, BTreeSet};
use std::io::Read as _;
use std::path::{Path, PathBuf};

use crate::cli::args;
use crate::cli::session::{Session, unsupported};
use crate::code::Code;
use crate::dialect::{self, Dialect};
use crate::driver;
use crate::error::{Error, Result};
use crate::percent;
use crate::project::{DatabaseUrl, Project, SqliteMode, SqliteUrl, glob};
use crate::secret;
use crate::sorted::Gather as _;
use crate::version::VersionTable;

/// One of the databases.
pub(super) struct Database {
    /// As it was named, or as it is called from the working directory; the schema, where all are schemas of one database.
    pub(super) name: String,
    pub(super) url: DatabaseUrl,
    /// The schema that the URL names.
    schema: Option<String>,
}

/// The databases that the options name, in order, each once.
pub(super) fn named(session: &Session<'_>, project: &Project, args: &args::Fleet) -> Result<Vec<Database>> {
    let mut words = args.each.clone();
    if let Some(file) = &args.each_from {
        words.extend(listed(session, file)?);
    }
    let mut databases: Vec<Database> = Vec::new();
    let mut known = BTreeSet::new();
    for word in &words {
        for database in matching(session, project, word)? {
            if known.insert(which(&database.url)) {
                databases.push(database);
            }
        }
    }
    one_history_each(&databases, &project.config.version_table)?;
    if databases.is_empty() {
        let message = format!(
            "no database fits {}",
            words
                .iter()
                .map(|word| secret::redacted_word(word))
                .collect::<Vec<_>>()
                .join(" ")
        );
        return Err(
            Error::new(Code::Usage, message).help("--each 'tenants/*.db', in quotes, so that the shell leaves it")
        );
    }
    by_schemas(&mut databases);
    Ok(databases)
}

/// Names databases by their schemas alone, where that tells them apart.
fn by_schemas(databases: &mut [Database]) {
    let schemas: BTreeSet<&str> = databases.iter().filter_map(|it| it.schema.as_deref()).into_set();
    if schemas.len() < databases.len() {
        return;
    }
    for database in databases {
        if let Some(schema) = &database.schema {
            database.name.clone_from(schema);
        }
    }
}

/// Refuses URLs that lead to one version table: those that differ in their `options` alone, such as the `search_path`, and
/// schemas when the version table has a place of its own.
fn one_history_each(databases: &[Database], version_table: &str) -> Result<()> {
    let mut known = BTreeMap::new();
    for database in databases {
        let DatabaseUrl::Server { text, dialect } = &database.url else {
            continue;
        };
        let Some(dialect) = dialect::named(dialect) else {
            continue;
        };
        let table = VersionTable::new(dialect, version_table).within(database.schema.as_deref());
        let place = percent::with_parameter(&percent::with_parameter(text, "options", None), "schema", None);
        let Some(other) = known.insert((place, table.place().to_owned()), database) else {
            continue;
        };
        let both = format!("`{}` and `{}` are one database", other.name, database.name);
        let error = Error::new(Code::Usage, format!("{both} with one version table"));
        return Err(match &database.schema {
            Some(_) => error.help(format!(
                "`version_table: {version_table}` names one table for all schemas; without a schema in it there is one in each"
            )),
            None => error.help(
                "for a history in each schema, name them by `schema`: --each 'postgresql://HOST/DATABASE?schema=tenant_*'",
            ),
        });
    }
    Ok(())
}

/// What tells a database from the others: a file may have several names. Nothing of a server's URL is hidden, since what
/// is shown of two may be the same.
fn which(url: &DatabaseUrl) -> String {
    let path = match url {
        DatabaseUrl::Server { text, .. } => return text.clone(),
        DatabaseUrl::Sqlite(SqliteUrl { path: None, .. }) => return String::new(),
        DatabaseUrl::Sqlite(SqliteUrl { path: Some(path), .. }) => path,
    };
    #[cfg(unix)]
    if let Ok(file) = std::fs::metadata(path) {
        use std::os::unix::fs::MetadataExt;
        return format!("file {} {}", file.dev(), file.ino());
    }
    let folder = path.parent().and_then(|folder| folder.canonicalize().ok());
    let whole = folder.zip(path.file_name()).map(|(folder, name)| folder.join(name));
    format!("path {}", whole.as_ref().unwrap_or(path).display())
}

/// The dialect of all of them, whose texts of the revisions run.
pub(super) fn common_dialect(databases: &[Database]) -> Result<&'static dyn Dialect> {
    let first = &databases[0];
    if let Some(other) = databases
        .iter()
        .find(|other| other.url.dialect() != first.url.dialect())
    {
        let message = format!("`{}` and `{}` are not of one kind", first.name, other.name);
        return Err(Error::new(Code::Usage, message).help("upgrade those of each kind in a run of its own"));
    }
    dialect::named(first.url.dialect()).ok_or_else(|| unsupported(&first.url))
}

/// The lines of a file, or of standard input; empty ones and those that begin with `#` aside.
#[expect(clippy::disallowed_methods, reason = "a list is named on the command line")]
fn listed(session: &Session<'_>, file: &Path) -> Result<Vec<String>> {
    let mut text = String::new();
    let read = if file.as_os_str() == "-" {
        std::io::stdin().read_to_string(&mut text)
    } else {
        std::fs::File::open(session.directory.join(file)).and_then(|mut file| file.read_to_string(&mut text))
    };
    read.map_err(|error| {
        Error::new(Code::FileIo, format!("cannot read `{}`", file.display())).cause(error.to_string())
    })?;
    let lines = text
        .lines()
        .map(str::trim)
        .filter(|line| !line.is_empty() && !line.starts_with('#'));
    Ok(lines.map(str::to_owned).collect())
}

/// The databases that a word names.
fn matching(session: &Session<'_>, project: &Project, word: &str) -> Result<Vec<Database>> {
    let directory = &session.directory;
    let of = |path: PathBuf| {
        // A URL may stand here without its beginning.
        let name = path.strip_prefix(directory).unwrap_or(&path).to_string_lossy();
        let name = secret::redacted_word(&name);
        let url = DatabaseUrl::Sqlite(SqliteUrl {
            path: Some(path),
            mode: SqliteMode::ReadWrite,
        });
        Database {
            name,
            url,
            schema: None,
        }
    };
    if secret::names_database(word) {
        let url = DatabaseUrl::parse(word, directory)?;
        return named_by_url(session, project, url, secret::redacted_word(word));
    }
    if !glob::is_pattern(word) {
        return Ok(vec![of(directory.join(word))]);
    }
    let found = glob::files(directory, word);
    let found =
        found.map_err(|error| Error::new(Code::FileIo, format!("cannot look for {word}")).cause(error.to_string()))?;
    // Copies are kept as they are.
    Ok(found
        .into_iter()
        .filter(|path| !crate::migrator::copies::is_own_file(path))
        .map(of)
        .collect())
}

/// The database of a URL, or each of its schemas that fit the pattern in it.
fn named_by_url(session: &Session<'_>, project: &Project, url: DatabaseUrl, name: String) -> Result<Vec<Database>> {
    let schemas = match &url {
        DatabaseUrl::Server { text, dialect } => dialect::named(dialect).map(|dialect| dialect.schemas_named_by(text)),
        DatabaseUrl::Sqlite(_) => None,
    };
    let mut schemas = schemas.transpose()?.unwrap_or_default().into_iter();
    let schema = schemas.next();
    let (Some(pattern), DatabaseUrl::Server { text, dialect }) =
        (schema.as_ref().filter(|schema| glob::is_pattern(schema)), &url)
    else {
        return Ok(vec![Database { name, url, schema }]);
    };
    let there = schemas_there(session, project, &url)?;
    let others: Vec<String> = schemas.map(|other| format!(",{}", percent::encode(&other))).collect();
    let fitting = there
        .iter()
        .filter(|schema| glob::fits(pattern.as_bytes(), schema.as_bytes()));
    let databases: Vec<Database> = fitting
        .map(|schema| {
            let value = percent::encode(schema) + &others.concat();
            let text = percent::with_parameter(text, "schema", Some(&value));
            Database {
                name: secret::redacted(&text),
                url: DatabaseUrl::Server { dialect, text },
                schema: Some(schema.clone()),
            }
        })
        .collect();
    if databases.is_empty() {
        let error = Error::new(Code::Usage, format!("no schema fits `{pattern}` of {name}"));
        return Err(if there.is_empty() {
            error.help("there is none yet beside `public`: CREATE SCHEMA NAME, or sqlrev create --url URL?schema=NAME")
        } else {
            let shown: Vec<&str> = there.iter().take(10).map(String::as_str).collect();
            let more = if there.len() > 10 { ", …" } else { "" };
            error.help(format!("there are {}{more}", shown.join(", ")))
        });
    }
    Ok(databases)
}

/// The schemas of a database that a pattern may mean, sorted.
fn schemas_there(session: &Session<'_>, project: &Project, url: &DatabaseUrl) -> Result<Vec<String>> {
    let DatabaseUrl::Server { text, dialect } = url else {
        return Ok(Vec::new());
    };
    let text = percent::with_parameter(text, "schema", None);
    let opened = driver::server(dialect, &text, session.opening(project)?);
    let mut driver = opened.unwrap_or_else(|| Err(unsupported(url)))?;
    let Some(query) = driver.dialect().schemas().map(dialect::Schemas::there) else {
        return Ok(Vec::new());
    };
    let rows = driver.query(query);
    let rows = rows.map_err(|error| crate::execute::fault::database(&error))?;
    Ok(rows.into_iter().flatten().flatten().collect())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn databases_are_told_apart_by_what_is_hidden_too() {
        let which = |url: &str| which(&DatabaseUrl::parse(url, Path::new("")).expect("a URL"));
        let of = |database: &str| format!("postgresql://u:x@/{database}?keepalives=1&application_name=ops@corp");
        assert_eq!(secret::redacted(&of("a")), secret::redacted(&of("b")));
        assert_ne!(which(&of("a")), which(&of("b")));
        assert_eq!(which(&of("a")), which(&of("a")));
    }
}
