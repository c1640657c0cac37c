//! Requests of HTTP/2 that would be something else, or more than one, as HTTP/1.1.
//!
//! The backend records every byte that it gets. Whatever the client was told, those bytes must be whole
//! messages that a strict reader takes, and no more of them than were asked for.

use std::{
    io::{Read, Write},
    net::{SocketAddr, TcpListener},
    sync::{Arc, Mutex},
    thread,
};

use super::{
    Scene, Server,
    frames::{Field, Outcome, ask},
};
use crate::{
    model::listener::ClientLimits,
    proxy::strict::{Limits, Scanner},
};

/// A backend that records what it gets, one list of bytes for each connection.
struct Recorder {
    address: SocketAddr,
    heard: Arc<Mutex<Vec<Vec<u8>>>>,
}

impl Recorder {
    fn new() -> Self {
        let listener = TcpListener::bind("127.0.0.1:0").unwrap();
        let address = listener.local_addr().unwrap();
        let heard: Arc<Mutex<Vec<Vec<u8>>>> = Arc::default();
        let all = Arc::clone(&heard);
        thread::spawn(move || {
            for (nth, stream) in listener.incoming().map_while(Result::ok).enumerate() {
                all.lock().unwrap().push(Vec::new());
                let all = Arc::clone(&all);
                thread::spawn(move || {
                    let mut stream = stream;
                    let mut bytes = [0; 4096];
                    while let Ok(read @ 1..) = stream.read(&mut bytes) {
                        let mut heard = all.lock().unwrap();
                        heard[nth].extend_from_slice(&bytes[..read]);
                        if is_whole(&heard[nth]) {
                            let answer = b"HTTP/1.1 200 OK\r\ncontent-length: 0\r\n\r\n";
                            stream.write_all(answer).unwrap();
                        }
                    }
                });
            }
        });
        Self { address, heard }
    }

    fn heard(&self) -> Vec<Vec<u8>> {
        self.heard.lock().unwrap().clone()
    }
}

fn scanned(bytes: &[u8]) -> (bool, Scanner) {
    let mut scanner = Scanner::new(Limits::of(&ClientLimits::default()));
    (scanner.scan(bytes).is_ok(), scanner)
}

/// Whether these are whole requests, one or several.
fn is_whole(bytes: &[u8]) -> bool {
    let (right, scanner) = scanned(bytes);
    right && scanner.is_between()
}

const METHOD: Field<'_> = (b":method", b"GET");
const SCHEME: Field<'_> = (b":scheme", b"http");
const AUTHORITY: Field<'_> = (b":authority", b"www.example.org");
const PATH: Field<'_> = (b":path", b"/a");

/// A proper request with other fields besides.
fn with<'a>(more: &[Field<'a>]) -> Vec<Field<'a>> {
    [METHOD, SCHEME, AUTHORITY, PATH].into_iter().chain(more.iter().copied()).collect()
}

/// A proper request in which a pseudo header is another.
fn but<'a>(name: &'a [u8], value: &'a [u8]) -> Vec<Field<'a>> {
    let fields = with(&[]);
    fields.into_iter().map(|field| if field.0 == name { (name, value) } else { field }).collect()
}

fn post<'a>(more: &[Field<'a>]) -> Vec<Field<'a>> {
    let mut fields = but(b":method", b"POST");
    fields.extend_from_slice(more);
    fields
}

/// Values that would end a line, or be read in two ways.
const BREAKS: [&[u8]; 8] = [
    b"a\r\nx-evil: 1",
    b"a\nx-evil: 1",
    b"a\rx-evil: 1",
    b"a\0b",
    b"a\r\n\r\nGET /evil HTTP/1.1\r\nhost: h\r\n\r\n",
    b"\r\n",
    b"\n",
    b"a\x7fb",
];

/// Requests that must not be served: what is wrong, the fields.
fn improper() -> Vec<(String, Vec<Field<'static>>)> {
    let mut all = Vec::new();
    for value in BREAKS {
        let shown = String::from_utf8_lossy(value);
        all.push((format!("value {shown:?}"), with(&[(b"x-a", value)])));
        all.push((format!("name {shown:?}"), with(&[(value, b"1")])));
        for name in [&b":method"[..], b":scheme", b":authority", b":path"] {
            let what = String::from_utf8_lossy(name);
            all.push((format!("{what} {shown:?}"), but(name, value)));
        }
        all.push((format!("host {shown:?}"), with(&[(b"host", value)])));
        all.push((format!("cookie {shown:?}"), with(&[(b"cookie", value)])));
    }
    let pseudo: [(&[u8], &[&[u8]]); 4] = [
        (b":method", &[b"", b"GET /evil", b"GE T", b"GET ", b" GET", b"G(T", b"CONNECT"]),
        (b":scheme", &[b"", b"ht tp", b"http:", b"1"]),
        (
            b":authority",
            &[b"a b", b"a/b", b"u@a", b"a\\b", b"a?b", b"a#b", b" a", b"a:b", b"a:99999", b"a%41"],
        ),
        (
            b":path",
            &[
                b"",
                b"a",
                b"@evil/",
                b"http://evil/",
                b"*",
                b" /a",
                b"/a b",
                b"/a HTTP/1.1",
                b"/a\tb",
                b"?a",
                b"/\x80",
                b"/\xc3\xa4",
                b"/a?\xff",
                b"/../a",
                b"/a/%2e%2e/b",
            ],
        ),
    ];
    for (name, values) in pseudo {
        for value in values {
            let what =
                format!("{} {:?}", String::from_utf8_lossy(name), String::from_utf8_lossy(value));
            all.push((what, but(name, value)));
        }
    }
    let names: [&[u8]; 9] =
        [b"", b"X-Upper", b"a b", b"a:", b" a", b"a ", b"a\tb", b"a(b", b":unknown"];
    for name in names {
        all.push((format!("name {:?}", String::from_utf8_lossy(name)), with(&[(name, b"1")])));
    }
    let fields: [(&str, &[Field<'static>]); 17] = [
        ("transfer-encoding", &[(b"transfer-encoding", b"chunked")]),
        ("connection", &[(b"connection", b"x-a")]),
        ("keep-alive", &[(b"keep-alive", b"timeout=5")]),
        ("proxy-connection", &[(b"proxy-connection", b"keep-alive")]),
        ("upgrade", &[(b"upgrade", b"websocket")]),
        ("te", &[(b"te", b"gzip")]),
        ("another host", &[(b"host", b"evil.example.org")]),
        ("another port", &[(b"host", b"www.example.org:81")]),
        ("host twice", &[(b"host", b"www.example.org"), (b"host", b"www.example.org")]),
        ("a pseudo header behind others", &[(b"x-a", b"1"), (b":path", b"/evil")]),
        (":path twice", &[(b":path", b"/evil")]),
        (":status", &[(b":status", b"200")]),
        (":protocol", &[(b":protocol", b"websocket")]),
        ("a space in front", &[(b"x-a", b" 1")]),
        ("a space behind", &[(b"x-a", b"1 ")]),
        ("a tab in front", &[(b"x-a", b"\t1")]),
        ("a length without a body", &[(b"content-length", b"5")]),
    ];
    all.extend(fields.into_iter().map(|(what, more)| (what.to_owned(), with(more))));
    let nobody = [METHOD, SCHEME, PATH];
    all.push(("no :authority and no host".to_owned(), nobody.to_vec()));
    for missing in [b":method".as_slice(), b":scheme", b":path"] {
        let fields = with(&[]).into_iter().filter(|(name, _)| *name != missing).collect();
        all.push((format!("no {}", String::from_utf8_lossy(missing)), fields));
    }
    all
}

#[test]
fn what_would_be_another_request_to_http_1_goes_nowhere() {
    let recorder = Recorder::new();
    let server = Server { address: recorder.address, ..Server::absent() };
    let scene = Scene::simple(&[&server], "");
    let cases = improper();
    let passed = cases.iter().filter(|(_, it)| ask(scene.at, it, None, &[]) == Outcome::Served);
    let passed: Vec<_> = passed.map(|(what, _)| what).collect();
    assert!(passed.is_empty(), "{passed:#?}");
    assert!(cases.len() > 120, "{}", cases.len());
    for bytes in recorder.heard() {
        assert!(bytes.is_empty(), "{:?}", String::from_utf8_lossy(&bytes));
    }
    // hyper leaves out what stands behind a `#`.
    ask(scene.at, &but(b":path", b"/c#evil"), None, &[]);
    // And the client of these tests can ask properly.
    for fields in
        [with(&[(b"te", b"trailers"), (b"x-a", b"\xe4 b")]), with(&[(b"host", AUTHORITY.1)])]
    {
        assert_eq!(ask(scene.at, &fields, None, &[]), Outcome::Served);
    }
    let heard = recorder.heard().concat();
    let text = String::from_utf8_lossy(&heard);
    assert!(is_whole(&heard) && !text.contains(['#', '\0']), "{text}");
    assert_eq!(text.matches("GET /a HTTP/1.1\r\n").count(), 2, "{text}");
    assert!(!text.contains("evil"), "{text}");
}

/// Bodies: what is wrong with them may show when the head is on its way. Then the backend must see that the
/// request is not whole, and nothing that could be another.
#[test]
fn what_a_body_says_is_never_taken_for_a_request() {
    let evil: &[u8] = b"GET /evil HTTP/1.1\r\nhost: h\r\n\r\n";
    let lengths: [&[Field<'_>]; 10] = [
        &[(b"content-length", b"3")],
        &[(b"content-length", b"0")],
        &[(b"content-length", b"100")],
        &[(b"content-length", b"3"), (b"content-length", b"34")],
        &[(b"content-length", b"3, 3")],
        &[(b"content-length", b"+3")],
        &[(b"content-length", b"-1")],
        &[(b"content-length", b"0x3")],
        &[(b"content-length", b"99999999999999999999")],
        &[(b"content-length", b"")],
    ];
    for more in lengths {
        let recorder = Recorder::new();
        let server = Server { address: recorder.address, ..Server::absent() };
        let scene = Scene::simple(&[&server], "idle-timeout = \"200ms\"\nretries = 0");
        for pieces in [&[b"abc" as &[u8], evil][..], &[b"a", b"b", evil]] {
            let outcome = ask(scene.at, &post(more), Some(pieces), &[]);
            assert_ne!(outcome, Outcome::Served, "{more:?}");
        }
        for bytes in recorder.heard() {
            let text = String::from_utf8_lossy(&bytes);
            assert!(scanned(&bytes).0, "{more:?}: {text}");
            assert!(bytes.is_empty() || !is_whole(&bytes), "{more:?}: {text}");
            assert!(!text.contains("evil"), "{more:?}: {text}");
        }
    }
}

#[test]
fn a_body_without_a_length_is_one_request_whatever_it_says() {
    let recorder = Recorder::new();
    let server = Server { address: recorder.address, ..Server::absent() };
    let scene = Scene::simple(&[&server], "");
    let pieces: [&[u8]; 3] = [b"0\r\n\r\n", b"GET /evil HTTP/1.1\r\nhost: h\r\n\r\n", b""];
    assert_eq!(ask(scene.at, &post(&[]), Some(&pieces), &[]), Outcome::Served);
    let trailers: [&[Field<'_>]; 6] = [
        &[(b"x-checksum", b"1")],
        &[(b"content-length", b"5")],
        &[(b"host", b"evil.example.org")],
        &[(b"transfer-encoding", b"chunked")],
        &[(b"x-a", b"1\r\nx-evil: 1")],
        &[(b":path", b"/evil")],
    ];
    for trailers in trailers {
        let more: &[Field<'_>] = &[(b"trailer", b"content-length, host, x-a, x-checksum")];
        ask(scene.at, &post(more), Some(&pieces), trailers);
    }
    for bytes in recorder.heard() {
        let text = String::from_utf8_lossy(&bytes);
        assert!(scanned(&bytes).0, "{text}");
        let (requests, posts) =
            (text.matches(" HTTP/1.1\r\nhost: ").count(), text.matches("POST /a").count());
        // Each body says something that looks like one.
        assert!(requests <= posts * 2, "{text}");
        assert!(!text.contains("evil.example.org") && !text.contains("x-evil"), "{text}");
    }
}
