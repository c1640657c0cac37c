//! What a listener allows its clients, and what it does for them.

use std::num::NonZeroU32;

use super::{
    good,
    listeners::{POOLS, listener, refused},
};
use crate::model::{
    RateLimit,
    listener::{ClientLimits, Coding},
};

#[test]
fn limits_of_clients() {
    let client = |lines: &str| format!("pool = \"web\"\n[listener.client]\n{lines}");
    let text = format!(
        "{POOLS}[[listener]]\nname = \"edge\"\nlisten = \"127.0.0.1:80\"\n{}",
        client(
            "head-timeout = \"5s\"\nmax-headers = 50\nmax-body = 5000000000\nmax-connections = 100\nrate-limit = { rate = 10 }"
        )
    );
    let desired = good(&text);
    let limits = desired.listeners.values().next().unwrap().client;
    assert_eq!((limits.head_timeout.as_secs(), limits.max_headers), (5, 50));
    let others = ClientLimits {
        head_timeout: limits.head_timeout,
        max_headers: 50,
        max_body: Some(5_000_000_000),
        max_connections: NonZeroU32::new(100),
        rate_limit: RateLimit::new(10, Some(10)).ok(),
        ..ClientLimits::default()
    };
    assert_eq!(limits, others);
    refused(&client("head-timeout = \"1ms\""), &["12: ", "out of range; use 100ms to 24h"]);
    refused(&client("keep-alive-timeout = 75"), &["12: ", "must be a string"]);
    refused(&client("max-head = 100"), &["12: ", "use 1024 to 262144"]);
    refused(&client("max-header = 100000"), &["12: ", "`max-header` is 100000", "65536 bytes"]);
    refused(&client("max-head = 1024\nmax-header = 512"), &["12: ", "`max-request-line` is 8192"]);
    refused(&client("max-body = 0"), &["12: ", "0 is out of range; use 1 to 1099511627776"]);
    refused(&client("max-body = \"1M\""), &["12: ", "must be an integer"]);
    refused(&client("client_max_body_size = 1"), &["12: ", "nginx's word", "`max-body`"]);
    refused("pool = \"web\"\nmax-body = 1", &["11: ", "belong to [listener.client]"]);
    refused(&client("max-connections = 0"), &["12: ", "0 is out of range; use 1 to 4294967295"]);
    refused(&client("rate-limit = 5"), &["12: ", "must be a table", "{ rate = 100, burst = 200 }"]);
    refused(&client("rate-limit = { burst = 5 }"), &["12: ", "has no `rate`"]);
    refused(&client("rate-limit = { rate = 0 }"), &["12: ", "a rate of 0 per second"]);
    refused(&client("limit_req = 1"), &["12: ", "nginx's word", "rate-limit = {"]);
    refused("pool = \"web\"\nrate-limit = {}", &["11: ", "belong to [listener.client]"]);
    refused("pool = \"web\"\nmaxconn = 1", &["11: ", "HAProxy's word", "of each client"]);
    refused(&client("handshake-timeout = \"1s\""), &["12: ", "no handshake of TLS"]);
    refused(&client("keepalive_timeout = \"1s\""), &["12: ", "nginx's word"]);
    refused(&client("head-timout = \"1s\""), &["12: ", "did you mean `head-timeout`"]);
    refused("pool = \"web\"\nhead-timeout = \"1s\"", &["11: ", "belong to [listener.client]"]);
    refused("pool = \"web\"\nclient = 1", &["11: ", "must be one table"]);
    let tcp = "protocol = \"tcp\"\npool = \"web\"\n[listener.client]\nsend-timeout = \"1s\"";
    refused(tcp, &["13: ", "reads no requests", "`tunnel-timeout`"]);
    refused(
        &tcp.replace("send-timeout = \"1s\"", "rate-limit = { rate = 1 }"),
        &["13: ", "no requests"],
    );
    let crowd = tcp.replace("send-timeout = \"1s\"", "max-connections = 1");
    assert_eq!(listener(&crowd), Vec::<String>::new());
    let passed = "protocol = \"tls-passthrough\"\npool = \"web\"\n[listener.client]\nhandshake-timeout = \"1s\"";
    assert_eq!(listener(passed), Vec::<String>::new());
}

#[test]
fn compression() {
    let of = |codings: &str| format!("pool = \"web\"\ncompression = {codings}");
    let text = format!(
        "{POOLS}[[listener]]\nname = \"edge\"\nlisten = \"127.0.0.1:80\"\n{}",
        of("[\"br\", \"gzip\"]")
    );
    let desired = good(&text);
    let codings = &desired.listeners.values().next().unwrap().compression;
    assert_eq!(codings, &[Coding::Brotli, Coding::Gzip]);
    refused(&of("true"), &["11: ", "must be an array", "[\"zstd\", \"br\", \"gzip\"]"]);
    refused(&of("[]"), &["11: ", "`compression` is empty"]);
    refused(
        &of("[\"gzip\", \"brotli\"]"),
        &["11: ", "`brotli` is not", "use one of: zstd, br, gzip"],
    );
    refused(&of("[\"gzip\", \"br\", \"gzip\"]"), &["11: ", "`gzip` stands twice"]);
    refused("pool = \"web\"\ngzip = true", &["11: ", "nginx's word"]);
    let tcp = "protocol = \"tcp\"\npool = \"web\"\ncompression = [\"gzip\"]";
    refused(tcp, &["12: ", "reads no answers"]);
}
