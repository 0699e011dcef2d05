//! Why there is no connection, in words.

use std::time::Duration;

use tokio_postgres::error::SqlState;

use crate::code::Code;
use crate::driver::Opening;
use crate::driver::postgres::fault;
use crate::driver::postgres::link::{Unopened, no_answer};
use crate::driver::postgres::params::Params;
use crate::driver::tls::advice;
use crate::error::Error;
use crate::shell;

/// Whether the server may answer in a moment.
pub(super) fn is_starting(error: &Unopened) -> bool {
    let Unopened::Failed(error) = error else { return true };
    match error.as_db_error() {
        Some(db) => *db.code() == SqlState::CANNOT_CONNECT_NOW || *db.code() == SqlState::TOO_MANY_CONNECTIONS,
        // Whoever stands before it may take the connection and close it.
        None => error.is_closed() || io_of(error).is_some(),
    }
}

fn io_of(error: &tokio_postgres::Error) -> Option<&std::io::Error> {
    let mut source = std::error::Error::source(error);
    while let Some(inner) = source {
        if let Some(io) = inner.downcast_ref::<std::io::Error>() {
            return Some(io);
        }
        source = inner.source();
    }
    None
}

/// Why there is no connection, by its kinds.
pub(super) fn not_connected(unopened: &Unopened, params: &Params, waited: Duration, opening: Opening<'_>) -> Error {
    let place = place(params);
    let failed = match unopened {
        Unopened::Failed(error) => refused(error, &place, params),
        Unopened::Silent(longest) => Error::new(Code::Connect, format!("{place} does not answer"))
            .cause(no_answer(*longest))
            .help("check host and port; the parameter connect_timeout=SECONDS waits longer"),
        Unopened::Cancelled => return Error::new(Code::Interrupted, "interrupted"),
    };
    if opening.wait.is_zero() || !is_starting(unopened) {
        return failed;
    }
    failed.cause(format!("waited for {:.0} s", waited.as_secs_f64()))
}

fn refused(error: &tokio_postgres::Error, place: &str, params: &Params) -> Error {
    let (user, database) = (
        params.get("user").unwrap_or_default(),
        params.get("dbname").unwrap_or_default(),
    );
    let text = format!("{error}: {}", fault::words(error));
    if let Some(db) = error.as_db_error() {
        refused_by_server(db, place, user, database, params)
    } else if text.contains("password missing") {
        no_password(place, user, params)
    } else if text.contains("channel binding") {
        Error::new(
            Code::ConnectAuthentication,
            format!("{place} lets user `{user}` in without channel binding"),
        )
        .cause(fault::words(error))
        .help("it takes TLS and a password stored as scram-sha-256; or use channel_binding=prefer")
    } else if text.contains("database is not read only") || text.contains("database does not allow writes") {
        let asked = params.get("target_session_attrs").unwrap_or_default();
        Error::new(Code::Connect, format!("{place} is not what is asked for"))
            .cause(fault::words(error))
            .help(format!(
                "connect to another one, or leave target_session_attrs={asked} out"
            ))
    } else if text.contains("TLS") || is_tls(error) {
        let secured = Error::new(Code::ConnectTls, format!("there is no secure connection to {place}"));
        secured.cause(fault::words(error)).help(tls_help(&fault::words(error)))
    } else if text.contains("authentication") {
        Error::new(
            Code::ConnectAuthentication,
            format!("{place} and this program do not agree on how to log in"),
        )
        .cause(fault::words(error))
        .help("the ways are a password (scram-sha-256, md5), a client certificate, and trust")
    } else {
        unreachable_server(error, place, params)
    }
}

fn is_tls(error: &tokio_postgres::Error) -> bool {
    io_of(error).is_some_and(|io| {
        io.get_ref()
            .is_some_and(<dyn std::error::Error + Send + Sync>::is::<rustls::Error>)
    })
}

fn tls_help(words: &str) -> String {
    let other = || {
        if words.contains("does not support TLS") {
            "turn TLS on at the server (ssl = on), or use sslmode=disable where the network is safe"
        } else {
            "check sslmode, sslrootcert, sslcert and sslkey"
        }
    };
    advice(words, "sslrootcert", "sslmode").unwrap_or_else(|| other().to_owned())
}

fn refused_by_server(
    db: &tokio_postgres::error::DbError,
    place: &str,
    user: &str,
    database: &str,
    params: &Params,
) -> Error {
    let code = db.code();
    let error = if *code == SqlState::INVALID_CATALOG_NAME {
        Error::new(
            Code::ConnectNoDatabase,
            format!("there is no database `{database}` on {place}"),
        )
        .help("create it, with the same options: sqlrev create")
    } else if *code == SqlState::INVALID_PASSWORD {
        let error = Error::new(
            Code::ConnectAuthentication,
            format!("{place} does not accept the password of user `{user}`"),
        );
        match params.get("password") {
            Some(_) => error.help("check the password in the URL, PGPASSWORD or ~/.pgpass"),
            None => error.help("give one: PGPASSWORD=… or a line in ~/.pgpass"),
        }
    } else if *code == SqlState::INVALID_AUTHORIZATION_SPECIFICATION {
        Error::new(
            Code::ConnectAuthentication,
            format!("{place} does not let user `{user}` in"),
        )
        .help("check the user, and the rules in pg_hba.conf")
    } else if *code == SqlState::CANNOT_CONNECT_NOW {
        Error::new(Code::ConnectRefused, format!("{place} is not ready yet")).help("--wait SECONDS waits for it")
    } else if *code == SqlState::TOO_MANY_CONNECTIONS {
        Error::new(Code::ConnectRefused, format!("{place} has no connection left")).help("--wait SECONDS waits for one")
    } else {
        Error::new(Code::Connect, format!("{place} refused the connection"))
            .help("check the URL, and what the server's log says")
    };
    error.cause(format!("{} (SQLSTATE {})", db.message(), code.code()))
}

fn no_password(place: &str, user: &str, params: &Params) -> Error {
    let error = Error::new(
        Code::ConnectAuthentication,
        format!("{place} wants a password of user `{user}`"),
    );
    match &params.open_passfile {
        Some(file) => error
            .cause(format!("`{}` has one, but others may read that file", file.display()))
            .help(format!("chmod 0600 {}", shell::word(file.display()))),
        None => error.help("give one: PGPASSWORD=… or a line in ~/.pgpass"),
    }
}

fn unreachable_server(error: &tokio_postgres::Error, place: &str, params: &Params) -> Error {
    use std::io::ErrorKind;

    let words = fault::words(error);
    let io = io_of(error);
    let sockets = params.hosts().iter().all(|(host, _)| host.starts_with('/'));
    let unresolved = !sockets && io.is_some_and(|io| io.raw_os_error().is_none() && io.kind() != ErrorKind::TimedOut);
    let failed = if unresolved && words.contains("lookup") {
        Error::new(
            Code::ConnectUnknownHost,
            format!("the host {} is not known", hosts(params)),
        )
        .help("check the host in the URL")
    } else if io.is_some_and(|io| matches!(io.kind(), ErrorKind::ConnectionRefused | ErrorKind::NotFound)) {
        Error::new(Code::ConnectRefused, format!("nothing listens at {}", bare(params)))
            .help("check host and port, and that the server runs; --wait SECONDS waits for one that is starting")
    } else {
        Error::new(Code::Connect, format!("{place} cannot be reached"))
            .help("check host and port, that a PostgreSQL server answers there, and the network between")
    };
    failed.cause(words)
}

/// The hosts alone. Where none of them is known, what was taken for a port may be a password.
fn hosts(params: &Params) -> String {
    let hosts: Vec<String> = params
        .hosts()
        .into_iter()
        .map(|(host, _)| format!("`{host}`"))
        .collect();
    hosts.join(", ")
}

/// The server, for people.
fn place(params: &Params) -> String {
    format!("the server at {}", bare(params))
}

/// Where it is.
fn bare(params: &Params) -> String {
    let places: Vec<String> = params
        .hosts()
        .iter()
        .map(|(host, port)| {
            if host.starts_with('/') {
                format!("{host}/.s.PGSQL.{port}")
            } else if host.contains(':') {
                format!("[{host}]:{port}")
            } else {
                format!("{host}:{port}")
            }
        })
        .collect();
    places.join(", ")
}
