//! What is refused and what is not, in whatever pieces it comes.

pub(in crate::proxy) mod corpus;
mod random;

use super::{Fault, Limits, Refused, Scanner};
use crate::model::listener::ClientLimits;

/// What becomes of bytes that come in pieces of a size.
fn scan_by(bytes: &[u8], size: usize) -> (Result<usize, Refused>, bool) {
    let mut scanner = Scanner::new(Limits::of(&ClientLimits::default()));
    let mut at = 0;
    for piece in bytes.chunks(size) {
        if let Err(refused) = scanner.scan(piece) {
            return (Err(Refused { after: at + refused.after, ..refused }), false);
        }
        at += piece.len();
    }
    (Ok(at), scanner.is_between())
}

fn scan(bytes: &[u8]) -> Result<usize, Fault> {
    let (whole, _) = scan_by(bytes, bytes.len().max(1));
    whole.map_err(|refused| refused.fault)
}

#[test]
fn the_corpus_is_refused_as_it_should_be() {
    let cases = corpus::refused();
    assert!(cases.len() >= 150, "{} cases", cases.len());
    let mut wrong = Vec::new();
    for (bytes, fault) in &cases {
        let found = scan(bytes);
        if found != Err(*fault) {
            wrong.push(format!("{:?}: {fault:?}, found {found:?}", String::from_utf8_lossy(bytes)));
        }
    }
    assert!(wrong.is_empty(), "{}", wrong.join("\n"));
}

#[test]
fn every_fault_is_in_the_corpus() {
    let cases = corpus::refused();
    for fault in corpus::FAULTS {
        assert!(cases.iter().any(|(_, other)| *other == fault), "{fault:?}");
    }
}

#[test]
fn what_is_right_is_let_through() {
    for bytes in corpus::accepted() {
        let (whole, between) = scan_by(&bytes, bytes.len());
        assert_eq!(
            (whole, between),
            (Ok(bytes.len()), true),
            "{:?}",
            String::from_utf8_lossy(&bytes)
        );
    }
}

/// Nor does it matter what comes before: each message is one of its own.
#[test]
fn pieces_and_pipelining_change_nothing() {
    let first = b"POST /a HTTP/1.1\r\nHost: a\r\nContent-Length: 3\r\n\r\nabc";
    for (bytes, fault) in corpus::refused() {
        let bytes = [&first[..], &bytes].concat();
        for size in [1, 2, 3, 7, 64] {
            let (found, _) = scan_by(&bytes, size);
            assert_eq!(found.map_err(|it| it.fault), Err(fault), "in pieces of {size}");
        }
    }
    for bytes in corpus::accepted() {
        let bytes = [&first[..], &bytes, b"GET /b HTTP/1.1\r\nHost: b\r\n\r\n"].concat();
        for size in [1, 2, 3, 7, 64] {
            assert_eq!(scan_by(&bytes, size), (Ok(bytes.len()), true), "in pieces of {size}");
        }
    }
}

/// A parser behind this never gets the end of a head that is refused.
#[test]
fn a_refused_head_never_ends() {
    for (bytes, fault) in corpus::refused() {
        let (Err(refused), _) = scan_by(&bytes, 1) else { panic!("{fault:?} is let through") };
        let passed = &bytes[..refused.after];
        let ends = |pattern: &[u8]| passed.windows(pattern.len()).any(|window| window == pattern);
        if !matches!(
            fault,
            Fault::ChunkSize
                | Fault::ChunkExtension
                | Fault::ChunkEnd
                | Fault::Trailer
                | Fault::LongChunkLine
                | Fault::EmptyLines
        ) && !bytes.starts_with(corpus::CHUNKED.as_bytes())
        {
            assert!(!ends(b"\r\n\r\n") && !ends(b"\n\n"), "{fault:?}");
        }
    }
}

#[test]
fn nothing_follows_a_refusal() {
    let mut scanner = Scanner::new(Limits::of(&ClientLimits::default()));
    let refused = scanner.scan(b"GET /\n").expect_err("LF alone");
    assert_eq!(refused.fault, Fault::BareLf);
    let after = scanner.scan(b"GET / HTTP/1.1\r\nHost: a\r\n\r\n").expect_err("it was refused");
    assert_eq!(after, Refused { after: 0, fault: Fault::AfterRefusal, of_body: false });
}

#[test]
fn statuses_are_those_of_the_rfcs() {
    for (fault, status) in [
        (Fault::BareLf, 400),
        (Fault::LongRequestLine, 414),
        (Fault::Expectation, 417),
        (Fault::LongField, 431),
        (Fault::LongHead, 431),
        (Fault::ManyFields, 431),
        (Fault::UnknownCoding, 501),
        (Fault::Version, 505),
    ] {
        assert_eq!(fault.status().as_u16(), status, "{fault:?}");
    }
}

#[test]
fn memory_is_bounded_by_the_longest_line() {
    let mut scanner = Scanner::new(Limits::of(&ClientLimits::default()));
    let mut sent = 0;
    while scanner.scan(&[b'a'; 1000]).is_ok() {
        sent += 1000;
        assert!(sent < 10_000, "a line without an end");
    }
}
