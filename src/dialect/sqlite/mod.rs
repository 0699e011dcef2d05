//! SQLite.

mod script;
mod session;

use crate::dialect::{AlterStatement, Ask, Dialect, Replay, Rewrite, ScriptSql, VersionSql};
use crate::error::Result;
use crate::revision::Recreate;
use crate::sql::split::{self, SplitRules};
use crate::sql::write;

/// The dialect of SQLite.
#[derive(Debug)]
pub struct Sqlite;

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
        &session::VERSION
    }

    fn begin(&self) -> &'static str {
        session::BEGIN
    }

    fn change_mark(&self) -> Option<&'static str> {
        Some(session::CHANGE_MARK)
    }

    fn any_object(&self) -> Option<&'static str> {
        Some(session::ANY_OBJECT)
    }

    fn orphans(&self) -> Option<&'static str> {
        Some(session::ORPHANS)
    }

    fn stands_alone(&self, statement: &str) -> bool {
        session::stands_alone(statement)
    }

    fn sets_up_connection(&self, statement: &str) -> bool {
        session::sets_up_connection(statement)
    }

    fn replay(&self, statement: &str) -> Replay {
        session::replay(statement)
    }

    fn script(&self) -> &'static dyn ScriptSql {
        &script::SqliteScript
    }

    fn rewrite(&self, _run: &[AlterStatement], _recreate: Recreate, _ask: &mut dyn Ask) -> Result<Rewrite> {
        todo!()
    }
}
