//! Random requests, and the parser of hyper as the judge: what is let through must mean the same there.
//!
//! `SHUNT_STRICT_SEED` and `SHUNT_STRICT_REQUESTS` run others, or more.

use std::env;

use fastrand::Rng;

use super::{Limits, Scanner, corpus, scan_by};
use crate::model::listener::ClientLimits;

const REQUESTS: u64 = 20_000;

/// Pieces that requests are put together of, on top of the corpus.
const PIECES: [&str; 24] = [
    "\r\n",
    "\n",
    "\r",
    " ",
    "\t",
    ":",
    ",",
    ";",
    "0",
    "5",
    "chunked",
    "Host: a\r\n",
    "Content-Length: 5\r\n",
    "Transfer-Encoding: chunked\r\n",
    "GET ",
    "/ ",
    "HTTP/1.1",
    "\r\n\r\n",
    "\0",
    "é",
    "#",
    "A: b\r\n",
    "1\r\na\r\n",
    "0\r\n\r\n",
];

fn number(variable: &str, default: u64) -> u64 {
    env::var(variable).ok().and_then(|text| text.parse().ok()).unwrap_or(default)
}

fn request(rng: &mut Rng, known: &[Vec<u8>]) -> Vec<u8> {
    let mut bytes = known.get(rng.usize(..known.len())).cloned().unwrap_or_default();
    bytes.truncate(400);
    for _ in 0..rng.usize(..4) {
        let at = rng.usize(..=bytes.len());
        match rng.u32(..5) {
            0 => {
                let piece = PIECES.get(rng.usize(..PIECES.len())).copied().unwrap_or_default();
                bytes.splice(at..at, piece.bytes());
            }
            1 => {
                let end = (at + rng.usize(..6)).min(bytes.len());
                bytes.drain(at..end);
            }
            2 if at < bytes.len() => bytes[at] = rng.u8(..),
            3 => {
                let end = (at + rng.usize(..40)).min(bytes.len());
                let again = bytes[at..end].to_vec();
                bytes.splice(at..at, again);
            }
            _ => {
                let other = known.get(rng.usize(..known.len())).cloned().unwrap_or_default();
                let end = other.len().min(rng.usize(..80));
                bytes.splice(at..at, other[..end].iter().copied());
            }
        }
    }
    bytes
}

#[test]
fn random_requests_mean_one_thing() {
    let first = number("SHUNT_STRICT_SEED", 1);
    let mut known: Vec<Vec<u8>> = corpus::accepted();
    known.extend(corpus::refused().into_iter().map(|(bytes, _)| bytes));
    let mut accepted = 0;
    for seed in first..first + number("SHUNT_STRICT_REQUESTS", REQUESTS) {
        let mut rng = Rng::with_seed(seed);
        let bytes = request(&mut rng, &known);
        let (whole, _) = scan_by(&bytes, bytes.len().max(1));
        let pieces = rng.usize(1..9);
        let (in_pieces, _) = scan_by(&bytes, pieces);
        let faults = [whole, in_pieces].map(|found| found.map_err(|refused| refused.fault));
        assert_eq!(faults[0], faults[1], "seed {seed}");
        match agrees(&bytes) {
            Ok(let_through) => accepted += u64::from(let_through),
            Err(what) => panic!("seed {seed}: {what}: {:?}", String::from_utf8_lossy(&bytes)),
        }
    }
    assert!(accepted > 500, "only {accepted} heads were let through");
}

/// Whether a head was let through that the other parser reads in the same way.
fn agrees(bytes: &[u8]) -> Result<bool, String> {
    let mut fields = [httparse::EMPTY_HEADER; 128];
    let mut request = httparse::Request::new(&mut fields);
    let parsed = request.parse(bytes);
    // Where the first message ends: in front of it are empty lines, perhaps.
    let mut scanner = Scanner::new(Limits::of(&ClientLimits::default()));
    let mut begun = false;
    let end = bytes.iter().enumerate().find_map(|(at, byte)| {
        let seen = scanner.scan(&[*byte]).is_ok();
        begun |= seen && !matches!(byte, b'\r' | b'\n');
        (!seen).then_some(None).or_else(|| (begun && scanner.is_between()).then_some(Some(at + 1)))
    });
    let end = end.flatten();
    match (end, parsed) {
        (None, _) => Ok(false),
        (Some(end), Ok(httparse::Status::Complete(theirs))) if theirs <= end => {
            let lengths = request
                .headers
                .iter()
                .filter(|field| field.name.eq_ignore_ascii_case("content-length"));
            let codings = request
                .headers
                .iter()
                .filter(|field| field.name.eq_ignore_ascii_case("transfer-encoding"));
            if lengths.count() + codings.count() > 1 {
                return Err("several ways to frame a body".into());
            }
            Ok(true)
        }
        (Some(_), other) => Err(format!("let through, but the other parser says {other:?}")),
    }
}
