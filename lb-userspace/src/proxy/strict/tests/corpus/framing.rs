//! Where bodies end, and how much there may be of anything.

use super::{Cases, Fault, chunked, line, with};

pub(super) fn lengths() -> Cases {
    let each = |texts: &[&str]| texts.iter().map(|text| with(text)).collect();
    vec![
        (
            Fault::SeveralLengths,
            each(&[
                "Content-Length: 5\r\nContent-Length: 6\r\n",
                "Content-Length: 5\r\nContent-Length: 5\r\n",
                "Content-Length: 5, 5\r\n",
                "Content-Length: 5,6\r\n",
                "Content-Length: ,5\r\n",
                "content-length: 0\r\nCONTENT-LENGTH: 44\r\n",
            ]),
        ),
        (
            Fault::BadLength,
            each(&[
                "Content-Length:\r\n",
                "Content-Length: \r\n",
                "Content-Length: +5\r\n",
                "Content-Length: -1\r\n",
                "Content-Length: 0x5\r\n",
                "Content-Length: 5 5\r\n",
                "Content-Length: 5.0\r\n",
                "Content-Length: 1e3\r\n",
                "Content-Length: five\r\n",
                "Content-Length: 18446744073709551616\r\n",
                "Content-Length: 99999999999999999999999999\r\n",
                "Content-Length: ٥\r\n",
                "Content-Length: \"5\"\r\n",
                "Content-Length: 5;\r\n",
            ]),
        ),
    ]
}

pub(super) fn codings() -> Cases {
    let each = |texts: &[&str]| texts.iter().map(|text| with(text)).collect();
    vec![
        (
            Fault::LengthAndCoding,
            each(&[
                "Content-Length: 5\r\nTransfer-Encoding: chunked\r\n",
                "Transfer-Encoding: chunked\r\nContent-Length: 5\r\n",
                "Transfer-Encoding: chunked\r\nContent-Length: 0\r\n",
                "Transfer-Encoding: CHUNKED\r\nContent-Length: 5\r\n",
            ]),
        ),
        (
            Fault::CodingInOldVersion,
            vec![
                b"POST / HTTP/1.0\r\nTransfer-Encoding: chunked\r\n\r\n".to_vec(),
                b"POST / HTTP/1.0\r\nHost: a\r\nTransfer-Encoding: identity\r\n\r\n".to_vec(),
            ],
        ),
        (
            Fault::SeveralCodings,
            each(&[
                "Transfer-Encoding: chunked\r\nTransfer-Encoding: chunked\r\n",
                "Transfer-Encoding: chunked\r\nTransfer-Encoding: identity\r\n",
                "Transfer-Encoding: chunked, chunked\r\n",
                "Transfer-Encoding:\r\n",
            ]),
        ),
        (
            Fault::UnknownCoding,
            each(&[
                "Transfer-Encoding: gzip\r\n",
                "Transfer-Encoding: gzip, chunked\r\n",
                "Transfer-Encoding: chunked, gzip\r\n",
                "Transfer-Encoding: identity\r\n",
                "Transfer-Encoding: xchunked\r\n",
                "Transfer-Encoding: chunkedx\r\n",
                "Transfer-Encoding: \"chunked\"\r\n",
                "Transfer-Encoding: chunked;q=1\r\n",
                "Transfer-Encoding: ,chunked\r\n",
                "Transfer-Encoding: chunked,\r\n",
                "Transfer-Encoding: chun ked\r\n",
                "Transfer-Encoding: chunked\u{a0}\r\n",
            ]),
        ),
    ]
}

pub(super) fn chunks() -> Vec<(Fault, &'static [&'static str])> {
    vec![
        (
            Fault::ChunkSize,
            &[
                "\r\n",
                "g\r\n",
                "0x1\r\na\r\n0\r\n\r\n",
                "+1\r\n",
                "-1\r\n",
                " 1\r\na\r\n",
                "1 \r\na\r\n0\r\n\r\n",
                "1\t\r\na\r\n0\r\n\r\n",
                "1 ;a\r\na\r\n0\r\n\r\n",
                "1,1\r\n",
                "ffffffffffffffff\r\n",
                "10000000000000000\r\n",
                "00000000000000001\r\na\r\n0\r\n\r\n",
                "1\0\r\n",
                ";a\r\n",
            ],
        ),
        (
            Fault::ChunkExtension,
            &[
                "1;\r\na\r\n",
                "1;a\0\r\n",
                "1; a\r\na\r\n",
                "1;;\r\n",
                "1;a=\u{1}\r\n",
                "0;=\r\n\r\n",
            ],
        ),
        (Fault::ChunkEnd, &["1\r\nab\r\n0\r\n\r\n", "3\r\nabcdef\r\n0\r\n\r\n"]),
        (
            Fault::Trailer,
            &[
                "0\r\nContent-Length: 5\r\n\r\n",
                "0\r\ntransfer-encoding: chunked\r\n\r\n",
                "0\r\nHost: b\r\n\r\n",
                "0\r\nTrailer: a\r\n\r\n",
            ],
        ),
        (Fault::Folding, &["0\r\nA: b\r\n c\r\n\r\n"]),
        (Fault::NoColon, &["0\r\nA\r\n\r\n", "0\r\nGET / HTTP/1.1\r\n\r\n"]),
        (Fault::SpaceBeforeColon, &["0\r\nA : b\r\n\r\n"]),
        (Fault::FieldValue, &["0\r\nA: \0\r\n\r\n"]),
    ]
}

pub(super) fn limits() -> Cases {
    let long = "a".repeat(20 << 10);
    let many = "A: b\r\n".repeat(120);
    let large = format!("A: {}\r\n", "b".repeat(10 << 10)).repeat(8);
    vec![
        (Fault::LongRequestLine, vec![line(&format!("GET /{long} HTTP/1.1"))]),
        (Fault::LongField, vec![with(&format!("A: {long}\r\n")), with(&format!("{long}: b\r\n"))]),
        (Fault::ManyFields, vec![with(&many), chunked(&format!("0\r\n{many}\r\n"))]),
        (Fault::LongHead, vec![with(&large)]),
        (Fault::LongChunkLine, vec![chunked(&format!("1;{}\r\n", "a".repeat(600)))]),
    ]
}
