//! Fields, and hosts among them.

use super::{Cases, Fault, with};

pub(super) fn all() -> Cases {
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

pub(super) fn hosts() -> Cases {
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
