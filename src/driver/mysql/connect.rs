//! Connecting: from the URL to an open session, or to words about why there is none.

use std::io;
use std::net::{TcpStream, ToSocketAddrs};
#[cfg(unix)]
use std::os::unix::net::UnixStream;
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};
use std::sync::mpsc::{self, RecvTimeoutError};
use std::time::{Duration, Instant};

use crate::code::Code;
use crate::dialect::Dialect as _;
use crate::dialect::mysql::{MYSQL, Mysql as Sql};
use crate::driver::mysql::fault::{self, Said, Trouble};
use crate::driver::mysql::hello::{self, Identity, Security};
use crate::driver::mysql::lock::Lock;
use crate::driver::mysql::params::{Mode, Params, Place};
use crate::driver::mysql::wire::{Stream, Wire};
use crate::driver::mysql::{COM_QUERY, Mysql};
use crate::driver::tls::{self, Roots, Verify};
use crate::driver::{Driver as _, DriverError, Failure, Opening, Whole};
use crate::error::{Error, Result};
use crate::shell;

/// The pause between two tries to reach a server that is starting.
const PAUSE: Duration = Duration::from_millis(200);
/// The pause between two looks whether a wait is to end.
const LOOK: Duration = Duration::from_millis(50);
/// How long the other side may be silent before the system asks whether it is there: a connection that a firewall
/// forgot would keep this process waiting for ever.
const SILENT: Duration = Duration::from_secs(60);

/// Opens a session on the server of a URL `mysql://…`, completed from the environment as the clients do.
///
/// # Errors
/// The `connect::…` codes, in words that show no password; `config::url` for parameters that are wrong.
pub fn connect(url: &str, dialect: &'static Sql, opening: Opening<'_>) -> Result<Mysql> {
    let params = Params::new(url, opening)?;
    let opener = Opener::new(&params)?;
    reached(opener, &params, dialect, opening)
}

/// Opens a session, and tries again while the server may come.
fn reached(opener: Opener, params: &Params, dialect: &'static Sql, opening: Opening<'_>) -> Result<Mysql> {
    let opener = Arc::new(opener);
    let started = Instant::now();
    loop {
        let trouble = match opener.open_unless(opening.cancelled) {
            Ok((wire, id)) => return prepared(Mysql::new(wire, id, dialect, opener)),
            Err(trouble) => trouble,
        };
        if opening.cancelled.load(Ordering::Relaxed) {
            return Err(Error::new(Code::Interrupted, "interrupted"));
        }
        let starting = is_starting(&trouble);
        let waited = started.elapsed();
        if !starting || waited >= opening.wait {
            let error = opener.not_connected(trouble, params);
            return Err(if opening.wait.is_zero() || !starting {
                error
            } else {
                error.cause(format!("waited for {:.0} s", waited.as_secs_f64()))
            });
        }
        std::thread::sleep(PAUSE);
    }
}

fn prepared(mut session: Mysql) -> Result<Mysql> {
    session
        .ready()
        .map_err(|error| Error::new(Code::Connect, "the session cannot be prepared").cause(error.message))?;
    Ok(session)
}

/// Creates or drops the database that a URL leads to, over a session that is in none. Returns its name, and whether
/// anything was done; or whether it is there.
///
/// # Errors
/// The `connect::…` codes, and `database::failed` with the server's words.
pub(crate) fn whole(url: &str, opening: Opening<'_>, what: Whole) -> Result<(String, bool)> {
    let params = Params::new(url, opening)?;
    let name = params.get("database").unwrap_or_default().to_owned();
    let mut opener = Opener::new(&params)?;
    opener.identity.database.clear();
    let mut session = reached(opener, &params, &MYSQL, opening)?;
    let exists = format!(
        "SELECT 1 FROM information_schema.schemata WHERE schema_name = {}",
        MYSQL.literal(&name)
    );
    let found = session
        .query(&exists)
        .map_err(|error| failed(&name, "looked for", error))?;
    let is_there = !found.is_empty();
    let database = MYSQL.ident(&name);
    let (sql, words) = match what {
        Whole::IsThere => return Ok((name, is_there)),
        Whole::Create if is_there => return Ok((name, false)),
        Whole::Drop { .. } if !is_there => return Ok((name, false)),
        Whole::Create => (format!("CREATE DATABASE {database} CHARACTER SET utf8mb4"), "created"),
        // The sessions of others do not stand in the way.
        Whole::Drop { .. } => (format!("DROP DATABASE {database}"), "dropped"),
    };
    session.execute(&sql).map_err(|error| failed(&name, words, error))?;
    Ok((name, true))
}

fn failed(name: &str, what: &str, error: DriverError) -> Error {
    let failed = Error::new(Code::Database, format!("database `{name}` could not be {what}")).cause(error.message);
    error.remarks.details.into_iter().fold(failed, Error::cause)
}

/// What opens a session, and opens it again.
#[derive(Clone)]
pub(super) struct Opener {
    place: Place,
    pub(super) identity: Identity,
    security: Security,
    timeout: Option<Duration>,
}

impl Opener {
    /// What opens a session in another database of the same server.
    pub(super) fn beside(&self, database: &str) -> Self {
        Self {
            place: self.place.clone(),
            identity: Identity {
                database: database.to_owned(),
                ..self.identity.clone()
            },
            security: self.security.clone(),
            timeout: self.timeout,
        }
    }

    fn new(params: &Params) -> Result<Self> {
        let place = params.place()?;
        let text = |name: &str| params.get(name).unwrap_or_default().to_owned();
        Ok(Self {
            security: security(params, &place)?,
            place,
            identity: Identity {
                user: text("user"),
                password: text("password"),
                database: text("database"),
            },
            timeout: params.timeout()?,
        })
    }

    /// Connects and logs in.
    pub(super) fn open(&self) -> std::result::Result<(Wire, u32), Trouble> {
        self.open_unless(&AtomicBool::new(false))
    }

    /// Likewise, on a thread of its own, since none of what it waits for can be interrupted: the name of the host, the
    /// connection, and every answer.
    fn open_unless(&self, cancelled: &AtomicBool) -> std::result::Result<(Wire, u32), Trouble> {
        let (sender, receiver) = mpsc::channel();
        let opener = self.clone();
        let started = Instant::now();
        std::thread::Builder::new().spawn(move || {
            // Where nobody waits any more, the connection ends here.
            let _ = sender.send(opener.log_in());
        })?;
        loop {
            match receiver.recv_timeout(LOOK) {
                Ok(done) => return done,
                Err(RecvTimeoutError::Disconnected) => {
                    return Err(Trouble::Strange("what it said could not be read".to_owned()));
                }
                Err(RecvTimeoutError::Timeout) => {}
            }
            if cancelled.load(Ordering::Relaxed) {
                return Err(Trouble::Stopped);
            }
            if let Some(longest) = self.timeout.filter(|longest| started.elapsed() >= *longest) {
                return Err(Trouble::Silent(longest));
            }
        }
    }

    fn log_in(&self) -> std::result::Result<(Wire, u32), Trouble> {
        let stream = match &self.place {
            Place::Host(host, port) => Stream::Tcp(self.reach(host, *port)?),
            #[cfg(unix)]
            Place::Socket(path) => Stream::Unix(UnixStream::connect(path)?),
            #[cfg(not(unix))]
            Place::Socket(_) => return Err(Trouble::Strange("there are no such sockets here".to_owned())),
        };
        if let Stream::Tcp(tcp) = &stream {
            // Whoever waits has gone by then; this ends the thread.
            tcp.set_read_timeout(self.timeout.map(|longest| longest * 2))?;
        }
        let (wire, id) = hello::greet(stream, &self.identity, &self.security)?;
        wire.patience(None)?;
        Ok((wire, id))
    }

    fn reach(&self, host: &str, port: u16) -> io::Result<TcpStream> {
        let mut failed = None;
        for address in (host, port).to_socket_addrs()? {
            let reached = match self.timeout {
                Some(timeout) => TcpStream::connect_timeout(&address, timeout),
                None => TcpStream::connect(address),
            };
            match reached {
                Ok(stream) => {
                    stream.set_nodelay(true)?;
                    let asks = socket2::TcpKeepalive::new().with_time(SILENT).with_interval(SILENT / 4);
                    socket2::SockRef::from(&stream).set_tcp_keepalive(&asks)?;
                    return Ok(stream);
                }
                Err(error) => failed = Some(error),
            }
        }
        Err(failed.unwrap_or_else(|| io::Error::other("the host has no address")))
    }

    /// Stops the statement that another connection runs.
    pub(super) fn kill(&self, id: u32) -> std::result::Result<(), Trouble> {
        let (mut wire, _) = self.open()?;
        wire.command(COM_QUERY, format!("KILL QUERY {id}").as_bytes());
        wire.send()?;
        wire.read()?;
        Ok(())
    }

    fn not_connected(&self, trouble: Trouble, params: &Params) -> Error {
        let place = format!("the server at {}", self.place);
        let user = &self.identity.user;
        match trouble {
            Trouble::Said(said) => self.refused(&said, &place, params),
            Trouble::Io(error) => self.unreachable(&error, &place),
            Trouble::Tls(error) => {
                let words = error.to_string();
                let help = tls::advice(&words, "ssl-ca", "ssl-mode");
                secure(&place)
                    .cause(words)
                    .help(help.unwrap_or_else(|| "check ssl-mode, ssl-ca, ssl-cert and ssl-key".to_owned()))
            }
            Trouble::NoTls => secure(&place)
                .cause("the server does not support TLS")
                .help("turn TLS on at the server, or use ssl-mode=disabled where the network is safe"),
            Trouble::Open => authentication(format!("{place} wants to see the password of user `{user}` itself"))
                .cause("the connection is not secure, so it was not sent")
                .help("use ssl-mode=required, or the server's socket"),
            Trouble::Plugin(plugin) => authentication(format!("{place} wants a way to log in that is not known here"))
                .cause(format!("it is called `{plugin}`"))
                .help(format!(
                    "let user `{user}` log in by mysql_native_password, caching_sha2_password or unix_socket"
                )),
            Trouble::Silent(longest) => Error::new(Code::Connect, format!("{place} does not answer"))
                .cause(fault::no_answer(longest))
                .help("check host and port; the parameter connect-timeout=SECONDS waits longer"),
            Trouble::Stopped => Error::new(Code::Interrupted, "interrupted"),
            Trouble::Strange(words) => Error::new(Code::Connect, format!("{place} is no MySQL or MariaDB server"))
                .cause(words)
                .help("check host and port"),
        }
    }

    fn refused(&self, said: &Said, place: &str, params: &Params) -> Error {
        let Identity { user, database, .. } = &self.identity;
        let error = match said.code {
            1049 => Error::new(
                Code::ConnectNoDatabase,
                format!("there is no database `{database}` on {place}"),
            )
            .help("create it, with the same options: sqlrev create"),
            1044 => authentication(format!("{place} does not let user `{user}` use database `{database}`"))
                .help("check the name of the database, and the user's rights: GRANT ALL ON … TO …"),
            1045 | 1698 if params.get("password").is_some() => {
                authentication(format!("{place} does not accept the password of user `{user}`"))
                    .help("check the password in the URL, MYSQL_PWD or ~/.my.cnf")
            }
            1045 | 1698 => {
                let error = authentication(format!("{place} does not let user `{user}` in without a password"));
                match &params.open_file {
                    Some(file) => error
                        .cause(format!("`{}` has one, but others may read that file", file.display()))
                        .help(format!("chmod 0600 {}", shell::word(file.display()))),
                    None => error.help("give one: in the URL, MYSQL_PWD=… or [client] in ~/.my.cnf"),
                }
            }
            1130 | 1129 => authentication(format!("{place} does not let this machine in"))
                .help("check the host in the user's account: CREATE USER 'name'@'host'"),
            1040 => Error::new(Code::ConnectRefused, format!("{place} has no connection left"))
                .help("--wait SECONDS waits for one"),
            1053 => {
                Error::new(Code::ConnectRefused, format!("{place} is not ready")).help("--wait SECONDS waits for it")
            }
            3159 | 4151 => secure(place).help("the server wants TLS: leave ssl-mode=disabled out"),
            _ => Error::new(Code::Connect, format!("{place} refused the connection"))
                .help("check the URL, and what the server's log says"),
        };
        error.cause(format!("{} (error {})", said.message, said.code))
    }

    fn unreachable(&self, error: &io::Error, place: &str) -> Error {
        let words = fault::words(error);
        let failed = match (&self.place, error.kind()) {
            (Place::Host(host, _), _) if is_unknown(error) => {
                Error::new(Code::ConnectUnknownHost, format!("the host `{host}` is not known"))
                    .help("check the host in the URL")
            }
            (_, io::ErrorKind::ConnectionRefused | io::ErrorKind::NotFound) => {
                Error::new(Code::ConnectRefused, format!("nothing listens at {}", self.place)).help(
                    "check host and port, and that the server runs; --wait SECONDS waits for one that is starting",
                )
            }
            _ => Error::new(Code::Connect, format!("{place} cannot be reached"))
                .help("check host and port, and the network between"),
        };
        failed.cause(words)
    }
}

fn secure(place: &str) -> Error {
    tls::failed(format!("there is no secure connection to {place}"))
}

fn authentication(message: String) -> Error {
    Error::new(Code::ConnectAuthentication, message)
}

/// Whether an error is about the name of a host.
fn is_unknown(error: &io::Error) -> bool {
    error.raw_os_error().is_none() && error.to_string().contains("lookup")
}

fn security(params: &Params, place: &Place) -> Result<Security> {
    let mode = params.mode()?;
    let Place::Host(host, _) = place else {
        // There is no TLS over a socket of this machine.
        return Ok(Security::Plain);
    };
    let verify = match mode {
        Mode::Disabled => return Ok(Security::Plain),
        Mode::Preferred | Mode::Required => Verify::Nothing,
        Mode::VerifyCa => Verify::Authority,
        Mode::VerifyIdentity => Verify::Host,
    };
    let file = params.file("ssl-ca");
    let roots = file.as_deref().map_or(Roots::System, Roots::File);
    let identity = match (params.file("ssl-cert"), params.file("ssl-key")) {
        (Some(certificate), Some(key)) => Some(tls::identity(&certificate, &key)?),
        (Some(_), None) => {
            return Err(tls::failed("there is no key for the client certificate").help("ssl-key=FILE names it"));
        }
        (None, _) => None,
    };
    let config = Arc::new(tls::config(verify, &roots, identity, rustls::ALL_VERSIONS)?);
    Ok(match mode {
        Mode::Preferred => Security::Wanted(config, host.clone()),
        _ => Security::Needed(config, host.clone()),
    })
}

/// Whether the server may answer in a moment.
fn is_starting(trouble: &Trouble) -> bool {
    match trouble {
        Trouble::Io(_) | Trouble::Silent(_) => true,
        Trouble::Said(said) => matches!(said.code, 1040 | 1053),
        _ => false,
    }
}

/// Why a lost session cannot be opened again, or not yet.
pub(super) fn not_back(trouble: Trouble, lock: &mut Lock) -> DriverError {
    let starting = is_starting(&trouble);
    let mut failed = fault::failed(trouble, "", 0..0, false);
    if starting {
        failed.failure = Failure::Busy;
        lock.holder = Some("the server, which is not back yet".to_owned());
        std::thread::sleep(PAUSE);
    }
    failed
}
