//! Who speaks the PROXY protocol with the balancer: nginx on the first backend, `HAProxy` on the second.

use std::net::SocketAddr;

use anyhow::{Result, ensure};
use tests::{haproxy::Haproxy, nginx::Nginx, wait};

use super::{
    super::{
        clients::{BOUND, Site},
        scene::Scene,
    },
    ANNOUNCED, ANNOUNCED_PASSED, ANNOUNCED_TCP, ANNOUNCED_TLS,
};

/// Where nginx expects a header: in front of HTTP/1.1, of HTTP/2, and of TLS.
pub(super) const BEHIND: u16 = 8100;
pub(super) const BEHIND_H2: u16 = 8101;
pub(super) const BEHIND_TLS: u16 = 8102;
/// Where `HAProxy` does.
pub(super) const BEHIND_HAPROXY: u16 = 9100;

/// A port of `HAProxy`, and what is behind it.
pub(super) struct Front {
    pub(super) port: u16,
    /// The listener's port.
    pub(super) to: u16,
    /// How `HAProxy` speaks to it.
    how: &'static str,
}

const fn front(port: u16, to: u16, how: &'static str) -> Front {
    Front { port, to, how }
}

pub(super) const FRONTS: [Front; 8] = [
    front(9001, ANNOUNCED, "send-proxy"),
    front(9002, ANNOUNCED, "send-proxy-v2"),
    front(9003, ANNOUNCED_TLS, "send-proxy"),
    // With TLVs, one of them a checksum.
    front(9004, ANNOUNCED_TLS, "send-proxy-v2 proxy-v2-options crc32c,authority"),
    front(9005, ANNOUNCED_TCP, "send-proxy"),
    front(9006, ANNOUNCED_TCP, "send-proxy-v2 proxy-v2-options crc32c"),
    front(9007, ANNOUNCED_PASSED, "send-proxy"),
    front(9008, ANNOUNCED_PASSED, "send-proxy-v2"),
];

pub(super) struct Peers {
    _haproxy: Haproxy,
    _nginx: Nginx,
}

impl Peers {
    pub(super) fn start(scene: &Scene, site: &Site) -> Result<Self> {
        Ok(Self { _haproxy: haproxy(scene, site)?, _nginx: nginx(scene, site)? })
    }

    /// The checks that `HAProxy` makes are served, although they are for no client.
    pub(super) fn have_checked(site: &Site) -> Result<()> {
        for front in FRONTS.iter().filter(|front| front.to == ANNOUNCED) {
            let line = format!("GET /plain/check-{} 200", front.port);
            wait::until("HAProxy to have checked the listener", BOUND, || {
                let requests = site.backends[0].requests()?;
                ensure!(requests.iter().any(|told| told.ends_with(&line)), "no `{line}`");
                Ok(())
            })?;
        }
        Ok(())
    }
}

fn nginx(scene: &Scene, site: &Site) -> Result<Nginx> {
    let ip = scene.network.backend(1).ip();
    let listens = [BEHIND, BEHIND_H2, BEHIND_TLS].map(|port| SocketAddr::new(ip, port));
    let [plain, h2, tls] = listens;
    let [certificate, key] = ["inside.pem", "inside.key"].map(|name| site.authority.file(name));
    let server = format!(
        r#"    server {{
        listen {plain} proxy_protocol;
        listen {h2} http2 proxy_protocol;
        listen {tls} ssl http2 proxy_protocol;
        ssl_certificate {certificate};
        ssl_certificate_key {key};
        location / {{ return 200 "client: $proxy_protocol_addr\nclient-port: $proxy_protocol_port\nserver: $proxy_protocol_server_addr $proxy_protocol_server_port\nprotocol: $server_protocol\nconnection: $connection\n"; }}
    }}
"#
    );
    let directory = site.authority.file("announced");
    Nginx::start(scene.network.topology.backend(1), directory.as_ref(), &server, &listens)
}

fn haproxy(scene: &Scene, site: &Site) -> Result<Haproxy> {
    let ip = scene.network.backend(2).ip();
    let own = |port| SocketAddr::new(ip, port);
    let mut sections = Vec::new();
    for Front { port, to, how } in FRONTS {
        let check = if to == ANNOUNCED {
            // A request of its own, behind a header of its own.
            format!(
                "    option httpchk\n    http-check send meth GET uri /plain/check-{port} ver HTTP/1.1 hdr Host h\n"
            )
        } else {
            String::new()
        };
        let (at, server) = (own(port), site.at(to));
        sections.push(format!(
            "listen to-{port}\n    bind {at}\n{check}    server s {server} {how} check check-send-proxy inter 200ms\n"
        ));
    }
    let at = own(BEHIND_HAPROXY);
    sections.push(format!(
        "frontend behind\n    mode http\n    bind {at} accept-proxy\n    http-request return status 200 content-type text/plain lf-string \"client: %[src]\\nclient-port: %[src_port]\\nserver: %[dst] %[dst_port]\\nprotocol: none\\n\"\n"
    ));
    let listens: Vec<_> = FRONTS.iter().map(|front| own(front.port)).chain([at]).collect();
    let directory = site.authority.file("haproxy");
    Haproxy::start(
        scene.network.topology.backend(2),
        directory.as_ref(),
        &sections.concat(),
        &listens,
    )
}
