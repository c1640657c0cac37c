//! Connections that rest between requests.

use std::{
    fs,
    net::{Shutdown, SocketAddr},
    thread,
    time::{Duration, Instant},
};

use super::{Client, GRAIN, Scene, Server, eventually, pool, with_limits};

/// By then a connection that is idle would rest.
const AT_REST: Duration = Duration::from_millis(1800);
/// What the kernel is asked about connections at rest, as it shows it: `EPOLLIN`, `EPOLLRDHUP` and `EPOLLONESHOT`, besides
/// `EPOLLERR` and `EPOLLHUP`, which it always tells.
const EVENTS: &str = " events: 40002019 ";
const ASK: &str = "GET / HTTP/1.1\r\nHost: h\r\n\r\n";

/// Waits until the proxy's end of a connection is parked.
pub(super) fn rests(proxy: SocketAddr, client: SocketAddr) {
    eventually("the connection rests", || {
        let inode = format!(" ino:{:x} ", inode(proxy, client));
        fs::read_dir("/proc/self/fdinfo").unwrap().any(|file| {
            // Files come and go meanwhile.
            let text = fs::read_to_string(file.unwrap().path()).unwrap_or_default();
            text.lines().any(|line| line.contains(EVENTS) && line.contains(&inode))
        })
    });
}

/// The number of a socket, by the addresses of both ends.
fn inode(own: SocketAddr, other: SocketAddr) -> u64 {
    entry(own, other)[9].parse().unwrap()
}

/// What the kernel tells of a socket: the words of a line of tcp(5).
pub(super) fn entry(own: SocketAddr, other: SocketAddr) -> Vec<String> {
    let table = fs::read_to_string("/proc/self/net/tcp").unwrap();
    let ends = [own, other].map(|at| format!(":{:04X}", at.port()));
    let fields = table.lines().map(|line| line.split_whitespace().collect::<Vec<_>>());
    let found = fields
        .into_iter()
        .find(|fields| fields[1].ends_with(&ends[0]) && fields[2].ends_with(&ends[1]));
    found.unwrap().into_iter().map(str::to_owned).collect()
}

impl Client {
    fn rests(&self, scene: &Scene) {
        rests(scene.at, self.stream.get_ref().local_addr().unwrap());
    }
}

impl Scene {
    /// Connections that are open.
    fn open(&self) -> usize {
        self.proxy.listener(&"edge".parse().unwrap()).unwrap().open
    }
}

#[test]
fn who_rested_is_served_again() {
    let server = Server::named("a");
    let scene = Scene::simple(&[&server], "");
    let mut client = scene.connect();
    for _ in 0..3 {
        assert_eq!(client.ask(ASK).text(), "a");
        client.rests(&scene);
        assert_eq!(scene.open(), 1);
    }
    // Two at once, and the second in pieces.
    client.send(format!("{ASK}GET / HTTP/1.1\r\n"));
    assert_eq!(client.answer().text(), "a");
    thread::sleep(AT_REST);
    client.send("Host: h\r\n\r\n");
    assert_eq!(client.answer().text(), "a");
    client.rests(&scene);
    client.send("GET / HTTP/1.1\r\nHost: h\r\nHost: h\r\n\r\n");
    assert_eq!(client.answer().status, 400, "strictness does not rest");
    assert!(client.is_closed());
    assert_eq!(server.requests(), 5);
}

#[test]
fn who_rested_goes_on_in_the_same_protocol() {
    let server = Server::named("a");
    let scene = Scene::simple(&[&server], "");
    let mut client = scene.connect();
    client.ask(ASK);
    client.rests(&scene);
    client.send("PRI * HTTP/2.0\r\n\r\nSM\r\n\r\n");
    assert_eq!(client.answer().status, 505);
    assert!(client.is_closed());
}

#[test]
fn who_rests_is_let_go_when_the_listener_ends() {
    let server = Server::named("a");
    let mut scene = Scene::simple(&[&server], "");
    let mut client = scene.connect();
    client.ask(ASK);
    client.rests(&scene);
    let mut desired = scene.desired();
    desired.listeners.clear();
    scene.follow(&desired);
    assert!(client.is_closed());
}

#[test]
fn who_rests_is_let_go_when_the_proxy_ends() {
    let (tell, told) = std::sync::mpsc::channel::<()>();
    let told = std::sync::Mutex::new(told);
    let server = Server::new(move |asked| {
        if asked.head.starts_with("GET /wait ") {
            told.lock().unwrap().recv().unwrap();
        }
        asked.ok("a")
    });
    let mut scene = Scene::simple(&[&server], "");
    let (mut idle, mut busy) = (scene.connect(), scene.connect());
    idle.ask(ASK);
    idle.rests(&scene);
    busy.send("GET /wait HTTP/1.1\r\nHost: h\r\n\r\n");
    eventually("the request is there", || server.requests() == 2);
    let end = thread::spawn(move || {
        let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build().unwrap();
        runtime.block_on(scene.proxy.stop());
    });
    // And not at the very end, when all are cut off.
    assert!(idle.is_closed());
    tell.send(()).unwrap();
    assert_eq!(busy.answer().text(), "a");
    end.join().unwrap();
}

#[test]
fn who_rests_for_too_long_is_let_go() {
    let server = Server::named("a");
    let listener = with_limits("keep-alive-timeout = \"3s\"");
    let scene = Scene::new(&listener, &pool("web", &[&server], ""));
    let (mut idle, mut busy) = (scene.connect(), scene.connect());
    let since = Instant::now();
    idle.ask(ASK);
    idle.rests(&scene);
    for _ in 0..8 {
        assert_eq!(busy.ask(ASK).text(), "a");
        thread::sleep(Duration::from_millis(600));
    }
    eventually("the idle one is let go", || idle.is_closed());
    assert!(since.elapsed() + GRAIN >= Duration::from_secs(3));
    assert_eq!(busy.ask(ASK).text(), "a");
    eventually("only the busy one counts", || scene.open() == 1);
}

#[test]
fn who_goes_while_at_rest_counts_no_more() {
    let server = Server::named("a");
    let listener = with_limits("max-connections = 2");
    let scene = Scene::new(&listener, &pool("web", &[&server], ""));
    let clients = [(); 2].map(|()| {
        let mut client = scene.connect();
        client.ask(ASK);
        client.rests(&scene);
        client
    });
    assert_eq!(scene.open(), 2);
    assert_eq!(scene.connect().answer().status, 429, "who rests is still there");
    drop(clients);
    eventually("nobody is there", || scene.open() == 0);
    assert_eq!(scene.ask(ASK).text(), "a");
}

/// A client may close its half with its last request. It is heard if the answer is there at once.
#[test]
fn the_last_request_of_who_rested_comes_with_the_end() {
    let scene = Scene::new("[[listener.route]]\nrespond = 204", "");
    let mut client = scene.connect();
    client.ask(ASK);
    client.rests(&scene);
    client.send(ASK);
    client.stream.get_ref().shutdown(Shutdown::Write).unwrap();
    assert_eq!(client.answer().status, 204);
    assert!(client.is_closed());
    eventually("nobody is there", || scene.open() == 0);
}

/// Whoever began anew in the middle of a body would serve what the client never asked for.
#[test]
fn the_rest_of_a_body_is_no_request() {
    let server = Server::named("a");
    let early = "pool = \"web\"\n[[listener.route]]\npath = \"/early\"\nrespond = 204\n";
    let scene = Scene::new(early, &pool("web", &[&server], ""));
    let mut client = scene.connect();
    let rest = "GET /smuggled HTTP/1.1\r\nHost: h\r\n\r\n";
    let length = 10 + rest.len();
    client.send(format!(
        "POST /early HTTP/1.1\r\nHost: h\r\nContent-Length: {length}\r\n\r\n0123456789"
    ));
    assert_eq!(client.answer().status, 204);
    thread::sleep(AT_REST);
    client.send(rest);
    assert_eq!(client.ask(ASK).text(), "a");
    assert_eq!(server.requests(), 1);
    assert!(server.last().starts_with("GET / "), "{}", server.last());
}
