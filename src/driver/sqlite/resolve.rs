//! How SQLite resolves the names of a statement: its authorizer is asked for each column that is read
//! (<https://www.sqlite.org/c3ref/set_authorizer.html>).

use std::sync::{Arc, Mutex};

use rusqlite::Connection;
use rusqlite::config::DbConfig;
use rusqlite::hooks::{AuthAction, AuthContext, Authorization};

use crate::dialect::ColumnRead;

/// What a statement reads. The connection keeps no authorizer of its own, so it must be one to try things on.
pub(super) fn reads(connection: &mut Connection, sql: &str, quoted_texts: bool) -> rusqlite::Result<Vec<ColumnRead>> {
    let found = Arc::new(Mutex::new(Vec::new()));
    let seen = Arc::clone(&found);
    let note = move |context: AuthContext<'_>| {
        if let (
            AuthAction::Read {
                table_name,
                column_name,
            },
            Ok(mut seen),
        ) = (context.action, seen.lock())
        {
            seen.push(ColumnRead {
                table: table_name.to_ascii_lowercase(),
                column: column_name.to_ascii_lowercase(),
                within: context.accessor.map(str::to_owned),
            });
        }
        Authorization::Allow
    };
    let was = connection.db_config(DbConfig::SQLITE_DBCONFIG_DQS_DML)?;
    connection.set_db_config(DbConfig::SQLITE_DBCONFIG_DQS_DML, quoted_texts)?;
    connection.authorizer(Some(note))?;
    let compiled = connection.prepare(sql).map(drop);
    connection.authorizer(None::<fn(AuthContext<'_>) -> Authorization>)?;
    connection.set_db_config(DbConfig::SQLITE_DBCONFIG_DQS_DML, was)?;
    compiled?;
    Ok(found
        .lock()
        .map(|mut found| std::mem::take(&mut *found))
        .unwrap_or_default())
}
