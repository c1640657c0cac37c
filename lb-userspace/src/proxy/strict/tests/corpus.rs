//! Raw requests: those that must be refused, each with why, and those that must not.

mod fields;
mod framing;
mod lines;

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
    for (fault, requests) in [
        lines::ends(),
        lines::requests(),
        lines::targets(),
        fields::all(),
        fields::hosts(),
        framing::lengths(),
        framing::codings(),
        framing::limits(),
    ]
    .concat()
    {
        cases.extend(requests.into_iter().map(|bytes| (bytes, fault)));
    }
    for (fault, bodies) in framing::chunks() {
        cases.extend(bodies.iter().map(|body| (chunked(body), fault)));
    }
    cases
}

type Cases = Vec<(Fault, Vec<Vec<u8>>)>;

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
