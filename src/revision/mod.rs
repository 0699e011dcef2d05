//! Revisions: what a pair of files says, the graph they make, and plans through it.

pub mod applied;
pub mod brief;
pub(crate) mod check;
pub mod checksum;
mod downgrade;
pub mod graph;
pub mod header;
pub mod heads;
pub mod history;
pub mod names;
pub mod nodes;
pub mod packed;
pub mod parents;
pub mod plan;
#[cfg(test)]
mod plan_tests;
#[cfg(test)]
mod properties;
pub mod resolve;
#[cfg(test)]
pub(crate) mod sample;
pub(crate) mod stamp;
pub mod target;
mod upgrade;
#[cfg(test)]
mod vectors;

use std::fmt;
use std::io;
use std::sync::Arc;
use std::time::Duration;

use crate::source::SourceFile;

macro_rules! name_type {
    ($(#[$doc:meta])* $name:ident) => {
        $(#[$doc])*
        #[derive(Clone, PartialEq, Eq, PartialOrd, Ord, Hash)]
        pub struct $name(Arc<str>);

        impl $name {
            /// Takes the text as it is; the graph checks it.
            pub fn new(text: impl Into<Arc<str>>) -> Self {
                Self(text.into())
            }

            /// The text.
            pub fn as_str(&self) -> &str {
                &self.0
            }
        }

        impl fmt::Display for $name {
            fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
                f.write_str(&self.0)
            }
        }

        impl fmt::Debug for $name {
            fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
                f.write_str(&self.0)
            }
        }

        impl std::borrow::Borrow<str> for $name {
            fn borrow(&self) -> &str {
                &self.0
            }
        }

        impl From<&str> for $name {
            #[inline]
            fn from(text: &str) -> Self {
                Self(text.into())
            }
        }
    };
}

name_type! {
    /// The id of a revision, as its header gives it.
    RevisionId
}
name_type! {
    /// A name for a branch, written on the revision where the branch begins.
    BranchLabel
}

/// Whether a revision runs inside a transaction of its own.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
#[non_exhaustive]
pub enum Transaction {
    /// Statements and version row commit together.
    #[default]
    Revision,
    /// Each statement stands alone, for those that cannot run in a transaction.
    None,
}

/// Whether an ALTER may copy its SQLite table.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
#[non_exhaustive]
pub enum Recreate {
    /// Copies where nothing cheaper is right.
    #[default]
    Auto,
    /// Always copies.
    Always,
    /// Refuses what needs a copy.
    Never,
}

/// What the header of an upgrade file says.
#[derive(Debug, Clone, PartialEq, Eq)]
#[non_exhaustive]
pub struct Header {
    /// `revision`
    pub id: RevisionId,
    /// `down_revision`: none for a base, several for a merge point.
    pub down_revisions: Vec<RevisionId>,
    /// `depends_on`: ids or branch labels.
    pub depends_on: Vec<Arc<str>>,
    /// `branch_labels`
    pub branch_labels: Vec<BranchLabel>,
    /// `message`; empty when there is none.
    pub message: Arc<str>,
    /// `created`, as written.
    pub created: Option<Arc<str>>,
    /// `transaction`
    pub transaction: Transaction,
    /// `lock_timeout`: how long a statement waits for a lock, where the database has a setting for that.
    pub lock_timeout: Option<Duration>,
    /// `statement_timeout`: how long a statement may take, likewise.
    pub statement_timeout: Option<Duration>,
    /// `recreate`
    pub recreate: Recreate,
    /// `irreversible`
    pub irreversible: bool,
    /// `code`: code of the application runs in it as well.
    pub code: bool,
}

impl Header {
    /// A header with nothing but its id.
    pub fn new(id: impl Into<RevisionId>) -> Self {
        Self {
            id: id.into(),
            down_revisions: Vec::new(),
            depends_on: Vec::new(),
            branch_labels: Vec::new(),
            message: Arc::default(),
            created: None,
            transaction: Transaction::default(),
            lock_timeout: None,
            statement_timeout: None,
            recreate: Recreate::default(),
            irreversible: false,
            code: false,
        }
    }
}

/// A file whose text is not held in memory and is read anew each time.
pub trait LargeText: fmt::Debug + Send + Sync {
    /// The size in bytes.
    fn size(&self) -> u64;
    /// Opens the file at its beginning.
    fn open(&self) -> io::Result<Box<dyn io::Read>>;
    /// A number that becomes another one when the file is written: the text that was checked must be the one that
    /// runs.
    fn mark(&self) -> u128;
}

/// One half of a revision: the SQL of a direction.
#[derive(Debug, Clone)]
pub struct Script {
    /// The file: its whole text, or the beginning (header and a little more, or nothing) when `large` is there.
    pub file: SourceFile,
    /// The byte offset where the SQL begins, after the header.
    pub body: usize,
    /// Where the whole text is when `file` does not hold it: a large file, or a downgrade that was not read yet.
    pub large: Option<Arc<dyn LargeText>>,
    /// What a build script found out about it, so that nobody has to read it again.
    #[doc(hidden)]
    pub known: Option<Arc<Known>>,
}

/// What a build script found out about a script that is embedded.
#[doc(hidden)]
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Known {
    /// The checksum of the file.
    pub checksum: checksum::Checksum,
    /// The form in which the version table keeps the text, where that is shorter.
    pub kept: Option<Arc<str>>,
    /// Its statements, where it is plain: they are sent as they are, one after the other, and nothing is to be watched.
    pub plain: Option<Vec<Extent>>,
}

/// Where a statement stands in its file, in bytes.
#[doc(hidden)]
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Extent {
    /// Where it begins.
    pub start: usize,
    /// How long it is.
    pub length: usize,
    /// How long what is sent is: with the comment before its semicolon.
    pub sent: usize,
}

/// A revision: header, upgrade and downgrade.
#[derive(Debug, Clone)]
#[non_exhaustive]
pub struct Revision {
    /// What the header says.
    pub header: Header,
    /// Where its values stand; empty for a revision that is applied and whose files are not here.
    pub places: header::Spans,
    /// The upgrade; none for a revision that is applied and whose files are not here, and when `missing_text`.
    pub upgrade: Option<Script>,
    /// The downgrade; none when irreversible.
    pub downgrade: Option<Script>,
    /// The revision's files are here, but every upgrade among them is the text for another dialect: plans lead through
    /// it, and running it is refused.
    pub missing_text: bool,
    /// Only the version table knows it, and not its header, which says how the downgrade is to run.
    pub header_lost: bool,
}

impl Revision {
    /// The id.
    pub fn id(&self) -> &RevisionId {
        &self.header.id
    }

    /// The name of the upgrade file, or of the one with the header; an empty string where there is none.
    pub fn file_name(&self) -> &str {
        let upgrade = self.upgrade.as_ref().map(|script| &script.file);
        upgrade.or(self.places.file()).map_or("", |file| &file.name)
    }
}

/// Which way a step goes.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Direction {
    /// Runs the upgrade and adds the row.
    Upgrade,
    /// Runs the downgrade and takes the row away.
    Downgrade,
}

impl Direction {
    /// `upgrade` or `downgrade`.
    pub fn name(self) -> &'static str {
        match self {
            Direction::Upgrade => "upgrade",
            Direction::Downgrade => "downgrade",
        }
    }
}
