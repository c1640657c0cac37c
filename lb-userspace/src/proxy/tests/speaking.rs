//! How clients are spoken to in HTTP/1: heads of answers, and when a connection goes on.

use std::io::Read;

use super::{Client, Scene, Server, pool};

/// A server that knows how much it will say, or does not.
fn server() -> Server {
    Server::new(|asked| {
        if asked.head.starts_with("GET /endless ") {
            asked.raw("HTTP/1.1 200 OK\r\n\r\nuntil the end");
            return false;
        }
        let text = String::from_utf8(asked.body.to_vec()).unwrap();
        asked.ok(&text)
    })
}

#[test]
fn a_connection_goes_on_as_the_client_has_it() {
    let server = server();
    let scene = Scene::simple(&[&server], "");
    let table = [
        ("HTTP/1.1\r\nHost: h", None, true),
        ("HTTP/1.1\r\nHost: h\r\nConnection: close", Some("close"), false),
        ("HTTP/1.1\r\nHost: h\r\nConnection: x, Close", Some("close"), false),
        ("HTTP/1.1\r\nHost: h\r\nConnection: keep-alive", None, true),
        ("HTTP/1.0", Some("close"), false),
        ("HTTP/1.0\r\nConnection: Keep-Alive", Some("keep-alive"), true),
        ("HTTP/1.0\r\nConnection: keep-alive, close", Some("close"), false),
    ];
    for (rest, connection, goes_on) in table {
        let mut client = scene.connect();
        let head = format!("GET / {rest}\r\n\r\n");
        let answer = client.ask(&head);
        assert_eq!((answer.status, answer.header("connection")), (200, connection), "{rest}");
        assert_eq!(answer.head.get(..8), rest.get(..8));
        if goes_on {
            assert_eq!(client.ask(&head).status, 200, "{rest}");
        } else {
            assert!(client.is_closed(), "{rest}");
        }
    }
}

#[test]
fn what_has_no_end_of_its_own_ends_with_an_old_connection() {
    let server = server();
    let scene = Scene::simple(&[&server], "");
    let mut client = scene.connect();
    client.send("GET /endless HTTP/1.0\r\nConnection: keep-alive\r\n\r\n");
    let head = client.head();
    assert!(
        head.contains("connection: close\r\n") && !head.contains("transfer-encoding"),
        "{head}"
    );
    let mut body = String::new();
    client.stream.read_to_string(&mut body).unwrap();
    assert_eq!(body, "until the end");
}

/// The head of what comes, and whether nothing stands behind it but the next answer.
fn head_alone(client: &mut Client, request: &str) -> String {
    client.send(request);
    let head = client.head();
    assert_eq!(client.ask("GET /known HTTP/1.1\r\nHost: h\r\n\r\n").text(), "hello");
    head
}

#[test]
fn answers_without_a_body_say_so_as_their_status_has_it() {
    let routes = "[[listener.route]]\npath = \"/known\"\nrespond = { status = 200, body = \"hello\" }\n\
                  [[listener.route]]\npath = \"/none\"\nrespond = 204\n\
                  [[listener.route]]\npath = \"/empty\"\nrespond = 403\n";
    let scene = Scene::new(routes, "");
    let mut client = scene.connect();
    let ask = |client: &mut Client, line: &str| {
        head_alone(client, &format!("{line} HTTP/1.1\r\nHost: h\r\n\r\n"))
    };
    let head = ask(&mut client, "GET /none");
    assert!(
        head.starts_with("HTTP/1.1 204 No Content\r\n") && !head.contains("content-length"),
        "{head}"
    );
    assert!(ask(&mut client, "GET /empty").contains("\r\ncontent-length: 0\r\n"));
    assert!(ask(&mut client, "HEAD /known").contains("\r\ncontent-length: 5\r\n"));
    // The date as all write it (RFC 9110 section 5.6.7).
    let date = head.lines().find_map(|line| line.strip_prefix("date: ")).unwrap();
    let shape: String = date
        .chars()
        .map(|letter| match letter {
            '0'..='9' => '0',
            'a'..='z' => 'a',
            'A'..='Z' => 'A',
            other => other,
        })
        .collect();
    assert_eq!(shape, "Aaa, 00 Aaa 0000 00:00:00 AAA");
}

#[test]
fn bodies_that_come_all_at_once_belong_to_their_requests() {
    let server = server();
    let scene = Scene::new("pool = \"web\"", &pool("web", &[&server], ""));
    let mut client = scene.connect();
    let mut all = String::new();
    let bodies: Vec<String> = (0..40).map(|n| format!("{n:x}").repeat(n * 37 % 300)).collect();
    for (n, body) in bodies.iter().enumerate() {
        let length = body.len();
        let framed = match n % 2 {
            0 => format!("Content-Length: {length}\r\n\r\n{body}"),
            _ if length == 0 => "Transfer-Encoding: chunked\r\n\r\n0\r\n\r\n".to_owned(),
            _ => format!("Transfer-Encoding: chunked\r\n\r\n{length:x}\r\n{body}\r\n0\r\n\r\n"),
        };
        all += "POST / HTTP/1.1\r\nHost: h\r\n";
        all += &framed;
    }
    client.send(&all);
    for body in &bodies {
        assert_eq!(client.answer().text(), body);
    }
}
