//! What changes: with each step, members and weights of pools, how they balance, routes and what they do, whole
//! listeners and pools beside those in use, and settings of TLS.

use std::fs;

use anyhow::{Result, ensure};
use tests::wait;

use super::{
    super::{
        clients::{BOUND, EDGE, H2, HTTP, HTTPS, PLAIN, SECURE, Site, websocket::SOCKETS},
        scene::{Network, Scene},
    },
    curl,
};

/// A listener that passes on bytes to backends that speak HTTP/1.1.
pub(super) const BYTES: u16 = 8082;
/// One that passes them on to servers of WebSocket.
pub(super) const TUNNELS: u16 = 8083;
/// One that comes and goes.
const EXTRA: u16 = 8084;
/// What tells certificates apart: the beginning of one of their names.
pub(super) const MARK: &str = "number-";

/// Replaces the certificate of the listener. Its number is in one of its names, where who sees the certificate
/// finds it without taking it apart.
pub(super) fn certify(site: &Site, number: u64) -> Result<()> {
    let name = format!("{MARK}{number:04}.example.org");
    site.authority.certify("edge", &[EDGE, &name], 1000 + number)
}

/// Whether backends are looked after.
#[derive(Clone, Copy, Eq, PartialEq)]
pub(super) enum Checks {
    /// Not at all.
    None,
    /// Several times a second.
    Quick,
}

/// A state of the configuration.
#[derive(Clone, Copy)]
pub(super) struct Step {
    pub(super) number: u64,
    pub(super) checks: Checks,
}

impl Step {
    /// All of it but what the network asks for.
    pub(super) fn config(self, network: &Network, site: &Site) -> String {
        let pools = [
            self.pool(network, "plain", PLAIN, ""),
            self.pool(network, "h2", H2, "protocol = \"h2\""),
            self.pool(network, "secure", SECURE, "tls = { verify = false }"),
            self.pool(network, "sockets", SOCKETS, ""),
        ];
        let routes = self.routes();
        let least = if (self.number / 5).is_multiple_of(2) { "1.2" } else { "1.3" };
        let [certificate, key] = ["edge.pem", "edge.key"].map(|name| site.authority.file(name));
        let tls = format!(
            "protocol = \"https\"\ntls = {{ certificates = [{{ certificate = \"{certificate}\", key = \"{key}\" }}], least-version = \"{least}\" }}\n"
        );
        let listeners = [
            site.listener("edge", HTTP, &routes),
            site.listener("tls", HTTPS, &(tls + &routes)),
            site.listener("bytes", BYTES, "protocol = \"tcp\"\npool = \"plain\""),
            site.listener("tunnels", TUNNELS, "protocol = \"tcp\"\npool = \"sockets\""),
        ];
        pools.concat() + &listeners.concat() + &self.extra(network, site)
    }

    /// One backend after the other is left out for a step, and every fourth step none.
    fn pool(self, network: &Network, name: &str, port: u16, http: &str) -> String {
        let balance = ["round-robin", "least-requests", "two-choices"][(self.number % 3) as usize];
        let weight = |n: u8| 1 + (self.number + u64::from(n)) % 3;
        let members = (1..=network.wants.backends).filter(|n| self.number % 4 != u64::from(*n));
        let backends: Vec<_> = members
            .map(|n| {
                let address = std::net::SocketAddr::new(network.backend(n).ip(), port);
                format!("{{ address = \"{address}\", weight = {} }}", weight(n))
            })
            .collect();
        let backends = backends.join(", ");
        let health = match self.checks {
            Checks::None => "",
            Checks::Quick => {
                "[pool.health]\ntype = \"tcp\"\ninterval = \"200ms\"\nrise = 1\nfall = 1\n"
            }
        };
        format!(
            "[[pool]]\nname = \"{name}\"\nbackends = [{backends}]\n{health}[pool.http]\nbalance = \"{balance}\"\n{http}\n"
        )
    }

    fn routes(self) -> String {
        let number = self.number;
        let to = |name: &str| {
            format!(
                "[[listener.route]]\npath-prefix = \"/{name}\"\npool = \"{name}\"\nset-response-headers = {{ x-step = \"{number}\" }}\n"
            )
        };
        let used = ["plain", "h2", "secure", "sockets"].map(to).concat();
        // Routes that nobody asks for come before and after those in use.
        let beside = (0..number % 5)
            .map(|n| format!("[[listener.route]]\npath = \"/{n}/{number}\"\nrespond = 204\n"));
        let beside = beside.collect::<Vec<_>>().concat();
        let told = format!(
            "[[listener.route]]\npath = \"/step\"\nrespond = {{ status = 200, body = \"{number}\" }}\n"
        );
        if number.is_multiple_of(2) { beside + &used + &told } else { told + &used + &beside }
    }

    /// A pool and a listener of every second step.
    fn extra(self, network: &Network, site: &Site) -> String {
        if self.number.is_multiple_of(2) {
            return String::new();
        }
        self.pool(network, "extra", PLAIN, "") + &site.listener("extra", EXTRA, "pool = \"extra\"")
    }

    /// Makes the daemon follow.
    pub(super) fn apply(self, scene: &Scene, site: &Site) -> Result<()> {
        let network = &scene.network;
        let file = &network.files().config;
        fs::write(file, network.config() + &self.config(network, site))?;
        scene.daemon.ok(&["apply", &file.to_string_lossy()]).map(drop)
    }

    /// Whether requests go by it, from now on.
    pub(super) fn holds(self, scene: &Scene, site: &Site) -> Result<()> {
        let said = curl(scene, site, HTTP, "/step")?;
        ensure!(said == self.number.to_string(), "requests go by configuration {said}");
        let comes = !self.number.is_multiple_of(2);
        wait::until("the listener beside to come or go", BOUND, || {
            let answers = curl(scene, site, EXTRA, "/").is_ok();
            ensure!(answers == comes, "it answers: {answers}");
            Ok(())
        })
    }
}
