//! Shares of requests as they come through sockets.

use std::{collections::BTreeMap, thread};

use super::{Client, Scene, Server, pool};

fn shares(scene: &Scene, requests: usize) -> BTreeMap<String, usize> {
    let mut client = scene.connect();
    let mut shares = BTreeMap::new();
    for _ in 0..requests {
        let answer = client.ask("GET / HTTP/1.1\r\nHost: h\r\n\r\n");
        *shares.entry(answer.text().to_owned()).or_default() += 1;
    }
    shares
}

fn weighted(servers: [&Server; 2], http: &str) -> String {
    format!(
        "[[pool]]\nname = \"web\"\nbackends = [{{ address = \"{}\", weight = 3 }}, \"{}\"]\n[pool.http]\n{http}\n",
        servers[0].address, servers[1].address
    )
}

#[test]
fn each_way_gives_its_shares() {
    let (a, b) = (Server::named("a"), Server::named("b"));
    let of = |http: &str, requests| {
        let scene = Scene::new("pool = \"web\"", &weighted([&a, &b], http));
        shares(&scene, requests).get("a").copied().unwrap_or_default()
    };
    // The connection stays with one worker, whose turns are exact.
    assert_eq!(of("", 400), 300);
    // Bounds of five standard deviations.
    for way in ["random", "two-choices"] {
        let share = of(&format!("balance = \"{way}\""), 400);
        assert!((256..344).contains(&share), "{way}: {share}");
    }
    let share = of("balance = \"hash\"", 50);
    assert!([0, 50].contains(&share), "one client has one backend: {share}");
    // Nothing else is under way, so the heavier is always the lighter loaded.
    assert_eq!(of("balance = \"least-requests\"", 50), 50);
}

#[test]
fn a_hash_of_a_header_keeps_values_together_and_spreads_them() {
    let servers = [Server::named("a"), Server::named("b")];
    let http = "balance = \"hash\"\nhash-by = \"header:x-user\"";
    let scene = Scene::simple(&[&servers[0], &servers[1]], http);
    let of = |user: usize| {
        let head = format!("GET / HTTP/1.1\r\nHost: h\r\nX-User: {user}\r\n\r\n");
        scene.ask(&head).text().to_owned()
    };
    let first: Vec<_> = (0..100).map(of).collect();
    let second: Vec<_> = (0..100).map(of).collect();
    assert_eq!(first, second);
    let share = first.iter().filter(|name| *name == "a").count();
    assert!((25..75).contains(&share), "{share}");
}

#[test]
fn pools_of_a_route_share_by_weight() {
    let (a, b) = (Server::named("a"), Server::named("b"));
    let pools = pool("a", &[&a], "") + &pool("b", &[&b], "");
    let route = "[[listener.route]]\npools = [{ pool = \"a\", weight = 9 }, \"b\"]";
    let shares = shares(&Scene::new(route, &pools), 1000);
    assert!((853..947).contains(&shares["a"]), "{shares:?}");
}

#[test]
fn a_cookie_brings_a_client_back() {
    let servers = [Server::named("a"), Server::named("b"), Server::named("c")];
    let servers = [&servers[0], &servers[1], &servers[2]];
    let scene = Scene::simple(&servers, "sticky-cookie = \"keep\"");
    for _ in 0..3 {
        let mut client = scene.connect();
        let first = client.ask("GET / HTTP/1.1\r\nHost: h\r\n\r\n");
        let cookie = first.header("set-cookie").unwrap().split(';').next().unwrap();
        for _ in 0..10 {
            let head = format!("GET / HTTP/1.1\r\nHost: h\r\nCookie: {cookie}\r\n\r\n");
            let again = Client::to(scene.at).ask(&head);
            assert_eq!((again.text(), again.header("set-cookie")), (first.text(), None));
        }
    }
}

#[test]
fn who_has_its_most_lets_others_wait() {
    let server = Server::new(|asked| {
        thread::sleep(std::time::Duration::from_millis(100));
        asked.ok("a")
    });
    let http = "max-connections = 1\nqueue = 3\nqueue-timeout = \"10s\"";
    let scene = Scene::simple(&[&server], http);
    let at = scene.at;
    let clients: Vec<_> = (0..8)
        .map(|_| {
            thread::spawn(move || Client::to(at).ask("GET / HTTP/1.1\r\nHost: h\r\n\r\n").status)
        })
        .collect();
    let mut statuses: Vec<_> = clients.into_iter().map(|client| client.join().unwrap()).collect();
    statuses.sort_unstable();
    let ok = statuses.iter().filter(|status| **status == 200).count();
    assert!((4..8).contains(&ok), "one is served, three wait, some find no room: {statuses:?}");
    assert!(statuses.iter().all(|status| [200, 503].contains(status)), "{statuses:?}");
}

#[test]
fn a_wait_ends() {
    let server = Server::new(|asked| {
        thread::sleep(std::time::Duration::from_secs(1));
        asked.ok("a")
    });
    let http = "max-connections = 1\nqueue-timeout = \"50ms\"";
    let scene = Scene::simple(&[&server], http);
    let mut first = scene.connect();
    first.send("GET / HTTP/1.1\r\nHost: h\r\n\r\n");
    super::eventually("the first is there", || server.requests() == 1);
    assert_eq!(scene.get("/").status, 503);
    assert_eq!(first.answer().status, 200);
}
