//! Raw requests: those that must be refused, each with why, and those that must not.

use super::Fault;

/// A head whose body is in chunks.
pub(in crate::proxy) const CHUNKED: &str =
    "POST / HTTP/1.1\r\nHost: a\r\nTransfer-Encoding: chunked\r\n\r\n";

pub(super) const FAULTS: [Fault; 34] = [
    Fault::BareLf,
    Fault::BareCr,
    Fault::EmptyLines,
    Fault::RequestLine,
    Fault::Method,
    Fault::TargetCharacter,
    Fault::Fragment,
    Fault::TargetForm,
    Fault::Version,
    Fault::Folding,
    Fault::NoColon,
    Fault::FieldName,
    Fault::SpaceBeforeColon,
    Fault::FieldValue,
    Fault::NoHost,
    Fault::SeveralHosts,
    Fault::BadHost,
    Fault::OtherHost,
    Fault::SeveralLengths,
    Fault::BadLength,
    Fault::LengthAndCoding,
    Fault::CodingInOldVersion,
    Fault::SeveralCodings,
    Fault::UnknownCoding,
    Fault::ChunkSize,
    Fault::ChunkExtension,
    Fault::ChunkEnd,
    Fault::Trailer,
    Fault::LongRequestLine,
    Fault::LongField,
    Fault::LongHead,
    Fault::ManyFields,
    Fault::LongChunkLine,
    Fault::Expectation,
];

/// A request of HTTP/1.1 to host `a` with further lines.
fn with(lines: &str) -> Vec<u8> {
    format!("GET / HTTP/1.1\r\nHost: a\r\n{lines}\r\n").into_bytes()
}

fn chunked(body: &str) -> Vec<u8> {
    format!("{CHUNKED}{body}").into_bytes()
}

fn line(line: &str) -> Vec<u8> {
    format!("{line}\r\nHost: a\r\n\r\n").into_bytes()
}

pub(in crate::proxy) fn refused() -> Vec<(Vec<u8>, Fault)> {
    let mut cases = Vec::new();
    for (fault, requests) in
        [line_ends(), request_lines(), targets(), fields(), hosts(), lengths(), codings(), limits()]
            .concat()
    {
        cases.extend(requests.into_iter().map(|bytes| (bytes, fault)));
    }
    for (fault, bodies) in chunks() {
        cases.extend(bodies.iter().map(|body| (chunked(body), fault)));
    }
    cases
}

type Cases = Vec<(Fault, Vec<Vec<u8>>)>;

fn line_ends() -> Cases {
    let bytes = |texts: &[&str]| texts.iter().map(|text| text.as_bytes().to_vec()).collect();
    vec![
        (
            Fault::BareLf,
            bytes(&[
                "GET / HTTP/1.1\nHost: a\n\n",
                "GET / HTTP/1.1\nHost: a\r\n\r\n",
                "GET / HTTP/1.1\r\nHost: a\n\r\n",
                "GET / HTTP/1.1\r\nHost: a\r\n\n",
                "GET / HTTP/1.1\r\nHost: a\r\nA: b\nC: d\r\n\r\n",
                "GET / HTTP/1.1\r\nHost: a\r\nA: b\n\nGET /evil HTTP/1.1\r\nHost: a\r\n\r\n",
                "\nGET / HTTP/1.1\r\nHost: a\r\n\r\n",
                "POST / HTTP/1.1\r\nHost: a\r\nTransfer-Encoding: chunked\r\n\r\n1\na\r\n0\r\n\r\n",
                "POST / HTTP/1.1\r\nHost: a\r\nTransfer-Encoding: chunked\r\n\r\n0\n\n",
                "POST / HTTP/1.1\r\nHost: a\r\nTransfer-Encoding: chunked\r\n\r\n0\r\n\n",
                "POST / HTTP/1.1\r\nHost: a\r\nTransfer-Encoding: chunked\r\n\r\n0\r\nA: b\n\r\n",
                "POST / HTTP/1.1\r\nHost: a\r\nTransfer-Encoding: chunked\r\n\r\n1\r\na\n0\r\n\r\n",
                "POST / HTTP/1.1\r\nHost: a\r\nTransfer-Encoding: chunked\r\n\r\n2;\n\r\nab\r\n0\r\n\r\n",
            ]),
        ),
        (
            Fault::BareCr,
            bytes(&[
                "GET / HTTP/1.1\rX\r\nHost: a\r\n\r\n",
                "GET / HTTP/1.1\r\r\nHost: a\r\n\r\n",
                "GET / HTTP/1.1\r\nHost: a\r\r\n\r\n",
                "GET / HTTP/1.1\r\nHost: a\r\nA: b\rC: d\r\n\r\n",
                "GET / HTTP/1.1\r\nHost: a\r\n\r\r\n",
                "GET /\r HTTP/1.1\r\nHost: a\r\n\r\n",
                "\rGET / HTTP/1.1\r\nHost: a\r\n\r\n",
                "POST / HTTP/1.1\r\nHost: a\r\nTransfer-Encoding: chunked\r\n\r\n1\r;a\r\na\r\n0\r\n\r\n",
                "POST / HTTP/1.1\r\nHost: a\r\nTransfer-Encoding: chunked\r\n\r\n0\r\r\n\r\n",
                "POST / HTTP/1.1\r\nHost: a\r\nTransfer-Encoding: chunked\r\n\r\n0\r\nA: \rb\r\n\r\n",
            ]),
        ),
        (Fault::EmptyLines, bytes(&["\r\n\r\n\r\nGET / HTTP/1.1\r\nHost: a\r\n\r\n"])),
    ]
}

fn request_lines() -> Cases {
    vec![
        (
            Fault::RequestLine,
            [
                "GET",
                "GET /",
                "GET  / HTTP/1.1",
                "GET /  HTTP/1.1",
                "GET / HTTP/1.1 ",
                " GET / HTTP/1.1",
                "GET / HTTP/1.1 x",
                "GET /a b HTTP/1.1",
                "GET\t/\tHTTP/1.1",
                "HTTP/1.1",
                "GET http://a/ b HTTP/1.1",
            ]
            .map(line)
            .to_vec(),
        ),
        (
            Fault::Method,
            [
                "G(T / HTTP/1.1",
                "GET\u{b} / HTTP/1.1",
                "GÉT / HTTP/1.1",
                "GET: / HTTP/1.1",
                "\"GET\" / HTTP/1.1",
                "G\0T / HTTP/1.1",
                "GET, / HTTP/1.1",
                "{} / HTTP/1.1",
                "\u{16}\u{3}\u{1} / HTTP/1.1",
            ]
            .map(line)
            .to_vec(),
        ),
        (
            Fault::Version,
            [
                "GET / HTTP/1.2",
                "GET / HTTP/0.9",
                "GET / HTTP/2",
                "GET / HTTP/2.0",
                "PRI * HTTP/2.0",
                "GET / HTTP/1",
                "GET / HTTP/1.10",
                "GET / HTTP/01.1",
                "GET / HTTP/1.1\t",
                "GET / http/1.1",
                "GET / Http/1.1",
                "GET / HTTP/1,1",
                "GET / ICY/1.1",
                "GET / HTTP/1.1\0",
                "GET / HTTP /1.1",
            ]
            .into_iter()
            .filter(|text| text.split(' ').count() == 3)
            .map(line)
            .collect(),
        ),
    ]
}

fn targets() -> Cases {
    vec![
        (
            Fault::TargetCharacter,
            ["/a\tb", "/\0", "/\u{7f}", "/é", "/\u{b}", "/a\u{a0}b"]
                .map(|target| line(&format!("GET {target} HTTP/1.1")))
                .to_vec(),
        ),
        (
            Fault::Fragment,
            ["/#", "/a#b", "/?a=b#c", "http://a/#x", "#", "/%23#"]
                .map(|target| line(&format!("GET {target} HTTP/1.1")))
                .to_vec(),
        ),
        (
            Fault::TargetForm,
            [
                "GET a HTTP/1.1",
                "GET * HTTP/1.1",
                "GET a:80 HTTP/1.1",
                "GET ftp://a/ HTTP/1.1",
                "GET http:///a HTTP/1.1",
                "GET http:/a HTTP/1.1",
                "GET http://user@a/ HTTP/1.1",
                "GET http://a:99999/ HTTP/1.1",
                "GET http://a:/ HTTP/1.1",
                "GET ?a=b HTTP/1.1",
                "GET \\ HTTP/1.1",
                "CONNECT / HTTP/1.1",
                "CONNECT a HTTP/1.1",
                "CONNECT http://a:80/ HTTP/1.1",
                "OPTIONS ** HTTP/1.1",
                "GET javascript:alert HTTP/1.1",
            ]
            .map(line)
            .to_vec(),
        ),
    ]
}

fn fields() -> Cases {
    let each = |texts: &[&str]| texts.iter().map(|text| with(text)).collect();
    vec![
        (
            Fault::Folding,
            each(&["A: b\r\n c\r\n", "A: b\r\n\tc\r\n", " A: b\r\n", "A: b\r\n \r\n"]),
        ),
        (Fault::NoColon, each(&["A\r\n", "A b\r\n", "Content-Length 5\r\n", "=\r\n"])),
        (
            Fault::FieldName,
            each(&[
                ": b\r\n",
                "A B: c\r\n",
                "A(: b\r\n",
                "A\0: b\r\n",
                "Ä: b\r\n",
                "\u{7f}: b\r\n",
                "A\u{b}: b\r\n",
                "\"A\": b\r\n",
                "A/B: c\r\n",
                "[A]: b\r\n",
                "Transfer\0-Encoding: chunked\r\n",
            ]),
        ),
        (
            Fault::SpaceBeforeColon,
            each(&[
                "A : b\r\n",
                "A\t: b\r\n",
                "Content-Length : 5\r\n",
                "Transfer-Encoding : chunked\r\n",
                "Transfer-Encoding\t: chunked\r\n",
            ]),
        ),
        (
            Fault::FieldValue,
            each(&[
                "A: \0\r\n",
                "A: b\0c\r\n",
                "A: \u{1}\r\n",
                "A: \u{b}b\r\n",
                "A: b\u{c}\r\n",
                "A: \u{7f}\r\n",
                "A: \u{1b}[31m\r\n",
                "Transfer-Encoding: \u{b}chunked\r\n",
                "Content-Length: 1\u{c}\r\n",
            ]),
        ),
        (
            Fault::Expectation,
            each(&["Expect: 200-ok\r\n", "Expect: \r\n", "Expect: 100-continue, x\r\n"]),
        ),
    ]
}

fn hosts() -> Cases {
    let lines = |texts: &[&str]| {
        texts.iter().map(|text| format!("GET / HTTP/1.1\r\n{text}\r\n").into_bytes()).collect()
    };
    let absolute = |texts: &[(&str, &str)]| {
        let of = |(target, host): &(&str, &str)| {
            format!("GET {target} HTTP/1.1\r\nHost: {host}\r\n\r\n").into_bytes()
        };
        texts.iter().map(of).collect()
    };
    vec![
        (
            Fault::NoHost,
            [
                lines(&["", "A: b\r\n", "Hosts: a\r\n"]),
                vec![b"GET http://a/ HTTP/1.1\r\n\r\n".to_vec()],
            ]
            .concat(),
        ),
        (
            Fault::SeveralHosts,
            lines(&[
                "Host: a\r\nHost: a\r\n",
                "Host: a\r\nhOST: b\r\n",
                "Host: a\r\nA: b\r\nHost: a\r\n",
            ]),
        ),
        (
            Fault::BadHost,
            lines(&[
                "Host:\r\n",
                "Host: \r\n",
                "Host: a b\r\n",
                "Host: a, b\r\n",
                "Host: a/b\r\n",
                "Host: a@b\r\n",
                "Host: a:\r\n",
                "Host: a:0\r\n",
                "Host: a:65536\r\n",
                "Host: a:80:80\r\n",
                "Host: a:http\r\n",
                "Host: a:+80\r\n",
                "Host: :80\r\n",
                "Host: [::1\r\n",
                "Host: [::g]\r\n",
                "Host: [1.2.3.4]\r\n",
                "Host: [::1]x\r\n",
                "Host: [::1%25eth0]\r\n",
                "Host: a%2eb\r\n",
                "Host: http://a\r\n",
                "Host: a\\b\r\n",
                "Host: a?b\r\n",
                "Host: a#b\r\n",
                "Host: \"a\"\r\n",
                "Host: é\r\n",
            ]),
        ),
        (
            Fault::OtherHost,
            absolute(&[
                ("http://a/", "b"),
                ("http://a/", "a:8080"),
                ("http://a:8080/", "a"),
                ("https://a/", "a:80"),
                ("http://a.example/", "a.example.org"),
                ("HTTP://a/", "b"),
                ("http://a?x", "b"),
            ]),
        ),
    ]
}

fn lengths() -> Cases {
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

fn codings() -> Cases {
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

fn chunks() -> Vec<(Fault, &'static [&'static str])> {
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

fn limits() -> Cases {
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

pub(super) fn accepted() -> Vec<Vec<u8>> {
    let texts = [
        "GET / HTTP/1.1\r\nHost: a\r\n\r\n",
        "GET / HTTP/1.0\r\n\r\n",
        "GET / HTTP/1.0\r\nHost: a\r\n\r\n",
        "\r\nGET / HTTP/1.1\r\nHost: a\r\n\r\n",
        "\r\n\r\nGET / HTTP/1.1\r\nHost: a\r\n\r\n",
        "GET /a/b?c=d&e=%20 HTTP/1.1\r\nHost: a.example.org:8080\r\n\r\n",
        "GET /a|b{c}[d]\"e\" HTTP/1.1\r\nHost: a\r\n\r\n",
        "GET http://a/b HTTP/1.1\r\nHost: a\r\n\r\n",
        "GET http://a:80/b HTTP/1.1\r\nHost: a\r\n\r\n",
        "GET http://a/b HTTP/1.1\r\nHost: A:80\r\n\r\n",
        "GET https://a HTTP/1.1\r\nHost: a:443\r\n\r\n",
        "GET http://a?b HTTP/1.1\r\nHost: a\r\n\r\n",
        "OPTIONS * HTTP/1.1\r\nHost: a\r\n\r\n",
        "CONNECT a:443 HTTP/1.1\r\nHost: a:443\r\n\r\n",
        "M-SEARCH / HTTP/1.1\r\nHost: a\r\n\r\n",
        "GET / HTTP/1.1\r\nHost: [2001:db8::1]:8080\r\n\r\n",
        "GET / HTTP/1.1\r\nHost: a_b.example.\r\n\r\n",
        "GET / HTTP/1.1\r\nhost:a\r\n\r\n",
        "GET / HTTP/1.1\r\nHost: \t a \t \r\n\r\n",
        "GET / HTTP/1.1\r\nHost: a\r\nA:\r\nB: \r\nC: d e\tf\r\nD: \u{e9}\r\n\r\n",
        "GET / HTTP/1.1\r\nHost: a\r\n!#$%&'*+-.^_`|~: x\r\n\r\n",
        "POST / HTTP/1.1\r\nHost: a\r\nContent-Length: 0\r\n\r\n",
        "POST / HTTP/1.1\r\nHost: a\r\nContent-Length: 5\r\n\r\na\nb\r\n",
        "POST / HTTP/1.1\r\nHost: a\r\nContent-Length: 005\r\n\r\nabcde",
        "POST / HTTP/1.1\r\nHost: a\r\nExpect: 100-Continue\r\nContent-Length: 1\r\n\r\na",
        "POST / HTTP/1.1\r\nHost: a\r\nTransfer-Encoding: Chunked\r\n\r\n0\r\n\r\n",
        "POST / HTTP/1.1\r\nHost: a\r\ntransfer-encoding:chunked\r\n\r\n5\r\na\nb\r\n\r\n0\r\n\r\n",
        "POST / HTTP/1.1\r\nHost: a\r\nTransfer-Encoding: chunked\r\n\r\nA;x=y\r\n0123456789\r\n00\r\nT: u\r\n\r\n",
        "POST / HTTP/1.1\r\nHost: a\r\nTransfer-Encoding: chunked\r\n\r\n1;a=\"b;c\"\r\na\r\n0;z\r\n\r\n",
    ];
    texts.map(|text| text.as_bytes().to_vec()).to_vec()
}
