//! Random and damaged headers, with a second parser as the judge.
//!
//! `SHUNT_FUZZ_SEED` and `SHUNT_FUZZ_HEADERS` run others, or more.

use std::env;

use fastrand::Rng;

use super::{Ends, Fault, Header, Read, naive, read, read_by, right, with_checksum, write, wrong};
use crate::model::upstream::ProxyProtocol;

const SEED: u64 = 1;
const HEADERS: u64 = 30_000;

/// Pieces that damage is done with.
const PIECES: [&[u8]; 20] = [
    b"\r\n",
    b"\r",
    b"\n",
    b" ",
    b"  ",
    b"0",
    b"255",
    b"65535",
    b".",
    b":",
    b"::",
    b"ffff",
    b"192.0.2.1",
    b"PROXY ",
    b"TCP4 ",
    b"TCP6 ",
    b"UNKNOWN",
    b"\x03\x00\x04\x00\x00\x00\x00",
    b"\x04\x00\x01\x00",
    b"\x21\x11\x00\x0c",
];

fn number(variable: &str, default: u64) -> u64 {
    let Ok(text) = env::var(variable) else { return default };
    text.parse().unwrap_or_else(|_| panic!("{variable} must be a number, not `{text}`"))
}

fn bytes(rng: &mut Rng, known: &[Vec<u8>]) -> Vec<u8> {
    let mut bytes = match rng.u32(..8) {
        0 => with_checksum(&[4, 0, 1, rng.u8(..)]),
        1 => (0..rng.usize(..60)).map(|_| rng.u8(..)).collect(),
        _ => known[rng.usize(..known.len())].clone(),
    };
    bytes.truncate(600);
    for _ in 0..rng.usize(..4) {
        let at = rng.usize(..=bytes.len());
        let end = (at + rng.usize(..6)).min(bytes.len());
        match rng.u32(..6) {
            0 => _ = bytes.splice(at..at, PIECES[rng.usize(..PIECES.len())].iter().copied()),
            1 => _ = bytes.drain(at..end),
            2 if at < bytes.len() => bytes[at] = rng.u8(..),
            3 if at < bytes.len() => bytes[at] ^= 1 << rng.u32(..8),
            4 => {
                let again = bytes[at..end].to_vec();
                bytes.splice(at..at, again);
            }
            // The length says what there is.
            _ if bytes.len() > 16 => {
                let length = u16::try_from(bytes.len() - 16).unwrap_or_default();
                bytes[14..16].copy_from_slice(&length.to_be_bytes());
            }
            _ => {}
        }
    }
    bytes
}

#[test]
fn random_headers_mean_one_thing() {
    let (seed, count) = (number("SHUNT_FUZZ_SEED", SEED), number("SHUNT_FUZZ_HEADERS", HEADERS));
    println!("{count} headers; SHUNT_FUZZ_SEED={seed} repeats them");
    let right = right().into_iter().map(|(bytes, _)| bytes);
    let known: Vec<_> = right.chain(wrong().into_iter().map(|(bytes, _)| bytes)).collect();
    let mut rng = Rng::with_seed(seed);
    let (mut proxied, mut refused) = (0, 0);
    for nth in 0..count {
        let bytes = bytes(&mut rng, &known);
        let size = rng.usize(1..9);
        match judge(&bytes, size) {
            Ok(Ok(Read::Done(Header::Proxied(_), _))) => proxied += 1,
            Ok(Err(_)) => refused += 1,
            Ok(_) => {}
            Err(what) => panic!("seed {seed}, header {nth}: {what}: {}", bytes.escape_ascii()),
        }
    }
    let least = count / 20;
    assert!(proxied >= least && refused >= least, "{proxied} were read, {refused} refused");
}

/// What was read, if it is what it must be.
fn judge(bytes: &[u8], size: usize) -> Result<Result<Read, Fault>, String> {
    let found = read(bytes);
    if read_by(bytes, size) != found {
        return Err(format!("{found:?}, in pieces of {size} {:?}", read_by(bytes, size)));
    }
    let theirs = naive::parse(bytes);
    let Ok(Read::Done(header, length)) = found else {
        return match theirs {
            None => Ok(found),
            Some(_) => Err(format!("{found:?}, the other parser {theirs:?}")),
        };
    };
    if length > bytes.len() {
        return Err(format!("a header of {length} bytes in {}", bytes.len()));
    }
    let ours = match header {
        Header::Own => None,
        Header::Proxied(Ends { source, destination }) => {
            Some((source.ip(), source.port(), destination.ip(), destination.port()))
        }
    };
    if theirs != Some((ours, length)) {
        return Err(format!("{found:?}, the other parser {theirs:?}"));
    }
    for version in [ProxyProtocol::V1, ProxyProtocol::V2] {
        let again = write(version, &header);
        if read(&again) != Ok(Read::Done(header, again.len())) {
            return Err(format!("{found:?} written again is {:?}", read(&again)));
        }
    }
    Ok(found)
}
