//! A small executor for the tests, online and as an offline script.

use std::collections::BTreeMap;

use rusqlite::Connection;
use rusqlite::config::DbConfig;
use rusqlite::types::ValueRef;

use crate::code::Code;
use crate::dialect::sqlite::script::STATISTICS;
use crate::dialect::sqlite::{Sqlite, mirror};
use crate::dialect::{
    AlterStatement, Ask, ColumnRead, Dialect, Handwork, Mirror, Mirrors, Op, Replay, Rewrite, Rows, Scratch,
    ScratchError, Setting,
};
use crate::error::{Error, Result};
use crate::revision::Recreate;
use crate::source::SourceFile;
use crate::sql::split::SQLITE;
use crate::sql::token::{Kind, tokens};

struct Memory(Connection);

pub(super) fn rows(connection: &Connection, sql: &str) -> rusqlite::Result<Rows> {
    let mut statement = connection.prepare(sql)?;
    let count = statement.column_count();
    let mut found = statement.query([])?;
    let mut rows = Vec::new();
    while let Some(row) = found.next()? {
        let mut values = Vec::new();
        for at in 0..count {
            values.push(match row.get_ref(at)? {
                ValueRef::Null => None,
                ValueRef::Integer(value) => Some(value.to_string()),
                ValueRef::Real(value) => Some(value.to_string()),
                ValueRef::Text(text) => Some(String::from_utf8_lossy(text).into_owned()),
                ValueRef::Blob(blob) => Some(blob.iter().map(|byte| format!("{byte:02x}")).collect()),
            });
        }
        rows.push(values);
    }
    Ok(rows)
}

fn scratch_error(error: &rusqlite::Error) -> ScratchError {
    match error {
        rusqlite::Error::SqlInputError { msg, offset, .. } => ScratchError {
            message: msg.clone(),
            offset: usize::try_from(*offset).ok(),
        },
        other => ScratchError {
            message: other.to_string(),
            offset: None,
        },
    }
}

impl Scratch for Memory {
    fn execute(&mut self, sql: &str) -> Result<(), ScratchError> {
        self.0.execute_batch(sql).map_err(|error| scratch_error(&error))
    }

    fn query(&mut self, sql: &str) -> Result<Rows, ScratchError> {
        rows(&self.0, sql).map_err(|error| scratch_error(&error))
    }

    fn reads(&mut self, sql: &str, quoted_texts: bool) -> Result<Option<Vec<ColumnRead>>, ScratchError> {
        let reads = crate::driver::Driver::reads(&mut self.0, sql, quoted_texts);
        reads.map_err(|error| ScratchError {
            message: error.message,
            offset: error.offset,
        })
    }
}

pub(super) struct Asker<'a> {
    pub(super) connection: &'a Connection,
    pub(super) offline: bool,
}

impl Ask for Asker<'_> {
    fn query(&mut self, sql: &str) -> Result<Rows> {
        rows(self.connection, sql).map_err(|error| Error::new(Code::Database, error.to_string()).cause(sql.to_owned()))
    }

    fn scratch(&mut self) -> Result<Box<dyn Scratch>> {
        let connection = Connection::open_in_memory().map_err(|error| Error::new(Code::Database, error.to_string()))?;
        Ok(Box::new(Memory(connection)))
    }

    fn offline(&self) -> bool {
        self.offline
    }
}

/// What an executor does with the steps of a rewrite.
struct Executor<'a> {
    pub(super) connection: &'a Connection,
    /// As in a script for any sqlite3: foreign keys are off, and no switches beyond pragmas.
    pub(super) script: bool,
}

impl Executor<'_> {
    fn failed(error: &rusqlite::Error, sql: &str) -> Error {
        Error::new(Code::StatementFailed, error.to_string()).cause(sql.to_owned())
    }

    fn set(&self, setting: Setting, on: Option<bool>, before: &mut BTreeMap<u8, bool>) {
        let config = match setting {
            Setting::ForeignKeys if self.script => return,
            Setting::Triggers | Setting::WritableSchema | Setting::Defensive | Setting::QuotedTexts if self.script => {
                panic!("{setting:?} in a script")
            }
            Setting::ForeignKeys => DbConfig::SQLITE_DBCONFIG_ENABLE_FKEY,
            Setting::LegacyAlterTable => DbConfig::SQLITE_DBCONFIG_LEGACY_ALTER_TABLE,
            Setting::Triggers => DbConfig::SQLITE_DBCONFIG_ENABLE_TRIGGER,
            Setting::WritableSchema => DbConfig::SQLITE_DBCONFIG_WRITABLE_SCHEMA,
            Setting::QuotedTexts => DbConfig::SQLITE_DBCONFIG_DQS_DML,
            Setting::Defensive => DbConfig::SQLITE_DBCONFIG_DEFENSIVE,
            Setting::IgnoreCheckConstraints => {
                let on = i32::from(on.unwrap_or(false));
                self.connection
                    .execute_batch(&format!("PRAGMA ignore_check_constraints = {on}"))
                    .expect("a pragma");
                return;
            }
        };
        let key = setting as u8;
        let now = self.connection.db_config(config).expect("a switch");
        let wanted = match on {
            Some(on) => {
                before.entry(key).or_insert(now);
                on
            }
            None => before.remove(&key).unwrap_or(now),
        };
        let took = self.connection.set_db_config(config, wanted).expect("a switch");
        assert_eq!(took, wanted, "{setting:?}");
    }

    pub(super) fn run(&self, ops: &[Op]) -> Result<()> {
        let mut before = BTreeMap::new();
        for op in ops {
            match op {
                Op::Sql { sql, diagnosis, .. } => {
                    if let Err(error) = self.connection.execute_batch(sql) {
                        self.run(diagnosis)?;
                        return Err(Self::failed(&error, sql));
                    }
                }
                Op::Check { sql, code, message, .. } => {
                    let found = rows(self.connection, sql).map_err(|error| Self::failed(&error, sql))?;
                    if let Some(row) = found.first() {
                        return Err(Error::new(*code, message.clone()).cause(format!("{row:?}")));
                    }
                    let guard = format!("SELECT 1 WHERE EXISTS({sql})");
                    assert_eq!(rows(self.connection, &guard).expect("a guard"), Rows::new(), "{sql}");
                }
                Op::AnyOf { sql, checks } => {
                    if !rows(self.connection, sql)
                        .map_err(|error| Self::failed(&error, sql))?
                        .is_empty()
                    {
                        self.run(checks)?;
                        panic!("none of the checks finds the row: {sql}");
                    }
                }
                Op::Compiles { sql, object, .. } => {
                    self.connection
                        .prepare(sql)
                        .map_err(|error| Self::failed(&error, object))?;
                }
                Op::Statistics { sql, .. } => self
                    .connection
                    .execute_batch(sql)
                    .map_err(|error| Self::failed(&error, sql))?,
                Op::Set(setting, on) => self.set(*setting, *on, &mut before),
            }
        }
        assert!(before.is_empty(), "switches are left: {before:?}");
        Ok(())
    }
}

/// The statements and directives of a script without triggers.
fn statements(text: &str) -> Vec<AlterStatement> {
    let file = SourceFile::new("upgrade.sql", text);
    let mut found = Vec::new();
    let mut start = 0;
    let ends = tokens(text, &SQLITE)
        .filter(|token| &text[token.span.clone()] == ";")
        .map(|token| token.span.start);
    for end in ends.chain([text.len()]) {
        let piece = &text[start..end];
        let mut skipped = 0;
        let before = tokens(piece, &SQLITE).take_while(|token| matches!(token.kind, Kind::Space | Kind::Comment));
        for token in before {
            if piece[token.span.clone()].starts_with("-- sqlrev:") {
                found.push(AlterStatement {
                    text: piece[token.span.clone()].to_owned(),
                    file: file.clone(),
                    offset: start + token.span.start,
                });
            }
            skipped = token.span.end;
        }
        if skipped < piece.len() {
            found.push(AlterStatement {
                text: piece[skipped..].to_owned(),
                file: file.clone(),
                offset: start + skipped,
            });
        }
        start = (end + 1).min(text.len());
    }
    found
}

/// Runs a script as the executor would, and hands every rewrite to `seen`.
fn upgrade<'c>(
    text: &str,
    recreate: Recreate,
    ask: &mut dyn FnMut() -> Asker<'c>,
    run: &mut dyn FnMut(&[Op]) -> Result<()>,
    seen: &mut dyn FnMut(&Rewrite),
) -> Result<()> {
    let all = statements(text);
    let mut rest = &all[..];
    while let Some(first) = rest.first() {
        let Some(table) = Sqlite.batch_table(&first.text) else {
            run(&[Op::sql(first.text.clone(), 0)])?;
            rest = &rest[1..];
            continue;
        };
        let same = |statement: &&AlterStatement| Sqlite.batch_table(&statement.text).as_ref() == Some(&table);
        let count = rest.iter().take_while(same).count();
        let rewrite = Handwork::rewrite(&Sqlite, &rest[..count], recreate, &mut ask())?;
        assert!(rewrite.consumed >= 1 && rewrite.consumed <= count);
        run(&rewrite.ops)?;
        seen(&rewrite);
        rest = &rest[rewrite.consumed..];
    }
    Ok(())
}

/// The schema of a database without its rows.
fn replay(original: &Connection) -> Connection {
    let copy = Connection::open_in_memory().expect("a database");
    let shadow = "SELECT name FROM pragma_table_list WHERE type = 'shadow'";
    let sql = format!(
        "SELECT sql FROM sqlite_schema WHERE sql IS NOT NULL AND name NOT LIKE 'sqlite\\_%' ESCAPE '\\' \
         AND name NOT IN ({shadow}) ORDER BY type <> 'table', type = 'trigger', rowid"
    );
    for row in rows(original, &sql).expect("a schema") {
        let sql = row[0].clone().expect("text");
        copy.execute_batch(&sql)
            .unwrap_or_else(|error| panic!("{sql}: {error}"));
    }
    copy
}

/// A mirror of a database, as plans use it.
struct Mirrored {
    memory: Memory,
    mirror: Option<Box<dyn Mirror>>,
}

impl Mirrored {
    fn with<T>(&mut self, action: impl FnOnce(&mut dyn Mirror, &mut dyn Ask) -> T) -> T {
        let mut mirror = self.mirror.take().expect("it is not asked while it asks");
        let done = action(&mut *mirror, &mut *self);
        self.mirror = Some(mirror);
        done
    }
}

impl Ask for Mirrored {
    fn query(&mut self, sql: &str) -> Result<Rows> {
        asker(&self.memory.0).query(sql)
    }

    fn scratch(&mut self) -> Result<Box<dyn Scratch>> {
        asker(&self.memory.0).scratch()
    }

    fn knows_rows(&self) -> bool {
        false
    }

    fn will_have_rows(&mut self, schema: &str, table: &str) -> Result<Option<bool>> {
        self.with(|mirror, ask| mirror.has_rows(schema, table, ask))
    }

    fn will_have_inserted(&self) -> Option<bool> {
        self.mirror.as_ref().map(|mirror| mirror.has_inserted())
    }
}

fn asker(connection: &Connection) -> Asker<'_> {
    Asker {
        connection,
        offline: false,
    }
}

/// Plans an upgrade of a database, and leaves it alone: every rewrite, as far as it came.
pub(super) fn plan(connection: &Connection, text: &str, recreate: Recreate) -> (Vec<Rewrite>, Result<()>) {
    let mut memory = Memory(Connection::open_in_memory().expect("a database"));
    let all = statements(text);
    let altered = all
        .iter()
        .filter_map(|statement| Sqlite.batch_table(&statement.text))
        .collect();
    let mut live = |sql: &str| asker(connection).query(sql);
    let mirror = mirror::InMemory
        .mirror(&mut live, &altered, &mut memory)
        .expect("a mirror");
    assert_eq!(stored(connection), stored(&memory.0), "the mirror");
    let mut mirrored = Mirrored {
        memory,
        mirror: Some(mirror),
    };
    let mut rewrites = Vec::new();
    let planned = plan_on(&mut mirrored, &all, recreate, &mut rewrites);
    (rewrites, planned)
}

fn plan_on(
    mirrored: &mut Mirrored,
    all: &[AlterStatement],
    recreate: Recreate,
    rewrites: &mut Vec<Rewrite>,
) -> Result<()> {
    let mut rest = all;
    while let Some(first) = rest.first() {
        let Some(table) = Sqlite.batch_table(&first.text) else {
            mirrored.with(|mirror, ask| mirror.before(&first.text, ask))?;
            if Sqlite.replay(&first.text) == Replay::Run {
                let run = mirrored.memory.execute(&first.text);
                run.map_err(|error| Error::new(Code::StatementFailed, error.message))?;
            }
            rest = &rest[1..];
            continue;
        };
        let same = |statement: &&AlterStatement| Sqlite.batch_table(&statement.text).as_ref() == Some(&table);
        let count = rest.iter().take_while(same).count();
        let rewrite = Handwork::rewrite(&Sqlite, &rest[..count], recreate, mirrored)?;
        let executor = Executor {
            connection: &mirrored.memory.0,
            script: false,
        };
        let of_schema = |op: &&Op| matches!(op, Op::Sql { .. } | Op::Set(..));
        executor.run(&rewrite.ops.iter().filter(of_schema).cloned().collect::<Vec<_>>())?;
        mirrored.with(|mirror, ask| mirror.altered(&rest[..rewrite.consumed], &rewrite, ask))?;
        rest = &rest[rewrite.consumed..];
        rewrites.push(rewrite);
    }
    Ok(())
}

/// Everything that is in the schema table, in its order.
fn stored(connection: &Connection) -> Rows {
    let sql = "SELECT type, name, tbl_name, sql FROM sqlite_schema WHERE name NOT LIKE 'sqlite\\_stat%' ESCAPE '\\'";
    rows(connection, sql).expect("a schema")
}

/// Upgrades a database in a transaction.
pub(super) fn run_online(
    connection: &Connection,
    text: &str,
    recreate: Recreate,
    seen: &mut dyn FnMut(&Rewrite),
) -> Result<()> {
    connection.execute_batch("BEGIN IMMEDIATE").expect("a transaction");
    let executor = Executor {
        connection,
        script: false,
    };
    let mut ask = || Asker {
        connection,
        offline: false,
    };
    let outcome = upgrade(text, recreate, &mut ask, &mut |ops| executor.run(ops), seen);
    finish(connection, outcome)
}

fn finish(connection: &Connection, outcome: Result<()>) -> Result<()> {
    let outcome = outcome.and_then(|()| {
        connection
            .execute_batch("COMMIT")
            .map_err(|error| Error::new(Code::StatementFailed, error.to_string()))
    });
    if outcome.is_err() {
        connection
            .execute_batch("ROLLBACK; PRAGMA foreign_keys=ON")
            .expect("a rollback");
    }
    outcome
}

/// Plans on a replay of the schema, then runs what came out on the database as a script.
pub(super) fn run_offline(connection: &Connection, text: &str) -> Result<()> {
    let replayed = &replay(connection);
    let mut script: Vec<Op> = Vec::new();
    let replaying = Executor {
        connection: replayed,
        script: true,
    };
    let begin = format!("{STATISTICS} PRAGMA foreign_keys=OFF; BEGIN IMMEDIATE");
    replayed.execute_batch(&begin).expect("a transaction");
    let mut ask = || Asker {
        connection: replayed,
        offline: true,
    };
    let mut run = |ops: &[Op]| {
        script.extend_from_slice(ops);
        replaying.run(ops)
    };
    let planned = upgrade(text, Recreate::Auto, &mut ask, &mut run, &mut |_| {});
    connection.execute_batch(&begin).expect("a transaction");
    let executor = Executor {
        connection,
        script: true,
    };
    let outcome = planned.and_then(|()| executor.run(&script));
    let outcome = finish(connection, outcome);
    connection
        .execute_batch("PRAGMA foreign_keys=ON; DETACH sqlrev_statistics")
        .expect("a pragma");
    outcome
}

/// Every stored definition, every row, and the statistics that scripts carry.
pub(super) fn dump(connection: &Connection) -> Vec<String> {
    let mut lines = Vec::new();
    let statistics = rows(connection, "SELECT * FROM sqlite_stat1 ORDER BY tbl, idx");
    lines.extend(statistics.iter().flatten().map(|row| format!("{row:?}")));
    let schema = "SELECT type, name, tbl_name, sql FROM sqlite_schema WHERE name NOT LIKE 'sqlite\\_stat%' ESCAPE '\\' ORDER BY type, name";
    for row in rows(connection, schema).expect("a schema") {
        lines.push(format!("{row:?}"));
        if row[0].as_deref() == Some("table") {
            let name = crate::sql::write::quoted(row[1].as_deref().expect("a name"), '"');
            let columns = rows(
                connection,
                &format!("SELECT name FROM pragma_table_xinfo({name}) WHERE hidden <> 1"),
            );
            let quote: Vec<String> = columns
                .expect("columns")
                .into_iter()
                .flatten()
                .flatten()
                .map(|column| format!("quote({})", crate::sql::write::quoted(&column, '"')))
                .collect();
            let mut found = rows(connection, &format!("SELECT {} FROM {name}", quote.join(", "))).expect("rows");
            found.sort();
            lines.extend(found.into_iter().map(|row| format!("  {row:?}")));
        }
    }
    lines
}
