//! Where a program's revisions come from.

use std::sync::OnceLock;

use crate::code::Code;
use crate::dialect::Dialect;
use crate::driver::Driver;
use crate::error::{Error, Result};
use crate::execute::kit::{Kit, Whole};
use crate::execute::seen;
use crate::revision::Revision;
use crate::revision::brief::{self, Briefs};
use crate::revision::graph::RevisionGraph;
use crate::revision::packed::Packed;

/// The revisions that a build script put into the program: what `embedded!()` gives.
#[derive(Debug, Clone, Copy)]
pub struct Embedded {
    packed: Packed,
    application: &'static str,
    kit: Option<&'static dyn Kit>,
}

impl Embedded {
    /// Takes the bytes that [`build::embed`](crate::build::embed) wrote. `embedded!()` calls it.
    pub const fn new(bytes: &'static [u8], application: &'static str) -> Self {
        let packed = Packed::new(bytes);
        Self {
            packed,
            application,
            // In a constant, a program whose upgrades are all plain does not name it.
            kit: if packed.is_plain() { None } else { Some(&Whole) },
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

    /// What is done for scripts that are not plain.
    #[inline]
    pub(super) fn kit(&self) -> Option<&'static dyn Kit> {
        self.kit
    }

    /// The name and version of the program, as Cargo knows them.
    #[inline]
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
    /// Makes the table of what must be known of revisions that are not packed. Named here alone, so that a program whose
    /// revisions are packed does not bring it along.
    make_table: Option<MakeTable>,
}

type MakeTable = fn(&Loaded, &'static dyn Dialect) -> Result<Vec<u8>>;

/// The revisions, read and checked.
#[derive(Debug)]
pub(super) struct Loaded {
    dialect: &'static str,
    pub graph: RevisionGraph,
    /// Filled for revisions that are not packed, when somebody asks: the table that packed ones bring.
    table: OnceLock<Vec<u8>>,
}

impl Source {
    #[inline]
    pub(super) fn packed(packed: Embedded) -> Self {
        Self {
            packed: Some(packed.packed),
            loaded: OnceLock::new(),
            make_table: None,
        }
    }

    pub(super) fn read(dialect: &'static dyn Dialect, revisions: Vec<Revision>) -> Result<Self> {
        let loaded = Loaded::new(dialect.name(), revisions)?;
        Ok(Self {
            packed: None,
            loaded: OnceLock::from(Ok(loaded)),
            make_table: Some(Loaded::table),
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

    /// What must be known of each revision to see whether it is applied as it is, in the order of the ids.
    #[inline]
    pub(super) fn briefs(&self, dialect: &'static dyn Dialect) -> Result<Briefs<'_>> {
        match &self.packed {
            Some(packed) => packed.brief(),
            None => self.made_briefs(dialect)?,
        }
        .ok_or_else(damaged)
    }

    #[cold]
    fn made_briefs(&self, dialect: &'static dyn Dialect) -> Result<Option<Briefs<'_>>> {
        let (loaded, Some(make)) = (self.loaded()?, self.make_table) else {
            return Ok(None);
        };
        if loaded.table.get().is_none() {
            let _ = loaded.table.set(make(loaded, dialect)?);
        }
        let table = loaded.table.get();
        Ok(table.and_then(|table| Briefs::new(table, loaded.graph.len())))
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

#[cold]
fn damaged() -> Error {
    Error::new(Code::FileIo, "the embedded revisions are damaged").help("build the program anew")
}

impl Loaded {
    fn new(dialect: &'static str, revisions: Vec<Revision>) -> Result<Self> {
        Ok(Self {
            dialect,
            graph: RevisionGraph::build(revisions)?,
            table: OnceLock::new(),
        })
    }

    fn table(&self, dialect: &'static dyn Dialect) -> Result<Vec<u8>> {
        let mut checksums = Vec::with_capacity(self.graph.len());
        for node in self.graph.nodes() {
            let revision = self.graph.revision(node);
            let script = revision.upgrade.as_ref();
            let checksum = script.map(|script| seen::checksum(script, revision, dialect));
            checksums.push(checksum.transpose()?);
        }
        brief::table(&self.graph, &checksums).ok_or_else(damaged)
    }
}
