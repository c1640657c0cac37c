//! Limits of clients: one that has had its most is refused while another is served, and is served again.

use std::{fs, net::TcpStream};

use anyhow::{Context, Result, ensure};
use serde_json::Value;
use tests::{topology::Family, wait};

use super::{
    super::{
        new_flows::stranger,
        scene::{Network, Scene},
    },
    BOUND, EDGE, HTTP, HTTPS, Site,
    curl::{Answer, ask},
    run, wants,
};

/// Bytes that a body may have.
const BODY: usize = 20_000;
/// Connections that a client may have, where there is such a limit.
const CONNECTIONS: usize = 3;
/// Requests that a client may make at once, and one more each second.
const BURST: usize = 5;
/// Ports of listeners that limit connections, and of one that limits requests.
const CROWDED: u16 = 8083;
const CROWDED_TLS: u16 = 8444;
const CROWDED_TCP: u16 = 8085;
const BUSY: u16 = 8086;

#[test]
fn bodies_v4() {
    bodies(Family::V4);
}

#[test]
fn bodies_v6() {
    bodies(Family::V6);
}

#[test]
fn crowds_v4() {
    crowds(Family::V4);
}

#[test]
fn crowds_v6() {
    crowds(Family::V6);
}

#[expect(clippy::unnecessary_wraps, reason = "what makes configurations may fail")]
fn config(network: &Network, site: &Site) -> Result<String> {
    let client = |lines: &str| format!("pool = \"plain\"\n[listener.client]\n{lines}\n");
    let body = client(&format!("max-body = {BODY}"));
    let connections = client(&format!("max-connections = {CONNECTIONS}"));
    let rate = client(&format!("rate-limit = {{ rate = 1, burst = {BURST} }}"));
    Ok([
        site.pools(network),
        site.listener("edge", HTTP, &body),
        site.https("tls", HTTPS, &body),
        site.listener("crowded", CROWDED, &connections),
        site.https("crowded-tls", CROWDED_TLS, &format!("{connections}handshake-timeout = \"1m\"")),
        site.listener("crowded-tcp", CROWDED_TCP, &format!("protocol = \"tcp\"\n{connections}")),
        site.listener("busy", BUSY, &rate),
    ]
    .concat())
}

fn bodies(family: Family) {
    run(wants(family, 1), &["curl", "h2load"], config, |scene, site| {
        let [right, wrong] = [BODY, BODY + 1].map(|length| {
            let file = site.authority.file(&format!("body-{length}"));
            fs::write(&file, "x".repeat(length)).map(|()| file)
        });
        let (right, wrong) = (right?, wrong?);
        let chunked = ["-H", "Transfer-Encoding: chunked"];
        for (port, more) in [(HTTP, &[][..]), (HTTP, &chunked), (HTTPS, &chunked)] {
            let post = |path: &str, file: &str| {
                let data = format!("@{file}");
                let args = [&["--http1.1", "--data-binary", &data], more].concat();
                ask(scene, site, port, path, &args)
            };
            let answer = post("/right/body", &right)?;
            ensure!(answer.status == "200", "{}", answer.head);
            let answer = post("/wrong/body", &wrong)?;
            ensure!(answer.status == "413", "{}", answer.head);
        }
        for (port, file, codes) in
            [(HTTPS, &right, "20 2xx, 0 3xx, 0 4xx"), (HTTPS, &wrong, "0 2xx, 0 3xx, 20 4xx")]
        {
            let path = if *file == right { "/right/body" } else { "/wrong/body" };
            let said = h2load(scene, site, port, path, &[&format!("--data={file}")])?;
            ensure!(said.contains(codes), "{said}");
        }
        // nginx writes of requests in the order in which they end.
        let last = ask(scene, site, HTTP, "/last", &[])?;
        ensure!(last.status == "200", "{}", last.head);
        site.answered(" GET /last 200", 1)?;
        site.answered(" POST /right/body 200", 3 + 20)?;
        site.answered(" POST /wrong/body 200", 0)?;
        let view = scene.daemon.json(&["pool", "show", "plain"])?;
        let requests = &view["backends"][0]["requests"];
        ensure!(requests["failed"] == 0 && requests["ejected"] == false, "{view}");
        Ok(())
    });
}

fn crowds(family: Family) {
    run(wants(family, 1), &["curl", "h2load"], config, |scene, site| {
        let stranger = stranger(scene)?.to_string();
        who_has_its_most_is_turned_away(scene, site, &stranger)?;
        who_asks_too_often_is_told_to_wait(scene, site, &stranger)
    });
}

/// A listener as the command line shows it.
fn listener(scene: &Scene, name: &str) -> Result<Value> {
    scene.daemon.json(&["listener", "show", name])
}

/// What curl says, if it says anything: over TLS and without HTTP it is not told why.
fn status(answer: Result<Answer>) -> String {
    answer.map_or_else(|_| "nothing".to_owned(), |answer| answer.status)
}

fn who_has_its_most_is_turned_away(scene: &Scene, site: &Site, stranger: &str) -> Result<()> {
    for (name, port, told) in [
        ("crowded", CROWDED, "429"),
        ("crowded-tls", CROWDED_TLS, "nothing"),
        ("crowded-tcp", CROWDED_TCP, "nothing"),
    ] {
        let own = |args: &[&str]| {
            let args = [&["--connect-timeout", "5"], args].concat();
            if port == CROWDED_TLS {
                secure(scene, site, &args)
            } else {
                ask(scene, site, port, "/", &args)
            }
        };
        let open = |_| {
            scene.network.topology.client.enter(|| {
                TcpStream::connect_timeout(&site.at(port), BOUND).context("no connection")
            })
        };
        let mut held = (0..CONNECTIONS).map(open).collect::<Result<Vec<_>>>()?;
        wait::until("the connections to be taken", BOUND, || {
            let view = listener(scene, name)?;
            ensure!(view["open_connections"] == CONNECTIONS, "{view}");
            Ok(())
        })?;
        let said = status(own(&[]));
        ensure!(said == told || said == "nothing", "{name}: {said}");
        let said = status(own(&["--interface", stranger]));
        ensure!(said == "200", "{name}: another client: {said}");
        held.pop();
        wait::until("the client to have room for another", BOUND, || {
            let said = status(own(&[]));
            ensure!(said == "200", "{name}: {said}");
            Ok(())
        })?;
        let view = listener(scene, name)?;
        ensure!(view["over_max_connections"].as_u64() >= Some(1), "{view}");
    }
    Ok(())
}

/// The same as [`ask`], at the other port with TLS.
fn secure(scene: &Scene, site: &Site, args: &[&str]) -> Result<Answer> {
    let at = format!("{EDGE}:{HTTPS}:{}", site.at(CROWDED_TLS));
    ask(scene, site, HTTPS, "/", &[&["--connect-to", &at], args].concat())
}

fn who_asks_too_often_is_told_to_wait(scene: &Scene, site: &Site, stranger: &str) -> Result<()> {
    let said = h2load(scene, site, BUSY, "/", &["--h1", "-c4"])?;
    let codes = said.lines().find_map(|line| line.strip_prefix("status codes: "));
    let right = codes.and_then(|codes| codes.split_once(" 2xx")?.0.parse().ok());
    let right: usize = right.with_context(|| format!("no status codes: {said}"))?;
    ensure!((BURST..20).contains(&right), "{right} of 20: {said}");
    let refused = wait::until("the client to be refused", BOUND, || {
        let answer = ask(scene, site, BUSY, "/", &[])?;
        ensure!(answer.status == "429", "{}", answer.head);
        Ok(answer)
    })?;
    ensure!(refused.head.contains("\r\nretry-after: 1"), "{}", refused.head);
    let other = ask(scene, site, BUSY, "/", &["--interface", stranger])?;
    ensure!(other.status == "200", "another client: {}", other.head);
    wait::until("the client to be served again", BOUND, || {
        let answer = ask(scene, site, BUSY, "/", &[])?;
        ensure!(answer.status == "200", "{}", answer.head);
        Ok(())
    })?;
    let view = listener(scene, "busy")?;
    ensure!(view["over_rate_limit"].as_u64() >= Some((20 - right) as u64), "{view}");
    ensure!(view["over_rate_limit"] == view["answers"]["4xx"], "{view}");
    Ok(())
}

/// Twenty requests by h2load, whatever comes of them; what it prints.
fn h2load(scene: &Scene, site: &Site, port: u16, path: &str, args: &[&str]) -> Result<String> {
    let scheme = if port == HTTPS { "https" } else { "http" };
    let url = format!("{scheme}://{EDGE}:{port}{path}");
    let at = format!("--connect-to={}", site.at(port));
    let words = [&["-n20", "-t1", at.as_str()], args, &[url.as_str()]].concat();
    scene.network.topology.client.run("h2load", &words)?.success()
}
