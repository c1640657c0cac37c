//! Looks after a connection while it is served: time, and the end of its listener.

use std::{
    pin::{Pin, pin},
    task::{Context, Poll},
    time::Duration,
};

use hyper::{
    StatusCode,
    body::{Body, Incoming},
    server::conn::http2,
    service::HttpService,
};
use tokio::{
    sync::watch,
    time::{Instant, sleep},
};

use super::seat::Socket;
use crate::proxy::{
    answers::Streams,
    clock,
    http1::Serving,
    io::{Verdict, Watch},
};

/// How soon a connection is looked at for the first time, at the latest.
const FIRST_LOOK: Duration = Duration::from_secs(1);
/// How long one has to end that was told to, and has nothing under way. A client of HTTP/2 may never answer.
const FAREWELL: Duration = Duration::from_secs(2);

/// A connection that can be asked to end.
pub(super) trait WindDown: Future {
    /// Lets requests that are under way finish, and takes no more.
    fn wind_down(self: Pin<&mut Self>);
}

/// One of HTTP/1.
pub(super) struct Served<'a, F, S> {
    pub(super) requests: Pin<&'a mut F>,
    pub(super) serving: &'a Serving<S>,
}

impl<F: Future, S> Future for Served<'_, F, S> {
    type Output = F::Output;

    fn poll(mut self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<F::Output> {
        clock::standing_still(|| self.requests.as_mut().poll(cx))
    }
}

impl<F: Future, S: Socket> WindDown for Served<'_, F, S> {
    fn wind_down(self: Pin<&mut Self>) {
        self.serving.wind_down();
    }
}

impl<I, B, S> WindDown for http2::Connection<I, S, Streams>
where
    S: HttpService<Incoming, ResBody = B>,
    S::Error: Into<Box<dyn std::error::Error + Send + Sync>>,
    I: hyper::rt::Read + hyper::rt::Write + Unpin,
    B: Body + 'static,
    B::Error: Into<Box<dyn std::error::Error + Send + Sync>>,
    Streams: hyper::rt::bounds::Http2ServerConnExec<S::Future, B>,
{
    fn wind_down(self: Pin<&mut Self>) {
        self.graceful_shutdown();
    }
}

/// How a connection came to its end.
#[derive(Clone, Copy, Debug, Eq, PartialEq)]
pub(super) enum End {
    /// By itself, or because it was asked to.
    Done,
    /// It must be cut off.
    Cut,
    /// It can rest.
    Rest,
}

/// What may happen besides requests.
enum Event {
    Time,
    Ending,
}

/// Drives a connection to its end.
pub(super) async fn watch_over<C: WindDown>(
    mut connection: Pin<&mut C>,
    watch: &Watch,
    ending: &mut watch::Receiver<bool>,
    mut is_ending: bool,
) -> End {
    let first = match watch.verdict(clock::now()) {
        Verdict::Later(time) => time.min(FIRST_LOOK),
        _ => Duration::ZERO,
    };
    let mut timer = pin!(sleep(first));
    // To begin to wait for it is not for nothing, and this is polled for every request.
    let mut ended = pin!(ending.changed());
    // Whether it should have ended by now.
    let mut told = false;
    loop {
        let event = tokio::select! {
            biased;
            _ = connection.as_mut() => return End::Done,
            () = timer.as_mut() => Event::Time,
            _ = ended.as_mut(), if !is_ending => Event::Ending,
        };
        is_ending |= matches!(event, Event::Ending);
        let verdict = match watch.verdict(clock::now()) {
            // Who has no request ready when the listener ends has none.
            Verdict::Later(_) | Verdict::Restful if is_ending && watch.is_idle() => Verdict::Stale,
            verdict => verdict,
        };
        let pause = match verdict {
            Verdict::Stuck => {
                watch.cut_off();
                return End::Cut;
            }
            Verdict::Restful => return End::Rest,
            Verdict::Stale | Verdict::Slow if told => return End::Cut,
            Verdict::Later(time) => time,
            Verdict::Stale | Verdict::Slow => FAREWELL,
        };
        match verdict {
            Verdict::Slow => watch.refuse(StatusCode::REQUEST_TIMEOUT, None),
            // Ends it at once if there is nothing under way.
            Verdict::Stale => connection.as_mut().wind_down(),
            Verdict::Later(_) if is_ending => connection.as_mut().wind_down(),
            _ => {}
        }
        told = !matches!(verdict, Verdict::Later(_));
        timer.as_mut().reset(Instant::now() + pause);
    }
}
