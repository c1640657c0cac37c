//! Who asks a listener, and how its requests are followed, as it stands in a file.

use super::{
    good,
    listeners::{POOLS, listener, refused},
};

#[test]
fn trusted_proxies() {
    let of = |proxies: &str| format!("pool = \"web\"\ntrusted-proxies = {proxies}");
    let trusted = |proxies: &str| {
        let lines = of(proxies);
        let desired = good(&format!(
            "{POOLS}[[listener]]\nname = \"edge\"\nlisten = \"127.0.0.1:80\"\n{lines}"
        ));
        let prefixes = &desired.listeners.values().next().unwrap().trusted_proxies;
        prefixes.iter().map(ToString::to_string).collect::<Vec<_>>()
    };
    assert_eq!(trusted("\"192.0.2.1\""), ["192.0.2.1/32"]);
    assert_eq!(trusted("[]"), [""; 0]);
    assert_eq!(
        trusted("[\"2001:db8::/32\", \"192.0.2.0/24\", \"192.0.2.0/24\"]"),
        ["192.0.2.0/24", "2001:db8::/32"]
    );
    refused(&of("[\"192.0.2.1/24\"]"), &["11: ", "write 192.0.2.0/24"]);
    refused(&of("\"proxy.example.org\""), &["11: ", "no address or prefix"]);
    refused(&of("true"), &["11: ", "must be an array"]);
    refused(&of("[1]"), &["11: ", "must be a string", "write `\"192.0.2.0/24\"`"]);
    refused("pool = \"web\"\nset_real_ip_from = \"192.0.2.1\"", &["11: ", "nginx's word"]);
    assert_eq!(listener(&of("[\"a\", \"b\"]")).len(), 2, "each mistake is told");
}

#[test]
fn how_requests_are_followed() {
    let of = |lines: &str| format!("pool = \"web\"\n{lines}");
    for word in ["x-forwarded", "forwarded", "both", "none"] {
        assert_eq!(listener(&of(&format!("forwarding-headers = \"{word}\""))), [""; 0]);
    }
    refused(&of("forwarding-headers = \"forwardd\""), &["11: ", "did you mean `forwarded`"]);
    refused(&of("forwarding-headers = true"), &["11: ", "must be a string"]);
    assert_eq!(listener(&of("request-id = \"X-Request-Id\"\ntrace-context = true")), [""; 0]);
    refused(&of("request-id = true"), &["11: ", "must be a string", "x-request-id"]);
    refused(&of("request-id = \"a b\""), &["11: ", "not the name of a header"]);
    refused(&of("request-id = \"Connection\""), &["11: ", "how the message is sent"]);
    for name in ["Cookie", "X-Forwarded-For", "traceparent"] {
        refused(&of(&format!("request-id = \"{name}\"")), &["11: ", "means something else"]);
    }
    let all = of("forwarding-headers = \"all\"\nrequest-id = \"x y\"\ntrace-context = 1");
    assert_eq!(listener(&all).len(), 3, "whatever else is wrong, each is told");
    refused(&of("trace-context = \"yes\""), &["11: ", "must be true or false"]);
    refused(&of("unique-id-header = \"x-id\""), &["11: ", "HAProxy's word"]);
    for key in ["forwarding-headers = \"both\"", "request-id = \"x-id\"", "trace-context = true"] {
        let tcp = format!("protocol = \"tcp\"\n{key}");
        refused(&of(&tcp), &["12: ", "protocol tcp reads no requests"]);
    }
}

#[test]
fn redirects_to_https() {
    let port = |lines: &str| {
        let desired =
            good(&format!("[[listener]]\nname = \"edge\"\nlisten = \"127.0.0.1:80\"\n{lines}"));
        desired.listeners.values().next().unwrap().redirect_to_https
    };
    assert_eq!(port("redirect-to-https = true"), Some(443));
    assert_eq!(port("redirect-to-https = 8443"), Some(8443));
    assert_eq!(port("redirect-to-https = false\n[[listener.route]]\nrespond = 204"), None);
    let challenges = |path: &str| {
        let route = format!("[[listener.route]]\n{path}\nrespond = 204");
        listener(&format!("redirect-to-https = true\n{route}"))
    };
    for path in [
        "path-prefix = \"/.well-known/acme-challenge/\"",
        "path-prefix = \"/.well-known/acme-challenge\"",
        "path = \"/.well-known/acme-challenge/token\"",
        "path = \"/.well-known/acme-challenge/*\"",
    ] {
        assert_eq!(challenges(path), [""; 0], "{path}");
    }
    for path in ["path-prefix = \"/.well-known\"", "path = \"/.well-known/acme-challenges\"", ""] {
        let found = challenges(path);
        assert_eq!(found.len(), 1, "{path}: {found:?}");
        assert!(found[0].starts_with("11: route 1 of listener `edge` takes nothing"), "{found:?}");
    }
    refused(
        "redirect-to-https = true\npool = \"web\"",
        &["11: ", "takes nothing", "`trusted-proxies`"],
    );
    let behind = "redirect-to-https = true\npool = \"web\"\ntrusted-proxies = \"192.0.2.1\"";
    assert_eq!(listener(behind), [""; 0]);
    refused("redirect-to-https = 80", &["10: ", "where it listens itself"]);
    refused("redirect-to-https = 0", &["10: ", "use 1 to 65535"]);
    refused("redirect-to-https = 65536", &["10: ", "use 1 to 65535"]);
    refused("redirect-to-https = \"8443\"", &["10: ", "must be true or the port of https"]);
    refused(
        "redirect = \"https://{host}{uri}\"\npool = \"web\"",
        &["10: ", "`redirect-to-https = true`"],
    );
    refused("redirect-to-https = false", &["7: ", "neither `pool` nor a route"]);
    let of = |protocol: &str| {
        format!("protocol = \"{protocol}\"\npool = \"web\"\nredirect-to-https = true")
    };
    refused(&of("tcp"), &["12: ", "reads no requests"]);
    refused(&of("tls-passthrough"), &["12: ", "reads no requests"]);
    let tls = "\n[listener.tls]\ncertificates = [{ certificate = \"/a.pem\", key = \"/a.key\" }]";
    refused(&(of("https") + tls), &["12: ", "comes by https here already"]);
}
