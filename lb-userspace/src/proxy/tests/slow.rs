//! Clients that take their time. None holds anything for longer than it may, and others do not wait for them.

use std::{
    io::{ErrorKind, Read, Write},
    net::TcpStream,
    sync::{
        Arc,
        atomic::{AtomicUsize, Ordering::SeqCst},
    },
    thread,
    time::{Duration, Instant},
};

use http_body_util::{BodyExt, Empty};
use hyper::{Request, body::Bytes, client::conn::http2};
use hyper_util::rt::{TokioExecutor, TokioIo};

use super::{GRAIN, PATIENCE, Scene, Server, eventually, pool, with_limits};

/// What slow clients are allowed in these tests.
const SHORT: Duration = Duration::from_secs(1);
/// What they are not: far more than it takes, far less than they would go on for.
const LONG: Duration = Duration::from_secs(10);

const EACH: &str = "head-timeout = \"1s\"\nkeep-alive-timeout = \"1s\"\nsend-timeout = \"1s\"";

fn scene(server: &Server, http: &str) -> Scene {
    Scene::new(&with_limits(EACH), &pool("web", &[server], http))
}

/// Says something piece by piece, with a pause behind each, until the other end has had enough.
fn trickle(stream: &TcpStream, words: impl Iterator<Item = u8>) {
    let mut stream = stream.try_clone().unwrap();
    let words: Vec<u8> = words.collect();
    thread::spawn(move || {
        for byte in words {
            if stream.write_all(&[byte]).is_err() {
                return;
            }
            thread::sleep(Duration::from_millis(20));
        }
    });
}

/// All that comes until the other end has ended, and how long that took.
fn until_the_end(stream: &mut TcpStream, since: Instant) -> (String, Duration) {
    stream.set_read_timeout(Some(PATIENCE)).unwrap();
    let mut heard = Vec::new();
    let end = stream.read_to_end(&mut heard);
    let timed_out = |kind| matches!(kind, ErrorKind::WouldBlock | ErrorKind::TimedOut);
    assert!(!end.is_err_and(|error| timed_out(error.kind())), "it never ends");
    (String::from_utf8_lossy(&heard).into_owned(), since.elapsed())
}

fn in_time(what: &str, took: Duration) {
    assert!((SHORT..LONG).contains(&(took + GRAIN)), "{what}: {took:?}");
}

/// A head that never ends, in pieces that are each quick enough.
fn endless_head() -> impl Iterator<Item = u8> {
    b"GET / HTTP/1.1\r\nHost: h\r\nX: ".iter().copied().chain((0..2000).map(|_| b'x'))
}

/// Answers with a body without an end, and counts what it could write of it.
fn endless(written: &Arc<AtomicUsize>, stopped: &Arc<AtomicUsize>) -> Server {
    let (written, stopped) = (Arc::clone(written), Arc::clone(stopped));
    Server::new(move |asked| {
        if asked.head.starts_with("GET /short") {
            return asked.ok("short");
        }
        asked.raw("HTTP/1.1 200 OK\r\ncontent-length: 100000000000\r\n\r\n");
        let piece = vec![7; 64 << 10];
        while asked.stream.write_all(&piece).is_ok() {
            written.fetch_add(piece.len(), SeqCst);
        }
        stopped.fetch_add(1, SeqCst);
        false
    })
}

#[test]
fn a_head_that_comes_byte_by_byte_is_not_waited_for() {
    let server = Server::named("a");
    let scene = scene(&server, "");
    let since = Instant::now();
    let mut stream = TcpStream::connect(scene.at).unwrap();
    trickle(&stream, endless_head());
    let (heard, took) = until_the_end(&mut stream, since);
    assert!(heard.starts_with("HTTP/1.1 408 "), "{heard:?}");
    in_time("the first head", took);

    let mut client = scene.connect();
    assert_eq!(client.ask("GET / HTTP/1.1\r\nHost: h\r\n\r\n").text(), "a");
    let (since, mut stream) = (Instant::now(), client.stream.into_inner());
    trickle(&stream, endless_head());
    let (heard, took) = until_the_end(&mut stream, since);
    assert!(heard.starts_with("HTTP/1.1 408 "), "{heard:?}");
    in_time("the second head", took);
    assert_eq!(server.requests(), 1);
}

#[test]
fn who_asks_nothing_is_disconnected_without_a_word() {
    let server = Server::named("a");
    let scene = scene(&server, "");
    let since = Instant::now();
    let mut stream = TcpStream::connect(scene.at).unwrap();
    let (heard, took) = until_the_end(&mut stream, since);
    assert_eq!(heard, "");
    in_time("no request", took);

    let mut client = scene.connect();
    client.ask("GET / HTTP/1.1\r\nHost: h\r\n\r\n");
    let (since, mut stream) = (Instant::now(), client.stream.into_inner());
    let (heard, took) = until_the_end(&mut stream, since);
    assert_eq!(heard, "");
    in_time("no second request", took);

    // Less than the preface of HTTP/2, and a client of it that asks nothing and answers no PING.
    for begin in [&b"PR"[..], b"PRI * HTTP/2.0\r\n\r\nSM\r\n\r\n\0\0\0\x04\0\0\0\0\0"] {
        let since = Instant::now();
        let mut stream = TcpStream::connect(scene.at).unwrap();
        stream.write_all(begin).unwrap();
        in_time("HTTP/2", until_the_end(&mut stream, since).1);
    }
}

#[test]
fn a_body_that_comes_byte_by_byte_has_the_time_of_its_request() {
    let server = Server::named("a");
    let scene = scene(&server, "idle-timeout = \"5s\"\ntotal-timeout = \"1s\"");
    let since = Instant::now();
    let mut stream = TcpStream::connect(scene.at).unwrap();
    stream.write_all(b"POST / HTTP/1.1\r\nHost: h\r\nContent-Length: 100000\r\n\r\n").unwrap();
    trickle(&stream, (0..2000).map(|_| b'x'));
    let (heard, took) = until_the_end(&mut stream, since);
    assert!(heard.starts_with("HTTP/1.1 504 "), "{heard:?}");
    in_time("a slow body", took);
}

#[test]
fn who_takes_nothing_of_an_answer_is_cut_off() {
    let (written, stopped) = (Arc::default(), Arc::default());
    let server = endless(&written, &stopped);
    let scene = scene(&server, "");
    let since = Instant::now();
    let mut stream = TcpStream::connect(scene.at).unwrap();
    stream.write_all(b"GET / HTTP/1.1\r\nHost: h\r\n\r\n").unwrap();
    eventually("the backend is let go", || stopped.load(SeqCst) == 1);
    in_time("a slow reader", since.elapsed());
    assert!(written.load(SeqCst) < 64 << 20, "{} bytes", written.load(SeqCst));
    drop(stream);
}

#[test]
fn one_answer_of_several_that_is_not_taken_is_given_up_alone() {
    let (written, stopped) = (Arc::default(), Arc::default());
    let server = endless(&written, &stopped);
    let scene = scene(&server, "");
    let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build().unwrap();
    let since = Instant::now();
    runtime.block_on(async {
        let stream = tokio::net::TcpStream::connect(scene.at).await.unwrap();
        let (mut sender, connection) =
            http2::handshake(TokioExecutor::new(), TokioIo::new(stream)).await.unwrap();
        tokio::spawn(connection);
        let mut ask = |path: &str| {
            let uri = format!("http://www.example.org{path}");
            sender.send_request(Request::get(uri).body(Empty::<Bytes>::new()).unwrap())
        };
        let endless = ask("/endless").await.unwrap();
        let mut asked = 0;
        while stopped.load(SeqCst) == 0 {
            assert!(since.elapsed() < LONG, "it is never given up");
            let short = ask("/short").await.unwrap().into_body().collect().await.unwrap();
            assert_eq!(&short.to_bytes()[..], b"short");
            asked += 1;
            tokio::time::sleep(Duration::from_millis(20)).await;
        }
        in_time("one of several", since.elapsed());
        assert!(asked > 5, "the others go on meanwhile");
        assert!(endless.into_body().collect().await.is_err(), "it is not whole");
        assert_eq!(ask("/short").await.unwrap().status(), 200);
    });
    assert!(written.load(SeqCst) < 64 << 20, "{} bytes", written.load(SeqCst));
}

/// Then not even the beginning of an answer is asked for.
#[test]
fn who_gives_no_window_holds_no_backend() {
    let (written, stopped) = (Arc::default(), Arc::default());
    let server = endless(&written, &stopped);
    let scene = scene(&server, "");
    let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build().unwrap();
    let since = Instant::now();
    runtime.block_on(async {
        let stream = tokio::net::TcpStream::connect(scene.at).await.unwrap();
        let mut builder = http2::Builder::new(TokioExecutor::new());
        let builder = builder.initial_stream_window_size(0);
        let (mut sender, connection) = builder.handshake(TokioIo::new(stream)).await.unwrap();
        tokio::spawn(connection);
        let request = Request::get("http://www.example.org/endless");
        let answer = sender.send_request(request.body(Empty::<Bytes>::new()).unwrap());
        let answer = answer.await.unwrap();
        while stopped.load(SeqCst) == 0 {
            assert!(since.elapsed() < LONG, "it is never given up");
            tokio::time::sleep(Duration::from_millis(20)).await;
        }
        assert!(answer.into_body().collect().await.is_err());
    });
    in_time("no window", since.elapsed());
}

#[test]
fn who_takes_a_bit_now_and_then_has_the_time_of_its_request() {
    let (written, stopped) = (Arc::default(), Arc::default());
    let server = endless(&written, &stopped);
    let scene = Scene::simple(&[&server], "total-timeout = \"1s\"");
    let since = Instant::now();
    let mut stream = TcpStream::connect(scene.at).unwrap();
    stream.set_read_timeout(Some(PATIENCE)).unwrap();
    stream.write_all(b"GET / HTTP/1.1\r\nHost: h\r\n\r\n").unwrap();
    let mut piece = vec![0; 64 << 10];
    while stopped.load(SeqCst) == 0 {
        assert!(since.elapsed() < LONG, "it is never given up");
        _ = stream.read(&mut piece);
        thread::sleep(Duration::from_millis(5));
    }
    in_time("a bit now and then", since.elapsed());
}

#[test]
fn many_slow_clients_stop_nobody() {
    let (written, stopped) = (Arc::default(), Arc::default());
    let server = endless(&written, &stopped);
    let scene = scene(&server, "idle-timeout = \"1s\"");
    let since = Instant::now();
    let mut slow: Vec<TcpStream> = Vec::new();
    for nth in 0..160 {
        let mut stream = TcpStream::connect(scene.at).unwrap();
        let begin: &[u8] = match nth % 4 {
            0 => b"",
            1 => b"GET / HTTP/1.1\r\nHost: ",
            2 => b"POST /short HTTP/1.1\r\nHost: h\r\nContent-Length: 10\r\n\r\nhalf",
            _ => b"GET / HTTP/1.1\r\nHost: h\r\n\r\n",
        };
        stream.write_all(begin).unwrap();
        slow.push(stream);
    }
    let mut slowest = Duration::ZERO;
    while stopped.load(SeqCst) < 40 {
        assert!(since.elapsed() < PATIENCE, "{} of 40 are cut off", stopped.load(SeqCst));
        let asked = Instant::now();
        assert_eq!(scene.get("/short").text(), "short");
        slowest = slowest.max(asked.elapsed());
    }
    assert!(slowest < Duration::from_secs(3), "somebody waited for {slowest:?}");
    let open = || scene.proxy.listener(&"edge".parse().unwrap()).unwrap().open;
    eventually("all of them are gone", || open() == 0);
}

#[test]
fn sizes_are_those_of_the_listener() {
    let server = Server::named("a");
    let limits = "max-request-line = 300\nmax-header = 400\nmax-head = 1024\nmax-headers = 120";
    let scene = Scene::new(&with_limits(limits), &pool("web", &[&server], ""));
    let get = |target: &str, headers: &str| {
        scene.ask(&format!("GET /{target} HTTP/1.1\r\nHost: h\r\n{headers}\r\n")).status
    };
    let field = |length: usize| format!("X: {}\r\n", "x".repeat(length));
    assert_eq!(get(&"x".repeat(280), ""), 200);
    assert_eq!(get(&"x".repeat(290), ""), 414);
    assert_eq!(get("", &field(390)), 200);
    assert_eq!(get("", &field(400)), 431);
    assert_eq!(get("", &field(300).repeat(3)), 200);
    assert_eq!(get("", &field(300).repeat(4)), 431);
    assert_eq!(get("", &"x:\r\n".repeat(119)), 200, "more than hyper has room for by itself");
    assert_eq!(get("", &"x:\r\n".repeat(120)), 431);
    assert_eq!(server.requests(), 4);
}
