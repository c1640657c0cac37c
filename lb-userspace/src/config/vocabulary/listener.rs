//! The keys of listeners, but for those of their routes.

use super::{
    Refusal::{self, Instead, Later},
    Vocabulary, word,
};

const TLS: Refusal =
    Instead("", "certificates belong to [listener.tls]; write `certificates` there");
const ROUTED: Refusal = Instead(
    "",
    "conditions and actions belong to a route; write `[[listener.route]]` below the [[listener]]",
);

const CLIENT: Refusal =
    Instead("", "limits of clients belong to [listener.client] below the [[listener]]");

const LIMIT_REQ: &str =
    "this is nginx's word: write `rate-limit = { rate = 100, burst = 200 }` in [listener.client]";
const LIMIT_CONN: &str = "this is nginx's word: write `max-connections = 100` in [listener.client]";

/// `[[listener]]`.
pub(in crate::config) const LISTENER: Vocabulary = Vocabulary {
    key: "listener",
    header: "[[listener]]",
    title: "this [[listener]]",
    noun: "key",
    known: &[
        word("name", "name = \"edge\""),
        word("listen", "listen = \"192.0.2.10:8080\""),
        word("protocol", "protocol = \"http\""),
        word("pool", "pool = \"web\""),
        word("route", "[[listener.route]]"),
        word("tls", "[listener.tls]"),
        word("client", "[listener.client]"),
        word("compression", "compression = [\"zstd\", \"br\", \"gzip\"]"),
        word("error-pages", "error-pages = { 502 = \"/etc/shunt/502.html\" }"),
        word("access-log", "access-log = \"/var/log/shunt/access.log\""),
        word("proxy-protocol", "proxy-protocol = true"),
        word("trusted-proxies", "trusted-proxies = [\"192.0.2.0/24\", \"2001:db8::/32\"]"),
        word("forwarding-headers", "forwarding-headers = \"x-forwarded\""),
        word("request-id", "request-id = \"x-request-id\""),
        word("trace-context", "trace-context = true"),
        word("redirect-to-https", "redirect-to-https = true"),
    ],
    refused: &[
        ("certificate", TLS),
        ("certificates", TLS),
        ("alpn", Instead("", "HTTP/2 and HTTP/1.1 are offered by themselves; remove it")),
        ("http2", Instead("", "HTTP/2 is spoken with those who can; remove it")),
        ("proxy_protocol", Instead("proxy-protocol", "write `proxy-protocol = true`")),
        (
            "accept-proxy",
            Instead("proxy-protocol", "this is HAProxy's word: write `proxy-protocol = true`"),
        ),
        (
            "send-proxy",
            Instead("", "it belongs to the [[pool]]; write `proxy-protocol` in [pool.http]"),
        ),
        (
            "set_real_ip_from",
            Instead("trusted-proxies", "this is nginx's word: write `trusted-proxies`"),
        ),
        ("trusted_proxies", Instead("trusted-proxies", "write `trusted-proxies`")),
        (
            "unique-id-header",
            Instead("request-id", "this is HAProxy's word: write `request-id = \"HEADER\"`"),
        ),
        ("traceparent", Instead("trace-context", "write `trace-context = true`")),
        ("gzip", Instead("compression", "this is nginx's word: write `compression = [\"gzip\"]`")),
        ("encode", Instead("compression", "this is Caddy's word: write `compression`")),
        ("rate-limit", CLIENT),
        ("max-connections", CLIENT),
        ("limit_req", Instead("", LIMIT_REQ)),
        ("limit_conn", Instead("", LIMIT_CONN)),
        (
            "maxconn",
            Instead(
                "",
                "this is HAProxy's word: write `max-connections` in [listener.client], which is of each client; a listener takes as many as come",
            ),
        ),
        (
            "error-page",
            Instead("error-pages", "write `error-pages`, a table of statuses and files"),
        ),
        ("error_page", Instead("error-pages", "this is nginx's word: write `error-pages`")),
        ("errorfile", Instead("error-pages", "this is HAProxy's word: write `error-pages`")),
        ("access_log", Instead("access-log", "this is nginx's word: write `access-log`")),
        ("log", Instead("access-log", "this is HAProxy's word: write `access-log`")),
        ("log-format", Instead("access-log", "write `format` in [listener.access-log]")),
        ("routes", Instead("", "write `[[listener.route]]` for each route")),
        ("timeout", CLIENT),
        ("handshake-timeout", CLIENT),
        ("head-timeout", CLIENT),
        ("keep-alive-timeout", CLIENT),
        ("send-timeout", CLIENT),
        ("max-head", CLIENT),
        ("max-headers", CLIENT),
        ("max-body", CLIENT),
        (
            "client_max_body_size",
            Instead("", "this is nginx's word: write `max-body` in [listener.client]"),
        ),
        ("tunnel-timeout", Instead("", "it belongs to the [[pool]]; write it in [pool.http]")),
        ("idle-timeout", Instead("", "it belongs to the [[pool]]; write it in [pool.http]")),
        (
            "location",
            Instead(
                "",
                "this is nginx's word: write `[[listener.route]]` with `path` or `path-prefix`",
            ),
        ),
        (
            "server_name",
            Instead("", "this is nginx's word: write `host = \"...\"` in a `[[listener.route]]`"),
        ),
        ("bind", Instead("listen", "this is HAProxy's word: write `listen = \"ADDRESS:PORT\"`")),
        ("address", Instead("listen", "write `listen = \"ADDRESS:PORT\"`")),
        ("port", Instead("", "the port is part of `listen`, such as `\"192.0.2.10:8080\"`")),
        ("default_backend", Instead("pool", "this is HAProxy's word: write `pool`")),
        ("proxy_pass", Instead("pool", "this is nginx's word: write `pool = \"NAME\"`")),
        ("backends", Instead("pool", "backends belong to a [[pool]]; name it by `pool`")),
        (
            "forward",
            Instead(
                "",
                "a forwarding mode belongs to a [[service]]: a listener ends the connection and opens its own to the backend",
            ),
        ),
        (
            "vip-interface",
            Instead(
                "",
                "a listener binds an address that this host has; put it on an interface yourself",
            ),
        ),
        ("udp", Instead("", "a [[listener]] is TCP; balance UDP by a [[service]]")),
        ("host", ROUTED),
        ("path", ROUTED),
        ("path-prefix", ROUTED),
        ("path-regex", ROUTED),
        ("method", ROUTED),
        ("header", ROUTED),
        ("cookie", ROUTED),
        ("query", ROUTED),
        (
            "redirect",
            Instead(
                "",
                "it belongs to a route: write `[[listener.route]]` below the [[listener]], or `redirect-to-https = true` here",
            ),
        ),
        ("respond", ROUTED),
    ],
};

/// `[listener.access-log]`.
pub(in crate::config) const LISTENER_ACCESS_LOG: Vocabulary = Vocabulary {
    key: "access-log",
    header: "[listener.access-log]",
    title: "[listener.access-log]",
    noun: "key",
    known: &[word("to", "to = \"/var/log/shunt/access.log\""), word("format", "format = \"json\"")],
    refused: &[
        ("path", Instead("to", "write `to`")),
        ("file", Instead("to", "write `to`")),
        ("target", Instead("to", "write `to`")),
        ("log-format", Instead("format", "this is HAProxy's word: write `format`")),
        ("log_format", Instead("format", "this is nginx's word: write `format`")),
        (
            "buffer",
            Instead("", "lines are gathered for a tenth of a second by themselves; remove it"),
        ),
        ("rotate", Instead("", "rename the file and call `shunt logs reopen`, as logrotate does")),
        ("fields", Instead("", "each format has its fields; remove it")),
    ],
};

/// `[listener.client]`.
pub(in crate::config) const LISTENER_CLIENT: Vocabulary = Vocabulary {
    key: "client",
    header: "[listener.client]",
    title: "[listener.client]",
    noun: "key",
    known: &[
        word("handshake-timeout", "handshake-timeout = \"10s\""),
        word("head-timeout", "head-timeout = \"30s\""),
        word("keep-alive-timeout", "keep-alive-timeout = \"75s\""),
        word("send-timeout", "send-timeout = \"1m\""),
        word("max-request-line", "max-request-line = 8192"),
        word("max-header", "max-header = 16384"),
        word("max-head", "max-head = 65536"),
        word("max-headers", "max-headers = 100"),
        word("max-body", "max-body = 1048576"),
        word("max-connections", "max-connections = 100"),
        word("rate-limit", "rate-limit = { rate = 100, burst = 200 }"),
    ],
    refused: &[
        (
            "client_max_body_size",
            Instead("max-body", "this is nginx's word: write `max-body`, in bytes"),
        ),
        ("max-body-size", Instead("max-body", "write `max-body`")),
        (
            "client_header_timeout",
            Instead("head-timeout", "this is nginx's word: write `head-timeout`"),
        ),
        (
            "keepalive_timeout",
            Instead("keep-alive-timeout", "this is nginx's word: write `keep-alive-timeout`"),
        ),
        ("send_timeout", Instead("send-timeout", "write `send-timeout`")),
        (
            "large_client_header_buffers",
            Instead(
                "",
                "this is nginx's word: write `max-header`, `max-head` or `max-request-line`",
            ),
        ),
        (
            "client_body_timeout",
            Instead("", "how long a body may stand still is the `idle-timeout` of [pool.http]"),
        ),
        (
            "body-timeout",
            Instead("", "how long a body may stand still is the `idle-timeout` of [pool.http]"),
        ),
        (
            "idle-timeout",
            Instead(
                "keep-alive-timeout",
                "write `keep-alive-timeout` for the time between requests; for bodies it is a key of [pool.http]",
            ),
        ),
        ("tunnel-timeout", Instead("", "it belongs to the [[pool]]; write it in [pool.http]")),
        ("limit_req", Instead("rate-limit", LIMIT_REQ)),
        ("limit_conn", Instead("max-connections", LIMIT_CONN)),
        ("rate", Instead("rate-limit", "write `rate-limit`, a table of `rate` and `burst`")),
    ],
};

/// `[listener.tls]`.
pub(in crate::config) const LISTENER_TLS: Vocabulary = Vocabulary {
    key: "tls",
    header: "[listener.tls]",
    title: "[listener.tls]",
    noun: "key",
    known: &[
        word(
            "certificates",
            "certificates = [{ certificate = \"/etc/shunt/www.pem\", key = \"/etc/shunt/www.key\" }]",
        ),
        word("unknown-names", "unknown-names = \"refuse\""),
        word("least-version", "least-version = \"1.3\""),
        word("client-ca", "client-ca = \"/etc/shunt/clients.pem\""),
        word("client-certificate", "client-certificate = \"optional\""),
    ],
    refused: &[
        (
            "certificate",
            Instead(
                "certificates",
                "write `certificates`, a list of tables with `certificate` and `key`",
            ),
        ),
        (
            "cert",
            Instead(
                "certificates",
                "write `certificates`, a list of tables with `certificate` and `key`",
            ),
        ),
        (
            "key",
            Instead(
                "certificates",
                "write `certificates`, a list of tables with `certificate` and `key`",
            ),
        ),
        ("ssl_certificate", Instead("certificates", "this is nginx's word: write `certificates`")),
        ("ssl_protocols", Instead("least-version", "this is nginx's word: write `least-version`")),
        (
            "ciphers",
            Instead(
                "",
                "there is nothing to choose: only suites without known weakness are offered; remove it",
            ),
        ),
        ("acme", Later("getting certificates from an authority is")),
    ],
};

/// One of the `certificates`.
pub(in crate::config) const CERTIFICATE: Vocabulary = Vocabulary {
    key: "certificates",
    header: "{ ... }",
    title: "this certificate",
    noun: "key",
    known: &[
        word("certificate", "certificate = \"/etc/shunt/www.pem\""),
        word("key", "key = \"/etc/shunt/www.key\""),
    ],
    refused: &[
        ("cert", Instead("certificate", "write `certificate`")),
        ("names", Instead("", "a certificate serves the names that it is made out to; remove it")),
    ],
};
