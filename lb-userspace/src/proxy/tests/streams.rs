//! Connections that are passed on without being read.

use std::{
    io::{Read, Write},
    net::{Shutdown, TcpListener, TcpStream},
    thread,
};

use super::{PATIENCE, Scene, Server};

/// Says its name, then all that it hears, backwards at the end of the connection.
fn server(name: &'static str) -> Server {
    let listener = TcpListener::bind("127.0.0.1:0").unwrap();
    let server = Server { address: listener.local_addr().unwrap(), ..Server::absent() };
    thread::spawn(move || {
        for stream in listener.incoming().map_while(Result::ok) {
            thread::spawn(move || {
                let mut stream = stream;
                stream.write_all(name.as_bytes()).unwrap();
                let mut heard = Vec::new();
                stream.read_to_end(&mut heard).unwrap();
                heard.reverse();
                stream.write_all(&heard).unwrap();
            });
        }
    });
    server
}

fn talk(scene: &Scene, say: &[u8]) -> Vec<u8> {
    let mut stream = TcpStream::connect(scene.at).unwrap();
    stream.set_read_timeout(Some(PATIENCE)).unwrap();
    stream.write_all(say).unwrap();
    stream.shutdown(Shutdown::Write).unwrap();
    let mut heard = Vec::new();
    stream.read_to_end(&mut heard).unwrap();
    heard
}

#[test]
fn bytes_pass_both_ways_and_the_end_of_one_is_not_that_of_the_other() {
    let (one, absent) = (server("a:"), Server::absent());
    let pools = super::pool("web", &[&one, &absent], "eject-after = 0");
    let scene = Scene::new("protocol = \"tcp\"\npool = \"web\"", &pools);
    for _ in 0..6 {
        assert_eq!(talk(&scene, b"12345"), b"a:54321");
    }
    let large: Vec<u8> = (0..3_000_000_u32).map(|nth| nth.to_le_bytes()[0]).collect();
    let heard = talk(&scene, &large);
    assert!(heard[2..].iter().rev().eq(&large));
}

#[test]
fn tls_is_passed_on_by_name() {
    let (one, two) = (server("a"), server("b"));
    let pools = super::pool("a", &[&one], "") + &super::pool("b", &[&two], "");
    let routes = "protocol = \"tls-passthrough\"\n[[listener.route]]\nhost = \"a.example.org\"\npool = \"a\"\n[[listener.route]]\nhost = \"*.b.example.org\"\npool = \"b\"";
    let scene = Scene::new(routes, &pools);
    let hello = |name: &'static str| {
        let config = rustls::ClientConfig::builder_with_provider(std::sync::Arc::new(
            rustls::crypto::aws_lc_rs::default_provider(),
        ))
        .with_safe_default_protocol_versions()
        .unwrap()
        .with_root_certificates(rustls::RootCertStore::empty())
        .with_no_client_auth();
        let name = name.try_into().unwrap();
        let mut client = rustls::ClientConnection::new(std::sync::Arc::new(config), name).unwrap();
        let mut bytes = Vec::new();
        client.write_tls(&mut bytes).unwrap();
        bytes
    };
    for (name, answer) in
        [("a.example.org", Some(b'a')), ("x.b.example.org", Some(b'b')), ("c", None)]
    {
        let said = hello(name);
        let heard = talk(&scene, &said);
        assert_eq!(heard.first().copied(), answer, "{name}");
        if answer.is_some() {
            assert!(heard[1..].iter().rev().eq(&said), "the hello arrives as it was");
        }
    }
    assert_eq!(talk(&scene, b"GET / HTTP/1.1\r\n\r\n"), b"");
    let counts = scene.proxy.listener(&"edge".parse().unwrap()).unwrap();
    assert_eq!((counts.unrouted, counts.routes), (1, vec![1, 1]));
}
