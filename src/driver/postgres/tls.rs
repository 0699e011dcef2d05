//! TLS by rustls, with libpq's meanings of `sslmode`.

use tokio_postgres::{CancelToken, NoTls};
use tokio_postgres_rustls::MakeRustlsConnect;

use crate::driver::postgres::link;
use crate::driver::postgres::params::{Params, wrong};
use crate::driver::tls::{self, Identity, Roots, Verify, failed};
use crate::error::Result;

/// `sslmode`: how much of TLS is asked for.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Mode {
    Disable,
    Allow,
    Prefer,
    Require,
    VerifyCa,
    VerifyFull,
}

impl Mode {
    /// The mode of the parameters. `sslrootcert=system` means the strictest one.
    pub(super) fn of(params: &Params) -> Result<Self> {
        let system = params.get("sslrootcert") == Some("system");
        Ok(match params.get("sslmode") {
            None if system => Self::VerifyFull,
            None if params.get("requiressl") == Some("1") => Self::Require,
            None | Some("prefer") => Self::Prefer,
            Some("disable") => Self::Disable,
            Some("allow") => Self::Allow,
            Some("require") => Self::Require,
            Some("verify-ca") => Self::VerifyCa,
            Some("verify-full") => Self::VerifyFull,
            Some(other) => {
                return Err(wrong(format!("`sslmode={other}` is not a mode"))
                    .help("the modes are disable, allow, prefer, require, verify-ca and verify-full"));
            }
        })
    }
}

/// What stops a running statement: a connection of its own that speaks as the first one does.
pub(super) struct Canceller {
    pub(super) token: CancelToken,
    pub(super) connector: Option<MakeRustlsConnect>,
}

impl Canceller {
    pub(super) fn cancel(&self) {
        let runtime = link::runtime();
        // Where the server cannot be reached any more, there is nothing to stop.
        let _ = match &self.connector {
            Some(tls) => link::wait(&runtime, self.token.cancel_query(tls.clone())),
            None => link::wait(&runtime, self.token.cancel_query(NoTls)),
        };
        runtime.shutdown_background();
    }
}

/// The connector for a mode other than `disable`.
pub(super) fn connector(params: &Params, mode: Mode) -> Result<MakeRustlsConnect> {
    let file = params.file("sslrootcert", ".postgresql/root.crt");
    let system = params.get("sslrootcert") == Some("system");
    let file = file.filter(|file| !system && file.exists());
    let verifies = matches!(mode, Mode::VerifyCa | Mode::VerifyFull);
    let (verify, roots) = match &file {
        _ if mode == Mode::VerifyFull && system => (Verify::Host, Roots::System),
        Some(file) if mode == Mode::VerifyFull => (Verify::Host, Roots::File(file)),
        Some(file) => (Verify::Authority, Roots::File(file)),
        None if verifies && system => (Verify::Authority, Roots::System),
        None if verifies => return Err(no_root(params)),
        None => (Verify::Nothing, Roots::System),
    };
    let versions: &[&rustls::SupportedProtocolVersion] = match params.get("ssl_min_protocol_version") {
        Some("TLSv1.3") => &[&rustls::version::TLS13],
        _ if params.get("ssl_max_protocol_version") == Some("TLSv1.2") => &[&rustls::version::TLS12],
        _ => rustls::ALL_VERSIONS,
    };
    let mut config = tls::config(verify, &roots, client_certificate(params)?, versions)?;
    config.enable_sni = params.get("sslsni") != Some("0");
    if params.get("sslnegotiation") == Some("direct") {
        config.alpn_protocols = vec![b"postgresql".to_vec()];
    }
    Ok(MakeRustlsConnect::new(config))
}

fn no_root(params: &Params) -> crate::error::Error {
    let error = failed("there is no root certificate to verify the server with");
    if let Some(name) = params.get("sslrootcert") {
        return error
            .cause(format!("`{name}` is not there"))
            .help("sslrootcert=FILE names another file; sslrootcert=system takes those of this machine");
    }
    error
        .help("sslrootcert=FILE names one; sslrootcert=system takes those of this machine")
        .help("its usual place is ~/.postgresql/root.crt")
}

/// The certificate that says who the client is, when there is one.
fn client_certificate(params: &Params) -> Result<Option<Identity>> {
    let Some(file) = params.file("sslcert", ".postgresql/postgresql.crt") else {
        return Ok(None);
    };
    if !file.exists() {
        return match params.get("sslcert") {
            Some(_) => Err(failed(format!("there is no file `{}`", file.display()))),
            None => Ok(None),
        };
    }
    let key = params.file("sslkey", ".postgresql/postgresql.key");
    let Some(key) = key.filter(|key| key.exists()) else {
        return Err(failed("there is no key for the client certificate").help("sslkey=FILE names it"));
    };
    tls::identity(&file, &key).map(Some)
}
