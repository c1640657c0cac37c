//! What is on its way into a socket arrives once and in order.

use fastrand::Rng;

use super::{peer::Peer, *};
use crate::proxy::{gather::SMALL, http1::outgoing::Outgoing};

/// Polls until all is written.
fn write(out: &mut Outgoing, peer: &mut Peer) {
    let mut context = Context::from_waker(Waker::noop());
    for _ in 0..1_000_000 {
        match out.poll(peer, &mut context) {
            Poll::Ready(written) => return written.unwrap(),
            Poll::Pending => assert!(!out.is_empty(), "nothing is waited for"),
        }
    }
    panic!("it is never written");
}

#[test]
fn whatever_is_taken_all_arrives_in_order() {
    for seed in 0..300 {
        let mut rng = Rng::with_seed(seed);
        let mut peer = Peer::new(*rng.choice(&[1, 2, 7, 1000, 5000, usize::MAX]).unwrap());
        peer.change(|it| (it.balks, it.holds, it.stuck) = (true, rng.bool(), rng.usize(..3)));
        let (mut out, mut expected) = (Outgoing::default(), Vec::new());
        for _ in 0..rng.usize(1..6) {
            while out.has_room() && rng.u8(..5) > 0 {
                let own: Vec<u8> = (0..rng.usize(..30)).map(|_| rng.u8(..)).collect();
                let piece: Vec<u8> = (0..rng.usize(..6000)).map(|_| rng.u8(..)).collect();
                let end: &[u8] = if rng.bool() { b"\r\n" } else { b"" };
                out.own().extend_from_slice(&own);
                expected.extend([&own[..], &piece, end].concat());
                out.put(piece.into(), end);
                if rng.bool() {
                    let mut context = Context::from_waker(Waker::noop());
                    _ = out.poll(&mut peer, &mut context);
                }
            }
            write(&mut out, &mut peer);
            assert!(out.is_empty() && !out.is_begun());
            assert!(peer.taken() == expected, "seed {seed}");
        }
    }
}

#[test]
fn large_pieces_are_not_copied_and_small_ones_go_together() {
    let mut peer = Peer::new(usize::MAX);
    let mut out = Outgoing::default();
    let large = Bytes::from(vec![7; SMALL + 1]);
    let address = large.as_ptr().addr();
    out.own().extend_from_slice(b"1001\r\n");
    out.put(large, b"\r\n");
    assert!(!out.has_room());
    write(&mut out, &mut peer);
    let given = peer.change(|it| std::mem::take(&mut it.given));
    assert_eq!((given.len(), given[0].len(), given[0][1]), (1, 3, (address, SMALL + 1)));
    for piece in ["a", "b"] {
        out.own().extend_from_slice(b"1\r\n");
        out.put(Bytes::from_static(piece.as_bytes()), b"\r\n");
    }
    write(&mut out, &mut peer);
    let lengths =
        peer.change(|it| it.given.iter().map(|it| (it.len(), it[0].1)).collect::<Vec<_>>());
    assert_eq!(lengths, [(1, 12)]);
    assert!(peer.taken().ends_with(b"1\r\na\r\n1\r\nb\r\n"));
}

#[test]
fn who_takes_nothing_is_broken() {
    let mut context = Context::from_waker(Waker::noop());
    for piece in [&b""[..], b"hi", &[7; 2 * SMALL]] {
        let mut out = Outgoing::default();
        out.own().extend_from_slice(b"head");
        out.put(Bytes::copy_from_slice(piece), b"");
        let Poll::Ready(Err(error)) = out.poll(&mut Peer::new(0), &mut context) else { panic!() };
        assert_eq!(error.kind(), io::ErrorKind::WriteZero);
        assert!(!out.is_begun() && !out.is_empty());
    }
}

/// As TLS does when its socket takes nothing more.
#[test]
fn what_the_stream_holds_is_not_written_yet() {
    let mut context = Context::from_waker(Waker::noop());
    let mut peer = Peer::new(usize::MAX);
    peer.change(|it| (it.holds, it.stuck) = (true, 2));
    let mut out = Outgoing::default();
    out.own().extend_from_slice(b"all of it");
    assert!(!out.is_begun());
    for _ in 0..2 {
        assert!(out.poll(&mut peer, &mut context).is_pending());
        assert!(out.is_begun() && !out.is_empty() && peer.taken().is_empty());
    }
    assert!(out.poll(&mut peer, &mut context).is_ready());
    assert!(!out.is_begun() && out.is_empty());
    assert_eq!(peer.taken(), b"all of it");
}
