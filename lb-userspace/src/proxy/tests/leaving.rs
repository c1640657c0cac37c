//! Changes while requests are under way.

use std::{
    net::TcpStream,
    sync::{
        Arc,
        atomic::{AtomicBool, Ordering::SeqCst},
    },
    thread,
    time::Duration,
};

use super::{Client, Scene, Server, eventually, free_port};

fn slow() -> Server {
    Server::new(|asked| {
        thread::sleep(Duration::from_millis(300));
        asked.ok("slow")
    })
}

#[test]
fn a_listener_that_goes_lets_requests_finish() {
    let server = slow();
    let mut scene = Scene::simple(&[&server], "");
    let (mut busy, mut idle) = (scene.connect(), scene.connect());
    idle.ask("GET / HTTP/1.1\r\nHost: h\r\n\r\n");
    busy.send("GET / HTTP/1.1\r\nHost: h\r\n\r\n");
    eventually("the request is there", || server.requests() == 2);
    let mut desired = scene.desired();
    desired.listeners.clear();
    scene.follow(&desired);
    assert!(idle.is_closed());
    let answer = busy.answer();
    assert_eq!((answer.text(), answer.header("connection")), ("slow", Some("close")));
    assert!(busy.is_closed());
    eventually("nobody listens", || TcpStream::connect(scene.at).is_err());
    // And it can come back.
    scene.follow(&scene.desired());
    assert_eq!(scene.get("/").status, 200);
}

#[test]
fn the_end_waits_for_requests() {
    let server = slow();
    let mut scene = Scene::simple(&[&server], "");
    let mut client = scene.connect();
    client.send("GET / HTTP/1.1\r\nHost: h\r\n\r\n");
    eventually("the request is there", || server.requests() == 1);
    let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build().unwrap();
    runtime.block_on(scene.proxy.stop());
    assert_eq!(client.answer().text(), "slow");
}

#[test]
fn changes_break_no_request() {
    let servers = [Server::named("a"), Server::named("b")];
    let mut scene = Scene::simple(&[&servers[0], &servers[1]], "");
    let done = Arc::new(AtomicBool::new(false));
    let clients: Vec<_> = (0..4)
        .map(|nth| {
            let (at, done) = (scene.at, Arc::clone(&done));
            thread::spawn(move || {
                let (mut client, mut count) = (Client::to(at), 0);
                while !done.load(SeqCst) {
                    if nth % 2 == 0 {
                        client = Client::to(at);
                    }
                    let answer = client.ask("GET / HTTP/1.1\r\nHost: h\r\n\r\n");
                    assert_eq!(answer.status, 200, "{answer:?}");
                    count += 1;
                }
                count
            })
        })
        .collect();
    for round in 0..40 {
        let mut desired = scene.desired();
        let pool = desired.pools.values_mut().next().unwrap();
        pool.backends.remove(&servers[round % 2].address);
        scene.follow(&desired);
        thread::sleep(Duration::from_millis(20));
        scene.follow(&scene.desired());
        thread::sleep(Duration::from_millis(20));
    }
    done.store(true, SeqCst);
    let counts: Vec<usize> = clients.into_iter().map(|client| client.join().unwrap()).collect();
    assert!(counts.iter().all(|count| *count > 20), "{counts:?}");
}

#[test]
fn what_cannot_be_bound_changes_nothing() {
    let server = Server::named("a");
    let mut scene = Scene::simple(&[&server], "");
    let taken = std::net::TcpListener::bind(free_port()).unwrap();
    let mut desired = scene.desired();
    let mut second = desired.listeners.values().next().unwrap().clone();
    second.listen = taken.local_addr().unwrap();
    desired.listeners.insert("second".parse().unwrap(), second);
    let error = scene.proxy.follow(&desired, &[].into()).unwrap_err().to_string();
    assert!(error.contains("listener `second` cannot listen on 127.0.0.1:"), "{error}");
    assert_eq!(scene.get("/").status, 200);
}
