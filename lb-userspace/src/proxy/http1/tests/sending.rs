//! Requests as they arrive at a backend.

use tokio::task::yield_now;

use super::{
    clients::{Client, wait},
    peer::Peer,
    plain::{self, Plain},
    *,
};

/// What arrives of a request at a backend that takes so many bytes at one time: head and body.
fn arrived(request: &[u8], most: usize) -> (String, Vec<u8>) {
    wait(async {
        let mut peer = Peer::new(most);
        peer.change(|it| it.balks = true);
        let mut request = Client::new().asks(request).await;
        let mut sending = Sending::<Outbound>::default();
        sending.request(&mut request);
        poll_fn(|cx| sending.poll(&mut peer, cx)).await.unwrap();
        assert!(sending.is_done() && !sending.is_unsent());
        let taken = peer.taken();
        let end = taken.windows(4).position(|it| it == b"\r\n\r\n").unwrap() + 4;
        (String::from_utf8(taken[..end].to_vec()).unwrap(), taken[end..].to_vec())
    })
}

const SIZES: [usize; 4] = [1, 7, 1000, usize::MAX];

#[test]
fn heads_are_written_as_they_are() {
    let cases = [
        (
            "GET /a%20b?c=d&e HTTP/1.1\r\nHost: h:81\r\nX: y\r\nA:  b \r\nX: z\r\n\r\n",
            "GET /a%20b?c=d&e HTTP/1.1\r\nhost: h:81\r\nx: y\r\nx: z\r\na: b\r\n\r\n",
        ),
        ("OPTIONS * HTTP/1.1\r\nHost: h\r\n\r\n", "OPTIONS * HTTP/1.1\r\nhost: h\r\n\r\n"),
        ("PURGE / HTTP/1.0\r\n\r\n", "PURGE / HTTP/1.1\r\n\r\n"),
        ("GET http://h HTTP/1.1\r\nHost: h\r\n\r\n", "GET / HTTP/1.1\r\nhost: h\r\n\r\n"),
        (
            "POST / HTTP/1.1\r\nContent-Length: 0\r\n\r\n",
            "POST / HTTP/1.1\r\ncontent-length: 0\r\n\r\n",
        ),
        ("POST / HTTP/1.1\r\nEmpty:\r\n\r\n", "POST / HTTP/1.1\r\nempty: \r\n\r\n"),
    ];
    for (request, head) in cases {
        for most in SIZES {
            assert_eq!(arrived(request.as_bytes(), most), (head.to_owned(), vec![]));
        }
    }
}

#[test]
fn a_body_keeps_its_framing() {
    let large: Vec<u8> = (0..200_000_u32).map(|nth| nth.to_le_bytes()[nth as usize % 3]).collect();
    for body in [b"hi".to_vec(), large] {
        for most in SIZES.into_iter().skip(if body.len() > 9 { 2 } else { 0 }) {
            for method in ["POST", "GET", "OWN"] {
                let length = format!("content-length: {}\r\n\r\n", body.len());
                let head = format!("{method} / HTTP/1.1\r\nhost: h\r\n{length}");
                let sent = arrived(&[head.as_bytes(), &body].concat(), most);
                assert!(sent == (head, body.clone()), "{method}, {most} at a time");

                let head =
                    format!("{method} / HTTP/1.1\r\nhost: h\r\ntransfer-encoding: chunked\r\n\r\n");
                let mut request = head.clone().into_bytes();
                for chunk in body.chunks(60_000) {
                    request.extend(format!("{:X};a=b\r\n", chunk.len()).bytes());
                    request.extend([chunk, b"\r\n"].concat());
                }
                request.extend_from_slice(b"0\r\n\r\n");
                let (sent, chunks) = arrived(&request, most);
                assert_eq!(sent, head);
                let expected = Plain { body: body.clone(), ..Plain::default() };
                assert!(plain::read(&chunks).unwrap() == expected, "{method}, {most} at a time");
            }
        }
    }
}

#[test]
fn a_small_body_is_written_in_one_piece_with_its_head() {
    wait(async {
        let bytes = "POST / HTTP/1.1\r\ntransfer-encoding: chunked\r\n\r\n2\r\nhi\r\n0\r\n\r\n";
        let mut client = Client::new();
        let mut request = client.asks(bytes).await;
        // All of it is there.
        yield_now().await;
        let (mut sending, mut peer) = (Sending::<Outbound>::default(), Peer::new(usize::MAX));
        sending.request(&mut request);
        poll_fn(|cx| sending.poll(&mut peer, cx)).await.unwrap();
        assert_eq!(String::from_utf8(peer.taken()).unwrap(), bytes);
        assert!(peer.change(|it| it.given.len()) <= 2, "it may have come in two");
    });
}

#[test]
fn trailers_arrive_if_they_were_announced_and_may_be_there() {
    let trailers = "X-One: 1\r\nX-Two: 2\r\nx-one: 3\r\nContent-Length: 9\r\nHost: x\r\nSet-Cookie: a=b\r\nAuthorization: x\r\n";
    let announced =
        "trailer: x-one, Content-Length\r\ntrailer: host,set-cookie, AUTHORIZATION, n o\r\n";
    for (announced, found) in [(announced, vec!["1", "3"]), ("", vec![])] {
        let head = format!("POST / HTTP/1.1\r\n{announced}transfer-encoding: chunked\r\n\r\n");
        for most in SIZES {
            let request = format!("{head}2\r\nhi\r\n0\r\n{trailers}\r\n");
            let (sent, body) = arrived(request.as_bytes(), most);
            assert_eq!(sent.contains("trailer: "), !announced.is_empty(), "{sent}");
            let plain = plain::read(&body).unwrap();
            assert_eq!((&*plain.body, plain.left), (&b"hi"[..], 0), "it ends once");
            let values: Vec<_> = found.iter().map(|value| value.as_bytes().to_vec()).collect();
            assert_eq!(plain.trailers.get("x-one").cloned().unwrap_or_default(), values);
            assert_eq!(plain.trailers.len(), usize::from(!found.is_empty()));
        }
    }
}

/// What is known of a request as it goes.
#[test]
fn each_stage_is_known() {
    wait(async {
        let mut client = Client::new();
        let mut request = client.asks("POST / HTTP/1.1\r\nContent-Length: 4\r\n\r\n").await;
        let (mut sending, mut peer) = (Sending::<Outbound>::default(), Peer::new(1));
        let mut context = Context::from_waker(Waker::noop());
        assert!(sending.is_done() && sending.is_unsent());
        sending.request(&mut request);
        assert!(request.body().is_empty());
        assert!(!sending.is_done() && sending.is_unsent());
        // The head goes, the body is yet to come.
        assert!(sending.poll(&mut peer, &mut context).is_pending());
        assert!(!sending.is_done() && !sending.is_unsent());
        assert!(peer.taken().ends_with(b"\r\n\r\n"));
        client.sends("bo").await;
        client.sends("dy").await;
        poll_fn(|cx| sending.poll(&mut peer, cx)).await.unwrap();
        assert!(sending.is_done() && !sending.is_unsent());
        assert!(peer.taken().ends_with(b"\r\n\r\nbody"));

        // The next one begins anew.
        let mut client = Client::new();
        let mut request = client.asks("GET /next HTTP/1.1\r\n\r\n").await;
        sending.request(&mut request);
        assert!(!sending.is_done() && sending.is_unsent());
        peer.change(|it| it.refuses = Some(io::ErrorKind::BrokenPipe));
        let Poll::Ready(Err(Error::Broken(_))) = sending.poll(&mut peer, &mut context) else {
            panic!("it went through");
        };
        assert!(!sending.is_done() && sending.is_unsent());
        assert!(sending.poll(&mut peer, &mut context).is_ready(), "once is enough");
        assert!(!sending.is_done());
    });
}

#[test]
fn a_body_that_breaks_off_is_no_whole_one() {
    wait(async {
        let mut client = Client::new();
        let head = "POST / HTTP/1.1\r\nTransfer-Encoding: chunked\r\n\r\n2\r\nhi\r\n";
        let mut request = client.asks(head).await;
        drop(client);
        let (mut sending, mut peer) = (Sending::<Outbound>::default(), Peer::new(usize::MAX));
        sending.request(&mut request);
        let sent = poll_fn(|cx| sending.poll(&mut peer, cx)).await;
        assert!(matches!(sent, Err(Error::Request(_))), "{sent:?}");
        assert!(!sending.is_done() && !sending.is_unsent());
        assert!(!peer.taken().ends_with(b"0\r\n\r\n"));
    });
}
