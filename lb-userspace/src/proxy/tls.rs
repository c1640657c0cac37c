//! TLS towards clients: which certificate for which name, read from files and read again when they change.
//!
//! A certificate serves the names that it is made out to, wildcards included. Who asks for another name, or
//! for none, gets the first certificate or is refused, as the configuration says. A change of the files that
//! cannot be used is told and otherwise ignored: what works goes on.

mod originate;
#[cfg(test)]
mod tests;

use std::{collections::HashMap, path::PathBuf, sync::Arc};

use rustls::{
    ServerConfig,
    crypto::{CryptoProvider, aws_lc_rs},
    pki_types::CertificateDer,
    server::{ClientHello, ResolvesServerCert, WebPkiClientVerifier},
    sign::CertifiedKey,
    version::{TLS12, TLS13},
};

pub(super) use self::originate::Originator;
use super::stamp::{Stamp, stamp};
pub use crate::tls::TlsError;
use crate::{
    model::listener::{ClientCertificate, Tls, TlsVersion},
    tls::{certified, trusted},
};

/// TLS of a listener, ready to be used, and what it was made from.
#[derive(Debug)]
pub(super) struct Terminator {
    pub(super) config: Arc<ServerConfig>,
    settings: Tls,
    files: Vec<(PathBuf, Stamp)>,
}

impl Terminator {
    /// Reads the files. `h2` is whether clients are offered HTTP/2.
    pub(super) fn new(settings: &Tls) -> Result<Self, TlsError> {
        let files = files(settings);
        let provider = Arc::new(aws_lc_rs::default_provider());
        let certificates = Certificates::read(settings, &provider)?;
        let versions: &[_] = match settings.least {
            TlsVersion::Tls12 => &[&TLS13, &TLS12],
            TlsVersion::Tls13 => &[&TLS13],
        };
        let setup = |reason: String| TlsError::Setup { reason };
        let builder = ServerConfig::builder_with_provider(Arc::clone(&provider))
            .with_protocol_versions(versions)
            .map_err(|error| setup(error.to_string()))?;
        let builder = match &settings.client_ca {
            None => builder.with_no_client_auth(),
            Some(path) => {
                let roots = Arc::new(trusted(path)?);
                let verifier = WebPkiClientVerifier::builder_with_provider(roots, provider);
                let verifier = match settings.client_certificate {
                    ClientCertificate::Required => verifier,
                    ClientCertificate::Optional => verifier.allow_unauthenticated(),
                };
                let verifier = verifier.build().map_err(|error| setup(error.to_string()))?;
                builder.with_client_cert_verifier(verifier)
            }
        };
        let mut config = builder.with_cert_resolver(Arc::new(certificates));
        config.alpn_protocols = vec![b"h2".to_vec(), b"http/1.1".to_vec()];
        // Keys of tickets are changed every few hours by themselves.
        config.ticketer = aws_lc_rs::Ticketer::new().map_err(|error| setup(error.to_string()))?;
        Ok(Self { config: Arc::new(config), settings: settings.clone(), files })
    }

    /// Whether it was made from these settings.
    pub(super) fn is_of(&self, settings: &Tls) -> bool {
        self.settings == *settings
    }

    /// Its successor, if the files have changed. If they cannot be used, the reason, and the same with what they
    /// looked like before they were read: they are not tried again until they change again. Key and certificate are
    /// replaced one after the other, so that they often change while they are read.
    pub(super) fn reload(&self) -> Option<Result<Self, (TlsError, Self)>> {
        let files = files(&self.settings);
        if files == self.files {
            return None;
        }
        let same = |error| {
            let (config, settings) = (Arc::clone(&self.config), self.settings.clone());
            (error, Self { config, settings, files })
        };
        Some(Self::new(&self.settings).map_err(same))
    }
}

fn files(settings: &Tls) -> Vec<(PathBuf, Stamp)> {
    let pairs = settings.certificates.iter();
    let paths = pairs.flat_map(|pair| [&pair.certificate, &pair.key]).chain(&settings.client_ca);
    paths.map(|path| (path.clone(), stamp(path))).collect()
}

/// Certificates by name.
#[derive(Debug)]
struct Certificates {
    exact: HashMap<String, Arc<CertifiedKey>>,
    /// By what stands behind `*.`.
    wildcard: HashMap<String, Arc<CertifiedKey>>,
    /// For other names, and for clients that give none.
    other: Option<Arc<CertifiedKey>>,
}

impl Certificates {
    fn read(settings: &Tls, provider: &CryptoProvider) -> Result<Self, TlsError> {
        let (mut exact, mut wildcard) = (HashMap::new(), HashMap::new());
        let mut first = None;
        for pair in &settings.certificates {
            let certified = Arc::new(certified(&pair.certificate, &pair.key, provider)?);
            let names = names(&certified.cert)
                .map_err(|reason| TlsError::File { path: pair.certificate.clone(), reason })?;
            for name in names {
                let (names, name) = match name.strip_prefix("*.") {
                    Some(name) => (&mut wildcard, name.to_owned()),
                    None => (&mut exact, name),
                };
                names.entry(name).or_insert_with(|| Arc::clone(&certified));
            }
            first.get_or_insert(certified);
        }
        let other = first.filter(|_| !settings.refuses_unknown);
        Ok(Self { exact, wildcard, other })
    }

    fn of(&self, name: Option<&str>) -> Option<&Arc<CertifiedKey>> {
        let named = name.and_then(|name| {
            let name = name.to_ascii_lowercase();
            let below = || self.wildcard.get(name.split_once('.')?.1);
            self.exact.get(&name).or_else(below)
        });
        named.or(self.other.as_ref())
    }
}

/// The names that a certificate is made out to.
fn names(chain: &[CertificateDer<'_>]) -> Result<Vec<String>, String> {
    let first = chain.first().ok_or("it holds no certificate")?;
    let certificate = webpki::EndEntityCert::try_from(first).map_err(|error| error.to_string())?;
    Ok(certificate.valid_dns_names().map(str::to_ascii_lowercase).collect())
}

impl ResolvesServerCert for Certificates {
    fn resolve(&self, hello: ClientHello<'_>) -> Option<Arc<CertifiedKey>> {
        self.of(hello.server_name()).cloned()
    }
}
