//! Tests that need a database, processes or the repository itself: order in the house, failures at every moment, kills,
//! races, hostile surroundings, and random histories.

#![expect(clippy::disallowed_methods, reason = "tests make folders and files of their own")]

/// Makes a test for MariaDB and one for MySQL of each function that takes a server.
#[cfg(unix)]
macro_rules! on_mariadb_and_mysql {
    ($($test:ident)+) => {
        mod on_mariadb {
            $(#[test]
            fn $test() {
                super::$test(crate::server::Server::Mariadb);
            })+
        }

        mod on_mysql {
            $(#[test]
            fn $test() {
                super::$test(crate::server::Server::Mysql);
            })+
        }
    };
}

#[cfg(unix)]
#[path = "it/change.rs"]
mod change;
#[cfg(unix)]
#[path = "it/conformance.rs"]
mod conformance;
#[cfg(unix)]
#[path = "it/connect.rs"]
mod connect;
#[path = "it/connection.rs"]
mod connection;
#[path = "it/copies.rs"]
mod copies;
#[path = "it/crash.rs"]
mod crash;
#[path = "it/declare.rs"]
mod declare;
#[cfg(unix)]
#[path = "it/declare_mariadb.rs"]
mod declare_mariadb;
#[cfg(unix)]
#[path = "it/declare_postgres.rs"]
mod declare_postgres;
#[cfg(unix)]
#[path = "it/enemy.rs"]
mod enemy;
#[path = "it/failing.rs"]
mod failing;
#[path = "it/kill.rs"]
mod kill;
#[path = "it/least.rs"]
mod least;
#[path = "it/library.rs"]
mod library;
#[cfg(unix)]
#[path = "it/mariadb.rs"]
mod mariadb;
#[cfg(unix)]
#[path = "it/mariadb_locks.rs"]
mod mariadb_locks;
#[cfg(unix)]
#[path = "it/mariadb_session.rs"]
mod mariadb_session;
#[path = "it/older.rs"]
mod older;
#[path = "it/own_code.rs"]
mod own_code;
#[path = "it/pair.rs"]
mod pair;
#[path = "it/picture.rs"]
mod picture;
#[path = "it/place.rs"]
mod place;
#[path = "it/plain.rs"]
mod plain;
#[cfg(unix)]
#[path = "it/postgres.rs"]
mod postgres;
#[cfg(unix)]
#[path = "it/postgres_locks.rs"]
mod postgres_locks;
#[cfg(unix)]
#[path = "it/postgres_pool.rs"]
mod postgres_pool;
#[path = "it/property.rs"]
mod property;
#[path = "it/race.rs"]
mod race;
#[path = "it/random.rs"]
mod random;
#[cfg(unix)]
#[path = "it/restart.rs"]
mod restart;
#[path = "it/restore.rs"]
mod restore;
#[cfg(unix)]
#[path = "it/sample.rs"]
mod sample;
#[cfg(unix)]
#[path = "it/scratch.rs"]
mod scratch;
#[cfg(unix)]
mod server;
#[path = "it/settings.rs"]
mod settings;
#[cfg(unix)]
#[path = "it/tenants.rs"]
mod tenants;
#[path = "it/tidy.rs"]
mod tidy;
#[cfg(unix)]
#[path = "it/turns.rs"]
mod turns;
