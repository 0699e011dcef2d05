//! Where a program's revisions come from.

use std::sync::OnceLock;

use crate::code::Code;
use crate::dialect::Dialect;
use crate::driver::Driver;
use crate::error::{Error, Result};
use crate::execute::seen;
use crate::revision::graph::RevisionGraph;
use crate::revision::packed::{self, Brief, Packed};
use crate::revision::{Revision, RevisionId};

/// The revisions that a build script put into the program: what `embedded!()` gives.
#[derive(Debug, Clone, Copy)]
pub struct Embedded {
    packed: Packed,
    application: &'static str,
}

impl Embedded {
    /// Takes the bytes that [`build::embed`](crate::build::embed) wrote. `embedded!()` calls it.
    pub const fn new(bytes: &'static [u8], application: &'static str) -> Self {
        Self {
            packed: Packed::new(bytes),
            application,
        }
    }

    /// How many revisions there are.
    pub fn len(&self) -> usize {
        self.packed.len()
    }

    /// Whether there are none.
    pub fn is_empty(&self) -> bool {
        self.packed.is_empty()
    }

    /// The name and version of the program, as Cargo knows them.
    pub(super) fn application(&self) -> &'static str {
        self.application
    }
}

/// The revisions that the build script of this package embedded with `sqlrev::build::embed`, for `Migrator::new`; with the
/// name of a file, those of `embed_as`.
#[macro_export]
macro_rules! embedded {
    () => {{
        // An item, so that `cargo check` looks at it too.
        const EMBEDDED: $crate::migrator::Embedded = $crate::migrator::Embedded::new(
            ::core::include_bytes!(::core::concat!(::core::env!("OUT_DIR"), "/sqlrev_revisions.bin")),
            ::core::concat!(::core::env!("CARGO_PKG_NAME"), " ", ::core::env!("CARGO_PKG_VERSION")),
        );
        EMBEDDED
    }};
    ($file:literal) => {{
        const EMBEDDED: $crate::migrator::Embedded = $crate::migrator::Embedded::new(
            ::core::include_bytes!(::core::concat!(::core::env!("OUT_DIR"), "/", $file)),
            ::core::concat!(::core::env!("CARGO_PKG_NAME"), " ", ::core::env!("CARGO_PKG_VERSION")),
        );
        EMBEDDED
    }};
}

#[derive(Debug)]
pub(super) struct Source {
    packed: Option<Packed>,
    loaded: OnceLock<Result<Loaded>>,
}

/// The revisions, read and checked.
#[derive(Debug)]
pub(super) struct Loaded {
    dialect: &'static str,
    pub graph: RevisionGraph,
    /// Filled for revisions that are not packed, when somebody asks: id, checksum, and whether it is a head.
    brief: OnceLock<Vec<(RevisionId, [u8; packed::SHORT], bool)>>,
}

impl Source {
    pub(super) fn packed(packed: Embedded) -> Self {
        Self {
            packed: Some(packed.packed),
            loaded: OnceLock::new(),
        }
    }

    pub(super) fn read(dialect: &'static dyn Dialect, revisions: Vec<Revision>) -> Result<Self> {
        let loaded = Loaded::new(dialect.name(), revisions)?;
        Ok(Self {
            packed: None,
            loaded: OnceLock::from(Ok(loaded)),
        })
    }

    /// The revisions; those that are packed are read when they are first needed.
    pub(super) fn loaded(&self) -> Result<&Loaded> {
        let load = || {
            let revisions = self.packed.and_then(|packed| packed.revisions());
            let Some((dialect, revisions)) = revisions else {
                return Err(damaged());
            };
            Loaded::new(dialect, revisions)
        };
        self.loaded.get_or_init(load).as_ref().map_err(Clone::clone)
    }

    /// Calls `ask` with what is known of each revision, in the order of the ids.
    pub(super) fn with_brief<T>(
        &self,
        dialect: &'static dyn Dialect,
        ask: impl FnOnce(&mut dyn Iterator<Item = Brief<'_>>) -> T,
    ) -> Result<T> {
        if let Some(packed) = self.packed {
            return Ok(ask(&mut packed.brief().ok_or_else(damaged)?));
        }
        let brief = self.loaded()?.brief(dialect)?;
        Ok(ask(&mut brief.iter().map(|(id, short, is_head)| Brief {
            id: id.as_str(),
            short: *short,
            is_head: *is_head,
        })))
    }

    /// Refuses a connection that speaks another dialect than the texts.
    pub(super) fn for_driver(&self, driver: &dyn Driver) -> Result<&Loaded> {
        let loaded = self.loaded()?;
        let speaks = driver.dialect().name();
        if loaded.dialect == speaks {
            return Ok(loaded);
        }
        let message = format!(
            "the program has the revisions for {}, and the database speaks {speaks}",
            loaded.dialect
        );
        Err(Error::new(Code::NoDialectText, message).help("embed or read those for this database as well"))
    }
}

fn damaged() -> Error {
    Error::new(Code::FileIo, "the embedded revisions are damaged").help("build the program anew")
}

impl Loaded {
    fn new(dialect: &'static str, revisions: Vec<Revision>) -> Result<Self> {
        Ok(Self {
            dialect,
            graph: RevisionGraph::build(revisions)?,
            brief: OnceLock::new(),
        })
    }

    fn brief(&self, dialect: &'static dyn Dialect) -> Result<&[(RevisionId, [u8; packed::SHORT], bool)]> {
        if let Some(brief) = self.brief.get() {
            return Ok(brief);
        }
        let mut brief = Vec::with_capacity(self.graph.len());
        for node in self.graph.nodes() {
            let revision = self.graph.revision(node);
            let short = match &revision.upgrade {
                Some(script) => packed::short(&seen::checksum(script, revision, dialect)?),
                None => [0; packed::SHORT],
            };
            brief.push((revision.id().clone(), short, self.graph.is_effective_head(node)));
        }
        brief.sort_unstable();
        Ok(self.brief.get_or_init(|| brief))
    }
}
