//! Layer 7 with clients and servers that others have written: what two pieces of our own could agree on and
//! still be wrong about.
//!
//! The backends run nginx. Each answers with its name and with what it was asked, one `key: value` a
//! line, at three ports: HTTP/1.1, HTTP/2 without TLS, and either over TLS.

pub(crate) mod authority;
mod callers;
mod compression;
pub(crate) mod curl;
mod grpc;
mod h2load;
mod keys;
mod limits;
mod openssl;
pub(crate) mod websocket;

use std::{
    collections::BTreeMap,
    net::{IpAddr, SocketAddr},
    path::PathBuf,
    time::Duration,
};

use anyhow::{Result, ensure};
use tests::{
    nginx::Nginx,
    require::{self, Need},
    topology::Family,
    wait,
};

use self::authority::Authority;
use super::scene::{Network, Scene, Wants, backend_name};

/// Where backends speak HTTP/1.1.
pub(crate) const PLAIN: u16 = 8000;
/// Where they speak HTTP/2 without TLS.
pub(crate) const H2: u16 = 8001;
/// Where they speak both over TLS.
pub(crate) const SECURE: u16 = 8002;
/// Ports of the listeners: without TLS and with it.
pub(crate) const HTTP: u16 = 8081;
pub(crate) const HTTPS: u16 = 8443;
/// The name of the listeners, and that of the backends.
pub(crate) const EDGE: &str = "edge.example.org";
pub(crate) const INSIDE: &str = "inside.example.org";
/// For what takes milliseconds, on a machine under load.
pub(crate) const BOUND: Duration = Duration::from_secs(20);

/// What backends tell of a request: nginx's variables.
const TOLD: [(&str, &str); 17] = [
    ("protocol", "$server_protocol"),
    ("method", "$request_method"),
    ("host", "$host"),
    ("uri", "$request_uri"),
    ("length", "$content_length"),
    ("cookie", "$http_cookie"),
    ("x-one", "$http_x_one"),
    ("x-two", "$http_x_two"),
    ("via", "$http_via"),
    ("x-forwarded-for", "$http_x_forwarded_for"),
    ("x-forwarded-proto", "$http_x_forwarded_proto"),
    ("x-forwarded-host", "$http_x_forwarded_host"),
    ("x-forwarded-port", "$http_x_forwarded_port"),
    ("forwarded", "$http_forwarded"),
    ("x-request-id", "$http_x_request_id"),
    ("traceparent", "$http_traceparent"),
    ("tracestate", "$http_tracestate"),
];

/// What the tests share: the backends, and who signs their certificates and those of the listeners.
pub(crate) struct Site {
    pub(crate) authority: Authority,
    pub(crate) backends: Vec<Nginx>,
    /// Address of the listeners.
    pub(crate) vip: IpAddr,
}

/// Tests something with the backends there and the daemon running, if the machine has these programs. The
/// configuration is that of the network, followed by `config`.
pub(crate) fn run(
    wants: Wants,
    programs: &[&'static str],
    config: impl FnOnce(&Network, &Site) -> Result<String>,
    check: impl FnOnce(&mut Scene, &mut Site) -> Result<()>,
) {
    let needs: Vec<_> = ["nginx"].iter().chain(programs).map(|it| Need::Program(it)).collect();
    if !require::met(&needs) {
        return;
    }
    wants.network(|network| {
        let mut site = Site::build(&network)?;
        let config = network.config() + &config(&network, &site)?;
        network.start(&config, |scene| check(scene, &mut site))
    });
}

/// So many backends, for listeners of this family.
pub(crate) fn wants(family: Family, backends: u8) -> Wants {
    Wants::new(family, "nat").backends(backends)
}

impl Site {
    fn build(network: &Network) -> Result<Self> {
        let directory = network.files().log.with_file_name("");
        let authority = Authority::new(&directory, "authority")?;
        authority.certify("edge", &[EDGE], 1)?;
        authority.certify("inside", &[INSIDE], 2)?;
        let mut site = Self { authority, backends: Vec::new(), vip: network.vip().ip() };
        for n in 1..=network.wants.backends {
            site.backends.push(site.backend(network, n)?);
        }
        Ok(site)
    }

    fn backend(&self, network: &Network, n: u8) -> Result<Nginx> {
        let ip = network.backend(n).ip();
        let listens = [PLAIN, H2, SECURE].map(|port| SocketAddr::new(ip, port));
        let [plain, h2, secure] = listens;
        let [certificate, key] = ["inside.pem", "inside.key"].map(|name| self.authority.file(name));
        let name = backend_name(n);
        let told = TOLD.map(|(key, variable)| format!("{key}: {variable}\\n")).concat();
        // Others get their answers late: the first second's worth of them is sent at once.
        let late = format!("limit_rate 1k; return 200 \"name: {name}\\n{}\";", "x".repeat(2048));
        let late = if n == 1 { late } else { format!("return 200 \"name: {name}\\n\";") };
        // A body is read before it is passed on. Where nginx only returns something it throws bodies away, and
        // takes who sends many of them in HTTP/2 for a flood.
        let server = format!(
            r#"    server {{
        listen {plain};
        listen {h2} http2;
        listen {secure} ssl http2;
        ssl_certificate {certificate};
        ssl_certificate_key {key};
        ssl_protocols TLSv1.2 TLSv1.3;
        client_body_buffer_size 64k;
        add_header X-Backend {name};
        location / {{ return 200 "name: {name}\n{told}"; }}
        location ~ /body$ {{ rewrite ^ / break; proxy_pass http://{plain}; }}
        location /first-is-late {{ {late} }}
    }}
"#
        );
        let directory: PathBuf = self.authority.file(&name).into();
        Nginx::start(network.topology.backend(n), &directory, &server, &listens)
    }

    /// Address of a listener, or of whatever else has the VIP and this port.
    pub(crate) fn at(&self, port: u16) -> SocketAddr {
        SocketAddr::new(self.vip, port)
    }

    /// Pools of all backends: `plain`, `h2` and `secure`, by their ports.
    pub(crate) fn pools(&self, network: &Network) -> String {
        let ca = self.authority.file("authority.pem");
        [
            pool(network, "plain", PLAIN, &[], ""),
            pool(network, "h2", H2, &[], "protocol = \"h2\""),
            pool(
                network,
                "secure",
                SECURE,
                &[],
                &format!("tls = {{ ca = \"{ca}\", name = \"{INSIDE}\" }}"),
            ),
        ]
        .concat()
    }

    /// A listener with the certificate of [`EDGE`].
    pub(crate) fn https(&self, name: &str, port: u16, more: &str) -> String {
        let [certificate, key] = ["edge.pem", "edge.key"].map(|name| self.authority.file(name));
        let tls = format!(
            "tls = {{ certificates = [{{ certificate = \"{certificate}\", key = \"{key}\" }}] }}"
        );
        self.listener(name, port, &format!("protocol = \"https\"\n{tls}\n{more}"))
    }

    /// A listener.
    pub(crate) fn listener(&self, name: &str, port: u16, more: &str) -> String {
        let listen = self.at(port);
        format!("[[listener]]\nname = \"{name}\"\nlisten = \"{listen}\"\n{more}\n")
    }

    /// How many requests whose line in the log begins so each backend has answered, once there are as many
    /// as expected: nginx writes its log when it has sent the answer.
    pub(crate) fn answered(&self, line: &str, expected: usize) -> Result<Vec<usize>> {
        wait::until("the backends to have told of every request", BOUND, || {
            let count = |it: &Nginx| -> Result<usize> {
                Ok(it.requests()?.iter().filter(|told| told.contains(line)).count())
            };
            let counts = self.backends.iter().map(count).collect::<Result<Vec<_>>>()?;
            let total: usize = counts.iter().sum();
            ensure!(total >= expected, "{counts:?} of {expected} in {line}");
            ensure!(total == expected, "more than {expected} in {line}: {counts:?}");
            Ok(counts)
        })
    }
}

/// A pool of all backends at one of their ports, by their weights; those without one have 1.
pub(crate) fn pool(
    network: &Network,
    name: &str,
    port: u16,
    weights: &[u32],
    http: &str,
) -> String {
    let backend = |n: u8| {
        let address = SocketAddr::new(network.backend(n).ip(), port);
        let weight = weights.get(usize::from(n) - 1).unwrap_or(&1);
        format!("{{ address = \"{address}\", weight = {weight} }}")
    };
    let backends: Vec<_> = (1..=network.wants.backends).map(backend).collect();
    let backends = backends.join(", ");
    format!("[[pool]]\nname = \"{name}\"\nbackends = [{backends}]\n[pool.http]\n{http}\n")
}

/// What a backend tells of a request.
pub(crate) fn told(body: &str) -> BTreeMap<&str, &str> {
    body.lines().filter_map(|line| line.split_once(": ")).collect()
}
