//! Which coding a request gets, which answers are coded, and that what is coded is what was given.
#![expect(clippy::unwrap_used, reason = "a failed test may panic")]

use std::io::Write;

use http_body_util::BodyExt;
use hyper::{
    Method, Request, Response, StatusCode,
    header::{ACCEPT_ENCODING, HeaderMap, HeaderName, HeaderValue},
};
use proptest::prelude::*;

use super::{Compressing, Encoder, accept::best, kinds::is_compressible};
use crate::{
    model::listener::Coding::{self, Brotli, Gzip, Zstd},
    proxy::body::Inbound,
};

const ALL: [Coding; 3] = [Zstd, Brotli, Gzip];

fn accepted(lines: &[&str]) -> HeaderMap {
    let mut headers = HeaderMap::new();
    for line in lines {
        headers.append(ACCEPT_ENCODING, HeaderValue::from_str(line).unwrap());
    }
    headers
}

#[test]
fn a_client_gets_what_it_likes_best() {
    for (lines, coding) in [
        (&[][..], None),
        (&[""], None),
        (&["gzip"], Some(Gzip)),
        (&["GZIP"], Some(Gzip)),
        (&["x-gzip"], Some(Gzip)),
        (&["gzip, deflate, br, zstd"], Some(Zstd)),
        (&["gzip, deflate", "br"], Some(Brotli)),
        (&["gzip;q=1.0, br;q=0.9, zstd;q=0.1"], Some(Gzip)),
        (&["gzip;q=0.5, br;q=0.501"], Some(Brotli)),
        (&["gzip;q=0.5,br ; Q=0.5 , zstd;q=0.2"], Some(Brotli)),
        (&["gzip;q=0"], None),
        (&["gzip;q=0.000, *"], Some(Zstd)),
        (&["*"], Some(Zstd)),
        (&["*;q=0"], None),
        (&["*;q=0, gzip"], Some(Gzip)),
        (&["zstd;q=0, *;q=0.1"], Some(Brotli)),
        (&["identity"], None),
        (&["identity, gzip"], Some(Gzip)),
        (&["identity, gzip;q=0.9"], None),
        (&["identity;q=0.5, gzip;q=0.9"], Some(Gzip)),
        (&["identity;q=0, gzip;q=0.1"], Some(Gzip)),
        (&["identity;q=0"], None),
        (&["deflate, compress"], None),
        (&["gzip;q=2"], None),
        (&["gzip;q=1.001"], None),
        (&["gzip;q=0.1234"], None),
        (&["gzip;q=-1"], None),
        (&["gzip;q=+.5"], None),
        (&["gzip;level=9"], None),
        (&["gzip;q=1;q=0"], None),
        (&["gzip;"], None),
        (&["gzipped, br2, ;q=1, ,,"], None),
        (&["gzip, gzip;q=0"], Some(Gzip)),
    ] {
        assert_eq!(best(&ALL, &accepted(lines)), coding, "{lines:?}");
    }
}

#[test]
fn of_what_it_likes_equally_the_listener_chooses() {
    let headers = accepted(&["gzip, br"]);
    let of = |offered: &[Coding]| best(offered, &headers);
    assert_eq!(of(&[Gzip, Brotli]), Some(Gzip));
    assert_eq!(of(&[Brotli, Gzip]), Some(Brotli));
    assert_eq!(of(&[]), None);
}

#[test]
fn text_in_its_many_forms_is_compressible() {
    for kind in [
        "text/html; charset=utf-8",
        "Text/Event-Stream",
        "application/json",
        "application/JSON;charset=utf-8",
        "application/ld+json",
        "image/svg+xml",
        "application/wasm",
        "application/javascript",
    ] {
        assert!(is_compressible(kind), "{kind}");
    }
    for kind in [
        "",
        "text",
        "image/png",
        "application/octet-stream",
        "application/zip",
        "application/grpc",
        "application/grpc+json",
        "application/grpc-web-text",
        "video/mp4; note=text/html",
        "application/jsonx",
        "\u{e4}\u{e4}\u{e4}text/",
    ] {
        assert!(!is_compressible(kind), "{kind}");
    }
}

/// What becomes of an answer with these headers.
fn applied(
    method: &Method,
    status: StatusCode,
    headers: &[(&'static str, &'static str)],
    body: &'static str,
) -> Response<Inbound> {
    let request = Request::builder().method(method).header(ACCEPT_ENCODING, "gzip");
    let request = request.body(()).unwrap();
    let mut response = Response::new(Inbound::own(body));
    *response.status_mut() = status;
    for (name, value) in headers {
        let (name, value) = (HeaderName::from_static(name), HeaderValue::from_static(value));
        response.headers_mut().append(name, value);
    }
    Compressing::of(&ALL, &request).unwrap().apply(response)
}

fn header(response: &Response<Inbound>, name: &str) -> Option<String> {
    let all: Vec<_> =
        response.headers().get_all(name).iter().map(|it| it.to_str().unwrap()).collect();
    (!all.is_empty()).then(|| all.join(", "))
}

const TEXT: (&str, &str) = ("content-type", "text/plain");
const LONG: &str = include_str!("tests.rs");

#[test]
fn what_was_said_of_the_bytes_as_they_were_goes() {
    let said = [
        TEXT,
        ("content-length", "9999"),
        ("accept-ranges", "bytes"),
        ("content-md5", "x"),
        ("digest", "x"),
        ("content-digest", "x"),
        ("repr-digest", "x"),
        ("etag", "\"a\""),
        ("vary", "origin"),
    ];
    let response = applied(&Method::GET, StatusCode::OK, &said, LONG);
    for (name, value) in [
        ("content-encoding", Some("gzip")),
        ("content-length", None),
        ("accept-ranges", None),
        ("content-md5", None),
        ("digest", None),
        ("content-digest", None),
        ("repr-digest", None),
        ("etag", Some("W/\"a\"")),
        ("vary", Some("origin, Accept-Encoding")),
        ("content-type", Some("text/plain")),
    ] {
        assert_eq!(header(&response, name).as_deref(), value, "{name}");
    }
    for (before, after) in [("W/\"a\"", "W/\"a\""), ("bare", "bare")] {
        let response = applied(&Method::GET, StatusCode::OK, &[TEXT, ("etag", before)], LONG);
        assert_eq!(header(&response, "etag").as_deref(), Some(after));
    }
    for vary in ["*", "x, accept-encoding", "Accept-Encoding"] {
        let response = applied(&Method::GET, StatusCode::OK, &[TEXT, ("vary", vary)], LONG);
        assert_eq!(header(&response, "vary").as_deref(), Some(vary));
    }
}

#[test]
fn what_is_no_use_or_not_ours_is_left_alone() {
    let (get, head, ok) = (Method::GET, Method::HEAD, StatusCode::OK);
    let vary = Some("Accept-Encoding".to_owned());
    for (what, method, status, headers, body, varies) in [
        ("short", &get, ok, &[TEXT][..], "short", &vary),
        ("HEAD", &head, ok, &[TEXT], LONG, &vary),
        ("empty", &get, ok, &[TEXT], "", &vary),
        ("a picture", &get, ok, &[("content-type", "image/png")], LONG, &None),
        ("no type", &get, ok, &[], LONG, &None),
        ("coded", &get, ok, &[TEXT, ("content-encoding", "gzip")], LONG, &None),
        ("identity said", &get, ok, &[TEXT, ("content-encoding", "identity")], LONG, &None),
        ("forbidden", &get, ok, &[TEXT, ("cache-control", "public, No-Transform")], LONG, &None),
        ("a part", &get, StatusCode::PARTIAL_CONTENT, &[TEXT], LONG, &None),
        ("a range", &get, ok, &[TEXT, ("content-range", "bytes 0-9/10")], LONG, &None),
        ("not modified", &get, StatusCode::NOT_MODIFIED, &[TEXT], LONG, &None),
        ("nothing", &get, StatusCode::NO_CONTENT, &[TEXT], LONG, &None),
        ("upgraded", &get, StatusCode::SWITCHING_PROTOCOLS, &[TEXT], LONG, &None),
    ] {
        let coded = headers.iter().find(|(name, _)| *name == "content-encoding");
        let coded = coded.map(|(_, value)| (*value).to_owned());
        let response = applied(method, status, headers, body);
        assert_eq!(header(&response, "content-encoding"), coded, "{what}");
        assert_eq!(&header(&response, "vary"), varies, "{what}");
    }
    // Errors have bodies like any other.
    let response = applied(&get, StatusCode::NOT_FOUND, &[TEXT], LONG);
    assert_eq!(header(&response, "content-encoding").as_deref(), Some("gzip"));
}

#[test]
fn who_forbids_it_or_is_offered_nothing_gets_bytes_as_they_are() {
    let request = Request::builder().header(ACCEPT_ENCODING, "gzip").body(()).unwrap();
    assert!(Compressing::of(&[], &request).is_none());
    let request = Request::builder()
        .header(ACCEPT_ENCODING, "gzip")
        .header("cache-control", "no-transform")
        .body(())
        .unwrap();
    let mut response = Response::new(Inbound::own(LONG));
    response.headers_mut().insert("content-type", HeaderValue::from_static("text/plain"));
    let response = Compressing::of(&ALL, &request).unwrap().apply(response);
    assert_eq!(header(&response, "content-encoding"), None);
    assert_eq!(header(&response, "vary").as_deref(), Some("Accept-Encoding"));
}

/// The other end: decodes what it has so far.
enum Decoder {
    Gzip(Box<flate2::write::GzDecoder<Vec<u8>>>),
    Brotli(Box<brotli::DecompressorWriter<Vec<u8>>>),
    Zstd(zstd::stream::write::Decoder<'static, Vec<u8>>),
}

impl Decoder {
    fn new(coding: Coding) -> Self {
        match coding {
            Gzip => Self::Gzip(Box::new(flate2::write::GzDecoder::new(Vec::new()))),
            Zstd => Self::Zstd(zstd::stream::write::Decoder::new(Vec::new()).unwrap()),
            // It holds back what does not fit into its buffer at once.
            Brotli => Self::Brotli(Box::new(brotli::DecompressorWriter::new(Vec::new(), 1 << 20))),
        }
    }

    fn decode(&mut self, bytes: &[u8]) -> &[u8] {
        match self {
            Self::Gzip(decoder) => {
                decoder.write_all(bytes).unwrap();
                decoder.flush().unwrap();
                decoder.get_ref()
            }
            Self::Zstd(decoder) => {
                decoder.write_all(bytes).unwrap();
                decoder.flush().unwrap();
                decoder.get_ref()
            }
            Self::Brotli(decoder) => {
                decoder.write_all(bytes).unwrap();
                decoder.flush().unwrap();
                decoder.get_ref()
            }
        }
    }
}

#[test]
fn bodies_are_coded_whole() {
    let runtime = tokio::runtime::Builder::new_current_thread().build().unwrap();
    let response = applied(&Method::GET, StatusCode::OK, &[TEXT], LONG);
    let coded = runtime.block_on(response.into_body().collect()).ok().unwrap().to_bytes();
    assert!(coded.len() < LONG.len() / 2);
    assert_eq!(Decoder::new(Gzip).decode(&coded), LONG.as_bytes());
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(64))]

    /// However a body comes, what was flushed can be decoded at once, and in the end all of it.
    #[test]
    fn what_is_flushed_can_be_decoded(
        pieces in prop::collection::vec((0..20_000_usize, any::<bool>(), any::<u64>()), 1..12),
        nth in 0..ALL.len(),
    ) {
        let coding = ALL[nth];
        let (mut encoder, mut decoder) = (Encoder::new(coding).unwrap(), Decoder::new(coding));
        let mut given = Vec::new();
        for (length, flushes, seed) in pieces {
            let mut random = fastrand::Rng::with_seed(seed);
            let piece: Vec<u8> = (0..length).map(|_| random.u8(b'a'..b'q')).collect();
            encoder.write(&piece).unwrap();
            given.extend_from_slice(&piece);
            if flushes {
                encoder.flush().unwrap();
            }
            let decoded = decoder.decode(&encoder.take());
            if flushes {
                prop_assert!(decoded == given);
            }
        }
        let rest = encoder.finish().unwrap();
        prop_assert!(decoder.decode(&rest) == given);
    }
}
