//! Lines of both formats, the queue, and what is written when a disk is full.
#![expect(clippy::unwrap_used, reason = "a failed test may panic")]

use std::{
    fs::{self, File, OpenOptions},
    io::Read as _,
    os::unix::net::UnixDatagram,
    sync::{Arc, atomic::Ordering::Relaxed},
    thread,
    time::{Duration, Instant},
};

use jiff::tz::TimeZone;
use proptest::{collection::vec, prelude::*};
use regex::Regex;
use serde_json::Value;
use tempfile::TempDir;

use super::{Line, combined, json, queue::Queue, writer::Writer};
use crate::{access_log::Sink, model::listener::LogTarget};

fn line() -> Line<'static> {
    Line {
        time: "2026-11-26T17:53:30.1234Z".parse().unwrap(),
        listener: "edge",
        client: "192.0.2.1".parse().unwrap(),
        method: Some("GET"),
        host: Some(b"www.example.org"),
        uri: Some(b"/a?b=1"),
        protocol: Some("HTTP/1.1"),
        status: Some(200),
        sent: 1234,
        received: 5,
        duration: Duration::from_nanos(1_234_567),
        first_byte: Some(Duration::from_micros(999)),
        route: Some(2),
        pool: Some("web"),
        backend: Some("192.0.2.9:8080".parse().unwrap()),
        attempts: 1,
        cause: None,
        referer: Some(b"https://example.org/"),
        user_agent: Some(b"curl/8"),
        request_id: None,
        trace_id: None,
        tls_version: Some("TLSv1.3"),
        tls_name: Some("www.example.org"),
    }
}

/// A client that was refused before it had asked for anything.
fn refused() -> Line<'static> {
    Line {
        client: "2001:db8::1".parse().unwrap(),
        method: None,
        host: None,
        uri: None,
        protocol: None,
        status: Some(400),
        sent: 0,
        first_byte: None,
        route: None,
        pool: None,
        backend: None,
        attempts: 0,
        cause: Some("no method"),
        referer: None,
        user_agent: None,
        tls_version: None,
        tls_name: None,
        ..line()
    }
}

fn as_combined(line: &Line<'_>) -> String {
    let mut out = Vec::new();
    combined::write(&mut out, line, &TimeZone::fixed(jiff::tz::offset(-8)));
    String::from_utf8(out).unwrap()
}

fn as_json(line: &Line<'_>) -> String {
    let mut out = Vec::new();
    json::write(&mut out, line);
    String::from_utf8(out).unwrap()
}

#[test]
fn golden_lines() {
    assert_eq!(
        as_combined(&line()),
        "192.0.2.1 - - [26/Nov/2026:09:53:30 -0800] \"GET /a?b=1 HTTP/1.1\" 200 1234 \"https://example.org/\" \"curl/8\"\n"
    );
    assert_eq!(
        as_combined(&refused()),
        "2001:db8::1 - - [26/Nov/2026:09:53:30 -0800] \"-\" 400 0 \"-\" \"-\"\n"
    );
    assert_eq!(
        as_json(&line()),
        concat!(
            r#"{"time":"2026-11-26T17:53:30.123Z","listener":"edge","client":"192.0.2.1","method":"GET","#,
            r#""host":"www.example.org","uri":"/a?b=1","protocol":"HTTP/1.1","status":200,"bytes_sent":1234,"#,
            r#""bytes_received":5,"duration_ms":1.234,"first_byte_ms":0.999,"route":2,"pool":"web","#,
            r#""backend":"192.0.2.9:8080","attempts":1,"cause":null,"referer":"https://example.org/","#,
            r#""user_agent":"curl/8","request_id":null,"trace_id":null,"tls_version":"TLSv1.3","#,
            r#""tls_name":"www.example.org"}"#,
            "\n"
        )
    );
    let refused: Value = serde_json::from_str(&as_json(&refused())).unwrap();
    assert_eq!((&refused["status"], &refused["cause"]), (&400.into(), &"no method".into()));
    assert!(refused["method"].is_null() && refused["first_byte_ms"].is_null());
}

#[test]
fn what_a_client_says_is_escaped() {
    let agent = b"a\"b\\c\r\n\x1b[0m\x7f\xc2\x9b\xff \xf0\x9f\x98\x80";
    let line = Line { user_agent: Some(agent), ..line() };
    assert!(
        as_combined(&line).ends_with(
            "\"a\\x22b\\x5Cc\\x0D\\x0A\\x1B[0m\\x7F\\xC2\\x9B\\xFF \\xF0\\x9F\\x98\\x80\"\n"
        ),
        "{}",
        as_combined(&line)
    );
    let said = as_json(&line);
    assert!(
        said.contains(
            r#""user_agent":"a\"b\\c\r\n\u001b[0m\u007f\u009b\ufffd \ud83d\ude00","request_id""#
        ),
        "{said}"
    );
}

/// What tools make of the format, written down apart from what writes it.
const COMBINED: &str = concat!(
    r"^([0-9a-f.:]+) - - \[([0-9]{2})/(Jan|Feb|Mar|Apr|May|Jun|Jul|Aug|Sep|Oct|Nov|Dec)/([0-9]{4})",
    r":([0-9]{2}):([0-9]{2}):([0-9]{2}) ([+-][0-9]{4})\] ",
    r#""(-|[^ "\\]+ (?:[^"\\]|\\x[0-9A-F]{2})* HTTP/[0-9.]+)" ([1-5][0-9]{2}) ([0-9]+) "#,
    r#""((?:[^"\\]|\\x[0-9A-F]{2})+)" "((?:[^"\\]|\\x[0-9A-F]{2})+)"\n$"#
);

proptest! {
    /// Whatever a client sends, a line is one line, of printable ASCII, with the fields that it should have.
    #[test]
    fn no_line_can_be_forged(
        uri in vec(any::<u8>(), 0..60),
        host in vec(any::<u8>(), 0..20),
        referer in vec(any::<u8>(), 0..60),
        agent in vec(any::<u8>(), 0..60),
    ) {
        let line = Line {
            uri: Some(&uri),
            host: Some(&host),
            referer: Some(&referer),
            user_agent: Some(&agent),
            ..line()
        };
        let (combined, json) = (as_combined(&line), as_json(&line));
        for said in [&combined, &json] {
            let (text, end) = said.split_at(said.len() - 1);
            prop_assert_eq!(end, "\n");
            prop_assert!(text.bytes().all(|byte| (0x20..0x7f).contains(&byte)), "{}", text);
        }
        prop_assert!(Regex::new(COMBINED).unwrap().is_match(&combined), "{}", combined);
        let json: Value = serde_json::from_str(&json).unwrap();
        prop_assert_eq!(json.as_object().unwrap().len(), 23);
        let shown = String::from_utf8_lossy(&agent);
        prop_assert_eq!(json["user_agent"].as_str().unwrap(), &*shown);
    }
}

#[test]
fn lines_fit_what_others_expect() {
    let pattern = Regex::new(COMBINED).unwrap();
    assert!(pattern.is_match(&as_combined(&line())) && pattern.is_match(&as_combined(&refused())));
    assert!(!pattern.is_match(&as_combined(&line()).replace("\" 200", " 200")));
}

/// Waits for something that must become true.
fn eventually(what: &str, mut check: impl FnMut() -> bool) {
    let end = Instant::now() + Duration::from_secs(20);
    while !check() {
        assert!(Instant::now() < end, "not in time: {what}");
        thread::sleep(Duration::from_millis(5));
    }
}

fn begin(workers: usize, to: LogTarget, sink: Sink) -> (Arc<Queue>, thread::JoinHandle<()>) {
    let queue = Arc::new(Queue::new(workers));
    let writer = Writer::new(Arc::clone(&queue), to, sink);
    (queue, thread::spawn(move || writer.run()))
}

fn say(queue: &Queue, worker: usize, line: &str) {
    queue.push(worker, |out| out.extend_from_slice(line.as_bytes()));
}

#[test]
fn lines_of_all_workers_come_soon_and_none_is_lost_when_files_change() {
    let directory = TempDir::new().unwrap();
    let path = |nth: usize| directory.path().join(format!("{nth}.log"));
    let open = |nth| {
        let to = LogTarget::File(path(nth));
        (Sink::open(&to).unwrap(), to)
    };
    let (sink, to) = open(0);
    let (queue, writer) = begin(4, to, sink);
    say(&queue, 0, "first\n");
    eventually("a line of an idle log", || fs::read(path(0)).unwrap() == b"first\n");
    thread::scope(|scope| {
        for worker in 0..4 {
            let queue = &queue;
            scope.spawn(move || {
                (0..20_000).for_each(|n| say(queue, worker, &format!("{worker} {n}\n")));
            });
        }
        for nth in 1..20 {
            let told = queue.switch(open(nth).0);
            told.blocking_recv().unwrap();
            let before = fs::read(path(nth - 1)).unwrap();
            thread::sleep(Duration::from_millis(2));
            assert_eq!(before, fs::read(path(nth - 1)).unwrap(), "nobody writes to the old file");
        }
    });
    queue.close();
    writer.join().unwrap();
    let all: String = (0..20).map(|nth| fs::read_to_string(path(nth)).unwrap()).collect();
    for nth in 0..20 {
        let text = fs::read_to_string(path(nth)).unwrap();
        assert!(text.is_empty() || text.ends_with('\n'));
    }
    for worker in 0..4 {
        let of = |line: &&str| line.starts_with(&format!("{worker} "));
        let found: Vec<_> = all.lines().filter(of).collect();
        let expected: Vec<_> = (0..20_000).map(|n| format!("{worker} {n}")).collect();
        assert!(found == expected, "each once, in order: {} of {worker}", found.len());
    }
    assert_eq!((queue.written.load(Relaxed), queue.lost.load(Relaxed)), (80_001, 0));
}

#[test]
fn a_full_disk_is_told_once_and_lines_wait_for_room() {
    let directory = TempDir::new().unwrap();
    let full = Sink::File(OpenOptions::new().write(true).open("/dev/full").unwrap());
    let (queue, writer) = begin(1, LogTarget::File("/dev/full".into()), full);
    say(&queue, 0, "one\n");
    eventually("the error", || queue.error().is_some_and(|it| it.contains("No space left")));
    say(&queue, 0, "two\n");
    // More than there is room for.
    let long = "x".repeat(1 << 20) + "\n";
    (0..12).for_each(|_| say(&queue, 0, &long));
    let lost = queue.lost.load(Relaxed);
    assert!((4..=5).contains(&lost), "{lost}");
    let path = directory.path().join("log");
    let next = Sink::open(&LogTarget::File(path.clone())).unwrap();
    queue.switch(next).blocking_recv().unwrap();
    queue.close();
    writer.join().unwrap();
    assert_eq!(queue.error(), None);
    let mut text = String::new();
    File::open(path).unwrap().read_to_string(&mut text).unwrap();
    assert!(text.starts_with("one\ntwo\nxxx"));
    assert_eq!(text.lines().count() as u64, 14 - lost);
    assert_eq!(queue.written.load(Relaxed), 14 - lost);
}

#[test]
fn what_cannot_be_written_at_the_end_is_counted() {
    let full = Sink::File(OpenOptions::new().write(true).open("/dev/full").unwrap());
    let (queue, writer) = begin(1, LogTarget::File("/dev/full".into()), full);
    (0..3).for_each(|_| say(&queue, 0, "line\n"));
    queue.close();
    writer.join().unwrap();
    assert_eq!((queue.written.load(Relaxed), queue.lost.load(Relaxed)), (0, 3));
}

#[test]
fn syslog_gets_each_line_by_itself_and_may_be_started_again() {
    let directory = TempDir::new().unwrap();
    let path = directory.path().join("log");
    let daemon = || {
        _ = fs::remove_file(&path);
        let daemon = UnixDatagram::bind(&path).unwrap();
        daemon.set_read_timeout(Some(Duration::from_secs(20))).unwrap();
        daemon
    };
    let first = daemon();
    let to = LogTarget::Syslog(path.clone());
    let (queue, writer) = begin(1, to.clone(), Sink::open(&to).unwrap());
    say(&queue, 0, "one\ntwo\n");
    let hear = |daemon: &UnixDatagram| {
        let mut bytes = [0; 1000];
        let length = daemon.recv(&mut bytes).unwrap();
        String::from_utf8(bytes[..length].to_vec()).unwrap()
    };
    let expected = Regex::new(&format!(
        "^<190>(Jan|Feb|Mar|Apr|May|Jun|Jul|Aug|Sep|Oct|Nov|Dec) [ 0-9][0-9] [0-9]{{2}}:[0-9]{{2}}:[0-9]{{2}} shunt\\[{}\\]: (one|two|three)$",
        std::process::id()
    ))
    .unwrap();
    for line in ["one", "two"] {
        let said = hear(&first);
        assert!(expected.is_match(&said) && said.ends_with(line), "{said}");
    }
    drop(first);
    let second = daemon();
    say(&queue, 0, "three\n");
    let said = hear(&second);
    assert!(expected.is_match(&said), "{said}");
    queue.close();
    writer.join().unwrap();
    assert_eq!((queue.written.load(Relaxed), queue.lost.load(Relaxed)), (3, 0));
}
