//! `openssl s_client`: which certificate a name gets, which versions and protocols are spoken, and whose
//! certificate is asked for.

use anyhow::{Context, Result, ensure};
use tests::{
    run::{Finished, run_with},
    topology::Family,
};

use super::{
    super::scene::{Network, Scene},
    BOUND, EDGE, HTTPS, INSIDE, PLAIN, SECURE, Site,
    authority::Authority,
    pool, run, wants,
};

/// Who asks for a name of no certificate gets the first one there, and nothing at the others.
const STRICT: u16 = 8444;
const MODERN: u16 = 8445;
/// Where clients must show a certificate, and where they may.
const REQUIRED: u16 = 8446;
const OPTIONAL: u16 = 8447;
/// Where TLS is not ended, but passed on to the backend of the name.
const PASSED: u16 = 8448;

#[test]
fn sessions_v4() {
    sessions(Family::V4);
}

#[test]
fn sessions_v6() {
    sessions(Family::V6);
}

fn sessions(family: Family) {
    run(wants(family, 1), &["openssl"], config, |scene, site| {
        names_get_their_certificates(scene, site)?;
        versions_are_agreed_on(scene, site)?;
        protocols_are_agreed_on(scene, site)?;
        names_are_passed_on(scene, site)?;
        clients_show_who_they_are(scene, site)
    });
}

fn config(network: &Network, site: &Site) -> Result<String> {
    let authority = &site.authority;
    authority.certify("wild", &["*.wild.example.org"], 3)?;
    authority.certify("client", &["client.example.org"], 4)?;
    Authority::new(authority.file("").as_ref(), "strangers")?.certify("stranger", &["x"], 5)?;
    let pair = |name: &str| {
        let [certificate, key] =
            ["pem", "key"].map(|kind| authority.file(&format!("{name}.{kind}")));
        format!("{{ certificate = \"{certificate}\", key = \"{key}\" }}")
    };
    let certificates = ["edge", "wild"].map(pair).join(", ");
    let listener = |name: &str, port, more: &str| {
        let tls = format!("[listener.tls]\ncertificates = [{certificates}]\n{more}");
        site.listener(name, port, &format!("protocol = \"https\"\npool = \"plain\"\n{tls}"))
    };
    let ca = format!("client-ca = \"{}\"\n", authority.file("authority.pem"));
    Ok([
        pool(network, "plain", PLAIN, &[], ""),
        listener("first", HTTPS, ""),
        listener("strict", STRICT, "unknown-names = \"refuse\""),
        listener("modern", MODERN, "least-version = \"1.3\""),
        listener("required", REQUIRED, &ca),
        listener("optional", OPTIONAL, &format!("{ca}client-certificate = \"optional\"")),
        pool(network, "secure", SECURE, &[], ""),
        site.listener(
            "passed",
            PASSED,
            &format!("protocol = \"tls-passthrough\"\n[[listener.route]]\nhost = \"{INSIDE}\"\npool = \"secure\""),
        ),
    ]
    .concat())
}

/// Opens a session, sends a request, and reads until the end. Whose certificate is not signed by the authority
/// is left.
fn session(scene: &Scene, site: &Site, port: u16, args: &[&str]) -> Result<Finished> {
    let (at, ca) = (site.at(port).to_string(), site.authority.file("authority.pem"));
    let mut command = scene.network.topology.client.command("openssl");
    command.args(["s_client", "-connect", &at, "-CAfile", &ca, "-verify_return_error"]);
    command.args(["-ign_eof"]).args(args);
    let request = format!("GET / HTTP/1.1\r\nHost: {EDGE}\r\nConnection: close\r\n\r\n");
    run_with(&mut command, &request, BOUND)
}

/// A session in which the request was answered; what openssl tells of it.
fn answered(scene: &Scene, site: &Site, port: u16, args: &[&str]) -> Result<String> {
    let finished = session(scene, site, port, args)?;
    ensure!(finished.stdout.contains("HTTP/1.1 200 OK"), "{args:?} at port {port}: {finished}");
    Ok(finished.stdout + &finished.stderr)
}

/// A session that ends without an answer, and with these words of openssl.
fn refused(scene: &Scene, site: &Site, port: u16, args: &[&str], words: &str) -> Result<()> {
    let finished = session(scene, site, port, args)?;
    let said = finished.to_string();
    ensure!(!said.contains("HTTP/1.1 200 OK"), "{args:?} at port {port}: {said}");
    ensure!(said.contains(words), "{args:?} at port {port}, no `{words}`: {said}");
    Ok(())
}

fn names_get_their_certificates(scene: &Scene, site: &Site) -> Result<()> {
    for (name, file, port) in [
        (EDGE, "edge", HTTPS),
        ("a.wild.example.org", "wild", HTTPS),
        ("A.Wild.Example.Org", "wild", STRICT),
        ("a.b.wild.example.org", "edge", HTTPS),
        ("other.example.org", "edge", HTTPS),
        (EDGE, "edge", STRICT),
    ] {
        let said = answered(scene, site, port, &["-servername", name])?;
        let subject = said.lines().find_map(|line| line.trim().strip_prefix("subject="));
        let subject = subject.with_context(|| format!("no subject: {said}"))?.replace(' ', "");
        ensure!(subject == format!("CN={file}"), "{name} got {subject}");
    }
    // The certificate is also made out to the name.
    answered(scene, site, HTTPS, &["-servername", EDGE, "-verify_hostname", EDGE])?;
    let no_name: &[&str] = &["-noservername"];
    answered(scene, site, HTTPS, no_name)?;
    for args in
        [no_name, &["-servername", "other.example.org"], &["-servername", "wild.example.org"]]
    {
        refused(scene, site, STRICT, args, "no peer certificate available")?;
    }
    Ok(())
}

fn versions_are_agreed_on(scene: &Scene, site: &Site) -> Result<()> {
    for (port, args, version) in [
        (HTTPS, &[][..], "New, TLSv1.3, "),
        (HTTPS, &["-tls1_3"], "New, TLSv1.3, "),
        (HTTPS, &["-tls1_2"], "New, TLSv1.2, "),
        (MODERN, &["-tls1_3"], "New, TLSv1.3, "),
    ] {
        let said = answered(scene, site, port, args)?;
        ensure!(said.contains(version), "{args:?} at port {port}, no `{version}`: {said}");
    }
    refused(scene, site, MODERN, &["-tls1_2"], "alert protocol version")?;
    // openssl would not even ask for it otherwise.
    let old = ["-tls1_1", "-cipher", "DEFAULT:@SECLEVEL=0"];
    refused(scene, site, HTTPS, &old, "alert handshake failure")
}

fn protocols_are_agreed_on(scene: &Scene, site: &Site) -> Result<()> {
    for (offered, agreed) in [
        ("http/1.1", "ALPN protocol: http/1.1"),
        ("http/1.1,h2", "ALPN protocol: h2"),
        ("h2", "ALPN protocol: h2"),
    ] {
        let said = session(scene, site, HTTPS, &["-alpn", offered])?.to_string();
        ensure!(said.contains(agreed), "{offered}: no `{agreed}`: {said}");
    }
    let said = answered(scene, site, HTTPS, &[])?;
    ensure!(said.contains("No ALPN negotiated"), "{said}");
    refused(scene, site, HTTPS, &["-alpn", "spdy/3"], "alert no application protocol")
}

/// The certificate is that of the backend; who asks for another name, or for none, gets to none.
fn names_are_passed_on(scene: &Scene, site: &Site) -> Result<()> {
    let inside = ["-servername", INSIDE, "-verify_hostname", INSIDE];
    for version in ["-tls1_2", "-tls1_3"] {
        let args = [&[version][..], &inside].concat();
        let said = answered(scene, site, PASSED, &args)?;
        ensure!(said.contains("name: backend1"), "{said}");
    }
    for args in [&["-servername", EDGE][..], &["-noservername"]] {
        refused(scene, site, PASSED, args, "no peer certificate available")?;
    }
    Ok(())
}

fn clients_show_who_they_are(scene: &Scene, site: &Site) -> Result<()> {
    let file = |name: &str| site.authority.file(name);
    let [cert, key, other, its_key] =
        ["client.pem", "client.key", "stranger.pem", "stranger.key"].map(file);
    let known = ["-cert", &cert, "-key", &key];
    let stranger = ["-cert", &other, "-key", &its_key];
    for version in ["-tls1_2", "-tls1_3"] {
        for (port, more, alert) in [
            (REQUIRED, &known[..], ""),
            (OPTIONAL, &known, ""),
            (OPTIONAL, &[], ""),
            (REQUIRED, &[], "alert"),
            (REQUIRED, &stranger, "alert"),
            (OPTIONAL, &stranger, "alert"),
        ] {
            let args = [&[version][..], more].concat();
            if alert.is_empty() {
                answered(scene, site, port, &args)?;
            } else {
                refused(scene, site, port, &args, alert)?;
            }
        }
    }
    Ok(())
}
