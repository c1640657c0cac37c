//! Error pages of a listener.

use std::fs;

use tempfile::TempDir;

use super::{
    Scene, Server,
    frames::{Outcome, ask},
    pool,
};

/// A listener with pages for some statuses, in a directory of its own.
fn scene(directory: &TempDir, server: &Server, pages: &[(u16, &str, &str)]) -> Scene {
    let pages: Vec<_> = pages
        .iter()
        .map(|(status, file, text)| {
            let path = directory.path().join(file);
            fs::write(&path, text).unwrap();
            format!("{status} = \"{}\"", path.display())
        })
        .collect();
    let listener = format!(
        "error-pages = {{ {} }}\n[[listener.route]]\npath-prefix = \"/web\"\npool = \"web\"\n[[listener.route]]\npath = \"/own\"\nrespond = {{ status = 404, body = \"own\" }}\n[listener.client]\nhead-timeout = \"1s\"",
        pages.join(", ")
    );
    Scene::new(&listener, &pool("web", &[server], "retries = 0"))
}

#[test]
fn what_we_answer_has_the_page_of_the_listener_and_nothing_else_has() {
    let directory = TempDir::new().unwrap();
    let server = Server::new(|asked| {
        if asked.head.starts_with("GET /web/missing") {
            return asked.raw("HTTP/1.1 404 Not Found\r\ncontent-length: 4\r\n\r\nhers");
        }
        false
    });
    let pages = [
        (404, "404.html", "<p>nothing here</p>"),
        (502, "502.json", "{}"),
        (400, "400.txt", "what?"),
        (408, "408", "slow"),
    ];
    let mut scene = scene(&directory, &server, &pages);
    let shown = |answer: super::Answer| {
        let kind = answer.header("content-type").map(str::to_owned);
        (answer.status, kind.unwrap_or_default(), answer.text().to_owned())
    };
    let expect = |status, kind: &str, text: &str| (status, kind.to_owned(), text.to_owned());
    let html = "text/html; charset=utf-8";
    assert_eq!(shown(scene.get("/x")), expect(404, html, "<p>nothing here</p>"));
    assert_eq!(shown(scene.get("/web/broken")), expect(502, "application/json", "{}"));
    let bad = scene.ask("GET / HTTP/1.1\r\nHost: a\r\nHost: a\r\n\r\n");
    assert_eq!(shown(bad), expect(400, "text/plain; charset=utf-8", "what?"));
    assert_eq!(shown(scene.ask("GET / HTTP/1.1\r\nHost")), expect(408, html, "slow"));
    // No page for this one, and answers of routes and backends stay what they are.
    let none = scene.ask("CONNECT a:80 HTTP/1.1\r\nHost: a:80\r\n\r\n");
    assert_eq!(none.text(), "405 CONNECT is not for this server\n");
    assert_eq!(scene.get("/own").text(), "own");
    assert_eq!(scene.get("/web/missing").text(), "hers");
    let mut client = scene.connect();
    client.send("HEAD /x HTTP/1.1\r\nHost: h\r\n\r\n");
    assert!(client.head().contains("content-length: 19\r\n"));
    let h2: [(&[u8], &[u8]); 4] =
        [(b":method", b"GET"), (b":scheme", b"http"), (b":authority", b"h"), (b":path", b"/x")];
    assert_eq!(ask(scene.at, &h2, None, &[]), Outcome::Refused);

    // Read again when they change; what cannot be used changes nothing.
    let desired = scene.desired();
    fs::write(directory.path().join("404.html"), "gone").unwrap();
    scene.proxy.reload_files(&desired, &[].into());
    assert_eq!(scene.get("/x").text(), "gone");
    fs::remove_file(directory.path().join("404.html")).unwrap();
    scene.proxy.reload_files(&desired, &[].into());
    assert_eq!(scene.get("/x").text(), "gone");
    let error = super::Proxy::new(1).follow(&desired, &[].into()).unwrap_err().to_string();
    assert!(error.starts_with("listener `edge`: ") && error.contains("404.html"), "{error}");
}
