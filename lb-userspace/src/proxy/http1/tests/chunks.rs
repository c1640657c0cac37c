//! Bodies of answers, however they come.

use fastrand::Rng;
use proptest::prelude::*;

use super::{
    plain::{self, Plain},
    *,
};

/// What a body is read as when it comes in pieces that end at these places; nothing if it does not end.
fn taken(mut framing: Framing, bytes: &[u8], cuts: &[usize]) -> Result<Option<Plain>, Error> {
    let mut cuts: Vec<usize> = cuts.iter().map(|cut| cut % (bytes.len() + 1)).collect();
    cuts.push(bytes.len());
    cuts.sort_unstable();
    let (mut plain, mut read, mut at) = (Plain::default(), BytesMut::new(), 0);
    for cut in cuts {
        read.extend_from_slice(&bytes[at..cut]);
        at = cut;
        while let Some(piece) = framing.next(&mut read)? {
            match piece {
                Piece::Data(data) => {
                    assert!(!data.is_empty(), "who gets it may take it for the end");
                    plain.body.extend_from_slice(&data);
                }
                Piece::Trailers(trailers) => {
                    for (name, value) in &trailers {
                        let values = plain.trailers.entry(name.as_str().to_owned()).or_default();
                        values.push(value.as_bytes().to_vec());
                    }
                }
            }
        }
        if framing.is_over() {
            plain.left = read.len() + bytes.len() - at;
            return Ok(Some(plain));
        }
    }
    Ok(None)
}

const CHUNKS: Framing = Framing::Chunks(Chunk::Size);

/// Cuts between all bytes.
fn everywhere(bytes: &[u8]) -> Vec<usize> {
    (0..bytes.len()).collect()
}

#[test]
fn a_length_counts_bytes() {
    for (length, bytes, found) in [
        (5, &b"hello"[..], Some(("hello", 0))),
        (5, b"hello you", Some(("hello", 4))),
        (0, b"x", Some(("", 1))),
        (6, b"hello", None),
        (u64::MAX, b"hello", None),
    ] {
        for cuts in [vec![], everywhere(bytes)] {
            let plain = taken(Framing::Length(length), bytes, &cuts).unwrap();
            let plain = plain.map(|plain| (String::from_utf8(plain.body).unwrap(), plain.left));
            assert_eq!(plain, found.map(|(body, left)| (body.to_owned(), left)), "{length}");
        }
    }
    let mut framing = Framing::Close;
    let mut read = BytesMut::from(&b"any"[..]);
    assert!(matches!(framing.next(&mut read), Ok(Some(Piece::Data(data))) if data == "any"));
    assert!(matches!(framing.next(&mut read), Ok(None)) && !framing.is_over());
}

#[test]
fn only_some_bodies_may_end_with_the_connection() {
    for (framing, may) in [
        (Framing::Close, true),
        (Framing::Over, true),
        (Framing::Length(0), true),
        (Framing::Length(1), false),
        (CHUNKS, false),
        (Framing::Chunks(Chunk::Data(1)), false),
        (Framing::Chunks(Chunk::End), false),
        (Framing::Chunks(Chunk::Trailers), false),
    ] {
        let mut ended = framing;
        let end = ended.end();
        assert_eq!(end.is_ok(), may, "{framing:?}");
        assert_eq!(ended.is_over(), may, "{framing:?}");
        assert!(may || matches!(end, Err(Error::Incomplete)));
        let exact = framing.size_hint().exact();
        let known = match framing {
            Framing::Length(length) => Some(length),
            Framing::Over => Some(0),
            _ => None,
        };
        assert_eq!(exact, known, "{framing:?}");
    }
}

#[test]
fn chunks_are_joined() {
    let cases: [(&[u8], &str, usize); 12] = [
        (b"0\r\n\r\n", "", 0),
        (b"5\r\nhello\r\n0\r\n\r\n", "hello", 0),
        (b"2\r\nhe\r\n3\r\nllo\r\n0\r\n\r\n", "hello", 0),
        (b"a\r\n0123456789\r\n0\r\n\r\n", "0123456789", 0),
        (b"A\r\n0123456789\r\n000\r\n\r\n", "0123456789", 0),
        (b"0000000000000005\r\nhello\r\n0\r\n\r\n", "hello", 0),
        (b"5;a=b;c=\"d\"\r\nhello\r\n0;x\r\n\r\n", "hello", 0),
        (b"5 \t;a\r\nhello\r\n0\r\n\r\n", "hello", 0),
        (b"5 \r\nhello\r\n0\r\n\r\n", "hello", 0),
        (b"2\r\n\r\n\r\n0\r\n\r\n", "\r\n", 0),
        (b"5\r\nhello\r\n0\r\n\r\nHTTP/1.1 200", "hello", 12),
        (b"1\r\nx\r\n0\r\nA: b\r\nA:\r\n\r\n\r\n", "x", 2),
    ];
    for (bytes, body, left) in cases {
        for cuts in [vec![], everywhere(bytes)] {
            let found = taken(CHUNKS, bytes, &cuts).unwrap().unwrap();
            let (read, text) = (plain::read(bytes).unwrap(), bytes.escape_ascii());
            assert_eq!((&*found.body, found.left), (body.as_bytes(), left), "{text}");
            assert_eq!(found, read, "{text}");
        }
        // What follows is no part of it, and every byte that is missing is missed.
        for end in 0..bytes.len() - left {
            assert!(taken(CHUNKS, &bytes[..end], &[]).unwrap().is_none());
        }
    }
}

#[test]
fn malformed_chunks_are_errors() {
    let cases: [&[u8]; 28] = [
        b"\r\n",
        b"x\r\n",
        b" 5\r\nhello\r\n",
        b"-1\r\n",
        b"+1\r\n",
        b"0x4\r\n",
        b"5h\r\n",
        b"5 5\r\n",
        b";a\r\n",
        b"00000000000000005\r\n",
        b"10000000000000000\r\n",
        b"5\nhello\r\n0\r\n\r\n",
        b"5\rhello",
        b"5\r\rhello",
        b"5;a\nhello\r\n0\r\n\r\n",
        b"5;a\n\r\nhello\r\n0\r\n\r\n",
        b"5;a\rb\r\nhello",
        b"5\r\nhello0\r\n\r\n",
        b"5\r\nhello\n0\r\n\r\n",
        b"5\r\nhello\r0\r\n\r\n",
        b"5\r\nhello!\r\n0\r\n\r\n",
        b"5\r\nhello\r\n\r\n0\r\n\r\n",
        b"0\r\nno colon\r\n\r\n",
        b"0\r\na b: c\r\n\r\n",
        b"0\r\n: c\r\n\r\n",
        b"0\r\na: b\0\r\n\r\n",
        b"0\r\na: b\r\n c\r\n\r\n",
        b"0\r\n\rx",
    ];
    for bytes in cases {
        for cuts in [vec![], everywhere(bytes)] {
            let found = taken(CHUNKS, bytes, &cuts);
            assert!(found.is_err(), "{}: {found:?}", bytes.escape_ascii());
        }
    }
}

#[test]
fn nothing_that_must_be_complete_is_waited_for_without_end() {
    let long = |begin: &str, length: usize| [begin.as_bytes(), &vec![b'x'; length]].concat();
    for begin in ["5;", "0\r\nx: "] {
        assert!(taken(CHUNKS, &long(begin, ROOM / 2), &[]).unwrap().is_none());
        assert!(taken(CHUNKS, &long(begin, ROOM + 4), &[]).is_err());
    }
    let trailers = |number: usize| format!("0\r\n{}\r\n", "a: b\r\n".repeat(number)).into_bytes();
    let found = taken(CHUNKS, &trailers(MOST), &[]).unwrap().unwrap();
    assert_eq!(found.trailers["a"].len(), MOST);
    assert!(taken(CHUNKS, &trailers(MOST + 1), &[]).is_err());
}

/// How a chunk is written: its digits, what follows them, and its bytes.
fn chunk() -> impl Strategy<Value = (usize, bool, String, Vec<u8>)> {
    let data = prop::collection::vec(any::<u8>(), 1..300);
    (0..3_usize, any::<bool>(), "( ?;[ -~\u{80}-\u{ff}]{0,9})?", data)
}

fn written(chunks: &[(usize, bool, String, Vec<u8>)], trailers: &[(String, String)]) -> Vec<u8> {
    let mut bytes = Vec::new();
    for (zeros, upper, extension, data) in chunks {
        let digits = if *upper { format!("{:X}", data.len()) } else { format!("{:x}", data.len()) };
        bytes.extend(format!("{}{digits}{extension}\r\n", "0".repeat(*zeros)).bytes());
        bytes.extend_from_slice(data);
        bytes.extend_from_slice(b"\r\n");
    }
    bytes.extend_from_slice(b"0\r\n");
    for (name, value) in trailers {
        bytes.extend(format!("{name}: {value}\r\n").bytes());
    }
    bytes.extend_from_slice(b"\r\n");
    bytes
}

proptest! {
    #[test]
    fn any_body_in_chunks_comes_back(
        chunks in prop::collection::vec(chunk(), 0..8),
        trailers in prop::collection::vec(("[a-zA-Z-]{1,5}", "([!-~]([ -~]{0,9}[!-~])?)?"), 0..5),
        behind in prop::collection::vec(any::<u8>(), 0..20),
        cuts in prop::collection::vec(any::<usize>(), 0..20),
    ) {
        let bytes = [written(&chunks, &trailers), behind.clone()].concat();
        let body: Vec<u8> = chunks.iter().flat_map(|chunk| chunk.3.clone()).collect();
        let found = taken(CHUNKS, &bytes, &cuts).unwrap().unwrap();
        prop_assert_eq!((&found.body, found.left), (&body, behind.len()));
        for (name, value) in &trailers {
            let values = &found.trailers[&name.to_ascii_lowercase()];
            prop_assert!(values.contains(&value.as_bytes().to_vec()), "{}: {}", name, value);
        }
        prop_assert_eq!(found.trailers.values().map(Vec::len).sum::<usize>(), trailers.len());
        prop_assert_eq!(Some(found), plain::read(&bytes));
    }

    #[test]
    fn any_bytes_are_read_without_harm(
        bytes in prop::collection::vec(any::<u8>(), 0..200),
        cuts in prop::collection::vec(any::<usize>(), 0..9),
    ) {
        for framing in [CHUNKS, Framing::Chunks(Chunk::Trailers), Framing::Length(99)] {
            _ = taken(framing, &bytes, &cuts);
        }
    }
}

/// Bodies that were damaged in some places: either both readers read the same of them, or none reads all.
#[test]
fn damaged_chunks_are_read_by_both_or_by_none() {
    let mut whole = 0;
    for seed in 0..20_000 {
        let mut rng = Rng::with_seed(seed);
        let data = |rng: &mut Rng| (0..rng.usize(1..20)).map(|_| rng.alphanumeric()).collect();
        let chunks: Vec<_> = (0..rng.usize(..4))
            .map(|_| {
                let data: String = data(&mut rng);
                let extension = *rng.choice(&["", ";a=b", " ", " ;\"x\""]).unwrap();
                (rng.usize(..2), rng.bool(), extension.to_owned(), data.into_bytes())
            })
            .collect();
        let trailers = [("X-One", "1"), ("x-two", ""), ("x-one", "a b")];
        let trailers: Vec<_> = trailers[..rng.usize(..4)]
            .iter()
            .map(|(name, value)| ((*name).to_owned(), (*value).to_owned()))
            .collect();
        let mut bytes = written(&chunks, &trailers);
        for _ in 0..rng.usize(..3) {
            let at = rng.usize(..bytes.len());
            match rng.u8(..4) {
                0 => bytes[at] = *rng.choice(b"\r\n0123;: xfA\0\xff-").unwrap(),
                1 => _ = bytes.remove(at),
                2 => bytes.insert(at, *rng.choice(b"\r\n0123;: xfA\0\xff-").unwrap()),
                _ => bytes[at] = rng.u8(..),
            }
            bytes.push(b'\n');
        }
        let cuts: Vec<_> = (0..rng.usize(..6)).map(|_| rng.usize(..)).collect();
        let found = taken(CHUNKS, &bytes, &cuts).unwrap_or_default();
        whole += usize::from(found.is_some());
        let read = plain::read(&bytes);
        assert_eq!(found, read, "seed {seed}: {}", bytes.escape_ascii());
    }
    assert!((6_000..18_000).contains(&whole), "{whole} are whole");
}
