//! Who asks, and how its requests are followed: what curl says of itself, and what nginx behind the proxy hears. The same
//! client is nobody in particular to one listener, and a proxy that is trusted to the others.

use std::collections::BTreeSet;

use anyhow::{Context, Result, ensure};
use tests::topology::{Family, Host};

use super::{
    super::scene::{Network, Scene},
    EDGE, HTTP, HTTPS, PLAIN, Site,
    curl::{Answer, ask, bracketed},
    pool, run, told, wants,
};

/// Ports of listeners that trust the client.
const TRUSTING: u16 = 8082;
const STANDARD: u16 = 8083;

const GIVEN: &str = "00-4bf92f3577b34da6a3ce929d0e0e4736-00f067aa0ba902b7-01";

#[test]
fn who_asks_is_who_a_trusted_proxy_speaks_for_v4() {
    run(wants(Family::V4, 3), &["curl"], config, who_asks);
}

#[test]
fn who_asks_is_who_a_trusted_proxy_speaks_for_v6() {
    run(wants(Family::V6, 3), &["curl"], config, who_asks);
}

#[test]
fn requests_can_be_found_again_v4() {
    run(wants(Family::V4, 1), &["curl"], config, found_again);
}

#[test]
fn requests_can_be_found_again_v6() {
    run(wants(Family::V6, 1), &["curl"], config, found_again);
}

#[test]
fn what_comes_by_http_goes_to_https_v4() {
    run(wants(Family::V4, 1), &["curl"], to_https_config, to_https);
}

#[test]
fn what_comes_by_http_goes_to_https_v6() {
    run(wants(Family::V6, 1), &["curl"], to_https_config, to_https);
}

#[expect(clippy::unnecessary_wraps, reason = "what makes configurations may fail")]
fn config(network: &Network, site: &Site) -> Result<String> {
    let client = client(network);
    let inside = "[[listener.route]]\nclient = [\"203.0.113.0/24\", \"2001:db8:77::/48\"]\npath = \"/inside\"\nrespond = 204\n";
    let all = "pool = \"hashed\"\nrequest-id = \"x-request-id\"\ntrace-context = true\n";
    let trusting = format!("{all}trusted-proxies = [\"{client}\"]\n");
    Ok([
        pool(network, "hashed", PLAIN, &[], "balance = \"hash\""),
        site.listener("edge", HTTP, &format!("{all}{inside}")),
        site.https("tls", HTTPS, all),
        site.listener("trusting", TRUSTING, &format!("{trusting}{inside}")),
        site.listener(
            "standard",
            STANDARD,
            &format!("{trusting}forwarding-headers = \"forwarded\""),
        ),
    ]
    .concat())
}

fn client(network: &Network) -> String {
    network.topology.address(Host::Client, network.wants.family).to_string()
}

/// Asks with some headers.
fn with(scene: &Scene, site: &Site, port: u16, flag: &str, headers: &[&str]) -> Result<Answer> {
    let headers = headers.iter().flat_map(|header| ["-H", header]);
    let args: Vec<&str> = [flag].into_iter().chain(headers).collect();
    let answer = ask(scene, site, port, "/", &args)?;
    ensure!(answer.status == "200", "{} {}", answer.head, answer.body);
    Ok(answer)
}

/// Whether a backend has been told these things.
fn hears(answer: &Answer, expected: &[(&str, &str)]) -> Result<()> {
    let told = told(&answer.body);
    for (key, value) in expected {
        // nginx tells nothing of a header that is not there.
        let found = told.get(key).copied().unwrap_or_default();
        ensure!(found == *value, "{key} is `{found}` and not `{value}`: {told:?}");
    }
    Ok(())
}

fn who_asks(scene: &mut Scene, site: &mut Site) -> Result<()> {
    nobody_is_believed_about_itself(scene, site).context("untrusted")?;
    a_trusted_proxy_is(scene, site).context("trusted")?;
    the_client_is_what_routes_and_hashes_go_by(scene, site)
}

fn nobody_is_believed_about_itself(scene: &Scene, site: &Site) -> Result<()> {
    let client = client(&scene.network);
    for (port, flag) in [
        (HTTP, "--http1.1"),
        (HTTP, "--http2-prior-knowledge"),
        (HTTPS, "--http1.1"),
        (HTTPS, "--http2"),
    ] {
        let spoofed = [
            "X-Forwarded-For: 203.0.113.7",
            "X-Forwarded-Proto: gopher",
            "X-Forwarded-Host: spoofed.example.org",
            "X-Forwarded-Port: 1",
            "Forwarded: for=203.0.113.7;proto=https",
        ];
        let answer = with(scene, site, port, flag, &spoofed)?;
        let scheme = if port == HTTPS { "https" } else { "http" };
        let (authority, port) = (format!("{EDGE}:{port}"), port.to_string());
        let expected = [
            ("x-forwarded-for", client.as_str()),
            ("x-forwarded-proto", scheme),
            ("x-forwarded-host", &authority),
            ("x-forwarded-port", &port),
            ("forwarded", ""),
        ];
        hears(&answer, &expected).with_context(|| format!("{flag} at {port}"))?;
    }
    Ok(())
}

fn a_trusted_proxy_is(scene: &Scene, site: &Site) -> Result<()> {
    let client = client(&scene.network);
    let chains = ["203.0.113.66, 203.0.113.7", "203.0.113.7, 2001:db8:77::7"];
    for (chain, asks) in chains.iter().zip(["203.0.113.7", "2001:db8:77::7"]) {
        let for_it = format!("X-Forwarded-For: {chain}");
        let said = [&*for_it, "X-Forwarded-Proto: https", "X-Forwarded-Host: www.example.org"];
        let list = format!("{asks}, {client}");
        for flag in ["--http1.1", "--http2-prior-knowledge"] {
            let answer = with(scene, site, TRUSTING, flag, &said)?;
            let expected = [
                ("x-forwarded-for", list.as_str()),
                ("x-forwarded-proto", "https"),
                ("x-forwarded-host", "www.example.org"),
                ("x-forwarded-port", "443"),
                ("forwarded", ""),
            ];
            hears(&answer, &expected)?;
        }
        let node = |ip: &str| if ip.contains(':') { format!("\"[{ip}]\"") } else { ip.to_owned() };
        let (asks, by) = (node(asks), node(&client));
        let answer = with(scene, site, STANDARD, "--http1.1", &said)?;
        let elements = format!("for={asks};proto=https;host=www.example.org, for={by}");
        hears(&answer, &[("forwarded", &elements), ("x-forwarded-for", "")])?;
        // And as one that speaks the standard would say it.
        let said = format!("Forwarded: for={asks};proto=https;host=www.example.org");
        let answer = with(scene, site, STANDARD, "--http1.1", &[&said])?;
        hears(&answer, &[("forwarded", &elements), ("x-forwarded-proto", "")])?;
    }
    Ok(())
}

fn the_client_is_what_routes_and_hashes_go_by(scene: &Scene, site: &Site) -> Result<()> {
    for asks in ["203.0.113.7", "2001:db8:77::7"] {
        let header = format!("X-Forwarded-For: {asks}");
        let trusted = ask(scene, site, TRUSTING, "/inside", &["-H", &header])?;
        let doubted = ask(scene, site, HTTP, "/inside", &["-H", &header])?;
        ensure!(
            (trusted.status.as_str(), doubted.status.as_str()) == ("204", "200"),
            "{asks}: {} and {}",
            trusted.status,
            doubted.status
        );
    }
    let whom = |port: u16, n: u8| -> Result<String> {
        let header = format!("X-Forwarded-For: 198.51.100.{n}");
        let answer = with(scene, site, port, "--http1.1", &[&header])?;
        Ok(told(&answer.body).get("name").copied().unwrap_or_default().to_owned())
    };
    let all = |port: u16| (0..16).map(|n| whom(port, n)).collect::<Result<Vec<_>>>();
    let (first, again, doubted) = (all(TRUSTING)?, all(TRUSTING)?, all(HTTP)?);
    ensure!(first == again, "a client has two backends: {first:?}, {again:?}");
    let number = |names: &[String]| names.iter().collect::<BTreeSet<_>>().len();
    ensure!(number(&first) == 3, "16 clients have few backends: {first:?}");
    ensure!(number(&doubted) == 1, "one client has several backends: {doubted:?}");
    Ok(())
}

fn found_again(scene: &mut Scene, site: &mut Site) -> Result<()> {
    let mut ids = BTreeSet::new();
    let mut traces = BTreeSet::new();
    for (port, flag) in [
        (HTTP, "--http1.1"),
        (HTTP, "--http2-prior-knowledge"),
        (HTTPS, "--http2"),
        (TRUSTING, "--http1.1"),
    ] {
        for _ in 0..8 {
            let malformed = ["Traceparent: 00-ABC", "Tracestate: a=1", "X-Request-Id: a b"];
            let answer = with(scene, site, port, flag, &malformed)?;
            let told = told(&answer.body);
            let value = |key: &str| told.get(key).copied().unwrap_or_default().to_owned();
            let (id, parent) = (value("x-request-id"), value("traceparent"));
            let said = answer.head.contains(&format!("x-request-id: {id}\r\n"))
                || answer.head.ends_with(&format!("x-request-id: {id}"));
            ensure!(id.len() == 32 && said, "{id}: {}", answer.head);
            ensure!(parent.len() == 55 && value("tracestate").is_empty(), "{told:?}");
            let trace = parent.get(3..35).context("no trace")?.to_owned();
            ensure!(ids.insert(id) && traces.insert(trace), "twice: {told:?}");
        }
        let parent = format!("Traceparent: {GIVEN}");
        let said = [parent.as_str(), "Tracestate: a=1,b=2", "X-Request-Id: outer-1"];
        let answer = with(scene, site, port, flag, &said)?;
        hears(&answer, &[("traceparent", GIVEN), ("tracestate", "a=1,b=2")])?;
        let kept = answer.head.contains("x-request-id: outer-1");
        ensure!(kept == (port == TRUSTING), "port {port}: {}", answer.head);
        ensure!(
            told(&answer.body).get("x-request-id").is_some_and(|id| (*id == "outer-1") == kept)
        );
    }
    Ok(())
}

#[expect(clippy::unnecessary_wraps, reason = "what makes configurations may fail")]
fn to_https_config(network: &Network, site: &Site) -> Result<String> {
    let client = client(network);
    let trusting =
        format!("redirect-to-https = {HTTPS}\npool = \"plain\"\ntrusted-proxies = [\"{client}\"]");
    let challenges = "redirect-to-https = true\n[[listener.route]]\npath-prefix = \"/.well-known/acme-challenge/\"\npool = \"plain\"";
    Ok([
        site.pools(network),
        site.listener("edge", HTTP, challenges),
        site.listener("trusting", TRUSTING, &trusting),
        site.https("tls", HTTPS, "pool = \"plain\""),
    ]
    .concat())
}

fn to_https(scene: &mut Scene, site: &mut Site) -> Result<()> {
    // curl before version 8 takes an answer of HTTP/2 for an error that comes before it has sent its body.
    for (flag, body) in [("--http1.1", &["--data", "x"][..]), ("--http2-prior-knowledge", &[])] {
        for (port, place) in [
            (HTTP, format!("location: https://{EDGE}/a%20b?c=d&e\r\n")),
            (TRUSTING, format!("location: https://{EDGE}:{HTTPS}/a%20b?c=d&e\r\n")),
        ] {
            let answer = ask(scene, site, port, "/a%20b?c=d&e", &[&[flag], body].concat())?;
            let head = format!("{}\r\n", answer.head);
            ensure!(answer.status == "308" && head.contains(&place), "{flag} {port}: {head}");
        }
    }
    let challenge = ask(scene, site, HTTP, "/.well-known/acme-challenge/token", &[])?;
    hears(&challenge, &[("uri", "/.well-known/acme-challenge/token")])?;
    followed_by_curl(scene, site)?;
    by_address(scene, site)?;
    // A proxy that has got it by https is not sent there again.
    let said = ["X-Forwarded-Proto: https", "X-Forwarded-For: 203.0.113.7"];
    let answer = with(scene, site, TRUSTING, "--http1.1", &said)?;
    hears(&answer, &[("x-forwarded-proto", "https"), ("name", "backend1")])?;
    let header = ["-H", "X-Forwarded-Proto: https"];
    let answer = ask(scene, site, HTTP, "/", &header)?;
    ensure!(answer.status == "308", "who is not trusted: {}", answer.head);
    the_redirect_is_explained(scene, site)
}

/// The client gets there, and sends what it has sent before.
fn followed_by_curl(scene: &Scene, site: &Site) -> Result<()> {
    let at = format!("{EDGE}:{HTTPS}:{}", bracketed(site));
    let args = ["-L", "--http1.1", "--resolve", &at, "--data", "twelve bytes"];
    let answer = ask(scene, site, TRUSTING, "/there?q", &args)?;
    ensure!(answer.status == "200", "{} {}", answer.head, answer.body);
    let expected =
        [("method", "POST"), ("uri", "/there?q"), ("length", "12"), ("x-forwarded-proto", "https")];
    hears(&answer, &expected)
}

/// Literal addresses keep their brackets.
fn by_address(scene: &Scene, site: &Site) -> Result<()> {
    let host = bracketed(site);
    let url = format!("http://{host}:{TRUSTING}/a");
    let args = [
        "-sS",
        "-g",
        "--noproxy",
        "*",
        "--max-time",
        "20",
        "-o",
        "/dev/null",
        "-w",
        "%{redirect_url}",
        &url,
    ];
    let place = scene.network.topology.client.run("curl", &args)?.success()?;
    ensure!(place == format!("https://{host}:{HTTPS}/a"), "{place}");
    Ok(())
}

fn the_redirect_is_explained(scene: &Scene, site: &Site) -> Result<()> {
    let url = format!("http://{}:{HTTP}/a", bracketed(site));
    let said = scene.daemon.ok(&["route", "GET", &url])?;
    ensure!(said.contains("redirect 308 to https at port 443"), "{said}");
    Ok(())
}
