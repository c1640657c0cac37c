//! Ends of lines, and request lines.

use super::{Cases, Fault, line};

pub(super) fn ends() -> Cases {
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

pub(super) fn requests() -> Cases {
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

pub(super) fn targets() -> Cases {
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
