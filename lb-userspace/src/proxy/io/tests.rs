//! What the time says of a connection, and what a refusal does to who reads.
#![expect(clippy::unwrap_used, reason = "a failed test may panic")]

use std::{sync::Arc, task::Poll, time::Duration};

use hyper::StatusCode;
use tokio::io::{AsyncReadExt, AsyncWriteExt};

use super::{ClientIo, Verdict, Watch};
use crate::proxy::{
    answers::Answer,
    clients::Entry,
    clock::{milliseconds, now},
    strict::{Fault, Refused},
};

const HEAD: Duration = Duration::from_secs(30);
const KEEP_ALIVE: Duration = Duration::from_secs(75);

fn watch(multiplexed: bool) -> Watch {
    Watch::new(multiplexed, &Arc::default(), now())
}

fn after(watch: &Watch, time: Duration) -> Verdict {
    watch.verdict(now() + u64::try_from(time.as_millis()).unwrap())
}

#[test]
fn each_phase_has_its_limit() {
    let watch = watch(false);
    assert!(matches!(after(&watch, HEAD / 2), Verdict::Later(_)));
    assert_eq!(after(&watch, HEAD), Verdict::Stale, "it never asked");
    watch.heard();
    assert_eq!(after(&watch, HEAD), Verdict::Slow);
    watch.asked();
    assert!(matches!(after(&watch, KEEP_ALIVE * 10), Verdict::Later(_)));
    watch.heard();
    assert!(matches!(after(&watch, KEEP_ALIVE * 10), Verdict::Later(_)), "a body");
    watch.asked();
    watch.answered();
    assert!(matches!(after(&watch, KEEP_ALIVE * 10), Verdict::Later(_)), "one of two");
    watch.answered();
    assert_eq!(after(&watch, KEEP_ALIVE), Verdict::Stale);
}

#[test]
fn what_arrives_between_several_requests_is_not_the_head_of_one() {
    let watch = watch(true);
    watch.heard();
    assert_eq!(after(&watch, HEAD), Verdict::Stale);
    watch.asked();
    watch.answered();
    watch.heard();
    assert!(matches!(after(&watch, HEAD), Verdict::Later(_)));
    assert_eq!(after(&watch, KEEP_ALIVE), Verdict::Stale);
}

#[test]
fn who_takes_nothing_is_stuck_until_it_does() {
    let watch = watch(false);
    watch.asked();
    watch.wrote(&Poll::<()>::Pending);
    assert!(matches!(after(&watch, HEAD), Verdict::Later(_)));
    // The clock may have begun just now, and no moment is the zeroth.
    let limit = HEAD * 2 + Duration::from_millis(1);
    assert_eq!(after(&watch, limit), Verdict::Stuck);
    watch.answered();
    assert_eq!(after(&watch, limit), Verdict::Stuck, "the end of an answer counts, too");
    assert!(!watch.is_idle());
    watch.wrote(&Poll::Ready(()));
    assert_eq!(after(&watch, HEAD * 2), Verdict::Restful);
    assert!(watch.is_idle());
}

#[test]
fn who_is_idle_comes_to_rest_and_is_stale_in_the_end() {
    let (one, several) = (watch(false), watch(true));
    for watch in [&one, &several] {
        watch.asked();
        watch.answered();
        assert!(matches!(after(watch, Duration::from_millis(100)), Verdict::Later(_)));
        assert_eq!(after(watch, KEEP_ALIVE), Verdict::Stale);
    }
    let second = Duration::from_secs(1);
    assert_eq!(after(&one, second), Verdict::Restful);
    assert!(matches!(after(&several, second), Verdict::Later(_)), "only HTTP/1 rests");
    let limit = milliseconds(KEEP_ALIVE);
    assert!((now()..=now() + limit).contains(&one.until()));
    assert!(one.until() + 1000 > now() + limit);
    one.expects(true);
    assert!(matches!(after(&one, second), Verdict::Later(_)), "half a body is to come");
    one.expects(false);
    one.heard();
    assert!(matches!(after(&one, second), Verdict::Later(_)), "a head begins");
}

#[tokio::test]
async fn one_of_several_answers_is_given_up_alone() {
    let watch = watch(true);
    let (one, other) = (watch.one_of_several().unwrap(), watch.one_of_several().unwrap());
    watch.asked();
    one.gave(true);
    other.gave(true);
    other.gave(false);
    assert!(matches!(after(&watch, HEAD), Verdict::Later(_)));
    assert!(!is_given_up(&one).await && !is_given_up(&other).await);
    let limit = HEAD * 2 + Duration::from_millis(1);
    assert!(matches!(after(&watch, limit), Verdict::Later(_)), "the connection goes on");
    assert!(is_given_up(&one).await && !is_given_up(&other).await);
}

async fn is_given_up(answer: &Answer) -> bool {
    tokio::time::timeout(Duration::ZERO, answer.given_up()).await.is_ok()
}

#[tokio::test]
async fn a_refusal_ends_what_is_read() {
    let (here, mut there) = tokio::io::duplex(64);
    let watch = Arc::new(watch(false));
    let mut io = ClientIo::new(here, Arc::clone(&watch), false, Entry::default());
    there.write_all(b"GET").await.unwrap();
    let mut bytes = [0; 3];
    io.read_exact(&mut bytes).await.unwrap();
    let refusing = async {
        tokio::task::yield_now().await;
        watch.refuse(StatusCode::REQUEST_TIMEOUT, None);
    };
    let (read, ()) = tokio::join!(io.read(&mut bytes), refusing);
    assert_eq!(read.unwrap(), 0);
    assert_eq!(watch.refusal(), Some((StatusCode::REQUEST_TIMEOUT, None)));
    there.write_all(b" / HTTP/1.1").await.unwrap();
    assert_eq!(io.read(&mut bytes).await.unwrap(), 0, "what comes later is not heard");
    watch.refuse(
        StatusCode::BAD_REQUEST,
        Some(Refused { after: 0, fault: Fault::BareLf, of_body: false }),
    );
    assert_eq!(watch.refusal(), Some((StatusCode::REQUEST_TIMEOUT, None)), "the first counts");
}

/// What is read of a connection that begins with these pieces and ends, and whether it is one of HTTP/2.
async fn opened(pieces: &[&[u8]], room: usize) -> (Vec<u8>, bool) {
    let (here, mut there) = tokio::io::duplex(64);
    let mut io = ClientIo::new(here, Arc::new(watch(false)), true, Entry::default());
    let mut read = Vec::new();
    let write = async {
        for piece in pieces {
            there.write_all(piece).await.unwrap();
            tokio::task::yield_now().await;
        }
        drop(there);
    };
    let read_all = async {
        let mut bytes = vec![0; room];
        while let Ok(length @ 1..) = io.read(&mut bytes).await {
            read.extend_from_slice(&bytes[..length]);
        }
    };
    tokio::join!(write, read_all);
    if io.begins_as_h2() {
        assert!(read.is_empty());
        let mut io = io.into_h2(Arc::new(watch(true)));
        io.read_to_end(&mut read).await.unwrap();
        return (read, true);
    }
    (read, false)
}

#[tokio::test]
async fn the_first_bytes_tell_the_version_and_none_is_lost() {
    let preface = b"PRI * HTTP/2.0\r\n\r\nSM\r\n\r\n";
    for whole in
        [&b"GET / HTTP/1.1\r\nHost: h\r\n\r\n"[..], b"PUT / HTTP/1.1\r\nHost: h\r\n\r\n", preface]
    {
        for cut in 0..whole.len() {
            let (start, end) = whole.split_at(cut);
            for room in [1, 2, 5, 100] {
                let (read, h2) = opened(&[start, end], room).await;
                assert_eq!(read, whole, "{cut} {room}");
                assert_eq!(h2, whole == preface);
            }
        }
    }
    for begin in [&b""[..], b"P", b"PR"] {
        assert_eq!(opened(&[begin], 100).await, (begin.to_vec(), false), "it ends");
    }
    let bytewise: Vec<&[u8]> = preface.chunks(1).collect();
    assert_eq!(opened(&bytewise, 1).await, (preface.to_vec(), true));
}
