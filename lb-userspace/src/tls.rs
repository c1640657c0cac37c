//! What TLS of health checks and of the proxy have in common: certificates from files, and doing without.

use std::{
    path::{Path, PathBuf},
    sync::Arc,
};

use rustls::{
    DigitallySignedStruct, InconsistentKeys, RootCertStore, SignatureScheme,
    client::danger::{HandshakeSignatureValid, ServerCertVerified, ServerCertVerifier},
    crypto::CryptoProvider,
    pki_types::{
        CertificateDer, PrivateKeyDer, ServerName, UnixTime,
        pem::{self, PemObject},
    },
    sign::CertifiedKey,
};
use thiserror::Error;

/// Why TLS cannot be what a configuration asks for.
#[derive(Debug, Error)]
pub enum TlsError {
    /// A file.
    #[error("{} cannot be used: {reason}; give a PEM file that the daemon can read", path.display())]
    File {
        /// Which.
        path: PathBuf,
        /// What is wrong with it.
        reason: String,
    },
    /// Certificate and key do not belong together.
    #[error("{} is not the key of {}; give the key that the certificate was made for", key.display(), certificate.display())]
    Mismatch {
        /// The key.
        key: PathBuf,
        /// The certificate.
        certificate: PathBuf,
    },
    /// Something else.
    #[error("TLS cannot be set up: {reason}; see the settings of `tls`")]
    Setup {
        /// The reason.
        reason: String,
    },
}

impl TlsError {
    fn of(path: &Path, reason: &impl ToString) -> Self {
        Self::File { path: path.to_owned(), reason: reason.to_string() }
    }
}

/// A certificate with all that lead to its root, and its key.
pub(crate) fn certified(
    certificate: &Path,
    key: &Path,
    provider: &CryptoProvider,
) -> Result<CertifiedKey, TlsError> {
    let chain = chain(certificate).map_err(|reason| TlsError::of(certificate, &reason))?;
    let secret = PrivateKeyDer::from_pem_file(key).map_err(|error| {
        TlsError::of(key, &why(&error, "private key, or one that needs a passphrase"))
    })?;
    CertifiedKey::from_der(chain, secret, provider).map_err(|error| match error {
        rustls::Error::InconsistentKeys(InconsistentKeys::KeyMismatch) => {
            TlsError::Mismatch { key: key.to_owned(), certificate: certificate.to_owned() }
        }
        rustls::Error::InvalidCertificate(_) => TlsError::of(certificate, &error),
        _ => TlsError::of(key, &error),
    })
}

/// Certificates of a PEM file, as whom to trust.
pub(crate) fn trusted(path: &Path) -> Result<RootCertStore, TlsError> {
    roots(path).map_err(|reason| TlsError::of(path, &reason))
}

/// What is wrong with a PEM file that should hold something.
fn why(error: &pem::Error, what: &str) -> String {
    match error {
        pem::Error::Io(error) => error.to_string(),
        pem::Error::NoItemsFound => format!("it holds no {what}"),
        other => format!("it is damaged: {other}"),
    }
}

/// The certificates of a PEM file. An error says what is wrong with it, but not which it is.
pub(crate) fn chain(path: &Path) -> Result<Vec<CertificateDer<'static>>, String> {
    let wrong = |error: pem::Error| why(&error, "certificate");
    let read = CertificateDer::pem_file_iter(path).map_err(wrong)?;
    let chain: Vec<_> = read.collect::<Result<_, _>>().map_err(wrong)?;
    if chain.is_empty() { Err("it holds no certificate".to_owned()) } else { Ok(chain) }
}

/// The certificates of a PEM file, as whom to trust.
pub(crate) fn roots(path: &Path) -> Result<RootCertStore, String> {
    let mut roots = RootCertStore::empty();
    for certificate in chain(path)? {
        roots.add(certificate).map_err(|error| error.to_string())?;
    }
    Ok(roots)
}

/// Takes every certificate: without certificates to compare with, nobody can tell who a server is.
#[derive(Debug)]
pub(crate) struct AnyCertificate(pub(crate) Arc<CryptoProvider>);

impl ServerCertVerifier for AnyCertificate {
    fn verify_server_cert(
        &self,
        _end_entity: &CertificateDer<'_>,
        _intermediates: &[CertificateDer<'_>],
        _server_name: &ServerName<'_>,
        _ocsp_response: &[u8],
        _now: UnixTime,
    ) -> Result<ServerCertVerified, rustls::Error> {
        Ok(ServerCertVerified::assertion())
    }

    fn verify_tls12_signature(
        &self,
        _message: &[u8],
        _cert: &CertificateDer<'_>,
        _dss: &DigitallySignedStruct,
    ) -> Result<HandshakeSignatureValid, rustls::Error> {
        Ok(HandshakeSignatureValid::assertion())
    }

    fn verify_tls13_signature(
        &self,
        _message: &[u8],
        _cert: &CertificateDer<'_>,
        _dss: &DigitallySignedStruct,
    ) -> Result<HandshakeSignatureValid, rustls::Error> {
        Ok(HandshakeSignatureValid::assertion())
    }

    fn supported_verify_schemes(&self) -> Vec<SignatureScheme> {
        self.0.signature_verification_algorithms.supported_schemes()
    }
}
