//! Heads of answers, and what follows from them.

use hyper::{
    HeaderMap, Version,
    ext::ReasonPhrase,
    header::{CONTENT_LENGTH, HeaderValue},
};

use super::*;

/// The head of a whole answer to GET, of these lines.
fn answer(lines: &[u8]) -> Result<Head, Error> {
    answer_to(&Method::GET, lines)
}

fn answer_to(method: &Method, lines: &[u8]) -> Result<Head, Error> {
    let bytes = [lines, b"\r\n\r\n"].concat();
    head_of(&bytes, method).map(|head| head.unwrap().0)
}

/// The reason that is kept.
fn reason(head: &Head) -> Option<&[u8]> {
    head.parts.extensions.get::<ReasonPhrase>().map(ReasonPhrase::as_bytes)
}

fn values<'a>(fields: &'a HeaderMap, name: &str) -> Vec<&'a [u8]> {
    fields.get_all(name).iter().map(HeaderValue::as_bytes).collect()
}

/// A first line, and its version, status and reason.
type Line<'a> = (&'a [u8], Version, u16, Option<&'a [u8]>);

#[test]
fn the_first_line_says_version_status_and_reason() {
    let cases: [Line<'_>; 12] = [
        (b"HTTP/1.1 200 OK", Version::HTTP_11, 200, None),
        (b"HTTP/1.0 200 OK", Version::HTTP_10, 200, None),
        (b"HTTP/1.1 404 Not Found", Version::HTTP_11, 404, None),
        (b"HTTP/1.1 200 Fine", Version::HTTP_11, 200, Some(b"Fine")),
        (b"HTTP/1.1 200 ok", Version::HTTP_11, 200, Some(b"ok")),
        (b"HTTP/1.1 404 OK", Version::HTTP_11, 404, Some(b"OK")),
        (b"HTTP/1.1 599 Own \t words", Version::HTTP_11, 599, Some(b"Own \t words")),
        (b"HTTP/1.1 999 Beyond", Version::HTTP_11, 999, Some(b"Beyond")),
        (b"HTTP/1.1 200 ", Version::HTTP_11, 200, Some(b"")),
        (b"HTTP/1.1 200", Version::HTTP_11, 200, Some(b"")),
        // What is not ASCII has no meaning that everybody knows.
        (b"HTTP/1.1 200 \xc3\xa9", Version::HTTP_11, 200, Some(b"")),
        // Some end a message with an empty line that is none of the next one.
        (b"\r\n\r\nHTTP/1.1 200 OK", Version::HTTP_11, 200, None),
    ];
    for (line, version, status, kept) in cases {
        let head = answer(line).unwrap();
        let found = (head.parts.version, head.parts.status.as_u16(), reason(&head));
        assert_eq!(found, (version, status, kept), "{}", line.escape_ascii());
    }
}

#[test]
fn what_is_no_head_is_an_error() {
    let first: [&[u8]; 18] = [
        b"HTTP/1.2 200 OK",
        b"HTTP/2 200 OK",
        b"HTTP/0.9 200 OK",
        b"http/1.1 200 OK",
        b"ICY 200 OK",
        b" HTTP/1.1 200 OK",
        b"HTTP/1.1  200 OK",
        b"HTTP/1.1\t200 OK",
        b"HTTP/1.1 20 OK",
        b"HTTP/1.1 2000 OK",
        b"HTTP/1.1 -20 OK",
        b"HTTP/1.1 2x0 OK",
        b"HTTP/1.1 000 OK",
        b"HTTP/1.1 099 OK",
        b"HTTP/1.1 200OK",
        b"HTTP/1.1 200 O\0K",
        b"HTTP/1.1 200 O\rK",
        b"\x16\x03\x01",
    ];
    for line in first {
        assert!(answer(line).is_err(), "{}", line.escape_ascii());
    }
    let fields: [&[u8]; 14] = [
        b"A b: c",
        b"A : b",
        b": b",
        b"A",
        b"A\0: b",
        b"A: b\0c",
        b"A: b\x01",
        b"A: b\x7f",
        b"A: b\rc",
        b"\xc3\x84: b",
        b"(A): b",
        b"A: b\r\n c",
        b"A: b\r\n\tc: d",
        b" A: b",
    ];
    for field in fields {
        let lines = [b"HTTP/1.1 200 OK\r\n", field].concat();
        assert!(answer(&lines).is_err(), "{}", field.escape_ascii());
        let lines = [b"HTTP/1.1 200 OK\r\nX: y\r\n", field, b"\r\nContent-Length: 0"].concat();
        assert!(answer(&lines).is_err(), "{}", field.escape_ascii());
    }
}

#[test]
fn fields_are_kept_as_they_are() {
    let lines = b"HTTP/1.1 200 OK\r\nX-One: a\r\nEmpty:\r\nx-oNE:\t caf\xe9 \tb \t\r\nSpace:  \r\nX-one: a, c";
    let Head { parts, .. } = answer(lines).unwrap();
    let found = ["x-one", "empty", "space", "other"].map(|name| values(&parts.headers, name));
    let one: Vec<&[u8]> = vec![b"a", b"caf\xe9 \tb", b"a, c"];
    assert_eq!(found, [one, vec![b""], vec![b""], vec![]]);
    assert_eq!(parts.headers.len(), 5);
}

#[test]
fn there_may_be_so_many_fields_and_bytes() {
    let many = |fields: usize| {
        let fields: Vec<_> = (0..fields).map(|nth| format!("\r\nx-{nth}: {nth}")).collect();
        answer(format!("HTTP/1.1 200 OK{}", fields.concat()).as_bytes())
    };
    let headers = many(MOST).unwrap().parts.headers;
    assert_eq!((headers.len(), &headers["x-99"]), (MOST, &"99".parse().unwrap()));
    assert!(matches!(many(MOST + 1), Err(Error::Head(httparse::Error::TooManyHeaders))));
    let long = |bytes: usize| {
        let begin = "HTTP/1.1 200 OK\r\nx: ";
        answer(format!("{begin}{}", "x".repeat(bytes - begin.len() - 4)).as_bytes())
    };
    assert!(long(ROOM).is_ok());
    assert!(matches!(long(ROOM + 1), Err(Error::LongHead(ROOM))), "however it was read");
}

#[test]
fn half_a_head_is_none_and_what_follows_it_stays() {
    let head = b"HTTP/1.1 206 Partial Content\r\nContent-Length: 3\r\nX: y\r\n\r\n";
    for end in 0..head.len() {
        let found = head_of(&head[..end], &Method::GET).unwrap();
        assert!(found.is_none(), "{end} bytes");
    }
    // As it comes.
    let (mut read, mut spans) = (BytesMut::new(), Spans::new());
    for (nth, byte) in head.iter().enumerate() {
        read.extend_from_slice(&[*byte]);
        let found = head::parse(&mut read, &mut spans, &Method::GET).unwrap();
        assert_eq!(found.is_some(), nth + 1 == head.len());
    }
    assert!(read.is_empty());
    let (found, rest) =
        head_of(&[&head[..], b"abcHTTP/1.1 200 OK"].concat(), &Method::GET).unwrap().unwrap();
    assert_eq!((found.framing, &*rest), (Framing::Length(3), &b"abcHTTP/1.1 200 OK"[..]));
}

#[test]
fn answers_that_announce_another_are_passed_over() {
    let first = "HTTP/1.1 100 Continue\r\n\r\n";
    let hints = "HTTP/1.1 103 Early Hints\r\nLink: </a>\r\nContent-Length: 9\r\n\r\n";
    let last = "HTTP/1.1 204 No Content\r\nX: y\r\n\r\n";
    let cases = [
        [first, ""],
        [hints, ""],
        [first, hints],
        [hints, hints],
        ["HTTP/1.1 102 Processing\r\nConnection: close\r\n\r\n", "HTTP/1.1 199 Own\r\n\r\n"],
        // Not asked for, and of no meaning.
        ["HTTP/1.0 100 Continue\r\nTransfer-Encoding: chunked\r\n\r\n", first],
    ];
    for announced in cases {
        let all = announced.concat() + last;
        let (mut read, mut spans) = (BytesMut::new(), Spans::new());
        let mut found = None;
        for byte in all.bytes() {
            assert!(found.is_none());
            read.extend_from_slice(&[byte]);
            found = head::parse(&mut read, &mut spans, &Method::GET).unwrap();
        }
        for head in [found.unwrap(), answer(all.trim_end().as_bytes()).unwrap()] {
            assert_eq!((head.parts.status.as_u16(), head.persists), (204, true), "{all}");
            assert_eq!((head.parts.headers.len(), head.framing), (1, Framing::Over), "{all}");
        }
        assert!(read.is_empty());
    }
    assert!(head_of(first.as_bytes(), &Method::GET).unwrap().is_none());
    assert!(head_of([first, "nonsense"].concat().as_bytes(), &Method::GET).is_err());
}

#[test]
fn a_change_of_protocol_is_an_answer() {
    let change = b"HTTP/1.1 101 Switching Protocols\r\nConnection: upgrade\r\nUpgrade: x\r\nContent-Length: 3\r\n\r\nabc";
    for bytes in [change.to_vec(), [b"HTTP/1.1 100 Continue\r\n\r\n", &change[..]].concat()] {
        let (head, rest) = head_of(&bytes, &Method::GET).unwrap().unwrap();
        assert_eq!((head.parts.status.as_u16(), head.framing), (101, Framing::Over));
        assert!(!head.persists);
        assert_eq!(&*rest, b"abc", "it is not HTTP");
    }
}

#[test]
fn a_connection_goes_on_if_both_ends_want_it() {
    let cases = [
        ("HTTP/1.1", "", true),
        ("HTTP/1.1", "Connection: close", false),
        ("HTTP/1.1", "Connection: CLOSE", false),
        ("HTTP/1.1", "Connection: keep-alive", true),
        ("HTTP/1.1", "Connection: x, close ,y", false),
        ("HTTP/1.1", "Connection: x\r\nConnection: close", false),
        ("HTTP/1.1", "Connection: close\r\nConnection: keep-alive", false),
        ("HTTP/1.1", "Connection: closed", true),
        ("HTTP/1.1", "X: close", true),
        ("HTTP/1.0", "", false),
        ("HTTP/1.0", "Connection: keep-alive", true),
        ("HTTP/1.0", "Connection: Keep-Alive", true),
        ("HTTP/1.0", "Connection: x,keep-alive", true),
        ("HTTP/1.0", "Connection: x\r\nConnection: keep-alive", true),
        ("HTTP/1.0", "Connection: keep-alive, close", false),
        ("HTTP/1.0", "Keep-Alive: timeout=5", false),
    ];
    for (version, fields, persists) in cases {
        let lines = format!("{version} 200 OK\r\nContent-Length: 2\r\n{fields}");
        let lines = lines.trim_end();
        assert_eq!(answer(lines.as_bytes()).unwrap().persists, persists, "{lines}");
        // Only its end ends a body that has no length.
        let lines = format!("{version} 200 OK\r\n{fields}");
        assert!(!answer(lines.trim_end().as_bytes()).unwrap().persists, "{lines}");
    }
}

/// What is left of the lengths that a head had.
fn lengths(fields: &HeaderMap) -> Vec<&[u8]> {
    values(fields, CONTENT_LENGTH.as_str())
}

#[test]
fn a_body_ends_where_rfc_9112_says() {
    const CHUNKS: Framing = Framing::Chunks(Chunk::Size);
    let cases: [(&str, &str, Framing, &[&str]); 20] = [
        ("HEAD 200", "Content-Length: 5", Framing::Over, &["5"]),
        ("HEAD 200", "Transfer-Encoding: chunked", Framing::Over, &[]),
        ("HEAD 200", "", Framing::Over, &[]),
        ("GET 204", "Content-Length: 5", Framing::Over, &["5"]),
        ("GET 204", "Transfer-Encoding: chunked", Framing::Over, &[]),
        ("GET 304", "Content-Length: 5", Framing::Over, &["5"]),
        ("GET 200", "", Framing::Close, &[]),
        ("GET 200", "Content-Length: 0", Framing::Length(0), &["0"]),
        ("GET 500", "Content-Length: 5", Framing::Length(5), &["5"]),
        ("POST 205", "Content-Length: 5", Framing::Length(5), &["5"]),
        ("GET 200", "Content-Length: 007", Framing::Length(7), &["007"]),
        (
            "GET 200",
            "Content-Length: 18446744073709551615",
            Framing::Length(u64::MAX),
            &["18446744073709551615"],
        ),
        ("GET 200", "Content-Length: 5\r\nContent-Length: 5", Framing::Length(5), &["5"]),
        ("GET 200", "Content-Length: 5 ,5,\t5", Framing::Length(5), &["5"]),
        ("GET 200", "Transfer-Encoding: chunked", CHUNKS, &[]),
        ("GET 200", "Transfer-Encoding: ChunKED\r\nContent-Length: 5", CHUNKS, &[]),
        (
            "GET 200",
            "Content-Length: 5\r\nContent-Length: x\r\nTransfer-Encoding: chunked",
            CHUNKS,
            &[],
        ),
        ("GET 200", "Transfer-Encoding: gzip\r\nTransfer-Encoding: x,chunked", CHUNKS, &[]),
        ("GET 200", "Transfer-Encoding: gzip\r\nContent-Length: 5", Framing::Close, &[]),
        ("GET 200", "Transfer-Encoding: chunked, gzip", Framing::Close, &[]),
    ];
    for (asked, fields, framing, kept) in cases {
        let (method, status) = asked.split_once(' ').unwrap();
        let lines = format!("HTTP/1.1 {status} x\r\n{fields}");
        let head = answer_to(&method.parse().unwrap(), lines.trim_end().as_bytes()).unwrap();
        let kept: Vec<_> = kept.iter().map(|length| length.as_bytes()).collect();
        assert_eq!((head.framing, lengths(&head.parts.headers)), (framing, kept), "{lines}");
        assert_eq!(head.persists, framing != Framing::Close, "{lines}");
    }
}

#[test]
fn lengths_that_say_nothing_or_several_things_are_errors() {
    let cases: [&[u8]; 17] = [
        b"Content-Length: 3\r\nContent-Length: 4",
        b"Content-Length: 3\r\nContent-Length: 3\r\nContent-Length: 4",
        b"Content-Length: 3\r\nContent-Length: x",
        b"Content-Length: 3,4",
        b"Content-Length: 3,",
        b"Content-Length: ,3",
        b"Content-Length: 3 3",
        b"Content-Length: +3",
        b"Content-Length: -3",
        b"Content-Length: 0x3",
        b"Content-Length: 3.0",
        b"Content-Length: 3;",
        b"Content-Length:",
        b"Content-Length: 18446744073709551616",
        // No text, but not nothing either.
        b"Content-Length: 3\xff",
        b"Content-Length: 3\r\nContent-Length: \xff",
        b"Content-Length: \xff\r\nContent-Length: 3",
    ];
    for fields in cases {
        let lines = [b"HTTP/1.1 200 OK\r\n", fields].concat();
        let found = answer(&lines).map(|head| head.framing);
        assert!(matches!(found, Err(Error::Framing(_))), "{}: {found:?}", fields.escape_ascii());
    }
    // What is no text is the last coding all the same.
    let coded = answer(b"HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\nTransfer-Encoding: \xff");
    assert!(matches!(coded.map(|head| head.framing), Ok(Framing::Close)));
    let old = answer(b"HTTP/1.0 200 OK\r\nTransfer-Encoding: chunked");
    assert!(matches!(old.map(|head| head.framing), Err(Error::Framing(_))));
}
