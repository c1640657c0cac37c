//! Requests and their answers on one connection.

use tokio::task::yield_now;

use super::{
    clients::{Client, wait},
    peer::Peer,
    *,
};

const GET: &str = "GET / HTTP/1.1\r\nHost: h\r\n\r\n";
const POST: &str = "POST / HTTP/1.1\r\nContent-Length: 4\r\n\r\n";

type Asked = Result<Response<Box<Connection>>, Unanswered>;

/// What becomes of a request that needs nothing more of its client.
async fn ask(connection: Box<Connection>, request: &str) -> Asked {
    let mut client = Client::new();
    connection.ask(&mut client.asks(request).await).await
}

async fn get(peer: &Peer) -> Asked {
    ask(Connection::new(peer.clone()), GET).await
}

/// All that is left of a body, which is nothing if it breaks off.
async fn rest(connection: &mut Connection) -> Result<Vec<u8>, Error> {
    let mut body = Vec::new();
    while let Some(frame) = poll_fn(|cx| connection.poll_frame(cx)).await {
        body.extend(frame?.into_data().unwrap_or_default());
    }
    Ok(body)
}

#[test]
fn one_request_after_the_other_is_answered_however_bytes_come() {
    let answers = "HTTP/1.1 200 OK\r\nContent-Length: 5\r\n\r\nhello".as_bytes();
    let chunks = b"HTTP/1.1 103 x\r\nA: b\r\n\r\nHTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n2\r\nhe\r\n3;x\r\nllo\r\n0\r\nA: b\r\n\r\n";
    for most in [1, 3, 50, usize::MAX] {
        wait(async {
            let peer = Peer::new(most);
            peer.change(|it| it.balks = true);
            let mut connection = Connection::new(peer.clone());
            for (nth, answer) in [answers, chunks, answers, chunks].into_iter().enumerate() {
                let sent = peer.taken().len();
                peer.clone().says(answer, sent + GET.len());
                let answer = ask(connection, GET).await.map_err(|lost| lost.error).unwrap();
                connection = answer.into_body();
                assert_eq!(rest(&mut connection).await.unwrap(), b"hello");
                assert!(connection.is_over() && connection.can_go_on() && connection.is_open());
                assert_eq!(peer.taken().len(), (nth + 1) * GET.len());
            }
        });
    }
}

#[test]
fn a_connection_goes_on_only_behind_a_whole_answer_and_nothing_else() {
    let length = "HTTP/1.1 200 OK\r\nContent-Length: 2\r\n\r\n";
    let cases = [
        (format!("{length}hi"), true),
        (format!("{length}hi\r\n"), false),
        (format!("{length}hiHTTP/1.1 200 OK\r\nContent-Length: 6\r\n\r\nforged"), false),
        ("HTTP/1.1 204 No Content\r\n\r\n".to_owned(), true),
        ("HTTP/1.1 204 No Content\r\nContent-Length: 2\r\n\r\nhi".to_owned(), false),
        ("HTTP/1.1 304 Not Modified\r\n\r\n!".to_owned(), false),
        ("HTTP/1.1 200 OK\r\nConnection: close\r\nContent-Length: 2\r\n\r\nhi".to_owned(), false),
        ("HTTP/1.0 200 OK\r\nContent-Length: 2\r\n\r\nhi".to_owned(), false),
        ("HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n0\r\n\r\n".to_owned(), true),
        (
            "HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n0\r\n\r\n0\r\n\r\n".to_owned(),
            false,
        ),
    ];
    for (answer, goes_on) in cases {
        wait(async {
            let peer = Peer::new(usize::MAX).says(answer.as_bytes(), GET.len());
            let answered = get(&peer).await.map_err(|lost| lost.error).unwrap();
            let mut connection = answered.into_body();
            assert!(rest(&mut connection).await.is_ok());
            assert_eq!(connection.can_go_on(), goes_on, "{answer}");
        });
    }
}

#[test]
fn a_connection_that_says_something_unasked_is_not_open() {
    let peer = Peer::new(usize::MAX);
    let mut connection = Connection::new(peer.clone());
    assert!(connection.is_open() && connection.is_open());
    peer.change(|it| it.answer.push_back(b'H'));
    assert!(!connection.is_open());
    let closed = Peer::new(usize::MAX);
    closed.change(|it| it.closes = true);
    assert!(!Connection::new(closed).is_open());
}

#[test]
fn what_breaks_off_says_where() {
    let cases = [
        ("", "before"),
        ("HTTP/1.1 200 OK\r\nContent-", "middle"),
        ("HTTP/1.1 200 OK\r\nContent-Length: 5\r\n\r\nhell", "middle"),
        ("HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n5\r\nhello\r\n", "middle"),
        ("HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n5\r\nhello\r\n0\r\n", "middle"),
        ("SSH-2.0-OpenSSH_9.9\r\n", "malformed head"),
        ("HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\nx\r\n", "size of a chunk"),
    ];
    for (answer, what) in cases {
        wait(async {
            let peer = Peer::new(usize::MAX).says(answer.as_bytes(), GET.len());
            peer.change(|it| it.closes = true);
            let error = match get(&peer).await {
                Ok(answer) => rest(&mut answer.into_body()).await.unwrap_err(),
                Err(lost) => {
                    assert!(!lost.is_unsent);
                    lost.error
                }
            };
            assert!(error.to_string().contains(what), "{error}");
            assert_eq!(error.may_be_stale(), answer.is_empty());
        });
    }
    wait(async {
        // Until the end of the connection is whole.
        let peer = Peer::new(3).says(b"HTTP/1.1 200 OK\r\n\r\nhello", GET.len());
        peer.change(|it| it.closes = true);
        let mut connection = get(&peer).await.map_err(|lost| lost.error).unwrap().into_body();
        assert_eq!(rest(&mut connection).await.unwrap(), b"hello");
        assert!(!connection.can_go_on());
    });
}

#[test]
fn a_head_without_an_end_is_not_read_without_end() {
    wait(async {
        let answer = [b"HTTP/1.1 200 OK\r\nx: ", &vec![b'x'; 4 * ROOM][..]].concat();
        let peer = Peer::new(usize::MAX).says(&answer, GET.len());
        let lost = get(&peer).await.map(|_| ()).map_err(|lost| lost.error);
        assert!(matches!(lost, Err(Error::LongHead(ROOM))));
        let left = peer.change(|it| it.answer.len());
        assert!(left > ROOM, "only {left} bytes were left");
    });
}

/// The next connection must have all of the request.
#[test]
fn a_body_of_which_nothing_was_sent_is_given_back() {
    wait(async {
        let mut client = Client::new();
        let mut request = client.asks(POST).await;
        // Told of the end, or finding it.
        for tells in [true, false] {
            let peer = Peer::new(usize::MAX);
            peer.change(|it| {
                it.refuses = (!tells).then_some(io::ErrorKind::ConnectionReset);
                it.most = if tells { 0 } else { usize::MAX };
                it.closes = true;
            });
            let lost = Connection::new(peer).ask(&mut request).await.err().unwrap();
            assert!(lost.is_unsent && lost.error.may_be_stale());
            assert!(!request.body().is_empty());
        }
        client.sends("body").await;
        let peer = Peer::new(7).says(b"HTTP/1.1 204 x\r\n\r\n", POST.len() + "body".len());
        let answer = Connection::new(peer.clone()).ask(&mut request).await;
        assert_eq!(answer.map_err(|lost| lost.error).unwrap().status(), 204);
        assert!(peer.taken().ends_with(b"\r\n\r\nbody"));
        assert!(request.body().is_empty());
    });
}

/// A socket that is reset has the answer still, and we may be told of that later.
#[test]
fn an_early_answer_is_heard_where_the_backend_takes_no_more() {
    wait(async {
        let answer = b"HTTP/1.1 413 x\r\nContent-Length: 0\r\n\r\n";
        let peer = Peer::new(usize::MAX).says(answer, usize::MAX);
        let mut client = Client::new();
        let mut request = client.asks(POST).await;
        let asking = Connection::new(peer.clone()).ask(&mut request);
        let broken = async {
            while peer.taken().is_empty() {
                yield_now().await;
            }
            peer.change(|it| it.refuses = Some(io::ErrorKind::BrokenPipe));
            client.sends("body").await;
            for _ in 0..20 {
                yield_now().await;
            }
            peer.change(|it| it.after = 0);
        };
        let (answer, ()) = tokio::join!(asking, broken);
        let answer = answer.map_err(|lost| lost.error).unwrap();
        assert_eq!(answer.status(), 413);
        assert!(!answer.into_body().can_go_on(), "half a request was sent on it");
    });
}

#[test]
fn what_tls_holds_is_sent_while_the_answer_is_waited_for() {
    for (request, more) in [(GET, ""), (POST, "body")] {
        wait(async {
            let whole = request.len() + more.len();
            let peer = Peer::new(usize::MAX).says(b"HTTP/1.1 204 x\r\n\r\n", whole);
            peer.change(|it| (it.holds, it.stuck) = (true, 3));
            let mut client = Client::new();
            let mut request = client.asks(request).await;
            client.sends(more).await;
            let answer = Connection::new(peer.clone()).ask(&mut request).await;
            let answer = answer.map_err(|lost| lost.error).unwrap();
            assert_eq!((answer.status().as_u16(), peer.taken().len()), (204, whole));
            assert!(answer.into_body().can_go_on());
        });
    }
}

/// What was written may have arrived, although the stream says that it is broken.
#[test]
fn who_may_have_seen_a_request_is_not_taken_for_who_has_not() {
    wait(async {
        let peer = Peer::new(usize::MAX);
        peer.change(|it| {
            (it.holds, it.lost, it.closes) = (true, Some(io::ErrorKind::BrokenPipe), true);
        });
        let lost = get(&peer).await.err().unwrap();
        assert!(!lost.is_unsent);
    });
}

#[test]
fn a_request_that_breaks_off_is_the_clients_fault() {
    wait(async {
        let peer = Peer::new(usize::MAX).says(b"HTTP/1.1 200 OK\r\nContent-Length: 9\r\n\r\n", 9);
        let mut client = Client::new();
        let mut request = client.asks(POST).await;
        let answer = Connection::new(peer.clone()).ask(&mut request).await;
        let mut connection = answer.map_err(|lost| lost.error).unwrap().into_body();
        drop(client);
        let error = rest(&mut connection).await.unwrap_err();
        assert!(matches!(error, Error::Request(_)) && !error.may_be_stale(), "{error}");
        assert!(!connection.can_go_on());
    });
}
