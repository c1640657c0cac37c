//! Which keys there are, which come with a later version, and which belong elsewhere.
//!
//! Data only. A version that brings a key moves its line from `refused` to `known`.

pub(super) mod listener;
pub(super) mod route;
pub(super) mod upstream;

use Refusal::{Instead, Later, Layer7};

/// The keys of one kind of section.
pub(super) struct Vocabulary {
    /// Name of the section, without brackets.
    pub(super) key: &'static str,
    /// How it begins.
    pub(super) header: &'static str,
    /// How messages call it.
    pub(super) title: &'static str,
    /// What its keys are called.
    pub(super) noun: &'static str,
    /// Keys that are read.
    pub(super) known: &'static [Word],
    /// Keys that are not, with the reason.
    pub(super) refused: &'static [(&'static str, Refusal)],
}

/// A key that is read.
pub(super) struct Word {
    pub(super) key: &'static str,
    /// How the line could read.
    pub(super) example: &'static str,
}

/// Why a key is not read.
pub(super) enum Refusal {
    /// It comes later. "... not in this version yet" follows.
    Later(&'static str),
    /// It is about requests, in a section that is about packets. "there is no ..." precedes.
    Layer7(&'static str),
    /// It is said by another key of the same section, or by none (""), as the sentence explains.
    Instead(&'static str, &'static str),
}

impl Refusal {
    /// The message for a key.
    pub(super) fn explain(&self, key: &str) -> String {
        match self {
            Self::Later(what) => format!("`{key}`: {what} not in this version yet; remove it"),
            Self::Layer7(what) => format!(
                "`{key}`: a [[service]] is layer 4: it forwards packets without reading them, so there is no {what}; put the rule on a [[listener]]"
            ),
            Self::Instead(_, sentence) => format!("`{key}`: {sentence}"),
        }
    }
}

/// Where to find the words of nginx.
pub(super) const NGINX: &str =
    "a [[pool]] is nginx's `upstream`, a [[service]] its `server` in `stream`";

const NGINX_WORD: &str = "this is nginx's word: a [[pool]] is nginx's `upstream`, a [[service]] its `server` in `stream`";
const NGINX_HTTP: &str = "this is nginx's word: a [[listener]] is its `server` in `http`, a [[service]] its `server` in `stream`, a [[pool]] its `upstream`";
const HAPROXY_WORD: &str = "this is HAProxy's word: a [[pool]] is HAProxy's `backend`, a [[service]] its `frontend` in `mode tcp`, [daemon] its `global`";

const fn word(key: &'static str, example: &'static str) -> Word {
    Word { key, example }
}

/// The sections of a file.
pub(super) const FILE: Vocabulary = Vocabulary {
    key: "",
    header: "",
    title: "this file",
    noun: "section",
    known: &[
        word("daemon", "[daemon]"),
        word("interface", "[[interface]]"),
        word("pool", "[[pool]]"),
        word("service", "[[service]]"),
        word("listener", "[[listener]]"),
    ],
    refused: &[
        (
            "route",
            Instead("", "a route belongs to a [[listener]]; write `[[listener.route]]` below it"),
        ),
        ("upstream", Instead("pool", NGINX_WORD)),
        ("server", Instead("service", NGINX_WORD)),
        ("stream", Instead("pool", NGINX_WORD)),
        ("http", Instead("pool", NGINX_HTTP)),
        ("backend", Instead("pool", HAPROXY_WORD)),
        ("frontend", Instead("service", HAPROXY_WORD)),
        ("listen", Instead("pool", HAPROXY_WORD)),
        ("global", Instead("daemon", HAPROXY_WORD)),
    ],
};

/// `[daemon]`.
pub(super) const DAEMON: Vocabulary = Vocabulary {
    key: "daemon",
    header: "[daemon]",
    title: "[daemon]",
    noun: "key",
    known: &[
        word("admin", "admin = \"/run/shunt/admin.sock\""),
        word("state-dir", "state-dir = \"/var/lib/shunt\""),
        word("pin-dir", "pin-dir = \"/sys/fs/bpf/shunt\""),
        word("seed", "seed = 0"),
    ],
    refused: &[("admin-http", Later("the API over TCP is"))],
};

/// `[[interface]]`.
pub(super) const INTERFACE: Vocabulary = Vocabulary {
    key: "interface",
    header: "[[interface]]",
    title: "this [[interface]]",
    noun: "key",
    known: &[word("name", "name = \"eth0\""), word("mode", "mode = \"auto\"")],
    refused: &[
        ("device", Instead("name", "write `name`")),
        ("dev", Instead("name", "write `name`")),
    ],
};

/// `[[pool]]`.
pub(super) const POOL: Vocabulary = Vocabulary {
    key: "pool",
    header: "[[pool]]",
    title: "this [[pool]]",
    noun: "key",
    known: &[
        word("name", "name = \"web\""),
        word("backends", "backends = [\"172.17.0.4:1001\"]"),
        word("drain-timeout", "drain-timeout = \"30s\""),
        word("health", "health = { type = \"tcp\" }"),
        word("http", "http = { balance = \"round-robin\" }"),
    ],
    refused: &[
        ("discovery", Later("discovery of backends is")),
        ("dns", Later("discovery of backends is")),
        ("file", Later("discovery of backends is")),
        ("server", Instead("backends", "list nginx's `server` lines in `backends`")),
        ("servers", Instead("backends", "list them in `backends`")),
        ("members", Instead("backends", "list them in `backends`")),
        ("targets", Instead("backends", "list them in `backends`")),
        ("listen", Instead("", "a pool does not listen; put `listen` on a [[service]]")),
        (
            "weight",
            Instead("", "a weight belongs to a backend: `{ address = \"...\", weight = 2 }`"),
        ),
    ],
};

/// `[pool.health]`.
pub(super) const HEALTH: Vocabulary = Vocabulary {
    key: "health",
    header: "[pool.health]",
    title: "[pool.health]",
    noun: "key",
    known: &[
        word("type", "type = \"tcp\""),
        word("interval", "interval = \"1s\""),
        word("timeout", "timeout = \"500ms\""),
        word("rise", "rise = 2"),
        word("fall", "fall = 3"),
        word("fail-open", "fail-open = true"),
        word("port", "port = 8080"),
        word("path", "path = \"/healthz\""),
        word("host", "host = \"www.example.org\""),
        word("status", "status = \"200-399\""),
        word("ca", "ca = \"/etc/shunt/backends.pem\""),
    ],
    refused: &[
        ("service", Later("the check by gRPC, whose service this names, is")),
        ("method", Later("a choice of the method, which is GET, is")),
        ("headers", Later("a choice of headers is")),
        ("body", Later("a look at the body of the answer is")),
        ("uri", Instead("path", "write `path`; nginx's and HAProxy's `uri` may be one")),
        ("url", Instead("path", "write `path`, and `host` if need be")),
        ("inter", Instead("interval", "this is HAProxy's word: write `interval`")),
        ("passes", Instead("rise", "this is nginx's word: write `rise`")),
        ("fails", Instead("fall", "this is nginx's word: write `fall`")),
        ("max_fails", Instead("fall", "this is nginx's word: write `fall`")),
        (
            "fail_timeout",
            Instead(
                "",
                "this is nginx's word; a backend that is down is probed every `interval`, and up again after `rise` successes",
            ),
        ),
        ("expect", Instead("status", "this is HAProxy's word: write `status`")),
        ("match", Instead("status", "this is nginx's word: write `status`")),
        ("sni", Instead("host", "write `host`, which is also the server name that TLS asks for")),
        ("tls", Instead("", "write `type = \"https\"`")),
        ("verify", Instead("", "a certificate is verified if `ca` is given, and not if it is not")),
    ],
};

/// Kinds of health check that come later.
pub(super) const HEALTH_LATER: &[&str] = &["grpc"];

/// A backend that is written as a table.
pub(super) const BACKEND: Vocabulary = Vocabulary {
    key: "backends",
    header: "{ ... }",
    title: "this backend",
    noun: "key",
    known: &[word("address", "address = \"172.17.0.4:1001\""), word("weight", "weight = 2")],
    refused: &[
        ("port", Instead("", "the port is part of `address`, such as `\"172.17.0.4:1001\"`")),
        ("server", Instead("address", "write `address`")),
        ("host", Instead("address", "write `address`, with an IP address and a port")),
        ("state", Instead("", "a running daemon is told by `shunt backend drain`")),
    ],
};

/// `[[service]]`.
pub(super) const SERVICE: Vocabulary = Vocabulary {
    key: "service",
    header: "[[service]]",
    title: "this [[service]]",
    noun: "key",
    known: &[
        word("name", "name = \"web\""),
        word("listen", "listen = \"192.0.2.10:80/tcp\""),
        word("pool", "pool = \"web\""),
        word("forward", "forward = \"nat\""),
        word("source", "source = \"198.51.100.64/28\""),
        word("source-ports", "source-ports = \"1024-32767\""),
        word("udp", "udp = \"tracked\""),
        word("tracking", "tracking = \"full\""),
        word("scheduler", "scheduler = \"maglev\""),
        word("affinity", "affinity = \"client-ip\""),
        word("allow", "allow = [\"192.0.2.0/24\"]"),
        word("deny", "deny = [\"192.0.2.0/24\"]"),
        word("allow-file", "allow-file = \"/etc/shunt/allow\""),
        word("deny-file", "deny-file = \"/etc/shunt/deny\""),
        word("new-flows", "new-flows = { rate = 5000, burst = 10000 }"),
        word("new-flows-per-source", "new-flows-per-source = { rate = 50, burst = 100 }"),
        word("no-backend", "no-backend = \"reject\""),
        word("idle-timeout", "idle-timeout = \"15m\""),
        word("vip-interface", "vip-interface = \"eth0\""),
    ],
    refused: SERVICE_REFUSED,
};

/// A limit of new flows.
pub(super) const LIMIT: Vocabulary = Vocabulary {
    key: "new-flows",
    header: "{ ... }",
    title: "this limit",
    noun: "key",
    known: &[word("rate", "rate = 5000"), word("burst", "burst = 10000")],
    refused: &[
        ("per", Instead("rate", "a rate is per second; write `rate` and `burst`")),
        ("interval", Instead("rate", "a rate is per second; write `rate` and `burst`")),
        ("limit", Instead("rate", "write `rate`, per second")),
    ],
};

const SERVICE_REFUSED: &[(&str, Refusal)] = &[
    ("pools", Later("splitting between pools is")),
    ("balance", Instead("scheduler", BALANCE)),
    ("algorithm", Instead("scheduler", BALANCE)),
    ("least_conn", Instead("scheduler", LEAST_CONN)),
    ("leastconn", Instead("scheduler", LEAST_CONN)),
    ("roundrobin", Instead("scheduler", "write `scheduler = \"round-robin\"`")),
    ("random", Instead("scheduler", "this is nginx's word: write `scheduler = \"random\"`")),
    ("ip_hash", Instead("affinity", "this is nginx's word: write `affinity = \"client-ip\"`")),
    (
        "hash",
        Instead(
            "affinity",
            "this is nginx's word: flows are hashed anyway; `affinity = \"client-ip\"` hashes the client's address alone",
        ),
    ),
    ("sticky", Instead("affinity", "write `affinity = \"client-ip\"`; a service reads no cookies")),
    (
        "stick-table",
        Instead(
            "affinity",
            "this is HAProxy's word: write `affinity = \"client-ip\"`, or `new-flows-per-source` for a limit",
        ),
    ),
    ("session-affinity", Instead("affinity", "write `affinity = \"client-ip\"`")),
    (
        "limit_conn",
        Instead(
            "new-flows-per-source",
            "this is nginx's word: write `new-flows-per-source`, which limits how many flows begin, not how many there are",
        ),
    ),
    (
        "limit_req",
        Instead(
            "new-flows-per-source",
            "this is nginx's word: a service sees no requests; `new-flows-per-source` limits how many flows begin",
        ),
    ),
    (
        "rate-limit",
        Instead("new-flows", "write `new-flows = { rate = 5000 }`; it limits how many flows begin"),
    ),
    (
        "maxconn",
        Instead(
            "new-flows",
            "this is HAProxy's word: write `new-flows`, which limits how many flows begin, not how many there are",
        ),
    ),
    ("whitelist", Instead("allow", "write `allow`")),
    ("blacklist", Instead("deny", "write `deny`")),
    ("blocklist", Instead("deny", "write `deny`")),
    ("source-ranges", Instead("allow", "write `allow`")),
    ("acl", Instead("allow", "this is HAProxy's word: write the sources into `allow` and `deny`")),
    (
        "ports",
        Instead(
            "",
            "the ports are part of `listen`: one, a range (`8000-8099`) or all (`*`), such as `\"192.0.2.10:8000-8099/tcp\"`",
        ),
    ),
    ("timeout", Instead("idle-timeout", "write `idle-timeout`")),
    ("drain-timeout", Instead("", "draining belongs to the [[pool]]; write `drain-timeout` there")),
    ("sources", Instead("source", "write `source`; it takes a list, too")),
    ("health", Instead("", "health checks belong to the [[pool]]; write [pool.health] there")),
    ("path", Layer7(PATH)),
    ("path-prefix", Layer7(PATH)),
    ("path-regex", Layer7(PATH)),
    ("location", Layer7(PATH)),
    ("uri", Layer7(PATH)),
    ("url", Layer7(PATH)),
    ("host", Layer7(HOST)),
    ("hosts", Layer7(HOST)),
    ("server_name", Layer7(HOST)),
    ("server-name", Layer7(HOST)),
    ("sni", Layer7(HOST)),
    ("header", Layer7("header to match")),
    ("headers", Layer7("header to match")),
    ("cookie", Layer7("cookie to match")),
    ("query", Layer7("query to match")),
    ("method", Layer7("method to match")),
    ("route", Layer7("request to route")),
    ("routes", Layer7("request to route")),
    ("rewrite", Layer7("request to rewrite")),
    ("redirect", Layer7("request to answer")),
    ("respond", Layer7("request to answer")),
    ("return", Layer7("request to answer")),
    ("tls", Layer7(TLS)),
    ("ssl", Layer7(TLS)),
    ("certificate", Layer7(TLS)),
    ("ssl_certificate", Layer7(TLS)),
    ("alpn", Layer7(TLS)),
    ("http2", Layer7("HTTP to speak")),
    ("compression", Layer7("response to compress")),
    ("cache", Layer7("response to keep")),
    (
        "proxy_pass",
        Instead(
            "pool",
            "this is nginx's word: write `pool = \"NAME\"`; a [[service]] is layer 4: it forwards packets without reading them, so the target is a pool and never a URL",
        ),
    ),
    (
        "upstream",
        Instead(
            "pool",
            "this is nginx's word: write the servers into a [[pool]] and name it by `pool`",
        ),
    ),
    ("backend", Instead("pool", "backends belong to a [[pool]]; name it by `pool`")),
    ("backends", Instead("pool", "backends belong to a [[pool]]; name it by `pool`")),
    ("default_backend", Instead("pool", "this is HAProxy's word: write `pool`")),
    ("vip", Instead("listen", "write `listen = \"ADDRESS:PORT/PROTOCOL\"`")),
    ("address", Instead("listen", "write `listen = \"ADDRESS:PORT/PROTOCOL\"`")),
    (
        "bind",
        Instead("listen", "this is HAProxy's word: write `listen = \"ADDRESS:PORT/PROTOCOL\"`"),
    ),
    ("port", Instead("", "the port is part of `listen`, such as `\"192.0.2.10:80/tcp\"`")),
    ("protocol", Instead("", "the protocol is part of `listen`, such as `\"192.0.2.10:80/tcp\"`")),
    ("mode", Instead("", "the forwarding mode is `forward`, such as `forward = \"nat\"`")),
    (
        "interface",
        Instead(
            "",
            "packets are taken from every [[interface]]; `vip-interface` is the one that gets the address",
        ),
    ),
];

const BALANCE: &str = "write `scheduler`: \"maglev\", or with `tracking = \"full\"` \"round-robin\", \"random\" or \"least-flows\" (nginx's and HAProxy's least connections)";
const LEAST_CONN: &str =
    "this is called flows here: write `scheduler = \"least-flows\"` and `tracking = \"full\"`";
const PATH: &str = "path to match";
const HOST: &str = "host name to match";
const TLS: &str = "TLS session to end";
