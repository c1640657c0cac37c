//! Answers that do not come to their end, and why.

use std::{io::Read, thread, time::Duration};

use http_body_util::Empty;
use hyper::{Request, body::Bytes, client::conn::http2};
use hyper_util::rt::{TokioExecutor, TokioIo};

use super::{
    super::{Scene, Server, eventually, pool},
    Log, fields,
};

#[test]
fn who_goes_or_is_cut_off_is_logged() {
    let log = Log::new();
    let server = Server::new(|asked| {
        if asked.head.starts_with("GET /silent") {
            thread::sleep(Duration::from_secs(30));
        } else if asked.head.starts_with("GET /short") {
            asked.raw("HTTP/1.1 200 OK\r\ncontent-length: 100\r\n\r\nabc");
        } else {
            asked.raw("HTTP/1.1 200 OK\r\ncontent-length: 5\r\n\r\nab");
            thread::sleep(Duration::from_secs(30));
        }
        false
    });
    let listener = format!("pool = \"web\"\n{}", log.key("json"));
    let scene = Scene::new(&listener, &pool("web", &[&server], ""));
    let names = ["uri", "status", "bytes_sent", "cause"];
    let mut client = scene.connect();
    client.send("GET /silent HTTP/1.1\r\nHost: h\r\n\r\n");
    eventually("the request is there", || server.requests() == 1);
    drop(client);
    assert_eq!(fields(&log.objects(1)[0], &names), r#""/silent" 499 0 "client went away""#);
    let mut client = scene.connect();
    client.send("GET /half HTTP/1.1\r\nHost: h\r\n\r\n");
    client.head();
    client.stream.read_exact(&mut [0; 2]).unwrap();
    drop(client);
    assert_eq!(fields(&log.objects(2)[1], &names), r#""/half" 200 2 "client went away""#);
    let mut client = scene.connect();
    client.send("GET /short HTTP/1.1\r\nHost: h\r\n\r\n");
    client.head();
    client.stream.read_to_end(&mut Vec::new()).unwrap();
    let line = log.objects(3).remove(2);
    assert!(fields(&line, &names).starts_with(r#""/short" 200 3 "cut off: "#), "{line}");
}

/// Writes for as long as somebody takes it.
fn endless() -> Server {
    Server::new(|asked| {
        asked.raw("HTTP/1.1 200 OK\r\n\r\n");
        while asked.raw(&"x".repeat(10_000)) {}
        false
    })
}

#[test]
fn who_takes_nothing_of_an_answer_is_told_apart_from_who_goes() {
    let log = Log::new();
    let server = endless();
    let limits = "[listener.client]\nsend-timeout = \"300ms\"\n";
    let listener = format!("pool = \"web\"\n{}{limits}", log.key("json"));
    let scene = Scene::new(&listener, &pool("web", &[&server], ""));
    let cause = "cut off: the client took nothing of it for the `send-timeout`";
    let mut client = scene.connect();
    client.send("GET /one HTTP/1.1\r\nHost: h\r\n\r\n");
    let line = log.objects(1).remove(0);
    assert_eq!((&line["status"], &line["cause"]), (&200.into(), &cause.into()));
    assert!(line["bytes_sent"].as_u64() > Some(10_000), "{line}");
    drop(client);
    // A client of HTTP/2 that gives its stream no more room.
    let runtime = tokio::runtime::Builder::new_multi_thread().enable_all().build().unwrap();
    let answer = runtime.block_on(async {
        let stream = tokio::net::TcpStream::connect(scene.at).await.unwrap();
        let (mut sender, connection) =
            http2::handshake(TokioExecutor::new(), TokioIo::new(stream)).await.unwrap();
        tokio::spawn(connection);
        let request = Request::get("http://www.example.org/two").body(Empty::<Bytes>::new());
        (sender.send_request(request.unwrap()).await.unwrap(), sender)
    });
    let line = log.objects(2).remove(1);
    assert_eq!((&line["uri"], &line["cause"]), (&"/two".into(), &cause.into()));
    drop(answer);
}
