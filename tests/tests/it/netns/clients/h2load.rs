//! Many requests at one time by h2load: all are answered, each by one backend, spread as the pool says.
//!
//! Who got how many is read from the logs of the backends, so that our own counters are judged, too.

use std::fs;

use anyhow::{Context, Result, ensure};
use serde_json::Value;
use tests::topology::Family;

use super::{
    super::scene::{Network, Scene},
    EDGE, HTTP, HTTPS, PLAIN, Site, pool, run, wants,
};

/// Requests of each run. They are made by several connections with several requests at a time.
const REQUESTS: usize = 2000;
/// Bytes of the body of a request that has one: more than a frame of HTTP/2 has.
const BODY: usize = 20_000;
const BACKENDS: u8 = 4;
/// Weights of the backends of `round-robin` and `random`.
const WEIGHTS: [u32; 4] = [1, 1, 2, 4];

#[test]
fn every_request_is_answered_v4() {
    run(wants(Family::V4, 2), &["h2load"], protocols, every_request_is_answered);
}

#[test]
fn every_request_is_answered_v6() {
    run(wants(Family::V6, 2), &["h2load"], protocols, every_request_is_answered);
}

#[test]
fn requests_are_spread_as_the_pool_says_v4() {
    run(wants(Family::V4, BACKENDS), &["h2load"], algorithms, requests_are_spread);
}

#[test]
fn requests_are_spread_as_the_pool_says_v6() {
    run(wants(Family::V6, BACKENDS), &["h2load"], algorithms, requests_are_spread);
}

/// A pool for each protocol that backends speak, chosen by path.
#[expect(clippy::unnecessary_wraps, reason = "what makes configurations may fail")]
fn protocols(network: &Network, site: &Site) -> Result<String> {
    let route =
        |name: &str| format!("[[listener.route]]\npath-prefix = \"/{name}\"\npool = \"{name}\"\n");
    let routes = ["plain", "h2", "secure"].map(route).concat();
    let routes = routes + "[[listener.route]]\npath = \"/own\"\nrespond = 200\n";
    let listeners = site.listener("edge", HTTP, &routes) + &site.https("tls", HTTPS, &routes);
    Ok(site.pools(network) + &listeners)
}

/// Each protocol of clients to each of backends, without a body and with one.
fn every_request_is_answered(scene: &mut Scene, site: &mut Site) -> Result<()> {
    let body = site.authority.file("body");
    fs::write(&body, "x".repeat(BODY))?;
    let body = format!("--data={body}");
    for (port, flags, protocol) in [
        (HTTP, &["--h1"][..], "http/1.1"),
        (HTTP, &[], "h2c"),
        (HTTPS, &["--h1"], "http/1.1"),
        (HTTPS, &[], "h2"),
    ] {
        // Answered before the body is there.
        load(scene, site, port, "/own", &[flags, &[body.as_str()]].concat())?;
        for (path, inside) in [("plain", "HTTP/1.1"), ("h2", "HTTP/2.0"), ("secure", "HTTP/2.0")] {
            for (method, end, more) in [("GET", "", &[][..]), ("POST", "/body", &[body.as_str()])] {
                let path = format!("/{path}{end}?{port}-{protocol}");
                let said = load(scene, site, port, &path, &[flags, more].concat())?;
                let agreed = format!("Application protocol: {protocol}");
                ensure!(said.contains(&agreed), "not `{agreed}`: {said}");
                let counts = site.answered(&format!("{inside} {method} {path} 200"), REQUESTS)?;
                ensure!(counts.iter().all(|count| *count > REQUESTS / 4), "{path}: {counts:?}");
            }
        }
    }
    Ok(())
}

/// Runs h2load, all of whose requests must succeed; what it prints.
fn load(scene: &Scene, site: &Site, port: u16, path: &str, args: &[&str]) -> Result<String> {
    let scheme = if port == HTTPS { "https" } else { "http" };
    let url = format!("{scheme}://{EDGE}:{port}{path}");
    let at = format!("--connect-to={}", site.at(port));
    let requests = format!("-n{REQUESTS}");
    let fixed = [requests.as_str(), "-c10", "-m4", "-t1", &at];
    let words = [&fixed, args, &[url.as_str()]].concat();
    let said = scene.network.topology.client.run("h2load", &words)?.success()?;
    let (done, codes) =
        (format!("{REQUESTS} succeeded, 0 failed, 0 errored"), format!("{REQUESTS} 2xx, 0 3xx"));
    ensure!(said.contains(&done) && said.contains(&codes), "{url}: {said}");
    Ok(said)
}

/// What is to be expected of the numbers of requests that the backends got.
type Expected = fn(&[usize]) -> Result<()>;

/// How requests are spread: the name of a pool and of the path that leads to it, its weights and settings, and
/// what comes of it.
const ALGORITHMS: [(&str, &[u32], &str, Expected); 6] = [
    ("round-robin", &WEIGHTS, "balance = \"round-robin\"", by_turns),
    ("random", &WEIGHTS, "balance = \"random\"", by_chance),
    ("two-choices", &[], "balance = \"two-choices\"", everybody_gets_some),
    ("least-requests", &[], "balance = \"least-requests\"", everybody_gets_some),
    ("first-is-late", &[], "balance = \"least-requests\"", the_first_is_spared),
    ("hash", &[], "balance = \"hash\"\nhash-by = \"header:x-one\"", one_gets_all),
];

#[expect(clippy::unnecessary_wraps, reason = "what makes configurations may fail")]
fn algorithms(network: &Network, site: &Site) -> Result<String> {
    let pools =
        ALGORITHMS.map(|(name, weights, http, _)| pool(network, name, PLAIN, weights, http));
    let routes = ALGORITHMS.map(|(name, ..)| {
        format!("[[listener.route]]\npath-prefix = \"/{name}\"\npool = \"{name}\"\n")
    });
    Ok(pools.concat() + &site.https("edge", HTTPS, &routes.concat()))
}

fn requests_are_spread(scene: &mut Scene, site: &mut Site) -> Result<()> {
    for (name, .., expected) in ALGORITHMS {
        load(scene, site, HTTPS, &format!("/{name}"), &["-H", "x-one: somebody"])?;
        let counts = site.answered(&format!(" GET /{name} 200"), REQUESTS)?;
        expected(&counts).with_context(|| format!("{name}: {counts:?}"))?;
        let view = scene.daemon.json(&["pool", "show", name])?;
        assert_eq!(ours(&view), counts, "the pool tells something else: {view}");
    }
    Ok(())
}

/// Our own counts of requests, by backend.
fn ours(view: &Value) -> Vec<usize> {
    let backends = view["backends"].as_array().into_iter().flatten();
    let count = |it: &Value| it["requests"]["sent"].as_u64().and_then(|n| n.try_into().ok());
    backends.map(|it| count(it).unwrap_or_default()).collect()
}

fn share(nth: usize) -> f64 {
    f64::from(WEIGHTS[nth]) / f64::from(WEIGHTS.iter().sum::<u32>())
}

#[expect(clippy::cast_precision_loss, reason = "some thousands")]
fn each(counts: &[usize], allowed: impl Fn(f64) -> f64) -> Result<()> {
    for (nth, count) in counts.iter().enumerate() {
        let expected = share(nth) * REQUESTS as f64;
        let away = (*count as f64 - expected).abs();
        ensure!(away <= allowed(share(nth)), "{count} instead of {expected}");
    }
    Ok(())
}

/// Each worker has turns of its own, and may be in the middle of them.
fn by_turns(counts: &[usize]) -> Result<()> {
    #[expect(clippy::cast_precision_loss, reason = "some dozens")]
    let workers = std::thread::available_parallelism()?.get() as f64;
    each(counts, |_| workers * f64::from(WEIGHTS[3]))
}

/// Six standard deviations of the binomial distribution: by chance once in some hundred million.
#[expect(clippy::cast_precision_loss, reason = "some thousands")]
fn by_chance(counts: &[usize]) -> Result<()> {
    each(counts, |share| 6.0 * (REQUESTS as f64 * share * (1.0 - share)).sqrt())
}

/// Who is slower for reasons of its own gets less, which is the point.
fn everybody_gets_some(counts: &[usize]) -> Result<()> {
    let fewest = REQUESTS / usize::from(BACKENDS) / 4;
    ensure!(counts.iter().all(|count| *count > fewest), "somebody got less than {fewest}");
    Ok(())
}

fn the_first_is_spared(counts: &[usize]) -> Result<()> {
    ensure!(counts[0] > 0, "it has fewest requests at the beginning, and got none");
    let fewest = counts[1..].iter().min().context("no others")?;
    ensure!(counts[0] < fewest / 2, "it got half of what another got");
    Ok(())
}

fn one_gets_all(counts: &[usize]) -> Result<()> {
    ensure!(counts.iter().filter(|count| **count > 0).count() == 1);
    Ok(())
}
