//! Certificates, signed by an authority that only the test knows, as files.

use std::{
    fs,
    path::{Path, PathBuf},
};

use anyhow::Result;
use rcgen::{
    BasicConstraints, CertificateParams, CertifiedIssuer, DnType, IsCa, KeyPair, SerialNumber,
};
use rustls::{RootCertStore, pki_types::CertificateDer};

/// Signs certificates.
pub(crate) struct Authority {
    issuer: CertifiedIssuer<'static, KeyPair>,
    directory: PathBuf,
}

impl Authority {
    /// One of its own, whose certificate is the file `NAME.pem`.
    pub(crate) fn new(directory: &Path, name: &str) -> Result<Self> {
        let mut params = CertificateParams::default();
        params.is_ca = IsCa::Ca(BasicConstraints::Unconstrained);
        params.distinguished_name.push(DnType::CommonName, name);
        let issuer = CertifiedIssuer::self_signed(params, KeyPair::generate()?)?;
        let authority = Self { issuer, directory: directory.to_owned() };
        fs::write(authority.file(&format!("{name}.pem")), authority.issuer.pem())?;
        Ok(authority)
    }

    /// Makes out a certificate to some names: the files `FILE.pem` and `FILE.key`. Who reads one of them meets
    /// the old or the new, and never a part.
    pub(crate) fn certify(&self, file: &str, names: &[&str], serial: u64) -> Result<()> {
        let names: Vec<_> = names.iter().map(|&name| name.to_owned()).collect();
        let mut params = CertificateParams::new(names)?;
        params.distinguished_name.push(DnType::CommonName, file);
        params.serial_number = Some(SerialNumber::from(serial));
        let key = KeyPair::generate()?;
        let certificate = params.signed_by(&key, &self.issuer)?;
        for (kind, text) in [("key", key.serialize_pem()), ("pem", certificate.pem())] {
            let path = self.directory.join(format!("{file}.{kind}"));
            fs::write(path.with_extension("new"), text)?;
            fs::rename(path.with_extension("new"), path)?;
        }
        Ok(())
    }

    /// The path of a file beside the certificates.
    pub(crate) fn file(&self, name: &str) -> String {
        self.directory.join(name).to_string_lossy().into_owned()
    }

    /// Those who trust this authority alone.
    pub(crate) fn roots(&self) -> Result<RootCertStore> {
        let mut roots = RootCertStore::empty();
        roots.add(CertificateDer::from(self.issuer.der().to_vec()))?;
        Ok(roots)
    }
}
