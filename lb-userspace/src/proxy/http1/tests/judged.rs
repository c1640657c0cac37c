//! Answers that were damaged at random, and the client of hyper as the judge: both read the same of them, or nothing.
//!
//! `SHUNT_ANSWERS_SEED` and `SHUNT_ANSWERS` run others, or more.

use std::env;

use fastrand::Rng;
use http_body_util::{BodyExt, Empty};
use hyper::{HeaderMap, client::conn::http1, ext::ReasonPhrase, header::CONTENT_LENGTH};
use hyper_util::rt::TokioIo;
use tokio::task::spawn_local;

use super::{clients::wait, peer::Peer, *};

const ANSWERS: u64 = 10_000;

/// What is damaged.
const WHOLE: [&str; 12] = [
    "HTTP/1.1 200 OK\r\nContent-Length: 5\r\nX: y\r\n\r\nhello",
    "HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n2\r\nhe\r\n3\r\nllo\r\n0\r\n\r\n",
    "HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\nTrailer: A\r\n\r\n5;x=y\r\nhello\r\n0\r\nA: b\r\n\r\n",
    "HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\nContent-Length: 5\r\n\r\n5\r\nhello\r\n0\r\n\r\n",
    "HTTP/1.1 200 OK\r\nTransfer-Encoding: gzip\r\nTransfer-Encoding: chunked\r\n\r\n0\r\n\r\n",
    "HTTP/1.1 100 Continue\r\n\r\nHTTP/1.1 201 Made\r\nContent-Length: 2\r\n\r\nhi",
    "HTTP/1.1 103 Early Hints\r\nLink: x\r\n\r\nHTTP/1.1 204 No Content\r\n\r\n",
    "HTTP/1.0 200 OK\r\n\r\nuntil the end",
    "HTTP/1.0 200 OK\r\nConnection: keep-alive\r\nContent-Length: 2\r\n\r\nhi",
    "HTTP/1.1 304 Not Modified\r\nContent-Length: 9\r\n\r\n",
    "HTTP/1.1 200 OK\r\nContent-Length: 3\r\nContent-Length: 3\r\n\r\nabc",
    "HTTP/1.1 404 Own\r\nContent-Length: 0\r\nConnection: close, x\r\n\r\n",
];

/// What is put in.
const PIECES: [&str; 20] = [
    "\r\n",
    "\r",
    " ",
    "\t",
    ":",
    ",",
    ";",
    "0",
    "5",
    "a",
    "\r\n\r\n",
    "\0",
    "é",
    "-",
    "+",
    "Content-Length: 4\r\n",
    "Transfer-Encoding: chunked\r\n",
    "Transfer-Encoding: x\r\n",
    "HTTP/1.1 100 x\r\n\r\n",
    "1\r\na\r\n",
];

fn damaged(rng: &mut Rng) -> Vec<u8> {
    let mut bytes = rng.choice(&WHOLE).unwrap().as_bytes().to_vec();
    for _ in 0..rng.usize(..4) {
        let at = rng.usize(..=bytes.len());
        match rng.u32(..5) {
            0 | 1 => _ = bytes.splice(at..at, rng.choice(&PIECES).unwrap().bytes()),
            2 => _ = bytes.drain(at..(at + rng.usize(..6)).min(bytes.len())),
            3 if at < bytes.len() => bytes[at] = rng.u8(..),
            _ => {
                let again = bytes[at..(at + rng.usize(..30)).min(bytes.len())].to_vec();
                bytes.splice(at..at, again);
            }
        }
    }
    bytes
}

/// What is read of an answer.
#[derive(Debug, Eq, PartialEq)]
struct Read {
    status: StatusCode,
    reason: Option<Vec<u8>>,
    /// But for the length, of which there may be one too many.
    headers: HeaderMap,
    /// Nothing if it breaks off.
    body: Option<(Vec<u8>, HeaderMap)>,
}

impl Read {
    fn new(mut head: Parts, body: Option<(Vec<u8>, HeaderMap)>) -> Self {
        head.headers.remove(CONTENT_LENGTH);
        let reason = head.extensions.get::<ReasonPhrase>().map(|it| it.as_bytes().to_vec());
        Self { status: head.status, reason, headers: head.headers, body }
    }
}

/// A backend that says this in pieces of some size and closes, as a client of hyper's reads it.
async fn by_hyper(peer: Peer, method: &Method) -> Option<Read> {
    let (mut sender, connection) = http1::handshake(TokioIo::new(peer)).await.unwrap();
    spawn_local(connection);
    let request = Request::builder().method(method).uri("/").body(Empty::<Bytes>::new()).unwrap();
    let (head, body) = sender.send_request(request).await.ok()?.into_parts();
    let body = body.collect().await.ok();
    let body = body.map(|body| {
        let trailers = body.trailers().cloned().unwrap_or_default();
        (body.to_bytes().to_vec(), trailers)
    });
    Some(Read::new(head, body))
}

async fn by_us(peer: Peer, method: &Method) -> Option<Read> {
    let mut request = Request::builder().method(method).uri("/").body(Outbound::Empty).unwrap();
    let answer = Connection::new(peer).ask(&mut request).await.ok()?;
    let (head, mut connection) = answer.into_parts();
    let (mut body, mut trailers) = (Vec::new(), HeaderMap::new());
    let whole = loop {
        match poll_fn(|cx| connection.poll_frame(cx)).await {
            None => break true,
            Some(Err(_)) => break false,
            Some(Ok(frame)) => match frame.into_data() {
                Ok(data) => body.extend_from_slice(&data),
                Err(frame) => trailers = frame.into_trailers().unwrap_or_default(),
            },
        }
    };
    Some(Read::new(head, whole.then_some((body, trailers))))
}

fn number(variable: &str, default: u64) -> u64 {
    env::var(variable).ok().and_then(|text| text.parse().ok()).unwrap_or(default)
}

/// Whether a line ends with LF alone, which we take where fields are and hyper in heads only.
fn has_bare_lf(bytes: &[u8]) -> bool {
    let before = |at: usize| at.checked_sub(1).and_then(|at| bytes.get(at));
    bytes.iter().enumerate().any(|(at, byte)| *byte == b'\n' && before(at) != Some(&b'\r'))
}

#[test]
fn random_answers_mean_one_thing() {
    let first = number("SHUNT_ANSWERS_SEED", 1);
    let (mut whole, mut judged) = (0, 0);
    wait(async {
        for seed in first..first + number("SHUNT_ANSWERS", ANSWERS) {
            let mut rng = Rng::with_seed(seed);
            let bytes = damaged(&mut rng);
            let most = rng.usize(1..60);
            let method = if rng.u8(..6) == 0 { Method::HEAD } else { Method::GET };
            let peer = || {
                let peer = Peer::new(most).says(&bytes, 1);
                peer.change(|it| it.closes = true);
                peer
            };
            let ours = by_us(peer(), &method).await;
            whole += u64::from(ours.as_ref().is_some_and(|it| it.body.is_some()));
            if !has_bare_lf(&bytes) {
                judged += 1;
                let theirs = by_hyper(peer(), &method).await;
                assert_eq!(ours, theirs, "seed {seed}: {}", bytes.escape_ascii());
            }
        }
    });
    assert!(whole * 4 > judged && judged > 0, "{whole} of {judged} are whole");
}
