//! The files that libpq reads: passwords, services, certificates.

#![expect(
    clippy::disallowed_methods,
    reason = "where passwords and services stand is part of how a connection is made"
)]

use std::collections::BTreeMap;
use std::path::{Path, PathBuf};

use crate::driver::postgres::params::wrong;
use crate::driver::tls::is_open_to_others;
use crate::error::Result;
use crate::sorted::Gather as _;

/// What a password file has for a connection.
pub(super) enum Password {
    Found(String),
    /// Others may read the file, so it is not taken.
    TooOpen,
    None,
}

/// Whether a folder holds a file of this name.
pub(super) fn is_there(folder: &str, name: &str) -> bool {
    Path::new(folder).join(name).exists()
}

/// The password of the first line whose host, port, database and user `fits`.
pub(super) fn password(path: &Path, fits: impl Fn(&str, &str, &str, &str) -> bool) -> Password {
    let Ok(bytes) = std::fs::read(path) else {
        return Password::None;
    };
    let text = String::from_utf8_lossy(&bytes);
    let found = text.lines().find_map(|line| match fields(line).as_slice() {
        [host, port, database, user, password, ..] if fits(host, port, database, user) => Some(password.clone()),
        _ => None,
    });
    match found {
        Some(_) if is_open_to_others(path, false) => Password::TooOpen,
        Some(password) => Password::Found(password),
        None => Password::None,
    }
}

/// The parts between colons; a backslash makes the next sign part of a value.
fn fields(line: &str) -> Vec<String> {
    let mut fields = Vec::new();
    if line.starts_with('#') {
        return fields;
    }
    let mut field = String::new();
    let mut signs = line.chars();
    while let Some(sign) = signs.next() {
        match sign {
            '\\' => field.extend(signs.next()),
            ':' if fields.len() < 4 => fields.push(std::mem::take(&mut field)),
            _ => field.push(sign),
        }
    }
    fields.push(field);
    fields
}

/// The parameters of a service.
pub(super) fn service(
    name: &str,
    file: Option<PathBuf>,
    folder: Option<String>,
    home: Option<&Path>,
) -> Result<BTreeMap<String, String>> {
    let own = file.or_else(|| Some(home?.join(".pg_service.conf")));
    let folder = folder.unwrap_or_else(|| "/etc/postgresql-common".to_owned());
    let shared = Path::new(&folder).join("pg_service.conf");
    for path in own.iter().chain([&shared]) {
        let Ok(bytes) = std::fs::read(path) else { continue };
        if let Some(found) = section(&String::from_utf8_lossy(&bytes), name) {
            return Ok(found);
        }
    }
    let places: Vec<String> = own
        .iter()
        .chain([&shared])
        .map(|path| path.display().to_string())
        .collect();
    Err(wrong(format!("there is no service `{name}`")).help(format!("it would stand in {}", places.join(" or "))))
}

/// The `name=value` lines under `[name]`.
fn section(text: &str, name: &str) -> Option<BTreeMap<String, String>> {
    let head = format!("[{name}]");
    let mut lines = text.lines().map(str::trim).skip_while(|line| *line != head);
    lines.next()?;
    let lines = lines.take_while(|line| !line.starts_with('['));
    let pairs = lines
        .filter(|line| !line.starts_with('#'))
        .filter_map(|line| line.split_once('='));
    Some(
        pairs
            .map(|(name, value)| (name.trim().to_owned(), value.trim().to_owned()))
            .into_map(),
    )
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_line_of_a_password_file() {
        assert_eq!(fields(r"h:5432:*:u:a\:b:c"), ["h", "5432", "*", "u", "a:b:c"]);
        assert_eq!(fields("# h:1:2:3:4"), [""; 0]);
    }

    #[test]
    fn a_service() {
        let text = "# all\n[a]\nhost=x\n\n[b]\nhost = y\n#port=1\ndbname=d\n[c]\nhost=z\n";
        let found = section(text, "b").unwrap();
        assert_eq!(found.get("host").map(String::as_str), Some("y"));
        assert_eq!(found.len(), 2);
        assert!(section(text, "d").is_none());
    }
}
