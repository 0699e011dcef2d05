//! Files whose paths fit a pattern, for commands over many databases. Shells do the same, up to a number of files.

use std::ffi::OsString;
use std::io;
use std::path::{Path, PathBuf};

use crate::sorted;

/// Whether a word is a pattern, and not the name of one file.
pub fn is_pattern(word: &str) -> bool {
    word.contains(['*', '?'])
}

/// The files that fit, sorted: `*` stands for any characters of a name, `?` for one, `**` for any folders, and at
/// the end for all files in them. Names that begin with a dot are passed over unless the pattern says so.
///
/// # Errors
/// A folder that cannot be read; one that is not there holds nothing.
pub fn files(root: &Path, pattern: &str) -> io::Result<Vec<PathBuf>> {
    let (start, rest) = match pattern.strip_prefix('/') {
        Some(rest) => (PathBuf::from("/"), rest),
        None => (root.to_owned(), pattern),
    };
    let mut parts: Vec<&str> = rest
        .split('/')
        .filter(|part| !part.is_empty() && *part != ".")
        .collect();
    // Folders are none of what is looked for: the files in them are meant.
    if parts.last() == Some(&"**") {
        parts.push("*");
    }
    let mut found = Vec::new();
    walk(&start, &parts, &mut found)?;
    sorted::sort(&mut found);
    found.dedup();
    Ok(found)
}

fn walk(folder: &Path, parts: &[&str], found: &mut Vec<PathBuf>) -> io::Result<()> {
    let Some((part, rest)) = parts.split_first() else {
        return Ok(());
    };
    if *part == "**" {
        walk(folder, rest, found)?;
        for (name, path) in entries(folder)? {
            // A link may lead back to a folder above it.
            if fits(b"*", name.as_encoded_bytes()) && path.is_dir() && !path.is_symlink() {
                walk(&path, parts, found)?;
            }
        }
        return Ok(());
    }
    if !is_pattern(part) {
        return step(folder.join(part), rest, found);
    }
    for (name, path) in entries(folder)? {
        if fits(part.as_bytes(), name.as_encoded_bytes()) {
            step(path, rest, found)?;
        }
    }
    Ok(())
}

fn step(path: PathBuf, rest: &[&str], found: &mut Vec<PathBuf>) -> io::Result<()> {
    if !rest.is_empty() {
        return if path.is_dir() {
            walk(&path, rest, found)
        } else {
            Ok(())
        };
    }
    if path.is_file() {
        found.push(path);
    }
    Ok(())
}

fn entries(folder: &Path) -> io::Result<Vec<(OsString, PathBuf)>> {
    let entries = match std::fs::read_dir(folder) {
        Ok(entries) => entries,
        Err(error) if error.kind() == io::ErrorKind::NotFound => return Ok(Vec::new()),
        Err(error) => return Err(error),
    };
    entries
        .map(|entry| entry.map(|entry| (entry.file_name(), entry.path())))
        .collect()
}

/// Whether a name fits a part of a pattern.
pub fn fits(pattern: &[u8], name: &[u8]) -> bool {
    if name.first() == Some(&b'.') && pattern.first() != Some(&b'.') {
        return false;
    }
    let (mut at, mut in_name) = (0, 0);
    // Where the last star was, and how much of the name it has taken.
    let mut star: Option<(usize, usize)> = None;
    while in_name < name.len() {
        match pattern.get(at) {
            Some(b'*') => {
                star = Some((at, in_name));
                at += 1;
            }
            Some(b'?') if !is_inside(name[in_name]) => {
                at += 1;
                in_name += 1;
                while name.get(in_name).copied().is_some_and(is_inside) {
                    in_name += 1;
                }
            }
            Some(letter) if *letter == name[in_name] => {
                at += 1;
                in_name += 1;
            }
            _ => match star {
                Some((before, taken)) => {
                    star = Some((before, taken + 1));
                    at = before + 1;
                    in_name = taken + 1;
                }
                None => return false,
            },
        }
    }
    pattern[at..].iter().all(|letter| *letter == b'*')
}

/// Whether a byte is not the first one of its character.
fn is_inside(byte: u8) -> bool {
    byte & 0xc0 == 0x80
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn names_fit_patterns() {
        for (pattern, name, expect) in [
            ("*.db", "a.db", true),
            ("*.db", ".db", false),
            ("*.db", "a.db.backup-1", false),
            ("*.db", "a.dba", false),
            ("a*b*c", "axxbyybzc", true),
            ("a*b*c", "axxbyybz", false),
            ("?.db", "é.db", true),
            ("??.db", "é.db", false),
            (".*", ".a", true),
            ("*", "", true),
            ("***", "abc", true),
        ] {
            assert_eq!(fits(pattern.as_bytes(), name.as_bytes()), expect, "{pattern} {name}");
        }
    }

    #[test]
    fn files_are_found_in_folders() {
        let folder = tempfile::tempdir().unwrap();
        for name in [
            "a.db",
            "b/c.db",
            "b/d/e.db",
            "b/.hidden.db",
            "f.txt",
            ".trash/old.db",
            "b/.trash/older.db",
        ] {
            let path = folder.path().join(name);
            std::fs::create_dir_all(path.parent().unwrap()).unwrap();
            std::fs::write(path, "").unwrap();
        }
        let found = |pattern: &str| {
            let found = files(folder.path(), pattern).unwrap();
            let names = found
                .iter()
                .map(|path| path.strip_prefix(folder.path()).unwrap().display().to_string());
            names.collect::<Vec<_>>().join(" ")
        };
        assert_eq!(found("*.db"), "a.db");
        assert_eq!(found("./*/*.db"), "b/c.db");
        assert_eq!(found("**/*.db"), "a.db b/c.db b/d/e.db");
        assert_eq!(found("b/c.db"), "b/c.db");
        assert_eq!(found("b/**"), "b/c.db b/d/e.db");
        assert_eq!(found(".trash/*.db"), ".trash/old.db");
        assert_eq!(found("nowhere/*.db"), "");
        assert_eq!(found(&format!("{}/?.db", folder.path().display())), "a.db");
        #[cfg(unix)]
        {
            let name: OsString = std::os::unix::ffi::OsStringExt::from_vec(b"\xff.db".to_vec());
            std::fs::write(folder.path().join(name), "").unwrap();
            assert_eq!(files(folder.path(), "?.db").unwrap().len(), 2);
        }
    }
}
