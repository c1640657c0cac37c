//! curl in each version of HTTP, with and without TLS, to backends that speak each.

use anyhow::{Context, Result, ensure};
use tests::topology::{Family, Host};

use super::{
    super::scene::{Network, Scene},
    EDGE, HTTP, HTTPS, Site, run, told, wants,
};

#[test]
fn every_version_reaches_every_backend_v4() {
    run(wants(Family::V4, 1), &["curl"], config, every_version_reaches_every_backend);
}

#[test]
fn every_version_reaches_every_backend_v6() {
    run(wants(Family::V6, 1), &["curl"], config, every_version_reaches_every_backend);
}

#[expect(clippy::unnecessary_wraps, reason = "what makes configurations may fail")]
fn config(network: &Network, site: &Site) -> Result<String> {
    let route =
        |name: &str| format!("[[listener.route]]\npath-prefix = \"/{name}\"\npool = \"{name}\"\n");
    let routes = ["plain", "h2", "secure"].map(route).concat();
    let listeners = site.listener("edge", HTTP, &routes) + &site.https("tls", HTTPS, &routes);
    Ok(site.pools(network) + &listeners)
}

/// An answer as curl shows it, and what it says of the connection.
pub(crate) struct Answer {
    /// Status line and headers, in small letters.
    pub(crate) head: String,
    pub(crate) body: String,
    pub(crate) status: String,
    /// Version of HTTP.
    pub(crate) version: String,
}

/// Asks a listener, by the name [`EDGE`].
pub(crate) fn ask(
    scene: &Scene,
    site: &Site,
    port: u16,
    path: &str,
    args: &[&str],
) -> Result<Answer> {
    let scheme = if port == HTTPS { "https" } else { "http" };
    let url = format!("{scheme}://{EDGE}:{port}{path}");
    let at = format!("{EDGE}:{port}:{}", bracketed(site));
    let ca = site.authority.file("authority.pem");
    let fixed = ["-sS", "-g", "--noproxy", "*", "--max-time", "20", "-i", "--path-as-is"];
    let named = ["--resolve", &at, "--cacert", &ca, "-w", "\n%{http_code} %{http_version}"];
    let words = [&fixed[..], &named, args, &[url.as_str()]].concat();
    let said = scene.network.topology.client.run("curl", &words)?.success()?;
    let parts = said.split_once("\r\n\r\n").and_then(|(head, rest)| {
        let (body, line) = rest.rsplit_once('\n')?;
        let (status, version) = line.split_once(' ')?;
        let [body, status, version] = [body, status, version].map(str::to_owned);
        Some(Answer { head: head.to_lowercase(), body, status, version })
    });
    parts.with_context(|| format!("no answer: {said}"))
}

pub(crate) fn bracketed(site: &Site) -> String {
    let ip = site.vip;
    if ip.is_ipv6() { format!("[{ip}]") } else { ip.to_string() }
}

fn every_version_reaches_every_backend(scene: &mut Scene, site: &mut Site) -> Result<()> {
    for (port, flag, version) in [
        (HTTP, "--http1.0", "1.0"),
        (HTTP, "--http1.1", "1.1"),
        (HTTP, "--http2-prior-knowledge", "2"),
        (HTTPS, "--http1.1", "1.1"),
        (HTTPS, "--http2", "2"),
    ] {
        for (path, inside) in [("plain", "HTTP/1.1"), ("h2", "HTTP/2.0"), ("secure", "HTTP/2.0")] {
            let path = format!("/{path}/a%20b?c=d&e");
            asked_and_told(scene, site, port, &path, flag, (version, inside))
                .with_context(|| format!("{flag} at port {port}, {path}"))?;
        }
    }
    Ok(())
}

/// What the client asked is what the backend was told, whatever was spoken on the way.
fn asked_and_told(
    scene: &Scene,
    site: &Site,
    port: u16,
    path: &str,
    flag: &str,
    (version, inside): (&str, &str),
) -> Result<()> {
    // In HTTP/2, curl 7.88 takes an answer that comes before it has sent the body for an error, whoever gives
    // it; nginx does not wait for bodies that it does not need.
    let body: &[&str] = if version == "2" { &[] } else { &["--data", "twelve bytes"] };
    let args = [&[flag, "-X", "PUT", "-H", "X-One: 1", "-H", "Cookie: a=b"], body].concat();
    let answer = ask(scene, site, port, path, &args)?;
    ensure!(answer.status == "200", "{} {}", answer.head, answer.body);
    // curl tells the version of the answer, which for a request of HTTP/1.0 may be either.
    ensure!(answer.version == version || version == "1.0", "{}", answer.version);
    let topology = &scene.network.topology;
    let client = topology.address(Host::Client, scene.network.wants.family).to_string();
    let authority = format!("{EDGE}:{port}");
    let scheme = if port == HTTPS { "https" } else { "http" };
    let told = told(&answer.body);
    for (key, value) in [
        ("name", "backend1"),
        ("protocol", inside),
        ("method", "PUT"),
        ("host", EDGE),
        ("uri", path),
        ("cookie", "a=b"),
        ("x-one", "1"),
        ("x-forwarded-for", client.as_str()),
        ("x-forwarded-proto", scheme),
        ("x-forwarded-host", &authority),
    ] {
        ensure!(told.get(key) == Some(&value), "{key} is not {value}: {told:?}");
    }
    ensure!(body.is_empty() || told.get("length") == Some(&"12"), "{told:?}");
    ensure!(told.get("via").is_some_and(|via| via.ends_with(" shunt")), "{told:?}");
    Ok(())
}
