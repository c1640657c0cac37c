//! The same over TLS: ended by the balancer, where routes see everything, and passed on to backends that
//! end it, where they see the name that the client asks for.

use std::{fs, net::SocketAddr, path::Path, slice};

use anyhow::{Context as _, Result, ensure};

use super::{
    answers::{Row, table},
    claim::Claim,
    layer7::{self, HTTP},
    report,
    site::Site,
    stage::Stage,
    tls_server::{TlsServer, make_certificate},
};
use crate::process::root;

/// The configuration, and the directory that it expects certificates in.
const HTTPS: &str = "examples/https.toml";
const CERTIFICATES: &str = "/etc/shunt";
/// The listener that ends TLS, its name, its certificate, and its port.
const SECURE: &str = "secure";
const WWW: &str = "www.example.org";
const WWW_CERTIFICATE: &str = "www";
const SECURE_PORT: u16 = 443;
/// The listener that passes TLS on, and its port.
const PASSED: &str = "passed";
const PASSED_PORT: u16 = 8443;
/// A name that no route of it has.
const STRANGER: &str = "other.example.org";
/// What is asked for there. The routes of the other listener would part these.
const PATHS: [&str; 2] = ["/a.jpg", "/location"];
/// Requests of each kind, each over a connection of its own.
const TIMES: usize = 5;
/// What curl ends with when TLS does not come about.
const NO_TLS: i32 = 35;

/// A backend that ends TLS itself.
struct Ending {
    /// The name that it is made out to.
    host: &'static str,
    /// Its certificate.
    certificate: &'static str,
    /// The pool that it is in.
    pool: &'static str,
    /// Which backend it is, counted from 1.
    backend: u8,
}

const ENDING: [Ending; 2] = [
    Ending { host: "images.example.org", certificate: "images", pool: "images-tls", backend: 3 },
    Ending { host: "places.example.org", certificate: "places", pool: "places-tls", backend: 2 },
];

impl Ending {
    /// Where its server listens.
    fn address(&self, stage: &Stage) -> SocketAddr {
        SocketAddr::new(stage.backend(self.backend).ip(), PASSED_PORT)
    }

    fn site(&self, stage: &Stage, directory: &Path) -> Site {
        let certificate = pem(directory, self.certificate);
        Site::secure(stage, self.host, PASSED_PORT, &certificate)
    }
}

/// Makes certificates, starts backends that end TLS, adds the listeners, and asks both. The servers
/// run until what is returned is dropped.
pub(super) fn over_tls(stage: &Stage, claim: &Claim) -> Result<Vec<TlsServer>> {
    let directory = claim.directory();
    report::heading(&format!("The same over TLS: {HTTPS}"));
    let servers = prepare(stage, directory)?;
    println!();
    stage.apply(&with_certificates_of(directory)?, HTTP)?;
    ended(stage, claim)?;
    passed(stage, directory)?;
    Ok(servers)
}

fn prepare(stage: &Stage, directory: &Path) -> Result<Vec<TlsServer>> {
    println!("  Certificates, each of which signs itself, made by openssl just now:\n");
    make_certificate(directory, WWW_CERTIFICATE, WWW)?;
    println!("  {WWW:<18}  for the balancer");
    let start = |ending: &Ending| {
        let Ending { host, certificate, backend, .. } = ending;
        let address = ending.address(stage);
        make_certificate(directory, certificate, host)?;
        println!("  {host:<18}  for a server of its own, `openssl s_server` at {address}");
        TlsServer::start(stage.backend_netns(*backend), address, directory, certificate, &PATHS)
    };
    ENDING.iter().map(start).collect()
}

/// The example with our certificates in it; where it is.
fn with_certificates_of(directory: &Path) -> Result<String> {
    let text =
        fs::read_to_string(root().join(HTTPS)).with_context(|| format!("cannot read {HTTPS}"))?;
    let text = text.replace(CERTIFICATES, &directory.display().to_string());
    let file = directory.join("https.toml");
    fs::write(&file, text).with_context(|| format!("cannot write {}", file.display()))?;
    Ok(file.display().to_string())
}

/// The listener that ends TLS, as curl reaches it.
pub(super) fn site(stage: &Stage, claim: &Claim) -> Site {
    Site::secure(stage, WWW, SECURE_PORT, &pem(claim.directory(), WWW_CERTIFICATE))
}

fn ended(stage: &Stage, claim: &Claim) -> Result<()> {
    let site = site(stage, claim);
    report::heading(&format!("TLS that the balancer ends: {}/", site.url));
    println!("  The same requests and the same routes: whoever ends TLS can read the requests.");
    let versions = layer7::ask_all(stage, &site, SECURE)?;
    println!("  curl trusts the certificate of {WWW} alone; the two agreed on HTTP/{versions}.");
    Ok(())
}

fn passed(stage: &Stage, directory: &Path) -> Result<()> {
    report::heading(&format!("TLS that is passed on: port {PASSED_PORT}"));
    println!(
        "  The name that a client asks for (SNI) picks the backend, which ends TLS. {TIMES} requests of each\n  kind; the path is encrypted and makes no difference."
    );
    let site = ENDING[0].site(stage, directory);
    println!("\n$ curl {} {}{}", site.args.join(" "), site.url, PATHS[0]);
    let rows = ENDING.iter().flat_map(|ending| PATHS.map(|path| (ending, path)));
    let rows = rows.map(|(ending, path)| by_name(stage, directory, ending, path));
    let rows = rows.collect::<Result<Vec<_>>>()?;
    print!("{}", table(&rows));
    rows.iter().try_for_each(Row::verify)?;
    println!(
        "  For each name curl trusts the certificate of that backend alone, whose key the balancer has not\n  been given."
    );
    stranger(stage, directory)?;
    println!();
    stage.shunt(&["listener", "show", PASSED])
}

fn by_name(stage: &Stage, directory: &Path, ending: &Ending, path: &str) -> Result<Row> {
    let site = ending.site(stage, directory);
    let url = format!("{}{path}", site.url);
    let answers = site.answers(stage, &vec![url.clone(); TIMES], ending.pool)?;
    Ok(Row {
        request: url,
        pool: ending.pool,
        expected: [(ending.address(stage).to_string(), TIMES)].into(),
        answered: answers.backends,
    })
}

/// Who asks for a name that no route has is disconnected.
fn stranger(stage: &Stage, directory: &Path) -> Result<()> {
    let site = Site::secure(stage, STRANGER, PASSED_PORT, &pem(directory, WWW_CERTIFICATE));
    let url = format!("{}/", site.url);
    let refused = site.curl(stage, slice::from_ref(&url))?;
    ensure!(
        refused.code == Some(NO_TLS),
        "no route has the name {STRANGER}, so that there should have been no TLS session: {refused}"
    );
    println!("  {url}, a name that no route has, is disconnected.");
    Ok(())
}

/// The path of a certificate.
fn pem(directory: &Path, name: &str) -> String {
    directory.join(name).with_extension("pem").display().to_string()
}
