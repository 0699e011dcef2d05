//! SQLite.

use crate::dialect::{AlterStatement, Ask, Dialect, Rewrite, VersionSql};
use crate::error::Result;
use crate::revision::Recreate;
use crate::sql::split::{self, SplitRules};
use crate::sql::write;

/// The dialect of SQLite.
#[derive(Debug)]
pub struct Sqlite;

/// The version table; rows are written in the order of their rowids.
static VERSION: VersionSql = VersionSql {
    create: include_str!("version.sql"),
    exists: "SELECT 1 FROM sqlite_schema WHERE type = 'table' AND lower(name) = lower({revisions})",
    order: " ORDER BY rowid",
    now: "strftime('%Y-%m-%dT%H:%M:%SZ', 'now')",
};

impl Dialect for Sqlite {
    fn name(&self) -> &'static str {
        "sqlite"
    }

    fn variants(&self) -> &'static [&'static str] {
        &["sqlite"]
    }

    fn rules(&self) -> &'static SplitRules {
        &split::SQLITE
    }

    fn ident(&self, name: &str) -> String {
        write::quoted(name, '"')
    }

    fn literal(&self, text: &str) -> String {
        write::sqlite_literal(text)
    }

    fn version_sql(&self) -> &'static VersionSql {
        &VERSION
    }

    fn rewrite(&self, _run: &[AlterStatement], _recreate: Recreate, _ask: &mut dyn Ask) -> Result<Vec<Rewrite>> {
        Ok(Vec::new())
    }
}
