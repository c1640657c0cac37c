//! The keys of `[pool.http]`.

use super::{Refusal::Instead, Vocabulary, word};

/// `[pool.http.tls]`.
pub(in crate::config) const HTTP_TLS: Vocabulary = Vocabulary {
    key: "tls",
    header: "[pool.http.tls]",
    title: "[pool.http.tls]",
    noun: "key",
    known: &[
        word("ca", "ca = \"/etc/shunt/backends.pem\""),
        word("verify", "verify = false"),
        word("name", "name = \"app.example.org\""),
        word("certificate", "certificate = \"/etc/shunt/edge.pem\""),
        word("key", "key = \"/etc/shunt/edge.key\""),
    ],
    refused: &[
        ("sni", Instead("name", "write `name`")),
        ("insecure", Instead("verify", "write `verify = false`")),
        ("cert", Instead("certificate", "write `certificate`")),
    ],
};

/// `[pool.http]`.
pub(in crate::config) const HTTP: Vocabulary = Vocabulary {
    key: "http",
    header: "[pool.http]",
    title: "[pool.http]",
    noun: "key",
    known: &[
        word("protocol", "protocol = \"h2\""),
        word("tls", "tls = { ca = \"/etc/shunt/backends.pem\" }"),
        word("proxy-protocol", "proxy-protocol = \"v2\""),
        word("balance", "balance = \"round-robin\""),
        word("hash-by", "hash-by = \"client\""),
        word("sticky-cookie", "sticky-cookie = \"backend\""),
        word("slow-start", "slow-start = \"30s\""),
        word("max-connections", "max-connections = 100"),
        word("queue", "queue = 256"),
        word("queue-timeout", "queue-timeout = \"5s\""),
        word("connect-timeout", "connect-timeout = \"2s\""),
        word("first-byte-timeout", "first-byte-timeout = \"1m\""),
        word("idle-timeout", "idle-timeout = \"1m\""),
        word("total-timeout", "total-timeout = \"5m\""),
        word("tunnel-timeout", "tunnel-timeout = \"1h\""),
        word("retries", "retries = 2"),
        word("eject-after", "eject-after = 5"),
        word("eject-time", "eject-time = \"10s\""),
    ],
    refused: &[
        ("error-page", Instead("", "pages belong to the [[listener]]; write `error-pages` there")),
        ("error-pages", Instead("", "pages belong to the [[listener]]; write `error-pages` there")),
        ("algorithm", Instead("balance", "write `balance`")),
        ("proxy_protocol", Instead("proxy-protocol", "write `proxy-protocol = \"v1\"`")),
        (
            "send-proxy",
            Instead("proxy-protocol", "this is HAProxy's word: write `proxy-protocol = \"v1\"`"),
        ),
        (
            "send-proxy-v2",
            Instead("proxy-protocol", "this is HAProxy's word: write `proxy-protocol = \"v2\"`"),
        ),
        ("lb_policy", Instead("balance", "this is Caddy's word: write `balance`")),
        ("maxconn", Instead("max-connections", "this is HAProxy's word: write `max-connections`")),
        ("max_fails", Instead("eject-after", "this is nginx's word: write `eject-after`")),
        ("fail_timeout", Instead("eject-time", "this is nginx's word: write `eject-time`")),
        ("slow_start", Instead("slow-start", "write `slow-start`")),
        (
            "timeout",
            Instead(
                "",
                "there are several: `connect-timeout`, `first-byte-timeout`, `idle-timeout`, `total-timeout`, `tunnel-timeout`",
            ),
        ),
    ],
};
