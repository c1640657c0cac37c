//! Which certificate for which name, and what is refused.
#![expect(clippy::unwrap_used, reason = "a failed test may panic")]

use std::{fs, path::Path};

use rcgen::{CertifiedKey, generate_simple_self_signed};
use tempfile::TempDir;

use super::{Terminator, TlsError};
use crate::model::listener::{CertificateFiles, Tls};

/// Writes a certificate for some names.
fn certificate(directory: &Path, file: &str, names: &[&str]) -> CertificateFiles {
    let names: Vec<_> = names.iter().map(|&name| name.to_owned()).collect();
    let CertifiedKey { cert, signing_key } = generate_simple_self_signed(names).unwrap();
    let path = |kind: &str| directory.join(format!("{file}.{kind}"));
    let files = CertificateFiles { certificate: path("pem"), key: path("key") };
    fs::write(&files.certificate, cert.pem()).unwrap();
    fs::write(&files.key, signing_key.serialize_pem()).unwrap();
    files
}

fn settings(certificates: Vec<CertificateFiles>) -> Tls {
    Tls { certificates, ..Tls::default() }
}

fn named(terminator: &super::Certificates, name: Option<&str>) -> Option<Vec<u8>> {
    terminator.of(name).map(|key| key.cert[0].to_vec())
}

#[test]
fn names_find_their_certificate() {
    let directory = TempDir::new().unwrap();
    let pairs = vec![
        certificate(directory.path(), "a", &["a.example.org", "*.b.example.org"]),
        certificate(directory.path(), "c", &["c.example.org", "x.b.example.org"]),
    ];
    let provider = rustls::crypto::aws_lc_rs::default_provider();
    let mut settings = settings(pairs);
    let all = super::Certificates::read(&settings, &provider).unwrap();
    let (a, c) = (named(&all, Some("a.example.org")), named(&all, Some("C.example.org")));
    assert!(a.is_some() && c.is_some() && a != c);
    assert_eq!(named(&all, Some("y.b.example.org")), a);
    assert_eq!(named(&all, Some("x.b.example.org")), c, "its own before a wildcard");
    assert_eq!(named(&all, Some("z.y.b.example.org")), a, "another name gets the first");
    assert_eq!(named(&all, None), a);
    settings.refuses_unknown = true;
    let strict = super::Certificates::read(&settings, &provider).unwrap();
    assert_eq!(named(&strict, Some("z.y.b.example.org")), None);
    assert_eq!(named(&strict, None), None);
    assert_eq!(named(&strict, Some("y.b.example.org")), a);
}

#[test]
fn what_cannot_be_used_is_named() {
    let directory = TempDir::new().unwrap();
    let one = certificate(directory.path(), "a", &["a"]);
    let other = certificate(directory.path(), "b", &["b"]);
    let mixed = CertificateFiles { key: other.key, ..one.clone() };
    let error = Terminator::new(&settings(vec![mixed])).unwrap_err();
    assert!(matches!(error, TlsError::Mismatch { .. }), "{error}");
    assert!(error.to_string().contains("b.key is not the key of"), "{error}");
    let missing = CertificateFiles { certificate: "/nonexistent".into(), ..one.clone() };
    let error = Terminator::new(&settings(vec![missing])).unwrap_err().to_string();
    assert!(error.starts_with("/nonexistent cannot be used: "), "{error}");
    fs::write(&one.certificate, "no PEM").unwrap();
    let error = Terminator::new(&settings(vec![one])).unwrap_err().to_string();
    assert!(error.contains("it holds no certificate"), "{error}");
}

#[test]
fn files_are_read_again_when_they_change() {
    let directory = TempDir::new().unwrap();
    let pair = certificate(directory.path(), "a", &["a"]);
    let terminator = Terminator::new(&settings(vec![pair.clone()])).unwrap();
    assert!(terminator.reload().is_none());
    fs::write(&pair.certificate, "broken").unwrap();
    let (_, same) = terminator.reload().unwrap().unwrap_err();
    assert!(same.reload().is_none(), "told once");
    certificate(directory.path(), "a", &["a.longer.example.org"]);
    assert!(same.reload().unwrap().is_ok(), "whenever they were repaired");
    assert!(terminator.reload().unwrap().is_ok());
}
