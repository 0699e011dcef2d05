//! Databases to throw away, on the server that a connection is to.
//!
//! A connection of its own makes the database and holds a lock of its name, which ends with the connection, however that
//! ends; it drops the database when it is dropped itself: after a success, a failure or an interruption. A run that was
//! killed, or a panic of the command, which unwinds nothing, leaves one behind; the next run that makes one drops it, when
//! nobody holds its lock any more.
//!
//! A name carries a mark of the server, so that a database that came from elsewhere, whose lock is there, is left alone.

use std::borrow::Cow;
use std::collections::BTreeSet;
use std::sync::Arc;

use crate::dialect::Dialect as _;
use crate::dialect::mysql::{self as sql, MYSQL};
use crate::driver::mysql::{Mysql, fault};
use crate::driver::{Driver as _, DriverError};

/// What begins the name of each.
const NAME: &str = sql::SCRATCH;

/// Eight digits that tell this server from others.
const MARK: &str = "LEFT(SHA2(CONCAT('sqlrev ', @@hostname, ' ', @@port, ' ', @@datadir), 256), 8)";

/// The server's codes for a right that is lacking.
const NO_RIGHT: [&str; 2] = ["1044", "1227"];

/// Drops its database when it is dropped.
pub(super) struct ThrowAway {
    keeper: Mysql,
    name: String,
    /// The database that it stands for, which scripts may name.
    database: String,
    /// Procedures of it that change what is in other databases.
    reaching: BTreeSet<String>,
}

impl Mysql {
    /// Makes an empty database beside this one's, and connects to it.
    pub(super) fn make_scratch(&self) -> Result<Mysql, DriverError> {
        let mut keeper = self.beside("")?;
        let mark = value(&mut keeper, &format!("SELECT {MARK}"))?;
        drop_leftovers(&mut keeper, &mark)?;
        let mut number = [0; 4];
        getrandom::fill(&mut number).map_err(|error| DriverError::new(error.to_string()))?;
        let name = format!("{NAME}{mark}{:08x}", u32::from_be_bytes(number));
        value(&mut keeper, &format!("SELECT GET_LOCK('{name}', 0)"))?;
        let own = MYSQL.literal(&self.opener.identity.database);
        let like = format!(
            "SELECT CONCAT(' CHARACTER SET ', default_character_set_name, ' COLLATE ', default_collation_name) \
             FROM information_schema.schemata WHERE schema_name = {own}"
        );
        let like = value(&mut keeper, &like)?;
        keeper
            .execute(&format!("CREATE DATABASE {name}{like}"))
            .map_err(refused)?;
        let made = ThrowAway {
            keeper,
            database: self
                .stands_for
                .clone()
                .unwrap_or_else(|| self.opener.identity.database.clone()),
            name,
            reaching: BTreeSet::new(),
        };
        let mut scratch = self.beside(&made.name)?;
        scratch.throw_away = Some(Box::new(made));
        Ok(scratch)
    }

    /// A statement as it is sent: on scratch it means this database where it names the project's. None where it would
    /// change another one. Texts that are prepared are statements as well.
    pub(super) fn own_words<'s>(&mut self, statement: &'s str) -> Result<Option<Cow<'s, str>>, DriverError> {
        let Some(scratch) = &mut self.throw_away else {
            return Ok(Some(Cow::Borrowed(statement)));
        };
        let Some(own) = sql::on_scratch(statement, &scratch.database) else {
            return Ok(None);
        };
        scratch
            .reaching
            .extend(sql::reaching_procedure(&own, &scratch.database));
        if !scratch.reaching.is_empty() && sql::called(&own).is_some_and(|name| scratch.reaching.contains(&name)) {
            return Ok(None);
        }
        let Some(place) = sql::prepared(&own) else {
            return Ok(Some(own));
        };
        let database = scratch.database.clone();
        self.flush()?;
        let rows = self.query(&format!("SELECT {}", &own[place.clone()]))?;
        // Without a text it fails in its own words.
        let Some(text) = rows.into_iter().flatten().flatten().next() else {
            return Ok(Some(own));
        };
        let text = sql::on_scratch(&text, &database).unwrap_or(Cow::Borrowed("DO 0"));
        let (before, behind) = (&own[..place.start], &own[place.end..]);
        Ok(Some(Cow::Owned(format!("{before}{}{behind}", MYSQL.literal(&text)))))
    }

    /// Another session on the same server.
    fn beside(&self, database: &str) -> Result<Mysql, DriverError> {
        let opener = self.opener.beside(database);
        let (wire, id) = opener
            .open()
            .map_err(|trouble| fault::failed(trouble, "", 0..0, false))?;
        let mut session = Mysql::new(wire, id, self.dialect, Arc::new(opener));
        session.ready()?;
        Ok(session)
    }
}

impl Drop for ThrowAway {
    fn drop(&mut self) {
        let sql = format!("DROP DATABASE IF EXISTS {}", self.name);
        if self.keeper.execute(&sql).is_err() && self.keeper.reconnect().is_ok() {
            // Where this fails as well, the next run does it.
            let _ = self.keeper.execute(&sql);
        }
    }
}

/// Drops what killed runs left behind.
fn drop_leftovers(keeper: &mut Mysql, mark: &str) -> Result<(), DriverError> {
    let sql = format!(
        "SELECT schema_name FROM information_schema.schemata \
         WHERE schema_name REGEXP '^{NAME}{mark}[0-9a-f]{{8}}$' AND IS_FREE_LOCK(schema_name) = 1"
    );
    for name in keeper.query(&sql)?.into_iter().flatten().flatten() {
        // Where it fails, another run was faster.
        let _ = keeper.execute(&format!("DROP DATABASE IF EXISTS {name}"));
    }
    Ok(())
}

fn value(session: &mut Mysql, sql: &str) -> Result<String, DriverError> {
    let rows = session.query(sql)?;
    Ok(rows.into_iter().flatten().flatten().next().unwrap_or_default())
}

/// The words for a user who may make no databases.
fn refused(error: DriverError) -> DriverError {
    if !error.code.as_deref().is_some_and(|code| NO_RIGHT.contains(&code)) {
        return error;
    }
    let hint = "give the user that right: GRANT ALL ON `sqlrev\\_scratch\\_%`.* TO …; or name a server for it in \
                migrations.yaml: `dev_url: mysql://…`";
    error.no_scratch(hint)
}
