//! Who says in the PROXY protocol whom it speaks for, and who may.

use super::listeners::{listener, refused};

#[test]
fn proxy_protocol() {
    let of = |lines: &str| format!("pool = \"web\"\n{lines}");
    for protocol in ["http", "tcp", "tls-passthrough"] {
        let lines = format!(
            "protocol = \"{protocol}\"\nproxy-protocol = true\ntrusted-proxies = \"192.0.2.1\""
        );
        assert_eq!(listener(&of(&lines)), [""; 0], "{protocol}");
    }
    let nobody = &["11: ", "anybody could say", "add `trusted-proxies`"];
    refused(&of("proxy-protocol = true"), nobody);
    refused(&of("proxy-protocol = true\ntrusted-proxies = []"), nobody);
    assert_eq!(listener(&of("proxy-protocol = false")), [""; 0]);
    refused(&of("proxy-protocol = \"v2\""), &["11: ", "true or false", "`proxy-protocol = true`"]);
    refused(&of("accept-proxy = true"), &["HAProxy's word", "`proxy-protocol = true`"]);
    refused(&of("send-proxy = true"), &["belongs to the [[pool]]"]);
    let misspelt = "proxy-protocol = true\ntrusted_proxies = \"192.0.2.1\"";
    refused(&of(misspelt), &["12: ", "write `trusted-proxies`"]);
    // What reads nothing else has no other way to be told.
    let tcp = of("protocol = \"tcp\"\ntrusted-proxies = \"192.0.2.1\"");
    refused(&tcp, &["12: ", "only say by the PROXY protocol", "`proxy-protocol = true`"]);
    let slow = "[listener.client]\nhandshake-timeout = \"1s\"";
    let tcp = format!("{tcp}\nproxy-protocol = true\n{slow}");
    assert_eq!(listener(&tcp), [""; 0]);
    refused(&format!("{}\n{slow}", of("protocol = \"tcp\"")), &["13: ", "no handshake of TLS"]);
}
