//! PostgreSQL.

mod beyond;
mod inspect;
mod kept;
mod lack;
mod leftover;
mod moments;
mod progress;
mod ran;
mod render;
pub(crate) mod schemas;
mod script;
mod session;
mod words;

use std::time::Duration;

use std::collections::BTreeSet;

use crate::dialect::{CopiedBy, Counts, Dialect, Followed, Lack, Leftovers, Look, Replay, Rows, Schemas, VersionSql};
use crate::error::Result;
use crate::schema::diff::{Change, Manner};
use crate::schema::{Constraint, ConstraintKind, Key, Model};
use crate::sql::split::{self, SplitRules};
use crate::sql::write;

pub(super) use script::PostgresScript;
#[cfg(feature = "postgres")]
pub(crate) use session::copies_out;
pub(crate) use session::lock_key;

/// The schema of a version table whose name says none.
const SCHEMA: &str = "public";

static COPIED_BY: CopiedBy = CopiedBy {
    backup: "take copies with pg_dump or the server's own backups, and say --backup never",
    restore: "pg_restore or psql puts back what pg_dump made",
    rehearse: "try it on a copy: createdb --template=DATABASE COPY, then: sqlrev --url postgresql:///COPY upgrade",
};

/// The dialect of PostgreSQL.
#[derive(Debug)]
pub struct Postgres;

impl Counts for Postgres {}

impl Dialect for Postgres {
    fn name(&self) -> &'static str {
        "postgresql"
    }

    fn variants(&self) -> &'static [&'static str] {
        &["postgresql", "postgres"]
    }

    fn rules(&self) -> &'static SplitRules {
        &split::POSTGRESQL
    }

    fn ident(&self, name: &str) -> String {
        write::quoted(name, '"')
    }

    fn usual_schema(&self) -> &'static str {
        SCHEMA
    }

    fn spelled(&self, name: &str, is_quoted: bool) -> Option<String> {
        Some(if is_quoted {
            name.to_owned()
        } else {
            name.to_lowercase()
        })
    }

    /// A table is always named with its schema, so that no `search_path` leads elsewhere.
    fn table(&self, name: &str) -> String {
        let (schema, table) = name.split_once('.').unwrap_or((SCHEMA, name));
        format!("{}.{}", self.ident(schema), self.ident(table))
    }

    fn schemas(&self) -> Option<&'static dyn Schemas> {
        Some(&schemas::OfUrl)
    }

    fn append_literal(&self, out: &mut String, text: &str) {
        write::append_postgres_literal(out, text);
    }

    fn version_sql(&self) -> &'static VersionSql {
        &session::VERSION
    }

    fn begin(&self) -> &'static str {
        "BEGIN"
    }

    fn not_in_transaction(&self, statement: &str) -> Option<&'static str> {
        session::not_in_transaction(statement)
    }

    fn followed(&self, statement: &str) -> Option<Followed> {
        progress::of(statement)
    }

    fn copied_by(&self) -> Option<&'static CopiedBy> {
        Some(&COPIED_BY)
    }

    fn look_at(&self, statement: &str) -> Option<Look> {
        ran::look_at(statement)
    }

    fn leftovers(&self, statement: &str) -> Option<Leftovers> {
        leftover::of(statement)
    }

    /// Any of them may, by way of a function or a trigger.
    fn touches_session(&self, _statement: &str) -> bool {
        true
    }

    fn reset(&self) -> &'static [&'static str] {
        session::RESET
    }

    fn own_role(&self) -> &'static [&'static str] {
        session::OWN_ROLE
    }

    fn role_again(&self) -> &'static [&'static str] {
        session::ROLE_AGAIN
    }

    fn refused(&self, statement: &str) -> Option<(&'static str, &'static str)> {
        session::refused(statement)
    }

    fn stands_alone(&self, statement: &str) -> bool {
        session::stands_alone(statement)
    }

    fn may_stop_half_way(&self, statement: &str) -> bool {
        session::may_commit_within(statement)
    }

    fn transaction_number(&self) -> Option<&'static str> {
        Some(session::TRANSACTION_NUMBER)
    }

    fn timeouts(&self, lock: Option<Duration>, statement: Option<Duration>, in_transaction: bool) -> Vec<String> {
        let set = if in_transaction { "SET LOCAL" } else { "SET" };
        let times = [("lock_timeout", lock), ("statement_timeout", statement)];
        let times = times
            .iter()
            .filter_map(|(name, time)| Some((name, (*time)?.as_millis())));
        times.map(|(name, time)| format!("{set} {name} = '{time}ms'")).collect()
    }

    fn comes_first(&self, statement: &str) -> bool {
        session::comes_first(statement)
    }

    fn sets_up_connection(&self, statement: &str) -> bool {
        session::sets_up_connection(statement)
    }

    fn beyond(&self, statement: &str) -> Option<Replay> {
        session::beyond(statement)
    }

    fn works_out(&self, statement: &str) -> Option<String> {
        kept::works_out(statement)
    }

    fn calls(&self, statement: &str, names: &mut BTreeSet<String>) {
        kept::calls(statement, names);
    }

    fn that_set(&self, names: &BTreeSet<String>) -> Option<String> {
        kept::that_set(names)
    }

    fn replay(&self, statement: &str) -> Replay {
        session::replay(statement)
    }

    fn lacks(&self, statement: &str, code: &str, message: &str) -> Lack {
        lack::of(statement, code, message)
    }

    fn replays_transactions(&self) -> bool {
        true
    }

    fn is_tied(&self, code: &str) -> bool {
        // A new value of a type that is used, what no transaction takes, and more locks than one may hold.
        matches!(code, "55P04" | "25001" | "53200")
    }

    fn fixed(&self, statement: &str, made: &Model) -> Option<(std::ops::Range<usize>, &'static str)> {
        moments::fixed(statement, made)
    }

    fn bodies_unread(&self) -> Option<[&'static str; 2]> {
        Some(["SET check_function_bodies = off", "RESET check_function_bodies"])
    }

    fn model(&self, query: &mut dyn FnMut(&str) -> Result<Rows>) -> Option<Result<Model>> {
        Some(inspect::model(query))
    }

    fn model_within(&self, query: &mut dyn FnMut(&str) -> Result<Rows>) -> Option<Result<Model>> {
        Some(inspect::model_within(query))
    }

    fn compares_schemas(&self) -> bool {
        true
    }

    fn manner(&self) -> Manner {
        Manner {
            foreign_keys_apart: true,
            privileges: true,
            names_of_schema: &[
                ConstraintKind::PrimaryKey,
                ConstraintKind::Unique,
                ConstraintKind::Exclude,
            ],
            ..Manner::default()
        }
    }

    fn concurrently(&self, index: &Key, wanted: &Model) -> Option<(Vec<String>, String)> {
        render::concurrently(index, wanted)
    }

    fn validated_later(
        &self,
        table: &Key,
        constraint: &Constraint,
        wanted: &Model,
    ) -> Option<([String; 2], Vec<String>)> {
        render::validated_later(table, constraint, wanted)
    }

    fn render(&self, change: &Change, from: &Model, to: &Model) -> Option<Vec<String>> {
        render::statements(change, from, to)
    }
}
