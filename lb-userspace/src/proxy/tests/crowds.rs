//! How many connections a client may have, and how often it may ask.

use std::{
    fs,
    io::Read,
    net::TcpStream,
    time::{Duration, Instant},
};

use tempfile::TempDir;

use super::{
    Answer, Client, PATIENCE, Scene, Server, eventually,
    frames::{Outcome, ask},
    pool, with_limits,
};
use crate::proxy::ListenerCounts;

const GET: &str = "GET / HTTP/1.1\r\nHost: h\r\n\r\n";

fn counts(scene: &Scene) -> ListenerCounts {
    scene.proxy.listener(&"edge".parse().unwrap()).unwrap()
}

/// So many connections, each of which has been answered.
fn held(scene: &Scene, number: usize) -> Vec<Client> {
    let answered = |_| {
        let mut client = scene.connect();
        assert_eq!(client.ask(GET).status, 200);
        client
    };
    (0..number).map(answered).collect()
}

/// Whether a connection is closed with nothing but what is said to who has too many.
fn is_turned_away(mut client: Client) -> bool {
    let mut said = String::new();
    let read = client.stream.read_to_string(&mut said);
    assert!(read.is_err() || said.is_empty() || said.starts_with("HTTP/1.1 429 "), "{said}");
    true
}

#[test]
fn who_has_its_most_gets_another_when_one_ends() {
    let server = Server::named("web");
    let mut scene = Scene::new(&with_limits("max-connections = 3"), &pool("web", &[&server], ""));
    let mut all = held(&scene, 3);
    let answer = scene.connect().answer();
    assert_eq!((answer.status, answer.text()), (429, "429 too many connections\n"));
    assert_eq!(answer.header("connection"), Some("close"));
    assert!(is_turned_away(scene.connect()));
    let seen = counts(&scene);
    assert_eq!((seen.over_max_connections, seen.connections, seen.open), (2, 3, 3));
    assert_eq!(all[0].ask(GET).status, 200, "the others go on");

    drop(all.pop());
    eventually("there is room again", || {
        let mut client = scene.connect();
        client.send(GET);
        client.answer().status == 200
    });

    // What there is counts by a new limit, too.
    scene.text = scene.text.replace("max-connections = 3", "max-connections = 2");
    scene.follow(&scene.desired());
    assert_eq!(all.len(), 2);
    eventually("all but two have gone", || counts(&scene).open == 2);
    let before = counts(&scene).over_max_connections;
    assert!(is_turned_away(scene.connect()));
    eventually("it is counted", || counts(&scene).over_max_connections == before + 1);
    scene.text = scene.text.replace("max-connections = 2", "");
    scene.follow(&scene.desired());
    drop(held(&scene, 5));
}

#[test]
fn tunnels_count_until_they_end() {
    let server = Server::new(|asked| {
        asked.raw(
            "HTTP/1.1 101 Switching Protocols\r\nConnection: upgrade\r\nUpgrade: websocket\r\n\r\n",
        );
        _ = asked.stream.read(&mut [0]);
        false
    });
    let scene = Scene::new(&with_limits("max-connections = 1"), &pool("web", &[&server], ""));
    let mut client = scene.connect();
    client.send("GET / HTTP/1.1\r\nHost: h\r\nConnection: upgrade\r\nUpgrade: websocket\r\n\r\n");
    assert!(client.head().starts_with("HTTP/1.1 101 "));
    // The connection has been handed over by now.
    eventually("nothing but the tunnel is left", || counts(&scene).open == 0);
    assert!(is_turned_away(scene.connect()));
    assert_eq!(counts(&scene).over_max_connections, 1);
    drop(client);
    eventually("the tunnel has ended", || {
        let mut client = scene.connect();
        client.send("x");
        let turned_away = counts(&scene).over_max_connections;
        client.stream.get_ref().set_read_timeout(Some(Duration::from_millis(200))).unwrap();
        let waits = client.stream.read(&mut [0]).is_err();
        waits && counts(&scene).over_max_connections == turned_away
    });
}

#[test]
fn connections_that_are_passed_on_count_too() {
    let server = Server::named("web");
    let listener = format!("protocol = \"tcp\"\n{}", with_limits("max-connections = 2"));
    let scene = Scene::new(&listener, &pool("web", &[&server], ""));
    let all = held(&scene, 2);
    let mut stream = TcpStream::connect(scene.at).unwrap();
    stream.set_read_timeout(Some(PATIENCE)).unwrap();
    assert!(matches!(stream.read(&mut [0]), Ok(0)), "closed without a word");
    assert_eq!(counts(&scene).over_max_connections, 1);
    drop(all);
    eventually("there is room again", || counts(&scene).open == 0);
    drop(held(&scene, 2));
}

/// A listener whose clients may ask three times at once.
fn limited(server: &Server, more: &str) -> Scene {
    let limits = with_limits("rate-limit = { rate = 1, burst = 3 }");
    Scene::new(&format!("{more}{limits}"), &pool("web", &[server], ""))
}

#[test]
fn who_asks_too_often_is_told_to_wait_and_served_afterwards() {
    let server = Server::named("web");
    let mut scene = limited(&server, "");
    let begun = Instant::now();
    let mut client = scene.connect();
    let statuses = [0; 3].map(|_| client.ask(GET).status);
    let answer: Answer = client.ask(GET);
    if begun.elapsed() < Duration::from_secs(1) {
        assert_eq!(statuses, [200; 3]);
        assert_eq!((answer.status, answer.text()), (429, "429 too many requests\n"));
        assert_eq!(answer.header("retry-after"), Some("1"));
        assert_eq!((server.requests(), counts(&scene).over_rate_limit), (3, 1));
    }
    eventually("it may ask again, on the same connection", || client.ask(GET).status == 200);
    assert_eq!(scene.get("/").status, 429, "another connection is no other client");
    let h2: [(&[u8], &[u8]); 4] =
        [(b":method", b"GET"), (b":scheme", b"http"), (b":authority", b"h"), (b":path", b"/")];
    assert_eq!(ask(scene.at, &h2, None, &[]), Outcome::Refused);
    let refused = counts(&scene);
    assert_eq!(refused.over_rate_limit, refused.answers[3]);
    // Raised, it is so at once; and without a limit nothing is refused.
    scene.text = scene.text.replace("rate = 1", "rate = 1000");
    scene.follow(&scene.desired());
    eventually("the new rate is given", || scene.get("/").status == 200);
    scene.text = scene.text.replace("rate-limit", "# rate-limit");
    scene.follow(&scene.desired());
    assert!((0..20).all(|_| scene.get("/").status == 200));
}

#[test]
fn whom_a_trusted_proxy_speaks_for_is_limited_and_the_proxy_is_not() {
    let server = Server::named("web");
    let limits = with_limits("max-connections = 1\nrate-limit = { rate = 1, burst = 1 }");
    let listener = format!("trusted-proxies = \"127.0.0.1\"\n{limits}");
    let scene = Scene::new(&listener, &pool("web", &[&server], ""));
    let mut all: Vec<_> = (0..3).map(|_| scene.connect()).collect();
    let mut ask = |nth: usize, client: &str| {
        let head = format!("GET / HTTP/1.1\r\nHost: h\r\nX-Forwarded-For: {client}\r\n\r\n");
        all[nth].ask(&head).status
    };
    let asked: Vec<_> = (0..3).map(|nth| ask(nth, &format!("192.0.2.{nth}"))).collect();
    assert_eq!(asked, [200; 3]);
    eventually("one of them asks too often", || ask(0, "192.0.2.1") == 429);
    eventually("and may again", || ask(1, "192.0.2.1") == 200);
    assert_eq!(counts(&scene).over_max_connections, 0);
}

#[test]
fn the_page_for_it_says_when_to_come_back() {
    let directory = TempDir::new().unwrap();
    let page = directory.path().join("429.html");
    fs::write(&page, "slower").unwrap();
    let server = Server::named("web");
    let scene = limited(&server, &format!("error-pages = {{ 429 = \"{}\" }}\n", page.display()));
    let mut last = None;
    eventually("it asks too often", || {
        let answer = scene.get("/");
        let refused = answer.status == 429;
        last = Some(answer);
        refused
    });
    let answer = last.unwrap();
    assert_eq!((answer.text(), answer.header("retry-after")), ("slower", Some("1")));
}
