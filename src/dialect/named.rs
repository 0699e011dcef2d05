//! The dialects by their names.

use crate::dialect::{Dialect, mysql, postgres, sqlite};

/// Every dialect that scripts can be written for.
static DIALECTS: [&dyn Dialect; 4] = [&sqlite::Sqlite, &postgres::Postgres, &mysql::MYSQL, &mysql::MARIADB];

/// The dialect of a name: `sqlite`, `postgresql`, `mysql` or `mariadb`.
pub fn named(name: &str) -> Option<&'static dyn Dialect> {
    DIALECTS.iter().copied().find(|dialect| dialect.name() == name)
}
