//! What clients that take nothing of their answers hold in memory. Each test runs in a process of its own.

use std::{
    fs,
    io::Write,
    net::TcpStream,
    sync::{
        Arc,
        atomic::{AtomicUsize, Ordering::SeqCst},
    },
    thread,
    time::Duration,
};

use http_body_util::Empty;
use hyper::{Request, body::Bytes, client::conn::http2};
use hyper_util::rt::{TokioExecutor, TokioIo};

use super::{Scene, Server, eventually};

static PIECE: [u8; 64 << 10] = [7; 64 << 10];

/// Answers that are not taken at one time.
const ANSWERS: usize = 100;
/// What each may hold, with all that belongs to it, the thread of the server included. hyper by itself would hold 1.4 MiB.
const EACH: usize = 512 << 10;

/// Answers without an end; says how much could be written.
fn endless(written: &Arc<AtomicUsize>) -> Server {
    let written = Arc::clone(written);
    Server::new(move |asked| {
        asked.raw("HTTP/1.1 200 OK\r\ncontent-length: 100000000000\r\n\r\n");
        while asked.stream.write_all(&PIECE).is_ok() {
            written.fetch_add(PIECE.len(), SeqCst);
        }
        false
    })
}

/// Bytes of memory that this process has in use (`proc_pid_status(5)`).
fn resident() -> usize {
    let status = fs::read_to_string("/proc/self/status").unwrap();
    let line = status.lines().find_map(|line| line.strip_prefix("VmRSS:")).unwrap();
    line.trim().strip_suffix(" kB").unwrap().parse::<usize>().unwrap() << 10
}

/// Waits until nothing more is written.
fn all_stand_still(written: &AtomicUsize) {
    let mut before = 0;
    eventually("all stand still", || {
        thread::sleep(Duration::from_millis(300));
        let now = written.load(SeqCst);
        let stopped = now > ANSWERS * PIECE.len() && now == before;
        before = now;
        stopped
    });
}

#[test]
fn connections_of_http_1() {
    let written = Arc::default();
    let server = endless(&written);
    let scene = Scene::simple(&[&server], "");
    let before = resident();
    let clients: Vec<_> = (0..ANSWERS)
        .map(|_| {
            let mut stream = TcpStream::connect(scene.at).unwrap();
            stream.write_all(b"GET / HTTP/1.1\r\nHost: h\r\n\r\n").unwrap();
            stream
        })
        .collect();
    all_stand_still(&written);
    let each = resident().saturating_sub(before) / ANSWERS;
    assert!(each < EACH, "{} KiB each", each >> 10);
    drop(clients);
}

#[test]
fn answers_of_one_connection_of_http_2() {
    let written = Arc::default();
    let server = endless(&written);
    let scene = Scene::simple(&[&server], "");
    let mut runtime = tokio::runtime::Builder::new_multi_thread();
    let runtime = runtime.worker_threads(1).enable_all().build().unwrap();
    let before = resident();
    let answers = runtime.block_on(async {
        let stream = tokio::net::TcpStream::connect(scene.at).await.unwrap();
        let mut builder = http2::Builder::new(TokioExecutor::new());
        let builder = builder.initial_stream_window_size(1024);
        let (mut sender, connection) = builder.handshake(TokioIo::new(stream)).await.unwrap();
        tokio::spawn(connection);
        let mut answers = Vec::new();
        for _ in 0..ANSWERS {
            let request = Request::get("http://www.example.org/").body(Empty::<Bytes>::new());
            answers.push(sender.send_request(request.unwrap()).await.unwrap());
        }
        (answers, sender)
    });
    all_stand_still(&written);
    let each = resident().saturating_sub(before) / ANSWERS;
    assert!(each < EACH, "{} KiB each", each >> 10);
    drop(answers);
}
