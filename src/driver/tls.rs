//! TLS by rustls, for every server: certificates, keys, and how much of a server's certificate is verified.

#![expect(
    clippy::disallowed_methods,
    reason = "where certificates stand is part of how a connection is made"
)]

use std::path::Path;
use std::sync::Arc;

use rustls::client::WebPkiServerVerifier;
use rustls::client::danger::{HandshakeSignatureValid, ServerCertVerified, ServerCertVerifier};
use rustls::crypto::{CryptoProvider, ring, verify_tls12_signature, verify_tls13_signature};
use rustls::pki_types::pem::PemObject;
use rustls::pki_types::{CertificateDer, PrivateKeyDer, ServerName, UnixTime};
use rustls::{
    CertificateError, ClientConfig, DigitallySignedStruct, RootCertStore, SignatureScheme, SupportedProtocolVersion,
};

use crate::code::Code;
use crate::error::{Error, Result};
use crate::shell;

/// How much of a server's certificate is verified.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Verify {
    /// That the server has the key of the certificate it shows.
    Nothing,
    /// That an authority signed it.
    Authority,
    /// That it is this host's as well.
    Host,
}

/// Whose signatures count.
pub(super) enum Roots<'p> {
    /// The system's authorities.
    System,
    /// Those of a file.
    File(&'p Path),
}

/// A certificate with those that lead to its authority, and its key.
pub(super) type Identity = (Vec<CertificateDer<'static>>, PrivateKeyDer<'static>);

/// What a client of a server is made of.
pub(super) fn config(
    verify: Verify,
    roots: &Roots<'_>,
    identity: Option<Identity>,
    versions: &[&'static SupportedProtocolVersion],
) -> Result<ClientConfig> {
    let provider = Arc::new(ring::default_provider());
    let verifier = verifier(verify, roots, &provider)?;
    let builder = ClientConfig::builder_with_provider(provider)
        .with_protocol_versions(versions)
        .map_err(|error| failed("TLS cannot be set up").cause(error.to_string()))?
        .dangerous()
        .with_custom_certificate_verifier(verifier);
    match identity {
        Some((chain, key)) => builder
            .with_client_auth_cert(chain, key)
            .map_err(|error| failed("the client certificate and its key do not go together").cause(error.to_string())),
        None => Ok(builder.with_no_client_auth()),
    }
}

/// An error about TLS.
pub(super) fn failed(message: impl Into<String>) -> Error {
    Error::new(Code::ConnectTls, message)
}

fn verifier(verify: Verify, roots: &Roots<'_>, provider: &Arc<CryptoProvider>) -> Result<Arc<dyn ServerCertVerifier>> {
    if verify == Verify::Nothing {
        return Ok(Arc::new(Lenient {
            inner: None,
            provider: provider.clone(),
        }));
    }
    let mut store = RootCertStore::empty();
    match roots {
        Roots::System => {
            store.add_parsable_certificates(rustls_native_certs::load_native_certs().certs);
        }
        Roots::File(file) => {
            for certificate in certificates(file)? {
                store.add(certificate).map_err(|error| {
                    failed(format!("`{}` holds a certificate that cannot be read", file.display()))
                        .cause(error.to_string())
                })?;
            }
        }
    }
    let inner = WebPkiServerVerifier::builder_with_provider(Arc::new(store), provider.clone())
        .build()
        .map_err(|error| failed("the root certificates cannot be used").cause(error.to_string()))?;
    if verify == Verify::Host {
        return Ok(inner);
    }
    Ok(Arc::new(Lenient {
        inner: Some(inner),
        provider: provider.clone(),
    }))
}

/// What to do about a certificate that was not accepted; `root` and `mode` are the parameters that say which are.
pub(super) fn advice(words: &str, root: &str, mode: &str) -> Option<String> {
    if words.contains("UnknownIssuer") {
        Some(format!(
            "the server's certificate is not signed by the root that was given: {root}=FILE names another one"
        ))
    } else if words.contains("not valid for name") || words.contains("NotValidForName") {
        Some(format!(
            "the certificate is for another host: connect by the name it has, or use {mode}=verify-ca"
        ))
    } else if words.contains("Expired") || words.contains("expired") {
        Some("the server's certificate has expired: renew it".to_owned())
    } else {
        None
    }
}

fn certificates(file: &Path) -> Result<Vec<CertificateDer<'static>>> {
    let unreadable = |why: String| failed(format!("`{}` cannot be read", file.display())).cause(why);
    let bytes = std::fs::read(file).map_err(|error| unreadable(error.to_string()))?;
    let found: std::result::Result<Vec<_>, _> = CertificateDer::pem_slice_iter(&bytes).collect();
    match found {
        Ok(found) if !found.is_empty() => Ok(found),
        Ok(_) => Err(unreadable("it holds no certificate".to_owned())),
        Err(error) => Err(unreadable(error.to_string())),
    }
}

/// The certificate that says who the client is, with its key, which is nobody else's matter.
pub(super) fn identity(certificate: &Path, key: &Path) -> Result<Identity> {
    let chain = certificates(certificate)?;
    if is_open_to_others(key, true) {
        return Err(failed(format!("others can read the key `{}`", key.display()))
            .help(format!("chmod 0600 {}", shell::word(key.display()))));
    }
    let unreadable = |why: String| failed(format!("the key `{}` cannot be read", key.display())).cause(why);
    let bytes = std::fs::read(key).map_err(|error| unreadable(error.to_string()))?;
    let found = PrivateKeyDer::from_pem_slice(&bytes).map_err(|error| unreadable(error.to_string()))?;
    Ok((chain, found))
}

/// Whether others than the owner may read the file; a key owned by root may be readable by a group, as for libpq.
#[cfg(unix)]
pub(super) fn is_open_to_others(path: &Path, group_of_root: bool) -> bool {
    use std::os::unix::fs::MetadataExt;

    let Ok(file) = std::fs::metadata(path) else {
        return false;
    };
    let shared = if group_of_root && file.uid() == 0 { 0o037 } else { 0o077 };
    file.mode() & shared != 0
}

#[cfg(not(unix))]
pub(super) fn is_open_to_others(_path: &Path, _group_of_root: bool) -> bool {
    false
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
