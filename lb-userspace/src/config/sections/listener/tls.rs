//! `[listener.tls]`: certificates, and who must show one.

use super::conditions::Reported;
use crate::{
    config::{
        findings::Findings,
        reader::Section,
        sections::daemon::absolute_path,
        vocabulary::listener::{CERTIFICATE, LISTENER_TLS},
    },
    model::{
        ListenerProtocol,
        listener::{CertificateFiles, ClientCertificate, Tls, TlsVersion},
    },
};

const VERSIONS: [(&str, TlsVersion); 2] = [("1.2", TlsVersion::Tls12), ("1.3", TlsVersion::Tls13)];
const UNKNOWN: [(&str, bool); 2] = [("first", false), ("refuse", true)];
const CLIENTS: [(&str, ClientCertificate); 2] =
    [("required", ClientCertificate::Required), ("optional", ClientCertificate::Optional)];

pub(super) fn read(
    listener: &Section<'_>,
    protocol: Option<ListenerProtocol>,
    findings: &mut Findings<'_>,
) -> Result<Option<Tls>, Reported> {
    let section = listener.single(&LISTENER_TLS, findings);
    match (section, protocol) {
        (Some(section), Some(ListenerProtocol::Https)) => {
            settings(&section, findings).map(Some).ok_or(Reported)
        }
        (None, Some(ListenerProtocol::Https)) if !listener.has("tls") => {
            let message = "a listener of protocol https needs certificates; add `[listener.tls]` with `certificates` below it";
            findings.add(listener.start(), message);
            Err(Reported)
        }
        (Some(_), Some(other)) => {
            let why = format!(
                "a listener of protocol {} ends no TLS; remove it, or write `protocol = \"https\"`",
                other.name()
            );
            listener.refuse("tls", &why, findings);
            Err(Reported)
        }
        (Some(_), None) | (None, _) => Ok(None),
    }
}

fn settings(section: &Section<'_>, findings: &mut Findings<'_>) -> Option<Tls> {
    let certificates = certificates(section, findings);
    let least = section
        .get("least-version")
        .map_or(Some(TlsVersion::default()), |field| field.choice(&VERSIONS, &[], findings));
    let refuses_unknown = section
        .get("unknown-names")
        .map_or(Some(false), |field| field.choice(&UNKNOWN, &[], findings));
    let client_ca = section.get("client-ca").and_then(|it| it.parsed(absolute_path, findings));
    let client_ca = client_ca.map(|path| findings.names_trusted(path));
    let client_certificate = section
        .get("client-certificate")
        .map_or(Some(ClientCertificate::default()), |field| field.choice(&CLIENTS, &[], findings));
    if !section.has("client-ca") {
        let why = "without `client-ca` no certificate of a client is asked for; add it, or remove this line";
        section.refuse("client-certificate", why, findings);
    }
    section.refuse_others(findings);
    Some(Tls {
        certificates: certificates?,
        refuses_unknown: refuses_unknown?,
        least: least?,
        client_ca,
        client_certificate: client_certificate?,
    })
}

fn certificates(
    section: &Section<'_>,
    findings: &mut Findings<'_>,
) -> Option<Vec<CertificateFiles>> {
    section.require("certificates", findings)?;
    let entries = section.several(&CERTIFICATE, findings);
    let mut all_right = !entries.unread;
    let mut read = Vec::new();
    for entry in &entries.list {
        let certificate = entry.require("certificate", findings);
        let certificate = certificate.and_then(|field| field.parsed(absolute_path, findings));
        let key = entry.require("key", findings);
        let key = key.and_then(|field| field.parsed(absolute_path, findings));
        entry.refuse_others(findings);
        match (certificate, key) {
            (Some(certificate), Some(key)) => {
                read.push(findings.names_pair(certificate, key));
            }
            _ => all_right = false,
        }
    }
    if all_right && read.is_empty() {
        findings.add(section.start(), "`certificates` is empty; give at least one certificate");
        return None;
    }
    all_right.then_some(read)
}
