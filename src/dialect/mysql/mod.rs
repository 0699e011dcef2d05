//! MySQL and MariaDB, whose data definition commits by itself.

mod half;
mod kept;
mod refuse;
mod script;
mod session;

use std::time::Duration;

use crate::dialect::{AlterStatement, Ask, Dialect, Replay, Rewrite, ScriptSql, VersionSql};
use crate::error::Result;
use crate::revision::Recreate;
use crate::sql::split::{self, SplitRules};
use crate::sql::write;

#[cfg(feature = "mysql")]
pub(crate) use session::{READ_SO, can_follow, ends_or_begins, lock_name};

/// The dialect of MySQL, or of MariaDB: one language as far as sqlrev's own statements go.
#[derive(Debug)]
pub struct Mysql {
    name: &'static str,
    variants: &'static [&'static str],
}

/// MySQL.
pub static MYSQL: Mysql = Mysql {
    name: "mysql",
    variants: &["mysql"],
};

/// MariaDB, for which a text that is written for MySQL is better than none.
pub static MARIADB: Mysql = Mysql {
    name: "mariadb",
    variants: &["mariadb", "mysql"],
};

impl Dialect for Mysql {
    fn name(&self) -> &'static str {
        self.name
    }

    fn variants(&self) -> &'static [&'static str] {
        self.variants
    }

    fn rules(&self) -> &'static SplitRules {
        &split::MYSQL
    }

    fn ident(&self, name: &str) -> String {
        write::quoted(name, '`')
    }

    fn table(&self, name: &str) -> String {
        match name.split_once('.') {
            Some((database, table)) => format!("{}.{}", self.ident(database), self.ident(table)),
            None => self.ident(name),
        }
    }

    fn append_literal(&self, out: &mut String, text: &str) {
        write::append_mysql_literal(out, text);
    }

    fn version_sql(&self) -> &'static VersionSql {
        &session::VERSION
    }

    fn begin(&self) -> &'static str {
        "START TRANSACTION"
    }

    fn stopwatch(&self) -> Option<&'static str> {
        Some("SET @sqlrev_began = UTC_TIMESTAMP(6)")
    }

    fn ddl_commits(&self) -> bool {
        true
    }

    fn stands_alone(&self, statement: &str) -> bool {
        session::commits(statement)
    }

    fn may_stop_half_way(&self, statement: &str) -> bool {
        half::may_stop_half_way(statement)
    }

    fn failed_before_it_began(&self, statement: &str, code: &str) -> bool {
        half::failed_before_it_began(statement, code)
    }

    fn look_at(&self, statement: &str) -> Option<String> {
        half::look_at(statement)
    }

    fn controls_transaction(&self, statement: &str) -> bool {
        session::controls(statement)
    }

    fn begins_or_ends_transaction(&self, statement: &str) -> Option<bool> {
        session::ends_or_begins(statement)
    }

    fn runs_program(&self, statement: &str) -> bool {
        session::runs_program(statement)
    }

    fn refused(&self, statement: &str) -> Option<(&'static str, &'static str)> {
        refuse::refused(statement)
    }

    fn timeouts(&self, lock: Option<Duration>, statement: Option<Duration>, _in_transaction: bool) -> Vec<String> {
        session::timeouts(lock, statement)
    }

    fn touches_session(&self, statement: &str) -> bool {
        session::touches_session(statement)
    }

    fn reset(&self) -> &'static [&'static str] {
        session::RESET
    }

    fn sets_up_connection(&self, statement: &str) -> bool {
        session::sets_up_connection(statement)
    }

    fn temporary(&self, statement: &str) -> Option<(&'static str, String)> {
        let (kind, mut name) = session::temporary(statement)?;
        Some((kind, name.pop()?))
    }

    fn drops_temporary(&self, statement: &str) -> Option<String> {
        session::drops_temporary(statement)
    }

    fn works_out(&self, statement: &str) -> Option<String> {
        kept::works_out(statement)
    }

    fn gives_id(&self, statement: &str) -> bool {
        kept::gives_id(statement)
    }

    fn asks_id(&self, statement: &str) -> Option<&'static str> {
        kept::asks_id(statement)
    }

    fn session(&self) -> Option<&'static str> {
        Some("SHOW SESSION VARIABLES")
    }

    fn put_back(&self, variable: &str, value: &str) -> Option<[String; 2]> {
        session::put_back(variable, value)
    }

    /// Nothing is rewritten, so nothing is replayed.
    fn replay(&self, _statement: &str) -> Replay {
        Replay::Skip
    }

    fn script(&self) -> &'static dyn ScriptSql {
        &script::MysqlScript
    }

    fn rewrite(&self, run: &[AlterStatement], _recreate: Recreate, _ask: &mut dyn Ask) -> Result<Rewrite> {
        // Not asked for, since `batch_table` names no table: these servers run their ALTERs as they are.
        Ok(Rewrite {
            table: String::new(),
            consumed: run.len(),
            strategy: "native",
            reason: String::new(),
            ops: Vec::new(),
            notices: Vec::new(),
        })
    }
}
