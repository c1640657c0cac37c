//! Answers of backends as RFC 9112 allows them, and what reaches the client.

use std::{
    io::{BufRead, BufReader, Read, Write},
    net::{TcpListener, TcpStream},
    sync::{
        Arc,
        atomic::{AtomicUsize, Ordering::SeqCst},
    },
    thread,
    time::Duration,
};

use super::{Client, Scene, Server, eventually, pool};

const GET: &str = "GET / HTTP/1.1\r\nHost: h\r\n\r\n";

/// A server that answers with these bytes, by the path.
fn server(answers: &'static [(&'static str, &'static str)]) -> Server {
    Server::new(move |asked| {
        let path = asked.head.split(' ').nth(1).unwrap();
        let (_, answer) = answers.iter().find(|(at, _)| *at == path).unwrap();
        asked.raw(answer)
    })
}

fn connections(server: &Server) -> usize {
    server.connections.load(SeqCst)
}

#[test]
fn answers_that_announce_another_reach_nobody() {
    let server = server(&[
        (
            "/",
            "HTTP/1.1 100 Continue\r\n\r\nHTTP/1.1 103 Early Hints\r\nlink: </a>\r\n\r\nHTTP/1.1 200 OK\r\ncontent-length: 2\r\n\r\nhi",
        ),
        (
            "/chat",
            "HTTP/1.1 103 Early Hints\r\n\r\nHTTP/1.1 101 Switching Protocols\r\nconnection: upgrade\r\nupgrade: chat\r\n\r\nhello",
        ),
    ]);
    let scene = Scene::simple(&[&server], "");
    let mut client = scene.connect();
    for _ in 0..3 {
        let answer = client.ask(GET);
        let found = (answer.status, answer.text(), answer.header("link"));
        assert_eq!(found, (200, "hi", None));
    }
    assert_eq!(connections(&server), 1);
    client.send("GET /chat HTTP/1.1\r\nHost: h\r\nConnection: upgrade\r\nUpgrade: chat\r\n\r\n");
    assert!(client.head().starts_with("HTTP/1.1 101 "));
    let mut said = [0; 5];
    client.stream.read_exact(&mut said).unwrap();
    assert_eq!(&said, b"hello");
}

#[test]
fn an_answer_without_a_body_ends_with_its_head() {
    let server = server(&[
        ("/length", "HTTP/1.1 200 OK\r\ncontent-length: 5\r\n\r\n"),
        ("/chunks", "HTTP/1.1 200 OK\r\ntransfer-encoding: chunked\r\n\r\n"),
        ("/nothing", "HTTP/1.1 200 OK\r\n\r\n"),
        ("/204", "HTTP/1.1 204 No Content\r\ncontent-length: 5\r\n\r\n"),
        ("/304", "HTTP/1.1 304 Not Modified\r\ncontent-length: 5\r\netag: \"x\"\r\n\r\n"),
        ("/", "HTTP/1.1 200 OK\r\ncontent-length: 2\r\n\r\nhi"),
    ]);
    let scene = Scene::simple(&[&server], "");
    let mut client = scene.connect();
    let cases = [
        ("HEAD /length", "200 OK", Some("content-length: 5\r\n")),
        ("HEAD /chunks", "200 OK", None),
        ("HEAD /nothing", "200 OK", None),
        ("GET /204", "204 No Content", None),
        ("GET /304", "304 Not Modified", Some("etag: \"x\"\r\n")),
    ];
    for (line, status, has) in cases {
        client.send(format!("{line} HTTP/1.1\r\nHost: h\r\n\r\n"));
        let head = client.head();
        assert!(head.starts_with(&format!("HTTP/1.1 {status}\r\n")), "{line}: {head}");
        assert!(head.contains(has.unwrap_or_default()), "{line}: {head}");
        assert!(!head.contains("content-length: 0"), "{line}: it would have another by GET");
        assert_eq!(client.ask(GET).text(), "hi", "behind {line}");
    }
    assert_eq!(connections(&server), 1);
}

#[test]
fn a_connection_to_http_1_0_goes_on_if_the_backend_says_so() {
    let server = server(&[
        ("/kept", "HTTP/1.0 200 OK\r\nConnection: Keep-Alive\r\nContent-Length: 2\r\n\r\nhi"),
        ("/once", "HTTP/1.0 200 OK\r\nContent-Length: 2\r\n\r\nhi"),
    ]);
    let scene = Scene::simple(&[&server], "");
    let mut client = scene.connect();
    for (path, opened) in
        [("/kept", 1), ("/kept", 1), ("/once", 1), ("/once", 2), ("/kept", 3), ("/kept", 3)]
    {
        let answer = client.ask(&format!("GET {path} HTTP/1.1\r\nHost: h\r\n\r\n"));
        assert_eq!((answer.status, answer.text()), (200, "hi"));
        assert!(answer.head.starts_with("HTTP/1.1 200 OK\r\n"), "{}", answer.head);
        assert_eq!(connections(&server), opened, "{path}");
    }
}

#[test]
fn an_answer_in_chunks_arrives_in_chunks() {
    let server = server(&[
        (
            "/",
            "HTTP/1.1 200 OK\r\nContent-Length: 3\r\nTransfer-Encoding: chunked\r\nContent-Length: 4\r\n\r\n2;a=b\r\nhe\r\n003 ;c\r\nllo\r\n0;d\r\n\r\n",
        ),
        (
            "/trailers",
            "HTTP/1.1 200 OK\r\nTrailer: X-Sum, Content-Length\r\nTransfer-Encoding: chunked\r\n\r\n2\r\nhi\r\n0\r\nX-Sum: 7\r\nX-Other: 8\r\nContent-Length: 9\r\n\r\n",
        ),
    ]);
    let scene = Scene::simple(&[&server], "");
    let mut client = scene.connect();
    for _ in 0..3 {
        let answer = client.ask(GET);
        assert_eq!((answer.text(), answer.header("content-length")), ("hello", None));
        assert_eq!(answer.head.matches("chunked").count(), 1, "{}", answer.head);
        client.send("GET /trailers HTTP/1.1\r\nHost: h\r\nTE: trailers\r\nConnection: TE\r\n\r\n");
        assert!(client.head().contains("trailer: X-Sum"));
        let mut rest = String::new();
        while !rest.ends_with("\r\n\r\n") {
            client.stream.read_line(&mut rest).unwrap();
        }
        assert_eq!(rest, "2\r\nhi\r\n0\r\nx-sum: 7\r\n\r\n");
    }
    assert_eq!(connections(&server), 1);
}

#[test]
fn a_reason_of_ones_own_reaches_the_client() {
    let server = server(&[
        ("/fine", "HTTP/1.1 200 Fine\r\ncontent-length: 0\r\n\r\n"),
        ("/own", "HTTP/1.1 599 In our own words\r\ncontent-length: 0\r\n\r\n"),
        ("/usual", "HTTP/1.1 418 I'm a teapot\r\ncontent-length: 0\r\n\r\n"),
    ]);
    let scene = Scene::simple(&[&server], "");
    for (path, line) in
        [("/fine", "200 Fine"), ("/own", "599 In our own words"), ("/usual", "418 I'm a teapot")]
    {
        let head = scene.get(path).head;
        assert!(head.starts_with(&format!("HTTP/1.1 {line}\r\n")), "{head}");
    }
}

#[test]
fn an_answer_may_come_byte_by_byte() {
    let server = Server::new(|asked| {
        let chunked = asked.head.starts_with("GET /chunks");
        let answer = if chunked {
            "HTTP/1.1 103 x\r\n\r\nHTTP/1.1 200 OK\r\ntransfer-encoding: chunked\r\n\r\n2\r\nhe\r\n3\r\nllo\r\n0\r\n\r\n"
        } else {
            "HTTP/1.1 200 OK\r\ncontent-length: 5\r\n\r\nhello"
        };
        asked.stream.set_nodelay(true).unwrap();
        answer.bytes().all(|byte| {
            thread::sleep(Duration::from_millis(1));
            asked.stream.write_all(&[byte]).is_ok()
        })
    });
    let scene = Scene::simple(&[&server], "");
    let mut client = scene.connect();
    for path in ["/length", "/chunks", "/length", "/chunks"] {
        let answer = client.ask(&format!("GET {path} HTTP/1.1\r\nHost: h\r\n\r\n"));
        assert_eq!((answer.status, answer.text()), (200, "hello"), "{path}");
    }
    assert_eq!(connections(&server), 1);
}

#[test]
fn a_body_goes_with_any_method() {
    let server = Server::new(|asked| {
        let text = String::from_utf8(asked.body.to_vec()).unwrap();
        asked.ok(&text)
    });
    let scene = Scene::simple(&[&server], "");
    let mut client = scene.connect();
    for (method, framing, body, told) in [
        ("GET", "Transfer-Encoding: chunked", "2\r\nhi\r\n0\r\n\r\n", "transfer-encoding: chunked"),
        ("DELETE", "Content-Length: 2", "hi", "content-length: 2"),
        ("OWN", "Transfer-Encoding: chunked", "1\r\nh\r\n1;x\r\ni\r\n0\r\n\r\n", "chunked"),
    ] {
        let head = format!("{method} / HTTP/1.1\r\nHost: h\r\n{framing}\r\n\r\n");
        assert_eq!(client.ask(&(head + body)).text(), "hi", "{method}, {framing}");
        let seen = server.last();
        assert!(seen.contains(told) && seen.starts_with(method), "{seen}");
        assert_eq!(seen.matches("content-length").count() + seen.matches("chunked").count(), 1);
    }
    let none = client.ask("POST / HTTP/1.1\r\nHost: h\r\nContent-Length: 0\r\n\r\n");
    assert_eq!((none.status, none.text()), (200, ""));
    assert!(server.last().contains("content-length: 0\r\n"), "{}", server.last());
    assert_eq!(connections(&server), 1);
}

/// A server that says what it likes by a connection, once it has the head of a request.
fn speaking(
    talk: impl Fn(&str, &mut BufReader<TcpStream>) -> bool + Send + Sync + 'static,
) -> Server {
    let listener = TcpListener::bind("127.0.0.1:0").unwrap();
    let server = Server { address: listener.local_addr().unwrap(), ..Server::absent() };
    let (count, talk) = (Arc::clone(&server.connections), Arc::new(talk));
    thread::spawn(move || {
        for stream in listener.incoming().map_while(Result::ok) {
            count.fetch_add(1, SeqCst);
            let talk = Arc::clone(&talk);
            thread::spawn(move || {
                let mut stream = BufReader::new(stream);
                loop {
                    let mut head = String::new();
                    while !head.ends_with("\r\n\r\n") {
                        if !stream.read_line(&mut head).is_ok_and(|read| read > 0) {
                            return;
                        }
                    }
                    if !talk(&head, &mut stream) {
                        return;
                    }
                }
            });
        }
    });
    server
}

/// The next chunk; empty is the last.
fn chunk(stream: &mut BufReader<TcpStream>) -> Option<Vec<u8>> {
    let mut line = String::new();
    stream.read_line(&mut line).ok()?;
    let mut data = vec![0; usize::from_str_radix(line.trim(), 16).ok()? + 2];
    stream.read_exact(&mut data).ok()?;
    data.truncate(data.len() - 2);
    Some(data)
}

fn send_chunk(stream: &mut BufReader<TcpStream>, data: &[u8]) {
    let length = format!("{:x}\r\n", data.len());
    let whole = [length.as_bytes(), data, b"\r\n"].concat();
    stream.get_mut().write_all(&whole).unwrap();
}

#[test]
fn request_and_answer_may_go_on_at_the_same_time() {
    let server = speaking(|_, stream| {
        let head = b"HTTP/1.1 200 OK\r\ntransfer-encoding: chunked\r\n\r\n";
        stream.get_mut().write_all(head).unwrap();
        while let Some(data) = chunk(stream) {
            send_chunk(stream, &data);
            if data.is_empty() {
                return true;
            }
        }
        false
    });
    let scene = Scene::simple(&[&server], "");
    let mut client = scene.connect();
    for _ in 0..2 {
        client.send("POST / HTTP/1.1\r\nHost: h\r\nTransfer-Encoding: chunked\r\n\r\n");
        assert!(client.head().starts_with("HTTP/1.1 200 "), "before there is a body");
        for length in [1, 10, 1000, 30_000, 1].into_iter().cycle().take(60) {
            let said: Vec<u8> = (0..length).map(|nth: u32| nth.to_le_bytes()[0]).collect();
            send_chunk(&mut client.stream, &said);
            let mut heard = Vec::new();
            while heard.len() < said.len() {
                heard.extend(chunk(&mut client.stream).unwrap());
            }
            assert!(heard == said, "{length} bytes come back");
        }
        send_chunk(&mut client.stream, b"");
        assert_eq!(chunk(&mut client.stream).unwrap(), b"");
    }
    assert_eq!(connections(&server), 1);
}

#[test]
fn an_early_answer_is_the_answer_and_the_client_goes_on() {
    let server = speaking(|head, stream| {
        if head.starts_with("GET") {
            stream.get_mut().write_all(b"HTTP/1.1 200 OK\r\ncontent-length: 2\r\n\r\nhi").unwrap();
            return true;
        }
        let answer = b"HTTP/1.1 413 Payload Too Large\r\ncontent-length: 3\r\n\r\nno!";
        stream.get_mut().write_all(answer).unwrap();
        // Reads nothing more; half a request stands on the connection.
        thread::sleep(Duration::from_secs(30));
        false
    });
    let scene = Scene::simple(&[&server], "");
    let mut client = scene.connect();
    for nth in 1..3 {
        let length = 1 << 20;
        client.send(format!("POST / HTTP/1.1\r\nHost: h\r\nContent-Length: {length}\r\n\r\nbegun"));
        let answer = client.answer();
        assert_eq!((answer.status, answer.text()), (413, "no!"));
        client.send(vec![b'x'; length - "begun".len()]);
        assert_eq!(client.ask(GET).text(), "hi");
        assert_eq!(connections(&server), nth + 1, "half a request is on the one before");
    }
}

#[test]
fn who_listens_only_when_all_is_said_is_heard_to_the_end() {
    const LENGTH: usize = 16 << 20;
    let bytes: Arc<Vec<u8>> = Arc::new({
        let mut random = fastrand::Rng::with_seed(7);
        std::iter::repeat_with(|| random.u8(..)).take(LENGTH).collect()
    });
    let all = Arc::clone(&bytes);
    let server = speaking(move |_, stream| {
        let (all, mut out) = (Arc::clone(&all), stream.get_ref().try_clone().unwrap());
        let answering = thread::spawn(move || {
            let kind = "content-type: text/plain";
            write!(out, "HTTP/1.1 200 OK\r\n{kind}\r\ncontent-length: {LENGTH}\r\n\r\n").unwrap();
            out.write_all(&all).unwrap();
        });
        stream.read_exact(&mut vec![0; LENGTH]).unwrap();
        answering.join().unwrap();
        true
    });
    let scene =
        Scene::new("pool = \"web\"\ncompression = [\"zstd\"]", &pool("web", &[&server], ""));
    for accepts in ["", "Accept-Encoding: zstd\r\n"] {
        let mut client = scene.connect();
        client.send(format!(
            "PUT / HTTP/1.1\r\nHost: h\r\n{accepts}Content-Length: {LENGTH}\r\n\r\n"
        ));
        client.send(&*bytes);
        let answer = client.answer();
        let body = match answer.header("content-encoding") {
            Some(coding) => {
                assert_eq!(coding, "zstd");
                zstd::decode_all(&*answer.body).unwrap()
            }
            None => answer.body,
        };
        assert!(body == *bytes, "{} bytes of {LENGTH}", body.len());
    }
}

#[test]
fn who_goes_takes_the_connection_to_the_backend_along() {
    let ended = Arc::new(AtomicUsize::new(0));
    let count = Arc::clone(&ended);
    let server = Server::new(move |asked| {
        if asked.head.starts_with("GET /begun") {
            asked.raw("HTTP/1.1 200 OK\r\ncontent-length: 100\r\n\r\nhalf");
        }
        if !asked.stream.read(&mut [0]).is_ok_and(|read| read > 0) {
            count.fetch_add(1, SeqCst);
        }
        false
    });
    let scene = Scene::simple(&[&server], "");
    let begun = |path: &str| {
        let mut client: Client = scene.connect();
        client.send(format!("GET {path} HTTP/1.1\r\nHost: h\r\n\r\n"));
        client
    };
    let mut client = begun("/begun");
    client.head();
    drop(client);
    eventually("the half answer is given up", || ended.load(SeqCst) == 1);
    let client = begun("/silent");
    eventually("it has arrived", || server.requests() == 2);
    drop(client);
    eventually("nobody waits for an answer", || ended.load(SeqCst) == 2);
    assert_eq!(connections(&server), 2);
}
