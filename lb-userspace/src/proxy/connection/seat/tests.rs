//! Sockets, before tokio knows them and after.
#![expect(clippy::unwrap_used, reason = "a failed test may panic")]

use std::{
    io::Write,
    thread,
    time::{Duration, Instant},
};

use tokio::{
    io::{AsyncReadExt, AsyncWriteExt},
    runtime::{Builder, Runtime},
    time::timeout,
};

use super::*;
use crate::proxy::tests::pair;

/// How long anything may take that must happen.
const PATIENCE: Duration = Duration::from_mins(2);
/// The kernel keeps what waits for more for 200 ms; who was stopped for nearly as long knows nothing.
const SOON: Duration = Duration::from_millis(100);

/// A socket as it is accepted, and the other end.
fn seated() -> (Seat, Bare) {
    let (socket, client) = pair();
    (Seat::of(socket), client)
}

/// The same once this has arrived.
fn seated_with(said: &[u8]) -> (Seat, Bare) {
    let (socket, mut client) = pair();
    client.write_all(said).unwrap();
    socket.set_nonblocking(false).unwrap();
    socket.peek(&mut [0]).unwrap();
    socket.set_nonblocking(true).unwrap();
    (Seat::of(socket), client)
}

fn runtime() -> Runtime {
    Builder::new_current_thread().enable_all().build().unwrap()
}

impl Seat {
    fn is_known(&self) -> bool {
        matches!(self.state, State::Known(_))
    }
}

/// What a client hears until the end.
fn all_of(mut client: Bare) -> Vec<u8> {
    let mut heard = Vec::new();
    client.read_to_end(&mut heard).unwrap();
    heard
}

#[test]
fn who_has_said_all_is_served_without_tokio() {
    let (mut seat, client) = seated_with(b"ask");
    runtime().block_on(async {
        let mut asked = [0; 3];
        seat.read_exact(&mut asked).await.unwrap();
        assert_eq!(&asked, b"ask");
        seat.write_all(b"answer").await.unwrap();
        seat.shutdown().await.unwrap();
        assert!(!seat.is_known());
    });
    assert_eq!(all_of(client), b"answer");
}

#[test]
fn who_may_say_more_is_known() {
    let (mut seat, mut client) = seated_with(b"ask");
    runtime().block_on(async {
        let mut asked = [0; 16];
        assert_eq!(seat.read(&mut asked).await.unwrap(), 3);
        client.write_all(b"more").unwrap();
        assert_eq!(timeout(PATIENCE, seat.read(&mut asked)).await.unwrap().unwrap(), 4);
        assert!(seat.is_known());
    });
}

#[test]
fn who_is_silent_is_waited_for() {
    let (mut seat, mut client) = seated();
    runtime().block_on(async {
        let mut asked = [0; 16];
        let nothing = timeout(Duration::from_millis(20), seat.read(&mut asked)).await;
        assert!(nothing.is_err());
        assert!(seat.is_known());
        client.write_all(b"late").unwrap();
        let read = timeout(PATIENCE, seat.read(&mut asked)).await.unwrap().unwrap();
        assert_eq!(&asked[..read], b"late");
    });
}

#[test]
fn much_is_read_to_its_end() {
    let (mut seat, mut client) = seated();
    let much: Vec<u8> = (0..1 << 20).map(|n: u32| n.to_le_bytes()[1]).collect();
    let whole = much.clone();
    let sender = thread::spawn(move || client.write_all(&whole).unwrap());
    runtime().block_on(async {
        let mut read = Vec::new();
        timeout(PATIENCE, seat.read_to_end(&mut read)).await.unwrap().unwrap();
        assert!(read == much, "{} bytes of {}", read.len(), much.len());
    });
    sender.join().unwrap();
}

#[test]
fn what_is_not_taken_at_once_is_written_later() {
    for pieces in [1, 3] {
        for ends in [false, true] {
            let (mut seat, client) = seated();
            let much: Vec<u8> = (0..8 << 20).map(|n: u32| n.to_le_bytes()[2]).collect();
            let reader = thread::spawn(move || {
                thread::sleep(Duration::from_millis(20));
                all_of(client)
            });
            runtime().block_on(async {
                if ends {
                    seat.ends();
                }
                let mut rest = &*much;
                while !rest.is_empty() {
                    let slices: Vec<_> =
                        rest.chunks(rest.len().div_ceil(pieces)).map(IoSlice::new).collect();
                    let written = seat.write_vectored(&slices);
                    rest = &rest[timeout(PATIENCE, written).await.unwrap().unwrap()..];
                }
                assert!(seat.is_known(), "nobody has room for as much");
                seat.shutdown().await.unwrap();
            });
            assert!(reader.join().unwrap() == much, "{pieces} {ends}");
        }
    }
}

#[test]
fn the_last_words_leave_with_the_end() {
    for known in [false, true] {
        // Again if something has held us up.
        while !last_words(known) {}
    }
}

/// Whether we were fast enough to know that they did.
fn last_words(known: bool) -> bool {
    let (mut seat, client) = seated();
    client.set_nonblocking(true).unwrap();
    let (start, heard) = runtime().block_on(async {
        if known {
            seat.known().unwrap();
        }
        let start = Instant::now();
        seat.ends();
        seat.write_all(b"farewell").await.unwrap();
        seat.flush().await.unwrap();
        (start, client.peek(&mut [0; 8]))
    });
    let in_time = start.elapsed() < SOON;
    if in_time {
        assert_eq!(heard.unwrap_err().kind(), io::ErrorKind::WouldBlock, "{known}");
    }
    runtime().block_on(seat.shutdown()).unwrap();
    client.set_nonblocking(false).unwrap();
    assert_eq!(all_of(client), b"farewell");
    in_time
}

#[test]
fn a_socket_that_was_taken_is_no_more() {
    let (seat, client) = seated();
    let (socket, ()) = seat.apart().unwrap();
    let mut seat = Seat::together(socket, ());
    let taken = seat.take_socket().unwrap();
    assert_eq!(taken.peer_addr().unwrap(), client.local_addr().unwrap());
    runtime().block_on(async {
        let gone = io::ErrorKind::NotConnected;
        assert_eq!(seat.read(&mut [0]).await.unwrap_err().kind(), gone);
        assert_eq!(seat.write(&[0]).await.unwrap_err().kind(), gone);
        assert_eq!(seat.local_addr().unwrap_err().kind(), gone);
        seat.shutdown().await.unwrap();
    });
}

#[test]
fn who_is_gone_is_an_error() {
    let (mut seat, client) = seated();
    rustix::net::sockopt::set_socket_linger(&client, Some(Duration::ZERO)).unwrap();
    drop(client);
    runtime().block_on(async {
        let read = timeout(PATIENCE, seat.read(&mut [0])).await.unwrap();
        assert_eq!(read.unwrap_err().kind(), io::ErrorKind::ConnectionReset);
        let written = timeout(PATIENCE, seat.write(b"x")).await.unwrap();
        assert_eq!(written.unwrap_err().kind(), io::ErrorKind::BrokenPipe);
    });
}
