//! Databases to throw away, beside the one that a connection is to.
//!
//! A connection of its own makes the database, waits, and drops it when it is dropped itself: after a success, a failure or
//! an interruption. A run that was killed, or a panic of the command, which unwinds nothing, leaves one behind; the next run
//! that makes one drops it, when nobody is connected to it any more, and the connection that made it is gone: that one bears
//! its name from before it is made.

use tokio_postgres::SimpleQueryMessage;

use crate::driver::DriverError;
use crate::driver::postgres::connect::Opener;
use crate::driver::postgres::link::Link;
use crate::driver::postgres::{Postgres, fault};
use crate::sql::write;

/// What begins the name of each.
const NAME: &str = "sqlrev_scratch_";

/// The comment by which one is known for ours.
const MARK: &str = "sqlrev: a database to throw away";

/// The SQLSTATE of a right that is lacking.
const NO_RIGHT: &str = "42501";

/// Drops its database when it is dropped.
pub(super) struct ThrowAway {
    link: Link,
    opener: Opener,
    name: String,
}

impl Opener {
    /// Makes an empty database beside this one's, and connects to it.
    pub(super) fn scratch(&self) -> Result<Postgres, DriverError> {
        let mut number = [0; 5];
        getrandom::fill(&mut number).map_err(|error| DriverError::new(error.to_string()))?;
        let number: String = number.iter().map(|byte| format!("{byte:02x}")).collect();
        let name = format!("{NAME}{number}{}", check(&number));
        // Another run sees by this name that the database is still in use.
        let mut opener = self.renamed(&name);
        let mut link = opener.open().map_err(|error| error.failed())?;
        let mut run = |sql: &str| rows(&mut link, sql);
        let left = run(&leftovers())?.into_iter().filter_map(|mut row| {
            let is_marked = row.pop()?.is_some_and(|mark| mark == "t");
            row.pop()?.filter(|name| is_marked || is_checked(name))
        });
        for left in left {
            // Where it fails, somebody is using it after all, or another run was faster.
            let _ = run(&drop_database(&left));
        }
        let place = run(LIKE)?;
        let value = |at: usize| place.first().and_then(|row| row.get(at)).cloned().flatten();
        run(&create(&name, &value)).map_err(refused)?;
        let mut made = ThrowAway { link, opener, name };
        let mut run = |sql: &str| rows(&mut made.link, sql);
        run(&format!(
            "COMMENT ON DATABASE {} IS {}",
            made.name,
            write::postgres_literal(MARK)
        ))?;
        if let Some(path) = value(6) {
            run(&format!("ALTER DATABASE {} SET search_path TO {path}", made.name))?;
        }
        let mut inside = self.beside(&made.name);
        let link = inside.open().map_err(|error| error.failed())?;
        let mut scratch = Postgres::new(link, inside);
        scratch.throw_away = Some(made);
        scratch.make_its_schemas()?;
        Ok(scratch)
    }
}

impl Drop for ThrowAway {
    fn drop(&mut self) {
        let sql = drop_database(&self.name);
        if rows(&mut self.link, &sql).is_ok() {
            return;
        }
        if let Ok(link) = self.opener.open() {
            self.link = link;
            let _ = rows(&mut self.link, &sql);
        }
    }
}

/// The encoding and the rules of language of the database that one is connected to, and where it looks for names.
const LIKE: &str = "SELECT pg_encoding_to_char(d.encoding), d.datcollate, d.datctype, \
                    to_jsonb(d) ->> 'datlocprovider', \
                    coalesce(to_jsonb(d) ->> 'datlocale', to_jsonb(d) ->> 'daticulocale'), \
                    to_jsonb(d) ->> 'daticurules', \
                    (SELECT substr(s, 13) FROM pg_db_role_setting r, unnest(r.setconfig) s \
                    WHERE r.setdatabase = d.oid AND r.setrole = 0 AND s LIKE 'search_path=%') \
                    FROM pg_database d WHERE d.datname = current_database()";

fn create(name: &str, value: &dyn Fn(usize) -> Option<String>) -> String {
    let mut sql = format!("CREATE DATABASE {name} TEMPLATE template0");
    let provider = match value(3).as_deref() {
        Some("i") => Some("icu"),
        Some("b") => Some("builtin"),
        _ => None,
    };
    for (word, value) in [
        ("ENCODING", value(0)),
        ("LC_COLLATE", value(1)),
        ("LC_CTYPE", value(2)),
        ("LOCALE_PROVIDER", provider.map(str::to_owned)),
        ("ICU_LOCALE", value(4).filter(|_| provider == Some("icu"))),
        ("BUILTIN_LOCALE", value(4).filter(|_| provider == Some("builtin"))),
        ("ICU_RULES", value(5).filter(|_| provider == Some("icu"))),
    ] {
        if let Some(value) = value {
            sql.push_str(&format!(" {word} {}", write::postgres_literal(&value)));
        }
    }
    sql
}

/// The last digits of a name, by which one is known for ours that has no mark yet.
fn check(number: &str) -> String {
    let hash = blake3::hash(format!("{NAME}{number}").as_bytes());
    hash.to_hex()[..6].to_owned()
}

fn is_checked(name: &str) -> bool {
    let digits = name.strip_prefix(NAME).and_then(|digits| digits.split_at_checked(10));
    digits.is_some_and(|(number, last)| check(number) == last)
}

/// Those that killed runs of this role left behind, and whether they have the mark: a run may be killed before it gives
/// it. One that still makes its own is connected under the name of it before that is there, and until it is dropped.
fn leftovers() -> String {
    format!(
        "SELECT d.datname, s.description IS NOT NULL FROM pg_database d LEFT JOIN pg_shdescription s \
         ON s.classoid = 1262 AND s.objoid = d.oid AND s.description = {} \
         WHERE d.datname ~ '^{NAME}[0-9a-f]{{16}}$' \
         AND pg_get_userbyid(d.datdba) = current_user AND NOT EXISTS (SELECT 1 FROM pg_stat_activity a \
         WHERE a.datname = d.datname OR a.application_name = d.datname)",
        write::postgres_literal(MARK)
    )
}

fn drop_database(name: &str) -> String {
    format!("DROP DATABASE IF EXISTS {name} WITH (FORCE)")
}

/// The words for a role that may make no databases.
fn refused(error: DriverError) -> DriverError {
    if error.code.as_deref() != Some(NO_RIGHT) {
        return error;
    }
    let hint = "give the role that right: ALTER ROLE … CREATEDB; or name a server for it in migrations.yaml: \
                `dev_url: postgresql://…`";
    error.no_scratch(hint)
}

fn rows(link: &mut Link, sql: &str) -> Result<Vec<Vec<Option<String>>>, DriverError> {
    let sent = link.run(|client| client.simple_query(sql));
    let messages = sent.map_err(|error| fault::failed(&error, sql, false))?;
    let rows = messages.iter().filter_map(|message| match message {
        SimpleQueryMessage::Row(row) => Some(row),
        _ => None,
    });
    let values = |row: &tokio_postgres::SimpleQueryRow| {
        (0..row.len())
            .map(|at| row.try_get(at).ok().flatten().map(str::to_owned))
            .collect()
    };
    Ok(rows.map(values).collect())
}
