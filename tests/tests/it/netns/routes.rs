//! Routes: each condition, each action and each change on the way, asked by curl and answered by nginx.
//!
//! What is tested in the process of the proxy alone is the order of routes and the odd cases; here it is that
//! what the configuration says is what happens on the wire, in both versions of HTTP and of IP.

mod actions;
mod conditions;

use std::{collections::BTreeSet, net::SocketAddr};

use anyhow::{Context, Result, ensure};
use tests::topology::{Family, Host};

use super::{
    clients::{HTTP, PLAIN, Site, curl::ask, run, wants},
    scene::{Network, Scene},
};

/// Versions of HTTP, as curl is told.
const VERSIONS: [&str; 2] = ["--http1.1", "--http2-prior-knowledge"];

#[test]
fn conditions_v4() {
    conditions(Family::V4);
}

#[test]
fn conditions_v6() {
    conditions(Family::V6);
}

#[test]
fn actions_v4() {
    actions(Family::V4);
}

#[test]
fn actions_v6() {
    actions(Family::V6);
}

fn conditions(family: Family) {
    let config = |network: &Network, site: &Site| {
        let client = network.topology.address(Host::Client, family);
        let routes = conditions::routes(client);
        Ok(pools(network) + &site.listener("edge", HTTP, &format!("pool = \"first\"\n{routes}")))
    };
    run(wants(family, 2), &["curl"], config, |scene, site| all(scene, site, conditions::CASES));
}

fn actions(family: Family) {
    let config = |network: &Network, site: &Site| {
        Ok(pools(network) + &site.listener("edge", HTTP, actions::ROUTES))
    };
    run(wants(family, 2), &["curl"], config, |scene, site| {
        all(scene, site, actions::CASES)?;
        actions::requests_are_drawn_by_weight(scene, site)
    });
}

/// Pools of one backend each.
fn pools(network: &Network) -> String {
    let one = |name: &str, n| {
        let address = SocketAddr::new(network.backend(n).ip(), PLAIN);
        format!("[[pool]]\nname = \"{name}\"\nbackends = [\"{address}\"]\n")
    };
    one("first", 1) + &one("second", 2)
}

/// A request and what must come of it.
pub(super) struct Case {
    /// What is shown.
    what: &'static str,
    path: &'static str,
    /// Arguments of curl.
    args: &'static [&'static str],
    /// Lines that stand in the head of the answer or in its body, which tells what the backend was asked. One
    /// that begins with `!` is the beginning of a line that does not.
    lines: &'static [&'static str],
}

const fn case(
    what: &'static str,
    path: &'static str,
    args: &'static [&'static str],
    lines: &'static [&'static str],
) -> Case {
    Case { what, path, args, lines }
}

fn all(scene: &Scene, site: &Site, cases: &[Case]) -> Result<()> {
    for case in cases {
        for version in VERSIONS {
            case.check(scene, site, version).with_context(|| {
                format!("{}: {} {version} {:?}", case.what, case.path, case.args)
            })?;
        }
    }
    Ok(())
}

impl Case {
    fn check(&self, scene: &Scene, site: &Site, version: &str) -> Result<()> {
        let args = [&[version][..], self.args].concat();
        let answer = ask(scene, site, HTTP, self.path, &args)?;
        let status = format!("status: {}", answer.status);
        let shown = format!("{status}\n{}\n{}", answer.head, answer.body);
        let lines: BTreeSet<_> = shown.lines().collect();
        for line in self.lines {
            match line.strip_prefix('!') {
                Some(line) => {
                    let stands = lines.iter().any(|it| it.starts_with(line));
                    ensure!(!stands, "`{line}` stands in:\n{shown}");
                }
                None => ensure!(lines.contains(line), "no `{line}` in:\n{shown}"),
            }
        }
        Ok(())
    }
}
