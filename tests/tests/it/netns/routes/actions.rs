//! Actions, and what is changed on the way there and back.

use anyhow::{Result, ensure};

use super::{
    super::{
        clients::{EDGE, HTTP, Site},
        scene::Scene,
    },
    Case, case,
};

/// Weights of the pools of `/split`.
const WEIGHTS: [f64; 2] = [3.0, 1.0];
const REQUESTS: usize = 400;

pub(super) const ROUTES: &str = r#"
[[listener.route]]
path = "/first"
pool = "first"
[[listener.route]]
path = "/second"
pool = "second"
[[listener.route]]
path-prefix = "/split"
pools = [{ pool = "first", weight = 3 }, "second"]
[[listener.route]]
path-prefix = "/found"
redirect = "https://{host}{uri}"
[[listener.route]]
path-prefix = "/moved"
redirect = { to = "https://other.test/new{path}", status = 301 }
[[listener.route]]
path-prefix = "/other"
redirect = { to = "/second", status = 303 }
[[listener.route]]
path-prefix = "/again"
redirect = { to = "/second", status = 307 }
[[listener.route]]
path-prefix = "/forever"
redirect = { to = "/second", status = 308 }
[[listener.route]]
path = "/empty"
respond = 204
[[listener.route]]
path = "/text"
respond = { status = 503, body = "back soon" }
[[listener.route]]
path = "/json"
respond = { status = 200, body = "{}", type = "application/json" }
[[listener.route]]
path-prefix = "/api"
pool = "first"
rewrite-prefix = "/v2"
[[listener.route]]
path-prefix = "/cut"
pool = "first"
rewrite-prefix = "/"
[[listener.route]]
path-regex = "^/user/[0-9]+"
pool = "first"
rewrite-regex = { match = "^/user/([0-9]+)", to = "/u-$1" }
[[listener.route]]
path = "/host"
pool = "first"
rewrite-host = "inner.example.org"
[[listener.route]]
path = "/request"
pool = "first"
set-request-headers = { x-one = "ours" }
add-request-headers = { cookie = "c=3" }
remove-request-headers = ["x-two"]
[[listener.route]]
path = "/response"
pool = "first"
set-response-headers = { x-backend = "hidden", x-new = "1" }
add-response-headers = { vary = "origin" }
remove-response-headers = "server"
"#;

/// A body to the first place, and to the next one if the status says so. In HTTP/2, curl 7.88 takes an answer that
/// comes before it has sent the body for an error, whoever gives it.
const FOLLOWED: &[&str] = &["--http1.1", "-L", "-d", "x"];

#[rustfmt::skip]
pub(super) const CASES: &[Case] = &[
    case("a pool", "/first", &[], &["status: 200", "name: backend1", "uri: /first", "x-backend: backend1"]),
    case("another pool", "/second", &[], &["status: 200", "name: backend2"]),
    case("no route and no pool", "/nothing", &[], &["status: 404", "!name: "]),

    case("a redirect", "/found/a?b=%20", &["-H", "Host: www.example.org"], &["status: 302", "location: https://www.example.org/found/a?b=%20", "!name: "]),
    case("with a status", "/moved/a?b", &[], &["status: 301", "location: https://other.test/new/moved/a"]),
    case("as GET", "/other", &[], &["status: 303", "location: /second"]),
    case("followed as GET", "/other", FOLLOWED, &["status: 200", "name: backend2", "method: GET"]),
    case("followed with the same method", "/again", FOLLOWED, &["status: 200", "name: backend2", "method: POST", "length: 1"]),
    case("for ever", "/forever", FOLLOWED, &["status: 200", "name: backend2", "method: POST"]),

    case("an answer of ours", "/text", &[], &["status: 503", "back soon", "content-length: 9", "content-type: text/plain; charset=utf-8"]),
    case("of a type", "/json", &[], &["status: 200", "{}", "content-type: application/json"]),
    case("without a body", "/empty", &[], &["status: 204", "!content-length"]),
    case("its head alone", "/json", &["-I"], &["status: 200", "content-length: 2", "!{"]),

    case("another prefix", "/api/a%20b?c", &[], &["uri: /v2/a%20b?c"]),
    case("the prefix alone", "/api", &[], &["uri: /v2"]),
    case("no prefix", "/cut/a", &[], &["uri: /a"]),
    case("no prefix and nothing else", "/cut?x", &[], &["uri: /?x"]),
    case("an expression", "/user/12/x?y", &[], &["uri: /u-12/x?y"]),
    case("another host", "/host", &["-H", "Host: www.example.org"], &["host: inner.example.org", "x-forwarded-host: www.example.org"]),

    case("headers of the request", "/request", &["-H", "X-One: theirs", "-H", "X-Two: 2", "-H", "Cookie: a=1"], &["x-one: ours", "x-two: ", "cookie: a=1; c=3"]),
    case("which it did not have", "/request", &[], &["x-one: ours", "cookie: c=3"]),
    case("headers of the answer", "/response", &[], &["x-backend: hidden", "x-new: 1", "vary: origin", "!server:", "!x-backend: backend1"]),
];

/// Draws are independent: six standard deviations of the binomial distribution.
pub(super) fn requests_are_drawn_by_weight(scene: &Scene, site: &Site) -> Result<()> {
    let url = format!("http://{EDGE}:{HTTP}/split/[1-{REQUESTS}]");
    let at = format!("::{}", site.at(HTTP));
    let words = ["-sS", "--fail", "--noproxy", "*", "--connect-to", &at, "-o", "/dev/null", &url];
    scene.network.topology.client.run("curl", &words)?.success()?;
    let counts = site.answered(" GET /split/", REQUESTS)?;
    let total: f64 = WEIGHTS.iter().sum();
    for (count, weight) in counts.iter().zip(WEIGHTS) {
        #[expect(clippy::cast_precision_loss, reason = "some hundred")]
        let (count, requests) = (*count as f64, REQUESTS as f64);
        let share = weight / total;
        let away = (count - requests * share).abs();
        ensure!(away <= 6.0 * (requests * share * (1.0 - share)).sqrt(), "{counts:?}");
    }
    Ok(())
}
