//! Certificates, keys and pages that a configuration names and that cannot be used, each at its place.

use std::{fs, path::Path};

use rcgen::{CertifiedKey, generate_simple_self_signed};
use tempfile::TempDir;

use crate::config::{load, parse, parse_with_files};

/// Files `NAME.pem` and `NAME.key` in a directory.
fn pair(directory: &Path, name: &str) {
    let CertifiedKey { cert, signing_key } =
        generate_simple_self_signed(vec![format!("{name}.example.org")]).unwrap();
    fs::write(directory.join(format!("{name}.pem")), cert.pem()).unwrap();
    fs::write(directory.join(format!("{name}.key")), signing_key.serialize_pem()).unwrap();
}

/// A directory with what is right and what is wrong in several ways.
fn directory() -> TempDir {
    let directory = TempDir::new().unwrap();
    pair(directory.path(), "a");
    pair(directory.path(), "b");
    let write = |name: &str, bytes: &[u8]| fs::write(directory.path().join(name), bytes).unwrap();
    write("empty.pem", b"nothing");
    write("not.pem", b"-----BEGIN CERTIFICATE-----\nAAAA\n-----END CERTIFICATE-----\n");
    write("cut.pem", b"-----BEGIN CERTIFICATE-----\nAAAA\n");
    write("large.html", &vec![b'x'; 300 << 10]);
    write("page.html", b"page");
    directory
}

/// A configuration whose paths begin with `@/` for the directory.
fn text(directory: &TempDir, text: &str) -> String {
    text.replace("@/", &format!("{}/", directory.path().display()))
}

fn found(directory: &TempDir, lines: &str) -> Vec<String> {
    let text = text(directory, lines);
    assert!(parse("f", &text).is_ok(), "right but for its files: {text}");
    let errors =
        parse_with_files("f", &text).map_or_else(|errors| errors.to_string(), |_| String::new());
    let here = format!("{}/", directory.path().display());
    errors.lines().map(|line| line.replace(&here, "@/")).collect()
}

const POOL: &str = "[[pool]]\nname = \"web\"\nbackends = []\n";

fn https(certificates: &str, more: &str) -> String {
    format!(
        "{POOL}[[listener]]\nname = \"edge\"\nlisten = \"127.0.0.1:443\"\nprotocol = \"https\"\npool = \"web\"\n[listener.tls]\ncertificates = [\n{certificates}\n]\n{more}"
    )
}

#[test]
fn certificates_of_listeners() {
    let directory = directory();
    let one = |certificate: &str, key: &str| {
        let line = format!("  {{ certificate = \"@/{certificate}\", key = \"@/{key}\" }},");
        found(&directory, &https(&line, ""))
    };
    assert_eq!(one("a.pem", "a.key"), Vec::<String>::new());
    let tail = "give a PEM file that the daemon can read";
    assert_eq!(
        one("none.pem", "a.key"),
        [format!(
            "f:11:20: @/none.pem cannot be used: No such file or directory (os error 2); {tail}"
        )]
    );
    // Behind the path of the certificate, whose `@` stands for the directory.
    let column = 36 + directory.path().display().to_string().chars().count();
    assert_eq!(
        one("a.pem", "none.key"),
        [format!(
            "f:11:{column}: @/none.key cannot be used: No such file or directory (os error 2); {tail}"
        )]
    );
    let mismatch = one("a.pem", "b.key");
    assert_eq!(mismatch.len(), 1, "{mismatch:?}");
    assert!(
        mismatch[0].ends_with(
            ": @/b.key is not the key of @/a.pem; give the key that the certificate was made for"
        ),
        "{mismatch:?}"
    );
    for (certificate, key, words) in [
        ("empty.pem", "a.key", "f:11:20: @/empty.pem cannot be used: it holds no certificate"),
        ("not.pem", "a.key", "f:11:20: @/not.pem cannot be used: "),
        (
            "cut.pem",
            "a.key",
            "f:11:20: @/cut.pem cannot be used: it is damaged: missing section end",
        ),
        ("a.pem", "empty.pem", "@/empty.pem cannot be used: it holds no private key"),
        ("a.pem", "b.pem", "@/b.pem cannot be used: it holds no private key"),
    ] {
        let found = one(certificate, key);
        assert!(found.len() == 1 && found[0].contains(words), "{words}: {found:?}");
    }
}

#[test]
fn all_that_is_wrong_is_told_at_once() {
    let directory = directory();
    let certificates = "{ certificate = \"@/a.pem\", key = \"@/b.key\" },\n{ certificate = \"@/none.pem\", key = \"@/b.key\" }";
    let more = "client-ca = \"@/empty.pem\"\n";
    let pool = "[[pool]]\nname = \"other\"\nbackends = []\n[pool.health]\ntype = \"https\"\nca = \"@/gone.pem\"\n[pool.http.tls]\nca = \"@/not.pem\"\ncertificate = \"@/b.pem\"\nkey = \"@/a.key\"\n";
    let pages = "[[listener]]\nname = \"p\"\nlisten = \"127.0.0.1:80\"\npool = \"web\"\nerror-pages = { 404 = \"@/page.html\", 502 = \"@/none.html\" }\n";
    let found = found(&directory, &(https(certificates, more) + pool + pages));
    let places: Vec<_> = found
        .iter()
        .map(|line| line.split(": ").take(2).collect::<Vec<_>>().join(" "))
        .map(|line| line.split(" cannot").next().unwrap().to_owned())
        .map(|line| line.split(" is not").next().unwrap().to_owned())
        .map(|line| {
            let (place, file) = line.split_once(' ').unwrap();
            format!("{} {file}", place.split(':').nth(1).unwrap())
        })
        .collect();
    let expected = [
        "11 @/b.key",
        "12 @/none.pem",
        "14 @/empty.pem",
        "20 @/gone.pem",
        "22 @/not.pem",
        "24 @/a.key",
        "29 @/none.html",
    ];
    assert_eq!(places, expected, "{found:#?}");
}

#[test]
fn pages_are_files_of_some_size() {
    let directory = directory();
    let page = |path: &str| {
        found(
            &directory,
            &format!(
                "{POOL}[[listener]]\nname = \"p\"\nlisten = \"127.0.0.1:80\"\npool = \"web\"\nerror-pages = {{ 502 = \"{path}\" }}\n"
            ),
        )
    };
    assert_eq!(page("@/page.html"), Vec::<String>::new());
    for (path, words) in [
        ("@/none.html", "f:8:24: @/none.html cannot be read: No such file"),
        ("@/large.html", "f:8:24: @/large.html has more than 262144 bytes"),
        ("/dev/zero", "f:8:24: /dev/zero is no regular file"),
        ("/", "f:8:24: / is no regular file"),
    ] {
        let found = page(path);
        assert!(found.len() == 1 && found[0].starts_with(words), "{words}: {found:?}");
    }
}

#[test]
fn a_file_that_is_loaded_is_looked_at_as_a_whole() {
    let directory = directory();
    let path = directory.path().join("shunt.toml");
    let line = "{ certificate = \"@/a.pem\", key = \"@/b.key\" }";
    fs::write(&path, text(&directory, &https(line, ""))).unwrap();
    let error = load(&path).unwrap_err().to_string();
    assert!(error.starts_with(&format!("{}:11:", path.display())), "{error}");
    fs::write(&path, text(&directory, &https(&line.replace("b.key", "a.key"), ""))).unwrap();
    assert!(load(&path).is_ok());
}
