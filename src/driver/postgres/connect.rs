//! Connecting: from the URL to an open session, or to words about why there is none.

use std::sync::atomic::{AtomicBool, Ordering};
use std::time::{Duration, Instant};

use tokio_postgres::config::{ChannelBinding, LoadBalanceHosts, SslMode, SslNegotiation, TargetSessionAttrs};
use tokio_postgres::{Config, NoTls};
use tokio_postgres_rustls::MakeRustlsConnect;

use crate::code::Code;
use crate::driver::postgres::Postgres;
use crate::driver::postgres::link::{Link, Unopened, Wait};
use crate::driver::postgres::lock::Lock;
use crate::driver::postgres::params::{Params, discreet, wrong};
use crate::driver::postgres::schema;
use crate::driver::postgres::tls::{self, Canceller, Mode};
use crate::driver::postgres::unopened::{is_starting, not_connected};
use crate::driver::{DriverError, Failure, Opening};
use crate::error::{Error, Result};

/// The pause between two tries to reach a server that is starting.
const PAUSE: Duration = Duration::from_millis(200);
/// How long a server may take to let somebody in, unless `connect_timeout` says otherwise.
const ANSWER: Duration = Duration::from_secs(30);

/// Opens a session on the server of a URL `postgresql://…`, completed from the environment as libpq does.
///
/// # Errors
/// The `connect::…` codes, in words that show no password; `config::url` for parameters that are wrong.
pub fn connect(url: &str, opening: Opening<'_>) -> Result<Postgres> {
    let params = Params::new(url, opening)?;
    let mode = Mode::of(&params).map_err(|error| discreet(url, error))?;
    let config = config(&params).map_err(|error| discreet(url, error))?;
    let sockets = params.hosts().iter().all(|(host, _)| host.starts_with('/'));
    let connector = match mode {
        // As for libpq, there is no TLS over a socket of this machine.
        _ if sockets => None,
        Mode::Disable => None,
        _ => Some(tls::connector(&params, mode)?),
    };
    let mut opener = Opener {
        config,
        mode,
        connector,
        secured: false,
        schemas: Vec::new(),
        longest: longest(&params).map_err(|error| discreet(url, error))?,
    };
    opener.works_in(&params.schemas);
    let started = Instant::now();
    loop {
        let error = match opener.open_unless(opening.cancelled) {
            Ok(link) if !link.standard_strings => return Err(other_texts()),
            Ok(link) => {
                let mut session = Postgres::new(link, opener);
                return match session.is_in_its_schema() {
                    Ok(()) => Ok(session),
                    Err(error) => Err(schema::not_there(error)),
                };
            }
            Err(error) => error,
        };
        if opening.cancelled.load(Ordering::Relaxed) {
            return Err(Error::new(Code::Interrupted, "interrupted"));
        }
        let may_come = is_starting(&error) && started.elapsed() < opening.wait;
        if !may_come {
            return Err(not_connected(&error, &params, started.elapsed(), opening));
        }
        std::thread::sleep(PAUSE);
    }
}

/// Where a backslash in a plain text begins an escape, statements end elsewhere than they are cut.
fn other_texts() -> Error {
    Error::new(
        Code::Connect,
        "`standard_conforming_strings` is off, and this connection cannot switch it on",
    )
    .help("a pooler in between takes no options: connect to the server itself; or switch it on for the role")
}

/// What opens a session, and opens it again.
pub(super) struct Opener {
    config: Config,
    mode: Mode,
    connector: Option<MakeRustlsConnect>,
    /// Whether the last one that it opened goes over TLS.
    secured: bool,
    /// The schemas that a session works in.
    pub(super) schemas: Vec<String>,
    /// How long the server may take.
    longest: Option<Duration>,
}

impl Opener {
    /// The same place, for a session of another name.
    pub(super) fn renamed(&self, name: &str) -> Self {
        let mut opener = self.again();
        opener.config.application_name(name);
        opener
    }

    /// The same server, for another database.
    pub(super) fn beside(&self, database: &str) -> Self {
        let mut opener = self.again();
        opener.config.dbname(database);
        opener
    }

    /// Lets the sessions that it opens work in these schemas.
    pub(super) fn works_in(&mut self, schemas: &[String]) {
        if let Some(option) = schema::option(schemas) {
            self.adds(&option);
        }
        self.schemas = schemas.to_vec();
    }

    /// Adds an option of the server; what RESET ALL leads back to.
    fn adds(&mut self, option: &str) {
        let options = self.config.get_options().unwrap_or_default();
        let options = format!("{options} {option}");
        self.config.options(options.trim_start());
    }

    fn again(&self) -> Self {
        Self {
            config: self.config.clone(),
            mode: self.mode,
            connector: self.connector.clone(),
            secured: self.secured,
            schemas: self.schemas.clone(),
            longest: self.longest,
        }
    }

    pub(super) fn open(&mut self) -> std::result::Result<Link, Unopened> {
        self.open_unless(&AtomicBool::new(false))
    }

    fn open_unless(&mut self, cancelled: &AtomicBool) -> std::result::Result<Link, Unopened> {
        let limits = Wait {
            longest: self.longest,
            cancelled,
        };
        let (mut link, mut secured) = open(&self.config, self.mode, self.connector.as_ref(), limits)?;
        if !link.standard_strings {
            // Not asked for where it is so anyway: some poolers know no options.
            self.adds("-c standard_conforming_strings=on");
            (link, secured) = open(&self.config, self.mode, self.connector.as_ref(), limits)?;
        }
        self.secured = secured;
        let mut config = self.config.clone();
        config.ssl_mode(if secured { SslMode::Require } else { SslMode::Disable });
        link.watch_with(config, self.connector.clone().filter(|_| secured));
        Ok(link)
    }

    /// Whether one of the ports that it connects to is this one.
    pub(super) fn is_port(&self, port: &str) -> bool {
        self.config.get_ports().iter().any(|own| own.to_string() == port)
    }

    /// What stops the statement that runs on a link.
    pub(super) fn canceller(&self, link: &Link) -> Canceller {
        Canceller {
            token: link.client().cancel_token(),
            connector: self.connector.clone().filter(|_| self.secured),
        }
    }
}

/// Why a lost session cannot be opened again, or not yet.
pub(super) fn not_back(error: &Unopened, lock: &mut Lock) -> DriverError {
    let mut failed = error.failed();
    if is_starting(error) {
        failed.failure = Failure::Busy;
        lock.holder = Some("the server, which is not back yet".to_owned());
        std::thread::sleep(PAUSE);
    }
    failed
}

/// Tries once; `allow` tries without TLS first, `prefer` without it at last.
fn open(
    config: &Config,
    mode: Mode,
    connector: Option<&MakeRustlsConnect>,
    limits: Wait<'_>,
) -> std::result::Result<(Link, bool), Unopened> {
    let plain = || {
        let mut config = config.clone();
        config.ssl_mode(SslMode::Disable);
        Link::open(&config, NoTls, limits).map(|link| (link, false))
    };
    let Some(connector) = connector else { return plain() };
    let secure = |ssl_mode| {
        let mut config = config.clone();
        config.ssl_mode(ssl_mode);
        Link::open(&config, connector.clone(), limits).map(|link| (link, true))
    };
    match mode {
        Mode::Allow => plain().or_else(|first| match first {
            Unopened::Failed(_) => secure(SslMode::Require).map_err(|_| first),
            _ => Err(first),
        }),
        Mode::Prefer => secure(SslMode::Prefer).or_else(|first| match &first {
            Unopened::Failed(error) if error.to_string().contains("TLS") => plain(),
            _ => Err(first),
        }),
        _ => secure(SslMode::Require),
    }
}

/// What a server may take to let somebody in, or all of several that are tried in turn.
fn longest(params: &Params) -> Result<Option<Duration>> {
    let hosts = u32::try_from(params.hosts().len()).unwrap_or(u32::MAX);
    let each = match params.number("connect_timeout")? {
        None => ANSWER,
        Some(0) => return Ok(None),
        Some(seconds) => Duration::from_secs(seconds.max(2)),
    };
    Ok(Some(each.saturating_mul(hosts)))
}

fn config(params: &Params) -> Result<Config> {
    let mut config = Config::new();
    let text = |name: &str| params.get(name);
    config.user(text("user").unwrap_or_default());
    config.dbname(text("dbname").unwrap_or_default());
    if let Some(password) = text("password") {
        config.password(password);
    }
    for (host, port) in params.hosts() {
        config.host(host);
        config.port(port.parse().map_err(|_| no_port())?);
    }
    for address in text("hostaddr").into_iter().flat_map(|list| list.split(',')) {
        config.hostaddr(
            address
                .parse()
                .map_err(|_| wrong(format!("`{address}` is no address")))?,
        );
    }
    if let Some(options) = text("options") {
        config.options(options);
    }
    let name = text("application_name").or(text("fallback_application_name"));
    config.application_name(name.unwrap_or("sqlrev"));
    timeouts(params, &mut config)?;
    config.channel_binding(match text("channel_binding") {
        Some("disable") => ChannelBinding::Disable,
        Some("require") => ChannelBinding::Require,
        None | Some("prefer") => ChannelBinding::Prefer,
        Some(other) => return Err(unknown("channel_binding", other, "disable, prefer and require")),
    });
    config.target_session_attrs(match text("target_session_attrs") {
        None | Some("any" | "prefer-standby") => TargetSessionAttrs::Any,
        Some("read-write" | "primary") => TargetSessionAttrs::ReadWrite,
        Some("read-only" | "standby") => TargetSessionAttrs::ReadOnly,
        Some(other) => {
            return Err(unknown(
                "target_session_attrs",
                other,
                "any, read-write, read-only, primary and standby",
            ));
        }
    });
    if text("load_balance_hosts") == Some("random") {
        config.load_balance_hosts(LoadBalanceHosts::Random);
    }
    if text("sslnegotiation") == Some("direct") {
        config.ssl_negotiation(SslNegotiation::Direct);
    }
    if text("gssencmode") == Some("require") {
        return Err(wrong("`gssencmode=require` is not supported").help("sslmode=verify-full secures the connection"));
    }
    Ok(config)
}

/// What stands there is not shown: `user:password` without a host is read as a host and its port.
fn no_port() -> Error {
    wrong("the port is not a number up to 65535")
        .help("after a user and a password comes the host: postgresql://USER:PASSWORD@HOST/DATABASE")
        .help("where the URL has no port, it is that of PGPORT or of a service")
}

fn timeouts(params: &Params, config: &mut Config) -> Result<()> {
    let seconds = |name: &str| Ok::<_, Error>(params.number(name)?.filter(|n| *n > 0).map(Duration::from_secs));
    if let Some(timeout) = seconds("connect_timeout")? {
        config.connect_timeout(timeout.max(Duration::from_secs(2)));
    }
    if params.get("keepalives") == Some("0") {
        config.keepalives(false);
    }
    // A connection that a firewall forgot would keep the lock and this process waiting for two hours.
    config.keepalives_idle(seconds("keepalives_idle")?.unwrap_or(Duration::from_secs(60)));
    if let Some(interval) = seconds("keepalives_interval")? {
        config.keepalives_interval(interval);
    }
    if let Some(count) = params.number("keepalives_count")? {
        config.keepalives_retries(u32::try_from(count).unwrap_or(u32::MAX));
    }
    if let Some(timeout) = params.number("tcp_user_timeout")?.filter(|n| *n > 0) {
        config.tcp_user_timeout(Duration::from_millis(timeout));
    }
    Ok(())
}

fn unknown(name: &str, value: &str, known: &str) -> Error {
    wrong(format!("`{name}={value}` is not known")).help(format!("the values are {known}"))
}
