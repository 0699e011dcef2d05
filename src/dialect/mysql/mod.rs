//! MySQL and MariaDB, whose data definition commits by itself.

mod beyond;
mod half;
mod inspect;
mod kept;
mod refuse;
mod render;
mod schema;
mod script;
mod session;

use std::time::Duration;

use crate::dialect::{CopiedBy, Counts, Dialect, Lack, Look, Replay, Rows, ScriptSql, Told, VersionSql};
use crate::error::Result;
use crate::schema::diff::{Change, Manner};
use crate::schema::{ConstraintKind, Model};
use crate::sql::split::{self, SplitRules};
use crate::sql::write;

pub(super) use script::MysqlScript;

#[cfg(feature = "mysql")]
pub(crate) use beyond::{called, on_scratch, prepared, reaching_procedure};
#[cfg(feature = "mysql")]
pub(crate) use schema::SCRATCH;
#[cfg(feature = "mysql")]
pub(crate) use session::{READ_SO, can_follow, ends_or_begins, lock_name};

static COPIED_BY: CopiedBy = CopiedBy {
    backup: "take copies with mariadb-dump, mysqldump or the server's own backups, and say --backup never",
    restore: "mariadb or mysql puts back what mariadb-dump or mysqldump made",
    rehearse: "try it on a copy: fill another database from a dump, then: sqlrev --url mysql://…/COPY upgrade",
};

/// Gives a session the mode back in which it began.
const USUAL: &str = "SET SESSION sql_mode = REPLACE(@@GLOBAL.sql_mode, 'NO_BACKSLASH_ESCAPES', '')";

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

impl Counts for Mysql {}

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

    fn failed_before_it_began(&self, statement: &str, told: Told<'_>) -> bool {
        half::failed_before_it_began(statement, told)
    }

    fn look_at(&self, statement: &str) -> Option<Look> {
        let sql = half::look_at(statement)?;
        Some(Look {
            sql,
            not_run: None,
            again: false,
        })
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

    fn drops_temporary(&self, statement: &str, _others: &[String]) -> Option<String> {
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

    fn copied_by(&self) -> Option<&'static CopiedBy> {
        Some(&COPIED_BY)
    }

    fn beyond(&self, statement: &str) -> Option<Replay> {
        beyond::beyond(statement)
    }

    fn replay(&self, statement: &str) -> Replay {
        beyond::replay(statement)
    }

    fn lacks(&self, _statement: &str, code: &str, message: &str) -> Lack {
        beyond::lack::of(code, message)
    }

    fn model(&self, query: &mut dyn FnMut(&str) -> Result<Rows>) -> Option<Result<Model>> {
        Some(inspect::model(query, true))
    }

    fn model_as_made(&self, query: &mut dyn FnMut(&str) -> Result<Rows>) -> Option<Result<Model>> {
        Some(inspect::model(query, false))
    }

    fn compares_schemas(&self) -> bool {
        cfg!(feature = "mysql")
    }

    fn manner(&self) -> Manner {
        Manner {
            foreign_keys_apart: true,
            foreign_keys_last: true,
            whole_columns: true,
            constraints_first: true,
            letters_shown: true,
            fills: true,
            settles: self.name == MYSQL.name,
            names_of_schema: &[ConstraintKind::Check],
            ..Manner::default()
        }
    }

    fn usual(&self) -> Option<&'static str> {
        Some(USUAL)
    }

    fn render(&self, change: &Change, from: &Model, to: &Model) -> Option<Vec<String>> {
        let statements = render::statements(change, from, to, self.name != MYSQL.name)?;
        let ended = |statement: String| match MysqlScript.terminated(&statement) {
            Some(ended) if !statement.starts_with("--") => ended.trim_end().to_owned(),
            _ => statement,
        };
        Some(statements.into_iter().map(ended).collect())
    }
}
