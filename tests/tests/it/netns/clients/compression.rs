//! Compression, for curl, which decodes each coding itself, of what nginx serves.

use std::{fs, net::SocketAddr};

use anyhow::{Result, ensure};
use tests::{nginx::Nginx, topology::Family};

use super::{
    super::scene::{Network, Scene},
    EDGE, HTTP, HTTPS, Site,
    curl::{Answer, ask},
    pool, run, wants,
};

/// Where the backend serves files.
const FILES: u16 = 8010;
const CODINGS: [&str; 3] = ["zstd", "br", "gzip"];
/// Exit code of curl when its time is over.
const TOO_LATE: i32 = 28;

#[test]
fn compression_v4() {
    compression(Family::V4);
}

#[test]
fn compression_v6() {
    compression(Family::V6);
}

fn compression(family: Family) {
    run(wants(family, 1), &["curl"], config, |scene, site| {
        let text = text(3000);
        let _files = files(scene, site, &text)?;
        every_coding_decodes_to_the_same(scene, site, &text)?;
        what_should_not_be_coded_is_not(scene, site, &text)?;
        nothing_is_coded_twice(scene, site, &text)?;
        what_is_there_arrives_before_the_end(scene, site, &text)
    });
}

#[expect(clippy::unnecessary_wraps, reason = "what makes configurations may fail")]
fn config(network: &Network, site: &Site) -> Result<String> {
    let more = "compression = [\"zstd\", \"br\", \"gzip\"]\npool = \"files\"";
    let listeners = site.listener("edge", HTTP, more) + &site.https("tls", HTTPS, more);
    Ok(pool(network, "files", FILES, &[], "") + &listeners)
}

/// A text of so many lines, which is not all the same.
fn text(lines: usize) -> String {
    let line = |nth: usize| format!("line {nth}, {}\n", nth * 7919 % 104_729);
    (0..lines).map(line).collect::<Vec<_>>().concat()
}

/// Another nginx on the backend, with files.
fn files(scene: &Scene, site: &Site, text: &str) -> Result<Nginx> {
    let directory = site.authority.file("files");
    fs::create_dir_all(&directory)?;
    for (name, content) in
        [("text.html", text), ("data.json", text), ("picture.png", text), ("short.html", "short")]
    {
        fs::write(format!("{directory}/{name}"), content)?;
    }
    let at = SocketAddr::new(scene.network.backend(1).ip(), FILES);
    let server = format!(
        r"    types {{ text/html html; application/json json; image/png png; }}
    server {{
        listen {at};
        location / {{ root {directory}; }}
        location /coded/ {{
            alias {directory}/;
            gzip on;
            gzip_proxied any;
            gzip_types *;
        }}
        location /slow/ {{
            alias {directory}/;
            limit_rate 1k;
        }}
    }}
"
    );
    Nginx::start(scene.network.topology.backend(1), directory.as_ref(), &server, &[at])
}

/// What curl gets and decodes, if it says that it accepts this.
fn accepting(scene: &Scene, site: &Site, port: u16, path: &str, words: &[&str]) -> Result<Answer> {
    ask(scene, site, port, path, &[&["--compressed"], words].concat())
}

fn coding(answer: &Answer) -> Vec<&str> {
    let lines = answer.head.lines().filter_map(|line| line.strip_prefix("content-encoding: "));
    lines.collect()
}

fn every_coding_decodes_to_the_same(scene: &Scene, site: &Site, text: &str) -> Result<()> {
    for (port, flag) in [
        (HTTP, "--http1.0"),
        (HTTP, "--http1.1"),
        (HTTP, "--http2-prior-knowledge"),
        (HTTPS, "--http1.1"),
        (HTTPS, "--http2"),
    ] {
        for name in CODINGS {
            let accept = format!("Accept-Encoding: {name}");
            for path in ["/text.html", "/data.json"] {
                let answer = accepting(scene, site, port, path, &[flag, "-H", &accept])?;
                let head = &answer.head;
                ensure!(coding(&answer) == [name], "{flag} {name}: {head}");
                ensure!(head.contains("vary: accept-encoding"), "{flag} {name}: {head}");
                ensure!(head.contains("etag: w/\""), "{flag} {name}: {head}");
                ensure!(!head.contains("accept-ranges"), "{flag} {name}: {head}");
                ensure!(!head.contains("content-length"), "{flag} {name}: {head}");
                ensure!(answer.body == text, "{flag} {name}: other bytes");
            }
        }
        // curl accepts all of them alike.
        let answer = accepting(scene, site, port, "/text.html", &[flag])?;
        ensure!(coding(&answer) == ["zstd"] && answer.body == text, "{flag}: {}", answer.head);
    }
    Ok(())
}

fn what_should_not_be_coded_is_not(scene: &Scene, site: &Site, text: &str) -> Result<()> {
    let part = text.get(10..30).unwrap_or_default();
    for (path, words, body) in [
        ("/text.html", &["-H", "Accept-Encoding: identity"][..], text),
        ("/text.html", &["-H", "Accept-Encoding: zstd;q=0, br;q=0, gzip;q=0, *"], text),
        ("/text.html", &["-H", "Accept-Encoding: gzip;q=0.5, identity"], text),
        ("/text.html", &["-H", "Accept-Encoding;"], text),
        ("/text.html", &["-H", "Cache-Control: no-transform"], text),
        ("/text.html", &["-r", "10-29"], part),
        ("/picture.png", &[], text),
        ("/short.html", &[], "short"),
    ] {
        let answer = accepting(scene, site, HTTPS, path, words)?;
        ensure!(coding(&answer).is_empty(), "{path} {words:?}: {}", answer.head);
        ensure!(answer.body == body, "{path} {words:?}: other bytes");
    }
    let answer = accepting(scene, site, HTTP, "/text.html", &["--head"])?;
    let length = format!("content-length: {}", text.len());
    ensure!(coding(&answer).is_empty() && answer.head.contains(&length), "{}", answer.head);
    Ok(())
}

/// The backend sees what the client accepts, and codes itself if it likes.
fn nothing_is_coded_twice(scene: &Scene, site: &Site, text: &str) -> Result<()> {
    for port in [HTTP, HTTPS] {
        let answer = accepting(scene, site, port, "/coded/text.html", &[])?;
        ensure!(coding(&answer) == ["gzip"] && answer.body == text, "{}", answer.head);
        let words = ["-H", "Accept-Encoding: br"];
        let answer = accepting(scene, site, port, "/coded/text.html", &words)?;
        ensure!(coding(&answer) == ["br"] && answer.body == text, "{}", answer.head);
    }
    Ok(())
}

/// A backend that takes a minute for its answer pauses after each second's worth of it.
fn what_is_there_arrives_before_the_end(scene: &Scene, site: &Site, text: &str) -> Result<()> {
    let at = format!("{EDGE}:{HTTP}:{}", site.at(HTTP));
    let url = format!("http://{EDGE}:{HTTP}/slow/text.html");
    for name in CODINGS {
        let accept = format!("Accept-Encoding: {name}");
        let fixed = ["-sS", "-N", "--noproxy", "*", "--compressed", "--max-time", "3"];
        let words = [&fixed[..], &["--connect-to", &at, "-H", &accept, &url]].concat();
        let said = scene.network.topology.client.run("curl", &words)?;
        ensure!(said.code == Some(TOO_LATE), "{name}: {said}");
        let heard = &said.stdout;
        ensure!(!heard.is_empty() && heard.len() < text.len(), "{name}: {} bytes", heard.len());
        ensure!(text.starts_with(heard.as_str()), "{name}: other bytes");
    }
    Ok(())
}
