//! TLS by rustls, with libpq's meanings of `sslmode`.

use std::path::Path;
use std::sync::Arc;

use rustls::client::WebPkiServerVerifier;
use rustls::client::danger::{HandshakeSignatureValid, ServerCertVerified, ServerCertVerifier};
use rustls::crypto::{CryptoProvider, ring, verify_tls12_signature, verify_tls13_signature};
use rustls::pki_types::pem::PemObject;
use rustls::pki_types::{CertificateDer, PrivateKeyDer, ServerName, UnixTime};
use rustls::{CertificateError, ClientConfig, DigitallySignedStruct, RootCertStore, SignatureScheme};
use tokio_postgres::{CancelToken, NoTls};
use tokio_postgres_rustls::MakeRustlsConnect;

use crate::code::Code;
use crate::driver::postgres::params::{Params, wrong};
use crate::driver::postgres::{files, link};
use crate::error::{Error, Result};

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
    let provider = Arc::new(ring::default_provider());
    let verifier = verifier(params, mode, &provider)?;
    let versions: &[&rustls::SupportedProtocolVersion] = match params.get("ssl_min_protocol_version") {
        Some("TLSv1.3") => &[&rustls::version::TLS13],
        _ if params.get("ssl_max_protocol_version") == Some("TLSv1.2") => &[&rustls::version::TLS12],
        _ => rustls::ALL_VERSIONS,
    };
    let builder = ClientConfig::builder_with_provider(provider)
        .with_protocol_versions(versions)
        .map_err(|error| failed("TLS cannot be set up").cause(error.to_string()))?
        .dangerous()
        .with_custom_certificate_verifier(verifier);
    let mut config = match client_certificate(params)? {
        Some((chain, key)) => builder.with_client_auth_cert(chain, key).map_err(|error| {
            failed("the client certificate and its key do not go together").cause(error.to_string())
        })?,
        None => builder.with_no_client_auth(),
    };
    config.enable_sni = params.get("sslsni") != Some("0");
    if params.get("sslnegotiation") == Some("direct") {
        config.alpn_protocols = vec![b"postgresql".to_vec()];
    }
    Ok(MakeRustlsConnect::new(config))
}

fn failed(message: impl Into<String>) -> Error {
    Error::new(Code::ConnectTls, message)
}

fn verifier(params: &Params, mode: Mode, provider: &Arc<CryptoProvider>) -> Result<Arc<dyn ServerCertVerifier>> {
    let file = params.file("sslrootcert", ".postgresql/root.crt");
    let system = params.get("sslrootcert") == Some("system");
    let file = file.filter(|_| !system);
    let there = file.as_deref().is_some_and(Path::exists);
    let verifies = matches!(mode, Mode::VerifyCa | Mode::VerifyFull);
    if !verifies && !there {
        return Ok(Arc::new(Lenient {
            inner: None,
            provider: provider.clone(),
        }));
    }
    let mut roots = RootCertStore::empty();
    if system {
        roots.add_parsable_certificates(rustls_native_certs::load_native_certs().certs);
    } else if let Some(file) = file.filter(|_| there) {
        for certificate in certificates(&file)? {
            roots.add(certificate).map_err(|error| {
                failed(format!("`{}` holds a certificate that cannot be read", file.display())).cause(error.to_string())
            })?;
        }
    } else {
        return Err(failed("there is no root certificate to verify the server with")
            .help("sslrootcert=FILE names one; sslrootcert=system takes those of this machine")
            .help("its usual place is ~/.postgresql/root.crt"));
    }
    let inner = WebPkiServerVerifier::builder_with_provider(Arc::new(roots), provider.clone())
        .build()
        .map_err(|error| failed("the root certificates cannot be used").cause(error.to_string()))?;
    if mode == Mode::VerifyFull {
        return Ok(inner);
    }
    Ok(Arc::new(Lenient {
        inner: Some(inner),
        provider: provider.clone(),
    }))
}

fn certificates(file: &Path) -> Result<Vec<CertificateDer<'static>>> {
    let unreadable = |why: String| failed(format!("`{}` cannot be read", file.display())).cause(why);
    let bytes = files::read(file).map_err(|error| unreadable(error.to_string()))?;
    let found: std::result::Result<Vec<_>, _> = CertificateDer::pem_slice_iter(&bytes).collect();
    match found {
        Ok(found) if !found.is_empty() => Ok(found),
        Ok(_) => Err(unreadable("it holds no certificate".to_owned())),
        Err(error) => Err(unreadable(error.to_string())),
    }
}

type Identity = (Vec<CertificateDer<'static>>, PrivateKeyDer<'static>);

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
    let chain = certificates(&file)?;
    let key = params.file("sslkey", ".postgresql/postgresql.key");
    let Some(key) = key.filter(|key| key.exists()) else {
        return Err(failed("there is no key for the client certificate").help("sslkey=FILE names it"));
    };
    if files::is_open_to_others(&key, true) {
        return Err(failed(format!("others can read the key `{}`", key.display()))
            .help(format!("chmod 0600 {}", key.display())));
    }
    let unreadable = |why: String| failed(format!("the key `{}` cannot be read", key.display())).cause(why);
    let bytes = files::read(&key).map_err(|error| unreadable(error.to_string()))?;
    let found = PrivateKeyDer::from_pem_slice(&bytes).map_err(|error| unreadable(error.to_string()))?;
    Ok(Some((chain, found)))
}

/// Verifies less than rustls would: no host's name, and without roots nothing but that the server has its key.
#[derive(Debug)]
struct Lenient {
    inner: Option<Arc<WebPkiServerVerifier>>,
    provider: Arc<CryptoProvider>,
}

impl ServerCertVerifier for Lenient {
    fn verify_server_cert(
        &self,
        certificate: &CertificateDer<'_>,
        intermediates: &[CertificateDer<'_>],
        name: &ServerName<'_>,
        ocsp: &[u8],
        now: UnixTime,
    ) -> std::result::Result<ServerCertVerified, rustls::Error> {
        let Some(inner) = &self.inner else {
            return Ok(ServerCertVerified::assertion());
        };
        match inner.verify_server_cert(certificate, intermediates, name, ocsp, now) {
            Err(rustls::Error::InvalidCertificate(
                CertificateError::NotValidForName | CertificateError::NotValidForNameContext { .. },
            )) => Ok(ServerCertVerified::assertion()),
            verified => verified,
        }
    }

    fn verify_tls12_signature(
        &self,
        message: &[u8],
        certificate: &CertificateDer<'_>,
        signed: &DigitallySignedStruct,
    ) -> std::result::Result<HandshakeSignatureValid, rustls::Error> {
        verify_tls12_signature(
            message,
            certificate,
            signed,
            &self.provider.signature_verification_algorithms,
        )
    }

    fn verify_tls13_signature(
        &self,
        message: &[u8],
        certificate: &CertificateDer<'_>,
        signed: &DigitallySignedStruct,
    ) -> std::result::Result<HandshakeSignatureValid, rustls::Error> {
        verify_tls13_signature(
            message,
            certificate,
            signed,
            &self.provider.signature_verification_algorithms,
        )
    }

    fn supported_verify_schemes(&self) -> Vec<SignatureScheme> {
        self.provider.signature_verification_algorithms.supported_schemes()
    }
}
