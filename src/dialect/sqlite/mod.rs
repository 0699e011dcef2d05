//! SQLite.

mod along;
mod alter;
mod apart;
mod aside;
mod batch;
mod bytes;
mod captures;
mod changed;
mod copy;
mod counts;
mod defaults;
mod demand;
mod dependents;
mod draft;
#[cfg(any(test, fuzzing))]
#[doc(hidden)]
pub mod editing;
mod expr;
mod filled;
mod follow;
mod held;
mod inspect;
mod kept;
mod keyed;
mod meaning;
mod mirror;
mod names;
mod oracle;
mod part;
mod places;
mod plain;
mod program;
mod prove;
mod readers;
mod rebuild;
mod references;
mod rename;
mod render;
mod replaced;
mod schema;
mod script;
mod session;
mod settings;
mod site;
mod size;
mod stars;
mod stepping;
mod steps;
mod still;
mod strangers;
mod table;
mod taken;
mod temporary;
mod tokenizer;
mod types;
mod uncompiled;
mod unique;
mod virtual_rename;
mod ways;

#[cfg(all(test, feature = "bundled"))]
mod cases;
#[cfg(all(test, feature = "bundled"))]
mod definitions;
#[cfg(all(test, feature = "bundled"))]
mod harness;
#[cfg(all(test, feature = "bundled"))]
mod hazards;
#[cfg(all(test, feature = "bundled"))]
mod model;

use std::collections::BTreeSet;

use crate::dialect::{
    AlterStatement, Ask, Broken, Counts, Dialect, Handwork, Lack, Mirrors, References, Replaces, Replay, Rewrite,
    RowChange, Rows, Scratch, Setting, SizeSql, VersionSql,
};
use crate::error::Result;
use crate::revision::Recreate;
use crate::schema::diff::{Change, Manner};
use crate::schema::{Key, Model};
use crate::sql::split::{self, SplitRules};
use crate::sql::{parse, write};

/// Whether ALTERs that SQLite lacks become batch plans in this build.
const PLANS: bool = cfg!(feature = "batch");
/// Whether schemas are compared in this build: the command does so.
const COMPARES: bool = cfg!(feature = "cli");

pub(super) use script::SqliteScript;

/// The dialect of SQLite.
#[derive(Debug)]
pub struct Sqlite;

impl Counts for Sqlite {
    fn asks_count(&self, statement: &str) -> Option<&'static str> {
        session::asks_count(statement)
    }

    fn sets_count(&self, statement: &str) -> bool {
        session::sets_count(statement)
    }

    fn give_count(&self, rows: &str) -> Vec<String> {
        session::give_count(rows)
    }
}

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

    fn append_literal(&self, out: &mut String, text: &str) {
        write::append_sqlite_literal(out, text);
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

    fn without(&self, statement: &str, words: &str) -> Vec<String> {
        if PLANS {
            tokenizer::without(statement, words)
        } else {
            Vec::new()
        }
    }

    fn objects(&self) -> Option<&'static str> {
        Some(session::OBJECTS)
    }

    fn compares_schemas(&self) -> bool {
        COMPARES
    }

    fn manner(&self) -> Manner {
        Manner {
            names_follow: true,
            deletes_first: true,
            ..Manner::default()
        }
    }

    fn model(&self, query: &mut dyn FnMut(&str) -> Result<Rows>) -> Option<Result<Model>> {
        COMPARES.then(|| schema::model(query))
    }

    fn model_apart(
        &self,
        statements: &[String],
        scratch: &mut dyn FnMut() -> Option<Box<dyn Scratch>>,
    ) -> Option<Model> {
        if COMPARES {
            apart::model(statements, scratch)
        } else {
            None
        }
    }

    fn part(
        &self,
        from: &Model,
        to: &Model,
        changed: &BTreeSet<Key>,
        scratch: &mut dyn FnMut() -> Option<Box<dyn Scratch>>,
    ) -> Option<BTreeSet<Key>> {
        if COMPARES {
            part::part(from, to, changed, scratch)
        } else {
            None
        }
    }

    fn internal(&self) -> &'static [&'static str] {
        &schema::INTERNAL
    }

    fn makes_by_itself(&self, statement: &str) -> bool {
        schema::is_internal(statement)
    }

    fn beyond(&self, statement: &str) -> Option<Replay> {
        session::beyond(statement)
    }

    fn exact(&self, column: &str) -> String {
        format!("quote({column})")
    }

    fn render(&self, change: &Change, from: &Model, to: &Model) -> Option<Vec<String>> {
        if COMPARES {
            render::statements(change, from, to)
        } else {
            None
        }
    }

    fn spares_memory(&self) -> Option<[&'static str; 4]> {
        Some(copy::SPARES_MEMORY)
    }

    fn stands_alone(&self, statement: &str) -> bool {
        session::stands_alone(statement)
    }

    fn not_in_transaction(&self, statement: &str) -> Option<&'static str> {
        rebuild::not_in_transaction(statement)
    }

    fn touches_session(&self, statement: &str) -> bool {
        statement.as_bytes().first().is_some_and(|first| b"pP".contains(first))
    }

    fn attaches(&self, statement: &str) -> Option<(String, bool)> {
        session::attaches(statement)
    }

    fn reads_schema(&self, statement: &str) -> &'static [&'static str] {
        settings::opens_schema(statement).map_or(&[], |_| &session::READS_ALL)
    }

    fn refused(&self, statement: &str) -> Option<(&'static str, &'static str)> {
        settings::refused(statement)
    }

    fn sets_up_connection(&self, statement: &str) -> bool {
        session::sets_up_connection(statement)
    }

    fn gives_id(&self, statement: &str) -> bool {
        session::gives_id(statement)
    }

    fn asks_id(&self, statement: &str) -> Option<&'static str> {
        session::asks_id(statement)
    }

    fn works_out(&self, statement: &str) -> Option<String> {
        session::works_out(statement)
    }

    fn temporary_now(&self) -> Option<&'static str> {
        Some(temporary::NOW)
    }

    fn drops_temporary(&self, statement: &str, others: &[String]) -> Option<String> {
        temporary::drops(statement, others)
    }

    fn kept(&self) -> &'static [[&'static str; 2]] {
        &session::KEPT
    }

    fn replay(&self, statement: &str) -> Replay {
        session::replay(statement)
    }

    fn lacks(&self, _statement: &str, _code: &str, message: &str) -> Lack {
        session::lacks(message)
    }

    fn mirrors(&self) -> Option<&'static dyn Mirrors> {
        if PLANS { Some(&mirror::InMemory) } else { None }
    }

    fn batch_table(&self, statement: &str) -> Option<String> {
        // Scripts of millions of statements come by here, so the first word is looked at before any token is made.
        let first = statement.get(..5)?;
        if !first.eq_ignore_ascii_case("alter") && first != "-- sq" {
            return None;
        }
        let (schema, table) = parse::alter::table(statement)?;
        let name = match schema {
            Some(schema) => format!("{}.{}", schema.text, table.text),
            None => table.text,
        };
        Some(name.to_ascii_lowercase())
    }

    fn may_need_a_plan(&self, statement: &str) -> bool {
        plain::adds_to(statement).is_none()
    }

    fn size(&self, table: &str) -> Option<SizeSql> {
        Some(size::queries(table))
    }

    fn work(&self, statement: &str, rows: u64, ask: &mut dyn Ask) -> Option<u64> {
        size::work(statement, rows, ask)
    }
}

impl Handwork for Sqlite {
    fn rewrite(&self, run: &[AlterStatement], recreate: Recreate, ask: &mut dyn Ask) -> Result<Rewrite> {
        if PLANS {
            batch::rewrite(run, recreate, ask)
        } else {
            plain::rewrite(run, ask)
        }
    }

    fn meant_switch(&self, statement: &str) -> Option<(Setting, bool)> {
        rebuild::meant_switch(statement)
    }

    fn references(&self) -> Option<&'static dyn References> {
        Some(&references::ForeignKeys)
    }

    fn replaces(&self, statement: &str) -> Option<Replaces> {
        rebuild::replaces(statement)
    }

    fn changes_rows(&self, statement: &str) -> Option<RowChange> {
        rebuild::changes_rows(statement)
    }

    fn tears(&self, statement: &str) -> bool {
        rebuild::tears(statement)
    }

    fn counter(&self, table: &str) -> String {
        rebuild::counter(table)
    }

    fn broken(&self, ask: &mut dyn Ask) -> Result<Vec<Broken>> {
        let broken = uncompiled::of(ask, "main")?.into_iter();
        let named = broken.map(|(object, words)| Broken {
            object: [object.kind, object.name],
            words,
        });
        Ok(named.collect())
    }

    fn mended(&self, tables: &BTreeSet<String>, ask: &mut dyn Ask) -> Result<Vec<(String, &'static str)>> {
        still::mended(tables, ask)
    }

    fn indexes_of_rows(
        &self,
        table: &str,
        query: &mut dyn FnMut(&str) -> Result<Rows>,
    ) -> Result<Vec<(String, String)>> {
        readers::indexes(table, query)
    }

    fn hangs_on_tables(&self) -> &'static str {
        rebuild::HANGS_ON_TABLES
    }
}
