//! Who stays with which backend: by what is hashed, and by a cookie.

use std::collections::{BTreeMap, BTreeSet};

use anyhow::{Context, Result, ensure};
use tests::topology::Family;

use super::{
    super::scene::{Network, Scene},
    HTTP, PLAIN, Site,
    curl::{Answer, ask},
    pool, run, told, wants,
};

const BACKENDS: u8 = 4;
/// Clients that are told apart. That a backend of four is nobody's happens once in some million times.
const KEYS: usize = 60;
const REQUESTS: usize = 12;
/// Pools, and the paths that lead to them.
const POOLS: [(&str, &str); 4] = [
    ("header", "balance = \"hash\"\nhash-by = \"header:x-one\""),
    ("cookie", "balance = \"hash\"\nhash-by = \"cookie:user\""),
    ("client", "balance = \"hash\""),
    ("sticky", "sticky-cookie = \"place\""),
];

#[test]
fn clients_stay_v4() {
    clients_stay(Family::V4);
}

#[test]
fn clients_stay_v6() {
    clients_stay(Family::V6);
}

fn clients_stay(family: Family) {
    run(wants(family, BACKENDS), &["curl"], config, |scene, site| {
        keys_have_backends(scene, site)?;
        the_client_has_one(scene, site)?;
        a_cookie_keeps_a_client(scene, site)
    });
}

#[expect(clippy::unnecessary_wraps, reason = "what makes configurations may fail")]
fn config(network: &Network, site: &Site) -> Result<String> {
    let pools = POOLS.map(|(name, http)| pool(network, name, PLAIN, &[], http));
    let routes = POOLS
        .map(|(name, _)| format!("[[listener.route]]\npath = \"/{name}\"\npool = \"{name}\"\n"));
    Ok(pools.concat() + &site.listener("edge", HTTP, &routes.concat()))
}

/// Asks once; the answer and the backend that gave it.
fn asked(scene: &Scene, site: &Site, path: &str, header: &str) -> Result<(Answer, String)> {
    let answer = ask(scene, site, HTTP, path, &["-H", header])?;
    let name = told(&answer.body).get("name").copied().map(str::to_owned);
    let name = name.with_context(|| format!("no name: {} {}", answer.head, answer.body))?;
    Ok((answer, name))
}

fn keys_have_backends(scene: &Scene, site: &Site) -> Result<()> {
    for (path, header) in [("/header", "X-One: key"), ("/cookie", "Cookie: a=b; user=key")] {
        let owners = || -> Result<BTreeMap<_, _>> {
            let owner = |key| Ok((key, asked(scene, site, path, &format!("{header}{key}"))?.1));
            (0..KEYS).map(owner).collect()
        };
        let first = owners()?;
        ensure!(first == owners()?, "{path}: some keys have moved");
        let used: BTreeSet<_> = first.values().collect();
        ensure!(used.len() == usize::from(BACKENDS), "{path}: only {used:?} are used");
    }
    Ok(())
}

fn the_client_has_one(scene: &Scene, site: &Site) -> Result<()> {
    let name = || Ok(asked(scene, site, "/client", "X-One: any")?.1);
    let used: BTreeSet<String> = (0..REQUESTS).map(|_| name()).collect::<Result<_>>()?;
    ensure!(used.len() == 1, "one client went to {used:?}");
    Ok(())
}

/// The first answer sets a cookie, which leads to the same backend until that takes no requests.
fn a_cookie_keeps_a_client(scene: &Scene, site: &Site) -> Result<()> {
    let (answer, first) = asked(scene, site, "/sticky", "X-One: any")?;
    let cookie = cookie(&answer).context("no cookie in the first answer")?;
    let header = format!("Cookie: {cookie}");
    for _ in 0..REQUESTS {
        let (answer, name) = asked(scene, site, "/sticky", &header)?;
        ensure!(name == first, "{name} instead of {first}");
        ensure!(self::cookie(&answer).is_none(), "another cookie: {}", answer.head);
    }
    let others = (0..REQUESTS).map(|_| Ok(asked(scene, site, "/sticky", "X-One: any")?.1));
    let others: BTreeSet<String> = others.collect::<Result<_>>()?;
    ensure!(others.len() == usize::from(BACKENDS), "without a cookie only {others:?}");

    let n: u8 = first.trim_start_matches("backend").parse()?;
    let address = std::net::SocketAddr::new(scene.network.backend(n).ip(), PLAIN).to_string();
    scene.daemon.ok(&["backend", "drain", "sticky", &address])?;
    let (answer, second) = asked(scene, site, "/sticky", &header)?;
    ensure!(second != first, "a drained backend got a request");
    let cookie = self::cookie(&answer).context("no cookie in place of the old one")?;
    let (_, again) = asked(scene, site, "/sticky", &format!("Cookie: {cookie}"))?;
    ensure!(again == second, "{again} instead of {second}");
    Ok(())
}

/// The cookie that an answer sets: name and value, in small letters, which is what its values are made of.
fn cookie(answer: &Answer) -> Option<String> {
    let line = answer.head.lines().find_map(|line| line.strip_prefix("set-cookie: "))?;
    line.split(';').next().map(str::to_owned)
}
