//! Revisions in folders where none are looked for.

use std::io::{self, Read};
use std::path::Path;

use super::disk::{Folder, Kind};
use super::files::Loader;
use super::mistakes::{misnamed, nested};
use super::names::{Half, Name};
use crate::error::Result;
use crate::revision::header;
use crate::sorted;
use crate::source::SourceFile;

/// How many folders deep is looked for revisions that lie too deep.
pub(super) const DEEP: usize = 3;

impl Loader<'_> {
    /// Refuses revisions in folders of a folder that is none: they would be passed over without a word. A folder that is
    /// a location of its own is read as such.
    pub(super) fn nothing_deeper(
        &self,
        folder: &Folder,
        shown: &str,
        mut inner: Vec<String>,
        deep: usize,
    ) -> Result<()> {
        let is_location = |path: &str| self.locations.iter().any(|location| location.name == path);
        if is_location(shown.trim_end_matches('/')) {
            return Ok(());
        }
        sorted::sort(&mut inner);
        for name in inner.iter().filter(|name| !name.starts_with('.')) {
            let path = format!("{shown}{name}");
            if is_location(&path) {
                continue;
            }
            // What cannot be read is nobody's business here.
            let Ok(folder) = folder.open_in(name) else { continue };
            let (mut found, mut inner) = (None, Vec::new());
            let _ = folder.list(|name, kind| match name {
                Ok(name) if kind == Kind::Folder => inner.push(name.to_owned()),
                Ok(name) if matches!(Half::of(name), Name::Half(..)) => found = Some(name.to_owned()),
                _ => {}
            });
            if let Some(found) = found.filter(|found| self.is_passed_over(&path, found)) {
                return Err(nested(shown.trim_end_matches('/'), &format!("{path}/{found}")));
            }
            if deep > 0 {
                self.nothing_deeper(&folder, &format!("{path}/"), inner, deep - 1)?;
            }
        }
        Ok(())
    }

    /// Refuses files of a location that have the header of a revision, and a name that no revision's file has.
    pub(super) fn no_misnamed(&self, location: &str, mut others: Vec<String>) -> Result<()> {
        sorted::sort(&mut others);
        for name in others {
            let shown = format!("{location}/{name}");
            let path = self.root.join(&shown);
            if !begins_like_one(&path).unwrap_or(false) {
                continue;
            }
            let text = head(&path, HEADER).unwrap_or_default();
            let text = String::from_utf8_lossy(&text).into_owned();
            if header::parse(&SourceFile::new(shown.as_str(), text)).is_ok() {
                return Err(misnamed(location, &name));
            }
        }
        Ok(())
    }

    /// Whether a file begins like a revision, and no location has it under another name.
    fn is_passed_over(&self, folder: &str, file: &str) -> bool {
        let folder = self.root.join(folder);
        let begins = begins_like_one(&folder.join(file)).unwrap_or(false);
        let real = |path: &Path| std::fs::canonicalize(path).ok();
        let Some(place) = real(&folder).filter(|_| begins) else {
            return false;
        };
        let mut locations = self
            .locations
            .iter()
            .filter_map(|location| real(&self.root.join(&location.name)));
        !locations.any(|location| place == location || place.parent() == Some(&location))
    }
}

/// Whether a file begins with a header; a pipe is not waited for.
fn begins_like_one(path: &Path) -> io::Result<bool> {
    if !path.is_file() {
        return Ok(false);
    }
    let head = head(path, 256)?;
    let text = head.strip_prefix("\u{feff}".as_bytes()).unwrap_or(&head);
    Ok(text.trim_ascii_start().starts_with(b"-- ---"))
}

/// As much as a header may have.
const HEADER: u64 = 64 << 10;

fn head(path: &Path, most: u64) -> io::Result<Vec<u8>> {
    let mut head = Vec::new();
    std::fs::File::open(path)?.take(most).read_to_end(&mut head)?;
    Ok(head)
}
