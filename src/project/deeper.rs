//! Revisions in folders where none are looked for.

use std::io::{self, Read};
use std::path::Path;

use super::disk::{Folder, Kind};
use super::files::{Loader, is_sql};
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
            let (mut found, mut inner) = (Vec::new(), Vec::new());
            let _ = folder.list(|name, kind| match name {
                Ok(name) if kind == Kind::Folder => inner.push(name.to_owned()),
                Ok(name) if is_sql(name) && !name.starts_with('.') => found.push(name.to_owned()),
                _ => {}
            });
            sorted::sort(&mut found);
            if let Some(found) = found.iter().find(|found| self.is_passed_over(&path, found)) {
                return Err(nested(shown.trim_end_matches('/'), &format!("{path}/{found}")));
            }
            if deep > 0 {
                self.nothing_deeper(&folder, &format!("{path}/"), inner, deep - 1)?;
            }
        }
        Ok(())
    }

    /// Refuses files of a location, or of a revision's folder in it, that have the header of a revision and a name that none
    /// of its files has there.
    pub(super) fn no_misnamed(&self, location: &str, folder: Option<&str>, mut others: Vec<String>) -> Result<()> {
        sorted::sort(&mut others);
        for name in others {
            let inside = folder.map_or_else(|| name.clone(), |folder| format!("{folder}/{name}"));
            let shown = format!("{location}/{inside}");
            if let Some(file) = headed(&self.root.join(&shown), &shown)
                && header::parse(&file).is_ok()
                && !folder.is_some_and(|folder| self.is_location(&self.root.join(location).join(folder)))
            {
                return Err(misnamed(location, folder, &name));
            }
        }
        Ok(())
    }

    /// Whether a file begins like a revision, and no location has it under another name.
    fn is_passed_over(&self, folder: &str, file: &str) -> bool {
        let folder = self.root.join(folder);
        // By its name it is one, whatever its header says.
        let is_half = matches!(Half::of(file), Name::Half(..));
        let begins = headed(&folder.join(file), file).is_some_and(|file| is_half || header::parse(&file).is_ok());
        let Some(place) = std::fs::canonicalize(&folder).ok().filter(|_| begins) else {
            return false;
        };
        !self.is_location(&place) && !place.parent().is_some_and(|parent| self.is_location(parent))
    }

    /// Whether a folder is one that revisions are looked for in, by whatever name.
    fn is_location(&self, folder: &Path) -> bool {
        let Ok(folder) = std::fs::canonicalize(folder) else {
            return false;
        };
        let mut locations = self.locations.iter().map(|location| self.root.join(&location.name));
        locations.any(|location| std::fs::canonicalize(location).is_ok_and(|location| location == folder))
    }
}

/// A file that begins with a header, as far as that goes; a pipe is not waited for.
fn headed(path: &Path, shown: &str) -> Option<SourceFile> {
    let text = |bytes: Vec<u8>| {
        let text = String::from_utf8_lossy(&bytes).into_owned();
        text.strip_prefix('\u{feff}').map(str::to_owned).unwrap_or(text)
    };
    // Others may be large, or many.
    let begins = || text(head(path, 256).unwrap_or_default()).trim_start().starts_with("--");
    if !path.is_file() || !begins() {
        return None;
    }
    let file = SourceFile::new(shown, text(head(path, HEADER).ok()?));
    header::is_there(&file).then_some(file)
}

/// As much as a header may have.
const HEADER: u64 = 64 << 10;

fn head(path: &Path, most: u64) -> io::Result<Vec<u8>> {
    let mut head = Vec::new();
    std::fs::File::open(path)?.take(most).read_to_end(&mut head)?;
    Ok(head)
}
