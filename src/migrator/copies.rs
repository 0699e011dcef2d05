//! Copies as files: what they are called, and whether two are the same.

#![expect(clippy::disallowed_methods, reason = "copies are files beside the database")]

use std::fs;
use std::io::{self, Read as _};
use std::path::{Path, PathBuf};

use crate::error::Result;
use crate::migrator::backup::failed;
#[cfg(feature = "cli")]
use crate::migrator::part;
use crate::sorted;

/// What stands between the name of the database and the moment of the copy.
pub(super) const MARK: &str = ".backup-";
/// Likewise of a copy to rehearse on.
pub(super) const REHEARSAL: &str = ".rehearsal-";

/// The copies whose paths begin so, the newest first.
pub(super) fn named(front: &Path) -> Result<Vec<PathBuf>> {
    let folder = front.parent().unwrap_or(Path::new("."));
    let front = name_of(front);
    let entries = fs::read_dir(folder).map_err(|error| failed(folder, "read", &error))?;
    let names = entries
        .flatten()
        .filter_map(|entry| entry.file_name().into_string().ok());
    let mut names: Vec<String> = names
        .filter(|name| name.strip_prefix(&front).is_some_and(is_moment))
        .collect();
    sorted::sort_by(&mut names, |one, other| order(other).cmp(&order(one)));
    Ok(names.into_iter().map(|name| folder.join(name)).collect())
}

/// Whether a file is a copy, or something that is kept beside a database for a while.
#[cfg(feature = "cli")]
pub(crate) fn is_own_file(path: &Path) -> bool {
    let name = name_of(path);
    let beside = ["-journal", "-wal", "-shm", "-sqlrev-lock"];
    let front = beside.iter().find_map(|suffix| name.strip_suffix(suffix));
    if front.is_some_and(|front| path.with_file_name(front).exists()) {
        return true;
    }
    let after = |mark: &str| Some(front.unwrap_or(&name).rsplit_once(mark)?.1);
    let is_part = |rest: &str| rest.ends_with(part::SUFFIX);
    after(MARK).is_some_and(|rest| is_moment(rest) || is_part(rest)) || after(REHEARSAL).is_some_and(is_part)
}

pub(super) fn name_of(path: &Path) -> String {
    path.file_name().unwrap_or_default().to_string_lossy().into_owned()
}

/// Whether two copies hold the same, but for the counters in the header.
pub(super) fn is_same(one: &Path, other: &Path) -> bool {
    let length = |path: &Path| fs::metadata(path).ok().map(|file| file.len());
    if length(one).is_none() || length(one) != length(other) {
        return false;
    }
    let (Ok(one), Ok(other)) = (fs::File::open(one), fs::File::open(other)) else {
        return false;
    };
    let (mut one, mut other) = (io::BufReader::new(one), io::BufReader::new(other));
    let mut first = true;
    loop {
        let (Some(ours), Some(theirs)) = (block(&mut one), block(&mut other)) else {
            return false;
        };
        let same = if first {
            // The change counter, the schema cookie, and the version that wrote them.
            let counters = [24..28, 40..44, 92..100];
            let differ =
                |(at, pair): (usize, (&u8, &u8))| pair.0 != pair.1 && !counters.iter().any(|of| of.contains(&at));
            ours.len() == theirs.len() && !ours.iter().zip(&theirs).enumerate().any(differ)
        } else {
            ours == theirs
        };
        if !same || ours.is_empty() {
            return same;
        }
        first = false;
    }
}

/// The next piece of a file; empty at its end.
fn block(file: &mut io::BufReader<fs::File>) -> Option<Vec<u8>> {
    let mut bytes = Vec::with_capacity(1 << 16);
    file.take(1 << 16).read_to_end(&mut bytes).ok()?;
    Some(bytes)
}

/// `20261122T211400Z`, and a number behind it where one second had several.
pub(super) fn is_moment(text: &str) -> bool {
    let (moment, number) = text.split_once('-').unwrap_or((text, "2"));
    let digits = |text: &str| !text.is_empty() && text.bytes().all(|byte| byte.is_ascii_digit());
    let parts = moment.strip_suffix('Z').and_then(|moment| moment.split_once('T'));
    parts.is_some_and(|(day, time)| day.len() == 8 && time.len() == 6 && digits(day) && digits(time)) && digits(number)
}

/// The name up to the moment, and the number behind it. What stands before the moment may have a `Z-` of its own.
pub(super) fn order(name: &str) -> (&str, u64) {
    match name.rsplit_once('-') {
        Some((front, number)) if front.ends_with('Z') && number.bytes().all(|byte| byte.is_ascii_digit()) => {
            (front, number.parse().unwrap_or(u64::MAX))
        }
        _ => (name, 1),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn names_of_copies() {
        assert!(is_moment("20261122T211400Z") && is_moment("20261122T211400Z-12"));
        for other in [
            "",
            "20261122T211400Z-",
            "20261122T211400Z.part",
            "20261122T211400Z-2.part",
            "2026T21Z",
        ] {
            assert!(!is_moment(other), "{other}");
        }
        let mut names = ["a.backup-1Z-10", "a.backup-1Z", "a.backup-2Z", "a.backup-1Z-2"];
        sorted::sort_by(&mut names, |one, other| order(one).cmp(&order(other)));
        assert_eq!(names, ["a.backup-1Z", "a.backup-1Z-2", "a.backup-1Z-10", "a.backup-2Z"]);
        assert_eq!(order("Z-1.backup-20261122T211400Z"), ("Z-1.backup-20261122T211400Z", 1));
        assert_eq!(
            order("Z-1.backup-20261122T211400Z-2"),
            ("Z-1.backup-20261122T211400Z", 2)
        );
    }
}
