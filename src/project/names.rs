//! What the name of a revision file says.

use std::borrow::Cow;

use crate::error::nearest;

/// The dialects that a file can be the text for.
pub(super) const DIALECTS: [&str; 4] = ["sqlite", "postgresql", "mysql", "mariadb"];

/// A half of a revision, as the name of a file tells it.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
pub(super) struct Half {
    /// Whether it is the way back.
    pub(super) is_downgrade: bool,
    /// The dialect it is the text for; none for the plain one.
    pub(super) dialect: Option<&'static str>,
    /// Whether it is called `up` and `down`.
    pub(super) is_short: bool,
}

/// What the end of a file's name says.
pub(super) enum Name<'a> {
    /// A half of the revision with the name before.
    Half(&'a str, Half),
    /// As before, for something that is no dialect.
    Unknown,
    /// Almost a half: with the word that was meant in place of the one that stands there.
    Misspelled(&'a str, Cow<'static, str>),
    /// Not a file of a revision.
    Other,
}

impl Half {
    /// `upgrade.sql`, `down.postgresql.sql`.
    pub(super) fn file_name(self) -> Cow<'static, str> {
        let plain = match (self.is_downgrade, self.is_short) {
            (false, false) => "upgrade.sql",
            (false, true) => "up.sql",
            (true, false) => "downgrade.sql",
            (true, true) => "down.sql",
        };
        match self.dialect {
            Some(dialect) => plain.replace(".sql", &format!(".{dialect}.sql")).into(),
            None => plain.into(),
        }
    }

    /// Reads `NAME.upgrade.sql`, or `upgrade.sql` with an empty name before.
    pub(super) fn of(file: &str) -> Name<'_> {
        match Self::as_written(file) {
            Name::Half(name, half) => Name::Half(name, half),
            other if !file.bytes().any(|byte| byte.is_ascii_uppercase()) => other,
            other => match Self::as_written(&file.to_ascii_lowercase()) {
                // Whatever stands before it keeps its letters.
                Name::Half(name, half) => {
                    let start = if name.is_empty() { 0 } else { name.len() + 1 };
                    Name::Misspelled(&file[start..], half.file_name())
                }
                Name::Misspelled(word, meant) if matches!(other, Name::Other) => {
                    let lower = file.to_ascii_lowercase();
                    let start = lower.rfind(word).unwrap_or(0);
                    Name::Misspelled(&file[start..], lower[start..].replacen(word, &meant, 1).into())
                }
                _ => other,
            },
        }
    }

    fn as_written(file: &str) -> Name<'_> {
        let Some(name) = file.strip_suffix(".sql") else {
            return Name::Other;
        };
        let (name, last) = name.rsplit_once('.').unwrap_or(("", name));
        if let Some(half) = Self::word(last, None) {
            return Name::Half(name, half);
        }
        if let Some(meant) = meant(last) {
            return Name::Misspelled(last, meant.into());
        }
        let (name, word) = name.rsplit_once('.').unwrap_or(("", name));
        let Some(half) = Self::word(word, None) else {
            return match meant(word).filter(|_| DIALECTS.contains(&last)) {
                Some(meant) => Name::Misspelled(word, meant.into()),
                None => Name::Other,
            };
        };
        match DIALECTS.iter().find(|&&dialect| dialect == last) {
            Some(dialect) => Name::Half(
                name,
                Self {
                    dialect: Some(dialect),
                    ..half
                },
            ),
            // `clean.up.tables.sql` is a name like any other; `x.upgrade.postgres.sql` meant something.
            None if half.is_short => Name::Other,
            None => Name::Unknown,
        }
    }

    fn word(word: &str, dialect: Option<&'static str>) -> Option<Self> {
        let (is_downgrade, is_short) = match word {
            "upgrade" => (false, false),
            "up" => (false, true),
            "downgrade" => (true, false),
            "down" => (true, true),
            _ => return None,
        };
        Some(Self {
            is_downgrade,
            dialect,
            is_short,
        })
    }
}

/// The word that one is almost.
fn meant(word: &str) -> Option<&'static str> {
    let near = |known: &&str| known.len().abs_diff(word.len()) <= 1;
    let known = ["upgrade", "downgrade"].into_iter().filter(near);
    nearest(word, known).filter(|_| word.is_ascii())
}

#[cfg(test)]
mod tests {
    use super::*;

    fn check(file: &str, expect: &str) {
        let got = match Half::of(file) {
            Name::Half(name, half) => {
                let whole = if name.is_empty() {
                    half.file_name().into_owned()
                } else {
                    format!("{name}.{}", half.file_name())
                };
                assert_eq!(whole, file, "a name is written as it was read");
                format!(
                    "{name} {} {}",
                    if half.is_downgrade { "down" } else { "up" },
                    half.dialect.unwrap_or("any")
                )
            }
            Name::Unknown => "unknown".to_owned(),
            Name::Misspelled(_, meant) => format!("meant {meant}"),
            Name::Other => "other".to_owned(),
        };
        assert_eq!(got, expect, "{file}");
    }

    #[test]
    fn names_of_files() {
        check("upgrade.sql", " up any");
        check("down.mariadb.sql", " down mariadb");
        check("0001.é.upgrade.postgresql.sql", "0001.é up postgresql");
        check("a.downgrade.sql", "a down any");
        check("upgrade.up.sql", "upgrade up any");
        check("a.upgrade.postgres.sql", "unknown");
        check("a.up.postgres.sql", "other");
        check("upgrade", "other");
        check(".sql", "other");
        check("Upgrade.sql", "meant upgrade.sql");
        check("Users.UPGRADE.SQL", "meant upgrade.sql");
        check("Upgrade.SQLite.sql", "meant upgrade.sqlite.sql");
        check("a.UPGARDE.SQL", "meant upgrade.sql");
        check("Users.upgrade.sql", "Users up any");
        check("Users.sql", "other");
        check("a.upgarde.sql", "meant upgrade");
        check("donwgrade.sqlite.sql", "meant downgrade");
        check("grade.sql", "other");
        check("upgrade_users.sql", "other");
        check("a.donwgrade.md", "other");
    }
}
