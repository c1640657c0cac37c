//! What the time says of a connection, and what a refusal does to who reads.
#![expect(clippy::unwrap_used, reason = "a failed test may panic")]

use std::{sync::Arc, time::Duration};

use hyper::StatusCode;
use tokio::io::{AsyncReadExt, AsyncWriteExt};

use super::{ClientIo, HEAD, KEEP_ALIVE, Verdict, Watch, now};

fn after(watch: &Watch, time: Duration) -> Verdict {
    watch.verdict(now() + u64::try_from(time.as_millis()).unwrap())
}

#[test]
fn each_phase_has_its_limit() {
    let watch = Watch::new(false);
    assert!(matches!(after(&watch, KEEP_ALIVE / 2), Verdict::Later(_)));
    assert_eq!(after(&watch, KEEP_ALIVE), Verdict::Stale);
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
    let several = Watch::new(true);
    several.heard();
    assert_eq!(after(&several, KEEP_ALIVE), Verdict::Stale, "not the head of a request");
}

#[tokio::test]
async fn a_refusal_ends_what_is_read() {
    let (here, mut there) = tokio::io::duplex(64);
    let watch = Arc::new(Watch::new(false));
    let mut io = ClientIo::new(here, Arc::clone(&watch));
    there.write_all(b"GET").await.unwrap();
    let mut bytes = [0; 3];
    io.read_exact(&mut bytes).await.unwrap();
    let refusing = async {
        tokio::task::yield_now().await;
        watch.refuse(StatusCode::REQUEST_TIMEOUT);
    };
    let (read, ()) = tokio::join!(io.read(&mut bytes), refusing);
    assert_eq!(read.unwrap(), 0);
    assert_eq!(watch.refusal(), Some(StatusCode::REQUEST_TIMEOUT));
    there.write_all(b" / HTTP/1.1").await.unwrap();
    assert_eq!(io.read(&mut bytes).await.unwrap(), 0, "what comes later is not heard");
    watch.refuse(StatusCode::BAD_REQUEST);
    assert_eq!(watch.refusal(), Some(StatusCode::REQUEST_TIMEOUT), "the first counts");
}
