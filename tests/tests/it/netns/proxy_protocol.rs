//! The PROXY protocol with those who speak it for a living: `HAProxy` in front of listeners, `HAProxy` and nginx
//! behind them.
//!
//! The first backend serves, the second is the proxy in front: its address is the one that is trusted. Between
//! client and proxy all is routed by the balancer.

mod peers;

use std::{
    collections::BTreeMap,
    io::{Read as _, Write as _},
    net::{IpAddr, SocketAddr, TcpStream},
};

use anyhow::{Context, Result, ensure};
use tests::{
    netns::Netns,
    topology::{Family, Host},
    wait,
};

use self::peers::{BEHIND, FRONTS, Peers};
use super::{
    clients::{BOUND, EDGE, HTTP, HTTPS, INSIDE, Site, run, told, wants},
    scene::{Network, Scene},
};

/// Pools whose backends must be told who the client is, with what they speak.
const POOLS: [(&str, &str); 6] = [
    ("v1", "HTTP/1.1"),
    ("v2", "HTTP/1.1"),
    ("h2", "HTTP/2.0"),
    ("secure", "HTTP/2.0"),
    ("haproxy-v1", "none"),
    ("haproxy-v2", "none"),
];

/// Listeners that a proxy is in front of.
const ANNOUNCED: u16 = 8090;
const ANNOUNCED_TLS: u16 = 8091;
const ANNOUNCED_TCP: u16 = 8092;
const ANNOUNCED_PASSED: u16 = 8093;
/// Listeners that pass on what anybody says.
const TCP: u16 = 8094;
const PASSED: u16 = 8095;

#[test]
fn clients_are_named_v4() {
    clients_are_named(Family::V4);
}

#[test]
fn clients_are_named_v6() {
    clients_are_named(Family::V6);
}

fn clients_are_named(family: Family) {
    run(wants(family, 2), &["curl", "haproxy"], config, |scene, site| {
        let _peers = Peers::start(scene, site)?;
        let world = World { scene, site };
        world.backends_are_up().context("health checks")?;
        world.proxies_name_their_clients().context("in")?;
        world.nobody_else_is_believed().context("spoofed")?;
        world.a_proxy_must_name_somebody().context("without a header")?;
        world.backends_are_told().context("out")?;
        world.connections_are_for_one_client().context("kept")?;
        Peers::have_checked(site).context("checks of HAProxy")
    });
}

#[expect(clippy::unnecessary_wraps, reason = "what makes configurations may fail")]
fn config(network: &Network, site: &Site) -> Result<String> {
    let ip = network.backend(1).ip();
    let ca = site.authority.file("authority.pem");
    let tls = format!("tls = {{ ca = \"{ca}\", name = \"{INSIDE}\" }}\n");
    let pool = |name: &str, ip: IpAddr, port: u16, http: &str| {
        let at = SocketAddr::new(ip, port);
        let health = "type = \"http\"\ninterval = \"200ms\"\nrise = 1\nfall = 2";
        // Those of HTTP/2 and TLS are probed as what they are.
        let health = match port {
            BEHIND if name == "v1" || name == "v2" => health,
            peers::BEHIND_TLS => "type = \"https\"\ninterval = \"200ms\"\nrise = 1\nfall = 2",
            peers::BEHIND_HAPROXY => health,
            _ => "type = \"tcp\"\ninterval = \"200ms\"\nrise = 1\nfall = 2",
        };
        format!(
            "[[pool]]\nname = \"{name}\"\nbackends = [\"{at}\"]\n[pool.health]\n{health}\n[pool.http]\n{http}\n"
        )
    };
    let proxy = network.backend(2).ip();
    let pools = [
        pool("plain", ip, super::clients::PLAIN, ""),
        pool("v1", ip, BEHIND, "proxy-protocol = \"v1\""),
        pool("v2", ip, BEHIND, "proxy-protocol = \"v2\""),
        pool("h2", ip, peers::BEHIND_H2, "protocol = \"h2\"\nproxy-protocol = \"v2\""),
        pool("secure", ip, peers::BEHIND_TLS, &format!("{tls}proxy-protocol = \"v1\"")),
        pool("haproxy-v1", proxy, peers::BEHIND_HAPROXY, "proxy-protocol = \"v1\""),
        pool("haproxy-v2", proxy, peers::BEHIND_HAPROXY, "proxy-protocol = \"v2\""),
    ];
    let route =
        |name: &str| format!("[[listener.route]]\npath-prefix = \"/{name}\"\npool = \"{name}\"\n");
    let names = POOLS.into_iter().map(|(name, _)| name);
    let routes: String = ["plain"].into_iter().chain(names).map(route).collect();
    let trusting = format!("proxy-protocol = true\ntrusted-proxies = \"{proxy}\"\n");
    let of = |protocol: &str, pool: &str| format!("protocol = \"{protocol}\"\npool = \"{pool}\"\n");
    let listeners = [
        site.listener("edge", HTTP, &routes),
        site.https("tls", HTTPS, &routes),
        site.listener("announced", ANNOUNCED, &format!("{trusting}{routes}")),
        site.https("announced-tls", ANNOUNCED_TLS, &format!("{trusting}{routes}")),
        site.listener("announced-tcp", ANNOUNCED_TCP, &(of("tcp", "v2") + &trusting)),
        site.listener(
            "announced-passed",
            ANNOUNCED_PASSED,
            &(of("tls-passthrough", "secure") + &trusting),
        ),
        site.listener("tcp", TCP, &of("tcp", "v1")),
        site.listener("passed", PASSED, &of("tls-passthrough", "secure")),
    ];
    Ok(pools.concat() + &listeners.concat())
}

struct World<'a> {
    scene: &'a Scene,
    site: &'a Site,
}

/// One answer to curl: what a backend has told, and the client's port.
struct Answer {
    told: BTreeMap<String, String>,
    port: String,
}

impl World<'_> {
    fn netns(&self) -> &Netns {
        &self.scene.network.topology.client
    }

    fn client(&self) -> String {
        self.scene
            .network
            .topology
            .address(Host::Client, self.scene.network.wants.family)
            .to_string()
    }

    /// What backends are told of a connection that curl makes: the addresses of both ends, without the client's port.
    fn ends(&self, at: SocketAddr) -> (String, String) {
        (self.client(), format!("{} {}", at.ip(), at.port()))
    }

    /// Asks `at` for the same path so many times, over one connection.
    fn ask_often(
        &self,
        name: &str,
        tls: bool,
        at: SocketAddr,
        path: &str,
        times: usize,
    ) -> Result<Vec<Answer>> {
        let scheme = if tls { "https" } else { "http" };
        let ip = if at.is_ipv6() { format!("[{}]", at.ip()) } else { at.ip().to_string() };
        let resolve = format!("{name}:{}:{ip}", at.port());
        let url = format!("{scheme}://{name}:{}{path}", at.port());
        let ca = self.site.authority.file("authority.pem");
        let fixed = ["-sS", "-g", "--noproxy", "*", "--max-time", "20", "--cacert", &ca];
        let said = ["--resolve", &resolve, "-w", "port: %{local_port}\nstatus: %{http_code}\n\n"];
        let words = [&fixed[..], &said, &vec![url.as_str(); times]].concat();
        let text = self.netns().run("curl", &words)?.success()?;
        let answers: Vec<_> = text
            .split_terminator("\n\n")
            .map(|answer| {
                let all = told(answer);
                let word = |key| all.get(key).copied().unwrap_or_default();
                ensure!(word("status") == "200", "{url}: {text}");
                let port = word("port").to_owned();
                let told = all.iter().map(|(key, value)| ((*key).to_owned(), (*value).to_owned()));
                Ok(Answer { told: told.collect(), port })
            })
            .collect::<Result<_>>()?;
        ensure!(answers.len() == times, "{} answers from {url}: {text}", answers.len());
        Ok(answers)
    }

    fn ask(&self, name: &str, tls: bool, at: SocketAddr, path: &str) -> Result<Answer> {
        let mut answers = self.ask_often(name, tls, at, path, 1)?;
        answers.pop().context("no answer")
    }

    /// Every probe of a pool that needs a header has one, or its backend would be down.
    fn backends_are_up(&self) -> Result<()> {
        for (pool, _) in POOLS {
            wait::until("the backend to be up", BOUND, || {
                let shown = self.scene.daemon.json(&["pool", "show", pool])?;
                let health = &shown["backends"][0]["health"];
                ensure!(health["state"] == "up", "{pool}: {health}");
                Ok(())
            })?;
        }
        Ok(())
    }

    /// A client that comes by `HAProxy` is known by its own address, whatever is spoken behind the header.
    fn proxies_name_their_clients(&self) -> Result<()> {
        let proxy = self.scene.network.backend(2).ip();
        for front in FRONTS {
            let at = SocketAddr::new(proxy, front.port);
            let what = || format!("by port {} to {}", front.port, front.to);
            let (client, server) = self.ends(at);
            match front.to {
                ANNOUNCED | ANNOUNCED_TLS => {
                    let tls = front.to == ANNOUNCED_TLS;
                    let answer = self.ask(EDGE, tls, at, "/plain/x").with_context(what)?;
                    ensure!(
                        answer.told["x-forwarded-for"] == client,
                        "{}: {:?}",
                        what(),
                        answer.told
                    );
                    // What was told is told on.
                    let answer = self.ask(EDGE, tls, at, "/v2/x").with_context(what)?;
                    answer.is_of(&client, &server).with_context(what)?;
                }
                ANNOUNCED_TCP => {
                    self.ask(EDGE, false, at, "/x")
                        .and_then(|it| it.is_of(&client, &server))
                        .with_context(what)?;
                }
                _ => {
                    self.ask(INSIDE, true, at, "/x")
                        .and_then(|it| it.is_of(&client, &server))
                        .with_context(what)?;
                }
            }
        }
        Ok(())
    }

    /// Says something to a listener, and returns what it answers until it closes.
    fn say(&self, from: &Netns, port: u16, words: &[u8]) -> Result<String> {
        let at = self.site.at(port);
        from.enter(|| {
            let mut stream = TcpStream::connect_timeout(&at, BOUND)?;
            stream.set_read_timeout(Some(BOUND))?;
            stream.write_all(words)?;
            let mut heard = Vec::new();
            match stream.read_to_end(&mut heard) {
                Err(error) if error.kind() != std::io::ErrorKind::ConnectionReset => {
                    Err(error.into())
                }
                _ => Ok(String::from_utf8_lossy(&heard).into_owned()),
            }
        })
    }

    /// A client that nobody trusts is who it is, and cannot be somebody else.
    fn nobody_else_is_believed(&self) -> Result<()> {
        let answer = self.ask(EDGE, false, self.site.at(ANNOUNCED), "/plain/direct")?;
        ensure!(answer.told["x-forwarded-for"] == self.client(), "{:?}", answer.told);
        let answer = self.ask(EDGE, false, self.site.at(ANNOUNCED_TCP), "/direct")?;
        let (client, server) = self.ends(self.site.at(ANNOUNCED_TCP));
        answer.is_of(&client, &server)?;
        let request = "GET /plain/spoofed HTTP/1.1\r\nHost: h\r\nConnection: close\r\n\r\n";
        let line = "PROXY TCP4 203.0.113.9 203.0.113.10 1000 80\r\n";
        let bytes = b"\r\n\r\n\0\r\nQUIT\n\x21\x11\0\x0c\xcb\0\x71\x09\xcb\0\x71\x0a\x03\xe8\0\x50";
        for header in [line.as_bytes(), bytes] {
            for port in [ANNOUNCED, HTTP] {
                let said = self.say(self.netns(), port, &[header, request.as_bytes()].concat())?;
                ensure!(said.starts_with("HTTP/1.1 400 "), "port {port}: {said}");
            }
            // It is no TLS either.
            let said =
                self.say(self.netns(), ANNOUNCED_TLS, &[header, request.as_bytes()].concat())?;
            ensure!(!said.contains("HTTP/1.1 "), "{said}");
        }
        let spoofed = self.site.backends[0].requests()?;
        ensure!(!spoofed.iter().any(|told| told.contains("/spoofed")), "{spoofed:?}");
        Ok(())
    }

    /// A proxy that says nothing of its client, or nothing right, is not served.
    fn a_proxy_must_name_somebody(&self) -> Result<()> {
        let proxy = self.scene.network.topology.backend(2);
        let request = "GET /plain/unannounced HTTP/1.1\r\nHost: h\r\n\r\n";
        let wrong = [
            "",
            "PROXY TCP4 203.0.113.9 203.0.113.10 1000 080\r\n",
            "\r\n\r\n\0\r\nQUIT\n\x21\x11\0\x01",
        ];
        for (nth, header) in (1..).zip(wrong) {
            for (name, port) in [("announced", ANNOUNCED), ("announced-tcp", ANNOUNCED_TCP)] {
                let said = self.say(proxy, port, format!("{header}{request}").as_bytes())?;
                ensure!(said.is_empty(), "{header:?} at {port}: {said}");
                wait::until("the refusal to be counted", BOUND, || {
                    let shown = self.scene.daemon.json(&["listener", "show", name])?;
                    ensure!(shown["unannounced"] == nth, "{nth}: {shown}");
                    Ok(())
                })?;
            }
        }
        let right = format!(
            "PROXY UNKNOWN\r\n{}",
            request.replace("\r\n\r\n", "\r\nConnection: close\r\n\r\n")
        );
        let said = self.say(proxy, ANNOUNCED, right.as_bytes())?;
        let own = format!("x-forwarded-for: {}\n", self.scene.network.backend(2).ip());
        ensure!(said.contains(&own), "{said}");
        let shown = self.scene.daemon.ok(&["listener", "show", "announced"])?;
        ensure!(shown.contains("no header    3"), "{shown}");
        Ok(())
    }

    /// Backends behind a pool with `proxy-protocol` know the client, by address and port, and where it has come to.
    fn backends_are_told(&self) -> Result<()> {
        for (port, tls) in [(HTTP, false), (HTTPS, true)] {
            let at = self.site.at(port);
            let (client, server) = self.ends(at);
            for (pool, protocol) in POOLS {
                let answer = self.ask(EDGE, tls, at, &format!("/{pool}/x"))?;
                let what = || format!("{pool} by port {port}");
                answer.is_of(&client, &server).with_context(what)?;
                ensure!(answer.told["client-port"] == answer.port, "{}: {:?}", what(), answer.told);
                ensure!(answer.told["protocol"] == protocol, "{}: {:?}", what(), answer.told);
            }
        }
        for (name, port, tls) in [(EDGE, TCP, false), (INSIDE, PASSED, true)] {
            let at = self.site.at(port);
            let (client, server) = self.ends(at);
            let answer = self.ask(name, tls, at, "/x")?;
            answer.is_of(&client, &server).with_context(|| format!("port {port}"))?;
            ensure!(answer.told["client-port"] == answer.port, "port {port}: {:?}", answer.told);
        }
        Ok(())
    }

    /// A client's requests share a connection to the backend; those of two clients never do.
    fn connections_are_for_one_client(&self) -> Result<()> {
        let at = self.site.at(HTTP);
        for pool in ["v1", "v2", "h2", "secure"] {
            let mut seen = Vec::new();
            for _ in 0..3 {
                let answers = self.ask_often(EDGE, false, at, &format!("/{pool}/kept"), 4)?;
                let connections: Vec<_> = answers.iter().map(|it| &it.told["connection"]).collect();
                let [first, rest @ ..] = &connections[..] else { unreachable!("4 answers") };
                ensure!(rest.iter().all(|it| it == first), "{pool}: {connections:?}");
                ensure!(answers.iter().all(|it| it.told["client-port"] == it.port), "{pool}");
                ensure!(!seen.contains(*first), "{pool}: {first} again, after {seen:?}");
                seen.push((*first).clone());
            }
        }
        Ok(())
    }
}

impl Answer {
    fn is_of(&self, client: &str, server: &str) -> Result<()> {
        let told = (&*self.told["client"], &*self.told["server"]);
        ensure!(told == (client, server), "{client} to {server}: {:?}", self.told);
        Ok(())
    }
}
